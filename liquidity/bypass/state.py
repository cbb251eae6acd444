"""A set that may settle, as the search holds it: one flag per column, exact slack per row, exact worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquidity.bypass.kernels import Bools, Int32s, Int64s, fill, repair, slack_of, users_by_row, worth_of
from liquidity.program import Program

FILL_PASSES = 30
"""Each pass lets in what the one before made room for; after a handful there is little left."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """``chosen`` (columns), ``slack`` (rows, >= 0), ``worth``."""

    chosen: Bools
    slack: Int64s
    worth: int


def make_state(program: Program, chosen: Bools) -> State | None:
    """The state of a set, in exact integers; ``None`` if it may not settle."""
    slack = slack_of(program.start, program.row, program.change, program.room, chosen)
    if slack.min(initial=0) < 0:
        return None
    return State(chosen, slack, int(worth_of(program.worth, chosen)))


def made_valid(program: Program, chosen: Bools, drop_first: Int32s) -> State | None:
    """The set without what it can't pay (dropped in the given order of columns), filled up in the reverse order.

    ``None`` where no subset is valid, which takes a row with negative room.
    """
    chosen = chosen.copy()
    slack = slack_of(program.start, program.row, program.change, program.room, chosen)
    row_start = np.zeros(len(program.room) + 1, dtype=np.int64)
    users = np.empty(len(program.row), dtype=np.int32)
    users_by_row(program.start, program.row, program.change, drop_first, row_start, users)
    if not repair(program.start, program.row, program.change, row_start, users, chosen, slack):
        return None
    fill(program.start, program.row, program.change, drop_first[::-1], chosen, slack, FILL_PASSES)
    return State(chosen, slack, int(worth_of(program.worth, chosen)))
