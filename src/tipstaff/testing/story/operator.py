"""Example Network, AS64500: its customers, their services, what they held and when, and the sites on its servers.

The space (RFC 5737 and RFC 3849 documentation prefixes only):

    192.0.2.0/26        business lines with an address block of their own
    192.0.2.64/26       free
    192.0.2.128/25      residential pool: a lease names the holder, and only for its time
    198.51.100.0/28     shared addresses: a block of ports names the holder (RFC 7422)
    198.51.100.16/28    free
    198.51.100.32/27    more business lines
    198.51.100.64/26    mail servers of customers
    198.51.100.128/26   the first reseller
    198.51.100.192/27   the second reseller
    198.51.100.224/27   free
    203.0.113.0/26      hosting: two shared web servers, and servers of customers' own
    203.0.113.64/26     a BGP customer's own prefix (AS64510)
    203.0.113.128/25    somebody else's
    2001:db8::/33       ours: /56 to homes, /48 to businesses
    2001:db8:8000::/33  somebody else's
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from tipstaff.words import (
    Customer,
    Holding,
    HoldingKind,
    Representative,
    Service,
    ServiceKind,
    Site,
    Standing,
    Tier,
    require_aware,
)

NAME = "Example Network"
ASN = 64500
ABUSE_ADDRESS = "abuse@operator.example.net"
LMTP_ADDRESS = "abuse-desk@operator.example.net"
"""Where the operator's own mail server hands complaints on to; an alias of the mailbox."""
SOURCE = "example day"

_OURS = (
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/25",
    "2001:db8::/33",
)


@dataclass(frozen=True, slots=True)
class _Account:
    number: int
    name: str
    email: str
    contact: str = ""
    language: str = "en"
    timezone: str = "UTC"
    reseller: int | None = None
    is_reseller: bool = False
    standing: Standing = Standing.GOOD
    services: tuple[tuple[ServiceKind, str], ...] = ((ServiceKind.ACCESS, "Line"),)


_LINE = ((ServiceKind.ACCESS, "Business line"),)
_HOME = ((ServiceKind.ACCESS, "Home line"),)
_MOBILE = ((ServiceKind.ACCESS, "Mobile line"),)
_WEB = ((ServiceKind.HOSTING, "Web space"),)
_SERVER = ((ServiceKind.COLOCATION, "Own server"),)
_MAIL = ((ServiceKind.MAIL, "Mail relay"),)

