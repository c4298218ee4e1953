"""Writes of measures and devices. Each is one transaction with its entry in the record.

What is wanted changes here; what is in force changes only by what a device showed. The device's row is locked by
every write that changes what is wanted of it, so a plan and a change of mind have an order.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from tipstaff.ledger.operations import next_key, record
from tipstaff.words import (
    Candidate,
    Degree,
    Direction,
    Measure,
    MeasureState,
    Observation,
    Plan,
    ProbeResult,
    Proof,
    Rule,
    Seen,
    Selector,
    Step,
    Urgency,
)

from .guards import Vetting
from .models import ENDED, WANTED, DeviceRow, MeasureRow
from .pages import names_all_of
from .planner import fingerprint
from .queries import measure_of, rule_of
from .standing import Standing

CHANNEL = "tipstaff_enforcement"
"""PostgreSQL notifies here, with the device's name, when something is wanted anew."""
_ASKED_FOR_SINGLY_MAX = 1000
"""Of more rows the whole is the faster to read."""


class NothingChosen(ValueError):
    """No candidate was chosen, so there is no measure to plan."""


class NoNotice(ValueError):
    """A measure takes a notice that went before it, or a recorded ground for urgency."""


class SecondMustBeAnother(ValueError):
    """A measure without warning takes two different people."""


class NoSuchMeasure(KeyError):
    """There is no measure with this key."""


class NotStanding(ValueError):
    """This measure ends, or has ended: it cannot be prolonged; plan another one if it is still needed."""


class NothingAsked(ValueError):
    """Nobody has asked for this, or too long ago: ask for it anew, and let somebody else agree."""


class AnotherMustAgree(ValueError):
    """Whoever asked for this cannot agree to it: another person must."""


class NotAllOfThem(ValueError):
    """It was asked for all devices of a driver, and cannot be agreed to for all of them; the message names the rest."""


class NothingHeldBack(ValueError):
    """The fuse holds nothing back on this device."""


class AnotherWriter(Exception):
    """Another process writes to this device; only one may."""


class Fenced(Exception):
    """Another writer has taken over this device; this one must stop."""


class PlanOutdated(Exception):
    """What is wanted changed after this plan was made; make a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """The right to write to one device, until somebody has a higher epoch."""

    device: str
    epoch: int
    standing: Standing = field(init=False, compare=False, repr=False)
    """What is open there, as its holder last read it."""

    vetting: Vetting = field(default_factory=Vetting, init=False, compare=False, repr=False)
    """What of it passed the guards."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "standing", Standing(self.device))


# What is wanted.


@transaction.atomic
def plan_measure(
    *,
    case: str,
    customer: str,
    candidates: Sequence[Candidate],
    chosen: Candidate,
    until: datetime,
    lifted_when: str,
    notice: str | None,
    urgency: Urgency | None,
    at: datetime,
    actor: str,
) -> str:
    """Want one measure, with everything that was weighed; its key. Wanting it again changes nothing."""
    if chosen.device is None or not chosen.sufficient:
        raise NothingChosen(f"{case}: {chosen.selector} is not a measure that can be taken")
    if notice is None and urgency is None:
        raise NoNotice(case)
    if urgency is not None and urgency.decided_by.strip().lower() == urgency.seconded_by.strip().lower():
        raise SecondMustBeAnother(f"{case}: {urgency.decided_by}")
    if not lifted_when.strip():
        raise ValueError("every measure knows how it is lifted before it is planned")
    _lock_device(chosen.device)
    selector = selector_json(chosen.selector)
    selector_key = _selector_key(selector, chosen)
    known = (
        MeasureRow.objects.filter(case=case, device=chosen.device, selector_key=selector_key)
        .exclude(state__in=ENDED)
        .first()
    )
    if known is not None and known.state != MeasureState.LIFTING:
        return known.key
    if known is not None:
        # It is still being lifted and is wanted again: the device keeps what it holds.
        known.state, known.still_stopped = MeasureState.APPLYING, ""
        known.until = until
        known.lifted_when, known.notice, known.urgency = lifted_when, notice, _urgency_json(urgency)
        known.candidates = [_candidate_json(c) for c in candidates]  # Whom it hits now was decided anew.
        known.save(update_fields=["state", "still_stopped", "until", "lifted_when", "notice", "urgency", "candidates"])
        record("measure.wanted_again", at=at, actor=actor, about=[known.key, case, customer, notice or ""])
        _notify(chosen.device)
        return known.key
    row = MeasureRow.objects.create(
        key=next_key("M"),
        case=case,
        customer=customer,
        device=chosen.device,
        selector=selector,
        selector_key=selector_key,
        degree=int(chosen.degree),
        state=MeasureState.PLANNED,
        planned_at=at,
        until=until,
        lifted_when=lifted_when,
        notice=notice,
        urgency=_urgency_json(urgency),
        candidates=[_candidate_json(c) for c in candidates],
    )
    record(
        "measure.planned",
        at=at,
        actor=actor,
        about=[row.key, case, customer, notice or ""],
        device=chosen.device,
        selector=str(chosen.selector),
        degree=chosen.degree.name.lower(),
        until=until,
        lifted_when=lifted_when,
        urgency=row.urgency,
        rejected=[f"{c.degree.name.lower()} {c.selector}: {c.why}" for c in candidates if not c.chosen],
        why=chosen.why,
    )
    _notify(chosen.device)
    return row.key


