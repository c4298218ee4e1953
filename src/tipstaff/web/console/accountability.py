"""Customers who asked to be checked: can it be said who of theirs did something?"""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from tipstaff import wiring
from tipstaff.procedures import accountability as procedure
from tipstaff.words import AuditFound, AuditPoint

from ..roles import Ability, StaffRequest, needs
from .page import show_console


@require_safe
@needs(Ability.SEE_DESK)
def accountability(request: StaffRequest) -> HttpResponse:
    """Everybody who asked for the check, the lowest score first, point by point."""
    rows = [
        (customer, audit, [audit.points.get(point, AuditFound.UNKNOWN) for point in AuditPoint] if audit else [])
        for customer, audit in procedure.register(at=wiring.now())
    ]
    return show_console(
        request, "tipstaff/console/accountability.html", here="console:customers", rows=rows,
        points=[point.value.replace("_", " ") for point in AuditPoint],
    )  # fmt: skip
