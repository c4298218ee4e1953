"""The portal for whoever is logged in: all that a customer knows of, answers, and who of theirs may see it.

A link by mail shows that the address is theirs; a passkey, a code or a recovery code goes with it each time. What the
customer was not written to about is not here, nor is anything of anybody else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from zoneinfo import ZoneInfo, available_timezones

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tipstaff import wiring
from tipstaff.cases.queries import get_case, lineage_of, standing_key, strikes_of_all
from tipstaff.cases.rules import OPEN
from tipstaff.notices.queries import cases_told
from tipstaff.policy import edition_to_go_by
from tipstaff.procedures.links import Link, LinkExpired, LinkTampered, open_link
from tipstaff.procedures.registering import note_reached
from tipstaff.registry.queries import get_customer, representatives_of
from tipstaff.words import Case, Customer, Representative

from .. import factors, pace
from ..asked import asked_text
from ..auth import read_json
from ..brands import brand_asked
from ..models import PortalPerson, Session
from ..pages import show_public
from ..passkeys import NotThatPasskey, passkeys_work, take_one
from ..said import LANGUAGES, Sentence, language_of, say
from ..sessions import enter_portal, is_fresh, is_strong, person_in
from ..tokens import DAYS_MAX
from . import contacts, forwards, mail_keys, tokens
from . import people as own
from .company import company, is_linked
from .factor import NoCode, show_code
from .people import NotInvited, PortalRole, role_on
from .reads import (
    PortalPage,
    Standing,
    accounts_of,
    in_force_on,
    known_among,
    known_cases,
    places_by_name,
    portal_page,
    standing,
    zone_named,
)
from .views import STATE_WORDS, private, show_case

ACCOUNTS_MAX = 100
STRIKES_LOOKED_BACK = timedelta(days=3660)
_LINKS_A_MINUTE, _INVITATIONS_A_MINUTE, _CONTACTS_A_MINUTE = 10, 5, 10


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
    measures: tuple[Standing, ...]
    counts: tuple[tuple[str, datetime], ...]
    """Earlier cases that count against them, each with the day until which it does."""


_Rest = ParamSpec("_Rest")


def inside(
    view: Callable[Concatenate[PersonRequest, _Rest], HttpResponse],
) -> Callable[Concatenate[HttpRequest, _Rest], HttpResponse]:
    """Let a view run for somebody who is logged in, has shown a factor, and is let in by a customer still."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: _Rest.args, **kwargs: _Rest.kwargs) -> HttpResponse:
        person = own.person_here(request)
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
    page = "tipstaff/portal/log_in.html"
    shown: dict[str, Any] = {"passkeys": passkeys_work(), "company": company()}
    if request.method != "POST":
        return show_public(request, page, **shown)
    at, asker = wiring.now(), pace.household(request.META.get("REMOTE_ADDR") or "")
    left = pace.use("links", asker, quota=_LINKS_A_MINUTE, at=at)
    if left.wait_seconds:
        slower = show_public(
            request,
            page,
            trouble=say(language_of(request), "Too many attempts. Try again in a minute."),
            status=429,
            **shown,
        )
        slower["Retry-After"] = str(left.wait_seconds)
        return slower
    own.ask_for_link(asked_text(request.POST, "email", characters_max=254), brand=brand_asked(request), at=at)
    return show_public(request, page, sent=True, **shown)


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
        link = open_link(Link.LOG_IN, token, at=at)
    except (LinkTampered, LinkExpired):
        link = ""
    person = own.person_of_link(link) if link else None
    if person is None or not own.roles_of(person):
        return _gone(request)
    own.forget_what_is_stale(person, at=at)
    who, page = own.who(person.pk), "tipstaff/portal/enter.html"
    has_factor = factors.has_factor(who)
    # Who comes in by the provider alone has no factor here: their mailbox opens nothing that the provider does not.
    tied = not has_factor and is_linked(person)
    shown: dict[str, Any] = {
        "has_factor": has_factor, "codes": factors.has_totp(who), "company": company(), "tied": tied
    }  # fmt: skip
    if tied:
        return private(show_public(request, page, status=200 if request.method != "POST" else 403, **shown))
    if request.method != "POST":
        return private(show_public(request, page, **shown))
    how = "link by mail"
    if has_factor:
        try:
            how += f" and {show_code(request, person, at=at)}"
        except NoCode as why:
            trouble = why.said(language_of(request))
            return private(show_public(request, page, trouble=trouble, status=why.status, **shown))
    if not own.use_link(link, at=at):
        return _gone(request)
    if any(each.verified_at is None for each in own.contacts_of(person)):
        note_reached(person.email, why="They logged in by a link that was sent there.", at=at, actor="worker")
    enter_portal(request, person.pk, how=how, strong=has_factor, at=at)
    if has_factor:
        own.note_use(person, at=at)  # A mailbox alone opens nothing, and binds nobody.
    return private(redirect("account:home"))


