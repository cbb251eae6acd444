"""The free-order question in plain Python: columns of exact integers of any size, and no import.

One column per obligation that isn't held, one row per account and per bilateral limit, as in
:mod:`liquidity.program`, for what is too small for it (importing numpy takes longer than the answer) or too large
(sums beyond 64 bits).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from liquidity.elimination import Rank
from liquidity.model import Obligation
from liquidity.terms import Terms, lowest_closing


@dataclass(frozen=True, slots=True)
class Column:
    """One obligation: its arrival ``number``, its ``worth``, and what it takes (> 0) from or gives (< 0) to rows."""

    number: int
    worth: int
    changes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """Maximise the sum of worths so that in no row more than ``room`` (>= 0) is taken."""

    columns: tuple[Column, ...]
    room: tuple[int, ...]


def urgency(obligation: Obligation) -> Rank:
    """Sorts obligations for the ``priority`` objective: the most urgent of its legs counts, none comes last."""
    ranks = []
    for leg in obligation.legs:
        priority = obligation.priority if leg.priority is None else leg.priority
        ranks.append((priority is None, 0 if priority is None else priority))
    return min(ranks)


def worths(
    obligations: Sequence[Obligation], rates: Mapping[str, Fraction], objective: str
) -> tuple[list[int], Fraction]:
    """Exact integer worth of each obligation and the scale that turns it into the objective.

    Under ``"priority"`` the worth of a class outweighs all classes after it together, and the scale says nothing.
    """
    if objective == "count":
        return [1] * len(obligations), Fraction(1)
    codes = {leg.currency for obligation in obligations for leg in obligation.legs}
    common = math.lcm(*(rates[code].denominator for code in codes if code in rates))
    multiple = {code: int(rates.get(code, Fraction(1)) * common) for code in codes}
    worth = [sum(leg.amount * multiple[leg.currency] for leg in obligation.legs) for obligation in obligations]
    if objective == "priority":
        outweighs = sum(worth) + 1
        classes = sorted({urgency(obligation) for obligation in obligations}, reverse=True)
        power = {rank: outweighs**at for at, rank in enumerate(classes)}
        worth = [one * power[urgency(obligation)] for one, obligation in zip(worth, obligations, strict=True)]
    return worth, Fraction(1, common)


def make_columns(
    obligations: Sequence[Obligation], terms: Terms, rates: Mapping[str, Fraction], objective: str
) -> Columns:
    """The columns of all obligations that aren't held."""
    worth, _ = worths(obligations, rates, objective)
    place: dict[Hashable, int] = {}
    room: list[int] = []
    columns = []
    for number, obligation in enumerate(obligations):
        if obligation.held:
            continue
        changes: dict[int, int] = {}
        for leg in obligation.legs:
            for bank, moved in ((leg.payer, leg.amount), (leg.payee, -leg.amount)):
                account = (bank, leg.currency)
                if account not in place:
                    place[account] = len(room)
                    room.append(terms.opening.get(account, 0) - lowest_closing(terms, account))
                changes[place[account]] = changes.get(place[account], 0) + moved
            for pair, moved in (
                ((leg.payer, leg.payee, leg.currency), leg.amount),
                ((leg.payee, leg.payer, leg.currency), -leg.amount),
            ):
                if pair in terms.bilateral:
                    if pair not in place:
                        place[pair] = len(room)
                        room.append(terms.bilateral[pair])
                    changes[place[pair]] = changes.get(place[pair], 0) + moved
        kept = tuple((row, change) for row, change in changes.items() if change)
        columns.append(Column(number, worth[number], kept))
    return Columns(tuple(columns), tuple(room))
