"""The kernel's own door to its packet filter (nfnetlink), for sets of many elements.

`nft` reads everything that the kernel holds before it says a word about one element, and needs seconds for a hundred
thousand. Here sets are read, asked for one element, and changed by one transaction over one socket. Numbers and layouts
are those of linux/netfilter/nf_tables.h and nfnetlink.h; integers in attributes are in network order.
"""

import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable

_HAND_OVER = """
import socket
kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
with socket.socket(fileno=0) as way:
    socket.send_fds(way, [b"!"], [kernel.fileno()])
"""
"""Run behind the device's prefix: a socket belongs for good to the network namespace that it was opened in."""

_NETFILTER = 12
_INET = 1
_NFTABLES = 10 << 8
_BATCH_BEGIN, _BATCH_END = 16, 17
_GET_TABLE, _GET_CHAIN, _GET_RULE, _GET_SET = 1, 4, 7, 10
_NEW_ELEMENT, _GET_ELEMENT, _DEL_ELEMENT, _GET_GENERATION = 12, 13, 14, 16
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _INTERRUPTED, _DUMP, _CREATE = 0x1, 0x4, 0x10, 0x300, 0x400
_NESTED, _TYPE = 0x8000, 0x3FFF
_TABLE, _SET, _ELEMENTS = 1, 2, 3
_KEY, _FLAGS, _TIMEOUT, _EXPIRATION, _USERDATA = 1, 3, 4, 5, 6
_NO_SUCH_ENTRY = 2
_ASKED_AT_ONCE = 128
"""Answers wait in the socket until they are taken, each in a buffer of some kilobytes."""
_SEND_BUFFER_FORCED, _RECEIVE_BUFFER_FORCED = 32, 33
_MESSAGE_MAX = 60_000
"""Bytes of elements in one message: the length of a list is sixteen bits."""

_HEADER = struct.Struct("=IHHIIBBH")
"""nlmsghdr and nfgenmsg."""
_ATTRIBUTE = struct.Struct("=HH")
_PREFIXED = struct.Struct("=HHHHHH")
"""An element up to its key: the element's own head, the key's, the value's."""

_USUAL = struct.Struct("=2xH8x2xH8x2xHBB")
"""What follows the key of an element of ours: when it ends, what is left until then, and the comment up to its text."""
_ENDS = struct.Struct(">4sQ")
_TIMEOUT_HEAD = _ATTRIBUTE.pack(12, _TIMEOUT)
_SAID = struct.Struct("=HHBB")
"""The head of an element's comment: attribute, kind of comment, its length with the zero at its end."""
_PADS = (b"\0", b"\0\0", b"\0\0\0", b"\0\0\0\0")
"""The zero that ends a comment, and as many more as fill the last four bytes."""

Element = tuple[bytes, bytes | None, int | None]
"""(key, comment, milliseconds after which it ends); None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the table is built of, beside its elements."""

    sets: dict[str, int]
    """Name -> flags; maps are among them."""
    chains: dict[str, tuple[str, int | None]]
    """Name -> (type, number of the hook)."""
    rules: tuple[tuple[str, int, str], ...]
    """(chain, handle, comment), in their order."""


MAP, ANONYMOUS = 0x8, 0x1
HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}


