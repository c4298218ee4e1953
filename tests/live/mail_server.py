"""A real Postfix with its own settings and queue on loopback, and the policy server that it asks."""

import asyncio
import contextlib
import json
import multiprocessing
import multiprocessing.process
import os
import shutil
import smtplib
import socket
import subprocess
import tempfile
from ipaddress import ip_network
from pathlib import Path

from tests.live.running import free_ports
from tipstaff import wiring
from tipstaff.enforcement.mail_policy import Policy, serve
from tipstaff.testing.drivers import await_true

PATH = os.environ.get("PATH", "") + ":/usr/sbin"
POSTFIX = shutil.which("postfix", path=PATH)
_SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
showq unix n - n - - showq
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """It takes mail for anybody, keeps it in its queue, and lets 127.0.0.1 say which log-in it is (XCLIENT)."""

    def __init__(self, *, when_down: str = "open") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tipstaff-postfix-"))
        self.folder.chmod(0o755)  # Postfix's own users go in there.
        self.rows = self.folder / "rows"
        self.rows.mkdir()
        self.port, self.policy_port = free_ports(2)
        self.when_down = when_down
        for name in ("queue", "data"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        self.asks(when_down)
        (self.folder / "master.cf").write_text(_SERVICES.format(port=self.port))
        self._policy: multiprocessing.process.BaseProcess | None = None

    def asks(self, when_down: str) -> None:
        """Let it ask the policy server, and do what is wanted when that does not answer."""
        default = {"open": "DUNNO", "closed": "DEFER"}[when_down]
        ask = f"check_policy_service {{ inet:127.0.0.1:{self.policy_port}, timeout=5s, default_action={default} }}"
        (self.folder / "main.cf").write_text(
            f"compatibility_level = 3.6\nqueue_directory = {self.folder}/queue\ndata_directory = {self.folder}/data\n"
            f"maillog_file = {self.folder}/log\nmaillog_file_prefixes = {self.folder}\nmail_owner = postfix\n"
            "myhostname = mx.example.net\nmydestination =\ninet_protocols = ipv4\n"
            "mynetworks = 127.0.0.0/8 192.0.2.0/24 198.51.100.0/24\n"
            "smtpd_peername_lookup = no\ndisable_dns_lookups = yes\nalias_maps =\nalias_database =\n"
            "default_transport = discard:\ndefer_transports = discard\nsmtpd_policy_service_try_limit = 1\n"
            "smtpd_authorized_xclient_hosts = 127.0.0.1\n"
            f"smtpd_recipient_restrictions = {ask}, permit_mynetworks, reject\n"
            f"smtpd_end_of_data_restrictions = {ask}\nsmtpd_error_sleep_time = 0\n"
        )

    def options(self, **more: object) -> dict[str, object]:
        """What a `[[devices]]` table with `driver = "postfix"` takes for it."""
        return {
            "folder": str(self.rows), "policy": f"127.0.0.1:{self.policy_port}", "when_down": self.when_down,
            "config_folder": str(self.folder), "probe_smtp": f"127.0.0.1:{self.port}",
            "probe_recipient": "postmaster@example.net", **more,
        }  # fmt: skip

    def start(self) -> None:
        self.run("start")
        self.start_policy()
        await_true(lambda: _connects(self.port))

    def run(self, verb: str) -> None:
        assert POSTFIX is not None, "ask `POSTFIX` first"
        environment = {**os.environ, "PATH": PATH}
        subprocess.run([POSTFIX, "-c", str(self.folder), verb], env=environment, check=True, capture_output=True)

    def start_policy(self, *, own: str = "") -> None:
        """The policy server as `tipstaff postfix-policy` runs it, in a process of its own."""
        policy = Policy(
            self.rows,
            now=lambda: wiring.now().timestamp(),
            login_domain="example.net",
            own=[ip_network(own)] if own else [],
        )

        async def run() -> None:
            await serve(policy, "127.0.0.1", self.policy_port, ready=lambda _: None, stop=asyncio.Event())

        self._policy = multiprocessing.get_context("fork").Process(target=lambda: asyncio.run(run()), daemon=True)
        self._policy.start()
        await_true(lambda: _connects(self.policy_port))

    def stop_policy(self) -> None:
        """`kill -9`, as of any process."""
        if self._policy is not None:
            self._policy.kill()
            self._policy.join(20)
            self._policy = None

    def stop(self) -> None:
        self.stop_policy()
        with contextlib.suppress(subprocess.CalledProcessError):
            self.run("stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def send(self, login: str, *, sender: str = "", recipients: int = 1, client: str = "") -> str:
        """Hand in a mail as this log-in, or from here; the answer to it, or to what came before if that was no."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=30) as wire:
            wire.ehlo()
            if login or client:
                wire.docmd("XCLIENT", f"LOGIN={login}" if login else f"ADDR={client}")
                wire.ehlo()
            steps = [("MAIL", f"FROM:<{sender or login}>")]
            steps += [("RCPT", f"TO:<r{n}@example.org>") for n in range(recipients)]
            for step in steps:
                code, words = wire.docmd(*step)
                if code >= 400:
                    return f"{code} {words.decode()}"
            code, words = wire.data(b"Subject: a test\r\n\r\nHello\r\n")
            return f"{code} {words.decode()}"

    def queue(self) -> dict[str, tuple[str, str]]:
        """Queue id -> (sender, queue)."""
        said = self.tool("postqueue", "-j")
        items = [json.loads(line) for line in said.splitlines()]
        return {item["queue_id"]: (item["sender"], item["queue_name"]) for item in items}

    def tool(self, name: str, *arguments: str) -> str:
        command = [name, "-c", str(self.folder), *arguments]
        done = subprocess.run(command, env={**os.environ, "PATH": PATH}, capture_output=True, text=True, check=True)
        return done.stdout

    def wipe(self) -> None:
        """No rows, no notes, no mail."""
        for name in ("rows.jsonl", "held"):
            (self.rows / name).unlink(missing_ok=True)
        self.tool("postsuper", "-d", "ALL")


def _connects(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False
