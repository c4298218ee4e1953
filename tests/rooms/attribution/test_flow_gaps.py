"""Nobody is named for what a NAT's log, with its gaps, does not say: answers are held against what really was."""

import importlib
import random
import re
import struct
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from django.db import connection

import tipstaff.attribution.sources as built_in
from tipstaff.attribution.match import Question, window_of
from tipstaff.attribution.models import CoverRow, ScopeRow, SourceRow
from tipstaff.attribution.operations import forget_flows, take_in
from tipstaff.attribution.protocol import Options, Stretch
from tipstaff.procedures.lookup import answer_one
from tipstaff.procedures.many import open_book
from tipstaff.wiring import sources
from tipstaff.words import Attribution, AttributionReason, Grade, Moment

from .test_flows import BY, LATER, NAT, NOON, PUBLIC, Flow, after, folder, log_of, operator, plan

__all__ = ["folder", "operator"]  # Fixtures.
HOUR = 3600.0
pytestmark = pytest.mark.django_db


def read(path: Path, log: bytes, kind: str = "nat-flows", **options) -> None:
    path.write_bytes(log)
    list(take_in(path, sources()[kind], replace(NAT, **options), **BY))


def ask(at: float | None, *, precision: float = 1.0, port: int = 1500, received_at=LATER) -> Attribution:
    """One by one and many at once are the same."""
    moment = None if at is None else Moment(NOON + timedelta(seconds=at), error_seconds=precision)
    question = Question(address=ip_address(PUBLIC[0]), port=port, protocol=6, moment=moment)
    answer = answer_one(question, received_at=received_at)
    (many,) = open_book(at=LATER).attribute([question], received_at=received_at)
    assert (many.grade, many.reason, many.customer) == (answer.grade, answer.reason, answer.customer)
    return answer


def flow(number: int, inside: int, since: float, end: float | None, **more) -> Flow:
    return Flow(number, PUBLIC[0], more.get("port", 1500), 6, f"100.64.0.{inside}", since, end)


@pytest.fixture
def short_log(tmp_path, operator):
    """A log of 310 seconds in which acct-1's connection of ten seconds had port 1500."""
    plan(tmp_path)
    read(tmp_path / "nat.log", log_of([flow(1, 1, 0.0, 10.0), flow(2, 2, 300.0, 310.0, port=1600)]))


def test_a_flow_in_a_short_log_says_nothing_of_the_hours_around_it(short_log):
    assert (ask(5.0).grade, ask(5.0).customer) == (Grade.CONFIRMED, "acct-1")
    assert ask(100.0, precision=90.0).grade is Grade.CONFIRMED
    answer = ask(5 * HOUR, precision=14 * HOUR)
    assert (answer.grade, answer.reason) == (Grade.NO_DATA, AttributionReason.SOURCE_GAP)


def test_without_a_time_ten_seconds_do_not_stand_for_seven_days(short_log, tmp_path):
    soon = NOON + timedelta(days=7, seconds=5)
    assert ask(None, received_at=soon).grade is Grade.NO_DATA
    # Where the log was read of all the seven days, it is known that nobody had the port for most of them.
    lines = [flow(10 + n, 2, n * HOUR, n * HOUR + 60, port=1600) for n in range(7 * 24 + 2)]
    read(tmp_path / "more.log", log_of(lines))
    answer = ask(None, received_at=soon)
    assert (answer.grade, answer.reason) == (Grade.AMBIGUOUS, AttributionReason.EDGE_IN_WINDOW)


def test_outside_what_was_read_of_a_nats_log_nobody_is_no_statement(short_log, tmp_path):
    assert ask(200.0).reason is AttributionReason.UNASSIGNED
    for away in (-24 * HOUR, 24 * HOUR):
        assert (ask(away).grade, ask(away).reason) == (Grade.NO_DATA, AttributionReason.SOURCE_GAP)
    hour = (NOON + timedelta(hours=n) for n in (1, 0))
    lines = [
        f"{at:%Y-%m-%dT%H:%M:%SZ} nat event={event} inside=100.64.0.1 outside=198.51.100.200 ports=1024-2047\n"
        for event, at in zip(("release", "alloc"), hour, strict=True)
    ]
    read_blocks = tmp_path / "blocks.log"
    read_blocks.write_text("".join(reversed(lines)))
    options = replace(NAT, source="blocks")
    list(take_in(read_blocks, sources()["nat-blocks"], options, **BY))
    for hours, grade in ((0.5, Grade.CONFIRMED), (48, Grade.NO_DATA), (-48, Grade.NO_DATA)):
        moment = Moment(NOON + timedelta(hours=hours), error_seconds=1.0)
        question = Question(address=ip_address("198.51.100.200"), port=1500, moment=moment)
        assert answer_one(question, received_at=LATER).grade is grade


