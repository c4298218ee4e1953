"""Reads of cases."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import Any, NamedTuple

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import connection
from django.db.models import Count, Q, QuerySet

from tipstaff.host import viewing
from tipstaff.host.newest import MANY, newest
from tipstaff.host.viewing import hidden, is_hidden
from tipstaff.ledger.queries import entries_of, latest_about
from tipstaff.words import Case, CaseState, Decision, Note, Role, Strike

from . import rules
from .models import CaseRow, DecisionRow, MemberRow, MergeRow, NoteRow
from .rows import case_of, open_row

seen = partial(viewing.seen, of=viewing.CASES)

_ORDERS = {
    "due": ("due_at", "-severity", "-opened_at", "key"),
    "newest": ("-opened_at", "-key"),
    "oldest": ("opened_at", "key"),
    "severity": ("-severity", "due_at", "key"),
    "reports": ("-reports", "-opened_at", "key"),
    "customer": ("customer_name", "-opened_at", "key"),
    "waits": ("waits_since", "key"),
}


def get_case(key: str) -> Case | None:
    row = seen(CaseRow.objects.filter(pk=key)).first()
    return case_of(row) if row else None


def closed_cases(groups: Collection[str], *, sealed: bool) -> set[str]:
    """Keys of all cases of these clause groups; with `sealed` of every one that is sealed too."""
    found = set(CaseRow.objects.filter(group__in=list(groups)).values_list("key", flat=True)) if groups else set()
    if sealed:
        found.update(CaseRow.objects.filter(resource=rules.SEALED).values_list("key", flat=True))
    return found


def list_cases(
    *,
    states: frozenset[CaseState] | None = None,
    search: str = "",
    customer: str | None = None,
    assignee: str | None = None,
    narrowed: "Narrowed | None" = None,
    order: str = "due",
    limit: int = 50,
    offset: int = 0,
) -> list[Case]:
    """Cases, most pressing first. `search` matches key, customer, resource and clause."""
    rows = _filtered(states, search, customer, assignee, narrowed).order_by(*_ORDERS.get(order, _ORDERS["due"]))
    return [case_of(row) for row in rows[offset : offset + limit]]


def count_cases(
    *,
    states: frozenset[CaseState] | None = None,
    search: str = "",
    customer: str | None = None,
    assignee: str | None = None,
    narrowed: "Narrowed | None" = None,
    most: int | None = None,
) -> int:
    """How many such cases there are; it counts no further than `most`."""
    return _filtered(states, search, customer, assignee, narrowed).values("pk")[:most].count()


class Narrowed(NamedTuple):
    """What else a list of cases is narrowed to; what is None narrows nothing."""

    tag: str | None = None
    campaign: str | None = None
    watcher: str | None = None
    """Followed by this person."""
    awake_at: datetime | None = None
    """Without what is snoozed then."""
    snoozed_at: datetime | None = None
    """Only what is snoozed then."""
    keys: frozenset[str] | None = None
    customers: frozenset[str] | None = None
    brand: str | None = None
    """Of customers who were under this brand."""
    unsealed: bool = False
    """Without what is sealed."""
    before: tuple[datetime, str] | None = None
    """In the order of the newest, only what comes after the case that was opened then and has this key."""


def _filtered(
    states: frozenset[CaseState] | None,
    search: str,
    customer: str | None,
    assignee: str | None,
    narrowed: Narrowed | None,
) -> QuerySet[CaseRow]:
    rows: QuerySet[CaseRow] = seen(CaseRow.objects.all())
    if narrowed is not None:
        if narrowed.tag is not None:
            rows = rows.filter(tags__contains=[narrowed.tag])
        if narrowed.brand is not None:
            rows = rows.filter(brand=narrowed.brand)
        if narrowed.campaign is not None:
            rows = rows.filter(campaign=narrowed.campaign)
        if narrowed.watcher is not None:
            rows = rows.filter(watchers__name=narrowed.watcher)
        if narrowed.awake_at is not None:
            rows = rows.filter(Q(snoozed_until=None) | Q(snoozed_until__lte=narrowed.awake_at))
        if narrowed.snoozed_at is not None:
            rows = rows.filter(snoozed_until__gt=narrowed.snoozed_at)
        if narrowed.unsealed:
            rows = rows.exclude(resource=rules.SEALED)
        if narrowed.before is not None:
            at, key = narrowed.before
            rows = rows.filter(Q(opened_at__lt=at) | Q(opened_at=at, key__lt=key))
        if narrowed.keys is not None:
            rows = rows.filter(key__in=narrowed.keys)
        if narrowed.customers is not None:
            rows = rows.filter(customer__in=narrowed.customers)
    if states is not None:
        rows = rows.filter(state__in=[str(s) for s in states])
    if customer is not None:
        rows = rows.filter(customer=customer)
    if assignee is not None:
        rows = rows.filter(assignee=assignee)
    if search:
        rows = rows.exclude(resource=rules.SEALED)  # What is sealed is found by nobody, and counted for nobody.
    for word in search.split():
        rows = rows.filter(
            Q(key=word.upper())
            | Q(customer_name__icontains=word)
            | Q(customer__iexact=word)
            | Q(resource__icontains=word)
            | Q(clause__icontains=word)
            | Q(type__icontains=word)
        )
    return rows


def find_words(text: str, *, limit: int) -> list[Case]:
    """The newest cases in whose explanation, answer or notes all these words stand; never one that is sealed."""
    asked = SearchQuery(text, config="simple", search_type="websearch")
    # What may not be seen is left out first: among the newest it would take the place of what may, and so be told of.
    cases, notes = seen(CaseRow.objects.exclude(resource=rules.SEALED)), seen(NoteRow.objects.all(), "case_id")
    noted = notes.annotate(words=SearchVector("text", config="simple")).filter(words=asked)
    said = cases.annotate(words=SearchVector("explanation", "answer", config="simple")).filter(words=asked)
    keys = {
        *newest(noted, "id", take="case_id", limit=limit),
        *newest(said, "opened_at", take="key", limit=limit),
    }
    rows = cases.filter(key__in=keys).order_by("-opened_at", "-key")
    return [case_of(row) for row in rows[:limit]]


_SOME_OF_A_NETWORK = """
    SELECT key FROM (SELECT key, opened_at FROM cases_caserow WHERE cases_inet(resource) && %s::inet LIMIT %s) few
    ORDER BY opened_at DESC, key DESC
