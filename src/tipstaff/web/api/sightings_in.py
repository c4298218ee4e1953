"""Sightings from the operator's own sensors over HTTP: JSON lines, in bulk, idempotent by the sensors' own ids."""

import hashlib
from dataclasses import asdict

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tipstaff import wiring
from tipstaff.procedures.sighting import NotTelemetry, TooManySightings, take
from tipstaff.sensors.form import OCTETS_MAX


# A program has no cookie, so nothing can be forged in its name: its token is the key.
@csrf_exempt
@require_POST
def post_sightings(request: HttpRequest) -> HttpResponse:
    """202 with the keys of what is new, the count of what was known and why each other line was refused; 422 when no
    line is a sighting, or when it belongs in the sealed queue; 401, 411, 413 otherwise. The sensor is named by its
    token, whatever a line says."""
    who = _who(request)
    if who is None:
        stranger = _sorry(401, "Send the token that your operator gave this sensor as `Authorization: Bearer TOKEN`.")
        stranger["WWW-Authenticate"] = 'Bearer realm="sightings"'
        return stranger
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdigit():
        return _sorry(411, "State the length of what you send.")
    if int(length) > OCTETS_MAX:
        return _sorry(413, f"At most {OCTETS_MAX // 1024 // 1024} MiB at once; send fewer sightings.")
    # The stream, not `request.body`: the bound above is this endpoint's own.
    raw = request.read(int(length))
    try:
        taken = take(raw, sensor=who, only=who, desk=wiring.desk(), at=wiring.now(), actor=f"sensor {who}")
    except TooManySightings as why:
        return _sorry(413, str(why))
    except NotTelemetry as why:
        return _sorry(422, str(why))
    return JsonResponse(asdict(taken), status=202 if taken.taken or taken.known else 422)


def _who(request: HttpRequest) -> str | None:
    form, _, token = request.headers.get("Authorization", "").partition(" ")
    if form.lower() != "bearer" or not token.strip():
        return None
    # Compared by digest: how long it takes says nothing about the token.
    return wiring.sensor_tokens().get(hashlib.sha256(token.strip().encode()).hexdigest())


def _sorry(status: int, why: str) -> JsonResponse:
    return JsonResponse({"error": why}, status=status)