class Kernel:
    """One socket to one kernel's filter. Not shared by processes; whatever fails, close it and open another."""

    def __init__(self, device: str, *, prefix: Sequence[str], timeout_seconds: float) -> None:
        """Open it where `prefix` leads; raise DeviceUnreachable if it leads to no namespace of this machine."""
        self._device = device
        try:
            self._socket = _handed_over(prefix, timeout_seconds) if prefix else _opened()
            self._socket.settimeout(timeout_seconds)
            self._socket.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER_FORCED, 1 << 23)
        except (OSError, subprocess.SubprocessError) as why:
            raise DeviceUnreachable(f"{device}: the kernel's packet filter cannot be reached: {why}") from why
        self.process = os.getpid()
        self._sequence = 1

    def close(self) -> None:
        self._socket.close()

    def generation(self) -> int:
        """A number that the kernel changes with every change of its filter."""
        with self._asking():
            for _, at, end, data in self._answers(_GET_GENERATION, b"", dump=False):
                return int.from_bytes(dict(_attributes(data, at, end))[1], "big")
        raise DeviceRefused(f"{self._device}: the kernel does not say its generation")

    def shape(self, table: str) -> Shape | None:
        """What the table is built of; None if there is no such table."""
        named = _text(_TABLE, table)
        with self._asking():
            tables = [dict(_attributes(d, at, end)) for _, at, end, d in self._answers(_GET_TABLE, b"")]
            if not any(_string(t[1]) == table for t in tables):
                return None
            ours = [
                [a for a in (dict(_attributes(d, at, end)) for _, at, end, d in self._answers(kind, named))
                 if _string(a[1]) == table]
                for kind in (_GET_SET, _GET_CHAIN, _GET_RULE)
            ]  # fmt: skip
        sets, chains, rules = ours
        return Shape(
            sets={_string(a[2]): _number(a.get(3)) for a in sets},
            chains={_string(a[3]): (_string(a.get(7, b"")), _hook_of(a.get(4))) for a in chains},
            rules=tuple(
                (_string(a[2]), _number(a[3]), _comment(a.get(7, b"")).decode(errors="replace")) for a in rules
            ),
        )

    def elements(self, table: str, name: str) -> dict[bytes, bytes | None]:
        """All elements of a set: key -> comment; raise DeviceRefused while it changes under the reading."""
        found: dict[bytes, bytes | None] = {}
        with self._asking():
            for _, at, end, data in self._answers(_GET_ELEMENT, _text(_TABLE, table) + _text(_SET, name)):
                for kind, start, stop in _spans(data, at, end):
                    if kind == _ELEMENTS:
                        _read_elements(data, start, stop, found)
        return found

    def comments(self, table: str, name: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """The comments of these elements of a set, each asked for by its key; None for one that is not there."""
        head = _text(_TABLE, table) + _text(_SET, name)
        told: list[bytes | None] = []
        with self._asking():
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                lot = keys[start : start + _ASKED_AT_ONCE]
                first = self._sequence
                asked = [_nested(_ELEMENTS, _pack((key, None, None), adds=False)) for key in lot]
                self._socket.send(
                    b"".join(self._message(_NFTABLES | _GET_ELEMENT, head + one, flags=_REQUEST) for one in asked)
                )
                found: dict[int, bytes | None] = {}
                while len(found) < len(lot):
                    data = self._socket.recv(1 << 16)
                    for kind, _, sequence, at, end in _messages(data):
                        if sequence < first:
                            continue
                        if kind == _ERROR:
                            number = -int(struct.unpack_from("=i", data, at)[0])
                            if number not in (0, _NO_SUCH_ENTRY):
                                raise OSError(number, os.strerror(number))
                            found[sequence] = None
                            continue
                        elements: dict[bytes, bytes | None] = {}
                        for part, begins, ends in _spans(data, at + 4, end):
                            if part == _ELEMENTS:
                                _read_elements(data, begins, ends, elements)
                        found[sequence] = next(iter(elements.values())) or b""
                told += [found[first + i] for i in range(len(lot))]
        return told

    def change(self, table: str, commands: Iterable[tuple[bool, str, Iterable[Element]]]) -> None:
        """Add (True) and delete (False) elements of sets in this order, all or none; raise DeviceRefused for none."""
        batch = [self._message(_BATCH_BEGIN, b"", flags=_REQUEST, nfgen=(0, 10))]
        for adds, name, elements in commands:
            kind, flags = (_NEW_ELEMENT, _REQUEST | _CREATE) if adds else (_DEL_ELEMENT, _REQUEST)
            head = _text(_TABLE, table) + _text(_SET, name)
            for few in _in_lots(_pack(element, adds=adds) for element in elements):
                batch.append(self._message(_NFTABLES | kind, head + _nested(_ELEMENTS, few), flags=flags))
        if len(batch) == 1:
            return
        last = bytearray(batch[-1])
        struct.pack_into("=H", last, 6, struct.unpack_from("=H", last, 6)[0] | _ACK)
        batch[-1] = bytes(last)
        acknowledged = self._sequence - 1
        batch.append(self._message(_BATCH_END, b"", flags=_REQUEST, nfgen=(0, 10)))
        whole = b"".join(batch)
        try:
            with self._asking():
                # The kernel takes a transaction in one piece only.
                self._socket.setsockopt(socket.SOL_SOCKET, _SEND_BUFFER_FORCED, max(1 << 20, len(whole)))
                self._socket.send(whole)
                while True:
                    data = self._socket.recv(1 << 16)
                    for kind, _, sequence, at, _ in _messages(data):
                        if kind == _ERROR:
                            _raise_if_error(data, at)
                            if sequence == acknowledged:
                                return
        except FileNotFoundError as why:
            raise DeviceRefused(f"{self._device}: the kernel refused the change: {why.strerror}") from why

    def _answers(self, kind: int, body: bytes, *, dump: bool = True) -> Iterator[tuple[int, int, int, bytes]]:
        """(type, where the attributes begin, where they end, the datagram) of each answer."""
        self._socket.send(self._message(_NFTABLES | kind, body, flags=_REQUEST | (_DUMP if dump else _ACK)))
        asked = self._sequence - 1
        interrupted = False
        while True:
            data = self._socket.recv(1 << 18)
            for got, flags, sequence, at, end in _messages(data):
                if sequence != asked:
                    continue
                interrupted |= bool(flags & _INTERRUPTED)
                if got == _DONE:
                    if interrupted:
                        raise DeviceRefused(f"{self._device}: its filter changed while it was read")
                    return
                if got == _ERROR:
                    _raise_if_error(data, at)
                    return
                yield got, at + 4, end, data

    def _message(self, kind: int, body: bytes, *, flags: int, nfgen: tuple[int, int] = (_INET, 0)) -> bytes:
        sequence, self._sequence = self._sequence, self._sequence + 1
        family, resource = nfgen
        return _HEADER.pack(20 + len(body), kind, flags, sequence, 0, family, 0, socket.htons(resource)) + body

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """A refusal is DeviceRefused, no such entry FileNotFoundError; after all but that the socket is closed."""
        try:
            yield
        except FileNotFoundError:
            raise
        except TimeoutError as why:
            self.close()
            raise DeviceUnreachable(f"{self._device}: the kernel gave no answer") from why
        except PermissionError as why:
            self.close()
            raise DeviceUnreachable(f"{self._device}: the enforcer may not change the filter there: {why}") from why
        except OSError as why:
            self.close()
            raise DeviceRefused(f"{self._device}: the kernel refused: {why}") from why
        except (struct.error, LookupError, ValueError) as why:
            self.close()
            raise DeviceRefused(f"{self._device}: the kernel's answer cannot be read: {why!r}") from why


def _opened() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)


