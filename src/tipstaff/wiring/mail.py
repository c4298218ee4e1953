"""The way out for letters, and the names of the threads that carry them."""

import os
import threading
import uuid
from functools import partial

from tipstaff import wiring
from tipstaff.notices.posting import post_next as carry_next
from tipstaff.procedures import posting
from tipstaff.words import Letter

_LIFE = uuid.uuid4().hex[:8]
"""Never the same twice: a process that got a dead one's number is not taken for it."""


def worker_name() -> str:
    """This thread of this process, once and for ever."""
    return f"worker-{os.getpid()}-{_start_of(os.getpid())}-{_LIFE}-{threading.get_ident()}"


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
    own = wiring.settings()
    return carry_next(
        wiring.mail_server(),
        worker=worker_name(),
        now=wiring.now,
        link=wiring.portal_link,
        first=posting.hold_case_of,
        on_sent=partial(posting.start_clock_of, desk=wiring.desk()),
        sender_name=f"{own.operator.name} abuse desk",
    )