"""
_NEWEST_OF_A_NETWORK = """
    SELECT key FROM cases_caserow WHERE cases_inet(resource) && %s::inet ORDER BY opened_at DESC, key DESC LIMIT %s
"""


def find_resources(network: IPv4Network | IPv6Network, *, limit: int) -> list[Case]:
    """The newest cases that were opened about an address or prefix inside of `network`, or around it."""
    with connection.cursor() as cursor:
        # Few fit a narrow network: the index of addresses finds them all. Many fit a wide one: then the newest are met
        # soon. PostgreSQL cannot tell which it is, and would read all cases for a narrow one.
        cursor.execute(_SOME_OF_A_NETWORK, [str(network), MANY])
        keys = [key for (key,) in cursor.fetchall()]
        if len(keys) == MANY:
            cursor.execute(_NEWEST_OF_A_NETWORK, [str(network), limit])
            keys = [key for (key,) in cursor.fetchall()]
        keys = keys[:limit]
    rows = seen(CaseRow.objects.filter(key__in=keys)).order_by("-opened_at", "-key")
    return [case_of(row) for row in rows]


def keys_of_customers(customers: Collection[str], *, states: frozenset[CaseState], limit: int) -> dict[str, list[str]]:
    """Keys of each customer's cases in these states, the `limit` most pressing; empty for one without any."""
    found: dict[str, list[str]] = {customer: [] for customer in customers}
    rows = seen(CaseRow.objects.filter(customer__in=list(customers), state__in=[str(s) for s in states]))
    for customer, key in rows.order_by("customer", *_ORDERS["due"]).values_list("customer", "key"):
        if len(found[customer]) < limit:
            found[customer].append(key)
    return found


def open_case_of(customer: str, *, group: str, service: str | None) -> Case | None:
    row = open_row(customer, group=group, service=service, lock=False)
    return case_of(row) if row else None


def strikes_of(customer: str, *, group: str, since: datetime) -> list[Strike]:
    """Cases of this customer and group that were upheld and closed since; the edition says which of them count."""
    return [strike for strike in strikes_of_all([customer], since=since)[customer] if strike.group == group]


