"""`tipstaff detectors`: let the built-in detectors look through what your devices and servers wrote."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from .base import database, who_types
from .registry_changes import instant
from .registry_files import many, refuse
from .tables import print_rows

app = typer.Typer(help="Look through flows, logs and tables of your own.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(metavar="DETECTOR", help="As `tipstaff detectors list` names it.")]


@app.command("list")
def list_() -> None:
    """What can be looked for, what each reads, and for which purpose it may look now."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.purposes import purpose_of

        now = wiring.now()
        print_rows(
            ("detector", "reads", "may look"),
            ((name, one.reads, purpose_of(name, at=now) or "no") for name, one in wiring.detectors().items()),
            head=2,
        )


@app.command()
def allow(
    detector: _Name,
    by: Annotated[
        str, typer.Option("--by", metavar="LOGIN", help="Who authorises it: a log-in with the role counsel.")
    ],
    purpose: Annotated[str, typer.Option("--purpose", help="What is measured, and why; it stands in the record.")],
    until: Annotated[str, typer.Option("--until", help="Until when: 2027-01-01T00:00:00Z.")],
) -> None:
    """Authorise a detector for a purpose, until a day; before that it does not look. `retest` lets the prober look at
    what was reported after a fix, where the clause allows it."""
    from tipstaff.procedures.retesting import NAME

    if detector != NAME:
        _known(detector)
    ends = instant(until, name="The end")
    if ends is None:
        raise typer.BadParameter("An authorisation has an end.")
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.detecting import authorise
        from tipstaff.procedures.refusals import NotYourDecision

        try:
            authorise(detector, purpose=purpose, until=ends, desk=wiring.desk(), at=wiring.now(), actor=by)
        except NotYourDecision as why:
            typer.echo(f"{why} Nothing was changed.", err=True)
            raise typer.Exit(1) from why
    typer.echo(f"{detector} may look until {ends:%Y-%m-%d %H:%M} UTC: {purpose}")


@app.command()
def leave(
    detector: _Name,
    customer: Annotated[str, typer.Argument(help="Who asked for it: acct-1001.")],
    shown_by: Annotated[str, typer.Option("--shown-by", help="What shows it: their letter, the order.")],
    until: Annotated[str, typer.Option("--until", help="Until when; a time that is past takes it back.")],
) -> None:
    """Note that a customer asked for being looked at: `exposure`, `mail-probe` and `news-probe` judge nobody else, and
    `address-question` asks nobody else; `accountability` is the customer's own check."""
    from tipstaff.procedures import accountability, address_questions

    if detector not in (address_questions.LEAVE, accountability.LEAVE):
        _known(detector)
    ends = instant(until, name="The end")
    if ends is None:
        raise typer.BadParameter("Such a leave has an end.")
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.detecting import note_leave
        from tipstaff.registry.operations import UnknownKey

        try:
            note_leave(customer, detector, until=ends, shown_by=shown_by, at=wiring.now(), actor=who_types())
        except UnknownKey as why:
            typer.echo(f"{str(why)[:1].upper()}{str(why)[1:]}.", err=True)
            raise typer.Exit(1) from why
    typer.echo(f"{detector} may look at what {customer} holds until {ends:%Y-%m-%d %H:%M} UTC.")


