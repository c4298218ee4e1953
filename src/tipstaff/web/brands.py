"""Which of the operator's brands a page is shown under: that of the customer whom it is about, else of the host."""

from dataclasses import dataclass
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.http import HttpRequest

from tipstaff import wiring
from tipstaff.config import BrandConfig
from tipstaff.registry.queries import get_customer


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Who runs the page, as its reader knows them."""

    name: str
    abuse_address: str
    mark: str = ""
    """A few letters; empty is our own mark."""
    colour: str = "grey"
    language: str = ""
    """Of the page, for who wishes none."""
    zone: ZoneInfo | None = None
    """Of times on the page, where nobody's own is known; None is UTC."""


def shown_for(request: HttpRequest, *, customer: str = "") -> Shown:
    """How the page looks. A Host that is nobody's is the operator's own: links are never made from it."""
    own = wiring.settings()
    brand = wiring.brands().get(brand_of(customer)) if customer else _of_host(request.META.get("HTTP_HOST", ""))
    if brand is None:
        return Shown(name=own.operator.name, abuse_address=own.operator.abuse_address)
    return Shown(
        name=brand.shown_as or brand.name, abuse_address=brand.address or own.operator.abuse_address, mark=brand.mark,
        colour=brand.colour, language=brand.language,
        zone=ZoneInfo(brand.timezone) if brand.timezone != "UTC" else None,
    )  # fmt: skip


def base_of(request: HttpRequest) -> str:
    """Where the host that was asked is reached: a brand's, else our own. Never what only a browser says."""
    brand = _of_host(request.META.get("HTTP_HOST", ""))
    return brand.public_url.rstrip("/") if brand is not None else wiring.settings().public_url


def brand_asked(request: HttpRequest) -> str:
    """The brand whose host was asked; empty is none."""
    brand = _of_host(request.META.get("HTTP_HOST", ""))
    return brand.name if brand is not None else ""


def brand_of(customer: str) -> str:
    """The brand that a customer is under; empty is none."""
    found = get_customer(customer)
    return found.brand if found is not None else ""


def _of_host(host: str) -> BrandConfig | None:
    asked = host.lower()
    urls = ((brand, urlsplit(brand.public_url)) for brand in wiring.settings().brands if brand.public_url)
    return next((brand for brand, url in urls if asked in (url.netloc.lower(), url.hostname)), None)
