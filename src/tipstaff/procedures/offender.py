"""Who is behind what a complaint names: the site at that time where it names one we host, else the address."""

from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from tipstaff.attribution.match import Window, window_of
from tipstaff.registry.queries import get_customer, holdings_covering, sites_named
from tipstaff.words import Allegation, Attribution, AttributionReason, Grade, Site

from .lookup import who_held


def who_did_it(allegation: Allegation, *, received_at: datetime) -> Attribution:
    """Attribute an allegation. A host name is looked up in our own registry only; nothing is ever resolved."""
    host = allegation.domain or _host_of(allegation.url)
    if host:
        window = window_of(allegation.moment, received_at=received_at)
        # A customer may come or go within the window of uncertainty: both its ends are asked.
        sites = {edge: sites_named(host, at=edge) for edge in (window.earliest, window.latest)}
        if allegation.source is not None:
            sites = {at: [s for s in found if s.address == allegation.source] for at, found in sites.items()}
        if any(sites.values()):
            return _from_sites(sites, window=window)
    source = allegation.source or _literal(host)
    if source is None:
        reason = AttributionReason.NOT_OUR_SPACE if host else AttributionReason.NO_ADDRESS
        return Attribution(grade=Grade.NONE, reason=reason)
    return who_held(
        source,
        port=allegation.source_port,
        moment=allegation.moment,
        received_at=received_at,
        protocol=allegation.protocol,
    )


def _from_sites(sites: dict[datetime, list[Site]], *, window: Window) -> Attribution:
    """The customer whose site it was over the whole window; the answer stops at a reseller, as for addresses."""
    known = [s for found in sites.values() for s in found]
    first = known[0]
    proof = tuple(holdings_covering(first.address, earliest=window.earliest, latest=window.latest))
    customers = {s.customer for s in known}
    if len(customers) > 1:
        return Attribution(
            grade=Grade.AMBIGUOUS,
            reason=AttributionReason.SEVERAL_HOLDERS_IN_WINDOW,
            proof=proof,
            earliest=window.earliest,
            latest=window.latest,
        )
    customer = get_customer(first.customer)
    reseller = customer.reseller if customer is not None else None
    reason = AttributionReason.ONE_RESELLER if reseller else AttributionReason.ONE_HOLDER
    if not all(sites.values()):
        reason = AttributionReason.EDGE_IN_WINDOW
    elif window.assumed:
        reason = AttributionReason.TIME_ASSUMED
    unsure = reason in (AttributionReason.EDGE_IN_WINDOW, AttributionReason.TIME_ASSUMED)
    return Attribution(
        grade=Grade.PROBABLE if unsure else Grade.CONFIRMED,
        reason=reason,
        customer=reseller or first.customer,
        service=None if reseller else first.service,
        downstream=first.customer if reseller else None,
        proof=proof,
        earliest=window.earliest,
        latest=window.latest,
    )


def _host_of(url: str | None) -> str | None:
    if url is None:
        return None
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _literal(host: str | None):  # type: ignore[no-untyped-def]  # an address of either family, or None
    try:
        return ip_address(host) if host else None
    except ValueError:
        return None
