"""A customer's own check: can it be said who of theirs did something? What each point asks, and how it stands."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


class AuditPoint(enum.StrEnum):
    """One point of the check. The first ones our own records show; the last ones the customer says."""

    CONTACT = "contact"
    """Somebody is named to whom we write about abuse, and letters reach them."""
    SECOND_CONTACT = "second_contact"
    """A second one is named, for when the first is away."""
    ANSWERS = "answers"
    """Whatever we asked about within a year was answered by its date."""
    ADDRESS_QUESTION = "address_question"
    """The last time that we asked who had one of their addresses, the answer was right, or an honest none."""
    MAIL_PEER = "mail_peer"
    """The mail server notes the address that connects, as our last test message showed."""
    MAIL_HEADERS = "mail_headers"
    """Mail shows the way that it took, as our last test message showed."""
    USENET_PATH = "usenet_path"
    """The news server writes a truthful path, as our last test article showed."""
    USERS_KNOWN = "users_known"
    """Whoever uses the services has an account or a contract under a name that was checked."""
    USE_RECORDED = "use_recorded"
    """It is recorded who had which address and log-in at which time, for as long as the law allows."""
    COMPLAINTS_READ = "complaints_read"
    """A person reads what comes to the address for complaints, on every working day."""
    USERS_TOLD = "users_told"
    """Users are bound to rules on abuse, and are told when they break them."""


DECLARED = (AuditPoint.USERS_KNOWN, AuditPoint.USE_RECORDED, AuditPoint.COMPLAINTS_READ, AuditPoint.USERS_TOLD)
"""Points that the customer answers; our records cannot show them."""
KNOWN_MIN = 4
"""Of fewer points that are known nothing is made: no score is said, and nobody is judged."""


class AuditFound(enum.StrEnum):
    """How one point stands."""

    MET = "met"
    """Something shows that it is so, or the customer says it."""
    NOT_MET = "not_met"
    """Something shows that it is not so, or the customer says it."""
    UNKNOWN = "unknown"
    """Nothing shows it either way: it counts for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfAudit:
    """A customer's check as it came out at one time."""

    customer: str
    at: datetime
    points: Mapping[AuditPoint, AuditFound]

    @property
    def known(self) -> int:
        """Of how many points it is known how they stand."""
        return sum(found is not AuditFound.UNKNOWN for found in self.points.values())

    @property
    def score_percent(self) -> int | None:
        """Of the points that are known, how many are met; None where too few are known."""
        if self.known < KNOWN_MIN:
            return None
        return 100 * sum(found is AuditFound.MET for found in self.points.values()) // self.known
