"""The end of a mail in an SMTP conversation, and the dots that stand for dots (RFC 5321, 4.5.2).

Only CRLF "." CRLF ends a mail. A bare LF or a bare CR is an octet of the mail like any other: a server that took
LF "." LF for the end would read the rest of a stranger's mail as commands ("SMTP smuggling").
"""

END = b"\r\n.\r\n"


class Undotter:
    """Takes the octets after DATA piece by piece; gives back the mail's own."""

    def __init__(self) -> None:
        self._kept = b"\r\n"  # The mail begins at the start of a line; these two octets are not part of it.
        self._skip = 2
        self.rest: bytes | None = None
        """What came after the end; None until the end came."""

    def feed(self, piece: bytes) -> bytes:
        """The mail's octets that are certain by now."""
        assert self.rest is None, "the mail has ended"
        block = self._kept + piece
        end = block.find(END)
        if end >= 0:
            self.rest = block[end + len(END) :]
            certain = block[: end + 2]
        else:
            keep = next(n for n in range(len(END) - 1, -1, -1) if block.endswith(END[:n]))
            self._kept = block[len(block) - keep :]
            certain = block[: len(block) - keep]
        undotted = certain.replace(b"\r\n.", b"\r\n")
        skip = min(self._skip, len(undotted))
        self._skip -= skip
        return undotted[skip:]
