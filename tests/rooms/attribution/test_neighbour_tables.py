"""Looks at neighbour tables: what each tool prints, when a look counts, and what a table without states may say."""

import json
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from typer.testing import CliRunner

from tipstaff.attribution.neighbour_tables import UNSTATED, NoTable, look, neighbours_in
from tipstaff.attribution.operations import add_identities, take_in
from tipstaff.attribution.protocol import Options
from tipstaff.attribution.queries import bindings_covering
from tipstaff.cli.main import app
from tipstaff.procedures.lookup import who_held
from tipstaff.registry import operations as registry
from tipstaff.wiring import sources
from tipstaff.words import Customer, Grade, HoldingKind, Identity, Moment, SubjectKind, Tier

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALICE, BOB = "02:00:5e:10:00:07", "02:00:5e:10:00:08"

PHYSICAL = """\
.1.3.6.1.2.1.4.35.1.4.2.1.4.198.51.100.7 = Hex-STRING: 02 00 5E 10 00 07
.1.3.6.1.2.1.4.35.1.4.2.1.4.198.51.100.8 = STRING: 2:0:5e:10:0:8
.1.3.6.1.2.1.4.35.1.4.2.1.4.198.51.100.9 = Hex-STRING: 02 00 5E 10 00 09
.1.3.6.1.2.1.4.35.1.4.2.1.4.198.51.100.10 = STRING: "abcdef"
.1.3.6.1.2.1.4.35.1.4.2.2.16.32.1.13.184.0.1.0.0.0.0.0.0.0.0.0.7 = Hex-STRING: 02 00 5E 10 00 07
.1.3.6.1.2.1.4.35.1.4.2.4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.7.0.0.0.2 = Hex-STRING: 02 00 5E 10 00 07
.1.3.6.1.2.1.4.35.1.6.2.1.4.198.51.100.7 = INTEGER: 3
.1.3.6.1.2.1.4.35.1.6.2.1.4.198.51.100.8 = INTEGER: dynamic(3)
.1.3.6.1.2.1.4.35.1.6.2.1.4.198.51.100.9 = INTEGER: 4
.1.3.6.1.2.1.4.35.1.6.2.1.4.198.51.100.10 = INTEGER: 3
.1.3.6.1.2.1.4.35.1.6.2.2.16.32.1.13.184.0.1.0.0.0.0.0.0.0.0.0.7 = INTEGER: 3
.1.3.6.1.2.1.4.35.1.6.2.4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.7.0.0.0.2 = INTEGER: 3
.1.3.6.1.2.1.4.35.1.7.2.1.4.198.51.100.7 = INTEGER: 1
.1.3.6.1.2.1.4.35.1.7.2.1.4.198.51.100.8 = INTEGER: stale(2)
.1.3.6.1.2.1.4.35.1.7.2.1.4.198.51.100.9 = INTEGER: 1
.1.3.6.1.2.1.4.35.1.7.2.1.4.198.51.100.10 = INTEGER: 1
.1.3.6.1.2.1.4.35.1.7.2.2.16.32.1.13.184.0.1.0.0.0.0.0.0.0.0.0.7 = INTEGER: 6
"""
MEDIA = """\
.1.3.6.1.2.1.4.22.1.1.2.198.51.100.7 = INTEGER: 2
.1.3.6.1.2.1.4.22.1.2.2.198.51.100.7 = Hex-STRING: 02 00 5E 10 00 07
.1.3.6.1.2.1.4.22.1.2.2.198.51.100.8 = Hex-STRING: 02 00 5E 10 00 08
.1.3.6.1.2.1.4.22.1.4.2.198.51.100.7 = INTEGER: 3
.1.3.6.1.2.1.4.22.1.4.2.198.51.100.8 = INTEGER: 2
"""
GNMI = [{
    "source": "192.0.2.1:57400", "timestamp": 1773144000000000000, "time": "2026-03-10T12:00:00Z",
    "updates": [{"Path": "interfaces", "values": {"interfaces": {"openconfig-interfaces:interface": [{"subinterfaces": {
        "subinterface": [{
            "openconfig-if-ip:ipv4": {"neighbors": {"neighbor": [
                {"ip": "198.51.100.7", "state": {
                    "ip": "198.51.100.7", "link-layer-address": ALICE.upper(), "origin": "DYNAMIC"}},
                {"ip": "198.51.100.8", "state": {
                    "ip": "198.51.100.8", "link-layer-address": BOB, "origin": "STATIC"}}]}},
            "openconfig-if-ip:ipv6": {"neighbors": {"neighbor": [{"state": {
                "openconfig-if-ip:ip": "2001:db8:1::8", "openconfig-if-ip:link-layer-address": BOB,
                "openconfig-if-ip:origin": "DYNAMIC", "openconfig-if-ip:neighbor-state": "REACHABLE"}}]}},
        }]}}]}}}],
}]  # fmt: skip


