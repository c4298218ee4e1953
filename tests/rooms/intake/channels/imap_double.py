"""An IMAP server as small as it can be for a client's tests: one folder, one user, SEARCH, FETCH, STORE, IDLE."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Folder:
    """What the server holds, and what was done to it."""

    def __init__(self) -> None:
        self.validity = 7
        self.mails: dict[int, bytes] = {}
        self.seen: set[int] = set()
        self.commands: list[str] = []
        self.drop_at: str = ""
        """The command at which the server hangs up, once."""
        self.arrives_at: str = ""
        """At the end of this command another mail comes in, once, and is told of with its answer."""
        self.arrives_before_idle: bytes = b""
        """A mail that comes in between the client's last command and its IDLE, once."""
        self.tells_early = False
        """Whether what came before IDLE is told before the server says that it idles."""
        self.refuses_idle = False
        self.changed = threading.Condition()
        self.idling = threading.Event()

    def add(self, raw: bytes) -> int:
        with self.changed:
            uid = max(self.mails, default=0) + 1
            self.mails[uid] = raw
            self.changed.notify_all()
        return uid


class _Talk(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        folder: Folder = self.server.folder  # type: ignore[attr-defined]  # set below
        self.say("* OK [CAPABILITY IMAP4rev1 IDLE] ready")
        told = 0
        while line := self.rfile.readline().decode().strip():
            tag, _, command = line.partition(" ")
            folder.commands.append(command)
            if folder.drop_at and folder.drop_at in command:
                folder.drop_at = ""
                return
            upper = command.upper()
            if upper.startswith("CAPABILITY"):
                self.say("* CAPABILITY IMAP4rev1 IDLE")
            elif upper.startswith("LOGIN") and "right" not in command:
                self.say(f"{tag} NO wrong")
                continue
            elif upper.startswith("SELECT"):
                told = len(folder.mails)
                self.say(f"* {told} EXISTS", f"* OK [UIDVALIDITY {folder.validity}] valid")
            elif upper.startswith("UID SEARCH"):
                found = re.search(r"UID (\d+):\*", command)
                assert found is not None
                first = int(found[1])
                uids = [x for x in folder.mails if x >= first] or list(folder.mails)[-1:]
                self.say(f"* SEARCH {' '.join(map(str, uids))}")
            elif upper.startswith("UID FETCH"):
                uid = int(command.split()[2])
                raw = folder.mails.get(uid)
                if raw is not None and "SIZE" in upper:
                    self.say(f"* 1 FETCH (UID {uid} RFC822.SIZE {len(raw)})")
                elif raw is not None:
                    self.wfile.write(f"* 1 FETCH (UID {uid} BODY[] {{{len(raw)}}}\r\n".encode() + raw + b")\r\n")
            elif upper.startswith("UID STORE"):
                folder.seen.add(int(command.split()[2]))
            elif upper == "IDLE":
                if folder.refuses_idle:
                    self.say(f"{tag} NO not now")
                    continue
                if folder.arrives_before_idle:
                    folder.add(folder.arrives_before_idle)
                    folder.arrives_before_idle = b""
                now = len(folder.mails)
                said = ["+ idling", *([f"* {now} EXISTS"] if now > told else [])]
                # In one write: the client's first read has both.
                self.say(*(reversed(said) if folder.tells_early else said))
                if now == told:
                    with folder.changed:
                        folder.idling.set()
                        folder.changed.wait_for(lambda told=told: len(folder.mails) > told, timeout=20)
                    self.say(f"* {len(folder.mails)} EXISTS")
                told = len(folder.mails)
                assert self.rfile.readline().strip() == b"DONE"
            if folder.arrives_at and folder.arrives_at in command:
                folder.arrives_at = ""
                folder.add(b"Subject: late\r\n\r\nSpam.\r\n")
                told = len(folder.mails)
                self.say(f"* {told} EXISTS")
            self.say(f"{tag} OK done")

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{x}\r\n" for x in lines).encode())


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def imap_server(folder: Folder) -> Iterator[int]:
    """Serve the folder on a free port of this machine."""
    with _Server(("127.0.0.1", 0), _Talk) as server:
        server.folder = folder  # type: ignore[attr-defined]  # for the handler
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
