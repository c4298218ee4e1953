"""What can be set. Each field's docstring is its documentation; `docs/operate/settings.md` is held to it by a test."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple


class Bounds(NamedTuple):
    """What a number may be, both ends included; it stands beside its setting and is checked in `load`."""

    least: int
    most: int = 10**9


Port = Annotated[int, Bounds(0, 65535)]
"""One to listen on; 0 lets the system choose."""
PortOrOff = Annotated[int, Bounds(-1, 65535)]
PortElsewhere = Annotated[int, Bounds(1, 65535)]
Positive = Annotated[int, Bounds(1)]


def _default_data_folder() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or os.path.join(os.path.expanduser("~"), ".local", "share")
    return Path(base) / "tipstaff"


@dataclass(frozen=True, kw_only=True)
class Server:
    data_folder: Path = field(default_factory=_default_data_folder)
    """Where the embedded database, keys and logs live; private to the user who runs Tipstaff."""
    flows_folder: Path | None = None
    """Where flows of per-flow NAT logs are kept; empty: `flows` in the data folder."""
    flows_days_max: Annotated[int, Bounds(0, 36500)] = 0
    """So many days after its end a flow is forgotten, at the next import of a NAT log; 0 keeps all."""
    database_url: str | None = None
    """A PostgreSQL server of your own (`postgresql://...`); without it the embedded one is started."""
    editions_folder: Path | None = None
    """Your own editions of the policy, adopted at the first start in place of the shipped one."""
    first_edition_since: str = ""
    """Only where the words of your first editions were posted to customers already, elsewhere: since when, with a zone,
    as `2026-01-01T00:00:00Z`. The policy's page says that you state it. Empty: they count from the first start."""
    shadow_folder: Path | None = None
    """An edition that is asked beside the one in force: it decides nothing, and its disagreements are on record."""
    shadow_clauses: tuple[str, ...] = ()
    """Only these clauses of it, beside all others of the edition in force; without it the whole edition."""
    profiles_folder: Path | None = None
    """Profiles of known reporters, one TOML file each with its samples beside it; a changed file counts at once."""


@dataclass(frozen=True, kw_only=True)
class Operator:
    name: str = "Example Network"
    """The name that letters and pages carry."""
    abuse_address: str = "abuse@operator.example.net"
    """The reporting mailbox; letters about complaints come from it unless `mail_out.from_address` says otherwise."""
    own_domains: tuple[str, ...] = ("operator.example.net",)
    """Domains of the operator's own: mail from them is never taken for a stranger's complaint loop."""
    zone: str = ""
    """Where the operator's days begin and end, as `Europe/Berlin`: clocks that run on the operator count them there.
    Empty: the one zone of the country in the edition's locale (`de-AT`), or UTC where it names none or one of many."""


@dataclass(frozen=True, kw_only=True)
class Web:
    host: str = "127.0.0.1"
    """The address that the console and the portal listen on."""
    port: Port = 8080
    """The TCP port that they listen on."""
    public_url: str = ""
    """How the world reaches it, for links in letters; empty means `http://host:port`."""
    processes: Annotated[int, Bounds(1, 64)] = 1
    """Server processes."""
    live_pages: Annotated[int, Bounds(0, 500)] = 32
    """Open pages of the console that each of them tells of changes at once; further ones ask by themselves."""
    proxies: tuple[str, ...] = ()
    """Addresses of reverse proxies of yours; only what they say in `X-Forwarded-For` is believed about who asks."""


@dataclass(frozen=True, kw_only=True)
class Staff:
    """How staff log in."""

    second_factor_for: tuple[str, ...] = ()
    """Roles whose holders may do nothing before they have a passkey or a code app; `*` is everybody."""
    openid_issuer: str = ""
    """Your identity provider's issuer, as it writes it (OpenID Connect); empty: staff log in here only."""
    openid_client_id: str = ""
    """The name under which it knows this desk."""
    openid_secret_file: Path | None = None
    """A file with the secret that goes with it; without one, the desk is a public client that PKCE protects."""
    openid_name: str = "your company"
    """What the log-in page calls it."""
    openid_groups_claim: str = "groups"
    """The claim that names a person's groups."""
    openid_roles: tuple[str, ...] = ()
    """`group=role` each: members get an account and these roles, at each log-in. Empty: only linked accounts log in."""
    closed_groups: tuple[str, ...] = ()
    """`group=role` each: what a clause group's cases hold is seen by the roles named for it alone, on every page, in
    every search and number. For what is rare: a page leaves out each such case by its key."""


