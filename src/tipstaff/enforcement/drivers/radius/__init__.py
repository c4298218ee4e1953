"""RADIUS: what the server answers at a log-in is the state; ending or changing the sessions that are open is the edge.

A session that is only ended comes back at once, so the row that shuts its log-in out, or gives it another profile,
stands before the access server is asked to end anything (RFC 5176). A measure is in force when the row stands and
accounting shows no session that was let in without it. Rows, generation and profile live in tables of our own. An
access server that can change a session's profile is asked for that first (CoA); what accounting does not show changed
is ended.
"""

import re
import select
import socket
from collections.abc import Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address
from typing import NamedTuple

from tipstaff.enforcement.drivers.radius import packets
from tipstaff.enforcement.drivers.radius.attributes import NotSayable, encode
from tipstaff.enforcement.drivers.radius.packets import Server, Session
from tipstaff.enforcement.drivers.radius.tables import (
    CLASS,
    SCOPES,
    STRENGTH,
    VERDICTS,
    Held,
    Profile,
    Tables,
    row_of,
)
from tipstaff.enforcement.options import Options
from tipstaff.enforcement.planner import Ability
from tipstaff.enforcement.protocol import BadOption, DeviceRefused, DeviceUnreachable, StalePlan
from tipstaff.enforcement.secrets import Secret
from tipstaff.words import Observation, Plan, ProbeResult, Proof, Rule, Seen, Step, machine_named

_KNOWN = (
    "database", "accounting", "password_file", "password_command", "walled_garden", "rate_limit", "timeout_seconds",
    "settle_seconds", "nas", "usual",
)  # fmt: skip
_NAS = ("address", "send_to", "port", "secret_file", "secret_command", "coa")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_ITEM = re.compile(r"([A-Za-z0-9._-]+(?::[0-9]+)?) *(:=|\+=|=) *(\S.*)")


def make(device: str, options: Mapping[str, object]) -> "RadiusDriver":
    """Make the driver that a `[[devices]]` table describes; nothing is reached yet."""
    given = Options(device=device, driver="radius", given=options)
    given.only(_KNOWN)
    url = given.needed("database")
    if not url.startswith(("postgresql://", "sqlite:///")):
        raise BadOption(f"device {device}: database takes postgresql://user@host/name or sqlite:////path/of/the.db.")
    if re.match(r"postgresql://[^/@]*:[^/@]+@", url) or "password=" in url:
        raise BadOption(f"device {device}: database has a password in it; put that into a password_file.")
    accounting = given.text("accounting", "radacct")
    if not _NAME.fullmatch(accounting):
        raise BadOption(f"device {device}: accounting takes the name of a table or view.")
    password = None
    if options.get("password_file") or options.get("password_command"):
        password = Secret.of(f"device {device}", options, stem="password")
    nas = _nas_of(device, options.get("nas", []))
    profile = tuple(
        sorted(row for name in ("walled_garden", "rate_limit") for row in _profile_of(device, name, given.texts(name)))
    )
    usual = tuple((name, value) for _, name, _, value in _profile_of(device, "usual", given.texts("usual")))
    try:
        if any(one.changes for one in nas.values()):
            encode([*((name, value) for _, name, _, value in profile), *usual])
    except NotSayable as why:
        raise BadOption(f"device {device}: coa: {why}") from why
    return RadiusDriver(
        device,
        tables=Tables(
            url,
            accounting=accounting,
            password=password,
            timeout_seconds=given.number("timeout_seconds", 10),
        ),
        nas=nas,
        profile=profile,
        usual=usual,
        settle_seconds=given.number("settle_seconds", 3),
    )


def _profile_of(device: str, name: str, items: Sequence[str]) -> Profile:
    rows = []
    for item in items:
        told = _ITEM.fullmatch(item.strip())
        if told is None:
            raise BadOption(
                f"device {device}: {name} takes RADIUS attributes, for example ['Filter-Id := \"quarantine\"']."
            )
        rows.append((name, told[1], told[2], told[3].strip().strip('"')))
    return tuple(rows)


class Nas(NamedTuple):
    """An access server as the settings have it."""

    send_to: str
    port: int
    secret: Secret
    changes: bool
    """Whether it takes CoA-Requests."""


