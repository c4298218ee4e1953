"""`tipstaff login-link`, `mailbox-probe` and `check`."""

from typing import Annotated

import typer

from tipstaff.words import STAFF_ROLES, Role

from .base import check_folder, check_parts, database, doubt_of_folder, read_settings, who_types


def login_link(
    name: Annotated[str, typer.Argument(help="Log-in name of somebody who has an account.")] = "admin",
    new: Annotated[
        bool, typer.Option("--new", help="Make the account: an administrator and lead, or what --role says.")
    ] = False,
    roles: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="|".join(STAFF_ROLES), help="With --new: a role of it; may be repeated."),
    ] = None,
    forget_factors: Annotated[
        bool, typer.Option("--forget-factors", help="Take passkeys, code app and recovery codes away: all were lost.")
    ] = False,
) -> None:
    """Print a link that opens once, within a day, and lets NAME set a new password.

    `admin` is made by itself while nobody administers this desk; any other new name takes --new. Roles of an account
    that exists are changed on the console's page "Staff".
    """
    if unknown := ", ".join(sorted(set(roles or ()) - set(STAFF_ROLES))):
        raise typer.BadParameter(f"There is no role {unknown}; roles are {', '.join(STAFF_ROLES)}.")
    if roles and not new:
        raise typer.BadParameter("--role is for a new account, with --new; the console's page Staff changes another's.")
    with database() as settings:
        from tipstaff import wiring
        from tipstaff.web.first import FIRST_ROLES, NAME, forget_factors_of, has_account, make_first_token, needs_first

        known = has_account(name)
        if not known and not NAME.fullmatch(name):
            raise typer.BadParameter("A log-in name has small letters, digits, dots and dashes, 2 to 41 of them.")
        if not known and not new and not (name == "admin" and needs_first()):
            raise typer.BadParameter(f"Nobody is called {name!r} here; --new makes an account of that name.")
        if known and roles:
            raise typer.BadParameter(f"{name} has an account already; the console's page Staff changes its roles.")
        given = frozenset(map(Role, roles)) if roles else FIRST_ROLES
        token = make_first_token(name=name, roles=given, at=wiring.now(), actor="command line")
        if forget_factors:
            count = forget_factors_of(name, at=wiring.now(), actor="command line")
            typer.echo(f"{count} factor(s) of {name} taken away, and every session ended.", err=True)
        if not known:
            typer.echo(f"{name} is a new account: {' and '.join(sorted(given))}.", err=True)
        typer.echo(f"{settings.public_url}/first/{token}")


def mailbox_probe() -> None:
    """Send a test mail to your own mailbox over SMTP, and say whether it was taken; exit code 1 when it was not."""
    settings = read_settings()
    if settings.mail_in.smtp_port <= 0:
        typer.echo(
            "tipstaff: [mail_in] smtp_port names no fixed port; there is nothing to send a test mail to.", err=True
        )
        raise typer.Exit(2)
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.mailbox_probe import probe

        host = settings.mail_in.host if settings.mail_in.host not in ("0.0.0.0", "::") else "localhost"  # noqa: S104 - compared only
        taken, said = probe(host, settings.mail_in.smtp_port, desk=wiring.desk(), at=wiring.now(), actor=who_types())
    typer.echo(f"{host}:{settings.mail_in.smtp_port}: {said}")
    if not taken:
        raise typer.Exit(1)


def check() -> None:
    """Check the settings, the editions and the devices' options without starting anything."""
    settings = read_settings()
    check_folder(settings)
    from .base import start_django

    start_django()
    from tipstaff import wiring

    check_parts(settings)
    editions, drivers = wiring.installed_editions(), wiring.drivers()
    typer.echo(
        f"Settings are right ({settings.path or 'no file; defaults and environment'}): "
        f"{len(editions)} edition(s) of the policy, {len(drivers)} device(s)."
    )
    if settings.mail_in.smtp_port < 0 and settings.mail_in.lmtp_port < 0:
        typer.echo(
            "tipstaff: no mail comes in by SMTP or LMTP: [mail_in] smtp_port and lmtp_port are both off. "
            "Complaints come by mailboxes, feeds, HTTP and the form only.",
            err=True,
        )
    for said in filter(None, (doubt_of_folder(settings), *wiring.editions_of_others(editions))):
        typer.echo(f"tipstaff: {said}", err=True)
