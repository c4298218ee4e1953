"""Who held an address and port at a moment: the registry's rows and what logs said, judged by the pure walk."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import NamedTuple

from tipstaff.attribution.match import (
    GIVEN_OUT,
    PROTOCOLS,
    Question,
    Window,
    attribute,
    block_of,
    plain_address,
    window_of,
)
from tipstaff.attribution.queries import (
    FlowsCannotBeRead,
    bindings_covering,
    bound_near,
    gaps_for,
    gaps_or_unread,
    logged_in_with,
    spoken_of,
)
from tipstaff.attribution.walk import last_sure, machine_of, walk
from tipstaff.registry.queries import (
    Above,
    accounts_over,
    get_customer,
    holdings_and_begin,
    holdings_covering,
    holdings_covering_all,
    holds_within,
    names_known,
    records_begin_at,
    service_ends,
    services_known_as,
)
from tipstaff.words import (
    PUBLIC,
    Attribution,
    AttributionReason,
    Binding,
    Gap,
    Grade,
    Holding,
    HoldingKind,
    Identity,
    Moment,
    Resource,
    ResourceKind,
    SubjectKind,
    Tier,
)

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""A log-in that reads like a customer's key may be another's whose number happens to be the same: nobody said it is."""

INSIDE_ADDRESSES_MAX = 64
"""Of a shared address without a port nobody is named, however many sharers are followed."""


def who_held(
    address: IPv4Address | IPv6Address | None,
    *,
    port: int | None,
    moment: Moment | None,
    received_at: datetime,
    protocol: int | str | None = None,
    there: IPv4Address | IPv6Address | None = None,
    there_port: int | None = None,
) -> Attribution:
    """Name the holder, or say why nobody is named, with the rows that prove it."""
    window = window_of(moment, received_at=received_at)
    number = _protocol(protocol)
    known = Known() if address is None else known_of(address, port=port, protocol=number, window=window)
    answer = walk(
        address,
        port=port,
        protocol=number,
        moment=moment,
        there=there,
        there_port=there_port,
        received_at=received_at,
        holdings=known.holdings,
        bindings=known.bindings,
        identities=known.identities,
        gaps=known.gaps,
        unread=known.unread,
        records_begin_at=known.records_begin_at,
    )
    if answer.customer not in known.direct or _resold(answer):
        (answer,) = _stopped_at_resellers([answer])
    return answer


class Asked(NamedTuple):
    """Who held this address and port then?"""

    address: IPv4Address | IPv6Address
    port: int | None
    protocol: int | str | None
    moment: Moment | None
    there: IPv4Address | IPv6Address | None = None
    there_port: int | None = None


def who_held_them(asked: Sequence[Asked], *, received_at: datetime) -> list[Attribution]:
    """`who_held` for many. Holdings are fetched together; whatever logs may speak of is asked for one by one."""
    plain = [plain_address(q.address) for q in asked]
    addresses = list(dict.fromkeys(plain))
    if not addresses:
        return []
    spoken = spoken_of(addresses)
    windows = [window_of(q.moment, received_at=received_at) for q in asked]
    held = holdings_covering_all(
        [a for a in addresses if a not in spoken],
        earliest=min(w.earliest for w in windows),
        latest=max(w.latest for w in windows),
    )
    begin = records_begin_at()
    alike: dict[object, Attribution] = {}
    near: dict[object, bool] = {}
    found = []
    for question, address, window in zip(asked, plain, windows, strict=True):
        port, moment = question.port, question.moment
        if address in spoken:
            found.append(
                who_held(
                    address,
                    port=port,
                    moment=moment,
                    received_at=received_at,
                    protocol=question.protocol,
                    there=question.there,
                    there_port=question.there_port,
                )
            )
            continue
        # Rows that hold all of the address over all of the window answer every such question alike.
        rows = [h for h in held[address] if h.held_from <= window.latest and not _ended(h, window.earliest)]
        plainly = all(h.held_from <= window.earliest and not _ended(h, window.latest) and not h.shared for h in rows)
        kind = (address, tuple(h.key for h in rows), window.assumed, begin is None or window.earliest < begin)
        answer = alike.get(kind) if plainly else None
        if answer is None:
            unread = _shared_out(rows)
            if unread:
                block = address.version, block_of(address)
                near[block] = near[block] if block in near else _told_near(address)
                unread = not near[block]
            answer = attribute(
                address, port=port, moment=moment, received_at=received_at, holdings=rows, unread=unread,
                records_begin_at=begin,
            )  # fmt: skip
            if plainly:
                alike[kind] = answer
        else:
            answer = replace(answer, earliest=window.earliest, latest=window.latest)
        found.append(answer)
    return _stopped_at_resellers(found)


