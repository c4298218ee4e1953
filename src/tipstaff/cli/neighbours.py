"""`tipstaff neighbours`: looks at a router's neighbour table and keeps what it saw in a file."""

from pathlib import Path
from typing import Annotated

import typer


def neighbours(
    command: Annotated[
        list[str],
        typer.Argument(help="What prints the table, after --: `ip -j neigh`, snmpbulkwalk -Onx ... or gnmic get ..."),
    ],
    into: Annotated[Path, typer.Option("--into", help="The file that the look is added to.")],
) -> None:
    """Run a tool that prints a router's neighbour table (ARP, ND), and add the look for `registry import neighbours`.

    Run it by a timer, and tell the import by --every how far apart the looks are. A tool that fails adds nothing.
    """
    from tipstaff.attribution.neighbour_tables import NoTable, look
    from tipstaff.wiring import now

    try:
        seen, silent = look(command, into, now=now)
    except (OSError, NoTable) as why:
        typer.echo(f"tipstaff: {why}", err=True)
        raise typer.Exit(1) from why
    typer.echo(f"{into}: {seen} neighbours, {silent} of them not heard lately")
