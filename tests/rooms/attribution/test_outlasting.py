"""A connection that began while the log was not read is unseen, and may have the port beside one that is seen.

Nobody is named in its place for as long as it may last."""

import importlib
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import polars as pl
import pytest
from django.db import connection

from tipstaff.attribution.flow_files import PART
from tipstaff.attribution.match import Question
from tipstaff.attribution.models import SourceRow
from tipstaff.attribution.operations import forget_flows, take_in
from tipstaff.procedures.lookup import answer_one
from tipstaff.procedures.many import open_book
from tipstaff.wiring import sources
from tipstaff.words import Attribution, AttributionReason, Grade, Moment

from .test_flow_gaps import HOUR, flow, line
from .test_flows import BY, LATER, NAT, NOON, PUBLIC, folder, log_of, operator, plan, read_by_an_earlier_version

__all__ = ["folder", "operator"]  # Fixtures.
pytestmark = pytest.mark.django_db
DAY = 24 * HOUR
UNSAID = replace(NAT, lasts_seconds=None)
UNSEEN = (Grade.AMBIGUOUS, AttributionReason.UNSEEN_CONNECTIONS, None)
GAP = (Grade.NO_DATA, AttributionReason.SOURCE_GAP, None)
SERVER = "203.0.113.1"
"""Of `flow(4, ...)`, port 443."""


def ask(
    at: float, *, port: int = 1500, there: str | None = None, there_port: int | None = None, protocol: int | None = 6,
    precision: float = 1.0, address: str = PUBLIC[0],
) -> Attribution:  # fmt: skip
    """One by one and many at once are the same."""
    question = Question(
        address=ip_address(address), port=port, protocol=protocol, there_port=there_port,
        there=None if there is None else ip_address(there), moment=Moment(NOON + timedelta(seconds=at), precision),
    )  # fmt: skip
    answer = answer_one(question, received_at=LATER)
    (many,) = open_book(at=LATER).attribute([question], received_at=LATER)
    assert (many.grade, many.reason, many.customer) == (answer.grade, answer.reason, answer.customer)
    return answer


def said(at: float, **more) -> tuple[Grade, AttributionReason, str | None]:
    answer = ask(at, **more)
    return answer.grade, answer.reason, answer.customer


def by(number: int) -> tuple[Grade, AttributionReason, str | None]:
    return Grade.CONFIRMED, AttributionReason.ONE_HOLDER, f"acct-{number}"


def read(path: Path, log: bytes, kind: str = "nat-flows", *, options=UNSAID) -> None:
    path.write_bytes(log)
    list(take_in(path, sources()[kind], options, **BY))


SEEN = flow(4, 2, 3 * HOUR, 3 * HOUR + 60)
"""acct-2's. acct-1 has the same port from hour 1 on, with another server: nobody has read when it began."""
UNREAD = flow(3, 1, HOUR, 5 * HOUR)
BETWEEN = [flow(6, 3, n * HOUR, n * HOUR + 9, port=1600) for n in range(3, 30)]


@pytest.fixture
def after_a_gap(tmp_path, operator):
    """A log of the hour before noon and one that begins at three."""
    plan(tmp_path)
    assert SEEN.there != UNREAD.there
    read(tmp_path / "old.log", log_of([flow(9, 3, n * HOUR, n * HOUR + 9, port=1600) for n in range(-30, 0)]))
    read(tmp_path / "new.log", log_of([*BETWEEN[:5], SEEN])[:-200])


def test_after_a_gap_the_destination_is_needed_until_no_connection_of_it_can_be_left(after_a_gap, tmp_path):
    at = 3 * HOUR + 30
    assert said(at) == UNSEEN
    assert said(at, there=SERVER, there_port=443) == by(2)
    # Only all that a NAT gives out once tells it from others: one more of the server's ports, or of another protocol.
    assert said(at, there=SERVER) == UNSEEN
    assert said(at, there=SERVER, there_port=443, protocol=None) == UNSEEN
    assert said(at, there=SERVER, there_port=8443) == UNSEEN
    assert said(at, there="203.0.113.77", there_port=443) == GAP
    # Before and after it another's with that server would be as unseen.
    for away in (3 * HOUR, 3 * HOUR + 60):
        assert said(away, there=SERVER, there_port=443) == GAP
    assert said(4 * HOUR) == GAP
    # When the end of the unseen one is read, both are known.
    read(tmp_path / "end.log", log_of([UNREAD]).splitlines(keepends=True)[1] + log_of(BETWEEN[5:]))
    assert said(at)[:2] == (Grade.AMBIGUOUS, AttributionReason.SEVERAL_HOLDERS_IN_WINDOW)
    assert said(4 * HOUR)[2] is None
    # A day after the gap none that began in it is left.
    late = 3 * HOUR + DAY
    read(
        tmp_path / "late.log", log_of([flow(7, 1, late - 30, late + 30), flow(9, 3, late + 99, late + 100, port=1600)])
    )
    assert (said(late - 10), said(late + 10)) == (UNSEEN, by(1))
    assert said(late + 60)[1] is AttributionReason.UNASSIGNED


@pytest.mark.parametrize(
    ("lasts", "hours", "seen"), [(2 * HOUR, 1.9, False), (2 * HOUR, 2.1, True), (9 * DAY, 200.0, False)]
)
def test_the_operator_says_how_long_a_connection_lasts(lasts, hours, seen, tmp_path, operator):
    plan(tmp_path)
    at = hours * HOUR
    others = [flow(9, 3, n * HOUR, n * HOUR + 9, port=1600) for n in range(0, 203)]
    stated = replace(NAT, lasts_seconds=lasts)
    read(tmp_path / "nat.log", log_of([*others, flow(4, 2, at - 60, at + 60)]), options=stated)
    assert said(at) == (by(2) if seen else UNSEEN)
    # A later reading that does not say it leaves it at no less than was said before.
    read(tmp_path / "more.log", log_of([flow(9, 3, 210 * HOUR, 210 * HOUR + 9, port=1600)]))
    assert said(at) == (by(2) if hours > 24 and lasts < 9 * DAY else UNSEEN)


