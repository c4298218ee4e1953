"""The HAProxy driver on a real HAProxy: the contract, and every way round a stopped page that we know of."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.live.balancer import PROGRAM, Haproxy
from tests.live.web_server import gets_round
from tipstaff.enforcement.drivers import haproxy
from tipstaff.enforcement.drivers.haproxy import HaproxyDriver, make, table
from tipstaff.enforcement.planner import fingerprint
from tipstaff.enforcement.protocol import BadOption, Driver, StalePlan
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.words import Degree, Plan, Rule, Seen, Selector, Step

pytestmark = [pytest.mark.live, pytest.mark.skipif(PROGRAM is None, reason="HAProxy is not installed")]

PAGE = "https://www.example.net/pay/Log%20in.html"
LINKS = {"blocked_by": "https://noc.example.net/orders", "policy_url": "https://noc.example.net/policy"}


@pytest.fixture(scope="module")
def balancer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Haproxy]:
    folder = tmp_path_factory.mktemp("haproxy")
    built = Haproxy(folder, rules=table.rules_for(map_file=str(folder / "tipstaff.map"), **LINKS))
    built.start()
    yield built
    built.stop()


@pytest.fixture
def driver(balancer: Haproxy) -> HaproxyDriver:
    balancer.wipe()
    return make("lb1", balancer.options())


def page(url: str, *, key: str = "M-000001", by_law: bool = False, until: datetime | None = None) -> Rule:
    selector = Selector(url=url)
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK, by_law=by_law, until=until)


class TestHaproxyDriver(DriverContract):
    @pytest.fixture(autouse=True)
    def _balancer(self, balancer: Haproxy) -> None:
        self.balancer = balancer

    def make(self) -> Driver:
        self.balancer.wipe()
        return make("lb1", self.balancer.options())

    def again(self, driver: Driver) -> Driver:
        return make("lb1", self.balancer.options())

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        return page(f"http://www.example.net/{n}.html", key=f"M-{(n if key is None else key) + 1:06d}", until=until)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        assert isinstance(driver, HaproxyDriver)
        works, driver._socket = driver._socket, Path("/nowhere")
        yield
        driver._socket = works

    def put_foreign(self, driver: Driver) -> str:
        self.balancer.api(f"add map {self.balancer.map_file} page:www.example.net/by-hand 9999999999\\ 403")
        return "page:www.example.net/by-hand 9999999999 403"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        self.balancer.api(f"del map {self.balancer.map_file} page:www.example.net/0.html")

    def forget(self, driver: Driver) -> None:
        self.balancer.wipe()


@pytest.mark.parametrize(("by_law", "status"), [(True, 451), (False, 403)])
def test_a_stopped_page_says_why_and_its_neighbours_answer(
    balancer: Haproxy, driver: HaproxyDriver, by_law: bool, status: int
) -> None:
    rule = page(PAGE, by_law=by_law)
    carry_out(driver, 1, [rule])
    said = '<https://noc.example.net/orders>; rel="blocked-by"'
    assert balancer.get("/pay/Log%20in.html") == (
        status, said if by_law else '<https://noc.example.net/policy>; rel="terms-of-service"'
    )  # fmt: skip
    for beside in (
        "/pay/log%20in.html",
        "/pay/Log%20in.htm",
        "/pay/Log%20in.html/",
        "/pay/",
        "/",
        "/a//b/../c?d=/../e",
    ):
        assert balancer.get(beside) == (200, beside), "and it goes on as it came"
    assert balancer.get("/pay/Log%20in.html", host="shop.example.org")[0] == 200
    result = driver.probe(rule)
    assert result.proves_in_force, result
    carry_out(driver, 2, [])
    assert balancer.get("/pay/Log%20in.html")[0] == 200
    assert driver.probe(rule).proves_lifted


EVASIONS = (
    "/pay/../pay/Log%20in.html", "/a/b/../../pay/Log%20in.html", "//pay//Log%20in.html", "/./pay/./Log%20in.html",
    "/%70ay/Log%20in.html", "/pay%2FLog%20in.html", "/pay/%2e%2e/pay/Log%20in.html", "/pay/Log%20in.htm%6C",
    "/pay/Log%20in.html?", "/pay/Log%20in.html?x=1", "/pay/Log%20in.html?x=1&y=/../z",
    "/x" * 60 + "/.." * 60 + "/pay/Log%20in.html",
    "http://www.example.net/pay/Log%20in.html",
)  # fmt: skip


def test_no_other_way_of_writing_a_page_gets_round(balancer: Haproxy, driver: HaproxyDriver) -> None:
    carry_out(driver, 1, [page(PAGE)])
    assert [way for way in EVASIONS if balancer.get(way)[0] != 403] == []
    for name in ("WWW.Example.NET", "www.example.net:80", "www.example.net.", "www.example.net.:443"):
        assert balancer.get("/pay/Log%20in.html", host=name)[0] == 403, name
    # Whom such a request is for is not clear; HAProxy itself refuses it.
    assert balancer.get("http://www.example.net/pay/Log%20in.html", host="shop.example.org")[0] in (400, 403)
    assert gets_round(balancer.tls_port, *EVASIONS) == []


def test_odd_pages_are_told_apart_and_what_cannot_be_held_exactly_is_not_taken(
    balancer: Haproxy, driver: HaproxyDriver
) -> None:
    odd = ("/A", "/a%3Fb", "/a%23b", "/a;b", "/%C3%A4'\"$", "/<x>\\")
    carry_out(driver, 1, [page(f"http://www.example.net{p}", key=f"M-{n:06d}") for n, p in enumerate(odd, 1)])
    assert {balancer.get(p)[0] for p in odd} == {403}
    for other in ("/a", "/a?b", "/a%3fB", "/%C3%A5'\"$"):
        assert balancer.get(other)[0] == 200, other
    for url in ("http://www.example.net/?id=7", "http://www.example.net:8080/a", "http://www.example.net/a%0Ab",
                "http://www.example.net/100%25", "http://192.0.2.7/a"):  # fmt: skip
        assert not driver.supports(page(url)), url


def test_a_host_name_is_stopped_with_all_its_pages_and_the_next_host_is_not(
    balancer: Haproxy, driver: HaproxyDriver
) -> None:
    rule = Rule(
        measure="M-000001", case="C-000001", selector=Selector(host_name="Shop.example.org"), degree=Degree.BLOCK
    )
    carry_out(driver, 1, [rule])
    assert {balancer.get(path, host="SHOP.example.org:80")[0] for path in ("/", "/a/b?c", "/%")} == {403}
    assert balancer.get("/", host="a.shop.example.org")[0] == 200
    assert driver.probe(rule).proves_in_force


def test_a_page_comes_back_by_itself_while_nobody_looks(balancer: Haproxy, driver: HaproxyDriver) -> None:
    short = page("http://www.example.net/short", until=NOON + timedelta(seconds=1))
    carry_out(driver, 1, [short, page("http://www.example.net/long", key="M-000002", until=NOON + timedelta(days=1))])
    assert balancer.get("/short")[0] == 403
    await_true(lambda: balancer.get("/short")[0] == 200)
    assert balancer.get("/long")[0] == 403


def test_a_doubled_row_is_drift_and_is_mended(balancer: Haproxy, driver: HaproxyDriver) -> None:
    rules = [page("http://www.example.net/a")]
    carry_out(driver, 1, rules)
    balancer.api(f"add map {balancer.map_file} page:www.example.net/a 1\\ 403")
    assert driver.observe(at=NOON).of("M-000001") is Seen.DRIFT
    assert carry_out(driver, 1, rules).of("M-000001") is Seen.IN_FORCE


def test_rows_of_a_version_that_nobody_put_in_force_do_not_count_against_a_listing(
    balancer: Haproxy, driver: HaproxyDriver
) -> None:
    carry_out(driver, 1, [page(PAGE)])
    version = balancer.api(f"prepare map {balancer.map_file}").strip().rpartition(": ")[2]
    balancer.api(f"add map @{version} {balancer.map_file} page:www.example.net/half 1\\ 403")
    seen = make("lb1", balancer.options()).observe(at=NOON)
    assert (seen.complete, seen.rules, seen.foreign) == (True, (("M-000001", Seen.IN_FORCE),), ())


def test_one_change_among_many_touches_no_other_row(
    balancer: Haproxy, driver: HaproxyDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy, "_MANY_ROWS", 3)
    rules = [page(f"http://www.example.net/{n};x", key=f"M-{n:06d}") for n in range(5)]
    carry_out(driver, 1, rules)
    before = balancer.api(f"show map {balancer.map_file}").splitlines()
    carry_out(driver, 2, [*rules[1:], page("http://www.example.net/new", key="M-000009")])
    after = balancer.api(f"show map {balancer.map_file}").splitlines()
    assert len(set(filter(None, before)) & set(after)) == 8
    assert (balancer.get("/0;x")[0], balancer.get("/1;x")[0], balancer.get("/new")[0]) == (200, 403, 403)


def many(balancer: Haproxy) -> tuple[HaproxyDriver, list[Rule]]:
    """A driver that has just carried out rules of which it changes rows by themselves."""
    balancer.wipe()
    driver = make("lb1", balancer.options())
    rules = [page(f"http://www.example.net/{n};x", key=f"M-{n:06d}") for n in range(6)]
    carry_out(driver, 1, rules)
    return driver, rules


def small_change(driver: HaproxyDriver, rules: list[Rule], generation: int) -> Plan:
    """The first goes, one more stands on the second's page, and a new one comes."""
    come = (page("http://www.example.net/1;x", key="M-000008", by_law=True), page(PAGE, key="M-000009"))
    plan = Plan(device="lb1", generation=generation, rules=come, whole=False)
    todo = [Step(verb="lift", measure="M-000000", rule=None)]
    driver.carry_out(plan, steps=[*todo, *(Step(verb="apply", measure=r.measure, rule=r) for r in come)], at=NOON)
    return plan


