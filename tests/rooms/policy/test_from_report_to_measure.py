"""The judge, the weighing and notice-first in a row, over random worlds: what holds of a measure at the end.

Each property is shown to be able to fail: with one of the three spoilt, a world is found in which it does not hold.
"""

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from tests.rooms.policy import worlds
from tests.rooms.policy.test_remedies import EVERYTHING, reach, reaches
from tests.rooms.policy.worlds import NOW, Asked
from tipstaff.policy import footing as notice_first
from tipstaff.policy import remedies
from tipstaff.policy.remedies import Footprint
from tipstaff.words import (
    Attribution,
    Candidate,
    Degree,
    Disposition,
    EvidenceGrade,
    Grade,
    Ground,
    History,
    Rung,
    Scope,
    Trust,
    Urgency,
    Verdict,
)

judging = import_module("tipstaff.policy.judge")
"""The module: its function has the same name."""
ON_THE_WIRE = (Scope.ITEM, Scope.HOST_NAME, Scope.FLOW, Scope.ADDRESS, Scope.PREFIX)
"""Each of these is part of the next; written down here once more, so that the program's own list can be wrong."""
URGENT = Urgency(ground=Ground.NETWORK_HARM, shown_by="Flow export 17", decided_by="ana", seconded_by="lena")


@dataclasses.dataclass(frozen=True)
class World:
    """A question, what lies around, what devices can do, and what was sent until now."""

    asked: Asked
    around: Footprint
    can: frozenset[tuple[Scope, Degree]]
    told_hours_ago: int | None
    """None: no letter reached anybody."""
    urgency: Urgency | None
    more_strikes: int
    joins: str
    """An account that somebody finds on the address as well."""


