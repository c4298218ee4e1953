"""Many rows of one report are decided in lots: the outcome is that of one by one, which is the reference."""

import dataclasses
import json
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from tests.procedures.office import HOUR, NOON, Office, reporter
from tipstaff.attribution.operations import take_in as read_log
from tipstaff.attribution.protocol import Options
from tipstaff.cases.models import CaseRow, MemberRow
from tipstaff.intake.models import IncidentRow, ReportRow
from tipstaff.ledger.models import Entry
from tipstaff.ledger.operations import seal_entries
from tipstaff.ledger.queries import entries_about, verify
from tipstaff.notices.models import LetterRow
from tipstaff.policy.shadow import Shadow
from tipstaff.procedures import complaint, lots
from tipstaff.procedures.sighting import judge_waiting, take
from tipstaff.procedures.trust import FLOOD
from tipstaff.registry import operations as registry
from tipstaff.web.console.sentences import tell_all
from tipstaff.wiring import sources
from tipstaff.words import HoldingKind, LetterKind, ReadingReason, ReportOutcome, Service, ServiceKind, Standing, Tier

HEADING = '"timestamp","ip","protocol","port","http_host","tag","asn","geo"'
KINDS = ("scan_rdp", "event4_sinkhole", "event4_honeypot_brute_force", "event4_ddos_participant", "scan_http")
ADDRESSES = (
    *(f"192.0.2.{n}" for n in range(1, 9)),  # single holders
    "192.0.2.20",  # changes hands at NOON - 3 h
    "192.0.2.21",  # shared by ports
    "192.0.2.22",  # a reseller's
    "192.0.2.23",  # of somebody who cannot be written to
    "192.0.2.24",  # of somebody who left
    "192.0.2.200",  # ours, nobody's
    "198.51.100.9",  # ours, in a pool
    "203.0.113.9",  # not ours
    "2001:db8::9",  # not ours
)


@pytest.fixture
def street(office: Office) -> Office:
    """Customers of all sorts."""
    for n in range(1, 9):
        office.admit(f"acct-{n}", f"192.0.2.{n}")
        service = Service(key=f"svc-{n}", customer=f"acct-{n}", kind=ServiceKind.HOSTING)
        registry.add_service(service, at=NOON, actor="import")
    for name in ("before", "after", "low", "high"):
        office.admit(name)
    office.hold("192.0.2.20/32", customer="before", until=NOON - 3 * HOUR)
    office.hold("192.0.2.20/32", customer="after", since=NOON - 3 * HOUR)
    office.hold("192.0.2.21/32", customer="low", ports=(0, 1999), kind=HoldingKind.PORT_BLOCK)
    office.hold("192.0.2.21/32", customer="high", ports=(2000, 65535), kind=HoldingKind.PORT_BLOCK)
    office.admit("resold", "192.0.2.22", is_reseller=True)
    office.admit("silent", "192.0.2.23", representative=False)
    office.admit("gone", "192.0.2.24", standing=Standing.TERMINATED)
    office.hold("198.51.100.0/28", customer=None, tier=Tier.OPERATOR, kind=HoldingKind.POOL)
    registry.add_site(
        "shop.example.com", address=ip_address("192.0.2.8"), customer="acct-8", service="svc-8",
        since=NOON - timedelta(days=90), at=NOON, actor="import",
    )  # fmt: skip
    return office


def rows(seed: int, *, number: int) -> list[str]:
    """Rows of a feed, many of them alike, some beyond what can be judged."""
    dice = random.Random(seed)
    found = []
    for _ in range(number):
        hours = dice.choice([0.5, 1, 1.5, 2.9, 3.1, 5, 5.5, 24 * 300, -48])
        when = (NOON - timedelta(hours=hours, minutes=dice.choice([0, 20, 40]))).strftime("%Y-%m-%d %H:%M:%S")
        stated = dice.choice([when, when, when, when, when, "", "the other evening"])
        port = dice.choice(["", "443", "443", "3389", "1999", "2000"])
        host = dice.choice([""] * 8 + ["shop.example.com", "other.example.org"])
        found.append(
            f'"{stated}","{dice.choice(ADDRESSES)}","{dice.choice(["tcp", "udp"])}",{port},"{host}","x",0,"ZZ"'
        )
    return found


