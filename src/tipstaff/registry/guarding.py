"""What every write of a holding shares: PostgreSQL's refusals told apart, and keys that must belong together."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import IntegrityError, OperationalError
from psycopg import errors

from .models import CustomerRow, ServiceRow
from .refusals import HeldAtThisMomentByAnother, NotTheCustomersService, UnknownKey


class Overlap(Exception):
    """PostgreSQL refused an overlap; the message has its own words about which."""


@contextmanager
def refusals_told_apart() -> Iterator[None]:
    """Tell an overlap, and a race for the same addresses, from every other refusal of PostgreSQL."""
    try:
        yield
    except IntegrityError as why:
        if isinstance(why.__cause__, errors.ExclusionViolation):
            raise Overlap(why.__cause__.diag.message_detail or "") from why
        raise
    except OperationalError as why:
        if isinstance(why.__cause__, errors.DeadlockDetected):
            raise HeldAtThisMomentByAnother from why
        raise


def refuse_foreign(pairs: Iterable[tuple[str | None, str | None]]) -> None:
    """Raise for the first customer or service that does not exist or does not belong."""
    for (_, service), why in foreign(pairs).items():
        raise (NotTheCustomersService if service and ServiceRow.objects.filter(key=service).exists() else UnknownKey)(
            why
        )


def no_resellers(customers: Iterable[str | None]) -> dict[str, str]:
    """Which of these accounts are no resellers, with why none of them holds as one: a reseller's row lies over those of
    its customers, so that of anybody else would hide who holds the addresses."""
    keys = {customer for customer in customers if customer is not None}
    known = CustomerRow.objects.filter(key__in=keys, is_reseller=True).values_list("key", flat=True)
    return {key: f"{key} is no reseller, so it holds nothing in the tier reseller" for key in sorted(keys - set(known))}


def foreign(pairs: Iterable[tuple[str | None, str | None]]) -> dict[tuple[str | None, str | None], str]:
    """Which of these customers and services don't exist or don't belong together, with why."""
    pairs = set(pairs)
    customers = {customer for customer, _ in pairs if customer is not None}
    services = {service for _, service in pairs if service is not None}
    known = set(CustomerRow.objects.filter(key__in=customers).values_list("key", flat=True))
    owners = dict(ServiceRow.objects.filter(key__in=services).values_list("key", "customer_id"))
    wrong: dict[tuple[str | None, str | None], str] = {}
    for customer, service in sorted(pairs, key=str):
        if customer is not None and customer not in known:
            wrong[customer, service] = f"there is no customer {customer}"
        elif service is not None and service not in owners:
            wrong[customer, service] = f"there is no service {service}"
        elif service is not None and owners[service] != customer:
            wrong[customer, service] = f"the service {service} is {owners[service]}'s, not {customer}'s"
    return wrong
