"""The page on which an analyst asks who held an address."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from django.test import Client

import tipstaff.attribution.sources as built_in
from tipstaff import wiring
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.cases.queries import list_cases
from tipstaff.ledger.canonical import plain
from tipstaff.ledger.queries import recent
from tipstaff.registry import operations as registry
from tipstaff.web.console.lanes import Row, picture, rows_of, rows_on_record
from tipstaff.web.console.reads import attribution_in
from tipstaff.words import (
    PUBLIC,
    Attribution,
    AttributionReason,
    Customer,
    Gap,
    Grade,
    HoldingKind,
    Resource,
    ResourceKind,
    Role,
    Service,
    ServiceKind,
    Tier,
)

BEGIN, NOON = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 10, 12, tzinfo=UTC)
BY = {"at": datetime(2026, 3, 11, tzinfo=UTC), "actor": "engineer"}
SAMPLES = Path(built_in.__file__).parent


@pytest.fixture
def desk(at: object, log_in) -> Client:
    """An operator with a pool, two subscribers, and the accounting of one day."""
    for kind in (HoldingKind.STATIC, HoldingKind.POOL):
        registry.hold(
            tier=Tier.OPERATOR, kind=kind, prefix=ip_network("198.51.100.0/24"), held_from=BEGIN, source="plan", **BY
        )
    for number, login in ((1, "alice"), (2, "bob")):
        registry.add_customer(Customer(key=f"acct-{number}", name=f"Customer {number}", representative=None), **BY)
        registry.add_service(Service(key=f"svc-{number}", customer=f"acct-{number}", kind=ServiceKind.ACCESS), **BY)
        registry.hold_resource(
            Resource(kind=ResourceKind.LOGIN, name=login, scope="radius", customer=f"acct-{number}",
                     service=f"svc-{number}", held_from=BEGIN), **BY,
        )  # fmt: skip
    detail = SAMPLES / "radius" / "samples" / "detail.log"
    list(take_in(detail, wiring.sources()["radius-detail"], Options(source="radius-detail"), **BY))
    return log_in(Role.ANALYST)


def ask(desk: Client, **question: str) -> str:
    answer = desk.get("/console/held", question)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_answer_names_its_customer_with_proof_and_a_picture(desk):
    shown = ask(desk, address="198.51.100.7", at="2026-03-10 13:00:00")
    assert '<span class="chip tone-green">Confirmed</span>' in shown
    assert 'href="/console/customers/acct-1"' in shown
    assert "radius-detail: 198.51.100.7/32 → alice · acct-1" in shown
    assert "registry: 198.51.100.0/24 → the operator" in shown
    assert "detail.log:0" in shown
    assert "2026-03-10 12:59:59 – 2026-03-10 13:00:01" in shown
    assert shown.count(">asked</text>") == 2, "one picture for a wide page, one for a phone"
    # The later session of the same log-in is in the picture, and proves nothing about this question.
    assert shown.count(">proof</span>") == 3


def test_a_time_with_a_zone_is_taken_at_its_word(desk):
    assert "12:59:59 – 2026-03-10 13:00:01" in ask(desk, address="198.51.100.7", at="2026-03-10T14:00:00+01:00")


def test_a_day_alone_is_all_of_it(desk):
    assert "2026-03-09 10:00:00 – 2026-03-11 14:00:00" in ask(desk, address="198.51.100.7", at="2026-03-10")


def test_where_nobody_is_named_the_page_says_why(desk):
    assert "Nobody is named" in ask(desk, address="198.51.100.77", at="2026-03-10 13:00")
    assert "It was not our space." in ask(desk, address="203.0.113.1", at="2026-03-10 13:00")
    assert "A log names a subscriber whom the registry does not know." in ask(
        desk, address="198.51.100.9", at="2026-03-10 18:55"
    )


def test_a_host_name_is_asked_of_the_registrys_sites(desk):
    registry.add_site(
        "shop.example.net", address=ip_address("198.51.100.9"), customer="acct-2", service=None, since=BEGIN, **BY
    )
    shown = ask(desk, address="Shop.Example.net.", at="2026-03-10 13:00")
    assert "site: shop.example.net → 198.51.100.9 · acct-2" in shown
    assert 'href="/console/customers/acct-2"' in shown


def test_the_answer_shows_what_the_registry_knew_at_an_earlier_time(desk):
    later = {"at": BY["at"] + timedelta(days=1), "actor": "engineer"}
    held = {"tier": Tier.CUSTOMER, "kind": HoldingKind.STATIC, "held_from": BEGIN, "source": "plan"}
    number = registry.hold(prefix=ip_network("198.51.100.66/32"), customer="acct-1", **held, **BY)
    registry.end_holding(number, held_until=NOON - timedelta(hours=1), **later)
    registry.hold(prefix=ip_network("198.51.100.67/32"), customer="acct-2", **held, **later)

    def then(address: str, known_at: str) -> tuple[str, str]:
        shown = ask(desk, address=address, at="2026-03-10 12:00:00", known_at=known_at)
        part = shown[shown.index('id="t-h"') : shown.index('id="p-h"')]
        before, _, after = part.partition("What it came to know later")
        return before, after

    before, after = then("198.51.100.66", "2026-03-11 06:00:00")
    assert "1 row of then stands no more." in before
    assert ("acct-1" in before, after) == (True, "")
    before, after = then("198.51.100.67", "2026-03-11 06:00:00")
    assert "0 rows of then stand no more, and 1 came later." in before
    assert ("acct-2" in before, "acct-2" in after) == (False, True)
    for address in ("198.51.100.66", "198.51.100.67"):
        assert "It says the same of this time now." in then(address, "2026-03-13T00:00:00+00:00")[0]
    assert 'id="t-h"' not in ask(desk, address="198.51.100.66", at="2026-03-10 12:00:00")


def test_a_log_in_that_a_log_names_is_shown_as_the_registry_knew_it(desk):
    shown = ask(desk, address="198.51.100.7", at="2026-03-10 13:00:00", known_at="2026-03-11 00:00:00")
    assert "login alice" in shown[shown.index('id="t-h"') : shown.index('id="p-h"')]


def test_a_case_leads_to_what_the_registry_knew_at_its_verdict(day, log_in):
    entry = next(e for e in recent(limit=5000) if e.what == "incident.judged" and e.detail.get("customer"))
    found = attribution_in([entry], resource="192.0.2.7")
    assert found is not None
    page = log_in(Role.ANALYST).get(f"/console/held?{found.question}&{found.as_known}")
    assert f"As the registry knew it at {entry.at:%Y-%m-%d %H:%M:%S} UTC" in page.content.decode()
    case = list_cases(limit=1)[0]
    assert "with what the registry knew then" in log_in(Role.ANALYST).get(f"/console/cases/{case.key}").content.decode()


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ({"address": "198.51.100.777"}, "is not an IPv4 or IPv6 address."),
        ({"address": "198.51.100.7", "port": "http"}, "is not a port from 0 to 65535."),
        ({"address": "198.51.100.7", "port": "99999"}, "is not a port from 0 to 65535."),
        ({"address": "198.51.100.7", "at": "noon"}, "is not a time; write one like 2026-03-01T12:00:00Z."),
        ({"address": "198.51.100.7", "at": "0001-01-01"}, "is no time that a log could have;"),
        ({"address": "198.51.100.7", "at": "2031-01-01"}, "lies in the future, and nobody has held anything then."),
        ({"address": "198.51.100.7", "known_at": "0001-01-01 00:00:00+14:00"}, "is no time at which the registry knew"),
        ({"address": "198.51.100.7", "known_at": "9999-12-31 23:59:59-14:00"}, "is no time at which the registry knew"),
        ({"address": "shop.example.net", "known_at": "2026-03-01 12:00:00"}, "not of a host name"),
        ({"address": "198.51.100.7", "known_at": "then"}, "is no time at which the registry knew something;"),
        ({"address": "198.51.100.7", "known_at": "2026-02-31 12:00"}, "is no time at which the registry knew"),
        ({"address": "198.51.100.7", "precision": "-1"}, "The precision is between 0 seconds and a year."),
        ({"address": "<b>.example", "protocol": "x"}, "is no protocol; write tcp, udp, or its IANA number."),
    ],
)
def test_a_question_that_is_none_gets_a_sentence(desk, question, sentence):
    shown = ask(desk, **question)
    assert sentence in shown
    assert "<b>.example" not in shown


def test_lanes_keep_to_the_picture_and_group_what_is_alike():
    def row(since: datetime | None, until: datetime | None, **more) -> Row:
        more = {"sure": (since or BEGIN, until), "named": "alice", **more}
        return Row(word="radius-1", what="198.51.100.7/32", ports="all", since=since, until=until, shown_by="x:0",
                   proves=False, tone="blue", **more)  # fmt: skip

    hour = timedelta(hours=1)
    rows = [row(None, NOON), row(NOON + hour, None), row(NOON, NOON + hour, sure=None, named="bob")]
    drawn = picture(
        rows, begin=NOON - 10 * hour, end=NOON + 10 * hour, earliest=NOON, latest=NOON + hour, width=1000
    )  # fmt: skip
    first, second = drawn.lanes
    assert [(b.x, b.width, b.sure) for b in first.bars] == [(0, 500, False), (0, 500, True), (550, 450, True)]
    assert [(b.x, b.width, b.sure) for b in second.bars] == [(500, 50, False)]
    assert (drawn.asked_x, drawn.asked_width) == (500, 50)
    assert all(0 < x < 1000 for x, _ in drawn.ticks)
    assert 3 <= len(drawn.ticks) <= 9


def test_the_time_after_a_gap_is_drawn_apart_from_the_gap():
    after = NOON + timedelta(hours=1)
    gaps = [Gap(since=None, until=NOON), Gap(since=NOON, until=after, lasting=True, beside=True)]
    nobody = Attribution(grade=Grade.AMBIGUOUS, reason=AttributionReason.UNSEEN_CONNECTIONS)
    rows = rows_of(holdings=(), bindings=(), identities=(), gaps=gaps, sites=(), answer=nobody)
    assert [(r.word, r.since, r.until) for r in rows] == [("not read", None, NOON), ("after a gap", NOON, after)]
    assert len({r.lane for r in rows}) == 2


def test_what_proved_a_case_is_drawn_as_the_record_keeps_it():
    hour = timedelta(hours=1)
    kept = plain({
        "customer": "acct-1", "downstream": None, "sites": None,
        "proof": [
            {"prefix": "100.64.0.1/32", "customer": "acct-1", "tier": Tier.CUSTOMER, "kind": HoldingKind.STATIC,
             "ports": [0, 65535], "from": BEGIN, "until": None, "source": "plan"},
            {"prefix": "198.51.100.0/24", "customer": None, "tier": Tier.OPERATOR, "kind": HoldingKind.POOL,
             "ports": [0, 65535], "from": BEGIN, "until": None, "source": "plan"},
        ],
        "logs": [
            {"source": "nat-1", "realm": PUBLIC, "prefix": "198.51.100.7/32", "ports": [1024, 2047], "subject": "",
             "inside": "100.64.0.1", "possible": [NOON - hour, NOON + hour], "sure": [NOON, NOON + hour / 2],
             "file": "nat.log", "offset": 40},
            {"source": "lease-1", "realm": "home", "prefix": "198.51.100.7/32", "ports": [0, 65535], "subject": "x",
             "inside": None, "possible": [NOON, None], "sure": [NOON, NOON], "file": "l", "offset": 0},
            "no row",
        ],
    })  # fmt: skip
    mine, pool, nat, lease = rows_on_record(kept)
    assert (mine.label, mine.tone, mine.shown_by) == (
        "registry: 100.64.0.1/32 → acct-1",
        "green",
        "plan customer static",
    )
    assert (pool.label, pool.tone) == ("registry: 198.51.100.0/24 → the operator", "grey")
    assert (nat.label, nat.shown_by) == ("nat-1: 198.51.100.7/32 ports 1024–2047 → 100.64.0.1", "nat.log:40")
    assert (nat.since, nat.until, nat.sure) == (NOON - hour, NOON + hour, (NOON, NOON + hour / 2))
    assert (lease.word, lease.until, lease.sure) == ("lease-1 (home)", None, None)
    assert rows_on_record({"proof": "old", "logs": [{"possible": "x", "ports": [1]}]})[0].since is None


def test_the_destination_tells_two_connections_of_one_port_apart(desk, tmp_path, settings):
    settings.FLOWS_FOLDER = tmp_path / "flows"
    plan = tmp_path / "plan.csv"
    plan.write_text("prefix,service,since\n" + "".join(f"100.64.0.{n},svc-{n},2025-01-01T00:00:00Z\n" for n in (1, 2)))
    list(take_in(plan, wiring.sources()["ipam"], Options(source="plan", realm="cgn"), **BY))
    begin, lines = NOON.timestamp(), ""
    for event, after in (("NEW", 0), ("DESTROY", 100)):
        for n in (1, 2):
            lines += (
                f"[{begin + after + n:.6f}]\t[{event}] tcp      6 "
                f"src=100.64.0.{n} dst=203.0.113.{n} sport=4000 dport=443 "
                f"src=203.0.113.{n} dst=198.51.100.9 sport=443 dport=1500\n"
            )
    (tmp_path / "nat.log").write_text(lines)
    options = Options(source="cgn-1", inside_realm="cgn", lasts_seconds=0)
    list(take_in(tmp_path / "nat.log", wiring.sources()["nat-flows"], options, **BY))

    asked = {"address": "198.51.100.9", "port": "1500", "protocol": "tcp", "at": "2026-03-10T12:00:50Z"}
    assert "Nobody is named" in ask(desk, **asked)
    shown = ask(desk, **asked, destination="203.0.113.2", destination_port="443")
    assert 'href="/console/customers/acct-2"' in shown
    assert 'value="203.0.113.2"' in shown
    assert "None of the port" in ask(desk, **asked, destination="203.0.113.77")
    assert "is not an IPv4 or IPv6 address" in ask(desk, **asked, destination="nobody")

    asked = {**asked, "port": 1500}
    told = desk.post(
        "/api/attribute",
        [asked, {**asked, "destination": "203.0.113.1"},
         {**asked, "destination": "203.0.113.2", "destination_port": 443}, {**asked, "destination": "nobody"}],
        content_type="application/json",
    ).json()  # fmt: skip
    assert [a.get("customer") for a in told] == [None, "acct-1", "acct-2", None]
    assert "nobody" in told[3]["error"]
