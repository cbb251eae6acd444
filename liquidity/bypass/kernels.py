"""Compiled moves of the search for most value: fill what fits, repair what doesn't, exchange one for one.

All of them work on a program's columns (obligations) and rows (accounts and limited pairs) and on two arrays that
they change in place: ``chosen`` (one flag per column) and ``slack`` (room left per row, exact 64-bit integers). Where
``slack`` is nowhere negative, the set may settle. Every loop is over the columns, their entries, or bounded passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]
_F = TypeVar("_F", bound=Callable[..., Any])


def compiled(function: _F) -> _F:
    """``function`` as machine code that releases the interpreter; kept on disk where that is possible."""
    try:
        return cast(_F, njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba finds no folder that it may write to
        return cast(_F, njit(nogil=True)(function))


@compiled
def users_by_row(start: Int64s, row: Int32s, change: Int64s, order: Int32s, row_start: Int64s, users: Int32s) -> None:
    """For each row the columns that use its room, in the given ``order`` of columns; fills both last arguments.

    ``row_start`` (rows + 1) must be zero, ``users`` at least as long as there are entries > 0.
    """
    for entry in range(len(row)):
        if change[entry] > 0:
            row_start[row[entry] + 1] += 1
    for at in range(len(row_start) - 1):
        row_start[at + 1] += row_start[at]
    place = row_start[:-1].copy()
    for at in range(len(order)):
        column = order[at]
        for entry in range(start[column], start[column + 1]):
            if change[entry] > 0:
                users[place[row[entry]]] = column
                place[row[entry]] += 1


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
def repair(
    start: Int64s, row: Int32s, change: Int64s, row_start: Int64s, users: Int32s, chosen: Bools, slack: Int64s
) -> bool:
    """Drop columns until no slack is negative, first those that stand first among a row's users.

    Whether that was possible; it is, unless a row has negative room. Each entry is looked at once or undone once.
    """
    rows = len(slack)
    stack = np.empty(rows, np.int64)
    waits = np.zeros(rows, np.bool_)
    place = row_start[:-1].copy()
    height = 0
    for at in range(rows):
        if slack[at] < 0:
            stack[height] = at
            waits[at] = True
            height += 1
    while height > 0:
        height -= 1
        short = stack[height]
        waits[short] = False
        while slack[short] < 0:
            if place[short] == row_start[short + 1]:
                return False
            column = users[place[short]]
            place[short] += 1
            if not chosen[column]:
                continue
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
