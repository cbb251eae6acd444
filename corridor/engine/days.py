"""The business day: which date is open, which currencies settle now, and what becomes of what is left at the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from sqlalchemy import Connection, RowMapping, select

from corridor.calendars import cutoff_at_s, is_business_day, next_business_day, opening_at_s
from corridor.engine import confirm, life, settle
from corridor.engine.desk import Desk, set_setting, setting
from corridor.engine.life import State
from corridor.errors import CorridorError
from corridor.iso20022 import TransactionStatus
from corridor.store.tables import payments


class DayError(CorridorError):
    """The business day does not allow what is asked."""

    code = "DAY"
    exit_code = 3


def open_day(desk: Desk, day: date | None, clock_offset_s: Callable[[date], int | None] = lambda _: None) -> date:
    """Open ``day``, or the next business day of any currency; return it.

    ``clock_offset_s`` says by how much the corridor's clock is ahead of the computer's on that day, None where it
    isn't changed. The offset is stored with the day: a day with the clock of another one could be past its cut-off.

    Raises:
        DayError: a day is open, ``day`` is no business day of any currency, or lies before the last one.
    """
    calendars = [currency.calendar for currency in desk.config.currencies.values()]
    with desk.database.begin() as connection:
        if setting(connection, "day", "closed") == "open":
            current = setting(connection, "business_date", "")
            raise DayError(f"business date {current} is open", next_step="Close it first: corridor close-day")
        last = date.fromisoformat(setting(connection, "business_date", "1970-01-01"))
        chosen = day or min(next_business_day(last, calendar) for calendar in calendars)
        if not any(is_business_day(chosen, calendar) for calendar in calendars):
            raise DayError(f"{chosen} is no business day of any currency", next_step="Name another date")
        if chosen <= last:
            raise DayError(f"{chosen} is not after the last business date {last}", next_step="Name a later date")
        set_setting(connection, "business_date", chosen.isoformat())
        set_setting(connection, "day", "open")
        offset_s = clock_offset_s(chosen)
        if offset_s is not None:
            set_setting(connection, "clock_offset_s", str(offset_s))
        life.record(connection, desk.now_s(), "day opened", detail=chosen.isoformat())
    return chosen


def close_day(desk: Desk) -> int:
    """Close the open day: what has not settled ends with TM01; return how many payments that were.

    What an interruption left on its way is finished or undone first: it must not wait for the next day unseen.

    Raises:
        DayError: no day is open.
    """
    settle.recover(desk)
    with desk.database.begin() as connection:
        if setting(connection, "day", "closed") != "open":
            raise DayError("no business day is open", next_step="Open one: corridor open-day")
        day = setting(connection, "business_date", "")
        left = select(payments).where(payments.c.state.in_((State.UNMATCHED, State.QUEUED)))
        rows = list(connection.execute(left).mappings())
        # Told first, as the reason for which each still waited is what its bank wants to know.
        confirm.report_each(connection, desk, [row["uetr"] for row in rows], _at_cut_off, ends=True)
        by_reason: dict[str, list[str]] = {}
        for row in rows:
            by_reason.setdefault(_ended(row), []).append(row["uetr"])
        for why, uetrs in by_reason.items():
            life.move(connection, desk.now_s(), uetrs, State.EXPIRED, reason_code="TM01", reason=why)
        set_setting(connection, "day", "closed")
        life.record(connection, desk.now_s(), "day closed", detail=day)
    confirm.deliver(desk)
    return len(rows)


def _ended(row: RowMapping) -> str:
    """Why a payment ends with the day, in few words: many payments share them."""
    if row["held"]:
        return "held by its bank at cut-off"
    return "unmatched at cut-off" if row["state"] == State.UNMATCHED else "not settled at cut-off"


def _at_cut_off(row: RowMapping) -> TransactionStatus:
    """What its bank is told: also what the payment waited for."""
    text = _ended(row) if row["held"] or not row["reason"] else f"{_ended(row)}: {row['reason']}"
    return TransactionStatus("RJCT", **confirm.required(row), code="TM01", text=text)


def open_currencies(connection: Connection, desk: Desk) -> frozenset[str]:
    """The currencies that settle now: the day is open, it is a business day for them, and before their cut-off."""
    is_open, day = setting(connection, "day", "closed") == "open", confirm.business_date(connection)
    now_s = desk.now_s()
    return frozenset(
        code
        for code, currency in desk.config.currencies.items()
        if is_open
        and is_business_day(day, currency.calendar)
        and opening_at_s(day, currency.calendar) <= now_s < cutoff_at_s(day, currency.calendar)
    )


def wake_warehoused(desk: Desk) -> None:
    """Queue what waited for its value date, now that the date is open."""
    with desk.database.begin() as connection:
        if setting(connection, "day", "closed") != "open":
            return
        day = confirm.business_date(connection).isoformat()
        due = select(payments).where(payments.c.state == State.WAREHOUSED, payments.c.value_date <= day)
        rows = list(connection.execute(due.order_by(payments.c.seq)).mappings())
        for state, trade in ((State.UNMATCHED, True), (State.QUEUED, False)):
            uetrs = [row["uetr"] for row in rows if (row["trade_reference"] is not None) == trade]
            if uetrs:
                life.move(connection, desk.now_s(), uetrs, state)
