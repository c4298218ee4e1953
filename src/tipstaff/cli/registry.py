"""`tipstaff registry`: customers, what they hold, and who held an address."""

import getpass
import json
from dataclasses import asdict
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tipstaff.words import Attribution, AttributionReason, Holding, Moment

from .base import database
from .registry_changes import AS_JSON, add_commands, import_in_words, shown_reading

app = typer.Typer(no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="CSV files; customers before what they hold.", metavar="FILE...")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    rest: Annotated[bool, typer.Option("--rest", help="Take in the good rows of a file with bad ones.")] = False,
    as_json: AS_JSON = False,
) -> None:
    """Take in customers, services, holdings or sites; each file's header says which.

    A file comes in as a whole or, with one bad row, not at all, and then no later file either. The columns:

    customers: key, name, \\[reseller], \\[is_reseller], \\[standing], \\[since], \\[representative_name],
    \\[representative_email], \\[language], \\[timezone], \\[phone], \\[email], \\[postal_address], \\[country]

    representatives: customer, email, \\[place], \\[name], \\[language], \\[timezone], \\[phone]

    users: key, customer, name, \\[email]

    acceptances: customer, contract, edition, accepted_at, \\[accepted_by]

    resources: resource, name, held_from, \\[scope], \\[tier], \\[customer], \\[service], \\[held_until]

    services: key, customer, kind, \\[label], \\[port]

    holdings: tier, kind, prefix, held_from, \\[held_until], \\[customer], \\[service], \\[port_first], \\[port_last]

    sites: host_name, address, customer, since, \\[service], \\[until]
    """
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.admission import import_registry

        for file in files:
            try:
                # With --rest the file is read as it goes in, and never held as a whole.
                with open(file, encoding="utf-8-sig", newline="") as opened, shown_reading(file, rest) as read:
                    preview = import_registry(
                        read(opened) if rest else opened.read().splitlines(keepends=True), source_name=file.name,
                        at=wiring.now(), actor=getpass.getuser(), dry_run=dry_run, rest=rest,
                    )  # fmt: skip
            except (OSError, UnicodeDecodeError) as why:
                typer.echo(f"tipstaff: {file} can't be read as UTF-8 text: {why}", err=True)
                raise typer.Exit(1) from why
            typer.echo(json.dumps(asdict(preview)) if as_json else import_in_words(preview, dry_run=dry_run))
            if preview.refused and not rest:
                raise typer.Exit(1)


@app.command()
def who(
    address: Annotated[str, typer.Argument(help="An IPv4 or IPv6 address.")],
    at: Annotated[
        str, typer.Option("--at", help="When, RFC 3339 with a zone: 2026-03-01T12:00:00Z. Left out: unknown.")
    ] = "",
    port: Annotated[int | None, typer.Option("--port", help="The source port, for a shared address.")] = None,
    precision: Annotated[float, typer.Option("--precision", help="The time is right to so many seconds.")] = 1.0,
    as_json: AS_JSON = False,
) -> None:
    """Say who held ADDRESS then, how surely, and by which rows."""
    try:
        source = ip_address(address)
    except ValueError:
        raise typer.BadParameter(f"{address!r} is not an IPv4 or IPv6 address.") from None
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.lookup import who_held

        now = wiring.now()
        answer = who_held(source, port=port, moment=_moment(at, precision), received_at=now)
    if as_json:
        typer.echo(json.dumps({"address": address, "port": port, **_plain(answer)}))
        return
    console = Console(soft_wrap=False, highlight=False, markup=False)
    console.print(_verdict(answer), style="bold")
    console.print(_REASONS[answer.reason])
    if answer.earliest and answer.latest:
        console.print(f"Asked of {answer.earliest:%Y-%m-%d %H:%M:%S} to {answer.latest:%Y-%m-%d %H:%M:%S} UTC.")
    if answer.proof:
        console.print(_proof(answer.proof))


@app.command()
def customers(
    search: Annotated[str, typer.Argument(help="Part of a key, a name or a mail address.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1)] = 200,
    as_json: AS_JSON = False,
) -> None:
    """List customers."""
    with database():
        from tipstaff.registry.queries import list_customers

        found = list_customers(search=search, limit=limit)
    if as_json:
        for customer in found:
            typer.echo(json.dumps(asdict(customer), default=_json))
        return
    table = _table("key", "name", "representative", "language", "under", "standing")
    for one in found:
        person = one.representative
        table.add_row(
            one.key,
            one.name,
            person.email if person else "none",
            person.language if person else "",
            one.reseller or "",
            one.standing,
        )
    Console(soft_wrap=False, highlight=False, markup=False).print(table)


_REASONS = {
    AttributionReason.ONE_HOLDER: "One holder over the whole window.",
    AttributionReason.ONE_RESELLER: "A reseller holds it; the answer stops there, and its own customer is its to name.",
    AttributionReason.TIME_ASSUMED: "No time was stated; the same one held it over all of the last seven days.",
    AttributionReason.SHARED_WITHOUT_PORT: "Several share this address; only the source port can tell them apart.",
    AttributionReason.SEVERAL_HOLDERS_IN_WINDOW: "More than one held it in the window; a more exact time would tell.",
    AttributionReason.EDGE_IN_WINDOW: "A holding begins or ends within the window.",
    AttributionReason.UNASSIGNED: "It is our space, and nobody held it.",
    AttributionReason.NOT_OUR_SPACE: "It was not our space.",
    AttributionReason.NO_ADDRESS: "No address was given.",
    AttributionReason.BEFORE_RECORDS: "The registry's records begin later.",
}


def _moment(text: str, precision: float) -> Moment | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time; write one like 2026-03-01T12:00:00Z.") from None
    if precision < 0 or precision > 366 * 86400:
        raise typer.BadParameter("The precision is between 0 seconds and a year.")
    if at.tzinfo is None:
        return Moment.without_zone(at, error_seconds=precision)
    return Moment(at, precision)


def _verdict(answer: Attribution) -> str:
    grade = answer.grade.upper().replace("_", " ")
    if not answer.named:
        return f"{grade}: nobody is named"
    service = f", service {answer.service}" if answer.service else ""
    downstream = f"; its customer: {answer.downstream}" if answer.downstream else ""
    return f"{grade}: {answer.customer}{service}{downstream}"


def _proof(rows: tuple[Holding, ...]) -> Table:
    table = _table("tier", "kind", "prefix", "ports", "from (UTC)", "until (UTC)", "customer", "service", "source")
    for row in rows:
        table.add_row(
            row.tier,
            row.kind,
            str(row.prefix),
            f"{row.port_first}-{row.port_last}" if row.shared else "all",
            f"{row.held_from:%Y-%m-%d %H:%M:%S}",
            f"{row.held_until:%Y-%m-%d %H:%M:%S}" if row.held_until else "",
            row.customer or "",
            row.service or "",
            row.source,
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _plain(answer: Attribution) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(answer), default=_json))
    return plain


def _json(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


add_commands(app)
