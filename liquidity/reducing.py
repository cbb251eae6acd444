"""A program without what is decided from the start: what no other choice can keep out, and what none can let in; and
the components of what is left.

An obligation is *certain* if what it takes fits even when everything that takes from the same rows settles: settling
it can only help the others. It is *impossible* if what it takes doesn't fit even when everything that gives to that row
settles. Each one decided changes what is left for the others, so this goes round until nothing more is decided.

Both hold for whole obligations only. The relaxation settles a tenth of an impossible one and counts it: without them
the bound falls, by a twentieth where amounts differ widely, and its fractions are a better guide.

Two obligations are connected if both change a row that may bind, or through others that do. Components are decided
apart, two currencies without PvP, say: the best of all is the best of each, and the bound the sum of the bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from liquidity.arrays import Bools, Int32s, Int64s
from liquidity.program import Program

MOST_ROUNDS = 64
"""Each is a pass over the program. A handful decides nearly all; stopping early leaves more to the search."""


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """What is left to decide: a ``program`` of the ``columns`` (ascending) of the one before.

    ``settled``: flags of the columns that are certain, in the one before; ``settled_worth``: theirs. The best of the
    program and these together are the best there is.
    """

    program: Program
    columns: Int64s
    settled: Bools
    settled_worth: int


def in_largest_units(program: Program) -> Program:
    """The same program, each row and the worths counted in the greatest common divisor of what stands there.

    Rooms are rounded down: whole obligations can use no more. Amounts in other units make the same program, so that a
    search finds the same.
    """
    unit = np.zeros(len(program.room), dtype=np.int64)
    np.gcd.at(unit, program.row, program.change)
    unit = np.maximum(unit, 1)
    worth_unit = max(1, int(np.gcd.reduce(program.worth, initial=0)))
    return replace(
        program,
        change=program.change // unit[program.row],
        room=program.room // unit,
        outflow=program.outflow // unit,
        worth=program.worth // worth_unit,
        worth_scale=program.worth_scale * worth_unit,
    )


def restricted(program: Program, columns: Int64s, room: Int64s) -> Program:
    """The program of some columns (ascending) within ``room``, which may be negative."""
    sizes = np.diff(program.start)[columns]
    start = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes)))
    entries = np.repeat(program.start[:-1][columns] - start[:-1], sizes) + np.arange(start[-1])
    row, change = program.row[entries], program.change[entries]
    outflow = summed(row, np.maximum(change, 0), len(room))
    return replace(
        program,
        start=start,
        row=row,
        change=change,
        room=np.minimum(room, outflow),
        outflow=outflow,
        worth=program.worth[columns],
        number=program.number[columns],
    )


def summed(row: Int32s, amounts: Int64s, rows: int) -> Int64s:
    """Exact sums per row."""
    sums = np.zeros(rows, dtype=np.int64)
    np.add.at(sums, row, amounts)
    return sums


def reduced(program: Program) -> Reduced:
    """The program without columns that are certain or impossible; exact, in integers."""
    columns = np.arange(len(program.worth))
    settled = np.zeros(len(columns), dtype=np.bool_)
    left = program
    for _ in range(MOST_ROUNDS):
        rows = len(left.room)
        takes = left.change > 0
        to_give = summed(left.row, np.where(takes, 0, -left.change), rows)
        owner = np.repeat(np.arange(len(columns)), np.diff(left.start))
        certain = np.ones(len(columns), dtype=np.bool_)
        certain[owner[takes & (left.outflow > left.room)[left.row]]] = False
        possible = np.ones(len(columns), dtype=np.bool_)
        possible[owner[takes & (left.change > (left.room + to_give)[left.row])]] = False
        is_open = possible & ~certain
        if is_open.all():
            break
        settled[columns[certain]] = True
        used = summed(left.row, np.where(certain[owner], left.change, 0), rows)
        left = restricted(left, np.flatnonzero(is_open), left.room - used)
        columns = columns[is_open]
    return Reduced(left, columns, settled, int(program.worth[settled].sum()))


def components(program: Program, most: int) -> list[tuple[Int64s, Program]]:
    """The connected components, smallest first: their columns (ascending) and the program of these.

    Of more than ``most`` the smallest are one.
    """
    columns, rows = len(program.worth), len(program.room)
    owner = np.repeat(np.arange(columns), np.diff(program.start))
    binds = (program.room < program.outflow)[program.row]
    edges = (owner[binds], columns + program.row[binds])
    graph = sparse.coo_array((binds[binds], edges), shape=(columns + rows, columns + rows))
    _, label = connected_components(graph, directed=False)
    _, label, sizes = np.unique(label[:columns], return_inverse=True, return_counts=True)
    rank = np.argsort(np.argsort(sizes, kind="stable"))
    group = np.maximum(rank[label] - max(0, len(sizes) - most), 0)
    found = []
    for number in range(min(most, len(sizes))):
        own = np.flatnonzero(group == number)
        changed = np.zeros(rows, dtype=np.bool_)
        changed[program.row[group[owner] == number]] = True
        found.append((own, restricted(program, own, np.where(changed, program.room, 0))))
    return found
