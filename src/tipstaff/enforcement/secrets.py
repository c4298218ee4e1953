"""Secrets of devices: they lie in a file or are printed by a command, and are never written in the settings."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tipstaff.enforcement.protocol import BadOption, DeviceUnreachable

SECRET_SECONDS = 10
"""How long a command may take to print a secret."""
SECRET_OCTETS_MAX = 65_536
"""Longer is no secret, but a mistake in the settings."""


class Secret:
    """A secret that lies in a file, or that a command prints (a vault's client); read when it is needed, never kept.

    Its text appears in no message and no representation.
    """

    def __init__(self, what: str, *, file: str = "", command: Sequence[str] = ()) -> None:
        self._what, self._file, self._command = what, file, tuple(command)

    @classmethod
    def of(cls, where: str, options: Mapping[str, object], *, stem: str) -> "Secret":
        """From `{stem}_file` or `{stem}_command`; raise BadOption unless exactly one of them is set."""
        file, given = options.get(f"{stem}_file"), options.get(f"{stem}_command")
        command = tuple(str(x) for x in given) if isinstance(given, list | tuple) else ()
        if bool(file) == bool(command) or not isinstance(file or "", str):
            raise BadOption(f"{where}: one of {stem}_file and {stem}_command says where the {stem} is.")
        if file and isinstance(file, str):
            _check_file(Path(file), where=where, stem=stem)
        return cls(f"{where}: the {stem}", file=str(file or ""), command=command)

    def read(self) -> bytes:
        """The secret without the line's end; raise DeviceUnreachable if it cannot be had now."""
        try:
            if self._file:
                with open(self._file, "rb") as file:
                    found = file.read(SECRET_OCTETS_MAX + 1)
            else:
                found = self._printed()
        except OSError as why:
            where = f": {self._command[0]} cannot be run" if self._command else ""
            # Not `from why`, here and below: what a command printed must not come into a log.
            raise DeviceUnreachable(f"{self._what} cannot be read{where} ({why.strerror}).") from None
        if len(found) > SECRET_OCTETS_MAX:
            raise DeviceUnreachable(f"{self._what} is longer than {SECRET_OCTETS_MAX} octets: that is none.")
        if not found.strip():
            raise DeviceUnreachable(f"{self._what} is empty.")
        return found.rstrip(b"\r\n")

    def _printed(self) -> bytes:
        """What the command prints; what it says beside, on its other output, is nobody's to keep."""
        until = time.monotonic() + SECRET_SECONDS
        with subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as run:  # fmt: skip
            try:
                found = _read(run, until=until)
                if len(found) > SECRET_OCTETS_MAX:
                    os.killpg(run.pid, signal.SIGKILL)
                elif run.wait(timeout=max(0.0, until - time.monotonic())):
                    raise DeviceUnreachable(f"{self._what} cannot be read: its command ended with {run.returncode}.")
            except subprocess.TimeoutExpired:
                # A vault's client may be a script: what it started goes with it.
                os.killpg(run.pid, signal.SIGKILL)
                why = f"its command did not end in {SECRET_SECONDS} s"
                raise DeviceUnreachable(f"{self._what} cannot be read: {why}.") from None
        return found


def _read(run: "subprocess.Popen[bytes]", *, until: float) -> bytes:
    """All that it prints, or a little more than is taken; raise TimeoutExpired if it has not ended by then."""
    assert run.stdout is not None, "it was asked for"
    found = b""
    while len(found) <= SECRET_OCTETS_MAX:
        if not select.select([run.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
            raise subprocess.TimeoutExpired("", SECRET_SECONDS)
        part = os.read(run.stdout.fileno(), SECRET_OCTETS_MAX)
        if not part:
            break
        found += part
    return found


def _check_file(file: Path, *, where: str, stem: str) -> None:
    try:
        mode = file.stat().st_mode
    except PermissionError:
        return  # The web process checks the options too, and need not get near the enforcer's secrets.
    except OSError as why:
        raise BadOption(f"{where}: {stem}_file is {file}, but it cannot be read ({why.strerror}).") from why
    if mode & 0o007:
        raise BadOption(f"{where}: everybody can read {file}; run chmod 600 on it.")
