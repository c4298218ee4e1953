"""Clocks of the edition that run on us, soonest due first; counsel notes what only people can do about one."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.procedures.our_clocks import WORDS_MAX, end_by_hand, tell_authority
from tipstaff.procedures.refusals import NoSuchClock, NothingToTell, NotYourDecision

from ..asked import asked_text
from ..roles import Ability, StaffRequest, abilities_of, needs
from . import reads
from .page import show_console


@require_safe
@needs(Ability.SEE_DESK)
def clocks(request: StaffRequest) -> HttpResponse:
    """All that run."""
    legal = Ability.KEEP_LEGAL in abilities_of(request.user)
    return show_console(
        request, "tipstaff/console/clocks.html", here="console:levels", at=wiring.now(), legal=legal,
        clocks=reads.clocks_shown(None, legal=legal), words_max=WORDS_MAX,
    )  # fmt: skip


@require_POST
@needs(Ability.KEEP_LEGAL)
def told(request: StaffRequest) -> HttpResponse:
    """An authority was told of something: whom, and how."""
    about = asked_text(request.POST, "about")

    def run() -> str:
        tell_authority(
            about, authority=asked_text(request.POST, "authority", characters_max=WORDS_MAX),
            how=asked_text(request.POST, "how", characters_max=WORDS_MAX), desk=wiring.desk(), at=wiring.now(),
            actor=request.user.get_username(),
        )  # fmt: skip
        return f"Noted for {about}."

    return _tell(request, run)


@require_POST
@needs(Ability.KEEP_LEGAL)
def end(request: StaffRequest) -> HttpResponse:
    """A clock is ended by hand, with the reason."""
    clock, about = asked_text(request.POST, "clock"), asked_text(request.POST, "about")
    nth = asked_text(request.POST, "nth", characters_max=4)

    def run() -> str:
        end_by_hand(
            clock, about=about, why=asked_text(request.POST, "why", characters_max=WORDS_MAX),
            nth=int(nth) if nth.isdecimal() else None, desk=wiring.desk(), at=wiring.now(),
            actor=request.user.get_username(),
        )  # fmt: skip
        return f"Ended for {about}."

    return _tell(request, run)


def _tell(request: StaffRequest, run: Callable[[], str]) -> HttpResponse:
    try:
        messages.success(request, run())
    except (NoSuchClock, NothingToTell, NotYourDecision) as refusal:
        messages.error(request, str(refusal))
    return HttpResponseRedirect(reverse("console:clocks"), status=303)
