"""A small network on one machine: customers, an edge router with a packet filter, and the outside.

Three network namespaces, each kept alive by one process that waits on a pipe of ours. However we end, the pipe
closes, the process ends, and the kernel takes its namespace away: there is nothing to sweep up afterwards. It
needs root, or a kernel that lets a plain user have namespaces of their own; `Lab.unavailable()` says what is missing.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from ipaddress import ip_address
from typing import Literal

Side = Literal["inside", "outside"]

CUSTOMERS = ("192.0.2.7", "192.0.2.8", "192.0.2.9", "2001:db8:1::7", "2001:db8:1::8")
OUTSIDE = ("198.51.100.10", "2001:db8:ffff::10")
_EDGE = {"inside": ("192.0.2.1", "2001:db8::1"), "outside": ("198.51.100.1", "2001:db8:ffff::1")}
_TOOLS = ("ip", "nft", "nsenter", "unshare")


class LabFailed(Exception):
    """The example network could not be built."""


class Lab:
    """Builds the network when entered, or by `open`; takes it down when left, or by `close`."""

    def __init__(self, *, customers: Sequence[str] = CUSTOMERS, outside: Sequence[str] = OUTSIDE) -> None:
        self.customers = tuple(str(ip_address(a)) for a in customers)
        self.outside_addresses = tuple(str(ip_address(a)) for a in outside)
        self._keepers: dict[str, subprocess.Popen[str]] = {}
        self._listeners: list[subprocess.Popen[str]] = []
        self._plain_user = False

    @staticmethod
    def unavailable() -> str | None:
        """Why no such network can be built here, in a sentence; None if it can."""
        return _unavailable()

    def __enter__(self) -> "Lab":
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Build it; raise LabFailed if this machine does not allow it."""
        try:
            self._start_keepers()
            self._wire()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Take it down. Twice is harmless."""
        for process in (*self._listeners, *self._keepers.values()):
            process.kill()
            process.communicate()
        self._listeners.clear()
        self._keepers.clear()

    def prefix(self, where: str) -> list[str]:
        """The arguments to put before a command that shall run `inside`, at the `edge`, or `outside`."""
        pid = str(self._keepers[where].pid)
        enter = [_tool("nsenter"), "-t", pid, "-n"]
        return [*enter, "-U", "--preserve-credentials"] if self._plain_user else enter

    def device_options(self) -> dict[str, object]:
        """What a `[[devices]]` table with `driver = "nftables"` takes to work and probe on the edge."""
        return {
            "command_prefix": self.prefix("edge"),
            "probe_inside": self.prefix("inside"),
            "probe_outside": self.prefix("outside"),
            "probe_outside_addresses": list(self.outside_addresses),
        }

    def run(self, where: str, *command: str, given: str | None = None) -> str:
        """Run a command there and return what it prints; raise LabFailed if it fails."""
        done = subprocess.run(
            [*self.prefix(where), *command], input=given, capture_output=True, text=True, timeout=60, env=_env()
        )
        if done.returncode != 0:
            raise LabFailed(f"{' '.join(command)} ({where}): {done.stderr.strip()}")
        return done.stdout

    @contextlib.contextmanager
    def listening(self, side: Side, host: str, port: int, *, protocol: str = "tcp") -> Iterator[None]:
        """Somebody who accepts connections, or sends datagrams back, for as long as the block lasts."""
        process = self._listen(side, host, port, protocol)
        try:
            yield
        finally:
            self._listeners.remove(process)
            process.kill()
            process.communicate()

    def listen(self, side: Side, host: str, port: int, *, protocol: str = "tcp") -> None:
        """The same until the network is taken down."""
        self._listen(side, host, port, protocol)

    def knock(self, side: Side, host: str, port: int, *, source: str = "", protocol: str = "tcp") -> str:
        """Try to reach a host and port from one side: `connected`, `refused` or `silent`."""
        call = json.dumps([source, host, port, protocol])
        return self.run(side, sys.executable, "-I", "-S", "-c", _KNOCK, call).strip()

    def _listen(self, side: Side, host: str, port: int, protocol: str) -> "subprocess.Popen[str]":
        call = json.dumps([host, port, protocol])
        process = subprocess.Popen(
            [*self.prefix(side), sys.executable, "-I", "-S", "-c", _LISTEN, call],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            process.kill()
            process.communicate()
            raise LabFailed(f"nobody can listen on {protocol}/{port} of {host} ({side})")
        self._listeners.append(process)
        return process

    def _start_keepers(self) -> None:
        missing = [name for name in _TOOLS if not _tool(name)]
        if missing:
            raise LabFailed(f"{', '.join(missing)} is not installed (Debian: apt-get install nftables iproute2)")
        for where in ("edge", "inside", "outside"):
            self._plain_user = os.geteuid() != 0
            if not self._keep(where) and not self._plain_user:
                raise LabFailed("root may not make network namespaces here")
            if where not in self._keepers:
                raise LabFailed("this kernel lets a plain user have no user and network namespaces")

    def _keep(self, where: str) -> bool:
        unshare = [_tool("unshare"), "-n"]
        if self._plain_user:
            first = self._keepers.get("edge")
            # All three belong to one user namespace, so that wires may be drawn between them.
            enter = [_tool("nsenter"), "-t", str(first.pid), "-U", "--preserve-credentials"] if first else []
            unshare = [*enter, *unshare] if first else [*unshare, "-U", "-r"]
        keeper = subprocess.Popen(
            [*unshare, "sh", "-c", "echo ready; exec cat >/dev/null"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert keeper.stdout is not None
        if keeper.stdout.readline() != "ready\n":
            keeper.kill()
            keeper.communicate()
            return False
        self._keepers[where] = keeper
        return True

    def _wire(self) -> None:
        for where in self._keepers:
            # Nobody else is on these wires: IPv6 need not wait a second to find out whether an address is taken.
            self.run(where, "sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
        edge = ["link set lo up"]
        for side in ("inside", "outside"):
            edge += [
                f"link add {side} type veth peer name eth0 netns {self._keepers[side].pid}",
                *(f"addr add {a}/{_length(a)} dev {side}{_no_dad(a)}" for a in _EDGE[side]),
                f"link set {side} up",
            ]
        self.run("edge", _tool("ip"), "-batch", "-", given="\n".join(edge) + "\n")
        for side, addresses in (("inside", self.customers), ("outside", self.outside_addresses)):
            lines = ["link set lo up"]
            lines += [f"addr add {a}/{_length(a)} dev eth0{_no_dad(a)}" for a in addresses]
            lines.append("link set eth0 up")
            for gateway in _EDGE[side]:
                lines += [f"route add {gateway} dev eth0", f"route add default via {gateway}"]
            self.run(side, _tool("ip"), "-batch", "-", given="\n".join(lines) + "\n")
        routes = [f"route add {a} dev inside" for a in self.customers]
        routes += [f"route add {a} dev outside" for a in self.outside_addresses]
        self.run("edge", _tool("ip"), "-batch", "-", given="\n".join(routes) + "\n")
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"
        self.run("edge", "sh", "-c", forward)


@cache
def _unavailable() -> str | None:
    try:
        with Lab(customers=("192.0.2.7",), outside=("198.51.100.10",)) as lab:
            lab.run("edge", _tool("nft"), "add", "table", "inet", "trial")
    except (LabFailed, OSError, subprocess.SubprocessError) as why:
        return f"No example network can be built here: {why}."
    return None


def _tool(name: str) -> str:
    return shutil.which(name, path=_env()["PATH"]) or ""


def _env() -> dict[str, str]:
    return {**os.environ, "PATH": os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin", "LC_ALL": "C"}


def _length(address: str) -> int:
    return ip_address(address).max_prefixlen


def _no_dad(address: str) -> str:
    return " nodad" if ":" in address else ""


_LISTEN = """
import json, select, socket, sys
host, port, protocol = json.loads(sys.argv[1])
s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET,
                  socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((host, port))
if protocol == "tcp":
    s.listen(64)
print("ready", flush=True)
while True:
    for r in select.select([s, sys.stdin], [], [])[0]:
        if r is sys.stdin:
            sys.exit()
        if protocol == "tcp":
            s.accept()[0].close()
        else:
            s.sendto(*s.recvfrom(2048))
"""

_KNOCK = """
import json, socket, sys
source, host, port, protocol = json.loads(sys.argv[1])
s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET,
                  socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
s.settimeout(0.5)
if source:
    s.bind((source, 0))
try:
    s.connect((host, port))
    if protocol == "udp":
        s.send(b"?")
        s.recv(16)
    print("connected")
except TimeoutError:
    print("silent")
except ConnectionError:
    print("refused")
"""