_ACCOUNTS = (
    # Business lines with a block of addresses.
    _Account(1001, "Example Bakery", "it@bakery.example.com", "Ada Example", services=_LINE),
    _Account(1002, "Sample Dental Practice", "office@dental.example.com", "Office", services=_LINE),
    _Account(
        1003,
        "Beispiel Maschinenbau GmbH",
        "technik@maschinenbau.example.com",
        "Erika Mustermann",
        language="de",
        timezone="Europe/Berlin",
        services=_LINE,
    ),
    _Account(1004, "Placeholder Logistics", "noc@logistics.example.com", "Network desk", services=_LINE),
    _Account(
        1005,
        "Specimen Architects",
        "studio@architects.example.com",
        "Studio",
        standing=Standing.TERMINATED,
        services=_LINE,
    ),
    _Account(1006, "Voorbeeld Reisbureau", "", services=_LINE),
    _Account(1007, "Sampleton Public Library", "systems@library.example.org", "Systems librarian", services=_LINE),
    _Account(
        1008,
        "Exemple Conseil SARL",
        "informatique@conseil.example.com",
        "Service informatique",
        language="fr",
        timezone="Europe/Paris",
        services=_LINE,
    ),
    # Homes behind the residential pool.
    _Account(1009, "Robin Example", "robin@home.example.net", services=_HOME),
    _Account(1010, "Sam Specimen", "sam@home.example.net", services=_HOME),
    _Account(
        1011,
        "Familie Mustermann",
        "max.mustermann@home.example.net",
        "Max Mustermann",
        language="de",
        timezone="Europe/Berlin",
        services=_HOME,
    ),
    _Account(1012, "Kim Placeholder", "kim@home.example.net", services=_HOME),
    _Account(1013, "Alex Ejemplo", "alex@home.example.net", language="es", timezone="Europe/Madrid", services=_HOME),
    _Account(1014, "Jo Exemplo", "jo@home.example.net", language="pt", timezone="Europe/Lisbon", services=_HOME),
    _Account(1015, "Pat Przykład", "pat@home.example.net", language="pl", timezone="Europe/Warsaw", services=_HOME),
    _Account(1016, "Noa Voorbeeld", "noa@home.example.net", language="nl", services=_HOME),
    # Mobile lines behind shared addresses.
    _Account(1017, "Max Beispiel", "max@mobile.example.net", language="de", services=_MOBILE),
    _Account(1018, "Toni Sample", "toni@mobile.example.net", services=_MOBILE),
    _Account(1019, "Lou Exemple", "lou@mobile.example.net", language="fr", services=_MOBILE),
    _Account(1020, "Charlie Example", "charlie@mobile.example.net", services=_MOBILE),
    # Web space on shared servers.
    _Account(1021, "Example Garden Centre", "web@garden.example.com", services=_WEB),
    _Account(1022, "Sample Yoga Studio", "hello@yoga.example.com", services=_WEB),
    _Account(1023, "Placeholder Records", "label@records.example.com", services=_WEB),
    _Account(1024, "Specimen Football Club", "committee@football.example.org", services=_WEB),
    _Account(1025, "Trattoria Esempio", "cucina@trattoria.example.com", language="it", services=_WEB),
    _Account(1026, "Sample Photo Archive", "archive@photo.example.org", services=_WEB),
    _Account(1027, "Example Chess Circle", "secretary@chess.example.org", services=_WEB),
    # Servers of their own.
    _Account(1028, "Example Game Studio", "ops@games.example.com", "Operations", services=_SERVER),
    _Account(1029, "Sample Market Figures", "sysadmin@figures.example.com", services=_SERVER),
    # Mail.
    _Account(1030, "Example Newsletter Works", "postmaster@newsletters.example.com", services=_MAIL),
    _Account(1031, "Placeholder Clinic", "it@clinic.example.org", services=_MAIL),
    # BGP.
    _Account(
        1032,
        "Specimen Exchange Cooperative",
        "noc@cooperative.example.net",
        "NOC",
        services=((ServiceKind.TRANSIT, "Transit, AS64510"),),
    ),
    # Resellers and their customers.
    _Account(
        1033,
        "Sample Hosting Reseller",
        "abuse@reseller-one.example.net",
        is_reseller=True,
        services=((ServiceKind.COLOCATION, "Rack and addresses"),),
    ),
    _Account(
        1034,
        "Beispiel Cloud Vertrieb",
        "abuse@reseller-two.example.net",
        language="de",
        timezone="Europe/Berlin",
        is_reseller=True,
        services=((ServiceKind.COLOCATION, "Rack and addresses"),),
    ),
    _Account(1035, "Example Toy Shop", "web@toys.example.com", reseller=1033, services=_SERVER),
    _Account(1036, "Sample Travel Diary", "me@diary.example.com", reseller=1033, services=_SERVER),
    _Account(1037, "Placeholder Tickets", "it@tickets.example.com", reseller=1033, services=_SERVER),
    _Account(1038, "Muster Buchhaltung", "edv@buchhaltung.example.com", reseller=1034, language="de", services=_SERVER),
    _Account(1039, "Beispiel Blumen", "laden@blumen.example.com", reseller=1034, language="de", services=_SERVER),
    # More business lines.
    _Account(1040, "Example Village Hall", "caretaker@hall.example.org", services=_LINE),
    _Account(1041, "Sample Cold Storage", "plant@cold.example.com", services=_LINE),
    _Account(1042, "Padaria Exemplo", "padaria@exemplo.example.com", language="pt", services=_LINE),
    _Account(1043, "Placeholder Students' Hall", "net@students.example.org", services=_LINE),
)


def customers() -> tuple[Customer, ...]:
    """Every account, resellers before their customers."""
    return tuple(
        Customer(
            key=f"acct-{account.number}",
            name=account.name,
            representative=Representative(
                name=account.contact or account.name,
                email=account.email,
                language=account.language,
                timezone=account.timezone,
            )
            if account.email
            else None,
            reseller=f"acct-{account.reseller}" if account.reseller else None,
            is_reseller=account.is_reseller,
            standing=account.standing,
        )
        for account in _ACCOUNTS
    )


