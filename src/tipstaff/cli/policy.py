"""`tipstaff policy`: show an edition, check and test one that is being written, compare two, say what is covered."""

import json
import shutil
import textwrap
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from tipstaff.cli import editions, explain, replay
from tipstaff.cli.base import database, read_settings, who_types
from tipstaff.cli.registry_changes import instant
from tipstaff.policy.as_json import clause_as_json, edition_as_json
from tipstaff.policy.clauses import Clause, Edition, UnknownClause
from tipstaff.policy.clocks import UnknownRegion, UnknownZone, deadline, is_region
from tipstaff.policy.coverage import NotResults, RowState, coverage, missing_tests, read_results, results_of
from tipstaff.policy.difference import ChangeKind, differences, effects, marked
from tipstaff.policy.editions import BadEdition, in_the_name_of, load_edition, policy_rows, shipped_editions
from tipstaff.policy.examples import differences as example_differences
from tipstaff.policy.examples import try_examples
from tipstaff.words import Degree, Direction, NoticePosture

app = typer.Typer(help="Show and check editions of the acceptable use policy.", no_args_is_help=True)

app.command()(replay.replay)
app.command()(replay.shadow)
app.command()(explain.explain)

_EditionOption = Annotated[
    str, typer.Option("--edition", help="An edition's folder, or its id on record; else the newest one installed.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")]
_InForce = Annotated[bool, typer.Option("--in-force", help="The edition that is in force now, by the record.")]


@app.command()
def show(
    clause: Annotated[str | None, typer.Argument(help="A clause, such as mail.unsolicited.")] = None,
    as_json: _AsJson = False,
    edition: _EditionOption = "",
    in_force: _InForce = False,
) -> None:
    """Show an edition's clauses, or one of them as a customer reads it. Exit code 2: there is no such clause."""
    shown, standing = _named(edition, in_force=in_force)
    try:
        found = None if clause is None else shown.clause(clause)
    except UnknownClause as why:
        typer.echo(f"{why}; `tipstaff policy show` lists them.", err=True)
        raise typer.Exit(2) from why
    if as_json:
        _print_json(edition_as_json(shown) if found is None else clause_as_json(found, shown))
        return
    _say(standing)
    if found is None:
        _show_edition(shown)
    else:
        _show_clause(found, shown)


@app.command()
def check(
    folder: Annotated[Path | None, typer.Argument(help="The edition's folder; else all in use.")] = None,
    as_json: _AsJson = False,
) -> None:
    """Check an edition: its form, and that every example has the verdict it promises. Exit code 1: something is wrong,
    with file, line and clause on the error output."""
    try:
        editions = _editions() if folder is None else (load_edition(folder, thorough=True),)
    except BadEdition as why:
        typer.echo(str(why), err=True)
        typer.echo(f"{_count(len(why.problems), 'mistake')} found.", err=True)
        if as_json:
            _print_json({"editions": [], "mistakes": str(why).splitlines()})
        raise typer.Exit(1) from why
    wrong = 0
    told: list[dict[str, object]] = []
    for edition in editions:
        mismatches = try_examples(edition)
        for mismatch in mismatches:
            typer.echo(str(mismatch), err=True)
        tried = sum(1 for _ in edition.examples())
        wrong += len(mismatches)
        told.append(
            {
                "edition": edition.id, "sha256": edition.digest, "clauses": len(edition.clauses), "examples": tried,
                "wrong": [str(mismatch) for mismatch in mismatches],
            }
        )  # fmt: skip
        if as_json:
            continue
        typer.echo(
            f"Edition {edition.id}: {_count(len(edition.clauses), 'clause')}, "
            f"{tried - len(mismatches)} of {_count(tried, 'example')} hold. SHA-256 {edition.digest}"
        )
    if as_json:
        _print_json({"editions": told, "mistakes": []})
    if wrong:
        raise typer.Exit(1)


