"""What `tipstaff registry import KIND FILE...` does for logs, and `tipstaff registry sources`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tipstaff.words import SourceLoad

from .base import database, who_types
from .registry_changes import instant
from .registry_files import refuse, shown_taking_in
from .tables import print_rows

if TYPE_CHECKING:
    from tipstaff.attribution.protocol import Options
    from tipstaff.attribution.queries import LogReading

SUBSCRIBERS = "subscribers"
"""The kind of file that says which subscriber of the logs is which service's."""


def kind_of(first: Path) -> str | None:
    """The kind that the first word names; None when it is a file like the others."""
    from tipstaff.wiring import source_kinds

    name = str(first)
    return name if (name in source_kinds() or name == SUBSCRIBERS) and not first.exists() else None


def options_of(
    kind: str,
    *,
    source: str,
    realm: str,
    inside_realm: str,
    zone: str,
    year: int | None,
    every: float | None,
    clock_error: float | None,
    circuits_unique: bool,
    one_pool: bool,
    lasts: float | None,
    follows: bool,
    one_port: bool,
) -> "Options":
    """The words of the command line as a source's options; BadParameter for a zone that there is not."""
    from tipstaff.attribution.protocol import Options

    try:
        found = ZoneInfo(zone) if zone else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(f"{zone!r} is no time zone; write one like Europe/Berlin.") from None
    return Options(
        source=source or kind,
        realm=realm,
        inside_realm=inside_realm,
        zone=found,
        year=year,
        interim_seconds=every,
        clock_error_seconds=clock_error,
        circuits_unique=circuits_unique,
        one_pool=one_pool,
        lasts_seconds=lasts,
        follows=follows,
        one_port=one_port,
    )


def import_logs(kind: str, files: list[Path], options: "Options", *, actor: str, as_json: bool) -> None:
    """Take logs in; refused lines are said, the rest is taken in, and the exit code is 0 as long as each file is of
    its kind."""
    from tipstaff import wiring

    if not files:
        raise typer.BadParameter(f"Name the {kind} files to take in.")
    at = wiring.now()
    if kind == SUBSCRIBERS:
        for file in files:
            _import_subscribers(file, actor=actor, at=at, as_json=as_json)
        return
    from tipstaff.attribution.operations import AnotherKind, forget_flows, merge_flows, take_in
    from tipstaff.attribution.protocol import UnusableFile
    from tipstaff.procedures.purposes import NotInTheRegister, must_be_in_the_register

    try:
        must_be_in_the_register(f"source: {kind}", desk=wiring.desk(), at=at)
    except NotInTheRegister as why:
        typer.echo(f"tipstaff: {kind}: {' '.join((NotInTheRegister.__doc__ or '').split())}", err=True)
        raise typer.Exit(1) from why
    source = wiring.sources()[kind]
    with _bar() as bar:
        for file in files:
            task = bar.add_task(file.name, total=file.stat().st_size if file.exists() else None)
            nothing_new = True
            try:
                advance = partial(bar.advance, task)
                for load in take_in(file, source, options, at=at, actor=actor, progress=advance):
                    nothing_new = False
                    typer.echo(json.dumps(asdict(load), default=_json) if as_json else in_words(load))
            except OSError as why:
                refuse(file, why)
            except (UnusableFile, AnotherKind, UnicodeError) as why:
                typer.echo(f"tipstaff: {file}: {why}", err=True)
                raise typer.Exit(1) from why
            if nothing_new and not as_json:
                typer.echo(f"{file}: nothing new")
    if source.momentary:
        merge_flows(options.source, at=at, actor=actor)
        if days := wiring.settings().server.flows_days_max:
            forget_flows(before=at - timedelta(days=days), at=at, actor=actor)


