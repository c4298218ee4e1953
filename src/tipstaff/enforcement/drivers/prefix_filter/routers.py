"""How each router is told its denials, and what it is seen to take all the same."""

import json
import os
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from typing import Any

from tipstaff.enforcement.alone import run_alone
from tipstaff.enforcement.drivers.prefix_filter.text import DIALECTS, in_order
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable
from tipstaff.enforcement.routing.announcer import Held, Written
from tipstaff.enforcement.routing.bird_control import Control, configure
from tipstaff.enforcement.routing.book import Book, Shelf
from tipstaff.enforcement.routing.routes import Kind, Route

_NOT_FOUND = 8001
"""What BIRD answers of a network that is in none of its tables; all other numbers from 8000 up are errors."""


class _Filter:
    """What all have in common: the text of the list, and whether it stands in the book."""

    answers = True
    shows_sessions = True

    def __init__(self, *, dialect: str, name: str, neighbor: str = "") -> None:
        self._dialect, self._name, self._neighbor = dialect, name, neighbor

    def body(self, book: Book, *, foreign: Sequence[str]) -> tuple[str, ...]:
        # A line that somebody else wrote between ours would be part of our list; it is reported, and then put right.
        return tuple(self._text(book))

    def written(self, book: Book) -> Written:
        text = self._text(book)
        own = set(text)
        foreign = tuple(line for line in book.body if line not in own)
        return Written(frozenset(book.required) if tuple(text) == book.body else frozenset(), foreign)

    def _text(self, book: Book) -> list[str]:
        return DIALECTS[self._dialect](self._name, in_order(r.network for r in book.required), self._neighbor)


class BirdFilter(_Filter):
    """BIRD: a function that the session's import filter calls."""

    def __init__(self, *, name: str, session: str, shelf: Shelf, socket: str, timeout_seconds: float) -> None:
        super().__init__(dialect="bird", name=name)
        self._session, self._shelf, self._socket = session, shelf, socket
        self._timeout_seconds = timeout_seconds

    def load(self, book: Book) -> None:
        with Control(self._socket, self._timeout_seconds) as control:
            configure(control)

    def read(self) -> Held:
        """A prefix is denied that BIRD does not have from this session; one it has is taken, whatever the file says."""
        denied: set[Route] = set()
        unsaid = ""
        with Control(self._socket, self._timeout_seconds) as control:
            control.rows(f"show protocols {self._session}")  # An unknown name is no session that takes nothing.
            for route in self._shelf.read().required:
                code, lines = control.ask(f"show route {route.network} protocol {self._session}")
                if code < 8000 and any(line.startswith(route.network) for line in lines):
                    continue
                if code >= 8000 and code != _NOT_FOUND:
                    # No answer is no denial; the others are read all the same, so that they can still be lifted.
                    unsaid = f"BIRD does not say whether it takes {route.network}: {lines[-1]}"
                    continue
                denied.add(route)
        return Held(routes=frozenset(denied), detail=unsaid)


