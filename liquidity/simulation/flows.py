"""Sums and running sums of money over a day, exact whatever their size: what the metrics are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from liquidity.arrays import Bools, Int64s
from liquidity.day import MAX_DAY_S, Day
from liquidity.model import exact_integer
from liquidity.simulation.engine import NEVER
from liquidity.simulation.schedule import LegTable, leg_table, open_and_close

if TYPE_CHECKING:
    from collections.abc import Sequence

    from liquidity.simulation.simulating import SimulationResult

Exact = NDArray[Any]
"""Whole numbers: 64-bit where every sum fits them, else Python's own (dtype object)."""

SAFE_SUM = 2**62
"""Sums estimated to stay below this are done in 64 bits; the estimate's own error is far less than the other half."""


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """A day's legs, ready to be added up.

    ``payer``, ``payee`` (m): account numbers, bank × currencies + currency. ``obligation`` (m): whose leg. ``amount``
    (m): minor units. ``ready_s`` (n): from when each obligation could settle by the calendar, the later of its
    arrival and the opening of its currencies; ``close_s`` (n): until when. ``rates``: worth per currency.
    """

    legs: LegTable
    payer: Int64s
    payee: Int64s
    obligation: Int64s
    amount: Exact
    ready_s: Int64s
    close_s: Int64s
    rates: Sequence[Fraction]

    @property
    def accounts(self) -> list[tuple[str, str]]:
        """(bank, currency) by account number."""
        return [(bank, currency) for bank in self.legs.banks for currency in self.legs.currencies]

    def worth(self, minor: Sequence[int]) -> Fraction:
        """What amounts, one per currency, are worth in the reporting currency."""
        return sum((rate * int(one) for rate, one in zip(self.rates, minor, strict=True)), Fraction(0))


def flows_of(day: Day) -> Flows:
    """The legs of a day; held obligations are no part of it, their amounts count as 0."""
    legs = leg_table(day.queue)
    width = len(legs.currencies)
    counts = np.diff(legs.leg_start)
    amount: Exact = np.array(legs.amount)
    amount[np.repeat(legs.held, counts)] = 0
    if amount.dtype != object and float(amount.sum(dtype=np.float64)) >= SAFE_SUM:
        amount = amount.astype(object)
    opens_s, close_s = open_and_close(day, legs)
    return Flows(
        legs=legs,
        payer=legs.payer.astype(np.int64) * width + legs.currency,
        payee=legs.payee.astype(np.int64) * width + legs.currency,
        obligation=np.repeat(np.arange(len(counts)), counts),
        amount=amount,
        ready_s=np.minimum(np.maximum(day.arrival_s, opens_s), close_s),
        close_s=close_s,
        rates=[Fraction(day.rates.get(currency, 1)) for currency in legs.currencies],
    )


def sums(group: Int64s, amount: Exact, count: int) -> Exact:
    """(count) the sum of the amounts of each group."""
    total: Exact = np.zeros(count, dtype=amount.dtype)
    np.add.at(total, group, amount)
    return total


def weighted_sums(group: Int64s, amount: Exact, seconds: Int64s, count: int) -> list[int]:
    """(count) the sum of amount × seconds of each group, as Python's integers."""
    estimate = float(np.sum(amount.astype(np.float64) * seconds)) if len(amount) else 0.0
    exact = amount if estimate < SAFE_SUM else amount.astype(object)
    return [int(one) for one in sums(group, exact * seconds, count)]


@dataclass(frozen=True, slots=True, eq=False)
class Extremes:
    """Per account, how far its balance fell below and rose above where it opened; both ≥ 0."""

    debit: Exact
    credit: Exact


def extremes(flows: Flows, moment: Int64s, counts: Bools) -> Extremes:
    """The largest net debit and credit of each account, if the legs that count move money at their ``moment`` (m).

    Legs of one moment move together: only what stands after the last of them is looked at.
    """
    number = len(flows.accounts)
    payer, payee, amount, when = flows.payer[counts], flows.payee[counts], flows.amount[counts], moment[counts]
    account, change = np.concatenate((payer, payee)), np.concatenate((-amount, amount))
    when = np.concatenate((when, when))
    order = np.lexsort((when, account))
    account, change, when = account[order], change[order], when[order]
    running = np.cumsum(change)
    first = np.flatnonzero(np.diff(account, prepend=-1))
    before = running[first] - change[first]
    position = running - np.repeat(before, np.diff(np.append(first, len(account))))
    last = np.ones(len(account), dtype=np.bool_)
    last[:-1] = (np.diff(account) != 0) | (np.diff(when) != 0)
    debit, credit = (np.zeros(number, dtype=flows.amount.dtype) for _ in range(2))
    np.maximum.at(debit, account[last], -position[last])
    np.maximum.at(credit, account[last], position[last])
    return Extremes(debit, credit)


