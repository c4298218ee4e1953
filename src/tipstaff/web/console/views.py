"""The console's pages. A view asks a door, or a procedure, and shows what it says; it decides nothing."""

from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET, require_POST, require_safe

from tipstaff import wiring
from tipstaff.cases.queries import Narrowed, get_case
from tipstaff.cases.queries import list_cases as every_case
from tipstaff.enforcement import queries as enforcement
from tipstaff.intake import queries as intake
from tipstaff.ledger import queries as ledger
from tipstaff.notices import queries as notices
from tipstaff.policy import edition_to_go_by
from tipstaff.procedures import casework, other_ways, work
from tipstaff.procedures.filtering import NotAFilter
from tipstaff.procedures.pointing import candidates_of
from tipstaff.procedures.refusals import (
    AlreadyEnding,
    AlreadyInACase,
    AlreadyProposed,
    AnotherMustAgree,
    AnswerTooLong,
    CannotMerge,
    IllegalMove,
    NoGround,
    NoSuchCase,
    NoSuchColleague,
    NoSuchFilter,
    NoSuchLetter,
    NoSuchMeasure,
    NoSuchReport,
    NotForAPersonToDecide,
    NothingProposed,
    NothingToPlan,
    NothingToUndo,
    NothingWaits,
    NothingWasSaid,
    NotInOrder,
    NotInThisCase,
    NotKeptBack,
    NotMerged,
    NotStanding,
    NotStillStopped,
    NotThatFar,
    NotThen,
    NotWarned,
    NotYourDecision,
    OwnDecision,
    PlaceTaken,
    ProposalLapsed,
    ReadAnew,
    SealedStaysSealed,
    SecondMustBeAnother,
    StaleCase,
    TooManyTags,
)
from tipstaff.procedures.sealed import QUEUE
from tipstaff.procedures.searching import find
from tipstaff.registry.queries import get_customer
from tipstaff.sensors import queries as sensors
from tipstaff.words import (
    SEALED_TYPES,
    XARF_TYPES,
    Case,
    Disposition,
    Evidence,
    Ground,
    Letter,
    Mark,
    MeasureState,
    Report,
    ReportOutcome,
)

from ..asked import asked_kind, asked_number, asked_page, asked_text
from ..eyes import hidden_from, note_look
from ..pages import show_page
from ..roles import Ability, StaffRequest, abilities_of, may_decide, needs
from ..said import FALLBACK, day
from ..security import EVIDENCE_POLICY, POLICY
from ..shown import COUNTED_MAX
from . import reads
from .actions import ACTIONS, Asked, MissingWords, NoSuchAnswer, NoSuchGround, NoSuchTime, instant_of
from .acts import Act, Given, in_force
from .corrections import BadCorrection
from .evidence import READ_OCTETS_MAX, ShownMail, show_mail
from .framed import FRAMED_POLICY, framed
from .page import show_console
from .sentences import tell, tell_all

REFUSED = (
    StaleCase, IllegalMove, NothingProposed, SecondMustBeAnother, NoSuchCase, NoSuchReport, NoSuchLetter, NoSuchMeasure,
    NotWarned, NotForAPersonToDecide, SealedStaysSealed, OwnDecision, MissingWords, BadCorrection, NoSuchGround,
    NoSuchAnswer, NothingWaits, NothingWasSaid, AnswerTooLong, NotStillStopped, AlreadyInACase, AlreadyProposed,
    AlreadyEnding, NothingToPlan, NotYourDecision, ProposalLapsed, NotStanding, CannotMerge, NoSuchColleague,
    NotInOrder, NotInThisCase, NotMerged, NotThen, NothingToUndo, PlaceTaken, TooManyTags, NoSuchTime,
    ReadAnew, NotKeptBack, NoGround,
    other_ways.NotSaid, other_ways.NoOtherWay, other_ways.NoAddress, other_ways.NoFont, NotAFilter, AnotherMustAgree,
    NotThatFar, NoSuchFilter,
)  # fmt: skip
"""What a procedure may answer that a person should read, rather than see a failure page."""

