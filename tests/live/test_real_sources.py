"""Real FreeRADIUS and real Kea: what their own files and tables say names everybody who really was there, and no other.

Each daemon is started here with files of its own. Where a package is not installed, or this machine gives no network
of its own, the test is skipped and says why (`needs.py`).
"""

import json
import os
import random
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from tests.live.needs import SBIN, lacking, need_lab, tool
from tests.live.running import until
from tipstaff import wiring
from tipstaff.attribution.operations import add_identities, take_in
from tipstaff.attribution.protocol import Options
from tipstaff.cli.main import app
from tipstaff.procedures.lookup import who_held
from tipstaff.registry import operations as registry
from tipstaff.testing.lab import Lab
from tipstaff.wiring import sources
from tipstaff.words import Customer, Grade, HoldingKind, Identity, Moment, SubjectKind, Tier

pytestmark = [pytest.mark.live, pytest.mark.django_db]

SECRET = "not-a-secret"
KEA_SCHEMA = Path("/usr/share/kea/scripts/pgsql/dhcpdb_create.pgsql")


@contextmanager
def running(command: Sequence[str], *, until: str, **more: object) -> Iterator[None]:
    """A daemon that has said `until` on its standard output."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, **more
    )  # type: ignore[call-overload]  # environment and the like
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if until in line:
                break
        else:
            pytest.fail(f"{command[0]} ended at once: {''.join(said)[-3000:]}")
        yield
    finally:
        process.kill()
        process.communicate()


def customers(number: int, *, kind: SubjectKind, names: Sequence[str], at: datetime) -> None:
    by = {"at": at, "actor": "engineer"}
    for prefix in ("192.0.2.0/24", "198.51.100.0/24"):
        registry.hold(
            tier=Tier.OPERATOR, kind=HoldingKind.POOL, prefix=ip_network(prefix), source="plan",
            held_from=at - timedelta(days=300), **by,
        )  # fmt: skip
    for n in range(number):
        registry.add_customer(Customer(key=f"acct-{n}", name=f"Customer {n}", representative=None), **by)
    add_identities(
        (
            Identity(kind=kind, value=name, customer=f"acct-{n}", since=at - timedelta(days=300))
            for n, name in enumerate(names)
        ),
        source="crm",
        **by,
    )


RADIUSD = """
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {folder}
run_dir = {folder}
raddbdir = {folder}
confdir = {folder}
max_requests = 1024
security {{
    allow_core_dumps = no
}}
modules {{
    detail {{
        filename = {folder}/detail
        permissions = 0600
        header = "%t"
    }}
}}
client here {{
    ipaddr = 127.0.0.1
    secret = {secret}
}}
server default {{
    listen {{
        type = acct
        ipaddr = 127.0.0.1
        port = {port}
    }}
    accounting {{
        detail
    }}
}}
"""


def stays(dice: random.Random, *, addresses: int, users: int) -> list[tuple[str, str, int, int]]:
    """(address, user, begin, end): begin and end so many seconds ago, one after the other on each address."""
    found = []
    for host in range(1, addresses + 1):
        ago = 50_000
        while ago > 2000:
            lasts = dice.randrange(400, 9000)
            end = max(ago - lasts, 200)
            found.append((f"198.51.100.{host}", f"user{dice.randrange(users)}", ago, end))
            ago = end - dice.choice((15, 60, 1500))
    return found


def test_everybody_is_named_by_what_freeradius_wrote(tmp_path):
    daemon, client = tool("freeradius", "freeradius"), tool("radclient", "freeradius-utils")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = RADIUSD.format(folder=tmp_path, port=port, secret=SECRET)
    (tmp_path / "radiusd.conf").write_text(config)
    (tmp_path / "dictionary").write_text("")
    history = stays(random.Random(1), addresses=6, users=12)
    packets = []
    for number, (address, user, begin, end) in enumerate(history):
        who = f'User-Name = "{user}", Framed-IP-Address = {address}, NAS-IP-Address = 192.0.2.1, '
        who += f'Acct-Session-Id = "S{number % 7}", '
        packets.append((begin, f"{who}Acct-Status-Type = Start, Acct-Delay-Time = {begin}"))
        middle = (begin + end) // 2
        packets.append((middle, f"{who}Acct-Status-Type = Interim-Update, Acct-Session-Time = {begin - middle}, "
                                f"Acct-Delay-Time = {middle}"))  # fmt: skip
        packets.append(
            (end, f"{who}Acct-Status-Type = Stop, Acct-Session-Time = {begin - end}, Acct-Delay-Time = {end}")
        )
    (tmp_path / "packets").write_text("\n\n".join(text for _, text in sorted(packets, reverse=True)) + "\n")
    with running(
        [daemon, "-f", "-l", "stdout", "-d", str(tmp_path), "-n", "radiusd"], until="Ready to process requests"
    ):
        sent_from = wiring.now()
        subprocess.run(
            [client, "-q", "-f", str(tmp_path / "packets"), f"127.0.0.1:{port}", "acct", SECRET],
            check=True,
            timeout=120,
        )
        sent_until = wiring.now()
    took = (sent_until - sent_from).total_seconds()
    at = sent_until + timedelta(minutes=1)
    names = sorted({user for _, user, _, _ in history})
    customers(len(names), kind=SubjectKind.USERNAME, names=names, at=at)
    # A packet's delay counts from when it was sent, which was anywhere within `took`.
    options = Options(source="radius", clock_error_seconds=took + 2)
    loads = list(take_in(tmp_path / "detail", sources()["radius-detail"], options, at=at, actor="engineer"))
    assert (sum(x.records for x in loads), sum(x.refused_total for x in loads)) == (len(packets), 0)
    slack, confirmed = took * 2 + 8, 0
    dice = random.Random(2)
    for address, user, begin, end in history * 4:
        ago = dice.choice((begin, end, (begin + end) // 2, dice.randrange(end, begin))) + dice.choice((-3, 0, 3))
        when = sent_from - timedelta(seconds=ago)
        answer = who_held(ip_address(address), port=None, moment=Moment(when, 1.0), received_at=at)
        there = {u for a, u, b, e in history if a == address and b + slack >= ago >= e - slack}
        surely = end + slack < ago < begin - slack
        if surely:
            assert (answer.grade, answer.customer) == (Grade.CONFIRMED, f"acct-{names.index(user)}"), (address, ago)
            confirmed += 1
        if answer.named:
            assert answer.customer in {f"acct-{names.index(u)}" for u in there}
    assert confirmed > len(history)


HEAR = """
import json, socket, struct, sys, time
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
    wire.bind(("eth0", 0))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    print("ready", flush=True)
    left = int(sys.argv[1])
    while left:
        frame = wire.recv(2000)
        ip = frame[14:]
        if ip[9] != 17:
            continue
        udp = ip[(ip[0] & 15) * 4 :]
        if struct.unpack_from(">H", udp)[0] != 67:
            continue
        bootp, place, kind = udp[8:], 8 + 240, 0
        while place + 2 < len(udp) and udp[place] != 255:
            if udp[place] == 53:
                kind = udp[place + 2]
            place += 1 if udp[place] == 0 else 2 + udp[place + 1]
        if bootp[0] == 2 and kind == 5:
            print(json.dumps([bootp[28:34].hex(":"), socket.inet_ntoa(bootp[16:20]), time.time()]), flush=True)
            left -= 1
