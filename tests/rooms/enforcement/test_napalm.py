"""EOS by NAPALM, against a device on loopback that speaks eAPI: each change is tried, read back and then confirmed."""

import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable, Driver
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.testing.eos import EosDevice
from tipstaff.words import Degree, Direction, Proof, Rule, Seen, Selector

pytest.importorskip("napalm", reason="napalm is not installed (tipstaff[napalm])")
from tipstaff.enforcement.drivers.napalm import NapalmDriver, eos, make

LIST, LIST6 = "ip access-list tipstaff-4", "ipv6 access-list tipstaff-6"


@pytest.fixture(scope="module")
def device() -> Iterator[EosDevice]:
    with EosDevice() as built:
        yield built


@pytest.fixture
def options(device: EosDevice, tmp_path: Path) -> dict[str, object]:
    (tmp_path / "password").write_text(device.password)
    (tmp_path / "password").chmod(0o600)
    return {
        "host": "127.0.0.1", "port": device.port, "transport": "http", "username": device.username,
        "password_file": str(tmp_path / "password"), "rest": "accept", "keeper_file": str(tmp_path / "keeper"),
    }  # fmt: skip


@pytest.fixture
def driver(device: EosDevice, options: dict[str, object], tmp_path: Path) -> Iterator[NapalmDriver]:
    device.reboot()
    yield make("edge1", options)
    (tmp_path / "keeper").unlink(missing_ok=True)


def flow(network: str = "192.0.2.7", *, key: str = "M-000001", **more) -> Rule:
    selector = Selector(
        network=ip_network(network), **{"protocol": "tcp", "port": 25, "direction": Direction.OUT, **more}
    )
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK)


class TestNapalm(DriverContract):
    @pytest.fixture(autouse=True)
    def _device(self, device: EosDevice, options: dict[str, object], tmp_path: Path) -> Iterator[None]:
        self.device, self.options = device, options
        yield
        (tmp_path / "keeper").unlink(missing_ok=True)

    def make(self) -> Driver:
        self.device.reboot()
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return make("edge1", self.options)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        self.device.close()
        yield
        self.device.open()

    def put_foreign(self, driver: Driver) -> str:
        self.device.running[LIST].insert(0, "deny udp any any eq 7777")
        return "deny udp any any eq 7777"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        lines = self.device.running[LIST]
        at = next(n for n, line in enumerate(lines) if rule.measure in line)
        lines[at + 1] = lines[at + 1].replace("eq 25", "eq 26")

    def forget(self, driver: Driver) -> None:
        self.device.reboot()


def test_what_is_wanted_is_written_as_eos_takes_it_and_all_else_passes(device: EosDevice, driver: NapalmDriver) -> None:
    both = flow("2001:db8::7", key="M-000002", direction=Direction.BOTH)
    whole = flow("192.0.2.0/24", key="M-000003", protocol=None, port=None, direction=Direction.IN)
    seen = carry_out(driver, 1, [flow(), both, whole])
    assert seen.rules == tuple((f"M-00000{n}", Seen.IN_FORCE) for n in (1, 2, 3))
    said = [line for line in device.running[LIST] if not line.startswith("remark M-")]
    assert said == ["remark generation/1", "deny tcp host 192.0.2.7 any eq 25", "deny ip any 192.0.2.0/24",
                    "permit ip any any"]  # fmt: skip
    said = [line for line in device.running[LIST6] if not line.startswith("remark M-")]
    assert said == ["remark generation/1", "deny tcp host 2001:db8::7 any eq 25", "deny tcp any host 2001:db8::7 eq 25",
                    "permit ipv6 any any"]  # fmt: skip
    assert device.sessions == {}
    assert carry_out(driver, 2, []).rules == ()
    assert driver.max_proof is Proof.CONFIG, "what stands in a configuration need not be where packets pass"


def test_a_change_that_is_read_back_otherwise_is_taken_back(device: EosDevice, options: dict[str, object]) -> None:
    device.reboot()
    driver = make("edge1", {**options, "rest": "none"})
    carry_out(driver, 1, [flow()])
    device.forgets_entries = True
    try:
        with pytest.raises(DeviceRefused, match="otherwise than it was meant"):
            carry_out(driver, 2, [flow(), flow("192.0.2.8", key="M-000002")])
    finally:
        device.forgets_entries = False
    seen = driver.observe(at=NOON)
    assert (seen.generation, seen.rules) == (1, (("M-000001", Seen.IN_FORCE),))


