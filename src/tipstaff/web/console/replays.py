"""What another edition would have changed, as pages: bars with the cases behind each, and the edition in the shadow."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.editions.queries import latest_replay, list_editions
from tipstaff.policy import Edition
from tipstaff.policy.replay import LISTED_MAX, Alike
from tipstaff.procedures.editions import edition_on_record
from tipstaff.procedures.refusals import TooManyReplays
from tipstaff.procedures.replayed import Bar, as_document, bar_named, bars_of, count_measures
from tipstaff.procedures.replaying import PAST
from tipstaff.procedures.replays import Found, Line, ask_for, found_by
from tipstaff.procedures.shadow import disagreements
from tipstaff.words import EditionState

from ..asked import asked_day, asked_page
from ..roles import Ability, StaffRequest, needs
from .page import show_console
from .pictures import Pair, bars

BARS_MAX = 18
LISTED_AT_ONCE = 200
SHADOW_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the address asks for."""

    under: Edition
    since: datetime
    until: datetime
    bar: Bar | None
    """Only the cases behind this bar; None for all."""

    def link(self, **more: str) -> str:
        """The address of the same replay, with more said."""
        asked = {"edition": self.under.id, "from": f"{self.since:%Y-%m-%d}", "to": f"{self.until:%Y-%m-%d}", **more}
        return f"{reverse('console:replay')}?{urlencode(asked)}"

    def behind(self, bar: Bar) -> str:
        return self.link(behind=bar.text) + "#cases"


