"""What a settlement day is made of: obligations with the second at which each arrives, money, hours and outages.

All times are whole seconds after midnight of one clock (say, Hong Kong's); a day may run into the next (up to
:data:`MAX_DAY_S`), so that a currency far to the west can be part of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from liquidity.arrays import Int64s
from liquidity.errors import InvalidField, child, shown
from liquidity.model import Amounts, Limits, Queue, amounts_table, entries, exact_integer, name
from liquidity.terms import make_rates

SECONDS_A_DAY = 86_400

MAX_DAY_S = 2 * SECONDS_A_DAY
"""The last second a day may have: two calendar days hold the opening hours of any two places on earth."""

NO_CUT_OFF = MAX_DAY_S
"""In an array of cut-offs: this obligation has none but its currencies' closing."""


_CLOCK = re.compile(r"([0-9]{1,2}):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)


def second_of(text: str) -> int | None:
    """Seconds after midnight of ``HH:MM`` or ``HH:MM:SS``; ``None`` for what is no time, or beyond the day."""
    clock = _CLOCK.fullmatch(text)
    if not clock:
        return None
    hours, minutes, rest = clock.groups(default="0")
    second = int(hours) * 3600 + int(minutes) * 60 + int(rest)
    return second if second <= MAX_DAY_S else None


@dataclass(frozen=True, slots=True)
class Hours:
    """When the RTGS of one currency settles: from ``open_s`` to ``close_s``, both seconds included.

    Raises :class:`InvalidField`.
    """

    open_s: int = 0
    close_s: int = SECONDS_A_DAY

    def __post_init__(self) -> None:
        _second(self.open_s, "open_s")
        _second(self.close_s, "close_s")
        if self.close_s <= self.open_s:
            raise InvalidField("close_s", f"must be after open_s {self.open_s}", shown(self.close_s))


@dataclass(frozen=True, slots=True)
class Outage:
    """From ``from_s`` until before ``until_s`` a bank, or with ``bank=None`` the corridor operator, is down.

    A bank that is down submits nothing: what arrives for it to pay waits outside the queue. What it submitted before
    may settle, and what it is paid still lands. While the operator is down nothing is netted or resolved; obligations
    still settle one by one if the policy settles gross, since that needs the paying banks alone. Runs that fall into
    the outage are made up by one run when the operator is back. Raises :class:`InvalidField`.
    """

    bank: str | None
    from_s: int
    until_s: int

    def __post_init__(self) -> None:
        if self.bank is not None:
            name(self.bank, "bank")
        _second(self.from_s, "from_s")
        _second(self.until_s, "until_s")
        if self.until_s <= self.from_s:
            raise InvalidField("until_s", f"must be after from_s {self.from_s}", shown(self.until_s))


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """One day's obligations and everything that decides when they can settle.

    Parameters
    ----------
    queue
        Obligations in order of arrival. A held one never enters.
    arrival_s
        (n) second at which each is due to be submitted; never falling. Copied, and read-only afterwards.
    balances, floors
        Opening balances and least balances, minor units, 0 where nothing is said; a negative floor is a credit line.
        An account that opens below its floor may never go below where it opened.
    hours
        Currency → :class:`Hours`; the calendar day where nothing is said. An obligation can settle while *all* its
        currencies are open; what is left over when one of them closes doesn't settle on this day.
    outages
        Of banks and of the operator; they may overlap.
    limits
        Bounds on net outflow, here over the day: at no moment may a bank have paid, net, more than this.
    rates
        Worth of one minor unit in the reporting currency, exact; 1 where nothing is said.
    latest_s
        (n) last second at which each may settle, :data:`NO_CUT_OFF` for none; ``None`` when nobody has one.

    Raises
    ------
    InvalidField
        Naming the argument.
    """

    queue: Queue
    arrival_s: Int64s
    balances: Amounts = field(default_factory=dict)
    floors: Amounts = field(default_factory=dict)
    hours: Mapping[str, Hours] = field(default_factory=dict)
    outages: tuple[Outage, ...] = ()
    limits: Limits = field(default_factory=Limits)
    rates: Mapping[str, Fraction | int] = field(default_factory=dict)
    latest_s: Int64s | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.queue, Queue):
            raise InvalidField("queue", "must be a Queue", shown(self.queue))
        set_field = object.__setattr__
        set_field(self, "arrival_s", _arrivals(self.arrival_s, len(self.queue)))
        set_field(self, "balances", amounts_table(self.balances, "balances"))
        set_field(self, "floors", amounts_table(self.floors, "floors"))
        set_field(self, "hours", _hours(self.hours))
        set_field(self, "outages", _outages(self.outages))
        if not isinstance(self.limits, Limits):
            raise InvalidField("limits", "must be a Limits", shown(self.limits))
        set_field(self, "rates", make_rates(self.rates))
        if self.latest_s is not None:
            set_field(self, "latest_s", _cut_offs(self.latest_s, len(self.queue)))

    def hours_of(self, currency: str) -> Hours:
        """When ``currency`` settles on this day."""
        return self.hours.get(currency, Hours())


def _second(value: object, field_name: str) -> int:
    second = exact_integer(value, field_name, f"must be a second, an integer from 0 to {MAX_DAY_S}", minimum=0)
    if second > MAX_DAY_S:
        raise InvalidField(field_name, f"must be a second, an integer from 0 to {MAX_DAY_S}", shown(value))
    return second


def _seconds(values: ArrayLike, field_name: str, count: int) -> Int64s:
    array = np.asarray(values)
    if array.ndim != 1 or len(array) != count:
        raise InvalidField(field_name, f"must be an array of {count} seconds", f"the shape {array.shape}")
    if array.size and array.dtype.kind not in "iu":
        raise InvalidField(field_name, "must be whole seconds", f"an array of {array.dtype}")
    return array


def _frozen(array: Int64s) -> Int64s:
    copied = np.array(array, dtype=np.int64)
    copied.setflags(write=False)
    return copied


def _arrivals(values: ArrayLike, count: int) -> Int64s:
    array = _seconds(values, "arrival_s", count)
    outside = (array < 0) | (array > MAX_DAY_S)
    if outside.any():
        at = int(outside.argmax())
        raise InvalidField(child("arrival_s", at), f"must be from 0 to {MAX_DAY_S}", str(array[at]))
    falls = array[1:] < array[:-1]
    if falls.any():
        at = int(falls.argmax()) + 1
        raise InvalidField(
            child("arrival_s", at), f"must not be before its predecessor {array[at - 1]}", str(array[at])
        )
    return _frozen(array)


def _cut_offs(values: ArrayLike, count: int) -> Int64s:
    array = _seconds(values, "latest_s", count)
    if (array < 0).any():
        at = int((array < 0).argmax())
        raise InvalidField(child("latest_s", at), "must be a second >= 0, or NO_CUT_OFF", str(array[at]))
    return _frozen(np.minimum(array, NO_CUT_OFF))


def _hours(value: object) -> dict[str, Hours]:
    hours: dict[str, Hours] = {}
    for currency, span in entries(value, "hours"):
        if not isinstance(span, Hours):
            raise InvalidField(child("hours", currency), "must be Hours", shown(span))
        hours[currency] = span
    return hours


def _outages(value: Sequence[object]) -> tuple[Outage, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidField("outages", "must be a list of Outage", shown(value))
    checked: list[Outage] = []
    for number, outage in enumerate(value):
        if not isinstance(outage, Outage):
            raise InvalidField(child("outages", number), "must be an Outage", shown(outage))
        checked.append(outage)
    return tuple(checked)
