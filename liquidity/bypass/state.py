"""A set that may settle, as the search holds it: one flag per column, exact slack per row, exact worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquidity.arrays import Bools, Floats, Int32s, Int64s
from liquidity.bypass.kernels import fill, repair, slack_of, worth_of
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


@dataclass(frozen=True, slots=True, eq=False)
class Mender:
    """What a repair needs to know of a program, see :func:`liquidity.bypass.kernels.repair`."""

    program: Program
    row_start: Int64s
    users: Int32s
    uses: Int64s
    loss: Floats
    scale: Floats
    largest_first: Int32s


def make_mender(program: Program, loss: Floats) -> Mender:
    """``loss`` (columns): worth above the price of what a column uses; zeros where no prices are known."""
    uses = program.change > 0
    column = np.repeat(np.arange(len(program.worth), dtype=np.int32), np.diff(program.start))
    row, change = program.row[uses], program.change[uses]
    order = np.lexsort((change, row))
    moved = np.bincount(program.row, np.abs(program.change).astype(np.float64), len(program.room))
    worth = np.bincount(program.row, program.worth[column].astype(np.float64), len(program.room))
    return Mender(
        program=program,
        row_start=np.searchsorted(row[order], np.arange(len(program.room) + 1)).astype(np.int64),
        users=column[uses][order],
        uses=change[order],
        loss=loss,
        scale=worth / np.maximum(moved, 1.0),
        largest_first=np.argsort(-program.worth, kind="stable").astype(np.int32),
    )


def made_valid(mender: Mender, chosen: Bools) -> State | None:
    """The set without what it can't pay, filled up with what fits; ``None`` where no subset is valid."""
    program = mender.program
    chosen = chosen.copy()
    slack = slack_of(program.start, program.row, program.change, program.room, chosen)
    lists = (mender.row_start, mender.users, mender.uses, mender.loss, mender.scale)
    if not repair(program.start, program.row, program.change, *lists, chosen, slack):
        return None
    fill(program.start, program.row, program.change, mender.largest_first, chosen, slack, FILL_PASSES)
    return State(chosen, slack, int(worth_of(program.worth, chosen)))


def better(one: State, other: State | None) -> State:
    """The one worth more; the first where they are worth the same."""
    return other if other is not None and other.worth > one.worth else one
