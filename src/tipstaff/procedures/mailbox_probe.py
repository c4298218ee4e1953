"""A test mail to our own mailbox: was it taken, or would a complaint be lost now (row 98)?

250 is said only when a mail is stored, so an accepted one has gone all the way in. It comes from our own address and is
set aside like any letter of ours that comes round.
"""

import smtplib
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from tipstaff.ledger.operations import record

from .desk import Desk

PATIENCE_SECONDS = 30.0


def probe(host: str, port: int, *, desk: Desk, at: datetime, actor: str) -> tuple[bool, str]:
    """(whether the mailbox took a test mail, what it answered); on record either way."""
    mail = EmailMessage()
    mail["From"] = mail["To"] = desk.abuse_address
    mail["Subject"] = f"Test of the mailbox, {at:%Y-%m-%d %H:%M:%S} UTC"
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<probe.{at.timestamp():.6f}@{desk.abuse_address.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("This mail shows that the mailbox takes complaints. Nobody need read it.")
    try:
        with smtplib.SMTP(host, port, timeout=PATIENCE_SECONDS) as line:
            line.send_message(mail, from_addr=desk.abuse_address, to_addrs=[desk.abuse_address])
        taken, said = True, "It was taken."
    except smtplib.SMTPRecipientsRefused as why:
        code, reply = why.recipients[desk.abuse_address]
        taken, said = False, f"{code} {reply.decode(errors='replace')}"
    except (OSError, smtplib.SMTPException) as why:
        taken, said = False, f"{type(why).__name__}: {why}"
    record("mailbox.probed", at=at, actor=actor, about=["mailbox"], taken=taken, said=said[:500])
    return taken, said
