"""What a reseller passes on of a case to a customer of theirs, under their own name, and what comes back.

The case stays the reseller's: its clock runs, and they answer us. Only the places that they choose are shown, so that
no customer of theirs learns of another; who complained is known to nobody here.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from tipstaff import wiring
from tipstaff.config import COLOURS as COLOURS
from tipstaff.procedures.portal import (
    is_sealed,
    note_portal_change,
    send_passed_on,
    take_turn,
    tell_passed_on_answered,
)
from tipstaff.registry.queries import accounts_below, get_customer
from tipstaff.words import Answer, Case, Customer

from ..models import Brand, Forward, PortalPerson
from ..said import LANGUAGES, Sentence
from .outgoing import contact_in_letter, holds_url, is_no_name, refuse_too_many
from .people import MAIL_ADDRESS

FORWARDS_MAX, PLACES_MAX, NOTE_MAX, WORDS_MAX = 20, 50, 2000, 10_000
ANSWERS = (Answer.FIXED, Answer.DISPUTE, Answer.WRONG_CUSTOMER)


class NotPassedOn(Sentence):
    """It cannot be passed on so; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """A reseller as its own customers see it."""

    name: str
    mark: str
    colour: str
    contact: str


def brand_of(customer: Customer) -> Branding:
    """What the reseller has set, else its name as the registry has it: also where they could not set it so any more."""
    row = Brand.objects.filter(pk=customer.key).first()
    if row is None or is_no_name(row.name):
        return Branding(name=customer.name[:80], mark="", colour="grey", contact="")
    return Branding(name=row.name, mark=row.mark, colour=row.colour, contact=row.contact)


def set_brand(customer: Customer, brand: Branding, *, by: PortalPerson, at: datetime) -> None:
    """Keep how a reseller looks. Raise NotPassedOn."""
    if not brand.name.strip() or brand.colour not in COLOURS:
        raise NotPassedOn("Give a name and a colour.")
    if is_no_name(brand.name) or is_no_name(brand.mark) or holds_url(brand.contact):
        raise NotPassedOn("A name holds no address of the web or of mail; how you are reached holds none of the web.")
    with transaction.atomic():
        Brand.objects.update_or_create(
            customer=customer.key,
            defaults={
                "name": brand.name[:80], "mark": brand.mark[:12], "colour": brand.colour, "contact": brand.contact[:200]
            },
        )  # fmt: skip
        note_portal_change("portal.brand_set", customer=customer.key, at=at, actor=f"customer ({by.email})")


def may_pass_on(case: Case) -> bool:
    """Whether it is a reseller's case that others may be told of."""
    customer = get_customer(case.customer)
    return customer is not None and customer.is_reseller and not is_sealed(case)


def forwards_of(case: str) -> list[Forward]:
    return list(Forward.objects.filter(case=case).order_by("id")[:FORWARDS_MAX])


def receivers(case: Case) -> list[Customer]:
    """The accounts below the reseller that somebody can be written to at."""
    return [account for account in accounts_below(case.customer)[:200] if account.representative is not None]


def pass_on(
    case: Case, *, account: str, name: str, email: str, language: str, places: list[str], known: list[str], note: str,
    by: PortalPerson, at: datetime,
) -> Forward:  # fmt: skip
    """Pass some places of a case on to an account below, or to an address that the reseller names.

    `known` are the places that the case has. Raise NotPassedOn, or the Sentence of too many letters.
    """
    if not may_pass_on(case):
        raise NotPassedOn("This case cannot be passed on.")
    if account:
        below = next((one for one in receivers(case) if one.key == account), None)
        if below is None or below.representative is None:
            raise NotPassedOn("That account is not one of yours.")
        to = below.representative
        name, email, language = to.name, to.email, to.language.partition("-")[0].lower()
    if not MAIL_ADDRESS.fullmatch(email):
        raise NotPassedOn("That is no mail address.")
    chosen = [place for place in dict.fromkeys(places) if place in known][:PLACES_MAX]
    if not chosen:
        raise NotPassedOn("Choose which places are this customer's.")
    reseller = get_customer(case.customer)
    assert reseller is not None, case.customer
    brand = brand_of(reseller)
    with transaction.atomic():
        take_turn(reseller.key)  # Two at once count one another.
        if not account:
            on_record = [one.representative.email.lower() for one in receivers(case) if one.representative is not None]
            refuse_too_many(case.customer, email, known=on_record, at=at)
        if Forward.objects.filter(case=case.key).count() >= FORWARDS_MAX:
            raise NotPassedOn("This case was passed on as often as can be.")
        row = Forward.objects.create(
            case=case.key, reseller=reseller.key, to_name=name[:100], email=email.lower(), places=chosen,
            language=language if language in LANGUAGES else "en", note=note[:NOTE_MAX], made_by=by.email, made_at=at,
        )  # fmt: skip
        note_portal_change(
            "portal.passed_on", customer=reseller.key, at=at, actor=f"customer ({by.email})", case=case.key,
            forward=row.pk, to=row.email,
        )  # fmt: skip
        # Whoever typed the address typed the name as well: it stays on the page.
        send_passed_on(
            case.key, number=row.pk, to=row.email, name=row.to_name if account else "", language=row.language,
            brand=brand.name, contact=contact_in_letter(brand.contact), by=by.email, reseller=row.reseller,
            desk=wiring.desk(), at=at,
        )  # fmt: skip
    return row


def take_forward_back(number: int, *, case: Case, by: PortalPerson, at: datetime) -> bool:
    """Its link opens nothing any more; False where that is so already."""
    with transaction.atomic():
        if not Forward.objects.filter(pk=number, case=case.key, ended_at=None).update(ended_at=at):
            return False
        note_portal_change(
            "portal.pass_on_ended", customer=case.customer, at=at, actor=f"customer ({by.email})", case=case.key,
            forward=number,
        )  # fmt: skip
    return True


def forward_of_link(name: str) -> Forward | None:
    """What a link passed on, while it was not taken back."""
    return Forward.objects.filter(pk=int(name.partition("-")[2]), ended_at=None).first()


def answer_forward(number: int, *, answer: Answer, words: str, at: datetime) -> bool:
    """Keep what the reseller's customer says, once, and tell who passed it on; the case itself does not move."""
    with transaction.atomic():
        row = Forward.objects.select_for_update().filter(pk=number, ended_at=None, answered_at=None).first()
        if row is None:
            return False
        row.answer, row.words, row.answered_at = answer.value, words[:WORDS_MAX], at
        row.save(update_fields=["answer", "words", "answered_at"])
        note_portal_change(
            "portal.passed_on_answered", customer=row.reseller, at=at, actor=f"customer of a reseller ({row.email})",
            case=row.case, forward=row.pk, answer=row.answer,
        )  # fmt: skip
        tell_passed_on_answered(
            row.case, reseller=row.reseller, by=row.to_name or row.email, desk=wiring.desk(), at=at
        )  # fmt: skip
    return True
