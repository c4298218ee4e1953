"""The page that names the agent for copyright notices. It names nobody whose entry in the directory has lapsed."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.procedures.agent import agent_at

from ..pages import show_public
from ..said import day, language_of


@require_safe
def copyright_agent(request: HttpRequest) -> HttpResponse:
    """Who receives notices of claimed infringement, and since when they stand in the directory."""
    agent = agent_at(desk=wiring.desk(), at=wiring.now())
    if agent is None or not agent.stands:
        raise Http404
    language = language_of(request)
    return show_public(
        request, "tipstaff/public/agent.html", agent=agent, page_language=language,
        day=day(language, agent.entered_at),
    )  # fmt: skip
