"""`tipstaff parse`, as somebody at a terminal or a script sees it."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tipstaff.cli.parse import parse

from .mails import letter

app = typer.Typer()
app.command()(parse)


def run(*arguments: str | Path):  # type: ignore[no-untyped-def]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(x) for x in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.eml").write_bytes(letter("Brute force from 192.0.2.7 port 4711 at 2026-03-10 10:00:00 UTC"))
    (tmp_path / "b" / "c.eml").write_bytes(letter("Away", subject="Out of office"))
    (tmp_path / "z.eml").write_bytes(letter("CSAM at https://example.com/x, 192.0.2.9", subject="child pornography"))
    return tmp_path


def test_json_is_one_object_a_line_in_the_order_of_the_files(folder: Path) -> None:
    done = run("--json", folder)
    assert done.exit_code == 0
    lines = [json.loads(x) for x in done.stdout.splitlines()]
    assert [x["file"] for x in lines] == ["a.eml", "z.eml", "c.eml"]
    first = lines[0]
    assert (first["verdict"], first["reason"], first["parser"]) == ("complaint", "UNDERSTOOD", "freetext")
    incident = first["incidents"][0]
    assert incident["type"] == "connection/login_attack"
    assert incident["source"] == "192.0.2.7"
    assert incident["port"] == 4711
    assert incident["at"] == "2026-03-10T10:00:00Z"
    assert lines[2]["incidents"] == []


def test_a_sealed_mail_shows_nothing_of_itself(folder: Path) -> None:
    for arguments in (("--json", folder / "z.eml"), (folder / "z.eml",)):
        done = run(*arguments)
        assert "sealed" in done.stdout
        assert "192.0.2.9" not in done.stdout
        assert "example.com" not in done.stdout


def test_for_a_person_it_is_a_table(folder: Path) -> None:
    shown = run(folder).stdout
    assert re.search(r"a\.eml\s+complaint", shown)
    assert "192.0.2.7 port 4711" in shown
    assert "OFFICE" not in shown.upper() or "no complaint" in shown


def test_a_path_that_cannot_be_read_is_one_sentence_and_the_others_are_read(folder: Path) -> None:
    done = run("--json", folder / "missing.eml", folder / "a.eml")
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 1
    assert "missing.eml: there is no such file." in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_mail_in_a_folder_is_left_out_with_a_sentence(folder: Path) -> None:
    (folder / "gone.eml").symlink_to(folder / "nowhere")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    (folder / "empty").mkdir()
    done = run("--json", folder)
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 3)
    assert [line.rpartition(": ")[2] for line in done.stderr.splitlines()] == [
        "it is a link to no file.", "it is a pipe.", "it is a link to a folder."
    ]  # fmt: skip
    assert "There is no file in" in run(folder / "empty").stderr


def test_each_mail_of_an_mbox_is_read(tmp_path: Path) -> None:
    mails = [letter(f"Brute force from 192.0.2.{n}\n\nFrom the desk\n") for n in (7, 8)]
    box = b"".join(b"From ana@example.org Tue Mar 10 10:00:00 2026\n" + mail + b"\n\n" for mail in mails)
    (tmp_path / "box").write_bytes(box)
    (tmp_path / "one.eml.gz").write_bytes(gzip.compress(mails[0]))
    lines = [json.loads(x) for x in run("--json", tmp_path).stdout.splitlines()]
    assert [(x["file"], x["incidents"][0]["source"]) for x in lines] == [
        ("box:1", "192.0.2.7"), ("box:2", "192.0.2.8"), ("one.eml.gz", "192.0.2.7"),
    ]  # fmt: skip
    assert re.search(r"box:2\s+complaint", run(tmp_path / "box").stdout)


def test_a_mail_comes_by_standard_input(folder: Path) -> None:
    done = CliRunner().invoke(app, ["--json", "-"], input=(folder / "a.eml").read_bytes())
    told = json.loads(done.stdout)
    assert (told["file"], told["incidents"][0]["source"]) == ("-", "192.0.2.7")


def test_what_a_mail_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    name = "evil.eml"
    (tmp_path / name).write_bytes(letter("Phishing at https://evil.example.com/\x1b[31m[bold]x[/bold] from 192.0.2.7"))
    shown = run(tmp_path / name).stdout
    assert "\x1b[31m" not in shown


def test_several_processes_keep_the_order(tmp_path: Path) -> None:
    for n in range(80):
        (tmp_path / f"{n:03}.eml").write_bytes(letter(f"Brute force from 192.0.2.{n}"))
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tipstaff.cli.parse import parse; from pathlib import Path; import sys;"
            " parse([Path(sys.argv[1])], json_=True, jobs=2)",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [json.loads(x)["incidents"][0]["source"] for x in done.stdout.splitlines()] == [
        f"192.0.2.{n}" for n in range(80)
    ]
    assert done.stderr == ""


def test_reading_needs_no_django_and_no_database(folder: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from tipstaff.intake.protocol import load_parsers; from tipstaff.intake.reading import read;"
            " from pathlib import Path; read(Path(sys.argv[1]).read_bytes(), parsers=load_parsers());"
            " assert not [x for x in sys.modules if x.split('.')[0] in ('django', 'psycopg')]",
            str(folder / "a.eml"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
