"""The independent oracle: may this set of obligations settle together?

It shares no code with the resolvers beyond the shape of the input, and adds up Python's integers, so it can judge
any algorithm, a solver in floating point included.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from liquidity.errors import InvalidSettlement, LiquidityError, Rule, shown
from liquidity.model import Account, Amounts, Limits, Obligation, Queue


class OrderNotCheckable(LiquidityError):
    """An ``order`` that says nothing about which obligations may settle."""

    code = "ORDER_NOT_CHECKABLE"
    next_step = "Use 'fifo', 'priority', or None for a set in free order."


def check_settlement(
    queue: Queue,
    balances: Amounts,
    settled: Collection[str],
    *,
    order: Literal["fifo", "priority"] | str | None = None,
    floors: Amounts | None = None,
    limits: Limits | None = None,
    closing_balances: Amounts | None = None,
) -> dict[str, dict[str, int]]:
    """Closing balances of every account with a balance or a leg, if ``settled`` may settle as one set.

    Parameters
    ----------
    queue, balances, floors, limits
        As for :func:`liquidity.resolve`.
    settled
        Ids of the obligations that settle together, in any order.
    order
        With ``"fifo"`` or ``"priority"`` nothing may settle past a waiting obligation of the same account.
    closing_balances
        What somebody says the closing balances are; compared when given.

    Raises
    ------
    InvalidSettlement
        With the first rule broken (:class:`liquidity.Rule`, in its order) and the facts.
    OrderNotCheckable
        For any other ``order``.

    Notes
    -----
    It judges validity. That no greater set is valid is the resolver's claim, and what its tests are for.
    """
    if order not in ("fifo", "priority", None):
        raise OrderNotCheckable(f"order: must be fifo, priority or None, got {shown(order)}")
    chosen = _chosen(queue, settled)
    if order is not None:
        _check_order(queue, chosen, order)
    closing = _closing(queue, balances, chosen)
    _check_floors(balances, closing, floors or {})
    _check_limits(chosen.values(), limits or Limits())
    table: dict[str, dict[str, int]] = {bank: {} for bank in balances}
    for (bank, currency), amount in closing.items():
        table.setdefault(bank, {})[currency] = amount
    if closing_balances is not None:
        _compare(table, closing_balances)
    return table


def _chosen(queue: Queue, settled: Collection[str]) -> dict[str, Obligation]:
    by_id = {obligation.id: obligation for obligation in queue}
    chosen: dict[str, Obligation] = {}
    for settled_id in settled:
        if not isinstance(settled_id, str) or settled_id not in by_id:
            name = shown(settled_id)
            raise InvalidSettlement(Rule.KNOWN, f"{name} is not in the queue", obligation=str(settled_id))
        if settled_id in chosen:
            raise InvalidSettlement(Rule.ONCE, f"{shown(settled_id)} settles twice", obligation=settled_id)
        if by_id[settled_id].held:
            raise InvalidSettlement(Rule.NOT_HELD, f"{shown(settled_id)} is held", obligation=settled_id)
        chosen[settled_id] = by_id[settled_id]
    return chosen


def _check_order(queue: Queue, chosen: Mapping[str, Obligation], order: str) -> None:
    """In each account the last obligation that settles must stand before the first that waits."""
    last_settled: dict[Account, tuple[tuple[int, int, int], str]] = {}
    first_waiting: dict[Account, tuple[tuple[int, int, int], str]] = {}
    for arrival, obligation in enumerate(queue):
        if obligation.held:
            continue
        places: dict[Account, tuple[int, int, int]] = {}
        for leg in obligation.legs:
            priority = leg.priority if leg.priority is not None else obligation.priority
            place = (0, 0, arrival)
            if order == "priority":
                place = (1, 0, arrival) if priority is None else (0, priority, arrival)
            account = (leg.payer, leg.currency)
            places[account] = min(place, places.get(account, place))
        for account, place in places.items():
            if obligation.id in chosen:
                last_settled[account] = max(last_settled.get(account, (place, obligation.id)), (place, obligation.id))
            else:
                first_waiting[account] = min(first_waiting.get(account, (place, obligation.id)), (place, obligation.id))
    for account, (place, settled_id) in last_settled.items():
        if account in first_waiting and first_waiting[account][0] < place:
            bank, currency = account
            waiting_id = first_waiting[account][1]
            raise InvalidSettlement(
                Rule.IN_ORDER,
                f"{shown(settled_id)} settles past {shown(waiting_id)} in the queue of {shown(bank)} in {currency}",
                obligation=settled_id,
                passed=waiting_id,
                bank=bank,
                currency=currency,
            )


def _closing(queue: Queue, balances: Amounts, chosen: Mapping[str, Obligation]) -> dict[Account, int]:
    closing = {(bank, currency): int(amount) for bank, row in balances.items() for currency, amount in row.items()}
    for obligation in queue:
        for leg in obligation.legs:
            moved = leg.amount if obligation.id in chosen else 0
            for bank, change in ((leg.payer, -moved), (leg.payee, moved)):
                closing[bank, leg.currency] = closing.get((bank, leg.currency), 0) + change
    return closing


def _check_floors(balances: Amounts, closing: Mapping[Account, int], floors: Amounts) -> None:
    for (bank, currency), amount in closing.items():
        floor = int(floors.get(bank, {}).get(currency, 0))
        opening = int(balances.get(bank, {}).get(currency, 0))
        if amount < floor and amount < opening:
            raise InvalidSettlement(
                Rule.FLOOR,
                f"{shown(bank)} would close at {amount} {currency}, its floor is {floor}, it opened at {opening}",
                bank=bank,
                currency=currency,
                closing=amount,
                floor=floor,
                opening=opening,
            )


def _check_limits(chosen: Collection[Obligation], limits: Limits) -> None:
    outflow: dict[tuple[str, str, str], int] = {}
    for obligation in chosen:
        for leg in obligation.legs:
            for forth, change in (
                ((leg.payer, leg.payee, leg.currency), leg.amount),
                ((leg.payee, leg.payer, leg.currency), -leg.amount),
            ):
                outflow[forth] = outflow.get(forth, 0) + change
    total: dict[Account, int] = {}
    for (payer, _, currency), amount in outflow.items():
        total[payer, currency] = total.get((payer, currency), 0) + amount
    for (payer, currency), amount in total.items():
        most = limits.multilateral.get(payer, {}).get(currency)
        if most is not None and amount > most:
            message = f"{shown(payer)} would pay {amount} {currency} net, its limit is {most}"
            raise InvalidSettlement(
                Rule.MULTILATERAL_LIMIT, message, bank=payer, currency=currency, outflow=amount, limit=most
            )
    for (payer, payee, currency), amount in outflow.items():
        most = limits.bilateral.get(payer, {}).get(payee, {}).get(currency)
        if most is not None and amount > most:
            message = f"{shown(payer)} would pay {shown(payee)} {amount} {currency} net, its limit is {most}"
            raise InvalidSettlement(
                Rule.BILATERAL_LIMIT, message, bank=payer, payee=payee, currency=currency, outflow=amount, limit=most
            )


def _compare(closing: Amounts, said: Amounts) -> None:
    accounts = dict.fromkeys(
        (bank, currency) for table in (closing, said) for bank in table for currency in table[bank]
    )
    for bank, currency in accounts:
        amount = closing.get(bank, {}).get(currency, 0)
        claimed = said.get(bank, {}).get(currency, 0)
        if claimed != amount:
            message = f"{shown(bank)} closes at {amount} {currency}, not at {claimed}"
            raise InvalidSettlement(
                Rule.CLOSING, message, bank=bank, currency=currency, closing=amount, claimed=claimed
            )
