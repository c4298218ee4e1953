"""Feeds: the real client against a server on this machine that speaks as the publishers do."""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import pytest

from tipstaff.intake.feeds.client import HttpTrouble, RealHttp
from tipstaff.intake.feeds.protocol import FeedTrouble, Fetched, Own, Request, Source
from tipstaff.intake.feeds.sources.abusech import Threatfox, Urlhaus
from tipstaff.intake.feeds.sources.scores import Scores
from tipstaff.intake.feeds.sources.shadowserver import Shadowserver
from tipstaff.intake.feeds.sources.spamhaus import SpamhausDrop
from tipstaff.intake.forms.wrapped import mail_of
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import read
from tipstaff.words import Reading, ReadingOutcome, ReadingReason

AT = datetime(2026, 3, 10, 12, tzinfo=UTC)
OWN = Own(
    networks=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")), domains=frozenset({"operator.example.net"})
)
Reply = tuple[int, bytes, dict[str, str]]


class Publisher:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer: Callable[[str, dict[str, str], bytes], Reply] = lambda path, headers, body: (404, b"", {})
        self.url = ""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    own = Publisher()

    class Talk(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {k.lower(): v for k, v in self.headers.items()}
            own.asked.append((self.command, self.path, headers, body))
            status, content, more = own.answer(self.path, headers, body)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815 - the library finds methods by their names.

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Talk)
    own.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield own
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(
    source: Source, publisher: Publisher, *, path: str = "/", state: dict[str, Any] | None = None, **more: Any
) -> Fetched:
    return source.fetch(
        Request(
            http=RealHttp(),
            url=f"{publisher.url}{path}",
            key="the key",
            secret=more.pop("secret", "the secret"),
            options=more,
            state=state or {},
            own=OWN,
            at=AT,
        )
    )


def read_documents(found: Fetched) -> list[Reading]:
    return [
        read(
            mail_of(
                x.body,
                content_type=x.content_type,
                filename=x.name,
                sender="Feed <no-reply@feed.invalid>",
                subject=x.name,
            ),
            parsers=load_parsers(),
        )
        for x in found.documents
    ]


def sources(readings: list[Reading]) -> list[str]:
    return [str(a.source) for reading in readings for a in reading.allegations]


# ---- Shadowserver


def shadowserver(path: str, headers: dict[str, str], body: bytes) -> Reply:
    wanted = hmac.new(b"the secret", body, hashlib.sha256).hexdigest()
    if headers.get("hmac2") != wanted or json.loads(body)["apikey"] != "the key":
        return 401, b"{}", {}
    if path.endswith("/reports/list"):
        return 200, json.dumps([{"id": "one", "type": "scan_rdp", "timestamp": "2026-03-09"}]).encode(), {}
    rows = [{"timestamp": "2026-03-09 04:00:00", "ip": "192.0.2.9", "port": 3389, "asn": 64500, "novel": "x"}]
    return 200, json.dumps(rows).encode(), {}


def test_shadowserver_is_asked_with_a_signature_and_each_report_comes_once(publisher: Publisher) -> None:
    publisher.answer = shadowserver
    found = fetch(Shadowserver(), publisher, path="/api2/")
    [reading] = read_documents(found)
    assert (reading.parser, reading.allegations[0].type) == ("shadowserver", "vulnerability/open_service")
    assert sources([reading]) == ["192.0.2.9"]
    assert json.loads(publisher.asked[0][3])["date"] == "2026-03-08:2026-03-10"
    again = fetch(Shadowserver(), publisher, path="/api2/", state=found.state)
    assert (again.documents, again.state) == ((), found.state)


def test_a_wrong_secret_is_said_in_a_sentence(publisher: Publisher) -> None:
    publisher.answer = shadowserver
    with pytest.raises(FeedTrouble, match="check key_file and secret_file"):
        fetch(Shadowserver(), publisher, secret="another")


# ---- Spamhaus DROP


