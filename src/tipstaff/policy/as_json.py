"""An edition for machines, as the public page and commands give it (Regulation (EU) 2022/2065, Article 14). Pure."""

from collections.abc import Sequence
from datetime import timedelta

from tipstaff.words import Rung, Verdict

from .clauses import Clause, Edition, Example, Wording
from .examples import verdict_on


def edition_as_json(edition: Edition) -> dict[str, object]:
    """All of an edition, with its clauses, clocks, examples and languages."""
    return {
        "edition": edition.id,
        "title": edition.title,
        "entity": edition.entity,
        "locale": edition.locale,
        "binding_locale": edition.locale,
        "locales": [edition.locale, *(each.locale for each in edition.translations)],
        "effective_at": edition.effective_at.isoformat(),
        "sha256": edition.digest,
        "introduction": edition.introduction,
        "parameters": {
            "look_back_days": edition.look_back.days,
            "memory_days": edition.memory.days,
            "in_progress_hours": edition.in_progress.total_seconds() / 3600,
            "reader_confidence_min": edition.reader_confidence_min,
            "person_from": edition.person_from.name.lower(),
        },
        "repeats": [
            {
                "group": each.group,
                "days": each.lifetime.days,
                "steps": [
                    {
                        "strikes": step.strikes,
                        "decides": step.decides.value if step.decides else None,
                        "answer_within_hours": _in_hours(step.answer_within),
                        "adds": _rungs(step.adds),
                    }
                    for step in each.steps
                ],
            }
            for each in edition.repeats
        ],
        "clauses": [clause_as_json(clause, edition) for clause in edition.clauses],
        "clocks": [
            {
                "id": clock.id,
                "clause": clock.clause,
                "kind": clock.kind.value,
                "source": clock.source or None,
                "text_at": clock.text_at or None,
                "amount": clock.amount,
                "not_before": clock.not_before or None,
                "unit": clock.unit.value,
                "region": clock.region or None,
                "says": clock.says,
                "translations": {
                    each.locale: each.clocks[clock.id] for each in edition.translations if clock.id in each.clocks
                },
            }
            for clock in edition.clocks
        ],
        "purposes": [
            {
                "id": each.id,
                "data": each.data,
                "why": each.why,
                "kept": each.kept,
                "collects": list(each.collects),
            }
            for each in edition.purposes
        ],
    }


def clause_as_json(clause: Clause, edition: Edition) -> dict[str, object]:
    """One clause, each example with what is given and what the judge says of it."""
    return {
        "id": clause.id,
        "kind": clause.kind.value,
        "acts": clause.acts.value,
        "title": clause.title,
        "text": clause.text,
        "proof": clause.proof,
        "types": list(clause.applies_to),
        "findings": list(clause.findings),
        "events": list(clause.events),
        "condition": clause.when.text if clause.when else None,
        "found_when": clause.found_when.text if clause.found_when else None,
        "group": clause.group or None,
        "severity": clause.severity.name.lower() if clause.judged else None,
        "answer_within_hours": _in_hours(clause.answer_within),
        "answer_within": clause.time_said(clause.answer_within) if clause.answer_within else None,
        "answer_within_repeated_hours": _in_hours(clause.answer_within_repeated),
        "answer_within_repeated": clause.time_said(clause.answer_within_repeated)
        if clause.answer_within_repeated
        else None,
        "answer_kind": clause.answer_kind.value if clause.answer_within else None,
        "answer_source": clause.answer_source or None,
        "answer_region": clause.answer_clock.region or None if clause.answer_clock else None,
        "opens": clause.opens.value if clause.judged else None,
        "notice": clause.notice.value,
        "withheld_days": clause.withheld_until.days if clause.withheld_until else None,
        "tells_complainant": clause.tells_complainant,
        "decides": clause.decides.value if clause.decides else None,
        "two_people": clause.two_people,
        "what_to_do": list(clause.what_to_do),
        "left_to_people": clause.left_to_people or None,
        "ladder": _rungs(clause.ladder),
        "ports": [f"{protocol}/{port}" for protocol, port in clause.measure_ports],
        "port_of": clause.measure_port_of.value if clause.measure_port_of else None,
        "direction": clause.measure_direction.value if clause.judged else None,
        "examples": [_example_json(x, clause, edition) for x in clause.examples],
        "translations": {each.locale: _wording_json(each.clauses[clause.id]) for each in edition.translations},
    }


def _example_json(example: Example, clause: Clause, edition: Edition) -> dict[str, object]:
    """What is supposed and what the judge says of it; of an event, the clause that answers it."""
    given = example.given
    shown: dict[str, object] = {"id": example.id, "kind": example.kind.value, "says": example.says}
    facts = {key: list(value) if isinstance(value, tuple) else value for key, value in given.facts.items()}
    if given.event:
        found = edition.clause_for_event(given.event, facts=given.facts)
        return shown | {
            "given": {"event": given.event, "facts": facts}, "verdict": {"clause": found.id if found else None}
        }  # fmt: skip
    verdict = verdict_on(example, clause=clause, edition=edition)
    shown["given"] = {
        "type": given.type or None,
        "finding": given.finding or None,
        "facts": facts,
        "subject": given.subject.value,
        "age_hours": _in_hours(given.age),
        "zone_stated": given.zone_stated,
        "holder": given.grade.value,
        "cases_before": given.cases_before,
        "confidence": given.confidence,
        "protocol": given.protocol,
        "source_port": given.source_port,
        "target_port": given.target_port,
        "cited": given.cited,
        "edition_age_hours": _in_hours(given.edition_age),
    }
    return shown | {"verdict": verdict_as_json(verdict)}


def verdict_as_json(verdict: Verdict | None) -> dict[str, object] | None:
    """A verdict in short; None where there is none."""
    if verdict is None:
        return None
    return {
        "disposition": verdict.disposition.value,
        "reason": verdict.reason.value,
        "clause": verdict.clause,
        "answer_within_hours": _in_hours(verdict.answer_within),
        "notice": verdict.notice.value,
        "decides": verdict.decides.value if verdict.decides else None,
        "ladder": _rungs(verdict.ladder),
    }


def _rungs(rungs: Sequence[Rung]) -> list[dict[str, object]]:
    return [{"scope": rung.scope.name.lower(), "degree": rung.degree.name.lower()} for rung in rungs]


def _in_hours(time: timedelta | None) -> float | None:
    return time.total_seconds() / 3600 if time is not None else None


def _wording_json(wording: Wording) -> dict[str, object]:
    return {"title": wording.title, "text": wording.text, "what_to_do": list(wording.what_to_do)}
