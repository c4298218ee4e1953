"""A letter comes back days after it was taken: the contact is noted, and the next one of the chain is written to.

Anybody can write what looks like a delivery report. It counts only if it returns the Message-ID of a letter that we
sent, which its recipient alone has seen, and names that recipient. What it can bring about is a letter to the next
contact, and more time: nothing is measured that no letter in the right hands has named.
"""

from contextlib import suppress
from datetime import datetime

from django.db import transaction

from tipstaff.cases.operations import lock_case, move_case
from tipstaff.cases.queries import cases_of_letter
from tipstaff.cases.rules import IllegalMove
from tipstaff.intake.queries import get_report
from tipstaff.ledger.queries import get_raw
from tipstaff.notices.operations import mark_returned
from tipstaff.notices.queries import letter_of_message
from tipstaff.notices.returned import read_returned
from tipstaff.registry.operations import note_bounce
from tipstaff.registry.queries import get_customer
from tipstaff.words import CaseState, LetterKind, LetterState, Origin, ReadingReason

from .books import nobody_to_write_to
from .desk import Desk
from .posting import name_nobody, tell_anew


def take_back(report: str, *, desk: Desk, at: datetime) -> str | None:
    """If this report is a letter of ours that came back, note it; the key of the letter written anew, if one was."""
    found = get_report(report)
    if found is None or found.reading is None or found.reading.reason is not ReadingReason.BOUNCE:
        return None
    returned = read_returned(get_raw(found.evidence))
    letter = letter_of_message(returned.message_id) if returned is not None else None
    if returned is None or letter is None or letter.state is not LetterState.SENT or letter.case is None:
        return None
    if letter.to.lower() not in returned.recipients:
        return None
    with transaction.atomic():
        cases = [lock_case(key) for key in cases_of_letter(letter.key, case=letter.case)]
        why = f"{letter.key} to {letter.to} came back with {found.key}: {returned.status}"
        if not mark_returned(letter.key, why=why, at=at, actor="worker"):
            return None
        concerned = note_bounce(letter.to, why=why, at=at, actor="worker", origin=Origin.MAIL)
        for customer_key in concerned:
            nobody_to_write_to(customer_key, desk=desk, at=at, letter=letter.key)
        if letter.kind is not LetterKind.NOTICE:
            return None
        customer = get_customer(cases[0].customer)
        if cases[0].customer in concerned and customer is not None and customer.representative is not None:
            written = [tell_anew(case.key, letter.key, desk=desk, at=at) for case in cases]
            return next(filter(None, written), None)
        for case in cases:
            name_nobody(case.key, letter.key, at=at)
            with suppress(IllegalMove):  # It was closed or fixed meanwhile: nobody need be reached any more.
                move_case(case.key, to=CaseState.WAITING_PERSON, at=at, actor="worker", why=why, about=(letter.key,))
        return None
