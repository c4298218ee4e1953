"""`tipstaff measures`, `plan`, `apply`, `drift`, `lift`, `prolong` and `let-pass`, at a terminal."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tipstaff.words import Measure, MeasureState, Role, Rule, Seen, Selector

from .base import database
from .tables import print_rows

if TYPE_CHECKING:
    from tipstaff.config import DeviceConfig
    from tipstaff.enforcement.protocol import Driver
    from tipstaff.procedures.devices import Look

_Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
_Device = Annotated[str, typer.Option("--device", metavar="NAME", help="Only this device of the settings.")]
_By = Annotated[
    str, typer.Option("--by", metavar="LOGIN", help="Who decides: a log-in of the staff, lead or engineer.")
]
_Why = Annotated[str, typer.Option("--why", help="Why, for the record and the customer's letter.")]


def measures(
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="Only those on this device.")] = "",
    customer: Annotated[str, typer.Option("--customer", metavar="KEY", help="Only those that touch a customer.")] = "",
    state: Annotated[MeasureState | None, typer.Option("--state", help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="How many, the newest first.")] = 100,
    as_json: _Json = False,
) -> None:
    """Measures, newest first: what is stopped, on which device, how surely it is in force, until when and why."""
    with database():
        from tipstaff import wiring
        from tipstaff.enforcement.queries import get_health, list_measures, measures_on
        from tipstaff.registry.queries import get_customer

        known = {config.name for config in wiring.settings().devices}
        if device and device not in known and get_health(device) is None:
            typer.echo(
                f"There is no device {device}; the settings name {', '.join(sorted(known)) or 'none'}.", err=True
            )
            raise typer.Exit(1)
        if customer and get_customer(customer) is None:
            typer.echo(f"There is no customer {customer}.", err=True)
            raise typer.Exit(1)
        if customer:
            found = [m for m in measures_on(customer) if state in (None, m.state) and device in ("", m.device)][:limit]
        else:
            found = list_measures(device=device or None, state=state, limit=limit)
    if as_json:
        _print_json(map(measure_document, found))
        return
    if not found:
        typer.echo("There is no such measure.", err=True)
    print_rows(
        ("measure", "what", "device", "state", "proof (UTC)", "ends (UTC)", "case"),
        (
            (
                m.key, f"{m.degree.name.lower()} {m.selector}", m.device, m.state.value,
                m.proof.name.lower() + (f" {m.proof_at:%Y-%m-%d %H:%M}" if m.proof_at else "")
                + (f": {m.still_stopped or m.proof_detail}" if m.proof_detail else ""),
                f"lifted {m.lifted_at:%Y-%m-%d %H:%M}" if m.lifted_at
                else f"{m.until:%Y-%m-%d %H:%M}" if m.until else "", m.case,
            )
            for m in found
        ),
        head=2,
    )  # fmt: skip


def plan(device: _Device = "", as_json: _Json = False) -> None:
    """What is wanted of each device, as it would be told now. No device is touched."""
    with database():
        from tipstaff import wiring
        from tipstaff.enforcement.queries import get_health, wanted_rules

        at = wiring.now()
        for config, _ in _chosen(device):
            health, rules = get_health(config.name), wanted_rules(config.name, at=at)
            if as_json:
                _print_json([{"device": config.name, "generation": health.generation if health else 0,
                              "held_back": health.held_back if health else "",
                              "rules": [_rule(rule) for rule in rules]}])  # fmt: skip
                continue
            said = f"generation {health.generation}" if health else "never written to"
            typer.echo(f"{config.name}: {said}, {len(rules)} rule(s)")
            for rule in rules:
                until = f" until {rule.until:%Y-%m-%d %H:%M}" if rule.until else ""
                typer.echo(f"  {rule.measure}  {rule.degree.name.lower()} {rule.selector}{until}  {rule.case}")
            if health and health.held_back:
                typer.echo(f"  held back: {health.held_back}")


def apply(
    device: _Device = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the devices and say what would be done, and whom it would hit.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Make the devices hold what is wanted, once; or with --dry-run only say what that would be.

    Devices are read, so run it where the enforcer runs and as the same user. While an enforcer runs it does the work:
    it is called, and this command says so. Measures that a guard refuses are said, each with why, and the exit is 1.
    """
    failed = False
    with database():
        from tipstaff import wiring
        from tipstaff.enforcement.operations import AnotherWriter, call_enforcer
        from tipstaff.enforcement.queries import get_measure
        from tipstaff.procedures.devices import look, one_round

        for config, driver in _chosen(device):
            at = wiring.now()
            limits = wiring.limits(config, at=at)
            if dry_run:
                seen = look(driver, limits=limits, at=at)
                failed = failed or not seen.seen.complete
                if as_json:
                    _print_json([look_document(seen)])
                else:
                    _say_dry(seen)
                continue
            if until := wiring.in_maintenance(config, at=at):
                words = f"in maintenance until {until:%Y-%m-%d %H:%M} UTC; nothing was done"
                typer.echo(json.dumps({"device": config.name, "failure": words}) if as_json else
                           f"{config.name}: {words}")  # fmt: skip
                continue
            try:
                done = one_round(driver, limits=limits, at=at, desk=wiring.desk())
            except AnotherWriter:
                call_enforcer(config.name)
                said: dict[str, Any] = {"device": config.name, "enforcer": "called"}
                refused = []
                words = "an enforcer runs and was called; it looks now"
            else:
                failed = failed or bool(done.failure or done.refused)
                refused = [(key, m.proof_detail if (m := get_measure(key)) else "") for key in done.refused]
                words = done.failure or (
                    f"generation {done.generation}, {len(done.steps)} step(s), {len(done.turned)} measure(s) turned"
                    + (f", {len(refused)} refused" if refused else "")
                    + (f"; held back: {done.held_back}" if done.held_back else "")
                )
                said = {
                    "device": config.name, "generation": done.generation, "failure": done.failure,
                    "steps": [{"verb": s.verb, "measure": s.measure} for s in done.steps],
                    "turned": [m.key for m in done.turned], "refused": list(done.refused), "held_back": done.held_back,
                }  # fmt: skip
            if as_json:
                _print_json([said])
            else:
                typer.echo(f"{config.name}: {words}")
                for key, why in refused:
                    typer.echo(f"  refuse {key}  {why}")
    if failed:
        raise typer.Exit(1)