def ratio(one: Fraction | int, other: Fraction | int, over_nothing: float = math.nan) -> float:
    """``one / other``, exact until it is rounded to a float; ``over_nothing`` where ``other`` is 0."""
    return float(Fraction(one) / Fraction(other)) if other else over_nothing


def is_settled(result: SimulationResult, flows: Flows) -> Bools:
    """(m) whether each leg settled."""
    settled: Bools = (result.settled_at_s != NEVER)[flows.obligation]
    return settled


def by_currency(flows: Flows, counts: Bools) -> list[int]:
    """The amounts of the legs that count, per currency."""
    width = len(flows.legs.currencies)
    return [int(one) for one in sums(flows.legs.currency[counts].astype(np.int64), flows.amount[counts], width)]


def sent_and_received(flows: Flows, counts: Bools) -> tuple[Exact, Exact]:
    """What each account sent and received by the legs that count."""
    number = len(flows.accounts)
    return sums(flows.payer[counts], flows.amount[counts], number), sums(
        flows.payee[counts], flows.amount[counts], number
    )


def account_columns(flows: Flows) -> dict[str, list[str]]:
    """The first two columns of a frame with a row per account."""
    return {"bank": [bank for bank, _ in flows.accounts], "currency": [currency for _, currency in flows.accounts]}


def used_by_currency(result: SimulationResult, flows: Flows) -> list[int]:
    """Liquidity used per currency: the sum of the peak net debits."""
    used = extremes(flows, result.batch[flows.obligation], is_settled(result, flows)).debit
    width = len(flows.legs.currencies)
    return [int(one) for one in sums(np.arange(len(used)) % width, used, width)]


def bounds(flows: Flows) -> tuple[Exact, Exact]:
    """Per account the lower and the upper bound of :func:`liquidity.metrics.liquidity_bounds`."""
    everything = np.ones(len(flows.amount), dtype=np.bool_)
    sent, received = sent_and_received(flows, everything)
    return np.maximum(sent - received, 0), extremes(flows, flows.obligation, everything).debit


def waiting_times(result: SimulationResult, flows: Flows) -> tuple[list[int], list[int], list[int]]:
    """Per currency Σ v (s − a) of everything, Σ v (T − a), and Σ v (s − a) of what settled."""
    done = result.settled_at_s != NEVER
    waited_s = np.where(done, result.settled_at_s, flows.close_s) - flows.ready_s
    width, currency = len(flows.legs.currencies), flows.legs.currency.astype(np.int64)
    owner = flows.obligation
    return (
        weighted_sums(currency, flows.amount, waited_s[owner], width),
        weighted_sums(currency, flows.amount, (flows.close_s - flows.ready_s)[owner], width),
        weighted_sums(currency, flows.amount, np.where(done, waited_s, 0)[owner], width),
    )


def last_s(day: Day, flows: Flows) -> Int64s:
    """(n) the last second at which each obligation may settle."""
    return flows.close_s if day.latest_s is None else np.minimum(flows.close_s, day.latest_s)


def samples(flows: Flows, every_s: int) -> Int64s:
    """The seconds of a curve over time, from the first that counts to the first after the last closing."""
    every_s = exact_integer(every_s, "every_s", "must be an integer > 0", minimum=1)
    first = int(flows.ready_s.min(initial=MAX_DAY_S)) // every_s * every_s
    end = int(flows.close_s.max(initial=0))
    return np.arange(first, end + every_s, every_s, dtype=np.int64)


def until(at_s: Int64s, when_s: Int64s, amount: Exact) -> Exact:
    """(len(at_s)) how much of ``amount`` had come by the end of each second; ``when_s`` needn't be sorted."""
    bucket = np.searchsorted(at_s, when_s)
    return np.cumsum(sums(bucket, amount, len(at_s) + 1)[:-1])
