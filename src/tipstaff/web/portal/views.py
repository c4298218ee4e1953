"""The customer's page for one case, opened by a signed link: no cookie is read or set. `show_case` is the page of both
ways in, this one and the log-in of `account`."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from tipstaff import wiring
from tipstaff.cases.queries import get_case, standing_key
from tipstaff.cases.rules import OPEN, IllegalMove
from tipstaff.procedures.answers import PORTAL, WORDS_MAX, AnswerTooLong, answer_case, appeal_case
from tipstaff.procedures.files_in import FILES_MAX, OCTETS_MAX, File, NothingToAnswer, TooManyFiles, hand_in_files
from tipstaff.procedures.links import Link, LinkExpired, LinkTampered, open_link
from tipstaff.registry.queries import get_customer
from tipstaff.words import Answer, CaseState

from ..asked import asked_text
from ..models import PortalPerson
from ..pages import show_public
from ..said import COOKIE, FALLBACK, LANGUAGES, language_of, say
from . import forwards
from .reads import PortalPage, events_at, portal_page

WORDS_NEEDED = frozenset({Answer.FIXED, Answer.DISPUTE})
"""Answers that say nothing without words: what was done, or why it is disputed."""


# Forging this request takes the link, which is the key itself; a cookie plays no part. (And with `no-referrer`
# a browser sends `Origin: null`, which the usual check would refuse.)
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def case(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is alleged and take the answer."""
    at = wiring.now()
    try:
        key = open_link(Link.CASE, token, at=at)
        language = language_of(request, otherwise=own_language(key))
        page = portal_page(key, language=language)
    except LinkExpired as gone:
        return private(show_public(request, "tipstaff/portal/gone.html", key=gone.key, expired=True, status=410))
    except LinkTampered:
        return private(show_public(request, "tipstaff/portal/gone.html", expired=False, status=404))
    if page is None:
        return private(show_public(request, "tipstaff/portal/gone.html", expired=False, status=404))
    return show_case(request, page, back=reverse("portal:case", args=[token]), via=PORTAL, may_answer=True, at=at)


