"""Measures by Ansible itself: the playbooks that come with the driver, in a packet filter, shown by packets."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from tipstaff.enforcement.drivers import ansible
from tipstaff.enforcement.drivers.ansible import AnsibleDriver, make
from tipstaff.enforcement.planner import steps
from tipstaff.enforcement.protocol import Driver
from tipstaff.testing.drivers import NOON, DriverContract
from tipstaff.testing.lab import OUTSIDE, Lab
from tipstaff.words import Degree, Direction, Plan, Rule, Seen, Selector, Step

pytestmark = pytest.mark.live

EXAMPLE = Path(ansible.__file__).parent / "example"
FAR = OUTSIDE[0]
HANGS = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: "touch {folder}/begun; exec tail -f {folder}/begun"
"""


@dataclass(frozen=True)
class Edge:
    """The edge of the example network as Ansible's only host."""

    lab: Lab

    def options(self, folder: Path) -> dict[str, object]:
        """What a `[[devices]]` table with `driver = "ansible"` takes for it; nothing is in force there yet."""
        with contextlib.suppress(Exception):
            self.lab.run("edge", "nft", "delete", "table", "inet", "tipstaff_by_ansible")
        host = {
            "ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3",
            "tipstaff_nft": [*self.lab.prefix("edge"), "nft"], "tipstaff_books": str(folder / "books.json"),
        }  # fmt: skip
        (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": {"edge1": host}}}))
        return {
            "inventory": str(folder / "hosts.json"), "host": "edge1", "folder": str(folder / "runs"),
            "playbook": str(EXAMPLE / "apply.yml"), "read_playbook": str(EXAMPLE / "read.yml"),
            "can": ["flow:block"], "proof": "state",
        }  # fmt: skip


@contextlib.contextmanager
def on_the_edge() -> Iterator[Edge]:
    """Such a network; skipped where there can be none."""
    if shutil.which("ansible-playbook") is None:
        pytest.skip("there is no ansible-playbook; `apt-get install ansible-core` brings it")
    if why := Lab.unavailable():
        pytest.skip(why)
    with Lab() as lab:
        yield Edge(lab)


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    with on_the_edge() as built:
        yield built


@pytest.fixture
def lab(edge: Edge) -> Lab:
    return edge.lab


@pytest.fixture
def options(edge: Edge, tmp_path: Path) -> dict[str, object]:
    return edge.options(tmp_path)


@pytest.mark.thorough
class TestAnsible(DriverContract):
    many = 50

    @pytest.fixture(autouse=True)
    def _host(self, lab: Lab, options: dict[str, object], tmp_path: Path) -> Iterator[None]:
        self.lab, self.options, self.books = lab, options, tmp_path / "books.json"
        yield
        (tmp_path / "runs" / "keeper").unlink(missing_ok=True)

    def make(self) -> Driver:
        self.forget(None)
        return self.again(None)

    def again(self, driver: Driver | None) -> Driver:
        return make("edge1", self.options)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        self.books.rename(self.books.with_suffix(".away"))
        self.books.mkdir()
        yield
        self.books.rmdir()
        self.books.with_suffix(".away").rename(self.books)

    def put_foreign(self, driver: Driver) -> str:
        self.lab.run("edge", "nft", "add element inet tipstaff_by_ansible blocked_out { 192.0.2.77 . tcp . 7 }")
        return "192.0.2.77,tcp,7"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        element = f"{rule.selector.network.network_address} . tcp . {rule.selector.port}"
        self.lab.run("edge", "nft", f"delete element inet tipstaff_by_ansible blocked_out {{ {element} }}")

    def forget(self, driver: Driver | None) -> None:
        self.lab.run("edge", "nft", "flush ruleset")
        self.books.unlink(missing_ok=True)


def smtp_of(customer: str, *, key: str = "M-000001") -> Rule:
    selector = Selector(network=ip_network(customer), protocol="tcp", port=25, direction=Direction.OUT)
    return Rule(measure=key, case="C-000001", selector=selector, degree=Degree.BLOCK)


def test_one_port_of_one_customer_stops_is_read_back_and_goes_on_again(lab: Lab, options: dict[str, object]) -> None:
    driver: AnsibleDriver = make("edge1", options)
    rules = (smtp_of("192.0.2.7"), smtp_of("192.0.2.9", key="M-000002"))
    plan = Plan(device="edge1", generation=1, rules=rules)

    def reached(customer: str, port: int) -> str:
        return lab.knock("inside", FAR, port, source=customer)

    with lab.listening("outside", FAR, 25), lab.listening("outside", FAR, 443):
        assert reached("192.0.2.7", 25) == "connected"
        driver.carry_out(plan, steps=[Step(verb="apply", measure=r.measure, rule=r) for r in rules], at=NOON)
        assert reached("192.0.2.7", 25) == "silent"
        assert (reached("192.0.2.7", 443), reached("192.0.2.8", 25)) == ("connected", "connected")
        # What the books say is one thing, what the kernel has is another.
        lab.run("edge", "nft", "delete element inet tipstaff_by_ansible blocked_out { 192.0.2.9 . tcp . 25 }")
        seen = driver.observe(at=NOON)
        assert seen.rules == (("M-000001", Seen.IN_FORCE), ("M-000002", Seen.DRIFT))
        nothing = replace(plan, generation=2, rules=())
        driver.carry_out(nothing, steps=steps(nothing, seen), at=NOON)
        assert reached("192.0.2.7", 25) == "connected"


def test_only_what_both_sets_and_the_chain_hold_is_in_force_and_only_single_ipv4_addresses_are_put_in(
    lab: Lab, options: dict[str, object]
) -> None:
    driver: AnsibleDriver = make("edge1", options)
    other = {"M-000002": "2001:db8::7/128", "M-000003": "192.0.2.0/24"}
    both = replace(smtp_of("192.0.2.7").selector, direction=Direction.BOTH)
    rules = (
        replace(smtp_of("192.0.2.7"), selector=both),
        *(smtp_of(network, key=key) for key, network in other.items()),
        smtp_of("192.0.2.9", key="M-000004"),
        replace(smtp_of("192.0.2.10", key="M-000005"), selector=replace(both, network=ip_network("192.0.2.10"))),
    )
    plan = Plan(device="edge1", generation=1, rules=rules)
    driver.carry_out(plan, steps=[Step(verb="apply", measure=r.measure, rule=r) for r in rules], at=NOON)

    def in_force() -> list[str]:
        seen = driver.observe(at=NOON)
        assert (seen.complete, seen.foreign, len(seen.rules)) == (True, (), 5)
        return [key for key, how in seen.rules if how is Seen.IN_FORCE]

    lab.run("edge", "nft", "delete element inet tipstaff_by_ansible blocked_out { 192.0.2.7 . tcp . 25 }")
    assert in_force() == ["M-000004", "M-000005"], "of the first one of its two ways is gone"
    lab.run("edge", "nft", "flush chain inet tipstaff_by_ansible forward")
    assert in_force() == [], "no rule looks into the sets"


def test_words_of_a_complaint_or_of_a_host_are_never_run_as_a_template(
    options: dict[str, object], tmp_path: Path
) -> None:
    evil = "http://www.example.net/{{lookup('pipe','touch$IFS" + str(tmp_path / "run") + "')}}/%7B\u00e4\U0001f600{#"
    told = "[{{ tipstaff.apply | to_json }}, {{ tipstaff.believed | to_json }}]"
    (tmp_path / "say.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.copy:\n"
        f"        content: {json.dumps(told)}\n        dest: {tmp_path / 'said'}\n"
    )
    (tmp_path / "held.yml").write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.copy:\n"
        f'        src: {tmp_path / "held"}\n        dest: "{{{{ tipstaff.answer }}}}"\n'
    )
    held = {"generation": 0, "rules": [], "foreign": [evil]}
    (tmp_path / "held").write_text(json.dumps(held))
    playbooks = {"playbook": str(tmp_path / "say.yml"), "read_playbook": str(tmp_path / "held.yml")}
    driver = make("edge1", {**options, **playbooks, "can": ["item:block"]})
    assert driver.observe(at=NOON).foreign == (evil,)
    rule = replace(smtp_of("192.0.2.7"), selector=Selector(url=evil))
    plan = Plan(device="edge1", generation=1, rules=(rule,), whole=False)
    driver.carry_out(plan, steps=[Step(verb="apply", measure=rule.measure, rule=rule)], at=NOON)
    apply, believed = json.loads((tmp_path / "said").read_text())
    assert (apply[0]["url"], believed) == (evil, held)
    assert not (tmp_path / "run").exists(), "it was run"


def test_a_name_that_is_a_group_of_hosts_runs_nothing(options: dict[str, object], tmp_path: Path) -> None:
    inventory = json.loads((tmp_path / "hosts.json").read_text())
    host = inventory["all"]["hosts"]["edge1"]
    (tmp_path / "hosts.json").write_text(json.dumps({"edges": {"hosts": {"edge1": host, "edge2": host}}}))
    assert not make("edge1", {**options, "host": "edges"}).observe(at=NOON).complete
    assert "See that it is one host" in (tmp_path / "runs" / "read.failed").read_text()


@pytest.mark.thorough
def test_a_run_of_ansible_that_hangs_is_ended_with_all_that_it_started(
    options: dict[str, object], tmp_path: Path
) -> None:
    (tmp_path / "hangs.yml").write_text(HANGS.format(folder=tmp_path))
    driver = make("edge1", {**options, "read_playbook": str(tmp_path / "hangs.yml"), "timeout_seconds": 8})
    seen = driver.observe(at=NOON)
    assert not seen.complete
    assert "hangs.yml took too long and was" in seen.detail
    assert (tmp_path / "begun").exists(), "it was stopped before it hung"
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True).stdout
    assert left == ""
