"""Whoever goes on spreading what was taken down may lose the service: by two people, one of them a lead."""

from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address

import pytest

from tests.procedures.office import DAY, HOUR, MOVED_IN, NOON, Office, reporter
from tests.procedures.test_every_clause import read_as
from tipstaff.cases.models import MemberRow
from tipstaff.enforcement.guards import Limits
from tipstaff.enforcement.operations import expire
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import casework, joint
from tipstaff.procedures.joint import may_be_proposed
from tipstaff.procedures.refusals import NothingToPlan, NotYourDecision
from tipstaff.procedures.spreading import SUSPENSION, times_after_takedown
from tipstaff.registry.operations import add_service, add_site
from tipstaff.words import Allegation, Case, CaseState, Degree, MeasureState, Moment, Role, Scope, Service, ServiceKind

NAME = "shop.example.net"
WEEK = 7 * DAY
SHOWN = "Each time it was uploaded with the customer's own log-in."


@pytest.fixture
def host(office: Office) -> Office:
    """A customer with a web site on a service of ours."""
    office.admit("acct-1")
    add_service(Service(key="svc-1", customer="acct-1", kind=ServiceKind.HOSTING), at=MOVED_IN, actor="import")
    add_site(
        NAME, address=ip_address("198.51.100.7"), customer="acct-1", service="svc-1", since=MOVED_IN, until=None,
        at=MOVED_IN, actor="import",
    )  # fmt: skip
    office.limits = lambda at: Limits(own=(), owns_name=lambda name: True)  # type: ignore[method-assign]  # as wiring's
    office.roles = {
        "ana": frozenset({Role.ANALYST}), "lena": frozenset({Role.LEAD}), "carl": frozenset({Role.COUNSEL}),
        "adam": frozenset({Role.ADMINISTRATOR}),
    }  # fmt: skip
    return office


def put_up(host: Office, n: int, *, at: datetime) -> Case:
    """The n-th page is reported, not answered for, and taken down."""
    alleged = Allegation(type="content/malware", url=f"http://{NAME}/{n}.exe", moment=Moment(at - HOUR))
    report = read_as(
        host, alleged, of_person=False, sender=reporter(n).address, vouched=True, words=f"Page {n}.", at=at
    )
    case = host.case_of(report)
    host.post(at=at)
    due = host.fresh(case.key).due_at
    assert due is not None
    host.deadlines(at=due)
    if host.fresh(case.key).state is CaseState.WAITING_PERSON:
        casework.decide_waiting(
            case.key, go_ahead=True, why="Seen.", version=host.fresh(case.key).version, desk=host.desk, at=due,
            actor="ana",
        )  # fmt: skip
    host.enforce(at=due)
    host.post(at=due)
    return host.fresh(case.key)


def gone(host: Office, case: Case, *, at: datetime) -> None:
    """The page is gone, the measure is lifted, and its case has ended."""
    casework.confirm_fixed(case.key, why="It is gone.", version=case.version, desk=host.desk, at=at, actor="lena")
    host.enforce(at=at)


def third(host: Office) -> Case:
    """Put up again for the second time after a takedown."""
    for n in (1, 2):
        at = NOON + (n - 1) * WEEK
        case = put_up(host, n, at=at)
        [measure] = host.measures(case)
        assert (measure.selector.scope, measure.state) == (Scope.ITEM, MeasureState.IN_FORCE)
        gone(host, case, at=at + 5 * DAY)
    return put_up(host, 3, at=NOON + 2 * WEEK)


LATE = NOON + 2 * WEEK + 5 * DAY


