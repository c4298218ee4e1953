"""Past questions under another edition: who would be treated differently, and how. Pure; it decides nothing.

The other edition is taken as if it had been in force all the time; whatever else was known then stays as it was: who
held the address, how many strikes counted, how far the report was believed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from tipstaff.words import Degree, Direction, Disposition, NoticePosture, Reason, Role, Rung, Sighting, Verdict

from .canonical import digest_of_parts
from .clauses import Edition
from .judge import judge
from .past import PastQuestion

_K = TypeVar("_K")
_V = TypeVar("_V")


class Treatment(NamedTuple):
    """What a verdict means for the holder: two verdicts of one treatment differ in their words only."""

    disposition: Disposition
    reason: Reason
    clause: str | None
    answer_within: timedelta | None
    notice: NoticePosture
    decides: Role | None
    ladder: tuple[Rung, ...]
    measure_ports: tuple[tuple[str, int], ...]
    measure_direction: Direction


def treatment_of(verdict: Verdict) -> Treatment:
    """The treatment that a verdict means."""
    return Treatment(
        verdict.disposition,
        verdict.reason,
        verdict.clause,
        verdict.answer_within,
        verdict.notice,
        verdict.decides,
        verdict.ladder,
        verdict.measure_ports,
        verdict.measure_direction,
    )


def differences(before: Treatment, after: Treatment) -> tuple[str, ...]:
    """In what two treatments differ, in phrases that a list can show; empty when in nothing but words."""
    said = []
    if before.disposition is not after.disposition:
        said.append(f"{_named(before.disposition)} → {_named(after.disposition)}")
    if before.clause != after.clause:
        said.append(f"clause {before.clause or 'none'} → {after.clause or 'none'}")
    if before.answer_within != after.answer_within:
        said.append(f"time to answer {_hours(before.answer_within)} → {_hours(after.answer_within)}")
    if before.notice is not after.notice:
        said.append(f"notice {before.notice} → {after.notice}")
    if before.decides is not after.decides:
        said.append(f"decided by {before.decides or 'the clock'} → {after.decides or 'the clock'}")
    if before.ladder != after.ladder:
        said.append(f"remedies {_rungs(before.ladder)} → {_rungs(after.ladder)}")
    if before.measure_ports != after.measure_ports:
        said.append(f"ports {_ports(before.measure_ports)} → {_ports(after.measure_ports)}")
    if before.measure_direction is not after.measure_direction:
        said.append(f"way of the ports {before.measure_direction} → {after.measure_direction}")
    if not said and before.reason is not after.reason:
        said.append(f"reason {before.reason} → {after.reason}")
    return tuple(said)


def ask_again(question: PastQuestion, edition: Edition) -> Verdict:
    """The verdict on a past question under `edition`."""
    return judge(
        question.conduct,
        attribution=question.attribution,
        history=question.history,
        edition=edition,
        received_at=question.received_at,
        cited=question.cited,
        trust=question.trust,
    )


def as_if_always(edition: Edition) -> Edition:
    """`edition` as if it had been in force since the first day."""
    return replace(edition, effective_at=datetime(1, 1, 2, tzinfo=UTC))


class Side(NamedTuple):
    """What one of the two editions leads to: what a bar counts, and what silence would have led to."""

    clause: str
    """Empty for none."""
    opens: bool
    """A case, against somebody who is named."""
    measure: str = ""
    """`block flow`; empty for none, and where it was not weighed."""
    others_hit: int = 0
    services_hit: int = 0


class Alike(NamedTuple):
    """What differences have in common that are counted together."""

    customer_class: str
    """Empty where nobody was named."""
    how: tuple[str, ...]
    before: Side
    after: Side


class Difference(NamedTuple):
    """One past question that would have been answered differently."""

    key: str
    customer: str
    """Empty where nobody was named."""
    service: str
    source: str
    source_port: int | None
    protocol: str | None
    named: bool
    """The report names a URL or a host."""
    measured: bool
    """We saw it ourselves."""
    received_at: datetime
    before: Treatment
    after: Treatment
    alike: Alike
    measures: tuple[str, str] = ("", "")
    """What silence would have led to before and after, with what it touches; empty for nothing."""


LISTED_MAX = 100_000
"""Differences that a sum lists one by one; all are counted."""


@dataclass(kw_only=True)
class Tally:
    """What a replay found, of all questions or of a part of them; parts are added up."""

    listed_max: int = LISTED_MAX
    judged: int = 0
    not_kept: int = 0
    """Judged before this version kept the questions, or under an edition that is gone: they cannot be asked again."""
    not_reproduced: int = 0
    """The edition that was applied then gives another verdict now: its folder, or the program, was changed."""
    history_unknown: int = 0
    """The other edition counts earlier cases for another time or by another group, and how many counted is kept as the
    edition applied then counted them: with its own count the other one might say something else."""
    clauses: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(clause before, clause after) of all questions; empty for none."""
    cases: Counter[tuple[str, bool, bool]] = field(default_factory=Counter)
    """(customer class, a case before, a case after) of all questions about a named holder."""
    alike: Counter[Alike] = field(default_factory=Counter)
    """Those that differ."""
    weighed: int = 0
    """Of those that differ, so many had their measures weighed: none, or all."""
    listed: list[Difference] = field(default_factory=list)

    @property
    def different(self) -> int:
        return self.alike.total()

    @property
    def changed_clauses(self) -> Counter[tuple[str, str]]:
        """As `clauses`, of the different ones only."""
        return self._counted(lambda each: [(each.before.clause, each.after.clause)])

    @property
    def how(self) -> Counter[str]:
        """In what they differ, by phrase; one question may differ in several."""
        return self._counted(lambda each: each.how)

    def _counted(self, names: Callable[[Alike], Iterable[_K]]) -> Counter[_K]:
        found: Counter[_K] = Counter()
        for each, n in self.alike.items():
            for name in names(each):
                found[name] += n
        return found

    @property
    def said_of_history(self) -> str:
        """What a replay cannot know of earlier cases, in two sentences."""
        rules = "Its own rules on how long and in which group a case counts"
        if self.history_unknown:
            own = f"{rules} may count others for {self.history_unknown:,} of them: their treatment is not sure."
        else:
            own = f"{rules} change nothing for any of them."
        return (
            "Earlier cases count as the edition applied then counted them; what this edition would have changed in "
            f"those cases themselves is not known. {own}"
        )

    def add(self, other: "Tally") -> None:
        """Add what another part found, which comes after this one."""
        self.judged += other.judged
        self.not_kept += other.not_kept
        self.not_reproduced += other.not_reproduced
        self.history_unknown += other.history_unknown
        self.weighed += other.weighed
        self.clauses.update(other.clauses)
        self.cases.update(other.cases)
        self.alike.update(other.alike)
        self.listed += other.listed[: max(0, self.listed_max - len(self.listed))]

    def take_away(self, other: "Tally") -> None:
        """Leave what was counted over all questions without those of a part; what differs is counted elsewhere."""
        self.judged -= other.judged
        self.not_kept -= other.not_kept
        self.not_reproduced -= other.not_reproduced
        self.history_unknown -= other.history_unknown
        self.clauses -= other.clauses
        self.cases -= other.cases


