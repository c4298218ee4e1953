"""What we advised a customer, and with which words we meet a claim: both are asked of the edition and put on record.

Counsel decides on either (rows 72 and 82); the program says which words bound whom, and since when.
"""

from datetime import datetime

from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of
from tipstaff.policy import Edition, NoEditionInForce, edition_in_force
from tipstaff.policy.kinds import Event
from tipstaff.registry.operations import UnknownKey
from tipstaff.registry.queries import get_customer
from tipstaff.words import Accepted, Entry

from .acceptance import acceptances_of
from .desk import Desk

ADVISED, CLAIMED = "advice.noted", "claim.met"
WORDS_MAX = 10_000
"""Characters of an advice that are kept."""


class NoSuchWords(LookupError):
    """No clause of the edition says anything of this."""


def advise(customer: str, *, words: str, desk: Desk, at: datetime, actor: str) -> str:
    """Note what we advised, so that both sides can look it up; the clause that says what advice means.

    Raise UnknownKey, or NoSuchWords where the edition in force says nothing of advice.
    """
    _known(customer)
    edition = _in_force(desk, at=at)
    clause = edition.clause_for_event(Event.ADVICE_GIVEN, facts={"noted": bool(words.strip())})
    if clause is None:
        raise NoSuchWords("No clause of the edition in force says what advice without words means; nothing was noted.")
    record(ADVISED, at=at, actor=actor, about=[customer], words=words.strip()[:WORDS_MAX], under=clause.id)
    return clause.id


def advice_to(customer: str) -> list[Entry]:
    """What was advised, in its order."""
    return entries_of(customer, what=[ADVISED])


def meet_claim(
    customer: str, *, happened_at: datetime, of_another: bool, law_forbids: bool, desk: Desk, at: datetime, actor: str
) -> tuple[str, Accepted | None]:
    """The clause with which a claim is met, of the edition that was in force when it happened, and how the customer
    accepted that one, as far as anything shows it. Counsel says what follows.

    Raise UnknownKey, or NoSuchWords where the clause says nothing of such a claim: our own conduct, or a limit that the
    law forbids.
    """
    _known(customer)
    edition = _in_force(desk, at=happened_at)
    facts = {"conduct_of_another": of_another, "law_forbids_limit": law_forbids}
    clause = edition.clause_for_event(Event.CLAIM_MADE, facts=facts)
    record(
        CLAIMED, at=at, actor=actor, about=[customer], under=clause.id if clause else None, edition=edition.id,
        edition_digest=edition.digest, **facts,
    )  # fmt: skip
    if clause is None:
        raise NoSuchWords(f"Edition {edition.id} limits nothing here.")
    accepted = [a for a in acceptances_of(customer) if a.edition == edition.id and a.accepted_at <= happened_at]
    return clause.id, accepted[-1] if accepted else None


def _in_force(desk: Desk, *, at: datetime) -> Edition:
    try:
        return edition_in_force(desk.editions, at=at)
    except NoEditionInForce as why:
        raise NoSuchWords(f"There are no words to go by: {why}.") from why


def _known(customer: str) -> None:
    if get_customer(customer) is None:
        raise UnknownKey(f"there is no customer {customer}")
