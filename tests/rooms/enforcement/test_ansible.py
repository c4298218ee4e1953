"""Measures by playbooks: the contract against a stand-in for Ansible, and what is promised of secrets and failure.

With Ansible itself they are shown in tests/live/test_ansible.py.
"""

import contextlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tipstaff.enforcement.drivers.ansible import AnsibleDriver, make
from tipstaff.enforcement.planner import steps
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable, Driver
from tipstaff.testing import playbooks
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.words import Degree, Plan, Proof, Rule, Seen, Selector, Step

SECRET = "hunter2 and more"


@pytest.fixture
def options(tmp_path: Path) -> dict[str, object]:
    return playbooks.options(tmp_path)


@pytest.fixture
def driver(options: dict[str, object], tmp_path: Path) -> Iterator[AnsibleDriver]:
    yield make("edge1", options)
    (tmp_path / "runs" / "keeper").unlink(missing_ok=True)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "host" / "state"


class TestPlaybooks(DriverContract):
    many = 300

    @pytest.fixture(autouse=True)
    def _host(self, options: dict[str, object], state: Path, tmp_path: Path) -> Iterator[None]:
        self.options, self.state = options, state
        yield
        (tmp_path / "runs" / "keeper").unlink(missing_ok=True)

    def make(self) -> Driver:
        self.state.unlink(missing_ok=True)
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return make("edge1", self.options)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        away = self.state.parent.rename(self.state.parent.with_suffix(".away"))
        yield
        away.rename(self.state.parent)

    def put_foreign(self, driver: Driver) -> str:
        held = json.loads(self.state.read_text())
        held["rules"].append("the engineer's own")
        self.state.write_text(json.dumps(held))
        return '"the engineer\'s own"'

    def tamper(self, driver: Driver, rule: Rule) -> None:
        held = json.loads(self.state.read_text())
        (entry,) = [e for e in held["rules"] if e["measure"] == rule.measure]
        entry["port"] += 1
        self.state.write_text(json.dumps(held))

    def forget(self, driver: Driver) -> None:
        self.state.unlink()


def a_rule() -> Rule:
    return DriverContract().rule(0)


def spy(options: dict[str, object], tmp_path: Path) -> Path:
    """Let a run leave behind what could be seen of it while it ran."""
    seen, inner = tmp_path / "seen", options["program"]
    program = tmp_path / "spying"
    program.write_text(
        f'#!/bin/sh\nfile="${{6#@}}"\n{{ echo "$@"; env; stat -c %a "$file" "$(dirname "$file")"; }} >> {seen}\n'
        f'cp "$file" {tmp_path}/told\nexec {inner} "$@"\n'
    )
    program.chmod(0o700)
    options["program"] = str(program)
    return seen


def test_a_secret_is_in_the_file_of_variables_and_nowhere_else(
    options: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIPSTAFF_DATABASE_URL", f"postgresql://desk:{SECRET}@127.0.0.1/desk")
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "secret").chmod(0o600)
    seen = spy(options, tmp_path)
    driver = make("edge1", {**options, "secret_file": str(tmp_path / "secret")})
    assert carry_out(driver, 1, [a_rule()]).of("M-000001") is Seen.IN_FORCE
    assert json.loads((tmp_path / "told").read_text())["tipstaff"]["secret"] == SECRET
    text = seen.read_text()
    assert "edge1.example.net" in text
    assert SECRET not in text
    assert [line for line in text.splitlines() if line.isdecimal()] == ["600", "700"] * 3
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["lock"], "a run leaves nothing behind"


def test_what_ansible_prints_comes_into_no_message_and_its_secret_into_no_file(
    options: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "secret").chmod(0o600)
    options |= {"playbook": str(tmp_path / "fail.yml"), "secret_file": str(tmp_path / "secret")}
    with pytest.raises(
        DeviceRefused, match=r"fail\.yml failed at a task; what it printed is in .*fail\.failed"
    ) as told:
        carry_out(make("edge1", options), 1, [a_rule()])
    kept = tmp_path / "runs" / "fail.failed"
    assert SECRET not in str(told.value)
    assert "'secret': '***'" in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_host_that_is_not_reached_is_unknown_and_keeps_the_intent(
    driver: AnsibleDriver, state: Path, tmp_path: Path
) -> None:
    carry_out(driver, 1, [a_rule()])
    state.parent.rename(tmp_path / "gone")
    seen = driver.observe(at=NOON)
    assert (seen.complete, seen.of("M-000001")) == (False, Seen.UNKNOWN)
    assert "read.yml could not reach the host" in seen.detail
    with pytest.raises(DeviceUnreachable):
        carry_out(driver, 2, [])


