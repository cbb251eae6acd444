"""The unique maximum of a sequence-constrained queue, by elimination, in exact Python integers.

Start with everything; while an account is below what it may close at, or over one of its bilateral limits, drop the
last obligation of its queue, with all its legs and everything queued behind those legs.

Why this is right: call a set *closed* if it is a prefix of every account's queue. The union of two closed sets is
closed, and if both keep floors and limits so does the union: what flows out of an account depends on its own prefix
alone, which is one of the two; what flows in can only be more. So there is one greatest set that is valid. It never
loses an obligation here: if an account breaks a bound in a set that contains the greatest one, its prefix must be
shorter there, since with the same prefix and less coming in it would break the bound too. The empty set is always
valid, so the loop ends. See ``docs/liquidity.md``.

No order among the accounts is prescribed and none matters. Each obligation is dropped once and each leg undone once.

References
----------
M. M. Güntzer, D. Jungnickel, M. Leclerc, "Efficient algorithms for the clearing of interbank payments", European
Journal of Operational Research 106 (1998); M. L. Bech, K. Soramäki, "Gridlock resolution in interbank payment
systems", Bank of Finland Discussion Paper 9/2001 (one currency, single transfers).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from liquidity.accounts import make_accounts
from liquidity.model import Account, Obligation
from liquidity.terms import Pair, Terms

Rank = tuple[bool, int]
"""Sorts priorities: (has none, number)."""


def rank_in(obligation: Obligation, account: Account) -> Rank:
    """Where an obligation stands in an account's queue under ``priority``, before arrival decides.

    A leg's own priority counts, else the obligation's; with several legs from one account, the most urgent.
    """
    ranks = []
    for leg in obligation.legs:
        if (leg.payer, leg.currency) == account:
            priority = obligation.priority if leg.priority is None else leg.priority
            ranks.append((priority is None, 0 if priority is None else priority))
    return min(ranks)


def account_queues(obligations: Sequence[Obligation], order: str) -> dict[Account, list[int]]:
    """Each paying account's queue: arrival numbers, first to settle first; held obligations stand in none."""
    queues: dict[Account, list[int]] = {}
    for number, obligation in enumerate(obligations):
        if obligation.held:
            continue
        for leg in obligation.legs:
            queue = queues.setdefault((leg.payer, leg.currency), [])
            if not queue or queue[-1] != number:
                queue.append(number)
    if order == "priority":
        for account, queue in queues.items():
            ranks = {number: rank_in(obligations[number], account) for number in queue}
            queue.sort(key=ranks.__getitem__)  # stable: arrival decides among equals
    return queues


class _Elimination:
    """The state of one elimination: what is kept, and what it does to accounts and pairs."""

    def __init__(self, obligations: Sequence[Obligation], terms: Terms, order: str) -> None:
        self.obligations = obligations
        self.queues = account_queues(obligations, order)
        self.kept = [not obligation.held for obligation in obligations]
        self.kept_length = {account: len(queue) for account, queue in self.queues.items()}
        self.stands: list[list[tuple[Account, int]]] = [[] for _ in obligations]
        for account, queue in self.queues.items():
            for position, number in enumerate(queue):
                self.stands[number].append((account, position))

        self.accounts = make_accounts(terms, self.queues)
        self.limited: dict[Account, list[Pair]] = defaultdict(list)
        for pair in terms.bilateral:
            self.limited[pair[0], pair[2]].append(pair)
        for obligation, keep in zip(obligations, self.kept, strict=True):
            if keep:
                self.accounts.move(obligation)

    def _breaks_a_bound(self, account: Account) -> bool:
        now = self.accounts
        if now.balance[account] < now.lowest[account]:
            return True
        return any(now.outflow[pair] > now.limits[pair] for pair in self.limited.get(account, ()))

    def _drop(self, number: int) -> set[Account]:
        """Drop an obligation and everything queued behind its legs; the accounts that now receive less."""
        losers: set[Account] = set()
        to_drop = [number]
        while to_drop:  # each obligation is dropped once
            number = to_drop.pop()
            if not self.kept[number]:
                continue
            self.kept[number] = False
            self.accounts.move(self.obligations[number], -1)
            losers.update((leg.payee, leg.currency) for leg in self.obligations[number].legs)
            for account, position in self.stands[number]:
                to_drop.extend(self.queues[account][position + 1 : self.kept_length[account]])
                self.kept_length[account] = min(self.kept_length[account], position)
        return losers

    def run(self) -> list[bool]:
        suspects = set(self.queues)
        while suspects:  # each round drops an obligation or clears a suspect
            account = suspects.pop()
            while self.kept_length.get(account, 0) and self._breaks_a_bound(account):
                suspects |= self._drop(self.queues[account][self.kept_length[account] - 1])
        return self.kept


def eliminate(obligations: Sequence[Obligation], terms: Terms, order: str) -> list[bool]:
    """Which obligations the unique maximum settles, by arrival number; ``order`` is ``fifo`` or ``priority``."""
    return _Elimination(obligations, terms, order).run()