@dataclass(frozen=True, kw_only=True)
class Api:
    """How programs use the desk."""

    token_a_minute: Annotated[int, Bounds(0, 100_000)] = 600
    """Requests that one token may make in a minute; beyond it the answer is 429. 0 is any number."""
    address_a_minute: Annotated[int, Bounds(0, 100_000)] = 1200
    """Requests to the API from one address (of IPv6 one /64) in a minute; 0 is any number."""
    webhook_hosts: tuple[str, ...] = ()
    """Where events may be sent: host names, `*.name`, and addresses or networks that are inside. None without it."""


@dataclass(frozen=True, kw_only=True)
class Portal:
    """How customers use the portal."""

    webhook_hosts: tuple[str, ...] = ()
    """Where customers may have events of their cases sent: host names, `*.name`, `*` for every name that leads outside
    (https at port 443 alone), and addresses or networks that are inside. Without it customers make no webhooks."""
    openid_issuer: str = ""
    """The issuer of an identity provider for customers, as it writes it (OpenID Connect); empty: log-in here only."""
    openid_client_id: str = ""
    """The name under which it knows the portal."""
    openid_secret_file: Path | None = None
    """A file with the secret that goes with it; without one, the portal is a public client that PKCE protects."""
    openid_name: str = "your company"
    """What the log-in page calls it."""


@dataclass(frozen=True, kw_only=True)
class MailIn:
    host: str = "127.0.0.1"
    """The address that the complaint mailbox listens on by SMTP."""
    smtp_port: PortOrOff = 2525
    """SMTP port; 0 lets the system choose, -1 turns it off."""
    lmtp_host: str = "127.0.0.1"
    """The address that LMTP listens on. It is for the operator's own mail server: no source is slowed down there."""
    lmtp_port: PortOrOff = 2424
    """LMTP port; 0 lets the system choose, -1 turns it off."""
    max_mib: Annotated[int, Bounds(1, 1024)] = 50
    """Largest mail taken, in MiB."""
    memory_mib: Positive = 256
    """All mails under way together, in MiB; beyond it senders are asked to come back."""
    recipients: tuple[str, ...] = ()
    """Addresses or @domains taken besides the operator's own abuse address; anything else is refused."""
    tls_certificate: Path | None = None
    """A certificate with its chain, in PEM: then SMTP offers STARTTLS."""
    tls_key: Path | None = None
    """Its private key, in PEM."""
    mails_a_minute: Annotated[int, Bounds(0)] = 120
    """From one source by SMTP, beyond which it is asked to come back; 0 is any number. LMTP is not counted."""
    archive_passwords_file: Path | None = None
    """A file with passwords agreed with reporters, one a line, tried on locked ZIP archives and XLSX files."""


@dataclass(frozen=True, kw_only=True)
class MailOut:
    host: str = ""
    """The mail server that letters go to. While it is empty, letters are written and held, none is sent."""
    port: PortElsewhere = 25
    """Its port."""
    starttls: bool = False
    """Ask for TLS before anything is said."""
    username: str = ""
    """Log-in at the mail server, if it wants one."""
    password_file: Path | None = None
    """A file that holds the password; the password itself is never a setting."""
    from_address: str = ""
    """Who letters come from; empty means the operator's abuse address."""
    dkim_selector: str = ""
    """The name under which the DKIM key is published; empty means that letters go out unsigned."""
    dkim_key_file: Path | None = None
    """The private key; `tipstaff letters dkim-key FILE` makes one and prints its DNS record."""
    openpgp_key_file: Path | None = None
    """Our OpenPGP secret key, by which letters that are closed by a contact's key are signed inside; `tipstaff letters
    openpgp-key FILE` makes one. Without it they are closed and not signed."""
    smime_key_file: Path | None = None
    """The same for S/MIME: private key and certificate (then those above it), PEM, in one file."""
    recipient_override: str = ""
    """For staging: every letter goes to this address instead."""
    complainant_hourly_max: Positive = 20
    """Letters to one complainant in an hour; a storm beyond it is not answered; outcomes are always told."""
    paper_font: Path | None = None
    """A TrueType font (`.ttf`, `.ttc`) for Japanese letters on paper; empty: one that is installed is looked for."""
    announcements_file: Path | None = None
    """A table of who announces which addresses, to name the likely holder of what is not ours."""


