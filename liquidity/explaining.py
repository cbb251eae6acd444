"""Why does an obligation still wait, and what would cure it?

Under ``fifo`` and ``priority`` an obligation waits in the queue of each account from which it pays. In each there is
a reason if other obligations wait before it there, or if the account couldn't bear it: the test takes what was
settled, adds what waits before it in *that* queue and the obligation itself, counts what these pay back into the
account, and looks at the bounds. At least one reason always exists: one without any could have been settled as well.

In free order (``bypass``, a resolver of the caller's own) nothing waits before anything: the test takes what was
settled and the obligation itself. There may be no reason at all: then it could settle as well, and the search ended
before it saw that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum

from liquidity.elimination import account_queues
from liquidity.errors import UnknownObligation
from liquidity.model import Account, Amounts, Limits, Obligation, Queue
from liquidity.resolution import SEQUENCES, Resolution
from liquidity.terms import Terms, make_terms

Outflow = dict[Account, dict[str, int]]
"""Of each account with bilateral limits: payee → net outflow to it, minor units."""


class Standing(Enum):
    """What became of an obligation."""

    SETTLED = "settled"
    HELD = "held"
    WAITING = "waiting"


class Cause(Enum):
    """What keeps an obligation waiting in one account's queue."""

    BEHIND = "behind"
    SHORT = "short"
    MULTILATERAL_LIMIT = "multilateral-limit"
    BILATERAL_LIMIT = "bilateral-limit"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that keeps an obligation waiting in the queue of (``bank``, ``currency``).

    ``ahead`` obligations wait before it there, ``behind`` is the id of the first of them (``None``: it is first, or no
    order counts). ``short_by`` (minor units; 0 for ``BEHIND``) is how far this account would fall below its floor, or
    go over its limit (a bilateral one: to ``payee``), if it settled with everything that waits before it in this queue.
    """

    cause: Cause
    bank: str
    currency: str
    ahead: int
    behind: str | None
    short_by: int
    payee: str | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where an obligation stands and, if it waits, why: its reasons, per account in the order of its legs."""

    obligation_id: str
    standing: Standing
    reasons: tuple[Reason, ...] = ()


def explain(
    queue: Queue,
    balances: Amounts,
    resolution: Resolution,
    obligation_id: str,
    *,
    floors: Amounts | None = None,
    limits: Limits | None = None,
) -> Explanation:
    """Why one obligation waits after ``resolution`` of the same queue on the same terms.

    Raises :class:`UnknownObligation`, or :class:`InvalidField` for bad terms. Reads the whole queue; for many
    obligations take :func:`explain_all`, which reads it once.
    """
    if obligation_id not in queue.ids:
        raise UnknownObligation(obligation_id)
    return _explain(queue, make_terms(balances, floors, limits), resolution, {obligation_id})[obligation_id]


def explain_all(
    queue: Queue,
    balances: Amounts,
    resolution: Resolution,
    *,
    floors: Amounts | None = None,
    limits: Limits | None = None,
) -> dict[str, Explanation]:
    """Explanations of every obligation that didn't settle, by id in arrival order, in time linear in the legs."""
    waiting = set(queue.ids) - set(resolution.settled)
    return _explain(queue, make_terms(balances, floors, limits), resolution, waiting)


def _explain(queue: Queue, terms: Terms, resolution: Resolution, asked: Collection[str]) -> dict[str, Explanation]:
    obligations = queue.obligations
    settled = set(resolution.settled)
    asked_numbers = [number for number, obligation in enumerate(obligations) if obligation.id in asked]
    accounts = dict.fromkeys((leg.payer, leg.currency) for number in asked_numbers for leg in obligations[number].legs)
    outflow = _settled_outflow(obligations, settled, terms)
    reasons: dict[int, list[Reason]] = {number: [] for number in asked_numbers}
    queues = account_queues(obligations, resolution.order)
    for account in accounts:
        waiting = [number for number in queues.get(account, ()) if obligations[number].id not in settled]
        in_order = [waiting] if resolution.order in SEQUENCES else [[number] for number in waiting]
        closing = resolution.closing_balances.get(account[0], {}).get(account[1], 0)
        for queue_of_account in in_order:
            for number, found in _account_reasons(obligations, queue_of_account, account, closing, outflow, terms):
                if number in reasons:
                    reasons[number].extend(found)
    explanations = {}
    for number in asked_numbers:
        obligation = obligations[number]
        standing = Standing.HELD if obligation.held else Standing.WAITING
        if obligation.id in settled:
            standing = Standing.SETTLED
        order = list(dict.fromkeys((leg.payer, leg.currency) for leg in obligation.legs))
        reasons[number].sort(key=lambda reason: order.index((reason.bank, reason.currency)))
        explanations[obligation.id] = Explanation(obligation.id, standing, tuple(reasons[number]))
    return explanations


def _settled_outflow(obligations: tuple[Obligation, ...], settled: set[str], terms: Terms) -> Outflow:
    """What flowed out, net, over the settled set, where a bilateral limit bounds it."""
    outflow: Outflow = {}
    for payer, payee, currency in terms.bilateral:
        outflow.setdefault((payer, currency), {})[payee] = 0
    if outflow:
        for obligation in obligations:
            if obligation.id in settled:
                for leg in obligation.legs:
                    _add(outflow.get((leg.payer, leg.currency), {}), leg.payee, leg.amount)
                    _add(outflow.get((leg.payee, leg.currency), {}), leg.payer, -leg.amount)
    return outflow


def _add(to_payees: dict[str, int], payee: str, amount: int) -> None:
    if payee in to_payees:
        to_payees[payee] += amount


def _account_reasons(
    obligations: tuple[Obligation, ...],
    waiting: list[int],
    account: Account,
    closing: int,
    settled_outflow: Outflow,
    terms: Terms,
) -> Iterator[tuple[int, list[Reason]]]:
    """The reasons in one account's queue, from its first waiting obligation to its last."""
    bank, currency = account
    opening = terms.opening.get(account, 0)
    floor = min(terms.floors.get(account, 0), opening)
    limit = terms.multilateral.get(account)
    to_payees = dict(settled_outflow.get(account, {}))
    for ahead, number in enumerate(waiting):
        for leg in obligations[number].legs:
            if leg.currency == currency and bank in (leg.payer, leg.payee):
                change = -leg.amount if leg.payer == bank else leg.amount
                closing += change
                _add(to_payees, leg.payee if leg.payer == bank else leg.payer, -change)
        first = obligations[waiting[0]].id if ahead else None
        found = [Reason(Cause.BEHIND, bank, currency, ahead, first, 0)] if ahead else []
        if closing < floor:
            found.append(Reason(Cause.SHORT, bank, currency, ahead, first, floor - closing))
        if limit is not None and opening - closing > limit:
            over = opening - closing - limit
            found.append(Reason(Cause.MULTILATERAL_LIMIT, bank, currency, ahead, first, over))
        for payee, paid in to_payees.items():
            over = paid - terms.bilateral[bank, payee, currency]
            if over > 0:
                found.append(Reason(Cause.BILATERAL_LIMIT, bank, currency, ahead, first, over, payee))
        yield number, found
