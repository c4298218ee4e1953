"""Somebody answers a letter of ours by mail, as our letters say that they may: a person reads it, and no clock acts.

It is no complaint, whatever it quotes: who answers a notice would else accuse themselves with our own words. Anybody
can write what looks like an answer. It counts if it returns a Message-ID of ours, which only the letter's reader has
seen, or if it names the case or the report and comes from the address that we wrote to. What it can bring about is
that somebody looks: nothing is decided by it.
"""

from dataclasses import replace
from datetime import datetime

from django.db import transaction

from tipstaff.cases.operations import lock_case, move_case
from tipstaff.cases.queries import standing_key
from tipstaff.intake.authors import Author, written_by_program
from tipstaff.intake.operations import store_reading
from tipstaff.ledger.operations import record
from tipstaff.notices.queries import letter_of_message, newest_letter
from tipstaff.notices.replies import read_answered
from tipstaff.words import CaseState, Letter, Reading, ReadingOutcome, ReadingReason, Report

_ASIDE = frozenset({ReadingReason.AUTO_REPLY, ReadingReason.BOUNCE, ReadingReason.OWN_LETTER, ReadingReason.NEWSLETTER})
"""What a program wrote answers nothing."""
_REPORT_FORMS = frozenset({"arf", "xarf"})
"""A complainant's program may thread its next report under our last letter."""
_WAITS_FROM = frozenset({CaseState.OPENED, CaseState.NOTIFIED, CaseState.EXTENDED, CaseState.OVERDUE})
"""States in which a clock would act on a customer who has written to us."""


def letter_answered(raw: bytes, reading: Reading) -> Letter | None:
    """The letter of ours that a person answers with this mail; None when it is no answer."""
    if reading.outcome is ReadingOutcome.SEALED or reading.reason in _ASIDE:
        return None
    if written_by_program(raw) is not Author.PERSON:
        return None
    answered = read_answered(raw)
    found = next(filter(None, map(letter_of_message, answered.message_ids)), None)
    if found is None:
        found = next(
            filter(None, (newest_letter(key, to=answered.sender) for key in answered.keys if answered.sender)), None
        )
    if found is None or (
        found.report is not None and reading.outcome is ReadingOutcome.COMPLAINT and reading.parser in _REPORT_FORMS
    ):
        return None
    return found


def take_reply(report: Report, letter: Letter, reading: Reading, *, at: datetime) -> None:
    """Give an answer to a person; a case whose customer wrote it waits until somebody has read it.

    One transaction: should the worker die, the report is unread and all of it is done again.
    """
    about = letter.case or letter.report or letter.key
    detail = f"It answers {letter.key} about {about}; a person reads it."
    reply = replace(
        reading, outcome=ReadingOutcome.UNREADABLE, reason=ReadingReason.REPLY, allegations=(), marks=(), detail=detail
    )
    customers = letter.case is not None and letter.report is None
    with transaction.atomic():
        case = lock_case(standing_key(letter.case)) if letter.case is not None and customers else None
        store_reading(report.key, reading=reply, at=at, actor="worker")
        linked = [key for key in (letter.key, letter.case, letter.report) if key]
        by = "customer" if customers else "complainant"
        record("letter.replied", at=at, actor="worker", about=[report.key, *linked], by=by)
        if case is not None and case.state in _WAITS_FROM:
            why = f"They answered {letter.key} by mail with {report.key}; read it first."
            move_case(
                case.key, to=CaseState.WAITING_PERSON, at=at, actor="worker", why=why, about=(report.key, letter.key)
            )
