"""Real connections through a real NAT: whoever made one is named by the address and port that the far end saw."""

import json
import select
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest

from tests.live.needs import need_lab, tool
from tipstaff import wiring
from tipstaff.attribution.match import Question
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.procedures.lookup import answer_one
from tipstaff.registry import operations as registry
from tipstaff.testing.lab import Lab
from tipstaff.wiring import sources
from tipstaff.words import Customer, Grade, HoldingKind, Moment, Service, ServiceKind, Tier

pytestmark = [pytest.mark.live, pytest.mark.django_db]

FAR, PUBLIC = "198.51.100.10", "198.51.100.1"
BLOCK = 1000
INSIDE = {"192.0.2.8": "acct-1", "192.0.2.9": "acct-2"}
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
BY = {"at": NOON + timedelta(days=1), "actor": "engineer"}

HEAR = """
import json, socket, sys
with socket.create_server((sys.argv[1], 4000)) as server:
    print("ready", flush=True)
    for _ in range(int(sys.argv[2])):
        one, peer = server.accept()
        who = one.recv(100).decode()
        print(json.dumps([who, *peer[:2]]), flush=True)
        one.close()
"""
CALL = """
import socket, sys
with socket.create_connection((sys.argv[2], 4000), timeout=20, source_address=(sys.argv[1], 0)) as calling:
    calling.sendall(sys.argv[1].encode())
    calling.recv(1)
"""


def heard_outside(lab: Lab, *, each: int) -> list[tuple[str, str, int]]:
    """Every inside address connects `each` times; (who it said it was, address, port) as the far end saw it."""
    hearing = subprocess.Popen(
        [*lab.prefix("outside"), sys.executable, "-c", HEAR, FAR, str(each * len(INSIDE))],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert hearing.stdout is not None
        assert hearing.stdout.readline() == "ready\n"
        for inside in list(INSIDE) * each:
            lab.run("inside", sys.executable, "-c", CALL, inside, FAR)
        return [tuple(json.loads(line)) for line in hearing.stdout]
    finally:
        hearing.kill()
        hearing.communicate()


def plan(tmp_path) -> None:
    """Who is behind each inside address."""
    registry.hold(
        tier=Tier.OPERATOR, kind=HoldingKind.POOL, prefix=ip_network("198.51.100.0/24"), source="plan",
        held_from=NOON - timedelta(days=300), **BY,
    )  # fmt: skip
    lines = "prefix,service,since\n"
    for inside, customer in INSIDE.items():
        registry.add_customer(Customer(key=customer, name=customer, representative=None), **BY)
        registry.add_service(Service(key=f"svc-{customer}", customer=customer, kind=ServiceKind.ACCESS), **BY)
        lines += f"{inside}/32,svc-{customer},2020-01-01T00:00:00Z\n"
    (tmp_path / "plan.csv").write_text(lines)
    list(take_in(tmp_path / "plan.csv", sources()["ipam"], Options(source="plan", realm="cgn"), **BY))


def test_every_connection_through_deterministic_nat_is_its_makers(tmp_path):
    need_lab()
    each = 5
    rules = "".join(
        f"ip saddr {inside} ip protocol tcp snat to {PUBLIC}:{1024 + n * BLOCK}-{1023 + (n + 1) * BLOCK}\n"
        for n, inside in enumerate(INSIDE)
    )
    with Lab() as lab:
        table = f"table ip cgn {{\n chain out {{\n type nat hook postrouting priority 100;\n{rules}}}\n}}\n"
        lab.run("edge", "nft", "-f", "-", given=table)
        heard = heard_outside(lab, each=each)
    assert len(heard) == each * len(INSIDE)
    assert {public for _, public, _ in heard} == {PUBLIC}

    plan(tmp_path)
    (tmp_path / "map.csv").write_text(
        f"inside,outside,ports_per_host,since\n192.0.2.8/31,{PUBLIC}/32,{BLOCK},2026-01-01T00:00:00Z\n"
    )
    list(take_in(tmp_path / "map.csv", sources()["nat-deterministic"], Options(source="nat", inside_realm="cgn"), **BY))
    for inside, public, port in heard:
        question = Question(address=ip_address(public), port=port, protocol=6, moment=Moment(NOON))
        answer = answer_one(question, received_at=BY["at"])
        assert (answer.grade, answer.customer) == (Grade.CONFIRMED, INSIDE[inside])


def until_it_tells(lab: Lab, logging: subprocess.Popen[bytes]) -> list[bytes]:
    """conntrack does not say that it listens: connections to a closed port are made until it tells of one."""
    assert logging.stdout is not None
    for _ in range(60):
        lab.knock("inside", FAR, 5000, source="192.0.2.8")
        if select.select([logging.stdout], [], [], 1)[0]:
            return [logging.stdout.readline()]
    pytest.fail("conntrack tells of no connection")


def test_every_connection_through_a_nat_that_logs_flows_is_its_makers(tmp_path, settings):
    conntrack = tool("conntrack", "conntrack")
    need_lab()
    settings.FLOWS_FOLDER = tmp_path / "flows"
    each, log = 5, tmp_path / "nat.log"
    with Lab() as lab, log.open("wb") as into:
        table = f"table ip cgn {{\n chain out {{\n type nat hook postrouting priority 100;\n" \
                f"ip saddr 192.0.2.8/31 ip protocol tcp snat to {PUBLIC}:1024-65535 random\n}}\n}}\n"  # fmt: skip
        lab.run("edge", "nft", "-f", "-", given=table)
        events = [conntrack, "-E", "-p", "tcp", "-o", "timestamp", "-e", "NEW,DESTROY", "--buffer-size", "1048576"]
        logging = subprocess.Popen([*lab.prefix("edge"), *events], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            assert logging.stdout is not None
            lines = until_it_tells(lab, logging)
            began = wiring.now()
            heard = heard_outside(lab, each=each)
            ended = wiring.now()
            # The kernel forgets them only minutes after; what ends them now is logged as any end is.
            lab.run("edge", conntrack, "-F")
            while sum(b"[DESTROY]" in line and b" dport=4000 " in line for line in lines) < len(heard):
                lines.append(logging.stdout.readline())
            into.write(b"".join(lines))
        finally:
            logging.kill()
            logging.communicate()
    assert len({port for _, _, port in heard}) > len(INSIDE)
    plan(tmp_path)
    by = {"at": ended, "actor": "engineer"}
    # The NAT is as young as its log: no connection was there before.
    options = Options(source="cgn-1", inside_realm="cgn", lasts_seconds=0)
    list(take_in(log, sources()["nat-flows"], options, **by))
    for inside, public, port in heard:
        moment = Moment(began + (ended - began) / 2, error_seconds=(ended - began).total_seconds() / 2)
        question = Question(address=ip_address(public), port=port, protocol=6, moment=moment)
        answer = answer_one(question, received_at=ended + timedelta(minutes=1))
        # It happened while the flow lasted: all of the port's flows lead to one inside address.
        assert (answer.grade, answer.customer) == (Grade.CONFIRMED, INSIDE[inside])
        assert any(b.part for b in answer.bindings)