def services() -> tuple[Service, ...]:
    """What each account bought."""
    return tuple(
        Service(
            key=f"svc-{account.number}-{number}",
            customer=f"acct-{account.number}",
            kind=kind,
            label=label,
            port=f"edge1.example.net/{account.number - 1000}" if kind is ServiceKind.ACCESS else "",
        )
        for account in _ACCOUNTS
        for number, (kind, label) in enumerate(account.services, 1)
    )


def holdings(day: datetime) -> tuple[Holding, ...]:
    """Every row of the record, keys counted from 1; times hang on `day`, the instant at which the story starts."""
    start = require_aware(day)
    return tuple(
        Holding(
            key=key,
            tier=row.tier,
            kind=row.kind,
            prefix=ip_network(row.prefix),
            held_from=start + row.since,
            held_until=None if row.until is None else start + row.until,
            customer=f"acct-{row.account}" if row.account else None,
            service=f"svc-{row.account}-1" if row.account else None,
            port_first=row.ports[0],
            port_last=row.ports[1],
            source=f"{SOURCE}, row {key}",
        )
        for key, row in enumerate(_rows(), 1)
    )


def sites(day: datetime) -> tuple[Site, ...]:
    """The virtual hosts. Two addresses carry sites of several customers, one carries three of one customer."""
    since = require_aware(day) - timedelta(days=400)
    return tuple(
        Site(
            host_name=host_name,
            address=ip_address(address),
            customer=f"acct-{account}",
            service=f"svc-{account}-1",
            since=since,
        )
        for address, host_name, account in _SITES
    )


def is_ours(network: IPv4Network | IPv6Network) -> bool:
    """True when the operator is answerable for all of it: its own space, not a neighbour's."""
    return any(
        network.subnet_of(ours)  # type: ignore[arg-type]  # Same version by the condition below.
        for ours in (ip_network(text) for text in _OURS)
        if ours.version == network.version
    )


_SITES = (
    ("203.0.113.10", "shop.garden.example.com", 1021),
    ("203.0.113.10", "www.yoga.example.com", 1022),
    ("203.0.113.10", "www.records.example.com", 1023),
    ("203.0.113.10", "www.football.example.org", 1024),
    ("203.0.113.10", "www.trattoria.example.com", 1025),
    ("203.0.113.11", "www.photo.example.org", 1026),
    ("203.0.113.11", "www.chess.example.org", 1027),
    ("203.0.113.11", "old.photo.example.org", 1026),
    ("203.0.113.20", "play.games.example.com", 1028),
    ("203.0.113.20", "forum.games.example.com", 1028),
    ("203.0.113.20", "cdn.games.example.com", 1028),
    ("203.0.113.24", "api.figures.example.com", 1029),
)


@dataclass(frozen=True, slots=True)
class _Row:
    prefix: str
    account: int | None = None
    kind: HoldingKind = HoldingKind.STATIC
    tier: Tier = Tier.CUSTOMER
    since: timedelta = timedelta(days=-400)
    until: timedelta | None = None
    ports: tuple[int, int] = (0, 65535)


def _rows() -> Iterator[_Row]:
    yield from _operator_rows()
    yield from _business_rows()
    yield from _leases()
    yield from _port_blocks()
    yield from _server_rows()
    yield from _reseller_rows()


def _operator_rows() -> Iterator[_Row]:
    """The operator's own space, cut into pieces that never overlap: pools are marked as such."""
    pools = {"192.0.2.128/25", "198.51.100.0/28", "203.0.113.10/31"}
    pieces = (
        "192.0.2.0/26",
        "192.0.2.64/26",
        "192.0.2.128/25",
        "198.51.100.0/28",
        "198.51.100.16/28",
        "198.51.100.32/27",
        "198.51.100.64/26",
        "198.51.100.128/26",
        "198.51.100.192/26",
        "203.0.113.0/29",
        "203.0.113.8/31",
        "203.0.113.10/31",
        "203.0.113.12/30",
        "203.0.113.16/28",
        "203.0.113.32/27",
        "203.0.113.64/26",
        "2001:db8::/33",
    )
    for piece in pieces:
        yield _Row(
            piece,
            kind=HoldingKind.POOL if piece in pools else HoldingKind.STATIC,
            tier=Tier.OPERATOR,
            since=timedelta(days=-500),
        )


