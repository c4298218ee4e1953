"""Clocks that run on us by the API: what the console's page shows, and what counsel notes there.

Those of the legal register are left out: a token of the room of cases sees none of that.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from tipstaff import wiring
from tipstaff.procedures.our_clocks import WORDS_MAX, end_by_hand, tell_authority
from tipstaff.procedures.refusals import NoSuchClock, NothingToTell, NotYourDecision

from ..console import reads
from ..roles import Ability
from .auth import Able
from .problems import Problem

router = Router(tags=["cases"])
_Key = Annotated[str, Field(min_length=1, max_length=24)]
_Words = Annotated[str, Field(min_length=1, max_length=WORDS_MAX)]


class ClockOut(Schema):
    """A clock of the edition that runs on us."""

    clock: str
    about: str
    """The case or the report that it runs for; `agent` for the copyright agent's entry in the directory."""
    nth: int
    """Which of several about the same thing."""
    edition: str
    started_at: datetime
    due_at: datetime
    """The first instant that is too late."""
    late_at: datetime | None
    """When it was found late."""
    seen_to: str
    """What is to be done about one that is late."""


class ToldIn(Schema):
    """An authority was told of a case, a report or a matter."""

    about: _Key
    authority: _Words
    how: _Words
    """By which way, and their reference."""


class ClockEndIn(Schema):
    """A clock is ended by hand."""

    clock: Annotated[str, Field(min_length=1, max_length=64)]
    about: _Key
    why: _Words
    nth: Annotated[int, Field(ge=1, le=9999)] | None = None
    """Which, where several run about it."""


class ClockDoneOut(Schema):
    """What was done, in a sentence."""

    said: str


@router.get("/clocks", auth=Able(Ability.SEE_DESK, "cases"), response=list[ClockOut])
def clocks(request: HttpRequest) -> list[ClockOut]:
    """The clocks that run on us, soonest due first, at most as many as the console's page shows."""
    return [
        ClockOut(
            clock=clock.clock, about=clock.about, nth=clock.nth, edition=clock.edition,
            started_at=clock.started_at, due_at=clock.due_at, late_at=clock.late_at, seen_to=seen_to,
        )
        for clock, _, seen_to in reads.clocks_shown(None, legal=False)
    ]  # fmt: skip


@router.post("/clocks/told", auth=Able(Ability.KEEP_LEGAL, "legal"), response=ClockDoneOut)
def told(request: HttpRequest, asked: ToldIn) -> ClockDoneOut:
    """Note that an authority was told of something: whom, and how."""
    about = _kept(asked.about)
    tell = partial(tell_authority, about, authority=_kept(asked.authority), how=_kept(asked.how))
    return _done(tell, request, said=f"Noted for {about}.")


@router.post("/clocks/end", auth=Able(Ability.KEEP_LEGAL, "legal"), response=ClockDoneOut)
def end(request: HttpRequest, asked: ClockEndIn) -> ClockDoneOut:
    """End a clock by hand, with the reason."""
    about = _kept(asked.about)
    end_it = partial(end_by_hand, _kept(asked.clock), about=about, why=_kept(asked.why), nth=asked.nth)
    return _done(end_it, request, said=f"Ended for {about}.")


def _kept(text: str) -> str:
    """A text without what PostgreSQL cannot keep; raise 422 where nothing of it is left."""
    found = text.replace("\x00", "").strip()
    if not found:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "A field holds nothing that can be kept.")
    return found


def _done(act: Callable[..., None], request: HttpRequest, *, said: str) -> ClockDoneOut:
    try:
        act(desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username())
    except (NoSuchClock, NothingToTell, NotYourDecision) as why:
        raise Problem(HTTPStatus.CONFLICT, str(why)) from why
    return ClockDoneOut(said=said)
