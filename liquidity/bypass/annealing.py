"""Annealing: from a set that overdraws a little to one that may settle and is worth nearly as much.

Dropping what overdraws does not do: where liquidity is scarce, what a bank drops its payee lacks, and the loss runs
through the whole network. So columns are flipped in and out at random. A flip that gains is kept, one that loses with
a probability that falls as it cools (Kirkpatrick, Gelatt, Vecchi, Science 220, 1983); an overdraft costs a price per
unit. Room that is left counts at the relaxation's price, up to a limit that falls as it cools: so an obligation can
wait for the one that takes its place. Cooling settles large obligations first and small ones last, as they balance
what the large ones leave.

It takes rounds. After each, rows that are still overdrawn get dearer, until nothing is. Small queues are also melted:
one long round with heat enough to decide all but the largest obligations anew, whose set is then mended with little.
Where accounts have less than a payment, no mending helps: there overdrafts are dear from the first, so that one melting
in a hundred overdraws nothing, and short rounds from a little heat then make the best set better.
Fractions guide; whether a set may settle is decided in exact integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from liquidity.arrays import Bools, Floats, Int32s, Int64s
from liquidity.bypass.budget import Budget
from liquidity.bypass.kernels import slack_of
from liquidity.bypass.state import Mender, State, better, made_valid
from liquidity.compiling import compiled
from liquidity.program import Program

HEATS = (0.03, 0.1, 0.5, 2.0, 6.0)
"""Where cooling begins, in payments of mean worth. Little heat keeps most of the set that was given, but where little
liquidity leaves no other way, more of it has to be taken apart."""

COLD = 0.0005
"""Where cooling ends: less than the smallest payments of interest are worth."""

MELTING_HEATS = (2.0, 8.0)
MELTING_FLIPS = 1500
TURNS = 50
"""Where melting begins, by turns; how long it takes, per column; how often it is done at most: more seldom help."""

STRICT = ((16.0, 16.0), (16.0, 32.0), (16.0, 64.0), (4.0, 64.0))
AGAIN = ((1.0, 16.0), (2.0, 16.0), (4.0, 16.0), (2.0, 64.0), (4.0, 64.0)) * 8
"""Heat and price: of the meltings of a turn in which overdrafts are dear, and of the short rounds after them."""

STRICT_BELOW = 0.8
SELDOM = 4
"""Overdrafts are dear from the first where mending finds sets worth less than this share of the bound; it then has only
every so manieth turn."""

MENDING_HEATS = (0.1, 0.5, 2.0)
"""What melting leaves overdrawn is mended with the first of these that does."""

ROUNDS = 40
"""Of each heat. Where that many don't lead to a valid set, more seldom do. Many short ones end sooner than few long."""

ROUNDS_PER_CALL = 8
"""So many take about as long as a solver call, by which work is limited."""

LOOKED_AT = 8
FEW_SHORT = 0.05
"""After so many rounds a heat is given up if a larger share of the rows is still overdrawn."""

FLIPS_PER_COLUMN = 60
MOST_FLIPS = 3_000_000
"""Of a round: a quarter of a second, or two where memory is far."""

FLIPS_PER_COOLING = 1000

PRICE = 4.0
"""Of a unit of overdraft, in units of what payments through that row are worth."""

LEFT_PER_HEAT = 30.0
"""Room left that counts, in mean payments, per unit of heat: as much as the next flips may fill."""

DEARER = 1.8
"""Times the price, after a round, of what is still overdrawn: in the end flips that cure it are taken at any loss."""