@app.command("test")
def run_examples(
    folder: Annotated[Path | None, typer.Argument(help="The edition's folder; else all in use.")] = None,
    clause: Annotated[str, typer.Option("--clause", help="Only this clause's examples.")] = "",
    as_json: _AsJson = False,
) -> None:
    """Run every example of an edition as a test, and say what each shows. Exit code 1: one does not hold; 2: there is
    none."""
    failed = tried = 0
    told: list[dict[str, object]] = []
    for edition in _editions() if folder is None else (_edition(folder),):
        for owner, example in edition.examples():
            if clause and owner.id != clause:
                continue
            tried += 1
            wrong = example_differences(example, clause=owner, edition=edition)
            failed += bool(wrong)
            if as_json:
                place = owner.place_of(example.line)
                told.append(
                    {
                        "edition": edition.id, "clause": owner.id, "example": example.id, "says": example.says,
                        "holds": not wrong, "differences": list(wrong), "place": place or None,
                    }
                )  # fmt: skip
                continue
            _say(f"{example.says}", first=f"{'FAIL' if wrong else 'ok':<5}{owner.id}/{example.id}: ", rest=" " * 5)
            if wrong and (place := owner.place_of(example.line)):
                _say(place, first=" " * 7, rest=" " * 7)
            for difference in wrong:
                _say(difference, first=" " * 7, rest=" " * 7)
    if not tried:
        typer.echo(f"No clause {clause!r} has examples; `tipstaff policy show` lists the clauses.", err=True)
        raise typer.Exit(2)
    if as_json:
        _print_json({"tried": tried, "failed": failed, "examples": told})
    else:
        typer.echo(f"{tried - failed} of {_count(tried, 'example')} hold.")
    if failed:
        raise typer.Exit(1)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="The earlier edition: its folder, or its id on record.")],
    new: Annotated[str, typer.Argument(help="The later edition: its folder, or its id on record.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
) -> None:
    """Show what is different between two editions: in words, in rules, and in what the judge says of their examples."""
    before, after = (_named(each, in_force=False)[0] for each in (old, new))
    changes, otherwise = differences(before, after), effects(before, after)
    if as_json:
        typer.echo(json.dumps(difference_as_json(before, after), indent=2, ensure_ascii=False))
        return
    for change in changes:
        _say(f"{change.title} ({change.what}): {_CHANGES[change.kind]}")
        for key, was, now in change.rules:
            _say(f"{key.replace('_', ' ')}: {was} → {now}", first="  ", rest="    ")
        if change.was != change.now and change.was and change.now:
            words = "".join(f"[-{w.rstrip()}-] " if k == "gone" else f"{{+{w.rstrip()}+}} " if k == "new" else w
                            for k, w in marked(change.was, change.now))  # fmt: skip
            for line in words.splitlines():
                if "[-" in line or "{+" in line:
                    _say(line, first="  ", rest="    ")
    if otherwise:
        typer.echo("\nExamples that would be judged otherwise")
        for effect in otherwise:
            _say(f"{effect.clause}/{effect.example}: {effect.was} → {effect.now}", first="  ", rest="    ")
    significant = any(change.kind is not ChangeKind.WORDS for change in changes)
    typer.echo(
        f"\n{_count(len(changes), 'change')}, {_count(len(otherwise), 'example')} judged otherwise. "
        + ("Customers are told of it." if significant else "Only words change." if changes else "Nothing differs.")
    )


@app.command()
def clock(
    name: Annotated[str | None, typer.Argument(help="A clock, such as copyright.restore; else all are listed.")] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"],
            metavar="TIME",
            help="When it began, with its zone: 2026-11-20T12:00-05:00.",
        ),
    ] = None,
    zone: Annotated[str, typer.Option("--zone", help="Where the party lives, such as Europe/Berlin.")] = "UTC",
    region: Annotated[str, typer.Option("--region", help="Whose holidays count, such as DE-BE.")] = "",
    edition: _EditionOption = "",
    in_force: _InForce = False,
) -> None:
    """Show an edition's clocks, whose each is, and when one ends that began at a moment."""
    shown, standing = _named(edition, in_force=in_force)
    _say(standing)
    for each in shown.clocks:
        if name is None:
            whose = f"by {each.source}" if each.source else "set by the operator"
            window = f"{each.not_before} to " if each.not_before else ""
            typer.echo(f"{each.id:<40} {window}{each.amount} {each.unit.value.replace('_', ' ')}, {whose}")
    if name is None:
        return
    if at is None:
        typer.echo("Say with --at when it began, such as 2026-11-20T12:00-05:00.", err=True)
        raise typer.Exit(2)
    try:
        if region and not is_region(region):
            raise UnknownRegion(f"no holidays are known of {region!r}; a region is written as US or DE-BE.")
        ends = deadline(shown.clock(name), at=at, zone=zone, region=region)
    except (UnknownClause, UnknownZone, UnknownRegion) as why:
        typer.echo(str(why), err=True)
        raise typer.Exit(2) from why
    _say(shown.clock(name).says)
    if shown.clock(name).text_at:
        typer.echo(f"{shown.clock(name).source}: {shown.clock(name).text_at}")
    if shown.clock(name).verified:
        _say(shown.clock(name).verified)
    if ends.not_before is not None:
        typer.echo(f"Not before {ends.not_before:%Y-%m-%d %H:%M} UTC.")
    typer.echo(f"It ends at {ends.by:%Y-%m-%d %H:%M} UTC.")


