"""A verdict in plain words: for the customer, the complainant and a court, from the same facts.

Every sentence names the facts that back it, and is left out where one of them does not hold, so that none can be
false for this case.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tipstaff.words import Degree, Disposition, Fact, Reason, Rung, Verdict

from .clauses import Clause, Edition
from .deciding import PROBABLE_DEGREE_MAX
from .sentences import FALLBACK, sentences


class Audience(enum.StrEnum):
    """Whom an explanation is for."""

    CUSTOMER = "customer"
    COMPLAINANT = "complainant"
    """Never learns who the customer is, nor what they did before."""
    COURT = "court"
    """Or anybody else who checks the decision: everything, with the names under which it is on record."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, and what backs it: facts of the verdict's basis, or its reason."""

    text: str
    rests_on: tuple[Fact | Reason, ...]


def explain(verdict: Verdict, *, edition: Edition, to: Audience, language: str = FALLBACK) -> tuple[Sentence, ...]:
    """What a verdict says to somebody. Empty where they are told nothing. Customer and complainant are told in their
    `language`, in English where it is not written; a court in English.

    `edition` is the one under which it was given; raise ValueError for another one, whose words it does not use.
    """
    if verdict.edition != edition.id:
        raise ValueError(f"the verdict was given under edition {verdict.edition}, not {edition.id}")
    said = _Said(verdict, edition, language)
    match to:
        case Audience.CUSTOMER:
            return said.to_customer(sentences(language))
        case Audience.COMPLAINANT:
            return said.to_complainant(sentences(language))
    return said.to_court()