def replay(
    questions: Iterable[PastQuestion],
    *,
    under: Edition,
    editions: Mapping[str, Edition],
    class_of: Callable[[PastQuestion], str],
) -> Tally:
    """Ask each question again under the edition that was applied and `under` another one, and compare.

    `under` is applied as it stands: use `as_if_always` to let it reach back. `editions` are those that were applied,
    by id; `class_of` says what kind of customer was asked about. Every difference is listed: hand in parts.
    """
    tally = Tally()
    # What follows from a treatment is worked out once: there are few, and they recur millions of times.
    digests: dict[Treatment, str] = {}
    alike: dict[tuple[Treatment, Treatment, str], tuple[Treatment, Treatment, Alike]] = {}
    counted: dict[tuple[str, str | None, str | None], timedelta | None] = {}
    for question in questions:
        applied = editions.get(question.edition)
        if applied is None:
            tally.not_kept += 1
            continue
        tally.judged += 1
        before, after = treatment_of(ask_again(question, applied)), treatment_of(ask_again(question, under))
        if question.verdict and _remembered(digests, before, treatment_digest) != question.verdict:
            tally.not_reproduced += 1
        tally.clauses[before.clause or "", after.clause or ""] += 1
        named = question.attribution.customer is not None
        if named and after.clause is not None:
            which = (applied.id, before.clause, after.clause)
            longer = counted[which] if which in counted else counted.setdefault(which, _longer(applied, under, which))
            # A shorter time can only take away strikes, and where there are none takes nothing.
            tally.history_unknown += (
                longer is None or longer > _AS_LONG or (longer < _AS_LONG and question.history.cases_before > 0)
            )
        kind = class_of(question) if named else ""
        if named:
            opens = Disposition.OPEN_CASE
            tally.cases[kind, before.disposition is opens, after.disposition is opens] += 1
        if before == after:
            continue
        # The same treatments are the same objects: that makes the list small where it goes from process to process.
        was, now, both = _remembered(alike, (before, after, kind), _alike)
        conduct, attribution = question.conduct, question.attribution
        difference = Difference(
            key=question.key,
            customer=attribution.customer or "",
            service=attribution.service or "",
            source=question.source,
            source_port=conduct.source_port,
            protocol=conduct.protocol,
            named=bool(conduct.url or conduct.domain),
            measured=isinstance(conduct, Sighting),
            received_at=question.received_at,
            before=was,
            after=now,
            alike=both,
        )
        tally.listed.append(difference)
        tally.alike[both] += 1
    return tally


