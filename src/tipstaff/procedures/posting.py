"""Letters go out, one at a time, each once; a notice that was handed over starts its case's clock."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction

from tipstaff.cases import rules
from tipstaff.cases.operations import lock_case, mark_told, move_case, start_due
from tipstaff.cases.queries import cases_of_letter, get_case, list_in, list_without_due, told_incidents
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_of
from tipstaff.notices.addresses import mailable
from tipstaff.notices.operations import recover_interrupted, release_held, withdraw_unsent
from tipstaff.notices.queries import letters_of_case, oldest_held
from tipstaff.registry.operations import note_bounce
from tipstaff.registry.queries import get_customer, mail_keys_of
from tipstaff.words import Case, CaseState, Letter, LetterKind, LetterState, MailKeys, Origin

from .answer_clock import answer_due
from .books import nobody_to_write_to
from .complaint import tell_untold
from .desk import Desk
from .letters import notices_sent

LETTERS_AT_A_TIME = 500
HELD_FOR_LONG = timedelta(hours=1)
UNNAMED = "letter.named_nobody"
"""What came back had named these incidents; whoever is reached by it after all was told of them."""


def post_letters(*, desk: Desk, post_next: Callable[[], Letter | None], now: Callable[[], datetime]) -> int:
    """Send what is due; returns how many letters were tried. `post_next` carries one to the mail server."""
    if not desk.mail_out_ready:
        return 0
    renew_held_notices(desk=desk, at=now())
    release_held(at=now(), limit=LETTERS_AT_A_TIME)
    for tried in range(LETTERS_AT_A_TIME):
        letter = post_next()
        if letter is None:
            return tried
        if letter.state is LetterState.REFUSED:
            write_to_next_contact(letter, desk=desk, at=now())
    return LETTERS_AT_A_TIME


_NO_SUCH_RECIPIENT = re.compile(r"\b5\.1\.[0-9]+\b|\b5\.2\.1\b|\b55[013]\b(?! 5\.)")
"""A reply about the recipient and not about the letter: RFC 3463, classes 5.1 and 5.2.1; RFC 5321 without them."""


def write_to_next_contact(letter: Letter, *, desk: Desk, at: datetime) -> str | None:
    """A notice came back from a contact: it is noted there, and the next of the chain is written to.

    Returns the new letter's key; None when the reply is not about the recipient, or there is nobody else. Then the
    refused letter waits for a person, as it does anyway.
    """
    if letter.case is None or letter.kind is not LetterKind.NOTICE or not _NO_SUCH_RECIPIENT.search(letter.detail):
        return None
    with transaction.atomic():
        cases = [lock_case(key) for key in cases_of_letter(letter.key, case=letter.case)]
        why = f"{letter.key}: {letter.detail}"[:300]
        concerned = note_bounce(letter.to, why=why, at=at, actor="worker", origin=Origin.MAIL)
        for key in concerned:
            nobody_to_write_to(key, desk=desk, at=at, letter=letter.key)
        customer = get_customer(cases[0].customer)
        if cases[0].customer not in concerned or customer is None or customer.representative is None:
            return None
        written = [tell_anew(case.key, letter.key, desk=desk, at=at) for case in cases]
        return next(filter(None, written), None)


def tell_anew(case: str, letter: str, *, desk: Desk, at: datetime) -> str | None:
    """What this letter has named was named to nobody: it is told again; the new letter's key, if one was written."""
    name_nobody(case, letter, at=at)
    return tell_untold(case, desk=desk, at=at, actor="worker")


def name_nobody(case: str, letter: str, *, at: datetime) -> None:
    """What only this letter has named was named to nobody, until another letter does, or it reaches somebody."""
    waiting = [incident for incident, told in told_incidents(case).items() if told == letter]
    mark_told(case, incidents=waiting, letter=None)
    record(UNNAMED, at=at, actor="worker", about=[letter, case], case=case, incidents=waiting)


