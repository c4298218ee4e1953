"""Asks a ClamAV daemon of the operator's (clamd), by INSTREAM: it opens no file of ours, and answers in one line."""

import contextlib
import socket
import struct
import time

from tipstaff.intake.files import NotScanned, ScannerAway

_PIECE = 64 * 1024
_ANSWER_MAX = 4096


class Clamd:
    """One daemon, by a socket's path or an address and port."""

    name = "clamd"

    def __init__(self, at: str, *, timeout_seconds: float) -> None:
        self._at, self._timeout_seconds = at, timeout_seconds

    def scan(self, content: bytes) -> tuple[str, ...]:
        until = time.monotonic() + self._timeout_seconds
        try:
            with self._connected() as wire:
                # It may answer, and hang up, before it has heard all: of a file that is larger than it takes.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    wire.sendall(b"zINSTREAM\0")
                    for start in range(0, len(content), _PIECE):
                        piece = content[start : start + _PIECE]
                        wire.settimeout(max(0.001, until - time.monotonic()))
                        wire.sendall(struct.pack(">I", len(piece)) + piece)
                    wire.sendall(struct.pack(">I", 0))
                answer = self._answer(wire, until)
        except TimeoutError:
            raise NotScanned(f"clamd did not come to an end within {self._timeout_seconds:g} seconds.") from None
        except OSError as why:
            raise ScannerAway(f"clamd cannot be asked ({why.strerror or why}).") from why
        return _read(answer)

    def _connected(self) -> socket.socket:
        if self._at.startswith("/"):
            wire = socket.socket(socket.AF_UNIX)
            wire.settimeout(self._timeout_seconds)
            try:
                wire.connect(self._at)
            except BaseException:
                wire.close()
                raise
            return wire
        host, _, port = self._at.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), self._timeout_seconds)

    def _answer(self, wire: socket.socket, until: float) -> str:
        heard = b""
        while b"\0" not in heard and len(heard) < _ANSWER_MAX:
            wire.settimeout(max(0.001, until - time.monotonic()))
            piece = wire.recv(_ANSWER_MAX)
            if not piece:
                break
            heard += piece
        return heard.partition(b"\0")[0].decode("utf-8", "replace").strip()


def _read(answer: str) -> tuple[str, ...]:
    """`stream: OK`, `stream: NAME FOUND`; whatever else it says is no verdict."""
    _, _, said = answer.partition("stream: ")
    if said == "OK":
        return ()
    if said.endswith(" FOUND"):
        return (said.removesuffix(" FOUND")[:200],)
    raise NotScanned(f"clamd said {answer[:200]!r}." if answer else "clamd hung up without an answer.")
