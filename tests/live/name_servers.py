"""A real BIND with a response policy zone, and an Unbound that takes the zone over from it, on loopback."""

import base64
import os
import shutil
import subprocess
from pathlib import Path

import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig
import dns.update
import dns.zone

from tests.live.running import free_ports
from tipstaff.testing.drivers import await_true

PATH = os.environ.get("PATH", "") + ":/usr/sbin"
NAMED, UNBOUND = shutil.which("named", path=PATH), shutil.which("unbound", path=PATH)
ZONE = "rpz.operator.example.net"
SECRET = b"only for these tests, on loopback"


class NameServers:
    """BIND serves example.net with some names and applies the policy zone; Unbound applies its copy."""

    def __init__(self, folder: Path, *, unbound: bool = True) -> None:
        assert NAMED is not None, "ask `NAMED` first"
        self.folder = folder
        self.port, self.unbound_port = free_ports(2)
        self.with_unbound = unbound and UNBOUND is not None
        self.key_file = folder / "update.key"
        secret = base64.b64encode(SECRET).decode()
        self.key_file.write_text(f'key "tipstaff" {{ algorithm hmac-sha256; secret "{secret}"; }};\n')
        self.key_file.chmod(0o600)
        notify = f"also-notify {{ 127.0.0.1 port {self.unbound_port}; }}; notify explicit;" if self.with_unbound else ""
        (folder / "named.conf").write_text(
            f'include "{self.key_file}";\n'
            f'options {{ directory "{folder}"; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key";\n'
            f"listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion yes;\n"
            "dnssec-validation no; empty-zones-enable no; notify-delay 0; notify-rate 1000;\n"
            f'response-policy {{ zone "{ZONE}"; }} qname-wait-recurse no min-update-interval 0; }};\n'
            "controls { };\n"
            f'zone "{ZONE}" {{ type primary; file "rpz.zone"; allow-query {{ key "tipstaff"; 127.0.0.1; }};\n'
            f'allow-update {{ key "tipstaff"; }}; allow-transfer {{ key "tipstaff"; 127.0.0.1; }}; {notify} }};\n'
            'zone "example.net" { type primary; file "net.zone"; };\n'
            # Whatever is not known here ends at a port of this machine where nobody answers.
            'zone "." { type hint; file "root.hints"; };\n'
        )
        head = "$TTL 60\n@ SOA ns.example.net. noc.example.net. 1 1 1 3600 60\n@ NS ns.example.net.\n"
        (folder / "rpz.zone").write_text(head)
        (folder / "root.hints").write_text(". 3600000 NS ns.invalid.\nns.invalid. 3600000 A 127.0.0.1\n")
        names = "ns A 127.0.0.1\nwww A 192.0.2.80\nshop A 192.0.2.80\n* A 192.0.2.81\n*.shop A 192.0.2.81\n"
        names += "six AAAA 2001:db8::80\nseven AAAA 2001:db8::81\n"
        (folder / "net.zone").write_text(head + names)
        (folder / "unbound.conf").write_text(
            f'server:\n directory: "{folder}"\n pidfile: "{folder}/unbound.pid"\n chroot: ""\n username: ""\n'
            f" interface: 127.0.0.1@{self.unbound_port}\n port: {self.unbound_port}\n do-daemonize: no\n"
            ' use-syslog: no\n logfile: ""\n verbosity: 0\n do-not-query-localhost: no\n do-ip6: no\n num-threads: 1\n'
            ' root-hints: "root.hints"\n'
            ' module-config: "respip iterator"\n local-zone: "example.net." nodefault\n'
            f"stub-zone:\n name: example.net\n stub-addr: 127.0.0.1@{self.port}\n"
            f'rpz:\n name: "{ZONE}"\n primary: 127.0.0.1@{self.port}\n zonefile: "copy.zone"\n'
            " allow-notify: 127.0.0.1\n"
            "remote-control:\n control-enable: no\n"
        )
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._wiped = 0

    def options(self, **more: object) -> dict[str, object]:
        """What a `[[devices]]` table with `driver = "rpz"` takes for them."""
        resolvers = [f"127.0.0.1:{self.port}"] + [f"127.0.0.1:{self.unbound_port}"] * self.with_unbound
        return {
            "server": f"127.0.0.1:{self.port}", "zone": ZONE, "tsig_name": "tipstaff",
            "tsig_file": str(self.key_file), "resolvers": resolvers, "neighbour": "www.example.net",
            "keeper_file": str(self.folder / "keeper"), **more,
        }  # fmt: skip

    def start(self) -> None:
        assert NAMED is not None
        named = [NAMED, "-f", "-c", str(self.folder / "named.conf"), "-n", "1"]
        self.processes["named"] = subprocess.Popen(named, stderr=subprocess.DEVNULL)
        await_true(lambda: self.ask("www.example.net", self.port) == "192.0.2.80")
        if self.with_unbound:
            assert UNBOUND is not None
            self.processes["unbound"] = subprocess.Popen(
                [UNBOUND, "-d", "-c", str(self.folder / "unbound.conf")], stderr=subprocess.DEVNULL
            )
            await_true(lambda: self.ask("www.example.net", self.unbound_port) == "192.0.2.80")

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait(20)

    def stop(self) -> None:
        (self.folder / "keeper").unlink(missing_ok=True)  # So that no keeper stays.
        for name in list(self.processes):
            self.kill(name)

    def ask(self, name: str, port: int, kind: str = "A") -> str:
        """The first record of an answer in words, the rcode where it is an error, "" for none of either."""
        try:
            answer = dns.query.udp(dns.message.make_query(name, kind), "127.0.0.1", port=port, timeout=1)
        except (dns.exception.Timeout, OSError):
            return ""
        if answer.rcode() != dns.rcode.NOERROR:
            return dns.rcode.to_text(answer.rcode())
        return str(answer.answer[-1][0]) if answer.answer else "NODATA"

    def update(self, *changes: tuple[str, ...]) -> None:
        """Change the policy zone as somebody with the key would by hand: ("delete", name) or ("add", name, ...)."""
        key = dns.tsig.Key("tipstaff", SECRET, "hmac-sha256")
        message = dns.update.UpdateMessage(ZONE, keyring=key)
        for verb, *rest in changes:
            getattr(message, verb)(*rest)
        answer = dns.query.tcp(message, "127.0.0.1", port=self.port, timeout=10)
        assert answer.rcode() == dns.rcode.NOERROR, dns.rcode.to_text(answer.rcode())

    def wipe(self) -> None:
        """Take everything out of the policy zone, and wait until no resolver answers by it any more."""
        zone = dns.zone.Zone(ZONE)
        dns.query.inbound_xfr("127.0.0.1", zone, port=self.port)
        names = [str(name) for name in zone.nodes if name != dns.name.empty]
        for i in range(0, len(names), 500):
            self.update(*(("delete", name) for name in names[i : i + 500]))
        # A resolver that answers by this mark has taken over all that was before it.
        self._wiped += 1
        self.update(("add", "wiped.example.org", "1", "TXT", str(self._wiped)))
        for port in [self.port] + [self.unbound_port] * self.with_unbound:
            await_true(lambda port=port: self.ask("wiped.example.org", port, "TXT") == f'"{self._wiped}"')  # type: ignore[misc]  # a lambda with a default has no type
        self.update(("delete", "wiped.example.org"))
