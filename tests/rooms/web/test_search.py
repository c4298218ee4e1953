"""Everything is found by what it is, and what is sealed by nothing; each question has an index."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tipstaff import wiring
from tipstaff.cases import queries
from tipstaff.cases.operations import forget_matter, write_note
from tipstaff.cases.queries import list_cases
from tipstaff.host.newest import newest
from tipstaff.host.viewing import hiding
from tipstaff.intake import queries as intake
from tipstaff.intake.models import IncidentRow, ReportRow
from tipstaff.intake.queries import list_reports, reports_of_case
from tipstaff.notices import queries as notices
from tipstaff.notices.queries import letters_of_case
from tipstaff.procedures.searching import Found, find
from tipstaff.sensors.models import SightingRow
from tipstaff.words import Case, CaseState, ReportOutcome, Role

LogIn = Callable[..., Client]


def an_address() -> Case:
    return next(c for c in list_cases() if c.resource.count(".") == 3 and c.resource[-1].isdigit())


def look(text: str, at: datetime) -> Found:
    return find(text, limit=25, at=at)


def test_an_address_is_found_by_itself_by_a_prefix_around_it_and_by_who_holds_it(day: object, at: datetime) -> None:
    case = an_address()
    for text in (case.resource, f"{case.resource}/24", f"{case.resource}/16"):
        found = look(text, at)
        assert case.key in {c.key for c in found.cases}, text
        assert case.customer in {c.key for c in found.customers}, text
        assert found.reports, text
    assert look("203.0.113.254/32", at).cases == []


def test_a_wide_prefix_asks_no_more_questions_than_an_address(
    day: object, at: datetime, django_assert_max_num_queries: Callable[..., AbstractContextManager[object]]
) -> None:
    case = an_address()
    with CaptureQueriesContext(connection) as few:
        assert len(look(f"{case.resource}/32", at).customers) == 1
    with django_assert_max_num_queries(len(few) + 1):
        assert len(look(f"{case.resource}/12", at).customers) > 1


def test_a_prefix_that_contains_what_is_asked_is_found(day: object, at: datetime) -> None:
    case = an_address()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE cases_caserow SET resource = '198.51.100.0/24' WHERE key = %s", [case.key])
    assert [c.key for c in queries.find_resources(ip_network("198.51.100.77/32"), limit=5)] == [case.key]
    assert queries.find_resources(ip_network("198.51.101.77/32"), limit=5) == []


def test_words_of_reports_letters_notes_and_answers_are_found(day: object, at: datetime) -> None:
    case = next(c for c in list_cases(states=frozenset({CaseState.NOTIFIED})) if letters_of_case(c.key))
    write_note(case.key, text="Their engineer promised a rebuild on Thursday.", at=at, actor="lena")
    assert case.key in {c.key for c in look("engineer rebuild", at).cases}
    letter = letters_of_case(case.key)[0]
    assert letter.key in {x.key for x in look(f"{case.key} {letter.subject.split()[-1]}", at).letters}
    assert letter.message_id
    assert letter.key in {x.key for x in look(letter.message_id, at).letters}
    report = reports_of_case(case.key)[0]
    assert report.reading is not None
    if report.reading.reporter.message_id:
        assert report.key in {r.key for r in look(report.reading.reporter.message_id, at).reports}
    assert look("quantum marmalade", at) == Found(cases=[], reports=[], letters=[], customers=[])


def test_what_we_measured_ourselves_is_found_by_its_address_and_by_its_key(
    day: object, at: datetime, log_in: LogIn
) -> None:  # fmt: skip
    case, client = an_address(), log_in(Role.ANALYST)
    first, last = (
        SightingRow.objects.create(
            key=f"S-90000{n}", sensor="flows", name=str(n), digest=f"{n:064}", evidence="1" * 64, line=1, kind="x",
            case=case.key if n else None, received_at=at, moment_at=at, moment_error_seconds=1, source=case.resource,
        )
        for n in range(2)
    )  # fmt: skip
    for text in (case.resource, f"{case.resource}/16"):
        assert [m.key for m in look(text, at).sightings] == [last.key, first.key], text
    assert look("203.0.113.254/32", at).sightings == []
    assert client.get("/api/search", {"q": case.resource}).json()["sightings"] == [last.key, first.key]
    assert first.key in client.get("/console/search", {"q": case.resource}).content.decode()
    assert first.key in client.get("/console/search", {"q": first.key.lower()}, follow=True).content.decode()
    forget_matter(case.key, at=at, actor="lena")
    assert [m.key for m in look(case.resource, at).sightings] == [first.key], "nor by who may see what is sealed"


def test_what_is_sealed_is_found_and_counted_by_nobody(day: object, at: datetime, log_in: LogIn) -> None:
    case = an_address()
    write_note(case.key, text="zanzibar", at=at, actor="lena")
    forget_matter(case.key, at=at, actor="lena")
    for text in (case.resource, "zanzibar", case.customer_name, case.clause, "sealed", case.key):
        assert case.key not in {c.key for c in look(text, at).cases}, text
    assert queries.count_cases(search=case.key) == 0
    [sealed] = list_reports(outcome=ReportOutcome.SEALED)
    for text in (sealed.key, sealed.sender):
        assert sealed.key not in {r.key for r in look(text, at).reports}, text
    page = log_in(Role.ANALYST).get(reverse("console:reports")).content.decode()
    assert sealed.key not in page
    assert "outcome=sealed" not in page
    assert sealed.key in log_in(Role.COUNSEL).get(reverse("console:reports")).content.decode()
    assert sealed.key not in {r["key"] for r in log_in(Role.ANALYST).get("/api/reports").json()}


@pytest.fixture
def of_one_word(db: None, at: datetime) -> frozenset[str]:
    """Reports 0 to 7 have the word each, 0 to 3 in their subject too; 4 and 5 may not be seen, 6 and 7 are sealed."""
    for n in range(8):
        report = ReportRow.objects.create(
            key=f"R-80000{n}", evidence=f"8{n:063}", received_at=at, channel="smtp", sender="marmalade@example.net",
            outcome="sealed" if n > 5 else "forwarded", reporter_subject="marmalade" if n < 4 else "",
        )  # fmt: skip
        IncidentRow.objects.create(
            report=report, n=1, received_at=at, type="spam", excerpt="quantum marmalade", confidence=1,
            outcome="forwarded", url="https://www.example.net/marmalade", site="net.example.www",
        )  # fmt: skip
    return frozenset({"R-800004", "R-800005"})


@pytest.mark.parametrize("many", [2, 2000])
def test_reports_that_may_not_be_seen_take_the_place_of_none_that_may(
    of_one_word: frozenset[str], monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr("tipstaff.host.newest.MANY", many)
    with hiding(lambda: of_one_word), CaptureQueriesContext(connection) as asked:
        for text in ("marmalade", "quantum"):
            assert [r.key for r in intake.find_words(text, limit=2)] == ["R-800003", "R-800002"]
        for text in ("marmalade@example.net", "www.example.net", "https://www.example.net/marmalade"):
            found = list_reports(search=text, limit=2, sealed=False)
            assert [r.key for r in found] == ["R-800003", "R-800002"], text
        assert list_reports(search="www.example.net", limit=1)[0].key == "R-800007", "for whoever may see it"
    # Those of the end of the table alone, or by an order, may go by that instead.
    questions = [q["sql"] for q in asked if "@@" in q["sql"] and "ORDER BY" not in q["sql"] and ">=" not in q["sql"]]
    assert len(questions) >= 4
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        for question in questions:
            cursor.execute(f"EXPLAIN {question}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "intake_incident_words" in plan or "intake_report_words" in plan, plan


def test_cases_and_letters_that_may_not_be_seen_take_the_place_of_none_that_may(day: object, at: datetime) -> None:
    one, other = list_cases(order="newest", limit=2)
    for case in (other, one):
        write_note(case.key, text="zanzibar", at=at, actor="lena")
    assert [c.key for c in queries.find_words("zanzibar", limit=1)] == [one.key]
    word = "example"  # Most letters name an address of the example operator's.
    newest_letters = notices.find_words(word, limit=2)
    assert len(newest_letters) == 2
    with hiding(lambda: frozenset({one.key, newest_letters[0].key})):
        assert [c.key for c in queries.find_words("zanzibar", limit=1)] == [other.key]
        assert notices.find_words(word, limit=1) == newest_letters[1:]


def test_the_page_and_the_api_say_the_same(day: object, at: datetime, log_in: LogIn) -> None:
    client, case = log_in(Role.ANALYST), an_address()
    page = client.get(reverse("console:search"), {"q": case.resource}).content.decode()
    said = client.get("/api/search", {"q": case.resource}).json()
    assert case.key in said["cases"]
    assert all(key in page for keys in said.values() for key in keys)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("SELECT 1 FROM cases_caserow WHERE cases_inet(resource) && '192.0.2.7'::inet", "cases_resource_inet"),
        ("SELECT 1 FROM cases_caserow WHERE UPPER(customer_name) LIKE '%BAKERY%'", "cases_parts_of_words"),
        (
            "SELECT 1 FROM cases_noterow WHERE to_tsvector('simple'::regconfig, COALESCE(text, ''))"
            " @@ websearch_to_tsquery('simple', 'word')",
            "cases_note_words",
        ),
    ],
)
def test_each_question_has_its_index(question: str, index: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {question}")
        assert index in "\n".join(row[0] for row in cursor.fetchall())


def test_what_is_asked_for_by_the_list_is_asked_of_indexes(day: object, at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        rows = queries._filtered(None, "bakery", None, None, None)
        plan = rows.explain()
    assert "Seq Scan" not in plan, plan
    assert wiring.now() == at


def test_the_newest_are_found_first_whether_few_or_very_many_fit(day: object, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ReportRow.objects.filter(channel="smtp")
    wanted = list(rows.order_by("-id").values_list("key", flat=True)[:2])
    assert rows.count() > 2
    assert newest(rows, "id", take="key", limit=2) == wanted
    monkeypatch.setattr("tipstaff.host.newest.MANY", 2)
    assert newest(rows, "id", take="key", limit=2) == wanted
    assert newest(rows, "id", take="channel", limit=2) == ["smtp"], "each once"


@pytest.mark.parametrize("each", [1, 3, 40])
@pytest.mark.parametrize("old", [0, 30])
def test_of_very_many_the_newest_are_found_wherever_they_stand(
    db: None, at: datetime, monkeypatch: pytest.MonkeyPatch, each: int, old: int
) -> None:
    ReportRow.objects.bulk_create(
        ReportRow(
            key=f"R-{n:06}", evidence=f"{n:064}", received_at=at + n * timedelta(minutes=1), channel="smtp",
            sender="wanted" if n % each == 0 and n < 120 - old else "other", outcome="fixed",
        )
        for n in range(120)
    )  # fmt: skip
    rows = ReportRow.objects.filter(sender="wanted")
    monkeypatch.setattr("tipstaff.host.newest.MANY", 2)
    for by in ("id", "received_at"):
        for limit in (1, 2, 7):
            wanted = list(rows.order_by("-id").values_list("key", flat=True)[:limit])
            assert newest(rows, by, take="key", limit=limit) == wanted, (by, limit)