MEASURE_STEPS = 1000
"""So many of the newest entries are shown of a measure."""
VERIFIED_MAX = 10_000
"""So many of the newest entries a page takes anew; the whole of a long record is for `tipstaff verify`."""
ADDRESS_MAX = 2000
"""Characters of a postal address."""
RECORD_LINES, REPORT_LINES, SIGHTING_LINES, MEASURE_LINES, SEALED_LINES = 100, 100, 100, 100, 100
"""On one page of each list."""


def why_refused(refusal: Exception) -> str:
    """The sentence of a refusal: its own words where it has some, else its class's."""
    own = str(refusal)
    said = own if " " in own else (type(refusal).__doc__ or own)
    return said.splitlines()[0]


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """To the first page that the person may see."""
    if not request.user.is_authenticated:
        return redirect("log_in")
    able = abilities_of(request.user)
    if Ability.SEE_DESK in able:
        return redirect("console:cases")
    if Ability.MANAGE_STAFF in able:
        return redirect("console:staff")
    raise PermissionDenied("no role")


@require_safe
@needs(Ability.SEE_DESK)
def cases(request: StaffRequest) -> HttpResponse:
    """The list of cases, most pressing first."""
    view = reads.VIEWS.get(request.GET.get("view", "open"), reads.VIEWS["open"])
    find = asked_text(request.GET, "find")
    page = asked_page(request.GET)
    at, me = wiring.now(), request.user.get_username()
    tag, campaign = asked_text(request.GET, "tag"), asked_text(request.GET, "campaign")
    brand = asked_text(request.GET, "brand", characters_max=32)
    listed = reads.list_cases(view, me=me, find=find, page=page, tag=tag, campaign=campaign, brand=brand, at=at)
    context: dict[str, Any] = {
        "cases": listed.cases,
        "total": listed.total,
        "more": listed.more,
        "view": view.name,
        "find": find,
        "tag": tag,
        "campaign": campaign,
        "brand": brand,
        "at": at,
        "may_note": Ability.NOTE in abilities_of(request.user),
        "empty": {"title": f"Nothing fits “{find}”", "text": "Search by case, customer, address or clause."}
        if find
        else {"title": view.empty[0], "text": view.empty[1]},
    }
    if request.headers.get("HX-Request"):
        return show_page(request, "tipstaff/console/_case_rows.html", **context)
    context["views"] = [
        {"label": v.label, "query": urlencode({"view": v.name, **({"find": find} if find else {}),
                                               **({"brand": brand} if brand else {})}),
         "current": v.name == view.name}
        for v in reads.VIEWS.values()
    ]  # fmt: skip
    context["brands"] = [
        {"label": each.shown_as or each.name, "query": urlencode({"view": view.name, "brand": each.name}),
         "current": each.name == brand}
        for each in wiring.settings().brands
    ]  # fmt: skip
    context["numbers"] = reads.numbers(at)
    context["saved"] = [(saved, saved.owner == me) for saved in work.saved_views(me)]
    context["query"] = request.GET.urlencode()
    context["undoable"] = work.undoable(me, at=at)
    context["peek"] = reads.peek(listed.cases[0].key) if listed.cases else None
    context["left_out"] = context["peek"].left_out if context["peek"] else 0
    return _console(request, "tipstaff/console/cases.html", here="console:cases", **context)


@require_safe
@needs(Ability.SEE_DESK)
def numbers(request: StaffRequest) -> HttpResponse:
    """The counters alone, for the page that keeps them fresh."""
    at = wiring.now()
    return show_page(request, "tipstaff/console/_numbers.html", at=at, numbers=reads.numbers(at))


