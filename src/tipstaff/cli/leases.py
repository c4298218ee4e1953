"""`tipstaff leases`: looks at Kea's database of leases and keeps what changed in a file."""

from pathlib import Path
from typing import Annotated

import typer


def leases(
    database_file: Annotated[
        Path,
        typer.Option("--database-file", help="A file with the postgresql://... of Kea; readable by you only."),
    ],
    into: Annotated[Path, typer.Option("--into", help="The file that changes are added to.")],
) -> None:
    """Look at the leases that Kea keeps in PostgreSQL, and add what changed for `registry import kea-postgresql`.

    Run it by a timer, at most as far apart as a short lease lasts. It only reads; a role that may SELECT from lease4
    and lease6 is enough.
    """
    import psycopg

    from tipstaff.attribution.lease_tables import look

    try:
        if database_file.stat().st_mode & 0o077:
            raise ValueError(f"{database_file} holds a password and others may read it; run  chmod 600 {database_file}")
        with psycopg.connect(database_file.read_text(encoding="utf-8").strip()) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            with connection.cursor() as cursor:
                changed, gone = look(cursor, into)
    except (OSError, ValueError, psycopg.Error) as why:
        typer.echo(f"tipstaff: {why}", err=True)
        raise typer.Exit(1) from why
    typer.echo(f"{into}: {changed} leases new or changed, {gone} gone")
