"""`kill -9` of the enforcer at random moments, with the real packet filter: it converges, and nothing doubles."""

import random
from collections.abc import Iterator

import pytest

from tests.rooms.enforcement.dying import check_converged, plan, run_a_round, run_and_be_killed
from tipstaff.enforcement import operations
from tipstaff.enforcement.drivers.nftables import NftDriver, make
from tipstaff.testing.drivers import NOON
from tipstaff.testing.lab import Lab

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def lab() -> Iterator[Lab]:
    if why := Lab.unavailable():
        pytest.skip(why)
    with Lab() as built:
        yield built


def test_killed_at_random_moments_it_converges(lab: Lab) -> None:
    def driver() -> NftDriver:
        return make("edge1", {"command_prefix": lab.prefix("edge")})

    chance = random.Random(7)
    last = plan(0)
    run_a_round(driver)
    killed = 0
    for n in range(1, 25):
        new = plan(n)
        operations.want_lifted(last, why="Fixed.", at=NOON, actor="worker")
        killed += run_and_be_killed(driver, seconds=chance.uniform(0.02, 0.4))
        run_a_round(driver)
        check_converged(driver, lifted=last, in_force={new})
        last = new
    assert killed > 3


def test_killed_before_each_third_line_it_converges(lab: Lab) -> None:
    def driver() -> NftDriver:
        return make("edge1", {"command_prefix": lab.prefix("edge")})

    last = plan(0)
    run_a_round(driver)
    for killed, line in enumerate(range(0, 200, 3)):
        new = plan(killed + 1)
        operations.want_lifted(last, why="Fixed.", at=NOON, actor="worker")
        was_killed = run_and_be_killed(driver, line=line)
        run_a_round(driver)
        check_converged(driver, lifted=last, in_force={new})
        last = new
        if not was_killed:
            break
    else:
        raise AssertionError("a round has more lines than were tried")
    assert killed > 12


def test_a_whole_way_with_probes_is_proven_by_packets(lab: Lab) -> None:
    """Planned, in force and shown by packets, lifted and shown by packets."""
    from tipstaff.enforcement import queries
    from tipstaff.words import MeasureState, Proof

    key = plan(5)  # mail from 192.0.2.7
    run_a_round(lambda: make("edge1", lab.device_options()))
    measure = queries.get_measure(key)
    assert measure is not None
    assert (measure.state, measure.proof) == (MeasureState.IN_FORCE, Proof.PROBE)
    assert measure.proof_detail == "out: tcp/25 from 192.0.2.7 is refused, its neighbour gets through."
    operations.want_lifted(key, why="Fixed.", at=NOON, actor="worker")
    run_a_round(lambda: make("edge1", lab.device_options()))
    measure = queries.get_measure(key)
    assert measure is not None
    assert (measure.state, measure.proof) == (MeasureState.LIFTED, Proof.PROBE)
