"""A day that is stated is read, and a time that cannot be read is never taken for none."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rooms.intake.reading.mails import letter, with_files
from tipstaff.intake.protocol import load_parsers
from tipstaff.intake.reading import read
from tipstaff.intake.text.dates import find_date
from tipstaff.intake.text.times import find_moment, parse_timestamp, read_time
from tipstaff.words import Allegation, Moment

PARSERS = load_parsers()
ADDRESS = "198.51.100.17"
DID = f"host {ADDRESS} attempted SSH brute force logins against our server."
SENT = "Fri, 27 Nov 2026 09:00:00 +0000"
OCTOBER = date(2026, 10, 25)


def told(raw: bytes) -> Allegation:
    """The one allegation of a mail."""
    [allegation] = read(raw.replace(b"Tue, 10 Mar 2026 12:00:00 +0000", SENT.encode()), parsers=PARSERS).allegations
    assert str(allegation.source) == ADDRESS
    return allegation


def covers(moment: Moment | None, day: date) -> bool:
    """Whether every hour of a day, in any zone of the world, lies within a moment."""
    if moment is None:
        return False
    noon = datetime.combine(day, time(12), UTC)
    return moment.earliest <= noon - timedelta(hours=26) and noon + timedelta(hours=26) <= moment.latest


MONTHS_OF = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
}


def months(language: str, day: date) -> str:
    return MONTHS_OF[language].split()[day.month - 1]


FORMS = {
    "iso": lambda d: f"{d:%Y-%m-%d}",
    "slashes": lambda d: f"{d:%Y/%m/%d}",
    "dots": lambda d: f"{d.day}.{d.month}.{d.year}",
    "day first": lambda d: f"{d:%d/%m/%Y}",
    "month first": lambda d: f"{d:%m/%d/%Y}",
    "dashes": lambda d: f"{d:%d-%m-%Y}",
    "week": lambda d: "{}-W{:02}-{}".format(*d.isocalendar()),
    "short": lambda d: f"{d:%d-%b-%Y}",
    "american": lambda d: f"{months('en', d)} {d.day}, {d.year}",
    "ordinal": lambda d: f"{months('en', d)} {d.day}th, {d.year} at about noon UTC",
    "the ordinal": lambda d: f"the {d.day}th of {months('en', d)} {d.year}",
    "de": lambda d: f"{d.day}. {months('de', d)} {d.year}",
    "es": lambda d: f"{d.day} de {months('es', d)} de {d.year}",
    "pt": lambda d: f"{d.day} de {months('pt', d)} de {d.year}",
    **{
        language: (lambda d, language=language: f"{d.day} {months(language, d)} {d.year}")
        for language in ("en", "fr", "it", "nl")
    },
}
PLACES = {
    "before": "On {}, " + DID,
    "after": DID[:-1] + " on {}.",
    "above": "We saw attacks on {}.\n\nThe source:\n\n" + DID,
    "date field": DID + "\nDate: {}\n",
    "seen field": DID + "\nFirst seen: {}\n",
    "generated": "We saw attacks on {}.\n\nThe source:\n\n" + DID + "\n\nSent by a program, 2026-11-27 08:59:00 UTC\n",
}
days = st.dates(date(2026, 1, 1), date(2026, 11, 26))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("form", FORMS)
def test_a_day_in_a_letter_is_read_or_kept_as_unread(form: str, place: str) -> None:
    for day in (OCTOBER, date(2026, 10, 3)):
        allegation = told(letter(PLACES[place].format(FORMS[form](day))))
        assert covers(allegation.moment, day) or (allegation.moment is None and allegation.unread_time), day
        if place != "generated":
            assert covers(allegation.moment, day), (day, allegation.unread_time)


@given(days, st.sampled_from(sorted(FORMS)))
@settings(max_examples=300, deadline=None)
def test_every_day_in_every_form_is_covered(day: date, form: str) -> None:
    assert covers(find_date(f"On {FORMS[form](day)}, the host was there."), day)
    assert covers(parse_timestamp(FORMS[form](day)), day)


@given(days, st.sampled_from(sorted(FORMS)), st.text(st.characters(codec="utf-8"), max_size=40))
@settings(max_examples=120, deadline=None)
def test_whatever_stands_around_a_day_it_is_covered_or_nobody_is_named(day: date, form: str, text: str) -> None:
    around = " ".join(text.replace(".", " ").split())
    allegations = read(letter(f"On {FORMS[form](day)}, {DID}\n{around}\n"), parsers=PARSERS).allegations
    for allegation in allegations:
        assert covers(allegation.moment, day) or (allegation.moment is None and allegation.unread_time)


def test_day_and_month_in_either_order_are_both_possible() -> None:
    for text in ("03/10/2026", "10/03/2026", "03-10-2026"):
        moment = find_date(text)
        assert covers(moment, date(2026, 10, 3)), text
        assert covers(moment, date(2026, 3, 10)), text
    instant = find_moment("03/10/2026 14:00:00 UTC")
    assert instant is not None
    assert (
        instant.earliest
        <= datetime(2026, 3, 10, 14, tzinfo=UTC)
        < datetime(2026, 10, 3, 14, tzinfo=UTC)
        <= instant.latest
    )
    assert instant.of_days, "no single hour of one day was stated"
    sure = find_moment("25/10/2026 14:00:00 UTC")
    assert sure is not None
    assert sure.at == datetime(2026, 10, 25, 14, tzinfo=UTC)
    assert sure.error_seconds == 1


@pytest.mark.parametrize(
    "said",
    [
        "Last month {}", "Yesterday {}", "Sunday 25 Oct {}", "On Monday {}", "At 10:32 {}", "2026-13-45 {}",
        "31.02.2026 {}", "25/10/26 {}", "In October {}", "Letzten Monat {}", "Gestern {}", "Hier soir {}",
        "Le mois dernier {}", "El mes pasado {}", "Ayer {}", "Ontem {}", "Ieri {}", "Gisteren {}", "Vorige maand {}",
        "Three weeks ago {}", "Vor drei Wochen {}",
        "On the 25th {}", "During Q3 {}", "Over the weekend {}", "On 2026-298 {}", "20261025 {}", "ts=1792929600 {}",
        "{}\nTime: garbled", "{}\nDate: 2026-13-45",
        "Last month we saw this.\n\n\n\nThe offender is this one: {}",
    ],
)  # fmt: skip
def test_a_time_that_cannot_be_placed_is_kept_as_it_was_said(said: str) -> None:
    allegation = told(letter(said.format(DID)))
    assert allegation.moment is None
    assert allegation.unread_time


@pytest.mark.parametrize(
    "said",
    ["{}", "Please act within 24 hours; we are here 24/7. {}", "Hier sind die Logs: {}", "{}\nTime: n/a",
     "{}\nSee https://www.example.org/2026/10/25/report.html"],
)  # fmt: skip
def test_what_states_no_time_is_none(said: str) -> None:
    allegation = told(letter(said.format(DID)))
    assert (allegation.moment, allegation.unread_time) == (None, None)


def test_an_hour_on_a_labelled_line_makes_the_day_exact() -> None:
    allegation = told(letter(f"On 25 October 2026 {DID}\nTime: 2026-10-25 14:03:22 UTC\n"))
    assert allegation.moment == Moment(datetime(2026, 10, 25, 14, 3, 22, tzinfo=UTC))


def test_two_times_that_cannot_both_be_meant_are_none() -> None:
    allegation = told(letter(f"On 2026-10-25, {DID}\nTime: 2026-11-27 08:00:00 UTC\n"))
    assert allegation.moment is None
    assert allegation.unread_time


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("1792929600", datetime(2026, 10, 25, 12, tzinfo=UTC)),
        ("1792929600000", datetime(2026, 10, 25, 12, tzinfo=UTC)),
        ("1792929600.25", datetime(2026, 10, 25, 12, tzinfo=UTC)),
        ("1792929600000000", datetime(2026, 10, 25, 12, tzinfo=UTC)),
        ("20261025", datetime(2026, 10, 25, 12, tzinfo=UTC)),
        ("2026-298", datetime(2026, 10, 25, 12, tzinfo=UTC)),
        ("2026-10-25T25:00:00Z", datetime(2026, 10, 25, 12, tzinfo=UTC)),
        ("2026年10月25日", datetime(2026, 10, 25, 12, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_a_field_is_read_as_programs_write_it(value: str, at: datetime) -> None:
    moment = parse_timestamp(value)
    assert moment is not None
    assert moment.at == at
    allegation = told(letter(f"{DID}\nTime: {value}\n"))
    assert allegation.moment is not None
    assert allegation.moment.at == at


def test_a_number_that_no_clock_shows_is_unread() -> None:
    for value in ("12", "123456789", "99999999999999", "2026-366", "2026-000"):
        assert read_time(value) == (None, value)
    assert read_time("unknown", "-", "") == (None, "")
    assert read_time("garbled", "2026-10-25").moment == find_date("2026-10-25")


def xarf(timestamp: str) -> bytes:
    report = {
        "xarf_version": "4.0.0", "report_id": "1", "timestamp": timestamp, "category": "connection",
        "type": "login_attack", "source_identifier": ADDRESS,
        "reporter": {"org": "Example", "contact": "reporter@example.org"},
    }  # fmt: skip
    return with_files("", ("application/json", "xarf.json", json.dumps(report).encode()))


def table(value: str) -> bytes:
    rows = f"ip,time,type\n{ADDRESS},{value},brute force\n"
    return with_files("SSH brute force, see the list.", ("text/csv", "list.csv", rows.encode()))


def arf(value: str) -> bytes:
    return (
        f"From: fbl@example.org\r\nTo: abuse@example.net\r\nSubject: Abuse\r\nDate: {SENT}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\n\r\nA report.\r\n--b\r\n"
        "Content-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nVersion: 1\r\nUser-Agent: x/1\r\n"
        f"Source-IP: {ADDRESS}\r\nArrival-Date: {value}\r\n\r\n--b--\r\n"
    ).encode()  # fmt: skip


@pytest.mark.parametrize("form", [xarf, table, arf])
def test_a_day_in_a_forms_field_is_read_and_what_nobody_can_read_is_kept(form: Callable[[str], bytes]) -> None:
    for value in ("2026-10-25", "25.10.2026", "25 October 2026", "2026-W43-7", "2026-10-25T25:00:00Z"):
        assert covers(told(form(value)).moment, OCTOBER), value
    for value in ("garbled", "2026-13-45", "last month"):
        allegation = told(form(value))
        assert (allegation.moment, allegation.unread_time) == (None, value)
    assert told(form("")).unread_time is None


def test_a_form_without_a_time_has_the_one_that_its_letter_states() -> None:
    rows = f"ip,type\n{ADDRESS},brute force\n"
    dated = told(with_files("SSH brute force on 25 October 2026.", ("text/csv", "list.csv", rows.encode())))
    assert covers(dated.moment, OCTOBER)
    vague = told(with_files("SSH brute force of last month.", ("text/csv", "list.csv", rows.encode())))
    assert (vague.moment, vague.unread_time) == (None, "last month")
