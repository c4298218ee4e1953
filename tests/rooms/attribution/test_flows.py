"""Flows of NAT in files: what is found is what a plain list of the flows says, however the log came in."""

import itertools
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tipstaff.attribution import flow_files, flow_parts, queries
from tipstaff.attribution.codes import ENDINGS, OPEN
from tipstaff.attribution.models import BindingRow, FlowPartRow
from tipstaff.attribution.operations import forget_flows, merge_flows, take_in
from tipstaff.attribution.protocol import Options
from tipstaff.attribution.queries import bindings_covering, flows_kept, flows_spoilt
from tipstaff.cli.main import app
from tipstaff.procedures.lookup import who_held
from tipstaff.registry import operations as registry
from tipstaff.wiring import sources
from tipstaff.words import Customer, Ending, Grade, HoldingKind, Moment, Service, ServiceKind, Tier

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=60)
BY = {"at": LATER, "actor": "engineer"}
ERROR = timedelta(seconds=1)
PUBLIC = ("198.51.100.1", "198.51.100.2", "198.51.100.77")
PORTS = (1500, 1501)
NAT = Options(source="cgn-1", inside_realm="cgn", lasts_seconds=0)
"""A NAT that is as young as its log: no connection was there before. `test_outlasting.py` is about those that were."""


@pytest.fixture(autouse=True)
def folder(tmp_path, settings) -> Path:
    settings.FLOWS_FOLDER = tmp_path / "flows"
    return tmp_path / "flows"


@dataclass(frozen=True)
class Flow:
    """One connection, as it was: `end` is None where its end was never logged."""

    number: int
    public: str
    port: int
    protocol: int
    inside: str
    since: float
    end: float | None

    @property
    def there(self) -> str:
        """Some connections of a port are with the same server, and others with another."""
        return f"203.0.113.{self.number % 3}"

    def lines(self) -> list[tuple[float, str]]:
        name, there = ("tcp", 6) if self.protocol == 6 else ("udp", 17), self.there
        words = (
            f"{name[0]} {name[1]} src={self.inside} dst={there} sport={20000 + self.number} dport=443 "
            f"src={there} dst={self.public} sport=443 dport={self.port}\n"
        )
        told = [(self.since, f"[{NOON.timestamp() + self.since:.6f}]\t [NEW] {words}")]
        if self.end is not None:
            told.append((self.end, f"[{NOON.timestamp() + self.end:.6f}]\t [DESTROY] {words}"))
        return told


def log_of(flows: list[Flow]) -> bytes:
    return "".join(line for _, line in sorted(x for flow in flows for x in flow.lines())).encode()


def said_of(flows: list[Flow], *, public: str, port: int, protocol: int, at: float, precision: float) -> set[tuple]:
    """The plain list: every flow of this place that touches the window, with its end as the log leaves it."""
    here = sorted(
        (f for f in flows if (f.public, f.port, f.protocol) == (public, port, protocol)), key=lambda f: f.since
    )
    found = set()
    for number, flow in enumerate(here):
        end, ending = flow.end, Ending.EXPLICIT
        if end is None:
            # Only a connection of the same port with the same server shows that it was over.
            after = [f.since for f in here[number + 1 :] if f.there == flow.there]
            end, ending = (after[0], Ending.SUPERSEDED) if after else (None, Ending.OPEN)
        error = ERROR.total_seconds()
        if flow.since - error <= at + precision and (end is None or end + error > at - precision):
            found.add((flow.inside, flow.since, end, ending))
    return found


def found_of(*, public: str, port: int, protocol: int, at: float, precision: float) -> set[tuple]:
    moment = NOON + timedelta(seconds=at)
    found = bindings_covering(
        ip_address(public), port=port, protocol=protocol, earliest=moment - timedelta(seconds=precision),
        latest=moment + timedelta(seconds=precision),
    )  # fmt: skip
    told = {
        (str(b.inside), after(b.possible_from + ERROR), None if b.possible_until is None else
         after(b.possible_until - ERROR), b.ending)
        for b in found
    }  # fmt: skip
    assert len(told) == len(found), "none is found twice"
    return told