def test_what_was_forgotten_names_nobody_else(tmp_path, operator):
    plan(tmp_path)
    read(tmp_path / "nat.log", log_of([flow(1, 1, 0.0, 10.0), flow(2, 2, 2 * HOUR, 2 * HOUR + 10)]))
    assert ask(0.0, precision=3 * HOUR).customer is None
    assert ask(2 * HOUR, precision=HOUR / 2).grade is Grade.NO_DATA, "the log ends ten seconds after"
    assert forget_flows(before=NOON + timedelta(hours=1), **BY) == 1
    assert ask(0.0, precision=3 * HOUR).grade is Grade.NO_DATA
    assert ask(5.0).grade is Grade.NO_DATA
    assert ask(2 * HOUR + 1).customer == "acct-2"
    forget_flows(before=NOON + timedelta(hours=9), **BY)
    assert ask(2 * HOUR + 1).grade is Grade.NO_DATA, "when all is forgotten, too"


def test_a_flow_whose_end_was_never_read_is_probable_after_it_was_heard_of_last(tmp_path, operator):
    plan(tmp_path)
    read(tmp_path / "nat.log", log_of([flow(1, 1, 0.0, None), flow(2, 2, HOUR, 2 * HOUR, port=1600)]))
    answer = ask(HOUR)
    assert (answer.grade, answer.reason, answer.customer) == (Grade.PROBABLE, AttributionReason.UNSEEN_END, "acct-1")
    assert ask(3 * HOUR).grade is Grade.NO_DATA


def test_what_was_read_before_this_version_has_its_gaps_too(short_log):
    source = SourceRow.objects.get(name="cgn-1")
    now = set(ScopeRow.objects.filter(source=source).values_list("version", "block"))
    assert now
    ScopeRow.objects.filter(source=source).delete()
    CoverRow.objects.filter(source=source).update(since=0)
    migration = importlib.import_module("tipstaff.attribution.migrations.0005_translations_have_gaps")
    with connection.cursor() as cursor:
        for statement in (migration.BLOCKS, migration.FLOWS, *migration.FORGOTTEN):
            cursor.execute(statement)
    assert set(ScopeRow.objects.filter(source=source).values_list("version", "block")) == now
    assert ask(-24 * HOUR).grade is Grade.NO_DATA
    assert ask(5.0).grade is Grade.CONFIRMED


def at_once(**more) -> list[Flow]:
    """Two at a time on one public port, each with a server of its own, as Linux' NAT gives ports out."""
    one, other = Flow(1, PUBLIC[0], 1500, 6, "100.64.0.1", 0.0, None), flow(2, 2, 100.0, 200.0)
    assert one.there != other.there
    return [replace(one, **more), other, flow(9, 3, 3000.0, 3001.0, port=1600)]


@pytest.mark.parametrize("kind", ["nat-flows", "nat-syslog"])
def test_two_connections_of_one_port_with_different_servers_do_not_end_each_other(kind, tmp_path, operator):
    plan(tmp_path)
    log = log_of if kind == "nat-flows" else _junos_log_of
    read(tmp_path / "nat.log", log(at_once()), kind)
    assert ask(50.0).customer == "acct-1"
    assert (ask(150.0).grade, ask(150.0).customer) == (Grade.AMBIGUOUS, None)
    answer = ask(250.0)
    assert (answer.grade, answer.customer) == (Grade.PROBABLE, "acct-1")
    # The end that was still missing is read: what was answered was right.
    ended = at_once(end=900.0)
    read(tmp_path / "nat.log", log(ended), kind)
    assert ask(150.0).grade is Grade.AMBIGUOUS
    assert (ask(250.0).grade, ask(250.0).customer) == (Grade.CONFIRMED, "acct-1")
    assert ask(1000.0).grade is Grade.NONE


