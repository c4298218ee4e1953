"""A notice reached nobody by mail: it is printed and posted, or somebody telephones, and what came of it is recorded.

Neither a posted letter nor a call is a notice that reached somebody. It becomes one when a person records whom it
reached and how that is known; only then does the time to answer begin.
"""

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import cast

from django.db import transaction

from tipstaff.cases.operations import mark_told
from tipstaff.cases.queries import (
    Narrowed,
    cases_of_letter,
    list_cases,
    naming_still,
    standing_keys,
    told_by_none,
    told_incidents,
)
from tipstaff.cases.rules import OPEN
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of
from tipstaff.notices import place_shown
from tipstaff.notices.letters import FALLBACK, languages, phrases
from tipstaff.notices.operations import NotForAPersonToDecide, take_as_sent
from tipstaff.notices.paper import NoAddress as NoAddress
from tipstaff.notices.paper import NoFont as NoFont
from tipstaff.notices.paper import address_lines, can_be_printed, letter_on_paper
from tipstaff.notices.queries import cases_unreached, get_letter, notices_unreached, unreached
from tipstaff.registry.queries import get_customer, representatives_of
from tipstaff.words import Case, Entry, Letter, LetterKind, LetterState, Representative

from .desk import Desk
from .portal import is_sealed
from .posting import UNNAMED, hold_case_of, start_clock_of

KINDS = frozenset({LetterKind.NOTICE, LetterKind.REMINDER, LetterKind.MEASURE_TAKEN})
"""What somebody must know of: only these go another way."""
FAILED = frozenset({LetterState.REFUSED, LetterState.RETURNED, LetterState.IN_DOUBT})
PRINTED, POSTED, PHONED, REACHED = "letter.printed", "letter.posted", "letter.phoned", "letter.reached"
WORDS_MAX = 2000


class NotSaid(ValueError):
    """Something is missing; the message says what."""


class NoOtherWay(ValueError):
    """This letter goes no other way: it reached its reader, or is of no kind that must."""


class NextWay(enum.StrEnum):
    """What somebody does next about a letter that mail brought to nobody."""

    CALL = "call"
    """Telephone: a contact on record has one who was not tried in vain."""
    PRINT = "print"
    """Print it and post it."""
    POST = "post"
    """It is printed; post it, and note that."""
    ASK = "ask"
    """Find out whether it reached somebody, and note whom."""
    FIND = "find"
    """Nothing is left of what we know: find another contact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A letter to carry by another way than mail, and how far that is."""

    letter: Letter
    case: Case
    next: NextWay
    tried: tuple[Entry, ...]
    callee: Representative | None
    """Whom to call next."""
    printable: bool
    """A font is here in which it can be printed."""


CARRIED_MAX = 500
"""So many of the newest letters that failed are tasks at once."""


def tasks(*, own_font: str = "", limit: int = 100) -> list[Task]:
    """What is to be posted or telephoned, the oldest first."""
    return [task_of(letter, case, own_font=own_font) for letter, case in to_carry()[:limit]]


def to_carry() -> list[tuple[Letter, Case]]:
    """Letters that reached nobody, of cases that go on, whose place no later one has taken; oldest first."""
    # Of most letters that failed the case ended long ago: they must take the place of no other.
    standing = standing_keys(cases_unreached(KINDS))
    narrowed = Narrowed(keys=frozenset(standing.values()), unsealed=True)
    found = list_cases(states=OPEN, narrowed=narrowed, limit=len(standing)) if standing else []
    cases = {case.key: case for case in found if not is_sealed(case)}
    going_on = [key for key, stands in standing.items() if stands in cases]
    told = _told_by_others(notices_unreached(going_on))
    letters = unreached(KINDS, cases=going_on, but=told, limit=CARRIED_MAX) if going_on else []
    pairs = ((letter, cases.get(standing.get(letter.case or "", ""))) for letter in reversed(letters))
    return [(letter, case) for letter, case in pairs if case is not None]


def _told_by_others(notices: Mapping[str, bool]) -> set[str]:
    """Those of these notices that name nothing any more that nobody was told of, or that a newer one of them does not
    name too: nobody need be reached by them. By each: whether another letter was written after it."""
    left = notices.keys() - naming_still(notices.keys())
    unnamed = {
        key: [i for e in entries_of(key, what=[UNNAMED]) for i in _incidents(e)] for key in notices if key in left
    }
    open_ = set(told_by_none([i for named in unnamed.values() for i in named]))
    gone = set()
    for key, named in unnamed.items():  # Newest first.
        if notices[key] if not named else open_.isdisjoint(named):
            gone.add(key)
        open_.difference_update(named)
    return gone


def _incidents(entry: Entry) -> list[str]:
    return cast(list[str], entry.detail["incidents"])


