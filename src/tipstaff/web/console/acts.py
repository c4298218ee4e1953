"""What a person may do to a letter, a measure or a report: one table, which the console and the API both go by.

Acts on cases stand in `actions`: they take the version that was looked at, and some of them the clause's own decider.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType

from django.core.exceptions import BadRequest
from django.http import QueryDict

from tipstaff import wiring
from tipstaff.policy import Edition, edition_to_go_by
from tipstaff.procedures import casework, complaint, other_ways
from tipstaff.procedures.desk import Desk

from ..asked import asked_day, asked_text
from ..roles import Ability
from ..shown import stamp
from .actions import MissingWords
from .corrections import allegations_from


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a form or a program asked for."""

    key: str
    form: QueryDict
    desk: Desk
    at: datetime
    actor: str

    @property
    def why(self) -> str:
        """Why, in the person's words; raise MissingWords without any."""
        text = asked_text(self.form, "why", characters_max=2000)
        if not text:
            raise MissingWords
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One button: the ability that it takes, and what it does, in a sentence afterwards."""

    ability: Ability
    run: Callable[[Given], str]


def in_force() -> Edition:
    return edition_to_go_by(wiring.editions(), at=wiring.now())


def _send_again(given: Given) -> str:
    casework.send_letter_again(given.key, desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key} is queued again."


def _did_arrive(given: Given) -> str:
    why = f"{given.actor} knows that it arrived."
    casework.take_letter_as_sent(given.key, why=why, desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key} is taken as sent."


def _posted(given: Given) -> str:
    try:
        on = asked_day(given.form, "on", otherwise=given.at).date()
    except BadRequest as why:
        raise other_ways.NotSaid(str(why)) from why
    other_ways.note_posted(given.key, on=on, at=given.at, actor=given.actor)
    return f"Noted. {given.key} reached nobody by that yet: note it once you know that it did."


def _phoned(given: Given) -> str:
    whom, said = (asked_text(given.form, name, characters_max=2000) for name in ("whom", "said"))
    other_ways.note_phoned(given.key, whom=whom, said=said, at=given.at, actor=given.actor)
    return "The call is noted."


def _no_answer(given: Given) -> str:
    whom = asked_text(given.form, "whom", characters_max=200)
    other_ways.note_no_answer(given.key, whom=whom, at=given.at, actor=given.actor)
    return "Noted: nobody answered. What comes next stands in the inbox."


def _reached(given: Given) -> str:
    whom, how = (asked_text(given.form, name, characters_max=2000) for name in ("whom", "how"))
    other_ways.note_reached(given.key, whom=whom, how=how, desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key} counts as arrived from now on."


def _end(given: Given, *, act: Callable[..., None], said: str) -> str:
    """End a measure, in the way of `act`, which takes the reason, the desk, the time and who does it."""
    act(given.key, why=given.why, desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key} {said}"


def _prolong(given: Given) -> str:
    until = casework.prolong_measure(given.key, why=given.why, desk=given.desk, at=given.at, actor=given.actor)
    if until is None:
        return f"Proposed. {given.key} goes on once a colleague has agreed; its case shows it to them."
    return f"{given.key} goes on until {stamp(until)}."


def _agree(given: Given) -> str:
    until = casework.second_prolonging(given.key, desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key} goes on until {stamp(until)}."


def _set_aside(given: Given) -> str:
    complaint.set_aside(
        given.key, why=given.why, tell="tell" in given.form, desk=given.desk, at=given.at, actor=given.actor
    )  # fmt: skip
    return f"{given.key} is set aside."


def _seal(given: Given) -> str:
    complaint.seal_by_hand(given.key, desk=given.desk, at=given.at, actor=given.actor)
    return f"{given.key} is in the sealed queue now."


def _read_as(given: Given) -> str:
    if first := asked_text(given.form, "as_read"):
        complaint.confirm_reading(given.key, first=first, desk=given.desk, at=given.at, actor=given.actor)
        return f"{given.key} goes by what was read."
    allegations = allegations_from(given.form, clauses={c.id for c in in_force().clauses if c.judged})
    keep_back = "keep_back" in given.form
    complaint.correct_reading(
        given.key, allegations=allegations, keep_back=keep_back, why=given.why if keep_back else "", desk=given.desk,
        at=given.at, actor=given.actor,
    )  # fmt: skip
    if keep_back:
        return f"{given.key} is counsel's, with your ground: late once its time has ended, until they are told."
    return f"{given.key} was read as you said, and goes its way."


ON_LETTERS: Mapping[str, Act] = MappingProxyType(
    {
        "again": Act(ability=Ability.SEND_AGAIN, run=_send_again),
        "arrived": Act(ability=Ability.SEND_AGAIN, run=_did_arrive),
        "posted": Act(ability=Ability.SEND_AGAIN, run=_posted),
        "phoned": Act(ability=Ability.SEND_AGAIN, run=_phoned),
        "unanswered": Act(ability=Ability.SEND_AGAIN, run=_no_answer),
        "reached": Act(ability=Ability.SEND_AGAIN, run=_reached),
    }
)
"""A letter whose hand-over is in doubt or was refused: it is sent again, or somebody has seen it arrive. What reached
nobody by mail is posted or read out, and somebody notes whom it reached."""

ON_MEASURES: Mapping[str, Act] = MappingProxyType(
    {
        "lift": Act(ability=Ability.LIFT, run=partial(_end, act=casework.lift_measure, said="is being lifted.")),
        "prolong": Act(ability=Ability.DECIDE_CASES, run=_prolong),
        "agree": Act(ability=Ability.NOTE, run=_agree),
        "taken-as-lifted": Act(
            ability=Ability.LIFT, run=partial(_end, act=casework.take_measure_as_lifted, said="is taken as lifted.")
        ),
    }
)
"""It ends before its time, goes on after a review (once a second person agrees, where it takes two), or is taken as
lifted although something else stops its target."""

ON_REPORTS: Mapping[str, Act] = MappingProxyType(
    {
        "set-aside": Act(ability=Ability.DECIDE, run=_set_aside),
        "seal": Act(ability=Ability.NOTE, run=_seal),
        "read-as": Act(ability=Ability.DECIDE, run=_read_as),
    }
)
"""It is set aside with a reason; sent to the sealed queue by whoever comes upon it; or read by a person."""
