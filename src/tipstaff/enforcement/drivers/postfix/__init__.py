"""Postfix: mail of one mailbox or log-in is slowed down, held back or refused, and what waits in the queue is held.

The driver writes the rows that `tipstaff postfix-policy` answers by, and asks that server whether it has them, and
Postfix whether it asks that server. Held mail is let go when its measure is lifted, and no other held mail is touched.
"""

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tipstaff.enforcement import mail_policy
from tipstaff.enforcement.alone import alone, run_alone
from tipstaff.enforcement.kept import has_ended
from tipstaff.enforcement.mail_policy import NEVER, Row, Rows
from tipstaff.enforcement.options import Listener, Options
from tipstaff.enforcement.planner import Ability, fingerprint
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable, StalePlan
from tipstaff.words import Degree, Observation, Plan, ProbeResult, Proof, Rule, Scope, Seen, Step

CAN = frozenset((Scope.MAILBOX, degree) for degree in (Degree.RATE_LIMIT, Degree.HOLD, Degree.BLOCK))
_KNOWN = (
    "folder", "policy", "when_down", "service", "config_folder", "says", "recipients_per_hour", "hold_queued",
    "release_when_lifted", "probe_smtp", "probe_recipient", "rows_mode", "timeout_seconds",
)  # fmt: skip
_STAGES = ("smtpd_recipient_restrictions", "smtpd_end_of_data_restrictions")


def make(device: str, options: Mapping[str, object]) -> "PostfixDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is run yet."""
    given = Options(device=device, driver="postfix", given=options)
    given.only(_KNOWN)
    policy = given.listener("policy")
    if policy is None:
        raise given.bad("policy", "is missing: where tipstaff postfix-policy listens, for example 127.0.0.1:10031.")
    if "when_down" not in options:
        raise given.bad("when_down", 'is missing: "open" lets mail pass while that server is down, "closed" defers it.')
    probe, recipient = given.listener("probe_smtp"), given.text("probe_recipient")
    if bool(probe) is not bool(recipient):
        raise given.bad("probe_smtp", "and probe_recipient go together; set both or none.")
    says = given.text("says", "Mail from this account is stopped under the acceptable use policy.")
    if not says.isascii() or len(says) > 400:
        raise given.bad("says", "takes up to 400 ASCII characters: it goes into an SMTP answer.")
    mode = given.text("rows_mode", "0640")
    if len(mode) != 4 or not set(mode) <= set("01234567"):
        raise given.bad("rows_mode", f'is {mode!r}, but it takes four octal digits in quotes: "0640".')
    return PostfixDriver(
        device,
        folder=given.path("folder"),
        policy=policy,
        when_down=given.text("when_down", one_of=("open", "closed")),
        service=given.text("service"),
        config_folder=given.text("config_folder"),
        says=says,
        per_hour=given.number("recipients_per_hour", 30),
        hold_queued=given.flag("hold_queued", True),
        release_when_lifted=given.flag("release_when_lifted", True),
        probe_smtp=probe,
        probe_recipient=recipient,
        rows_mode=int(mode, 8),
        timeout_seconds=given.number("timeout_seconds", 20),
    )


