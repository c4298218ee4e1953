"""The same denials in five languages. Pure: prefixes in, lines out."""

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network


def bird(name: str, networks: Iterable[Network], neighbor: str) -> list[str]:
    """BIRD 2: a function for the import filter, `if tipstaff_denied_edge1() then reject;`."""
    lines = [f"  if net = {n} then return true;" for n in networks]
    return [f"function {name}()", "{", *lines, "  return false;", "}"]


def frr(name: str, networks: Iterable[Network], neighbor: str) -> list[str]:
    """FRR: prefix lists for a `deny` entry of the session's route map."""
    return [f"{'ip' if n.version == 4 else 'ipv6'} prefix-list {name} permit {n}" for n in networks]


def openbgpd(name: str, networks: Iterable[Network], neighbor: str) -> list[str]:
    """OpenBGPD: rules that decide at once (`quick`), whatever stands after them."""
    return [f"deny quick from {neighbor} prefix {n}" for n in networks]


def junos(name: str, networks: Iterable[Network], neighbor: str) -> list[str]:
    """Junos: a prefix list, written anew, for `from prefix-list` in a term that rejects."""
    return [
        f"delete policy-options prefix-list {name}",
        f"set policy-options prefix-list {name}",
        *(f"set policy-options prefix-list {name} {n}" for n in networks),
    ]


def iosxr(name: str, networks: Iterable[Network], neighbor: str) -> list[str]:
    """IOS XR: two prefix sets, each replaced as a whole, for `if destination in ... then drop`."""
    lines: list[str] = []
    known = list(networks)
    for version in (4, 6):
        own = [f"  {n}" for n in known if n.version == version]
        lines += [f"prefix-set {name}-v{version}", *(f"{x}," for x in own[:-1]), *own[-1:], "end-set"]
    return lines


DIALECTS: Mapping[str, Callable[[str, Iterable[Network], str], list[str]]] = {
    "bird": bird,
    "frr": frr,
    "openbgpd": openbgpd,
    "junos": junos,
    "iosxr": iosxr,
}


def in_order(texts: Iterable[str]) -> list[Network]:
    """Prefixes by version, address and length, each once."""
    return sorted({ip_network(x) for x in texts}, key=lambda n: (n.version, int(n.network_address), n.prefixlen))
