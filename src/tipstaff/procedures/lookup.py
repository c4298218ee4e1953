"""Who held an address and port at a moment: the registry's rows, judged by the pure match."""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from tipstaff.attribution.match import attribute, window_of
from tipstaff.registry.queries import holdings_covering, records_begin_at
from tipstaff.words import Attribution, Moment


def who_held(
    address: IPv4Address | IPv6Address | None, *, port: int | None, moment: Moment | None, received_at: datetime
) -> Attribution:
    """Name the holder, or say why nobody is named, with the rows that prove it."""
    window = window_of(moment, received_at=received_at)
    found = [] if address is None else holdings_covering(address, earliest=window.earliest, latest=window.latest)
    return attribute(
        address,
        port=port,
        moment=moment,
        received_at=received_at,
        holdings=found,
        records_begin_at=records_begin_at(),
    )
