"""How fast it is said who held an address, and that nobody is named in another's place, on an operator of known truth.

    python bench/attribution.py [--subscribers 1000000] [--questions 1000000] [--database-rows 5000000]

A million subscribers by default: a holding each, five sessions each, and NAT with blocks of ports in front of a fifth
of them. In one run: all questions at once by the snapshot; a sample by the slow reference, which must agree; bisect
over lists and, where it is installed, pytricia; single questions through PostgreSQL, and a plain loop of queries.
"""

import argparse
import json
import os
import platform
import random
import resource
import sys
import time
from bisect import bisect_right
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_network
from pathlib import Path

os.environ["POLARS_MAX_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

LATER = datetime(2026, 6, 1, tzinfo=UTC)
STATIC = int(IPv4Address("11.0.0.0"))
OUTSIDE = int(IPv4Address("12.0.0.0"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subscribers", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=1_000_000)
    parser.add_argument("--sample", type=int, default=20_000)
    parser.add_argument("--database-rows", type=int, default=5_000_000)
    parser.add_argument("--single", type=int, default=3_000)
    options = parser.parse_args()
    from _database import database

    with database():
        told = run(options)
    print(json.dumps(told, indent=1))
    if failed := failures(told):
        sys.exit("; ".join(failed))


def failures(told: dict) -> list[str]:
    """What must not be, whatever it cost: somebody named in another's place, or two ways that do not agree."""
    found = []
    for part in ("truth", "near_edges"):
        found += [f"{part}: {told[part][n]} {n}" for n in ("wrong_customer_at_confirmed", "wrong_customer_at_probable")
                  if told[part][n]]  # fmt: skip
        if told[part]["really_several_and_nobody_named"] != told[part]["really_several"]:
            found.append(f"{part}: somebody is named where several had it")
    for part in ("reference", "reference_near_edges"):
        found += [f"{part}: {told[part]['different']} answers differ"] if told[part]["different"] else []
    peer = told["pytricia"]
    if isinstance(peer, dict) and peer["hits"] != told["bisect_over_lists"]["hits"]:
        found.append("pytricia and the lists do not find the same")
    if one := told.get("single_in_postgresql"):
        found += [f"single: {one['wrong']} wrong"] if one["wrong"] else []
        found += ["single: the plain query misses sessions"] if one["plain_found"] < one["named"] else []
    return found


def run(options: argparse.Namespace) -> dict:
    from tipstaff.attribution.bulk import book_from
    from tipstaff.testing.subscribers import operator

    clock = Clock()
    # Each of these faults makes questions for the slow reference: as often as a network of any care has them.
    made = operator(subscribers=options.subscribers, sessions=5, reused=0.01, restarting=0.02)
    bound, told, read = bindings_of(made, options.subscribers)
    held, known = holdings(options.subscribers), subscribers(options.subscribers)
    clock.lap("made")
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    FRAMES["bound"] = bound
    book = book_from(held, bound, known, records_begin_at=begin)
    opened = clock.lap("snapshot_opened")
    questions = Questions(made, told, options, number=options.questions, seed=2)
    found, bulk = at_once(book, questions)
    near = Questions(made, told, options, number=options.sample * 2, seed=3)
    near_found, near_bulk = at_once(book, near)
    figures = {
        "command": " ".join(["python", *sys.argv]),
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
        "holdings": held.height,
        "sessions": len(made.address),
        "logs_read": read,
        "translations": int((bound["kind"] == 0).sum()),
        "questions": options.questions,
        "snapshot_opened_cpu_seconds": opened,
        "all_at_once": bulk,
        "truth": truth_of(found, questions, book),
        "near_edges": {**near_bulk, **truth_of(near_found, near, book)},
        "reference": reference(book, questions, found, options.sample),
        "reference_near_edges": reference(book, near, near_found, options.sample),
        "bisect_over_lists": by_bisect(made, questions),
        "pytricia": by_pytricia(made, questions),
    }
    if options.database_rows:
        figures["single_in_postgresql"] = single(bound, made, told, options)
    figures["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return figures


class Clock:
    def __init__(self) -> None:
        self.last = time.process_time()

    def lap(self, _: str) -> float:
        now = time.process_time()
        passed, self.last = now - self.last, now
        return round(passed, 2)


def bindings_of(made, number: int):
    """What the real reader and the real joining make of the RADIUS servers' logs, each with the error of its clock
    estimated from it, and port blocks in front of inside addresses, as table rows; which stays are told of whole; and
    what was read."""
    import polars as pl

    from tipstaff.attribution.clocks import clock_error
    from tipstaff.attribution.codes import OPEN
    from tipstaff.attribution.flow_files import placed
    from tipstaff.attribution.intervals import Clock as Skew
    from tipstaff.attribution.intervals import bindings, joined
    from tipstaff.attribution.protocol import Joins, Options, Stretch
    from tipstaff.attribution.sources.radius import Csv
    from tipstaff.attribution.staging import COLUMNS, rows_of
    from tipstaff.testing.subscribers import BLOCK, INSIDE, PER_ADDRESS, log_of, radius_csv

    def table(found: pl.DataFrame, *, source: int, joins: Joins = Joins.ALONE, realm: int = 0, inside_realm: int = 0):
        return rows_of(
            placed(found, load=1), source=source, joins=joins, realm=realm, inside_realm=inside_realm, momentary=False
        ).select(
            *COLUMNS,
            pl.col("heard").cast(pl.Int64) if joins is Joins.SESSION else pl.lit(None, pl.Int64).alias("heard"),
        )

    sessions, told = [], np.zeros(len(made.begin), bool)
    records, octets, errors = 0, 0, []
    for server in range(int(made.server.max()) + 1):
        log = log_of(made, server=server, interims=1, lost=0.01)
        told |= log.told
        text = radius_csv(log)
        head = text.index(b"\n") + 1
        parsed = Csv().read(Stretch(text[head:], head, text[:head]), Options(source="bench"))
        error, _ = clock_error([parsed.lateness], floor_seconds=Csv.clock_error_seconds)
        found = bindings(
            joined(parsed.records, Joins.SESSION), Joins.SESSION, clock=Skew(error=error), restarts=parsed.restarts,
            covers_until=None,
        )  # fmt: skip
        sessions.append(table(found, source=1, joins=Joins.SESSION))
        records, octets = records + parsed.count, octets + len(text)
        errors.append(error / 1e6)
    read = {"records": records, "mib": octets >> 20, "clock_errors_seconds": [min(errors), max(errors)]}
    inside = number // 5
    host = np.arange(inside)
    blocks = pl.DataFrame({
        "offset": host, "lo": (OUTSIDE + host // PER_ADDRESS).astype(np.uint64),
        "port_first": (1024 + host % PER_ADDRESS * BLOCK).astype(np.int32),
        "port_last": (1024 + host % PER_ADDRESS * BLOCK + BLOCK - 1).astype(np.int32),
        "since": np.zeros(inside, np.int64), "until": np.full(inside, OPEN), "kind": np.zeros(inside, np.uint8),
        "inside_lo": (INSIDE + host).astype(np.uint64),
    })  # fmt: skip
    maps = bindings(blocks, Joins.ALONE, clock=Skew(error=0), restarts=None, covers_until=None)
    lines = pl.DataFrame({
        "offset": host, "lo": (INSIDE + host).astype(np.uint64), "since": np.zeros(inside, np.int64),
        "until": np.full(inside, OPEN),
    }).with_columns(pl.format("u{}", pl.Series(host)).alias("subject"))  # fmt: skip
    behind = bindings(lines, Joins.ALONE, clock=Skew(error=0), restarts=None, covers_until=None)
    rows = pl.concat([
        *sessions,
        table(maps, source=2, inside_realm=1),
        table(behind, source=3, realm=1),
    ])  # fmt: skip
    rows = rows.select(pl.col(c).cast(pl.Int64) if c not in ("subject", "nas") else c for c in (*COLUMNS, "heard"))
    return rows, told, read


def holdings(number: int):
    """A static address for each subscriber, and the operator's own space and pools."""
    import polars as pl

    since = 1_735_689_600 * 10**6
    own = [("10.0.0.0", 8, "pool"), ("10.0.0.0", 8, "static"), ("11.0.0.0", 8, "static"), ("12.0.0.0", 8, "pool"),
           ("12.0.0.0", 8, "static"), ("100.64.0.0", 10, "static")]  # fmt: skip
    operator = pl.DataFrame({
        "tier": ["operator"] * len(own), "kind": [k for _, _, k in own],
        "lo": pl.Series([int(IPv4Address(a)) for a, _, _ in own], dtype=pl.UInt64), "length": [n for _, n, _ in own],
        "customer": pl.Series([None] * len(own), dtype=pl.String),
    })  # fmt: skip
    customers = pl.DataFrame({"lo": (STATIC + np.arange(number)).astype(np.uint64)}).select(
        pl.lit("customer").alias("tier"), pl.lit("static").alias("kind"), "lo",
        pl.lit(32, pl.Int64).alias("length"), pl.format("c{}", pl.Series(np.arange(number))).alias("customer"),
    )  # fmt: skip
    frame = pl.concat([operator, customers]).with_row_index("id")
    return frame.with_columns(
        pl.lit(4, pl.Int64).alias("version"), pl.lit(0, pl.UInt64).alias("hi"), pl.lit(since).alias("since"),
        pl.lit(None, pl.Int64).alias("until"), pl.lit(0, pl.Int64).alias("port_first"),
        pl.lit(65535, pl.Int64).alias("port_last"), pl.lit(None, pl.String).alias("service"),
        pl.lit("bench").alias("source"), pl.col("id").cast(pl.Int64),
    )  # fmt: skip


def subscribers(number: int):
    import polars as pl

    n = pl.Series(np.arange(number))
    return pl.DataFrame({"kind": np.ones(number, np.int64)}).with_columns(
        pl.format("u{}", n).alias("subject"), pl.format("c{}", n).alias("customer"),
        pl.format("s{}", n).alias("service"), pl.lit(None, pl.String).alias("reseller"),
        pl.lit(None, pl.String).alias("source"),
        *(pl.lit(None, pl.Int64).alias(c) for c in ("since", "until", "sure_from", "sure_until")),
    )  # fmt: skip


class Questions:
    """Four of ten about static addresses, five about sessions (half of those near an edge in an odd run), one NAT."""

    def __init__(self, made, told, options: argparse.Namespace, *, number: int, seed: int) -> None:
        from tipstaff.attribution.tables import Questions as Asked
        from tipstaff.testing.subscribers import BLOCK, PER_ADDRESS, POOL, ask
        from tipstaff.testing.subscribers import Asked as TrueAnswers

        dice = np.random.default_rng(7)
        parts = number * 4 // 10, number - number * 4 // 10 - number // 10, number // 10
        sessions = ask(made, told=told, number=parts[1], seed=seed)
        own = dice.integers(0, options.subscribers, parts[0])
        host = dice.integers(0, options.subscribers // 5, parts[2])
        at = np.concatenate([dice.choice(sessions.at, parts[0]), sessions.at, dice.choice(sessions.at, parts[2])])
        precision = np.concatenate([np.full(parts[0], 1), sessions.precision, np.full(parts[2], 1)])
        address = np.concatenate([STATIC + own, POOL + sessions.address, OUTSIDE + host // PER_ADDRESS])
        port = np.full(number, -1)
        port[parts[0] + parts[1] :] = 1024 + host % PER_ADDRESS * BLOCK + dice.integers(0, BLOCK, parts[2])
        order = dice.permutation(number)
        static, shared = (np.ones(n, bool) for n in (parts[0], parts[2]))
        self.truth = TrueAnswers(
            address=address[order], at=at[order], precision=precision[order],
            **{name: np.concatenate([own, getattr(sessions, name), host])[order] for name in ("least", "greatest")},
            **{name: np.concatenate([static, getattr(sessions, name), shared])[order] for name in ("always", "clean")},
        )  # fmt: skip
        self.seconds, self.precision = at[order], precision[order]
        self.asked = Asked(
            4, np.zeros(number, np.uint64), address[order].astype(np.uint64), (at - precision)[order] * 10**6,
            (at + precision)[order] * 10**6, port[order],
        )  # fmt: skip


def at_once(book, questions: Questions) -> tuple[object, dict]:
    """All questions; those that the snapshot refers go to the reference, within the measured time."""
    number = len(questions.seconds)
    clock, wall = Clock(), time.perf_counter()
    answers = book.snapshot.answer(
        questions.asked,
        assumed=np.zeros(number, bool),
        protocol=np.full(number, -1),
        reference=lambda place, held, bound: walked(book, questions, place, held, bound),
    )
    cpu = clock.lap("")
    return answers, {
        "cpu_seconds": cpu,
        "seconds": round(time.perf_counter() - wall, 2),
        "questions_per_cpu_second": round(number / cpu),
        "referred_to_the_reference": len(answers.referred),
    }


def walked(book, questions: Questions, place: int, held, bound):
    from tipstaff.attribution.walk import walk
    from tipstaff.words import Moment

    s = book.snapshot
    subjects = np.unique(s.bound.subject[bound])
    first, end = s.known_as(subjects[subjects >= 0])
    address = IPv4Address(int(questions.asked.lo[place]))
    return walk(
        address,
        port=int(questions.asked.port[place]) if questions.asked.port[place] >= 0 else None,
        protocol=None,
        moment=Moment(datetime.fromtimestamp(int(questions.seconds[place]), UTC), float(questions.precision[place])),
        received_at=LATER,
        holdings=[book.holding(int(r)) for r in held],
        bindings=[binding(book, int(r)) for r in bound],
        identities=[book.identity(int(s.known_order[i])) for f, e in zip(first, end, strict=True) for i in range(f, e)],
        unread=not book.spoken_of(address),
        records_begin_at=book.records_begin_at,
    )


FRAMES: dict = {}


def binding(book, row: int):
    """A row in words; there are no files behind it."""
    from tipstaff.attribution.queries import binding_of

    b = FRAMES["bound"].row(row, named=True)
    return binding_of((
        str(b["source_id"]), "cgn" if b["realm"] else None, b["version"], b["length"], b["hi"], b["lo"],
        b["port_first"], b["port_last"], b["protocol"], b["possible_from"], b["sure_from"], b["sure_until"],
        b["possible_until"],
        b["ending"], bool(b["strong"]), False, b["kind"], b["subject"], "cgn" if b["inside_realm"] else None,
        b["inside_version"], b["inside_hi"], b["inside_lo"], "bench", b["byte_offset"], "", 0, 0, 0, b["heard"],
    ))  # fmt: skip


def truth_of(answers, questions: Questions, book) -> dict:
    """How the answers stand to what really was."""
    from tipstaff.attribution.snapshot import GRADES
    from tipstaff.words import Grade

    grade = answers.grade
    customer = np.full(len(grade), -1)
    named = np.flatnonzero(answers.customer >= 0)
    number_of = np.array([int(n[1:]) if n[0] == "c" else -1 for n in book.names])
    customer[named] = number_of[answers.customer[named]]
    for place, told in answers.referred.items():
        customer[place] = -1 if told.customer is None else int(told.customer[1:])
    confirmed, probable = (grade == GRADES.index(g) for g in (Grade.CONFIRMED, Grade.PROBABLE))
    truth = questions.truth
    wrong = truth.wrong(np.where(confirmed | probable, customer, -1), surely=confirmed)
    said = ~(confirmed | probable)
    return {
        "grades": {g.name: int((grade == i).sum()) for i, g in enumerate(GRADES)},
        "wrong_customer_at_confirmed": int((wrong & confirmed).sum()),
        "wrong_customer_at_probable": int((wrong & probable).sum()),
        "really_several": int(truth.several.sum()),
        "really_several_and_nobody_named": int((truth.several & said).sum()),
        "clean_evidence": int(truth.clean.sum()),
        "clean_evidence_confirmed_share": round(float(confirmed[truth.clean].mean()), 4),
    }


def reference(book, questions: Questions, answers, number: int) -> dict:
    """A sample, answered by the walk with rows that plain look-ups in dictionaries find; it must agree in all."""
    from tipstaff.attribution.snapshot import GRADES, REASONS

    dice = random.Random(3)
    places = dice.sample(range(len(questions.seconds)), min(number, len(questions.seconds)))
    wanted = {int(questions.asked.lo[p]) for p in places}
    lows = book.snapshot.bound.lo
    rows: dict[int, list[int]] = {}
    for row in np.flatnonzero(np.isin(lows, np.array(list(wanted), np.uint64))).tolist():
        rows.setdefault(int(lows[row]), []).append(row)
    b = book.snapshot.bound
    inside = {int(b.inside_lo[r]) for found in rows.values() for r in found if b.subject[r] < 0}
    for row in np.flatnonzero(np.isin(lows, np.array(list(inside), np.uint64))).tolist():
        rows.setdefault(int(lows[row]), []).append(row)
    static = {int(v): i for i, v in enumerate(book.snapshot.held.lo.tolist()) if book.snapshot.held.tier[i] == 2}
    own = np.flatnonzero(book.snapshot.held.tier == 0).tolist()
    clock, different = Clock(), 0
    for place in places:
        low = int(questions.asked.lo[place])
        bound_rows = list(rows.get(low, ()))
        bound_rows += [r for o in rows.get(low, ()) if b.subject[o] < 0 for r in rows.get(int(b.inside_lo[o]), ())]
        held_rows = [*own, *([static[low]] if low in static else [])]
        told = walked(book, questions, place, held_rows, np.array(bound_rows, np.int64))
        mine = answers.referred.get(place)
        name = mine.customer if mine else None if answers.customer[place] < 0 else book.names[answers.customer[place]]
        same = (told.grade, told.reason, told.customer) == (
            GRADES[answers.grade[place]], REASONS[answers.reason[place]], name
        )  # fmt: skip
        different += not same
    speed = round(len(places) / max(clock.lap(""), 0.01))
    return {"questions": len(places), "different": different, "questions_per_cpu_second": speed}


def by_bisect(made, questions: Questions) -> dict:
    """The obvious in-memory way, sessions only and without doubt: a list of beginnings for each address."""
    from tipstaff.testing.subscribers import POOL

    number = min(200_000, len(questions.seconds))
    starts: dict[int, tuple[list[int], int]] = {}
    begin = made.begin.tolist()
    for place in range(0, made.addresses * 5, 5):
        starts[POOL + place // 5] = (begin[place : place + 5], place)
    end, low, at = made.end.tolist(), questions.asked.lo[:number].tolist(), questions.seconds[:number].tolist()
    clock, hits = Clock(), 0
    for address, instant in zip(low, at, strict=True):
        found = starts.get(address)
        if found is not None:
            place = bisect_right(found[0], instant) - 1
            hits += place >= 0 and instant < end[found[1] + place]
    return {"questions_per_cpu_second": round(number / max(clock.lap(""), 0.01)), "hits": hits, "of": number}


def by_pytricia(made, questions: Questions) -> dict | str:
    try:
        import pytricia  # type: ignore[import-not-found]  # only here, where it is installed
    except ImportError:
        return "not installed; make bench installs it where there is a C compiler"
    from tipstaff.testing.subscribers import POOL

    tree = pytricia.PyTricia(32)
    begin, end = made.begin.tolist(), made.end.tolist()
    for place in range(0, made.addresses * 5, 5):
        tree.insert(POOL + place // 5, 32, (begin[place : place + 5], place))
    number = min(200_000, len(questions.seconds))
    low, at = questions.asked.lo[:number].tolist(), questions.seconds[:number].tolist()
    clock, hits = Clock(), 0
    for address, instant in zip(low, at, strict=True):
        found = tree.get(address)
        if found is not None:
            place = bisect_right(found[0], instant) - 1
            hits += place >= 0 and instant < end[found[1] + place]
    return {"questions_per_cpu_second": round(number / max(clock.lap(""), 0.01)), "hits": hits, "of": number}


def single(bound, made, told, options: argparse.Namespace) -> dict:
    """One question after the other through PostgreSQL with all its rows, and a plain loop of one query each."""
    import polars as pl
    from django.db import connection

    from tipstaff.attribution import staging
    from tipstaff.attribution.models import CoverRow, LoadRow, SourceRow
    from tipstaff.attribution.operations import add_identities
    from tipstaff.procedures.lookup import who_held
    from tipstaff.registry import operations as registry
    from tipstaff.testing.subscribers import POOL, asked_of
    from tipstaff.words import Grade, HoldingKind, Identity, Moment, SubjectKind, Tier

    # All rows of so many addresses: who had one besides must be there, too.
    sessions = bound.filter(pl.col("source_id") == 1)
    addresses = min(options.database_rows * made.addresses // max(sessions.height, 1), made.addresses)
    rows = sessions.filter(pl.col("lo") < POOL + addresses)
    rows = rows.with_columns(rows["strong"] == 1, rows["momentary"] == 1)
    source = SourceRow.objects.create(name="bench", kind="radius-csv")
    load = LoadRow.objects.create(
        source=source, file="bench", head_sha256="", head_size=0, first_byte=0, end_byte=0, sha256="", records=0,
        clock_error=0, covers_from=0, covers_until=4 * 10**15, read_at=LATER,
    )  # fmt: skip
    rows = rows.with_columns(
        pl.lit(source.pk).alias("source_id"), pl.lit(load.pk).alias("load_id"), pl.lit(load.pk).alias("end_load_id")
    )
    clock, wall = Clock(), time.perf_counter()
    staging.put_in(rows)
    copied = {"cpu_seconds": clock.lap(""), "seconds": round(time.perf_counter() - wall, 2), "rows": rows.height}
    staging.note_shapes(rows)
    # Its neighbourhoods, and that it was read all the while: a question asks for its gaps, too.
    staging.note_scope(rows, source=source.pk)
    CoverRow.objects.create(source=source, since=0, until=4 * 10**15)
    for kind in (HoldingKind.STATIC, HoldingKind.POOL):
        registry.hold(tier=Tier.OPERATOR, kind=kind, prefix=ip_network("10.0.0.0/8"), source="bench",
                      held_from=datetime(2025, 1, 1, tzinfo=UTC), at=LATER, actor="bench")  # fmt: skip
    dice = random.Random(5)
    stays = [dice.randrange(addresses * made.sessions) for _ in range(options.single)]
    add_identities(
        (Identity(kind=SubjectKind.USERNAME, value=f"u{n}", customer=f"c{n}") for n in sorted(
            {int(made.subscriber[s]) for s in stays})),
        source="bench", at=datetime(2025, 1, 1, tzinfo=UTC), actor="bench",
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    asked = [(IPv4Address(POOL + int(made.address[s])), int(made.begin[s]) + 600) for s in stays]
    times, named, sure = [], [], []
    cpu, server = time.process_time(), server_seconds()
    for address, at in asked:
        begin = time.perf_counter()
        answer = who_held(address, port=None, moment=Moment(datetime.fromtimestamp(at, UTC)), received_at=LATER)
        times.append(time.perf_counter() - begin)
        named.append(-1 if answer.customer is None else int(answer.customer[1:]))
        sure.append(answer.grade is Grade.CONFIRMED)
    cpu, server = time.process_time() - cpu, server_seconds() - server
    plain, plain_found = [], 0
    with connection.cursor() as cursor:
        for address, at in asked:
            begin = time.perf_counter()
            cursor.execute(
                "SELECT subject FROM attribution_bindingrow WHERE realm = 0 AND version = 4 AND length = 32 AND hi = 0 "
                "AND lo = %s AND port_first = 0 AND possible_from <= %s AND possible_until > %s",
                [int(address), at * 10**6, at * 10**6],
            )
            rows_found = cursor.fetchall()
            plain.append(time.perf_counter() - begin)
            plain_found += bool(rows_found)
    truth = asked_of(
        made, told=told, address=made.address[stays], at=np.array([at for _, at in asked]),
        precision=np.zeros(len(asked), np.int64),
    )  # fmt: skip
    wrong = truth.wrong(np.array(named), surely=np.array(sure))
    return {
        "copied": copied, "questions": len(asked), "named": sum(n >= 0 for n in named), "wrong": int(wrong.sum()),
        "plain_found": plain_found,
        "whole_answer_cpu_ms_here_and_server": [round(x * 1000 / len(asked), 3) for x in (cpu, server)],
        "whole_answer_ms": spread(times), "one_plain_query_ms": spread(plain),
    }  # fmt: skip


def server_seconds() -> float:
    """Processor time of this connection's server process."""
    from django.db import connection

    stat = Path(f"/proc/{connection.connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def spread(times: list[float]) -> dict:
    ordered = sorted(t * 1000 for t in times)
    last = len(ordered) - 1
    return {f"p{q}": round(ordered[min(len(ordered) * q // 100, last)], 3) for q in (50, 90, 99)}


if __name__ == "__main__":
    main()
