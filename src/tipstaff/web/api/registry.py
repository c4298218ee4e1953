"""The registry by API: customers, what they hold, as it is believed now or was then; changes and their undoing.

People act here as at the console, with the same abilities. The customer system's webhook is signed instead.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, TypeVar

from django.db import DataError
from django.http import HttpRequest, HttpResponse
from ninja import File, Header, Query, Router
from ninja.errors import HttpError
from ninja.files import UploadedFile

from tipstaff import wiring
from tipstaff.procedures import admission, registering
from tipstaff.procedures.acceptance import accept_by_contract
from tipstaff.registry import queries
from tipstaff.registry.crm import BadDelivery, NotSigned
from tipstaff.words import (
    Acceptance,
    AccountUser,
    Admission,
    AdmissionState,
    Change,
    Customer,
    Holding,
    Representative,
    Resource,
    ResourceKind,
    Service,
    Site,
    Standing,
)

from ..portal.people import forget
from ..roles import Ability
from .auth import Able
from .moments import Instant
from .pages import Cursor, IfMatch, etag_of, opened, opened_number, page, plain, seen
from .problems import Problem
from .registry_shapes import (
    AcceptanceIn,
    AccountThenOut,
    AdmissionOut,
    ChangeOut,
    ContactIn,
    ContactOut,
    CustomerIn,
    CustomerOut,
    CustomerPageOut,
    DecisionIn,
    EndIn,
    HoldingIn,
    HoldingOut,
    ImportOut,
    LetterOfAuthorityOut,
    PersonIn,
    ReachedIn,
    ResourceIn,
    ResourceOut,
    SaidOut,
    ServiceEndIn,
    ServiceIn,
    SiteIn,
    StandingIn,
    TransferIn,
    UserIn,
    WhyIn,
)

router = Router(tags=["registry"])
_T = TypeVar("_T")


Limit = Annotated[int, Query(ge=1, le=500)]
OCTETS_MAX = 10_000_000


def _by(request: HttpRequest) -> dict[str, Any]:
    return {"at": wiring.now(), "actor": request.user.get_username()}


def _said(act: Callable[[], _T]) -> _T:
    """Run it; a refusal is a sentence with the status of a conflict."""
    try:
        return act()
    except registering.REFUSED as why:
        said = str(why)
        raise HttpError(409, f"{said[:1].upper()}{said[1:]}".removesuffix(".") + ".") from why
    except DataError as why:
        raise HttpError(422, "A field holds a character that can't be kept, or is too long.") from why
    except ValueError as why:
        raise HttpError(422, f"{str(why)[:300]}".removesuffix(".") + ".") from why


@router.get("/customers", auth=Able(Ability.SEE_DESK, "registry"), response=list[CustomerOut])
def list_customers(
    request: HttpRequest,
    response: HttpResponse,
    search: str = "",
    standing: Standing | None = None,
    cursor: Cursor = "",
    limit: Limit = 100,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> list[CustomerOut]:
    """Customers, by key, in pages."""
    found = queries.list_customers(
        search=plain(search), standing=standing, limit=limit + 1, offset=offset, after=opened(cursor) or ""
    )  # fmt: skip
    return [_customer(c) for c in page(request, response, found, limit=limit, last=lambda c: c.key, offset="0")]


@router.get("/customers/{key}", auth=Able(Ability.SEE_DESK, "registry"), response=CustomerPageOut)
def get_customer(
    request: HttpRequest, response: HttpResponse, key: str, at: Instant | None = None
) -> CustomerPageOut:  # fmt: skip
    """One customer with what they hold now, or held at `at`; the ETag is what a change sends as `If-Match`."""
    found = queries.get_customer(key.replace("\x00", ""))
    if found is None:
        raise HttpError(404, f"There is no customer {key[:64]}.")
    shown = _whole(found, at=_aware(at) or wiring.now())
    response["ETag"] = etag_of(shown)
    return shown


@router.get("/customers/{key}/then", auth=Able(Ability.SEE_DESK, "registry"), response=AccountThenOut)
def get_customer_then(
    request: HttpRequest, key: str, at: Instant | None = None, known_at: Instant | None = None
) -> dict[str, Any]:
    """What was believed at `known_at` to be so of an account at `at`; either left out is now."""
    now = wiring.now()
    then = queries.account_as_known(plain(key), at=_aware(at) or now, known_at=_aware(known_at) or now)
    if then is None:
        raise HttpError(404, f"There was no customer {plain(key)[:64]} then.")
    own, standing = then.customer, then.standing
    return {
        "key": own.key, "name": own.name, "reseller": own.reseller, "at": then.at, "known_at": then.known_at,
        "standing": None if standing is None else asdict(standing),
        "representatives": [_contact(one) for one in then.representatives],
        "services": [_service(one) for one in then.services],
        "users": [asdict(one) for one in then.users],
        "acceptances": [asdict(one) for one in then.acceptances],
        "holdings": [_holding(one) for one in then.holdings],
        "resources": [_resource(one) for one in then.resources],
        "sites": [{**asdict(one), "address": str(one.address)} for one in then.sites],
    }  # fmt: skip


def _service(service: Service) -> dict[str, str]:
    return {"key": service.key, "kind": service.kind.value, "label": service.label, "port": service.port}


def _whole(customer: Customer, *, at: datetime) -> CustomerPageOut:
    return CustomerPageOut(
        **_customer(customer).dict(),
        representatives=[_contact(p) for p in queries.representatives_of(customer.key)],
        services=[_service(one) for one in queries.services_of(customer.key)],
        holdings=[_holding(h) for h in queries.holdings_of(customer.key, at=at)],
        resources=[_resource(r) for r in queries.resources_of(customer.key, at=at)],
    )


def _as_seen(key: str, if_match: str) -> None:
    """Raise 412 when a customer is not as whoever asks has seen them; who states no ETag has not looked."""
    found = queries.get_customer(key) if if_match else None
    if found is not None:
        seen(_whole(found, at=wiring.now()), if_match, what="customer", needed=False)
    elif if_match:
        raise Problem(412, "There is no such customer to be changed.")


@router.put("/customers/{key}", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=CustomerOut)
def save_customer(request: HttpRequest, key: str, stated: CustomerIn, if_match: IfMatch = "") -> CustomerOut:
    """Add a customer or change one; they are vetted. With `If-Match` only if they are as that ETag says."""
    by = _by(request)
    if not 0 < len(key) <= 64 or not key.isprintable():
        raise HttpError(422, "A customer's key has 1 to 64 printable characters.")
    _as_seen(key, if_match)
    before = queries.get_customer(key)
    customer = Customer(
        key=key,
        representative=queries.stated_representative(key),
        standing=before.standing if before else Standing.GOOD,
        since=before.since if before else by["at"],
        **{**stated.dict(), "brand": (before.brand if before else "") if stated.brand is None else stated.brand},
    )
    if stated.brand and stated.brand not in wiring.brands():
        raise HttpError(422, "The settings name no such brand.")
    _said(lambda: registering.save_customer(customer, **by))
    return _customer(customer)


@router.put("/customers/{key}/representatives", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=list[ContactOut])
def designate(
    request: HttpRequest, key: str, chain: list[ContactIn], if_match: IfMatch = ""
) -> list[ContactOut]:  # fmt: skip
    """Say who represents a customer, the foremost first."""
    by = _by(request)
    key = key.replace("\x00", "")
    _as_seen(key, if_match)
    known = {person.email.lower(): person for person in queries.representatives_of(key)}
    people = [
        Representative(
            **one.dict(),
            verified_at=known[one.email.lower()].verified_at if one.email.lower() in known else None,
            bounced_at=known[one.email.lower()].bounced_at if one.email.lower() in known else None,
        )
        for one in chain
    ]
    _said(lambda: registering.designate(key, people, **by))
    return [_contact(person) for person in queries.representatives_of(key)]


@router.post("/customers/{key}/standing", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=CustomerOut)
def set_standing(request: HttpRequest, key: str, stated: StandingIn, if_match: IfMatch = "") -> CustomerOut:
    """A contract runs, rests or has ended."""
    by = _by(request)
    _as_seen(key.replace("\x00", ""), if_match)
    since = _aware(stated.since) or by["at"]
    _said(lambda: registering.set_standing(key, stated.standing, since=since, why=stated.why, **by))
    found = queries.get_customer(key)
    assert found is not None
    return _customer(found)


@router.post("/customers/{key}/acceptances", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=SaidOut)
def accept(request: HttpRequest, key: str, stated: AcceptanceIn) -> dict[str, str]:
    """Put on record that a customer accepted an edition by contract."""
    by, customer = _by(request), _known(key)
    edition = plain(stated.edition)
    if edition not in {one.id for one in wiring.editions()}:
        raise HttpError(409, "There is no such edition of the policy.")
    acceptance = Acceptance(
        customer=customer.key, contract=plain(stated.contract), edition=edition,
        accepted_at=_aware(stated.accepted_at) or by["at"], accepted_by=plain(stated.accepted_by),
    )  # fmt: skip
    _said(lambda: accept_by_contract(acceptance, **by))
    return {"said": f"{customer.name} accepted edition {edition}."}


@router.post("/customers/{key}/reached", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=SaidOut)
def note_reached(request: HttpRequest, key: str, stated: ReachedIn) -> dict[str, str]:
    """Put on record that letters to one of a customer's addresses arrive, or come back."""
    customer, email = _known(key), plain(stated.email)
    if email.lower() not in {person.email.lower() for person in queries.representatives_of(customer.key)}:
        raise HttpError(409, "That is no address of this customer's.")
    note = registering.note_bounce if stated.bounced else registering.note_reached
    _said(lambda: note(email, why="Noted at the desk.", **_by(request)))
    return {"said": f"Letters to {email} come back." if stated.bounced else f"{email} is verified."}


