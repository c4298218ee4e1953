"""What travels to the judge of a report's worth, and the flood that raises an alarm instead of a measure."""

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

from tests.procedures.office import HOUR, NOON, Office, reporter
from tipstaff.cases.queries import notes_of
from tipstaff.intake.queries import origin_of, reporter_record
from tipstaff.intake.trust.found import MailAuthentication
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import casework, complaint
from tipstaff.procedures.trust import FLOOD, Belief
from tipstaff.words import CaseState, Channel, EvidenceGrade, Report

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
