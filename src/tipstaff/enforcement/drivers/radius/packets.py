"""Disconnect- and CoA-Requests (RFC 5176) and their answers: made, sent, checked. Many go out at once by one socket."""

import hashlib
import hmac
import secrets
import select
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

DISCONNECT_REQUEST, COA_REQUEST = 40, 43
"""An acknowledgement has the next code, a refusal the one after (RFC 5176 section 2.3)."""
SESSION_CONTEXT_NOT_FOUND = 503
"""RFC 5176 section 3.6: the access server has no such session."""
TRIES = 3

_USER_NAME, _NAS_IP_ADDRESS, _CALLING_STATION_ID, _ACCT_SESSION_ID = 1, 4, 31, 44
_EVENT_TIMESTAMP, _MESSAGE_AUTHENTICATOR, _ERROR_CAUSE = 55, 80, 101

Clock = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Session:
    """A session of which no Stop was heard, as accounting names it."""

    nas: str
    """The NAS-IP-Address."""
    id: str
    username: str
    station: str
    started: str
    """In words: only to tell it from a later session of the same id, which some access servers give."""
    measure: str
    """The measure whose profile it was let in with; empty for none."""


@dataclass(frozen=True, slots=True)
class Server:
    """An access server that ends sessions when it is asked."""

    address: str
    port: int
    secret: bytes

    def __repr__(self) -> str:
        return f"Server({self.address}, {self.port})"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one request."""

    done: bool
    """Acknowledged: the session was ended, or its profile changed, says the access server."""
    unknown: bool = False
    """The access server has no such session: it is gone."""
    why: str = ""


def ask(
    wanted: Mapping[Session, bytes | None],
    *,
    servers: Mapping[str, Server],
    epoch_seconds: int,
    timeout_seconds: float,
    open_socket: Callable[[], socket.socket],
) -> dict[Session, Answer]:
    """Ask each session's access server to end it, or to give it these attributes; what is not answered is asked again,
    three times in all."""
    answers: dict[Session, Answer] = {}
    todo = []
    for session, change in wanted.items():
        if session.nas in servers:
            todo.append((session, change))
        else:
            answers[session] = Answer(False, why=f"no access server {session.nas} is set up")
    for begin in range(0, len(todo), 256):  # An identifier has eight bits.
        some = todo[begin : begin + 256]
        with open_socket() as wire:
            answers |= _ask(wire, some, servers, epoch_seconds, timeout_seconds)
    return answers


def _ask(
    wire: socket.socket,
    wanted: Sequence[tuple[Session, bytes | None]],
    servers: Mapping[str, Server],
    epoch_seconds: int,
    timeout_seconds: float,
) -> dict[Session, Answer]:
    wire.setblocking(False)
    waiting = {
        n: (s, request(s, identifier=n, secret=servers[s.nas].secret, epoch_seconds=epoch_seconds, change=change))
        for n, (s, change) in enumerate(wanted)
    }
    answers: dict[Session, Answer] = {}
    for _ in range(TRIES):
        for session, packet in waiting.values():
            server = servers[session.nas]
            try:
                wire.sendto(packet, (server.address, server.port))
            except OSError as why:
                answers[session] = Answer(False, why=f"{session.nas} cannot be reached ({why.strerror})")
        while waiting and select.select([wire], [], [], timeout_seconds / TRIES)[0]:
            try:
                raw, (host, port, *_) = wire.recvfrom(4096)
            except OSError:
                continue  # A closed port answers so; the others may yet answer.
            number = raw[1] if len(raw) > 1 else -1
            if number not in waiting:
                continue
            session, packet = waiting[number]
            server = servers[session.nas]
            if (host, port) != (server.address, server.port):
                continue
            answer = read_answer(raw, packet, secret=server.secret)
            if answer is not None:
                answers[session] = answer
                del waiting[number]
        if not waiting:
            break
    for session, _ in waiting.values():
        answers.setdefault(session, Answer(False, why=f"{session.nas} does not answer; is the secret the same there?"))
    return answers


def request(
    session: Session, *, identifier: int, secret: bytes, epoch_seconds: int, change: bytes | None = None
) -> bytes:
    """A Disconnect-Request, or a CoA-Request that gives the session `change`; with Event-Timestamp and
    Message-Authenticator (RFC 5176 sections 3.3 and 6.3)."""
    attributes = _text(_USER_NAME, session.username) + _text(_ACCT_SESSION_ID, session.id)
    if session.station:
        attributes += _text(_CALLING_STATION_ID, session.station)
    attributes += _attribute(_NAS_IP_ADDRESS, socket.inet_aton(session.nas))
    attributes += _attribute(_EVENT_TIMESTAMP, struct.pack(">I", epoch_seconds))
    attributes += change or b""
    code = DISCONNECT_REQUEST if change is None else COA_REQUEST
    head = struct.pack(">BBH", code, identifier, 20 + len(attributes) + 18)
    empty = head + bytes(16) + attributes + _attribute(_MESSAGE_AUTHENTICATOR, bytes(16))
    sealed = attributes + _attribute(_MESSAGE_AUTHENTICATOR, hmac.digest(secret, empty, "md5"))
    authenticator = hashlib.md5(head + bytes(16) + sealed + secret, usedforsecurity=False).digest()
    return head + authenticator + sealed


def read_answer(raw: bytes, asked: bytes, *, secret: bytes) -> Answer | None:
    """What an answer says; None for a packet that is none to this request, or not from who has the secret."""
    if len(raw) < 20 or raw[0] not in (asked[0] + 1, asked[0] + 2) or raw[1] != asked[1]:
        return None
    length = struct.unpack_from(">H", raw, 2)[0]
    if not 20 <= length <= len(raw):
        return None
    raw = raw[:length]
    proof = hashlib.md5(raw[:4] + asked[4:20] + raw[20:] + secret, usedforsecurity=False).digest()
    if not secrets.compare_digest(proof, raw[4:20]):
        return None
    if raw[0] == asked[0] + 1:
        return Answer(True)
    cause, at = 0, 20
    while at + 2 <= length and raw[at + 1] >= 2:
        if raw[at] == _ERROR_CAUSE and raw[at + 1] == 6 and at + 6 <= length:
            cause = struct.unpack_from(">I", raw, at + 2)[0]
        at += raw[at + 1]
    return Answer(False, unknown=cause == SESSION_CONTEXT_NOT_FOUND, why=f"it was refused with error cause {cause}")


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode()[:253])


def _attribute(kind: int, value: bytes) -> bytes:
    return bytes([kind, len(value) + 2]) + value
