"""What a check of a mail's sender needs and gives; apart from the check, so that its libraries load only for one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Resolver = Callable[[str, str], list[Any]]
"""(name, type) -> records: TXT as bytes, A and AAAA as text, MX as (preference, name), PTR as text; none is an empty
list. Raises LookupFailed."""


class LookupFailed(Exception):
    """The DNS gave no answer; the question may be asked again later."""

    permanent = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MailAuthentication:
    """What was found. `vouched` is the result in one word; None where it was not or could not be checked."""

    vouched: bool | None = None
    domain: str = ""
    """The From domain."""
    dkim: tuple[tuple[str, bool], ...] = ()
    """(signing domain, whether the signature holds) of the first signatures."""
    spf: str = "none"
    arc: str = "none"
    dmarc: str = "none"
    """`pass`, `fail`, or `none` where the domain publishes no policy."""
    by: str = ""
    """`dns`, or the mail server whose note was believed."""
