"""Which remedies there are for one thing complained about, with what each would hit: reads only, decides nothing."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from tipstaff.enforcement.planner import Footprint, weigh
from tipstaff.policy.remedies import Briefer
from tipstaff.registry.queries import (
    accounts_below,
    accounts_on,
    accounts_on_service,
    customers_named_by,
    holdings_of,
    services_of,
)
from tipstaff.words import Candidate, Conduct, Customer, Degree, Direction, Rung, Scope, Sighting

from .desk import Desk
from .sessions import announced_by, holders_of_port, logged_in_as, machine_seen

SPOOFED_SOURCE = "network.spoofed_source"


def weigh_for(
    *,
    customer: str,
    service: str | None,
    ladder: Sequence[Rung],
    measure_ports: Sequence[tuple[str, int]],
    direction: Direction | None,
    allegation: Conduct,
    desk: Desk,
    at: datetime,
    lasts: timedelta | None = None,
    briefer: Sequence[Briefer] = (),
    around: Footprint | None = None,
    spoken: bool = True,
) -> tuple[Candidate, ...]:
    """Every candidate of a ladder against a customer, with the devices and the registry's facts at that time.

    Whoever weighs many may hand in what lies `around` the address, and that no log speaks of it (`spoken`).
    """
    scopes = {rung.scope for rung in ladder}
    announced, announced_on = (
        announced_by(allegation, customer=customer, at=at) if Scope.ROUTE in scopes else (None, ())
    )
    return weigh(
        ladder=ladder,
        measure_ports=measure_ports,
        resource=allegation.source,
        url=allegation.url,
        host_name=allegation.domain,
        mailbox=_mailbox_of(allegation, customer=customer, at=at),
        session=_session_of(ladder, allegation, customer=customer, at=at) if spoken else None,
        announced=announced,
        announced_on=announced_on,
        forged_on=_forged_port_of(allegation, customer=customer, at=at),
        source_port=allegation.source_port,
        source_protocol=allegation.protocol,
        service=service,
        account=customer,
        direction=direction,
        footprint=around or footprint_of(customer=customer, service=service, address=allegation.source, at=at),
        devices=desk.abilities(at),
        lasts=lasts,
        briefer=briefer,
    )


def _session_of(ladder: Sequence[Rung], conduct: Conduct, *, customer: str, at: datetime) -> str | None:
    """The machine on a port where the ladder would block it, else the log-in that its rungs are about."""
    degrees = {rung.degree for rung in ladder if rung.scope is Scope.SESSION}
    machine = machine_seen(conduct, customer=customer, at=at) if Degree.BLOCK in degrees else None
    return machine or (logged_in_as(conduct, customer=customer, at=at) if degrees else None)


def _mailbox_of(conduct: Conduct, *, customer: str, at: datetime) -> str | None:
    """The mailbox or log-in that our own mail system saw it come from, if the registry knows it as this customer's."""
    if not isinstance(conduct, Sighting):
        return None  # What a complainant says of a sender is easily forged, and no name to act on.
    for fact in ("mailbox", "login"):
        name = conduct.facts.get(fact)
        if isinstance(name, str) and customers_named_by(name, at=at) == {customer}:
            return name.lower()
    return None


def _forged_port_of(conduct: Conduct, *, customer: str, at: datetime) -> str | None:
    """The port by which we ourselves saw forged sources come in, if the registry knows it as this customer's."""
    port = conduct.facts.get("port") if isinstance(conduct, Sighting) and conduct.kind == SPOOFED_SOURCE else None
    return port if isinstance(port, str) and holders_of_port(port, at=at) == {customer} else None


def footprint_of(
    *, customer: str, service: str | None, address: IPv4Address | IPv6Address | None, at: datetime
) -> Footprint:
    """Who and what lies around an address at this moment, from the registry."""
    services = frozenset(s.key for s in services_of(customer))
    own = holdings_of(customer, at=at)
    below = frozenset(c.key for c in accounts_below(customer))
    on_service = others_on_service(service, customer=customer, address=address, at=at)
    if address is None:
        return Footprint(services_of_account=services, accounts_below=below, others_on_service=on_service)
    around = [h for h in own if address in h.prefix]
    prefix = max((h.prefix for h in around), key=lambda p: p.prefixlen, default=None)
    host = ip_network(address)
    return Footprint(
        prefix=prefix,
        others_on_address=others_on(host, customer=customer, doer_on=host, at=at),
        others_on_prefix=(
            others_on(prefix, customer=customer, doer_on=host, at=at) if prefix is not None else frozenset()
        ),
        services_on_address=frozenset(h.service for h in around if h.service) - {service},
        services_on_prefix=frozenset(
            h.service for h in own if prefix is not None and h.service and h.prefix.version == prefix.version
            and h.prefix.overlaps(prefix)
        ) - {service},
        services_of_account=services,
        accounts_below=below,
        others_on_service=on_service,
    )  # fmt: skip


def others_on_service(
    service: str | None, *, customer: str, address: IPv4Address | IPv6Address | None, at: datetime
) -> frozenset[str]:
    """Who else loses it when a service is suspended: everybody with a log-in, a site or an address on it but the
    customer and whoever did it. Where a reseller has one service only, all below use it whatever the rows say."""
    if service is None:
        return frozenset()
    below = {account.key: account for account in accounts_below(customer)}
    on_service = accounts_on_service(service, at=at) - {customer}
    if below and len(services_of(customer)) == 1:
        on_service |= below.keys()
    own = _users(on_service, below)
    doer = sorted(_users(accounts_on(ip_network(address), at=at), below))[:1] if address is not None else []
    return frozenset((on_service - below.keys()) | (own - set(doer)))


def others_on(
    network: IPv4Network | IPv6Network, *, customer: str, doer_on: IPv4Network | IPv6Network, at: datetime
) -> frozenset[str]:
    """Who else would be hit by what stops `network`: everybody who uses any of it but the customer and whoever did it.

    A reseller answers for those below, but they are others all the same: of them one on `doer_on` did it, and the rest
    did nothing. Whoever only resells to another of them uses nothing of it.
    """
    below = {account.key: account for account in accounts_below(customer)}
    on_network = accounts_on(network, at=at) - {customer}
    own = _users(on_network, below)
    doer = sorted(_users(accounts_on(doer_on, at=at), below))[:1]
    return frozenset((on_network - below.keys()) | (own - set(doer)))


def _users(accounts: Collection[str], below: Mapping[str, Customer]) -> set[str]:
    """Those of a reseller's accounts that have no account of their own among these."""
    own = {key for key in accounts if key in below}
    return own - {below[key].reseller for key in own}
