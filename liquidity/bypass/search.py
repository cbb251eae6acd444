"""The search for most value over a program: what runs when, until the budget ends or the bound is met."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from liquidity.bypass.annealing import annealed
from liquidity.bypass.budget import Budget
from liquidity.bypass.kernels import Bools, Floats
from liquidity.bypass.mixed import Mixed, make_mixed
from liquidity.bypass.neighbourhoods import SECONDS, applied, draw_part, solve_part
from liquidity.bypass.rounding import MIXED_COLUMNS, relax_and_fix
from liquidity.bypass.state import State, made_valid, make_mender, make_state
from liquidity.program import Program
from liquidity.reducing import reduced
from liquidity.relaxation import Relaxation, solve_relaxation

RELAXATION_SHARE = 0.5
FIXING_SHARE = 0.4
ANNEALING_SHARE = 0.8
"""Of the budget left at each step, for the relaxation, for relax and fix, and for annealing: they seldom take as much.
What is left goes to neighbourhood search."""

WIDTH = 2
"""Parts searched at a time. Fixed, so that the answer doesn't depend on how many threads share them."""


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


def bound_of(program: Program) -> int:
    """What no valid set is worth more than, in the program's units; exact."""
    less = reduced(program)
    return less.settled_worth + _relaxed(less.program, None)[0]


def _relaxed(program: Program, seconds: float | None) -> tuple[int, Relaxation]:
    """The relaxation and its bound, rounded down to what worths can add up to; exact."""
    relaxed = solve_relaxation(program, seconds=seconds)
    step = max(1, int(np.gcd.reduce(program.worth, initial=0)))
    return min(relaxed.most // step * step, int(program.worth.sum())), relaxed


def search(program: Program, start: Bools, budget: Budget, seed: int, jobs: int) -> Found:
    """The best set found within the budget, never worth less than ``start``, which must be valid."""
    less = reduced(program)
    found = _searched(less.program, start[less.columns], budget, seed, jobs)
    chosen = less.settled.copy()
    chosen[less.columns] = found.chosen
    return replace(found, chosen=chosen, worth=found.worth + less.settled_worth, bound=found.bound + less.settled_worth)


def _searched(program: Program, start: Bools, budget: Budget, seed: int, jobs: int) -> Found:
    """The same where nothing is certain or impossible."""
    if not len(program.worth):
        return Found(start, 0, 0, np.zeros(len(program.room)), "certain or impossible from the start", True)
    best = make_state(program, start)
    assert best is not None, "the search starts from a set that may settle"
    budget.take()
    bound, relaxed = _relaxed(program, budget.seconds_left(RELAXATION_SHARE))
    mender = make_mender(program, relaxed.margin)
    for chosen in (start, relaxed.x > 0.5, relaxed.x > 1 - 1e-6):
        best = _best_of(best, made_valid(mender, chosen))
    methods = ["rounded"]
    if best.worth < bound and not budget.is_spent():
        fixing = budget.part(FIXING_SHARE)
        fixed = relax_and_fix(program, relaxed, fixing)
        budget.used += fixing.used
        annealing = budget.part(ANNEALING_SHARE)
        best = _best_of(best, annealed(mender, fixed, annealing, seed))
        budget.used += annealing.used
        methods.append("relax and fix, annealing")
    if best.worth < bound and not budget.is_spent() and len(program.worth) <= MIXED_COLUMNS:
        draw = np.random.default_rng(seed)
        best = _neighbourhoods(program, make_mixed(program), best, bound, budget, draw, jobs)
        methods.append("neighbourhood search")
    method = ", ".join((relaxed.method, *methods))
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
