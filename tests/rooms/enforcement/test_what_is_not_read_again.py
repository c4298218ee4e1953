"""A round in which nothing changed reads no row and looks at no rule anew; one in which something did, just that."""

import random
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from tipstaff.enforcement import operations, queries, standing
from tipstaff.enforcement.drivers.memory import MemoryTwin
from tipstaff.enforcement.guards import Limits, Vetting
from tipstaff.enforcement.operations import Fence
from tipstaff.enforcement.planner import digest_of
from tipstaff.procedures.enforcing import reconcile
from tipstaff.testing.drivers import NOON
from tipstaff.words import Candidate, Degree, Direction, MeasureState, Proof, Rule, Selector

OWN = Limits(own=(ip_network("192.0.2.0/24"),), customers_total=None)


def planned(n: int, *, hours: int = 24, at: datetime = NOON) -> str:
    chosen = Candidate(
        selector=Selector(network=ip_network(f"192.0.2.{n}"), direction=Direction.IN), degree=Degree.BLOCK,
        device="edge1", sufficient=True, others_hit=0, services_hit=0, chosen=True, why="The narrowest.",
    )  # fmt: skip
    return operations.plan_measure(
        case=f"C-{n:06d}", customer=f"acct-{n}", candidates=[chosen], chosen=chosen,
        until=NOON + timedelta(hours=hours), lifted_when="It is fixed.", notice="L-000001", urgency=None, at=at,
        actor="worker",
    )  # fmt: skip


@pytest.fixture
def fence(db: None) -> Iterator[Fence]:
    fence = operations.become_writer("edge1", at=NOON)
    yield fence
    operations.stop_writing(fence)


def asked(work: object) -> list[str]:
    with CaptureQueriesContext(connection) as context:
        work()  # type: ignore[operator]  # a test's own lambda
    return [query["sql"] for query in context.captured_queries]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("singly", [0, 1000])