def _stopped_at_resellers(answers: list[Attribution]) -> list[Attribution]:
    named = [a for a in answers if a.customer is not None]
    above = accounts_over({key for a in named for key in (a.customer, *_resold(a)) if key is not None})
    return [stopped_at_reseller(a, above) for a in answers] if above or any(map(_resold, named)) else answers


def _resold(answer: Attribution) -> frozenset[str]:
    """Who has something of the space of the reseller whom an answer names: by the registry, or by a log."""
    if not any(h.tier is Tier.RESELLER for h in answer.proof):
        return frozenset()
    earliest, latest = answer.earliest, answer.latest
    assert earliest is not None, "there are rows only of a window"
    assert latest is not None, "there are rows only of a window"
    held = {h.customer for h in answer.proof if h.tier is Tier.CUSTOMER and h.customer is not None}
    spoken = {
        i.customer
        for i in answer.identities
        if (i.since is None or i.since <= latest) and (i.until is None or i.until > earliest)
    }
    return frozenset((held | spoken) - {answer.customer})


def stopped_at_reseller(answer: Attribution, above: Mapping[str, Sequence[Above]]) -> Attribution:
    """With the account that has the contract with the operator in the place of one below it, as it was then: a customer
    of a reseller may hold addresses in the registry that the reseller does not. A reseller's row lies over those of its
    own customers only: over somebody else's it contradicts them, and nobody is named."""
    named = answer.customer
    if named is None:
        return answer
    for below in _resold(answer):
        if not _tops(answer, below, above) <= _tops(answer, named, above):
            return replace(
                answer, grade=Grade.CONTRADICTED, reason=AttributionReason.SOURCES_DISAGREE, customer=None,
                service=None, downstream=None,
            )  # fmt: skip
    if named not in above:
        return answer
    assert answer.earliest is not None, "whoever is named was so in a window"
    assert answer.latest is not None, "whoever is named was so in a window"
    tops = tops_of(above[named], since=answer.earliest, until=answer.latest)
    if not tops or tops == {named}:
        return answer
    if len(tops) > 1:
        reason = AttributionReason.SEVERAL_HOLDERS_IN_WINDOW
        return replace(
            answer, grade=Grade.AMBIGUOUS, reason=reason, customer=None, service=None, downstream=None
        )  # fmt: skip
    reason = AttributionReason.ONE_RESELLER if answer.grade is Grade.CONFIRMED else answer.reason
    return replace(answer, reason=reason, customer=tops.pop(), service=None, downstream=answer.downstream or named)


def _tops(answer: Attribution, account: str, above: Mapping[str, Sequence[Above]]) -> set[str]:
    """Who had the contract with us for an account at some instant of the answer's window."""
    assert answer.earliest is not None, "whoever is named was so in a window"
    assert answer.latest is not None, "whoever is named was so in a window"
    return tops_of(above.get(account, ()), since=answer.earliest, until=answer.latest) or {account}


def tops_of(steps: Iterable[Above], *, since: datetime, until: datetime) -> set[str]:
    """Who had the contract with us at some instant of [since, until]; nobody where no step says so."""
    return {step.top for step in steps if step.within(since, until + timedelta(microseconds=1)) is not None}


def _shared_out(held: Iterable[Holding]) -> bool:
    """Whether a pool of the operator's is among them."""
    return any(h.tier is Tier.OPERATOR and h.kind is HoldingKind.POOL for h in held)


def _told_near(address: IPv4Address | IPv6Address) -> bool:
    """Whether a log, plan or map, or the registry by its leases, ever said who had what around the address."""
    plain = plain_address(address)
    around = ip_network(f"{plain}/{24 if plain.version == 4 else 40}", strict=False)
    return bound_near(plain) or holds_within(around, kinds=GIVEN_OUT)


