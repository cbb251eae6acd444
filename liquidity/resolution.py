"""The question: which obligations can settle now?

:func:`resolve` is the one way in; the algorithms are modules of their own, named for what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import compress

from liquidity.bypass.answering import OBJECTIVES, Best, best_of, judge
from liquidity.bypass.budget import make_budget
from liquidity.checking import check_settlement
from liquidity.elimination import eliminate
from liquidity.errors import InvalidField, UnknownOrder, shown
from liquidity.model import Account, Amounts, Limits, Queue, exact_integer, exact_seed
from liquidity.terms import Terms, make_rates, make_terms

SEQUENCES = ("fifo", "priority")
"""Orders in which nothing settles past a waiting obligation of the same account."""

ORDERS = (*SEQUENCES, "bypass")
"""What ``order`` may be, a resolver of the caller's own apart."""

Resolver = Callable[..., Iterable[str]]
"""An algorithm of the caller's own: ``(queue, balances, *, floors, limits, rates, time_limit_s, seed)`` → ids."""

JOBS = 2
"""Threads that a search takes unless told otherwise."""

COMPILED_FROM_LEGS = 50_000
"""From here the compiled elimination wins, its import (a second) included; below, the CPU is done before that."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What settles, and how good that is.

    ``settled``: ids in arrival order. ``closing_balances``: bank → currency → minor units, of every account that has
    a balance or a leg. ``settled_value``: minor units per currency over *all* legs of the settled obligations.
    ``objective``: that value in the reporting currency, or the count if that was asked for. ``upper_bound``: no
    answer under this order is worth more. ``method``: what ran. ``proof``, how it is known:

    ``unique-maximum``: there is one best set, and this is it. ``optimal``: no set is better, proven in exact
    integers. ``gap``: a better set may exist, none is better than ``upper_bound``, proven in exact integers.
    ``heuristic``: nothing is proven but that the set may settle; the bound is what is queued.
    """

    order: str
    settled: tuple[str, ...]
    closing_balances: Mapping[str, Mapping[str, int]]
    settled_value: Mapping[str, int]
    objective: Fraction
    upper_bound: Fraction
    proof: str
    method: str

    @property
    def settled_count(self) -> int:
        """Obligations settled."""
        return len(self.settled)

    @property
    def gap(self) -> Fraction:
        """What may be missing: (upper bound − objective) / upper bound, 0 when nothing is."""
        return (self.upper_bound - self.objective) / self.upper_bound if self.upper_bound else Fraction(0)


@dataclass(frozen=True, slots=True)
class _Outcome:
    settled: tuple[str, ...]
    closing: dict[Account, int]
    value: dict[str, int]
    method: str


def resolve(
    queue: Queue,
    balances: Amounts,
    *,
    order: str | Resolver = "fifo",
    floors: Amounts | None = None,
    limits: Limits | None = None,
    rates: Mapping[str, Fraction | int] | None = None,
    time_limit_s: float | None = None,
    work_limit: int | None = None,
    objective: str = "value",
    seed: int = 0,
    jobs: int | None = None,
) -> Resolution:
    """The set of obligations that settles together, best under the given order.

    Each account's queue settles from the front: a prefix in order of arrival (``fifo``), or of priority and then
    arrival (``priority``). Under either there is one greatest set, best for value, count and every bank at once.
    Under ``bypass`` nobody's place in a queue counts; then most value is hard to find, so a search goes on until it
    is proven best or the limit is reached, and the answer is never worse than that of ``fifo``.

    Parameters
    ----------
    queue
        Obligations in arrival order.
    balances
        Opening balances, minor units; 0 where nothing is said; may be negative.
    order
        ``"fifo"``, ``"priority"``, ``"bypass"``, or a function ``(queue, balances, *, floors, limits, rates,
        time_limit_s, seed)`` that returns the ids to settle; its answer is checked.
    floors
        Least closing balances; 0 where nothing is said, negative for a credit line. An account that opens below its
        floor may only rise.
    limits
        Bounds on net outflow, bilateral and multilateral.
    rates
        Worth of one minor unit in the reporting currency, an exact ratio > 0; 1 where nothing is said.
    time_limit_s, work_limit
        When the search of ``bypass`` stops: seconds, or solver calls. With a work limit alone the answer depends on
        nothing but the arguments. Neither: a work limit that takes some ten seconds for 10,000 obligations, and up to a
        minute where nobody has much.
    objective
        What ``bypass`` searches: most ``"value"``, most obligations (``"count"``), or most value of the most urgent
        priority, then of the next (``"priority"``).
    seed
        Of what the search draws at random.
    jobs
        Threads of the search; the answer doesn't depend on them.

    Raises
    ------
    UnknownOrder
        For any other ``order``.
    InvalidField
        For a balance, floor, rate or limit that is none, or when a resolver of the caller's own returns no ids.
    InvalidSettlement
        When a resolver of the caller's own returns a set that may not settle.

    Notes
    -----
    Amounts are exact whatever their size: sums that might leave 64 bits are done in Python's integers. Time is
    linear in the number of legs (n log n to sort by priority). Nothing is read but the arguments.

    Examples
    --------
    >>> from liquidity import Leg, Obligation
    >>> queue = Queue([
    ...     Obligation("T1", [Leg("HK1", "TH1", "HKD", 100), Leg("TH1", "HK1", "THB", 460)]),
    ...     Obligation("T2", [Leg("TH1", "HK1", "HKD", 100), Leg("HK1", "TH1", "THB", 455)]),
    ... ])
    >>> answer = resolve(queue, {"TH1": {"THB": 5}})
    >>> answer.settled, answer.settled_value
    (('T1', 'T2'), {'HKD': 200, 'THB': 915})
    """
    if objective not in OBJECTIVES:
        raise InvalidField("objective", f"must be one of {', '.join(OBJECTIVES)}", shown(objective))
    budget = make_budget(time_limit_s, work_limit)
    worth = make_rates(rates)
    terms = make_terms(balances, floors, limits)
    threads = JOBS if jobs is None else exact_integer(jobs, "jobs", "must be an integer > 0", minimum=1)
    seed = exact_seed(seed)
    if callable(order):
        chosen = set(
            ids_of(
                order,
                queue,
                balances,
                floors=floors,
                limits=limits,
                rates=rates,
                time_limit_s=time_limit_s,
                seed=seed,
            )
        )
        kept: Sequence[bool] = [one in chosen for one in queue.ids]
        name = getattr(order, "__name__", type(order).__name__)
        return _answer(
            queue, balances, terms, worth, objective, name, judge(queue, terms, worth, objective, kept, name)
        )
    if order == "bypass":
        best = best_of(queue, terms, worth, objective, budget, seed, threads)
        return _answer(queue, balances, terms, worth, objective, order, best)
    if order not in SEQUENCES:
        raise UnknownOrder(order, ORDERS)
    outcome = _compiled(queue, terms, order) if queue.leg_count >= COMPILED_FROM_LEGS else None
    if outcome is None:
        outcome = _in_python(queue, terms, order)
    value = _value(worth, outcome.value)
    return Resolution(
        order=order,
        settled=outcome.settled,
        closing_balances=_by_bank(balances, {**terms.opening, **outcome.closing}),
        settled_value=outcome.value,
        objective=value,
        upper_bound=value,
        proof="unique-maximum",
        method=outcome.method,
    )


