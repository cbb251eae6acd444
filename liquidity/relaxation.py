"""The linear relaxation of a program: prices of liquidity, the upper bound they prove, and fractions that guide.

Let settle fractions of obligations. Then for *any* prices ``y >= 0``, one per row, no settlement is worth more than

    room · y  +  the sum over columns of max(0, worth − price of what the column uses)

(weak duality), and the best prices reach the relaxation's optimum. So a solver may work in floating point as it
likes: the prices that it finds are rounded to a common power-of-two denominator and this sum is evaluated in exact
integers. Whatever found the prices, the bound is proven.

Columns that differ only in size (all transfers between two banks in one currency, say) are one column here, which is
exact and makes a million obligations some hundred thousand columns. Small relaxations go to the simplex method of
HiGHS. Large ones go to a first-order method of our own: the primal-dual hybrid gradient with diagonal steps,
reflected Halpern iteration and restarts. It needs nothing but passes over the program, so its answer depends on the
number of passes alone, and any number of passes gives a valid bound.

References
----------
A. Chambolle, T. Pock, "A first-order primal-dual algorithm for convex problems", J. Math. Imaging and Vision 40
(2011); T. Pock, A. Chambolle, "Diagonal preconditioning for first order primal-dual algorithms", ICCV 2011;
D. Applegate et al., "Practical large-scale linear programming using primal-dual hybrid gradient", NeurIPS 2021;
H. Lu, J. Yang, "Restarted Halpern PDHG for linear programming", 2024.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from liquidity.arrays import Floats, Int32s, Int64s
from liquidity.program import Program, exact_sum

Clock = Callable[[], float]
"""Seconds since whenever, never going back; looked at only where a time limit is given."""

SIMPLEX_COLUMNS = 30_000
"""Up to here (columns that differ in more than size) the simplex method takes a second or so; beyond, first-order
passes reach one part in ten thousand before it is done."""

PASSES = 200
"""Passes over a large program: the bound then lies within about 1e-4 of the relaxation's optimum (measured on 100 to
1,000 banks, up to 1,000,000 obligations, with and without PvP, at 0 to 90 % of the liquidity needed); 20 reach 3 %."""

CHECK_EVERY = 20
"""Passes between two looks at the bound, the clock and whether to restart: they cost as much as one pass."""

SIMPLEX = "linear relaxation, dual simplex (HiGHS)"
"""What ran, as an answer's ``method`` says it."""

STILL = 1e-8
"""First-order passes end when they move less than this, relative to the root of all worth."""

SUM_BITS = 61
"""Sums of products in the exact evaluation stay below 2**61, so that with a worth and a carry they fit 64 bits."""

PRICE_BITS = 60
"""Binary digits of a price's numerator: a little more than floating point tells apart."""

MOST_PLACES = 8
"""Numerators are cut into no more parts than this; amounts up to 10**15 or so keep all their digits."""


@dataclass(frozen=True, slots=True, eq=False)
class Relaxation:
    """Prices, the bound they prove, and fractions of settlement.

    ``bound``: no settlement is worth more (reporting currency; exact). ``most``: the same in the program's units of
    worth, rounded down. ``prices`` (rows, >= 0): worth per minor unit of room, exactly what the bound was evaluated
    at, as ``price_numerators`` / 2**``price_bits``. ``margin`` (columns): worth above the price of what the column
    uses; > 0 wants to settle, < 0 doesn't. ``x`` (columns, 0..1): the solver's fractions, within its tolerance.
    ``method``: what ran.
    """

    bound: Fraction
    most: int
    prices: Floats
    price_numerators: Int64s
    price_bits: int
    margin: Floats
    x: Floats
    method: str


def solve_relaxation(
    program: Program,
    *,
    prices: Floats | None = None,
    passes: int = PASSES,
    seconds: float | None = None,
    clock: Clock = time.monotonic,
) -> Relaxation:
    """Solve the relaxation well enough, and prove a bound.

    Parameters
    ----------
    prices
        Where first-order passes start (rows, worth per minor unit); the bound is at least as good as these prove.
    passes
        At most this many first-order passes; the answer is the same on every run.
    seconds
        Stop about then by ``clock``; the answer depends on the machine. At least one check interval is run.
    """
    condensed = condense(program)
    until = None if seconds is None else clock() + seconds
    if len(condensed.worth) <= SIMPLEX_COLUMNS:
        solved = _simplex(condensed, seconds)
        if solved is not None:
            return _answer(program, condensed, solved, SIMPLEX, prices)
    begin = None if prices is None else prices / condensed.row_scale
    solved = _first_order(condensed, begin, passes, until, clock)
    return _answer(program, condensed, solved, f"linear relaxation, {solved.passes} first-order passes", prices)


def solved_by_simplex(program: Program, seconds: float | None) -> Relaxation | None:
    """The relaxation's optimum; ``None`` where the simplex method gives up, or has none by then."""
    condensed = condense(program)
    solved = _simplex(condensed, seconds)
    return None if solved is None else _answer(program, condensed, solved, SIMPLEX, None)