@require_safe
@needs(Ability.SEE_DESK)
def peek(request: StaffRequest, key: str) -> HttpResponse:
    """The panel beside the list."""
    found = reads.peek(key)
    if found is None:
        raise Http404(key)
    return show_page(
        request,
        "tipstaff/console/_peek.html",
        case=found.case,
        steps=found.steps,
        next_step=found.next_step,
        left_out=found.left_out,
    )


@require_safe
@needs(Ability.SEE_DESK)
def case(request: StaffRequest, key: str) -> HttpResponse:
    """One case on one screen."""
    page = reads.case_page(key, at=wiring.now(), turned_to=asked_page(request.GET, "reports"))
    if page is None:
        raise Http404(key)
    able, me = abilities_of(request.user), request.user.get_username()
    context: dict[str, Any] = {
        "page": page,
        "also_here": work.be_present(key, name=me, at=wiring.now()),
        "watchers": (watchers := work.watchers_of(key)),
        "watched": me in watchers,
        "colleagues": reads.colleagues(but=me),
        "case": page.case,
        "steps": page.steps,
        "left_out": page.left_out,
        "grounds": list(Ground),
        "may_decide": may_decide(request.user, page.case),
        "proposals": [
            (
                proposal,
                _SECONDS.get(proposal.kind, Ability.SECOND_URGENT) in able
                and proposal.proposed_by != request.user.get_username(),
            )
            for proposal in page.proposals
        ],
    }
    if request.headers.get("HX-Request"):
        return show_page(request, "tipstaff/console/_case_live.html", **context)
    return _console(request, "tipstaff/console/case.html", here="console:cases", **context)


@require_POST
@needs(Ability.SEE_DESK)
def act(request: StaffRequest, key: str, action: str) -> HttpResponse:
    """Do one thing to a case and go back to it."""
    chosen, found = ACTIONS.get(action), get_case(key)
    if chosen is None or found is None:
        raise Http404(f"{key} {action}")
    if chosen.ability not in abilities_of(request.user):
        raise PermissionDenied(chosen.ability.value)
    if chosen.decides and not may_decide(request.user, found):
        raise PermissionDenied("decide this case")
    asked = Asked(case=found, form=request.POST, desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username())
    here = reverse("console:case", args=[key])
    if "version" not in request.POST:
        return _tell(request, lambda: chosen.run(asked), to=here)
    try:
        messages.success(request, chosen.run(asked))
    except StaleCase:
        return _conflict(request, asked, action)
    except REFUSED as refusal:
        messages.error(request, why_refused(refusal))
    return HttpResponseRedirect(here, status=HTTPStatus.SEE_OTHER)


def _conflict(request: StaffRequest, asked: Asked, action: str) -> HttpResponse:
    """Somebody was first: the case as it was seen and as it is, and the person's own words, which are not lost."""
    now = get_case(asked.case.key)
    assert now is not None, asked.case.key
    since = asked_number(request.POST, "seen_entry", otherwise=None)
    newer = [entry for entry in ledger.recent(about=now.key, limit=20) if since is not None and entry.id > since]
    kept = [
        (name, value) for name in request.POST for value in request.POST.getlist(name)
        if name not in ("csrfmiddlewaretoken", "version", "seen", "seen_entry")
    ]  # fmt: skip
    return _console(
        request, "tipstaff/console/conflict.html", here="console:cases", case=now, action=action, kept=kept,
        seen=asked_text(request.POST, "seen", characters_max=500), now=reads.in_short(now), steps=tell_all(newer[::-1]),
        left_out=0, entry=ledger.newest_id(now.key),
    )  # fmt: skip


