"""A device that speaks NETCONF over SSH, on loopback: candidate, lock and confirmed commit as RFC 6241 has them.

It keeps access control lists of RFC 8519 and nothing else, and says what it counts for those that are attached. The one
change that it takes is the replacement of a whole list, and it refuses what it does not know. It needs paramiko.
"""

import contextlib
import copy
import re
import socket
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import paramiko

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
ACL = "urn:ietf:params:xml:ns:yang:ietf-access-control-list"
CAPABILITIES = (
    "urn:ietf:params:netconf:base:1.1",
    "urn:ietf:params:netconf:capability:candidate:1.0",
    "urn:ietf:params:netconf:capability:confirmed-commit:1.1",
)
_END = b"]]>]]>"
Lists = dict[str, ET.Element]


class _Refused(Exception):
    def __init__(self, tag: str, message: str) -> None:
        super().__init__(message)
        self.tag = tag


class NetconfDevice:
    """One device; `with NetconfDevice() as device` and it listens."""

    username, password = "tipstaff", "not-a-secret"

    def __init__(self, *, attached: tuple[str, ...] = ()) -> None:
        self.running: Lists = {}
        self.candidate: Lists = {}
        self.attached = attached
        """Lists that an interface looks into: their entries are counted."""
        self.refuses = ""
        """Why it refuses the next commits."""
        self.forgets_entries = False
        """Whether it drops the last entry of what is committed, as a device does that has no room for it."""
        self.state = threading.RLock()
        self._locked_by: int | None = None
        self._before: tuple[int, Lists, threading.Timer] | None = None
        self._sessions = 0
        self._key = paramiko.ECDSAKey.generate()
        self._door: socket.socket | None = None
        self._transports: list[paramiko.Transport] = []
        self.port = 0

    @property
    def host_key(self) -> str:
        return str(self._key.get_base64())

    def __enter__(self) -> "NetconfDevice":
        self.open()
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def open(self) -> None:
        """Listen, at the same port as before."""
        self._door = socket.create_server(("127.0.0.1", self.port))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._listen, args=(self._door,), daemon=True).start()

    def close(self) -> None:
        """Stop listening, and hang up on everybody."""
        if self._door is not None:
            with contextlib.suppress(OSError):
                self._door.shutdown(socket.SHUT_RDWR)
            self._door.close()
        for transport in self._transports:
            transport.close()
        self._transports = []

    def reboot(self) -> None:
        """Everything that was configured is lost."""
        with self.state:
            self.running, self.candidate = {}, {}

    def ace(self, acl: str, start: str) -> ET.Element:
        """The first entry of a list in force whose name begins so."""
        aces = self.running[acl].iter(f"{{{ACL}}}ace")
        return next(ace for ace in aces if (ace.findtext(f"{{{ACL}}}name") or "").startswith(start))

    def add(self, acl: str, name: str) -> None:
        """Somebody at the device puts an entry of their own into a list."""
        with self.state:
            aces = self.running[acl].find(f"{{{ACL}}}aces")
            assert aces is not None, acl
            body = "<actions><forwarding>acl:accept</forwarding></actions>"
            aces.insert(0, ET.fromstring(f'<ace xmlns="{ACL}"><name>{name}</name>{body}</ace>'))  # noqa: S314 - our own text
            self.candidate = copy.deepcopy(self.running)

    # Sessions.

    def _listen(self, door: socket.socket) -> None:
        while True:
            try:
                wire, _ = door.accept()
            except OSError:
                return
            transport = paramiko.Transport(wire)
            transport.add_server_key(self._key)
            transport.set_subsystem_handler("netconf", _Session, self)
            self._transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(server=_Login(self))

    def begin(self) -> int:
        with self.state:
            self._sessions += 1
            return self._sessions

    def end(self, session: int) -> None:
        """A session is gone: its trial ends as if it had never been, then its lock goes (RFC 6241, 8.4.1 and 7.5)."""
        with self.state:
            if self._before is not None and self._before[0] == session:
                self._take_back()
            if self._locked_by == session:
                self._locked_by = None
                self.candidate = copy.deepcopy(self.running)

    def _take_back(self) -> None:
        with self.state:
            if self._before is not None:
                _, self.running, timer = self._before
                timer.cancel()
                self._before, self.candidate = None, copy.deepcopy(self.running)

    # Operations.

    def answer(self, asked: ET.Element, session: int) -> str:
        """The inside of an rpc-reply."""
        verb = asked.tag.rpartition("}")[2].replace("-", "_")
        act = getattr(self, f"_on_{verb}", None)
        if act is None:
            return _error("operation-not-supported", f"{verb} is not known here")
        with self.state:
            try:
                return str(act(asked, session))
            except _Refused as why:
                return _error(why.tag, str(why))

    def _on_close_session(self, asked: ET.Element, session: int) -> str:
        return "<ok/>"

    def _on_lock(self, asked: ET.Element, session: int) -> str:
        if self._locked_by is not None or self._before is not None:
            raise _Refused("lock-denied", "the candidate is locked by another session")
        self._locked_by = session
        return "<ok/>"

    def _on_unlock(self, asked: ET.Element, session: int) -> str:
        if self._locked_by != session:
            raise _Refused("operation-failed", "this session holds no lock")
        self._locked_by = None
        return "<ok/>"

    def _on_discard_changes(self, asked: ET.Element, session: int) -> str:
        self.candidate = copy.deepcopy(self.running)
        return "<ok/>"

    def _on_edit_config(self, asked: ET.Element, session: int) -> str:
        if self._locked_by not in (None, session):
            raise _Refused("in-use", "the candidate is locked")
        for acl in asked.iter(f"{{{ACL}}}acl"):
            if acl.attrib.pop(f"{{{BASE}}}operation", "") != "replace":
                raise _Refused("operation-not-supported", "only whole lists are replaced here")
            for ace in acl.iter(f"{{{ACL}}}ace"):
                name = ace.findtext(f"{{{ACL}}}name") or ""
                action = (ace.findtext(f"{{{ACL}}}actions/{{{ACL}}}forwarding") or "").rpartition(":")[2]
                if not 0 < len(name) <= 64 or action not in ("accept", "drop", "reject"):
                    raise _Refused("invalid-value", f"{name!r} is no entry")
            self.candidate[acl.findtext(f"{{{ACL}}}name") or ""] = acl
        return "<ok/>"

    def _on_commit(self, asked: ET.Element, session: int) -> str:
        if self._locked_by not in (None, session):
            raise _Refused("in-use", "the candidate is locked")
        if self.refuses:
            raise _Refused("operation-failed", self.refuses)
        if asked.find(f"{{{BASE}}}confirmed") is not None:
            seconds = float(asked.findtext(f"{{{BASE}}}confirm-timeout") or 600)
            timer = threading.Timer(seconds, self._take_back)
            timer.daemon = True
            timer.start()
            self._before = (session, self.running, timer)
        elif self._before is not None:
            self._before[2].cancel()
            self._before = None
        self.running = copy.deepcopy(self.candidate)
        if self.forgets_entries:
            for acl in self.running.values():
                aces = acl.find(f"{{{ACL}}}aces")
                if aces is not None and len(aces) > 1:
                    aces.remove(aces[-1])
        return "<ok/>"

    def _on_cancel_commit(self, asked: ET.Element, session: int) -> str:
        self._take_back()
        return "<ok/>"

    def _on_get_config(self, asked: ET.Element, session: int) -> str:
        names = {e.text for e in asked.iter(f"{{{ACL}}}name")}
        found = [acl for name, acl in self.running.items() if name in names or not names]
        inside = "".join(ET.tostring(acl, encoding="unicode") for acl in found)
        return f'<data><acls xmlns="{ACL}">{inside}</acls></data>'

    def _on_get(self, asked: ET.Element, session: int) -> str:
        rows = "".join(
            f"<ace-statistics><name>{ace.findtext(f'{{{ACL}}}name')}</name></ace-statistics>"
            for name in self.attached if name in self.running
            for ace in self.running[name].iter(f"{{{ACL}}}ace")
        )  # fmt: skip
        sets = f"<ingress><acl-sets><acl-set>{rows}</acl-set></acl-sets></ingress>"
        inside = f"<attachment-points><interface>{sets}</interface></attachment-points>"
        return f'<data><acls xmlns="{ACL}">{inside}</acls></data>'


