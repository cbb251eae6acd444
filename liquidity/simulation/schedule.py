"""Everything about a day that is known before it starts: who enters when, until when it may settle, what else happens.

Both engines read this, so that hours, cut-offs, outages and delays mean the same to both. What happens in the same
second happens in the order of :class:`Phase`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from liquidity.arrays import Bools, Int32s, Int64s
from liquidity.day import MAX_DAY_S, Day, Outage
from liquidity.model import Queue
from liquidity.simulation.policies import PERCENT, Policy


class Phase(IntEnum):
    """What comes first within a second."""

    STATE = 0
    ENTRY = 1
    RUN = 2
    EXPIRY = 3


PHASES = len(Phase)
"""A moment is ``second * PHASES + phase``: one number to sort and compare by."""


class Event(IntEnum):
    """What happens at a known moment besides entries and expiries."""

    OPERATOR_DOWN = 0
    OPERATOR_BACK = 1
    BANK_DOWN = 2
    BANK_BACK = 3
    BANK_GIVES_UP_WAITING = 4
    RUN = 5


@dataclass(frozen=True, slots=True, eq=False)
class LegTable:
    """A queue's legs in columns; ``amount`` holds Python integers (dtype object) where 64 bits don't do."""

    banks: tuple[str, ...]
    currencies: tuple[str, ...]
    leg_start: Int32s
    payer: Int32s
    payee: Int32s
    currency: Int32s
    amount: NDArray[np.generic]
    held: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """``n`` obligations, ``m`` legs, ``k`` events.

    ``entry`` are the obligations that can enter, in order of entry, ``entry_s`` when. ``last_s`` (n) is the last
    second at which each may settle, ``expiries`` are those that may still be queued then, by that second. ``event_at``
    (k) are moments, never falling, ``event`` (k) says what, ``event_bank`` (k) whose (−1: nobody's). ``waits`` (m)
    marks the legs whose payer holds them back (empty if none does), until it has received ``enough[bank]`` percent of
    its day's payments (−1: only the clock counts).
    """

    legs: LegTable
    entry: Int64s
    entry_s: Int64s
    last_s: Int64s
    expiries: Int64s
    event_at: Int64s
    event: Int64s
    event_bank: Int64s
    waits: Bools
    enough: Int64s


def leg_table(queue: Queue) -> LegTable:
    """A queue's legs in columns, whatever the size of its amounts."""
    arrays = queue.arrays()
    if arrays is not None:
        return LegTable(
            arrays.banks,
            arrays.currencies,
            arrays.leg_start,
            arrays.payer,
            arrays.payee,
            arrays.currency,
            arrays.amount,
            arrays.held,
        )
    legs = [leg for obligation in queue for leg in obligation.legs]
    banks = {bank: at for at, bank in enumerate(dict.fromkeys(b for leg in legs for b in (leg.payer, leg.payee)))}
    currencies = {code: at for at, code in enumerate(dict.fromkeys(leg.currency for leg in legs))}
    return LegTable(
        tuple(banks),
        tuple(currencies),
        np.cumsum([0] + [len(obligation.legs) for obligation in queue]).astype(np.int32),
        np.array([banks[leg.payer] for leg in legs], dtype=np.int32),
        np.array([banks[leg.payee] for leg in legs], dtype=np.int32),
        np.array([currencies[leg.currency] for leg in legs], dtype=np.int32),
        np.array([leg.amount for leg in legs], dtype=object),
        np.array([obligation.held for obligation in queue], dtype=np.bool_),
    )


def make_schedule(day: Day, policy: Policy, seed: int) -> Schedule:
    """The day's schedule under ``policy``; ``seed`` draws which payments the waiting banks hold back."""
    legs = leg_table(day.queue)
    opens_s, closes_s = open_and_close(day, legs)
    last_s = closes_s if day.latest_s is None else np.minimum(closes_s, day.latest_s)
    open_s = ready_s = np.maximum(day.arrival_s, opens_s)
    down = {bank: _merged([o for o in day.outages if o.bank == bank]) for bank in {o.bank for o in day.outages}}
    for bank, spans in down.items():
        if bank in legs.banks:
            ready_s = np.maximum(ready_s, _pushed_out(open_s, _pays(legs, legs.banks.index(bank)), spans))
    enters = np.flatnonzero((ready_s <= last_s) & ~legs.held)
    in_order = np.argsort(ready_s[enters], kind="stable")
    entry = enters[in_order].astype(np.int64)
    end_s = int(closes_s.max(initial=0))
    waits, enough, gives_up = _waiting(policy, legs, seed)
    events = _run_events(policy, int(opens_s.min(initial=MAX_DAY_S)), end_s) + _outage_events(down, legs.banks)
    events += [
        (_back_s(second, down.get(legs.banks[bank], [])) * PHASES, Event.BANK_GIVES_UP_WAITING, bank)
        for bank, second in gives_up
    ]
    events.sort()
    still_s = max(end_s, events[-1][0] // PHASES if events else 0)
    expiring = entry[last_s[entry] < still_s]
    columns = np.array(events, dtype=np.int64).reshape(-1, 3)
    return Schedule(
        legs=legs,
        entry=entry,
        entry_s=np.ascontiguousarray(ready_s[entry]),
        last_s=last_s,
        expiries=expiring[np.argsort(last_s[expiring], kind="stable")],
        event_at=columns[:, 0].copy(),
        event=columns[:, 1].copy(),
        event_bank=columns[:, 2].copy(),
        waits=waits,
        enough=enough,
    )


def open_and_close(day: Day, legs: LegTable) -> tuple[Int64s, Int64s]:
    """(n) first and last second at which all currencies of each obligation are open."""
    hours = [day.hours_of(currency) for currency in legs.currencies]
    obligations = len(legs.leg_start) - 1
    if len({(span.open_s, span.close_s) for span in hours}) <= 1:  # one calendar: no need to look at every leg
        span = hours[0] if hours else day.hours_of("")
        return np.full(obligations, span.open_s), np.full(obligations, span.close_s)
    opens = np.array([span.open_s for span in hours], dtype=np.int64)[legs.currency]
    closes = np.array([span.close_s for span in hours], dtype=np.int64)[legs.currency]
    first = legs.leg_start[:-1]
    return np.maximum.reduceat(opens, first), np.minimum.reduceat(closes, first)


def _pays(legs: LegTable, bank: int) -> Bools:
    """(n) whether ``bank`` pays a leg of each obligation."""
    return np.logical_or.reduceat(legs.payer == bank, legs.leg_start[:-1])


def _merged(outages: Sequence[Outage]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for outage in sorted(outages, key=lambda outage: outage.from_s):
        if spans and outage.from_s <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], outage.until_s))
        else:
            spans.append((outage.from_s, outage.until_s))
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    return spans


