"""Cases by the API: what the console shows of them and does to them, by the same table of acts (decision 0103)."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from django.http import HttpRequest, HttpResponse, QueryDict
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import Field, StrictBool, StrictInt

from tipstaff import wiring
from tipstaff.cases import queries, rules
from tipstaff.ledger import queries as ledger
from tipstaff.notices.queries import letters_of_case
from tipstaff.procedures import work
from tipstaff.procedures.desk import Desk
from tipstaff.procedures.refusals import StaleCase
from tipstaff.procedures.searching import find
from tipstaff.words import Answer, Case, CaseState, Ground, Note

from ..console.actions import ACTIONS, Asked
from ..console.sentences import tell_all
from ..console.views import why_refused
from ..roles import Ability, may_decide
from ..shown import COUNTED_MAX
from ..tokens import ROOMS
from .acting import doing, offer, shape_of
from .auth import Able, token_of
from .moments import Instant
from .pages import Cursor, Limit, last_case, opened_case, opened_number, page, plain
from .problems import Problem
from .resources import LetterOut, letter_out

router = Router()

Words = Annotated[str, Field(max_length=8000)]


class CaseOut(Schema):
    """A case."""

    key: str
    customer: str
    customer_name: str
    service: str | None
    clause: str
    edition: str
    type: str
    severity: str
    state: CaseState
    outcome: str
    resource: str
    reports: int
    opened_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    assignee: str | None
    version: int
    extended: bool
    decides: str | None
    next: str
    """What happens next."""
    next_at: datetime | None
    """When it happens by itself."""
    act_by: datetime | None
    """By when somebody at the desk should act."""
    fixed_at: datetime | None
    watched_until: datetime | None
    reopened: int
    merged_into: str | None
    split_from: str | None
    snoozed_until: datetime | None
    tags: list[str]
    campaign: str | None
    customer_may_answer: list[Answer]


class NoteOut(Schema):
    """A colleague's note."""

    at: datetime
    actor: str
    text: str


class MemberOut(Schema):
    """How an incident or a sighting stands in its case."""

    key: str
    told_by: str | None
    decides: str | None
    waits: bool
    home: str | None


class StepOut(Schema):
    """One step of a case's story, as the console tells it."""

    at: datetime
    title: str
    text: str
    actor: str
    entry: int
    """Number of its line in the record."""


class LevelOut(Schema):
    """How the desk does on one clause."""

    clause: str
    within_seconds: int
    waiting: int
    late: int
    today: int


class LateOut(Schema):
    """A case, and by when somebody should act on it."""

    case: str
    clause: str
    act_by: datetime


class LatenessOut(Schema):
    """What is late now, and what will be late today."""

    levels: list[LevelOut]
    late: list[LateOut]
    today: list[LateOut]


class ManyIn(Schema):
    """One act on many cases, each with the version that was looked at."""

    cases: dict[str, StrictInt] = Field(min_length=1, max_length=work.BULK_MAX)
    action: Literal["assign", "snooze", "tag", "link"]
    value: Annotated[str, Field(max_length=200)] = ""
    preview: StrictBool = False
    """Only say what it would change."""


class ManyOut(Schema):
    """What an act on many cases changed, or would."""

    id: int | None
    """For the undo; none for a preview."""
    changed: list[str]
    left: list[str]
    """Changed by somebody meanwhile, or not there: they stay as they are."""


class UndoneOut(Schema):
    """What an undo put back."""

    put_back: list[str]
    left: list[str]


class ViewOut(Schema):
    """A list of cases under a name."""

    id: int
    owner: str
    name: str
    query: str
    shared: bool


