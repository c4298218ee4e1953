"""Merge, split, reopen, appeal, the watch after a fix: no time lost, nothing wider, nobody reviews their own."""

import dataclasses
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest

from tests.procedures.office import DAY, HOUR, MOVED_IN, NOON, Office, reporter
from tipstaff.cases.operations import PlaceTaken, StaleCase
from tipstaff.cases.parting import NotInThisCase, NotMerged
from tipstaff.cases.queries import lineage_of, members_of, strikes_of
from tipstaff.cases.rules import CannotMerge, IllegalMove, TooLate
from tipstaff.ledger.queries import entries_of
from tipstaff.procedures import casework, complaint, parting, work
from tipstaff.procedures.answers import appeal_case
from tipstaff.procedures.casework import OwnDecision
from tipstaff.procedures.suspension import NotYourDecision, resources_of
from tipstaff.registry import operations as registry
from tipstaff.web.portal.reads import portal_page
from tipstaff.words import (
    Answer,
    Case,
    CaseOutcome,
    CaseState,
    Holding,
    HoldingKind,
    LetterKind,
    ReportOutcome,
    Role,
    Service,
    ServiceKind,
    Tier,
)

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, SECOND, THIRD = "192.0.2.7", "192.0.2.9", "192.0.2.11"
CUSTOMER = "acct-1@customer.example.com"


@pytest.fixture
def office() -> Office:
    made = Office()
    made.admit("acct-1", FIRST + "/32", SECOND + "/32", THIRD + "/32")
    return made


def split_off(office: Office, case: Case, address: str, *, actor: str = "ana") -> Case:
    """What is about this address goes on by itself."""
    own = [
        i.key for r in map(office.report, reports_of(case)) for i in r.incidents
        if i.case == case.key and i.allegation.offender == address
    ]  # fmt: skip
    return parting.split(
        case.key, incidents=own, version=office.fresh(case.key).version, why="Two matters.", desk=office.desk,
        at=NOON + HOUR, actor=actor,
    )  # fmt: skip


def reports_of(case: Case) -> list[str]:
    return sorted({key.partition(".")[0] for key in members_of(case.key)})


def merge(office: Office, case: Case, into: Case, *, actor: str = "ana") -> Case:
    return parting.merge(
        case.key, into=into.key, version=office.fresh(case.key).version, why="One matter.", desk=office.desk,
        at=NOON + 2 * HOUR, actor=actor,
    )  # fmt: skip


def two_addresses(office: Office) -> Case:
    """One case about two addresses, both told in one letter at noon."""
    office.complain(FIRST, at=NOON - HOUR)
    case = office.case_of(office.complain(SECOND, at=NOON - HOUR, by=reporter(2)))
    office.post(at=NOON)
    return office.fresh(case.key)


def test_a_split_keeps_identity_clock_and_letter_and_only_its_own_is_measured(office: Office) -> None:
    case = two_addresses(office)
    new = split_off(office, case, SECOND)
    assert (new.due_at, new.state, new.ladder) == (case.due_at, case.state, case.ladder)
    assert (new.reports, office.fresh(case.key).reports) == (1, 1)
    [incident] = members_of(new.key)
    assert office.report(incident.partition(".")[0]).incidents[0].case == new.key
    assert case.due_at is not None
    office.answer(office.fresh(case.key), Answer.FIXED, at=NOON + 3 * HOUR)
    office.deadlines(at=case.due_at)
    assert [str(m.selector) for m in office.measures(new)] == [f"tcp/25 from {SECOND}"]
    assert office.measures(case) == []
    [split] = entries_of(new.key, what=("case.split",))
    assert (split.actor, split.detail["why"]) == ("ana", "Two matters.")


def test_further_reports_join_the_case_and_not_what_was_split_off(office: Office) -> None:
    case = two_addresses(office)
    new = split_off(office, case, SECOND)
    assert office.case_of(office.complain(THIRD, at=NOON + 2 * HOUR, by=reporter(3))).key == case.key
    assert set(members_of(new.key)) & set(members_of(case.key)) == set()


