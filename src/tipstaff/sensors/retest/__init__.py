"""Looks once, harmlessly, at one port of a customer's address after a fix; it judges nothing and refuses to look wider.

Which check asks what was reported is said here, purely. The looking is a program of its own (`looking.py`) that gets an
address, a port and a check, and has neither database nor secrets.
"""

from tipstaff.words import Conduct, RetestCheck, Sighting

_BY_UDP_PORT = {
    53: RetestCheck.OPEN_RESOLVER,
    123: RetestCheck.NTP,
    1900: RetestCheck.SSDP,
    11211: RetestCheck.MEMCACHED,
}
_MAIL_PORT = 25
OPEN_BY_ITSELF = frozenset({"vulnerability/open_service", "probe.open_service"})
"""Of these, that the port takes connections is the fault: a service that should not be reachable.
Of all other kinds a port says nothing. A web site that was broken into, or whose certificate or cipher was weak, is
repaired and still there. A botnet's host is reported with the port that its system chose for one connection, which is
shut by itself, and may be a neighbour's behind one address; that it is a control server's, no report's type says."""


def check_of(conduct: Conduct) -> tuple[RetestCheck, str, int] | None:
    """(check, protocol, port) that asks whether what was reported is still there; None where no harmless look can."""
    protocol = (conduct.protocol or "").lower()
    port = conduct.source_port
    if port is None and isinstance(conduct, Sighting):
        stated = conduct.facts.get("port")
        port = stated if isinstance(stated, int) and not isinstance(stated, bool) else None
    if conduct.source is None or port is None or not 0 < port < 65536:
        return None
    kinds = {conduct.type, conduct.kind if isinstance(conduct, Sighting) else ""}
    exposed = bool(kinds & OPEN_BY_ITSELF)
    if protocol == "udp" and exposed and port in _BY_UDP_PORT:
        return _BY_UDP_PORT[port], "udp", port
    if protocol == "tcp" and exposed:
        return (RetestCheck.OPEN_RELAY if port == _MAIL_PORT else RetestCheck.TCP_PORT), "tcp", port
    return None