def strikes_of_all(customers: Collection[str], *, since: datetime) -> dict[str, list[Strike]]:
    """Cases of each of these customers that were upheld and closed since, of whatever group."""
    found: dict[str, list[Strike]] = {customer: [] for customer in customers}
    rows = CaseRow.objects.filter(
        Q(closed_at__gte=since) | Q(closed_at=None, fixed_at__gte=since),  # While it is watched it counts already.
        customer__in=list(customers), outcome__in=[str(o) for o in rules.UPHELD],
    ).order_by("closed_at", "key")  # fmt: skip
    counted: set[str] = set()
    for row in rows:
        ended_at = row.closed_at or row.fixed_at
        assert ended_at is not None, "asked for"
        whole = row.split_from or row.key
        if whole in counted:
            continue  # However many parts a case was split into, it is one breach.
        counted.add(whole)
        entries = (entry for key in {row.key, whole} for entry in entries_of(key, what=rules.TELL_OF_DISPUTES))
        contested = rules.contested(sorted(entries, key=lambda entry: entry.id))
        found[row.customer].append(Strike(case=row.key, group=row.group, at=ended_at, contested=contested))
    return found


def unanswered_of(customer: str, *, since: datetime, but_not_of: frozenset[str]) -> list[str]:
    """Keys of a customer's cases whose time to answer passed since without an answer, but for some clause groups."""
    rows = CaseRow.objects.filter(customer=customer).exclude(group__in=but_not_of)
    passed = latest_about(rows.values_list("key", flat=True), what=[f"case.{CaseState.OVERDUE}"])
    return sorted(key for key, entry in passed.items() if entry.at >= since)


def closed_as_fixed(customer: str, *, group: str, resource: str, since: datetime, until: datetime) -> list[str]:
    """Keys of a customer's cases about the same thing that were closed as fixed in [since, until]."""
    rows = CaseRow.objects.filter(
        customer=customer, group=group, resource=resource, outcome__in=[str(o) for o in rules.UPHELD],
        closed_at__gte=since, closed_at__lte=until,
    )  # fmt: skip
    return list(rows.order_by("key").values_list("key", flat=True))


def list_due(at: datetime, *, limit: int = 200) -> list[str]:
    """Keys of cases whose deadline has passed at `at`."""
    rows = seen(CaseRow.objects.filter(state__in=[str(s) for s in rules.CLOCK_RUNS], due_at__lte=at)).order_by("due_at")
    return list(rows.values_list("key", flat=True)[:limit])


def due_soon(
    customers: Collection[str], *, at: datetime, until: datetime, limit: int = 2000
) -> list[tuple[str, datetime]]:
    """Cases of these customers whose time to answer ends between the two instants, each with its deadline."""
    rows = CaseRow.objects.filter(
        state__in=[str(s) for s in rules.CLOCK_RUNS], due_at__gt=at, due_at__lte=until, customer__in=list(customers)
    )  # fmt: skip
    found = rows.order_by("due_at").values_list("key", "due_at")[:limit]
    return [(key, due) for key, due in found if due is not None]


def list_without_due(*, limit: int = 200) -> list[str]:
    """Keys of cases whose time to answer has yet to begin again, as after a dispute that was not upheld."""
    rows = CaseRow.objects.filter(state=str(CaseState.NOTIFIED), due_at=None).order_by("opened_at")
    return list(rows.values_list("key", flat=True)[:limit])


def list_in(state: CaseState, *, limit: int = 1000) -> list[str]:
    """Keys of cases in `state`, oldest first."""
    return list(CaseRow.objects.filter(state=str(state)).order_by("opened_at").values_list("key", flat=True)[:limit])


def count_by_state(states: Collection[CaseState]) -> dict[CaseState, int]:
    """How many cases are in each of these states; what most cases have come to is better not asked for."""
    rows = seen(CaseRow.objects.filter(state__in=[str(s) for s in states])).values_list("state").annotate(n=Count("*"))
    return {CaseState(state): n for state, n in rows}


def count_overdue(at: datetime) -> int:
    """Cases whose deadline is past and whose measure is not there yet."""
    late = Q(state__in=[str(s) for s in rules.CLOCK_RUNS], due_at__lte=at) | Q(state=str(CaseState.OVERDUE))
    return seen(CaseRow.objects.filter(late)).count()


class Kind(NamedTuple):
    """What decides within what time a person acts on a case that waits."""

    edition: str
    group: str
    clause: str
    severity: int


class Waiting(NamedTuple):
    """How many cases of one kind wait for a person, and of them those late and those late before the day ends."""

    kind: Kind
    waiting: int
    late: int
    today: int


