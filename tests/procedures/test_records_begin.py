"""What a complainant is told when our records say nothing: only what is true."""

from datetime import timedelta

import pytest
from django.db import connection

from tests.procedures.office import DAY, NOON, OURS, Office, reporter
from tipstaff.words import LetterKind, ReportOutcome, Tier

ADDRESS = "198.51.100.7"


def the_letter(office: Office) -> str:
    office.post(at=NOON)
    [letter] = office.letters_to(reporter().address)
    assert letter.kind is LetterKind.TOO_OLD
    return letter.body


def test_an_empty_registry_sends_nobody_away(db: None, office: Office) -> None:
    """A desk whose registry was not filled yet: a person looks, and nobody hears that their report is old."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM registry_holdingrow")
    report = office.complain(ADDRESS, at=NOON)
    assert report.outcome is ReportOutcome.WITH_A_PERSON
    office.post(at=NOON)
    assert office.kinds_to(reporter().address) == [LetterKind.ACKNOWLEDGEMENT]


@pytest.mark.parametrize(("days", "said"), [(400, "more than 180"), (100, "before our records")])
def test_a_letter_says_how_far_we_look_back_only_where_that_is_why(office: Office, days: int, said: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM registry_holdingrow")
    for own in OURS:
        office.hold(own, customer=None, tier=Tier.OPERATOR, since=NOON - 30 * DAY)
    assert office.complain(ADDRESS, at=NOON, happened=NOON - timedelta(days=days)).outcome is ReportOutcome.TOO_OLD
    text = " ".join(the_letter(office).split())
    assert said in text
    assert ("180" in text) == (days == 400)
