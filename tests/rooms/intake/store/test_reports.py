"""Reports and incidents as the doors of the intake room give them back."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from itertools import count

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from tipstaff.intake import operations, queries
from tipstaff.intake.models import IncidentRow, ReportRow
from tipstaff.intake.rows import storable, storable_allegation
from tipstaff.intake.teller import Teller
from tipstaff.ledger.queries import entries_about
from tipstaff.words import (
    Allegation,
    Channel,
    Evidence,
    Incident,
    Moment,
    Reading,
    ReadingOutcome,
    ReadingReason,
    Report,
    Reporter,
    ReportOutcome,
)

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SOURCE = ip_address("192.0.2.7")


def evidence(text: str, *, at: datetime = NOON, sender: str = "abuse@example.org", sealed: bool = False) -> Evidence:
    return Evidence(
        digest=sha256(text.encode()).hexdigest(),
        size=len(text),
        received_at=at,
        channel=Channel.LMTP,
        sender=sender,
        recipients=("abuse@example.net",),
        sealed=sealed,
    )


def complaint(allegations: Iterable[Allegation], *, reporter: Reporter | None = None) -> Reading:
    return Reading(
        outcome=ReadingOutcome.COMPLAINT,
        reason=ReadingReason.UNDERSTOOD,
        allegations=tuple(allegations),
        reporter=reporter or Reporter(),
        parser="arf",
    )


def opened(text: str, *, at: datetime = NOON, sender: str = "abuse@example.org", sealed: bool = False) -> str:
    return operations.open_report(evidence(text, at=at, sender=sender, sealed=sealed), at=at, actor="intake")


def read(
    text: str, *allegations: Allegation, at: datetime = NOON, reporter: Reporter | None = None
) -> tuple[str, tuple[Incident, ...]]:
    key = opened(text, at=at)
    reading = complaint(allegations, reporter=reporter)
    return key, operations.store_reading(key, reading=reading, at=at, actor="worker")


def found(search: str) -> list[str]:
    return [report.key for report in queries.list_reports(search=search)]


def whole(key: str) -> Report:
    report = queries.get_report(key)
    assert report is not None
    return report


# Reading and keeping


def test_the_same_bytes_open_one_report() -> None:
    first, second = opened("a mail"), opened("a mail")
    assert first == second
    assert [entry.what for entry in entries_about(first)] == ["report.opened"]


def test_a_report_is_unread_until_it_is_read() -> None:
    first, second = opened("one"), opened("two")
    assert queries.unread(limit=9) == [first, second]
    assert whole(first).reading is None
    operations.store_reading(first, reading=complaint([Allegation(type="messaging/spam")]), at=NOON, actor="worker")
    assert queries.unread(limit=9) == [second]


def test_a_second_reading_changes_nothing() -> None:
    key, incidents = read("a mail", Allegation(type="messaging/spam", source=SOURCE))
    operations.set_incident(
        incidents[0].key, outcome=ReportOutcome.FORWARDED, reason="", case="C-000001", at=NOON, actor="worker"
    )
    before = whole(key)
    other = complaint([Allegation(type="connection/ddos"), Allegation(type="connection/ddos")])
    again = operations.store_reading(key, reading=other, at=NOON + timedelta(days=1), actor="worker")
    assert again == before.incidents
    assert whole(key) == before
    assert [entry.what for entry in entries_about(key)].count("report.read") == 1


texts = st.text(max_size=40)
ports = st.none() | st.integers(0, 65535)
moments = st.builds(
    Moment,
    st.datetimes(timezones=st.just(UTC)),
    st.floats(0, 1e9),
    zone_stated=st.booleans(),
)
allegations = st.builds(
    Allegation,
    type=texts,
    source=st.none() | st.ip_addresses(),
    source_port=ports,
    url=st.none() | texts,
    domain=st.none() | texts,
    protocol=st.none() | texts,
    target=st.none() | texts,
    target_port=ports,
    moment=st.none() | moments,
    excerpt=texts,
    work=st.none() | texts,
    claimant=st.none() | texts,
    confidence=st.floats(0, 1),
)
numbers = count()
reporters = st.builds(Reporter, address=texts, name=texts, reference=texts, message_id=texts, subject=texts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(allegations.map(storable_allegation), max_size=4), reporters)
def test_what_was_read_is_what_stands_on_record(given: list[Allegation], reporter: Reporter) -> None:
    clean = Reporter(**{name: storable(getattr(reporter, name)) for name in Reporter.__slots__})
    reading = complaint(given, reporter=clean)
    key = opened(f"mail {next(numbers)}")
    incidents = operations.store_reading(key, reading=reading, at=NOON, actor="worker")
    report = whole(key)
    assert report.reading == reading
    assert report.incidents == incidents
    assert [incident.allegation for incident in incidents] == given
    assert report.incident_total == len(given)
    assert [incident.key for incident in incidents] == [f"{key}.{n}" for n in range(1, len(given) + 1)]


def test_what_no_column_holds_is_put_on_record_without_it() -> None:
    hostile = Allegation(
        type="messaging/spam",
        source=IPv6Address("fe80::1%eth0"),
        source_port=99999,
        url="http://bad.example.net/\x00\ud800",
        moment=Moment(datetime.min.replace(tzinfo=UTC), 1.0),
    )
    _, (incident,) = read("a hostile mail", hostile, reporter=Reporter(subject="a\x00b\udcff"))
    kept = whole(incident.key.partition(".")[0])
    assert kept.incidents[0].allegation == replace(
        hostile, source=IPv6Address("fe80::1"), source_port=None, url="http://bad.example.net/\ufffd\ufffd"
    )
    assert kept.reading is not None
    assert kept.reading.reporter.subject == "a\ufffdb\ufffd"


def test_very_long_names_can_be_stored() -> None:
    long = "x" * 50_000
    allegation = Allegation(type="content/phishing", url=f"http://{long}.example.net/{long}", domain=f"{long}.example")
    key, _ = read("long", allegation, reporter=Reporter(address=long, reference=long, message_id=long))
    assert whole(key).incidents[0].allegation == allegation


def test_of_a_sealed_reading_only_outcome_and_reason_are_kept() -> None:
    key = opened("material")
    sealed = Reading(
        outcome=ReadingOutcome.SEALED,
        reason=ReadingReason.CHILD_ABUSE,
        allegations=(Allegation(type="content/csam", source=SOURCE, excerpt="words"),),
        reporter=Reporter(address="hotline@example.org", subject="words"),
        parser="xarf",
        detail="words",
    )
    assert operations.store_reading(key, reading=sealed, at=NOON, actor="worker") == ()
    report = whole(key)
    assert report.outcome is ReportOutcome.SEALED
    assert report.reading == Reading(outcome=ReadingOutcome.SEALED, reason=ReadingReason.CHILD_ABUSE)
    assert report.sender == ""
    assert "words" not in str(ReportRow.objects.values_list().get()) + str(entries_about(key))
    assert not IncidentRow.objects.exists()


def test_sealing_a_report_forgets_what_was_read_of_it() -> None:
    words = Allegation(type="content/phishing", source=SOURCE, url="http://words.example.net/", excerpt="words")
    key, (joined, _) = read("a mail", words, words, reporter=Reporter(address="words@example.com", subject="words"))
    operations.set_incident(
        joined.key, outcome=ReportOutcome.FORWARDED, reason="", case="C-000001", at=NOON, actor="worker"
    )
    operations.set_report(key, outcome=ReportOutcome.SEALED, reason="CHILD_ABUSE", at=NOON, actor="lena")
    report = whole(key)
    assert report.reading is not None
    assert (report.reading.outcome, report.reading.reporter) == (ReadingOutcome.SEALED, Reporter())
    assert [(i.key, i.allegation, i.case) for i in report.incidents] == [
        (joined.key, Allegation(type="content/phishing"), "C-000001")
    ]
    stored = str(ReportRow.objects.values_list().get()) + str(list(IncidentRow.objects.values_list()))
    assert "words" not in stored + str(entries_about(key))
    assert str(SOURCE) not in stored


def test_a_report_sealed_before_it_was_read_is_not_read() -> None:
    key = opened("a mail")
    operations.set_report(key, outcome=ReportOutcome.SEALED, reason="CHILD_ABUSE", at=NOON, actor="lena")
    assert queries.unread(limit=9) == []
    assert operations.store_reading(key, reading=complaint([Allegation(type="x/y")]), at=NOON, actor="worker") == ()


def test_sealed_evidence_is_never_among_the_unread() -> None:
    key = opened("material", sealed=True)
    assert queries.unread(limit=9) == []
    assert operations.store_reading(key, reading=complaint([Allegation(type="x/y")]), at=NOON, actor="worker") == ()
    assert whole(key).outcome is ReportOutcome.SEALED
    with pytest.raises(operations.SealedStaysSealed):
        operations.set_report(key, outcome=ReportOutcome.FIXED, reason="", at=NOON, actor="lena")


def test_ten_thousand_incidents_of_one_mail_are_kept_in_batches(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    key = opened("many")
    reading = complaint(Allegation(type="connection/infected_host", source=ip_address(n)) for n in range(1, 10_001))
    with django_assert_max_num_queries(2 * 10_000 // operations.BATCH + 20):
        incidents = operations.store_reading(key, reading=reading, at=NOON, actor="worker")
    assert len(incidents) == 10_000
    listed = queries.list_reports()[0]
    assert (len(listed.incidents), listed.incident_total) == (queries.SHOWN_IN_LISTS, 10_000)
    keys = [incident.key for incident in incidents]
    with django_assert_max_num_queries(12):
        operations.set_incidents(keys, outcome=ReportOutcome.NOT_OURS, reason="x", at=NOON, actor="worker")
    assert whole(key).outcome is ReportOutcome.NOT_OURS
    entry = next(entry for entry in entries_about(key) if entry.what == "incident.decided")
    assert entry.detail["incidents"] == "1-10000"


def test_what_a_person_says_takes_the_place_of_what_a_reader_guessed() -> None:
    reporter = Reporter(address="desk@example.com")
    key, (guessed,) = read("unsure", Allegation(type="messaging/spam"), reporter=reporter)
    operations.set_report(key, outcome=ReportOutcome.WITH_A_PERSON, reason="UNSURE", at=NOON, actor="worker")
    said = [Allegation(type="connection/ddos", source=SOURCE), Allegation(type="connection/ddos")]
    incidents = operations.replace_reading(key, allegations=said, at=NOON, actor="lena")
    report = whole(key)
    assert [incident.key for incident in incidents] == [f"{key}.2", f"{key}.3"]
    assert queries.get_incident(guessed.key) is None
    assert report.incidents == queries.list_reports()[0].incidents == incidents
    assert report.reading is not None
    assert (report.reading.reporter, report.reading.parser) == (reporter, "person")
    assert (report.outcome, report.outcome_reason) == (ReportOutcome.RECEIVED, "")
    operations.set_incident(
        incidents[0].key, outcome=ReportOutcome.FORWARDED, reason="", case="C-000001", at=NOON, actor="worker"
    )
    with pytest.raises(operations.AlreadyInACase):
        operations.replace_reading(key, allegations=said, at=NOON, actor="lena")


def test_a_person_cannot_replace_a_sealed_reading_or_say_nothing() -> None:
    sealed, unread = opened("material", sealed=True), opened("a mail")
    with pytest.raises(operations.SealedStaysSealed):
        operations.replace_reading(sealed, allegations=[Allegation(type="x/y")], at=NOON, actor="lena")
    with pytest.raises(ValueError, match="set the report aside"):
        operations.replace_reading(unread, allegations=[], at=NOON, actor="lena")


# What became of it


def test_a_report_follows_its_incidents() -> None:
    key, (first, second) = read("a mail", Allegation(type="messaging/spam"), Allegation(type="messaging/spam"))
    assert whole(key).outcome is ReportOutcome.RECEIVED
    for incident, outcome, expected in (
        (first, ReportOutcome.FORWARDED, ReportOutcome.RECEIVED),
        (second, ReportOutcome.NOT_OURS, ReportOutcome.FORWARDED),
        (first, ReportOutcome.FIXED, ReportOutcome.FIXED),
    ):
        operations.set_incident(incident.key, outcome=outcome, reason="R", case=None, at=NOON, actor="worker")
        assert whole(key).outcome is expected
    assert whole(key).outcome_reason == "R"


def test_a_report_whose_outcome_was_set_no_longer_follows() -> None:
    key, (incident,) = read("a mail", Allegation(type="messaging/spam"))
    operations.set_report(key, outcome=ReportOutcome.SET_ASIDE, reason="not a complaint", at=NOON, actor="lena")
    operations.set_incident(incident.key, outcome=ReportOutcome.FIXED, reason="", case=None, at=NOON, actor="worker")
    report = whole(key)
    assert (report.outcome, report.outcome_reason) == (ReportOutcome.SET_ASIDE, "not a complaint")


def test_saying_the_same_twice_leaves_one_entry() -> None:
    key, (incident,) = read("a mail", Allegation(type="messaging/spam"))
    for _ in range(2):
        operations.set_incident(
            incident.key, outcome=ReportOutcome.FORWARDED, reason="", case="C-000001", at=NOON, actor="worker"
        )
        operations.set_report(key, outcome=ReportOutcome.FORWARDED, reason="", at=NOON, actor="lena")
    assert [entry.what for entry in entries_about(key)] == [
        "report.opened",
        "report.read",
        "incident.decided",
        "report.decided",
    ]
    decided = entries_about(incident.key)[-1]
    assert decided.about == (incident.key, key, "C-000001")


def test_what_is_no_complaint_is_set_aside_with_its_reason() -> None:
    key = opened("out of office")
    reading = Reading(outcome=ReadingOutcome.NOT_A_COMPLAINT, reason=ReadingReason.AUTO_REPLY)
    operations.store_reading(key, reading=reading, at=NOON, actor="worker")
    report = whole(key)
    assert (report.outcome, report.outcome_reason) == (ReportOutcome.SET_ASIDE, "AUTO_REPLY")
    assert queries.count_by_outcome() == {ReportOutcome.SET_ASIDE: 1}


def test_ranges_are_short_and_exact() -> None:
    assert operations.ranges([]) == ""
    assert operations.ranges([1, 2, 3, 7, 9, 10]) == "1-3 7 9-10"


@pytest.mark.parametrize("key", ["R-999999.1", "R-999999", "", "nonsense.x"])
def test_an_unknown_incident_is_refused_in_words(key: str) -> None:
    with pytest.raises(operations.NoSuchReport):
        operations.set_incident(key, outcome=ReportOutcome.FIXED, reason="", case=None, at=NOON, actor="worker")
    assert queries.get_incident(key) is None


def test_a_case_sees_only_its_own_incidents() -> None:
    key, (mine, _) = read(
        "a mail",
        Allegation(type="messaging/spam", source=SOURCE),
        Allegation(type="messaging/spam", source=ip_address("192.0.2.8")),
    )
    operations.set_incident(
        mine.key, outcome=ReportOutcome.FORWARDED, reason="", case="C-000001", at=NOON, actor="worker"
    )
    (report,) = queries.reports_of_case("C-000001")
    assert report.key == key
    assert [incident.key for incident in report.incidents] == [mine.key]
    assert report.reading is not None
    assert [allegation.source for allegation in report.reading.allegations] == [SOURCE]
    assert report.incident_total == 2


# Finding


def test_a_report_is_found_by_all_that_a_person_may_have_in_hand() -> None:
    key, (incident,) = read(
        "wanted",
        Allegation(type="content/phishing", source=ip_address("2001:db8::7"), url="http://www.Login.example.net/a?b"),
        reporter=Reporter(address="desk@example.com", reference="T-77", message_id="<1@example.com>"),
    )
    operations.set_incident(
        incident.key, outcome=ReportOutcome.FORWARDED, reason="", case="C-000009", at=NOON, actor="worker"
    )
    read("another", Allegation(type="content/phishing", source=SOURCE, domain="notexample.net"))
    for search in (
        key,
        key.lower(),
        incident.key,
        "C-000009",
        "2001:db8::7",
        "2001:DB8:0::7",
        "2001:db8::/64",
        "login.example.net",
        "example.net.",
        "http://www.Login.example.net/a?b",
        "desk@example.com",
        " T-77 ",
        "<1@example.com>",
    ):
        assert found(search) == [key], search
    assert len(found("abuse@example.org")) == 2
    assert found("192.0.2.0/24") != [key]
    for search in ("R-999999", "192.0.2.200", "ample.net", "%", "'", "\x00", "198.51.100.0/24"):
        assert found(search) == [], search


def test_a_list_is_of_one_outcome_and_newest_first() -> None:
    keys = [opened(f"mail {n}") for n in range(3)]
    operations.set_report(keys[1], outcome=ReportOutcome.NOT_OURS, reason="", at=NOON, actor="lena")
    listed = queries.list_reports(outcome=ReportOutcome.RECEIVED)
    assert [report.key for report in listed] == [keys[2], keys[0]]
    assert [report.key for report in queries.list_reports(limit=1)] == [keys[2]]
    assert queries.list_reports(outcome=ReportOutcome.NOT_OURS, search="abuse@example.org")[0].key == keys[1]


def test_a_report_is_found_by_its_evidence() -> None:
    key = opened("a mail")
    report = queries.report_of_evidence(evidence("a mail").digest)
    assert report is not None
    assert report.key == key


# The same again


HOUR = timedelta(hours=1)


def scan(*, minutes: float | None = 0, port: int | None = None, url: str | None = None) -> Allegation:
    moment = Moment(NOON + timedelta(minutes=minutes)) if minutes is not None else None
    return Allegation(type="connection/port_scan", source=SOURCE, source_port=port, url=url, moment=moment)


def test_the_same_event_is_known_again() -> None:
    _, (first,) = read("one", scan(minutes=0), at=NOON)
    _, (second,) = read("two", scan(minutes=30), at=NOON + 9 * HOUR)

    def earlier(allegation: Allegation, *, before: str | None = None) -> str | None:
        return queries.same_event(allegation, received_at=NOON + 9 * HOUR, within=HOUR, before=before)

    assert earlier(scan(minutes=30), before=second.key) == first.key
    assert earlier(scan(minutes=0), before=first.key) is None
    for other in (
        scan(minutes=61 + 30),
        scan(minutes=30, port=22),
        scan(minutes=30, url="http://example.net/"),
        replace(scan(), type="connection/ddos"),
        replace(scan(), source=None),
    ):
        assert earlier(other) is None


def test_the_same_event_told_by_others_is_told_apart() -> None:
    first, _ = read("one", scan(), at=NOON, reporter=Reporter(address="first@example.com"))
    second, (incident,) = read("two", scan(), at=NOON, reporter=Reporter(address="second@example.com"))
    third, _ = read("three", scan(), at=NOON)
    operations.set_incident(
        incident.key, outcome=ReportOutcome.FORWARDED, reason="", case="C-000001", at=NOON, actor="worker"
    )

    def earlier(*, reporter: str | None = None, in_a_case: bool = False) -> str | None:
        teller = Teller(report="R-none", address=reporter) if reporter is not None else None
        return queries.same_event(scan(), received_at=NOON, within=HOUR, teller=teller, in_a_case=in_a_case)

    assert earlier() == f"{first}.1"
    assert earlier(reporter="second@example.com") == f"{second}.1"
    assert earlier(reporter="abuse@example.org") == f"{third}.1"
    assert earlier(in_a_case=True) == f"{second}.1"
    assert earlier(reporter="first@example.com", in_a_case=True) is None


def test_without_a_stated_time_the_time_of_receipt_counts() -> None:
    _, (first,) = read("one", scan(minutes=None), at=NOON)
    assert queries.same_event(scan(minutes=None), received_at=NOON + HOUR, within=HOUR) == first.key
    assert queries.same_event(scan(minutes=5), received_at=NOON + HOUR, within=HOUR) == first.key
    assert queries.same_event(scan(minutes=None), received_at=NOON + 2 * HOUR, within=HOUR) is None


def test_a_time_at_the_end_of_the_calendar_is_no_error() -> None:
    late = Moment(datetime.max.replace(tzinfo=UTC))
    _, (first,) = read("one", replace(scan(), moment=late))
    assert queries.same_event(replace(scan(), moment=late), received_at=NOON, within=HOUR) == first.key


@pytest.mark.django_db(transaction=True)
def test_two_workers_who_read_one_report_at_once_put_one_reading_on_record() -> None:
    key = opened("raced")
    all_ready = threading.Barrier(4)

    def read_it(n: int) -> tuple[Incident, ...]:
        try:
            allegation = Allegation(type="messaging/spam", excerpt=f"worker {n}")
            all_ready.wait(60)
            return operations.store_reading(key, reading=complaint([allegation]), at=NOON, actor=f"worker {n}")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        readings = set(workers.map(read_it, range(4)))
    assert readings == {whole(key).incidents}
    assert [entry.what for entry in entries_about(key)].count("report.read") == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_bytes_at_once_open_one_report() -> None:
    all_ready = threading.Barrier(4)

    def open_it(n: int) -> str:
        try:
            all_ready.wait(60)
            return opened("raced")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as workers:
        (key,) = set(workers.map(open_it, range(4)))
    assert [entry.what for entry in entries_about(key)] == ["report.opened"]
    assert queries.unread(limit=9) == [key]
