"""When a clock ends: as a court would count it, in the party's own zone, with the holidays of one place."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tipstaff.policy import BadEdition, edition_folders, load_edition, shipped_editions
from tipstaff.policy.clocks import (
    Clock,
    ClockKind,
    ClockUnit,
    UnknownRegion,
    UnknownZone,
    deadline,
    is_business_day,
    zone_of,
)
from tipstaff.words import NaiveInstant

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu"]
instants = st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))
zones = st.sampled_from(ZONES)


def clock(unit: ClockUnit, amount: int, *, not_before: int = 0, region: str = "") -> Clock:
    return Clock(
        id="x.y", kind=ClockKind.OPERATOR, clause="a.b", unit=unit, amount=amount, not_before=not_before, region=region
    )


def day_in(zone: str, at: datetime) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


RESTORE = shipped_editions()[-1].clock("copyright.restore")


@pytest.mark.parametrize(
    ("countered_on", "first_day", "last_day"),
    [
        (date(2026, 11, 20), date(2026, 12, 7), date(2026, 12, 11)),  # Thanksgiving lies between.
        (date(2026, 12, 18), date(2027, 1, 5), date(2027, 1, 11)),  # Christmas and New Year do.
    ],
)
def test_material_comes_back_between_the_tenth_and_the_fourteenth_business_day(
    countered_on: date, first_day: date, last_day: date
) -> None:
    zone = "America/New_York"
    noon = datetime(countered_on.year, countered_on.month, countered_on.day, 12, tzinfo=ZoneInfo(zone))
    ends = deadline(RESTORE, at=noon, zone=zone)
    assert ends.not_before is not None
    assert day_in(zone, ends.not_before) == first_day
    assert day_in(zone, ends.by - timedelta(seconds=1)) == last_day
    assert ends.by.astimezone(ZoneInfo(zone)).hour == 0, "all of the last day counts"


def test_the_same_instant_is_another_day_elsewhere() -> None:
    at = datetime(2026, 5, 1, 23, tzinfo=UTC)
    three = clock(ClockUnit.DAYS, 3)
    assert deadline(three, at=at, zone="UTC").by == datetime(2026, 5, 5, tzinfo=UTC)
    assert deadline(three, at=at, zone="Europe/Berlin").by == datetime(2026, 5, 5, 22, tzinfo=UTC), "it is 2 May there"


def test_hours_are_hours_also_when_the_clocks_change() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    ends = deadline(clock(ClockUnit.HOURS, 24), at=before, zone="Europe/Berlin")
    assert ends.by - before.astimezone(UTC) == timedelta(hours=24)
    assert ends.by.astimezone(ZoneInfo("Europe/Berlin")).hour == 13


def test_a_month_ends_with_the_last_day_that_it_has() -> None:
    at = datetime(2026, 8, 31, 12, tzinfo=UTC)
    assert deadline(clock(ClockUnit.MONTHS, 6), at=at).by == datetime(2027, 3, 1, tzinfo=UTC)
    leap = datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert deadline(clock(ClockUnit.MONTHS, 36), at=leap).by == datetime(2027, 3, 1, tzinfo=UTC)


def test_a_last_day_of_rest_moves_to_the_next_business_day_where_the_region_is_known() -> None:
    thursday = datetime(2026, 4, 30, 12, tzinfo=UTC)
    one = clock(ClockUnit.DAYS, 1)
    assert deadline(one, at=thursday).by == datetime(2026, 5, 2, tzinfo=UTC)
    assert deadline(one, at=thursday, region="DE").by == datetime(2026, 5, 5, tzinfo=UTC), "1 May, then a weekend"
    assert deadline(one, at=thursday, region="US").by == datetime(2026, 5, 2, tzinfo=UTC)


def test_a_statutes_own_holidays_stand_above_the_partys() -> None:
    at = datetime(2026, 4, 30, 12, tzinfo=UTC)
    american = clock(ClockUnit.BUSINESS_DAYS, 1, region="US")
    assert deadline(american, at=at, region="DE").by == datetime(2026, 5, 2, tzinfo=UTC)


def test_a_part_of_a_country_has_holidays_of_its_own() -> None:
    womens_day = date(2027, 3, 8)
    assert not is_business_day(womens_day, region="DE-BE")
    assert is_business_day(womens_day, region="DE-BY")


def test_what_is_unknown_is_said_in_a_sentence() -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    with pytest.raises(UnknownZone, match="no time zone 'Europe/Nowhere'"):
        deadline(clock(ClockUnit.DAYS, 1), at=at, zone="Europe/Nowhere")
    with pytest.raises(UnknownZone):
        deadline(clock(ClockUnit.DAYS, 1), at=at, zone="../../etc/passwd")
    with pytest.raises(UnknownRegion, match="no holidays are known of 'XX'"):
        deadline(clock(ClockUnit.DAYS, 1), at=at, region="XX")
    with pytest.raises(UnknownRegion, match="need a region"):
        deadline(clock(ClockUnit.BUSINESS_DAYS, 1), at=at)
    with pytest.raises(NaiveInstant):
        deadline(clock(ClockUnit.HOURS, 1), at=datetime(2026, 5, 1))


# The oracle walks day by day and knows nothing of arithmetic on dates.


def oracle(unit: ClockUnit, amount: int, began_on: date, region: str) -> date:
    """The last day that still counts."""
    day, counted = began_on, 0
    while counted < amount:
        day += timedelta(days=1)
        if unit is ClockUnit.DAYS or is_business_day(day, region=region):
            counted += 1
    while region and not is_business_day(day, region=region):
        day += timedelta(days=1)
    return day


@given(instants, zones, st.sampled_from(["US", "DE-BY", "JP"]), st.integers(1, 40))
def test_business_days_are_counted_as_by_hand(at: datetime, zone: str, region: str, amount: int) -> None:
    ends = deadline(clock(ClockUnit.BUSINESS_DAYS, amount), at=at, zone=zone, region=region)
    last = day_in(zone, ends.by - timedelta(microseconds=1))
    assert last == oracle(ClockUnit.BUSINESS_DAYS, amount, day_in(zone, at), region)
    assert is_business_day(last, region=region)


@given(instants, zones, st.sampled_from(["", "US", "DE-BY"]), st.integers(1, 400))
def test_days_are_counted_as_by_hand(at: datetime, zone: str, region: str, amount: int) -> None:
    ends = deadline(clock(ClockUnit.DAYS, amount), at=at, zone=zone, region=region)
    last = day_in(zone, ends.by - timedelta(microseconds=1))
    assert last == oracle(ClockUnit.DAYS, amount, day_in(zone, at), region)


units = st.sampled_from([(unit, region) for unit in ClockUnit for region in ("US", "DE")])


@given(instants, zones, units, st.integers(1, 60))
def test_nobody_has_less_time_than_was_promised(
    at: datetime, zone: str, what: tuple[ClockUnit, str], amount: int
) -> None:
    unit, region = what
    ends = deadline(clock(unit, amount), at=at, zone=zone, region=region)
    assert ends.by.tzinfo is UTC
    hours = {ClockUnit.HOURS: 1, ClockUnit.MONTHS: 24 * 28}.get(unit, 24)
    slack = timedelta(hours=2)  # Clocks that are put forward take an hour from a day.
    assert ends.by >= at + timedelta(hours=hours * amount) - slack


@given(instants, instants, zones, units, st.integers(1, 60))
def test_who_is_told_later_never_has_to_answer_earlier(
    one: datetime, other: datetime, zone: str, what: tuple[ClockUnit, str], amount: int
) -> None:
    unit, region = what
    earlier, later = sorted((one, other))
    ends = [deadline(clock(unit, amount), at=at, zone=zone, region=region).by for at in (earlier, later)]
    assert ends[0] <= ends[1]


@given(instants, zones, units, st.integers(2, 60), st.data())
def test_a_window_opens_before_it_closes(
    at: datetime, zone: str, what: tuple[ClockUnit, str], amount: int, data: st.DataObject
) -> None:
    unit, region = what
    not_before = data.draw(st.integers(1, amount))
    ends = deadline(clock(unit, amount, not_before=not_before), at=at, zone=zone, region=region)
    assert ends.not_before is not None
    assert at < ends.not_before <= ends.by


def test_every_clock_of_the_edition_ends() -> None:
    at = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
    for edition in shipped_editions():
        for each in edition.clocks:
            assert deadline(each, at=at, zone="Europe/Berlin", region="DE").by > at


def test_a_clause_may_count_its_time_to_answer_in_business_days(tmp_path: Path) -> None:
    folder = tmp_path / "2027-01"
    shutil.copytree(edition_folders()[0], folder)
    file = folder / "clauses" / "mail.unsolicited.toml"
    written = file.read_text("utf-8")
    head, _, rest = written.partition("[answer_within]\n")
    _, blank, after = rest.partition("\n\n")
    assert blank
    own = 'business_days = 5\nrepeated_business_days = 1\nregion = "DE-BE"\nkind = "operator"'
    file.write_text(f"{head}[answer_within]\n{own}\n\n{after}", "utf-8")
    clause = load_edition(folder).clause("mail.unsolicited")
    assert clause.answer_within == timedelta(days=5), "the least that it can be"
    assert clause.clock_for(timedelta(days=5)) == clause.answer_clock
    assert (clause.own_time, clause.time_said(timedelta(days=1))) == ("5 business days", "1 business day")
    assert clause.time_said(timedelta(hours=12)) == "12 hours", "a step's own"
    file.write_text(f'{head}[answer_within]\nbusiness_days = 5\nkind = "operator"\n\n{after}', "utf-8")
    with pytest.raises(BadEdition, match="names the region whose holidays count"):
        load_edition(folder)


def test_every_statutes_clock_of_the_shipped_edition_says_where_its_words_can_be_read() -> None:
    statutes = [clock for clock in shipped_editions()[-1].clocks if clock.kind is ClockKind.STATUTE]
    assert {clock.source for clock in statutes} == {
        "17 U.S.C. 512(g)(2)(C)",
        "37 CFR 201.38(c)(4)",
        "Regulation (EU) 2021/784, Article 3(3)",
        "Regulation (EU) 2021/784, Article 6(2)",
        "Regulation (EU) 2023/1543, Article 10(3)",
        "Regulation (EU) 2023/1543, Article 10(4)",
        "18 U.S.C. 2703(f)(2)",
        "18 U.S.C. 2258A(h)(1)",
    }
    assert all(clock.text_at.startswith("https://") for clock in statutes)
    assert all(clock.verified.endswith(".") for clock in statutes), "what was read of it, and what was not"


def test_a_year_is_a_year_in_a_leap_year_too() -> None:
    clock = shipped_editions()[-1].clock("child_abuse.preserve")
    ends = deadline(clock, at=datetime(2027, 6, 1, 12, tzinfo=UTC)).by
    assert ends == datetime(2028, 6, 2, tzinfo=UTC), "to the end of the day, a year later"


@pytest.mark.parametrize(
    ("locale", "zone"),
    [
        ("de-AT", "Europe/Vienna"), ("fr_BE", "Europe/Brussels"), ("en", "UTC"), ("", "UTC"), ("en-US", "UTC"),
        ("de-XX", "UTC"), ("de-AT/../../x", "UTC"),
    ],
)  # fmt: skip
def test_a_locales_country_says_where_the_operator_is_only_where_it_has_one_zone(locale: str, zone: str) -> None:
    assert zone_of(locale) == zone
