"""What the judge left to a person of what we measured: closed with a reason, or put to the judge again."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from tipstaff import wiring
from tipstaff.procedures import sighting
from tipstaff.procedures.refusals import NoSuchSighting, NotLeftToAPerson, NotYourDecision

from ..asked import asked_text
from ..roles import Ability, StaffRequest, needs

KEYS_MAX = 1000


@require_POST
@needs(Ability.NOTE)
def decide(request: StaffRequest) -> HttpResponse:
    """Decide on the chosen sightings, all or none; which role each takes, the procedure knows."""
    keys, why = request.POST.getlist("key")[:KEYS_MAX], asked_text(request.POST, "why", characters_max=2000)
    again = request.POST.get("decision") == "again"
    act = sighting.judge_again if again else sighting.close_left
    if not keys or not why:
        messages.error(request, "Choose sightings, and say why: the reason stands in the record.")
    else:
        try:
            act(keys, why=why, desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username())
        except (NoSuchSighting, NotLeftToAPerson, NotYourDecision) as refusal:
            messages.error(request, f"Nothing was changed. {refusal}")
        else:
            several = f"{len(keys)} sightings" if len(keys) > 1 else keys[0]
            messages.success(request, f"{several}: {'the judge is asked again' if again else 'closed'}.")
    return HttpResponseRedirect(reverse("console:inbox") + "#i-sightings", status=HTTPStatus.SEE_OTHER)
