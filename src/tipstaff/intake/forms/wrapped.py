"""A document that did not come by mail, as the mail that the readers know: the same document gives the same octets."""

import base64
import re

_PLAIN = re.compile(r"[^\x20-\x7e]")
_BOUNDARY = "=_tipstaff_document"
_OF_WORDS = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"


def mail_of(document: bytes, *, content_type: str, filename: str, sender: str, subject: str, words: str = "") -> bytes:
    """A mail with one file. It has no date and no Message-ID: what came twice is then known to be the same."""
    encoded = base64.encodebytes(document)
    head = (
        f"From: {_line(sender)}\r\nSubject: {_line(subject)}\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary="{_BOUNDARY}"\r\n\r\n'
        f"--{_BOUNDARY}\r\n{_OF_WORDS}"
    )
    between = (
        f"--{_BOUNDARY}\r\nContent-Type: {_line(content_type)}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{_line(filename)}"\r\n\r\n'
    )
    parts = (
        head.encode("ascii"), base64.encodebytes(words.encode("utf-8", "replace")).replace(b"\n", b"\r\n"),
        between.encode("ascii"), encoded.replace(b"\n", b"\r\n"), f"--{_BOUNDARY}--\r\n".encode("ascii"),
    )  # fmt: skip
    return b"".join(parts)


def forwarded(mail: bytes, *, sender: str, to: str, subject: str, words: str, mark: str) -> bytes:
    """A mail as somebody forwards it whole: its octets are the same. `mark` parts it from the rest."""
    parting = f"=_{_line(mark)}".encode("ascii")
    head = (
        f"From: {_line(sender)}\r\nTo: {_line(to)}\r\nSubject: {_line(subject)}\r\nMIME-Version: 1.0\r\n"
        f'Content-Type: multipart/mixed; boundary="{parting.decode("ascii")}"\r\n\r\n'
    )
    text = base64.encodebytes(words.encode("utf-8", "replace")).replace(b"\n", b"\r\n")
    return b"".join((
        head.encode("ascii"), b"--", parting, b"\r\n", _OF_WORDS.encode("ascii"), text, b"--", parting, b"\r\n",
        b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n", mail, b"\r\n--", parting, b"--\r\n",
    ))  # fmt: skip


def _line(text: str) -> str:
    return _PLAIN.sub(" ", text)[:300].replace('"', "'")
