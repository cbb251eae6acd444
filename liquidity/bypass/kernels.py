"""Compiled moves of the search for most value: fill what fits, repair what doesn't.

All of them work on a program's columns (obligations) and rows (accounts and limited pairs) and on two arrays that
they change in place: ``chosen`` (one flag per column) and ``slack`` (room left per row, exact 64-bit integers). Where
``slack`` is nowhere negative, the set may settle. Every loop is over the columns, their entries, or bounded passes.
"""

from __future__ import annotations

import numpy as np

from liquidity.arrays import Bools, Floats, Int32s, Int64s
from liquidity.compiling import compiled

CANDIDATES = 64
"""Columns compared before one is dropped: among so many there is one whose payee can do without."""

IN_EXCESS = 0.3
"""What dropping a unit more than needed counts: some of it can be filled up again."""


@compiled
def spread(order: Int64s, member: Int64s, worth: Int64s, left: Floats, values: Floats) -> None:
    """Share out what like columns settle together, so that at most a few of them settle in part.

    ``order``: columns, largest first; ``left`` (per group of like columns, changed): worth to be settled. Largest
    first, what fits is taken whole; the rest goes to the smallest that are not.
    """
    for at in range(len(order)):
        column = order[at]
        fits = worth[column] <= left[member[column]] * (1 + 1e-12)
        values[column] = 1.0 if fits else 0.0
        if fits:
            left[member[column]] -= worth[column]
    for at in range(len(order) - 1, -1, -1):
        column = order[at]
        if values[column] == 0.0 and left[member[column]] > 0.0:
            values[column] = min(1.0, left[member[column]] / worth[column])
            left[member[column]] -= values[column] * worth[column]


@compiled
def slack_of(start: Int64s, row: Int32s, change: Int64s, room: Int64s, chosen: Bools) -> Int64s:
    """Room left in each row."""
    slack = room.copy()
    for column in range(len(chosen)):
        if chosen[column]:
            for entry in range(start[column], start[column + 1]):
                slack[row[entry]] -= change[entry]
    return slack


@compiled
def worth_of(worth: Int64s, chosen: Bools) -> np.int64:
    """What the chosen columns are worth together."""
    total = np.int64(0)
    for column in range(len(chosen)):
        if chosen[column]:
            total += worth[column]
    return total


@compiled
def _best_to_drop(
    start: Int64s,
    row: Int32s,
    change: Int64s,
    row_start: Int64s,
    users: Int32s,
    uses: Int64s,
    loss: Floats,
    scale: Floats,
    chosen: Bools,
    slack: Int64s,
    short: int,
) -> int:
    """The column to drop where ``short`` is overdrawn: one that uses at least what is lacking and costs least.

    Cost: ``loss``, new overdrafts elsewhere, and part of what is dropped in excess. Where none is large enough, the
    largest; -1 where there is none.
    """
    lacking = -slack[short]
    low, high = row_start[short], row_start[short + 1]
    while low < high:
        middle = (low + high) // 2
        if uses[middle] >= lacking:
            high = middle
        else:
            low = middle + 1
    best, least, seen = -1, np.inf, 0
    for at in range(low, row_start[short + 1]):
        column = users[at]
        if not chosen[column]:
            continue
        cost = max(0.0, loss[column]) + IN_EXCESS * scale[short] * (uses[at] - lacking)
        for entry in range(start[column], start[column + 1]):
            left = slack[row[entry]] + change[entry]
            if change[entry] < 0 and left < 0:
                cost += scale[row[entry]] * (min(0, slack[row[entry]]) - left)
        if cost < least:
            best, least = column, cost
        seen += 1
        if seen == CANDIDATES:
            break
    if best < 0:
        for at in range(low - 1, row_start[short] - 1, -1):
            if chosen[users[at]]:
                return int(users[at])
    return best


@compiled
def repair(
    start: Int64s,
    row: Int32s,
    change: Int64s,
    row_start: Int64s,
    users: Int32s,
    uses: Int64s,
    loss: Floats,
    scale: Floats,
    chosen: Bools,
    slack: Int64s,
) -> bool:
    """Drop columns until no slack is negative; whether that was possible. It is, unless a row has negative room.

    ``users[row_start[r] : row_start[r + 1]]`` are the columns that use room of row ``r``, by how much (``uses``),
    ascending. ``loss``: worth of a column above the price of what it uses. ``scale``: worth per unit of a row.
    """
    rows = len(slack)
    stack = np.empty(rows, np.int64)
    waits = np.zeros(rows, np.bool_)
    height = 0
    for at in range(rows):
        if slack[at] < 0:
            stack[height] = at
            waits[at] = True
            height += 1
    while height > 0:  # each step drops a column or takes a row off the stack
        height -= 1
        short = stack[height]
        waits[short] = False
        while slack[short] < 0:
            column = _best_to_drop(start, row, change, row_start, users, uses, loss, scale, chosen, slack, short)
            if column < 0:
                return False
            chosen[column] = False
            for entry in range(start[column], start[column + 1]):
                touched = row[entry]
                slack[touched] += change[entry]
                if slack[touched] < 0 and not waits[touched] and touched != short:
                    stack[height] = touched
                    waits[touched] = True
                    height += 1
    return True


@compiled
def fill(
    start: Int64s, row: Int32s, change: Int64s, order: Int32s, chosen: Bools, slack: Int64s, most_passes: int
) -> int:
    """Add what fits by itself, in the given order, again while that lets more fit; how many were added."""
    added = 0
    waiting = np.empty(len(order), np.int32)
    count = 0
    for at in range(len(order)):
        if not chosen[order[at]]:
            waiting[count] = order[at]
            count += 1
    for _ in range(most_passes):
        left = 0
        for at in range(count):
            column = waiting[at]
            fits = True
            for entry in range(start[column], start[column + 1]):
                if change[entry] > slack[row[entry]] and change[entry] > 0:
                    fits = False
                    break
            if fits:
                chosen[column] = True
                added += 1
                for entry in range(start[column], start[column + 1]):
                    slack[row[entry]] -= change[entry]
            else:
                waiting[left] = column
                left += 1
        if left == count:
            break
        count = left
    return added
