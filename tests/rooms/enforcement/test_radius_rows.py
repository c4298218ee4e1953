"""The RADIUS driver's rows keep the drivers' contract on SQLite and on PostgreSQL; its packets are RFC 5176's."""

import contextlib
import os
import socket
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tipstaff.enforcement.drivers.radius import RadiusDriver, make, packets
from tipstaff.enforcement.drivers.radius.attributes import NotSayable, encode
from tipstaff.enforcement.drivers.radius.tables import measure_in
from tipstaff.enforcement.protocol import BadOption, Driver
from tipstaff.testing.drivers import NOON, DriverContract, carry_out
from tipstaff.words import Degree, Rule, Scope, Seen, Selector

RADACCT = """
CREATE TABLE IF NOT EXISTS radacct (
    acctsessionid varchar(64) NOT NULL, username varchar(64) NOT NULL, nasipaddress varchar(15) NOT NULL,
    callingstationid varchar(50) NOT NULL DEFAULT '', acctstarttime varchar(40), acctupdatetime varchar(40),
    acctstoptime varchar(40), class varchar(64)
)
"""
TABLES = ("measures", "plan", "profile", "gone", "logins")
GARDEN = ['Filter-Id := "quarantine"']


def for_account(n: int, *, degree: Degree = Degree.SUSPEND, until: datetime | None = None, key: int | None = None):
    measure = f"M-{(n if key is None else key) + 1:06d}"
    return Rule(measure=measure, case="C-000001", selector=Selector(account=f"acct-{n}"), degree=degree, until=until)


class TestOnSqlite(DriverContract):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.file = tmp_path / "radius.db"

    def options(self) -> dict[str, object]:
        return {"database": f"sqlite:///{self.file}", "walled_garden": GARDEN}

    def run(self, *statements: str) -> None:
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def make(self) -> Driver:
        self.file.unlink(missing_ok=True)
        made = self.again(None)
        assert isinstance(made, RadiusDriver)
        made.tables.make()
        self.run(RADACCT)
        self.let_log_in()
        return made

    def let_log_in(self) -> None:
        rows = ", ".join(f"('account', 'acct-{n}', 'user-{n}')" for n in range(1000))
        self.run(f"INSERT INTO tipstaff_logins (scope, subject, username) VALUES {rows}")

    def again(self, driver: Driver | None) -> Driver:
        return make("radius1", self.options())

    def rule(self, n: int, *, until: datetime | None = None, key: int | None = None) -> Rule:
        return for_account(n, until=until, key=key)

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        away = self.file.rename(self.file.with_suffix(".away"))
        yield
        away.rename(self.file)

    def put_foreign(self, driver: Driver) -> str:
        self.run(
            "INSERT INTO tipstaff_measures (measure, scope, subject, verdict) "
            "VALUES ('by-hand', 'account', 'acct-77', 'reject')"
        )
        return "row by-hand in tipstaff_measures"

    def tamper(self, driver: Driver, rule: Rule) -> None:
        self.run(f"UPDATE tipstaff_measures SET verdict = 'rate_limit' WHERE measure = '{rule.measure}'")

    def forget(self, driver: Driver) -> None:
        self.run(*(f"DELETE FROM tipstaff_{name}" for name in TABLES))
        self.let_log_in()


class TestOnPostgresql(TestOnSqlite):
    @pytest.fixture(autouse=True)
    def _schema(self, tmp_path: Path, django_db_setup: None) -> Iterator[None]:
        self.url = os.environ["TIPSTAFF_DATABASE_URL"]
        self.schema = f"radius_contract_{os.getpid()}"  # Two test processes share one server.
        yield
        with psycopg.connect(self.url, autocommit=True) as server:
            server.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE".encode())

    def options(self) -> dict[str, object]:
        joined = "&" if "?" in self.url else "?"
        return {"database": f"{self.url}{joined}options=-csearch_path%3D{self.schema}", "walled_garden": GARDEN}

    def run(self, *statements: str) -> None:
        with psycopg.connect(str(self.options()["database"])) as server:
            for statement in statements:
                server.execute(statement.encode())

    def make(self) -> Driver:
        with psycopg.connect(self.url, autocommit=True) as server:
            server.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE".encode())
            server.execute(f"CREATE SCHEMA {self.schema}".encode())
        made = self.again(None)
        assert isinstance(made, RadiusDriver)
        made.tables.make()
        self.run(RADACCT)
        self.let_log_in()
        return made

    @contextlib.contextmanager
    def broken(self, driver: Driver) -> Iterator[None]:
        self.run("ALTER TABLE tipstaff_plan RENAME TO away")
        yield
        self.run("ALTER TABLE away RENAME TO tipstaff_plan")


