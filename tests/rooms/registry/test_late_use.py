"""What the terminated still use: the pure finding beside a slow oracle, and the door for sensors."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.ledger.queries import entries_about
from tipstaff.procedures.admission import BadUse, note_use, read_use
from tipstaff.registry import operations, queries
from tipstaff.registry.late_use import Period, late_use
from tipstaff.words import (
    HoldingKind,
    LateUseReason,
    Resource,
    ResourceKind,
    Standing,
    StandingPeriod,
    Usage,
    UsageKind,
)

from .conftest import BY, day, hold

WHO = ["a", "b", "c"]
periods = st.lists(
    st.builds(
        lambda who, begin, length, fixed: Period(
            customer=who, held_from=day(begin), held_until=None if length == 0 else day(begin + length), fixed=fixed
        ),
        st.sampled_from(WHO), st.integers(0, 20), st.integers(0, 8), st.booleans(),
    ),
    max_size=5,
)  # fmt: skip


def use(number: float, what: str = "198.51.100.7/32", kind: UsageKind = UsageKind.TRAFFIC) -> Usage:
    return Usage(kind=kind, what=what, seen_at=day(number), source="flow sensor")


@given(held=periods, at=st.integers(0, 30), sent_away=st.dictionaries(st.sampled_from(WHO), st.integers(0, 30)))
def test_a_finding_names_only_who_had_a_right_last_and_has_none_now(held, at, sent_away):
    standings = {
        who: [
            StandingPeriod(customer=who, standing=Standing.GOOD, since=day(-1), until=day(end), why=""),
            StandingPeriod(customer=who, standing=Standing.TERMINATED, since=day(end), until=None, why=""),
        ]
        for who, end in sent_away.items()
    }
    finding = late_use(use(at), periods=held, standings=standings)

    def has(p: Period, number: int) -> bool:
        return p.held_from <= day(number) and (p.held_until is None or day(number) < p.held_until)

    now = [p for p in held if has(p, at)]
    if finding is None:
        # Silence is right only if somebody has it now with a running contract, or nobody can be named surely.
        sure = now and all(p.fixed for p in now) and len({p.customer for p in now}) == 1
        if sure:
            assert sent_away.get(now[0].customer, 99) > at
        return
    assert finding.ended_at <= day(at)
    if now:
        assert {p.customer for p in now} == {finding.customer}
        assert finding.reason is LateUseReason.CUSTOMER_TERMINATED
        assert sent_away[finding.customer] <= at
    else:
        assert finding.reason is LateUseReason.HOLDING_ENDED
        # Walk back day by day until somebody held it: that one, alone and by a fixed holding.
        before = next(n for n in range(at, -1, -1) if any(has(p, n) for p in held))
        assert {p.customer for p in held if has(p, before) and p.held_until == finding.ended_at} == {finding.customer}


@pytest.mark.usefixtures("operator")
class TestTheDoor:
    def note(self, kind: UsageKind, what: str, number: float, source: str = "sensor"):
        return note_use(read_use(kind, what, seen_at=day(number), source=source), at=day(60), actor="sensor")

    def test_traffic_after_a_line_has_ended_is_found_once_and_counted(self):
        key = hold("198.51.100.0/29", "acct-1")
        operations.end_holding(key, held_until=day(20), **BY)
        assert self.note(UsageKind.TRAFFIC, "198.51.100.3", 19.9) is None
        finding = self.note(UsageKind.TRAFFIC, "198.51.100.3", 21)
        assert finding is not None
        assert (finding.customer, finding.reason, finding.ended_at) == ("acct-1", LateUseReason.HOLDING_ENDED, day(20))
        self.note(UsageKind.TRAFFIC, "198.51.100.3", 22)
        ((kept, count),) = queries.list_late_uses(customer="acct-1")
        assert (count, kept.use.seen_at) == (2, day(22))
        assert [e.what for e in entries_about("acct-1")].count("late_use.found") == 1

    def test_the_next_holder_is_never_taken_for_the_last(self):
        key = hold("198.51.100.0/29", "acct-1")
        operations.end_holding(key, held_until=day(20), **BY)
        hold("198.51.100.3/32", "acct-2", held_from=day(70))
        assert self.note(UsageKind.TRAFFIC, "198.51.100.3", 71) is None
        assert self.note(UsageKind.TRAFFIC, "198.51.100.4", 71) is not None

    def test_a_lease_that_ended_says_nothing(self):
        key = hold("198.51.100.9/32", "acct-1", kind=HoldingKind.LEASE)
        operations.end_holding(key, held_until=day(20), **BY)
        assert self.note(UsageKind.TRAFFIC, "198.51.100.9", 21) is None

    def test_whoever_was_terminated_and_still_announces_or_logs_in_is_found(self):
        hold("198.51.100.0/29", "acct-2")
        for kind, name, scope in (
            (ResourceKind.ASN, "AS64500", ""), (ResourceKind.LOGIN, "line-7", "radius"),
            (ResourceKind.MAILBOX, "info@example.net", ""),
        ):  # fmt: skip
            operations.hold_resource(
                Resource(kind=kind, name=name, scope=scope, customer="acct-1", held_from=day(0)), **BY
            )
        route = "198.51.100.0/29 AS64500"
        assert self.note(UsageKind.ANNOUNCEMENT, route, 30) is None
        operations.set_standing("acct-1", Standing.TERMINATED, since=day(40), why="Spam.", **BY)
        assert self.note(UsageKind.ANNOUNCEMENT, route, 39) is None
        for kind, what in (
            (UsageKind.ANNOUNCEMENT, route), (UsageKind.LOGIN, "line-7"), (UsageKind.LOGIN, "Info@example.net"),
        ):  # fmt: skip
            finding = self.note(kind, what, 41, source="radius-east")
            assert finding is not None
            assert (finding.customer, finding.reason) == ("acct-1", LateUseReason.CUSTOMER_TERMINATED)
        assert self.note(UsageKind.LOGIN, "line-7", 41) is None, "whose log-in that is in other logs nobody says"

    def test_a_prefix_that_another_number_announces_accuses_neither_its_last_holder_nor_the_number(self):
        key = hold("198.51.100.0/24", "acct-1")
        operations.end_holding(key, held_until=day(20), **BY)
        route = "198.51.100.0/24 AS64500"
        assert self.note(UsageKind.ANNOUNCEMENT, route, 30) is None, "of the number nothing is known"
        number = Resource(kind=ResourceKind.ASN, name="AS64500", scope="", customer="acct-2", held_from=day(0))
        operations.hold_resource(number, **BY)
        assert self.note(UsageKind.ANNOUNCEMENT, route, 30) is None, "it is another's"
        own = Resource(kind=ResourceKind.ASN, name="AS64501", scope="", customer="acct-1", held_from=day(0))
        operations.hold_resource(own, **BY)
        finding = self.note(UsageKind.ANNOUNCEMENT, "198.51.100.0/24 AS64501", 30)
        assert finding is not None
        assert (finding.customer, finding.reason) == ("acct-1", LateUseReason.HOLDING_ENDED)

    def test_a_route_of_its_own_names_its_holder_whatever_number_announces_it(self):
        route = "198.51.100.0/24 AS64502"
        held = Resource(kind=ResourceKind.ROUTE, name=route, scope="", customer="acct-1", held_from=day(0),
                        held_until=day(20))  # fmt: skip
        operations.hold_resource(held, **BY)
        assert self.note(UsageKind.ANNOUNCEMENT, route, 19) is None
        finding = self.note(UsageKind.ANNOUNCEMENT, route, 21)
        assert finding is not None
        assert (finding.customer, finding.ended_at) == ("acct-1", day(20))

    def test_what_nobody_ever_held_is_no_finding(self):
        assert self.note(UsageKind.TRAFFIC, "203.0.113.9", 10) is None
        assert self.note(UsageKind.LOGIN, "nobody", 10) is None
        with pytest.raises(BadUse):
            read_use(UsageKind.TRAFFIC, "line-7", seen_at=day(0), source="")
        with pytest.raises(BadUse):
            read_use(UsageKind.ANNOUNCEMENT, "198.51.100.0/24", seen_at=day(0) + timedelta(), source="")
