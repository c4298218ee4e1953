"""`tipstaff letters`: what was written, to whom, and how it looks as it goes out."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tipstaff.words import LetterState

from .base import database, read_settings
from .tables import print_rows

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(
    state: Annotated[LetterState | None, typer.Option("--state", help="Only letters in this state.")] = None,
    case: Annotated[str, typer.Option("--case", help="Only letters of this case.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at the most, newest first.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List letters, newest first."""
    with database():
        from tipstaff.notices.queries import letters_of_case, list_letters

        found = list(reversed(letters_of_case(case))) if case else list_letters(state=state, limit=limit)
        found = [letter for letter in found if state is None or letter.state is state][:limit]
    if as_json:
        for letter in found:
            typer.echo(json.dumps(asdict(letter), default=str))
        return
    if not found:
        typer.echo("No letters.")
    print_rows(
        ("letter", "kind", "state", "to", "about", "subject"),
        ((x.key, x.kind, x.state, x.to, x.case or x.report or "", x.subject) for x in found),
        head=3,
    )


@app.command("put-in-touch")
def put_in_touch(
    report: Annotated[str, typer.Argument(metavar="REPORT", help="R-000123: who sent it is told the address.")],
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="A desk's address, or one whose owner agreed.")],
    by: Annotated[str, typer.Option("--by", metavar="LOGIN", help="Who decides: an analyst or a lead.")],
    agreed: Annotated[str, typer.Option("--agreed", help="How its owner agreed; a desk's address needs none.")] = "",
) -> None:
    """Tell who sent a report where they can settle the matter themselves. Who our customer is stays unsaid."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures import in_touch
        from tipstaff.procedures.refusals import NoSuchReport, NotYourDecision

        try:
            letter = in_touch.put_in_touch(
                report.strip().upper(), address=address, agreed=agreed, desk=wiring.desk(), at=wiring.now(), actor=by
            )
        except (in_touch.NotToBePassedOn, NoSuchReport, NotYourDecision) as why:
            told = f"there is no report {report}." if isinstance(why, NoSuchReport) else str(why)
            typer.echo(f"tipstaff: {told} Nothing was written.", err=True)
            raise typer.Exit(1) from why
    typer.echo(f"{letter}: who sent {report} is told that they may write to {address}.")


@app.command()
def show(
    key: Annotated[str, typer.Argument(metavar="LETTER", help="L-000123.")],
    raw: Annotated[bool, typer.Option("--raw", help="The whole mail as it goes out: headers, HTML, files.")] = False,
) -> None:
    """Show a letter without sending it. The customer's link is left out: it is made when the letter is sent."""
    with database() as settings:
        from tipstaff import wiring
        from tipstaff.notices.outbound import as_mail
        from tipstaff.notices.queries import get_letter

        letter = get_letter(key.strip().upper())
        if letter is None:
            typer.echo(
                f"tipstaff: there is no letter {key!r}; `tipstaff letters list` shows those there are.", err=True
            )
            raise typer.Exit(1)
        if raw:
            sys.stdout.buffer.write(as_mail(letter, server=wiring.mail_server(), at=wiring.now()))
            return
    override = settings.mail_out.recipient_override
    typer.echo(f"To: {letter.to}{f'  (goes to {override}: mail_out.recipient_override)' if override else ''}")
    typer.echo(f"Subject: {letter.subject}\nState: {letter.state}\n\n{letter.body}")
    for each in letter.attachments:
        typer.echo(f"[{each.name}, {len(each.text.encode())} octets]")


@app.command("dkim-key")
def dkim_key(
    file: Annotated[Path, typer.Argument(help="Where the key lies or shall lie; only its owner may read it.")],
    selector: Annotated[str, typer.Option("--selector", help="The name it is published under.")] = "tipstaff",
) -> None:
    """Make a DKIM key, or take the one in FILE; print the DNS record that publishes it and the settings that use it."""
    settings = read_settings()
    from tipstaff.notices import dkim_signing

    if not file.exists():
        dkim_signing.make_key(file)
    domain = settings.from_address.rpartition("@")[2]
    value = dkim_signing.record_of(file)
    parts = " ".join(f'"{value[i : i + 250]}"' for i in range(0, len(value), 250))
    typer.echo(f"{selector}._domainkey.{domain}. IN TXT ( {parts} )")
    typer.echo(f'\n[mail_out]\ndkim_selector = "{selector}"\ndkim_key_file = "{file.resolve()}"')


@app.command("openpgp-key")
def openpgp_key(
    file: Annotated[Path, typer.Argument(help="Where the key lies or shall lie; only its owner may read it.")],
) -> None:
    """Make an OpenPGP key of ours, or take the one in FILE; print its public part, to be given to contacts, and the
    setting that uses it: letters that are closed by a contact's key are signed by it inside."""
    settings = read_settings()
    from tipstaff.host.envelopes import UselessKey, make_openpgp_key, public_part
    from tipstaff.host.keys import write_private

    try:
        if not file.exists():
            key = make_openpgp_key(name=settings.operator.name, address=settings.from_address)
            write_private(file, key.encode())
        typer.echo(public_part(file))
    except (OSError, UselessKey) as why:
        typer.echo(f"tipstaff: {why}.", err=True)
        raise typer.Exit(1) from why
    typer.echo(f'[mail_out]\nopenpgp_key_file = "{file.resolve()}"')
