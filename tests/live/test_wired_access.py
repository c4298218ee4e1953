"""Wired 802.1X: real hostapd as the access switch, real supplicants behind its ports, and what FreeRADIUS wrote.

hostapd knows no addresses. Two ways lead from one to a log-in all the same. FreeRADIUS gives each log-in its own as the
Class of the accept; the switch says it again with all accounting (RFC 2865 section 5.25), and FreeRADIUS writes it down
as the address. Or a neighbour table says which machine has the address, and the accounting who was let in with it. Who
sent what, and when, is heard on the wire of each port.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.live.needs import need_lab, tool
from tests.live.running import until
from tests.live.test_real_sources import RADIUSD, SECRET, customers, running
from tipstaff import wiring
from tipstaff.attribution.neighbour_tables import heard
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.cli.main import app
from tipstaff.procedures.lookup import who_held
from tipstaff.testing.lab import Lab
from tipstaff.wiring import sources
from tipstaff.words import AttributionReason, Grade, Moment, SubjectKind

pytestmark = [pytest.mark.live, pytest.mark.django_db]

ADDRESSES = {"alice": "192.0.2.7", "bob": "192.0.2.8", "carol": "192.0.2.7"}
"""Whose is which; alice and carol have the same one, one after the other."""
LASTS_SECONDS = 6
"""At the least, so that a session has a middle that no clock's error reaches."""
ONE_SECOND = timedelta(seconds=1)
APART = 1.5 * ONE_SECOND
"""A look at the neighbours and what was sent: more than the errors of both."""

MODULES = """
modules {{
    files {{
        filename = {folder}/users
    }}
    eap {{
        default_eap_type = md5
        md5 {{
        }}
    }}
"""
LETS_IN = """
server access {
    listen {
        type = auth
        ipaddr = 127.0.0.1
        port = 1812
    }
    authorize {
        eap
        files
    }
    authenticate {
        eap
    }
}
"""
WRITES_ADDRESS = """
    preacct {
        if (&Class) {
            update request {
                &Framed-IP-Address := "%{string:Class}"
            }
        }
    }
    accounting {
"""
HOSTAPD = """
interface={port}
driver=wired
ieee8021x=1
own_ip_addr={nas}
auth_server_addr=127.0.0.1
auth_server_port=1812
auth_server_shared_secret={secret}
acct_server_addr=127.0.0.1
acct_server_port=1813
acct_server_shared_secret={secret}
radius_acct_interim_interval=1
"""
SUPPLICANT = """
ctrl_interface={folder}/control
ap_scan=0
network={{
    key_mgmt=IEEE8021X
    eap=MD5
    identity="{user}"
    password="{password}"
    eapol_flags=0
}}
"""
HEAR = """
import json, socket, struct, sys, time
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
    wire.bind((sys.argv[1], 0))
    print("ready", flush=True)
    while True:
        ip = wire.recv(2000)[14:]
        if ip[9] == 17 and struct.unpack_from(">H", ip, (ip[0] & 15) * 4 + 2)[0] == 4000:
            print(json.dumps([socket.inet_ntoa(ip[12:16]), time.time()]), flush=True)
"""
SEND = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
    sending.bind((sys.argv[1], 0))
    sending.sendto(b"here", (sys.argv[2], 4000))
