"""Bars before and after, drawn as SVG on the server: on a page, and as a file of its own. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

LABEL, WIDTH, ROW, HEAD = 210, 720, 38, 26
"""User units: the column of labels, the picture's width, the height of a pair of bars and of the legend."""
BEFORE, AFTER = "#7d8896", "#3f74d8"
"""Both stand out from a white and from a dark page (3:1, WCAG 1.4.11)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One label with its two numbers."""

    label: str
    before: int
    after: int
    note: str = ""
    """A few words under the label."""
    link: str = ""
    """Where the cases behind it are listed."""


def bars(pairs: Sequence[Pair], *, title: str, alone: bool = False) -> SafeString:
    """The pairs as bars; `alone` for a file, which carries its own colours and background."""
    height = HEAD + ROW * len(pairs) + 6
    widest = max([pair.before for pair in pairs] + [pair.after for pair in pairs], default=0) or 1
    room = WIDTH - LABEL - 80
    rows = [_row(pair, HEAD + ROW * n, room / widest) for n, pair in enumerate(pairs)]
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size} role="{role}" '
        'aria-label="{title}" font-family="Inter Variable, system-ui, sans-serif" font-size="12" {colour}>'
        "{ground}<title>{title}</title>"
        '<rect x="{label}" y="6" width="11" height="11" fill="{before}"/>'
        '<text x="{first}" y="16" fill="currentColor">as it was</text>'
        '<rect x="{second}" y="6" width="11" height="11" fill="{after}"/>'
        '<text x="{third}" y="16" fill="currentColor">under the other edition</text>{rows}</svg>',
        width=WIDTH,
        height=height,
        size=mark_safe(f'width="{WIDTH}" height="{height}"' if alone else 'width="100%"'),  # noqa: S308 - own numbers
        # What holds links is no image to a screen reader: it would hide them.
        role="group" if any(pair.link for pair in pairs) else "img",
        title=title,
        colour=mark_safe('color="#18212c"' if alone else ""),  # noqa: S308 - own words
        ground=mark_safe('<rect width="100%" height="100%" fill="#ffffff"/>' if alone else ""),  # noqa: S308 - own words
        label=LABEL,
        first=LABEL + 16,
        second=LABEL + 90,
        third=LABEL + 106,
        before=BEFORE,
        after=AFTER,
        rows=format_html_join("", "{}", ((row,) for row in rows)),
    )


def _row(pair: Pair, y: int, scale: float) -> SafeString:
    drawn = format_html(
        '<text x="{right}" y="{middle}" text-anchor="end" fill="currentColor">{label}</text>'
        '<text x="{right}" y="{under}" text-anchor="end" font-size="11" fill="currentColor">{note}</text>'
        "{before}{after}",
        right=LABEL - 8,
        middle=y + (14 if pair.note else 19),
        under=y + 28,
        label=pair.label,
        note=pair.note,
        before=_bar(pair.before, y + 3, BEFORE, scale),
        after=_bar(pair.after, y + 18, AFTER, scale),
    )
    if not pair.link:
        return drawn
    return format_html('<a href="{}"><title>The cases behind {}</title>{}</a>', pair.link, pair.label, drawn)


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
