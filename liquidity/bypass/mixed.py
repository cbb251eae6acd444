"""A program as HiGHS wants it: linear and mixed-integer programs over some of its columns, the others fixed.

HiGHS works in floating point. What comes back guides a search; nobody believes it without exact integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from liquidity.arrays import Bools, Floats, Int64s
from liquidity.program import Program
from liquidity.solver import branch_and_cut

TYPICAL = 1024.0
"""The median amount is scaled to about this: HiGHS's absolute tolerances (1e-6) then mean a billionth of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """The program in scaled floating point: ``entries`` (rows × columns), ``room`` and ``worth``, their units."""

    entries: sparse.csc_matrix
    room: Floats
    worth: Floats
    unit: float
    worth_unit: float


def _unit(amounts: Int64s) -> float:
    """A power of two that brings the median to about :data:`TYPICAL`, never below 1."""
    median = float(np.median(np.abs(amounts))) if len(amounts) else 1.0
    return float(2.0 ** max(0.0, np.ceil(np.log2(max(median, 1.0) / TYPICAL))))


def make_mixed(program: Program) -> Mixed:
    """The program as floating point."""
    unit, worth_unit = _unit(program.change), _unit(program.worth[program.worth > 0])
    shape = (len(program.room), len(program.worth))
    entries = sparse.csc_matrix((program.change / unit, program.row, program.start), shape=shape)
    return Mixed(entries, program.room / unit, program.worth / worth_unit, unit, worth_unit)


def solve_mixed(
    mixed: Mixed,
    free: Int64s,
    binary: Bools,
    room: Floats,
    *,
    nodes: int,
    gap: float,
    seconds: float | None,
) -> Floats | None:
    """Values of the ``free`` columns worth most within ``room``: those marked ``binary`` 0 or 1, the others between.

    Stops after ``nodes``, after ``seconds``, where given, or within ``gap`` (relative); ``None`` where it has found
    nothing by then.
    """
    if seconds is not None and seconds <= 0:
        return None
    entries = mixed.entries[:, free]
    found = branch_and_cut(mixed.worth[free], entries, room, binary, 1.0, gap=gap, nodes=nodes, seconds=seconds)
    return None if found.x is None else np.asarray(found.x)
