"""Filters that belong to no case: a danger on record, two people, those whom they touch told first, an end."""

import dataclasses
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office
from tests.procedures.test_retesting import fixed
from tipstaff.enforcement.filters import NotThatFar
from tipstaff.enforcement.queries import get_filter, get_measure, list_filters
from tipstaff.ledger.queries import entries_about
from tipstaff.notices.queries import get_letter
from tipstaff.policy.editions import shipped_editions
from tipstaff.procedures import filtering
from tipstaff.procedures.filtering import NotAFilter, decide, dry_run, end, follow_filters, let_go_on, propose
from tipstaff.procedures.refusals import AnotherMustAgree, NotYourDecision
from tipstaff.registry.operations import end_holding
from tipstaff.registry.queries import holdings_covering
from tipstaff.sensors.queries import list_measured
from tipstaff.words import (
    Degree,
    Direction,
    Filter,
    FilterState,
    Ground,
    HoldingKind,
    LetterKind,
    Measure,
    MeasureState,
    Role,
    Selector,
    Tier,
)

WORM = Selector(network=ip_network("192.0.2.0/28"), protocol="tcp", port=445, direction=Direction.IN)
FREE = Selector(network=ip_network("198.51.100.7/32"), protocol="tcp", port=445, direction=Direction.IN)
TO_ALL = "A worm spreads through this port."


@pytest.fixture
def danger(office: Office) -> str:
    """A sighting that shows it, a customer below the worm's port, an analyst and an engineer."""
    fixed(office)
    office.roles |= {"ana": frozenset({Role.ANALYST}), "eve": frozenset({Role.ENGINEER})}
    office.post(at=NOON + 3 * HOUR)
    return list_measured()[0].key


def proposed(office: Office, shown: str, selector: Selector = WORM, **more: Any) -> Filter:
    words = {"danger": TO_ALL, "shown_by": [shown], "lasts_hours": 48, "why_no_narrower": "It would go on.", **more}
    at = NOON + DAY
    return propose(selector, Degree.BLOCK, desk=office.desk, at=at, actor="ana", **words)


def agreed(office: Office, found: Filter, *, agree: bool = True, by: str = "eve") -> Filter:
    return decide(
        found.key, agree=agree, seen=len(found.touches), why="It is needed.", desk=office.desk, at=NOON + DAY, actor=by
    )


def now(found: Filter) -> Filter:
    fresh = get_filter(found.key)
    assert fresh is not None
    return fresh


def measure_of(found: Filter) -> Measure:
    measure = get_measure(now(found).measure)
    assert measure is not None
    return measure


def test_a_filter_is_proposed_agreed_told_planned_by_the_planner_and_ends_by_itself(
    office: Office, danger: str
) -> None:
    found = proposed(office, danger)
    assert (found.state, found.touches, found.device) == (FilterState.PROPOSED, ("acct-1",), "edge1")
    agreed(office, found)
    told = now(found)
    assert (told.state, told.measure) == (FilterState.AGREED, "")
    [(customer, key)] = told.letters
    letter = get_letter(key)
    assert letter is not None
    assert (customer, letter.kind, letter.to) == ("acct-1", LetterKind.FILTER, "acct-1@customer.example.com")
    assert TO_ALL in letter.body
    assert "445" in letter.body
    # Nobody was told yet: nothing begins.
    follow_filters(desk=office.desk, at=NOON + 4 * DAY)
    assert now(found).state is FilterState.AGREED
    sent = NOON + DAY + HOUR
    office.post(at=sent)
    follow_filters(desk=office.desk, at=sent + timedelta(hours=23))
    assert now(found).state is FilterState.AGREED
    begins = sent + DAY
    follow_filters(desk=office.desk, at=begins)
    measure = measure_of(found)
    assert (measure.state, measure.notice, measure.urgency) == (MeasureState.PLANNED, key, None)
    assert measure.until == begins + timedelta(hours=48)
    assert (measure.case, measure.customer) == (found.key, "")
    office.enforce(at=begins)
    office.follow(at=begins)
    follow_filters(desk=office.desk, at=begins)
    assert measure_of(found).state is MeasureState.IN_FORCE
    office.enforce(at=begins + timedelta(hours=48))
    follow_filters(desk=office.desk, at=begins + timedelta(hours=48))
    assert measure_of(found).state is MeasureState.LIFTED
    assert now(found).state is FilterState.ENDED
    office.post(at=begins + timedelta(hours=49))
    assert office.kinds_to("acct-1@customer.example.com")[-2:] == [LetterKind.FILTER, LetterKind.FILTER_ENDED]


