"""How fast letters leave, counted by kind."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from tipstaff.host import viewing
from tipstaff.words import LetterKind


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFigures:
    """The letters of one kind that were written in a time."""

    kind: LetterKind
    written: int
    sent: int
    half_took: timedelta | None
    """Written to taken by the mail server: half of those that were sent took no longer; None if none was."""
    most_took: timedelta | None
    """The same for nine of ten."""


def by_kind(*, since: datetime, until: datetime) -> list[LetterFigures]:
    """Letters written in [since, until) by kind; most first."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_KIND, [since, until, viewing.hidden_of(viewing.LETTERS).split()])
        rows = cursor.fetchall()
    return [
        LetterFigures(
            kind=LetterKind(kind),
            written=written,
            sent=sent,
            half_took=None if half is None else timedelta(seconds=half),
            most_took=None if most is None else timedelta(seconds=most),
        )
        for kind, written, sent, half, most in rows
    ]


_BY_KIND = """
SELECT kind, count(*), count(sent_at),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - created_at))
           FILTER (WHERE sent_at IS NOT NULL),
       percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM sent_at - created_at))
           FILTER (WHERE sent_at IS NOT NULL)
FROM notices_letterrow WHERE created_at >= %s AND created_at < %s AND key <> ALL(%s::text[])
GROUP BY kind ORDER BY count(*) DESC, kind
"""
