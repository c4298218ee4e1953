"""A letter that comes back warned nobody; one that went to a staging address neither."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter
from tipstaff.cases.models import CaseRow
from tipstaff.cases.operations import mark_told
from tipstaff.cases.queries import told_incidents
from tipstaff.intake.queries import reports_of_case
from tipstaff.notices.compose import Draft
from tipstaff.notices.letters import languages
from tipstaff.notices.models import LetterRow
from tipstaff.notices.operations import claim_letter, mark_handing_over, mark_sent, queue_letter
from tipstaff.notices.queries import get_letter
from tipstaff.notices.returned import read_returned
from tipstaff.procedures import other_ways, posting, returned
from tipstaff.procedures.casework import prolong_measure
from tipstaff.procedures.letters import warned_by
from tipstaff.procedures.suspension import NotWarned
from tipstaff.registry.operations import designate
from tipstaff.registry.queries import representatives_of
from tipstaff.words import Case, CaseState, Letter, LetterKind, LetterState, MeasureState

ADDRESS = "192.0.2.7"
CUSTOMER = "acct-1@customer.example.com"


@pytest.fixture
def office(transactional_db: None) -> Office:
    made = Office()
    made.admit("acct-1", ADDRESS + "/32")
    return made


def report_of(letter: Letter, *, action: str = "failed", status: str = "5.1.1", message_id: str = "") -> bytes:
    """A delivery report after RFC 3464, as a mail system writes it."""
    return f"""From: MAILER-DAEMON@mail.customer.example.com
To: abuse@operator.example.net
Subject: Undelivered Mail Returned to Sender
Message-ID: <{action}{status}@mail.customer.example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I could not deliver your mail.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.customer.example.com

Final-Recipient: rfc822; {letter.to}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} No such user here

--b
Content-Type: text/rfc822-headers

From: abuse@operator.example.net
To: {letter.to}
Message-ID: {message_id or letter.message_id}