def after(at: datetime) -> float:
    return (at - NOON).total_seconds()


def history(seed: int, *, number: int, seconds: int) -> list[Flow]:
    """Flows that follow one another on few ports, some without an end in the log, some that outlast the next ones."""
    dice = random.Random(seed)
    times = dice.sample(range(seconds), number)
    lasting = (3, 60, 2 * 3600, 30 * 3600, 40 * 86400)
    return [
        Flow(
            n, dice.choice(PUBLIC), dice.choice(PORTS), dice.choice((6, 17)), f"100.64.0.{dice.randrange(1, 5)}",
            float(begin), None if dice.random() < 0.2 else begin + 0.5 + dice.randrange(dice.choice(lasting)),
        )
        for n, begin in enumerate(sorted(times))
    ]  # fmt: skip


def read_in_pieces(log: bytes, path: Path, dice: random.Random, *, pieces: int) -> None:
    cuts = sorted(dice.sample(range(1, len(log)), pieces - 1)) if pieces > 1 else []
    for cut in [*cuts, len(log)]:
        path.write_bytes(log[:cut])
        list(take_in(path, sources()["nat-flows"], NAT, **BY))


def compare(flows: list[Flow], dice: random.Random, *, questions: int, seconds: int) -> None:
    hits = 0
    for _ in range(questions):
        flow = dice.choice(flows)
        near = dice.choice((flow.since, flow.since if flow.end is None else flow.end))
        asked = {
            "public": flow.public, "port": flow.port, "protocol": flow.protocol, "precision": dice.choice((0, 1, 90)),
            "at": dice.choice((near + dice.choice((-2, -1, 0, 1, 2)), float(dice.randrange(seconds)))),
        }  # fmt: skip
        told = found_of(**asked)
        assert told == said_of(flows, **asked), asked
        hits += bool(told)
    assert hits > questions // 4


# A flow whose port was used again waits a day for its end, so the history that is cut anyhow is shorter than that.
@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(4))
def test_flows_are_found_as_a_plain_list_says_however_the_log_was_cut(seed, tmp_path, folder):
    dice = random.Random(seed)
    flows = [f for f in history(seed, number=120, seconds=80_000) if f.end is None or f.end < 86_400]
    read_in_pieces(log_of(flows), tmp_path / "nat.log", dice, pieces=1 + seed * 5)
    compare(flows, dice, questions=250, seconds=86_400)
    assert flows_spoilt() == []


