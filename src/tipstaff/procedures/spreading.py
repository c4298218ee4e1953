"""Whoever goes on spreading unlawful content after it was taken down may lose the service by which they do (row 68).

What was taken down before is counted from our own record; that it is the customer and not somebody who uses them, two
people say, one of them a lead, with what shows it.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from tipstaff.cases.queries import list_cases
from tipstaff.enforcement.queries import measures_on
from tipstaff.policy.kinds import Event
from tipstaff.words import Candidate, Case, CaseOutcome, Degree, Role, Rung, Scope

from .desk import Desk
from .joint import Joint
from .letters import edition_named
from .suspension import briefer_on, lasts_for, resources_of, weigh_case_on

TAKEN_DOWN = frozenset({Scope.ITEM, Scope.HOST_NAME})
_LADDER = (Rung(scope=Scope.SERVICE, degree=Degree.SUSPEND),)


def times_after_takedown(case: Case) -> int:
    """How often something of the same clause group was put up again after something was taken down, this case with it:
    how many earlier cases of the group, not overturned, had a takedown in force before this one was opened."""
    earlier = {
        other.key for other in list_cases(customer=case.customer, order="newest", limit=10_000)
        if other.group == case.group and other.key != case.key and other.opened_at < case.opened_at
        and other.outcome not in _OVERTURNED
    }  # fmt: skip
    taken_down = {
        measure.case for measure in measures_on(case.customer)
        if measure.case in earlier and measure.selector.scope in TAKEN_DOWN
        and measure.in_force_at is not None and measure.in_force_at < case.opened_at
    }  # fmt: skip
    return len(taken_down)


_OVERTURNED = frozenset({CaseOutcome.NOT_UPHELD, CaseOutcome.WITHDRAWN, CaseOutcome.MERGED})


def the_service(case: Case, desk: Desk, at: datetime) -> tuple[Candidate, ...]:
    """The one service that the case is about, suspended for as short a time as suffices; nothing where it names none,
    and nobody who is only probable is suspended."""
    if case.service is None:
        return ()
    lasts = lasts_for(case, desk=desk, urgent=False)
    for conduct, told, _, terms in resources_of(case, confirmed_only=True):
        if told is not None and terms.service == case.service:
            weigh = partial(weigh_case_on, _LADDER, terms, conduct, desk=desk, at=at, lasts=lasts)
            return weigh(briefer=briefer_on(case, weigh, desk=desk, at=at))
    return ()


def _can_be_taken_down(case: Case, desk: Desk) -> bool:
    ladder = edition_named(desk, case.edition).clause(case.clause).ladder
    return any(rung.scope in TAKEN_DOWN for rung in ladder)


def _facts(case: Case, roles: frozenset[Role], at: datetime) -> Mapping[str, int | bool]:
    # Whoever proposes it says that it is the customer and what shows it; whoever agrees has read that.
    return {"times_after_takedown": times_after_takedown(case), "by_customer": True}


SUSPENSION = Joint(
    kind="suspend_spreader",
    event=Event.CONTENT_SPREAD_AGAIN,
    applies=_can_be_taken_down,
    facts=_facts,
    what=the_service,
)