def test_after_two_takedowns_two_people_of_whom_one_is_a_lead_suspend_the_service(host: Office) -> None:
    case = third(host)
    assert times_after_takedown(case) == 2
    joint.propose(SUSPENSION, case.key, why=SHOWN, desk=host.desk, at=LATE, actor="ana")
    assert [m.degree for m in host.measures(case)] == [Degree.BLOCK], "one person has proposed it"
    with pytest.raises(NotYourDecision, match="lead"):
        joint.agree(SUSPENSION, case.key, desk=host.desk, at=LATE, actor="carl")
    with pytest.raises(NotYourDecision):
        joint.agree(SUSPENSION, case.key, desk=host.desk, at=LATE, actor="adam")
    [key] = joint.agree(SUSPENSION, case.key, desk=host.desk, at=LATE, actor="lena")
    suspended = next(m for m in host.measures(case) if m.key == key)
    assert (suspended.degree, suspended.selector.service) == (Degree.SUSPEND, "svc-1")
    assert suspended.notice is not None
    assert [(c.chosen, c.why) for c in suspended.candidates] == [
        (True, "The narrowest measure that stops it and can be shown to be in force; 72 hours is the shortest time "
         "that suffices."),
        (False, "Longer than needed: 72 hours suffice."),
    ]  # fmt: skip
    assert suspended.until == LATE + 72 * HOUR
    [decided] = [e for e in entries_about(key) if e.what == "case.decided"]
    assert (decided.actor, decided.detail["proposed_by"]) == ("lena", "ana")
    assert (decided.detail["why"], decided.detail["under"]) == (SHOWN, "way.suspend_disseminator")
    host.enforce(at=LATE)
    gone(host, host.fresh(case.key), at=LATE + DAY)
    assert {m.state for m in host.measures(case)} == {MeasureState.LIFTED}, "it ends when the spreading has"


def test_a_suspension_that_ran_out_in_vain_is_not_proposed_as_short_again(host: Office) -> None:
    case = third(host)
    joint.propose(SUSPENSION, case.key, why=SHOWN, desk=host.desk, at=LATE, actor="ana")
    [key] = joint.agree(SUSPENSION, case.key, desk=host.desk, at=LATE, actor="lena")
    host.enforce(at=LATE)
    over = next(m.until for m in host.measures(case) if m.key == key)
    assert over is not None
    expire(at=over)
    host.enforce(at=over)
    short, longer = SUSPENSION.what(host.fresh(case.key), host.desk, over)
    assert (short.chosen, short.sufficient, longer.chosen) == (False, False, True)
    assert short.why == (
        "A measure of 72 hours on the same ended by its own time, and the case has not: so short a time was not enough."
    )
    assert joint.in_words((short, longer)).endswith(" for 168 hours"), "whoever agrees reads for how long"


def test_once_is_not_going_on(host: Office) -> None:
    gone(host, put_up(host, 1, at=NOON), at=NOON + 5 * DAY)
    case = put_up(host, 2, at=NOON + WEEK)
    assert times_after_takedown(case) == 1
    assert not may_be_proposed(SUSPENSION, case, desk=host.desk, at=LATE)
    with pytest.raises(NothingToPlan):
        joint.propose(SUSPENSION, case.key, why=SHOWN, desk=host.desk, at=LATE, actor="ana")


def test_what_was_not_upheld_was_not_put_up_again(host: Office) -> None:
    gone(host, put_up(host, 1, at=NOON), at=NOON + 5 * DAY)
    second = put_up(host, 2, at=NOON + WEEK)
    casework.close_not_upheld(
        second.key, why="It was never theirs.", version=second.version, desk=host.desk, at=NOON + WEEK + 5 * DAY,
        actor="lena",
    )  # fmt: skip
    host.enforce(at=NOON + WEEK + 5 * DAY)
    case = put_up(host, 3, at=NOON + 2 * WEEK)
    assert times_after_takedown(case) == 1
    assert not may_be_proposed(SUSPENSION, case, desk=host.desk, at=LATE)


def test_a_case_that_names_no_service_suspends_none(host: Office) -> None:
    case = third(host)
    assert SUSPENSION.what(replace(case, service=None), host.desk, LATE) == ()


def test_who_is_only_probably_the_holder_is_not_suspended(host: Office) -> None:
    case = third(host)
    assert [c.chosen for c in SUSPENSION.what(case, host.desk, LATE)] == [True, False]
    MemberRow.objects.filter(case=case.key).update(confirmed=False)
    with pytest.raises(NothingToPlan):
        joint.propose(SUSPENSION, case.key, why=SHOWN, desk=host.desk, at=LATE, actor="ana")
