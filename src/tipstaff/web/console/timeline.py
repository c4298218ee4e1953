"""What a customer held over time, as a picture: one line for each thing, one bar for each holding. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tipstaff.words import Holding, Resource

WIDTH, LABEL, ROW, LINES_MAX = 1000, 260, 18, 40
"""In the picture's own units; it is drawn as wide as there is room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One holding."""

    x: int
    width: int
    says: str
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One thing, with everything that is known of it."""

    label: str
    y: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A picture's parts."""

    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[int, str], ...]
    width: int
    height: int
    left: int
    left_out: int


def timeline(holdings: Sequence[Holding], resources: Sequence[Resource], *, at: datetime) -> Timeline | None:
    """The picture from the first beginning to now; None when nothing was ever held."""
    spans: dict[str, list[tuple[datetime, datetime | None]]] = {}
    for holding in holdings:
        ports = f" {holding.port_first}–{holding.port_last}" if holding.shared else ""
        spans.setdefault(f"{holding.prefix}{ports}", []).append((holding.held_from, holding.held_until))
    for thing in resources:
        name = f"{thing.kind.replace('_', ' ')} {thing.name}" + (f" on {thing.scope}" if thing.scope else "")
        spans.setdefault(name, []).append((thing.held_from, thing.held_until))
    if not spans:
        return None
    begin = min(since for lane in spans.values() for since, _ in lane)
    end = max(at, begin + timedelta(days=1))
    length = (end - begin).total_seconds()

    def place(moment: datetime) -> int:
        inside = min(max(moment, begin), end)
        return LABEL + round((WIDTH - LABEL) * (inside - begin).total_seconds() / length)

    lanes = []
    for number, (name, lane) in enumerate(list(spans.items())[:LINES_MAX]):
        bars = []
        for since, until in sorted(lane, key=lambda span: span[0]):
            x = place(since)
            said = f"{name}: {since:%Y-%m-%d %H:%M} until " + (f"{until:%Y-%m-%d %H:%M}" if until else "now")
            bars.append(Bar(x=x, width=max(3, place(until or end) - x), says=said, open=until is None or until > at))
        shown = name if len(name) <= 34 else f"{name[:33]}…"
        lanes.append(Lane(label=shown, y=number * ROW, bars=tuple(bars)))
    ticks = tuple(
        (place(moment), f"{moment:%Y-%m-%d}") for moment in (begin + (end - begin) * part / 4 for part in range(4))
    )
    return Timeline(
        lanes=tuple(lanes), ticks=ticks, width=WIDTH, height=len(lanes) * ROW + 22, left=LABEL,
        left_out=max(0, len(spans) - LINES_MAX),
    )  # fmt: skip
