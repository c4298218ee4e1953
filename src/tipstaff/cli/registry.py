"""`tipstaff registry`: customers, what they hold, and who held an address."""

import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Any

import typer

from tipstaff.words import Allegation, Attribution, Binding, Holding

from .base import database, who_types
from .registry_changes import AS_JSON, add_commands
from .registry_files import import_files_in_order, without_their_kind
from .sources import flows, import_logs, kind_of, list_readings, options_of, take_readings_out, told
from .tables import print_rows

app = typer.Typer(no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})


LASTS_MAX = 3650 * 86_400.0
"""Whoever says that a connection lasts longer has not written seconds."""


@app.command("import")
def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="CSV files, in any order; a KIND before them says which. Or a KIND of log, and its files.",
            metavar="[KIND] FILE...",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change; not for logs.")] = False,
    rest: Annotated[
        bool, typer.Option("--rest", help="Take in the good rows of a file with bad ones; not for logs.")
    ] = False,
    as_json: AS_JSON = False,
    source: Annotated[str, typer.Option("--source", help="The name of a log's source; left out: its kind.")] = "",
    realm: Annotated[str, typer.Option("--realm", help="Where a log's addresses count; left out: the internet.")] = "",
    inside_realm: Annotated[str, typer.Option("--inside-realm", help="Where a NAT's inside addresses count.")] = "",
    zone: Annotated[str, typer.Option("--zone", help="Of a log's times that state none: Europe/Berlin.")] = "",
    year: Annotated[int | None, typer.Option("--year", help="Of a log's times that state none.")] = None,
    every: Annotated[
        float | None,
        typer.Option("--every", help="Seconds between two interim records or looks, or of silence."),
    ] = None,
    clock_error: Annotated[
        float | None, typer.Option("--clock-error", min=0, help="Seconds; left out: estimated from arrival times.")
    ] = None,
    circuits_unique: Annotated[
        bool,
        typer.Option("--circuits-unique", help="Circuit-ids are unique in your network, not only within each relay."),
    ] = False,
    one_pool: Annotated[
        bool,
        typer.Option("--one-pool", help="No access server gives out an address that another has given out."),
    ] = False,
    lasts: Annotated[
        float | None,
        typer.Option(
            "--lasts",
            min=0,
            max=LASTS_MAX,
            help="Seconds that a NAT's connection or block of ports lasts at most; left out: a day.",
        ),
    ] = None,
    follows: Annotated[
        bool,
        typer.Option(
            "--follows", help="No file is missing before these, though all is silent between them and the last one."
        ),
    ] = False,
    one_port: Annotated[
        bool,
        typer.Option("--one-port", help="No NAT gives one public port to two inside addresses at once."),
    ] = False,
) -> None:
    """Take in customers, services, holdings or sites; each file's header says which. Or logs, by their KIND.

    Several files are taken in by their kinds: customers before what they hold. A file comes in as a whole or, with one
    bad row, not at all, and then no later file either. The columns:

    customers: key, name, \\[reseller], \\[is_reseller], \\[standing], \\[since], \\[representative_name],
    \\[representative_email], \\[language], \\[timezone], \\[phone], \\[email], \\[postal_address], \\[country],
    \\[brand]

    representatives: customer, email, \\[place], \\[name], \\[language], \\[timezone], \\[phone]

    users: key, customer, name, \\[email]

    acceptances: customer, contract, edition, accepted_at, \\[accepted_by]

    resources: resource, name, held_from, \\[scope], \\[tier], \\[customer], \\[service], \\[held_until]

    services: key, customer, kind, \\[label], \\[port]

    holdings: tier, kind, prefix, held_from, \\[held_until], \\[customer], \\[service], \\[port_first], \\[port_last]

    sites: host_name, address, customer, since, \\[service], \\[until]

    Beside CSV: RPSL objects, ARIN's records and delegated-extended statistics, known by their first line.

    Logs: `tipstaff registry sources` lists the kinds. A log goes on where its last reading ended; bad lines are said
    and left out. The kind `subscribers` says whose the log-ins, circuits and MACs are: kind, value, service,
    \\[customer], \\[since], \\[until]
    """
    with database():
        kind = kind_of(files[0])
        if kind is not None:
            if dry_run or rest:
                raise typer.BadParameter(f"{kind} are taken in at once and without their bad lines: leave out "
                                         f"{'--dry-run' if dry_run else '--rest'}.")  # fmt: skip
            options = options_of(
                kind, source=source, realm=realm, inside_realm=inside_realm, zone=zone, year=year, every=every,
                clock_error=clock_error, circuits_unique=circuits_unique, one_pool=one_pool, lasts=lasts,
                one_port=one_port, follows=follows,
            )  # fmt: skip
            import_logs(kind, files[1:], options, actor=who_types(), as_json=as_json)
            return
        files = without_their_kind(files)
        import_files_in_order(files, dry_run=dry_run, rest=rest, as_json=as_json)


