"""What became of a report follows from its incidents."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tipstaff.intake.outcome import PRECEDENCE, first_outcome, overall
from tipstaff.words import Allegation, Reading, ReadingOutcome, ReadingReason, ReportOutcome

outcomes = st.lists(st.sampled_from(ReportOutcome), min_size=1)


def test_every_outcome_has_its_place() -> None:
    assert sorted(PRECEDENCE) == sorted(ReportOutcome)


@given(outcomes)
def test_the_outcome_is_one_that_an_incident_has(given: list[ReportOutcome]) -> None:
    assert overall(given) in given


@given(outcomes, outcomes)
def test_neither_order_nor_number_matters(some: list[ReportOutcome], others: list[ReportOutcome]) -> None:
    assert overall(some + others) is overall(others + some) is overall([overall(some), overall(others)])


def test_a_report_without_incidents_was_received() -> None:
    assert overall(()) is ReportOutcome.RECEIVED


def test_a_report_is_finished_only_when_all_of_it_is() -> None:
    open_ones = {
        ReportOutcome.RECEIVED,
        ReportOutcome.WITH_A_PERSON,
        ReportOutcome.FORWARDED,
        ReportOutcome.MEASURE_TAKEN,
        ReportOutcome.NEEDS_DETAIL,
    }
    finished = set(ReportOutcome) - open_ones - {ReportOutcome.SEALED}
    for still_open, done in itertools.product(open_ones, finished):
        assert overall([done, still_open]) is still_open


def test_a_report_that_led_to_something_is_not_called_fruitless() -> None:
    assert overall([ReportOutcome.NOT_OURS, ReportOutcome.FIXED, ReportOutcome.TOO_OLD]) is ReportOutcome.FIXED
    assert overall([ReportOutcome.SET_ASIDE, ReportOutcome.DUPLICATE]) is ReportOutcome.DUPLICATE


def test_sealed_hides_all_else() -> None:
    for outcome in ReportOutcome:
        assert overall([outcome, ReportOutcome.SEALED]) is ReportOutcome.SEALED


def test_a_reading_gives_the_first_outcome() -> None:
    def reading(outcome: ReadingOutcome, *allegations: Allegation) -> Reading:
        return Reading(outcome=outcome, reason=ReadingReason.UNDERSTOOD, allegations=allegations)

    spam = Allegation(type="messaging/spam")
    assert first_outcome(reading(ReadingOutcome.COMPLAINT, spam)) is ReportOutcome.RECEIVED
    assert first_outcome(reading(ReadingOutcome.COMPLAINT)) is ReportOutcome.WITH_A_PERSON
    assert first_outcome(reading(ReadingOutcome.UNREADABLE)) is ReportOutcome.WITH_A_PERSON
    assert first_outcome(reading(ReadingOutcome.NOT_A_COMPLAINT)) is ReportOutcome.SET_ASIDE
    assert first_outcome(reading(ReadingOutcome.SEALED)) is ReportOutcome.SEALED