class ViewIn(Schema):
    """A list of cases to keep: the query of its address in the console."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    query: Annotated[str, Field(max_length=500)]
    shared: StrictBool = False


@router.get("/cases", auth=Able(Ability.SEE_DESK, "cases"), response=list[CaseOut])
def list_cases(
    request: HttpRequest,
    response: HttpResponse,
    state: CaseState | None = None,
    search: str = "",
    tag: str = "",
    campaign: str = "",
    brand: Annotated[str, Query(max_length=32)] = "",
    watched: bool = False,
    order: Literal["due", "newest"] = "due",
    cursor: Cursor = "",
    limit: Limit = 50,
    offset: Annotated[int, Query(ge=0, le=COUNTED_MAX)] = 0,
) -> list[CaseOut]:
    """Cases, most pressing first; with `order=newest` in pages, whose next one stands in the header `Link`."""
    narrowed = queries.Narrowed(
        tag=plain(tag) or None, campaign=plain(campaign) or None, brand=plain(brand) or None,
        watcher=str(request.user.get_username()) if watched else None,
        before=opened_case(cursor),
    )  # fmt: skip
    newest = order == "newest" or bool(cursor)
    found = queries.list_cases(
        states=frozenset({state}) if state else None, search=plain(search), narrowed=narrowed,
        order="newest" if newest else "due", limit=limit + 1, offset=0 if newest else offset,
    )  # fmt: skip
    if newest:
        found = list(page(request, response, found, limit=limit, last=last_case, order="newest"))
    desk = wiring.desk()
    return [case_out(case, desk=desk) for case in found[:limit]]


class FoundOut(Schema):
    """What fits a search, newest first: keys of each kind."""

    cases: list[str]
    reports: list[str]
    letters: list[str]
    customers: list[str]
    sightings: list[str]


@router.get("/search", auth=Able(Ability.SEE_DESK, "cases"), response=FoundOut)
def search(request: HttpRequest, q: Annotated[str, Query(max_length=200)], limit: Limit = 25) -> FoundOut:
    """Everything that fits an address, a prefix, a host name, a Message-ID, a name or words.

    A token finds nothing in rooms that it may not read.
    """
    found, token = find(plain(q), limit=limit, at=wiring.now()), token_of(request)
    open_ = {room: token is None or f"{room}:read" in token.scopes for room in ROOMS}
    return FoundOut(
        cases=[case.key for case in found.cases if open_["cases"]],
        reports=[report.key for report in found.reports if open_["reports"]],
        letters=[letter.key for letter in found.letters if open_["letters"]],
        customers=[customer.key for customer in found.customers if open_["registry"]],
        sightings=[measured.key for measured in found.sightings if open_["sightings"]],
    )


@router.get("/cases/late", auth=Able(Ability.SEE_DESK, "cases"), response=LatenessOut)
def late(request: HttpRequest) -> LatenessOut:
    """What of the desk's own work is late now, and will be today, by clause; of each the first 200 cases."""
    found = work.lateness(desk=wiring.desk(), at=wiring.now())
    return LatenessOut(
        levels=[
            LevelOut(
                clause=each.clause, within_seconds=int(each.within.total_seconds()), waiting=each.waiting,
                late=each.late, today=each.today,
            )
            for each in found.levels
        ],
        late=[LateOut(case=case.key, clause=case.clause, act_by=by) for case, by in found.late],
        today=[LateOut(case=case.key, clause=case.clause, act_by=by) for case, by in found.today],
    )  # fmt: skip


@router.post("/cases/many", auth=Able(Ability.NOTE, "cases"), response=ManyOut)
def change_many(request: HttpRequest, asked: ManyIn) -> Any:
    """Give many cases to somebody, snooze, tag or link them; `preview` only says what that would change."""
    actor, at = _actor(request), wiring.now()
    versions = {plain(key): version for key, version in asked.cases.items()}
    value = plain(asked.value)

    def run() -> dict[str, Any]:
        if asked.preview:
            work.check_value(asked.action, value, desk=wiring.desk(), at=at)
            found = queries.list_cases(narrowed=queries.Narrowed(keys=frozenset(versions)), limit=work.BULK_MAX)
            fit = sorted(case.key for case in found if versions[case.key] == case.version)
            return {"id": None, "changed": fit, "left": sorted(set(versions) - set(fit))}
        bulk, left = work.change_all(
            versions, action=asked.action, value=value, desk=wiring.desk(), at=at, actor=actor
        )  # fmt: skip
        return {"id": bulk.id, "changed": list(bulk.cases), "left": left}

    return _doing(run)


@router.post("/cases/many/{number}/undo", auth=Able(Ability.NOTE, "cases"), response=UndoneOut)
def undo_many(request: HttpRequest, number: int) -> UndoneOut:
    """Undo what one did to many cases, where nobody changed them since."""
    back, left = _doing(lambda: work.undo_all(number, at=wiring.now(), actor=_actor(request)))
    return UndoneOut(put_back=list(back), left=list(left))


@router.get("/views", auth=Able(Ability.SEE_DESK, "cases"), response=list[ViewOut])
def list_views(request: HttpRequest) -> list[ViewOut]:
    """Lists that one keeps, and those that colleagues share."""
    return [_view(view) for view in work.saved_views(_actor(request))]


