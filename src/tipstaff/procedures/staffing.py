"""Who works at the desk changes: it stands in the record like everything else."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import Group

from tipstaff.ledger.operations import record
from tipstaff.ledger.operations import through as through
from tipstaff.words import Role

BY_COMPANY = "identity provider"
"""Who gives roles by what the operator's identity provider says."""
PROGRAMS = frozenset({"worker", "intake", "enforcer", "import", "command line", BY_COMPANY})
"""Names under which programs act in the record; no person can have one."""


def is_person(actor: str) -> bool:
    """Whether an actor in the record is a member of staff: no program, and no customer (`customer (portal)`)."""
    return actor not in PROGRAMS and not actor.startswith("customer (")


def note_staff_change(
    what: str, *, name: str, roles: Iterable[Role] = (), at: datetime, actor: str, **detail: object
) -> None:
    """Put on record that an account was made or changed; `what` is `staff.added`, `staff.roles_changed`, ..."""
    record(what, at=at, actor=actor, about=[f"staff:{name}"], roles=sorted(role.value for role in roles), **detail)


def note_token_change(what: str, *, key: str, owner: str, at: datetime, actor: str, **detail: object) -> None:
    """Put on record that a token was made or revoked: `token.made`, `token.revoked`."""
    record(what, at=at, actor=actor, about=[f"token:{key}", f"staff:{owner}"], **detail)


def staff_names() -> list[str]:
    """Who may log in and has a role, by name."""
    rows = Group.objects.filter(user__is_active=True).exclude(name=Role.ADMINISTRATOR.value)
    return sorted(set(rows.values_list("user__username", flat=True)))


def roles_of(name: str) -> frozenset[Role]:
    """The roles of an account that may log in; none for one that is switched off or that there is not."""
    groups = Group.objects.filter(user__username=name, user__is_active=True).values_list("name", flat=True)
    known = {role.value for role in Role} - {Role.SYSTEM, Role.CUSTOMER}
    return frozenset(Role(group) for group in groups if group in known)
