"""The search for most value over a program: what runs when, until the budget ends or the bound is met."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from operator import call

import numpy as np

from liquidity.arrays import Bools, Floats
from liquidity.bypass.annealing import TURNS, Melting, annealed
from liquidity.bypass.branching import Branching
from liquidity.bypass.budget import DEFAULT_WORK, Budget
from liquidity.bypass.mixed import Mixed, make_mixed, solve_mixed
from liquidity.bypass.neighbourhoods import SECONDS, applied, deal, improved_part
from liquidity.bypass.rounding import MIXED_COLUMNS, relax_and_fix
from liquidity.bypass.state import Mender, State, better, made_valid, make_mender, make_state
from liquidity.cutting import Tightened, tightened
from liquidity.program import Program
from liquidity.reducing import components, reduced
from liquidity.relaxation import Relaxation, solve_relaxation

MOST_COMPONENTS = 8
"""Searched apart, each with an equal share of what is left of the budget: what the small ones leave goes to the large.
There are seldom more than two that aren't tiny."""

RELAXATION_SHARE = 0.4
TIGHTENING_SHARE = 0.1
START_SHARE = 0.9
FIXING_SHARE = 0.9
"""Of the budget left at each step: for the relaxation, for cuts, for a start near it, and there for relax and fix,
before annealing. They seldom take as much; what is left goes to neighbourhood search."""

GAPS = (None, 4e-3, 3e-4)
"""Of relax and fix: by rounding, which always ends in time, and by mixed-integer programs up to :data:`MIXED_COLUMNS`.
A wide gap seldom runs out of time; a narrow one is worth more where it does not. The best of the three goes on."""

STARTED, BRANCHED = "relax and fix, annealing", "branch and bound, exact integers"
"""What ran, as an answer's ``method`` says it."""

BRANCHING_SHARE = 0.1
"""Of the budget, for branch and bound before anything else: it ends many small programs at once."""

CALLS_BESIDE = 2
ALONE_SHARE = 0.1
"""Solver calls of branch and bound beside two parts; its share of the seconds where they must wait for it."""

MELTING_COLUMNS = 3_000
MELTING_SHARE = 0.3
"""Up to here annealing decides nearly everything anew, for so much of the budget; beyond, relax and fix does better."""

MELTED_BELOW = 0.95
"""Melting goes on beside the neighbourhoods while the best set is worth less than this share of the bound."""

WHOLE_NODES = 20
WHOLE_SHARE = 0.5
WHOLE_GAP = 1e-7
"""Of HiGHS's own branch and cut, on a small program as a whole: what it tries at its root is worth having."""

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


