"""Why it was decided so, told to whoever asks: the sentences that the record of a verdict backs, and no others."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tipstaff.cases.operations import SEALED_MATTER
from tipstaff.cases.queries import get_case
from tipstaff.enforcement.queries import measures_of_case
from tipstaff.ledger.queries import latest_about
from tipstaff.policy import Edition
from tipstaff.policy.explain import Audience, explain, time_of
from tipstaff.policy.past import question_again
from tipstaff.policy.replay import ask_again, treatment_digest, treatment_of
from tipstaff.words import (
    Basis,
    Case,
    CaseState,
    Disposition,
    Entry,
    Fact,
    Matter,
    NoticePosture,
    Reason,
    Report,
    ReportOutcome,
    Rung,
    Verdict,
)

from .desk import Desk

INCIDENTS_MAX = 200
"""A letter about more than this says only what the case says: each of its sentences must hold for every incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Incidents that were judged alike, and the sentences on them for somebody who checks the decision."""

    incidents: tuple[str, ...]
    sentences: tuple[str, ...]


def reasons_for_customer(
    case: Case,
    *,
    incidents: Sequence[Matter],
    desk: Desk,
    judged: Mapping[str, Entry] | None = None,
    language: str = "en",
) -> tuple[str, ...]:
    """What holds for each of these incidents of a case as it stands now, in the customer's language. `judged` is what
    the record says of them, where it was read already.

    Empty where the record does not show why they fall under the case's clause; the case's own explanation stands then.
    """
    if _is_sealed(case) or not 0 < len(incidents) <= INCIDENTS_MAX:
        return ()
    judged = _judged(incidents) if judged is None else judged
    if len(judged) < len(incidents):
        return ()
    said: dict[tuple[str, ...], None] = {}
    urgent = _was_urgent(case)
    for incident in incidents:
        found = _verdict(judged[incident.key], incident, desk=desk)
        if found is None or (found[0].clause, found[0].edition) != (case.clause, case.edition):
            return ()
        verdict, edition = found
        stands = _as_it_stands(verdict, case, edition, urgent=urgent)
        said[_texts(stands, edition, to=Audience.CUSTOMER, language=language)] = None
    first, *others = said
    return tuple(text for text in first if all(text in each for each in others))


def reasons_for_complainant(report: Report, *, desk: Desk, language: str = "en") -> dict[str, tuple[str, ...]]:
    """What a complainant is told about each incident of their report that is still open, or that opened nothing."""
    if report.outcome is ReportOutcome.SEALED:
        return {}
    wanted = [i for i in report.incidents[:INCIDENTS_MAX] if i.outcome in _TOLD_WHY]
    judged, told = _judged(wanted), {}
    for incident in wanted:
        found = _verdict(judged[incident.key], incident, desk=desk) if incident.key in judged else None
        case = get_case(incident.case) if incident.case else None
        if found is None or _is_sealed(case):
            continue
        verdict, edition = found
        if case is not None:
            verdict = _for_complainant(verdict, case, edition)
        waits = incident.outcome is ReportOutcome.WITH_A_PERSON or (case and case.state is CaseState.WAITING_PERSON)
        if waits and verdict.disposition is Disposition.OPEN_CASE:
            # The judge opened a case; the registry, or a colleague, left it to a person.
            verdict = replace(verdict, disposition=Disposition.PERSON)
        told[incident.key] = _texts(verdict, edition, to=Audience.COMPLAINANT, language=language)
    return told


_TOLD_WHY = frozenset(
    {
        ReportOutcome.FORWARDED, ReportOutcome.WITH_A_PERSON, ReportOutcome.NEEDS_DETAIL, ReportOutcome.NOT_OURS,
        ReportOutcome.TOO_OLD,
    }
)  # fmt: skip


def reasons_for_court(incidents: Sequence[Matter], *, desk: Desk) -> tuple[Reasons, ...]:
    """Everything that the record says about why these were judged so, those judged alike together."""
    sealed = {key for key in {i.case for i in incidents if i.case} if _is_sealed(get_case(key))}
    incidents = [i for i in incidents if i.case not in sealed][:INCIDENTS_MAX]
    judged = _judged(incidents)
    alike: dict[tuple[str, ...], list[str]] = {}
    for incident in incidents:
        entry = judged.get(incident.key)
        if entry is None:
            continue
        found = _verdict(entry, incident, desk=desk)
        if found is not None:
            sentences = _texts(found[0], found[1], to=Audience.COURT)
        else:
            sentences = (
                f"Decided under edition {entry.detail.get('edition')}, which is not in use in those words any more: "
                f"{entry.detail.get('explanation')}",
            )
        alike.setdefault(sentences, []).append(incident.key)
    return tuple(Reasons(incidents=tuple(keys), sentences=sentences) for sentences, keys in alike.items())


def _is_sealed(case: Case | None) -> bool:
    return case is not None and case.resource == SEALED_MATTER


def _judged(incidents: Iterable[Matter]) -> dict[str, Entry]:
    keys = [incident.key for incident in incidents]
    return latest_about(keys, what=["incident.judged"]) if keys else {}


def _texts(verdict: Verdict, edition: Edition, *, to: Audience, language: str = "en") -> tuple[str, ...]:
    return tuple(sentence.text for sentence in explain(verdict, edition=edition, to=to, language=language))


def _verdict(entry: Entry, incident: Matter, *, desk: Desk) -> tuple[Verdict, Edition] | None:
    """The verdict on record with the edition that it was given under; None where that edition's words are gone."""
    detail: Mapping[str, Any] = entry.detail
    edition = next(
        (e for e in desk.editions if e.id == detail.get("edition") and e.digest == detail.get("edition_digest")), None
    )
    if edition is None or "basis" not in detail:
        return None
    verdict = Verdict(
        disposition=Disposition(detail["disposition"]),
        reason=Reason(detail["reason"]),
        explanation=detail["explanation"],
        edition=edition.id,
        clause=detail.get("clause"),
        basis=tuple(Basis(fact=Fact(fact), value=value) for fact, value in detail["basis"].items()),
        ladder=_ladder(detail, incident, edition),
    )
    return verdict, edition


