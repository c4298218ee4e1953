"""What travels to the judge of a report's worth, and the flood that raises an alarm instead of a measure."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import pytest

from tests.procedures.office import HOUR, NOON, Office, reporter, spam_report
from tipstaff.cases.queries import notes_of
from tipstaff.intake.models import ReportRow
from tipstaff.intake.queries import origin_of, reporter_record
from tipstaff.intake.trust.found import MailAuthentication
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import casework, complaint
from tipstaff.procedures.handing_in import hand_in_form
from tipstaff.procedures.trust import FLOOD, Belief, was_flooded
from tipstaff.web.public.report_form import _report
from tipstaff.web.public.views import OUTCOMES
from tipstaff.words import CaseState, Channel, EvidenceGrade, Report, ReportOutcome

ADDRESS = "192.0.2.77"


def judged(report: Report) -> Mapping[str, object]:
    return next(e.detail for e in entries_about(report.key) if e.what == "incident.judged")


def test_the_evidence_and_the_reporters_record_are_on_record_with_the_judgement(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    facts = judged(office.complain(ADDRESS, at=NOON))
    assert (facts["evidence"], facts["reporter"], facts["flooding"]) == (EvidenceGrade.ESTABLISHED, [0, 0], False)
    assert facts["authenticated"] is None, "nothing is looked up unless the operator says so"


def test_what_a_person_refused_counts_against_its_reporter_only(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    office.complain(ADDRESS, at=NOON, by=reporter(1))
    case = office.cases()[0]
    casework.close_not_upheld(
        case.key, why="It was not so.", version=case.version, desk=office.desk, at=NOON + HOUR, actor="ada"
    )
    later = NOON + 2 * HOUR
    assert reporter_record(reporter(1).address, before=later) == (0, 1)
    assert reporter_record(reporter(2).address, before=later) == (0, 0)
    report = office.complain(ADDRESS, at=later, by=reporter(1))
    allegation = report.incidents[0].allegation
    assert Belief(report, desk=office.desk).trust(allegation, customer=None).reporter_overturned == 1


def test_a_flood_from_strangers_raises_an_alarm_and_no_measure_follows_by_the_clock(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    office.desk = dataclasses.replace(office.desk, flood_hourly=20)
    for n in range(20):
        office.complain(ADDRESS, at=NOON + timedelta(seconds=n), by=reporter(n), happened=NOON - n * HOUR)
    [case] = office.cases()
    assert [e.what for e in entries_about(case.key)].count(FLOOD) == 1
    assert "may be forged" in notes_of(case.key)[0].text
    office.post(at=NOON + HOUR)
    office.deadlines(at=NOON + timedelta(days=30))
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON
    assert list(office.measures(case)) == []


def test_the_same_number_over_days_is_no_flood(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    office.desk = dataclasses.replace(office.desk, flood_hourly=20)
    for n in range(20):
        office.complain(ADDRESS, at=NOON + n * HOUR, by=reporter(n), happened=NOON - HOUR)
    assert not any(e.what == FLOOD for case in office.cases() for e in entries_about(case.key))


def test_mails_that_their_domain_disowns_make_a_flood_sooner(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    disowned = MailAuthentication(vouched=False, domain="example.org", dmarc="fail", by="dns")
    office.desk = dataclasses.replace(office.desk, flood_hourly=20, authenticate=lambda raw, peer, sender: disowned)
    for n in range(4):
        office.complain(ADDRESS, at=NOON + timedelta(seconds=n), by=reporter(n), happened=NOON - n * HOUR)
    [case] = office.cases()
    assert any(e.what == FLOOD for e in entries_about(case.key))


def test_a_reporter_whom_the_domain_disowns_has_no_good_record(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    disowned = MailAuthentication(vouched=False, domain="example.org", dmarc="fail", by="dns")
    office.desk = dataclasses.replace(office.desk, authenticate=lambda raw, peer, sender: disowned)
    report = office.complain(ADDRESS, at=NOON)
    assert origin_of(report.key) == ("", False, True)
    assert judged(report)["authenticated"] is False


def test_the_address_that_handed_a_mail_over_reaches_whoever_checks_it(office: Office) -> None:
    seen: list[tuple[str, str]] = []

    def note(raw: bytes, peer: str, sender: str) -> MailAuthentication | None:
        seen.append((peer, sender))
        return None

    office.desk = dataclasses.replace(office.desk, authenticate=note)
    key = complaint.accept(
        b"From: a@example.org\r\nSubject: Spam from 192.0.2.1\r\n\r\nSpam from 192.0.2.1.\r\n",
        sender="a@example.org",
        recipients=("abuse@operator.example.net",),
        channel=Channel.SMTP,
        desk=office.desk,
        at=NOON,
        peer="198.51.100.9",
    )
    complaint.understand(key, desk=office.desk, at=NOON)
    assert seen == [("198.51.100.9", "a@example.org")]


def vouched_for(domain: str) -> MailAuthentication:
    return MailAuthentication(vouched=True, domain=domain, dmarc="pass", by="dns")


def checked_as(office: Office, found: MailAuthentication | None) -> None:
    office.desk = dataclasses.replace(office.desk, authenticate=lambda raw, peer, sender: found)


def by_form(office: Office, contact: str, *, port: int, nonce: str) -> Report:
    said, trouble = _report({
        "kind": "connection/login_attack", "offender": ADDRESS, "port": str(port), "when": "2026-05-04T11:00",
        "zone": "+00:00", "evidence": f"Failed password for root from {ADDRESS}", "mail": contact, "reference": "",
    })  # fmt: skip
    assert not trouble
    key = hand_in_form(said, nonce=nonce, desk=office.desk, at=NOON, peer="203.0.113.200", queue_max=100)
    complaint.understand(key, desk=office.desk, at=NOON)
    return office.report(key)


@pytest.mark.parametrize("contact", [reporter(1).address, ""])
def test_the_form_tells_nobody_whether_somebody_else_complained(office: Office, contact: str) -> None:
    """By the same address, host, port and hour: what another's report comes to, and no address at all."""
    office.admit("acct-1", ADDRESS)
    first = by_form(office, contact, port=40001, nonce="first")
    other = by_form(office, "nobody@elsewhere.example.org", port=40001, nonce="other")
    again = by_form(office, contact, port=40001, nonce="again")
    assert [x.outcome for x in (first, other, again)] == [ReportOutcome.FORWARDED] * 3
    assert OUTCOMES[ReportOutcome.DUPLICATE] == OUTCOMES[ReportOutcome.FORWARDED]


