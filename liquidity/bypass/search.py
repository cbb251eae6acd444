"""The search for most value over a program: what runs when, until the budget ends or the bound is met."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from liquidity.arrays import Bools, Floats
from liquidity.bypass.annealing import annealed
from liquidity.bypass.budget import DEFAULT_WORK, Budget
from liquidity.bypass.mixed import Mixed, make_mixed, solve_mixed
from liquidity.bypass.neighbourhoods import SECONDS, applied, draw_part, improved_part
from liquidity.bypass.rounding import MIXED_COLUMNS, relax_and_fix
from liquidity.bypass.state import Mender, State, made_valid, make_mender, make_state
from liquidity.cutting import tightened
from liquidity.program import Program
from liquidity.reducing import reduced
from liquidity.relaxation import Relaxation, solve_relaxation

RELAXATION_SHARE = 0.4
TIGHTENING_SHARE = 0.1
START_SHARE = 0.75
FIXING_SHARE = 0.75
"""Of the budget left at each step: for the relaxation, for cuts, for a start near it, and there for relax and fix,
before annealing. They seldom take as much; what is left goes to neighbourhood search."""

POOR = 0.75
"""Up to :data:`MIXED_COLUMNS` start by relax and fix with mixed-integer programs. More, or those where that ends with
less than this share of the bound, start by rounding, which is quicker and overdraws less."""

ENOUGH = 0.985
"""Annealing ends with a valid set that keeps so much of the worth: neighbourhood search improves it better. Beyond
:data:`MIXED_COLUMNS` there is none, so annealing goes on."""

STARTED, WHOLE = "relax and fix, annealing", "branch and cut (HiGHS)"
"""What ran, as an answer's ``method`` says it."""

WHOLE_COLUMNS = 1_000
WHOLE_NODES = 20
WHOLE_SHARE = 0.5
"""A program so small is given to branch and cut as a whole where nothing can run beside it, for so many nodes and this
share of the seconds."""

WHOLE_GAP = 1e-7

BESIDE_COLUMNS = 20_000
BESIDE_SHARE = 0.93
"""So large a program is given to branch and cut beside the search, where there is a clock to stop it and a thread to
spare: with much liquidity it is the better one of the two, with little it finds nothing. It ends a little late."""

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
        best = _best_of(best, _started(mender, relaxed, budget, seed, by_programs=False))
        return _found(best, bound, relaxed, [*methods, STARTED])
    mixed = make_mixed(program)
    is_beside = budget.seconds is not None and jobs > 1 and len(program.worth) <= BESIDE_COLUMNS
    if len(program.worth) <= WHOLE_COLUMNS and not is_beside:
        budget.take()
        best = _best_of(best, _whole(mender, mixed, WHOLE_NODES, budget.seconds_left(WHOLE_SHARE)))
        methods.append(WHOLE)
    for by_programs in (True, False):
        if best.worth < (bound if by_programs else POOR * bound):
            part = budget.part(START_SHARE)
            best = _best_of(best, _started(mender, relaxed, part, seed, by_programs=by_programs))
            budget.used += part.used
    methods.append(STARTED)
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as threads:
        beside = None
        if is_beside and best.worth < bound:
            beside = threads.submit(_whole, mender, mixed, None, budget.seconds_left(BESIDE_SHARE))
            methods.append(WHOLE)
        draw = np.random.default_rng(seed)
        best = _neighbourhoods(program, mixed, best, bound, budget, draw, threads, beside)
        if beside is not None:
            best = _best_of(best, beside.result())
    return _found(best, bound, relaxed, [*methods, "neighbourhood search"])


def _found(best: State, bound: int, relaxed: Relaxation, methods: list[str]) -> Found:
    return Found(best.chosen, best.worth, bound, relaxed.prices, ", ".join(methods), best.worth == bound)


def _started(mender: Mender, relaxed: Relaxation, budget: Budget, seed: int, *, by_programs: bool) -> State | None:
    """What relax and fix and then annealing make of the relaxation."""
    fixing = budget.part(FIXING_SHARE)
    fixed = relax_and_fix(mender.program, relaxed, fixing, by_programs=by_programs)
    budget.used += fixing.used
    return annealed(mender, fixed, budget, seed, enough=ENOUGH if len(fixed) <= MIXED_COLUMNS else np.inf)


def _whole(mender: Mender, mixed: Mixed, nodes: int | None, seconds: float | None) -> State | None:
    """What branch and cut makes of all columns together."""
    everything = np.arange(len(mixed.worth))
    binary = np.ones(len(everything), dtype=np.bool_)
    answer = solve_mixed(mixed, everything, binary, mixed.room, nodes=nodes, gap=WHOLE_GAP, seconds=seconds)
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
    beside: Future[State | None] | None,
) -> State:
    """The best set after searching parts of it, :data:`WIDTH` at a time, until the budget ends or the bound is met.

    What ``beside`` finds is taken up once it is there.
    """
    by_row = mixed.entries.tocsr()
    by_worth = np.argsort(program.worth, kind="stable")
    while not budget.is_spent() and best.worth < bound:
        if beside is not None and beside.done():
            best = _best_of(best, beside.result())
        seconds = budget.seconds_left(1.0, SECONDS)
        drawn = [draw_part(program, by_row, by_worth, draw) for _ in range(WIDTH)]
        solve = partial(improved_part, mixed, program, best, seconds)
        for part in threads.map(solve, drawn):
            budget.take()
            best = _best_of(best, None if part is None else applied(program, best, part))
    return best
