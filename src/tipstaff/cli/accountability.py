"""`tipstaff accountability`: customers who asked to be checked, and how each stands."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .base import database, who_types
from .tables import print_rows

if TYPE_CHECKING:
    from tipstaff.words import SelfAudit

app = typer.Typer(no_args_is_help=True)
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """List everybody who asked for the check; who was never checked first, then the lowest score."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.accountability import register

        rows = register(at=wiring.now())
    if as_json:
        for customer, audit in rows:
            typer.echo(json.dumps(_document(customer, audit)))
        return
    print_rows(
        ("customer", "score", "checked", "not met"),
        ((customer, *_cells(audit)) for customer, audit in rows),
        head=2,
    )


@app.command()
def check(
    customer: Annotated[str, typer.Argument(help="acct-1001; without it everybody whose check is due.")] = "",
    as_json: _Json = False,
) -> None:
    """Make the check now, and say how it came out. It is put to the judge."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures import accountability
        from tipstaff.registry.operations import UnknownKey

        desk, at, actor = wiring.desk(), wiring.now(), who_types()
        try:
            if customer:
                made = [accountability.check(customer, desk=desk, at=at, actor=actor)]
            else:
                made = accountability.come_round(desk=desk, at=at, actor=actor)
        except accountability.NotAskedFor as why:
            typer.echo(f"{customer}: {' '.join((accountability.NotAskedFor.__doc__ or '').split())}", err=True)
            raise typer.Exit(1) from why
        except UnknownKey as why:
            typer.echo(f"{str(why)[:1].upper()}{str(why)[1:]}.", err=True)
            raise typer.Exit(1) from why
    for audit in made:
        if as_json:
            typer.echo(json.dumps(_document(audit.customer, audit)))
        else:
            score, _, missed = _cells(audit)
            typer.echo(f"{audit.customer}: {score or 'no score yet'}{f'; not met: {missed}' if missed else ''}")
    if not made and not as_json:
        typer.echo("Nobody is due.")


def _cells(audit: "SelfAudit | None") -> tuple[str, str, str]:
    from tipstaff.words import AuditFound

    if audit is None:
        return "", "never", ""
    missed = (p.value.replace("_", " ") for p, found in audit.points.items() if found is AuditFound.NOT_MET)
    score = "" if audit.score_percent is None else f"{audit.score_percent} % of {audit.known}"
    return score, f"{audit.at:%Y-%m-%d}", ", ".join(missed)


def _document(customer: str, audit: "SelfAudit | None") -> dict[str, Any]:
    return {
        "customer": customer, "checked_at": audit.at.isoformat() if audit else None,
        "score_percent": audit.score_percent if audit else None, "known": audit.known if audit else 0,
        "points": {point.value: found.value for point, found in audit.points.items()} if audit else {},
    }  # fmt: skip
