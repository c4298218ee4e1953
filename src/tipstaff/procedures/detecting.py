"""A detector looks through what devices and servers wrote; whose it is is looked up, and the judge is asked.

Nobody looks without an authorisation that names the detector, its purpose and its end, given by counsel (row 97). The
detectors themselves are pure: they see no registry but through `RegistryBooks`, and nothing of what people wrote.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import latest_about
from tipstaff.policy import edition_to_go_by
from tipstaff.policy.deciding import may_decide
from tipstaff.policy.kinds import Event
from tipstaff.registry.names import NotInItsForm
from tipstaff.registry.operations import UnknownKey
from tipstaff.registry.queries import (
    accounts_on,
    get_customer,
    holdings_covering,
    holdings_of,
    letters_of_authority,
    list_customers,
    own_space,
    periods_of_addresses,
    representatives_of,
    resource_holders,
    resources_of,
)
from tipstaff.sensors.form import LINES_MAX
from tipstaff.sensors.protocol import Detector, Ended, Network, Roa, Seen
from tipstaff.words import HoldingKind, ResourceKind, Role, Standing, TakenSightings, Usage, UsageKind

from .acceptance import note_log_ins_seen
from .admission import note_announcements
from .desk import Desk
from .purposes import AUTHORISED, must_be_in_the_register, name_of, purpose_of
from .sighting import take
from .suspension import NotYourDecision

LEAVE = "measurement.allowed_by_customer"


class NotAuthorised(PermissionError):
    """Nobody has authorised this detector, or its authorisation has ended: counsel does (tipstaff detectors allow)."""


def authorise(detector: str, *, purpose: str, until: datetime, desk: Desk, at: datetime, actor: str) -> None:
    """Counsel lets a detector look for a purpose until a day; raise NotYourDecision for whoever is not counsel."""
    if not may_decide(desk.roles_of(actor), needed=Role.COUNSEL):
        raise NotYourDecision(f"{detector}: clause terms.may_monitor leaves this decision to the role counsel.")
    record(AUTHORISED, at=at, actor=actor, about=[name_of(detector)], purpose=purpose, until=until.isoformat())


def note_leave(customer: str, detector: str, *, until: datetime, shown_by: str, at: datetime, actor: str) -> None:
    """A customer asked for it: this detector may look at what is theirs until then. An end that is past takes it back.

    Raise UnknownKey for a customer whom the registry does not know.
    """
    if get_customer(customer) is None:
        raise UnknownKey(f"there is no customer {customer}")
    record(LEAVE, at=at, actor=actor, about=[customer, _leave(customer, detector)], detector=detector,
           until=until.isoformat(), shown_by=shown_by)  # fmt: skip


def allowed_by(customers: Iterable[str], detector: str, *, at: datetime) -> list[str]:
    """Those of the customers who had allowed at `at` that this detector looks at what is theirs."""
    keys = {_leave(customer, detector): customer for customer in customers}
    found = latest_about(keys, what=[LEAVE])
    return sorted(
        keys[key] for key, entry in found.items()
        if entry.at <= at < datetime.fromisoformat(str(entry.detail["until"]))
    )  # fmt: skip


def asked_for(detector: str, *, at: datetime) -> list[tuple[str, Network]]:
    """Whose addresses this detector may be pointed at now: (customer, what they hold for themselves and for good)."""
    customers = [c.key for c in list_customers(limit=1_000_000) if c.standing is not Standing.TERMINATED]
    return [
        (customer, holding.prefix)
        for customer in allowed_by(customers, detector, at=at)
        for holding in holdings_of(customer, at=at)
        if holding.kind is HoldingKind.STATIC and not holding.shared
    ]


def _leave(customer: str, detector: str) -> str:
    return f"leave:{customer}:{detector}"


def look(
    name: str,
    detector: Detector,
    lines: Iterable[str],
    *,
    desk: Desk,
    at: datetime,
    actor: str,
    agreed: frozenset[str] = frozenset(),
    roas: Sequence[Roa] = (),
    own_asn: int | None = None,
    needed: Mapping[str, str] | None = None,
    controls: Mapping[str, str] | None = None,
) -> TakenSightings:
    """Let a detector look through a file, and put what it counted to the judge; the same file again changes nothing.

    Raise NotAuthorised, NotInTheRegister, NotReadable for a file in another form, or TooManySightings. What no clause
    of the edition in force answers is not looked for. Before the first one counts, what is found is kept, and
    the judge leaves it to a person: nobody is held to words that did not count yet.
    """
    purpose = purpose_of(name, at=at)
    edition = edition_to_go_by(desk.editions, at=at)
    clause = edition.clause_for_event(
        Event.MEASUREMENT_STARTED, facts={"authorised": bool(purpose), "content": False, "detector": name}
    )
    if clause is None and edition.answers(Event.MEASUREMENT_STARTED):
        raise NotAuthorised(name)
    must_be_in_the_register(f"detector: {name}", desk=desk, at=at)
    books = RegistryBooks(agreed=agreed, roas=roas, own_asn=own_asn, needed=needed or {}, controls=controls or {})
    counted: list[Seen] = []
    uses: list[Usage] = []
    for one in detector.look(lines, books=books):
        if one.used is not None:
            uses.append(one.used)
        elif len(counted) <= LINES_MAX:  # One more than may be handed in, so that it is refused and not cut short.
            counted.append(one)
    found = [json.dumps(line) for line in _lines(counted)]
    late = note_announcements((u for u in uses if u.kind is UsageKind.ANNOUNCEMENT), desk=desk, at=at, actor=actor)
    note_log_ins_seen(uses, desk=desk, at=at)
    record(
        "measurement.made", at=at, actor=actor, about=[name_of(name)], purpose=purpose, found=len(found) + len(late),
        under=clause.id if clause else None,
    )  # fmt: skip
    return take("\n".join(found).encode(), sensor=name, desk=desk, at=at, actor=actor)


def _lines(seen: Iterable[Seen]) -> Iterator[dict[str, object]]:
    for one in seen:
        whose = one.account or _holder_of(one)
        line = {
            "id": one.id[:200], "kind": one.kind, "at": one.at.isoformat(), "error_seconds": one.error_seconds,
            "facts": dict(one.facts), "type": one.type or None, "excerpt": one.excerpt or None,
            "source": str(one.source) if one.source and not whose else None, "account": whose or None,
            "protocol": one.protocol or None, "target": one.target or None, "target_port": one.target_port,
        }  # fmt: skip
        if line["source"] or line["account"]:  # A mailbox or a port that nobody holds accuses nobody.
            yield {name: value for name, value in line.items() if value is not None}


def _holder_of(one: Seen) -> str:
    if one.held is None:
        return ""
    kind, name, scope = one.held
    books = RegistryBooks()
    found = books.holder_of(kind, name, scope=scope, at=one.at)
    if found is None and kind is ResourceKind.LOGIN:
        found = books.holder_of(ResourceKind.MAILBOX, name.lower(), at=one.at)
    return found or ""


@dataclass(frozen=True, kw_only=True)
class RegistryBooks:
    """The registry, as far as a detector may ask it."""

    agreed: frozenset[str] = frozenset()
    roas: Sequence[Roa] = ()
    own_asn: int | None = None
    needed: Mapping[str, str] = field(default_factory=dict)
    controls: Mapping[str, str] = field(default_factory=dict)
    _own: dict[datetime, tuple[Network, ...]] = field(default_factory=dict)

    def allowed(self, customer: str, detector: str, *, at: datetime) -> bool:
        """Whether a customer had allowed that this detector looks at what is theirs."""
        return customer in allowed_by([customer], detector, at=at)

    def represented_by(self, email: str, *, at: datetime) -> list[tuple[str, int]]:
        """The customers who named this contact, each with how many others of theirs are reached."""
        named = [c.key for c in list_customers(search=email) if c.standing is not Standing.TERMINATED]
        chains = {key: representatives_of(key) for key in named}
        return [
            (key, sum(r.email.lower() != email and r.bounced_at is None for r in chain))
            for key, chain in chains.items()
            if any(r.email.lower() == email for r in chain)
        ]

    def is_own(self, network: Network, *, at: datetime) -> bool:
        """Whether it was the operator's space then."""
        if at not in self._own:
            self._own.clear()
            self._own[at] = own_space(at=at)
        return any(own.version == network.version and network.subnet_of(own) for own in self._own[at])  # type: ignore[arg-type]  # one version

    def is_given(self, network: Network, *, at: datetime) -> bool:
        """Whether anybody was given any of it then, or may take it out of a pool."""
        if accounts_on(network, at=at):
            return True
        rows = holdings_covering(network.network_address, earliest=at, latest=at)
        return any(row.kind is not HoldingKind.STATIC for row in rows)

    def holder(self, network: Network, *, at: datetime) -> str | None:
        """The one customer who held all of it then."""
        held = {p.customer for p in periods_of_addresses(network, at=at) if p.held_until is None or at < p.held_until}
        return held.pop() if len(held) == 1 else None

    def ended(self, network: Network, *, at: datetime) -> Ended | None:
        """Who held it last, where nobody held any of it then."""
        if accounts_on(network, at=at):
            return None
        past = [p for p in periods_of_addresses(network, at=at) if p.held_until is not None]
        last = max(past, key=lambda p: p.held_until or at, default=None)
        return None if last is None or last.held_until is None else Ended(customer=last.customer, at=last.held_until)

    def holder_of(self, kind: ResourceKind, name: str, *, scope: str = "", at: datetime) -> str | None:
        """The one customer who held a thing then."""
        try:
            found = resource_holders(kind, name, scope=scope or None, at=at)
        except NotInItsForm:
            return None
        holders = {one.customer for one in found if one.customer is not None}
        return holders.pop() if len(holders) == 1 else None

    def may_announce(self, customer: str, prefix: Network, origin: int, *, at: datetime) -> tuple[bool, bool]:
        """(whether the registry has it as theirs, whether a letter of authority covers it)."""
        routes = {r.name for r in resources_of(customer, at=at) if r.kind is ResourceKind.ROUTE}
        registered = f"{prefix} AS{origin}" in routes or self.holder(prefix, at=at) == customer
        letters = any(
            covering.version == prefix.version and prefix.subnet_of(covering)  # type: ignore[arg-type]  # one version
            for letter in letters_of_authority(customer)
            if letter.valid_from <= at and (letter.valid_until is None or at < letter.valid_until)
            for covering in letter.prefixes
        )
        return registered, letters
