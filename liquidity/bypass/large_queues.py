"""The search for queues that are more than a handful: in flat arrays where sums fit 64 bits, coarser where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from liquidity.arrays import Bools, Int64s, QueueArrays
from liquidity.bypass.answering import COMPILED_FROM_LEGS, Best, worth_kept
from liquidity.bypass.budget import Budget
from liquidity.bypass.columns import make_columns, urgency, worths
from liquidity.bypass.search import Found, bound_of, search
from liquidity.bypass.wide import coarsen, exact_bound, is_valid
from liquidity.elimination import eliminate
from liquidity.model import NO_PRIORITY, Account, Queue
from liquidity.program import SAFE_BITS, Program, make_program
from liquidity.reducing import in_largest_units
from liquidity.terms import Terms

MOST_CLASSES = 64
"""Priorities searched one after the other; less urgent ones are searched together, as the last, and nothing proven."""


def fifo_kept(queue: Queue, terms: Terms) -> Sequence[bool]:
    """What ``fifo`` settles."""
    if queue.leg_count >= COMPILED_FROM_LEGS:
        from liquidity.elimination_compiled import eliminate_arrays

        arrays = queue.arrays()
        outcome = None if arrays is None else eliminate_arrays(arrays, terms, "fifo")
        if outcome is not None:
            return list(outcome.kept.tolist())
    return eliminate(queue.obligations, terms, "fifo")


def searched(
    queue: Queue, terms: Terms, rates: Mapping[str, Fraction], objective: str, budget: Budget, seed: int, jobs: int
) -> Best:
    """The best set found within the budget; never worth less than what ``fifo`` settles."""
    program = make_program(queue, terms, rates, "count" if objective == "count" else "value")
    start = fifo_kept(queue, terms)
    if program is None:
        return _searched_coarsely(queue, terms, rates, objective, budget, seed, jobs, start)
    program = in_largest_units(program)
    flags = np.array(start, dtype=np.bool_)[program.number]
    if objective == "priority":
        found = _by_class(program, classes_of(queue)[program.number], flags, budget, seed, jobs)
    else:
        found = search(program, flags, budget, seed, jobs)
    if not program.worth_is_exact:
        return _judged(queue, rates, objective, start, program, found)
    bound = found.bound * program.worth_scale
    return Best(_kept(queue, program, found.chosen), bound, "optimal" if found.is_best else "gap", found.method)


def _kept(queue: Queue, program: Program, chosen: Bools) -> list[bool]:
    kept = np.zeros(len(queue), dtype=np.bool_)
    kept[program.number[chosen]] = True
    return list(kept.tolist())


def _judged(
    queue: Queue, rates: Mapping[str, Fraction], objective: str, start: Sequence[bool], program: Program, found: Found
) -> Best:
    """The answer where the program's worths are rounded: compared by the exact ones."""
    each, scale = worths(queue.obligations, rates, "value")
    kept = _kept(queue, program, found.chosen)
    worth = sum(one for one, keep in zip(each, kept, strict=True) if keep) * scale
    at_start = sum(one for one, keep in zip(each, start, strict=True) if keep) * scale
    if worth < at_start and objective == "value":
        kept, worth = list(start), at_start
    bound = found.bound * program.worth_scale
    return Best(kept, bound, "optimal" if worth == bound else "gap", found.method)


def classes_of(queue: Queue) -> Int64s:
    """Per arrival number its class of priority: 0 the most urgent, at most :data:`MOST_CLASSES` of them."""
    arrays = queue.arrays()
    if arrays is None:
        ranks = [urgency(one) for one in queue]
        place = {rank: min(at, MOST_CLASSES - 1) for at, rank in enumerate(sorted(set(ranks)))}
        return np.array([place[rank] for rank in ranks], dtype=np.int64)
    own = np.full(len(queue), NO_PRIORITY) if arrays.priority is None else arrays.priority
    if arrays.leg_priority is not None and len(queue):
        per_leg = np.where(arrays.leg_priority == NO_PRIORITY, own[arrays.leg_obligation], arrays.leg_priority)
        own = np.minimum.reduceat(per_leg, arrays.leg_start[:-1])
    rank: Int64s = np.unique(own, return_inverse=True)[1].astype(np.int64)
    return np.minimum(rank, MOST_CLASSES - 1)


def _with_promise(program: Program, worth: Int64s, at_least: int) -> Program:
    """The program with one more row: these worths must come to ``at_least``. Its room is negative."""
    column = np.flatnonzero(worth)
    extra = np.zeros(len(worth) + 1, dtype=np.int64)
    extra[column + 1] = 1
    extra = np.cumsum(extra)
    places = program.start[column + 1]
    row = np.insert(program.row, places, np.int32(len(program.room)))
    change = np.insert(program.change, places, -worth[column])
    return replace(
        program,
        start=program.start + extra,
        row=row,
        change=change,
        room=np.append(program.room, -at_least),
        outflow=np.append(program.outflow, 0),
        bank=np.append(program.bank, np.int32(0)),
        payee=np.append(program.payee, np.int32(-1)),
        currency=np.append(program.currency, np.int32(0)),
    )


