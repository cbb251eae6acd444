"""Relax and fix: decide the large obligations first, while the small ones may still be split to balance them.

Sorted by worth, the columns are cut into windows. Each window's columns become 0 or 1 in a small mixed-integer
program in which the larger ones are fixed and the smaller ones may settle in part. Nearly all of the gap between the
relaxation and what can really settle is made by a few hundred large obligations at banks with little liquidity, so
the first window gets most of the time; the small change at the end only has to be rounded and repaired.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liquidity.bypass.budget import Budget
from liquidity.bypass.kernels import Bools, Floats, Int64s
from liquidity.bypass.mixed import Mixed, solve_linear, solve_mixed
from liquidity.program import Program

WINDOWS = (0.01, 0.02, 0.04, 0.08, 0.13, 0.18, 0.25, 0.33, 0.42, 0.52, 0.62, 0.72, 0.82, 0.92)
"""Where the windows end, as shares of the columns, largest first. The rest is small change: it is rounded."""

NODES = 10
"""Of each window's program: most of its work is done at the root."""

GAP = 5e-4
"""Relative; closer isn't worth a window's time, the next window moves more."""

CERTAIN = 1e-6
"""A value this close to 0 or 1 is taken for that."""

MARGIN_QUANTILE = 0.1
"""Each account keeps back one payment as large as the smallest tenth of its own, to pay for rounding at the end."""


@dataclass(slots=True, eq=False)
class _Fixing:
    """Which columns are fixed, at what, and the room that is left."""

    fixed: Bools
    values: Floats
    room: Floats


def margins(program: Program, mixed: Mixed) -> Floats:
    """What each row keeps back (scaled) while larger obligations are decided."""
    kept = np.zeros(len(program.room))
    uses = program.change > 0
    rows, amounts = program.row[uses], program.change[uses]
    order = np.lexsort((amounts, rows))
    rows, amounts = rows[order], amounts[order]
    start = np.searchsorted(rows, np.arange(len(kept) + 1))
    length = np.diff(start)
    has = length > 0
    kept[has] = amounts[start[:-1][has] + (length[has] * MARGIN_QUANTILE).astype(np.int64)]
    return kept / mixed.unit


def _fix(mixed: Mixed, state: _Fixing, columns: Int64s, values: Floats) -> None:
    state.fixed[columns] = True
    state.values[columns] = values
    state.room -= mixed.entries[:, columns] @ values


def relax_and_fix(
    program: Program,
    mixed: Mixed,
    values: Floats,
    budget: Budget,
    *,
    fixed: Bools | None = None,
    share: float = 1.0,
    windows: Sequence[float] = WINDOWS,
) -> Bools:
    """A set near the relaxation (``values``, its columns' values); not yet valid, but nearly.

    ``fixed`` columns stay what they are in ``values``. ``share`` of the budget's seconds may be used.
    """
    columns = len(program.worth)
    state = _Fixing(np.zeros(columns, dtype=np.bool_), values.copy(), mixed.room - margins(program, mixed))
    if fixed is not None:
        at = np.flatnonzero(fixed)
        _fix(mixed, state, at, np.round(values[at]))
    by_worth = np.argsort(-program.worth, kind="stable")
    ends = [int(np.ceil(end * columns)) for end in windows]
    begin = 0
    for number, end in enumerate(ends):
        window = by_worth[begin:end]
        begin = end
        window = window[~state.fixed[window]]
        if not len(window):
            continue
        if budget.is_spent():
            break
        weight = share * (0.3 if number == 0 else 1 / (len(ends) - number + 1))
        _decide(mixed, state, window, budget.seconds_left(weight), budget)
    return np.where(state.fixed, state.values > 0.5, state.values > 1 - CERTAIN)


def _decide(mixed: Mixed, state: _Fixing, window: Int64s, seconds: float | None, budget: Budget) -> None:
    """Fix a window's columns, by a mixed-integer program or, where that finds nothing, by rounding down."""
    free = np.flatnonzero(~state.fixed)
    in_window = np.zeros(len(state.fixed), dtype=np.bool_)
    in_window[window] = True
    budget.take()
    answer = solve_mixed(mixed, free, in_window[free], state.room, nodes=NODES, gap=GAP, seconds=seconds)
    if answer is not None:
        state.values[free] = answer.values
        _fix(mixed, state, window, np.round(state.values[window]))
        return
    budget.take()
    relaxed = solve_linear(mixed, free, state.room)
    if relaxed is not None:
        state.values[free] = relaxed.values
    _fix(mixed, state, window, (state.values[window] > 1 - CERTAIN).astype(np.float64))
