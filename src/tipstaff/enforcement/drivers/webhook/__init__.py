"""Hands what is wanted to a program of the operator's, signed as Standard Webhooks, and reads back what it holds.

The whole set is sent each time, with its generation: whoever gets it twice, or late, does nothing more. What the
receiver does with it is its own; that it is in force, it must say itself.
"""

import hashlib
import http.client
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

from tipstaff.enforcement.kept import NAMES
from tipstaff.enforcement.options import LOOPBACK, PROOFS, Options
from tipstaff.enforcement.planner import Ability, fingerprint
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable, StalePlan
from tipstaff.enforcement.secrets import Secret
from tipstaff.host import signing
from tipstaff.words import Degree, Observation, Plan, ProbeResult, Proof, Rule, Scope, Seen, Step

_KNOWN = ("url", "proof", "ca_file", "secret_file", "secret_command", "can", "timeout_seconds")
ANSWER_MAX = 32 * 1024 * 1024
"""Bytes of an answer that are read; more is none."""


def make(device: str, options: Mapping[str, object]) -> "WebhookDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is reached yet."""
    given = Options(device=device, driver="webhook", given=options)
    given.only(_KNOWN)
    where = f"device {device}"
    url = urlsplit(given.text("url"))
    if url.scheme not in ("https", "http") or not url.hostname or url.username or url.fragment:
        raise BadOption(f"{where}: url takes an https address.")
    if url.scheme == "http" and url.hostname not in LOOPBACK:
        raise BadOption(f"{where}: url takes an https address; http is for this machine itself.")
    proof = given.text("proof", "config", one_of=tuple(PROOFS))
    context = None
    if url.scheme == "https":
        try:
            context = ssl.create_default_context(cafile=given.text("ca_file") or None)
        except (OSError, ssl.SSLError) as why:
            raise BadOption(f"{where}: ca_file cannot be used ({why}).") from why
    return WebhookDriver(
        device,
        url=url,
        can=given.rungs("can"),
        secret=Secret.of(where, options, stem="secret"),
        max_proof=PROOFS[proof],
        tls=context,
        timeout_seconds=given.number("timeout_seconds", 20),
    )


class WebhookDriver:
    """One receiver."""

    def __init__(
        self,
        device: str,
        *,
        url: SplitResult,
        can: frozenset[tuple[Scope, Degree]],
        secret: Secret,
        max_proof: Proof = Proof.CONFIG,
        tls: ssl.SSLContext | None = None,
        timeout_seconds: int = 20,
    ) -> None:
        self.device = device
        self.max_proof = max_proof
        self._url, self._can, self._secret, self._tls = url, can, secret, tls
        self._timeout_seconds = timeout_seconds

    @property
    def ability(self) -> Ability:
        return Ability(device=self.device, can=self._can, proof=self.max_proof)

    def supports(self, rule: Rule) -> bool:
        # A receiver that does not know of far ends would stop all of the port.
        return (rule.selector.scope, rule.degree) in self._can and not rule.selector.narrowed

    def observe(self, *, at: datetime) -> Observation:
        try:
            raw = self._call("GET", b"", at=at)
            tree = json.loads(raw)
            generation = tree["generation"]
            held = [_held(entry) for entry in tree["rules"]]
            foreign = [str(x) for x in tree.get("foreign", ())]
            if not isinstance(generation, int) or generation < 0:
                raise ValueError("its generation is no number")
        except (DeviceUnreachable, DeviceRefused) as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        except (ValueError, KeyError, TypeError, AttributeError) as why:
            detail = f"{self.device}: its answer cannot be read ({why!r})."
            return Observation(complete=False, generation=0, rules=(), at=at, detail=detail)
        alive = {key: (seen, print_) for key, seen, print_, until in held if until is None or until > at}
        return Observation(
            complete=True,
            generation=generation,
            rules=tuple(sorted((key, seen) for key, (seen, _) in alive.items())),
            fingerprints=tuple(sorted((key, print_) for key, (_, print_) in alive.items())),
            foreign=tuple(foreign),
            at=at,
        )

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        rules = [_document(rule) for rule in plan.rules if rule.until is None or rule.until > at]
        data = {"device": self.device, "generation": plan.generation, "rules": rules}
        body = json.dumps({"type": "measures.wanted", "timestamp": at.isoformat(), "data": data}).encode()
        # Sent once more in the same round it has the same id; sent later, to mend something, it is another message.
        self._call("PUT", body, at=at, why=" ".join(step.measure for step in steps))

    def probe(self, rule: Rule) -> ProbeResult:
        return ProbeResult(target_stopped=None, neighbour_works=None, detail="What the receiver does is its own.")

    def _call(self, verb: str, body: bytes, *, at: datetime, why: str = "") -> bytes:
        about = hashlib.sha256(f"{verb} {at.isoformat()} {why} ".encode() + body).hexdigest()[:32]
        headers = {"content-type": "application/json", **sign(body, id=f"msg_{about}", at=at, secret=self._secret)}
        host, port = self._url.hostname or "", self._url.port
        if self._tls is not None:
            line: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=self._timeout_seconds, context=self._tls
            )
        else:
            line = http.client.HTTPConnection(host, port, timeout=self._timeout_seconds)
        target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
        try:
            line.request(verb, target, body=body or None, headers=headers)
            answer = line.getresponse()
            raw = answer.read(ANSWER_MAX + 1)
        except (OSError, http.client.HTTPException) as why:
            raise DeviceUnreachable(f"{self.device}: {host} cannot be reached ({type(why).__name__}: {why}).") from why
        finally:
            line.close()
        if len(raw) > ANSWER_MAX:
            raise DeviceUnreachable(f"{self.device}: {host} said more than is read.")
        if answer.status == 409 and verb == "PUT":
            raise StalePlan(f"{self.device} holds a newer generation.")
        if 200 <= answer.status < 300:
            return raw
        # A redirect is not followed: what is signed for one address is for no other.
        kind = DeviceRefused if 400 <= answer.status < 500 and answer.status not in (408, 429) else DeviceUnreachable
        raise kind(f"{self.device}: {host} answered {answer.status} {answer.reason}.")


def sign(body: bytes, *, id: str, at: datetime, secret: Secret) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, and `v1` of HMAC-SHA256."""
    try:
        return signing.sign(body, id=id, at=at, secret=secret.read().decode(errors="replace").strip())
    except signing.NoSecret as why:
        raise DeviceUnreachable(str(why)) from None


def _document(rule: Rule) -> dict[str, Any]:
    s = rule.selector
    selector = {name: value for name in NAMES if (value := getattr(s, name)) is not None}
    if s.network is not None:
        selector |= {"network": str(s.network), "direction": str(s.direction)}
    return {
        "measure": rule.measure, "case": rule.case, "scope": s.scope.name.lower(), "degree": rule.degree.name.lower(),
        "selector": selector, "until": rule.until.isoformat() if rule.until else None,
        "fingerprint": fingerprint(rule),
    }  # fmt: skip


def _held(entry: Mapping[str, Any]) -> tuple[str, Seen, str, datetime | None]:
    key, until = entry["measure"], entry.get("until")
    if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z0-9._-]{1,16}", key):
        raise ValueError("a measure without a key")
    seen = Seen(entry["state"])
    end = datetime.fromisoformat(until) if until else None
    return key, seen, str(entry["fingerprint"]), end.replace(tzinfo=end.tzinfo or UTC) if end else None
