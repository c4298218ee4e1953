"""Shows with real packets that a target is stopped and that its neighbour still works.

Two small programs talk to each other across the device, one on the customer's side and one outside of it. The
listening one holds a port for the target and one for the neighbour, so a closed port is never taken for a blocked
one. They run behind the prefixes of the settings and send nothing to anybody else.
"""

import json
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from tipstaff.enforcement.protocol import BadOption
from tipstaff.words import Degree, Direction, ProbeResult, Rule, Scope, Selector

Address = IPv4Address | IPv6Address
Call = tuple[str, str, str, int, int]
"""(protocol, source address or empty, address, port, source port or 0)."""

Taken = Callable[[Direction, Address, Address, int], bool]
"""(way, customer, far end, source port or 0) on the same port -> whether another measure stops it."""

_WAIT_SECONDS = 0.5
_LISTENS_WITHIN_SECONDS = 20.0
_NEIGHBOURS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """From where a device may be probed."""

    inside: tuple[str, ...]
    """The prefix by which a program runs on the customers' side, able to use their addresses."""
    outside: tuple[str, ...]
    """The prefix by which a program runs beyond the device."""
    outside_addresses: tuple[Address, ...]
    """Addresses out there, one for each IP version that is to be probed."""


def vantage_of(
    device: str, *, inside: Sequence[str], outside: Sequence[str], outside_addresses: Sequence[str]
) -> Vantage | None:
    """The vantage that a device's options name, None where they name none; raise BadOption for half of one."""
    try:
        addresses = tuple(ip_address(x) for x in outside_addresses)
    except ValueError as why:
        raise BadOption(f"device {device}: probe_outside_addresses: {why}.") from why
    if inside and outside and addresses:
        return Vantage(inside=tuple(inside), outside=tuple(outside), outside_addresses=addresses)
    if inside or outside or addresses:
        raise BadOption(
            f"device {device}: a probe takes all of probe_inside, probe_outside and probe_outside_addresses."
        )
    return None


def obstacle(selector: Selector, degree: Degree, vantage: Vantage) -> str:
    """Why a probe of this can never be made from there; empty where one can."""
    if selector.network is None or degree not in (Degree.BLOCK, Degree.WALLED_GARDEN):
        return "Only a block of addresses or ports can be probed."
    version = selector.network.version
    if all(a.version != version for a in vantage.outside_addresses):
        return f"No outside address of IPv{version} is set up."
    if _far_of(selector, vantage) is None:
        return f"No outside address that is set up lies within {selector.remote}."
    if selector.remote is not None and not _beyond(selector, vantage):
        return f"No outside address that is set up lies beyond {selector.remote}: nothing shows that the rest goes on."
    return ""


def _far_of(selector: Selector, vantage: Vantage) -> Address | None:
    """The outside address by which this is probed; None where none is at its far end."""
    network, remote = selector.network, selector.remote
    fits = (a for a in vantage.outside_addresses if network is not None and a.version == network.version)
    return next((a for a in fits if remote is None or a in remote), None)


def probe_rule(
    rule: Rule, *, vantage: Vantage, touched: Callable[[Address], bool], taken: Taken | None = None
) -> ProbeResult:
    """Probe one rule in every direction that it has. No address that another measure has `touched` is a neighbour.

    Where the measure stops only a port, `touched` is asked about the target's own address too: it speaks of measures
    that stop the whole address then. Where it stops less than a port, the rest of the port must go on as well: with
    another far end, and from another source port. Where another measure has `taken` that, nothing is proven.
    """
    network = rule.selector.network
    why_not = obstacle(rule.selector, rule.degree, vantage)
    far = _far_of(rule.selector, vantage)
    if network is None or far is None or why_not:
        return _not_probed(why_not)
    customer = network.network_address if network.num_addresses == 1 else network.network_address + 1
    ways = (Direction.OUT, Direction.IN) if rule.selector.direction is Direction.BOTH else (rule.selector.direction,)
    results = [_one_way(way, rule, customer, far, vantage, touched, taken) for way in ways]
    detail = " ".join(r.detail for r in results)
    return ProbeResult(
        target_stopped=_all_or_none([r.target_stopped for r in results]),
        neighbour_works=_all_or_none([r.neighbour_works for r in results]),
        detail=detail,
        target_free=_all_or_none([r.target_free for r in results]),
        beside_works=_all_or_none([r.beside_works for r in results]),
    )


