"""`tipstaff admission`: who is let in, and what the terminated still use."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tipstaff.words import Admission, AdmissionState, ListKind, UsageKind

from .registry_changes import AS_JSON, CUSTOMER, WHY, by, in_sentences, instant, plain_json

ADMISSION = Annotated[str, typer.Argument(help="An admission that waits: AD-4.")]

app = typer.Typer(no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})


def _command(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def hang(function: Callable[..., None]) -> Callable[..., None]:
        return app.command(name)(in_sentences(function))

    return hang


@_command("lists")
def load(
    kind: Annotated[ListKind, typer.Argument(help="aliases, drop or asn-drop")],
    file: Annotated[Path, typer.Argument(help="JSON lines, or text with the reference behind a semicolon.")],
) -> None:
    """Take in a list's newest file and hold everybody against it."""
    from tipstaff.procedures import admission
    from tipstaff.registry.vetting import BadList

    try:
        with open(file, encoding="utf-8-sig") as opened:
            entries, waiting = admission.load_list(kind, opened, file_name=file.name, **by())
    except (OSError, UnicodeDecodeError, BadList) as why:
        said = f"byte {why.start + 1} is not UTF-8 text." if isinstance(why, UnicodeDecodeError) else str(why)
        typer.echo(f"tipstaff: {file} can't be read as a list of the kind {kind}: {said}", err=True)
        raise typer.Exit(1) from why
    wait = "1 customer waits" if waiting == 1 else f"{waiting} customers wait"
    typer.echo(f"{file.name}: {entries} {'entry' if entries == 1 else 'entries'}. {wait} for a person.")


@_command("vet")
def vet(customer: CUSTOMER, as_json: AS_JSON = False) -> None:
    """Vet a customer now: say what a person should look at."""
    from tipstaff.procedures import admission

    _tell([admission.vet_customer(customer, **by())], as_json=as_json)


@_command("list")
def show(
    state: Annotated[AdmissionState, typer.Option("--state", help="waiting, clear, accepted or refused")] = (
        AdmissionState.WAITING
    ),
    as_json: AS_JSON = False,
) -> None:
    """List admissions, by default those that wait for a person."""
    from tipstaff.registry import queries

    _tell(queries.list_admissions(state=state), as_json=as_json)


@_command("accept")
def accept(key: ADMISSION, why: WHY) -> None:
    """Let a customer in, with the reason."""
    _decide(key, accept=True, why=why)


@_command("refuse")
def refuse(key: ADMISSION, why: WHY) -> None:
    """Refuse a customer, with the reason. Services are ended apart from it."""
    _decide(key, accept=False, why=why)


@_command("confirm")
def confirm(key: ADMISSION, why: WHY) -> None:
    """Agree, as a second person, that a refused customer is the party that a register names: it is then judged."""
    from tipstaff import wiring
    from tipstaff.procedures import admission

    confirmed = admission.confirm_refusal(key, why=why, desk=wiring.desk(), **by())
    typer.echo(f"{confirmed.key}: confirmed; what the policy says of {confirmed.customer_name} is judged now.")


@_command("seen")
def seen(
    kind: Annotated[UsageKind, typer.Argument(help="traffic, login, announcement or lease")],
    what: Annotated[
        str, typer.Argument(help='An address, a log-in, a route ("198.51.100.0/24 AS64500"), or "circuit NAME".')
    ],
    at: Annotated[str, typer.Option("--at", help="When it was seen; left out: now.")] = "",
    source: Annotated[str, typer.Option("--source", help="Who saw it; of a log-in, its log's source.")] = "by hand",
) -> None:
    """Say that something was seen in use: a finding if its holder's right had ended, else a log-in accepts a policy."""
    from tipstaff import wiring
    from tipstaff.procedures import admission

    who = by()
    try:
        usage = admission.read_use(kind, what, seen_at=instant(at) or who["at"], source=source)
    except admission.BadUse as why:
        raise typer.BadParameter(str(why)) from None
    finding = admission.note_use(usage, editions=wiring.editions(), desk=wiring.desk(), **who)
    typer.echo(finding.explanation if finding else "No finding: somebody has a right to it, or nobody ever had.")


@_command("search-logs")
def search_logs() -> None:
    """Look through the logs of sessions and leases for what is used after the right to it; done every night, too."""
    from tipstaff import wiring
    from tipstaff.procedures import admission

    found = admission.note_log_ins(desk=wiring.desk(), **by())
    for finding in found:
        typer.echo(f"{finding.customer}: {finding.explanation}")
    typer.echo(f"{len(found)} new." if found else "Nothing new.")


@_command("late-uses")
def late_uses(as_json: AS_JSON = False) -> None:
    """List what was used after the right to it had ended, the latest first."""
    from tipstaff.registry import queries

    for finding, count in queries.list_late_uses():
        if as_json:
            typer.echo(json.dumps({**asdict(finding), "count": count}, default=plain_json))
        else:
            typer.echo(f"{finding.customer}: {finding.explanation} ({'once' if count == 1 else f'{count} times'})")


def _decide(key: str, *, accept: bool, why: str) -> None:
    from tipstaff import wiring
    from tipstaff.procedures import admission

    decided = admission.decide(key, accept=accept, why=why, desk=wiring.desk(), **by())
    typer.echo(f"{decided.key}: {decided.customer_name} is {decided.state}.")


def _tell(admissions: list[Admission], *, as_json: bool) -> None:
    for one in admissions:
        if as_json:
            typer.echo(json.dumps(asdict(one), default=plain_json))
            continue
        typer.echo(f"{one.key} {one.customer} {one.customer_name}: {one.state}")
        for concern in one.concerns:
            typer.echo(f"  {concern.kind} {concern.score}: {concern.explanation}")
        if one.why:
            typer.echo(f"  {one.decided_by}: {one.why}")
