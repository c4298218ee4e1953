"""Compares who is seen on our own segments with the plan: addresses that nobody was given, ports that nobody has.

It reads CSV with a first line `seen_at,address,mac,scope,port` (and `vlan`): a row for each time that a switch or a
router had the address in its table. `scope` is the device, as the registry names it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address, ip_network

from tipstaff.sensors.protocol import Address, Books, NotReadable, Seen, instant, rows
from tipstaff.words import ResourceKind, machine_on

COLUMNS = ("seen_at", "address", "mac", "scope", "port")
MINUTES_MIN = 10
"""What was seen for less is not handed in: it may be on its way from one port to another."""


@dataclass(slots=True)
class _Presence:
    times: list[datetime] = field(default_factory=list)


class Lan:
    """Addresses outside the plan (`network.unallocated_address`) and ports outside the inventory
    (`network.unassigned_port`)."""

    reads = "neighbour tables over time as CSV"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        present: dict[tuple[Address, str, str, str, str], _Presence] = {}
        for line, row in rows(lines, columns=COLUMNS, more=("vlan",)):
            try:
                address = ip_address(row["address"])
            except ValueError as why:
                raise NotReadable(f"line {line}: {why}.") from None
            place = (address, row["mac"].lower(), row["scope"], row["port"], row["vlan"])
            present.setdefault(place, _Presence()).times.append(instant(row["seen_at"], line=line))
        for place, presence in present.items():
            yield from _compare(*place, times=presence.times, books=books)


def _compare(
    address: Address, mac: str, scope: str, port: str, vlan: str, *, times: list[datetime], books: Books
) -> Iterator[Seen]:
    first, last = min(times), max(times)
    minutes = int((last - first).total_seconds() // 60)
    if minutes < MINUTES_MIN:
        return
    at_port = books.holder_of(ResourceKind.PORT, port, scope=scope, at=last) if port else None
    at_vlan = books.holder_of(ResourceKind.VLAN, vlan, scope=scope, at=last) if vlan else None
    of_mac = books.holder_of(ResourceKind.MAC, mac, at=last) if mac else None
    network = ip_network(address)
    where = f"{address} with {mac} at {scope} {port}" + (f" VLAN {vlan}" if vlan else "")
    # Its name as a measure takes it: if it comes to that, one machine is stopped and not a customer.
    machine = {"machine": machine_on(scope, port, mac)} if scope and port and mac else {}
    holder = books.holder(network, at=last)
    if books.is_own(network, at=last) and not books.is_given(network, at=last):
        # Whose port it is says who uses it; where nobody has the port, nobody is named and an engineer looks.
        named = at_port or at_vlan or of_mac or ""
        yield Seen(
            kind="network.unallocated_address",
            id=f"unallocated:{address}:{mac}:{scope}:{port}:{last:%Y-%m-%dT%H}",
            at=last,
            account=named,
            source=None if named else address,
            facts={"minutes_seen": minutes, "planned": False, **machine},
            excerpt=f"{where}: seen for {minutes} minutes, and given to nobody",
        )
    known = of_mac or holder
    if port and at_port is None and at_vlan is None and known is not None:
        yield Seen(
            kind="network.unassigned_port",
            id=f"unassigned:{mac}:{scope}:{port}:{vlan}:{last:%Y-%m-%dT%H}",
            at=last,
            account=known,
            facts={"minutes_seen": minutes, "assigned": False, **machine},
            excerpt=f"{where}: seen for {minutes} minutes on a port that the inventory gives to nobody",
        )
