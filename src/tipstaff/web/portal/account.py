"""The portal for whoever is logged in: all that a customer knows of, answers, and who of theirs may see it.

A link by mail shows that the address is theirs; a passkey, a code or a recovery code goes with it each time. What the
customer was not written to about is not here, nor is anything of anybody else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tipstaff import wiring
from tipstaff.cases.queries import Narrowed, get_case, lineage_of, list_cases, standing_key
from tipstaff.cases.rules import OPEN
from tipstaff.enforcement.queries import measures_on
from tipstaff.notices.queries import cases_told
from tipstaff.procedures.links import LinkExpired, LinkTampered, open_log_in_link
from tipstaff.registry.queries import accounts_below, get_customer, representatives_of
from tipstaff.words import Case, Customer, Measure, MeasureState

from .. import factors, pace, throttle
from ..asked import asked_text
from ..auth import read_json
from ..models import PortalPerson, Session
from ..pages import show_page
from ..passkeys import NotThatPasskey, passkeys_work, take_one
from ..sessions import enter_portal, is_strong, person_in
from ..shown import span
from . import people as own
from .people import NotInvited, PortalRole, role_on
from .reads import portal_page, zone_named
from .views import STATE_WORDS, private, show_case

CASES_MAX, ACCOUNTS_MAX = 200, 100
_LINKS_A_MINUTE, _INVITATIONS_A_MINUTE = 10, 5


class PersonRequest(HttpRequest):
    """A request of somebody of a customer's who is logged in; only for type checkers."""

    person: PortalPerson


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A customer as their own people see it."""

    customer: Customer
    role: PortalRole
    open: tuple[tuple[Case, str], ...]
    """With what each waits for, in words."""
    closed: tuple[Case, ...]
    measures: tuple[Measure, ...]


_Rest = ParamSpec("_Rest")


def _inside(
    view: Callable[Concatenate[PersonRequest, _Rest], HttpResponse],
) -> Callable[Concatenate[HttpRequest, _Rest], HttpResponse]:
    """Let a view run for somebody who is logged in, has shown a factor, and is let in by a customer still."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: _Rest.args, **kwargs: _Rest.kwargs) -> HttpResponse:
        person = own.find_person(person_in(request))
        if person is None or not own.roles_of(person):
            return redirect("account:log_in")
        if not is_strong(request):
            return redirect("account_me:me")
        request.person = person  # type: ignore[attr-defined]  # read by the views below alone
        response = view(request, *args, **kwargs)  # type: ignore[arg-type]  # it has what a PersonRequest has
        # The cookie is the key here and not the address; without a referrer forms of ours would be refused.
        response["Referrer-Policy"] = "same-origin"
        return response

    guarded.is_inside = True  # type: ignore[attr-defined]  # read by the permission tests
    return guarded


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def log_in(request: HttpRequest) -> HttpResponse:
    """Ask for a passkey, or for an address to send a link to. The answer is the same for every address."""
    page, shown = "tipstaff/portal/log_in.html", {"passkeys": passkeys_work()}
    if request.method != "POST":
        return show_page(request, page, **shown)
    at, asker = wiring.now(), pace.household(request.META.get("REMOTE_ADDR") or "")
    left = pace.use("links", asker, quota=_LINKS_A_MINUTE, at=at)
    if left.wait_seconds:
        slower = show_page(request, page, trouble="Too many attempts. Try again in a minute.", status=429, **shown)
        slower["Retry-After"] = str(left.wait_seconds)
        return slower
    own.ask_for_link(asked_text(request.POST, "email", characters_max=254), at=at)
    return show_page(request, page, sent=True, **shown)


