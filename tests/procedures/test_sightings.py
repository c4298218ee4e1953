"""What our own sensors measure: it names its holder or nobody, and whoever it names is told before anything is done."""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.procedures.office import DAY, HOUR, NOON, Office
from tipstaff.cases.queries import notes_of, told_incidents
from tipstaff.ledger.queries import entries_about, get_raw, trace
from tipstaff.notices.queries import letters_of_case
from tipstaff.policy.clauses import Opens
from tipstaff.policy.shadow import Shadow
from tipstaff.procedures import casework, posting
from tipstaff.procedures.judging import failed_of
from tipstaff.procedures.reasons import reasons_for_court
from tipstaff.procedures.refusals import NoSuchSighting, NotLeftToAPerson, NotYourDecision
from tipstaff.procedures.replaying import replay_past
from tipstaff.procedures.shadow import disagreements
from tipstaff.procedures.sighting import NotTelemetry, close_left, judge_again, judge_waiting, role_for, take
from tipstaff.sensors.queries import count_by_disposition, count_left, get_measured, left_to_people, unjudged
from tipstaff.words import (
    Case,
    CaseState,
    Disposition,
    HoldingKind,
    LetterKind,
    Measured,
    Reason,
    Role,
    TakenSightings,
)

ADDRESS = "192.0.2.77"
SCAN = {"targets": 300, "minutes": 30, "announced": False}
FLOOD = {"packets_per_second": 90_000, "seconds": 120, "agreed_test": False}


def scan(n: int = 1, *, source: str = ADDRESS, at: Any = NOON - HOUR, **more: object) -> dict[str, object]:
    return {
        "id": f"scan-{n}", "kind": "flows.scan", "type": "connection/port_scan", "at": at.isoformat(),
        "source": source, "facts": SCAN, "excerpt": "300 targets on tcp/22, first 203.0.113.7", **more,
    }  # fmt: skip


def flood(n: int = 1, **more: object) -> dict[str, object]:
    return scan(n, id=f"flood-{n}", kind="flows.flood", type="connection/ddos", facts=FLOOD, protocol="udp",
                target_port=53, **more)  # fmt: skip


def lines(*sightings: object) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in sightings)


def hand_in(office: Office, *sightings: object, at: Any = NOON) -> TakenSightings:
    taken = take(lines(*sightings), sensor="flows-1", desk=office.desk, at=at, actor="tests")
    judge_waiting(desk=office.desk, at=at)
    return taken


def measured(office: Office, *sightings: object, at: Any = NOON) -> list[Measured]:
    found = [get_measured(key) for key in hand_in(office, *sightings, at=at).taken]
    assert all(found)
    return [each for each in found if each is not None]


def case_of(office: Office, one: Measured) -> Case:
    assert one.case is not None, one
    return office.fresh(one.case)


# The story


