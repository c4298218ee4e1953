"""What is still used after its holder's right to it has ended. Pure.

A sensor says that something was seen (`Usage`); the registry says who held it when, and each holder's standing then.
Only fixed holdings count: a leased address that has just changed hands says nothing about anybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tipstaff.words import LateUse, LateUseReason, Standing, StandingPeriod, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A customer held the thing in [held_from, held_until)."""

    customer: str
    held_from: datetime
    held_until: datetime | None
    fixed: bool = True
    """False for leases and blocks of ports, which change hands by themselves."""


def late_use(
    use: Usage, *, periods: Sequence[Period], standings: Mapping[str, Sequence[StandingPeriod]]
) -> LateUse | None:
    """The finding, or None when somebody had a right to it, or nobody ever had, or it can't be said."""
    at = use.seen_at
    holding = [p for p in periods if p.held_from <= at and (p.held_until is None or at < p.held_until)]
    if any(not p.fixed for p in holding) or len({p.customer for p in holding}) > 1:
        return None
    if holding:
        return _after_termination(use, holding[0].customer, standings.get(holding[0].customer, ()))
    ended = [p for p in periods if p.held_until is not None and p.held_until <= at]
    if not ended:
        return None
    last = max(ended, key=_end_of)
    if not last.fixed or len({p.customer for p in ended if p.held_until == last.held_until}) > 1:
        return None
    assert last.held_until is not None
    return LateUse(
        use=use,
        customer=last.customer,
        reason=LateUseReason.HOLDING_ENDED,
        ended_at=last.held_until,
        explanation=f"{use.what} was held by {last.customer} until {_stamp(last.held_until)} and by nobody since; "
        f"{use.source} saw {use.kind} on {_stamp(at)}.",
    )


def _after_termination(use: Usage, customer: str, standings: Sequence[StandingPeriod]) -> LateUse | None:
    now = next((s for s in standings if s.since <= use.seen_at and (s.until is None or use.seen_at < s.until)), None)
    if now is None or now.standing is not Standing.TERMINATED:
        return None
    return LateUse(
        use=use,
        customer=customer,
        reason=LateUseReason.CUSTOMER_TERMINATED,
        ended_at=now.since,
        explanation=f"{customer}, who holds {use.what}, was terminated on {_stamp(now.since)}; {use.source} saw "
        f"{use.kind} on {_stamp(use.seen_at)}.",
    )


def _end_of(period: Period) -> datetime:
    assert period.held_until is not None
    return period.held_until


def _stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
