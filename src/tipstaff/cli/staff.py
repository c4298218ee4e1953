"""`tipstaff login-link` and `check`."""

from typing import Annotated

import typer

from .base import database, read_settings


def login_link(
    name: Annotated[str, typer.Argument(help="Log-in name; made as an administrator if there is none.")] = "admin",
) -> None:
    """Print a link that opens once, within a day, and lets NAME set a new password."""
    with database() as settings:
        from tipstaff import wiring
        from tipstaff.procedures.staffing import PROGRAMS
        from tipstaff.web.first import make_first_token

        if name in PROGRAMS:
            raise typer.BadParameter(f"{name} is what a program is called in the record; choose another name.")

        typer.echo(f"{settings.public_url}/first/{make_first_token(name=name, at=wiring.now(), actor='command line')}")


def check() -> None:
    """Check the settings, the editions and the devices' options without starting anything."""
    settings = read_settings()
    from .base import start_django

    start_django()
    from tipstaff import wiring

    editions = wiring.installed_editions()
    drivers = wiring.drivers()
    typer.echo(
        f"Settings are right ({settings.path or 'no file; defaults and environment'}): "
        f"{len(editions)} edition(s) of the policy, {len(drivers)} device(s)."
    )