def _business_rows() -> Iterator[_Row]:
    yield _Row("192.0.2.8/29", 1001)
    yield _Row("192.0.2.16/29", 1002)
    yield _Row("192.0.2.24/29", 1003)
    yield _Row("192.0.2.32/29", 1004)
    # The terminated customer: the line ended two days before the story.
    yield _Row("192.0.2.40/30", 1005, until=timedelta(days=-2))
    yield _Row("192.0.2.44/30", 1006)
    yield _Row("192.0.2.48/29", 1007)
    yield _Row("192.0.2.56/29", 1008)
    yield _Row("198.51.100.32/29", 1040)
    yield _Row("198.51.100.40/29", 1041)
    yield _Row("198.51.100.48/29", 1042)
    yield _Row("198.51.100.56/29", 1043)
    yield _Row("2001:db8:104::/48", 1004, HoldingKind.DELEGATED)
    yield _Row("2001:db8:107::/48", 1007, HoldingKind.DELEGATED)


def _lease(address: str, account: int, first_hour: float, last_hour: float | None) -> _Row:
    until = None if last_hour is None else timedelta(hours=last_hour)
    return _Row(f"{address}/32", account, HoldingKind.LEASE, since=timedelta(hours=first_hour), until=until)


def _leases() -> Iterator[_Row]:
    """Hours from the start of the story; before it they are negative."""
    # One address, four holders within two days: the time decides.
    yield _lease("192.0.2.131", 1009, -40, -22)
    yield _lease("192.0.2.131", 1010, -21.5, -8)
    yield _lease("192.0.2.131", 1011, -7.75, 4)
    yield _lease("192.0.2.131", 1012, 4.5, None)
    # Kept for weeks: even a report without a time finds one holder.
    yield _lease("192.0.2.140", 1013, -24 * 60, None)
    yield _lease("192.0.2.141", 1014, -24 * 60, None)
    # Changed hands on the morning of the day.
    yield _lease("192.0.2.150", 1015, -30, 6)
    yield _lease("192.0.2.150", 1016, 6.25, None)
    yield _lease("192.0.2.151", 1016, -72, 6)
    yield _lease("192.0.2.152", 1015, 6.25, None)
    yield _lease("192.0.2.160", 1009, -22, None)
    yield _lease("192.0.2.161", 1010, -7.9, None)
    # Homes have a prefix of IPv6 that stays.
    yield _Row("2001:db8:2:900::/56", 1009, HoldingKind.DELEGATED)
    yield _Row("2001:db8:2:1000::/56", 1010, HoldingKind.DELEGATED)
    yield _Row("2001:db8:2:1200::/56", 1012, HoldingKind.DELEGATED)


def _port_blocks() -> Iterator[_Row]:
    """Deterministic NAT: 8,192 ports each, from 1024 up. On .5 the blocks changed hands at the start of the story."""
    for address, accounts, first_hour, last_hour in (
        ("198.51.100.4", (1017, 1018, 1019, 1020), -24.0 * 90, None),
        ("198.51.100.5", (1020, 1019), -24.0 * 30, 0.0),
        ("198.51.100.5", (1019, 1020), 0.0, None),
    ):
        for number, account in enumerate(accounts):
            first_port = 1024 + 8192 * number
            yield _Row(
                f"{address}/32",
                account,
                HoldingKind.PORT_BLOCK,
                since=timedelta(hours=first_hour),
                until=None if last_hour is None else timedelta(hours=last_hour),
                ports=(first_port, first_port + 8191),
            )


def _server_rows() -> Iterator[_Row]:
    yield _Row("203.0.113.20/32", 1028)
    yield _Row("203.0.113.24/29", 1029)
    yield _Row("198.51.100.66/32", 1030)
    yield _Row("198.51.100.67/32", 1031)
    yield _Row("203.0.113.64/26", 1032)
    yield _Row("2001:db8:6500::/40", 1032)


def _reseller_rows() -> Iterator[_Row]:
    yield _Row("198.51.100.128/26", 1033, tier=Tier.RESELLER)
    yield _Row("198.51.100.192/27", 1034, tier=Tier.RESELLER)
    yield _Row("198.51.100.130/32", 1035)
    yield _Row("198.51.100.131/32", 1036)
    yield _Row("198.51.100.132/32", 1037)
    yield _Row("198.51.100.194/32", 1038)
    yield _Row("198.51.100.195/32", 1039)
