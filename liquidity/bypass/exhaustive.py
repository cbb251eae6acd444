"""Branch and bound over a handful of obligations, in exact integers of any size: the answer and its proof.

It imports nothing, so a small case is answered before numpy would be there.
"""

from __future__ import annotations

from dataclasses import dataclass

from liquidity.bypass.columns import Column, Columns

MOST_COLUMNS = 40
"""Beyond, a search without relaxation seldom ends within :data:`MOST_NODES`, and recursion stays shallow."""

MOST_NODES = 150_000
"""Some 0.3 seconds. Then the search says that it hasn't ended."""


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A best set (arrival numbers, ascending), its worth, and how many nodes it took to know."""

    numbers: tuple[int, ...]
    worth: int
    nodes: int


class _TooLong(Exception):
    """The nodes are used up."""


class _Search:
    """Depth first, most worth first, each obligation taken before it is left.

    A node is given up when what is chosen and all that may follow is worth no more than the best, or when some row
    stays overdrawn whatever follows. Rows may be overdrawn on the way: those that pay in may come later.
    """

    def __init__(self, columns: list[Column], room: list[int], most_nodes: int) -> None:
        self.columns = columns
        self.slack = room
        self.most_nodes = most_nodes
        self.nodes = 0
        self.to_come = [0] * len(room)
        for column in columns:
            for row, change in column.changes:
                self.to_come[row] += max(0, -change)
        self.worth_after = [0] * (len(columns) + 1)
        for at in range(len(columns) - 1, -1, -1):
            self.worth_after[at] = self.worth_after[at + 1] + columns[at].worth
        self.best: tuple[int, ...] = ()
        self.best_worth = 0
        self.taken: list[int] = []

    def search(self, at: int, worth: int) -> None:
        self.nodes += 1
        if self.nodes > self.most_nodes:
            raise _TooLong
        if worth > self.best_worth and min(self.slack, default=0) >= 0:
            self.best_worth, self.best = worth, tuple(self.taken)
        if at == len(self.columns) or worth + self.worth_after[at] <= self.best_worth:
            return
        column = self.columns[at]
        slack, to_come = self.slack, self.to_come
        for row, change in column.changes:
            slack[row] -= change
            if change < 0:
                to_come[row] += change
        if all(slack[row] + to_come[row] >= 0 for row, _ in column.changes):
            self.taken.append(column.number)
            self.search(at + 1, worth + column.worth)
            self.taken.pop()
        for row, change in column.changes:
            slack[row] += change
        if all(slack[row] + to_come[row] >= 0 for row, change in column.changes if change < 0):
            self.search(at + 1, worth)
        for row, change in column.changes:
            if change < 0:
                to_come[row] -= change


def reduced(columns: Columns) -> tuple[list[Column], list[Column], list[int]]:
    """(settled at once, still open, room): what fits whatever else settles is taken, what never fits is left out."""
    room = list(columns.room)
    free: list[Column] = []
    still_open = list(columns.columns)
    while True:  # each round but the last takes a column off
        taken_most, given_most = [0] * len(room), [0] * len(room)
        for column in still_open:
            for row, change in column.changes:
                taken_most[row] += max(0, change)
                given_most[row] += max(0, -change)
        remaining = []
        for column in still_open:
            if all(taken_most[row] <= room[row] for row, change in column.changes if change > 0):
                free.append(column)
            elif all(change <= room[row] + given_most[row] for row, change in column.changes):
                remaining.append(column)
        if len(remaining) == len(still_open):
            return free, remaining, room
        still_open = remaining
        room = list(columns.room)
        for column in free:
            for row, change in column.changes:
                room[row] -= change


def exhaust(columns: Columns, most_nodes: int = MOST_NODES) -> Exhausted | None:
    """A set worth most, by trying all that might be; ``None`` when there are too many."""
    free, still_open, room = reduced(columns)
    if len(still_open) > MOST_COLUMNS:
        return None
    search = _Search(sorted(still_open, key=lambda column: -column.worth), room, most_nodes)
    try:
        search.search(0, 0)
    except _TooLong:
        return None
    numbers = sorted([*search.best, *(column.number for column in free)])
    return Exhausted(tuple(numbers), search.best_worth + sum(column.worth for column in free), search.nodes)