def test_a_split_makes_no_second_strike(office: Office) -> None:
    case = two_addresses(office)
    new = split_off(office, case, SECOND)
    for each in (case, new):
        office.answer(office.fresh(each.key), Answer.FIXED, at=NOON + 3 * HOUR)
    office.follow(at=NOON + 4 * HOUR)
    assert {office.fresh(c.key).state for c in (case, new)} == {CaseState.CLOSED}
    assert len(strikes_of("acct-1", group=case.group, since=NOON - DAY)) == 1


def test_a_merge_keeps_the_later_end_and_each_complainant_hears_once(office: Office) -> None:
    case = two_addresses(office)
    new = split_off(office, case, SECOND)
    office.answer(office.fresh(new.key), Answer.NEED_TIME, at=NOON + HOUR)
    later = office.fresh(new.key).due_at
    merged = merge(office, new, case)
    assert case.due_at is not None
    assert later is not None
    assert (merged.due_at, merged.state) == (later, CaseState.NOTIFIED)
    assert later > case.due_at
    gone = office.fresh(new.key)
    assert (gone.state, gone.outcome, gone.merged_into) == (CaseState.CLOSED, CaseOutcome.MERGED, case.key)
    office.deadlines(at=case.due_at)
    assert office.measures(case) == []
    page = portal_page(new.key)
    assert page is not None
    assert page.case.key == case.key
    office.answer(merged, Answer.FIXED, at=later - HOUR)
    office.follow(at=later - HOUR)
    office.post(at=later)
    for n in (1, 2):
        assert office.kinds_to(reporter(n).address).count(LetterKind.OUTCOME) == 1


def test_a_merge_is_undone_with_no_less_time(office: Office) -> None:
    case = two_addresses(office)
    new = split_off(office, case, SECOND)
    members = set(members_of(new.key))
    merge(office, new, case)
    back = parting.part(new.key, why="They are two.", desk=office.desk, at=NOON + 3 * HOUR, actor="ana")
    assert (back.state, back.due_at, back.outcome) == (new.state, case.due_at, CaseOutcome.NONE)
    assert set(members_of(new.key)) == members
    with pytest.raises(NotMerged):
        parting.part(new.key, why="Again.", desk=office.desk, at=NOON + 3 * HOUR, actor="ana")


def test_services_are_merged_and_each_address_keeps_its_own_terms(office: Office) -> None:
    office.admit("acct-3")
    for number, address in ((1, "192.0.2.81"), (2, "192.0.2.82")):
        service = Service(key=f"svc-3-{number}", customer="acct-3", kind=ServiceKind.HOSTING)
        registry.add_service(service, at=MOVED_IN, actor="import")
        held = Holding(
            key=0, tier=Tier.CUSTOMER, kind=HoldingKind.STATIC, prefix=ip_network(address), held_from=MOVED_IN,
            customer="acct-3", service=service.key,
        )  # fmt: skip
        registry.add_holdings([held], at=MOVED_IN, actor="import")
    one, other = (office.complain(a, at=NOON - HOUR, by=reporter(n)) for n, a in ((1, "192.0.2.81"), (2, "192.0.2.82")))
    office.post(at=NOON)
    first, second = office.case_of(one), office.case_of(other)
    assert (first.service, second.service) == ("svc-3-1", "svc-3-2")
    merged = merge(office, second, first)
    terms = {conduct.offender: (case.key, case.service) for conduct, _, _, case in resources_of(merged)}
    assert terms == {"192.0.2.81": (first.key, "svc-3-1"), "192.0.2.82": (second.key, "svc-3-2")}
    assert merged.due_at is not None
    office.deadlines(at=merged.due_at)
    assert {str(m.selector) for m in office.measures(first)} == {f"tcp/25 from 192.0.2.8{n}" for n in (1, 2)}
    # Reports go on joining the place that they belong to: the second service's is free again.
    assert office.case_of(office.complain("192.0.2.82", at=NOON + 3 * HOUR, by=reporter(3))).key != first.key
    with pytest.raises(CannotMerge, match="has a measure"):
        parting.part(second.key, why="Two.", desk=office.desk, at=NOON + DAY, actor="ana")


