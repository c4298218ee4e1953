"""Whom a measure would hit: those who use a service, and the same for one past case as for very many."""

import dataclasses
from datetime import timedelta
from ipaddress import ip_address, ip_network

import pytest

from tests.procedures.office import DAY, HOUR, MOVED_IN, NOON, Office, reporter
from tipstaff.intake.queries import get_incident
from tipstaff.policy import Edition
from tipstaff.policy.replay import Difference
from tipstaff.procedures import collateral as module
from tipstaff.procedures.collateral import Collateral, in_words
from tipstaff.procedures.replaying import replayed_parts
from tipstaff.procedures.weighing import footprint_of, weigh_for
from tipstaff.registry import operations as registry
from tipstaff.words import (
    Degree,
    Holding,
    HoldingKind,
    Resource,
    ResourceKind,
    Rung,
    Scope,
    Service,
    ServiceKind,
    Tier,
)

SERVER = "192.0.2.64/29"
BY = {"at": MOVED_IN, "actor": "import"}


@pytest.fixture
def office(db: None) -> Office:
    made = Office()
    made.admit("acct-1", is_reseller=True)
    for key in ("acct-2", "acct-3", "acct-4"):
        made.admit(key)
    for key in ("acct-6", "acct-7"):
        made.admit(key, reseller="acct-1")
    for key in ("svc-1", "svc-9"):
        registry.add_service(Service(key=key, customer="acct-1", kind=ServiceKind.HOSTING, label="A server"), **BY)
    carried(made, SERVER, service="svc-1", customer="acct-1")
    return made


def carried(office: Office, prefix: str, *, service: str | None, customer: str) -> None:
    row = Holding(
        key=0, tier=Tier.RESELLER if customer == "acct-1" else Tier.CUSTOMER, kind=HoldingKind.STATIC,
        prefix=ip_network(prefix), held_from=MOVED_IN, customer=customer, service=service,
    )  # fmt: skip
    registry.add_holdings([row], **BY)


def site(name: str, address: str, customer: str, since: timedelta = -DAY) -> None:
    registry.add_site(
        name, address=ip_address(address), customer=customer, service=None, since=NOON + since, **BY
    )  # fmt: skip


def on_service(address: str | None = None, at: timedelta = timedelta()) -> set[str]:
    found = footprint_of(
        customer="acct-1", service="svc-1", address=ip_address(address) if address else None, at=NOON + at
    )
    return set(found.others_on_service)


def test_who_else_uses_a_service_is_counted_from_its_sites_log_ins_and_addresses(office: Office) -> None:
    assert on_service() == set()
    site("shop.example.com", "192.0.2.66", "acct-2")
    site("elsewhere.example.com", "192.0.2.90", "acct-3")
    login = Resource(
        kind=ResourceKind.LOGIN, name="u@example.com", scope="svc-1", customer="acct-4", held_from=NOON + HOUR
    )
    registry.hold_resource(login, **BY)
    assert on_service() == {"acct-2"}, "a site on its address, and none elsewhere"
    assert on_service(at=HOUR) == {"acct-2", "acct-4"}, "a log-in of it, since there is one"


def test_those_below_a_reseller_lose_the_service_and_whoever_did_it_is_no_other(office: Office) -> None:
    carried(office, "192.0.2.65/32", service=None, customer="acct-6")
    carried(office, "192.0.2.66/32", service=None, customer="acct-7")
    assert on_service() == {"acct-6", "acct-7"}
    assert on_service("192.0.2.65") == {"acct-7"}


def test_of_a_reseller_with_one_service_all_below_use_it(office: Office) -> None:
    office.admit("acct-8", is_reseller=True)
    office.admit("acct-9", reseller="acct-8")
    registry.add_service(Service(key="svc-8", customer="acct-8", kind=ServiceKind.ACCESS, label="A line"), **BY)
    found = footprint_of(customer="acct-8", service="svc-8", address=None, at=NOON)
    assert found.others_on_service == {"acct-9"}