class Access:
    """An access server's door for Disconnect-Requests: it acknowledges, refuses, or says nothing."""

    def __init__(self, secret: bytes = b"not-a-secret") -> None:
        self.wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.wire.bind(("127.0.0.1", 0))
        self.port = self.wire.getsockname()[1]
        self.secret = secret
        self.asked: list[bytes] = []
        self.answer: object = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        import hashlib
        import struct

        with contextlib.suppress(OSError):
            while True:
                raw, who = self.wire.recvfrom(4096)
                self.asked.append(raw)
                code, attributes = self.answer(raw) if callable(self.answer) else (41, b"")
                head = struct.pack(">BBH", code, raw[1], 20 + len(attributes))
                proof = hashlib.md5(head + raw[4:20] + attributes + self.secret).digest()
                self.wire.sendto(head + proof + attributes, who)


class Desk:
    """A RADIUS database on SQLite and an access server at loopback."""

    def __init__(self, folder: Path, *, coa: bool = False, **more: object) -> None:
        self.file = folder / "radius.db"
        (folder / "secret").write_text("not-a-secret\n")
        (folder / "secret").chmod(0o600)
        self.access = Access()
        nas = [{"address": "192.0.2.1", "send_to": "127.0.0.1", "port": self.access.port,
                "secret_file": str(folder / "secret"), "coa": coa}]  # fmt: skip
        self.driver = make(
            "radius1", {"database": f"sqlite:///{self.file}", "walled_garden": GARDEN, "nas": nas, **more}
        )
        self.driver.tables.make()
        self.run(RADACCT)
        self.run("INSERT INTO tipstaff_logins VALUES ('account', 'acct-1', 'alice'), ('account', 'acct-2', 'bob')")
        # What an access server does when it ends a session: accounting hears the Stop.
        self.access.answer = self.stop

    def run(self, statement: str) -> list[tuple[object, ...]]:
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            found = connection.execute(statement).fetchall()
            connection.commit()
            return found

    def log_in(self, user: str, *, klass: str = "", station: str = "02-00-5E-10-00-01", number: str = "S1") -> None:
        self.run(
            "INSERT INTO radacct (acctsessionid, username, nasipaddress, callingstationid, acctstarttime, class) "
            f"VALUES ('{number}', '{user}', '192.0.2.1', '{station}', '1', '{klass}')"
        )

    def stop(self, raw: bytes) -> tuple[int, bytes]:
        number = next(v.decode() for kind, v in attributes_of(raw) if kind == 44)
        self.run(f"UPDATE radacct SET acctstoptime = '2' WHERE acctsessionid = '{number}'")
        return 41, b""


def attributes_of(raw: bytes) -> list[tuple[int, bytes]]:
    found, at = [], 20
    while at < len(raw):
        found.append((raw[at], raw[at + 2 : at + raw[at + 1]]))
        at += raw[at + 1]
    return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_open_session_is_ended_and_only_that_one(desk: Desk) -> None:
    desk.log_in("alice", number="S1")
    desk.log_in("bob", number="S2")
    seen = carry_out(desk.driver, 1, [for_account(1)])
    assert seen.rules == (("M-000002", Seen.IN_FORCE),)
    assert [dict(attributes_of(raw))[44] for raw in desk.access.asked] == [b"S1"]
    assert desk.run("SELECT acctsessionid FROM radacct WHERE acctstoptime IS NULL") == [("S2",)]


def test_a_session_that_stays_open_is_drift_although_the_row_stands(desk: Desk) -> None:
    desk.log_in("alice")
    desk.access.answer = lambda raw: (42, b"\x65\x06\x00\x00\x01\x93")  # 403: not this access server's
    seen = carry_out(desk.driver, 1, [for_account(1)])
    assert seen.of("M-000002") is Seen.DRIFT
    assert "alice on 192.0.2.1 is still open: it was refused with error cause 403" in seen.detail
    desk.access.answer = desk.stop
    assert carry_out(desk.driver, 1, [for_account(1)]).of("M-000002") is Seen.IN_FORCE


