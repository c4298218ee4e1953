"""`tipstaff prober` and `tipstaff retests`: looks at what was reported, after a fix and before its case closes."""

import json
from typing import Annotated

import typer

from .base import database
from .fetching import Once, stop_when_told
from .tables import print_rows

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


def prober(once: Once = False) -> None:
    """Make the looks that are due only: at your customers' addresses, once, and where their clause allows it."""
    with database():
        from tipstaff.wiring import fetchers

        fetchers.prober()
        if not once:
            fetchers.run_prober(stop_when_told())
            return
        typer.echo(f"{fetchers.look_at_what_is_due()} made.")


def retests(
    case: Annotated[str, typer.Argument(help="Those of one case: C-000123; without it the newest.")] = "",
    json_: _Json = False,
) -> None:
    """Print what was looked at before cases close, and what it showed."""
    with database():
        from tipstaff.sensors.queries import list_retests, retests_of_case

        looks = retests_of_case(case) if case else list_retests()
    if json_:
        for each in looks:
            found = each.found.value if each.found else None
            document = {
                "retest": each.key, "case": each.case, "customer": each.customer, "clause": each.clause,
                "address": str(each.address), "protocol": each.protocol, "port": each.port, "check": each.check.value,
                "asked_at": each.asked_at.isoformat(), "tries": each.tries, "found": found, "said": each.said,
                "found_at": each.found_at.isoformat() if each.found_at else None, "evidence": each.evidence or None,
                "sighting": each.sighting or None,
            }  # fmt: skip
            typer.echo(json.dumps(document))
        return
    print_rows(
        ("look", "case", "at", "check", "found", "said"),
        (
            (each.key, each.case, f"{each.address} {each.protocol} {each.port}", each.check.value,
             each.found.value if each.found else "waits", each.said)
            for each in looks
        ),
        head=3,
    )  # fmt: skip
