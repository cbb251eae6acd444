"""Parts of a program: some of its columns within the room that others leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquidity.arrays import Bools, Floats, Int64s
from liquidity.bypass.kernels import spread
from liquidity.program import Program
from liquidity.reducing import summed

PENALTY = 10.0
"""What a unit of overdraft costs in an elastic part, in units of what payments through that row are worth. Overdraft is
allowed at that price so that there always is an answer; a repair then settles what is left of it."""

CERTAIN = 1e-6
"""Fractions this close to 0 or 1 are taken for that."""

TOLERANCE = 1e-6
"""As much as HiGHS may overdraw; else a part could be left with no answer by the tolerance of the one before."""

OVERDRAWN = 1e-4
"""Overdraft from here on is no rounding error; the mean payment has size 1."""


def used_by(program: Program, chosen: Bools) -> Int64s:
    """Room that the chosen columns use, net, per row; exact."""
    per_entry = np.repeat(chosen, np.diff(program.start))
    return summed(program.row[per_entry], program.change[per_entry], len(program.room))


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A part's answer: fractions (0 to 1) of its columns, and their worth less the price of overdrafts.

    ``is_overdrawn``: whether a row is overdrawn by more than a rounding error.
    """

    values: Floats
    worth: float
    is_overdrawn: bool


def solve_part(
    part: Program, binary: Int64s, *, elastic: bool, seconds: float | None, nodes: int, gap: float
) -> Solved | None:
    """The part's relaxation with some columns (``binary``, their numbers in the part, ascending) whole or not at all.

    Like columns are merged. ``elastic`` allows overdrafts at :data:`PENALTY`. Stops after ``nodes`` or ``seconds`` or
    within the relative ``gap``; ``None`` where HiGHS has nothing by then.
    """
    from scipy import sparse

    from liquidity.relaxation import condense
    from liquidity.solver import branch_and_cut

    merged = condense(part, binary)
    columns, rows = len(merged.worth), len(merged.room)
    if not columns:
        return Solved(np.ones(len(part.worth)), float(part.worth.sum()), False)
    overdrafts = rows if elastic else 0
    whole = np.zeros(columns + overdrafts, dtype=np.bool_)
    whole[merged.member[np.searchsorted(merged.columns, binary)]] = True
    unit = float(merged.worth.mean())
    entries = sparse.csc_matrix((merged.change / unit, merged.row, merged.start), shape=(rows, columns))
    if elastic:
        entries = sparse.hstack((entries, -sparse.identity(rows)), format="csc")
    found = branch_and_cut(
        np.concatenate((merged.worth / unit, np.full(overdrafts, -PENALTY))),
        entries,
        merged.room / unit + TOLERANCE,
        whole,
        np.concatenate((np.ones(columns), np.full(overdrafts, np.inf))),
        gap=gap,
        nodes=nodes,
        seconds=None if seconds is None else max(seconds, 0.01),
    )
    if found.x is None:
        return None
    values = np.ones(len(part.worth))
    fractions = np.clip(found.x[:columns], 0.0, 1.0)
    values[merged.columns] = fractions[merged.member]
    largest_first = np.argsort(-part.worth[merged.columns], kind="stable")
    shared = np.empty(len(merged.columns))
    spread(largest_first, merged.member, part.worth[merged.columns], fractions * merged.worth, shared)
    partly = (values[merged.columns] > CERTAIN) & (values[merged.columns] < 1 - CERTAIN)
    values[merged.columns[partly]] = shared[partly]
    is_overdrawn = bool(found.x[columns:].max(initial=0.0) > OVERDRAWN)
    return Solved(values, -float(found.fun) * unit, is_overdrawn)