def _by_class(program: Program, classes: Int64s, start: Bools, budget: Budget, seed: int, jobs: int) -> Found:
    """Most worth in the first class, then in the second while the first keeps its worth, and so on."""
    step = program
    present = sorted(set(classes.tolist()))
    chosen, proven, method = start, MOST_CLASSES - 1 not in present, "nothing is queued"
    weight = min(len(program.worth) + 1, 2 ** (SAFE_BITS - 1) // max(1, int(program.worth.sum())))
    for number, one in enumerate(present):
        mine = classes == one
        worth = np.where(mine, program.worth * max(1, weight), 1)  # a column of another class never outweighs a unit
        part = budget.part(1 / (len(present) - number))
        found = search(replace(step, worth=worth), chosen, part, seed, jobs)
        budget.used += part.used
        chosen, method = found.chosen, found.method
        kept = int(program.worth[mine & chosen].sum())
        proven = proven and weight > len(program.worth) and found.bound // weight == kept
        step = _with_promise(step, np.where(mine, program.worth, 0), kept)
    total = int(program.worth[chosen].sum())
    bound = total if proven else bound_of(program)
    return Found(chosen, total, bound, np.zeros(len(program.room)), f"by priority: {method}", proven)


def _searched_coarsely(
    queue: Queue,
    terms: Terms,
    rates: Mapping[str, Fraction],
    objective: str,
    budget: Budget,
    seed: int,
    jobs: int,
    start: Sequence[bool],
) -> Best:
    obligations = queue.obligations
    columns = make_columns(obligations, terms, rates, objective)
    empty = np.zeros(len(columns.columns), dtype=np.bool_)
    if objective == "priority":
        coarse = coarsen(make_columns(obligations, terms, rates, "value"))
        found = _by_class(coarse.program, classes_of(queue)[coarse.program.number], empty, budget, seed, jobs)
    else:
        coarse = coarsen(columns)
        found = search(coarse.program, empty, budget, seed, jobs)
    chosen = found.chosen.tolist()
    first = [start[column.number] for column in columns.columns]

    def worth_of(flags: Sequence[bool]) -> int:
        return sum(column.worth for column, keep in zip(columns.columns, flags, strict=True) if keep)

    if not is_valid(columns, chosen) or worth_of(chosen) < worth_of(first):
        chosen = first
    kept = [False] * len(queue)
    for column, keep in zip(columns.columns, chosen, strict=True):
        kept[column.number] = keep
    total = sum(column.worth for column in columns.columns)
    bound = min(total, exact_bound(columns, coarse, found.prices.tolist()))
    if objective == "priority":
        value, scale = worths(obligations, rates, "value")
        whole = sum(one for one, column in zip(value, obligations, strict=True) if not column.held)
        return Best(kept, whole * scale, "heuristic", found.method)
    _, scale = worths(obligations, rates, objective)
    return Best(kept, bound * scale, "optimal" if worth_of(chosen) == bound else "gap", found.method)


def judged(
    queue: Queue, terms: Terms, rates: Mapping[str, Fraction], objective: str, kept: Sequence[bool], method: str
) -> Best:
    """What is known of a valid set that somebody else has found: its value against the relaxation's bound."""
    program = make_program(queue, terms, rates, "count" if objective == "count" else "value")
    worth = worth_kept(queue, rates, objective, kept)
    if program is None:
        everything = [not one.held for one in queue.obligations]
        return Best(kept, worth_kept(queue, rates, objective, everything), "heuristic", method)
    bound = bound_of(program) * program.worth_scale
    return Best(kept, bound, "optimal" if worth == bound and objective != "priority" else "gap", method)


def _exact_sums(amounts: Int64s, groups: Int64s, size: int) -> list[int]:
    """Sum per group; halves of 32 bits can't overflow over 2**31 entries."""
    high, low = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
    np.add.at(high, groups, amounts >> 32)
    np.add.at(low, groups, amounts & 0xFFFFFFFF)
    return [(one << 32) + other for one, other in zip(high.tolist(), low.tolist(), strict=True)]


def totals_of_arrays(
    arrays: QueueArrays, terms: Terms, kept: Sequence[bool]
) -> tuple[dict[Account, int], dict[str, int]]:
    """Closing balances of the accounts with a leg, and settled value per currency, of a set in exact integers."""
    width = len(arrays.currencies)
    size = len(arrays.banks) * width
    payer = arrays.payer.astype(np.int64) * width + arrays.currency
    payee = arrays.payee.astype(np.int64) * width + arrays.currency
    used = np.unique(np.concatenate((payer, payee)))
    chosen = np.asarray(kept, dtype=np.bool_)[arrays.leg_obligation]
    amounts = arrays.amount[chosen]
    paid = _exact_sums(amounts, payer[chosen], size)
    received = _exact_sums(amounts, payee[chosen], size)
    closing = {}
    for at in used.tolist():
        account = (arrays.banks[at // width], arrays.currencies[at % width])
        closing[account] = terms.opening.get(account, 0) - paid[at] + received[at]
    value = _exact_sums(amounts, arrays.currency[chosen], width)
    return closing, dict(zip(arrays.currencies, value, strict=True))
