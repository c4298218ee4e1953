"""All complaints of the day, in the order in which they come in."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from . import connections, content, mail_abuse, no_complaints, scans, sealed, trouble, unclear
from .mail import Day
from .told import Told


def complaints(day: datetime) -> tuple[Told, ...]:
    """What comes in from `day` on, the story's start. The same `day` gives the same bytes."""
    told = sorted(_all(Day(day)), key=lambda told: (told.at, told.id))
    return tuple(told)


def _all(day: Day) -> Iterator[Told]:
    rooms = (mail_abuse, connections, content, scans, unclear, no_complaints, sealed, trouble)
    for room in rooms:
        for told in room.tellings(day):
            yield told
            if told.id == "ssh":
                yield _again(told)


def _again(told: Told) -> Told:
    """The very same bytes a second time, as a mail server sends them that missed our answer: one report, not two."""
    return replace(
        told,
        id=f"{told.id}-same-bytes",
        title="The same mail once more, byte for byte: it stays one report",
        at=told.at + timedelta(minutes=5),
        expected=replace(told.expected, same_as=told.id),
        moves=(),
    )