def renew_held_notices(*, desk: Desk, at: datetime) -> None:
    """Notices that were held for long name a deadline of the past: they are withdrawn and written anew."""
    stale: dict[str, set[str]] = {}
    for held in oldest_held(limit=LETTERS_AT_A_TIME):
        if held.kind is LetterKind.NOTICE and held.case is not None and at - held.created_at >= HELD_FOR_LONG:
            stale.setdefault(held.case, set()).add(held.key)
    for case, old in stale.items():
        with transaction.atomic():
            lock_case(case)
            why = "It was held, and its deadline is out of date."
            withdrawn = withdraw_unsent(case, kinds={LetterKind.NOTICE}, only=old, why=why, at=at, actor="worker")
            waiting = [incident for incident, letter in told_incidents(case).items() if letter in withdrawn]
            mark_told(case, incidents=waiting, letter=None)
            tell_untold(case, desk=desk, at=at, actor="worker")


def keys_of(letter: Letter, to: str) -> MailKeys:
    """By which keys a letter is closed for the address that it goes to: of its case's customer before all others.

    `to` is that address as a mail server takes it, and the registry may have it as the letter has it. Who was a contact
    when the letter was written and is none now has the keys of before; an address of a staging set-up is nobody's.
    """
    if letter.keys is not None:
        return letter.keys
    case = get_case(letter.case) if letter.case is not None else None
    customer = case.customer if case is not None else None
    if mailable(letter.to) != to:
        return mail_keys_of(to, customer=customer)
    return mail_keys_of(letter.to, customer=customer, written_at=letter.created_at)


def hold_case_of(letter: Letter) -> None:
    """Lock the case of a letter before the letter itself: cases come first, then letters, then devices."""
    if letter.case is not None and letter.kind in (LetterKind.NOTICE, LetterKind.REMINDER):
        for key in cases_of_letter(letter.key, case=letter.case):
            lock_case(key)


def start_clock_of(letter: Letter, *, desk: Desk) -> None:
    """In the transaction that notes a letter's sending: after a notice or a reminder the time to answer begins."""
    if letter.case is not None and letter.kind in (LetterKind.NOTICE, LetterKind.REMINDER):
        for key in cases_of_letter(letter.key, case=letter.case):
            start_clock(key, desk=desk)


def start_clock(key: str, *, desk: Desk) -> None:
    """If the notice of this case was handed over, its time to answer runs from that moment."""
    with transaction.atomic():
        case = get_case(key)
        if case is None:
            return
        if case.state is CaseState.NOTIFIED and case.due_at is None:
            _start_again(case, desk=desk)
        if case.state is not CaseState.OPENED:
            return
        for letter, sent_at in notices_sent(key).items():
            due = answer_due(case, told_at=sent_at, desk=desk)
            with suppress(rules.IllegalMove):  # Somebody noted it, or the customer answered, a moment before us.
                move_case(
                    key, to=CaseState.NOTIFIED, at=sent_at, actor="worker", why="The letter was handed over.",
                    due_at=due, about=(letter,),
                )  # fmt: skip
            return


def _start_again(case: Case, *, desk: Desk) -> None:
    """After a dispute that was not upheld the new time runs from the reminder's handing over; after a measure that
    ended by its own time, from the new notice's."""
    letters = letters_of_case(case.key)
    newest = next((x for x in reversed(letters) if x.kind is LetterKind.REMINDER), None)
    began = max((e.at for e in entries_of(case.key, what=[f"case.{CaseState.NOTIFIED}"])), default=None)
    if began is not None and (newest is None or newest.created_at < began):
        since = (x for x in letters if x.kind is LetterKind.NOTICE and x.created_at >= began and _arrived(x))
        newest = next(since, None)
    if newest is None or not _arrived(newest):
        return  # An older one promised a time that is over; the new one begins when this letter has arrived.
    assert newest.sent_at is not None, "what was sent has its time"
    due = answer_due(case, told_at=newest.sent_at, desk=desk)
    start_due(case.key, due_at=due, at=newest.sent_at, actor="worker", about=(newest.key,))


def _arrived(letter: Letter) -> bool:
    """As far as anybody can tell: handed over, not come back, and not sent to a staging address instead."""
    return letter.state is LetterState.SENT and not letter.diverted


def start_clocks(*, desk: Desk) -> None:
    """For every case whose letter went out while nobody was there to note it, as after a kill."""
    for key in (*list_in(CaseState.OPENED), *list_without_due()):
        start_clock(key, desk=desk)


def recover(*, at: datetime, is_alive: Callable[[str], bool]) -> list[str]:
    """After a crash: letters that were surely not handed over go again; doubtful ones wait for a person."""
    return recover_interrupted(at=at, is_alive=is_alive)
