"""What a notice shows of its form stands on its case, for counsel to read, with the moment from which we know of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.procedures.office import DAY, HOUR, NOON, Office
from tests.procedures.test_every_clause import NAME, alleged, host, read_as
from tests.rooms.legal.test_legal_form import COUNTER, DMCA, REMOVAL
from tipstaff.cases.queries import notes_of
from tipstaff.ledger.queries import entries_about
from tipstaff.policy import Deadline, deadline, shipped_editions
from tipstaff.procedures import complaint, harbour
from tipstaff.procedures.agent import NotADesignation, agent_at, designate
from tipstaff.procedures.refusals import NotYourDecision
from tipstaff.words import CaseState, Role

EDITION = shipped_editions()[-1]
SECOND = timedelta(seconds=1)
FORMED = [clause for clause in EDITION.clauses if clause.legal_form is not None]


def test_every_clause_whose_form_is_checked_names_it() -> None:
    from tipstaff.policy.clauses import AutoStep

    checked = {c.id for c in EDITION.clauses if AutoStep.CHECK_FORM in c.automatic and c.judged}
    assert {clause.id for clause in FORMED} == checked


@pytest.mark.parametrize("whole", [True, False])
def test_what_a_notice_shows_of_its_form_is_put_on_the_case(office: Office, whole: bool) -> None:
    office.admit("acct-1", "198.51.100.7")
    host(NAME)
    clause = EDITION.clause("copyright.hosted")
    words = DMCA if whole else DMCA.replace("penalty of perjury", "")
    report = read_as(office, alleged(clause, clause.applies_to[0]), of_person=False, words=words)
    case = office.case_of(report)
    [note] = notes_of(case.key)
    [checked] = [entry for entry in entries_about(report.key) if entry.what == "notice.form_checked"]
    assert checked.detail["known_since"] == NOON.isoformat()
    assert case.key in checked.about
    if whole:
        assert checked.detail["not_found"] == []
        assert "Not found" not in note.text
    else:
        assert "Not found: accuracy and authority, under penalty of perjury (17 U.S.C. 512(c)(3)(A)(vi))" in note.text
    assert "We know of it since 2026-05-04 12:00 UTC" in note.text
    complaint.decide(office.report(report.key), desk=office.desk, at=NOON)
    assert notes_of(case.key) == [note], "once for each report"


def test_a_removal_orders_hour_stands_on_the_case_that_waits_for_counsel(office: Office) -> None:
    office.admit("acct-1", "198.51.100.7")
    host(NAME)
    clause = EDITION.clause("content.terror_and_hatred")
    named = alleged(clause, "unknown/unknown", cited=clause.id)
    case = office.case_of(read_as(office, named, of_person=False, words=REMOVAL))
    [note] = notes_of(case.key)
    assert case.state is CaseState.WAITING_PERSON
    assert "terror.remove (Regulation (EU) 2021/784, Article 3(3)) ends 2026-05-04 13:00 UTC" in note.text


def test_a_clause_without_a_form_has_no_such_note(office: Office) -> None:
    office.admit("acct-1", "198.51.100.7")
    host(NAME)
    clause = EDITION.clause("content.malware")
    report = read_as(office, alleged(clause, clause.applies_to[0]), of_person=False, words=DMCA)
    assert notes_of(office.case_of(report).key) == []


# The agent for notices

AGENT = {"name": "Notices Desk", "address": "1 Example Street", "phone": "+1 555 0100", "email": "dmca@example.net"}


@pytest.mark.parametrize("lacks", ["name", "address", "phone", "email"])
def test_a_designation_that_lacks_what_the_law_asks_for_is_refused(office: Office, lacks: str) -> None:
    with pytest.raises(NotADesignation, match=lacks):
        designate({**AGENT, lacks: " "}, entered_at=NOON, desk=office.desk, at=NOON, actor="counsel")
    office.roles["anna"] = frozenset({Role.ANALYST})
    with pytest.raises(NotYourDecision):
        designate(AGENT, entered_at=NOON, desk=office.desk, at=NOON, actor="anna")
    assert agent_at(desk=office.desk, at=NOON) is None


def test_an_entry_lapses_after_its_three_years_and_stands_again_when_renewed(office: Office) -> None:
    designate(AGENT, entered_at=NOON, desk=office.desk, at=NOON, actor="counsel")
    named = agent_at(desk=office.desk, at=NOON + 1000 * DAY)
    assert named is not None
    assert named.stands
    assert named.lapses_at is not None
    assert named.lapses_at.isoformat() == "2029-05-05T00:00:00+00:00", "with the end of its last day"
    abroad = agent_at(desk=replace(office.desk, zone="America/New_York"), at=NOON)
    assert abroad is not None
    assert str(abroad.lapses_at) == "2029-05-05 04:00:00+00:00", "with the end of that day where we are"
    lapsed = agent_at(desk=office.desk, at=NOON + 1100 * DAY)
    assert lapsed is not None
    assert not lapsed.stands
    renewed = NOON + 1100 * DAY
    designate(AGENT, entered_at=renewed, desk=office.desk, at=renewed, actor="counsel")
    again = agent_at(desk=office.desk, at=renewed)
    assert again is not None
    assert again.stands


def note_all(office: Office, *, but: str = "", until: datetime = NOON + 90 * DAY) -> None:
    for condition in harbour.CONDITIONS:
        if condition != harbour.FROM_BOOKS:
            harbour.note(condition, met=condition != but, shown_by="A memo.", until=until, desk=office.desk, at=NOON,
                         actor="carla")  # fmt: skip


def name_agent(office: Office) -> None:
    stated = {"name": "Notices Desk", "address": "1 Example Street", "phone": "+1 555 0100", "email": "a@example.net"}
    designate(stated, entered_at=NOON - DAY, desk=office.desk, at=NOON, actor="carla")


@pytest.mark.parametrize("lacks", ["", "takedown", harbour.FROM_BOOKS])
def test_the_limit_is_relied_on_only_while_every_condition_is_met(office: Office, lacks: str) -> None:
    office.roles = {"carla": frozenset({Role.COUNSEL}), "lena": frozenset({Role.LEAD})}
    note_all(office, but=lacks)
    if lacks != harbour.FROM_BOOKS:
        name_agent(office)
    clause, lacking = harbour.rely(on="C-000001", desk=office.desk, at=NOON, actor="carla")
    assert [each.id for each in lacking] == ([lacks] if lacks else [])
    assert clause == ("" if lacks else "copyright.safe_harbour")
    [asked] = [entry for entry in entries_about("harbour") if entry.what == "harbour.questioned"]
    assert (asked.detail["under"], asked.detail["lacking"]) == (clause or None, [lacks] if lacks else [])
    assert all("A memo." not in str(entry.detail) for entry in entries_about("harbour")), "colleagues read the record"
    with pytest.raises(NotYourDecision):
        harbour.rely(on="C-000001", desk=office.desk, at=NOON, actor="lena")
    with pytest.raises(NotYourDecision):
        harbour.conditions(desk=office.desk, at=NOON, actor="lena")


def test_a_condition_lapses_when_nobody_looks_at_it_again(office: Office) -> None:
    note_all(office, until=NOON + DAY)
    name_agent(office)
    assert harbour.rely(on="it", desk=office.desk, at=NOON + DAY - SECOND, actor="carla")[1] == []
    late = harbour.rely(on="it", desk=office.desk, at=NOON + DAY, actor="carla")
    assert (late[0], len(late[1])) == ("", len(harbour.CONDITIONS) - 1)
    for wrong in (
        {"condition": "luck"}, {"condition": harbour.FROM_BOOKS}, {"shown_by": " "}, {"until": NOON},
    ):  # fmt: skip
        stated = {"condition": "takedown", "shown_by": "x", "until": NOON + DAY} | wrong
        condition = str(stated.pop("condition"))
        with pytest.raises(harbour.NotACondition):
            harbour.note(condition, met=True, desk=office.desk, at=NOON, actor="carla", **stated)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("whole", [True, False])
def test_a_counter_notice_is_looked_at_and_its_window_stands_on_the_case(office: Office, whole: bool) -> None:
    office.admit("acct-1", "198.51.100.7")
    host(NAME)
    clause = EDITION.clause("copyright.hosted")
    case = office.case_of(read_as(office, alleged(clause, clause.applies_to[0]), of_person=False, words=DMCA))
    before = len(notes_of(case.key))
    with pytest.raises(harbour.NotACondition):
        harbour.take_counter_notice(
            case.key, b"", received_at=datetime.max.replace(tzinfo=UTC), desk=office.desk, at=NOON, actor="carla"
        )
    text = (COUNTER if whole else COUNTER.replace("jurisdiction", "beauty")).encode()
    lacking, window = harbour.take_counter_notice(
        case.key, text, received_at=NOON, desk=office.desk, at=NOON + DAY, actor="carla"
    )
    assert lacking == ([] if whole else ["the consent to a court's jurisdiction (17 U.S.C. 512(g)(3)(D))"])
    assert window == deadline(EDITION.clock(harbour.RESTORE), at=NOON), "from when it came, in business days"
    assert len(notes_of(case.key)) == before + 1
    [note] = [one for one in notes_of(case.key) if "counter-notice came" in one.text]
    assert f"before {window.by:%Y-%m-%d %H:%M} UTC" in note.text
    assert ("Not found" in note.text) is not whole
    [entry] = [e for e in entries_about(case.key) if e.what == "notice.counter_notice"]
    assert entry.detail["not_found"] == lacking


@pytest.mark.parametrize(
    ("zone", "received_at", "opens", "ends"),
    [
        ("America/Los_Angeles", NOON, datetime(2026, 5, 18, 7, tzinfo=UTC), datetime(2026, 5, 23, 7, tzinfo=UTC)),
        # Still Monday there. The claimant, who may live further east, has its ten days all the same.
        (
            "America/Los_Angeles", NOON + 14 * HOUR,
            datetime(2026, 5, 19, tzinfo=UTC), datetime(2026, 5, 23, 7, tzinfo=UTC),
        ),
        ("Asia/Tokyo", NOON, datetime(2026, 5, 18, tzinfo=UTC), datetime(2026, 5, 22, 15, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_the_window_of_a_counter_notice_is_counted_where_the_customer_lives(
    office: Office, zone: str, received_at: datetime, opens: datetime, ends: datetime
) -> None:
    office.admit("acct-1", "198.51.100.7", timezone=zone)
    host(NAME)
    clause = EDITION.clause("copyright.hosted")
    case = office.case_of(read_as(office, alleged(clause, clause.applies_to[0]), of_person=False, words=DMCA))
    _, window = harbour.take_counter_notice(
        case.key, COUNTER.encode(), received_at=received_at, desk=office.desk, at=NOON + DAY, actor="carla"
    )
    assert window == Deadline(not_before=opens, by=ends)
    [note] = [one for one in notes_of(case.key) if "counter-notice came" in one.text]
    assert f"from {opens:%Y-%m-%d %H:%M} UTC on and before {ends:%Y-%m-%d %H:%M} UTC" in note.text


def test_a_window_of_one_day_is_open_also_where_that_day_is_over_before_the_claimants(office: Office) -> None:
    office.admit("acct-1", "198.51.100.7", timezone="America/Los_Angeles")
    host(NAME)
    clause = EDITION.clause("copyright.hosted")
    case = office.case_of(read_as(office, alleged(clause, clause.applies_to[0]), of_person=False, words=DMCA))
    [edition] = office.desk.editions
    clocks = tuple(replace(c, not_before=c.amount) if c.id == harbour.RESTORE else c for c in edition.clocks)
    desk = replace(office.desk, editions=(replace(edition, clocks=clocks),))
    _, window = harbour.take_counter_notice(
        case.key, COUNTER.encode(), received_at=NOON + 14 * HOUR, desk=desk, at=NOON + DAY, actor="carla"
    )
    assert window == Deadline(not_before=datetime(2026, 5, 26, tzinfo=UTC), by=datetime(2026, 5, 27, tzinfo=UTC)), (
        "a Friday there, and the Tuesday after Memorial Day in UTC"
    )