"""


@dataclass(frozen=True)
class Port:
    """A port of the switch: the side of the lab behind it, and the address by which it names itself."""

    side: str
    nas: str


ONE, TWO = Port("inside", "192.0.2.1"), Port("outside", "198.51.100.1")


@dataclass(frozen=True)
class Sent:
    """A packet that passed on the wire of a port while somebody was logged in there."""

    user: str
    address: str
    at: datetime


class Switch:
    """The lab's edge as an access switch with two ports, its RADIUS server, and who logs in behind them."""

    def __init__(self, lab: Lab, folder: Path, stack: ExitStack) -> None:
        self.lab, self.folder, self._stack = lab, folder, stack
        self.sent: list[Sent] = []
        self.looks, self.looks_apart = folder / "looks.jsonl", timedelta(0)
        users = "".join(f'{u} Cleartext-Password := "of-{u}"\n\tClass = "{a}"\n' for u, a in ADDRESSES.items())
        (folder / "users").write_text(users)
        (folder / "dictionary").write_text("")
        config = RADIUSD.format(folder=folder, port=1813, secret=SECRET)
        config = config.replace("modules {\n", MODULES.format(folder=folder)).replace(
            "    accounting {\n", WRITES_ADDRESS
        )
        (folder / "radiusd.conf").write_text(config + LETS_IN)
        radius = [*lab.prefix("edge"), tool("freeradius", "freeradius"), "-f", "-l", "stdout", "-d", str(folder)]
        stack.enter_context(running([*radius, "-n", "radiusd"], until="Ready to process requests"))
        self._ports: dict[Port, ExitStack] = {}

    def plug_in(self, port: Port) -> None:
        """hostapd on the port; once more after it was killed."""
        config = self.folder / f"{port.side}.conf"
        config.write_text(HOSTAPD.format(port=port.side, nas=port.nas, secret=SECRET))
        own = self._ports[port] = self._stack.enter_context(ExitStack())
        hostapd = [*self.lab.prefix("edge"), tool("hostapd", "hostapd"), str(config)]
        own.enter_context(running(hostapd, until="AP-ENABLED"))

    def kill(self, port: Port) -> None:
        """As when the power fails: no Stop, no Accounting-Off."""
        self._ports.pop(port).close()

    @contextmanager
    def supplicant(self, port: Port, user: str, *, password: str = "", says: str = "EAP-SUCCESS") -> Iterator[Path]:
        """Somebody who logs in behind a port; killed at the end, which no switch notices."""
        own = self.folder / f"{port.side}-{user}"
        own.mkdir()
        config = own / "supplicant.conf"
        config.write_text(SUPPLICANT.format(folder=own, user=user, password=password or f"of-{user}"))
        command = [tool("wpa_supplicant", "wpasupplicant"), "-Dwired", "-ieth0", f"-c{config}"]
        with running([*self.lab.prefix(port.side), *command], until=says):
            yield own / "control"
        shutil.rmtree(own)

    def use(self, port: Port, user: str) -> None:
        """In the middle of a session look at the neighbours, send something, and look again; then wait a little."""
        address = ADDRESSES[user]
        until(lambda: self.records(port.nas, user=user, lasted=LASTS_SECONDS // 2), what=f"an interim record of {user}")
        before = self.look(port, address)
        until(lambda: wiring.now() > before + APART, what="time between a look and what it is about")
        hearing = subprocess.Popen(
            [*self.lab.prefix("edge"), sys.executable, "-c", HEAR, port.side], stdout=subprocess.PIPE, text=True
        )
        try:
            assert hearing.stdout is not None
            assert hearing.stdout.readline() == "ready\n"
            self.lab.run(port.side, sys.executable, "-c", SEND, address, port.nas)
            source, when = json.loads(hearing.stdout.readline())
        finally:
            hearing.kill()
            hearing.communicate()
        assert source == address
        self.sent.append(Sent(user, source, datetime.fromtimestamp(when, UTC)))
        until(lambda: wiring.now() > self.sent[-1].at + APART, what="time between what was sent and the next look")
        self.looks_apart = max(self.looks_apart, self.look(port, address) - before)
        heard_of = lambda: self.told_at(port.nas, "Interim-Update", user=user)[-1]  # noqa: E731 - it is asked at once
        until(lambda: heard_of() > self.sent[-1].at + 2 * APART, what=f"a later record of {user}")

    def look(self, port: Port, address: str) -> datetime:
        """Until the switch's own neighbour table has the machine that is behind the port now."""
        ip = tool("ip", "iproute2")
        (link,) = json.loads(self.lab.run(port.side, ip, "-j", "link", "show", "eth0"))
        command = ["neighbours", "--into", str(self.looks), "--", *self.lab.prefix("edge"), ip, "-j", "neigh"]

        def shows() -> datetime | None:
            self.lab.knock(port.side, port.nas, 4000, source=address)
            done = CliRunner().invoke(app, command)
            assert done.exit_code == 0, done.output
            look = json.loads(self.looks.read_text().splitlines()[-1])
            there = [n for n in look["neighbours"] if (n["dst"], n.get("lladdr")) == (address, link["address"])]
            return datetime.fromisoformat(look["at"]) if any(map(heard, there)) else None

        return until(shows, what=f"the neighbour {address}")

    def log_off(self, port: Port, user: str, control: Path) -> None:
        client = [tool("wpa_cli", "wpasupplicant"), "-p", str(control), "-i", "eth0", "logoff"]
        assert "OK" in self.lab.run(port.side, *client)
        until(lambda: self.records(port.nas, "Stop", user=user), what=f"the Stop of {user}")

    def records(self, nas: str, status: str = "", *, user: str = "", lasted: int = 0) -> list[dict[str, str]]:
        """What the detail file says of a switch."""
        found = []
        for text in self.written().split("\n\n"):
            record = dict(line.strip().split(" = ", 1) for line in text.splitlines() if " = " in line)
            fits = record.get("NAS-IP-Address") == nas and status in ("", record["Acct-Status-Type"])
            if fits and user in record.get("User-Name", "") and int(record.get("Acct-Session-Time", 0)) >= lasted:
                found.append(record)
        return found

    def told_at(self, nas: str, status: str, *, user: str = "") -> list[datetime]:
        """When the server wrote records of this status."""
        found = self.records(nas, status, user=user)
        return [datetime.fromtimestamp(int(record["Timestamp"]), UTC) for record in found]

    def written(self) -> str:
        detail = self.folder / "detail"
        return detail.read_text() if detail.exists() else ""


@dataclass(frozen=True)
class Evening:
    """What happened at the switch, and what was written of it."""

    detail: Path
    looks: Path
    looks_apart: timedelta
    """At the most, of two looks at one address in one session."""
    sent: list[Sent]
    there: dict[str, tuple[datetime, datetime]]
    """Between which instants each may have been logged in."""
    failed_at: datetime
    restarted_at: datetime

    def truth(self, address: str, when: datetime) -> set[str]:
        """Who may have had the address."""
        return {
            u for u, (a, b) in self.there.items() if ADDRESSES[u] == address and a <= when <= b + 2 * ONE_SECOND
        }  # fmt: skip


@pytest.fixture(scope="module")
def evening(tmp_path_factory) -> Evening:
    folder = tmp_path_factory.mktemp("switch")
    for name, package in (("hostapd", "hostapd"), ("wpa_supplicant", "wpasupplicant"), ("freeradius", "freeradius")):
        tool(name, package)
    need_lab()
    began = wiring.now()
    with Lab(customers=("192.0.2.7",), outside=("192.0.2.8",)) as lab, ExitStack() as stack:
        switch = Switch(lab, folder, stack)
        for port in (ONE, TWO):
            switch.plug_in(port)
        # Two at once behind two ports; then another customer's machine behind the first, with the same address.
        with switch.supplicant(TWO, "bob") as of_bob:
            with switch.supplicant(ONE, "alice") as of_alice:
                switch.use(ONE, "alice")
                switch.use(TWO, "bob")
                switch.log_off(ONE, "alice", of_alice)
            lab.run("inside", tool("ip", "iproute2"), "link", "set", "eth0", "address", "02:00:5e:10:00:03")
            with switch.supplicant(ONE, "carol"):
                switch.use(ONE, "carol")
                # The power fails: what ends carol's session is that the switch begins anew.
                failed_at = wiring.now()
                switch.kill(ONE)
            before = len(switch.told_at(ONE.nas, "Accounting-On"))
            switch.plug_in(ONE)
            restarts = until(lambda: switch.told_at(ONE.nas, "Accounting-On")[before:], what="the Accounting-On")
            # hostapd lets nobody try for a minute after a failure, so this one comes last.
            with switch.supplicant(ONE, "mallory", password="guessed", says="EAP-FAILURE"):
                pass
            switch.log_off(TWO, "bob", of_bob)
        assert "mallory" not in switch.written(), "who was not let in has no session"
        assert not switch.records(ONE.nas, "Stop", user="carol")
    assert [s.user for s in switch.sent] == ["alice", "bob", "carol"]
    (left_at,) = switch.told_at(ONE.nas, "Stop")
    there = {
        "alice": (began, left_at), "carol": (left_at, restarts[0]), "bob": (began, switch.told_at(TWO.nas, "Stop")[0]),
    }  # fmt: skip
    return Evening(folder / "detail", switch.looks, switch.looks_apart, switch.sent, there, failed_at, restarts[-1])


NAMES = sorted(ADDRESSES)


def test_everybody_is_named_who_logged_in_behind_a_real_switch(evening):
    at = wiring.now() + timedelta(minutes=1)
    customers(len(NAMES), kind=SubjectKind.USERNAME, names=NAMES, at=at)
    options = Options(source="radius", clock_error_seconds=1.0)
    (load,) = take_in(evening.detail, sources()["radius-detail"], options, at=at, actor="engineer")
    assert load.refused_total == 0, load.refused
    for packet in evening.sent:
        answer = asked(packet.address, packet.at, received_at=at)
        assert (answer.grade, answer.customer) == (Grade.CONFIRMED, f"acct-{NAMES.index(packet.user)}"), packet
        assert answer.bindings[0].file == str(evening.detail)
    assert nobody_is_named_in_anothers_place(evening, at) > LASTS_SECONDS
    # Between the failure and the restart carol may have been there; since the restart she was not.
    assert asked(ADDRESSES["carol"], evening.failed_at, received_at=at).grade is not Grade.CONFIRMED
    after = asked(ADDRESSES["carol"], evening.restarted_at + 5 * ONE_SECOND, received_at=at)
    assert after.reason in (AttributionReason.SOURCE_GAP, AttributionReason.UNASSIGNED)


def test_the_machines_that_the_neighbour_table_shows_lead_to_whoever_logged_in_with_them(evening):
    at = wiring.now() + timedelta(minutes=1)
    customers(len(NAMES), kind=SubjectKind.USERNAME, names=NAMES, at=at)
    # As if the switch had stated no addresses: those that it did state count in a realm of which nobody asks.
    of_radius = Options(source="radius", realm="unasked", clock_error_seconds=1.0)
    every = evening.looks_apart.total_seconds()
    looked = Options(source="arp", interim_seconds=every, clock_error_seconds=0.5)
    list(take_in(evening.detail, sources()["radius-detail"], of_radius, at=at, actor="engineer"))
    list(take_in(evening.looks, sources()["neighbours"], looked, at=at, actor="engineer"))
    for packet in evening.sent:
        answer = asked(packet.address, packet.at, received_at=at)
        assert (answer.grade, answer.customer) == (Grade.PROBABLE, f"acct-{NAMES.index(packet.user)}"), packet
        shown, let_in = answer.bindings[0], answer.bindings[-1]
        assert (shown.file, let_in.file) == (str(evening.looks), str(evening.detail)), "both steps are proven"
        assert str(let_in.prefix) == shown.subject
    assert nobody_is_named_in_anothers_place(evening, at) > 0


def nobody_is_named_in_anothers_place(evening: Evening, at: datetime) -> int:
    """Ask of every half second and both addresses; how often somebody was named."""
    named = 0
    for address in sorted(set(ADDRESSES.values())):
        when = min(begin for begin, _ in evening.there.values())
        while when < at:
            customer = asked(address, when, received_at=at).customer
            allowed = {f"acct-{NAMES.index(u)}" for u in evening.truth(address, when)}
            assert customer is None or customer in allowed, (address, when)
            named += customer is not None
            when += ONE_SECOND / 2
    return named


def asked(address: str, when: datetime, *, received_at: datetime):
    return who_held(ip_address(address), port=None, moment=Moment(when, 0.5), received_at=received_at)