--b--
""".replace("\n", "\r\n").encode()


def notice_of(office: Office) -> Letter:
    office.complain(ADDRESS, at=NOON)
    office.post(at=NOON)
    return next(letter for letter in office.letters_to(CUSTOMER) if letter.kind is LetterKind.NOTICE)


def test_a_notice_that_came_back_is_no_warning_and_its_case_waits_for_a_person(office: Office) -> None:
    letter = notice_of(office)
    [case] = office.cases()
    assert warned_by(case.key) == letter.key
    came = office.take_in(report_of(letter), at=NOON + HOUR, sender="")
    returned.take_back(came.key, desk=office.desk, at=NOON + HOUR)
    found = get_letter(letter.key)
    assert found is not None
    assert found.state is LetterState.RETURNED
    assert "came back" in found.detail
    assert warned_by(case.key) is None
    waiting = office.fresh(case.key)
    assert waiting.state is CaseState.WAITING_PERSON
    assert case.due_at is not None
    office.deadlines(at=case.due_at + HOUR)
    assert office.measures(case) == []


def test_a_measure_whose_warning_came_back_is_prolonged_by_nobody(office: Office) -> None:
    case = office.measured(ADDRESS, at=NOON)
    [measure] = office.measures(case)
    assert measure.in_force_at is not None
    at, warning = measure.in_force_at + HOUR, get_letter(measure.notice or "")
    assert warning is not None
    prolong_measure(measure.key, why="It goes on.", desk=office.desk, at=at, actor="eva")
    came = office.take_in(report_of(warning), at=at, sender="")
    returned.take_back(came.key, desk=office.desk, at=at)
    with pytest.raises(NotWarned):
        prolong_measure(measure.key, why="It goes on.", desk=office.desk, at=at, actor="eva")
    [still] = office.measures(case)
    assert still.state is MeasureState.IN_FORCE, "whoever had the letter could forge that it came back"


@pytest.mark.parametrize(
    "changes",
    [{"action": "delayed"}, {"status": "4.2.2"}, {"message_id": "<L-000001.000000000000@operator.example.net>"}],
)
def test_what_only_waits_or_names_no_letter_of_ours_changes_nothing(office: Office, changes: dict[str, str]) -> None:
    letter = notice_of(office)
    came = office.take_in(report_of(letter, **changes), at=NOON + HOUR, sender="")
    returned.take_back(came.key, desk=office.desk, at=NOON + HOUR)
    found = get_letter(letter.key)
    assert found is not None
    assert found.state is LetterState.SENT
    assert office.cases()[0].state is CaseState.NOTIFIED


def test_a_letter_to_a_staging_address_starts_no_clock(office: Office) -> None:
    office.complain(ADDRESS, at=NOON)
    while (letter := claim_letter(at=NOON, worker="w", domain="operator.example.net")) is not None:
        mark_handing_over(letter.key, at=NOON, worker="w")
        mark_sent(
            letter.key, at=NOON, reply="250", worker="w", on_sent=office.start_clock_of, diverted=True
        )  # fmt: skip
    posting.start_clocks(desk=office.desk)
    [case] = office.cases()
    assert (case.state, case.due_at, warned_by(case.key)) == (CaseState.OPENED, None, None)


@given(st.binary(max_size=2000), st.integers(0, 1200))
def test_no_mail_breaks_the_reader_of_delivery_reports(noise: bytes, at: int) -> None:
    letter = Letter(
        key="L-1", kind=LetterKind.NOTICE, to="x@y.example", subject="", body="", state=LetterState.SENT, case=None,
        report=None, created_at=NOON, sent_at=None, message_id="<L-1@y.example>", language="en",
    )  # fmt: skip
    raw = report_of(letter)
    read_returned(noise)
    read_returned(raw[:at] + noise + raw[at:])


def returned_notice(office: Office) -> Letter:
    """A notice that came back, with nobody else to write to."""
    letter = notice_of(office)
    came = office.take_in(report_of(letter), at=NOON + HOUR, sender="")
    returned.take_back(came.key, desk=office.desk, at=NOON + HOUR)
    return letter


def test_a_posted_or_telephoned_notice_counts_only_once_somebody_notes_whom_it_reached(office: Office) -> None:
    letter = returned_notice(office)
    [case] = office.cases()
    at = NOON + 2 * HOUR
    for too_soon in ({"whom": "the owner", "how": "She said so."}, {"whom": "", "how": "x"}):
        with pytest.raises(other_ways.NotSaid):
            other_ways.note_reached(letter.key, **too_soon, desk=office.desk, at=at, actor="ana")
    pdf = other_ways.print_letter(
        letter.key, address="Example Bakery\n1 Example Street", dated=lambda _: "17 March 2026",
        link=lambda key, _: f"https://abuse.example.net/p/{key}", desk=office.desk, at=at, actor="ana",
    )  # fmt: skip
    assert pdf.startswith(b"%PDF-1.")
    assert warned_by(case.key) is None, "what was printed lies on a desk"
    with pytest.raises(other_ways.NotSaid):
        other_ways.note_reached(letter.key, whom="x", how="x", desk=office.desk, at=at, actor="ana")
    for day in (NOON.date() - timedelta(days=1), NOON.date() + timedelta(days=1)):
        with pytest.raises(other_ways.NotSaid):
            other_ways.note_posted(letter.key, on=day, at=at, actor="ana")
    other_ways.note_posted(letter.key, on=NOON.date(), at=at, actor="ana")
    other_ways.note_phoned(letter.key, whom="+49 30 555", said="Nobody answered.", at=at, actor="ben")
    later = NOON + timedelta(days=30)
    posting.start_clocks(desk=office.desk)
    office.deadlines(at=later)
    assert warned_by(case.key) is None, "neither is a notice, however long ago"
    assert office.measures(case) == []
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON
    other_ways.note_reached(
        letter.key, whom="the owner", how="She rang back and read it out.", desk=office.desk, at=later, actor="ana"
    )  # fmt: skip
    found = get_letter(letter.key)
    assert found is not None
    assert (found.state, found.sent_at) == (LetterState.SENT, later)
    assert warned_by(case.key) == letter.key
    said = [(entry.what, entry.actor) for entry in other_ways.ways_taken(letter.key)]
    assert said == [
        (other_ways.PRINTED, "ana"), (other_ways.POSTED, "ana"), (other_ways.PHONED, "ben"), (other_ways.REACHED, "ana")
    ]  # fmt: skip
    with pytest.raises(other_ways.NoOtherWay):
        other_ways.note_phoned(letter.key, whom="x", said="x", at=later, actor="ana")


def test_a_letter_that_arrived_goes_no_other_way(office: Office) -> None:
    letter = notice_of(office)
    with pytest.raises(other_ways.NoOtherWay):
        other_ways.note_posted(letter.key, on=NOON.date(), at=NOON, actor="ana")
    with pytest.raises(other_ways.NoOtherWay):
        other_ways.note_posted("L-999999", on=NOON.date(), at=NOON, actor="ana")


def test_what_is_said_on_the_telephone_names_nobody_who_complained(office: Office) -> None:
    letter = returned_notice(office)
    [case] = office.cases()
    link = replace(case, resource="http://shop.example.net/a?u=reader@victim.example.org")
    for language in (*sorted(languages()), "xx"):
        said = " ".join(to_say(office, letter, case, language=language))
        assert case.key in said
        assert ADDRESS in said
        assert said.startswith("I call for") == (language in ("en", "xx")), "in their language, else in ours"
        for report in reports_of_case(case.key):
            assert report.sender not in said
            assert report.key not in said
        assert "victim.example.org" not in " ".join(to_say(office, letter, link, language=language))


def to_say(office: Office, letter: Letter, case: Case, *, language: str) -> tuple[str, ...]:
    return other_ways.what_to_say(
        letter, case, language=language, dated=lambda _, then: f"{then:%Y-%m-%d}", desk=office.desk
    )


def test_what_reached_nobody_is_a_task_until_somebody_is_reached_and_each_way_has_its_turn(office: Office) -> None:
    assert other_ways.tasks() == []
    letter = returned_notice(office)
    [case] = office.cases()
    at = NOON + 2 * HOUR
    chain = [replace(one, phone="+49 30 555") for one in representatives_of(case.customer)]
    designate(case.customer, chain, at=at, actor="ana")

    def step() -> tuple[str, str | None]:
        (task,) = other_ways.tasks()
        assert (task.letter.key, task.case.key) == (letter.key, case.key)
        return task.next.value, task.callee.phone if task.callee else None

    assert step() == ("call", "+49 30 555")
    with pytest.raises(other_ways.NotSaid):
        other_ways.note_no_answer(letter.key, whom=" ", at=at, actor="ana")
    other_ways.note_no_answer(letter.key, whom="+49 30 555", at=at, actor="ana")
    assert step() == ("print", None), "the next channel's turn"
    with pytest.raises(other_ways.NotSaid):  # A call that nobody took reached nobody.
        other_ways.note_reached(letter.key, whom="x", how="x", desk=office.desk, at=at, actor="ana")
    other_ways.print_letter(
        letter.key, address="Example Bakery", dated=lambda _: "", link=lambda key, _: key, desk=office.desk, at=at,
        actor="ana",
    )  # fmt: skip
    assert step() == ("post", None)
    other_ways.note_posted(letter.key, on=NOON.date(), at=at, actor="ana")
    assert step() == ("ask", None)
    other_ways.note_reached(letter.key, whom="x", how="They rang.", desk=office.desk, at=at, actor="ana")
    assert other_ways.tasks() == []
    with pytest.raises(other_ways.NoOtherWay):
        other_ways.note_no_answer(letter.key, whom="x", at=at, actor="ana")


def test_a_letter_of_a_case_that_ended_is_no_task(office: Office) -> None:
    letter = returned_notice(office)
    [case] = office.cases()
    assert carried() == [letter.key]
    CaseRow.objects.filter(key=case.key).update(state=CaseState.CLOSED)
    assert other_ways.tasks() == []


def test_a_later_letter_that_names_the_same_takes_the_tasks_place(office: Office) -> None:
    letter = returned_notice(office)
    [case] = office.cases()
    assert carried() == [letter.key]
    later = queue_letter(
        LetterKind.NOTICE, once="anew", to="it2@example.com", draft=Draft(subject="x", body="x"), case=case.key,
        report=None, at=NOON + HOUR, actor="worker", held=True,
    )  # fmt: skip
    assert carried() == [letter.key], "what it names is not what that one named"
    mark_told(case.key, incidents=list(told_incidents(case.key)), letter=later)
    assert carried() == []


def carried() -> list[str]:
    return [task.letter.key for task in other_ways.tasks()]


def bounce(office: Office, letter: Letter, *, at: datetime, status: str = "5.1.1") -> None:
    came = office.take_in(report_of(letter, status=status), at=at, sender="")
    returned.take_back(came.key, desk=office.desk, at=at)


def test_a_first_notice_that_comes_back_after_a_second_was_sent_stays_a_task(office: Office) -> None:
    first = notice_of(office)
    office.hold("192.0.2.8/32", customer="acct-1")
    office.complain("192.0.2.8", at=NOON + HOUR, by=reporter(2))
    office.post(at=NOON + HOUR)
    [case] = office.cases()
    [_, second] = [letter for letter in office.letters_to(CUSTOMER) if letter.kind is LetterKind.NOTICE]
    bounce(office, first, at=NOON + 2 * HOUR)
    assert set(told_incidents(case.key).values()) == {None, second.key}, "two letters named two addresses"
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON
    assert carried() == [first.key]
    bounce(office, second, at=NOON + 3 * HOUR, status="5.1.2")
    assert carried() == [first.key, second.key], "each names what the other does not"
    for letter in (first, second):
        other_ways.note_phoned(letter.key, whom="x", said="x", at=NOON + DAY, actor="ana")
        other_ways.note_reached(letter.key, whom="x", how="x", desk=office.desk, at=NOON + DAY, actor="ana")
    assert carried() == []
    assert set(told_incidents(case.key).values()) == {first.key, second.key}


def test_a_second_contacts_letter_takes_the_place_of_the_firsts_and_is_the_task_when_it_comes_back(
    office: Office,
) -> None:
    first = notice_of(office)
    [case] = office.cases()
    chain = representatives_of(case.customer)
    designate(case.customer, [*chain, replace(chain[0], email="it2@customer.example.com")], at=NOON, actor="ana")
    bounce(office, first, at=NOON + HOUR)
    office.post(at=NOON + HOUR)
    [second] = office.letters_to("it2@customer.example.com")
    assert carried() == [], "the second contact has it"
    bounce(office, second, at=NOON + 2 * HOUR, status="5.1.2")
    assert carried() == [second.key], "one task for the same words"


def test_only_a_letter_about_the_same_measure_takes_the_place_of_a_measures_letter(office: Office) -> None:
    notice_of(office)
    [case] = office.cases()

    def written(once: str) -> str:
        return queue_letter(
            LetterKind.MEASURE_TAKEN, once=once, to="it@example.com", draft=Draft(subject="x", body="x"),
            case=case.key, report=None, at=NOON + HOUR, actor="worker", held=True,
        )  # fmt: skip

    first = written("measure_taken:M-000001")
    LetterRow.objects.filter(key=first).update(state=LetterState.RETURNED)
    written("measure_taken:M-000002")
    assert carried() == [first], "nobody knows of the first measure"
    written("prolonged:M-000001:2026-06-01T00:00:00+00:00")
    assert other_ways.tasks() == []


def test_letters_of_ended_cases_take_no_place_among_the_tasks(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    letter = returned_notice(office)
    [case] = office.cases()
    office.admit("acct-2", "198.51.100.77")
    office.complain("198.51.100.77", at=NOON + DAY, by=reporter(3))
    [ended] = [each for each in office.cases() if each.key != case.key]
    queue_letter(
        LetterKind.NOTICE, once="ended", to="it@example.com", draft=Draft(subject="x", body="x"), case=ended.key,
        report=None, at=NOON + DAY, actor="worker", held=True,
    )  # fmt: skip
    LetterRow.objects.filter(case=ended.key).update(state=LetterState.RETURNED, due_at=None)
    CaseRow.objects.filter(key=ended.key).update(state=CaseState.CLOSED)
    monkeypatch.setattr(other_ways, "CARRIED_MAX", 1)
    assert carried() == [letter.key]


@pytest.mark.parametrize("printable", [True, False])
def test_what_cannot_be_printed_goes_another_way_and_never_as_an_empty_page(printable: bool) -> None:
    assert other_ways.next_way([], phone=True, printable=printable) is other_ways.NextWay.CALL
    missed = [(other_ways.PHONED, True)]
    wanted = other_ways.NextWay.PRINT if printable else other_ways.NextWay.FIND
    assert other_ways.next_way(missed, phone=False, printable=printable) is wanted


@pytest.mark.parametrize("address", ["", " \n ", "\n".join("x" * 9), "x" * 81])
def test_an_address_on_paper_has_few_and_short_lines(office: Office, address: str) -> None:
    letter = returned_notice(office)
    with pytest.raises(other_ways.NoAddress):
        other_ways.print_letter(
            letter.key, address=address, dated=lambda _: "", link=lambda key, _: key, desk=office.desk,
            at=NOON + HOUR, actor="ana",
        )  # fmt: skip
    assert not other_ways.ways_taken(letter.key)
