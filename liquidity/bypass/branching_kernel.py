"""Branch and bound, compiled: what follows from what is fixed, what prices prove, and which node comes next.

All that decides is in 64-bit integers: what a row may still use, what prices prove, what a set is worth and whether it
may settle. :func:`liquidity.bypass.tree.make_tree` makes sure that the sums fit.
"""

from __future__ import annotations

import numpy as np

from liquidity.arrays import Int64s
from liquidity.bypass.simplex import set_prices, solve
from liquidity.bypass.tree import FREE, Tree
from liquidity.compiling import inner, uncounted

WHOLE = 1e-6
"""Fractions this close to 0 or 1 are taken for that."""

UNSEEN = 0.1
"""What a column never branched on is expected to bring the bound down by, as a share of its worth."""

HUGE = 2**62
"""What a bound or a margin is taken for that is as large or larger."""

# --- what follows ---------------------------------------------------------------------------------------------------


@inner
def _change(tree: Tree, column: int, value: int, sign: int) -> None:
    """What fixing a column changes in its rows, or (``sign`` −1) setting it free."""
    for entry in range(tree.columns[column].start, tree.columns[column].stop):
        change = tree.by_column[entry].change
        row = tree.rows[tree.by_column[entry].other]
        if (change > 0) == (value == 1):
            row.least += sign * abs(change)
        else:
            row.most -= sign * abs(change)
        if sign > 0 and not row.in_line:
            row.in_line = True
            tree.rows[tree.at[0].line].line = tree.by_column[entry].other
            tree.at[0].line += 1


@inner
def _fix(tree: Tree, column: int, value: int) -> None:
    tree.columns[column].fixed = value
    tree.columns[tree.at[0].trail].trail = column
    tree.at[0].trail += 1
    _change(tree, column, value, 1)


@inner
def _set_free(tree: Tree, length: int) -> None:
    """What was fixed last, until so many are fixed."""
    while tree.at[0].trail > length:
        tree.at[0].trail -= 1
        column = tree.columns[tree.at[0].trail].trail
        _change(tree, column, tree.columns[column].fixed, -1)
        tree.columns[column].fixed = FREE


@inner
def _is_certain(tree: Tree, column: int) -> bool:
    """Whether what it takes fits whatever else settles. Cuts don't count: whole settlements keep them anyway."""
    certain = True
    for entry in range(tree.columns[column].start, tree.columns[column].stop):
        one = tree.by_column[entry]
        row = tree.rows[one.other]
        certain = certain and (one.change < 0 or one.other >= tree.at[0].own or row.most <= row.room)
    return certain


@inner
def _is_possible(tree: Tree) -> bool:
    """Fix what can't be otherwise, and what needn't; whether no row is overdrawn whatever follows."""
    possible = True
    while tree.at[0].line > 0:
        tree.at[0].line -= 1
        number = tree.rows[tree.at[0].line].line
        row = tree.rows[number]
        row.in_line = False
        possible = possible and row.least <= row.room
        fits = row.most <= row.room and number < tree.at[0].own
        for entry in range(row.start, row.stop if possible else row.start):
            change, column = tree.by_row[entry].change, tree.by_row[entry].other
            if tree.columns[column].fixed != FREE:
                continue
            if row.least + abs(change) > row.room:
                _fix(tree, column, 0 if change > 0 else 1)
            elif fits and change > 0 and _is_certain(tree, column):
                _fix(tree, column, 1)
    return possible


# --- what prices prove ----------------------------------------------------------------------------------------------


@inner
def _add(tree: Tree, place: int, value: int, factor: int) -> None:
    """Add the product of a number of any size and a digit, digit by digit."""
    digit, sign, rest = tree.at[0].digit, -1 if value < 0 else 1, abs(value)
    mask = (1 << digit) - 1
    while rest > 0:
        tree.sums[place] += sign * (rest & mask) * factor
        rest >>= digit
        place += 1


