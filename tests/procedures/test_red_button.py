"""Everything of one driver is lifted: what its customers hear, and that no clock takes it again."""

from tests.procedures.office import DAY, EDGE, NOON, Office
from tipstaff.procedures import devices
from tipstaff.words import CaseState, LetterKind, MeasureState

ADDRESS, CUSTOMER = "198.51.100.7", "acct-1@customer.example.com"


def test_customers_are_told_and_only_a_new_decision_takes_it_again(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    case = office.measured(ADDRESS, at=NOON)
    lifted_at = NOON + 2 * DAY
    devices.ask_to_lift_all_of("memory", [EDGE], why="It drops all.", at=lifted_at, actor="anna")
    office.enforce(at=lifted_at)
    assert len(office.twin.rules()) == 1, "one person alone lifts nothing"
    (key,) = devices.lift_all_of("memory", desk=office.desk, at=lifted_at, actor="emil")
    office.enforce(at=lifted_at)
    office.post(at=lifted_at)
    assert office.twin.rules() == []
    assert office.kinds_to(CUSTOMER)[-1] is LetterKind.MEASURE_LIFTED
    for days in (3, 10, 40):
        office.deadlines(at=NOON + days * DAY)
        office.enforce(at=NOON + days * DAY)
        assert office.twin.rules() == []
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON
    assert [m.state for m in office.measures(case)] == [MeasureState.LIFTED]
    assert key == office.measures(case)[0].key