def drop(*entries: dict[str, Any], whole: bool = True) -> Callable[[str, dict[str, str], bytes], Reply]:
    lines = [json.dumps(x) for x in entries] + ([json.dumps({"type": "metadata", "records": 1})] if whole else [])
    body = "\n".join(lines).encode()
    mark = hashlib.sha256(body).hexdigest()

    def answer(path: str, headers: dict[str, str], _body: bytes) -> Reply:
        if headers.get("if-none-match") == mark:
            return 304, b"", {}
        return 200, body, {"ETag": mark}

    return answer


def test_a_listing_of_our_own_space_is_told_as_new_changed_and_gone(publisher: Publisher) -> None:
    other = {"cidr": "198.51.100.0/24", "sblid": "SBL1"}
    publisher.answer = drop({"cidr": "192.0.2.128/25", "sblid": "SBL2"}, other, {"asn": 64500, "asname": "EXAMPLE"})
    found = fetch(SpamhausDrop(), publisher, asns=[64500])
    [reading] = read_documents(found)
    assert reading.reason is ReadingReason.UNSURE, "whose it is among many customers, a person says"
    assert [x.target for x in reading.allegations] == ["192.0.2.128/25", "AS64500"]
    same = fetch(SpamhausDrop(), publisher, asns=[64500], state=found.state)
    assert same.documents == ()
    publisher.answer = drop({"cidr": "192.0.2.128/25", "sblid": "SBL3"}, other)
    changed = fetch(SpamhausDrop(), publisher, asns=[64500], state=same.state)
    [reading] = read_documents(changed)
    assert "changed" in reading.allegations[0].excerpt
    assert reading.detail == "No longer listed: AS64500."
    publisher.answer = drop(other)
    [reading] = read_documents(fetch(SpamhausDrop(), publisher, asns=[64500], state=changed.state))
    assert reading.outcome is ReadingOutcome.NOT_A_COMPLAINT


def test_a_list_that_was_cut_off_takes_nobody_off(publisher: Publisher) -> None:
    publisher.answer = drop({"cidr": "192.0.2.0/25", "sblid": "SBL2"}, whole=False)
    with pytest.raises(FeedTrouble, match="cut off"):
        fetch(SpamhausDrop(), publisher)


# ---- abuse.ch


URLHAUS_CSV = b"""# abuse.ch
# Dateadded (UTC),URL,URL_status,Threat,Host,IPaddress,ASnumber,Country
"2026-03-10 04:00:00","http://bad.example.com/a.exe","online","malware_download","bad.example.com","192.0.2.5","64500","ZZ"
"2026-03-10 04:01:00","http://else.example.com/a.exe","online","malware_download","else.example.com","198.51.100.5","64501","ZZ"
"""


def test_urlhaus_rows_about_us_are_told_once(publisher: Publisher) -> None:
    publisher.answer = lambda path, headers, body: (200, URLHAUS_CSV, {})
    found = fetch(Urlhaus(), publisher)
    [reading] = read_documents(found)
    [allegation] = reading.allegations
    assert (allegation.type, str(allegation.source), allegation.url) == (
        "content/malware",
        "192.0.2.5",
        "http://bad.example.com/a.exe",
    )
    assert allegation.moment is not None
    assert allegation.moment.zone_stated
    assert fetch(Urlhaus(), publisher, state=found.state).documents == ()


def test_urlhaus_json_names_hosts_and_nothing_is_resolved(publisher: Publisher) -> None:
    urls = [
        {
            "url": "http://192.0.2.7/x",
            "host": "192.0.2.7",
            "threat": "malware_download",
            "date_added": "2026-03-10 05:00:00 UTC",
        },
        {"url": "http://www.operator.example.net/x", "host": "www.operator.example.net", "tags": ["phishing"]},
        {"url": "http://stranger.example.com/x", "host": "stranger.example.com"},
    ]
    publisher.answer = lambda path, headers, body: (200, json.dumps({"query_status": "ok", "urls": urls}).encode(), {})
    readings = read_documents(fetch(Urlhaus(), publisher))
    assert sources(readings) == ["192.0.2.7", "None"]
    assert publisher.asked[0][2]["auth-key"] == "the key"


