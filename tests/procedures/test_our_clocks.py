"""Clocks that run on us: begun by what the record says, shown with their end, told of when late, ended when done."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from tests.procedures.office import DAY, HOUR, MOVED_IN, NOON, Office, reporter
from tests.procedures.test_every_clause import NAME, alleged, host, read_as, sealed
from tests.procedures.test_transit import network  # noqa: F401 - a fixture
from tests.rooms.legal.test_legal_form import REMOVAL
from tipstaff.cases.clocks import (
    clocks_to_look_at,
    count_late_clocks,
    look_again,
    note_read_to,
    read_to,
    running_clocks,
    start_clocks,
)
from tipstaff.cases.models import CaseRow
from tipstaff.enforcement.models import MeasureRow
from tipstaff.host.viewing import hiding
from tipstaff.intake.queries import get_report
from tipstaff.ledger.operations import record, seal_entries
from tipstaff.ledger.queries import entries_about, place_before
from tipstaff.policy import deadline, shipped_editions
from tipstaff.policy.clauses import ClockUnit
from tipstaff.policy.kinds import WATCHED_CLOCKS
from tipstaff.procedures import our_clocks
from tipstaff.procedures.agent import designate
from tipstaff.procedures.harbour import take_counter_notice
from tipstaff.procedures.our_clocks import WATCHES, end_by_hand, tell_authority
from tipstaff.procedures.refusals import NoSuchClock, NothingToTell, NotYourDecision
from tipstaff.procedures.suspension import plan_chosen
from tipstaff.registry.queries import sites_named
from tipstaff.words import (
    Answer,
    Candidate,
    Case,
    CaseState,
    Degree,
    Ground,
    MeasureState,
    Report,
    Role,
    RunningClock,
    Selector,
    Urgency,
)

EDITION = shipped_editions()[-1]
HERS = "198.51.100.7"


def watch(office: Office, *, at: datetime) -> int:
    seal_entries()
    return our_clocks.watch(desk=office.desk, at=at)


def running(clock: str) -> list[RunningClock]:
    return [each for each in running_clocks() if each.clock == clock]


def said_of(key: str) -> list[str]:
    return [entry.what for entry in entries_about(key) if entry.what.startswith("clock.")]


def test_a_complaint_is_to_be_acknowledged_and_passed_on_within_its_time(office: Office) -> None:
    office.admit("acct-1", HERS)
    report = office.complain(HERS, at=NOON)
    case = office.case_of(report)
    watch(office, at=NOON)
    assert [(c.about, c.due_at - c.started_at) for c in running("complaint.acknowledge")] == [(report.key, DAY)]
    assert [(c.about, c.due_at) for c in running("complaint.forward")] == [(case.key, NOON + DAY)]
    assert count_late_clocks() == 0
    office.post(at=NOON + HOUR)
    watch(office, at=NOON + HOUR)
    assert running_clocks() == [], "both letters went out"
    assert said_of(report.key) == said_of(case.key) == [], "the many that are in time leave no line in the record"


def test_what_went_out_before_anybody_looked_never_was_a_clock(office: Office) -> None:
    office.admit("acct-1", HERS)
    office.warned(HERS, at=NOON)
    seal_entries()
    assert our_clocks.watch(desk=office.desk, at=NOON + HOUR) == 0
    assert running_clocks() == []


def test_letters_that_do_not_go_out_are_told_of_once_and_until_they_have(office: Office) -> None:
    office.admit("acct-1", HERS)
    report = office.complain(HERS, at=NOON)
    case = office.case_of(report)
    watch(office, at=NOON)
    watch(office, at=NOON + DAY - timedelta(seconds=1))
    assert count_late_clocks() == 0
    for hours in (24, 25, 26):
        watch(office, at=NOON + hours * HOUR)
    assert {c.clock for c in running_clocks() if c.late_at == NOON + DAY} == {
        "complaint.acknowledge", "complaint.forward",
    }  # fmt: skip
    assert said_of(report.key) == said_of(case.key) == ["clock.late"]
    office.post(at=NOON + 27 * HOUR)
    watch(office, at=NOON + 28 * HOUR)
    assert running_clocks() == []
    assert said_of(case.key) == ["clock.late", "clock.ended"]


def test_a_restart_forgets_no_clock_and_begins_none_anew(office: Office) -> None:
    """All that is kept stands in the database: another worker goes on from there, and an entry is read once."""
    office.admit("acct-1", HERS)
    office.complain(HERS, at=NOON)
    watch(office, at=NOON)
    before = running_clocks()
    assert our_clocks.watch(desk=dataclasses.replace(office.desk), at=NOON + timedelta(minutes=1)) == 0
    assert running_clocks() == before
    assert clocks_to_look_at(NOON + timedelta(minutes=5), limit=9) == []


def test_an_hours_clock_does_not_wait_until_the_history_is_read(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain's end is read ahead; what is behind follows, each entry's clock once."""
    office.admit("acct-1", HERS)
    old = office.complain(HERS, at=NOON)
    for n in range(40):
        record("desk.note", at=NOON + n * HOUR, actor="anna", about=[old.key])
    key = removal_order(office, at=NOON + 60 * DAY).key
    monkeypatch.setattr(our_clocks, "READ_AT_A_TIME", 2)
    monkeypatch.setattr(our_clocks, "BATCHES_MAX", 2)
    monkeypatch.setattr(our_clocks, "_longest", lambda desk: 61 * DAY)
    seal_entries()
    now = NOON + 60 * DAY
    assert 0 < place_before(now - DAY) < place_before(now + DAY)
    rounds = 0
    while not running("terror.remove"):
        our_clocks.watch(desk=office.desk, at=now)
        rounds += 1
        assert rounds < 9
    assert [c.about for c in running("terror.remove")] == [key]
    assert read_to() < place_before(now - DAY), "the history is not read yet"
    for _ in range(20):
        our_clocks.watch(desk=office.desk, at=now)
    assert said_of(key).count("clock.started") == 1
    assert [c.about for c in running("complaint.acknowledge") if c.about == old.key] == [old.key]


