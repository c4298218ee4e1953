"""What all tests share."""

import pytest


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: object) -> None:
    """Tests with real transactions empty all tables afterwards; only here may the record be emptied."""
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:  # type: ignore[attr-defined]
        for table in ("ledger_entry", "ledger_link", "ledger_evidencerow"):
            cursor.execute(f"DROP TRIGGER IF EXISTS append_only_truncate ON {table}")