@transaction.atomic
def want_lifted(key: str, *, why: str, at: datetime, actor: str) -> bool:
    """Want a measure no longer; whether it was wanted until now. It is lifted when the device has shown it gone."""
    found = MeasureRow.objects.filter(key=key).first()
    if found is None:
        raise NoSuchMeasure(key)
    _lock_device(found.device)
    row = MeasureRow.objects.select_for_update().get(key=key)
    wanted = row.state in WANTED
    _want_lifted(row, why=why, at=at, actor=actor)
    return wanted


@transaction.atomic
def prolong(key: str, *, until: datetime, why: str, at: datetime, actor: str) -> Measure:
    """Let a measure that stands end later than it would; raise NotStanding for one that ends, or has ended.

    The device is told the new end under the same name, so it holds the measure all the while.
    """
    found = MeasureRow.objects.filter(key=key).first()
    if found is None:
        raise NoSuchMeasure(key)
    _lock_device(found.device)
    row = MeasureRow.objects.select_for_update().get(key=key)
    if row.state not in WANTED or row.until <= at:
        raise NotStanding(key)
    if until > row.until:
        before, row.until = row.until, until
        row.save(update_fields=["until"])
        record(
            "measure.prolonged", at=at, actor=actor, about=[row.key, row.case, row.customer],
            why=why, before=before, until=until,
        )  # fmt: skip
        _notify(row.device)
    return measure_of(row)


@transaction.atomic
def expire(*, at: datetime, device: str | None = None, actor: str = "enforcer") -> list[str]:
    """Want those measures no longer whose time has ended; their keys."""
    due = Q(until__lte=at, state__in=WANTED)
    if device is not None:
        due &= Q(device=device)
    names = sorted(set(MeasureRow.objects.filter(due).values_list("device", flat=True)))
    if not names:
        return []
    for name in names:
        _lock_device(name)
    rows = list(MeasureRow.objects.select_for_update().filter(due).order_by("key"))
    for row in rows:
        _want_lifted(row, why="Its time has ended.", at=at, actor=actor)
    return [row.key for row in rows]


def _want_lifted(row: MeasureRow, *, why: str, at: datetime, actor: str) -> None:
    if row.state not in WANTED:
        return
    about = [row.key, row.case, row.customer]
    if row.state == MeasureState.PLANNED:
        # No intent is on record, so no wire was touched: there is nothing to take away.
        row.state, row.lifted_at, row.proof_detail = MeasureState.LIFTED, at, "It was never sent to the device."
        row.save(update_fields=["state", "lifted_at", "proof_detail"])
        record("measure.withdrawn", at=at, actor=actor, about=about, why=why)
    else:
        row.state = MeasureState.LIFTING
        row.save(update_fields=["state"])
        record("measure.lifting", at=at, actor=actor, about=about, why=why)
    _notify(row.device)


def mark_told(key: str, *, state: MeasureState) -> None:
    """Note that the customer was told that this measure is in force, or lifted; the letter has its own entries."""
    MeasureRow.objects.filter(key=key).update(told=state)


class NotStillStopped(ValueError):
    """Nothing is in doubt about this measure: it is in force, or it was shown to be lifted."""


