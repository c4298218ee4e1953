"""Reads of measures and devices. They hand out values, never rows."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from django.db.models import Count, Q, QuerySet

from tipstaff.host import viewing
from tipstaff.host.among import among
from tipstaff.words import (
    Candidate,
    Degree,
    Filter,
    FilterState,
    Ground,
    Measure,
    MeasureState,
    Proof,
    Rule,
    Urgency,
)

from .kept import selector_of
from .models import ENDED, WANTED, DeviceRow, FilterRow, MeasureRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one person asked for at a device, and a second must agree to."""

    what: str
    """`lift_all`: lift everything there. `let_pass`: let a mass of new measures pass the fuse."""
    by: str
    why: str
    at: datetime
    driver: str = ""
    """Where everything of one driver was asked for, on this device as on its others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHealth:
    """How a device stands, as last seen by its writer."""

    device: str
    generation: int
    epoch: int
    seen_at: datetime | None
    """When it was last read back whole."""
    tried_at: datetime | None
    failures: int
    """Failed rounds in a row; 0 when the last one went well."""
    detail: str
    foreign: tuple[str, ...]
    """Entries in the device's namespace that no plan knows; they are left alone."""
    held_back: str
    """Why new measures are held back; empty when they are not."""
    asks: tuple[Ask, ...] = ()
    """What one person asked for and a second has not agreed to yet, lapsed or not."""


seen = partial(viewing.seen, of=viewing.MEASURES)


def get_measure(key: str) -> Measure | None:
    """The measure with this key."""
    row = seen(MeasureRow.objects.filter(key=key)).first()
    return measure_of(row) if row else None


def others_counted(key: str) -> int | None:
    """How many others a measure would hit when it was decided on; None where nobody weighed that."""
    row = MeasureRow.objects.filter(key=key).only("selector", "degree", "candidates").first()
    found = [] if row is None else [c for c in row.candidates if c["selector"] == row.selector]
    return max((c["others_hit"] for c in found if row and c["degree"] == row.degree), default=None)


def measures_of_case(case: str) -> list[Measure]:
    """All measures of a case, oldest first."""
    return [measure_of(row) for row in seen(MeasureRow.objects.filter(case=case)).order_by("key")]


def closed_measures(cases: Collection[str]) -> set[str]:
    """Keys of all measures of these cases."""
    return set(among(MeasureRow.objects.order_by(), "case", cases).values_list("key", flat=True)) if cases else set()


def measures_on(customer: str) -> list[Measure]:
    """All measures that ever touched a customer, newest first."""
    return [measure_of(row) for row in seen(MeasureRow.objects.filter(customer=customer)).order_by("-key")]


def walled_in(address: IPv4Address | IPv6Address) -> Measure | None:
    """The oldest measure in force that leads what this address asks for to the garden's page; None where none does."""
    around = [str(ip_network((address, bits), strict=False)) for bits in range(address.max_prefixlen + 1)]
    rows = MeasureRow.objects.exclude(state__in=ENDED).filter(
        state=MeasureState.IN_FORCE, degree=Degree.WALLED_GARDEN, selector__network__in=around
    )
    row = rows.order_by("key").first()
    return measure_of(row) if row else None


def list_measures(
    *, device: str | None = None, state: MeasureState | None = None, limit: int = 100, after: str | None = None
) -> list[Measure]:
    """Measures, newest first; `after` is the last key of the page before."""
    rows: QuerySet[MeasureRow] = seen(MeasureRow.objects.order_by("-key"))
    if device is not None:
        rows = rows.filter(device=device)
    if state is not None:
        rows = rows.filter(state=state)
    if after is not None:
        rows = rows.filter(key__lt=after)
    return [measure_of(row) for row in rows[:limit]]


def untold_measures(state: MeasureState, *, limit: int = 500) -> list[Measure]:
    """Measures that are in force, or were and are lifted, of which the customer has not heard; oldest first."""
    rows = MeasureRow.objects.filter(state=state, in_force_at__isnull=False).exclude(told__in=(state, "lifted"))
    return [measure_of(row) for row in rows.order_by("key")[:limit]]


def withdrawn_of_filters(*, limit: int = 500) -> list[Measure]:
    """Measures of filters that were taken back before they were in force, whose end nobody was told of; oldest first.

    Of a case's measure nobody has heard before it is in force; of a filter they have.
    """
    rows = MeasureRow.objects.filter(
        state=MeasureState.LIFTED, in_force_at__isnull=True, case__startswith=FILTERS
    ).exclude(told=MeasureState.LIFTED)  # fmt: skip
    return [measure_of(row) for row in rows.order_by("key")[:limit]]


def all_in_force(*, at_a_time: int = 500) -> Iterator[list[Measure]]:
    """Every measure in force, in batches, without what was weighed."""
    after = ""
    rows = MeasureRow.objects.filter(state=MeasureState.IN_FORCE).order_by("key").defer("candidates")
    while batch := list(rows.filter(key__gt=after)[:at_a_time]):
        after = batch[-1].key
        for row in batch:
            row.candidates = []
        yield [measure_of(row) for row in batch]


