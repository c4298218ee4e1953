"""NAT logs the way they travel: `logger` sends them by UDP and TCP to a real rsyslog, whose file is taken in."""

import socket
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.live.needs import tool
from tests.live.running import until
from tipstaff import wiring
from tipstaff.attribution.operations import take_in
from tipstaff.attribution.protocol import Options
from tipstaff.attribution.queries import bindings_covering
from tipstaff.wiring import sources

pytestmark = [pytest.mark.live, pytest.mark.django_db]

RSYSLOG = """
global(workDirectory="{folder}")
module(load="imudp")
module(load="imtcp")
input(type="imudp" address="127.0.0.1" port="{udp}")
input(type="imtcp" address="127.0.0.1" port="{tcp}")
template(name="whole" type="string" string="%TIMESTAMP:::date-rfc3339% %HOSTNAME% %syslogtag% %msg%\\n")
action(type="omfile" file="{folder}/nat.log" template="whole")
"""
PUBLIC = ip_address("198.51.100.1")


class Collector:
    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self.log, self._ports, self._count = folder / "nat.log", ports, 0

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []

    def send(self, way: str, text: str) -> datetime:
        """Send one line, and wait until it is in the file; an instant after it was sent."""
        logger = [tool("logger", "bsdutils"), f"--{way}", "--server", "127.0.0.1", "--port", str(self._ports[way])]
        subprocess.run([*logger, "--rfc5424", "--tag", "cgn1", "--", text], check=True)
        self._count += 1
        until(lambda: len(self.lines()) == self._count, what=f"{text} in the file")
        return wiring.now()


@pytest.fixture
def collector(tmp_path) -> Iterator[Collector]:
    rsyslogd = tool("rsyslogd", "rsyslog")
    ports = {way: free_port(kind) for way, kind in (("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM))}
    config = tmp_path / "rsyslog.conf"
    config.write_text(RSYSLOG.format(folder=tmp_path, **ports))
    process = subprocess.Popen([rsyslogd, "-n", "-f", str(config), "-i", str(tmp_path / "pid")])
    try:
        until(lambda: listens(ports["tcp"]), what="rsyslog listening")
        yield Collector(tmp_path, ports)
    finally:
        process.kill()
        process.wait()


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as trying:
        trying.bind(("127.0.0.1", 0))
        return int(trying.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as trying:
        return trying.connect_ex(("127.0.0.1", port)) == 0


def inside_at(port: int, at: datetime) -> list[str]:
    found = bindings_covering(PUBLIC, earliest=at, latest=at, port=port)
    return [str(b.inside) for b in found if b.sure_from <= at < b.sure_until or b.momentary]


def test_blocks_and_flows_that_came_by_syslog_lead_inside(collector, tmp_path):
    pba = (
        "RT_SRC_NAT_PBA_{} - Subscriber {} used/maximum [1/8] blocks, {} port block [{}] from 198.51.100.1 in pool cgn"
    )
    collector.send("udp", pba.format("ALLOC", "100.64.0.1", "allocates", "1024-1151"))
    collector.send("tcp", "event=alloc inside=100.64.0.2 outside=198.51.100.1 ports=1152-1279")
    connected = collector.send(
        "udp", "NAT-TCP-C: 100.64.0.3:50001<->203.0.113.9:80,198.51.100.1:2000<-->203.0.113.9:80"
    )
    collector.send("tcp", "NAT-TCP-D: 100.64.0.3:50001<->203.0.113.9:80,198.51.100.1:2000<-->203.0.113.9:80")
    collector.send("udp", "the weather is fine")
    released = collector.send("tcp", pba.format("RELEASE", "100.64.0.1", "releases", "1024-1151"))
    collector.send("udp", "event=release inside=100.64.0.2 outside=198.51.100.1 ports=1152-1279")

    at = wiring.now()
    for kind, refused in (("nat-blocks", 3), ("nat-syslog", 5)):
        options = Options(source=kind, inside_realm="cgn", clock_error_seconds=0.0)
        (load,) = take_in(collector.log, sources()[kind], options, at=at, actor="engineer")
        assert (load.records, load.refused_total) == (7 - refused, refused), load.refused
        assert all("this reader knows" in bad.why for bad in load.refused)
    assert inside_at(1100, connected) == ["100.64.0.1"]
    assert inside_at(1200, connected) == ["100.64.0.2"]
    assert inside_at(2000, connected) == ["100.64.0.3"]
    assert inside_at(1100, released) == []
    assert inside_at(1200, connected - timedelta(hours=1)) == []
