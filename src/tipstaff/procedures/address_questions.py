"""A customer who agreed to it is asked who had an address that we used ourselves; the answer is judged (row 76).

Only what our own records tie to this customer alone is asked about, and nothing is asked but a line's own name. Whoever
says honestly that there is no such record has answered well; that is the policy's to say, and this only counts it.
"""

import hashlib
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

from django.db import transaction

from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of
from tipstaff.notices import LetterFacts, compose
from tipstaff.notices.operations import queue_letter
from tipstaff.policy.deciding import may_decide
from tipstaff.registry.operations import UnknownKey
from tipstaff.registry.queries import get_customer
from tipstaff.words import Entry, Grade, LetterKind, Moment, Role

from .books import hand_in
from .desk import Desk
from .detecting import allowed_by
from .lookup import who_held
from .suspension import NotYourDecision

LEAVE = "address-question"
"""What a customer agrees to, as `tipstaff detectors leave` names it."""
KIND = "probe.address_question"
ASKED, ANSWERED = "address_question.asked", "address_question.answered"


class NotToBeAsked(ValueError):
    """This customer is not asked about this address; nothing was written."""


class NoSuchQuestion(LookupError):
    """No such question was asked."""


class AnsweredBefore(ValueError):
    """This question has its answer."""


def ask(
    customer: str,
    *,
    address: IPv4Address | IPv6Address,
    port: int,
    protocol: str,
    used_at: datetime,
    line: str,
    desk: Desk,
    at: datetime,
    actor: str,
) -> str:
    """Write to a customer who agreed to such questions; the question's key. `line` is what we know the right answer to
    be: the name under which they keep the line that we used. Asking the same again asks nothing.

    Raise UnknownKey, or NotToBeAsked without their leave or a contact, or where our records do not name them alone.
    """
    found = get_customer(customer)
    if found is None:
        raise UnknownKey(f"there is no customer {customer}")
    if not allowed_by([customer], LEAVE, at=at):
        raise NotToBeAsked(f"{customer} has not agreed to such questions.")
    if found.representative is None:
        raise NotToBeAsked(f"{customer} has named nobody to write to.")
    moment = Moment(used_at, 1.0)
    held = who_held(address, port=port, protocol=protocol, moment=moment, received_at=at)
    if held.grade is not Grade.CONFIRMED or held.customer != customer:
        raise NotToBeAsked(f"Our own records do not tie {address} at that time to {customer} alone.")
    asked = f"{customer} {address} {port} {protocol} {used_at.isoformat()}"
    key = f"AQ-{hashlib.sha256(asked.encode()).hexdigest()[:10]}"
    if entries_of(key, what=[ASKED]):
        return key
    desk = desk.speaking_to(found)
    facts = LetterFacts(
        operator=desk.operator, abuse_contact=desk.abuse_address, language=found.representative.language,
        customer=found.name, representative=found.representative.name, timezone=found.representative.timezone,
        question=key, resource=str(address), port=port, protocol=protocol, moment=moment,
    )  # fmt: skip
    with transaction.atomic():
        letter = queue_letter(
            LetterKind.ADDRESS_QUESTION, once=key, to=found.representative.email,
            draft=compose(LetterKind.ADDRESS_QUESTION, facts=facts), case=None, report=None, at=at, actor=actor,
            held=not desk.mail_out_ready, brand=desk.brand,
        )  # fmt: skip
        record(
            ASKED, at=at, actor=actor, about=[key, customer, letter], address=str(address), port=port,
            protocol=protocol, used_at=used_at.isoformat(), line=line.strip(),
        )  # fmt: skip
        desk.enqueue("letters", "all")
    return key


def note_answer(key: str, *, named: str, desk: Desk, at: datetime, actor: str) -> str:
    """Note what they answered, `named` being empty where they keep no such record; `right`, `wrong` or `no record`.

    It is put to the judge as our own finding. Raise NoSuchQuestion, AnsweredBefore, or NotYourDecision.
    """
    if not may_decide(desk.roles_of(actor), needed=Role.ANALYST):
        raise NotYourDecision(f"{key}: an answer is noted by an analyst or a lead.")
    with transaction.atomic():
        asked = _question(key)
        if entries_of(key, what=[ANSWERED]):
            raise AnsweredBefore(key)
        customer, line = asked.about[1], str(asked.detail["line"])
        answer = "no record" if not named.strip() else "right" if _same(named, line) else "wrong"
        record(ANSWERED, at=at, actor=actor, about=[key, customer], named=named.strip()[:200], answer=answer)
        place = f"{ip_address(str(asked.detail['address']))} port {asked.detail['port']} at {asked.detail['used_at']}"
        hand_in(
            KIND, id=key, account=customer, desk=desk, at=at, happened_at=at, answer=answer,
            opted_in=bool(allowed_by([customer], LEAVE, at=asked.at)),
            shown=f"Asked who had {place}, you named {named.strip()[:100]}; it was our own line {line}.",
        )  # fmt: skip
        return answer


def _question(key: str) -> Entry:
    asked = entries_of(key, what=[ASKED])
    if not asked:
        raise NoSuchQuestion(key)
    return asked[0]


def _same(one: str, other: str) -> bool:
    return "".join(one.split()).casefold() == "".join(other.split()).casefold()
