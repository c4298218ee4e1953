"""What is collected about use stands in a register that everybody can read; what is not in it is not taken in."""

import dataclasses

import pytest

from tests.procedures.office import NOON, Office
from tests.procedures.test_detecting import looked
from tipstaff import wiring
from tipstaff.policy import shipped_editions
from tipstaff.policy.difference import ChangeKind, differences, is_significant
from tipstaff.procedures import retesting
from tipstaff.procedures.purposes import NotInTheRegister, must_be_in_the_register
from tipstaff.sensors.protocol import NotReadable

EDITION = shipped_editions()[-1]


def without(office: Office, name: str) -> None:
    """An edition whose register does not name it."""
    kept = tuple(
        dataclasses.replace(each, collects=tuple(one for one in each.collects if one != name))
        for each in EDITION.purposes
    )
    office.desk = dataclasses.replace(office.desk, editions=(dataclasses.replace(EDITION, purposes=kept),))


def test_everything_that_the_program_can_collect_stands_in_the_shipped_register_once() -> None:
    named = [one for purpose in EDITION.purposes for one in purpose.collects]
    detectors = {*wiring.detectors(), retesting.NAME}
    can = {f"source: {name}" for name in wiring.sources()} | {f"detector: {name}" for name in detectors}
    assert sorted(named) == sorted(can)


def test_what_is_not_in_the_register_is_not_taken_in(office: Office) -> None:
    must_be_in_the_register("source: dnsmasq", desk=office.desk, at=NOON)
    with pytest.raises(NotInTheRegister):
        must_be_in_the_register("source: names-looked-up", desk=office.desk, at=NOON)
    without(office, "source: dnsmasq")
    with pytest.raises(NotInTheRegister):
        must_be_in_the_register("source: dnsmasq", desk=office.desk, at=NOON)


def test_an_edition_that_was_posted_before_there_was_a_register_holds_nothing_back(office: Office) -> None:
    office.desk = dataclasses.replace(office.desk, editions=(dataclasses.replace(EDITION, purposes=()),))
    must_be_in_the_register("source: names-looked-up", desk=office.desk, at=NOON)


def test_a_detector_that_is_not_in_the_register_does_not_look(office: Office) -> None:
    without(office, "detector: flows")
    with pytest.raises(NotInTheRegister):
        looked(office, "flows", "")
    with pytest.raises(NotReadable):
        looked(office, "mailboxes", "")  # The others are let look.


def test_what_is_collected_otherwise_is_announced_to_customers() -> None:
    first, *rest = EDITION.purposes
    longer = dataclasses.replace(EDITION, purposes=(dataclasses.replace(first, kept="For ever."), *rest))
    [change] = differences(EDITION, longer)
    assert (change.kind, change.rules) == (ChangeKind.RULES, (("kept", first.kept, "For ever."),))
    assert is_significant(EDITION, longer)
