"""Who is behind what a complaint names: the site at that time where it names one we host, else the address."""

from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from tipstaff.registry.queries import holdings_covering, sites_named
from tipstaff.words import Allegation, Attribution, AttributionReason, Grade, Site

from .lookup import who_held


def who_did_it(allegation: Allegation, *, received_at: datetime) -> Attribution:
    """Attribute an allegation. A host name is looked up in our own registry only; nothing is ever resolved."""
    moment = allegation.moment
    at = min(moment.at, received_at) if moment is not None else received_at
    host = allegation.domain or _host_of(allegation.url)
    sites = sites_named(host, at=at) if host else []
    if allegation.source is not None:
        sites = [s for s in sites if s.address == allegation.source]
    if sites:
        return _from_sites(sites, at=at)
    source = allegation.source or _literal(host)
    if source is None:
        return Attribution(
            grade=Grade.NONE,
            reason=AttributionReason.NOT_OUR_SPACE if host else AttributionReason.NO_ADDRESS,
        )
    return who_held(source, port=allegation.source_port, moment=moment, received_at=received_at)


def _from_sites(sites: list[Site], *, at: datetime) -> Attribution:
    customers = {s.customer for s in sites}
    proof = tuple(h for s in sites[:1] for h in holdings_covering(s.address, earliest=at, latest=at))
    if len(customers) > 1:
        return Attribution(
            grade=Grade.AMBIGUOUS,
            reason=AttributionReason.SEVERAL_HOLDERS_IN_WINDOW,
            proof=proof,
            earliest=at,
            latest=at,
        )
    return Attribution(
        grade=Grade.CONFIRMED,
        reason=AttributionReason.ONE_HOLDER,
        customer=sites[0].customer,
        service=sites[0].service,
        proof=proof,
        earliest=at,
        latest=at,
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
