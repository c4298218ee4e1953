"""`tipstaff policy draft`, `approve`, `announce`, `publish` ...: the way of an edition, from the command line."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from tipstaff.cli.base import database
from tipstaff.words import AcceptedHow, EditionOnRecord, EditionState

_Edition = Annotated[str, typer.Argument(metavar="EDITION", help="Its id, such as 2026-07.")]
_By = Annotated[str, typer.Option("--by", metavar="LOGIN", help="Who does it: a log-in of the staff with that role.")]


class NotYours(PermissionError):
    """The log-in that was named may not do this."""


def register(app: typer.Typer) -> None:
    """Add the commands to `tipstaff policy`."""
    for name, command in _COMMANDS.items():
        app.command(name)(command)


def list_all(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """List every edition on record: how far each has come, who did what, and from when it counts."""
    with database():
        from tipstaff.editions.queries import list_editions
        from tipstaff.procedures.acceptance import count_accepted

        rows = [(edition, count_accepted(edition.id, digest=edition.digest)) for edition in list_editions()]
    if as_json:
        typer.echo(json.dumps([_as_json(edition, accepted) for edition, accepted in rows], indent=2))
        return
    for edition, accepted in rows:
        counts = f", counts from {_stamp(edition.effective_at)}" if edition.effective_at else ""
        people = f"written by {edition.drafted_by}" + (
            f", approved by {edition.approved_by}" if edition.approved_by else ""
        )
        typer.echo(f"{edition.id:<12} {edition.state.value:<10} {people}{counts}; {accepted} customers accepted it")
        typer.echo(f"{'':23} SHA-256 {edition.digest}")


def draft(
    folder: Annotated[Path, typer.Argument(help="The edition's folder.", exists=True, file_okay=False)], by: _By
) -> None:
    """Keep what you wrote as a draft. Somebody else approves it."""
    from tipstaff.policy import edition_files

    with _acting(by, "DRAFT_POLICY") as at:
        from tipstaff.procedures import editions

        drafted = editions.draft(edition_files(folder), at=at, actor=by)
    typer.echo(f"Edition {drafted.id} is a draft of {by}'s. SHA-256 {drafted.digest}")
    typer.echo(
        f"Counsel reads it and says `tipstaff policy approve {drafted.id} --seen {drafted.digest[:12]} --by ...`."
    )


def approve(
    edition: _Edition,
    by: _By,
    seen: Annotated[
        str, typer.Option("--seen", help="SHA-256 of the draft that you read, or its first 12 characters.")
    ],
    why: Annotated[str, typer.Option("--why", help="What was looked at, for the record.")] = "Read and found right.",
    significant: Annotated[
        bool, typer.Option("--significant", help="Customers are told, although only words change.")
    ] = False,
) -> None:
    """Approve a draft that somebody else wrote. A change of more than words is significant whatever you say."""
    with _acting(by, "APPROVE_POLICY") as at:
        from tipstaff import wiring
        from tipstaff.procedures import editions

        done = editions.approve(
            edition, seen=seen, significant=significant, why=why, desk=wiring.desk(), at=at, actor=by
        )
    told = "Customers are told before it counts." if done.significant else "Only words change; no letters are needed."
    typer.echo(f"Edition {done.id}, written by {done.drafted_by}, is approved by {by}. {told}")


def confirm(
    edition: _Edition, by: _By, why: Annotated[str, typer.Option("--why", help="What was looked at, for the record.")]
) -> None:
    """Confirm an edition that the first start adopted: two people do, one of them counsel; its page says so."""
    with _acting(by, "SEE_POLICY") as at:
        from tipstaff import wiring
        from tipstaff.procedures import editions
        from tipstaff.procedures.refusals import NotYourDecision

        try:
            done = editions.confirm(edition, why=why, desk=wiring.desk(), at=at, actor=by)
        except NotYourDecision as refusal:
            raise NotYours(str(refusal)) from refusal
    said = "Two people have confirmed it." if done.confirmed_at else "A second person confirms it as well."
    typer.echo(f"Edition {edition}: noted for {by}. {said}")


def announce(edition: _Edition, by: _By) -> None:
    """Compile an approved edition, and write to every customer who has named a representative."""
    with _acting(by, "POST_POLICY") as at:
        _compile(edition, by=by, at=at)
        _announce(edition, by=by, at=at)


def publish(
    edition: _Edition,
    by: _By,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
) -> None:
    """Take an approved edition the rest of its way: compile, announce if it matters to customers, and post it. Exit
    code 1: a step was refused, and why."""
    with _acting(by, "POST_POLICY") as at:
        from tipstaff import wiring
        from tipstaff.procedures import editions

        known = _compile(edition, by=by, at=at, err=as_json)
        if known.significant and known.state is EditionState.COMPILED:
            _announce(edition, by=by, at=at, err=as_json)
        posted = editions.post(edition, desk=wiring.desk(), at=at, actor=by)
        untold = editions.untold(posted)
    if as_json:
        told = {
            "edition": posted.id, "sha256": posted.digest, "state": posted.state.value,
            "counts_from": posted.effective_at.isoformat() if posted.effective_at else None,
            "announced_at": posted.announced_at.isoformat() if posted.announced_at else None,
            "effects": posted.effects, "letters_untold": untold,
        }  # fmt: skip
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    typer.echo(f"Posted: edition {posted.id} counts from {_stamp(posted.effective_at)}. SHA-256 {posted.digest}")
    if untold:
        typer.echo(
            f"{untold} of the letters that announce it have reached no mail server yet: those customers were not told. "
            "They go out as soon as outbound mail is set up; `tipstaff letters` lists what waits."
        )


def withdraw(
    edition: _Edition, by: _By, why: Annotated[str, typer.Option("--why", help="Why it is given up.")]
) -> None:
    """Give up an edition that was not posted yet. It stays on record, and its name becomes free."""
    with _acting(by, "DRAFT_POLICY") as at:
        from tipstaff import wiring
        from tipstaff.procedures import editions

        editions.withdraw(edition, why=why, desk=wiring.desk(), at=at, actor=by)
    typer.echo(f"Edition {edition} is given up.")


def accepted(
    customer: Annotated[str, typer.Argument(help="A customer's key.")],
    used_at: Annotated[
        datetime | None,
        typer.Option(
            "--used-at",
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"],
            metavar="TIME",
            help="Note a use at this time, with its zone: 2026-11-20T12:00-05:00.",
        ),
    ] = None,
    shown_by: Annotated[str, typer.Option("--shown-by", help="What shows the use.")] = "",
    by: Annotated[str, typer.Option("--by", help="Who notes the use. Needed with --used-at.")] = "",
) -> None:
    """Show which editions a customer accepted, when and how; or note a use that somebody saw."""
    with database():
        from tipstaff import wiring
        from tipstaff.editions.operations import ShowsNoUse
        from tipstaff.editions.queries import first_use
        from tipstaff.policy import NoEditionInForce, edition_in_force
        from tipstaff.procedures.acceptance import acceptances_of, note_first_use, use_counts_from
        from tipstaff.registry.queries import get_customer

        if get_customer(customer) is None:
            typer.echo(f"There is no customer {customer}.", err=True)
            raise typer.Exit(1)
        if used_at is not None:
            if not shown_by:
                typer.echo("Say with --shown-by what shows the use.", err=True)
                raise typer.Exit(2)
            if not by.strip():
                typer.echo("Say with --by who notes it.", err=True)
                raise typer.Exit(2)
            if used_at > wiring.now():
                typer.echo(f"{used_at:%Y-%m-%d %H:%M %Z} has not come yet: nobody has used anything then.", err=True)
                raise typer.Exit(2)
            try:
                edition = edition_in_force(wiring.editions(), at=used_at)
                new = note_first_use(
                    customer, edition=edition, shown_by=shown_by, at=used_at, noted_by=by.strip(),
                    noted_at=wiring.now(),
                )  # fmt: skip
            except NoEditionInForce as why:
                typer.echo("No edition was in force then: there was nothing to accept.", err=True)
                raise typer.Exit(2) from why
            except ShowsNoUse as why:
                typer.echo(
                    f"{shown_by} is a report about them, and somebody's claim; it shows no use of theirs.", err=True
                )
                raise typer.Exit(2) from why
            if new:
                typer.echo("Noted.")
            elif first_use(customer, digest=edition.digest) is not None:
                typer.echo(f"An earlier use under edition {edition.id} is on record already.")
            else:
                since = use_counts_from(customer, edition=edition)
                typer.echo(
                    f"Not noted: no use accepts edition {edition.id} yet, for nobody has told {customer} of it."
                    if since is None
                    else f"Not noted: a use of {customer} accepts edition {edition.id} from {_stamp(since)} on.",
                    err=True,
                )
                raise typer.Exit(1)
        found = acceptances_of(customer)
    for each in found:
        how = (
            f"by contract {each.shown_by}" if each.how is AcceptedHow.CONTRACT else f"by use, shown by {each.shown_by}"
        )
        signed = f", signed by {each.accepted_by}" if each.accepted_by else ""
        typer.echo(f"{each.edition:<12} {_stamp(each.accepted_at)}  {how}{signed}")
    if not found:
        typer.echo(f"Nothing shows yet that {customer} accepted any edition, by contract or by use.")


_COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_all,
    "draft": draft,
    "approve": approve,
    "confirm": confirm,
    "announce": announce,
    "publish": publish,
    "withdraw": withdraw,
    "accepted": accepted,
}


@contextmanager
def _acting(by: str, ability: str) -> Iterator[datetime]:
    """The database, the time, and the certainty that `by` may do it; a refusal is a sentence and exit code 1."""
    with database():
        from django.contrib.auth.models import User

        from tipstaff import wiring
        from tipstaff.editions import operations as refused
        from tipstaff.procedures.editions import ExamplesDoNotHold
        from tipstaff.web.roles import Ability, may

        user = User.objects.filter(username=by).first()
        wanted = Ability[ability]
        if user is None or not may(user, wanted):
            who = f"{by} has no account here, and" if user is None else f"{by} has no role that"
            raise NotYours(f"{who} may not {wanted.value}; the console's staff page shows who may.")
        try:
            yield wiring.now()
        except ExamplesDoNotHold as why:
            for mismatch in why.mismatches:
                typer.echo(str(mismatch), err=True)
            typer.echo("It stays as it was: an edition is compiled only when its examples hold.", err=True)
            raise typer.Exit(1) from why
        except (
            refused.ApproverMustBeAnother,
            refused.NameTaken,
            refused.NoSuchEdition,
            refused.NotAnnounced,
            refused.NotWhatWasRead,
            refused.WrongStep,
        ) as why:
            typer.echo(f"{why}: {type(why).__doc__}", err=True)
            raise typer.Exit(1) from why


def _compile(id: str, *, by: str, at: datetime, err: bool = False) -> EditionOnRecord:
    """Compile an edition that is approved; one that is further stays as it is. What is said goes to the error output
    with `err`."""
    from tipstaff import wiring
    from tipstaff.editions.operations import NoSuchEdition
    from tipstaff.editions.queries import get_edition
    from tipstaff.procedures import editions
    from tipstaff.procedures.sealed import closed_groups

    known = get_edition(id)
    if known is None:
        raise NoSuchEdition(id)
    if known.state is not EditionState.APPROVED:
        return known
    closed = closed_groups(wiring.settings().staff.closed_groups)
    known = editions.compile(id, desk=wiring.desk(), at=at, actor=by, closed=closed)
    done = known.effects
    typer.echo(
        f"Compiled: {done['examples']} examples hold; of {done['past_judged']} past reports, "
        f"{done['past_judged_otherwise']} would be judged otherwise than under edition {done['compared_with']}.",
        err=err,
    )
    return known


def _announce(id: str, *, by: str, at: datetime, err: bool = False) -> None:
    from tipstaff import wiring
    from tipstaff.ledger.queries import newest_about
    from tipstaff.procedures import editions

    done = editions.announce(id, desk=wiring.desk(), at=at, actor=by)
    noted = newest_about(done.digest, what="edition.announced", limit=1)[0].detail
    typer.echo(f"Announced: {noted['letters']} letters; {noted['unreachable']} customers have named nobody.", err=err)


def _stamp(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at is not None else ""


def _as_json(edition: EditionOnRecord, accepted: int) -> dict[str, object]:
    return {
        "id": edition.id,
        "sha256": edition.digest,
        "state": edition.state.value,
        "title": edition.title,
        "drafted_by": edition.drafted_by,
        "drafted_at": edition.drafted_at.isoformat(),
        "approved_by": edition.approved_by or None,
        "approved_at": edition.approved_at and edition.approved_at.isoformat(),
        "significant": edition.significant,
        "effects": dict(edition.effects),
        "announced_at": edition.announced_at and edition.announced_at.isoformat(),
        "posted_by": edition.posted_by or None,
        "posted_at": edition.posted_at and edition.posted_at.isoformat(),
        "effective_at": edition.effective_at and edition.effective_at.isoformat(),
        "accepted_by_customers": accepted,
    }
