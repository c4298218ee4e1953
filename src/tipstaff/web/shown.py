"""How words look on a page: labels, tones and times. Pure."""

import enum
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from tipstaff.words import (
    Answer,
    AuditFound,
    Case,
    CaseOutcome,
    CaseState,
    Degree,
    EditionState,
    Entry,
    FilterState,
    Grade,
    Ground,
    LetterKind,
    LetterState,
    MeasureState,
    Proof,
    ReportOutcome,
    Scope,
    Severity,
)

from .said import day

_LABELS: tuple[tuple[enum.Enum, str, str], ...] = (
    (CaseState.OPENED, "Opened", "blue"),
    (CaseState.WAITING_PERSON, "Waits for a person", "violet"),
    (CaseState.NOTIFIED, "Customer told", "blue"),
    (CaseState.EXTENDED, "More time given", "blue"),
    (CaseState.DISPUTED, "Disputed", "violet"),
    (CaseState.OVERDUE, "Overdue", "red"),
    (CaseState.MEASURE_PLANNED, "Measure planned", "amber"),
    (CaseState.MEASURE_IN_FORCE, "Measure in force", "amber"),
    (CaseState.FIXED, "Fixed, lifting", "green"),
    (CaseState.MONITORED, "Fixed, watched", "green"),
    (CaseState.APPEALED, "Appealed", "violet"),
    (CaseState.CLOSED, "Closed", "green"),
    (CaseOutcome.NONE, "No outcome yet", "grey"),
    (CaseOutcome.FIXED, "Fixed", "green"),
    (CaseOutcome.FIXED_AFTER_MEASURE, "Fixed after a measure", "green"),
    (CaseOutcome.NOT_UPHELD, "Not upheld", "grey"),
    (CaseOutcome.WITHDRAWN, "Withdrawn", "grey"),
    (CaseOutcome.MERGED, "Merged", "grey"),
    (ReportOutcome.RECEIVED, "Received", "blue"),
    (ReportOutcome.SET_ASIDE, "Set aside", "grey"),
    (ReportOutcome.WITH_A_PERSON, "With a person", "violet"),
    (ReportOutcome.SEALED, "Sealed", "red"),
    (ReportOutcome.NOT_OURS, "Not ours", "grey"),
    (ReportOutcome.NEEDS_DETAIL, "Detail asked for", "amber"),
    (ReportOutcome.TOO_OLD, "Too old", "grey"),
    (ReportOutcome.DUPLICATE, "Duplicate", "grey"),
    (ReportOutcome.FORWARDED, "With the customer", "blue"),
    (ReportOutcome.FIXED, "Fixed", "green"),
    (ReportOutcome.MEASURE_TAKEN, "Measure taken", "amber"),
    (ReportOutcome.NOT_UPHELD, "Not upheld", "grey"),
    (Severity.LOW, "Low", "grey"),
    (Severity.MEDIUM, "Medium", "blue"),
    (Severity.HIGH, "High", "amber"),
    (Severity.CRITICAL, "Critical", "red"),
    (MeasureState.PLANNED, "Planned", "blue"),
    (MeasureState.APPLYING, "Being applied", "amber"),
    (MeasureState.IN_FORCE, "In force", "amber"),
    (MeasureState.LIFTING, "Being lifted", "blue"),
    (MeasureState.LIFTED, "Lifted", "green"),
    (MeasureState.FAILED, "Failed", "red"),
    (Proof.NONE, "Nothing shown yet", "grey"),
    (Proof.ACK, "Device took it", "amber"),
    (Proof.CONFIG, "In its settings", "amber"),
    (Proof.STATE, "Read back", "blue"),
    (Proof.PROBE, "Shown by traffic", "green"),
    (EditionState.DRAFT, "Draft", "grey"),
    (EditionState.APPROVED, "Approved", "blue"),
    (EditionState.COMPILED, "Compiled", "blue"),
    (EditionState.ANNOUNCED, "Announced", "amber"),
    (EditionState.POSTED, "Posted", "green"),
    (EditionState.WITHDRAWN, "Given up", "grey"),
    (LetterState.HELD, "Held: no mail server", "amber"),
    (LetterState.QUEUED, "Queued", "blue"),
    (LetterState.SENDING, "Sending", "blue"),
    (LetterState.HANDING_OVER, "Handing over", "blue"),
    (LetterState.SENT, "Sent", "green"),
    (LetterState.RETURNED, "Came back", "red"),
    (LetterState.IN_DOUBT, "In doubt", "violet"),
    (LetterState.WITHDRAWN, "Withdrawn", "grey"),
    (LetterState.REFUSED, "Refused", "red"),
    (AuditFound.MET, "Met", "green"),
    (AuditFound.NOT_MET, "Not met", "red"),
    (AuditFound.UNKNOWN, "Not known", "grey"),
    (FilterState.PROPOSED, "Proposed", "amber"),
    (FilterState.AGREED, "Agreed; being told", "blue"),
    (FilterState.STANDS, "Stands", "red"),
    (FilterState.ENDED, "Ended", "grey"),
    (FilterState.REFUSED, "Not wanted", "grey"),
    (LetterKind.NOTICE, "Notice to the customer", "blue"),
    (LetterKind.REMINDER, "Reminder", "blue"),
    (LetterKind.MEASURE_TAKEN, "Measure taken", "amber"),
    (LetterKind.MEASURE_LIFTED, "Measure lifted", "green"),
    (LetterKind.CASE_CLOSED, "Case closed", "green"),
    (LetterKind.DISPUTE_RECEIVED, "Dispute received", "violet"),
    (LetterKind.EXTENSION_GRANTED, "More time given", "blue"),
    (LetterKind.POLICY_CHANGE, "Policy changes", "blue"),
    (LetterKind.POLICY_KEPT, "Policy does not change", "blue"),
    (LetterKind.FILTER, "A filter touches what is theirs", "amber"),
    (LetterKind.FILTER_ENDED, "A filter is gone", "green"),
    (LetterKind.ADDRESS_QUESTION, "Question who had an address", "blue"),
    (LetterKind.IN_TOUCH, "Put in touch", "blue"),
    (LetterKind.LOG_IN_LINK, "Link to log in", "grey"),
    (LetterKind.CONTACT_CHECK, "Asked to be a contact", "grey"),
    (LetterKind.KEY_CHECK, "Key to be shown as theirs", "grey"),
    (LetterKind.CONTACTS_CHANGED, "Contacts changed", "amber"),
    (LetterKind.PASSED_ON, "Passed on by a reseller", "blue"),
    (LetterKind.PASSED_ON_ANSWERED, "Answer to what was passed on", "blue"),
    (LetterKind.WEBHOOK_OFF, "Webhook switched off", "amber"),
    (LetterKind.ACKNOWLEDGEMENT, "Acknowledgement", "grey"),
    (LetterKind.NEEDS_DETAIL, "Detail asked for", "amber"),
    (LetterKind.NOT_OURS, "Not ours", "grey"),
    (LetterKind.TOO_OLD, "Too old", "grey"),
    (LetterKind.OUTCOME, "Outcome to the complainant", "green"),
    (Grade.CONFIRMED, "Confirmed", "green"),
    (Grade.PROBABLE, "Probable", "blue"),
    (Grade.AMBIGUOUS, "Ambiguous", "violet"),
    (Grade.CONTRADICTED, "Contradicted", "red"),
    (Grade.NO_DATA, "No data", "grey"),
    (Grade.NONE, "None", "grey"),
    (Answer.FIXED, "It is fixed", "green"),
    (Answer.NEED_TIME, "More time, please", "blue"),
    (Answer.DISPUTE, "We dispute it", "violet"),
    (Answer.WRONG_CUSTOMER, "That is not us", "amber"),
    (Ground.LAW, "The law demands it", "red"),
    (Ground.LIABILITY, "Serious liability", "red"),
    (Ground.NETWORK_HARM, "Harm to the network or others is under way", "red"),
    (Ground.LISTING, "Listing of our addresses is imminent", "red"),
    (Scope.FORGED, "forged packets of one port", "grey"),
    (Scope.ITEM, "one item", "grey"),
    (Scope.MAILBOX, "one mailbox", "grey"),
    (Scope.HOST_NAME, "one host name", "grey"),
    (Scope.FLOW, "one port of one address", "grey"),
    (Scope.ROUTE, "one announced prefix", "grey"),
    (Scope.ADDRESS, "one address", "grey"),
    (Scope.PREFIX, "a prefix", "grey"),
    (Scope.SESSION, "one session", "grey"),
    (Scope.SERVICE, "a service", "grey"),
    (Scope.ACCOUNT, "the account", "grey"),
    (Degree.NOTIFY, "Notify", "grey"),
    (Degree.RATE_LIMIT, "Limit the rate", "blue"),
    (Degree.HOLD, "Hold", "blue"),
    (Degree.BLOCK, "Block", "amber"),
    (Degree.WALLED_GARDEN, "Walled garden", "amber"),
    (Degree.DISCONNECT, "Disconnect", "red"),
    (Degree.SUSPEND, "Suspend", "red"),
    (Degree.TERMINATE, "Terminate", "red"),
)
# A StrEnum member equals its string, so `fixed` of one enum equals `fixed` of another: look up by class and name.
_BY_NAME: Mapping[tuple[type, str], tuple[str, str]] = MappingProxyType(
    {(type(word), word.name): (label, tone) for word, label, tone in _LABELS}
)
_TYPE_TONES = MappingProxyType(
    {
        "messaging": "amber",
        "connection": "red",
        "content": "violet",
        "copyright": "blue",
        "infrastructure": "red",
        "vulnerability": "teal",
        "reputation": "grey",
    }
)
_TYPE_LABELS = MappingProxyType(
    {
        "connection/ddos": "Denial of service",
        "connection/sql_injection": "SQL injection",
        "content/csam": "Child abuse",
        "content/csem": "Child abuse",
        "copyright/p2p": "Copyright, peer to peer",
        "copyright/ugc_platform": "Copyright, user platform",
        "vulnerability/cve": "Known weakness",
        "vulnerability/open_service": "Open service",
    }
)

