"""`tipstaff sightings`: hand in what your own sensors measured, and see what became of it."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tipstaff.words import Disposition, Measured

from .base import database, who_types
from .registry_files import many, refuse
from .tables import print_rows

app = typer.Typer(help="What your own sensors measured.", no_args_is_help=True)

_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")]


@app.command("import")
def import_(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON, one sighting a line; - for standard input.")],
    sensor: Annotated[
        str, typer.Option("--sensor", help="The sensor's name, where a line does not say it.", metavar="NAME")
    ] = "file",
    as_json: _Json = False,
) -> None:
    """Take in sightings; a line that is none is refused with its reason, the others stand. Twice changes nothing."""
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as why:
        refuse(Path(file), why)
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.sighting import NotTelemetry, take

        try:
            taken = take(raw, sensor=sensor, desk=wiring.desk(), at=wiring.now(), actor=who_types())
        except NotTelemetry as why:
            refuse(Path(file), f"is not taken in: {str(why).rstrip('.')}")
    if as_json:
        typer.echo(json.dumps(asdict(taken)))
    else:
        for row in taken.refused:
            typer.echo(f"{file}:{row.line}: {row.why}")
        new = f"{many(len(taken.taken), 'new sighting')}"
        first = f" ({taken.taken[0]} and on)" if len(taken.taken) > 1 else f" ({taken.taken[0]})" if taken.taken else ""
        typer.echo(f"{file}: {new}{first}, {taken.known} known before, {len(taken.refused)} refused.")
    if taken.refused:
        raise typer.Exit(1)


_Keys = Annotated[list[str], typer.Argument(metavar="S-000123 ...", help="Sightings that wait for a person.")]
_By = Annotated[str, typer.Option("--by", metavar="LOGIN", help="Who decides: a log-in of the staff with that role.")]
_Why = Annotated[str, typer.Option("--why", help="Why, for the record.")]


@app.command()
def done(keys: _Keys, by: _By, why: _Why) -> None:
    """Close sightings that the judge left to a person: somebody has seen to them, and nothing more follows."""
    _decide(keys, by=by, why=why, again=False)
    typer.echo(f"{', '.join(keys)}: closed by {by}.")


@app.command()
def again(keys: _Keys, by: _By, why: _Why) -> None:
    """Put sightings to the judge again, once what kept them from it is mended: late logs, a wrong row."""
    _decide(keys, by=by, why=why, again=True)
    typer.echo(f"{', '.join(keys)}: the judge is asked again.")


def _decide(keys: list[str], *, by: str, why: str, again: bool) -> None:
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.refusals import NoSuchSighting, NotLeftToAPerson, NotYourDecision
        from tipstaff.procedures.sighting import close_left, judge_again

        act = judge_again if again else close_left
        try:
            act(keys, why=why, desk=wiring.desk(), at=wiring.now(), actor=by)
        except NoSuchSighting as gone:
            typer.echo(f"There is no sighting {gone}. Nothing was changed.", err=True)
        except (NotLeftToAPerson, NotYourDecision) as refusal:
            typer.echo(f"{refusal} Nothing was changed.", err=True)
        else:
            return
        raise typer.Exit(1)


@app.command("list")
def list_(
    search: Annotated[str, typer.Argument(help="A key, an address, a kind, a sensor or a case.")] = "",
    became: Annotated[Disposition | None, typer.Option("--became", help="Only those of which this became.")] = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those that wait for the judge.")] = False,
    left: Annotated[bool, typer.Option("--left", help="Only those that wait for a person, the oldest first.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, the newest first.")] = 50,
    as_json: _Json = False,
) -> None:
    """Sightings, newest first, and what became of each."""
    with database():
        from tipstaff.sensors.queries import left_to_people, list_measured

        found = left_to_people(limit=limit) if left else list_measured(
            dispositions=(became,) if became else (), waiting=waiting, search=search, limit=limit
        )  # fmt: skip
        if as_json:
            for measured in found:
                typer.echo(json.dumps(_document(measured), sort_keys=True))
            return
        print_rows(
            ("key", "measured (UTC)", "sensor", "kind", "where", "became", "why", "case"),
            (
                (
                    m.key, f"{m.sighting.moment.at:%Y-%m-%d %H:%M:%S}", m.sighting.sensor, m.sighting.kind,
                    m.sighting.offender, m.disposition.value if m.disposition else "waits", m.reason, m.case or "",
                )
                for m in found
            ),
            head=2,
        )  # fmt: skip


def _document(measured: Measured) -> dict[str, object]:
    sighting = measured.sighting
    return {
        "key": measured.key, "sensor": sighting.sensor, "id": sighting.id, "kind": sighting.kind,
        "at": sighting.moment.at.isoformat(), "error_seconds": sighting.moment.error_seconds,
        "where": sighting.offender, "facts": dict(sighting.facts), "evidence": measured.evidence, "line": measured.line,
        "became": measured.disposition, "why": measured.reason, "case": measured.case,
        "left_to_person": measured.left_to_person,
        "done": {"at": measured.done_at.isoformat(), "by": measured.done_by, "why": measured.done_why}
        if measured.done_at else None,
    }  # fmt: skip
