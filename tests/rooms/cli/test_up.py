"""What `up` and the demo say while they start, and when a port cannot be had."""

import os
import shlex
import socket
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest
import typer

from tipstaff.cli import demo, record, running, waiting
from tipstaff.cli.base import RunsAlready
from tipstaff.config import Config, MailOut
from tipstaff.testing.lab import Lab
from tipstaff.wiring import processes


@pytest.fixture
def greeted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "answers_http", lambda *_, **__: True)
    monkeypatch.setattr(running, "_greeting", lambda _: iter(["Console", "Ctrl-C stops everything."]))


def test_who_stops_it_while_it_starts_is_not_greeted(greeted: None, capsys: pytest.CaptureFixture[str]) -> None:
    stopping = threading.Event()
    running._greet(Config(), stopping)
    assert capsys.readouterr().out == "\nConsole\nCtrl-C stops everything.\n\n"
    stopping.set()
    running._greet(Config(), stopping)
    assert capsys.readouterr().out == ""


@pytest.mark.django_db
def test_the_greeting_says_by_which_server_letters_go_out() -> None:
    out = MailOut(host="mail.example.net", port=587, from_address="desk@example.net")
    lines = [line for line in running._greeting(Config(mail_out=out)) if "Letters" in line]
    assert lines == ["[bold]Letters[/]      go out by mail.example.net:587, from desk@example.net"]


def test_a_port_that_takes_a_permission_is_not_said_to_be_another_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidden(socket.socket):
        def bind(self, address: object) -> None:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(processes.socket, "socket", Forbidden)
    with pytest.raises(processes.PortTaken, match=r"takes a permission.*\[web\] port to a higher") as why:
        processes.check_port("127.0.0.1", 80, "[web] port")
    assert "stop the program" not in str(why.value)


def test_the_demo_gives_signs_of_life_where_no_bar_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    said, thrice = [], threading.Event()
    monkeypatch.setattr(demo, "SIGN_OF_LIFE_SECONDS", 0.01)
    monkeypatch.setattr(demo.notes, "print", lambda line, **_: (said.append(line), len(said) >= 3 and thrice.set()))
    with demo._signs_of_life(lambda: "Mon 12:00  settling in"):
        assert thrice.wait(60)
    told = len(said)
    assert set(said) == {"Mon 12:00  settling in"}
    assert not any(thread.name == "signs of life" for thread in threading.enumerate())
    assert len(said) == told, "and none when it is over"


def test_what_the_demo_says_to_try_can_be_pasted_whatever_the_path() -> None:
    folder = Path("/srv/a b/it's & [bold]/demo")
    assert shlex.split(demo._command(folder)) == [
        f"TIPSTAFF_DATA={folder}/data", ".venv/bin/tipstaff", "-c", f"{folder}/tipstaff.toml",
    ]  # fmt: skip


def test_nothing_is_restored_under_a_running_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"TIPSTAFF_DATA": str(tmp_path), "PATH": os.environ["PATH"]})
    monkeypatch.setattr(Lab, "unavailable", lambda: "It is not needed here.")
    monkeypatch.setattr(demo, "database", lambda: nullcontext(Config()))
    (tmp_path / "kept.dump").write_bytes(b"PGDMP")
    asked: list[str] = []

    def play(settings: Config, example: demo.Example, *_: object, **__: object) -> list[dict[str, object]]:
        for again in (lambda: record.restore(tmp_path / "kept.dump", yes=True), lambda: demo.demo(leave=True)):
            os.environ["TIPSTAFF_DATA"] = str(example.folder / "data" if not asked else tmp_path)
            with pytest.raises(RunsAlready, match=r"demo/data already; stop it first"):
                again()
            asked.append("refused")
        assert (example.folder / "tipstaff.toml").exists(), "the second demo cleared nothing away"
        (example.folder / "data" / "left").mkdir()
        (example.folder / "data" / "left" / "over").touch()
        return []

    monkeypatch.setattr(demo, "_play", play)
    with pytest.raises(typer.Exit) as end:
        demo.demo(leave=True)
    assert (end.value.exit_code, asked) == (0, ["refused", "refused"])
    os.environ["TIPSTAFF_DATA"] = str(tmp_path)
    monkeypatch.setattr(demo, "_play", lambda _, example, *__, **___: asked.append(str(example.folder)) or [])
    with pytest.raises(typer.Exit):
        demo.demo(leave=True)
    assert asked[2:] == [str(tmp_path / "demo")], "once it has ended, the next one begins"
    assert not (tmp_path / "demo" / "data" / "left").exists(), "with nothing of the day before"
