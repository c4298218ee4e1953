"""An edition in the shadow is asked with each judgement: what it would have decided otherwise is on record, no more."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import count_about, newest_about
from tipstaff.policy import Edition, judge
from tipstaff.policy.replay import differences, treatment_of
from tipstaff.policy.shadow import Shadow
from tipstaff.words import Allegation, Attribution, Conduct, History, Trust, Verdict

DISAGREED = "shadow.disagreed"
COUNTED_MAX = 5_000
"""Disagreements that are counted by clause, the newest; all are counted in the sum."""


def ask_in_the_shadow(
    shadow: Shadow,
    conduct: Conduct,
    *,
    about: tuple[str, ...],
    attribution: Attribution,
    applied: Edition,
    verdict: Verdict,
    history_under: Callable[[Edition], History],
    trust: Trust | None,
    received_at: datetime,
    at: datetime,
    actor: str,
) -> None:
    """Put on record where the edition in the shadow would have decided otherwise than `applied` did."""
    edition = shadow.beside(applied)
    other = judge(
        conduct,
        attribution=attribution,
        history=history_under(edition),
        edition=edition,
        received_at=received_at,
        cited=conduct.cited if isinstance(conduct, Allegation) else None,
        trust=trust,
    )
    how = differences(treatment_of(verdict), treatment_of(other))
    if how:
        record(
            DISAGREED, at=at, actor=actor, about=[*about, shadow.key], customer=attribution.customer, how=list(how),
            before={"edition": applied.id, "clause": verdict.clause, "disposition": verdict.disposition},
            after={"edition": edition.id, "clause": other.clause, "disposition": other.disposition},
            explanation=other.explanation,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One judgement that the edition in the shadow would have given otherwise."""

    at: datetime
    incident: str
    report: str
    customer: str
    how: tuple[str, ...]
    clause_before: str
    clause_after: str
    entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreements:
    """What an edition in the shadow would have decided otherwise so far."""

    edition: str
    clauses: tuple[str, ...]
    judged: int
    """Judgements at which it was asked."""
    different: int
    by_clause: tuple[tuple[str, str, int], ...]
    """(clause before, clause after, how many), the most first; empty for no clause. Over the newest 5,000."""
    newest: tuple[Disagreement, ...]

    def in_a_sentence(self) -> str:
        """For the terminal and the page."""
        what = f"edition {self.edition}"
        if self.clauses:
            what = f"{', '.join(self.clauses)} of {what}"
        return (
            f"In the shadow: {what}. It was asked at {self.judged:,} judgements and would have decided "
            f"{self.different:,} otherwise."
        )

    def as_document(self) -> dict[str, object]:
        """For JSON."""
        return {
            "edition": self.edition,
            "clauses": list(self.clauses),
            "judged": self.judged,
            "different": self.different,
            "by_clause": [{"before": b, "after": a, "different": n} for b, a, n in self.by_clause],
            "newest": [
                {"at": d.at.isoformat(), "incident": d.incident, "customer": d.customer, "how": list(d.how)}
                for d in self.newest
            ],
        }


def disagreements(shadow: Shadow, *, limit: int) -> Disagreements:
    """What is on record of an edition in the shadow, the newest `limit` disagreements one by one."""
    entries = newest_about(shadow.key, what=DISAGREED, limit=max(limit, COUNTED_MAX))
    found = [
        Disagreement(
            at=entry.at,
            incident=entry.about[0],
            report=entry.about[1],
            customer=str(entry.detail.get("customer") or ""),
            how=_texts(entry.detail.get("how")),
            clause_before=_clause(entry.detail.get("before")),
            clause_after=_clause(entry.detail.get("after")),
            entry=entry.id,
        )
        for entry in entries
    ]
    counted = Counter((d.clause_before, d.clause_after) for d in found)
    return Disagreements(
        edition=shadow.edition.id,
        clauses=shadow.clauses,
        judged=count_about(shadow.key, what="incident.judged"),
        different=count_about(shadow.key, what=DISAGREED),
        by_clause=tuple((before, after, n) for (before, after), n in counted.most_common()),
        newest=tuple(found[:limit]),
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _clause(value: object) -> str:
    return str(value.get("clause") or "") if isinstance(value, dict) else ""