@require_POST
@needs(Ability.NOTE)
def many(request: StaffRequest) -> HttpResponse:
    """Do one thing to many cases: first what it would change, then, once confirmed, what it did."""
    form, at, me = request.POST, wiring.now(), request.user.get_username()
    back = reverse("console:cases")
    versions = {}
    for chosen in form.getlist("case")[: work.BULK_MAX + 1]:
        key, _, version = chosen.partition(":")
        versions[key] = int(version) if version.isdecimal() and len(version) < 10 else -1
    action, value = form.get("action", ""), asked_text(form, "value")
    try:
        if not 0 < len(versions) <= work.BULK_MAX or action not in BULK:
            raise NotInOrder(f"Choose between 1 and {work.BULK_MAX} cases, and what to do with them.")
        if action == "snooze" and value:
            value = instant_of(value).isoformat()
        if action == "assign" and value == "me":
            value = me
        work.check_value(action, value, desk=wiring.desk(), at=at)
        if "sure" not in form:
            found = every_case(narrowed=Narrowed(keys=frozenset(versions)), order="newest", limit=work.BULK_MAX)
            return _console(
                request, "tipstaff/console/many.html", here="console:cases", action=action, label=BULK[action],
                value=value, cases=[(c, versions[c.key] == c.version, reads.now_of(c, action)) for c in found],
            )  # fmt: skip
        bulk, stale = work.change_all(versions, action=action, value=value, desk=wiring.desk(), at=at, actor=me)
        left = f" {', '.join(stale)}: changed by somebody meanwhile, left as they are." if stale else ""
        messages.success(request, f"{len(bulk.cases)} cases changed.{left}")
    except REFUSED as refusal:
        messages.error(request, why_refused(refusal))
    return HttpResponseRedirect(back, status=HTTPStatus.SEE_OTHER)


BULK = {"assign": "Give to", "snooze": "Snooze until", "tag": "Tag", "link": "Link to the campaign"}


@require_POST
@needs(Ability.NOTE)
def undo_many(request: StaffRequest, id: int) -> HttpResponse:
    """Undo what one did to many cases."""

    def run() -> str:
        back, left = work.undo_all(id, at=wiring.now(), actor=request.user.get_username())
        kept = f" {', '.join(left)}: changed since, left as they are." if left else ""
        return f"{len(back)} cases put back.{kept}"

    return _tell(request, run, to=reverse("console:cases"))


@require_POST
@needs(Ability.NOTE)
def keep_view(request: StaffRequest) -> HttpResponse:
    """Keep the list as it is shown under a name, or forget one of one's own."""
    me, query = request.user.get_username(), QueryDict(request.POST.get("query", "")[:500])
    wanted = urlencode([(k, v) for k in ("view", "find", "tag", "campaign") if (v := query.get(k))])

    def run() -> str:
        if (forget := asked_number(request.POST, "forget", otherwise=None)) is not None:
            return "Forgotten." if work.forget_view(forget, owner=me) else "It is not yours."
        view = work.save_view(
            asked_text(request.POST, "name"), query=wanted, shared="shared" in request.POST, owner=me
        )  # fmt: skip
        return f"Kept as {view.name}."

    return _tell(request, run, to=f"{reverse('console:cases')}?{wanted}")


@require_safe
@needs(Ability.SEE_DESK)
def levels(request: StaffRequest) -> HttpResponse:
    """What of the desk's own work is late now, and what will be late today, by clause."""
    found = work.lateness(desk=wiring.desk(), at=wiring.now())
    return _console(request, "tipstaff/console/levels.html", here="console:levels", levels=found,
        rows=[("Late now", found.late), ("Late today", found.today)],
    )  # fmt: skip


@require_safe
@needs(Ability.SEE_DESK)
def inbox(request: StaffRequest) -> HttpResponse:
    """Everything that waits for a person."""
    legal = Ability.KEEP_LEGAL in abilities_of(request.user)
    found = reads.inbox(wiring.now(), legal=legal)
    return _console(request, "tipstaff/console/inbox.html", here="console:inbox", inbox=found)