@router.post("/views", auth=Able(Ability.NOTE, "cases"), response=ViewOut)
def keep_view(request: HttpRequest, kept: ViewIn) -> ViewOut:
    """Keep a list under a name, or change one's own of that name."""
    name, query = plain(kept.name), kept.query.replace("\x00", "")
    return _view(_doing(lambda: work.save_view(name, query=query, shared=kept.shared, owner=_actor(request))))


@router.delete("/views/{number}", auth=Able(Ability.NOTE, "cases"), response={204: None})
def forget_view(request: HttpRequest, number: int) -> HttpResponse:
    """Forget a list of one's own."""
    if not work.forget_view(number, owner=_actor(request)):
        raise HttpError(404, "You keep no such list.")
    return HttpResponse(status=204)


@router.get("/cases/{key}", auth=Able(Ability.SEE_DESK, "cases"), response=CaseOut)
def get_case(request: HttpRequest, response: HttpResponse, key: str) -> Any:
    """One case; its ETag is what an act on it sends as `If-Match`."""
    case = _case(key)
    response["ETag"] = etag(case)
    return case_out(case)


@router.get("/cases/{key}/notes", auth=Able(Ability.SEE_DESK, "cases"), response=list[NoteOut])
def list_notes(request: HttpRequest, key: str) -> list[Note]:
    """What colleagues wrote on a case, oldest first."""
    return queries.notes_of(_case(key).key)


@router.get("/cases/{key}/incidents", auth=Able(Ability.SEE_DESK, "cases"), response=list[MemberOut])
def list_members(
    request: HttpRequest, response: HttpResponse, key: str, cursor: Cursor = "", limit: Limit = 200
) -> list[MemberOut]:  # fmt: skip
    """What a case holds, and how each stands in it, in the order in which they came, in pages."""
    found = queries.members_page(_case(key).key, after=opened_number(cursor) or 0, limit=limit + 1)
    return [
        MemberOut(key=k, told_by=m.told_by, decides=m.decides, waits=m.waits, home=m.home)
        for _, k, m in page(request, response, found, limit=limit, last=lambda each: str(each[0]))
    ]


@router.get("/cases/{key}/history", auth=Able(Ability.SEE_DESK, "cases"), response=list[StepOut])
def tell_history(
    request: HttpRequest, response: HttpResponse, key: str, cursor: Cursor = "", limit: Limit = 200
) -> list[StepOut]:  # fmt: skip
    """What happened, step by step, oldest first, in pages; entries that only the record needs are no steps."""
    key = _case(key).key
    found = ledger.trace_page(key, after=opened_number(cursor) or 0, limit=limit + 1)
    entries = page(request, response, found, limit=limit, last=lambda each: str(each.id))
    return [
        StepOut(at=step.at, title=step.title, text=step.text, actor=step.actor, entry=step.entry)
        for step in tell_all(entries, letters=letters_of_case(key))
    ]


@router.get("/cases/{key}/letters", auth=Able(Ability.SEE_DESK, "letters"), response=list[LetterOut])
def list_case_letters(request: HttpRequest, key: str) -> list[LetterOut]:
    """The letters about a case, oldest first."""
    return [letter_out(letter) for letter in letters_of_case(_case(key).key)]


_WHY: Mapping[str, Any] = {"why": (Words, ...)}
FIELDS: Mapping[str, Mapping[str, Any]] = {
    "note": {"text": (Words, ...)},
    "take": {},
    "release": {},
    "hand-over": {"to": (Words, ...), "note": (Words, "")},
    "snooze": {"until": (Instant, ...), "why": (Words, "")},
    "wake": {},
    "tag": {
        "add": (list[str], Field(default=[], max_length=50)),
        "remove": (list[str], Field(default=[], max_length=50)),
    },
    "link": {"campaign": (Words, ""), **_WHY},
    "watch": {},
    "unwatch": {},
    "merge": {"into": (Words, ...), **_WHY},
    "part": _WHY,
    "split": {"incident": (list[str], Field(min_length=1, max_length=1000)), **_WHY},
    "reopen": _WHY,
    "not-upheld": _WHY,
    "fixed": _WHY,
    "review": {"decision": (Literal["upheld", "rejected"], ...), **_WHY},
    "decide": {"decision": (Literal["go_ahead", "stop"], ...), **_WHY},
    "joined": {"decision": (Literal["tell", "leave"], ...), **_WHY},
    "answer-back": _WHY,
    "note-answer": {"answer": (Answer, ...), "words": (Words, ...)},
    "propose-urgent": {"ground": (Ground, ...), "shown_by": (Words, ...)},
    "second-urgent": {},
    "second-wide": {},
    "refuse-transit": _WHY,
    "second-transit": {},
    "suspend-spreader": _WHY,
    "second-suspension": {},
}
"""What each act takes, as the console's form for it has it."""
FREE = frozenset(
    {
        "note",
        "watch",
        "unwatch",
        "part",
        "propose-urgent",
        "second-urgent",
        "second-wide",
        "refuse-transit",
        "second-transit",
        "suspend-spreader",
        "second-suspension",
    }
)
"""Acts that no earlier look can have been wrong about: they take no `If-Match`."""


