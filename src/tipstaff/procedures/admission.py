"""Who is let in: a new or changed customer is vetted, a person decides, and what the terminated still use is found.

Nothing here decides about anybody. Vetting says what it saw and why it matters; a person accepts or refuses, in words.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_network
from itertools import chain

from django.db import transaction

from tipstaff.attribution.match import plain_address
from tipstaff.attribution.queries import last_uses
from tipstaff.ledger.operations import record
from tipstaff.policy import Edition
from tipstaff.registry import operations as registry
from tipstaff.registry import queries
from tipstaff.registry.imports import ORDER, Sheet, place_in_order
from tipstaff.registry.late_use import Period, late_use
from tipstaff.registry.names import NotInItsForm, plain_name
from tipstaff.registry.vetting import LISTED, vet, vet_against_lists, weightiest_first
from tipstaff.registry.whois import looks_published, read_published
from tipstaff.words import (
    Admission,
    AdmissionState,
    ConcernKind,
    Holding,
    ImportPreview,
    LateUse,
    ListKind,
    Origin,
    ResourceKind,
    Sighting,
    SubjectKind,
    Tier,
    Usage,
    UsageKind,
)

from .acceptance import note_log_in
from .books import REGISTERS, order_was_decided, used_after_end
from .desk import Desk

__all__ = [
    "ORDER", "BadUse", "NotRefused", "OwnRefusal", "confirm_refusal", "decide", "import_registry", "load_list",
    "note_announcements", "note_log_ins", "note_traffic", "note_use", "place_in_order", "read_use", "tried_out",
    "vet_all", "vet_changed", "vet_customer", "vet_customers",
]  # fmt: skip


def vet_customer(key: str, *, at: datetime, actor: str) -> Admission:
    """Vet one customer; the admission waits for a person if there is anything to look at."""
    (admission,) = vet_customers([key], at=at, actor=actor)
    return admission


def vet_all(*, at: datetime, actor: str) -> list[Admission]:
    """Hold everybody who is not terminated against the lists anew, as after one has changed; those with concerns.

    What else is known of a customer stays as it was: nobody is asked about an old order again.
    """
    lists, names = queries.lists_loaded()
    latest = queries.latest_admissions()
    found = []
    for order in queries.running_orders():
        before = latest.get(order.customer.key)
        listed = vet_against_lists(order, lists)
        rest = [c for c in before.concerns if c.kind not in LISTED] if before is not None else []
        if not listed and (before is None or len(rest) == len(before.concerns)):
            continue
        concerns = weightiest_first([*listed, *rest])
        admission = registry.open_admission(order.customer.key, concerns, lists=names, at=at, actor=actor)
        if admission.concerns:
            found.append(admission)
    return found


def vet_customers(keys: Iterable[str], *, at: datetime, actor: str, ordering: bool = True) -> list[Admission]:
    """Vet these customers against the lists as last loaded and against who was sent away before.

    Without `ordering` nobody is asked about what their order lacks.
    """
    lists, names = queries.lists_loaded()
    former = queries.former_customers()
    found = []
    for key in keys:
        order = queries.order_of(key)
        if order is None:
            raise registry.UnknownKey(f"there is no customer {key}")
        concerns = vet(order, lists=lists, former=former, at=at)
        if not ordering:
            concerns = tuple(c for c in concerns if c.kind is not ConcernKind.ORDER_INCOMPLETE)
        found.append(registry.open_admission(key, concerns, lists=names, at=at, actor=actor))
    return found


class OwnRefusal(PermissionError):
    """Whoever refused an order cannot confirm it as well: a second person does."""


class NotRefused(ValueError):
    """This order was not refused for its likeness to a register's entry: there is nothing to confirm."""


def decide(key: str, *, accept: bool, why: str, at: datetime, actor: str, desk: Desk | None = None) -> Admission:
    """Accept or refuse. A refusal says who decided and why; what follows for services is decided apart from it.

    With the desk, what they found in the order is put to the judge (rows 17 and 33).
    """
    with transaction.atomic():
        admission = registry.decide_admission(key, accept=accept, why=why, at=at, actor=actor)
        if desk is not None:
            order_was_decided(admission, confirmed_by=1, desk=desk, at=at)
        return admission


def confirm_refusal(key: str, *, why: str, desk: Desk, at: datetime, actor: str) -> Admission:
    """A second person has compared the register's entry with the account as well, and agrees that they are one party.

    Raise OwnRefusal for whoever refused it, NotRefused for an order that nobody refused on such a ground. Doing it
    again changes nothing.
    """
    with transaction.atomic():
        admission = queries.get_admission(key)
        if admission is None:
            raise registry.UnknownKey(f"there is no admission {key}")
        if admission.state is not AdmissionState.REFUSED or not any(c.kind in REGISTERS for c in admission.concerns):
            raise NotRefused(f"{key} was not refused for its likeness to a register's entry.")
        if actor == admission.decided_by:
            raise OwnRefusal(f"{actor} refused {key}; a second person confirms it.")
        record("admission.confirmed", at=at, actor=actor, about=[admission.customer, key], why=why)
        order_was_decided(admission, confirmed_by=2, desk=desk, at=at)
        return admission


