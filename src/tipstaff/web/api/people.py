"""Accounts of staff and tokens by the API: what the console's pages do, for a person who is logged in and no token.

A token that made another would outlive its own end, and one that gave roles would be more than its owner gave it.
"""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_variables
from ninja import Path, Router, Schema
from ninja.errors import HttpError
from pydantic import AfterValidator, Field

from tipstaff import wiring
from tipstaff.words import STAFF_ROLES, Role

from ..console.staff import (
    CHANGES,
    NoSuchPerson,
    NotForStaff,
    OneTimeLink,
    Person,
    add_colleague,
    change_colleague,
    everybody,
)
from ..console.tokens import owner_seen
from ..roles import Ability, StaffRequest
from ..tokens import DAYS_MAX, BadToken, NoSuchToken, list_tokens, make_token, revoke_token
from .auth import InPerson
from .pages import plain
from .problems import Problem

router = Router(tags=["people"])
_T = TypeVar("_T")


def _of_staff(role: Role) -> Role:
    if role not in STAFF_ROLES:
        raise ValueError(f"A person of staff is one of {', '.join(STAFF_ROLES)}.")
    return role


StaffRole = Annotated[Role, AfterValidator(_of_staff)]
"""The program and the customers have roles of their own, which nobody is given."""
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]


class TokenOut(Schema):
    """A token as its owner sees it: everything but the token."""

    key: str
    name: str
    owner: str
    scopes: list[str]
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str


class TokenIn(Schema):
    """A token of one's own."""

    name: Annotated[str, Field(max_length=60)]
    scopes: Annotated[list[Annotated[str, Field(max_length=32)]], Field(min_length=1, max_length=50)]
    days: Annotated[int, Field(ge=1, le=DAYS_MAX)]


class TokenMadeOut(Schema):
    """A new token, which is shown this once."""

    token: TokenOut
    secret: str | None
    """None where the same request comes again under the same Idempotency-Key."""


class PersonOut(Schema):
    """One member of staff."""

    number: int
    name: str
    active: bool
    set_up: bool
    """They have set a password."""
    roles: list[Role]
    factors: int
    sessions: int


class ColleagueIn(Schema):
    """Somebody who is to log in here."""

    name: Annotated[str, Field(max_length=60)]
    roles: list[StaffRole] = Field(default=[])


class LinkOut(Schema):
    """A one-time link by which somebody sets their password, which is shown this once."""

    name: str
    secret: str | None
    """None where the same request comes again under the same Idempotency-Key."""


class PersonChangeIn(Schema):
    """What an act on an account takes that says nothing of roles."""

    roles: list[StaffRole] = Field(default=[])
    """Left aside: only `roles` gives them."""


class PersonRolesIn(Schema):
    """The roles of an account, exactly: an empty list takes all away, no list at all is refused."""

    roles: list[StaffRole]


class PersonDoneOut(Schema):
    """What was done, in a sentence, and the account as it stands now; of `link` the link, which is shown this once."""

    said: str
    person: PersonOut
    secret: str | None


@router.get("/tokens", auth=InPerson(Ability.KEEP_TOKENS), response=list[TokenOut])
def tokens(request: HttpRequest) -> Any:
    """One's own tokens, newest first; an administrator's answer has everybody's."""
    return list_tokens(owner=owner_seen(_staff(request)))


@router.post("/tokens", auth=InPerson(Ability.KEEP_TOKENS), response=TokenMadeOut)
@sensitive_variables("secret")
def make_own_token(request: HttpRequest, asked: TokenIn) -> dict[str, Any]:
    """Make a token of one's own."""
    who = _staff(request).user.get_username()
    try:
        made, secret = make_token(
            plain(asked.name), owner=who, scopes=asked.scopes, days=asked.days, at=wiring.now(), actor=who
        )
    except BadToken as why:
        raise HttpError(422, str(why)) from why
    return {"token": made, "secret": secret}


@router.delete("/tokens/{key}", auth=InPerson(Ability.KEEP_TOKENS), response={204: None})
def revoke_one_token(request: HttpRequest, key: str) -> HttpResponse:
    """End a token of one's own; an administrator ends anybody's."""
    by = _staff(request)
    try:
        revoke_token(plain(key), owner=owner_seen(by), at=wiring.now(), actor=by.user.get_username())
    except NoSuchToken as why:
        raise HttpError(404, str(why)) from why
    return HttpResponse(status=204)


@router.get("/staff", auth=InPerson(Ability.MANAGE_STAFF), response=list[PersonOut])
def list_staff(request: HttpRequest) -> list[PersonOut]:
    """All accounts of staff, by name."""
    return [_out(person) for person in everybody()]


@router.post("/staff", auth=InPerson(Ability.MANAGE_STAFF), response=LinkOut)
@sensitive_variables("link")
def add_to_staff(request: HttpRequest, asked: ColleagueIn) -> dict[str, Any]:
    """Add a colleague, with the one-time link by which they set their password."""
    link = _doing(lambda: add_colleague(plain(asked.name), roles=frozenset(asked.roles), by=_staff(request)))
    return {"name": link.name, "secret": link.url}


def _operation(do: str) -> None:
    """`POST /staff/{number}/DO`."""

    @sensitive_variables("done")
    def change(request: HttpRequest, number: int, roles: list[Role]) -> dict[str, Any]:
        done = _doing(lambda: change_colleague(number, do, roles=frozenset(roles), by=_staff(request)))
        person = next(_out(person) for person in everybody() if person.id == number)
        if isinstance(done, OneTimeLink):
            return {"said": f"A new one-time link for {done.name}.", "person": person, "secret": done.url}
        return {"said": done, "person": person, "secret": None}

    def giving(request: HttpRequest, number: Number, asked: PersonRolesIn) -> dict[str, Any]:
        return change(request, number, asked.roles)

    def doing(request: HttpRequest, number: Number, asked: PersonChangeIn) -> dict[str, Any]:
        return change(request, number, asked.roles)

    operation: Callable[..., dict[str, Any]] = giving if do == "roles" else doing
    operation.__doc__ = f"{do.capitalize()}: what the console's page of staff does to an account under that name."
    operation.__name__ = f"staff_{do}"
    router.post(f"/staff/{{number}}/{do}", auth=InPerson(Ability.MANAGE_STAFF), response=PersonDoneOut)(operation)


for _do in CHANGES:
    _operation(_do)


def _staff(request: HttpRequest) -> StaffRequest:
    return cast(StaffRequest, request)  # InPerson has looked who it is.


def _doing(run: Callable[[], _T]) -> _T:
    try:
        return run()
    except NoSuchPerson as why:
        raise HttpError(404, "There is no such account.") from why
    except NotForStaff as why:
        raise Problem(HTTPStatus.CONFLICT, str(why)) from why


def _out(person: Person) -> PersonOut:
    return PersonOut(
        number=person.id, name=person.name, active=person.active, set_up=person.set_up,
        roles=[role for role, held in person.roles if held], factors=person.factors, sessions=person.sessions,
    )  # fmt: skip