@router.post("/customers/{key}/forget-log-in", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=SaidOut)
def forget_log_in(request: HttpRequest, key: str, stated: PersonIn) -> dict[str, str]:
    """What somebody of a customer logs in with was lost: none of it counts any more; sessions and tokens end."""
    customer, email = _known(key), plain(stated.email)
    if not forget(email, customer=customer.key, **_by(request)):
        raise HttpError(409, "Nobody of that address logs in for this customer.")
    return {"said": f"{email} is logged out, and logs in anew by a link; their tokens are revoked."}


def _known(key: str) -> Customer:
    found = queries.get_customer(plain(key))
    if found is None:
        raise HttpError(404, f"There is no customer {plain(key)}.")
    return found


@router.put("/services/{key}", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=dict[str, str])
def save_service(request: HttpRequest, key: str, stated: ServiceIn) -> dict[str, str]:
    by = _by(request)
    _said(lambda: registering.save_service(Service(key=key, **stated.dict()), **by))
    return {"key": key}


@router.post("/services/{key}/end", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=dict[str, int])
def end_service(request: HttpRequest, key: str, stated: ServiceEndIn) -> dict[str, int]:
    """A service has ended, and with it what is held by it: how many holdings that were."""
    by = _by(request)
    until = _aware(stated.ended_at)
    assert until is not None
    return {"holdings": _said(lambda: registering.end_service(plain(key), held_until=until, **by))}


