"""Cuts: rows that every whole settlement keeps and the relaxation doesn't, so that the bound comes down.

Take a row ``Σ change · x <= room`` and count some of its columns the other way round, by ``u = 1 − x``: it reads
``Σ a · u <= b`` in whole numbers ``u >= 0``. For any divisor ``d`` with the remainder ``r`` of ``b``,

    Σ (⌊a / d⌋ · (d − r) + max(0, a mod d − r)) · u  <=  ⌊b / d⌋ · (d − r)

holds for every whole solution: mixed-integer rounding, times ``d − r`` so that all of it stays in integers. It says,
for one, that a payment too large for the balance needs the credit that it waits for, whole. No coefficient is larger
than the one it comes from, so sums stay as safe as they were. Prices of the program with such rows prove a bound for
the program without them, in exact integers as ever.

Source: G. L. Nemhauser, L. A. Wolsey, "A recursive procedure to generate all cuts for 0-1 mixed integer programs",
Mathematical Programming 46 (1990); H. Marchand, L. A. Wolsey, "Aggregation and mixed integer rounding to solve MIPs",
Operations Research 49 (2001), for the choice of what is complemented and of the divisors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from liquidity.arrays import Bools, Floats, Int32s, Int64s
from liquidity.program import NO_PAYEE, Program
from liquidity.relaxation import Relaxation, solved_by_simplex

MOST_COLUMNS = 20_000
"""A program so large keeps the relaxation that it has: the simplex method would take seconds again and again."""

MOST_CUTS = 500
"""From here on cuts without a price are dropped. Not before: on a plateau a cut has none until others join it."""

MOST_ROUNDS = 12
STALLED = 1e-5
PATIENCE = 6
"""So many rounds in a row that lower the bound by less than this share are the last: the next cost more for less."""

MOST_DIVISORS = 12
"""Tried in a row: the largest coefficients whose columns settle in part."""

PARTLY = 1e-4
"""Fractions closer to 0 or 1 than this are taken for that."""

LEAST_VIOLATION = 1e-3
"""By how much a cut must cut off the fractions, relative to the size of its coefficients there (Euclidean)."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One row: ``change`` of ``column``, and ``room``; by how much fractions break it (``violation``)."""

    column: Int64s
    change: Int64s
    room: int
    violation: float


@dataclass(frozen=True, slots=True, eq=False)
class Tightened:
    """``most``: no whole settlement is worth more (the program's units). ``x``: fractions after ``rounds`` of cuts.

    ``program``: with the cuts that have a price, as rows behind its own.
    """

    most: int
    x: Floats
    rounds: int
    program: Program


def tightened(program: Program, relaxed: Relaxation, seconds: Callable[[], float | None]) -> Tightened:
    """Cut off what ``relaxed`` settles in part, round by round; each is one linear program.

    ``seconds`` is asked before each round how long it may take: ``None`` is as long as it takes, 0 none more. It ends
    by itself after :data:`MOST_ROUNDS`, or where they bring nothing.
    """
    most, rounds, stalled = relaxed.most, 0, 0
    tighter, own = program, len(program.room)
    while len(program.worth) <= MOST_COLUMNS and rounds < MOST_ROUNDS and stalled < PATIENCE:
        cuts = cuts_at(tighter, relaxed.x)
        granted = seconds() if cuts else 0.0
        if granted == 0.0:
            break
        is_kept = relaxed.price_numerators > 0
        is_kept[: own if len(is_kept) > own + MOST_CUTS else None] = True
        with_cuts = with_rows(tighter, is_kept, cuts)
        solved = solved_by_simplex(with_cuts, granted)
        if solved is None:
            break
        stalled = stalled + 1 if relaxed.most - solved.most < STALLED * relaxed.most else 0
        tighter, relaxed = with_cuts, solved
        most, rounds = min(most, relaxed.most), rounds + 1
    is_kept = relaxed.price_numerators > 0
    is_kept[:own] = True
    return Tightened(most, relaxed.x, rounds, with_rows(tighter, is_kept, []) if rounds else program)


def cuts_at(program: Program, x: Floats) -> list[Cut]:
    """What cuts off the fractions ``x`` (columns, 0 to 1): at most two cuts a row."""
    owner = np.repeat(np.arange(len(program.worth)), np.diff(program.start))
    by_row = np.argsort(program.row, kind="stable")
    ends = np.searchsorted(program.row[by_row], np.arange(len(program.room) + 1))
    cuts: list[Cut] = []
    for row in np.flatnonzero(program.room < program.outflow).tolist():
        entries = by_row[ends[row] : ends[row + 1]]
        cuts += _cuts_of(owner[entries], program.change[entries], int(program.room[row]), x)
    return cuts


def _cuts_of(column: Int64s, change: Int64s, room: int, x: Floats) -> list[Cut]:
    """The cuts of one row: for each way to complement, that of the divisor which cuts off most, if any does."""
    fractions = x[column]
    partly = (fractions > PARTLY) & (fractions < 1 - PARTLY)
    if not partly.any():
        return []
    divisors = np.unique(np.abs(change[partly]))[::-1][:MOST_DIVISORS]
    found = []
    for turned in (fractions > 0.5, change < 0):
        a = np.where(turned, -change, change)
        u = np.where(turned, 1 - fractions, fractions)
        b = room - int(change[turned].sum())
        best: Cut | None = None
        for divisor in divisors.tolist():
            rest = b % divisor
            if divisor < 2 or rest == 0:
                continue
            rounded = a // divisor * (divisor - rest) + np.maximum(0, a % divisor - rest)
            most = b // divisor * (divisor - rest)
            size = float(np.sqrt((rounded.astype(np.float64) ** 2).sum()))
            violation = (float(rounded @ u) - most) / size if size else 0.0
            if violation > max(LEAST_VIOLATION, best.violation if best else 0.0):
                signed = np.where(turned, -rounded, rounded)
                best = Cut(column, signed, most - int(rounded[turned].sum()), violation)
        if best is not None:
            found.append(best)
    return found


def with_rows(program: Program, is_kept: Bools, cuts: list[Cut]) -> Program:
    """The program with some of its rows and, at the end, cuts, which no account and no limit owns."""
    number = np.cumsum(is_kept) - 1
    first, count = int(is_kept.sum()), len(cuts)
    owner = np.repeat(np.arange(len(program.worth)), np.diff(program.start))
    old = is_kept[program.row]
    column = np.concatenate([owner[old], *(cut.column for cut in cuts)])
    of_cut = np.repeat(np.arange(first, first + count), [len(cut.column) for cut in cuts])
    row = np.concatenate((number[program.row[old]], of_cut))
    change = np.concatenate([program.change[old], *(cut.change for cut in cuts)])
    filled = change != 0
    column, row, change = column[filled], row[filled], change[filled]
    order = np.lexsort((row, column))
    outflow = np.array([int(np.maximum(cut.change, 0).sum()) for cut in cuts], dtype=np.int64)
    room = np.minimum(np.array([cut.room for cut in cuts], dtype=np.int64), outflow)
    nobody: Int32s = np.zeros(count, dtype=np.int32)
    return replace(
        program,
        start=np.searchsorted(column[order], np.arange(len(program.worth) + 1)).astype(np.int64),
        row=row[order].astype(np.int32),
        change=change[order],
        room=np.concatenate((program.room[is_kept], room)),
        outflow=np.concatenate((program.outflow[is_kept], outflow)),
        bank=np.concatenate((program.bank[is_kept], nobody)),
        payee=np.concatenate((program.payee[is_kept], nobody + NO_PAYEE)),
        currency=np.concatenate((program.currency[is_kept], nobody)),
    )
