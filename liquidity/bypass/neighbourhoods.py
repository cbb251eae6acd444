"""Large-neighbourhood search: set some columns of the best set free, solve that part, keep what is better.

All columns are dealt at random to as many hands as are searched at a time. In each hand the relaxation, with the other
hands' columns as they are, says where the set may be wrong: the columns where the two differ most are set free
(relaxation-induced neighbourhoods: Danna, Rothberg, Le Pape, Mathematical Programming 102, 2005). The hands share the
room that is left, so what they find holds together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquidity.arrays import Bools, Int64s
from liquidity.bypass.mixed import Mixed, solve_mixed
from liquidity.bypass.parts import used_by
from liquidity.bypass.state import State, make_state
from liquidity.program import Program
from liquidity.reducing import restricted
from liquidity.relaxation import solve_relaxation

MOST_FREE = 1000
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


def deal(columns: int, hands: int, draw: np.random.Generator) -> list[Int64s]:
    """The columns' numbers dealt at random, ascending in each hand."""
    return [np.sort(hand).astype(np.int64) for hand in np.array_split(draw.permutation(columns), hands)]


def improved_part(
    mixed: Mixed, program: Program, state: State, hands: int, seconds: float | None, hand: Int64s
) -> Part | None:
    """What columns of one of so many hands should do while all others stay; ``None`` where nothing better was found."""
    held = np.zeros(len(program.worth), dtype=np.bool_)
    held[hand] = state.chosen[hand]
    slack = state.slack // hands
    relaxed = solve_relaxation(restricted(program, hand, slack + used_by(program, held)), seconds=seconds)
    wrong = np.abs(relaxed.x - state.chosen[hand])
    columns = np.sort(hand[np.lexsort((np.abs(relaxed.margin), -wrong))[:MOST_FREE]])
    was = state.chosen[columns]
    room = slack / mixed.unit + mixed.entries[:, columns] @ was.astype(np.float64)
    binary = np.ones(len(columns), dtype=np.bool_)
    answer = solve_mixed(mixed, columns, binary, room, nodes=NODES, gap=GAP, seconds=seconds)
    if answer is None:
        return None
    now = answer > 0.5
    worth = program.worth[columns]
    gained = int(worth[now].sum()) - int(worth[was].sum())
    return Part(columns, now) if gained > 0 else None


def applied(program: Program, state: State, part: Part) -> State | None:
    """The state with a part changed, if that may settle and is worth more."""
    chosen = state.chosen.copy()
    chosen[part.columns] = part.chosen
    changed = make_state(program, chosen)
    return changed if changed is not None and changed.worth > state.worth else None
