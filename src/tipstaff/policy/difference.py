"""What is different between two editions: in words, in rules, and in what the judge would say."""

import difflib
import enum
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Final

from tipstaff.words import Rung, Verdict

from .clauses import Clause, Edition, Example, Given
from .examples import verdict_on


class ChangeKind(enum.StrEnum):
    """What kind of change a clause saw. All but WORDS matter to customers whatever anybody says."""

    ADDED = "added"
    REMOVED = "removed"
    RULES = "rules"
    """Times, remedies, notice, who decides, or what leads there."""
    WORDS = "words"
    """Only how it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One clause, clock or parameter that is not what it was."""

    kind: ChangeKind
    what: str
    """The clause's id, `clock complaint.forward`, or `look_back`."""
    title: str
    was: str = ""
    """The text before; empty for what was added."""
    now: str = ""
    rules: tuple[tuple[str, str, str], ...] = ()
    """(key, before, after) of each rule that changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Something supposed that is judged otherwise."""

    clause: str
    example: str
    says: str
    was: str
    now: str
    given: Given
    before: Verdict | None
    """Under the older edition; None where it has no such clause, and for an event, which is answered and not judged."""
    after: Verdict | None


WORDS: Final = frozenset({"title", "text", "proof", "what_to_do", "what_to_do_for", "limits", "left_to_people"})
NOT_COMPARED: Final[Mapping[str, str]] = {
    "id": "by it two clauses are one",
    "file": "where it stands, and not what it says",
    "lines": "the same",
    "examples": "they are judged under both editions",
    "proved_by": "tests of the software",
    "served_by": "parts of the software",
    "awaits": "what the software does not do yet",
    "not_built": "the same",
}
"""Fields of a clause by which neither customers nor what is done to them see the policy, and why."""
PARAMETERS: Final = ("look_back", "memory", "reader_confidence_min", "in_progress", "person_from", "locale", "entity")
"""Fields of an edition that are rules by themselves."""


def differences(old: Edition, new: Edition) -> tuple[Change, ...]:
    """Every clause, clock and parameter that differs, in the order of the new edition; removed ones last."""
    return (
        *_parameters(old, new), *_clauses(old, new), *_clocks(old, new), *_repeats(old, new), *_purposes(old, new),
        *_translations(old, new),
    )  # fmt: skip


def is_significant(old: Edition, new: Edition) -> bool:
    """Whether anything changes but words: then customers are told (Regulation (EU) 2022/2065, Article 14(2))."""
    return any(change.kind is not ChangeKind.WORDS for change in differences(old, new))


def effects(old: Edition, new: Edition) -> tuple[Effect, ...]:
    """Every example of either edition that the two judge differently."""
    seen: set[tuple[str, str]] = set()
    found = []
    for edition in (new, old):
        for clause, example in edition.examples():
            if (clause.id, example.id) in seen:
                continue
            seen.add((clause.id, example.id))
            before = after = None
            if example.given.event:
                was, now = _answering(example.given, old), _answering(example.given, new)
            else:
                before, after = _judged(example, clause, old), _judged(example, clause, new)
                was, now = in_short(before), in_short(after)
            if was != now:
                found.append(
                    Effect(
                        clause=clause.id, example=example.id, says=example.says, was=was, now=now,
                        given=example.given, before=before, after=after,
                    )
                )  # fmt: skip
    return tuple(found)


def marked(was: str, now: str) -> Iterator[tuple[str, str]]:
    """(`same`, `gone` or `new`, words) in order: both texts word by word."""
    old, new = re.findall(r"\S+\s*", was), re.findall(r"\S+\s*", now)
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield "same", "".join(old[a:b])
            continue
        if a < b:
            yield "gone", "".join(old[a:b])
        if c < d:
            yield "new", "".join(new[c:d])


def _judged(example: Example, clause: Clause, edition: Edition) -> Verdict | None:
    """The verdict under `edition`; None where a person cites a clause that is not in it."""
    there = any(known.id == clause.id for known in edition.clauses)
    return verdict_on(example, clause=clause, edition=edition) if there or not example.given.cited else None


def _answering(given: Given, edition: Edition) -> str:
    """Which clause answers an event."""
    found = edition.clause_for_event(given.event, facts=given.facts)
    return "no clause answers it" if found is None else f"{found.id} answers it"


def in_short(verdict: Verdict | None) -> str:
    """All that a verdict does to somebody, without what every new edition changes: its name."""
    if verdict is None:
        return "no such clause"
    parts = [verdict.disposition.value.replace("_", " ")]
    parts.append(verdict.clause or verdict.reason.value.replace("_", " ").lower())
    if verdict.answer_within is not None:
        parts.append(f"{verdict.answer_within.total_seconds() / 3600:g} hours to answer")
        parts.append(f"notice {verdict.notice.value}")
    if verdict.decides is not None:
        parts.append(f"{verdict.decides.value} decides")
    if verdict.ladder:
        parts.append(f"measures {', '.join(map(_shown, verdict.ladder))}")
    if verdict.measure_ports:
        ports = " and ".join(f"{protocol}/{port}" for protocol, port in verdict.measure_ports)
        parts.append(f"ports {ports} ({verdict.measure_direction.value})")
    return ", ".join(parts)


