"""What another edition would have changed, as pages: bars with the cases behind each, and the edition in the shadow."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.editions.queries import list_editions
from tipstaff.policy import Edition
from tipstaff.policy.replay import Difference, Tally, differences
from tipstaff.procedures.editions import edition_on_record
from tipstaff.procedures.replayed import as_document, count_measures
from tipstaff.procedures.replaying import PAST, Remedies, remedies_of, replay_past
from tipstaff.procedures.shadow import disagreements
from tipstaff.words import EditionState

from ..asked import asked_day
from ..roles import Ability, StaffRequest, needs
from .page import show_console
from .pictures import Pair, bars

JUDGED_MAX = 20_000
"""Past allegations that a page judges again; for all of them there is `tipstaff policy replay`."""
BARS_MAX = 18
LISTED_MAX = 200
WEIGHED_MAX = 40
SHADOW_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the address asks for."""

    under: Edition
    since: datetime
    until: datetime
    behind: str
    """`clause:mail.unsolicited` or `class:access`: only the cases behind this bar; empty for all."""

    def link(self, **more: str) -> str:
        """The address of the same replay, with more said."""
        asked = {"edition": self.under.id, "from": f"{self.since:%Y-%m-%d}", "to": f"{self.until:%Y-%m-%d}", **more}
        return f"{reverse('console:replay')}?{urlencode(asked)}"


@require_safe
@needs(Ability.SEE_DESK)
def replay(request: StaffRequest) -> HttpResponse:
    """Past complaints under another edition; `as=svg` and `as=json` give the picture and the numbers as files."""
    at = wiring.now()
    choices = _choices()
    asked = _asked(request, choices, at=at)
    context: dict[str, object] = {"choices": list(choices.values()), "asked": asked, "judged_max": JUDGED_MAX}
    if asked is None:
        context |= {"since": at - PAST, "until": at + timedelta(days=1)}
        return _console(request, "tipstaff/console/replay.html", **context)
    desk = wiring.desk()
    tally = replay_past(asked.under, since=asked.since, until=asked.until, desk=desk, judged_max=JUDGED_MAX)
    by_clause, by_class = _by_clause(tally, asked), _by_class(tally, asked)
    kind = request.GET.get("as", "")
    if kind == "svg":
        return _picture(by_class if request.GET.get("by") == "class" else by_clause, asked)
    if kind == "json":
        found = as_document(tally, [], under=asked.under, begin=asked.since, end=asked.until)
        return JsonResponse(found, headers=_as_file(f"replay-{asked.under.id}.json"))
    listed = [d for d in tally.listed if _is_behind(d, asked.behind)]
    weighed = [(d, remedies_of(d, desk=desk)) for d in listed[:WEIGHED_MAX]]
    remedies: dict[str, Remedies] = {d.key: found for d, found in weighed}
    context |= {
        "since": asked.since,
        "until": asked.until,
        "tally": tally,
        "bounded": tally.judged + tally.not_kept >= JUDGED_MAX,
        "how": tally.how.most_common(8),
        "by_clause": by_clause,
        "by_class": by_class,
        "clause_picture": bars(by_clause, title="Allegations by clause, before and after"),
        "class_picture": bars(by_class, title="Cases by kind of customer, before and after"),
        "measures": count_measures(weighed),
        "lines": [
            {"d": d, "report": d.key.partition(".")[0], "how": differences(d.before, d.after),
             "before": _chosen(remedies.get(d.key), "before"), "after": _chosen(remedies.get(d.key), "after")}
            for d in listed[:LISTED_MAX]
        ],
        "listed_total": len(listed),
        "behind": asked.behind.partition(":")[2],
    }  # fmt: skip
    return _console(request, "tipstaff/console/replay.html", **context)


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


def _choices() -> dict[str, Edition]:
    """The editions that a page may judge under: those in use, those on their way, and the one in the shadow."""
    running = wiring.shadow()
    coming = [e.id for e in list_editions() if e.state not in (EditionState.POSTED, EditionState.WITHDRAWN)]
    editions = [
        *map(edition_on_record, coming), *wiring.editions(), *([running.edition] if running else []),
    ]  # fmt: skip
    return {edition.id: edition for edition in editions}


def _asked(request: StaffRequest, choices: dict[str, Edition], *, at: datetime) -> Asked | None:
    name = request.GET.get("edition", "")
    if not name:
        return None
    if name not in choices:
        raise Http404(name)
    return Asked(
        under=choices[name],
        since=asked_day(request.GET, "from", otherwise=at - PAST),
        until=asked_day(request.GET, "to", otherwise=at + timedelta(days=1)),
        behind=request.GET.get("behind", "")[:200],
    )


def _by_clause(tally: Tally, asked: Asked) -> list[Pair]:
    """Clauses under which something changes, with all allegations that fall under each; the most first."""
    before, after, changed = Counter[str](), Counter[str](), Counter[str]()
    for (was, now), n in tally.clauses.items():
        before[was] += n
        after[now] += n
    for (was, now), n in tally.changed_clauses.items():
        for clause in {was, now}:
            changed[clause] += n
    return [
        Pair(
            label=clause or "no clause",
            before=before[clause],
            after=after[clause],
            note=f"{n:,} differ",
            link=asked.link(behind=f"clause:{clause}") + "#cases",
        )
        for clause, n in changed.most_common(BARS_MAX)
    ]


def _by_class(tally: Tally, asked: Asked) -> list[Pair]:
    """Cases that open against each kind of customer."""
    return [
        Pair(
            label=kind,
            before=sum(n for (k, was, _), n in tally.cases.items() if k == kind and was),
            after=sum(n for (k, _, now), n in tally.cases.items() if k == kind and now),
            note=f"{tally.changed_classes[kind]:,} differ",
            link=asked.link(behind=f"class:{kind}") + "#cases",
        )
        for kind in sorted({kind for kind, _, _ in tally.cases})
    ]


def _is_behind(difference: Difference, bar: str) -> bool:
    what, _, name = bar.partition(":")
    if what == "clause":
        return name in (difference.before.clause or "", difference.after.clause or "")
    return what != "class" or difference.customer_class == name


def _chosen(found: Remedies | None, name: str) -> str:
    if found is None:
        return "not weighed"
    chosen = getattr(found, name)
    named = " and ".join(f"{c.degree.name.lower().replace('_', ' ')} {c.selector}" for c in chosen)
    return f"{named}, {chosen[0].others_hit} others hit" if named else "none"


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
    unlinked = [replace(pair, link="") for pair in pairs]
    return HttpResponse(
        bars(unlinked, title=title, alone=True),
        content_type="image/svg+xml",
        headers=_as_file(f"replay-{asked.under.id}.svg"),
    )


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _console(request: StaffRequest, template: str, **context: Any) -> HttpResponse:
    return show_console(request, template, here="console:policy", **context)
