"""Reads of admission. Private to this room but for `queries.py`."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import ip_network

from django.db.models import Q, QuerySet

from tipstaff.words import (
    Admission,
    AdmissionState,
    LateUse,
    LateUseReason,
    ListKind,
    ResourceKind,
    Standing,
    SubjectKind,
    Usage,
    UsageKind,
    is_of_logs,
    require_aware,
)

from .admissions import admission_of, entries_of
from .late_use import Period
from .models import (
    AdmissionRow,
    CustomerRow,
    HoldingRow,
    LateUseRow,
    LetterRow,
    ListRow,
    RepresentativeRow,
    ResourceRow,
    StandingRow,
)
from .planned import fetch_planned
from .rows import customer_of
from .spells import service_ends, services_known_as
from .subscribers import identities_of
from .vetting import Entry, Former, Network, Order

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


def get_admission(key: str) -> Admission | None:
    digits = key.upper().removeprefix("AD-")
    row = AdmissionRow.objects.filter(pk=int(digits)).first() if digits.isdecimal() and len(digits) < 18 else None
    return None if row is None else admission_of(row)


def list_admissions(
    *, state: AdmissionState | None = None, customer: str | None = None, limit: int = 200, past: int | None = None
) -> list[Admission]:
    """Vettings, those that wait the longest first; of one state or customer. `past` is the last number of a page."""
    waiting = state is AdmissionState.WAITING
    rows = AdmissionRow.objects.order_by("id" if waiting else "-id")
    if past is not None:
        rows = rows.filter(id__gt=past) if waiting else rows.filter(id__lt=past)
    if state is not None:
        rows = rows.filter(state=state)
    if customer is not None:
        rows = rows.filter(customer_key=customer)
    return [admission_of(row) for row in rows[:limit]]


def count_waiting_admissions() -> int:
    return AdmissionRow.objects.filter(state=AdmissionState.WAITING).count()


def list_late_uses(*, customer: str | None = None, limit: int = 200) -> list[tuple[LateUse, int]]:
    """Findings with how often each was seen, the latest first."""
    rows = LateUseRow.objects.order_by("-last_seen_at", "-id")
    if customer is not None:
        rows = rows.filter(customer_key=customer)
    return [(_late_use(row), row.count) for row in rows[:limit]]


def _late_use(row: LateUseRow) -> LateUse:
    return LateUse(
        use=Usage(kind=UsageKind(row.kind), what=row.what, seen_at=row.last_seen_at, source=row.source),
        customer=row.customer_key,
        reason=LateUseReason(row.reason),
        ended_at=row.ended_at,
        explanation=row.explanation,
    )


def lists_loaded() -> tuple[Mapping[ListKind, tuple[Entry, ...]], tuple[str, ...]]:
    """The lists as last given, and what to call them: `drop of 2026-03-01`."""
    rows = list(ListRow.objects.order_by("kind"))
    return (
        {ListKind(row.kind): entries_of(row) for row in rows},
        tuple(f"{row.kind} of {row.loaded_at:%Y-%m-%d}" for row in rows),
    )


def former_customers() -> list[Former]:
    """Everybody who was terminated, or refused at admission, with what they may be known by."""
    refused = dict(AdmissionRow.objects.filter(state=AdmissionState.REFUSED).values_list("customer_key", "decided_at"))
    rows = CustomerRow.objects.prefetch_related("representatives").filter(
        Q(standing=Standing.TERMINATED) | Q(key__in=list(refused))
    )
    ended = {
        row.customer_id: row.during.lower
        for row in StandingRow.objects.filter(standing=Standing.TERMINATED, during__endswith__isnull=True)
    }
    found = []
    for row in rows:
        when = ended.get(row.key)
        how = f"terminated on {when:%Y-%m-%d}" if when else f"refused on {refused[row.key]:%Y-%m-%d}"
        found.append(
            Former(
                key=row.key,
                name=row.name,
                emails=_emails(row),
                phones=_phones(row),
                postal_address=row.postal_address,
                ended=how,
            )
        )
    return found


def order_of(customer: str) -> Order | None:
    """A customer as an order, with what they bring along: prefixes of letters and holdings, and AS numbers."""
    return next(_orders(CustomerRow.objects.filter(key=customer)), None)


def running_orders() -> Iterator[Order]:
    """Everybody whose contract has not been ended, as an order, by key."""
    rows = CustomerRow.objects.exclude(standing=Standing.TERMINATED)
    after = ""
    while keys := list(rows.filter(key__gt=after).order_by("key").values_list("key", flat=True)[:1000]):
        yield from _orders(CustomerRow.objects.filter(key__in=keys).order_by("key"))
        after = keys[-1]


def latest_admissions() -> dict[str, Admission]:
    """The last vetting of each customer."""
    rows = AdmissionRow.objects.order_by("customer_key", "-id").distinct("customer_key")
    return {row.customer_key: admission_of(row) for row in rows.iterator(2000)}


def _orders(customers: QuerySet[CustomerRow]) -> Iterator[Order]:
    rows = list(customers.prefetch_related("representatives"))
    keys = [row.key for row in rows]
    prefixes: dict[str, list[Network]] = {key: [] for key in keys}
    asns: dict[str, list[int]] = {key: [] for key in keys}
    for letter in LetterRow.objects.filter(customer_id__in=keys):
        prefixes[letter.customer_id] += [ip_network(str(prefix)) for prefix in letter.prefixes]
    held = HoldingRow.objects.filter(customer_id__in=keys, during__endswith__isnull=True, kind="static")
    for holder, prefix in held.values_list("customer_id", "prefix"):
        prefixes[str(holder)].append(prefix)
    numbers = ResourceRow.objects.filter(customer_id__in=keys, kind=ResourceKind.ASN, during__endswith__isnull=True)
    for holder, name in numbers.values_list("customer_id", "name"):
        asns[str(holder)].append(int(name.removeprefix("AS")))
    for row in rows:
        yield Order(
            customer=customer_of(row),
            emails=_emails(row),
            phones=_phones(row),
            prefixes=tuple(dict.fromkeys(prefixes[row.key])),
            asns=tuple(asns[row.key]),
        )


def periods_of_addresses(network: Network, *, at: datetime) -> list[Period]:
    """Who held all of a network, and when: the customers' own tier. What a person's row says beyond the end of its
    service accuses nobody: the next holder's row may have been refused for it."""
    rows = HoldingRow.objects.select_related("service").extra(
        where=["prefix >>= %s::inet AND tier = 'customer' AND lower(during) <= %s"], params=[str(network), at]
    )
    return [
        Period(
            customer=str(row.customer_id),
            held_from=row.during.lower,
            held_until=row.during.upper,
            fixed=row.kind in ("static", "delegated") and not _beyond_its_service(row, at=at),
        )
        for row in rows
    ]