AFTER = {"/0;x": 200, "/1;x": 451, "/2;x": 403, "/pay/Log%20in.html": 403}


def test_a_small_change_is_looked_at_by_itself_and_outlives_a_restart(
    balancer: Haproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy, "_MANY_ROWS", 3)
    driver, rules = many(balancer)
    inode = balancer.map_file.stat().st_ino
    asked: list[str] = []
    ask = driver._ask_octets
    monkeypatch.setattr(driver, "_ask_octets", lambda *words: asked.append(words[0]) or ask(*words))  # type: ignore[func-returns-value]  # it notes and goes on
    small_change(driver, rules, 2)
    seen = driver.look_at(["M-000000", "M-000008", "M-000009"], at=NOON)
    assert seen is not None
    assert (seen.generation, seen.rules) == (2, (("M-000008", Seen.IN_FORCE), ("M-000009", Seen.IN_FORCE)))
    assert not [words for words in asked if words.startswith(("show map /", "prepare"))], "nothing was read as a whole"
    assert balancer.map_file.stat().st_ino == inode, "its file was not written anew"
    whole = driver.observe(at=NOON)
    assert whole == make("lb1", balancer.options()).observe(at=NOON), "what is kept in mind is what is there"
    assert {path: balancer.get(path)[0] for path in AFTER} == AFTER
    balancer.stop()
    balancer.start()
    assert make("lb1", balancer.options()).observe(at=NOON) == whole
    assert {path: balancer.get(path)[0] for path in AFTER} == AFTER


