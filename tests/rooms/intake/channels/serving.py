"""What the tests of the mail channel share: a taker of mails that can be made to wait or fail, and bare sockets.

Run as a program it is a mail server of its own, which keeps each mail in the folder it is given, synced to disk.
"""

import hashlib
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tipstaff.intake.channels.mail_server import Limits, MailServer
from tipstaff.words import Channel

HOST = "127.0.0.1"
PATIENCE_SECONDS = 60.0
"""How long a test waits for what must happen; nothing waits this long that works."""


@dataclass
class Mail:
    raw: bytes
    sender: str
    recipients: tuple[str, ...]
    channel: Channel


@dataclass
class Desk:
    """Takes mails. `ready` is cleared to make it wait; `began` is released once for each mail that it takes up."""

    mails: list[Mail] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    began: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    trouble: Exception | None = None

    def __post_init__(self) -> None:
        self.ready.set()

    def accept(self, raw: bytes, sender: str, recipients: tuple[str, ...], channel: Channel, *, peer: str = "") -> str:
        self.began.release()
        assert self.ready.wait(PATIENCE_SECONDS)
        if self.trouble is not None:
            raise self.trouble
        self.mails.append(Mail(raw, sender, recipients, channel))
        return f"R-{len(self.mails):06d}"


@contextmanager
def serving(desk: Desk, *, limits: Limits | None = None, **more: object) -> Iterator[tuple[int, int]]:
    """A server for `desk`; gives its SMTP and LMTP ports."""
    server = MailServer(HOST, 0, 0, accept=desk.accept, hostname="mx.example.net", limits=limits, **more)  # type: ignore[arg-type]  # test's
    server.start()
    try:
        ports = server.ports
        yield ports[Channel.SMTP], ports[Channel.LMTP]
    finally:
        desk.ready.set()
        server.stop()


class Line:
    """A bare connection: what is sent is what was written here."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=PATIENCE_SECONDS)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def reply(self) -> str:
        """The next reply, all of its lines; empty when the server closed."""
        lines = []
        while line := self._next_line():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] != "-":
                break
        return "\n".join(lines)

    def _next_line(self) -> str:
        try:
            return self._file.readline().decode()
        except ConnectionResetError:
            return ""

    def say(self, command: str) -> str:
        self.send(command.encode() + b"\r\n")
        return self.reply()

    def begin(self, *, greeting: str = "EHLO", recipients: tuple[str, ...] = ("abuse@example.net",)) -> None:
        """Up to the server's 354."""
        assert self.reply().startswith("220 ")
        assert self.say(f"{greeting} client.example.org").startswith("250")
        self.envelope(recipients=recipients)

    def envelope(self, *, recipients: tuple[str, ...] = ("abuse@example.net",)) -> None:
        assert self.say("MAIL FROM:<desk@example.org>").startswith("250")
        for recipient in recipients:
            assert self.say(f"RCPT TO:<{recipient}>").startswith("250")
        assert self.say("DATA").startswith("354")


def keep_in_folder(folder: Path) -> None:
    """Serve until a line comes on standard input: `rss` is answered with the most memory ever held, in octets."""

    def accept(raw: bytes, sender: str, recipients: tuple[str, ...], channel: Channel, *, peer: str = "") -> str:
        name = hashlib.sha256(raw).hexdigest()
        with open(folder / f"{name}.new", "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.rename(folder / f"{name}.new", folder / name)
        return name

    server = MailServer(HOST, 0, 0, accept=accept, hostname="mx.example.net")
    server.start()
    print(server.ports[Channel.SMTP], server.ports[Channel.LMTP], flush=True)
    for line in sys.stdin:
        if line.strip() != "rss":
            break
        print(most_memory_octets(), flush=True)
    server.stop()


def most_memory_octets() -> int:
    """The most that this process ever held. Not getrusage's word for it, which counts what it was forked from."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


if __name__ == "__main__":
    keep_in_folder(Path(sys.argv[1]))
