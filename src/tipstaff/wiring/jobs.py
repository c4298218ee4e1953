"""Background work on procrastinate: what each job does, and when it comes round by itself.

Jobs are asked for in the transaction that needs them. Every one may run twice: the procedures see to that. A job
whose worker was killed stays `doing` and procrastinate leaves it there, so `sweep` puts it back.
"""

import asyncio
import gc
import logging
import signal
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction
from procrastinate import App, JobContext, RetryStrategy, exceptions, jobs
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.manager import JobManager
from procrastinate.tasks import Task, configure_task

from tipstaff import wiring
from tipstaff.cases.queries import untold_cases
from tipstaff.enforcement.operations import CHANNEL
from tipstaff.intake.queries import unread
from tipstaff.ledger.operations import seal_entries
from tipstaff.procedures import (
    acceptance,
    accountability,
    admission,
    complaint,
    editions,
    examining,
    filtering,
    hooks,
    our_clocks,
    posting,
    replays,
    reporters,
    returned,
    sighting,
    suspension,
)
from tipstaff.procedures.figures import count_usual
from tipstaff.procedures.hooks_of_customers import end_of_the_gone, note_deadlines_near
from tipstaff.procedures.sealed import closed_groups
from tipstaff.sensors.queries import unjudged
from tipstaff.webhooks.queries import any_on
from tipstaff.wiring import mail

log = logging.getLogger("tipstaff.worker")

HEARTBEAT_SECONDS = 2.0
STALLED_AFTER_SECONDS = 8.0
"""A worker whose heartbeat is older than this is taken for dead."""
ATTEMPTS_MAX = 10
UNREAD_AT_A_TIME = 50
UNREAD_FOR_LONG = timedelta(minutes=10)
WORKERS_LOCK = 0x71_95_77_0B
"""Advisory lock: each worker shares it while it lives, so whoever gets it alone knows that no other worker does."""
TICK_SECONDS, SWEEP_SECONDS, SEAL_SECONDS, CLOCKS_SECONDS = 5, 4, 10, 20
HEAVY = "heavy"
"""The queue of reports that take much memory to read: one of them at a time, beside all other jobs."""
SOON = 10
"""Priority of whatever must not wait behind a queue of mails: deadlines, letters, dead workers' jobs."""


def _every(seconds: int) -> str:
    """As croniter has it: seconds are the sixth field, the last one, not the first."""
    assert 60 % seconds == 0, "each minute begins anew"
    return f"* * * * * */{seconds}"


# A report is tried for half an hour: by then a database that went away is back. `letters` and the clocks come round
# by themselves.
@app.task(
    name="understand",
    queue="reports",
    retry=RetryStrategy(max_attempts=ATTEMPTS_MAX, exponential_wait=2),
    pass_context=True,
)
def understand(context: JobContext, key: str) -> None:
    """Read and judge a report; what fails to the last goes to a person, so that no report is lost in a queue."""
    if context.job.attempts >= ATTEMPTS_MAX:
        # Whatever it does to whoever reads it, it is not done once more: a mail may kill the process itself.
        words = f"The reader was stopped {context.job.attempts} times while it read this."
        complaint.hand_to_person(key, why=words, desk=wiring.desk(), at=wiring.now())
        return
    try:
        complaint.understand(key, desk=wiring.desk(), at=wiring.now())
        returned.take_back(key, desk=wiring.desk(), at=wiring.now())
    except Exception as why:  # - the job's door: the input is kept, and a person is told
        if context.job.attempts + 1 < ATTEMPTS_MAX or isinstance(why, (OperationalError, InterfaceError)):
            raise
        log.exception("report %s could not be read in %s attempts; a person has it now", key, ATTEMPTS_MAX)
        words = f"The reader failed: {type(why).__name__}."
        complaint.hand_to_person(key, why=words, desk=wiring.desk(), at=wiring.now())
    finally:
        if context.job.queue == HEAVY:
            gc.collect()  # What was unfolded hangs together in rings: the next one is not unfolded beside it.


