"""Signed links that expire. The link itself is the key, so it is never stored and never sent to another site."""

import enum
from datetime import UTC, datetime, timedelta

from django.core.signing import BadSignature, Signer

CONTACT, FORWARD, KEY = "contact-", "forward-", "key-"
"""What the name of a link begins with that is no log-in: a proposed contact's, one that a reseller passes on, and a
given key's."""
REPORT_LINK_LASTS = timedelta(days=180)


class LinkTampered(ValueError):
    """This link is not one that we made; copy the whole of it from the letter."""


class LinkExpired(ValueError):
    """This link has expired; the letter says how to get a new one."""

    def __init__(self, key: str, expired_at: datetime) -> None:
        super().__init__(f"the link to {key} expired at {expired_at:%Y-%m-%d %H:%M} UTC")
        self.key = key
        self.expired_at = expired_at


class Link(enum.Enum):
    """What a link opens: the salt that it is signed with, so that one of a kind is none of another, and its path."""

    CASE = ("tipstaff.portal.case", "p")
    """A customer's case."""
    REPORT = ("tipstaff.public.report", "r")
    """A complainant's report."""
    LOG_IN = ("tipstaff.portal.log_in", "account/enter")
    """A log-in of somebody of a customer's, which counts once: `12-3`."""
    CONTACT = ("tipstaff.portal.contact", "account/contact")
    """A proposed contact's word that it agrees."""
    KEY = ("tipstaff.portal.key", "account/key")
    """A contact's word that they can open what is closed by the key that they gave."""
    FORWARD = ("tipstaff.portal.forward", "f")
    """What a reseller passed on."""

    @property
    def salt(self) -> str:
        return self.value[0]

    @property
    def path(self) -> str:
        return self.value[1]


def make_link(kind: Link, key: str, *, at: datetime, expires_at: datetime) -> str:
    """The token of a link to what has this key."""
    assert expires_at > at, "a link that is dead before it is sent"
    assert "." not in key, key
    return Signer(salt=kind.salt, sep=".").sign(f"{key}.{int(expires_at.timestamp()):x}")


def open_link(kind: Link, token: str, *, at: datetime) -> str:
    """The key of what a link opens; raise LinkTampered or LinkExpired."""
    try:
        key, _, expires = Signer(salt=kind.salt, sep=".").unsign(token).partition(".")
        expires_at = datetime.fromtimestamp(int(expires, 16), UTC)
    except (BadSignature, ValueError) as why:
        raise LinkTampered from why
    if at >= expires_at:
        raise LinkExpired(key, expires_at)
    return key
