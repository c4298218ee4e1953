"""Customers and what they hold come into the registry: from a file, all of it or nothing."""

from collections.abc import Iterable
from datetime import datetime

from tipstaff.registry import operations as registry
from tipstaff.words import ImportPreview


def import_registry(
    lines: Iterable[str], *, source_name: str, at: datetime, actor: str, dry_run: bool = False
) -> ImportPreview:
    """Take in a CSV file of customers, services, holdings or sites; with `dry_run`, only say what it would change."""
    return registry.import_csv(lines, source_name=source_name, at=at, actor=actor, dry_run=dry_run)
