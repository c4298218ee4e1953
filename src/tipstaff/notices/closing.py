"""Put a mail into another that only its reader can open, by OpenPGP or S/MIME; its subject goes inside (RFC 9788)."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Final

from tipstaff.host.envelopes import UselessKey, check_openpgp, check_smime, close_openpgp, close_smime
from tipstaff.words import MailKeys

NO_KEYS: Final = MailKeys()
_OF_THE_CONTENT: Final = ("content-", "mime-version")


def closed_how(keys: MailKeys) -> str:
    """By what a letter is closed for whoever has these keys; empty for none."""
    return "OpenPGP" if keys.openpgp else "S/MIME" if keys.smime else ""


def usable(keys: MailKeys, *, at: datetime) -> MailKeys:
    """Those of the keys that close a letter at `at`: one of several that does not stops nothing.

    Raises UselessKey where there are keys and not one is left, with what is wrong with the first.
    """
    refusals: list[UselessKey] = []

    def left(given: tuple[str, ...], check: Callable[..., str]) -> Iterator[str]:
        for key in given:
            try:
                check(key, at=at)
            except UselessKey as why:
                refusals.append(why)
            else:
                yield key

    found = MailKeys(openpgp=tuple(left(keys.openpgp, check_openpgp)), smime=tuple(left(keys.smime, check_smime)))
    if refusals and not closed_how(found):
        raise refusals[0]
    return found


def closed(
    mail: EmailMessage,
    *,
    keys: MailKeys,
    subject: str,
    openpgp_key_file: Path | None,
    smime_key_file: Path | None,
    at: datetime,
) -> EmailMessage:
    """The mail as only the owners of `keys` can read it. `subject` is what stands outside. Raises UselessKey.

    Everything of the letter is inside, its own headers too: the reader's program shows those.
    """
    outer = EmailMessage(policy=SMTP)
    for name, value in mail.items():
        if not name.lower().startswith(_OF_THE_CONTENT) and name.lower() != "content-language":
            outer[name] = subject if name.lower() == "subject" else str(value)
    inside = _inside(mail, outer)
    if keys.openpgp:
        text = close_openpgp(inside, keys.openpgp, own_key_file=openpgp_key_file, at=at)
        outer["MIME-Version"] = "1.0"
        outer["Content-Type"] = (
            f'multipart/encrypted; protocol="application/pgp-encrypted"; boundary="{secrets.token_hex(16)}"'
        )
        outer.attach(_part(b"Version: 1\n", "pgp-encrypted"))
        outer.attach(_part(text, "octet-stream", name="encrypted.asc"))
        return outer
    text = close_smime(inside, keys.smime, own_key_file=smime_key_file, at=at)
    outer.set_content(
        text, maintype="application", subtype="pkcs7-mime", cte="base64", disposition="attachment",
        filename="smime.p7m", params={"smime-type": "enveloped-data", "name": "smime.p7m"},
    )  # fmt: skip
    return outer


def _inside(mail: EmailMessage, outer: EmailMessage) -> bytes:
    """The part that is closed: it says itself which of its headers stand outside, and how (RFC 9788, section 2)."""
    del mail["MIME-Version"]
    mail.set_param("hp", "cipher")
    mail.set_param("protected-headers", "v1")  # Its forerunner, which more programs read so far.
    for name, value in outer.items():
        mail["HP-Outer"] = f"{name}: {value}"
    return mail.as_bytes()


def _part(content: bytes, subtype: str, *, name: str = "") -> EmailMessage:
    part = EmailMessage(policy=SMTP)
    part.set_content(content, maintype="application", subtype=subtype, cte="7bit")
    if name:
        part.add_header("Content-Disposition", "inline", filename=name)
    del part["MIME-Version"]
    return part
