"""Runs the operator's playbooks: one reads what a host holds, the other changes it, for many measures in one run.

Ansible is a program that the operator installs (ansible-core is GPL); nothing of it is imported here. It is handed one
file of variables, which nobody else can read and which is gone after the run; no secret is among its arguments or in
its environment, and nothing that it prints comes into a message. What a host holds is what the reading playbook writes
down, and never that a run went well.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tipstaff.enforcement.alone import alone
from tipstaff.enforcement.keeper import Keeper
from tipstaff.enforcement.kept import has_ended, line_of, read_line
from tipstaff.enforcement.options import PROOFS, Options
from tipstaff.enforcement.planner import Ability, fingerprint
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable, DriverFailure, StalePlan, as_asked
from tipstaff.enforcement.secrets import Secret
from tipstaff.words import Degree, Observation, Plan, ProbeResult, Proof, Rule, Scope, Seen, Step

_KNOWN = (
    "inventory", "host", "playbook", "read_playbook", "folder", "can", "proof", "program", "secret_file",
    "secret_command", "timeout_seconds",
)  # fmt: skip
ANSWER_MAX = 32 * 1024 * 1024
"""Bytes of an answer that are read; more is none."""
AS_BELIEVED = Path(__file__).with_name("as_believed.yml")
"""Run before a change that was made for an earlier reading, behind a new one."""
KILLED_AFTER_SECONDS = 5
"""A run that is told to end, and does not, is killed after this time."""
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "USER", "LOGNAME", "SSH_AUTH_SOCK")
"""What a run gets of ours: the desk's own settings and secrets are not its business."""


def make(device: str, options: Mapping[str, object]) -> "AnsibleDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is run yet, and no secret is read."""
    given = Options(device=device, driver="ansible", given=options)
    given.only(_KNOWN)
    host = given.needed("host")
    if host in ("all", "ungrouped") or not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", host):
        raise given.bad("host", f"is {host!r}, but it takes the name of one host of the inventory.")
    with_secret = bool(options.get("secret_file") or options.get("secret_command"))
    return AnsibleDriver(
        device,
        playbooks=_Playbooks(
            program=given.program("program", "ansible-playbook"),
            inventory=given.path("inventory"),
            host=host,
            read=given.path("read_playbook"),
            change=given.path("playbook"),
            timeout_seconds=given.number("timeout_seconds", 120),
        ),
        folder=given.path("folder"),
        can=given.rungs("can"),
        max_proof=PROOFS[given.text("proof", "config", one_of=tuple(PROOFS))],
        secret=Secret.of(f"device {device}", options, stem="secret") if with_secret else None,
        options=options,
    )


