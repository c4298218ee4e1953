"""What is collected about use stands in the edition's register of purposes, which everybody can read (row 84).

Counsel approves the register with the edition. What it does not name is not taken in.
"""

from datetime import datetime

from tipstaff.ledger.queries import latest_about
from tipstaff.policy import edition_to_go_by
from tipstaff.policy.kinds import Event
from tipstaff.words import Stated

from .desk import Desk

AUTHORISED = "measurement.authorised"


class NotInTheRegister(PermissionError):
    """The edition's register of purposes does not name this, so nothing of it is taken in; counsel decides that with
    the next edition ([purposes] in its edition.toml)."""


def must_be_in_the_register(what: str, *, desk: Desk, at: datetime) -> None:
    """Raise NotInTheRegister unless the edition in force lets us take in `source: NAME` or `detector: NAME`.

    An edition that was posted before editions had a register says nothing of it, and holds nothing back.
    """
    edition = edition_to_go_by(desk.editions, at=at)
    if not edition.purposes or not edition.answers(Event.DATA_COLLECTED):
        return
    purpose = next((each for each in edition.purposes if what in each.collects), None)
    facts: dict[str, Stated] = {"in_register": purpose is not None, "kind": purpose.id if purpose else what}
    if edition.clause_for_event(Event.DATA_COLLECTED, facts=facts) is None:
        raise NotInTheRegister(what)


def name_of(detector: str) -> str:
    """What entries about a detector are about."""
    return f"detector:{detector}"


def purpose_of(detector: str, *, at: datetime) -> str:
    """For which purpose a detector may look at `at`, as counsel authorised it; empty when it may not."""
    entry = latest_about([name_of(detector)], what=[AUTHORISED]).get(name_of(detector))
    if entry is None or datetime.fromisoformat(str(entry.detail["until"])) <= at:
        return ""
    return str(entry.detail["purpose"])