def test_a_run_that_does_not_end_is_ended_with_all_that_it_started(
    options: dict[str, object], state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tipstaff.enforcement.drivers.ansible.KILLED_AFTER_SECONDS", 0.2)
    hanging = make("edge1", {**options, "playbook": str(tmp_path / "hang.yml"), "timeout_seconds": 1})
    with pytest.raises(DeviceUnreachable, match=r"hang\.yml took too long and was killed"):
        carry_out(hanging, 1, [a_rule()])
    child = int(state.read_text())
    await_true(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])
    state.unlink()
    assert carry_out(make("edge1", options), 1, [a_rule()]).of("M-000001") is Seen.IN_FORCE


@pytest.mark.parametrize(
    "answer",
    ["", "[]", '{"generation": -1, "rules": []}', '{"generation": true, "rules": []}', '{"generation": 1}', "{"],
)
def test_an_answer_that_makes_no_sense_is_unknown_and_never_absent(
    driver: AnsibleDriver, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(driver, "_run", lambda *_: answer.encode())
    seen = driver.observe(at=NOON)
    assert not seen.complete
    assert "read.yml wrote cannot be read" in seen.detail


def test_a_playbook_that_writes_no_answer_says_nothing(options: dict[str, object]) -> None:
    seen = make("edge1", {**options, "read_playbook": options["playbook"].replace("apply", "nothing")}).observe(at=NOON)
    assert not seen.complete


def test_what_a_playbook_calls_drift_is_drift(driver: AnsibleDriver, state: Path) -> None:
    carry_out(driver, 1, [a_rule()])
    state.write_text(state.read_text().replace('"in_force"', '"drift"'))
    assert driver.observe(at=NOON).of("M-000001") is Seen.DRIFT
    assert carry_out(driver, 1, [a_rule()]).of("M-000001") is Seen.IN_FORCE


def test_many_measures_are_one_run(options: dict[str, object], tmp_path: Path) -> None:
    seen = spy(options, tmp_path)
    driver = make("edge1", options)
    carry_out(driver, 1, [DriverContract().rule(n) for n in range(200)])
    assert seen.read_text().count("apply.yml") == 1
    told = json.loads((tmp_path / "told").read_text())["tipstaff"]
    assert told.keys() == {"answer"}, "the last run only read"
    whole = replace(a_rule(), selector=Selector(account="acct-7"), degree=Degree.SUSPEND, measure="M-000999")
    plan = Plan(device="edge1", generation=2, rules=(whole,))
    driver.carry_out(plan, steps=steps(plan, driver.observe(at=NOON)), at=NOON)
    told = json.loads((tmp_path / "told").read_text())["tipstaff"]
    assert (len(told["lift"]), told["keep"], told["generation"]) == (200, [], 2)
    (entry,) = told["apply"]
    assert (entry["account"], entry["scope"], entry["does"]) == ("acct-7", "account", "suspend")


def few(*rules: Rule, generation: int, lifts: tuple[str, ...] = ()) -> tuple[Plan, tuple[Step, ...]]:
    """A change between two whole rounds."""
    applies = (Step(verb="apply", measure=rule.measure, rule=rule) for rule in rules)
    plan = Plan(device="edge1", generation=generation, rules=rules, whole=False)
    return plan, (*(Step(verb="lift", measure=key, rule=None) for key in lifts), *applies)


def test_one_change_between_two_rounds_is_one_run_that_also_reads_it_back(
    options: dict[str, object], tmp_path: Path
) -> None:
    seen = spy(options, tmp_path)
    driver, rule = make("edge1", options), DriverContract().rule
    carry_out(driver, 1, [rule(0), rule(1)])
    for generation, rules, lifts in ((2, [rule(2)], ("M-000001",)), (3, [], ("M-000002",)), (4, [rule(0)], ())):
        seen.unlink()
        plan, todo = few(*rules, generation=generation, lifts=lifts)
        driver.carry_out(plan, steps=todo, at=NOON + timedelta(seconds=generation))
        looked = driver.look_at([step.measure for step in todo], at=NOON)
        assert looked is not None
        assert (looked.generation, [*looked.rules]) == (generation, [(r.measure, Seen.IN_FORCE) for r in rules])
        assert [line.count(".yml") for line in seen.read_text().splitlines() if "hosts.json" in line] == [4]
        assert driver.look_at([step.measure for step in todo], at=NOON) is None, "what was read then is told once"
    assert [key for key, _ in driver.observe(at=NOON).rules] == ["M-000001", "M-000003"]


def test_a_few_changes_overwrite_nothing_that_another_changed(options: dict[str, object], state: Path) -> None:
    driver, rule = make("edge1", options), DriverContract().rule
    carry_out(driver, 1, [rule(0)])
    carry_out(make("edge1", options), 2, [rule(0), rule(1)])
    plan, todo = few(rule(2), generation=3)
    driver.carry_out(plan, steps=todo, at=NOON)
    assert [key for key, _ in driver.observe(at=NOON).rules] == ["M-000001", "M-000002", "M-000003"]
    by_hand = json.loads(state.read_text())
    by_hand["rules"] = [told for told in by_hand["rules"] if told["measure"] != "M-000002"]
    state.write_text(json.dumps(by_hand))
    plan, todo = few(rule(3), generation=4)
    with pytest.raises(DeviceUnreachable):  # Then it takes a whole round.
        driver.carry_out(plan, steps=todo, at=NOON)
    assert json.loads(state.read_text()) == by_hand
    driver.carry_out(plan, steps=todo, at=NOON)
    assert [key for key, _ in driver.observe(at=NOON).rules] == ["M-000001", "M-000003", "M-000004"]


def test_a_few_changes_that_the_host_shows_otherwise_take_a_whole_round(
    options: dict[str, object], driver: AnsibleDriver, state: Path, tmp_path: Path
) -> None:
    carry_out(driver, 1, [a_rule()])
    plan, todo = few(replace(a_rule(), measure="M-000002"), generation=2)
    driver.carry_out(plan, steps=todo, at=NOON)
    assert driver._after is not None
    shown = json.loads(state.read_text().replace('"in_force"', '"drift"'))
    driver._after = driver._told(json.dumps(shown).encode())
    assert driver.look_at(["M-000002"], at=NOON) is None
    (tmp_path / "fail.yml").touch()
    failing = make("edge1", {**options, "read_playbook": str(tmp_path / "fail.yml")})
    failing._last = driver._last
    plan, todo = few(generation=3, lifts=("M-000002",))
    with pytest.raises(DeviceUnreachable, match=r"apply\.yml failed"):
        failing.carry_out(plan, steps=todo, at=NOON)
    assert failing.look_at(["M-000002"], at=NOON) is None, "the change may have been made, and nothing showed it"


def test_what_somebody_else_changed_meanwhile_is_read_again_and_not_overwritten(options: dict[str, object]) -> None:
    driver, other = make("edge1", options), make("edge1", options)
    plan = Plan(device="edge1", generation=1, rules=(a_rule(),))
    todo = steps(plan, driver.observe(at=NOON))
    carry_out(other, 1, [DriverContract().rule(1)])
    driver.carry_out(plan, steps=todo, at=NOON)
    assert [key for key, _ in driver.observe(at=NOON).rules] == ["M-000001", "M-000002"]


def test_a_measure_ends_by_the_keeper_in_its_time(driver: AnsibleDriver, state: Path) -> None:
    carry_out(driver, 1, [replace(a_rule(), until=NOON + timedelta(seconds=1))])
    assert "M-000001" in state.read_text()
    await_true(lambda: "M-000001" not in state.read_text())


def test_unless_told_so_its_word_is_not_enough_to_be_chosen(options: dict[str, object]) -> None:
    del options["proof"]
    assert make("edge1", options).ability.proof is Proof.CONFIG


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"host": "all:!edge2"}, "takes the name of one host"),
        ({"host": "-v"}, "takes the name of one host"),
        ({"host": "all"}, "takes the name of one host"),
        ({"host": "ungrouped"}, "takes the name of one host"),
        ({"inventory": "hosts"}, "takes a whole path"),
        ({"read_playbook": ""}, "read_playbook is missing"),
        ({"can": ["account"]}, "can takes scopes and degrees"),
        ({"proof": "probe"}, "proof is .probe., but it takes"),
        ({"program": "/nowhere/ansible-playbook"}, "no program that can be run is there"),
        ({"secret_file": "/s", "secret_command": ["cat"]}, "one of secret_file and secret_command"),
        ({"become": True}, "become is not an option of the ansible driver"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_a_sentence(
    options: dict[str, object], more: dict[str, object], said: str
) -> None:
    with pytest.raises(BadOption, match=said):
        make("edge1", {**options, **more})


def test_a_folder_that_others_can_look_into_is_not_used(options: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir(mode=0o755)
    os.chmod(tmp_path / "runs", 0o755)
    seen = make("edge1", options).observe(at=NOON)
    assert (seen.complete, "chmod 700" in seen.detail) == (False, True)
