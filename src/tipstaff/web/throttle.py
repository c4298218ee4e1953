"""Slows down guessing of passwords: failures are counted for a name from an address, and for an address."""

import hashlib
from datetime import datetime, timedelta

from django.db.models import Q

from .models import FailedLogin

WINDOW = timedelta(minutes=15)
FAILURES_MAX = 5
"""For one name from one address. Another address is not locked out: a stranger cannot lock out a colleague."""
FAILURES_FROM_ADDRESS_MAX = 40


def seconds_to_wait(name: str, *, address: str | None, at: datetime) -> int:
    """How long this name must wait at this address; 0 when it may try."""
    recent = FailedLogin.objects.filter(at__gt=at - WINDOW, address=address)
    of_name = list(recent.filter(who=_digest(name)).order_by("-at").values_list("at", flat=True)[:FAILURES_MAX])
    of_all = []
    if address is not None:  # What is counted from everywhere has no address in common.
        of_all = list(recent.order_by("-at").values_list("at", flat=True)[:FAILURES_FROM_ADDRESS_MAX])
    waits = [
        times[-1] + WINDOW - at
        for times, most in ((of_name, FAILURES_MAX), (of_all, FAILURES_FROM_ADDRESS_MAX))
        if len(times) >= most
    ]
    return max((int(wait.total_seconds()) + 1 for wait in waits), default=0)


def count_failure(name: str, *, address: str | None, at: datetime) -> None:
    FailedLogin.objects.create(who=_digest(name), address=address, at=at)
    FailedLogin.objects.filter(at__lt=at - 4 * WINDOW).delete()


def forget_failures(name: str, *, address: str | None) -> None:
    FailedLogin.objects.filter(Q(who=_digest(name)) & Q(address=address)).delete()


def _digest(name: str) -> str:
    return hashlib.sha256(name.strip().casefold().encode()).hexdigest()
