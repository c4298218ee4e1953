"""Which mails are so heavy that a process unfolds one of them at a time. Pure; a few passes, whatever the mail is."""

import base64
import re
from collections.abc import Sequence
from typing import Final

from .locked_office import SIGN

LIGHT_OCTETS: Final = 2**20
"""A mail up to this size may be unfolded beside others, unless it holds an archive."""


def is_heavy(raw: bytes) -> bool:
    """Whether a mail may take many times `LIGHT_OCTETS` once it is unfolded."""
    if len(raw) > LIGHT_OCTETS or any(sign.search(raw) for sign in _ARCHIVES):
        return True
    small = (
        b"\n" + raw.lower()
    )  # Searched for a plain beginning, which is many times faster than letters of either case.
    return any(sign.search(small) for sign in _ODD) or _encodes_a_mail(small)


def _in_base64(characters: bytes) -> bytes:
    """A pattern for these characters, with what a decoder passes over between them (RFC 2045, 6.8)."""
    return rb"[^A-Za-z0-9+/]*+".join(bytes((c,)) for c in characters)


def _as_octets(octets: Sequence[int]) -> bytes:
    """A pattern for these octets, each as it is or quoted, with soft line breaks between them (RFC 2045, 6.7)."""
    each = (b"(?:" + re.escape(bytes((octet,))) + b"|(?i:=%02X))" % octet for octet in octets)
    return rb"(?:=[ \t]*+\r?\n)*+".join(each)


_ZIP, _GZIP, _BZIP2, _XZ = b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0"
"""The first octets of a ZIP archive, and of a gzip (RFC 1952, 2.3), bzip2 and xz file."""
_BZIP2_GOES_ON = rb"(?:=[ \t]*+\r?\n)*+(?:[1-9]|=3[1-9])(?:=[ \t]*+\r?\n)*+(?:[1\x17]|=31|=17)"
"""A digit, and a block or the end: its three letters alone stand in much that is written in base64."""
_LOCKED = SIGN[:5]
"""Of a compound file: a locked spreadsheet is an archive once it is opened."""
_ARCHIVES = tuple(
    re.compile(sign)
    for sign in (
        _in_base64(b"UEsDB"),
        _in_base64(b"H4sI"),
        _in_base64(base64.b64encode(_BZIP2)) + rb"[^A-Za-z0-9+/]*+[M-O]",
        _in_base64(base64.b64encode(_XZ)),
        _in_base64(base64.b64encode(_LOCKED)[:6]),
        *(first + b"(?:=[ \t]*+\r?\n)*+" + _as_octets(_ZIP[1:]) for first in (b"P", b"=50")),
        *(first + b"(?:=[ \t]*+\r?\n)*+" + _as_octets(_GZIP[1:]) for first in (b"\x1f", b"=1[Ff]")),
        *(first + b"(?:=[ \t]*+\r?\n)*+" + _as_octets(_BZIP2[1:]) + _BZIP2_GOES_ON for first in (b"B", b"=42")),
        *(first + b"(?:=[ \t]*+\r?\n)*+" + _as_octets(_XZ[1:]) for first in (b"\xfd", b"=[Ff][Dd]")),
        *(first + b"(?:=[ \t]*+\r?\n)*+" + _as_octets(_LOCKED[1:]) for first in (b"\xd0", b"=[Dd]0")),
    )
)
_ODD = (
    # Hardly anything comes so any more: it is not worth a look inside.
    re.compile(rb"\ncontent-transfer-encoding\s*+:\s*+(?:x-)?uue"),
    # The reader undoes an encoded word there, although nobody may write one (RFC 2047, 5).
    re.compile(rb"\ncontent-transfer-encoding\s*+:\s*+[^\n]*=\?"),
    re.compile(rb"\ncontent-type\s*+:\s*+[^;\n]*=\?"),
)

_MAIL_INSIDE = re.compile(rb"message/(?:rfc822|global)\b")
_ENCODED = re.compile(rb"\ncontent-transfer-encoding\s*+:\s*+(?:base64|quoted-printable)")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_MANY = 400


def _encodes_a_mail(small: bytes) -> bool:
    """Whether a mail inside this one is encoded, which it must not be (RFC 2046, 5.2.1): what is in it cannot be seen
    before it is unfolded. More mails inside than are unfolded count as such a one."""
    inside = 0
    begin = 0  # Of the lines, up to the next empty one, that are headers if anything says so.
    while (found := _MAIL_INSIDE.search(small, begin)) is not None:
        inside += 1
        if inside > _MANY:
            return True
        for empty in _EMPTY_LINE.finditer(small, begin, found.start()):
            begin = empty.end() - 1
        after = _EMPTY_LINE.search(small, found.end())
        end = after.start() if after is not None else len(small)
        if _ENCODED.search(small, begin, end):
            return True
        begin = end
    return False