def test_who_logged_in_again_by_another_way_is_ended_again(desk: Desk) -> None:
    carry_out(desk.driver, 1, [for_account(1)])
    desk.log_in("alice")
    assert desk.driver.observe(at=NOON).of("M-000002") is Seen.DRIFT
    assert carry_out(desk.driver, 1, [for_account(1)]).of("M-000002") is Seen.IN_FORCE


def test_a_later_session_of_the_same_id_is_open_although_the_row_has_a_stop(desk: Desk) -> None:
    desk.log_in("alice")
    carry_out(desk.driver, 1, [for_account(1)])
    desk.run("UPDATE radacct SET acctstarttime = '3'")  # As FreeRADIUS does at a Start of an id that it knows.
    assert desk.driver.observe(at=NOON).of("M-000002") is Seen.DRIFT


def test_a_session_that_the_access_server_does_not_know_is_gone_and_stays_so(desk: Desk) -> None:
    desk.log_in("alice")
    desk.access.answer = lambda raw: (42, b"\x65\x06\x00\x00\x01\xf7")  # 503: no such session
    assert carry_out(desk.driver, 1, [for_account(1)]).of("M-000002") is Seen.IN_FORCE
    again = make("radius1", {"database": f"sqlite:///{desk.file}", "walled_garden": GARDEN})
    assert again.observe(at=NOON).of("M-000002") is Seen.IN_FORCE


def test_in_the_walled_garden_is_who_was_let_in_with_its_profile(desk: Desk) -> None:
    rule = for_account(1, degree=Degree.WALLED_GARDEN)
    desk.log_in("alice")
    assert carry_out(desk.driver, 1, [rule]).of("M-000002") is Seen.IN_FORCE, "nobody is logged in"
    desk.log_in("alice", klass="0x" + b"tipstaff/M-000002".hex(), number="S2")
    assert desk.driver.observe(at=NOON).of("M-000002") is Seen.IN_FORCE
    desk.access.asked.clear()
    # Lifted, the session's profile would stay: it is ended, and the next one is free.
    assert carry_out(desk.driver, 2, []).rules == ()
    assert [dict(attributes_of(raw))[44] for raw in desk.access.asked] == [b"S2"]


def test_a_session_left_over_in_the_garden_is_drift_until_it_is_ended(desk: Desk) -> None:
    desk.log_in("alice", klass="tipstaff/M-000009")
    assert desk.driver.observe(at=NOON).of("M-000009") is Seen.DRIFT
    assert carry_out(desk.driver, 1, []).rules == ()


def test_one_station_is_shut_out_and_the_account_is_not(desk: Desk) -> None:
    desk.log_in("alice", station="02-00-5E-10-00-01", number="S1")
    desk.log_in("alice", station="02-00-5E-10-00-02", number="S2")
    selector = Selector(session="alice/02-00-5e-10-00-01")
    rule = replace(for_account(1), selector=selector, degree=Degree.DISCONNECT)
    assert desk.driver.supports(rule)
    on_a_port = replace(rule, selector=Selector(session="sw1/eth7/02:00:5e:10:00:01"))
    assert not desk.driver.supports(on_a_port), "a port has no log-in"
    assert carry_out(desk.driver, 1, [rule]).of(rule.measure) is Seen.IN_FORCE
    assert desk.run("SELECT acctsessionid FROM radacct WHERE acctstoptime IS NULL") == [("S2",)]


def changeable(folder: Path, **more: object) -> Desk:
    """A desk whose access server takes CoA-Requests, and whose accounting then shows the session's new Class."""
    folder.mkdir()
    desk = Desk(folder, coa=True, **more)

    def change(raw: bytes) -> tuple[int, bytes]:
        if raw[0] == 40:
            return desk.stop(raw)
        given = dict(attributes_of(raw))
        klass = given[25].decode()
        desk.run(f"UPDATE radacct SET class = '{klass}' WHERE acctsessionid = '{given[44].decode()}'")
        return 44, b""

    desk.access.answer = change
    return desk


