"""When a source was not read, for a window, is what all its readings say, and asks the database for few of them."""

import importlib
import random
from datetime import timedelta
from ipaddress import ip_address

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.attribution.covers import QUIET, holes, note_cover
from tipstaff.attribution.models import CoverRow, LoadRow, ScopeRow, SourceRow
from tipstaff.attribution.queries import COVERED, EPOCH, gaps_for, instant

ADDRESS = ip_address("198.51.100.7")
HOUR = QUIET


def plain_holes(readings: list[tuple[int, int]]) -> list[tuple[int | None, int | None]]:
    """All readings in order of their beginning: a hole is wherever nothing reaches over to the next but for an hour."""
    found, reach = [(None, min(readings)[0])], min(readings)[0]
    for first, last in sorted(readings):
        if first > reach + QUIET:
            found.append((reach, first))
        reach = max(reach, last)
    return [*found, (reach, None)]


def readings_of(dice: random.Random, number: int) -> list[tuple[int, int]]:
    starts = [dice.randrange(0, 200 * HOUR) for _ in range(number)]
    return [(s, s + dice.choice((0, HOUR // 2, HOUR, 5 * HOUR))) for s in starts]


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(8))
def test_gaps_are_those_of_all_readings_in_whatever_order_they_came(seed):
    dice = random.Random(seed)
    spoken = {
        SourceRow.objects.create(name=f"s{n}", kind="radius-csv").pk: readings_of(dice, 1 + seed * 4) for n in (1, 2)
    }
    for source, readings in spoken.items():
        ScopeRow.objects.create(source_id=source, version=4, block=int(ADDRESS) >> 8)
        for reading in readings:
            note_cover(source, reading)
        covered = list(CoverRow.objects.filter(source_id=source).order_by("since").values_list("since", "until"))
        assert holes(covered) == plain_holes(readings)
    for _ in range(60):
        begin = dice.randrange(-5 * HOUR, 220 * HOUR)
        end = begin + dice.choice((0, 1, HOUR, 30 * HOUR))
        wanted = sorted(
            (-1 if first is None else first, last or 0)
            for readings in spoken.values() for first, last in plain_holes(readings)
            if (first is None or first <= end) and (last is None or last > begin)
        )  # fmt: skip
        span = {"earliest": EPOCH + timedelta(microseconds=begin), "latest": EPOCH + timedelta(microseconds=end)}
        found = gaps_for(ADDRESS, **span)
        told = sorted((_micro(g.since, -1), _micro(g.until, 0)) for g in found)
        assert told == wanted, (begin, end)


def _micro(at, none: int) -> int:
    return none if at is None else (at - EPOCH) // timedelta(microseconds=1)


@pytest.mark.django_db
def test_a_long_history_costs_a_question_no_more_rows_than_its_window_has():
    source = SourceRow.objects.create(name="s", kind="radius-csv")
    ScopeRow.objects.create(source=source, version=4, block=int(ADDRESS) >> 8)
    CoverRow.objects.bulk_create(
        CoverRow(source=source, since=n * 3 * HOUR, until=n * 3 * HOUR + HOUR) for n in range(20_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE attribution_coverrow")
    at = instant(30_000 * HOUR + HOUR // 2)
    gaps = gaps_for(ADDRESS, earliest=at, latest=at + timedelta(hours=3))
    assert [(_micro(g.since, 0) // HOUR, _micro(g.until, 0) // HOUR) for g in gaps] == [(30_001, 30_003)]
    begin, end = _micro(at, 0), _micro(at, 0) + 3 * HOUR
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {COVERED}", [begin, begin, end, end, 4, int(ADDRESS) >> 8])
        ((plan,),) = cursor.fetchall()
    assert _most_rows(plan[0]["Plan"]) < 10


def _most_rows(node: dict) -> int:
    return max([node["Actual Rows"] * node["Actual Loops"], *(_most_rows(n) for n in node.get("Plans", []))])


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), min_size=1, max_size=12))
def test_bounding_the_holes_leaves_out_only_those_outside_the_window(drawn):
    covered, place = [], 0
    for pause, lasts in drawn:
        covered.append((place + pause + 2, place + pause + 2 + lasts))
        place = covered[-1][1]
    for begin in range(0, place + 4, 3):
        for end in (begin, begin + 5):
            wanted = [
                (first, last) for first, last in holes(covered)
                if (first is None or first <= end) and (last is None or last > begin)
            ]  # fmt: skip
            assert holes(covered, begin=begin, end=end) == wanted


@pytest.mark.django_db
def test_what_was_read_before_this_version_is_joined_as_now():
    migration = importlib.import_module("tipstaff.attribution.migrations.0002_covers_and_flow_parts")
    dice = random.Random(3)
    for name in ("a", "b", "c"):
        source = SourceRow.objects.create(name=name, kind="radius-csv")
        readings = readings_of(dice, 40)
        file = {"file": "f", "head_sha256": "", "head_size": 0, "first_byte": 0, "end_byte": 0, "sha256": ""}
        LoadRow.objects.bulk_create(
            LoadRow(
                source=source, records=1, clock_error=0, covers_from=first, covers_until=last, read_at=EPOCH, **file
            )
            for first, last in readings
        )
        for reading in readings:
            note_cover(source.pk, reading)
    now = list(CoverRow.objects.order_by("source", "since").values_list("source", "since", "until"))
    CoverRow.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(migration.JOIN_READINGS)
    assert list(CoverRow.objects.order_by("source", "since").values_list("source", "since", "until")) == now
    assert len(now) > 10
