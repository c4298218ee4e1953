"""Reports from programs: XARF over HTTP, one or many, idempotent, with back-pressure."""

import hashlib
import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tipstaff import wiring
from tipstaff.procedures.handing_in import LARGEST_OCTETS, MOST_AT_ONCE, KeyUsedOtherwise, QueueIsFull, hand_in

BODY_OCTETS_MAX = 4 * LARGEST_OCTETS


# A program has no cookie, so nothing can be forged in its name: its token is the key.
@csrf_exempt
@require_POST
def post_reports(request: HttpRequest) -> HttpResponse:
    """202 with a reference for each report taken and why others were refused; 401, 413, 400, 409 or 429 otherwise."""
    who = _who(request)
    if who is None:
        stranger = _sorry(401, "Send the token that this desk gave you as `Authorization: Bearer TOKEN`.")
        stranger["WWW-Authenticate"] = 'Bearer realm="reports"'
        return stranger
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdigit():
        return _sorry(411, "State the length of what you send.")
    if int(length) > BODY_OCTETS_MAX:
        return _sorry(413, f"At most {BODY_OCTETS_MAX // 1024 // 1024} MiB at once; send fewer reports.")
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > 100 or not key.isprintable():
        return _sorry(400, "An Idempotency-Key has at most 100 printable characters.")
    try:
        # The stream, not `request.body`: the bound above is this endpoint's own.
        given: Any = json.loads(request.read(int(length)))
    except (ValueError, RecursionError):
        return _sorry(400, "The body is no JSON.")
    reports = given.get("reports") if isinstance(given, dict) and isinstance(given.get("reports"), list) else given
    reports = reports if isinstance(reports, list) else [reports]
    if not reports:
        return _sorry(400, "It holds no report.")
    if len(reports) > MOST_AT_ONCE:
        return _sorry(413, f"At most {MOST_AT_ONCE} reports at once.")
    peer = request.META.get("REMOTE_ADDR") or ""
    try:
        answer, first = hand_in(
            reports, who=who, key=key, desk=wiring.desk(), at=wiring.now(), peer=peer,
            queue_max=wiring.settings().reports_in.queue_max,
        )  # fmt: skip
    except QueueIsFull as why:
        sorry = _sorry(429, str(why))
        sorry["Retry-After"] = str(why.seconds)
        return sorry
    except KeyUsedOtherwise:
        return _sorry(409, "This Idempotency-Key was used for something else; use a new one for a new request.")
    status = 202 if answer["reports"] else 422
    response = JsonResponse(answer, status=status)
    if not first:
        response["Idempotent-Replay"] = "true"
    return response


def _who(request: HttpRequest) -> str | None:
    form, _, token = request.headers.get("Authorization", "").partition(" ")
    if form.lower() != "bearer" or not token.strip():
        return None
    # Compared by digest: how long it takes says nothing about the token.
    return wiring.report_tokens().get(hashlib.sha256(token.strip().encode()).hexdigest())


def _sorry(status: int, why: str) -> JsonResponse:
    return JsonResponse({"error": why}, status=status)
