"""Reports, letters, measures and sightings, and who held what, under the same permissions as the console."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import Field, StrictBool, StrictFloat, StrictInt

from tipstaff import wiring
from tipstaff.enforcement import queries as enforcement
from tipstaff.intake import queries as intake
from tipstaff.notices import queries as notices
from tipstaff.procedures import sighting
from tipstaff.procedures.lookup import answer_one
from tipstaff.procedures.questions import NoQuestion, answer_json, question_of
from tipstaff.procedures.refusals import NoSuchSighting, NotLeftToAPerson, NotYourDecision
from tipstaff.sensors import queries as sensors
from tipstaff.words import (
    Disposition,
    Letter,
    LetterKind,
    LetterState,
    Measure,
    Measured,
    MeasureState,
    Report,
    ReportOutcome,
)

from ..console.acts import ON_LETTERS, ON_MEASURES, ON_REPORTS
from ..console.views import ADDRESS_MAX, as_pdf, printed
from ..roles import Ability, may
from .acting import add_acts, doing
from .auth import Able
from .pages import Cursor, Limit, opened, page, plain, with_etag

router = Router()
QUESTIONS_MAX = 500


class IncidentOut(Schema):
    """One allegation of a report."""

    key: str
    type: str
    offender: str
    port: int | None
    at: datetime | None
    outcome: str
    reason: str
    case: str | None


class ReportOut(Schema):
    """A report."""

    key: str
    received_at: datetime
    evidence: str
    outcome: str
    reason: str
    incidents: list[IncidentOut]


class MeasureOut(Schema):
    """A measure."""

    key: str
    case: str
    customer: str
    device: str
    selector: str
    degree: str
    state: str
    proof: str
    proof_at: datetime | None
    planned_at: datetime
    in_force_at: datetime | None
    until: datetime | None
    lifted_when: str


class LetterOut(Schema):
    """A letter, without its text."""

    key: str
    kind: LetterKind
    to: str
    subject: str
    state: LetterState
    case: str | None
    report: str | None
    created_at: datetime
    sent_at: datetime | None


class WholeLetterOut(LetterOut):
    """A letter as it was written. The customer's link is not in it: it is put in only when it is sent."""

    language: str
    text: str
    attempts: int
    detail: str