@app.command("ask-address")
def ask_address(
    customer: Annotated[str, typer.Argument(help="Who is asked: acct-1001. They have agreed to it (`leave`).")],
    address: Annotated[str, typer.Argument(help="The address that we used.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="The port that we used.")],
    used_at: Annotated[str, typer.Option("--used-at", help="When, to the second: 2026-05-04T12:00:00Z.")],
    line: Annotated[str, typer.Option("--line", help="The right answer: the name under which they keep our line.")],
    protocol: Annotated[str, typer.Option("--protocol", help="tcp or udp.")] = "tcp",
) -> None:
    """Ask a customer who had an address that was our own use of their service."""
    moment = instant(used_at, name="The use")
    if moment is None:
        raise typer.BadParameter("A use has a time.")
    with database():
        from ipaddress import ip_address

        from tipstaff import wiring
        from tipstaff.procedures.address_questions import NotToBeAsked, ask
        from tipstaff.registry.operations import UnknownKey

        try:
            key = ask(
                customer, address=ip_address(address), port=port, protocol=protocol, used_at=moment, line=line,
                desk=wiring.desk(), at=wiring.now(), actor=who_types(),
            )  # fmt: skip
        except (NotToBeAsked, UnknownKey, ValueError) as why:
            typer.echo(f"{why} Nobody was asked.", err=True)
            raise typer.Exit(1) from why
    typer.echo(f"{key}: {customer} is asked who had {address} port {port} at {moment:%Y-%m-%d %H:%M:%S} UTC.")


@app.command("note-answer")
def note_answer(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="As its letter names it: AQ-1f2e3d4c5b.")],
    by: Annotated[str, typer.Option("--by", metavar="LOGIN", help="Who notes it: a log-in that may decide cases.")],
    named: Annotated[str, typer.Option("--named", help="The line that they named; without it, none.")] = "",
) -> None:
    """Note what a customer answered to a question of ours; the judge says what follows."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.address_questions import AnsweredBefore, NoSuchQuestion
        from tipstaff.procedures.address_questions import note_answer as note
        from tipstaff.procedures.refusals import NotYourDecision

        try:
            answer = note(question, named=named, desk=wiring.desk(), at=wiring.now(), actor=by)
        except (AnsweredBefore, NoSuchQuestion, NotYourDecision) as why:
            told = str(why) if isinstance(why, NotYourDecision) else f"{question}: {type(why).__doc__}"
            typer.echo(f"{told} Nothing was noted.", err=True)
            raise typer.Exit(1) from why
    typer.echo(f"{question}: {answer}.")


@app.command()
def asked(detector: _Name) -> None:
    """Print what those hold who asked for it, a prefix a line: whom to scan."""
    _known(detector)
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.detecting import asked_for

        for _, prefix in asked_for(detector, at=wiring.now()):
            typer.echo(str(prefix))


@app.command()
def look(
    detector: _Name,
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="What it reads; - for standard input.")],
    agreed: Annotated[
        list[str] | None, typer.Option("--agreed", help="An address whose test or scan was agreed on.")
    ] = None,
    roas: Annotated[
        Path | None, typer.Option("--roas", help="Validated route origins as JSON, as a relying party exports them.")
    ] = None,
    needed: Annotated[
        list[str] | None, typer.Option("--needed", help='The oldest version that is in order: "OpenSSH=9.8".')
    ] = None,
    controls: Annotated[
        Path | None,
        typer.Option("--controls", help="Known control servers: a line `address who-says-so` each, # for comments."),
    ] = None,
    own_asn: Annotated[int | None, typer.Option("--own-asn", help="Your own AS number: which table is yours.")] = None,
) -> None:
    """Count what the file shows, look up whose it is, and put it to the judge. The same file again changes nothing."""
    one = _known(detector)
    with database(), ExitStack() as opened:
        from tipstaff import wiring
        from tipstaff.procedures.detecting import NotAuthorised
        from tipstaff.procedures.detecting import look as look_through
        from tipstaff.procedures.sighting import NotTelemetry
        from tipstaff.sensors.flows import read_controls
        from tipstaff.sensors.protocol import NotReadable
        from tipstaff.sensors.routes import read_roas

        try:
            lines = sys.stdin if file == "-" else opened.enter_context(open(file, encoding="utf-8", errors="replace"))
            taken = look_through(
                detector, one, lines, desk=wiring.desk(), at=wiring.now(), actor=who_types(),
                agreed=frozenset(agreed or ()), own_asn=own_asn,
                needed=dict(_versions(needed or ())),
                roas=read_roas(json.loads(roas.read_bytes())) if roas else (),
                controls=read_controls(controls.read_text(encoding="utf-8")) if controls else {},
            )  # fmt: skip
        except OSError as why:
            refuse(Path(file), why)
        except ValueError as why:
            if not isinstance(why, NotReadable | NotTelemetry | json.JSONDecodeError):
                raise
            refuse(Path(file), f"is not looked through: {str(why).rstrip('.')}")
        except NotAuthorised as why:
            typer.echo(f"{detector} may not look: {NotAuthorised.__doc__}", err=True)
            raise typer.Exit(1) from why
    first = f" ({taken.taken[0]} and on)" if len(taken.taken) > 1 else f" ({taken.taken[0]})" if taken.taken else ""
    typer.echo(f"{file}: {many(len(taken.taken), 'new sighting')}{first}, {taken.known} known before.")
    for row in taken.refused:
        typer.echo(f"{row.why}")


def _versions(stated: Iterable[str]) -> Iterator[tuple[str, str]]:
    for one in stated:
        name, equals, version = one.partition("=")
        if not equals or not version.strip():
            raise typer.BadParameter(f'{one!r} is no version; write it as "OpenSSH=9.8".')
        yield name.strip().lower(), version.strip()


def _known(name: str):  # type: ignore[no-untyped-def]  # a Detector: nothing of it is loaded before it is needed
    from tipstaff import wiring

    known = wiring.detectors()
    if name not in known:
        raise typer.BadParameter(f"there is no detector {name!r}; there are {', '.join(known)}.")
    return known[name]