def test_ipnettophysicaltable_is_read_with_its_states_and_without_what_was_not_learnt():
    assert neighbours_in(PHYSICAL) == [
        {"dst": "198.51.100.7", "lladdr": ALICE, "state": ["REACHABLE"]},
        {"dst": "198.51.100.8", "lladdr": BOB, "state": ["STALE"]},
        {"dst": "198.51.100.10", "state": ["REACHABLE"]},
        {"dst": "2001:db8:1::7", "lladdr": ALICE, "state": [UNSTATED]},
    ]


def test_ipnettomediatable_states_nothing():
    assert neighbours_in(MEDIA) == [{"dst": "198.51.100.7", "lladdr": ALICE, "state": [UNSTATED]}]


def test_a_router_that_has_no_such_table_has_no_neighbours():
    assert neighbours_in(".1.3.6.1.2.1.4.35 = No Such Object available on this agent at this OID\n") == []


def test_openconfigs_neighbours_are_found_wherever_the_tree_begins():
    expected = [
        {"dst": "198.51.100.7", "state": [UNSTATED], "lladdr": ALICE},
        {"dst": "2001:db8:1::8", "state": ["REACHABLE"], "lladdr": BOB},
    ]
    assert neighbours_in(json.dumps(GNMI, indent=2)) == expected
    assert neighbours_in(json.dumps([])) == []


@pytest.mark.parametrize("printed", ["", "Timeout: No Response from 192.0.2.1", "{}", '[{"a": 1}]', "[1]"])
def test_what_is_no_table_is_refused(printed):
    with pytest.raises(NoTable):
        neighbours_in(printed)


def prints(text: str, *, code: int = 0) -> list[str]:
    return [sys.executable, "-c", "import sys; print(sys.argv[1]); sys.exit(int(sys.argv[2]))", text, str(code)]


def test_a_look_is_a_line_and_a_tool_that_fails_adds_none(tmp_path):
    into = tmp_path / "looks.jsonl"
    into.write_bytes(b'{"at": "torn')
    times = iter([NOON, NOON + MINUTE])
    assert look(prints(PHYSICAL), into, now=lambda: next(times)) == (4, 1)
    before = into.read_bytes()
    assert oct(into.stat().st_mode & 0o777) == "0o644", "it was there before"
    with pytest.raises(NoTable, match="ended with 3"):
        look(prints(PHYSICAL, code=3), into, now=lambda: NOON)
    with pytest.raises(NoTable, match="did not end"):
        look(["cat", "/dev/zero"], into, now=lambda: NOON, timeout_seconds=0.01)
    assert into.read_bytes() == before
    torn, line = before.splitlines()
    assert torn == b'{"at": "torn'
    told = json.loads(line)
    assert (told["began"], told["at"]) == (NOON.isoformat(), (NOON + MINUTE).isoformat())


def test_the_command_says_what_it_saw_and_what_went_wrong(tmp_path):
    into = tmp_path / "looks.jsonl"
    done = CliRunner().invoke(app, ["neighbours", "--into", str(into), "--", *prints(PHYSICAL)])
    assert (done.exit_code, "4 neighbours, 1 of them not heard lately" in done.output) == (0, True)
    assert oct(into.stat().st_mode & 0o777) == "0o600"
    done = CliRunner().invoke(app, ["neighbours", "--into", str(into), "--", "/nowhere/tool"])
    assert done.exit_code == 1
    done = CliRunner().invoke(app, ["neighbours", "--into", str(into), "--", *prints("nonsense")])
    assert (done.exit_code, len(into.read_text().splitlines())) == (1, 1)


def a_look(minutes: float, mac: str, state: str, *, took: timedelta = timedelta()) -> str:
    at = NOON + minutes * MINUTE
    neighbours = [{"dst": "198.51.100.7", "lladdr": mac, "state": [state]}]
    return json.dumps({"at": at.isoformat(), "began": (at - took).isoformat(), "neighbours": neighbours}) + "\n"


