"""Reports and measures to read, and who held what, under the same permissions as the console."""

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import NinjaAPI, Query, Schema
from ninja.errors import HttpError
from pydantic import Field

from tipstaff import wiring
from tipstaff.enforcement import queries as enforcement
from tipstaff.intake import queries as intake
from tipstaff.procedures import sighting
from tipstaff.procedures.lookup import answer_one
from tipstaff.procedures.questions import NoQuestion, answer_json, question_of
from tipstaff.procedures.refusals import NoSuchSighting, NotLeftToAPerson, NotYourDecision
from tipstaff.sensors import queries as sensors
from tipstaff.words import (
    Disposition,
    Measure,
    Measured,
    MeasureState,
    Report,
    ReportOutcome,
)

from ..roles import Ability, may
from .auth import Able, nobody
from .problems import tell_problems

api = NinjaAPI(
    title="Tipstaff", version="1", docs_url=None, urls_namespace="api", auth=nobody
)  # The documentation page would need inline scripts; /api/openapi.json is what tools read.
tell_problems(api)

Limit = Annotated[int, Query(ge=1, le=200)]
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
    planned_at: datetime
    until: datetime | None
    lifted_when: str


@api.get("/reports", auth=Able(Ability.SEE_DESK, "reports"), response=list[ReportOut])
def list_reports(
    request: HttpRequest, outcome: ReportOutcome | None = None, search: str = "", limit: Limit = 50
) -> list[ReportOut]:
    """Reports, newest first."""
    sealed = may(request.user, Ability.SEE_SEALED)
    found = intake.list_reports(outcome=outcome, search=_plain(search), limit=limit, sealed=sealed)
    return [_report(r) for r in found]


@api.get("/reports/{key}", auth=Able(Ability.SEE_DESK, "reports"), response=ReportOut)
def get_report(request: HttpRequest, key: str) -> ReportOut:
    found = intake.get_report(_plain(key))
    if found is None:
        raise HttpError(404, f"There is no report {key}.")
    return _report(found)


@api.get("/measures", auth=Able(Ability.SEE_MEASURES, "measures"), response=list[MeasureOut])
def list_measures(request: HttpRequest, state: MeasureState | None = None, limit: Limit = 50) -> list[MeasureOut]:
    """Measures, newest first."""
    return [_measure(m) for m in enforcement.list_measures(state=state, limit=limit)]


@api.get("/measures/{key}", auth=Able(Ability.SEE_MEASURES, "measures"), response=MeasureOut)
def get_measure(request: HttpRequest, key: str) -> MeasureOut:
    found = enforcement.get_measure(_plain(key))
    if found is None:
        raise HttpError(404, f"There is no measure {key}.")
    return _measure(found)


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


@api.post("/sightings/decide", auth=Able(Ability.NOTE, "sightings"), response=list[SightingOut])
def decide_sightings(request: HttpRequest, decided: SightingsDecision) -> list[SightingOut]:
    """Close sightings that wait for a person (`done`), or put them to the judge again (`again`)."""
    keys, why = [_plain(key) for key in decided.keys], decided.why.replace("\x00", "").strip()
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


@api.get("/sightings", auth=Able(Ability.SEE_DESK, "sightings"), response=list[SightingOut])
def list_sightings(
    request: HttpRequest,
    became: Disposition | None = None,
    left: bool = False,
    search: str = "",
    limit: Limit = 50,
) -> list[SightingOut]:
    """Sightings, newest first; with `left` those that wait for a person, oldest first."""
    if left:
        return [_sighting(measured) for measured in sensors.left_to_people(limit=limit)]
    dispositions = (became,) if became else ()
    return [
        _sighting(m) for m in sensors.list_measured(dispositions=dispositions, search=_plain(search), limit=limit)
    ]  # fmt: skip


@api.get("/sightings/{key}", auth=Able(Ability.SEE_DESK, "sightings"), response=SightingOut)
def get_sighting(request: HttpRequest, key: str) -> SightingOut:
    found = sensors.get_measured(_plain(key))
    if found is None:
        raise HttpError(404, f"There is no sighting {key}.")
    return _sighting(found)


class QuestionIn(Schema):
    """Who held it? Leave out what is not known."""

    address: str
    port: int | None = None
    protocol: str = ""
    at: str = ""
    precision_seconds: float | None = None


@api.post("/attribute", auth=Able(Ability.SEE_DESK, "registry", reads=True), response=list[dict[str, Any]])
def attribute(request: HttpRequest, questions: list[QuestionIn]) -> list[dict[str, Any]]:
    """Who held each, in order: grade, customer, service and proof, or an error. At most 500 at once."""
    if len(questions) > QUESTIONS_MAX:
        raise HttpError(413, f"At most {QUESTIONS_MAX} questions at once; for more there is `tipstaff attribute`.")
    at = wiring.now()
    return [_answered(question, at) for question in questions]


def _answered(asked: QuestionIn, at: datetime) -> dict[str, Any]:
    fields = [asked.address, asked.port, asked.protocol, asked.at, asked.precision_seconds]
    try:
        question = question_of(["" if f is None else _plain(str(f)) for f in fields])
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


def _plain(text: str) -> str:
    return text.replace("\x00", "")[:200]


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
        planned_at=measure.planned_at,
        until=measure.until,
        lifted_when=measure.lifted_when,
    )
