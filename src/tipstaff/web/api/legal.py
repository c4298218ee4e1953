"""The legal register by the API: for counsel, and for a second person the one matter that waits for them.

The answer itself is taken from the console or a terminal, so that no program's log holds it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field, StrictBool

from tipstaff import wiring
from tipstaff.procedures import disclosure, harbour
from tipstaff.procedures.refusals import AnotherHasToAgree, NoSuchCase, NoSuchMatter, NotYourDecision
from tipstaff.words import Gives, LegalMatter, MatterKind, MatterState

from ..console.acts import Given
from ..console.legal import ON_MATTERS, REFUSED, TEXT_OCTETS_MAX, said_of, take
from ..roles import Ability
from .acting import form_of, shape_of
from .auth import Able
from .pages import Cursor, IfMatch, Limit, opened, page, plain, seen, with_etag
from .problems import Problem

router = Router(tags=["legal"])
_T = TypeVar("_T")
_Text = Annotated[str, Field(max_length=4000)]


class AskedOfOut(Schema):
    """The address and moment that a matter is about."""

    address: str
    port: int | None
    protocol: str
    used_at: datetime | None
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
    proposal: str
    """Who proposed which answer: what whoever agrees to it sends back as `seen`."""


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
    port: Annotated[int, Field(ge=1, le=disclosure.PORT_MAX)] | None = None
    protocol: Annotated[str, Field(max_length=8)] = ""
    used_at: datetime | None = None
    error_seconds: Annotated[float, Field(ge=0, le=disclosure.ERROR_SECONDS_MAX)] = 1.0


class MatterDoneOut(Schema):
    """What was done, in a sentence. Whoever may read the matter asks for it."""

    said: str


class ConditionOut(Schema):
    """How one condition of the limit of liability for copyright stands."""

    id: str
    says: str
    met: bool
    shown_by: str | None
    until: datetime | None
    """When it is looked at again; from then on it counts as not met."""
    noted_by: str | None


class ConditionIn(Schema):
    """What counsel notes of a condition."""

    condition: Annotated[str, Field(max_length=32)]
    met: StrictBool
    shown_by: _Text
    until: datetime


class RelyIn(Schema):
    on: Annotated[str, Field(min_length=1, max_length=64)]
    """The matter in which we would rely on it: a case."""


class RelyOut(Schema):
    """Whether we may rely on the limit, and what is lacking."""

    under: str
    """The clause that lets us; empty where none does."""
    lacking: list[str]


class CounterNoticeIn(Schema):
    """A counter-notice on a case, with its words: they are looked at and not kept."""

    case: Annotated[str, Field(max_length=32)]
    text: Annotated[str, Field(max_length=TEXT_OCTETS_MAX)]
    received: datetime | None = None


class WindowOut(Schema):
    """When what was disabled comes back, unless the claimant goes to court; and what the words lack."""

    not_before: datetime | None
    by: datetime
    not_found: list[str]


FIELDS: Mapping[str, Mapping[str, Any]] = {
    "authenticate": {"how": (_Text, ...)},
    "look-up": {},
    "decide": {
        "decision": (Literal["answer", "refuse"], ...),
        "why": (_Text, ...),
        "gives": (list[Gives], Field(default=[], max_length=5)),
    },
    "agree": {"seen": (_Text, ...)},
    "silence": {"ground": (_Text, ...), "until": (datetime, ...)},
    "told": {"how": (_Text, ...)},
}


@router.get("", auth=Able(Ability.KEEP_LEGAL, "legal"), response=list[MatterOut])
def list_matters(
    request: HttpRequest, response: HttpResponse, late: bool = False, waiting: bool = False, cursor: Cursor = "",
    limit: Limit = 50,
) -> Sequence[LegalMatter]:  # fmt: skip
    """The register, newest first, in pages: all of it, or what waits for a decision; or all that is overdue."""
    desk, me = wiring.desk(), request.user.get_username()
    if late:
        return disclosure.late(desk=desk, at=wiring.now(), actor=me)
    found = disclosure.register(open_only=waiting, desk=desk, actor=me, limit=limit + 1, after=opened(cursor))
    return page(request, response, found, limit=limit, last=lambda matter: matter.key)


@router.post("", auth=Able(Ability.KEEP_LEGAL, "legal"), response=MatterOut)
def enter_matter(request: HttpRequest, asked: MatterIn) -> Any:
    """Enter what an authority asks: its form is looked at and its clock started."""
    me = request.user.get_username()
    return _doing(lambda: disclosure.shown_to(take(form_of(asked), actor=me), desk=wiring.desk(), actor=me))


@router.get("/harbour", auth=Able(Ability.KEEP_LEGAL, "legal"), response=list[ConditionOut])
def list_conditions(request: HttpRequest) -> list[ConditionOut]:
    """The conditions of the limit of liability for copyright, and how each stands."""
    found = harbour.conditions(desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username())
    return [
        ConditionOut(
            id=each.id, says=each.says, met=each.met, shown_by=each.noted.shown_by if each.noted else None,
            until=each.noted.until if each.noted else None, noted_by=each.noted.noted_by if each.noted else None,
        )
        for each in found
    ]  # fmt: skip


@router.post("/harbour", auth=Able(Ability.KEEP_LEGAL, "legal"), response=list[ConditionOut])
def note_condition(request: HttpRequest, noted: ConditionIn) -> Any:
    """Note how a condition stands, what shows it, and when it is looked at again."""
    _doing(
        lambda: harbour.note(
            plain(noted.condition), met=noted.met, shown_by=plain(noted.shown_by), until=_aware(noted.until),
            desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username(),
        )
    )  # fmt: skip
    return list_conditions(request)


@router.post("/harbour/rely", auth=Able(Ability.KEEP_LEGAL, "legal"), response=RelyOut)
def may_rely(request: HttpRequest, asked: RelyIn) -> Any:
    """Ask the edition in force whether we may rely on the limit; question and answer go on record."""
    under, lacking = harbour.rely(
        on=plain(asked.on), desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username()
    )
    return RelyOut(under=under, lacking=[each.id for each in lacking])


@router.post("/counter-notices", auth=Able(Ability.KEEP_LEGAL, "legal"), response=WindowOut)
def take_counter_notice(request: HttpRequest, asked: CounterNoticeIn) -> Any:
    """Take a counter-notice: its form is looked at, and the window stands on the case."""
    received_at = _aware(asked.received) if asked.received else wiring.now()
    lacking, window = _doing(
        lambda: harbour.take_counter_notice(
            plain(asked.case), asked.text.encode(), received_at=received_at, desk=wiring.desk(), at=wiring.now(),
            actor=request.user.get_username(),
        )
    )  # fmt: skip
    return WindowOut(not_before=window.not_before, by=window.by, not_found=lacking)


@router.get("/{key}", auth=Able(Ability.AGREE_LEGAL, "legal"), response=MatterOut)
def get_matter(request: HttpRequest, response: HttpResponse, key: str) -> MatterOut:
    """One matter, to whoever may read it; an act on it may send its ETag as `If-Match`."""
    return with_etag(response, _shown(request, key))


def _shown(request: HttpRequest, key: str) -> MatterOut:
    actor = request.user.get_username()
    found = _doing(lambda: disclosure.shown_to(plain(key), desk=wiring.desk(), actor=actor))
    return MatterOut.model_validate(found)


def _operation(action: str) -> None:
    shape = shape_of("Matter", action, FIELDS[action])

    def act(
        request: HttpRequest,
        key: str,
        asked: shape,  # type: ignore[valid-type]  # made a line ago
        if_match: IfMatch = "",
    ) -> Any:
        if if_match:
            seen(_shown(request, key), if_match, what="matter")
        given = Given(
            key=plain(key), form=form_of(asked), desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username()
        )
        return {"said": _doing(lambda: ON_MATTERS[action].run(given))}

    act.__doc__ = f"{action.replace('-', ' ').capitalize()}: what the console does under that name."
    act.__name__ = f"matter_{action.replace('-', '_')}"
    router.post(f"/{{key}}/{action}", auth=Able(ON_MATTERS[action].ability, "legal"), response=MatterDoneOut)(act)


for _action in ON_MATTERS:
    _operation(_action)


@router.post("/{key}/hand-over", auth=Able(Ability.KEEP_LEGAL, "legal"), response=dict[str, Any])
def hand_over(request: HttpRequest, key: str) -> HttpResponse:
    """The answer to a request, as the text whose SHA-256 is put on record."""
    who, at = request.user.get_username(), wiring.now()
    text = _doing(lambda: disclosure.hand_over(plain(key), desk=wiring.desk(), at=at, actor=who))
    return HttpResponse(text, content_type="application/json")


def _aware(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _doing(run: Callable[[], _T]) -> _T:
    try:
        return run()
    except NoSuchMatter as none:
        raise HttpError(404, "There is no such matter for you.") from none
    except NoSuchCase as none:
        raise HttpError(404, "There is no such case.") from none
    except (*REFUSED, harbour.NotACondition) as refusal:
        theirs = isinstance(refusal, NotYourDecision | AnotherHasToAgree)
        raise Problem(403 if theirs else 409, said_of(refusal)) from refusal