def feed(lines: list[str], *, kind: str, at: datetime) -> bytes:
    """A mail with a report, as the publisher attaches it."""
    mail = EmailMessage()
    mail["From"], mail["Subject"] = f"Reports <{reporter().address}>", f"Report {at.isoformat()}"
    mail.set_content("The report follows.\n")
    text = "\n".join([HEADING, *lines])
    mail.add_attachment(text.encode(), maintype="text", subtype="csv", filename=f"2026-05-04-{kind}-example-asn.csv")
    mail.set_boundary("the-same-each-time")
    return mail.as_bytes()


class Undone(Exception):
    """Takes a world back."""


@contextmanager
def world() -> Iterator[None]:
    """What happens inside is undone at the end."""
    try:
        with transaction.atomic():
            yield
            raise Undone
    except Undone:
        pass


KEYS = re.compile(r"[RCLMS]-\d{6,}")


def told() -> dict[str, list[Any]]:
    """Everything that came of it, with keys by the order in which they were given."""
    reports = list(ReportRow.objects.order_by("id").values_list("key", "outcome", "outcome_reason"))
    incidents = list(
        IncidentRow.objects.order_by("report_id", "n").values_list("report__key", "n", "outcome", "reason", "case")
    )
    cases = [
        {k: v for k, v in row.items() if k not in ("opened_at", "closed_at")}
        for row in CaseRow.objects.order_by("key").values()
    ]
    members = sorted(MemberRow.objects.values_list("case_id", "incident", "told_by", "confirmed"))
    letters = list(LetterRow.objects.order_by("id").values_list("kind", "to", "subject", "body", "case", "report"))
    entries = []
    for entry in Entry.objects.order_by("id"):
        detail = {k: v for k, v in entry.detail.items() if k != "incidents"}
        measured = any(key.startswith("S-") for key in entry.about)
        if measured or entry.what not in ("case.joined", "incident.decided"):
            entries.append((entry.what, entry.about, entry.detail))
            continue
        # One entry may speak of several incidents that came to the same.
        report = next(key for key in entry.about if re.fullmatch(r"R-\d+", key))
        others = [key for key in entry.about if not key.startswith(f"{report}.")]
        for n in numbers_of(entry):
            entries.append((entry.what, [f"{report}.{n}", *sorted(others)], detail))
    known: dict[str, str] = {}

    def plain(value: object) -> Any:
        for key in KEYS.findall(repr(value)):
            known.setdefault(key, f"{key[0]}#{sum(k[0] == key[0] for k in known)}")
        return KEYS.sub(lambda found: known[found[0]], repr(value))

    return {
        "reports": [plain(x) for x in reports],
        "incidents": [plain(x) for x in incidents],
        "cases": [plain(x) for x in cases],
        "members": sorted(plain(x) for x in members),
        "letters": [plain(x) for x in letters],
        "entries": sorted(plain(x) for x in entries),
    }


def numbers_of(entry: Entry) -> list[int]:
    said = entry.detail.get("incidents")
    if said is None:
        return [int(key.rpartition(".")[2]) for key in entry.about if re.fullmatch(r"R-\d+\.\d+", key)]
    spans = [span.partition("-") for span in said.split()]
    return [n for first, _, last in spans for n in range(int(first), int(last or first) + 1)]