def _alike(pair: tuple[Treatment, Treatment, str]) -> tuple[Treatment, Treatment, Alike]:
    before, after, kind = pair
    # Which ports, a report says: they may be anything, and are not counted one by one.
    how = differences(before._replace(measure_ports=()), after._replace(measure_ports=()))
    if before.measure_ports != after.measure_ports:
        how += ("other ports",)
    was, now = (
        Side(clause=t.clause or "", opens=bool(kind) and t.disposition is Disposition.OPEN_CASE)
        for t in (before, after)
    )
    return before, after, Alike(customer_class=kind, how=how, before=was, after=now)


_AS_LONG = timedelta()


def _longer(applied: Edition, under: Edition, which: tuple[str, str | None, str | None]) -> timedelta | None:
    """By how much longer the other edition counts a strike; None where it counts those of another group."""
    before, after = applied.clause_named(which[1] or ""), under.clause_named(which[2] or "")
    if before is None or after is None or before.group != after.group:
        return None
    return under.repeats_of(after.group).lifetime - applied.repeats_of(before.group).lifetime


_REMEMBERED_MAX = 10_000


def _remembered(known: dict[_K, _V], key: _K, find: Callable[[_K], _V]) -> _V:
    """`find(key)`, once for each of the first keys: reporters must not be able to fill the memory."""
    found = known.get(key)
    if found is None:
        found = find(key)
        if len(known) < _REMEMBERED_MAX:
            known[key] = found
    return found


def treatment_digest(treatment: Treatment) -> str:
    """SHA-256 (hex) over a treatment: it stands in the record beside what was asked."""
    return digest_of_parts(treatment)


def _named(word: str) -> str:
    return str(word).replace("_", " ")


def _hours(time: timedelta | None) -> str:
    return "none" if time is None else f"{time.total_seconds() / 3600:g} h"


def _rungs(ladder: tuple[Rung, ...]) -> str:
    return ", ".join(f"{Degree(r.degree).name.lower()} {r.scope.name.lower()}" for r in ladder) or "none"


def _ports(ports: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{protocol}/{port}" for protocol, port in ports) or "none"
