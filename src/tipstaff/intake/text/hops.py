"""The way of a mail by its Received lines (RFC 5321 4.4): the first host outside the one who received it."""

import re
from collections.abc import Iterable

from .find import is_address, is_public
from .names import registered_part

_FROM = re.compile(r"\bfrom\s{1,4}(\S{1,255})", re.IGNORECASE)
_BY = re.compile(r"\bby\s{1,4}(\S{1,255})", re.IGNORECASE)
_ADDRESS = re.compile(r"[\[(](?:IPv6:)?((?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f:]{6,39})[\])]", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w.])((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?![\w.])")
_CONNECTED = re.compile(r"(?:\bclient-ip=|\bsender ip is |\bdesignates )\[?([0-9A-Fa-f.:]{4,45})", re.IGNORECASE)
_ORIGIN = re.compile(r"\Ax-(?:originating|source|sender|client|real)-ip:\s{0,4}\[?([0-9A-Fa-f.:]{4,45})", re.IGNORECASE)
_FETCHED = re.compile(r"\bwith\s{1,4}(?:IMAP4?|POP3?)(?:S|rev1)?\b", re.IGNORECASE)
_MOST_HOPS = 30


def received_lines(lines: Iterable[str]) -> list[str]:
    """Received headers out of header lines, each with its continuation lines joined."""
    found: list[str] = []
    open_ = False
    for line in lines:
        if line[:9].lower() == "received:":
            found.append(line[9:])
            open_ = True
        elif open_ and (
            ":" not in line[:30] or line[:1] in " \t" or re.match(r"(?:by|for|with|id|via|\(|from)\b", line)
        ):
            found[-1] += " " + line.strip()
        else:
            open_ = False
        if len(found) >= _MOST_HOPS:
            break
    return found


def outside_hop(received: Iterable[str]) -> str | None:
    """The address that handed the mail over to the receiving organisation: newest hop first, its own relays skipped."""
    receiver = ""
    candidate: str | None = None
    for hop in list(received)[:_MOST_HOPS]:
        origin = hop.partition(" by ")[0]
        if _FETCHED.search(hop):
            # Somebody fetched the mail from a mailbox; nobody handed it over there.
            continue
        address = _address(origin)
        by = _BY.search(hop)
        by_name = registered_part(by[1].strip("()[];,")) if by and "." in by[1] else ""
        sender = _FROM.search(origin)
        names = {
            registered_part(x)
            for x in re.findall(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}", origin)[:6]
            if not x[0].isdecimal()
        }
        if not receiver and by_name:
            receiver = by_name
        if address is None or not is_public(address) or sender is None:
            continue
        if candidate is None:
            candidate = address
        if receiver and receiver in names:
            continue
        if by_name and by_name in names:
            continue
        return address
    return candidate


def sender_of(hop: str) -> str | None:
    """The address from which one Received line says that its server was reached."""
    return _address(hop.partition(" by ")[0])


def stated_hop(shown: list[str]) -> str | None:
    """The connecting address as the receiving server itself put it down (RFC 7208 9.1, RFC 8601)."""
    for line in shown[:120]:
        found = _CONNECTED.search(line) or _ORIGIN.match(line)
        if found:
            address = found[1].rstrip(".:")
            if is_address(address) and is_public(address):
                return address
    return None


def _address(text: str) -> str | None:
    for found in _ADDRESS.findall(text):
        if is_address(found):
            return str(found)
    bare = _BARE.search(text)
    return bare[1] if bare and is_address(bare[1]) else None
