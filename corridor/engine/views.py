"""What people ask the operator: where a payment stands, what waits, who has what, and the evidence for a payment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import RowMapping, select

from corridor.engine import confirm, queueing
from corridor.engine.desk import Desk
from corridor.engine.life import State
from corridor.engine.settle import load_settlement
from corridor.errors import CorridorError
from corridor.ledger import contracts
from corridor.money import format_minor
from corridor.proof import VERSION, PaymentProof
from corridor.proposals import plan_batch
from corridor.store.tables import journal, payments, settlement_obligations, settlements
from corridor.typed_data import obligation_id


class PaymentUnknown(CorridorError):
    """No payment of that UETR, or none that has what is asked for."""

    code = "PAYMENT_UNKNOWN"
    exit_code = 3


def payment_view(row: RowMapping) -> dict[str, Any]:
    """A payment as people and machines see it. No customer's name or account is in it."""
    amount = row["amount_minor"]
    return {
        "uetr": row["uetr"],
        "state": row["state"],
        "payer": row["payer"],
        "payee": row["payee"],
        "currency": row["currency"],
        "amount": None if amount is None else format_minor(row["currency"], amount, grouped=False),
        "amount_minor": amount,
        "value_date": row["value_date"],
        "priority": "HIGH" if row["priority"] == 1 else "NORM",
        "trade_reference": row["trade_reference"],
        "held": row["held"],
        "reason_code": row["reason_code"],
        "reason": row["reason"],
        "obligation": row["obligation"],
    }


def status(desk: Desk, uetr: str) -> dict[str, Any]:
    """One payment with its journal; :class:`PaymentUnknown` where there is none."""
    with desk.database.begin() as connection:
        row = _payment(connection.execute(select(payments).where(payments.c.uetr == uetr)).mappings().first(), uetr)
        events = connection.execute(select(journal).where(journal.c.uetr == uetr).order_by(journal.c.seq)).mappings()
        listed = [
            {"at_s": one["at_s"], "event": one["event"], "settlement": one["settlement"], "detail": one["detail"]}
            for one in events
        ]
    return payment_view(row) | {"journal": listed}


def statuses(desk: Desk) -> list[dict[str, Any]]:
    """Every payment, in arrival order."""
    with desk.database.begin() as connection:
        rows = connection.execute(select(payments).order_by(payments.c.seq)).mappings()
        return [payment_view(row) for row in rows]


def queue(desk: Desk) -> list[dict[str, Any]]:
    """What waits, in arrival order, each with what would cure it."""
    waiting_states = (State.QUEUED, State.UNMATCHED, State.WAREHOUSED)
    with desk.database.begin() as connection:
        rows = list(
            connection.execute(
                select(payments).where(payments.c.state.in_(waiting_states)).order_by(payments.c.seq)
            ).mappings()
        )
        waiting = queueing.load_waiting(connection)
    reasons = queueing.explain(waiting, queueing.available(desk)) if waiting.members else {}
    views = []
    for row in rows:
        view = payment_view(row)
        if row["state"] == State.WAREHOUSED:
            view["reason"] = f"waits for its value date {row['value_date']}"
        elif row["state"] == State.UNMATCHED:
            view["reason"] = row["reason"] or "the next cycle looks for its counterparty's instruction"
        elif row["reason"] is None or row["reason_code"] == "SHORT":
            view["reason"] = reasons.get(row["obligation"] or "", "it settles in the next cycle")
        views.append(view)
    return views


def balances(desk: Desk) -> dict[str, Any]:
    """Every participant's account in every currency, the totals, and what was issued and redeemed."""
    tokens, banks = desk.deployment.tokens, list(desk.config.participants)
    block = desk.ledger.head().number
    accounts = contracts.accounts(desk.ledger, tokens, banks, block=block)
    supplies = contracts.supplies(desk.ledger, tokens, block=block)
    return {
        "block": block,
        "accounts": [
            {
                "participant": bank,
                "name": desk.config.participants[bank].name,
                "currency": currency,
                "balance_minor": accounts[bank, currency].balance_minor,
                "held_minor": accounts[bank, currency].held_minor,
                "available_minor": accounts[bank, currency].available_minor,
                "frozen": accounts[bank, currency].frozen,
            }
            for bank in banks
            for currency in tokens
        ],
        "currencies": [
            {
                "currency": currency,
                "total_minor": sum(accounts[bank, currency].balance_minor for bank in banks),
                "issued_minor": supplies[currency].issued_minor,
                "redeemed_minor": supplies[currency].redeemed_minor,
            }
            for currency in tokens
        ],
    }


def statement(desk: Desk, bank: str) -> dict[str, Any]:
    """A bank's discharged legs in order of finality, with its balances now."""
    if bank not in desk.config.participants:
        raise PaymentUnknown(f"{bank} is not a participant", next_step="Name a bank by its BIC of eleven characters")
    final = select(payments, journal.c.settlement, journal.c.at_s).join(journal, journal.c.uetr == payments.c.uetr)
    own = (payments.c.payer == bank) | (payments.c.payee == bank)
    with desk.database.begin() as connection:
        rows = connection.execute(final.where(own, journal.c.event == State.FINAL).order_by(journal.c.seq)).mappings()
        entries = [
            {
                "at_s": row["at_s"],
                "uetr": row["uetr"],
                "direction": "credit" if row["payee"] == bank else "debit",
                "counterparty": row["payer"] if row["payee"] == bank else row["payee"],
                "currency": row["currency"],
                "amount_minor": row["amount_minor"],
                "settlement": row["settlement"],
            }
            for row in rows
        ]
        day = confirm.business_date(connection).isoformat()
    own_accounts = [one for one in balances(desk)["accounts"] if one["participant"] == bank]
    return {"participant": bank, "business_date": day, "entries": entries, "accounts": own_accounts}


def proof(desk: Desk, uetr: str) -> PaymentProof:
    """The evidence for a payment that is final; :class:`PaymentUnknown` where there is none yet."""
    with desk.database.begin() as connection:
        row = _payment(connection.execute(select(payments).where(payments.c.uetr == uetr)).mappings().first(), uetr)
        if row["state"] != State.FINAL:
            why = f"payment {uetr} is {row['state']}: there is no evidence before it is final"
            raise PaymentUnknown(why, next_step="See why it waits: corridor status " + uetr)
        of_obligation = (
            select(settlements)
            .join(settlement_obligations)
            .where(settlement_obligations.c.obligation == row["obligation"], settlements.c.state == "final")
        )
        found = connection.execute(of_obligation).mappings().one()
    settlement = load_settlement(desk, found)
    owed = next(one for one in settlement.obligations if obligation_id(one).hex() == row["obligation"])
    place = (VERSION, desk.deployment.chain_id, desk.deployment.settlement, owed)
    if settlement.batch is None:
        return PaymentProof(*place, None, ())
    batch = settlement.batch
    plan = plan_batch(batch.proposer, batch.round, batch.deadline_s, settlement.obligations)
    return PaymentProof(*place, batch, plan.leg_proofs(obligation_id(owed)))


def _payment(row: RowMapping | None, uetr: str) -> RowMapping:
    if row is None:
        raise PaymentUnknown(f"there is no payment {uetr}", next_step="List them all: corridor status")
    return row


def totals(views: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many payments stand where."""
    counted: dict[str, int] = {}
    for view in views:
        counted[view["state"]] = counted.get(view["state"], 0) + 1
    return counted