def test_a_refused_change_leaves_everything_as_it_was(device: EosDevice, driver: NapalmDriver) -> None:
    carry_out(driver, 1, [flow()])
    device.refuses = "no room is left"
    try:
        with pytest.raises(DeviceRefused, match="no room is left"):
            carry_out(driver, 2, [flow("192.0.2.8", key="M-000002")])
    finally:
        device.refuses = ""
    assert driver.observe(at=NOON).rules == (("M-000001", Seen.IN_FORCE),)
    assert carry_out(driver, 2, []).rules == ()


def test_what_was_left_unfinished_by_one_that_was_killed_is_taken_back(
    device: EosDevice, driver: NapalmDriver, options: dict[str, object]
) -> None:
    carry_out(driver, 1, [flow()])
    dying = make("edge1", options)
    with contextlib.suppress(KeyboardInterrupt), dying._asking() as session:
        held = dying._read(session)
        dying._try(session, 2, [], held)
        assert "M-000001" not in str(device.running)
        raise KeyboardInterrupt  # Nothing is said to the device any more.
    assert [*device.sessions] == ["tipstaff-edge1"]
    seen = driver.observe(at=NOON)
    assert (seen.generation, seen.rules, device.sessions) == (1, (("M-000001", Seen.IN_FORCE),), {})


def test_while_somebody_else_changes_it_the_intent_waits(
    device: EosDevice, driver: NapalmDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napalm.eos.eos.EOSDriver._obtain_lock", lambda self, wait_time: self._lock())
    device.sessions["somebody"] = {}
    with pytest.raises(DeviceUnreachable, match="somebody else is changing it"):
        carry_out(driver, 1, [flow()])
    device.sessions.clear()
    assert carry_out(driver, 1, [flow()]).of("M-000001") is Seen.IN_FORCE


def test_an_entry_whose_remark_stands_alone_is_drift(device: EosDevice, driver: NapalmDriver) -> None:
    carry_out(driver, 1, [flow()])
    device.running[LIST].remove("deny tcp host 192.0.2.7 any eq 25")
    assert driver.observe(at=NOON).of("M-000001") is Seen.DRIFT
    assert carry_out(driver, 1, [flow()]).of("M-000001") is Seen.IN_FORCE


def test_a_measure_ends_by_the_keeper_in_its_time(device: EosDevice, driver: NapalmDriver) -> None:
    carry_out(driver, 1, [replace(flow(), until=NOON + timedelta(seconds=1))])
    assert "M-000001" in str(device.running)
    await_true(lambda: "M-000001" not in str(device.running))


def test_a_wrong_password_is_unknown_and_is_in_no_word(
    device: EosDevice, options: dict[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "password").write_text("hunter2")
    seen = make("edge1", options).observe(at=NOON)
    assert not seen.complete
    assert "hunter2" not in seen.detail + caplog.text + json.dumps(seen.foreign)


def test_a_certificate_of_nobodys_is_not_spoken_to(device: EosDevice, options: dict[str, object]) -> None:
    """A device that answers in clear where a certificate is due gets nothing said, least of all a password."""
    seen = make("edge1", {**options, "transport": "https"}).observe(at=NOON)
    assert (seen.complete, "cannot be reached" in seen.detail) == (False, True)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"host": ""}, "host is missing"),
        ({"host": "192.0.2.1"}, "http, which is for this machine itself"),
        ({"transport": "ssh"}, 'takes "https" or "http"'),
        ({"rest": ""}, "rest is missing"),
        ({"transport": "https", "ca_file": "/nowhere"}, "ca_file cannot be used"),
        ({"password_command": ["cat"]}, "one of password_file and password_command"),
        ({"vendor": "junos"}, "vendor is not an option"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_a_sentence(
    options: dict[str, object], more: dict[str, object], said: str
) -> None:
    with pytest.raises(BadOption, match=said):
        make("edge1", {**options, **more})


def test_a_port_that_is_shown_by_a_name_that_nobody_knows_is_drift() -> None:
    (entry,) = eos.entries_of(flow())
    shown = f"{LIST}\n   10 remark {entry.name}\n   20 {entry.body.replace('25', 'smtp')}\n"
    assert [e.whole for e in eos.read(shown).entries] == [True]
    assert [e.whole for e in eos.read(shown.replace("smtp", "nobody-knows")).entries] == [False]