class PostfixDriver:
    """One Postfix on this machine, and the folder that its policy server reads."""

    def __init__(
        self, device: str, *, folder: Path, policy: Listener, when_down: str, service: str, config_folder: str,
        says: str, per_hour: int, hold_queued: bool, release_when_lifted: bool, probe_smtp: Listener | None,
        probe_recipient: str, rows_mode: int, timeout_seconds: float,
    ) -> None:  # fmt: skip
        self.device = device
        self.max_proof = Proof.PROBE if probe_smtp else Proof.STATE
        self._file = folder / "rows.jsonl"
        self._noted = folder / "held"
        self._policy = policy
        self._service = service
        self._config = ("-c", config_folder) if config_folder else ()
        self._form: dict[str, Any] = {"says": says, "per_hour": per_hour}
        self._hold_queued = hold_queued
        self._release = release_when_lifted
        self._probe_smtp = probe_smtp
        self._probe_recipient = probe_recipient
        self._rows_mode = rows_mode
        self._timeout_seconds = timeout_seconds
        default = "DUNNO" if when_down == "open" else "DEFER"
        self._asks = f"inet:{_listen(policy)}", f"default_action={default}"

    @property
    def restriction(self) -> str:
        """What Postfix's settings need at both stages, so that it asks and does what is wanted when nobody answers."""
        return f"check_policy_service {{ {self._asks[0]}, timeout=5s, {self._asks[1]} }}"

    @property
    def ability(self) -> Ability:
        return Ability(device=self.device, can=CAN, proof=self.max_proof)

    def supports(self, rule: Rule) -> bool:
        mailbox = rule.selector.mailbox or ""
        return (rule.selector.scope, rule.degree) in CAN and mailbox.isprintable() and " " not in mailbox

    def observe(self, *, at: datetime) -> Observation:
        try:
            rows, running, asks = self._read(), self._running(), self._postfix_asks()
        except (DeviceUnreachable, DeviceRefused) as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        detail = ""
        if rows.exists and running != (rows.digest or "-"):
            detail = "The policy server does not answer by the rows as they are now."
        elif rows.exists and not asks:
            detail = f"Postfix does not ask the policy server: {' and '.join(_STAGES)} need {self.restriction}"
        alive = {key: row for key, row in sorted(rows.rows.items()) if not has_ended(row.rule, at=at)}
        return Observation(
            complete=True,
            generation=rows.generation,
            rules=tuple(
                (key, Seen.IN_FORCE if not detail and row.fingerprint == fingerprint(row.rule) else Seen.DRIFT)
                for key, row in alive.items()
            ),
            fingerprints=tuple((key, row.fingerprint) for key, row in alive.items()),
            foreign=rows.foreign,
            at=at,
            detail=detail,
        )

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        with self._alone():
            before = self._read()
            if plan.generation < before.generation:
                raise StalePlan(f"{self.device} holds generation {before.generation}, the plan is {plan.generation}")
            self._running()
            rows = {key: row for key, row in before.rows.items() if not has_ended(row.rule, at=at)}
            for step in steps:
                rows.pop(step.measure, None)
                if step.verb == "apply" and step.rule is not None and not has_ended(step.rule, at=at):
                    assert self.supports(step.rule), f"{step.rule} was planned for a device that cannot hold it"
                    rows[step.measure] = self._row(step.rule, at=at)
            text = mail_policy.render(
                generation=plan.generation, rows=rows.values(), foreign=before.foreign, **self._form
            )  # fmt: skip
            if text != (self._file.read_bytes() if before.exists else b""):
                mail_policy.write_whole(self._file, text, mode=self._rows_mode)
            self._queue(rows, applied={step.measure for step in steps if step.verb == "apply"})

    def probe(self, rule: Rule) -> ProbeResult:
        """Say MAIL and RCPT as this log-in, and as a neighbour: only a refusal shows so early. No mail is sent."""
        if self._probe_smtp is None or rule.degree < Degree.BLOCK:
            detail = "Only a refusal can be shown without sending a mail; this was read back."
            return ProbeResult(target_stopped=None, neighbour_works=None, detail=detail)
        mailbox = rule.selector.mailbox or ""
        beside = f"tipstaff-neighbour@{mailbox.rpartition('@')[2] or 'localhost'}"
        target, neighbour = self._rcpt(mailbox), self._rcpt(beside)
        stopped = None if target is None else self._form["says"] in target
        works = None if neighbour is None else self._form["says"] not in neighbour
        said = f"{mailbox}: {(target or 'no answer')[:120]}; {beside}: {(neighbour or 'no answer')[:120]}."
        return ProbeResult(target_stopped=stopped, neighbour_works=works, detail=said)

    # Rows.

    def _row(self, rule: Rule, *, at: datetime) -> Row:
        ends = NEVER
        if rule.until is not None:
            lock = self._file.with_name("lock")
            lock.touch()
            # The policy server ends it by its machine's clock, as that machine stamps a file.
            ends = int(lock.stat().st_mtime + (rule.until - at).total_seconds() + 0.999)
        return Row(rule=rule, ends=min(ends, NEVER), fingerprint=fingerprint(rule))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            with alone(self._file.with_name("lock"), device=self.device, seconds=self._timeout_seconds):
                yield
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {why.filename or self._file.parent}: {why.strerror}") from why

    def _read(self) -> Rows:
        try:
            return mail_policy.read(self._file.read_bytes())
        except FileNotFoundError:
            if not self._file.parent.is_dir():
                raise DeviceUnreachable(f"{self.device}: there is no folder {self._file.parent}") from None
            return Rows()
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {self._file}: {why.strerror}") from why
        except (ValueError, KeyError, TypeError) as why:
            raise DeviceRefused(f"{self.device}: {self._file} is not what was written there: {why!r}") from why

    def _running(self) -> str:
        """The digest of the rows that the policy server answers by."""
        try:
            with socket.create_connection(self._policy, timeout=self._timeout_seconds) as wire:
                wire.sendall(f"request={mail_policy.ASK_STATUS}\n\n".encode())
                words = wire.makefile("rb").readline().decode("ascii", "replace").split()
        except OSError as why:
            at = _listen(self._policy)
            raise DeviceUnreachable(f"{self.device}: the policy server does not answer at {at}: {why}") from why
        if len(words) != 3 or words[0] != "action=generation":
            raise DeviceUnreachable(f"{self.device}: the policy server at {_listen(self._policy)} cannot read its rows")
        return words[2]

    def _postfix_asks(self) -> bool:
        """Whether Postfix's own settings ask the policy server at both stages, and say what holds when it is down."""
        for stage in _STAGES:
            if self._service:
                said = self._run("postconf", *self._config, "-P", f"{self._service}/{stage}")
            else:
                said = self._run("postconf", *self._config, "-h", stage)
            if not all(part in said for part in self._asks):
                return False
        return True

    # The queue.

    def _queue(self, rows: Mapping[str, Row], *, applied: set[str]) -> None:
        """Hold what waits of those who are newly held, and let go what was held for a measure that is none any more."""
        noted = self._read_noted()
        new = {
            (row.rule.selector.mailbox or "").lower(): key for key, row in rows.items()
            if key in applied and row.rule.degree is Degree.HOLD
        }  # fmt: skip
        over = {key for key, _ in noted if key not in rows or rows[key].rule.degree is not Degree.HOLD}
        if not (self._hold_queued and new) and not over:
            return
        waiting = {item["queue_id"]: item for item in self._listed()}
        if self._hold_queued and new:
            for queue_id, item in sorted(waiting.items()):
                key = new.get(str(item["sender"]).lower())
                # What somebody else holds already is not ours to let go later.
                if key is not None and item["queue_name"] in ("deferred", "incoming", "active"):
                    # Noted first: killed in between, one too many is noted and none is forgotten.
                    with open(self._noted, "a") as out:
                        out.write(f"{key} {queue_id}\n")
                    self._run("postsuper", *self._config, "-h", queue_id)
        if over:
            for key, queue_id in noted:
                held = waiting.get(queue_id)
                if key in over and self._release and held is not None and held["queue_name"] == "hold":
                    self._run("postsuper", *self._config, "-H", queue_id)
            kept = [f"{key} {queue_id}\n" for key, queue_id in self._read_noted() if key not in over]
            mail_policy.write_whole(self._noted, "".join(kept).encode(), mode=0o660)

    def _read_noted(self) -> list[tuple[str, str]]:
        """(measure, queue id) of what was held by us."""
        try:
            lines = self._noted.read_text().splitlines()
        except FileNotFoundError:
            return []
        pairs = (line.partition(" ") for line in lines)
        return list(dict.fromkeys((key, queue_id) for key, _, queue_id in pairs if queue_id.isalnum()))

    def _listed(self) -> list[dict[str, Any]]:
        said = self._run("postqueue", *self._config, "-j")
        try:
            return [json.loads(line) for line in said.splitlines() if line.strip()]
        except ValueError as why:
            raise DeviceRefused(f"{self.device}: postqueue's listing cannot be read") from why

    def _run(self, *command: str) -> str:
        path = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        try:
            done = run_alone(
                command, device=self.device, timeout_seconds=self._timeout_seconds, errors="replace",
                env={**os.environ, "PATH": path, "LC_ALL": "C"},
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as why:
            raise DeviceUnreachable(f"{self.device}: {command[0]} gave no answer: {why}") from why
        if done.returncode != 0:
            words = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
            raise DeviceRefused(f"{self.device}: {words[:300]}")
        return done.stdout

    # The probe.

    def _rcpt(self, login: str) -> str | None:
        """What Postfix answers to RCPT for this log-in, given by XCLIENT; None where it got no so far."""
        said = self._ask_rcpt(login)
        if said is not None and said.startswith("2"):
            # A mail begun and not sent takes a token of Postfix's flow control (in_flow_delay), and only a manager
            # that is woken puts new ones there: on a quiet server the hundred-and-first mail would wait a second.
            with contextlib.suppress(DeviceRefused, DeviceUnreachable):
                self._run("postkick", *self._config, "public", "qmgr", "I")
        return said

    def _ask_rcpt(self, login: str) -> str | None:
        assert self._probe_smtp is not None
        try:
            with socket.create_connection(self._probe_smtp, timeout=self._timeout_seconds) as wire:
                lines = wire.makefile("rb")
                words = [
                    "EHLO tipstaff-probe.invalid", f"XCLIENT LOGIN={_xtext(login)}", "EHLO tipstaff-probe.invalid",
                    f"MAIL FROM:<{login if '@' in login else ''}>", f"RCPT TO:<{self._probe_recipient}>",
                ]  # fmt: skip
                said = _reply(lines)
                for word in words:
                    if not said.startswith("2"):
                        return None
                    wire.sendall(f"{word}\r\n".encode("ascii"))
                    said = _reply(lines)
                wire.sendall(b"QUIT\r\n")
                return said
        except (OSError, UnicodeError):
            return None


def _reply(lines: Any) -> str:
    """The last line of one SMTP reply."""
    while line := lines.readline(2000).decode("ascii", "replace").rstrip():
        if line[3:4] != "-":
            return str(line)
    return ""


def _xtext(text: str) -> str:
    """RFC 3461, section 4, as XCLIENT wants it."""
    return "".join(c if 33 <= ord(c) <= 126 and c not in "+=" else f"+{ord(c):02X}" for c in text)


def _listen(listener: Listener) -> str:
    host, port = listener
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