def _handed_over(prefix: Sequence[str], timeout_seconds: float) -> socket.socket:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [*prefix, sys.executable, "-I", "-S", "-c", _HAND_OVER],
            stdin=theirs.fileno(),
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        if done.returncode != 0:
            raise OSError(next(iter(done.stderr.strip().splitlines()[-1:]), f"it ended with {done.returncode}"))
        ours.settimeout(timeout_seconds)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    if not descriptors:
        raise OSError("no socket was handed over")
    return socket.socket(fileno=descriptors[0])


# Into the kernel's bytes.


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _nested(kind: int, value: bytes) -> bytes:
    return _attribute(kind | _NESTED, value)


def _key(key: bytes) -> bytes:
    return _nested(_KEY, _attribute(1, key))


def _pack(element: Element, *, adds: bool) -> bytes:
    key, comment, timeout = element
    if not adds or comment is None:
        before, after, _ = _around(len(key), None, timeout)
        return before + key + after
    before, after, pad = _around(len(key), len(comment), timeout)
    return b"".join((before, key, after, comment, pad))


@lru_cache(maxsize=1024)
def _around(size: int, comment: int | None, timeout: int | None) -> tuple[bytes, bytes, bytes]:
    """What stands before a key of this size, between it and its comment of this size, and after that."""
    ends = b"" if timeout is None else _ENDS.pack(_TIMEOUT_HEAD, timeout)
    said, pad = b"", b""
    if comment is not None:
        told = comment + 3
        said, pad = _SAID.pack(4 + told, _USERDATA, 0, told - 2), _PADS[-told % 4]
    whole = 12 + size + len(ends) + len(said) + (comment or 0) + len(pad)
    return _PREFIXED.pack(whole, 1 | _NESTED, 8 + size, _KEY | _NESTED, 4 + size, 1), ends + said, pad


