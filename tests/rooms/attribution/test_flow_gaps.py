"""Nobody is named for what a NAT's log, with its gaps, does not say: answers are held against what really was."""

import importlib
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from django.db import connection

from tipstaff.attribution.match import Question
from tipstaff.attribution.models import CoverRow, ScopeRow, SourceRow
from tipstaff.attribution.operations import forget_flows, take_in
from tipstaff.attribution.protocol import Options
from tipstaff.procedures.lookup import answer_one
from tipstaff.procedures.many import open_book
from tipstaff.wiring import sources
from tipstaff.words import Attribution, AttributionReason, Grade, Moment

from .test_flows import BY, LATER, NOON, PUBLIC, Flow, folder, log_of, operator, plan

__all__ = ["folder", "operator"]  # Fixtures.
HOUR = 3600.0
pytestmark = pytest.mark.django_db


def read(path: Path, log: bytes, kind: str = "nat-flows") -> None:
    path.write_bytes(log)
    list(take_in(path, sources()[kind], Options(source="cgn-1", inside_realm="cgn"), **BY))


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
    options = Options(source="blocks", inside_realm="cgn")
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
    migration = importlib.import_module("tipstaff.attribution.migrations.0004_translations_have_gaps")
    with connection.cursor() as cursor:
        for statement in (migration.BLOCKS, migration.FLOWS, *migration.FORGOTTEN):
            cursor.execute(statement)
    assert set(ScopeRow.objects.filter(source=source).values_list("version", "block")) == now
    assert ask(-24 * HOUR).grade is Grade.NO_DATA
    assert ask(5.0).grade is Grade.CONFIRMED