class _Said:
    def __init__(self, verdict: Verdict, edition: Edition, language: str) -> None:
        self.verdict, self.edition = verdict, edition
        self.facts = {basis.fact: basis.value for basis in verdict.basis}
        self.measures = _measures(verdict.ladder)
        if not self.measures:
            # No measure is open, as where only a block may follow and the clause knows none, or where it knows a letter
            # and nothing else: none is said to be able to follow, or to come with its letter.
            self.facts.pop(Fact.PERSON_FROM, None)
            self.facts.pop(Fact.NOTICE_WITH, None)
        self.time = time_of(self.facts.get(Fact.TIME_TO_ANSWER, ""))
        self.clause = edition.clause_named(verdict.clause) if verdict.clause else None
        self.title = edition.wording(self.clause.id, language=language).title if self.clause else ""
        self.told: list[Sentence] = []

    def say(self, text: str, *rests_on: Fact | Reason) -> None:
        """Add a sentence if everything that it rests on holds."""
        held = {*self.facts, self.verdict.reason}
        if held.issuperset(rests_on):
            self.told.append(Sentence(text, rests_on))

    @property
    def on_clause(self) -> bool:
        """Whether holder and clause are known, so that it is, or may become, a case."""
        return self.clause is not None and (Fact.HOLDER_CONFIRMED in self.facts or Fact.HOLDER_PROBABLE in self.facts)

    def to_customer(self, said: Mapping[str, Any]) -> tuple[Sentence, ...]:
        """In the words of a language, `sentences(language)`."""
        if not self.on_clause or Fact.NOTICE_WITHHELD in self.facts:
            return ()
        assert self.clause is not None
        f, value = Fact, self.facts.get
        measured, unsure = f.MEASURED in self.facts, self.verdict.reason is Reason.READER_UNSURE

        def tell(key: str, *rests_on: Fact, **more: str) -> None:
            self.say(said[key].format(value=value(rests_on[0], ""), **more), *rests_on)

        rule = said["rule"].format(title=self.title, edition=self.edition.id, entity=self.edition.entity)
        if measured:
            tell("measured_falls", f.CLAUSE, f.EDITION, f.MEASURED, rule=rule)
        else:
            tell("seems_to_fall" if unsure else "falls", f.CLAUSE, f.EDITION, rule=rule)
        tell("holder_confirmed", f.HOLDER_CONFIRMED)
        tell("holder_probable", f.HOLDER_PROBABLE)
        tell("measured_in_progress" if measured else "in_progress", f.IN_PROGRESS)
        tell("none_before", f.NONE_BEFORE)
        tell("strikes", f.STRIKES)
        tell("escalated", f.ESCALATED)
        tell("time_to_answer", f.TIME_TO_ANSWER, time=_time_in(said, value(f.TIME_TO_ANSWER, "")))
        tell("shorter_time", f.SHORTER_TIME, f.TIME_TO_ANSWER)
        tell("statute", f.STATUTE)
        tell("spoofable", f.SPOOFABLE)
        tell("nothing_shown", f.NOTHING_SHOWN)
        tell("corroborated", f.CORROBORATED)
        role, degree = value(f.PERSON_DECIDES, ""), value(f.PERSON_FROM, "")
        tell("person_decides", f.PERSON_DECIDES, role=said["roles"].get(role, role))
        tell("person_from", f.PERSON_FROM, degree=said["degrees"].get(degree, degree))
        tell("notice_first", f.NOTICE_FIRST)
        tell("notice_with", f.NOTICE_WITH)
        return tuple(self.told)

    def to_complainant(self, said: Mapping[str, Any]) -> tuple[Sentence, ...]:
        """In the words of a language, `sentences(language)`."""
        f, verdict, to_them = Fact, self.verdict, said["complainant"]
        if f.NOTICE_WITHHELD in self.facts:
            self.say(to_them["with_counsel"], f.NOTICE_WITHHELD)
            return tuple(self.told)
        if not self.on_clause:
            ask = verdict.disposition is Disposition.ASK_COMPLAINANT
            why = _without_clause(self.edition, verdict.reason, ask=ask, said=said)
            self.say(why or verdict.explanation, verdict.reason)
            return tuple(self.told)
        rule = said["rule"].format(title=self.title, edition=self.edition.id, entity=self.edition.entity)
        falls = "seems_to_fall" if verdict.reason is Reason.READER_UNSURE else "falls"
        self.say(to_them[falls].format(rule=rule), f.CLAUSE, f.EDITION)
        if verdict.disposition is not Disposition.OPEN_CASE:
            self.say(to_them["person_first"], verdict.reason)
            return tuple(self.told)
        # The clause's own time and decider, not this case's: those would tell what the holder did before.
        clause = self.clause
        assert clause is not None, "it is on a clause"
        if f.TIME_TO_ANSWER in self.facts and clause.answer_within is not None:
            time = _time_in(said, time_value(clause, clause.answer_within))
            self.say(to_them["told"].format(time=time), f.CLAUSE)
        if {f.PERSON_DECIDES, f.PERSON_FROM}.isdisjoint(basis.fact for basis in verdict.basis):
            return tuple(self.told)
        confirmed = f.HOLDER_CONFIRMED in self.facts
        if any(confirmed or rung.degree <= PROBABLE_DEGREE_MAX for rung in _measures(clause.ladder)):
            self.say(to_them["person_decides" if clause.always_a_persons else "measure_may_follow"], f.CLAUSE)
        return tuple(self.told)

    def to_court(self) -> tuple[Sentence, ...]:
        f, verdict, edition, value = Fact, self.verdict, self.edition, self.facts.get
        self.say(
            f"Decided under edition {edition.id} of the acceptable use policy of {edition.entity}, in force from "
            f"{edition.effective_at:%Y-%m-%d %H:%M} UTC, SHA-256 {edition.digest or 'not taken'}.",
            f.EDITION,
        )
        if self.clause is not None:
            rows = ", ".join(map(str, self.clause.rows))
            self.say(f"Clause {self.clause.id} (“{self.clause.title}”), rows {rows} of the policy.", f.CLAUSE)
        self.say(f"Disposition {verdict.disposition}, reason {verdict.reason}: {verdict.explanation}", verdict.reason)
        self.say("One customer held it over the whole window of uncertainty.", f.HOLDER_CONFIRMED)
        self.say(
            "One customer is named, but not surely for the whole window: nothing above a block.", f.HOLDER_PROBABLE
        )
        self.say(f"It happened at most {value(f.IN_PROGRESS)} hours before receipt.", f.IN_PROGRESS)
        self.say(f"No uncontested case of this group counts within {value(f.NONE_BEFORE)} days.", f.NONE_BEFORE)
        self.say(f"At least one uncontested case of this group counts within {value(f.STRIKES)} days.", f.STRIKES)
        self.say(f"The edition's step for {value(f.ESCALATED)} such cases was reached.", f.ESCALATED)
        self.say(f"Time to answer: {self.time} from the letter's handing over.", f.TIME_TO_ANSWER)
        self.say(f"That time is a statute's: {value(f.STATUTE)}.", f.STATUTE)
        for fact, text in _TRUST_FOR_COURT.items():
            self.say(text, fact)
        second = ", and a second person who agrees" if self.clause is not None and self.clause.two_people else ""
        self.say(f"A measure takes a decision by the role {value(f.PERSON_DECIDES)}{second}.", f.PERSON_DECIDES)
        self.say(f"The clock may take measures below the degree {value(f.PERSON_FROM)}.", f.PERSON_FROM)
        if self.measures:
            rungs = ", ".join(f"{r.degree.name.lower()} {r.scope.name.lower()}" for r in verdict.ladder)
            self.say(f"Remedies open, narrow to wide: {rungs}; the narrowest that suffices is taken.", f.CLAUSE)
        self.say("No measure before a notice was handed over, except on a recorded ground.", f.NOTICE_FIRST)
        self.say("A measure may come with its notice, on a recorded ground and with two people.", f.NOTICE_WITH)
        self.say("Whether the holder is told, counsel decides.", f.NOTICE_WITHHELD)
        return tuple(self.told)