def test_threatfox_indicators_keep_their_port_and_confidence(publisher: Publisher) -> None:
    data = [
        {
            "id": "1",
            "ioc": "192.0.2.8:4443",
            "threat_type": "botnet_cc",
            "confidence_level": 75,
            "first_seen": "2026-03-10 06:00:00 UTC",
        },
        {"id": "2", "ioc": "203.0.113.8:4443", "threat_type": "botnet_cc", "confidence_level": 75},
    ]
    publisher.answer = lambda path, headers, body: (200, json.dumps({"query_status": "ok", "data": data}).encode(), {})
    [reading] = read_documents(fetch(Threatfox(), publisher, days=3))
    [allegation] = reading.allegations
    assert (allegation.type, allegation.source_port, allegation.confidence) == ("infrastructure/botnet", 4443, 0.75)
    assert json.loads(publisher.asked[0][3]) == {"query": "get_iocs", "days": 3}


@pytest.mark.parametrize("source", [Urlhaus(), Threatfox()])
@pytest.mark.parametrize(
    "body", [b"{", b"[" * 100_000, b'{"a":' * 50_000, b'{"query_status":"unknown_auth_key"}', b'{"urls":5,"data":{}}']
)
def test_an_answer_of_another_form_is_trouble_or_nothing(publisher: Publisher, source: Source, body: bytes) -> None:
    publisher.answer = lambda path, headers, _: (200, body, {})
    said = ""
    try:
        documents = fetch(source, publisher).documents
    except FeedTrouble as why:
        documents, said = (), str(why)
    assert documents == ()
    assert said[-1:] in ("", ".")


# ---- Scores


def test_scores_are_asked_for_each_block_of_ours_and_told_when_they_are_new(publisher: Publisher) -> None:
    def answer(path: str, headers: dict[str, str], body: bytes) -> Reply:
        assert headers["key"] == "the key"
        rows = [
            {
                "ipAddress": "192.0.2.3",
                "abuseConfidenceScore": 90,
                "numReports": 4,
                "mostRecentReport": "2026-03-10T01:00:00+00:00",
            },
            {"ipAddress": "192.0.2.4", "abuseConfidenceScore": 10, "mostRecentReport": "2026-03-10T01:00:00+00:00"},
        ]
        return 200, json.dumps({"data": {"reportedAddress": rows}}).encode(), {}

    publisher.answer = answer
    found = fetch(Scores(), publisher)
    assert sources(read_documents(found)) == ["192.0.2.3"]
    assert "network=192.0.2.0%2F24" in publisher.asked[0][1]
    assert fetch(Scores(), publisher, state=found.state).documents == ()


def test_a_publisher_that_asks_for_patience_gets_it(publisher: Publisher) -> None:
    publisher.answer = lambda path, headers, body: (429, b"", {"Retry-After": "1234"})
    with pytest.raises(FeedTrouble) as told:
        fetch(Scores(), publisher)
    assert told.value.retry_after_seconds == 1234


# ---- The client


def test_a_key_is_not_carried_to_another_host(publisher: Publisher) -> None:
    publisher.answer = lambda path, headers, body: (302, b"", {"Location": "http://127.0.0.2:1/"})
    with pytest.raises(HttpTrouble, match="another host"):
        RealHttp().ask(publisher.url, headers={"Key": "the key"})


def test_feeds_are_fetched_by_https_only() -> None:
    for url in ("http://feed.example.org/", "file:///etc/passwd", "ftp://feed.example.org/"):
        with pytest.raises(HttpTrouble, match="https"):
            RealHttp().ask(url)


def test_an_answer_without_end_is_cut_off(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tipstaff.intake.feeds.client.LARGEST_OCTETS", 1000)
    publisher.answer = lambda path, headers, body: (200, b"x" * 5000, {})
    with pytest.raises(HttpTrouble, match="larger"):
        RealHttp().ask(publisher.url)
