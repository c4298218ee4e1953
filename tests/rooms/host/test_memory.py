"""What is freed is given back to the system, in whatever order."""

import platform

import pytest

from .waiting import read_line, start_python

HOLES = """
import sys
from tipstaff.host.memory import give_large_pieces_back

def resident_mib():
    status = open("/proc/self/status").read()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024

if sys.argv[1] == "given":
    assert give_large_pieces_back()
b"x" * (24 * 2**20)  # Freed at once: from here on glibc takes pieces of this size out of its heap.
before = resident_mib()
pieces = [bytes([1]) * (8 * 2**20) for _ in range(16)]
last = pieces.pop()
pieces.clear()
print(resident_mib() - before, flush=True)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is freed in this way")
def test_large_pieces_are_given_back_though_one_taken_after_them_is_still_held() -> None:
    kept, given = (int(read_line(start_python(HOLES, way).stdout)) for way in ("kept", "given"))
    assert kept > 100, "without it, the pieces below the last one stay"
    assert given < 16, "the last piece alone is held"
