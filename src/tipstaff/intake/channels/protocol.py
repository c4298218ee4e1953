"""What a channel and whoever takes its mails agree on. Both sides may import it."""

from typing import Protocol

from tipstaff.words import Channel


class TryAgain(Exception):
    """The mail could not be put on record now; its sender is asked to send it again."""


class Refused(Exception):
    """The mail is refused for good. The message goes to the sender, so it is one plain sentence."""


class Accept(Protocol):
    """Puts a mail on record and returns its reference once that is committed.

    Called in a thread of its own, several at a time. Raises Refused for what must not come again; anything else
    that it raises means that the sender keeps the mail and sends it again.
    """

    def __call__(
        self, raw: bytes, sender: str, recipients: tuple[str, ...], channel: Channel, *, peer: str = ""
    ) -> str:
        """`peer` is the address that handed the mail over, where that says something about its sender."""
        ...


HEADER_OCTETS = 2**20
"""A header longer than this is not looked at further; a thousand servers leave less."""


def count_hops(raw: bytes) -> int:
    """How many Received fields the mail's own header has: one for each server that it has passed (RFC 5321, 6.3)."""
    hops, start, limit = 0, 0, min(len(raw), HEADER_OCTETS)
    while start < limit:
        end = raw.find(b"\n", start, limit)
        end = limit if end < 0 else end
        if end - start <= 1 and not raw[start:end].strip(b"\r"):
            break
        hops += raw[start : start + 9].lower() == b"received:"
        start = end + 1
    return hops