def test_cases_of_two_customers_are_never_merged(office: Office) -> None:
    office.admit("acct-2", "192.0.2.40/32")
    other = office.warned("192.0.2.40", at=NOON)
    case = two_addresses(office)
    with pytest.raises(CannotMerge, match="another customer"):
        merge(office, other, case)


def test_nothing_is_merged_while_somebody_waits_for_a_word_or_a_measure_stands(office: Office) -> None:
    case = two_addresses(office)
    new = split_off(office, case, SECOND)
    office.answer(new, Answer.DISPUTE, at=NOON + HOUR)
    with pytest.raises(CannotMerge, match="disputed"):
        merge(office, new, case)
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    with pytest.raises(CannotMerge, match="has a measure"):
        merge(office, case, new)


def test_only_who_decides_the_case_may_part_it(office: Office) -> None:
    case = two_addresses(office)
    office.roles["eve"] = frozenset({Role.ADMINISTRATOR})
    with pytest.raises(NotYourDecision):
        split_off(office, case, SECOND, actor="eve")
    with pytest.raises(NotInThisCase):
        parting.split(
            case.key, incidents=list(members_of(case.key)), version=case.version, why="All.", desk=office.desk,
            at=NOON, actor="ana",
        )  # fmt: skip
    with pytest.raises(StaleCase):
        parting.split(
            case.key, incidents=list(members_of(case.key))[:1], version=case.version - 1, why="Late.",
            desk=office.desk, at=NOON, actor="ana",
        )  # fmt: skip


def test_a_letter_that_was_not_out_is_written_anew_for_each_part(office: Office) -> None:
    office.complain(FIRST, at=NOON - HOUR)
    case = office.case_of(office.complain(SECOND, at=NOON - HOUR, by=reporter(2)))
    new = split_off(office, case, SECOND)
    office.post(at=NOON + HOUR)
    notices = [letter for letter in office.letters_to(CUSTOMER) if letter.kind is LetterKind.NOTICE]
    told = {letter.case: (FIRST in letter.body, SECOND in letter.body) for letter in notices}
    assert told == {case.key: (True, False), new.key: (False, True)}
    assert {office.fresh(c.key).state for c in (case, new)} == {CaseState.NOTIFIED}


def test_who_decided_on_the_whole_does_not_review_a_part(office: Office) -> None:
    case = two_addresses(office)
    office.answer(case, Answer.DISPUTE, at=NOON + HOUR)
    casework.review_dispute(
        case.key, upheld=False, why="It is in the log.", version=office.fresh(case.key).version, desk=office.desk,
        at=NOON + HOUR, actor="ana",
    )  # fmt: skip
    office.post(at=NOON + HOUR)
    new = split_off(office, case, SECOND, actor="ben")
    assert lineage_of(new.key) == lineage_of(case.key) == {case.key, new.key}
    office.answer(new, Answer.DISPUTE, at=NOON + 2 * HOUR)
    fresh = office.fresh(new.key)
    with pytest.raises(OwnDecision):
        casework.review_dispute(
            new.key, upheld=False, why="It is.", version=fresh.version, desk=office.desk, at=NOON + DAY, actor="ana"
        )
    casework.review_dispute(
        new.key, upheld=True, why="It is not.", version=fresh.version, desk=office.desk, at=NOON + DAY, actor="carl"
    )
    assert office.fresh(new.key).outcome is CaseOutcome.NOT_UPHELD


def appeal(office: Office, case: Case, *, at: datetime) -> Case:
    return appeal_case(case.key, words="We never sent it.", via="portal", desk=office.desk, at=at)


