"""`tipstaff webhook`: where the operator's own programs are told what happens."""

from typing import Annotated

import typer

from .base import database
from .tables import print_rows

app = typer.Typer(no_args_is_help=True)
Key = Annotated[str, typer.Argument(help="As `tipstaff webhook list` says it.", metavar="WEBHOOK")]


@app.command()
def make(
    url: Annotated[str, typer.Argument(help="Where events are sent; [api] webhook_hosts must allow it.")],
    events: Annotated[
        list[str], typer.Option("--event", help="As case.opened, or case.* for all of cases; may be repeated.")
    ],
) -> None:
    """Send events to an address of yours from now on, and print the secret that they are signed with, this once."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures import hooks

        made, secret = hooks.make(
            url, events=events, outward=wiring.outward(), seal=wiring.seal_secret, at=wiring.now(),
            actor="command line",
        )  # fmt: skip
    typer.echo(f"{made.key} is told of {' '.join(made.events)}. It checks signatures with this secret:", err=True)
    typer.echo(secret)


@app.command("list")
def list_() -> None:
    """List webhooks, how each does, and how much waits."""
    with database():
        from tipstaff.webhooks.queries import list_webhooks

        found = list_webhooks()
    if not found:
        typer.echo("No webhooks.")
    print_rows(
        ("webhook", "state", "waiting", "events", "url", "note"),
        ((x.key, "on" if x.on else "off", str(x.waiting), " ".join(x.events), x.url, x.note) for x in found),
        head=2,
    )


@app.command()
def on(key: Key) -> None:
    """Switch one on: what waits goes out, and what happened in the last seven days is told."""
    _switch(key, on=True)


@app.command()
def off(key: Key) -> None:
    """Switch one off. What waits is kept for 30 days."""
    _switch(key, on=False)


@app.command()
def forget(key: Key) -> None:
    """Take one away, with whatever waits for it."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures import hooks

        hooks.forget_webhook(key.strip().lower(), at=wiring.now(), actor="command line")
    typer.echo(f"{key} is gone.")


def _switch(key: str, *, on: bool) -> None:
    with database():
        from tipstaff import wiring
        from tipstaff.procedures import hooks

        now = hooks.switch(key.strip().lower(), on=on, at=wiring.now(), actor="command line")
    typer.echo(f"{now.key} is {'on' if now.on else 'off'}; {now.waiting} waiting.")
