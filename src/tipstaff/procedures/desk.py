"""What every story needs besides the rooms: the operator's facts, the editions in force, and the ways out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from tipstaff.config import BrandConfig
from tipstaff.enforcement.planner import Ability
from tipstaff.intake.files import Scanner
from tipstaff.intake.protocol import Parser
from tipstaff.intake.trust.found import MailAuthentication
from tipstaff.policy import Edition
from tipstaff.policy.shadow import Shadow
from tipstaff.words import Allegation, Announcer, Customer, Role


def _nobody(name: str) -> frozenset[Role]:
    return frozenset()


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Built once by wiring and handed to each procedure."""

    operator: str
    abuse_address: str
    own_addresses: frozenset[str]
    """Addresses that letters come from: mail from them is our own coming back."""
    own_domains: frozenset[str]
    editions: tuple[Edition, ...]
    parsers: tuple[Parser, ...]
    abilities: Callable[[datetime], tuple[Ability, ...]]
    """What the configured devices can do at a moment, and what may not be sent to them."""
    mail_out_ready: bool
    """False while the operator has not said where letters go: they are written and held."""
    complainant_hourly_max: int
    enqueue: Callable[[str, str], None]
    """(job, key): runs after the transaction that asked for it, and only if that one is committed."""
    seal: Callable[[bytes], bytes]
    """Encrypts for the sealed queue; whoever can seal cannot open."""
    portal_link: Callable[[str, datetime], str]
    """(case, now) -> the address a customer answers at."""
    policy_link: Callable[[str], str]
    """Where an edition is shown to everybody, with what it changes."""
    report_link: Callable[[str, datetime], str]
    """(report, now) -> the address at which a complainant sees what became of it."""
    brand: str = ""
    """The brand by whose name it speaks; empty is the operator's own."""
    on_host_of: Callable[[BrandConfig, str], str] = field(default=lambda brand, link: link)
    """A link to our pages as it leads to a brand's own host."""
    brands: Mapping[str, BrandConfig] = field(default_factory=dict)
    """The operator's brands by name."""
    announcer_of: Callable[[IPv4Address | IPv6Address], Announcer | None] = field(default=lambda address: None)
    """Who likely holds an address that is not ours."""
    roles_of: Callable[[str], frozenset[Role]] = _nobody
    """The roles that a member of staff holds now; none for a stranger, and none for the program itself."""
    shadow: Shadow | None = None
    """An edition that is asked beside the one in force, and decides nothing."""
    authenticate: Callable[[bytes, str, str], MailAuthentication | None] = field(default=lambda raw, peer, sender: None)
    """(mail, the address that handed it over, envelope sender): who vouches for it; None where nothing is checked."""
    saw_the_same: Callable[[Allegation], bool | None] = field(default=lambda allegation: None)
    """What the operator's own telemetry says of an allegation; None where it cannot tell."""
    flood_hourly: int = 100
    """Reports in an hour against one customer, by senders without a record, that make a flood."""
    archive_passwords: tuple[str, ...] = ()
    """Passwords agreed with reporters, for locked archives."""
    scanners: tuple[Scanner, ...] = ()
    """What looks through files that come with reports."""
    zone: str = "UTC"
    """Where the operator's own days begin and end."""
    file_octets_max: int = 25 * 1024 * 1024
    """Larger files are not examined."""

    def speaking_to(self, customer: Customer | None) -> "Desk":
        """The desk by the name and address under which this customer knows it: their brand's, where it has any."""
        return self.speaking_as(customer.brand if customer is not None else "")

    def speaking_as(self, name: str) -> "Desk":
        """The desk by the name, the address and the host of a brand."""
        brand = self.brands.get(name)
        if brand is None:
            return self
        policy_link, on_host_of = self.policy_link, self.on_host_of
        return replace(
            self, operator=brand.shown_as or brand.name, abuse_address=brand.address or self.abuse_address,
            brand=brand.name, policy_link=lambda edition: on_host_of(brand, policy_link(edition)),
        )  # fmt: skip
