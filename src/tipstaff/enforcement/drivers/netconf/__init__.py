"""A router or switch by NETCONF (RFC 6241 over SSH, RFC 6242): access control lists of RFC 8519, changed as a whole.

Each change goes into the candidate under a lock, is committed for a trial (confirmed commit), read back, and only then
confirmed. If we die in between, or cannot reach the device any more, it takes the change back by itself.
"""

import contextlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tipstaff.enforcement.drivers.netconf import acl
from tipstaff.enforcement.keeper import Keeper
from tipstaff.enforcement.options import Listener, Options
from tipstaff.enforcement.planner import Ability
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable, StalePlan
from tipstaff.enforcement.secrets import Secret
from tipstaff.words import Observation, Plan, ProbeResult, Proof, Rule, Seen, Step

_KNOWN = (
    "address", "username", "password_file", "password_command", "key_file", "host_key", "rest", "statistics",
    "keeper_file", "confirm_seconds", "timeout_seconds",
)  # fmt: skip


def make(device: str, options: Mapping[str, object]) -> "NetconfDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is reached yet, and no secret is read."""
    given = Options(device=device, driver="netconf", given=options)
    given.only(_KNOWN)
    if importlib.util.find_spec("ncclient") is None:
        raise BadOption(f"device {device}: the netconf driver needs ncclient: pip install 'tipstaff[netconf]'.")
    at = given.listener("address")
    if at is None:
        raise given.bad("address", "is missing: the device's address and port, for example 192.0.2.1:830.")
    key = given.path("key_file") if given.text("key_file") else None
    by_password = bool(options.get("password_file") or options.get("password_command"))
    if by_password is (key is not None):
        raise given.bad("key_file", "or a password says how to log in: set one of them.")
    given.needed("rest")
    return NetconfDriver(
        device,
        at=at,
        username=given.needed("username"),
        password=Secret.of(f"device {device}", options, stem="password") if by_password else None,
        key=key,
        host_key=given.needed("host_key"),
        accept_rest=given.choice("rest", "accept", "none") == "accept",
        statistics=given.flag("statistics"),
        keeper=Keeper(device, file=given.path("keeper_file"), module=__name__, options=options),
        confirm_seconds=given.number("confirm_seconds", 60),
        timeout_seconds=given.number("timeout_seconds", 30),
    )


