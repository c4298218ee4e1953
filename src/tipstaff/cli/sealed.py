"""`tipstaff sealed`: what waits in the sealed queue, and its words for counsel."""

import os
from pathlib import Path
from typing import Annotated

import typer

from .base import database

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List what is sealed: digests, times and sizes only."""
    with database():
        from tipstaff.ledger.queries import list_sealed

        for evidence in list_sealed():
            typer.echo(f"{evidence.digest}  {evidence.received_at:%Y-%m-%d %H:%M} UTC  {evidence.size:,} octets")


@app.command("open")
def open_(
    digest: Annotated[str, typer.Argument(help="The SHA-256 of what was received.", metavar="DIGEST")],
    to: Annotated[Path, typer.Option(help="The file to write; it must not exist yet.", metavar="FILE")],
    who: Annotated[str, typer.Option(help="Who opens it; goes into the record.")],
    why: Annotated[str, typer.Option(help="Why; goes into the record.")],
) -> None:
    """Write the words of a sealed mail to FILE, for you alone to read. Its media were never kept."""
    if to.exists():
        typer.echo(f"tipstaff: {to} exists already; name another file.", err=True)
        raise typer.Exit(1)
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.sealed import open_sealed

        try:
            content = open_sealed(digest, unseal=wiring.unseal, why=why, at=wiring.now(), actor=who)
        except KeyError:
            typer.echo(f"tipstaff: nothing is sealed under {digest!r}; see  tipstaff sealed list", err=True)
            raise typer.Exit(1) from None
        with open(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
        typer.echo(f"{to}: {len(content):,} octets, readable by you only.")