def _ended(holding: Holding, at: datetime) -> bool:
    return holding.held_until is not None and holding.held_until <= at


def _protocol(protocol: int | str | None) -> int | None:
    """The IANA number of a protocol that is stated by name or number."""
    if not isinstance(protocol, str):
        return protocol
    return int(protocol) if protocol.isascii() and protocol.isdigit() else PROTOCOLS.get(protocol.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All rows about an address in a stretch of time, those of inside addresses included."""

    holdings: tuple[Holding, ...] = ()
    bindings: tuple[Binding, ...] = ()
    identities: tuple[Identity, ...] = ()
    gaps: tuple[Gap, ...] = ()
    unread: bool = False
    """The address is in a pool, and no log of its neighbourhood was ever read."""
    records_begin_at: datetime | None = None
    direct: frozenset[str] = frozenset()
    """Those of the customers who never bought from a reseller."""


def known_of(address: IPv4Address | IPv6Address, *, port: int | None, protocol: int | None, window: Window) -> Known:
    """What the registry and the logs say of an address at some instant of the window."""
    held, begin = holdings_and_begin(address, earliest=window.earliest, latest=window.latest)
    usable = port if port is not None and 0 < port < 65536 else None
    gaps = []
    try:
        bindings = bindings_covering(
            address, earliest=window.earliest, latest=window.latest, port=usable, protocol=protocol
        )
    except FlowsCannotBeRead:
        # Flows speak of it, and they are not here: no other source may speak for all of it meanwhile.
        bindings, gaps = [], [Gap(since=None, until=None)]
    held, bindings = _inside(window, held=held, bindings=bindings)
    machines = [m for m in map(machine_of, bindings) if m is not None]
    bindings += logged_in_with(machines, earliest=window.earliest, latest=window.latest)
    since = last_sure(bindings, earliest=window.earliest)
    own, unread = gaps_or_unread(address, earliest=since, latest=window.latest)
    unread = unread and not bindings and _shared_out(held) and not _told_near(address)
    gaps += own
    insides = dict.fromkeys(b.inside for b in bindings if b.inside is not None and b.inside != address)
    for inside in list(insides)[:INSIDE_ADDRESSES_MAX]:
        gaps += [replace(g, behind_nat=True) for g in gaps_for(inside, earliest=since, latest=window.latest)]
    holders = {h.customer for h in held if h.customer is not None}
    known, direct = _known_as(_subjects(bindings), holders=holders)
    return Known(
        holdings=tuple(held), bindings=tuple(bindings), identities=tuple(known), gaps=tuple(gaps),
        unread=unread, records_begin_at=begin, direct=direct,
    )  # fmt: skip


def answer_one(question: Question, *, received_at: datetime) -> Attribution:
    """The answer to one question."""
    return who_held(
        question.address,
        port=question.port,
        protocol=question.protocol,
        moment=question.moment,
        received_at=received_at,
        there=question.there,
        there_port=question.there_port,
    )


def _inside(window: Window, *, held: list[Holding], bindings: list[Binding]) -> tuple[list[Holding], list[Binding]]:
    """What is known of the inside addresses that the translations lead to."""
    seen = {h.key for h in held}
    held, followed = list(held), list(bindings)
    insides = dict.fromkeys((b.inside_realm, b.inside) for b in bindings if b.inside is not None)
    for realm, inside in list(insides)[:INSIDE_ADDRESSES_MAX]:
        assert inside is not None, "only translations were asked"
        earliest, latest = window.earliest, window.latest
        sessions = bindings_covering(inside, realm=realm, earliest=earliest, latest=latest)
        followed += [b for b in sessions if b.inside is None]
        if realm == PUBLIC:
            more = holdings_covering(inside, earliest=earliest, latest=latest)
            held += [h for h in more if h.key not in seen]
            seen |= {h.key for h in more}
    return held, list(dict.fromkeys(followed))


RESOURCE_KINDS = {
    SubjectKind.USERNAME: ResourceKind.LOGIN,
    SubjectKind.CIRCUIT: ResourceKind.CIRCUIT,
    SubjectKind.MAC: ResourceKind.MAC,
}
"""What the registry calls that by which a log names a subscriber."""


def identities(bindings: Iterable[Binding]) -> list[Identity]:
    """By which services the subscribers of these rows are known, and whose customers' customers they are.

    Two lists say so: what the operator imported of subscribers, and the registry's log-ins, circuits and MACs, which
    have one holder at a time. Where they differ both stand, and nobody is named. For a subscriber in neither, the
    registry's own words do: a service's key, the circuit or port that it was said to be at then, a customer's key.
    Whose customers' customers they are is what was true then, and an ended service is nobody's.
    """
    return known_as(_subjects(bindings))


def _subjects(bindings: Iterable[Binding]) -> list[tuple[SubjectKind, str]]:
    return list(dict.fromkeys((b.subject_kind, b.subject) for b in bindings if b.subject_kind is not None))


def known_as(subjects: Sequence[tuple[SubjectKind, str]]) -> list[Identity]:
    """The same for subscribers by name."""
    return _known_as(subjects, holders=())[0]


def _known_as(
    subjects: Sequence[tuple[SubjectKind, str]], *, holders: Iterable[str]
) -> tuple[list[Identity], frozenset[str]]:
    """The same, and who of their customers, and of these holders, never bought from a reseller."""
    known = list(_of_running_services(_named(subjects))) if subjects else []
    customers = {i.customer for i in known} | {*holders}
    above = accounts_over(customers)
    return list(_below_resellers(known, above)), frozenset(customers - above.keys())


def _named(subjects: Sequence[tuple[SubjectKind, str]]) -> list[Identity]:
    known, held = names_known(subjects, [(RESOURCE_KINDS[k], value) for k, value in subjects if k in RESOURCE_KINDS])
    known += [i for i in _held(held) if not any(_says_as_much(told, i) for told in known)]
    told = {(i.kind, i.value) for i in known}
    open_ = [s for s in subjects if s not in told and s[0] is not SubjectKind.MAC]
    services = services_known_as({value for _, value in open_})
    for kind, value in open_:
        found = [s for s in services if s.value == value and (kind is SubjectKind.CIRCUIT or not s.by_port)]
        known += [
            Identity(
                kind=kind, value=value, customer=s.customer, service=s.service, since=s.since, until=s.until,
                sure_from=s.sure_from,
            )
            for s in found
        ]  # fmt: skip
        if not found and kind is SubjectKind.USERNAME and get_customer(value) is not None:
            known.append(Identity(kind=kind, value=value, customer=value, sure_from=NEVER))
    return known


def _of_running_services(known: Sequence[Identity]) -> Iterator[Identity]:
    """Who is known by a service is so until it ends."""
    ends = service_ends({i.service for i in known if i.service is not None})
    for one in known:
        end = None if one.service is None else ends.get(one.service)
        if end is None or (one.until is not None and one.until <= end):
            yield one
        elif one.since is None or one.since < end:
            yield replace(one, until=end)


def _below_resellers(known: Iterable[Identity], above: Mapping[str, Sequence[Above]]) -> Iterator[Identity]:
    """With the account above each then, that answers to the operator."""
    for one in known:
        if one.customer not in above:
            yield one
        for step in above.get(one.customer, ()):
            part = step.within(one.since, one.until)
            if part is not None:
                reseller = None if step.top == one.customer else step.top
                yield replace(one, reseller=reseller, since=part.since, until=part.until)


def _held(rows: Iterable[Resource]) -> list[Identity]:
    """Who held these log-ins, circuits and MACs, and when. A scope is the name of the source whose logs name it so."""
    kinds = {resource: subject for subject, resource in RESOURCE_KINDS.items()}
    return [
        Identity(
            kind=kinds[row.kind],
            value=row.name,
            customer=row.customer,
            service=row.service,
            since=row.held_from,
            until=row.held_until,
            source=row.scope or None,
        )
        for row in rows
        if row.customer is not None
    ]


def _says_as_much(told: Identity, held: Identity) -> bool:
    """True when an entry of a list surely says all that a holding says: the same customer, at least as long."""
    since, until = told.sure_from or told.since, told.sure_until or told.until
    return (
        (told.kind, told.value, told.customer) == (held.kind, held.value, held.customer)
        and (held.service is None or told.service == held.service)
        and (since is None or (held.since is not None and since <= held.since))
        and (until is None or (held.until is not None and held.until <= until))
    )