@router.get("/reports", auth=Able(Ability.SEE_DESK, "reports"), response=list[ReportOut])
def list_reports(
    request: HttpRequest,
    response: HttpResponse,
    outcome: ReportOutcome | None = None,
    search: str = "",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> list[ReportOut]:
    """Reports, newest first, in pages."""
    sealed = may(request.user, Ability.SEE_SEALED)
    found = intake.list_reports(
        outcome=outcome, search=plain(search), limit=limit + 1, sealed=sealed, before=opened(cursor)
    )  # fmt: skip
    return [_report(r) for r in page(request, response, found, limit=limit, last=lambda r: r.key)]


@router.get("/reports/{key}", auth=Able(Ability.SEE_DESK, "reports"), response=ReportOut)
def get_report(request: HttpRequest, response: HttpResponse, key: str) -> ReportOut:
    """One report; its ETag is what an act on it sends as `If-Match`."""
    return with_etag(response, _found_report(plain(key)))


@router.get("/letters", auth=Able(Ability.SEE_DESK, "letters"), response=list[LetterOut])
def list_letters(
    request: HttpRequest,
    response: HttpResponse,
    state: LetterState | None = None,
    kind: LetterKind | None = None,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> list[LetterOut]:
    """Letters without their text, newest first, in pages."""
    found = notices.list_letters(state=state, kind=kind, limit=limit + 1, before=opened(cursor))
    return [letter_out(x) for x in page(request, response, found, limit=limit, last=lambda x: x.key)]


@router.get("/letters/{key}", auth=Able(Ability.SEE_DESK, "letters"), response=WholeLetterOut)
def get_letter(request: HttpRequest, response: HttpResponse, key: str) -> WholeLetterOut:
    """One letter with its text; its ETag is what an act on it sends as `If-Match`."""
    return with_etag(response, _found_letter(plain(key)))


@router.get("/measures", auth=Able(Ability.SEE_MEASURES, "measures"), response=list[MeasureOut])
def list_measures(
    request: HttpRequest,
    response: HttpResponse,
    state: MeasureState | None = None,
    device: Annotated[str | None, Query(max_length=100)] = None,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> list[MeasureOut]:
    """Measures, newest first, in pages."""
    found = enforcement.list_measures(
        state=state, device=plain(device) if device else None, limit=limit + 1, after=opened(cursor)
    )  # fmt: skip
    return [_measure(m) for m in page(request, response, found, limit=limit, last=lambda m: m.key)]


@router.get("/measures/{key}", auth=Able(Ability.SEE_MEASURES, "measures"), response=MeasureOut)
def get_measure(request: HttpRequest, response: HttpResponse, key: str) -> MeasureOut:
    """One measure; its ETag is what an act on it sends as `If-Match`."""
    return with_etag(response, _found_measure(plain(key)))


class SightingOut(Schema):
    """What a sensor of our own measured, and what became of it."""

    key: str
    sensor: str
    id: str
    kind: str
    at: datetime
    offender: str
    became: Disposition | None
    reason: str
    case: str | None
    left_to_person: bool
    done_at: datetime | None
    done_by: str
    done_why: str


class SightingsDecision(Schema):
    """What a person decides on sightings that the judge left to a person: all of them, or none."""

    keys: Annotated[list[str], Field(min_length=1, max_length=QUESTIONS_MAX)]
    decision: Literal["done", "again"]
    why: Annotated[str, Field(min_length=1, max_length=2000)]


@router.post("/sightings/decide", auth=Able(Ability.NOTE, "sightings"), response=list[SightingOut])
def decide_sightings(request: HttpRequest, decided: SightingsDecision) -> list[SightingOut]:
    """Close sightings that wait for a person (`done`), or put them to the judge again (`again`)."""
    keys, why = [plain(key) for key in decided.keys], decided.why.replace("\x00", "").strip()
    if not why:
        raise HttpError(422, "Say why: the reason stands in the record.")
    act = sighting.judge_again if decided.decision == "again" else sighting.close_left
    try:
        act(keys, why=why, desk=wiring.desk(), at=wiring.now(), actor=request.user.get_username())
    except NoSuchSighting as gone:
        raise HttpError(404, f"There is no sighting {gone}.") from gone
    except NotYourDecision as refusal:
        raise HttpError(403, str(refusal)) from refusal
    except NotLeftToAPerson as refusal:
        raise HttpError(409, str(refusal)) from refusal
    return [_sighting(found) for found in map(sensors.get_measured, keys) if found is not None]


@router.get("/sightings", auth=Able(Ability.SEE_DESK, "sightings"), response=list[SightingOut])
def list_sightings(
    request: HttpRequest,
    response: HttpResponse,
    became: Disposition | None = None,
    left: bool = False,
    search: str = "",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> list[SightingOut]:
    """Sightings, newest first, in pages; with `left` those that wait for a person, oldest first, in one."""
    if left:
        return [_sighting(measured) for measured in sensors.left_to_people(limit=limit)]
    found = sensors.list_measured(
        dispositions=(became,) if became else (), search=plain(search), limit=limit + 1, before=opened(cursor)
    )  # fmt: skip
    return [_sighting(m) for m in page(request, response, found, limit=limit, last=lambda m: m.key)]


@router.get("/sightings/{key}", auth=Able(Ability.SEE_DESK, "sightings"), response=SightingOut)
def get_sighting(request: HttpRequest, key: str) -> SightingOut:
    found = sensors.get_measured(plain(key))
    if found is None:
        raise HttpError(404, f"There is no sighting {key}.")
    return _sighting(found)


class QuestionIn(Schema):
    """Who held it? Leave out what is not known."""

    address: str
    port: StrictInt | None = None
    protocol: str = ""
    at: str = ""
    precision_seconds: StrictFloat | StrictInt | None = None
    destination: str = ""
    """The address that the connection was with."""
    destination_port: StrictInt | None = None


@router.post("/attribute", auth=Able(Ability.SEE_DESK, "registry", reads=True), response=list[dict[str, Any]])
def attribute(request: HttpRequest, questions: list[QuestionIn]) -> list[dict[str, Any]]:
    """Who held each, in order: grade, customer, service and proof, or an error. At most 500 at once."""
    if len(questions) > QUESTIONS_MAX:
        raise HttpError(413, f"At most {QUESTIONS_MAX} questions at once; for more there is `tipstaff attribute`.")
    at = wiring.now()
    return [_answered(question, at) for question in questions]


def _answered(asked: QuestionIn, at: datetime) -> dict[str, Any]:
    fields = [
        asked.address, asked.port, asked.protocol, asked.at, asked.precision_seconds, asked.destination,
        asked.destination_port,
    ]  # fmt: skip
    try:
        question = question_of(["" if f is None else plain(str(f)) for f in fields], asked_at=at)
    except NoQuestion as why:
        return {"error": str(why)}
    return answer_json(answer_one(question, received_at=at))


def _sighting(measured: Measured) -> SightingOut:
    seen = measured.sighting
    return SightingOut(
        key=measured.key,
        sensor=seen.sensor,
        id=seen.id,
        kind=seen.kind,
        at=seen.moment.at,
        offender=seen.offender,
        became=measured.disposition,
        reason=measured.reason,
        case=measured.case,
        left_to_person=measured.left_to_person,
        done_at=measured.done_at,
        done_by=measured.done_by,
        done_why=measured.done_why,
    )


def _found_report(key: str) -> ReportOut:
    found = intake.get_report(key)
    if found is None:
        raise HttpError(404, f"There is no report {key}.")
    return _report(found)


def _found_letter(key: str) -> WholeLetterOut:
    found = notices.get_letter(key)
    if found is None:
        raise HttpError(404, f"There is no letter {key}.")
    return WholeLetterOut(
        **letter_out(found).dict(), language=found.language, text=found.body, attempts=found.attempts,
        detail=found.detail,
    )  # fmt: skip


def _found_measure(key: str) -> MeasureOut:
    found = enforcement.get_measure(key)
    if found is None:
        raise HttpError(404, f"There is no measure {key}.")
    return _measure(found)


def letter_out(letter: Letter) -> LetterOut:
    return LetterOut(**{name: getattr(letter, name) for name in LetterOut.model_fields})


def _report(report: Report) -> ReportOut:
    sealed = report.outcome is ReportOutcome.SEALED
    return ReportOut(
        key=report.key,
        received_at=report.received_at,
        evidence=report.evidence,
        outcome=report.outcome.value,
        reason=report.outcome_reason,
        incidents=[]
        if sealed
        else [
            IncidentOut(
                key=i.key,
                type=i.allegation.type,
                offender=i.allegation.offender,
                port=i.allegation.source_port,
                at=i.allegation.moment.at if i.allegation.moment else None,
                outcome=i.outcome.value,
                reason=i.reason,
                case=i.case,
            )
            for i in report.incidents
        ],
    )


def _measure(measure: Measure) -> MeasureOut:
    return MeasureOut(
        key=measure.key,
        case=measure.case,
        customer=measure.customer,
        device=measure.device,
        selector=str(measure.selector),
        degree=measure.degree.name.lower(),
        state=measure.state.value,
        proof=measure.proof.name.lower(),
        proof_at=measure.proof_at,
        in_force_at=measure.in_force_at,
        planned_at=measure.planned_at,
        until=measure.until,
        lifted_when=measure.lifted_when,
    )


class PrintIn(Schema):
    """To whom a letter is posted."""

    address: Annotated[str, Field(max_length=ADDRESS_MAX)]
    """Name and postal address, a line for each part."""


@router.post("/letters/{key}/print", auth=Able(Ability.SEND_AGAIN, "letters"), response={200: None})
def print_letter(request: HttpRequest, key: str, asked: PrintIn) -> HttpResponse:
    """A letter that reached nobody, as a PDF to print and post, with the customer's link in it.

    The answer is not kept: a second request under the same Idempotency-Key is answered 409.
    """
    name, address = _found_letter(plain(key)).key, asked.address.replace("\x00", "")
    made = doing(lambda: printed(name, address=address, actor=request.user.get_username()))
    answer = as_pdf(made, name=name)
    answer["Cache-Control"] = "no-store"
    return answer


_WHY: Mapping[str, Any] = {"why": (Annotated[str, Field(max_length=2000)], ...)}
_WORDS: Any = Annotated[str, Field(max_length=2000)]
_OPTIONAL: Any = (Annotated[str, Field(max_length=200)], "")
FIELDS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "report": {
        "set-aside": {**_WHY, "tell": (StrictBool, Field(default=False, description="Tell the complainant why."))},
        "seal": {},
        "read-as": {
            "type": _OPTIONAL,
            "clause": _OPTIONAL,
            "source": (
                Annotated[str, Field(max_length=25_000)],
                Field(default="", description="An address, or several parted by blanks."),
            ),
            "source_port": (Annotated[StrictInt, Field(ge=0, le=65535)] | None, None),
            "url": (Annotated[str, Field(max_length=2000)], ""),
            "at": _OPTIONAL,
            "keep_back": (
                StrictBool,
                Field(default=False, description="Our notice would endanger somebody: counsel alone goes on with it."),
            ),
            "why": (_WORDS, Field(default="", description="With `keep_back`: how our notice would endanger them.")),
            "as_read": (
                Annotated[str, Field(max_length=200)],
                Field(default="", description="The key of its first incident: it was read right, go by all of it."),
            ),
        },
    },
    "letter": {
        "again": {},
        "arrived": {},
        "posted": {"on": (Annotated[str, Field(max_length=10, description="The day: 2026-10-01.")], ...)},
        "phoned": {"whom": (_WORDS, ...), "said": (_WORDS, ...)},
        "unanswered": {"whom": (_WORDS, ...)},
        "reached": {"whom": (_WORDS, ...), "how": (_WORDS, ...)},
    },
    "measure": {"lift": _WHY, "prolong": _WHY, "agree": {}, "taken-as-lifted": _WHY},
}
"""What each act takes, as the console's form for it has it."""
add_acts(router, "report", ON_REPORTS, FIELDS["report"], out=ReportOut, find=_found_report)
add_acts(router, "letter", ON_LETTERS, FIELDS["letter"], out=WholeLetterOut, find=_found_letter)
add_acts(router, "measure", ON_MEASURES, FIELDS["measure"], out=MeasureOut, find=_found_measure)