@dataclass(frozen=True, kw_only=True)
class ReportsIn:
    """Reports that do not come by mail: the REST endpoint and the public form."""

    tokens_file: Path | None = None
    """A file with a line `name token` for each program that may report over `/api/reports/in`; without it none may."""
    queue_max: Positive = 5000
    """Reports that may wait to be read; beyond it programs are asked to come back (429)."""
    form: bool = True
    """Whether the public page offers a form."""


@dataclass(frozen=True, kw_only=True)
class SightingsIn:
    """What your own sensors hand in."""

    tokens_file: Path | None = None
    """A file with a line `name token` for each sensor that may hand in over `/api/sightings/in`; none may without."""


@dataclass(frozen=True, kw_only=True)
class TrustIn:
    """How far reports are believed."""

    resolver: str = ""
    """The address of a DNS resolver, asked for DKIM, SPF and DMARC of complaints; empty: nothing is ever looked up."""
    own_server: str = ""
    """Your mail server's name in its `Authentication-Results`; its note on DMARC is then believed (RFC 8601)."""
    arc_sealers: tuple[str, ...] = ()
    """Domains whose ARC seal is believed, as of a mailing list that changes mail."""
    flood_hourly: Positive = 100
    """Reports in an hour against one customer, by senders without a record, that make a flood; a person looks then."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files that come with reports, looked through by scanners of yours; what they say decides nothing."""

    clamd: str = ""
    """Where a ClamAV daemon listens: `/run/clamav/clamd.ctl` or `127.0.0.1:3310`; empty: it is not asked."""
    yara_rules: Path | None = None
    """A file of YARA rules, or a folder of `*.yar`; it needs the extra `tipstaff[files]`."""
    max_mib: Annotated[int, Bounds(1, 1024)] = 25
    """Larger files are not examined."""
    timeout_seconds: Positive = 30
    """How long one scanner may take over one file."""


@dataclass(frozen=True, kw_only=True)
class ProberConfig:
    """Looks at what was reported, after a fix and before its case closes."""

    run: bool = False
    """Run the prober beside the others. It looks only at your own customers' addresses, and once counsel let it."""
    a_minute: Annotated[int, Bounds(1, 600)] = 6
    """Looks that are made in a minute at the most."""
    wait_seconds: Annotated[int, Bounds(1, 30)] = 4
    """How long an answer is waited for."""
    name: str = ""
    """A host name of yours that name servers are asked for; empty: the first of your own domains."""
    through: tuple[str, ...] = ()
    """A command put before the program that looks, `ip netns exec customers`: it looks from there."""


@dataclass(frozen=True, kw_only=True)
class DeviceConfig:
    name: str
    """The device's name in plans and pages."""
    driver: str
    """A driver's name: a built-in one (`nftables`, `nginx`, `rpz`, `ansible`, `memory` ...) or a plug-in's."""
    options: dict[str, object] = field(default_factory=dict)
    """The driver's own keys; the driver checks them."""
    protected: tuple[str, ...] = ()
    """Addresses, prefixes, host names and mail addresses that no measure may ever touch."""
    let_pass_by: tuple[str, ...] = ()
    """Two people who let a mass of new measures pass that is held back; take them out again afterwards."""
    shortest_ipv4: Annotated[int, Bounds(8, 32)] = 24
    """The shortest IPv4 prefix that one measure may take in; 32 for single addresses only."""
    shortest_ipv6: Annotated[int, Bounds(16, 128)] = 48
    """The shortest IPv6 prefix that one measure may take in."""
    new_measures_max: Positive = 100
    """The fuse: more new measures than this within an hour wait for two people."""
    maintenance: tuple[str, ...] = ()
    """When it is left alone, in UTC: `sun 02:00-04:00`, `daily 23:30-00:30`, or two instants with `/` between."""


@dataclass(frozen=True, kw_only=True)
class MailboxConfig:
    name: str
    """Its name in the log; what was taken is remembered under it."""
    kind: str
    """`maildir`, `mbox` or `imap`."""
    path: Path | None = None
    """The folder of a Maildir, or the mbox file."""
    host: str = ""
    """The mail server, for `imap`."""
    port: PortElsewhere = 993
    """Its port."""
    tls: str = "tls"
    """`tls`, `starttls`, or `none`, which is taken for this machine itself only."""
    username: str = ""
    """Log-in at the mail server."""
    password_file: Path | None = None
    """A file that holds the password."""
    folder: str = "INBOX"
    """The folder that complaints are in."""
    every_seconds: Annotated[int, Bounds(1, 86400)] = 60
    """How often it is looked into; an IMAP server that can tell of new mail (IDLE) is waited for instead."""