@pytest.mark.django_db
def test_flows_that_last_long_are_found_in_a_long_history_and_after_merging(tmp_path, folder):
    flows, dice = history(9, number=200, seconds=20 * 86_400), random.Random(9)
    log = log_of(flows)
    read_in_pieces(log, tmp_path / "nat.log", dice, pieces=1)
    compare(flows, dice, questions=300, seconds=60 * 86_400)
    before = set(FlowPartRow.objects.values_list("span", flat=True))
    assert before >= {0, 1, 2, 3, flow_files.OPEN_SPAN}
    # The same flows from a second logger, whose file begins in another way: each flow twice, which says nothing new,
    # and fewer parts when merged.
    read_in_pieces(b"begun\n" + log, tmp_path / "again.log", dice, pieces=1)
    (twice,) = flows_kept()
    parts = FlowPartRow.objects.count()
    merged = merge_flows("cgn-1", parts_min=2, **BY)
    (once,) = flows_kept()
    assert merged > 0
    assert (once.rows, FlowPartRow.objects.count()) == (twice.rows, parts - merged)
    assert flows_spoilt() == []
    for flow in dice.sample(flows, 60):
        at = NOON + timedelta(seconds=flow.since)
        found = bindings_covering(
            ip_address(flow.public), port=flow.port, protocol=flow.protocol, earliest=at, latest=at
        )
        assert flow.inside in {str(b.inside) for b in found}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 1), st.integers(1, 40_000), st.one_of(st.none(), st.integers(1, 30_000))
        ),
        min_size=1, max_size=25, unique_by=lambda flow: flow[2],
    ),
    st.lists(st.integers(0, 60), max_size=6),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_going_on_from_piece_to_piece_makes_the_flows_of_the_whole(drawn, cuts):
    events = []
    for number, (place, inside, since, lasts) in enumerate(drawn):
        events.append((since * 10**6, 2 * number, place, inside, number, False))
        if lasts is not None:
            events.append(((since + lasts) * 10**6 + 1, 2 * number + 1, place, inside, number, True))
    events.sort()
    records = pl.DataFrame([
        {"offset": offset, "lo": 7 + place, "port_first": 1500, "port_last": 1500, "protocol": 6, "since": at,
         "seen": at, "until": at if gone else OPEN, "final": gone, "begun": not gone, "session": str(number), "kind": 0,
         "inside_lo": inside} for at, offset, place, inside, number, gone in events
    ], schema_overrides={"lo": pl.UInt64, "inside_lo": pl.UInt64, "kind": pl.UInt8})  # fmt: skip

    def run(pieces: list[pl.DataFrame]) -> list[tuple]:
        carried, ended, going_on = None, [], None
        for piece in pieces:
            step = flow_files.step(carried, flow_files.placed(piece, load=1), covers=(0, int(piece["since"].max())))
            carried, going_on = step.carried, step.going_on
            ended.append(step.ended)
        assert going_on is not None
        return sorted(pl.concat([*ended, going_on]).rows())

    places = sorted({c for c in cuts if 0 < c < records.height})
    edges = [0, *places, records.height]
    assert run([records[a:b] for a, b in itertools.pairwise(edges)]) == run([records])


@pytest.fixture
def operator(db):
    registry.hold(
        tier=Tier.OPERATOR, kind=HoldingKind.POOL, prefix=ip_network("198.51.100.0/24"), source="plan",
        held_from=datetime(2025, 1, 1, tzinfo=UTC), **BY,
    )  # fmt: skip
    for number in range(1, 5):
        registry.add_customer(Customer(key=f"acct-{number}", name=f"Customer {number}", representative=None), **BY)
        registry.add_service(Service(key=f"svc-{number}", customer=f"acct-{number}", kind=ServiceKind.ACCESS), **BY)


def plan(tmp_path: Path) -> None:
    lines = "".join(f"100.64.0.{n}/32,svc-{n},2025-01-01T00:00:00Z\n" for n in range(1, 5))
    (tmp_path / "plan.csv").write_text(f"prefix,service,since\n{lines}")
    list(take_in(tmp_path / "plan.csv", sources()["ipam"], Options(source="plan", realm="cgn"), **BY))


def asked(flow: Flow, *, port: int | None = None, after_seconds: float = 5.0):
    at = NOON + timedelta(seconds=flow.since + after_seconds)
    return who_held(
        ip_address(flow.public), port=flow.port if port is None else port, protocol=flow.protocol,
        moment=Moment(at, error_seconds=0.5), received_at=LATER,
    )  # fmt: skip


@pytest.mark.django_db
def test_a_flow_names_its_customer_with_the_line_the_part_and_the_row_that_prove_it(tmp_path, folder, operator):
    plan(tmp_path)
    flows = [Flow(n, PUBLIC[0], 1500 + n, 6, f"100.64.0.{1 + n % 4}", n * 10.0, n * 10.0 + 30) for n in range(40)]
    # The log goes on: what lies after its end is no statement.
    (tmp_path / "nat.log").write_bytes(log_of([*flows, Flow(40, PUBLIC[1], 1500, 6, "100.64.0.1", 900.0, 901.0)]))
    list(take_in(tmp_path / "nat.log", sources()["nat-flows"], NAT, **BY))
    for flow in flows:
        answer = asked(flow)
        assert (answer.grade, answer.customer) == (Grade.CONFIRMED, f"acct-{flow.inside[-1]}")
        (row,) = [b for b in answer.bindings if b.momentary]
        line = (tmp_path / "nat.log").read_bytes()[row.offset :].split(b"\n")[0].decode()
        assert f"src={flow.inside} " in line
        assert f"dport={flow.port}" in line
        kept = pl.read_parquet(folder / row.part).row(row.part_row, named=True)
        assert (kept["port"], IPv4Address(kept["inside_lo"])) == (flow.port, IPv4Address(flow.inside))
        assert flow_files.digest_of(folder / row.part) == row.part_sha256
        assert (folder / row.part).stat().st_mode & 0o777 == 0o600
        assert asked(flow, port=1).grade is Grade.NONE
        assert asked(flow, after_seconds=300).grade is Grade.NONE


