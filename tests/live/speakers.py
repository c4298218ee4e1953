"""A BGP peer with a kernel (FRR at the edge of the example network), and speakers that announce to it."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import ClassVar

from tipstaff.enforcement.drivers import exabgp, gobgp
from tipstaff.testing.drivers import NOON, await_true
from tipstaff.testing.lab import Lab

AS, SPEAKER, PEER = 64500, "192.0.2.9", "192.0.2.1"
PATIENT = 20
"""Seconds that a driver waits for the peer to follow: on a machine where much else runs, FRR's kernel takes some."""
HOLD = 15
"""Seconds without a word after which a session is given up. One whose process is killed ends at once all the same; with
the three that BGP allows at least, sessions ended by themselves on a machine where much else runs."""
DISCARD, DISCARD6 = "198.51.100.254", "2001:db8:ffff::254"
_FAMILIES = ("ipv4 unicast", "ipv6 unicast", "ipv4 flowspec", "ipv6 flowspec")
_DAEMONS = Path("/usr/lib/frr")


@cache
def unavailable(*programs: str) -> str | None:
    """Why there can be no such peer here, in a sentence; None if there can."""
    missing = [p for p in ("vtysh", *programs) if not program(p)]
    missing += [p for p in ("zebra", "bgpd") if not (_DAEMONS / p).exists()]
    if missing:
        return f"{', '.join(missing)} is not installed (Debian: apt-get install bird2 frr exabgp gobgpd)."
    if os.geteuid() != 0:
        return "FRR changes its user and takes root for that."
    return Lab.unavailable()


def program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Running:
    """Processes of one kind, started behind a prefix and ended with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str) -> None:
        log = open(self.folder / f"{name}.log", "ab")  # noqa: SIM115  # the process keeps it
        self.processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill(self, *names: str) -> None:
        for name in names or tuple(self.processes):
            process = self.processes.pop(name)
            process.kill()
            process.wait()


class Peer(Running):
    """FRR at the edge: what a speaker announces goes into the kernel that forwards the packets."""

    def __init__(self, lab: Lab, folder: Path, *, more: str = "", announces: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self.lab = lab
        user = pwd.getpwnam("frr")
        # Somewhere that another user may enter.
        folder.mkdir(parents=True)
        os.chown(folder, user.pw_uid, user.pw_gid)
        families = "\n".join(
            f" address-family {f}\n  neighbor {SPEAKER} activate\n"
            f"  neighbor {SPEAKER} soft-reconfiguration inbound\n  neighbor {SPEAKER} route-map IN in\n"
            + ("  local-install lo\n" if "flowspec" in f else "")
            + " exit-address-family"
            for f in _FAMILIES
        )
        families += "\n address-family ipv4 unicast\n" + "".join(f"  network {n}\n" for n in announces)
        families += " exit-address-family"
        (folder / "bgpd.conf").write_text(
            f"hostname peer\nbgp route-map delay-timer 0\n{more}route-map IN permit 100\n"
            f"router bgp {AS}\n bgp router-id {PEER}\n"
            " no bgp default ipv4-unicast\n no bgp network import-check\n no bgp ebgp-requires-policy\n"
            f" neighbor {SPEAKER} remote-as {AS}\n neighbor {SPEAKER} timers 5 {HOLD}\n"
            f" neighbor {SPEAKER} timers connect 1\n neighbor {SPEAKER} passive\n{families}\n"
        )
        (folder / "zebra.conf").write_text("hostname peer\n")

    def open(self) -> None:
        lab = self.lab
        # The customers' own host routes would win over anything that BGP says of them.
        for address in lab.customers:
            lab.run("edge", "ip", "route", "del", address, "dev", "inside")
        for net in ("192.0.2.0/24", "2001:db8:1::/64"):
            lab.run("edge", "ip", "route", "add", net, "dev", "inside")
        lab.run("edge", "ip", "route", "add", "blackhole", DISCARD)
        lab.run("edge", "ip", "-6", "route", "add", "blackhole", DISCARD6)
        self.start_daemons()

    def start_daemons(self) -> None:
        for stale in ("zserv.api", "zebra.vty", "bgpd.vty"):
            (self.folder / stale).unlink(missing_ok=True)
        self._daemon("zebra")
        await_true((self.folder / "zserv.api").exists)
        self._daemon("bgpd")
        await_true((self.folder / "bgpd.vty").exists)

    def kill_daemons(self) -> None:
        self.kill("bgpd", "zebra")

    def ask(self, command: str) -> str:
        """What FRR's shell answers."""
        return self.lab.run(
            "edge",
            program("vtysh") or "",
            "--vty_socket",
            str(self.folder),
            *(x for line in command.splitlines() for x in ("-c", line)),
        )

    def flows(self, version: int = 4) -> list[str]:
        """The FlowSpec rules in its RIB."""
        lines = self.ask(f"show bgp ipv{version} flowspec").splitlines()
        return sorted(" ".join(line.split()[1:-3]) for line in lines if line.startswith("*>i"))

    def blackholes(self) -> set[str]:
        """The IPv4 blackholes in the kernel that BGP put there."""
        lines = self.lab.run("edge", "ip", "route", "show", "type", "blackhole").splitlines()
        return {line.split()[1] for line in lines if "proto bgp" in line}

    def _daemon(self, name: str) -> None:
        folder = self.folder
        self.start(
            name,
            *self.lab.prefix("edge"),
            *(str(_DAEMONS / name), "-u", "frr", "-g", "frr", "-f", str(folder / f"{name}.conf")),
            *("-i", str(folder / f"{name}.pid"), "-z", str(folder / "zserv.api"), "--vty_socket", str(folder)),
            *("-A", "127.0.0.1", "-P", "0"),
        )  # fmt: skip


