"""Before a fixed case closes, what was reported is asked once, harmlessly, whether it is still there (row 79).

Only where the clause allows that very look, counsel has let such looks be made, and the address is ours and the
customer's at the moment of sending. Still there: that is a sighting of ours, judged like any other, with its own case,
notice and time; until that one has ended, the first does not close. Whatever fails on our side is held against nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tipstaff.cases.queries import get_case
from tipstaff.policy import Edition
from tipstaff.policy.clauses import UnknownClause
from tipstaff.sensors.operations import ask_retest, end_retest
from tipstaff.sensors.queries import get_measured, retests_of_case
from tipstaff.sensors.retest import check_of
from tipstaff.words import (
    Case,
    CaseState,
    Conduct,
    Retest,
    RetestCheck,
    RetestFound,
)

from .desk import Desk
from .judging import matters_of_case
from .purposes import NotInTheRegister, must_be_in_the_register, purpose_of

NAME = "retest"
"""As `tipstaff detectors allow` and the register of purposes name it."""
TARGETS_MAX = 10
"""So many ports of one case are asked at the most."""
NOBODY_LOOKED = timedelta(days=1)
"""A look that no prober made within this is given up: no case waits for a process that does not run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeClosing:
    """Whether a fixed case may close, as far as looks at it say."""

    waits: bool
    said: str = ""
    """For the record, where it may: what was looked at and seen."""
    measured: bool = False
    """Whether any look was made that shows anything, still there or gone."""
    all_gone: bool = False
    """Whether looks were made, and every one shows that it is gone."""


def before_closing(case: Case, *, edition: Edition | None, desk: Desk, at: datetime) -> BeforeClosing:
    """Ask for the looks that the case's clause allows, or say what they showed. Safe to ask again and again."""
    looks = [each for each in retests_of_case(case.key) if case.fixed_at is None or each.asked_at >= case.fixed_at]
    if not looks:
        asked = [
            ask_retest(
                case=case.key, customer=case.customer, clause=case.clause, address=conduct.source, protocol=protocol,
                port=port, check=check, at=at, actor="worker",
            )
            for conduct, check, protocol, port in _may_be_asked(case, edition=edition, desk=desk, at=at)
            if conduct.source is not None
        ]  # fmt: skip
        return BeforeClosing(waits=bool(asked))
    for each in looks:
        if each.found is None:
            if each.asked_at + NOBODY_LOOKED > at:
                return BeforeClosing(waits=True)
            said = "No prober looked within a day."
            end_retest(each.key, found=RetestFound.NOT_MADE, said=said, at=at, actor="worker")
        elif each.found is RetestFound.STILL_THERE and not _has_ended(each):
            return BeforeClosing(waits=True)
    said = " ".join(f"{each.key}: {each.said}" for each in retests_of_case(case.key) if each.said)
    found = {each.found for each in looks}
    return BeforeClosing(
        waits=False, said=said, measured=not found.isdisjoint({RetestFound.GONE, RetestFound.STILL_THERE}),
        all_gone=found == {RetestFound.GONE},
    )  # fmt: skip


def can_be_retested(case: Case, *, edition: Edition | None, desk: Desk, at: datetime) -> bool:
    """Whether anything would be looked at before the case closes."""
    return next(_may_be_asked(case, edition=edition, desk=desk, at=at), None) is not None


def _may_be_asked(
    case: Case, *, edition: Edition | None, desk: Desk, at: datetime
) -> Iterator[tuple[Conduct, RetestCheck, str, int]]:
    try:
        allowed = edition.clause(case.clause).retest if edition is not None else ()
    except UnknownClause:
        return
    if not allowed or why_not_now(desk=desk, at=at):
        return
    seen: set[tuple[object, ...]] = set()
    for matter in matters_of_case(case.key):
        found = check_of(matter.conduct)
        if found is None or found[0] not in allowed or (place := (matter.conduct.source, *found)) in seen:
            continue
        if len(seen) == TARGETS_MAX:
            return
        seen.add(place)
        yield matter.conduct, *found


def is_still_asked(retest: Retest) -> bool:
    """Whether what was reported would be asked of that port today: one asked for by an older release, whose rule was
    wider, is not made."""
    look = (retest.address, retest.check, retest.protocol, retest.port)
    return any(
        found is not None and (matter.conduct.source, *found) == look
        for matter in matters_of_case(retest.case)
        for found in (check_of(matter.conduct),)
    )


def why_not_now(*, desk: Desk, at: datetime) -> str:
    """Why no look may be made at all now; empty where it may."""
    if not purpose_of(NAME, at=at):
        return "Nobody has authorised such looks, or the authorisation has ended."
    try:
        must_be_in_the_register(f"detector: {NAME}", desk=desk, at=at)
    except NotInTheRegister:
        return "The register of purposes does not name such looks."
    return ""


def _has_ended(retest: Retest) -> bool:
    """Whether what was made of "still there" has come to its end: its case is closed, or there is none."""
    measured = get_measured(retest.sighting)
    if measured is None or measured.disposition is None or measured.left_to_person:
        return measured is None
    if measured.case is None:
        return True
    case = get_case(measured.case)
    return case is None or case.key == retest.case or case.state is CaseState.CLOSED
