"""What a person may do to a case: each action asks one procedure, and says in a sentence what it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from django.http import QueryDict

from tipstaff.procedures import casework
from tipstaff.procedures.desk import Desk
from tipstaff.words import Answer, Case, CaseState, Ground

from ..asked import asked_text
from ..roles import Ability


class MissingWords(ValueError):
    """Say why: the reason stands in the record and in the letter."""


class NoSuchAnswer(ValueError):
    """Choose what they answered."""


class NoSuchGround(ValueError):
    """Choose one of the grounds: without one there is no measure before a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a form asked for."""

    case: Case
    form: QueryDict
    desk: Desk
    at: datetime
    actor: str

    def text(self, name: str, *, required: bool = True) -> str:
        text = asked_text(self.form, name, characters_max=8000)
        if required and not text:
            raise MissingWords
        return text

    @property
    def version(self) -> int:
        """The version that the person looked at; a stale one is refused."""
        given = self.form.get("version", "")
        return int(given) if given.isdecimal() and len(given) < 10 else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One button of the case page."""

    ability: Ability
    run: Callable[[Asked], str]
    decides: bool = False
    """True when the clause's own decider, such as counsel, must be the one."""


def _note(asked: Asked) -> str:
    casework.note(asked.case.key, text=asked.text("text"), at=asked.at, actor=asked.actor)
    return "The note is on the case."


def _take(asked: Asked) -> str:
    casework.assign(asked.case.key, to=asked.actor, version=asked.version, at=asked.at, actor=asked.actor)
    return "The case is yours."


def _release(asked: Asked) -> str:
    casework.assign(asked.case.key, to=None, version=asked.version, at=asked.at, actor=asked.actor)
    return "The case is nobody's now."


def _not_upheld(asked: Asked) -> str:
    casework.close_not_upheld(
        asked.case.key, why=asked.text("why"), version=asked.version, desk=asked.desk, at=asked.at, actor=asked.actor
    )
    return "Closed as not upheld; the complainants will be told."


def _fixed(asked: Asked) -> str:
    casework.confirm_fixed(
        asked.case.key, why=asked.text("why"), version=asked.version, desk=asked.desk, at=asked.at, actor=asked.actor
    )
    return "Marked as fixed; measures are being lifted."


def _review(asked: Asked) -> str:
    upheld = asked.form.get("decision") == "upheld"
    casework.review_dispute(
        asked.case.key,
        upheld=upheld,
        why=asked.text("why"),
        version=asked.version,
        desk=asked.desk,
        at=asked.at,
        actor=asked.actor,
    )
    return "The customer is right: the case is closed." if upheld else "The case stands: the clock runs again."


def _decide(asked: Asked) -> str:
    go_ahead = asked.form.get("decision") == "go_ahead"
    case = casework.decide_waiting(
        asked.case.key,
        go_ahead=go_ahead,
        why=asked.text("why"),
        version=asked.version,
        desk=asked.desk,
        at=asked.at,
        actor=asked.actor,
    )
    if not go_ahead:
        return "Closed as not upheld; the complainants will be told."
    if case.state is CaseState.WAITING_PERSON:
        return "Proposed: it takes two people. It goes ahead once a colleague has agreed."
    if case.state is CaseState.MEASURE_PLANNED:
        return "It goes ahead: the measure is planned now."
    return "It goes ahead: the customer is written to."


def _joined(asked: Asked) -> str:
    tell = asked.form.get("decision") == "tell"
    casework.decide_joined(
        asked.case.key,
        tell=tell,
        why=asked.text("why"),
        version=asked.version,
        desk=asked.desk,
        at=asked.at,
        actor=asked.actor,
    )
    return "They are told of it as well." if tell else "It is left aside; whoever reported it hears so at the end."


def _answer_back(asked: Asked) -> str:
    casework.answer_back(
        asked.case.key, why=asked.text("why"), version=asked.version, desk=asked.desk, at=asked.at, actor=asked.actor
    )
    return "They are told why the case stands; their time to answer begins anew."


def _note_answer(asked: Asked) -> str:
    try:
        answer = Answer(asked.form.get("answer", ""))
    except ValueError as why:
        raise NoSuchAnswer from why
    casework.note_answer(
        asked.case.key,
        answer=answer,
        words=asked.text("words"),
        version=asked.version,
        desk=asked.desk,
        at=asked.at,
        actor=asked.actor,
    )
    return "Their answer is on the case, and counts as if they had given it by the link."


def _propose_urgent(asked: Asked) -> str:
    casework.propose_urgent(
        asked.case.key,
        ground=_ground(asked),
        shown_by=asked.text("shown_by"),
        desk=asked.desk,
        at=asked.at,
        actor=asked.actor,
    )
    return "Proposed. It counts once a colleague has seconded it."


def _ground(asked: Asked) -> Ground:
    try:
        return Ground(asked.form.get("ground", ""))
    except ValueError as why:
        raise NoSuchGround from why


def _second_urgent(asked: Asked) -> str:
    casework.second_urgent(asked.case.key, desk=asked.desk, at=asked.at, actor=asked.actor)
    return "Seconded: the measure is planned now, and the letter goes with it."


def _second_wide(asked: Asked) -> str:
    casework.second_wide(asked.case.key, desk=asked.desk, at=asked.at, actor=asked.actor)
    return "Agreed: the measure is planned now, and two people answer for it."


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "note": Action(ability=Ability.NOTE, run=_note),
        "take": Action(ability=Ability.NOTE, run=_take),
        "release": Action(ability=Ability.NOTE, run=_release),
        "not-upheld": Action(ability=Ability.DECIDE, run=_not_upheld, decides=True),
        "fixed": Action(ability=Ability.DECIDE, run=_fixed, decides=True),
        "review": Action(ability=Ability.REVIEW, run=_review, decides=True),
        "decide": Action(ability=Ability.DECIDE, run=_decide, decides=True),
        "joined": Action(ability=Ability.DECIDE, run=_joined, decides=True),
        "answer-back": Action(ability=Ability.DECIDE, run=_answer_back, decides=True),
        "note-answer": Action(ability=Ability.DECIDE, run=_note_answer, decides=True),
        "propose-urgent": Action(ability=Ability.PROPOSE_URGENT, run=_propose_urgent),
        "second-urgent": Action(ability=Ability.SECOND_URGENT, run=_second_urgent),
        "second-wide": Action(ability=Ability.DECIDE, run=_second_wide),
    }
)