@require_safe
@needs(Ability.SEE_DESK)
def reports(request: StaffRequest) -> HttpResponse:
    """Reports, newest first."""
    outcome = asked_kind(ReportOutcome, request.GET, "outcome")
    find = asked_text(request.GET, "find")
    sealed = Ability.SEE_SEALED in abilities_of(request.user)
    outcomes = [o for o in ReportOutcome if sealed or o is not ReportOutcome.SEALED]
    counts = intake.count_by_outcome(outcomes, most=COUNTED_MAX)
    before = asked_text(request.GET, "before", characters_max=20)
    listed = intake.list_reports(
        outcome=outcome, search=find, limit=REPORT_LINES, sealed=sealed, before=before or None
    )  # fmt: skip
    asked = {"find": find, "outcome": outcome and outcome.value, "before": listed[-1].key if listed else ""}
    return _console(
        request,
        "tipstaff/console/reports.html",
        here="console:reports",
        reports=listed,
        older=urlencode({k: v for k, v in asked.items() if v}) if len(listed) == REPORT_LINES else "",
        outcome=outcome,
        outcomes=[(o, counts[o]) for o in outcomes if o in counts],
        total=min(sum(counts.values()), COUNTED_MAX),
        find=find,
    )


@require_safe
@needs(Ability.SEE_DESK)
def sightings(request: StaffRequest) -> HttpResponse:
    """What our own sensors measured, newest first, and what became of it."""
    became = asked_kind(Disposition, request.GET, "became")
    find = asked_text(request.GET, "find")
    counts = sensors.count_by_disposition(most=COUNTED_MAX)
    before = asked_text(request.GET, "before", characters_max=20)
    listed = sensors.list_measured(
        dispositions=(became,) if became else (), search=find, limit=SIGHTING_LINES, before=before or None
    )
    asked = {"find": find, "became": became and became.value, "before": listed[-1].key if listed else ""}
    return _console(
        request,
        "tipstaff/console/sightings.html",
        here="console:reports",
        sightings=listed,
        older=urlencode({k: v for k, v in asked.items() if v}) if len(listed) == SIGHTING_LINES else "",
        became=became,
        dispositions=[(d, counts[d]) for d in Disposition if counts.get(d)],
        unjudged=counts.get(None, 0),
        total=min(sum(counts.values()), COUNTED_MAX),
        find=find,
    )


@require_safe
@needs(Ability.SEE_DESK)
def report(request: StaffRequest, key: str) -> HttpResponse:
    """One report: what came, how it was read, what became of it."""
    found = intake.get_report(key)
    if found is None:
        raise Http404(key)
    evidence = ledger.get_evidence(found.evidence)
    sealed = found.outcome is ReportOutcome.SEALED or (evidence is not None and evidence.sealed)
    steps, left_out = reads.steps_of(key)
    candidates = () if sealed else candidates_of(found)
    page = _console(
        request,
        "tipstaff/console/report.html",
        here="console:reports",
        report=found,
        vouched=None if sealed else intake.origin_of(key)[1],
        evidence=evidence,
        sealed=sealed,
        mail=None if sealed or evidence is None else _shown(evidence, candidates),
        candidates=candidates,
        steps=steps,
        left_out=left_out,
        letters=notices.letters_of_report(key),
        understood=next((one.allegation for one in found.incidents), None),
        first_incident=next((one.key for one in found.incidents), ""),
        picked=request.GET.getlist("use"),
        source=_proposed(found, candidates, asked=request.GET.getlist("use")),
        types=sorted(XARF_TYPES - SEALED_TYPES),
        clauses=[c for c in in_force().clauses if c.judged and not SEALED_TYPES & set(c.applies_to)],
    )
    page["Content-Security-Policy"] = f"{POLICY}; frame-src 'self'"
    return page


def _shown(evidence: Evidence, candidates: Sequence[Mark]) -> ShownMail:
    head = ledger.get_raw(evidence.digest, octets=READ_OCTETS_MAX)
    return show_mail(head, octets=evidence.size, candidates=candidates)


