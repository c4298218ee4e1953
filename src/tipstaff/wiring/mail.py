"""The way out for letters, and the names of the threads that carry them."""

import logging
import os
import re
import threading
import uuid
from datetime import datetime, timedelta
from functools import partial

from tipstaff import wiring
from tipstaff.notices.posting import Sender
from tipstaff.notices.posting import post_next as carry_next
from tipstaff.procedures import posting
from tipstaff.words import Letter, LetterState

log = logging.getLogger("tipstaff")

TOLD_AGAIN_AFTER = timedelta(minutes=10)
_told_at: dict[str, datetime] = {}
"""When this process last said that a mail server takes nothing."""

_LIFE = uuid.uuid4().hex[:8]
"""Never the same twice: a process that got a dead one's number is not taken for it."""


def worker_name() -> str:
    """This thread of this process, once and for ever."""
    return f"worker-{os.getpid()}-{_start_of(os.getpid())}-{_LIFE}-{threading.get_ident()}"


_carrying: set[str] = set()
"""The threads of this process that have a letter in hand, or are about to take one."""


def is_left_behind(name: str) -> bool:
    """Whether this name was given to a thread of this very process that carries nothing any more."""
    return name.split("-")[3:4] == [_LIFE] and name not in _carrying


def is_alive(name: str) -> bool:
    """Whether the process that this name was given to still runs: same number, same start."""
    parts = name.split("-")
    if len(parts) < 4 or not parts[1].isdigit():
        return False
    if int(parts[1]) == os.getpid():
        return parts[3] == _LIFE
    return _start_of(int(parts[1])) == parts[2]


def _start_of(pid: int) -> str:
    """The process's start in clock ticks since boot (proc(5), field 22); empty when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def post_next() -> Letter | None:
    """Carry the next letter that is due."""
    own, server, worker = wiring.settings(), wiring.mail_server(), worker_name()
    _carrying.add(worker)
    try:
        letter = carry_next(
            server,
            worker=worker,
            now=wiring.now,
            link=wiring.case_link,
            log_in_link=wiring.log_in_link,
            report_link=wiring.report_link,
            keys_of=posting.keys_of,
            first=posting.hold_case_of,
            on_sent=partial(posting.start_clock_of, desk=wiring.desk()),
            sender_name=f"{own.operator.name} abuse desk",
            of_brand=_sender,
        )
    finally:
        _carrying.discard(worker)
    if letter is not None and letter.state is LetterState.QUEUED:
        _tell_of_trouble(f"{server.host}:{server.port}", letter)
    return letter


def _sender(brand: str) -> Sender | None:
    found = wiring.brands().get(brand)
    if found is None:
        return None
    return Sender(
        address=found.address or wiring.settings().from_address, name=f"{found.shown_as or found.name} abuse desk",
        on_its_host=partial(wiring.on_host_of, found),
    )  # fmt: skip


def settle_left_behind() -> None:
    """Settle what threads of this process let go of by an error: another thread may run every later job."""
    for key in posting.recover(at=wiring.now(), is_alive=lambda name: not is_left_behind(name)):
        log.warning("letter %s was let go of while it was handed over; see its state", key)


def _tell_of_trouble(server: str, letter: Letter) -> None:
    """One line, not one a letter: while a mail server is away, every letter fails alike. A server's own words may name
    whom we write to; they stand on the letter, and only its codes in the log."""
    at = wiring.now()
    told = _told_at.get(server)
    if told is None or not timedelta() <= at - told < TOLD_AGAIN_AFTER:
        _told_at[server] = at
        log.warning(
            "the mail server %s did not take letter %s (%s); letters that wait are tried again by themselves",
            server, letter.key, _codes_of(letter.detail),
        )  # fmt: skip


_REPLY = re.compile(r"(-?\d+(?: [245]\.\d{1,3}\.\d{1,3})?)(?:\s.*)?", re.DOTALL)
"""A mail server's reply: its code (RFC 5321, 4.2), the enhanced one if it has one (RFC 2034), and its words."""


def _codes_of(detail: str) -> str:
    """The codes of a server's reply; what is none are our own words, or the operating system's."""
    reply = _REPLY.fullmatch(detail)
    return reply[1] if reply is not None else detail
