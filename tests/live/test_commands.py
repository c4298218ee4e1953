"""The commands as a person runs them, each a process of its own on a data folder of its own."""

import contextlib
import json
import os
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_string
from pathlib import Path

import pytest

from tipstaff.cli.waiting import answers_http, wait_until
from tipstaff.host.postgres import is_owned

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("commands")]
NOW = datetime.now(UTC).isoformat(timespec="seconds")  # noqa: TID251 - real processes run on the real clock
TIPSTAFF = [sys.executable, "-m", "tipstaff"]


def free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Home:
    """A data folder, ports, and the environment of whoever runs Tipstaff on them."""

    def __init__(self, folder: Path) -> None:
        self.data = folder
        self.web, self.smtp, self.lmtp = free_ports(3)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("TIPSTAFF_", "DJANGO_"))}
        self.environment = kept | {
            "TIPSTAFF_DATA": str(folder),
            "TIPSTAFF_WEB_PORT": str(self.web),
            "TIPSTAFF_MAIL_IN_SMTP_PORT": str(self.smtp),
            "TIPSTAFF_MAIL_IN_LMTP_PORT": str(self.lmtp),
        }

    def run(self, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*TIPSTAFF, *words], env=self.environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    @contextlib.contextmanager
    def up(self) -> "Iterator[subprocess.Popen[str]]":
        process = subprocess.Popen(
            [*TIPSTAFF, "up"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        try:
            assert answers_http(f"http://127.0.0.1:{self.web}/health", seconds=120)
            assert wait_until(self._takes_mail, seconds=60)
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)

    def _takes_mail(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.smtp), timeout=1):
                return True
        except OSError:
            return False

    def complain(self, subject: str) -> str:
        with smtplib.SMTP("127.0.0.1", self.smtp, timeout=60) as smtp:
            smtp.ehlo()
            smtp.mail("ana@reporter.example.org")
            smtp.rcpt("abuse@operator.example.net")
            code, reply = smtp.data(
                f"From: ana@reporter.example.org\r\nTo: abuse@operator.example.net\r\nSubject: {subject}\r\n"
                f"Message-ID: <{subject.replace(' ', '-')}@reporter.example.org>\r\n\r\n"
                f"{NOW} sshd: Failed password for root from 192.0.2.10 port 40123\r\n"
            )
        assert code == 250, reply
        return reply.decode().split()[-1].rstrip(".")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "data")


def test_what_was_acknowledged_survives_a_kill_of_the_whole_program(home: Home) -> None:
    with home.up() as first:
        key = home.complain("before the kill")
        first.kill()
        first.wait()
        # Everything goes with it: the processes, and PostgreSQL cleanly, so that the folder is free again.
        assert wait_until(lambda: not is_owned(home.data / "postgres"), seconds=60)
        assert wait_until(lambda: not home._takes_mail(), seconds=60)
    traced = home.run("trace", key, "--json")
    whats = [json.loads(line)["what"] for line in traced.stdout.splitlines()]
    assert whats[:2] == ["evidence.stored", "report.opened"]
    with home.up():
        second = home.complain("after the kill")
    assert second > key
    assert "is whole" in home.run("verify").stdout


def test_a_backup_brings_everything_back(home: Home, tmp_path: Path) -> None:
    home.run("registry", "import", str(customers_file(tmp_path)))
    before = home.run("registry", "customers", "--json").stdout
    kept = tmp_path / "kept.dump"
    home.run("backup", str(kept))
    assert "exists already" in home.run("backup", str(kept), code=1).stderr
    other = Home(tmp_path / "other")
    other.run("restore", "--yes", str(kept))
    assert other.run("registry", "customers", "--json").stdout == before
    assert "acct-1001" in before


def customers_file(folder: Path) -> Path:
    example = Path(__file__).resolve().parents[2] / "docs" / "operate" / "example" / "customers.csv"
    copy = folder / "customers.csv"
    copy.write_bytes(example.read_bytes())
    return copy


