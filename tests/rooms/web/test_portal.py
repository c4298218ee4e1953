"""The customer's page and the complainant's: what they show, and what they never do."""

import email
import email.policy
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_network

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tipstaff import wiring
from tipstaff.cases.queries import get_case, list_cases
from tipstaff.enforcement import operations
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.guards import Limits
from tipstaff.intake.queries import get_report, list_reports, reports_of_case
from tipstaff.ledger.queries import get_raw
from tipstaff.procedures import complaint
from tipstaff.procedures.enforcing import reconcile
from tipstaff.procedures.links import Link, make_link
from tipstaff.procedures.suspension import follow
from tipstaff.registry.queries import get_customer
from tipstaff.words import (
    LIFTED_WHEN,
    Candidate,
    Case,
    CaseState,
    Degree,
    Direction,
    ReadingReason,
    ReportOutcome,
    Role,
    Selector,
)

LogIn = Callable[..., Client]


def told() -> Case:
    return list_cases(states=frozenset({CaseState.NOTIFIED}))[0]


def link(case: Case, at: datetime, *, days: int = 7) -> str:
    return f"/p/{make_link(Link.CASE, case.key, at=at, expires_at=at + timedelta(days=days))}"


def now_is(case: Case) -> Case:
    found = get_case(case.key)
    assert found is not None
    return found


def test_the_portal_shows_the_case_and_never_who_complained(day: object, at: datetime) -> None:
    for case in list_cases(states=frozenset({CaseState.NOTIFIED, CaseState.EXTENDED, CaseState.DISPUTED})):
        page = Client().get(link(case, at)).content.decode()
        assert case.key in page
        assert case.resource in page
        for report in reports_of_case(case.key):
            assert report.key not in page
            assert report.reading is not None
            who = report.reading.reporter
            for secret in filter(None, (report.sender, who.address, who.name, who.reference, who.message_id)):
                assert secret not in page, secret


def test_the_portal_says_what_else_is_in_force_on_the_customer_since_when_until_when_and_why(
    day: object, at: datetime
) -> None:
    first, other = list_cases(states=frozenset({CaseState.NOTIFIED}))[:2]
    in_force_on(first.customer, case=other.key, address="192.0.2.7", at=at)
    in_force_on("acct-of-somebody-else", case=other.key, address="192.0.2.8", at=at)
    page = Client().get(link(first, at)).content.decode()
    assert "Also in force on your account" in page
    said = " ".join(page.partition("Also in force")[2].partition("</section>")[0].split())
    assert "tcp/25 from 192.0.2.7" in said
    assert 'since <time datetime="2026-05-04T12:00' in said
    assert 'until <time datetime="2026-05-11T12:00' in said
    assert f"It belongs to case {other.key}" in said
    assert "Rule: " in said
    assert 'Read back from the device <time datetime="2026-05-04T12:00' in said
    assert "192.0.2.8" not in page
    shown = " ".join(Client().get(link(other, at)).content.decode().split())
    assert 'Read back from the device <time datetime="2026-05-04T12:00' in shown
    if other.customer != first.customer:
        assert "Also in force" not in Client().get(link(other, at)).content.decode()


def in_force_on(customer: str, *, case: str, address: str, at: datetime) -> None:
    chosen = Candidate(
        selector=Selector(network=ip_network(address), protocol="tcp", port=25, direction=Direction.OUT),
        degree=Degree.BLOCK, device="edge-9", sufficient=True, others_hit=0, services_hit=0, chosen=True, why="Narrow.",
    )  # fmt: skip
    operations.plan_measure(
        case=case, customer=customer, candidates=[chosen], chosen=chosen, until=at + timedelta(days=7),
        lifted_when=LIFTED_WHEN, notice="L-000001", urgency=None, at=at, actor="worker",
    )  # fmt: skip
    fence = operations.become_writer("edge-9", at=at)
    reconcile(MemoryTwin("edge-9"), fence=fence, limits=Limits(own=(ip_network("192.0.2.0/24"),)), at=at)
    operations.stop_writing(fence)


def test_a_customer_says_that_it_is_fixed(day: object, at: datetime) -> None:
    case = told()
    answer = Client().post(link(case, at), {"answer": "fixed", "words": "We removed the plugin."}, follow=True)
    assert "Thank you, we have your answer" in answer.content.decode()
    assert now_is(case).state in (CaseState.FIXED, CaseState.CLOSED)
    assert now_is(case).answer == "We removed the plugin."


