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


class Missing(enum.StrEnum):
    """What a report lacks before anybody can be told of it."""

    ADDRESS = "address"
    SOURCE_PORT = "source_port"
    """Many customers share the address; the port at that second tells them apart."""
    TIME = "time"
    ZONE = "zone"
    """A time came without a zone, and the zone decides who held the address."""
    EVIDENCE = "evidence"


class SourceKind(enum.StrEnum):
    """What kind of reporter a customer is told of: never which one."""

    PERSON = "person"
    NETWORK_OPERATOR = "network_operator"
    FEEDBACK_LOOP = "feedback_loop"
    """A mail provider whose users press "this is spam" (ARF)."""
    MEASUREMENT = "measurement"
    """An organisation that scans the internet for the public good."""
    RIGHTS_HOLDER = "rights_holder"
    OWN_SENSOR = "own_sensor"
    UNKNOWN = "unknown"


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
    in_reply_to: str = ""
    """Message-ID of the mail that this letter answers or follows, for threading."""