def note_use(
    use: Usage, *, at: datetime, actor: str, editions: Sequence[Edition] = (), desk: Desk | None = None
) -> LateUse | None:
    """The door for sensors: what was seen in use becomes a finding if its holder's right to it had ended.

    `use` comes from `read_use`, or is in that form. None says that somebody had a right to it, or that nobody knows; a
    log-in of theirs then counts as accepting the one of `editions` that was in force. With the desk, a finding is put
    to the judge (row 32).
    """
    finding = _late(use)
    if finding is None:
        note_log_in(use, editions=editions)
    else:
        _put_down(finding, desk=desk, at=at, actor=actor)
    return finding


def note_log_ins(*, at: datetime, actor: str, desk: Desk | None = None) -> list[LateUse]:
    """What the logs of sessions and leases show of log-ins, circuits and machines whose holders' right to them has
    ended; the findings that are new. Whoever is behind a NAT has a session or a lease as well."""
    found = []
    for kind, name, seen_at, source in last_uses(queries.subscribers_without_a_right(at=at)):
        log_in = kind is SubjectKind.USERNAME
        use = Usage(
            kind=UsageKind.LOGIN if log_in else UsageKind.LEASE, what=name if log_in else f"{kind} {name}",
            seen_at=seen_at, source=source,
        )  # fmt: skip
        finding = _late(use)
        if finding is not None and _put_down(finding, desk=desk, at=at, actor=actor):
            found.append(finding)
    return found


def note_traffic(sighting: Sighting, *, at: datetime, desk: Desk | None = None) -> LateUse | None:
    """A sighting of an address at an instant is traffic of it: a finding, where nobody has a right to it any more.

    It counts for the first instant that is possible: whoever's right ended within its error is not accused.
    """
    moment = sighting.moment
    if sighting.source is None or moment.of_days or not moment.zone_stated:
        return None
    earliest = moment.at - timedelta(seconds=moment.error_seconds)
    source = str(ip_network(plain_address(sighting.source)))
    finding = _late(Usage(kind=UsageKind.TRAFFIC, what=source, seen_at=earliest, source=sighting.sensor))
    if finding is not None:
        _put_down(finding, desk=desk, at=at, actor="worker")
    return finding


def note_announcements(uses: Iterable[Usage], *, desk: Desk, at: datetime, actor: str) -> list[LateUse]:
    """The findings among announcements that came to one of our own routers from their origin itself.

    A router at an exchange has hundreds of thousands; looked up one by one are those that the registry ever named.
    """
    known = queries.names_ever_held([ResourceKind.ASN, ResourceKind.ROUTE])
    found = []
    for use in uses:
        if use.what in known or use.what.partition(" ")[2] in known:
            finding = note_use(use, at=at, actor=actor, desk=desk)
            if finding is not None:
                found.append(finding)
    return found


def _put_down(finding: LateUse, *, desk: Desk | None, at: datetime, actor: str) -> bool:
    """On record, and with the desk before the judge (row 32); whether it is new."""
    with transaction.atomic():
        new = registry.note_late_use(finding, at=at, actor=actor)
        # A circuit is a place, where somebody else may live now; a machine may have been sold, and its hardware address
        # can be taken by anybody: a person looks at these.
        if desk is not None and finding.use.kind is not UsageKind.LEASE:
            used_after_end(finding, desk=desk, at=at)
    return new


def _late(use: Usage) -> LateUse | None:
    who = _announcers(use)
    for periods in _held(use):
        standings = {period.customer: queries.standings_of(period.customer) for period in periods}
        finding = late_use(use, periods=periods, standings=standings)
        if finding is not None and (who is None or finding.customer in who):
            return finding
    return None


def _held(use: Usage) -> Iterator[list[Period]]:
    """Who held what is in use, one list for each thing: an announcement uses a prefix and an AS number."""
    if use.kind is UsageKind.LEASE:
        kind, _, name = use.what.partition(" ")
        yield queries.periods_of_subscriber(SubjectKind(kind), name, source=use.source)
        return
    if use.kind is UsageKind.LOGIN:
        yield queries.periods_of_subscriber(SubjectKind.USERNAME, use.what, source=use.source)
        yield queries.periods_of_resources([ResourceKind.MAILBOX], use.what.lower())
        return
    prefix, _, origin = use.what.partition(" ")
    if origin:
        yield queries.periods_of_resources([ResourceKind.ROUTE], use.what)
    yield queries.periods_of_addresses(ip_network(prefix), at=use.seen_at)
    if origin:
        yield queries.periods_of_resources([ResourceKind.ASN], origin)


