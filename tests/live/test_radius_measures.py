"""Who is shut out by RADIUS cannot come back: real FreeRADIUS, hostapd as access switch, wpa_supplicant as customer."""

import contextlib
import os
import shutil
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.live.running import until
from tests.live.test_real_sources import SECRET, running, tool
from tests.live.test_wired_access import HOSTAPD, ONE, SUPPLICANT, TWO, Port
from tipstaff import wiring
from tipstaff.enforcement.drivers import radius
from tipstaff.enforcement.drivers.radius import RadiusDriver
from tipstaff.testing.drivers import carry_out
from tipstaff.testing.lab import Lab
from tipstaff.words import Degree, Rule, Seen, Selector

pytestmark = pytest.mark.live

STOCK = Path("/etc/freeradius/3.0/mods-config/sql/main/sqlite")
OPEN = "(acctstoptime IS NULL OR acctstarttime > acctstoptime OR acctupdatetime > acctstoptime)"
"""hostapd gives a machine's next session the same id, and FreeRADIUS's own queries then keep the old Stop."""
USERS = {ONE: "alice", TWO: "bob"}
RADIUSD = """
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {folder}
run_dir = {folder}
raddbdir = {folder}
confdir = {folder}
security {{
    allow_core_dumps = no
}}
modules {{
    expr {{
    }}
    always ok {{
        rcode = ok
    }}
    always reject {{
        rcode = reject
    }}
    pap {{
    }}
    files {{
        filename = {folder}/users
    }}
    eap {{
        default_eap_type = md5
        md5 {{
        }}
    }}
    sql {{
        driver = "rlm_sql_sqlite"
        dialect = "sqlite"
        sqlite {{
            filename = "{folder}/radius.db"
            busy_timeout = 2000
        }}
        sql_user_name = "%{{User-Name}}"
        acct_table1 = "radacct"
        acct_table2 = "radacct"
        postauth_table = "radpostauth"
        authcheck_table = "radcheck"
        groupcheck_table = "radgroupcheck"
        authreply_table = "radreply"
        groupreply_table = "radgroupreply"
        usergroup_table = "radusergroup"
        client_table = "nas"
        group_attribute = "SQL-Group"
        pool {{
            start = 1
            min = 1
            max = 4
            spare = 1
            uses = 0
            idle_timeout = 60
        }}
        $INCLUDE {folder}/queries.conf
    }}
    $INCLUDE {folder}/tipstaff.conf
}}
client here {{
    ipaddr = 127.0.0.1
    secret = {secret}
}}
server access {{
    listen {{
        type = auth
        ipaddr = 127.0.0.1
        port = 1812
    }}
    listen {{
        type = acct
        ipaddr = 127.0.0.1
        port = 1813
    }}
    authorize {{
        tipstaff
        eap
        files
        pap
    }}
    authenticate {{
        eap
        pap
    }}
    post-auth {{
        Post-Auth-Type REJECT {{
            sql
            eap
        }}
    }}
    preacct {{
        update request {{
            &Acct-Unique-Session-Id := "%{{md5:%{{User-Name}},%{{Acct-Session-ID}},%{{NAS-IP-Address}},%{{Class}}}}"
        }}
    }}
    accounting {{
        sql
    }}
}}
server nas {{
    listen {{
        type = coa
        ipaddr = 127.0.0.1
        port = 3797
    }}
    recv-coa {{
        if (&Packet-Type == Disconnect-Request) {{
            "%{{sql:UPDATE radacct SET acctstoptime = acctstarttime WHERE acctsessionid = '%{{Acct-Session-Id}}'}}"
            ok
        }}
        elsif (!&Filter-Id || &Filter-Id != "quarantine" || !&Session-Timeout) {{
            reject
        }}
        else {{
            "%{{sql:UPDATE radacct SET class = '%{{Class}}' WHERE acctsessionid = '%{{Acct-Session-Id}}'}}"
            ok
        }}
    }}
}}
"""
OBEYS = """
radius_das_port=3799
radius_das_client=127.0.0.1 {secret}
"""


CHANGING = "192.0.2.30"
"""An access server that changes profiles: FreeRADIUS's own receiver, which puts the new Class into accounting."""


