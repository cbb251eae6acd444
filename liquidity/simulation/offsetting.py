"""What a run settles: the elimination of :mod:`liquidity.elimination_kernel`, on queues that stand already.

It starts from the sums that are kept as obligations come and go, so it reads nothing but what it drops.
"""

from __future__ import annotations

import numpy as np

from liquidity.arrays import Bools, Int32s, Int64s, Records
from liquidity.compiling import compiled, inner
from liquidity.simulation.records import NOTHING, State


@compiled
def keep_lengths(state: State) -> Int32s:
    """The unique maximum of what is queued: per account, the slot before which everything settles."""
    count = len(state.accounts)
    room = np.empty(count, dtype=np.int64)
    end = np.empty(count, dtype=np.int32)
    for account in range(count):
        one = state.accounts[account]
        end[account] = one.tail
        room[account] = one.balance - one.lowest - one.queued_out + one.queued_in
    ring = np.empty(count + 1, dtype=np.int32)
    _eliminate(state.accounts, state.slots, room, end, end.copy(), ring, np.zeros(count, dtype=np.bool_))
    return end


@inner
def _eliminate(
    accounts: Records, slots: Records, room: Int64s, end: Int32s, cut: Int32s, ring: Int32s, listed: Bools
) -> None:
    """Drop from the ends of the queues while an account's room is negative or its queue reaches beyond its cut.

    ``room``: what each account may still lose if everything before ``end`` settles; ``end`` becomes that of what
    settles. ``cut``: what stands there or behind can't; at first ``end``. ``ring``, ``listed``: the accounts to look
    at.
    """
    count = len(accounts)
    dropped = count
    while dropped >= count:  # looking at all accounts in turn costs no more than what it drops
        dropped = 0
        for account in range(count):
            first, left, mine = accounts[account].head, end[account], room[account]
            while left > first and (mine < 0 or left > cut[account]):
                left -= 1
                last = slots[left]
                mine += last.amount
                room[last.payee] -= last.amount
                if last.next_account != NOTHING and last.next_slot < cut[last.next_account]:
                    cut[last.next_account] = last.next_slot
            dropped += end[account] - left
            end[account], room[account] = left, mine
    head, tail = 0, 0
    for account in range(count):
        if room[account] < 0 or cut[account] < end[account]:
            listed[account] = True
            ring[tail] = account
            tail += 1
    while head != tail:  # every turn takes an account off; one comes back only when a leg was undone
        account = ring[head]
        head = head + 1 if head < count else 0
        listed[account] = False
        first, left, mine = accounts[account].head, end[account], room[account]
        while left > first and (mine < 0 or left > cut[account]):
            left -= 1
            last = slots[left]
            mine += last.amount
            payee = last.payee
            room[payee] -= last.amount
            if room[payee] < 0 and not listed[payee]:
                listed[payee] = True
                ring[tail] = payee
                tail = tail + 1 if tail < count else 0
            other = last.next_account
            if other != NOTHING and last.next_slot < cut[other]:
                cut[other] = last.next_slot
                if not listed[other] and other != account:
                    listed[other] = True
                    ring[tail] = other
                    tail = tail + 1 if tail < count else 0
        end[account], room[account] = left, mine
