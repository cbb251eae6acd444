"""The elimination of :mod:`liquidity.elimination`, compiled, over flat arrays: the same answer at memory speed.

Every paying account's queue lies in one piece of memory, first to settle first, so dropping from its end reads
backwards through neighbours instead of jumping about; what is looked up at random, the accounts, fits the cache.
What is kept is a *length* per account. A leg is undone when its own account's queue is cut below it, and only then;
a leg that discharges together with others passes the cut on to the next of them, around the circle of the
obligation's legs. Nothing else is marked, sorted or searched.

Why that gives the same answer: the unique maximum is a vector of lengths; the lengths here start above it and only
ever shrink by steps that it obeys too (a shortage that no longer queue could heal, a cut that another leg of the same
obligation passed on). When no step is left, they are the maximum. Each leg is undone once, so time and memory are
O(legs + accounts).

All sums must fit 64 bits: the caller makes sure (:mod:`liquidity.elimination_compiled`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from liquidity.arrays import Bools, Floats, Int32s, Int64s
from liquidity.compiling import compiled

Entries = NDArray[np.void]

NOTHING = np.int32(-1)
"""No other leg in this obligation, no limit on this leg."""

NOWHERE = np.int32(2**31 - 1)
"""The place of a held leg: behind the end of every queue."""

ENTRY = np.dtype(
    [
        ("amount", np.int64),
        ("payee", np.int32),
        ("leg", np.int32),
        ("next_account", np.int32),
        ("next_place", np.int32),
    ]
)
"""A leg as it stands in its payer's queue: what undoing it needs, side by side. ``next_account`` and ``next_place``
are the account and place of the obligation's next leg, after the last the first again."""


@compiled
def add_up(
    order: Int32s,
    leg_obligation: Int32s,
    payer: Int32s,
    payee: Int32s,
    amount: Int64s,
    held: Bools,
    accounts: int,
) -> tuple[Int32s, Int32s, Int64s, Int64s, Floats]:
    """What each account does if everything that isn't held settles, and where each leg stands in its payer's queue.

    Returns
    -------
    place
        Per leg: how many stand before it in its payer's queue; ``NOWHERE`` if it is held.
    length, paid, received
        Per account: legs it pays, and their amounts and those of the legs it receives, held ones left out. The
        amounts are right if ``gross`` is within what 64 bits hold.
    gross
        Per account, about: all amounts paid and received, held ones included.
    """
    place = np.empty(len(amount), dtype=np.int32)
    length = np.zeros(accounts, dtype=np.int32)
    paid = np.zeros(accounts, dtype=np.int64)
    received = np.zeros(accounts, dtype=np.int64)
    gross = np.zeros(accounts, dtype=np.float64)
    in_arrival_order = len(order) == 0
    for at in range(len(amount)):
        leg = np.int32(at) if in_arrival_order else order[at]
        account, other, moved = payer[leg], payee[leg], amount[leg]
        gross[account] += moved
        gross[other] += moved
        if held[leg_obligation[leg]]:
            place[leg] = NOWHERE
        else:
            place[leg] = length[account]
            length[account] += 1
            paid[account] += moved
            received[other] += moved
    return place, length, paid, received, gross


@compiled
def _line_up(
    start: Int32s, leg_start: Int32s, payer: Int32s, payee: Int32s, amount: Int64s, place: Int32s, queued: Entries
) -> None:
    """Write every leg that isn't held to its place in its payer's queue, which begins at ``start``."""
    for obligation in range(len(leg_start) - 1):
        first, stop = leg_start[obligation], leg_start[obligation + 1]
        if place[first] == NOWHERE:
            continue
        if stop == first + 1:  # most are transfers, and a loop over one leg isn't free
            at = start[payer[first]] + place[first]
            queued[at].amount = amount[first]
            queued[at].payee = payee[first]
            queued[at].leg = first
            queued[at].next_account = NOTHING
            continue
        for leg in range(first, stop):
            following = leg + 1 if leg + 1 < stop else first
            at = start[payer[leg]] + place[leg]
            queued[at].amount = amount[leg]
            queued[at].payee = payee[leg]
            queued[at].leg = leg
            queued[at].next_account = payer[following]
            queued[at].next_place = place[following]


