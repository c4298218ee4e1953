"""`tipstaff clocks`: what the edition or the law gives us a time for, and how each stands."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Annotated

import typer

from tipstaff.words import Role

from .base import database
from .tables import print_rows

app = typer.Typer(no_args_is_help=True)
_By = Annotated[str, typer.Option("--by", metavar="LOGIN", help="Who does it: a log-in with the role counsel.")]
_About = Annotated[str, typer.Argument(metavar="KEY", help="What it is about: C-000123, R-000123 or G-000123.")]


@app.command("list")
def list_(
    late: Annotated[bool, typer.Option("--late", help="Only what is late; exit code 1 if anything is.")] = False,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="LOGIN",
            help="Who asks: counsel sees those of the legal register and of what is sealed too.",
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """List the clocks that run on us, soonest due first."""
    with database():
        from tipstaff import wiring
        from tipstaff.cases.clocks import running_clocks
        from tipstaff.host.viewing import hiding
        from tipstaff.procedures.sealed import closed_groups, keys_hidden

        roles = wiring.desk().roles_of(by)
        counsel, closed = Role.COUNSEL in roles, closed_groups(wiring.settings().staff.closed_groups, roles=roles)
        with hiding(lambda: keys_hidden(closed, sealed=not counsel)):
            found = running_clocks(due_before=wiring.now() if late else None, register=counsel)
    if as_json:
        for each in found:
            typer.echo(json.dumps(asdict(each), default=str))
    else:
        print_rows(
            ("clock", "about", "since (UTC)", "due (UTC)", "late"),
            (
                (f"{c.clock} ({c.nth})" if c.nth > 1 else c.clock, c.about,
                 f"{c.started_at:%Y-%m-%d %H:%M}", f"{c.due_at:%Y-%m-%d %H:%M}",
                 "late" if c.late_at else "")
                for c in found
            ),
            head=2,
        )  # fmt: skip
    if late and found:
        raise typer.Exit(1)


@app.command()
def told(
    about: _About,
    by: _By,
    authority: Annotated[str, typer.Option("--authority", help="Whom: the police, a hotline.")],
    how: Annotated[str, typer.Option("--how", help="By which way, and their reference.")],
) -> None:
    """Note that an authority was told of something."""
    with _acting():
        from tipstaff import wiring
        from tipstaff.procedures.our_clocks import tell_authority

        tell_authority(about, authority=authority, how=how, desk=wiring.desk(), at=wiring.now(), actor=by)
    typer.echo(f"Noted for {about}.")


@app.command()
def end(
    clock: Annotated[str, typer.Argument(help="Which: terror.preserve.")],
    about: _About,
    by: _By,
    why: Annotated[str, typer.Option("--why", help="Why it ends; it stands in the record.")],
    nth: Annotated[int | None, typer.Option("--nth", min=1, help="Which, where several run about it.")] = None,
) -> None:
    """End a clock by hand: a preservation that nobody needs any more, or a duty that fell away."""
    with _acting():
        from tipstaff import wiring
        from tipstaff.procedures.our_clocks import end_by_hand

        end_by_hand(clock, about=about, why=why, nth=nth, desk=wiring.desk(), at=wiring.now(), actor=by)
    typer.echo(f"{clock} has ended for {about}.")


@contextmanager
def _acting() -> Iterator[None]:
    """The database; a refusal is a sentence and exit code 1."""
    with database():
        from tipstaff.procedures.refusals import NoSuchClock, NothingToTell, NotYourDecision

        try:
            yield
        except (NoSuchClock, NothingToTell, NotYourDecision) as why:
            typer.echo(str(why), err=True)
            raise typer.Exit(1) from why
