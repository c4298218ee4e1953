"""Which sessions are a customer's: BGP sessions on which something is announced, log-ins from one machine, and machines
on a port.

A route is denied, a log-in walled in or a machine stopped, only where our own telemetry or the access network's logs
name it and the registry says whose it is. What a complainant writes of either is nothing to act on.
"""

from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network

from tipstaff.attribution.match import window_of
from tipstaff.attribution.queries import machines_of
from tipstaff.registry.names import NotInItsForm
from tipstaff.registry.queries import resource_holders, resources_of, top_resellers
from tipstaff.words import (
    Conduct,
    Resource,
    ResourceKind,
    Selector,
    Sighting,
    Station,
    SubjectKind,
    machine_named,
    session_name,
    session_named,
)

from .lookup import known_as
from .offender import who_did_it


def announced_by(
    conduct: Conduct, *, customer: str, at: datetime
) -> tuple[IPv4Network | IPv6Network | None, tuple[str, ...]]:
    """(the prefix, the sessions) that our own routers saw a customer announce, as far as the sessions are theirs now.

    Where one of the sessions is not, or it cannot be told which router's it is, there is none: to deny the prefix on
    some of them would stop nothing.
    """
    if not isinstance(conduct, Sighting):
        return None, ()
    prefix, neighbours = conduct.facts.get("prefix"), conduct.facts.get("sessions")
    if not isinstance(prefix, str) or not isinstance(neighbours, tuple) or not neighbours:
        return None, ()
    own: dict[str, list[Resource]] = {}
    for held in resources_of(customer, at=at):
        if held.kind is ResourceKind.BGP_SESSION:
            own.setdefault(held.name, []).append(held)
    found = [own.get(neighbour, []) for neighbour in neighbours]
    if any(len(each) != 1 for each in found):
        return None, ()
    try:
        return ip_network(prefix), tuple(session_name(one.name, one.scope) for (one,) in found)
    except ValueError:
        return None, ()


def logged_in_as(conduct: Conduct, *, customer: str, at: datetime) -> str | None:
    """The log-in and the machine behind an address at its time, as `LOGIN/STATION`; None unless the logs name exactly
    one of each, and the log-in is this customer's then and now.

    The customer's other machines, and the address, which may be somebody else's by now, are no part of it.
    """
    moment = conduct.moment
    if conduct.source is None or moment is None:
        return None
    answer = who_did_it(conduct, received_at=at)
    sessions = [b for b in answer.bindings if b.subject_kind is SubjectKind.USERNAME]
    logins = {b.subject for b in sessions}
    if answer.customer != customer or len(logins) != 1:
        return None
    (login,) = logins
    window = window_of(moment, received_at=at)
    named = [b for b in sessions if isinstance(b.prefix, Station)] or [
        b
        for b in machines_of(login, earliest=window.earliest, latest=window.latest)
        if b.source in {each.source for each in sessions}
    ]
    stations = {b.prefix for b in named}
    if len(stations) != 1:
        return None
    (station,) = stations
    # Octets apart by hyphens, in capitals: RFC 3580, section 3.21.
    found = f"{login}/{str(station).replace(':', '-').upper()}"
    return found if holders_of_session(Selector(session=found), at=at) == {customer} else None


def machine_seen(conduct: Conduct, *, customer: str, at: datetime) -> str | None:
    """The one machine on a port that we ourselves saw do it, as `ROUTER/PORT/MAC`; None unless the registry gives the
    port, or a machine that is on a port of nobody's, to this customer and to nobody else.
    """
    found = conduct.facts.get("machine") if isinstance(conduct, Sighting) else None
    if not isinstance(found, str) or machine_named(found) is None:
        return None
    return found if holders_of_session(Selector(session=found), at=at) == {customer} else None


def holders_of_session(selector: Selector, *, at: datetime) -> frozenset[str]:
    """Whose the BGP session of a route is, or the log-in of a session: those who have the contract with us."""
    if selector.announced_on is not None:
        neighbour, router = session_named(selector.announced_on)
        return _holders(ResourceKind.BGP_SESSION, neighbour, scope=router, at=at) if router else frozenset()
    if (machine := machine_named(selector.session or "")) is not None:
        place, mac = machine
        # A machine of one on another's port is both theirs: nobody's alone.
        on_port = holders_of_port(place, at=at) | _holders(ResourceKind.PORT, place, scope=None, at=at)
        return on_port | _holders(ResourceKind.MAC, mac, scope=None, at=at)
    login = (selector.session or "").rpartition("/")[0]
    known = [
        i
        for i in known_as([(SubjectKind.USERNAME, login)] if login else [])
        if (i.since is None or i.since <= at) and (i.until is None or at < i.until)
    ]
    # Whose it only may be, such as one that reads like a customer's key, it is nobody's to be cut off by.
    return frozenset(i.reseller or i.customer for i in known) if all(i.surely_at(at) for i in known) else frozenset()


def holders_of_port(place: str, *, at: datetime) -> frozenset[str]:
    """Whose a port is: `r1/ge-0/1` is the port `ge-0/1` of `r1`."""
    router, _, port = place.partition("/")
    return _holders(ResourceKind.PORT, port, scope=router, at=at) if router and port else frozenset()


def _holders(kind: ResourceKind, name: str, *, scope: str | None, at: datetime) -> frozenset[str]:
    try:
        held = resource_holders(kind, name, scope=scope, at=at)
    except NotInItsForm:
        held = []
    holders = {one.customer for one in held if one.customer is not None}
    above = top_resellers(holders, at=at)
    return frozenset(above.get(who, who) for who in holders)
