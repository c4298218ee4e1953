"""The customer answers: fixed, more time, disputed, or not theirs."""

from datetime import datetime

from django.db import transaction

from tipstaff.cases.operations import lock_case, take_answer, take_appeal
from tipstaff.enforcement.operations import want_lifted
from tipstaff.enforcement.queries import measures_of_case
from tipstaff.registry.operations import note_reached
from tipstaff.registry.queries import get_customer
from tipstaff.words import Answer, Case, LetterKind, MeasureState

from .answer_clock import extended_due
from .desk import Desk
from .letters import tell_customer
from .suspension import lift_all

PORTAL = "portal"
"""The way of who opened a letter's link; other ways say how, and who noted it."""
WORDS_MAX = 10_000
"""Characters of an answer that are kept."""


class AnswerTooLong(ValueError):
    """The answer is longer than 10,000 characters; say the essential and attach nothing."""


def answer_case(key: str, *, answer: Answer, words: str, via: str, desk: Desk, at: datetime) -> Case:
    """Take a customer's answer. `via` names the way: PORTAL, or `mail, noted by ana`.

    Fixed: measures are lifted and, once they are shown to be lifted, the case is closed. More time: once. Disputed or
    not theirs: the clock stands still, and what is in force stays, until a colleague has looked at it.
    Raise IllegalMove when the case no longer takes this answer, AlreadyExtended for a second extension.
    """
    if len(words) > WORDS_MAX:
        raise AnswerTooLong(str(len(words)))
    with transaction.atomic():
        extended = extended_due(lock_case(key), at=at, desk=desk) if answer is Answer.NEED_TIME else None
        case = take_answer(key, answer=answer, words=words, at=at, actor=f"customer ({via})", extended_due=extended)
        customer = get_customer(case.customer)
        written_to = customer.representative if customer is not None and via == PORTAL else None
        if written_to is not None and written_to.verified_at is None:
            # Only who got the letter has its link: the address reaches them.
            note_reached(written_to.email, why=f"They answered {key}.", at=at, actor="worker")
        if answer is Answer.FIXED:
            lift_all(key, why="The customer says that the cause is fixed.", desk=desk, at=at, actor="worker")
        elif answer is not Answer.NEED_TIME:
            # What has not reached a device yet waits for the review; what is in force stays, and they are told of it.
            for measure in measures_of_case(key):
                if measure.state is MeasureState.PLANNED:
                    want_lifted(measure.key, why="The customer disputes it.", at=at, actor="worker")
        if answer is not Answer.FIXED and customer is not None:
            kind = LetterKind.EXTENSION_GRANTED if answer is Answer.NEED_TIME else LetterKind.DISPUTE_RECEIVED
            tell_customer(
                kind, case=case, customer=customer, desk=desk, at=at, actor="worker",
                once=f"{kind}:{key}:{case.version}",
            )  # fmt: skip
        if answer is Answer.FIXED:
            desk.enqueue("follow", key)
    return case


def appeal_case(key: str, *, words: str, via: str, desk: Desk, at: datetime) -> Case:
    """The customer disputes how a case ended, once and within 180 days: somebody reviews it who decided nothing on it.

    Until then its strike is contested. Raise IllegalMove where there is nothing to appeal against, AppealedBefore, or
    TooLate.
    """
    if len(words) > WORDS_MAX:
        raise AnswerTooLong(str(len(words)))
    with transaction.atomic():
        case = take_appeal(key, words=words, at=at, actor=f"customer ({via})")
        customer = get_customer(case.customer)
        if customer is not None:
            tell_customer(
                LetterKind.DISPUTE_RECEIVED, case=case, customer=customer, desk=desk, at=at, actor="worker",
                once=f"{LetterKind.DISPUTE_RECEIVED}:{key}:{case.version}",
            )  # fmt: skip
    return case