def _announcers(use: Usage) -> frozenset[str] | None:
    """Who may be behind an announcement: whoever holds the AS number, or else held it last, or whose route it is by
    the registry. Whoever held the prefix is not accused of what another number announces. None for another use."""
    if use.kind is not UsageKind.ANNOUNCEMENT:
        return None
    found: set[str] = set()
    for kind, name in ((ResourceKind.ROUTE, use.what), (ResourceKind.ASN, use.what.partition(" ")[2])):
        periods = [p for p in queries.periods_of_resources([kind], name) if p.held_from <= use.seen_at]
        holding = [p for p in periods if p.held_until is None or use.seen_at < p.held_until]
        last = max((p.held_until for p in periods if p.held_until), default=None)
        found |= {p.customer for p in holding or (p for p in periods if p.held_until == last)}
    return frozenset(found)


def load_list(kind: ListKind, lines: Iterable[str], *, file_name: str, at: datetime, actor: str) -> tuple[int, int]:
    """Take in a list's newest file and vet everybody anew; its entries, and how many customers now wait."""
    entries = registry.load_list(kind, lines, file_name=file_name, at=at, actor=actor)
    vet_all(at=at, actor=actor)
    return entries, queries.count_waiting_admissions()


def import_registry(
    lines: Iterable[str], *, source_name: str, at: datetime, actor: str, dry_run: bool = False, rest: bool = False,
    progress: Callable[[int], None] = lambda _: None, editions: Sequence[Edition] | None = None,
) -> ImportPreview:  # fmt: skip
    """Take in a file; with `dry_run`, only say what it would change. New and changed customers are vetted.

    It is a CSV file of the registry, or what a regional internet registry publishes: RPSL objects, ARIN's records or
    delegated-extended statistics. With `rest`, bad rows are told by line and the good ones taken in. `progress` is
    called with how many rows more have been taken in or refused. Where `editions` are said, nobody accepted another.
    """
    lines = iter(lines)
    begun, first = [], ""
    for line in lines:
        begun.append(line)
        first = line.strip().lstrip("\ufeff")
        if first:
            break
    whole = chain(begun, lines)
    if looks_published(first):
        sheet = _resellers_alone(read_published(whole, source_name=source_name, at=at, holder_of=_holder_of))
        preview = registry.take_in(
            sheet, at=at, actor=actor, origin=Origin.WHOIS, dry_run=dry_run, rest=rest, progress=progress
        )
    else:
        preview = registry.import_csv(
            whole, source_name=source_name, at=at, actor=actor, dry_run=dry_run, rest=rest, progress=progress,
            editions=None if editions is None else {one.id for one in editions},
        )  # fmt: skip
    if preview.applied:
        vet_changed(preview.change, at=at, actor=actor)
    return preview


def _resellers_alone(sheet: Sheet) -> Sheet:
    """What is published says that a holder may assign its space on; whoever is no reseller holds it for itself."""
    keys = {v.customer for line in sheet.lines if isinstance(v := line.value, Holding) and v.tier is Tier.RESELLER}
    resellers = {key for key in keys if key and (found := queries.get_customer(key)) and found.is_reseller}
    return replace(sheet, lines=tuple(
        replace(line, value=replace(v, tier=Tier.CUSTOMER))
        if isinstance(v := line.value, Holding) and v.tier is Tier.RESELLER and v.customer not in resellers else line
        for line in sheet.lines
    ))  # fmt: skip


@contextmanager
def tried_out() -> Iterator[None]:
    """What is taken in inside stands for whatever follows inside, and is forgotten at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def vet_changed(changes: str | None, *, at: datetime, actor: str) -> list[Admission]:
    """Vet the customers whom these changes, of an import or an undoing, have added or changed, or given AS numbers.

    They are customers already: what a file does not say of their orders is no reason to look at each of them.
    """
    return vet_customers(queries.customers_changed_by((changes or "").split()), at=at, actor=actor, ordering=False)


def _holder_of(handle: str) -> tuple[Tier, str | None] | None:
    found = queries.handle_holder(handle)
    return None if found is None else (Tier(found[0]), found[1])


class BadUse(ValueError):
    """What was seen is not in the form of its kind."""


def read_use(kind: UsageKind, what: str, *, seen_at: datetime, source: str) -> Usage:
    """A use in its plain form; raise BadUse with a sentence."""
    try:
        if kind is UsageKind.ANNOUNCEMENT:
            what = plain_name(ResourceKind.ROUTE, what)
        elif kind is UsageKind.TRAFFIC:
            what = str(ip_network(what))
        elif kind is UsageKind.LEASE:
            of, _, name = what.partition(" ")
            if of not in _OF_LEASES or not name:
                raise BadUse(f'a lease is one of "circuit NAME" or "mac NAME", not "{what[:60]}"')
            what = f"{of} {plain_name(_OF_LEASES[of], name)}"
    except (ValueError, NotInItsForm) as why:
        raise BadUse(str(why)) from why
    return Usage(kind=kind, what=what, seen_at=seen_at, source=source)


_OF_LEASES = {SubjectKind.CIRCUIT.value: ResourceKind.CIRCUIT, SubjectKind.MAC.value: ResourceKind.MAC}
