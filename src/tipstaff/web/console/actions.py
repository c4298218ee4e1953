"""What a person may do to a case: each action asks one procedure, and says in a sentence what it did."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from django.http import QueryDict

from tipstaff.procedures import casework, joint, parting, work
from tipstaff.procedures.desk import Desk
from tipstaff.procedures.spreading import SUSPENSION
from tipstaff.procedures.transit import REFUSAL
from tipstaff.words import Answer, Case, CaseState, Ground

from ..asked import asked_number, asked_text
from ..roles import Ability


class MissingWords(ValueError):
    """Say why: the reason stands in the record and in the letter."""


class NoSuchTime(ValueError):
    """Choose until when, as a day or a day and an hour in UTC."""


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
        return asked_number(self.form, "version", otherwise=-1, most=10**9)


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


def _hand_over(asked: Asked) -> str:
    to = asked.text("to")
    work.hand_over(
        asked.case.key, to=to, note=asked.text("note", required=False), version=asked.version, desk=asked.desk,
        at=asked.at, actor=asked.actor,
    )  # fmt: skip
    return f"The case is {to}'s now."


def instant_of(text: str) -> datetime:
    """A day, or a day and an hour in UTC, as a form gives it. Raise NoSuchTime."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError as why:
        raise NoSuchTime from why
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given


def _snooze(asked: Asked) -> str:
    until = instant_of(asked.text("until"))
    work.snooze(
        asked.case.key, until=until, why=asked.text("why", required=False), version=asked.version, at=asked.at,
        actor=asked.actor,
    )  # fmt: skip
    return "Snoozed. It comes back by itself then, and before if anything happens on it."


def _wake(asked: Asked) -> str:
    work.wake(asked.case.key, version=asked.version, at=asked.at, actor=asked.actor)
    return "It is back in sight."


def _tag(asked: Asked) -> str:
    add, remove = asked.text("add", required=False).split(), asked.form.getlist("remove")[:50]
    if not add and not remove:
        raise MissingWords
    work.tag_case(
        asked.case.key, add=add, remove=remove, version=asked.version, at=asked.at, actor=asked.actor
    )  # fmt: skip
    return "The tags are changed."


def _link(asked: Asked) -> str:
    campaign = asked.text("campaign", required=False)
    why = asked.text("why")
    work.link_case(
        asked.case.key, campaign=campaign or None, version=asked.version, why=why, at=asked.at, actor=asked.actor
    )  # fmt: skip
    return f"Linked to the campaign {campaign}." if campaign else "It is part of no campaign now."


def _watch(asked: Asked) -> str:
    work.watch_case(asked.case.key, name=asked.actor, on=True)
    return "You follow the case."


def _unwatch(asked: Asked) -> str:
    work.watch_case(asked.case.key, name=asked.actor, on=False)
    return "You follow it no longer."


def _merge(asked: Asked) -> str:
    into = asked.text("into").upper()
    parting.merge(
        asked.case.key, into=into, version=asked.version, why=asked.text("why"), desk=asked.desk, at=asked.at,
        actor=asked.actor,
    )  # fmt: skip
    return f"It goes on in {into}."


def _part(asked: Asked) -> str:
    parting.part(asked.case.key, why=asked.text("why"), desk=asked.desk, at=asked.at, actor=asked.actor)
    return "The merge is undone."


def _split(asked: Asked) -> str:
    new = parting.split(
        asked.case.key, incidents=asked.form.getlist("incident")[:1000], version=asked.version, why=asked.text("why"),
        desk=asked.desk, at=asked.at, actor=asked.actor,
    )  # fmt: skip
    return f"They go on in {new.key}."


def _reopen(asked: Asked) -> str:
    case = casework.reopen(
        asked.case.key, why=asked.text("why"), version=asked.version, desk=asked.desk, at=asked.at, actor=asked.actor
    )
    told = case.state is CaseState.NOTIFIED
    return "Open again; the customer is told why and has their time anew." if told else "Open again; decide on it now."


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


def _refuse_transit(asked: Asked) -> str:
    joint.propose(REFUSAL, asked.case.key, why=asked.text("why"), desk=asked.desk, at=asked.at, actor=asked.actor)
    return "Proposed. It counts once a colleague has agreed, and one of you is an engineer."


def _second_transit(asked: Asked) -> str:
    planned = joint.agree(REFUSAL, asked.case.key, desk=asked.desk, at=asked.at, actor=asked.actor)
    return f"Agreed: {len(planned)} routes are being refused, and two people answer for it."


def _suspend_spreader(asked: Asked) -> str:
    joint.propose(SUSPENSION, asked.case.key, why=asked.text("why"), desk=asked.desk, at=asked.at, actor=asked.actor)
    return "Proposed. It counts once a colleague has agreed, and one of you is a lead."


def _second_suspension(asked: Asked) -> str:
    joint.agree(SUSPENSION, asked.case.key, desk=asked.desk, at=asked.at, actor=asked.actor)
    return "Agreed: the service is being suspended, and two people answer for it."


ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "note": Action(ability=Ability.NOTE, run=_note),
        "take": Action(ability=Ability.NOTE, run=_take),
        "release": Action(ability=Ability.NOTE, run=_release),
        "hand-over": Action(ability=Ability.NOTE, run=_hand_over),
        "snooze": Action(ability=Ability.NOTE, run=_snooze),
        "wake": Action(ability=Ability.NOTE, run=_wake),
        "tag": Action(ability=Ability.NOTE, run=_tag),
        "link": Action(ability=Ability.NOTE, run=_link),
        "watch": Action(ability=Ability.NOTE, run=_watch),
        "unwatch": Action(ability=Ability.NOTE, run=_unwatch),
        "merge": Action(ability=Ability.DECIDE_CASES, run=_merge, decides=True),
        "part": Action(ability=Ability.DECIDE_CASES, run=_part, decides=True),
        "split": Action(ability=Ability.DECIDE_CASES, run=_split, decides=True),
        "reopen": Action(ability=Ability.DECIDE_CASES, run=_reopen, decides=True),
        "not-upheld": Action(ability=Ability.DECIDE_CASES, run=_not_upheld, decides=True),
        "fixed": Action(ability=Ability.DECIDE_CASES, run=_fixed, decides=True),
        "review": Action(ability=Ability.REVIEW, run=_review, decides=True),
        "decide": Action(ability=Ability.DECIDE_CASES, run=_decide, decides=True),
        "joined": Action(ability=Ability.DECIDE_CASES, run=_joined, decides=True),
        "answer-back": Action(ability=Ability.DECIDE_CASES, run=_answer_back, decides=True),
        "note-answer": Action(ability=Ability.DECIDE_CASES, run=_note_answer, decides=True),
        "propose-urgent": Action(ability=Ability.PROPOSE_URGENT, run=_propose_urgent),
        "second-urgent": Action(ability=Ability.SECOND_URGENT, run=_second_urgent),
        "second-wide": Action(ability=Ability.DECIDE_CASES, run=_second_wide),
        "refuse-transit": Action(ability=Ability.PROPOSE_URGENT, run=_refuse_transit),
        "suspend-spreader": Action(ability=Ability.PROPOSE_URGENT, run=_suspend_spreader),
        "second-suspension": Action(ability=Ability.SECOND_URGENT, run=_second_suspension),
        "second-transit": Action(ability=Ability.SECOND_URGENT, run=_second_transit),
    }
)
