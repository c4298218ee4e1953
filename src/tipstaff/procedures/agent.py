"""Our agent for copyright notices: who it is, since when it stands in the public directory, and until when that holds.

A page names it while the entry holds. The edition says how long that is (37 CFR 201.38(c)(4)), and its clause for how
long we say so; neither is this program's to choose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of
from tipstaff.policy import edition_to_go_by
from tipstaff.policy.deciding import may_decide
from tipstaff.policy.kinds import Event
from tipstaff.words import Entry, Role

from .answer_clock import ends_for_us
from .desk import Desk
from .suspension import NotYourDecision

DESIGNATED, ABOUT, CLOCK = "agent.designated", "agent", "copyright.agent_renewal"
NEEDED = ("name", "address", "phone", "email")
"""What a designation says of an agent (17 U.S.C. 512(c)(2)(A))."""


class NotADesignation(ValueError):
    """A designation lacks something that the law asks for; the message says what. Nothing was noted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who receives notices, as it stands in the directory."""

    name: str
    address: str
    phone: str
    email: str
    entered_at: datetime
    lapses_at: datetime | None
    """When the entry lapses unless it is renewed; None where the edition has no such clock."""
    stands: bool
    """Whether the clause of the edition in force still lets us name it."""


def designate(stated: Mapping[str, str], *, entered_at: datetime, desk: Desk, at: datetime, actor: str) -> None:
    """Note what stands in the public directory, newly or after a renewal. Raise NotADesignation, or NotYourDecision for
    whoever is not counsel."""
    if not may_decide(desk.roles_of(actor), needed=Role.COUNSEL):
        raise NotYourDecision("Naming the agent for copyright notices is left to the role counsel.")
    if lacking := [name for name in NEEDED if not stated.get(name, "").strip()]:
        raise NotADesignation(f"The agent has no {lacking[0]} (17 U.S.C. 512(c)(2)(A)); nothing was noted.")
    if entered_at > at:
        raise NotADesignation("The entry is of a day that has not come; nothing was noted.")
    kept = {name: stated[name].strip()[:500] for name in NEEDED}
    record(DESIGNATED, at=at, actor=actor, about=[ABOUT], entered_at=entered_at.isoformat(), **kept)


def designations() -> list[Entry]:
    """Every entry in the directory that was noted, in the order in which that was done."""
    return entries_of(ABOUT, what=[DESIGNATED])


def since_of(designation: Entry) -> datetime:
    """Since when it stands in the directory."""
    return datetime.fromisoformat(str(designation.detail["entered_at"]))


def agent_at(*, desk: Desk, at: datetime) -> Agent | None:
    """The agent as last noted by `at`; None where none was."""
    noted = [entry for entry in designations() if entry.at <= at]
    if not noted:
        return None
    detail = noted[-1].detail
    entered_at = since_of(noted[-1])
    edition = edition_to_go_by(desk.editions, at=at)
    facts = {"days_since_entry": (at - entered_at).days}
    return Agent(
        **{name: str(detail[name]) for name in NEEDED},
        entered_at=entered_at,
        lapses_at=next((ends_for_us(c, at=entered_at, desk=desk).by for c in edition.clocks if c.id == CLOCK), None),
        stands=edition.clause_for_event(Event.AGENT_DESIGNATED, facts=facts) is not None,
    )
