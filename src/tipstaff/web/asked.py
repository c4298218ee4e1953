"""What a person typed: a text that can be kept (no NUL, no blanks around it, not too long), or a day."""

from collections.abc import Mapping
from datetime import UTC, datetime

from django.core.exceptions import BadRequest


def asked_text(form: Mapping[str, str], name: str, *, characters_max: int = 200) -> str:
    """The field's text, or an empty one. PostgreSQL keeps no NUL, and a browser never sends one by itself."""
    return form.get(name, "").replace("\x00", "").strip()[:characters_max]


def asked_day(form: Mapping[str, str], name: str, *, otherwise: datetime) -> datetime:
    """The beginning (UTC) of the day that the field names, or `otherwise` if it is empty; BadRequest in a sentence."""
    text = form.get(name, "")
    if not text:
        return otherwise
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as why:
        raise BadRequest(f"{name} is no day; write it as 2026-10-01.") from why
