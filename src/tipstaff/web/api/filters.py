"""Filters that belong to no case, by the API: what the console shows and does, by the same table."""

from datetime import datetime
from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema, Status
from ninja.errors import HttpError
from pydantic import Field

from tipstaff import wiring
from tipstaff.enforcement import queries as enforcement
from tipstaff.procedures.filtering import dry_run
from tipstaff.words import Filter, FilterState, Ground

from ..console.acts import Given
from ..console.filters import ON_FILTERS, propose
from ..roles import Ability
from .acting import doing, form_of
from .auth import Able
from .pages import Cursor, IfMatch, Limit, opened, page, plain, seen, with_etag

router = Router()
_Text = Annotated[str, Field(max_length=2000)]


class FilterOut(Schema):
    """A filter in the network that belongs to no case."""

    key: str
    network: str
    protocol: str | None
    port: int | None
    remote: str | None
    source_port: int | None
    direction: str
    degree: str
    device: str
    danger: str
    shown_by: list[str]
    state: FilterState
    proposed_by: str
    proposed_at: datetime
    lasts_hours: int
    touches: list[str]
    """Customers whom it touches."""
    considered: list[str]
    ground: Ground | None
    decided_by: str
    decided_at: datetime | None
    decided_why: str
    starts_at: datetime | None
    letters: dict[str, str]
    """Customer -> the letter that told them."""
    measure: str
    ended_at: datetime | None
    ended_why: str


class DryRunOut(Schema):
    """What a filter would be and do, as things stand. Nothing was sent."""

    device: str | None
    flaw: str
    touches: list[str]
    """Who would be told: customers, and of those below a reseller the one that has the contract."""
    accounts: int
    shared_out: bool
    """It takes in a pool, whose users are not known here: it needs a ground."""
    unreached: list[str]
    narrower: list[str]


class FilterIn(Schema):
    network: Annotated[str, Field(max_length=50)]
    protocol: Literal["", "tcp", "udp"] = ""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    remote: Annotated[str, Field(max_length=50)] = ""
    """The far end, an address or a prefix: only traffic with it is touched; with a port."""
    source_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Only packets from this port are touched; with a port, which they go to."""
    direction: Literal["in", "out", "both"] = "both"
    degree: Literal["rate_limit", "block"] = "block"
    danger: _Text
    shown_by: Annotated[list[Annotated[str, Field(max_length=16)]], Field(max_length=20)]
    lasts_hours: Annotated[int, Field(ge=1, le=10_000)]
    why_no_narrower: _Text = ""
    ground: Ground | None = None


class FilterDecisionIn(Schema):
    decision: Literal["agree", "refuse"]
    seen: Annotated[int, Field(ge=0, le=10**7)]
    """How many customers you saw it touch (`dry-run`): who agrees, agrees to that."""
    why: _Text


class FilterGoesOnIn(Schema):
    hours: Annotated[int, Field(ge=1, le=10_000)]
    why: _Text


class FilterEndIn(Schema):
    why: _Text


@router.get("/filters", auth=Able(Ability.SEE_MEASURES, "measures"), response=list[FilterOut])
def list_filters(
    request: HttpRequest, response: HttpResponse, state: FilterState | None = None, cursor: Cursor = "",
    limit: Limit = 50,
) -> list[FilterOut]:  # fmt: skip
    """Filters that belong to no case, newest first, in pages."""
    found = enforcement.list_filters(states=(state,) if state else (), limit=limit + 1, after=opened(cursor))
    return [_out(each) for each in page(request, response, found, limit=limit, last=lambda each: each.key)]


@router.get("/filters/{key}", auth=Able(Ability.SEE_MEASURES, "measures"), response=FilterOut)
def get_filter(request: HttpRequest, response: HttpResponse, key: str) -> FilterOut:
    """One filter; an act on it may send its ETag as `If-Match`."""
    return with_etag(response, _found(key))


@router.get("/filters/{key}/dry-run", auth=Able(Ability.SEE_MEASURES, "measures"), response=DryRunOut)
def dry_run_filter(request: HttpRequest, key: str) -> DryRunOut:
    """Where it would be put in now, and whom it would touch."""
    found = enforcement.get_filter(plain(key))
    if found is None:
        raise HttpError(404, f"There is no filter {key}.")
    dry = dry_run(found.selector, found.degree, desk=wiring.desk(), at=wiring.now())
    return DryRunOut(
        device=dry.device, flaw=dry.flaw, touches=list(dry.touches), accounts=dry.accounts,
        shared_out=dry.shared_out, unreached=list(dry.unreached),
        narrower=list(dry.narrower),
    )  # fmt: skip


@router.post("/filters", auth=Able(Ability.PROPOSE_URGENT, "measures"), response={201: FilterOut})
def propose_filter(request: HttpRequest, asked: FilterIn) -> Status[FilterOut]:
    """Propose a filter; an engineer, who is somebody else, decides."""
    form = form_of(asked)
    form["shown_by"] = " ".join(form.getlist("shown_by"))
    return Status(201, _out(doing(lambda: propose(form, actor=request.user.get_username()))))


@router.post("/filters/{key}/decide", auth=Able(Ability.SECOND_URGENT, "measures"), response=FilterOut)
def decide_filter(request: HttpRequest, key: str, asked: FilterDecisionIn, if_match: IfMatch = "") -> FilterOut:
    """Agree to a filter, or refuse it: an engineer's, who did not propose it."""
    return _act(request, key, "decide", asked, if_match)


@router.post("/filters/{key}/go-on", auth=Able(Ability.SECOND_URGENT, "measures"), response=FilterOut)
def let_filter_go_on(request: HttpRequest, key: str, asked: FilterGoesOnIn, if_match: IfMatch = "") -> FilterOut:
    """Let a filter stand for so many hours from now: an engineer's."""
    return _act(request, key, "go-on", asked, if_match)


@router.post("/filters/{key}/end", auth=Able(Ability.LIFT, "measures"), response=FilterOut)
def end_filter(request: HttpRequest, key: str, asked: FilterEndIn, if_match: IfMatch = "") -> FilterOut:
    """Take a filter out, or withdraw it before it begins."""
    return _act(request, key, "end", asked, if_match)


def _act(request: HttpRequest, key: str, action: str, asked: Schema, if_match: str) -> FilterOut:
    seen(_found(key), if_match, what="filter", needed=False)
    given = Given(
        key=plain(key), form=form_of(asked), desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username()
    )
    doing(lambda: ON_FILTERS[action].run(given))
    return _found(key)


def _found(key: str) -> FilterOut:
    found = enforcement.get_filter(plain(key))
    if found is None:
        raise HttpError(404, f"There is no filter {key}.")
    return _out(found)


def _out(found: Filter) -> FilterOut:
    selector = found.selector
    return FilterOut(
        key=found.key, network=str(selector.network), protocol=selector.protocol, port=selector.port,
        remote=str(selector.remote) if selector.remote is not None else None, source_port=selector.source_port,
        direction=selector.direction.value, degree=found.degree.name.lower(), device=found.device,
        danger=found.danger, shown_by=list(found.shown_by), state=found.state, proposed_by=found.proposed_by,
        proposed_at=found.proposed_at, lasts_hours=found.lasts_hours, touches=list(found.touches),
        considered=list(found.considered), ground=found.ground, decided_by=found.decided_by,
        decided_at=found.decided_at, decided_why=found.decided_why, starts_at=found.starts_at,
        letters=dict(found.letters), measure=found.measure, ended_at=found.ended_at, ended_why=found.ended_why,
    )  # fmt: skip
