"""When a currency settles, and when two do."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime, time

import pytest

from corridor.calendars import (
    MAX_CLOSED_DAYS,
    MAX_HOLIDAYS,
    CalendarError,
    calendar_from,
    cutoff_at_s,
    is_business_day,
    next_business_day,
    opening_at_s,
)

MONDAY = date(2026, 11, 23)
FRIDAY = date(2026, 11, 27)
CONFIGURATION = """
[HKD]
zone = "Asia/Hong_Kong"
opening = "08:30"
cut_off = "18:30"
holidays = ["2026-12-25"]

[THB]
zone = "Asia/Bangkok"
opening = 08:30:00
cut_off = 16:00:00
weekend = ["Saturday", "sunday"]
holidays = [2026-11-30, 2026-12-31]
"""
TABLE = {"zone": "Asia/Hong_Kong", "opening": "08:30", "cut_off": "18:30"}


@pytest.fixture
def calendars():
    return {currency: calendar_from(currency, table) for currency, table in tomllib.loads(CONFIGURATION).items()}


def utc(year: int, month: int, day: int, hour: int, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())


def test_a_calendar_is_read_from_a_configuration(calendars) -> None:
    thb = calendars["THB"]
    assert (thb.opening, thb.cut_off, thb.weekend) == (time(8, 30), time(16), frozenset({5, 6}))
    assert thb.holidays == {date(2026, 11, 30), date(2026, 12, 31)}
    assert calendars["HKD"].weekend == {5, 6}


def test_weekends_and_holidays_are_no_business_days(calendars) -> None:
    hkd = calendars["HKD"]
    assert is_business_day(MONDAY, hkd)
    assert not is_business_day(date(2026, 11, 28), hkd)
    assert not is_business_day(date(2026, 12, 25), hkd)


def test_two_currencies_settle_only_when_both_are_open(calendars) -> None:
    hkd, thb = calendars["HKD"], calendars["THB"]
    assert is_business_day(date(2026, 11, 30), hkd)
    assert not is_business_day(date(2026, 11, 30), hkd, thb)
    assert next_business_day(FRIDAY, hkd) == date(2026, 11, 30)
    assert next_business_day(FRIDAY, hkd, thb) == date(2026, 12, 1)


def test_times_are_local_to_the_calendars_zone(calendars) -> None:
    assert opening_at_s(MONDAY, calendars["HKD"]) == utc(2026, 11, 23, 0, 30)
    assert cutoff_at_s(MONDAY, calendars["HKD"]) == utc(2026, 11, 23, 10, 30)
    assert cutoff_at_s(MONDAY, calendars["THB"]) == utc(2026, 11, 23, 9)


def test_two_currencies_open_with_the_later_and_close_with_the_earlier(calendars) -> None:
    both = calendars["HKD"], calendars["THB"]
    assert opening_at_s(MONDAY, *both) == utc(2026, 11, 23, 1, 30)
    assert cutoff_at_s(MONDAY, *both) == utc(2026, 11, 23, 9)


def test_a_cut_off_follows_the_clocks_of_its_zone() -> None:
    calendar = calendar_from("EUR", TABLE | {"zone": "Europe/Brussels"})
    assert cutoff_at_s(date(2026, 1, 5), calendar) == utc(2026, 1, 5, 17, 30)
    assert cutoff_at_s(date(2026, 7, 6), calendar) == utc(2026, 7, 6, 16, 30)


def test_a_currency_that_never_opens_is_an_error_and_no_endless_search() -> None:
    closed = [date.fromordinal(MONDAY.toordinal() + days) for days in range(1, MAX_CLOSED_DAYS + 1)]
    with pytest.raises(CalendarError, match="no business day"):
        next_business_day(MONDAY, calendar_from("HKD", TABLE | {"holidays": closed}))
    almost = calendar_from("HKD", TABLE | {"holidays": closed[:-1], "weekend": []})
    assert next_business_day(MONDAY, almost) == closed[-1]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("a string", "calendar"),
        ({**TABLE, "cutoff": "18:00"}, "cutoff"),
        ({"opening": "08:30", "cut_off": "18:30"}, "zone"),
        ({**TABLE, "zone": "Asia/Nowhere"}, "zone"),
        ({**TABLE, "zone": "../etc/passwd"}, "zone"),
        ({"zone": "Asia/Hong_Kong", "opening": "08:30"}, "cut_off"),
        ({**TABLE, "opening": "8h30"}, "opening"),
        ({**TABLE, "opening": "08:30+08:00"}, "opening"),
        ({**TABLE, "opening": "18:30"}, "cut_off"),
        ({**TABLE, "weekend": ["caturday"]}, "weekend"),
        ({**TABLE, "weekend": "sunday"}, "weekend"),
        ({**TABLE, "weekend": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]},
            "weekend"),
        ({**TABLE, "holidays": ["25.12.2026"]}, "holidays"),
        ({**TABLE, "holidays": [MONDAY] * (MAX_HOLIDAYS + 1)}, "holidays"),
    ],
)  # fmt: skip
def test_a_calendar_that_cannot_be_read_names_the_currency_and_the_key(table: object, key: str) -> None:
    with pytest.raises(CalendarError) as refused:
        calendar_from("HKD", table)
    assert refused.value.facts == {"currency": "HKD", "key": key}