@router.put("/users/{key}", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=dict[str, str])
def save_user(request: HttpRequest, key: str, stated: UserIn) -> dict[str, str]:
    """Add somebody who uses an account, or change them."""
    by = _by(request)
    _said(lambda: registering.save_user(AccountUser(key=key, **stated.dict()), **by))
    return {"key": key}


@router.post("/letters", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=LetterOfAuthorityOut)
def file_letter(
    request: HttpRequest,
    file: File[UploadedFile],
    customer: Annotated[str, Query(max_length=64)],
    issuer: Annotated[str, Query(max_length=200)],
    prefix: Annotated[list[str], Query(min_length=1, max_length=100)],
    valid_from: Instant | None = None,
    valid_until: Instant | None = None,
) -> dict[str, str]:
    """File a letter of authority, by which addresses may move: its name and SHA-256 are kept, the file is not."""
    by = _by(request)
    content = file.read(OCTETS_MAX + 1)
    if len(content) > OCTETS_MAX:
        raise HttpError(413, "A letter of authority is at most 10 MB.")
    filed = _said(
        lambda: registering.file_letter(
            issuer=plain(issuer), customer=plain(customer), prefixes=[ip_network(each) for each in prefix],
            valid_from=_aware(valid_from) or by["at"], valid_until=_aware(valid_until),
            file_name=plain(file.name or "letter"), content=content, **by,
        )
    )  # fmt: skip
    return {"key": filed.key, "sha256": filed.digest}


@router.post("/holdings/{number}/transfer", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=dict[str, int])
def transfer_holding(request: HttpRequest, number: int, stated: TransferIn) -> dict[str, int]:
    """Move addresses to another customer; 409 without a letter of authority that is valid then and covers them."""
    by = _by(request)
    since = _aware(stated.since)
    assert since is not None

    def act() -> int:
        return registering.transfer_holding(
            number, to=plain(stated.customer), service=stated.service, since=since, **by
        )

    return {"number": _said(act)}


@router.post("/holdings", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=dict[str, int])
def hold(request: HttpRequest, stated: HoldingIn) -> dict[str, int]:
    """Give addresses to a customer; 409 when somebody holds them then."""
    by = _by(request)

    def act() -> int:
        told = {**stated.dict(), "prefix": ip_network(stated.prefix)}
        told["held_from"], told["held_until"] = _aware(stated.held_from), _aware(stated.held_until)
        return registering.hold(Holding(key=0, source="API", **told), **by)

    return {"number": _said(act)}


