"""Linux's own packet filter: blocks or slows an address, a port of it, or a prefix, in the table `inet tipstaff`.

It touches no other table. Every change is one transaction that the kernel takes or refuses as a whole; the
generation lives in the table, so a plan made for an older state is refused by the kernel even after a restart.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tipstaff.enforcement.drivers.nftables import table
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.planner import Ability
from tipstaff.enforcement.probing import Address, Vantage, probe_rule, vantage_of
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable, StalePlan
from tipstaff.words import Observation, Plan, ProbeResult, Proof, Rule, Seen, Step

_KNOWN = (
    "nft", "tcp_block", "command_prefix", "probe_inside", "probe_outside", "probe_outside_addresses",
    "connections_per_minute", "packets_per_second", "timeout_seconds",
)  # fmt: skip


def make(device: str, options: Mapping[str, object]) -> "NftDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is run yet."""
    given = Options(device=device, driver="nftables", given=options)
    given.only(_KNOWN)
    prefix = given.texts("command_prefix")
    usual = table.Rates()
    return NftDriver(
        device,
        command_prefix=prefix,
        # Behind a prefix it may lie on another machine; a bare name is looked for when it is run.
        nft=given.text("nft", "nft") if prefix else given.program("nft", "nft"),
        tcp_block=given.choice("tcp_block", "reset", "drop"),
        rates=table.Rates(
            connections_per_minute=given.number("connections_per_minute", usual.connections_per_minute),
            packets_per_second=given.number("packets_per_second", usual.packets_per_second),
        ),
        timeout_seconds=given.number("timeout_seconds", 20),
        vantage=vantage_of(
            device,
            inside=given.texts("probe_inside"),
            outside=given.texts("probe_outside"),
            outside_addresses=given.texts("probe_outside_addresses"),
        ),
    )


class NftDriver:
    """One packet filter, reached by running `nft` behind an argument prefix."""

    def __init__(
        self,
        device: str,
        *,
        command_prefix: Sequence[str] = (),
        nft: str = "nft",
        tcp_block: str = "reset",
        rates: table.Rates | None = None,
        timeout_seconds: float = 20,
        vantage: Vantage | None = None,
    ) -> None:
        self.device = device
        self.max_proof = Proof.PROBE if vantage else Proof.STATE
        self._nft = (*command_prefix, nft)
        self._rules = table.rules_of(rates=rates or table.Rates(), tcp_block=tcp_block)
        self._timeout_seconds = timeout_seconds
        self._vantage = vantage
        self._held: table.Held | None = None
        """The last read-back. A change made for it is refused by the kernel if the device has moved on since."""

    @property
    def ability(self) -> Ability:
        return Ability(device=self.device, can=table.CAN, proof=self.max_proof)

    def supports(self, rule: Rule) -> bool:
        return table.supports(rule)

    def observe(self, *, at: datetime) -> Observation:
        try:
            held = self._read()
        except (DeviceUnreachable, DeviceRefused) as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        stands = held.stands(self._rules)
        return Observation(
            complete=True,
            generation=held.generation,
            rules=_seen(held, stands=stands),
            fingerprints=tuple((key, table.fingerprint_of(c)) for key, c in sorted(held.measures.items())),
            foreign=held.foreign,
            at=at,
            detail="" if stands or not held.exists else "Rules of the table are missing or changed.",
        )

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        # What was read for the observation may be old by now. The kernel finds that out, and then it is read anew.
        tries = [self._held, None] if self._held is not None else [None, None]
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
                commands = _transaction(held, plan, steps, at)
                if commands:
                    self._run("-j", "-f", "-", given=json.dumps({"nftables": commands}))
                self._held = None
                return
            except DeviceRefused as why:
                refused = why
        assert refused is not None
        held = self._read()
        if plan.generation < held.generation:
            raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
        raise refused

    def probe(self, rule: Rule) -> ProbeResult:
        if self._vantage is None:
            return ProbeResult(
                target_stopped=None, neighbour_works=None, detail="No vantage point for a probe is set up."
            )
        held = self._held
        if held is None:
            try:
                held = self._read()
            except (DeviceUnreachable, DeviceRefused) as why:
                return ProbeResult(target_stopped=None, neighbour_works=None, detail=str(why))
        elements = tuple(held.elements)
        target = rule.selector.network
        ports = {e[1].split(",")[0] for e in elements if "_flow_" in e[0]}

        def touched(address: Address) -> bool:
            own = target is not None and address in target
            return (not own and str(address) in ports) or any(table.covers(e, str(address)) for e in elements)

        return probe_rule(rule, vantage=self._vantage, touched=touched)

    def _read(self) -> table.Held:
        done = self._call("-j", "list", "table", "inet", table.TABLE)
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
            if not any(t["family"] == "inet" and t["name"] == table.TABLE for t in names):
                self._held = table.Held()
                return self._held
        raise DeviceUnreachable(f"{self.device}: {_last_words(done.stderr) or f'nft ended with {done.returncode}'}")

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