def _nas_of(device: str, given: object) -> dict[str, Nas]:
    found: dict[str, Nas] = {}
    for one in given if isinstance(given, list | tuple) else [given]:
        where = f"device {device}: nas"
        if not isinstance(one, Mapping) or set(one) - set(_NAS):
            raise BadOption(f"{where} takes a list of tables; each may have {', '.join(_NAS)}.")
        port = one.get("port", 3799)
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
            raise BadOption(f"{where}: port takes a number from 1 to 65535.")
        try:
            address, send_to = (str(IPv4Address(a)) for a in (one["address"], one.get("send_to", one["address"])))
        except (KeyError, ValueError) as why:
            raise BadOption(f"{where}: address and send_to take an IPv4 address.") from why
        changes = one.get("coa", False)
        if not isinstance(changes, bool):
            raise BadOption(f"{where}: coa takes true or false.")
        found[address] = Nas(send_to, port, Secret.of(f"{where} {address}", one, stem="secret"), changes)
    return found


class RadiusDriver:
    """One RADIUS server's database, and the access servers that obey it."""

    max_proof = Proof.STATE

    def __init__(
        self,
        device: str,
        *,
        tables: Tables,
        nas: Mapping[str, Nas],
        profile: Profile = (),
        usual: Sequence[tuple[str, str]] = (),
        settle_seconds: int = 3,
    ) -> None:
        self.device = device
        self.tables = tables
        self._nas, self._profile, self._settle_seconds = nas, profile, settle_seconds
        self._usual = tuple(usual)
        self._why: dict[Session, str] = {}
        """Why a session could not be ended the last time."""
        self.open_socket = lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        """How packets leave; a test puts another network's socket here."""

    @property
    def ability(self) -> Ability:
        have = {"reject", *(verdict for verdict, *_ in self._profile)}
        can = {(scope, degree) for scope in SCOPES for degree, verdict in VERDICTS.items() if verdict in have}
        return Ability(device=self.device, can=frozenset(can), proof=self.max_proof)

    def supports(self, rule: Rule) -> bool:
        selector = rule.selector
        if (selector.scope, rule.degree) not in self.ability.can or not _KEY.fullmatch(rule.measure):
            return False
        if selector.session is not None:
            login, _, station = selector.session.rpartition("/")
            return bool(login and station) and machine_named(selector.session) is None  # A port has no log-in.
        return True

    def observe(self, *, at: datetime) -> Observation:
        try:
            held = self.tables.read(at=at)
        except (DeviceUnreachable, DeviceRefused) as why:
            return Observation(complete=False, generation=0, rules=(), at=at, detail=str(why))
        rules: dict[str, Seen] = {}
        foreign: list[str] = []
        doubts: list[str] = []
        for key, row in held.rows.items():
            if not row.digest:
                foreign.append(f"row {key} in tipstaff_measures")
                continue
            doubt = self._doubt(held, key)
            rules[key] = Seen.DRIFT if doubt else Seen.IN_FORCE
            doubts += [doubt] if doubt else []
        for session in held.marked:
            if session.measure and session.measure not in rules:
                # Nobody wants it any more, and its profile stands as long as the session: named, so that it is lifted.
                rules[session.measure] = Seen.DRIFT
                doubts.append(f"{session.measure}: {self._open(session)}")
        return Observation(
            complete=True,
            generation=held.generation,
            rules=tuple(sorted(rules.items())),
            fingerprints=tuple(sorted((key, row.fingerprint) for key, row in held.rows.items() if row.digest)),
            foreign=tuple(sorted(foreign)),
            at=at,
            detail=" ".join(doubts[:5]),
        )

    def _doubt(self, held: Held, key: str) -> str:
        """Why a measure whose row is there is not in force; empty if it is."""
        row = held.rows[key]
        if row.digest != row.proper_digest:
            return f"{key}: its row was changed by hand."
        if held.profile != self._profile:
            return f"{key}: the profiles are not those of the settings."
        if key not in held.known:
            return f"{key}: tipstaff_logins names no log-in of {row.scope} {row.subject}."
        return next((f"{key}: {self._open(session)}" for session in _to_end(held, key)), "")

    def _open(self, session: Session) -> str:
        why = self._why.get(session)
        return f"a session of {session.username} on {session.nas} is still open{f': {why}' if why else ''}."

    def carry_out(self, plan: Plan, *, steps: Sequence[Step], at: datetime) -> None:
        with self.tables.writing(at=at) as (held, writing):
            if plan.generation < held.generation:
                raise StalePlan(f"{self.device} holds generation {held.generation}, the plan is {plan.generation}")
            applied = [step.rule for step in steps if step.verb == "apply" and step.rule is not None]
            assert all(self.supports(rule) for rule in applied), "planned for a device that cannot hold it"
            writing.lift([step.measure for step in steps if step.verb == "lift"])
            writing.put([row_of(rule) for rule in applied if rule.until is None or rule.until > at])
            writing.sweep(at=at)
            if held.profile != self._profile:
                writing.profile(self._profile)
            writing.generation(plan.generation)
        self._end_sessions(at=at)

    def _end_sessions(self, *, at: datetime) -> None:
        """End what was let in otherwise than the rows now say, and wait a moment until accounting shows it.

        It looks at the rows and not at a plan, so being late does no harm. What stays open is seen as drift.
        """
        self._why = {}
        held = self.tables.read(at=at)
        changes = {session: change for session in sessions_to_end(held) if (change := self._change(session, held, at))}
        if changes:
            self._ask(changes, at=at)
            held = self.tables.read(at=at)
        if todo := sessions_to_end(held):
            self._ask(dict.fromkeys(todo), at=at)

    def _change(self, session: Session, held: Held, at: datetime) -> bytes | None:
        """What would make an open session what it would be if it were let in now; None where only its end does."""
        nas = self._nas.get(session.nas)
        if nas is None or not nas.changes:
            return None
        met = [row for key, row in held.rows.items() if session in held.met.get(key, ())]
        if not met:
            # Its measure was lifted. A Class of ours that names none says that it is free.
            return encode([*self._usual, ("Class", CLASS)]) if self._usual else None
        row = min(met, key=lambda row: (-STRENGTH.get(row.verdict, 0), row.measure))
        items = [(name, value) for verdict, name, _, value in self._profile if verdict == row.verdict]
        if not items:
            return None
        # As at a log-in: the access server itself ends the session when the measure's time is over.
        left = [] if row.ends_at is None else [("Session-Timeout", str(max(1, row.ends_at - int(at.timestamp()))))]
        return encode([*items, ("Class", CLASS + row.measure), *left])

    def _ask(self, wanted: Mapping[Session, bytes | None], *, at: datetime) -> None:
        """Ask the access servers, and wait a moment until accounting shows what they acknowledged."""
        answers = packets.ask(
            wanted,
            servers=self._servers({session.nas for session in wanted}),
            epoch_seconds=int(at.timestamp()),
            timeout_seconds=3.0,
            open_socket=self.open_socket,
        )
        gone = [session for session, answer in answers.items() if answer.unknown]
        if gone:
            self.tables.keep_gone(gone)
        self._why |= {session: answer.why for session, answer in answers.items() if answer.why and not answer.unknown}
        done = {session for session, answer in answers.items() if answer.done}
        for _ in range(self._settle_seconds * 20 if done else 0):
            if not done & set(sessions_to_end(self.tables.read(at=at))):
                break
            select.select([], [], [], 0.05)  # No event tells that a Stop was written down.

    def _servers(self, wanted: set[str]) -> dict[str, Server]:
        found = {}
        for address in wanted & set(self._nas):
            nas = self._nas[address]
            found[address] = Server(nas.send_to, nas.port, nas.secret.read())
        return found

    def probe(self, rule: Rule) -> ProbeResult:
        return ProbeResult(
            target_stopped=None, neighbour_works=None, detail="Only the customer's own device can log in."
        )


def sessions_to_end(held: Held) -> list[Session]:
    """Open sessions that were let in otherwise than the rows say now, or by a row that is gone."""
    found = {session for key in held.rows for session in _to_end(held, key)}
    found |= {session for session in held.marked if session.measure and session.measure not in held.rows}
    return sorted(found, key=lambda s: (s.nas, s.id, s.started))


def _to_end(held: Held, key: str) -> list[Session]:
    """The open sessions that this measure's row would not have let in as they are."""
    row = held.rows[key]
    return [
        session
        for session in held.met.get(key, ())
        if row.verdict == "reject"
        or (by := held.rows.get(session.measure)) is None
        or STRENGTH.get(by.verdict, 0) < STRENGTH.get(row.verdict, 0)
    ]