@dataclass(frozen=True, kw_only=True)
class FeedConfig:
    name: str
    """Its name in reports and in the log; what was seen is remembered under it."""
    kind: str
    """`shadowserver`, `spamhaus-drop`, `urlhaus`, `threatfox`, `scores`, or a plug-in's."""
    url: str = ""
    """Where it is fetched; empty means the publisher's own address."""
    every_minutes: Annotated[int, Bounds(1, 10080)] = 60
    """How often; never more often than the publisher's terms allow."""
    key_file: Path | None = None
    """A file with the key that the publisher gave."""
    secret_file: Path | None = None
    """A file with the secret that requests are signed with, where there is one."""
    options: dict[str, object] = field(default_factory=dict)
    """The kind's own keys."""


COLOURS = ("grey", "blue", "green", "teal", "violet", "amber", "red")
"""The colours that a brand may take: each is legible on light and on dark."""


@dataclass(frozen=True, kw_only=True)
class BrandConfig:
    name: str
    """As the registry's customers name it: `north`."""
    shown_as: str = ""
    """What letters and pages call it; empty: its name."""
    address: str = ""
    """Where its letters come from, and what its pages name for questions; empty: the operator's own."""
    public_url: str = ""
    """How the world reaches its pages, for links in its letters; empty: `[web] public_url`."""
    mark: str = ""
    """A few letters in place of a logo."""
    colour: str = "grey"
    """Of the mark: `grey`, `blue`, `green`, `teal`, `violet`, `amber` or `red`."""
    language: str = "en"
    """Of its pages, for who wishes none."""
    timezone: str = "UTC"
    """Of its pages, for whom the registry has none."""
    to_complainants: bool = False
    """Whether those who complain hear under it about its customers: everybody knows which networks are this brand's."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    clock_file: Path | None = None
    """Only in `tipstaff demo`: a file with the seconds that the example day is ahead of the real clock."""


@dataclass(frozen=True, kw_only=True)
class Config:
    server: Server = field(default_factory=Server)
    operator: Operator = field(default_factory=Operator)
    web: Web = field(default_factory=Web)
    staff: Staff = field(default_factory=Staff)
    api: Api = field(default_factory=Api)
    portal: Portal = field(default_factory=Portal)
    mail_in: MailIn = field(default_factory=MailIn)
    mail_out: MailOut = field(default_factory=MailOut)
    reports_in: ReportsIn = field(default_factory=ReportsIn)
    sightings_in: SightingsIn = field(default_factory=SightingsIn)
    trust: TrustIn = field(default_factory=TrustIn)
    files: Files = field(default_factory=Files)
    prober: ProberConfig = field(default_factory=ProberConfig)
    demo: Demo = field(default_factory=Demo)
    devices: tuple[DeviceConfig, ...] = ()
    mailboxes: tuple[MailboxConfig, ...] = ()
    feeds: tuple[FeedConfig, ...] = ()
    brands: tuple[BrandConfig, ...] = ()
    path: Path | None = None
    """The file that was read, if one was."""
    places: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False, compare=False)
    """(section, key) or (section, name of a table) -> where it is set: file and line, or a variable's name."""

    def where(self, section: str, key: str) -> str:
        """The beginning of a sentence about a setting: where it is set, and its name."""
        place = self.places.get((section, key), "")
        if place.startswith("environment"):
            return place
        return f"{place or 'unless set otherwise'}: [{section}] {key}"

    def where_table(self, section: str, name: str) -> str:
        """The same about one of many tables."""
        return f"{self.places.get((section, name), '')}: [[{section}]]".removeprefix(": ")

    @property
    def public_url(self) -> str:
        return self.web.public_url.rstrip("/") or f"http://{self.web.host}:{self.web.port}"

    @property
    def from_address(self) -> str:
        return self.mail_out.from_address or self.operator.abuse_address

    @property
    def public_url_local(self) -> str:
        """Where this machine reaches the web process itself."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.web.host, self.web.host)  # noqa: S104 - only compared
        return f"http://[{host}]:{self.web.port}" if ":" in host else f"http://{host}:{self.web.port}"
