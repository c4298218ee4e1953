"""Waiting for other processes in tests, each wait with an end."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

PATIENCE_SECONDS = 60.0


def start_python(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A Python program of its own, whose words come through a pipe."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )


def read_line(pipe: IO[str] | None) -> str:
    """The next line of a program; fail when none comes in time.

    Read an octet at a time, past the pipe's own buffer: a buffer would take two lines that come together, and the wait
    for the second would then be one for a third.
    """
    assert pipe is not None
    end, line = time.monotonic() + PATIENCE_SECONDS, b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"no line came within {PATIENCE_SECONDS:g} s"
        octet = os.read(pipe.fileno(), 1)
        assert octet, "the program ended without a word"
        line += octet
    return line.decode().strip()


@contextmanager
def expecting_end(pids: Sequence[int]) -> Iterator[None]:
    """What the body does must end all these processes, which need not be our children (pidfd_open(2))."""
    descriptors = [os.pidfd_open(pid) for pid in pids]
    try:
        yield
        for pid, descriptor in zip(pids, descriptors, strict=True):
            ended, _, _ = select.select([descriptor], [], [], PATIENCE_SECONDS)
            assert ended, f"process {pid} still runs"
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
