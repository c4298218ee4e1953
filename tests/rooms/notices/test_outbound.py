"""The wire: what the mail server sees, and what its answers mean."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.config import MailOut
from tipstaff.notices.outbound import AnswerLost, RefusedForGood, RefusedForNow, deliver, render
from tipstaff.testing.mailbox import Mailbox, Trouble
from tipstaff.words import Letter, LetterKind, LetterState

AT = datetime(2026, 3, 14, 9, 15, tzinfo=UTC)
LETTER = Letter(
    key="L-000123",
    kind=LetterKind.NOTICE,
    to="maja@customer.example.org",
    subject="[C-000123] Unsolicited mail: 192.0.2.7",
    body="Dear Maja,\n\n{{portal_link}}\n\n.leading dot\nGrüße\n",
    state=LetterState.SENDING,
    case="C-000123",
    report=None,
    created_at=AT,
    sent_at=None,
    message_id="<L-000123.0123456789ab@operator.example.net>",
    language="en",
)
LINK = "https://portal.example.net/c/abc123"


def server_of(box: Mailbox) -> MailOut:
    return MailOut(host=box.host, port=box.port, from_address="abuse@operator.example.net")


def send(box: Mailbox, letter: Letter = LETTER, **more: object) -> list[str]:
    """Deliver and return what happened in order."""
    story: list[str] = []
    options = {"server": server_of(box), "at": AT, "portal_link": LINK, "sender_name": "Example Net Abuse Desk", **more}
    deliver(letter, on_handing_over=lambda: story.append(f"handing over, {len(box.mails)} taken"), **options)  # type: ignore[arg-type]  # options vary by test
    story.append(f"{len(box.mails)} taken")
    return story


def test_a_letter_arrives_whole_with_its_link() -> None:
    with Mailbox() as box:
        assert send(box) == ["handing over, 0 taken", "1 taken"]
        (mail,) = box.mails
    assert mail.recipients == ("maja@customer.example.org",)
    assert mail.sender == "abuse@operator.example.net"
    assert mail.subject == LETTER.subject
    assert mail.text == f"Dear Maja,\n\n{LINK}\n\n.leading dot\nGrüße\n"
    headers = mail.message
    assert headers["From"] == "Example Net Abuse Desk <abuse@operator.example.net>"
    assert headers["Message-ID"] == LETTER.message_id
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["X-Tipstaff-Letter"] == "L-000123"
    assert headers["Date"] == "Sat, 14 Mar 2026 09:15:00 +0000"
    assert headers.get_content_type() == "text/plain"
    assert not [name for name in headers if name.lower().startswith("list-") or name.lower() == "precedence"]


@pytest.mark.parametrize(
    "kind", [LetterKind.ACKNOWLEDGEMENT, LetterKind.NEEDS_DETAIL, LetterKind.NOT_OURS, LetterKind.TOO_OLD]
)
def test_an_answer_written_by_a_program_cannot_be_answered_by_one(kind: LetterKind) -> None:
    with Mailbox() as box:
        send(box, replace(LETTER, kind=kind, in_reply_to="<complaint.1@reporter.example.org>"))
        (mail,) = box.mails
    assert mail.sender == ""
    assert mail.message["Auto-Submitted"] == "auto-replied"
    assert mail.message["In-Reply-To"] == mail.message["References"] == "<complaint.1@reporter.example.org>"


def test_a_recipient_override_takes_every_letter() -> None:
    with Mailbox() as box:
        send(box, server=replace(server_of(box), recipient_override="staging@operator.example.net"))
        (mail,) = box.mails
    assert mail.recipients == ("staging@operator.example.net",)
    assert mail.message["To"] == "staging@operator.example.net"
    assert mail.message["X-Tipstaff-Meant-For"] == "maja@customer.example.org"


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DOT"])
def test_a_temporary_answer_means_later(at: str) -> None:
    with Mailbox() as box:
        box.answer_next(Trouble(at=at, reply="451 4.3.0 Come back later"))  # type: ignore[arg-type]  # a Command
        with pytest.raises(RefusedForNow, match=r"451 4\.3\.0 Come back later"):
            send(box)
        assert box.mails == ()


@pytest.mark.parametrize("at", ["RCPT", "DOT"])
def test_a_permanent_answer_means_never(at: str) -> None:
    with Mailbox() as box:
        box.answer_next(Trouble(at=at, reply="550 5.1.1 No such user"))  # type: ignore[arg-type]  # a Command
        with pytest.raises(RefusedForGood, match=r"550 5\.1\.1 No such user"):
            send(box)
        assert box.mails == ()


def test_a_server_that_refuses_us_as_sender_is_tried_again() -> None:
    with Mailbox() as box:
        box.answer_next(Trouble(at="MAIL", reply="550 5.7.1 You may not send here"))
        with pytest.raises(RefusedForNow):
            send(box)


def test_a_line_that_drops_before_the_text_is_tried_again() -> None:
    with Mailbox() as box:
        box.answer_next(Trouble(at="RCPT", drop=True))
        with pytest.raises(RefusedForNow):
            send(box)


@pytest.mark.parametrize("kept", [True, False])
def test_a_line_that_drops_at_the_dot_leaves_the_letter_in_doubt(kept: bool) -> None:
    with Mailbox() as box:
        box.answer_next(Trouble(at="DOT", drop=True, keep=kept))
        with pytest.raises(AnswerLost):
            send(box)
        assert len(box.mails) == kept


def test_a_server_that_is_silent_after_the_dot_leaves_the_letter_in_doubt() -> None:
    with Mailbox() as box:
        box.answer_next(Trouble(at="DOT", stall=True))
        with pytest.raises(AnswerLost):
            send(box, dot_timeout_seconds=0.2)
        box.release()


def test_nobody_listening_means_later() -> None:
    with Mailbox() as box:
        closed = server_of(box)
    with pytest.raises(RefusedForNow, match="refused"):
        deliver(LETTER, server=closed, at=AT, on_handing_over=lambda: None, portal_link=LINK)


def test_nothing_is_handed_over_when_the_store_says_stop() -> None:
    def stop() -> None:
        raise InterruptedError

    with Mailbox() as box:
        with pytest.raises(InterruptedError):
            deliver(LETTER, server=server_of(box), at=AT, on_handing_over=stop, portal_link=LINK)
        send(box)
        assert len(box.wait_for(1)) == 1


def test_a_letter_whose_link_is_missing_is_not_sent_without_it() -> None:
    with Mailbox() as box:
        with pytest.raises(RefusedForNow, match="link"):
            send(box, portal_link=None)
        assert box.mails == ()


@pytest.mark.parametrize("to", ["", "nobody", "a@example.org\r\nRCPT TO:<b@example.org>", "jäne@example.org"])
def test_an_address_that_is_none_is_refused_before_the_wire(to: str) -> None:
    with Mailbox() as box:
        with pytest.raises(RefusedForGood):
            send(box, replace(LETTER, to=to))
        assert box.mails == ()


def test_a_password_is_not_sent_in_the_clear_to_another_machine() -> None:
    far = MailOut(host="localhost.", port=9, username="desk", from_address="abuse@operator.example.net")
    with pytest.raises(RefusedForNow):
        deliver(LETTER, server=far, at=AT, on_handing_over=lambda: None, portal_link=LINK)


def test_a_server_without_tls_is_not_spoken_to_when_tls_is_wanted() -> None:
    with Mailbox() as box:
        with pytest.raises(RefusedForNow, match="STARTTLS"):
            send(box, server=replace(server_of(box), starttls=True))
        assert box.mails == ()


@given(text=st.text(max_size=300), name=st.text(max_size=80), after=st.text(max_size=80))
def test_no_field_can_begin_another_header_or_another_mail(text: str, name: str, after: str) -> None:
    letter = replace(
        LETTER,
        subject=text,
        body=text + "\r\n.\r\nMAIL FROM:<x@example.org>",
        to="maja@customer.example.org",
        in_reply_to=after,
        language=name,
    )
    raw = render(letter, to=letter.to, sender="abuse@operator.example.net", sender_name=name, at=AT, portal_link=LINK)
    mail = message_from_bytes(raw, policy=default)
    plain = {name.lower() for name in mail}
    assert plain - {"in-reply-to", "references", "content-language"} == {
        *("subject", "from", "to", "date", "message-id", "auto-submitted", "x-tipstaff-letter"),
        *("content-type", "content-transfer-encoding", "mime-version"),
    }
    assert mail["To"] == "maja@customer.example.org"
    assert mail["From"].addresses[0].addr_spec == "abuse@operator.example.net"
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    "forged", ["x\r\nBcc: trap@example.org", "x\nBcc: trap@example.org", "x\r\n\r\nbody", "x\x0bBcc: y"]
)
def test_a_line_end_in_a_subject_or_a_name_stays_text(forged: str) -> None:
    raw = render(
        replace(LETTER, subject=forged), to=LETTER.to, sender="abuse@operator.example.net", sender_name=forged, at=AT
    )
    mail = message_from_bytes(raw, policy=default)
    assert mail["Bcc"] is None
    assert mail["Subject"] == " ".join(forged.split())