def taken(path, *lines: str, at_once: bool) -> None:
    """One import of all lines, or one after each."""
    for number in range(len(lines)) if not at_once else [len(lines) - 1]:
        path.write_text("".join(lines[: number + 1]))
        options = Options(source="arp", interim_seconds=300.0)
        list(take_in(path, sources()["neighbours"], options, at=NOON + timedelta(days=1), actor="engineer"))


def sure_minutes(minutes: range) -> set[int]:
    """In which of the minutes somebody is sure, whoever."""
    found = set()
    for minute in minutes:
        at = NOON + minute * MINUTE
        for b in bindings_covering(ip_address("198.51.100.7"), earliest=at, latest=at):
            if b.sure_from <= at < b.sure_until:
                found.add(minute)
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("at_once", [True, False])
def test_an_entry_without_a_state_never_makes_anybody_sure(tmp_path, at_once):
    lines = [a_look(0, ALICE, "REACHABLE"), a_look(4, ALICE, "REACHABLE")]
    lines += [a_look(n, ALICE, UNSTATED) for n in (8, 12, 16)]
    taken(tmp_path / "looks.jsonl", *lines, at_once=at_once)
    assert sure_minutes(range(-10, 30)) == {1, 2, 3}
    at = NOON + 14 * MINUTE
    assert bindings_covering(ip_address("198.51.100.7"), earliest=at, latest=at), "but she is possible"


@pytest.mark.django_db
@pytest.mark.parametrize("at_once", [True, False])
def test_whoever_is_named_by_entries_without_states_is_the_only_one_possible(tmp_path, at_once):
    by = {"at": NOON + timedelta(days=1), "actor": "engineer"}
    registry.hold(
        tier=Tier.OPERATOR, kind=HoldingKind.POOL, prefix=ip_network("198.51.100.0/24"), source="plan",
        held_from=NOON - timedelta(days=30), **by,
    )  # fmt: skip
    for name in ("alice", "bob"):
        registry.add_customer(Customer(key=name, name=name, representative=None), **by)
    macs = {"alice": ALICE, "bob": BOB}
    known = [
        Identity(kind=SubjectKind.MAC, value=m, customer=n, since=NOON - timedelta(days=30)) for n, m in macs.items()
    ]
    add_identities(known, source="crm", **by)
    lines = [a_look(n, ALICE, UNSTATED) for n in (0, 4, 8)] + [a_look(n, BOB, UNSTATED) for n in (12, 16)]
    taken(tmp_path / "looks.jsonl", *lines, at_once=at_once)
    told = {}
    for minute in range(17):
        moment = Moment(NOON + minute * MINUTE, 1.0)
        told[minute] = who_held(ip_address("198.51.100.7"), port=None, moment=moment, received_at=by["at"])
    # Before the first look nothing was seen, so at noon itself nobody is named.
    assert {m: a.customer for m, a in told.items() if a.named} == {
        **dict.fromkeys(range(1, 7), "alice"), **dict.fromkeys((14, 15), "bob"),
    }  # fmt: skip
    assert {a.grade for a in told.values() if a.named} == {Grade.PROBABLE}
    assert {told[m].grade for m in range(8, 13)} == {Grade.AMBIGUOUS}
    # Many at once, from arrays, are told the same.
    asked = [f"198.51.100.7,,,{(NOON + m * MINUTE).isoformat()},1" for m in told]
    said = CliRunner().invoke(app, ["attribute", "-"], input="\n".join(asked * 20) + "\n").stdout.splitlines()
    answers = [(json.loads(line)["grade"], json.loads(line).get("customer")) for line in said]
    assert answers == [(a.grade.name, a.customer) for a in told.values()] * 20


@pytest.mark.django_db
def test_a_look_that_took_long_is_as_unsure_as_it_was_slow(tmp_path):
    slow = timedelta(seconds=90)
    taken(tmp_path / "looks.jsonl", *(a_look(n, ALICE, "REACHABLE", took=slow) for n in (0, 4)), at_once=True)
    (binding,) = bindings_covering(ip_address("198.51.100.7"), earliest=NOON, latest=NOON)
    assert (binding.sure_from, binding.sure_until) == (NOON + slow, NOON + 4 * MINUTE - slow)
    assert binding.possible_from == NOON - 5 * MINUTE - slow
