"""The options of a device, checked one by one: what is unknown or cannot be used is refused in a sentence."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from tipstaff.enforcement.protocol import BadOption
from tipstaff.words import Degree, Proof, Scope

Listener = tuple[str, int]
"""An address and a port. Never a name: nothing that a driver talks to is looked up."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Where nobody listens in between."""
PROOFS: Mapping[str, Proof] = {"acknowledged": Proof.ACK, "config": Proof.CONFIG, "state": Proof.STATE}
"""How sure something of the operator's own is when it says that a measure is in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a `[[devices]]` table says beside the keys that every driver has."""

    device: str
    driver: str
    given: Mapping[str, object]

    def only(self, known: Sequence[str]) -> None:
        """Raise BadOption for a key that is none of these."""
        for name in self.given:
            if name not in known:
                names = ", ".join(sorted(known))
                raise self.bad(name, f"is not an option of the {self.driver} driver; known are {names}.")

    def bad(self, name: str, sentence: str) -> BadOption:
        return BadOption(f"device {self.device}: {name} {sentence}")

    def text(self, name: str, usual: str = "", *, one_of: Sequence[str] = ()) -> str:
        value = self.given.get(name, usual)
        if not isinstance(value, str) or any(ord(c) < 32 for c in value):
            raise self.bad(name, f"is {value!r}, but it takes a text in quotes.")
        if one_of and value not in one_of:
            raise self.bad(name, f"is {value!r}, but it takes {_either(one_of)}.")
        return value

    def needed(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise self.bad(name, "is missing, and the driver cannot do without it.")
        return value

    def number(self, name: str, usual: int, *, least: int = 1) -> int:
        value = self.given.get(name, usual)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.bad(name, f"is {value!r}, but it takes a whole number from {least} up.")
        return value

    def flag(self, name: str, usual: bool = False) -> bool:
        value = self.given.get(name, usual)
        if not isinstance(value, bool):
            raise self.bad(name, f"is {value!r}, but it takes true or false.")
        return value

    def texts(self, name: str, usual: Sequence[str] = ()) -> tuple[str, ...]:
        value = self.given.get(name, usual)
        if not isinstance(value, list | tuple) or not all(isinstance(x, str) for x in value):
            raise self.bad(name, f'is {value!r}, but it takes a list of texts, for example ["a", "b"].')
        return tuple(value)

    def rungs(self, name: str) -> frozenset[tuple[Scope, Degree]]:
        """What something of the operator's own can do: `["account:suspend"]`."""
        try:
            parts = [text.partition(":") for text in self.texts(name)]
            return frozenset((Scope[s.strip().upper()], Degree[d.strip().upper()]) for s, _, d in parts)
        except KeyError as why:
            raise self.bad(name, 'takes scopes and degrees, for example ["account:suspend"].') from why

    def choice(self, name: str, *among: str) -> str:
        """One of these words; the first is the usual one."""
        return self.text(name, among[0], one_of=among)

    def symbol(self, name: str, usual: str) -> str:
        """A name as routing daemons' languages allow it."""
        return self.checked_symbol(name, self.text(name, usual))

    def checked_symbol(self, name: str, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise self.bad(name, f"is {value!r}, but it takes letters, digits and underscores.")
        return value

    def address(self, name: str, *, version: int) -> str:
        """An IP address of this version, or nothing."""
        value = self.text(name)
        try:
            if value and ip_address(value).version != version:
                raise ValueError
        except ValueError:
            raise self.bad(name, f"is {value!r}, but it takes an IPv{version} address.") from None
        return value

    def addresses(self, name: str) -> tuple[IPv4Address | IPv6Address, ...]:
        """IP addresses of either version."""
        try:
            return tuple(ip_address(value) for value in self.texts(name))
        except ValueError as why:
            raise self.bad(name, f"takes IP addresses: {why}.") from why

    def program(self, name: str, usual: str) -> str:
        value = self.text(name, usual)
        if "/" in value and not os.access(value, os.X_OK):
            raise self.bad(name, f"is {value!r}, but no program that can be run is there.")
        return value

    def path(self, name: str) -> Path:
        value = Path(self.needed(name))
        if not value.is_absolute():
            raise self.bad(name, f"is {str(value)!r}, but it takes a whole path, from / on.")
        return value

    def listener(self, name: str) -> Listener | None:
        """`127.0.0.1:80` or `[::1]:443`; None where it is not set."""
        value = self.text(name)
        return self._listener(name, value) if value else None

    def listeners(self, name: str) -> tuple[Listener, ...]:
        return tuple(self._listener(name, value) for value in self.texts(name))

    def _listener(self, name: str, value: str) -> Listener:
        host, _, port = value.rpartition(":")
        try:
            address = ip_address(host.removeprefix("[").removesuffix("]"))
            number = int(port)
        except ValueError:
            raise self.bad(name, f"is {value!r}, but it takes an address and a port: 127.0.0.1:80.") from None
        if not 0 < number < 65536:
            raise self.bad(name, f"is {value!r}, but ports go from 1 to 65535.")
        return str(address), number


def _either(words: Sequence[str]) -> str:
    quoted = [f'"{word}"' for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