class Server:
    """A RADIUS server on SQLite in the lab's edge, and the driver that is tried."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.file = folder / "radius.db"
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            connection.executescript((STOCK / "schema.sql").read_text())
            connection.execute("PRAGMA journal_mode = WAL")
        (folder / "secret").write_text(SECRET)
        (folder / "secret").chmod(0o600)
        self.driver = self.make()
        self.driver.tables.make()
        (folder / "users").write_text('DEFAULT Cleartext-Password := "of-%{User-Name}"\n')
        (folder / "dictionary").write_text("")
        queries = (STOCK / "queries.conf").read_text()
        for name in ("column_name", "packet_xlat", "reply_xlat"):
            assert f"{name} =\t# " in queries
            queries = queries.replace(f"{name} =\t# ", f"{name} =\t")
        (folder / "queries.conf").write_text(queries)
        ours = (Path(radius.__file__).parent / "freeradius.conf").read_text()
        (folder / "tipstaff.conf").write_text(ours.replace("/var/lib/freeradius/radius.db", str(self.file)))
        (folder / "radiusd.conf").write_text(RADIUSD.format(folder=folder, secret=SECRET))
        self._running = ExitStack()

    def start(self) -> None:
        daemon = [*self.lab.prefix("edge"), tool("freeradius", "freeradius"), "-f", "-l", "stdout"]
        daemon += ["-d", str(self.folder), "-n", "radiusd"]
        self._running.enter_context(running(daemon, until="Ready to process requests"))

    def kill(self) -> None:
        """`kill -9`."""
        self._running.close()

    def know(self, *logins: tuple[str, str]) -> None:
        """(account, log-in) of customers."""
        rows = ", ".join(f"('account', '{account}', '{login}')" for account, login in logins)
        self.run(f"INSERT INTO tipstaff_logins VALUES {rows}")

    def forget(self) -> None:
        """It loses what we put into it; whose log-ins there are is the operator's."""
        for name in ("measures", "plan", "profile", "gone"):
            self.run(f"DELETE FROM tipstaff_{name}")

    def make(self, *, coa: bool = False, device: str = "radius1") -> RadiusDriver:
        nas = [
            {"address": p, "send_to": "127.0.0.1", "port": port, "secret_file": str(self.folder / "secret"), "coa": coa}
            for p, port in ((ONE.nas, 3799), (TWO.nas, 3798), (CHANGING, 3797))
        ]
        options = {"database": f"sqlite:///{self.file}", "walled_garden": ['Filter-Id := "quarantine"'], "nas": nas}
        driver = radius.make(device, options)
        driver.open_socket = self._socket_at_the_edge
        return driver

    def _socket_at_the_edge(self) -> socket.socket:
        """A socket stays in the network in which it was made; only the thread that makes it goes there."""
        import ctypes

        made: list[socket.socket] = []

        def go() -> None:
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/proc/{self.lab._keepers['edge'].pid}/ns/net") as network:
                if libc.setns(network.fileno(), 0x40000000) == 0:
                    made.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

        thread = threading.Thread(target=go)
        thread.start()
        thread.join()
        return made[0]

    def run(self, statement: str) -> list[tuple[str, ...]]:
        with contextlib.closing(sqlite3.connect(self.file, timeout=5)) as connection:
            found = connection.execute(statement).fetchall()
            connection.commit()
            return found

    def open_sessions(self) -> set[str]:
        return {user for (user,) in self.run(f"SELECT username FROM radacct WHERE {OPEN}")}

    def asked(self, user: str) -> str:
        """What the server answers to a log-in with a password."""
        given = f'User-Name = "{user}", User-Password = "of-{user}"'
        client = ["sh", "-c", f"radclient -x 127.0.0.1:1812 auth {SECRET} || true"]
        told = self.lab.run("edge", *client, given=given)
        return next(word for word in ("Access-Accept", "Access-Reject") if word in told)


