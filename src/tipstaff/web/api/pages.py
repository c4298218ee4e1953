"""Lists in pages, and ETags: what every room of the API says in the same way."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

from cryptography.fernet import Fernet, InvalidToken
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac
from ninja import Header, Query, Schema
from ninja.errors import HttpError

from tipstaff.words import Case

from .problems import Problem

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str, Query(max_length=300, description="From the header `Link` of the page before.")]
IfMatch = Annotated[str, Header(alias="If-Match")]
_T = TypeVar("_T")
_Shown = TypeVar("_Shown", bound=Schema)


def plain(text: str) -> str:
    """What may be looked for: PostgreSQL keeps no NUL."""
    return text.replace("\x00", "")[:200]


def opened(cursor: str) -> str | None:
    """Where the page before ended; None for the first page. Raise 422 for a cursor that is none of ours."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError as why:
        raise HttpError(422, "This cursor is none of ours; take it from the header `Link`.") from why
    if not text or not text.isprintable():
        raise HttpError(422, "This cursor is none of ours; take it from the header `Link`.")
    return text


def opened_number(cursor: str) -> int | None:
    """The same where the page before ended with a number."""
    text = opened(cursor)
    if text is not None and not (text.isdecimal() and text.isascii() and len(text) < 19):
        raise HttpError(422, "This cursor is none of ours; take it from the header `Link`.")
    return None if text is None else int(text)


def last_case(case: Case) -> str:
    """Where a page of cases, the newest first, ends."""
    return text_of(case.opened_at, case.key)


def text_of(opened_at: datetime, key: str) -> str:
    return f"{opened_at.isoformat()} {key}"


def opened_case(cursor: str) -> tuple[datetime, str] | None:
    """When the case was opened with which the page before ended, and its key."""
    text = opened(cursor)
    if text is None:
        return None
    try:
        instant, key = text.split(" ")
        at = datetime.fromisoformat(instant)
    except ValueError as why:
        raise HttpError(422, "This cursor is none of ours; take it from the header `Link`.") from why
    if at.tzinfo is None:
        raise HttpError(422, "This cursor is none of ours; take it from the header `Link`.")
    return at, key


def page(
    request: HttpRequest, response: HttpResponse, found: Sequence[_T], *, limit: int, last: Callable[[_T], str],
    **more: str,
) -> Sequence[_T]:  # fmt: skip
    """The first `limit` of what was found, which is one more if there is another page: then `Link` says where.

    `last` is what the next page begins after; `more` are words of the query that the next page needs.
    """
    if len(found) > limit:
        goes_on(request, response, last(found[limit - 1]), **more)
    return found[:limit]


def goes_on(request: HttpRequest, response: HttpResponse, text: str, **more: str) -> None:
    """Say in `Link` that another page begins after `text`."""
    asked = request.GET.copy()
    asked["cursor"] = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    for name, value in more.items():
        asked[name] = value
    response["Link"] = f'<{request.path}?{asked.urlencode()}>; rel="next"'


def goes_on_unseen(request: HttpRequest, response: HttpResponse, text: str) -> None:
    """The same where whoever asks may not read the text: it may name what they were told nothing of."""
    # At no time: it's of no interest, and says nothing of ours.
    goes_on(request, response, _cipher().encrypt_at_time(text.encode(), 0).decode())


def opened_unseen(cursor: str) -> str:
    """The cursor that `goes_on_unseen` was told of, as `goes_on` would have made it."""
    text = opened(cursor)
    if text is None:
        return ""
    try:
        return base64.urlsafe_b64encode(_cipher().decrypt(text)).decode().rstrip("=")
    except InvalidToken as why:
        raise HttpError(422, "This cursor is none of ours; take it from the header `Link`.") from why


def _cipher() -> Fernet:
    return Fernet(base64.urlsafe_b64encode(salted_hmac("tipstaff.cursor", "", algorithm="sha256").digest()))


def etag_of(shown: Schema) -> str:
    """The ETag of what was answered: another one as soon as anything in it is different."""
    return f'"{hashlib.sha256(shown.model_dump_json().encode()).hexdigest()[:32]}"'


def with_etag(response: HttpResponse, shown: _Shown) -> _Shown:
    """What is answered, with the ETag that an act on it sends as `If-Match`."""
    response["ETag"] = etag_of(shown)
    return shown


def seen(shown: Schema, if_match: str, *, what: str, needed: bool = True) -> None:
    """Raise 428 without the ETag of what was seen, and 412 when it is another by now."""
    etag = etag_of(shown)
    if not if_match:
        if needed:
            raise Problem(428, f"Send the ETag of the {what} as you saw it in `If-Match`.", etag=etag)
    elif etag not in (each.strip() for each in if_match.split(",")) and if_match.strip() != "*":
        raise Problem(412, f"Somebody changed this {what} meanwhile; look at it again.", etag=etag)
