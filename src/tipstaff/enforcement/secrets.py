"""Secrets of devices: they lie in a file or are printed by a command, and are never written in the settings."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tipstaff.enforcement.protocol import BadOption, DeviceUnreachable

SECRET_SECONDS = 10
"""How long a command may take to print a secret."""


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
                found = Path(self._file).read_bytes()
            else:
                done = subprocess.run(
                    self._command, capture_output=True, timeout=SECRET_SECONDS, check=True, stdin=subprocess.DEVNULL
                )
                found = done.stdout
        except (OSError, subprocess.SubprocessError) as why:
            # Not `from why`: what a command printed must not come into a log.
            raise DeviceUnreachable(f"{self._what} cannot be read ({type(why).__name__}).") from None
        if not found.strip():
            raise DeviceUnreachable(f"{self._what} is empty.")
        return found.rstrip(b"\r\n")


def _check_file(file: Path, *, where: str, stem: str) -> None:
    try:
        mode = file.stat().st_mode
    except PermissionError:
        return  # The web process checks the options too, and need not get near the enforcer's secrets.
    except OSError as why:
        raise BadOption(f"{where}: {stem}_file is {file}, but it cannot be read ({why.strerror}).") from why
    if mode & 0o007:
        raise BadOption(f"{where}: everybody can read {file}; run chmod 600 on it.")
