"""The policy for everybody: the edition in force, all others that were posted or announced, and what is different.

Each page can be had for machines as well (Regulation (EU) 2022/2065, Article 14). None of them names a customer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.editions.queries import get_edition, list_editions
from tipstaff.policy import Edition, edition_to_go_by
from tipstaff.policy.clauses import Clause, Example, Wording
from tipstaff.policy.difference import Change, ChangeKind, Effect, marked
from tipstaff.policy.examples import verdict_on
from tipstaff.procedures.editions import compare, edition_on_record
from tipstaff.words import EditionState, Rung, Verdict

from ..pages import show_public
from ..said import language_of, moment
from .applied import facts_of, facts_of_edition, length_of, whose
from .judged import given_in_words, judged, verdict_in_words
from .said import said_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One edition as the public may see it."""

    edition: Edition
    state: str
    """`in force`, `superseded`, `posted` for one that does not count yet, or `announced`."""
    effective_at: datetime | None
    """From when it counts; None while that is not fixed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A change with both texts marked word by word."""

    change: Change
    label: str
    words: tuple[tuple[str, str], ...]


@require_safe
def policy(request: HttpRequest, id: str | None = None) -> HttpResponse:
    """An edition for people, in one of its languages."""
    editions = _editions()
    shown = _find(editions, id)
    edition, language = shown.edition, request.GET.get("in", shown.edition.locale)[:10]
    translation = edition.said_in(language)
    page_language, said = said_in(translation.locale if translation else edition.locale)
    return show_public(
        request,
        "tipstaff/public/policy.html",
        shown=shown,
        edition=edition,
        title=translation.title if translation else edition.title,
        introduction=translation.introduction if translation else edition.introduction,
        translation=translation,
        languages=[edition.locale, *(each.locale for each in edition.translations)],
        language=translation.locale if translation else edition.locale,
        clauses=[
            (
                clause,
                edition.wording(clause.id, language=language),
                facts_of(clause, edition, said=said, language=page_language),
                [judged(x, clause=clause, edition=edition, said=said, language=page_language) for x in clause.examples],
            )
            for clause in edition.clauses
        ],
        rules=facts_of_edition(edition, said=said, language=page_language),
        clocks=[
            (
                clock,
                translation.clocks.get(clock.id, "") if translation else "",
                length_of(clock, page_language),
                whose(clock, said),
            )
            for clock in edition.clocks
        ],
        earlier=_before(editions, shown),
        page_language=page_language,
        said=said,
        standing=_standing(shown, said, page_language),
        listed=[(each, _in_the_list(each, said, page_language)) for each in editions],
    )


def _standing(shown: Shown, said: Mapping[str, str], language: str) -> str:
    """Which edition it is and how it stands, in the page's language."""
    which = said["edition_of"].format(id=shown.edition.id, entity=shown.edition.entity)
    at = moment(language, shown.effective_at) if shown.effective_at else ""
    return f"{which}, {said[shown.state.replace(' ', '_')].format(at=at)}"


def _in_the_list(shown: Shown, said: Mapping[str, str], language: str) -> str:
    stands = said[f"state_{shown.state.replace(' ', '_')}"]
    return f"{stands}, {said['from'].format(at=moment(language, shown.effective_at))}" if shown.effective_at else stands


@require_safe
def policy_json(request: HttpRequest, id: str | None = None) -> JsonResponse:
    """An edition for machines, with all its languages."""
    editions = _editions()
    shown = _find(editions, id)
    edition = shown.edition
    return JsonResponse(
        {
            "edition": edition.id,
            "title": edition.title,
            "entity": edition.entity,
            "locale": edition.locale,
            "binding_locale": edition.locale,
            "locales": [edition.locale, *(each.locale for each in edition.translations)],
            "state": shown.state,
            "effective_at": _instant(shown.effective_at),
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
            "clauses": [_clause_json(clause, edition) for clause in edition.clauses],
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
            "editions": [
                {
                    "edition": each.edition.id,
                    "state": each.state,
                    "sha256": each.edition.digest,
                    "effective_at": _instant(each.effective_at),
                    "url": reverse("policy_edition_json", args=[each.edition.id]),
                }
                for each in editions
            ],
        }
    )


@require_safe
def changes(request: HttpRequest, id: str) -> HttpResponse:
    """What an edition changes against another one (`?from=`), else against the one before it."""
    editions = _editions()
    shown = _find(editions, id)
    wanted = request.GET.get("from")
    before = _find(editions, wanted) if wanted else _before(editions, shown)
    changed: list[Changed] = []
    otherwise: tuple[Effect, ...] = ()
    if before is not None:
        changes, otherwise = compare(before.edition, shown.edition)
        changed = [_marked(change) for change in changes]
    past = _past(shown, before)
    if request.GET.get("as") == "json":
        return JsonResponse(_changes_json(before, shown, changed, otherwise, past))
    language, said = said_in(language_of(request))
    return show_public(
        request,
        "tipstaff/public/policy_changes.html",
        shown=shown,
        before=before,
        changed=changed,
        otherwise=[_effect(effect, before, shown, said, language) for effect in otherwise] if before else [],
        past=past,
        past_says=said["past_says"].format(n=past.judged_at_least, least=PAST_SHOWN_MIN) if past else "",
        said=said,
    )


