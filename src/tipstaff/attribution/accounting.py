"""A live RADIUS accounting server (RFC 2866): what it hears goes into a detail file, and only then it answers.

It believes only clients with a secret, checks each packet's authenticator, and answers a repeated packet without
writing it again. It knows no customers and reads no database: `tipstaff registry import radius-detail` takes the file
in, from where it left off, and the file is the proof.
"""

import hmac
import os
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

REQUEST, RESPONSE = 4, 5
_HEADER = struct.Struct("!BBH16s")
_SMALLEST, _LARGEST = 20, 4096
REMEMBERED = 8192
"""So many packets are known again when they are repeated."""

STATUS = {1: "Start", 2: "Stop", 3: "Interim-Update", 7: "Accounting-On", 8: "Accounting-Off"}


class NotAccounting(ValueError):
    """A packet that is no accounting request of a client that we know; the message says why."""


def _text(value: bytes) -> str:
    plain = value.decode("utf-8", "replace")
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else "?" for c in plain) + '"'


def _number(value: bytes) -> str:
    return str(int.from_bytes(value, "big"))


def _address(value: bytes) -> str:
    return str(IPv4Address(value)) if len(value) == 4 else str(IPv6Address(value))


def _prefix(value: bytes) -> str:
    """A reserved octet, the length, and as many octets of the prefix as it needs (RFC 3162 section 2.3)."""
    return f"{IPv6Address(value[2:].ljust(16, bytes(1)))}/{value[1]}"


def _status(value: bytes) -> str:
    return STATUS.get(int.from_bytes(value, "big"), _number(value))


ATTRIBUTES: Mapping[int, tuple[str, Callable[[bytes], str]]] = {
    1: ("User-Name", _text), 4: ("NAS-IP-Address", _address), 5: ("NAS-Port", _number),
    8: ("Framed-IP-Address", _address), 31: ("Calling-Station-Id", _text), 32: ("NAS-Identifier", _text),
    40: ("Acct-Status-Type", _status), 41: ("Acct-Delay-Time", _number), 44: ("Acct-Session-Id", _text),
    46: ("Acct-Session-Time", _number), 49: ("Acct-Terminate-Cause", _number), 55: ("Event-Timestamp", _number),
    87: ("NAS-Port-Id", _text), 95: ("NAS-IPv6-Address", _address), 97: ("Framed-IPv6-Prefix", _prefix),
    123: ("Delegated-IPv6-Prefix", _prefix), 168: ("Framed-IPv6-Address", _address),
}  # fmt: skip


@dataclass(kw_only=True)
class Accounting:
    """Packets in, records and answers out."""

    secrets: Mapping[IPv4Address | IPv6Address, bytes]
    _seen: "OrderedDict[tuple[str, int, bytes], None]" = field(default_factory=OrderedDict)

    def take(self, packet: bytes, *, sender: str, at: datetime) -> tuple[str, bytes]:
        """(record, answer); the record is empty for a packet that was repeated. NotAccounting says why there is none.

        The answer may be sent only when the record is safely on the disk.
        """
        secret = self.secrets.get(_plain(ip_address(sender)))
        if secret is None:
            raise NotAccounting(f"{sender} is no client of ours")
        if not _SMALLEST <= len(packet) <= _LARGEST:
            raise NotAccounting(f"{sender} sent {len(packet)} octets, which is no RADIUS packet")
        code, number, length, authenticator = _HEADER.unpack_from(packet)
        if code != REQUEST or not _SMALLEST <= length <= len(packet):
            raise NotAccounting(f"{sender} sent a packet with code {code} and length {length}")
        body = packet[_SMALLEST:length]
        wanted = _digest(packet[:4] + bytes(16) + body + secret)
        if not hmac.compare_digest(wanted, authenticator):
            raise NotAccounting(f"{sender} sent a packet with another secret")
        head = struct.pack("!BBH", RESPONSE, number, _SMALLEST)
        answer = head + _digest(head + authenticator + secret)
        key = (sender, number, authenticator)
        if key in self._seen:
            return "", answer
        record = _record(body, sender=sender, at=at)
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return record, answer


def _record(body: bytes, *, sender: str, at: datetime) -> str:
    """A record as FreeRADIUS writes it into a detail file."""
    lines = [f"{at:%a %b %e %H:%M:%S %Y}"]
    place = 0
    while place + 2 <= len(body):
        kind, size = body[place], body[place + 1]
        if size < 2 or place + size > len(body):
            raise NotAccounting(f"{sender} sent an attribute that does not fit into its packet")
        known = ATTRIBUTES.get(kind)
        if known is not None:
            name, read = known
            try:
                lines.append(f"\t{name} = {read(body[place + 2 : place + size])}")
            except ValueError as why:
                raise NotAccounting(f"{sender} sent a {name} that cannot be read") from why
        place += size
    lines.append(f'\tPacket-Src-IP-Address = "{sender}"')
    lines.append(f"\tTimestamp = {int(at.timestamp())}")
    return "\n".join(lines) + "\n\n"


def _digest(data: bytes) -> bytes:
    return md5(data).digest()  # noqa: S324 - RFC 2866 section 3 knows no other


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def read_secrets(file: Path) -> dict[IPv4Address | IPv6Address, bytes]:
    """`ADDRESS SECRET`, one client a line; ValueError says what is wrong, and never shows a secret."""
    if file.stat().st_mode & 0o077:
        raise ValueError(f"{file} holds secrets and others may read it; run  chmod 600 {file}")
    found: dict[IPv4Address | IPv6Address, bytes] = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.split(None, 1)
        if not words or words[0].startswith("#"):
            continue
        try:
            found[ip_address(words[0])] = words[1].strip().encode()
        except (ValueError, IndexError):
            raise ValueError(f"{file}:{number} is no address and secret") from None
    if not found:
        raise ValueError(f"{file} names no client")
    return found


class DetailFile:
    """A file that records are added to, each batch on the disk before it counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = self._open()

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def add(self, records: str) -> None:
        os.write(self._fd, records.encode())
        os.fdatasync(self._fd)

    def reopen(self) -> None:
        """After the file was moved away."""
        os.close(self._fd)
        self._fd = self._open()

    def close(self) -> None:
        os.close(self._fd)