def _proposed(report: Report, candidates: Sequence[Mark], *, asked: Sequence[str]) -> str:
    """The addresses that the form begins with: those that were picked, else what was read, else the likeliest of ours.

    What was read comes second where it is only others': whoever writes here mostly means us, and a person decides.
    """
    addresses = [x for x in candidates if x.kind == "address"]
    if picked := [x.value for x in addresses if x.value in asked]:
        return " ".join(picked)
    read = dict.fromkeys(str(x.allegation.source) for x in report.incidents if x.allegation.source is not None)
    ours = [x.value for x in addresses if x.ours]
    if ours and not read.keys() & set(ours):
        return ours[0]
    return next(iter(read), "")


@require_GET
@needs(Ability.SEE_DESK)
def raw_evidence(request: StaffRequest, digest: str) -> HttpResponseBase:
    """The bytes as received, as plain text that nothing runs. Sealed bytes never leave."""
    return send_raw(digest, save="save" in request.GET)


def send_raw(digest: str, *, save: bool) -> HttpResponseBase:
    """The bytes as received, to look at or to `save`. Raise Http404 or PermissionDenied."""
    evidence = ledger.get_evidence(digest)
    if evidence is None:
        raise Http404(digest)
    if evidence.sealed:
        raise PermissionDenied("sealed evidence")
    response = StreamingHttpResponse(ledger.raw_pieces(digest), content_type="text/plain; charset=utf-8")
    response["Content-Length"] = evidence.size
    response["Content-Security-Policy"] = EVIDENCE_POLICY
    response["X-Content-Type-Options"] = "nosniff"
    kept = "attachment" if save else "inline"
    response["Content-Disposition"] = f'{kept}; filename="{digest[:16]}.txt"'
    return response


@require_safe
@xframe_options_sameorigin
@needs(Ability.SEE_DESK)
def framed_evidence(request: StaffRequest, digest: str, part: int) -> HttpResponse:
    """One part of a mail as its sender laid it out, for the frame on the report's page."""
    evidence = ledger.get_evidence(digest)
    if evidence is None:
        raise Http404(digest)
    if evidence.sealed:
        raise PermissionDenied("sealed evidence")
    page = framed(ledger.get_raw(digest, octets=READ_OCTETS_MAX), part=part)
    if page is None:
        raise Http404(f"{digest} {part}")
    return HttpResponse(page, headers={"Content-Security-Policy": FRAMED_POLICY})


@require_safe
@needs(Ability.SEE_DESK)
def letter(request: StaffRequest, key: str) -> HttpResponse:
    """A letter as it was written; the portal link is put in only when it is sent."""
    found = notices.get_letter(key)
    if found is None:
        raise Http404(key)
    case = get_case(found.case) if found.case is not None else None
    other = case if other_ways.needs_another_way(found) else None
    own_font = str(wiring.settings().mail_out.paper_font or "")
    return _console(
        request, "tipstaff/console/letter.html", here="console:cases", letter=found,
        ways=tell_all(other_ways.ways_taken(found.key)), other=other,
        scripts=_scripts(found, other) if other else (),
        callees=other_ways.contacts_to_call(other.customer) if other else (),
        task=other_ways.task_of(found, other, own_font=own_font) if other else None,
        address=_address_of(other.customer) if other else "",
    )  # fmt: skip


def _scripts(letter: Letter, case: Case) -> list[tuple[str, list[tuple[str, str]]]]:
    """What to say on the telephone: for each language that may be spoken, its sentences with ours beside them."""
    spoken = dict.fromkeys(one.language.partition("-")[0] for one in other_ways.contacts_to_call(case.customer))
    desk = wiring.desk()

    def said(language: str) -> tuple[str, ...]:
        return other_ways.what_to_say(letter, case, language=language, dated=day, desk=desk)

    return [(one, list(zip(said(one), said(FALLBACK), strict=True))) for one in spoken or {letter.language: None}]