def waiting_kinds() -> list[Kind]:
    """Of which kinds cases wait for a person."""
    rows = seen(CaseRow.objects.filter(_WAITS)).order_by().values_list(*Kind._fields).distinct()
    return sorted(Kind(*row) for row in rows)


def waiting_by(
    levels: Mapping[Kind, timedelta], *, at: datetime, ends_at: datetime, limit: int
) -> tuple[list[Waiting], list[tuple[Case, datetime]], list[tuple[Case, datetime]]]:
    """How many wait of each kind, whose cases somebody acts on within its level; and the `limit` cases that are late at
    `at`, and that will be before `ends_at`, each with when it is, soonest first."""
    kinds = sorted(levels)
    columns: list[list[Any]] = [list(column) for column in zip(*kinds, strict=True)] or [[], [], [], []]
    columns.append([levels[kind] for kind in kinds])
    states = sorted(str(state) for state in rules.NEEDS_PERSON)
    given: list[list[Any]] = [*columns, states, viewing.hidden_of(viewing.CASES).split()]
    with connection.cursor() as cursor:
        cursor.execute(_WAITING_BY_KIND, [at, at, ends_at, *given])
        found = [Waiting(Kind(*row[:4]), *row[4:]) for row in cursor.fetchall()]
        due: list[list[tuple[str, datetime]]] = []
        for first, last in ((datetime.min.replace(tzinfo=UTC), at), (at, ends_at - timedelta(microseconds=1))):
            cursor.execute(_WAITING_DUE, [*given, first, last, limit])
            due.append(cursor.fetchall())
    rows = CaseRow.objects.in_bulk([key for some in due for key, _ in some])
    late, today = ([(case_of(rows[key]), by) for key, by in some] for some in due)
    return found, late, today


_WAITS = Q(state__in=[str(state) for state in rules.NEEDS_PERSON], waits_since__isnull=False)
_WAITING = """
FROM cases_caserow c JOIN unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::interval[])
    k(edition, "group", clause, severity, level)
    ON k.edition = c.edition AND k."group" = c."group" AND k.clause = c.clause AND k.severity = c.severity
WHERE c.waits_since IS NOT NULL AND c.state = ANY(%s) AND c.key <> ALL(%s::text[])
"""
_WAITING_BY_KIND = f"""
SELECT c.edition, c."group", c.clause, c.severity, count(*), count(*) FILTER (WHERE c.waits_since + k.level <= %s),
    count(*) FILTER (WHERE c.waits_since + k.level > %s AND c.waits_since + k.level < %s)
{_WAITING} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
_WAITING_DUE = f"""
SELECT c.key, c.waits_since + k.level {_WAITING}
    AND c.waits_since + k.level > %s AND c.waits_since + k.level <= %s ORDER BY 2, 1 LIMIT %s
