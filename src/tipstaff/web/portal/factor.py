"""The code that goes with a link by mail, or with a provider that named one factor only: asked for, and counted."""

from datetime import datetime

from django.http import HttpRequest

from .. import factors, throttle
from ..asked import asked_text
from ..models import PortalPerson
from ..said import Sentence
from ..shown import span
from .people import who


class NoCode(Sentence):
    """No code that counts was shown; the page says why, with this status."""

    status = 401


def show_code(request: HttpRequest, person: PortalPerson, *, at: datetime) -> str:
    """How somebody has shown their second factor. Guesses are counted for the person. Raise NoCode."""
    guesses = f"second factor of {who(person.pk)}"
    if wait := throttle.seconds_to_wait(guesses, address=None, at=at):
        late = NoCode("Too many attempts. Try again in {time}.", time=span(wait))
        late.status = 429
        raise late
    try:
        return factors.use_code(who(person.pk), asked_text(request.POST, "code", characters_max=40), at=at)
    except factors.NotThatCode as why:
        throttle.count_failure(guesses, address=None, at=at)
        if str(why):
            raise NoCode(str(why)) from why
        raise NoCode("That code does not count: it is wrong, too old, or was used already.") from why
