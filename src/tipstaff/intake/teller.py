"""Whether two reports were told by the same: by what was shown of a sender, not by a name that anybody can write."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from tipstaff.words import Channel

KEYS = ("token ", "feed ")
"""How the vouching begins of what somebody handed in with a key of ours, or we fetched ourselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Who told a report, as far as the way by which it came shows it."""

    report: str
    """Its key: what one report tells twice is told by one, whoever it was."""
    address: str
    by: str = ""
    """`token NAME` or `feed NAME`, whoever handed it in under one."""
    vouched: bool | None = None
    domain: str = ""
    """The From domain of a mail that was checked."""
    channel: str = ""

    @property
    def keyed(self) -> bool:
        return self.by.startswith(KEYS)

    @property
    def nobody(self) -> bool:
        """Whoever told it has shown nothing of themselves. In a form anybody writes whatever address they like: an
        answer that another report of that address is known already would tell them who complained."""
        if self.keyed:
            return False
        if self.channel == Channel.WEB or self.vouched is False or not self.address:
            return True
        return bool(self.vouched) and not within(self.address, self.domain)

    def told(self) -> Q:
        """Which incidents the same told, this report's own among them."""
        own = Q(report__key=self.report)
        if self.nobody:
            return own
        if self.keyed:
            return own | Q(report__authentication__by=self.by, report__reporter_address=self.address)
        named = Q(report__reporter_address=self.address) | Q(report__reporter_address="", report__sender=self.address)
        shown = Q(report__authenticated=True, report__authentication__domain__in=domains_above(self.address))
        return own | (~Q(report__channel=Channel.WEB) & named & (shown if self.vouched else _UNCHECKED))

    def sql(self) -> tuple[str, list[Any]]:
        """The same of a row `r` of reports, but for the report itself, and the parameters."""
        if self.nobody:
            return "FALSE", []
        if self.keyed:
            return "r.authentication->>'by' = %s AND r.reporter_address = %s", [self.by, self.address]
        named = "r.channel <> 'web' AND (r.reporter_address = %s OR (r.reporter_address = '' AND r.sender = %s))"
        if self.vouched:
            shown = "r.authenticated AND r.authentication->>'domain' = ANY(%s)"
            return f"{named} AND {shown}", [self.address, self.address, domains_above(self.address)]
        return f"{named} AND r.authenticated IS NULL", [self.address, self.address]


_UNCHECKED = Q(report__authenticated__isnull=True)
"""Where nothing is checked, the answer goes to that address alone."""


def within(address: str, domain: str) -> bool:
    """Whether a mail address is at that domain, or below it."""
    return bool(domain) and domain.lower().rstrip(".") in domains_above(address)


def domains_above(address: str) -> list[str]:
    """The domain of a mail address and those above it."""
    labels = address.rpartition("@")[2].lower().rstrip(".").split(".")
    return [".".join(labels[n:]) for n in range(len(labels))]
