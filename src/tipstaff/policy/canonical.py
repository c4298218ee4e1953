"""Values in one form that is the same on every machine, so that two verdicts can be compared by a digest."""

import dataclasses
import enum
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tipstaff.words import Verdict


def canonical(value: object) -> Any:
    """`value` as JSON can hold it: enums by value (whole numbers by name), spans in seconds, instants in UTC."""
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


def digest(value: object) -> str:
    """SHA-256 (hex) over a value as JSON with sorted keys and no spaces."""
    text = json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def verdict_digest(verdict: Verdict) -> str:
    """A digest of everything that a verdict says."""
    return digest(verdict)
