"""A device that speaks Arista's eAPI (JSON-RPC over HTTP) on loopback: sessions, commits with a timer, access lists.

It keeps access lists and nothing else, as their own text, and refuses what it does not know. Lists are numbered when
they are shown, and ports called by the name of their service, as EOS does.
"""

import base64
import contextlib
import copy
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Lists = dict[str, list[str]]
"""`ip access-list tipstaff-4` -> its lines."""
UNKNOWN_COMMAND = 1002


class _Refused(Exception):
    pass


class EosDevice:
    """One device; `with EosDevice() as device` and it listens."""

    username, password = "tipstaff", "not-a-secret"

    def __init__(self) -> None:
        self.running: Lists = {}
        self.sessions: dict[str, Lists] = {}
        self.refuses = ""
        """Why it refuses the next lines of access lists."""
        self.forgets_entries = False
        """Whether it drops the last entry of what is committed, as a device does that has no room for it."""
        self.state = threading.RLock()
        self._before: tuple[str, Lists, threading.Timer] | None = None
        self._door: ThreadingHTTPServer | None = None
        self._begun = time.monotonic()
        self.port = 0

    def __enter__(self) -> "EosDevice":
        self.open()
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def open(self) -> None:
        """Listen, at the same port as before."""
        device = self

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = self.rfile.read(int(self.headers.get("content-length", 0)))
                wanted = base64.b64encode(f"{device.username}:{device.password}".encode()).decode()
                right = self.headers.get("authorization") == f"Basic {wanted}"
                raw = device.answer(json.loads(asked)) if right else b"Unauthorized"
                self.send_response(200 if right else 401)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._door = ThreadingHTTPServer(("127.0.0.1", self.port), Door)
        self.port = self._door.server_address[1]
        threading.Thread(target=self._door.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        if self._door is not None:
            self._door.shutdown()
            with contextlib.suppress(OSError):
                self._door.socket.shutdown(socket.SHUT_RDWR)  # A process that was forked meanwhile has it too.
            self._door.server_close()

    def reboot(self) -> None:
        """Everything that was configured is lost."""
        with self.state:
            if self._before is not None:
                self._before[2].cancel()
            self.running, self.sessions, self._before = {}, {}, None

    def answer(self, asked: dict[str, Any]) -> bytes:
        """The reply to one request: what each command says, or what the first that is refused says."""
        inside: list[str] = []  # The session that is edited, and the list in it.
        said: list[dict[str, Any]] = []
        with self.state:
            try:
                for command in asked["params"]["cmds"]:
                    said.append(self._do(command, inside))
            except _Refused as why:
                error = {"code": UNKNOWN_COMMAND, "message": "invalid command", "data": [*said, {"errors": [str(why)]}]}
                return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": error}).encode()
        return json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": said}).encode()

    def _do(self, command: str, inside: list[str]) -> dict[str, Any]:
        match command.split():
            case ["enable"] | ["write", "memory"] | ["copy", "startup-config", _]:
                return {}
            case ["show", "version"]:
                return {"version": "4.31.2F", "uptime": time.monotonic() - self._begun}
            case ["show", "configuration", "sessions", *_]:
                return {"sessions": {name: {"state": self._state_of(name)} for name in self.sessions}}
            case ["show", "running-config"]:
                return {"output": _shown(self.running)}
            case ["configure", "session", name]:
                self.sessions.setdefault(name, copy.deepcopy(self.running))
                inside[:] = [name]
            case ["configure", "session", name, *how]:
                self._end(name, how)
            case ["end"]:
                inside.clear()
            case _ if inside:
                self._edit(command, inside)
            case _:
                raise _Refused(f"{command!r} is not known here")
        return {}

    def _state_of(self, name: str) -> str:
        return "pendingCommitTimer" if self._before is not None and self._before[0] == name else "pending"

    def _end(self, name: str, how: list[str]) -> None:
        if name not in self.sessions:
            raise _Refused(f"there is no session {name}")
        on_trial = self._before is not None and self._before[0] == name
        match how:
            case ["abort"]:
                if on_trial:
                    self._take_back(name)
                else:
                    del self.sessions[name]
            case ["commit", "timer", time_]:
                hours, minutes, seconds = map(int, time_.split(":"))
                timer = threading.Timer(hours * 3600 + minutes * 60 + seconds, self._take_back, [name])
                timer.daemon = True
                timer.start()
                self._before = (name, self.running, timer)
                self.running = self._committed(name)
            case ["commit"]:
                if on_trial and self._before is not None:
                    self._before[2].cancel()
                    self._before = None
                else:
                    self.running = self._committed(name)
                del self.sessions[name]
            case _:
                raise _Refused(f"{how} is not known here")

    def _committed(self, name: str) -> Lists:
        lists = copy.deepcopy(self.sessions[name])
        if self.forgets_entries:
            for lines in lists.values():
                del lines[-1:]
        return lists

    def _take_back(self, name: str) -> None:
        with self.state:
            if self._before is not None and self._before[0] == name:
                _, self.running, timer = self._before
                timer.cancel()
                self._before = None
                del self.sessions[name]

    def _edit(self, command: str, inside: list[str]) -> None:
        lists = self.sessions[inside[0]]
        match command.split():
            case ["no", "ip" | "ipv6" as family, "access-list", name]:
                lists.pop(f"{family} access-list {name}", None)
            case ["ip" | "ipv6", "access-list", _]:
                lists.setdefault(command, [])
                inside[1:] = [command]
            case ["exit"]:
                del inside[1:]
            case ["remark" | "permit" | "deny", *_] if inside[1:]:
                if self.refuses:
                    raise _Refused(self.refuses)
                lists[inside[1]].append(command)
            case _:
                raise _Refused(f"{command!r} is not known here")


def _shown(lists: Lists) -> str:
    lines = ["! device: edge1 (EOS-4.31.2F)", "!"]
    for head, under in lists.items():
        lines += [head, *(f"   {10 * n} {_named(line)}" for n, line in enumerate(under, 1)), "!"]
    return "\n".join([*lines, "end", ""])


def _named(line: str) -> str:
    head, _, port = line.rpartition(" eq ")
    try:
        return f"{head} eq {socket.getservbyport(int(port), line.split()[1])}" if head and port.isdecimal() else line
    except OSError:
        return line
