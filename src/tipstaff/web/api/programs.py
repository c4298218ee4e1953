"""Where programs hand in: each has a token of its own, states a length, and is told in a sentence what is wrong."""

import hashlib
from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse

from .problems import problem


def sorry(status: int, why: str) -> HttpResponse:
    """What is wrong, as a problem; `error` says the same for programs from before there were problems."""
    return problem(status, why, error=why)


def who_hands_in(
    request: HttpRequest, *, tokens: Mapping[str, str], things: str, octets_max: int
) -> tuple[str, int] | HttpResponse:
    """(whose token it is, how many octets to read from the stream), or what to answer: 401, 411 or 413.

    `tokens` has names by the SHA-256 of their tokens; `things` are what is handed in. The stream is read, and not
    `request.body`: `octets_max` is the door's own bound.
    """
    form, _, token = request.headers.get("Authorization", "").partition(" ")
    # Compared by digest: how long it takes says nothing about the token.
    who = tokens.get(hashlib.sha256(token.strip().encode()).hexdigest()) if form.lower() == "bearer" else None
    if who is None:
        stranger = sorry(401, "Send the token that this desk gave you as `Authorization: Bearer TOKEN`.")
        stranger["WWW-Authenticate"] = f'Bearer realm="{things}"'
        return stranger
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        return sorry(411, "State the length of what you send.")
    if int(length) > octets_max:
        return sorry(413, f"At most {octets_max // 1024 // 1024} MiB at once; send fewer {things}.")
    return who, int(length)
