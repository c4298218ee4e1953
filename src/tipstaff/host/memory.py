"""How a process asks for memory: what is freed is given back, and garbage is not looked for all the time."""

import ctypes
import gc
from typing import Final

_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE_OCTETS: Final = 256 * 1024
_ARENAS: Final = 2


def give_large_pieces_back() -> bool:
    """Have each large piece of memory mapped on its own, and unmapped when it is freed (mallopt(3)).

    Left to itself glibc raises the size from which it does so, up to 32 MiB, each time a large piece is freed. Mails
    of many megabytes then lie in arenas of threads with holes between them, and a process that has read eight of
    them at once stays at a size that depends on the order in which its threads came to run.

    Returns False where the C library has no `mallopt`, or takes no such setting: nothing is changed there.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE_OCTETS)) and bool(mallopt(_M_ARENA_MAX, _ARENAS))


def collect_rarely() -> None:
    """Look for garbage in cycles only after 300,000 new objects, not after 700.

    A plan of 100,000 measures, or a report of 10,000 rows, is made of more, none of them garbage: looking at them
    again and again takes half as long as the plan itself, and a seventh of what the rows take.
    """
    gc.set_threshold(300_000, 20, 20)
