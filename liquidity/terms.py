"""On what terms a queue is resolved: opening balances, floors, limits, and the worth of a currency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from liquidity.errors import InvalidField, child, shown
from liquidity.model import Account, Amounts, Limits, amounts_table, entries

Pair = tuple[str, str, str]
"""(payer, payee, currency) of a bilateral limit."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Checked terms, keyed by account (and by pair); minor units. What isn't in a table is 0, or no limit."""

    opening: dict[Account, int]
    floors: dict[Account, int]
    multilateral: dict[Account, int]
    bilateral: dict[Pair, int]


def make_terms(balances: Amounts, floors: Amounts | None, limits: Limits | None) -> Terms:
    """The terms as given by a caller, checked; raises :class:`InvalidField` naming the entry."""
    if limits is not None and not isinstance(limits, Limits):
        raise InvalidField("limits", "must be a Limits", shown(limits))
    limits = limits or Limits()
    return Terms(
        opening=_by_account(amounts_table(balances, "balances")),
        floors=_by_account(amounts_table({} if floors is None else floors, "floors")),
        multilateral=_by_account(limits.multilateral),
        bilateral={
            (payer, payee, currency): limit
            for payer, payees in limits.bilateral.items()
            for payee, row in payees.items()
            for currency, limit in row.items()
        },
    )


def lowest_closing(terms: Terms, account: Account) -> int:
    """The least balance at which ``account`` may close.

    That is its floor, or its opening balance where it opens below the floor (then it may only rise); a multilateral
    limit bounds the net outflow, so it raises this to opening balance − limit.
    """
    opening = terms.opening.get(account, 0)
    lowest = min(terms.floors.get(account, 0), opening)
    limit = terms.multilateral.get(account)
    return lowest if limit is None else max(lowest, opening - limit)


def make_rates(rates: Mapping[str, Fraction | int] | None) -> dict[str, Fraction]:
    """Worth of one minor unit per currency in the reporting currency, as exact ratios > 0, checked."""
    checked: dict[str, Fraction] = {}
    for currency, rate in entries({} if rates is None else rates, "rates"):
        if isinstance(rate, bool) or not isinstance(rate, int | Fraction) or rate <= 0:
            raise InvalidField(child("rates", currency), "must be a ratio of integers > 0", shown(rate))
        checked[currency] = Fraction(rate)
    return checked


def _by_account(table: Amounts) -> dict[Account, int]:
    return {(bank, currency): amount for bank, row in table.items() for currency, amount in row.items()}
