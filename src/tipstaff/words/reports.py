"""What came in, and what somebody says happened. A complaint is not a fact."""

import enum
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address

from .moments import Moment

XARF_TYPES: frozenset[str] = frozenset(
    {
        "messaging/spam",
        "messaging/bulk_messaging",
        "connection/login_attack",
        "connection/port_scan",
        "connection/ddos",
        "connection/infected_host",
        "connection/reconnaissance",
        "connection/scraping",
        "connection/sql_injection",
        "connection/vulnerability_scan",
        "content/phishing",
        "content/malware",
        "content/csam",
        "content/csem",
        "content/exposed_data",
        "content/brand_infringement",
        "content/fraud",
        "content/remote_compromise",
        "content/suspicious_registration",
        "copyright/copyright",
        "copyright/p2p",
        "copyright/cyberlocker",
        "copyright/link_site",
        "copyright/ugc_platform",
        "copyright/usenet",
        "infrastructure/botnet",
        "infrastructure/compromised_server",
        "vulnerability/cve",
        "vulnerability/open_service",
        "vulnerability/misconfiguration",
        "reputation/blocklist",
        "reputation/threat_intelligence",
    }
)
"""The types of XARF 4.2, `category/type` (xarf-spec, schemas/v4/types)."""

SEALED_TYPES: frozenset[str] = frozenset({"content/csam", "content/csem"})
"""Types whose reports go to the sealed queue only (clause row 41)."""


class Channel(enum.StrEnum):
    """The way by which evidence came in."""

    SMTP = "smtp"
    """By mail, from a mail server or directly."""
    LMTP = "lmtp"
    """By mail, from the operator's own mail server."""
    FILE = "file"
    """From a file."""
    WEB = "web"
    """By the operator's form."""
    API = "api"
    """By a program, over the REST endpoint."""
    IMAP = "imap"
    """Fetched from a mailbox at a mail server."""
    FEED = "feed"
    """Fetched from a feed on a schedule."""
    SENSOR = "sensor"
    """Handed in by a sensor of the operator's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Bytes as they came, named by their SHA-256. The bytes themselves stay in the ledger's vault."""

    digest: str
    """SHA-256 (hex) of the bytes as received, media included."""
    size: int
    """Octets as received."""
    received_at: datetime
    channel: Channel
    sender: str
    """The envelope's reverse-path, empty for a bounce."""
    recipients: tuple[str, ...] = ()
    sealed: bool = False
    """True when the bytes went to the sealed queue: only their digest may leave it."""


class ReadingOutcome(enum.StrEnum):
    """What a reader makes of a mail."""

    COMPLAINT = "complaint"
    """It alleges something; the allegations say what."""
    NOT_A_COMPLAINT = "not_a_complaint"
    """Set aside with its reason; it can be found again."""
    UNREADABLE = "unreadable"
    """A person must look."""
    SEALED = "sealed"
    """It goes to the sealed queue; nothing more is read of it."""