def _ladder(detail: Mapping[str, Any], incident: Matter, edition: Edition) -> tuple[Rung, ...]:
    """The remedies that were open, by asking again what was asked; none where another answer comes now."""
    if not detail.get("asked"):
        return ()
    asked = detail["asked"] if isinstance(detail["asked"], dict) else json.loads(detail["asked"])
    conduct = incident.conduct
    question = question_again(
        incident.key, asked, grade=detail["grade"], reason=detail["attribution"], customer=detail.get("customer"),
        service=detail.get("service"), edition=edition.id, verdict=detail.get("verdict") or "",
        named=(conduct.url, conduct.domain, conduct.target),
    )  # fmt: skip
    again = ask_again(question, edition)
    return again.ladder if treatment_digest(treatment_of(again)) == question.verdict else ()


def _was_urgent(case: Case) -> bool:
    """Whether a measure of the case came before its notice."""
    return any(m.urgency is not None for m in measures_of_case(case.key))


def _as_it_stands(verdict: Verdict, case: Case, edition: Edition, *, urgent: bool) -> Verdict:
    """Without what the case has left behind since, or never took from this verdict."""
    gone: set[Fact] = set()
    facts = {basis.fact: basis.value for basis in verdict.basis}
    clause = edition.clause_named(verdict.clause or "")
    time = clause.time_said(case.answer_within) if clause is not None else ""
    if time_of(facts.get(Fact.TIME_TO_ANSWER, "")) != time or case.state not in _BEFORE_AN_ANSWER:
        gone |= {Fact.TIME_TO_ANSWER, Fact.SHORTER_TIME, Fact.STATUTE}
    if case.decides is not None:
        gone.add(Fact.PERSON_FROM)
    if facts.get(Fact.PERSON_DECIDES) != case.decides:
        gone.add(Fact.PERSON_DECIDES)
    if case.notice is not _NOTICES.get(Fact.NOTICE_FIRST if Fact.NOTICE_FIRST in facts else Fact.NOTICE_WITH):
        gone |= {Fact.NOTICE_FIRST, Fact.NOTICE_WITH}
    if Fact.NOTICE_FIRST in facts and urgent:
        gone.add(Fact.NOTICE_FIRST)
    if case.state in (CaseState.FIXED, CaseState.CLOSED):
        gone |= {Fact.PERSON_FROM, Fact.PERSON_DECIDES, Fact.NOTICE_FIRST, Fact.NOTICE_WITH}
    return replace(verdict, basis=tuple(basis for basis in verdict.basis if basis.fact not in gone))


def _for_complainant(verdict: Verdict, case: Case, edition: Edition) -> Verdict:
    """Without what is over. What the case owes to its holder's earlier cases stays: they are told the clause's own time
    and decider, and that something is left out would tell them too."""
    gone: set[Fact] = set()
    clause = edition.clause_named(verdict.clause or "")
    longer = clause is None or clause.answer_within is None or case.answer_within > clause.answer_within
    if longer or case.state not in _BEFORE_AN_ANSWER:
        gone.add(Fact.TIME_TO_ANSWER)
    if case.state in (CaseState.FIXED, CaseState.CLOSED):
        gone |= {Fact.PERSON_FROM, Fact.PERSON_DECIDES}
    return replace(verdict, basis=tuple(basis for basis in verdict.basis if basis.fact not in gone))


_BEFORE_AN_ANSWER = frozenset({CaseState.OPENED, CaseState.WAITING_PERSON, CaseState.NOTIFIED})
_NOTICES = {Fact.NOTICE_FIRST: NoticePosture.BEFORE, Fact.NOTICE_WITH: NoticePosture.SIMULTANEOUS}
