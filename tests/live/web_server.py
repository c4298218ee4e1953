"""A real nginx for the live tests and the benchmark: plain and by TLS, with two sites."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.live.running import free_ports
from tipstaff.testing.drivers import await_true

PROGRAM = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def statuses(port: int, *paths: str, version: str, host: str = "") -> list[str]:
    """What is answered by TLS to each of these paths, as they are written: `403 2` is 403 by HTTP/2. By HTTP/2 the host
    is the `:authority`."""
    asked = ["curl", "-sk", version, "--path-as-is", "-w", "%{http_code} %{http_version}\n"]
    asked += ["--connect-to", f"::127.0.0.1:{port}", *(["-H", f"Host: {host}"] if host else [])]
    for path in paths:
        asked += ["-o", "/dev/null", f"https://www.example.net:{port}{path}"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()


def gets_round(port: int, *ways: str) -> list[str]:
    """What is answered by TLS, and by HTTP/2, otherwise than it must be while `/pay/Log%20in.html` is stopped: by no
    other way of writing it a page comes, and its neighbours do."""
    wrong = []
    for version, told in (("--http1.0", "1.1"), ("--http1.1", "1.1"), ("--http2", "2")):
        wrong += [version for x in statuses(port, "/pay//Log%20in.html?x", version=version) if x != f"403 {told}"]
    paths = [way for way in ways if way.startswith("/")]
    wrong += [p for p, x in zip(paths, statuses(port, *paths, version="--http2"), strict=True) if x != "403 2"]
    for name in ("WWW.Example.NET", "www.example.net:80", "www.example.net."):
        wrong += [name for x in statuses(port, paths[0], version="--http2", host=name) if x != "403 2"]
    beside = statuses(port, "/pay/log%20in.html", "/pay/", version="--http2")
    beside += statuses(port, "/pay/Log%20in.html", version="--http2", host="shop.example.org")
    return wrong + [f"beside: {x}" for x in beside if x != "200 2"]


class Nginx:
    """Serves `www.example.net` and `shop.example.org` from a folder of its own, on loopback."""

    def __init__(self, folder: Path, *, workers: int = 1) -> None:
        assert PROGRAM is not None, "ask `PROGRAM` first"
        self.folder = folder
        self.included = folder / "tipstaff"
        self.included.mkdir()
        self.port, self.tls_port, self.status_port = free_ports(3)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", "/CN=www.example.net", "-keyout", str(folder / "key"), "-out", str(folder / "cert")],
            check=True, capture_output=True,
        )  # fmt: skip
        self.config = folder / "nginx.conf"
        site = f'include {self.included}/server*.conf; location / {{ return 200 "$host $uri\\n"; }}'
        self.config.write_text(
            f"worker_processes {workers}; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
            f"http {{ access_log off; include {self.included}/http*.conf;\n"
            f"ssl_certificate {folder}/cert; ssl_certificate_key {folder}/key;\n"
            f"server {{ listen 127.0.0.1:{self.port} default_server; server_name www.example.net; {site} }}\n"
            f"server {{ listen 127.0.0.1:{self.port}; server_name shop.example.org; {site} }}\n"
            f"server {{ listen 127.0.0.1:{self.tls_port} ssl http2; server_name www.example.net; {site} }}\n"
            "}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def options(self, **more: object) -> dict[str, object]:
        """What a `[[devices]]` table with `driver = "nginx"` takes for it."""
        return {
            "folder": str(self.included),
            "status": f"127.0.0.1:{self.status_port}",
            "nginx": PROGRAM,
            "nginx_options": ["-c", str(self.config)],
            "blocked_by": "https://noc.example.net/orders",
            "policy_url": "https://noc.example.net/policy",
            "probe_http": [f"127.0.0.1:{self.port}"],
            "probe_https": [f"127.0.0.1:{self.tls_port}"],
            **more,
        }

    def quick_reload(self) -> list[str]:
        """A command that reloads it and lets its old workers go at once, so that nothing need settle."""
        return [sys.executable, "-I", "-S", "-c", _QUICK_RELOAD, str(self.folder / "pid")]

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert PROGRAM is not None
        self.process = subprocess.Popen([PROGRAM, "-c", str(self.config), "-g", "daemon off;"])
        await_true(self.answers)

    def answers(self) -> bool:
        try:
            return self.get("/")[0] > 0
        except OSError:
            return False

    def reload(self) -> None:
        assert PROGRAM is not None
        subprocess.run([PROGRAM, "-c", str(self.config), "-s", "reload"], check=True, capture_output=True)

    def kill(self) -> None:
        """`kill -9` of it and of its workers, which would go on serving."""
        assert self.process is not None
        own = self.process.pid
        workers = Path(f"/proc/{own}/task/{own}/children").read_text().split()
        for pid in (own, *map(int, workers)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait(20)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def forget(self) -> None:
        """Take the driver's files away and let nginx know."""
        for name in ("server.conf", "http.conf", "http.before", "http.pending"):
            (self.included / name).unlink(missing_ok=True)
        self.reload()

        def forgotten() -> bool:
            connection = http.client.HTTPConnection("127.0.0.1", self.status_port, timeout=2)
            try:
                connection.request("GET", "/")
                connection.getresponse()
            except OSError:
                return True
            finally:
                connection.close()
            return False

        await_true(forgotten)

    def get(self, path: str, *, host: str = "www.example.net") -> tuple[int, str]:
        """Status and Link header of one request, sent as it is written."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.putrequest("GET", path, skip_host=True)
            connection.putheader("Host", host)
            connection.endheaders()
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers.get("Link", "")
        finally:
            connection.close()


_QUICK_RELOAD = """
import os, select, signal, sys
master = int(open(sys.argv[1]).read())
def workers():
    return set(map(int, open(f"/proc/{master}/task/{master}/children").read().split()))
old = workers()
os.kill(master, signal.SIGHUP)
for _ in range(1000):
    if workers() - old:
        break
    select.select([], [], [], 0.005)
for pid in old:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # It has gone by itself.
"""
