"""What a log says of an error: kind and places, and its message only where that cannot repeat a mail's words."""

import re
import traceback

_OWN_WORDS = frozenset({"OSError", "OperationalError", "InterfaceError", "TryAgain"})
"""Errors, by their class or one above it, that speak of the machine, the network or the database."""


def described(error: BaseException) -> str:
    """An error in one line of printable ASCII: kind and last place."""
    frames = traceback.extract_tb(error.__traceback__)[-1:]
    place = ", ".join(f"{frame.name} line {frame.lineno}" for frame in frames)
    return f"{_kind(error)} ({place})"


def traced(error: BaseException) -> str:
    """An error and those that led to it, the last one first, with all places and without a line of their messages."""
    lines: list[str] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        lines.append(f"{'after ' if lines else ''}{_kind(at)}")
        frames = traceback.extract_tb(at.__traceback__)
        lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in reversed(frames)]
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return "\n".join(lines)


def one_line(text: str) -> str:
    """Printable ASCII of bounded length, without a line break."""
    return re.sub(r"[^\x20-\x7e]+", " ", text)[:300].strip()


def _kind(error: BaseException) -> str:
    name = type(error).__name__
    if _OWN_WORDS.isdisjoint(each.__name__ for each in type(error).__mro__):
        return name
    return f"{name}: {one_line(str(error))[:160]}"