def list_still_stopped(*, limit: int = 100) -> list[Measure]:
    """Measures whose device has let go while their target stays stopped: a person finds out what stops it."""
    rows = seen(MeasureRow.objects.filter(state=MeasureState.LIFTING)).exclude(still_stopped="").order_by("-key")
    return [measure_of(row) for row in rows[:limit]]


def count_in_force() -> int:
    """How many measures are in force."""
    return seen(MeasureRow.objects.exclude(state__in=ENDED).filter(state=MeasureState.IN_FORCE)).count()


def count_by_measure_state() -> dict[MeasureState, int]:
    """How many measures stand in each state."""
    rows = seen(MeasureRow.objects.all()).values_list("state").annotate(Count("key")).order_by()
    return {MeasureState(state): n for state, n in rows}


def get_health(device: str) -> DeviceHealth | None:
    """How a device stands; None if nobody ever wrote to it."""
    row = DeviceRow.objects.filter(name=device).first()
    return _health_of(row) if row else None


def list_health() -> list[DeviceHealth]:
    """How all devices stand."""
    return [_health_of(row) for row in DeviceRow.objects.order_by("name")]


SILENT_AFTER = 3
"""So many failed rounds in a row are an alarm: one that comes back within seconds troubles nobody."""


def devices_in_trouble(names: Collection[str]) -> list[DeviceHealth]:
    """Those of these devices that do not answer, or hold new measures back until two people agree."""
    rows = DeviceRow.objects.filter(name__in=names).exclude(failures__lt=SILENT_AFTER, held_back="")
    return [_health_of(row) for row in rows.order_by("name")]


def unproven_rules(device: str) -> list[tuple[Rule, MeasureState]]:
    """What a probe has yet to prove on a device, in force or lifted, and what each measure is now."""
    rows = (
        MeasureRow.objects.filter(device=device)
        .exclude(state__in=(*ENDED, MeasureState.PLANNED))
        .exclude(state=MeasureState.IN_FORCE, proof__gte=Proof.PROBE)
        .order_by("key")
    )
    return [(rule_of(row), MeasureState(row.state)) for row in rows.defer("candidates")]


def planned_on(device: str) -> dict[str, str]:
    """Measure -> customer of all that is planned on a device, was never sent, and no two people have let pass."""
    passed = DeviceRow.objects.filter(name=device).values_list("let_pass_at", flat=True).first()
    rows = MeasureRow.objects.filter(device=device, state=MeasureState.PLANNED)
    if passed is not None:
        rows = rows.filter(planned_at__gt=passed)
    return dict(rows.values_list("key", "customer"))


def unshown_on(device: str) -> dict[str, str]:
    """Measure -> customer of all that is wanted of a device and was never shown to be in force there."""
    states = (MeasureState.PLANNED, MeasureState.APPLYING)
    return dict(MeasureRow.objects.filter(device=device, state__in=states).values_list("key", "customer"))


def sent_lately(device: str, *, since: datetime) -> list[str]:
    """The customer of each measure that was first sent or came in force since then, unless two people let it pass."""
    passed = DeviceRow.objects.filter(name=device).values_list("let_pass_at", flat=True).first()
    rows = MeasureRow.objects.filter(device=device)
    if passed is not None and passed >= since:
        # All that counts was planned since then too. The mass itself was sent, and shown, after it was let pass: it is
        # not even looked at.
        rows = rows.filter(Q(sent_at__isnull=False) | Q(in_force_at__isnull=False), planned_at__gt=passed)
    else:
        # Planned is another moment: what waited for a device that was away is sent, or shown, long after.
        rows = rows.filter(Q(sent_at__gt=since) | Q(in_force_at__gt=since))
        if passed is not None:
            rows = rows.filter(planned_at__gt=passed)
    return list(rows.values_list("customer", flat=True))


def sent_elsewhere(device: str, *, since: datetime) -> set[str]:
    """The customers of what was first sent to, or came in force on, any other device since then, unless two people let
    it pass there."""
    passed = dict(DeviceRow.objects.exclude(name=device).values_list("name", "let_pass_at"))
    found: set[str] = set()
    rows = MeasureRow.objects.filter(Q(sent_at__gt=since) | Q(in_force_at__gt=since))
    for name, until in passed.items():
        there = rows.filter(device=name)
        there = there if until is None else there.filter(planned_at__gt=until)
        found.update(there.values_list("customer", flat=True).distinct())
    return found


def count_wanted_on(devices: Collection[str]) -> dict[str, int]:
    """How many measures are wanted on each of these devices, where any is."""
    rows = seen(MeasureRow.objects.filter(device__in=devices, state__in=WANTED))
    return dict(rows.values_list("device").annotate(Count("key")).order_by())


