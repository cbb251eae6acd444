"""A settlement day: what is to be paid when, from which balances, while which systems are open.

Times are seconds after midnight of the settlement day, on one clock for all currencies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from liquidity.errors import InvalidField, child, shown
from liquidity.model import Amounts, Limits, Queue, amounts_table, entries, exact_integer, name
from liquidity.terms import make_rates

SECONDS_A_DAY = 86_400
"""The latest time that a day knows: midnight at its end."""

Int64s = NDArray[np.int64]


def _time(value: object, field_name: str) -> int:
    problem = f"must be seconds after midnight, 0 to {SECONDS_A_DAY}"
    seconds = exact_integer(value, field_name, problem, minimum=0)
    if seconds > SECONDS_A_DAY:
        raise InvalidField(field_name, problem, shown(value))
    return seconds


@dataclass(frozen=True, slots=True)
class Hours:
    """When one currency's settlement system is open: from ``open_s`` until before ``close_s``.

    Raises :class:`InvalidField`.
    """

    open_s: int = 0
    close_s: int = SECONDS_A_DAY

    def __post_init__(self) -> None:
        if _time(self.open_s, "open_s") >= _time(self.close_s, "close_s"):
            raise InvalidField("close_s", "must be later than open_s", shown(self.close_s))


@dataclass(frozen=True, slots=True)
class Outage:
    """A bank, or with ``None`` the operator, is out from ``from_s`` until before ``until_s``.

    Raises :class:`InvalidField`.
    """

    bank: str | None
    from_s: int
    until_s: int

    def __post_init__(self) -> None:
        if self.bank is not None:
            name(self.bank, "bank")
        if _time(self.from_s, "from_s") >= _time(self.until_s, "until_s"):
            raise InvalidField("until_s", "must be later than from_s", shown(self.until_s))


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """Obligations with their arrival, on the terms of one day.

    Attributes
    ----------
    queue
        The day's obligations in the order of their arrival.
    arrival_s
        Per obligation (n), never falling: seconds after midnight at which its payers know of it.
    balances, floors
        Opening balances, and the least each account may ever have (default 0; negative: a credit line); minor units.
    hours
        Opening hours by currency; the whole day where nothing is said.
    outages
        Of banks and of the operator.
    limits, rates
        As for :func:`liquidity.resolve`.
    latest_s
        Per obligation (n): the cut-off before which it must settle, else it never does; ``None``: none has one.

    Raises
    ------
    InvalidField
        Naming the field.
    """

    queue: Queue
    arrival_s: Int64s
    balances: Amounts
    floors: Amounts = field(default_factory=dict)
    hours: Mapping[str, Hours] = field(default_factory=dict)
    outages: Sequence[Outage] = ()
    limits: Limits = field(default_factory=Limits)
    rates: Mapping[str, Fraction | int] = field(default_factory=dict)
    latest_s: Int64s | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.queue, Queue):
            raise InvalidField("queue", "must be a Queue", shown(self.queue))
        arrival = _times(self.arrival_s, "arrival_s", len(self.queue))
        if np.any(np.diff(arrival) < 0):
            first = int(np.flatnonzero(np.diff(arrival) < 0)[0]) + 1
            raise InvalidField(f"arrival_s[{first}]", "must not be earlier than the one before", str(arrival[first]))
        object.__setattr__(self, "arrival_s", arrival)
        if self.latest_s is not None:
            object.__setattr__(self, "latest_s", _times(self.latest_s, "latest_s", len(self.queue)))
        object.__setattr__(self, "balances", amounts_table(self.balances, "balances"))
        object.__setattr__(self, "floors", amounts_table(self.floors, "floors"))
        for currency, hours in entries(self.hours, "hours"):
            if not isinstance(hours, Hours):
                raise InvalidField(child("hours", currency), "must be Hours", shown(hours))
        object.__setattr__(self, "outages", tuple(self.outages))
        for number, outage in enumerate(self.outages):
            if not isinstance(outage, Outage):
                raise InvalidField(f"outages[{number}]", "must be an Outage", shown(outage))
        if not isinstance(self.limits, Limits):
            raise InvalidField("limits", "must be a Limits", shown(self.limits))
        make_rates(self.rates)

    def hours_of(self, currency: str) -> Hours:
        """Opening hours of a currency's settlement system."""
        return self.hours.get(currency, Hours())


def _times(values: ArrayLike, field_name: str, length: int) -> Int64s:
    given = np.asarray(values)
    if given.ndim != 1 or len(given) != length:
        raise InvalidField(field_name, f"must have one entry per obligation ({length})", str(given.shape))
    if length and given.dtype.kind not in "iu":
        raise InvalidField(field_name, "must be integers", str(given.dtype))
    times = given.astype(np.int64)
    outside = np.flatnonzero((times < 0) | (times > SECONDS_A_DAY))
    if len(outside):
        at = int(outside[0])
        raise InvalidField(
            f"{field_name}[{at}]", f"must be seconds after midnight, 0 to {SECONDS_A_DAY}", str(times[at])
        )
    times.flags.writeable = False
    return times