KEPT_BACK = 0.01
KEPT_BACK_SHARE = 0.25
"""Room not used on purpose, in mean payments, but never more than this share: flips end a little beside their aim."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scaled:
    """The program in units of a mean payment: ``change`` (entries), room to ``aim`` at and its ``value``, ``worth``."""

    change: Floats
    aim: Floats
    value: Floats
    worth: Floats


def _scaled(program: Program, scale: Floats, prices: Floats) -> _Scaled:
    mean = float(program.worth.mean())
    change = program.change * (scale[program.row] / mean)
    room = program.room * (scale / mean)
    return _Scaled(
        change=change,
        aim=room - np.clip(KEPT_BACK_SHARE * room, 0.0, KEPT_BACK),
        value=np.divide(prices, scale, out=np.zeros_like(scale), where=scale > 0),
        worth=program.worth / mean,
    )


@compiled
def flip_around(
    start: Int64s,
    row: Int32s,
    change: Floats,
    worth: Floats,
    value: Floats,
    price: Floats,
    chosen: Bools,
    slack: Floats,
    hot: float,
    cold: float,
    flips: int,
    seed: int,
) -> None:
    """Flip columns in ``chosen`` while it cools from ``hot`` to ``cold``; ``slack`` follows, both in place."""
    np.random.seed(seed)
    heat, most_left = hot, 0.0
    cooling = (cold / hot) ** (FLIPS_PER_COOLING / flips)
    for flip in range(flips):
        if flip % FLIPS_PER_COOLING == 0:
            heat *= cooling
            most_left = LEFT_PER_HEAT * heat
        column = np.random.randint(len(chosen))
        sign = -1.0 if chosen[column] else 1.0
        gain = sign * worth[column]
        for entry in range(start[column], start[column + 1]):
            at = row[entry]
            before, after = slack[at], slack[at] - sign * change[entry]
            gain += price[at] * (min(0.0, after) - min(0.0, before))
            gain += value[at] * (min(max(0.0, after), most_left) - min(max(0.0, before), most_left))
        if gain >= 0.0 or np.random.random() < np.exp(gain / heat):
            chosen[column] = not chosen[column]
            for entry in range(start[column], start[column + 1]):
                slack[row[entry]] -= sign * change[entry]


def _flipped(
    program: Program, scaled: _Scaled, price: Floats, chosen: Bools, hot: float, flips: int, seed: int
) -> Bools:
    """Flip columns in ``chosen``, in place, while it cools; which rows are overdrawn then."""
    used = np.bincount(program.row, scaled.change * np.repeat(chosen, np.diff(program.start)), len(program.room))
    shape = (program.start, program.row, scaled.change, scaled.worth, scaled.value)
    flip_around(*shape, price, chosen, scaled.aim - used, hot, COLD, flips, seed)
    overdrawn: Bools = slack_of(program.start, program.row, program.change, program.room, chosen) < 0
    return overdrawn


class Melting:
    """Sets melted from ``begin``, mended or not, and short rounds from the best, turn by turn.

    ``prices`` as for :func:`annealed`; ``bound``: no set is worth more.
    """

    def __init__(self, mender: Mender, begin: Bools, prices: Floats, bound: int, seed: int) -> None:
        self._mender, self._begin, self._prices, self._bound, self._seed = mender, begin, prices, bound, seed
        self._scaled = _scaled(mender.program, mender.scale, prices)
        self._rounds = self._turns = 0
        self._is_poor = False

    def go_on(self, best: State, budget: Budget, turns: int) -> State:
        """``best``, or a better set found within the budget and so many turns."""
        for _ in range(turns):
            if not budget.granted():
                break
            best = self._turn(best, budget)
        return best

    def _turn(self, best: State, budget: Budget) -> State:
        hot = MELTING_HEATS[self._turns % len(MELTING_HEATS)]
        if not self._is_poor or self._turns % SELDOM == 0:
            melt = self._cooled(self._begin, hot, PRICE, MELTING_FLIPS)
            mended = annealed(self._mender, melt, self._prices, budget, self._seed + self._turns, MENDING_HEATS)
            self._is_poor = mended is None or mended.worth < STRICT_BELOW * self._bound
            best = better(best, mended)
        self._turns += 1
        for heat, price in STRICT if self._is_poor else ():
            if not budget.is_late():
                best = better(best, made_valid(self._mender, self._cooled(self._begin, heat, price, MELTING_FLIPS)))
        for heat, price in AGAIN:
            if not budget.is_late():
                again = self._cooled(best.chosen, heat, price, FLIPS_PER_COLUMN)
                best = better(best, made_valid(self._mender, again))
        return best

    def _cooled(self, start: Bools, hot: float, price: float, flips_per_column: int) -> Bools:
        chosen, program = start.copy(), self._mender.program
        self._rounds += 1
        flips, price_of_each = flips_per_column * len(chosen), np.full(len(program.room), price)
        _flipped(program, self._scaled, price_of_each, chosen, hot, flips, self._seed + self._rounds)
        return chosen


def annealed(
    mender: Mender, begin: Bools, prices: Floats, budget: Budget, seed: int, heats: Sequence[float] = HEATS
) -> State | None:
    """A valid set near ``begin``, or the best that repair makes on the way; ``None`` where it makes none.

    ``prices`` (rows): worth of one more unit of room. ``heats``: tried in turn. It ends where a round leaves nothing
    overdrawn.
    """
    program = mender.program
    scaled = _scaled(program, mender.scale, prices)
    best = made_valid(mender, begin)
    flips = min(MOST_FLIPS, FLIPS_PER_COLUMN * len(begin))
    for hot in heats:
        chosen = begin.copy()
        price = np.full(len(program.room), PRICE)
        for number in range(ROUNDS):
            if budget.is_spent():
                return best
            if number % ROUNDS_PER_CALL == 0:
                budget.take()
            short = _flipped(program, scaled, price, chosen, hot, flips, seed + number)
            state = made_valid(mender, chosen)
            if state is not None and (best is None or state.worth > best.worth):
                best = state
            if not short.any():
                return best
            if number + 1 == LOOKED_AT and short.mean() > FEW_SHORT:
                break
            price[short] *= DEARER
    return best