def _gone(request: HttpRequest) -> HttpResponse:
    page = "tipstaff/portal/log_in.html"
    response = private(show_public(request, page, gone=True, passkeys=passkeys_work(), company=company(), status=410))
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
    if person is None or not own.roles_of(person) or own.forget_what_is_stale(person, at=at):
        trouble = say(language_of(request), "Nobody can log in here by that passkey.")
        return JsonResponse({"trouble": trouble}, status=401)
    enter_portal(request, person.pk, how="passkey", strong=True, at=at)
    own.note_use(person, at=at)
    return JsonResponse({"to": reverse("account:home")})


@require_POST
def log_out(request: HttpRequest) -> HttpResponse:
    if person_in(request) is not None:
        Session.objects.filter(key=request.session.session_key or "").delete()
        request.session.flush()
    return redirect("account:log_in")


@require_safe
@inside
def home(request: PersonRequest) -> HttpResponse:
    """Every customer for whom they may see something, with what is open, in force and past."""
    found, count = accounts_of(request.person, most=ACCOUNTS_MAX)
    language = language_of(request, otherwise=request.person.language)
    accounts = [_account(customer, role, language=language) for customer, role in found]
    more = count - len(accounts)
    return show_inside(
        request, "tipstaff/portal/home.html", accounts=accounts, more=more, zone=_zone(request.person),
        manages=PortalRole.MANAGES,
    )  # fmt: skip


def _account(customer: Customer, role: PortalRole, *, language: str) -> Account:
    known = known_cases(customer.key)
    return Account(
        customer=customer,
        role=role,
        open=tuple((case, say(language, STATE_WORDS[case.state][0])) for case in known if case.state in OPEN),
        closed=tuple(case for case in known if case.state not in OPEN),
        measures=tuple(standing(m, language=language) for m in in_force_on(customer.key)),
        counts=_counts(customer.key),
    )


def _counts(customer: str) -> tuple[tuple[str, datetime], ...]:
    """The strikes that count now under the edition in force, of cases that they know of."""
    at = wiring.now()
    edition = edition_to_go_by(wiring.editions(), at=at)
    strikes = strikes_of_all([customer], since=at - STRIKES_LOOKED_BACK).get(customer, ())
    ends = ((one.case, one.at + edition.repeats_of(one.group).lifetime) for one in strikes if not one.contested)
    counting = sorted((case, until) for case, until in ends if until >= at)
    known = known_among({case for case, _ in counting}, customer=customer)
    return tuple((case, until) for case, until in counting if case in known)


@require_http_methods(["GET", "HEAD", "POST"])
@inside
def case(request: PersonRequest, key: str) -> HttpResponse:
    """One case, as its link shows it; who only reads has no answer to give."""
    page, may_answer = _case(request, key)
    return show_case(
        request, page, back=reverse("account:case", args=[page.case.key]), via=f"account, {request.person.email}",
        may_answer=may_answer, at=wiring.now(), person=request.person, more=_passing_on(page, may_answer),
    )  # fmt: skip


def _passing_on(page: PortalPage, may_answer: bool) -> dict[str, Any]:
    """What a reseller's page has more: what was passed on, and to whom it can be."""
    if not may_answer or not forwards.may_pass_on(page.case):
        return {}
    return {
        "passing_on": True, "forwards": forwards.forwards_of(page.case.key), "receivers": forwards.receivers(page.case),
        "places": list(places_by_name(page.case.key).items())[: forwards.PLACES_MAX], "named": LANGUAGES,
    }  # fmt: skip


