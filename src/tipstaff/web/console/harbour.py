"""The limit of liability for copyright, for counsel: its conditions, whether it holds, counter-notices (row 69).

What the API says and does, by the same procedure.
"""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.procedures import harbour as procedure
from tipstaff.procedures.harbour import NotACondition
from tipstaff.procedures.refusals import NoSuchCase, NotYourDecision

from ..asked import asked_text
from ..roles import Ability, StaffRequest, needs
from ..shown import stamp
from .actions import NoSuchTime, instant_of
from .legal import TEXT_OCTETS_MAX, said_of
from .page import show_console

_REFUSED = (NotACondition, NotYourDecision, NoSuchTime)


@require_safe
@needs(Ability.KEEP_LEGAL)
def harbour(request: StaffRequest) -> HttpResponse:
    """Every condition and how it stands; the forms by which counsel notes one, asks, and takes a counter-notice."""
    found = procedure.conditions(desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username())
    return show_console(
        request, "tipstaff/console/harbour.html", here="console:legal", conditions=found,
        noted=[each for each in found if each.id != procedure.FROM_BOOKS],
    )  # fmt: skip


@require_POST
@needs(Ability.KEEP_LEGAL)
def note(request: StaffRequest) -> HttpResponse:
    """Note how a condition stands, what shows it, and when it is looked at again."""
    form, at, actor = request.POST, wiring.now(), request.user.get_username()
    try:
        condition = asked_text(form, "condition", characters_max=64)
        procedure.note(
            condition, met=form.get("met") == "yes", shown_by=asked_text(form, "shown_by", characters_max=4000),
            until=instant_of(asked_text(form, "until")), desk=wiring.desk(), at=at, actor=actor,
        )  # fmt: skip
        messages.success(request, f"{condition} is noted.")
    except _REFUSED as refusal:
        messages.error(request, said_of(refusal))
    return _back()


@require_POST
@needs(Ability.KEEP_LEGAL)
def rely(request: StaffRequest) -> HttpResponse:
    """Ask the edition in force whether we may rely on it in a matter; question and answer go on record."""
    on = asked_text(request.POST, "on", characters_max=64)
    if not on:
        messages.error(request, "Name the matter.")
        return _back()
    under, lacking = procedure.rely(on=on, desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username())
    if under:
        messages.success(request, f"{on}: {under} lets us rely on it.")
    else:
        messages.error(request, f"{on}: we cannot rely on it; not met: {', '.join(each.id for each in lacking)}.")
    return _back()


@require_POST
@needs(Ability.KEEP_LEGAL)
def counter_notice(request: StaffRequest) -> HttpResponse:
    """Take a counter-notice: its form is looked at, and the window stands on the case."""
    form, at = request.POST, wiring.now()
    case, received = asked_text(form, "case", characters_max=32), asked_text(form, "received")
    try:
        text = asked_text(form, "text", characters_max=TEXT_OCTETS_MAX)
        if not text:
            raise NotACondition("A counter-notice has words.")
        lacking, window = procedure.take_counter_notice(
            case, text.encode(), received_at=instant_of(received) if received else at, desk=wiring.desk(), at=at,
            actor=request.user.get_username(),
        )  # fmt: skip
        since = f"from {stamp(window.not_before)} on and " if window.not_before else ""
        missing = f" Not found in its words: {', '.join(lacking)}." if lacking else ""
        messages.success(request, f"{case}: it comes back {since}before {stamp(window.by)}.{missing}")
    except NoSuchCase:
        messages.error(request, f"There is no case {case}.")
    except _REFUSED as refusal:
        messages.error(request, said_of(refusal))
    return _back()


def _back() -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse("console:harbour"), status=HTTPStatus.SEE_OTHER)
