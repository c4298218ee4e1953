"""An answer of HAProxy that breaks off is never taken for what it holds, and a full disk costs no row."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tipstaff.enforcement.drivers import haproxy
from tipstaff.enforcement.drivers.haproxy import HaproxyDriver, make, table
from tipstaff.enforcement.planner import fingerprint
from tipstaff.enforcement.protocol import DeviceUnreachable
from tipstaff.testing.drivers import NOON
from tipstaff.words import Degree, Plan, Rule, Seen, Selector, Step

RULES = [
    Rule(
        measure=f"M-{n:06d}", case="C-000001", selector=Selector(url=f"http://www.example.net/{n}"),
        degree=Degree.BLOCK,
    )
    for n in range(4)
]  # fmt: skip
ALL = tuple((rule.measure, Seen.IN_FORCE) for rule in RULES)


def rows() -> list[tuple[str, str]]:
    held = [("generation", "1")]
    for rule in RULES:
        one = table.Measure(rule=rule, ends=table.NEVER, fingerprint=fingerprint(rule))
        held += [(f"measure:{rule.measure}", one.line), (one.key or "", f"{table.NEVER} 403")]
    return held


class Balancer:
    """The runtime API over one map, word for word as HAProxy 2.6 answers, until something cuts an answer short."""

    def __init__(self, folder: Path) -> None:
        self.map_file = folder / "tipstaff.map"
        self.map_file.write_text("as it was")
        self.rows = rows()
        self.prepared: list[tuple[str, str]] = []
        self.cut: Callable[[bytes], bytes] = bytes
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "api"))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.driver = make(
            "lb1",
            {"socket": str(folder / "api"), "map_file": str(self.map_file), "probe_http": ["127.0.0.1:80"],
             "blocked_by": "https://noc.example.net/orders"},
        )  # fmt: skip

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            with line:
                asked = line.makefile().readline().strip()
                line.sendall(self.cut("".join(map(self._answer, asked.split(";"))).encode()))

    def _answer(self, command: str) -> str:
        name = str(self.map_file)
        if command == "show map":
            versions = f"curr_ver=0 next_ver={bool(self.prepared):d} entry_cnt={len(self.rows) + len(self.prepared)}"
            return f"# id (file) description\n1 ({name}) pattern loaded from file '{name}'. {versions}\n\n"
        listed = {f"show map {name}": self.rows, f"show map @1 {name}": self.prepared}.get(command)
        if listed is not None:
            return "".join(f"0x{n:x} {key} {value}\n" for n, (key, value) in enumerate(listed)) + "\n"
        key = command.removeprefix(f"get map {name} ")
        values = [value for k, value in self.rows if k == key]
        found = f'found=yes, idx=tree, key="{key}", value="{values[0]}", type="str"' if values else "found=no"
        return f"type=str, case=sensitive, {found}\n\n"


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    built = Balancer(tmp_path)
    yield built
    built.stop()


def lift_one(driver: HaproxyDriver) -> None:
    plan = Plan(device="lb1", generation=2, rules=tuple(RULES[1:]))
    driver.carry_out(plan, steps=[Step(verb="lift", measure="M-000000", rule=None)], at=NOON)


def test_a_listing_is_taken_where_it_is_whole_alone(balancer: Balancer) -> None:
    whole = "".join(map(balancer._answer, (f"show map {balancer.map_file}", "show map"))).encode()
    ends = [n for n in range(len(whole)) if n % 97 == 0 or whole[n - 1 : n] == b"\n"]
    for end in ends:
        balancer.cut = lambda said, end=end: said[:end]  # type: ignore[misc]  # a lambda with a default has no type
        balancer.driver._held = None
        seen = balancer.driver.observe(at=NOON)
        assert (seen.complete, seen.rules) == (False, ()), whole[:end]
        with pytest.raises(DeviceUnreachable):
            lift_one(balancer.driver)
        assert balancer.map_file.read_text() == "as it was"
    balancer.cut = bytes
    assert (seen := balancer.driver.observe(at=NOON)).complete
    assert seen.rules == ALL
    # A commit in between ends a listing early, and properly.
    row = f"0x4 {balancer.rows[4][0]} {balancer.rows[4][1]}\n".encode()
    balancer.cut = lambda said: said.replace(row, b"")
    assert "lists 8 rows of" in balancer.driver.observe(at=NOON).detail


def test_rows_of_a_version_that_was_never_put_in_force_are_no_loss(balancer: Balancer) -> None:
    balancer.prepared = balancer.rows[:3]
    assert balancer.driver.observe(at=NOON).rules == ALL


def test_an_empty_map_is_an_empty_map(balancer: Balancer) -> None:
    balancer.rows = []
    seen = balancer.driver.observe(at=NOON)
    assert (seen.complete, seen.rules) == (True, ())


def test_each_measure_that_is_looked_at_has_an_answer_of_its_own(balancer: Balancer) -> None:
    driver, asked = balancer.driver, ["M-000000", "M-000001"]
    driver.observe(at=NOON)
    assert (seen := driver.look_at(asked, at=NOON)) is not None
    assert seen.rules == ALL[:2]
    # The answers that are left are right ones.
    balancer.cut = lambda said: said if said.startswith(b"#") else said[: said.index(b"\n\n") + 2]
    assert driver.look_at(asked, at=NOON) is None
    balancer.cut = lambda said: said if said.startswith(b"#") else said[:-1]
    assert driver.look_at(asked, at=NOON) is None


def test_a_full_disk_leaves_the_file_and_the_map_as_they_were(
    balancer: Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, write = balancer.driver, os.pwrite
    monkeypatch.setattr(haproxy, "_MANY_ROWS", 3)
    driver.observe(at=NOON)
    driver._file = haproxy._File.written(balancer.map_file, rows())
    before = balancer.map_file.read_bytes()
    monkeypatch.setattr(
        haproxy.os, "pwrite", lambda wire, what, at: write(wire, what[:9] if len(what) > 1 else what, at)
    )
    told: list[str] = []
    monkeypatch.setattr(driver, "_tell", lambda command, lines=(): told.append(command))
    with pytest.raises(DeviceUnreachable, match="No space left"):
        lift_one(driver)
    assert (balancer.map_file.read_bytes(), told) == (before, [])
    # With room again the file is written as a whole, whatever was left of the first try.
    monkeypatch.setattr(haproxy.os, "pwrite", write)
    lift_one(driver)
    kept = balancer.map_file.read_text()
    assert ("generation 2\n" in kept, "M-000000" in kept, kept.count("measure:")) == (True, False, 3)
    assert len(told) == 3
