"""What the compiled day reads and writes: legs, accounts, queue slots and obligations as records, side by side.

Everything about an account fits a cache line or little more, and what dropping a queued leg needs stands in its slot,
so that a run reads queues from the end through neighbours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from liquidity.arrays import Bools, Int32s, Int64s, Records
from liquidity.compiling import compiled

NOTHING = np.int32(-1)
"""No slot, no leg, no account, no obligation."""

LEG = np.dtype(
    [
        ("amount", np.int64),
        ("rank", np.int64),
        ("payer", np.int32),
        ("payee", np.int32),
        ("obligation", np.int32),
        ("slot", np.int32),
        ("next_waiting", np.int32),
        ("waits", np.bool_),
    ],
    align=True,
)
"""A leg: the accounts it moves money between, its rank and slot in its payer's queue, whether its payer holds it back
and which leg that account holds back after it."""

ACCOUNT = np.dtype(
    [
        ("balance", np.int64),
        ("lowest", np.int64),
        ("queued_out", np.int64),
        ("queued_in", np.int64),
        ("received", np.int64),
        ("enough", np.int64),
        ("head", np.int32),
        ("tail", np.int32),
        ("first_waiting", np.int32),
        ("last_waiting", np.int32),
        ("next_to_look_at", np.int32),
        ("to_look_at", np.bool_),
        ("pays_out", np.bool_),
        ("down", np.bool_),
    ],
    align=True,
)
"""An account: money, what is queued to leave and to come, its queue's slots from ``head`` to before ``tail``, and the
legs that it holds back until it has received ``enough`` (negative: never enough) or ``pays_out``."""

SLOT = np.dtype(
    [
        ("amount", np.int64),
        ("payee", np.int32),
        ("leg", np.int32),
        ("next_account", np.int32),
        ("next_slot", np.int32),
    ],
    align=True,
)
"""A place in an account's queue: what dropping its leg needs, side by side. ``next_account`` and ``next_slot`` are
those of the obligation's next leg, after the last the first again; ``NOTHING`` if it has no other. A gap has no leg.
"""

OBLIGATION = np.dtype(
    [
        ("first", np.int32),
        ("stop", np.int32),
        ("last_s", np.int32),
        ("entered", np.int32),
        ("entered_at", np.int32),
        ("settled_at", np.int32),
        ("batch", np.int32),
        ("held_back_by", np.int32),
        ("next_entering", np.int32),
    ]
)
"""An obligation: its legs, from ``first`` to before ``stop``, and what becomes of it; ``entered`` numbers those that
entered. ``held_back_by`` counts accounts, ``next_entering`` stands behind it in the line of those released."""

CURSOR = np.dtype(
    [
        (name, np.int64)
        for name in (
            "gross",
            "queued",
            "ranked",
            "waits",
            "every_arrivals",
            "every_value",
            "currencies",
            "entry",
            "event",
            "expiry",
            "batches",
            "entered",
            "since_run",
            "joined",
            "changed",
            "runs",
            "first_to_look_at",
            "last_to_look_at",
            "first_entering",
            "last_entering",
            "operator_down",
            "missed_run",
            "now_s",
        )
    ]
)
"""The policy's rules (0 where there is no such rule), and how far the day has come."""


class Plan(NamedTuple):
    """What is known before the day, see :class:`liquidity.simulation.schedule.Schedule`, and room to write.

    ``worth``: of a minor unit, per currency. ``run_at``, ``run_batch``: for the runs. ``scratch``: an obligation each.
    """

    entry: Int64s
    entry_s: Int64s
    expiries: Int64s
    event_at: Int64s
    event: Int64s
    event_bank: Int64s
    worth: Int64s
    run_at: Int64s
    run_batch: Int64s
    scratch: Int64s


class State(NamedTuple):
    """What changes during the day, in place. Few arrays, since every function is handed them all."""

    legs: Records
    accounts: Records
    slots: Records
    obligations: Records
    at: Records


@compiled
def lay_out(
    leg_start: Int32s,
    last_s: Int64s,
    payer: Int32s,
    payee: Int32s,
    currency: Int32s,
    amount: Int64s,
    rank: Int64s,
    waits: Bools,
    width: int,
    accounts: Records,
) -> tuple[Records, Records]:
    """Legs and obligations as records; each account's ``head`` and ``tail`` at the start of its piece of the slots.

    ``rank`` and ``waits`` are empty where no leg has one.
    """
    legs = np.empty(len(amount), dtype=LEG)
    obligations = np.empty(len(leg_start) - 1, dtype=OBLIGATION)
    count = np.zeros(len(accounts) + 1, dtype=np.int32)
    for number in range(len(obligations)):
        one = obligations[number]
        one.first, one.stop, one.last_s = leg_start[number], leg_start[number + 1], last_s[number]
        one.entered = one.entered_at = one.settled_at = one.batch = one.next_entering = NOTHING
        one.held_back_by = 0
        for at in range(one.first, one.stop):
            leg = legs[at]
            leg.amount = amount[at]
            leg.payer = payer[at] * width + currency[at]
            leg.payee = payee[at] * width + currency[at]
            leg.obligation = number
            leg.slot = leg.next_waiting = NOTHING
            leg.rank = rank[at] if len(rank) > 0 else 0
            leg.waits = waits[at] if len(waits) > 0 else False
            count[leg.payer + 1] += 1
    start = np.cumsum(count)
    for account in range(len(accounts)):
        accounts[account].head = accounts[account].tail = start[account]
    return legs, obligations