@require_POST
@inside
def pass_on(request: PersonRequest, key: str) -> HttpResponse:
    """A reseller passes some places of a case on to a customer of theirs."""
    page, may_answer = _case(request, key)
    if not may_answer:
        raise Http404(key)
    language, at = language_of(request, otherwise=request.person.language), wiring.now()
    known = places_by_name(page.case.key)
    try:
        _pace(request, "invitations", _INVITATIONS_A_MINUTE)
        passed = forwards.pass_on(
            page.case, account=asked_text(request.POST, "account", characters_max=64),
            name=asked_text(request.POST, "name", characters_max=100),
            email=asked_text(request.POST, "email", characters_max=254),
            language=asked_text(request.POST, "language", characters_max=5),
            places=[known[n] for n in request.POST.getlist("place")[: forwards.PLACES_MAX] if n in known],
            known=list(known.values()),
            note=asked_text(request.POST, "note", characters_max=forwards.NOTE_MAX), by=request.person, at=at,
        )  # fmt: skip
        messages.success(request, say(language, "{email} gets a letter with a link.", email=passed.email))
    except Sentence as why:
        messages.error(request, why.said(language))
    return redirect("account:case", page.case.key)


@require_POST
@inside
def end_forward(request: PersonRequest, key: str, id: int) -> HttpResponse:
    """Take back what was passed on."""
    page, may_answer = _case(request, key)
    if not may_answer:
        raise Http404(key)
    if forwards.take_forward_back(id, case=page.case, by=request.person, at=wiring.now()):
        language = language_of(request, otherwise=request.person.language)
        messages.success(request, say(language, "Taken back: its link opens nothing any more."))
    return redirect("account:case", page.case.key)


@require_http_methods(["GET", "HEAD", "POST"])
@inside
def brand(request: PersonRequest, customer: str) -> HttpResponse:
    """How a reseller looks to its own customers."""
    account, _ = managed(request, customer, PortalRole.MANAGES)
    if not account.is_reseller:
        raise Http404(customer)
    if request.method == "POST":
        language = language_of(request, otherwise=request.person.language)
        given = forwards.Branding(
            name=asked_text(request.POST, "name", characters_max=80),
            mark=asked_text(request.POST, "mark", characters_max=12),
            colour=asked_text(request.POST, "colour", characters_max=8),
            contact=asked_text(request.POST, "contact"),
        )  # fmt: skip
        try:
            forwards.set_brand(account, given, by=request.person, at=wiring.now())
            messages.success(request, say(language, "Kept."))
        except Sentence as why:
            messages.error(request, why.said(language))
        return redirect("account:brand", account.key)
    return show_inside(
        request, "tipstaff/portal/brand.html", customer=account, brand=forwards.brand_of(account),
        colours=forwards.COLOURS,
    )  # fmt: skip


def _case(request: PersonRequest, key: str) -> tuple[PortalPage, bool]:
    """The page of a case that they may see, and whether they may answer; else there is no such page."""
    found = get_case(standing_key(key))
    role = role_on(request.person, found.customer) if found is not None else None
    # A case of somebody else's, one that nobody was told of, and none at all are the same to whoever asks.
    known = found is not None and role is not None and bool(cases_told(lineage_of(found.key)))
    language = language_of(request, otherwise=request.person.language)
    page = portal_page(found.key, language=language) if found is not None and known else None
    if page is None:
        raise Http404(key)
    return page, own.may(role, PortalRole.ANSWERS)


@require_safe
@inside
def people(request: PersonRequest, customer: str) -> HttpResponse:
    """Who may see what a customer is told of: the contacts on record, and whom they let in."""
    account, role = managed(request, customer, PortalRole.READS)
    at, mine = wiring.now(), mail_keys.own_contact(request.person, account.key)
    return show_inside(
        request, "tipstaff/portal/people.html", customer=account, contacts=representatives_of(account.key),
        colleagues=own.colleagues_of(account.key), roles=list(PortalRole), manages=own.may(role, PortalRole.MANAGES),
        sets=contacts.manages_contacts(request.person, account.key), named=LANGUAGES,
        proposed=contacts.proposed_for(account.key, at=wiring.now()), zones=sorted(available_timezones()),
        mine=mine, key_says=mail_keys.says_of(mine, at=at) if mine is not None else [],
        key_waits=mail_keys.proposed_by(request.person, account.key, at=at),
    )  # fmt: skip


