"""Linux's own packet filter: stops or slows an address, a port of it or a prefix, a machine on a customer's port, or
only the forged packets of that port, or leads an address to the garden's page; all in the table `inet tipstaff`.

It touches no other table. Every change is one transaction that the kernel takes or refuses as a whole; the
generation lives in the table, so a plan made for an older state is refused by the kernel even after a restart.
"""

import json
import os
import subprocess
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from tipstaff.enforcement.drivers.nftables import layout, reading, table
from tipstaff.enforcement.drivers.nftables.netlink import Kernel
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.planner import Ability
from tipstaff.enforcement.probing import Address, Vantage, probe_rule, vantage_of
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable, StalePlan, as_asked
from tipstaff.words import Observation, Plan, ProbeResult, Proof, Rule, Step

_KNOWN = (
    "nft", "tcp_block", "command_prefix", "probe_inside", "probe_outside", "probe_outside_addresses",
    "connections_per_minute", "packets_per_second", "timeout_seconds", "netlink",
    "customer_ports", "ports_of", "garden", "garden_http_port", "garden_resolvers",
)  # fmt: skip

_ASKED_FOR_SINGLY_MAX = 1000
"""Of more measures a whole reading is the faster."""


def make(device: str, options: Mapping[str, object]) -> "NftDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is run yet."""
    given = Options(device=device, driver="nftables", given=options)
    given.only(_KNOWN)
    prefix = given.texts("command_prefix")
    usual = layout.Setup()
    ports = given.texts("customer_ports")
    for port in ports:
        if not layout.PORT.fullmatch(port):
            raise given.bad("customer_ports", f"names {port!r}, but an interface has a name like eth7.")
    return NftDriver(
        device,
        command_prefix=prefix,
        # Behind a prefix it may lie on another machine; a bare name is looked for when it is run.
        nft=given.text("nft", "nft") if prefix else given.program("nft", "nft"),
        setup=layout.Setup(
            tcp_block=given.choice("tcp_block", "reset", "drop"),
            connections_per_minute=given.number("connections_per_minute", usual.connections_per_minute),
            packets_per_second=given.number("packets_per_second", usual.packets_per_second),
            customer_ports=frozenset(ports),
            ports_of=given.text("ports_of", device),
            garden=_garden_of(given),
        ),
        timeout_seconds=given.number("timeout_seconds", 20),
        by_netlink=given.flag("netlink"),
        vantage=vantage_of(
            device,
            inside=given.texts("probe_inside"),
            outside=given.texts("probe_outside"),
            outside_addresses=given.texts("probe_outside_addresses"),
        ),
    )


def _garden_of(given: Options) -> layout.Garden | None:
    pages, resolvers = given.addresses("garden"), given.addresses("garden_resolvers")
    if not pages and not resolvers and "garden_http_port" not in given.given:
        return None
    if not pages or not resolvers:
        raise given.bad("garden", "and garden_resolvers go together: without names nobody finds a page.")
    by_version: dict[int, layout.Address] = {page.version: page for page in pages}
    if len(by_version) != len(pages):
        raise given.bad("garden", "takes one address for each IP version.")
    return layout.Garden(pages=by_version, resolvers=resolvers, http_port=given.number("garden_http_port", 80))


