"""Every driver passes these, the in-memory twin first. Subclass `DriverContract`, give `make`, and pytest runs them.

```python
class TestMySwitch(DriverContract):
    def make(self) -> Driver:
        return MySwitch("sw1", address=...)   # a device that holds nothing yet
```

Where a device cannot be broken or tampered with from here, leave those hooks alone: their tests skip and say so.
"""

import multiprocessing
import os
import select
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest

from tipstaff.enforcement.planner import fingerprint, steps
from tipstaff.enforcement.protocol import Driver, DriverFailure, EndsByKeeper, LooksAtSome, StalePlan
from tipstaff.words import Degree, Direction, Observation, Plan, Rule, Seen, Selector, Step

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
_PATIENCE_SECONDS = 20


def await_true(condition: Callable[[], bool], *, seconds: float = _PATIENCE_SECONDS) -> None:
    """Ask again and again until it is so; fail after a while. For things that no event tells of."""
    for _ in range(int(seconds / 0.05)):
        if condition():
            return
        select.select([], [], [], 0.05)
    raise AssertionError(f"it did not come true in {seconds} s")


LATE = "test_an_older_generation_is_refused_and_changes_nothing"
"""The test of the contract that says most in the least time: a change, its read-back, and a late plan refused."""


class DriverContract:
    """What the enforcer takes for granted of a driver."""

    many = 1000
    """How many rules come and go together. Fewer only where a device can be told one rule at a time and no faster."""

    def make(self) -> Driver:
        """A driver to a device that holds nothing yet."""
        raise NotImplementedError

    def again(self, driver: Driver) -> Driver:
        """A new driver to the same device, as after a restart of the enforcer."""
        raise NotImplementedError

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        """The n-th of many different rules that the device can hold."""
        host = ip_network(f"192.0.2.{n % 250 + 1}")
        selector = Selector(network=host, protocol="tcp", port=25 + n // 250, direction=Direction.OUT)
        measure = f"M-{(n if key is None else key) + 1:06d}"
        return Rule(measure=measure, case="C-000001", selector=selector, degree=Degree.BLOCK, until=until)

    def broken(self, driver: Driver) -> AbstractContextManager[object]:
        """While entered, nothing can be read from the device."""
        pytest.skip("this device cannot be made unreachable from here")

    def put_foreign(self, driver: Driver) -> str:
        """Put something into the driver's namespace that no plan knows; return how it is reported."""
        pytest.skip("nothing foreign can be put on this device from here")

    def tamper(self, driver: Driver, rule: Rule) -> None:
        """Undo a part of this rule behind the driver's back."""
        pytest.skip("this device cannot be tampered with from here")

    def forget(self, driver: Driver) -> None:
        """Make the device lose all its state, as a reboot does."""
        pytest.skip("this device cannot be made to forget from here")

    def test_an_untouched_device_holds_nothing(self) -> None:
        seen = self.make().observe(at=NOON)
        assert (seen.complete, seen.generation, seen.rules) == (True, 0, ())

    def test_what_is_applied_is_seen(self) -> None:
        driver = self.make()
        seen = carry_out(driver, 1, [self.rule(0)])
        assert seen.of("M-000001") is Seen.IN_FORCE
        assert dict(seen.fingerprints) == {"M-000001": fingerprint(self.rule(0))}

    def test_a_rule_that_the_law_demands_is_held_like_any_other(self) -> None:
        driver = self.make()
        rule = replace(self.rule(0), by_law=True)
        seen = carry_out(driver, 1, [rule])
        assert seen.rules == (("M-000001", Seen.IN_FORCE),)
        assert steps(_plan(driver, 1, [rule]), seen) == ()

    def test_what_is_no_longer_wanted_is_gone(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [self.rule(0), self.rule(1)])
        seen = carry_out(driver, 2, [self.rule(1)])
        assert seen.rules == (("M-000002", Seen.IN_FORCE),)
        assert carry_out(driver, 3, []).rules == ()

    def test_doing_it_twice_changes_nothing(self) -> None:
        driver = self.make()
        first = carry_out(driver, 1, [self.rule(0)])
        assert steps(_plan(driver, 1, [self.rule(0)]), first) == ()
        second = carry_out(driver, 1, [self.rule(0)])
        assert (first.rules, first.fingerprints, first.generation) == (
            second.rules,
            second.fingerprints,
            second.generation,
        )

    def test_the_same_steps_carried_out_twice_do_nothing_more(self) -> None:
        driver = self.make()
        plan = _plan(driver, 1, [self.rule(0)])
        todo = steps(plan, driver.observe(at=NOON))
        driver.carry_out(plan, steps=todo, at=NOON)
        driver.carry_out(plan, steps=todo, at=NOON)
        assert driver.observe(at=NOON).rules == (("M-000001", Seen.IN_FORCE),)

    def test_the_generation_stays_on_the_device(self) -> None:
        driver = self.make()
        carry_out(driver, 5, [])
        assert driver.observe(at=NOON).generation == 5
        assert self.again(driver).observe(at=NOON).generation == 5

    def test_an_older_generation_is_refused_and_changes_nothing(self) -> None:
        driver = self.make()
        carry_out(driver, 5, [self.rule(0)])
        with pytest.raises(StalePlan):
            carry_out(driver, 4, [self.rule(1)])
        assert driver.observe(at=NOON).rules == (("M-000001", Seen.IN_FORCE),)

    def test_a_late_plan_cannot_bring_back_a_lifted_measure(self) -> None:
        driver = self.make()
        late = _plan(driver, 1, [self.rule(0)])
        todo = steps(late, driver.observe(at=NOON))  # Somebody stops here, for long.
        other = self.again(driver)
        carry_out(other, 2, [self.rule(0)])
        carry_out(other, 3, [])
        with pytest.raises(StalePlan):
            driver.carry_out(late, steps=todo, at=NOON)
        assert driver.observe(at=NOON).rules == ()

    def test_a_restart_of_the_enforcer_forgets_nothing(self) -> None:
        driver = self.make()
        carry_out(driver, 7, [self.rule(0)])
        restarted = self.again(driver)
        assert restarted.observe(at=NOON).of("M-000001") is Seen.IN_FORCE
        with pytest.raises(StalePlan):
            carry_out(restarted, 6, [])
        assert carry_out(restarted, 8, []).rules == ()

    def test_a_changed_rule_replaces_the_old_one(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [self.rule(0)])
        seen = carry_out(driver, 2, [self.rule(300, key=0)])
        assert dict(seen.fingerprints) == {"M-000001": fingerprint(self.rule(300, key=0))}
        assert seen.rules == (("M-000001", Seen.IN_FORCE),)

    def test_two_measures_on_one_target_stand_until_both_are_lifted(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [self.rule(0), self.rule(0, key=1)])
        seen = carry_out(driver, 2, [self.rule(0, key=1)])
        assert seen.rules == (("M-000002", Seen.IN_FORCE),)
        assert carry_out(driver, 3, []).rules == ()

    def test_a_failed_read_is_unknown_and_never_absent(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [self.rule(0)])
        with self.broken(driver):
            seen = driver.observe(at=NOON)
            assert not seen.complete
            assert seen.detail
            assert seen.of("M-000001") is Seen.UNKNOWN
            assert steps(_plan(driver, 2, []), seen) == ()
            with pytest.raises(DriverFailure):
                driver.carry_out(_plan(driver, 2, []), steps=(), at=NOON)
        assert driver.observe(at=NOON).of("M-000001") is Seen.IN_FORCE

    def test_what_is_foreign_is_reported_and_left_alone(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [self.rule(0)])
        entry = self.put_foreign(driver)
        assert entry in driver.observe(at=NOON).foreign
        seen = carry_out(driver, 2, [])
        assert entry in seen.foreign
        assert seen.rules == ()

    def test_a_rule_that_was_tampered_with_is_drift_and_is_mended(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [self.rule(0), self.rule(1)])
        self.tamper(driver, self.rule(0))
        assert driver.observe(at=NOON).of("M-000001") is Seen.DRIFT
        seen = carry_out(driver, 1, [self.rule(0), self.rule(1)])
        assert seen.rules == (("M-000001", Seen.IN_FORCE), ("M-000002", Seen.IN_FORCE))

    def test_a_device_that_lost_its_state_is_made_whole(self) -> None:
        driver = self.make()
        carry_out(driver, 9, [self.rule(0)])
        self.forget(driver)
        seen = driver.observe(at=NOON)
        assert (seen.complete, seen.generation, seen.of("M-000001")) == (True, 0, Seen.ABSENT)
        assert carry_out(driver, 9, [self.rule(0)]).of("M-000001") is Seen.IN_FORCE

    def test_a_rule_ends_by_itself_if_nobody_lifts_it(self) -> None:
        driver = self.make()
        ends = NOON + timedelta(seconds=1)
        carry_out(driver, 1, [self.rule(0, until=ends), self.rule(1)])
        await_true(lambda: driver.observe(at=ends + timedelta(seconds=1)).rules == (("M-000002", Seen.IN_FORCE),))

    def test_after_a_change_it_says_what_became_of_it_without_the_rest(self) -> None:
        driver = self.make()
        if not isinstance(driver, LooksAtSome):
            pytest.skip("this device is always read as a whole")
        carry_out(driver, 1, [self.rule(0), self.rule(1)])
        few = Plan(device=driver.device, generation=2, rules=(self.rule(2),), whole=False)
        todo = (
            Step(verb="lift", measure="M-000001", rule=None),
            Step(verb="apply", measure="M-000003", rule=self.rule(2)),
        )
        driver.carry_out(few, steps=todo, at=NOON)
        seen = driver.look_at(["M-000001", "M-000003"], at=NOON)
        if seen is not None:
            assert seen.only == frozenset(("M-000001", "M-000003"))
            assert (seen.generation, seen.rules) == (2, (("M-000003", Seen.IN_FORCE),))
            assert dict(seen.fingerprints) == {"M-000003": fingerprint(self.rule(2))}
            assert (seen.of("M-000001"), seen.of("M-000002")) == (Seen.ABSENT, Seen.UNKNOWN)
        whole = driver.observe(at=NOON)
        assert whole.rules == (("M-000002", Seen.IN_FORCE), ("M-000003", Seen.IN_FORCE))

    def test_what_is_due_is_ended_when_a_timer_asks_for_it(self) -> None:
        driver = self.make()
        if not isinstance(driver, EndsByKeeper):
            pytest.skip("this device ends its rules by itself")
        first, second = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
        carry_out(driver, 1, [self.rule(0, until=first), self.rule(1, until=second), self.rule(2)])
        other = self.again(driver)
        assert isinstance(other, EndsByKeeper)
        assert other.end_due(at=NOON) == first
        assert other.end_due(at=first) == second
        await_true(lambda: driver.observe(at=NOON).of("M-000001") is Seen.ABSENT)
        seen = driver.observe(at=NOON)
        assert (seen.generation, seen.of("M-000002")) == (1, Seen.IN_FORCE)
        assert other.end_due(at=second) is None
        await_true(lambda: driver.observe(at=NOON).rules == (("M-000003", Seen.IN_FORCE),))

    def test_a_rule_whose_time_is_over_is_not_put_in_force(self) -> None:
        driver = self.make()
        assert carry_out(driver, 1, [self.rule(0, until=NOON)]).rules == ()

    def test_a_thousand_rules_come_and_go_together(self) -> None:
        driver = self.make()
        rules = [self.rule(n) for n in range(self.many)]
        seen = carry_out(driver, 1, rules)
        assert len(seen.rules) == self.many
        assert {s for _, s in seen.rules} == {Seen.IN_FORCE}
        assert carry_out(driver, 2, rules[:1]).rules == (("M-000001", Seen.IN_FORCE),)

    @pytest.mark.parametrize("milliseconds", [0, 2, 5, 10, 20, 40, 80])
    def test_killed_midway_it_leaves_all_or_nothing(self, milliseconds: int) -> None:
        driver = self.make()
        carry_out(driver, 1, [self.rule(0)])
        rules = [self.rule(n) for n in range(self.many // 2)]
        child = multiprocessing.get_context("fork").Process(target=_carry_out_and_end, args=(self, driver, rules))
        child.start()
        select.select([child.sentinel], [], [], milliseconds / 1000)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        seen = self.again(driver).observe(at=NOON)
        assert (seen.generation, len(seen.rules)) in {(1, 1), (2, self.many // 2)}
        assert {s for _, s in seen.rules} == {Seen.IN_FORCE}
        # What was under way may still arrive, but not after a newer plan.
        seen = carry_out(self.again(driver), 3, rules[:2])
        assert (seen.generation, len(seen.rules)) == (3, 2)


def carry_out(driver: Driver, generation: int, rules: Sequence[Rule], *, at: datetime = NOON) -> Observation:
    """Make the device hold these rules, as the enforcer does, and read it back."""
    plan = _plan(driver, generation, rules)
    driver.carry_out(plan, steps=steps(plan, driver.observe(at=at)), at=at)
    return driver.observe(at=at)


def _plan(driver: Driver, generation: int, rules: Sequence[Rule]) -> Plan:
    return Plan(device=driver.device, generation=generation, rules=tuple(rules))


def _carry_out_and_end(contract: DriverContract, driver: Driver, rules: Sequence[Rule]) -> None:
    carry_out(contract.again(driver), 2, rules)
