"""Mailboxes that are fetched from: nothing leaves its place before it is on record, nothing is lost or told twice."""

import mailbox
import threading
from pathlib import Path
from typing import Any

import pytest

from tipstaff.intake.channels.mailbox import Imap, Mailbox, MailboxTrouble, Maildir, Mbox
from tipstaff.intake.channels.protocol import TryAgain
from tipstaff.words import Channel

from .imap_double import Folder, imap_server

MAIL = b"From: a@example.org\nSubject: %d\n\nFrom the start: 192.0.2.%d.\n"
LARGEST = 10_000


class Taker:
    """Puts mails on record, and fails at the one it is told to."""

    def __init__(self, *, fails_at: int = 0) -> None:
        self.mails: list[bytes] = []
        self.channels: set[Channel] = set()
        self.fails_at = fails_at

    def __call__(
        self, raw: bytes, sender: str, recipients: tuple[str, ...], channel: Channel, *, peer: str = ""
    ) -> str:
        if self.fails_at and len(self.mails) + 1 == self.fails_at:
            self.fails_at = 0
            raise TryAgain("the database is away")
        self.mails.append(raw)
        self.channels.add(channel)
        return f"R-{len(self.mails):06d}"


def take(box: Mailbox, taker: Taker, state: dict[str, Any] | None = None) -> dict[str, Any]:
    *_, last = [dict(state or {}), *box.take(taker, dict(state or {}))]
    return last


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    box = mailbox.Maildir(tmp_path / "box", create=True)
    for n in range(3):
        box.add(MAIL % (n, n))
    return tmp_path / "box"


def test_a_maildirs_mails_are_taken_once_and_kept_as_seen(maildir: Path) -> None:
    taker, box = Taker(), Maildir("m", maildir, largest_octets=LARGEST)
    take(box, taker)
    take(box, taker)
    assert sorted(taker.mails) == sorted(MAIL % (n, n) for n in range(3))
    assert list((maildir / "new").iterdir()) == []
    assert all(x.name.endswith(":2,S") for x in (maildir / "cur").iterdir())


def test_what_could_not_be_put_on_record_stays_in_the_maildir(maildir: Path) -> None:
    taker, box = Taker(fails_at=2), Maildir("m", maildir, largest_octets=LARGEST)
    with pytest.raises(TryAgain):
        take(box, taker)
    assert len(list((maildir / "new").iterdir())) == 2
    take(box, taker)
    assert len(taker.mails) == 3


def test_a_mail_that_is_too_large_stays_and_stops_no_other(maildir: Path) -> None:
    (maildir / "new" / "0large").write_bytes(b"x" * (LARGEST + 1))
    taker = Taker()
    take(Maildir("m", maildir, largest_octets=LARGEST), taker)
    assert len(taker.mails) == 3
    assert [x.name for x in (maildir / "new").iterdir()] == ["0large"]


def test_a_folder_that_is_no_maildir_is_named(tmp_path: Path) -> None:
    with pytest.raises(MailboxTrouble, match="new, cur and tmp"):
        take(Maildir("m", tmp_path, largest_octets=LARGEST), Taker())


@pytest.fixture
def mbox(tmp_path: Path) -> Path:
    box = mailbox.mbox(tmp_path / "box")
    for n in range(3):
        box.add(mailbox.mboxMessage(MAIL % (n, n)))
    box.close()
    return tmp_path / "box"


def test_an_mboxs_mails_are_taken_once_with_their_quoting_undone(mbox: Path) -> None:
    taker, box = Taker(), Mbox("m", mbox, largest_octets=LARGEST)
    take(box, taker)
    take(box, taker)
    assert [x.strip() for x in taker.mails] == [(MAIL % (n, n)).strip() for n in range(3)]
    assert not mbox.exists()
    assert list(mbox.parent.iterdir()) == []


def test_an_mbox_whose_lines_end_as_in_mail_is_taken_mail_by_mail(mbox: Path) -> None:
    mbox.write_bytes(mbox.read_bytes().replace(b"\n", b"\r\n"))
    taker = Taker()
    take(Mbox("m", mbox, largest_octets=LARGEST), taker)
    assert [x.split(b"\r\n")[1] for x in taker.mails] == [b"Subject: 0", b"Subject: 1", b"Subject: 2"]


def test_an_mbox_that_was_left_in_the_middle_is_gone_on_with(mbox: Path) -> None:
    taker, box = Taker(fails_at=3), Mbox("m", mbox, largest_octets=LARGEST)
    state: dict[str, Any] = {}
    with pytest.raises(TryAgain):
        for state in box.take(taker, {}):  # noqa: B007 - the last one is what is asked for
            pass
    mailbox.mbox(mbox).add(mailbox.mboxMessage(MAIL % (9, 9)))
    state = take(box, taker, state)
    take(box, taker, state)
    assert [x.split(b"\n")[1] for x in taker.mails] == [b"Subject: 0", b"Subject: 1", b"Subject: 2", b"Subject: 9"]


def test_an_mbox_that_another_program_locked_is_left(mbox: Path) -> None:
    mbox.with_name("box.lock").touch()
    with pytest.raises(MailboxTrouble, match="another program writes"):
        take(Mbox("m", mbox, largest_octets=LARGEST), Taker())
    assert mbox.exists()


def imap(port: int, *, password: str = "right", host: str = "127.0.0.1") -> Imap:
    return Imap(
        "m",
        host=host,
        port=port,
        tls="none",
        username="desk",
        password=password,
        folder="INBOX",
        largest_octets=LARGEST,
    )