def test_rows_of_odd_pages_are_changed_in_their_place(balancer: Haproxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy, "_MANY_ROWS", 3)
    odd = ("/a;b", "/%C3%A4'\"$", "/<<x>\\\\;", "/a%23b#c;d <<", "/\\", "/a%20b;show%20map")
    rules = [page(f"http://www.example.net{p}".replace(" ", "%20"), key=f"M-{n:06d}") for n, p in enumerate(odd, 1)]
    balancer.wipe()
    driver = make("lb1", balancer.options())
    carry_out(driver, 1, rules)
    longer = tuple(replace(rule, until=NOON + timedelta(days=n)) for n, rule in enumerate(rules, 1))
    todo = [Step(verb="apply", measure=rule.measure, rule=rule) for rule in longer]
    driver.carry_out(Plan(device="lb1", generation=2, rules=longer, whole=False), steps=todo, at=NOON)
    wanted = {rule.measure: fingerprint(rule) for rule in longer}
    seen = driver.look_at(wanted, at=NOON)
    assert seen is not None
    assert dict(seen.fingerprints) == wanted
    for _ in range(2):
        whole = make("lb1", balancer.options()).observe(at=NOON)
        assert (dict(whole.fingerprints), {how for _, how in whole.rules}) == (wanted, {Seen.IN_FORCE})
        assert whole.foreign == ()
        balancer.stop()
        balancer.start()