def _beyond_its_service(row: HoldingRow, *, at: datetime) -> bool:
    end, until = None if row.service is None else row.service.ended_at, row.during.upper
    return end is not None and end <= at and (until is None or at < until)


def periods_of_resources(kinds: Iterable[ResourceKind], name: str, *, source: str | None = None) -> list[Period]:
    """Who held a resource of one of these kinds under this name, and when. With `source` only those whom its logs name
    so: two log-in servers may each have an `alice`."""
    rows = ResourceRow.objects.filter(kind__in=list(kinds), name=name, customer_id__isnull=False)
    return [
        Period(customer=str(row.customer_id), held_from=row.during.lower, held_until=row.during.upper)
        for row in rows
        if source is None or is_of_logs(row.scope, source)
    ]


_HELD_AS = {
    SubjectKind.USERNAME: ResourceKind.LOGIN,
    SubjectKind.CIRCUIT: ResourceKind.CIRCUIT,
    SubjectKind.MAC: ResourceKind.MAC,
}


def periods_of_subscriber(kind: SubjectKind, name: str, *, source: str) -> list[Period]:
    """Whose a log-in, circuit or machine was that `source` names so, and when, as the registry and the lists of
    subscribers say, and of a circuit whose service was at that port, whatever the others say of it: a line that one
    customer has given up is the next one's. As long as it was possible, for nobody is to be accused of what may have
    been theirs still. An entry without a beginning counts from its first reading."""
    found = [*periods_of_resources([_HELD_AS[kind]], name, source=source), *_listed(kind, name)]
    if kind is not SubjectKind.CIRCUIT:
        return found
    return found + [
        Period(customer=s.customer, held_from=s.since or s.sure_from or _ALWAYS, held_until=s.until)
        for s in services_known_as([name])
    ]


def _listed(kind: SubjectKind, name: str) -> list[Period]:
    entries = identities_of([(kind, name)])
    ends = service_ends({i.service for i in entries if i.service is not None})
    return [
        Period(
            customer=i.customer, held_from=i.since or i.sure_from or _ALWAYS,
            held_until=min((x for x in (i.until, ends.get(i.service or "")) if x is not None), default=None),
        )
        for i in entries
    ]  # fmt: skip