@require_POST
@inside
def invite(request: PersonRequest, customer: str) -> HttpResponse:
    account, _ = managed(request, customer, PortalRole.MANAGES)
    email = asked_text(request.POST, "email", characters_max=254)
    role = next((role for role in PortalRole if role.value == request.POST.get("role")), None)
    language = language_of(request, otherwise=request.person.language)
    try:
        if role is None:
            raise NotInvited("Choose what they may do.")
        _pace(request, "invitations", _INVITATIONS_A_MINUTE)
        own.invite(email, customer=account.key, role=role, by=request.person, at=wiring.now())
        messages.success(request, say(language, "{email} gets a letter with a link.", email=email))
    except Sentence as why:
        messages.error(request, why.said(language))
    return redirect("account:people", account.key)


@require_POST
@inside
def let_out(request: PersonRequest, customer: str, id: int) -> HttpResponse:
    account, _ = managed(request, customer, PortalRole.MANAGES)
    actor = f"customer ({request.person.email})"
    if (gone := own.let_out(id, customer=account.key, at=wiring.now(), actor=actor)) is not None:
        language = language_of(request, otherwise=request.person.language)
        messages.success(request, say(language, "{email} is let out.", email=gone))
    return redirect("account:people", account.key)


@never_cache
@sensitive_variables("token")
@require_http_methods(["GET", "HEAD", "POST"])
@inside
def keys(request: PersonRequest) -> HttpResponse:
    """Tokens of one's own for programs: made, shown this once, and revoked."""
    at, language = wiring.now(), language_of(request, otherwise=request.person.language)
    made, token = None, ""
    if request.method == "POST" and not is_fresh(request, at=at):
        messages.error(request, say(language, "Log in again to make or revoke a token."))
        return redirect("account:log_in")
    if request.method == "POST" and request.POST.get("revoke"):
        name = tokens.revoke(asked_text(request.POST, "revoke", characters_max=16), person=request.person, at=at)
        if name is not None:
            messages.success(request, say(language, "{name} is revoked; whatever uses it is refused now.", name=name))
        return redirect("account:keys")
    if request.method == "POST":
        days = asked_text(request.POST, "days", characters_max=5)
        try:
            _pace(request, "own tokens", _CONTACTS_A_MINUTE)
            made, token = tokens.make(
                asked_text(request.POST, "name", characters_max=80), person=request.person, at=at,
                scopes=request.POST.getlist("scope")[:10], days=int(days) if days.isdecimal() else 0,
            )  # fmt: skip
        except Sentence as why:
            messages.error(request, why.said(language))
            return redirect("account:keys")
    found = [(each, each.stands(at)) for each in tokens.tokens_of(request.person)]
    return show_inside(
        request, "tipstaff/portal/keys.html", tokens=found, made=made, token=token, scopes=list(tokens.OwnScope),
        days_max=DAYS_MAX,
    )  # fmt: skip


@require_POST
@inside
def set_contact(request: PersonRequest, customer: str) -> HttpResponse:
    """Change who is written to: propose somebody, take that back, move somebody up, take somebody out."""
    account, _ = managed(request, customer, PortalRole.MANAGES)
    if not contacts.manages_contacts(request.person, account.key):
        raise Http404(customer)
    at, language = wiring.now(), language_of(request, otherwise=request.person.language)
    if not is_fresh(request, at=at):
        messages.error(request, say(language, "Log in again to change contacts: a screen left open is not enough."))
        return redirect("account:log_in")
    email = asked_text(request.POST, "email", characters_max=254)
    id = asked_text(request.POST, "id", characters_max=12)
    try:
        _pace(request, "contacts", _CONTACTS_A_MINUTE)
        match request.POST.get("act"):
            case "propose":
                someone = Representative(
                    name=asked_text(request.POST, "name", characters_max=100), email=email,
                    language=asked_text(request.POST, "language", characters_max=5),
                    timezone=asked_text(request.POST, "timezone", characters_max=64),
                    phone=asked_text(request.POST, "phone", characters_max=40),
                )  # fmt: skip
                contacts.propose(someone, customer=account, by=request.person, at=at)
                messages.success(request, say(language, "{email} is asked by letter.", email=email))
            case "take-back":
                contacts.take_back(int(id) if id.isdecimal() else 0, customer=account, by=request.person, at=at)
            case "up":
                if contacts.move_up(email, customer=account, by=request.person, at=at):
                    messages.success(request, say(language, "Changed; the contacts are told by letter."))
            case "remove":
                contacts.remove(email, customer=account, by=request.person, at=at)
                messages.success(request, say(language, "Changed; the contacts are told by letter."))
    except Sentence as why:
        messages.error(request, why.said(language))
    return redirect("account:people", account.key)


