"""Which single injection of liquidity frees the most?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from liquidity.bounding import upper_bound
from liquidity.diagnosing import check_order, liquidity_for
from liquidity.elimination import eliminate
from liquidity.errors import InvalidField, shown
from liquidity.model import Account, Amounts, Limits, Queue, exact_integer
from liquidity.resolution import COMPILED_FROM_LEGS, totals
from liquidity.terms import Terms, make_rates, make_terms

_Settled = tuple[Sequence[bool], Mapping[Account, int], Mapping[str, int]]

MOST_ACCOUNTS = 100
"""Accounts in which an injection is tried unless told otherwise: each costs one elimination of the whole queue."""


@dataclass(frozen=True, slots=True)
class Injection:
    """Liquidity of ``amount`` minor units into one account, and what it frees.

    ``amount`` is the least with which all of ``frees`` (ids in arrival order) settles besides what settled anyway.
    ``freed`` and ``cost`` are the worth of these and of the amount in the reporting currency.
    """

    bank: str
    currency: str
    amount: int
    frees: tuple[str, ...]
    freed: Fraction
    cost: Fraction


@dataclass(frozen=True, slots=True)
class Injections:
    """``ranked``: injections that free something, the one that frees most first (then the cheaper one).

    ``tried`` of ``accounts`` accounts with something waiting were tried.
    """

    ranked: tuple[Injection, ...]
    tried: int
    accounts: int

    @property
    def best(self) -> Injection | None:
        """The one that frees most; ``None`` if no single injection frees anything."""
        return self.ranked[0] if self.ranked else None

    @property
    def is_proven(self) -> bool:
        """Whether every account was tried, so that ``best`` is the best there is."""
        return self.tried == self.accounts


def best_injection(
    queue: Queue,
    balances: Amounts,
    *,
    order: str = "fifo",
    floors: Amounts | None = None,
    limits: Limits | None = None,
    rates: Mapping[str, Fraction | int] | None = None,
    budget: Fraction | int | None = None,
    most_accounts: int = MOST_ACCOUNTS,
) -> Injections:
    """Into which one account would liquidity free the most value, and how much of it?

    Parameters
    ----------
    queue, balances, order, floors, limits, rates
        As for :func:`liquidity.resolve`; ``order`` is ``"fifo"`` or ``"priority"``.
    budget
        Most that may be injected, in the reporting currency; ``None``: as much as it takes.
    most_accounts
        Try no more accounts than this: those with the highest price of liquidity (:func:`liquidity.upper_bound`),
        then those with most value waiting in their queue.

    Notes
    -----
    Exact for each account tried: it is given all that it could ever use, or the budget, and the unique maximum shows
    what settles then and how much was needed. Less liquidity frees less, never anything else.
    """
    check_order(order)
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int | Fraction) or budget < 0):
        raise InvalidField("budget", "must be a ratio of integers >= 0", shown(budget))
    most_accounts = exact_integer(most_accounts, "most_accounts", "must be an integer > 0", minimum=1)
    terms, worth = make_terms(balances, floors, limits), make_rates(rates)
    settle = _settler(queue, order, most_accounts)
    base, _, base_value = settle(terms)
    accounts, outflows = _waiting_accounts(queue, base, worth)
    if len(accounts) > most_accounts:
        prices = upper_bound(queue, balances, floors=floors, limits=limits, rates=rates).prices
        accounts.sort(key=lambda one: -prices[one[0]][one[1]])  # stable: then by value waiting
    found: list[Injection] = []
    for account in accounts[:most_accounts]:
        rate = worth.get(account[1], Fraction(1))
        amount = liquidity_for(terms, account, outflows[account])
        if budget is not None:
            amount = min(amount, math.floor(budget / rate))
        opening = terms.opening.get(account, 0) + amount
        kept, closing, value = settle(replace(terms, opening={**terms.opening, account: opening}))
        frees = tuple(one for one, now, before in zip(queue.ids, kept, base, strict=True) if now and not before)
        if frees:
            needed = liquidity_for(terms, account, opening - closing[account])
            gains = (worth.get(code, Fraction(1)) * (total - base_value[code]) for code, total in value.items())
            freed = sum(gains, Fraction(0))
            found.append(Injection(*account, needed, frees, freed, rate * needed))
    found.sort(key=lambda one: (-one.freed, one.cost))
    return Injections(tuple(found), min(len(accounts), most_accounts), len(accounts))


def _settler(queue: Queue, order: str, times: int) -> Callable[[Terms], _Settled]:
    """The elimination, compiled where so many of them are worth that: kept, closing balances, value per currency."""

    def settle(terms: Terms) -> _Settled:
        if queue.leg_count * times >= COMPILED_FROM_LEGS:
            from liquidity.elimination_compiled import eliminate_arrays

            arrays = queue.arrays()
            outcome = None if arrays is None else eliminate_arrays(arrays, terms, order)
            if outcome is not None:
                return outcome.kept.tolist(), outcome.closing, outcome.value
        kept = eliminate(queue.obligations, terms, order)
        return kept, *totals(queue, terms, kept)

    return settle


def _waiting_accounts(
    queue: Queue, settled: Sequence[bool], rates: Mapping[str, Fraction]
) -> tuple[list[Account], dict[Account, int]]:
    """Accounts in whose queue something waits, most value first; and all that each could ever pay out."""
    outflows: dict[Account, int] = {}
    waiting: dict[Account, int] = {}
    for obligation, is_settled in zip(queue, settled, strict=True):
        if obligation.held:
            continue
        for leg in obligation.legs:
            account = (leg.payer, leg.currency)
            outflows[account] = outflows.get(account, 0) + leg.amount
            if not is_settled:
                waiting[account] = waiting.get(account, 0) + leg.amount
    return sorted(waiting, key=lambda one: -waiting[one] * rates.get(one[1], Fraction(1))), outflows
