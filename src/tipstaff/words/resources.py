"""What customers hold beside addresses, and the letters that let addresses move."""

import enum
import re
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import urlsplit

from .holders import Tier


class ResourceKind(enum.StrEnum):
    """A kind of thing that one customer at a time holds."""

    ASN = "asn"
    """An autonomous system number: `AS64500`."""
    VLAN = "vlan"
    """A VLAN of a switch or a site, which is its scope."""
    PORT = "port"
    """A port of a switch or router, which is its scope."""
    BGP_SESSION = "bgp_session"
    """The address of a neighbour on a router, which is its scope."""
    ROUTE = "route"
    """A prefix and the number that may originate it: `198.51.100.0/24 AS64500`."""
    DOMAIN = "domain"
    """A domain with all that is below it."""
    MAILBOX = "mailbox"
    """A mail address."""
    LOGIN = "login"
    """A log-in name of a service, which is its scope."""
    CIRCUIT = "circuit"
    """A line, as the operator or its supplier numbers it."""
    MAC = "mac"
    """A hardware address."""
    HANDLE = "handle"
    """How the public registries name an organisation: `ORG-EX1-EXAMPLE`, a net name, an opaque id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Somebody held a thing in [held_from, held_until)."""

    kind: ResourceKind
    name: str
    """In its plain form: `AS64500`, `100`, `shop.example.net`, `02:00:5e:10:00:00`."""
    scope: str = ""
    """Within what the name is unique, where it is not so by itself: a switch, a router, a service."""
    tier: Tier = Tier.CUSTOMER
    customer: str | None = None
    """None for the operator's own."""
    service: str | None = None
    held_from: datetime
    held_until: datetime | None = None
    source: str = "registry"
    key: int = 0


def host_of(url: str | None) -> str:
    """The host that a URL leads to, as browsers read it; empty where there is none.

    A backslash ends the host as a slash does (WHATWG URL, section 4.4): by RFC 3986 alone, whoever writes
    `http://evil.example\\@shop.example` would have the shop answer for a page that it never had.
    """
    try:
        return urlsplit((url or "").replace("\\", "/")).hostname or ""
    except ValueError:
        return ""


def session_name(neighbour: str, router: str) -> str:
    """How a measure names a BGP session of the registry: `192.0.2.77 at edge1`."""
    return f"{neighbour} at {router}"


def session_named(name: str) -> tuple[str, str]:
    """(neighbour, router) of such a name; the router is empty where it names none."""
    neighbour, _, router = name.partition(" at ")
    return neighbour, router


def machine_on(router: str, port: str, mac: str) -> str:
    """How a measure names one machine on a port: `sw1/ge-0/1/02:00:5e:10:00:01`."""
    return f"{router}/{port}/{mac.lower()}"


def machine_named(session: str) -> tuple[str, str] | None:
    """(port with its router before it, MAC address) of such a name; None for a log-in's session.

    The router may be left out, by hand: `eth7/02:00:5e:10:00:01`. A log-in's machine has hyphens (RFC 3580).
    """
    place, _, mac = session.rpartition("/")
    return (place, mac.lower()) if place and re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}", mac) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterOfAuthority:
    """A paper by which who may grant it lets a customer use prefixes."""

    key: str
    """`LOA-7`."""
    issuer: str
    customer: str
    """Who may use the prefixes by it."""
    prefixes: tuple[IPv4Network | IPv6Network, ...]
    valid_from: datetime
    valid_until: datetime | None
    file_name: str
    digest: str
    """SHA-256 of the file; the file itself stays where the operator keeps such papers."""