def ids_of(
    resolver: Resolver,
    queue: Queue,
    balances: Amounts,
    *,
    floors: Amounts | None,
    limits: Limits | None,
    **named: object,
) -> tuple[str, ...]:
    """What a resolver of the caller's own answers, checked: ids that may settle as one set.

    Raises
    ------
    InvalidField
        When it answers with anything but ids.
    InvalidSettlement
        When they may not settle.
    """
    answer = resolver(queue, balances, floors=floors, limits=limits, **named)
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        raise InvalidField("order", "the function must return the ids to settle", shown(answer))
    ids = tuple(answer)
    check_settlement(queue, balances, ids, floors=floors, limits=limits)
    return ids


def _answer(
    queue: Queue, balances: Amounts, terms: Terms, rates: Mapping[str, Fraction], objective: str, order: str, best: Best
) -> Resolution:
    """A set found in free order as a resolution."""
    settled = tuple(compress(queue.ids, best.kept))
    closing, value = totals(queue, terms, best.kept)
    return Resolution(
        order=order,
        settled=settled,
        closing_balances=_by_bank(balances, {**terms.opening, **closing}),
        settled_value=value,
        objective=Fraction(len(settled)) if objective == "count" else _value(rates, value),
        upper_bound=best.upper_bound,
        proof=best.proof,
        method=best.method,
    )


def _value(rates: Mapping[str, Fraction], value: Mapping[str, int]) -> Fraction:
    return sum((rates.get(code, Fraction(1)) * amount for code, amount in value.items()), Fraction(0))


def _compiled(queue: Queue, terms: Terms, order: str) -> _Outcome | None:
    from liquidity.elimination_compiled import eliminate_arrays

    arrays = queue.arrays()
    outcome = None if arrays is None else eliminate_arrays(arrays, terms, order)
    if outcome is None:
        return None
    settled = tuple(compress(queue.ids, outcome.kept.tolist()))
    return _Outcome(settled, outcome.closing, outcome.value, "elimination, compiled, 64-bit integers")


def _in_python(queue: Queue, terms: Terms, order: str) -> _Outcome:
    kept = eliminate(queue.obligations, terms, order)
    closing, value = totals(queue, terms, kept)
    return _Outcome(tuple(compress(queue.ids, kept)), closing, value, "elimination, exact integers")


def totals(queue: Queue, terms: Terms, kept: Sequence[bool]) -> tuple[dict[Account, int], dict[str, int]]:
    """Closing balances of the accounts with a leg, and settled value per currency, of a set in exact integers."""
    if queue.leg_count >= COMPILED_FROM_LEGS:
        from liquidity.bypass.large_queues import totals_of_arrays

        if (arrays := queue.arrays()) is not None:
            return totals_of_arrays(arrays, terms, kept)
    closing: dict[Account, int] = {}
    value: dict[str, int] = {}
    for obligation, keep in zip(queue.obligations, kept, strict=True):
        for leg in obligation.legs:
            payer, payee = (leg.payer, leg.currency), (leg.payee, leg.currency)
            moved = leg.amount if keep else 0
            closing[payer] = closing.get(payer, terms.opening.get(payer, 0)) - moved
            closing[payee] = closing.get(payee, terms.opening.get(payee, 0)) + moved
            value[leg.currency] = value.get(leg.currency, 0) + moved
    return closing, value


def _by_bank(banks: Iterable[str], accounts: Mapping[Account, int]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {bank: {} for bank in banks}
    for (bank, currency), amount in accounts.items():
        table.setdefault(bank, {})[currency] = amount
    return table