def _junos_log_of(flows: list[Flow]) -> bytes:
    """The servers' addresses are the same here; the ports differ."""
    lines = []
    for f in flows:
        for at, event in ((f.since, "CREATE"), (f.end, "CLOSE")):
            if at is not None:
                stamp = f"{NOON + timedelta(seconds=at):%Y-%m-%dT%H:%M:%S}.000Z"
                words = {
                    "source-address": f.inside, "source-port": 20000 + f.number, "destination-address": "203.0.113.9",
                    "destination-port": 440 + f.number, "nat-source-address": f.public, "nat-source-port": f.port,
                    "protocol-id": 6,
                }  # fmt: skip
                said = " ".join(f'{name}="{value}"' for name, value in words.items())
                lines.append((at, f"<14>1 {stamp} srx1 RT_FLOW - RT_FLOW_SESSION_{event} [junos@2636 {said}]\n"))
    return "".join(line for _, line in sorted(lines)).encode()


def test_a_connection_with_the_same_server_ends_the_one_before_it(tmp_path, operator):
    plan(tmp_path)
    one, other = flow(3, 1, 0.0, None), flow(6, 2, 100.0, 200.0)
    assert one.there == other.there
    read(tmp_path / "nat.log", log_of([one, other, flow(9, 3, 3000.0, 3001.0, port=1600)]))
    assert [ask(at).customer for at in (50.0, 150.0, 250.0)] == ["acct-1", "acct-2", None]


def test_a_connection_whose_beginning_was_not_read_may_have_been_there_before(tmp_path, operator):
    plan(tmp_path)
    _, (_, ended) = flow(1, 1, -HOUR, 2 * HOUR).lines()
    others = [flow(2, 2, HOUR, HOUR + 10), flow(4, 3, 0.0, 1.0, port=1600)]
    read(tmp_path / "nat.log", "".join(sorted([ended, *(line for f in others for _, line in f.lines())])).encode())
    assert ask(HOUR + 5).grade is Grade.AMBIGUOUS
    for at in (HOUR / 2, 2 * HOUR - 2):
        answer = ask(at, precision=0.0)
        assert (answer.grade, answer.customer) == (Grade.PROBABLE, "acct-1")


def test_silence_ends_a_connection_where_the_operator_says_how_long_none_is_silent(tmp_path, operator):
    plan(tmp_path)
    path = tmp_path / "nat.log"
    options = replace(NAT, interim_seconds=HOUR)
    flows = [flow(1, 1, 0.0, None), flow(4, 3, 2 * HOUR, 4 * HOUR, port=1600)]
    for log in (log_of(flows)[:-1], log_of(flows)):
        path.write_bytes(log)
        list(take_in(path, sources()["nat-flows"], options, **BY))
    assert (ask(HOUR / 2).customer, ask(HOUR / 2).grade) == ("acct-1", Grade.PROBABLE)
    assert ask(1.5 * HOUR).grade is Grade.NONE


@pytest.mark.parametrize("seed", range(2))
def test_whoever_is_confirmed_alone_had_the_port_however_much_of_the_log_is_missing(seed, tmp_path, operator):
    """The oracle is the list of all connections that there were, with their whole time, read or not."""
    dice, hours = random.Random(seed), 144
    plan(tmp_path)
    flows: list[Flow] = []
    for n, since in enumerate(sorted(dice.uniform(0, hours * HOUR) for _ in range(60))):
        end = since + dice.choice((5, 600, 4 * HOUR, 20 * HOUR)) * dice.random() + 1
        one = flow(n, dice.randrange(1, 5), since, end, port=dice.choice((1500, 1501)))
        # No NAT gives a port out twice for one server at one time.
        if not any((f.port, f.there) == (one.port, one.there) and f.end + 2 > since for f in flows):
            flows.append(one)
    lines = sorted(line for f in flows for line in f.lines())
    gaps = [(g, g + dice.uniform(2, 8) * HOUR) for g in (dice.uniform(0, hours * HOUR) for _ in range(3))]
    kept = [(at, line) for at, line in lines if not any(first <= at < last for first, last in gaps)]
    pieces: list[list[str]] = [[]]
    for number, (at, line) in enumerate(kept):
        if number and any(kept[number - 1][0] < first <= at for first, _ in gaps):
            pieces.append([])
        pieces[-1].append(line)
    for number, piece in enumerate(p for p in pieces if p):
        read(tmp_path / f"{number}.log", "".join(piece).encode(), lasts_seconds=20 * HOUR)
    forgotten = dice.uniform(0, 20) * HOUR
    forget_flows(before=NOON + timedelta(seconds=forgotten), **BY)
    confirmed = 0
    for number in range(120):
        near = dice.choice(flows)
        within = dice.uniform(near.since, near.end)
        at = dice.choice((near.since, near.end, within, dice.uniform(0, hours * HOUR))) + dice.uniform(-2, 2)
        precision = dice.choice((0.5, 0.5, 60.0, HOUR, 14 * HOUR))
        there = ip_address(near.there) if number % 2 else None
        moment = Moment(NOON + timedelta(seconds=at), error_seconds=precision)
        question = Question(
            address=ip_address(PUBLIC[0]), port=near.port, protocol=6, moment=moment, there=there,
            there_port=443 if there else None,
        )  # fmt: skip
        answer = answer_one(question, received_at=LATER)
        if number % 6 == 0:
            (many,) = open_book(at=LATER).attribute([question], received_at=LATER)
            assert (many.grade, many.reason, many.customer) == (answer.grade, answer.reason, answer.customer)
        if answer.grade is not Grade.CONFIRMED:
            continue
        confirmed += 1
        window = window_of(Moment(NOON + timedelta(seconds=at), precision), received_at=LATER)
        first, last = after(window.earliest), after(window.latest)
        had = {
            f.inside[-1] for f in flows if f.port == near.port and f.since - 1 <= last and f.end + 1 > first
            and there in (None, ip_address(f.there))
        }  # fmt: skip
        assert had == {answer.customer[-1]}, (at, precision)
    assert confirmed > 10