def flows(
    check: Annotated[bool, typer.Option("--check", help="Read all files and compare their digests.")] = False,
    merge: Annotated[bool, typer.Option("--merge", help="Make one part of many, wherever a slot has two.")] = False,
    forget_before: Annotated[
        str, typer.Option("--forget-before", help="Take away what was over before: 2026-03-01T00:00:00Z.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show how many flows of per-flow NAT logs are kept in files; check, merge or forget them."""
    before = instant(forget_before, name="--forget-before") if forget_before else None
    with database():
        from tipstaff import wiring
        from tipstaff.attribution.operations import forget_flows, merge_flows
        from tipstaff.attribution.queries import flows_kept, flows_spoilt

        at, actor = wiring.now(), who_types()
        if before is not None:
            typer.echo(f"{forget_flows(before=before, at=at, actor=actor)} flows are forgotten", err=as_json)
        kept = flows_kept()
        if merge:
            fewer = sum(merge_flows(k.source, parts_min=2, at=at, actor=actor) for k in kept)
            typer.echo(f"{fewer} parts fewer", err=as_json)
            kept = flows_kept()
        if as_json:
            for line in kept:
                typer.echo(json.dumps(asdict(line), default=_json))
        else:
            print_rows(
                ("source", "parts", "flows", "MiB", "from (UTC)", "last end (UTC)"),
                [
                    (k.source, str(k.parts), str(k.rows), f"{k.octets / 2**20:.1f}",
                     *(f"{edge:%Y-%m-%d %H:%M:%S}" if edge else "" for edge in (k.since, k.until)))
                    for k in kept
                ],
            )  # fmt: skip
        wrong = flows_spoilt() if check else []
        for sentence in wrong:
            typer.echo(f"tipstaff: {sentence}", err=True)
        if wrong:
            raise typer.Exit(1)


def list_readings(
    source: Annotated[str, typer.Option("--source", help="Of this source only.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the readings of logs: their numbers, files, and the time that each speaks of."""
    with database():
        from tipstaff.attribution.queries import readings

        _show_readings(readings(source=source), as_json=as_json)


def take_readings_out(
    numbers: Annotated[list[int], typer.Argument(help="As `readings` lists them.", metavar="READING...")],
    why: Annotated[str, typer.Option("--why", help="The reason; it stands in the record.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Take readings of logs out again, as of a file that was read with the wrong zone; it can be read anew then."""
    if not why.strip() and not dry_run:
        raise typer.BadParameter("Say with --why what was wrong; it stands in the record.")
    with database():
        from tipstaff import wiring
        from tipstaff.attribution.operations import NoSuchReading, take_out

        try:
            found = take_out(numbers, why=why, at=wiring.now(), actor=who_types(), dry_run=dry_run)
        except NoSuchReading as wrong:
            typer.echo(f"tipstaff: {wrong}", err=True)
            raise typer.Exit(1) from wrong
        for out in found:
            _show_readings(out.readings, as_json=False)
            goes = "would go" if dry_run else "are gone"
            typer.echo(f"{out.source}: {out.bindings} bindings and {out.flows} flows {goes}")
            if out.opened:
                typer.echo(f"{out.source}: {out.opened} of other readings are open again; they had ended by these")
            if out.leaning:
                ended_by = ", ".join(map(str, out.leaning))
                typer.echo(
                    f"{out.source}: the readings {ended_by} speak of the same: take them out and read them again"
                )


def _show_readings(found: "Sequence[LogReading]", *, as_json: bool) -> None:
    if as_json:
        for reading in found:
            typer.echo(json.dumps(asdict(reading), default=_json))
        return
    print_rows(
        ("reading", "source", "read at (UTC)", "file", "bytes", "from (UTC)", "until (UTC)"),
        [
            (str(r.number), r.source, f"{r.read_at:%Y-%m-%d %H:%M}", r.file, f"{r.first_byte}-{r.end_byte}",
             *(f"{edge:%Y-%m-%d %H:%M:%S}" if edge else "" for edge in (r.covers_from, r.covers_until)))
            for r in found
        ],
    )  # fmt: skip


def in_words(load: SourceLoad) -> str:
    """`detail: 5 records, 2 bindings, 1 line refused ...`."""
    lines = [f"{load.file}:{bad.line}: {bad.why}" for bad in load.refused]
    if load.refused_total > len(load.refused):
        lines.append(f"{load.file}: and {load.refused_total - len(load.refused)} more bad lines")
    refused = "" if not load.refused_total else f", {load.refused_total} refused"
    lines.append(
        f"{load.file}: bytes {load.first_byte} to {load.end_byte}: {load.records} records{refused}, "
        f"{load.bindings} bindings new; clock right to {load.clock_error_seconds:g} s"
    )
    return "\n".join(lines)


def told(sources: Mapping[str, object]) -> list[dict[str, str]]:
    """What each kind proves, how wrong its clock may be, and what it misses."""
    return [
        {"kind": name, **{part: str(getattr(source, part)) for part in ("proves", "clock", "gaps")}}
        for name, source in sources.items()
    ]


def _import_subscribers(file: Path, *, actor: str, at: datetime, as_json: bool) -> None:
    from tipstaff.procedures.subscribers import NotSubscribers, import_subscribers

    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines(keepends=True)
        with shown_taking_in(file) as shown:
            done, refused = import_subscribers(shown.read(lines), source=file.name, at=at, actor=actor)
    except (OSError, UnicodeDecodeError) as why:
        refuse(file, why)
    except NotSubscribers as why:
        typer.echo(f"tipstaff: {file}: {why}", err=True)
        raise typer.Exit(1) from why
    if as_json:
        typer.echo(json.dumps({"file": str(file), **done._asdict(), "refused": [asdict(r) for r in refused]}))
        return
    for bad in refused:
        typer.echo(f"{file}:{bad.line}: {bad.why}")
    typer.echo(f"{file}: {done.known} subscribers are known by it; {done.added} new, {done.ended} gone ({done.change})")


def _bar() -> Progress:
    """A bar on standard error, gone at the end; what is said goes to standard output."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)


def _json(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
