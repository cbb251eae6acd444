"""What branch and bound reads and writes: a program in integers, what is fixed of it, and the basis of its relaxation.

Few arrays of records, since every compiled function is handed them all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from liquidity.arrays import Floats, Int64s, Records
from liquidity.program import Program

FREE = -1
"""A column that is not fixed; else 0 or 1."""

COLUMN = np.dtype(
    [
        ("worth", np.int64),
        ("margin", np.int64),
        ("start", np.int64),
        ("stop", np.int64),
        ("trail", np.int64),
        ("x", np.float64),
        ("fall", np.float64, 2),
        ("falls", np.float64, 2),
        ("fixed", np.int64),
        ("is_best", np.bool_),
    ],
    align=True,
)
"""A column: ``worth``; ``margin``, its worth less the price of what it uses, rounded down; its entries; ``x`` in the
relaxation; whether it is ``fixed`` and whether it ``is_best``, in the best set. ``fall``: what bounds have come down by
where it was branched on, per unit that it moved, summed over so many ``falls``; to 0 and to 1. ``trail`` lists, from
the first column's on, which columns are fixed, in that order."""

ROW = np.dtype(
    [
        ("room", np.int64),
        ("least", np.int64),
        ("most", np.int64),
        ("start", np.int64),
        ("stop", np.int64),
        ("line", np.int64),
        ("price", np.float64),
        ("price_unit", np.float64),
        ("in_line", np.bool_),
    ],
    align=True,
)
"""A row: ``room``; the ``least`` and the ``most`` of it that may be used, given what is fixed; its entries; ``price``
of a unit of room, scaled, and in what unit. ``line`` lists, from the first on, rows to look at."""

ENTRY = np.dtype([("change", np.int64), ("other", np.int64), ("scaled", np.float64)], align=True)
"""An entry of a column or of a row: how much, in which row or column, and how much of that row's scale."""

VARIABLE = np.dtype(
    [
        ("worth", np.float64),
        ("start", np.int64),
        ("stop", np.int64),
        ("cost", np.float64),
        ("entry", np.float64),
        ("ratio", np.float64),
        ("is_basic", np.bool_),
        ("is_high", np.bool_),
    ],
    align=True,
)
"""A variable of the relaxation, a column or after those a row's slack: ``worth``, scaled; its entries; ``cost``, what a
unit more is worth at the present prices; its ``entry`` in the row looked at; the ``ratio``, how far that row's price
may go before it wants to move; whether it is basic, else whether at 1."""

LEVEL = np.dtype(
    [
        ("bound", np.int64),
        ("fraction", np.float64),
        ("trail", np.int64),
        ("column", np.int64),
        ("value", np.int64),
        ("is_second", np.bool_),
    ],
    align=True,
)
"""A level: the ``bound`` there, how much was fixed, the ``column`` branched on, its ``fraction`` in the relaxation
(negative: none), the value tried first, and whether the second is being tried."""

AT = np.dtype(
    [
        ("best_worth", np.int64),
        ("bound", np.int64),
        ("step", np.int64),
        ("nodes", np.int64),
        ("trail", np.int64),
        ("line", np.int64),
        ("level", np.int64),
        ("own", np.int64),
        ("digit", np.int64),
        ("steps", np.int64),
        ("unit", np.float64),
    ],
    align=True,
)
"""How far the search has come; the first ``own`` rows are the program's, the others cuts; all worths, ``best_worth``
rounded down among them, are multiples of ``step``. Prices are cut into digits of ``digit`` bits. ``steps`` since
the inverse was computed, and the ``unit`` of scaled worths."""

PRICE_BITS = 60
"""Of a price, before and behind the point."""

DIGIT_BITS = 15
PRODUCT_BITS = 61
"""Of a digit: at most so many bits, and no more than a digit times what a column uses may take."""


