"""A mail server on loopback that keeps what it is sent: for tests, and where the demo's letters go.

    with Mailbox() as box:
        box.answer_next(Trouble(at="DOT", reply="451 4.3.0 Come back later"))
        ...
        mails = box.wait_for(2)

It is a real listener speaking SMTP over TCP, so that what passes here passes at a real server. Troubles are played in
the order in which they were asked for, one a command.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, Envelope, Session

Command = Literal["MAIL", "RCPT", "DOT"]
WAIT_SECONDS = 30.0


class NotInTime(TimeoutError):
    """What was waited for did not come in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What the server does instead of taking the next mail's command, once."""

    at: Command
    reply: str = "451 4.3.0 Come back later"
    """The answer, unless the line is dropped."""
    drop: bool = False
    """Drop the line without an answer."""
    stall: bool = False
    """Answer nothing until `release()`; then go on as if nothing had been."""
    keep: bool = False
    """At the dot: keep the mail all the same, as a server does whose answer is lost."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it came."""

    sender: str
    """The reverse-path; empty for an answer that nothing may answer."""
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = BytesParser(policy=default).parsebytes(self.raw)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def text(self) -> str:
        """The plain text, decoded, with plain line ends."""
        part = self.message.get_body(("plain",))
        return part.get_content().replace("\r\n", "\n") if part is not None else ""

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")


class Mailbox:
    """A mail server on loopback in a thread of its own."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, folder: Path | None = None) -> None:
        """`folder` gets every mail as a file `000001.eml` besides, and its text to read and copy as `000001.txt`."""
        self.host = host
        self.port = port
        self._folder = folder
        self._mails: list[Mail] = []
        self._troubles: list[Trouble] = []
        self._stalled = 0
        self._changed = threading.Condition()
        self._released = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="mailbox", daemon=True)
        self._listening = threading.Event()
        self._failure: OSError | None = None

    def __enter__(self) -> "Mailbox":
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, why: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; `port` is the real one afterwards."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        self._listening.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Stop listening and drop all lines."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def answer_next(self, *troubles: Trouble) -> None:
        """Play these troubles, each once, when its command comes."""
        with self._changed:
            self._troubles.extend(troubles)

    def release(self) -> None:
        """Let whoever is stalled go on."""
        self._loop.call_soon_threadsafe(self._released.set)

    @property
    def mails(self) -> tuple[Mail, ...]:
        """Everything taken so far."""
        with self._changed:
            return tuple(self._mails)

    def wait_for(
        self, wanted: int | Callable[[tuple[Mail, ...]], bool], *, timeout_seconds: float = WAIT_SECONDS
    ) -> tuple[Mail, ...]:
        """Return all mails as soon as there are so many, or as soon as `wanted(mails)` holds; else raise NotInTime."""

        def holds() -> bool:
            mails = tuple(self._mails)
            return len(mails) >= wanted if isinstance(wanted, int) else wanted(mails)

        with self._changed:
            if not self._changed.wait_for(holds, timeout_seconds):
                raise NotInTime(f"{len(self._mails)} mails came")
            return tuple(self._mails)

    def wait_until_stalled(self, count: int = 1, *, timeout_seconds: float = WAIT_SECONDS) -> None:
        """Return once so many clients have been stalled since the beginning."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._stalled >= count, timeout_seconds):
                raise NotInTime("nobody is stalled")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(self._loop.create_server(self._new_session, self.host, self.port))
        except OSError as why:
            self._failure = why
            self._listening.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        waiting = asyncio.all_tasks(self._loop)
        for task in waiting:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _new_session(self) -> SMTP:
        return SMTP(_Taker(self), hostname="mailbox.example.net", enable_SMTPUTF8=False, loop=self._loop)

    def _next_trouble(self, command: Command) -> Trouble | None:
        with self._changed:
            if self._troubles and self._troubles[0].at == command:
                return self._troubles.pop(0)
        return None

    async def _trouble(self, command: Command, server: SMTP, mail: Mail | None) -> str | None:
        trouble = self._next_trouble(command)
        if trouble is None:
            return None
        if trouble.keep and mail is not None:
            self._keep(mail)
        if trouble.stall:
            self._released.clear()
            with self._changed:
                self._stalled += 1
                self._changed.notify_all()
            await self._released.wait()
            return "250 OK" if trouble.keep else None
        if trouble.drop:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return trouble.reply

    def _keep(self, mail: Mail) -> None:
        with self._changed:
            self._mails.append(mail)
            if self._folder is not None:
                name = self._folder / f"{len(self._mails):06d}"
                name.with_suffix(".eml").write_bytes(mail.raw)
                head = f"To: {', '.join(mail.recipients)}\nSubject: {mail.subject}\n"
                name.with_suffix(".txt").write_text(f"{head}\n{mail.text}", encoding="utf-8")
            self._changed.notify_all()


class _Taker:
    """aiosmtpd's side: what to answer to each command."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box

    async def handle_MAIL(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._box._trouble("MAIL", server, None)
        if answer is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return answer or "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = await self._box._trouble("RCPT", server, None)
        if answer is None:
            envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        content: Any = envelope.content
        mail = Mail((envelope.mail_from or "").strip("<>"), tuple(envelope.rcpt_tos), bytes(content))
        answer = await self._box._trouble("DOT", server, mail)
        if answer is None:
            self._box._keep(mail)
        return answer or "250 OK: queued"
