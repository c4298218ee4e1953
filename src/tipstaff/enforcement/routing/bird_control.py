"""BIRD's control socket, for every driver that talks to a BIRD."""

import re
import socket

from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable

_LAST = re.compile(r"(\d{4}) ")


def configure(control: "Control") -> None:
    """Let BIRD read its configuration anew, as a whole; raise DeviceRefused if it keeps the one it has."""
    for command in ("configure check", "configure"):
        code, lines = control.ask(command)
        if code >= 8000:
            raise DeviceRefused(f"BIRD refuses its configuration: {lines[-1]}")


class Control:
    """BIRD's control socket: a command a line, answers with a number of four digits."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_seconds)

    def __enter__(self) -> "Control":
        try:
            self._socket.connect(self._path)
            self._file = self._socket.makefile("r", encoding="utf-8", errors="replace")
            self._answer()
        except OSError as why:
            self._socket.close()
            raise DeviceUnreachable(f"BIRD does not answer at {self._path}: {why}") from why
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def rows(self, command: str) -> list[str]:
        """The lines of a listing; raise DeviceRefused if BIRD has none to give."""
        code, lines = self.ask(command)
        if code >= 8000:
            raise DeviceRefused(f"BIRD refuses {command!r}: {lines[-1]}")
        return lines

    def ask(self, command: str) -> tuple[int, list[str]]:
        """(number of the last line, all lines without their numbers)."""
        try:
            self._socket.sendall(f"{command}\n".encode())
            return self._answer()
        except OSError as why:
            raise DeviceUnreachable(f"BIRD gave no answer to {command!r}: {why}") from why

    def _answer(self) -> tuple[int, list[str]]:
        lines: list[str] = []
        for line in self._file:
            if line[:1] == " ":  # As nearly all lines of a long listing are.
                lines.append(line[1:].rstrip("\n"))
                continue
            lines.append((line[5:] if line[:4].isdigit() else line[1:]).rstrip("\n"))
            if told := _LAST.match(line):
                return int(told[1]), lines
        raise ConnectionResetError("it closed the connection")