class Tree(NamedTuple):
    """A program being searched.

    ``by_column``: entries of the columns, then of the slacks; ``by_row``: of the rows. ``digits`` (places × rows): of
    the prices; ``part`` (places) and ``sums``, to add up a column and the bound in. The relaxation, see
    :mod:`liquidity.bypass.simplex`: ``scaled_room`` (rows); of the basis its ``inverse``, transposed (rows × rows),
    which variables are ``basic`` (rows) and their ``value`` (rows); ``basis`` (rows × rows) and ``entering`` (rows), to
    work in.
    """

    columns: Records
    rows: Records
    by_column: Records
    by_row: Records
    levels: Records
    digits: Int64s
    part: Int64s
    sums: Int64s
    variables: Records
    scaled_room: Floats
    inverse: Floats
    basis: Floats
    basic: Int64s
    value: Floats
    entering: Floats
    at: Records


def make_tree(program: Program, own: int, best_worth: int) -> Tree | None:
    """Nothing fixed yet, all slacks basic; ``None`` where the sums of the proof might leave 64 bits.

    ``own``: the rows from this one on are cuts. ``best_worth``: only sets worth more are looked for.
    """
    count, rows = len(program.worth), len(program.room)
    owner = np.repeat(np.arange(count), np.diff(program.start))
    size = np.abs(program.change).astype(np.float64)
    used = np.bincount(program.row, size, rows)
    widest = np.bincount(owner, size, count).max(initial=1.0)
    digit = min(DIGIT_BITS, PRODUCT_BITS - int(np.ceil(np.log2(widest + 1))))
    if digit < 1:
        return None
    places = PRICE_BITS // digit

    columns = np.zeros(count, dtype=COLUMN)
    columns["worth"], columns["fixed"] = program.worth, FREE
    columns["start"], columns["stop"] = program.start[:-1], program.start[1:]
    bounds = np.concatenate((program.start, len(owner) + np.arange(1, rows + 1)))
    by_column = np.zeros(bounds[-1], dtype=ENTRY)
    by_column["change"][: len(owner)] = program.change
    by_column["other"] = np.concatenate((program.row, np.arange(rows)))
    order = np.argsort(program.row, kind="stable")
    by_row = np.zeros(len(owner), dtype=ENTRY)
    by_row["change"], by_row["other"] = program.change[order], owner[order]
    ends = np.searchsorted(program.row[order], np.arange(rows + 1))
    table = np.zeros(rows, dtype=ROW)
    table["room"], table["start"], table["stop"] = program.room, ends[:-1], ends[1:]
    np.add.at(table["least"], program.row, np.minimum(program.change, 0))
    np.add.at(table["most"], program.row, np.maximum(program.change, 0))
    table["line"], table["in_line"] = np.arange(rows), True

    scale = np.maximum(used, 1.0) / np.maximum(np.diff(ends), 1)
    unit = float(program.worth.mean())
    table["price_unit"] = unit / scale
    by_column["scaled"] = np.concatenate((program.change / scale[program.row], np.ones(rows)))
    variables = np.zeros(count + rows, dtype=VARIABLE)
    variables["start"], variables["stop"] = bounds[:-1], bounds[1:]
    variables["worth"][:count] = variables["cost"][:count] = program.worth / unit
    variables["is_high"][:count], variables["is_basic"][count:] = True, True
    step = max(1, int(np.gcd.reduce(program.worth, initial=0)))
    at = np.zeros(1, dtype=AT)
    at["best_worth"], at["step"] = best_worth // step * step, step
    at["line"], at["own"], at["unit"] = rows, own, unit
    at["digit"] = digit
    return Tree(
        columns=columns,
        rows=table,
        by_column=by_column,
        by_row=by_row,
        levels=np.zeros(count + 1, dtype=LEVEL),
        digits=np.zeros((places, rows), dtype=np.int64),
        part=np.zeros(places, dtype=np.int64),
        sums=np.zeros(places + 64 // digit + 2, dtype=np.int64),
        variables=variables,
        scaled_room=program.room / scale,
        inverse=np.identity(rows),
        basis=np.empty((rows, rows)),
        basic=np.arange(count, count + rows),
        value=np.empty(rows),
        entering=np.empty(rows),
        at=at,
    )