@transaction.atomic
def take_as_lifted(key: str, *, why: str, at: datetime, actor: str) -> None:
    """A person knows what else stops the traffic: the device was read back without the measure, and that suffices."""
    found = MeasureRow.objects.filter(key=key).values_list("device", flat=True).first()
    if found is None:
        raise NoSuchMeasure(key)
    _lock_device(found)
    row = MeasureRow.objects.select_for_update().get(key=key)
    if row.state != MeasureState.LIFTING or not row.still_stopped:
        raise NotStillStopped(key)
    # Who said so, and why, is for the record; this sentence may stand in a letter.
    detail = "Read back: it is gone. What still stops the traffic is not a measure of ours."
    row.state, row.lifted_at, row.proof, row.proof_detail = MeasureState.LIFTED, at, Proof.STATE, detail
    row.still_stopped, row.proof_at = "", at
    row.save(update_fields=["state", "lifted_at", "proof", "proof_detail", "proof_at", "still_stopped"])
    about = [row.key, row.case, row.customer]
    record("measure.taken_as_lifted", at=at, actor=actor, about=about, why=why, proof=Proof.STATE.name)


# What takes two people at a device.

ASK_KINDS = {"lift_all": "device.lift_all_asked", "let_pass": "device.let_pass_asked"}


@transaction.atomic
def ask(device: str, what: str, *, why: str, at: datetime, actor: str) -> None:
    """Ask for what a second person must agree to: `lift_all` or `let_pass`. Asked again, the later counts."""
    row = _lock_device(device)
    if what == "let_pass" and not row.held_back:
        raise NothingHeldBack(device)
    _ask(row, what, why=why, at=at, actor=actor, said={})


@transaction.atomic
def ask_to_lift_of_driver(driver: str, devices: Collection[str], *, why: str, at: datetime, actor: str) -> None:
    """Ask that everything on all these devices, which are those of one driver, is lifted."""
    names = sorted(devices)
    for name in names:  # In one order, so that two who do this never wait for each other.
        said = {"driver": driver, "devices": names}
        _ask(_lock_device(name), "lift_all", why=why, at=at, actor=actor, said=said)


def _ask(row: DeviceRow, what: str, *, why: str, at: datetime, actor: str, said: Mapping[str, Any]) -> None:
    row.asks[what] = {"by": actor, "why": why, "at": at.isoformat(), **said}
    row.save(update_fields=["asks"])
    record(ASK_KINDS[what], at=at, actor=actor, about=[row.name], why=why, **said)


@transaction.atomic
def agree(device: str, what: str, *, within: timedelta, at: datetime, actor: str) -> list[str]:
    """Agree, as another person, to what was asked for at most `within` ago; keys of the measures lifted or let pass.

    Raise NothingAsked, or AnotherMustAgree for whoever asked.
    """
    row = _lock_device(device)
    asked = _agreed(row, what, within=within, at=at, actor=actor)
    said = {"asked_by": asked["by"], "agreed_by": actor, "why": asked["why"]}
    if what == "let_pass":
        # Until now: what is planned from now on is a matter of its own.
        keys = sorted(MeasureRow.objects.filter(device=device, state=MeasureState.PLANNED, planned_at__lte=at)
                      .values_list("key", flat=True))  # fmt: skip
        # What is told from then on is a plan of its own, also where the fuse still holds something else back.
        row.let_pass_at, row.digest = at, ""
        row.save(update_fields=["let_pass_at", "digest"])
        record("device.let_pass_agreed", at=at, actor=actor, about=[device, *_few(keys)], count=len(keys), **said)
    else:
        keys = _lift_all(device, said, what=f"on {device}", at=at)
    _notify(device)
    return keys