def ended_on(device: str, *, limit: int) -> list[Measure]:
    """Those that have ended on a device, the newest first."""
    rows = seen(MeasureRow.objects.filter(device=device, state__in=ENDED)).order_by("-key")
    return [measure_of(row) for row in rows[:limit]]


def open_on(device: str, *, limit: int | None = None, but_in_force: bool = False) -> list[Measure]:
    """The measures of a device that have not ended, oldest first; `but_in_force` leaves out those that are there."""
    rows = seen(MeasureRow.objects.filter(device=device).exclude(state__in=ENDED)).order_by("key")
    if but_in_force:
        rows = rows.exclude(state=MeasureState.IN_FORCE)
    return [measure_of(row) for row in rows[:limit]]


def count_open_on(device: str) -> int:
    """How many measures of a device have not ended."""
    return seen(MeasureRow.objects.filter(device=device).exclude(state__in=ENDED)).count()


FILTERS = "F-"
"""A measure whose case begins so belongs to a filter, and to no case."""


def get_filter(key: str) -> Filter | None:
    """One filter by its key, `F-000001`."""
    row = FilterRow.objects.filter(key=key).first()
    return filter_of(row) if row else None


def list_filters(
    *, states: Collection[FilterState] = (), limit: int | None = 200, after: str | None = None
) -> list[Filter]:  # fmt: skip
    """Filters that belong to no case, newest first; of all states without any, and all of them without a limit. `after`
    is the last key of the page before."""
    rows = FilterRow.objects.order_by("-key")
    if after is not None:
        rows = rows.filter(key__lt=after)
    if states:
        rows = rows.filter(state__in=[str(state) for state in states])
    return [filter_of(row) for row in rows[:limit]]


# Rows into values.


def wanted_rules(device: str, *, at: datetime) -> tuple[Rule, ...]:
    """The rules that a device shall hold at `at`."""
    rows = MeasureRow.objects.filter(device=device, state__in=WANTED).order_by("key")
    rows = rows.only("key", "case", "selector", "degree", "until", "urgency")
    return tuple(rule_of(row) for row in rows if row.until > at)


def rule_of(row: MeasureRow) -> Rule:
    """The rule of a row."""
    return Rule(
        measure=row.key,
        case=row.case,
        selector=selector_of(row.selector),
        degree=Degree(row.degree),
        until=row.until,
        by_law=is_by_law(row),
    )


def is_by_law(row: MeasureRow) -> bool:
    """Whether the law or an order demands a measure."""
    return row.urgency is not None and row.urgency["ground"] == Ground.LAW


def measure_of(row: MeasureRow) -> Measure:
    """The value of a row."""
    return Measure(
        key=row.key,
        case=row.case,
        customer=row.customer,
        device=row.device,
        selector=selector_of(row.selector),
        degree=Degree(row.degree),
        state=MeasureState(row.state),
        proof=Proof(row.proof),
        proof_detail=row.proof_detail,
        proof_at=row.proof_at,
        generation=row.generation,
        planned_at=row.planned_at,
        until=row.until,
        lifted_when=row.lifted_when,
        notice=row.notice,
        urgency=_urgency_of(row.urgency),
        in_force_at=row.in_force_at,
        lifted_at=row.lifted_at,
        still_stopped=row.still_stopped,
        candidates=tuple(candidate_of(c) for c in row.candidates),
    )


def candidate_of(kept: Mapping[str, Any]) -> Candidate:
    """A candidate out of its JSON."""
    return Candidate(**{**kept, "selector": selector_of(kept["selector"]), "degree": Degree(kept["degree"])})


def _urgency_of(kept: Mapping[str, Any] | None) -> Urgency | None:
    return Urgency(**{**kept, "ground": Ground(kept["ground"])}) if kept else None


def _health_of(row: DeviceRow) -> DeviceHealth:
    return DeviceHealth(
        device=row.name,
        generation=row.generation,
        epoch=row.epoch,
        seen_at=row.seen_at,
        tried_at=row.tried_at,
        failures=row.failures,
        detail=row.detail,
        foreign=tuple(row.foreign),
        held_back=row.held_back,
        asks=tuple(
            Ask(
                what=what,
                by=kept["by"],
                why=kept["why"],
                at=datetime.fromisoformat(kept["at"]),
                driver=kept.get("driver", ""),
            )
            for what, kept in sorted(row.asks.items())
        ),
    )


def filter_of(row: FilterRow) -> Filter:
    """The value of a row."""
    return Filter(
        key=row.key,
        selector=selector_of(row.selector),
        degree=Degree(row.degree),
        device=row.device,
        danger=row.danger,
        shown_by=tuple(row.shown_by),
        state=FilterState(row.state),
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        lasts_hours=row.lasts_hours,
        touches=tuple(row.touches),
        considered=tuple(row.considered),
        ground=Ground(row.ground) if row.ground else None,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        decided_why=row.decided_why,
        starts_at=row.starts_at,
        letters=tuple(sorted(row.letters.items())),
        measure=row.measure,
        ended_at=row.ended_at,
        ended_why=row.ended_why,
    )
