"""The relaxation of a small program, solved again and again while columns are fixed and set free: a dual simplex.

Each column settles between 0 and 1, or is fixed; each row has a slack of at least 0. The inverse of the basis is kept
whole. It doesn't depend on what is fixed, and a column between bounds is dual feasible at one of them whatever its
cost, so each node of a search starts from the basis that the one before left. All of it is floating point: what the
prices prove is evaluated elsewhere.

Source: A. Koberstein, *The Dual Simplex Method: Techniques for a fast and stable implementation* (Paderborn, 2005),
chapters 3 and 6, for the ratio test that flips bounds.
"""

from __future__ import annotations

import numpy as np

from liquidity.bypass.tree import FREE, Tree
from liquidity.compiling import inner

MOST_STEPS = 500
"""At a node; then the prices that it has must do."""

FEASIBLE = 1e-9
"""A variable may leave its bounds by so much; rows and worths are scaled to about 1."""

LEAST_PIVOT = 1e-7
SINGULAR = 1e-11
AFRESH = 200
"""Steps after which the inverse is computed anew: errors add up."""

TIE = 1e-12


@inner
def _place(tree: Tree) -> None:
    """Put what is not basic at the bound that its cost asks for, and compute what is basic."""
    rows = len(tree.rows)
    for row in range(rows):
        tree.entering[row] = tree.scaled_room[row]
        tree.value[row] = 0.0
    for number in range(len(tree.columns)):
        one, column = tree.variables[number], tree.columns[number]
        if one.is_basic:
            continue
        if column.fixed != FREE:
            one.is_high = column.fixed == 1
        elif one.cost != 0.0:
            one.is_high = one.cost > 0.0
        for entry in range(one.start, one.stop if one.is_high else one.start):
            tree.entering[tree.by_column[entry].other] -= tree.by_column[entry].scaled
    for row in range(rows):
        for at in range(rows if tree.entering[row] != 0.0 else 0):
            tree.value[at] += tree.inverse[row, at] * tree.entering[row]


@inner
def _worth(tree: Tree) -> float:
    """Of the present point: with what is fixed, no set is worth more, but for rounding."""
    columns = len(tree.columns)
    worth = 0.0
    for row in range(len(tree.rows)):
        worth -= tree.variables[columns + row].cost * tree.scaled_room[row]
    for number in range(columns):
        if tree.variables[number].is_high and not tree.variables[number].is_basic:
            worth += tree.variables[number].cost
    return worth


@inner
def _low(tree: Tree, variable: int) -> float:
    return 1.0 if variable < len(tree.columns) and tree.columns[variable].fixed == 1 else 0.0


@inner
def _high(tree: Tree, variable: int) -> float:
    if variable >= len(tree.columns):
        return np.inf
    return 0.0 if tree.columns[variable].fixed == 0 else 1.0


@inner
def _farthest_out(tree: Tree) -> int:
    """The place in the basis whose variable is farthest out of its bounds; −1 if none is."""
    found, farthest = -1, FEASIBLE
    for at in range(len(tree.basic)):
        variable, value = tree.basic[at], tree.value[at]
        out = max(_low(tree, variable) - value, value - _high(tree, variable))
        if out > farthest:
            found, farthest = at, out
    return found


@inner
def _set_ratios(tree: Tree, at: int, sign: float) -> None:
    """What each variable moves the one at this place by, and how far the price may go before it wants to move."""
    for number in range(len(tree.variables)):
        one = tree.variables[number]
        one.ratio = np.inf
        if one.is_basic:
            continue
        one.entry = 0.0
        for entry in range(one.start, one.stop):
            one.entry += tree.by_column[entry].scaled * tree.inverse[tree.by_column[entry].other, at]
        if _low(tree, number) == _high(tree, number):
            continue
        if sign * one.entry > LEAST_PIVOT if one.is_high else sign * one.entry < -LEAST_PIVOT:
            one.ratio = abs(one.cost / one.entry)


@inner
def _nearest(tree: Tree) -> int:
    """The variable that wants to move first, of several the one with the largest entry; −1 if none does."""
    found, ratio, size = -1, np.inf, 0.0
    for number in range(len(tree.variables)):
        one = tree.variables[number]
        if one.ratio < ratio - TIE or (one.ratio < np.inf and one.ratio <= ratio + TIE and abs(one.entry) > size):
            found, ratio, size = number, one.ratio, abs(one.entry)
    return found


@inner
def _load(tree: Tree, number: int) -> None:
    """Put into ``entering`` what each basic variable falls by while this one rises by 1."""
    for at in range(len(tree.entering)):
        tree.entering[at] = 0.0
    for entry in range(tree.variables[number].start, tree.variables[number].stop):
        row, scaled = tree.by_column[entry].other, tree.by_column[entry].scaled
        for at in range(len(tree.entering)):
            tree.entering[at] += scaled * tree.inverse[row, at]


@inner
def _shift(tree: Tree, change: float) -> None:
    """Move the variable that is in ``entering``."""
    for at in range(len(tree.entering)):
        tree.value[at] -= change * tree.entering[at]


