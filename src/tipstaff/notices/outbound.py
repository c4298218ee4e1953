"""Hand one letter to the mail server by SMTP, and say exactly how far that came.

The text goes out first, then `on_handing_over()` is called, then the dot that makes the letter the server's. Whatever
fails before the dot has sent nothing (RFC 5321, section 4.1.1.4: an unfinished text is thrown away). When the answer
to the dot is lost, nobody knows: `AnswerLost`.
"""

import html
import re
import smtplib
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from ipaddress import ip_address
from typing import Final

from tipstaff.config import MailOut
from tipstaff.host.envelopes import UselessKey
from tipstaff.words import Letter, LetterKind, MailKeys, require_aware

from .addresses import mailable
from .closing import NO_KEYS, closed, closed_how, usable
from .dkim_signing import CannotSign, signed
from .prose import PORTAL_LINK

LOOP_HEADER: Final = "X-Tipstaff-Letter"
"""Carried by every letter: a mail that comes in with it is one of ours on its way round."""
ANSWERS: Final = frozenset(
    {LetterKind.ACKNOWLEDGEMENT, LetterKind.NEEDS_DETAIL, LetterKind.NOT_OURS, LetterKind.TOO_OLD}
)
"""Written by a program because a mail came in: auto-replied, with no return path, so that nothing can answer the answer
(RFC 3834, sections 3.1.7 and 3.3). All others are auto-generated and their bounces do matter."""
TIMEOUT_SECONDS: Final = 60.0
DOT_TIMEOUT_SECONDS: Final = 600.0
"""How long the answer to the dot is awaited (RFC 5321, section 4.5.3.2.6)."""


def _no_keys(to: str) -> MailKeys:
    return NO_KEYS


class NotDelivered(Exception):
    """The mail server did not take the letter."""

    permanent = False


class RefusedForNow(NotDelivered):
    """The mail server did not take the letter this time; try again later."""


class RefusedForGood(NotDelivered):
    """The mail server will not take this letter; trying again is no use."""

    permanent = True


class AnswerLost(NotDelivered):
    """The mail server has the whole letter and its answer was lost; it may have taken it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The mail server took the letter."""

    reply: str
    """Its words, which name its own queue number as a rule."""
    to: str
    """Where it went: not the letter's own address while a recipient override is set."""
    closed: str = ""
    """`OpenPGP` or `S/MIME`, where it went closed by its reader's key."""


def deliver(
    letter: Letter,
    *,
    server: MailOut,
    at: datetime,
    on_handing_over: Callable[[], None],
    portal_link: str | None = None,
    sender_name: str = "",
    keys_of: Callable[[str], MailKeys] = _no_keys,
    timeout_seconds: float = TIMEOUT_SECONDS,
    dot_timeout_seconds: float = DOT_TIMEOUT_SECONDS,
) -> Delivered:
    """Hand the letter over, closed by the keys that `keys_of` names for the address it goes to.

    Raises RefusedForNow, RefusedForGood, AnswerLost, or what `on_handing_over` raises.

    `server.from_address` must be set: wiring puts the desk's own address there when the settings leave it empty.
    """
    sender = server.from_address
    assert mailable(sender), "letters come from an address"
    to = mailable(server.recipient_override or letter.to)
    if to is None:
        raise RefusedForGood(f"no mail can go to {letter.to!r}")
    if PORTAL_LINK in letter.body and not portal_link:
        raise RefusedForNow("the letter's portal link could not be made")
    try:
        keys = usable(keys_of(to), at=at)
        text = as_mail(letter, server=server, at=at, sender_name=sender_name, portal_link=portal_link, keys=keys)
    except CannotSign as why:
        raise RefusedForNow(str(why)) from why
    except UselessKey as why:
        # It waits, as for a mail server and no longer: with another key by then, or none, it goes by itself.
        raise RefusedForNow(f"it cannot be closed by the key on record for its reader: {why}") from why
    reverse_path = "" if letter.kind in ANSWERS else sender
    try:
        smtp = _greet(server, name=sender.rpartition("@")[2], timeout_seconds=timeout_seconds)
    except (OSError, smtplib.SMTPException) as why:
        raise RefusedForNow(_words_of(why)) from why
    try:
        _announce(smtp, reverse_path=reverse_path, to=to)
        _send_text(smtp, text)
        on_handing_over()
        reply = _end_text(smtp, dot_timeout_seconds=dot_timeout_seconds)
    finally:
        smtp.close()
    return Delivered(reply=reply, to=to, closed=closed_how(keys))