@app.command("advise")
def advise(
    customer: Annotated[str, typer.Argument(help="Whom we advised: acct-1001.")],
    words: Annotated[str, typer.Argument(help="What we advised; without it, what was advised so far is printed.")] = "",
) -> None:
    """Note what we advised a customer on settings, or print what stands noted."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.answering_for import NoSuchWords, advice_to
        from tipstaff.procedures.answering_for import advise as note
        from tipstaff.registry.operations import UnknownKey

        if not words:
            for entry in advice_to(customer):
                _say(f"{entry.at:%Y-%m-%d %H:%M} UTC, {entry.actor}: {entry.detail['words']}")
            return
        try:
            clause = note(customer, words=words, desk=wiring.desk(), at=wiring.now(), actor=who_types())
        except (NoSuchWords, UnknownKey) as why:
            typer.echo(str(why), err=True)
            raise typer.Exit(1) from why
    _say(f"Noted for {customer}, under {clause}.")


@app.command("claim")
def claim(
    customer: Annotated[str, typer.Argument(help="Whose matter it is: acct-1001.")],
    happened: Annotated[str, typer.Option("--happened", help="When it happened: 2026-05-04T12:00:00Z.")],
    ours: Annotated[bool, typer.Option("--ours", help="It is about what we did ourselves.")] = False,
    law_forbids: Annotated[bool, typer.Option("--law-forbids", help="The law forbids such a limit here.")] = False,
) -> None:
    """Say with which words a claim is met: the clause, the edition in force then, and how the customer accepted it."""
    at = instant(happened, name="The time")
    assert at is not None, "the option is needed"
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.answering_for import NoSuchWords, meet_claim
        from tipstaff.registry.operations import UnknownKey

        try:
            clause, accepted = meet_claim(
                customer, happened_at=at, of_another=not ours, law_forbids=law_forbids, desk=wiring.desk(),
                at=wiring.now(), actor=who_types(),
            )  # fmt: skip
        except (NoSuchWords, UnknownKey) as why:
            typer.echo(str(why), err=True)
            raise typer.Exit(1) from why
    shown = (
        f"accepted on {accepted.accepted_at:%Y-%m-%d} by {accepted.how}" if accepted else "no acceptance is on record"
    )
    _say(f"{clause}; {customer}: {shown}. Counsel says what follows.")


@app.command("agent")
def agent(
    by: Annotated[str, typer.Option("--by", metavar="LOGIN", help="Counsel, who notes a new entry.")] = "",
    entered: Annotated[str, typer.Option("--entered", help="Since when it stands in the directory: 2026-01-05.")] = "",
    name: Annotated[str, typer.Option("--name", help="The agent's name.")] = "",
    address: Annotated[str, typer.Option("--address", help="Their postal address.")] = "",
    phone: Annotated[str, typer.Option("--phone", help="Their telephone number.")] = "",
    email: Annotated[str, typer.Option("--email", help="Their mail address.")] = "",
) -> None:
    """Say who our agent for copyright notices is and when the entry lapses (exit code 1: it has); or note an entry."""
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.agent import NotADesignation, agent_at, designate
        from tipstaff.procedures.refusals import NotYourDecision

        if by:
            since = instant(f"{entered}T00:00:00Z" if len(entered) == 10 else entered, name="The day of the entry")
            stated = {"name": name, "address": address, "phone": phone, "email": email}
            try:
                designate(stated, entered_at=since or wiring.now(), desk=wiring.desk(), at=wiring.now(), actor=by)
            except (NotADesignation, NotYourDecision) as why:
                typer.echo(str(why), err=True)
                raise typer.Exit(1) from why
        shown = agent_at(desk=wiring.desk(), at=wiring.now())
    if shown is None:
        typer.echo("No agent for copyright notices is noted.", err=True)
        raise typer.Exit(1)
    lapses = f"; it lapses on {shown.lapses_at:%Y-%m-%d}" if shown.lapses_at else ""
    _say(f"{shown.name}, {shown.email}: in the directory since {shown.entered_at:%Y-%m-%d}{lapses}.")
    if not shown.stands:
        typer.echo("The entry has lapsed: the page names nobody until it is renewed and noted.", err=True)
        raise typer.Exit(1)


@app.command("coverage")
def show_coverage(
    tests: Annotated[
        Path | None, typer.Option("--tests", help="The sources: fail where a named test is not there.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", help="What `pytest --junit-xml FILE` wrote: only tests that passed in it prove."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of lines.")] = False,
    edition: _EditionOption = "",
    in_force: _InForce = False,
) -> None:
    """List the rows of the policy: the clause that serves each, its state, and the tests that prove it."""
    shown, standing = _named(edition, in_force=in_force)
    missing = list(missing_tests(shown, root=tests)) if tests is not None else []
    try:
        ran = read_results(results.read_bytes()) if results is not None else None
    except (OSError, NotResults) as why:
        typer.echo(f"{results} cannot be read: {why}", err=True)
        raise typer.Exit(2) from why
    if ran is not None:
        missing += [
            f"{clause.id} names {named}, which {'failed' if 'failed' in found else 'was not run'}."
            for clause in shown.clauses
            for named in clause.proved_by
            if "failed" in (found := results_of(named, ran)) or not found
        ]
    rows = coverage(shown, rows=policy_rows(), results=ran)
    counts = {state.value: sum(row.state is state for row in rows) for state in RowState}
    if as_json:
        listed = [
            {
                "row": row.row,
                "title": row.title,
                "state": row.state.value,
                "clauses": row.clauses,
                "served_by": row.served_by,
                "tests": row.tests,
                "limits": row.limits,
            }
            for row in rows
        ]
        typer.echo(
            json.dumps(
                {
                    "edition": shown.id,
                    "standing": standing,
                    "counts": counts,
                    "rows": listed,
                    "missing": missing,
                    "results": str(results) if results is not None else None,
                },
                indent=2,
            )
        )
        raise typer.Exit(1 if missing else 0)
    for row in rows:
        typer.echo(f"{row.row:>2}  {row.state.value:<7}  {row.title:<30}  {', '.join(row.clauses)}".rstrip())
        if row.served_by:
            _say(f"served by {', '.join(row.served_by)}", first=" " * 13)
        for each in row.tests:
            typer.echo(f"{'':13}proved by {each}")
        for limit in row.limits:
            _say(limit, first=" " * 13)
    typer.echo(", ".join(f"{count} {state}" for state, count in counts.items()) + f" under edition {shown.id}.")
    _say(standing)
    if ran is None:
        _say("No run was looked at: the tests are named here, not shown to have passed (--results does that).")
    for sentence in missing:
        typer.echo(sentence, err=True)
    if missing:
        raise typer.Exit(1)


def difference_as_json(old: Edition, new: Edition) -> dict[str, object]:
    """What is different between two editions, for programs."""
    return {
        "from": {"edition": old.id, "sha256": old.digest},
        "to": {"edition": new.id, "sha256": new.digest},
        "changes": [
            {
                "kind": change.kind.value,
                "what": change.what,
                "title": change.title,
                "was": change.was,
                "now": change.now,
                "rules": [{"key": key, "was": was, "now": now} for key, was, now in change.rules],
            }
            for change in differences(old, new)
        ],
        "effects": [
            {"clause": e.clause, "example": e.example, "says": e.says, "was": e.was, "now": e.now}
            for e in effects(old, new)
        ],
    }


def _named(name: str, *, in_force: bool) -> tuple[Edition, str]:
    """(the edition that was asked for, how it stands, in a sentence): the record is asked only where it has to be."""
    if in_force and name:
        raise typer.BadParameter("Say either --edition or --in-force.")
    if in_force or (name and not Path(name).is_dir()):
        return _on_record(name)
    if name:
        return _edition(Path(name)), f"Read from {name}; whether it was posted, only the record says."
    edition = max(_editions(), key=lambda each: each.effective_at)
    return edition, (
        f"Edition {edition.id} as installed; which one is in force, only the record says (--in-force shows that one)."
    )


def _on_record(id: str) -> tuple[Edition, str]:
    with database():
        from tipstaff import wiring
        from tipstaff.editions.queries import get_edition
        from tipstaff.policy import NoEditionInForce, edition_in_force
        from tipstaff.procedures.editions import edition_to_read

        at = wiring.now()
        try:
            now = edition_in_force(wiring.editions(), at=at)
        except NoEditionInForce as why:
            raise typer.BadParameter(
                "No edition is in force yet; `tipstaff policy list` says which one comes."
            ) from why
        if not id or id == now.id:
            return now, f"Edition {now.id}, in force by the record since {now.effective_at:%Y-%m-%d %H:%M} UTC."
        known = get_edition(id)
        if known is None:
            raise typer.BadParameter(f"{id} is no folder, and no edition on record; `tipstaff policy list` lists them.")
        edition = edition_to_read(id, posted=wiring.editions())
    stands = f"Edition {id}, on record as {known.state.value}; in force now is {now.id}."
    if known.effective_at is not None:
        verb = "counted" if known.effective_at <= at else "counts"
        stands = (
            f"Edition {id}, posted; it {verb} from {known.effective_at:%Y-%m-%d %H:%M} UTC. In force now is {now.id}."
        )
    return edition, stands


def _edition(folder: Path) -> Edition:
    try:
        return load_edition(folder)
    except BadEdition as why:
        typer.echo(str(why), err=True)
        raise typer.Exit(1) from why


def _editions() -> tuple[Edition, ...]:
    """The operator's own editions where the settings name them, else the shipped ones."""
    folder = read_settings().server.editions_folder
    if folder is None:
        return shipped_editions()
    return tuple(load_edition(each) for each in sorted(folder.iterdir()) if each.is_dir())