def test_a_mail_is_told_twice_only_by_whom_it_is_shown_to_be_from(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    own = reporter(1).address.rpartition("@")[2]
    outcomes = []
    for n, found in enumerate([vouched_for(own), vouched_for("evil.example.org"), vouched_for(own)]):
        checked_as(office, found)
        raw = spam_report(ADDRESS, at=NOON, by=reporter(1), happened=NOON - HOUR)
        raw = raw.replace(b"Subject:", f"X-Turn: {n}\r\nSubject:".encode(), 1)
        outcomes.append(office.take_in(raw, at=NOON, sender=reporter(1).address).outcome)
    assert outcomes == [ReportOutcome.FORWARDED, ReportOutcome.FORWARDED, ReportOutcome.DUPLICATE]


def test_a_record_is_neither_borrowed_nor_spoilt(office: Office) -> None:
    """Another domain's mail that names a known reporter to answer to, and a form with their address."""
    office.admit("acct-1", ADDRESS)
    own = reporter(1).address.rpartition("@")[2]
    checked_as(office, vouched_for(own))
    office.complain(ADDRESS, at=NOON, by=reporter(1), happened=NOON - HOUR)
    case = office.cases()[0]
    casework.close_not_upheld(
        case.key, why="It was not so.", version=case.version, desk=office.desk, at=NOON + HOUR, actor="ada"
    )
    later = NOON + 2 * HOUR

    def overturned(report: Report) -> int:
        return Belief(report, desk=office.desk).trust(report.incidents[0].allegation, customer=None).reporter_overturned

    assert overturned(office.complain(ADDRESS, at=later, by=reporter(1), happened=later - HOUR / 2)) == 1
    checked_as(office, vouched_for("evil.example.org"))
    borrowed = office.complain(ADDRESS, at=later + HOUR, by=reporter(1), happened=NOON + HOUR)
    assert overturned(borrowed) == 0
    assert overturned(by_form(office, reporter(1).address, port=40001, nonce="form")) == 0
    second = office.fresh(borrowed.incidents[0].case or "")
    casework.close_not_upheld(
        second.key, why="It was not so.", version=second.version, desk=office.desk, at=later + 2 * HOUR, actor="ada"
    )
    # Their own second is refused with it; the borrowed one is not theirs.
    assert reporter_record(reporter(1).address, before=later + 3 * HOUR) == (0, 2)


def test_strangers_of_throwaway_domains_make_a_flood_and_known_reporters_none(office: Office) -> None:
    office.desk = dataclasses.replace(office.desk, flood_hourly=5)
    office.admit("acct-1", ADDRESS)
    for n in range(6):
        checked_as(office, vouched_for(reporter(n).address.rpartition("@")[2]))
        office.complain(ADDRESS, at=NOON + timedelta(seconds=n), by=reporter(n), happened=NOON - n * HOUR)
    [case] = office.cases()
    assert was_flooded(case.key)
    ReportRow.objects.update(outcome=ReportOutcome.FIXED)
    office.admit("acct-2", "192.0.2.78")
    later = NOON + 48 * HOUR
    for n in range(6):
        checked_as(office, vouched_for(reporter(n).address.rpartition("@")[2]))
        office.complain("192.0.2.78", at=later + timedelta(seconds=n), by=reporter(n), happened=later - n * HOUR)
    [known] = [x for x in office.cases() if x.customer == "acct-2"]
    assert not was_flooded(known.key), "many who were right before are no flood"
