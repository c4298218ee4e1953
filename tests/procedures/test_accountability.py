"""A customer's own check: only of those who asked, of what is known, again and again, and judged like any finding."""

import dataclasses

import pytest

from tests.procedures.office import DAY, HOUR, MOVED_IN, NOON, Office
from tests.procedures.test_detecting import case_under
from tipstaff.cases.models import CaseRow
from tipstaff.cases.queries import list_cases
from tipstaff.ledger.operations import record
from tipstaff.ledger.queries import entries_about
from tipstaff.notices.queries import cases_told
from tipstaff.procedures.accountability import (
    NotAskedFor,
    ask_for,
    check,
    come_round,
    declare,
    last_of,
    register,
)
from tipstaff.procedures.books import hand_in
from tipstaff.procedures.complaint import seal_by_hand
from tipstaff.procedures.sighting import judge_waiting
from tipstaff.registry.operations import UnknownKey, designate
from tipstaff.words import AuditFound, AuditPoint, Case, CaseState, Degree, Representative, Role

LOGS, KNOWN, READ, TOLD = (
    AuditPoint.USE_RECORDED,
    AuditPoint.USERS_KNOWN,
    AuditPoint.COMPLAINTS_READ,
    AuditPoint.USERS_TOLD,
)
BAD = {LOGS: False, KNOWN: False, READ: False, TOLD: False}
GOOD = dict.fromkeys(BAD, True)


def asking(office: Office, key: str = "acct-1") -> None:
    office.admit(key)
    ask_for(key, wanted=True, shown_by="Their mail.", at=NOON, actor="ana")


def test_a_customer_who_asked_and_fails_half_gets_a_month_and_an_analyst_decides(office: Office) -> None:
    asking(office)
    declare("acct-1", BAD, at=NOON, actor="customer")
    audit = check("acct-1", desk=office.desk, at=NOON, actor="ana")
    assert (audit.known, audit.score_percent) == (6, 16)
    assert audit.points[AuditPoint.CONTACT] is AuditFound.MET
    assert audit.points[AuditPoint.MAIL_PEER] is AuditFound.UNKNOWN
    judge_waiting(desk=office.desk, at=NOON)
    case = case_under("duty.accountability")
    assert (case.customer, case.decides) == ("acct-1", Role.ANALYST)
    [letter] = office.post(at=NOON)
    assert "use recorded" in letter.body
    assert office.fresh(case.key).due_at == NOON + 30 * DAY
    office.deadlines(at=NOON + 31 * DAY)
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON, "no clock limits anybody's account"
    assert max(rung.degree for rung in case.ladder) is Degree.SUSPEND


def test_what_is_mostly_met_or_little_known_accuses_nobody(office: Office) -> None:
    asking(office)
    assert check("acct-1", desk=office.desk, at=NOON, actor="ana").score_percent is None, "two points are no score"
    declare("acct-1", {**GOOD, LOGS: False}, at=NOON, actor="customer")
    assert check("acct-1", desk=office.desk, at=NOON + HOUR, actor="ana").score_percent == 66
    judge_waiting(desk=office.desk, at=NOON + HOUR)
    assert list_cases(limit=10) == []


def test_the_check_comes_round_by_itself_and_only_for_those_who_asked(office: Office) -> None:
    asking(office)
    asking(office, "acct-2")
    office.admit("acct-3")
    assert [audit.customer for audit in come_round(desk=office.desk, at=NOON)] == ["acct-1", "acct-2"]
    assert come_round(desk=office.desk, at=NOON + 29 * DAY) == []
    ask_for("acct-2", wanted=False, shown_by="Their mail.", at=NOON + DAY, actor="ana")
    assert [audit.customer for audit in come_round(desk=office.desk, at=NOON + 30 * DAY)] == ["acct-1"]
    assert [entry.what for entry in entries_about("acct-1")].count("accountability.checked") == 2
    for customer, error in (("acct-2", NotAskedFor), ("acct-3", NotAskedFor), ("acct-9", UnknownKey)):
        with pytest.raises(error):
            check(customer, desk=office.desk, at=NOON + 31 * DAY, actor="ana")
    assert come_round(desk=office.desk, at=NOON + 400 * DAY) == [], "what was asked for a year has ended"


def test_the_edition_says_how_often_it_comes_round(office: Office) -> None:
    [edition] = office.desk.editions
    clocks = tuple(
        dataclasses.replace(c, amount=7) if c.id == "accountability.every" else c for c in edition.clocks
    )  # fmt: skip
    office.desk = dataclasses.replace(office.desk, editions=(dataclasses.replace(edition, clocks=clocks),))
    asking(office)
    come_round(desk=office.desk, at=NOON)
    assert len(come_round(desk=office.desk, at=NOON + 7 * DAY)) == 1