@app.task(name="examine", queue="reports", lock="examine", retry=RetryStrategy(max_attempts=8, exponential_wait=3))
def examine(key: str) -> None:
    """Look through a report's files. While a scanner is away it is tried again, for about three hours; after that what
    is on record stands: not examined."""
    examining.examine_files(key, desk=wiring.desk(), at=wiring.now())


@app.task(name="sightings", queue="reports", lock="sightings")
def sightings(key: str) -> None:
    sighting.judge_waiting(desk=wiring.desk(), at=wiring.now())


@app.task(
    name="edition",
    queue="editions",
    retry=RetryStrategy(max_attempts=ATTEMPTS_MAX, exponential_wait=2),
    pass_context=True,
)
def edition(context: JobContext, key: str) -> None:
    """A step of an edition that somebody asked for on a page; after the last attempt its page says that it failed."""
    if context.job.attempts >= ATTEMPTS_MAX:  # Whatever kills the worker at it, it is not begun once more.
        editions.give_up(key, attempts=context.job.attempts, at=wiring.now())
        return
    try:
        closed = closed_groups(wiring.settings().staff.closed_groups)
        editions.carry_out(key, desk=wiring.desk(), now=wiring.now, closed=closed)
    except Exception:  # - the job's door: whoever asked is told
        if context.job.attempts + 1 < ATTEMPTS_MAX:
            raise
        log.exception("edition %s: the step was tried %s times", key, ATTEMPTS_MAX)
        if not connection.is_usable():
            connection.close()  # A new one is opened for what follows.
        editions.give_up(key, attempts=ATTEMPTS_MAX, at=wiring.now())


@app.task(
    name="replay",
    queue="replays",
    lock="replays",
    retry=RetryStrategy(max_attempts=ATTEMPTS_MAX, exponential_wait=2),
    pass_context=True,
)
def replay(context: JobContext, key: str) -> None:
    """A few seconds of judging the past again, because somebody asked for it; one at a time, and never in a hurry."""
    if context.job.attempts >= ATTEMPTS_MAX:
        replays.give_up(key, attempts=context.job.attempts, at=wiring.now())
        return
    try:
        replays.carry_on(key, desk=wiring.desk(), now=wiring.now)
    except Exception:  # - the job's door: whoever asked is told
        if context.job.attempts + 1 < ATTEMPTS_MAX:
            raise
        log.exception("replay %s was tried %s times", key, ATTEMPTS_MAX)
        if not connection.is_usable():
            connection.close()  # A new one is opened for what follows.
        replays.give_up(key, attempts=ATTEMPTS_MAX, at=wiring.now())


@app.task(name="letters", queue="letters", priority=SOON, lock="letters")
def letters(key: str) -> None:
    mail.settle_left_behind()
    posting.post_letters(desk=wiring.desk(), post_next=mail.post_next, now=wiring.now)


@app.task(name="follow", queue="clock", priority=SOON, lock="clock")
def follow(key: str) -> None:
    suspension.follow(desk=wiring.desk(), at=wiring.now())
    filtering.follow_filters(desk=wiring.desk(), at=wiring.now())


@app.periodic(cron=_every(TICK_SECONDS))
@app.task(name="tick", queue="clock", priority=SOON, queueing_lock="tick", lock="clock")
def tick(timestamp: int) -> None:
    look_round("all")


@app.task(name="round", queue="clock", priority=SOON, lock="clock")
def look_round(key: str) -> None:
    """Clocks that should run, deadlines, cases that follow their measures, letters whose next attempt is due."""
    posting.start_clocks(desk=wiring.desk())
    suspension.deadlines_pass(desk=wiring.desk(), at=wiring.now())
    suspension.follow(desk=wiring.desk(), at=wiring.now())
    filtering.follow_filters(desk=wiring.desk(), at=wiring.now())
    for key in unread(limit=UNREAD_AT_A_TIME, before=wiring.now() - UNREAD_FOR_LONG):
        # Queued already, as a rule; if its job is gone, it is not lost with it. What it weighs is not known here.
        defer("understand_heavy", key)
    if unjudged(limit=1) or untold_cases(prefix="S-", limit=1):
        defer("sightings", "all")
    defer("letters", "all")


