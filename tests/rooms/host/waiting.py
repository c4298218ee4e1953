"""Waiting for other processes in tests, each wait with an end."""

import os
import select
import subprocess
import sys
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
    """The next line of a program that has said nothing more yet; fail when none comes in time."""
    assert pipe is not None
    ready, _, _ = select.select([pipe], [], [], PATIENCE_SECONDS)
    assert ready, f"no line came within {PATIENCE_SECONDS:g} s"
    line = pipe.readline()
    assert line, "the program ended without a word"
    return line.strip()


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
