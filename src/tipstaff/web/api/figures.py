"""The desk's figures for programs."""

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router
from ninja.errors import HttpError

from tipstaff import wiring

from ..figures import document
from ..figures import figures as figures_of
from ..roles import Ability
from .auth import Able
from .moments import Day

router = Router(tags=["figures"])
YEARS_MAX = 10


@router.get("", auth=Able(Ability.SEE_DESK, "figures"), response=dict[str, Any])
def figures(
    request: HttpRequest,
    since: Annotated[Day | None, Query(alias="from")] = None,
    until: Annotated[Day | None, Query(alias="to")] = None,
) -> dict[str, object]:
    """What came and how it fared, by day, source, clause, kind of customer and month.

    The last 30 days unless said. Both days count, in UTC. Times taken are in seconds. They were counted some minutes
    ago at the most (`counted_at`), without what is sealed or closed to some of the staff.
    """
    last = until or wiring.now().astimezone(UTC).date()
    first = since or last - timedelta(days=29)
    if not timedelta(0) <= last - first <= timedelta(days=366 * YEARS_MAX):
        raise HttpError(422, f"from must not be after to, nor more than {YEARS_MAX} years before it.")
    begin, end = (datetime.combine(day, time(), tzinfo=UTC) for day in (first, last))
    end += timedelta(days=1)
    return document(figures_of(begin, end), since=begin, until=end)
