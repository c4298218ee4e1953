"""To whom a complaint is passed on, and to whom never."""

import dataclasses
from datetime import date, timedelta
from ipaddress import ip_address

import pytest

from tests.procedures.office import DAY, HOUR, MOVED_IN, NOON, Office, reporter, spam_report
from tipstaff.attribution.match import Question
from tipstaff.intake.operations import set_incidents
from tipstaff.intake.queries import get_report
from tipstaff.ledger.queries import entries_about
from tipstaff.notices.queries import list_letters
from tipstaff.procedures import complaint
from tipstaff.procedures.judging import matters_of_case, offenders_of
from tipstaff.procedures.letters import hidden_from_customer
from tipstaff.procedures.lookup import Asked, who_held, who_held_them
from tipstaff.procedures.many import open_book
from tipstaff.registry.resources import hold_resource
from tipstaff.testing import story
from tipstaff.testing.story.mail import arf, mail, spam_sample
from tipstaff.words import (
    Allegation,
    Announcer,
    Answer,
    CaseOutcome,
    CaseState,
    Grade,
    HoldingKind,
    LetterKind,
    Moment,
    Reason,
    ReportOutcome,
    Resource,
    ResourceKind,
    Standing,
    Tier,
)

ADDRESS = "198.51.100.7"