class NftDriver:
    """One packet filter, reached by running `nft` behind an argument prefix."""

    def __init__(
        self,
        device: str,
        *,
        command_prefix: Sequence[str] = (),
        nft: str = "nft",
        setup: layout.Setup | None = None,
        timeout_seconds: float = 20,
        vantage: Vantage | None = None,
        by_netlink: bool = False,
    ) -> None:
        self.device = device
        self.max_proof = Proof.PROBE if vantage else Proof.STATE
        self._prefix, self._nft = tuple(command_prefix), (*command_prefix, nft)
        self._by_netlink = by_netlink
        self._way: Kernel | None = None
        self._setup = setup or layout.Setup()
        self._rules = layout.rules_of(self._setup)
        self._timeout_seconds = timeout_seconds
        self._vantage = vantage
        self._held: table.Held | None = None
        """The last read-back. A change made for it is refused by the kernel if the device has moved on since."""
        self._untaken: table.Change | None = None
        self._change: table.Change | None = None
        """What it was changed by since then, over netlink."""

    @property
    def ability(self) -> Ability:
        holds = partial(layout.holds, setup=self._setup)
        return Ability(device=self.device, can=layout.can(self._setup), proof=self.max_proof, holds=holds)

    def supports(self, rule: Rule) -> bool:
        return layout.supports(rule, setup=self._setup)

    def observe(self, *, at: datetime) -> Observation:
        try:
            held = self._read()
        except (DeviceUnreachable, DeviceRefused) as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        stands = held.stands(self._rules)
        return Observation(
            complete=True,
            generation=held.generation,
            rules=held.seen(stands=stands),
            fingerprints=held.fingerprints,
            foreign=held.foreign,
            at=at,
            detail="" if stands or not held.exists else "Rules of the table are missing or changed.",
        )

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        # What was read for the observation may be old by now. The kernel finds that out, and then it is read anew.
        tries = [self._believed(), None]
        self._held = None
        refused: DeviceRefused | None = None
        for remembered in tries:
            held = remembered or self._read()
            if plan.generation < held.generation:
                raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
            try:
                if not held.stands(self._rules) or not held.generation_elements:
                    self._run("-f", "-", given=table.skeleton(held=held, rules=self._rules))
                    held = self._read()
                    if plan.generation < held.generation:
                        raise StalePlan(f"{self.device} holds generation {held.generation}")
                change = table.change_of(held, plan, steps, at=at)
                if change is not None:
                    self._carry(held, change)
                return
            except DeviceRefused as why:
                refused = why
        assert refused is not None
        held = self._read()
        if plan.generation < held.generation:
            raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
        raise refused

    def _carry(self, held: table.Held, change: table.Change) -> None:
        """Let the kernel take the change or refuse it; what it holds then is known only by netlink."""
        self._held = self._change = None
        if not self._by_netlink or change.touches_prefixes or held.prefixes:
            self._run("-j", "-f", "-", given=table.as_json(held, change))
            return
        self._kernel().change(layout.TABLE, table.as_elements(held, change))
        self._held, self._change, self._untaken = held, change, change

    def _believed(self) -> table.Held | None:
        """What was read last, with what it was changed by since. That is worked out when it is asked for, and not while
        somebody waits for the change."""
        untaken, self._untaken = self._untaken, None
        if self._held is not None and untaken is not None:
            self._held.take(untaken)
        return self._held

    def look_at(self, measures: Collection[str], *, at: datetime) -> Observation | None:
        held, change = self._believed(), self._change
        if held is None or change is None or held.prefixes or held.elsewhere or len(measures) > _ASKED_FOR_SINGLY_MAX:
            return None
        kept = [key for key in measures if key in held.measures]
        asked: dict[str, dict[str, str | None]] = {"generation": {f"g{held.generation}": ""}}
        for name, gone in change.gone.items():
            asked.setdefault(name, {}).update((words, None) for words in gone)
        for key in measures:
            asked.setdefault(layout.book_of(key), {})[key] = held.measures.get(key)
        for key in kept:
            for name, words in table.needs_of(held.measures[key]):
                asked.setdefault(name, {})[words] = held.elements.get((name, words))
        for name, come in change.come.items():
            asked.setdefault(name, {}).update((words, comment) for words, comment, _ in come)
        try:
            kernel = self._kernel()
            for name, told in asked.items():
                answers = kernel.comments(layout.TABLE, name, [table.key_of(name, words) for words in told])
                if answers != [None if comment is None else comment.encode() for comment in told.values()]:
                    return None
            shape = kernel.shape(layout.TABLE)
        except (DeviceUnreachable, DeviceRefused, FileNotFoundError):  # The last: the table is gone.
            return None
        if shape is None or not reading.shaped(held, shape).stands(self._rules):
            return None
        prints = {key: table.fingerprint_of(held.measures[key]) for key in kept}
        return as_asked(prints, asked=measures, generation=held.generation, foreign=held.foreign, at=at)

    def probe(self, rule: Rule) -> ProbeResult:
        if self._vantage is None:
            return ProbeResult(
                target_stopped=None, neighbour_works=None, detail="No vantage point for a probe is set up."
            )
        held = self._believed()
        if held is None:
            try:
                held = self._read()
            except (DeviceUnreachable, DeviceRefused) as why:
                return ProbeResult(target_stopped=None, neighbour_works=None, detail=str(why))
        target = rule.selector.network
        hosts = held.hosts_with_ports

        def touched(address: Address) -> bool:
            own = target is not None and address in target
            return (not own and str(address) in hosts) or held.covers(address)

        return probe_rule(rule, vantage=self._vantage, touched=touched)

    def _kernel(self, *, anew: bool = False) -> Kernel:
        """The way to the kernel; anew for each whole reading, for the prefix may lead elsewhere by now."""
        kernel = self._way
        if kernel is None or anew or kernel.process != os.getpid():
            if kernel is not None and kernel.process == os.getpid():
                kernel.close()
            self._way = None
            kernel = self._way = Kernel(self.device, prefix=self._prefix, timeout_seconds=self._timeout_seconds)
        return kernel

    def _read(self) -> table.Held:
        if self._by_netlink:
            believed = self._believed()
            self._held = self._change = None
            self._held = reading.read(self._kernel(anew=True), believed=believed, list_set=self._list_set)
            return self._held
        done = self._call("-j", "list", "table", "inet", layout.TABLE)
        if done.returncode == 0:
            try:
                self._held = table.read_listing(done.stdout)
            except (ValueError, KeyError, TypeError) as why:
                raise DeviceRefused(f"{self.device}: nft's listing cannot be read: {why!r}") from why
            return self._held
        # "No such file or directory" may be said of the table, of the namespace, or of nft itself: ask what tables
        # there are. Only an answer without ours means that nothing is there.
        tables = self._call("-j", "list", "tables")
        if tables.returncode == 0:
            try:
                names = [t["table"] for t in json.loads(tables.stdout)["nftables"] if "table" in t]
            except (ValueError, KeyError, TypeError) as why:
                raise DeviceRefused(f"{self.device}: nft's listing cannot be read: {why!r}") from why
            if not any(t["family"] == "inet" and t["name"] == layout.TABLE for t in names):
                self._held = table.Held()
                return self._held
        raise DeviceUnreachable(f"{self.device}: {_last_words(done.stderr) or f'nft ended with {done.returncode}'}")

    def _list_set(self, name: str) -> str:
        done = self._call("-j", "list", "set", "inet", layout.TABLE, name)
        if done.returncode != 0:
            raise DeviceUnreachable(f"{self.device}: {_last_words(done.stderr) or f'nft ended with {done.returncode}'}")
        return done.stdout

    def _run(self, *arguments: str, given: str) -> None:
        done = self._call(*arguments, given=given)
        if done.returncode != 0:
            raise DeviceRefused(f"{self.device}: {_last_words(done.stderr) or f'nft ended with {done.returncode}'}")

    def _call(self, *arguments: str, given: str | None = None) -> "subprocess.CompletedProcess[str]":
        path = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        try:
            return subprocess.run(
                [*self._nft, *arguments],
                input=given,
                stdin=None if given is not None else subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self._timeout_seconds,
                env={**os.environ, "PATH": path, "LC_ALL": "C"},
                check=False,
            )
        except subprocess.TimeoutExpired as why:
            raise DeviceUnreachable(f"{self.device}: nft gave no answer in {self._timeout_seconds} s") from why
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {self._nft[0]} cannot be run: {why.strerror}") from why


def _last_words(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and set(line.strip()) != {"^"}]
    return lines[0][:300] if lines else ""
