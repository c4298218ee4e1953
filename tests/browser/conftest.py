"""A served example day, and a real browser to look at it with."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, Page
from psycopg import sql

import tipstaff.policy

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the played day is served; its database goes away afterwards."""
    url, name = os.environ["TIPSTAFF_DATABASE_URL"], f"tipstaff_browser_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        environ = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tipstaff.site.settings",
            "TIPSTAFF_DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl(),
            "TIPSTAFF_SERVER_SHADOW_FOLDER": str(_another_edition(tmp_path_factory.mktemp("shadow"))),
        }
        trouble = tmp_path_factory.mktemp("site") / "stderr"
        with trouble.open("w") as stderr:
            script = Path(__file__).with_name("serve.py")
            process = subprocess.Popen(
                [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=stderr, text=True, env=environ
            )
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port, trouble.read_text()[-3000:]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=20)
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _another_edition(folder: Path) -> Path:
    """The shipped edition with less time to answer for bulk mail: it runs in the shadow."""
    copy = folder / "2027-01"
    shutil.copytree(Path(tipstaff.policy.__file__).parent / "editions" / "2026-01", copy)
    for file, was, now in (
        ("edition.toml", 'id = "2026-01"', 'id = "2027-01"'),
        ("clauses/mail.unsolicited.toml", "hours = 24\nrepeated_hours = 12", "hours = 8\nrepeated_hours = 4"),
    ):
        text = (copy / file).read_text(encoding="utf-8")
        assert was in text, "the shipped edition has changed; so must this"
        (copy / file).write_text(text.replace(was, now, 1), encoding="utf-8")
    return copy


@pytest.fixture
def open_page(browser: Browser, site: str) -> Iterator[Callable[..., Page]]:
    """A new window, logged in as somebody unless `who` is empty; anything the browser complains of fails the test."""
    contexts, complaints = [], []

    def make(*, who: str = "mary.king", scheme: str = "light", width: int = 1440, height: int = 900) -> Page:
        context = browser.new_context(
            base_url=site,
            color_scheme=scheme,
            viewport={"width": width, "height": height},  # type: ignore[arg-type]  # light or dark
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        if who:
            page.goto("/login")
            page.get_by_label("Name").fill(who)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in", exact=True).click()
            page.wait_for_url("**/console/**")
        return page

    yield make
    for context in contexts:
        context.close()
    assert not complaints, complaints
