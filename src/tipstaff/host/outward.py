"""The way out for what is sent to an address that a person typed: to allowed hosts only, and never inside by surprise.

A name is looked up once, each address that it has is judged, and that very address is connected to: a name that means
another host a moment later leads nowhere else.
"""

import http.client
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit

ANSWER_OCTETS_MAX = 64 * 1024
Address = IPv4Address | IPv6Address
_Found = tuple[Any, ...]
"""A row of `getaddrinfo`."""


_NAME = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*")
_AROUND = (ip_network("64:ff9b::/96"), ip_network("2002::/16"), ip_network("2001::/32"))
"""NAT64, 6to4, Teredo: an address of IPv4 is inside of each, and may be one of ours (RFC 6052, 3056, 4380)."""


class NotAllowed(ValueError):
    """Nothing is sent there; the message says what would have to be set."""


class NotTaken(OSError):
    """It could not be handed over: nobody answered, or not in time."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the other end answered."""

    status: int
    text: str


class Outward:
    """Who may be reached: names (with all below `*.name`, and with `*` every one that leads outside, at port 443), and
    addresses or networks where they are inside. `setting` is what they are named by."""

    def __init__(self, allowed: Sequence[str], *, setting: str = "[api] webhook_hosts") -> None:
        """Raise NotAllowed for what is neither a name nor an address."""
        self._setting = setting
        self._any_outside = "*" in allowed
        self._names: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for one in allowed:
            if one == "*":
                continue
            try:
                self._networks.append(ip_network(one))
            except ValueError:
                name = one.lower()
                if not _NAME.fullmatch(name):
                    raise NotAllowed(f"{one!r} is neither a host name nor an address or network") from None
                self._names.add(name)

    def check(self, url: str) -> SplitResult:
        """Its parts; raise NotAllowed for an address that is not allowed by its form. Nothing is looked up."""
        try:
            parts = urlsplit(url)
            port_ok = parts.port is None or parts.port > 0
        except ValueError as why:
            raise NotAllowed("That is no address.") from why
        host = (parts.hostname or "").rstrip(".")
        if parts.scheme not in ("https", "http") or not host or not port_ok or not url.isascii():
            raise NotAllowed("It takes an https address.")
        if parts.username is not None or parts.password is not None or parts.fragment or any(c <= " " for c in url):
            raise NotAllowed("It takes an https address without a name, a password or a fragment.")
        address = _literal(host)
        allowed = self._is_inside(address) if address is not None else self._is_named(host)
        # Any host at any port would make a scanner of us: what nobody has named is spoken to as a web server alone.
        if not allowed and address is None and self._any_outside and parts.port in (None, 443):
            allowed = "." in host
        if not allowed:
            raise NotAllowed(f"{host} is not among {self._setting} in the settings.")
        if parts.scheme == "http" and not (address is not None and address.is_loopback):
            raise NotAllowed("It takes an https address; http is for this machine itself, by its address.")
        return parts

    def post(self, url: str, body: bytes, headers: dict[str, str], *, timeout_seconds: float) -> Said:
        """POST once; a redirect is an answer and is not followed. Raise NotAllowed or NotTaken.

        The time is for all of it, from the look-up of the name to the last octet of the answer: who speaks one octet at
        a time holds nobody for longer, be it midway through the handshake of TLS.
        """
        parts = self.check(url)
        host = (parts.hostname or "").rstrip(".")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        with _End(timeout_seconds) as end:
            address = self._resolve(host, parts.port or (443 if parts.scheme == "https" else 80), end)
            try:
                with closing(http.client.HTTPConnection(*address)) as line:
                    line.auto_open = 0  # It would look the name up anew.
                    line.sock = _connect(address, end, name=host if parts.scheme == "https" else None)
                    line.request("POST", target, body=body, headers={"Host": parts.netloc, **headers})
                    line.sock.settimeout(end.left())
                    with line.getresponse() as answer:
                        said = Said(answer.status, answer.read(ANSWER_OCTETS_MAX)[:500].decode(errors="replace"))
                end.left()  # What was cut off reads like the end of an answer.
            except (OSError, http.client.HTTPException) as why:
                if end.is_over:
                    raise NotTaken(f"{host} did not answer within {timeout_seconds:g} seconds") from why
                raise NotTaken(f"{host} cannot be reached ({type(why).__name__}: {why})") from why
        return said

    def _resolve(self, host: str, port: int, end: "_End") -> tuple[str, int]:
        """The first address of `host`. All of them must be outside, or allowed by themselves."""
        try:
            found = _look_up(host, port, end)
        except (OSError, UnicodeError) as why:
            raise NotTaken(f"{host} has no address ({why})") from why
        for each in found:
            address = ip_address(str(each[4][0]).partition("%")[0])
            mapped = getattr(address, "ipv4_mapped", None) or address
            outside = (
                mapped.is_global
                and not mapped.is_multicast
                and not any(mapped in network for network in _AROUND if network.version == mapped.version)
            )
            if not outside and not self._is_inside(mapped):
                raise NotAllowed(f"{host} leads to {mapped}, which is not outside; {self._setting} can allow that.")
        return str(found[0][4][0]), port

    def _is_inside(self, address: Address) -> bool:
        return any(address in network for network in self._networks if network.version == address.version)

    def _is_named(self, host: str) -> bool:
        host = host.lower()
        above = (host.split(".", n)[-1] for n in range(1, host.count(".") + 1))
        return host in self._names or any(f"*.{name}" in self._names for name in above)


class _End:
    """When the time is over: the connection is ended then under whoever waits for it."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self._late = threading.Event()
        self._line: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._line is not None:
            self._line.close()

    @property
    def is_over(self) -> bool:
        return self._late.is_set() or time.monotonic() >= self._at

    def left(self) -> float:
        """Seconds, for the next wait; raise TimeoutError where there are none."""
        if self.is_over:
            raise TimeoutError("the time for it is over")
        return max(self._at - time.monotonic(), 0.001)

    def hold(self, plain: socket.socket) -> None:
        """Cut this one, by a descriptor of its own: TLS takes the socket over before it has shaken hands, and
        `http.client` lets go of it with the head of an answer."""
        self._line = plain.dup()
        plain.settimeout(self.left())  # The time may have been over before there was anything to cut.

    def _cut(self) -> None:
        self._late.set()
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)


def _connect(address: tuple[str, int], end: _End, *, name: str | None) -> socket.socket:
    """A connection to the address; with a name by TLS, and the certificate is the name's."""
    plain = socket.create_connection(address, end.left())
    try:
        end.hold(plain)
        return plain if name is None else ssl.create_default_context().wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def _look_up(host: str, port: int, end: _End) -> list[_Found]:
    """What `getaddrinfo` says. It takes no time limit, and goes on by itself when nobody waits for it any more."""
    said: queue.SimpleQueue[list[_Found] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            said.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as why:  # noqa: BLE001 - it is raised where it is waited for
            said.put(why)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = said.get(timeout=end.left())
    except queue.Empty:
        raise TimeoutError("nobody told one in time") from None
    if isinstance(found, Exception):
        raise found
    return found


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
