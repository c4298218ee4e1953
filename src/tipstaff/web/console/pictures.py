"""Bars before and after, and columns by day, drawn as SVG on the server: on a page, and as a file of its own. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

LABEL, WIDTH, ROW, HEAD = 210, 720, 38, 26
"""User units: the column of labels, the picture's width, the height of a pair of bars and of the legend."""
BEFORE, AFTER, WAITS = "#7d8896", "#3f74d8", "#c2700c"
"""They stand out from a white and from a dark page (3:1, WCAG 1.4.11)."""
TALL, FOOT, AXIS = 190, 22, 44
"""User units of a picture with columns: the height of the tallest, and the room for names and for numbers beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One label with its two numbers."""

    label: str
    before: int
    after: int
    note: str = ""
    """A few words under the label."""
    link: str = ""
    """Where the cases behind the first bar are listed."""
    link_after: str = ""
    """And those behind the second one."""


def bars(pairs: Sequence[Pair], *, title: str, alone: bool = False) -> SafeString:
    """The pairs as bars; `alone` for a file, which carries its own colours and background."""
    height = HEAD + ROW * len(pairs) + 6
    widest = max([pair.before for pair in pairs] + [pair.after for pair in pairs], default=0) or 1
    room = WIDTH - LABEL - 80
    rows = [_row(pair, HEAD + ROW * n, room / widest) for n, pair in enumerate(pairs)]
    legend = (("as it was", BEFORE, LABEL), ("under the other edition", AFTER, LABEL + 90))
    # What holds links is no image to a screen reader: it would hide them.
    role = "group" if any(pair.link for pair in pairs) else "img"
    return _picture(_legend(legend), rows, height=height, title=title, alone=alone, role=role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One part of each column."""

    label: str
    colour: str


def columns(
    steps: Mapping[str, Sequence[int]], layers: Sequence[Layer], *, title: str, alone: bool = False
) -> SafeString:
    """One column a step, its layers on each other from the bottom; `alone` as for `bars`."""
    top = max((sum(counts) for counts in steps.values()), default=0) or 1
    width = (WIDTH - AXIS) / max(len(steps), 1)
    named = max(1, -(-len(steps) * 46 // (WIDTH - AXIS)))  # A name takes 46 units: not every step has room for one.
    legend = [(layer.label, layer.colour, AXIS + 170 * n) for n, layer in enumerate(layers)]
    drawn: list[SafeString] = [_line(HEAD + TALL - TALL * n / top, n) for n in sorted({0, top // 2, top})]
    for place, (name, counts) in enumerate(steps.items()):
        x = AXIS + place * width
        under = float(HEAD + TALL)
        parts: list[tuple[float, float, float, float, str]] = []
        left, wide = round(x + width * 0.1, 1), round(width * 0.8, 1)
        for layer, number in zip(layers, counts, strict=True):
            height = TALL * number / top
            under -= height
            if number:
                parts.append((left, round(under, 1), wide, round(height, 1), layer.colour))
        drawn.append(
            format_html(
                "<g><title>{}: {}</title>{}{}</g>",
                name,
                ", ".join(f"{number} {layer.label}" for layer, number in zip(layers, counts, strict=True)),
                format_html_join("", '<rect x="{}" y="{}" width="{}" height="{}" fill="{}"/>', parts),
                _name(name, x + width / 2) if place % named == 0 else "",
            )
        )
    return _picture(_legend(legend), drawn, height=HEAD + TALL + FOOT, title=title, alone=alone, role="img")


def _line(y: float, number: int) -> SafeString:
    return format_html(
        '<path d="M{} {}H{}" stroke="currentColor" stroke-opacity="0.2"/>'
        '<text x="{}" y="{}" text-anchor="end" fill="currentColor">{}</text>',
        AXIS, round(y, 1), WIDTH, AXIS - 6, round(y + 4, 1), number,
    )  # fmt: skip


def _name(name: str, x: float) -> SafeString:
    return format_html(
        '<text x="{}" y="{}" text-anchor="middle" font-size="11" fill="currentColor">{}</text>',
        round(x, 1), HEAD + TALL + 15, name,
    )  # fmt: skip


def _legend(entries: Sequence[tuple[str, str, int]]) -> SafeString:
    return format_html_join(
        "",
        '<rect x="{}" y="6" width="11" height="11" fill="{}"/><text x="{}" y="16" fill="currentColor">{}</text>',
        ((x, colour, x + 16, label) for label, colour, x in entries),
    )


def _picture(
    legend: SafeString, drawn: Sequence[SafeString], *, height: int, title: str, alone: bool, role: str
) -> SafeString:
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size} role="{role}" '
        'aria-label="{title}" font-family="Inter Variable, system-ui, sans-serif" font-size="12" {colour}>'
        "{ground}<title>{title}</title>{legend}{drawn}</svg>",
        width=WIDTH,
        height=height,
        size=mark_safe(f'width="{WIDTH}" height="{height}"' if alone else 'width="100%"'),  # noqa: S308 - own numbers
        role=role,
        title=title,
        colour=mark_safe('color="#18212c"' if alone else ""),  # noqa: S308 - own words
        ground=mark_safe('<rect width="100%" height="100%" fill="#ffffff"/>' if alone else ""),  # noqa: S308 - own words
        legend=legend,
        drawn=format_html_join("", "{}", ((each,) for each in drawn)),
    )


def _row(pair: Pair, y: int, scale: float) -> SafeString:
    return format_html(
        '<text x="{right}" y="{middle}" text-anchor="end" fill="currentColor">{label}</text>'
        '<text x="{right}" y="{under}" text-anchor="end" font-size="11" fill="currentColor">{note}</text>'
        "{before}{after}",
        right=LABEL - 8,
        middle=y + (14 if pair.note else 21),
        under=y + 28,
        label=pair.label,
        note=pair.note,
        before=_linked(_bar(pair.before, y + 3, BEFORE, scale), pair.link, f"{pair.label}, as it was"),
        after=_linked(_bar(pair.after, y + 18, AFTER, scale), pair.link_after, f"{pair.label}, under the other"),
    )


def _linked(bar: SafeString, link: str, name: str) -> SafeString:
    return format_html('<a href="{}"><title>The cases behind {}</title>{}</a>', link, name, bar) if link else bar


def _bar(number: int, y: int, colour: str, scale: float) -> SafeString:
    width = max(round(number * scale, 1), 1 if number else 0)
    return format_html(
        '<rect x="{x}" y="{y}" width="{width}" height="13" rx="2" fill="{colour}"/>'
        '<text x="{end}" y="{base}" fill="currentColor">{number}</text>',
        x=LABEL,
        y=y,
        width=width,
        colour=colour,
        end=LABEL + width + 6,
        base=y + 11,
        number=f"{number:,}".replace(",", "\u202f"),
    )
