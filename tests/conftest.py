"""What all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

os.environ.setdefault("TIPSTAFF_SERVER_FIRST_EDITION_SINCE", "2026-01-01T00:00:00Z")
"""What is reported here happened under words that had been posted; a first start without this has tests of its own."""
CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync "
    "--no-first-run --disable-quic"
)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> None:
    """Tests with real transactions empty all tables afterwards; only here may the record be emptied."""
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:  # type: ignore[attr-defined]
        for table in ("ledger_entry", "ledger_link", "ledger_evidencerow"):
            cursor.execute(f"DROP TRIGGER IF EXISTS append_only_truncate ON {table}")
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'kept_truncate'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER kept_truncate ON {table}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, for one module: while it is open its event loop counts as running in this process, and then
    neither a second browser nor Django's database can be used by the tests of other modules."""
    if not CHROMIUM.exists():
        pytest.skip("there is no /usr/bin/chromium; `apt-get install chromium` brings it")
    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=str(CHROMIUM), args=QUIET.split())
        yield running
        running.close()
