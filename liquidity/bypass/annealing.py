"""Annealing: from a set that overdraws a little to one that may settle and is worth nearly as much.

Dropping what overdraws does not do: where liquidity is scarce, what a bank drops its payee lacks, and the loss runs
through the whole network. So columns are flipped in and out at random. A flip that gains is kept, one that loses with
a probability that falls as it cools (Kirkpatrick, Gelatt, Vecchi, Science 220, 1983); an overdraft costs a price per
unit. Cooling settles large obligations first and small ones last, as they balance what the large ones leave.

It takes rounds. After each, rows that are still overdrawn get dearer. One that stays so can't be cured by flips one at
a time: the least harmful flip that cures it is forced, for good, and the next round mends what that overdraws.
Fractions guide; whether a set may settle is decided in exact integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquidity.arrays import Bools, Floats, Int32s, Int64s
from liquidity.bypass.budget import Budget
from liquidity.bypass.kernels import slack_of
from liquidity.bypass.state import Mender, State, made_valid
from liquidity.compiling import compiled
from liquidity.program import Program

HEATS = (0.1, 0.5, 2.0, 6.0)
"""Where cooling begins, in payments of mean worth. Little heat keeps most of the set that was given, but where little
liquidity leaves no other way, more of it has to be taken apart."""

COLD = 0.0005
"""Where cooling ends: less than the smallest payments of interest are worth."""

ROUNDS = 40
"""Of each heat. Where that many don't lead to a valid set, more seldom do. Many short ones end sooner than few long."""

ROUNDS_PER_CALL = 8
"""So many take about as long as a solver call, by which work is limited."""

LOOKED_AT = 4
FEW_SHORT = 0.05
"""After so many rounds a heat is given up if a larger share of the rows is still overdrawn."""

FLIPS_PER_COLUMN = 30
MOST_FLIPS = 3_000_000
"""Of a round: a quarter of a second, or two where memory is far."""

FLIPS_PER_COOLING = 1000

PRICE = 10.0
"""Of a unit of overdraft, in units of what payments through that row are worth."""

DEARER = 1.5
DEAREST = 25.0
"""Times the price after a round, and the price from which a flip is forced."""

KEPT_BACK = 0.01
KEPT_BACK_SHARE = 0.25
"""Room not used on purpose, in mean payments, but never more than this share: flips end a little beside their aim."""

HARM = 3.0
"""Price of what a forced flip overdraws elsewhere: the next round mends most of it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scaled:
    """The program in units of a mean payment: ``change`` (entries), ``room`` to aim at, ``worth``, and users by row."""

    change: Floats
    aim: Floats
    worth: Floats
    row_start: Int64s
    users: Int64s


def _scaled(program: Program, scale: Floats) -> _Scaled:
    mean = float(program.worth.mean())
    change = program.change * (scale[program.row] / mean)
    room = program.room * (scale / mean)
    column = np.repeat(np.arange(len(program.worth)), np.diff(program.start))
    order = np.argsort(program.row, kind="stable")
    return _Scaled(
        change=change,
        aim=room - np.clip(KEPT_BACK_SHARE * room, 0.0, KEPT_BACK),
        worth=program.worth / mean,
        row_start=np.searchsorted(program.row[order], np.arange(len(room) + 1)).astype(np.int64),
        users=column[order],
    )


@compiled
def flip_around(
    start: Int64s,
    row: Int32s,
    change: Floats,
    worth: Floats,
    price: Floats,
    frozen: Bools,
    chosen: Bools,
    slack: Floats,
    hot: float,
    cold: float,
    flips: int,
    seed: int,
) -> None:
    """Flip columns in ``chosen`` while it cools from ``hot`` to ``cold``; ``slack`` follows, both in place."""
    np.random.seed(seed)
    heat = hot
    cooling = (cold / hot) ** (FLIPS_PER_COOLING / flips)
    for flip in range(flips):
        if flip % FLIPS_PER_COOLING == 0:
            heat *= cooling
        column = np.random.randint(len(chosen))
        if frozen[column]:
            continue
        sign = -1.0 if chosen[column] else 1.0
        gain = sign * worth[column]
        for entry in range(start[column], start[column + 1]):
            left = slack[row[entry]]
            gain -= price[row[entry]] * (min(0.0, left) - min(0.0, left - sign * change[entry]))
        if gain >= 0.0 or np.random.random() < np.exp(gain / heat):
            chosen[column] = not chosen[column]
            for entry in range(start[column], start[column + 1]):
                slack[row[entry]] -= sign * change[entry]


def _cure(program: Program, scaled: _Scaled, short: int, frozen: Bools, chosen: Bools, slack: Floats) -> None:
    """Flip, for good, the column that makes up for what ``short`` lacks at the least harm, if there is one."""
    best, most = -1, -np.inf
    for column in scaled.users[scaled.row_start[short] : scaled.row_start[short + 1]].tolist():
        entries = slice(program.start[column], program.start[column + 1])
        rows, sign = program.row[entries], -1.0 if chosen[column] else 1.0
        after = slack[rows] - sign * scaled.change[entries]
        if frozen[column] or after[rows == short][0] < 0:
            continue
        gain = sign * scaled.worth[column]
        gain -= HARM * float((np.minimum(0.0, slack[rows]) - np.minimum(0.0, after)).sum())
        if gain > most:
            best, most = column, gain
    if best >= 0:
        entries = slice(program.start[best], program.start[best + 1])
        slack[program.row[entries]] -= (-1.0 if chosen[best] else 1.0) * scaled.change[entries]
        chosen[best], frozen[best] = not chosen[best], True


def annealed(mender: Mender, begin: Bools, budget: Budget, seed: int, *, enough: float) -> State | None:
    """A valid set near ``begin``, or the best that repair makes on the way; ``None`` where it makes none.

    It ends where nothing is overdrawn, or a valid set keeps ``enough`` of the worth of ``begin``.
    """
    program = mender.program
    scaled = _scaled(program, mender.scale)
    best = made_valid(mender, begin)
    target = enough * float(program.worth @ begin)
    if best is not None and best.worth >= target:
        return best
    for hot in HEATS:
        chosen = begin.copy()
        frozen = np.zeros(len(chosen), dtype=np.bool_)
        price = np.full(len(program.room), PRICE)
        for number in range(ROUNDS):
            if budget.is_spent():
                return best
            if number % ROUNDS_PER_CALL == 0:
                budget.take()
            used = np.bincount(
                program.row, scaled.change * np.repeat(chosen, np.diff(program.start)), len(program.room)
            )
            slack = scaled.aim - used
            flips = min(MOST_FLIPS, FLIPS_PER_COLUMN * len(chosen))
            shape = (program.start, program.row, scaled.change, scaled.worth)
            flip_around(*shape, price, frozen, chosen, slack, hot, COLD, flips, seed + number)
            short = slack_of(program.start, program.row, program.change, program.room, chosen) < 0
            state = made_valid(mender, chosen)
            if state is not None and (best is None or state.worth > best.worth):
                best = state
            if not short.any() or (best is not None and best.worth >= target):
                return best
            if number + 1 == LOOKED_AT and short.mean() > FEW_SHORT:
                break
            price[short] *= DEARER
            for row in np.flatnonzero(short & (price > DEAREST)).tolist():
                price[row] = PRICE
                _cure(program, scaled, row, frozen, chosen, slack)
    return best
