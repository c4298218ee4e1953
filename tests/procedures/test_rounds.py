"""What comes round by itself comes as often as it says, and does not wait behind a queue of mails."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from django.db import connection
from procrastinate.contrib.django import app
from procrastinate.periodic import PeriodicTask

from tipstaff.wiring import jobs

AN_HOUR, A_DAY = 3600, 86_400
EVERY_SECONDS = {
    "tick": jobs.TICK_SECONDS, "sweep": jobs.SWEEP_SECONDS, "seal_record": jobs.SEAL_SECONDS, "yields": AN_HOUR,
    "late_log_ins": A_DAY, "webhooks": jobs.SEAL_SECONDS, "figures": 300, "self_audits": A_DAY,
    "first_uses": A_DAY, "late_news": A_DAY, "newcomers": 600, "webhooks_of_the_gone": AN_HOUR,
    "our_clocks": jobs.CLOCKS_SECONDS, "deadlines_near": 60,
}  # fmt: skip


def coming_round() -> dict[str, PeriodicTask]:
    """The periodic tasks that are ours, by name."""
    return {
        each.task.name: each
        for each in app.periodic_registry.periodic_tasks.values()
        if each.task.func.__module__ == jobs.__name__
    }


def test_every_task_that_comes_round_is_known_here() -> None:
    assert coming_round().keys() == EVERY_SECONDS.keys()


@pytest.mark.parametrize("name", EVERY_SECONDS)
def test_it_comes_round_as_often_as_it_says_in_every_minute(name: str) -> None:
    """croniter takes seconds from the sixth field. In the first, `*/5` is every fifth minute, each second of it."""
    turns = coming_round()[name].croniter
    turns.set_current(start_time=datetime(2026, 3, 1, 12, 3, 30, tzinfo=UTC))
    times = [turns.get_next(ret_type=float) for _ in range(100)]
    assert {later - earlier for earlier, later in pairwise(times)} == {EVERY_SECONDS[name]}


@pytest.mark.django_db
@pytest.mark.parametrize("job", ["letters", "follow", "round"])
def test_a_round_does_not_wait_behind_a_queue_of_mails(job: str) -> None:
    for n in range(20):
        jobs.defer("understand", f"R-{n:06}")
    jobs._ask(job, "all")  # `defer` waits for the transaction's end, and a test's is never committed.
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        [worker] = cursor.fetchone()
        cursor.execute("SELECT task_name FROM procrastinate_fetch_job_v2(NULL, %s)", [worker])
        assert cursor.fetchone() == (job,)


@pytest.mark.django_db
def test_a_heavy_report_waits_in_a_queue_of_its_own_and_the_same_one_only_once() -> None:
    jobs.defer("understand_heavy", "R-000001")
    jobs.defer("understand", "R-000001")
    jobs.defer("understand", "R-000002")
    with connection.cursor() as cursor:
        cursor.execute("SELECT args ->> 'key', task_name, queue_name FROM procrastinate_jobs ORDER BY id")
        assert cursor.fetchall() == [("R-000001", "understand", jobs.HEAVY), ("R-000002", "understand", "reports")]