def take_both_in(office: Office, seed: int, *, number: int = 120) -> None:
    """Two reports by one reporter; the second tells much of the first once more."""
    first = rows(seed, number=number)
    second = [*rows(seed + 1000, number=number // 2), *first[: number // 2]]
    kind = KINDS[seed % len(KINDS)]
    office.take_in(feed(first, kind=kind, at=NOON), at=NOON, sender=reporter().address)
    at = NOON + HOUR / 2
    office.take_in(feed(second, kind=kind, at=at), at=at, sender=reporter().address)


def both_ways(
    take_in: Callable[[], object], monkeypatch: pytest.MonkeyPatch, *, lot: int
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """What comes of it one by one and in lots of that size; neither way leaves anything behind."""
    monkeypatch.setattr(complaint, "MANY", 10**9)
    with world():
        take_in()
        one_by_one = told()
    monkeypatch.setattr(complaint, "MANY", 1)
    monkeypatch.setattr(lots, "LOT", lot)
    with world():
        take_in()
        return one_by_one, told()


def check_that_they_agree(one_by_one: dict[str, list[Any]], in_lots: dict[str, list[Any]]) -> None:
    for name, expected in one_by_one.items():
        differing = [pair for pair in zip(in_lots[name], expected, strict=True) if pair[0] != pair[1]]
        assert not differing, (name, differing[:2])


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(6))
def test_lots_come_to_what_one_by_one_comes_to(street: Office, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one, in_lots = both_ways(lambda: take_both_in(street, seed), monkeypatch, lot=7 + 10 * seed)
    assert len(one_by_one["incidents"]) > 100
    check_that_they_agree(one_by_one, in_lots)


def read_flows(folder: Path) -> None:
    """NAT spoke for two addresses: for one of the pool, and for one that the registry says is acct-2's alone."""
    lines = []
    for public in ("198.51.100.9", "192.0.2.2"):
        for name, number in (("tcp", 6), ("udp", 17)):
            for port in (443, 3389):
                for inside, since, until in (("100.64.0.1", 8, 4), ("100.64.0.3", 4, -1)):
                    words = (
                        f"{name} {number} src={inside} dst=203.0.113.7 sport=20000 dport=443 "
                        f"src=203.0.113.7 dst={public} sport=443 dport={port}\n"
                    )
                    for hours, what in ((since, "NEW"), (until, "DESTROY")):
                        at = (NOON - hours * HOUR).timestamp() + (what == "NEW")
                        lines.append((at, f"[{at:.6f}]\t [{what}] {words}"))
    (folder / "plan.csv").write_text(
        "prefix,service,since\n100.64.0.1/32,svc-1,2020-01-01T00:00:00Z\n100.64.0.3/32,svc-3,2020-01-01T00:00:00Z\n"
    )
    (folder / "nat.log").write_text("".join(line for _, line in sorted(lines)))
    by: dict[str, Any] = {"at": NOON + 2 * HOUR, "actor": "engineer"}
    list(read_log(folder / "plan.csv", sources()["ipam"], Options(source="plan", realm="cgn"), **by))
    # The NAT is as young as its log.
    nat = Options(source="cgn-1", inside_realm="cgn", lasts_seconds=0)
    list(read_log(folder / "nat.log", sources()["nat-flows"], nat, **by))


@pytest.mark.django_db
def test_whom_flows_in_files_name_is_named_and_nobody_else(
    street: Office, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No table says of which addresses such flows speak: only their files do."""
    settings.FLOWS_FOLDER = tmp_path / "flows"
    read_flows(tmp_path)

    def take_in() -> None:
        lines = [
            f'"{NOON - hours * HOUR:%Y-%m-%d %H:%M:%S}","{address}","{protocol}",{port},"","x",0,"ZZ"'
            for hours in (1, 5)
            for address in ("198.51.100.9", "192.0.2.2", "192.0.2.5")
            for protocol in ("tcp", "udp")
            for port in (443, 3389)
        ]
        street.take_in(feed(lines, kind=KINDS[3], at=NOON), at=NOON, sender=reporter().address)
        take_both_in(street, 2)

    one_by_one, in_lots = both_ways(take_in, monkeypatch, lot=23)
    judged = [e for e in one_by_one["entries"] if "incident.judged" in e and "cgn-1" in e]
    for customer in ("acct-1", "acct-3"):
        assert any(f"'customer': '{customer}'" in e for e in judged), "flows name somebody of the pool"
    assert any("CONTRADICTED" in e and "acct-2" in e for e in judged), "flows speak against the registry"
    check_that_they_agree(one_by_one, in_lots)


@pytest.mark.django_db
@pytest.mark.parametrize("lot", [11, 1000])
def test_what_we_measured_bears_out_rows_in_lots_as_well(
    street: Office, lot: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hand_in(*addresses: str, at: datetime) -> None:
        facts = {"packets_per_second": 90_000, "seconds": 120, "agreed_test": False}
        floods = [
            {
                "id": f"{address}-{hours}", "kind": "flows.flood", "type": "connection/ddos", "source": address,
                "at": (NOON - hours * HOUR).isoformat(), "facts": facts,
            }
            for address in addresses
            for hours in (1, 1.5, 5)
        ]  # fmt: skip
        raw = "\n".join(map(json.dumps, floods)).encode()
        assert take(raw, sensor="flows-1", desk=street.desk, at=at, actor="tests").taken
        judge_waiting(desk=street.desk, at=at)

    def take_in() -> None:
        hand_in("192.0.2.1", "192.0.2.2", "192.0.2.20", "192.0.2.23", "198.51.100.9", at=NOON)
        take_both_in(street, 3)
        hand_in("192.0.2.3", "192.0.2.4", at=NOON + HOUR)
        take_both_in(street, 8)

    assert KINDS[3] == KINDS[8 % len(KINDS)] == "event4_ddos_participant"
    one_by_one, in_lots = both_ways(take_in, monkeypatch, lot=lot)
    judged = [e for e in one_by_one["entries"] if "incident.judged" in e and "'evidence'" in e]
    borne_out = [e for e in judged if "'evidence': 'corroborated'" in e]
    assert 5 < len(borne_out) < len(judged) / 2
    assert any("incident.corroborated" in e for e in one_by_one["entries"])
    check_that_they_agree(one_by_one, in_lots)


@pytest.mark.django_db
def test_a_flood_of_reports_is_noticed_in_lots_as_well(street: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    street.desk = dataclasses.replace(street.desk, flood_hourly=1)
    one_by_one, in_lots = both_ways(lambda: take_both_in(street, 3), monkeypatch, lot=17)
    assert any(FLOOD in e for e in one_by_one["entries"])
    judged = [e for e in one_by_one["entries"] if "incident.judged" in e]
    assert 0 < sum("'flooding': True" in e for e in judged) < len(judged)
    check_that_they_agree(one_by_one, in_lots)


@pytest.mark.django_db
def test_who_answers_a_letter_with_rows_of_a_feed_accuses_nobody(
    street: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_both_in(street, 3)
    street.post(at=NOON + HOUR)
    notice = next(x for x in street.letters_to("acct-1@customer.example.com") if x.kind is LetterKind.NOTICE)
    raw = f"In-Reply-To: {notice.message_id}\n".encode() + feed(rows(77, number=60), kind=KINDS[3], at=NOON + HOUR)

    def take_in() -> None:
        report = street.take_in(raw, at=NOON + 2 * HOUR, sender=notice.to)
        assert report.reading is not None
        assert (report.reading.reason, report.incidents) == (ReadingReason.REPLY, ())

    one_by_one, in_lots = both_ways(take_in, monkeypatch, lot=1000)
    assert any("letter.replied" in e for e in one_by_one["entries"])
    check_that_they_agree(one_by_one, in_lots)


@pytest.mark.django_db
def test_the_palette_reaches_every_outcome(street: Office) -> None:
    """Or the comparison would show little."""
    for seed in range(5):
        take_both_in(street, seed)
    outcomes = set(IncidentRow.objects.values_list("outcome", flat=True).distinct())
    expected = {
        ReportOutcome.NOT_OURS, ReportOutcome.NEEDS_DETAIL, ReportOutcome.TOO_OLD, ReportOutcome.DUPLICATE,
        ReportOutcome.FORWARDED, ReportOutcome.WITH_A_PERSON,
    }  # fmt: skip
    assert {str(o) for o in expected} <= outcomes
    reasons = set(IncidentRow.objects.values_list("reason", flat=True).distinct())
    assert {
        "CUSTOMER_GONE",
        "NO_REPRESENTATIVE",
        "NO_HOLDER",
        "JOINED",
        "SHARED_WITHOUT_PORT",
        "TIME_UNREAD",
    } <= reasons


@pytest.mark.django_db
def test_an_edition_in_the_shadow_is_asked_of_each_row(street: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    edition = street.desk.editions[-1]
    stricter = dataclasses.replace(edition, id="2027-01", look_back=timedelta(hours=2))
    street.desk = dataclasses.replace(street.desk, shadow=Shadow(edition=stricter))
    monkeypatch.setattr(complaint, "MANY", 10**9)
    with world():
        take_both_in(street, 3)
        one_by_one = told()
    monkeypatch.setattr(complaint, "MANY", 1)
    with world():
        take_both_in(street, 3)
        assert told()["entries"] == one_by_one["entries"]
        assert Entry.objects.filter(what="shadow.disagreed").exists()


class Killed(BaseException):
    """The worker dies."""


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["judged", "joined", "settled"])
def test_a_worker_that_dies_in_a_lot_loses_and_doubles_nothing(
    street: Office, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(complaint, "MANY", 1)
    monkeypatch.setattr(lots, "LOT", 25)
    with world():
        take_both_in(street, 4)
        undisturbed = told()
    name = {"judged": "record_all", "joined": "join_or_open_all", "settled": "settle_incidents"}[place]
    real: Callable[..., Any] = getattr(lots, name)
    calls = iter(range(1000))

    def dies_at_the_third(*args: Any, **named: Any) -> Any:
        done = real(*args, **named)
        if next(calls) == 2:
            raise Killed
        return done

    with world():
        monkeypatch.setattr(lots, name, dies_at_the_third)
        with pytest.raises(Killed):
            take_both_in(street, 4)
        monkeypatch.setattr(lots, name, real)
        key = ReportRow.objects.get().key
        assert IncidentRow.objects.filter(outcome=str(ReportOutcome.RECEIVED)).exists()
        complaint.understand(key, desk=street.desk, at=NOON)
        complaint.understand(key, desk=street.desk, at=NOON)
        take_both_in(street, 4)
        again = told()
    for found in (undisturbed, again):
        # The first report's bytes come once more: that alone is another entry.
        found["entries"] = [e for e in found["entries"] if "evidence.seen_again" not in e]
    assert again == undisturbed


@pytest.mark.django_db
def test_the_record_of_lots_is_whole(street: Office) -> None:
    take_both_in(street, 5)
    seal_entries()
    assert verify().whole


@pytest.mark.django_db
def test_a_customer_of_hundreds_of_rows_gets_one_letter(street: Office) -> None:
    lines = [
        f'"{(NOON - timedelta(minutes=n)).strftime("%Y-%m-%d %H:%M:%S")}","192.0.2.1","tcp",{2000 + n},"","x",0,"ZZ"'
        for n in range(300)
    ]
    report = street.take_in(feed(lines, kind="scan_rdp", at=NOON), at=NOON, sender=reporter().address)
    assert {i.outcome for i in report.incidents} == {ReportOutcome.FORWARDED}
    assert len({i.case for i in report.incidents}) == 1
    street.post(at=NOON)
    assert len(street.letters_to("acct-1@customer.example.com")) == 1
    (case,) = street.cases()
    assert case.reports == 300
    steps = tell_all(entries_about(case.key))
    joined = [step.text for step in steps if step.title == "More of the same joined"]
    assert joined == [f"299 incidents of {report.key} are about the same thing and keep their own outcomes."]


@pytest.mark.django_db(transaction=True)
def test_two_reports_about_the_same_customers_at_once_open_one_case_for_each(
    street: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lots, "LOT", 10)
    keys = []
    for n in range(2):
        when, step = (NOON - HOUR).strftime("%Y-%m-%d %H:%M:%S"), (1, 7)[n]
        lines = [f'"{when}","192.0.2.{1 + m * step % 8}","tcp",{3000 + 1000 * n + m},"","x",0,"ZZ"' for m in range(80)]
        raw = feed(lines, kind="scan_rdp", at=NOON + n * HOUR / 60)
        keys.append(
            complaint.accept(
                raw, sender=reporter(n + 1).address, recipients=(), channel=complaint.Channel.SMTP, desk=street.desk,
                at=NOON,
            )
        )  # fmt: skip
    failed: list[BaseException] = []
    start = threading.Barrier(2)

    def work(key: str) -> None:
        try:
            start.wait(30)
            complaint.understand(key, desk=street.desk, at=NOON)
        except BaseException as why:  # noqa: BLE001 - shown by the assertion below
            failed.append(why)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failed == []
    assert CaseRow.objects.count() == 8
    assert sum(CaseRow.objects.values_list("reports", flat=True)) == MemberRow.objects.count() == 160
    assert LetterRow.objects.filter(kind="notice").values("case").distinct().count() == 8
    assert not IncidentRow.objects.filter(outcome=str(ReportOutcome.RECEIVED)).exists()