def ended(office: Office) -> Case:
    case = office.warned(FIRST, at=NOON)
    office.answer(case, Answer.FIXED, at=NOON + HOUR)
    office.follow(at=NOON + HOUR)
    office.post(at=NOON + HOUR)
    return office.fresh(case.key)


def test_an_appeal_is_reviewed_by_another_and_takes_the_strike_back(office: Office) -> None:
    case = ended(office)
    [strike] = strikes_of("acct-1", group=case.group, since=NOON - DAY)
    assert not strike.contested
    appeal(office, case, at=NOON + 30 * DAY)
    appealed = office.fresh(case.key)
    assert appealed.state is CaseState.APPEALED
    [strike] = strikes_of("acct-1", group=case.group, since=NOON - DAY)
    assert strike.contested
    office.post(at=NOON + 30 * DAY)
    casework.review_dispute(
        case.key, upheld=True, why="They are right.", version=appealed.version, desk=office.desk,
        at=NOON + 31 * DAY, actor="carl",
    )  # fmt: skip
    office.post(at=NOON + 31 * DAY)
    assert office.fresh(case.key).outcome is CaseOutcome.NOT_UPHELD
    assert strikes_of("acct-1", group=case.group, since=NOON - DAY) == []
    assert office.kinds_to(CUSTOMER)[-2:] == [LetterKind.DISPUTE_RECEIVED, LetterKind.CASE_CLOSED]
    assert "They are right." in office.letters_to(CUSTOMER)[-1].body


def test_an_appeal_that_is_not_upheld_counts_again_from_the_old_end_and_is_the_last(office: Office) -> None:
    case = ended(office)
    appeal(office, case, at=NOON + 30 * DAY)
    casework.review_dispute(
        case.key, upheld=False, why="The log shows it.", version=office.fresh(case.key).version, desk=office.desk,
        at=NOON + 31 * DAY, actor="carl",
    )  # fmt: skip
    after = office.fresh(case.key)
    assert (after.state, after.outcome, after.closed_at) == (CaseState.CLOSED, CaseOutcome.FIXED, case.closed_at)
    [strike] = strikes_of("acct-1", group=case.group, since=NOON - DAY)
    assert (strike.contested, strike.at) == (False, case.closed_at)
    with pytest.raises(IllegalMove):
        appeal(office, after, at=NOON + 40 * DAY)


def test_after_half_a_year_there_is_no_appeal_and_no_reopening(office: Office) -> None:
    case = ended(office)
    late = NOON + timedelta(days=182)
    with pytest.raises(TooLate):
        appeal(office, case, at=late)
    with pytest.raises(TooLate):
        casework.reopen(case.key, why="Late.", version=case.version, desk=office.desk, at=late, actor="ana")


def test_a_reopened_case_tells_its_holder_and_gives_their_time_anew(office: Office) -> None:
    case = ended(office)
    again = casework.reopen(
        case.key, why="It goes on.", version=case.version, desk=office.desk, at=NOON + 10 * DAY, actor="ana"
    )
    assert (again.state, again.due_at, again.outcome) == (CaseState.NOTIFIED, None, CaseOutcome.NONE)
    office.deadlines(at=NOON + 11 * DAY)
    assert office.measures(case) == []
    office.post(at=NOON + 11 * DAY)
    assert "It goes on." in office.letters_to(CUSTOMER)[-1].body
    assert office.fresh(case.key).due_at == NOON + 11 * DAY + case.answer_within
    report = office.report(reports_of(case)[0])
    assert report.incidents[0].outcome is ReportOutcome.FORWARDED
    office.answer(office.fresh(case.key), Answer.FIXED, at=NOON + 11 * DAY)
    office.follow(at=NOON + 11 * DAY)
    office.post(at=NOON + 11 * DAY)
    assert office.kinds_to(reporter().address).count(LetterKind.OUTCOME) == 2