def test_a_row_that_somebody_changed_meanwhile_takes_a_whole_reading(
    balancer: Haproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy, "_MANY_ROWS", 3)
    for by_hand in ("del map {} page:www.example.net/1;x", "add map {} page:www.example.net/by-hand 1\\ 403",
                    "set map {} page:www.example.net/1;x 1\\ 403"):  # fmt: skip
        driver, rules = many(balancer)
        balancer.api(by_hand.format(balancer.map_file).replace(";", "\\;"))
        small_change(driver, rules, 2)
        assert {path: balancer.get(path)[0] for path in AFTER} == AFTER, by_hand
        balancer.api(f"del map {balancer.map_file} page:www.example.net/1\\;x")
        assert driver.look_at(["M-000008"], at=NOON) is None
        carry_out(driver, 3, [*rules[1:], page("http://www.example.net/1;x", key="M-000008", by_law=True)])
        assert {balancer.get(f"/{n};x")[0] for n in range(2, 6)} == {403}, by_hand
        assert balancer.get("/1;x")[0] == 451, by_hand


def test_killed_at_each_step_of_a_small_change_the_next_plan_makes_it_right_also_after_a_restart(
    balancer: Haproxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(haproxy, "_MANY_ROWS", 3)
    steps_done = 0
    for last in range(40):
        driver, rules = many(balancer)
        left = [last]

        def dies(work: Any, left: list[int] = left) -> Any:
            def step(*words: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    raise Killed
                return work(*words)

            return step

        with monkeypatch.context() as patched:
            patched.setattr(driver, "_tell", dies(driver._tell))
            patched.setattr(haproxy.os, "pwrite", dies(os.pwrite))
            with contextlib.suppress(Killed):
                small_change(driver, rules, 2)
        if last % 2:
            balancer.stop()
            balancer.start()
        after = make("lb1", balancer.options())
        assert after.observe(at=NOON).generation in (1, 2), last
        with pytest.raises(StalePlan):
            carry_out(after, 0, [])
        carry_out(
            after,
            3,
            [*rules[1:], page("http://www.example.net/1;x", key="M-000008", by_law=True), page(PAGE, key="M-000009")],
        )
        assert {path: balancer.get(path)[0] for path in AFTER} == AFTER, last
        if left[0] >= 0:
            break
        steps_done += 1
    assert 8 <= steps_done < 39


class Killed(BaseException):
    """In place of a `kill -9`."""


def test_a_restart_of_haproxy_forgets_nothing(balancer: Haproxy, driver: HaproxyDriver) -> None:
    carry_out(driver, 4, [page(PAGE)])
    balancer.stop()
    balancer.start()
    seen = driver.observe(at=NOON)
    assert (seen.generation, seen.of("M-000001")) == (4, Seen.IN_FORCE)
    assert balancer.get("/pay/Log%20in.html")[0] == 403


def test_options_that_cannot_be_used_are_told_in_a_sentence(balancer: Haproxy) -> None:
    for more, said in (
        ({"probe_http": [], "probe_https": []}, "only a request shows"), ({"socket": "api"}, "takes a whole path"),
        ({"blocked_by": ""}, "blocked_by is missing"), ({"map": "x"}, "map is not an option"),
    ):  # fmt: skip
        with pytest.raises(BadOption, match=said):
            make("lb1", balancer.options(**more))
