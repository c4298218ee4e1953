"""The narrowest measures of very many past questions, with whom they would hit: as `weigh_for` finds them one by one.

What is equal is weighed once: the same customer, service, address, port and names, the same ladder, between two
instants at which it changed who is around that address. What hangs on more than that (what we measured ourselves, and
addresses of which logs speak) is weighed by itself, so each is what it would be alone; none is left out.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple, TypeVar

from tipstaff.attribution.queries import spoken_of
from tipstaff.enforcement.planner import Footprint
from tipstaff.intake.queries import get_incident, what_was_named
from tipstaff.policy.replay import Difference, Side, Treatment
from tipstaff.registry.queries import changes_around
from tipstaff.sensors.queries import get_measured
from tipstaff.words import Allegation, Candidate, Conduct

from .desk import Desk
from .weighing import footprint_of, weigh_for

KNOWN_MAX = 50_000
"""So much of each kind is remembered; beyond it the oldest is weighed anew."""

Chosen = tuple[Candidate, ...]


class Remedies(NamedTuple):
    """The narrowest remedy that silence would have led to under each edition, with what it would hit."""

    before: Chosen
    after: Chosen


class Collateral:
    """Weighs differences, with the registry's facts at their time and the devices of `at`."""

    def __init__(self, *, desk: Desk, at: datetime) -> None:
        abilities = desk.abilities(at)
        self.desk = replace(desk, abilities=lambda _: abilities)
        self.weighed = 0
        """So many were weighed; all others were equal to one of them."""
        self._changes: dict[object, list[datetime]] = {}
        self._around: dict[object, Footprint] = {}
        self._chosen: dict[object, Chosen] = {}
        self._spoken: dict[str, bool] = {}

    def of(self, differences: Sequence[Difference]) -> list[Difference]:
        """The same differences with their measures. A few questions to the database for all of them, as long as nothing
        was measured by ourselves."""
        named = what_was_named([d.key for d in differences if d.named and not d.measured])
        self._ask_logs({d.source for d in differences if d.source})
        # The treatments of one part are the same objects where they are equal.
        numbers: dict[int, object] = {}
        return [self._with_measures(d, named.get(d.key), numbers) for d in differences]

    def _ask_logs(self, sources: set[str]) -> None:
        new = [source for source in sources if source not in self._spoken]
        spoken = {str(address) for address in spoken_of([ip_address(source) for source in new])} if new else set()
        for source in new:
            _keep(self._spoken, source, str(ip_address(source)) in spoken)

    def _with_measures(
        self, d: Difference, named: tuple[str | None, str | None, str | None] | None, numbers: dict[int, object]
    ) -> Difference:
        found = self._remedies(d, named, numbers)
        return d._replace(
            alike=d.alike._replace(
                before=_side(d.alike.before, found.before), after=_side(d.alike.after, found.after)
            ),
            measures=(in_words(found.before), in_words(found.after)),
        )  # fmt: skip

    def _remedies(
        self, d: Difference, named: tuple[str | None, str | None, str | None] | None, numbers: dict[int, object]
    ) -> Remedies:
        if not d.customer or not (d.before.ladder or d.after.ladder):
            return Remedies((), ())
        address = ip_address(d.source) if d.source else None
        places = (d.customer, d.service or None, d.source)
        changes = _known(
            self._changes, places,
            lambda: changes_around(d.customer, service=d.service or None, address=address),
        )  # fmt: skip
        here = (*places, bisect_right(changes, d.received_at))
        around = _known(self._around, here, lambda: self._footprint(d, address))
        alone = d.measured or self._spoken.get(d.source, False)
        conduct: Conduct
        if alone:
            incident = get_measured(d.key) if d.measured else get_incident(d.key)
            if incident is None:
                return Remedies((), ())
            conduct = incident.conduct
        else:
            url, domain, _ = named or (None, None, None)
            conduct = Allegation(
                type="", source=address, source_port=d.source_port, protocol=d.protocol, url=url, domain=domain
            )
        equal = None if alone else (here, d.source_port, d.protocol, conduct.url, conduct.domain)
        return Remedies(*(self._choose(t, d, conduct, around, equal, numbers) for t in (d.before, d.after)))

    def _footprint(self, d: Difference, address: IPv4Address | IPv6Address | None) -> Footprint:
        return footprint_of(customer=d.customer, service=d.service or None, address=address, at=d.received_at)

    def _choose(
        self, treatment: Treatment, d: Difference, conduct: Conduct, around: Footprint, equal: object | None,
        numbers: dict[int, object],
    ) -> Chosen:  # fmt: skip
        if not treatment.ladder:
            return ()

        def weigh() -> Chosen:
            self.weighed += 1
            candidates = weigh_for(
                customer=d.customer,
                service=d.service or None,
                ladder=treatment.ladder,
                measure_ports=treatment.measure_ports,
                direction=treatment.measure_direction,
                allegation=conduct,
                desk=self.desk,
                at=d.received_at,
                around=around,
                spoken=equal is None,
            )
            return tuple(candidate for candidate in candidates if candidate.chosen)

        if equal is None:
            return weigh()
        asks = numbers.get(id(treatment))
        if asks is None:
            # As text, whose hash is worked out once.
            asks = repr((treatment.ladder, treatment.measure_ports, treatment.measure_direction))
            numbers[id(treatment)] = asks
        return _known(self._chosen, (equal, asks), weigh)


def _side(side: Side, chosen: Chosen) -> Side:
    if not chosen:
        return side
    first = chosen[0]
    kind = f"{first.degree.name} {first.selector.scope.name}".lower().replace("_", " ")
    return side._replace(measure=kind, others_hit=first.others_hit, services_hit=first.services_hit)


def in_words(chosen: Chosen) -> str:
    """What was chosen, as a list shows it; empty for nothing."""
    return " and ".join(f"{c.degree.name.lower().replace('_', ' ')} {c.selector}" for c in chosen)


_V = TypeVar("_V")


def _keep(known: dict[Any, _V], key: object, value: _V) -> _V:
    if len(known) >= KNOWN_MAX:
        del known[next(iter(known))]
    known[key] = value
    return value


def _known(known: dict[Any, _V], key: object, find: Callable[[], _V]) -> _V:
    found = known.get(key)
    return found if found is not None else _keep(known, key, find())
