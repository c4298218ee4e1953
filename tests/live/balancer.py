"""A real HAProxy for the live tests and the benchmark, by plain HTTP and TLS, on loopback."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from tests.live.running import free_ports
from tipstaff.testing.drivers import await_true

PROGRAM = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")


class Haproxy:
    """Every page of every host name answers with the request as it arrived."""

    def __init__(self, folder: Path, *, rules: str) -> None:
        assert PROGRAM is not None, "ask `PROGRAM` first"
        self.folder = folder
        self.map_file = folder / "tipstaff.map"
        self.map_file.touch()
        self.socket = folder / "api"
        self.port, self.tls_port = free_ports(2)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", "/CN=www.example.net", "-keyout", str(folder / "pem.key"), "-out", str(folder / "pem")],
            check=True, capture_output=True,
        )  # fmt: skip
        (folder / "haproxy.cfg").write_text(
            f"global\n    stats socket {self.socket} level admin\n    expose-experimental-directives\n    nbthread 2\n"
            "defaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n    timeout connect 5s\n"
            f"frontend pages\n    bind 127.0.0.1:{self.port}\n"
            f"    bind 127.0.0.1:{self.tls_port} ssl crt {folder}/pem alpn h2,http/1.1\n"
            f"{rules}\n"
            '    http-request return status 200 content-type text/plain lf-string "%[url]"\n'
        )
        self._process: subprocess.Popen[bytes] | None = None

    def options(self, **more: object) -> dict[str, object]:
        """What a `[[devices]]` table with `driver = "haproxy"` takes for it."""
        return {
            "socket": str(self.socket), "map_file": str(self.map_file), "blocked_by": "https://noc.example.net/orders",
            "policy_url": "https://noc.example.net/policy", "probe_http": [f"127.0.0.1:{self.port}"],
            "probe_https": [f"127.0.0.1:{self.tls_port}"], **more,
        }  # fmt: skip

    def start(self) -> None:
        assert PROGRAM is not None
        self._process = subprocess.Popen([PROGRAM, "-f", str(self.folder / "haproxy.cfg")], stderr=subprocess.DEVNULL)
        await_true(lambda: self.asks(b"GET / HTTP/1.0\r\n\r\n").startswith("HTTP/1."))

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)

    def api(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(str(self.socket))
            wire.sendall(command.encode() + b"\n")
            return wire.makefile().read()

    def wipe(self) -> None:
        self.api(f"clear map {self.map_file}")
        self.map_file.write_text("")

    def asks(self, request: bytes) -> str:
        """The whole answer to a request that is sent as it is; "" where nobody answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as wire:
                wire.sendall(request)
                return wire.makefile(encoding="latin-1", newline="").read()
        except OSError:
            return ""

    def get(self, path: str, *, host: str = "www.example.net") -> tuple[int, str]:
        """Status, and the Link header or what the page says."""
        said = self.asks(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode("latin-1"))
        head, _, body = said.partition("\r\n\r\n")
        links = [line[6:] for line in head.split("\r\n") if line.lower().startswith("link: ")]
        return int(head.split()[1]), links[0] if links else body
