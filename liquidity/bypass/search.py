"""The search for most value over a program: what runs when, until the budget ends or the bound is met."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from operator import call

import numpy as np

from liquidity.arrays import Bools, Floats
from liquidity.bypass.annealing import annealed
from liquidity.bypass.budget import DEFAULT_WORK, Budget
from liquidity.bypass.mixed import Mixed, make_mixed, solve_mixed
from liquidity.bypass.neighbourhoods import SECONDS, applied, deal, improved_part
from liquidity.bypass.rounding import MIXED_COLUMNS, relax_and_fix
from liquidity.bypass.state import Mender, State, made_valid, make_mender, make_state
from liquidity.cutting import tightened
from liquidity.program import Program
from liquidity.reducing import reduced
from liquidity.relaxation import Relaxation, solve_relaxation

RELAXATION_SHARE = 0.4
TIGHTENING_SHARE = 0.1
START_SHARE = 0.9
FIXING_SHARE = 0.9
"""Of the budget left at each step: for the relaxation, for cuts, for a start near it, and there for relax and fix,
before annealing. They seldom take as much; what is left goes to neighbourhood search."""

GAPS = (None, 4e-3, 3e-4)
"""Of relax and fix: by rounding, which always ends in time, and by mixed-integer programs up to :data:`MIXED_COLUMNS`.
A wide gap seldom runs out of time; a narrow one is worth more where it does not. The best of the three goes on."""

STARTED, WHOLE = "relax and fix, annealing", "branch and cut (HiGHS)"
"""What ran, as an answer's ``method`` says it."""

WHOLE_COLUMNS = 1_000
WHOLE_NODES = 20
WHOLE_SHARE = 0.5
"""A program so small is given to branch and cut as a whole too, for so many nodes and this share of the seconds."""

WHOLE_GAP = 1e-7

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
    return less.settled_worth + _bounded(less.program, Budget(None, DEFAULT_WORK))[0]


def _bounded(program: Program, budget: Budget) -> tuple[int, Relaxation, list[str]]:
    """The bound, the relaxation with the fractions that cuts have left, and what ran."""
    budget.take()
    relaxed = solve_relaxation(program, seconds=budget.seconds_left(RELAXATION_SHARE))
    cut = tightened(program, relaxed, budget.part(TIGHTENING_SHARE).granted)
    budget.used += cut.rounds
    step = max(1, int(np.gcd.reduce(program.worth, initial=0)))  # worths can only add up to multiples of it
    bound = min(cut.most // step * step, int(program.worth.sum()))
    return bound, replace(relaxed, x=cut.x), [relaxed.method, f"{cut.rounds} rounds of cuts"]


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
    bound, relaxed, methods = _bounded(program, budget)
    mender = make_mender(program, relaxed.margin)
    for chosen in (start, relaxed.x > 0.5, relaxed.x > 1 - 1e-6):
        best = _best_of(best, made_valid(mender, chosen))
    methods.append("rounded")
    if best.worth == bound or budget.is_spent():
        return _found(best, bound, relaxed, methods)
    if len(program.worth) > MIXED_COLUMNS:
        best = _best_of(best, _started(mender, relaxed, budget, seed, None))
        return _found(best, bound, relaxed, [*methods, STARTED])
    mixed = make_mixed(program)
    starts = [partial(_started_in_part, mender, relaxed, budget, seed, gap) for gap in GAPS]
    methods.append(STARTED)
    if len(program.worth) <= WHOLE_COLUMNS:
        starts.insert(0, partial(_whole, mender, mixed, budget))
        methods.append(WHOLE)
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as threads:
        in_turn = budget.work is not None  # so that what one takes is left to the next, whatever the threads
        for state in (map if in_turn else threads.map)(call, starts):
            best = _best_of(best, state)
            if best.worth == bound:
                break
        best = _neighbourhoods(program, mixed, best, bound, budget, np.random.default_rng(seed), threads)
    return _found(best, bound, relaxed, [*methods, "neighbourhood search"])


def _found(best: State, bound: int, relaxed: Relaxation, methods: list[str]) -> Found:
    return Found(best.chosen, best.worth, bound, relaxed.prices, ", ".join(methods), best.worth == bound)


def _started(mender: Mender, relaxed: Relaxation, budget: Budget, seed: int, gap: float | None) -> State | None:
    """What relax and fix and then annealing make of the relaxation."""
    fixing = budget.part(FIXING_SHARE)
    fixed = relax_and_fix(mender.program, relaxed, fixing, gap)
    budget.used += fixing.used
    return annealed(mender, fixed, relaxed.prices, budget, seed)


def _started_in_part(mender: Mender, relaxed: Relaxation, budget: Budget, seed: int, gap: float | None) -> State | None:
    """The same within a part of the budget."""
    part = budget.part(START_SHARE)
    state = _started(mender, relaxed, part, seed, gap)
    budget.used += part.used
    return state


def _whole(mender: Mender, mixed: Mixed, budget: Budget) -> State | None:
    """What branch and cut makes of all columns together."""
    budget.take()
    everything = np.arange(len(mixed.worth))
    binary = np.ones(len(everything), dtype=np.bool_)
    seconds = budget.seconds_left(WHOLE_SHARE)
    answer = solve_mixed(mixed, everything, binary, mixed.room, nodes=WHOLE_NODES, gap=WHOLE_GAP, seconds=seconds)
    return None if answer is None else made_valid(mender, answer.values > 0.5)


def _best_of(one: State, other: State | None) -> State:
    """The one worth more; the first where they are worth the same."""
    return other if other is not None and other.worth > one.worth else one


def _neighbourhoods(
    program: Program,
    mixed: Mixed,
    best: State,
    bound: int,
    budget: Budget,
    draw: np.random.Generator,
    threads: ThreadPoolExecutor,
) -> State:
    """The best set after searching parts of it, :data:`WIDTH` at a time, until the budget ends or the bound is met."""
    while not budget.is_spent() and best.worth < bound:
        seconds = budget.seconds_left(1.0, SECONDS)
        solve = partial(improved_part, mixed, program, best, WIDTH, seconds)
        for part in threads.map(solve, deal(len(program.worth), WIDTH, draw)):
            budget.take()
            best = _best_of(best, None if part is None else applied(program, best, part))
    return best
