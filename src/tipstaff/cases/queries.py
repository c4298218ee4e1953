"""Reads of cases."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Q, QuerySet

from tipstaff.ledger.queries import entries_of, latest_about
from tipstaff.words import Case, CaseState, Decision, Note, Role, Strike

from . import rules
from .models import CaseRow, DecisionRow, MemberRow, NoteRow
from .rows import case_of, open_row

_ORDERS = {
    "due": ("due_at", "-severity", "-opened_at", "key"),
    "newest": ("-opened_at", "-key"),
    "oldest": ("opened_at", "key"),
    "severity": ("-severity", "due_at", "key"),
    "reports": ("-reports", "-opened_at", "key"),
    "customer": ("customer_name", "-opened_at", "key"),
}


def get_case(key: str) -> Case | None:
    row = CaseRow.objects.filter(pk=key).first()
    return case_of(row) if row else None


def list_cases(
    *,
    states: frozenset[CaseState] | None = None,
    search: str = "",
    customer: str | None = None,
    assignee: str | None = None,
    order: str = "due",
    limit: int = 50,
    offset: int = 0,
) -> list[Case]:
    """Cases, most pressing first. `search` matches key, customer, resource and clause."""
    rows = _filtered(states, search, customer, assignee).order_by(*_ORDERS.get(order, _ORDERS["due"]))
    return [case_of(row) for row in rows[offset : offset + limit]]


def count_cases(
    *,
    states: frozenset[CaseState] | None = None,
    search: str = "",
    customer: str | None = None,
    assignee: str | None = None,
) -> int:
    return _filtered(states, search, customer, assignee).count()


def _filtered(
    states: frozenset[CaseState] | None, search: str, customer: str | None, assignee: str | None
) -> QuerySet[CaseRow]:
    rows = CaseRow.objects.all()
    if states is not None:
        rows = rows.filter(state__in=[str(s) for s in states])
    if customer is not None:
        rows = rows.filter(customer=customer)
    if assignee is not None:
        rows = rows.filter(assignee=assignee)
    for word in search.split():
        rows = rows.filter(
            Q(key__iexact=word)
            | Q(customer_name__icontains=word)
            | Q(customer__iexact=word)
            | Q(resource__icontains=word)
            | Q(clause__icontains=word)
            | Q(type__icontains=word)
        )
    return rows


def keys_of_customers(customers: Collection[str], *, states: frozenset[CaseState], limit: int) -> dict[str, list[str]]:
    """Keys of each customer's cases in these states, the `limit` most pressing; empty for one without any."""
    found: dict[str, list[str]] = {customer: [] for customer in customers}
    rows = CaseRow.objects.filter(customer__in=list(customers), state__in=[str(s) for s in states])
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
        customer__in=list(customers), closed_at__gte=since, outcome__in=[str(o) for o in rules.UPHELD]
    ).order_by("closed_at", "key")
    for row in rows:
        assert row.closed_at is not None, "asked for"
        contested = rules.contested(entries_of(row.key, what=rules.TELL_OF_DISPUTES))
        found[row.customer].append(Strike(case=row.key, group=row.group, at=row.closed_at, contested=contested))
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
    rows = CaseRow.objects.filter(state__in=[str(s) for s in rules.CLOCK_RUNS], due_at__lte=at).order_by("due_at")
    return list(rows.values_list("key", flat=True)[:limit])


def list_without_due(*, limit: int = 200) -> list[str]:
    """Keys of cases whose time to answer has yet to begin again, as after a dispute that was not upheld."""
    rows = CaseRow.objects.filter(state=str(CaseState.NOTIFIED), due_at=None).order_by("opened_at")
    return list(rows.values_list("key", flat=True)[:limit])


def list_in(state: CaseState, *, limit: int = 1000) -> list[str]:
    """Keys of cases in `state`, oldest first."""
    return list(CaseRow.objects.filter(state=str(state)).order_by("opened_at").values_list("key", flat=True)[:limit])


def count_by_state() -> dict[CaseState, int]:
    rows = CaseRow.objects.values_list("state").annotate(n=Count("*"))
    return {CaseState(state): n for state, n in rows}


def count_overdue(at: datetime) -> int:
    """Cases whose deadline is past and whose measure is not there yet."""
    return CaseRow.objects.filter(
        Q(state__in=[str(s) for s in rules.CLOCK_RUNS], due_at__lte=at) | Q(state=str(CaseState.OVERDUE))
    ).count()


def states_of(keys: Collection[str]) -> dict[str, CaseState]:
    """In which state each of these cases is."""
    rows = CaseRow.objects.filter(pk__in=list(keys)).values_list("key", "state")
    return {key: CaseState(state) for key, state in rows}


def told_incidents(case: str) -> dict[str, str | None]:
    """Each incident of a case, and the letter that named what it is about to the holder; None while none has."""
    return dict(MemberRow.objects.filter(case_id=case).order_by("id").values_list("incident", "told_by"))


class Member(NamedTuple):
    """How an incident stands in its case."""

    told_by: str | None
    """The letter that named what it is about to the holder."""
    decides: Role | None
    """Who must decide on a measure against what it is about; None leaves it to the clock."""
    waits: bool
    """A person has yet to decide whether the holder is told of it at all."""


def members_of(case: str) -> dict[str, Member]:
    """Each incident of a case, and how it stands in it, in the order in which they came."""
    rows = MemberRow.objects.filter(case_id=case).order_by("id").values_list("incident", "told_by", "decides", "waits")
    return {i: Member(told_by, Role(decides) if decides else None, waits) for i, told_by, decides, waits in rows}


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
