"""The example operator moves in, and what must not have leaked when the day is over."""

import zlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.db import connection

from tipstaff.registry import operations as registry
from tipstaff.testing.mailbox import Mail
from tipstaff.words import Origin

from .mail import picture_traces, shows_picture
from .operator import customers, holdings, services, sites


def settle_in(day: datetime, *, at: datetime) -> None:
    """Put the example operator's customers and what they hold into the registry."""
    for customer in customers():
        registry.add_customer(customer, at=at, actor="demo", origin=Origin.IMPORT)
    for service in services():
        registry.add_service(service, at=at, actor="demo", origin=Origin.IMPORT)
    registry.add_holdings(holdings(day), at=at, actor="demo", origin=Origin.IMPORT)
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
            origin=Origin.IMPORT,
        )


def leaks_of(letters: Iterable[Mail], *, mark: bytes, folder: Path) -> list[str]:
    """Sentences about what got out: the picture of the sealed report anywhere, a customer's name to a stranger."""
    letters = tuple(letters)
    wrong = [
        f"the sealed picture stands in a letter to {m.recipients}" for m in letters if shows_picture(m.raw, mark=mark)
    ]
    wrong += [
        f"the sealed picture stands in {f.name}"
        for f in folder.glob("*.log")
        if shows_picture(f.read_bytes(), mark=mark)
    ]
    wrong += _tables_with_the_picture(mark)
    own = {c.representative.email.lower() for c in customers() if c.representative is not None}
    names = [c.name for c in customers()]
    for mail in letters:
        if not own.intersection(r.lower() for r in mail.recipients):
            text = mail.subject + "\n" + mail.text
            wrong += [f"a letter to {mail.recipients} names the customer {name}" for name in names if name in text]
    return wrong


def _tables_with_the_picture(mark: bytes) -> list[str]:
    """Where in the database the picture stands: in any column of any table, or in evidence once it is unpacked."""
    wrong = []
    traces = [f"%{trace.decode('ascii')}%" for trace in picture_traces(mark)]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            name = connection.ops.quote_name(table)
            cursor.execute(f"SELECT count(*) FROM {name} AS line WHERE line::text LIKE ANY (%s)", [traces])  # noqa: S608 - the database's own names, quoted
            if cursor.fetchone()[0]:
                wrong.append(f"the sealed picture stands in the table {table}")
        cursor.execute("SELECT digest, content FROM ledger_evidencerow WHERE NOT sealed")
        for digest, content in cursor.fetchall():
            if shows_picture(zlib.decompress(bytes(content)), mark=mark):
                wrong.append(f"the sealed picture stands in evidence {digest}")
    return wrong
