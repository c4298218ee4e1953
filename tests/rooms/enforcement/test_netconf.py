"""NETCONF against a device on loopback: a change is tried, read back, confirmed; or it was never there."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from tipstaff.enforcement.access_lists import supports
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable, Driver
from tipstaff.testing.drivers import LATE, NOON, DriverContract, await_true, carry_out
from tipstaff.words import Degree, Direction, Proof, Rule, Seen, Selector

pytest.importorskip("ncclient", reason="ncclient is not installed (tipstaff[netconf])")
from tipstaff.enforcement.drivers.netconf import NetconfDriver, acl, make
from tipstaff.testing.netconf import ACL, NetconfDevice


@pytest.fixture(scope="module")
def device() -> Iterator[NetconfDevice]:
    with NetconfDevice(attached=("tipstaff-4", "tipstaff-6")) as built:
        yield built


def options(device: NetconfDevice, folder: Path, **more: object) -> dict[str, object]:
    (folder / "password").write_text(device.password)
    (folder / "password").chmod(0o600)
    return {
        "address": f"127.0.0.1:{device.port}", "username": device.username, "host_key": device.host_key,
        "password_file": str(folder / "password"), "rest": "accept", "statistics": True,
        "keeper_file": str(folder / "keeper"), **more,
    }  # fmt: skip


def flow(network: str = "192.0.2.7", *, key: str = "M-000001", **more) -> Rule:
    selector = Selector(
        network=ip_network(network), **{"protocol": "tcp", "port": 25, "direction": Direction.OUT, **more}
    )
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK)


class Kept:
    """A fresh driver for each test, on a device that holds nothing."""

    @pytest.fixture(autouse=True)
    def _device(self, device: NetconfDevice, tmp_path: Path) -> Iterator[None]:
        self.device, self.folder, self.made = device, tmp_path, []
        yield
        (tmp_path / "keeper").unlink(missing_ok=True)
        for driver in self.made:
            driver.close()

    def make(self) -> NetconfDriver:
        self.device.reboot()
        return self.again(None)

    def again(self, driver: Driver | None, **more: object) -> NetconfDriver:
        self.made.append(make("edge1", options(self.device, self.folder, **more)))
        return self.made[-1]


@pytest.mark.thorough(but=(LATE, "test_what_is_foreign_is_reported_and_left_alone"))
class TestNetconf(Kept, DriverContract):
    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        self.device.close()
        yield
        self.device.open()

    def put_foreign(self, driver: Driver) -> str:
        self.device.add("tipstaff-4", "the engineer's own")
        return "the engineer's own"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        port = next(self.device.ace("tipstaff-4", rule.measure).iter(f"{{{ACL}}}port"))
        port.text = "26"
        self.device.candidate = {}

    def forget(self, driver: Driver) -> None:
        self.device.reboot()


class TestOneChange(Kept):
    def held(self) -> str:
        """What the device itself holds: no driver is asked."""
        with self.device.state:
            names = self.device.running["tipstaff-4"].iter(f"{{{ACL}}}name")
            return " ".join(name.text or "" for name in names)

    def test_a_change_is_in_force_where_packets_are_counted_and_gone_when_it_is_lifted(self) -> None:
        driver = self.make()
        assert driver.max_proof is Proof.STATE
        v6 = flow("2001:db8::7", key="M-000002", direction=Direction.BOTH)
        seen = carry_out(driver, 1, [flow(), v6])
        assert seen.rules == (("M-000001", Seen.IN_FORCE), ("M-000002", Seen.IN_FORCE))
        ace = self.device.ace("tipstaff-4", "M-000001")
        assert [(e.tag.rpartition("}")[2], e.text) for e in ace.iter() if not len(e)][1:] == [
            ("protocol", "6"), ("source-ipv4-network", "192.0.2.7/32"), ("operator", "eq"), ("port", "25"),
            ("forwarding", "drop"),
        ]  # fmt: skip
        assert carry_out(driver, 2, []).rules == ()
        # What is not ours passes on: the last entry says so, for some devices drop what no entry names.
        assert self.device.ace("tipstaff-4", acl.REST).findtext(f".//{{{ACL}}}forwarding") == "accept"

    def test_what_stands_in_the_configuration_only_is_never_called_in_force(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [flow()])
        self.device.attached = ()
        try:
            seen = driver.observe(at=NOON)
        finally:
            self.device.attached = ("tipstaff-4", "tipstaff-6")
        assert seen.of("M-000001") is Seen.DRIFT
        assert "are the lists attached?" in seen.detail
        assert self.again(driver, statistics=False).max_proof is Proof.CONFIG

    def test_a_change_that_is_read_back_otherwise_is_taken_back(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [flow()])
        self.device.forgets_entries = True
        try:
            with pytest.raises(DeviceRefused, match="otherwise than it was meant"):
                carry_out(self.again(driver, rest="none"), 2, [flow(), flow("192.0.2.8", key="M-000002")])
        finally:
            self.device.forgets_entries = False
        seen = driver.observe(at=NOON)
        assert (seen.generation, seen.rules) == (1, (("M-000001", Seen.IN_FORCE),))

    @pytest.mark.thorough
    def test_a_refused_change_leaves_everything_as_it_was_and_the_lock_free(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [flow()])
        self.device.refuses = "no room is left"
        try:
            with pytest.raises(DeviceRefused, match="no room is left"):
                carry_out(driver, 2, [])
        finally:
            self.device.refuses = ""
        assert driver.observe(at=NOON).of("M-000001") is Seen.IN_FORCE
        assert carry_out(driver, 2, []).rules == ()

    def test_while_somebody_else_changes_it_the_intent_waits(self) -> None:
        driver, other = self.make(), self.again(None)
        waits = pytest.raises(DeviceUnreachable, match="somebody else is changing it")
        with other._asking() as session, session.locked("candidate"), waits:
            carry_out(driver, 1, [flow()])
        assert carry_out(driver, 1, [flow()]).of("M-000001") is Seen.IN_FORCE

    def test_an_unconfirmed_change_is_taken_back_when_whoever_made_it_is_gone(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [flow()])
        dying = self.again(driver)
        with dying._asking() as session:
            session.lock("candidate")
            text = acl.config(2, [], acl.Held(), accept_rest=True)
            session.edit_config(target="candidate", config=text, default_operation="merge")
            session.commit(confirmed=True, timeout="60")
            assert driver.observe(at=NOON).generation == 2
            session._session.transport.close()
        await_true(lambda: driver.observe(at=NOON).generation == 1)
        assert driver.observe(at=NOON).of("M-000001") is Seen.IN_FORCE
        assert carry_out(driver, 2, []).rules == (), "its lock went with it"

    @pytest.mark.thorough
    def test_a_measure_ends_by_the_keeper_in_its_time(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [replace(flow(), until=NOON + timedelta(seconds=1))])
        assert "M-000001" in self.held()
        await_true(lambda: "M-000001" not in self.held())

    def test_another_host_key_or_password_is_not_spoken_to(self, tmp_path: Path) -> None:
        stranger = NetconfDevice()
        seen = self.again(None, host_key=stranger.host_key).observe(at=NOON)
        assert not seen.complete
        wrong = tmp_path / "wrong"
        wrong.write_text("hunter2")
        wrong.chmod(0o600)
        seen = self.again(None, password_file=str(wrong)).observe(at=NOON)
        assert not seen.complete
        assert "hunter2" not in seen.detail


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"address": ""}, "address is missing"),
        ({"rest": ""}, "rest is missing"),
        ({"rest": "drop"}, 'takes "accept" or "none"'),
        ({"host_key": ""}, "host_key is missing"),
        ({"key_file": "/k"}, "set one of them"),
        ({"colour": "red"}, "colour is not an option"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_a_sentence(
    device: NetconfDevice, tmp_path: Path, more: dict[str, object], said: str
) -> None:
    with pytest.raises(BadOption, match=said):
        make("edge1", options(device, tmp_path, **more))


def test_only_what_an_entry_can_say_exactly_is_taken() -> None:
    assert supports(flow())
    assert not supports(flow("192.0.2.0/30"))
    assert not supports(replace(flow(), degree=Degree.RATE_LIMIT))
    assert not supports(Rule(measure="M-1", case="C-1", selector=Selector(account="a"), degree=Degree.BLOCK))