def _bounded(program: Program, budget: Budget) -> tuple[int, Relaxation, Tightened, list[str]]:
    """The bound, the relaxation with the fractions that cuts have left, the cuts, and what ran."""
    budget.take()
    relaxed = solve_relaxation(program, seconds=budget.seconds_left(RELAXATION_SHARE))
    cutting = budget.part(TIGHTENING_SHARE)
    cut = tightened(program, relaxed, lambda: cutting.seconds_left() if cutting.granted() else 0.0)
    budget.used += cut.rounds
    step = max(1, int(np.gcd.reduce(program.worth, initial=0)))  # worths can only add up to multiples of it
    bound = min(cut.most // step * step, int(program.worth.sum()))
    return bound, replace(relaxed, x=cut.x), cut, [relaxed.method, f"{cut.rounds} rounds of cuts"]


def search(program: Program, start: Bools, budget: Budget, seed: int, jobs: int) -> Found:
    """The best set found within the budget, never worth less than ``start``, which must be valid."""
    less = reduced(program)
    apart = components(less.program, MOST_COMPONENTS)
    starts = [start[less.columns[own]] for own, _ in apart]
    found = _searched_in_turn([component for _, component in apart], starts, budget, seed, jobs)
    chosen, prices, method = less.settled.copy(), np.zeros(len(program.room)), "certain or impossible from the start"
    for (own, _), one in zip(apart, found, strict=True):
        chosen[less.columns[own]] = one.chosen
        prices, method = prices + one.prices, one.method
    if len(apart) > 1:
        method = f"{len(apart)} components, the largest by {method}"
    worth = less.settled_worth + sum(one.worth for one in found)
    bound = less.settled_worth + sum(one.bound for one in found)
    return Found(chosen, worth, bound, prices, method, worth == bound)


def _searched_in_turn(
    programs: list[Program], starts: list[Bools], budget: Budget, seed: int, jobs: int
) -> list[Found]:
    """The best found of each: one after the other, then again those not yet proven, while the budget lasts."""
    found: dict[int, Found] = {}
    turn = list(range(len(programs)))
    while turn and not (found and budget.is_spent()):
        for at, number in enumerate(turn):
            share = budget.part(1 / (len(turn) - at))
            before = found.get(number)
            one = _searched(programs[number], before.chosen if before else starts[number], share, seed, jobs)
            budget.used += share.used
            bound = min(one.bound, before.bound) if before else one.bound
            found[number] = replace(one, bound=bound, is_best=one.worth == bound)
        turn = [one for one in turn if not found[one].is_best and len(programs[one].worth) <= MIXED_COLUMNS]
    return [found[number] for number in range(len(programs))]


def _searched(program: Program, start: Bools, budget: Budget, seed: int, jobs: int) -> Found:
    """The same where nothing is certain or impossible and all is connected."""
    best = make_state(program, start)
    assert best is not None, "the search starts from a set that may settle"
    bound, relaxed, cut, methods = _bounded(program, budget)
    mender = make_mender(program, relaxed.margin)
    for chosen in (start, relaxed.x > 0.5, relaxed.x > 1 - 1e-6):
        best = better(best, made_valid(mender, chosen))
    methods.append("rounded")
    if best.worth == bound or budget.is_spent():
        return _found(best, bound, relaxed, methods)
    if len(program.worth) > MIXED_COLUMNS:
        best = better(best, _started(mender, relaxed, budget, seed, None))
        return _found(best, bound, relaxed, [*methods, STARTED])
    mixed, branching = make_mixed(program), Branching(program, cut)
    melting = Melting(mender, relaxed.x > 0.5, relaxed.prices, bound, seed)
    starts: list[Callable[[], State | None]] = [
        partial(_started_in_part, mender, relaxed, budget, seed, gap) for gap in GAPS
    ]
    if len(program.worth) <= MELTING_COLUMNS:
        starts.insert(0, partial(_melted_in_part, melting, best, budget))
    if branching.is_able:
        starts.insert(0, partial(_whole, mender, mixed, budget))
        best = _branched(branching, best, budget, BRANCHING_SHARE)
    if not branching.is_ended:
        methods += [STARTED, "neighbourhood search"]
        with ThreadPoolExecutor(max_workers=max(1, jobs)) as threads:
            in_turn = budget.work is not None  # so that what one takes is left to the next, whatever the threads
            for state in (map if in_turn else threads.map)(call, starts):
                best = better(best, state)
                if best.worth == bound:
                    break
            best = _neighbourhoods(mixed, best, bound, branching, melting, budget, seed, threads, max(1, jobs))
    if branching.has_begun:
        methods.append(BRANCHED)
    return _found(best, min(bound, branching.bound), relaxed, methods)


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


def _melted_in_part(melting: Melting, best: State, budget: Budget) -> State:
    """What melting makes of the best set within a part of the budget."""
    part = budget.part(MELTING_SHARE)
    best = melting.go_on(best, part, TURNS)
    budget.used += part.used
    return best


def _whole(mender: Mender, mixed: Mixed, budget: Budget) -> State | None:
    """What branch and cut makes of all columns together."""
    budget.take()
    everything = np.arange(len(mixed.worth))
    binary = np.ones(len(everything), dtype=np.bool_)
    seconds = budget.seconds_left(WHOLE_SHARE)
    answer = solve_mixed(mixed, everything, binary, mixed.room, nodes=WHOLE_NODES, gap=WHOLE_GAP, seconds=seconds)
    return None if answer is None else made_valid(mender, answer > 0.5)


def _branched(branching: Branching, best: State, budget: Budget, share: float) -> State:
    """What branch and bound makes of the best set within a share of the budget."""
    part = budget.part(share)
    best = branching.go_on(best, part)
    budget.used += part.used
    return best


def _neighbourhoods(
    mixed: Mixed,
    best: State,
    bound: int,
    branching: Branching,
    melting: Melting,
    budget: Budget,
    seed: int,
    threads: ThreadPoolExecutor,
    jobs: int,
) -> State:
    """The best set after searching parts of it, :data:`WIDTH` at a time, until the budget ends or the bound is met.

    Branch and bound, and of small programs melting, go on beside them: by the clock until they are done, else for so
    many calls.
    """
    program, draw = branching.program, np.random.default_rng(seed)
    while not budget.is_spent() and best.worth < bound and not branching.is_ended:
        is_melted = len(program.worth) <= MELTING_COLUMNS and best.worth < MELTED_BELOW * bound
        share = min(1.0, jobs / (WIDTH + 1 + is_melted))
        seconds = budget.seconds_left(share, SECONDS)
        beside = Budget(None, CALLS_BESIDE)
        if seconds is not None:
            beside = Budget(seconds if jobs > 1 else seconds * ALONE_SHARE, None)
        branched = threads.submit(branching.go_on, best, beside)
        melting_beside = Budget(beside.seconds, beside.work)
        melted = threads.submit(melting.go_on, best, melting_beside, TURNS if is_melted else 0)
        solve = partial(improved_part, mixed, program, best, WIDTH, seconds)
        for part in threads.map(solve, deal(len(program.worth), WIDTH, draw)):
            budget.take()
            best = better(best, None if part is None else applied(program, best, part))
        if seconds is not None:
            beside.end()
            melting_beside.end()
        best = better(better(best, branched.result()), melted.result())
        budget.used += beside.used + melting_beside.used
    return best