def _address_of(key: str) -> str:
    """The postal address that the registry has, a line for each part."""
    customer = get_customer(key)
    lines = (customer.name, customer.postal_address, customer.country) if customer is not None else ()
    return "\n".join(filter(None, lines)) if customer is not None and customer.postal_address else ""


@never_cache
@require_POST
@needs(Ability.SEND_AGAIN)
def print_letter(request: StaffRequest, key: str) -> HttpResponse:
    """A letter that reached nobody, as a PDF to print and post."""
    here = reverse("console:letter", args=[key])
    try:
        made = printed(key, address=request.POST.get("address", ""), actor=request.user.get_username())
    except REFUSED as refusal:
        messages.error(request, why_refused(refusal))
        return HttpResponseRedirect(here, status=HTTPStatus.SEE_OTHER)
    return as_pdf(made, name=key)


def printed(key: str, *, address: str, actor: str) -> bytes:
    """A letter that reached nobody, as a PDF with the customer's link in it; raises what `other_ways` does."""
    letter = notices.get_letter(key)
    return other_ways.print_letter(
        key,
        address=address[:ADDRESS_MAX],
        dated=lambda letter: day(letter.language, wiring.now()),
        link=partial(wiring.case_link, brand=letter.brand if letter is not None else ""),
        own_font=str(wiring.settings().mail_out.paper_font or ""),
        desk=wiring.desk(),
        at=wiring.now(),
        actor=actor,
    )


def as_pdf(made: bytes, *, name: str) -> HttpResponse:
    return HttpResponse(
        made, content_type="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}.pdf"'}
    )


@require_safe
@needs(Ability.SEE_MEASURES)
def measures(request: StaffRequest) -> HttpResponse:
    """Measures: what is wanted, what the device holds, how surely that is known."""
    state = asked_kind(MeasureState, request.GET, "state")
    after = asked_text(request.GET, "after", characters_max=20)
    listed = enforcement.list_measures(state=state, limit=MEASURE_LINES, after=after or None)
    asked = {"state": state and state.value, "after": listed[-1].key if listed else ""}
    return _console(
        request,
        "tipstaff/console/measures.html",
        here="console:measures",
        measures=listed,
        older=urlencode({k: v for k, v in asked.items() if v}) if len(listed) == MEASURE_LINES else "",
        state=state,
        states=list(MeasureState),
    )


@require_safe
@needs(Ability.SEE_MEASURES)
def measure(request: StaffRequest, key: str) -> HttpResponse:
    """One measure with the candidates it was chosen from."""
    found = enforcement.get_measure(key)
    if found is None:
        raise Http404(key)
    return _console(
        request,
        "tipstaff/console/measure.html",
        here="console:measures",
        measure=found,
        steps=tell_all(ledger.recent(about=key, limit=MEASURE_STEPS)[::-1]),
    )


_SECONDS = {casework.WIDE: Ability.DECIDE_CASES, casework.PROLONG: Ability.NOTE}
"""What seconding takes here; which roles the two must hold, the procedures ask."""


@require_safe
@needs(Ability.SEE_POLICY)
def policy(request: StaffRequest) -> HttpResponse:
    """The edition in force, or another one by name, clause by clause with its examples."""
    editions = wiring.editions()
    in_force = edition_to_go_by(editions, at=wiring.now())
    shown = next((e for e in editions if e.id == request.GET.get("edition")), in_force)
    return _console(
        request,
        "tipstaff/console/policy.html",
        here="console:policy",
        edition=shown,
        in_force=in_force,
        counts=shown.id == in_force.id and shown.effective_at <= wiring.now(),
        editions=editions,
        failed=reads.failed_conditions(shown) if Ability.SEE_DESK in abilities_of(request.user) else [],
    )


