"""Which mails are so heavy that a process unfolds one of them at a time. Pure."""

from typing import Final

LIGHT_OCTETS: Final = 2**20
"""A mail up to this size may be unfolded beside others, unless it holds an archive."""
_ARCHIVES = (b"UEsDB", b"H4sI", b"PK\x03\x04", b"\x1f\x8b\x08")
"""The first octets of a ZIP archive and of a gzip file (RFC 1952, 2.3), in base64 and as they are."""


def is_heavy(raw: bytes) -> bool:
    """Whether a mail may take many times `LIGHT_OCTETS` once it is unfolded."""
    return len(raw) > LIGHT_OCTETS or any(sign in raw for sign in _ARCHIVES)
