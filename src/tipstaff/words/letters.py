"""Letters out: to customers and complainants."""

import enum
from dataclasses import dataclass
from datetime import datetime


class LetterKind(enum.StrEnum):
    """What a letter says."""

    NOTICE = "notice"
    """To the representative: what is alleged, what to do, by when."""
    REMINDER = "reminder"
    MEASURE_TAKEN = "measure_taken"
    MEASURE_LIFTED = "measure_lifted"
    CASE_CLOSED = "case_closed"
    DISPUTE_RECEIVED = "dispute_received"
    EXTENSION_GRANTED = "extension_granted"
    ACKNOWLEDGEMENT = "acknowledgement"
    """To the complainant: received, what we understood, the reference."""
    NEEDS_DETAIL = "needs_detail"
    NOT_OURS = "not_ours"
    TOO_OLD = "too_old"
    OUTCOME = "outcome"
    """To the complainant: what became of it; never the customer's name."""


class LetterState(enum.StrEnum):
    HELD = "held"
    """Outbound mail is not set up; nothing is lost."""
    QUEUED = "queued"
    SENDING = "sending"
    HANDING_OVER = "handing_over"
    """The text is with the mail server; its answer is not on record yet."""
    SENT = "sent"
    IN_DOUBT = "in_doubt"
    """The process died while handing over: a person decides whether to send again."""
    REFUSED = "refused"
    """The mail server refused it for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter on record. The portal link is put in only when it is sent, and never stored."""

    key: str
    """`L-000123`."""
    kind: LetterKind
    to: str
    subject: str
    body: str
    state: LetterState
    case: str | None
    report: str | None
    created_at: datetime
    sent_at: datetime | None
    message_id: str
    language: str
    detail: str = ""
    """The mail server's last words."""
    attempts: int = 0
