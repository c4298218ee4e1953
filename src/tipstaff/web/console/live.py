"""A stream of news for a page that is open: that it should be asked again, and nothing else."""

import time
from http import HTTPStatus

from django.db import connections
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET

from tipstaff import wiring
from tipstaff.wiring.live import Hub, Listener, NoRoom

from ..asked import asked_text
from ..eyes import closed_to
from ..roles import Ability, StaffRequest, needs

HUB = Hub()


@require_GET
@needs(Ability.SEE_DESK)
def live(request: StaffRequest) -> HttpResponseBase:
    """Server-sent events (HTML, 9.2) about one case, or about the desk; 204, which ends it for good, without room."""
    key = asked_text(request.GET, "case", characters_max=16).upper()
    closed, sealed = closed_to(request.user)
    listener = Listener(key=key, sealed=not sealed, closed=closed)
    try:
        events = HUB.stream(listener, most=wiring.settings().web.live_pages, clock=time.monotonic)
    except NoRoom:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()  # What follows needs no database; a stream must not keep a session of it.
    # Proxies (nginx) would gather what is to be told at once.
    return StreamingHttpResponse(events, content_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
