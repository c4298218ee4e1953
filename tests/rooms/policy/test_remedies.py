"""The narrowest remedy that suffices, over random worlds: never wider than needed, and never at others' cost."""

from collections.abc import Set as AbstractSet
from datetime import timedelta
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rooms.policy import worlds
from tipstaff.policy.remedies import Briefer, Footprint, Reach, Reached, weigh
from tipstaff.words import Candidate, Degree, Rung, Scope, Selector

often = settings(max_examples=250, deadline=None)
EVERYTHING = frozenset((scope, degree) for scope in Scope for degree in Degree)
reaches = st.just(EVERYTHING) | st.frozensets(st.sampled_from(sorted(EVERYTHING)), max_size=40)
lasting = st.integers(1, 400).map(lambda n: timedelta(hours=n))


def reach(can: AbstractSet[tuple[Scope, Degree]]) -> Reach:
    def reached(rung: Rung, selectors: tuple[Selector, ...]) -> Reached:
        assert {selector.scope for selector in selectors} == {rung.scope}
        able = (rung.scope, rung.degree) in can
        return Reached(device="edge1") if able else Reached(device=None, flaw="Nobody can.")

    return reached


def weighed(
    ladder: tuple[Rung, ...], footprint: Footprint, can: AbstractSet[tuple[Scope, Degree]],
    lasts: timedelta | None = None, briefer: tuple[Briefer, ...] = (),
) -> tuple[Candidate, ...]:  # fmt: skip
    return weigh(
        ladder=ladder, measure_ports=(("tcp", 80), ("tcp", 443)), resource=ip_address("192.0.2.7"),
        url="http://shop.example.com/a", mailbox="someone@example.com", session="line-7/4711", source_port=None,
        service="svc-1", account="acct-1", footprint=footprint, reach=reach(can), lasts=lasts,
        briefer=briefer,
    )  # fmt: skip


def chosen(candidates: tuple[Candidate, ...]) -> list[Candidate]:
    return [candidate for candidate in candidates if candidate.chosen]


@given(worlds.ladders(max_size=8), worlds.footprints(), reaches)
@often
def test_what_suffices_is_one_rung_and_everything_else_says_why_not(
    ladder: tuple[Rung, ...], footprint: Footprint, can: frozenset[tuple[Scope, Degree]]
) -> None:
    candidates = weighed(ladder, footprint, can)
    taken = chosen(candidates)
    sufficient = [c for c in candidates if c.sufficient]
    assert bool(taken) == bool(sufficient)
    assert len({(c.selector.scope, c.degree) for c in taken}) == bool(taken)
    for candidate in candidates:
        assert candidate.why.endswith(".")
        assert candidate.sufficient == ((candidate.selector.scope, candidate.degree) in can)
        assert candidate.degree is not Degree.NOTIFY
    if taken:
        same = [c for c in sufficient if c.selector.scope is taken[0].selector.scope]
        assert taken[0].degree == min(c.degree for c in same), "no harsher than needed"
        assert taken[0].others_hit == min(c.others_hit for c in sufficient), "no other is hit who could be spared"


@given(worlds.ladders(max_size=6), worlds.ladders(max_size=3), worlds.footprints(), reaches)
@often
def test_a_longer_ladder_never_hits_more_of_others(
    ladder: tuple[Rung, ...], more: tuple[Rung, ...], footprint: Footprint, can: frozenset[tuple[Scope, Degree]]
) -> None:
    """A surer holder and more strikes open more rungs (test_verdicts_in_random_worlds): nobody else pays for it."""
    longer = tuple(sorted({*ladder, *more}, key=lambda r: (r.scope, r.degree)))
    before, after = chosen(weighed(ladder, footprint, can)), chosen(weighed(longer, footprint, can))
    if before:
        assert after
        assert after[0].others_hit <= before[0].others_hit


@given(worlds.ladders(max_size=6), worlds.footprints(), reaches, lasting)
@often
def test_every_candidate_ends_by_itself_after_the_time_that_was_weighed(
    ladder: tuple[Rung, ...], footprint: Footprint, can: frozenset[tuple[Scope, Degree]], lasts: timedelta
) -> None:
    assert {c.lasts_hours for c in weighed(ladder, footprint, can, lasts)} <= {lasts.total_seconds() / 3600}


@given(
    worlds.ladders(min_size=1, max_size=5), worlds.footprints(), lasting,
    st.lists(st.builds(Briefer, lasts=lasting, flaw=st.sampled_from(["", "Tried before."])), max_size=3),
)  # fmt: skip
@often
def test_the_shortest_time_that_suffices_is_chosen_and_every_other_says_why_not(
    ladder: tuple[Rung, ...], footprint: Footprint, lasts: timedelta, briefer: list[Briefer]
) -> None:
    candidates = weighed(ladder, footprint, EVERYTHING, lasts, tuple(briefer))
    wanted = min([each.lasts for each in briefer if not each.flaw and each.lasts < lasts], default=lasts)
    for one in chosen(candidates):
        assert one.lasts_hours == wanted.total_seconds() // 3600
        for other in candidates:
            if (other.selector, other.degree) != (one.selector, one.degree) or other.chosen:
                continue
            assert other.lasts_hours is not None
            if other.lasts_hours > one.lasts_hours:
                assert other.why in (f"Longer than needed: {one.lasts_hours} hours suffice.", "Tried before.")
            else:
                assert (other.sufficient, other.why) == (False, "Tried before.") or other.lasts_hours == one.lasts_hours
    spared = {(str(c.selector), c.degree) for c in chosen(candidates)}
    assert spared == {(str(c.selector), c.degree) for c in chosen(weighed(ladder, footprint, EVERYTHING, lasts))}


def test_a_session_is_narrower_than_an_address_that_others_share() -> None:
    ladder = (
        Rung(scope=Scope.ADDRESS, degree=Degree.BLOCK),
        Rung(scope=Scope.SESSION, degree=Degree.DISCONNECT),
        Rung(scope=Scope.SERVICE, degree=Degree.SUSPEND),
    )
    alone = chosen(weighed(ladder, Footprint(), EVERYTHING))
    assert [c.selector.scope for c in alone] == [Scope.ADDRESS]
    shared = weighed(ladder, Footprint(others_on_address=frozenset({"acct-2", "acct-3"})), EVERYTHING)
    assert [str(c.selector) for c in chosen(shared)] == ["line-7/4711"]
    address = next(c for c in shared if c.selector.scope is Scope.ADDRESS)
    assert address.why == "Would also hit 2 other accounts; line-7/4711 suffices."


def test_the_customers_own_services_are_cut_before_somebody_elses_address() -> None:
    ladder = (Rung(scope=Scope.ADDRESS, degree=Degree.BLOCK), Rung(scope=Scope.ACCOUNT, degree=Degree.SUSPEND))
    around = Footprint(others_on_address=frozenset({"acct-2"}), services_of_account=frozenset({"svc-1", "svc-2"}))
    taken = chosen(weighed(ladder, around, EVERYTHING))
    assert [(c.selector.account, c.others_hit, c.services_hit) for c in taken] == [("acct-1", 0, 1)]