def test_a_session_is_walled_in_and_let_out_again_without_being_ended(tmp_path: Path) -> None:
    desk = changeable(tmp_path / "desk", usual=['Filter-Id := "open"'])
    desk.log_in("alice", number="S1")
    desk.log_in("bob", number="S2")
    rule = for_account(1, degree=Degree.WALLED_GARDEN, until=NOON + timedelta(minutes=5))
    assert carry_out(desk.driver, 1, [rule]).of(rule.measure) is Seen.IN_FORCE
    [asked] = desk.access.asked
    given = dict(attributes_of(asked))
    assert (asked[0], given[1], given[11], given[25]) == (43, b"alice", b"quarantine", b"tipstaff/M-000002")
    assert int.from_bytes(given[27], "big") == 300, "the access server ends the session if nobody else does"
    assert carry_out(desk.driver, 2, []).rules == ()
    assert [dict(attributes_of(raw)).get(11) for raw in desk.access.asked] == [b"quarantine", b"open"]
    assert desk.run("SELECT count(*) FROM radacct WHERE acctstoptime IS NULL") == [(2,)]


@pytest.mark.parametrize("answer", [(45, b"\x65\x06\x00\x00\x01\x91"), (44, b"")], ids=["refused", "acknowledged only"])
def test_what_accounting_does_not_show_changed_is_ended(tmp_path: Path, answer: tuple[int, bytes]) -> None:
    desk = changeable(tmp_path / "desk", settle_seconds=1)
    desk.access.answer = lambda raw: answer if raw[0] == 43 else desk.stop(raw)
    desk.log_in("alice")
    rule = for_account(1, degree=Degree.WALLED_GARDEN)
    assert carry_out(desk.driver, 1, [rule]).of(rule.measure) is Seen.IN_FORCE, "its next session will be let in so"
    assert [raw[0] for raw in desk.access.asked] == [43, 40]


def test_who_is_shut_out_is_never_only_changed(tmp_path: Path) -> None:
    desk = changeable(tmp_path / "desk")
    desk.log_in("alice", klass="tipstaff/M-000009")
    assert carry_out(desk.driver, 1, [for_account(1)]).of("M-000002") is Seen.IN_FORCE
    assert [raw[0] for raw in desk.access.asked] == [40]


def test_attributes_are_said_as_rfc_2865_has_them() -> None:
    assert encode([("Filter-Id", "slow")]) == b"\x0b\x06slow"
    assert encode([("Session-Timeout", "300")]) == b"\x1b\x06\x00\x00\x01\x2c"
    by_name = encode([("Mikrotik-Rate-Limit", "1M")])
    assert by_name == b"\x1a\x0a\x00\x00\x3a\x8c\x08\x041M"
    assert encode([("Attr-26.14988.8", "0x314d")]) == by_name
    for wrong in (("Colour", "red"), ("Session-Timeout", "soon"), ("Attr-0", "0x01"), ("Filter-Id", "x" * 254)):
        with pytest.raises(NotSayable):
            encode([wrong])


@pytest.mark.parametrize("spelt", ["02:00:5e:10:00:01", "0200.5E10.0001", "02005e100001"])
def test_a_machine_is_the_same_however_the_access_server_spells_it(desk: Desk, spelt: str) -> None:
    desk.log_in("alice", station=spelt, number="S1")
    desk.log_in("alice", station="02-00-5E-10-00-02", number="S2")
    desk.log_in("bob", station=spelt, number="S3")
    rule = replace(for_account(1), selector=Selector(session="alice/02-00-5E-10-00-01"), degree=Degree.DISCONNECT)
    assert carry_out(desk.driver, 1, [rule]).of(rule.measure) is Seen.IN_FORCE
    left = desk.run("SELECT acctsessionid FROM radacct WHERE acctstoptime IS NULL ORDER BY 1")
    assert left == [("S2",), ("S3",)]


def test_an_account_without_a_log_in_is_never_called_in_force(desk: Desk) -> None:
    seen = carry_out(desk.driver, 1, [for_account(3)])
    assert seen.of("M-000004") is Seen.DRIFT
    assert "names no log-in of account acct-3" in seen.detail


def test_a_changed_profile_is_noticed_and_written(desk: Desk, tmp_path: Path) -> None:
    rule = for_account(1, degree=Degree.WALLED_GARDEN)
    carry_out(desk.driver, 1, [rule])
    other = make("radius1", {"database": f"sqlite:///{desk.file}", "walled_garden": ['Filter-Id := "wall"']})
    assert other.observe(at=NOON).of(rule.measure) is Seen.DRIFT
    assert carry_out(other, 1, [rule]).of(rule.measure) is Seen.IN_FORCE