def test_what_is_due_soonest_is_looked_at_first_and_what_was_told_of_as_late_last(db: None) -> None:
    due = {"R-000001": 3, "R-000002": 1, "R-000003": 2}
    start_clocks(
        [RunningClock(clock="x", about=about, edition="e", started_at=NOON, due_at=NOON + hours * HOUR)
         for about, hours in due.items()],
        look_at=NOON,
    )  # fmt: skip
    second = next(c for c in running_clocks() if c.about == "R-000002")
    look_again(second, look_at=NOON - HOUR, late_at=NOON)
    assert [c.about for c in clocks_to_look_at(NOON, limit=9)] == ["R-000003", "R-000001", "R-000002"]


def test_what_is_late_is_looked_at_ever_less_often(office: Office) -> None:
    office.admit("acct-1", HERS)
    office.complain(HERS, at=NOON)
    watch(office, at=NOON)
    watch(office, at=NOON + DAY)
    watch(office, at=NOON + 3 * DAY)
    assert clocks_to_look_at(NOON + 3 * DAY + 11 * HOUR, limit=9) == []
    assert len(clocks_to_look_at(NOON + 3 * DAY + 12 * HOUR, limit=9)) == 2


def test_whoever_may_not_be_answered_is_owed_no_acknowledgement(office: Office) -> None:
    office.admit("acct-1", HERS)
    report = office.complain(HERS, at=NOON)
    office.desk = dataclasses.replace(office.desk, complainant_hourly_max=0)
    again = office.complain(HERS, at=NOON + HOUR, by=reporter(2))
    watch(office, at=NOON + HOUR)
    assert [c.about for c in running("complaint.acknowledge")] == [report.key]
    assert get_report(again.key) is not None


def test_every_complainant_hears_the_outcome_within_its_time(office: Office) -> None:
    office.admit("acct-1", HERS)
    case = office.warned(HERS, at=NOON)
    office.answer(case, Answer.FIXED, at=NOON + HOUR)
    closed_at = NOON + 2 * HOUR
    office.follow(at=closed_at)
    assert office.fresh(case.key).state is CaseState.CLOSED
    watch(office, at=closed_at)
    assert [(c.about, c.due_at) for c in running("complaint.outcome")] == [(case.key, closed_at + DAY)]
    watch(office, at=closed_at + DAY)
    assert said_of(case.key) == ["clock.late"]
    office.post(at=closed_at + DAY)
    watch(office, at=closed_at + DAY + HOUR)
    assert running("complaint.outcome") == []


