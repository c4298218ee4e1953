"""Who may use an operation of the API: each says which ability it takes."""

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import SessionAuth

from ..roles import Ability, may


class Able(SessionAuth):
    """A session of the console, of somebody with one ability. Others are refused before their request is read."""

    def __init__(self, ability: Ability) -> None:
        super().__init__(csrf=True)
        self.ability = ability

    def authenticate(self, request: HttpRequest, key: str | None) -> object:
        user = super().authenticate(request, key)
        if user is not None and not may(request.user, self.ability):
            raise HttpError(403, f"Your roles do not let you {self.ability.value}.")
        return user


def nobody(request: HttpRequest) -> None:
    """For an operation that says nothing: it is for nobody."""