class Access(Server):
    """The same with an access switch of two ports."""

    def __init__(self, lab: Lab, folder: Path, stack: ExitStack) -> None:
        super().__init__(lab, folder)
        self.know(*((f"acct-{user}", user) for user in USERS.values()))
        stack.callback(self.kill)
        self.start()
        for port in USERS:
            config = folder / f"{port.side}.conf"
            das = OBEYS.format(secret=SECRET).replace("3799", "3799" if port is ONE else "3798")
            config.write_text(HOSTAPD.format(port=port.side, nas=port.nas, secret=SECRET) + das)
            hostapd = [*lab.prefix("edge"), tool("hostapd", "hostapd"), str(config)]
            stack.enter_context(running(hostapd, until="AP-ENABLED"))

    def refused(self) -> set[str]:
        return {user for (user,) in self.run("SELECT username FROM radpostauth WHERE reply = 'Access-Reject'")}

    def on_line(self, station: str) -> bool:
        return bool(self.run(f"SELECT 1 FROM radacct WHERE callingstationid = '{station}' AND {OPEN}"))

    def classes(self) -> list[str]:
        """The Class of each of alice's open sessions."""
        found = self.run(f"SELECT class FROM radacct WHERE username = 'alice' AND {OPEN}")
        return [bytes.fromhex(text[2:]).decode() if text.startswith("0x") else text for (text,) in found]

    def try_again(self, port: Port) -> None:
        """hostapd tells nobody on a wire that the session has ended; the machine finds out when it tries anew."""
        control = self.folder / f"{port.side}-{USERS[port]}" / "control"
        client = [tool("wpa_cli", "wpasupplicant"), "-p", str(control), "-i", "eth0", "reassociate"]
        assert "OK" in self.lab.run(port.side, *client)

    def other_machine(self, port: Port, n: int) -> None:
        """Another machine behind the port: hostapd lets none try for a minute after it was refused."""
        self.lab.run(port.side, tool("ip", "iproute2"), "link", "set", "eth0", "address", f"02:00:5e:10:00:{n:02x}")

    @contextlib.contextmanager
    def supplicant(self, port: Port) -> Iterator[None]:
        """The customer's machine behind a port logs in; killed at the end."""
        user, own = USERS[port], self.folder / f"{port.side}-{USERS[port]}"
        own.mkdir()
        config = own / "supplicant.conf"
        config.write_text(SUPPLICANT.format(folder=own, user=user, password=f"of-{user}"))
        command = [tool("wpa_supplicant", "wpasupplicant"), "-Dwired", "-ieth0", f"-c{config}"]
        try:
            with running([*self.lab.prefix(port.side), *command], until="EAP-SUCCESS"):
                yield
        finally:
            shutil.rmtree(own)


@contextlib.contextmanager
def server_alone(folder: Path) -> Iterator[Server]:
    """Without any access switch; not started where a program is missing."""
    _needed()
    with Lab(customers=("192.0.2.7",), outside=("192.0.2.8",)) as lab:
        server = Server(lab, folder)
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _needed() -> None:
    for name, package in (("hostapd", "hostapd"), ("wpa_supplicant", "wpasupplicant"), ("freeradius", "freeradius"),
                          ("radclient", "freeradius-utils")):  # fmt: skip
        tool(name, package)
    if why := Lab.unavailable():
        pytest.skip(why)
    if os.geteuid() != 0:
        pytest.skip("only root may make a socket in another network")


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    _needed()
    with Lab(customers=("192.0.2.7",), outside=("192.0.2.8",)) as lab, ExitStack() as stack:
        yield Access(lab, tmp_path_factory.mktemp("radius"), stack)


def rule(user: str, degree: Degree, **more: object) -> Rule:
    selector = Selector(account=f"acct-{user}")
    return replace(Rule(measure="M-000001", case="C-000001", selector=selector, degree=degree), **more)


def test_who_is_shut_out_is_disconnected_and_cannot_come_back_until_it_is_lifted(access: Access) -> None:
    now = wiring.now()
    with access.supplicant(TWO):
        with access.supplicant(ONE):
            until(lambda: access.open_sessions() == {"alice", "bob"}, what="both are on line")
            began = wiring.now()
            seen = carry_out(access.driver, 1, [rule("alice", Degree.SUSPEND)], at=now)
            assert wiring.now() - began < timedelta(seconds=1)
            assert seen.of("M-000001") is Seen.IN_FORCE, seen.detail
            assert access.open_sessions() == {"bob"}
            access.try_again(ONE)
            until(lambda: access.refused() == {"alice"}, what="a refused log-in of alice")
            assert access.make().observe(at=now).of("M-000001") is Seen.IN_FORCE
            assert access.open_sessions() == {"bob"}
        carry_out(access.driver, 2, [], at=now)
        access.other_machine(ONE, 2)
        with access.supplicant(ONE):
            until(lambda: access.open_sessions() == {"alice", "bob"}, what="alice is on line again")


