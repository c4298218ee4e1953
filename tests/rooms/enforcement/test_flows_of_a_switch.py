"""What changes between two states of a switch, without a switch."""

from datetime import timedelta

from tipstaff.enforcement.drivers.ovs.flows import Held, bundle, note_of
from tipstaff.testing.drivers import NOON
from tipstaff.words import Degree, Plan, Rule, Selector


def test_what_has_ended_goes_with_the_next_change_though_no_step_says_so() -> None:
    """The switch counts by its own clock, and an OpenFlow timeout reaches no further than eighteen hours."""
    ends = {"M-000001": NOON, "M-000002": NOON + timedelta(seconds=1), "M-000003": None}
    notes = {
        key: note_of(
            Rule(measure=key, case="C-000001", selector=Selector(service=f"S-{n}"), degree=Degree.BLOCK, until=until)
        )
        for n, (key, until) in enumerate(ends.items(), 1)
    }  # fmt: skip
    held = Held(generations=(7,), notes=notes, elements=frozenset(("block", n, "") for n in (1, 2, 3)))
    ports = {f"service:S-{n}": [n] for n in (1, 2, 3)}
    plan = Plan(device="sw1", generation=7, rules=())
    lines = bundle(held, plan, [], ports=ports, garden=None, at=NOON)
    assert [line for line in lines if "priority=3" not in line] == [
        f"delete_strict table=250,priority=1,xxreg0=0x{b'M-000001'.hex()}",
        "delete_strict table=0,priority=40001,in_port=1",
    ]
    assert bundle(held, plan, [], ports=ports, garden=None, at=NOON - timedelta(seconds=1)) == []