def names_in_logs(customers: Iterable[str]) -> list[tuple[SubjectKind, str, str]]:
    """By which log-ins and circuits logs may name these customers: (kind, name, customer), from what they hold or held
    and from lists of subscribers. Whose one was at a moment, `holders_of_name` says."""
    rows = fetch_planned(
        """
        SELECT CASE r.kind WHEN %s THEN %s ELSE %s END, r.name, r.customer_id FROM registry_resourcerow r
        WHERE r.kind = ANY(%s) AND r.customer_id = ANY(%s)
        UNION SELECT i.kind, i.value, i.customer_id FROM registry_subscriberrow i
        WHERE i.kind = ANY(%s) AND i.customer_id = ANY(%s) ORDER BY 1, 2, 3
        """,
        [
            ResourceKind.CIRCUIT, SubjectKind.CIRCUIT, SubjectKind.USERNAME,
            [ResourceKind.LOGIN, ResourceKind.MAILBOX, ResourceKind.CIRCUIT], (keys := list(customers)),
            [SubjectKind.USERNAME, SubjectKind.CIRCUIT], keys,
        ],
    )  # fmt: skip
    return [(SubjectKind(kind), name, customer) for kind, name, customer in rows]


def holders_of_name(kind: SubjectKind, name: str, *, source: str, at: datetime) -> frozenset[str]:
    """Every customer whose a log-in or circuit that `source` names may have been then, by what they held and by lists
    of subscribers, which speak of all logs. A mailbox is one address everywhere, whatever system it is of."""
    log_in = kind is SubjectKind.USERNAME
    held = ResourceKind.LOGIN if log_in else ResourceKind.CIRCUIT
    periods = periods_of_resources([held], name, source=source)
    periods += _listed(kind, name)
    if log_in:
        periods += periods_of_resources([ResourceKind.MAILBOX], name.lower())
    return frozenset(
        p.customer for p in periods if p.held_from <= at and (p.held_until is None or at < p.held_until)
    )  # fmt: skip


def names_ever_held(kinds: Iterable[ResourceKind]) -> frozenset[str]:
    """The names of everything of these kinds that a customer holds or ever held."""
    rows = ResourceRow.objects.filter(kind__in=list(kinds), customer_id__isnull=False)
    return frozenset(rows.values_list("name", flat=True).distinct())


def subscribers_without_a_right(*, at: datetime) -> list[tuple[SubjectKind, str]]:
    """Log-ins, circuits and machines that a customer held, or had by a list of subscribers or by the port of a service,
    and whose right to them had ended by `at`: the end of a holding, of an entry, of its service or of the contract."""
    rows = fetch_planned(
        """
        WITH gone AS (
            SELECT customer_id FROM registry_standingrow WHERE standing = %s AND during @> %s)
        SELECT w.said, r.name FROM registry_resourcerow r
            JOIN unnest(%s::text[], %s::text[]) w(said, kind) ON w.kind = r.kind
        WHERE r.customer_id IS NOT NULL AND (upper(r.during) <= %s OR r.customer_id IN (SELECT customer_id FROM gone))
        UNION SELECT i.kind, i.value FROM registry_subscriberrow i
        WHERE i.kind = ANY(%s) AND (i.until <= %s OR i.customer_id IN (SELECT customer_id FROM gone) OR EXISTS (
            SELECT FROM registry_servicerow v WHERE v.key = i.service_id AND v.ended_at <= %s))
        UNION SELECT %s, v.port FROM registry_servicerow v
        WHERE v.port <> '' AND (v.ended_at <= %s OR v.customer_id IN (SELECT customer_id FROM gone))
        ORDER BY 1, 2
        """,
        [
            Standing.TERMINATED.value, require_aware(at), (said := [k.value for k in _HELD_AS]),
            [k.value for k in _HELD_AS.values()], at, said, at, at, SubjectKind.CIRCUIT.value, at,
        ],
    )  # fmt: skip
    return [(SubjectKind(kind), name) for kind, name in rows]


def handle_holder(handle: str) -> tuple[str, str | None] | None:
    """(tier, customer) of a public registry's handle that is held now; None when nobody holds it."""
    row = ResourceRow.objects.filter(kind=ResourceKind.HANDLE, name=handle.upper(), during__endswith__isnull=True)
    found = row.first()
    return None if found is None else (found.tier, found.customer_id)


def _emails(row: CustomerRow) -> frozenset[str]:
    people: Iterable[RepresentativeRow] = row.representatives.all()
    return frozenset(filter(None, (row.email.lower(), *(person.email.lower() for person in people))))


def _phones(row: CustomerRow) -> frozenset[str]:
    people: Iterable[RepresentativeRow] = row.representatives.all()
    return frozenset(filter(None, (row.phone, *(person.phone for person in people))))
