"""Takes mail by SMTP and LMTP and says 250 only when `accept` has it on record; it relays nothing and reads nothing.

Whatever happens before that 250 (a crash, a full disk, a full memory budget), the sender still has the mail and
sends it again. Whatever happens after it, the mail is on record.
"""

# ruff: noqa: N802, N815 - aiosmtpd finds commands and hooks by their names.

import asyncio
import collections
import io
import ipaddress
import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, NoReturn

from aiosmtpd.smtp import SMTP, Envelope

from tipstaff.host.faults import described, one_line
from tipstaff.words import Channel

from ..weight import is_heavy
from .budget import Budget, Share
from .dots import Undotter
from .fair import FairPool, Pace
from .protocol import Accept, Refused, TryAgain

log = logging.getLogger(__name__)

MIB: Final = 2**20
_PIECE = 4 * MIB
"""More than a connection's buffer ever holds, so that one read takes all of it."""
_UNDECLARED = 64 * 1024
"""Octets that a mail of undeclared size takes of the memory before the first of them came."""
_GOODBYE_SECONDS = 10.0
"""For a goodbye to be read."""
_COMMANDS_MAX = {"*": 10_000, "NOOP": 100, "VRFY": 20, "HELO": 20, "EHLO": 20, "LHLO": 20}
"""How often one connection may send a command."""
_PATH = re.compile(r"<(?:@[^:<>]*:)?((?:\"(?:[^\"\\]|\\.)*\"|[^<>\"\s\x00-\x1f\x7f])*)>\s*(.*)", re.DOTALL)
"""An address in angle brackets with its parameters, and a source route that is ignored (RFC 5321, 4.1.2 and F.2).

More liberal than the grammar: some networks' own customers have addresses such as `a..b.@example.net`, and a
complaint is not refused for how its sender is spelled.
"""


class CannotListen(OSError):
    """The mail server cannot listen there; another program has the port, or it needs a right that this one lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the server bears. A mail beyond a limit is answered, never dropped."""

    mail_octets: int = 50 * MIB
    memory_octets: int = 128 * MIB
    """Mails in memory at once, received and being put on record; beyond it new ones are asked to wait (452)."""
    connections: int = 200
    connections_per_source: int = 32
    recipients: int = 100
    """Per mail; RFC 5321 (4.5.3.1.8) wants at least 100."""
    accepting: int = 4
    """Mails put on record at the same time, beside one heavy one; each source's wait in a queue of their own."""
    mails_a_minute: int = 0
    """From one source by SMTP; 0 is any number. This machine itself is not counted unless `count_local` says so."""
    count_local: bool = False
    idle_seconds: float = 300.0
    """Without a command; RFC 5321 (4.5.3.2.7) wants at least five minutes."""
    data_idle_seconds: float = 180.0
    """Without an octet of a mail."""
    data_seconds: float = 900.0
    """For the whole of a mail, so that a slow sender cannot keep its share of the memory for ever."""
    stop_seconds: float = 30.0
    """For mails that are being put on record when the server stops."""

    def __post_init__(self) -> None:
        if self.memory_octets < self.mail_octets:
            raise ValueError("the memory for mails must hold at least one of the largest size")


@dataclass(slots=True)
class _Shared:
    """What all connections of one server share."""

    accept: Accept
    limits: Limits
    budget: Budget
    light: FairPool
    heavy: FairPool
    """Of one thread: a heavy mail takes several times its size, and no light one waits behind it."""
    pace: Pace
    tls: ssl.SSLContext | None
    is_local: Callable[[str], bool]
    connections: set["_Conversation"] = field(default_factory=set)
    per_source: collections.Counter[str] = field(default_factory=collections.Counter)
    stopping: bool = False