def test_nobody_puts_a_filter_in_alone_and_only_an_engineer_agrees(office: Office, danger: str) -> None:
    found = proposed(office, danger)
    office.roles["lea"] = frozenset({Role.LEAD, Role.COUNSEL, Role.ANALYST})
    with pytest.raises(NotYourDecision):
        agreed(office, found, by="lea")
    office.roles["ana"] = frozenset({Role.ANALYST, Role.ENGINEER})
    with pytest.raises(AnotherMustAgree):
        agreed(office, found, by="Ana ")
    assert now(found).state is FilterState.PROPOSED
    agreed(office, found, agree=False)
    assert now(found).state is FilterState.REFUSED
    with pytest.raises(NotThatFar):
        agreed(office, found)
    assert [e for e in entries_about(found.key) if e.what == "filter.planned"] == []


def test_a_danger_that_cannot_wait_takes_a_ground_and_the_letters_go_with_it(office: Office, danger: str) -> None:
    found = proposed(office, danger, ground=Ground.NETWORK_HARM)
    done = agreed(office, found)
    measure = measure_of(done)
    assert done.state is FilterState.STANDS
    assert measure.notice is None
    assert measure.urgency is not None
    assert {measure.urgency.decided_by, measure.urgency.seconded_by} == {"ana", "eve"}
    [letter] = office.post(at=NOON + DAY)
    assert "being harmed at that moment" in letter.body
    with pytest.raises(AnotherMustAgree):
        let_go_on(found.key, hours=24, why="Still.", desk=office.desk, at=NOON + 2 * DAY, actor="eve")
    office.roles["ed"] = frozenset({Role.ENGINEER})
    let_go_on(found.key, hours=72, why="Still.", desk=office.desk, at=NOON + 2 * DAY, actor="ed")
    assert measure_of(found).until == NOON + 5 * DAY
    assert [each.kind for each in office.post(at=NOON + 2 * DAY)] == [LetterKind.FILTER], "they are told of the new end"
    end(found.key, why="It is over.", desk=office.desk, at=NOON + 3 * DAY, actor="ed")
    office.enforce(at=NOON + 3 * DAY)
    follow_filters(desk=office.desk, at=NOON + 3 * DAY)
    assert measure_of(found).state is MeasureState.LIFTED


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"danger": " "}, "what the danger is"),
    ({"danger": "x" * 2001}, "at most 2000"),
    ({"shown_by": []}, "what shows the danger"),
    ({"shown_by": ["S-999999"]}, "no sighting, report or case"),
    ({"shown_by": ["C-1; drop"]}, "no sighting, report or case"),
    ({"lasts_hours": 73}, "ends within 72 hours"),
    ({"lasts_hours": 0}, "ends within 72 hours"),
    ({"selector": Selector(url="http://www.example.net/")}, "an address or a prefix"),
    ({"selector": Selector(network=ip_network("0.0.0.0/0"))}, "default route"),
    ({"selector": Selector(network=ip_network("203.0.113.7"))}, "not within our own"),
    ({"selector": Selector(network=ip_network("192.0.2.10")), "why_no_narrower": ""}, "one port of"),
]


def test_what_is_no_danger_has_no_end_or_is_too_wide_is_refused(office: Office, danger: str) -> None:
    office.desk = dataclasses.replace(
        office.desk, abilities=lambda at: (dataclasses.replace(office.twin.ability, limits=office.limits(at)),)
    )
    for change, said in REFUSED:
        with pytest.raises(NotAFilter, match=said):
            proposed(office, danger, **change)
    assert list_filters() == []


