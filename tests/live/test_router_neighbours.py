"""A real router's neighbour table over SNMP, from a real agent: who answered for an address is named, and no other."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.live.needs import SBIN, need_lab, tool
from tests.live.running import until
from tests.live.test_real_sources import customers, running
from tipstaff import wiring
from tipstaff.attribution.neighbour_tables import heard, unstated
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.cli.main import app
from tipstaff.procedures.lookup import who_held
from tipstaff.testing.lab import Lab
from tipstaff.wiring import sources
from tipstaff.words import AttributionReason, Grade, Moment, SubjectKind

pytestmark = [pytest.mark.live, pytest.mark.django_db]

MOVES, STAYS = "192.0.2.7", "192.0.2.8"
ROUTER = {"inside": "192.0.2.1", "outside": "198.51.100.1"}
APART = timedelta(seconds=2)
SNMPD = """
rocommunity public 127.0.0.1
agentAddress udp:127.0.0.1:1161
"""


class Router:
    """The lab's edge, looked at by `tipstaff neighbours`."""

    def __init__(self, lab: Lab, *, table: str, into: Path) -> None:
        self.lab, self.into = lab, into
        walk = [tool("snmpbulkwalk", "snmp"), "-v2c", "-cpublic", "-Onx", "127.0.0.1:1161", f".1.3.6.1.2.1.4.{table}"]
        self._command = ["neighbours", "--into", str(into), "--", *lab.prefix("edge"), *walk]
        self.mac = {side: self._mac(side) for side in ROUTER}

    def _mac(self, side: str) -> str:
        return str(json.loads(self.ip(side, "-j", "link", "show", "eth0"))[0]["address"])

    def ip(self, where: str, *words: str) -> str:
        return self.lab.run(where, tool("ip", "iproute2"), *words)

    def look(self, there: Mapping[str, str]) -> datetime:
        """The instant of a look that shows each address behind its side; all of them send something before it."""

        def shows() -> datetime | None:
            for address, side in there.items():
                self.lab.knock(side, ROUTER[side], 4000, source=address)
            done = CliRunner().invoke(app, self._command)
            assert done.exit_code == 0, done.output
            line = json.loads(self.into.read_text().splitlines()[-1])
            shown = {(n["dst"], n.get("lladdr")) for n in line["neighbours"] if heard(n) or unstated(n)}
            wanted = {(address, self.mac[side]) for address, side in there.items()}
            return datetime.fromisoformat(line["at"]) if wanted <= shown else None

        return until(shows, what=f"the router's entries for {there}")


def passed(at: datetime) -> bool:
    return wiring.now() > at


@pytest.mark.parametrize("table", ["35", "22"], ids=["ipNetToPhysicalTable", "ipNetToMediaTable"])
def test_everybody_is_named_by_a_routers_neighbours(table, tmp_path):
    snmpd = tool("snmpd", "snmpd")
    need_lab()
    into, config = tmp_path / "looks.jsonl", tmp_path / "snmpd.conf"
    config.write_text(SNMPD)
    phases: list[tuple[list[datetime], dict[str, str]]] = []
    with Lab(customers=(MOVES, STAYS), outside=("198.51.100.10",)) as lab:
        router = Router(lab, table=table, into=into)
        router.ip("outside", "addr", "add", f"{MOVES}/32", "dev", "eth0")
        environment = {"SNMP_PERSISTENT_DIR": str(tmp_path), "PATH": SBIN}
        agent = [*lab.prefix("edge"), snmpd, "-f", "-Lo", "-C", "-c", str(config)]
        with running(agent, until="NET-SNMP version", env=environment):
            for side in ("inside", "outside"):
                router.ip("edge", "route", "replace", MOVES, "dev", side)
                router.ip("edge", "neigh", "flush", "dev", "inside")
                there = {MOVES: side, STAYS: "inside"}
                if phases:
                    until(lambda: passed(phases[0][0][-1] + 2 * APART), what="time between the moves")
                first = router.look(there)
                begun, ended = spans(into.read_text().splitlines()[-1])
                # A look that takes long is as uncertain as it is long: the next one is not within that.
                apart = max(APART, 8 * (ended - begun))
                until(lambda: passed(first + apart), what="time between the looks")  # noqa: B023 - it is asked at once
                phases.append(([first, router.look(there)], there))

    at = wiring.now() + timedelta(minutes=1)
    sides = list(ROUTER)
    customers(2, kind=SubjectKind.MAC, names=[router.mac[side] for side in sides], at=at)
    slowest = max((b - a).total_seconds() for a, b in map(spans, into.read_text().splitlines()))
    every = max((b - a).total_seconds() for looks, _ in phases for a, b in pairwise(looks))
    options = Options(source="router", interim_seconds=every, clock_error_seconds=slowest)
    (load,) = take_in(into, sources()["neighbours"], options, at=at, actor="engineer")
    assert load.refused_total == 0
    for looks, there in phases:
        for address, side in there.items():
            when = looks[0] + (looks[-1] - looks[0]) / 2
            answer = who_held(ip_address(address), port=None, moment=Moment(when, 0.0), received_at=at)
            assert (answer.grade, answer.customer) == (Grade.PROBABLE, f"acct-{sides.index(side)}"), (there, address)
            # With states it is sure what the router saw, by one source that proves nobody alone; without, it is not.
            surely = answer.reason is AttributionReason.ONE_SOURCE
            assert surely is (table == "35")
    between = phases[0][0][-1] + (phases[1][0][0] - phases[0][0][-1]) / 2
    answer = who_held(ip_address(MOVES), port=None, moment=Moment(between, every), received_at=at)
    assert answer.customer is None, "who had it while it moved is not known"


def spans(line: str) -> tuple[datetime, datetime]:
    look = json.loads(line)
    return datetime.fromisoformat(look["began"]), datetime.fromisoformat(look["at"])