class FrrFilter(_Filter):
    """FRR: prefix lists that the session's route map looks into."""

    def __init__(self, *, name: str, neighbor: str, shelf: Shelf, vtysh: Sequence[str], timeout_seconds: float) -> None:
        super().__init__(dialect="frr", name=name, neighbor=neighbor)
        self._vtysh = tuple(vtysh) or ("vtysh",)
        self._shelf, self._timeout_seconds = shelf, timeout_seconds

    def load(self, book: Book) -> None:
        wanted = {route.network for route in book.required}
        listed, _ = self._shown(())
        changes = [f"no {self._line(n)}" for n in sorted(listed - wanted)]
        changes += [self._line(n) for n in sorted(wanted - listed)]
        if changes:
            self._apply(changes)
        # FRR looks at a changed list after its delay timer, or never where that is 0: it is told to look now.
        versions = sorted({6 if ":" in n else 4 for n in listed | wanted} or {4})
        again = [f"clear bgp ipv{version} unicast {self._neighbor} soft in" for version in versions]
        self._tell(again, refused="FRR refuses to look again")

    def read(self) -> Held:
        """A prefix is denied that is in the list and not among the routes taken from the neighbour."""
        listed, taken = self._shown({route.version for route in self._shelf.read().required})
        held = {Route(Kind.DENIAL, "to", n) for n in listed if n not in taken}
        return Held(routes=frozenset(held))

    def _apply(self, changes: Sequence[str]) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("\n".join(changes) + "\n")
            file.flush()
            os.chmod(file.name, 0o644)  # vtysh may run as somebody else.
            for how in (("-C",), ()):
                command = [*self._vtysh, *how, "-f", file.name]
                _run(command, self._timeout_seconds, device=self._shelf.device, refused="FRR refuses the list")

    def _line(self, network: str) -> str:
        return f"{'ipv6' if ':' in network else 'ip'} prefix-list {self._name} permit {network}"

    def _shown(self, versions: Collection[int]) -> tuple[set[str], set[str]]:
        """(prefixes in the list, routes of these IP versions taken from the neighbour), by one run of vtysh: it takes
        longer to start than to answer."""
        asked = [f"show {kind} prefix-list {self._name} json" for kind in ("ip", "ipv6")]
        asked += [f"show bgp ipv{v} unicast neighbors {self._neighbor} routes json" for v in sorted(versions)]
        listed: set[str] = set()
        taken: set[str] = set()
        for answer in self._json(asked):
            # Each daemon answers for itself of its lists; the one that takes routes is bgpd.
            entries = answer.get("BGP", {}).get(self._name, {}).get("entries", ())
            listed |= {e["prefix"] for e in entries if e["type"] == "permit"}
            taken |= answer.get("routes", {}).keys()
        return listed, taken

    def _tell(self, commands: Sequence[str], *, refused: str) -> str:
        words = [word for command in commands for word in ("-c", command)]
        return _run([*self._vtysh, *words], self._timeout_seconds, device=self._shelf.device, refused=refused)

    def _json(self, commands: Sequence[str]) -> list[dict[str, Any]]:
        """All that FRR answers: one object after the other."""
        text = self._tell(commands, refused="FRR refuses to say").strip()
        found: list[dict[str, Any]] = []
        try:
            while text:
                value, end = json.JSONDecoder().raw_decode(text)
                found.append(value)
                text = text[end:].lstrip()
        except ValueError as why:
            raise DeviceUnreachable(f"what FRR says cannot be read: {text[:100]!r}") from why
        return found


class HandedOver(_Filter):
    """A router that is not asked: its text is checked if it can be, and given to a command."""

    answers = False
    shows_sessions = False

    def __init__(
        self, *, dialect: str, name: str, neighbor: str, shelf: Shelf, check: Sequence[str], hand_over: Sequence[str],
        timeout_seconds: float,
    ) -> None:  # fmt: skip
        super().__init__(dialect=dialect, name=name, neighbor=neighbor)
        self._check, self._hand_over, self._timeout_seconds = tuple(check), tuple(hand_over), timeout_seconds
        self._shelf = shelf

    def load(self, book: Book) -> None:
        text = "".join(f"{line}\n" for line in self._text(book))
        takes = (self._hand_over, "The command that takes the text says no")
        for command, refused in ((self._check, "The check says no"), takes) if self._check else (takes,):
            _run(command, self._timeout_seconds, device=self._shelf.device, refused=refused, given=text)

    def read(self) -> Held:
        """What the book says was handed over, or it would be pending. Nobody asks the router."""
        return Held(routes=frozenset(self._shelf.read().required))


def _run(command: Sequence[str], timeout_seconds: float, *, device: str, refused: str, given: str | None = None) -> str:
    try:
        done = run_alone(command, device=device, timeout_seconds=timeout_seconds, given=given)
    except subprocess.TimeoutExpired as why:
        raise DeviceUnreachable(f"{command[0]} gave no answer in {timeout_seconds:g} s") from why
    except OSError as why:
        raise DeviceUnreachable(f"{command[0]} cannot be run: {why.strerror}") from why
    if done.returncode != 0:
        raise DeviceRefused(f"{refused}: {(done.stderr or done.stdout).strip()[:300]}")
    return done.stdout
