"""What a feed's source is: it fetches, keeps what concerns the operator, and says what it has seen; it stores "
"nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

from .client import Http

GROUP = "tipstaff.feeds"
"""The entry-point group by which kinds of feeds are found."""
ROWS_A_DOCUMENT = 2000
"""So that no report holds more than its readers take."""
FORM = "application/vnd.tipstaff.feed+json"
"""The form in which rows are kept that are not a publisher's own document: see the parser `feed`."""


class FeedTrouble(Exception):
    """The feed cannot be fetched or understood; the message says why. It is tried again later."""

    permanent = False

    def __init__(self, why: str, *, retry_after_seconds: int = 0) -> None:
        super().__init__(why)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Own:
    """What is the operator's own: only what is about it becomes a report."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    domains: frozenset[str] = frozenset()
    asns: frozenset[int] = frozenset()

    def holds(self, text: str) -> bool:
        """Whether an address, with or without a port, or a URL or host name is the operator's own."""
        host = text.strip().lower()
        if "://" in host:
            try:
                host = urlsplit(host).hostname or ""
            except ValueError:
                return False
        address = _address(host)
        if address is not None:
            return any(address.version == x.version and address in x for x in self.networks)
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
        return any(name == x or name.endswith(f".{x}") for x in self.domains)

    def overlaps(self, network: IPv4Network | IPv6Network) -> bool:
        """Whether any of it is the operator's own."""
        return any(network.version == x.version and network.overlaps(x) for x in self.networks)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    for text in (host, host.strip("[]"), host.rpartition(":")[0].strip("[]")):
        try:
            return ip_address(text)
        except ValueError:
            continue
    return None


@dataclass(frozen=True, slots=True)
class Document:
    """What becomes one report: the publisher's octets, or the rows that concern the operator."""

    name: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one look at a feed gave. `state` is what the next look starts from, once all documents are on record."""

    documents: tuple[Document, ...] = ()
    state: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a source is asked with."""

    http: Http
    url: str
    key: str
    secret: str
    options: Mapping[str, object]
    state: Mapping[str, Any]
    own: Own
    at: datetime


@runtime_checkable
class Source(Protocol):
    """One kind of feed."""

    seconds_between_min: int
    """What the publisher's terms allow; it is never asked more often."""

    def fetch(self, request: Request) -> Fetched:
        """What is new. Raises FeedTrouble. The same answer gives the same documents, octet by octet."""
        ...
