"""Pages for everybody. None of them names a customer."""

from datetime import timedelta

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.intake.queries import get_report
from tipstaff.procedures.letters import language_of_complainant
from tipstaff.procedures.links import Link, LinkExpired, LinkTampered, open_link
from tipstaff.procedures.reasons import reasons_for_complainant
from tipstaff.words import ReportOutcome

from ..brands import base_of, shown_for
from ..pages import show_public
from ..said import COOKIE, LANGUAGES, language_of, say


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """How to report, and where the policy is."""
    return show_public(request, "tipstaff/public/landing.html", form=wiring.settings().reports_in.form)


@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Where to report a weakness in our own systems (RFC 9116)."""
    operator, url = shown_for(request), base_of(request)
    expires = (wiring.now() + timedelta(days=180)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    lines = (
        f"Contact: mailto:{operator.abuse_address}",
        f"Expires: {expires}",
        f"Preferred-Languages: {', '.join(LANGUAGES)}",
        f"Canonical: {url}/.well-known/security.txt",
        f"Policy: {url}/policy",
    )
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Whether this process can do its work, for the supervisor."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as why:
        return JsonResponse({"status": "in_trouble", "database": type(why).__name__}, status=503)
    return JsonResponse({"status": "well", "database": "well"})


_DEALT_WITH = (
    "Being dealt with",
    "We know who is responsible. They are told what happened, and get a deadline to stop it.",
)
"""Told first or told again: the page would else say to whoever asks that somebody complained before."""
OUTCOMES: dict[ReportOutcome, tuple[str, str]] = {
    ReportOutcome.RECEIVED: ("Received", "We have your report and are reading it."),
    ReportOutcome.SET_ASIDE: ("Set aside", "We found nothing in it that our acceptable use policy lets us act on."),
    ReportOutcome.WITH_A_PERSON: ("With a person", "A member of our staff is looking at it."),
    ReportOutcome.SEALED: ("With a person", "A member of our staff is looking at it."),
    ReportOutcome.NOT_OURS: ("Not our network", "What you reported was not in our network at that time."),
    ReportOutcome.NEEDS_DETAIL: (
        "We asked you for detail",
        "With what was stated we cannot say who used the address. Mostly it is the source port, or the exact time with "
        "its zone, that is missing; write to us again with it.",
    ),
    ReportOutcome.TOO_OLD: ("Too long ago", "Our records do not reach back to what you reported."),
    ReportOutcome.DUPLICATE: _DEALT_WITH,
    ReportOutcome.FORWARDED: _DEALT_WITH,
    ReportOutcome.FIXED: (
        "Fixed",
        "We were told that the cause is fixed, and have closed the matter. Write again if it goes on.",
    ),
    ReportOutcome.MEASURE_TAKEN: ("Fixed", "It was fixed after we had taken a measure, which is lifted again."),
    ReportOutcome.NOT_UPHELD: ("Not upheld", "We looked into it and found no breach of our policy."),
}


@require_safe
def report_status(request: HttpRequest, token: str) -> HttpResponse:
    """What became of one report, for whoever sent it. Never whom it was about."""
    try:
        report = get_report(open_link(Link.REPORT, token, at=wiring.now()))
    except LinkExpired as gone:
        return _private(show_public(request, "tipstaff/public/report_gone.html", key=gone.key, status=410))
    except LinkTampered:
        report = None
    if report is None:
        return _private(show_public(request, "tipstaff/public/report_gone.html", key="", status=404))
    sealed = report.outcome is ReportOutcome.SEALED
    desk, at = wiring.desk(), wiring.now()
    language = language_of(request, otherwise=language_of_complainant(report, desk=desk, at=at))
    reasons = reasons_for_complainant(report, desk=desk, language=language)
    shown = () if sealed else report.incidents[:50]
    lines = [(i.allegation, _outcome(language, i.outcome), reasons.get(i.key, ())) for i in shown]
    page = show_public(
        request,
        "tipstaff/public/report_status.html",
        report=report,
        reference="" if sealed or report.reading is None else report.reading.reporter.reference,
        outcome=_outcome(language, report.outcome),
        lines=lines,
        language=language,
        page_language=language,
    )
    return _private(page)


def _outcome(language: str, outcome: ReportOutcome) -> tuple[str, ...]:
    return tuple(say(language, words) for words in OUTCOMES[outcome])


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _trouble(request, 400, "That request made no sense", "Go back and try once more.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    what = str(exception)
    text = f"Your roles do not let you {what}." if what else "Your roles do not let you see this."
    return _trouble(request, 403, "Not for your roles", text + " An administrator can change that.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _trouble(request, 404, "There is nothing here", "Check the address, or search for the key.")


def failed(request: HttpRequest) -> HttpResponse:
    return _trouble(request, 500, "Something went wrong here", "It is in the log. Nothing that you sent was half done.")


def _trouble(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    language = language_of(request)
    return show_public(
        request, "tipstaff/public/trouble.html", status=status, page_language=language,
        trouble_title=say(language, title), trouble_text=say(language, text),
    )  # fmt: skip


def _private(response: HttpResponse) -> HttpResponse:
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.cookies.pop(COOKIE, None)
    return response