class DoneOut(Schema):
    """What was done, in a sentence, and the case as it stands now."""

    said: str
    case: CaseOut


def _operation(action: str) -> None:
    """`POST /cases/{key}/ACTION`, for whoever may do it in the console."""
    chosen = ACTIONS[action]

    def run(request: HttpRequest, key: str, form: QueryDict, if_match: str) -> tuple[str, CaseOut, str]:
        found = _case(key)
        if chosen.decides and not may_decide(request.user, found):
            raise HttpError(403, f"The clause leaves this to the role {found.decides}.")

        form["version"] = str(_version(found, if_match, needed=action not in FREE))
        given = Asked(case=found, form=form, desk=wiring.desk(), at=wiring.now(), actor=_actor(request))
        said = _doing(lambda: chosen.run(given), now=found)
        now = _case(key)
        return said, case_out(now), etag(now)

    takes = shape_of("", action, FIELDS[action])
    offer(router, "case", action, ability=chosen.ability, takes=takes, out=DoneOut, run=run)


for _action in ACTIONS:
    _operation(_action)


def etag(case: Case) -> str:
    return f'"{case.key}.{case.version}"'


def _version(case: Case, if_match: str, *, needed: bool) -> int:
    """The version that whoever asks has seen; raise 428 without one where it is needed, and 412 for another case's."""
    if not if_match:
        if needed:
            raise Problem(428, "Send the ETag of the case as you saw it in `If-Match`.", etag=etag(case))
        return case.version
    key, _, version = if_match.strip().strip('"').rpartition(".")
    if key != case.key or not version.isdecimal() or len(version) > 9 or (not needed and int(version) != case.version):
        raise Problem(412, StaleCase.__doc__ or "", etag=etag(case), case=_as_json(case))
    return int(version)


T = TypeVar("T")


def _doing(run: Callable[[], T], *, now: Case | None = None) -> T:
    """Run it; a case that somebody changed meanwhile is told as it is now."""
    try:
        return doing(run)
    except StaleCase as stale:
        fresh = queries.get_case(now.key) if now is not None else None
        more = {"etag": etag(fresh), "case": _as_json(fresh)} if fresh is not None else {}
        raise Problem(412, why_refused(stale), **more) from stale


def _actor(request: HttpRequest) -> str:
    return str(request.user.get_username())


def _case(key: str) -> Case:
    found = queries.get_case(plain(key))
    if found is None:
        raise HttpError(404, f"There is no case {key}.")
    return found


def _view(view: work.SavedView) -> ViewOut:
    return ViewOut(id=view.id, owner=view.owner, name=view.name, query=view.query, shared=view.shared)


def _as_json(case: Case) -> Any:
    return json.loads(case_out(case).model_dump_json())


def case_out(case: Case, *, desk: Desk | None = None) -> CaseOut:
    """A case as the API says it; `desk` is the desk's own, where many are said at once."""
    return CaseOut(
        key=case.key,
        customer=case.customer,
        customer_name=case.customer_name,
        service=case.service,
        clause=case.clause,
        edition=case.edition,
        type=case.type,
        severity=case.severity.name.lower(),
        state=case.state,
        outcome=case.outcome.value,
        resource=case.resource,
        reports=case.reports,
        opened_at=case.opened_at,
        due_at=case.due_at,
        closed_at=case.closed_at,
        assignee=case.assignee,
        version=case.version,
        extended=case.extended,
        decides=case.decides,
        next=rules.what_next(case),
        next_at=rules.next_at(case),
        act_by=work.act_by(case, desk=desk or wiring.desk()),
        fixed_at=case.fixed_at,
        watched_until=case.watched_until,
        reopened=case.reopened,
        merged_into=case.merged_into,
        split_from=case.split_from,
        snoozed_until=case.snoozed_until,
        tags=list(case.tags),
        campaign=case.campaign,
        customer_may_answer=list(rules.answers_open_to(case, at=wiring.now())),
    )
