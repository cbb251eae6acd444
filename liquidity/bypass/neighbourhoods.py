"""Large-neighbourhood search: set some columns of the best set free, solve that part, keep what is better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from liquidity.arrays import Bools, Int64s
from liquidity.bypass.mixed import Mixed, solve_mixed
from liquidity.bypass.state import State, make_state
from liquidity.program import Program

SIZES = (150, 300, 600, 1000)
"""Columns set free at a time."""

NODES = 50
SECONDS = 1.0
"""Of one part's program."""

GAP = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Columns that were free, and whether each settles now."""

    columns: Int64s
    chosen: Bools


def draw_part(program: Program, by_row: sparse.csr_matrix, by_worth: Int64s, draw: np.random.Generator) -> Int64s:
    """Columns to set free: of a few rows, of a few neighbouring rows, of like worth, or any."""
    columns = len(program.worth)
    size = min(columns, int(draw.choice(SIZES)))
    kind = draw.integers(0, 3)
    if kind == 0:
        chosen = draw.choice(columns, size, replace=False)
    elif kind == 1:
        begin = int(draw.integers(0, columns - size + 1))
        chosen = by_worth[begin : begin + size]
    else:
        parts, count = [], 0
        for row in draw.permutation(len(program.room)):
            users = by_row.indices[by_row.indptr[row] : by_row.indptr[row + 1]]
            parts.append(users)
            count += len(users)
            if count >= size:
                break
        found = np.unique(np.concatenate(parts))
        chosen = draw.choice(found, min(size, len(found)), replace=False)
    return np.sort(chosen).astype(np.int64)


def improved_part(mixed: Mixed, program: Program, state: State, seconds: float | None, columns: Int64s) -> Part | None:
    """What the free columns should do while all others stay; ``None`` where nothing better was found."""
    was = state.chosen[columns]
    room = state.slack / mixed.unit + mixed.entries[:, columns] @ was.astype(np.float64)
    binary = np.ones(len(columns), dtype=np.bool_)
    answer = solve_mixed(mixed, columns, binary, room, nodes=NODES, gap=GAP, seconds=seconds)
    if answer is None:
        return None
    now = answer.values > 0.5
    worth = program.worth[columns]
    gained = int(worth[now].sum()) - int(worth[was].sum())
    return Part(columns, now) if gained > 0 else None


def applied(program: Program, state: State, part: Part) -> State | None:
    """The state with a part changed, if that may settle and is worth more."""
    chosen = state.chosen.copy()
    chosen[part.columns] = part.chosen
    changed = make_state(program, chosen)
    return changed if changed is not None and changed.worth > state.worth else None
