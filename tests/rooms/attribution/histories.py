"""Random histories of a small world, disjoint within each tier as the registry keeps them."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from hypothesis import strategies as st

from tipstaff.words import Holding, HoldingKind, Moment, Tier

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
RECEIVED = BEGIN + timedelta(hours=400)
ADDRESSES = tuple(
    ip_address(text) for text in ("192.0.2.1", "192.0.2.9", "198.51.100.7", "2001:db8:0:42::1", "2001:db8:1::1")
)
PREFIXES = tuple(
    ip_network(text)
    for text in (
        "192.0.2.0/24",
        "192.0.2.0/28",
        "192.0.2.0/29",
        "192.0.2.1/32",
        "192.0.2.9/32",
        "198.51.100.0/24",
        "2001:db8::/32",
        "2001:db8::/40",
        "2001:db8:0:42::/64",
        "2001:db8:1::/56",
    )
)
PORT_BLOCKS = ((0, 65535), (0, 65535), (0, 65535), (0, 32767), (32768, 65535), (1024, 2047), (2048, 4095))
HOURS = st.one_of(st.integers(0, 420), st.integers(220, 240))
PORTS = st.one_of(st.none(), st.sampled_from((1, 1024, 1500, 2047, 2048, 40000, 65535)))


def hour(number: float) -> datetime:
    return BEGIN + timedelta(hours=number)


def meet(one: Holding, other: Holding) -> bool:
    """True when two rows of one tier claim the same space, ports and time."""
    return (
        one.tier is other.tier
        and one.prefix.version == other.prefix.version
        and one.prefix.overlaps(other.prefix)
        and one.port_first <= other.port_last
        and other.port_first <= one.port_last
        and (other.held_until is None or one.held_from < other.held_until)
        and (one.held_until is None or other.held_from < one.held_until)
    )


@st.composite
def rows(draw: st.DrawFn, *, key: int = 0, prefixes=PREFIXES) -> Holding:
    tier = draw(st.sampled_from((Tier.OPERATOR, Tier.RESELLER, *[Tier.CUSTOMER] * 5)))
    begins = draw(HOURS)
    lasts = draw(st.one_of(st.none(), st.integers(1, 300)))
    first, last = draw(st.sampled_from(PORT_BLOCKS)) if tier is Tier.CUSTOMER else (0, 65535)
    return Holding(
        key=key,
        tier=tier,
        kind=HoldingKind.PORT_BLOCK if (first, last) != (0, 65535) else HoldingKind.STATIC,
        prefix=draw(st.sampled_from(prefixes)),
        held_from=hour(begins),
        held_until=None if lasts is None else hour(begins + lasts),
        customer=None if tier is Tier.OPERATOR else draw(st.sampled_from(("acct-1", "acct-2", "acct-3"))),
        port_first=first,
        port_last=last,
    )


@st.composite
def histories(draw: st.DrawFn, *, max_size: int = 12) -> tuple[Holding, ...]:
    """Up to `max_size` rows; a row that meets an earlier one of its tier is refused, as in the registry."""
    space = draw(st.sampled_from(("all", "all", "all", "as drawn")))
    kept: list[Holding] = []
    if space == "all":
        for key, prefix in enumerate(("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32")):
            kept.append(
                Holding(
                    key=1000 + key,
                    tier=Tier.OPERATOR,
                    kind=HoldingKind.STATIC,
                    prefix=ip_network(prefix),
                    held_from=BEGIN - timedelta(days=900),
                )
            )
    for row in draw(st.lists(rows(), max_size=max_size)):
        if not any(meet(row, other) for other in kept):
            kept.append(row)
    return tuple(kept)


@st.composite
def moments(draw: st.DrawFn) -> Moment | None:
    if draw(st.integers(0, 5)) == 0:
        return None
    error = draw(st.sampled_from((0.0, 1.0, 1800.0, 3600.0, 14 * 3600.0)))
    return Moment(hour(draw(HOURS)) + timedelta(seconds=draw(st.sampled_from((0, -1, 1, 1800)))), error)
