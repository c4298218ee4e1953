"""Only a holder who is sure is walled in, disconnected or suspended, also where another one's case was there first."""

import dataclasses
from datetime import datetime

import pytest

from tests.procedures.office import DAY, EDGE, HOUR, NOON, Office, reporter
from tipstaff.cases.models import MemberRow
from tipstaff.cases.queries import members_of
from tipstaff.enforcement.planner import Ability
from tipstaff.procedures import parting
from tipstaff.procedures.letters import notices_sent
from tipstaff.procedures.suspension import plan_for, resources_of
from tipstaff.words import Case, CaseState, Degree, LetterKind, Proof, Rung, Scope

SURE, LIKELY = "192.0.2.7", "192.0.2.9"
BEGAN = NOON - 2 * HOUR
GARDEN = Rung(scope=Scope.ADDRESS, degree=Degree.WALLED_GARDEN)


@pytest.fixture
def garden(office: Office) -> Office:
    """A clause whose one measure is the walled garden, on the one device; LIKELY became acct-1's two hours ago."""
    office.admit("acct-1", SURE)
    office.hold(LIKELY, customer="acct-1", since=BEGAN)
    edition = office.desk.editions[-1]
    clauses = tuple(
        dataclasses.replace(each, ladder=(GARDEN,)) if each.id == "mail.unsolicited" else each
        for each in edition.clauses
    )
    walled = dataclasses.replace(edition, clauses=clauses, person_from=Degree.DISCONNECT)
    only = Ability(device=EDGE, can=frozenset({(GARDEN.scope, GARDEN.degree)}), proof=Proof.PROBE)
    office.desk = dataclasses.replace(
        office.desk, editions=(*office.desk.editions[:-1], walled), abilities=lambda at: (only,)
    )
    return office


def likely(office: Office, *, by: int, at: datetime = NOON) -> Case:
    """A report of the very second in which the holding of LIKELY began."""
    return office.case_of(office.complain(LIKELY, at=at, happened=BEGAN, by=reporter(by)))


def test_who_is_only_probable_is_not_walled_in_by_the_ladder_of_who_is_sure(garden: Office) -> None:
    case = garden.case_of(garden.complain(SURE, at=NOON))
    assert GARDEN in case.ladder
    garden.post(at=NOON)
    assert likely(garden, by=2).key == case.key
    assert [m.confirmed for m in members_of(case.key).values()] == [True, False]
    garden.post(at=NOON)
    assert len(set(notices_sent(case.key))) == 2
    sure, doubtful = (letter.body for letter in garden.letters if letter.kind is LetterKind.NOTICE)
    assert "we lead all traffic of" in sure
    assert "we lead all traffic of" not in doubtful, "the letter threatens with nothing that cannot follow"
    later = NOON + 9 * DAY
    garden.deadlines(at=later)
    [measure] = garden.measures(case)
    assert str(measure.selector).endswith(SURE)
    plan_for(case.key, desk=garden.desk, at=later, actor="ana")
    assert len(garden.measures(case)) == 1, "nor by a person"


def test_where_nothing_else_is_within_reach_a_person_is_asked(garden: Office) -> None:
    case = garden.case_of(garden.complain(SURE, at=NOON))
    likely(garden, by=2)
    MemberRow.objects.filter(case=case.key, confirmed=True).update(waits=True)  # Nobody tells them of the other one.
    garden.post(at=NOON)
    garden.deadlines(at=NOON + 9 * DAY)
    assert (garden.fresh(case.key).state, list(garden.measures(case))) == (CaseState.WAITING_PERSON, [])


def test_the_surest_report_that_was_told_counts_and_a_split_keeps_it(garden: Office) -> None:
    case = garden.case_of(garden.complain(SURE, at=NOON))
    likely(garden, by=2)
    [other] = [terms for conduct, _, _, terms in resources_of(case) if conduct.offender == LIKELY]
    assert other.ladder == ()
    own = list(members_of(case.key))[1:]
    new = parting.split(
        case.key, incidents=own, version=garden.fresh(case.key).version, why="Two.", desk=garden.desk, at=NOON,
        actor="ana",
    )  # fmt: skip
    assert [m.confirmed for m in members_of(new.key).values()] == [False]
    assert [terms.ladder for _, _, _, terms in resources_of(new)] == [()]
    MemberRow.objects.filter(case=new.key).update(confirmed=True)
    assert [terms.ladder for _, _, _, terms in resources_of(new)] == [(GARDEN,)]