@contextlib.contextmanager
def peer_at_the_edge(folder: Path, *, more: str = "", announces: Sequence[str] = ()) -> Iterator[Peer]:
    """The example network with FRR at its edge."""
    with Lab() as lab:
        peer = Peer(lab, folder, more=more, announces=announces)
        peer.open()
        try:
            yield peer
        finally:
            peer.kill()


class BirdSpeaker(Running):
    """BIRD on the customers' side, as the docs say that it is set up."""

    def __init__(self, lab: Lab, folder: Path, *, device: str = "edge1", more: str = "", taking: str = "none") -> None:
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.lab = lab
        self.include = folder / "tipstaff"
        self.include.mkdir(exist_ok=True)
        self.socket = folder / "bird.ctl"
        self.config = folder / "bird.conf"
        channels = "".join(
            f"  {channel} {{ table tipstaff_{device}_{table}; import {taking}; export all; }};\n"
            for channel, table in (("ipv4", "4"), ("ipv6", "6"), ("flow4", "flow4"), ("flow6", "flow6"))
        )
        tables = "".join(
            f"{kind} table tipstaff_{device}_{table};\n"
            for kind, table in (("ipv4", "4"), ("ipv6", "6"), ("flow4", "flow4"), ("flow6", "flow6"))
        )
        self.config.write_text(
            f"router id {SPEAKER};\nprotocol device {{}}\n{tables}"
            f'include "{self.include}/*.conf";\n{more}'
            f"protocol bgp edge {{\n  local {SPEAKER} as {AS};\n  neighbor {PEER} as {AS};\n"
            f"  connect delay time 0; connect retry time 1; error wait time 1, 2; hold time {HOLD};\n"
            f"{channels}}}\n"
        )

    def open(self) -> None:
        self.start_only()
        self.await_peer()

    def await_peer(self) -> None:
        await_true(lambda: "Established" in self.ask("show protocols edge"))

    def start_only(self) -> None:
        self.socket.unlink(missing_ok=True)
        self.start(
            "bird", *self.lab.prefix("inside"), program("bird") or "", "-f",
            "-c", str(self.config), "-s", str(self.socket),
        )  # fmt: skip

    def ask(self, command: str) -> str:
        done = subprocess.run(
            [program("birdc") or "", "-s", str(self.socket), command], capture_output=True, text=True, timeout=60
        )
        return done.stdout

    def options(self, *, announce: str = "blackhole", **more: object) -> dict[str, object]:
        hops = {"next_hop4": DISCARD, "next_hop6": DISCARD6} if announce == "blackhole" else {}
        return {
            "announce": announce,
            "file": str(self.include / f"{announce}.conf"),
            "socket": str(self.socket),
            "sessions": ["edge"],
            "settle_seconds": PATIENT,
            **hops,
            **more,
        }


