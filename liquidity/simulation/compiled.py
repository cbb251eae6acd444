"""Large days: account numbers, the guard against overflow, and the compiled engine around them."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from liquidity.arrays import Int64s, QueueArrays, Records
from liquidity.day import Day
from liquidity.elimination_compiled import SAFE_SUM
from liquidity.model import NO_PRIORITY, Limits, Queue
from liquidity.simulation import kernel, records
from liquidity.simulation.engine import NEVER, Trace
from liquidity.simulation.policies import PERCENT, Policy
from liquidity.simulation.runs import chosen
from liquidity.simulation.schedule import LegTable, Schedule
from liquidity.terms import lowest_closing, make_terms

DENSE_ACCOUNTS = 1_000_000
"""Every bank × currency has its cache line, 64 MB at this size; a sparser day takes the exact engine."""


def settle_day(day: Day, policy: Policy, schedule: Schedule, seed: int) -> Trace | None:
    """What happens on ``day``; ``None`` when the compiled engine can't do it, and the exact one must.

    That is with bilateral limits, with sums that might not fit 64 bits, and with far more accounts than are used.
    """
    legs, arrays = schedule.legs, day.queue.arrays()
    width = max(len(legs.currencies), 1)
    names = len(legs.banks) * width
    if arrays is None or day.limits.bilateral or names > DENSE_ACCOUNTS:
        return None
    accounts = _accounts(day, legs)
    worth = _worth(day, policy, legs)
    if accounts is None or worth is None:
        return None
    waits = _make_wait(accounts, legs, arrays, schedule)
    leg_records, obligations = records.lay_out(
        legs.leg_start,
        schedule.last_s,
        legs.payer,
        legs.payee,
        legs.currency,
        arrays.amount,
        _ranks(arrays, policy),
        schedule.waits,
        width,
        accounts,
    )
    dynamic = policy.every_arrivals is not None or policy.every_value is not None
    ever = len(schedule.event_at) + (len(schedule.entry) if dynamic else 0)  # each run follows an event or an entry
    plan = records.Plan(
        entry=schedule.entry,
        entry_s=schedule.entry_s,
        expiries=schedule.expiries,
        event_at=schedule.event_at,
        event=schedule.event,
        event_bank=schedule.event_bank,
        worth=worth[0],
        run_at=np.empty(ever, dtype=np.int64),
        run_batch=np.empty(ever, dtype=np.int64),
        scratch=np.empty(len(obligations), dtype=np.int64),
    )
    slots = np.empty(len(leg_records), dtype=records.SLOT)
    state = records.State(leg_records, accounts, slots, obligations, _cursor(policy, worth[1], waits, width))
    while kernel.advance(plan, state) == kernel.RUN_DUE:  # each time at an event or an entry of its own
        now_s = int(state.at["now_s"][0])
        if policy.resolver is None:
            kernel.settle_greatest(plan, state, now_s)
        else:
            queued = kernel.queued(plan, state)
            settling = _resolved(day, policy, legs, state, queued, seed) if len(queued) else queued
            kernel.settle_together(plan, state, settling, now_s)
    runs = int(state.at["runs"][0])
    return Trace(
        entered_at_s=obligations["entered_at"].astype(np.int64),
        settled_at_s=obligations["settled_at"].astype(np.int64),
        batch=obligations["batch"].astype(np.int64),
        run_at_s=plan.run_at[:runs].copy(),
        run_batch=plan.run_batch[:runs].copy(),
    )


def _accounts(day: Day, legs: LegTable) -> Records | None:
    """The accounts as they open; ``None`` when sums might leave 64 bits whatever settles."""
    terms = make_terms(day.balances, day.floors, day.limits)
    names = [(bank, currency) for bank in legs.banks for currency in legs.currencies]
    opening = [terms.opening.get(account, 0) for account in names]
    lowest = [lowest_closing(terms, account) for account in names]
    gross = int(np.sum(legs.amount, dtype=np.float64))
    most = max((abs(amount) for table in (opening, lowest) for amount in table), default=0)
    if 2 * (gross + most) >= SAFE_SUM:
        return None
    accounts = np.zeros(len(names), dtype=records.ACCOUNT)
    accounts["balance"], accounts["lowest"] = opening, lowest
    accounts["enough"] = accounts["first_waiting"] = accounts["last_waiting"] = NEVER
    return accounts


def _worth(day: Day, policy: Policy, legs: LegTable) -> tuple[Int64s, int] | None:
    """Integer worth of a minor unit per currency and the value that makes a run due, on one scale."""
    if policy.every_value is None:
        return np.zeros(0, dtype=np.int64), 0
    rates = [day.rates.get(currency, 1) for currency in legs.currencies]
    scale = int(np.lcm.reduce([rate.denominator for rate in rates], dtype=object)) if rates else 1
    worth = [int(rate * scale) for rate in rates]
    due = policy.every_value * scale
    if due + max(worth, default=0) * int(np.sum(legs.amount, dtype=np.float64)) >= SAFE_SUM:
        return None
    return np.array(worth, dtype=np.int64), due


def _ranks(arrays: QueueArrays, policy: Policy) -> Int64s:
    """Per leg, where it stands in its payer's queue before entry decides; empty when only entry does.

    See :func:`liquidity.elimination.rank_in`: the most urgent of the obligation's legs from the same account counts.
    """
    if policy.order == "fifo" or (arrays.priority is None and arrays.leg_priority is None):
        return np.zeros(0, dtype=np.int64)
    size = len(arrays.amount)
    own = np.full(size, NO_PRIORITY) if arrays.priority is None else arrays.priority[arrays.leg_obligation]
    if arrays.leg_priority is None:
        return own
    rank = np.where(arrays.leg_priority == NO_PRIORITY, own, arrays.leg_priority)
    account = arrays.payer.astype(np.int64) * len(arrays.currencies) + arrays.currency
    by_entry = np.lexsort((account, arrays.leg_obligation))
    starts = np.ones(size, dtype=np.bool_)
    starts[1:] = (np.diff(arrays.leg_obligation[by_entry]) != 0) | (np.diff(account[by_entry]) != 0)
    first = np.flatnonzero(starts)
    most_urgent = np.minimum.reduceat(rank[by_entry], first)
    rank[by_entry] = np.repeat(most_urgent, np.diff(np.append(first, size)))
    return rank


def _cursor(policy: Policy, value_due: int, waits: bool, width: int) -> Records:
    at = np.zeros(1, dtype=records.CURSOR)
    at["gross"], at["queued"], at["ranked"] = policy.gross, policy.queued, policy.order == "priority"
    at["waits"], at["currencies"] = waits, width
    at["every_arrivals"], at["every_value"] = policy.every_arrivals or 0, value_due
    at["first_to_look_at"] = at["first_entering"] = records.NOTHING
    return at


def _make_wait(accounts: Records, legs: LegTable, arrays: QueueArrays, schedule: Schedule) -> bool:
    """Write down how much each account that holds payments back must have received; whether any does."""
    if not len(schedule.waits):
        return False
    width = len(legs.currencies)
    to_pay = np.zeros(len(accounts), dtype=np.int64)
    counts = ~np.repeat(legs.held, np.diff(legs.leg_start))
    np.add.at(to_pay, (legs.payer * np.int64(width) + legs.currency)[counts], arrays.amount[counts])
    percent = np.repeat(schedule.enough, width).tolist()
    accounts["enough"] = [
        NEVER if share < 0 else -(-amount * share // PERCENT)
        for amount, share in zip(to_pay.tolist(), percent, strict=True)
    ]
    return True


def _resolved(day: Day, policy: Policy, legs: LegTable, state: records.State, numbers: Int64s, seed: int) -> Int64s:
    """Which of the queued obligations a resolver outside the kernel settles, in order of entry."""
    arrays = day.queue.arrays()
    assert arrays is not None
    counts = np.diff(legs.leg_start)[numbers]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen_legs = np.repeat(legs.leg_start[numbers], counts) + within
    ids = [day.queue.ids[number] for number in numbers.tolist()]
    waiting = Queue.from_arrays(
        banks=legs.banks,
        currencies=legs.currencies,
        payer=legs.payer[chosen_legs],
        payee=legs.payee[chosen_legs],
        currency=legs.currency[chosen_legs],
        amount=legs.amount[chosen_legs],
        obligation=np.repeat(np.arange(len(numbers)), counts),
        priority=None if arrays.priority is None else arrays.priority[numbers],
        leg_priority=None if arrays.leg_priority is None else arrays.leg_priority[chosen_legs],
        ids=ids,
    )
    balances: dict[str, dict[str, int]] = defaultdict(dict)
    floors: dict[str, dict[str, int]] = defaultdict(dict)
    names = ((bank, currency) for bank in legs.banks for currency in legs.currencies)
    for (bank, currency), balance, lowest in zip(
        names, state.accounts["balance"].tolist(), state.accounts["lowest"].tolist(), strict=True
    ):
        balances[bank][currency], floors[bank][currency] = balance, lowest
    settled = set(chosen(waiting, balances, floors, Limits(), day, policy, seed))
    return numbers[np.array([one in settled for one in ids], dtype=np.bool_)]
