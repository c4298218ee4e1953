"""The mail server that tests and the demo send to."""

import smtplib
from pathlib import Path

import pytest

from tipstaff.testing.mailbox import Mailbox, NotInTime, Trouble


def send(box: Mailbox, text: str = "hello") -> None:
    with smtplib.SMTP(box.host, box.port, local_hostname="sender.example.net") as smtp:
        smtp.sendmail("a@example.net", ["b@example.org"], f"Subject: a test\r\n\r\n{text}\r\n")


def test_each_mail_is_kept_and_written_to_its_folder(tmp_path: Path) -> None:
    with Mailbox(folder=tmp_path / "sink") as box:
        send(box, "first")
        send(box, "second")
        first, second = box.wait_for(2)
    assert (first.subject, first.text.strip(), second.text.strip()) == ("a test", "first", "second")
    names = [path.name for path in sorted((tmp_path / "sink").iterdir())]
    assert names == ["000001.eml", "000001.txt", "000002.eml", "000002.txt"]
    assert (tmp_path / "sink" / "000001.txt").read_text().endswith("Subject: a test\n\nfirst\n")
    assert (tmp_path / "sink" / "000002.eml").read_bytes() == second.raw


def test_what_does_not_come_is_not_waited_for_without_end() -> None:
    with Mailbox() as box:
        with pytest.raises(NotInTime):
            box.wait_for(1, timeout_seconds=0.05)
        with pytest.raises(NotInTime):
            box.wait_until_stalled(timeout_seconds=0.05)


def test_a_trouble_is_played_once() -> None:
    with Mailbox() as box:
        box.answer_next(Trouble(at="RCPT", reply="550 5.1.1 No such user"))
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(box)
        send(box)
        assert len(box.wait_for(lambda mails: any("hello" in mail.text for mail in mails))) == 1


def test_a_port_that_is_taken_is_said_at_once() -> None:
    with Mailbox() as box, pytest.raises(OSError, match="in use"):
        Mailbox(port=box.port).start()
