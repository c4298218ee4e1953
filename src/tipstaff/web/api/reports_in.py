"""Reports from programs: XARF over HTTP, one or many, idempotent, with back-pressure."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tipstaff import wiring
from tipstaff.procedures.handing_in import LARGEST_OCTETS, MOST_AT_ONCE, KeyUsedOtherwise, QueueIsFull, hand_in

from .programs import sorry, who_hands_in

BODY_OCTETS_MAX = 4 * LARGEST_OCTETS


# A program has no cookie, so nothing can be forged in its name: its token is the key.
@csrf_exempt
@require_POST
def post_reports(request: HttpRequest) -> HttpResponse:
    """202 with a reference for each report taken and why others were refused; 401, 413, 400, 409 or 429 otherwise."""
    asked = who_hands_in(request, tokens=wiring.report_tokens(), things="reports", octets_max=BODY_OCTETS_MAX)
    if isinstance(asked, HttpResponse):
        return asked
    who, octets = asked
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > 100 or not key.isprintable():
        return sorry(400, "An Idempotency-Key has at most 100 printable characters.")
    try:
        given: Any = json.loads(request.read(octets))
    except (ValueError, RecursionError):
        return sorry(400, "The body is no JSON.")
    reports = given.get("reports") if isinstance(given, dict) and isinstance(given.get("reports"), list) else given
    reports = reports if isinstance(reports, list) else [reports]
    if not reports:
        return sorry(400, "It holds no report.")
    if len(reports) > MOST_AT_ONCE:
        return sorry(413, f"At most {MOST_AT_ONCE} reports at once.")
    peer = request.META.get("REMOTE_ADDR") or ""
    try:
        answer, first = hand_in(
            reports, who=who, key=key, desk=wiring.desk(), at=wiring.now(), peer=peer,
            queue_max=wiring.settings().reports_in.queue_max,
        )  # fmt: skip
    except QueueIsFull as why:
        later = sorry(429, str(why))
        later["Retry-After"] = str(why.seconds)
        return later
    except KeyUsedOtherwise:
        return sorry(409, "This Idempotency-Key was used for something else; use a new one for a new request.")
    status = 202 if answer["reports"] else 422
    response = JsonResponse(answer, status=status)
    if not first:
        response["Idempotent-Replay"] = "true"
    return response
