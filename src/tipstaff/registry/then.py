"""What was believed, at one time, to be so of an account at another. Private to this room but for `queries.py`."""

# ruff: noqa: S608 - only this room's own names of tables and columns are put into SQL text; every value is a parameter.

from datetime import datetime
from typing import TypeVar

from tipstaff.words import AccountThen, require_aware

from .models import (
    AcceptanceRow,
    CustomerRow,
    HoldingRow,
    Kept,
    RepresentativeRow,
    ResourceRow,
    ServiceRow,
    SiteRow,
    StandingRow,
    UserRow,
)
from .rows import (
    acceptance_of,
    customer_from,
    holding_of_row,
    representative_of,
    resource_of,
    service_of,
    site_of,
    standing_of,
    user_of,
)

_Row = TypeVar("_Row", bound=Kept)


def account_as_known(customer: str, *, at: datetime, known_at: datetime) -> AccountThen | None:
    """What was believed at `known_at` to be so at `at`; None when nobody of that key was known then.

    What has no time of its own (a name, a contact, a service's port) is as it was told by `known_at`.
    """
    at, known_at = require_aware(at), require_aware(known_at)

    def then(model: type[_Row], *, mine: str = "customer_id", during: bool = False) -> list[_Row]:
        return _then(model, customer, mine=mine, at=at if during else None, known_at=known_at)

    row = next(iter(then(CustomerRow, mine="key")), None)
    if row is None:
        return None
    chain = sorted(then(RepresentativeRow), key=lambda one: one.rank)
    reached = next((representative_of(one) for one in chain if one.bounced_at is None), None)
    standing = next(map(standing_of, then(StandingRow, during=True)), None)
    accepted = (acceptance_of(one) for one in then(AcceptanceRow))
    return AccountThen(
        customer=customer_from(row, reached),
        at=at,
        known_at=known_at,
        standing=standing,
        representatives=tuple(map(representative_of, chain)),
        services=tuple(service_of(one) for one in then(ServiceRow) if one.ended_at is None or at < one.ended_at),
        users=tuple(map(user_of, then(UserRow))),
        acceptances=tuple(sorted((a for a in accepted if a.accepted_at <= at), key=lambda a: a.accepted_at)),
        holdings=tuple(map(holding_of_row, then(HoldingRow, during=True))),
        resources=tuple(map(resource_of, then(ResourceRow, during=True))),
        sites=tuple(map(site_of, then(SiteRow, during=True))),
    )


def _then(model: type[_Row], customer: str, *, mine: str, at: datetime | None, known_at: datetime) -> list[_Row]:
    """The versions of a customer's rows that were believed then, of those with a time the ones true at `at`."""
    table, pk = model._meta.db_table, model._meta.pk.column
    past = "kept_key" if mine == "key" else f"body ->> '{mine}'"
    true_then = "TRUE" if at is None else "v.during @> %(at)s::timestamptz"
    return list(
        model._default_manager.raw(
            f"""
            SELECT v.* FROM (
                SELECT to_jsonb(r) AS body, r.known_from, NULL::timestamptz AS known_until
                FROM {table} r WHERE r.{mine} = %(customer)s
                UNION ALL
                SELECT body, known_from, known_until FROM registry_pastrow
                WHERE kept_table = '{table}' AND {past} = %(customer)s
            ) t, jsonb_populate_record(NULL::{table}, t.body) v
            WHERE t.known_from <= %(known_at)s AND (t.known_until IS NULL OR t.known_until > %(known_at)s)
                AND {true_then}
            ORDER BY v.{pk}
            """,
            {"customer": customer, "at": at, "known_at": known_at},
        )
    )