def test_a_measure_on_a_service_that_others_use_hits_them(office: Office) -> None:
    site("shop.example.com", "192.0.2.66", "acct-2")
    report = office.complain("192.0.2.65", at=NOON)
    incident = get_incident(f"{report.key}.1")
    assert incident is not None
    can = frozenset({(Scope.SERVICE, Degree.SUSPEND), (Scope.ACCOUNT, Degree.SUSPEND)})
    desk = dataclasses.replace(
        office.desk, abilities=lambda at: (dataclasses.replace(office.twin.ability, can=can),)
    )  # fmt: skip
    both = (Rung(scope=Scope.SERVICE, degree=Degree.SUSPEND), Rung(scope=Scope.ACCOUNT, degree=Degree.SUSPEND))
    weighed = weigh_for(
        customer="acct-1", service="svc-1", ladder=both, measure_ports=(), direction=None,
        allegation=incident.conduct, desk=desk, at=NOON,
    )  # fmt: skip
    assert [(str(c.selector), c.others_hit, c.chosen) for c in weighed] == [("svc-1", 1, True), ("acct-1", 3, False)]


# Very many at once


def differing(office: Office) -> list[Difference]:
    """What a replay finds of a mixed past, under an edition that would do something else everywhere."""
    edition = office.desk.editions[-1]
    wide = (Rung(scope=Scope.FLOW, degree=Degree.BLOCK), Rung(scope=Scope.SERVICE, degree=Degree.SUSPEND))
    other: Edition = dataclasses.replace(
        edition, id="2027-01", clauses=tuple(dataclasses.replace(c, ladder=wide) for c in edition.clauses)
    )
    span = {"since": NOON - DAY, "until": NOON + 30 * DAY, "desk": office.desk}
    return [d for _, part in replayed_parts(other, collateral=None, **span) for d in part.listed]


def alone(difference: Difference, office: Office) -> tuple[tuple[str, str], tuple[int, int]]:
    """The same measures, each weighed by itself from the report as it is kept."""
    incident = get_incident(difference.key)
    assert incident is not None
    chosen = [
        [c for c in weigh_for(
            customer=difference.customer, service=difference.service or None, ladder=treatment.ladder,
            measure_ports=treatment.measure_ports, direction=treatment.measure_direction,
            allegation=incident.conduct, desk=office.desk, at=difference.received_at,
        ) if c.chosen]
        for treatment in (difference.before, difference.after)
    ]  # fmt: skip
    words = in_words(tuple(chosen[0])), in_words(tuple(chosen[1]))
    return words, tuple(c[0].others_hit if c else 0 for c in chosen)  # type: ignore[return-value]  # two of them


def test_very_many_are_weighed_as_each_would_be_alone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    carried(office, "192.0.2.7/32", service=None, customer="acct-3")
    for n, (address, days) in enumerate([("192.0.2.65", 0), ("192.0.2.7", 1), ("192.0.2.65", 2), ("192.0.2.65", 4),
                                         ("192.0.2.65", 5), ("192.0.2.7", 6)]):  # fmt: skip
        office.complain(address, at=NOON + days * DAY, by=reporter(n + 1))
    site("shop.example.com", "192.0.2.65", "acct-2", since=3 * DAY)
    differences = differing(office)
    assert len(differences) == 6
    many = Collateral(desk=office.desk, at=NOON + 30 * DAY)
    found = many.of(differences)
    assert [(d.measures, (d.alike.before.others_hit, d.alike.after.others_hit)) for d in found] == [
        alone(d, office) for d in differences
    ]
    assert len({d.alike.after.others_hit for d in found}) == 2, "the site that came in between is seen"
    assert 0 < many.weighed < 2 * len(differences), "equal ones were weighed once"
    monkeypatch.setattr(module, "KNOWN_MAX", 1)
    assert Collateral(desk=office.desk, at=NOON + 30 * DAY).of(differences) == found, "whatever is forgotten"
