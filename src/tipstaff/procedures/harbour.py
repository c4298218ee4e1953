"""The limits of liability for copyright on which we rely: conditions, and the calendar of counter-notices (row 69).

Counsel says which condition is met, what shows it, and until when that holds; after that it counts as not met. Whether
the agent stands in the directory is known here already. The edition's clause is asked with all of them together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from django.db import transaction

from tipstaff.cases.operations import lock_case, write_note
from tipstaff.ledger.operations import record
from tipstaff.legal import operations
from tipstaff.legal.form import looked_for
from tipstaff.legal.queries import conditions_noted
from tipstaff.policy import Deadline, deadline, edition_to_go_by
from tipstaff.policy.clauses import Clock
from tipstaff.policy.deciding import may_decide
from tipstaff.policy.kinds import Event, LegalForm
from tipstaff.registry.queries import get_customer
from tipstaff.words import Case, ConditionNoted, Role

from .agent import agent_at
from .answer_clock import ends_for
from .desk import Desk
from .letters import edition_named
from .suspension import NotYourDecision

CONDITIONS: Mapping[str, str] = MappingProxyType(
    {
        "repeat_infringers": "A policy against repeat infringers is adopted, kept and told to customers "
        "(17 U.S.C. 512(i)(1)(A)).",
        "technical_measures": "Standard technical measures are not interfered with (17 U.S.C. 512(i)(1)(B)).",
        "knowledge": "Without knowledge, or acting at once on it (17 U.S.C. 512(c)(1)(A)).",
        "benefit": "No financial benefit from what we could control (17 U.S.C. 512(c)(1)(B)).",
        "takedown": "What a valid notice names is disabled at once (17 U.S.C. 512(c)(1)(C)).",
        "agent": "An agent stands in the directory and on our page (17 U.S.C. 512(c)(2)).",
        "put_back": "After a counter-notice it comes back in time (17 U.S.C. 512(g)(2)).",
    }
)
"""Each condition, and where the law asks for it. `agent` is known from the entry that counsel notes."""
FROM_BOOKS = "agent"
RESTORE = "copyright.restore"
"""The edition's clock for what a counter-notice asks back."""


class NotACondition(ValueError):
    """This cannot be noted; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How one condition stands."""

    id: str
    says: str
    met: bool
    noted: ConditionNoted | None


def note(condition: str, *, met: bool, shown_by: str, until: datetime, desk: Desk, at: datetime, actor: str) -> None:
    """Counsel notes a condition; raise NotACondition or NotYourDecision."""
    _is_counsel(desk, actor)
    if condition not in CONDITIONS or condition == FROM_BOOKS:
        known = ", ".join(each for each in CONDITIONS if each != FROM_BOOKS)
        raise NotACondition(f"{condition} is none that is noted here; they are {known}.")
    if not shown_by.strip() or until <= at:
        raise NotACondition("Say what shows it, and a day that is to come on which it is looked at again.")
    operations.note_condition(condition, met=met, shown_by=shown_by.strip()[:4000], until=until, at=at, actor=actor)


def conditions(*, desk: Desk, at: datetime, actor: str) -> list[Condition]:
    """Every condition and how it stands at `at`, for counsel."""
    _is_counsel(desk, actor)
    return _conditions(desk=desk, at=at)


def rely(*, on: str, desk: Desk, at: datetime, actor: str) -> tuple[str, list[Condition]]:
    """Whether we may rely on the limit in a matter (`on` names it): the clause that lets us, or an empty text, and the
    conditions that are not met. What was asked and answered is on record."""
    _is_counsel(desk, actor)
    lacking = [each for each in _conditions(desk=desk, at=at) if not each.met]
    edition = edition_to_go_by(desk.editions, at=at)
    clause = edition.clause_for_event(Event.HARBOUR_QUESTIONED, facts={"conditions_met": not lacking})
    record(
        "harbour.questioned", at=at, actor=actor, about=["harbour", on], under=clause.id if clause else None,
        lacking=[each.id for each in lacking],
    )  # fmt: skip
    return (clause.id if clause else ""), lacking


def take_counter_notice(
    key: str, text: bytes, *, received_at: datetime, desk: Desk, at: datetime, actor: str
) -> tuple[list[str], Deadline]:
    """A customer's counter-notice on a case: what its words lack is put on the case, with the window in which the
    material comes back unless the claimant goes to court; (what was not found, the window).

    Counsel passes it on. Raise NotACondition where the case's edition has no such clock, or it came later than `at`.
    """
    _is_counsel(desk, actor)
    if received_at > at:
        raise NotACondition("It came in later than now.")
    with transaction.atomic():
        case: Case = lock_case(key)
        edition = edition_named(desk, case.edition)
        clock = next((each for each in edition.clocks if each.id == RESTORE), None)
        if clock is None or clock.clause != case.clause:
            raise NotACondition(f"{key}: edition {edition.id} has no clock {RESTORE} for clause {case.clause}.")
        window = _window(clock, case, at=received_at)
        found = list(looked_for(LegalForm.COUNTER_NOTICE, text.decode("utf-8", "replace")))
        lacking = [f"{element.name} ({element.source})" for element, there in found if not there]
        since = f"{window.not_before:%Y-%m-%d %H:%M}" if window.not_before else "now"
        write_note(
            key, at=at, actor=actor,
            text=f"A counter-notice came {received_at:%Y-%m-%d %H:%M} UTC. If it is valid, what was disabled comes "
            f"back from {since} UTC on and before {window.by:%Y-%m-%d %H:%M} UTC ({clock.source}), unless the "
            "claimant goes to court. It is passed on to the claimant at once."
            + (f" Not found in its words: {', '.join(lacking)}. A program looked; counsel reads." if lacking else ""),
        )  # fmt: skip
        record(
            "notice.counter_notice", at=at, actor=actor, about=[key], not_found=lacking,
            received_at=received_at, not_before=window.not_before, by=window.by,
        )  # fmt: skip
    return lacking, window


def _window(clock: Clock, case: Case, *, at: datetime) -> Deadline:
    """The window by the customer's days. It never opens before the claimant's days to go to court have passed by UTC,
    too: where the claimant lives is not known."""
    window, by_utc = ends_for(get_customer(case.customer), clock, at=at), deadline(clock, at=at)
    if window.not_before is None or by_utc.not_before is None:
        return window
    opens = max(window.not_before, by_utc.not_before)
    # A window of one day only may have closed where the customer lives by then; it stays open for its day in UTC.
    return replace(window, not_before=opens, by=window.by if window.by > opens else by_utc.by)


def _conditions(*, desk: Desk, at: datetime) -> list[Condition]:
    noted, agent = conditions_noted(), agent_at(desk=desk, at=at)
    return [
        Condition(
            id=id, says=says, noted=noted.get(id),
            met=agent is not None and agent.stands if id == FROM_BOOKS
            else (last := noted.get(id)) is not None and last.met and at < last.until,
        )
        for id, says in CONDITIONS.items()
    ]  # fmt: skip


def _is_counsel(desk: Desk, actor: str) -> None:
    if not may_decide(desk.roles_of(actor), needed=Role.COUNSEL):
        raise NotYourDecision("Whether a condition is met is left to the role counsel.")
