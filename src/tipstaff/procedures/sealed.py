"""The sealed queue: its text is opened by counsel only, by hand, with the key that no process uses (clause row 41)."""

from collections.abc import Callable, Collection
from datetime import datetime

from django.db import transaction

from tipstaff.cases import queries as cases
from tipstaff.intake import queries as intake
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import get_sealed


def open_sealed(digest: str, *, unseal: Callable[[bytes], bytes], why: str, at: datetime, actor: str) -> bytes:
    """The remainder of a sealed mail: its words, without any media. That it was opened, by whom and why is on record.

    Raise KeyError for what is not sealed. Nothing is returned unless the entry is committed.
    """
    with transaction.atomic():
        content = unseal(get_sealed(digest))
        record("evidence.unsealed", at=at, actor=actor, about=[digest], why=why)
    return content


def sealed_among(keys: Collection[str]) -> set[str]:
    """Which of these keys of cases and reports stand for something sealed."""
    return cases.sealed_among(keys) | intake.sealed_among(keys)