PAST_SHOWN_MIN = 10
"""Fewer reports than so many under a pair of clauses are not shown: somebody might know whose they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What would have come of past reports, without anybody in it."""

    judged_at_least: int
    """Rounded down, so that nobody works out from the sum what is withheld."""
    rows: tuple[tuple[str, str, int], ...]
    """(clause before, clause now, how many differ); empty for no clause."""


def _past(shown: Shown, before: Shown | None) -> Past | None:
    """What was counted when the edition was compiled, if that was against the edition that it is compared with here."""
    known = get_edition(shown.edition.id)
    effects: Mapping[str, Any] = known.effects if known is not None and known.digest == shown.edition.digest else {}
    if before is None or effects.get("compared_with") != before.edition.id or "past_clauses" not in effects:
        return None
    rows = tuple((was, now, n) for was, now, n in effects["past_clauses"] if n >= PAST_SHOWN_MIN)
    judged = effects["past_judged"] // PAST_SHOWN_MIN * PAST_SHOWN_MIN
    return Past(judged_at_least=judged, rows=tuple(sorted(rows, key=lambda row: (-row[2], row[0], row[1]))))


def _effect(effect: Effect, before: Shown, shown: Shown, said: Mapping[str, str], language: str) -> dict[str, object]:
    """An example that is judged otherwise, in the page's language; its own sentence is the edition's."""
    return {
        "says": effect.says,
        "given": given_in_words(effect.given, said=said, language=language),
        "was": verdict_in_words(effect.before, edition=before.edition, said=said, language=language),
        "now": verdict_in_words(effect.after, edition=shown.edition, said=said, language=language),
    }


LABELS = {
    ChangeKind.ADDED: "New",
    ChangeKind.REMOVED: "Gone",
    ChangeKind.RULES: "Other rules",
    ChangeKind.WORDS: "Other words",
}


def _marked(change: Change) -> Changed:
    words = tuple(marked(change.was, change.now)) if change.was != change.now else ()
    return Changed(change=change, label=LABELS[change.kind], words=words)


def _editions() -> list[Shown]:
    """Everything that was posted or announced, the latest to count first; what nobody else may see yet is not there."""
    at, posted = wiring.now(), wiring.editions()
    first = edition_to_go_by(posted, at=at)
    shown = [
        Shown(
            edition=each,
            state="posted" if each.effective_at > at else "in force" if each is first else "superseded",
            effective_at=each.effective_at,
        )
        for each in posted
    ]
    announced = [
        Shown(edition=edition_on_record(each.id), state="announced", effective_at=None)
        for each in list_editions()
        if each.state is EditionState.ANNOUNCED
    ]
    return [*announced, *sorted(shown, key=lambda each: each.edition.effective_at, reverse=True)]


def _find(editions: list[Shown], id: str | None) -> Shown:
    """The edition of that name; for None the one in force or, while none is, the one that comes first."""
    known = [each for each in editions if each.edition.id == id]
    if id is None:
        posted = [each for each in editions if each.state != "announced"]
        known = [each for each in posted if each.state == "in force"] or posted[-1:]
    if not known:
        raise Http404(id)
    return known[0]


def _before(editions: list[Shown], shown: Shown) -> Shown | None:
    """The edition that this one takes the place of."""
    if shown.state == "announced":
        return _find(editions, None)
    later = [each for each in editions if each.state != "announced"]
    place = later.index(shown)
    return later[place + 1] if place + 1 < len(later) else None


def _clause_json(clause: Clause, edition: Edition) -> dict[str, object]:
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
    return shown | {"verdict": _verdict_json(verdict)}


def _verdict_json(verdict: Verdict | None) -> dict[str, object] | None:
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


def _changes_json(
    before: Shown | None, shown: Shown, changed: list[Changed], otherwise: tuple[Effect, ...], past: Past | None
) -> dict[str, object]:
    return {
        "from": before and {"edition": before.edition.id, "sha256": before.edition.digest},
        "to": {"edition": shown.edition.id, "sha256": shown.edition.digest, "state": shown.state},
        "changes": [
            {
                "kind": each.change.kind.value,
                "what": each.change.what,
                "title": each.change.title,
                "was": each.change.was,
                "now": each.change.now,
                "rules": [{"key": key, "was": was, "now": now} for key, was, now in each.change.rules],
            }
            for each in changed
        ],
        "effects": [
            {
                "clause": e.clause,
                "example": e.example,
                "says": e.says,
                "was": e.was,
                "now": e.now,
                "before": _verdict_json(e.before),
                "after": _verdict_json(e.after),
            }
            for e in otherwise
        ],
        "past_reports": None
        if past is None
        else {
            "judged_at_least": past.judged_at_least,
            "withheld_below": PAST_SHOWN_MIN,
            "judged_otherwise": [
                {"clause_before": was or None, "clause_now": now or None, "reports": n} for was, now, n in past.rows
            ],
        },
    }


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