def test_a_threat_is_told_to_the_police_within_the_hour_and_counsel_notes_it(office: Office) -> None:
    key = sealed(office, EDITION.clause("content.violent_threats")).key
    watch(office, at=NOON)
    [clock] = running("threat.tell_police")
    assert (clock.about, clock.due_at) == (key, NOON + HOUR)
    watch(office, at=NOON + HOUR)
    assert said_of(key) == ["clock.started", "clock.late"]
    assert "threat" not in str([dict(entry.detail) for entry in entries_about(key)]), "colleagues read the record"
    office.roles = {"carla": frozenset({Role.COUNSEL}), "lena": frozenset({Role.LEAD})}
    tell = {"authority": "The police", "how": "By telephone, reference 1"}
    with pytest.raises(NotYourDecision):
        tell_authority(key, **tell, desk=office.desk, at=NOON + HOUR, actor="lena")
    with pytest.raises(NothingToTell):
        tell_authority(key, authority=" ", how="x", desk=office.desk, at=NOON + HOUR, actor="carla")
    with pytest.raises(NoSuchClock):
        tell_authority("C-999999", **tell, desk=office.desk, at=NOON + HOUR, actor="carla")
    tell_authority(key, **tell, desk=office.desk, at=NOON + HOUR, actor="carla")
    watch(office, at=NOON + 2 * HOUR)
    assert running("threat.tell_police") == []
    assert said_of(key)[-1] == "clock.ended"


def removal_order(office: Office, *, page: str = "offer", at: datetime = NOON, by: int = 1) -> Report:
    if not sites_named(NAME, at=NOON):
        host(NAME)
    clause = EDITION.clause("content.terror_and_hatred")
    named = dataclasses.replace(
        alleged(clause, "unknown/unknown", cited=clause.id), url=f"http://{NAME}/{page}", domain=NAME
    )
    return read_as(office, named, of_person=False, words=REMOVAL, sender=reporter(by).address, at=at)


def blocked(case: Case, *, page: str, at: datetime) -> None:
    """A measure on one page of the case is in force."""
    chosen = Candidate(
        selector=Selector(url=f"http://{NAME}/{page}"), degree=Degree.BLOCK, device="edge", sufficient=True,
        others_hit=0, services_hit=0, chosen=True, why="The order names it.",
    )  # fmt: skip
    ground = Urgency(ground=Ground.LAW, shown_by="The order.", decided_by="carla", seconded_by="lena")
    key = plan_chosen(
        case, chosen, (chosen,), until=at + DAY, notice=None, urgency=ground, at=at, actor="carla"
    )  # fmt: skip
    MeasureRow.objects.filter(key=key).update(state=MeasureState.IN_FORCE, in_force_at=at)
    record("measure.in_force", at=at, actor="enforcer", about=[key, case.key, case.customer])


def test_a_removal_orders_hour_is_watched(office: Office) -> None:
    office.admit("acct-1", HERS)
    order = removal_order(office)
    watch(office, at=NOON)
    assert [(c.about, c.due_at) for c in running("terror.remove")] == [(order.key, NOON + HOUR)]
    watch(office, at=NOON + HOUR)
    assert count_late_clocks() == 1


def test_what_a_counter_notice_asks_back_is_watched_until_it_is_back(office: Office) -> None:
    office.admit("acct-1", HERS, timezone="America/Los_Angeles")
    case = office.warned(HERS, at=NOON)
    CaseRow.objects.filter(key=case.key).update(clause="copyright.hosted")
    blocked(office.fresh(case.key), page="film", at=NOON + HOUR)
    _, window = take_counter_notice(
        case.key, b"", received_at=NOON + DAY, desk=office.desk, at=NOON + 2 * DAY, actor="carla"
    )
    watch(office, at=NOON + 2 * DAY)
    [clock] = running("copyright.restore")
    assert (clock.about, clock.started_at, clock.due_at) == (case.key, NOON + DAY, window.by)
    watch(office, at=window.by)
    assert running("copyright.restore")[0].late_at is not None
    MeasureRow.objects.filter(case=case.key).update(state=MeasureState.LIFTED)
    watch(office, at=window.by + DAY)
    assert running("copyright.restore") == []


