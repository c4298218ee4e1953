"""Whom a measure would hit besides whoever did it: those below a reseller are others, one of them excepted."""

from ipaddress import ip_address, ip_network

import pytest

from tests.procedures.office import NOON, Office
from tipstaff.procedures.weighing import footprint_of, others_on
from tipstaff.words import HoldingKind, Tier

SHARED = ip_address("198.51.100.7")
AROUND = ip_network("198.51.100.0/28")


@pytest.fixture
def resold(office: Office) -> Office:
    """A reseller's prefix, and in it an address that three of its accounts share, one of them two levels down."""
    office.admit("acct-9", str(AROUND), is_reseller=True)
    office.admit("sub", reseller="acct-9", is_reseller=True)
    for n, above in enumerate(("acct-9", "acct-9", "sub")):
        office.admit(f"below-{n}", reseller=above)
        ports = (n * 1000 + 1024, n * 1000 + 2023)
        office.hold(f"{SHARED}/32", customer=f"below-{n}", kind=HoldingKind.PORT_BLOCK, ports=ports)
    return office


def test_of_those_below_a_reseller_one_did_it_and_all_others_would_be_hit(resold: Office) -> None:
    seen = footprint_of(customer="acct-9", service=None, address=SHARED, at=NOON)
    assert seen.others_on_address == {"below-1", "below-2"}
    assert seen.others_on_prefix == {"below-1", "below-2"}
    assert seen.accounts_below == {"sub", "below-0", "below-1", "below-2"}
    resold.admit("below-3", "198.51.100.9", reseller="acct-9")
    assert footprint_of(customer="acct-9", service=None, address=SHARED, at=NOON).others_on_prefix == {
        "below-1", "below-2", "below-3",
    }  # fmt: skip


def test_whoever_only_resells_it_uses_nothing_of_it(office: Office) -> None:
    office.admit("acct-9", str(AROUND), is_reseller=True)
    office.admit("sub", reseller="acct-9", is_reseller=True)
    office.hold("198.51.100.4/30", customer="sub", tier=Tier.CUSTOMER)
    alone = ip_network("198.51.100.7")
    assert others_on(alone, customer="acct-9", doer_on=alone, at=NOON) == set(), "it was the one below, whoever it is"
    assert others_on(alone, customer="acct-8", doer_on=alone, at=NOON) == {"acct-9", "sub"}


def test_somebody_elses_is_counted_whoever_did_it(resold: Office) -> None:
    resold.admit("acct-1", "198.51.100.10")
    network = ip_network("198.51.100.8/29")
    assert others_on(network, customer="acct-9", doer_on=network, at=NOON) == {"acct-1"}
