"""What else the console shows and does: the inbox and its counters, evidence, the sealed queue, health, editions."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from ninja import Router, Schema
from ninja.errors import HttpError
from pydantic import Field, StrictBool

from tipstaff import wiring
from tipstaff.editions.queries import get_edition, list_editions
from tipstaff.procedures.sealed import QUEUE
from tipstaff.words import EditionOnRecord, EditionState

from ..console import reads
from ..console.editions import REFUSED, STEPS, Take
from ..console.views import send_raw
from ..eyes import note_look
from ..roles import Ability
from .acting import form_of
from .auth import Able
from .pages import Cursor, IfMatch, Limit, opened, page, plain, seen, with_etag
from .problems import Problem

router = Router()


class NumbersOut(Schema):
    """The row of counters above the list of cases."""

    open: int
    overdue: int
    waiting: int
    """All that waits for a person, as the inbox has it."""
    measures_in_force: int
    complaints_today: int


class WaitingCaseOut(Schema):
    """A case that waits for a person, and why."""

    case: str
    why: str


class ToCarryOut(Schema):
    """A letter that mail brought to nobody, and what somebody does next about it."""

    letter: str
    case: str
    next: Literal["call", "print", "post", "ask", "find"]
    phone: str | None
    """Whom to call next."""
    printable: bool
    """A font is here in which it can be printed."""


class InboxOut(Schema):
    """What waits for a person: keys, of each kind as many as the console's page shows."""

    numbers: NumbersOut
    cases: list[WaitingCaseOut]
    reports: list[str]
    letters: list[str]
    to_carry: list[ToCarryOut]
    measures: list[str]
    """Refused by a guard."""
    still_stopped: list[str]
    """Lifted, while their target stays stopped."""
    devices: list[str]
    """They do not answer, or hold new measures back until two people agree."""
    admissions: list[str]
    sightings: list[str]


class ProgramOut(Schema):
    """How one program does, as the database tells it."""

    name: str
    well: bool
    detail: str


class SealedOut(Schema):
    """Something in the sealed queue: never its words."""

    digest: str
    octets: int
    received_at: datetime
    report: str | None
    taken_out: list[dict[str, Any]]
    """Type, size and SHA-256 of each part that was not kept."""


class EditionOut(Schema):
    """An edition of the policy, as it stands on record."""

    id: str
    digest: str
    state: EditionState
    title: str
    drafted_by: str
    drafted_at: datetime
    approved_by: str
    approved_at: datetime | None
    significant: bool
    compiled_at: datetime | None
    announced_at: datetime | None
    posted_by: str
    posted_at: datetime | None
    effective_at: datetime | None


class StepIn(Schema):
    """What a step of an edition takes, as the console's form has it."""

    seen: Annotated[str, Field(max_length=64)] = ""
    """Of `approve`, and needed there: the SHA-256 of the draft that was read."""
    significant: StrictBool = False
    """Of `approve`: customers are told before it counts."""
    why: Annotated[str, Field(max_length=2000)] = ""


class StepDoneOut(Schema):
    """What was done, in a sentence, and the edition as it stands now."""

    said: str
    edition: EditionOut


@router.get("/inbox", auth=Able(Ability.SEE_DESK, "cases"), response=InboxOut)
def inbox(request: HttpRequest) -> InboxOut:
    """What waits for a person, and the counters above the list of cases."""
    at = wiring.now()
    numbers, found = reads.numbers(at), reads.inbox(at)
    return InboxOut(
        numbers=NumbersOut(
            open=numbers.open, overdue=numbers.overdue, waiting=numbers.waiting, measures_in_force=numbers.in_force,
            complaints_today=numbers.today,
        ),
        cases=[WaitingCaseOut(case=case.key, why=why) for case, why in found.cases],
        reports=[report.key for report in found.reports], letters=[letter.key for letter in found.letters],
        to_carry=[
            ToCarryOut(
                letter=task.letter.key, case=task.case.key, next=task.next.value, printable=task.printable,
                phone=task.callee.phone if task.callee else None,
            )
            for task in found.to_carry
        ],
        measures=[measure.key for measure in found.measures],
        still_stopped=[measure.key for measure in found.still_stopped],
        devices=[health.device for health in found.devices],
        admissions=[admission.key for admission in found.admissions],
        sightings=[measured.key for measured, _ in found.sightings],
    )  # fmt: skip


