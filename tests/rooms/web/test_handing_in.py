"""Reports over the REST endpoint and by the public form."""

import base64
import dataclasses
import hashlib
import html
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from tipstaff import wiring
from tipstaff.intake.queries import get_report, list_reports, origin_of
from tipstaff.intake.sieve import Sifted, sift
from tipstaff.ledger.queries import get_raw
from tipstaff.procedures import complaint
from tipstaff.procedures.handing_in import LARGEST_OCTETS
from tipstaff.words import Channel, ReportOutcome

TOKEN = "a token that is long enough"
REPORT: dict[str, Any] = {
    "xarf_version": "4.2.0",
    "report_id": "7f2c1e1a-0000-4000-8000-000000000001",
    "timestamp": "2026-05-04T10:00:00Z",
    "category": "connection",
    "type": "login_attack",
    "source_identifier": "203.0.113.77",
    "source_port": 40001,
    "reporter": {"org": "Example", "contact": "reports@example.org", "domain": "example.org"},
}


@pytest.fixture
def api(db: None, at: datetime, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A desk that gave one program a token, and takes five reports at a time."""
    own = wiring.settings()
    settings = dataclasses.replace(own, reports_in=dataclasses.replace(own.reports_in, queue_max=5))
    monkeypatch.setattr(wiring, "settings", lambda: settings)
    monkeypatch.setattr(wiring, "report_tokens", lambda: {hashlib.sha256(TOKEN.encode()).hexdigest(): "example"})
    desk = dataclasses.replace(wiring.desk(), enqueue=lambda job, key: None)
    monkeypatch.setattr(wiring, "desk", lambda: desk)
    return Client()


def post(api: Client, body: Any, *, token: str = TOKEN, key: str = "") -> Any:
    headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
    content = body if isinstance(body, str) else json.dumps(body)
    return api.post("/api/reports/in", data=content, content_type="application/json", headers=headers)


def test_a_report_by_a_program_is_kept_and_read_like_one_by_mail(api: Client, at: datetime) -> None:
    answer = post(api, REPORT)
    assert answer.status_code == 202
    [taken] = answer.json()["reports"]
    complaint.understand(taken["reference"], desk=wiring.desk(), at=at)
    report = get_report(taken["reference"])
    assert report is not None
    assert report.reading is not None
    assert (report.channel, report.reading.parser, str(report.incidents[0].allegation.source)) == (
        Channel.API, "xarf", "203.0.113.77",
    )  # fmt: skip
    assert report.reading.reporter.address == "reports@example.org"
    assert origin_of(report.key)[1] is True, "its token vouches for it"
    assert Client().get(taken["status"].removeprefix(wiring.settings().public_url)).status_code == 200


def test_nobody_reports_without_a_token(api: Client) -> None:
    assert post(api, REPORT, token="another that is long enough").status_code == 401
    assert api.post("/api/reports/in", data="{}", content_type="application/json").status_code == 401
    assert list_reports() == []


def test_of_many_each_stands_for_itself(api: Client) -> None:
    other = REPORT | {"source_identifier": "203.0.113.78"}
    answer = post(api, {"reports": [REPORT, {"hello": 1}, other, "x"]}).json()
    assert [x["index"] for x in answer["reports"]] == [0, 2]
    assert [x["index"] for x in answer["refused"]] == [1, 3]
    assert all(x["why"].endswith(".") for x in answer["refused"])


def test_the_same_key_gets_the_same_answer_and_changes_nothing(api: Client) -> None:
    first, again = post(api, REPORT, key="k-1"), post(api, REPORT, key="k-1")
    assert again.json() == first.json()
    assert again["Idempotent-Replay"] == "true"
    assert post(api, REPORT | {"source_port": 1}, key="k-1").status_code == 409
    assert len(list_reports()) == 1


def test_a_full_queue_pushes_back_and_loses_nothing(api: Client) -> None:
    bodies = [REPORT | {"source_port": n} for n in range(1, 9)]
    answers = [post(api, body) for body in bodies]
    assert [x.status_code for x in answers] == [202] * 5 + [429] * 3
    assert int(answers[-1]["Retry-After"]) > 0
    for report in list_reports():
        complaint.understand(report.key, desk=wiring.desk(), at=wiring.now())
    assert [post(api, body).status_code for body in bodies[5:]] == [202] * 3
    assert len(list_reports()) == 8


@pytest.mark.parametrize("body", ["x", "{", "[]", '{"reports":[]}', "[" * 100_000])
def test_what_is_no_json_or_empty_is_refused_in_a_sentence(api: Client, body: str) -> None:
    answer = post(api, body)
    assert (answer.status_code, answer.json()["error"].endswith(".")) == (400, True)


def test_a_sealed_type_is_sealed_over_the_endpoint_too(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = dataclasses.replace(wiring.desk(), seal=lambda kept: b"sealed")
    monkeypatch.setattr(wiring, "desk", lambda: desk)
    sealed = REPORT | {
        "category": "content",
        "type": "csam",
        "evidence": [{"content_type": "image/png", "payload": "iVBORw0KGgo="}],
    }
    [taken] = post(api, sealed).json()["reports"]
    report = get_report(taken["reference"])
    assert report is not None
    assert (report.outcome, report.incidents) == (ReportOutcome.SEALED, ())


# ---- The form


FILLED = {
    "kind": "connection/login_attack",
    "offender": "203.0.113.77",
    "port": "40001",
    "when": "2026-05-04T10:00",
    "zone": "+02:00",
    "evidence": "Failed password for root from 203.0.113.77",
    "mail": "jo@example.org",
    "reference": "",
    "website": "",
}


def ticket(api: Client) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', api.get("/report").content.decode())
    assert found is not None
    return html.unescape(found[1])


def later(monkeypatch: pytest.MonkeyPatch, at: datetime, **by: float) -> None:
    monkeypatch.setattr(wiring, "now", lambda: at + timedelta(**by))


def test_a_form_leads_to_the_page_where_its_sender_sees_what_becomes_of_it(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = ticket(api)
    later(monkeypatch, at, seconds=20)
    answer = api.post("/report", FILLED | {"ticket": opened})
    assert answer.status_code == 302
    assert "Received" in api.get(answer["Location"]).content.decode()
    [report] = list_reports()
    complaint.understand(report.key, desk=wiring.desk(), at=wiring.now())
    read = get_report(report.key)
    assert read is not None
    allegation = read.incidents[0].allegation
    assert (read.channel, str(allegation.source), allegation.source_port) == (Channel.WEB, "203.0.113.77", 40001)
    assert allegation.moment is not None
    assert allegation.moment.at.isoformat() == "2026-05-04T08:00:00+00:00"
    assert allegation.moment.error_seconds == 60  # The second was never said.
    assert read.reading is not None
    assert read.reading.reporter.address == "jo@example.org"


SPAM = b"""Received: from sender.example.net (unknown [203.0.113.77]) by mx.example.org; Mon, 4 May 2026 10:00:00 +0200
From: Prize <prize@sender.example.net>
To: jo@example.org
Subject: You won
Date: Mon, 4 May 2026 10:00:00 +0200
Message-ID: <1@sender.example.net>

Claim it now.
""".replace(b"\n", b"\r\n")


def test_a_whole_mail_that_is_dropped_needs_nothing_else_and_is_kept_as_it_was(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = ticket(api)
    later(monkeypatch, at, seconds=20)

    def dropped(content: bytes, **more: str) -> HttpResponse:
        file = SimpleUploadedFile("prize.eml", content, content_type="message/rfc822")
        return api.post("/report", {"kind": "messaging/spam", "ticket": opened, "message": file, **more})

    for wrong in ({"kind": ""}, {"mail": "no"}):
        assert dropped(SPAM, **wrong).status_code == 400
    assert "This is no whole mail" in dropped(b"\xff\xfe a picture").content.decode()
    assert dropped(b"From: x\r\n\r\n" + b"x" * LARGEST_OCTETS).status_code == 400
    assert list_reports() == []
    assert dropped(SPAM, mail="jo@example.org").status_code == 302
    assert dropped(SPAM, mail="jo@example.org").status_code == 302, "the same form sent twice"
    [report] = list_reports()
    assert SPAM in get_raw(report.evidence)
    complaint.understand(report.key, desk=wiring.desk(), at=wiring.now())
    read = get_report(report.key)
    assert read is not None
    assert read.reading is not None
    assert (read.channel, read.reading.reporter.address) == (Channel.WEB, "jo@example.org")
    assert [(i.allegation.type, str(i.allegation.source)) for i in read.incidents] == [
        ("messaging/spam", "203.0.113.77")
    ]


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: text/plain; a=" + b"(" * 30000,
        b"Content-Type: multipart/mixed; boundary=" + b"(" * 5000,
        b"Content-Type: multipart/x" + b";a*0*=x" * 7000,
        b"Content-Type: ;",
        b"Content-Type: multipart/mixed; boundary*=x''",
        b"Content-Type: text/plain; x*=utf-8''%",
        b"Content-Type: multipart/mixed; boundary=" + b'"' + b"\\" * 30000,
    ],
    ids=lambda head: head[:40].decode(),
)
def test_hostile_octets_are_a_report_or_a_clear_sentence(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    opened = ticket(api)
    later(monkeypatch, at, seconds=20)
    for before, status in ((b"From: a@b.example\r\n", 302), (b"X-Odd: 1\r\n", 400)):
        file = SimpleUploadedFile("x.eml", before + head + b"\r\n\r\nx\r\n")
        answer = api.post("/report", {"kind": "messaging/spam", "ticket": opened, "message": file})
        assert answer.status_code == status
    assert "This is no whole mail" in answer.content.decode()
    [report] = list_reports()
    complaint.understand(report.key, desk=wiring.desk(), at=wiring.now())


def test_what_is_filled_in_beside_a_whole_mail_is_kept_and_read(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = ticket(api)
    later(monkeypatch, at, seconds=20)

    def dropped(**more: str) -> HttpResponse:
        file = SimpleUploadedFile("x.eml", SPAM + b"x\r\n" * 1_000_000)  # Django would write that to a disk.
        return api.post("/report", {**FILLED, "ticket": opened, "message": file, **more})

    monkeypatch.delattr("django.core.files.uploadedfile.TemporaryUploadedFile.__init__")
    for wrong in ({"port": "99999"}, {"when": "yesterday"}, {"when": "2999-01-01 10:00"}):
        assert dropped(**wrong).status_code == 400
    assert dropped(reference="OURS-77", evidence="").status_code == 302
    [report] = list_reports()
    (words,) = re.findall(rb"base64\r\n\r\n(.*?)\r\n--", get_raw(report.evidence), re.DOTALL)
    said = base64.b64decode(words).decode()
    for line in ("203.0.113.77", "40001", "2026-05-04T10:00+02:00", "OURS-77"):
        assert line in said
    complaint.understand(report.key, desk=wiring.desk(), at=wiring.now())
    read = get_report(report.key)
    assert read is not None
    assert [
        (str(i.allegation.source), i.allegation.source_port, i.allegation.moment and i.allegation.moment.at.isoformat())
        for i in read.incidents
    ] == [("203.0.113.77", 40001, "2026-05-04T08:00:00+00:00")]


def test_the_sieve_unfolds_what_is_dropped_before_it_is_kept(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    def sifted(raw: bytes, **more: object) -> Sifted:
        seen.append(raw)
        return sift(raw, **more)  # type: ignore[arg-type]  # as it was asked

    monkeypatch.setattr(complaint, "sift", sifted)
    opened = ticket(api)
    later(monkeypatch, at, seconds=20)
    file = SimpleUploadedFile("x.eml", SPAM, content_type="message/rfc822")
    assert api.post("/report", {"kind": "messaging/spam", "ticket": opened, "message": file}).status_code == 302
    assert [SPAM in raw for raw in seen] == [True]


def test_a_time_whose_zone_is_unknown_is_kept_without_one(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = ticket(api)
    later(monkeypatch, at, seconds=20)
    api.post("/report", FILLED | {"ticket": opened, "zone": "unknown"})
    [report] = list_reports()
    complaint.understand(report.key, desk=wiring.desk(), at=wiring.now())
    moment = list_reports()[0].incidents[0].allegation.moment
    assert moment is not None
    assert not moment.zone_stated


def test_a_clock_that_is_not_whole_hours_from_utc_can_be_named(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = ticket(api)
    assert b"UTC+05:45" in api.get("/report").content
    later(monkeypatch, at, seconds=20)
    api.post("/report", FILLED | {"ticket": opened, "zone": "+05:45"})
    [report] = list_reports()
    complaint.understand(report.key, desk=wiring.desk(), at=wiring.now())
    moment = list_reports()[0].incidents[0].allegation.moment
    assert moment is not None
    assert moment.at.isoformat() == "2026-05-04T04:15:00+00:00"


def test_a_form_sent_twice_is_one_report(api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = ticket(api)
    later(monkeypatch, at, seconds=20)
    answers = [api.post("/report", FILLED | {"ticket": opened}) for _ in range(2)]
    assert [x.status_code for x in answers] == [302, 302]
    assert len(list_reports()) == 1


@pytest.mark.parametrize(
    ("change", "seconds"),
    [({"website": "http://spam.example"}, 20), ({}, 1), ({}, 7 * 3600), ({"ticket": "made up"}, 20)],
)
def test_what_no_person_fills_in_is_not_taken(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], seconds: int
) -> None:
    opened = ticket(api)
    later(monkeypatch, at, seconds=seconds)
    answer = api.post("/report", FILLED | {"ticket": opened} | change)
    assert answer.status_code == 400
    assert list_reports() == []


def test_what_is_wrong_is_said_beside_what_was_typed(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = ticket(api)
    later(monkeypatch, at, seconds=20)
    for odd in ({"port": "2²"}, {"port": "9" * 5000}, {"when": "9" * 100_000}, {"mail": "a" * 100_000 + "@"}):
        assert api.post("/report", FILLED | {"ticket": opened} | odd).status_code == 400
    answer = api.post("/report", FILLED | {"ticket": opened, "offender": "somebody", "port": "99999", "mail": "no"})
    page = answer.content.decode()
    assert answer.status_code == 400
    for field in ("offender", "port", "mail"):
        assert f'href="#{field}"' in page
    assert "Failed password for root" in page


@pytest.mark.parametrize(
    ("ahead", "zone", "taken"),
    [
        (timedelta(minutes=50), "+00:00", True),  # a clock that is fast
        (timedelta(hours=2), "+00:00", False),
        (timedelta(hours=2), "-03:00", False),
        (timedelta(hours=14), "unknown", True),  # it may have been there already
        (timedelta(hours=16), "unknown", False),
        (timedelta(days=1400), "unknown", False),
    ],
)
def test_a_time_that_has_not_come_anywhere_is_asked_again(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch, ahead: timedelta, zone: str, taken: bool
) -> None:
    opened = ticket(api)
    later(monkeypatch, at, seconds=20)
    offset = timedelta(hours=-3) if zone == "-03:00" else timedelta()
    when = (at.astimezone(UTC) + ahead + offset).strftime("%Y-%m-%dT%H:%M")
    answer = api.post("/report", FILLED | {"ticket": opened, "when": when, "zone": zone})
    assert (answer.status_code == 302) is taken
    if not taken:
        assert "This time has not come yet" in answer.content.decode()
        assert list_reports() == []


def test_one_address_cannot_fill_the_desk(api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    from tipstaff.procedures import handing_in

    monkeypatch.setattr(handing_in, "FORMS_HOURLY_MAX", 2)
    answers = []
    for n in range(3):
        later(monkeypatch, at, seconds=60 * n)
        opened = ticket(api)
        later(monkeypatch, at, seconds=60 * n + 20)
        answers.append(api.post("/report", FILLED | {"ticket": opened, "port": str(n + 1)}).status_code)
    assert answers == [302, 302, 429]
    file = SimpleUploadedFile("x.eml", b"no mail at all")
    answer = api.post("/report", {"kind": "messaging/spam", "ticket": opened, "message": file})
    assert answer.status_code == 429, "nothing is read of what is not taken"


def test_what_a_form_said_is_in_the_vault_as_it_was_kept(
    api: Client, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = ticket(api)
    later(monkeypatch, at, seconds=20)
    api.post("/report", FILLED | {"ticket": opened})
    [report] = list_reports()
    assert hashlib.sha256(get_raw(report.evidence)).hexdigest() == report.evidence
