"""Tipstaff's own tables in the RADIUS server's database: one transaction each, on PostgreSQL or SQLite."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg

from tipstaff.enforcement.drivers.radius.packets import Session
from tipstaff.enforcement.planner import fingerprint
from tipstaff.enforcement.protocol import DeviceRefused, DeviceUnreachable
from tipstaff.enforcement.secrets import Secret
from tipstaff.words import Degree, Rule, Scope

VERDICTS = {
    Degree.RATE_LIMIT: "rate_limit",
    Degree.WALLED_GARDEN: "walled_garden",
    Degree.DISCONNECT: "reject",
    Degree.SUSPEND: "reject",
    Degree.TERMINATE: "reject",
}
STRENGTH = {"rate_limit": 1, "walled_garden": 2, "reject": 3}
SCOPES = {Scope.SESSION: "session", Scope.SERVICE: "service", Scope.ACCOUNT: "account"}
CLASS = "tipstaff/"
"""Begins the Class of every session that was let in with a profile of ours; the measure's key follows."""

_OPEN = "(s.acctstoptime IS NULL OR s.acctstarttime > s.acctstoptime OR s.acctupdatetime > s.acctstoptime)"
"""Some access servers give the next session the same id: FreeRADIUS's row has the old Stop then, and a later Start."""

_SAME_STATION = (
    "(t.station = '' OR t.station = upper(s.callingstationid) OR (t.station LIKE '__-__-__-__-__-__'"
    " AND replace(t.station, '-', '') ="
    " upper(replace(replace(replace(s.callingstationid, '-', ''), ':', ''), '.', ''))))"
)
"""Of a hardware address, however its octets are kept apart: a measure has them with hyphens (RFC 3580, 3.21)."""

