"""The same denials in five languages, as golden files; and the contract, for a router that is only handed its text."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import pytest

from tipstaff.enforcement.drivers.prefix_filter import make, routers
from tipstaff.enforcement.drivers.prefix_filter.text import DIALECTS, in_order
from tipstaff.enforcement.planner import Footprint, weigh
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, Driver
from tipstaff.testing.drivers import DriverContract, carry_out
from tipstaff.words import Degree, Proof, Rule, Rung, Scope, Seen, Selector

GOLDEN = Path(__file__).parent / "golden"
NETWORKS = in_order(["2001:db8:2::/48", "203.0.113.0/24", "198.51.100.0/25", "203.0.113.0/24"])


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_denials_are_written_as_each_router_takes_them(dialect: str) -> None:
    name = "tipstaff_denied_edge1" if dialect == "bird" else "tipstaff-edge1"
    texts = [
        "".join(f"{line}\n" for line in DIALECTS[dialect](name, networks, "192.0.2.9")) for networks in (NETWORKS, [])
    ]
    text = "\n".join(texts)
    golden = GOLDEN / f"{dialect}.txt"
    if os.environ.get("TIPSTAFF_UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def denial(network: str, key: str = "M-000001", until: datetime | None = None) -> Rule:
    selector = Selector(network=ip_network(network), announced_on="AS64501")
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK, until=until)


class TestHandedOver(DriverContract):
    """The router's end is a file that the command writes."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.file, self.router = tmp_path / "edge.book", tmp_path / "router"

    def make(self) -> Driver:
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return make(
            "edge1",
            {
                "dialect": "junos",
                "session": "AS64501",
                "file": str(self.file),
                "check": ["grep", "-q", "prefix-list"],
                "hand_over": ["tee", str(self.router)],
            },
        )

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        return denial(f"2001:db8:{n:x}::/48", f"M-{(n if key is None else key) + 1:06d}", until)

    @contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        text = self.file.read_text()
        self.file.write_text("nothing that can be read")
        yield
        self.file.write_text(text)

    def tamper(self, driver: Driver, rule: Rule) -> None:
        line = f"set policy-options prefix-list tipstaff-edge1 {rule.selector.network}\n"
        self.file.write_text(self.file.read_text().replace(line, ""))

    def forget(self, driver: Driver) -> None:
        self.file.unlink()

    def test_the_router_is_given_the_whole_list(self) -> None:
        carry_out(self.make(), 1, [denial("203.0.113.0/24")])
        assert "set policy-options prefix-list tipstaff-edge1 203.0.113.0/24\n" in self.router.read_text()
        assert self.make().max_proof is Proof.ACK

    def test_a_command_that_refuses_leaves_everything_as_it_was(self) -> None:
        driver = self.make()
        carry_out(driver, 1, [denial("203.0.113.0/24")])
        options = {"dialect": "junos", "session": "AS64501", "file": str(self.file), "hand_over": ["false"]}
        with pytest.raises(DeviceRefused):
            carry_out(make("edge1", options), 2, [])
        assert driver.observe(at=datetime.fromisoformat("2026-05-04T12:00:00+00:00")).generation == 1

    def test_only_its_own_session_is_touched(self) -> None:
        other = Selector(network=ip_network("203.0.113.0/24"), announced_on="AS64502")
        whole = Selector(network=ip_network("203.0.113.0/24"))
        for selector in (other, whole):
            rule = Rule(measure="M-000001", case="C-000001", selector=selector, degree=Degree.BLOCK)
            assert not self.make().supports(rule)
        assert not self.make().supports(denial("0.0.0.0/0"))


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ((8001, ["Network not found"]), Seen.IN_FORCE),
        ((0, [""]), Seen.IN_FORCE),  # Another session has it.
        ((1007, ["203.0.113.0/24 unicast [AS64501 10:00:00.000] * (100)"]), Seen.DRIFT),
        ((9001, ["No valid tables"]), Seen.DRIFT),
    ],
)
def test_only_what_bird_says_it_does_not_have_is_denied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, list[str]], seen: Seen
) -> None:
    class Answering:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> "Answering":
            return self

        def __exit__(self, *_: object) -> None: ...
        def rows(self, _: str) -> list[str]:
            return []

        def ask(self, command: str) -> tuple[int, list[str]]:
            return answer if command.startswith("show route") else (0, [""])

    monkeypatch.setattr(routers, "Control", Answering)
    options = {"dialect": "bird", "session": "AS64501", "file": str(tmp_path / "edge.conf")}
    driver = make("edge1", options)
    driver._settle_seconds = 0  # Nothing changes while it waits.
    observation = carry_out(driver, 1, [denial("203.0.113.0/24")])
    assert (observation.complete, observation.of("M-000001")) == (True, seen)
    assert ("No valid tables" in observation.detail) == (answer[0] == 9001)
    assert carry_out(driver, 2, []).rules == (), "it can be lifted whatever BIRD says"


