"""Who may use an operation of the API: each says which ability it takes, and a token's scope for it."""

from django.contrib.auth.models import User
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import SessionAuth

from ..roles import Ability, lacks_factor, may
from ..tokens import ROOMS, TokenShown
from .problems import Problem


class Staff(SessionAuth):
    """Somebody of the staff with one ability. Others are refused before they are read."""

    def __init__(self, ability: Ability) -> None:
        super().__init__(csrf=True)
        self.ability = ability

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:
        if not request.user.is_authenticated:
            return None
        if token_of(request) is None and lacks_factor(request):
            raise HttpError(403, "Your roles need a second factor: log in on the console, and show or add one.")
        if not may(request.user, self.ability):
            raise HttpError(403, f"Your roles do not let you {self.ability.value}.")
        return request.user


class InPerson(Staff):
    """By a session of the console alone: what somebody does who is there, and no token."""

    def __call__(self, request: HttpRequest) -> object:
        if "Authorization" not in request.headers:
            return super().__call__(request)
        _shown_token(request)
        raise HttpError(403, "Somebody who is logged in does this: no token does, whatever its scopes.")


class Able(Staff):
    """By a session of the console, or by a token with a scope for it."""

    def __init__(self, ability: Ability, room: str, *, reads: bool = False) -> None:
        """`reads`: although it is asked by POST it changes nothing."""
        assert room in ROOMS
        super().__init__(ability)
        self.room, self.reads = room, reads

    def scope(self, method: str) -> str:
        """The scope that a token needs for it."""
        return f"{self.room}:{'read' if self.reads or method in ('GET', 'HEAD') else 'act'}"

    def __call__(self, request: HttpRequest) -> object:
        if "Authorization" not in request.headers:
            return super().__call__(request)
        token = _shown_token(request)
        # No cookie was used, so no page elsewhere can have forged this.
        user = self.authenticate(request, None)
        if (scope := self.scope(request.method or "")) not in token.scopes:
            raise Problem(
                403, f"This token lacks the scope {scope}.", missing_scope=scope, scopes=list(token.scopes)
            )  # fmt: skip
        return user


def _shown_token(request: HttpRequest) -> TokenShown:
    token = token_of(request)
    if token is None:
        raise Problem(401, "This token is unknown, revoked or expired. Send `Authorization: Bearer TOKEN`.")
    return token


def token_of(request: HttpRequest) -> TokenShown | None:
    """The token by which this was asked; None for somebody who is logged in. The door has looked it up."""
    found: TokenShown | None = getattr(request, "token", None)
    return found


def nobody(request: HttpRequest) -> None:
    """For an operation that says nothing: it is for nobody."""