@transaction.atomic
def agree_to_lift_of_driver(driver: str, *, within: timedelta, at: datetime, actor: str) -> list[str]:
    """Agree, as another person, that everything is lifted on all devices for which that was asked of their driver.

    All of them or none: raise NotAllOfThem where something else was asked for one of them since, unless nothing is
    wanted there any more. A device that came to the driver since is not among them. Keys of the measures.
    """
    known = DeviceRow.objects.filter(asks__lift_all__driver=driver).values_list("name", "asks")
    names = {each for name, asks in known for each in _asked_with(name, asks["lift_all"])}
    rows = [row for row in map(_lock_device, sorted(names)) if row.asks.get("lift_all", {}).get("driver") == driver]
    rows = [row for row in rows if not _has_lapsed(row.asks["lift_all"], within=within, at=at)]
    if not rows:
        raise NothingAsked(driver)
    asked_for = {each for row in rows for each in _asked_with(row.name, row.asks["lift_all"])}
    rest = asked_for - {row.name for row in rows}
    left = sorted(set(MeasureRow.objects.filter(device__in=rest, state__in=WANTED).values_list("device", flat=True)))
    if left:
        raise NotAllOfThem(
            f"{driver}: what was asked for all of its devices stands on {', '.join(left)} no more: something else was "
            "asked or agreed to there since. Nothing is lifted; ask for all of them anew."
        )
    keys: list[str] = []
    for row in rows:
        asked = _agreed(row, "lift_all", within=within, at=at, actor=actor)
        said = {"asked_by": asked["by"], "agreed_by": actor, "why": asked["why"], "driver": driver}
        keys += _lift_all(row.name, said, what=f"of the driver {driver}", at=at)
        _notify(row.name)
    return keys


def _asked_with(device: str, asked: Mapping[str, Any]) -> set[str]:
    """The devices for which that was asked at once, this one among them; of before they were kept, this one alone."""
    return {device, *asked.get("devices", ())}


def _agreed(row: DeviceRow, what: str, *, within: timedelta, at: datetime, actor: str) -> dict[str, Any]:
    """What was asked, which is used up by this."""
    asked: dict[str, Any] | None = row.asks.get(what)
    if asked is None or _has_lapsed(asked, within=within, at=at):
        raise NothingAsked(row.name)
    if asked["by"].strip().lower() == actor.strip().lower():
        raise AnotherMustAgree(row.name)
    del row.asks[what]
    row.save(update_fields=["asks"])
    return asked


def _has_lapsed(asked: Mapping[str, Any], *, within: timedelta, at: datetime) -> bool:
    return datetime.fromisoformat(asked["at"]) + within < at


def _lift_all(device: str, said: Mapping[str, str], *, what: str, at: datetime) -> list[str]:
    rows = list(MeasureRow.objects.select_for_update().filter(device=device, state__in=WANTED).order_by("key"))
    keys = [one.key for one in rows]
    record(
        "device.lift_all_agreed", at=at, actor=said["agreed_by"], about=[device, *_few(keys)], count=len(keys), **said
    )
    why, both = f"Everything {what} is lifted: {said['why']}", f"{said['asked_by']}, {said['agreed_by']}"
    for one in rows:
        _want_lifted(one, why=why, at=at, actor=both)
    return keys


# Who may write, and what.


def become_writer(device: str, *, at: datetime, actor: str = "enforcer") -> Fence:
    """Become the one writer to a device; raise AnotherWriter while a living process is.

    The right is held by this database session. Whoever held it before is fenced off by the higher epoch, even if
    its session is gone without its knowing.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_lock_number(device)])
        if not cursor.fetchone()[0]:
            raise AnotherWriter(device)
    with transaction.atomic():
        row = _lock_device(device)
        row.epoch += 1
        row.save(update_fields=["epoch"])
        record("device.writer", at=at, actor=actor, about=[device], epoch=row.epoch)
    return Fence(device=device, epoch=row.epoch)


def call_enforcer(device: str) -> None:
    """Ask whoever writes to this device to look at it now."""
    _notify(device)


def stop_writing(fence: Fence) -> None:
    """Give the right back."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [_lock_number(fence.device)])


