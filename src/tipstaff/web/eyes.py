"""What somebody at the desk may not see, at the console's door and the API's: decision 0100.

While they read, the rooms' reading doors leave it out (`host.viewing`), whatever page asks. Where they act, what they
name is looked at first: of a case, report, letter, measure or sighting that is not theirs to see there is none.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import unquote_plus

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse

from tipstaff import wiring
from tipstaff.host.viewing import Keys, hiding
from tipstaff.procedures.sealed import closed_groups, keys_hidden, note_view

from .roles import Ability, may, roles_of

SAFE = ("GET", "HEAD", "OPTIONS")
_KEY = re.compile(r"(?<![0-9A-Za-z])(?:[CLMRS]-\d{6,12}(?!\d)|[0-9a-f]{64}(?![0-9a-f]))", re.ASCII | re.IGNORECASE)


def closed_to(user: User | AnonymousUser) -> tuple[frozenset[str], bool]:
    """The clause groups that are closed to somebody, and whether what is sealed is."""
    groups = closed_groups(wiring.settings().staff.closed_groups, roles=roles_of(user))
    return groups, not may(user, Ability.SEE_SEALED)


def hidden_from(user: User | AnonymousUser) -> Keys:
    groups, sealed = closed_to(user)
    return keys_hidden(groups, sealed=sealed)


@contextmanager
def looking(request: HttpRequest) -> Iterator[None]:
    """What is read meanwhile is read by whoever asks. Raise Http404 where they name what they may not see.

    An act is done with all that the desk knows: a dispute is not lost on a judge because its reviewer may not see
    another case of that customer.
    """
    user = request.user
    if not user.is_authenticated:
        yield
        return
    known: list[Keys] = []

    def find() -> Keys:
        if not known:
            known.append(hidden_from(user))
        return known[0]

    named = keys_named(request)
    if named and not named.isdisjoint(find()):
        raise Http404("not here")
    if request.method in SAFE:
        with hiding(find):
            yield
            if named and closed_to(user) != (_closed_to_some(), True):  # To whom all of it is closed saw none of it.
                note_look(user, keys=named)
    else:
        yield


def keys_named(request: HttpRequest) -> set[str]:
    """Keys that stand in the address, or in what is sent with an act; files are not looked into."""
    found = keys_in(request.path_info)
    if request.method in SAFE:
        return found
    found |= keys_in(unquote_plus(request.META.get("QUERY_STRING", "")))
    if not request.path_info.startswith("/api/"):
        return found.union(*(keys_in(text) for name, texts in request.POST.lists() for text in (name, *texts)))
    try:  # Whatever its type is called: operations read JSON.
        text = request.body.decode(errors="replace")
        text = json.dumps(json.loads(text), ensure_ascii=False)  # As it is meant: `\u0043` is a C.
    except RequestDataTooBig:
        return found  # A file: nothing else is taken of that size.
    except (ValueError, RecursionError):
        pass
    return found | keys_in(text)


def keys_in(text: str) -> set[str]:
    """Every key of a case, report, letter, measure or sighting in a text, and every digest, as they are kept."""
    # The doors take out what PostgreSQL cannot keep, so it hides nothing here.
    found = (m[0] for m in _KEY.finditer(text.replace("\x00", "").replace("\\u0000", "")))
    return {key.upper() if key[1] == "-" else key.lower() for key in found}


def note_look(user: User | AnonymousUser, *, keys: set[str]) -> None:
    """That somebody saw what others may not see is on record, once an hour of each."""
    note_view(keys, groups=_closed_to_some(), within=timedelta(hours=1), at=wiring.now(), actor=user.get_username())


def _closed_to_some() -> frozenset[str]:
    return closed_groups(wiring.settings().staff.closed_groups)


class Eyes:
    """Middleware around the console; the API's door does the same once it knows whose token it is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/console"):
            return self.get_response(request)
        with looking(request):
            return self.get_response(request)
