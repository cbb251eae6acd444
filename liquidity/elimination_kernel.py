"""The elimination of :mod:`liquidity.elimination`, compiled, over flat arrays: the same answer at memory speed.

An account's queue is a linked list through its legs, last leg first, built in one pass over the legs in queue order.
Dropping pops from the tail; what is queued behind a dropped leg is remembered as one cut per account, so nothing is
sorted and nothing is searched. Time and memory are O(legs + accounts).

All sums must fit 64 bits: the caller makes sure (:mod:`liquidity.elimination_compiled`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]
_F = TypeVar("_F", bound="Callable[..., Any]")

NOTHING = np.int32(-1)
"""No leg before this one, no limit on this leg."""


def _compiled(function: _F) -> _F:
    """``function`` as machine code; kept on disk where that is possible, so that a second start is quick."""
    try:
        return cast(_F, njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba finds no folder that it may write to
        return cast(_F, njit(nogil=True)(function))


@_compiled
def _queue_up(
    order: Int32s,
    leg_obligation: Int32s,
    payer: Int32s,
    payee: Int32s,
    amount: Int64s,
    kept: Bools,
    balance: Int64s,
    before: Int32s,
    tail: Int32s,
    rank: Int32s,
) -> None:
    """Link each account's queue and settle everything that isn't held. An empty ``order`` is arrival."""
    in_arrival_order = len(order) == 0
    for at in range(len(amount)):
        leg = np.int32(at) if in_arrival_order else order[at]
        if not in_arrival_order:
            rank[leg] = at
        if kept[leg_obligation[leg]]:
            account = payer[leg]
            balance[account] -= amount[leg]
            balance[payee[leg]] += amount[leg]
            before[leg] = tail[account]
            tail[account] = leg


@_compiled
def _count_limits(
    leg_obligation: Int32s,
    payer: Int32s,
    amount: Int64s,
    kept: Bools,
    forth: Int32s,
    back: Int32s,
    limit: Int64s,
    limit_payer: Int32s,
    outflow: Int64s,
    over: Int32s,
) -> None:
    """Net outflow of each limited pair, and how many of its limits each account is over."""
    for leg in range(len(forth)):
        if kept[leg_obligation[leg]]:
            if forth[leg] != NOTHING:
                outflow[forth[leg]] += amount[leg]
            if back[leg] != NOTHING:
                outflow[back[leg]] -= amount[leg]
    for pair in range(len(limit)):
        if outflow[pair] > limit[pair]:
            over[limit_payer[pair]] += 1


@_compiled
def _undo_limits(
    leg: int,
    paid: np.int64,
    payer: Int32s,
    payee: Int32s,
    forth: Int32s,
    back: Int32s,
    limit: Int64s,
    outflow: Int64s,
    over: Int32s,
) -> None:
    """A dropped leg lowers its payer's net outflow and raises its payee's."""
    pair = forth[leg]
    if pair != NOTHING:
        if limit[pair] < outflow[pair] <= limit[pair] + paid:
            over[payer[leg]] -= 1
        outflow[pair] -= paid
    pair = back[leg]
    if pair != NOTHING:
        if limit[pair] - paid < outflow[pair] <= limit[pair]:
            over[payee[leg]] += 1
        outflow[pair] += paid


@_compiled
def eliminate(
    order: Int32s,
    leg_start: Int32s,
    leg_obligation: Int32s,
    payer: Int32s,
    payee: Int32s,
    amount: Int64s,
    held: Bools,
    opening: Int64s,
    lowest: Int64s,
    forth: Int32s,
    back: Int32s,
    limit: Int64s,
    limit_payer: Int32s,
) -> tuple[Bools, Int64s]:
    """Which obligations settle, and the closing balance of each account.

    Parameters
    ----------
    order
        Legs by (priority, arrival); empty for arrival alone.
    payer, payee
        Account of each leg.
    opening, lowest
        Per account: opening balance, and the least at which it may close.
    forth, back
        Per leg: the limited pair whose outflow it raises, lowers; ``NOTHING`` for none. Empty without limits.
    limit, limit_payer
        Per limited pair: its limit, and the paying account.
    """
    accounts = len(opening)
    legs = len(amount)
    arrival = len(order) == 0
    limited = len(forth) > 0
    kept = ~held
    balance = opening.copy()
    before = np.empty(legs, dtype=np.int32)
    tail = np.full(accounts, NOTHING, dtype=np.int32)
    rank = np.empty(len(order), dtype=np.int32)
    _queue_up(order, leg_obligation, payer, payee, amount, kept, balance, before, tail, rank)
    outflow = np.zeros(len(limit), dtype=np.int64)
    over = np.zeros(accounts, dtype=np.int32)
    if limited:
        _count_limits(leg_obligation, payer, amount, kept, forth, back, limit, limit_payer, outflow, over)

    cut = np.full(accounts, legs, dtype=np.int32)  # nothing at this rank or behind it can settle
    suspects = np.arange(accounts).astype(np.int32)  # a stack in which each account stands at most once
    waiting = np.ones(accounts, dtype=np.bool_)
    height = accounts
    while height > 0:  # every turn takes an account off; one comes back only when an obligation was dropped
        height -= 1
        account = suspects[height]
        waiting[account] = False
        while tail[account] != NOTHING:
            last = tail[account]
            last_rank = last if arrival else rank[last]
            if balance[account] >= lowest[account] and over[account] == 0 and last_rank < cut[account]:
                break
            tail[account] = before[last]
            obligation = leg_obligation[last]
            if not kept[obligation]:
                continue
            kept[obligation] = False
            for leg in range(leg_start[obligation], leg_start[obligation + 1]):
                paid = amount[leg]
                balance[payer[leg]] += paid
                balance[payee[leg]] -= paid
                if limited:
                    _undo_limits(leg, paid, payer, payee, forth, back, limit, outflow, over)
                leg_rank = np.int32(leg) if arrival else rank[leg]
                cut[payer[leg]] = min(cut[payer[leg]], leg_rank)
                for touched in (payer[leg], payee[leg]):
                    if touched != account and not waiting[touched]:
                        waiting[touched] = True
                        suspects[height] = touched
                        height += 1
    return kept, balance
