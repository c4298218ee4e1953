"""How a clause is applied, for whoever reads the policy: its times, remedies and deciders, from the same rules that the
judge applies. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta

from tipstaff.policy import Clause, Edition
from tipstaff.policy.clauses import Clock
from tipstaff.policy.explain import time_in_words
from tipstaff.policy.sentences import sentences
from tipstaff.words import Degree, Direction, NoticePosture, Role, Rung

Facts = tuple[tuple[str, str], ...]
"""(label, what is so), in the page's language."""


def facts_of(clause: Clause, edition: Edition, *, said: Mapping[str, str], language: str) -> Facts:
    """What follows from a clause and when, in the words `said` of a page in `language`."""
    return tuple((said[f"of_{label}"], text) for label, text in _facts(clause, edition, said, language) if text)


def facts_of_edition(edition: Edition, *, said: Mapping[str, str], language: str) -> Facts:
    """What the edition sets for all of its clauses."""
    degree = sentences(language)["degrees"][edition.person_from.name.lower()]
    parameters = (
        ("look_back", _days(edition.look_back, language)),
        ("memory", _days(edition.memory, language)),
        ("in_progress", _hours(edition.in_progress, language)),
        ("person_from", degree),
    )
    return (
        *((said[f"of_{label}"], text) for label, text in parameters),
        *(
            (f"{said['of_repeats']}: {each.group}", _repeats(edition, each.group, said, language))
            for each in edition.repeats
        ),
    )


def length_of(clock: Clock, language: str) -> str:
    """How long a clock runs, in words; a window from its earliest end to its last."""
    one, many = sentences(language)["units"][clock.unit.value]
    if clock.not_before:
        return str(many.format(n=f"{clock.not_before}–{clock.amount}"))
    return str(one if clock.amount == 1 else many.format(n=clock.amount))


def whose(clock: Clock, said: Mapping[str, str]) -> str:
    """Whether a time is the law's or the operator's own."""
    return said["by_law"].format(source=clock.source) if clock.source else said["by_us"]


def _facts(clause: Clause, edition: Edition, said: Mapping[str, str], language: str) -> Iterator[tuple[str, str]]:
    words = sentences(language)
    yield "time", _time(clause, said, language)
    yield "repeats", _repeats(edition, clause.group, said, language) if clause.judged else ""
    if clause.judged or clause.notice is not NoticePosture.NONE:
        withheld = (
            said["withheld_until"].format(time=_days(clause.withheld_until, language)) if clause.withheld_until else ""
        )
        yield "notice", " ".join(filter(None, (said[f"notice_{clause.notice.value}"], withheld)))
    if clause.judged or clause.decides or clause.two_people:
        yield "decides", _decides(clause, edition, said, words)
    yield "remedies", " → ".join(rung_in_words(rung, said, words) for rung in clause.ladder)
    reported = (said["port_reported"],) if clause.measure_port_of is not None else ()
    yield "ports", ports_in_words(clause.measure_ports, clause.measure_direction, said, besides=reported)


def _time(clause: Clause, said: Mapping[str, str], language: str) -> str:
    if clause.answer_within is None or not clause.judged:
        return ""
    time = time_in_words(clause, clause.answer_within, language)
    if clause.answer_within_repeated is not None:
        again = time_in_words(clause, clause.answer_within_repeated, language)
        time = said["time_again"].format(time=time, again=again)
    return f"{time} ({said['by_law'].format(source=clause.answer_source) if clause.answer_source else said['by_us']})"


def _repeats(edition: Edition, group: str, said: Mapping[str, str], language: str) -> str:
    repeats = edition.repeats_of(group)
    told = [said["repeats_for"].format(time=_days(repeats.lifetime, language))]
    words = sentences(language)
    for step in repeats.steps:
        more = [
            words["roles"].get(step.decides, step.decides) if step.decides else "",
            _hours(step.answer_within, language) if step.answer_within else "",
            ", ".join(rung_in_words(rung, said, words) for rung in step.adds),
        ]
        told.append(said["repeats_step"].format(strikes=step.strikes, more="; ".join(filter(None, more))))
    return " ".join(told)


def _decides(clause: Clause, edition: Edition, said: Mapping[str, str], words: Mapping[str, Mapping[str, str]]) -> str:
    """Who may decide on each measure: as the procedures look it up, not as the clause's key has it."""
    person = Role.COUNSEL if clause.id in edition.of_speech and clause.decides is None else clause.decides
    if person is None and clause.two_people:
        person = Role.ANALYST
    who = words["roles"].get(person, str(person)) if person is not None else ""
    if who and clause.two_people:
        return said["decides_two"].format(who=who)
    if not who:
        from_degree = min(edition.person_from, Degree.TERMINATE).name.lower()
        who = said["decides_clock"].format(degree=words["degrees"][from_degree])
    two = {
        words["degrees"][rung.degree.name.lower()]: None
        for rung in clause.ladder
        if edition.takes_two_people(rung, clause=clause.id)
    }
    return f"{who}; {said['decides_two_on'].format(degrees=', '.join(two))}" if two else who


def ports_in_words(
    ports: Iterable[tuple[str, int]], direction: Direction, said: Mapping[str, str], *, besides: tuple[str, ...] = ()
) -> str:
    """Ports, and on which way they are meant; empty where there are none."""
    named = ", ".join((*besides, *(f"{protocol}/{port}" for protocol, port in ports)))
    way = "" if direction is Direction.BOTH else f" ({said[f'way_{direction.value}']})"
    return named + way if named else ""


def rung_in_words(rung: Rung, said: Mapping[str, str], words: Mapping[str, Mapping[str, str]]) -> str:
    """A rung of a ladder: what is touched, and how hard."""
    return f"{said[f'scope_{rung.scope.name.lower()}']}: {words['degrees'][rung.degree.name.lower()]}"


def _days(time: timedelta, language: str) -> str:
    return time_of("days", time.days, language)


def _hours(time: timedelta, language: str) -> str:
    return time_of("hours", int(time.total_seconds() // 3600), language)


def time_of(unit: str, number: int, language: str) -> str:
    """So many hours or days, as the language counts them."""
    one, many = sentences(language)["units"][unit]
    return str(one if number == 1 else many.format(n=number))
