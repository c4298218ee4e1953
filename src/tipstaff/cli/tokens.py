"""`tipstaff token`: tokens by which programs use the API in somebody's name."""

from typing import Annotated

import typer

from .base import database
from .tables import print_rows

app = typer.Typer(no_args_is_help=True)


@app.command()
def make(
    name: Annotated[str, typer.Argument(help="What uses it, in a few words.", metavar="NAME")],
    owner: Annotated[str, typer.Option("--owner", help="Whose log-in name it acts in.")],
    scopes: Annotated[
        list[str], typer.Option("--scope", help="A room and what is done there, as cases:read; may be repeated.")
    ],
    days: Annotated[int, typer.Option("--days", help="How many days it lasts.")] = 90,
) -> None:
    """Make a token and print it, this once. It may do what its scopes and its owner's roles both allow."""
    with database():
        from tipstaff import wiring
        from tipstaff.web.tokens import make_token

        made, token = make_token(
            name, owner=owner, scopes=scopes, days=days, at=wiring.now(), actor="command line"
        )  # fmt: skip
    typer.echo(f"{made.key} acts in the name of {owner} until {made.expires_at:%Y-%m-%d %H:%M} UTC.", err=True)
    typer.echo(token)


@app.command("list")
def list_(owner: Annotated[str, typer.Option("--owner", help="Only this person's.")] = "") -> None:
    """List tokens, newest first; none can be shown again."""
    with database():
        from tipstaff import wiring
        from tipstaff.web.tokens import list_tokens

        found, at = list_tokens(owner=owner or None), wiring.now()
    if not found:
        typer.echo("No tokens.")
    print_rows(
        ("token", "name", "owner", "state", "last used", "scopes"),
        (
            (
                x.key, x.name, x.owner, "stands" if x.stands(at) else "revoked" if x.revoked_at else "expired",
                f"{x.used_at:%Y-%m-%d %H:%M}" if x.used_at else "never", " ".join(x.scopes),
            )
            for x in found
        ),
        head=3,
    )  # fmt: skip


@app.command()
def revoke(key: Annotated[str, typer.Argument(help="As `tipstaff token list` says it.", metavar="TOKEN")]) -> None:
    """End a token at once."""
    with database():
        from tipstaff import wiring
        from tipstaff.web.tokens import revoke_token

        gone = revoke_token(key.strip().lower(), at=wiring.now(), actor="command line")
    typer.echo(f"{gone.key} ({gone.name}, {gone.owner}) is revoked.")
