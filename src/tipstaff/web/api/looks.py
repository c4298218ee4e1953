"""Looks and trials by the API: what another edition would have changed, and the studio in which a profile is made."""

from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import Field, StrictBool

from tipstaff import wiring
from tipstaff.editions.queries import latest_replay
from tipstaff.intake import queries as intake
from tipstaff.policy import Edition
from tipstaff.policy.replay import LISTED_MAX
from tipstaff.procedures import studio
from tipstaff.procedures.refusals import TooManyReplays
from tipstaff.procedures.replayed import as_document
from tipstaff.procedures.replaying import PAST
from tipstaff.procedures.replays import ask_for, found_by
from tipstaff.procedures.shadow import disagreements
from tipstaff.words import Report, ReportOutcome

from ..console.replays import SHADOW_LISTED, editions_to_judge_under
from ..console.studio import LONGEST, proposed_toml
from ..roles import Ability
from .auth import Able
from .moments import Day
from .pages import plain
from .problems import Problem

router = Router()


class ReplayIn(Schema):
    """The days whose complaints are judged again: from `from` on, and before `to`."""

    since: Day | None = Field(default=None, alias="from")
    until: Day | None = Field(default=None, alias="to")


class ReplayRunOut(Schema):
    """A replay, and how far it is."""

    edition: str
    digest: str
    since: datetime
    until: datetime
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None
    """None while it goes on in the background."""
    trouble: str


class ReplayOut(ReplayRunOut):
    """What was found as far as it has come: the same document as `tipstaff policy replay --json` prints."""

    found: dict[str, Any]


class ProfileOut(Schema):
    """A profile for the reporter of one report, as it is proposed."""

    toml: str
    proposed: bool
    """Whether it was made from what was read of the mail; else it is an empty one to begin with."""


class ProfileIn(Schema):
    """A profile to be tried on its report's mail, and put into use where `use` says so."""

    toml: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    use: StrictBool = False


class ProfileTriedOut(Schema):
    """What is wrong with a profile, in sentences, and under which name it is in use now."""

    faults: list[str]
    used_as: str | None


_From = Annotated[Day | None, Query(alias="from")]
_To = Annotated[Day | None, Query(alias="to", description="The day after the last.")]


@router.get("/editions/{key}/replay", auth=Able(Ability.SEE_DESK, "policy"), response=ReplayOut)
def get_replay(request: HttpRequest, key: str, since: _From = None, until: _To = None) -> Any:
    """Past complaints under this edition, as far as they have been judged: the newest replay of those days."""
    under, (begin, end) = _edition(key), _days(since, until)
    run = latest_replay(edition=under.id, digest=under.digest, since=begin, until=end)
    if run is None:
        raise HttpError(404, "Nobody has asked for a replay of these days under this edition; POST begins one.")
    found = found_by(run, under=under, desk=wiring.desk())
    lines = found.lines(lambda alike: True, limit=LISTED_MAX)
    shown = {name: getattr(run, name) for name in ReplayRunOut.model_fields}
    return {**shown, "found": as_document(found.tally, lines, under=under, begin=begin, end=end)}


@router.post("/editions/{key}/replay", auth=Able(Ability.SEE_DESK, "policy"), response=ReplayRunOut)
def begin_replay(request: HttpRequest, key: str, asked: ReplayIn) -> Any:
    """Have the complaints of these days judged again in the background; without days the usual ones up to today."""
    under, (begin, end) = _edition(key), _days(asked.since, asked.until)
    actor = request.user.get_username()
    try:
        return ask_for(under, since=begin, until=end, desk=wiring.desk(), at=wiring.now(), actor=actor)
    except TooManyReplays as why:
        raise Problem(HTTPStatus.CONFLICT, " ".join((type(why).__doc__ or "").split())) from why


@router.get("/shadow", auth=Able(Ability.SEE_DESK, "policy"), response=dict[str, Any])
def get_shadow(request: HttpRequest) -> dict[str, object]:
    """Where the edition in the shadow would have decided otherwise; the newest disagreements one by one."""
    running = wiring.shadow()
    if running is None:
        raise HttpError(404, "No edition runs in the shadow.")
    return disagreements(running, limit=SHADOW_LISTED).as_document()


@router.get("/reports/{key}/profile", auth=Able(Ability.DECIDE, "reports"), response=ProfileOut)
def propose_profile(request: HttpRequest, key: str) -> ProfileOut:
    """A profile proposed from what was read of this report's mail, or an empty one for its reporter."""
    toml, proposal = proposed_toml(_report(key))
    return ProfileOut(toml=toml, proposed=proposal is not None)


@router.post("/reports/{key}/profile", auth=Able(Ability.DECIDE, "reports"), response=ProfileTriedOut)
def try_profile(request: HttpRequest, key: str, asked: ProfileIn) -> ProfileTriedOut:
    """Try a profile on this report's mail; with `use`, and where nothing is wrong, it is in use from then on."""
    report, folder = _report(key), wiring.settings().server.profiles_folder
    if folder is None:
        raise Problem(HTTPStatus.CONFLICT, "No folder for profiles is set: set [server] profiles_folder.")
    _, faults = studio.check(asked.toml, report=report, folder=folder)
    used_as = None
    if asked.use and not faults:
        used_as = studio.confirm(
            asked.toml, report=report, folder=folder, at=wiring.now(), actor=request.user.get_username()
        )
    return ProfileTriedOut(faults=faults, used_as=used_as)


def _edition(key: str) -> Edition:
    found = editions_to_judge_under().get(plain(key))
    if found is None:
        raise HttpError(404, f"There is no edition {plain(key)} to judge under.")
    return found


def _days(since: date | None, until: date | None) -> tuple[datetime, datetime]:
    """Whole days, UTC, as the console's page asks for them; raise 422 where they do not follow on each other."""
    today = wiring.now().astimezone(UTC).date()
    first, end = since or (wiring.now().astimezone(UTC) - PAST).date(), until or today + timedelta(days=1)
    if first >= end:
        raise HttpError(422, "from is a day before to.")
    return _midnight(first), _midnight(end)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


def _report(key: str) -> Report:
    found = intake.get_report(plain(key))
    if found is None or found.outcome is ReportOutcome.SEALED:
        raise HttpError(404, f"There is no report {plain(key)} to make a profile from.")
    return found
