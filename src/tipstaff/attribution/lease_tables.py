"""Looks at the tables of leases that Kea keeps in PostgreSQL: what changed since the look before goes into a file.

The tables hold what is so now, and the past is what Tipstaff is asked about. So each look adds the leases that are new
or other than before, and those that are gone, to a file that only grows: `tipstaff registry import kea-postgresql`
takes it in, from where it left off, and the file is the proof. Beside it lies what the last look saw.

Tables as Kea's own `dhcpdb_create.pgsql` makes them (2.2, schema 13), of which only columns are used that are there
since `state` and `user_context` were added; `cltt` is reckoned from `expire` as Kea does.
"""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

COLUMNS = ("looked_at", "before", "gone", "address", "prefix_len", "hwaddr", "duid", "cltt", "lifetime", "state",
           "user_context")  # fmt: skip
_FOREVER = 4294967295
Key = tuple[str, str]


class Lease(NamedTuple):
    """A row of the tables; all as text, empty where it is null."""

    address: str
    prefix_len: str
    hwaddr: str
    duid: str
    cltt: str
    lifetime: str
    state: str
    user_context: str

    @property
    def key(self) -> Key:
        """What one lease at a time can have."""
        return self.address, self.prefix_len

    @property
    def client(self) -> tuple[str, str, str]:
        """What tells clients apart."""
        return self.hwaddr, self.duid, self.user_context


# An endless lease is kept with the beginning as its end: PostgreSQL has no room for Kea's infinity.
_CLTT = f"extract(epoch FROM expire)::bigint - CASE WHEN valid_lifetime = {_FOREVER} THEN 0 ELSE valid_lifetime END"
_COLONS = r"regexp_replace(encode({}, 'hex'), '(..)(?=.)', '\1:', 'g')"
LEASES4 = rf"""
SELECT host('0.0.0.0'::inet + address), '', {_COLONS.format("hwaddr")}, '', {_CLTT}, valid_lifetime, state, user_context
FROM lease4 ORDER BY address
"""  # noqa: S608 - this module's own columns
LEASES6 = rf"""
SELECT host(address::inet), CASE WHEN lease_type = 2 THEN prefix_len::text ELSE '' END, {_COLONS.format("hwaddr")},
    {_COLONS.format("duid")}, {_CLTT}, valid_lifetime, state, user_context
FROM lease6 ORDER BY address
"""  # noqa: S608 - this module's own columns


class Cursor(Protocol):
    """A cursor of psycopg, in a transaction of its own that repeats its reads."""

    def execute(self, query: Any, /) -> Any:
        """Ask."""

    def fetchall(self) -> list[Any]:
        """All rows."""

    def __iter__(self) -> Iterator[Any]: ...


def look(cursor: Cursor, into: Path) -> tuple[int, int]:
    """Add what changed since the last look to `into`; how many leases are new or other, and how many are gone.

    The rows are on the disk before the look is remembered: one that was killed in between is done again, and says the
    same once more.
    """
    (began,) = _one(cursor, "SELECT extract(epoch FROM now())")
    there: dict[Key, Lease] = {}
    for table in (LEASES4, LEASES6):
        cursor.execute(table)
        for row in cursor:
            lease = Lease(*("" if value is None else str(value) for value in row))
            if lease.lifetime != "0":  # Given back, and kept only so that its client may have it again.
                there[lease.key] = lease
    # What is not in the tables was gone by now; what is there was there when the look began.
    (ended,) = _one(cursor, "SELECT extract(epoch FROM clock_timestamp())")
    before, known = _remembered(into)
    changed = [lease for key, lease in there.items() if known.get(key) != lease]
    gone = list(_gone(known, there, before=before, ended=f"{ended:.6f}"))
    _add(into, [(f"{ended:.6f}", before, "0", *lease) for lease in changed]
         + [(at, before, "1", *lease) for at, lease in gone])  # fmt: skip
    _remember(into, f"{began:.6f}", there.values())
    return len(changed), len(gone)


def _gone(
    known: Mapping[Key, Lease], there: Mapping[Key, Lease], *, before: str, ended: str
) -> Iterator[tuple[str, Lease]]:
    """Leases that were within their term at the look before and are not there, or another's; and by when they ended."""
    for key, lease in known.items():
        now = there.get(key)
        if now is not None and (now.hwaddr, now.duid, now.user_context) == (
            lease.hwaddr,
            lease.duid,
            lease.user_context,
        ):
            continue
        over = lease.state != "0" or int(lease.cltt) + int(lease.lifetime) <= float(before)
        if not over:
            yield ended if now is None else now.cltt, lease


def _one(cursor: Cursor, query: str) -> Any:
    cursor.execute(query)
    return cursor.fetchall()[0]


def _add(into: Path, rows: Sequence[tuple[str, ...]]) -> None:
    handle = os.open(into, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        # What a killed look left without its end is no row; a row that begins on its line would be none either.
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        head = [] if size else [COLUMNS]
        os.write(handle, (b"\n" if torn else b"") + _lines([*head, *rows]))
        os.fsync(handle)
    finally:
        os.close(handle)


def _lines(rows: Iterable[tuple[str, ...]]) -> bytes:
    """Rows without quotation marks around them: commas in what a client chose are written as Kea's memfile has them."""
    return "".join(
        ",".join(field.replace(",", "&#x2c").replace("\n", " ").replace("\r", " ") for field in row) + "\n"
        for row in rows
    ).encode()


def _state(into: Path) -> Path:
    return into.with_name(f"{into.name}.last")


def _remembered(into: Path) -> tuple[str, dict[Key, Lease]]:
    """When the last look was, and what it saw."""
    try:
        text = _state(into).read_text(encoding="utf-8")
    except FileNotFoundError:
        return "", {}
    rows = csv.reader(io.StringIO(text, newline=""))
    (before,) = next(rows)
    return before, {lease.key: lease for lease in (Lease(*row) for row in rows)}


def _remember(into: Path, at: str, leases: Iterable[Lease]) -> None:
    state = _state(into)
    beside = state.with_name(f"{state.name}.part")
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([at])
    writer.writerows(leases)
    handle = os.open(beside, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(state)