def test_our_own_records_count_beside_what_they_say(office: Office) -> None:
    asking(office)
    two = [Representative(name=f"Desk {n}", email=f"desk{n}@customer.example.com") for n in (1, 2)]
    designate("acct-1", two, at=MOVED_IN, actor="import")
    for n, (kind, fact) in enumerate(
        [("probe.mail_peer", {"peer_noted": True}), ("probe.mail_peer", {"peer_noted": False}),
         ("probe.usenet_path", {"truthful_path": True})]
    ):  # fmt: skip
        hand_in(kind, id=f"p{n}", account="acct-1", shown="x", desk=office.desk, at=NOON, opted_in=True,
                happened_at=NOON + n * HOUR, **fact)  # fmt: skip
    points = check("acct-1", desk=office.desk, at=NOON + DAY, actor="ana").points
    assert points[AuditPoint.SECOND_CONTACT] is AuditFound.MET
    assert points[AuditPoint.MAIL_PEER] is AuditFound.NOT_MET, "the newest counts"
    assert points[AuditPoint.USENET_PATH] is AuditFound.MET
    assert points[AuditPoint.MAIL_HEADERS] is AuditFound.UNKNOWN
    later = check("acct-1", desk=office.desk, at=NOON + 366 * DAY - HOUR, actor="ana").points
    assert later[AuditPoint.MAIL_PEER] is AuditFound.UNKNOWN, "a year later it shows nothing"


def test_an_unanswered_letter_shows_in_the_check(office: Office) -> None:
    office.admit("acct-1", "192.0.2.10")
    ask_for("acct-1", wanted=True, shown_by="Their mail.", at=NOON, actor="ana")
    case = office.warned("192.0.2.10", at=NOON)
    assert check("acct-1", desk=office.desk, at=NOON, actor="ana").points[AuditPoint.ANSWERS] is AuditFound.MET
    assert case.due_at is not None
    office.deadlines(at=case.due_at)
    points = check("acct-1", desk=office.desk, at=case.due_at, actor="ana").points
    assert points[AuditPoint.ANSWERS] is AuditFound.NOT_MET


def test_what_the_customer_was_not_told_of_or_is_sealed_shows_in_no_check(office: Office) -> None:
    """They read it: a count of what waits for a person or counsel would warn whom it is about."""
    office.admit("acct-1", "192.0.2.10")
    ask_for("acct-1", wanted=True, shown_by="Their mail.", at=NOON, actor="ana")
    report = office.complain("192.0.2.10", at=NOON + HOUR)
    untold = office.case_of(report)
    assert (untold.customer, told(untold)) == ("acct-1", False)
    assert checked(office) == checked(office, but=untold), "never told"
    record("case.overdue", at=NOON + HOUR, actor="tests", about=[untold.key])
    assert checked(office) == checked(office, but=untold), "nor late, whatever the record says"
    office.post(at=NOON + HOUR)
    assert told(untold)
    assert checked(office)[AuditPoint.ANSWERS] is AuditFound.NOT_MET, "told of, it counts"
    seal_by_hand(report.key, desk=office.desk, at=NOON + HOUR, actor="ana")
    assert checked(office) == checked(office, but=untold), "sealed, it is as if it had never been"


def told(case: Case) -> bool:
    return bool(cases_told([case.key]))


def checked(office: Office, *, but: Case | None = None) -> dict[AuditPoint, AuditFound]:
    """What a check finds and puts on record; as if one case were not theirs."""
    if but is not None:
        CaseRow.objects.filter(key=but.key).update(customer="acct-9")
    found = check("acct-1", desk=office.desk, at=NOON + HOUR, actor="ana").points
    if but is not None:
        CaseRow.objects.filter(key=but.key).update(customer="acct-1")
    assert (last := last_of("acct-1")) is not None
    assert last.points == found
    return dict(found)


def test_the_register_shows_who_asked_the_lowest_first(office: Office) -> None:
    for key, said in (("acct-1", GOOD), ("acct-2", BAD)):
        asking(office, key)
        declare(key, said, at=NOON, actor="customer")
        check(key, desk=office.desk, at=NOON, actor="ana")
    asking(office, "acct-3")
    assert [key for key, _ in register(at=NOON)] == ["acct-3", "acct-2", "acct-1"]
    declare("acct-1", {LOGS: False, AuditPoint.CONTACT: False}, at=NOON, actor="customer")
    check("acct-1", desk=office.desk, at=NOON + DAY, actor="ana")
    last = last_of("acct-1")
    assert last is not None
    assert last.points[LOGS] is AuditFound.NOT_MET
    assert last.points[KNOWN] is AuditFound.MET, "what was said before stays"
    assert last.points[AuditPoint.CONTACT] is AuditFound.MET, "what our records show is not theirs to say"