@router.post("/holdings/{number}/end", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=dict[str, int])
def end_holding(request: HttpRequest, number: int, stated: EndIn) -> dict[str, int]:
    by = _by(request)
    until = _aware(stated.held_until)
    assert until is not None
    _said(lambda: registering.end_holding(number, held_until=until, **by))
    return {"number": number}


@router.get("/holdings", auth=Able(Ability.SEE_DESK, "registry"), response=list[HoldingOut])
def holdings_then(request: HttpRequest, address: str, at: Instant, known_at: Instant | None = None) -> list[HoldingOut]:
    """Who held an address at a time, as believed now or at `known_at`."""
    now = wiring.now()

    def act() -> list[Holding]:
        when = _aware(at)
        assert when is not None
        return queries.holdings_as_known(ip_address(address), at=when, known_at=_aware(known_at) or now)

    return [_holding(held) for held in _said(act)]


@router.post("/resources", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=dict[str, int])
def hold_resource(request: HttpRequest, stated: ResourceIn) -> dict[str, int]:
    """Give a customer something beside addresses; 409 when somebody holds it then."""
    by = _by(request)
    told = {**stated.dict(), "held_from": _aware(stated.held_from), "held_until": _aware(stated.held_until)}
    return {"number": _said(lambda: registering.hold_resource(Resource(source="API", **told), **by))}


@router.post("/sites", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=dict[str, bool])
def save_site(request: HttpRequest, stated: SiteIn) -> dict[str, bool]:
    """Say for whom a host name is answered at an address; with the same `since` again its end. 409 when it is
    another's then."""
    by = _by(request)
    told = {**stated.dict(), "since": _aware(stated.since), "until": _aware(stated.until)}

    def act() -> bool:
        return registering.save_site(Site(**{**told, "address": ip_address(stated.address)}), **by)

    return {"changed": _said(act)}


@router.post("/resources/{number}/end", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=dict[str, int])
def end_resource(request: HttpRequest, number: int, stated: EndIn) -> dict[str, int]:
    by = _by(request)
    until = _aware(stated.held_until)
    assert until is not None
    _said(lambda: registering.end_resource(number, held_until=until, **by))
    return {"number": number}


@router.get("/resources", auth=Able(Ability.SEE_DESK, "registry"), response=list[ResourceOut])
def resources_then(
    request: HttpRequest, kind: ResourceKind, name: str, at: Instant, known_at: Instant | None = None
) -> list[ResourceOut]:
    """Who held a resource at a time, as believed now or at `known_at`."""
    when = _aware(at)
    assert when is not None
    found = _said(lambda: queries.resource_holders(kind, name, at=when, known_at=_aware(known_at)))
    return [_resource(one) for one in found]


@router.get("/changes", auth=Able(Ability.SEE_DESK, "registry"), response=list[ChangeOut])
def list_changes(
    request: HttpRequest, response: HttpResponse, about: str = "", cursor: Cursor = "", limit: Limit = 100
) -> list[dict[str, Any]]:
    """Changes of the registry, the latest first, in pages."""
    about, most, before = about.replace("\x00", "")[:128], limit + 1, opened_number(cursor)
    found = (
        queries.changes_of(about, limit=most, before=before)
        if about
        else queries.list_changes(limit=most, before=before)
    )
    return [_change(change) for change in page(request, response, found, limit=limit, last=_last_number)]


def _last_number(named: Change | Admission) -> str:
    """`12` of `CH-12`."""
    return named.key.rpartition("-")[2]


@router.post("/changes/{key}/undo", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=dict[str, str])
def undo(request: HttpRequest, key: str, stated: WhyIn) -> dict[str, str]:
    """Bring back what stood before a change; the undoing's own key."""
    by = _by(request)
    return {"change": _said(lambda: registering.undo(key, why=stated.why[:2000], **by))}