def test_each_counter_notice_on_a_case_has_its_own_window_and_is_ended_by_itself(office: Office) -> None:
    office.roles["carla"] = frozenset({Role.COUNSEL})
    office.admit("acct-1", HERS)
    case = office.warned(HERS, at=NOON)
    CaseRow.objects.filter(key=case.key).update(clause="copyright.hosted")
    blocked(office.fresh(case.key), page="film", at=NOON + HOUR)
    windows = [
        take_counter_notice(case.key, b"", received_at=at, desk=office.desk, at=at, actor="carla")[1]
        for at in (NOON + DAY, NOON + 7 * DAY)
    ]
    watch(office, at=NOON + 7 * DAY)
    assert [(c.nth, c.about, c.due_at) for c in running("copyright.restore")] == [
        (n, case.key, window.by) for n, window in enumerate(windows, 1)
    ]
    watch(office, at=windows[0].by)
    assert [c.late_at is not None for c in running("copyright.restore")] == [True, False]
    end = {"about": case.key, "why": "The claimant sued on the first.", "desk": office.desk, "actor": "carla"}
    with pytest.raises(NothingToTell, match="1 or 2"):
        end_by_hand("copyright.restore", at=windows[0].by, **end)  # type: ignore[arg-type]  # as keywords
    with pytest.raises(NoSuchClock):
        end_by_hand("copyright.restore", nth=3, at=windows[0].by, **end)  # type: ignore[arg-type]  # as keywords
    end_by_hand("copyright.restore", nth=1, at=windows[0].by, **end)  # type: ignore[arg-type]  # as keywords
    watch(office, at=windows[1].by)
    assert [(c.nth, c.late_at) for c in running("copyright.restore")] == [(2, windows[1].by)]
    assert [e.detail.get("nth") for e in entries_about(case.key) if e.what == "clock.started"] == [None, 2]


def test_the_agents_entry_comes_into_the_inbox_before_it_lapses_and_is_late_until_renewed(office: Office) -> None:
    """Also one that an older version noted, whose line of the record was read before anybody watched it."""
    from tipstaff.web.console import reads

    watch(office, at=NOON)
    assert running("copyright.agent_renewal") == [], "no agent, no clock"
    office.roles["carla"] = frozenset({Role.COUNSEL})
    stated = {"name": "Notices Desk", "address": "1 Example Street", "phone": "+1 555 0100", "email": "a@example.net"}
    designate(stated, entered_at=NOON, desk=office.desk, at=NOON, actor="carla")
    seal_entries()
    note_read_to(entries_about("agent")[-1].seq or 0)
    watch(office, at=NOON + HOUR)
    [clock] = running("copyright.agent_renewal")
    assert clock.due_at == datetime(2029, 5, 5, tzinfo=UTC)

    def in_inbox(at: datetime) -> list[str]:
        return [f"{c.clock} {page}" for c, page, _ in reads.clocks_shown(at, legal=True)]

    assert in_inbox(clock.due_at - 61 * DAY) == []
    assert in_inbox(clock.due_at - 59 * DAY) == ["copyright.agent_renewal /console/legal/harbour"]
    watch(office, at=clock.due_at - HOUR)
    assert count_late_clocks() == 0
    watch(office, at=clock.due_at)
    assert reads.late_clocks(legal=False) == 1
    renewed = clock.due_at + DAY
    designate(stated, entered_at=renewed, desk=office.desk, at=renewed, actor="carla")
    watch(office, at=renewed + DAY)
    assert [(c.nth, c.started_at, c.late_at) for c in running("copyright.agent_renewal")] == [(2, renewed, None)]
    assert said_of("agent") == ["clock.started", "clock.late", "clock.started", "clock.ended"]