def _in_lots(packed: Iterable[bytes]) -> Iterator[bytes]:
    lot: list[bytes] = []
    size = 0
    for one in packed:
        if size + len(one) > _MESSAGE_MAX:
            yield b"".join(lot)
            lot, size = [], 0
        lot.append(one)
        size += len(one)
    if lot:
        yield b"".join(lot)


# Out of the kernel's bytes.


def _messages(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """(type, flags, sequence, where its body begins, where it ends)."""
    at = 0
    while at + 16 <= len(data):
        length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", data, at)
        if length < 16:
            raise ValueError("a message without a length")
        yield kind, flags, sequence, at + 16, at + length
        at += length + -length % 4


def _raise_if_error(data: bytes, at: int) -> None:
    number = -int(struct.unpack_from("=i", data, at)[0])
    if number:
        raise OSError(number, os.strerror(number))


def _spans(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(type, where its value begins, where it ends) of each attribute."""
    while at + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < 4:
            raise ValueError("an attribute without a length")
        yield kind & _TYPE, at + 4, at + length
        at += length + -length % 4


def _attributes(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    return ((kind, data[start:stop]) for kind, start, stop in _spans(data, at, end))


def _read_elements(data: bytes, at: int, end: int, into: dict[bytes, bytes | None]) -> None:
    unpack, unpack_usual = _PREFIXED.unpack_from, _USUAL.unpack_from
    while at < end:
        length, _, _, key_kind, value_length, _ = unpack(data, at)
        stop = at + length
        if key_kind & _TYPE != _KEY:
            raise ValueError("an element does not begin with its key")
        key_end = at + 8 + value_length
        rest, comment = key_end + -value_length % 4, None
        if stop - rest >= _USUAL.size:
            timeout, expiration, said, kind, size = unpack_usual(data, rest)
            if (timeout, expiration, said, kind) == (_TIMEOUT, _EXPIRATION, _USERDATA, 0):
                comment = data[rest + _USUAL.size : rest + _USUAL.size + size - 1]
                rest = stop
        while rest < stop:
            span, kind = _ATTRIBUTE.unpack_from(data, rest)
            if kind == _USERDATA and data[rest + 4] == 0:
                # Of what nft keeps there only the comment, its first kind, matters.
                comment = data[rest + 6 : rest + 5 + data[rest + 5]]
            rest += span + -span % 4
        into[data[at + 12 : key_end]] = comment
        at = stop + -length % 4


def _comment(userdata: bytes) -> bytes:
    return userdata[2 : 1 + userdata[1]] if len(userdata) > 2 and userdata[0] == 0 else b""


def _string(value: bytes) -> str:
    return value.partition(b"\0")[0].decode(errors="replace")


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "big")


def _hook_of(value: bytes | None) -> int | None:
    found = dict(_attributes(value, 0, len(value))).get(1) if value else None
    return int.from_bytes(found, "big") if found is not None else None
