"""Letters go out, one at a time, each once; a notice that was handed over starts its case's clock."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from django.db import transaction

from tipstaff.cases import rules
from tipstaff.cases.operations import move_case
from tipstaff.cases.queries import get_case, list_in
from tipstaff.notices.operations import recover_interrupted, release_held
from tipstaff.notices.queries import letters_of_case
from tipstaff.words import CaseState, Letter, LetterKind, LetterState

from .desk import Desk

LETTERS_AT_A_TIME = 500


def post_letters(*, desk: Desk, post_next: Callable[[], Letter | None], now: Callable[[], datetime]) -> int:
    """Send what is due; returns how many letters were tried. `post_next` carries one to the mail server."""
    if not desk.mail_out_ready:
        return 0
    release_held(at=now())
    for tried in range(LETTERS_AT_A_TIME):
        if post_next() is None:
            return tried
    return LETTERS_AT_A_TIME


def start_clock_of(letter: Letter) -> None:
    """In the transaction that notes a letter's sending: if it is a case's notice, the time to answer begins."""
    if letter.case is not None and letter.kind is LetterKind.NOTICE:
        start_clock(letter.case)


def start_clock(key: str) -> None:
    """If the notice of this case was handed over, its time to answer runs from that moment."""
    with transaction.atomic():
        case = get_case(key)
        if case is None or case.state is not CaseState.OPENED:
            return
        for letter in letters_of_case(key):
            if letter.kind is LetterKind.NOTICE and letter.state is LetterState.SENT and letter.sent_at is not None:
                due = rules.due_at(told_at=letter.sent_at, answer_within=case.answer_within)
                with suppress(rules.IllegalMove):  # Somebody noted it, or the customer answered, a moment before us.
                    move_case(
                        key, to=CaseState.NOTIFIED, at=letter.sent_at, actor="worker",
                        why="The letter was handed over.", due_at=due, about=(letter.key,),
                    )  # fmt: skip
                return


def start_clocks() -> None:
    """For every case whose notice went out while nobody was there to note it, as after a kill."""
    for key in list_in(CaseState.OPENED):
        start_clock(key)


def recover(*, at: datetime, is_alive: Callable[[str], bool]) -> list[str]:
    """After a crash: letters that were surely not handed over go again; doubtful ones wait for a person."""
    return recover_interrupted(at=at, is_alive=is_alive)
