"""The registry's pages: customers, what they hold over time, changes and their undoing, admission."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from tipstaff import wiring
from tipstaff.cases.queries import list_cases as every_case
from tipstaff.enforcement import queries as enforcement
from tipstaff.host.envelopes import KEY_CHARACTERS_MAX
from tipstaff.procedures import admission, registering
from tipstaff.procedures.acceptance import accept_by_contract, acceptances_of
from tipstaff.registry import queries as registry
from tipstaff.words import (
    Acceptance,
    AccountUser,
    AdmissionState,
    Customer,
    Holding,
    HoldingKind,
    Representative,
    Resource,
    ResourceKind,
    Service,
    ServiceKind,
    Site,
    Standing,
    Tier,
)

from ..asked import asked_kind, asked_number, asked_page, asked_text
from ..portal.people import forget, visitors_of
from ..roles import Ability, StaffRequest, needs
from .page import show_console
from .timeline import timeline

PAGE = 100
LETTER_OCTETS_MAX = 10_000_000
ROWS_MAX = 100
"""So many contacts a form may name."""


class BadField(ValueError):
    """A field of a form is not as it should be; the message says which and why."""


@require_safe
@needs(Ability.SEE_DESK)
def customers(request: StaffRequest) -> HttpResponse:
    """Customers, and a search over them."""
    find = asked_text(request.GET, "find")
    standing = asked_kind(Standing, request.GET, "standing")
    brand = asked_text(request.GET, "brand", characters_max=32)
    page = asked_page(request.GET)
    found = registry.list_customers(
        search=find, standing=standing, brand=brand or None, limit=PAGE + 1, offset=(page - 1) * PAGE
    )
    keep = {name: value for name, value in (("find", find), ("brand", brand)) if value}
    return _console(
        request,
        "tipstaff/console/customers.html",
        customers=found[:PAGE],
        find=find,
        standing=standing,
        filters=[
            {
                "label": label,
                "query": urlencode({**keep, **({"standing": s.value} if s else {})}),
                "current": s is standing,
            }
            for label, s in (("All", None), *((s.value.capitalize(), s) for s in Standing))
        ],
        more=urlencode({**keep, **({"standing": standing.value} if standing else {}), "page": page + 1})
        if len(found) > PAGE
        else "",
        to_admit=registry.count_waiting_admissions(),
        brand=brand,
        brands=wiring.settings().brands,
    )


@require_safe
@needs(Ability.SEE_DESK)
def customer(request: StaffRequest, key: str) -> HttpResponse:
    """One customer: who they are and were, what they hold and held, what was alleged, and what was changed."""
    found = registry.get_customer(key.replace("\x00", ""))
    if found is None:
        raise Http404(key)
    at = wiring.now()
    holdings = registry.all_holdings_of(key, limit=500)
    resources = registry.resources_of(key)
    chain = registry.representatives_of(key)
    return _console(
        request,
        "tipstaff/console/customer.html",
        customer=found,
        above=registry.accounts_above(key),
        below=registry.accounts_below(key)[:50],
        contacts=chain,
        contact_rows=[*chain, None],
        users=registry.users_of(key),
        visitors=visitors_of(key, at=at),
        standings=registry.standings_of(key),
        acceptances=acceptances_of(key),
        letters=registry.letters_of_authority(key),
        services=registry.services_of(key),
        holdings=holdings,
        resources=resources,
        sites=registry.sites_of(key),
        held_count=len(holdings) + len(resources),
        timeline=timeline(holdings, resources, at=at),
        cases=every_case(customer=key, order="newest", limit=100),
        measures=enforcement.measures_on(key),
        admissions=registry.list_admissions(customer=key, limit=5),
        late_uses=registry.list_late_uses(customer=key, limit=20),
        changes=registry.changes_of(key, limit=30),
        past=registry.versions_of_customer(key, limit=50),
        service_kinds=list(ServiceKind),
        resource_kinds=list(ResourceKind),
        holding_kinds=[HoldingKind.STATIC, HoldingKind.DELEGATED, HoldingKind.LEASE],
        standing_choices=list(Standing),
        editions=wiring.editions(),
        brands=wiring.settings().brands,
        at=at,
    )


@require_safe
@needs(Ability.SEE_DESK)
def changes(request: StaffRequest) -> HttpResponse:
    """What was changed in the registry, the latest first."""
    before = asked_number(request.GET, "before", otherwise=None)
    found = registry.list_changes(limit=PAGE, before=before)
    return _console(
        request,
        "tipstaff/console/changes.html",
        changes=found,
        more=found[-1].key.removeprefix("CH-") if len(found) == PAGE else "",
    )


@require_safe
@needs(Ability.SEE_DESK)
def admissions(request: StaffRequest) -> HttpResponse:
    """Who waits to be let in, and what was decided lately."""
    return _console(
        request,
        "tipstaff/console/admissions.html",
        to_admit=registry.list_admissions(state=AdmissionState.WAITING, limit=100),
        decided=[
            one
            for state in (AdmissionState.ACCEPTED, AdmissionState.REFUSED)
            for one in registry.list_admissions(state=state, limit=25)
        ],
        lists=registry.lists_loaded()[1],
        late_uses=registry.list_late_uses(limit=50),
    )


@require_POST
@needs(Ability.ADMIT)
def decide(request: StaffRequest, key: str) -> HttpResponse:
    """Let a customer in, or refuse them, with the reason."""

    def run() -> str:
        choice = request.POST.get("do", "")
        if choice not in ("accept", "refuse"):
            raise BadField("Say whether the customer is accepted or refused.")
        decided = admission.decide(
            key, accept=choice == "accept", why=asked_text(request.POST, "why", characters_max=2000),
            desk=wiring.desk(), **_by(request),
        )  # fmt: skip
        return f"{decided.customer_name} is {decided.state}."

    return _tell(request, run, to=reverse("console:admissions"))


@require_POST
@needs(Ability.KEEP_REGISTRY)
def undo(request: StaffRequest, key: str) -> HttpResponse:
    """Bring back what stood before a change."""

    def run() -> str:
        why = asked_text(request.POST, "why", characters_max=2000)
        if not why:
            raise BadField("An undoing needs its reason; it stands in the record.")
        return f"{key} is undone by {registering.undo(key, why=why, **_by(request))}."

    about = asked_text(request.POST, "about")
    back = reverse("console:customer", args=[about]) if about and registry.get_customer(about) else None
    return _tell(request, run, to=back or reverse("console:changes"))


@require_POST
@needs(Ability.KEEP_REGISTRY)
def add(request: StaffRequest) -> HttpResponse:
    """Add a customer."""
    key = asked_text(request.POST, "key", characters_max=64)

    def run() -> str:
        if not key or "/" in key or not key.isprintable():
            raise BadField("An account number has 1 to 64 printable characters and no slash.")
        if registry.get_customer(key) is not None:
            raise BadField(f"{key} is there already.")
        registering.save_customer(_customer(request, key, None), **_by(request))
        return f"{key} is added."

    back = reverse("console:customers")
    return _tell(request, run, to=reverse("console:customer", args=[key]) if key and "/" not in key else back, bad=back)


@require_POST
@needs(Ability.KEEP_REGISTRY)
def act(request: StaffRequest, key: str, action: str) -> HttpResponse:
    """Do one thing to a customer and go back to the page."""
    chosen, found = ACTIONS.get(action), registry.get_customer(key.replace("\x00", ""))
    if chosen is None or found is None:
        raise Http404(f"{key} {action}")
    return _tell(request, lambda: chosen(request, found), to=reverse("console:customer", args=[key]))


def _save(request: StaffRequest, customer: Customer) -> str:
    registering.save_customer(_customer(request, customer.key, customer), **_by(request))
    return f"{customer.key} is saved."


def _customer(request: HttpRequest, key: str, before: Customer | None) -> Customer:
    name = asked_text(request.POST, "name")
    if not name:
        raise BadField("A customer has a name.")
    country = asked_text(request.POST, "country").upper()
    if country and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise BadField("A country is two letters, like DE.")
    return Customer(
        key=key,
        name=name,
        representative=registry.stated_representative(key) if before else None,
        reseller=asked_text(request.POST, "reseller", characters_max=64) or None,
        is_reseller="is_reseller" in request.POST,
        standing=before.standing if before else Standing.GOOD,
        since=before.since if before else wiring.now(),
        phone=asked_text(request.POST, "phone"),
        email=asked_text(request.POST, "email"),
        postal_address=asked_text(request.POST, "postal_address"),
        country=country,
        brand=_brand(request, before),
    )


def _brand(request: HttpRequest, before: Customer | None) -> str:
    known = before.brand if before else ""
    if "brand" not in request.POST:
        return known  # The form has no such field where the settings name no brand.
    brand = asked_text(request.POST, "brand", characters_max=32)
    if brand and brand not in {known, *(each.name for each in wiring.settings().brands)}:
        raise BadField("The settings name no such brand.")
    return brand


def _standing(request: StaffRequest, customer: Customer) -> str:
    standing = _one_of(Standing, request, "standing")
    why = asked_text(request.POST, "why", characters_max=2000)
    if not why:
        raise BadField("A change of standing needs its reason.")
    by = _by(request)
    registering.set_standing(customer.key, standing, since=_when(request, "since") or by["at"], why=why, **by)
    return f"{customer.name} is {standing}."


def _contacts(request: StaffRequest, customer: Customer) -> str:
    known = {person.email.lower(): person for person in registry.representatives_of(customer.key)}
    chain = []
    for number in range(1, ROWS_MAX + 1):
        email = asked_text(request.POST, f"email_{number}")
        if not email:
            continue
        old = known.get(email.lower())
        chain.append(
            Representative(
                name=asked_text(request.POST, f"name_{number}") or email,
                email=email,
                language=asked_text(request.POST, f"language_{number}") or "en",
                timezone=asked_text(request.POST, f"timezone_{number}") or "UTC",
                phone=old.phone if old else "",
                verified_at=old.verified_at if old else None,
                bounced_at=old.bounced_at if old else None,
                openpgp_key=old.openpgp_key if old else "",
                smime_certificate=old.smime_certificate if old else "",
            )
        )
    registering.designate(customer.key, chain, **_by(request))
    return "The representatives are saved."


def _reached(request: StaffRequest, customer: Customer) -> str:
    email = asked_text(request.POST, "email")
    bounces = request.POST.get("do") == "bounced"
    note = registering.note_bounce if bounces else registering.note_reached
    note(email, why="Noted at the desk.", **_by(request))
    return f"Letters to {email} come back." if bounces else f"{email} is verified."


def _keys(request: StaffRequest, customer: Customer) -> str:
    """Set or take away the keys by which letters to a contact are closed."""
    email = asked_text(request.POST, "email")
    chain = registry.representatives_of(customer.key)
    if all(one.email.lower() != email.lower() for one in chain):
        raise BadField(f"{email} is none of {customer.name}'s contacts.")
    openpgp_key, smime_certificate = (
        asked_text(request.POST, name, characters_max=KEY_CHARACTERS_MAX).replace("\r\n", "\n")
        for name in ("openpgp_key", "smime_certificate")
    )
    registering.designate(
        customer.key,
        [
            replace(one, openpgp_key=openpgp_key, smime_certificate=smime_certificate)
            if one.email.lower() == email.lower()
            else one
            for one in chain
        ],
        **_by(request),
    )
    closed = openpgp_key or smime_certificate
    return f"Letters to {email} are closed by that key." if closed else f"Letters to {email} go as they are."


def _service(request: StaffRequest, customer: Customer) -> str:
    key = asked_text(request.POST, "key", characters_max=64)
    if not key:
        raise BadField("A service has a key of its own.")
    service = Service(
        key=key, customer=customer.key, kind=_one_of(ServiceKind, request, "kind"),
        label=asked_text(request.POST, "label"), port=asked_text(request.POST, "port"),
    )  # fmt: skip
    registering.save_service(service, **_by(request))
    return f"{key} is saved."


def _end_service(request: StaffRequest, customer: Customer) -> str:
    by = _by(request)
    key = asked_text(request.POST, "key", characters_max=64)
    if key not in {one.key for one in registry.services_of(customer.key)}:
        raise BadField(f"{customer.name} has no service {key}.")
    registering.end_service(key, held_until=_when(request, "until") or by["at"], **by)
    return f"{key} has its end, and what is held by it as well."


def _user(request: StaffRequest, customer: Customer) -> str:
    key, name = asked_text(request.POST, "key", characters_max=64), asked_text(request.POST, "name")
    if not key or not name:
        raise BadField("A user has a key and a name.")
    email = asked_text(request.POST, "email", characters_max=254)
    registering.save_user(AccountUser(key=key, customer=customer.key, name=name, email=email), **_by(request))
    return f"User {key} is saved."


def _letter(request: StaffRequest, customer: Customer) -> str:
    by, upload = _by(request), request.FILES.get("file")
    if upload is None or not upload.size or upload.size > LETTER_OCTETS_MAX:
        raise BadField("Choose the letter's file, of at most 10 MB.")
    try:
        prefixes = [ip_network(each) for each in asked_text(request.POST, "prefixes", characters_max=4000).split()]
    except ValueError as why:
        raise BadField(str(why)) from why
    filed = registering.file_letter(
        issuer=asked_text(request.POST, "issuer"), customer=customer.key, prefixes=prefixes,
        valid_from=_when(request, "since") or by["at"], valid_until=_when(request, "until"),
        file_name=(upload.name or "letter").replace("\x00", "")[:100], content=upload.read(), **by,
    )  # fmt: skip
    return f"{filed.key} is filed: {filed.digest}"


def _transfer(request: StaffRequest, customer: Customer) -> str:
    by, number = _by(request), request.POST.get("number", "")
    own = {str(one.key): one for one in registry.all_holdings_of(customer.key)}
    if number not in own:
        raise BadField("That is not held by this customer.")
    to = asked_text(request.POST, "to", characters_max=64)
    registering.transfer_holding(int(number), to=to, since=_when(request, "since") or by["at"], **by)
    return f"{to} holds {own[number].prefix} from then on."


def _hold(request: StaffRequest, customer: Customer) -> str:
    try:
        prefix = ip_network(asked_text(request.POST, "prefix"))
    except ValueError as why:
        raise BadField(f"{why}.") from None
    by = _by(request)
    registering.hold(
        Holding(
            key=0, tier=Tier.RESELLER if "as_reseller" in request.POST else Tier.CUSTOMER,
            kind=_one_of(HoldingKind, request, "kind"), prefix=prefix, held_from=_when(request, "since") or by["at"],
            customer=customer.key, service=asked_text(request.POST, "service") or None, source="console",
        ),
        **by,
    )  # fmt: skip
    outside = registry.held_outside(at=by["at"], prefix=prefix)
    return f"{customer.name} holds {prefix}." + (f" But {outside}" if outside else "")


def _resource(request: StaffRequest, customer: Customer) -> str:
    by = _by(request)
    kind = _one_of(ResourceKind, request, "kind")
    resource = Resource(
        kind=kind, name=asked_text(request.POST, "name"), scope=asked_text(request.POST, "scope"),
        customer=customer.key, service=asked_text(request.POST, "service") or None,
        held_from=_when(request, "since") or by["at"], source="console",
    )  # fmt: skip
    registering.hold_resource(resource, **by)
    return f"{customer.name} holds {kind} {resource.name}."


def _site(request: StaffRequest, customer: Customer) -> str:
    by = _by(request)
    try:
        address = ip_address(asked_text(request.POST, "address"))
    except ValueError as why:
        raise BadField(f"{why}.") from None
    site = Site(
        host_name=asked_text(request.POST, "host_name"), address=address, customer=customer.key,
        service=asked_text(request.POST, "service") or None, since=_when(request, "since") or by["at"],
        until=_when(request, "until"),
    )  # fmt: skip
    registering.save_site(site, **by)
    return f"{site.host_name} at {address} is {customer.name}'s."


def _end(request: StaffRequest, customer: Customer) -> str:
    by = _by(request)
    number, what = request.POST.get("number", ""), request.POST.get("what", "")
    until = _when(request, "until") or by["at"]
    own = registry.all_holdings_of(customer.key) if what == "holding" else registry.resources_of(customer.key)
    if not number.isdecimal() or int(number) not in {one.key for one in own}:
        raise BadField("That is not held by this customer.")
    end = registering.end_holding if what == "holding" else registering.end_resource
    end(int(number), held_until=until, **by)
    return "It has its end."


def _accept(request: StaffRequest, customer: Customer) -> str:
    by = _by(request)
    edition = asked_text(request.POST, "edition", characters_max=64)
    if edition not in {one.id for one in wiring.editions()}:
        raise BadField("There is no such edition of the policy.")
    acceptance = Acceptance(
        customer=customer.key, contract=asked_text(request.POST, "contract"), edition=edition,
        accepted_at=_when(request, "accepted_at") or by["at"], accepted_by=asked_text(request.POST, "accepted_by"),
    )  # fmt: skip
    accept_by_contract(acceptance, **by)
    return f"{customer.name} accepted edition {edition}."


def _portal(request: StaffRequest, customer: Customer) -> str:
    """What somebody logs in with was lost, or may be in other hands: all of it counts no more."""
    email = asked_text(request.POST, "email", characters_max=254)
    if not forget(email, customer=customer.key, **_by(request)):
        raise BadField("Nobody of that address logs in for this customer.")
    return f"{email} is logged out, and logs in anew by a link; their tokens are revoked and their webhooks off."


ACTIONS: dict[str, Callable[[StaffRequest, Customer], str]] = {
    "save": _save,
    "standing": _standing,
    "contacts": _contacts,
    "reached": _reached,
    "keys": _keys,
    "service": _service,
    "end_service": _end_service,
    "user": _user,
    "letter": _letter,
    "transfer": _transfer,
    "hold": _hold,
    "resource": _resource,
    "site": _site,
    "end": _end,
    "accept": _accept,
    "portal": _portal,
}
"""What may be done on a customer's page, by the last part of its address."""


def _by(request: StaffRequest) -> dict[str, Any]:
    return {"at": wiring.now(), "actor": request.user.get_username()}


def _when(request: HttpRequest, name: str) -> datetime | None:
    text = asked_text(request.POST, name)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadField(f'"{text}" is not a time; write one like 2026-03-01 12:00, in UTC.') from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _one_of(words: Any, request: HttpRequest, name: str) -> Any:
    try:
        return words(request.POST.get(name, ""))
    except ValueError:
        raise BadField(f"{name} may be {', '.join(words)}.") from None


def _tell(request: StaffRequest, run: Callable[[], str], *, to: str, bad: str = "") -> HttpResponse:
    """Run it, keep the sentence for the next page, and go there; a refusal is a sentence too."""
    try:
        messages.success(request, run())
    except (*registering.REFUSED, BadField) as refusal:
        said = str(refusal)
        messages.error(request, f"{said[:1].upper()}{said[1:]}".removesuffix(".") + ".")
        to = bad or to
    return HttpResponseRedirect(to, status=HTTPStatus.SEE_OTHER)


def _console(request: StaffRequest, template: str, **context: Any) -> HttpResponse:
    return show_console(request, template, here="console:customers", **context)