@app.periodic(cron=_every(CLOCKS_SECONDS))
@app.task(name="our_clocks", queue="clock", queueing_lock="our_clocks", lock="our_clocks")
def run_our_clocks(timestamp: int) -> None:
    """Clocks that run on us: begun by what came to stand in the record, ended, or told of as late."""
    our_clocks.watch(desk=wiring.desk(), at=wiring.now())


@app.periodic(cron="17 * * * *")
@app.task(name="yields", queue="clock", queueing_lock="yields")
def yields(timestamp: int) -> None:
    """Every hour: known reporters whose mail is understood no longer."""
    reporters.watch_yields(at=wiring.now())


@app.periodic(cron="*/5 * * * *")
@app.task(name="figures", queue="clock", queueing_lock="figures")
def figures(timestamp: int) -> None:
    """Every five minutes: what the overview and the wall show is counted anew."""
    count_usual(closed=closed_groups(wiring.settings().staff.closed_groups), at=wiring.now())


@app.periodic(cron="47 4 * * *")
@app.task(name="late_log_ins", queue="clock", queueing_lock="late_log_ins")
def late_log_ins(timestamp: int) -> None:
    """Every night: who still logs in though their right to it has ended."""
    admission.note_log_ins(desk=wiring.desk(), at=wiring.now(), actor="worker")


@app.periodic(cron="11 5 * * *")
@app.task(name="first_uses", queue="clock", queueing_lock="first_uses")
def first_uses(timestamp: int) -> None:
    """Every night: who has used a service under the edition in force, and accepted it by that."""
    acceptance.note_first_uses(desk=wiring.desk(), at=wiring.now())


@app.periodic(cron="41 2 * * *")
@app.task(name="late_news", queue="clock", queueing_lock="late_news")
def late_news(timestamp: int) -> None:
    """Every night: what was sealed since it was judged again goes out of what replays list."""
    replays.forget_sealed()


@app.periodic(cron="*/10 * * * *")
@app.task(name="newcomers", queue="clock", queueing_lock="newcomers")
def newcomers(timestamp: int) -> None:
    """Every ten minutes: whoever came since an edition was announced is told of it, while it does not count yet."""
    editions.tell_newcomers(desk=wiring.desk(), at=wiring.now())


@app.periodic(cron="29 3 * * *")
@app.task(name="self_audits", queue="clock", queueing_lock="self_audits")
def self_audits(timestamp: int) -> None:
    """Every night: the checks of customers who asked for them, each when it is due."""
    accountability.come_round(desk=wiring.desk(), at=wiring.now())


@app.periodic(cron=_every(SEAL_SECONDS))
@app.task(name="seal_record", queue="clock", queueing_lock="seal_record")
def seal_record(timestamp: int) -> None:
    while seal_entries() == 10_000:
        pass


@app.periodic(cron=_every(SEAL_SECONDS))
@app.task(name="webhooks", queue="webhooks", queueing_lock="webhooks", lock="webhooks")
def webhooks(timestamp: int) -> None:
    """Programs are told what came to stand in the record; an attempt whose worker died is made again."""
    if any_on():
        closed = closed_groups(wiring.settings().staff.closed_groups)
        hooks.tell(at=wiring.now(), closed=closed)
        hooks.send_due(
            outward=wiring.outward(), to_customers=wiring.outward_to_customers(), unseal=wiring.unseal_secret,
            now=wiring.now, desk=wiring.desk(), closed=closed,
        )  # fmt: skip
    else:
        hooks.tidy(at=wiring.now())  # As each round ends: what waits for those that stay off.


@app.periodic(cron="* * * * *")
@app.task(name="deadlines_near", queue="webhooks", queueing_lock="deadlines_near", lock="deadlines_near")
def deadlines_near(timestamp: int) -> None:
    """Every minute: cases that are due soon, where a customer's program wants to know."""
    note_deadlines_near(at=wiring.now(), closed=closed_groups(wiring.settings().staff.closed_groups))


@app.periodic(cron="41 * * * *")
@app.task(name="webhooks_of_the_gone", queue="webhooks", queueing_lock="webhooks_of_the_gone", lock="webhooks")
def webhooks_of_the_gone(timestamp: int) -> None:
    """Every hour: customers' webhooks end with the account, and with the contact who made them."""
    end_of_the_gone(at=wiring.now())


