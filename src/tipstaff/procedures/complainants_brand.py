"""Under which of the operator's brands a complainant is answered: a brand must never tell them whose customer it was.

The brand of the customer only where everybody knows which networks are that brand's, which the operator says in the
settings, and where it has so many customers that it names none of them. Else the brand at whose address the complaint
came in: that one they know already. Else the operator's own name.
"""

from typing import Final

from tipstaff.cases.queries import get_case
from tipstaff.ledger.queries import get_evidence
from tipstaff.registry.queries import count_under_brand, get_customers
from tipstaff.words import Report

from .desk import Desk

CUSTOMERS_MIN: Final = 50
"""A brand with fewer customers says too much of each of them."""


def brand_for_complainant(report: Report, *, desk: Desk) -> str:
    """The brand's name; empty is the operator's own."""
    if not desk.brands:
        return ""
    return _brand_of_customers(report, desk=desk) or _brand_written_to(report, desk=desk)


def brand_of_addresses(recipients: tuple[str, ...], *, desk: Desk) -> str:
    """The one brand at whose address something came in; empty where it came to our own address, or to several."""
    of_address = {brand.address.lower(): name for name, brand in desk.brands.items() if brand.address}
    ours = [each.lower() for each in recipients if each.lower() in desk.own_addresses]
    met = {of_address.get(each, "") for each in ours}
    return met.pop() if len(met) == 1 else ""


def _brand_written_to(report: Report, *, desk: Desk) -> str:
    evidence = get_evidence(report.evidence)
    return brand_of_addresses(evidence.recipients, desk=desk) if evidence is not None else ""


def _brand_of_customers(report: Report, *, desk: Desk) -> str:
    """The brand of all customers whom a report is about, where it may be told; empty too where one incident is about
    nobody whom we know: a letter about both would tell them apart."""
    if not any(brand.to_complainants for brand in desk.brands.values()):
        return ""
    cases = {incident.case for incident in report.incidents}
    found = [get_case(key) for key in cases if key is not None]
    if not found or len(found) != len(cases) or None in found:
        return ""
    customers = get_customers({case.customer for case in found if case is not None})
    if len(customers) != len({case.customer for case in found if case is not None}):
        return ""
    met = {customer.brand for customer in customers.values()}
    # A reseller's accounts stand out of a brand: who buys through whom is known to many.
    resold = any(customer.reseller is not None or customer.is_reseller for customer in customers.values())
    brand = desk.brands.get(met.pop()) if len(met) == 1 else None
    if brand is None or not brand.to_complainants or resold:
        return ""
    return brand.name if count_under_brand(brand.name, most=CUSTOMERS_MIN) >= CUSTOMERS_MIN else ""
