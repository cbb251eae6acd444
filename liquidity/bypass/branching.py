"""Branch and bound over a small program, proven in exact integers: the best set, and that nothing is better.

At each node some columns are fixed. What follows from that alone is fixed too. The relaxation of the rest, cuts
included, gives prices; the bound that these prove is evaluated in integers, and the node is given up unless it lies
above what the best set is worth. By the same prices every column is fixed whose other value couldn't lead above it.
A set counts once it holds in integers. Floating point only guides: what it gets wrong costs nodes, never the proof.

The search goes depth first and starts again from the root after ever more nodes, knowing by then which columns bring
the bound down; or when somebody else has found a better set, for then what it has learnt from is gone. Where many
columns are fixed at the root, the others become a program of their own, with cuts of their own.

Sources: R. J. Dakin, "A tree-search algorithm for mixed integer programming problems", The Computer Journal 8 (1965);
T. Achterberg, *Constraint Integer Programming* (Berlin, 2007), for pseudocosts, restarts and reduced-cost fixing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquidity.arrays import Bools, Int64s
from liquidity.bypass.branching_kernel import branch, start_again
from liquidity.bypass.budget import Budget
from liquidity.bypass.parts import used_by
from liquidity.bypass.state import State, make_state
from liquidity.bypass.tree import Tree, make_tree
from liquidity.compiling import is_ready
from liquidity.cutting import Tightened, tightened, with_rows
from liquidity.model import Leg, Obligation, Queue
from liquidity.program import Program, make_program
from liquidity.reducing import reduced, restricted
from liquidity.relaxation import solve_relaxation
from liquidity.terms import make_rates, make_terms

MOST_COLUMNS = 1_000
"""A program with more is left to the search by parts: it seldom ends within a minute."""

MOST_ROWS = 1_000
"""With more the inverse of a basis takes longer than a node may."""

FIRST_NODES = 4000
GROWTH = 2
"""Nodes before the first new start, and how many times as many before the next."""

CALL_NODES = 2_000
"""Nodes that count as one solver call."""

LOOK_NODES = 50
"""Nodes between two looks at the clock."""

FIXED_SHARE = 0.1
LEAST_FIXED = 3
"""Where so many of the columns are fixed for good, the others become a program of their own."""


def compile_ahead() -> None:
    """Compile the search, or load it where that was done before; some fifteen seconds the first time on a machine."""
    queue = Queue([Obligation("T1", [Leg("HK1", "HK2", "HKD", 1)])])
    program = make_program(queue, make_terms({}, None, None), make_rates(None))
    tree = None if program is None else make_tree(program, len(program.room), 0)
    assert tree is not None, "one leg fits 64 bits"
    branch(tree, 0)
    start_again(tree)


@dataclass(frozen=True, slots=True, eq=False)
class _Rest:
    """A program of some of the whole's columns, the others decided: its best set with ``settled`` is the best there is,
    unless the best set known is.

    ``columns``: the numbers of its columns in the whole; ``settled`` (columns of the whole) and their worth.
    """

    program: Program
    columns: Int64s
    settled: Bools
    settled_worth: int


def _tree_of(program: Program, cut: Tightened, best_worth: int) -> Tree | None:
    """The tree over the rows that may bind; ``None`` where the program is too large, in size or in sums."""
    binds = cut.program.room < cut.program.outflow
    if len(program.worth) > MOST_COLUMNS or binds.sum() > MOST_ROWS:
        return None
    return make_tree(with_rows(cut.program, binds, []), int(binds[: len(program.room)].sum()), best_worth)


class Branching:
    """The search of a program. ``bound``: no set is worth more; ``is_ended``: nor more than the best set found.

    ``is_able``: whether the program is small enough in columns and in sums; else it finds nothing. ``has_begun``:
    whether it has had a turn.
    """

    def __init__(self, program: Program, cut: Tightened) -> None:
        count = len(program.worth)
        self.bound, self.is_ended, self.has_begun = cut.most, False, False
        self.program = program
        self._rest = _Rest(program, np.arange(count), np.zeros(count, dtype=np.bool_), 0)
        self._run_nodes, self._run_start = FIRST_NODES, 0
        self._tree = _tree_of(program, cut, 0)
        self.is_able = self._tree is not None

    def go_on(self, best: State, budget: Budget) -> State:
        """``best``, or a better set found within the budget; by the clock only once the search is compiled."""
        if self._tree is None or not (budget.seconds is None or is_ready(start_again, compile_ahead)):
            return best
        self.has_begun = True
        while self._tree is not None and not self.is_ended and budget.granted():
            best = self._call(self._tree, best, budget)
        return best

    def _call(self, tree: Tree, best: State, budget: Budget) -> State:
        """Go on for as many nodes as count as one solver call."""
        at = tree.at
        step = int(at["step"][0])
        known = (best.worth - self._rest.settled_worth) // step * step
        if known > int(at["best_worth"][0]):
            at["best_worth"] = known
            start_again(tree)
            tree.columns["fall"] = tree.columns["falls"] = 0.0
            self._run_start = int(at["nodes"][0])
        until = int(at["nodes"][0]) + CALL_NODES
        while int(at["nodes"][0]) < until and not budget.is_late():
            is_root = int(at["nodes"][0]) == self._run_start
            before = int(at["best_worth"][0])
            ended = branch(tree, 1 if is_root else LOOK_NODES)
            if int(at["best_worth"][0]) > before:
                best = self._state(tree.columns["is_best"])
            if ended:
                self.bound, self.is_ended = best.worth, True
                break
            fixed = int(tree.levels["trail"][0]) if is_root and int(at["level"][0]) else 0
            if fixed > max(LEAST_FIXED, FIXED_SHARE * len(tree.columns)):
                return self._plant(tree, fixed, best, budget)
            if int(at["nodes"][0]) - self._run_start >= self._run_nodes:
                start_again(tree)
                self._run_start, self._run_nodes = int(at["nodes"][0]), self._run_nodes * GROWTH
        return best

    def _state(self, is_best: Bools) -> State:
        """The set that settles these of the rest's columns, checked again."""
        chosen = self._rest.settled.copy()
        chosen[self._rest.columns[is_best]] = True
        state = make_state(self.program, chosen)
        assert state is not None, "what is kept may settle"
        return state

    def _plant(self, tree: Tree, fixed: int, best: State, budget: Budget) -> State:
        """Decide the columns that were fixed first, and make a tree of the others, with cuts of their own."""
        rest, columns = self._rest, tree.columns
        is_free = np.ones(len(columns), dtype=np.bool_)
        is_free[columns["trail"][:fixed]] = False
        settles = ~is_free & (columns["fixed"] == 1)
        room = rest.program.room - used_by(rest.program, settles)
        less = reduced(restricted(rest.program, np.flatnonzero(is_free), room))
        kept = np.flatnonzero(is_free)[less.columns]
        settled = rest.settled.copy()
        settled[rest.columns[settles]] = settled[rest.columns[is_free][less.settled]] = True
        worth = int(self.program.worth[settled].sum())
        self._rest, self._tree, self._run_start = _Rest(less.program, rest.columns[kept], settled, worth), None, 0
        if not len(kept):
            state = make_state(self.program, settled)
            best = state if state is not None and state.worth > best.worth else best
            self.bound, self.is_ended = best.worth, True
            return best
        relaxed = solve_relaxation(less.program, seconds=budget.seconds_left())
        cut = tightened(less.program, relaxed, budget.seconds_left)
        self.bound = min(self.bound, max(best.worth, worth + cut.most))
        self._tree = _tree_of(less.program, cut, best.worth - worth)
        if self._tree is not None:
            for name in ("fall", "falls"):
                self._tree.columns[name] = columns[name][kept]
        return best
