"""A reading that was wrong is taken out: it names nobody any more, and the file can be read the right way."""

import json
import random
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from tipstaff.attribution.match import Question
from tipstaff.attribution.models import BindingRow, CoverRow, FlowPartRow, LoadRow, ScopeRow
from tipstaff.attribution.operations import NoSuchReading, add_identities, forget_flows, take_in, take_out
from tipstaff.attribution.protocol import Options
from tipstaff.attribution.queries import bindings_covering, flows_kept, flows_spoilt, readings
from tipstaff.cli.main import app
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures.lookup import answer_one
from tipstaff.registry import operations as registry
from tipstaff.wiring import sources
from tipstaff.words import Attribution, Customer, Grade, HoldingKind, Identity, Moment, SubjectKind, Tier

from .test_flows import BY, LATER, NOON, PUBLIC, folder, operator, plan

__all__ = ["folder", "operator"]  # Fixtures.
pytestmark = pytest.mark.django_db
HEADER = "timestamp,acct_status_type,user_name,framed_ip_address,acct_session_id,acct_session_time\n"
WRONG, RIGHT = ZoneInfo("America/New_York"), ZoneInfo("UTC")
USERS = ("alice", "bob", "carol")


@pytest.fixture
def users(db) -> None:
    registry.hold(
        tier=Tier.OPERATOR, kind=HoldingKind.POOL, prefix=ip_network("198.51.100.0/24"), source="plan",
        held_from=datetime(2025, 1, 1, tzinfo=UTC), **BY,
    )  # fmt: skip
    for user in USERS:
        registry.add_customer(Customer(key=f"acct-{user}", name=user, representative=None), **BY)
    add_identities(
        [Identity(kind=SubjectKind.USERNAME, value=u, customer=f"acct-{u}") for u in USERS],
        source="crm",
        at=datetime(2025, 1, 1, tzinfo=UTC),
        actor="engineer",
    )


def read(path: Path, zone: ZoneInfo, kind: str = "radius-csv", *, clock_error_seconds: float = 1.0) -> None:
    options = Options(
        source=kind, zone=zone, inside_realm="cgn" if kind.startswith("nat") else "",
        clock_error_seconds=clock_error_seconds, lasts_seconds=0,
    )  # fmt: skip
    list(take_in(path, sources()[kind], options, **BY))


def line(event: str, user: str, at: float, begun: float, number: int = 1, address: str = PUBLIC[0]) -> str:
    stamp = f"{NOON + timedelta(hours=at):%Y-%m-%d %H:%M:%S}"
    return f"{stamp},{event},{user},{address},s{number},{round((at - begun) * 3600)}\n"


def ask(hours: float, *, address: str = PUBLIC[0], port: int | None = None) -> Attribution:
    moment = Moment(NOON + timedelta(hours=hours), error_seconds=1.0)
    question = Question(address=ip_address(address), port=port, protocol=6 if port else None, moment=moment)
    return answer_one(question, received_at=LATER)


def test_a_file_that_was_read_with_the_wrong_zone_is_taken_out_and_read_again(tmp_path, users):
    path = tmp_path / "radius.csv"
    lines = [line("Start", "alice", 0, 0), line("Stop", "alice", 2, 0), line("Start", "bob", 2.01, 2.01, 2),
             line("Stop", "bob", 6, 2.01, 2)]  # fmt: skip
    path.write_text(HEADER + "".join(lines))
    read(path, WRONG)
    assert ask(4.5).customer == "acct-alice", "bob had it"
    (number,) = (r.number for r in readings(source="radius-csv"))
    run = CliRunner().invoke
    assert str(path) in run(app, ["registry", "readings"]).output
    shown = run(app, ["registry", "take-out", "--dry-run", str(number)])
    assert "radius-csv: 2 bindings and 0 flows would go" in shown.output, shown.output
    assert ask(4.5).customer == "acct-alice"
    assert run(app, ["registry", "take-out", str(number)]).exit_code == 2, "it wants to know why"
    said = run(app, ["registry", "take-out", str(number), "--why", "read as New York's time"])
    assert "radius-csv: 2 bindings and 0 flows are gone" in said.output, said.output
    assert ask(4.5).customer is None
    assert (BindingRow.objects.count(), CoverRow.objects.count(), ScopeRow.objects.count()) == (0, 0, 0)
    (entry,) = [e for e in entries_about("radius-csv") if e.what == "source.taken_out"]
    assert "read as New York's time" in json.dumps(entry.detail)
    assert str(path) in json.dumps(entry.detail)
    read(path, RIGHT)
    answer = ask(4.5)
    assert (answer.grade, answer.customer) == (Grade.CONFIRMED, "acct-bob")
    gone = run(app, ["registry", "take-out", "--dry-run", str(number)])
    assert gone.exit_code == 1
    assert f"there is no reading {number}" in gone.output