def test_a_port_that_is_taken_is_one_clear_sentence(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", home.web))
        other.listen()
        done = home.run("up", code=1)
    assert f"127.0.0.1 port {home.web} cannot be listened on" in done.stderr
    assert "TIPSTAFF_WEB_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_setting_is_one_clear_sentence(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "tipstaff.toml"
    file.write_text('[web]\nport = "eighty"\n')
    done = home.run("-c", str(file), "up", code=1)
    assert f"{file}:2: [web] port is 'eighty', but it takes a whole number." in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_id_is_one_clear_sentence(home: Home) -> None:
    done = home.run("trace", "C-999999", code=1)
    assert "nothing in the record is about 'C-999999'" in done.stderr


def test_letters_are_read_before_the_first_one_may_go_out(home: Home, tmp_path: Path) -> None:
    with home.up():
        report = home.complain("a letter to read")
        assert wait_until(lambda: "letter.held" in home.run("trace", report, "--json").stdout, seconds=60)
    [line] = home.run("letters", "list", "--json").stdout.splitlines()
    letter = json.loads(line)
    assert (letter["state"], letter["report"]) == ("held", report)
    assert letter["key"] in home.run("letters", "list", "--state", "held").stdout
    assert letter["subject"] in home.run("letters", "show", letter["key"]).stdout
    key = tmp_path / "dkim.pem"
    said = home.run("letters", "dkim-key", str(key)).stdout
    assert said.startswith("tipstaff._domainkey.operator.example.net. IN TXT (")
    assert home.run("letters", "dkim-key", str(key)).stdout == said
    file = tmp_path / "tipstaff.toml"
    file.write_text(said[said.index("[mail_out]") :])
    mail = message_from_string(home.run("-c", str(file), "letters", "show", "--raw", letter["key"]).stdout)
    assert [part.get_content_type() for part in mail.walk()][1:] == ["text/plain", "text/html"]
    assert "d=operator.example.net" in mail["DKIM-Signature"]
    assert "there is no letter" in home.run("letters", "show", "L-999999", code=1).stderr


def test_one_folder_takes_one_tipstaff_and_is_not_replaced_under_it(home: Home, tmp_path: Path) -> None:
    kept = tmp_path / "kept.dump"
    with home.up():
        other = Home(home.data)
        assert "runs on" in other.run("up", code=1).stderr
        home.run("backup", str(kept))
        assert "stop it first" in home.run("restore", "--yes", str(kept), code=1).stderr
    home.run("restore", "--yes", str(kept))


def test_editions_on_record_are_listed_by_a_fresh_process(home: Home) -> None:
    assert "posted" in home.run("policy", "list").stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('[[feeds]]\nname = "a"\nkind = "shadowservr"\nurl = "https://feeds.example.net/"', "'shadowservr'"),
        ('[[mailboxes]]\nname = "m"\nkind = "pop3"', "it takes maildir, mbox or imap"),
        ('[mail_in]\narchive_passwords_file = "/is/not/there"', "archive_passwords_file"),
        ('[reports_in]\ntokens_file = "/is/not/there"', "tokens_file"),
        ('[server]\nprofiles_folder = "/is/not/there"', "profiles_folder"),
        ('[server]\nshadow_folder = "/is/not/there"', "/is/not/there"),
    ],
)
def test_a_setting_that_no_process_could_use_is_found_by_check(
    home: Home, tmp_path: Path, settings: str, said: str
) -> None:
    file = tmp_path / "tipstaff.toml"
    file.write_text(settings)
    assert said in home.run("-c", str(file), "check", code=1).stderr


def test_a_log_in_link_is_for_somebody_who_is_there(home: Home) -> None:
    assert "/first/" in home.run("login-link").stdout, "the first administrator"
    assert "Nobody is called 'amin'" in home.run("login-link", "amin", code=2).stderr
    assert "small letters" in home.run("login-link", "--new", "we ird", code=2).stderr
    assert "what a program is called" in home.run("login-link", "--new", "worker", code=1).stderr
    made = home.run("login-link", "--new", "lena")
    assert "new account" in made.stderr
    assert "/first/" in home.run("login-link", "lena").stdout
    made = home.run("login-link", "--new", "--role", "engineer", "--role", "analyst", "otto")
    assert "otto is a new account: analyst and engineer." in made.stderr
    assert "There is no role system" in home.run("login-link", "--new", "--role", "system", "eve", code=2).stderr
    assert "with --new" in home.run("login-link", "--role", "lead", "otto", code=2).stderr
    assert "has an account already" in home.run("login-link", "--new", "--role", "lead", "otto", code=2).stderr


def test_what_a_device_may_never_touch_is_read_before_anything_starts(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "tipstaff.toml"
    file.write_text('[[devices]]\nname = "edge1"\ndriver = "memory"\nprotected = ["192.0.2.300"]\n')
    for command in ("check", "up"):
        assert "protected: '192.0.2.300'" in home.run("-c", str(file), command, code=1).stderr
