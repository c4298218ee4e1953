"""The nginx driver on a real nginx: the contract, and every way round a stopped page that we know of."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.live.web_server import PROGRAM, Nginx, gets_round
from tipstaff.enforcement.drivers.nginx import NginxDriver, make
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable, Driver
from tipstaff.testing.drivers import NOON, DriverContract, await_true, carry_out
from tipstaff.words import Degree, Plan, Proof, Rule, Seen, Selector, Step

pytestmark = [pytest.mark.live, pytest.mark.skipif(PROGRAM is None, reason="nginx is not installed")]

PAGE = "http://www.example.net/pay/Log%20in.html"


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    built = Nginx(tmp_path_factory.mktemp("nginx"))
    built.start()
    yield built
    built.stop()


@pytest.fixture
def driver(nginx: Nginx) -> NginxDriver:
    nginx.forget()
    return driver_of(nginx)


def driver_of(nginx: Nginx, **more: object) -> NginxDriver:
    driver = make("web1", nginx.options(**{"reload": nginx.quick_reload(), **more}))
    driver.settled_seconds = 0
    return driver


def page(url: str, *, key: str = "M-000001", by_law: bool = False, until: datetime | None = None) -> Rule:
    selector = Selector(url=url)
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK, by_law=by_law, until=until)


def host(name: str, *, key: str = "M-000001") -> Rule:
    return Rule(measure=key, case="C-000001", selector=Selector(host_name=name), degree=Degree.BLOCK)


class TestNginxDriver(DriverContract):
    @pytest.fixture(autouse=True)
    def _nginx(self, nginx: Nginx) -> None:
        self.nginx = nginx

    def make(self) -> Driver:
        self.nginx.forget()
        return driver_of(self.nginx)

    def again(self, driver: Driver) -> Driver:
        return make("web1", self.nginx.options())

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        return page(
            f"http://www.example.net/{n}.html", key=f"M-{(n if key is None else key) + 1:06d}", until=until
        )  # fmt: skip

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        assert isinstance(driver, NginxDriver)
        works, driver._status = driver._status, ("127.0.0.1", 1)
        yield
        driver._status = works

    def put_foreign(self, driver: Driver) -> str:
        file = self.nginx.included / "http.conf"
        line = '    "www.example.net/by-hand" "9999999999 403 www.example.net/by-hand";'
        begin = 'map "$host$uri" $tipstaff_page_found {\n'
        file.write_text(file.read_text().replace(begin, begin + line + "\n"))
        return "page: " + line

    def tamper(self, driver: Driver, rule: Rule) -> None:
        file = self.nginx.included / "http.conf"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(x for x in lines if not x.startswith('    "www.example.net/0.html"')))

    def forget(self, driver: Driver) -> None:
        self.nginx.forget()


@pytest.mark.parametrize(("by_law", "status"), [(True, 451), (False, 403)])
def test_a_stopped_page_says_why_and_its_neighbours_answer(
    nginx: Nginx, driver: NginxDriver, by_law: bool, status: int
) -> None:
    rule = page(PAGE, by_law=by_law)
    carry_out(driver, 1, [rule])
    found, link = nginx.get("/pay/Log%20in.html")
    assert found == status
    assert link == (
        '<https://noc.example.net/orders>; rel="blocked-by"' if by_law
        else '<https://noc.example.net/policy>; rel="terms-of-service"'
    )  # fmt: skip
    for beside in ("/pay/log%20in.html", "/pay/Log%20in.htm", "/pay/Log%20in.html/", "/pay/", "/", "/.tipstaff-x"):
        assert nginx.get(beside) == (200, ""), beside
    assert nginx.get("/pay/Log%20in.html", host="shop.example.org") == (200, "")
    assert nginx.get("/.tipstaff-451")[0] == 404
    result = driver.probe(rule)
    assert result.proves_in_force, result
    carry_out(driver, 2, [])
    assert nginx.get("/pay/Log%20in.html") == (200, "")
    assert driver.probe(rule).proves_lifted


EVASIONS = (
    "/pay/../pay/Log%20in.html", "/a/b/../../pay/Log%20in.html", "//pay//Log%20in.html", "/./pay/./Log%20in.html",
    "/%70ay/Log%20in.html", "/pay%2FLog%20in.html", "/pay/%2e%2e/pay/Log%20in.html", "/pay/Log%20in.htm%6C",
    "/pay/Log%20in.html?", "/pay/Log%20in.html?x=1", "/pay/Log%20in.html?x=1&y=/../z",
    "http://www.example.net/pay/Log%20in.html",
)  # fmt: skip


def test_no_other_way_of_writing_a_page_gets_round(nginx: Nginx, driver: NginxDriver) -> None:
    carry_out(driver, 1, [page(PAGE)])
    passed = [way for way in EVASIONS if nginx.get(way)[0] != 403]
    assert passed == []
    for name in ("WWW.Example.NET", "www.example.net:80", "www.example.net.", f"www.example.net:{nginx.port}"):
        assert nginx.get("/pay/Log%20in.html", host=name)[0] == 403, name
    assert gets_round(nginx.tls_port, *EVASIONS) == []


def test_a_page_that_its_query_names_is_stopped_and_the_script_serves_the_others(
    nginx: Nginx, driver: NginxDriver
) -> None:
    carry_out(driver, 1, [page("http://www.example.net/show.php?id=7&lang=en%20gb")])
    for way in ("id=7&lang=en%20gb", "lang=en+gb&id=7", "x=1&id=7&y&lang=en%20gb&z", "%69d=%37&l%61ng=en%20gb"):
        assert nginx.get(f"/show.php?{way}")[0] == 403, way
    for other in ("id=77&lang=en%20gb", "id=7", "lang=en%20gb", "", "xid=7&lang=en%20gb", "id=7&lang=EN%20gb"):
        assert nginx.get(f"/show.php?{other}")[0] == 200, other
    assert nginx.get("/Show.php?id=7&lang=en%20gb")[0] == 200


def test_pages_that_differ_in_case_only_and_odd_ones_are_told_apart(nginx: Nginx, driver: NginxDriver) -> None:
    odd = "/%24%7Bx%7D%22%5C%0A~%C3%A4"
    long = "/" + "x" * 900
    carry_out(driver, 1, [
        page("http://www.example.net/A", key="M-000001"), page("http://www.example.net/a", key="M-000002"),
        page(f"http://www.example.net{odd}", key="M-000003"), page(f"http://www.example.net{long}", key="M-000004"),
        page("http://www.example.net/%C3%A4;v=1", key="M-000005"),
        page(f"http://www.example.net:{nginx.port}/port", key="M-000006"),
        page("http://www.example.net:8081/elsewhere", key="M-000007"),
    ])  # fmt: skip
    for path in ("/A", "/a", odd, long, "/%C3%A4;v=1", "/port"):
        assert nginx.get(path)[0] == 403, path
    for path in (odd + "%0A", long + "x", "/elsewhere", "/B", "/%C3%A4"):
        assert nginx.get(path)[0] == 200, path
    seen = carry_out(driver, 2, [page("http://www.example.net/a", key="M-000002")])
    assert seen.rules == (("M-000002", Seen.IN_FORCE),)
    assert (nginx.get("/A")[0], nginx.get("/a")[0]) == (200, 403)


def test_a_host_name_is_stopped_with_all_its_pages_and_the_next_host_is_not(nginx: Nginx, driver: NginxDriver) -> None:
    rule = host("shop.example.org")
    carry_out(driver, 1, [rule])
    assert {nginx.get(path, host="SHOP.example.org:80")[0] for path in ("/", "/a/b?c")} == {403}
    assert nginx.get("/", host="www.example.net")[0] == 200
    assert driver.probe(rule).target_stopped is True


def test_a_page_comes_back_by_itself_while_nobody_looks(nginx: Nginx, driver: NginxDriver) -> None:
    carry_out(driver, 1, [
        page("http://www.example.net/short", until=NOON + timedelta(seconds=1)),
        page("http://www.example.net/show?id=1", key="M-000002", until=NOON + timedelta(seconds=1)),
        page("http://www.example.net/long", key="M-000003", until=NOON + timedelta(days=1)),
    ])  # fmt: skip
    assert {nginx.get(path)[0] for path in ("/short", "/show?id=1", "/long")} == {403}
    await_true(lambda: {nginx.get(path)[0] for path in ("/short", "/show?id=1")} == {200})
    assert nginx.get("/long")[0] == 403


@pytest.mark.parametrize("by_itself", [False, True], ids=["by a command", "by nginx -s reload"])
def test_the_whole_is_refused_when_nginx_does_not_take_it_and_nginx_can_still_start(
    nginx: Nginx, driver: NginxDriver, by_itself: bool
) -> None:
    if by_itself:
        driver = driver_of(nginx, reload=[])
    carry_out(driver, 1, [page("http://www.example.net/a")])
    works = nginx.config.read_text()
    nginx.config.write_text(works.replace("access_log off;", "access_log off; map_hash_max_size 2048;"))
    try:
        with pytest.raises(DeviceRefused, match="duplicate"):
            carry_out(driver, 2, [])
    finally:
        nginx.config.write_text(works)
    assert driver.observe(at=NOON).rules == (("M-000001", Seen.IN_FORCE),)
    await_true(lambda: nginx.get("/a")[0] == 403)  # Workers of before the reload may still answer.


def test_of_a_small_change_only_what_is_new_is_tried_and_looked_at(
    nginx: Nginx, driver: NginxDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [page(f"http://www.example.net/{n}", key=f"M-{n:06d}") for n in range(1, 6)]
    carry_out(driver, 1, rules)
    tried: list[bytes] = []
    alone = driver._test_alone

    def test_alone(new: Path) -> None:
        tried.append(new.read_bytes())
        alone(new)

    monkeypatch.setattr(driver, "_test_alone", test_alone)
    come = page("http://www.example.net/new?id=7", key="M-000009")
    plan = Plan(device="web1", generation=2, rules=(come,), whole=False)
    todo = (Step(verb="lift", measure="M-000001", rule=None), Step(verb="apply", measure="M-000009", rule=come))
    driver.carry_out(plan, steps=todo, at=NOON)
    assert [(b"M-000009" in text, b"M-000002" in text) for text in tried] == [(True, False)]
    seen = driver.look_at(["M-000001", "M-000009"], at=NOON)
    assert seen is not None
    assert (seen.generation, seen.rules) == (2, (("M-000009", Seen.IN_FORCE),))
    assert [nginx.get(path)[0] for path in ("/1", "/2", "/new?id=7", "/new?id=8")] == [200, 403, 403, 200]
    whole = driver.observe(at=NOON)
    assert whole == driver_of(nginx).observe(at=NOON), "what is kept in mind is what is there"
    assert len(whole.rules) == 5
    file = nginx.included / "http.conf"
    file.write_text(file.read_text().replace("/2 ", "/3 "))
    assert driver.look_at(["M-000009"], at=NOON) is None, "it is not as it was left"


def test_a_file_that_nginx_was_never_told_of_is_not_in_force(nginx: Nginx, driver: NginxDriver) -> None:
    quiet = driver_of(nginx, reload=["true"], timeout_seconds=1)
    carry_out(driver, 1, [])
    with contextlib.suppress(Exception):
        carry_out(quiet, 2, [page("http://www.example.net/a")])
    seen = driver.observe(at=NOON)
    assert (seen.generation, seen.rules) == (1, ())
    assert "not read" in seen.detail
    assert carry_out(driver, 2, [page("http://www.example.net/a")]).of("M-000001") is Seen.IN_FORCE


def test_the_first_file_of_all_is_loaded_by_the_next_who_comes_where_nginx_was_never_told(nginx: Nginx) -> None:
    nginx.forget()
    rules = [page("http://www.example.net/a")]
    with pytest.raises(DeviceUnreachable, match="has not taken"):
        carry_out(driver_of(nginx, reload=["true"], timeout_seconds=1), 1, rules)
    assert nginx.get("/a")[0] == 200
    assert driver_of(nginx).observe(at=NOON).of("M-000001") is Seen.IN_FORCE
    assert nginx.get("/a")[0] == 403


def test_what_somebody_left_who_was_killed_is_in_nobodys_way(nginx: Nginx, driver: NginxDriver) -> None:
    carry_out(driver, 1, [page("http://www.example.net/a")])
    for name in ("http.earlier", "http.tmp", "http.new", "http.pending", "trial.conf", "server.tmp"):
        (nginx.included / name).write_text("cut off in the mid")
    rules = [page("http://www.example.net/b", key="M-000002")]
    assert carry_out(driver_of(nginx), 2, rules).rules == (("M-000002", Seen.IN_FORCE),)
    assert (nginx.get("/a")[0], nginx.get("/b")[0]) == (200, 403)
    assert sorted(x.name for x in nginx.included.iterdir() if x.suffix not in (".conf", ".before")) == [
        "lock",
        "server.tmp",
    ]


def test_the_probe_is_the_surest_proof_only_where_it_is_set_up(nginx: Nginx) -> None:
    blind = make("web1", nginx.options(probe_http=[], probe_https=[]))
    assert (blind.max_proof, blind.probe(page(PAGE)).target_stopped) == (Proof.STATE, None)


def test_options_that_cannot_be_used_are_told_in_a_sentence(nginx: Nginx) -> None:
    for more, said in (
        ({"status": "localhost:80"}, "takes an address and a port"), ({"port": 1}, "port is not an option"),
        ({"blocked_by": "noc"}, "takes the URL of a page"), ({"folder": "x"}, "takes a whole path"),
        ({"hash_sizes": 1}, "takes true or false"), ({"timeout_seconds": 0}, "whole number from 1 up"),
    ):  # fmt: skip
        with pytest.raises(BadOption, match=said):
            make("web1", nginx.options(**more))


def test_what_is_no_page_of_a_web_server_is_not_supported(driver: NginxDriver) -> None:
    for url in (
        "ftp://www.example.net/a", "http://192.0.2.7/a", "http://www.example.net/../a", "http://www.example.net/a%00b",
        "http://exa mple.net/", "mailto:a@example.net", "http://default/a",
    ):  # fmt: skip
        assert not driver.supports(page(url)), url


def test_with_workers_a_page_is_stopped_for_all_who_ask_from_the_moment_that_it_is_said_to_be(tmp_path: Path) -> None:
    nginx = Nginx(tmp_path, workers=3)
    nginx.start()
    try:
        driver = make("web1", nginx.options())
        for generation in (1, 3):
            carry_out(driver, generation, [page(PAGE)])
            assert {nginx.get("/pay/Log%20in.html")[0] for _ in range(60)} == {403}
            carry_out(driver, generation + 1, [])
            assert {nginx.get("/pay/Log%20in.html")[0] for _ in range(60)} == {200}
    finally:
        nginx.stop()
