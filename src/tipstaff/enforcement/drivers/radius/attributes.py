"""The attributes that a CoA-Request may give a session, as octets (RFC 2865 section 5). Pure.

Few are enough for a profile; what is not among them is written by number, as FreeRADIUS writes what it does not know.
"""

import re
import struct
from collections.abc import Iterable

_TEXT, _NUMBER = "text", "number"
KNOWN = {
    "Filter-Id": (0, 11, _TEXT),
    "Class": (0, 25, _TEXT),
    "Session-Timeout": (0, 27, _NUMBER),
    "Idle-Timeout": (0, 28, _NUMBER),
    "Cisco-AVPair": (9, 1, _TEXT),
    "WISPr-Bandwidth-Max-Up": (14122, 7, _NUMBER),
    "WISPr-Bandwidth-Max-Down": (14122, 8, _NUMBER),
    "Mikrotik-Rate-Limit": (14988, 8, _TEXT),
    "Mikrotik-Address-List": (14988, 19, _TEXT),
}
"""Name -> (vendor or 0, number, what its value is), as FreeRADIUS's dictionaries have them."""
_BY_NUMBER = re.compile(r"Attr-(?:26\.(\d{1,8})\.)?(\d{1,3})")
_VENDOR_SPECIFIC = 26


class NotSayable(ValueError):
    """This attribute cannot be put into a CoA-Request; the message says which and what can."""


def encode(items: Iterable[tuple[str, str]]) -> bytes:
    """(name, value) pairs as attributes, in their order; raise NotSayable."""
    return b"".join(_one(name, value) for name, value in items)


def _one(name: str, value: str) -> bytes:
    if name in KNOWN:
        vendor, number, kind = KNOWN[name]
        octets = _octets(name, value, kind)
    elif (by_number := _BY_NUMBER.fullmatch(name)) and re.fullmatch(r"0x(?:[0-9a-fA-F]{2})+", value):
        vendor, number, octets = int(by_number[1] or 0), int(by_number[2]), bytes.fromhex(value[2:])
    else:
        raise NotSayable(f"{name} is none of {', '.join(KNOWN)}, nor written like Attr-26.14988.8 := 0x31306d.")
    if vendor:
        octets = struct.pack(">IBB", vendor, number, len(octets) + 2) + octets
        number = _VENDOR_SPECIFIC
    if not 0 < number < 256 or len(octets) > 253:
        raise NotSayable(f"{name} is longer than an attribute can be, or has a number that none has.")
    return bytes([number, len(octets) + 2]) + octets


def _octets(name: str, value: str, kind: str) -> bytes:
    if kind is _TEXT:
        return value.encode()
    if not value.isascii() or not value.isdecimal() or int(value) >= 2**32:
        raise NotSayable(f"{name} is {value!r}, but it takes a whole number.")
    return struct.pack(">I", int(value))
