"""A complainant and a customer may settle a matter themselves: an address is passed on, and nothing else (row 91).

Only a desk's address, or one whose owner agreed; never in a sealed matter. An analyst confirms each, on record.
"""

from datetime import datetime

from django.db import transaction

from tipstaff.intake.operations import NoSuchReport
from tipstaff.intake.queries import get_report
from tipstaff.ledger.operations import record
from tipstaff.policy import edition_to_go_by
from tipstaff.policy.deciding import may_decide
from tipstaff.policy.kinds import Event
from tipstaff.words import LetterKind, ReportOutcome, Role

from .desk import Desk
from .letters import tell_complainant
from .suspension import NotYourDecision

PASSED_ON = "contact.passed_on"
ROLES = frozenset(
    {
        "info", "marketing", "sales", "support", "abuse", "noc", "security", "postmaster", "hostmaster", "usenet",
        "news", "webmaster", "www", "uucp", "ftp",
    }
)  # fmt: skip
"""Names of desks, not of people (RFC 2142)."""


class NotToBePassedOn(ValueError):
    """This address is not passed on; nothing was written."""


def put_in_touch(report: str, *, address: str, agreed: str, desk: Desk, at: datetime, actor: str) -> str:
    """Tell who sent a report where the matter can be settled; the letter's key. `agreed` says how its owner agreed.

    Raise NoSuchReport, NotYourDecision, or NotToBePassedOn: neither a desk's address nor one whose owner agreed, a
    sealed matter, a report that opened no case, or a complainant who cannot be written to.
    """
    found = get_report(report)
    if found is None:
        raise NoSuchReport(report)
    if found.outcome is ReportOutcome.SEALED:
        raise NotToBePassedOn("In a sealed matter nobody is put in touch.")
    if all(incident.case is None for incident in found.incidents):
        raise NotToBePassedOn(f"{report} has no case: there is nobody to settle it with.")
    if len(parts := address.strip().split("@")) != 2 or not all(parts) or not address.isprintable() or " " in address:
        raise NotToBePassedOn(f"{address!r} is no mail address.")
    facts = {"desk_address": parts[0].strip().lower() in ROLES, "agreed": bool(agreed.strip())}
    clause = edition_to_go_by(desk.editions, at=at).clause_for_event(Event.CONTACT_ASKED_FOR, facts=facts)
    if clause is None:
        raise NotToBePassedOn(f"{address} is no desk's address (RFC 2142), and nobody is said to have agreed.")
    if not may_decide(desk.roles_of(actor), needed=clause.decides or Role.ANALYST):
        raise NotYourDecision(f"{report}: clause {clause.id} leaves this decision to the role {clause.decides}.")
    with transaction.atomic():
        letter = tell_complainant(
            LetterKind.IN_TOUCH, report=found, once=f"in_touch:{report}:{address.strip().lower()}", desk=desk, at=at,
            contact=address.strip(), actor=actor,
        )  # fmt: skip
        if letter is None:
            raise NotToBePassedOn(f"{report}: who sent it cannot be written to now.")
        cases = {incident.case for incident in found.incidents if incident.case is not None}
        record(
            PASSED_ON, at=at, actor=actor, about=[report, letter, *sorted(cases)], address=address.strip(),
            agreed=agreed.strip()[:1000], under=clause.id,
        )  # fmt: skip
        return letter