class _Login(paramiko.ServerInterface):  # type: ignore[misc]  # paramiko says no types
    def __init__(self, device: NetconfDevice) -> None:
        self._device = device

    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == (self._device.username, self._device.password)
        return int(paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED)

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)


class _Session(paramiko.SubsystemHandler):  # type: ignore[misc]  # as above
    def __init__(self, channel: paramiko.Channel, name: str, server: Any, device: NetconfDevice) -> None:
        super().__init__(channel, name, server)
        self._device = device

    def start_subsystem(self, name: str, transport: paramiko.Transport, channel: paramiko.Channel) -> None:
        number = self._device.begin()
        try:
            told = "".join(f"<capability>{c}</capability>" for c in CAPABILITIES)
            hello = (
                f'<hello xmlns="{BASE}"><capabilities>{told}</capabilities><session-id>{number}</session-id></hello>'
            )
            channel.sendall(hello.encode() + _END)
            for text in _messages(channel):
                rpc = ET.fromstring(text)  # noqa: S314 - the test's own words
                reply = f'<rpc-reply xmlns="{BASE}" message-id="{rpc.get("message-id")}">'
                out = f"{reply}{self._device.answer(rpc[0], number)}</rpc-reply>".encode()
                channel.sendall(b"\n#%d\n" % len(out) + out + b"\n##\n")
                if rpc[0].tag.endswith("close-session"):
                    break
        except (OSError, EOFError, ET.ParseError):
            pass
        finally:
            self._device.end(number)
            channel.close()


def _messages(channel: paramiko.Channel) -> Iterator[bytes]:
    """What comes after the hello, which ends by the old mark; then in chunks (RFC 6242 section 4.2)."""
    heard = b""
    greeted = False
    message = b""
    while piece := channel.recv(65536):
        heard += piece
        if not greeted:
            if _END not in heard:
                continue
            heard, greeted = heard.partition(_END)[2], True
        while True:
            if heard.startswith(b"\n##\n"):
                heard = heard[4:]
                yield message
                message = b""
                continue
            head = re.match(rb"\n#(\d+)\n", heard)
            if head is None or len(heard) < head.end() + int(head[1]):
                break
            message += heard[head.end() : head.end() + int(head[1])]
            heard = heard[head.end() + int(head[1]) :]


def _error(tag: str, message: str) -> str:
    return (
        f"<rpc-error><error-type>application</error-type><error-tag>{tag}</error-tag>"
        f"<error-severity>error</error-severity><error-message>{message}</error-message></rpc-error>"
    )