def _seen(held: table.Held, *, stands: bool) -> tuple[tuple[str, Seen], ...]:
    needed = table.required(held.measures)
    lacking = {key for element, keys in needed.items() if element not in held.elements for key in keys}
    seen = {key: Seen.IN_FORCE if stands and key not in lacking else Seen.DRIFT for key in held.measures}
    # An element of ours that no measure needs any more is still in force: named, so that it is lifted.
    for element, comment in held.elements.items():
        if table.is_ours(comment) and element not in needed:
            for key in comment.split()[1:2] or ["orphan"]:
                seen.setdefault(key, Seen.DRIFT)
    return tuple(sorted(seen.items()))


def _transaction(held: table.Held, plan: Plan, steps: Sequence[Step], at: datetime) -> list[dict[str, Any]]:
    """The commands that do the steps; none if nothing is to be done and the generation stands."""
    measures = dict(held.measures)
    untils: dict[str, datetime | None] = {rule.measure: rule.until for rule in plan.rules}
    applied: dict[str, Rule] = {}
    for step in steps:
        measures.pop(step.measure, None)
        if step.verb == "apply" and step.rule is not None and not table.has_ended(step.rule, at=at):
            assert table.supports(step.rule), f"{step.rule} was planned for a device that cannot hold it"
            applied[step.measure] = step.rule
            measures[step.measure] = table.comment_of(step.rule)
            untils[step.measure] = step.rule.until

    needed = table.required(measures)
    touched = {step.measure for step in steps}
    gone: dict[str, list[Any]] = {}
    come: dict[str, list[Any]] = {}

    for key in sorted(touched & held.measures.keys()):
        gone.setdefault("measures", []).append(key)
    for key, rule in sorted(applied.items()):
        left = table.seconds_left(rule.until, at=at)
        come.setdefault("measures", []).append(_elem(key, comment=measures[key], timeout=left))

    for element, comment in held.elements.items():
        if element not in needed and table.is_ours(comment):
            gone.setdefault(element[0], []).append(table.element_value(element))
    for element, keys in needed.items():
        there = held.elements.get(element)
        if there is not None:
            ours = table.is_ours(there)
            if not ours or (there == table.element_comment(keys) and not touched & set(keys)):
                continue  # Somebody else's, which is left alone, or as it should be.
            gone.setdefault(element[0], []).append(table.element_value(element))
        ends = [untils.get(key) for key in keys]
        last = None if None in ends else max(end for end in ends if end is not None)
        come.setdefault(element[0], []).append(
            _elem(
                table.element_value(element),
                comment=table.element_comment(keys),
                timeout=table.seconds_left(last, at=at),
            )
        )

    if not gone and not come and held.generation == plan.generation:
        return []
    commands = [
        table.command("delete", "generation", list(held.generation_elements)),
        table.command("add", "generation", [f"g{plan.generation}"]),
    ]
    for name in {name for name in (*gone, *come) if "_net_" in name}:
        # nft 1.0.6 takes a prefix that is deleted and added again for one that overlaps with itself: the whole set is
        # written anew instead, in the same transaction, with what is not ours as it was.
        removed = gone.pop(name, [])
        kept = [
            raw
            for element, raw in held.prefixes.items()
            if element[0] == name and table.element_value(element) not in removed
        ]
        commands.append(table.flush(name))
        if kept:
            commands.append(table.command("add", name, kept))
    for name, elements in gone.items():
        # It may have ended by itself since it was read, and deleting what is absent would undo everything else:
        # nft 1.0.6 knows no `destroy`, so each is added first.
        commands += [table.command("add", name, elements), table.command("delete", name, elements)]
    commands += [table.command("add", name, elements) for name, elements in come.items()]
    return commands


def _elem(value: Any, *, comment: str, timeout: int | None) -> dict[str, Any]:
    elem: dict[str, Any] = {"val": value, "comment": comment}
    if timeout is not None:
        elem["timeout"] = timeout
    return {"elem": elem}


def _last_words(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and set(line.strip()) != {"^"}]
    return lines[0][:300] if lines else ""
