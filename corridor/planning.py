"""What to settle now: at once and gross what is affordable by itself, else together and net.

Gross settlement needs only the payers awake, so it comes first. It costs the ledger per payment, netting costs it per
bank: when more than a few are affordable at once, they are netted too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import liquidity

Accounts = Mapping[str, Mapping[str, int]]
Account = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """Settle ``obligation_ids`` ``gross`` one after the other, or together ``net``; none: everything waits."""

    kind: Literal["gross", "net"]
    obligation_ids: tuple[str, ...]


def plan(queue: liquidity.Queue, balances: Accounts, *, gross_limit: int) -> Plan:
    """Decide what of ``queue`` settles against ``balances`` (available minor units per bank and currency).

    At most ``gross_limit`` obligations settle gross; when more than that are affordable one by one, or none is, the
    unique largest set that can settle together is netted.
    """
    at_once = affordable(queue.obligations, balances)
    if 0 < len(at_once) <= gross_limit:
        return Plan("gross", at_once)
    resolution = liquidity.resolve(queue, balances, order="priority")
    return Plan("net", tuple(resolution.settled))


def affordable(obligations: Iterable[liquidity.Obligation], balances: Accounts) -> tuple[str, ...]:
    """Return the ids that settle one after the other, in that order, nobody overtaking in any account's queue.

    An account's queue is ordered by priority (a leg's own counts in its payer's queue), then arrival. An obligation
    settles when it stands first in the queue of every account it is paid from and each of them can afford it.
    """
    by_id = {obligation.id: obligation for obligation in obligations if not obligation.held}
    left = {(bank, currency): amount for bank, own in balances.items() for currency, amount in own.items()}
    queues = _queues(by_id.values())
    settled: list[str] = []
    candidates = deque(by_id)
    while candidates:
        identifier = candidates.popleft()
        legs = by_id[identifier].legs
        needed: dict[Account, int] = {}
        for leg in legs:
            account = (leg.payer, leg.currency)
            needed[account] = needed.get(account, 0) + leg.amount
        first = all(queues[account] and queues[account][0] == identifier for account in needed)
        if not first or any(left.get(account, 0) < amount for account, amount in needed.items()):
            continue
        settled.append(identifier)
        touched = list(needed)
        for account, amount in needed.items():
            left[account] -= amount
            queues[account].popleft()
        for leg in legs:
            account = (leg.payee, leg.currency)
            left[account] = left.get(account, 0) + leg.amount
            touched.append(account)
        candidates.extend(queues[account][0] for account in touched if queues.get(account))
    return tuple(settled)


def _queues(obligations: Iterable[liquidity.Obligation]) -> dict[Account, deque[str]]:
    """Each account's queue of obligation ids: lower priority number first, none last, then arrival."""
    places: dict[Account, dict[str, float]] = {}
    for obligation in obligations:
        for leg in obligation.legs:
            own = leg.priority if leg.priority is not None else obligation.priority
            urgency = float("inf") if own is None else own
            queue = places.setdefault((leg.payer, leg.currency), {})
            queue[obligation.id] = min(urgency, queue.get(obligation.id, urgency))
    return {account: deque(sorted(queue, key=queue.__getitem__)) for account, queue in places.items()}