@inner
def _pivot(tree: Tree, at: int, number: int) -> None:
    """Put a variable, whose column is in ``entering``, into the basis at a place."""
    rows = len(tree.rows)
    pivot = tree.entering[at]
    for row in range(rows):
        factor = tree.inverse[row, at] / pivot
        if factor != 0.0:
            for one in range(rows):
                tree.inverse[row, one] -= factor * tree.entering[one]
            tree.inverse[row, at] = factor
    step = tree.variables[number].cost / tree.variables[number].entry
    for other in range(len(tree.variables)):
        one = tree.variables[other]
        if not one.is_basic:
            one.cost -= step * one.entry
    leaving = tree.variables[tree.basic[at]]
    leaving.cost, leaving.is_basic = -step, False
    tree.variables[number].cost, tree.variables[number].is_basic = 0.0, True
    tree.basic[at] = number
    tree.at[0].steps += 1


@inner
def set_prices(tree: Tree) -> None:
    """The prices of the present basis."""
    columns = len(tree.columns)
    for row in range(len(tree.rows)):
        tree.rows[row].price = max(0.0, -tree.variables[columns + row].cost)


@inner
def _set_ray(tree: Tree, at: int, sign: float) -> None:
    """What all prices may move by without end, where the variable at a place is out of reach."""
    for row in range(len(tree.rows)):
        tree.rows[row].price = max(0.0, sign * tree.inverse[row, at])


@inner
def _swap(tree: Tree, one: int, other: int) -> None:
    for at in range(len(tree.basic) if one != other else 0):
        tree.basis[one, at], tree.basis[other, at] = tree.basis[other, at], tree.basis[one, at]
        tree.inverse[one, at], tree.inverse[other, at] = tree.inverse[other, at], tree.inverse[one, at]


@inner
def _inverts(tree: Tree) -> bool:
    """Invert the basis by elimination; false where it is singular.

    Not by a library: its threads wait for those of the other searches.
    """
    rows = len(tree.rows)
    for at in range(rows):
        for row in range(rows):
            tree.basis[at, row] = tree.inverse[at, row] = 0.0
        tree.inverse[at, at] = 1.0
        one = tree.variables[tree.basic[at]]
        for entry in range(one.start, one.stop):
            tree.basis[at, tree.by_column[entry].other] = tree.by_column[entry].scaled
    for row in range(rows):
        largest = row
        for at in range(row + 1, rows):
            if abs(tree.basis[at, row]) > abs(tree.basis[largest, row]):
                largest = at
        pivot = tree.basis[largest, row]
        if abs(pivot) < SINGULAR:
            return False
        _swap(tree, row, largest)
        for other in range(rows):
            tree.basis[row, other] /= pivot
            tree.inverse[row, other] /= pivot
        for at in range(rows):
            factor = tree.basis[at, row]
            if at != row and factor != 0.0:
                for other in range(rows):
                    tree.basis[at, other] -= factor * tree.basis[row, other]
                    tree.inverse[at, other] -= factor * tree.inverse[row, other]
    return True


@inner
def _compute_afresh(tree: Tree) -> None:
    """The inverse of the basis and all costs from the program; of the basis of the slacks, where that has none."""
    columns, rows = len(tree.columns), len(tree.rows)
    if not _inverts(tree):
        for number in range(columns + rows):
            tree.variables[number].is_basic = number >= columns
        for at in range(rows):
            tree.basic[at] = columns + at
            for row in range(rows):
                tree.inverse[row, at] = 1.0 if row == at else 0.0
    for row in range(rows):
        tree.rows[row].price = 0.0
        for at in range(rows):
            tree.rows[row].price += tree.variables[tree.basic[at]].worth * tree.inverse[row, at]
    for number in range(columns + rows):
        one = tree.variables[number]
        one.cost = one.worth
        for entry in range(one.start, one.stop):
            one.cost -= tree.by_column[entry].scaled * tree.rows[tree.by_column[entry].other].price
        if one.is_basic:
            one.cost = 0.0
    tree.at[0].steps = 0


@inner
def solve(tree: Tree, at_least: float) -> bool:
    """Set the prices of the relaxation with what is fixed; those first found that prove it worth less will do.

    False where nothing may settle: then by these prices what is used costs more than all the room there is.
    """
    if tree.at[0].steps >= AFRESH:
        _compute_afresh(tree)
    _place(tree)
    for _ in range(MOST_STEPS):
        worth = _worth(tree)
        at = -1 if worth < at_least else _farthest_out(tree)
        if at < 0:
            break
        low, high = _low(tree, tree.basic[at]), _high(tree, tree.basic[at])
        rises = tree.value[at] < low
        bound = low if rises else high
        out = abs(tree.value[at] - bound)
        sign = 1.0 if rises else -1.0
        _set_ratios(tree, at, sign)
        number = _nearest(tree)
        while number >= 0:  # each turn but the last takes one out
            one = tree.variables[number]
            if number >= len(tree.columns) or out <= abs(one.entry) + FEASIBLE:
                break
            out -= abs(one.entry)  # even at its other bound it doesn't bring the basic one home: flip it and go on
            _load(tree, number)
            _shift(tree, -1.0 if one.is_high else 1.0)
            one.is_high = not one.is_high
            one.ratio = np.inf
            number = _nearest(tree)
        if number < 0:
            _set_ray(tree, at, sign)
            return False
        one = tree.variables[number]
        _load(tree, number)
        change = (tree.value[at] - bound) / tree.entering[at]
        _shift(tree, change)
        tree.value[at] = (1.0 if one.is_high else 0.0) + change
        tree.variables[tree.basic[at]].is_high = bound == 1.0
        _pivot(tree, at, number)
    set_prices(tree)
    return True
