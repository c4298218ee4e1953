"""`tipstaff end-due`."""

import typer

from tipstaff.enforcement.protocol import DriverFailure, EndsByKeeper

from .base import read_settings


def end_due() -> None:
    """End measures whose time is over on devices that know no end themselves. For a timer; it needs no database.

    It exits with 1 if a device could not be told; what has ended is out of its file all the same, so that no restart
    brings it back.
    """
    read_settings()
    from tipstaff import wiring

    failed = False
    for driver in wiring.drivers():
        if not isinstance(driver, EndsByKeeper):
            continue
        try:
            next_end = driver.end_due(at=wiring.now())
        except (DriverFailure, OSError, ValueError) as why:
            failed = True
            typer.echo(f"tipstaff: {driver.device}: {why}", err=True)
        else:
            when = f"the next measure ends at {next_end.isoformat()}" if next_end else "no measure has an end"
            typer.echo(f"{driver.device}: {when}.")
    raise typer.Exit(failed)