class ExaBgpSpeaker(Running):
    """ExaBGP on the customers' side, with the process that announces for the driver."""

    PROGRAMS: ClassVar[tuple[str, ...]] = ("exabgp",)

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.lab = lab
        self.book = folder / "edge1.book"
        self.config = folder / "exabgp.conf"
        mouth = Path(exabgp.__file__).with_name("mouth.py")
        self.config.write_text(
            f"process tipstaff {{ run {sys.executable} {mouth} {self.book}; encoder text; }}\n"
            f"neighbor {PEER} {{ router-id {SPEAKER}; local-address {SPEAKER}; local-as {AS}; peer-as {AS};\n"
            f"  hold-time {HOLD}; "
            "family { ipv4 unicast; ipv6 unicast; ipv4 flow; ipv6 flow; }\n"
            "  api { processes [ tipstaff ]; }\n}\n"
        )

    def open(self) -> None:
        self.start_only()
        self.await_peer()

    def start_only(self) -> None:
        settings = {"exabgp_daemon_user": "root", "exabgp_api_cli": "false"}
        env = [f"{name}={value}" for name, value in settings.items()]
        self.start("exabgp", *self.lab.prefix("inside"), "env", *env, program("exabgp") or "", str(self.config))

    def await_peer(self) -> None:
        driver = exabgp.make("edge1", self.options())
        await_true(lambda: (seen := driver.observe(at=NOON)).complete and not seen.detail)

    def options(self, *, announce: str = "blackhole", **more: object) -> dict[str, object]:
        hops = {"next_hop4": DISCARD, "next_hop6": DISCARD6} if announce == "blackhole" else {}
        return {"announce": announce, "file": str(self.book), "settle_seconds": PATIENT, **hops, **more}


class GoBgpSpeaker(Running):
    """gobgpd on the customers' side, told over a socket of its own."""

    PROGRAMS: ClassVar[tuple[str, ...]] = ("gobgp", "gobgpd")

    def __init__(self, lab: Lab, folder: Path) -> None:
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.lab = lab
        self.book = folder / "edge1.book"
        self.target = f"unix://{folder}/gobgpd.sock"
        self.config = folder / "gobgpd.conf"
        families = "".join(
            f"[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = '{name}'\n"
            for name in ("ipv4-unicast", "ipv6-unicast", "ipv4-flowspec", "ipv6-flowspec")
        )
        self.config.write_text(
            f"[global.config]\nas = {AS}\nrouter-id = '{SPEAKER}'\nport = -1\n"
            f"[[neighbors]]\n[neighbors.config]\nneighbor-address = '{PEER}'\npeer-as = {AS}\n"
            f"[neighbors.transport.config]\nlocal-address = '{SPEAKER}'\n"
            f"[neighbors.timers.config]\nhold-time = {HOLD}\nconnect-retry = 1\n"
            f"idle-hold-time-after-reset = 1\n{families}"
        )

    def open(self) -> None:
        self.start_only()
        self.await_peer()

    def start_only(self) -> None:
        Path(self.target.removeprefix("unix://")).unlink(missing_ok=True)
        self.start(
            "gobgpd", *self.lab.prefix("inside"), program("gobgpd") or "", "-f", str(self.config),
            "--api-hosts", self.target, "--pprof-disable",
        )  # fmt: skip

    def await_peer(self) -> None:
        driver = gobgp.make("edge1", self.options())
        await_true(lambda: (seen := driver.observe(at=NOON)).complete and not seen.detail)

    def run(self, *words: str) -> None:
        subprocess.run([program("gobgp") or "", "--target", self.target, *words], check=True, capture_output=True)

    def options(self, *, announce: str = "blackhole", **more: object) -> dict[str, object]:
        hops = {"next_hop4": DISCARD, "next_hop6": DISCARD6} if announce == "blackhole" else {}
        return {
            "announce": announce, "file": str(self.book), "mark": f"{AS}:7", "target": self.target,
            "settle_seconds": PATIENT, **hops, **more,
        }  # fmt: skip
