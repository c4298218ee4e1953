"""`tipstaff profiles`: declared readers of known reporters, checked by their own samples."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="The folder; without it the one in the settings.")] = None,
    json_: Json = False,
) -> None:
    """Read every profile and its samples; exit code 1 if one would not be used."""
    from tipstaff import wiring
    from tipstaff.intake.profiles.form import BadProfile, load_profile
    from tipstaff.intake.profiles.reader import faults_of_sample

    folder = folder or wiring.settings().server.profiles_folder
    if folder is None:
        typer.echo("Name a folder, or set [server] profiles_folder.", err=True)
        raise typer.Exit(2)
    bad = False
    for path in sorted(folder.glob("*.toml")):
        try:
            profile = load_profile(path)
            faults = [x for sample in profile.samples for x in faults_of_sample(profile, sample)]
            samples = len(profile.samples)
        except BadProfile as why:
            faults, samples = [str(why)], 0
        bad = bad or bool(faults)
        if json_:
            typer.echo(json.dumps({"file": path.name, "samples": samples, "faults": faults}))
            continue
        typer.echo(f"{path.name}: {'not used' if faults else 'used'}, {samples} samples")
        for fault in faults:
            typer.echo(f"  {fault}")
    if bad:
        raise typer.Exit(1)


@app.command()
def propose(
    mail: Annotated[Path, typer.Argument(help="A mail of the reporter, in a file.")],
    name: Annotated[str, typer.Option("--name", help="The profile's name: small letters, digits, hyphens.")],
    into: Annotated[
        Path | None, typer.Option("--into", help="Write the profile and its sample into this folder.")
    ] = None,
) -> None:
    """Propose a profile from one mail by what is read of it now; a person looks it over and checks it."""
    from tipstaff.intake.mail import read_mail
    from tipstaff.intake.profiles.proposing import propose as make
    from tipstaff.intake.protocol import load_parsers
    from tipstaff.intake.reading import read

    raw = mail.read_bytes()
    reading = read(raw, parsers=load_parsers())
    sample = f"{name}.eml"
    proposal = make(read_mail(raw), reading, name=name, sample=sample) if reading.allegations else None
    if proposal is None:
        typer.echo(f"{mail}: no line of it names what could be read; write the profile by hand.", err=True)
        raise typer.Exit(1)
    if into is None:
        typer.echo(proposal.toml)
        return
    (into / sample).write_bytes(raw)
    (into / f"{name}.toml").write_text(proposal.toml, encoding="utf-8")
    typer.echo(f"{into / f'{name}.toml'}: look it over, then run  tipstaff profiles check {into}")


@app.command("yield")
def yield_(json_: Json = False) -> None:
    """Known reporters whose mail was understood before and is not of late."""
    from .base import database

    with database():
        from tipstaff import wiring
        from tipstaff.intake.queries import yields_dropped

        found = yields_dropped(at=wiring.now())
        for one in found:
            if json_:
                typer.echo(
                    json.dumps(
                        {"reporter": one.reporter, "mails": one.mails_lately, "understood": one.understood_lately}
                    )
                )
            else:
                typer.echo(
                    f"{one.reporter}: {one.understood_lately} of {one.mails_lately} mails understood of late, "
                    f"{one.understood_before} of {one.mails_before} before"
                )
        if not found and not json_:
            typer.echo("No reporter's yield has dropped.")
