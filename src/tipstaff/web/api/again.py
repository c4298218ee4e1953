"""What is asked twice: the same request under one Idempotency-Key is done once; what was seen is not sent again."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

from tipstaff import wiring
from tipstaff.procedures import work

from .problems import problem

_KEPT = ("Content-Type", "ETag", "Location")
_OWN_KEYS = ("/api/reports/in", "/api/sightings/in")
"""Where programs hand in with tokens of their own: a key there is the program's, whoever is logged in."""
_SEALED = "/api/legal"
"""The legal register's answers lie nowhere but there, and who may read it is asked each time."""
_TEXT = "application/json"
"""What is kept of answers; a file that was made (a letter to print) has its reader's link in it, and is not."""


class _Refused(Exception):
    """A refusal is no answer that is kept: whatever was begun is undone, and the next attempt counts."""

    def __init__(self, response: HttpResponse) -> None:
        self.response = response


def once(request: HttpRequest, answer: Callable[[HttpRequest], HttpResponse], *, who: str) -> HttpResponse:
    """`answer(request)`, but for a key that `who` has used before: then what was answered then, or 409 for another
    request. Two requests at once wait for each other."""
    key = request.headers.get("Idempotency-Key", "")
    if not key or not who or request.method in ("GET", "HEAD", "OPTIONS") or request.path_info in _OWN_KEYS:
        return answer(request)
    if len(key) > 100 or not (key.isascii() and key.isprintable()):
        return problem(422, "An Idempotency-Key has at most 100 printable characters of ASCII.")
    try:
        body = request.body
    except RequestDataTooBig:
        return problem(413, "A request with an Idempotency-Key is at most 2.5 MB.")
    parts = (request.method or "", request.get_full_path(), request.headers.get("If-Match", ""))
    sealed = request.path_info.startswith(_SEALED)
    digest = hashlib.sha256(b"\0".join([*(part.encode() for part in parts), body])).hexdigest()

    answered: list[HttpResponse] = []

    def make() -> dict[str, Any]:
        response = answer(request)
        if response.status_code >= 400:
            raise _Refused(response)
        answered.append(response)
        if sealed:
            return {"status": response.status_code, "headers": {}, "text": ""}
        if response.content and not response.headers.get("Content-Type", "").startswith(_TEXT):
            return {"status": response.status_code, "headers": {}, "text": "", "is_kept": False}
        headers = {name: response[name] for name in _KEPT if name in response}
        return {"status": response.status_code, "headers": headers, "text": _without_secret(response.content)}

    try:
        kept, first = work.once_for_key(key, who=f"api:{who}"[:100], digest=digest, make=make, at=wiring.now())
    except _Refused as refused:
        return refused.response
    except work.KeyUsedOtherwise:
        return problem(409, "This Idempotency-Key was used for something else.")
    if first:
        return answered[0]
    if sealed:
        return problem(409, "This was done under this Idempotency-Key. The legal register's answers are not kept.")
    if not kept.get("is_kept", True):
        return problem(409, "This was done under this Idempotency-Key. A file that was made is not kept.")
    again = HttpResponse(kept["text"], status=kept["status"], headers=kept["headers"])
    again["Idempotent-Replay"] = "true"
    return again


def _without_secret(content: bytes) -> str:
    """What is kept of an answer: what is shown once is not shown again, and lies nowhere in clear."""
    text = content.decode()
    if b'"secret"' not in content:
        return text
    told = json.loads(text)
    return json.dumps({**told, "secret": None}) if isinstance(told, dict) and "secret" in told else text


def unless_seen(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """304 in place of what `If-None-Match` says was seen; every answer to a GET gets an ETag for that."""
    if request.method not in ("GET", "HEAD") or response.status_code != 200 or response.streaming:
        return response
    if "ETag" not in response:
        response["ETag"] = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    if "If-None-Match" not in request.headers:
        return response
    answered = get_conditional_response(request, etag=response["ETag"], response=response)
    assert isinstance(answered, HttpResponse)
    return answered
