"""`tipstaff filters`: filters in the network that belong to no case; two people answer for each, one an engineer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .base import database
from .tables import print_rows

if TYPE_CHECKING:
    from datetime import datetime

    from tipstaff.procedures.desk import Desk
    from tipstaff.words import Filter

app = typer.Typer(no_args_is_help=True)
_Key = Annotated[str, typer.Argument(metavar="F-000001", help="The filter.")]
_By = Annotated[str, typer.Option("--by", metavar="LOGIN", help="Who does it: a log-in of the staff.")]
_Why = Annotated[str, typer.Option("--why", help="Why, for the record.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


@app.command("list")
def list_(as_json: _Json = False) -> None:
    """List filters, newest first."""
    with database():
        from tipstaff.enforcement.queries import list_filters

        found = list_filters()
    if as_json:
        for each in found:
            typer.echo(json.dumps(_document(each)))
        return
    print_rows(
        ("filter", "state", "what", "touches", "proposed by", "the danger"),
        (
            (each.key, each.state.value, f"{each.degree.name.lower()} {each.selector}", str(len(each.touches)),
             each.proposed_by, each.danger)
            for each in found
        ),
        head=3,
    )  # fmt: skip


@app.command()
def show(key: _Key, as_json: _Json = False) -> None:
    """Show one filter, and as long as it waits, whom it would touch now."""
    with _acting() as (desk, at):
        from tipstaff.enforcement.queries import get_filter
        from tipstaff.procedures.filtering import dry_run

        found = get_filter(key)
        if found is None:
            typer.echo(f"There is no filter {key}.", err=True)
            raise typer.Exit(1)
        seen = dry_run(found.selector, found.degree, desk=desk, at=at)
    document = _document(found) | {
        "touches_now": list(seen.touches), "accounts_now": seen.accounts, "takes_in_a_pool": seen.shared_out,
        "flaw_now": seen.flaw,
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(document))
        return
    for name, value in document.items():
        if value not in ("", None, [], {}):
            typer.echo(f"{name.replace('_', ' ')}: {', '.join(value) if isinstance(value, list) else value}")


@app.command()
def propose(
    network: Annotated[str, typer.Argument(help="An address or a prefix of yours.")],
    danger: Annotated[str, typer.Option("--danger", help="The danger, in words that whoever it touches reads.")],
    shown_by: Annotated[list[str], typer.Option("--shown-by", help="A sighting, report or case: S-000123.")],
    hours: Annotated[int, typer.Option("--hours", help="After so many hours it ends by itself.")],
    by: _By,
    protocol: Annotated[str, typer.Option("--protocol", help="tcp or udp, with --port.")] = "",
    port: Annotated[int | None, typer.Option("--port", help="The port, with --protocol.")] = None,
    remote: Annotated[str, typer.Option("--remote", help="The far end, with --port: only traffic with it.")] = "",
    source_port: Annotated[int | None, typer.Option("--source-port", help="Only packets from it, with --port.")] = None,
    direction: Annotated[str, typer.Option("--direction", help="in, out or both, seen from the customer.")] = "both",
    degree: Annotated[str, typer.Option("--degree", help="rate_limit or block.")] = "block",
    why_no_narrower: Annotated[str, typer.Option("--why-no-narrower", help="Needed where something narrower is.")] = "",
    ground: Annotated[str, typer.Option("--ground", help="Why nobody is told before it counts: network_harm ...")] = "",
) -> None:
    """Propose a filter; an engineer, who is somebody else, decides."""
    with _acting(by=by, ability="PROPOSE_URGENT"):
        from tipstaff.web.console.filters import propose as propose_form

        asked = {
            "network": network, "danger": danger, "shown_by": " ".join(shown_by), "lasts_hours": str(hours),
            "protocol": protocol, "port": "" if port is None else str(port), "direction": direction, "degree": degree,
            "why_no_narrower": why_no_narrower, "ground": ground, "remote": remote,
            "source_port": "" if source_port is None else str(source_port),
        }  # fmt: skip
        found = propose_form(asked, actor=by)
    typer.echo(f"{found.key} is proposed: it touches {len(found.touches)} customers. An engineer decides.")


@app.command()
def agree(
    key: _Key,
    by: _By,
    why: _Why,
    seen: Annotated[int, typer.Option("--seen", help="How many customers you saw it touch (`show`).")],
    refuse: Annotated[bool, typer.Option("--refuse", help="Refuse it instead.")] = False,
) -> None:
    """Agree to a filter, or refuse it: an engineer's, who did not propose it."""
    with _acting(by=by, ability="SECOND_URGENT") as (desk, at):
        from tipstaff.procedures.filtering import decide

        found = decide(key, agree=not refuse, seen=seen, why=why, desk=desk, at=at, actor=by)
    typer.echo(f"{key} is {found.state.value}.")


@app.command("go-on")
def go_on(key: _Key, by: _By, why: _Why, hours: Annotated[int, typer.Option("--hours", help="From now.")]) -> None:
    """Let a filter stand longer: an engineer's."""
    with _acting(by=by, ability="SECOND_URGENT") as (desk, at):
        from tipstaff.procedures.filtering import let_go_on

        let_go_on(key, hours=hours, why=why, desk=desk, at=at, actor=by)
    typer.echo(f"{key} goes on for {hours} hours.")


@app.command()
def end(key: _Key, by: _By, why: _Why) -> None:
    """Take a filter out, or withdraw it before it begins."""
    with _acting(by=by, ability="LIFT") as (desk, at):
        from tipstaff.procedures.filtering import end as end_filter

        end_filter(key, why=why, desk=desk, at=at, actor=by)
    typer.echo(f"{key} is taken out.")


@contextmanager
def _acting(*, by: str = "", ability: str = "") -> "Iterator[tuple[Desk, datetime]]":
    """The desk, for whoever may do it; what is refused is a sentence and exit code 1."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.refusals import NoSuchFilter
        from tipstaff.web.console.views import REFUSED, why_refused
        from tipstaff.web.roles import ABILITIES, Ability

        desk = wiring.desk()
        if ability and Ability[ability] not in frozenset().union(*(ABILITIES[role] for role in desk.roles_of(by))):
            typer.echo(f"{by} may not {Ability[ability].value}. Nothing was changed.", err=True)
            raise typer.Exit(1)
        try:
            yield desk, wiring.now()
        except NoSuchFilter as why:
            typer.echo(f"There is no filter {why}.", err=True)
            raise typer.Exit(1) from why
        except REFUSED as why:
            typer.echo(f"{why_refused(why)} Nothing was changed.", err=True)
            raise typer.Exit(1) from why


def _document(found: "Filter") -> dict[str, Any]:
    return {
        "filter": found.key, "state": found.state.value, "what": f"{found.degree.name.lower()} {found.selector}",
        "device": found.device, "danger": found.danger, "shown_by": list(found.shown_by),
        "proposed_by": found.proposed_by, "proposed_at": found.proposed_at.isoformat(),
        "lasts_hours": found.lasts_hours, "touches": list(found.touches), "considered": list(found.considered),
        "ground": found.ground.value if found.ground else None, "decided_by": found.decided_by,
        "decided_why": found.decided_why, "starts_at": found.starts_at.isoformat() if found.starts_at else None,
        "letters": dict(found.letters), "measure": found.measure, "ended_why": found.ended_why,
    }  # fmt: skip
