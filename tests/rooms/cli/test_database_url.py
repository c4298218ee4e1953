"""A database's URL has a password in it: whatever is wrong with it, one sentence says so without the password."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tipstaff.config import BadSetting
from tipstaff.site.settings import _database


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:sekret@[::1/x",
        "postgresql://u:sekret@db/x?bogus=1",
        "postgresql://u:sekret%zz@db/x",
        "postgresql://u:se sekret@db/x",
        "postgresql://u:se@sekret@db/x",
        "postgresql://u:sekret/se@db/x",
        "postgresql://u:se@db:sekret/x",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(BadSetting, match="is no URL that PostgreSQL can read") as why:
        _database(url)
    assert "sekret" not in str(why.value)
    assert why.value.__cause__ is None
    assert why.value.__context__ is None, "no traceback has the parser's words either"


@pytest.mark.parametrize(
    ("url", "host", "port", "password"),
    [
        ("postgresql://u:p%40ss%2F@db:6432/x", "db", "6432", "p@ss/"),
        ("postgresql://u@[2001:db8::1]:5432/x", "2001:db8::1", "5432", ""),
        ("postgresql://u@one:5432,two:5433/x?target_session_attrs=read-write", "one,two", "5432,5433", ""),
        ("postgresql://u@/x?host=/run/postgresql", "/run/postgresql", "", ""),
    ],
)
def test_a_right_url_is_taken_apart(url: str, host: str, port: str, password: str) -> None:
    found = _database(url)
    assert (found["HOST"], found["PORT"], found["PASSWORD"], found["NAME"]) == (host, port, password, "x")


def test_check_says_so_in_one_sentence(tmp_path: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("TIPSTAFF_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tipstaff", "check"],
        env=kept | {"TIPSTAFF_DATA": str(tmp_path), "TIPSTAFF_DATABASE_URL": "postgresql://u:sekret@[::1/x"},
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("tipstaff: environment: TIPSTAFF_DATABASE_URL is no URL that PostgreSQL can read")
    assert done.stderr.count("\n") == 1
    assert "sekret" not in done.stdout + done.stderr
