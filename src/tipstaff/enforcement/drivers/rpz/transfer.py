"""What a zone transfer brings, whole (RFC 5936) or what changed (RFC 1995), each message signed (RFC 8945, 5.3.1).

dnspython makes an object of each name and of each record, which for 100,000 names takes it twenty seconds of a
processor. Here they stay the octets that they came as; what is signed is checked by dnspython.
"""

import socket
import struct
import time
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.serial
import dns.tsig

from tipstaff.enforcement.options import Listener

Labels = tuple[bytes, ...]
"""A name's labels in lower case, below the zone's own name."""
Record = tuple[int, bytes]
"""(type, data as it stands in a message, no name in it shortened)."""
Names = dict[Labels, tuple[Record, ...]]

_HEAD = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_WITHOUT_NAMES = frozenset((dns.rdatatype.TXT, dns.rdatatype.A, dns.rdatatype.AAAA))
_POINTERS_MAX = 127
"""Of one name: as many labels as a name can have."""
_NAME_OCTETS_MAX = 255
"""RFC 1035, 2.3.4."""
_UNSIGNED_MAX = 99
"""Messages in a row that need not be signed (RFC 8945, 5.3.1). Anybody may have sent them."""
_OCTETS_MAX = 1 << 30
"""Of one transfer: a million measures at 1,024 octets each, with a name and a sealed entry as long as they can be. What
is above it, we never put there; it is the server itself that sends it then, for the rest is not signed."""


class BadTransfer(Exception):
    """The transfer is not as it must be."""


class Copy:
    """A zone as it was transferred last."""

    def __init__(self, zone: dns.name.Name) -> None:
        self._zone = zone
        self.names: Names = {}
        self.serial: int | None = None

    def bring(self, server: Listener, key: dns.tsig.Key, *, timeout_seconds: float) -> frozenset[Labels] | None:
        """Transfer what changed since the last time; the names that changed, or None if it came whole.

        Raise BadTransfer, DNSException, OSError or EOFError; the copy is of no use then.
        """
        query = dns.message.make_query(self._zone, "AXFR" if self.serial is None else "IXFR", use_edns=False)
        if self.serial is not None:
            soa = dns.rdata.from_text("IN", "SOA", f". . {self.serial} 0 0 0 0")
            query.find_rrset(query.authority, self._zone, dns.rdataclass.IN, dns.rdatatype.SOA, create=True).add(soa, 0)
        query.use_tsig(key, key.name, algorithm=key.algorithm)
        wire = query.to_wire()
        assert query.tsig is not None
        assert query.mac is not None
        signed, begun = query.tsig[0].time_signed, time.monotonic()
        taken = Transfer(self._zone, number=query.id, key=key, request_mac=query.mac, serial=self.serial)
        with socket.create_connection(server, timeout=timeout_seconds) as connection:
            connection.sendall(struct.pack("!H", len(wire)) + wire)
            for message in _messages(connection, lambda: begun + timeout_seconds - time.monotonic()):
                if taken.take(message, now=signed + int(time.monotonic() - begun)):
                    break
        return self.become(taken)

    def become(self, taken: "Transfer") -> frozenset[Labels] | None:
        """Take in a transfer that is through."""
        assert taken.done, "it may not be signed yet"
        self.serial = taken.new_serial
        if taken.whole:
            self.names = _grouped(taken.records)
            return None
        for gone, labels, record in taken.changes:
            there = self.names.get(labels, ())
            if gone is (record not in there):
                raise BadTransfer("it changes what is not there")
            now = tuple(one for one in there if one != record) if gone else (*there, record)
            if now:
                self.names[labels] = now
            else:
                del self.names[labels]
        return frozenset(labels for _, labels, _ in taken.changes)