@pytest.mark.parametrize(
    ("files", "follows", "grade"),
    [
        ("abc", False, Grade.CONFIRMED), ("ac", False, Grade.AMBIGUOUS), ("ac", True, Grade.CONFIRMED),
        ("nabc", False, Grade.CONFIRMED), ("nac", False, Grade.AMBIGUOUS), ("qac", False, Grade.AMBIGUOUS),
    ],
)  # fmt: skip
def test_a_file_that_is_missing_between_two_of_a_busy_log_is_a_gap(files, follows, grade, tmp_path, operator):
    """Ten minutes' file is lost: who got the port in it for another server, and has it still, nobody saw. Whether none
    is missing the log does not say, unless the operator does. That it was quieter in the night before, or just before,
    hides nothing."""
    plan(tmp_path)
    for name, before in (("n", 28_800.0), ("q", 2_700.0)):
        if name in files:
            quiet = [flow(50 + n, 3, n * 360.0 - before, n * 360.0 - before + 1.0, port=1690 + n) for n in range(2)]
            read(tmp_path / name, log_of(quiet), lasts_seconds=1500.0, clock_error_seconds=1.0)
    busy = [flow(100 + n, 3, n * 5.0, n * 5.0 + 2.0, port=1700 + n % 50) for n in range(-400, 360)]
    lines = sorted(x for f in [*busy, flow(1, 1, 10.0, 1790.0)] for x in f.lines())
    until = {"a": 600.0, "b": 1200.0, "c": 1e9}
    for name in files.lstrip("nq"):
        part = [text for at, text in lines if min(n for n, end in until.items() if at < end) == name]
        # It grows while it is read, which brings nothing of the missing one either.
        for written in (part[: len(part) // 2], part):
            read(
                tmp_path / name, "".join(written).encode(), lasts_seconds=1500.0, clock_error_seconds=1.0,
                follows=follows and name != "a",
            )  # fmt: skip
    assert ask(300.0).grade is Grade.CONFIRMED
    assert ask(1500.0).grade is grade
    assert (ask(1500.0).reason is AttributionReason.UNSEEN_CONNECTIONS) == (grade is Grade.AMBIGUOUS)


def line(flow: Flow, *, gone: bool = False) -> str:
    return flow.lines()[1 if gone else 0][1]


NEXT = line(flow(9, 2, 60.0, None))
BEHIND = log_of([flow(3, 2, 100.0, 110.0, port=1600), flow(4, 2, 300.0, 310.0, port=1600)])
ICMP = NEXT.replace("tcp 6", "icmp 1").replace("sport=443 dport=1500", "type=0 code=0 id=7")


@pytest.mark.parametrize(
    ("bad", "missed"),
    [
        (NEXT[:40] + "\n", True),
        (NEXT[: NEXT.index(" src=203")] + "\n", True),
        (NEXT[30:], True),
        (NEXT.replace("dport=1500", "dport=70000"), True),
        (NEXT.replace(PUBLIC[0], "198.51.100.300"), True),
        (NEXT[NEXT.index("\t") :], True),
        (ICMP, False),
        (NEXT.replace("tcp 6", "unknown 89").replace(" sport=443 dport=1500", ""), False),
        ("conntrack v1.4.7 (conntrack-tools): started\n", False),
    ],
)
def test_a_line_about_a_connection_that_cannot_be_read_is_a_gap_in_the_log(bad, missed, tmp_path, operator):
    """Somebody else may have got the port; what is of another kind says nothing of ports."""
    plan(tmp_path)
    before = log_of([flow(1, 1, 0.0, 10.0), flow(2, 2, 20.0, 30.0, port=1600)])
    read(tmp_path / "nat.log", before + bad.encode() + BEHIND)
    assert ask(15.0, precision=10.0).customer == "acct-1", "the gap is from 30 to 100"
    assert ask(60.0, precision=55.0).grade is (Grade.NO_DATA if missed else Grade.CONFIRMED)
    assert ask(200.0).reason is AttributionReason.UNASSIGNED


def test_whoever_was_last_seen_before_an_end_that_cannot_be_read_is_not_named_after_it(tmp_path, operator):
    plan(tmp_path)
    own = flow(1, 1, 0.0, 60.0)
    read(tmp_path / "nat.log", line(own).encode() + line(own, gone=True)[:50].encode() + b"\n" + BEHIND)
    assert ask(200.0).grade is Grade.NO_DATA
    assert ask(0.0, precision=0.0).grade is Grade.NO_DATA, "the gap begins with the line before"


SYSLOG = (Path(built_in.__file__).parent / "nat_syslog" / "samples" / "flows.log").read_text().splitlines()
KNOWN = [
    s
    for s in SYSLOG
    if "RT_FLOW" in s or ("305011" in s and not s.endswith("/0")) or "IPNAT" in s or "NAT-TCP-C" in s or "LSN_ADD" in s
]


@pytest.mark.parametrize("whole", KNOWN, ids=lambda s: s[:45])
def test_a_syslog_line_that_lost_its_end_or_its_sense_is_a_gap(whole):
    def missed(text: str) -> bool:
        parsed = sources()["nat-syslog"].read(Stretch(f"{KNOWN[0]}\n{text}\n".encode(), 0), Options(source="x"))
        return bool(parsed.missed)

    assert not missed(whole)
    assert missed(whole[: whole.index("100.64.0.") + 8])
    assert missed(re.sub(r"198\.51\.100\.1\b", "198.51.100.999", whole))
    assert not missed("2026-03-10T12:00:00Z host sshd[1]: a line of another program")


@pytest.mark.parametrize(
    "other",
    [
        KNOWN[0].replace("100.64.0.1", "2001:db8::1").replace("198.51.100.1", "2001:db8::1"),
        next(s for s in SYSLOG if "305011" in s).replace("dynamic TCP", "dynamic ICMP"),
        next(s for s in SYSLOG if "305011" in s).replace("dynamic TCP", "static TCP").replace("/1003", ""),
    ],
    ids=["ipv6", "icmp", "static"],
)
def test_a_line_of_the_same_vendor_about_something_else_is_none(other):
    parsed = sources()["nat-syslog"].read(Stretch(f"{KNOWN[0]}\n{other}\n".encode(), 0), Options(source="x"))
    assert (parsed.count + parsed.refused_total, parsed.missed) == (2, [])


def numbered(kind: str, numbers: list[int], *, every: float = 10.0) -> bytes:
    """Messages of two connections each, ten seconds apart, as IPFIX or NetFlow 9 numbers them."""
    fields = ((323, 8), (230, 1), (4, 1), (8, 4), (225, 4), (7, 2), (227, 2))
    template = struct.pack(">HH", 300, len(fields)) + b"".join(struct.pack(">HH", *f) for f in fields)
    ipfix = kind == "nat-ipfix"
    sets = [struct.pack(">HH", 2 if ipfix else 0, 4 + len(template)) + template]
    for place in range(len(numbers)):
        at = round((NOON.timestamp() + place * every) * 1000)
        rows = [struct.pack(">QBBIIHH", at + n, 4, 6, 0x64400001, 0xC6336401, 20000, 1024 + 2 * place + n)
                for n in range(2)]  # fmt: skip
        body = b"".join(rows)
        sets.append(struct.pack(">HH", 300, 4 + len(body)) + body)
    sets[1] = sets[0] + sets[1]
    head = ">HHIII" if ipfix else ">HHIIII"
    return b"".join(
        struct.pack(head, *((10, 16 + len(one), 0, number, 7) if ipfix else (9, 2, 0, 0, number, 7))) + one
        for number, one in zip(numbers, sets[1:], strict=True)
    )


@pytest.mark.parametrize(
    ("numbers", "between"),
    [
        ([0, 2, 4, 6], []),
        ([0, 2, 6, 8], [(10, 20)]),
        ([0, 6, 2, 4], []),  # One was overtaken by two others.
        ([0, 6, 2, 8], [(0, 10)]),
        ([2**32 - 4, 2**32 - 2, 0, 2], []),
        ([500, 502, 0, 2], [(10, 20)]),  # The exporter began anew.
        ([0, 2, 2, 4], []),  # One was sent twice.
        ([0, 0, 0, 0], []),  # Not numbered.
    ],
)
@pytest.mark.parametrize("kind", ["nat-ipfix", "nat-netflow"])
def test_messages_that_are_missing_by_their_numbers_are_a_gap(numbers, between, kind):
    def instants(missed) -> list[tuple[int, int]]:
        # The second connection of a message is a thousandth of a second after the first.
        return sorted((round((a / 1e6 - NOON.timestamp())), round(b / 1e6 - NOON.timestamp())) for a, b in missed)

    if kind == "nat-netflow":
        # Two records a message, of which NetFlow counts the packets.
        numbers = [n // 2 if n < 2**31 else 2**32 - (2**32 - n) // 2 for n in numbers]
    data, source = numbered(kind, numbers), sources()[kind]
    whole = source.read(Stretch(data, 0), Options(source="x"))
    assert (whole.count, whole.refused_total, instants(whole.missed)) == (2 * len(numbers), 0, between)
    # Read piece by piece it is the same, but for what overtook, or repeats, another in the piece before.
    cut = len(data) - source.cut(data[: len(data) // 4 * 3])
    first, rest = data[: len(data) - cut], data[len(data) - cut :]
    assert rest
    after = source.read(Stretch(rest, len(first), source.carry(b"", first)), Options(source="x"))
    before = source.read(Stretch(first, 0), Options(source="x"))
    assert before.count + after.count == whole.count
    if numbers == sorted(set(numbers)) or not any(numbers):
        told = [*before.missed, *((before.covers[1] if a is None else a, b) for a, b in after.missed)]
        assert instants(told) == between


def test_messages_are_missed_after_a_set_of_options_whose_template_came_a_stretch_earlier():
    """Options tell of the exporter, ever again; their records are counted as those of connections."""
    template = struct.pack(">HHHHHHH", 400, 2, 1, 149, 4, 41, 8)
    options = struct.pack(">HH", 3, 4 + len(template)) + template, struct.pack(">HHIQ", 400, 16, 1, 5)
    stated, told = (
        struct.pack(">HHIII", 10, 16 + len(one), 0, number, 7) + one
        for one, number in zip(options, (2, 4), strict=True)
    )
    messages = numbered("nat-ipfix", [0, 2, 7])
    cut = len(messages) - (len(numbered("nat-ipfix", [0, 2])) - len(numbered("nat-ipfix", [0])))
    second = len(numbered("nat-ipfix", [0]))
    ipfix = sources()["nat-ipfix"]
    first = messages[:second] + stated + messages[second:cut]
    for last, missing in ((5, False), (7, True)):
        rest = told + numbered("nat-ipfix", [0, 2, last])[cut:]
        header = ipfix.carry(ipfix.carry(b"", first[:second]), first[second:])
        assert bool(ipfix.read(Stretch(rest, len(first), header), Options(source="x")).missed) is missing
        assert bool(ipfix.read(Stretch(first + rest, 0), Options(source="x")).missed) is missing


def test_sets_of_ipfix_whose_template_was_not_read_are_a_gap():
    ipfix, samples = sources()["nat-ipfix"], Path(built_in.__file__).parent / "nat_ipfix" / "samples"
    data = next(f for f in samples.iterdir() if f.suffix == ".ipfix").read_bytes()
    # One set of the sample has no template, and one fields of any length.
    whole = ipfix.read(Stretch(data, 0), Options(source="x"))
    assert (whole.count, whole.refused_total, len(whole.missed)) == (5, 3, 1)
    first = int.from_bytes(data[2:4])
    # What follows the first message, which states the templates, can't be read without it.
    later = ipfix.read(Stretch(data[first:], first), Options(source="x"))
    assert later.missed[0][0] is None