Profile = tuple[tuple[str, str, str, str], ...]
"""(verdict, attribute, operator, value), sorted."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measure as the table has it."""

    measure: str
    scope: str
    subject: str
    station: str
    verdict: str
    ends_at: int | None
    fingerprint: str
    for_case: str
    digest: str = ""

    @property
    def proper_digest(self) -> str:
        told = (self.measure, self.scope, self.subject, self.station, self.verdict, self.ends_at, self.fingerprint)
        return hashlib.sha256("|".join(map(str, (*told, self.for_case))).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the tables say, all of one moment."""

    generation: int
    rows: Mapping[str, Row]
    profile: Profile
    met: Mapping[str, tuple[Session, ...]]
    """Measure -> the open sessions of those whom it meets."""
    known: frozenset[str]
    """Measures that meet any log-in at all."""
    marked: tuple[Session, ...]
    """Open sessions that were let in with a profile of ours."""


def row_of(rule: Rule) -> Row:
    """The row that holds a rule."""
    selector = rule.selector
    subject, station = selector.service or selector.account or "", ""
    if selector.session is not None:
        subject, _, station = selector.session.rpartition("/")
    row = Row(
        measure=rule.measure,
        scope=SCOPES[selector.scope],
        subject=subject,
        station=station.upper(),
        verdict=VERDICTS[rule.degree],
        ends_at=None if rule.until is None else int(rule.until.timestamp()),
        fingerprint=fingerprint(rule),
        for_case=rule.case,
    )
    return replace(row, digest=row.proper_digest)


def _values(row: Row) -> tuple[Any, ...]:
    return (
        row.measure, row.scope, row.subject, row.station, row.verdict, row.ends_at, row.fingerprint, row.for_case,
        row.digest,
    )  # fmt: skip


class Tables:
    """The way into the database. Each `reading` and `writing` is a connection and a transaction of its own."""

    def __init__(self, url: str, *, accounting: str, password: Secret | None = None, timeout_seconds: int = 10) -> None:
        self._url, self._accounting, self._password, self._timeout_seconds = url, accounting, password, timeout_seconds

    @contextlib.contextmanager
    def _transaction(self, *, write: bool) -> Iterator["_Cursor"]:
        try:
            if self._url.startswith("sqlite:///"):
                file = Path(self._url.removeprefix("sqlite:///"))
                if not file.exists():
                    raise DeviceUnreachable(f"there is no file {file}")
                with contextlib.closing(
                    sqlite3.connect(file, timeout=self._timeout_seconds, isolation_level=None)
                ) as connection:
                    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                    yield _Cursor(connection.cursor(), "?")
                    connection.execute("COMMIT")
                return
            password = self._password.read().decode() if self._password else None
            with psycopg.connect(self._url, password=password, connect_timeout=self._timeout_seconds) as server:
                server.isolation_level = None if write else psycopg.IsolationLevel.REPEATABLE_READ
                cursor = server.cursor()
                cursor.execute(b"SET TIME ZONE 'UTC'")
                cursor.execute(f"SET statement_timeout = {self._timeout_seconds * 1000}".encode())
                if write:
                    cursor.execute(b"LOCK TABLE tipstaff_plan IN EXCLUSIVE MODE")
                yield _Cursor(cursor, "%s")
        except psycopg.OperationalError as why:
            raise DeviceUnreachable(_first_line(why)) from None
        except sqlite3.OperationalError as why:
            raise DeviceUnreachable(_first_line(why)) from why
        except (psycopg.Error, sqlite3.Error) as why:
            raise DeviceRefused(_first_line(why)) from why

    def make(self) -> None:
        """Run `schema.sql`, as an administrator would; tests and first trials do."""
        text = files(__package__).joinpath("schema.sql").read_text()
        if self._url.startswith("sqlite:///"):
            with contextlib.closing(sqlite3.connect(self._url.removeprefix("sqlite:///"))) as connection:
                connection.executescript(text)
            return
        with self._transaction_for_schema() as cursor:
            cursor.execute(text.encode())

    @contextlib.contextmanager
    def _transaction_for_schema(self) -> "Iterator[psycopg.Cursor[Any]]":
        password = self._password.read().decode() if self._password else None
        with psycopg.connect(self._url, password=password) as server, server.cursor() as cursor:
            yield cursor

    def read(self, *, at: datetime) -> Held:
        """All of it. What has ended by `at` is left out, as FreeRADIUS leaves it out."""
        with self._transaction(write=False) as cursor:
            return self._read(cursor, at=at)

    @contextlib.contextmanager
    def writing(self, *, at: datetime) -> Iterator[tuple[Held, "Writing"]]:
        """All of it, locked, and what may be changed of it; nothing is changed if the block raises."""
        with self._transaction(write=True) as cursor:
            yield self._read(cursor, at=at), Writing(cursor)

    def keep_gone(self, sessions: Sequence[Session]) -> None:
        """Remember that an access server knows these sessions no longer."""
        with self._transaction(write=True) as cursor:
            cursor.many("INSERT INTO tipstaff_gone (nas, session, started) VALUES (%s, %s, %s)",
                        [(s.nas, s.id, s.started) for s in sessions])  # fmt: skip

    def _read(self, cursor: "_Cursor", *, at: datetime) -> Held:
        now = int(at.timestamp())
        generation = cursor.all("SELECT generation FROM tipstaff_plan")
        rows = [
            Row(*row)
            for row in cursor.all(
                "SELECT measure, scope, subject, station, verdict, ends_at, fingerprint, for_case, digest"
                " FROM tipstaff_measures WHERE ends_at IS NULL OR ends_at > %s",
                now,
            )
        ]
        profile = cursor.all("SELECT verdict, attribute, op, value FROM tipstaff_profile")
        gone = {(n, s, t) for n, s, t in cursor.all("SELECT nas, session, started FROM tipstaff_gone")}
        known = cursor.all("SELECT DISTINCT measure FROM tipstaff_targets")
        session = (
            "s.nasipaddress, s.acctsessionid, s.username, s.callingstationid, CAST(s.acctstarttime AS varchar(40)),"
            " s.class"
        )
        found = cursor.all(
            f"SELECT t.measure, {session} FROM tipstaff_targets t JOIN {self._accounting} s"  # noqa: S608 - a checked name
            f" ON s.username = t.username AND {_SAME_STATION}"
            f" WHERE {_OPEN} AND (t.ends_at IS NULL OR t.ends_at > %s)",
            now,
        )
        met: dict[str, list[Session]] = {}
        for measure, *told in found:
            one = _session(told)
            if (one.nas, one.id, one.started) not in gone:
                met.setdefault(measure, []).append(one)
        marked = [
            _session(told)
            for told in cursor.all(
                f"SELECT {session} FROM {self._accounting} s WHERE s.acctstoptime IS NULL"  # noqa: S608 - a checked name
                " AND (s.class LIKE %s OR lower(s.class) LIKE %s)",
                f"{CLASS}%",
                f"0x{CLASS.encode().hex()}%",
            )
        ]
        return Held(
            generation=max((int(g) for (g,) in generation), default=0),
            rows={row.measure: row for row in rows},
            profile=tuple(sorted((v, a, o, x) for v, a, o, x in profile)),
            met={measure: tuple(sessions) for measure, sessions in met.items()},
            known=frozenset(measure for (measure,) in known),
            marked=tuple(s for s in marked if (s.nas, s.id, s.started) not in gone),
        )


class Writing:
    """Changes within one transaction."""

    def __init__(self, cursor: "_Cursor") -> None:
        self._cursor = cursor

    def lift(self, measures: Sequence[str]) -> None:
        self._cursor.many("DELETE FROM tipstaff_measures WHERE measure = %s", [(m,) for m in measures])

    def put(self, rows: Sequence[Row]) -> None:
        self.lift([row.measure for row in rows])
        self._cursor.many(
            "INSERT INTO tipstaff_measures"
            " (measure, scope, subject, station, verdict, ends_at, fingerprint, for_case, digest)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [_values(row) for row in rows],
        )

    def sweep(self, *, at: datetime) -> None:
        """Take away what has ended."""
        self._cursor.all("DELETE FROM tipstaff_measures WHERE ends_at IS NOT NULL AND ends_at <= %s",
                         int(at.timestamp()))  # fmt: skip

    def profile(self, rows: Profile) -> None:
        self._cursor.all("DELETE FROM tipstaff_profile")
        self._cursor.many("INSERT INTO tipstaff_profile (verdict, attribute, op, value) VALUES (%s, %s, %s, %s)", rows)

    def generation(self, generation: int) -> None:
        self._cursor.all("DELETE FROM tipstaff_plan")
        self._cursor.all("INSERT INTO tipstaff_plan (id, generation) VALUES (1, %s)", generation)


class _Cursor:
    """What both databases' cursors have in common."""

    def __init__(self, cursor: Any, mark: str) -> None:
        self._cursor, self._mark = cursor, mark

    def all(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        self._cursor.execute(text.replace("%s", self._mark), values)
        return list(self._cursor.fetchall()) if self._cursor.description else []

    def many(self, text: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            self._cursor.executemany(text.replace("%s", self._mark), list(rows))


def _session(told: Sequence[Any]) -> Session:
    nas, number, username, station, started, klass = told
    return Session(
        nas=str(nas), id=str(number), username=str(username), station=str(station or ""), started=str(started),
        measure=measure_in(str(klass or "")),
    )  # fmt: skip


def measure_in(klass: str) -> str:
    """The measure that a Class names, in words or as FreeRADIUS writes octets (`0x...`); empty if none."""
    if klass.lower().startswith("0x"):
        try:
            klass = bytes.fromhex(klass[2:]).decode()
        except ValueError:
            return ""
    return klass.removeprefix(CLASS) if klass.startswith(CLASS) else ""


def _first_line(why: Exception) -> str:
    return (str(why).strip().splitlines() or [type(why).__name__])[0]
