"""What is always a person's, and whose go-ahead counts. No edition can give these to a clock."""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from tipstaff.words import DOUBTS, Degree, EvidenceGrade, Fact, Role, Trust

SPEECH_ROWS = frozenset({9, 10, 36, 40})
"""Rows of the policy that turn on what somebody said: content that the operator judges (indecency), hatred and terror,
threats, defamation."""
IDENTITY_ROWS = frozenset({80, 81})
"""Rows of the policy under which somebody is told who a customer is."""
_SPEECH_WORDS = re.compile(
    r"defam\w*|libel\w*|slander\w*|hatred|hateful|hate[ _.-]?speech|incite\w*|indecen\w*|obscen\w*|terror\w*|"
    r"blasphem\w*|objectionable|violent[ _.-]threats?|threats? of violence|"
    r"verleumd\w*|beleidig\w*|volksverhetz\w*|difama\w*|diffama\w*|calumn\w*|名誉毀損",
    re.IGNORECASE,
)
_IDENTITY_WORDS = re.compile(
    r"identif(?:y|ies|ying)[ _.-](?:a |an |the )?(?:user|customer|subscriber|holder)s?|disclos\w*|naming who|"
    r"(?:user|customer|subscriber|holder)s?'?[ _.-]identit(?:y|ies)",
    re.IGNORECASE,
)
"""What a clause's own name and words say it is about, under whatever row it is filed."""

PROBABLE_DEGREE_MAX = Degree.BLOCK
"""A holder who is only probable is never walled in, disconnected or suspended."""
TWO_PEOPLE_FROM = Degree.SUSPEND
"""From this degree up two people decide, whatever an edition says (`TWO_PEOPLE_ROW`)."""
TWO_PEOPLE_ROW = 61
ON_REPEATS_ROW = 66
"""The row of the policy under which earlier cases allow a wider measure."""

DESK = frozenset({Role.ANALYST, Role.LEAD, Role.COUNSEL})
"""Roles that decide cases where the clause names none."""
_NOBODY = frozenset({Role.SYSTEM, Role.CUSTOMER, Role.ADMINISTRATOR})
"""Roles that decide nothing about a customer."""

OVERTURNED_MIN = 3
"""Fewer reports that turned out wrong say nothing about a reporter."""


def of_speech(rows: Iterable[int], *words: str) -> str:
    """By what a clause turns on what somebody said: its row, or a word of its id, group, title or text; else empty."""
    return _told_by(SPEECH_ROWS, _SPEECH_WORDS, rows, words)


def of_identity(rows: Iterable[int], *words: str) -> str:
    """By what a clause says who a customer is: its row, or a word of its id or title; else empty."""
    return _told_by(IDENTITY_ROWS, _IDENTITY_WORDS, rows, words)


def _told_by(of_rows: frozenset[int], of_words: re.Pattern[str], rows: Iterable[int], words: tuple[str, ...]) -> str:
    if named := of_rows.intersection(rows):
        return f"row {min(named)}"
    found = (of_words.search(text) for text in words)
    return next((match.group() for match in found if match), "")


def decided_by(role: Role | None) -> Role | None:
    """The role that decides: a clause that names the clock, a customer or an administrator means an analyst."""
    return Role.ANALYST if role in _NOBODY else role


def may_decide(roles: AbstractSet[Role], *, needed: Role | None) -> bool:
    """Whether somebody with these roles may decide what is left to `needed`; None leaves it to the whole desk.

    A lead may decide whatever is left to an analyst. Nobody else stands in for anybody: not a lead for counsel, and
    not counsel for an engineer.
    """
    if needed is None:
        return not DESK.isdisjoint(roles)
    needed = decided_by(needed)
    return needed in roles or (needed is Role.ANALYST and Role.LEAD in roles)


def weighed_trust(trust: Trust | None) -> tuple[Fact, ...]:
    """What speaks for or against believing a report as far as a measure, in a fixed order; nothing where it is usual.

    A doubt closes no case and hides no letter: it takes the measure from the clock and gives it to a person. What our
    own measurement saw as well needs no reporter's word.
    """
    if trust is None:
        return ()
    if trust.evidence is EvidenceGrade.CORROBORATED:
        return (Fact.CORROBORATED,)
    found = (
        (Fact.SPOOFABLE, trust.evidence is EvidenceGrade.SPOOFABLE),
        (Fact.NOTHING_SHOWN, trust.evidence is EvidenceGrade.STATED),
        (Fact.SENDER_NOT_VOUCHED_FOR, trust.authenticated is False and trust.reporter_upheld <= 0),
        (
            Fact.REPORTER_OFTEN_WRONG,
            trust.reporter_overturned >= OVERTURNED_MIN and trust.reporter_overturned > trust.reporter_upheld,
        ),
        (Fact.REPORTER_FLOODS, trust.flooding),
    )
    return tuple(fact for fact, holds in found if holds)


def doubted(facts: tuple[Fact, ...]) -> bool:
    """Whether any of these facts leaves every measure to a person."""
    return not DOUBTS.isdisjoint(facts)
