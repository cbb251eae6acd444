"""What kind of jam is a queue in, and what would end it?

Three things can happen to an obligation that waits, under an order (``fifo`` or ``priority``):

* it settles *one by one*: obligations at the front of all their queues settle singly, each out of what its payers
  have by then, until none can any more. (What can settle singly stays able to: no other obligation takes from its
  payers before it. So there is one such set, whatever the sequence.)
* it is *gridlocked*: there is liquidity enough if it settles together with others, and not otherwise. These are the
  obligations of the unique maximum that don't settle one by one.
* it is *deadlocked*: not even then. No valid set that keeps the order contains it; only liquidity, or setting the
  order aside, can help.

"Together" is always on all accounts of all currencies at once, and an obligation with several legs is in such a set
whole or not at all: a PvP waits in deadlock when one of its legs does.

References
----------
CPSS, "A glossary of terms used in payments and settlement systems" (2003): gridlock; M. L. Bech, K. Soramäki,
"Gridlock resolution in interbank payment systems", Bank of Finland Discussion Paper 9/2001: gridlock and deadlock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from itertools import compress

from liquidity.accounts import make_accounts
from liquidity.bounding import Lever
from liquidity.elimination import account_queues
from liquidity.errors import InvalidField, shown
from liquidity.model import Account, Amounts, Limits, Obligation, Queue
from liquidity.resolution import Resolution, resolve
from liquidity.terms import Terms, lowest_closing, make_terms


class Jam(Enum):
    """The state of a queue as a whole."""

    FLOWING = "flowing"
    GRIDLOCK = "gridlock"
    DEADLOCK = "deadlock"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What one account, or one limit, lacks (minor units) for everything that waits to settle together.

    ``payee`` names whom a bilateral limit bounds, else ``None``.
    """

    lever: Lever
    bank: str
    currency: str
    payee: str | None
    short_by: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Obligations (ids in arrival order) by what can happen to them, and what is lacking for all to settle.

    ``gridlocked``: settle, but only together. ``deadlocked``: don't. ``shortfalls`` is empty exactly when nothing is
    deadlocked. Held obligations are in none.
    """

    one_by_one: tuple[str, ...]
    gridlocked: tuple[str, ...]
    deadlocked: tuple[str, ...]
    shortfalls: tuple[Shortfall, ...]

    @property
    def jam(self) -> Jam:
        """``FLOWING``: everything settles one by one. ``GRIDLOCK``: everything settles, some of it only together.

        ``DEADLOCK``: something doesn't settle even then (what is gridlocked still can).
        """
        if self.deadlocked:
            return Jam.DEADLOCK
        return Jam.GRIDLOCK if self.gridlocked else Jam.FLOWING


def diagnose(
    queue: Queue,
    balances: Amounts,
    *,
    order: str = "fifo",
    floors: Amounts | None = None,
    limits: Limits | None = None,
) -> Diagnosis:
    """Tell gridlock from deadlock, obligation by obligation.

    Arguments and errors as for :func:`liquidity.resolve`, ``order`` is ``"fifo"`` or ``"priority"``. Exact, in time
    linear in the legs.

    Examples
    --------
    >>> from liquidity import Leg, Obligation
    >>> ring = Queue([Obligation("T1", [Leg("HK1", "HK2", "HKD", 9)]), Obligation("T2", [Leg("HK2", "HK1", "HKD", 7)])])
    >>> diagnose(ring, {"HK1": {"HKD": 2}}).gridlocked
    ('T1', 'T2')
    >>> diagnose(ring, {}).shortfalls[0].short_by
    2
    """
    check_order(order)
    terms = make_terms(balances, floors, limits)
    settled = set(resolve(queue, balances, order=order, floors=floors, limits=limits).settled)
    obligations = queue.obligations
    singly = _one_by_one(obligations, terms, order)
    return Diagnosis(
        one_by_one=tuple(compress(queue.ids, singly)),
        gridlocked=tuple(one for one, alone in zip(queue.ids, singly, strict=True) if one in settled and not alone),
        deadlocked=tuple(one.id for one in obligations if one.id not in settled and not one.held),
        shortfalls=_shortfalls(obligations, terms),
    )


def set_order_aside(
    queue: Queue,
    balances: Amounts,
    *,
    order: str = "fifo",
    floors: Amounts | None = None,
    limits: Limits | None = None,
    rates: Mapping[str, Fraction | int] | None = None,
    time_limit_s: float | None = None,
    work_limit: int | None = None,
    seed: int = 0,
) -> Resolution:
    """What of the deadlocked would settle, after all that settles in order, if no place in a queue counted.

    The answer of :func:`liquidity.resolve` under ``bypass`` (whose arguments these are) for what still waits: what
    it settles is blocked by order alone. If it settles nothing with proof ``"optimal"``, only liquidity helps.
    """
    check_order(order)
    terms = make_terms(balances, floors, limits)
    first = resolve(queue, balances, order=order, floors=floors, limits=limits)
    settled = set(first.settled)
    bounds: dict[str, dict[str, int]] = {}
    for bank, row in first.closing_balances.items():
        bounds[bank] = {currency: lowest_closing(terms, (bank, currency)) for currency in row}
    accounts = make_accounts(terms, ())
    for one in queue:
        if one.id in settled:
            accounts.move(one)
    return resolve(
        Queue(one for one in queue if one.id not in settled),
        first.closing_balances,
        order="bypass",
        floors=bounds,
        limits=accounts.limits_left(),
        rates=rates,
        time_limit_s=time_limit_s,
        work_limit=work_limit,
        seed=seed,
    )


def check_order(order: str) -> None:
    if order not in ("fifo", "priority"):
        raise InvalidField("order", "must be one of fifo, priority", shown(order))


def _one_by_one(obligations: Sequence[Obligation], terms: Terms, order: str) -> list[bool]:
    """Which obligations settle singly, by arrival number, whatever the sequence."""
    queues = account_queues(obligations, order)
    front = dict.fromkeys(queues, 0)
    accounts = make_accounts(terms, queues)
    settled = [False] * len(obligations)
    payers = [{(leg.payer, leg.currency) for leg in one.legs} for one in obligations]

    def stands_in_front(number: int) -> bool:
        return all(queues[account][front[account]] == number for account in payers[number])

    to_try = list(reversed(queues))
    while to_try:  # an account comes back only when an obligation settled, and each settles once
        account = to_try.pop()
        if account not in queues or front[account] == len(queues[account]):
            continue
        number = queues[account][front[account]]
        if not stands_in_front(number) or not accounts.moved_if_affordable(obligations[number]):
            continue
        settled[number] = True
        for payer in payers[number]:
            front[payer] += 1
        to_try.extend(payers[number])
        to_try.extend((leg.payee, leg.currency) for leg in obligations[number].legs)
    return settled


def _shortfalls(obligations: Sequence[Obligation], terms: Terms) -> tuple[Shortfall, ...]:
    """What each account and limit lacks for everything that isn't held to settle together, in order of the legs."""
    waiting = [one for one in obligations if not one.held]
    moved = make_accounts(replace(terms, opening={}), ())
    for one in waiting:
        moved.move(one)
    found: list[Shortfall] = []
    for (bank, currency), inflow in moved.balance.items():
        outflow = -inflow
        needed = liquidity_for(terms, (bank, currency), outflow)
        limit = terms.multilateral.get((bank, currency))
        if needed:
            found.append(Shortfall(Lever.LIQUIDITY, bank, currency, None, needed))
        if limit is not None and outflow > limit:
            found.append(Shortfall(Lever.MULTILATERAL_LIMIT, bank, currency, None, outflow - limit))
    for (bank, payee, currency), outflow in moved.outflow.items():
        over = outflow - terms.bilateral[bank, payee, currency]
        if over > 0:
            found.append(Shortfall(Lever.BILATERAL_LIMIT, bank, currency, payee, over))
    return tuple(found)


def liquidity_for(terms: Terms, account: Account, outflow: int) -> int:
    """How much more must lie on an account so that so much may flow out of it, net; its floor alone counts.

    An account that opens below its floor must first be lifted to it before anything may flow out.
    """
    if outflow <= 0:
        return 0
    return max(0, terms.floors.get(account, 0) + outflow - terms.opening.get(account, 0))