def _measures(ladder: Sequence[Rung]) -> tuple[Rung, ...]:
    """The rungs that touch anything: a letter is no measure."""
    return tuple(rung for rung in ladder if rung.degree is not Degree.NOTIFY)


_TRUST_FOR_COURT = {
    Fact.SPOOFABLE: "Nothing in the report's words shows that an answer reached this address, so that a packet under "
    "it may be anybody's.",
    Fact.NOTHING_SHOWN: "The report names an address and says what it did; in its words stands no time, log line or "
    "header that shows it. What it attaches and is no text was not weighed.",
    Fact.SENDER_NOT_VOUCHED_FOR: "The report's mail was not vouched for by its sender's domain, and no earlier report "
    "of theirs that counts led to a repair or a measure.",
    Fact.REPORTER_OFTEN_WRONG: "More of this reporter's earlier reports were overturned than led to a repair or a "
    "measure.",
    Fact.REPORTER_FLOODS: "The reporter was sending far more than usual.",
    Fact.CORROBORATED: "The operator's own measurement saw the same.",
    Fact.MEASURED: "The operator measured it; it rests on no report.",
}


# The two sentences that stand on the case and in the record.


def rule_of(edition: Edition, clause: Clause) -> str:
    """A clause as a sentence cites it."""
    return f"“{clause.title}” in edition {edition.id} of the acceptable use policy of {edition.entity}"


def time_of(value: str) -> str:
    """A time to answer as a verdict's facts keep it: hours, where the number stands alone."""
    return f"{value} hours" if value.replace(".", "", 1).isdigit() else value


def time_value(clause: Clause, within: timedelta) -> str:
    """A time to answer under a clause as a verdict's facts keep it: a number of hours, or `3 business days`."""
    return clause.time_said(within).removesuffix(" hours")


def time_in_words(clause: Clause, within: timedelta, language: str) -> str:
    """A time to answer under a clause in the words of a language."""
    return _time_in(sentences(language), time_value(clause, within))


def _time_in(said: Mapping[str, Any], value: str) -> str:
    """A time to answer as `said` puts it; what is kept is a number of hours, or `3 business days`."""
    number, _, unit = value.partition(" ")
    name = (unit or "hours").replace(" ", "_")
    one, many = said["units"].get(name if name in said["units"] else f"{name}s", (value, value))
    return str(one if number == "1" else many.format(n=number))


