"""Who likely holds an address that is not ours: looked up in a table of who announces what, which the operator keeps.

One line a range: first address, last address, AS number, country, the network's name, with tabs between, in the order
of the addresses, IPv4 before IPv6. Such a table (`ip2asn-combined.tsv`) is published hourly by iptoasn.com, free for
any use; nothing is fetched here. Nothing but a hint in an answer to a complainant depends on it.
"""

import mmap
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from tipstaff.words import Announcer

_LINE_MAX = 1000
"""Octets in a line; what is longer is not of this form."""


class NotATable(ValueError):
    """The file is not of the form above; the message says what and in which line."""


def announcer_of(address: IPv4Address | IPv6Address, table: Path) -> Announcer | None:
    """Return who announces the address, or None where nobody does or the table does not say.

    A binary search in the file itself: some twenty lines are read and none is kept. A file out of order can hide an
    answer and cannot make one: the range that is found holds the address. Raise OSError and NotATable.
    """
    with table.open("rb") as file:
        as_of = datetime.fromtimestamp(table.stat().st_mtime, UTC).date()
        if table.stat().st_size == 0:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as lines:
            low, high = 0, len(lines)
            while low < high:
                begin = lines.rfind(b"\n", 0, (low + high) // 2) + 1
                end = lines.find(b"\n", begin)
                end = len(lines) if end < 0 else end
                first, last, number, country, name = _fields(lines[begin : min(end, begin + _LINE_MAX)])
                if _order(address) < _order(first):
                    high = begin
                elif _order(address) > _order(last):
                    low = end + 1
                else:
                    # A range that nobody announces has the number 0 (RFC 7607: never a network's).
                    return Announcer(number=number, country=country, name=name, as_of=as_of) if number else None
    return None


def check_table(table: Path) -> None:
    """Raise OSError or NotATable for a file that cannot be one: its first line is read."""
    with table.open("rb") as file:
        if line := file.readline(_LINE_MAX):
            _fields(line.rstrip(b"\r\n"))


def _fields(line: bytes) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address, int, str, str]:
    try:
        first, last, number, country, name = line.decode("utf-8").rstrip("\r").split("\t")
        return ip_address(first), ip_address(last), int(number), country if country.isalpha() else "", name
    except ValueError:
        raise NotATable(
            "a line is not: first address, last address, AS number, country, name, with tabs between"
        ) from None


def _order(address: IPv4Address | IPv6Address) -> tuple[int, int]:
    return address.version, int(address)
