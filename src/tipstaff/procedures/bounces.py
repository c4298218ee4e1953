"""A letter comes back: it reached nobody, so it warned nobody, and a person sees to it."""

from contextlib import suppress
from datetime import datetime

from django.db import transaction

from tipstaff.cases.operations import lock_case, mark_told, move_case
from tipstaff.cases.queries import told_incidents
from tipstaff.cases.rules import IllegalMove
from tipstaff.intake.bounces import returned_letter
from tipstaff.notices.operations import mark_returned
from tipstaff.notices.queries import letter_of_message_id
from tipstaff.words import CaseState, LetterKind, LetterState


def take_bounce(raw: bytes, *, at: datetime, actor: str) -> str | None:
    """Note that the letter which a delivery report returns did not arrive; its key, or None when it names none of ours.

    The Message-ID holds a digest that nobody outside knows before they have the letter. A notice that came back is no
    warning (clause row 63): what it named counts as untold, and the case waits for a person.
    """
    returned = returned_letter(raw)
    letter = letter_of_message_id(returned.message_id) if returned is not None else None
    if returned is None or letter is None or letter.state is not LetterState.SENT:
        return None
    with transaction.atomic():
        if letter.case is not None:
            lock_case(letter.case)
        if not mark_returned(letter.key, why=returned.why, at=at, actor=actor):
            return None
        if letter.case is not None and letter.kind in (LetterKind.NOTICE, LetterKind.REMINDER):
            untold = [i for i, by in told_incidents(letter.case).items() if by == letter.key]
            mark_told(letter.case, incidents=untold, letter=None)
            why = f"{letter.key} to {letter.to} came back: {returned.why}"
            with suppress(IllegalMove):  # It was closed or fixed meanwhile: nobody need be reached any more.
                move_case(
                    letter.case, to=CaseState.WAITING_PERSON, at=at, actor=actor, why=why, about=(letter.key,)
                )  # fmt: skip
    return letter.key
