"""A customer's own check at the portal: where they stand, what they say of themselves, and whether they want it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.procedures import accountability
from tipstaff.words import DECLARED, AuditFound, AuditPoint

from .. import pace
from ..said import language_of, say
from .account import PersonRequest, inside, managed, show_inside
from .people import PortalRole, may

_CHECKS_A_MINUTE = 3
POINTS: dict[AuditPoint, str] = {
    AuditPoint.CONTACT: "Somebody is named to whom we write about abuse, and letters reach them",
    AuditPoint.SECOND_CONTACT: "A second contact is named, for when the first is away",
    AuditPoint.ANSWERS: "What we asked about within a year was answered by its date",
    AuditPoint.ADDRESS_QUESTION: "Asked who had an address of yours, you answered rightly, or honestly with nobody",
    AuditPoint.MAIL_PEER: "Your mail server notes the address that connects (our last test message)",
    AuditPoint.MAIL_HEADERS: "Your mail shows the way that it took (our last test message)",
    AuditPoint.USENET_PATH: "Your news server writes a truthful path (our last test article)",
    AuditPoint.USERS_KNOWN: "Whoever uses your services has an account or a contract under a name that was checked",
    AuditPoint.USE_RECORDED: "You record who had which address and log-in at which time, for as long as the law allows",
    AuditPoint.COMPLAINTS_READ: "A person reads your address for complaints on every working day",
    AuditPoint.USERS_TOLD: "Your users are bound to rules on abuse, and are told when they break them",
}
"""Each point as a customer reads it."""


@require_safe
@inside
def check(request: PersonRequest, customer: str) -> HttpResponse:
    """The last check, point by point, and what the customer says of themselves."""
    account, role = managed(request, customer, PortalRole.READS)
    audit = accountability.last_of(account.key)
    said = accountability.declared_by(account.key)
    return show_inside(
        request, "tipstaff/portal/check.html", customer=account, audit=audit,
        points=[(text, audit.points.get(point, AuditFound.UNKNOWN)) for point, text in POINTS.items()] if audit else [],
        asked=[(point, POINTS[point], said.get(point)) for point in DECLARED],
        wanted=accountability.is_asked_for(account.key, at=wiring.now()), manages=may(role, PortalRole.MANAGES),
    )  # fmt: skip


@require_POST
@inside
def say_so(request: PersonRequest, customer: str) -> HttpResponse:
    """Ask for the check with what they say of themselves, and make it; or no longer want it. A manager's."""
    account, _ = managed(request, customer, PortalRole.MANAGES)
    at, actor = wiring.now(), f"customer ({request.person.email})"
    language = language_of(request, otherwise=request.person.language)
    if pace.use("checks", str(request.person.pk), quota=_CHECKS_A_MINUTE, at=at).wait_seconds:
        messages.error(request, say(language, "Too many at once. Try again in a minute."))
    elif request.POST.get("want") == "no":
        accountability.ask_for(account.key, wanted=False, shown_by="They no longer want it.", at=at, actor=actor)
        messages.success(request, say(language, "You are not checked any more."))
    else:
        answers = {p: request.POST[p.value] == "yes" for p in DECLARED if request.POST.get(p.value) in ("yes", "no")}
        accountability.ask_for(
            account.key, wanted=True, shown_by="They asked for it at the portal.", at=at, actor=actor
        )
        accountability.declare(account.key, answers, at=at, actor=actor)
        accountability.check(account.key, desk=wiring.desk(), at=at, actor=actor)
        messages.success(request, say(language, "Checked. This is where you stand."))
    return redirect("account:check", account.key)
