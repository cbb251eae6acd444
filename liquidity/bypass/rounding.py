"""Relax and fix: decide the large obligations first, while the small ones may still be split to balance them.

Sorted by worth, the columns are cut into windows. One window after the other becomes 0 or 1 while the larger columns
are fixed and the smaller ones may settle in part; then the relaxation of the rest is solved again. Nearly all of the
gap between the relaxation and what can really settle is made by a few hundred large obligations at banks with little
liquidity, so the first window gets most of the time; of the small change at the end only little has to be repaired.

A window is decided by a small mixed-integer program or, where there is no time for one or it ends with too little, by
rounding: what the relaxation all but settles is taken, everything else is left. Rounding to the nearest would be worth
more now and overdraw accounts that have nothing smaller to make up for it. What the last window leaves open is rounded
to the nearest, which overdraws a little: annealing goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from liquidity.arrays import Bools, Floats, Int64s
from liquidity.bypass.budget import Budget
from liquidity.bypass.parts import solve_part, used_by
from liquidity.program import Program
from liquidity.reducing import restricted
from liquidity.relaxation import Relaxation, solve_relaxation

MIXED_COLUMNS = 60_000
"""Up to here windows are decided by mixed-integer programs; beyond, HiGHS doesn't end in time."""

WINDOWS = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.13)
"""Where windows end, as shares of the columns, largest first."""

LARGE_WINDOWS = (0.002, 0.02, 0.15)
"""The same for more columns: each window costs :data:`ROUNDED_PASSES` over the rest of the program."""

ROUNDED_PASSES = 60
"""First-order passes between two windows. They start from the prices before, so fewer do than at first."""

NODES = 1
"""Of each window's program: its work is done at the root."""

MOST_SHARE = 0.3
"""Of the seconds left, for one window. The first needs most."""

LEAST_SECONDS = 2e-5
"""Per free column; a program isn't begun with less: HiGHS looks at the clock only after it has made it smaller."""

LITTLE = 0.9
"""A program that keeps less was stopped before it had begun: the window is left to the next."""

TAKEN_FROM = 0.9
"""A fraction from which rounding takes a column."""

MARGIN_QUANTILE = 0.1
"""Each row keeps back room for two payments as large as the smallest tenth of its own: room for what a solver's
tolerance overdraws, and for annealing to balance small payments in. Without, it seldom ends with a valid set. Rounding
overdraws less: half of it is given back, window by window."""


@dataclass(frozen=True, slots=True, eq=False)
class _Fixing:
    """What is not yet fixed (``free``), the fractions now, the room that is left, and the worth expected in all."""

    free: Bools
    values: Floats
    room: Int64s
    expected: float
    is_overdrawn: bool
    prices: Floats


