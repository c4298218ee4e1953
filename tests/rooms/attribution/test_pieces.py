"""Read at once or piece by piece, a log says the same, and never somebody in the place of one of whom it tells more.

The oracle knows of each stay between which instants the log speaks of it, and nothing of how rows are joined.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.db import connection

from tipstaff.attribution.clocks import LATELY, KnownClock
from tipstaff.attribution.match import Question
from tipstaff.attribution.models import BindingRow
from tipstaff.attribution.operations import add_identities, take_in
from tipstaff.attribution.protocol import Options
from tipstaff.procedures.lookup import answer_one
from tipstaff.procedures.many import open_book
from tipstaff.registry import operations as registry
from tipstaff.wiring import sources
from tipstaff.words import Grade, HoldingKind, Identity, Moment, SubjectKind, Tier

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
T = int(NOON.timestamp())
HOUR = 3600
LATER = datetime(2026, 3, 30, tzinfo=UTC)
BY = {"at": LATER, "actor": "engineer"}
BEFORE = {**BY, "at": datetime(2025, 1, 1, tzinfo=UTC)}
RADIUS = "timestamp,acct_status_type,user_name,nas_ip_address,framed_ip_address,acct_session_id,acct_session_time\n"
KEA = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
NAMES = ("alice", "bob", "carol")


@pytest.fixture(autouse=True)
def space(db):
    for kind in (HoldingKind.STATIC, HoldingKind.POOL):
        registry.hold(
            tier=Tier.OPERATOR, kind=kind, prefix=ip_network("10.0.0.0/8"), source="plan",
            held_from=datetime(2025, 1, 1, tzinfo=UTC), **BY,
        )  # fmt: skip
    add_identities(
        [
            Identity(kind=kind, value=name, customer=name)
            for name in (*NAMES, "dave")
            for kind in (SubjectKind.USERNAME, SubjectKind.CIRCUIT)
        ],
        source="crm", **BEFORE,
    )  # fmt: skip


def load(kind, file, text, **options):
    file.write_text(text)
    return list(take_in(file, sources()[kind], Options(**{"source": kind, "circuits_unique": True, **options}), **BY))


def load_by_pieces(kind, file, head, lines, ends, **options):
    return [x for end in (*ends, len(lines)) for x in load(kind, file, head + "".join(lines[:end]), **options)]


def question(seconds, address="10.0.0.1"):
    return Question(address=ip_address(address), moment=Moment(datetime.fromtimestamp(seconds, UTC), 1.0))


def ask(hours, address="10.0.0.1"):
    """Grade and customer: by one question, and by many at once, which must agree."""
    asked = question(T + hours * HOUR, address)
    one = answer_one(asked, received_at=LATER)
    (many,) = open_book(at=LATER).attribute([asked], received_at=LATER)
    assert (one.grade, one.reason, one.customer) == (many.grade, many.reason, many.customer)
    return one.grade.name, one.customer


def kea(name, begin, term, *, address="10.0.0.1", state=0):
    """A row of the memfile: `name` is a circuit, and its machine is another for each."""
    option = f"01{len(name):02x}{name.encode().hex()}"
    context = f'{{ "ISC": {{ "relay-agent-info": {{ "sub-options": "0x{option}" }} }} }}' if name else ""
    machine = f"02:00:00:00:00:{len(name):02x}" if name else ""
    return f"{address},{machine},,{term},{begin + term},1,0,0,,{state},{context}\n"


def session(hours, status, name, nas=1, *, begun=None, address="10.0.0.1", session=""):
    at = T + round(hours * HOUR)
    lasted = "" if begun is None else at - (T + round(begun * HOUR))
    return f"{at},{status},{name},192.0.2.{nas},{address},{session or name},{lasted}\n"


@dataclass
class Stay:
    """Somebody on an address, and between which instants the log speaks of it."""

    address: str
    name: str
    first: int
    last: int
    lines: list[tuple[int, str]] = field(default_factory=list)


def radius_stays(dice):
    """Stays that overlap, of NASes that restart, with interims and lost Stops."""
    for number in range(10):
        address, name, nas = f"10.0.0.{dice.integers(1, 4)}", NAMES[dice.integers(3)], int(dice.integers(1, 3))
        begin, end = sorted(int(s) for s in dice.integers(0, 20 * 60, 2) * 60)
        told = [(begin, "Start"), *((at, "Interim-Update") for at in range(begin + 1800, end, HOUR))]
        if dice.random() < 0.6:
            told.append((end, "Stop"))
        lines = [
            (at, session(at / HOUR, status, name, nas, begun=begin / HOUR, address=address, session=number))
            for at, status in told
        ]
        yield Stay(address, name, T + begin, T + told[-1][0], lines)


def lease_stays(dice):
    """Addresses given from one to the other and back, with renewals, of which releases are mostly lost."""
    for last in range(1, 4):
        address, begin = f"10.0.0.{last}", int(dice.integers(0, HOUR))
        for _ in range(6):
            name, end = NAMES[dice.integers(3)], begin + int(dice.integers(600, 6 * HOUR))
            told = list(range(begin, end, 2 * HOUR))
            lines = [(at, kea(name, T + at, 4 * HOUR, address=address)) for at in told]
            gone = dice.random() < 0.2
            if gone:
                lines.append((end, kea(name, T + told[-1], 0, address=address)))
            # What was given is sure until it is released, given on, or over by its term: of that the log speaks.
            yield Stay(address, name, T + begin, T + told[-1], lines)
            begin = end + int(dice.integers(5, 600))


def rows_of(source):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT b.version, b.lo, b.subject, b.possible_from, b.sure_from, b.sure_until, b.possible_until, b.ending "
            "FROM attribution_bindingrow b JOIN attribution_sourcerow s ON s.id = b.source_id WHERE s.name = %s "
            "ORDER BY 1, 2, 4, 3, 5, 6, 7",
            [source],
        )
        return cursor.fetchall()


@pytest.mark.parametrize(("kind", "head", "make"), [
    ("radius-csv", RADIUS, radius_stays), ("kea-memfile", KEA, lease_stays),
])  # fmt: skip
@pytest.mark.parametrize("seed", range(4))
def test_a_log_read_by_pieces_says_what_it_says_at_once_and_names_nobody_in_anothers_place(
    kind, head, make, seed, tmp_path
):
    dice = np.random.default_rng(seed)
    stays = list(make(dice))
    told = sorted((line for stay in stays for line in stay.lines), key=lambda line: line[0])
    if kind == "radius-csv":
        told.append((12 * HOUR + 7, f"{T + 12 * HOUR + 7},Accounting-On,,192.0.2.2,,,\n"))
        told.sort(key=lambda line: line[0])
    lines = [text for _, text in told]
    lines.append(kea("dave", T + 100 * HOUR, HOUR, address="10.0.0.200") if kind == "kea-memfile"
                 else session(100, "Start", "dave", address="10.0.0.200"))  # fmt: skip
    every = {"interim_seconds": 1.5 * HOUR} if seed % 2 and kind == "radius-csv" else {}
    load(kind, tmp_path / "whole", head + "".join(lines), source="whole", **every)
    asked = [(stay, int(at)) for stay in stays for at in dice.integers(stay.first, stay.last + 1, 6)]
    answers = open_book(at=LATER).attribute([question(at, stay.address) for stay, at in asked], received_at=LATER)
    for (stay, at), answer in zip(asked, answers, strict=True):
        there = {s.name for s in stays if s.address == stay.address and s.first <= at <= s.last}
        assert not answer.named or there == {answer.customer}, (seed, stay, at, answer.grade, answer.customer, there)
    assert sum(a.grade is Grade.CONFIRMED for a in answers) > len(answers) / 5

    # A release is known to lie between the rows around it: those must be in one piece with it.
    ends = sorted(n for n in dice.integers(1, len(lines), 9).tolist() if ",,0," not in lines[n])
    load_by_pieces(kind, tmp_path / "pieces", head, lines, ends, source="pieces", **every)
    assert rows_of("pieces") == rows_of("whole")


@pytest.mark.parametrize("one_pool", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_session_that_is_alive_is_not_ended_by_anothers_start(at_once, one_pool, tmp_path):
    """Two access servers that give out the same inside pool, behind one RADIUS server."""
    lines = [
        session(0, "Start", "alice"), session(1, "Interim-Update", "alice", begun=0), session(2, "Start", "bob", 2),
        session(3, "Interim-Update", "alice", begun=0), session(3.01, "Interim-Update", "bob", 2, begun=2),
        session(6, "Interim-Update", "alice", begun=0), session(6.01, "Interim-Update", "bob", 2, begun=2),
        session(7, "Start", "carol"), session(9, "Interim-Update", "carol", begun=7),
        session(20, "Start", "dave", address="10.0.0.200"),
    ]  # fmt: skip
    pieces = () if at_once else range(1, len(lines))
    load_by_pieces("radius-csv", tmp_path / "log", RADIUS, lines, pieces, one_pool=one_pool)
    assert ask(1) == ("CONFIRMED", "alice")
    assert ask(5) == ("CONTRADICTED", None)
    assert ask(6.5) == ("AMBIGUOUS", None)
    # Who began after all that was heard of both ended the one on the same server, and both if there is one pool.
    assert ask(8) == (("CONFIRMED", "carol") if one_pool else ("AMBIGUOUS", None))


@pytest.mark.parametrize("at_once", [True, False])
def test_a_lease_taken_again_after_another_client_is_a_lease_of_its_own(at_once, tmp_path):
    told = [(hour, kea("dave", T + hour * HOUR, HOUR, address="10.0.0.200")) for hour in range(0, 25)]
    told += [(0, kea("alice", T, 10 * HOUR)), (4, kea("bob", T + 4 * HOUR, 10 * HOUR)),
             (7, kea("alice", T + 7 * HOUR, 10 * HOUR))]  # fmt: skip
    lines = [line for _, line in sorted(told)]
    ends = () if at_once else range(1, len(lines), 3)
    load_by_pieces("kea-memfile", tmp_path / "log", KEA, lines, ends)
    assert [ask(h) for h in (2, 5, 8, 15)] == [("CONFIRMED", n) for n in ("alice", "bob", "alice", "alice")]
    assert ask(18) == ("NONE", None)


@pytest.mark.parametrize("followed", [False, True])
def test_a_lease_that_was_not_renewed_after_a_gap_may_have_been_anothers_meanwhile(followed, tmp_path):
    """A day's lease of alice's, six hours of the log that nobody read, and then nothing of her for hours."""

    def hours(first, end):
        return [(h, kea("dave", T + h * HOUR, HOUR, address="10.0.0.200")) for h in range(first, end)]

    before = [*hours(0, 3), (0.5, kea("alice", T, 24 * HOUR)), (0.6, kea("carol", T, 24 * HOUR, address="10.0.0.9"))]
    after = [*hours(8, 20), (10.5, kea("carol", T + 10 * HOUR, 24 * HOUR, address="10.0.0.9"))]
    if followed:
        after.append((15.5, kea("bob", T + 15 * HOUR, 4 * HOUR)))
    for name, told in (("one", before), ("two", after)):
        load("kea-memfile", tmp_path / name, KEA + "".join(line for _, line in sorted(told)))
    assert ask(1.5) == ("CONFIRMED", "alice")
    assert [ask(h) for h in (5, 9, 14)] == [("NO_DATA", None)] * 3
    assert ask(16) == (("CONFIRMED", "bob") if followed else ("NO_DATA", None))
    # Who renewed it after the gap is sure from then on, and what lies before is no surer for it.
    assert [ask(h, "10.0.0.9") for h in (9, 12)] == [("NO_DATA", None), ("CONFIRMED", "carol")]


def test_a_lease_given_in_a_gap_may_run_on_after_it_without_a_word(tmp_path):
    """Six hours of the log that nobody read, and leases of up to four."""

    def hours(first, end):
        return "".join(kea("dave", T + h * HOUR, HOUR, address="10.0.0.200") for h in range(first, end))

    load("kea-memfile", tmp_path / "one", KEA + hours(0, 7))
    load("kea-memfile", tmp_path / "two", KEA + hours(12, 13) + kea("carol", T + 45_000, 4 * HOUR) + hours(13, 30))
    silent = [ask(h, "10.0.0.77") for h in (2, 5, 9, 14, 15.9, 17)]
    assert silent == [("NO_DATA", None), ("NONE", None), *[("NO_DATA", None)] * 3, ("NONE", None)]
    assert [ask(h) for h in (12.4, 12.6)] == [("NO_DATA", None), ("CONFIRMED", "carol")]


def test_a_lease_renewed_after_another_began_is_ended_by_neither(tmp_path):
    """The rows of a rotated file that is read late: bob's lease lies between two of alice's renewals."""
    dave = kea("dave", T + 20 * HOUR, HOUR, address="10.0.0.200")
    load("kea-memfile", tmp_path / "new", KEA + kea("alice", T, 9 * HOUR) + kea("alice", T + 3 * HOUR, 9 * HOUR) + dave)
    load("kea-memfile", tmp_path / "old", KEA + kea("bob", T + 2 * HOUR, 9 * HOUR) + dave)
    assert ask(1) == ("CONFIRMED", "alice")
    assert ask(5) == ("CONTRADICTED", None)


@pytest.mark.parametrize(("kind", "head", "lines"), [
    ("radius-csv", RADIUS, [
        session(0, "Start", "alice"), session(1, "Interim-Update", "alice", begun=0),
        session(2, "Stop", "alice", begun=0), session(3, "Start", "bob"), session(4, "Stop", "bob", begun=3),
    ]),
    ("kea-memfile", KEA, [
        kea("alice", T, 4 * HOUR), kea("alice", T + 2 * HOUR, 4 * HOUR), kea("bob", T + 5 * HOUR, 4 * HOUR),
        kea("bob", T + 7 * HOUR, 4 * HOUR), kea("dave", T + 8 * HOUR, HOUR, address="10.0.0.9"),
    ]),
])  # fmt: skip
def test_what_an_earlier_version_wrote_is_gone_on_with(kind, head, lines, tmp_path):
    """Its rows do not say what their records said."""
    load(kind, tmp_path / "whole", head + "".join(lines), source="whole")
    for end in range(1, len(lines) + 1):
        load(kind, tmp_path / "pieces", head + "".join(lines[:end]), source="pieces")
        BindingRow.objects.filter(source__name="pieces").update(
            since=None, seen=None, until=None, heard=None, final=None, begun=None, session=None
        )
    assert rows_of("pieces") == rows_of("whole")


AHEAD = 30
"""The RADIUS server's clock is so many seconds ahead of the access servers'."""
DATED = RADIUS.replace("\n", ",event_timestamp\n")


def dated(status, name, begin, lasts, address, number, *, event=True):
    at = begin + lasts
    stated = at if event else ""
    return f"{at + AHEAD},{status},{name},192.0.2.1,{address},{number},{lasts},{stated}\n"


@pytest.mark.parametrize("piece", [None, 7])
def test_a_clock_that_is_ahead_names_nobody_in_anothers_place_however_few_records_are_read_at_once(piece, tmp_path):
    dice = np.random.default_rng(6)
    stays, told = [], []
    for address in (f"10.0.2.{n}" for n in range(1, 9)):
        begin = T + int(dice.integers(HOUR))
        for number in range(6):
            name, lasts = NAMES[dice.integers(3)], int(dice.integers(600, 6000))
            stays.append((address, name, begin, begin + lasts))
            for status, after in (("Start", 0), ("Stop", lasts)):
                # Every third does not say when it happened.
                told.append((begin + after, dated(status, name, begin, after, address, number, event=len(told) % 3)))
            begin += lasts + int(dice.integers(1, 6))
    lines = [line for _, line in sorted(told)]
    ends = range(piece, len(lines), piece) if piece else ()
    loads = load_by_pieces("radius-csv", tmp_path / "log", DATED, lines, ends)
    assert {x.clock_error_seconds for x in loads} == {AHEAD}
    asked = [
        (name, question(int(at), address))
        for address, name, begin, end in stays
        for at in (*dice.integers(begin + 2, begin + 28, 3), *dice.integers(begin + 2, end - 2, 3))
    ]
    answers = open_book(at=LATER).attribute([q for _, q in asked], received_at=LATER)
    assert {a.customer == name for (name, _), a in zip(asked, answers, strict=True) if a.named} == {True}
    assert sum(a.grade is Grade.CONFIRMED for a in answers) > len(answers) / 3


def test_a_tail_of_few_records_is_as_unsure_as_what_was_read_before(tmp_path):
    before = [dated("Start", f"u{n}", T - 50000 + n * 10, 0, f"10.0.1.{n}", n) for n in range(100)]
    before.append(dated("Start", "alice", T - 2 * HOUR, 0, "10.0.0.1", "a"))
    tail = [
        dated("Stop", "alice", T - 2 * HOUR, 2 * HOUR, "10.0.0.1", "a", event=False),
        dated("Start", "bob", T + 2, 0, "10.0.0.1", "b", event=False),
        dated("Stop", "bob", T + 2, 2 * HOUR, "10.0.0.1", "b", event=False),
    ]
    loads = load_by_pieces("radius-csv", tmp_path / "log", DATED, before + tail, [len(before)])
    assert [x.clock_error_seconds for x in loads] == [AHEAD, AHEAD]
    assert ask(20 / HOUR) == ("AMBIGUOUS", None)  # bob had it since 12:00:02, which the server's clock calls 12:00:32.
    assert ask(2 / 60) == ("CONFIRMED", "bob")


def test_rows_read_before_anything_was_known_of_the_clock_are_widened_by_what_is_learnt(tmp_path):
    lines = [
        dated("Start", "alice", T, 0, "10.0.0.1", "a", event=False),
        dated("Stop", "alice", T, HOUR, "10.0.0.1", "a", event=False),
        dated("Start", "bob", T + HOUR, 0, "10.0.0.1", "b", event=False),
        dated("Start", "carol", T + HOUR, 60, "10.0.0.2", "c"),
    ]
    load("radius-csv", tmp_path / "log", DATED + "".join(lines[:3]))
    assert ask(1 + 10 / HOUR) == ("CONFIRMED", "alice")  # Nothing shows yet that the clock is ahead.
    load("radius-csv", tmp_path / "log", DATED + "".join(lines))
    assert ask(1 + 10 / HOUR) == ("AMBIGUOUS", None)


def test_what_was_known_of_a_clock_fades_when_a_thousand_records_know_better():
    clock = KnownClock().after(40_000_000, 3)
    assert clock.after(1_000_000, LATELY - 4).error == 40_000_000
    assert clock.after(1_000_000, LATELY - 3).error == 40_000_000
    assert clock.after(1_000_000, LATELY).after(1_000_000, LATELY).error == 1_000_000
    assert clock.after(1_000_000, 0) == clock


@pytest.mark.parametrize("at_once", [True, False])
def test_who_fell_silent_is_not_named_for_ever_whether_its_log_is_read_at_once_or_by_a_timer(at_once, tmp_path):
    """Nobody is given the address, so that no later record is about it."""
    lines = [session(0, "Start", "alice"), session(0.25, "Interim-Update", "alice", begun=0)]
    lines += [session(n / 2, "Start", f"x{n}", 9, address=f"10.0.0.{100 + n}") for n in range(1, 14)]
    ends = () if at_once else range(1, len(lines))
    load_by_pieces("radius-csv", tmp_path / "log", RADIUS, lines, ends, interim_seconds=900)
    assert ask(0.2) == ("CONFIRMED", "alice")
    assert ask(0.4) == ("PROBABLE", "alice")
    assert ask(6) == ("NONE", None)


def test_an_end_that_may_lie_in_a_gap_leaves_nobody_named_after_it(tmp_path):
    """Her Stop and another's Start may have been in the part that was not read. She who is seen again after it was
    there all the while."""
    lines = [session(0, "Start", "alice"), session(0, "Start", "bob", address="10.0.0.2"),
             session(2, "Start", "x2", address="10.0.0.102"), session(2.5, "Start", "x3", address="10.0.0.103"),
             session(2.7, "Interim-Update", "bob", begun=0, address="10.0.0.2"),
             session(3, "Start", "x4", address="10.0.0.104")]  # fmt: skip
    load("radius-csv", tmp_path / "log", RADIUS + "".join(lines[:2]))
    load("radius-csv", tmp_path / "next", RADIUS + "".join(lines[2:]))
    assert [ask(h) for h in (1, 2.6)] == [("NO_DATA", None)] * 2
    assert [ask(h, "10.0.0.2") for h in (1, 2.6)] == [("CONFIRMED", "bob")] * 2
    assert ask(2.9, "10.0.0.2") == ("PROBABLE", "bob")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_lease_that_its_client_declines_is_over(at_once, tmp_path):
    """Somebody else, whom nobody knows, was found on the address."""
    lines = [kea("alice", T, 10 * HOUR), kea("", T + 60, 4 * HOUR, state=1), kea("bob", T + 5 * HOUR, 2 * HOUR)]
    # What was given before the log began, for ten hours at most, is over.
    told = [(hour, kea("dave", T + hour * HOUR, HOUR, address="10.0.0.200")) for hour in range(-11, 10)]
    lines = [line for _, line in sorted([*told, (0.5, lines[0]), (0.6, lines[1]), (5.5, lines[2])])]
    load_by_pieces("kea-memfile", tmp_path / "log", KEA, lines, () if at_once else range(1, len(lines)))
    assert ask(0.005) == ("CONFIRMED", "alice")
    assert [ask(h) for h in (1, 3.9)] == [("NO_DATA", None)] * 2
    assert ask(4.5) == ("NONE", None)
    assert ask(6) == ("CONFIRMED", "bob")


def test_a_lease_that_dhcpd_abandons_is_over(tmp_path):
    block = "lease {} {{\n  starts epoch {};\n  ends epoch {};\n  binding state {};\n{}}}\n"
    circuit = '  hardware ethernet 02:00:00:00:00:01;\n  option agent.circuit-id "alice";\n'
    blocks = [
        block.format("10.0.0.1", T, T + 10 * HOUR, "active", circuit),
        block.format("10.0.0.1", T, T + HOUR, "abandoned", ""),
        block.format("10.0.0.200", T + 20 * HOUR, T + 21 * HOUR, "active", circuit),
    ]
    load("isc-dhcpd", tmp_path / "log", "".join(blocks))
    assert ask(0.5) == ("CONFIRMED", "alice")
    assert ask(2) == ("NO_DATA", None)


@pytest.mark.parametrize("at_once", [True, False])
def test_an_hour_that_happens_twice_leaves_no_former_holder_named(at_once, tmp_path):
    """02:10 and 02:20 in Berlin may be either hour where a timer reads the lines one by one."""

    def line(clock, event, inside, ports="1024-2047"):
        return f"2025-10-26T{clock} nat event={event} inside={inside} outside=10.0.0.9 ports={ports}\n"

    long_ago = "2025-01-01T00:00:00Z"
    load(
        "ipam",
        tmp_path / "plan",
        f"prefix,service,since\n100.64.0.1/32,alice,{long_ago}\n100.64.0.2/32,bob,{long_ago}\n",
        realm="cgn",
    )
    add_identities(
        [Identity(kind=SubjectKind.SERVICE, value=n, customer=n) for n in ("alice", "bob")], source="services", **BEFORE
    )
    lines = [line("01:30:00", "alloc", "100.64.0.1"), line("02:10:00", "release", "100.64.0.1"),
             line("02:20:00", "alloc", "100.64.0.2"), line("03:30:00", "alloc", "100.64.0.3", "2048-3071")]  # fmt: skip
    loads = load_by_pieces("nat-blocks", tmp_path / "log", "", lines, () if at_once else range(1, len(lines)),
                           inside_realm="cgn", zone=ZoneInfo("Europe/Berlin"))  # fmt: skip
    assert sum(x.refused_total for x in loads) == 0

    def who(utc):
        moment = Moment(datetime.fromisoformat(f"2025-10-26T{utc}Z"), 1.0)
        answer = answer_one(Question(address=ip_address("10.0.0.9"), port=1500, moment=moment), received_at=LATER)
        return answer.grade.name, answer.customer

    assert who("00:05:00") == ("CONFIRMED", "alice")
    assert who("00:50:00")[1] is None  # The one hour or the other: 00:10 to 01:20 UTC.
    # Read one by one, more than an hour without a line is a gap.
    assert who("02:00:00") == (("PROBABLE", "bob") if at_once else ("NO_DATA", None))


def test_two_stays_in_the_hour_that_happens_twice_end_neither(tmp_path):
    """Alice came at 02:10, the clock went back, and bob came at 02:05: line by line it looks the other way round."""
    lines = [
        f"2025-10-26 {clock},Start,{name},192.0.2.1,10.0.0.{place},{name},\n"
        for clock, name, place in (("02:10:00", "alice", 1), ("02:05:00", "bob", 1), ("08:00:00", "carol", 7))
    ]
    load_by_pieces("radius-csv", tmp_path / "log", RADIUS, lines, (1, 2), zone=ZoneInfo("Europe/Berlin"))
    at = datetime(2025, 10, 26, 1, 8, tzinfo=UTC).timestamp()
    assert ask((at - T) / HOUR)[1] is None
    assert ask((at + 2 * HOUR - T) / HOUR)[1] is None


@pytest.mark.parametrize("ends", [(), (2,), (2, 3), (1, 2, 3, 4)])
def test_a_line_that_cannot_be_read_may_have_ended_what_was_open(ends, tmp_path):
    """Alice's Stop lost its time; bob is spoken of again after it."""
    lines = [session(0, "Start", "alice"), session(0.1, "Start", "bob", address="10.0.0.2"),
             session(0.2, "Stop", "alice").replace(str(T + 720), "last noon"),
             session(0.3, "Start", "carol", address="10.0.0.3"),
             session(0.9, "Interim-Update", "bob", begun=0.1, address="10.0.0.2")]  # fmt: skip
    loads = load_by_pieces("radius-csv", tmp_path / "log", RADIUS, lines, ends)
    assert sum(x.refused_total for x in loads) == 1
    assert ask(0.05) == ("PROBABLE", "alice")
    assert [ask(h) for h in (0.2, 0.6)] == [("NO_DATA", None)] * 2
    assert [ask(h, "10.0.0.2") for h in (0.2, 0.6)] == [("CONFIRMED", "bob")] * 2
    assert ask(0.6, "10.0.0.3") == ("PROBABLE", "carol")