@router.get("/health", auth=Able(Ability.SEE_HEALTH, "figures"), response=list[ProgramOut])
def health(request: HttpRequest) -> list[ProgramOut]:
    """How the programs are doing: one that stands still leaves its work lying."""
    return [ProgramOut(name=x.name, well=x.well, detail=x.detail) for x in reads.programs(wiring.now())]


@router.get("/sealed", auth=Able(Ability.SEE_SEALED, "reports"), response=list[SealedOut])
def sealed(
    request: HttpRequest, response: HttpResponse, cursor: Cursor = "", limit: Limit = 50
) -> list[SealedOut]:  # fmt: skip
    """The sealed queue, newest first, in pages: digests, sizes and references. Who looked is in the record."""
    note_look(request.user, keys={QUEUE})
    found = page(
        request, response, reads.sealed_queue(limit=limit + 1, after=opened(cursor)), limit=limit,
        last=lambda each: each[0].digest,
    )  # fmt: skip
    return [
        SealedOut(digest=e.digest, octets=e.size, received_at=e.received_at, report=report, taken_out=taken_out)
        for e, report, taken_out in found
    ]


@router.get("/evidence/{key}", auth=Able(Ability.SEE_DESK, "reports"), response={200: None})
def evidence(request: HttpRequest, key: str) -> HttpResponseBase:
    """The bytes as they were received, as text that nothing runs. Sealed bytes never leave: 403."""
    try:
        return send_raw(plain(key), save=True)
    except Http404 as none:
        raise HttpError(404, "There is no evidence of this digest.") from none


@router.get("/editions", auth=Able(Ability.SEE_POLICY, "policy"), response=list[EditionOut])
def editions(request: HttpRequest) -> list[EditionOnRecord]:
    """Every edition on record, and how far each is. What they say is at `/policy/EDITION.json`."""
    return list(list_editions())


@router.get("/editions/{key}", auth=Able(Ability.SEE_POLICY, "policy"), response=EditionOut)
def one_edition(request: HttpRequest, response: HttpResponse, key: str) -> EditionOut:
    """One edition on record; a step of it may send its ETag as `If-Match`."""
    return with_etag(response, _edition(plain(key)))


def _edition(id: str) -> EditionOut:
    found = get_edition(id)
    if found is None:
        raise HttpError(404, f"There is no edition {id}.")
    return EditionOut(**{name: getattr(found, name) for name in EditionOut.model_fields})


def _step(action: str) -> None:
    """`POST /editions/{key}/STEP`, for whoever may take it in the console."""
    ability, take = STEPS[action]

    def operation(
        request: HttpRequest, response: HttpResponse, key: str, asked: StepIn, if_match: IfMatch = ""
    ) -> dict[str, Any]:
        id = plain(key)
        seen(_edition(id), if_match, what="edition", needed=False)
        said = _said(take, form_of(asked), id, actor=request.user.get_username())
        return {"said": said, "edition": with_etag(response, _edition(id))}

    operation.__doc__ = f"{action.capitalize()} an edition: what the console does under that name."
    operation.__name__ = f"edition_{action}"
    router.post(f"/editions/{{key}}/{action}", auth=Able(ability, "policy"), response=StepDoneOut)(operation)


for _action in STEPS:
    _step(_action)


def _said(take: Take, form: QueryDict, id: str, *, actor: str) -> str:
    try:
        return take(form, id, actor=actor)
    except REFUSED as why:
        raise Problem(HTTPStatus.CONFLICT, " ".join((type(why).__doc__ or "").split())) from why