def _back_s(second: int, spans: list[tuple[int, int]]) -> int:
    for from_s, until_s in spans:
        if from_s <= second < until_s:
            return until_s
    return second


def _pushed_out(ready_s: Int64s, mask: Bools, spans: list[tuple[int, int]]) -> Int64s:
    for from_s, until_s in spans:
        hit = mask & (ready_s >= from_s) & (ready_s < until_s)
        ready_s = np.where(hit, until_s, ready_s)
    return ready_s


def _run_events(policy: Policy, start_s: int, end_s: int) -> list[tuple[int, int, int]]:
    seconds = set(policy.at_s)
    if policy.every_s is not None:
        seconds |= set(range(start_s + policy.every_s, end_s + 1, policy.every_s))
    return [(second * PHASES + Phase.RUN, int(Event.RUN), -1) for second in seconds]


def _outage_events(down: dict[str | None, list[tuple[int, int]]], banks: Sequence[str]) -> list[tuple[int, int, int]]:
    events: list[tuple[int, int, int]] = []
    for bank, spans in down.items():
        if bank is not None and bank not in banks:
            continue
        number = -1 if bank is None else banks.index(bank)
        begins, ends = (
            (Event.OPERATOR_DOWN, Event.OPERATOR_BACK) if bank is None else (Event.BANK_DOWN, Event.BANK_BACK)
        )
        for from_s, until_s in spans:
            events += [(from_s * PHASES, begins, number), (until_s * PHASES, ends, number)]
    return events


def _waiting(policy: Policy, legs: LegTable, seed: int) -> tuple[Bools, Int64s, list[tuple[int, int]]]:
    """Which legs are held back, from what percentage on no longer, and (bank, second) at which each gives up."""
    if not policy.delays:
        return np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64), []
    rules = {delay.bank: delay for delay in policy.delays}
    by_bank = [rules.get(bank, rules.get(None)) for bank in legs.banks]
    share = np.array([0 if rule is None else rule.share_percent for rule in by_bank], dtype=np.int64)
    drawn = np.random.default_rng(seed).integers(0, PERCENT, size=len(legs.payer))
    enough = [-1 if rule is None or rule.received_percent is None else rule.received_percent for rule in by_bank]
    gives_up = [(bank, rule.until_s) for bank, rule in enumerate(by_bank) if rule is not None]
    return drawn < share[legs.payer], np.array(enough, dtype=np.int64), gives_up
