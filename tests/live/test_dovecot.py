"""The IMAP client against a real server: Dovecot, where it is installed."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tipstaff.intake.channels.mailbox import Imap
from tipstaff.words import Channel

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("dovecot", path="/usr/sbin:/usr/bin") is None, reason="Dovecot is not installed"),
    pytest.mark.skipif(os.getuid() != 0, reason="Dovecot starts as root"),
]

CONFIG = """
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
passdb {{
  driver = static
  args = password=right
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={folder}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


@pytest.fixture
def server() -> Iterator[tuple[int, Path]]:
    """A Dovecot of our own on this machine; its port and its Maildir."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not pytest's own folder, which only root may enter: the mail belongs to nobody.
    folder = Path(tempfile.mkdtemp(prefix="tipstaff-dovecot-"))
    for name in ("mail/new", "mail/cur", "mail/tmp", "run", "state"):
        (folder / name).mkdir(parents=True)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777)
    (folder / "conf").write_text(CONFIG.format(folder=folder, port=port))
    program = shutil.which("dovecot", path="/usr/sbin:/usr/bin")
    assert program is not None
    running = subprocess.Popen([program, "-F", "-c", str(folder / "conf")], stderr=subprocess.PIPE, text=True)
    try:
        _await(port, running, folder / "log")
        yield port, folder / "mail"
    finally:
        running.terminate()
        running.wait(20)
        shutil.rmtree(folder)


def _await(port: int, running: "subprocess.Popen[str]", log: Path) -> None:
    for _ in range(200):
        if running.poll() is not None:
            assert running.stderr is not None
            raise AssertionError(running.stderr.read() + (log.read_text() if log.exists() else ""))
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as line:
            if line.recv(100).startswith(b"* OK"):
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(0.1)
    raise AssertionError(log.read_text() if log.exists() else "Dovecot does not answer")


def deliver(mail: Path, name: str, n: int) -> None:
    path = mail / "tmp" / name
    path.write_bytes(b"From: a@example.org\nSubject: %d\n\nSpam from 192.0.2.%d.\n" % (n, n))
    path.chmod(0o666)
    path.rename(mail / "new" / name)


def test_a_real_server_gives_each_mail_once_and_tells_of_new_ones(server: tuple[int, Path]) -> None:
    port, mail = server
    taken: list[bytes] = []

    def accept(raw: bytes, sender: str, recipients: tuple[str, ...], channel: Channel, *, peer: str = "") -> str:
        taken.append(raw)
        return "R-1"

    for n in range(3):
        deliver(mail, f"{n}.one", n)
    box = Imap(
        "m", host="127.0.0.1", port=port, tls="none", username="desk", password="right", folder="INBOX",
        largest_octets=10_000,
    )  # fmt: skip
    *_, state = box.take(accept, {})
    assert [x.split(b"\r\n")[1] for x in taken] == [b"Subject: 0", b"Subject: 1", b"Subject: 2"]
    assert list(box.take(accept, state)) == []
    waiting = threading.Thread(target=box.wait, args=(600.0, threading.Event()))
    waiting.start()
    deliver(mail, "3.one", 3)
    waiting.join(60)
    assert not waiting.is_alive(), "IDLE tells of the new mail"
    *_, state = box.take(accept, state)
    assert len(taken) == 4
    box.close()
    again = Imap(
        "m", host="127.0.0.1", port=port, tls="none", username="desk", password="right", folder="INBOX",
        largest_octets=10_000,
    )  # fmt: skip
    assert list(again.take(accept, state)) == [], "another connection knows what was taken"
    again.close()
