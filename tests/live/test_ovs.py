"""The switch driver on real Open vSwitch in userspace: the contract, and what only packets can show."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.live.running import until
from tests.live.test_real_sources import running, tool
from tipstaff.enforcement.drivers import ovs
from tipstaff.enforcement.drivers.ovs import flows
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, Driver
from tipstaff.testing.drivers import NOON, DriverContract, carry_out
from tipstaff.testing.lab import Lab
from tipstaff.words import Degree, Plan, Rule, Seen, Selector, Step

pytestmark = pytest.mark.live

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
MACHINE = "02:00:5e:10:00:01"


class Switch:
    """A bridge `br0` of Open vSwitch in userspace, and its database."""

    def __init__(self, folder: Path, stack: ExitStack, *, prefix: list[str]) -> None:
        for name in ("ovsdb-server", "ovs-vswitchd", "ovs-ofctl"):
            tool(name, "openvswitch-switch")
        self.folder, self.prefix = folder, prefix
        where = {**os.environ, "OVS_RUNDIR": str(folder), "OVS_LOGDIR": str(folder)}
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("OVS_RUNDIR", str(folder))
        self.database = f"unix:{folder}/db.sock"
        self.call("ovsdb-tool", "create", f"{folder}/conf.db", str(SCHEMA))
        server = [tool("ovsdb-server", "openvswitch-switch"), f"{folder}/conf.db", f"--remote=p{self.database}",
                  f"--unixctl={folder}/db.ctl"]  # fmt: skip
        stack.enter_context(
            running([*prefix, *server, "-vconsole:info"], until="ovsdb-server (Open vSwitch)", env=where)
        )
        until(lambda: (folder / "db.sock").exists(), what="the switch's database")
        self.set("--no-wait", "init")
        daemon = [tool("ovs-vswitchd", "openvswitch-switch"), self.database, f"--unixctl={folder}/sw.ctl"]
        self._daemon, self._where = [*prefix, *daemon, "-vconsole:info"], where
        self._running = ExitStack()
        stack.callback(self.kill)
        self.start()
        self.set("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")

    def start(self) -> None:
        """Start the switch itself, with the bridges and ports of its database and no flows."""
        self._running.enter_context(running(self._daemon, until="connected", env=self._where))

    def kill(self) -> None:
        self._running.close()
        (self.folder / "br0.mgmt").unlink(missing_ok=True)

    def await_bridge(self) -> None:
        """Its bridge is there a moment after it is, once it has read its database."""
        until((self.folder / "br0.mgmt").exists, what="the bridge")

    def set(self, *words: str) -> str:
        return self.call("ovs-vsctl", f"--db={self.database}", *words)

    def flows(self, verb: str, *words: str) -> str:
        return self.call("ovs-ofctl", "-O", "OpenFlow14", verb, f"unix:{self.folder}/br0.mgmt", *words)

    def call(self, *command: str) -> str:
        found = [tool(command[0], "openvswitch-switch"), *command[1:]]
        return subprocess.run([*self.prefix, *found], check=True, capture_output=True, text=True, timeout=20).stdout

    def options(self, **more: object) -> dict[str, object]:
        return {"bridge": "br0", "openflow": f"unix:{self.folder}/br0.mgmt", "database": self.database,
                "command_prefix": self.prefix, **more}  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    if why := Lab.unavailable():
        pytest.skip(why)
    with Lab() as built:
        yield built


@pytest.fixture(scope="module")
def switch(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    if not SCHEMA.exists():
        pytest.skip("there is no Open vSwitch; `apt-get install openvswitch-switch` brings it")
    with ExitStack() as stack:
        made = Switch(tmp_path_factory.mktemp("ovs"), stack, prefix=lab.prefix("edge"))
        # Sixteen ports that nothing is plugged into, for the contract: each is a line of its own.
        for n in range(16):
            made.set("add-port", "br0", f"line{n}", "--", "set", "Interface", f"line{n}", "type=internal",
                     f"external_ids:service=S-{n}", f"external_ids:account=acct-{n}")  # fmt: skip
        yield made


FIRST = {
    "test_what_is_applied_is_seen",
    "test_two_measures_on_one_target_stand_until_both_are_lifted",
    "test_a_late_plan_cannot_bring_back_a_lifted_measure",
    "test_a_failed_read_is_unknown_and_never_absent",
    "test_what_is_foreign_is_reported_and_left_alone",
    "test_a_rule_that_was_tampered_with_is_drift_and_is_mended",
    "test_a_device_that_lost_its_state_is_made_whole",
    "test_killed_midway_it_leaves_all_or_nothing[40]",
}


class TestOvs(DriverContract):
    @pytest.fixture(autouse=True)
    def _switch(self, switch: Switch, request: pytest.FixtureRequest) -> None:
        if request.node.name not in FIRST and not os.environ.get("TIPSTAFF_TEST_SOAK"):
            pytest.skip("TIPSTAFF_TEST_SOAK=1 runs the whole contract: each step starts a handful of programs")
        self.switch = switch

    def make(self) -> Driver:
        self.switch.flows("del-flows")
        self.switch.flows("add-flow", "priority=0,actions=NORMAL")
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return ovs.make("switch1", self.switch.options())

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        measure = f"M-{(n if key is None else key) + 1:06d}"
        mac = f"02:00:5e:10:{n // 256:02x}:{n % 256:02x}"
        selector = Selector(session=f"line{n % 16}/{mac}")
        return Rule(measure=measure, case="C-000001", selector=selector, degree=Degree.BLOCK, until=until)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        assert isinstance(driver, ovs.OvsDriver)
        works, driver._openflow = driver._openflow, "unix:/nowhere/br0.mgmt"
        yield
        driver._openflow = works

    def put_foreign(self, driver: Driver) -> str:
        self.switch.flows("add-flow", "table=250,priority=9,in_port=1,actions=drop")
        return "flow priority=9,in_port=1 in table 250"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        mac = (rule.selector.session or "").partition("/")[2]
        self.switch.flows("del-flows", f"table=0,dl_src={mac}")

    def forget(self, driver: Driver) -> None:
        self.switch.flows("del-flows")


NEAR, NEAR_TOO, FAR = "203.0.113.7", "203.0.113.8", "203.0.113.1"
NO_OFFLOAD = """
import array, fcntl, socket, struct, sys
for name in sys.argv[1:]:  # A userspace switch must get whole checksums from a veth: ETHTOOL_STXCSUM off.
    value = array.array("B", struct.pack("II", 0x17, 0))
    request = struct.pack("16sP", name.encode(), value.buffer_info()[0])
    with socket.socket() as s:
        fcntl.ioctl(s, 0x8946, request)