@require_safe
@needs(Ability.SEE_DESK)
def replay(request: StaffRequest) -> HttpResponse:
    """Past complaints under another edition, as far as they have been judged; `as=svg` and `as=json` give the picture
    and the numbers as files."""
    at = wiring.now()
    choices = editions_to_judge_under()
    asked = _asked(request.GET, choices, at=at)
    context: dict[str, object] = {"choices": list(choices.values()), "asked": asked}
    if asked is None:
        context |= {"since": at - PAST, "until": at + timedelta(days=1)}
        return _console(request, "tipstaff/console/replay.html", **context)
    context |= {"since": asked.since, "until": asked.until}
    run = latest_replay(
        edition=asked.under.id, digest=asked.under.digest, since=asked.since, until=asked.until
    )  # fmt: skip
    if run is None:
        return _console(request, "tipstaff/console/replay.html", **context)
    found = found_by(run, under=asked.under, desk=wiring.desk())
    kind = request.GET.get("as", "")
    if kind == "svg":
        by = "class" if request.GET.get("by") == "class" else "clause"
        return _picture(_pairs(found, asked, by), asked)
    if kind == "json":
        document = as_document(
            found.tally, found.lines(_all, limit=LISTED_MAX), under=asked.under, begin=asked.since, end=asked.until,
        )  # fmt: skip
        return JsonResponse(
            {**document, "finished": run.finished_at is not None}, headers=_as_file(f"replay-{asked.under.id}.json")
        )
    by_clause, by_class = _pairs(found, asked, "clause"), _pairs(found, asked, "class")
    wanted = asked.bar.holds if asked.bar else _all
    total = sum(n for alike, n in found.tally.alike.items() if wanted(alike))
    page = min(asked_page(request.GET), max(1, -(-total // LISTED_AT_ONCE)))
    offset = (page - 1) * LISTED_AT_ONCE
    behind = {"behind": asked.bar.text} if asked.bar else {}
    lines = [_listed(line) for line in found.lines(wanted, offset=offset, limit=LISTED_AT_ONCE)]
    measures = count_measures(found.tally)
    context |= {
        "run": run,
        "found": found,
        "tally": found.tally,
        "how": found.tally.how.most_common(8),
        "by_clause": by_clause,
        "by_class": by_class,
        "clause_picture": bars(by_clause, title="What is treated differently, by clause, before and after"),
        "class_picture": bars(by_class, title="Cases among it by kind of customer, before and after"),
        "measure_sides": [("As it was", measures["before"]), (asked.under.id, measures["after"])],
        "lines": lines,
        "listed_from": offset + 1,
        "listed_to": offset + len(lines),
        "listed_total": total,
        "behind": _named(asked.bar) if asked.bar else "",
        "before_link": asked.link(**behind, page=str(page - 1)) + "#cases" if page > 1 else "",
        "next_link": asked.link(**behind, page=str(page + 1)) + "#cases" if offset + LISTED_AT_ONCE < total else "",
    }  # fmt: skip
    return _console(request, "tipstaff/console/replay.html", **context)


@require_POST
@needs(Ability.SEE_DESK)
def begin_replay(request: StaffRequest) -> HttpResponse:
    """Have all past complaints of the chosen days judged again in the background; the page shows how far it is."""
    at = wiring.now()
    asked = _asked(request.POST, editions_to_judge_under(), at=at)
    if asked is None:
        raise Http404
    try:
        ask_for(
            asked.under, since=asked.since, until=asked.until, desk=wiring.desk(), at=at,
            actor=request.user.get_username(),
        )  # fmt: skip
    except TooManyReplays as why:
        messages.error(request, str(type(why).__doc__))
    return HttpResponseRedirect(asked.link())


@require_safe
@needs(Ability.SEE_DESK)
def shadow(request: StaffRequest) -> HttpResponse:
    """Where the edition in the shadow would have decided otherwise."""
    running = wiring.shadow()
    found = None if running is None else disagreements(running, limit=SHADOW_LISTED)
    pairs = [] if found is None else _disagreed(found.by_clause)
    return _console(
        request,
        "tipstaff/console/shadow.html",
        found=found,
        pairs=pairs,
        picture=bars(pairs, title="Disagreements by clause") if pairs else "",
    )


def editions_to_judge_under() -> dict[str, Edition]:
    """The editions that a page may judge under: those in use, those on their way, and the one in the shadow."""
    running = wiring.shadow()
    coming = [e.id for e in list_editions() if e.state not in (EditionState.POSTED, EditionState.WITHDRAWN)]
    editions = [
        *map(edition_on_record, coming), *wiring.editions(), *([running.edition] if running else []),
    ]  # fmt: skip
    return {edition.id: edition for edition in editions}


def _asked(given: Mapping[str, str], choices: dict[str, Edition], *, at: datetime) -> Asked | None:
    name = given.get("edition", "")
    if not name:
        return None
    if name not in choices:
        raise Http404(name)
    return Asked(
        under=choices[name],
        since=asked_day(given, "from", otherwise=_midnight(at - PAST)),
        until=asked_day(given, "to", otherwise=_midnight(at + timedelta(days=1))),
        bar=bar_named(given.get("behind", "")[:200]),
    )


def _midnight(at: datetime) -> datetime:
    """The beginning of its day (UTC): so that the same question asked later that day is the same."""
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _all(alike: Alike) -> bool:
    return True


def _pairs(found: Found, asked: Asked, by: str) -> list[Pair]:
    """The bars of one picture, each with the address of exactly what it counts."""
    return [
        Pair(
            label=name or "no clause",
            before=before.count(found.tally),
            after=after.count(found.tally),
            link=asked.behind(before),
            link_after=asked.behind(after),
        )
        for name, before, after in bars_of(found.tally, by)[:BARS_MAX]
    ]


def _named(bar: Bar) -> str:
    which = "as it was" if bar.when == "before" else "under the other edition"
    return f"{bar.name or 'no clause'}, {which}"


def _listed(line: Line) -> dict[str, object]:
    return {
        "d": line,
        "report": line.key.partition(".")[0],
        "sighting": line.key.startswith("S-"),
        "before": _measure(line.before, line.alike.before.others_hit),
        "after": _measure(line.after, line.alike.after.others_hit),
    }


def _measure(words: str, others: int) -> str:
    return f"{words}, {others} others hit" if words else "none"


def _disagreed(by_clause: tuple[tuple[str, str, int], ...]) -> list[Pair]:
    """How many disagreements concern each clause, as the one in force applied it and as the shadow would have."""
    before, after = Counter[str](), Counter[str]()
    for was, now, n in by_clause:
        before[was] += n
        after[now] += n
    clauses = sorted({*before, *after}, key=lambda clause: -max(before[clause], after[clause]))
    return [Pair(label=c or "no clause", before=before[c], after=after[c]) for c in clauses[:BARS_MAX]]


def _picture(pairs: list[Pair], asked: Asked) -> HttpResponse:
    title = f"Past complaints as they were judged, and under edition {asked.under.id}"
    unlinked = [replace(pair, link="", link_after="") for pair in pairs]
    return HttpResponse(
        bars(unlinked, title=title, alone=True),
        content_type="image/svg+xml",
        headers=_as_file(f"replay-{asked.under.id}.svg"),
    )


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _console(request: StaffRequest, template: str, **context: Any) -> HttpResponse:
    return show_console(request, template, here="console:policy", **context)
