"""`tipstaff verify`, `backup` and `restore`: the record proves itself, and can be carried away."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .base import database, one_at_a_time, read_settings

if TYPE_CHECKING:
    from tipstaff.ledger.queries import VaultVerification


def verify(
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Unfold all kept evidence too, and compare it with its digests.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Take every digest of the record anew; exit 1 and name the first entry, or the evidence, that does not fit."""
    with database():
        from tipstaff.ledger.operations import seal_entries
        from tipstaff.ledger.queries import count_evidence, verify_evidence
        from tipstaff.ledger.queries import verify as verify_record

        while seal_entries():
            pass
        found = verify_record()
        vault = None
        if evidence:
            with typer.progressbar(length=count_evidence(), label="evidence", file=sys.stderr) as bar:
                vault = verify_evidence(on_each=bar.update)
        if as_json:
            kept = {} if vault is None else {"evidence": {**asdict(vault), "whole": vault.whole}}
            typer.echo(json.dumps({**asdict(found), "whole": found.whole, **kept}))
        else:
            typer.echo(
                f"The record is whole: {found.entries} entries, {found.sealed} in the chain, head {found.head}."
                if found.whole
                else f"The record was touched: entry {found.broken_at}: {found.why}."
            )
            if vault is not None:
                _say_vault(vault)
        raise typer.Exit(0 if found.whole and (vault is None or vault.whole) else 1)


def _say_vault(vault: "VaultVerification") -> None:
    if vault.whole:
        typer.echo(
            f"The vault is whole: {vault.kept} kept, {vault.sealed} of them sealed; "
            f"{vault.octets:,} octets are what their digests name."
        )
        return
    typer.echo(f"The vault was touched: {vault.unfit} do not fit.")
    for digest, why in vault.first:
        typer.echo(f"  {digest}: {why}")
    if vault.unfit > len(vault.first):
        typer.echo(f"  ... and {vault.unfit - len(vault.first)} more")


def backup(
    target: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.", metavar="FILE")],
    without_flows: Annotated[
        bool, typer.Option("--without-flows", help="Leave out the flows of NAT logs, which lie in files.")
    ] = False,
) -> None:
    """Write the whole database to FILE (pg_dump's custom format), and the flows of NAT logs to the folder FILE.flows.

    The keys folder is not in it: keep it apart.
    """
    flows = _flows_of(target)
    for place in (target, flows):
        if place.exists():
            typer.echo(f"tipstaff: {place} exists already; name another file.", err=True)
            raise typer.Exit(1)
    with database() as settings:
        from tipstaff.attribution.operations import hold_flows
        from tipstaff.host.postgres import dump
        from tipstaff.wiring.processes import database_url

        part = target.with_name(target.name + ".part")
        part.touch(mode=0o600)
        with hold_flows() as held:
            dump(database_url(), part, snapshot=held.snapshot)
            wrong = [] if without_flows or not held.digests else list(held.copy(flows))
        part.rename(target)
        typer.echo(f"{target}: {target.stat().st_size:,} octets. Keep {settings.server.data_folder / 'keys'} too.")
        if flows.exists():
            octets = sum(f.stat().st_size for f in flows.iterdir())
            typer.echo(f"{flows}: {len(held.digests) - len(wrong):,} files of flows, {octets:,} octets.")
        elif held.digests:
            typer.echo(f"{len(held.digests):,} files of flows are not in it.")
        _tell(wrong)


def restore(
    source: Annotated[Path, typer.Argument(help="A file that `tipstaff backup` wrote.", metavar="FILE", exists=True)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Bring the database back as FILE has it, all or nothing, and the flows in FILE.flows.

    What is there now is replaced.
    """
    from tipstaff.host.postgres import is_backup

    if not is_backup(source):
        typer.echo(f"tipstaff: {source} is no backup; name a file that `tipstaff backup` wrote.", err=True)
        raise typer.Exit(1)
    with one_at_a_time(read_settings().server.data_folder), database():
        from django.db import connections

        from tipstaff.attribution.operations import bring_flows, flow_writers_wait
        from tipstaff.attribution.queries import flows_missing
        from tipstaff.host.postgres import BackupFailed
        from tipstaff.host.postgres import restore as restore_from
        from tipstaff.wiring.processes import database_url

        if not yes:
            typer.confirm("This replaces everything in the database. Go on?", abort=True)
        url = database_url()
        connections.close_all()
        # A file that is there and not named yet does no harm; one that is named and not there yet would.
        with flow_writers_wait(url):
            flows = _flows_of(source)
            brought, wrong = bring_flows(flows) if flows.exists() else ([], [])
            try:
                restore_from(url, source)
            except BackupFailed:
                for path in brought:
                    path.unlink(missing_ok=True)
                raise
        typer.echo(f"The database is as {source} has it.")
        _tell(wrong)
        missing = flows_missing()
        _tell(missing)
        if missing:
            typer.echo("Questions about their addresses and times name nobody until these files are there.", err=True)
            raise typer.Exit(1)


def _flows_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.flows")


def _tell(sentences: list[str]) -> None:
    for sentence in sentences:
        typer.echo(f"tipstaff: {sentence}", err=True)