@app.periodic(cron=_every(SWEEP_SECONDS))
@app.task(name="sweep", queue="sweep", priority=SOON, queueing_lock="sweep")
async def sweep(timestamp: int) -> None:
    """Put back what dead workers left."""
    await put_back_stalled(STALLED_AFTER_SECONDS)


async def work(running: App) -> None:
    """Do what is queued until a signal comes: one heavy report at a time, and four other jobs beside it.

    Two workers, because a heavy job that waited in a worker's only queue would hold the place of a light one.
    """
    light = sorted({task.queue for task in running.tasks.values()} - {HEAVY})
    workers = [
        asyncio.create_task(
            running.run_worker_async(
                queues=queues,
                concurrency=concurrency,
                name="worker",
                fetch_job_polling_interval=5.0,
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=STALLED_AFTER_SECONDS,
                delete_jobs="successful",
                shutdown_graceful_timeout=10.0,
                task_middleware=[on_fresh_connection],
                install_signal_handlers=False,
            )
        )
        for queues, concurrency in ((light, 4), ([HEAVY], 1))
    ]
    # One that ends, or is asked to, takes the other with it: each finishes what it has begun.
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    asked = asyncio.create_task(stopped.wait())
    await asyncio.wait([asked, *workers], return_when=asyncio.FIRST_COMPLETED)
    for task in (asked, *workers):
        task.cancel()
    await asyncio.wait([asked, *workers])
    for each in workers:
        if not each.cancelled():
            each.result()


def on_fresh_connection(run: Callable[[], Any], context: object, worker: object) -> Any:
    """Around each job: a connection that broke or is too old is not used again."""
    close_old_connections()
    return run()


async def put_back_stalled(seconds: float) -> int:
    """Requeue every job whose worker has given no sign of life for `seconds`; returns how many."""
    n = 0
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=seconds):
        try:
            await app.job_manager.retry_job(job)
        except (exceptions.AlreadyEnqueued, exceptions.ConnectorException):
            # The same job waits in the queue already: that one does the work, this one only holds its lock.
            await app.job_manager.finish_job(job, status=jobs.Status.FAILED, delete_job=True)
        log.warning("job %s (%s) was left by a dead worker; it is in the queue again", job.id, job.task_name)
        n += 1
    return n


_TASKS: dict[str, Task[Any, Any, Any]] = {
    "understand": understand,
    "examine": examine,
    "sightings": sightings,
    "edition": edition,
    "replay": replay,
    "understand_heavy": understand,
    "letters": letters,
    "follow": follow,
    "round": look_round,
}
_QUEUED_ONCE = frozenset({"sightings", "letters", "follow", "round"})
"""Jobs that look at everything that waits: one in the queue is enough."""

_manager = JobManager(DjangoConnector(alias="default"))
"""Asks for jobs on Django's own connection. The worker runs on another one, which would not be the caller's
transaction."""


def defer(job: str, key: str) -> None:
    """Ask for `job`; it runs once the caller's transaction is committed, and not if it never is."""
    if job == "enforce":
        with connection.cursor() as cursor:
            # The enforcer takes no jobs: what it does is found in the plans, not in a queue.
            cursor.execute(f"NOTIFY {CHANNEL}")
        return
    if job in _QUEUED_ONCE and connection.in_atomic_block:
        # Its place in the queue is one row for everybody. Taken within the transaction it would be held as long as that
        # lasts, across all other locks. A process that dies between the two is made good by the next tick.
        transaction.on_commit(lambda: _ask(job, key))
    else:
        _ask(job, key)


def _ask(job: str, key: str) -> None:
    task = _TASKS[job]
    queueing_lock = job if job in _QUEUED_ONCE else f"{task.name} {key}"
    asked = configure_task(
        name=task.name,
        job_manager=_manager,
        queue=HEAVY if job == "understand_heavy" else task.queue,
        lock=task.lock,
        queueing_lock=queueing_lock,
        priority=task.priority,
    )
    try:
        with transaction.atomic():
            asked.defer(key=key)
    except exceptions.AlreadyEnqueued:
        log.debug("%s is queued already", job)
