"""From a queue on its terms to a set worth most, whatever the size of the queue and of its amounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from liquidity.bypass.budget import Budget
from liquidity.bypass.columns import make_columns, worths
from liquidity.bypass.exhaustive import exhaust
from liquidity.model import Queue
from liquidity.terms import Terms

OBJECTIVES = ("value", "count", "priority")
"""What "most" may mean: value of all legs, obligations, or value of the most urgent first, then of the next."""

PLAIN_LEGS = 200
"""Up to here an exhaustive search in plain Python is tried first; a queue beyond is never so small once reduced."""

COMPILED_FROM_LEGS = 20_000
"""From here the first set is eliminated by the compiled kernel: numba is there by now."""


@dataclass(frozen=True, slots=True)
class Best:
    """Which obligations settle (flag per arrival number) and what is known about it; exact in reporting currency."""

    kept: Sequence[bool]
    upper_bound: Fraction
    proof: str
    method: str


def best_of(
    queue: Queue, terms: Terms, rates: Mapping[str, Fraction], objective: str, budget: Budget, seed: int, jobs: int
) -> Best:
    """A set worth most, never worth less than what ``fifo`` settles, with an upper bound."""
    if queue.leg_count <= PLAIN_LEGS:
        obligations = queue.obligations
        exhausted = exhaust(make_columns(obligations, terms, rates, objective))
        if exhausted is not None:
            kept = [False] * len(queue)
            for number in exhausted.numbers:
                kept[number] = True
            return Best(kept, worth_kept(queue, rates, objective, kept), "optimal", "branch and bound, exact integers")
    from liquidity.bypass.large_queues import searched

    return searched(queue, terms, rates, objective, budget, seed, jobs)


def worth_kept(queue: Queue, rates: Mapping[str, Fraction], objective: str, kept: Sequence[bool]) -> Fraction:
    """What a set is worth in the reporting currency (or counts), exact."""
    chosen = [one for one, keep in zip(queue.obligations, kept, strict=True) if keep]
    worth, scale = worths(chosen, rates, "count" if objective == "count" else "value")
    return sum(worth) * scale


def judge(
    queue: Queue, terms: Terms, rates: Mapping[str, Fraction], objective: str, kept: Sequence[bool], method: str
) -> Best:
    """What is known of a valid set that somebody else has found."""
    from liquidity.bypass.large_queues import judged

    return judged(queue, terms, rates, objective, kept, method)
