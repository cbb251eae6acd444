"""The question: which obligations can settle now?

:func:`resolve` is the one way in; the algorithms are modules of their own, named for what they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import compress

from liquidity.elimination import eliminate
from liquidity.errors import UnknownOrder
from liquidity.model import Account, Amounts, Limits, Queue
from liquidity.terms import Terms, make_rates, make_terms

ORDERS = ("fifo", "priority")
"""What ``order`` may be."""

COMPILED_FROM_LEGS = 50_000
"""From here the compiled elimination wins, its import (a second) included; below, the CPU is done before that."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What settles, and how good that is.

    ``settled``: ids in arrival order. ``closing_balances``: bank → currency → minor units, of every account that has
    a balance or a leg. ``settled_value``: minor units per currency over *all* legs of the settled obligations.
    ``objective``: that value in the reporting currency. ``upper_bound``: no answer under this order is worth more.
    ``proof``: how it is known (``unique-maximum``: there is one best set, and this is it). ``method``: what ran.
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
    order: str = "fifo",
    floors: Amounts | None = None,
    limits: Limits | None = None,
    rates: Mapping[str, Fraction | int] | None = None,
) -> Resolution:
    """The set of obligations that settles together, best under the given order, exact.

    Each account's queue settles from the front: a prefix in order of arrival (``fifo``), or of priority and then
    arrival (``priority``). Under either there is one greatest set, best for value, count and every bank at once.

    Parameters
    ----------
    queue
        Obligations in arrival order.
    balances
        Opening balances, minor units; 0 where nothing is said; may be negative.
    order
        ``"fifo"`` or ``"priority"``.
    floors
        Least closing balances; 0 where nothing is said, negative for a credit line. An account that opens below its
        floor may only rise.
    limits
        Bounds on net outflow, bilateral and multilateral.
    rates
        Worth of one minor unit in the reporting currency, an exact ratio > 0; 1 where nothing is said.

    Raises
    ------
    UnknownOrder
        For any other ``order``.
    InvalidField
        For a balance, floor or rate that is none.

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
    if order not in ORDERS:
        raise UnknownOrder(order, ORDERS)
    worth = make_rates(rates)
    terms = make_terms(balances, floors, limits)
    outcome = _compiled(queue, terms, order) if queue.leg_count >= COMPILED_FROM_LEGS else None
    if outcome is None:
        outcome = _in_python(queue, terms, order)
    objective = sum((worth.get(code, Fraction(1)) * amount for code, amount in outcome.value.items()), Fraction(0))
    return Resolution(
        order=order,
        settled=outcome.settled,
        closing_balances=_by_bank(balances, {**terms.opening, **outcome.closing}),
        settled_value=outcome.value,
        objective=objective,
        upper_bound=objective,
        proof="unique-maximum",
        method=outcome.method,
    )


def _compiled(queue: Queue, terms: Terms, order: str) -> _Outcome | None:
    from liquidity.elimination_compiled import eliminate_arrays

    arrays = queue.arrays()
    outcome = None if arrays is None else eliminate_arrays(arrays, terms, order)
    if outcome is None:
        return None
    settled = tuple(compress(queue.ids, outcome.kept.tolist()))
    return _Outcome(settled, outcome.closing, outcome.value, "elimination, compiled, 64-bit integers")


def _in_python(queue: Queue, terms: Terms, order: str) -> _Outcome:
    obligations = queue.obligations
    kept = eliminate(obligations, terms, order)
    closing: dict[Account, int] = {}
    value: dict[str, int] = {}
    for obligation, keep in zip(obligations, kept, strict=True):
        for leg in obligation.legs:
            payer, payee = (leg.payer, leg.currency), (leg.payee, leg.currency)
            moved = leg.amount if keep else 0
            closing[payer] = closing.get(payer, terms.opening.get(payer, 0)) - moved
            closing[payee] = closing.get(payee, terms.opening.get(payee, 0)) + moved
            value[leg.currency] = value.get(leg.currency, 0) + moved
    settled = tuple(compress(queue.ids, kept))
    return _Outcome(settled, closing, value, "elimination, exact integers")


def _by_bank(banks: Iterable[str], accounts: Mapping[Account, int]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {bank: {} for bank in banks}
    for (bank, currency), amount in accounts.items():
        table.setdefault(bank, {})[currency] = amount
    return table