class AnsibleDriver:
    """One host of an inventory, and a folder of our own to run things in."""

    def __init__(
        self, device: str, *, playbooks: "_Playbooks", folder: Path, can: frozenset[tuple[Scope, Degree]],
        max_proof: Proof, secret: Secret | None, options: Mapping[str, object],
    ) -> None:  # fmt: skip
        self.device, self.max_proof = device, max_proof
        self._playbooks, self._folder, self._can, self._secret = playbooks, folder, can, secret
        # No playbook is there when a measure's time is over.
        self._keeper = Keeper(device, file=folder / "keeper", module=__name__, options=options)
        self._changes = 0
        self._last: tuple[datetime, int, _Held] | None = None
        """What was read last, when, and after how many changes by anybody."""
        self._after: _Held | None = None
        """What was read behind the last change, in the same run."""

    @property
    def ability(self) -> Ability:
        return Ability(device=self.device, can=self._can, proof=self.max_proof)

    def supports(self, rule: Rule) -> bool:
        # A playbook that does not know of far ends would stop all of the port.
        return (rule.selector.scope, rule.degree) in self._can and not rule.selector.narrowed

    def observe(self, *, at: datetime) -> Observation:
        try:
            with self._alone():
                self._last = None
                held = self._read()
                self._last = (at, self._changes, held)
            self._keep(held.rules, at=at)
        except DriverFailure as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        alive = {e.rule.measure: e for e in held.rules if not has_ended(e.rule, at=at)}
        return Observation(
            complete=True,
            generation=held.generation,
            rules=tuple((key, Seen.IN_FORCE if e.whole else Seen.DRIFT) for key, e in sorted(alive.items())),
            fingerprints=tuple((key, e.told["fingerprint"]) for key, e in sorted(alive.items())),
            foreign=held.foreign,
            at=at,
        )

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        with self._alone():
            # A run takes a second or more: what this round has just read is not read again, unless somebody changed it.
            held = self._believed(since=at if plan.whole else None) or self._read()
            if plan.generation < held.generation:
                raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
            todo = {step.measure: step.rule for step in steps}
            wanted = [rule for rule in todo.values() if rule is not None and not has_ended(rule, at=at)]
            assert all(self.supports(rule) for rule in wanted), f"{self.device} cannot hold exactly this"
            gone = {e.rule.measure for e in held.rules if has_ended(e.rule, at=at)} | todo.keys()
            self._change(held, generation=plan.generation, gone=gone, wanted=wanted, at=None if plan.whole else at)
        self._keep([*(e for e in held.rules if e.rule.measure not in gone), *map(_entry, wanted)], at=at)

    def look_at(self, measures: Collection[str], *, at: datetime) -> Observation | None:
        """What the reading playbook said behind the change, in the same run; it is told once."""
        held, self._after = self._after, None
        if held is None:
            return None
        touched = {e.rule.measure: e for e in held.rules if e.rule.measure in measures}
        if not all(e.whole for e in touched.values()):
            return None
        prints = {key: e.told["fingerprint"] for key, e in touched.items()}
        return as_asked(prints, asked=measures, generation=held.generation, foreign=held.foreign, at=at)

    def end_due(self, *, at: datetime) -> datetime | None:
        """Take out what has ended, without any plan; when the next one ends. It is for the keeper, and for a timer."""
        with self._alone():
            held = self._read()
            gone = {e.rule.measure for e in held.rules if has_ended(e.rule, at=at)}
            if gone:
                self._change(held, generation=held.generation, gone=gone, wanted=())
        ends = (e.rule.until for e in held.rules if e.rule.measure not in gone)
        return min((end for end in ends if end is not None), default=None)

    def probe(self, rule: Rule) -> ProbeResult:
        return ProbeResult(target_stopped=None, neighbour_works=None, detail="What a playbook does is its own.")

    # What is run.

    def _believed(self, *, since: datetime | None) -> "_Held | None":
        """What was read last, if that was not before `since` and nobody has changed it from here."""
        if self._last is None or self._last[1] != self._changes:
            return None
        return None if since is not None and self._last[0] < since else self._last[2]

    def _read(self) -> "_Held":
        return self._told(self._run({}, self._playbooks.read))

    def _told(self, answer: bytes) -> "_Held":
        try:
            return _held(json.loads(answer))
        except (ValueError, KeyError, TypeError, AttributeError) as why:
            told = f"what {self._playbooks.read.name} wrote cannot be read"
            raise DeviceUnreachable(f"{self.device}: {told} ({type(why).__name__}: {why}).") from why

    def _change(
        self, held: "_Held", *, generation: int, gone: set[str], wanted: Sequence[Rule], at: datetime | None = None
    ) -> None:
        """One run, for all of it. What is changed is lifted and applied again.

        With `at` the same run first sees that the host holds just this, and reads it back.
        """
        self._last = self._after = None
        os.write(self._playbooks.lock, b".")  # For everybody: there was a change more.
        here = {e.rule.measure for e in held.rules}
        entries = {
            "generation": generation,
            "lift": [e.told for e in held.rules if e.rule.measure in gone & here],
            "apply": [_entry(rule).told for rule in wanted],
            "keep": [*(e.told for e in held.rules if e.rule.measure not in gone), *held.strange],
        }
        if at is None:
            self._run(entries, self._playbooks.change)
            return
        read, change = self._playbooks.read, self._playbooks.change
        self._after = self._told(self._run({**entries, "believed": held.tree}, read, AS_BELIEVED, change, read))
        self._last = (at, os.fstat(self._playbooks.lock).st_size, self._after)

    def _run(self, entries: Mapping[str, object], *playbooks: Path) -> bytes:
        """Run them, one after the other; the answer that was written, if any.

        Raise DeviceUnreachable or DeviceRefused if one did not end well; no other is run after it.
        """
        secret = self._secret.read().decode(errors="replace") if self._secret is not None else None
        run = Path(tempfile.mkdtemp(prefix="run-", dir=self._folder))  # Only we may look into it.
        try:
            answer, variables, said = run / "answer.json", run / "variables.json", run / "said"
            told = {"answer": str(answer), **({"secret": secret} if secret is not None else {}), **entries}
            with open(os.open(variables, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(_variables({"tipstaff": told}))
            with open(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                status = self._playbooks.run(playbooks, variables, said=out.fileno(), run=run)
            if status:
                self._failed(playbooks, status, said, secret)
            with contextlib.suppress(FileNotFoundError), answer.open("rb") as file:
                text = file.read(ANSWER_MAX + 1)
                if len(text) > ANSWER_MAX:
                    raise DeviceUnreachable(f"{self.device}: {playbooks[-1].name} wrote more than is read.")
                return text
            return b""
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {playbooks[0].name} cannot be run ({why.strerror}).") from why
        finally:
            shutil.rmtree(run, ignore_errors=True)

    def _failed(self, playbooks: Sequence[Path], status: int, said: Path, secret: str | None) -> None:
        """Keep what it printed for the operator, beside the runs, and say where; never what, for it may be anything."""
        playbook = self._playbooks.change if self._playbooks.change in playbooks else playbooks[0]
        kept = self._folder / f"{playbook.stem}.failed"
        text = said.read_bytes()
        if secret:
            text = text.replace(secret.encode(), b"***")
        kept.unlink(missing_ok=True)
        with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(text)
        why, kind = _ENDINGS.get(status, (f"ended with {status}", DeviceUnreachable))
        if self._playbooks.read in playbooks:
            kind = (
                DeviceUnreachable  # Nothing was asked that it could refuse, or it may have taken it before it failed.
            )
        raise kind(f"{self.device}: {playbook.name} {why}; what it printed is in {kept}.")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One run at a time, of whichever process. A run holds the lock too: who starts it may be killed."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if self._folder.stat().st_mode & 0o077:
                raise DeviceUnreachable(f"{self.device}: others can look into {self._folder}; run chmod 700 on it.")
            # A run that goes on after its starter was killed takes that long at most.
            patience = self._playbooks.timeout_seconds + 2 * KILLED_AFTER_SECONDS
            with alone(self._folder / "lock", device=self.device, seconds=patience) as lock:
                self._playbooks.lock = lock
                self._changes = os.fstat(lock).st_size
                for left in self._folder.glob("run-*"):
                    shutil.rmtree(left, ignore_errors=True)  # Whoever made it was killed, and its run has ended.
                yield
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: {self._folder} cannot be used ({why.strerror}).") from why

    def _keep(self, entries: Sequence["_Entry"], *, at: datetime) -> None:
        """A keeper ends what has an end, also if the enforcer is gone for long."""
        self._keeper.needed(any(e.rule.until is not None and e.rule.until > at for e in entries), at=at)


_ENDINGS: Mapping[int, tuple[str, type[DriverFailure]]] = {
    2: ("failed at a task", DeviceRefused),
    4: ("could not reach the host", DeviceUnreachable),
    124: ("took too long and was stopped", DeviceUnreachable),
    126: ("cannot be run", DeviceUnreachable),
    127: ("cannot be run: there is no such program", DeviceUnreachable),
    137: ("took too long and was killed", DeviceUnreachable),
}


@dataclass(slots=True, kw_only=True)
class _Playbooks:
    """How Ansible is called."""

    program: str
    inventory: Path
    host: str
    read: Path
    change: Path
    timeout_seconds: int
    lock: int = -1

    def run(self, playbooks: Sequence[Path], variables: Path, *, said: int, run: Path) -> int:
        """Run playbooks and give the exit status; whatever was started is gone then. `said` takes what is printed."""
        # `timeout` ends it also if we are killed meanwhile, and nobody else would.
        bound = ["timeout", f"--kill-after={KILLED_AFTER_SECONDS}", str(self.timeout_seconds)]
        command = [self.program, "-i", str(self.inventory), "--limit", self.host, "-e", f"@{variables}"]
        own = {name: value for name in _ENVIRONMENT if (value := os.environ.get(name)) is not None}
        process = subprocess.Popen(
            [*bound, *command, *map(str, playbooks)], cwd=playbooks[-1].parent, stdin=subprocess.DEVNULL,
            stdout=said, stderr=said,
            env={**own, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_RETRY_FILES_ENABLED": "0", "ANSIBLE_LOCAL_TEMP": str(run)},
            start_new_session=True, pass_fds=(self.lock,),
        )  # fmt: skip
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # Its number is still its own:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        return status if status >= 0 else 128 - status


def _variables(told: Mapping[str, object]) -> str:
    """A file of variables in which no text is a template.

    Ansible runs what stands between double braces in its variables, and here stand words of complaints and of hosts:
    marked `!unsafe`, which only YAML can say, they are what they are. Where nothing looks like a template the file is
    JSON, which Ansible reads faster by far.
    """
    text = json.dumps(told)
    return _marked(told) if _TEMPLATE.search(text) else text


_TEMPLATE = re.compile(r"\{[{%#]")


def _marked(value: object) -> str:
    if isinstance(value, str):
        return f"!unsafe {_quoted(value)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(str(key))}: {_marked(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_marked, value)) + "]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    plain = (c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return '"' + "".join(plain) + '"'


# What a host holds, as the playbooks tell it.


@dataclass(frozen=True, slots=True)
class _Entry:
    rule: Rule
    told: Mapping[str, Any]
    """As the reading playbook told it, and as the changing one is told to keep it."""

    @property
    def whole(self) -> bool:
        """Whether it is what it was made as, and its host has it where it counts."""
        as_made = str(self.told["fingerprint"]) == fingerprint(self.rule)
        return as_made and str(self.told.get("state", "in_force")) == "in_force"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    generation: int
    rules: tuple[_Entry, ...]
    strange: tuple[object, ...]
    """Entries among ours that are none of ours; they are kept as they are."""
    foreign: tuple[str, ...]
    tree: Any
    """The answer as it was written."""


def _entry(rule: Rule) -> _Entry:
    told = line_of(rule, scope=rule.selector.scope.name.lower(), does=rule.degree.name.lower(), state="in_force")
    return _Entry(rule, json.loads(told))


def _held(tree: Any) -> _Held:
    """Raise ValueError, KeyError, TypeError or AttributeError for what makes no sense."""
    generation = tree["generation"]
    if not isinstance(generation, int) or isinstance(generation, bool) or generation < 0:
        raise ValueError("its generation is no number")
    rules, strange = [], []
    for told in tree["rules"]:
        try:
            rule, kept = read_line(json.dumps(told))
            if told.get("state", "in_force") not in ("in_force", "drift") or not isinstance(told["fingerprint"], str):
                raise ValueError("neither in force nor drift")
        except (ValueError, KeyError, TypeError, AttributeError):
            strange.append(told)
        else:
            rules.append(_Entry(rule, kept))
    foreign = [*map(str, tree.get("foreign", ())), *(json.dumps(x, sort_keys=True) for x in strange)]
    return _Held(generation=generation, rules=tuple(rules), strange=tuple(strange), foreign=tuple(foreign), tree=tree)
