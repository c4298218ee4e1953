"""Looks through a file by the operator's own YARA rules (YARA-X), in a process with bounded memory and time."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from tipstaff.intake.files import NotScanned, ScannerAway

_CHILD = Path(__file__).parent / "yara_child.py"
_START_SECONDS = 10
"""What compiling the rules may take besides."""


class Yara:
    """Rules of one file, or of every `*.yar` of a folder."""

    name = "yara"

    def __init__(self, rules: Path, *, timeout_seconds: float) -> None:
        self._rules, self._timeout_seconds = rules, timeout_seconds

    def scan(self, content: bytes) -> tuple[str, ...]:
        if importlib.util.find_spec("yara_x") is None:
            raise ScannerAway("yara-x is not installed.")
        rules = [self._rules] if self._rules.is_file() else sorted(self._rules.glob("*.yar"))
        if not rules:
            raise ScannerAway(f"There are no rules at {self._rules}.")
        command = [sys.executable, "-I", str(_CHILD), str(max(1, int(self._timeout_seconds))), *map(str, rules)]
        try:
            done = subprocess.run(
                command, input=content, capture_output=True, timeout=self._timeout_seconds + _START_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise NotScanned(f"yara did not come to an end within {self._timeout_seconds:g} seconds.") from None
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise NotScanned(f"yara failed: {said[-1][:200] if said else f'it ended with {done.returncode}'}.")
        return tuple(str(name) for name in json.loads(done.stdout))
