"""What a report's evidence can show about its source."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tipstaff.intake.trust.grade import grade
from tipstaff.policy import judge, shipped_editions
from tipstaff.policy.explain import Audience, explain
from tipstaff.policy.strikes import count
from tipstaff.words import (
    Allegation,
    Attribution,
    AttributionReason,
    EvidenceGrade,
    Grade,
    History,
    Moment,
    Strike,
    Trust,
)

SOURCE = ip_address("192.0.2.1")
MOMENT = Moment(datetime(2026, 3, 14, 9, 12, 44, tzinfo=UTC), 1.0)


@pytest.mark.parametrize(
    ("type", "protocol", "excerpt", "wanted"),
    [
        ("connection/login_attack", "ssh", "", EvidenceGrade.ESTABLISHED),
        ("messaging/spam", "smtp", "", EvidenceGrade.ESTABLISHED),
        ("connection/port_scan", "tcp", "SYN to port 23", EvidenceGrade.SPOOFABLE),
        ("connection/port_scan", "tcp", "verified by a TCP three-way handshake", EvidenceGrade.ESTABLISHED),
        ("connection/ddos", "udp", "", EvidenceGrade.SPOOFABLE),
        ("connection/login_attack", "udp", "", EvidenceGrade.SPOOFABLE),
        ("vulnerability/open_service", "udp", "", EvidenceGrade.ESTABLISHED),
        ("infrastructure/botnet", None, "", EvidenceGrade.UNKNOWN),
        ("infrastructure/botnet", "tcp", '"POST /gate HTTP/1.1" 200', EvidenceGrade.ESTABLISHED),
        ("reputation/blocklist", None, "", EvidenceGrade.UNKNOWN),
    ],
)
def test_a_source_is_proved_by_an_answer_that_reached_it(
    type: str, protocol: str | None, excerpt: str, wanted: EvidenceGrade
) -> None:
    told = Allegation(type=type, source=SOURCE, protocol=protocol, excerpt=excerpt, moment=MOMENT)
    assert grade(told) is wanted


@pytest.mark.parametrize("excerpt", ["", "Spam from 192.0.2.1 now", "192.0.2.1 is attacking us, stop it!", "port 22"])
@pytest.mark.parametrize("type", ["messaging/spam", "connection/login_attack", "connection/port_scan"])
def test_a_sentence_about_an_address_shows_nothing(type: str, excerpt: str) -> None:
    bare = Allegation(type=type, source=SOURCE, excerpt=excerpt)
    assert grade(bare) is EvidenceGrade.STATED
    assert grade(bare, saw_the_same=True) is EvidenceGrade.CORROBORATED
    assert grade(replace(bare, moment=MOMENT)) is not EvidenceGrade.STATED
    assert grade(replace(bare, url="http://shop.example.net/")) is not EvidenceGrade.STATED


@pytest.mark.parametrize(
    "excerpt",
    [
        "Failed password for root\nNov 27 10:00:00 host sshd[811]: Failed password for root from 192.0.2.1",
        "Received: from mail.example.net (192.0.2.1)",
        'GET /wp-login.php HTTP/1.1" 200',
        "kernel: IN=eth0 SRC=192.0.2.1 DST=198.51.100.3",
    ],
)
def test_a_line_of_a_log_or_a_header_shows_something(excerpt: str) -> None:
    told = Allegation(type="connection/login_attack", source=SOURCE, excerpt=excerpt)
    assert grade(told) is EvidenceGrade.ESTABLISHED


def test_what_anybody_can_look_at_needs_no_log() -> None:
    assert grade(Allegation(type="vulnerability/open_service", source=SOURCE)) is EvidenceGrade.ESTABLISHED


def test_our_own_telemetry_stands_above_everything() -> None:
    ddos = Allegation(type="connection/ddos", source=SOURCE, protocol="udp", moment=MOMENT)
    assert grade(ddos, saw_the_same=True) is EvidenceGrade.CORROBORATED
    assert grade(ddos, saw_the_same=False) is EvidenceGrade.SPOOFABLE


def test_without_an_address_nothing_is_proved_about_one() -> None:
    assert grade(Allegation(type="content/phishing", url="http://x.example/")) is EvidenceGrade.UNKNOWN


DDOS = Allegation(type="connection/ddos", source=SOURCE, protocol="tcp", moment=MOMENT)
TELLING = [
    '{"ts":"2026-03-14T09:12:44Z","src":"192.0.2.1","http_method":"GET","path":"/?q=x","status":503}',
    '{"client":"192.0.2.1","tls":{"version":"TLSv1.3"},"ja3_hash":"e7d705a3286e19ea42f587b344ee6865"}',
    "src=192.0.2.1 method=POST uri=/login user_agent=curl/8",
    "09:12:44 192.0.2.1 SSL handshake failed: no shared cipher",
    "attack_vector: http_flood",
    "An application-layer flood of our front page.",
]


@pytest.mark.parametrize("excerpt", TELLING)
def test_a_completed_exchange_is_never_called_forgeable(excerpt: str) -> None:
    assert grade(replace(DDOS, excerpt=excerpt)) is EvidenceGrade.ESTABLISHED
    assert grade(replace(DDOS, excerpt="09:12:44 SYN 192.0.2.1:4711 > 198.51.100.2:443")) is EvidenceGrade.SPOOFABLE


def test_of_requests_over_quic_it_is_not_said_that_they_are_forgeable() -> None:
    over_quic = replace(DDOS, protocol="udp", excerpt='"GET / HTTP/3" 200')
    assert grade(over_quic) is EvidenceGrade.UNKNOWN
    assert grade(replace(over_quic, excerpt="udp 443, 1200 bytes received")) is EvidenceGrade.SPOOFABLE


WORLDS = st.fixed_dictionaries(
    {
        "exchange": st.sampled_from([None, *TELLING]),
        "log": st.sampled_from(["", "09:12:44 edge kernel: SRC=192.0.2.1", "Received: from example.net"]),
        "prose": st.sampled_from(["", "192.0.2.1 attacks us, stop it.", "See what is attached, capture.pcap"]),
        "type": st.sampled_from(["connection/ddos", "connection/port_scan", "connection/login_attack"]),
        "time": st.booleans(),
        "strikes": st.lists(
            st.tuples(st.integers(0, 800), st.booleans(), st.sampled_from(["own", "other"])), max_size=4
        ),
    }
)


@given(WORLDS)
@settings(max_examples=100, deadline=None, phases=(Phase.generate,))
def test_what_is_said_of_a_report_is_true_of_what_it_shows_and_of_earlier_cases(
    world: dict[str, Any],
) -> None:
    """From what happened to the sentence, with nothing given in between that could be wrong itself."""
    now, edition = MOMENT.at + timedelta(hours=2), shipped_editions()[-1]
    excerpt = "\n".join(filter(None, (world["prose"], world["log"], world["exchange"])))
    told = Allegation(
        type=world["type"], source=SOURCE, protocol="tcp", excerpt=excerpt, moment=MOMENT if world["time"] else None
    )
    clause = edition.clause_of(told)
    assert clause is not None
    strikes = [
        Strike(case=f"C-{n}", group=clause.group if kind == "own" else kind, at=now - timedelta(days=d), contested=c)
        for n, (d, c, kind) in enumerate(world["strikes"])
    ]
    lifetime = edition.repeats_of(clause.group).lifetime
    verdict = judge(
        told, attribution=Attribution(grade=Grade.CONFIRMED, reason=AttributionReason.ONE_HOLDER, customer="acct-1"),
        history=History(cases_before=count(strikes, group=clause.group, at=now, lifetime=lifetime)), edition=edition,
        received_at=now, trust=Trust(evidence=grade(told)),
    )  # fmt: skip
    said = " ".join(sentence.text for sentence in explain(verdict, edition=edition, to=Audience.CUSTOMER))
    if world["exchange"] or world["type"] == "connection/login_attack":
        assert "somebody else sent these packets" not in said
    if world["log"] or world["time"] or world["exchange"]:
        assert "nothing that shows it" not in said or world["exchange"] in TELLING[4:]
    counts = [d for d, contested, kind in world["strikes"] if kind == "own" and not contested and d <= lifetime.days]
    assert ("An earlier case of this kind" in said) is bool(counts)
    assert ("No earlier case of this kind counts" in said) is not bool(counts)
    assert "upheld" not in said + verdict.explanation