def test_a_complaint_is_passed_on_to_its_holder_with_clause_and_deadline(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    report = office.complain(ADDRESS, at=NOON)
    assert report.outcome is ReportOutcome.FORWARDED
    office.post(at=NOON + timedelta(minutes=3))
    [notice] = office.letters_to("acct-1@customer.example.com")
    case = office.case_of(report)
    assert notice.kind is LetterKind.NOTICE
    assert case.state is CaseState.NOTIFIED
    assert case.due_at == NOON + timedelta(minutes=3) + DAY, "the clock runs from the handing over"
    assert notice.sent_at is not None
    assert ADDRESS in notice.body
    assert case.key in notice.body
    assert "Unsolicited bulk mail" in notice.body
    assert "5 May 2026" in notice.body, "by when"


def test_the_domain_of_who_complained_is_hidden_from_the_customer_also_without_their_address(office: Office) -> None:
    """Written backwards it is no host name, and the address that it belongs to is nowhere beside it."""
    office.admit("acct-1", ADDRESS)
    by = reporter()
    backwards = by.domain[::-1]
    sample = spam_sample(
        source=ADDRESS, helo="host.customer.example.com", received_by=f"mx.{by.domain}", at=NOON - HOUR,
        sender="prizes@sender.example.com", to="victim@victim.example.net", subject=f"You have won {backwards}",
        body="Answer today.",
    )  # fmt: skip
    fields = {"Feedback-Type": "abuse", "User-Agent": "SampleFBL/1", "Version": "1", "Source-IP": ADDRESS}
    raw = mail(arf(fields, sample=sample, words="A report."), sender=by, subject="Abuse report", at=NOON)
    report = office.take_in(raw, at=NOON, sender="relay@relay.example.net")
    assert by.domain in hidden_from_customer([report])
    office.post(at=NOON)
    [notice] = office.letters_to("acct-1@customer.example.com")
    assert "You have won" in notice.body, "the evidence is in the letter"
    assert not any(part in notice.body for part in (by.domain, backwards, "retroper", "reporter-1"))


def test_a_time_in_the_future_accuses_nobody_and_its_complainant_is_asked_for_another(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    report = office.complain(ADDRESS, at=NOON, happened=NOON + 2 * DAY)
    office.post(at=NOON)
    assert report.outcome is ReportOutcome.NEEDS_DETAIL
    assert report.incidents[0].reason == Reason.TIME_AHEAD
    assert office.cases() == []
    assert office.letters_to("acct-1@customer.example.com") == [], "whoever holds it now may have nothing to do with it"
    [asked] = office.letters
    assert (asked.to, asked.kind) == (reporter().address, LetterKind.NEEDS_DETAIL)
    assert "lies after we received your report" in " ".join(asked.body.split())
    assert "acct-1" not in asked.body

    [incident] = report.incidents
    right = dataclasses.replace(incident.allegation, moment=Moment(NOON - HOUR))
    complaint.correct_reading(report.key, allegations=(right,), desk=office.desk, at=NOON + HOUR, actor="ana")
    assert office.case_of(report).customer == "acct-1", "a person learned the time"


def test_a_clock_that_runs_ahead_a_little_is_believed(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    report = office.complain(ADDRESS, at=NOON, happened=NOON + timedelta(minutes=5))
    assert report.outcome is ReportOutcome.FORWARDED


def test_an_ambiguous_attribution_tells_no_customer_and_asks_the_complainant(office: Office) -> None:
    office.admit("acct-1")
    office.admit("acct-2")
    office.hold(ADDRESS, customer="acct-1", kind=HoldingKind.PORT_BLOCK, ports=(1024, 32767))
    office.hold(ADDRESS, customer="acct-2", kind=HoldingKind.PORT_BLOCK, ports=(32768, 65535))
    report = office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    assert report.outcome is ReportOutcome.NEEDS_DETAIL
    assert office.cases() == []
    [asked] = office.letters
    assert (asked.to, asked.kind) == (reporter().address, LetterKind.NEEDS_DETAIL)
    assert "port" in asked.body
    assert "acct-" not in asked.body

    with_port = office.complain(ADDRESS, at=NOON + HOUR, port=40_000)
    office.post(at=NOON + HOUR)
    assert office.case_of(with_port).customer == "acct-2"
    assert office.letters_to("acct-1@customer.example.com") == []


def test_an_address_that_changed_hands_in_the_hours_that_are_possible_names_nobody(office: Office) -> None:
    office.admit("acct-1")
    office.admit("acct-2")
    changed = NOON - 3 * HOUR
    office.hold(ADDRESS, customer="acct-1", kind=HoldingKind.LEASE, until=changed)
    office.hold(ADDRESS, customer="acct-2", kind=HoldingKind.LEASE, since=changed)
    at_the_change = office.complain(ADDRESS, at=NOON, happened=changed)
    office.post(at=NOON)
    assert at_the_change.outcome is ReportOutcome.NEEDS_DETAIL
    assert [letter.to for letter in office.letters] == [reporter().address]
    before = office.complain(ADDRESS, at=NOON, happened=changed - HOUR)
    assert office.case_of(before).customer == "acct-1"


def test_a_reseller_gets_the_letter_for_its_customer(office: Office) -> None:
    office.admit("acct-9", "198.51.100.0/28", is_reseller=True)
    office.admit("acct-10", ADDRESS, reseller="acct-9")
    report = office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    case = office.case_of(report)
    assert case.customer == "acct-9"
    assert office.kinds_to("acct-9@customer.example.com") == [LetterKind.NOTICE]
    assert office.letters_to("acct-10@customer.example.com") == []
    [judged] = [e for e in entries_about(report.key) if e.what == "incident.judged"]
    assert judged.detail["downstream"] == "acct-10", "whose customer it is stands on record"


def test_a_reseller_is_asked_about_its_customer_and_its_answer_ends_the_case(office: Office) -> None:
    office.admit("acct-9", "198.51.100.0/28", is_reseller=True)
    office.admit("acct-10", ADDRESS, reseller="acct-9")
    report = office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    case = office.case_of(report)
    [notice] = office.letters_to("acct-9@customer.example.com")
    asked = " ".join(notice.body.split())
    assert "a connection that you provide to a customer of yours" in asked
    assert "(acct-10)" in asked
    assert case.key in notice.body
    # The representative answers for their customer, and that is the end of it for everybody.
    answered = office.answer(case, Answer.FIXED, at=NOON + DAY, words="Our customer's server was cleaned.")
    office.follow(at=NOON + 60 * DAY)
    office.deadlines(at=NOON + 60 * DAY)
    office.post(at=NOON + 60 * DAY)
    ended = office.fresh(answered.key)
    assert (ended.state, ended.outcome) == (CaseState.CLOSED, CaseOutcome.FIXED)
    assert any(e.detail.get("words") == "Our customer's server was cleaned." for e in entries_about(case.key))
    told = [letter for letter in office.letters if letter.to == reporter().address]
    assert told[-1].kind is LetterKind.OUTCOME
    assert all("acct-" not in letter.body for letter in told)


def test_nobody_else_is_asked_about_customers_of_theirs(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    [notice] = office.letters_to("acct-1@customer.example.com")
    assert "customer of yours" not in notice.body


@pytest.mark.parametrize(
    ("standing", "representative", "reason"),
    [(Standing.TERMINATED, True, Reason.CUSTOMER_GONE), (Standing.GOOD, False, Reason.NO_REPRESENTATIVE)],
)
def test_where_nobody_can_be_told_a_person_decides(
    office: Office, standing: Standing, representative: bool, reason: Reason
) -> None:
    office.admit("acct-1", ADDRESS, standing=standing, representative=representative)
    report = office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    assert (report.outcome, report.incidents[0].reason) == (ReportOutcome.WITH_A_PERSON, reason)
    case = office.case_of(report)
    assert case.state is CaseState.WAITING_PERSON
    assert [letter.to for letter in office.letters] == [reporter().address]
    office.deadlines(at=NOON + 90 * DAY)
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON
    assert office.measures(case) == []


def test_our_own_space_that_nobody_held_goes_to_an_engineer_and_tells_nobody_else(office: Office) -> None:
    office.admit("acct-1", "198.51.100.8")
    report = office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    assert report.outcome is ReportOutcome.WITH_A_PERSON
    assert office.cases() == []
    assert [letter.to for letter in office.letters] == [reporter().address]


def test_a_complainant_at_the_wrong_door_hears_who_likely_holds_it(office: Office) -> None:
    likely = Announcer(64500, "SE", "EXAMPLE-TRANSIT", date(2026, 5, 1))
    office.desk = dataclasses.replace(office.desk, announcer_of=lambda address: likely)
    office.complain("203.0.113.9", at=NOON, by=reporter())
    office.post(at=NOON + HOUR)
    assert "203.0.113.9: AS64500 EXAMPLE-TRANSIT (SE), by routes of 2026-05-01" in " ".join(
        office.letters[-1].body.split()
    )
    # Routes that are ours or a customer's: then it is the registry that lacks something, and nobody is sent on.
    ours = Resource(kind=ResourceKind.ASN, name="AS64500", held_from=NOON - DAY, tier=Tier.OPERATOR)
    hold_resource(ours, at=NOON, actor="import")
    office.complain("203.0.113.10", at=NOON + HOUR, by=reporter(2))
    office.post(at=NOON + 2 * HOUR)
    assert (office.letters[-1].kind, office.letters[-1].to) == (LetterKind.NOT_OURS, reporter(2).address)
    assert "AS64500" not in office.letters[-1].body


def test_sealed_reports_never_become_a_case_a_job_or_a_letter(office: Office) -> None:
    for customer in story.customers():
        office.admit(customer.key)
    sealed = [t for t in story.complaints(NOON) if t.expected.report_outcome is ReportOutcome.SEALED]
    assert sealed
    for told in sealed:
        report = office.take_in(told.raw, at=NOON + told.at, sender=told.sender)
        assert report.outcome is ReportOutcome.SEALED
        assert report.incidents == ()
        assert report.sender == ""
    office.post(at=NOON + DAY)
    assert office.cases() == []
    assert office.letters == []
    assert office.asked == []


def test_a_person_who_recognises_what_the_sieve_let_pass_seals_it(office: Office) -> None:
    from tipstaff.procedures.complaint import correct_reading
    from tipstaff.words import Allegation

    office.admit("acct-1")
    raw = spam_report("203.0.113.9", at=NOON, by=reporter(), happened=NOON - HOUR)
    report = office.take_in(raw, at=NOON, sender=reporter().address)
    assert report.outcome is ReportOutcome.NOT_OURS
    correct_reading(
        report.key, allegations=(Allegation(type="content/csam", domain="www.example.org"),), desk=office.desk,
        at=NOON + HOUR, actor="ana",
    )  # fmt: skip
    fresh = get_report(report.key)
    assert fresh is not None
    assert (fresh.outcome, fresh.incidents, fresh.sender) == (ReportOutcome.SEALED, (), "")
    assert office.cases() == []


def test_four_hundred_reports_of_one_event_make_one_letter_to_the_customer(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    keys = set()
    for n in range(400):
        report = office.complain(
            ADDRESS, at=NOON + timedelta(seconds=n), by=reporter(n), happened=NOON - HOUR + timedelta(seconds=n)
        )
        keys.add(report.key)
    assert len(keys) == 400, "each keeps its own identity"
    [case] = office.cases()
    assert case.reports == 400
    letters = list_letters(limit=1000)
    assert [letter.kind for letter in letters if letter.to == "acct-1@customer.example.com"] == [LetterKind.NOTICE]
    assert len({letter.to for letter in letters}) == len(letters) == 401, "and each complainant has an answer"


def test_what_is_told_already_is_known_without_reading_every_report(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    office.hold("2001:db8:7::/48", customer="acct-1")
    for n, source in enumerate((ADDRESS, "2001:db8:7::a", "2001:0db8:0007:0::000A")):
        office.complain(source, at=NOON + timedelta(seconds=n), by=reporter(n), happened=NOON - HOUR)
    paged = office.complain("203.0.113.9", at=NOON + HOUR, by=reporter(9), happened=NOON - HOUR)
    page = Allegation(type="messaging/spam", url="http://shop.example.com/offer", source=ip_address(ADDRESS))
    complaint.replace_reading(paged.key, allegations=(page,), at=NOON + HOUR, actor="tests")
    set_incidents(
        [get_report(paged.key).incidents[0].key], outcome=ReportOutcome.FORWARDED, reason="JOINED",
        case=office.cases()[0].key, at=NOON + HOUR, actor="tests",
    )  # fmt: skip
    for case in office.cases():
        said = {matter.key: matter.conduct.offender for matter in matters_of_case(case.key)}
        assert said == offenders_of(case.key) != {}
    assert "http://shop.example.com/offer" in offenders_of(office.cases()[0].key).values()


def test_the_same_event_told_twice_by_one_reporter_is_a_duplicate_with_its_own_key(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    happened = NOON - HOUR
    first = office.complain(ADDRESS, at=NOON, happened=happened)
    again = office.complain(ADDRESS, at=NOON + HOUR, happened=happened, subject="Abuse report, second copy")
    other = office.complain(ADDRESS, at=NOON + HOUR, happened=happened, by=reporter(2))
    assert len({first.key, again.key, other.key}) == 3
    assert (again.outcome, again.incidents[0].reason) == (ReportOutcome.DUPLICATE, f"SAME_AS {first.incidents[0].key}")
    assert other.outcome is ReportOutcome.FORWARDED
    assert {office.case_of(r).key for r in (first, again, other)} == {office.case_of(first).key}
    assert office.case_of(first).reports == 2, "the second copy counts for nothing"
    told = {x.report: x.body for x in office.post(at=NOON + 2 * HOUR) if x.kind is LetterKind.ACKNOWLEDGEMENT}
    assert f"stands with {first.key}." in told[again.key].replace("\n", " ")
    assert "had told us" not in told[first.key] + told[other.key]


def test_the_same_octets_again_are_the_same_report(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    raw = spam_report(ADDRESS, at=NOON, by=reporter(), happened=NOON - HOUR)
    first = office.take_in(raw, at=NOON, sender=reporter().address)
    again = office.take_in(raw, at=NOON + HOUR, sender=reporter().address)
    assert again.key == first.key
    office.post(at=NOON + HOUR)
    assert len(office.letters_to(reporter().address)) == 1


def test_every_report_gets_a_reference_and_an_answer_with_its_outcome(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    office.admit("acct-2")
    office.hold("198.51.100.8", customer="acct-2", kind=HoldingKind.PORT_BLOCK, ports=(1024, 32767))
    said = {
        office.complain(ADDRESS, at=NOON, by=reporter(1)): LetterKind.ACKNOWLEDGEMENT,
        office.complain("203.0.113.9", at=NOON, by=reporter(2)): LetterKind.NOT_OURS,
        office.complain(ADDRESS, at=NOON, by=reporter(3), happened=NOON - 400 * DAY): LetterKind.TOO_OLD,
        office.complain("198.51.100.8", at=NOON, by=reporter(4)): LetterKind.NEEDS_DETAIL,
        office.complain("198.51.100.9", at=NOON, by=reporter(5)): LetterKind.ACKNOWLEDGEMENT,
    }
    office.post(at=NOON)
    for n, (report, kind) in enumerate(said.items(), 1):
        [letter] = office.letters_to(reporter(n).address)
        assert (letter.kind, letter.report) == (kind, report.key)
        assert report.key in letter.subject + letter.body
        if kind is LetterKind.ACKNOWLEDGEMENT:
            assert report.evidence in letter.body, "they can prove what they sent"


def test_a_letter_quotes_the_clause_in_its_readers_language(office: Office) -> None:
    office.admit("acct-1", ADDRESS, language="de")
    office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    [notice] = office.letters_to("acct-1@customer.example.com")
    assert "Unverlangte Massenpost" in notice.body
    assert "Verschicken Sie keine Massenpost" in notice.body
    assert "Leeren Sie" in notice.body or "leeren Sie" in notice.body, "what to do is told in German as well"
    assert "Unsolicited" not in notice.body.replace("“Unsolicited bulk mail”", "")


PROSE = "{}, host 198.51.100.7 attempted SSH brute force logins against our server."


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("On {:%Y-%m-%d}", "exact time"), ("On {:%d.%m.%Y}", "exact time"), ("On {:%d %B %Y}", "exact time"),
        ("Last month", "in UTC if you can"), ("Sunday 25 Oct", "in UTC if you can"),
        ("Time: garbled\n", "in UTC if you can"),
    ],
)  # fmt: skip
def test_a_stated_day_is_not_thrown_away_for_the_last_seven(office: Office, said: str, missing: str) -> None:
    office.admit("acct-1")
    office.admit("acct-2")
    changed = NOON - 26 * DAY
    office.hold(ADDRESS, customer="acct-1", kind=HoldingKind.LEASE, until=changed)
    office.hold(ADDRESS, customer="acct-2", kind=HoldingKind.LEASE, since=changed)
    raw = mail(PROSE.format(said.format(changed)), sender=reporter(), subject="SSH attack", at=NOON)
    report = office.take_in(raw, at=NOON, sender=reporter().address)
    office.post(at=NOON)
    assert report.outcome is ReportOutcome.NEEDS_DETAIL
    [judged] = [e for e in entries_about(report.key) if e.what == "incident.judged"]
    assert (judged.detail["grade"], judged.detail["customer"]) == ("ambiguous", None)
    assert office.cases() == []
    [asked] = office.letters
    assert (asked.to, asked.kind) == (reporter().address, LetterKind.NEEDS_DETAIL)
    assert missing in " ".join(asked.body.split())
    assert "acct-" not in asked.body


def test_without_any_time_the_holder_of_the_last_seven_days_is_told(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    raw = mail(PROSE.format("Again"), sender=reporter(), subject="SSH attack", at=NOON)
    report = office.take_in(raw, at=NOON, sender=reporter().address)
    assert report.outcome is ReportOutcome.FORWARDED
    assert office.case_of(report).customer == "acct-1"


def test_a_correction_that_leaves_the_time_out_does_not_make_an_unread_one_none(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    raw = mail(PROSE.format("Last month"), sender=reporter(), subject="SSH attack", at=NOON)
    report = office.take_in(raw, at=NOON, sender=reporter().address)
    [incident] = report.incidents
    as_typed = dataclasses.replace(incident.allegation, unread_time=None)
    complaint.correct_reading(report.key, allegations=(as_typed,), desk=office.desk, at=NOON, actor="ana")
    assert office.report(report.key).outcome is ReportOutcome.NEEDS_DETAIL
    assert office.cases() == []
    dated = dataclasses.replace(as_typed, moment=Moment(NOON - HOUR))
    complaint.correct_reading(report.key, allegations=(dated,), desk=office.desk, at=NOON, actor="ana")
    assert office.case_of(report).customer == "acct-1", "a person learned the time"


def test_a_correction_that_leaves_the_time_out_keeps_the_moment_that_was_stated(office: Office) -> None:
    """The address had another holder then: without the moment it would be laid on whoever has it now."""
    for account, since, until in (("acct-1", MOVED_IN, NOON - DAY), ("acct-2", NOON - DAY, None)):
        office.admit(account)
        office.hold(ADDRESS, customer=account, since=since, until=until)
    report = office.complain("203.0.113.9", at=NOON, happened=NOON - 2 * DAY)
    assert report.outcome is ReportOutcome.NOT_OURS
    stated = report.incidents[0].allegation.moment
    assert stated is not None
    as_typed = Allegation(type="messaging/spam", source=ip_address(ADDRESS))
    complaint.correct_reading(report.key, allegations=(as_typed,), desk=office.desk, at=NOON, actor="ana")
    [corrected] = office.report(report.key).incidents
    assert (corrected.allegation.source, corrected.allegation.moment) == (as_typed.source, stated)
    assert [case.customer for case in office.cases()] == ["acct-1"]


def test_a_resellers_row_over_somebody_elses_addresses_names_nobody(office: Office) -> None:
    office.admit("acct-9", "198.51.100.64/28", is_reseller=True)
    office.admit("acct-1", "198.51.100.64/29")
    office.admit("acct-10", "198.51.100.72/29", reseller="acct-9")
    at = Moment(NOON, 1.0)
    addresses = [ip_address(f"198.51.100.{n}") for n in (64, 71, 72, 79)]
    alone = [who_held(a, port=None, moment=at, received_at=NOON) for a in addresses]
    together = who_held_them([Asked(a, None, None, at) for a in addresses], received_at=NOON)
    book = open_book(at=NOON).attribute([Question(address=a, moment=at) for a in addresses], received_at=NOON)
    for one, of_many, of_all in zip(alone, together, book, strict=True):
        assert (one.grade, one.reason, one.customer) == (of_many.grade, of_many.reason, of_many.customer)
        assert (one.grade, one.reason, one.customer) == (of_all.grade, of_all.reason, of_all.customer)
    assert [(a.grade, a.customer) for a in alone] == [
        *[(Grade.CONTRADICTED, None)] * 2, *[(Grade.CONFIRMED, "acct-9")] * 2
    ]  # fmt: skip
    assert alone[2].downstream == "acct-10"