def _show_edition(edition: Edition) -> None:
    _say(f"{edition.title}, of {in_the_name_of(edition, read_settings().operator.name).entity}")
    _say(f"It says that it counts from {edition.effective_at:%Y-%m-%d %H:%M} UTC. SHA-256 {edition.digest}")
    typer.echo()
    _say(edition.introduction)
    typer.echo()
    widest = max(len(clause.id) for clause in edition.clauses)
    for clause in edition.clauses:
        answer = _length(clause.answer_within) if clause.answer_within else ""
        typer.echo(f"{clause.id:<{widest}}  {answer:<8}  {clause.title}")


def _show_clause(clause: Clause, edition: Edition) -> None:
    _say(f"{clause.title} ({clause.id}, edition {edition.id})")
    typer.echo()
    _say(clause.text)
    typer.echo()
    for label, value in _facts(clause, edition):
        _say(value, first=f"{label + ':':<20}", rest=" " * 20)
    if clause.what_to_do:
        typer.echo("\nWhat to do")
        for step in clause.what_to_do:
            _say(step, first="  - ", rest="    ")
        for type, steps in clause.what_to_do_for.items():
            for step in steps:
                _say(f"{step} ({type})", first="  - ", rest="    ")
    typer.echo("\nExamples")
    for example in clause.examples:
        _say(f"{example.kind.value.replace('_', ' ').capitalize()}: {example.says}", first="  - ", rest="    ")


