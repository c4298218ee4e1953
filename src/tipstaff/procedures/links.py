"""Signed links that expire. The link itself is the key, so it is never stored and never sent to another site."""

from datetime import UTC, datetime

from django.core.signing import BadSignature, Signer

_CASE = "tipstaff.portal.case"
_REPORT = "tipstaff.public.report"
_LOG_IN = "tipstaff.portal.log_in"
_CONTACT = "tipstaff.portal.contact"
_FORWARD = "tipstaff.portal.forward"
CONTACT, FORWARD = "contact-", "forward-"
"""What the name of a link begins with that is no log-in: a proposed contact's, and one that a reseller passes on."""


class LinkTampered(ValueError):
    """This link is not one that we made; copy the whole of it from the letter."""


class LinkExpired(ValueError):
    """This link has expired; the letter says how to get a new one."""

    def __init__(self, key: str, expired_at: datetime) -> None:
        super().__init__(f"the link to {key} expired at {expired_at:%Y-%m-%d %H:%M} UTC")
        self.key = key
        self.expired_at = expired_at


def make_link(case_key: str, *, at: datetime, expires_at: datetime) -> str:
    """The token of a customer's link: `/p/<token>`."""
    return _make(_CASE, case_key, at=at, expires_at=expires_at)


def open_link(token: str, *, at: datetime) -> str:
    """The case that a customer's link opens; raise LinkTampered or LinkExpired."""
    return _open(_CASE, token, at=at)


def make_report_link(report_key: str, *, at: datetime, expires_at: datetime) -> str:
    """The token of a complainant's link: `/r/<token>`."""
    return _make(_REPORT, report_key, at=at, expires_at=expires_at)


def open_report_link(token: str, *, at: datetime) -> str:
    """The report that a complainant's link opens; raise LinkTampered or LinkExpired."""
    return _open(_REPORT, token, at=at)


def make_log_in_link(log_in: str, *, at: datetime, expires_at: datetime) -> str:
    """The token by which somebody of a customer's logs in: `/account/enter/<token>`. `log_in` counts once: `12-3`."""
    return _make(_LOG_IN, log_in, at=at, expires_at=expires_at)


def open_log_in_link(token: str, *, at: datetime) -> str:
    """Whose log-in, and which link of theirs; raise LinkTampered or LinkExpired."""
    return _open(_LOG_IN, token, at=at)


def make_contact_link(proposed: str, *, at: datetime, expires_at: datetime) -> str:
    """The token by which a proposed contact agrees: `/account/contact/<token>`."""
    return _make(_CONTACT, proposed, at=at, expires_at=expires_at)


def open_contact_link(token: str, *, at: datetime) -> str:
    """Which proposed contact; raise LinkTampered or LinkExpired."""
    return _open(_CONTACT, token, at=at)


def make_forward_link(forward: str, *, at: datetime, expires_at: datetime) -> str:
    """The token of what a reseller passed on: `/f/<token>`."""
    return _make(_FORWARD, forward, at=at, expires_at=expires_at)


def open_forward_link(token: str, *, at: datetime) -> str:
    """What was passed on; raise LinkTampered or LinkExpired."""
    return _open(_FORWARD, token, at=at)


def _make(salt: str, key: str, *, at: datetime, expires_at: datetime) -> str:
    assert expires_at > at, "a link that is dead before it is sent"
    assert "." not in key, key
    return Signer(salt=salt, sep=".").sign(f"{key}.{int(expires_at.timestamp()):x}")


def _open(salt: str, token: str, *, at: datetime) -> str:
    try:
        key, _, expires = Signer(salt=salt, sep=".").unsign(token).partition(".")
        expires_at = datetime.fromtimestamp(int(expires, 16), UTC)
    except (BadSignature, ValueError) as why:
        raise LinkTampered from why
    if at >= expires_at:
        raise LinkExpired(key, expires_at)
    return key
