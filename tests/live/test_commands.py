"""The commands as a person runs them, each a process of its own on a data folder of its own."""

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from email import message_from_string
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tests.live.home import KEPT, TIPSTAFF, Home, family, press_ctrl_c
from tipstaff.cli.waiting import wait_until
from tipstaff.host.postgres import is_owned

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("commands")]

DRIVERS = sorted(each.name for each in entry_points(group="tipstaff.drivers"))


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
        assert wait_until(lambda: not home.takes_mail(), seconds=60)
    traced = home.run("trace", key, "--json")
    whats = [json.loads(line)["what"] for line in traced.stdout.splitlines()]
    assert whats[:2] == ["evidence.stored", "report.opened"]
    with home.up():
        second = home.complain("after the kill")
    assert second > key
    assert "is whole" in home.run("verify").stdout
    assert "The vault is whole: 2 kept, 0 of them sealed" in home.run("verify", "--evidence").stdout
    found = json.loads(home.run("verify", "--evidence", "--json").stdout)
    assert (found["whole"], found["evidence"]["whole"], found["evidence"]["kept"]) == (True, True, 2)


def test_up_says_where_the_console_is_and_ctrl_c_leaves_nothing_behind(home: Home) -> None:
    with home.up() as process:
        assert process.stdout is not None
        said = ""
        while "Ctrl-C stops everything" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        assert f"Console      http://127.0.0.1:{home.web}/console/\n" in said
        [link] = re.findall(r"First log-in (\S+)", said)
        assert link.startswith(f"http://127.0.0.1:{home.web}/first/")
        with urllib.request.urlopen(link, timeout=60) as page:
            assert page.status == 200
            assert "password" in page.read().decode()
        assert f"Mailbox      abuse@operator.example.net by SMTP on 127.0.0.1:{home.smtp}, LMTP on" in said
        everything = family(process.pid)
        for part in ("tipstaff intake", "tipstaff worker", "tipstaff enforcer", "gunicorn", "postgres -D"):
            assert any(part in command for command in everything.values()), (part, everything)
        press_ctrl_c(process)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, rest
    assert "tipstaff is stopping" in rest
    assert "Traceback" not in said + rest
    left = {pid: command for pid, command in everything.items() if command and family(pid).get(pid) == command}
    assert left == {}
    assert not is_owned(home.data / "postgres")
    assert not (home.data / "postgres" / "data" / "postmaster.pid").exists(), "it was shut down cleanly"


def test_a_backup_brings_everything_back(home: Home, tmp_path: Path) -> None:
    report, case = home.open_case()
    before = home.contents()
    kept = tmp_path / "kept.dump"
    home.run("backup", str(kept))
    assert "exists already" in home.run("backup", str(kept), code=1).stderr
    other = Home(tmp_path / "other")
    other.run("restore", "--yes", str(kept))
    assert other.contents() == before
    for table in KEPT:
        assert not before[table].startswith("0 rows"), f"nothing is in {table} that could be lost"
    assert other.run("trace", case, "--json").stdout == home.run("trace", case, "--json").stdout
    assert report in other.run("trace", report).stdout


