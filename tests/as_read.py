"""Counsel approves what they have in hand."""

from datetime import datetime

from tipstaff.editions.queries import get_edition
from tipstaff.procedures import editions
from tipstaff.procedures.desk import Desk
from tipstaff.words import EditionOnRecord


def as_read(id: str) -> str:
    """SHA-256 of the draft of that name, as its page shows it."""
    found = get_edition(id)
    assert found is not None, id
    return found.digest


def approve_as_read(id: str, *, significant: bool, why: str, desk: Desk, at: datetime, actor: str) -> EditionOnRecord:
    """Approve the draft that is on record now."""
    return editions.approve(id, seen=as_read(id), significant=significant, why=why, desk=desk, at=at, actor=actor)
