"""Letters out: to customers and complainants."""

import enum
from dataclasses import dataclass
from datetime import datetime

from .holders import MailKeys


class LetterKind(enum.StrEnum):
    """What a letter says."""

    NOTICE = "notice"
    """To the representative: what is alleged, what to do, by when."""
    REMINDER = "reminder"
    """To the representative: the deadline is near."""
    MEASURE_TAKEN = "measure_taken"
    """To the representative: what is touched, since when, until when, how it is lifted."""
    MEASURE_LIFTED = "measure_lifted"
    """To the representative: the measure is gone, and shown to be."""
    CASE_CLOSED = "case_closed"
    """To the representative: how the case ended."""
    DISPUTE_RECEIVED = "dispute_received"
    """To the representative: somebody else reviews it and the clock stands."""
    EXTENSION_GRANTED = "extension_granted"
    """To the representative: the new deadline."""
    POLICY_CHANGE = "policy_change"
    """To the representative: the acceptable use policy changes, from when, and what."""
    POLICY_KEPT = "policy_kept"
    """To the representative: a change of the policy that was announced does not come; what counts goes on counting."""
    FILTER = "filter"
    """To the representative: a filter in the network touches what is theirs, from when, until when, and why."""
    FILTER_ENDED = "filter_ended"
    """To the representative: that filter is gone."""
    ADDRESS_QUESTION = "address_question"
    """To the representative, who agreed to be asked: who had this address and port at that time?"""
    LOG_IN_LINK = "log_in_link"
    """To somebody of a customer's: a link by which they log in, once and within a day."""
    CONTACT_CHECK = "contact_check"
    """To somebody whom a customer proposes as a contact: a link by which they agree to get such letters."""
    KEY_CHECK = "key_check"
    """To a contact, closed by the key that they gave: a link by which they show that they can open it."""
    CONTACTS_CHANGED = "contacts_changed"
    """To the contacts of before: a customer's people changed who is written to, and to whom letters go now."""
    PASSED_ON = "passed_on"
    """To a reseller's own customer: the reseller passes a case on, with a link to its page."""
    PASSED_ON_ANSWERED = "passed_on_answered"
    """To who passed a case on: their customer has answered, on the case's page."""
    WEBHOOK_OFF = "webhook_off"
    """To the representative: a webhook of theirs takes nothing and was switched off."""
    ACKNOWLEDGEMENT = "acknowledgement"
    """To the complainant: received, what we understood, the reference."""
    NEEDS_DETAIL = "needs_detail"
    """To the complainant: what is missing, and why that decides."""
    NOT_OURS = "not_ours"
    """To the complainant: it is not in this network."""
    TOO_OLD = "too_old"
    """To the complainant: it is older than the records or the policy reach."""
    IN_TOUCH = "in_touch"
    """To the complainant: an address at which the matter can be settled; of a desk, or of somebody who agreed."""
    OUTCOME = "outcome"
    """To the complainant: what became of it; never the customer's name."""


class Missing(enum.StrEnum):
    """What a report lacks before anybody can be told of it."""

    ADDRESS = "address"
    """The address that did it."""
    SOURCE_PORT = "source_port"
    """Many customers share the address; the port at that second tells them apart."""
    DESTINATION = "destination"
    """With whom the connection was: several connections may have had the port at once."""
    TIME = "time"
    """When it happened."""
    TIME_AHEAD = "time_ahead"
    """When it happened: the time that was stated lies after the report came in."""
    TIME_UNREAD = "time_unread"
    """When it happened: a time was stated, in a way that could not be understood."""
    ZONE = "zone"
    """A time came without a zone, and the zone decides who held the address."""
    EVIDENCE = "evidence"
    """The lines that show it."""


class SourceKind(enum.StrEnum):
    """What kind of reporter a customer is told of: never which one."""

    PERSON = "person"
    """Somebody who writes themselves."""
    NETWORK_OPERATOR = "network_operator"
    """Another network's desk or its program."""
    FEEDBACK_LOOP = "feedback_loop"
    """A mail provider whose users press "this is spam" (ARF)."""
    MEASUREMENT = "measurement"
    """An organisation that scans the internet for the public good."""
    RIGHTS_HOLDER = "rights_holder"
    """Who owns a work, or acts for them."""
    OWN_SENSOR = "own_sensor"
    """The operator's own measurement."""
    UNKNOWN = "unknown"
    """It cannot be told."""


class LetterState(enum.StrEnum):
    """Where a letter stands between being written and being the mail server's."""

    HELD = "held"
    """Outbound mail is not set up; nothing is lost."""
    QUEUED = "queued"
    """It waits for its next attempt."""
    SENDING = "sending"
    """A worker has called the mail server; nothing is handed over yet."""
    HANDING_OVER = "handing_over"
    """The text is with the mail server; its answer is not on record yet."""
    SENT = "sent"
    """The mail server took it; its words are on record."""
    RETURNED = "returned"
    """The mail server took it, and it came back: it reached nobody."""
    IN_DOUBT = "in_doubt"
    """The process died while handing over: a person decides whether to send again."""
    WITHDRAWN = "withdrawn"
    """It was not sent, because what it says no longer holds."""
    REFUSED = "refused"
    """The mail server refused it for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that goes with a letter."""

    name: str
    """`C-000123-1.xarf.json`."""
    text: str
    """JSON."""


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
    html: str = ""
    """The same words as HTML."""
    diverted: bool = False
    """It went to the recipient override of a staging set-up, and so told its reader nothing."""
    attachments: tuple[Attachment, ...] = ()
    brand: str = ""
    """The brand under whose name it goes; empty is the operator's own."""
    log_in: str | None = None
    """Whose log-in its link is for: `12-3`, the third link of the twelfth person."""
    keys: MailKeys | None = None
    """It goes closed by these and by no other, whatever stands on record for its reader; None goes by the record."""
