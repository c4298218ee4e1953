"""What drivers share about their options: each is checked at the start, and a secret is never written in them."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tipstaff.enforcement.protocol import BadOption, DeviceUnreachable

SECRET_SECONDS = 10
"""How long a command may take to print a secret."""


def check(
    device: str,
    driver: str,
    options: Mapping[str, object],
    *,
    texts: Sequence[str] = (),
    lists: Sequence[str] = (),
    numbers: Sequence[str] = (),
    others: Sequence[str] = (),
) -> None:
    """Raise BadOption, in a sentence, for an unknown option or a value of another kind. `others` the driver checks.

    No value is said again: somebody may have written a secret where none belongs.
    """
    known = (*texts, *lists, *numbers, *others)
    for name, value in options.items():
        where = f"device {device}: {name}"
        if name not in known:
            raise BadOption(f"{where} is not an option of the {driver} driver; known are {', '.join(sorted(known))}.")
        if name in texts and not (isinstance(value, str) and value):
            raise BadOption(f"{where} takes a text in quotes.")
        if name in lists and not (isinstance(value, list | tuple) and all(isinstance(x, str) and x for x in value)):
            raise BadOption(f'{where} takes a list of texts, for example ["ssh", "edge1"].')
        if name in numbers and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise BadOption(f"{where} takes a whole number from 1 up.")


def texts_of(value: object) -> tuple[str, ...]:
    """A list of texts that was checked; empty for an option that is not set."""
    return tuple(str(x) for x in value) if isinstance(value, list | tuple) else ()


def number_of(value: object, usual: int) -> int:
    return value if isinstance(value, int) else usual


class Secret:
    """A secret that lies in a file, or that a command prints (a vault's client); read when it is needed, never kept.

    Its text appears in no message and no representation.
    """

    def __init__(self, what: str, *, file: str = "", command: Sequence[str] = ()) -> None:
        self._what, self._file, self._command = what, file, tuple(command)

    @classmethod
    def of(cls, where: str, options: Mapping[str, object], *, stem: str) -> "Secret":
        """From `{stem}_file` or `{stem}_command`; raise BadOption unless exactly one of them is set."""
        file, command = options.get(f"{stem}_file"), texts_of(options.get(f"{stem}_command"))
        if bool(file) == bool(command) or not isinstance(file or "", str):
            raise BadOption(f"{where}: one of {stem}_file and {stem}_command says where the {stem} is.")
        if isinstance(file, str):
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
    except OSError as why:
        raise BadOption(f"{where}: {stem}_file is {file}, but it cannot be read ({why.strerror}).") from why
    if mode & 0o007:
        raise BadOption(f"{where}: everybody can read {file}; run chmod 600 on it.")