def as_mail(
    letter: Letter,
    *,
    server: MailOut,
    at: datetime,
    sender_name: str = "",
    portal_link: str | None = None,
    keys: MailKeys = NO_KEYS,
) -> bytes:
    """Return the letter as it goes out through `server`: to whom it goes, closed by `keys`, and signed by DKIM where a
    key is set. Raises CannotSign, or UselessKey."""
    sender = server.from_address
    to = mailable(server.recipient_override or letter.to) or letter.to
    mail = _mail(letter, to=to, sender=sender, sender_name=sender_name, at=at, portal_link=portal_link)
    if closed_how(keys):
        mail = closed(
            mail, keys=keys, subject=_subject_outside(letter), openpgp_key_file=server.openpgp_key_file,
            smime_key_file=server.smime_key_file, at=at,
        )  # fmt: skip
    text = _octets(mail)
    if not server.dkim_selector or server.dkim_key_file is None:
        return text
    domain = sender.rpartition("@")[2]
    return signed(text, selector=server.dkim_selector, domain=domain, key_file=server.dkim_key_file)


def render(
    letter: Letter, *, to: str, sender: str, sender_name: str, at: datetime, portal_link: str | None = None
) -> bytes:
    """Return the letter as a mail, with CRLF line ends. No field can begin another header."""
    return _octets(_mail(letter, to=to, sender=sender, sender_name=sender_name, at=at, portal_link=portal_link))


def _octets(mail: EmailMessage) -> bytes:
    text = mail.as_bytes()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", text), "a bare line end would let a server see two mails in one"
    return text


def _subject_outside(letter: Letter) -> str:
    """What may stand outside of a closed letter: which case it is about, and nothing of what (RFC 9788)."""
    about = letter.case or letter.report
    return f"[{about}] [...]" if about else "[...]"


def _mail(
    letter: Letter, *, to: str, sender: str, sender_name: str, at: datetime, portal_link: str | None
) -> EmailMessage:  # fmt: skip
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = _one_line(letter.subject)
    mail["From"] = Address(_one_line(sender_name), addr_spec=sender)
    mail["To"] = Address(addr_spec=to)
    mail["Date"] = format_datetime(require_aware(at))
    if letter.message_id:
        mail["Message-ID"] = letter.message_id
    if _MESSAGE_ID.fullmatch(letter.in_reply_to):
        mail["In-Reply-To"] = letter.in_reply_to
        mail["References"] = letter.in_reply_to
    mail["Auto-Submitted"] = "auto-replied" if letter.kind in ANSWERS else "auto-generated"
    if re.fullmatch(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", letter.language):
        mail["Content-Language"] = letter.language
    mail[LOOP_HEADER] = letter.key
    if to != mailable(letter.to):
        mail["X-Tipstaff-Meant-For"] = _one_line(letter.to)
    body = "\n".join(letter.body.splitlines()) + "\n"
    if portal_link is not None:
        assert re.fullmatch(r"https?://[!-~]+", portal_link), "a portal link is one ASCII word"
        body = body.replace(PORTAL_LINK, portal_link)
    _put(mail.set_content, body, subtype="plain")
    if letter.html:
        inside = letter.html
        if portal_link is not None:
            inside = inside.replace(PORTAL_LINK, html.escape(portal_link, quote=True))
        _put(mail.add_alternative, _page(inside, title=mail["Subject"], language=letter.language), subtype="html")
    for each in letter.attachments:
        mail.add_attachment(
            each.text.encode(), maintype="application", subtype="json", filename=each.name, cte="base64"
        )  # fmt: skip
    return mail


def _put(add: Callable[..., None], content: str, *, subtype: str) -> None:
    plain = content.isascii() and _longest_line(content) < 998
    add(content, subtype=subtype, cte="7bit" if plain else "quoted-printable")


def _page(inside: str, *, title: str, language: str) -> str:
    """A letter as a whole HTML document that loads nothing."""
    style = "font:15px/1.5 system-ui,sans-serif;color:#111827;max-width:42em;margin:0 auto;padding:1em"
    return (
        f'<!doctype html>\n<html lang="{html.escape(language, quote=True)}"><head><meta charset="utf-8">\n'
        f"<title>{html.escape(title)}</title></head>\n"
        f'<body style="{style}">\n{inside}\n</body></html>\n'
    )


_MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,250}>")


