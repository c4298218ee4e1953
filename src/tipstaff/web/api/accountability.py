"""Customers who asked to be checked, by the API: what the console shows."""

from datetime import datetime

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError

from tipstaff import wiring
from tipstaff.procedures import accountability
from tipstaff.procedures.accountability import NotAskedFor
from tipstaff.procedures.refusals import UnknownKey
from tipstaff.words import AuditFound, AuditPoint, SelfAudit

from ..roles import Ability
from .auth import Able
from .pages import plain
from .problems import Problem

router = Router()


class AuditOut(Schema):
    """A customer's own check as it came out last; without a time it was never made."""

    customer: str
    checked_at: datetime | None
    score_percent: int | None
    known: int
    points: dict[AuditPoint, AuditFound]


@router.get("/accountability", auth=Able(Ability.SEE_DESK, "registry"), response=list[AuditOut])
def list_audits(request: HttpRequest) -> list[AuditOut]:
    """Everybody who asked for the check; who was never checked first, then the lowest score."""
    return [_out(customer, audit) for customer, audit in accountability.register(at=wiring.now())]


@router.post("/accountability/{key}/check", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=AuditOut)
def check_customer(request: HttpRequest, key: str) -> AuditOut:
    """Make the check of a customer who asked for it now; it is put to the judge."""
    key, actor = plain(key), request.user.get_username()
    try:
        return _out(key, accountability.check(key, desk=wiring.desk(), at=wiring.now(), actor=actor))
    except UnknownKey as why:
        raise HttpError(404, f"There is no customer {key}.") from why
    except NotAskedFor as why:
        raise Problem(409, f"{key} has not asked for the check.") from why


def _out(customer: str, audit: SelfAudit | None) -> AuditOut:
    return AuditOut(
        customer=customer, checked_at=audit.at if audit else None, score_percent=audit.score_percent if audit else None,
        known=audit.known if audit else 0, points=dict(audit.points) if audit else {},
    )  # fmt: skip
