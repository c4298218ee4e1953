"""`tipstaff policy explain ID`: why a case or a report was decided so, from the record."""

import json
import shutil
import textwrap
from dataclasses import asdict
from typing import Annotated

import typer

from tipstaff.cli.base import database
from tipstaff.cli.trace import in_full
from tipstaff.policy.explain import Audience
from tipstaff.words import Matter


def explain(
    key: Annotated[str, typer.Argument(metavar="ID", help="A case, report or sighting: C-000123, R-000123, S-000123.")],
    to: Annotated[
        Audience, typer.Option("--to", help="Whom it is for: what they are shown is what is printed.")
    ] = Audience.COURT,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
) -> None:
    """Say why a case or a report was decided so: the sentences that its verdict on record backs, and no others."""
    key = in_full(key)
    with database():
        from tipstaff import wiring
        from tipstaff.cases.queries import get_case
        from tipstaff.intake.queries import get_report
        from tipstaff.procedures.judging import matters_of_case
        from tipstaff.procedures.reasons import (
            Reasons,
            reasons_for_complainant,
            reasons_for_court,
            reasons_for_customer,
        )
        from tipstaff.sensors.queries import get_measured

        desk, case, report, measured = wiring.desk(), get_case(key), get_report(key), get_measured(key)
        if (to is Audience.CUSTOMER and case is None) or (to is Audience.COMPLAINANT and report is None) or not (
            case or report or measured
        ):  # fmt: skip
            wanted = {
                Audience.CUSTOMER: "case, C-000123. A customer is told of cases",
                Audience.COMPLAINANT: "report, R-000123. A complainant is told of reports",
            }
            what = wanted.get(to, "case or a report on record, nor a sighting: C-000123, R-000123, S-000123")
            typer.echo(f"tipstaff: {key!r} is not a {what}.", err=True)
            raise typer.Exit(1)
        incidents: list[Matter] = [measured] if measured else list(report.incidents) if report else []
        if case:
            incidents = matters_of_case(key)
        found: tuple[Reasons, ...]
        if to is Audience.COURT:
            found = reasons_for_court(incidents, desk=desk)
        elif to is Audience.CUSTOMER:
            assert case is not None, "checked above"
            said = reasons_for_customer(case, incidents=incidents, desk=desk) or (case.explanation,)
            found = (Reasons(incidents=tuple(i.key for i in incidents), sentences=said),)
        else:
            assert report is not None, "checked above"
            told = reasons_for_complainant(report, desk=desk)
            found = tuple(Reasons(incidents=(each,), sentences=sentences) for each, sentences in told.items())
    if as_json:
        typer.echo(json.dumps({"about": key, "to": to.value, "reasons": [asdict(each) for each in found]}, indent=2))
        return
    if not any(each.sentences for each in found):
        typer.echo("Nothing was judged, or nobody outside may be told.")
    width = min(shutil.get_terminal_size().columns, 100)
    for each in found:
        typer.echo(textwrap.fill(", ".join(each.incidents), width))
        for sentence in each.sentences:
            typer.echo(textwrap.fill(sentence, width, initial_indent="  - ", subsequent_indent="    "))
