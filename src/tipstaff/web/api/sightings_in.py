"""Sightings from the operator's own sensors over HTTP: JSON lines, in bulk, idempotent by the sensors' own ids."""

from dataclasses import asdict

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tipstaff import wiring
from tipstaff.procedures.sighting import NotTelemetry, TooManySightings, take
from tipstaff.sensors.form import OCTETS_MAX

from .programs import sorry, who_hands_in


# A program has no cookie, so nothing can be forged in its name: its token is the key.
@csrf_exempt
@require_POST
def post_sightings(request: HttpRequest) -> HttpResponse:
    """202 with the keys of what is new, the count of what was known and why each other line was refused; 422 when no
    line is a sighting, or when it belongs in the sealed queue; 401, 411, 413 otherwise. The sensor is named by its
    token, whatever a line says."""
    asked = who_hands_in(request, tokens=wiring.sensor_tokens(), things="sightings", octets_max=OCTETS_MAX)
    if isinstance(asked, HttpResponse):
        return asked
    who, octets = asked
    raw = request.read(octets)
    try:
        taken = take(raw, sensor=who, only=who, desk=wiring.desk(), at=wiring.now(), actor=f"sensor {who}")
    except TooManySightings as why:
        return sorry(413, str(why))
    except NotTelemetry as why:
        return sorry(422, str(why))
    return JsonResponse(asdict(taken), status=202 if taken.taken or taken.known else 422)
