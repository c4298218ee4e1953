"""Starts the processes, keeps them running, and stops them. It knows their commands and nothing of their work."""

import functools
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO

from .dying import die_with_parent

_BACK_OFF_SECONDS = (0.2, 1.0, 3.0, 10.0, 30.0)
_STEADY_SECONDS = 60.0
"""A process that ran this long starts anew with the shortest wait."""


@dataclass(kw_only=True)
class Program:
    """One process to keep running."""

    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0
    rest: bytes = b""


class Supervisor:
    """Runs programs until it is told to stop; each line they print is passed on with their name before it."""

    def __init__(self, programs: Sequence[Program], *, write: Callable[[str, str], None]) -> None:
        self.programs = list(programs)
        self._write = write
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._waker, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._selector.register(self._waker, selectors.EVENT_READ, None)

    def start(self) -> None:
        """Start every program."""
        for program in self.programs:
            self._start(program)

    def stop_soon(self) -> None:
        """Ask `run` to stop; may be called from a signal handler or another thread."""
        self._stopping = True
        os.write(self._wake, b"x")

    def run(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Pass output on and restart what ends, until `stop_soon` is called or `until` says so."""
        while not self._stopping and not until():
            self._turn(0.25)

    def _turn(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                os.read(self._waker, 64)
            else:
                self._read(key.data, key.fileobj)  # type: ignore[arg-type]  # only pipes are registered with data
        now = time.monotonic()
        for program in self.programs:
            if program.process is not None and program.process.poll() is not None and not self._stopping:
                self._ended(program, now)
            if program.process is None and now >= program.due and not self._stopping:
                self._start(program)

    def _start(self, program: Program) -> None:
        program.process = subprocess.Popen(
            program.command,
            env={**os.environ, **program.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the supervisor only, which then stops them in order.
            preexec_fn=functools.partial(die_with_parent, os.getpid(), signal.SIGTERM),
        )
        program.started = time.monotonic()
        assert program.process.stdout is not None, "stdout is a pipe"
        os.set_blocking(program.process.stdout.fileno(), False)
        self._selector.register(program.process.stdout, selectors.EVENT_READ, program)

    def _read(self, program: Program, pipe: IO[bytes]) -> None:
        chunk = pipe.read(65536)
        if not chunk:
            self._selector.unregister(pipe)
            pipe.close()
            return
        *lines, program.rest = (program.rest + chunk).split(b"\n")
        if len(program.rest) > 65536:
            lines, program.rest = [*lines, program.rest], b""
        for line in lines:
            self._write(program.name, line.decode("utf-8", "replace").rstrip())

    def _ended(self, program: Program, now: float) -> None:
        assert program.process is not None, "asked only of a started program"
        code = program.process.returncode
        if now - program.started >= _STEADY_SECONDS:
            program.failures = 0
        wait = _BACK_OFF_SECONDS[min(program.failures, len(_BACK_OFF_SECONDS) - 1)]
        program.failures += 1
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        self._write("tipstaff", f"{program.name} ended {how}; it starts again in {wait:g} s")
        program.process, program.due = None, now + wait

    def stop(self, *, timeout_seconds: float = 15.0) -> None:
        """Stop all programs, the last one started first: SIGTERM, and SIGKILL for what does not go."""
        self._stopping = True
        for program in reversed(self.programs):
            process = program.process
            if process is None:
                continue
            if process.poll() is None:
                process.terminate()
            end = time.monotonic() + timeout_seconds
            while process.poll() is None and time.monotonic() < end:
                self._turn(0.05)
            if process.poll() is None:
                self._write("tipstaff", f"{program.name} does not stop; it is killed")
                process.kill()
                process.wait()
            self._turn(0)
            program.process = None
        self._selector.close()


def run_in_foreground(command: Sequence[str]) -> int:
    """Run one program to its end, our SIGTERM and SIGINT passed on to it; returns its exit code."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, preexec_fn=functools.partial(die_with_parent, os.getpid(), signal.SIGTERM)
    )

    def forward(number: int, frame: object) -> None:
        process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    return process.wait()