@require_safe
@needs(Ability.SEE_RECORD)
def record(request: StaffRequest) -> HttpResponse:
    """The record, newest first; on demand its newest entries are verified."""
    before = asked_number(request.GET, "before", otherwise=None)
    key = asked_text(request.GET, "about", characters_max=80)
    entries = ledger.recent(about=key or None, before=before, limit=RECORD_LINES)
    return _console(
        request,
        "tipstaff/console/record.html",
        here="console:record",
        lines=[(entry, tell(entry)) for entry in entries],
        older=entries[-1].id if len(entries) == RECORD_LINES else None,
        about=key,
        verification=ledger.verify(newest=VERIFIED_MAX) if "verify" in request.GET else None,
    )


@require_safe
@needs(Ability.SEE_SEALED)
def sealed(request: StaffRequest) -> HttpResponse:
    """The sealed queue: digests, sizes and references. The page cannot show more: no door gives it."""
    note_look(request.user, keys={QUEUE})
    rows = reads.sealed_queue(limit=SEALED_LINES, after=asked_text(request.GET, "after") or None)
    older = rows[-1][0].digest if len(rows) == SEALED_LINES else ""
    return _console(request, "tipstaff/console/sealed.html", here="console:sealed", rows=rows, older=older)


@require_safe
@needs(Ability.SEE_HEALTH)
def health(request: StaffRequest) -> HttpResponse:
    """How the programs are doing, and what came in hour by hour."""
    at = wiring.now()
    return _console(
        request,
        "tipstaff/console/health.html",
        here="console:health",
        at=at,
        arrivals=reads.arrivals(at, hours=72),
        numbers=reads.numbers(at),
        letters=reads.letter_states(),
        programs=reads.programs(at),
    )


@require_safe
@needs(Ability.SEE_DESK)
def search(request: StaffRequest) -> HttpResponse:
    """A key goes straight to its page; anything else lists what fits."""
    q = asked_text(request.GET, "q")
    key = q.upper().partition(".")[0]
    name = {"C": "case", "R": "report", "M": "measure", "L": "letter", "F": "filter", "G": "matter"}.get(
        key.partition("-")[0]
    )  # fmt: skip
    if key.partition("-")[2].isdecimal():
        if name:
            return HttpResponseRedirect(reverse(f"console:{name}", args=[key]))
        if key.startswith("S-"):
            return HttpResponseRedirect(f"{reverse('console:sightings')}?{urlencode({'find': key})}")
    return _console(
        request,
        "tipstaff/console/search.html",
        here="",
        q=q,
        found=find(q, limit=25, at=wiring.now()),
    )


def act_on(kind: str, act: Act) -> Callable[..., HttpResponseBase]:
    """The view of one act on a letter, a measure, a report or a filter; it goes back to the page of that name."""

    @require_POST
    @needs(act.ability)
    def view(request: StaffRequest, key: str) -> HttpResponse:
        given = Given(
            key=key, form=request.POST, desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username()
        )  # fmt: skip

        def run() -> str:
            try:
                return act.run(given)
            except (NoSuchFilter, NoSuchLetter, NoSuchMeasure, NoSuchReport) as why:
                raise Http404(key) from why

        done = _tell(request, run, to=reverse(f"console:{kind}", args=[key]))
        if kind == "report" and key in hidden_from(request.user):  # Whoever sealed it sees it no more.
            done["Location"] = reverse("console:reports")
        return done

    return view


def _console(request: StaffRequest, template: str, *, here: str, **context: Any) -> HttpResponse:
    return show_console(request, template, here=here, **context)


def _tell(request: StaffRequest, run: Callable[[], str], *, to: str) -> HttpResponse:
    """Run it, keep the sentence for the next page, and go there; a refusal is a sentence too."""
    try:
        messages.success(request, run())
    except REFUSED as refusal:
        messages.error(request, f"{why_refused(refusal)} Nothing was changed.")
    return HttpResponseRedirect(to, status=HTTPStatus.SEE_OTHER)
