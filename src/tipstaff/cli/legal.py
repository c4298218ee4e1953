"""`tipstaff legal`: requests of authorities, who a customer is, and what counsel alone reads."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tipstaff.words import Gives, MatterKind

from .base import database
from .registry_changes import instant
from .tables import print_rows

if TYPE_CHECKING:
    from datetime import datetime

    from tipstaff.procedures.desk import Desk

app = typer.Typer(no_args_is_help=True)
_By = Annotated[str, typer.Option("--by", metavar="LOGIN", help="Who does it: a log-in with the role counsel.")]
_Key = Annotated[str, typer.Argument(metavar="G-000123", help="The matter.")]
_Why = Annotated[str, typer.Option("--why", help="Why; it stands in the register, and nowhere else.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
_How = Annotated[str, typer.Option("--how", help="By which way; it stands in the register.")]


@app.command("list")
def list_(
    by: _By,
    late: Annotated[bool, typer.Option("--late", help="Only what is overdue; exit code 1 if anything is.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only what waits for a decision.")] = False,
    as_json: _Json = False,
) -> None:
    """List the register, newest first: what came when, from whom, by when, and how it stands."""
    with _acting() as (desk, at):
        from tipstaff.procedures import disclosure

        if late:
            found = disclosure.late(desk=desk, at=at, actor=by)
        else:
            found = disclosure.register(open_only=waiting, desk=desk, actor=by)
    if as_json:
        for matter in found:
            typer.echo(json.dumps(asdict(matter), default=str))
    else:
        print_rows(
            ("matter", "kind", "state", "from", "reference", "by (UTC)", "silent until"),
            (
                (
                    m.key, m.kind.value, m.state.value, m.authority or m.report, m.reference,
                    f"{m.due_at:%Y-%m-%d %H:%M}" if m.due_at else "",
                    f"{m.review_at:%Y-%m-%d}" if m.review_at else "",
                )
                for m in found
            ),
            head=2,
        )  # fmt: skip
    if late and found:
        raise typer.Exit(1)


@app.command()
def show(key: _Key, by: _By) -> None:
    """Print one matter as JSON: to counsel; to a lead while it waits for a second person."""
    with _acting() as (desk, _):
        from tipstaff.procedures.disclosure import shown_to

        found = shown_to(key, desk=desk, actor=by)
    typer.echo(json.dumps({**asdict(found), "proposal": found.proposal}, indent=2, default=str))


@app.command()
def request(
    file: Annotated[Path, typer.Argument(help="The request's text; it is read and not kept.", exists=True)],
    by: _By,
    kind: Annotated[MatterKind, typer.Option("--kind", help="identity: who a customer is; request: anything else.")],
    authority: Annotated[str, typer.Option("--authority", help="Who asks.")],
    reference: Annotated[str, typer.Option("--reference", help="Their own reference.")],
    binding: Annotated[bool, typer.Option("--binding", help="The law makes it binding.")] = False,
    received: Annotated[str, typer.Option("--received", help="When it came; now, unless told otherwise.")] = "",
    clock: Annotated[str, typer.Option("--clock", help="A clock of the edition: disclosure.production_order.")] = "",
    address: Annotated[str, typer.Option("--address", help="The address that it asks about.")] = "",
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="The port.")] = None,
    protocol: Annotated[str, typer.Option("--protocol", help="tcp or udp.")] = "",
    used_at: Annotated[str, typer.Option("--used-at", help="When it was used: 2026-05-04T12:00:00Z.")] = "",
    error: Annotated[float, typer.Option("--error-seconds", min=0, help="How far that time may be off.")] = 1.0,
) -> None:
    """Enter a request: its form is looked at and its clock started."""
    with _acting() as (desk, at):
        from tipstaff.procedures.disclosure import take_request

        taken = take_request(
            file.read_bytes(), kind=kind, authority=authority, reference=reference, binding=binding,
            received_at=instant(received) or at, clock=clock, address=address, port=port, protocol=protocol,
            used_at=instant(used_at), error_seconds=error, desk=desk, at=at, actor=by,
        )  # fmt: skip
    typer.echo(f"{taken.key}: its words show {', '.join(taken.shown) or 'nothing of an order'}.")
    if taken.lacking:
        typer.echo(f"Not found: {', '.join(taken.lacking)}. A program looked for words; read it.")
    if taken.due_at:
        typer.echo(f"The clock {taken.clock} ends {taken.due_at:%Y-%m-%d %H:%M} UTC.")


@app.command()
def authenticate(key: _Key, by: _By, how: _How) -> None:
    """Whoever asks was reached by a way that we found ourselves, as by a number from a public directory."""
    with _acting() as (desk, at):
        from tipstaff.procedures import disclosure

        disclosure.authenticate(key, how=how, desk=desk, at=at, actor=by)
    typer.echo(f"{key} is authenticated.")


@app.command("look-up")
def look_up(key: _Key, by: _By) -> None:
    """Ask our records who held the address then."""
    with _acting() as (desk, at):
        from tipstaff.procedures import disclosure

        found = disclosure.look_up(key, desk=desk, at=at, actor=by)
    typer.echo(f"{key}: {found.grade} ({found.reason}){f', {found.customer}' if found.customer else ''}")


@app.command()
def decide(
    key: _Key,
    by: _By,
    why: _Why,
    refuse: Annotated[bool, typer.Option("--refuse", help="Do not answer it; on a report: nothing follows.")] = False,
    gives: Annotated[list[Gives] | None, typer.Option("--gives", help="What the answer holds.")] = None,
) -> None:
    """Decide: answer, refuse, or propose to name a customer, on which a second person has to agree."""
    with _acting() as (desk, at):
        from tipstaff.procedures import disclosure

        done = disclosure.decide(key, answer=not refuse, gives=gives or (), why=why, desk=desk, at=at, actor=by)
    waits = " Nothing is answered until a second person has agreed." if done.state == "proposed" else ""
    typer.echo(f"{key} is {done.state.value}.{waits}")


@app.command()
def agree(
    key: _Key,
    by: Annotated[str, typer.Option("--by", metavar="LOGIN", help="The second person: counsel or a lead.")],
    seen: Annotated[str, typer.Option("--seen", help="The `proposal` of `legal show`, as you have read it.")],
) -> None:
    """Agree that a customer is named; both answer for it."""
    with _acting() as (desk, at):
        from tipstaff.procedures import disclosure

        done = disclosure.agree(key, seen=seen, desk=desk, at=at, actor=by)
    typer.echo(f"{key} is {done.state.value}: {done.decided_by} and {done.second_by} answer for it.")


@app.command()
def silence(
    key: _Key,
    by: _By,
    ground: Annotated[str, typer.Option("--ground", help="Why the customer is not told yet.")],
    until: Annotated[str, typer.Option("--until", help="When that is looked at again: 2026-06-01T00:00:00Z.")],
) -> None:
    """Do not tell the customer yet, on a ground that is looked at again."""
    ends = instant(until)
    if ends is None:
        raise typer.BadParameter("A ground is looked at again on a day.")
    with _acting() as (desk, at):
        from tipstaff.procedures import disclosure

        disclosure.keep_silent(key, ground=ground, until=ends, desk=desk, at=at, actor=by)
    typer.echo(f"{key}: the ground is looked at again by {ends:%Y-%m-%d %H:%M} UTC.")


@app.command()
def told(key: _Key, by: _By, how: _How) -> None:
    """The customer was told."""
    with _acting() as (desk, at):
        from tipstaff.procedures import disclosure

        disclosure.note_told(key, how=how, desk=desk, at=at, actor=by)
    typer.echo(f"{key}: the customer was told.")


@app.command("hand-over")
def hand_over(key: _Key, by: _By) -> None:
    """Print the answer as JSON: what was asked and decided, and no more. Its SHA-256 goes into the register."""
    with _acting() as (desk, at):
        from tipstaff.procedures import disclosure

        text = disclosure.hand_over(key, desk=desk, at=at, actor=by)
    typer.echo(text, nl=False)


@app.command()
def harbour(
    by: _By,
    note: Annotated[str, typer.Option("--note", metavar="CONDITION", help="Note how this one stands.")] = "",
    not_met: Annotated[bool, typer.Option("--not-met", help="It is not met.")] = False,
    shown_by: Annotated[str, typer.Option("--shown-by", help="What shows it; it stands in this register.")] = "",
    until: Annotated[str, typer.Option("--until", help="When it is looked at again: 2027-01-01T00:00:00Z.")] = "",
    rely_on_in: Annotated[
        str, typer.Option("--rely-on-in", metavar="MATTER", help="Ask whether we may rely on the limit there.")
    ] = "",
) -> None:
    """List the conditions of the limit of liability for copyright, note one, or ask whether we may rely on it.

    Exit code 1 while one is not met.
    """
    with _acting() as (desk, at):
        from tipstaff.procedures import harbour as procedure

        if note:
            procedure.note(
                note, met=not not_met, shown_by=shown_by, until=instant(until) or at, desk=desk, at=at, actor=by
            )
        if rely_on_in:
            clause, _ = procedure.rely(on=rely_on_in, desk=desk, at=at, actor=by)
            typer.echo(f"Under {clause} we may." if clause else "We may not.")
        found = procedure.conditions(desk=desk, at=at, actor=by)
    for each in found:
        until_ = f", until {each.noted.until:%Y-%m-%d}" if each.noted else ""
        typer.echo(f"{'met    ' if each.met else 'NOT MET'} {each.id}{until_}: {each.says}")
    if any(not each.met for each in found):
        raise typer.Exit(1)


@app.command("counter-notice")
def counter_notice(
    case: Annotated[str, typer.Argument(metavar="C-000123", help="The case of the notice.")],
    file: Annotated[Path, typer.Argument(help="Its text; it is looked at and not kept.", exists=True)],
    by: _By,
    received: Annotated[str, typer.Option("--received", help="When it came; now, unless told otherwise.")] = "",
) -> None:
    """Take a counter-notice: its form is looked at, and when the material comes back stands on the case."""
    with _acting() as (desk, at):
        from tipstaff.procedures.harbour import take_counter_notice

        lacking, window = take_counter_notice(
            case.upper(), file.read_bytes(), received_at=instant(received) or at, desk=desk, at=at, actor=by
        )
    since = f"{window.not_before:%Y-%m-%d %H:%M} UTC" if window.not_before else "now"
    typer.echo(f"{case.upper()}: it comes back from {since} on, and before {window.by:%Y-%m-%d %H:%M} UTC.")
    if lacking:
        typer.echo(f"Not found: {', '.join(lacking)}. A program looked for words; read it.")


@contextmanager
def _acting() -> "Iterator[tuple[Desk, datetime]]":
    """The desk and the time; a refusal is a sentence and exit code 1."""
    with database():
        from tipstaff import wiring
        from tipstaff.legal.operations import AnotherHasToAgree, NoSuchMatter, NotNow
        from tipstaff.procedures.disclosure import NotAnswerable
        from tipstaff.procedures.harbour import NotACondition
        from tipstaff.procedures.refusals import NoSuchCase, NotYourDecision

        try:
            yield wiring.desk(), wiring.now()
        except NoSuchMatter as why:
            typer.echo(f"There is no matter {why.args[0]} for you.", err=True)
            raise typer.Exit(1) from None
        except AnotherHasToAgree as why:
            typer.echo(" ".join((AnotherHasToAgree.__doc__ or "").split()), err=True)
            raise typer.Exit(1) from why
        except NoSuchCase as why:
            typer.echo(f"There is no case {why}.", err=True)
            raise typer.Exit(1) from why
        except (NotACondition, NotAnswerable, NotNow, NotYourDecision) as why:
            typer.echo(f"{why} Nothing was changed.", err=True)
            raise typer.Exit(1) from why