def _say(text: str, *, first: str = "", rest: str | None = None) -> None:
    width = min(shutil.get_terminal_size().columns, 100)
    indent = first if rest is None else rest
    typer.echo(textwrap.fill(text, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False))


def _facts(clause: Clause, edition: Edition) -> list[tuple[str, str]]:
    facts = [("Rows of the policy", ", ".join(map(str, clause.rows))), ("Shown by", clause.proof)]
    if clause.judged:
        facts.append(("Reports", ", ".join(clause.applies_to) or "none by themselves; a person cites it"))
    if clause.findings or clause.events:
        facts.append(("Findings" if clause.judged else "Answers", ", ".join(clause.findings or clause.events)))
    if clause.when is not None:
        facts.append(("Only where", clause.when.text))
    if clause.answer_within is not None:
        again = clause.answer_within_repeated
        shorter = f", {_time(clause, again)} when repeated" if again is not None else ""
        whose = f"by {clause.answer_source}" if clause.answer_source else "set by the operator"
        facts.append(("Time to answer", f"{_time(clause, clause.answer_within)}{shorter}, {whose}"))
    if clause.judged or clause.notice is not NoticePosture.NONE:
        withheld = f"; may be withheld for {_length(clause.withheld_until)}" if clause.withheld_until else ""
        facts.append(("Notice", _NOTICES[clause.notice] + withheld))
    if clause.judged or clause.decides:
        decides = f"the clock, a person from {_degree(edition.person_from)} up"
        second = ", and a second person" if clause.two_people else ""
        facts.append(("Decided by", (clause.decides.value if clause.decides else decides) + second))
    if clause.left_to_people:
        facts.append(("Left to people", clause.left_to_people))
    if clause.ladder:
        rungs = [f"{_degree(rung.degree)} ({rung.scope.name.lower().replace('_', ' ')})" for rung in clause.ladder]
        facts.append(("Remedies", ", ".join(rungs)))
    if clause.measure_ports:
        ports = ", ".join(f"{protocol}/{port}" for protocol, port in clause.measure_ports)
        facts.append(("Ports", f"{ports} {_DIRECTIONS[clause.measure_direction]}"))
    if clause.served_by:
        facts.append(("Served by", ", ".join(clause.served_by)))
    for sentence in filter(None, (clause.awaits, clause.limits)):
        facts.append(("Not yet", sentence))
    return facts


_CHANGES = {
    ChangeKind.ADDED: "new",
    ChangeKind.REMOVED: "gone",
    ChangeKind.RULES: "other rules",
    ChangeKind.WORDS: "other words",
}
_NOTICES = {
    NoticePosture.BEFORE: "before any measure",
    NoticePosture.SIMULTANEOUS: "with the measure while harm goes on and a ground is recorded, else before it",
    NoticePosture.WITHHELD: "withheld, on counsel's decision",
    NoticePosture.PUBLIC: "on a public page",
    NoticePosture.NONE: "none",
}
_DIRECTIONS = {Direction.OUT: "outwards", Direction.IN: "inwards", Direction.BOTH: "both ways"}


def _degree(degree: Degree) -> str:
    return degree.name.lower().replace("_", " ")


def _time(clause: Clause, within: timedelta) -> str:
    return clause.time_said(within) if clause.clock_for(within) is not None else _length(within)


def _length(time: timedelta) -> str:
    hours = int(time.total_seconds() // 3600)
    return _count(hours, "hour") if hours % 24 or hours < 72 else _count(hours // 24, "day")


def _print_json(told: object) -> None:
    typer.echo(json.dumps(told, indent=2, ensure_ascii=False))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


editions.register(app)