def test_a_sighting_opens_a_case_and_the_notice_says_that_we_measured_it(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    [seen] = measured(office, scan())
    case = case_of(office, seen)
    assert (seen.disposition, seen.reason) == (Disposition.OPEN_CASE, Reason.FIRST_REPORT)
    assert (case.customer, case.clause, case.resource, case.reports) == ("acct-1", "network.scanning", ADDRESS, 0)
    [letter] = office.post(at=NOON)
    assert (letter.kind, letter.to) == (LetterKind.NOTICE, "acct-1@customer.example.com")
    assert "Our own measurements show port scanning" in letter.body
    assert "What we measured falls under" in " ".join(letter.body.split())
    assert "report of" not in letter.body
    assert "203.0.113.7" not in letter.body, "who was scanned is nobody's to learn from us"
    assert office.fresh(case.key).state is CaseState.NOTIFIED


def test_no_measure_comes_before_the_letter_and_the_narrowest_one_after_its_time(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    [seen] = measured(office, scan())
    case = case_of(office, seen)
    office.deadlines(at=NOON + timedelta(days=30))
    assert list(office.measures(case)) == [], "no letter was handed over"
    office.post(at=NOON)
    due = office.fresh(case.key).due_at
    assert due == NOON + timedelta(hours=24)
    office.deadlines(at=due - timedelta(seconds=1))
    assert list(office.measures(case)) == []
    office.deadlines(at=due)
    [measure] = office.measures(case)
    assert str(measure.selector).startswith(ADDRESS)
    assert measure.notice == letters_of_case(case.key)[0].key


def test_a_flood_that_we_measure_goes_on_and_still_waits_for_its_letter(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    [seen] = measured(office, flood())
    case = case_of(office, seen)
    assert (seen.reason, case.clause) == (Reason.HARM_IN_PROGRESS, "network.denial_of_service")
    office.deadlines(at=NOON + timedelta(days=1))
    assert list(office.measures(case)) == [], "a measure at once takes a ground and two people"


def test_what_does_not_amount_to_anything_stays_on_record_and_nobody_is_told(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    few, announced, unstated = measured(
        office,
        scan(1, facts={**SCAN, "targets": 40}),
        scan(2, facts={**SCAN, "announced": True}),
        scan(3, facts={"targets": 300}),
    )
    assert {each.reason for each in (few, announced, unstated)} == {Reason.BELOW_THRESHOLD}
    assert (office.cases(), office.post(at=NOON)) == ([], [])
    assert count_by_disposition() == {Disposition.NOTHING: 3}
    assert failed_of(office.desk.editions[-1]) == [], "what nobody stated is no mistake of the edition's"


def test_a_condition_that_cannot_be_worked_out_is_on_record_counted_and_shown_and_a_person_looks(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tipstaff.web.console import reads

    office.admit("acct-1", ADDRESS)
    seen = [measured(office, scan(n, facts={**SCAN, "targets": "plenty"}), at=NOON + n * HOUR)[0] for n in (1, 2)]
    assert {(each.disposition, each.reason) for each in seen} == {(Disposition.PERSON, Reason.CONDITION_FAILED)}
    assert left_to_people(limit=9) == seen
    assert (office.cases(), office.post(at=NOON)) == ([], [])
    [entry] = [each for each in entries_about(seen[1].key) if each.what == "condition.failed"]
    assert entry.about == (seen[1].key, "condition:2026-01:network.scanning")
    assert dict(entry.detail) == {
        "edition": "2026-01", "clause": "network.scanning", "condition": "found_when",
        "why": "it compares what is not of one kind",
    }  # fmt: skip
    monkeypatch.setattr("tipstaff.wiring.editions", lambda: office.desk.editions)
    monkeypatch.setattr("tipstaff.wiring.desk", lambda: office.desk)
    [(failed, page)] = reads.inbox(NOON + DAY).failed
    assert (failed.clause, failed.times, failed.last_on) == ("network.scanning", 2, seen[1].key)
    assert page.endswith(seen[1].key)
    assert reads.inbox(NOON + 9 * DAY).failed == [], "after a week the page of the policy says it still"
    assert [each.clause for each, _ in reads.failed_conditions(office.desk.editions[-1])] == ["network.scanning"]


def test_nothing_follows_where_several_may_have_held_the_address(office: Office) -> None:
    office.admit("acct-1")
    office.admit("acct-2")
    office.hold(f"{ADDRESS}/32", customer="acct-1", kind=HoldingKind.PORT_BLOCK, ports=(1024, 2047))
    office.hold(f"{ADDRESS}/32", customer="acct-2", kind=HoldingKind.PORT_BLOCK, ports=(2048, 4095))
    no_port, with_port = measured(office, scan(1), scan(2, source_port=2100))
    assert (no_port.disposition, no_port.reason, no_port.case) == (
        Disposition.NOTHING, Reason.HOLDER_AMBIGUOUS, None,
    )  # fmt: skip
    assert case_of(office, with_port).customer == "acct-2"
    assert [letter.to for letter in office.post(at=NOON)] == ["acct-2@customer.example.com"]


def test_it_is_attributed_to_who_held_the_address_then_not_now(office: Office) -> None:
    office.admit("acct-1")
    office.admit("acct-2")
    office.hold(f"{ADDRESS}/32", customer="acct-1", until=NOON - 2 * HOUR)
    office.hold(f"{ADDRESS}/32", customer="acct-2", since=NOON - 2 * HOUR)
    [before] = measured(office, scan(1, at=NOON - 3 * HOUR))
    assert case_of(office, before).customer == "acct-1"


def test_use_of_what_nobody_was_given_is_an_engineers_matter(office: Office) -> None:
    [nobody, elsewhere] = measured(office, scan(1), scan(2, source="203.0.113.5"))
    assert (nobody.disposition, elsewhere.disposition) == (Disposition.UNASSIGNED, Disposition.NOT_OURS)
    assert "finding.unassigned_use" in [e.what for e in entries_about(nobody.key)]
    assert office.cases() == []


# What is left to a person


def engineer(office: Office) -> str:
    office.roles["eve"] = frozenset({Role.ENGINEER})
    return "eve"


def test_what_is_left_to_a_person_waits_until_the_right_one_closes_it_in_words(office: Office) -> None:
    [nobody, far] = measured(office, scan(1), scan(2, source="203.0.113.5"))
    assert (nobody.left_to_person, far.left_to_person) == (True, False)
    assert ([m.key for m in left_to_people()], count_left()) == ([nobody.key], 1)
    office.roles |= {"ann": frozenset({Role.ANALYST, Role.LEAD}), "nobody": frozenset()}
    why = "An old router of our own; it is off."
    for stranger in ("ann", "nobody"):
        with pytest.raises(NotYourDecision):
            close_left([nobody.key], why=why, desk=office.desk, at=NOON + HOUR, actor=stranger)
    close_left([nobody.key], why=why, desk=office.desk, at=NOON + HOUR, actor=engineer(office))
    done = get_measured(nobody.key)
    assert done is not None
    assert (done.done_at, done.done_by, done.done_why) == (NOON + HOUR, "eve", why)
    assert (done.disposition, done.reason) == (Disposition.UNASSIGNED, Reason.NO_HOLDER), "what was judged stays"
    assert (left_to_people(), count_left(), done.left_to_person) == ([], 0, False)
    entry = next(e for e in entries_about(nobody.key) if e.what == "sighting.done")
    assert (entry.actor, entry.detail["why"]) == ("eve", why)
    with pytest.raises(NotLeftToAPerson):
        close_left([nobody.key], why="again", desk=office.desk, at=NOON + HOUR, actor="eve")
    assert (office.cases(), office.post(at=NOON + HOUR)) == ([], [])


def test_several_are_closed_together_or_none_is(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    one, other, with_case = measured(
        office, scan(1, source="192.0.2.80"), scan(2, source="192.0.2.81"), scan(3)
    )  # fmt: skip
    eve = engineer(office)
    for wrong in (with_case.key, "S-999999"):
        with pytest.raises((NotLeftToAPerson, NoSuchSighting)):
            close_left([one.key, wrong], why="seen", desk=office.desk, at=NOON, actor=eve)
        assert count_left() == 2
    close_left([one.key, other.key], why="seen", desk=office.desk, at=NOON, actor=eve)
    assert count_left() == 0


def test_once_the_registry_is_mended_the_judge_is_asked_again_and_the_holder_of_then_is_told(office: Office) -> None:
    [seen] = measured(office, scan(at=NOON - HOUR))
    assert seen.disposition is Disposition.UNASSIGNED
    office.admit("acct-1", ADDRESS)
    judge_again([seen.key], why="The row was missing.", desk=office.desk, at=NOON + HOUR, actor=engineer(office))
    assert unjudged(limit=9) == [seen.key]
    assert office.asked[-1] == ("sightings", "all")
    judge_waiting(desk=office.desk, at=NOON + HOUR)
    again = get_measured(seen.key)
    assert again is not None
    assert (again.disposition, case_of(office, again).customer) == (Disposition.OPEN_CASE, "acct-1")
    assert [letter.to for letter in office.post(at=NOON + HOUR)] == ["acct-1@customer.example.com"]
    with pytest.raises(NotLeftToAPerson):
        judge_again([seen.key], why="once more", desk=office.desk, at=NOON + HOUR, actor="eve")


def test_one_that_the_judge_could_not_take_is_an_engineers(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.admit("acct-1", ADDRESS)

    def breaks(*_: object, **__: object) -> None:
        raise ValueError("a defect")

    with monkeypatch.context() as broken:
        broken.setattr("tipstaff.procedures.sighting.weigh_sighting", breaks)
        [seen] = measured(office, scan())
    assert (seen.left_to_person, role_for(seen)) == (True, Role.ENGINEER)
    judge_again([seen.key], why="mended", desk=office.desk, at=NOON, actor=engineer(office))
    judge_waiting(desk=office.desk, at=NOON)
    again = get_measured(seen.key)
    assert again is not None
    assert again.disposition is Disposition.OPEN_CASE


def test_without_a_representative_a_person_decides_and_nobody_is_written_to(office: Office) -> None:
    office.admit("acct-1", ADDRESS, representative=False)
    [seen] = measured(office, scan())
    assert case_of(office, seen).state is CaseState.WAITING_PERSON
    assert office.post(at=NOON) == []


def test_many_sightings_of_one_scan_are_one_case_and_one_letter(office: Office) -> None:
    office.admit("acct-1", ADDRESS, "192.0.2.78")
    seen = measured(office, *[scan(n) for n in range(9)], scan(9, source="192.0.2.78"))
    assert len({each.case for each in seen}) == 1
    [letter] = office.post(at=NOON)
    assert "192.0.2.78" in letter.body
    hand_in(office, scan(10), at=NOON + HOUR)
    assert office.post(at=NOON + HOUR) == [], "the letter has named that address already"


def left_to_a_person(office: Office, *sightings: object, at: Any) -> list[Measured]:
    """The same, while the edition leaves the clause on scanning to a person."""
    plain = office.desk
    [edition] = plain.editions
    clauses = tuple(
        dataclasses.replace(c, opens=Opens.PERSON) if c.id == "network.scanning" else c for c in edition.clauses
    )
    office.desk = dataclasses.replace(plain, editions=(dataclasses.replace(edition, clauses=clauses),))
    try:
        return measured(office, *sightings, at=at)
    finally:
        office.desk = plain


def test_what_a_person_must_decide_about_is_named_in_no_letter_before(office: Office) -> None:
    office.admit("acct-1", ADDRESS, "192.0.2.78", "192.0.2.79")
    [seen] = measured(office, scan(1, source="192.0.2.79"))
    case = case_of(office, seen)
    office.post(at=NOON)
    [left] = left_to_a_person(office, scan(2, source="192.0.2.78"), at=NOON + HOUR)
    assert (left.disposition, left.case) == (Disposition.PERSON, case.key)
    assert office.post(at=NOON + HOUR) == []
    measured(office, scan(3), at=NOON + HOUR)
    [letter] = office.post(at=NOON + HOUR)
    assert ADDRESS in letter.body
    assert "192.0.2.78" not in letter.body
    assert told_incidents(case.key)[left.key] is None
    office.deadlines(at=NOON + 2 * DAY)
    assert {str(m.selector) for m in office.measures(case)} == {ADDRESS, "192.0.2.79"}


def test_nor_in_one_about_a_complaint_that_joins_its_case(office: Office) -> None:
    office.admit("acct-1", ADDRESS, "192.0.2.78", "192.0.2.79")
    [seen] = measured(office, scan(1, source="192.0.2.79"))
    office.post(at=NOON)
    [left] = left_to_a_person(office, scan(2, source="192.0.2.78"), at=NOON + HOUR)
    assert left.case == seen.case
    assert office.case_of(port_scan_mail(office, at=NOON + HOUR)).key == seen.case
    [letter] = [x for x in office.post(at=NOON + HOUR) if x.kind is LetterKind.NOTICE]
    assert ADDRESS in letter.body
    assert "192.0.2.78" not in letter.body


def test_what_a_person_has_let_be_told_is_told_again_when_its_letter_was_held_too_long(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    office.desk = dataclasses.replace(office.desk, mail_out_ready=False)
    [left] = left_to_a_person(office, scan(1), at=NOON)
    case = case_of(office, left)
    assert case.state is CaseState.WAITING_PERSON
    casework.decide_waiting(
        case.key, go_ahead=True, why="It is theirs.", version=case.version, desk=office.desk, at=NOON, actor="lena"
    )
    office.desk = dataclasses.replace(office.desk, mail_out_ready=True)
    posting.post_letters(desk=office.desk, post_next=lambda: None, now=lambda: NOON + 2 * DAY)
    [letter] = office.post(at=NOON + 2 * DAY)
    assert (letter.kind, told_incidents(case.key)) == (LetterKind.NOTICE, {left.key: letter.key})
    assert ADDRESS in letter.body


# The door


def test_handing_in_the_same_again_changes_nothing(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    first = hand_in(office, scan(1), scan(2))
    again = hand_in(office, scan(2), scan(1), at=NOON + HOUR)
    assert (len(first.taken), first.known) == (2, 0)
    assert (again.taken, again.known, again.refused) == ((), 2, ())
    assert len(office.cases()) == 1
    assert len(office.post(at=NOON)) == 1


def test_a_line_that_is_no_sighting_is_refused_with_its_reason_and_the_others_stand(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    hand_in(office, scan(1))
    raw = b"\n".join(
        (
            b"not json", lines(scan(2)), b"", lines({**scan(3), "at": "2026-05-04T11:00:00"}),
            lines({**scan(4), "source": "192.0.2.999"}), lines({**scan(5), "kind": "flows.unheard_of"}),
            lines({**scan(6), "colour": "blue"}), lines({**scan(1), "source": "192.0.2.78"}),
            lines({**scan(7), "type": "flows/scan"}), b'{"facts": NaN}',
        )
    )  # fmt: skip
    taken = take(raw, sensor="flows-1", desk=office.desk, at=NOON, actor="tests")
    assert len(taken.taken) == 1
    assert [(r.line, r.why) for r in taken.refused] == [
        (1, "It is no JSON."),
        (4, "at '2026-05-04T11:00:00' states no zone."),
        (5, "source '192.0.2.999' is no address."),
        (6, "no clause of any edition takes findings of 'flows.unheard_of'."),
        (7, "'colour' is no part of a sighting."),
        (8, "flows-1 gave the id 'scan-1' to something else before."),
        (9, "type 'flows/scan' is no XARF type that a sensor may name."),
        (10, "kind is missing."),
    ]
    assert get_raw(taken.evidence) == raw, "it is kept as it came"


def test_what_belongs_in_the_sealed_queue_is_not_kept_as_a_measurement(office: Office) -> None:
    with pytest.raises(NotTelemetry):
        hand_in(office, scan(1, excerpt="the URL https://www.example.net/x hosts child sexual abuse material"))
    assert count_by_disposition() == {}


def test_a_sensor_cannot_speak_in_anothers_name(office: Office) -> None:
    taken = take(
        lines(scan(1, sensor="flows-2")), sensor="flows-1", only="flows-1", desk=office.desk, at=NOON, actor="tests"
    )
    assert [r.why for r in taken.refused] == ["flows-1 cannot hand in for the sensor 'flows-2'."]


def test_a_worker_that_dies_between_judging_and_telling_leaves_nothing_untold(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.admit("acct-1", ADDRESS)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    take(lines(scan(1)), sensor="flows-1", desk=office.desk, at=NOON, actor="tests")
    with monkeypatch.context() as dying:
        dying.setattr("tipstaff.procedures.sighting.tell_untold", die)
        with pytest.raises(KeyboardInterrupt):
            judge_waiting(desk=office.desk, at=NOON)
    assert (unjudged(limit=9), office.post(at=NOON)) == ([], [])
    judge_waiting(desk=office.desk, at=NOON)
    assert len(office.post(at=NOON)) == 1


# With complaints


def port_scan_mail(office: Office, *, at: Any, happened: Any = NOON - HOUR) -> Any:
    watchful = {"org": "Watchful", "contact": "watch-1@reporter-1.example.org", "domain": "reporter-1.example.org"}
    report = {
        "xarf_version": "4.2.0", "report_id": "b8f2c1de-0000-4000-8000-000000000001", "timestamp": happened.isoformat(),
        "reporter": watchful, "sender": watchful,
        "source_identifier": ADDRESS, "category": "connection", "type": "port_scan", "protocol": "tcp",
        "evidence_source": "honeypot", "first_seen": happened.isoformat(), "destination_ip": "203.0.113.7",
    }  # fmt: skip
    from tipstaff.intake.forms.wrapped import mail_of

    raw = mail_of(
        json.dumps(report).encode(), content_type="application/json", filename="xarf.json",
        sender="Watchful <watch-1@reporter-1.example.org>", subject="XARF report",
    )  # fmt: skip
    return office.take_in(raw, at=at, sender="watch-1@reporter-1.example.org")


def judged(key: str) -> Any:
    return next(e.detail for e in entries_about(key) if e.what == "incident.judged")


def test_a_complaint_about_the_same_joins_the_case_and_is_believed_because_we_saw_it(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    [seen] = measured(office, scan())
    report = port_scan_mail(office, at=NOON + HOUR)
    assert office.case_of(report).key == seen.case
    facts = judged(report.key)
    assert (facts["evidence"], "corroborated" in facts["basis"], "spoofable" in facts["basis"]) == (
        "corroborated", True, False,
    )  # fmt: skip
    assert office.fresh(seen.case or "").reports == 1


@pytest.mark.parametrize(
    "unlike",
    [{"at": NOON - 9 * HOUR}, {"facts": {**SCAN, "targets": 9}}, {"source": "192.0.2.78"}, {"protocol": "udp"}],
)
def test_what_we_saw_of_something_else_bears_nothing_out(office: Office, unlike: dict[str, Any]) -> None:
    office.admit("acct-1", ADDRESS, "192.0.2.78")
    measured(office, scan(**unlike))
    assert judged(port_scan_mail(office, at=NOON + HOUR).key)["evidence"] == "spoofable"


def test_a_sighting_after_the_complaint_joins_its_case_and_the_desk_sees_that_they_agree(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    report = port_scan_mail(office, at=NOON)
    [seen] = measured(office, scan())
    case = office.case_of(report)
    assert (seen.case, seen.reason) == (case.key, "JOINED")
    assert f"{seen.key} (flows.scan) saw the same as {report.key}.1" in notes_of(case.key)[0].text
    assert case.decides is not None, "what was judged stays judged: a person sees that the doubt is gone"


# On record


def test_its_trace_leads_to_its_case_and_to_no_other_sighting_of_the_delivery(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    office.admit("acct-2", "192.0.2.78")
    one, other = measured(office, scan(1), scan(2, source="192.0.2.78"))
    about = {key for entry in trace(one.key) for key in entry.about}
    assert {one.key, one.case} <= about
    assert not {other.key, other.case, "acct-2"} & about
    whats = [entry.what for entry in trace(one.case or "")]
    assert "incident.judged" in whats
    [reasons] = reasons_for_court([one], desk=office.desk)
    assert "The operator measured it; it rests on no report." in reasons.sentences


def test_the_edition_in_the_shadow_is_asked_about_sightings_too(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    [edition] = office.desk.editions
    without = dataclasses.replace(
        edition, id="2027-01", clauses=tuple(c for c in edition.clauses if c.id != "network.scanning")
    )
    shadow = Shadow(edition=without)
    office.desk = dataclasses.replace(office.desk, shadow=shadow)
    [seen] = measured(office, scan())
    found = disagreements(shadow, limit=9)
    assert (found.judged, found.different) == (1, 1)
    assert [(d.incident, d.clause_before, d.clause_after) for d in found.newest] == [(seen.key, "network.scanning", "")]


def test_a_replay_judges_sightings_as_they_were_judged_and_otherwise_where_a_threshold_moved(office: Office) -> None:
    from tipstaff.policy.conditions import read_condition

    office.admit("acct-1", ADDRESS)
    measured(office, scan(1), scan(2, facts={**SCAN, "targets": 1000}), scan(3, facts={**SCAN, "targets": 9}))
    [edition] = office.desk.editions
    span = {"since": NOON - HOUR, "until": NOON + HOUR, "desk": office.desk, "at": NOON + HOUR}
    same = replay_past(edition, **span)
    assert (same.judged, same.different, same.not_reproduced, same.not_kept) == (3, 0, 0, 0)
    higher = dataclasses.replace(
        edition,
        id="2027-01",
        clauses=tuple(
            dataclasses.replace(c, found_when=read_condition("facts.targets >= 500"))
            if c.id == "network.scanning"
            else c
            for c in edition.clauses
        ),
    )
    tally = replay_past(higher, **span)
    assert (tally.judged, tally.different) == (3, 1)
    assert tally.listed[0].before.clause == "network.scanning"
    assert tally.listed[0].after.reason is Reason.BELOW_THRESHOLD


# Whatever is handed in


texts = st.text(max_size=12)
numbers = st.integers(-(2**70), 2**70) | st.floats()
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(texts, x, max_size=3),
)


@st.composite
def deliveries(draw: st.DrawFn) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for n in range(draw(st.integers(1, 4))):
        one = draw(st.sampled_from([scan, flood]))(draw(st.integers(1, 3)))
        for key in draw(st.sets(st.sampled_from([*one, "url", "target", "source_port", "error_seconds"]), max_size=3)):
            one[key] = draw(anything)
        one["source"] = draw(st.sampled_from([ADDRESS, "192.0.2.78", "192.0.2.79", "203.0.113.9", one["source"]]))
        one["at"] = draw(
            st.sampled_from([(NOON + timedelta(hours=n)).isoformat() for n in (-9999, -30, -1, 1)]) | st.just(one["at"])
        )
        made.append(one)
    return made


@given(deliveries())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_handed_in_nobody_is_told_who_was_not_surely_named(office: Office, given_in: list[object]) -> None:
    from django.db import transaction

    with transaction.atomic():
        if not office.cases() and not office.roles:
            office.roles["ready"] = frozenset()
            office.admit("acct-1", ADDRESS)
            office.admit("acct-2")
            office.hold("192.0.2.78/32", customer="acct-2", kind=HoldingKind.PORT_BLOCK, ports=(1024, 2047))
            office.hold("192.0.2.78/32", customer="acct-1", kind=HoldingKind.PORT_BLOCK, ports=(2048, 4095))
    before = count_by_disposition()
    try:
        seen = measured(office, *given_in)
    except NotTelemetry:  # A text may say by chance what only the sealed queue may hold: then nothing was kept.
        assert count_by_disposition() == before
        return
    assert unjudged(limit=9) == []
    for each in seen:
        entry = judged(each.key)
        named = entry["customer"] is not None and entry["grade"] in ("confirmed", "probable")
        assert named or each.case is None
        assert (each.case is None) or entry["clause"] is not None
        assert each.disposition is not Disposition.ASK_COMPLAINANT
        if each.disposition is Disposition.OPEN_CASE:
            assert named
            assert entry["edition"] == office.desk.editions[0].id
            assert each.sighting.moment.earliest >= office.desk.editions[0].effective_at
    for case in office.cases():
        assert list(office.measures(case)) == []
