"""`tipstaff verify`, `backup` and `restore`: the record proves itself, and can be carried away."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .base import database, one_at_a_time, read_settings


def verify(as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False) -> None:
    """Take every digest of the record anew; exit 1 and name the first entry that does not fit."""
    with database():
        from tipstaff.ledger.operations import seal_entries
        from tipstaff.ledger.queries import verify as verify_record

        while seal_entries():
            pass
        found = verify_record()
        if as_json:
            typer.echo(json.dumps({**asdict(found), "whole": found.whole}))
        elif found.whole:
            typer.echo(f"The record is whole: {found.entries} entries, {found.sealed} in the chain, head {found.head}.")
        else:
            typer.echo(f"The record was touched: entry {found.broken_at}: {found.why}.")
        raise typer.Exit(0 if found.whole else 1)


def backup(
    target: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.", metavar="FILE")],
) -> None:
    """Write the whole database to FILE (pg_dump's custom format). The keys folder is not in it: keep it apart."""
    if target.exists():
        typer.echo(f"tipstaff: {target} exists already; name another file.", err=True)
        raise typer.Exit(1)
    with database() as settings:
        from tipstaff.host.postgres import dump
        from tipstaff.wiring.processes import database_url

        part = target.with_name(target.name + ".part")
        part.touch(mode=0o600)
        dump(database_url(), part)
        part.rename(target)
        typer.echo(f"{target}: {target.stat().st_size:,} octets. Keep {settings.server.data_folder / 'keys'} too.")


def restore(
    source: Annotated[Path, typer.Argument(help="A file that `tipstaff backup` wrote.", metavar="FILE", exists=True)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Bring the database back as FILE has it, all or nothing. What is there now is replaced."""
    with one_at_a_time(read_settings()), database():
        from django.db import connections

        from tipstaff.host.postgres import restore as restore_from
        from tipstaff.wiring.processes import database_url

        if not yes:
            typer.confirm("This replaces everything in the database. Go on?", abort=True)
        url = database_url()
        connections.close_all()
        restore_from(url, source)
        typer.echo(f"The database is as {source} has it.")
