"""The walled garden's page: who is led to it, what their device is told, and what nobody learns there."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from django.db import OperationalError
from django.test import Client

from tipstaff.cases.queries import list_cases
from tipstaff.enforcement.models import MeasureRow
from tipstaff.enforcement.queries import walled_in
from tipstaff.intake.queries import reports_of_case
from tipstaff.web import pace
from tipstaff.web.public import garden
from tipstaff.words import Case, CaseState, Degree, MeasureState

Clock = Callable[[timedelta], datetime]
INSIDE = {"REMOTE_ADDR": "192.0.2.77"}


@pytest.fixture
def walled(day: object, clock: Clock, at: datetime) -> tuple[Case, MeasureRow]:
    """A customer of the day, all of whose /28 is in the garden."""
    case = list_cases(states=frozenset({CaseState.NOTIFIED}))[0]
    row = MeasureRow.objects.create(
        key="M-990001", case=case.key, customer=case.customer, device="edge-1",
        selector={"network": "192.0.2.64/28", "direction": "both"}, selector_key="garden", degree=Degree.WALLED_GARDEN,
        state=MeasureState.IN_FORCE, planned_at=at, in_force_at=at, lifted_when="It is lifted once it is fixed.",
        notice="L-000001", until=at + timedelta(days=7),
    )  # fmt: skip
    return case, row


def test_a_device_in_the_garden_is_told_so_and_any_other_is_not(walled: tuple[Case, MeasureRow]) -> None:
    told = Client().get("/garden/captive", **INSIDE)
    assert (told["Content-Type"], told.json()) == (
        "application/captive+json", {"captive": True, "user-portal-url": "https://abuse.example.net/garden"}
    )  # fmt: skip
    assert "no-store" in told["Cache-Control"]
    for outside in ("192.0.2.80", "192.0.2.63", "2001:db8::1", "::ffff:192.0.2.80"):
        assert Client().get("/garden/captive", REMOTE_ADDR=outside).json() == {"captive": False}, outside
    assert Client().get("/garden/captive", REMOTE_ADDR="::ffff:192.0.2.77").json()["captive"] is True
    walled[1].state = MeasureState.LIFTED
    walled[1].save()
    assert Client().get("/garden/captive", **INSIDE).json() == {"captive": False}


@pytest.mark.parametrize(("ground", "status"), [(None, 403), ("network_harm", 403), ("law", 451)])
def test_what_is_asked_of_another_site_is_refused_by_the_page_and_says_why(
    walled: tuple[Case, MeasureRow], ground: str | None, status: int
) -> None:
    case, row = walled
    if ground is not None:
        row.urgency = {"ground": ground, "shown_by": "x", "decided_by": "ana", "seconded_by": "ben"}
        row.save()
    for ask in ("get", "post", "head"):
        answer = getattr(Client(headers={"Host": "shop.example.com"}), ask)("/some/page?in=de", **INSIDE)
        assert answer.status_code == status, ask
        assert "no-store" in answer["Cache-Control"]
        assert answer.headers.get("Link") == (
            '<https://abuse.example.net>; rel="blocked-by"' if status == 451 else None
        )
        assert not answer.cookies
    page = Client(headers={"Host": "shop.example.com"}).get("/", **INSIDE).content.decode()
    assert case.key in page
    assert "https://abuse.example.net/account/" in page
    assert "shop.example.com" not in page
    (style,) = re.findall(r'href="(/static/tipstaff/app.css[^"]*)"', page)
    assert Client(headers={"Host": "shop.example.com"}).get(style, **INSIDE).status_code != status
    own = Client(headers={"Host": "abuse.example.net"}).get("/garden", **INSIDE)
    assert own.status_code == 200, "the page itself is no refusal"
    for host in ("abuse.example.net", "abuse.example.net:443", "198.51.100.1", "localhost"):
        assert Client(headers={"Host": host}).get("/", **INSIDE).status_code == 200, host
    assert Client(headers={"Host": "shop.example.com"}).get("/", REMOTE_ADDR="198.51.100.9").status_code == 200


def test_whoever_sits_behind_the_address_learns_nothing_of_the_reports(walled: tuple[Case, MeasureRow]) -> None:
    case, _ = walled
    page = Client().get("/garden", **INSIDE, headers={"Accept-Language": "pt"}).content.decode()
    assert "A sua ligação está restringida" in page
    assert case.customer_name not in page
    for report in reports_of_case(case.key):
        for secret in (report.key, report.sender):
            assert secret not in page
        for incident in report.incidents:
            assert not incident.allegation.excerpt or incident.allegation.excerpt not in page
    assert "not restricted" in Client().get("/garden", REMOTE_ADDR="198.51.100.9").content.decode()


def test_only_what_is_in_force_and_covers_the_address_is_a_garden(walled: tuple[Case, MeasureRow]) -> None:
    network = ip_network("192.0.2.64/28")
    assert all(walled_in(address) for address in network)
    assert walled_in(network.network_address - 1) is None
    walled[1].degree = Degree.BLOCK
    walled[1].save()
    assert walled_in(network.network_address) is None


def test_the_garden_has_a_pace(walled: tuple[Case, MeasureRow]) -> None:
    asked = [Client().get("/garden/captive", **INSIDE).status_code for _ in range(125)]
    assert (asked[0], asked[-1]) == (200, 429)
    assert Client().get("/garden/captive", REMOTE_ADDR="192.0.2.78").json()["captive"] is True, "each by itself"


def test_who_is_in_no_garden_has_no_pace_of_it_whatever_name_they_ask_by(
    walled: tuple[Case, MeasureRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Client(headers={"Host": "api.example.net"})
    monkeypatch.setattr(garden, "_A_MINUTE", 2)
    assert [other.get("/health", REMOTE_ADDR="198.51.100.9").status_code for _ in range(4)] == [200] * 4
    assert [other.get("/", **INSIDE).status_code for _ in range(3)] == [403, 403, 429]


@pytest.mark.parametrize("lost", [(garden, "walled_in"), (pace, "use")])
def test_a_lost_database_is_told_by_the_door_that_was_asked_and_not_by_the_garden(
    walled: tuple[Case, MeasureRow], monkeypatch: pytest.MonkeyPatch, lost: tuple[object, str]
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OperationalError

    monkeypatch.setattr(*lost, gone)
    assert Client(headers={"Host": "api.example.net"}).get("/health", **INSIDE).status_code == 200