def _not_probed(why: str) -> ProbeResult:
    return ProbeResult(target_stopped=None, neighbour_works=None, detail=why)


def _all_or_none(answers: list[bool | None]) -> bool | None:
    if False in answers:
        return False
    return None if None in answers else True


def _one_way(
    way: Direction,
    rule: Rule,
    customer: Address,
    far: Address,
    vantage: Vantage,
    touched: Callable[[Address], bool],
    taken: Taken | None,
) -> ProbeResult:
    protocol = rule.selector.protocol or "tcp"
    port = rule.selector.port or 0
    neighbours = _neighbours(customer, rule, touched)
    out = way is Direction.OUT
    from_port = rule.selector.source_port or 0
    from_far = str(far) if rule.selector.remote is not None else ""
    siblings = _siblings(
        rule.selector, far, vantage, taken=lambda end, port: taken is not None and taken(way, customer, end, port)
    )
    if out:
        listeners = [(protocol, str(far), port), (protocol, str(far), 0)]
        listeners += [(protocol, str(end), port) for end, _ in siblings or () if end != far]
    else:
        beside_it = [(protocol, str(n), 0 if n == customer else port) for n in neighbours]
        listeners = [(protocol, str(customer), port), *beside_it]

    def calls(ports: list[int]) -> list[Call]:
        if out:
            beside = [(protocol, str(n), str(far), ports[1] if n == customer else ports[0], 0) for n in neighbours]
            rest = [
                (protocol, str(customer), str(end), ports[0 if end == far else 2], source)
                for end, source in siblings or ()
            ]
            return [(protocol, str(customer), str(far), ports[0], from_port), *rest, *beside]
        rest = [(protocol, str(end), str(customer), ports[0], source) for end, source in siblings or ()]
        beside = [(protocol, from_far, str(n), p, 0) for n, p in zip(neighbours, ports[1:], strict=True)]
        return [(protocol, from_far, str(customer), ports[0], from_port), *rest, *beside]

    listening, talking = (vantage.outside, vantage.inside) if out else (vantage.inside, vantage.outside)
    try:
        answers = _converse(listening, listeners, talking, calls, all_of=len(siblings or ()))
    except (OSError, ValueError, subprocess.SubprocessError) as why:
        return _not_probed(f"The probe could not be made: {why}.")
    beyond = 1 + len(siblings or ())
    target, same_port, rest = answers[0], answers[1:beyond], [a for a in answers[beyond:] if a != "unusable"]
    where = "out" if out else "in"
    told = {"connected": "gets through", "refused": "is refused", "silent": "gets no answer"}
    stopped = {"connected": False, "refused": True, "silent": True}.get(target)
    works = {"connected": True, "refused": False, "silent": False}
    neighbour = works.get(rest[0]) if rest else None
    rest_of_port = None if siblings is None else _all_or_none([works.get(answer) for answer in same_port])
    words = f"{where}: {rule.selector} {told.get(target, 'could not be tried')}"
    beside = f"its neighbour {told.get(rest[0], 'could not be tried')}" if rest else "no neighbour could be tried"
    beside_works = neighbour
    if rule.selector.narrowed:
        neighbour = _all_or_none([rest_of_port, neighbour])
        says = {True: "goes on", False: "is stopped too", None: "could not be tried"}[rest_of_port]
        beside += f", the rest of the port {says}"
    return ProbeResult(
        target_stopped=stopped, neighbour_works=neighbour, detail=f"{words}, {beside}.", beside_works=beside_works
    )


def _siblings(
    selector: Selector, far: Address, vantage: Vantage, *, taken: Callable[[Address, int], bool]
) -> list[tuple[Address, int]] | None:
    """(far end, source port or 0) of what is on the same port and not taken in; None where some of it cannot be tried.

    One for each thing that makes it narrower than the port, so that whichever of them a device leaves out shows.
    """
    wanted = []
    if selector.source_port is not None:
        wanted.append([(far, 0)])
    if selector.remote is not None:
        wanted.append([(end, selector.source_port or 0) for end in _beyond(selector, vantage)])
    found = [next((each for each in some if not taken(*each)), None) for some in wanted]
    return None if None in found else [each for each in found if each is not None]