def margins(program: Program) -> Int64s:
    """What each row keeps back while larger obligations are decided."""
    kept = np.zeros(len(program.room), dtype=np.int64)
    uses = program.change > 0
    rows, amounts = program.row[uses], program.change[uses]
    order = np.lexsort((amounts, rows))
    rows, amounts = rows[order], amounts[order]
    start = np.searchsorted(rows, np.arange(len(kept) + 1))
    length = np.diff(start)
    has = length > 0
    kept[has] = amounts[start[:-1][has] + (length[has] * MARGIN_QUANTILE).astype(np.int64)]
    return np.minimum(kept, program.room // 2)


def relax_and_fix(program: Program, relaxed: Relaxation, budget: Budget, gap: float | None) -> Bools:
    """A set near the relaxation that overdraws a little.

    ``gap``: share of the worth that deciding a window may lose; with ``None`` windows are decided by rounding, which
    loses more and takes a tenth of the time. Mixed-integer programs are for at most :data:`MIXED_COLUMNS`.
    """
    columns = len(program.worth)
    kept_back = margins(program)
    state = _Fixing(
        free=np.ones(columns, dtype=np.bool_),
        values=relaxed.x.copy(),
        room=program.room - 2 * kept_back,
        expected=float(relaxed.most),
        is_overdrawn=False,
        prices=relaxed.prices,
    )
    by_worth = np.argsort(-program.worth, kind="stable")
    if gap is not None:
        state = _relaxed(program, state, True, budget.seconds_left())
    rank = np.empty(columns, dtype=np.int64)
    rank[by_worth] = np.arange(columns)
    ends = [int(np.ceil(end * columns)) for end in (WINDOWS if columns <= MIXED_COLUMNS else LARGE_WINDOWS)]
    for number, end in enumerate(ends):
        window = np.flatnonzero(state.free & (rank < end))
        if budget.is_spent() or not len(window):
            break
        budget.take()
        share = min(MOST_SHARE, 2 / (len(ends) - number + 1))
        if gap is not None:
            state = _decided(program, state, window, gap, budget, share)
        else:
            state = replace(state, room=state.room + kept_back // len(ends))
            state = _rounded(program, state, window, False, budget.seconds_left(share))
    return state.values > 0.5


def _decided(program: Program, state: _Fixing, window: Int64s, gap: float, budget: Budget, share: float) -> _Fixing:
    """The window fixed without overdrawing an account, or the state as it was where no way to do that is found.

    By rounding where that loses no more than ``gap`` of the worth, else by a mixed-integer program: one that may not
    overdraw, or, where that has no answer (by the tolerances of the ones before), one that may at a price.
    """
    rounded = _rounded(program, state, window, True, budget.seconds_left())
    if not rounded.is_overdrawn and rounded.expected >= (1 - gap / 4) * state.expected:
        return rounded
    solved = _solved(program, state, window, False, gap, budget.seconds_left(share))
    solved = solved or _solved(program, state, window, True, gap, budget.seconds_left(share))
    found = [one for one in (None if rounded.is_overdrawn else rounded, solved) if one is not None]
    best = max(found, key=lambda one: one.expected, default=state)
    return best if best.expected >= LITTLE * state.expected else state


def _fixed(program: Program, state: _Fixing, window: Int64s, values: Floats, least: float) -> _Fixing:
    """The window fixed: what reaches ``least`` of ``values`` is taken."""
    chosen = np.zeros(len(program.worth), dtype=np.bool_)
    chosen[window] = values[window] >= least
    fractions, free = values.copy(), state.free.copy()
    fractions[window], free[window] = chosen[window], False
    return replace(state, free=free, values=fractions, room=state.room - used_by(program, chosen))


def _solved(
    program: Program, state: _Fixing, window: Int64s, elastic: bool, gap: float, seconds: float | None
) -> _Fixing | None:
    """The window fixed by a mixed-integer program, if there is time and it ends with anything.

    ``elastic``: it may overdraw.
    """
    free = np.flatnonzero(state.free)
    if seconds is not None and seconds < LEAST_SECONDS * len(free):
        return None
    part = restricted(program, free, state.room)
    binary = np.searchsorted(free, window)
    solved = solve_part(part, binary, elastic=elastic, seconds=seconds, nodes=NODES, gap=gap)
    if solved is None:
        return None
    values = state.values.copy()
    values[free] = solved.values
    expected = solved.worth + float(program.worth[~state.free] @ state.values[~state.free])
    fixed = _fixed(program, state, window, values, 0.5)
    return replace(fixed, expected=expected, is_overdrawn=solved.is_overdrawn)


def _rounded(program: Program, state: _Fixing, window: Int64s, elastic: bool, seconds: float | None) -> _Fixing:
    """The window fixed by rounding, and the relaxation of the rest solved again."""
    return _relaxed(program, _fixed(program, state, window, state.values, TAKEN_FROM), elastic, seconds)


def _relaxed(program: Program, state: _Fixing, elastic: bool, seconds: float | None) -> _Fixing:
    """The relaxation of what is free, solved again; ``elastic`` if it may overdraw."""
    free = np.flatnonzero(state.free)
    part = restricted(program, free, state.room)
    so_far = float(program.worth[~state.free] @ state.values[~state.free])
    values = state.values.copy()
    if not elastic:
        relaxed = solve_relaxation(part, prices=state.prices, passes=ROUNDED_PASSES, seconds=seconds)
        values[free] = relaxed.x
        return replace(state, values=values, expected=so_far + relaxed.most, prices=relaxed.prices)
    nothing = np.empty(0, dtype=np.int64)
    solved = solve_part(part, nothing, elastic=True, seconds=seconds, nodes=NODES, gap=0.0)
    if solved is None:
        return state
    values[free] = solved.values
    return replace(
        state,
        values=values,
        expected=so_far + solved.worth,
        is_overdrawn=solved.is_overdrawn,
    )
