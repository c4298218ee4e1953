"""`tipstaff login-link` and `check`."""

from typing import Annotated

import typer

from .base import check_parts, database, read_settings


def login_link(
    name: Annotated[str, typer.Argument(help="Log-in name of somebody who has an account.")] = "admin",
    new: Annotated[
        bool, typer.Option("--new", help="Make the account: an administrator who may also decide as a lead.")
    ] = False,
) -> None:
    """Print a link that opens once, within a day, and lets NAME set a new password.

    `admin` is made by itself while nobody administers this desk; any other new name takes --new.
    """
    with database() as settings:
        from tipstaff import wiring
        from tipstaff.web.first import NAME, has_account, make_first_token, needs_first

        known = has_account(name)
        if not known and not NAME.fullmatch(name):
            raise typer.BadParameter("A log-in name has small letters, digits, dots and dashes, 2 to 41 of them.")
        if not known and not new and not (name == "admin" and needs_first()):
            raise typer.BadParameter(f"Nobody is called {name!r} here; --new makes an administrator of that name.")
        token = make_first_token(name=name, at=wiring.now(), actor="command line")
        if not known:
            typer.echo(f"{name} is a new account: administrator and lead.", err=True)
        typer.echo(f"{settings.public_url}/first/{token}")


def check() -> None:
    """Check the settings, the editions and the devices' options without starting anything."""
    settings = read_settings()
    from .base import start_django

    start_django()
    from tipstaff import wiring

    editions = wiring.installed_editions()
    drivers = wiring.drivers()
    check_parts(settings)
    typer.echo(
        f"Settings are right ({settings.path or 'no file; defaults and environment'}): "
        f"{len(editions)} edition(s) of the policy, {len(drivers)} device(s)."
    )
