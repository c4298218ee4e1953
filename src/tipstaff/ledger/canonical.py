"""The canonical form of an entry, over which its digest is taken."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256


def plain(detail: Mapping[str, object]) -> dict[str, object]:
    """`detail` as JSON can hold it: instants in RFC 3339, enums and addresses as text."""
    return json.loads(json.dumps(detail, default=_text, sort_keys=True))  # type: ignore[no-any-return]


def digest_of(*, at: datetime, what: str, actor: str, about: Sequence[str], detail: Mapping[str, object]) -> str:
    """SHA-256 (hex) over the entry as JSON with sorted keys and no spaces (RFC 8785 for what we write: no floats)."""
    body = [at.astimezone(UTC).isoformat(), what, actor, list(about), detail]
    return sha256(json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def text_of(detail: Mapping[str, object]) -> str:
    """`plain(detail)` as the text that `digest_of` takes its digest over, in one pass."""
    return _CANONICAL.encode(detail)


def digest_of_text(*, at: datetime, what: str, actor: str, about: Sequence[str], text: str) -> str:
    """`digest_of` for a detail that is canonical text already."""
    head = _CANONICAL.encode([at.astimezone(UTC).isoformat(), what, actor, list(about)])
    return sha256(f"{head[:-1]},{text}]".encode()).hexdigest()


def chained(before: str, digest: str) -> str:
    """The chain's next value."""
    return sha256(bytes.fromhex(before) + bytes.fromhex(digest)).hexdigest()


GENESIS = "0" * 64


def _text(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, frozenset | set):
        return sorted(str(v) for v in value)
    return str(value)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_text)
