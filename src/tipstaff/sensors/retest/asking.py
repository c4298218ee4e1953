"""Starts the program that looks (`looking.py`), with nothing in its hands, and reads its one answer."""

import base64
import functools
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Protocol

from tipstaff.host.dying import die_with_parent
from tipstaff.host.privileges import no_new_privileges
from tipstaff.words import RetestCheck, RetestFound

_PROGRAM = Path(__file__).with_name("looking.py")
_ANSWER_OCTETS_MAX = 64 * 1024
_PATIENCE_SECONDS = 10.0
"""Beyond what the check may wait by itself: a server that speaks on and on is hung up on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What one look showed, with what was sent and what came back."""

    found: RetestFound
    said: str
    sent: tuple[bytes, ...] = ()
    got: tuple[bytes, ...] = ()


class Looks(Protocol):
    """Whoever looks."""

    def look(self, check: RetestCheck, address: IPv4Address | IPv6Address, port: int) -> Looked:
        """Look once; whatever goes wrong on our side is UNCLEAR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """How the operator lets looks be made."""

    name: str
    """A host name of the operator's: what a resolver is asked for, and what mail servers are greeted with."""
    mailbox: str
    """A mailbox of the operator's: for whom a mail server is asked whether it would take a mail."""
    wait_seconds: float = 4.0
    through: tuple[str, ...] = ()
    """A command put before it: `ip netns exec customers` looks from there."""

    def look(self, check: RetestCheck, address: IPv4Address | IPv6Address, port: int) -> Looked:
        """Look once; whatever goes wrong on our side is UNCLEAR."""
        asked = json.dumps(
            {"check": check.value, "address": str(address), "port": port, "name": self.name, "mailbox": self.mailbox,
             "wait_seconds": self.wait_seconds}
        )  # fmt: skip
        try:
            done = subprocess.run(
                [*self.through, sys.executable, "-I", "-S", str(_PROGRAM)], input=asked.encode(),
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, cwd="/",
                capture_output=True, timeout=4 * self.wait_seconds + _PATIENCE_SECONDS,
                check=False, preexec_fn=functools.partial(_give_up_rights, os.getpid()),
            )  # fmt: skip
        except (subprocess.TimeoutExpired, OSError) as why:
            return Looked(found=RetestFound.UNCLEAR, said=f"It could not be looked at: {type(why).__name__}.")
        return _read(done.stdout, failed=done.stderr[-200:].decode(errors="replace") if done.returncode else "")


def _give_up_rights(parent: int) -> None:
    """In the child, before exec: no file is written, little memory and time are taken, no right is gained."""
    die_with_parent(parent, signal.SIGKILL)
    no_new_privileges()
    for what, most in (
        (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_CPU, 10),
        (resource.RLIMIT_NOFILE, 32), (resource.RLIMIT_AS, 512 * 1024 * 1024),
    ):  # fmt: skip
        resource.setrlimit(what, (most, most))


def _read(answer: bytes, *, failed: str) -> Looked:
    try:
        if failed or len(answer) > _ANSWER_OCTETS_MAX:
            raise ValueError(failed.strip().rpartition("\n")[2] or "it says too much")
        told = json.loads(answer)
        return Looked(
            found=RetestFound(told["found"]), said=str(told["said"])[:500], sent=_octets(told["sent"]),
            got=_octets(told["got"]),
        )  # fmt: skip
    except (ValueError, KeyError, TypeError) as why:
        return Looked(found=RetestFound.UNCLEAR, said=f"The program that looks failed: {str(why)[:200]}.")


def _octets(parts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(part, validate=True) for part in parts)
