"""Looks at Kea's tables in PostgreSQL: whoever has an address at each instant is what the looks leave possible."""

import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from tipstaff.attribution import lease_tables
from tipstaff.attribution.lease_tables import look
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.attribution.queries import bindings_covering
from tipstaff.cli.main import app
from tipstaff.wiring import sources

SCHEMA = Path("/usr/share/kea/scripts/pgsql/dhcpdb_create.pgsql")
DOCUMENTED = """
CREATE TABLE lease4 (address bigint PRIMARY KEY, hwaddr bytea, client_id bytea, valid_lifetime bigint,
    expire timestamptz, subnet_id bigint, fqdn_fwd boolean, fqdn_rev boolean, hostname varchar(255),
    state int8 DEFAULT 0, user_context text);
CREATE TABLE lease6 (address varchar(39) PRIMARY KEY, duid bytea, valid_lifetime bigint, expire timestamptz,
    subnet_id bigint, pref_lifetime bigint, lease_type smallint, iaid int, prefix_len smallint, fqdn_fwd boolean,
    fqdn_rev boolean, hostname varchar(255), state int8 DEFAULT 0, hwaddr bytea, hwtype smallint,
    hwaddr_source smallint, user_context text);
"""
BY = {"at": datetime(2026, 12, 1, tzinfo=UTC), "actor": "engineer"}
POOL = tuple(f"198.51.100.{n}" for n in range(1, 5))