@inner
def _rounded_down(tree: Tree, numbers: Int64s, point: int) -> int:
    """Digits put together, without the first so many, those behind the point; at most what 62 bits hold."""
    digit = tree.at[0].digit
    carry, about = 0, 0.0
    for place in range(len(numbers)):
        value = numbers[place] + carry
        carry = value >> digit
        numbers[place] = value - (carry << digit)
        about += numbers[place] * 2.0 ** (digit * (place - point))
    about += carry * 2.0 ** (digit * (len(numbers) - point))
    if abs(about) >= HUGE:
        return HUGE if about > 0 else -HUGE
    for place in range(len(numbers) - 1, point - 1, -1):
        carry = (carry << digit) + numbers[place]
    return int(carry)


@inner
def _bound(tree: Tree, times: int) -> int:
    """What no set with what is fixed is worth more than, at the present prices, rounded down; sets the margins.

    ``times`` 1; or 0, as if nothing were worth anything: below 0 no set with what is fixed may settle.
    Place by place, with carries: one column's products with the digits of a place add up in 64 bits.
    """
    at, digits, sums, part = tree.at[0], tree.digits, tree.sums, tree.part
    places, count = len(part), len(tree.rows)
    mask = (1 << at.digit) - 1
    dearest, highest = 2.0 ** (at.digit * places) * (1 - 1e-9), 0.0
    for number in range(count):
        highest = max(highest, tree.rows[number].price * tree.rows[number].price_unit)
    point = places - 1  # digits behind it: as many as the highest price leaves
    while point > 0 and highest * 2.0 ** (at.digit * point) > dearest:
        point -= 1
    unit = 2.0 ** (at.digit * point)
    for place in range(len(sums)):
        sums[place] = 0
    for number in range(count):
        row = tree.rows[number]
        rest = np.int64(min(row.price * row.price_unit * unit, dearest))
        for place in range(places):
            digits[place, number] = rest & mask
            _add(tree, place, row.room, rest & mask)
            rest >>= at.digit
    for number in range(len(tree.columns)):
        column = tree.columns[number]
        value = 0
        for place in range(places):
            value += times * column.worth if place == point else 0
            for entry in range(column.start, column.stop):
                value -= tree.by_column[entry].change * digits[place, tree.by_column[entry].other]
            part[place] = value & mask
            value >>= at.digit
        if column.fixed == 1 or (column.fixed == FREE and value >= 0):
            for place in range(places):
                sums[place] += part[place]
            _add(tree, places, value, 1)
        part[places - 1] += value << at.digit
        column.margin = _rounded_down(tree, part, point)
    return _rounded_down(tree, sums, point)


@inner
def _fix_by_margin(tree: Tree, bound: int) -> None:
    """Fix every column whose other value would bring the bound down to what the best set is worth."""
    spare = bound - tree.at[0].best_worth - tree.at[0].step
    for number in range(len(tree.columns)):
        column = tree.columns[number]
        if column.fixed == FREE and column.margin > spare:
            _fix(tree, number, 1)
        elif column.fixed == FREE and -column.margin - 1 > spare:
            _fix(tree, number, 0)


# --- nodes ----------------------------------------------------------------------------------------------------------


@inner
def _read(tree: Tree) -> None:
    """Each column's fraction in the relaxation, or what it is fixed at."""
    for number in range(len(tree.columns)):
        tree.columns[number].x = 1.0 if tree.variables[number].is_high else 0.0
    for at in range(len(tree.basic)):
        if tree.basic[at] < len(tree.columns):
            tree.columns[tree.basic[at]].x = min(1.0, max(0.0, tree.value[at]))
    for at in range(tree.at[0].trail):
        column = tree.columns[tree.columns[at].trail]
        column.x = float(column.fixed)


@inner
def _keep_if_better(tree: Tree) -> None:
    """Keep the rounded fractions as the best set if they may settle and are worth more."""
    worth = np.int64(0)
    for number in range(len(tree.columns)):
        if tree.columns[number].x > 0.5:
            worth += tree.columns[number].worth
    better = worth > tree.at[0].best_worth
    for number in range(tree.at[0].own if better else 0):
        room = tree.rows[number].room
        for entry in range(tree.rows[number].start, tree.rows[number].stop):
            if tree.columns[tree.by_row[entry].other].x > 0.5:
                room -= tree.by_row[entry].change
        better = better and room >= 0
    if better:
        tree.at[0].best_worth = worth
        for number in range(len(tree.columns)):
            tree.columns[number].is_best = tree.columns[number].x > 0.5