class MailServer:
    """An SMTP and an LMTP listener in a thread of their own. A port below 0 is not opened; 0 is any free one.

    LMTP counts no mails of a source and has no TLS: unless `lmtp_host` says otherwise it is for this machine alone.
    `local_recipients` are `name@domain`, `name@*` or `@domain`; a mail to anybody else is refused. `max_bytes`,
    `memory_bytes` and `max_connections` are what an operator is most likely to set; they take the place of `limits`.
    `accept` is called in threads of the server; one that keeps connections to a database keeps one for each.
    """

    def __init__(
        self,
        host: str,
        smtp_port: int,
        lmtp_port: int,
        *,
        lmtp_host: str = "127.0.0.1",
        accept: Accept,
        hostname: str,
        max_bytes: int | None = None,
        memory_bytes: int | None = None,
        max_connections: int | None = None,
        local_recipients: Iterable[str] = ("abuse@*",),
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._hosts = {Channel.SMTP: host, Channel.LMTP: lmtp_host}
        self._tls = tls
        self._wanted = {Channel.SMTP: smtp_port, Channel.LMTP: lmtp_port}
        self._accept = accept
        self._hostname = hostname
        self._limits = _limits(limits or Limits(), octets=max_bytes, memory=memory_bytes, connections=max_connections)
        self._is_local = recipients_rule(local_recipients)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._listeners: list[asyncio.Server] = []
        self._shared: _Shared | None = None
        self._ports: dict[Channel, int] = {}
        self._tried = host
        """Where it listens last, for the sentence of what fails."""

    @property
    def smtp_port(self) -> int | None:
        """The port that takes SMTP, once started; None where none does."""
        return self._ports.get(Channel.SMTP)

    @property
    def lmtp_port(self) -> int | None:
        """The port that takes LMTP, once started; None where none does."""
        return self._ports.get(Channel.LMTP)

    @property
    def ports(self) -> dict[Channel, int]:
        """The ports listened on."""
        return dict(self._ports)

    def start(self) -> None:
        """Listen; returns when both ports are open. Raises CannotListen."""
        assert self._thread is None, "the mail server runs already"
        limits = self._limits
        self._shared = _Shared(
            accept=self._accept,
            limits=limits,
            budget=Budget(limits.memory_octets),
            light=FairPool(limits.accepting, name="accept-mail"),
            heavy=FairPool(1, name="accept-heavy-mail"),
            pace=Pace(limits.mails_a_minute),
            tls=self._tls,
            is_local=self._is_local,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mail-server", daemon=True)
        self._thread.start()
        try:
            self._run(self._listen(self._shared))
        except OSError as why:
            self.stop()
            raise CannotListen(f"{self._tried}: {why.strerror or why}") from why

    def stop(self) -> None:
        """Stop listening, let mails be put on record that came whole, say 421 to all others. May be called twice."""
        if self._thread is None or self._loop is None or self._shared is None:
            return
        self._run(self._close(self._shared))
        self._shared.light.shutdown()
        self._shared.heavy.shutdown()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = self._shared = None
        self._listeners = []
        self._ports = {}

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _listen(self, shared: _Shared) -> None:
        loop = asyncio.get_running_loop()
        for channel, port in self._wanted.items():
            if port < 0:
                continue
            kind = _CONVERSATIONS[channel]
            self._tried = self._hosts[channel]
            listener = await loop.create_server(
                partial(kind, shared, hostname=self._hostname, loop=loop),
                self._hosts[channel],
                port,
                backlog=128,
            )
            self._listeners.append(listener)
            self._ports[channel] = listener.sockets[0].getsockname()[1]
            log.info("Listening for %s on %s port %d.", channel.upper(), self._hosts[channel], self._ports[channel])

    async def _close(self, shared: _Shared) -> None:
        shared.stopping = True
        for listener in self._listeners:
            listener.close()
        talks = [conversation.end() for conversation in list(shared.connections)]
        if talks:
            _, unfinished = await asyncio.wait(talks, timeout=self._limits.stop_seconds)
            for conversation in list(shared.connections):
                conversation.cut()
            if unfinished:
                await asyncio.wait(unfinished)
        for listener in self._listeners:
            await listener.wait_closed()


def recipients_rule(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether an address matches one of `name@domain`, `name@*`, `@domain`. What follows a "+" is not looked at."""
    wanted = {tuple(pattern.strip().lower().removeprefix("*").rpartition("@")[::2]) for pattern in patterns}

    def is_local(address: str) -> bool:
        name, at, domain = address.lower().rpartition("@")
        name = name.partition("+")[0]
        return bool(at and name and domain) and any(
            key in wanted for key in ((name, domain), (name, "*"), ("", domain))
        )

    return is_local


class _Conversation(SMTP):
    """One connection. What aiosmtpd does well is kept (commands and their order); DATA is ours."""

    channel = Channel.SMTP
    line_length_limit = 64 * 1024  # Of the stream's buffer; a mail's lines may be of any length.
    __ident__ = "ESMTP"

    smtp_AUTH = smtp_HELP = smtp_EXPN = None  # type: ignore[assignment]  # not spoken here

    def __init__(self, shared: _Shared, *, hostname: str, loop: asyncio.AbstractEventLoop) -> None:
        # aiosmtpd keeps these limits on the class, where each EHLO of anybody raises them for all.
        self.command_size_limits = collections.defaultdict(lambda: 2048)
        self._shared = shared
        self._refused = False
        self._source = self._address = ""
        self._putting_on_record = False
        self._half_closed = False
        super().__init__(
            self,
            data_size_limit=shared.limits.mail_octets,
            enable_SMTPUTF8=True,
            hostname=hostname,
            ident=self.__ident__,
            tls_context=shared.tls if self.channel is Channel.SMTP else None,
            timeout=shared.limits.idle_seconds,
            command_call_limit=_COMMANDS_MAX,
            loop=loop,
        )

    # The connection comes and goes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if self._original_transport is not None:  # The same connection, with TLS from here on.
            super().connection_made(transport)
            return
        shared, limits = self._shared, self._shared.limits
        peer = transport.get_extra_info("peername")
        self._source, self._address = _source_of(peer), str(peer[0]) if isinstance(peer, tuple) else ""
        full = len(shared.connections) >= limits.connections
        if full or shared.stopping or shared.per_source[self._source] >= limits.connections_per_source:
            self._refused = True
            log.warning("A connection from %s was refused: too many are open.", self._source)
            transport.write(b"421 4.7.0 Too many connections, try again later\r\n")
            transport.close()
            return
        shared.connections.add(self)
        shared.per_source[self._source] += 1
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._refused:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        if self._refused:
            return None
        if self._putting_on_record:  # The sender has no more to say, and still waits for the answer.
            self._half_closed = True
            return True
        return super().eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        if self._refused:
            return
        self._shared.connections.discard(self)
        self._shared.per_source[self._source] -= 1
        if not self._shared.per_source[self._source]:
            del self._shared.per_source[self._source]
        super().connection_lost(error)

    def end(self) -> "asyncio.Task[None]":
        """Say goodbye, at once or when the mail that is being put on record is; the task is done when it was said."""
        if not self._putting_on_record:
            self._say_goodbye("421 4.3.2 Closing, try again later")
        assert self._handler_coroutine is not None
        return self._handler_coroutine

    def cut(self) -> None:
        """Close without waiting any longer."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    def _say_goodbye(self, reply: str) -> None:
        if isinstance(self.transport, asyncio.Transport) and not self.transport.is_closing():
            self.transport.write(reply.encode("ascii") + b"\r\n")
            self.transport.close()

    def _hang_up(self, reply: str) -> NoReturn:
        """Say goodbye and read no more, whatever has come in already: it is not certain to be commands."""
        self._say_goodbye(reply)
        raise asyncio.CancelledError

    def _timeout_cb(self) -> None:
        closing = self.transport is None or self.transport.is_closing()
        if closing:
            self.cut()
            return
        self._say_goodbye("421 4.4.2 Nothing came for too long")
        self._reset_timeout(_GOODBYE_SECONDS)

    # Commands

    async def handle_EHLO(
        self, server: SMTP, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        lines = [line for line in responses if not line.endswith("HELP")]
        return [*lines, "250-PIPELINING", "250 ENHANCEDSTATUSCODES"]

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if len(envelope.rcpt_tos) >= self._shared.limits.recipients:
            return "452 4.5.3 Too many recipients"
        if not self._shared.is_local(address):
            return "550 5.7.1 Complaints only; this server does not relay"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        log.error("A conversation with %s failed: %s", self._source, described(error))
        return "451 4.3.0 Something failed here, try again later"

    async def smtp_STARTTLS(self, arg: str) -> None:
        """Speak TLS from here on (RFC 3207). What was sent in clear after the command is thrown away unread."""
        if self.tls_context is None or self._tls_protocol is not None:
            await self.push(
                "502 5.5.1 TLS is not offered here" if self._tls_protocol is None else "503 5.5.1 TLS is on"
            )
            return
        await super().smtp_STARTTLS(arg)

    async def smtp_VRFY(self, arg: str) -> None:
        await self.push("252 2.1.5 Not verified; mail is accepted or refused by RCPT")

    async def smtp_POST(self, arg: str) -> None:
        """A browser was led here to speak SMTP in the body of a form; it is not given the chance."""
        self._hang_up("421 4.7.0 This is a mail server")

    smtp_GET = smtp_PUT = smtp_HEAD = smtp_OPTIONS = smtp_CONNECT = smtp_POST

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        match = _PATH.fullmatch(arg.strip())
        address, rest = (match[1], match[2]) if match else arg.partition(" ")[::2]
        if not match and (not address or re.search(r"[<>\s\x00-\x1f\x7f]", address)):
            return None, None
        address = address.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return address or "<>", rest.strip()

    # The mail itself

    async def smtp_DATA(self, arg: str | None) -> None:
        if await self.check_helo_needed():
            return
        envelope = self.envelope
        assert envelope is not None
        if not envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        if not self._may_come():
            log.info("A mail from %s must wait: too many came within a minute.", self._source)
            await self.push("450 4.7.1 Too many mails from you in a minute, try again later")
            return
        share = Share(self._shared.budget)
        if not share.cover(max(_declared_octets(envelope.mail_options), _UNDECLARED)):
            log.info("A mail from %s must wait: the memory for mails is full.", self._source)
            await self.push("452 4.3.1 Too much mail at once, try again later")
            return
        self._set_rset_state()  # type: ignore[no-untyped-call]  # aiosmtpd's own
        try:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            raw, refusal = await self._receive(share)
        except TimeoutError:
            share.give_back()
            self._hang_up("421 4.4.2 The mail took too long")
        except BaseException:
            share.give_back()
            raise
        if raw is None:
            share.give_back()
            await self._answer(refusal, recipients=envelope.rcpt_tos)
            return
        work = self._submit(raw, envelope, share)
        del raw
        await self._answer(await self._reply_to(work), recipients=envelope.rcpt_tos)
        if self._shared.stopping or self._half_closed:
            self._hang_up("421 4.3.2 Closing, try again later")

    def _may_come(self) -> bool:
        """Whether this source may send one more mail now. By LMTP there is one source, the operator's own."""
        shared = self._shared
        if self.channel is not Channel.SMTP or (_is_loopback(self._address) and not shared.limits.count_local):
            return True
        return shared.pace.allows(self._source, seconds=time.monotonic())

    async def _receive(self, share: Share) -> tuple[bytes | None, str]:
        """The mail's octets; or None and the refusal, when it is larger than allowed or than what memory is left."""
        limits = self._shared.limits
        undotter, content, size, refusal = Undotter(), io.BytesIO(), 0, ""
        async with asyncio.timeout(limits.data_seconds):
            while undotter.rest is None:
                self._reset_timeout(limits.data_idle_seconds)
                piece = undotter.feed(await self._reader.read(_PIECE))
                if undotter.rest:
                    self._reader.feed_data(undotter.rest)  # In its place: what was read was all that had come.
                size += len(piece)
                if not refusal and size > limits.mail_octets:
                    refusal = "552 5.3.4 The mail is larger than this server takes"
                elif not refusal and not share.cover(size, step=min(MIB, limits.mail_octets)):
                    refusal = "452 4.3.1 Too much mail at once, try again later"
                if not refusal:
                    content.write(piece)
                elif content.tell():
                    content = io.BytesIO()
                    share.give_back()
        self._reset_timeout()
        # getvalue() hands out the buffer itself, where a copy would need the mail's size once more.
        return (None, refusal) if refusal else (content.getvalue(), "")

    def _submit(self, raw: bytes, envelope: Envelope, share: Share) -> "Future[str]":
        """Have the mail accepted in a thread; its share of the memory is given back when that thread is done."""
        sender = "" if envelope.mail_from == "<>" else envelope.mail_from or ""
        try:
            recipients = tuple(envelope.rcpt_tos)
            # By LMTP the peer is the operator's own mail server, which says nothing about the sender.
            peer = self._address if self.channel is Channel.SMTP else ""
            pool = self._shared.heavy if is_heavy(raw) else self._shared.light
            work = pool.submit(self._source, self._shared.accept, raw, sender, recipients, self.channel, peer=peer)
        except BaseException:
            share.give_back()
            raise
        work.add_done_callback(lambda _: share.give_back())
        return work

    async def _reply_to(self, work: "Future[str]") -> str:
        """Wait until the mail is on record, or is known not to be."""
        self._putting_on_record = True
        assert self._timeout_handle is not None
        self._timeout_handle.cancel()  # It is the sender now who waits for us.
        try:
            reference = await asyncio.wrap_future(work)
        except Refused as why:
            return f"554 5.6.0 {one_line(str(why))}"
        except TryAgain as why:
            log.warning("A mail from %s must come again: %s", self._source, described(why.__cause__ or why))
            return "451 4.3.0 Not put on record, try again later"
        except Exception as why:  # noqa: BLE001 - a process door: the sender keeps the mail and hears so.
            log.error("A mail from %s was not put on record: %s", self._source, described(why))
            return "451 4.3.0 Not put on record, try again later"
        finally:
            self._putting_on_record = False
            if self.transport is not None:
                self._reset_timeout()
        return f"250 2.0.0 On record as {one_line(reference)}"

    async def _answer(self, reply: str, *, recipients: list[str]) -> None:
        await self.push(reply)


class _LocalConversation(_Conversation):
    """The same by LMTP (RFC 2033): LHLO greets, and DATA is answered once for each recipient."""

    channel = Channel.LMTP
    __ident__ = "LMTP"

    smtp_HELO = smtp_EHLO = smtp_STARTTLS = None  # type: ignore[assignment]  # not spoken by LMTP

    async def smtp_LHLO(self, arg: str) -> None:
        await _Conversation.smtp_EHLO(self, arg)

    async def _answer(self, reply: str, *, recipients: list[str]) -> None:
        await self.push("\r\n".join([reply] * len(recipients)))


_CONVERSATIONS: dict[Channel, type[_Conversation]] = {
    Channel.SMTP: _Conversation,
    Channel.LMTP: _LocalConversation,
}


def _limits(limits: Limits, *, octets: int | None, memory: int | None, connections: int | None) -> Limits:
    octets = limits.mail_octets if octets is None else octets
    return replace(
        limits,
        mail_octets=octets,
        memory_octets=max(limits.memory_octets, octets) if memory is None else memory,
        connections=limits.connections if connections is None else connections,
    )


def _declared_octets(options: Iterable[str]) -> int:
    """The SIZE that the sender declared; aiosmtpd has checked that it is a number within the limit."""
    return next((int(option[5:]) for option in options if option.upper().startswith("SIZE=")), 0)


def _source_of(peer: Any) -> str:
    """The peer's address; an IPv6 peer counts by its /64, of which one machine may have every address."""
    try:
        address = ipaddress.ip_address(peer[0])
    except (TypeError, ValueError, IndexError):
        return "local"
    if isinstance(address, ipaddress.IPv6Address) and not address.is_loopback:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