def drift(device: _Device = "", as_json: _Json = False) -> None:
    """Read the devices and say where they differ from what is wanted; exit 1 if any does or cannot be read.

    Nothing is changed. Run it where the enforcer runs and as the same user.
    """
    differs = False
    with database():
        from tipstaff import wiring
        from tipstaff.procedures.devices import look

        for config, driver in _chosen(device):
            at = wiring.now()
            seen = look(driver, limits=wiring.limits(config, at=at), at=at)
            differs = differs or bool(seen.drifts) or not seen.seen.complete
            if as_json:
                _print_json([{
                    "device": config.name, "complete": seen.seen.complete, "detail": seen.seen.detail,
                    "generation_wanted": seen.plan.generation, "generation_held": seen.seen.generation,
                    "drift": [{"measure": key, "seen": how.value} for key, how in seen.drifts],
                    "foreign": list(seen.seen.foreign),
                }])  # fmt: skip
                continue
            if not seen.seen.complete:
                typer.echo(f"{config.name}: cannot be read: {_unnamed(seen)}")
            else:
                n = len(seen.drifts)
                typer.echo(f"{config.name}: {f'{n} difference(s)' if n else 'as it is wanted'}")
            for key, how in seen.drifts:
                known = seen.measures.get(key)
                what = f"{known.degree.name.lower()} {known.selector}" if known else "what no plan knows"
                typer.echo(f"  {key}  {what}: {_DIFFERENCES[how]}")
            for entry in seen.seen.foreign:
                typer.echo(f"  not ours: {entry}")
            if seen.seen.complete and seen.seen.detail:
                typer.echo(f"  {seen.seen.detail}")
    if differs:
        raise typer.Exit(1)