class Transfer:
    """The messages of one answer, in their order."""

    def __init__(
        self, zone: dns.name.Name, *, number: int, key: dns.tsig.Key, request_mac: bytes, serial: int | None
    ) -> None:
        self._zone = tuple(label.lower() for label in zone.labels[:-1])
        self._number, self._key, self._request_mac = number, key, request_mac
        self._since = serial
        self._signatures: object = None
        self._unsigned = 0
        """Messages since the last signature."""
        self._first = True
        self._soas = 0
        """Times that the head of the zone was seen."""
        self._old: int | None = None
        """The serial of the part that is being read."""
        self.new_serial = 0
        self.whole = serial is None
        self._ended = False
        self.done = False
        """Whether all of it is here, and signed."""
        self.records: list[tuple[Labels, Record]] = []
        self.changes: list[tuple[bool, Labels, Record]] = []
        """(whether it goes, name, record), in their order."""

    def take(self, wire: bytes, *, now: int) -> bool:
        """Read a message; whether it was the last. `now` in seconds since 1970. Raise BadTransfer or DNSException."""
        try:
            return self._take(wire, now=now)
        except (IndexError, struct.error) as why:
            raise BadTransfer("a message of the transfer is cut off") from why

    def _take(self, wire: bytes, *, now: int) -> bool:
        number, flags, questions, answers, authorities, additional = _HEAD.unpack_from(wire)
        if number != self._number or not flags & dns.flags.QR or flags & 0x7800 or flags & dns.flags.TC:
            raise BadTransfer("it is no answer to what was asked")
        known: dict[int, Labels] = {}
        at = _HEAD.size
        for _ in range(questions):
            name, at = _name(wire, at, known)
            kind, _ = struct.unpack_from("!HH", wire, at)
            if name != self._zone or kind != (dns.rdatatype.AXFR if self._since is None else dns.rdatatype.IXFR):
                raise BadTransfer("it answers another question")
            at += 4
        records, depth, zone = [], len(self._zone), self._zone
        for _ in range(answers):
            name, at = _name(wire, at, known)
            kind, group, _, octets = _RECORD.unpack_from(wire, at)
            at += 10
            data = wire[at : at + octets]
            if len(data) != octets or group != dns.rdataclass.IN:
                raise BadTransfer("a record is cut off, or of another class")
            if kind not in _WITHOUT_NAMES:
                data = dns.rdata.from_wire(dns.rdataclass.IN, kind, wire, at, octets).to_digestable()
            at += octets
            if name[-depth:] == zone:  # What is not below the zone is none of its.
                records.append((name[:-depth], (kind, data)))
        signed = self._check(wire, at, authorities + additional, known, now=now)
        self._unsigned = 0 if signed else self._unsigned + 1
        if self._unsigned > _UNSIGNED_MAX:
            raise BadTransfer(f"more than {_UNSIGNED_MAX} messages in a row are not signed")
        if flags & 0xF:
            raise BadTransfer(f"the server answers {dns.rcode.to_text(dns.rcode.Rcode(flags & 0xF))}")
        self._follow(records)
        if not signed and (self._first or self._ended):
            raise BadTransfer("missing TSIG")
        self._first, self.done = False, self._ended
        return self.done

    def _check(self, wire: bytes, at: int, records: int, known: dict[int, Labels], *, now: int) -> bool:
        """Whether the message is signed, and rightly; a wrong signature is raised."""
        for i in range(records):
            begun = at
            name, at = _name(wire, at, known)
            kind, group, ttl, octets = _RECORD.unpack_from(wire, at)
            at += 10
            if kind == dns.rdatatype.TSIG and i == records - 1:
                if group != dns.rdataclass.ANY or ttl:  # The signature does not cover these (RFC 8945, 4.2).
                    raise BadTransfer("its signature is none")
                data = dns.rdata.from_wire(dns.rdataclass.ANY, kind, wire, at, octets)
                owner = dns.name.Name([*name, b""])
                if at + octets != len(wire):
                    raise BadTransfer("something follows the message")
                self._signatures = dns.tsig.validate(  # type: ignore[no-untyped-call]  # dnspython says no types for it
                    wire, self._key, owner, data, now, self._request_mac, begun, self._signatures, True
                )
                return True
            at += octets
        if at != len(wire):
            raise BadTransfer("something follows the message")
        if self._signatures is not None:
            self._signatures.update(wire)  # type: ignore[attr-defined]  # as above
        return False

    def _follow(self, records: list[tuple[Labels, Record]]) -> None:
        for labels, record in records:
            if self._ended:
                raise BadTransfer("answers after the final SOA")
            head = not labels and record[0] == dns.rdatatype.SOA
            if self._soas == 0:
                if not head:
                    raise BadTransfer("the first record is not an SOA")
                self._begin(record)
            elif head:
                self._at_a_head(record)
            else:
                if self._soas == 1 and not self.whole:
                    self.whole = True  # Asked for what changed, it answers with all there is (RFC 1995, 4).
                if self.whole:
                    self.records.append((labels, record))
                else:
                    self.changes.append((self._soas % 2 == 0, labels, record))
        if self._soas == 0:
            raise BadTransfer("the first record is not an SOA")

    def _begin(self, record: Record) -> None:
        self._soas, self._head, self.new_serial = 1, record, _serial(record)
        if self._since is None:
            self.records.append(((), record))
            return
        if self.new_serial == self._since:
            self._ended = True  # Nothing changed.
        elif dns.serial.Serial(self.new_serial) < dns.serial.Serial(self._since):
            raise BadTransfer("the serial went backwards")
        else:
            self._old = self._since

    def _at_a_head(self, record: Record) -> None:
        self._soas += 1
        if self.whole:
            if record != self._head:
                raise BadTransfer("another SOA within a whole transfer")
            if self._since is not None:
                self.records.append(((), record))
            self._ended = True
            return
        serial = _serial(record)
        if self._soas % 2:  # What comes.
            self._old = serial
            self.changes.append((False, (), record))
        elif record == self._head and self._soas > 2:
            if self._old != self.new_serial:
                raise BadTransfer("the changes end too early")
            self._ended = True
        elif serial != self._old:
            raise BadTransfer("the changes are for another serial")
        else:
            self.changes.append((True, (), record))