@sensitive_post_parameters("code")
@never_cache
# The link is the key and no cookie is; see `first`.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Spend a link: with a code, for who has one; to add a passkey or a code app, for who has neither.

    A link is spent by a button and not by being opened: mail filters open links.
    """
    at = wiring.now()
    try:
        link = open_log_in_link(token, at=at)
    except (LinkTampered, LinkExpired):
        link = ""
    person = own.person_of_link(link) if link else None
    if person is None or not own.roles_of(person):
        return _gone(request)
    who, page = own.who(person.pk), "tipstaff/portal/enter.html"
    has_factor = factors.has_factor(who)
    shown = {"has_factor": has_factor, "codes": factors.has_totp(who)}
    if request.method != "POST":
        return private(show_page(request, page, **shown))
    how = "link by mail"
    if has_factor:
        guesses = f"second factor of {who}"
        if wait := throttle.seconds_to_wait(guesses, address=None, at=at):
            trouble = f"Too many attempts. Try again in {span(wait)}."
            return private(show_page(request, page, trouble=trouble, status=429, **shown))
        try:
            how += f" and {factors.use_code(who, asked_text(request.POST, 'code', characters_max=40), at=at)}"
        except factors.NotThatCode as why:
            throttle.count_failure(guesses, address=None, at=at)
            trouble = str(why) or str(factors.NotThatCode.__doc__)
            return private(show_page(request, page, trouble=trouble, status=401, **shown))
    if not own.use_link(link, at=at):
        return _gone(request)
    enter_portal(request, person.pk, how=how, strong=has_factor, at=at)
    return private(redirect("account:home"))


def _gone(request: HttpRequest) -> HttpResponse:
    page = "tipstaff/portal/log_in.html"
    response = private(show_page(request, page, gone=True, passkeys=passkeys_work(), status=410))
    # The link opens nothing any more; without a referrer the form for a new one would be refused.
    response["Referrer-Policy"] = "same-origin"
    return response


@never_cache
@require_POST
def passkey(request: HttpRequest) -> HttpResponse:
    """Log in by a passkey whose device asked for a finger or a PIN: nothing else is needed."""
    at = wiring.now()
    try:
        shown = take_one(request, None, read_json(request), at=at)
    except NotThatPasskey as why:
        return JsonResponse({"trouble": str(why)}, status=401)
    kind, _, id = shown.who.partition(":")
    person = own.find_person(int(id)) if kind == "person" else None
    if person is None or not own.roles_of(person):
        return JsonResponse({"trouble": "Nobody can log in here by that passkey."}, status=401)
    enter_portal(request, person.pk, how="passkey", strong=True, at=at)
    return JsonResponse({"to": reverse("account:home")})


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    if person_in(request) is not None:
        Session.objects.filter(key=request.session.session_key or "").delete()
        request.session.flush()
    return redirect("account:log_in")


@require_safe
@_inside
def home(request: PersonRequest) -> HttpResponse:
    """Every customer for whom they may see something, with what is open, in force and past."""
    seen: dict[str, tuple[Customer, PortalRole]] = {}
    for key, role in sorted(own.roles_of(request.person).items()):
        for customer in filter(None, (get_customer(key), *accounts_below(key))):
            seen.setdefault(customer.key, (customer, role))
    shown = [(one, role_on(request.person, one.key) or role) for one, role in list(seen.values())[:ACCOUNTS_MAX]]
    accounts, more = [_account(customer, role) for customer, role in shown], len(seen) - len(shown)
    return show_page(
        request, "tipstaff/portal/home.html", accounts=accounts, more=more, zone=_zone(request.person),
        person=request.person,
    )  # fmt: skip


def _account(customer: Customer, role: PortalRole) -> Account:
    narrowed = Narrowed(unsealed=True)
    known = list_cases(customer=customer.key, order="newest", narrowed=narrowed, limit=CASES_MAX)
    told = cases_told([case.key for case in known])
    known = [case for case in known if case.key in told or cases_told(lineage_of(case.key))]
    names = {case.key for case in known}
    return Account(
        customer=customer,
        role=role,
        open=tuple((case, STATE_WORDS[case.state][0]) for case in known if case.state in OPEN),
        closed=tuple(case for case in known if case.state not in OPEN),
        measures=tuple(
            m for m in measures_on(customer.key) if m.state is MeasureState.IN_FORCE and standing_key(m.case) in names
        ),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@_inside
def case(request: PersonRequest, key: str) -> HttpResponse:
    """One case, as its link shows it; who only reads has no answer to give."""
    found = get_case(standing_key(key))
    role = role_on(request.person, found.customer) if found is not None else None
    # A case of somebody else's, one that nobody was told of, and none at all are the same to whoever asks.
    known = found is not None and role is not None and bool(cases_told(lineage_of(found.key)))
    page = portal_page(found.key) if found is not None and known else None
    if page is None:
        raise Http404(key)
    return show_case(
        request, page, back=reverse("account:case", args=[page.case.key]), via=f"account, {request.person.email}",
        may_answer=own.may(role, PortalRole.ANSWERS), at=wiring.now(), person=request.person,
    )  # fmt: skip


@require_safe
@_inside
def people(request: PersonRequest, customer: str) -> HttpResponse:
    """Who may see what a customer is told of: the contacts on record, and whom they let in."""
    account, role = _managed(request, customer, PortalRole.READS)
    return show_page(
        request, "tipstaff/portal/people.html", person=request.person, customer=account,
        contacts=representatives_of(account.key), colleagues=own.colleagues_of(account.key), roles=list(PortalRole),
        manages=own.may(role, PortalRole.MANAGES),
    )  # fmt: skip


@require_POST
@_inside
def invite(request: PersonRequest, customer: str) -> HttpResponse:
    account, _ = _managed(request, customer, PortalRole.MANAGES)
    email = asked_text(request.POST, "email", characters_max=254)
    role = next((role for role in PortalRole if role.value == request.POST.get("role")), None)
    try:
        if role is None:
            raise NotInvited("Choose what they may do.")
        at = wiring.now()
        if pace.use("invitations", str(request.person.pk), quota=_INVITATIONS_A_MINUTE, at=at).wait_seconds:
            raise NotInvited("Too many at once. Try again in a minute.")
        own.invite(email, customer=account.key, role=role, by=request.person, at=at)
        messages.success(request, f"{email} gets a letter with a link.")
    except NotInvited as why:
        messages.error(request, str(why))
    return redirect("account:people", account.key)


@require_POST
@_inside
def let_out(request: PersonRequest, customer: str, id: int) -> HttpResponse:
    account, _ = _managed(request, customer, PortalRole.MANAGES)
    actor = f"customer ({request.person.email})"
    if (gone := own.let_out(id, customer=account.key, at=wiring.now(), actor=actor)) is not None:
        messages.success(request, f"{gone} is let out.")
    return redirect("account:people", account.key)


def _managed(request: PersonRequest, key: str, needed: PortalRole) -> tuple[Customer, PortalRole]:
    """The customer, if the person may do that much for it; else there is no such page."""
    customer = get_customer(key)
    role = role_on(request.person, key) if customer is not None else None
    if customer is None or role is None or not own.may(role, needed):
        raise Http404(key)
    return customer, role


def _zone(person: PortalPerson) -> ZoneInfo | None:
    """The time zone that the registry has for them; UTC where it has none."""
    for key in own.customers_of(person):
        for contact in representatives_of(key):
            if contact.email.lower() == person.email:
                return zone_named(contact.timezone)
    return None