def _greet(server: MailOut, *, name: str, timeout_seconds: float) -> smtplib.SMTP:
    """Connect, say who we are, secure the line and log in. All that fails here is the server's or the operator's."""
    smtp = smtplib.SMTP(server.host, server.port, local_hostname=name, timeout=timeout_seconds)
    try:
        smtp.ehlo_or_helo_if_needed()
        if server.starttls:
            smtp.starttls(context=ssl.create_default_context())
            smtp.ehlo_or_helo_if_needed()
        if server.username:
            if not server.starttls and not _is_loopback(server.host):
                raise smtplib.SMTPNotSupportedError("a password is not sent in the clear; set mail_out.starttls")
            password = server.password_file.read_text("utf-8").strip() if server.password_file else ""
            smtp.login(server.username, password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _announce(smtp: smtplib.SMTP, *, reverse_path: str, to: str) -> None:
    """Name sender and recipient and ask for leave to send the text.

    A 5xx to the sender is the operator's set-up, not the letter's fault: the letter waits until that is mended.
    """
    try:
        code, words = smtp.mail(reverse_path)
        if code != 250:
            raise RefusedForNow(_reply(code, words))
        code, words = smtp.rcpt(to)
        if code not in (250, 251):
            raise _refusal(code, words)
        code, words = smtp.docmd("DATA")
        if code != 354:
            raise _refusal(code, words)
    except (OSError, smtplib.SMTPException) as why:
        raise RefusedForNow(_words_of(why)) from why


def _send_text(smtp: smtplib.SMTP, text: bytes) -> None:
    try:
        smtp.send(re.sub(rb"(?m)^\.", b"..", text))
    except (OSError, smtplib.SMTPException) as why:
        raise RefusedForNow(_words_of(why)) from why


def _end_text(smtp: smtplib.SMTP, *, dot_timeout_seconds: float) -> str:
    try:
        assert smtp.sock is not None
        smtp.sock.settimeout(dot_timeout_seconds)
        smtp.send(b".\r\n")
        code, words = smtp.getreply()
    except (OSError, smtplib.SMTPException) as why:
        raise AnswerLost(_words_of(why)) from why
    if code == -1:
        raise AnswerLost(_reply(code, words))
    if code != 250:
        raise _refusal(code, words)
    with suppress(OSError, smtplib.SMTPException):
        # Its answer is not awaited: the letter's fate is known and goes on record at once.
        smtp.send(b"QUIT\r\n")
    return _reply(code, words)


def _refusal(code: int, words: bytes) -> NotDelivered:
    return (RefusedForGood if 500 <= code <= 599 else RefusedForNow)(_reply(code, words))


def _reply(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {_one_line(text)}"[:500].strip()


def _words_of(why: BaseException) -> str:
    if isinstance(why, smtplib.SMTPResponseException):
        return _reply(why.smtp_code, why.smtp_error)
    return _one_line(f"{type(why).__name__}: {why}")[:500]


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _longest_line(text: str) -> int:
    return max(map(len, text.split("\n")))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