@pytest.fixture(params=["kea's own schema", "the documented shape"])
def kea(request) -> Iterator[str]:
    """A database with Kea's tables; its address."""
    if request.param == "kea's own schema" and not SCHEMA.exists():
        pytest.skip(f"there is no {SCHEMA}; `apt-get install kea-admin` brings it")
    own, name = os.environ["TIPSTAFF_DATABASE_URL"], f"kea_{os.getpid()}"
    with psycopg.connect(own, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = psycopg.conninfo.make_conninfo(own, dbname=name)
        try:
            with psycopg.connect(url, autocommit=True) as made:
                made.execute(SCHEMA.read_bytes() if "own" in request.param else DOCUMENTED)
            yield url
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


class Server:
    """Writes the tables as Kea does, and remembers who had which address in truth."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.had: list[tuple[str, str, float, float]] = []
        self.now: dict[str, tuple[str, float, float]] = {}

    def give(self, address: str, mac: str, at: float, term: int) -> None:
        self.free(address, at, released=False)
        self.now[address] = mac, at, at + term
        self.connection.execute(
            "INSERT INTO lease4 (address, hwaddr, valid_lifetime, expire, subnet_id, hostname, state) "
            "VALUES (%s, %s, %s, to_timestamp(%s), 1, '', 0) ON CONFLICT (address) DO UPDATE SET "
            "hwaddr = excluded.hwaddr, valid_lifetime = excluded.valid_lifetime, expire = excluded.expire, state = 0",
            [int(ip_address(address)), bytes.fromhex(mac.replace(":", "")), term, at + term],
        )

    def free(self, address: str, at: float, *, released: bool) -> None:
        if address in self.now:
            mac, since, until = self.now.pop(address)
            self.had.append((address, mac, since, min(at, until)))
            if released:
                self.connection.execute("DELETE FROM lease4 WHERE address = %s", [int(ip_address(address))])

    def reclaim(self, address: str) -> None:
        """Expired leases are marked, and later taken away."""
        key = int(ip_address(address))
        if self.connection.execute("DELETE FROM lease4 WHERE address = %s AND state = 2", [key]).rowcount == 0:
            self.connection.execute("UPDATE lease4 SET state = 2 WHERE address = %s", [key])


class Looking:
    """A cursor whose clock is the test's."""

    def __init__(self, url: str, at: float) -> None:
        self.connection = psycopg.connect(url)
        self.cursor, self.at, self.rows = self.connection.cursor(), at, None

    def execute(self, query) -> None:
        self.rows = [(self.at,)] if "epoch FROM now()" in query or "clock_timestamp" in query else None
        if self.rows is None:
            self.cursor.execute(query)

    def fetchall(self):
        return self.rows if self.rows is not None else self.cursor.fetchall()

    def __iter__(self):
        return iter(self.cursor)


def mac(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(3))
def test_nobody_is_sure_who_was_not_there_and_whoever_was_at_a_look_is_possible(kea, seed, tmp_path):
    dice, server, into = random.Random(seed), Server(kea), tmp_path / "leases.csv"
    begin = at = 1_773_144_000.0
    looks: list[tuple[float, list[tuple[str, str]]]] = []
    for step in range(160):
        at += dice.randrange(1, 400)
        address = dice.choice(POOL)
        held = server.now.get(address)
        if held is not None and at >= held[2]:
            server.free(address, at, released=False)
            server.reclaim(address)
        elif held is None or dice.random() < 0.5:
            who = held[0] if held is not None and dice.random() < 0.6 else mac(dice.randrange(1, 6))
            if held is not None and held[0] != who:
                server.free(address, at, released=True)
            server.give(address, who, float(int(at)), dice.choice((300, 3600)))
        else:
            server.free(address, at, released=True)
        if step % 4 == 3:
            look(Looking(kea, at), into)
            looks.append((at, [(a, m) for a, (m, _, until) in server.now.items() if at < until]))
            if step % 12 == 3:
                list(take_in(into, sources()["kea-postgresql"], Options(source="kea", clock_error_seconds=0.0), **BY))
    list(take_in(into, sources()["kea-postgresql"], Options(source="kea", clock_error_seconds=0.0), **BY))
    last_look = at
    server.had += [(a, m, since, until) for a, (m, since, until) in server.now.items()]

    def found(address: str, when: float) -> tuple[set[str], set[str]]:
        moment = datetime.fromtimestamp(when, UTC)
        rows = bindings_covering(ip_address(address), earliest=moment, latest=moment)
        assert not any(b.strong for b in rows)
        return {b.subject for b in rows}, {b.subject for b in rows if b.sure_from <= moment < b.sure_until}

    named = wrong = 0
    for when, had in looks:
        assert all(who in found(address, when)[0] for address, who in had)
    for _ in range(400):
        when, address = dice.uniform(begin, last_look), dice.choice(POOL)
        truth = {m for a, m, since, until in server.had if a == address and since <= when < until}
        _, sure = found(address, when)
        if sure:
            earlier, later = [had for at, had in looks if at <= when], [had for at, had in looks if at > when]
            kept = bool(earlier) and all((address, m) in had for m in sure for had in (earlier[-1], later[0]))
            # Only if it was back at the look after may one have had it in between whom no look saw.
            assert sure == truth or kept, (address, when - begin)
            wrong += sure != truth
            named += 1
    assert named > 60
    assert wrong < named // 10


@pytest.mark.django_db
def test_prefixes_circuits_endless_leases_and_names_with_commas(kea, tmp_path):
    into = tmp_path / "leases.csv"
    with psycopg.connect(kea, autocommit=True) as server:
        server.execute(
            "INSERT INTO lease4 (address, hwaddr, valid_lifetime, expire, subnet_id, state, user_context) VALUES "
            "(%s, '\\x020000000001', 4294967295, to_timestamp(1773144000), 1, 0, %s)",
            [int(ip_address("198.51.100.7")),
             '{ "ISC": { "relay-agent-info": { "sub-options": "0x0105646C613037" } }, "note": "a, b" }'],
        )  # fmt: skip
        server.execute(
            "INSERT INTO lease6 (address, duid, valid_lifetime, expire, lease_type, iaid, prefix_len, subnet_id, "
            "pref_lifetime, hwaddr, state) VALUES "
            "('2001:db8:0:4200::', '\\x0001000101', 3600, to_timestamp(1773147600), 2, 1, 56, 1, 3600, NULL, 0), "
            "('2001:db8:ffff::5', '\\x0001000102', 3600, to_timestamp(1773147600), 0, 1, 128, 1, 3600, "
            "'\\x020000000002', 0)"
        )
        with psycopg.connect(kea) as looking, looking.cursor() as cursor:
            assert look(cursor, into) == (3, 0)
        with psycopg.connect(kea) as looking, looking.cursor() as cursor:
            assert look(cursor, into) == (0, 0)
        (load,) = take_in(into, sources()["kea-postgresql"], Options(source="kea"), **BY)
        assert (load.records, load.refused_total) == (3, 0)
        at = {
            "earliest": datetime(2026, 3, 10, 12, 30, tzinfo=UTC),
            "latest": datetime(2026, 3, 10, 12, 30, tzinfo=UTC),
        }
        told = {
            address: [
                (str(b.prefix), b.subject, b.possible_until is None)
                for b in bindings_covering(ip_address(address), **at)
            ]
            for address in ("198.51.100.7", "2001:db8:0:42ab::1", "2001:db8:ffff::5")
        }
        assert told == {
            "198.51.100.7": [("198.51.100.7/32", "dla07", True)],
            "2001:db8:0:42ab::1": [("2001:db8:0:4200::/56", "00:01:00:01:01", False)],
            "2001:db8:ffff::5": [("2001:db8:ffff::5/128", mac(2), False)],
        }


@pytest.mark.django_db
def test_a_lease_that_was_given_back_and_taken_again_between_two_imports_is_two(tmp_path):
    head = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state\n"
    first = f"198.51.100.1,{mac(1)},,3600,{1_773_144_000 + 3600},1,0,0,,0\n"
    back = f"198.51.100.1,{mac(1)},,0,1773144000,1,0,0,,0\n"
    other = f"198.51.100.1,{mac(2)},,60,{1_773_144_600 + 60},1,0,0,,0\n"
    again = f"198.51.100.1,{mac(1)},,3600,{1_773_145_200 + 3600},1,0,0,,0\n"
    file = tmp_path / "leases4.csv"
    for text in (head + first, head + first + back + other + again):
        file.write_text(text)
        list(take_in(file, sources()["kea-memfile"], Options(source="kea", clock_error_seconds=0.0), **BY))
    told = []
    for minute in (5, 10, 15, 25):
        at = datetime(2026, 3, 10, 12, minute, tzinfo=UTC)
        told.append(
            [(b.subject, b.sure_until > at) for b in bindings_covering(ip_address(POOL[0]), earliest=at, latest=at)]
        )
    assert told == [[(mac(1), False)], [(mac(2), True)], [], [(mac(1), True)]]


def test_a_look_that_is_killed_is_done_again_and_says_no_less(kea, tmp_path, monkeypatch):
    into, server = tmp_path / "leases.csv", Server(kea)
    server.give(POOL[0], mac(1), 1_773_144_000, 3600)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lease_tables, "_remember", killed)
        with pytest.raises(KeyboardInterrupt):
            look(Looking(kea, 1_773_144_100.0), into)
    into.write_bytes(into.read_bytes()[:-9])  # and not even the row was whole
    assert look(Looking(kea, 1_773_144_200.0), into) == (1, 0)
    lines = into.read_bytes().splitlines()
    assert lines[-1].startswith(b"1773144200.000000,,0,198.51.100.1,,02:00:00:00:00:01,,1773144000,3600,0,")


def test_the_command_looks_and_wants_its_file_to_be_private(kea, tmp_path):
    Server(kea).give(POOL[0], mac(1), 1_773_144_000, 3600)
    secret, into = tmp_path / "kea.url", tmp_path / "leases.csv"
    secret.write_text(f"{kea}\n")
    arguments = ["leases", "--database-file", str(secret), "--into", str(into)]
    secret.chmod(0o644)
    assert "others may read it" in CliRunner().invoke(app, arguments).output
    secret.chmod(0o600)
    assert CliRunner().invoke(app, arguments).output == f"{into}: 1 leases new or changed, 0 gone\n"
    assert into.stat().st_mode & 0o777 == 0o600
    secret.write_text("postgresql://nobody@127.0.0.1:1/none")
    said = CliRunner().invoke(app, arguments)
    assert said.exit_code == 1
    assert "refused" in said.output
