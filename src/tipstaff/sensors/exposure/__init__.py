"""Looks at what a port scan of customers who asked for it found: services open to misuse, and software that is too old.

It reads nmap's XML (`nmap -sV -oX -`). Whom to scan says `tipstaff detectors asked`: only those who allowed it.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from xml.etree import ElementTree

from tipstaff.sensors.protocol import Address, Books, NotReadable, Seen

OPEN_TO_MISUSE = {
    ("tcp", 23): "telnet", ("tcp", 2375): "docker", ("tcp", 5900): "vnc", ("tcp", 6379): "redis",
    ("tcp", 9200): "elasticsearch", ("tcp", 11211): "memcached", ("tcp", 27017): "mongodb", ("tcp", 3389): "rdp",
    ("udp", 19): "chargen", ("udp", 123): "ntp", ("udp", 161): "snmp", ("udp", 389): "cldap", ("udp", 1900): "ssdp",
    ("udp", 11211): "memcached",
}  # fmt: skip
"""Services that are seldom meant for everybody, or that are used to multiply attacks."""


class Exposure:
    """Services open to misuse (`probe.open_service`) and software older than it should be (`probe.old_software`)."""

    reads = "nmap's XML of a scan that customers asked for"

    def look(self, lines: Iterable[str], *, books: Books) -> Iterator[Seen]:
        text = "".join(lines)
        if "<!ENTITY" in text:
            raise NotReadable("line 1: it defines entities, which nmap never does.")
        try:
            # Without entities of its own the text cannot grow, and the parser fetches nothing from outside.
            root = ElementTree.fromstring(text)  # noqa: S314
        except ElementTree.ParseError as why:
            raise NotReadable(f"line {why.position[0]}: it is no XML.") from None
        if root.tag != "nmaprun":
            raise NotReadable("line 1: it is not nmap's.")
        for host in root.iter("host"):
            yield from _of_host(host, books=books)


def _of_host(host: ElementTree.Element, *, books: Books) -> Iterator[Seen]:
    ended = host.get("endtime", "")
    named = [a.get("addr", "") for a in host.iter("address") if a.get("addrtype") in ("ipv4", "ipv6")]
    try:
        address: Address = ip_address(named[0] if named else "")
        at = datetime.fromtimestamp(int(ended), tz=UTC)
    except (ValueError, OverflowError, OSError):
        raise NotReadable("line 1: a host has no address, or no endtime.") from None
    holder = books.holder(ip_network(address), at=at)
    opted_in = holder is not None and books.allowed(holder, "exposure", at=at)
    for port in host.iter("port"):
        state, service = port.find("state"), port.find("service")
        number = int(port.get("portid", "0")) if port.get("portid", "").isdecimal() else 0
        if state is None or state.get("state") != "open" or not 0 < number < 65536:
            continue
        place = (port.get("protocol", ""), number)
        where = {"protocol": place[0], "at": at, "source": address}
        name = OPEN_TO_MISUSE.get(place)
        if name is not None:
            yield Seen(
                kind="probe.open_service", id=f"open:{address}:{place[0]}:{number}:{at:%Y-%m-%d}",
                type="vulnerability/open_service", facts={"opted_in": opted_in, "port": number, "service": name},
                excerpt=f"{place[0]} {number} ({name}) answers everybody", **where,  # type: ignore[arg-type]  # one dict of three kinds
            )  # fmt: skip
        product, version = (service.get("product", ""), service.get("version", "")) if service is not None else ("", "")
        needed = books.needed.get(product.lower(), "")
        if version and needed and parts(version) < parts(needed):
            yield Seen(
                kind="probe.old_software", id=f"old:{address}:{place[0]}:{number}:{at:%Y-%m-%d}",
                type="vulnerability/cve",
                facts={"opted_in": opted_in, "product": product, "version": version, "needed": needed},
                excerpt=f"{place[0]} {number}: {product} {version}, and {needed} is needed", **where,  # type: ignore[arg-type]  # one dict of three kinds
            )  # fmt: skip


def parts(version: str) -> tuple[int, ...]:
    """A version as numbers, in order: `9.6p1 Debian` is (9, 6, 1). What stands after a space is the packager's."""
    return tuple(int(number) for number in re.findall(r"\d+", version.split(" ")[0])[:8])