def test_a_port_that_two_cannot_have_at_once_needs_no_destination_while_it_is_had(tmp_path, operator):
    plan(tmp_path)
    log = log_of([*BETWEEN, SEEN, flow(7, 2, 26 * HOUR, None)])
    read(tmp_path / "nat.log", log, options=replace(UNSAID, one_port=True))
    assert said(3 * HOUR + 30) == by(2)
    # Where no protocol is stated, an unseen one of another protocol may have the port too.
    assert said(3 * HOUR + 30, protocol=None) == UNSEEN
    # Before it and after it another's may be unseen.
    for away in (3 * HOUR, 3 * HOUR + 60, 4 * HOUR):
        assert said(away) == GAP
    # Said no more, it counts no more.
    read(tmp_path / "more.log", log_of([flow(9, 3, 33 * HOUR, 33 * HOUR + 9, port=1600)]))
    assert said(3 * HOUR + 30) == UNSEEN


def test_the_beginning_of_the_log_and_what_was_forgotten_are_gaps_alike(tmp_path, operator):
    plan(tmp_path)
    hourly = [flow(9, 3, n * HOUR, n * HOUR + 9, port=1600) for n in range(0, 60)]
    seen = [flow(4, 2, n * HOUR, n * HOUR + 60) for n in (2, 26, 50)]
    read(tmp_path / "nat.log", log_of([*hourly, *seen]))
    assert [said(f.since + 30) for f in seen] == [UNSEEN, by(2), by(2)]
    assert forget_flows(before=NOON + timedelta(hours=25), **BY) > 0
    assert [said(f.since + 30) for f in seen] == [GAP, UNSEEN, by(2)]


@pytest.mark.parametrize("torn", [True, False])
def test_a_line_that_cannot_be_read_may_have_begun_one_that_lasts(torn, tmp_path, operator):
    plan(tmp_path)
    before = [flow(9, 3, (n - 30) * HOUR, (n - 30) * HOUR + 9, port=1600) for n in range(31)]
    bad = line(flow(3, 1, 60.0, None))
    log = log_of(before) + (bad[:40] + "\n").encode() * torn + log_of([flow(4, 2, 100.0, 200.0), *BETWEEN])
    read(tmp_path / "nat.log", log)
    assert said(150.0) == (UNSEEN if torn else by(2))
    assert said(150.0, there=SERVER, there_port=443) == by(2)


def test_blocks_of_ports_are_had_alone_but_nobody_seen_after_a_gap_is_nobody_there_only_a_day_later(tmp_path, operator):
    plan(tmp_path)

    def block(event: str, hours: float, inside: int, ports: str = "1024-2047") -> str:
        at = NOON + timedelta(hours=hours)
        return f"{at:%Y-%m-%dT%H:%M:%SZ} nat event={event} inside=100.64.0.{inside} outside={PUBLIC[0]} ports={ports}\n"

    lines = [block("interim", n / 2, 3, "4096-5119") for n in range(100)]
    lines += [block("alloc", 2.2, 2), block("release", 2.9, 2)]
    read(tmp_path / "nat.log", "".join(sorted(lines)).encode(), "nat-blocks")
    assert said(2.5 * HOUR) == by(2)
    # Whoever had it before, as long as the one who was given it in the gap may have it, is not known.
    assert said(2.2 * HOUR, precision=60.0) == GAP
    assert said(1.0 * HOUR) == GAP
    assert said(25 * HOUR)[1] is AttributionReason.UNASSIGNED


def test_flows_of_before_this_version_claim_no_more(tmp_path, operator, monkeypatch, folder):
    """Those that lie in the database do not say with whom they were; nor do parts of that time."""
    plan(tmp_path)
    path = tmp_path / "nat.log"
    path.write_bytes(log_of([*BETWEEN, SEEN]))
    read_by_an_earlier_version(path, monkeypatch)
    SourceRow.objects.update(term=0, beside=False)
    assert said(3 * HOUR + 30) == by(2), "so it was"
    migration = importlib.import_module("tipstaff.attribution.migrations.0009_connections_outlast_gaps")
    with connection.cursor() as cursor:
        cursor.execute(migration.LASTING)
    assert said(3 * HOUR + 30) == UNSEEN
    assert said(3 * HOUR + 30, there=SERVER, there_port=443) == UNSEEN
    assert set(SourceRow.objects.values_list("name", "term", "beside")) == {
        ("plan", 0, False),
        ("cgn-1", DAY * 1e6, True),
    }
    later = [replace(f, public=PUBLIC[1], since=f.since + 40 * HOUR, end=f.end + 40 * HOUR) for f in (SEEN, *BETWEEN)]
    before = set(Path(folder).glob("*.parquet"))
    read(tmp_path / "more.log", log_of(later))
    at, more = 43 * HOUR + 30, {"address": PUBLIC[1], "there": SERVER, "there_port": 443}
    assert said(at, **more) == by(2)
    for part in set(Path(folder).glob("*.parquet")) - before:
        rows = pl.read_parquet(part, memory_map=False)
        if set(PART) <= set(rows.columns):
            rows.drop("there_version", "there_hi", "there_lo", "there_port").write_parquet(part)
    assert said(at, **more) == UNSEEN
