"""A known reporter's form changes: the desk is told before the difference is lost among the unsure."""

import logging
from datetime import datetime

from tipstaff.intake.queries import Yield, yields_dropped
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import has_entry

log = logging.getLogger("tipstaff.worker")

DROPPED = "reporter.yield_dropped"


def watch_yields(*, at: datetime) -> list[Yield]:
    """Put each drop on record once a week, and say it in the log; those that are new."""
    year, week, _ = at.isocalendar()
    fresh = []
    for dropped in yields_dropped(at=at):
        about = f"reporter:{dropped.reporter}:{year}-W{week:02d}"
        if has_entry(about, what=DROPPED):
            continue
        record(
            DROPPED, at=at, actor="worker", about=[about], mails=dropped.mails_lately,
            understood=dropped.understood_lately, mails_before=dropped.mails_before,
            understood_before=dropped.understood_before,
        )  # fmt: skip
        log.warning(
            "of %d mails from %s only %d were understood of late; before it were %d of %d. Its form may have changed.",
            dropped.mails_lately, dropped.reporter, dropped.understood_lately,
            dropped.understood_before, dropped.mails_before,
        )  # fmt: skip
        fresh.append(dropped)
    return fresh
