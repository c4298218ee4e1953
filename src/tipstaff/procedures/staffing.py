"""Who works at the desk changes: it stands in the record like everything else."""

from collections.abc import Iterable
from datetime import datetime

from tipstaff.ledger.operations import record
from tipstaff.words import Role


def note_staff_change(what: str, *, name: str, roles: Iterable[Role] = (), at: datetime, actor: str) -> None:
    """Put on record that an account was made or changed; `what` is `staff.added`, `staff.roles_changed`, ..."""
    record(what, at=at, actor=actor, about=[f"staff:{name}"], roles=sorted(role.value for role in roles))