def test_a_case_is_not_reopened_beside_another_of_its_place(office: Office) -> None:
    case = ended(office)
    other = office.case_of(office.complain(FIRST, at=NOON + 2 * DAY, by=reporter(2)))
    with pytest.raises(PlaceTaken, match=other.key):
        casework.reopen(
            case.key, why="It goes on.", version=case.version, desk=office.desk, at=NOON + 3 * DAY, actor="a"
        )


def watching(office: Office) -> None:
    """The edition has a clock for the watch after a fix."""
    [edition] = office.desk.editions
    clock = dataclasses.replace(edition.clock("measure.lifetime"), id="case.watch")
    assert clock.length == 7 * DAY
    office.desk = dataclasses.replace(
        office.desk, editions=(dataclasses.replace(edition, clocks=(*edition.clocks, clock)),)
    )


def test_a_fixed_case_is_watched_where_the_edition_says_so_and_counts_meanwhile(office: Office) -> None:
    watching(office)
    case = ended(office)
    assert (case.state, case.outcome, case.watched_until) == (
        CaseState.MONITORED,
        CaseOutcome.FIXED,
        NOON + HOUR + 7 * DAY,
    )
    assert len(strikes_of("acct-1", group=case.group, since=NOON - DAY)) == 1
    assert LetterKind.OUTCOME not in office.kinds_to(reporter().address)
    office.follow(at=NOON + 7 * DAY)
    assert office.fresh(case.key).state is CaseState.MONITORED
    office.follow(at=NOON + HOUR + 7 * DAY)
    assert office.fresh(case.key).state is CaseState.CLOSED
    office.post(at=NOON + 8 * DAY)
    assert office.kinds_to(reporter().address).count(LetterKind.OUTCOME) == 1


def test_what_comes_again_has_a_case_of_its_own_and_nobody_is_told_of_an_end_meanwhile(office: Office) -> None:
    watching(office)
    case = ended(office)
    again = office.case_of(office.complain(FIRST, at=NOON + 2 * DAY, by=reporter(2)))
    assert again.key != case.key
    office.post(at=NOON + 2 * DAY)
    office.follow(at=NOON + 9 * DAY)
    assert office.fresh(case.key).state is CaseState.MONITORED
    office.answer(office.fresh(again.key), Answer.FIXED, at=NOON + 2 * DAY)
    office.follow(at=NOON + 2 * DAY)
    office.follow(at=NOON + 10 * DAY)
    assert {office.fresh(c.key).state for c in (case, again)} == {CaseState.CLOSED}


def test_a_matter_that_is_sealed_is_sealed_in_every_part(office: Office) -> None:
    case = two_addresses(office)
    assert case.resource == FIRST
    new = split_off(office, case, FIRST)
    assert (new.resource, office.fresh(case.key).resource) == (FIRST, SECOND)
    merge(office, new, case)
    [report] = [r for r in map(office.report, reports_of(case)) if r.incidents[0].allegation.offender == FIRST]
    complaint.seal_by_hand(report.key, desk=office.desk, at=NOON + DAY, actor="eve")
    for key in (case.key, new.key):
        assert office.fresh(key).resource == "sealed"
        assert office.fresh(key).decides is Role.COUNSEL
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON
    with pytest.raises(CannotMerge):
        parting.part(new.key, why="Apart.", desk=office.desk, at=NOON + DAY, actor="ana")


def test_a_snoozed_case_is_in_sight_again_as_soon_as_something_happens(office: Office) -> None:
    case = office.warned(FIRST, at=NOON)
    for wakes in ("a report", "an answer"):
        fresh = office.fresh(case.key)
        work.snooze(case.key, until=NOON + 2 * DAY, why="", version=fresh.version, at=NOON + HOUR, actor="ana")
        assert office.fresh(case.key).snoozed_until is not None
        if wakes == "a report":
            office.complain(SECOND, at=NOON + HOUR, by=reporter(2))
        else:
            office.answer(case, Answer.DISPUTE, at=NOON + HOUR)
        assert office.fresh(case.key).snoozed_until is None, wakes