def _name(wire: bytes, at: int, known: dict[int, Labels], *, pointers: int = 0) -> tuple[Labels, int]:
    """The labels of a name in lower case, and where what follows it begins. Raise BadTransfer or IndexError."""
    labels: list[bytes] = []
    begins: list[int] = []
    rest: Labels = ()
    first = at
    while octets := wire[at]:
        if octets >= 0xC0:
            target = (octets & 0x3F) << 8 | wire[at + 1]
            if target >= first or pointers >= _POINTERS_MAX:
                raise BadTransfer("a name points forward, or too often")
            found = known.get(target)
            rest = _name(wire, target, known, pointers=pointers + 1)[0] if found is None else found
            at += 1
            break
        if octets > 63:
            raise BadTransfer("a label is too long")
        begins.append(at)
        labels.append(wire[at + 1 : at + 1 + octets].lower())
        at += 1 + octets
    whole = (*labels, *rest)
    if sum(map(len, whole)) + len(whole) + 1 > _NAME_OCTETS_MAX:
        raise BadTransfer("a name is too long")
    known[first] = whole  # Of pointers that lead to pointers, each is followed once.
    for i, begin in enumerate(begins):
        known[begin] = whole[i:]
    return whole, at + 1


def _serial(record: Record) -> int:
    """Of an SOA: behind its two names stand five numbers (RFC 1035, 3.3.13)."""
    return int.from_bytes(record[1][-20:-16], "big")


def _grouped(records: list[tuple[Labels, Record]]) -> Names:
    names: Names = {}
    for labels, record in records:
        there = names.get(labels)
        names[labels] = (record,) if there is None else there if record in there else (*there, record)
    return names


def _messages(connection: socket.socket, left: Callable[[], float]) -> Iterator[bytes]:
    """The messages that come over TCP (RFC 1035, 4.2.2), for as long as there is time `left`, in seconds. Raise
    EOFError at an end that is none, TimeoutError, or BadTransfer for more than can be ours."""
    got, octets = bytearray(), 0
    while True:
        seconds = left()
        while seconds > 0 and (len(got) < 2 or len(got) < 2 + int.from_bytes(got[:2], "big")):
            connection.settimeout(seconds)
            piece = connection.recv(1 << 18)
            if not piece:
                raise EOFError("it broke off")
            got += piece
            octets += len(piece)
            if octets > _OCTETS_MAX:
                raise BadTransfer(f"it is longer than {_OCTETS_MAX} octets")
            seconds = left()
        if seconds <= 0:
            raise TimeoutError("it does not end in time")
        end = 2 + int.from_bytes(got[:2], "big")
        message = bytes(got[2:end])
        del got[:end]
        yield message
