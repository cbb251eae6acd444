"""Amounts beyond 64 bits: the same search on a coarser program, judged by the exact one.

The coarse program shifts amounts right. What a column takes and what it is worth are rounded up, what it gives and the
room there is are rounded down: whatever may settle there may settle in truth, and nothing is worth nothing. Prices
found on it bound the exact program: weak duality holds for any prices, and the sum is done in Python's integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from liquidity.bypass.columns import Columns
from liquidity.program import Program

SAFE_BITS = 55
"""Sums of absolute changes per row, and of worths, fit this many bits: products with a price's digits fit 64 then."""

PRICE_BITS = 40
"""Prices are rounded to this many bits after the point."""


@dataclass(frozen=True, slots=True, eq=False)
class Coarse:
    """A program over shifted amounts and worths; column ``j`` stands for ``columns.columns[j]``."""

    program: Program
    change_shift: int
    worth_shift: int


def _excess_bits(total: int) -> int:
    return max(0, total.bit_length() - SAFE_BITS)


def coarsen(columns: Columns) -> Coarse:
    """The coarse program of exact columns."""
    used = [0] * len(columns.room)
    for column in columns.columns:
        for row, change in column.changes:
            used[row] += abs(change) + 1
    change_shift = _excess_bits(max(used, default=0))
    worth_shift = _excess_bits(sum(column.worth for column in columns.columns))
    start, rows, changes = [0], [], []
    outflow = [0] * len(columns.room)
    for column in columns.columns:
        for row, change in sorted(column.changes):
            shifted = -((-change) >> change_shift)
            if shifted:
                rows.append(row)
                changes.append(shifted)
                outflow[row] += max(0, shifted)
        start.append(len(rows))
    room = [min(room >> change_shift, most) for room, most in zip(columns.room, outflow, strict=True)]
    nothing = np.zeros(len(room), dtype=np.int32)
    program = Program(
        start=np.array(start, dtype=np.int64),
        row=np.array(rows, dtype=np.int32),
        change=np.array(changes, dtype=np.int64),
        room=np.array(room, dtype=np.int64),
        outflow=np.array(outflow, dtype=np.int64),
        worth=np.array([-(-column.worth >> worth_shift) for column in columns.columns], dtype=np.int64),
        worth_scale=Fraction(1),
        worth_is_exact=worth_shift == 0,
        number=np.array([column.number for column in columns.columns], dtype=np.int64),
        bank=nothing,
        payee=nothing - 1,
        currency=nothing,
        banks=(),
        currencies=(),
    )
    return Coarse(program, change_shift, worth_shift)


def is_valid(columns: Columns, chosen: Sequence[bool]) -> bool:
    """Whether the chosen columns fit into the room, in exact integers."""
    slack = list(columns.room)
    for column, keep in zip(columns.columns, chosen, strict=True):
        if keep:
            for row, change in column.changes:
                slack[row] -= change
    return min(slack, default=0) >= 0


def exact_bound(columns: Columns, coarse: Coarse, prices: Sequence[float]) -> int:
    """What no valid set can be worth more than, from any prices of the coarse program's rows."""
    fixed = [max(0, int(price * 2.0**PRICE_BITS)) << coarse.worth_shift for price in prices]
    shift = PRICE_BITS + coarse.change_shift
    total = sum(price * room for price, room in zip(fixed, columns.room, strict=True))
    for column in columns.columns:
        paid = sum(fixed[row] * change for row, change in column.changes)
        total += max(0, (column.worth << shift) - paid)
    return total >> shift