@inner
def _fall(tree: Tree, number: int, value: int) -> float:
    """What fixing a column at a value brings the bound down by, per unit that it moves."""
    column = tree.columns[number]
    if column.falls[value] > 0:
        return float(column.fall[value] / column.falls[value])
    return UNSEEN * float(column.worth)


@inner
def _learn(tree: Tree, bound: int) -> None:
    """How far the bound came down when a column was fixed."""
    level = tree.levels[tree.at[0].level - 1]
    if tree.at[0].level == 0 or level.fraction < 0:
        return
    column = tree.columns[level.column]
    value = column.fixed
    moved = 1.0 - level.fraction if value == 1 else level.fraction
    column.fall[value] += max(0.0, float(level.bound - bound)) / max(moved, 0.01)
    column.falls[value] += 1.0


@inner
def _to_branch_on(tree: Tree) -> int:
    """The column that settles in part whose two values promise most; else the largest free one; −1 if none is."""
    found, score, largest, largest_worth = -1, -1.0, -1, -1
    for number in range(len(tree.columns)):
        column = tree.columns[number]
        if column.fixed != FREE:
            continue
        if column.x > WHOLE and column.x < 1 - WHOLE:
            down, up = column.x * _fall(tree, number, 0), (1 - column.x) * _fall(tree, number, 1)
            mine = max(down, WHOLE) * max(up, WHOLE)
            if mine > score:
                found, score = number, mine
        elif column.worth > largest_worth:
            largest, largest_worth = number, column.worth
    level = tree.levels[tree.at[0].level]
    level.fraction = tree.columns[found].x if found >= 0 else -1.0
    return found if found >= 0 else largest


@inner
def _relaxed(tree: Tree) -> int:
    """What no set with what is fixed is worth more than, by the relaxation; −1 where none may settle."""
    at = tree.at[0]
    if not solve(tree, (at.best_worth + 0.5 * at.step) / at.unit):
        if _bound(tree, 0) < 0:
            return -1
        set_prices(tree)
    return _bound(tree, 1)


@inner
def _branching_column(tree: Tree) -> int:
    """Bound what is fixed; the column to branch on, −1 where nothing better is left."""
    at = tree.at[0]
    if not _is_possible(tree):
        _learn(tree, at.best_worth)
        return -1
    fixed, new = -1, True
    while fixed < at.trail:  # each turn but the last fixes a column
        bound = _relaxed(tree)
        if new:
            _learn(tree, max(bound, at.best_worth))
        new = False
        if bound // at.step * at.step <= at.best_worth:
            return -1
        at.bound = bound // at.step * at.step
        _fix_by_margin(tree, bound)
        fixed = at.trail
        if not _is_possible(tree):
            return -1
    _read(tree)
    _keep_if_better(tree)
    return -1 if at.bound <= at.best_worth else _to_branch_on(tree)


@uncounted
def branch(tree: Tree, nodes: int) -> bool:
    """Go on with the search, depth first, for so many nodes; whether nothing better is left."""
    at = tree.at[0]
    for _ in range(nodes):
        at.nodes += 1
        column = _branching_column(tree)
        if column >= 0:
            level = tree.levels[at.level]
            level.bound, level.trail, level.column = at.bound, at.trail, column
            level.value, level.is_second = 1 if tree.columns[column].x > 0.5 else 0, False
            at.level += 1
            _fix(tree, column, level.value)
            continue
        while at.level > 0 and (
            tree.levels[at.level - 1].is_second or tree.levels[at.level - 1].bound <= at.best_worth
        ):
            at.level -= 1
        if at.level == 0:
            return True
        level = tree.levels[at.level - 1]
        _set_free(tree, level.trail)
        level.is_second = True
        _fix(tree, level.column, 1 - level.value)
    return False


@uncounted
def start_again(tree: Tree) -> None:
    """Back to the root; what has been learnt of the columns stays."""
    _set_free(tree, 0)
    tree.at[0].level = 0
    tree.at[0].line = len(tree.rows)
    for row in range(len(tree.rows)):
        tree.rows[row].line = row
        tree.rows[row].in_line = True