# The link is the key and no cookie is; see `views.case`.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def agree(request: HttpRequest, token: str) -> HttpResponse:
    """Somebody who was proposed as a contact agrees, by a button: mail filters open links."""
    at, page = wiring.now(), "tipstaff/portal/agree.html"
    try:
        found = contacts.proposed_by_link(open_link(Link.CONTACT, token, at=at), at=at)
    except (LinkTampered, LinkExpired):
        found = None
    customer = get_customer(found.customer) if found is not None else None
    if found is None or customer is None:
        return private(show_public(request, page, gone=True, status=410))
    shown: dict[str, Any] = {"customer": customer, "proposed": found}
    if request.method != "POST":
        return private(show_public(request, page, on_record=found.language, **shown))
    try:
        agreed = contacts.agree(found.pk, at=at)
    except Sentence as why:
        trouble = why.said(language_of(request, otherwise=found.language))
        return private(show_public(request, page, on_record=found.language, trouble=trouble, status=409, **shown))
    if not agreed:
        return private(show_public(request, page, gone=True, status=410))
    return private(show_public(request, page, on_record=found.language, agreed=True, **shown))


@require_POST
@inside
def set_key(request: PersonRequest, customer: str) -> HttpResponse:
    """Give a key for one's own letters, or take one back."""
    account, _ = managed(request, customer, PortalRole.MANAGES)
    at, language = wiring.now(), language_of(request, otherwise=request.person.language)
    if not is_fresh(request, at=at):
        messages.error(request, say(language, "Log in again to change contacts: a screen left open is not enough."))
        return redirect("account:log_in")
    try:
        _pace(request, "contacts", _CONTACTS_A_MINUTE)
        if request.POST.get("act") == "forget":
            if mail_keys.forget(request.POST.get("kind", ""), customer=account, by=request.person, at=at):
                messages.success(request, say(language, "Changed; the contacts are told by letter."))
        else:
            mail_keys.propose(request.POST.get("key", "").strip(), customer=account, by=request.person, at=at)
            messages.success(request, say(language, "A letter that this key opens is on its way to {email}.",
                                          email=request.person.email))  # fmt: skip
    except Sentence as why:
        messages.error(request, why.said(language))
    return redirect("account:people", account.key)


# The link is the key and no cookie is; see `views.case`.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def show_key(request: HttpRequest, token: str) -> HttpResponse:
    """Somebody has opened the letter that is closed by their key, and uses it from now on, by a button."""
    at, page = wiring.now(), "tipstaff/portal/key.html"
    try:
        found = mail_keys.key_of_link(open_link(Link.KEY, token, at=at), at=at)
    except (LinkTampered, LinkExpired):
        found = None
    customer = get_customer(found.customer) if found is not None else None
    if found is None or customer is None:
        return private(show_public(request, page, gone=True, status=410))
    shown: dict[str, Any] = {"customer": customer, "proposed": found}
    if request.method != "POST":
        return private(show_public(request, page, **shown))
    try:
        used = mail_keys.show(found.pk, at=at)
    except Sentence as why:
        return private(show_public(request, page, trouble=why.said(language_of(request)), status=409, **shown))
    return private(show_public(request, page, gone=not used, used=used, status=200 if used else 410, **shown))


def _pace(request: PersonRequest, what: str, quota: int) -> None:
    if pace.use(what, str(request.person.pk), quota=quota, at=wiring.now()).wait_seconds:
        raise Sentence("Too many at once. Try again in a minute.")


def show_inside(request: PersonRequest, template: str, **context: Any) -> HttpResponse:
    return show_public(request, template, on_record=request.person.language, person=request.person, **context)


def managed(request: PersonRequest, key: str, needed: PortalRole) -> tuple[Customer, PortalRole]:
    """The customer, if the person may do that much for it; else there is no such page."""
    customer = get_customer(key)
    role = role_on(request.person, key) if customer is not None else None
    if customer is None or role is None or not own.may(role, needed):
        raise Http404(key)
    return customer, role


def _zone(person: PortalPerson) -> ZoneInfo | None:
    """The time zone that the registry has for them; None, which is the page's own, where it has none."""
    for key in own.customers_of(person):
        for contact in representatives_of(key):
            if contact.email.lower() == person.email:
                return zone_named(contact.timezone)
    return None
