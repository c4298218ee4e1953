"""What an example supposes and what the judge says of it, in the language of a page. Pure.

It is made from what is given and from the verdict itself: so it is true, whatever the sentence beside it says.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from tipstaff.policy import Clause, Edition
from tipstaff.policy.clauses import Example, Given, Subject
from tipstaff.policy.examples import verdict_on
from tipstaff.policy.sentences import sentences
from tipstaff.words import NoticePosture, Verdict

from .applied import ports_in_words, rung_in_words, time_of

_USUAL = Given(type="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One example for a page."""

    example: Example
    given: str
    verdict: str


def judged(example: Example, *, clause: Clause, edition: Edition, said: Mapping[str, str], language: str) -> Judged:
    """An example with what is supposed and what follows, in the words `said` of a page in `language`."""
    return Judged(
        example=example,
        given=given_in_words(example.given, said=said, language=language),
        verdict=_follows(example, clause, edition, said, language),
    )


def given_in_words(given: Given, *, said: Mapping[str, str], language: str) -> str:
    return "; ".join(_given(given, said, language))


def verdict_in_words(
    verdict: Verdict | None, *, edition: Edition, said: Mapping[str, str], language: str, whole: bool = False
) -> str:
    """A verdict in short, or as a `whole` with all its remedies; None where the edition has no such clause."""
    if verdict is None:
        return said["d_no_such_clause"]
    return "; ".join(_verdict(verdict, edition, said, language, whole=whole))


def _follows(example: Example, clause: Clause, edition: Edition, said: Mapping[str, str], language: str) -> str:
    if example.given.event:
        return answer_in_words(example.given, edition=edition, said=said, language=language)
    verdict = verdict_on(example, clause=clause, edition=edition)
    return verdict_in_words(verdict, edition=edition, said=said, language=language)


def answer_in_words(given: Given, *, edition: Edition, said: Mapping[str, str], language: str) -> str:
    """Which clause answers an event."""
    found = edition.clause_for_event(given.event, facts=given.facts)
    if found is None:
        return said["d_unanswered"]
    return said["d_answered"].format(clause=_title(found.id, edition, language))


def _given(given: Given, said: Mapping[str, str], language: str) -> Iterator[str]:
    kind = "event" if given.event else "finding" if given.finding else "report"
    yield said[f"x_{kind}"].format(what=given.event or given.finding or given.type)
    for name, value in given.facts.items():
        yield f"{name} = {', '.join(map(str, value)) if isinstance(value, tuple) else value}"
    if given.event:
        return
    if given.cited:
        yield said["x_cited"]
    if given.subject is Subject.NAME:
        yield said["x_by_name"]
    if given.age is None:
        yield said["x_no_time"]
    else:
        yield said["x_age"].format(time=_long(given.age, language))
        if not given.zone_stated:
            yield said["x_no_zone"]
    yield said[f"x_holder_{given.grade.value}"]
    protocol = f"{given.protocol}/" if given.protocol else ""
    for name, port in (("from", given.source_port), ("to", given.target_port)):
        if port is not None:
            yield said[f"x_port_{name}"].format(port=f"{protocol}{port}")
    if given.cases_before:
        yield said["x_cases"].format(n=given.cases_before)
    if given.confidence != _USUAL.confidence:
        yield said["x_confidence"].format(n=f"{given.confidence * 100:g}")
    if given.edition_age != _USUAL.edition_age:
        yield said["x_edition_age"].format(time=_long(given.edition_age, language))


def _verdict(
    verdict: Verdict, edition: Edition, said: Mapping[str, str], language: str, *, whole: bool
) -> Iterator[str]:
    yield said[f"d_{verdict.disposition.value}"]
    if verdict.clause:
        yield said["x_clause"].format(clause=_title(verdict.clause, edition, language))
    if verdict.answer_within is not None:
        yield said["x_time"].format(time=_long(verdict.answer_within, language))
    if verdict.answer_within is not None and verdict.notice is not NoticePosture.NONE:
        yield f"{said['of_notice']}: {said[f'notice_{verdict.notice.value}']}"
    words = sentences(language)
    if verdict.decides is not None:
        yield said["x_decides"].format(who=words["roles"].get(verdict.decides, str(verdict.decides)))
    if verdict.ladder and whole:
        yield f"{said['of_remedies']}: {', '.join(rung_in_words(rung, said, words) for rung in verdict.ladder)}"
        if verdict.measure_ports:
            yield f"{said['of_ports']}: {ports_in_words(verdict.measure_ports, verdict.measure_direction, said)}"
    elif verdict.ladder:
        yield said["x_up_to"].format(rung=rung_in_words(verdict.ladder[-1], said, words))


def _title(id: str, edition: Edition, language: str) -> str:
    known = edition.clause_named(id)
    return edition.wording(id, language=language).title if known is not None else id


def _long(time: timedelta, language: str) -> str:
    """In days where it is whole days and more than two, else in hours."""
    seconds = int(time.total_seconds())
    if seconds % 86400 == 0 and seconds > _DAYS_FROM:
        return time_of("days", seconds // 86400, language)
    return time_of("hours", seconds // 3600, language)


_DAYS_FROM = 2 * 86400