@transaction.atomic
def next_plan(fence: Fence, *, at: datetime, above: int = 0) -> Plan:
    """All that is wanted of a device. The generation grows whenever something changed, and only then.

    `above` is a generation that the device has seen: after the database was restored from a backup it may be behind.
    """
    row = _lock_device(fence.device)
    _check(row, fence)
    rules, digest = fence.standing.wanted(at=at)
    if digest != row.digest or row.generation <= 0 or above > row.generation:
        row.generation = max(row.generation, above) + 1
        row.digest = digest
        row.save(update_fields=["generation", "digest"])
    return Plan(device=fence.device, generation=row.generation, rules=rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Few:
    """A small change of what a device holds, on record as intended."""

    plan: Plan
    """What is to be applied; not the rest of what is wanted (`Plan.whole`)."""
    lifts: tuple[Rule, ...]


@transaction.atomic
def plan_few(
    fence: Fence,
    *,
    most: int,
    may: Callable[[Sequence[Rule], Collection[str]], bool],
    at: datetime,
    let_pass_by: Collection[str] = (),
) -> Few | None:
    """Put on record, as intended, all that is wanted anew of a device or no longer, without a look at what stands.

    None if there is nothing, or more than `most`, or if `may`, which is asked about the new rules and the customer of
    each, does not let all of them pass: then it takes a whole round. So does whatever else is not plain. `let_pass_by`
    is as `record_intent` takes it.
    """
    row = _lock_device(fence.device)
    _check(row, fence)
    found = MeasureRow.objects.filter(device=fence.device, state__in=(MeasureState.PLANNED, MeasureState.LIFTING))
    rows = list(found.order_by("key").defer("candidates")[: most + 1])
    planned = [one for one in rows if one.state == MeasureState.PLANNED]
    lifts = tuple(rule_of(one) for one in rows if one.state == MeasureState.LIFTING and not one.still_stopped)
    rules = tuple(rule_of(one) for one in planned)
    plain = len(rows) <= most and len(planned) + len(lifts) == len(rows)
    if not rows or not plain or row.generation <= 0 or row.failures or row.held_back:
        return None
    if any(rule.until is not None and rule.until <= at for rule in rules):
        return None
    if not may(rules, [one.customer for one in planned]):
        return None
    row.generation += 1
    row.digest = ""  # The next whole plan is a generation of its own, and knows all the rules again.
    row.save(update_fields=["generation", "digest"])
    said = _let_pass(row, planned, let_pass_by, at=at)
    for one in planned:
        one.state, one.sent_at = MeasureState.APPLYING, at
    for one in rows:
        one.generation = row.generation
    MeasureRow.objects.bulk_update(rows, ["state", "sent_at", "generation"])
    plan = Plan(device=fence.device, generation=row.generation, rules=rules, whole=False)
    keys = [one.key for one in rows]
    _record_intent(plan, keys, applied=len(planned), lifted=len(lifts), fence=fence, at=at, said=said)
    return Few(plan=plan, lifts=lifts)


@transaction.atomic
def record_intent(
    plan: Plan, steps: Sequence[Step], *, fence: Fence, at: datetime, let_pass_by: Collection[str] = ()
) -> None:
    """Put on record what is about to be done; raise PlanOutdated if any of it is wanted no longer.

    `let_pass_by` are the two people who, in the settings, let everything pass the fuse of this device for now: what is
    sent for the first time is counted as what two people let pass, here and against other devices.
    """
    row = _lock_device(plan.device)
    _check(row, fence)
    if row.generation != plan.generation or fence.standing.wanted(at=at)[1] != row.digest:
        raise PlanOutdated(f"{plan.device}: generation {plan.generation}")
    applied = {step.measure for step in steps if step.verb == "apply"}
    rows = list(MeasureRow.objects.filter(key__in={step.measure for step in steps}).order_by("key"))
    first = [m for m in rows if m.key in applied and m.state == MeasureState.PLANNED]
    said = _let_pass(row, first, let_pass_by, at=at)
    MeasureRow.objects.filter(key__in=[m.key for m in first]).update(state=MeasureState.APPLYING, sent_at=at)
    MeasureRow.objects.filter(key__in=[m.key for m in rows]).update(generation=plan.generation)
    lifted = len(steps) - len(applied)
    _record_intent(plan, [m.key for m in rows], applied=len(applied), lifted=lifted, fence=fence, at=at, said=said)


def _let_pass(row: DeviceRow, first: Sequence[MeasureRow], by: Collection[str], *, at: datetime) -> dict[str, Any]:
    """Note that what is sent for the first time passed by these people's word; what the entry says of it."""
    if not first or not by:
        return {}
    row.let_pass_at = max(at, row.let_pass_at or at, *(one.planned_at for one in first))
    row.save(update_fields=["let_pass_at"])
    return {"let_pass_by": list(by)}


def _record_intent(
    plan: Plan, keys: Sequence[str], *, applied: int, lifted: int, fence: Fence, at: datetime, said: Mapping[str, Any]
) -> None:
    record(
        "device.intent",
        at=at,
        actor="enforcer",
        about=[plan.device, *_few(keys)],
        generation=plan.generation,
        epoch=fence.epoch,
        apply=applied,
        lift=lifted,
        **said,
    )


@transaction.atomic
def record_outcome(
    plan: Plan,
    observation: Observation,
    probes: Mapping[str, ProbeResult],
    *,
    unprobed: Collection[str] = (),
    fence: Fence,
    read_proof: Proof,
    at: datetime,
    tell: Callable[[Measure], None] | None = None,
) -> tuple[Measure, ...]:
    """Put on record what the device showed; the measures that came into force or were lifted by it.

    An observation that is not complete changes no measure. What is in `unprobed` will be probed in a later round and is
    not called lifted before. `read_proof` is what the observation alone shows. `tell` is called within the transaction
    for each of the measures returned, so that what follows from it stands or falls with it.
    """
    device = _lock_device(plan.device)
    _check(device, fence)
    _keep_health(device, observation, at=at)
    if not observation.complete:
        return ()
    changed: list[MeasureRow] = []
    told: list[MeasureRow] = []
    held, read = dict(observation.fingerprints), dict(observation.rules)
    rows, rules = _rows_to_settle(fence, held, read, probes, only=observation.only, read_proof=read_proof)
    beside = [rule for rule in rules.values() if read.get(rule.measure) is Seen.IN_FORCE] if probes else []
    for row in rows:
        before = (row.state, row.proof, row.proof_detail, row.still_stopped)
        seen = read.get(row.key, Seen.ABSENT)
        if seen is Seen.IN_FORCE and held.get(row.key) != fingerprint(rules[row.key]):
            seen = Seen.DRIFT  # It holds another rule under this name.
        if row.state == MeasureState.LIFTING and row.key in unprobed:
            continue
        turned = _settle(row, seen, probes.get(row.key), read_proof, plan, at, beside=beside)
        if before != (row.state, row.proof, row.proof_detail, row.still_stopped):
            row.proof_at = at
            changed.append(row)
        if turned:
            told.append(row)
    MeasureRow.objects.bulk_update(
        changed, ["state", "proof", "proof_detail", "proof_at", "in_force_at", "lifted_at", "still_stopped"],
        batch_size=1000,
    )  # fmt: skip
    unread = [row for row in told if row.get_deferred_fields()]
    if unread:
        weighed = dict(MeasureRow.objects.filter(key__in=[row.key for row in unread]).values_list("key", "candidates"))
        for row in unread:
            row.candidates = weighed[row.key]
    measures = tuple(measure_of(row) for row in told)
    for measure in measures if tell is not None else ():
        assert tell is not None
        tell(measure)
    return measures


def _rows_to_settle(
    fence: Fence,
    held: Mapping[str, str],
    read: Mapping[str, Seen],
    probes: Mapping[str, ProbeResult],
    *,
    only: Collection[str] | None,
    read_proof: Proof,
) -> tuple[list[MeasureRow], Mapping[str, Rule]]:
    """The rows of a device that a read-back may change, by their keys, and the rule of each that is open (where nothing
    was probed, of those rows).

    What is in force, was shown to be, and is still held as it should be, stays as it is: its row is not even read.
    """
    rows = MeasureRow.objects.filter(device=fence.device).exclude(state__in=ENDED).order_by("key")
    if only is not None:
        few = list(rows.filter(key__in=only))
        return few, {row.key: rule_of(row) for row in few}
    there = fence.standing.open()
    loose = [
        rule
        for rule, _, settled in there
        if not settled
        or read_proof < Proof.STATE
        or held.get(rule.measure) != rule.fingerprint
        or read.get(rule.measure) is not Seen.IN_FORCE
        or rule.measure in probes
    ]
    if len(loose) <= _ASKED_FOR_SINGLY_MAX:
        rows = rows.filter(key__in=[rule.measure for rule in loose])
    rules = {rule.measure: rule for rule in ([one.rule for one in there] if probes else loose)}
    return [row for row in rows.defer("candidates") if row.key in rules] if loose else [], rules


@transaction.atomic
def record_failure(plan: Plan, why: str, *, fence: Fence, at: datetime) -> None:
    """Put on record that the device could not be told; the intent stands."""
    device = _lock_device(plan.device)
    _check(device, fence)
    _keep_failure(device, why, at=at)


@transaction.atomic
def refuse_measure(key: str, *, why: str, fence: Fence, at: datetime) -> None:
    """Refuse a measure for good, before anything was sent: a guard says that it may never be."""
    _check(_lock_device(fence.device), fence)
    row = MeasureRow.objects.select_for_update().get(key=key)
    if row.state not in WANTED:
        return
    row.state = MeasureState.FAILED if row.state == MeasureState.PLANNED else MeasureState.LIFTING
    row.proof_detail = why
    row.save(update_fields=["state", "proof_detail"])
    record("measure.refused", at=at, actor="enforcer", about=[row.key, row.case, row.customer], why=why)


@transaction.atomic
def hold_back(fence: Fence, *, why: str, at: datetime) -> bool:
    """Note that the fuse holds new measures back, once; an empty `why` says that it does no longer. Whether it is news.

    What is sent from then on is another plan, of a generation of its own: one without what was held back, that is still
    under way somewhere, does nothing any more.
    """
    row = _lock_device(fence.device)
    _check(row, fence)
    news = bool(row.held_back) is not bool(why)
    if row.held_back != why:
        # The sentence counts, also what other devices are told: it is kept as it is now, and is no news for that.
        row.held_back, row.digest = why, "" if news else row.digest
        row.save(update_fields=["held_back", "digest"])
    if not news:
        return False
    record("device.held_back" if why else "device.let_pass", at=at, actor="enforcer", about=[fence.device], why=why)
    return True


def _settle(
    row: MeasureRow,
    seen: Seen,
    probe: ProbeResult | None,
    read_proof: Proof,
    plan: Plan,
    at: datetime,
    *,
    beside: Sequence[Rule],
) -> bool:
    """Move one measure to where the device showed it to be; whether it came into force or was lifted.

    `beside` are the rules that the device holds: another one may stop the same traffic.
    """
    about = [row.key, row.case, row.customer]

    def say(what: str, **detail: object) -> None:
        record(what, at=at, actor="enforcer", about=about, device=plan.device, generation=plan.generation, **detail)

    if row.state == MeasureState.LIFTING:
        if seen is not Seen.ABSENT:
            return False
        proven = probe is not None and probe.proves_lifted
        detail = probe.detail if probe is not None else "Read back: it is gone."
        if probe is not None and probe.contradicts_lift:
            if not any(_stops_all_of(other.selector, rule_of(row).selector, other.degree) for other in beside):
                # Whoever was stopped is stopped still: nobody is told that it is over before it is.
                if not row.still_stopped:
                    say("measure.still_stopped", detail=detail)
                row.still_stopped = detail
                return False
            detail = f"Read back: it is gone. Another measure stops the same: {detail}"
        row.state, row.lifted_at, row.still_stopped = MeasureState.LIFTED, at, ""
        row.proof, row.proof_detail = Proof.PROBE if proven else read_proof, detail
        say("measure.lifted", proof=Proof(row.proof).name, detail=row.proof_detail)
        return True
    if seen is not Seen.IN_FORCE:
        if row.state == MeasureState.IN_FORCE:
            row.state, row.proof = MeasureState.APPLYING, Proof.NONE
            row.proof_detail = f"The device was found without it ({seen})."
            say("measure.drifted", seen=str(seen))
        return False
    if probe is not None and probe.target_stopped is False:
        # The device holds it, and the traffic passes all the same: it is not in force.
        if row.state == MeasureState.IN_FORCE or row.proof_detail != probe.detail:
            say("measure.ineffective", detail=probe.detail)
        row.state, row.proof, row.proof_detail = MeasureState.APPLYING, min(read_proof, Proof.CONFIG), probe.detail
        return False
    came = row.state != MeasureState.IN_FORCE
    proof = read_proof
    detail = "Read back from the device."
    if probe is not None and probe.proves_in_force:
        proof, detail = Proof.PROBE, probe.detail
    elif probe is not None and probe.neighbour_works is False:
        detail = probe.detail
        if row.proof_detail != detail:
            say("measure.neighbour_harmed", detail=detail)
    if proof < Proof.STATE:
        # Only traffic shows more than that the device was told: what a probe has shown stands while it is held.
        if not came and row.proof < Proof.PROBE:
            row.state = MeasureState.APPLYING
            say("measure.unshown", proof=proof.name, detail=probe.detail if probe is not None else detail)
        if row.state != MeasureState.IN_FORCE and (probe is not None or row.proof != proof):
            row.proof, row.proof_detail = proof, probe.detail if probe is not None else detail
        return False
    if came:
        row.state, row.proof, row.proof_detail = MeasureState.IN_FORCE, proof, detail
        row.in_force_at = row.in_force_at or at
        say("measure.in_force", proof=proof.name, detail=detail)
        return True
    if proof > row.proof:
        row.proof, row.proof_detail = proof, detail
        say("measure.proven", proof=proof.name, detail=detail)
    elif probe is not None and probe.neighbour_works is False:
        row.proof_detail = detail
    return False


def _stops_all_of(other: Selector, own: Selector, degree: Degree) -> bool:
    """Whether a measure on `other` by itself stops everything that one on `own` would."""
    if degree < Degree.BLOCK:
        return False
    if other.network is None or own.network is None:
        return names_all_of(other, own)
    if other.network.version != own.network.version or own.network[0] not in other.network:
        return False
    if other.port is not None and (other.protocol, other.port) != (own.protocol, own.port):
        return False
    if other.narrowed and (other.remote, other.source_port) != (own.remote, own.source_port):
        return False
    whole = own.network.num_addresses <= other.network.num_addresses
    return whole and other.direction in (Direction.BOTH, own.direction)


def _keep_health(row: DeviceRow, observation: Observation, *, at: datetime) -> None:
    if not observation.complete:
        _keep_failure(row, observation.detail, at=at)
        return
    if observation.only is not None:
        return  # How it stands as a whole, a whole reading says.
    if row.failures:
        record("device.answers_again", at=at, actor="enforcer", about=[row.name], failures=row.failures)
    foreign = list(observation.foreign)
    if foreign != row.foreign:
        record("device.foreign", at=at, actor="enforcer", about=[row.name], entries=foreign[:20], count=len(foreign))
    row.failures, row.detail, row.foreign = 0, observation.detail, foreign
    row.seen_at = row.tried_at = at
    row.save(update_fields=["failures", "detail", "foreign", "seen_at", "tried_at"])


def _keep_failure(row: DeviceRow, why: str, *, at: datetime) -> None:
    if row.failures == 0:
        record("device.silent", at=at, actor="enforcer", about=[row.name], why=why)
    row.failures += 1
    row.detail, row.tried_at = why, at
    row.save(update_fields=["failures", "detail", "tried_at"])


def _lock_device(name: str) -> DeviceRow:
    rows = DeviceRow.objects.select_for_update().filter(name=name)
    row = rows.first()
    if row is None:
        DeviceRow.objects.bulk_create([DeviceRow(name=name)], ignore_conflicts=True)
        row = rows.get()
    return row


def _check(row: DeviceRow, fence: Fence) -> None:
    if row.epoch != fence.epoch:
        raise Fenced(f"{row.name}: epoch {fence.epoch} was followed by {row.epoch}")


def _notify(device: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, device])


def _lock_number(device: str) -> int:
    return int.from_bytes(hashlib.sha256(f"tipstaff device {device}".encode()).digest()[:8], signed=True)


def _few(keys: Any) -> list[str]:
    return list(keys)[:200]


# Values into JSON.


def selector_json(selector: Selector) -> dict[str, Any]:
    """A selector as it is kept."""
    kept = {name: value for name, value in asdict(selector).items() if value is not None}
    kept["direction"] = str(selector.direction)
    if selector.network is not None:
        kept["network"] = str(selector.network)
    if selector.remote is not None:
        kept["remote"] = str(selector.remote)
    return kept


def _selector_key(kept: Mapping[str, Any], chosen: Candidate) -> str:
    return " ".join(f"{name}={kept[name]}" for name in sorted(kept)) + f" degree={int(chosen.degree)}"


def _candidate_json(candidate: Candidate) -> dict[str, Any]:
    rest = {name: value for name, value in asdict(candidate).items() if name not in ("selector", "degree")}
    return {**rest, "selector": selector_json(candidate.selector), "degree": int(candidate.degree)}


def _urgency_json(urgency: Urgency | None) -> dict[str, str] | None:
    return None if urgency is None else {**asdict(urgency), "ground": str(urgency.ground)}
