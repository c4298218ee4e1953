"""A receiver of measures by webhook, as an operator's own program would be: in memory, at loopback.

It checks signatures, refuses what is old, forged or of a lower generation, takes a message with a known id for one
that it has, and says what it holds. Read it as the example of how to write one.
"""

import base64
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

AGE_MAX_SECONDS = 300


class Receiver:
    """Listens when entered. `now` is a function that gives the seconds since 1970."""

    def __init__(self, secret: str, *, now: Any) -> None:
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._now = now
        self.lock = threading.Lock()
        self.generation = 0
        self.rules: dict[str, dict[str, Any]] = {}
        self.foreign: list[str] = []
        self.ids: list[str] = []
        """Of every message that was taken in."""
        self.status = 0
        """Set by tests: every request is answered with this."""

    def __enter__(self) -> "Receiver":
        receiver = self

        class Door(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*receiver.hear("GET", b"", dict(self.headers)))

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                self._answer(*receiver.hear("PUT", body, {k.lower(): v for k, v in self.headers.items()}))

            def _answer(self, status: int, document: dict[str, Any]) -> None:
                raw = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/measures"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def hear(self, verb: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """What is answered to one request: (status, document)."""
        if self.status:
            return self.status, {}
        headers = {name.lower(): value for name, value in headers.items()}
        if not self._signed(body, headers):
            return 401, {"why": "The signature does not fit."}
        with self.lock:
            data = json.loads(body)["data"] if verb == "PUT" else None
            if data is not None and data["generation"] < self.generation:
                return 409, {"why": "A newer generation is here."}  # Also for a message that was taken in before it.
            if data is not None and headers["webhook-id"] not in self.ids:
                self.generation = data["generation"]
                self.rules = {rule["measure"]: {**rule, "state": "in_force"} for rule in data["rules"]}
                self.ids.append(headers["webhook-id"])
            told = [
                {name: rule[name] for name in ("measure", "fingerprint", "state", "until")}
                for rule in self.rules.values()
            ]
            return 200, {"generation": self.generation, "rules": told, "foreign": self.foreign}

    def _signed(self, body: bytes, headers: dict[str, str]) -> bool:
        id_, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not stamp.isdecimal() or abs(self._now() - int(stamp)) > AGE_MAX_SECONDS:
            return False
        proof = base64.b64encode(hmac.digest(self._key, f"{id_}.{stamp}.".encode() + body, "sha256")).decode()
        return any(hmac.compare_digest(f"v1,{proof}", one) for one in headers.get("webhook-signature", "").split(" "))