"""
GARDENER = """
import socket, struct
MAC, VLAN = bytes.fromhex("02005e100099"), 666
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire:
    wire.bind(("garden0", 0))
    wire.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the tag is taken off before we see the frame.
    print("ready", flush=True)
    while True:
        frame, more, _, _ = wire.recvmsg(2000, 100)
        tag = next((struct.unpack_from("H", data, 16)[0] & 4095 for _, kind, data in more if kind == 8), 0)
        if frame[12:14] == b"\\x81\\x00":
            tag, frame = struct.unpack_from(">H", frame, 14)[0] & 4095, frame[:12] + frame[16:]
        if tag != VLAN or frame[12:14] != b"\\x08\\x06" or frame[20:22] != b"\\0\\1":
            continue
        asker, his, asked = frame[22:28], frame[28:32], frame[38:42]
        arp = struct.pack(">HHBBH", 1, 0x800, 6, 4, 2) + MAC + asked + asker + his
        wire.send(asker + MAC + struct.pack(">HHH", 0x8100, VLAN, 0x806) + arp)
        print(socket.inet_ntoa(his), flush=True)
"""


@pytest.fixture(scope="module")
def wired(lab: Lab, switch: Switch) -> Switch:
    """The lab's two wires plugged into the switch: a customer's line with two machines, and everything else."""
    ip = tool("ip", "iproute2")
    for port in ("inside", "outside"):
        switch.set("add-port", "br0", port, "--", "set", "Interface", port, f"external_ids:service=line-{port}",
                   f"external_ids:account=of-{port}")  # fmt: skip
    switch.set("add-port", "br0", "garden0", "--", "set", "Interface", "garden0", "type=internal")
    lab.run("edge", ip, "link", "set", "garden0", "up")
    for side, address in (("inside", NEAR), ("outside", FAR)):
        lab.run(side, ip, "addr", "add", f"{address}/24", "dev", "eth0")
        lab.run(side, sys.executable, "-c", NO_OFFLOAD, "eth0")
    return switch


@pytest.fixture
def driver(wired: Switch) -> ovs.OvsDriver:
    wired.flows("del-flows")
    wired.flows("add-flow", "priority=0,actions=NORMAL")
    return ovs.make("switch1", wired.options(quarantine_port="garden0", quarantine_vlan=666))


def line(degree: Degree = Degree.BLOCK, **more: object) -> Rule:
    return Rule(measure="M-000001", case="C-000001", degree=degree, selector=Selector(service="line-inside"), **more)


def test_a_blocked_line_is_silent_and_works_again_when_it_is_lifted(lab: Lab, driver: ovs.OvsDriver) -> None:
    with lab.listening("outside", FAR, 443):
        until(lambda: lab.knock("inside", FAR, 443) == "connected", what="the switch forwards")
        assert carry_out(driver, 1, [line()]).of("M-000001") is Seen.IN_FORCE
        assert lab.knock("inside", FAR, 443) == "silent"
        assert carry_out(driver, 2, []).rules == ()
        assert lab.knock("inside", FAR, 443) == "connected"


def test_one_machine_on_a_line_is_blocked_and_the_other_is_not(lab: Lab, driver: ovs.OvsDriver) -> None:
    mac = json.loads(lab.run("inside", tool("ip", "iproute2"), "-j", "link", "show", "eth0"))[0]["address"]
    with lab.listening("outside", FAR, 443):
        of_other = Rule(measure="M-000002", case="C-000001", degree=Degree.BLOCK,
                        selector=Selector(session=f"inside/{MACHINE}"))  # fmt: skip
        carry_out(driver, 1, [of_other])
        assert lab.knock("inside", FAR, 443) == "connected"
        carry_out(driver, 2, [Rule(measure="M-000003", case="C-000001", degree=Degree.BLOCK,
                                   selector=Selector(session=f"inside/{mac.upper()}"))])  # fmt: skip
        assert lab.knock("inside", FAR, 443) == "silent"


def test_it_ends_on_the_switch_while_nobody_looks(lab: Lab, driver: ovs.OvsDriver) -> None:
    with lab.listening("outside", FAR, 443):
        carry_out(driver, 1, [line(until=NOON + timedelta(seconds=1))])
        assert lab.knock("inside", FAR, 443) == "silent"
        until(lambda: lab.knock("inside", FAR, 443) == "connected", what="it has ended")


def test_in_quarantine_a_line_reaches_the_quarantine_and_nobody_else(lab: Lab, driver: ovs.OvsDriver) -> None:
    ip = tool("ip", "iproute2")
    gardener = subprocess.Popen(
        [*lab.prefix("edge"), sys.executable, "-c", GARDENER], stdout=subprocess.PIPE, text=True
    )
    try:
        assert gardener.stdout is not None
        assert gardener.stdout.readline() == "ready\n"
        with lab.listening("outside", FAR, 443):
            seen = carry_out(driver, 1, [line(Degree.WALLED_GARDEN)])
            assert seen.of("M-000001") is Seen.IN_FORCE, seen.detail
            lab.run("inside", ip, "neigh", "flush", "dev", "eth0")
            assert lab.knock("inside", FAR, 443) == "silent"
            assert gardener.stdout.readline() == f"{NEAR}\n", "the quarantine heard it, with its tag"
            until(lambda: "02:00:5e:10:00:99" in lab.run("inside", ip, "neigh"), what="the quarantine's own answer")
            carry_out(driver, 2, [])
            lab.run("inside", ip, "neigh", "flush", "dev", "eth0")
            assert lab.knock("inside", FAR, 443) == "connected"
    finally:
        gardener.kill()
        gardener.communicate()


def test_a_measure_follows_its_line_to_another_port(wired: Switch, driver: ovs.OvsDriver) -> None:
    carry_out(driver, 1, [line()])
    wired.set("set", "Interface", "inside", "external_ids:service=other")
    try:
        seen = driver.observe(at=NOON)
        assert seen.of("M-000001") is Seen.DRIFT
        assert "no port is named service:line-inside" in seen.detail
        wired.set("set", "Interface", "line3", "external_ids:service=line-inside")
        assert carry_out(driver, 1, [line()]).of("M-000001") is Seen.IN_FORCE
        there, before = (wired.set("get", "Interface", name, "ofport").strip() for name in ("line3", "inside"))
        assert driver._read().elements == {("block", int(there), "")}
        assert there != before
    finally:
        wired.set("set", "Interface", "line3", "external_ids:service=S-3")
        wired.set("set", "Interface", "inside", "external_ids:service=line-inside")


def test_what_lasts_longer_than_a_timeout_can_say_is_wound_up_again(wired: Switch, driver: ovs.OvsDriver) -> None:
    week = NOON + timedelta(days=7)
    assert carry_out(driver, 1, [line(until=week)]).of("M-000001") is Seen.IN_FORCE
    assert "hard_timeout=65535" in wired.flows("dump-flows", "table=0")
    half = NOON + timedelta(seconds=40_000)
    held = driver._read()
    assert not flows.winds_down(held.notes["M-000001"], held.left["M-000001"], at=NOON)
    assert flows.winds_down(held.notes["M-000001"], 65_535 - 40_000, at=half)
    assert not flows.winds_down(held.notes["M-000001"], 3600, at=week - timedelta(hours=1))


def test_a_change_for_another_state_is_refused_by_the_switch_itself(driver: ovs.OvsDriver) -> None:
    carry_out(driver, 3, [])
    plan = Plan(device="switch1", generation=2, rules=(line(),))
    late = flows.bundle(flows.Held(), plan, [Step(verb="apply", measure="M-000001", rule=line())],
                        ports=driver._ports(), garden=None, at=NOON)  # fmt: skip
    with pytest.raises(DeviceRefused, match="OVERLAP"):
        driver._call("ovs-ofctl", "-O", "OpenFlow14", "--bundle", "add-flows", driver._openflow, "-",
                     given="\n".join(late) + "\n")  # fmt: skip
    assert driver.observe(at=NOON).rules == ()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "bridge is missing"),
        ({"bridge": "br0", "quarantine_port": "garden0"}, "a quarantine takes"),
        ({"bridge": "br0", "quarantine_vlan": 666}, "a quarantine takes"),
        ({"bridge": "br0", "port": "x"}, "port is not an option of the ovs driver"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_a_sentence(options: dict[str, object], said: str) -> None:
    with pytest.raises(BadOption, match=said):
        ovs.make("switch1", options)