def test_an_imap_folders_mails_are_taken_once_whatever_their_flags(tmp_path: Path) -> None:
    folder, taker = Folder(), Taker()
    for n in range(3):
        folder.seen.add(folder.add(MAIL % (n, n)))
    with imap_server(folder) as port:
        box = imap(port)
        state = take(box, taker)
        assert take(box, taker, state) == state
        box.close()
    assert taker.mails == [MAIL % (n, n) for n in range(3)]
    assert taker.channels == {Channel.IMAP}
    assert state == {"validity": state["validity"], "uid": 3}


def test_a_folder_with_a_great_many_mails_is_begun_with() -> None:
    """Their numbers come in one line of more than a million octets, which the library refuses by itself."""
    folder, taker = Folder(), Taker()
    folder.mails = dict.fromkeys(range(1_000_000, 1_150_000), MAIL % (1, 1))
    with imap_server(folder) as port:
        box = imap(port)
        first = next(box.take(taker, {}))
        box.close()
    assert first["uid"] == 1_000_000
    assert taker.mails == [MAIL % (1, 1)]


def test_a_folder_that_was_made_anew_is_read_from_its_start() -> None:
    folder, taker = Folder(), Taker()
    folder.add(MAIL % (1, 1))
    with imap_server(folder) as port:
        box = imap(port)
        state = take(box, taker)
        folder.validity = 8
        take(box, taker, state)
        box.close()
    assert len(taker.mails) == 2


def test_a_connection_that_breaks_is_made_anew_and_nothing_is_skipped() -> None:
    folder, taker = Folder(), Taker()
    for n in range(3):
        folder.add(MAIL % (n, n))
    folder.drop_at = "UID FETCH 2 (BODY"
    with imap_server(folder) as port:
        box = imap(port)
        state: dict[str, Any] = {}
        with pytest.raises(MailboxTrouble):
            for state in box.take(taker, {}):  # noqa: B007 - the last one is what is asked for
                pass
        take(box, taker, state)
        box.close()
    assert taker.mails == [MAIL % (n, n) for n in range(3)]


def test_new_mail_ends_the_wait_at_once() -> None:
    folder, taker = Folder(), Taker()
    with imap_server(folder) as port:
        box = imap(port)
        state = take(box, taker)
        waiting = threading.Thread(target=box.wait, args=(600.0, threading.Event()))
        waiting.start()
        assert folder.idling.wait(10)
        folder.add(MAIL % (1, 1))
        waiting.join(timeout=10)
        assert not waiting.is_alive()
        take(box, taker, state)
        box.close()
    assert len(taker.mails) == 1


@pytest.mark.parametrize("early", [False, True])
def test_mail_that_comes_between_the_last_look_and_the_wait_ends_it_at_once(early: bool) -> None:
    folder, taker = Folder(), Taker()
    folder.arrives_before_idle, folder.tells_early = MAIL % (1, 1), early
    with imap_server(folder) as port:
        box = imap(port)
        state = take(box, taker)
        waiting = threading.Thread(target=box.wait, args=(600.0, threading.Event()), daemon=True)
        waiting.start()
        waiting.join(timeout=10)
        assert not waiting.is_alive()
        take(box, taker, state)
        box.close()
    assert len(taker.mails) == 1
    assert sum("LOGIN" in command for command in folder.commands) == 1, "the connection is in order still"


@pytest.mark.parametrize("command", ["UID SEARCH", "BODY.PEEK", "UID STORE"])
def test_mail_that_the_server_told_of_with_another_answer_is_not_waited_for(command: str) -> None:
    folder, taker = Folder(), Taker()
    folder.add(MAIL % (1, 1))
    folder.arrives_at = command
    with imap_server(folder) as port:
        box = imap(port)
        state = take(box, taker)
        waiting = threading.Thread(target=box.wait, args=(600.0, threading.Event()), daemon=True)
        waiting.start()
        waiting.join(timeout=10)
        assert not waiting.is_alive()
        take(box, taker, state)
        box.close()
    assert len(taker.mails) == 2


def test_mail_that_came_with_the_last_look_before_the_wait_is_not_waited_for() -> None:
    folder, taker = Folder(), Taker()
    with imap_server(folder) as port:
        box = imap(port)
        state = take(box, taker)
        folder.arrives_at = "UID SEARCH"
        waiting = threading.Thread(target=box.wait, args=(600.0, threading.Event()), daemon=True)
        waiting.start()
        waiting.join(timeout=10)
        assert not waiting.is_alive()
        take(box, taker, state)
        box.close()
    assert len(taker.mails) == 1


def test_a_server_that_refuses_to_tell_is_looked_at_again_after_a_while() -> None:
    folder = Folder()
    folder.refuses_idle = True
    with imap_server(folder) as port:
        box = imap(port)
        take(box, Taker())
        stop = threading.Event()
        waiting = threading.Thread(target=box.wait, args=(600.0, stop), daemon=True)
        waiting.start()
        waiting.join(timeout=0.5)
        assert waiting.is_alive(), "no round of looks without a pause"
        stop.set()
        waiting.join(timeout=10)
        assert not waiting.is_alive()
        box.close()


def test_a_wrong_password_is_said_in_a_sentence() -> None:
    with imap_server(Folder()) as port, pytest.raises(MailboxTrouble, match="refuses the log-in"):
        take(imap(port, password="wrong"), Taker())


def test_no_password_goes_out_in_clear() -> None:
    with imap_server(Folder()) as port, pytest.raises(MailboxTrouble, match="without TLS"):
        take(imap(port, host="127.0.0.2"), Taker())