def _beyond(selector: Selector, vantage: Vantage) -> list[Address]:
    """The outside addresses that are not at its far end."""
    remote = selector.remote
    return [
        a for a in vantage.outside_addresses if remote is not None and a.version == remote.version and a not in remote
    ]


def _neighbours(customer: Address, rule: Rule, touched: Callable[[Address], bool]) -> list[Address]:
    """Whose traffic must go on: the same address on another port, else addresses nearby that no measure touches."""
    nearby: list[Address] = [customer] if rule.selector.scope is Scope.FLOW else []
    last = (1 << customer.max_prefixlen) - 1
    start = int(customer)
    if rule.selector.network is not None and rule.selector.scope is Scope.PREFIX:
        start = int(rule.selector.network.broadcast_address)
    for distance in range(1, _NEIGHBOURS + 1):
        for number in (start + distance, start - distance):
            if 0 <= number <= last:
                nearby.append(type(customer)(number))
    own = rule.selector.network
    return [a for a in nearby if not touched(a) and not (own is not None and own.num_addresses > 1 and a in own)]


def _converse(
    listening: Sequence[str],
    listeners: list[tuple[str, str, int]],
    talking: Sequence[str],
    calls: Callable[[list[int]], list[Call]],
    *,
    all_of: int = 0,
) -> list[str]:
    """What became of each call: of the first, of `all_of` after it, and of the others until one of them connects."""
    python = (sys.executable, "-I", "-S", "-c")
    with subprocess.Popen(
        [*listening, *python, _LISTENER, json.dumps(listeners)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as ear:
        try:
            assert ear.stdout is not None
            if not select.select([ear.stdout], [], [], _LISTENS_WITHIN_SECONDS)[0]:
                raise ValueError(f"the listener did not start within {_LISTENS_WITHIN_SECONDS:g} s")
            line = ear.stdout.readline()
            if not line:
                assert ear.stderr is not None
                raise ValueError(f"the listener ended: {ear.stderr.read().strip()[-200:]}")
            ports = json.loads(line)
            if ports[0] is None:
                raise ValueError("the target's port could not be listened on")
            wanted = calls([p or 0 for p in ports])
            done = subprocess.run(
                [*talking, *python, _TALKER, json.dumps([_WAIT_SECONDS, wanted, all_of])],
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode != 0:
                raise ValueError(f"the caller ended: {done.stderr.strip()[-200:]}")
            answers: list[str] = json.loads(done.stdout)
            return answers
        finally:
            ear.kill()


_LISTENER = """
import errno, json, select, socket, sys
socks, ports = {}, []
for protocol, host, port in json.loads(sys.argv[1]):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind((host, port))
        if protocol == "tcp":
            s.listen(16)
        socks[s] = protocol
        ports.append(s.getsockname()[1])
    except OSError as why:
        # Somebody who listens there already will do as well, if they answer.
        alive = None
        if protocol == "tcp" and port and why.errno == errno.EADDRINUSE:
            with socket.socket(family, socket.SOCK_STREAM) as t:
                t.settimeout(0.3)
                try:
                    t.connect((host, port))
                    alive = port
                except OSError:
                    pass
        ports.append(alive)
print(json.dumps(ports), flush=True)
while True:
    ready = select.select([*socks, sys.stdin], [], [])[0]
    for s in ready:
        if s is sys.stdin:
            sys.exit()
        if socks[s] == "tcp":
            s.accept()[0].close()
        else:
            data, peer = s.recvfrom(64)
            s.sendto(data, peer)
"""

_TALKER = """
import json, socket, struct, sys
wait, wanted, all_of = json.loads(sys.argv[1])
answers, works = [], False
for n, (protocol, source, host, port, from_port) in enumerate(wanted):
    if n > 0 and (works or not port):
        answers.append("unusable")
        continue
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM) as s:
        s.settimeout(wait)
        if source or from_port:
            try:
                if from_port:
                    # The same port is asked for again in the next probe: it must not linger.
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.bind((source, from_port))
            except OSError:
                answers.append("unusable")
                continue
        try:
            s.connect((host, port))
            if protocol == "udp":
                s.send(b"tipstaff")
                s.recv(64)
            answers.append("connected")
        except TimeoutError:
            answers.append("silent")
        except ConnectionError:
            answers.append("refused")
        except OSError:
            answers.append("unusable" if n else "silent")
    works = n > all_of and answers[-1] == "connected"
print(json.dumps(answers))
"""
