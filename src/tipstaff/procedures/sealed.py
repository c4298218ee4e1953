"""The sealed queue: its text is opened by counsel only, by hand, with the key that no process uses (clause row 41)."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db import transaction

from tipstaff.cases import queries as cases
from tipstaff.enforcement import queries as enforcement
from tipstaff.intake import queries as intake
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import get_sealed, newest_about
from tipstaff.notices import queries as notices
from tipstaff.sensors import queries as sensors
from tipstaff.words import Role


def open_sealed(digest: str, *, unseal: Callable[[bytes], bytes], why: str, at: datetime, actor: str) -> bytes:
    """The remainder of a sealed mail: its words, without any media. That it was opened, by whom and why is on record.

    Raise KeyError for what is not sealed. Nothing is returned unless the entry is committed.
    """
    with transaction.atomic():
        content = unseal(get_sealed(digest))
        record("evidence.unsealed", at=at, actor=actor, about=[digest], why=why)
    return content


def sealed_among(keys: Collection[str]) -> set[str]:
    """Which of these keys stand for something sealed."""
    return closed_among(keys, groups=(), sealed=True)


def closed_among(keys: Collection[str], *, groups: Collection[str], sealed: bool = False) -> set[str]:
    """Which of these keys stand for a case of these clause groups, or (`sealed`) for something sealed."""
    return set(keys) & keys_hidden(groups, sealed=sealed)


def closed_groups(pairs: Collection[str], *, roles: Collection[Role] = ()) -> frozenset[str]:
    """The clause groups of the setting `closed_groups` that none of these roles opens."""
    named = [pair.rpartition("=") for pair in pairs]
    opened = {group.strip() for group, _, role in named if role.strip() in {str(r) for r in roles}}
    return frozenset(group.strip() for group, _, _ in named) - opened


def keys_hidden(groups: Collection[str], *, sealed: bool) -> frozenset[str]:
    """Keys of all that stands for a case of these clause groups, or (`sealed`) for something sealed: cases, reports
    with the digests of their evidence, letters, measures and sightings."""
    closed = cases.closed_cases(groups, sealed=sealed)
    reports = intake.closed_reports(closed, sealed=sealed)
    letters = notices.closed_letters(closed, reports=reports)
    more = enforcement.closed_measures(closed) | sensors.closed_sightings(closed)
    return frozenset(closed | reports.keys() | set(reports.values()) | letters | more)


def note_view(keys: Collection[str], *, groups: Collection[str], within: timedelta, at: datetime, actor: str) -> None:
    """Put on record that somebody looked at those of these keys that not everybody may see, once `within` a time.

    QUEUE is the list of what is sealed.
    """
    closed = closed_among(keys, groups=groups, sealed=True) | (set(keys) & {QUEUE})
    for key in sorted(closed):
        if not any(e.actor == actor and e.at > at - within for e in newest_about(key, what=VIEWED, limit=50)):
            record(VIEWED, at=at, actor=actor, about=[key])


VIEWED, QUEUE = "closed.viewed", "sealed queue"