@compiled
def _count_limits(
    payer: Int32s,
    amount: Int64s,
    place: Int32s,
    forth: Int32s,
    back: Int32s,
    limit: Int64s,
    limit_payer: Int32s,
    outflow: Int64s,
    over: Int32s,
) -> None:
    """Net outflow of each limited pair, and how many of its limits each account is over."""
    for leg in range(len(forth)):
        if place[leg] != NOWHERE:
            if forth[leg] != NOTHING:
                outflow[forth[leg]] += amount[leg]
            if back[leg] != NOTHING:
                outflow[back[leg]] -= amount[leg]
    for pair in range(len(limit)):
        if outflow[pair] > limit[pair]:
            over[limit_payer[pair]] += 1


@compiled
def _undo_limits(
    forth: int,
    back: int,
    paid: np.int64,
    limit: Int64s,
    limit_payer: Int32s,
    outflow: Int64s,
    over: Int32s,
) -> None:
    """An undone leg lowers its payer's net outflow and raises its payee's."""
    if forth != NOTHING:
        if limit[forth] < outflow[forth] <= limit[forth] + paid:
            over[limit_payer[forth]] -= 1
        outflow[forth] -= paid
    if back != NOTHING:
        if limit[back] - paid < outflow[back] <= limit[back]:
            over[limit_payer[back]] += 1
        outflow[back] += paid


@compiled
def eliminate(
    place: Int32s,
    length: Int32s,
    leg_start: Int32s,
    payer: Int32s,
    payee: Int32s,
    amount: Int64s,
    slack: Int64s,
    paid: Int64s,
    forth: Int32s,
    back: Int32s,
    limit: Int64s,
    limit_payer: Int32s,
) -> Bools:
    """Which obligations settle; ``length``, ``slack`` and ``paid`` become those of what settles.

    Parameters
    ----------
    place, length, paid
        From :func:`add_up`.
    payer, payee
        Account of each leg.
    slack
        Per account: its balance if everything settles, less the least at which it may close.
    forth, back
        Per leg: the limited pair whose outflow it raises, lowers; ``NOTHING`` for none. Empty without limits.
    limit, limit_payer
        Per limited pair: its limit, and the paying account.
    """
    accounts = len(length)
    start = np.zeros(accounts + 1, dtype=np.int32)
    start[1:] = np.cumsum(length)
    queued = np.empty(start[accounts], dtype=ENTRY)
    _line_up(start, leg_start, payer, payee, amount, place, queued)
    limited = len(forth) > 0
    outflow = np.zeros(len(limit), dtype=np.int64)
    over = np.zeros(accounts, dtype=np.int32)
    if limited:
        _count_limits(payer, amount, place, forth, back, limit, limit_payer, outflow, over)

    cut = length.copy()  # what stands here or behind can't settle
    suspects = np.arange(accounts + 1).astype(np.int32)  # a ring in which each account stands at most once
    waiting = np.ones(accounts, dtype=np.bool_)
    head, tail = 0, accounts
    while head != tail:  # every turn takes an account off; one comes back only when a leg was undone
        account = suspects[head]
        head = head + 1 if head < accounts else 0
        waiting[account] = False
        first, left, room, undone = start[account], length[account], slack[account], 0
        while left > 0 and (room < 0 or left > cut[account] or (limited and over[account] > 0)):
            left -= 1
            last = queued[first + left]
            moved, loser = last.amount, last.payee
            room += moved
            undone += moved
            slack[loser] -= moved
            if limited:
                _undo_limits(forth[last.leg], back[last.leg], moved, limit, limit_payer, outflow, over)
            short = slack[loser] < 0 or (limited and over[loser] > 0)
            suspects[tail] = loser  # always written and sometimes counted: no branch that the processor must guess
            tail += int(short and not waiting[loser])
            tail = tail if tail <= accounts else 0
            waiting[loser] |= short
            other = last.next_account
            if other != NOTHING and last.next_place < cut[other]:
                cut[other] = last.next_place
                if not waiting[other] and other != account:
                    waiting[other] = True
                    suspects[tail] = other
                    tail = tail + 1 if tail < accounts else 0
        paid[account] -= undone
        length[account], slack[account] = left, room

    kept = np.empty(len(leg_start) - 1, dtype=np.bool_)
    for obligation in range(len(kept)):
        leg = leg_start[obligation]
        kept[obligation] = place[leg] < length[payer[leg]]
    return kept