class NetconfDriver:
    """One device, and three lists of our own on it."""

    def __init__(
        self, device: str, *, at: Listener, username: str, password: Secret | None, key: Path | None, host_key: str,
        accept_rest: bool, statistics: bool, keeper: Keeper, confirm_seconds: int, timeout_seconds: int,
    ) -> None:  # fmt: skip
        self.device = device
        # What stands in a configuration need not be where packets pass; only its counters say so.
        self.max_proof = Proof.STATE if statistics else Proof.CONFIG
        self._at, self._username, self._password, self._key, self._host_key = at, username, password, key, host_key
        self._accept_rest, self._statistics, self._keeper = accept_rest, statistics, keeper
        self._confirm_seconds, self._timeout_seconds = confirm_seconds, timeout_seconds
        self._session: Any = None

    @property
    def ability(self) -> Ability:
        return Ability(device=self.device, can=acl.CAN, proof=self.max_proof)

    def supports(self, rule: Rule) -> bool:
        return acl.supports(rule)

    def observe(self, *, at: datetime) -> Observation:
        try:
            with self._asking() as session:
                held = self._read(session)
                counted = self._counted(session) if self._statistics and held.entries else frozenset()
            self._keep(held.entries, at=at)
        except (DeviceUnreachable, DeviceRefused) as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        alive: dict[str, list[acl.Entry]] = {}
        for entry in held.entries:
            if entry.until is None or entry.until > at:
                alive.setdefault(entry.measure, []).append(entry)
        rules, idle = [], []
        for measure, parts in sorted(alive.items()):
            whole = all(part.whole for part in parts) and len({p.name for p in parts}) == parts[0].of
            if whole and self._statistics and not all(part.name in counted for part in parts):
                whole = False
                idle.append(measure)
            rules.append((measure, Seen.IN_FORCE if whole else Seen.DRIFT))
        return Observation(
            complete=True,
            generation=held.generation,
            rules=tuple(rules),
            fingerprints=tuple((measure, parts[0].fingerprint) for measure, parts in sorted(alive.items())),
            foreign=tuple(name for _, strange in sorted(held.foreign.items()) for name, _ in strange),
            at=at,
            detail=f"No interface counts packets for {', '.join(idle[:5])}: are the lists attached?" if idle else "",
        )

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        with self._asking() as session, self._locked(session):
            held = self._read(session)
            if plan.generation < held.generation:
                raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
            todo = {step.measure: step.rule for step in steps}
            kept = [e for e in held.entries if e.measure not in todo and (e.until is None or e.until > at)]
            for rule in todo.values():
                assert rule is None or self.supports(rule), f"{rule} was planned for a device that cannot hold it"
                if rule is not None and (rule.until is None or rule.until > at):
                    kept += acl.entries_of(rule)
            self._write(session, plan.generation, kept, held)
        self._keep(kept, at=at)

    def end_due(self, *, at: datetime) -> datetime | None:
        """Take out what has ended, without any plan; when the next one ends. It is for the keeper, and for a timer."""
        with self._asking() as session:
            held = self._read(session)
            if any(e.until is not None and e.until <= at for e in held.entries):
                with self._locked(session):
                    held = self._read(session)
                    kept = [e for e in held.entries if e.until is None or e.until > at]
                    self._write(session, held.generation, kept, held)
            return min((e.until for e in held.entries if e.until is not None and e.until > at), default=None)

    def probe(self, rule: Rule) -> ProbeResult:
        return ProbeResult(target_stopped=None, neighbour_works=None, detail="No packet is sent by this driver.")

    # What goes over the wire.

    def _read(self, session: Any) -> acl.Held:
        return acl.read(session.get_config(source="running", filter=("subtree", acl.only_ours())).data_ele)

    def _counted(self, session: Any) -> frozenset[str]:
        wanted = f'<acls xmlns="{acl.NS}"><attachment-points/></acls>'
        return acl.counted(session.get(filter=("subtree", wanted)).data_ele)

    def _write(self, session: Any, generation: int, entries: Sequence[acl.Entry], held: acl.Held) -> None:
        """Change our lists as a whole, for a trial; confirm it when it is read back as it was meant."""
        text = acl.config(generation, entries, held, accept_rest=self._accept_rest)
        session.edit_config(target="candidate", config=text, default_operation="merge")
        session.commit(confirmed=True, timeout=str(self._confirm_seconds))
        now = self._read(session)
        as_meant = {e.name for e in now.entries} == {e.name for e in entries} and all(e.whole for e in now.entries)
        if now.generation != generation or not as_meant:
            session.cancel_commit()
            raise DeviceRefused(f"{self.device} took the change otherwise than it was meant; it was taken back.")
        session.commit()

    @contextlib.contextmanager
    def _locked(self, session: Any) -> Iterator[None]:
        """The candidate is ours alone; what is left in it when something fails is discarded."""
        with session.locked("candidate"):
            try:
                yield
            except BaseException:
                with contextlib.suppress(Exception):
                    session.discard_changes()
                raise

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Any]:
        """A session; what goes wrong with it comes out as one of ours, and it is not used again."""
        from ncclient.operations import RPCError
        from ncclient.operations.errors import OperationError
        from ncclient.transport.errors import TransportError

        try:
            yield self._connected()
        except RPCError as why:
            said = str(why.message or why.tag).strip().rstrip(".")
            if why.tag in ("lock-denied", "in-use"):
                raise DeviceUnreachable(f"{self.device}: somebody else is changing it ({said}).") from why
            raise DeviceRefused(f"{self.device}: {said}.") from why
        except (OperationError, TransportError, OSError, EOFError) as why:
            self.close()
            raise DeviceUnreachable(f"{self.device} cannot be reached ({type(why).__name__}).") from why

    def _connected(self) -> Any:
        """The session that stands, or a new one. A device may have hung up meanwhile."""
        from ncclient import manager

        if self._session is not None and self._session.connected:
            return self._session
        host, port = self._at
        login = {"password": self._password.read().decode()} if self._password else {"key_filename": str(self._key)}
        self._session = manager.connect_ssh(
            host=host, port=port, username=self._username, hostkey_verify=True, hostkey_b64=self._host_key,
            allow_agent=False, look_for_keys=False, timeout=self._timeout_seconds, **login,
        )  # fmt: skip
        self._session.timeout = self._timeout_seconds
        return self._session

    def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            with contextlib.suppress(Exception):
                self._session.close_session()
            self._session = None

    def _keep(self, entries: Sequence[acl.Entry], *, at: datetime) -> None:
        """The device knows no expiry: a keeper ends what has an end, also if the enforcer is gone for long."""
        try:
            if any(e.until is not None and e.until > at for e in entries):
                self._keeper.file.touch(mode=0o600)
                self._keeper.keep(at)
            else:
                self._keeper.wake(at)
        except OSError as why:
            raise DeviceUnreachable(f"{self.device}: no keeper can be set up at {self._keeper.file}") from why
