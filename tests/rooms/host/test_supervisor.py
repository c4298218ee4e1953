"""The supervisor keeps programs running, passes on what they say, and leaves none behind."""

import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable

from tipstaff.host.supervisor import Program, Supervisor

from .waiting import PATIENCE_SECONDS, expecting_end, read_line, start_python

WAITS = "import signal; print('ready', flush=True); signal.pause()"
SAYS_GOODBYE = """
import signal, sys
def leave(*_):
    print("goodbye", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
signal.pause()
"""
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
SUPERVISES = """
import sys
from tipstaff.host.supervisor import Program, Supervisor
child = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
supervisor = Supervisor(
    [Program(name=name, command=[sys.executable, "-c", child]) for name in ("one", "two")],
    write=lambda name, line: print(line, flush=True),
)
supervisor.start()
supervisor.run()
"""
IN_FOREGROUND = """
import sys
from tipstaff.host.supervisor import run_in_foreground
child = '''
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("ready", flush=True)
signal.pause()
'''
sys.exit(run_in_foreground([sys.executable, "-c", child]))
"""

Lines = list[tuple[str, str]]


def program(name: str, code: str) -> Program:
    return Program(name=name, command=[sys.executable, "-c", code])


def supervise(*programs: Program) -> tuple[Supervisor, Lines]:
    lines: Lines = []
    return Supervisor(programs, write=lambda name, line: lines.append((name, line))), lines


def run_until(supervisor: Supervisor, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    supervisor.run(until=lambda: holds() or time.monotonic() > end)
    assert holds(), f"it did not come true in {PATIENCE_SECONDS:g} s"


def test_each_line_comes_with_the_name_of_who_said_it() -> None:
    supervisor, lines = supervise(
        program("one", "print('first'); print('second', flush=True); import signal; signal.pause()"),
        program("two", "import sys; print('trouble', file=sys.stderr, flush=True); import signal; signal.pause()"),
    )
    supervisor.start()
    try:
        run_until(supervisor, lambda: len(lines) >= 3)
    finally:
        supervisor.stop()
    assert [line for name, line in lines if name == "one"] == ["first", "second"]
    assert [line for name, line in lines if name == "two"] == ["trouble"]


def test_a_program_that_ends_is_started_again_each_time_a_little_later() -> None:
    supervisor, lines = supervise(program("one", "import os, sys; print(os.getpid(), flush=True); sys.exit(3)"))
    supervisor.start()
    try:
        run_until(supervisor, lambda: len({line for name, line in lines if name == "one"}) >= 3)
    finally:
        supervisor.stop()
    ends = [line for name, line in lines if name == "tipstaff"]
    assert ends[:2] == [
        "one ended with exit code 3; it starts again in 0.2 s",
        "one ended with exit code 3; it starts again in 1 s",
    ]


def test_a_program_that_is_killed_is_started_again_and_the_others_go_on() -> None:
    supervisor, lines = supervise(program("one", WAITS), program("two", WAITS))
    supervisor.start()
    one, two = supervisor.programs
    try:
        run_until(supervisor, lambda: len(lines) == 2)
        assert one.process is not None
        assert two.process is not None
        beside = two.process.pid
        one.process.kill()
        run_until(supervisor, lambda: lines.count(("one", "ready")) == 2)
        assert two.process.pid == beside
    finally:
        supervisor.stop()
    assert ("tipstaff", "one ended by SIGKILL; it starts again in 0.2 s") in lines


def test_stopping_goes_from_the_last_started_to_the_first() -> None:
    supervisor, lines = supervise(*(program(name, SAYS_GOODBYE) for name in ("database", "worker", "web")))
    supervisor.start()
    try:
        run_until(supervisor, lambda: len(lines) == 3)
    finally:
        supervisor.stop()
    assert [name for name, line in lines if line == "goodbye"] == ["web", "worker", "database"]
    assert not any(name == "tipstaff" for name, _ in lines), "nobody was killed, nobody was started again"


def test_what_does_not_go_by_sigterm_is_killed() -> None:
    supervisor, lines = supervise(program("one", STUBBORN))
    supervisor.start()
    run_until(supervisor, lambda: lines == [("one", "ready")])
    process = supervisor.programs[0].process
    assert process is not None
    supervisor.stop(timeout_seconds=0.3)
    assert process.returncode == -signal.SIGKILL
    assert lines[-1] == ("tipstaff", "one does not stop; it is killed")


def test_another_thread_may_ask_it_to_stop_while_nothing_happens() -> None:
    supervisor, lines = supervise(program("one", WAITS))
    supervisor.start()
    try:
        run_until(supervisor, lambda: lines == [("one", "ready")])
        asks = threading.Timer(0.05, supervisor.stop_soon)
        asks.start()
        supervisor.run()
        asks.join()
    finally:
        supervisor.stop()


def test_its_programs_end_when_it_is_killed() -> None:
    supervisor = start_python(SUPERVISES)
    children = [int(read_line(supervisor.stdout)) for _ in range(2)]
    with expecting_end(children):
        os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait()


def test_a_line_without_an_end_and_octets_that_are_no_text_are_passed_on_bounded() -> None:
    supervisor, lines = supervise(
        program(
            "one",
            "import sys, signal; out = sys.stdout.buffer; out.write(b'x' * 300_000);"
            "out.write(b'\\n\\xff\\xfe end\\n'); out.flush(); signal.pause()",
        )
    )
    supervisor.start()
    try:
        run_until(supervisor, lambda: bool(lines) and lines[-1][1].endswith(" end"))
    finally:
        supervisor.stop()
    assert sum(len(line) for _, line in lines[:-1]) == 300_000
    assert max(len(line) for _, line in lines) <= 2 * 65536
    assert re.fullmatch("��? end", lines[-1][1])


def test_in_the_foreground_a_signal_is_passed_on_and_the_exit_code_comes_back() -> None:
    outer = start_python(IN_FOREGROUND)
    assert read_line(outer.stdout) == "ready"
    outer.terminate()
    assert outer.wait(PATIENCE_SECONDS) == 7


def test_what_runs_in_the_foreground_ends_when_its_parent_is_killed() -> None:
    outer = start_python(IN_FOREGROUND.replace('print("ready"', "import os; print(os.getpid()"))
    child = int(read_line(outer.stdout))
    with expecting_end([child]):
        outer.kill()
    outer.wait()
