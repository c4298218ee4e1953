"""What a person typed, as text that can be kept: no NUL, no blanks around it, no longer than it may be."""

from collections.abc import Mapping


def asked_text(form: Mapping[str, str], name: str, *, characters_max: int = 200) -> str:
    """The field's text, or an empty one. PostgreSQL keeps no NUL, and a browser never sends one by itself."""
    return form.get(name, "").replace("\x00", "").strip()[:characters_max]