def task_of(letter: Letter, case: Case, *, own_font: str = "") -> Task:
    tried = ways_taken(letter.key)
    missed = [entry.detail.get("whom") for entry in tried if entry.detail.get("no_answer")]
    callee = next((one for one in contacts_to_call(case.customer) if one.phone not in missed), None)
    printable = can_be_printed(letter, own_font=own_font)
    step = next_way([(e.what, bool(e.detail.get("no_answer"))) for e in tried], phone=callee is not None,
                    printable=printable)  # fmt: skip
    return Task(letter=letter, case=case, next=step, tried=tuple(tried), callee=callee, printable=printable)


def next_way(tried: Sequence[tuple[str, bool]], *, phone: bool, printable: bool) -> NextWay:
    """The next step after these (kind of entry, nobody answered): the telephone is faster than the post, and a contact
    who did not answer is not called again before the letter was posted. Pure."""
    done = {what for what, in_vain in tried if not in_vain}
    if PHONED in done or POSTED in done:
        return NextWay.ASK
    if phone:
        return NextWay.CALL
    if PRINTED in done:
        return NextWay.POST
    return NextWay.PRINT if printable else NextWay.FIND


def needs_another_way(letter: Letter) -> bool:
    return letter.kind in KINDS and letter.state in FAILED and letter.case is not None


def ways_taken(letter: str) -> list[Entry]:
    """What was tried besides mail, in its order."""
    return entries_of(letter, what=[PRINTED, POSTED, PHONED, REACHED])


def contacts_to_call(customer: str) -> list[Representative]:
    """The contacts of a customer that have a telephone, in their order."""
    return [contact for contact in representatives_of(customer) if contact.phone]


def what_to_say(
    letter: Letter, case: Case, *, language: str, dated: Callable[[str, datetime], str], desk: Desk
) -> tuple[str, ...]:  # fmt: skip
    """What somebody says on the telephone in a language, a sentence each: who calls, about what, and never who
    complained. English where nobody has written it in that language."""
    customer = get_customer(case.customer)
    desk = desk.speaking_to(customer)
    language = language if language in languages() else FALLBACK
    said: list[str] = phrases(language)["call"]
    return tuple(
        sentence.format(
            operator=desk.operator, customer=customer.name if customer else case.customer, to=letter.to, case=case.key,
            day=dated(language, letter.created_at), place=place_shown(case.resource), clause=case.clause,
        )
        for sentence in said
    )  # fmt: skip


def print_letter(
    key: str, *, address: str, dated: Callable[[Letter], str], link: Callable[[str, datetime], str], desk: Desk,
    at: datetime, actor: str, own_font: str = "",
) -> bytes:  # fmt: skip
    """The letter as a PDF for that address; that it was made is on record, and nothing more. Raise NoOtherWay,
    NoAddress or NoFont."""
    letter = _letter(key)
    lines = address_lines(address)
    assert letter.case is not None, "checked by _letter"
    desk = desk.speaking_as(letter.brand)  # As its text does, whatever brand the customer is under by now.
    made = letter_on_paper(
        letter, to=lines, operator=desk.operator, dated=dated(letter), link=link(letter.case, at), own_font=own_font
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


def note_no_answer(key: str, *, whom: str, at: datetime, actor: str) -> None:
    """Somebody has called that number and nobody answered: the next channel's turn. Raise NoOtherWay or NotSaid."""
    letter = _letter(key)
    if not whom.strip():
        raise NotSaid("Say which number you called.")
    about = [key, str(letter.case)]
    record(PHONED, at=at, actor=actor, about=about, whom=whom[:200], said="Nobody answered.", no_answer=True)


def note_reached(key: str, *, whom: str, how: str, desk: Desk, at: datetime, actor: str) -> None:
    """A person knows that the letter's words reached somebody of the customer's, after it was posted or read out.

    If it is a notice, its case's clock starts now. Raise NoOtherWay, or NotSaid.
    """
    letter = _letter(key)
    if not whom.strip() or not how.strip():
        raise NotSaid("Say whom it reached, and how you know.")
    taken = [entry for entry in ways_taken(key) if not entry.detail.get("no_answer")]
    if not any(entry.what in (POSTED, PHONED) for entry in taken):
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
        str(entry.detail["case"]): frozenset(_incidents(entry)) for entry in entries_of(letter.key, what=[UNNAMED])
    }
    for case in {*named, *cases_of_letter(letter.key, case=letter.case)}:
        untold = [incident for incident, told in told_incidents(case).items() if told is None]
        mark_told(case, incidents=[one for one in untold if one in named.get(case, ())], letter=letter.key)


def _letter(key: str) -> Letter:
    letter = get_letter(key)
    if letter is None or not needs_another_way(letter):
        raise NoOtherWay(NoOtherWay.__doc__)
    return letter