@router.post("/import", auth=Able(Ability.KEEP_REGISTRY, "registry"), response=ImportOut)
def import_file(
    request: HttpRequest, file: File[UploadedFile], dry_run: bool = False, rest: bool = False
) -> dict[str, Any]:
    """Take in a CSV file or published objects, or only say what would change. 10 MB at most."""
    by = _by(request)
    content = file.read(OCTETS_MAX + 1)
    if len(content) > OCTETS_MAX:
        raise HttpError(413, "A file by this way is at most 10 MB; use tipstaff registry import for larger ones.")
    try:
        lines = content.decode("utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError:
        raise HttpError(422, "The file is not UTF-8 text.") from None
    name = (file.name or "upload")[:100]
    preview = admission.import_registry(
        lines, source_name=name, dry_run=dry_run, rest=rest, editions=wiring.editions(), **by
    )
    return {
        **{f: getattr(preview, f) for f in ("kind", "rows", "added", "changed", "unchanged", "applied", "change")},
        "changes": list(preview.changes),
        "refused": [{"line": r.line, "why": r.why} for r in preview.refused],
        "kept": [{"line": r.line, "why": r.why} for r in preview.kept],
        "outside": {"count": preview.outside.count, "says": str(preview.outside)} if preview.outside else None,
    }


@router.get("/admissions", auth=Able(Ability.SEE_DESK, "registry"), response=list[AdmissionOut])
def list_admissions(
    request: HttpRequest,
    response: HttpResponse,
    state: AdmissionState = AdmissionState.WAITING,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """Vettings of one state, in pages; those that wait, the longest first."""
    found = queries.list_admissions(state=state, limit=limit + 1, past=opened_number(cursor))
    return [_admission(one) for one in page(request, response, found, limit=limit, last=_last_number)]


@router.post("/admissions/{key}/decide", auth=Able(Ability.ADMIT, "registry"), response=AdmissionOut)
def decide(request: HttpRequest, key: str, stated: DecisionIn) -> dict[str, Any]:
    """Accept or refuse, with the reason."""
    by = _by(request)
    return _admission(
        _said(lambda: admission.decide(key, accept=stated.accept, why=stated.why[:2000], desk=wiring.desk(), **by))
    )


@router.post("/deliveries", auth=None, response=dict[str, Any])
def take_delivery(
    request: HttpRequest,
    x_tipstaff_delivery: Annotated[str, Header()] = "",
    x_tipstaff_time: Annotated[str, Header()] = "",
    x_tipstaff_signature: Annotated[str, Header()] = "",
) -> dict[str, Any]:
    """The customer system's webhook: an event signed with the key of `tipstaff registry delivery-key`."""
    key = wiring.delivery_key()
    if key is None:
        raise HttpError(404, "No key was made for deliveries: tipstaff registry delivery-key makes one.")
    try:
        return registering.take_delivery(
            request.body, delivery=x_tipstaff_delivery, timestamp=x_tipstaff_time, signature=x_tipstaff_signature,
            key=key, at=wiring.now(),
        )  # fmt: skip
    except NotSigned as why:
        raise HttpError(401, str(why)) from why
    except BadDelivery as why:
        raise HttpError(422, str(why)) from why


def _aware(at: datetime | None) -> datetime | None:
    if at is not None and at.tzinfo is None:
        raise HttpError(422, "A time needs its zone: 2026-03-01T12:00:00Z.")
    return at


def _customer(customer: Customer) -> CustomerOut:
    return CustomerOut(
        key=customer.key, name=customer.name, standing=customer.standing, reseller=customer.reseller,
        is_reseller=customer.is_reseller, since=customer.since,
        letters_to=customer.representative.email if customer.representative else None,
    )  # fmt: skip


def _contact(person: Representative) -> ContactOut:
    return ContactOut(**{name: getattr(person, name) for name in ContactOut.model_fields})


def _holding(held: Holding) -> HoldingOut:
    return HoldingOut(
        number=held.key, tier=held.tier, kind=held.kind, prefix=str(held.prefix), port_first=held.port_first,
        port_last=held.port_last, customer=held.customer, service=held.service, held_from=held.held_from,
        held_until=held.held_until, source=held.source,
    )  # fmt: skip


def _resource(held: Resource) -> ResourceOut:
    own = {name: getattr(held, name) for name in ResourceOut.model_fields if name != "number"}
    return ResourceOut(number=held.key, **own)


def _change(change: Change) -> dict[str, Any]:
    return {
        "key": change.key, "at": change.at, "actor": change.actor, "origin": change.origin.value,
        "source": change.source, "says": list(change.says), "count": change.count, "undoes": change.undoes,
        "undone_by": change.undone_by,
    }  # fmt: skip


def _admission(one: Admission) -> dict[str, Any]:
    return {
        "key": one.key, "customer": one.customer, "name": one.customer_name, "state": one.state.value,
        "opened_at": one.opened_at, "why": one.why, "decided_by": one.decided_by,
        "concerns": [
            {"kind": c.kind.value, "score": c.score, "explanation": c.explanation, "against": c.against}
            for c in one.concerns
        ],
    }  # fmt: skip
