"""The policy for everybody: the edition in force, all others that were posted or announced, and what is different.

Each page can be had for machines as well (Regulation (EU) 2022/2065, Article 14). None of them names a customer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.editions.queries import list_editions
from tipstaff.policy import Edition, edition_to_go_by
from tipstaff.policy.clauses import Clause, Wording
from tipstaff.policy.difference import Change, ChangeKind, Effect, marked
from tipstaff.procedures.editions import compare, edition_on_record
from tipstaff.words import EditionState

from ..pages import show_page
from ..shown import stamp
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
    return show_page(
        request,
        "tipstaff/public/policy.html",
        shown=shown,
        edition=edition,
        title=translation.title if translation else edition.title,
        introduction=translation.introduction if translation else edition.introduction,
        translation=translation,
        languages=[edition.locale, *(each.locale for each in edition.translations)],
        language=translation.locale if translation else edition.locale,
        clauses=[(clause, edition.wording(clause.id, language=language)) for clause in edition.clauses],
        earlier=_before(editions, shown),
        page_language=page_language,
        said=said,
        standing=_standing(shown, said),
        listed=[(each, _in_the_list(each, said)) for each in editions],
    )


def _standing(shown: Shown, said: Mapping[str, str]) -> str:
    """Which edition it is and how it stands, in the page's language."""
    which = said["edition_of"].format(id=shown.edition.id, entity=shown.edition.entity)
    at = stamp(shown.effective_at) if shown.effective_at else ""
    return f"{which}, {said[shown.state.replace(' ', '_')].format(at=at)}"


def _in_the_list(shown: Shown, said: Mapping[str, str]) -> str:
    stands = said[f"state_{shown.state.replace(' ', '_')}"]
    return f"{stands}, {said['from'].format(at=stamp(shown.effective_at))}" if shown.effective_at else stands


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
                }
                for clock in edition.clocks
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
    if request.GET.get("as") == "json":
        return JsonResponse(_changes_json(before, shown, changed, otherwise))
    return show_page(
        request,
        "tipstaff/public/policy_changes.html",
        shown=shown,
        before=before,
        changed=changed,
        otherwise=otherwise,
    )


_LABELS = {
    ChangeKind.ADDED: "New",
    ChangeKind.REMOVED: "Gone",
    ChangeKind.RULES: "Other rules",
    ChangeKind.WORDS: "Other words",
}


def _marked(change: Change) -> Changed:
    words = tuple(marked(change.was, change.now)) if change.was != change.now else ()
    return Changed(change=change, label=_LABELS[change.kind], words=words)


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
        "condition": clause.when.text if clause.when else None,
        "severity": clause.severity.name.lower() if clause.judged else None,
        "answer_within_hours": clause.answer_within.total_seconds() / 3600 if clause.answer_within else None,
        "answer_within": clause.time_said(clause.answer_within) if clause.answer_within else None,
        "notice": clause.notice.value,
        "decides": clause.decides.value if clause.decides else None,
        "two_people": clause.two_people,
        "what_to_do": list(clause.what_to_do),
        "ladder": [{"scope": r.scope.name.lower(), "degree": r.degree.name.lower()} for r in clause.ladder],
        "examples": [{"id": x.id, "kind": x.kind.value, "says": x.says} for x in clause.examples],
        "translations": {each.locale: _wording_json(each.clauses[clause.id]) for each in edition.translations},
    }


def _wording_json(wording: Wording) -> dict[str, object]:
    return {"title": wording.title, "text": wording.text, "what_to_do": list(wording.what_to_do)}


def _changes_json(
    before: Shown | None, shown: Shown, changed: list[Changed], otherwise: tuple[Effect, ...]
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
            {"clause": e.clause, "example": e.example, "says": e.says, "was": e.was, "now": e.now} for e in otherwise
        ],
    }


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