def test_in_the_garden_it_comes_back_with_the_profile_and_lifted_without(access: Access) -> None:
    now = wiring.now()
    access.other_machine(ONE, 3)
    with access.supplicant(ONE):
        until(lambda: access.on_line("02-00-5E-10-00-03"), what="alice is on line")
        wall = rule("alice", Degree.WALLED_GARDEN, measure="M-000002", until=now + timedelta(hours=1))
        seen = carry_out(access.driver, 3, [wall], at=now)
        assert seen.of("M-000002") is Seen.IN_FORCE, seen.detail
        access.try_again(ONE)
        until(lambda: access.classes() == ["tipstaff/M-000002"], what="alice is in the garden")
        assert access.driver.observe(at=now).of("M-000002") is Seen.IN_FORCE
        carry_out(access.driver, 4, [], at=now)
        access.try_again(ONE)
        until(lambda: access.classes() == [""], what="alice is on line without it")
        assert access.driver.observe(at=now).rules == ()


def test_a_measure_ends_at_the_server_while_nobody_looks(access: Access) -> None:
    now = wiring.now()
    carry_out(access.driver, 5, [rule("alice", Degree.SUSPEND, until=now + timedelta(seconds=3))], at=now)
    assert access.asked("alice") == "Access-Reject"
    assert access.asked("bob") == "Access-Accept"
    until(lambda: access.asked("alice") == "Access-Accept", what="its time is over")
    assert access.run("SELECT measure FROM tipstaff_measures") == [("M-000001",)], "its row is still there"


def test_a_session_is_changed_where_the_access_server_takes_that_and_goes_on(access: Access) -> None:
    now = wiring.now()
    started = now.strftime("%Y-%m-%d %H:%M:%S")
    access.run(
        "INSERT INTO radacct (acctsessionid, acctuniqueid, username, nasipaddress, callingstationid, acctstarttime) "
        f"VALUES ('C1', 'C1', 'alice', '{CHANGING}', '02-00-5E-10-00-0A', '{started}')"
    )
    driver = access.make(coa=True)
    wall = rule("alice", Degree.WALLED_GARDEN, measure="M-000003", until=now + timedelta(hours=1))
    assert carry_out(driver, 10, [wall], at=now).of("M-000003") is Seen.IN_FORCE
    assert access.classes() == ["tipstaff/M-000003"]
    assert access.on_line("02-00-5E-10-00-0A"), "it was not ended"
    # Nothing says which profile is the usual one, so its end is the session's end.
    assert carry_out(driver, 11, [], at=now).rules == ()
    assert not access.on_line("02-00-5E-10-00-0A")


def test_hostapd_refuses_a_change_and_the_session_is_ended_instead(access: Access) -> None:
    now = wiring.now()
    driver = access.make(coa=True)
    access.other_machine(ONE, 5)
    with access.supplicant(ONE):
        until(lambda: access.on_line("02-00-5E-10-00-05"), what="alice is on line")
        wall = rule("alice", Degree.WALLED_GARDEN, measure="M-000004")
        assert carry_out(driver, 12, [wall], at=now).of("M-000004") is Seen.IN_FORCE
        assert any("error cause 401" in why for why in driver._why.values()), "it takes no attribute of a profile"
        access.try_again(ONE)
        until(lambda: access.classes() == ["tipstaff/M-000004"], what="alice is in the garden")
        carry_out(driver, 13, [], at=now)


def test_one_machine_is_disconnected_and_cannot_come_back_while_another_of_the_same_log_in_can(access: Access) -> None:
    """The narrowest that RADIUS can say: the session of this log-in from this machine."""
    now = wiring.now()
    stopped, free = "02-00-5E-10-00-06", "02-00-5E-10-00-07"
    one = rule("alice", Degree.DISCONNECT, measure="M-000005", selector=Selector(session=f"alice/{stopped}"))

    def refusals() -> int:
        return len(access.run("SELECT username FROM radpostauth WHERE reply = 'Access-Reject'"))

    access.other_machine(ONE, 6)
    with access.supplicant(ONE):
        until(lambda: access.on_line(stopped), what="the machine is on line")
        seen = carry_out(access.driver, 20, [one], at=now)
        assert seen.of("M-000005") is Seen.IN_FORCE, seen.detail
        assert not access.on_line(stopped)
        before = refusals()
        access.try_again(ONE)
        until(lambda: refusals() > before, what="a refused log-in of the machine")
        assert not access.on_line(stopped)
        assert access.make().observe(at=now).of("M-000005") is Seen.IN_FORCE
    access.other_machine(ONE, 7)
    with access.supplicant(ONE):
        until(lambda: access.on_line(free), what="another machine of the same log-in is on line")
        assert access.driver.observe(at=now).of("M-000005") is Seen.IN_FORCE
        assert access.on_line(free), "and stays so"
    assert carry_out(access.driver, 21, [], at=now).rules == ()
