"""`tipstaff sweep`: take what has ended off a device that knows no time."""

from typing import Annotated

import typer

from .base import start_django


def sweep(device: Annotated[str, typer.Argument(help="A device whose driver is `rpz`.")]) -> None:
    """Take what has ended off a device that cannot end it by itself. It needs no database and no enforcer.

    Let cron run it on a machine that may reach the device, so that nothing stays longer than it should.
    """
    start_django()
    from tipstaff import wiring
    from tipstaff.enforcement.protocol import DriverFailure

    named = {d.device: d for d in wiring.drivers()}
    swept = getattr(named.get(device), "sweep", None)
    if swept is None:
        known = ", ".join(sorted(name for name, d in named.items() if hasattr(d, "sweep"))) or "none"
        typer.echo(f"tipstaff: {device!r} is no device that needs it; those that do: {known}.", err=True)
        raise typer.Exit(2)
    try:
        ended = swept(at=wiring.now())
    except DriverFailure as why:
        typer.echo(f"tipstaff: {why}.", err=True)
        raise typer.Exit(1) from why
    typer.echo(f"{device}: {', '.join(ended) if ended else 'nothing'} had ended.")