class ReadingReason(enum.StrEnum):
    """Why a mail was read as it was."""

    UNDERSTOOD = "UNDERSTOOD"
    """Type and source were read surely."""
    UNSURE = "UNSURE"
    """Something was read, but not surely enough to act on; a person confirms it."""
    AUTO_REPLY = "AUTO_REPLY"
    """A program's answer to a letter."""
    BOUNCE = "BOUNCE"
    """A mail server could not deliver something."""
    NEWSLETTER = "NEWSLETTER"
    """Advertisement or a list's mail, about no abuse."""
    OWN_LETTER = "OWN_LETTER"
    """One of our own letters on its way round."""
    REPLY = "REPLY"
    """Somebody answers a letter of ours; a person reads it."""
    NOT_ABUSE = "NOT_ABUSE"
    """It speaks of no abuse, or belongs to a matter in hand."""
    IN_HAND = "IN_HAND"
    """It answers a letter of the desk's; a person reads on in the matter."""
    EMPTY = "EMPTY"
    """It holds no words."""
    NO_SOURCE = "NO_SOURCE"
    """It names no address, URL or host that could have done it."""
    BROKEN_FORM = "BROKEN_FORM"
    """It claims a form (XARF, ACNS ...) and does not keep to it."""
    HOSTILE_FORM = "HOSTILE_FORM"
    """Its form attacks the reader, as XML with a document type does."""
    TOO_MANY_SOURCES = "TOO_MANY_SOURCES"
    """It names more sources than one report may."""
    TOO_DEEP = "TOO_DEEP"
    """Mails in mails or archives in archives beyond the bound."""
    TOO_LARGE = "TOO_LARGE"
    """It unfolds to more than the bound."""
    CHILD_ABUSE = "CHILD_ABUSE"
    """It is about child-abuse material."""
    COUNSEL_ALONE = "COUNSEL_ALONE"
    """A person named a clause whose reports counsel alone reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allegation:
    """What a reporter says happened. Not yet believed."""

    type: str
    """XARF v4 `category/type`."""
    source: IPv4Address | IPv6Address | None = None
    """The address that is said to have done it."""
    source_port: int | None = None
    url: str | None = None
    """The item complained about, refanged."""
    domain: str | None = None
    """A host name complained about, in its ASCII (IDNA) form."""
    protocol: str | None = None
    target: str | None = None
    """The victim as stated: an address, a network or a name."""
    target_port: int | None = None
    moment: Moment | None = None
    unread_time: str | None = None
    """The words of a time that was stated and not understood; then `moment` is None, and nobody is named by it."""
    excerpt: str = ""
    """The lines that show it, verbatim and bounded; not yet redacted."""
    work: str | None = None
    """The work of a copyright notice."""
    claimant: str | None = None
    confidence: float = 1.0
    """How sure the reader is of type and source, 0 to 1."""
    cited: str | None = None
    """The clause that a person names for it, whatever its type leads to; no reader sets it."""

    @property
    def category(self) -> str:
        return self.type.partition("/")[0]

    @property
    def offender(self) -> str:
        """The alleged source in words: a URL, else an address, else a host name."""
        return self.url or (str(self.source) if self.source else None) or self.domain or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Who complains. Never shown to a customer."""

    address: str = ""
    """Where an answer goes; empty when none may be sent."""
    name: str = ""
    reference: str = ""
    """The reporter's own reference for this report."""
    message_id: str = ""
    subject: str = ""
    language: str = ""
    """The language in which they wrote, as a tag (RFC 5646), `de`; `und` for one that is surely none of those that we
    write; empty where it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something in a mail that could be what it means, for the person who decides."""

    kind: str
    """`address` or `host`."""
    value: str
    likelihood: float
    """How likely it is meant, 0 to 1."""
    chosen: bool
    """Whether the reader would take it."""
    why: tuple[str, ...] = ()
    """The cues and words that spoke most for it."""
    line: str = ""
    """The first line that names it, verbatim and bounded; not redacted."""
    ours: bool = False
    """Whether it lies in the operator's own space or is a site of a customer, and is not only somebody's target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one mail says: allegations, or why there is none."""

    outcome: ReadingOutcome
    reason: ReadingReason
    allegations: tuple[Allegation, ...] = ()
    reporter: Reporter = field(default_factory=Reporter)
    parser: str = ""
    """The name of the parser that read it."""
    detail: str = ""
    """One sentence for a person, when the reason needs one."""
    marks: tuple[Mark, ...] = field(default=(), compare=False)
    """Of an unsure reading the candidates, the likeliest first. They are not kept: reading again gives them again."""


class ReportOutcome(enum.StrEnum):
    """What became of one report, as its complainant may be told (clause row 90)."""

    RECEIVED = "received"
    """On record; not judged yet."""
    SET_ASIDE = "set_aside"
    """No complaint."""
    WITH_A_PERSON = "with_a_person"
    """A person reads or decides."""
    SEALED = "sealed"
    """In the sealed queue."""
    NOT_OURS = "not_ours"
    """Not in this network at that time."""
    NEEDS_DETAIL = "needs_detail"
    """The complainant was asked for what is missing."""
    TOO_OLD = "too_old"
    """Older than the records or the policy reach."""
    DUPLICATE = "duplicate"
    """The same reporter told of the same event before."""
    FORWARDED = "forwarded"
    """The holder was told; the case is open."""
    FIXED = "fixed"
    """The holder ended it."""
    MEASURE_TAKEN = "measure_taken"
    """A measure stops it."""
    NOT_UPHELD = "not_upheld"
    """A person found no breach of the policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One complaint with its own identity, whatever case it joins."""

    key: str
    """`R-000123`."""
    evidence: str
    received_at: datetime
    channel: Channel
    sender: str
    outcome: ReportOutcome
    outcome_reason: str
    reading: Reading | None
    incidents: tuple["Incident", ...] = ()
    """What a list shows may be the first few only."""
    incident_total: int = 0
    """How many it has in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One allegation of a report, and what became of it."""

    key: str
    """`R-000123.1`."""
    allegation: Allegation
    outcome: ReportOutcome
    reason: str
    case: str | None

    @property
    def conduct(self) -> Allegation:
        """What is judged."""
        return self.allegation
