"""A measure that came before its warning ends by itself, unless a person has reviewed it; then there is no gap."""

import contextlib
from datetime import datetime, timedelta

import pytest
from typer.testing import CliRunner

from tests.procedures.office import DAY, HOUR, NOON, Office
from tests.procedures.test_deciding import go_ahead, shared
from tipstaff import wiring
from tipstaff.cases.operations import AlreadyProposed, NothingProposed, SecondMustBeAnother
from tipstaff.cli.main import app
from tipstaff.enforcement.operations import NotStanding
from tipstaff.ledger.queries import entries_about
from tipstaff.policy.remedies import COUNTERSIGN_WITHIN, MEASURE_LASTS, URGENT_MEASURE_LASTS
from tipstaff.procedures.casework import (
    NothingToPlan,
    OwnDecision,
    ProposalLapsed,
    prolong_measure,
    propose_urgent,
    second_prolonging,
    second_urgent,
    second_wide,
)
from tipstaff.procedures.suspension import NotYourDecision
from tipstaff.registry.operations import end_holding
from tipstaff.registry.queries import holdings_of
from tipstaff.words import Answer, Case, CaseState, Ground, LetterKind, Measure, MeasureState, Role, Seen

ADDRESS = "198.51.100.7"
CUSTOMER = "acct-1@customer.example.com"
END = NOON + URGENT_MEASURE_LASTS
REVIEWED = END - HOUR
SECOND = timedelta(seconds=1)


def urgent(office: Office) -> tuple[Case, Measure]:
    """A measure in force since noon, with its letter."""
    office.admit("acct-1", ADDRESS)
    case = office.case_of(office.complain(ADDRESS, at=NOON))
    propose_urgent(case.key, ground=Ground.NETWORK_HARM, shown_by="Flow export 17", at=NOON, actor="ana")
    second_urgent(case.key, desk=office.desk, at=NOON, actor="lena")
    office.post(at=NOON)
    office.enforce(at=NOON)
    [measure] = office.measures(case)
    assert (measure.state, measure.until) == (MeasureState.IN_FORCE, END)
    return case, measure


def goes_on(office: Office, measure: Measure, *, at: datetime, why: str = "The flood goes on.") -> datetime:
    """Two took it before any warning: one reviews it, another agrees."""
    assert prolong_measure(measure.key, why=why, desk=office.desk, at=at, actor="eva") is None
    return second_prolonging(measure.key, desk=office.desk, at=at, actor="lena")


def test_a_measure_that_nobody_reviews_ends_by_itself_and_its_case_waits_for_a_person(office: Office) -> None:
    case, measure = urgent(office)
    office.enforce(at=END - SECOND)
    assert office.twin.rules() != []
    office.enforce(at=END)
    assert office.twin.rules() == []
    [measure] = office.measures(case)
    assert measure.state is MeasureState.LIFTED
    assert office.fresh(case.key).state is CaseState.WAITING_PERSON
    with pytest.raises(NotStanding):
        prolong_measure(measure.key, why="Too late.", desk=office.desk, at=END, actor="eva")


def test_a_reviewed_measure_goes_on_and_the_device_never_lets_go_of_it(office: Office) -> None:
    case, measure = urgent(office)
    office.enforce(at=REVIEWED)
    until = goes_on(office, measure, at=REVIEWED)
    assert until == REVIEWED + MEASURE_LASTS, "the customer was written to: as long as any other"
    generation = measure.generation
    done = office.enforce(at=REVIEWED + SECOND)
    alone = office.twin.observe(at=until - SECOND).rules
    assert alone == ((measure.key, Seen.IN_FORCE),), "the device was told the new end, and holds it without us too"
    for moment in (END - SECOND, END, END + HOUR, until - SECOND):
        office.enforce(at=moment)
        assert office.twin.rules() != [], moment
    [fresh] = office.measures(case)
    assert (fresh.key, fresh.state, fresh.urgency) == (measure.key, MeasureState.IN_FORCE, measure.urgency)
    assert fresh.generation > generation
    assert done is not None
    assert "measure.lifting" not in [e.what for e in entries_about(measure.key)]
    [entry] = [e for e in entries_about(measure.key) if e.what == "measure.prolonged"]
    assert (entry.actor, entry.detail["why"]) == ("lena", "The flood goes on.")
    [agreed] = [e for e in entries_about(case.key) if e.what == "case.prolonged_measure_seconded"]
    assert (agreed.actor, agreed.detail["proposed_by"]) == ("lena", "eva")
    office.enforce(at=until)
    assert office.twin.rules() == [], "nor does it go on for ever"


def test_the_customer_is_told_that_it_goes_on_why_and_until_when(office: Office) -> None:
    _, measure = urgent(office)
    office.post(at=NOON)
    before = office.kinds_to(CUSTOMER).count(LetterKind.MEASURE_TAKEN)
    goes_on(office, measure, at=REVIEWED)
    office.post(at=REVIEWED)
    assert office.kinds_to(CUSTOMER).count(LetterKind.MEASURE_TAKEN) == before + 1
    letter = office.letters_to(CUSTOMER)[-1]
    assert "The flood goes on." in letter.body
    assert "12 May 2026" in letter.body