def test_a_port_that_is_taken_is_one_clear_sentence(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", home.web))
        other.listen()
        done = home.run("up", code=1)
        alone = home.run("web", code=1)
    assert f"127.0.0.1 port {home.web} cannot be listened on" in done.stderr
    assert alone.stderr.splitlines() == done.stderr.splitlines(), "one process alone says the same"
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
    public = home.run("letters", "openpgp-key", str(own := tmp_path / "openpgp.asc")).stdout
    assert "BEGIN PGP PUBLIC KEY BLOCK" in public
    assert "PRIVATE" not in public
    assert f'openpgp_key_file = "{own}"' in public
    assert own.stat().st_mode & 0o077 == 0
    assert home.run("letters", "openpgp-key", str(own)).stdout == public
    file = tmp_path / "tipstaff.toml"
    file.write_text(said[said.index("[mail_out]") :] + public[public.index("openpgp_key_file") :])
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
        (
            '[[feeds]]\nname = "a"\nkind = "shadowservr"\nurl = "https://feeds.example.net/"',
            ":2: [[feeds]] there is no kind of feed 'shadowservr'",
        ),
        ('[[mailboxes]]\nname = "m"\nkind = "pop3"', ":2: [[mailboxes]] 'm': kind is 'pop3'"),
        ('[mail_in]\nmax_mib = 9\narchive_passwords_file = "/is/not/there"', ":4: [mail_in] archive_passwords_file"),
        ('[reports_in]\ntokens_file = "/is/not/there"', ":3: [reports_in] tokens_file"),
        ('[sightings_in]\ntokens_file = "/is/not/there"', ":3: [sightings_in] tokens_file"),
        ('[server]\nprofiles_folder = "/is/not/there"', ":3: [server] profiles_folder"),
        ('[mail_out]\npassword_file = "/is/not/there"', ":3: [mail_out] password_file"),
        ('[mail_out]\nannouncements_file = "/is/not/there"', ":3: [mail_out] announcements_file"),
        ('[mail_in]\ntls_key = "/is/not/there"', ":3: [mail_in] tls_key and tls_certificate go together"),
        (
            '[[devices]]\nname = "a"\ndriver = "memory"\n\n[[devices]]\nname = "b"\ndriver = "nftabels"',
            f":6: [[devices]] device 'b' names the driver 'nftabels'; installed are {', '.join(DRIVERS)}.",
        ),
        (
            '[[devices]]\nname = "a"\ndriver = "memory"\nstatefile = "x"',
            ":2: [[devices]] device a: statefile is not an option of the memory driver; known is state_file.",
        ),
        (
            '[[devices]]\nname = "a"\ndriver = "memory"\n[[devices]]\nname = "b"\ndriver = "nftables"\nnftt = "x"',
            ":5: [[devices]] device b: nftt is not an option of the nftables driver",
        ),
        (
            '[[devices]]\nname = "edge1"\ndriver = "memory"\nprotected = ["192.0.2.300"]',
            ":2: [[devices]] device 'edge1': protected: '192.0.2.300'",
        ),
        ('[web]\nport = 8080\n[operator]\nown_domains = ["example.net",\n', ":5: the file is not valid TOML"),
        (
            '[[feeds]]\nname = "a"\nkind = "shadowserver"',
            ":2: [[feeds]] 'a': a feed of shadowserver needs its key_file and secret_file.",
        ),
        (
            '[[mailboxes]]\nname = "m"\nkind = "imap"\nhost = "mail.example.net"',
            ":2: [[mailboxes]] 'm': an imap mailbox needs its username and password_file.",
        ),
        (
            '[[mailboxes]]\nname = "m"\nkind = "maildir"\npath = "/is/not/there"',
            ":2: [[mailboxes]] 'm': path is /is/not/there, but there is no such folder.",
        ),
        ('[[devices]]\nname = "e"\ndriver = "nftables"\nnft = "/is/not/there/nft"', "no program that can be run"),
        ('[server]\nshadow_folder = "/is/not/there"', "/is/not/there"),
    ],
)
def test_a_setting_that_no_process_could_use_is_found_by_check(
    home: Home, tmp_path: Path, settings: str, said: str
) -> None:
    file = tmp_path / "tipstaff.toml"
    file.write_text("# Settings\n" + settings)
    told = home.run("-c", str(file), "check", code=1).stderr
    assert (f"{file}{said}" if said.startswith(":") else said) in told
    assert told.count("\n") == 1, "one sentence"


def test_check_says_what_may_be_meant_and_what_can_not(home: Home, tmp_path: Path) -> None:
    home.environment |= {"TIPSTAFF_MAIL_IN_SMTP_PORT": "-1", "TIPSTAFF_MAIL_IN_LMTP_PORT": "-1"}
    assert "no mail comes in by SMTP or LMTP" in home.run("check").stderr
    home.environment["TIPSTAFF_DATA"] = "/proc/tipstaff"
    assert "nothing can be written there" in home.run("check", code=1).stderr


def test_a_relative_data_folder_is_meant_from_where_the_caller_is(home: Home, tmp_path: Path) -> None:
    home.environment["TIPSTAFF_DATA"] = "made/here"
    done = subprocess.run(
        [*TIPSTAFF, "verify"],
        env=home.environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "made" / "here" / "postgres" / "data" / "PG_VERSION").exists()


def test_ctrl_c_while_it_loads_ends_it_without_a_word(home: Home) -> None:
    loading = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "tipstaff", "--help"],
        env=home.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # Ignored in a shell's background.
    )  # fmt: skip
    assert loading.stderr is not None
    assert any(line.split("|")[-1].strip() == "typer.exceptions" for line in loading.stderr), "it is loading"
    loading.send_signal(signal.SIGINT)
    said, rest = loading.communicate(timeout=60)
    assert (loading.returncode, said) == (130, "")
    assert "Traceback" not in rest


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