def test_more_time_is_given_once(day: object, at: datetime) -> None:
    case = told()
    client = Client()
    client.post(link(case, at), {"answer": "need_time"})
    due = now_is(case).due_at
    assert now_is(case).state is CaseState.EXTENDED
    assert client.post(link(case, at), {"answer": "need_time"}).status_code == 409
    assert now_is(case).due_at == due


def test_a_dispute_needs_words(day: object, at: datetime) -> None:
    case = told()
    answer = Client().post(link(case, at), {"answer": "dispute", "words": "  "})
    assert answer.status_code == 400
    assert "Please say why" in answer.content.decode()
    assert now_is(case).state is case.state


def test_the_answer_needs_no_cookie(day: object, at: datetime) -> None:
    case = told()
    strict = Client(enforce_csrf_checks=True, headers={"Origin": "null"})
    assert strict.post(link(case, at), {"answer": "need_time"}).status_code == 303


def test_an_expired_link_says_so_kindly_and_changes_nothing(
    day: object, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, address = told(), link(told(), at)
    monkeypatch.setattr(wiring, "now", lambda: at + timedelta(days=7))
    page = Client().get(address)
    assert page.status_code == 410
    assert "This link has expired" in page.content.decode()
    assert case.customer_name not in page.content.decode()
    assert Client().post(address, {"answer": "fixed", "words": "x"}).status_code == 410
    assert now_is(case) == case


def test_a_changed_link_opens_nothing(day: object, at: datetime) -> None:
    case = told()
    good = link(case, at)
    other = next(c for c in list_cases() if c.key != case.key)
    for bad in (good[:-1], good[:-1] + "~", good.replace(case.key, other.key), "/p/x", "/p/C-000001.1.x"):
        page = Client().get(bad)
        assert page.status_code == 404, bad
        assert other.customer_name not in page.content.decode()


def test_a_complainants_link_opens_no_case_and_the_other_way_round(day: object, at: datetime) -> None:
    report = list_reports()[0]
    token = make_link(Link.REPORT, report.key, at=at, expires_at=at + timedelta(days=1))
    assert Client().get(f"/p/{token}").status_code == 404
    assert Client().get(link(told(), at).replace("/p/", "/r/")).status_code == 404


def test_the_status_page_never_names_a_customer(day: object, at: datetime) -> None:
    names = {c.customer for c in list_cases(limit=200)}
    for report in list_reports(limit=200):
        token = make_link(Link.REPORT, report.key, at=at, expires_at=at + timedelta(days=1))
        page = Client().get(f"/r/{token}").content.decode()
        assert report.key in page
        assert "C-0" not in page
        for key in names:
            customer = get_customer(key)
            assert customer is not None
            assert customer.name not in page
            assert key not in page


def test_each_page_says_why_to_whom_it_is_for(day: object, at: datetime, log_in: LogIn) -> None:
    case = told()
    [sentence, *_] = (e for e in Client().get(link(case, at)).content.decode().split("<li>") if "Our records name" in e)
    assert "you as the holder" in sentence
    report = reports_of_case(case.key)[0]
    token = make_link(Link.REPORT, report.key, at=at, expires_at=at + timedelta(days=1))
    status = Client().get(f"/r/{token}").content.decode()
    assert "We tell whoever held it" in status
    assert "Our records name" not in status
    console = log_in(Role.ANALYST).get(f"/console/cases/{case.key}").content.decode()
    assert "Why, with everything that it rests on" in console
    assert "One customer held it over the whole window of uncertainty." in console


def test_the_status_page_of_a_sealed_report_says_nothing_of_it(day: object, at: datetime) -> None:
    (sealed,) = list_reports(outcome=ReportOutcome.SEALED)
    token = make_link(Link.REPORT, sealed.key, at=at, expires_at=at + timedelta(days=1))
    page = Client().get(f"/r/{token}").content.decode()
    assert "child" not in page.lower()
    assert "What we understood" not in page


@pytest.mark.parametrize(
    ("theirs", "said", "lang"),
    [("de-AT", "Wir benachrichtigen, wer es innehatte", "de"), ("nl", "We tell whoever held it", "en")],
)
def test_the_status_page_says_why_in_the_language_in_which_they_wrote(
    day: object, at: datetime, monkeypatch: pytest.MonkeyPatch, theirs: str, said: str, lang: str
) -> None:
    monkeypatch.setattr("tipstaff.web.public.views.language_of_complainant", lambda *_, **__: theirs)
    token = make_link(Link.REPORT, reports_of_case(told().key)[0].key, at=at, expires_at=at + timedelta(days=1))
    page = Client().get(f"/r/{token}").content.decode()
    reasons = next(part for part in page.split("<ul ") if f'lang="{lang}"' in part.partition(">")[0])
    assert said in reasons


def test_how_a_case_ended_is_disputed_once_by_its_link(day: object, at: datetime, log_in: LogIn) -> None:
    case, client = told(), Client()
    client.post(link(case, at), {"answer": "fixed", "words": "Cleaned."})
    follow(desk=wiring.desk(), at=at)
    assert now_is(case).state is CaseState.CLOSED
    page = client.get(link(case, at)).content.decode()
    assert "reviews it, once" in page
    assert 'value="fixed"' not in page
    assert client.post(link(case, at), {"answer": "fixed", "words": "Cleaned."}).status_code == 409
    appealed = client.post(link(case, at), {"answer": "dispute", "words": "It was not ours."}, follow=True)
    assert "A colleague reviews how it ended" in appealed.content.decode()
    fresh = now_is(case)
    assert (fresh.state, fresh.answer) == (CaseState.APPEALED, "It was not ours.")
    desk = log_in(Role.LEAD, name="mary")
    assert "Review the appeal" in desk.get(f"/console/cases/{case.key}").content.decode()
    form = {"decision": "rejected", "why": "The log shows it.", "version": fresh.version}
    desk.post(f"/console/cases/{case.key}/review", form)
    assert now_is(case).state is CaseState.CLOSED
    page = client.get(link(case, at)).content.decode()
    assert 'name="answer"' not in page


def sent(name: str, content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_a_dispute_comes_with_files_which_a_person_reads_and_which_accuse_nobody(
    day: object, at: datetime, log_in: LogIn
) -> None:
    case, before = told(), {report.key for report in list_reports(limit=500)}
    log = f"{at:%Y-%m-%d} 09:00:00 {case.resource} was switched off\n".encode()
    form = {"answer": "dispute", "words": "It was off.", "files": [sent("off.log", log), sent("../x.exe", b"MZ\0")]}
    assert Client().post(link(case, at), form).status_code == 303
    assert now_is(case).state is CaseState.DISPUTED
    (key,) = {report.key for report in list_reports(limit=500)} - before
    complaint.understand(key, desk=wiring.desk(), at=at)
    report = get_report(key)
    assert report is not None
    assert report.reading is not None
    assert (report.reading.reason, report.incidents) == (ReadingReason.REPLY, ())
    mail = email.message_from_bytes(get_raw(report.evidence), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    kept = [(part.get_filename(), part.get_content_type(), part.get_content()) for part in mail.iter_attachments()]
    assert kept == [("off.log", "application/octet-stream", log), ("x.exe", "application/octet-stream", b"MZ\0")]
    assert now_is(case).state is CaseState.DISPUTED
    assert reports_of_case(case.key) == reports_of_case(now_is(case).key)
    assert key in log_in(Role.LEAD, name="mary").get(f"/console/cases/{case.key}").content.decode()
    page = Client().get(link(case, at)).content.decode()
    assert key not in page


def test_too_many_files_leave_no_answer_and_no_file(day: object, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    case, before = told(), len(list_reports(limit=500))
    many = {"answer": "dispute", "words": "x", "files": [sent(f"{n}.txt", b"a") for n in range(6)]}
    answer = Client().post(link(case, at), many)
    assert (answer.status_code, "at most five files" in answer.content.decode()) == (400, True)
    monkeypatch.setattr("tipstaff.web.portal.views.OCTETS_MAX", 3)
    large = {"answer": "dispute", "words": "x", "files": [sent("a.txt", b"abcd")]}
    assert Client().post(link(case, at), large).status_code == 400
    assert now_is(case) == case
    assert len(list_reports(limit=500)) == before
    assert Client().post(link(case, at), CONTENT_LENGTH=str(20 * 1024 * 1024)).status_code == 413


def test_an_answer_that_is_not_taken_leaves_no_files(day: object, at: datetime) -> None:
    case, client = told(), Client()
    client.post(link(case, at), {"answer": "need_time"})
    before = len(list_reports(limit=500))
    form = {"answer": "need_time", "files": [sent("a.txt", b"a")]}
    assert client.post(link(case, at), form).status_code == 409
    assert len(list_reports(limit=500)) == before
