"""Rows to words."""

from tipstaff.words import Attachment, Letter, LetterKind, LetterState, MailKeys

from .models import LetterRow


def letter_of(row: LetterRow) -> Letter:
    """Return a row as the word that leaves this room."""
    return Letter(
        key=row.key,
        kind=LetterKind(row.kind),
        to=row.to,
        subject=row.subject,
        body=row.body,
        state=LetterState(row.state),
        case=row.case,
        report=row.report,
        created_at=row.created_at,
        sent_at=row.sent_at,
        message_id=row.message_id,
        language=row.language,
        detail=row.detail,
        attempts=row.attempts,
        in_reply_to=row.in_reply_to,
        html=row.html,
        diverted=row.diverted,
        log_in=row.log_in,
        brand=row.brand,
        keys=MailKeys(openpgp=tuple(row.keys["openpgp"]), smime=tuple(row.keys["smime"])) if row.keys else None,
        attachments=tuple(Attachment(name=name, text=text) for name, text in row.attachments),
    )