def _parameters(old: Edition, new: Edition) -> Iterator[Change]:
    for name in PARAMETERS:
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            yield Change(
                kind=ChangeKind.RULES, what=name, title=name.replace("_", " ").capitalize(),
                rules=((name, _shown(was), _shown(now)),),
            )  # fmt: skip
    for name in ("title", "introduction"):
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            yield Change(kind=ChangeKind.WORDS, what=name, title=name.capitalize(), was=was, now=now)


def _clauses(old: Edition, new: Edition) -> Iterator[Change]:
    before = {clause.id: clause for clause in old.clauses}
    for clause in new.clauses:
        was = before.pop(clause.id, None)
        if was is None:
            yield Change(kind=ChangeKind.ADDED, what=clause.id, title=clause.title, now=clause.text)
            continue
        rules = tuple(
            (field.name, _shown(getattr(was, field.name)), _shown(getattr(clause, field.name)))
            for field in fields(Clause)
            if field.name not in WORDS
            and field.name not in NOT_COMPARED
            and getattr(was, field.name) != getattr(clause, field.name)
        )
        if rules or _words_of(was) != _words_of(clause):
            kind = ChangeKind.RULES if rules else ChangeKind.WORDS
            yield Change(
                kind=kind, what=clause.id, title=clause.title, was=_words_of(was), now=_words_of(clause), rules=rules
            )
    for gone in before.values():
        yield Change(kind=ChangeKind.REMOVED, what=gone.id, title=gone.title, was=gone.text)


def _words_of(clause: Clause) -> str:
    steps = [*clause.what_to_do, *(step for steps in clause.what_to_do_for.values() for step in steps)]
    return "\n".join((clause.title, clause.text, clause.proof, *steps))


def _clocks(old: Edition, new: Edition) -> Iterator[Change]:
    before = {clock.id: clock for clock in old.clocks}
    for clock in new.clocks:
        was = before.pop(clock.id, None)
        if was is None:
            yield Change(kind=ChangeKind.ADDED, what=f"clock {clock.id}", title=clock.id, now=clock.says)
        elif was != clock:
            rules = tuple(
                (field.name, _shown(getattr(was, field.name)), _shown(getattr(clock, field.name)))
                for field in fields(clock)
                if getattr(was, field.name) != getattr(clock, field.name)
            )
            kind = (
                ChangeKind.WORDS
                if all(key in ("says", "text_at", "verified") for key, _, _ in rules)
                else ChangeKind.RULES
            )
            yield Change(kind=kind, what=f"clock {clock.id}", title=clock.id, was=was.says, now=clock.says, rules=rules)
    for gone in before.values():
        yield Change(kind=ChangeKind.REMOVED, what=f"clock {gone.id}", title=gone.id, was=gone.says)


def _repeats(old: Edition, new: Edition) -> Iterator[Change]:
    """What a repetition adds, for each clause group that either edition names."""
    for group in dict.fromkeys(each.group for each in (*new.repeats, *old.repeats)):
        was, now = old.repeats_of(group), new.repeats_of(group)
        rules = tuple(
            (name, _shown(getattr(was, name)), _shown(getattr(now, name)))
            for name in ("lifetime", "steps")
            if getattr(was, name) != getattr(now, name)
        )
        if rules:
            yield Change(kind=ChangeKind.RULES, what=f"repeats {group}", title=f"Repeats: {group}", rules=rules)


def _purposes(old: Edition, new: Edition) -> Iterator[Change]:
    """What is collected, why and how long it is kept: each of them is more than words."""
    before = {purpose.id: purpose for purpose in old.purposes}
    for purpose in new.purposes:
        was, what = before.pop(purpose.id, None), f"purpose {purpose.id}"
        if was is None:
            yield Change(kind=ChangeKind.ADDED, what=what, title=purpose.id, now=purpose.data)
        elif was != purpose:
            rules = tuple(
                (field.name, _shown(getattr(was, field.name)), _shown(getattr(purpose, field.name)))
                for field in fields(purpose)
                if getattr(was, field.name) != getattr(purpose, field.name)
            )
            yield Change(
                kind=ChangeKind.RULES, what=what, title=purpose.id, was=was.data, now=purpose.data, rules=rules
            )
    for gone in before.values():
        yield Change(kind=ChangeKind.REMOVED, what=f"purpose {gone.id}", title=gone.id, was=gone.data)


def _translations(old: Edition, new: Edition) -> Iterator[Change]:
    """The binding words may be the same: what customers read in another language is not."""
    before, after = ({each.locale: each for each in edition.translations} for edition in (old, new))
    for locale in dict.fromkeys((*after, *before)):
        if before.get(locale) != after.get(locale):
            yield Change(kind=ChangeKind.WORDS, what=f"translation {locale}", title=f"Translation: {locale}")


def _shown(value: object) -> str:
    if value is None or value == "" or value == ():
        return "nothing"
    if isinstance(value, timedelta):
        return f"{value.total_seconds() / 3600:g} hours"
    if isinstance(value, Rung):
        return f"{_shown(value.degree)} ({_shown(value.scope)})"
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, enum.IntEnum):
        return value.name.lower().replace("_", " ")
    return str(getattr(value, "text", value))