@pytest.mark.django_db
@pytest.mark.parametrize("times", [1, 10])
def test_many_questions_about_flows_are_answered_as_one_is(times, tmp_path, folder, operator):
    plan(tmp_path)
    flows = history(3, number=30, seconds=4000)
    (tmp_path / "nat.log").write_bytes(log_of(flows))
    options = ["--inside-realm", "cgn", "--source", "cgn-1", "--lasts", "0"]
    said = CliRunner().invoke(app, ["registry", "import", "nat-flows", *options, str(tmp_path / "nat.log")])
    assert said.exit_code == 0, said.output
    assert "30 bindings new" in said.output
    lines = [
        f"{f.public},{f.port},{f.protocol},{(NOON + timedelta(seconds=f.since + 1)).isoformat()},0.4" for f in flows
    ]
    lines.append("203.0.113.9,,,2026-03-10T12:00:00Z")
    told = CliRunner().invoke(app, ["attribute", "-"], input="\n".join(lines * times))
    answers = [json.loads(line) for line in told.output.splitlines()]
    assert len(answers) == len(lines) * times
    for number, answer in enumerate(answers):
        if number % len(lines) == len(flows):
            assert answer["grade"] == "NONE"
            continue
        flow = flows[number % len(lines)]
        place = {"public": flow.public, "port": flow.port, "protocol": flow.protocol}
        insides = {inside for inside, *_ in said_of(flows, **place, at=flow.since + 1, precision=0.4)}
        assert flow.inside in insides
        wanted = f"acct-{flow.inside[-1]}" if len(insides) == 1 else None
        assert answer["customer"] == wanted
        assert any(row.get("part") for row in answer["proof"]), answer


class Killed(BaseException):
    """The machine stops here."""