def test_more_sessions_than_identifiers_are_ended_together(desk: Desk) -> None:
    many = ", ".join(f"('S{n}', 'alice', '192.0.2.1', '1')" for n in range(300))
    desk.run(f"INSERT INTO radacct (acctsessionid, username, nasipaddress, acctstarttime) VALUES {many}")

    def stop_all(raw: bytes) -> tuple[int, bytes]:
        if len(desk.access.asked) == 300:
            desk.run("UPDATE radacct SET acctstoptime = '2'")
        return 41, b""

    desk.access.answer = stop_all
    assert carry_out(desk.driver, 1, [for_account(1)]).of("M-000002") is Seen.IN_FORCE
    assert len(desk.access.asked) == 300


def test_an_answer_of_somebody_without_the_secret_counts_for_nothing() -> None:
    session = packets.Session("192.0.2.1", "S1", "alice", "", "1", "")
    asked = packets.request(session, identifier=7, secret=b"ours", epoch_seconds=0)
    assert packets.read_answer(b"\x29\x07\x00\x14" + bytes(16), asked, secret=b"ours") is None
    assert packets.read_answer(b"\x29\x07", asked, secret=b"ours") is None


def test_a_class_is_read_as_it_is_written() -> None:
    assert measure_in("tipstaff/M-000002") == "M-000002"
    assert measure_in("0x" + b"tipstaff/M-000002".hex()) == "M-000002"
    assert measure_in("0xzz") == measure_in("192.0.2.7") == ""


def test_it_can_be_chosen_for_what_the_settings_give_it_a_profile_for(tmp_path: Path) -> None:
    bare = make("radius1", {"database": "sqlite:////nowhere"})
    assert (Scope.ACCOUNT, Degree.SUSPEND) in bare.ability.can
    assert (Scope.ACCOUNT, Degree.WALLED_GARDEN) not in bare.ability.can
    assert (Scope.ADDRESS, Degree.BLOCK) not in bare.ability.can
    assert bare.observe(at=NOON + timedelta(days=1)).complete is False


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"database": "mysql://x"}, "database takes"),
        ({"database": "postgresql://radius:hunter2@192.0.2.9/radius"}, "has a password in it"),
        ({"database": "sqlite:////x", "accounting": "a;b"}, "takes the name of a table"),
        ({"database": "sqlite:////x", "walled_garden": ["quarantine"]}, "takes RADIUS attributes"),
        ({"database": "sqlite:////x", "nas": [{"address": "192.0.2.1", "secret": "hunter2"}]}, "each may have"),
        ({"database": "sqlite:////x", "nas": [{"address": "192.0.2.1"}]}, "one of secret_file and secret_command"),
        ({"database": "sqlite:////x", "nas": [{"address": "x", "secret_command": ["cat"]}]}, "take an IPv4 address"),
        (
            {
                "database": "sqlite:////x",
                "nas": [{"address": "192.0.2.1", "secret_command": ["cat"], "coa": True}],
                "walled_garden": ["Colour := red"],
            },
            "coa: Colour is none of",
        ),
        (
            {"database": "sqlite:////x", "nas": [{"address": "192.0.2.1", "secret_command": ["cat"], "coa": 1}]},
            "coa takes true or false",
        ),
        ({"database": "sqlite:////x", "colour": "hunter2"}, "colour is not an option of the radius driver"),
    ],
)
def test_options_that_cannot_be_used_are_told_in_a_sentence(options: dict[str, object], said: str) -> None:
    with pytest.raises(BadOption, match=said) as told:
        make("radius1", options)
    assert "hunter2" not in str(told.value)


def test_a_secret_is_in_no_representation(desk: Desk, tmp_path: Path) -> None:
    servers = desk.driver._servers({"192.0.2.1"})
    assert servers["192.0.2.1"].secret == b"not-a-secret"
    assert "not-a-secret" not in repr(servers) + repr(vars(desk.driver))
    (tmp_path / "secret").chmod(0o644)
    nas = [{"address": "192.0.2.1", "secret_file": str(tmp_path / "secret")}]
    with pytest.raises(BadOption, match="chmod 600"):
        make("radius1", {"database": f"sqlite:///{desk.file}", "nas": nas})
