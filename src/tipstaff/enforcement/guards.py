"""What no plan may do, whoever asks: pure checks before anything is sent to a device."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Protocol

from tipstaff.registry.names import NotInItsForm, plain_host_name, plain_name
from tipstaff.words import ResourceKind, Rule, Scope, Selector, host_of, names_an_interface

Network = IPv4Network | IPv6Network

FUSE_LASTS = timedelta(hours=1)
"""What was sent within this is counted with what is new: a mass that comes drop by drop is one too."""
FEW_CUSTOMERS = 10
"""Below this many customers a share says nothing: one customer of eight is no mass change."""
_OWN_SHORTEST = 8
"""Nobody holds more than that: what says so, as two halves of everything do, is a mistake and bounds nothing."""
_NOBODYS = tuple(map(ip_network, (
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/96", "::ffff:0:0/96", "fe80::/10", "ff00::/8",
)))  # fmt: skip
"""What no customer can be given: this host and its links, groups, everybody, and IPv4 written as IPv6 (RFC 6890)."""
_MAPPED = IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds that the operator set for one device."""

    own: tuple[Network, ...]
    """The operator's own address space: a measure outside of it is refused."""
    protected: tuple[Network, ...] = ()
    """Addresses and prefixes that no measure may ever touch: routers, resolvers, the desk itself."""
    shortest_v4: int = 24
    """The shortest IPv4 prefix that one measure may take in."""
    shortest_v6: int = 48
    """The shortest IPv6 prefix that one measure may take in."""
    new_rules_max: int = 100
    """The fuse: more new measures than this within an hour are held back. One that was in force before is not new."""
    customers_share_max: float = 0.1
    """The fuse: new measures against more than this share of all customers within an hour are held back."""
    customers_total: int | None = None
    """How many customers there are; None leaves the share unchecked."""
    owns_name: Callable[[str], bool] | None = None
    """Whether a host name is a site of a customer of ours now; None where nobody can say, and then none is."""
    owns_mailbox: Callable[[str], bool] | None = None
    """Whether a mail address or log-in is a customer's of ours now; None as above."""
    owns_session: Callable[[Selector], bool] | None = None
    """Whether the BGP session of a route, or the log-in of a session, is a customer's of ours now; None as above."""
    owns_port: Callable[[str], bool] | None = None
    """Whether a port, `r1/eth7`, is a customer's of ours now; None as above."""
    names_owned: Callable[[Collection[str]], Collection[str]] | None = None
    """Those of many names that `owns_name` or `owns_mailbox` would affirm; None where it is asked one by one."""
    protected_names: tuple[str, ...] = ()
    """Host names, mail addresses and machines that no measure may ever touch; a name stands for all below it."""
    owns_account: Callable[[str], bool] | None = None
    """Whether it is the key of a customer of ours; None leaves that to the case, whose keys are the registry's."""
    owns_service: Callable[[str], bool] | None = None
    """Whether it is the key of a service of a customer's of ours; None as above."""
    others_beyond: Callable[[str, Rule], int | None] | None = None
    """How many others than a customer a rule would hit now that were not counted when it was decided, and None where
    the customer does not hold at all what it takes in; None leaves that to whoever planned it."""
    overridden_by: tuple[str, str] | None = None
    """The two people who let a mass change pass."""

    kept_names: tuple[tuple[str, str, str], ...] = field(init=False, repr=False, compare=False, default=())
    """Each protected name as it was written, in its plain form, and as a machine if it is one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "protected", tuple(map(_unmapped, self.protected)))
        kept = tuple((name, _plain(name), _machine(name)) for name in self.protected_names)
        object.__setattr__(self, "kept_names", kept)
        own = (n for n in self.own if n.prefixlen >= _OWN_SHORTEST and not any(_overlap(n, x) for x in _NOBODYS))
        object.__setattr__(self, "own", tuple(own))
        if self.overridden_by and len({x.strip().lower() for x in self.overridden_by if x.strip()}) != 2:
            raise ValueError("a mass change takes two different people")


def refusal(selector: Selector, limits: Limits) -> str | None:
    """Why a measure with this selector may never be sent, in a sentence; None if it may."""
    network = selector.network
    if network is None:
        return _refusal_by_name(selector, limits)
    if network.prefixlen == 0:
        return "It is the default route: that would stop everybody."
    if names_an_interface(network):
        return f"{network!s:.60} names an interface: that is an address of one link and not a customer's."
    if selector.remote is not None and names_an_interface(selector.remote):
        return "The far end names an interface: what follows the address there is any text, and goes to no device."
    if selector.announced_on is not None:
        # What is announced without right is mostly somebody else's, of any length, and may be our own routers' space:
        # all the more it is not taken from that session. Whose traffic it is does not change by that. But the session
        # is a customer's, as the registry has it: never an upstream's or a peer's.
        if limits.owns_session is None or not limits.owns_session(selector):
            return f"{selector.announced_on} is not a BGP session of a customer of ours, as far as the registry knows."
        return None
    if selector.port is not None and (selector.protocol not in ("tcp", "udp") or not 0 < selector.port < 65536):
        return f"{selector.protocol}/{selector.port} is no port: they are of tcp or udp and go from 1 to 65535."
    if selector.source_port is not None and not 0 < selector.source_port < 65536:
        return f"{selector.source_port} is no port: they go from 1 to 65535."
    if selector.remote is not None and selector.remote.prefixlen == 0:
        return "The far end is everybody: a measure on all of a port names none."
    shortest = limits.shortest_v4 if network.version == 4 else limits.shortest_v6
    if network.prefixlen < shortest:
        return f"It takes in a /{network.prefixlen}; a measure takes in a /{shortest} at most."
    for kept in limits.protected:
        if _overlap(network, kept):
            return f"It would touch {kept}, which is protected."
    if not any(_inside(network, ours) for ours in limits.own):
        return f"{network} is not within our own address space."
    return None


def _refusal_by_name(selector: Selector, limits: Limits) -> str | None:
    """A page, a mailbox or a log-in is known by its name: what the registry does not know as ours is not touched."""
    owns: Callable[[str], bool] | None
    if selector.forged_on is not None:
        name, owns, what = selector.forged_on, limits.owns_port, "a port"
    elif selector.session is not None:
        return _refusal_of_session(selector, selector.session, limits)
    elif selector.mailbox is not None:
        name, owns, what = _plain(selector.mailbox), limits.owns_mailbox, "a mailbox or log-in"
    elif selector.url is not None or selector.host_name is not None:
        name, owns, what = _plain(selector.host_name or host_of(selector.url)), limits.owns_name, "a site"
    elif selector.service is not None:
        name, owns, what = selector.service, limits.owns_service, "a service"
    else:
        name, owns, what = selector.account or "", limits.owns_account, "the account"
    if selector.scope in (Scope.SERVICE, Scope.ACCOUNT) and owns is None:
        return None
    for kept, plain, _ in limits.kept_names:
        if _is_or_below(name, plain):
            return f"It would touch {kept}, which is protected."
    if not name or owns is None or not owns(name):
        return f"{name or selector.url} is not {what} of a customer of ours, as far as the registry knows."
    return None


def _refusal_of_session(selector: Selector, session: str, limits: Limits) -> str | None:
    """One machine, `LOGIN/STATION` or `ROUTER/PORT/MAC`: neither it nor its log-in is protected, and it is one."""
    login, _, station = session.rpartition("/")
    machine = _machine(station)
    if machine and (int(machine[:2], 16) & 1 or not machine.strip("0:")):
        # The lowest bit of the first octet marks a group, and all ones is everybody (IEEE 802, section 8.2).
        return f"{station} is no one's machine: it stands for many, or for none."
    name = _plain(login)
    for kept, plain, kept_machine in limits.kept_names:
        if (machine and kept_machine == machine) or _is_or_below(name, plain):
            return f"It would touch {kept}, which is protected."
    if limits.owns_session is None or not limits.owns_session(selector):
        return f"{session} is not a session of a customer of ours, as far as the registry knows."
    return None


def _name_of(selector: Selector) -> str | None:
    """The site, mailbox or log-in that it names; None where it names none."""
    if selector.mailbox is not None:
        return selector.mailbox
    if selector.url is not None or selector.host_name is not None:
        return selector.host_name or host_of(selector.url)
    return None


def _plain(name: str) -> str:
    """A host name, mail address or log-in as all its spellings read: `BÜCHER.example.` is `xn--bcher-kva.example`."""
    local, at, host = name.rpartition("@")
    return f"{local.strip().lower()}{at}{plain_host_name(host)}"


def _is_or_below(name: str, kept: str) -> bool:
    """Whether a name is what is kept, or lies below it; a mail address lies below its domain."""
    domain = name.rpartition("@")[2]
    return bool(kept) and (name == kept or ("@" not in kept and (domain == kept or domain.endswith("." + kept))))


def _machine(text: str) -> str:
    """A hardware address in its one form; empty for what is none."""
    try:
        return plain_name(ResourceKind.MAC, text)
    except NotInItsForm:
        return ""


class Supports(Protocol):
    """The part of a driver that is asked here."""

    device: str

    def supports(self, rule: Rule) -> bool: ...


def holds_exactly(driver: Supports, rule: Rule) -> bool:
    """Whether a driver can hold exactly this. One that says nothing of far ends and source ports (`Ability.narrows`)
    was written without them, and would stop all of the port in their place: it is not even asked."""
    if rule.selector.narrowed and not getattr(getattr(driver, "ability", None), "narrows", False):
        return False
    return driver.supports(rule)


class Vetting:
    """Looks at all rules of one device round after round, and at each only once while its bounds stay as they are.

    What depends on who is a customer of ours now, as all names do, is asked for anew each time.
    """

    def __init__(self) -> None:
        self._bounds: tuple[object, ...] = ()
        self._driver: Supports | None = None
        self._rules: Sequence[Rule] = ()
        self._passed: dict[str, Rule] = {}

    def refused(self, rules: Sequence[Rule], limits: Limits, *, driver: Supports) -> dict[str, str]:
        """Measure -> why it may never be sent to the device of this driver, of those that may not."""
        bounds = (limits.own, limits.protected, limits.shortest_v4, limits.shortest_v6)
        if driver is not self._driver or bounds != self._bounds:
            self._rules, self._passed = (), {}
        if rules is self._rules and len(self._passed) == len(rules):
            return {}
        refused: dict[str, str] = {}
        passed: dict[str, Rule] = {}
        if limits.names_owned is not None:
            names = {_plain(name) for rule in rules if (name := _name_of(rule.selector))}
            owned = frozenset(limits.names_owned(names) if names else ())
            limits = replace(limits, owns_name=owned.__contains__, owns_mailbox=owned.__contains__)
        for rule in rules:
            if self._passed.get(rule.measure) is not rule:
                why = refusal(rule.selector, limits)
                if why is None and not holds_exactly(driver, rule):
                    why = f"{driver.device} cannot hold it exactly."
                if why is not None:
                    refused[rule.measure] = why
                    continue
                if rule.selector.network is None or rule.selector.announced_on is not None:
                    continue
            passed[rule.measure] = rule
        self._driver, self._bounds, self._rules, self._passed = driver, bounds, rules, passed
        return refused


def estranged(customer: str, rule: Rule, limits: Limits) -> str | None:
    """Why a measure against this customer may not be sent any more: what it takes in is somebody else's by now, or
    some of it is."""
    if limits.others_beyond is None or not customer:
        return None  # A filter in the network is against no customer.
    beyond = limits.others_beyond(customer, rule)
    if beyond is None:
        return f"{customer} does not hold {what_of(rule.selector)} now."
    return shared_by_now(rule.selector, beyond) if beyond else None


def what_of(selector: Selector) -> str:
    """What it takes in, of which somebody is asked to be the holder."""
    return str(selector.announced_on or selector.network or selector)


def shared_by_now(selector: Selector, beyond: int) -> str:
    """Why a measure ends, or never begins, that so many more would feel than it was decided for."""
    return f"On {what_of(selector)} it would hit {beyond} more by now than were counted when it was decided."


def fuse(
    new: Collection[str], sent: Collection[str], *, limits: Limits, elsewhere: Callable[[], Collection[str]] = tuple
) -> str | None:
    """Why new measures are held back as a mass change, in a sentence; None if they may pass.

    `new` are their customers, one for each measure; `sent` those of what was new on this device within the last
    `FUSE_LASTS`, and `elsewhere` says those of all other devices: a mass that is spread over many is one too.
    """
    if limits.overridden_by is not None or not new:
        return None
    count = len(new) + len(sent)
    when = "within an hour" if sent else "at once"
    if count > limits.new_rules_max:
        return (
            f"{count} new measures {when} are more than the fuse of {limits.new_rules_max} lets pass; "
            "two people can override it."
        )
    before = {*sent, *elsewhere()} if limits.customers_total else set()
    hit = len({*new, *before})
    if limits.customers_total and hit > max(FEW_CUSTOMERS, limits.customers_share_max * limits.customers_total):
        return (
            f"New measures against {hit} of {limits.customers_total} customers "
            f"{'within an hour' if before else 'at once'} are more than the fuse of "
            f"{limits.customers_share_max:.0%} lets pass; two people can override it."
        )
    return None


def _inside(a: Network, b: Network) -> bool:
    if isinstance(a, IPv4Network):
        return isinstance(b, IPv4Network) and a.subnet_of(b)
    return isinstance(b, IPv6Network) and a.subnet_of(b)


def _overlap(a: Network, b: Network) -> bool:
    return a.version == b.version and a.overlaps(b)


def _unmapped(network: Network) -> Network:
    """An IPv4 network that was written as IPv6 (RFC 4291, section 2.5.5.2), as itself."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF, network.prefixlen - 96))
    return network