def _crashing(monkeypatch, at_call: int) -> None:
    """The n-th step that touches the disk or says that parts count is the last one."""
    calls = 0

    def stopping(real):
        def step(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == at_call:
                raise Killed
            return real(*args, **kwargs)

        return step

    monkeypatch.setattr(flow_files.os, "fsync", stopping(flow_files.os.fsync))
    monkeypatch.setattr(Path, "replace", stopping(Path.replace))
    monkeypatch.setattr(FlowPartRow.objects, "bulk_create", stopping(FlowPartRow.objects.bulk_create))


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_killed_anywhere_loses_and_doubles_no_flow(tmp_path, folder, monkeypatch):
    flows, dice = [f for f in history(5, number=60, seconds=9000) if f.end is None or f.end < 80_000], random.Random(5)
    log, path = log_of(flows), tmp_path / "nat.log"
    read_in_pieces(log[: len(log) // 2], path, dice, pieces=2)
    path.write_bytes(log)
    killed, step = 0, 1
    while True:
        with monkeypatch.context() as patch:
            _crashing(patch, step)
            try:
                list(take_in(path, sources()["nat-flows"], NAT, **BY))
                break
            except Killed:
                killed, step = killed + 1, step + 1
        assert flows_spoilt() == [], "what counts is whole"
    assert killed > 8
    named = set(FlowPartRow.objects.values_list("name", flat=True))
    assert {f.name for f in folder.iterdir()} == named, "what the killed ones left is gone"
    compare(flows, dice, questions=250, seconds=9000)
    # The same for merging: parts are merged whole or not at all.
    for step in range(1, 40):
        with monkeypatch.context() as patch:
            _crashing(patch, step)
            try:
                merged = merge_flows("cgn-1", parts_min=2, **BY)
                break
            except Killed:
                assert flows_spoilt() == []
    assert merged > 0
    compare(flows, dice, questions=250, seconds=9000)


@pytest.mark.django_db(transaction=True)
def test_what_is_old_is_forgotten_and_nothing_else(tmp_path, folder):
    flows = [
        Flow(1, PUBLIC[0], 1500, 6, "100.64.0.1", 0.0, 10.0),
        Flow(2, PUBLIC[0], 1501, 6, "100.64.0.2", 0.0, 9000.0),  # over later
        Flow(3, PUBLIC[0], 1502, 6, "100.64.0.3", 20.0, None),  # never heard of again
        Flow(4, PUBLIC[0], 1503, 6, "100.64.0.4", 8000.0, None),
        Flow(5, PUBLIC[0], 1500, 6, "100.64.0.4", 100.0, 110.0),
    ]
    (tmp_path / "nat.log").write_bytes(log_of(flows))
    list(take_in(tmp_path / "nat.log", sources()["nat-flows"], NAT, **BY))
    assert forget_flows(before=NOON + timedelta(seconds=50), **BY) == 2
    left = [f for f in flows if f.number in (2, 4, 5)]

    def check() -> None:
        for flow in flows:
            asked = {"public": flow.public, "port": flow.port, "protocol": 6, "at": flow.since + 5, "precision": 0.0}
            assert found_of(**asked) == said_of(left, **asked)

    check()
    assert forget_flows(before=NOON + timedelta(seconds=50), **BY) == 0
    # What is forgotten does not come back with the next batch.
    more = Flow(6, PUBLIC[1], 1500, 6, "100.64.0.1", 9500.0, 9600.0)
    (tmp_path / "more.log").write_bytes(log_of([more]))
    list(take_in(tmp_path / "more.log", sources()["nat-flows"], NAT, **BY))
    flows, left = [*flows, more], [*left, more]
    check()
    assert flows_spoilt() == []
    assert {f.name for f in folder.iterdir()} == set(FlowPartRow.objects.values_list("name", flat=True))


def read_by_an_earlier_version(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flows were rows of the database, like other bindings."""
    source = sources()["nat-flows"]
    with monkeypatch.context() as earlier:
        earlier.setattr(type(source), "momentary", False)
        list(take_in(path, source, NAT, **BY))
    assert BindingRow.objects.filter(source__name="cgn-1").update(momentary=True) > 0


@pytest.mark.django_db
def test_a_flow_that_was_open_in_the_database_at_an_upgrade_is_ended_by_what_is_read_afterwards(
    tmp_path, folder, monkeypatch, operator
):
    plan(tmp_path)
    ended = Flow(1, PUBLIC[0], 1501, 6, "100.64.0.1", 0.0, 600.0)
    used_again = [
        Flow(2, PUBLIC[0], 1502, 6, "100.64.0.2", 1.0, None),
        Flow(3, PUBLIC[0], 1502, 6, "100.64.0.3", 700.0, 720.0),
    ]
    goes_on = Flow(4, PUBLIC[0], 1503, 17, "100.64.0.4", 2.0, None)
    over = Flow(5, PUBLIC[0], 1504, 6, "100.64.0.1", 3.0, 9.0)
    later = Flow(6, PUBLIC[1], 1500, 6, "100.64.0.1", 10_000.0, 10_001.0)
    flows = [ended, *used_again, goes_on, over, later]
    log, path = log_of(flows), tmp_path / "nat.log"
    path.write_bytes(b"".join(log.splitlines(keepends=True)[:5]))
    read_by_an_earlier_version(path, monkeypatch)
    assert BindingRow.objects.filter(momentary=True, possible_until=OPEN).count() == 3
    path.write_bytes(log)
    [load] = take_in(path, sources()["nat-flows"], NAT, **BY)
    assert load.records == 5
    assert not BindingRow.objects.filter(momentary=True, possible_until=OPEN).exists()
    for flow, seconds, customer in (
        (ended, 300.0, "acct-1"), (ended, 900.0, None), (used_again[0], 300.0, "acct-2"),
        # Nobody knows with whom the flow was whose end was not read: beside it another one may have had the port.
        (used_again[1], 10.0, None), (used_again[1], 100.0, "acct-2"), (goes_on, 9000.0, "acct-4"),
        (over, 3.0, "acct-1"), (over, 300.0, None),
    ):  # fmt: skip
        answer = asked(flow, after_seconds=seconds)
        assert answer.customer == customer, (flow, seconds)
    (row,) = [b for b in asked(goes_on, after_seconds=9000.0).bindings if b.momentary]
    line = path.read_bytes()[row.offset :].split(b"\n")[0].decode()
    assert "src=100.64.0.4 " in line, "the line that began it is still its proof"


@pytest.mark.django_db
def test_a_part_that_is_gone_names_nobody_and_is_told(tmp_path, folder, operator):
    plan(tmp_path)
    flow = Flow(1, PUBLIC[0], 1500, 6, "100.64.0.1", 0.0, 600.0)
    (tmp_path / "nat.log").write_bytes(log_of([flow]))
    list(take_in(tmp_path / "nat.log", sources()["nat-flows"], NAT, **BY))
    assert asked(flow).customer == "acct-1"
    (part,) = folder.glob("*-v4-*")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert [s.rsplit(" ", 5)[1:] for s in flows_spoilt()] == [["is", "not", "what", "was", "written"]]
    part.unlink()
    assert (asked(flow).grade, asked(flow).customer) == (Grade.NO_DATA, None)
    said = CliRunner().invoke(app, ["registry", "flows", "--check"])
    assert said.exit_code == 1
    assert f"{part} is missing" in said.output


@pytest.mark.django_db
def test_a_flow_whose_part_is_replaced_while_it_is_looked_up_is_found_all_the_same(
    tmp_path, folder, monkeypatch, operator
):
    plan(tmp_path)
    flow, later = (
        Flow(1, PUBLIC[0], 1500, 6, "100.64.0.1", 0.0, None),
        Flow(2, PUBLIC[0], 1501, 6, "100.64.0.2", 9.0, None),
    )
    path, source, options = tmp_path / "nat.log", sources()["nat-flows"], NAT
    path.write_bytes(log_of([flow]))
    list(take_in(path, source, options, **BY))
    before = set(FlowPartRow.objects.values_list("pk", flat=True))

    def reads_on(*args, **kwargs):
        """The parts are named, and before any is opened another reading has put its own in their place."""
        monkeypatch.setattr(queries, "flows_touching", flow_parts.flows_touching)
        path.write_bytes(log_of([flow, later]))
        list(take_in(path, source, options, **BY))
        return flow_parts.flows_touching(*args, **kwargs)

    monkeypatch.setattr(queries, "flows_touching", reads_on)
    assert asked(flow, after_seconds=5.0).customer == "acct-1"
    assert not FlowPartRow.objects.filter(pk__in=before), "all of them were replaced"


@pytest.mark.django_db
def test_files_of_another_database_are_left_alone(tmp_path, folder):
    folder.mkdir()
    strange = folder / "abc-v4-0-1-2-3.parquet"
    strange.write_bytes(b"")
    left = folder / f"{flow_parts._prefix()}-v4-0-1-2-3.parquet.part"
    left.write_bytes(b"")
    read_in_pieces(
        log_of([Flow(1, PUBLIC[0], 1500, 6, "100.64.0.1", 0.0, 600.0)]), tmp_path / "n", random.Random(0), pieces=1
    )
    assert strange.exists()
    assert not left.exists()


def test_every_ending_has_its_number():
    assert ENDINGS[flow_files._SUPERSEDED] is Ending.SUPERSEDED