def test_what_other_readings_brought_rests_on_nothing_that_went(tmp_path, users):
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    first.write_text(HEADER + line("Start", "alice", 0, 0) + line("Interim-Update", "alice", 1, 0))
    second.write_text(
        HEADER + line("Stop", "alice", 2, 0) + line("Start", "bob", 2.5, 2.5, 2) + line("Stop", "bob", 9, 2.5, 2)
    )
    read(first, RIGHT)
    read(second, WRONG)
    assert (ask(5).grade, ask(5).customer) == (Grade.CONFIRMED, "acct-alice"), "she had left"
    (_, number) = (r.number for r in readings())
    (out,) = take_out([number], why="wrong zone", **BY)
    assert (out.bindings, out.opened, out.leaning) == (2, 1, ())
    assert ask(5).grade is Grade.NO_DATA
    assert ask(0.5).customer == "acct-alice"
    assert (ask(0.5).grade, ask(0.5).customer) == (Grade.CONFIRMED, "acct-alice")
    read(second, RIGHT)
    # Now this reading ended what the first one began: without it, nobody can tell what else it had said of that.
    begun, number = (r.number for r in readings())
    (out,) = take_out([number], why="once more", **BY)
    assert (out.bindings, out.opened, out.leaning) == (1, 1, (begun,))
    assert (ask(0.5).grade, ask(0.5).customer) == (Grade.PROBABLE, "acct-alice")
    take_out(out.leaning, why="both again", **BY)
    assert not readings()
    assert ask(0.5).customer is None
    read(first, RIGHT)
    read(second, RIGHT)
    for hours, customer in ((0.5, "acct-alice"), (1.5, "acct-alice"), (2.2, None), (5, "acct-bob"), (9.5, None)):
        assert ask(hours).customer == customer
    assert ask(5).grade is Grade.CONFIRMED


def test_later_readings_of_the_same_file_go_with_it(tmp_path, users):
    path, other = tmp_path / "r.csv", tmp_path / "other.csv"
    text = HEADER
    for number in range(3):
        text += line("Start", "alice", number, number, number) + line("Stop", "alice", number + 0.5, number, number)
        path.write_text(text)
        read(path, RIGHT)
    other.write_text(HEADER + line("Start", "bob", 5, 5, 9))
    read(other, RIGHT)
    one, *later, last = (r.number for r in readings())
    (out,) = take_out([one], why="x", dry_run=True, **BY)
    assert [r.number for r in out.readings] == [one, *later]
    (out,) = take_out([later[0]], why="x", **BY)
    assert [r.number for r in out.readings] == later
    read(path, RIGHT)
    assert next(r.end_byte for r in readings() if r.number > last) == len(text)
    assert BindingRow.objects.count() == 4
    with pytest.raises(NoSuchReading):
        take_out([later[0]], why="x", **BY)


@pytest.mark.parametrize("seed", range(2))
def test_taken_out_and_read_again_is_as_if_it_had_been_read_right(seed, tmp_path, users):
    """The oracle is the list of sessions: whoever is named surely had the address, and nearly as many are named."""
    dice, place, sessions = random.Random(seed), 0.0, []
    for number in range(40):
        lasts = dice.uniform(0.2, 4)
        sessions.append((dice.choice(USERS), place, place + lasts, number))
        place += lasts + dice.choice((0.02, 1.0))
    lines = []
    for user, since, until, number in sessions:
        lines.append((since, line("Start", user, since, since, number)))
        lines += [(at, line("Interim-Update", user, at, since, number)) for at in (since + 0.5,) if at < until]
        if dice.random() < 0.8:
            lines.append((until, line("Stop", user, until, since, number)))
    texts = [text for _, text in sorted(lines)]
    cuts = sorted(dice.sample(range(1, len(texts)), 3))
    pieces = [texts[a:b] for a, b in zip([0, *cuts], [*cuts, len(texts)], strict=True)]
    wrong = dice.randrange(1, 3)
    for number, piece in enumerate(pieces):
        path = tmp_path / f"{number}.csv"
        path.write_text(HEADER + "".join(piece))
        read(path, WRONG if number == wrong else RIGHT)
    moments = [dice.uniform(0, place) for _ in range(70)]

    def check() -> int:
        confirmed = 0
        for at in moments:
            answer = ask(at)
            if answer.grade is Grade.CONFIRMED:
                confirmed += 1
                had = {f"acct-{u}" for u, since, until, _ in sessions if since - 0.001 <= at <= until + 0.001}
                assert answer.customer in had, at
        return confirmed

    bad = [r.number for r in readings() if r.file.endswith(f"{wrong}.csv")]
    (out,) = take_out(bad, why="wrong zone", **BY)
    check()
    assert not BindingRow.objects.filter(load_id__in=bad).exists()
    again = [n for n in range(4) if n == wrong or readings_of(n) & set(out.leaning)]
    take_out(list(out.leaning), why="they lean on it", **BY)
    check()
    for number in again:
        read(tmp_path / f"{number}.csv", RIGHT)
    named = check()
    BindingRow.objects.all().delete()
    CoverRow.objects.all().delete()
    LoadRow.objects.all().delete()
    for number in range(4):
        read(tmp_path / f"{number}.csv", RIGHT)
    assert named >= 0.9 * check() > 15