COUNTED_MAX = 10_000
"""Nothing is counted further for a page to say how many there are: nobody reads so far, and counting reads them all."""


def label(word: object) -> str:
    """The word as a person would say it."""
    if word is None or word == "":
        return "—"
    if isinstance(word, enum.Enum) and (type(word), word.name) in _BY_NAME:
        return _BY_NAME[type(word), word.name][0]
    text = word.name if isinstance(word, enum.Enum) else str(word)
    return text.replace("_", " ").capitalize() if text.isupper() or "_" in text or text.islower() else text


def tone(word: object) -> str:
    """The colour that goes with the word: red, amber, green, blue, violet, teal or grey."""
    if isinstance(word, enum.Enum) and (type(word), word.name) in _BY_NAME:
        return _BY_NAME[type(word), word.name][1]
    return "grey"


def type_label(xarf_type: str) -> str:
    """`connection/login_attack` as "Login attack"."""
    known = _TYPE_LABELS.get(xarf_type)
    return known or xarf_type.rpartition("/")[2].replace("_", " ").capitalize() or "—"


def type_tone(xarf_type: str) -> str:
    return _TYPE_TONES.get(xarf_type.partition("/")[0], "grey")


def span(seconds: float) -> str:
    """A length of time in its largest sensible unit: "40 s", "12 min", "7 h", "3 d"."""
    whole = abs(int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    if whole < 48 * 3600:
        return f"{whole // 3600} h"
    return f"{whole // 86400} d"


def ago(then: datetime | None, *, at: datetime) -> str:
    """How long ago; in the future, "in 3 h"."""
    if then is None:
        return "—"
    gap = (at - then).total_seconds()
    if abs(gap) < 5:
        return "now"
    return span(gap) if gap > 0 else f"in {span(gap)}"


@dataclass(frozen=True, slots=True)
class Reader:
    """How whoever reads a page of the console wants times."""

    zone: ZoneInfo | None = None
    """None is UTC."""
    dates: str = ""
    """The language that dates are written in; empty is `2026-11-23`, as the record has it."""


READER: ContextVar[Reader | None] = ContextVar("reader", default=None)
"""Who reads the page that is being made."""


def stamp(then: datetime | None, seconds: str = "", *, zone: ZoneInfo | None = None) -> str:
    """`2026-11-23 05:48 UTC`; in the reader's zone and way, or in `zone`. With "s" to the second."""
    if then is None:
        return "—"
    reader = READER.get() or Reader()
    local = then.astimezone(zone or reader.zone or UTC)
    hour = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    if reader.dates:
        return f"{day(reader.dates, local)}, {hour} {local.tzname()}"
    return f"{local:%Y-%m-%d} {hour} {local.tzname()}"


_WORK_DONE = frozenset({CaseState.CLOSED, CaseState.FIXED})
_NO_CLOCK = frozenset({CaseState.DISPUTED, CaseState.WAITING_PERSON, CaseState.MEASURE_IN_FORCE})


def due_words(case: Case, *, at: datetime) -> tuple[str, str]:
    """When the customer's time ends, and its tone: ("in 3 h", "grey"), ("2 d over", "red")."""
    if case.due_at is None or case.state in _WORK_DONE:
        return "—", "grey"
    if case.state in _NO_CLOCK:
        return "clock stands", "grey"
    left = (case.due_at - at).total_seconds()
    if left <= 0:
        return f"{span(left)} over", "red"
    return f"in {span(left)}", "amber" if left < SOON.total_seconds() else "grey"


def instant(text: object, beside: object = None) -> str:
    """An instant as the record keeps it (`2026-11-23T05:48:00Z`) as a person reads it.

    To the minute; to the second where `beside`, the other end of its span, lies in the same minute.
    """
    if not text:
        return ""
    seconds = "s" if str(text)[:16] == str(beside)[:16] else ""
    try:
        then = datetime.fromisoformat(str(text))
    except ValueError:
        return str(text)
    return stamp(then if then.tzinfo is not None else then.replace(tzinfo=UTC), seconds)


def length_words(length: timedelta | None) -> str:
    """How long one has: "24 hours", "14 days"."""
    if length is None:
        return "—"
    hours = int(length.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 72 and hours % 24 == 0 else f"{hours} hour{'' if hours == 1 else 's'}"


def ground_words(ground: str) -> str:
    """A ground of urgency as it was kept, in words."""
    return label(Ground(ground)) if ground in set(Ground) else ground


SOON = timedelta(hours=4)


def initials(name: str) -> str:
    """`mary.king` as "MK", `admin` as "AD"."""
    parts = [p for p in name.replace("_", ".").replace("-", ".").replace(" ", ".").split("@")[0].split(".") if p]
    return (parts[0][0] + parts[1][0] if len(parts) > 1 else name[:2]).upper()


def size_words(octets: int) -> str:
    """`1 843 200` as "1.8 MB"."""
    if octets < 1000:
        return f"{octets} B"
    for unit, factor in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if octets < factor * 1000 or unit == "GB":
            return f"{octets / factor:.1f} {unit}"
    raise AssertionError(octets)


def who(entry: Entry) -> str:
    """Who did what an entry says, and through which token if through one."""
    token = entry.detail.get("by_token")
    return f"{entry.actor} by the token {token}" if token else entry.actor
