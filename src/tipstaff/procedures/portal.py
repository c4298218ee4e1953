"""Customers' own people at the portal: the letter with a link to log in, and what stands in the record of them."""

from datetime import datetime

from tipstaff.ledger.operations import record
from tipstaff.notices import LetterFacts, compose
from tipstaff.notices.operations import queue_letter
from tipstaff.words import LetterKind

from .desk import Desk


def send_log_in_link(email: str, *, name: str, language: str, log_in: str, desk: Desk, at: datetime, actor: str) -> str:
    """Queue the letter with link `log_in` (`12-3`); its key. The link itself is made when the letter is sent."""
    facts = LetterFacts(
        operator=desk.operator, abuse_contact=desk.abuse_address, language=language, representative=name
    )  # fmt: skip
    key = queue_letter(
        LetterKind.LOG_IN_LINK, once=f"log_in_link:{log_in}", to=email, log_in=log_in, case=None, report=None,
        draft=compose(LetterKind.LOG_IN_LINK, facts=facts), at=at, actor=actor, held=not desk.mail_out_ready,
    )  # fmt: skip
    desk.enqueue("letters", "all")
    return key


def note_portal_change(what: str, *, customer: str, at: datetime, actor: str, **detail: object) -> None:
    """Put on record what changed among a customer's people: `portal.let_in`, `portal.let_out`, ..."""
    record(what, at=at, actor=actor, about=[customer], **detail)