def show_case(
    request: HttpRequest,
    page: PortalPage,
    *,
    back: str,
    via: str,
    may_answer: bool,
    at: datetime,
    person: PortalPerson | None = None,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> HttpResponse:
    """The page, or what became of the answer that was posted to it. `via` is how the record calls who
    answers, `person` who is logged in."""
    if not may_answer:
        page = replace(page, answers=())
    language = language_of(request, otherwise=page.language)

    def show(trouble: str = "", *, status: int = 200, of: PortalPage = page, **context: object) -> HttpResponse:
        return _show(
            request, of, language=language, trouble=trouble, status=status, person=person, more={**more, **context}
        )  # fmt: skip

    if request.method != "POST":
        return show(answered=request.GET.get("answered") == "1")
    answer = next((a for a in Answer if a.value == request.POST.get("answer")), None)
    words = asked_text(request.POST, "words", characters_max=100_000)
    if answer is None or answer not in page.answers:
        return show(say(language, "This answer is not open any more; here is where the case stands now."), status=409)
    try:
        files = _files(request)
    except TooManyFiles:
        trouble = say(language, "Send at most five files, of 10 MiB together.")
        return show(trouble, chosen=answer, words=words, status=400)
    if answer in WORDS_NEEDED and not words:
        return show(say(language, NEEDED[answer]), chosen=answer, status=400)
    desk, sender = wiring.desk(), person.email if person is not None else ""
    try:
        # An answer that is not taken leaves no files behind, and files that are not taken leave no answer.
        with transaction.atomic():
            if page.case.state in OPEN:
                answer_case(page.case.key, answer=answer, words=words, via=via, desk=desk, at=at)
            else:
                appeal_case(page.case.key, words=words, via=via, desk=desk, at=at)
            if files:
                hand_in_files(page.case.key, files, words=words, sender=sender, desk=desk, at=at)
    except NothingToAnswer:
        trouble = say(
            language,
            "No letter about this case has reached you yet, so no file can be taken; send your answer without.",
        )
        return show(trouble, chosen=answer, words=words, status=409)
    except AnswerTooLong:
        trouble = say(language, "Please shorten it to {count} characters.", count=f"{WORDS_MAX:,}")
        return show(trouble, chosen=answer, words=words, status=400)
    except IllegalMove:
        fresh = portal_page(page.case.key, language=language)
        assert fresh is not None, page.case.key
        return show(say(language, "The case moved meanwhile; here is where it stands now."), of=fresh, status=409)
    return private(HttpResponseRedirect(f"{back}?answered=1{kept_choice(request)}", status=303))


def kept_choice(request: HttpRequest) -> str:
    """The language that was chosen in the address, for the next address."""
    return f"&in={request.GET['in']}" if request.GET.get("in") in LANGUAGES else ""


def own_language(key: str) -> str:
    """The language on record for who represents a case's customer."""
    case = get_case(standing_key(key))
    customer = get_customer(case.customer) if case is not None else None
    return customer.representative.language if customer and customer.representative else FALLBACK


# Forging it takes the link, as above.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def forward(request: HttpRequest, token: str) -> HttpResponse:
    """What a reseller passed on, for their customer, under the reseller's name; their answer goes to the reseller."""
    at, gone = wiring.now(), "tipstaff/portal/gone.html"
    try:
        found = forwards.forward_of_link(open_link(Link.FORWARD, token, at=at))
    except (LinkExpired, LinkTampered):
        found = None
    case = get_case(standing_key(found.case)) if found is not None else None
    reseller = get_customer(found.reseller) if found is not None else None
    if found is None or case is None or reseller is None or not forwards.may_pass_on(case):
        return private(show_public(request, gone, expired=False, status=404))
    language, trouble = language_of(request, otherwise=found.language), ""
    if request.method == "POST":
        answer = next((a for a in forwards.ANSWERS if a.value == request.POST.get("answer")), None)
        words = asked_text(request.POST, "words", characters_max=forwards.WORDS_MAX)
        if answer is not None and words:
            forwards.answer_forward(found.pk, answer=answer, words=words, at=at)
            here = reverse("forward", args=[token])
            return private(HttpResponseRedirect(f"{here}?answered=1{kept_choice(request)}", status=303))
        trouble = say(language, "Choose an answer, and say in a sentence what you did or why.")
    page = portal_page(case.key, language=language)
    assert page is not None, case.key
    return private(
        show_public(
            request, "tipstaff/portal/forward.html", page_language=language, page=page, case=case, forward=found,
            brand=forwards.brand_of(reseller), events=events_at(case.key, frozenset(found.places)),
            answers=forwards.ANSWERS, trouble=trouble, answered=request.GET.get("answered") == "1",
            status=400 if trouble else 200,
        )
    )  # fmt: skip


def _files(request: HttpRequest) -> list[File]:
    """The files that came along; raise TooManyFiles before any is read."""
    sent = [file for file in request.FILES.getlist("files") if file.size]
    if len(sent) > FILES_MAX or sum(file.size or 0 for file in sent) > OCTETS_MAX:
        raise TooManyFiles(TooManyFiles.__doc__)
    return [File(file.name or "", file.read()) for file in sent]


NEEDED = {
    Answer.FIXED: "Please say in a sentence what you did, so that we can close the case.",
    Answer.DISPUTE: "Please say why you dispute it, so that a colleague can look at it.",
}


def _show(
    request: HttpRequest,
    page: PortalPage,
    *,
    language: str,
    trouble: str,
    status: int,
    person: PortalPerson | None,
    more: Mapping[str, Any],
) -> HttpResponse:
    response = show_public(
        request,
        "tipstaff/portal/case.html",
        status=status,
        page=page,
        case=page.case,
        state=tuple(say(language, words) for words in STATE_WORDS[page.case.state]),
        trouble=trouble,
        person=person,
        base=f"tipstaff/portal/{'account' if person else 'base'}.html",
        page_language=language,
        about=page.case.customer,
        **more,
    )
    return private(response)


STATE_WORDS: dict[CaseState, tuple[str, str]] = {
    CaseState.OPENED: ("Please look into this", "We have just written to you. Nothing of yours has been restricted."),
    CaseState.WAITING_PERSON: (
        "A person is looking at it",
        "A colleague decides what happens next. You can still answer.",
    ),
    CaseState.NOTIFIED: ("Please answer", "Nothing of yours has been restricted."),
    CaseState.EXTENDED: ("You have more time", "We gave more time, once. Nothing of yours has been restricted."),
    CaseState.DISPUTED: ("A colleague reviews your answer", "Until then the clock stands still."),
    CaseState.OVERDUE: ("The time to answer has passed", "You can still answer now, and avoid a restriction."),
    CaseState.MEASURE_PLANNED: ("A restriction is on its way", "You can still answer now."),
    CaseState.MEASURE_IN_FORCE: (
        "A restriction is in force",
        "It is lifted as soon as you tell us that the cause is fixed.",
    ),
    CaseState.FIXED: ("Thank you: marked as fixed", "Any restriction is being lifted; you need do nothing more."),
    CaseState.MONITORED: ("Thank you: marked as fixed", "Nothing of yours is restricted; you need do nothing more."),
    CaseState.APPEALED: ("A colleague reviews how it ended", "Nothing of yours is restricted. You are written to."),
    CaseState.CLOSED: ("This case is closed", "You need do nothing more."),
}


def private(response: HttpResponse) -> HttpResponse:
    """The address is the key: it goes to no other site, into no index and into no cache."""
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.cookies.pop(COOKIE, None)  # Pages of a link set no cookie; what was chosen stays in the address.
    return response