def readings_of(piece: int) -> set[int]:
    return {r.number for r in readings() if r.file.endswith(f"{piece}.csv")}


def junos(event: str, number: int, inside: int, port: int, at: float) -> str:
    stamp = f"{NOON + timedelta(seconds=at):%Y-%m-%d %H:%M:%S}"
    words = {
        "source-address": f"100.64.0.{inside}", "source-port": 20000 + number, "destination-address": "203.0.113.9",
        "destination-port": 1000 + number, "nat-source-address": PUBLIC[0], "nat-source-port": port, "protocol-id": 6,
    }  # fmt: skip
    said = " ".join(f'{name}="{value}"' for name, value in words.items())
    return f"<14>1 {stamp} srx1 RT_FLOW - RT_FLOW_SESSION_{event} [junos@2636 {said}]\n"


def ends(port: int) -> list[datetime | None]:
    at = NOON + timedelta(seconds=100)
    return [b.possible_until for b in bindings_covering(ip_address(PUBLIC[0]), port=port, earliest=at, latest=at)]


def test_flows_of_a_reading_are_taken_out_and_those_that_it_ended_are_open_again(tmp_path, folder, operator):
    plan(tmp_path)
    first, second = tmp_path / "1.log", tmp_path / "2.log"
    first.write_text(
        junos("CREATE", 1, 1, 1500, 0) + junos("CLOSE", 1, 1, 1500, 60) + junos("CREATE", 2, 2, 1501, 61)
        + junos("CREATE", 3, 3, 1502, 62)
    )  # fmt: skip
    second.write_text(
        junos("CLOSE", 2, 2, 1501, 200) + junos("CREATE", 4, 4, 1503, 210) + junos("CLOSE", 4, 4, 1503, 300)
        + junos("CREATE", 5, 1, 1504, 301)
    )  # fmt: skip
    read(first, RIGHT, "nat-syslog")
    read(second, WRONG, "nat-syslog")
    assert ends(1501) == [NOON + timedelta(hours=4, seconds=201)]
    *_, bad = (r.number for r in readings(source="nat-syslog"))
    (tried,) = take_out([bad], why="x", dry_run=True, **BY)
    assert tried.flows == 2
    (out,) = take_out([bad], why="x", **BY)
    assert (out.flows, out.opened) == (2, 1)
    assert flows_spoilt() == []
    assert {f.name for f in folder.iterdir()} >= set(FlowPartRow.objects.values_list("name", flat=True))
    assert ends(1501) == [None]
    assert (ask(30 / 3600, port=1500).grade, ask(30 / 3600, port=1500).customer) == (Grade.CONFIRMED, "acct-1")
    read(second, RIGHT, "nat-syslog")
    (kept,) = flows_kept()
    assert kept.rows == 5
    for seconds, port, customer in (
        (30, 1500, "acct-1"), (150, 1501, "acct-2"), (250, 1501, None), (250, 1502, "acct-3"), (250, 1503, "acct-4"),
    ):  # fmt: skip
        assert ask(seconds / 3600, port=port).customer == customer, port
    assert ask(150 / 3600, port=1501).grade is Grade.CONFIRMED
    # What was forgotten does not count as read because of it.
    forget_flows(before=NOON + timedelta(seconds=100), **BY)
    *_, last = (r.number for r in readings(source="nat-syslog"))
    take_out([last], why="x", **BY)
    assert all(c.since >= (NOON + timedelta(seconds=100)).timestamp() * 1e6 for c in CoverRow.objects.all())
    assert ask(30 / 3600, port=1500).grade is Grade.NO_DATA
