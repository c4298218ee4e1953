"""The example operator as CSV files in the form that the registry imports; `docs/operate/example` shows them."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tipstaff.words import require_aware

from .operator import customers, holdings, services, sites


def sheets(day: datetime) -> Mapping[str, str]:
    """File name -> content, in the order in which they are to be imported."""
    return {
        "customers.csv": customers_csv(),
        "services.csv": services_csv(),
        "holdings.csv": holdings_csv(day),
        "sites.csv": sites_csv(day),
    }


def customers_csv() -> str:
    """Accounts and whom to write to, resellers before their customers."""
    columns = (
        *("key", "name", "reseller", "is_reseller", "standing"),
        *("representative_name", "representative_email", "language", "timezone"),
    )
    rows = []
    for customer in sorted(customers(), key=lambda customer: customer.reseller is not None):
        person = customer.representative
        rows.append(
            (
                customer.key,
                customer.name,
                customer.reseller or "",
                "yes" if customer.is_reseller else "no",
                customer.standing,
                *((person.name, person.email, person.language, person.timezone) if person else ("", "", "", "")),
            )
        )
    return _written(columns, rows)


def services_csv() -> str:
    """What each account bought."""
    rows = ((service.key, service.customer, service.kind, service.label, service.port) for service in services())
    return _written(("key", "customer", "kind", "label", "port"), rows)


def holdings_csv(day: datetime) -> str:
    """Who held what and when, around `day`."""
    columns = (
        *("tier", "kind", "prefix", "held_from", "held_until"),
        *("customer", "service", "port_first", "port_last"),
    )
    rows = (
        (
            *(row.tier, row.kind, str(row.prefix), _time(row.held_from), _time(row.held_until)),
            *(row.customer or "", row.service or ""),
            *((row.port_first, row.port_last) if row.shared else ("", "")),
        )
        for row in holdings(day)
    )
    return _written(columns, rows)


def sites_csv(day: datetime) -> str:
    """The virtual hosts, as they stand on `day`."""
    rows = (
        (site.host_name, str(site.address), site.customer, site.service or "", _time(site.since), _time(site.until))
        for site in sites(day)
    )
    return _written(("host_name", "address", "customer", "service", "since", "until"), rows)


def _time(at: datetime | None) -> str:
    return "" if at is None else require_aware(at).strftime("%Y-%m-%dT%H:%M:%SZ")


def _written(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
