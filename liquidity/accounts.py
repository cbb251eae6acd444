"""What stands on accounts, and between limited pairs, while obligations settle: in exact Python integers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from liquidity.model import Account, Limits, Obligation
from liquidity.terms import Pair, Terms, lowest_closing


@dataclass(frozen=True, slots=True)
class Accounts:
    """``balance``, and ``outflow`` (net) of each pair with a bilateral limit, change in place (minor units).

    ``lowest``: what the accounts that pay may close at; ``limits``: what may flow out between the pairs.
    """

    balance: dict[Account, int]
    lowest: dict[Account, int]
    outflow: dict[Pair, int]
    limits: dict[Pair, int]

    def move(self, obligation: Obligation, direction: int = 1) -> None:
        """Do (1) or undo (−1) the legs of an obligation, whatever that overdraws."""
        for leg in obligation.legs:
            amount = direction * leg.amount
            self.balance[leg.payer, leg.currency] -= amount
            self.balance[leg.payee, leg.currency] += amount
            if self.limits:
                forth, back = (leg.payer, leg.payee, leg.currency), (leg.payee, leg.payer, leg.currency)
                if forth in self.outflow:
                    self.outflow[forth] += amount
                if back in self.outflow:
                    self.outflow[back] -= amount

    def moved_if_affordable(self, obligation: Obligation) -> bool:
        """Do the legs of an obligation, if no bound is broken then that wasn't before."""
        self.move(obligation)
        for leg in obligation.legs:
            payer, pair = (leg.payer, leg.currency), (leg.payer, leg.payee, leg.currency)
            if self.balance[payer] < self.lowest[payer] or self.outflow.get(pair, 0) > self.limits.get(pair, 0):
                self.move(obligation, -1)
                return False
        return True

    def limits_left(self) -> Limits:
        """What may still flow out between the pairs."""
        left: dict[str, dict[str, dict[str, int]]] = {}
        for (payer, payee, currency), limit in self.limits.items():
            row = left.setdefault(payer, {}).setdefault(payee, {})
            row[currency] = limit - self.outflow[payer, payee, currency]
        return Limits(bilateral=left)


def make_accounts(terms: Terms, paying: Iterable[Account]) -> Accounts:
    """All accounts as they open; ``paying``: those whose obligations may settle."""
    return Accounts(
        balance=defaultdict(int, terms.opening),
        lowest={account: lowest_closing(terms, account) for account in paying},
        outflow=dict.fromkeys(terms.bilateral, 0),
        limits=terms.bilateral,
    )