@app.command("sources")
def list_sources(as_json: AS_JSON = False) -> None:
    """List the kinds of log that can be taken in: what each proves, its clock, and what it misses."""
    from tipstaff import wiring

    for kind in told(wiring.sources()):
        if as_json:
            typer.echo(json.dumps(kind))
        else:
            typer.echo(f"{kind['kind']}\n  proves {kind['proves']}\n  clock: {kind['clock']}\n  misses {kind['gaps']}")


app.command("flows")(flows)
app.command("readings")(list_readings)
app.command("take-out")(take_readings_out)


@app.command()
def who(
    address: Annotated[str, typer.Argument(help="An IPv4 or IPv6 address, or the host name of a site.")],
    at: Annotated[
        str,
        typer.Option(
            "--at", help="When, RFC 3339 with a zone: 2026-03-01T12:00:00Z. A day alone: all of it. Left out: unknown."
        ),
    ] = "",
    port: Annotated[int | None, typer.Option("--port", help="The source port, for a shared address.")] = None,
    precision: Annotated[
        float | None,
        typer.Option("--precision", help="The time is right to so many seconds; left out: as it is written."),
    ] = None,
    as_json: AS_JSON = False,
) -> None:
    """Say who held ADDRESS then, or whose site it was, how surely, and by which rows."""
    source = _address(address)
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.offender import who_did_it
        from tipstaff.procedures.questions import REASONS, NoQuestion, moment_of, past, port_of

        now = wiring.now()
        try:
            moment = past(moment_of(at, precision_seconds="" if precision is None else str(precision)), asked_at=now)
            port_of("" if port is None else str(port))
        except NoQuestion as why:
            raise typer.BadParameter(f"{str(why)[:1].upper()}{str(why)[1:]}.") from None
        asked = Allegation(
            type="any/any", source=source, source_port=port, domain=None if source else address, moment=moment
        )
        answer = who_did_it(asked, received_at=now)
    if as_json:
        typer.echo(json.dumps({"address": address, "port": port, **_plain(answer)}))
        return
    typer.secho(_verdict(answer), bold=True)
    typer.echo(REASONS[answer.reason])
    if answer.earliest and answer.latest:
        typer.echo(f"Asked of {answer.earliest:%Y-%m-%d %H:%M:%S} to {answer.latest:%Y-%m-%d %H:%M:%S} UTC.")
    _print_proof(answer)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address, or None for a host name."""
    try:
        return ip_address(text)
    except ValueError:
        if re.fullmatch(r"(?!.*\.[0-9]+\.?$)[^\s:/@]+\.[^\s:/@]+", text):
            return None
        raise typer.BadParameter(f"{text!r} is not an IPv4 or IPv6 address, and no host name.") from None


@app.command()
def customers(
    search: Annotated[str, typer.Argument(help="Part of a key, a name or a mail address.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at most.")] = 200,
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
    print_rows(
        ("key", "name", "representative", "language", "under", "standing"),
        [
            (c.key, c.name, c.representative.email if c.representative else "none",
             c.representative.language if c.representative else "", c.reseller or "", c.standing)
            for c in found
        ],
        head=2,
    )  # fmt: skip


def _verdict(answer: Attribution) -> str:
    grade = answer.grade.upper().replace("_", " ")
    if not answer.named:
        return f"{grade}: nobody is named"
    service = f", service {answer.service}" if answer.service else ""
    downstream = f"; its customer: {answer.downstream}" if answer.downstream else ""
    return f"{grade}: {answer.customer}{service}{downstream}"


def _print_proof(answer: Attribution) -> None:
    if answer.sites:
        print_rows(
            ("site", "address", "from (UTC)", "until (UTC)", "customer", "service"),
            [
                (s.host_name, str(s.address), _stamp(s.since), _stamp(s.until), s.customer, s.service or "")
                for s in answer.sites
            ],
        )
    if answer.proof:
        print_rows(
            ("prefix", "tier", "kind", "ports", "from (UTC)", "until (UTC)", "customer", "service", "source"),
            [
                (str(h.prefix), h.tier, h.kind, _ports(h), _stamp(h.held_from), _stamp(h.held_until), h.customer or "",
                 h.service or "", h.source)
                for h in answer.proof
            ],
            head=3,
        )  # fmt: skip
    if answer.bindings:
        print_rows(
            ("log", "prefix", "ports", "led to", "possible from (UTC)", "until (UTC)", "end", "file and byte"),
            [
                (b.source, str(b.prefix), _ports(b), b.subject or str(b.inside), _stamp(b.possible_from),
                 _stamp(b.possible_until), b.ending, f"{b.file}:{b.offset}")
                for b in answer.bindings
            ],
            head=2,
        )  # fmt: skip
    if answer.identities:
        print_rows(
            ("subscriber", "is", "customer", "service", "from (UTC)", "until (UTC)", "in logs of"),
            [
                (i.value, i.kind, i.customer, i.service or "", _stamp(i.since), _stamp(i.until), i.source or "")
                for i in answer.identities
            ],
            head=2,
        )


def _ports(row: Holding | Binding) -> str:
    return f"{row.port_first}-{row.port_last}" if row.shared else "all"


def _stamp(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def _plain(answer: Attribution) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(asdict(answer), default=_json))
    return plain


def _json(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)


add_commands(app)
