"""A known reporter whose mail is understood no longer is told of, once a week."""

from datetime import timedelta

from tests.procedures.office import DAY, HOUR, NOON, Office, reporter
from tipstaff.intake.queries import yields_dropped
from tipstaff.procedures.reporters import watch_yields

ADDRESS = "192.0.2.77"
CHANGED = b"From: %s\nSubject: Abuse report\n\nSomething bad came from you on %d.\n"


def send_changed(office: Office, n: int, *, of: int = 1) -> None:
    raw = CHANGED % (reporter(of).address.encode(), n)
    office.take_in(raw, at=NOON + n * HOUR, sender=reporter(of).address)


def test_a_reporter_whose_form_changed_is_told_of_once_a_week(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    for n in range(1, 7):
        office.complain(ADDRESS, at=NOON - (7 + n) * DAY, by=reporter(1), happened=NOON - (8 + n) * DAY)
    for n in range(1, 5):
        send_changed(office, n)
    later = NOON + DAY
    [dropped] = yields_dropped(at=later)
    assert (dropped.reporter, dropped.mails_before, dropped.understood_before) == (reporter(1).domain, 6, 6)
    assert (dropped.mails_lately, dropped.understood_lately) == (4, 0)
    assert [x.reporter for x in watch_yields(at=later)] == [reporter(1).domain]
    assert watch_yields(at=later + HOUR) == []
    assert (
        watch_yields(at=later + timedelta(days=3)) != [] or later.isocalendar()[1] == (later + 3 * DAY).isocalendar()[1]
    )


def test_a_reporter_who_was_never_understood_is_no_news(office: Office) -> None:
    for n in range(1, 12):
        send_changed(office, n - 24 * 9, of=2)
    for n in range(1, 5):
        send_changed(office, n, of=2)
    assert yields_dropped(at=NOON + DAY) == []


def test_two_mails_say_nothing(office: Office) -> None:
    office.admit("acct-1", ADDRESS)
    for n in range(1, 7):
        office.complain(ADDRESS, at=NOON - (7 + n) * DAY, by=reporter(1), happened=NOON - (8 + n) * DAY)
    for n in range(1, 3):
        send_changed(office, n)
    assert yields_dropped(at=NOON + DAY) == []
