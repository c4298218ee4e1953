"""A mail server that is away: one line in the log, and the health page says it. A letter that was let go of."""

import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from pysequoia import Tsk, decrypt

from tipstaff import wiring
from tipstaff.config import MailOut
from tipstaff.ledger.queries import recent
from tipstaff.notices import operations, posting
from tipstaff.notices.compose import Draft
from tipstaff.notices.operations import queue_letter
from tipstaff.notices.outbound import RefusedForNow
from tipstaff.notices.queries import get_letter, list_letters
from tipstaff.procedures import registering
from tipstaff.procedures.portal import set_contacts
from tipstaff.registry.queries import get_customer
from tipstaff.testing.mailbox import Mailbox, Trouble
from tipstaff.web.console.reads import programs
from tipstaff.wiring import jobs, mail
from tipstaff.words import Customer, Letter, LetterKind, LetterState, Representative, Role


@pytest.mark.django_db(transaction=True)
def test_a_mail_server_that_is_away_is_told_once_and_shown(
    at: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # Bound and not listened on: refused.
        way_out = MailOut(host="127.0.0.1", port=closed.getsockname()[1], from_address="abuse@operator.example.net")
        monkeypatch.setattr(wiring, "mail_server", lambda: way_out)
        monkeypatch.setattr(mail, "_told_at", {})
        for number in range(3):
            queue_letter(
                LetterKind.ACKNOWLEDGEMENT, once=f"ack:{number}", at=at, actor="worker", to="ana@example.org",
                case=None, report=None, held=False, draft=Draft(subject="Yours", body="Hello"),
            )  # fmt: skip
        caplog.set_level(logging.WARNING, logger="tipstaff")
        assert [mail.post_next().state for _ in range(3)] == [LetterState.QUEUED] * 3  # type: ignore[union-attr]
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == 1
        assert f"127.0.0.1:{way_out.port} did not take letter L-" in told[0]
        assert "Connection refused" in told[0]
        letters = next(program for program in programs(at) if program.name == "Letters")
        assert not letters.well
        assert "3 waiting, 3 of them not taken by the mail server yet" in letters.detail
        monkeypatch.setattr(wiring, "now", lambda: at + mail.TOLD_AGAIN_AFTER + timedelta(minutes=5))
        mail.post_next()
        assert len(caplog.records) == 2, "and again after a while"


@pytest.mark.django_db(transaction=True)
def test_a_contact_with_a_key_gets_letters_that_they_alone_can_read_and_a_key_that_ran_out_holds_them(
    at: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = Tsk.generate("ana@example.org", validity_seconds=3600)
    customer = Customer(key="acct-9", name="Example", representative=None)
    registering.save_customer(customer, at=at, actor="lena")
    contact = Representative(name="Ana", email="ana@example.org", openpgp_key=str(key.extract_certificate()))
    registering.designate("acct-9", [contact], at=at, actor="lena")
    letter = queue_letter(
        LetterKind.POLICY_CHANGE, once="policy", at=at, actor="worker", to="Ana@example.org", case=None, report=None,
        held=False, draft=Draft(subject="The policy changes", body="Hello Ana"),
    )  # fmt: skip
    with Mailbox() as box:
        way_out = MailOut(host=box.host, port=box.port, from_address="abuse@operator.example.net")
        monkeypatch.setattr(wiring, "mail_server", lambda: way_out)
        monkeypatch.setattr(mail, "_told_at", {})
        ends = key.extract_certificate().expiration
        assert ends is not None
        late = ends + timedelta(days=1)
        monkeypatch.setattr(wiring, "now", lambda: late)
        caplog.set_level(logging.WARNING, logger="tipstaff")
        waiting = mail.post_next()
        assert waiting is not None
        assert (waiting.state, box.mails) == (LetterState.QUEUED, ())
        assert waiting.detail.startswith("it cannot be closed by the key on record for its reader: it ran out on")
        assert "ana" not in caplog.text.lower()
        fresh = Tsk.generate("ana@example.org")
        contact = replace(contact, openpgp_key=str(fresh.extract_certificate()))
        registering.designate("acct-9", [contact], at=late, actor="lena")
        monkeypatch.setattr(wiring, "now", lambda: late + timedelta(hours=1))
        sent = mail.post_next()
        assert sent is not None
        assert sent.state is LetterState.SENT
        (raw,) = [each.raw for each in box.mails]
    assert b"policy changes" not in raw
    assert b"Hello Ana" not in raw
    armoured = raw[raw.index(b"-----BEGIN PGP") : raw.index(b"-----END PGP MESSAGE-----") + 25]
    opened = decrypt(armoured, decryptor=fresh.decryptor()).bytes
    assert opened is not None
    assert b"Subject: The policy changes" in opened
    assert b"Hello Ana" in opened
    (entry,) = [e for e in recent(about=letter, limit=20) if e.what == "letter.sent"]
    assert entry.detail["closed_by"] == "OpenPGP"


def a_letter(to: str, *, at: datetime, case: str | None = None) -> str:
    return queue_letter(
        LetterKind.POLICY_CHANGE, once=f"policy:{to}", at=at, actor="worker", to=to, case=case, report=None,
        held=False, draft=Draft(subject="The policy changes", body="Hello Ana"),
    )  # fmt: skip


def posted(at: datetime, monkeypatch: pytest.MonkeyPatch) -> tuple[Letter, bytes]:
    """The next letter as it then stands, and what a mail server got of it."""
    with Mailbox() as box:
        way_out = MailOut(host=box.host, port=box.port, from_address="abuse@operator.example.net")
        monkeypatch.setattr(wiring, "mail_server", lambda: way_out)
        monkeypatch.setattr(wiring, "now", lambda: at)
        letter = mail.post_next()
        assert letter is not None
        return letter, b"".join(each.raw for each in box.mails)


def keyed(email: str) -> Representative:
    return Representative(name="Ana", email=email, openpgp_key=str(Tsk.generate(email).extract_certificate()))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("on_record", "written_to"),
    [
        ("Ana@bücher.example", "ana@bücher.example"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
        ("ana@xn--bcher-kva.example", "ana@Bücher.example"),
        ("ana@straße.example", "ana@straße.example"),
    ],
)
def test_a_letter_is_closed_in_whichever_script_its_address_is_written(
    at: datetime, monkeypatch: pytest.MonkeyPatch, on_record: str, written_to: str
) -> None:
    registering.save_customer(Customer(key="acct-9", name="Example", representative=None), at=at, actor="lena")
    registering.designate("acct-9", [keyed(on_record)], at=at, actor="lena")
    a_letter(written_to, at=at)
    letter, raw = posted(at, monkeypatch)
    assert letter.state is LetterState.SENT
    assert b"-----BEGIN PGP MESSAGE" in raw
    assert b"Hello Ana" not in raw


@pytest.mark.django_db(transaction=True)
def test_a_letter_stays_closed_for_a_contact_who_was_taken_out_since_and_so_does_the_one_that_tells_them(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = replace(keyed("ana@bücher.example"), verified_at=at)
    ben = Representative(name="Ben", email="ben@example.org", verified_at=at)
    registering.save_customer(Customer(key="acct-9", name="Example", representative=None), at=at, actor="lena")
    registering.designate("acct-9", [ana, ben], at=at, actor="lena")
    a_letter(ana.email, at=at)
    customer = get_customer("acct-9")
    assert customer is not None
    desk = replace(wiring.desk(), enqueue=lambda *_: None, mail_out_ready=True)
    later = at + timedelta(minutes=1)
    assert set_contacts(customer, lambda chain: chain[1:], by=ben.email, why="Gone", desk=desk, at=later)
    went = [posted(later + timedelta(days=1), monkeypatch) for _ in range(3)]
    closed = {(letter.kind, letter.to): b"-----BEGIN PGP MESSAGE" in raw for letter, raw in went}
    assert {letter.state for letter, _ in went} == {LetterState.SENT}
    assert closed == {
        (LetterKind.POLICY_CHANGE, ana.email): True,
        (LetterKind.CONTACTS_CHANGED, ana.email): True,
        (LetterKind.CONTACTS_CHANGED, ben.email): False,
    }
    assert not [raw for letter, raw in went if letter.to == ana.email and b"Hello Ana" in raw]


@pytest.mark.django_db(transaction=True)
def test_a_letter_that_no_key_closes_for_two_days_is_put_before_a_person(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    registering.save_customer(Customer(key="acct-9", name="Example", representative=None), at=at, actor="lena")
    ended = Tsk.generate("ana@example.org", validity_seconds=3600).extract_certificate()
    contact = Representative(name="Ana", email="ana@example.org", openpgp_key=str(ended))
    registering.designate("acct-9", [contact], at=at, actor="lena")
    key = a_letter(contact.email, at=at)
    assert ended.expiration is not None
    first = ended.expiration + timedelta(days=1)
    for late, state in (
        (first, LetterState.QUEUED),
        (first + timedelta(days=1, hours=23), LetterState.QUEUED),
        (first + timedelta(days=2), LetterState.REFUSED),
    ):
        letter, raw = posted(late, monkeypatch)
        assert (letter.state, raw) == (state, b"")
    assert "it ran out on" in letter.detail
    mended = first + timedelta(days=3)
    registering.designate("acct-9", [keyed(contact.email)], at=mended, actor="lena")
    operations.send_again(key, at=mended, actor="lena")
    letter, raw = posted(mended, monkeypatch)
    assert letter.state is LetterState.SENT
    assert b"-----BEGIN PGP MESSAGE" in raw


@pytest.mark.django_db(transaction=True)
def test_what_a_thread_let_go_of_is_settled_by_the_next_job_and_what_another_carries_is_not(
    at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise LookupError

    def carry() -> None:
        try:
            mail.post_next()
        finally:
            connection.close()

    def queue(once: str) -> str:
        return queue_letter(
            LetterKind.ACKNOWLEDGEMENT, once=once, at=at, actor="worker", to="ana@example.org", case=None, report=None,
            held=False, draft=Draft(subject="Yours", body="Hello"),
        )  # fmt: skip

    def state_of(key: str) -> LetterState:
        letter = get_letter(key)
        assert letter is not None
        return letter.state

    with Mailbox() as box, ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        way_out = MailOut(host=box.host, port=box.port, from_address="abuse@operator.example.net")
        monkeypatch.setattr(wiring, "mail_server", lambda: way_out)
        dropped = queue("dropped")
        with monkeypatch.context() as meanwhile:
            meanwhile.setattr(operations, "mark_sent", stumble)
            with pytest.raises(LookupError):
                first.submit(carry).result()
        assert state_of(dropped) is LetterState.HANDING_OVER

        carried = queue("carried")
        box.answer_next(Trouble(at="DOT", stall=True))
        carrying = second.submit(carry)
        box.wait_until_stalled()
        jobs.letters("all")
        assert (state_of(dropped), state_of(carried)) == (LetterState.IN_DOUBT, LetterState.HANDING_OVER)
        box.release()
        carrying.result()
        assert state_of(carried) is LetterState.SENT
        assert len(box.mails) == 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("reply", "logged"),
    [
        ("450 4.2.0 <ana@example.org>: Recipient address rejected: Greylisted", "450 4.2.0"),
        ("451 ana@example.org is looked into", "451"),
        ("-1 hello, ana@example.org", "-1"),
    ],
)
def test_what_a_mail_server_says_of_whom_we_write_to_is_on_the_letter_and_not_in_the_log(
    at: datetime, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, reply: str, logged: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RefusedForNow(reply)

    way_out = MailOut(host="127.0.0.1", port=25, from_address="abuse@operator.example.net")
    monkeypatch.setattr(wiring, "mail_server", lambda: way_out)
    monkeypatch.setattr(mail, "_told_at", {})
    monkeypatch.setattr(posting, "deliver", refuse)
    queue_letter(
        LetterKind.ACKNOWLEDGEMENT, once="ack", at=at, actor="worker", to="ana@example.org", case=None, report=None,
        held=False, draft=Draft(subject="Yours", body="Hello"),
    )  # fmt: skip
    caplog.set_level(logging.WARNING, logger="tipstaff")
    letter = mail.post_next()
    assert letter is not None
    assert letter.detail == reply
    [record] = caplog.records
    assert "ana" not in record.getMessage()
    assert f"({logged}); letters that wait" in record.getMessage()


def test_what_mail_brought_to_nobody_is_printed_and_telephoned_by_whoever_may(
    day: object, at: datetime, log_in: Callable[..., Client]
) -> None:  # fmt: skip
    letter = next(x for x in list_letters(limit=500) if x.kind is LetterKind.NOTICE and x.state is LetterState.SENT)
    page = f"/console/letters/{letter.key}"
    lena, eva = log_in(Role.LEAD, name="mary"), log_in(Role.ENGINEER, name="eva")
    assert "By another way" not in lena.get(page).content.decode()
    assert lena.post(f"{page}/print", {"address": "Example"})["Location"] == page, "it arrived"
    assert operations.mark_returned(letter.key, why="550", at=at, actor="worker")
    shown = lena.get(page).content.decode()
    assert "By another way" in shown
    assert "It counts as arrived now" not in shown, "first it is posted or read out"
    printed = lena.post(f"{page}/print", {"address": "Example Bakery\n1 Example Street"})
    assert (printed["Content-Type"], printed["Cache-Control"][:7]) == ("application/pdf", "max-age")
    assert printed.content.startswith(b"%PDF-1.")
    assert lena.post(f"{page}/print", {"address": ""})["Location"] == page
    by_program = f"/api/letters/{letter.key}/print"
    to, once = {"address": "Example Bakery\n1 Example Street"}, {"Idempotency-Key": "print-1"}
    made = [lena.post(by_program, to, "application/json", headers=once) for _ in range(2)]
    assert made[0].content.startswith(b"%PDF-1.")
    assert [answer.status_code for answer in made] == [200, 409], "the customer's link in it is kept nowhere"
    assert lena.post(by_program, {"address": ""}, "application/json").status_code == 409
    assert eva.post(by_program, to, "application/json").status_code == 403
    lena.post(f"{page}/phoned", {"whom": "the owner", "said": "<i>Rings back.</i>"})
    assert "&lt;i&gt;Rings back.&lt;/i&gt;" in lena.get(page).content.decode()
    for act, form in (("print", {"address": "x"}), ("posted", {}), ("phoned", {}), ("reached", {})):
        assert eva.post(f"{page}/{act}", form).status_code == 403, act
    lena.post(f"{page}/reached", {"whom": "the owner", "how": "She read it back."})
    found = get_letter(letter.key)
    assert found is not None
    assert found.state is LetterState.SENT
