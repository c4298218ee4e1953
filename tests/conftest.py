"""What all tests share."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import TransactionTestCase
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

    TransactionTestCase._fixture_teardown = _empty_what_is_not_empty  # type: ignore[attr-defined,method-assign]  # pytest-django empties by it
    with django_db_blocker.unblock(), connection.cursor() as cursor:  # type: ignore[attr-defined]
        for table in ("ledger_entry", "ledger_link", "ledger_evidencerow"):
            cursor.execute(f"DROP TRIGGER IF EXISTS append_only_truncate ON {table}")
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'kept_truncate'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"DROP TRIGGER kept_truncate ON {table}")


def _empty_what_is_not_empty(_: TransactionTestCase) -> None:
    """As Django's own, but quicker: it empties each of a hundred tables, a third of a second, and makes the
    permissions anew. A test fills a few, and of permissions nobody has any of their own."""
    from django.db import connection

    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False))
    emptied = sorted(tables - {"django_content_type", "auth_permission"})
    assert len(emptied) > 20, "these are not all"
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM \"{name}\")" for name in emptied))
        if full := ", ".join(f'"{name}"' for (name,) in cursor.fetchall()):
            cursor.execute(f"TRUNCATE {full} CASCADE")  # What refers to them is among all of ours.


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not run, by why: a green run proves nothing about these."""
    reasons: dict[str, Counter[str]] = {}
    for report in terminalreporter.stats.get("skipped", ()):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons.setdefault(why.removeprefix("Skipped: "), Counter())[report.nodeid.partition("::")[0]] += 1
    if not reasons:
        return
    terminalreporter.section("not run, and why")
    for why, files in sorted(reasons.items(), key=lambda pair: -pair[1].total()):
        terminalreporter.write_line(f"{files.total()} tests: {why}")
        terminalreporter.write_line(f"    {', '.join(f'{file} ({n})' for file, n in sorted(files.items()))}")


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