def why_case(
    edition: Edition,
    clause: Clause,
    *,
    confirmed: bool,
    repeated: bool,
    in_progress: bool,
    shorter: bool,
    measured: bool = False,
) -> str:
    """At most two sentences for the customer, true for every case of this shape."""
    first = f"{_what(measured)} falls under {rule_of(edition, clause)}"
    if not confirmed:
        first += ", and our records name you as the probable holder, so nothing wider than a block may follow"
    days = edition.repeats_of(clause.group).lifetime.days
    if in_progress:
        hours = edition.in_progress_seconds / 3600
        came = "our measurement" if measured else "the report"
        return f"{first}. It happened within {hours:.0f} hours before {came} reached us, so it counts as going on."
    if repeated and shorter:
        return (
            f"{first}. An earlier case of this kind from the last {days} days counts, so there is less time to answer."
        )
    if repeated:
        return f"{first}. An earlier case of this kind from the last {days} days counts."
    return f"{first}. No earlier case of this kind counts: none from the last {days} days."


def _what(measured: bool) -> str:
    return "What we measured" if measured else "What was reported"


def why_no_case(
    edition: Edition, reason: Reason, clause: Clause | None, *, sealed: bool, ask: bool, measured: bool = False
) -> str:
    """At most two sentences for whoever is answered or has to decide."""
    what = _what(measured)
    policy = f"edition {edition.id} of the acceptable use policy"
    rule = f"“{clause.title}” in {policy}" if clause else policy
    match reason:
        case Reason.COUNSEL_MUST_DECIDE if sealed:
            return (
                f"Reports of this kind are sealed on arrival under {rule}; counsel decides, and nobody else sees them."
            )
        case Reason.COUNSEL_MUST_DECIDE:
            return f"{what} falls under {rule}, where counsel decides before anybody is told."
        case Reason.NO_EDITION_IN_FORCE if clause is not None:
            posted = edition.effective_at.strftime("%Y-%m-%d %H:%M UTC")
            return (
                f"{what} falls under {rule}. It may have happened before that took effect ({posted}), "
                "so a person decides whether it binds."
            )
        case Reason.SPEECH:
            return (
                f"{what} falls under {rule}. It turns on what somebody said, so a person decides before "
                "anybody is told."
            )
        case Reason.READER_UNSURE:
            return (
                f"What was reported seems to fall under {rule}. That reading is not sure enough, so a person reads it."
            )
        case Reason.BELOW_THRESHOLD:
            return (
                f"What we measured does not amount to what a clause of {policy} asks for, so nothing follows from it."
            )
        case Reason.CONDITION_FAILED:
            return (
                f"A clause of {policy} takes what we measured, but its condition could not be worked out of the facts, "
                "so a person looks at it."
            )
        case Reason.NO_ADDRESS if measured:
            return (
                f"The sighting names no address that {edition.entity} can tie to a customer. "
                "The address, the time with its zone and the source port would."
            )
        case Reason.NOT_OUR_SPACE if measured:
            return f"What we measured lay outside the address space of {edition.entity} at the time in question."
        case Reason.BEYOND_LOOK_BACK if measured:
            days = edition.look_back.days
            return f"It happened more than {days} days before it came in, which is as far as {policy} looks back."
        case Reason.TIME_AHEAD if measured:
            return (
                "The sensor's time lies after the sighting came in, so it does not tell who held the address when it "
                "happened, and nobody is told. Its clock runs ahead."
            )
        case Reason.NO_CLAUSE if measured:
            return f"No clause of {policy} covers what we measured, so a person looks at it first."
    told = _without_clause(edition, reason, ask=ask, said=sentences(FALLBACK))
    assert told, f"{reason} opens a case or is not the judge's to give"
    return told


def _without_clause(edition: Edition, reason: Reason, *, ask: bool, said: Mapping[str, Any]) -> str:
    """Why nobody is told yet although no clause was looked at, in the words of a language; empty for other reasons."""
    key = "BEFORE_RECORDS_ASK" if ask and reason is Reason.BEFORE_RECORDS else reason.value
    why: str = said["complainant"]["no_case"].get(key, "")
    return why.format(entity=edition.entity, days=edition.look_back.days, edition=edition.id)