def test_what_is_remembered_is_what_stands_whatever_was_done(
    fence: Fence, seed: int, singly: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All within one transaction, where PostgreSQL's versions of a row differ only by where they lie."""
    monkeypatch.setattr(standing, "_READ_SINGLY_MAX", singly)
    choose = random.Random(seed)
    driver = MemoryTwin("edge1")
    keys = [planned(n) for n in range(2, 8)]
    for turn in range(40):
        at = NOON + timedelta(minutes=30 * turn)
        key = choose.choice(keys)
        deed = choose.randrange(6)
        if deed == 0 and turn < 30:
            keys.append(planned(20 + turn, hours=choose.randrange(1, 30)))
        elif deed == 1:
            operations.want_lifted(key, why="Fixed.", at=at, actor="worker")
        elif deed == 2:
            operations.mark_told(key, state=MeasureState.IN_FORCE)
        elif deed == 3 and (one := queries.get_measure(key)) and one.until and one.until > at and one.lifted_at is None:
            if one.state in (MeasureState.PLANNED, MeasureState.APPLYING, MeasureState.IN_FORCE):
                operations.prolong(key, until=one.until + timedelta(hours=1), why="So.", at=at, actor="worker")
        elif deed == 4:
            reconcile(driver, fence=fence, limits=OWN, at=at)
        else:
            with pytest.raises(ZeroDivisionError):
                change_and_undo(fence, key)
        rules, digest = fence.standing.wanted(at=at)
        assert rules == queries.wanted_rules("edge1", at=at)
        assert digest == digest_of(queries.wanted_rules("edge1", at=at))
        assert [one.rule.measure for one in fence.standing.open()] == [m.key for m in queries.open_on("edge1")]


def test_only_a_row_that_changed_is_read_again(fence: Fence) -> None:
    keys = [planned(n) for n in range(2, 12)]
    before = fence.standing.wanted(at=NOON)[0]
    assert len(asked(lambda: fence.standing.wanted(at=NOON))) == 1, "the versions are asked for, and nothing else"
    assert fence.standing.wanted(at=NOON)[0] is before
    operations.prolong(keys[3], until=NOON + timedelta(hours=30), why="So.", at=NOON, actor="worker")
    after = fence.standing.wanted(at=NOON)[0]
    assert after[3].until == NOON + timedelta(hours=30)
    assert [a is b for a, b in zip(before, after, strict=True)] == [i != 3 for i in range(10)]


def test_a_table_that_is_written_anew_puts_no_measure_in_the_place_of_another(fence: Fence) -> None:
    for n in range(2, 12):
        planned(n)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE enforcement_measurerow SET told = ''")  # All by one transaction.
        fence.standing.wanted(at=NOON)
        cursor.execute("CLUSTER enforcement_measurerow USING enforcement_measurerow_pkey")
        fence.standing.wanted(at=NOON)
        cursor.execute("DELETE FROM enforcement_measurerow WHERE key IN (SELECT min(key) FROM enforcement_measurerow)")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("CLUSTER enforcement_measurerow USING enforcement_measurerow_pkey")
    assert fence.standing.wanted(at=NOON)[0] == queries.wanted_rules("edge1", at=NOON)


@pytest.mark.parametrize("measures", [3, 0])
def test_another_session_of_the_database_knows_nothing_of_what_one_before_it_read(
    fence: Fence, measures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2, 2 + measures):
        planned(n)
    fence.standing.wanted(at=NOON)
    # A database that was restored may have other rows under the same versions.
    other = standing.Standing("edge1")
    monkeypatch.setattr(other, "_versions", fence.standing._versions)
    monkeypatch.setattr(other, "_session", fence.standing._session + 1)
    monkeypatch.setattr(other, "_known", dict.fromkeys(fence.standing._known))
    monkeypatch.setattr(other, "_wanted", ("of the session before",))
    assert other.wanted(at=NOON)[0] == queries.wanted_rules("edge1", at=NOON)


def test_of_what_can_never_be_shown_in_force_the_holder_is_asked_for_once_a_minute(
    fence: Fence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryTwin, "max_proof", Proof.CONFIG)
    driver, keys, moved = MemoryTwin("edge1"), sorted(planned(n) for n in range(2, 26)), set[str]()
    about: list[str] = []

    def others_beyond(_: str, rule: Rule) -> int | None:
        about.append(rule.measure)
        return None if rule.measure in moved else 0

    def a_round(number: int) -> list[str]:
        about.clear()
        limits = replace(OWN, others_beyond=others_beyond)
        reconcile(driver, fence=fence, limits=limits, at=NOON + timedelta(seconds=5 * number))
        return list(about)

    assert a_round(0) == keys, "all that is sent for the first time"
    minute = [a_round(number) for number in range(1, 13)]
    assert {len(turn) for turn in minute} == {2}
    assert sorted(key for turn in minute for key in turn) == keys
    with driver._held(write=True) as state:
        lost = state["rules"].pop(keys[7])["measure"]
    assert lost in a_round(13), "what is sent again is asked for at once"
    assert [key for key, _ in driver.rules()] == keys
    moved.add(keys[3])
    for number in range(14, 26):
        a_round(number)
    assert [key for key, _ in driver.rules()] == [key for key in keys if key not in moved]


def test_a_round_with_nothing_to_do_reads_no_measure(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    for n in range(2, 12):
        planned(n)
    for _ in range(2):
        reconcile(driver, fence=fence, limits=OWN, at=NOON)
    said = asked(lambda: reconcile(driver, fence=fence, limits=OWN, at=NOON))
    assert not [sql for sql in said if '"enforcement_measurerow"."selector"' in sql or "selector::text" in sql], said


@transaction.atomic
def change_and_undo(fence: Fence, key: str) -> None:
    """What it reads meanwhile was never so."""
    operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
    fence.standing.open()
    raise ZeroDivisionError


class Asked(MemoryTwin):
    def __init__(self) -> None:
        super().__init__("edge1")
        self.asked: list[str] = []

    def supports(self, rule: Rule) -> bool:
        self.asked.append(rule.measure)
        return super().supports(rule)


def test_a_rule_that_passed_is_looked_at_again_when_the_bounds_are_others() -> None:
    by_address = Rule(
        measure="M-1", case="C-1", selector=Selector(network=ip_network("192.0.2.7")), degree=Degree.BLOCK
    )
    by_name = Rule(measure="M-2", case="C-1", selector=Selector(host_name="www.example.net"), degree=Degree.BLOCK)
    rules, driver, vetting = (by_address, by_name), Asked(), Vetting()
    ours = replace(OWN, owns_name=lambda _: True)
    assert vetting.refused(rules, ours, driver=driver) == {}
    assert driver.asked == ["M-1", "M-2"]
    assert vetting.refused(rules, ours, driver=driver) == {}
    assert driver.asked == ["M-1", "M-2", "M-2"], "a name may be somebody else's by now"
    assert [*vetting.refused(rules, replace(OWN, owns_name=lambda _: False), driver=driver)] == ["M-2"]
    assert [*vetting.refused(rules, replace(ours, own=()), driver=driver)] == ["M-1"]
    shielded = replace(ours, protected=(ip_network("192.0.2.7"),))
    assert [*vetting.refused(rules, shielded, driver=driver)] == ["M-1"]
    assert vetting.refused(rules, ours, driver=driver) == {}, "what was refused may pass when the bounds are wider"
    other = replace(by_address, selector=Selector(network=ip_network("198.51.100.7")))
    assert [*vetting.refused((other, by_name), ours, driver=driver)] == ["M-1"], "another rule under the same name"


def test_names_are_asked_for_all_at_once() -> None:
    selectors = [
        Selector(host_name="WWW.example.net."), Selector(url="http://shop.example.net/a"),
        Selector(mailbox="A@example.net"), Selector(host_name="www.example.org"),
    ]  # fmt: skip
    rules = [
        Rule(measure=f"M-{n}", case="C-1", selector=selector, degree=Degree.BLOCK)
        for n, selector in enumerate(selectors)
    ]
    ours, calls = {"www.example.net", "shop.example.net", "a@example.net"}, []

    def owned(names: Collection[str]) -> Collection[str]:
        calls.append(sorted(names))
        return ours & {*names}

    limits = replace(OWN, names_owned=owned)
    refused = Vetting().refused(rules, limits, driver=MemoryTwin("edge1"))
    assert calls == [["a@example.net", "shop.example.net", "www.example.net", "www.example.org"]]
    one_by_one = replace(OWN, owns_name=ours.__contains__, owns_mailbox=ours.__contains__)
    assert refused == Vetting().refused(rules, one_by_one, driver=MemoryTwin("edge1"))
    assert [*refused] == ["M-3"]


def test_a_refused_rule_is_refused_each_time() -> None:
    rule = Rule(measure="M-1", case="C-1", selector=Selector(network=ip_network("198.51.100.7")), degree=Degree.BLOCK)
    rules, vetting = (rule,), Vetting()
    assert [[*vetting.refused(rules, OWN, driver=MemoryTwin("edge1"))] for _ in range(2)] == [["M-1"], ["M-1"]]


def test_a_mass_that_two_people_let_pass_is_not_counted_and_what_came_after_it_is(fence: Fence) -> None:
    driver = MemoryTwin("edge1")
    for n in range(2, 6):
        planned(n)
    reconcile(driver, fence=fence, limits=replace(OWN, new_rules_max=1), at=NOON)
    operations.ask("edge1", "let_pass", why="So.", at=NOON, actor="one")
    operations.agree("edge1", "let_pass", within=timedelta(hours=1), at=NOON, actor="two")
    reconcile(driver, fence=fence, limits=replace(OWN, new_rules_max=1), at=NOON)
    assert len(driver.rules()) == 4
    since = NOON - timedelta(minutes=50)
    assert queries.sent_lately("edge1", since=since) == []
    later = NOON + timedelta(minutes=5)
    planned(9, at=later)
    assert queries.sent_lately("edge1", since=since) == [], "it was not sent yet"
    reconcile(driver, fence=fence, limits=replace(OWN, new_rules_max=1), at=later)
    assert len(driver.rules()) == 5
    # Whether the mass was let pass within the hour or before it, only what came behind it counts.
    for minutes in (-50, 1, 4):
        assert queries.sent_lately("edge1", since=NOON + timedelta(minutes=minutes)) == ["acct-9"]
    assert queries.sent_lately("edge1", since=NOON + timedelta(minutes=6)) == []