"""


GOES_ON = timedelta(seconds=5)
"""A question about a lease reaches so far beyond its beginning, with the errors of both clocks."""


def kea(folder: Path, lease_database: dict[str, object]) -> Path:
    config = folder / "kea.json"
    config.write_text(json.dumps({"Dhcp4": {
        "interfaces-config": {"interfaces": ["inside"], "dhcp-socket-type": "udp"},
        "lease-database": lease_database, "valid-lifetime": 3600, "renew-timer": 900, "rebind-timer": 1800,
        "subnet4": [{"id": 1, "subnet": "192.0.2.0/24", "pools": [{"pool": "192.0.2.64 - 192.0.2.250"}]}],
        "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
    }}))  # fmt: skip
    return config


def heard_by_the_wire(lab: Lab, config: Path, *, clients: int) -> list[tuple[str, str, float]]:
    """perfdhcp's clients ask Kea, and one more long after; (MAC, address, time) of every acknowledgement that passed on
    the wire. The last one shows that the log goes on after all others."""
    perfdhcp, server = tool("perfdhcp", "kea-admin"), tool("kea-dhcp4", "kea-dhcp4-server")
    environment = {"KEA_PIDFILE_DIR": str(config.parent), "KEA_LOCKFILE_DIR": "none", "PATH": SBIN}
    with running([*lab.prefix("edge"), server, "-c", str(config)], until="DHCP4_STARTED", env=environment):
        hearing = subprocess.Popen(
            [*lab.prefix("inside"), sys.executable, "-c", HEAR, str(clients + 1)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert hearing.stdout is not None
            assert hearing.stdout.readline() == "ready\n"
            for number, machines in ((clients, "10"), (1, "20")):
                asking = [perfdhcp, "-4", "-l", "eth0", "-r", "10", "-n", str(number), "-R", str(number),
                          "-W", "2000000", "-b", f"mac=02:00:00:00:{machines}:00", "192.0.2.1"]  # fmt: skip
                subprocess.run([*lab.prefix("inside"), *asking], timeout=120, capture_output=True, check=False)
                asked = wiring.now()
                if number > 1:
                    until(lambda asked=asked: wiring.now() > asked + GOES_ON, what="time that is asked about")
            said, _ = hearing.communicate(timeout=60)
        finally:
            hearing.kill()
            hearing.communicate()
    return [tuple(json.loads(line)) for line in said.splitlines()]


def everybody_is_named(heard: list[tuple[str, str, float]], *, at: datetime) -> None:
    macs = sorted({mac for mac, _, _ in heard})
    assert len(macs) > 20
    customers(len(macs), kind=SubjectKind.MAC, names=macs, at=at)
    acknowledged: dict[str, list[tuple[float, str]]] = {}
    for mac, address, when in heard:
        acknowledged.setdefault(address, []).append((when, mac))
    # A lease names somebody as long as the log goes on, and the log ends with the last one.
    *_, (last, closing, _) = heard
    assert acknowledged.pop(closing)[0][1] == last
    assert len(acknowledged) == len(macs) - 1
    for address, given in acknowledged.items():
        assert len({mac for _, mac in given}) == 1, "no address was given to two within its term"
        when = datetime.fromtimestamp(given[0][0], UTC) + timedelta(seconds=2)
        answer = who_held(ip_address(address), port=None, moment=Moment(when, 1.0), received_at=at)
        # A hardware address never proves a subscriber alone.
        assert (answer.grade, answer.customer) == (Grade.PROBABLE, f"acct-{macs.index(given[0][1])}"), address
        early = datetime.fromtimestamp(given[0][0], UTC) - timedelta(minutes=5)
        before = who_held(ip_address(address), port=None, moment=Moment(early, 1.0), received_at=at)
        assert before.customer is None
    free = who_held(ip_address("192.0.2.251"), port=None, moment=Moment(when, 1.0), received_at=at)
    assert free.customer is None


@pytest.fixture
def lab() -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("Kea wants port 67, so this needs root")
    need_lab()
    with Lab() as made:
        yield made


def test_everybody_is_named_by_keas_file_of_leases(lab, tmp_path):
    leases = tmp_path / "kea-leases4.csv"
    config = kea(tmp_path, {"type": "memfile", "persist": True, "name": str(leases), "lfc-interval": 0})
    heard = heard_by_the_wire(lab, config, clients=60)
    at = wiring.now() + timedelta(minutes=1)
    (load,) = take_in(leases, sources()["kea-memfile"], Options(source="kea"), at=at, actor="engineer")
    assert load.refused_total == 0
    everybody_is_named(heard, at=at)


def test_everybody_is_named_by_keas_tables_in_postgresql(lab, tmp_path):
    tool("kea-dhcp4", "kea-dhcp4-server")
    if not KEA_SCHEMA.exists():
        lacking(f"there is no {KEA_SCHEMA}; `apt-get install kea-admin` brings it")
    with ExitStack() as stack:
        url = stack.enter_context(scratch(f"kea_live_{os.getpid()}"))
        info = psycopg.conninfo.conninfo_to_dict(url)
        if not str(info.get("host", "")).startswith("/"):
            lacking("the database has no Unix socket, and Kea runs in a network of its own")
        with psycopg.connect(url, autocommit=True) as made:
            made.execute(KEA_SCHEMA.read_bytes())
        database = {"type": "postgresql", "name": info["dbname"], "host": info["host"], "user": info.get("user", ""),
                    "password": info.get("password", "")}  # fmt: skip
        if info.get("port"):
            database["port"] = int(info["port"])
        secret, into = tmp_path / "kea.url", tmp_path / "leases.csv"
        secret.write_text(url)
        secret.chmod(0o600)
        command = ["leases", "--database-file", str(secret), "--into", str(into)]
        assert "0 leases new" in CliRunner().invoke(app, command).output
        heard = heard_by_the_wire(lab, kea(tmp_path, database), clients=60)
        number = len({address for _, address, _ in heard})
        assert f"{number} leases new or changed, 0 gone" in CliRunner().invoke(app, command).output
    at = wiring.now() + timedelta(minutes=1)
    (load,) = take_in(into, sources()["kea-postgresql"], Options(source="kea"), at=at, actor="engineer")
    assert (load.records, load.refused_total) == (number, 0)
    everybody_is_named(heard, at=at)


@contextmanager
def scratch(name: str) -> Iterator[str]:
    """A database that goes away with the block."""
    own = os.environ["TIPSTAFF_DATABASE_URL"]
    assert urlsplit(own).scheme == "postgresql"
    with psycopg.connect(own, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield psycopg.conninfo.make_conninfo(own, dbname=name)
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
