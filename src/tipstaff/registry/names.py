"""The plain form of a resource's name, so that the same thing is never written in two ways. Pure."""

import re
from ipaddress import ip_address, ip_network

from tipstaff.words import ResourceKind

SCOPED = frozenset({ResourceKind.VLAN, ResourceKind.PORT, ResourceKind.BGP_SESSION, ResourceKind.LOGIN})
"""Kinds whose names mean nothing without a switch, router or service beside them."""
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


class NotInItsForm(ValueError):
    """The name is not in the form of its kind; the message says what is wanted."""


def plain_name(kind: ResourceKind, name: str) -> str:
    """The name in its one form; raise NotInItsForm with a sentence."""
    text = name.strip()
    if not text or len(text) > 500 or any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text):
        raise NotInItsForm(f"A resource of the kind {kind} needs a name of 1 to 500 printable characters.")
    return _FORMS.get(kind, str)(text)


def plain_scope(kind: ResourceKind, scope: str) -> str:
    """The scope in its one form: lower case, for switches and routers are named without regard to case."""
    text = scope.strip().lower()
    if kind in SCOPED and not text:
        raise NotInItsForm(f"A {kind} needs a scope: the switch, router, site or service within which it is unique.")
    return text


def plain_host_name(name: str) -> str:
    """Lower case, without the final dot, in ASCII (IDNA 2003, as Python's codec has it) where that can be."""
    name = name.strip().rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii").rstrip(".")  # Three other full stops become one by this.
    except UnicodeError:
        return name


def plain_asn(text: str) -> int:
    """`AS64500`, `64500` or `0.64500` (RFC 5396) as a number of 32 bits."""
    found = re.fullmatch(r"(?:AS)?(\d{1,10})(?:\.(\d{1,5}))?", text.strip().upper())
    number = 0 if found is None else int(found[1]) * 65536 + int(found[2]) if found[2] else int(found[1])
    if not 0 < number < 2**32:
        raise NotInItsForm(f'"{text}" is not an AS number; write one like AS64500.')
    return number


def _asn(text: str) -> str:
    return f"AS{plain_asn(text)}"


def _vlan(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= 4094:
        raise NotInItsForm(f'"{text}" is not a VLAN; they go from 1 to 4094 (IEEE 802.1Q).')
    return str(int(text))


def _domain(text: str) -> str:
    plain = plain_host_name(text)
    if not _HOST.fullmatch(plain):
        raise NotInItsForm(f'"{text}" is not a domain name.')
    return plain


def _mailbox(text: str) -> str:
    local, at, domain = text.rpartition("@")
    if not at or not local or re.search(r"[\s@,;<>]", local) or "." not in domain:
        raise NotInItsForm(f'"{text}" is not a mail address.')
    return f"{local.lower()}@{_domain(domain)}"


def _mac(text: str) -> str:
    digits = re.sub(r"[:.\-]", "", text.lower())
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        raise NotInItsForm(f'"{text}" is not a hardware address; write one like 02:00:5e:10:00:00.')
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def _neighbour(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise NotInItsForm(f"A BGP session is named by its neighbour's address; {text!r} is none.") from None


def _route(text: str) -> str:
    prefix, _, origin = text.partition(" ")
    try:
        return f"{ip_network(prefix)} {_asn(origin)}"
    except ValueError:
        raise NotInItsForm(f'"{text}" is not a route; write one like "198.51.100.0/24 AS64500".') from None


_FORMS = {
    ResourceKind.ASN: _asn,
    ResourceKind.VLAN: _vlan,
    ResourceKind.DOMAIN: _domain,
    ResourceKind.MAILBOX: _mailbox,
    ResourceKind.MAC: _mac,
    ResourceKind.BGP_SESSION: _neighbour,
    ResourceKind.ROUTE: _route,
    ResourceKind.HANDLE: str.upper,
}