def test_whoever_proposed_it_does_not_review_it_nor_does_somebody_without_the_role(office: Office) -> None:
    _, measure = urgent(office)
    with pytest.raises(OwnDecision):
        prolong_measure(measure.key, why="Mine.", desk=office.desk, at=REVIEWED, actor="ana")
    office.roles["ole"] = frozenset({Role.ENGINEER})
    with pytest.raises(NotYourDecision):
        prolong_measure(measure.key, why="No role.", desk=office.desk, at=REVIEWED, actor="ole")


def test_one_person_alone_lets_nothing_go_on_that_took_two(office: Office) -> None:
    _, measure = urgent(office)
    office.roles |= {"ole": frozenset({Role.ENGINEER}), "gone": frozenset()}
    with pytest.raises(NothingProposed):
        second_prolonging(measure.key, desk=office.desk, at=REVIEWED, actor="lena")
    assert prolong_measure(measure.key, why="It goes on.", desk=office.desk, at=REVIEWED, actor="eva") is None
    with pytest.raises(SecondMustBeAnother):
        second_prolonging(measure.key, desk=office.desk, at=REVIEWED, actor="eva")
    with pytest.raises(AlreadyProposed):
        prolong_measure(measure.key, why="Me too.", desk=office.desk, at=REVIEWED, actor="lena")
    for nobody in ("ole", "gone"):
        with pytest.raises(NotYourDecision):
            second_prolonging(measure.key, desk=office.desk, at=REVIEWED, actor=nobody)
    office.enforce(at=END)
    assert office.twin.rules() == [], "one had proposed it, and that let nothing go on"
    with pytest.raises(NotStanding):
        second_prolonging(measure.key, desk=office.desk, at=END, actor="lena")


def test_a_prolonging_that_was_proposed_too_long_ago_is_agreed_to_by_nobody(office: Office) -> None:
    _, measure = urgent(office)
    early = NOON + HOUR
    prolong_measure(measure.key, why="It goes on.", desk=office.desk, at=early, actor="eva")
    late = early + COUNTERSIGN_WITHIN + SECOND
    with pytest.raises(ProposalLapsed):
        second_prolonging(measure.key, desk=office.desk, at=late, actor="lena")
    prolong_measure(measure.key, why="It still does.", desk=office.desk, at=late, actor="lena")
    assert second_prolonging(measure.key, desk=office.desk, at=late, actor="ana") == late + MEASURE_LASTS, (
        "whoever proposed the measure may be the second, not the one who reviews it"
    )


def test_what_one_person_may_take_one_person_may_prolong(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    case = office.measured(ADDRESS, at=NOON)
    [measure] = office.measures(case)
    assert measure.until is not None
    at = measure.until - DAY
    assert prolong_measure(measure.key, why="Still.", desk=office.desk, at=at, actor="eva") == at + MEASURE_LASTS


def test_what_hits_others_goes_on_by_two_as_it_was_taken_by_two(office: Office) -> None:
    case, at = shared(office), NOON + 3 * DAY
    go_ahead(office, case, actor="ana", at=at)
    [key] = second_wide(case.key, desk=office.desk, at=at, actor="lena")
    [measure] = office.measures(case)
    assert prolong_measure(key, why="Still.", desk=office.desk, at=at + DAY, actor="ana") is None
    assert office.measures(case)[0].until == measure.until
    assert second_prolonging(key, desk=office.desk, at=at + DAY, actor="lena") == at + DAY + MEASURE_LASTS


def test_nothing_goes_on_against_who_fixed_it_or_holds_the_address_no_more(office: Office) -> None:
    case, measure = urgent(office)
    office.answer(case, Answer.FIXED, at=NOON + HOUR)
    with pytest.raises(NotStanding):
        prolong_measure(measure.key, why="Still.", desk=office.desk, at=NOON + HOUR, actor="eva")


def test_nothing_goes_on_against_an_address_that_changed_hands(office: Office) -> None:
    _, measure = urgent(office)
    holding = next(h for h in holdings_of("acct-1", at=NOON) if str(h.prefix).startswith(ADDRESS))
    end_holding(holding.key, held_until=NOON + HOUR, at=NOON + HOUR, actor="import")
    with pytest.raises(NothingToPlan):
        prolong_measure(measure.key, why="Still.", desk=office.desk, at=NOON + 2 * HOUR, actor="eva")


def test_two_people_let_a_measure_go_on_at_a_terminal(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    _, measure = urgent(office)
    monkeypatch.setattr(wiring, "now", lambda: REVIEWED)
    monkeypatch.setattr(wiring, "desk", lambda: office.desk)
    monkeypatch.setattr("tipstaff.cli.measures.database", contextlib.nullcontext)

    def run(by: str, *what: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["prolong", measure.key, "--by", by, *what], env={"COLUMNS": "200"})
        return done.exit_code, done.output

    review = ("--why", "The flood goes on.")
    assert "Nothing waits for a second person" in run("lena", "--agree")[1]
    office.roles = {"adam": frozenset({Role.ADMINISTRATOR}), "eva": frozenset({Role.ANALYST})}
    assert run("adam", *review)[0] == 1, "who may decide nothing reviews nothing"
    assert run("eva", *review) == (0, f"{measure.key} goes on only when another has run this with --agree.\n")
    assert run("eva", "--agree")[0] == 1, "nobody is their own second"
    assert run("adam", "--agree")[0] == 1
    office.roles["lena"] = frozenset({Role.LEAD})
    until = REVIEWED + MEASURE_LASTS
    assert run("lena", "--agree") == (0, f"{measure.key} goes on until {until:%Y-%m-%d %H:%M} UTC.\n")
