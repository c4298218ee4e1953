"""Open vSwitch: blocks a switch port or one machine on it, or leads a port into the quarantine's VLAN.

Which port a service or an account has, the operator writes at the port (`external_ids`); the driver finds it there
anew each time. It adds OpenFlow flows of its own cookie and touches no other: what the switch does beside them, and
how its ports are set up, stays as it was.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from tipstaff.enforcement.drivers.ovs import flows
from tipstaff.enforcement.drivers.ovs.flows import Garden
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.planner import Ability
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable, StalePlan
from tipstaff.words import Observation, Plan, ProbeResult, Proof, Rule, Seen, Step

_KNOWN = (
    "bridge", "openflow", "database", "service_key", "account_key", "command_prefix", "ports_of", "quarantine_port",
    "quarantine_vlan", "timeout_seconds",
)  # fmt: skip


def make(device: str, options: Mapping[str, object]) -> "OvsDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is run yet."""
    given = Options(device=device, driver="ovs", given=options)
    given.only(_KNOWN)
    garden, port = None, given.text("quarantine_port")
    if port or "quarantine_vlan" in options:
        vlan = given.number("quarantine_vlan", 0, least=0)
        if not port or not 0 < vlan < 4095:
            raise BadOption(
                f"device {device}: a quarantine takes quarantine_port and a quarantine_vlan from 1 to 4094."
            )
        garden = Garden(port=port, vlan=vlan)
    return OvsDriver(
        device,
        command_prefix=given.texts("command_prefix"),
        bridge=given.needed("bridge"),
        openflow=given.text("openflow"),
        database=given.text("database"),
        keys={"service": given.text("service_key", "service"), "account": given.text("account_key", "account")},
        ports_of=given.text("ports_of", device),
        garden=garden,
        timeout_seconds=given.number("timeout_seconds", 20),
    )


class OvsDriver:
    """One bridge, reached by running `ovs-vsctl` and `ovs-ofctl` behind an argument prefix."""

    max_proof = Proof.STATE

    def __init__(
        self,
        device: str,
        *,
        command_prefix: Sequence[str] = (),
        bridge: str,
        openflow: str = "",
        database: str = "",
        keys: Mapping[str, str],
        ports_of: str = "",
        garden: Garden | None = None,
        timeout_seconds: int = 20,
    ) -> None:
        self.device = device
        self._prefix, self._bridge, self._keys, self._garden = tuple(command_prefix), bridge, dict(keys), garden
        self._openflow, self._ports_of = openflow or bridge, ports_of or device
        self._database = (f"--db={database}",) if database else ()
        self._timeout_seconds = timeout_seconds

    @property
    def ability(self) -> Ability:
        holds = partial(flows.holds, garden=self._garden, ports_of=self._ports_of)
        return Ability(device=self.device, can=flows.can(self._garden), proof=self.max_proof, holds=holds)

    def supports(self, rule: Rule) -> bool:
        known = flows.KEY.fullmatch(rule.measure) is not None
        return known and flows.holds(rule.selector, rule.degree, garden=self._garden, ports_of=self._ports_of)

    def observe(self, *, at: datetime) -> Observation:
        try:
            held, ports = self._read(), self._ports()
        except (DeviceUnreachable, DeviceRefused) as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        rules: dict[str, Seen] = {}
        needed: set[flows.Element] = set()
        doubts = []
        for key, note in held.notes.items():
            if note.until is not None and note.until <= at.timestamp():
                continue
            elements = flows.elements_of(note, ports, self._garden)
            needed |= elements
            doubt = ""
            if not elements:
                doubt = f"{key}: no port is named {note.on}."
            elif not elements <= held.elements:
                doubt = f"{key}: a flow is missing."
            elif flows.winds_down(note, held.left[key], at=at):
                doubt = f"{key}: its time on the switch is to be wound up."
            rules[key] = Seen.DRIFT if doubt else Seen.IN_FORCE
            doubts += [doubt] if doubt else []
        for kind, port, mac in held.elements - needed:
            # A flow of ours that no measure needs is in force all the same: named, so that it is lifted.
            rules.setdefault(f"{kind}-{port}{mac.replace(':', '')[-4:]}", Seen.DRIFT)
        return Observation(
            complete=True,
            generation=held.generation,
            rules=tuple(sorted(rules.items())),
            fingerprints=tuple(sorted((k, n.fingerprint) for k, n in held.notes.items() if k in rules)),
            foreign=held.foreign,
            at=at,
            detail=" ".join(doubts[:5]),
        )

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        refused: DeviceRefused | None = None
        for _ in range(2):  # Whoever changed it meanwhile is seen at the second reading.
            held = self._read()
            if plan.generation < held.generation:
                raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
            lines = flows.bundle(held, plan, steps, ports=self._ports(), garden=self._garden, at=at)
            if not lines:
                return
            try:
                self._call("ovs-ofctl", "-O", "OpenFlow14", "--bundle", "add-flows", self._openflow, "-",
                           given="\n".join(lines) + "\n")  # fmt: skip
                return
            except DeviceRefused as why:
                refused = why
        assert refused is not None
        raise refused

    def probe(self, rule: Rule) -> ProbeResult:
        return ProbeResult(target_stopped=None, neighbour_works=None, detail="Nobody of ours stands behind a port.")

    def _read(self) -> flows.Held:
        ours = f"table=0,cookie={flows.COOKIE:#x}/0xffffffff00000000"
        dump = ("ovs-ofctl", "-O", "OpenFlow14", "--no-names", "dump-flows", self._openflow)
        return flows.read_dump(self._call(*dump, ours) + self._call(*dump, f"table={flows.BOOKS}"))

    def _ports(self) -> dict[str, list[int]]:
        """Where every service, account and named port of this bridge is now."""
        told = self._call("ovs-vsctl", *self._database, "--format=json", "list-ports", self._bridge, "--",
                          "--columns=name,ofport,external_ids", "list", "Interface")  # fmt: skip
        *lines, interfaces = told.splitlines() or [""]
        on_bridge = set(lines)
        found: dict[str, list[int]] = {}
        try:
            for name, ofport, (_, pairs) in json.loads(interfaces)["data"]:
                if name not in on_bridge or not isinstance(ofport, int) or ofport < 1:
                    continue
                marks: dict[str, Any] = dict(pairs)
                names = [f"port:{name}"]
                names += [f"{kind}:{marks[key]}" for kind, key in self._keys.items() if key in marks]
                for one in names:
                    found.setdefault(one, []).append(ofport)
        except (ValueError, KeyError, TypeError) as why:
            raise DeviceRefused(f"{self.device}: the list of ports cannot be read: {why!r}") from why
        return found

    def _call(self, *command: str, given: str | None = None) -> str:
        path = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        try:
            done = subprocess.run(
                [*self._prefix, *command],
                input=given,
                stdin=None if given is not None else subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self._timeout_seconds,
                env={**os.environ, "PATH": path, "LC_ALL": "C"},
                check=False,
            )
        except subprocess.TimeoutExpired as why:
            raise DeviceUnreachable(f"{self.device}: {command[0]} gave no answer in {self._timeout_seconds} s") from why
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {command[0]} cannot be run: {why.strerror}") from why
        if done.returncode == 0:
            return done.stdout
        said = next((line.strip() for line in done.stderr.splitlines() if line.strip()), f"it ended {done.returncode}")
        kind = DeviceRefused if "OFPFMFC_" in done.stderr or "OFPBFC_" in done.stderr else DeviceUnreachable
        raise kind(f"{self.device}: {command[0]}: {said[:300]}")
