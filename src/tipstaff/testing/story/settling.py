"""The example operator moves in, and what must not have leaked when the day is over."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.db import connection

from tipstaff.registry import operations as registry
from tipstaff.testing.mailbox import Mail

from .operator import customers, holdings, services, sites


def settle_in(day: datetime, *, at: datetime) -> None:
    """Put the example operator's customers and what they hold into the registry."""
    for customer in customers():
        registry.add_customer(customer, at=at, actor="demo")
    for service in services():
        registry.add_service(service, at=at, actor="demo")
    registry.add_holdings(holdings(day), at=at, actor="demo")
    for site in sites(day):
        registry.add_site(
            site.host_name,
            address=site.address,
            customer=site.customer,
            service=site.service,
            since=site.since,
            until=site.until,
            at=at,
            actor="demo",
        )


def leaks_of(letters: Iterable[Mail], *, mark: bytes, folder: Path) -> list[str]:
    """Sentences about what got out: the picture of the sealed report anywhere, a customer's name to a stranger."""
    letters = tuple(letters)
    wrong = [f"the sealed picture stands in a letter to {m.recipients}" for m in letters if mark in m.raw]
    wrong += [f"the sealed picture stands in {f.name}" for f in folder.glob("*.log") if mark in f.read_bytes()]
    with connection.cursor() as cursor:
        cursor.execute("SELECT digest FROM ledger_evidencerow WHERE position(%s::bytea in content) > 0", [mark])
        wrong += [f"the sealed picture stands in evidence {row[0]}" for row in cursor.fetchall()]
    own = {c.representative.email.lower() for c in customers() if c.representative is not None}
    names = [c.name for c in customers()]
    for mail in letters:
        if not own.intersection(r.lower() for r in mail.recipients):
            text = mail.subject + "\n" + mail.text
            wrong += [f"a letter to {mail.recipients} names the customer {name}" for name in names if name in text]
    return wrong
