"""How fast a token or an address may ask: so many requests a minute, evenly regained, counted for all web processes.

One row says all there is to know of one asker: up to when its minute is used up (a leaky bucket, kept as a moment).
What is past is deleted by whoever asks next, a few rows at a time, so the table holds no more rows than there were
askers within a minute, and no process remembers anything.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network

from django.db import connection

WINDOW = timedelta(minutes=1)
PAST_AT_A_TIME = 10
IPV6_BITS = 64
"""One customer holds a /64 at the least (RFC 6177), and may come from any address of it."""

_USE = """
WITH past AS (
    DELETE FROM web_pace WHERE who IN (
        SELECT who FROM web_pace WHERE used_up_to < %(at)s AND who <> %(who)s
        ORDER BY used_up_to LIMIT %(past)s FOR UPDATE SKIP LOCKED))
INSERT INTO web_pace AS mine (who, used_up_to) VALUES (%(who)s, %(at)s + make_interval(secs => %(cost)s))
ON CONFLICT (who) DO UPDATE SET used_up_to = GREATEST(mine.used_up_to, %(at)s) + make_interval(secs => %(cost)s)
    WHERE GREATEST(mine.used_up_to, %(at)s) <= %(at)s + make_interval(secs => %(window)s - %(cost)s)
RETURNING used_up_to
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What an asker has left of a limit."""

    policy: str
    quota: int
    remaining: int
    reset_seconds: int
    """After so long without a request all of it is there again."""
    wait_seconds: int
    """0 when the request may go on; else how long to wait before the next one."""

    @property
    def stated(self) -> str:
        """For the field `RateLimit` (draft-ietf-httpapi-ratelimit-headers)."""
        return f'"{self.policy}";r={self.remaining};t={self.reset_seconds}'

    @property
    def rule(self) -> str:
        """For the field `RateLimit-Policy`."""
        return f'"{self.policy}";q={self.quota};w={int(WINDOW.total_seconds())}'


def use(policy: str, who: str, *, quota: int, at: datetime) -> Left:
    """Count one request of `who`, if it has one left of `quota` a minute."""
    cost = WINDOW / quota
    row = f"{policy}:{who}"
    with connection.cursor() as cursor:
        cursor.execute(
            _USE,
            {"who": row, "at": at, "cost": cost.total_seconds(), "window": WINDOW.total_seconds(),
             "past": PAST_AT_A_TIME},
        )  # fmt: skip
        found = cursor.fetchone()
        if found is not None:
            used = max(found[0] - at, timedelta())
            remaining = math.floor((WINDOW - used) / cost + 1e-6)
            return Left(
                policy=policy, quota=quota, remaining=remaining, reset_seconds=math.ceil(used.total_seconds()),
                wait_seconds=0,
            )  # fmt: skip
        cursor.execute("SELECT used_up_to FROM web_pace WHERE who = %s", [row])
        found = cursor.fetchone()
    used = max(found[0] - at, cost) if found is not None else cost
    wait = max(1, math.ceil((used + cost - WINDOW).total_seconds()))
    return Left(
        policy=policy, quota=quota, remaining=0, reset_seconds=math.ceil(used.total_seconds()), wait_seconds=wait
    )  # fmt: skip


def household(address: str) -> str:
    """The address, of IPv6 its /64; what is no address is one asker."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    return str(ip_network((found, IPV6_BITS), strict=False)) if found.version == 6 else str(found)