def test_whoever_came_under_it_meanwhile_is_told_too_and_has_their_time(office: Office, danger: str) -> None:
    found = proposed(office, danger)
    agreed(office, found)
    office.post(at=NOON + DAY)
    office.admit("acct-2", "192.0.2.11")
    follow_filters(desk=office.desk, at=NOON + 2 * DAY)
    assert now(found).state is FilterState.AGREED
    office.post(at=NOON + 2 * DAY)
    follow_filters(desk=office.desk, at=NOON + 2 * DAY + timedelta(hours=23))
    assert now(found).state is FilterState.AGREED
    follow_filters(desk=office.desk, at=NOON + 3 * DAY)
    assert now(found).state is FilterState.STANDS


def test_who_agrees_agrees_to_what_they_saw(office: Office, danger: str) -> None:
    found = proposed(office, danger)
    office.admit("acct-2", "192.0.2.11")
    with pytest.raises(NotAFilter, match="touches 2 customers now"):
        agreed(office, found)
    with pytest.raises(NotAFilter, match="touches 2 customers now"):
        agreed(office, found)
    assert agreed(office, now(found)).state is FilterState.AGREED


def test_as_many_others_are_others_too(office: Office, danger: str) -> None:
    found = proposed(office, danger, ground=Ground.NETWORK_HARM)
    for holding in holdings_covering(ip_address("192.0.2.10"), earliest=NOON, latest=NOON):
        end_holding(holding.key, held_until=NOON + DAY, at=NOON + DAY, actor="import")
    office.admit("acct-2", "192.0.2.11")
    with pytest.raises(NotAFilter, match="touches 1 customers now, others than before"):
        agreed(office, found)
    assert (now(found).state, now(found).touches) == (FilterState.PROPOSED, ("acct-2",))
    assert agreed(office, found).state is FilterState.STANDS


def test_whoever_comes_under_it_later_was_not_told_so_it_ends_or_on_its_ground_they_are_told_at_once(
    office: Office, danger: str
) -> None:
    free = agreed(office, proposed(office, danger, FREE))
    worm = agreed(office, proposed(office, danger, ground=Ground.NETWORK_HARM))
    office.post(at=NOON + DAY)
    office.admit("acct-2", "192.0.2.11")
    office.admit("acct-3", "198.51.100.7")
    follow_filters(desk=office.desk, at=NOON + DAY + HOUR)
    follow_filters(desk=office.desk, at=NOON + DAY + HOUR)
    assert (now(free).state, now(worm).state) == (FilterState.ENDED, FilterState.STANDS)
    told = [(letter.to.partition("@")[0], letter.kind) for letter in office.post(at=NOON + DAY + HOUR)]
    assert told == [("acct-2", LetterKind.FILTER)]
    office.enforce(at=NOON + DAY + HOUR)
    assert measure_of(free).state is MeasureState.LIFTED
    assert measure_of(worm).state is not MeasureState.LIFTED


def test_one_that_cannot_begin_in_time_ends_and_whoever_was_to_be_told_is_noted_once(
    office: Office, danger: str
) -> None:
    found = agreed(office, proposed(office, danger))
    office.admit("acct-2", "192.0.2.11", representative=False)
    for hours in range(30, 40):
        follow_filters(desk=office.desk, at=NOON + hours * HOUR)
    nobody = [e for e in entries_about(found.key) if e.what == "letter.nobody_to_tell"]
    assert [e.about for e in nobody] == [(found.key, "acct-2")]
    assert now(found).state is FilterState.AGREED
    follow_filters(desk=office.desk, at=NOON + 6 * DAY)
    assert (now(found).state, now(found).measure) == (FilterState.ENDED, "")


def test_whoever_came_to_be_out_of_reach_before_it_was_agreed_takes_a_ground(office: Office, danger: str) -> None:
    found = proposed(office, danger)
    office.admit("acct-2", "192.0.2.11", representative=False)
    with pytest.raises(NotAFilter, match="touches 2 customers"):
        agreed(office, found)
    with pytest.raises(NotAFilter, match="No letter reaches acct-2"):
        agreed(office, now(found))


