"""A test mail to the real mail server: what it takes is taken, and what it does not is said and on record."""

import socket

from tests.procedures.office import NOON, Office
from tests.rooms.intake.channels.serving import HOST, Desk, serving
from tipstaff.ledger.queries import entries_about
from tipstaff.procedures import complaint
from tipstaff.procedures.mailbox_probe import probe
from tipstaff.words import Channel, ReadingReason


def probed(office: Office, port: int) -> tuple[bool, str]:
    answer = probe(HOST, port, desk=office.desk, at=NOON, actor="tests")
    made = entries_about("mailbox")[-1]
    assert (made.what, made.detail["taken"], made.detail["said"]) == ("mailbox.probed", *answer)
    return answer


def test_a_mailbox_that_takes_mail_is_seen_to(office: Office) -> None:
    desk = Desk()
    with serving(desk) as (smtp, _):
        assert probed(office, smtp) == (True, "It was taken.")
    [mail] = desk.mails
    assert mail.recipients == (office.desk.abuse_address,)
    key = complaint.accept(
        mail.raw, sender=mail.sender, recipients=mail.recipients, channel=Channel.SMTP, desk=office.desk, at=NOON
    )
    complaint.understand(key, desk=office.desk, at=NOON)
    reading = office.report(key).reading
    assert reading is not None
    assert reading.reason is ReadingReason.OWN_LETTER, "it bothers nobody at the desk"
    assert office.cases() == []


def test_a_mailbox_that_cannot_store_is_seen_to(office: Office) -> None:
    with serving(Desk(trouble=OSError("The disk is full."))) as (smtp, _):
        taken, said = probed(office, smtp)
    assert not taken
    assert "4" in said


def test_a_mailbox_that_nobody_serves_is_seen_to(office: Office) -> None:
    with socket.socket() as free:
        free.bind((HOST, 0))
        taken, said = probed(office, free.getsockname()[1])
    assert not taken
    assert "refused" in said.lower()
