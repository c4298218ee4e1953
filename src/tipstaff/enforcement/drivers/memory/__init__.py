"""A device that is a file, or nothing but memory: for development, for tests, and where no packet filter is at hand.

It stops no packet, says so (`Proof.STATE` of its own state, never PROBE), and passes the same contract as the real
drivers. With `state_file` its state survives restarts and is shared by processes, under a lock and by atomic renames.
"""

import contextlib
import json
import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tipstaff.enforcement.alone import alone
from tipstaff.enforcement.kept import NAMES, selector_of
from tipstaff.enforcement.planner import Ability, fingerprint
from tipstaff.enforcement.protocol import BadOption, DeviceUnreachable, StalePlan
from tipstaff.words import Degree, Observation, Plan, ProbeResult, Proof, Rule, Scope, Seen, Step

_PATIENCE_SECONDS = 20
_EMPTY: dict[str, Any] = {"generation": 0, "rules": {}, "foreign": []}


def make(device: str, options: Mapping[str, object]) -> "MemoryTwin":
    """Make the twin that the settings describe; `state_file` is its only option."""
    unknown = set(options) - {"state_file"}
    if unknown:
        raise BadOption(f"device {device}: {min(unknown)} is not an option of the memory driver; known is state_file.")
    file = options.get("state_file")
    if file is not None and not isinstance(file, str):
        raise BadOption(f"device {device}: state_file is {file!r}, but it takes a path in quotes.")
    return MemoryTwin(device, file=Path(file) if file else None)


class MemoryTwin:
    """Holds rules as a device would."""

    max_proof = Proof.STATE

    def __init__(self, device: str, *, file: Path | None = None) -> None:
        self.device = device
        self.unreachable = False
        """Set by tests: reads fail and changes are refused."""
        self._file = file
        self._state: dict[str, Any] = json.loads(json.dumps(_EMPTY))
        self._lock = threading.Lock()

    @property
    def ability(self) -> Ability:
        can = {(scope, degree) for scope in Scope for degree in Degree if degree is not Degree.NOTIFY}
        return Ability(device=self.device, can=frozenset(can), proof=self.max_proof, narrows=True)

    def supports(self, rule: Rule) -> bool:
        return rule.degree is not Degree.NOTIFY

    def observe(self, *, at: datetime) -> Observation:
        if self.unreachable:
            return Observation(complete=False, generation=0, rules=(), at=at, detail="The device does not answer.")
        try:
            with self._held(write=False) as state:
                alive = {key: kept for key, kept in state["rules"].items() if not _ended(kept, at)}
        except (DeviceUnreachable, OSError, ValueError) as why:
            detail = f"The state file cannot be read: {why}."
            return Observation(complete=False, generation=0, rules=(), at=at, detail=detail)
        return Observation(
            complete=True,
            generation=state["generation"],
            rules=tuple((key, _seen(kept)) for key, kept in sorted(alive.items())),
            fingerprints=tuple((key, kept["fingerprint"]) for key, kept in sorted(alive.items())),
            foreign=tuple(state["foreign"]),
            at=at,
        )

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        if self.unreachable:
            raise DeviceUnreachable(self.device)
        with self._held(write=True) as state:
            if plan.generation < state["generation"]:
                raise StalePlan(f"{self.device} holds generation {state['generation']}, the plan is {plan.generation}")
            state["generation"] = plan.generation
            for step in steps:
                if step.verb == "apply" and step.rule is not None:
                    state["rules"][step.measure] = _kept(step.rule)
                elif step.verb == "lift":
                    state["rules"].pop(step.measure, None)
            state["rules"] = {key: kept for key, kept in state["rules"].items() if not _ended(kept, at)}

    def look_at(self, measures: Collection[str], *, at: datetime) -> Observation | None:
        whole = self.observe(at=at)
        if not whole.complete:
            return None
        return replace(
            whole,
            rules=tuple((key, seen) for key, seen in whole.rules if key in measures),
            fingerprints=tuple((key, told) for key, told in whole.fingerprints if key in measures),
            only=frozenset(measures),
        )

    def probe(self, rule: Rule) -> ProbeResult:
        return ProbeResult(target_stopped=None, neighbour_works=None, detail="No packet passes a twin.")

    # What tests do to a device behind its driver's back.

    def tamper(self, measure: str) -> None:
        """Change a rule by hand, as somebody logged in to the device might."""
        with self._held(write=True) as state:
            state["rules"][measure]["selector"]["port"] = 1

    def put_foreign(self, entry: str) -> None:
        """Put in an entry that no plan knows."""
        with self._held(write=True) as state:
            state["foreign"].append(entry)

    def forget(self) -> None:
        """Lose everything, as a reboot does."""
        with self._held(write=True) as state:
            state.update(json.loads(json.dumps(_EMPTY)))

    def rules(self) -> list[tuple[str, str]]:
        """(measure, selector in words) of all that it holds."""
        with self._held(write=False) as state:
            return sorted((key, kept["words"]) for key, kept in state["rules"].items())

    @contextlib.contextmanager
    def _held(self, *, write: bool) -> Iterator[dict[str, Any]]:
        with self._lock:
            if self._file is None:
                yield self._state
                return
            self._file.parent.mkdir(parents=True, exist_ok=True)
            lock = self._file.with_name(self._file.name + ".lock")
            with alone(lock, device=self.device, seconds=_PATIENCE_SECONDS, shared=not write):
                state = json.loads(self._file.read_text()) if self._file.exists() else json.loads(json.dumps(_EMPTY))
                yield state
                if write:
                    self._save(state)

    def _save(self, state: dict[str, Any]) -> None:
        assert self._file is not None
        # Written beside and renamed: whoever is killed here leaves the old state or the new one.
        beside = self._file.with_name(f"{self._file.name}.{os.getpid()}.new")
        with open(beside, "w") as out:
            json.dump(state, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(beside, self._file)


def _kept(rule: Rule) -> dict[str, Any]:
    s = rule.selector
    return {
        "case": rule.case,
        "degree": int(rule.degree),
        "until": rule.until.isoformat() if rule.until else None,
        "by_law": rule.by_law,
        "fingerprint": fingerprint(rule),
        "words": str(s),
        "measure": rule.measure,
        "selector": {
            "network": str(s.network) if s.network else None,
            "remote": str(s.remote) if s.remote else None,
            "direction": str(s.direction),
            **{name: getattr(s, name) for name in NAMES},
        },
    }


def _rule(kept: dict[str, Any]) -> Rule:
    return Rule(
        measure=kept["measure"],
        case=kept["case"],
        degree=Degree(kept["degree"]),
        until=datetime.fromisoformat(kept["until"]) if kept["until"] else None,
        by_law=kept.get("by_law", False),
        selector=selector_of(kept["selector"]),
    )


def _seen(kept: dict[str, Any]) -> Seen:
    return Seen.IN_FORCE if fingerprint(_rule(kept)) == kept["fingerprint"] else Seen.DRIFT


def _ended(kept: dict[str, Any], at: datetime) -> bool:
    return kept["until"] is not None and datetime.fromisoformat(kept["until"]) <= at
