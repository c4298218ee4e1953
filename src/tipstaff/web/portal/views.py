"""The customer's page for one case, opened by a signed link: no cookie is read or set. `show_case` is the page of both
ways in, this one and the log-in of `account`."""

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from tipstaff import wiring
from tipstaff.cases.rules import OPEN, IllegalMove
from tipstaff.procedures.answers import PORTAL, WORDS_MAX, AnswerTooLong, answer_case, appeal_case
from tipstaff.procedures.files_in import FILES_MAX, OCTETS_MAX, File, NothingToAnswer, TooManyFiles, hand_in_files
from tipstaff.procedures.links import LinkExpired, LinkTampered, open_link
from tipstaff.words import Answer, CaseState

from ..asked import asked_text
from ..models import PortalPerson
from ..pages import show_page
from .reads import PortalPage, portal_page

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
        page = portal_page(open_link(token, at=at))
    except LinkExpired as gone:
        return private(show_page(request, "tipstaff/portal/gone.html", key=gone.key, expired=True, status=410))
    except LinkTampered:
        return private(show_page(request, "tipstaff/portal/gone.html", expired=False, status=404))
    if page is None:
        return private(show_page(request, "tipstaff/portal/gone.html", expired=False, status=404))
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
) -> HttpResponse:
    """The page, or what became of the answer that was posted to it. `via` is how the record calls who
    answers, `person` who is logged in."""
    if not may_answer:
        page = replace(page, answers=())
    if request.method != "POST":
        return _show(request, page, answered=request.GET.get("answered") == "1", person=person)
    answer = next((a for a in Answer if a.value == request.POST.get("answer")), None)
    words = asked_text(request.POST, "words", characters_max=100_000)
    if answer is None or answer not in page.answers:
        trouble = "This answer is not open any more; here is where the case stands now."
        return _show(request, page, trouble=trouble, status=409, person=person)
    try:
        files = _files(request)
    except TooManyFiles as why:
        return _show(request, page, trouble=str(why), chosen=answer, words=words, status=400, person=person)
    if answer in WORDS_NEEDED and not words:
        return _show(request, page, trouble=_NEEDED[answer], chosen=answer, status=400, person=person)
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
        trouble = "No letter about this case has reached you yet, so no file can be taken; send your answer without."
        return _show(request, page, trouble=trouble, chosen=answer, words=words, status=409, person=person)
    except AnswerTooLong:
        trouble = f"Please shorten it to {WORDS_MAX:,} characters."
        return _show(request, page, trouble=trouble, chosen=answer, words=words, status=400, person=person)
    except IllegalMove:
        fresh = portal_page(page.case.key)
        assert fresh is not None, page.case.key
        return _show(
            request, fresh, trouble="The case moved meanwhile; here is where it stands now.", status=409, person=person
        )
    return private(HttpResponseRedirect(f"{back}?answered=1", status=303))


def _files(request: HttpRequest) -> list[File]:
    """The files that came along; raise TooManyFiles before any is read."""
    sent = [file for file in request.FILES.getlist("files") if file.size]
    if len(sent) > FILES_MAX or sum(file.size or 0 for file in sent) > OCTETS_MAX:
        raise TooManyFiles(TooManyFiles.__doc__)
    return [File(file.name or "", file.read()) for file in sent]


_NEEDED = {
    Answer.FIXED: "Please say in a sentence what you did, so that we can close the case.",
    Answer.DISPUTE: "Please say why you dispute it, so that a colleague can look at it.",
}


def _show(
    request: HttpRequest,
    page: PortalPage,
    *,
    trouble: str = "",
    answered: bool = False,
    chosen: Answer | None = None,
    words: str = "",
    status: int = 200,
    person: PortalPerson | None = None,
) -> HttpResponse:
    response = show_page(
        request,
        "tipstaff/portal/case.html",
        status=status,
        page=page,
        case=page.case,
        state=STATE_WORDS[page.case.state],
        trouble=trouble,
        answered=answered,
        chosen=chosen,
        words=words,
        person=person,
        base=f"tipstaff/portal/{'account' if person else 'base'}.html",
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
    return response
