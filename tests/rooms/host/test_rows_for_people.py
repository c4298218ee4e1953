"""Tables of the command line: side by side in a wide window, one under the other elsewhere, never cut off."""

import pty
import subprocess
import sys

SCRIPT = """
from tipstaff.cli.tables import print_rows
rows = [("08:00", "report.opened", "w" * 300, ""), ("08:01", "x", "", "last")]
print_rows(("when", "what", "why", ""), rows, head=2)
"""


def test_into_a_pipe_no_line_is_broken_by_a_width() -> None:
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["08:00  report.opened", "    why: " + "w" * 300, "08:01  x", "    last"]


def test_a_wide_window_shows_columns() -> None:
    ours, theirs = pty.openpty()
    with open(ours, "rb", buffering=0) as screen:
        environment = {"COLUMNS": "160", "PATH": "/usr/bin", "TERM": "xterm"}
        process = subprocess.run([sys.executable, "-c", SCRIPT], stdout=theirs, env=environment, check=True)
        assert process.returncode == 0
        said = screen.read(4096).decode()
    assert [word in said.splitlines()[0] for word in ("when", "what", "why")] == [True, True, True]
