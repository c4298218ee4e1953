"""`tipstaff end-due`: what a timer runs, without a database."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from tipstaff.enforcement.drivers.prefix_filter import make
from tipstaff.testing.drivers import NOON, carry_out
from tipstaff.words import Degree, Rule, Selector


def run(folder: Path) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIPSTAFF_")}
    config = ["--config", str(folder / "tipstaff.toml")]
    # Port 1 answers nobody: whoever asked a database would be told so.
    environment = {**kept, "TIPSTAFF_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    command = [sys.executable, "-m", "tipstaff", *config, "end-due"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_what_has_ended_is_ended_and_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    book, router = tmp_path / "edge1.book", tmp_path / "router"
    options = {"dialect": "junos", "session": "AS64501", "file": str(book), "hand_over": ["tee", str(router)]}
    table = "\n".join(
        f"{name} = {str(value)!r}" if isinstance(value, str) else f"{name} = {value!r}"
        for name, value in options.items()
    )
    settings = f'[[devices]]\nname = "edge1"\ndriver = "prefix-filter"\n{table}\n'
    settings += '[[devices]]\nname = "lab"\ndriver = "memory"\n'
    (tmp_path / "tipstaff.toml").write_text(settings)
    later = datetime(2126, 5, 4, 12, 0, tzinfo=UTC)
    rules = [
        Rule(
            measure=f"M-00000{n}",
            case="C-000001",
            selector=Selector(network=ip_network(f"203.0.113.{n}/32"), announced_on="AS64501"),
            degree=Degree.BLOCK,
            until=until,
        )
        for n, until in ((1, NOON + timedelta(hours=1)), (2, later))
    ]
    driver = make("edge1", options)
    carry_out(driver, 1, rules)
    assert "203.0.113.1/32" in router.read_text()

    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (0, f"edge1: the next measure ends at {later.isoformat()}.\n"), done.stderr
    assert "203.0.113.1/32" not in router.read_text()
    assert "203.0.113.2/32" in router.read_text()

    book.write_text("nothing that can be read")
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr == "tipstaff: edge1: it says no generation\n"
    book.unlink()
    assert run(tmp_path).stdout == "edge1: no measure has an end.\n"