def test_a_second_order_on_the_case_has_its_hour_and_its_months_whatever_was_done_about_the_first(
    office: Office,
) -> None:
    office.admit("acct-1", HERS)
    first = removal_order(office)
    case = office.case_of(first)
    watch(office, at=NOON)
    blocked(case, page="offer", at=NOON + HOUR / 2)
    watch(office, at=NOON + HOUR / 2)
    assert running("terror.remove") == [], "what it names is blocked"
    assert [c.about for c in running("terror.preserve")] == [first.key]
    came = NOON + 3 * HOUR
    second = removal_order(office, page="other", at=came, by=2)
    assert office.case_of(second).key == case.key
    # Another worker goes on from the database.
    office.desk = dataclasses.replace(office.desk)
    watch(office, at=came)
    assert [(c.about, c.due_at) for c in running("terror.remove")] == [(second.key, came + HOUR)]
    watch(office, at=came + HOUR)
    assert said_of(second.key)[-1] == "clock.late", "the measure on the first one's page is none on this one"
    assert [c.about for c in running("terror.preserve")] == [first.key]
    blocked(case, page="other", at=came + 2 * HOUR)
    watch(office, at=came + 2 * HOUR)
    assert running("terror.remove") == []
    begun = {c.about: c.started_at for c in running("terror.preserve")}
    assert begun == {first.key: NOON + HOUR / 2, second.key: came + 2 * HOUR}
    assert said_of(first.key).count("clock.started") == 2, "its hour and its months, once each"


def test_what_was_removed_is_preserved_until_counsel_ends_it_in_our_zone(office: Office) -> None:
    office.admit("acct-1", HERS)
    office.desk = dataclasses.replace(office.desk, zone="Europe/Dublin")
    order = removal_order(office)
    case = office.case_of(order)
    from tipstaff.cases.operations import move_case

    move_case(case.key, to=CaseState.FIXED, at=NOON, actor="carla", why="The page is gone.")
    watch(office, at=NOON)
    [clock] = running("terror.preserve")
    rule = EDITION.clock("terror.preserve")
    assert rule.unit is ClockUnit.MONTHS
    assert clock.due_at == deadline(rule, at=NOON, zone="Europe/Dublin").by
    assert clock.due_at == datetime(2026, 11, 5, 0, 0, tzinfo=UTC)
    watch(office, at=clock.due_at - HOUR)
    assert [c.late_at for c in running("terror.preserve")] == [None]
    watch(office, at=clock.due_at)
    assert [c.late_at for c in running("terror.preserve")] == [clock.due_at], "told of, and ended by nobody but counsel"
    office.roles = {"lena": frozenset({Role.LEAD})}
    with pytest.raises(NotYourDecision):
        end_by_hand("terror.preserve", about=order.key, why="Over.", desk=office.desk, at=clock.due_at, actor="lena")
    with pytest.raises(NothingToTell):
        end_by_hand("terror.preserve", about=order.key, why=" ", desk=office.desk, at=clock.due_at, actor="carla")
    end_by_hand("terror.preserve", about=order.key, why="Over.", desk=office.desk, at=clock.due_at, actor="carla")
    with pytest.raises(NoSuchClock):
        end_by_hand("terror.preserve", about=order.key, why="Over.", desk=office.desk, at=clock.due_at, actor="carla")
    watch(office, at=clock.due_at + HOUR)
    assert running("terror.preserve") == [], "and it does not begin again"


def test_what_was_reported_of_child_abuse_is_preserved_for_its_year(office: Office) -> None:
    from tipstaff.procedures.complaint import seal_by_hand

    office.admit("acct-1", HERS)
    report = office.complain(HERS, at=NOON)
    seal_by_hand(report.key, desk=office.desk, at=NOON, actor="anna")
    watch(office, at=NOON)
    assert running("child_abuse.preserve") == [], "nothing was reported to anybody yet"
    tell_authority(
        report.key, authority="A hotline", how="By its form", desk=office.desk, at=NOON + HOUR, actor="carla"
    )
    watch(office, at=NOON + HOUR)
    assert {c.clock for c in running_clocks()} == {"child_abuse.preserve"}, "nobody is told of it, so nobody is late"
    [clock] = running("child_abuse.preserve")
    assert clock.due_at == datetime(2027, 5, 5, 0, 0, tzinfo=UTC)
    with hiding(lambda: frozenset({report.key})):
        assert running("child_abuse.preserve") == [], "whoever may not see the report sees no clock of it"
        assert running_clocks(about=[report.key], clocks=["child_abuse.preserve"]) == []


