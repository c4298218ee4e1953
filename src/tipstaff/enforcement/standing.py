"""What is open on one device, as its one writer last read it: only rows that changed since then are read again.

Nothing is believed without a look: each time the database names the version of every open row, and a version that is
known is the row as it was read. PostgreSQL never changes a row in place, so where it lies and by which transaction it
came there (`ctid`, `xmin`) name one version of it, for as long as a database session lasts; and so does this: with
another session it starts anew, for the database behind it may be one that was restored. Its key belongs to it: a table
that is written anew (`VACUUM FULL`) may lay one row where another of the same transaction lay.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from tipstaff.words import Degree, Ground, MeasureState, Proof, Rule

from .kept import selector_of
from .models import WANTED
from .planner import digest_of, fingerprint

_OPEN = "FROM enforcement_measurerow WHERE device = %s AND NOT (state IN ('lifted', 'failed'))"
_VERSION = "key || ctid::text || xmin::text"
_ROWS = f"SELECT {_VERSION}, key, \"case\", selector::text, degree, until, urgency->>'ground', state, proof {_OPEN}"
_READ_SINGLY_MAX = 1000
"""Of more rows that are new the whole is read anew."""


class Open(NamedTuple):
    """One open measure in one version of its row."""

    rule: Rule
    """With its fingerprint."""
    wanted: bool
    settled: bool
    """In force, and shown by the device's own state."""


class Standing:
    """The open measures of one device."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._session = 0
        """The process of the database that told it."""
        self._versions = ""
        self._known: dict[str, Open] = {}
        self._open: tuple[Open, ...] = ()
        self._wanted: tuple[Rule, ...] = ()
        self._first_end: datetime | None = None
        self._digest = ""

    def open(self) -> Sequence[Open]:
        """All open measures by their keys, as they are now."""
        self._look()
        return self._open

    def wanted(self, *, at: datetime) -> tuple[tuple[Rule, ...], str]:
        """The rules that the device shall hold at `at`, and the digest of them."""
        self._look()
        if self._first_end is not None and self._first_end <= at:
            rules = tuple(rule for rule in self._wanted if rule.until is None or rule.until > at)
            return rules, digest_of(rules)
        self._digest = self._digest or digest_of(self._wanted)
        return self._wanted, self._digest

    def _look(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT string_agg({_VERSION}, ' ' ORDER BY key), pg_backend_pid() {_OPEN}", [self._device])
            told, session = cursor.fetchone()
            now = told or ""
            if session != self._session:
                self._session, self._known = session, {}
            elif now == self._versions:
                return
            versions = now.split()
            new = [version for version in versions if version not in self._known]
            if len(new) <= _READ_SINGLY_MAX:
                places = [version[version.index("(") : version.index(")") + 1] for version in new]
                cursor.execute(f"{_ROWS} AND ctid = ANY(%s::tid[])", [self._device, places])
                self._known |= {row[0]: _open_of(*row[1:]) for row in cursor.fetchall()}
            if any(version not in self._known for version in new):
                # Too many, or one was changed just now by somebody who asks for no lock, as a letter's clerk: all in
                # one statement, so that what is read is one moment.
                cursor.execute(f"{_ROWS} ORDER BY key", [self._device])
                self._known = {row[0]: _open_of(*row[1:]) for row in cursor.fetchall()}
                versions = list(self._known)
        known = self._known
        self._known = {version: known[version] for version in versions}
        self._versions = " ".join(versions)
        self._open = tuple(self._known.values())
        self._wanted = tuple([one.rule for one in self._open if one.wanted])
        self._first_end = min([rule.until for rule in self._wanted if rule.until is not None], default=None)
        self._digest = ""


def _open_of(
    key: str, case: str, selector: str, degree: int, until: datetime | None, ground: str | None, state: str, proof: int
) -> Open:
    rule = Rule(
        measure=key, case=case, selector=selector_of(json.loads(selector)), degree=Degree(degree), until=until,
        by_law=ground == Ground.LAW,
    )  # fmt: skip
    fingerprint(rule)
    settled = state == MeasureState.IN_FORCE and proof >= Proof.STATE
    return Open(rule, state in WANTED, settled)
