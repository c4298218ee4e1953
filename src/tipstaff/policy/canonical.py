"""Values in one form that is the same on every machine, so that two verdicts can be compared by a digest."""

import dataclasses
import enum
import hashlib
import json
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from tipstaff.words import Verdict


def canonical(value: object) -> Any:
    """`value` as JSON can hold it: enums by value (whole numbers by name), spans in seconds, instants in UTC."""
    if value is None or type(value) in _PLAIN:
        return value
    if type(value) is tuple:
        return [canonical(each) for each in value]
    if isinstance(value, enum.IntEnum):
        return value.name.lower()
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: canonical(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, tuple | list):
        return [canonical(each) for each in value]
    return value if value is None or isinstance(value, str | int | float) else str(value)


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_PLAIN = frozenset({str, int, float, bool})


def digest(value: object) -> str:
    """SHA-256 (hex) over a value as JSON with sorted keys and no spaces."""
    text = _ENCODER.encode(canonical(value))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_parts(parts: Iterable[Hashable]) -> str:
    """`digest` of a tuple, where many tuples have most of their parts in common."""
    text = ",".join(map(_text, parts))
    return hashlib.sha256(f"[{text}]".encode()).hexdigest()


@lru_cache(4096)
def _text(value: Hashable) -> str:
    return _ENCODER.encode(canonical(value))


def verdict_digest(verdict: Verdict) -> str:
    """A digest of everything that a verdict says."""
    return digest(verdict)
