"""The example operator's network as it is built for the packet filter: the story's addresses and their neighbours."""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from .complaints import complaints
from .operator import is_ours, sites

OUTSIDE = ("203.0.113.250", "2001:db8:ffff::10")
"""Hosts that are nobody's customers: the far end of every probe."""


def lab_addresses(day: datetime) -> tuple[str, ...]:
    """Every address of ours that a complaint names, and those beside it, so that a probe finds a neighbour alive."""
    named = {ip_address(i.source) for told in complaints(day) for i in told.expected.incidents if i.source}
    named |= {site.address for site in sites(day)}
    wanted: set[IPv4Address | IPv6Address] = set()
    for address in named:
        for candidate in (address, address + 1, address - 1):
            if is_ours(ip_network(candidate)) and candidate not in _EDGE:
                wanted.add(candidate)
    return tuple(str(a) for a in sorted(wanted, key=lambda a: (a.version, int(a))))


_EDGE = frozenset(map(ip_address, ("192.0.2.1", "2001:db8::1", "198.51.100.1", "2001:db8:ffff::1")))
"""The edge's own addresses in `tipstaff.testing.lab`."""