"""


def states_of(keys: Collection[str]) -> dict[str, CaseState]:
    """In which state each of these cases is."""
    rows = seen(CaseRow.objects.filter(pk__in=list(keys))).values_list("key", "state")
    return {key: CaseState(state) for key, state in rows}


def told_incidents(case: str) -> dict[str, str | None]:
    """Each incident of a case, and the letter that named what it is about to the holder; None while none has."""
    return dict(MemberRow.objects.filter(case_id=case).order_by("id").values_list("incident", "told_by"))


def naming_still(letters: Collection[str]) -> frozenset[str]:
    """Those of these letters by which alone a holder knows of some incident."""
    rows = MemberRow.objects.filter(told_by__in=list(letters)).values_list("told_by", flat=True)
    return frozenset(filter(None, rows.distinct()))


def told_by_none(incidents: Collection[str]) -> frozenset[str]:
    """Those of these incidents that no letter has named to the holder."""
    rows = MemberRow.objects.filter(incident__in=list(incidents), told_by=None)
    return frozenset(rows.values_list("incident", flat=True))


class Member(NamedTuple):
    """How an incident stands in its case."""

    told_by: str | None
    """The letter that named what it is about to the holder."""
    decides: Role | None
    """Who must decide on a measure against what it is about; None leaves it to the clock."""
    waits: bool
    """A person has yet to decide whether the holder is told of it at all."""
    home: str | None = None
    """The case that it was judged into, and whose terms are its own; None where that is the case that it is in."""
    confirmed: bool = False
    """Whether the holder is known to be the one, and not only probably."""


def members_of(case: str) -> dict[str, Member]:
    """Each incident of a case, and how it stands in it, in the order in which they came."""
    fields = ("incident", "told_by", "decides", "waits", "home", "confirmed")
    rows = MemberRow.objects.filter(case_id=case).order_by("id").values_list(*fields)
    return {
        i: Member(told, Role(decides) if decides else None, waits, home, confirmed)
        for i, told, decides, waits, home, confirmed in rows
    }


def members_page(case: str, *, after: int, limit: int) -> list[tuple[int, str, Member]]:
    """So many of `members_of` behind a place, each with its own; without what is left out now."""
    found: list[tuple[int, str, Member]] = []
    for row in MemberRow.objects.filter(case_id=case, id__gt=after).order_by("id").iterator(chunk_size=limit):
        if not is_hidden(row.incident):
            decides = Role(row.decides) if row.decides else None
            found.append((row.pk, row.incident, Member(row.told_by, decides, row.waits, row.home, row.confirmed)))
            if len(found) == limit:
                break
    return found


def waiting_members(case: str) -> frozenset[str]:
    """The incidents of a case of which a person has yet to decide whether the holder is told of them at all."""
    return frozenset(MemberRow.objects.filter(case_id=case, waits=True).values_list("incident", flat=True))


def standing_key(key: str) -> str:
    """The case in which `key` goes on: itself, unless it was merged into another."""
    for _ in range(MERGES_MAX):
        into = CaseRow.objects.filter(pk=key).values_list("merged_into", flat=True).first()
        if into is None:
            break
        key = into
    return key


def standing_keys(keys: Collection[str]) -> dict[str, str]:
    """The same for each of these."""
    rows = CaseRow.objects.filter(pk__in=list(keys)).values_list("key", "merged_into")
    return {key: standing_key(into) if into is not None else key for key, into in rows}


MERGES_MAX = 100
"""So far a chain of merges is followed."""


def cases_of_letter(letter: str, *, case: str | None) -> list[str]:
    """The cases of which a letter tells: the one that it was written on, and those that took incidents out of it."""
    told = MemberRow.objects.filter(told_by=letter).values_list("case_id", flat=True)
    return sorted({*told, *([standing_key(case)] if case is not None else [])})


def lineage_of(key: str) -> frozenset[str]:
    """The case, and all that it was ever split from, merged with or split into: who decided on one decided on all."""
    found, fresh = {key}, {key}
    while fresh:
        rows = CaseRow.objects.filter(Q(key__in=fresh) | Q(split_from__in=fresh)).values_list("key", "split_from")
        merges = MergeRow.objects.filter(Q(case__in=fresh) | Q(into__in=fresh)).values_list("case_id", "into")
        fresh = {k for pair in (*rows, *merges) for k in pair if k} - found
        found |= fresh
    return frozenset(found) - hidden()


def list_watched_out(at: datetime, *, limit: int = 200) -> list[str]:
    """Keys of fixed cases whose watch ends at `at`."""
    rows = CaseRow.objects.filter(state=str(CaseState.MONITORED), watched_until__lte=at).order_by("watched_until")
    return list(rows.values_list("key", flat=True)[:limit])


def came_again(case: Case) -> str | None:
    """The case that is open for the same customer, clause group and service: what was fixed has come again."""
    row = open_row(case.customer, group=case.group, service=case.service, lock=False)
    return row.key if row is not None and row.key != case.key else None


def untold_cases(*, prefix: str, limit: int) -> list[str]:
    """Open cases, past a person's first look, in which something whose key begins so was named in no letter yet."""
    waiting = [str(s) for s in rules.OPEN if s is not CaseState.WAITING_PERSON]
    rows = MemberRow.objects.filter(told_by=None, waits=False, incident__startswith=prefix, case__state__in=waiting)
    return sorted(set(rows.values_list("case_id", flat=True)))[:limit]


def notes_of(case: str) -> list[Note]:
    rows = NoteRow.objects.filter(case_id=case).order_by("at", "id")
    return [Note(case=case, at=r.at, actor=r.actor, text=r.text) for r in rows]


def decisions_of(case: str) -> list[Decision]:
    rows = DecisionRow.objects.filter(case_id=case).order_by("proposed_at", "id")
    return [
        Decision(
            case=case,
            kind=r.kind,
            detail=r.detail,
            ground=r.ground,
            proposed_by=r.proposed_by,
            proposed_at=r.proposed_at,
            seconded_by=r.seconded_by,
        )
        for r in rows
    ]