_DIFFERENCES = {
    Seen.ABSENT: "wanted, and not there",
    Seen.DRIFT: "there, and not as it is wanted",
    Seen.IN_FORCE: "there, and no longer wanted",
    Seen.UNKNOWN: "nobody knows, for the device cannot be read",
}


def lift(
    by: _By,
    why: _Why = "",
    keys: Annotated[list[str] | None, typer.Argument(metavar="M-000123 ...", help="Measures to lift.")] = None,
    everything_on: Annotated[
        str, typer.Option("--everything-on", metavar="DEVICE", help="Ask that everything on a device is lifted.")
    ] = "",
    everything_of: Annotated[
        str, typer.Option("--everything-of", metavar="DRIVER", help="Ask the same for all devices of one driver.")
    ] = "",
    agree: Annotated[
        bool, typer.Option("--agree", help="Agree to what another asked with --everything-on or --everything-of.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Lift measures before their time; or everything on one device, or of one driver, which takes two people.

    The first asks with --everything-on DEVICE or --everything-of DRIVER and says why, another adds --agree within four
    hours. Cases go on, and nothing of it is taken again but by a new decision.
    """
    everything = everything_on or everything_of
    if [bool(keys), bool(everything_on), bool(everything_of)].count(True) != 1 or (agree and not everything):
        raise typer.BadParameter("Name measures, or a device with --everything-on, or a driver with --everything-of.")
    if bool(why) == agree:
        raise typer.BadParameter("Say --why; or, as another person, --agree.")
    with database(), _refusals(), _who_may_lift(by):
        from tipstaff import wiring
        from tipstaff.procedures import casework, devices

        desk, at = wiring.desk(), wiring.now()
        if everything_on:
            _chosen(everything_on)
        theirs = _devices_of(everything_of) if everything_of else ()
        about = {"driver": everything_of, "devices": theirs} if everything_of else {"device": everything_on}
        if agree:
            lifted = (
                devices.lift_all_of(everything_of, desk=desk, at=at, actor=by) if everything_of else
                devices.lift_all_on(everything_on, desk=desk, at=at, actor=by)
            )  # fmt: skip
            words = f"{everything}: {len(lifted)} measure(s) are being lifted."
            _say(words, {**about, "lifting": list(lifted), "another_must_agree": False}, as_json=as_json)
        elif everything:
            if everything_of:
                devices.ask_to_lift_all_of(everything_of, theirs, why=why, at=at, actor=by)
            else:
                devices.ask_to_lift_all(everything_on, why=why, at=at, actor=by)
            of = f" ({', '.join(theirs)})" if theirs else ""
            words = f"{everything}{of}: nothing is lifted yet; another must run this with --agree."
            _say(words, {**about, "lifting": [], "another_must_agree": True}, as_json=as_json)
        for key in keys or ():
            casework.lift_measure(key, why=why, desk=desk, at=at, actor=by)
            _say(f"{key} is being lifted.", {"measure": key, "state": "lifting"}, as_json=as_json)


def prolong(
    keys: Annotated[list[str], typer.Argument(metavar="M-000123 ...", help="Measures that were reviewed.")],
    by: _By,
    why: _Why = "",
    agree: Annotated[bool, typer.Option("--agree", help="Agree to what another proposed.")] = False,
    as_json: _Json = False,
) -> None:
    """Let measures go on that somebody has reviewed; where taking one took two people, so does this.

    The first says why; where a second is needed that one adds --agree. Who may, the clause of each case says.
    """
    if bool(why) == agree:
        raise typer.BadParameter("Say --why; or --agree, as another person.")
    with database(), _refusals():
        from tipstaff import wiring
        from tipstaff.procedures import casework

        desk, at = wiring.desk(), wiring.now()
        for key in keys:
            until = (
                casework.second_prolonging(key, desk=desk, at=at, actor=by) if agree else
                casework.prolong_measure(key, why=why, desk=desk, at=at, actor=by)
            )  # fmt: skip
            _say(
                f"{key} goes on until {until:%Y-%m-%d %H:%M} UTC." if until else
                f"{key} goes on only when another has run this with --agree.",
                {"measure": key, "until": until.isoformat() if until else None, "another_must_agree": until is None},
                as_json=as_json,
            )  # fmt: skip


def let_pass(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="The device that holds new measures back.")],
    by: _By,
    why: _Why = "",
    agree: Annotated[bool, typer.Option("--agree", help="Agree to what another asked for.")] = False,
    as_json: _Json = False,
) -> None:
    """Let a mass of new measures pass that the fuse holds back, which takes two people.

    The first asks and says why, another adds --agree within four hours. What is planned later is held back again.
    """
    if not (why or agree):
        raise typer.BadParameter("Say --why; or --agree, as another person.")
    with database(), _refusals(), _who_may_lift(by):
        from tipstaff import wiring
        from tipstaff.procedures import devices

        _chosen(device)
        if agree:
            passed = devices.let_pass(device, desk=wiring.desk(), at=wiring.now(), actor=by)
            words = f"{device}: {len(passed)} new measure(s) may pass."
            _say(words, {"device": device, "may_pass": list(passed), "another_must_agree": False}, as_json=as_json)
        else:
            devices.ask_to_let_pass(device, why=why, at=wiring.now(), actor=by)
            words = f"{device}: nothing passes yet; another must run this with --agree."
            _say(words, {"device": device, "may_pass": [], "another_must_agree": True}, as_json=as_json)


# What they share.


def _chosen(device: str) -> "list[tuple[DeviceConfig, Driver]]":
    """The devices of the settings, or the one that is named; exit 1 with a sentence if there is none of that name."""
    from tipstaff import wiring

    found = [
        (config, driver)
        for config, driver in zip(wiring.settings().devices, wiring.drivers(), strict=True)
        if device in ("", config.name)
    ]
    if not found:
        known = ", ".join(config.name for config in wiring.settings().devices) or "none"
        typer.echo(f"The settings name no device {device}; there are {known}." if device else
                   "The settings name no device.", err=True)  # fmt: skip
        raise typer.Exit(1)
    return found


def _devices_of(driver: str) -> tuple[str, ...]:
    """The names of a driver's devices in the settings; exit 1 with a sentence if it has none."""
    from tipstaff import wiring

    found = tuple(config.name for config in wiring.settings().devices if config.driver == driver)
    if not found:
        known = ", ".join(sorted({config.driver for config in wiring.settings().devices})) or "none"
        typer.echo(f"The settings name no device of a driver {driver}; there are {known}.", err=True)
        raise typer.Exit(1)
    return found


@contextmanager
def _who_may_lift(by: str) -> Iterator[None]:
    from tipstaff import wiring
    from tipstaff.web.roles import ABILITIES, Ability

    may = {role for role, abilities in ABILITIES.items() if Ability.LIFT in abilities}
    held: frozenset[Role] = wiring.desk().roles_of(by)
    if not may & held:
        roles = " or ".join(sorted(may))
        typer.echo(f"{by} has not the role that lifts measures ({roles}). Nothing was changed.", err=True)
        raise typer.Exit(1)
    yield


@contextmanager
def _refusals() -> Iterator[None]:
    """What a procedure refuses is a sentence and exit code 1."""
    from tipstaff.procedures import refusals as r

    try:
        yield
    except r.NoSuchMeasure as gone:
        typer.echo(f"There is no measure {gone.args[0]}.", err=True)
        raise typer.Exit(1) from None
    except r.NotYourDecision as refusal:
        typer.echo(f"{refusal} Nothing was changed.", err=True)
        raise typer.Exit(1) from None
    except r.NotAllOfThem as refusal:
        typer.echo(str(refusal), err=True)
        raise typer.Exit(1) from None
    except (
        r.AlreadyEnding, r.AlreadyProposed, r.AnotherMustAgree, r.NothingAsked, r.NothingHeldBack, r.NothingProposed,
        r.NothingToPlan, r.NotStanding, r.OwnDecision, r.ProposalLapsed, r.SecondMustBeAnother,
    ) as refusal:  # fmt: skip
        typer.echo(f"{refusal}: {' '.join((type(refusal).__doc__ or '').split())}", err=True)
        raise typer.Exit(1) from None


def _say(words: str, document: dict[str, Any], *, as_json: bool) -> None:
    """What was done, as a sentence or as one line of JSON."""
    if as_json:
        _print_json([document])
    else:
        typer.echo(words)


def _say_dry(seen: "Look") -> None:
    if not seen.seen.complete:
        typer.echo(f"{seen.device}: cannot be read, so nothing would be sent: {_unnamed(seen)}")
        return
    typer.echo(f"{seen.device}: {len(seen.steps)} step(s)")
    for step in seen.steps:
        known = seen.measures.get(step.measure)
        what = f"{known.degree.name.lower()} {known.selector}" if known else "what no plan knows"
        typer.echo(f"  {step.verb:5}  {step.measure}  {what}")
        if step.verb == "apply":
            typer.echo(f"         {_by_catch(seen, step.measure)}")
    for key, why in sorted(seen.refused.items()):
        typer.echo(f"  refuse {key}  {why}")
    if seen.held_back:
        typer.echo(f"  held back: {seen.held_back}")


def _unnamed(seen: "Look") -> str:
    """What a device says of itself, behind its name, without saying the name again."""
    return seen.seen.detail.removeprefix(f"{seen.device}: ")


def _by_catch(seen: "Look", key: str) -> str:
    hit = seen.by_catch[key]
    if hit.accounts:
        return f"also hits {', '.join(hit.accounts)}"
    if hit.others_hit or hit.services_hit:
        return f"also hits {hit.others_hit} other account(s) and {hit.services_hit} other service(s) of the customer"
    return "hits nobody else"


def look_document(seen: "Look") -> dict[str, Any]:
    """A dry run as JSON."""
    return {
        "device": seen.device, "complete": seen.seen.complete, "detail": seen.seen.detail,
        "steps": [
            {"verb": s.verb, "measure": s.measure,
             "selector": str(seen.measures[s.measure].selector) if s.measure in seen.measures else None,
             "collateral": asdict(seen.by_catch[s.measure]) if s.verb == "apply" else None}
            for s in seen.steps
        ],
        "refused": dict(seen.refused), "held_back": seen.held_back,
    }  # fmt: skip


def measure_document(m: Measure) -> dict[str, Any]:
    """A measure as JSON: instants in ISO 8601, UTC."""
    return {
        "measure": m.key, "case": m.case, "customer": m.customer, "device": m.device,
        "scope": m.selector.scope.name.lower(), "selector": _selector(m.selector), "degree": m.degree.name.lower(),
        "state": m.state.value, "proof": m.proof.name.lower(), "proof_detail": m.proof_detail,
        "proof_at": m.proof_at.isoformat() if m.proof_at else None,
        "still_stopped": m.still_stopped, "generation": m.generation, "planned_at": m.planned_at.isoformat(),
        "in_force_at": m.in_force_at.isoformat() if m.in_force_at else None,
        "until": m.until.isoformat() if m.until else None,
        "lifted_at": m.lifted_at.isoformat() if m.lifted_at else None,
        "lifted_when": m.lifted_when, "notice": m.notice, "urgent": m.urgency is not None,
        "why": next((c.why for c in m.candidates if c.chosen and c.selector == m.selector), ""),
    }  # fmt: skip


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "measure": rule.measure, "case": rule.case, "selector": _selector(rule.selector),
        "degree": rule.degree.name.lower(), "until": rule.until.isoformat() if rule.until else None,
    }  # fmt: skip


def _selector(selector: Selector) -> dict[str, Any]:
    return {name: str(value) if name in ("network", "remote") else value
            for name, value in asdict(selector).items() if value is not None}  # fmt: skip


def _print_json(documents: Iterable[dict[str, Any]]) -> None:
    for document in documents:
        sys.stdout.write(json.dumps(document) + "\n")
