"""What a letter could mean, marked for a person who decides."""

from collections.abc import Container, Iterable

from tipstaff.words import Mark

from ..text.candidate import Candidate
from .choose import telling
from .model import Linear

MOST_MARKS = 12
_LINE_SHOWN = 300


def marks_of(candidates: Iterable[Candidate], linear: Linear, *, chosen: Container[int] = ()) -> Iterable[Mark]:
    """The likeliest candidates; `chosen` are the identities (`id`) of those that the reader would take."""
    for this in sorted(candidates, key=lambda x: (-x.score, x.first))[:MOST_MARKS]:
        yield Mark(
            kind="address" if this.kind == "ip" else "host",
            value=this.network or this.value,
            likelihood=round(this.score, 3),
            chosen=id(this) in chosen,
            why=tuple(telling(this, linear)),
            line=this.lines[0].text[:_LINE_SHOWN] if this.lines else "",
        )
