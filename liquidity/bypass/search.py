"""The search for most value over a program: what runs when, until the budget ends or the bound is met."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from liquidity.bypass.budget import Budget
from liquidity.bypass.kernels import Bools, Floats, Int32s
from liquidity.bypass.mixed import Mixed, make_mixed, solve_linear
from liquidity.bypass.neighbourhoods import SECONDS, applied, draw_part, solve_part
from liquidity.bypass.rounding import relax_and_fix
from liquidity.bypass.state import State, made_valid, make_state
from liquidity.program import Program

GREEDY_STARTS = 3
"""Orders in which the first sets are repaired and filled up."""

WIDTH = 2
"""Parts searched at a time. Fixed, so that the answer doesn't depend on how many threads share them."""

PRICE_BITS = 40
"""Prices are rounded to this many bits after the point before a bound is added up in exact integers."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """``chosen`` per column, its ``worth``, and ``bound``: no set is worth more (both times the worth scale).

    ``is_best``: nothing better exists. ``prices`` (rows): worth of one more unit of room, where the bound is from.
    """

    chosen: Bools
    worth: int
    bound: int
    prices: Floats
    method: str
    is_best: bool


def exact_bound(program: Program, prices: Floats) -> int:
    """What no valid set can be worth more than, by weak duality, in exact integers; any ``prices`` will do."""
    fixed = [max(0, int(price * 2.0**PRICE_BITS)) for price in prices.tolist()]
    total = sum(price * room for price, room in zip(fixed, program.room.tolist(), strict=True))
    cost = np.array(fixed, dtype=object)[program.row] * program.change.astype(object)
    sums = np.zeros(len(program.worth), dtype=object)
    np.add.at(sums, np.repeat(np.arange(len(program.worth)), np.diff(program.start)), cost)
    for worth, paid in zip(program.worth.tolist(), sums.tolist(), strict=True):
        total += max(0, (worth << PRICE_BITS) - paid)
    step = max(1, int(np.gcd.reduce(program.worth, initial=0)))
    return int(total >> PRICE_BITS) // step * step


def relaxed_bound(program: Program) -> int:
    """The bound of the relaxation, in exact integers."""
    if not len(program.worth):
        return 0
    mixed = make_mixed(program)
    relaxed = solve_linear(mixed, np.arange(len(program.worth)), mixed.room)
    total = int(program.worth.sum())
    return total if relaxed is None else min(total, exact_bound(program, relaxed.prices))


def _orders(program: Program, reduced: Floats, draw: np.random.Generator) -> list[Int32s]:
    """Orders in which to drop columns: least worth first, least reduced worth first, and that with noise."""
    share = reduced / np.maximum(program.worth, 1)
    orders = [np.argsort(program.worth, kind="stable"), np.lexsort((program.worth, share))]
    orders += [np.argsort(share + draw.random(len(share)) * 0.05) for _ in range(GREEDY_STARTS - 2)]
    return [order.astype(np.int32) for order in orders]


def search(program: Program, start: Bools, budget: Budget, seed: int, jobs: int) -> Found:
    """The best set found within the budget, never worth less than ``start``, which must be valid."""
    draw = np.random.default_rng(seed)
    if not len(program.worth):
        return Found(start, 0, 0, np.zeros(len(program.room)), "nothing is queued", True)
    by_worth = np.argsort(program.worth, kind="stable").astype(np.int32)
    given = make_state(program, start)
    assert given is not None, "the search starts from a set that may settle"
    best = _best_of(given, made_valid(program, start, by_worth))
    everything = np.arange(len(program.worth))
    mixed = make_mixed(program)
    budget.take()
    relaxed = solve_linear(mixed, everything, mixed.room)
    bound = int(program.worth.sum())
    if relaxed is None:
        return Found(best.chosen, best.worth, bound, np.zeros(len(program.room)), "greedy", best.worth == bound)
    bound = min(bound, exact_bound(program, relaxed.prices))
    reduced = program.worth - np.asarray(mixed.entries.T @ relaxed.prices) * mixed.unit
    for order in _orders(program, reduced, draw):
        for threshold in (0.01, 0.99):
            best = _best_of(best, made_valid(program, relaxed.values > threshold, order))
    method = "greedy and rounded relaxation"
    if best.worth < bound and not budget.is_spent():
        rounded = relax_and_fix(program, mixed, relaxed.values, budget, share=0.7)
        best = _best_of(best, made_valid(program, rounded, by_worth))
        method = "relax and fix"
    if best.worth < bound and not budget.is_spent():
        best = _neighbourhoods(program, mixed, best, bound, budget, draw, jobs)
        method = "relax and fix, neighbourhood search"
    return Found(best.chosen, best.worth, bound, relaxed.prices, method, best.worth == bound)


def _best_of(one: State, other: State | None) -> State:
    """The one worth more; the first where they are worth the same."""
    return other if other is not None and other.worth > one.worth else one


def _neighbourhoods(
    program: Program, mixed: Mixed, best: State, bound: int, budget: Budget, draw: np.random.Generator, jobs: int
) -> State:
    """The best set after searching parts of it, :data:`WIDTH` at a time, until the budget ends or the bound is met."""
    by_row = mixed.entries.tocsr()
    by_worth = np.argsort(program.worth, kind="stable")
    with ThreadPoolExecutor(max_workers=min(jobs, WIDTH)) as threads:
        while not budget.is_spent() and best.worth < bound:
            seconds = budget.seconds_left(1.0, SECONDS)
            drawn = [draw_part(program, by_row, by_worth, draw) for _ in range(WIDTH)]
            solve = partial(solve_part, mixed, program, best, seconds)
            for part in threads.map(solve, drawn):
                budget.take()
                best = _best_of(best, None if part is None else applied(program, best, part))
    return best