@st.composite
def chains(
    draw: st.DrawFn,
    attributed: st.SearchStrategy[Attribution] = worlds.named,
    likely: bool = False,
    since: timedelta = timedelta(days=400),
) -> World:
    """Any world; a `likely` one has a clause in force `since` then that is judged, and devices that can do anything."""
    asked = draw(worlds.questions(attributed=attributed, on_clause=True, plain=likely or draw(st.booleans())))
    if likely:
        asked = dataclasses.replace(
            asked,
            edition=dataclasses.replace(asked.edition, effective_at=NOW - since, person_from=Degree(8)),
            allegation=dataclasses.replace(asked.allegation, moment=None, confidence=1.0, unread_time=None),
        )
    return World(
        asked=asked,
        around=draw(worlds.footprints()),
        can=EVERYTHING if likely else draw(reaches),
        told_hours_ago=draw(st.none() | st.integers(0, 400)),
        urgency=draw(st.none() | st.just(URGENT)),
        more_strikes=draw(st.integers(0, 5)),
        joins=draw(st.sampled_from(["acct-2", "acct-7", "acct-9"])),
    )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came out at the end."""

    verdict: Verdict
    candidates: tuple[Candidate, ...]
    stands_on: notice_first.Footing | None

    @property
    def chosen(self) -> list[Candidate]:
        return [c for c in self.candidates if c.chosen]

    @property
    def taken(self) -> list[Candidate]:
        """Against somebody: only a case leads there, and only on a footing."""
        opens = self.verdict.disposition is Disposition.OPEN_CASE
        return self.chosen if opens and self.stands_on is not None else []


def outcome(world: World, **changes: object) -> Outcome:
    asked: Asked = dataclasses.replace(world.asked, **{k: v for k, v in changes.items() if k != "around"})  # type: ignore[arg-type]  # fields by name
    verdict = judging.judge(
        asked.allegation, attribution=asked.attribution, history=asked.history, edition=asked.edition,
        received_at=NOW, cited=asked.cited, trust=asked.trust,
    )  # fmt: skip
    conduct = asked.allegation
    candidates = remedies.weigh(
        ladder=verdict.ladder, measure_ports=verdict.measure_ports, direction=verdict.measure_direction,
        resource=worlds.ip_network("192.0.2.7/32").network_address, url=conduct.url, host_name=conduct.domain,
        source_port=conduct.source_port, source_protocol=conduct.protocol, mailbox="someone@example.com",
        session="line-7/4711", service="svc-1", account=asked.attribution.customer,
        footprint=changes.get("around", world.around), reach=reach(world.can),  # type: ignore[arg-type]  # by name
    )  # fmt: skip
    told = None if world.told_hours_ago is None else NOW - timedelta(hours=world.told_hours_ago)
    due = told + verdict.answer_within if told is not None and verdict.answer_within is not None else None
    letter = "L-000001" if told is not None else None
    stands_on = notice_first.footing(notice=letter, answer_by=due, urgency=world.urgency, at=NOW)
    return Outcome(verdict, candidates, stands_on)


# What must hold


def never_wider_than_needed(world: World) -> None:
    found = outcome(world)
    sufficient = [c for c in found.candidates if c.sufficient]
    for chosen in found.chosen:
        for other in sufficient:
            assert chosen.others_hit <= other.others_hit, "more others are hit than need be"
            same = other.selector.scope is chosen.selector.scope
            assert not (same and other.degree < chosen.degree), "harsher than needed"
            wire = other.selector.scope in ON_THE_WIRE and chosen.selector.scope in ON_THE_WIRE
            narrower = wire and ON_THE_WIRE.index(other.selector.scope) < ON_THE_WIRE.index(chosen.selector.scope)
            assert not narrower, "a part of it would have sufficed"
    rungs = {(r.scope, r.degree) for r in found.verdict.ladder}
    assert {(c.selector.scope, c.degree) for c in found.candidates} <= rungs, "nothing beyond the verdict"


def never_without_notice_or_ground(world: World) -> None:
    found = outcome(world)
    if not found.taken:
        return
    assert found.stands_on is not None
    notice, urgency = found.stands_on
    assert (notice is None) != (urgency is None), "one of the two, and never both"
    if notice is not None:
        assert world.told_hours_ago is not None
        assert found.verdict.answer_within is not None
        assert timedelta(hours=world.told_hours_ago) >= found.verdict.answer_within, "they had their time"


def never_under_an_edition_not_in_force(world: World) -> None:
    found = outcome(world)
    if found.taken:
        since = world.asked.edition.effective_at
        assert since <= NOW
        moment = world.asked.allegation.moment
        assert moment is None or (moment.at - since).total_seconds() >= moment.error_seconds - 1e-3


def never_against_who_is_not_surely_named(world: World) -> None:
    found = outcome(world)
    attribution = world.asked.attribution
    if attribution.grade not in (Grade.CONFIRMED, Grade.PROBABLE) or attribution.customer is None:
        assert not found.candidates, "nothing is even weighed"
        assert not found.taken
    if attribution.grade is Grade.PROBABLE:
        assert all(c.degree <= Degree.BLOCK for c in found.candidates)


def more_against_never_costs_others_more(world: World) -> None:
    """A surer holder, more strikes, more to show for it: whoever else is around is spared as before, or better."""
    before = outcome(world)
    if not before.chosen:
        return
    strikes = History(cases_before=max(world.asked.history.cases_before, 0) + world.more_strikes)
    surer = dataclasses.replace(world.asked.attribution, grade=Grade.CONFIRMED)
    shown = dataclasses.replace(world.asked.trust or Trust(), evidence=EvidenceGrade.CORROBORATED)
    for more in ({"history": strikes}, {"attribution": surer}, {"trust": shown},
                 {"history": strikes, "attribution": surer, "trust": shown}):  # fmt: skip
        after = outcome(world, **more)
        assert after.chosen, "there was a narrower one"
        assert max(c.others_hit for c in after.chosen) <= max(c.others_hit for c in before.chosen)
        assert {c.selector for c in before.candidates} <= {c.selector for c in after.candidates}


def who_comes_to_be_there_is_not_hit_where_something_narrower_suffices(world: World) -> None:
    """One account more on the address, and nothing else: what is chosen then hits no more others than any other."""
    around = dataclasses.replace(
        world.around,
        others_on_address=world.around.others_on_address | {world.joins},
        others_on_prefix=world.around.others_on_prefix | {world.joins},
    )
    after = outcome(world, around=around)
    spared = [c.others_hit for c in after.candidates if c.sufficient]
    assert all(c.others_hit == min(spared) for c in after.chosen)
    before = outcome(world)
    untouched = [c.others_hit for c in before.candidates if c.sufficient and c.selector.scope not in ON_THE_WIRE]
    assert not untouched or all(c.others_hit <= min(untouched) for c in after.chosen)


LAWS: tuple[Callable[[World], None], ...] = (
    never_wider_than_needed,
    never_without_notice_or_ground,
    never_under_an_edition_not_in_force,
    never_against_who_is_not_surely_named,
    more_against_never_costs_others_more,
    who_comes_to_be_there_is_not_hit_where_something_narrower_suffices,
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(chains(worlds.named | worlds.unnamed))
@settings(quick, max_examples=80)
def test_these_laws_hold_from_the_report_to_the_measure(world: World) -> None:
    for law in LAWS:
        law(world)


# That each can fail


def _to_the_widest(monkeypatch: pytest.MonkeyPatch) -> None:
    order = remedies._order
    monkeypatch.setattr(remedies, "_order", lambda option: tuple(-n for n in order(option)[:4]))
    monkeypatch.setattr(remedies, "_narrower", lambda a, b, footprint: False)


def _blind_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    order = remedies._order
    monkeypatch.setattr(remedies, "_order", lambda option: order(option)[1:])


def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def footing(*, notice: str | None, answer_by: datetime | None, urgency: Urgency | None, at: datetime) -> object:
        return notice_first.Footing(notice, None) if notice else notice_first.Footing(None, urgency)

    monkeypatch.setattr(notice_first, "footing", footing)


def _always_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    right, long_ago = judging.judge, NOW - timedelta(days=300_000)

    def judge(conduct: object, *, edition: worlds.Edition, **more: object) -> Verdict:
        return right(conduct, edition=dataclasses.replace(edition, effective_at=long_ago), **more)

    monkeypatch.setattr(judging, "judge", judge)


def _whoever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    right = judging.judge

    def judge(conduct: object, *, attribution: object, **more: object) -> Verdict:
        sure = dataclasses.replace(attribution, grade=Grade.CONFIRMED, customer="acct-1001")  # type: ignore[type-var]  # one of ours
        return right(conduct, attribution=sure, **more)  # type: ignore[arg-type]  # as given

    monkeypatch.setattr(judging, "judge", judge)


def _only_the_widest_for_who_is_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    right = judging._ladder

    def ladder(clause: object, *, confirmed: bool, step: object) -> tuple[Rung, ...]:
        found: tuple[Rung, ...] = right(clause, confirmed=confirmed, step=step)
        return found[-1:] if confirmed else found

    monkeypatch.setattr(judging, "_ladder", ladder)


MUTANTS = {
    _to_the_widest: never_wider_than_needed,
    _at_once: never_without_notice_or_ground,
    _always_in_force: never_under_an_edition_not_in_force,
    _whoever_it_is: never_against_who_is_not_surely_named,
    _only_the_widest_for_who_is_sure: more_against_never_costs_others_more,
}


@pytest.mark.parametrize("spoil", MUTANTS, ids=lambda spoil: spoil.__name__)
def test_a_spoilt_program_is_found_out(
    spoil: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch)
    found_out(MUTANTS[spoil])


def test_who_counts_no_others_is_found_out_when_somebody_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    _blind_to_others(monkeypatch)
    found_out(who_comes_to_be_there_is_not_hit_where_something_narrower_suffices)


def found_out(law: Callable[[World], None]) -> None:
    def broken(world: World) -> bool:
        try:
            law(world)
        except AssertionError:
            return True
        return False

    since = timedelta(days=-1 if law is never_under_an_edition_not_in_force else 400)
    find(chains(worlds.named | worlds.unnamed, likely=True, since=since), broken, settings=once)


once = settings(quick, max_examples=2000, phases=(Phase.generate,), database=None)


@pytest.mark.parametrize("footing", ["notice", "urgency"])
def test_these_worlds_take_measures(footing: str) -> None:
    """Or what is said of them here would be true of nothing."""

    def taken(world: World) -> bool:
        found = outcome(world)
        return bool(found.taken and getattr(found.stands_on, footing))

    find(chains(likely=True), taken, settings=once)
