"""When a currency settles: its time zone, opening, cut-off, weekend and holidays.

Every question takes one or more calendars. A payment needs its currency's; a PvP trade needs both: a business day is
one on which all are open, the opening is the last of theirs and the cut-off the first.

Dates are the corridor's business dates; times are seconds since 1970 (UTC), as the clock that is passed in counts them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from corridor.errors import CorridorError

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

# No currency is closed for a month on end: beyond that a calendar is misconfigured, and a search for a day must end.
MAX_CLOSED_DAYS = 31
# Twenty years of holidays and then some; a longer list is a mistake.
MAX_HOLIDAYS = 1_000

_KEYS = {"zone", "opening", "cut_off", "weekend", "holidays"}


class CalendarError(CorridorError):
    """A calendar that can't be read or that never opens."""

    code = "CALENDAR"


@dataclass(frozen=True, slots=True)
class Calendar:
    """One currency's days and hours. ``opening`` and ``cut_off`` are local times; ``weekend`` counts from Monday, 0."""

    currency: str
    zone: ZoneInfo
    opening: time
    cut_off: time
    weekend: frozenset[int]
    holidays: frozenset[date]


def is_business_day(day: date, *calendars: Calendar) -> bool:
    """Whether every calendar is open on ``day``."""
    return all(day.weekday() not in calendar.weekend and day not in calendar.holidays for calendar in calendars)


def next_business_day(after: date, *calendars: Calendar) -> date:
    """The first day later than ``after`` on which every calendar is open.

    Raises:
        CalendarError: there is none within :data:`MAX_CLOSED_DAYS`.
    """
    for days in range(1, MAX_CLOSED_DAYS + 1):
        day = after + timedelta(days=days)
        if is_business_day(day, *calendars):
            return day
    named = " and ".join(calendar.currency for calendar in calendars)
    raise CalendarError(
        f"{named} has no business day within {MAX_CLOSED_DAYS} days after {after}",
        next_step="Check the weekend and holidays in the configuration",
        currencies=named,
    )


def opening_at_s(day: date, *calendars: Calendar) -> int:
    """The second at which the last of the calendars has opened."""
    return max(_at_s(day, calendar.opening, calendar.zone) for calendar in calendars)


def cutoff_at_s(day: date, *calendars: Calendar) -> int:
    """The second of the first cut-off: a payment is in time while ``now < cutoff_at_s``."""
    return min(_at_s(day, calendar.cut_off, calendar.zone) for calendar in calendars)


def _at_s(day: date, at: time, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, at, tzinfo=zone).timestamp())


def calendar_from(currency: str, table: object) -> Calendar:
    """Read one calendar from a plain table such as TOML gives.

    ``zone`` (an IANA name), ``opening`` and ``cut_off`` (``HH:MM``) are mandatory; ``weekend`` (names of days) is
    Saturday and Sunday unless told; ``holidays`` (``YYYY-MM-DD``) are none unless told.

    Raises:
        CalendarError: something is missing, misspelt or impossible, named by its key.
    """
    if not isinstance(table, Mapping):
        raise _error(currency, "calendar", "is not a table")
    for key in sorted({str(key) for key in table} - _KEYS):
        raise _error(currency, key, f"is not one of {', '.join(sorted(_KEYS))}")
    try:
        zone = ZoneInfo(str(table["zone"]))
    except KeyError as error:
        # ZoneInfoNotFoundError is a KeyError too: missing and unknown end here.
        raise _error(currency, "zone", "is missing or not a known time zone") from error
    except (ValueError, OSError) as error:
        raise _error(currency, "zone", "is not a known time zone") from error
    opening = _time(currency, table, "opening")
    cut_off = _time(currency, table, "cut_off")
    if opening >= cut_off:
        raise _error(currency, "cut_off", f"is not later than the opening at {opening:%H:%M}")
    weekend = frozenset(_weekday(currency, name) for name in _listed(currency, table, "weekend", WEEKDAYS[5:]))
    if len(weekend) == len(WEEKDAYS):
        raise _error(currency, "weekend", "leaves no day open")
    holidays = frozenset(_date(currency, day) for day in _listed(currency, table, "holidays", ()))
    return Calendar(currency, zone, opening, cut_off, weekend, holidays)


def _error(currency: str, key: str, problem: str) -> CalendarError:
    return CalendarError(
        f"calendar of {currency}: {key} {problem}", next_step="Correct the configuration", currency=currency, key=key
    )


def _time(currency: str, table: Mapping[str, object], key: str) -> time:
    given = table.get(key)
    try:
        found = given if isinstance(given, time) else time.fromisoformat(str(given))
    except ValueError as error:
        raise _error(currency, key, "is missing or not a time such as 18:30") from error
    if found.tzinfo is not None:
        raise _error(currency, key, "has a time zone of its own; it is local to the calendar's zone")
    return found


def _listed(currency: str, table: Mapping[str, object], key: str, default: Iterable[object]) -> list[object]:
    given = table.get(key, default)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise _error(currency, key, "is not a list")
    found = list(given)
    if len(found) > MAX_HOLIDAYS:
        raise _error(currency, key, f"has more than {MAX_HOLIDAYS} entries")
    return found


def _weekday(currency: str, name: object) -> int:
    if str(name).lower() not in WEEKDAYS:
        raise _error(currency, "weekend", f"'{name}' is not a day such as saturday")
    return WEEKDAYS.index(str(name).lower())


def _date(currency: str, day: object) -> date:
    if isinstance(day, date) and not isinstance(day, datetime):
        return day
    try:
        return date.fromisoformat(str(day))
    except ValueError as error:
        raise _error(currency, "holidays", f"'{day}' is not a date such as 2026-12-25") from error