def test_a_network_has_its_month_from_the_letter_and_where_it_is(office: Office, network: Case) -> None:  # noqa: F811 - the fixture
    watch(office, at=NOON)
    [clock] = running("transit.correct_first")
    assert (clock.about, clock.started_at) == (network.key, NOON)
    assert clock.due_at == datetime(2026, 6, 4, 0, 0, tzinfo=UTC)
    watch(office, at=clock.due_at)
    assert [c.late_at for c in running("transit.correct_first")] == [clock.due_at]
    assert MOVED_IN < NOON


def test_each_watched_clock_of_the_edition_is_begun_by_something() -> None:
    """What is not begun here is watched by the procedure that it belongs to: each names it in its source."""
    from pathlib import Path

    import tipstaff

    source = "\n".join(p.read_text() for p in (Path(tipstaff.__file__).parent / "procedures").glob("*.py"))
    source += (Path(tipstaff.__file__).parent / "policy" / "remedies.py").read_text()
    for clock in WATCHED_CLOCKS - WATCHES.keys():
        assert f'"{clock}"' in source, clock
    assert WATCHES.keys() <= WATCHED_CLOCKS
    assert {clock.id for clock in EDITION.clocks} >= WATCHES.keys()


def test_clocks_are_listed_and_noted_at_a_terminal(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    from tipstaff.cli.clocks import app

    key = sealed(office, EDITION.clause("content.violent_threats")).key
    watch(office, at=NOON)
    monkeypatch.setattr("tipstaff.wiring.desk", lambda: office.desk)
    monkeypatch.setattr("tipstaff.wiring.now", lambda: NOON + 2 * HOUR)
    office.roles = {"carla": frozenset({Role.COUNSEL}), "lena": frozenset({Role.LEAD}), "": frozenset()}
    run = CliRunner().invoke
    assert "threat.tell_police" not in run(app, ["list"]).output
    late = run(app, ["list", "--late", "--by", "carla"])
    assert (late.exit_code, "threat.tell_police" in late.output) == (1, True)
    told = ["told", key, "--authority", "The police", "--how", "By telephone"]
    assert run(app, [*told, "--by", "lena"]).exit_code == 1
    assert run(app, [*told, "--by", "carla"]).output == f"Noted for {key}.\n"
    assert run(app, ["end", "terror.preserve", key, "--by", "carla", "--why", "x"]).exit_code == 1


def test_what_runs_for_the_register_or_for_something_sealed_is_left_out_before_anything_is_cut(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tipstaff.cli.clocks import app
    from tipstaff.procedures.complaint import seal_by_hand
    from tipstaff.web.console import reads

    matter = sealed(office, EDITION.clause("content.violent_threats"))
    office.admit("acct-2", "198.51.100.30")
    report = office.complain("198.51.100.30", at=NOON)
    seal_by_hand(report.key, desk=office.desk, at=NOON, actor="anna")
    tell_authority(report.key, authority="A hotline", how="By its form", desk=office.desk, at=NOON, actor="carla")
    office.admit("acct-3", "198.51.100.31")
    mine = office.case_of(office.complain("198.51.100.31", at=NOON + HOUR, by=reporter(2)))
    watch(office, at=NOON + HOUR)
    monkeypatch.setattr("tipstaff.wiring.desk", lambda: office.desk)
    office.roles = {"carla": frozenset({Role.COUNSEL}), "": frozenset()}
    run = CliRunner().invoke
    for anybody in (run(app, ["list"]).output, run(app, ["list", "--json"]).output):
        assert mine.key in anybody
        for closed in (report.key, matter.key, matter.report, "child_abuse", "threat."):
            assert closed not in anybody
    counsel = run(app, ["list", "--by", "carla"]).output
    assert (report.key in counsel, matter.key in counsel) == (True, True)

    [late] = [each for each in running_clocks() if each.about == matter.key]
    assert running_clocks(limit=1) == [late], "it is due first"
    assert running_clocks(register=False, limit=1)[0].about != matter.key
    monkeypatch.setattr(reads, "INBOX_SHOWN", 1)
    assert len(reads.clocks_shown(None, legal=False)) == 1, "what is left out takes nobody's place"
    watch(office, at=late.due_at)
    assert f"{matter.key}: a clock of ours was due" in caplog.text
    assert "threat.tell_police" not in caplog.text