@pytest.mark.parametrize("before", ["function  tipstaff_denied_edge1()\n{ return false; }\n", None])
def test_a_refused_first_plan_leaves_the_file_that_bird_starts_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    """Somebody left a half-done line in BIRD's own settings: it goes on, and must come up again once that is mended."""

    class Refusing:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> "Refusing":
            return self

        def __exit__(self, *_: object) -> None: ...
        def rows(self, _: str) -> list[str]:
            return []

        def ask(self, command: str) -> tuple[int, list[str]]:
            return (8002, ["syntax error"]) if command.startswith("configure") else (8001, ["Network not found"])

    monkeypatch.setattr(routers, "Control", Refusing)
    file = tmp_path / "edge.conf"
    if before is not None:
        file.write_text(before)
    driver = make("edge1", {"dialect": "bird", "session": "AS64501", "file": str(file)})
    with pytest.raises(DeviceRefused, match="syntax error"):
        carry_out(driver, 1, [denial("203.0.113.0/24")])
    assert (file.read_text() if file.exists() else None) == before


def test_an_announced_prefix_is_denied_on_its_session_before_anything_wider() -> None:
    options = {"dialect": "bird", "session": "AS64501", "file": "/nowhere"}
    device = make("edge1", options).ability
    candidates = weigh(
        devices=[device],
        ladder=(
            Rung(scope=Scope.ROUTE, degree=Degree.BLOCK),
            Rung(scope=Scope.PREFIX, degree=Degree.BLOCK),
            Rung(scope=Scope.SERVICE, degree=Degree.SUSPEND),
        ),
        measure_ports=[], resource=IPv4Address("203.0.113.9"), url=None, source_port=None, service="S-1",
        account="acct-1", footprint=Footprint(), announced=ip_network("203.0.113.0/24"), announced_on=("AS64501",),
    )  # fmt: skip
    assert [str(c.selector) for c in candidates if c.chosen] == ["203.0.113.0/24 as announced on AS64501"]
    elsewhere = weigh(
        devices=[device], ladder=(Rung(scope=Scope.ROUTE, degree=Degree.BLOCK),), measure_ports=[], resource=None,
        url=None, source_port=None, service=None, account="acct-1", footprint=Footprint(),
        announced=ip_network("203.0.113.0/24"), announced_on=("AS64502",),
    )  # fmt: skip
    assert [c.why for c in elsewhere] == ["No device can block one announced prefix."]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "dialect is missing"),
        ({"dialect": "latin", "session": "x", "file": "/x"}, 'takes "bird", "frr"'),
        ({"dialect": "frr", "session": "x", "file": "/x"}, "takes neighbor"),
        ({"dialect": "iosxr", "session": "x", "file": "/x"}, "takes hand_over"),
        ({"dialect": "bird", "session": "a b", "file": "/x"}, "takes letters, digits and underscores"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_a_sentence(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadOption, match=sentence):
        make("edge1", options)
