"""The page that names the agent for copyright notices. It names nobody whose entry in the directory has lapsed."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.procedures.agent import agent_at

from ..pages import show_page


@require_safe
def copyright_agent(request: HttpRequest) -> HttpResponse:
    """Who receives notices of claimed infringement, and since when they stand in the directory."""
    agent = agent_at(desk=wiring.desk(), at=wiring.now())
    if agent is None or not agent.stands:
        raise Http404
    return show_page(request, "tipstaff/public/agent.html", agent=agent)
