"""The policy for everybody: the edition in force, all others that were posted or announced, and what is different.

Each page can be had for machines as well (Regulation (EU) 2022/2065, Article 14). None of them names a customer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.editions.queries import get_edition, list_editions
from tipstaff.policy import Edition, edition_to_go_by
from tipstaff.policy.as_json import edition_as_json, verdict_as_json
from tipstaff.policy.difference import Change, ChangeKind, Effect, marked
from tipstaff.procedures.editions import adoption_of, compare, edition_on_record
from tipstaff.words import Adoption, EditionState, Verdict

from ..pages import show_public
from ..said import language_of, moment
from .applied import facts_of, facts_of_edition, length_of, whose
from .judged import answer_in_words, given_in_words, judged, verdict_in_words
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
        adopted=_adopted(adoption_of(edition.digest), said, page_language),
        listed=[(each, _in_the_list(each, said, page_language)) for each in editions],
    )


def _standing(shown: Shown, said: Mapping[str, str], language: str) -> str:
    """Which edition it is and how it stands, in the page's language."""
    which = said["edition_of"].format(id=shown.edition.id, entity=shown.edition.entity)
    at = moment(language, shown.effective_at) if shown.effective_at else ""
    return f"{which}, {said[shown.state.replace(' ', '_')].format(at=at)}"


def _adopted(adoption: Adoption | None, said: Mapping[str, str], language: str) -> str:
    """How it came in, where it went not the whole way from draft to posting, and whether anybody answers for it."""
    if adoption is None:
        return ""
    came = said[f"adopted_{adoption.ground.value}"].format(at=moment(language, adoption.at))
    if adoption.confirmed_at is None:
        return f"{came} {said['adopted_unconfirmed']}"
    return f"{came} {said['adopted_confirmed'].format(at=moment(language, adoption.confirmed_at))}"


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
            **edition_as_json(edition),
            "state": shown.state,
            "effective_at": _instant(shown.effective_at),
            "adopted": _adopted_json(adoption_of(edition.digest)),
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


def _adopted_json(adoption: Adoption | None) -> dict[str, object] | None:
    if adoption is None:
        return None
    return {
        "at": _instant(adoption.at), "ground": adoption.ground.value, "confirmed_at": _instant(adoption.confirmed_at),
    }  # fmt: skip


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
"""Fewer reports than so many under a pair of clauses, or reports about fewer customers, are not shown: somebody might
know whose they are. For the same reason no number is shown more exactly than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What would have come of past reports, without anybody in it."""

    judged_at_least: int
    """Rounded down, so that nobody works out from the sum what is withheld."""
    rows: tuple[tuple[str, str, int], ...]
    """(clause before, clause now, how many differ, rounded down); empty for no clause."""


def _past(shown: Shown, before: Shown | None) -> Past | None:
    """What was counted when the edition was compiled, if that was against the edition that it is compared with here."""
    known = get_edition(shown.edition.id)
    effects: Mapping[str, Any] = known.effects if known is not None and known.digest == shown.edition.digest else {}
    if before is None or effects.get("compared_with") != before.edition.id or "past_clauses" not in effects:
        return None
    # What was compiled by earlier versions does not say how many customers it is about.
    rows = tuple(
        (was, now, _rounded_down(n)) for was, now, n, *customers in effects["past_clauses"]
        if n >= PAST_SHOWN_MIN and customers and customers[0] >= PAST_SHOWN_MIN
    )  # fmt: skip
    return Past(
        judged_at_least=_rounded_down(effects["past_judged"]),
        rows=tuple(sorted(rows, key=lambda row: (-row[2], row[0], row[1]))),
    )


def _rounded_down(n: int) -> int:
    return n // PAST_SHOWN_MIN * PAST_SHOWN_MIN


def _effect(effect: Effect, before: Shown, shown: Shown, said: Mapping[str, str], language: str) -> dict[str, object]:
    """An example that is judged otherwise, in the page's language; its own sentence is the edition's."""
    return {
        "says": effect.says,
        "given": given_in_words(effect.given, said=said, language=language),
        "was": _followed(effect, effect.before, before.edition, said, language),
        "now": _followed(effect, effect.after, shown.edition, said, language),
    }


def _followed(effect: Effect, verdict: Verdict | None, edition: Edition, said: Mapping[str, str], language: str) -> str:
    if effect.given.event:
        return answer_in_words(effect.given, edition=edition, said=said, language=language)
    return verdict_in_words(verdict, edition=edition, said=said, language=language, whole=True)


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
                "before": verdict_as_json(e.before),
                "after": verdict_as_json(e.after),
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
