"""The legal register by the API: for counsel, and for a second person the one matter that waits for them.

The answer itself is taken from the console or a terminal, so that no program's log holds it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field, StrictBool

from tipstaff import wiring
from tipstaff.procedures import disclosure
from tipstaff.procedures.refusals import AnotherHasToAgree, NoSuchMatter, NotYourDecision
from tipstaff.words import Gives, LegalMatter, MatterKind, MatterState

from ..console.acts import Given
from ..console.legal import ON_MATTERS, REFUSED, TEXT_OCTETS_MAX, said_of, take
from ..roles import Ability
from .acting import form_of, shape_of
from .auth import Able
from .pages import plain
from .problems import Problem

router = Router(tags=["legal"])
_T = TypeVar("_T")
_Text = Annotated[str, Field(max_length=4000)]


class AskedOfOut(Schema):
    """The address and moment that a matter is about."""

    address: str
    port: int | None
    protocol: str
    used_at: datetime
    error_seconds: float


class MatterOut(Schema):
    """One matter of the legal register."""

    key: str
    kind: MatterKind
    state: MatterState
    clause: str
    edition: str
    opened_by: str
    opened_at: datetime
    received_at: datetime
    authority: str
    reference: str
    binding: bool
    digest: str
    report: str
    shown: list[str]
    lacking: list[str]
    clock: str
    due_at: datetime | None
    asked: AskedOfOut | None
    url: str
    grade: str
    reason: str
    customer: str
    authenticated_by: str
    authenticated_how: str
    gives: list[Gives]
    why: str
    decided_by: str
    second_by: str
    decided_at: datetime | None
    ground: str
    review_at: datetime | None
    told_at: datetime | None
    told_how: str
    handed_at: datetime | None
    handed_digest: str


class MatterIn(Schema):
    """A request of an authority, with its words: they are looked at and not kept."""

    kind: Literal["identity", "request"]
    authority: Annotated[str, Field(max_length=500)]
    reference: Annotated[str, Field(max_length=200)]
    text: Annotated[str, Field(max_length=TEXT_OCTETS_MAX)] = ""
    binding: StrictBool = False
    received: datetime | None = None
    clock: Annotated[str, Field(max_length=64)] = ""
    address: Annotated[str, Field(max_length=64)] = ""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    protocol: Annotated[str, Field(max_length=8)] = ""
    used_at: datetime | None = None
    error_seconds: Annotated[float, Field(ge=0, le=1_000_000)] = 1.0


class MatterDoneOut(Schema):
    """What was done, in a sentence. Whoever may read the matter asks for it."""

    said: str


FIELDS: Mapping[str, Mapping[str, Any]] = {
    "authenticate": {"how": (_Text, ...)},
    "look-up": {},
    "decide": {
        "decision": (Literal["answer", "refuse"], ...),
        "why": (_Text, ...),
        "gives": (list[Gives], Field(default=[], max_length=5)),
    },
    "agree": {},
    "silence": {"ground": (_Text, ...), "until": (datetime, ...)},
    "told": {"how": (_Text, ...)},
}


@router.get("", auth=Able(Ability.KEEP_LEGAL, "legal"), response=list[MatterOut])
def list_matters(request: HttpRequest, late: bool = False, waiting: bool = False) -> list[LegalMatter]:
    """The register, newest first: all of it, what is overdue, or what waits for a decision."""
    desk, me = wiring.desk(), request.user.get_username()
    if late:
        return disclosure.late(desk=desk, at=wiring.now(), actor=me)
    return disclosure.register(open_only=waiting, desk=desk, actor=me)


@router.post("", auth=Able(Ability.KEEP_LEGAL, "legal"), response=MatterOut)
def enter_matter(request: HttpRequest, asked: MatterIn) -> Any:
    """Enter what an authority asks: its form is looked at and its clock started."""
    me = request.user.get_username()
    return _doing(lambda: disclosure.shown_to(take(form_of(asked), actor=me), desk=wiring.desk(), actor=me))


@router.get("/{key}", auth=Able(Ability.AGREE_LEGAL, "legal"), response=MatterOut)
def get_matter(request: HttpRequest, key: str) -> Any:
    """One matter, to whoever may read it."""
    return _doing(lambda: disclosure.shown_to(plain(key), desk=wiring.desk(), actor=request.user.get_username()))


def _operation(action: str) -> None:
    shape = shape_of("Matter", action, FIELDS[action])

    def act(
        request: HttpRequest,
        key: str,
        asked: shape,  # type: ignore[valid-type]  # made a line ago
    ) -> Any:
        given = Given(
            key=plain(key), form=form_of(asked), desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username()
        )
        return {"said": _doing(lambda: ON_MATTERS[action].run(given))}

    act.__doc__ = f"{action.replace('-', ' ').capitalize()}: what the console does under that name."
    act.__name__ = f"matter_{action.replace('-', '_')}"
    router.post(f"/{{key}}/{action}", auth=Able(ON_MATTERS[action].ability, "legal"), response=MatterDoneOut)(act)


for _action in ON_MATTERS:
    _operation(_action)


def _doing(run: Callable[[], _T]) -> _T:
    try:
        return run()
    except NoSuchMatter as none:
        raise HttpError(404, "There is no such matter for you.") from none
    except REFUSED as refusal:
        theirs = isinstance(refusal, NotYourDecision | AnotherHasToAgree)
        raise Problem(403 if theirs else 409, said_of(refusal)) from refusal