def _answer(program: Program, condensed: Condensed, solved: _Solved, method: str, prices: Floats | None) -> Relaxation:
    """What is proven by a solver's prices, or by those given where they prove more."""
    proven = prove(program, solved.y * condensed.row_scale)
    if prices is not None:
        proven = min(proven, prove(program, prices), key=lambda one: one.worth)
    x = np.ones(len(program.worth))
    x[condensed.columns] = np.clip(solved.x, 0.0, 1.0)[condensed.member]
    return Relaxation(
        bound=proven.worth * program.worth_scale,
        most=math.floor(proven.worth),
        prices=proven.numerators * 2.0**-proven.bits,
        price_numerators=proven.numerators,
        price_bits=proven.bits,
        margin=proven.margin,
        x=x,
        method=method,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """What prices prove: ``worth`` (the program's units) bounds every settlement, at ``numerators`` / 2**``bits``.

    ``margin`` (columns): worth above the price of what the column uses, in floating point.
    """

    worth: Fraction
    numerators: Int64s
    bits: int
    margin: Floats


def prove(program: Program, prices: Floats) -> Proof:
    """The bound at ``prices`` rounded to a common denominator, in exact integers.

    Numerators are cut into digits so small that the products of one digit with a column's entries can be added up in
    64 bits; the margins of the columns are put together from digits too, with carries.
    """
    filled = np.flatnonzero(np.diff(program.start))
    first, worth = program.start[filled], program.worth[filled]
    y = np.where((program.room < program.outflow) & np.isfinite(prices), np.maximum(prices, 0.0), 0.0)
    widest = np.add.reduceat(np.abs(program.change).astype(np.float64), first) if len(first) else np.zeros(1)
    spare = SUM_BITS - _bits(float(widest.max()) * 1.001)
    if spare < 1:
        y[:] = 0.0  # no digit fits: prices of zero prove all that waits
    digit = min(max(spare, 1), PRICE_BITS)
    places = min(-(-PRICE_BITS // digit), MOST_PLACES)
    size = min(places * digit, PRICE_BITS)
    bits = max(size - _bits(float(y.max(initial=0.0))), 0)
    at = min(places - 1, bits // digit)  # the place at which worth comes in
    bits = min(bits, at * digit + 62 - int(worth.max(initial=1)).bit_length())
    numerators = np.minimum(np.minimum(np.rint(y * 2.0**bits), 2.0**size).astype(np.int64), (1 << size) - 1)

    carry = np.zeros(len(filled), dtype=np.int64)
    mask = (1 << digit) - 1
    digits = []
    for place in range(places):
        part = numerators >> (place * digit)
        price = (part if place == places - 1 else part & mask)[program.row] * program.change
        rest = carry - (np.add.reduceat(price, first) if len(first) else carry)
        if place == at:
            rest += worth << (bits - at * digit)
        carry = rest >> digit
        digits.append(rest if place == places - 1 else rest & mask)
    wanted = digits[-1] >= 0
    total = sum(exact_sum(values[wanted]) << (place * digit) for place, values in enumerate(digits))
    total += (exact_sum(program.worth) - exact_sum(worth)) << bits
    total += sum(room * price for room, price in zip(program.room.tolist(), numerators.tolist(), strict=True))
    margin = program.worth.astype(np.float64)
    margin[filled] = sum(values * 2.0 ** (place * digit - bits) for place, values in enumerate(digits))
    return Proof(Fraction(total, 1 << bits), numerators, bits, margin)


def _bits(value: float) -> int:
    """The least b with value < 2**b."""
    return math.frexp(value)[1]


@dataclass(frozen=True, slots=True, eq=False)
class Condensed:
    """A program in floating point, like columns merged, rows scaled so that prices are about 1.

    ``columns``: which columns of the program have entries at all; ``member``: to which merged column each belongs.
    A price here times ``row_scale`` is worth per minor unit. Entries as in :class:`Program`.
    """

    start: Int64s
    row: Int32s
    change: Floats
    worth: Floats
    room: Floats
    row_scale: Floats
    columns: Int64s
    member: Int64s


def condense(program: Program, apart: Int64s | None = None) -> Condensed:
    """Merge columns whose entries are the same per unit of worth, those of ``apart`` (which have entries) with none.

    Equal hashes of 64 bits stand for equal entries. Two different columns with the same hash would spoil prices and
    fractions a little, never the bound that prices prove.
    """
    columns = np.flatnonzero(np.diff(program.start))
    sizes = np.diff(program.start)
    per_worth = program.change / np.repeat(program.worth, sizes)
    mixed = _mix(_mix(program.row.astype(np.uint64) + _GOLDEN) ^ per_worth.view(np.uint64))
    hashes = np.add.reduceat(mixed, program.start[columns]) if len(columns) else np.empty(0, dtype=np.uint64)
    if apart is not None:
        hashes[np.searchsorted(columns, apart)] = _mix(_mix(apart.astype(np.uint64)) ^ _GOLDEN)
    _, chosen, member = np.unique(hashes, return_index=True, return_inverse=True)
    worth = np.bincount(member, program.worth[columns].astype(np.float64), len(chosen)).astype(np.float64)
    chosen = columns[chosen]
    start = np.concatenate(([0], np.cumsum(sizes[chosen])))
    entry = np.repeat(program.start[chosen] - start[:-1], sizes[chosen]) + np.arange(start[-1])
    row = program.row[entry]
    entry_worth = np.repeat(worth, sizes[chosen])
    change = per_worth[entry] * entry_worth
    used = np.bincount(row, np.abs(change), len(program.room))
    row_scale = np.bincount(row, entry_worth, len(program.room)) / np.maximum(used, 1e-300)
    row_scale[used == 0.0] = 1.0
    return Condensed(
        start=start,
        row=row,
        change=change * row_scale[row],
        worth=worth,
        room=program.room * row_scale,
        row_scale=row_scale,
        columns=columns,
        member=member,
    )


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of the splitmix64 generator (Steele, Lea, Flood 2014): each bit depends on every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@dataclass(frozen=True, slots=True, eq=False)
class _Solved:
    """``x`` and ``y`` of a condensed program."""

    x: Floats
    y: Floats
    passes: int


def _simplex(program: Condensed, seconds: float | None) -> _Solved | None:
    """The optimum by HiGHS, or ``None`` if it gave up. Its variables are worth settled, its coefficients about ±1."""
    columns, rows = len(program.worth), len(program.room)
    if not columns:
        return _Solved(np.empty(0), np.zeros(rows), 0)

    from scipy.optimize import linprog
    from scipy.sparse import csc_matrix

    unit = float(program.worth.mean())
    change = program.change / np.repeat(program.worth, np.diff(program.start))
    upper = program.worth / unit
    answer = linprog(
        -np.ones(columns),
        A_ub=csc_matrix((change, program.row, program.start), shape=(rows, columns)),
        b_ub=program.room / unit,
        bounds=np.stack((np.zeros(columns), upper), axis=1),
        method="highs-ds",
        options={} if seconds is None else {"time_limit": max(seconds, 0.0)},
    )
    if answer.status != 0:
        return None
    return _Solved(answer.x / upper, -answer.ineqlin.marginals, 0)


def _first_order(program: Condensed, begin: Floats | None, passes: int, until: float | None, clock: Clock) -> _Solved:
    """The best prices seen in so many passes, and the last fractions.

    Restarts come when the movement has fallen to a fifth, or by a fifth and grows again, or late; the weight between
    the steps in ``x`` and ``y`` follows how far each went (Applegate et al., sections 3.2 and 3.3).
    """
    from liquidity.relaxation_kernel import dual_value, halpern_passes

    data = (program.start, program.row, program.change, program.worth, program.room)
    entry_size = np.abs(program.change)
    column_size = np.add.reduceat(entry_size, program.start[:-1])
    row_size = np.bincount(program.row, entry_size, len(program.room))
    row_step = np.divide(1.0, row_size, out=np.zeros_like(row_size), where=row_size > 0)
    weight = 1.0
    x = np.ones(len(program.worth))
    y = np.zeros(len(program.room)) if begin is None else np.maximum(begin, 0.0)
    anchor_x, anchor_y = x.copy(), y.copy()
    prices, best = y.copy(), y.copy()
    least = dual_value(*data, y)
    still = STILL * math.sqrt(float(program.worth.sum()))
    done = since = 0
    at_restart = before = math.inf
    while done < passes:
        count = 1 if since == 0 else min(CHECK_EVERY - since % CHECK_EVERY, passes - done)
        state = (weight / column_size, row_step / weight, x, y, anchor_x, anchor_y, prices)
        movement = halpern_passes(*data, *state, since, count)
        done, since = done + count, since + count
        if since == 1:
            at_restart = movement
            continue
        value = dual_value(*data, prices)
        if value < least:
            least, best = value, prices.copy()
        if movement <= still or (until is not None and clock() >= until):
            break
        fallen = movement <= 0.2 * at_restart or (movement <= 0.8 * at_restart and movement > before)
        before = movement
        if fallen or since >= 0.36 * done + CHECK_EVERY:
            np.clip(x, 0.0, 1.0, out=x)
            y[:] = prices
            far_x = math.sqrt(float(((x - anchor_x) ** 2 * column_size).sum()))
            far_y = math.sqrt(float(((y - anchor_y) ** 2 * row_size).sum()))
            if far_x > 0.0 and far_y > 0.0:
                weight = math.sqrt(weight * far_x / far_y)
            anchor_x[:], anchor_y[:] = x, y
            since, before = 0, math.inf
    return _Solved(x, best, done)
