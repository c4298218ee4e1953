"""A notice reached nobody by mail: it is printed and posted, or somebody telephones, and what came of it is recorded.

Neither a posted letter nor a call is a notice that reached somebody. It becomes one when a person records whom it
reached and how that is known; only then does the time to answer begin.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from typing import cast

from django.db import transaction

from tipstaff.cases.operations import mark_told
from tipstaff.cases.queries import cases_of_letter, told_incidents
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of
from tipstaff.notices import place_shown
from tipstaff.notices.operations import NotForAPersonToDecide, take_as_sent
from tipstaff.notices.paper import NoAddress as NoAddress
from tipstaff.notices.paper import address_lines, letter_on_paper
from tipstaff.notices.queries import get_letter
from tipstaff.registry.queries import get_customer, representatives_of
from tipstaff.words import Case, Entry, Letter, LetterKind, LetterState, Representative

from .desk import Desk
from .posting import hold_case_of, start_clock_of

KINDS = frozenset({LetterKind.NOTICE, LetterKind.REMINDER, LetterKind.MEASURE_TAKEN})
"""What somebody must know of: only these go another way."""
FAILED = frozenset({LetterState.REFUSED, LetterState.RETURNED, LetterState.IN_DOUBT})
PRINTED, POSTED, PHONED, REACHED = "letter.printed", "letter.posted", "letter.phoned", "letter.reached"
UNNAMED = "letter.named_nobody"
"""What came back had named these incidents; whoever is reached by it after all was told of them."""
WORDS_MAX = 2000


class NotSaid(ValueError):
    """Something is missing; the message says what."""


class NoOtherWay(ValueError):
    """This letter goes no other way: it reached its reader, or is of no kind that must."""


def needs_another_way(letter: Letter) -> bool:
    return letter.kind in KINDS and letter.state in FAILED and letter.case is not None


def ways_taken(letter: str) -> list[Entry]:
    """What was tried besides mail, in its order."""
    return entries_of(letter, what=[PRINTED, POSTED, PHONED, REACHED])


def contacts_to_call(customer: str) -> list[Representative]:
    """The contacts of a customer that have a telephone, in their order."""
    return [contact for contact in representatives_of(customer) if contact.phone]


def what_to_say(letter: Letter, case: Case, *, desk: Desk) -> tuple[str, ...]:
    """What somebody says on the telephone, a sentence each: who calls, about what, and never who complained."""
    customer = get_customer(case.customer)
    return (
        f"I call for {desk.operator}, about your account {customer.name if customer else case.customer}.",
        f"On {letter.created_at:%Y-%m-%d} we wrote to {letter.to} about case {case.key}; the letter did not arrive.",
        f"It is about {place_shown(case.resource)}, under the rule {case.clause} of our acceptable use policy.",
        "We ask you to look into it and to answer us. Which mail address reads such letters?",
        "I can read you the letter. Who reported it I do not say.",
    )


def print_letter(
    key: str, *, address: str, dated: Callable[[Letter], str], link: Callable[[str, datetime], str], desk: Desk,
    at: datetime, actor: str,
) -> bytes:  # fmt: skip
    """The letter as a PDF for that address; that it was made is on record, and nothing more. Raise NoOtherWay or
    NoAddress."""
    letter = _letter(key)
    lines = address_lines(address)
    assert letter.case is not None, "checked by _letter"
    made = letter_on_paper(
        letter, to=lines, operator=desk.operator, dated=dated(letter), link=link(letter.case, at)
    )  # fmt: skip
    record(PRINTED, at=at, actor=actor, about=[key, letter.case])
    return made


def note_posted(key: str, *, on: date, at: datetime, actor: str) -> None:
    """Somebody has posted the letter on that day. It reached nobody by that. Raise NoOtherWay or NotSaid."""
    letter = _letter(key)
    if not letter.created_at.date() <= on <= at.date():
        raise NotSaid("The day lies between the letter's and today.")
    record(POSTED, at=at, actor=actor, about=[key, str(letter.case)], on=on.isoformat())


def note_phoned(key: str, *, whom: str, said: str, at: datetime, actor: str) -> None:
    """Somebody has called, whether anybody answered or not: whom, and what was said. Raise NoOtherWay or NotSaid."""
    letter = _letter(key)
    if not whom.strip() or not said.strip():
        raise NotSaid("Say whom you called, and what came of it.")
    record(PHONED, at=at, actor=actor, about=[key, str(letter.case)], whom=whom[:200], said=said[:WORDS_MAX])


def note_reached(key: str, *, whom: str, how: str, desk: Desk, at: datetime, actor: str) -> None:
    """A person knows that the letter's words reached somebody of the customer's, after it was posted or read out.

    If it is a notice, its case's clock starts now. Raise NoOtherWay, or NotSaid.
    """
    letter = _letter(key)
    if not whom.strip() or not how.strip():
        raise NotSaid("Say whom it reached, and how you know.")
    if not any(entry.what in (POSTED, PHONED) for entry in ways_taken(key)):
        raise NotSaid("First note that it was posted, or whom you called.")
    with transaction.atomic():
        hold_case_of(letter)
        why = f"It reached {whom[:200]}: {how[:WORDS_MAX]}"
        record(REACHED, at=at, actor=actor, about=[key, str(letter.case)], whom=whom[:200], how=how[:WORDS_MAX])
        _told_again(letter)
        try:
            take_as_sent(
                key, at=at, actor=actor, why=why, came_back=True, on_sent=partial(start_clock_of, desk=desk)
            )  # fmt: skip
        except NotForAPersonToDecide as refused:
            raise NoOtherWay(NoOtherWay.__doc__) from refused
    desk.enqueue("letters", "all")


def _told_again(letter: Letter) -> None:
    """What a letter that came back had named was taken as named to nobody; now it was, unless another letter did."""
    named = {
        str(entry.detail["case"]): frozenset(cast(list[str], entry.detail["incidents"]))
        for entry in entries_of(letter.key, what=[UNNAMED])
    }
    for case in {*named, *cases_of_letter(letter.key, case=letter.case)}:
        untold = [incident for incident, told in told_incidents(case).items() if told is None]
        mark_told(case, incidents=[one for one in untold if one in named.get(case, ())], letter=letter.key)


def _letter(key: str) -> Letter:
    letter = get_letter(key)
    if letter is None or not needs_another_way(letter):
        raise NoOtherWay(NoOtherWay.__doc__)
    return letter