def test_a_pool_is_somebodys_whom_no_holding_names_so_it_takes_a_ground(office: Office, danger: str) -> None:
    office.hold("198.51.100.0/28", tier=Tier.OPERATOR, kind=HoldingKind.POOL, customer=None)
    with pytest.raises(NotAFilter, match="takes in a pool"):
        proposed(office, danger, FREE)
    assert agreed(office, proposed(office, danger, FREE, ground=Ground.NETWORK_HARM)).state is FilterState.STANDS


def test_of_those_below_a_reseller_the_reseller_is_told(office: Office, danger: str) -> None:
    office.admit("resold", is_reseller=True)
    office.admit("below", "198.51.100.7", reseller="resold", representative=False)
    found = agreed(office, proposed(office, danger, FREE))
    assert [customer for customer, _ in found.letters] == ["resold"]


def test_one_that_came_to_touch_somebody_new_does_not_go_on_over_them(office: Office, danger: str) -> None:
    free = agreed(office, proposed(office, danger, FREE))
    office.admit("acct-3", "198.51.100.7")
    with pytest.raises(NotAFilter, match="touch acct-3, who was not told"):
        let_go_on(free.key, hours=24, why="Still.", desk=office.desk, at=NOON + DAY + HOUR, actor="eve")


def test_a_filter_that_cannot_be_followed_stops_no_other(
    office: Office, danger: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (agreed(office, proposed(office, danger)) for _ in range(2))
    office.post(at=NOON + DAY)
    begin = filtering._go_on

    def go_on(key: str, **more: Any) -> None:
        if key == first.key:
            raise KeyError(key)
        begin(key, **more)

    monkeypatch.setattr(filtering, "_go_on", go_on)
    follow_filters(desk=office.desk, at=NOON + 3 * DAY)
    assert (now(first).state, now(second).state) == (FilterState.AGREED, FilterState.STANDS)
    assert f"{first.key} cannot be followed" in caplog.text


@pytest.mark.parametrize("planned", [False, True])
def test_whoever_was_told_of_one_that_never_began_hears_that_it_does_not(
    office: Office, danger: str, planned: bool
) -> None:
    found = agreed(office, proposed(office, danger, ground=Ground.NETWORK_HARM if planned else None))
    assert (found.state is FilterState.STANDS) is planned
    office.post(at=NOON + DAY)
    end(found.key, why="A mistake.", desk=office.desk, at=NOON + DAY + HOUR, actor="eve")
    office.enforce(at=NOON + DAY + HOUR)
    follow_filters(desk=office.desk, at=NOON + DAY + HOUR)
    follow_filters(desk=office.desk, at=NOON + DAY + HOUR)
    [letter] = office.post(at=NOON + DAY + HOUR)
    assert letter.kind is LetterKind.FILTER_ENDED
    assert "is not put in" in letter.body
    assert "taken out" not in letter.body


def test_where_nobody_is_touched_there_is_nobody_to_tell_and_where_nobody_is_reached_it_waits_for_no_letter(
    office: Office, danger: str
) -> None:
    done = agreed(office, proposed(office, danger, FREE))
    assert (done.state, done.touches, done.letters) == (FilterState.STANDS, (), ())
    office.admit("acct-3", "192.0.2.12", representative=False)
    with pytest.raises(NotAFilter, match="No letter reaches acct-3"):
        proposed(office, danger)


def test_an_edition_that_knows_no_such_filters_has_none(office: Office, danger: str) -> None:
    [edition] = shipped_editions()
    clauses = tuple(c for c in edition.clauses if c.id != "way.filtering_devices")
    office.desk = dataclasses.replace(office.desk, editions=(dataclasses.replace(edition, clauses=clauses),))
    with pytest.raises(NotAFilter, match="knows no filters"):
        proposed(office, danger)


def test_a_dry_run_says_whom_it_touches_and_what_is_narrower(office: Office, danger: str) -> None:
    seen = dry_run(Selector(network=ip_network("192.0.2.0/28")), Degree.BLOCK, desk=office.desk, at=NOON + DAY)
    assert seen.touches == ("acct-1",)
    assert any("one port of 192.0.2.0/28" in each for each in seen.narrower)
    assert not any(measure.startswith("M-") for measure in seen.narrower)
