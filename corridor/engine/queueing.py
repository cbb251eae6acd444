"""The queue: what waits to be settled, in arrival order, and why it waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select, update

import liquidity
from corridor.engine import life
from corridor.engine.desk import Desk
from corridor.engine.life import State
from corridor.ledger import contracts
from corridor.matching import TradeSide, match
from corridor.model import Obligation
from corridor.money import Money
from corridor.store.tables import payments
from corridor.typed_data import obligation_id

# What a bank can check within seconds, and one message can confirm; the rest of a longer queue goes next.
MAX_QUEUE = 20_000

Available = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """The queue as loaded: obligations by id (hex, in arrival order) with their payments; what is closed today."""

    members: Mapping[str, list[RowMapping]]

    def queue(self, without: Iterable[str] = ()) -> liquidity.Queue:
        """Return the queue for the liquidity-saving mechanism, leaving some obligations out."""
        left_out = set(without)
        listed = [_as_liquidity(key, rows) for key, rows in self.members.items() if key not in left_out]
        return liquidity.Queue(listed)

    def parties(self, identifier: str) -> set[str]:
        """The banks that an obligation names."""
        return {bic for row in self.members[identifier] for bic in (row["payer"], row["payee"])}


def _as_liquidity(identifier: str, rows: list[RowMapping]) -> liquidity.Obligation:
    legs = [
        liquidity.Leg(row["payer"], row["payee"], row["currency"], row["amount_minor"], priority=row["priority"])
        for row in rows
    ]
    return liquidity.Obligation(identifier, legs, held=any(row["held"] for row in rows))


def load_waiting(connection: Connection) -> Waiting:
    """Return what is queued; an obligation of two payments arrived when the second did."""
    queued = select(payments).where(payments.c.state == State.QUEUED, payments.c.obligation.is_not(None))
    members: dict[str, list[RowMapping]] = {}
    for row in connection.execute(queued.order_by(payments.c.seq)).mappings():
        members.setdefault(row["obligation"], []).append(row)
    arrival = sorted(members, key=lambda identifier: members[identifier][-1]["seq"])
    return Waiting({identifier: members[identifier] for identifier in arrival[:MAX_QUEUE]})


def available(desk: Desk) -> dict[str, dict[str, int]]:
    """Return what every participant can pay with now, per currency: its balance less what is held."""
    block = desk.ledger.head().number
    banks = list(desk.config.participants)
    accounts = contracts.accounts(desk.ledger, desk.deployment.tokens, banks, block=block)
    table: dict[str, dict[str, int]] = {bank: {} for bank in banks}
    for (bank, currency), account in accounts.items():
        table[bank][currency] = 0 if account.frozen else account.available_minor
    return table


def stopped(desk: Desk, waiting: Waiting) -> dict[str, str]:
    """Return what no ledger would settle now, with why: a party is suspended or frozen, or a token paused.

    The ledger checks it again; asking first saves it a transaction that takes no effect.
    """
    block, tokens = desk.ledger.head().number, desk.deployment.tokens
    records = contracts.participants(desk.ledger, desk.deployment.registry, block=block)
    active = {one.bic for one in records if one.status is contracts.ParticipantStatus.ACTIVE}
    accounts = contracts.accounts(desk.ledger, tokens, list(desk.config.participants), block=block)
    frozen = {account for account, found in accounts.items() if found.frozen}
    paused = {code for code, supply in contracts.supplies(desk.ledger, tokens, block=block).items() if supply.paused}
    why: dict[str, str] = {}
    for identifier, rows in waiting.members.items():
        for row in rows:
            currency = row["currency"]
            if currency in paused:
                why[identifier] = f"the {currency} deposit token is paused by its issuer"
            for bic in (row["payer"], row["payee"]):
                if bic not in active:
                    why[identifier] = f"{bic} is suspended"
                elif (bic, currency) in frozen:
                    why[identifier] = f"{bic} is frozen in {currency} by its issuer"
    return why


def match_trades(connection: Connection, desk: Desk) -> dict[str, str]:
    """Pair the unmatched sides of trades and queue them; return for each other side what it waits for."""
    unmatched = select(payments).where(payments.c.state == State.UNMATCHED).order_by(payments.c.seq)
    rows = {row["uetr"]: row for row in connection.execute(unmatched).mappings()}
    matching = match(_side(row) for row in rows.values())
    for pair in matching.pairs:
        _assign(connection, [desk.obligation([rows[uetr] for uetr in pair])])
        life.move(connection, desk.now_s(), pair, State.QUEUED)
    return dict(matching.unmatched)


def _side(row: RowMapping) -> TradeSide:
    sold, bought = Money(row["currency"], row["amount_minor"]), Money(row["bought_currency"], row["bought_minor"])
    return TradeSide(row["uetr"], row["trade_reference"], row["payer"], row["payee"], sold, bought)


def _assign(connection: Connection, made: Iterable[Obligation]) -> None:
    for owed in made:
        uetrs = [instruction.uetr for instruction in owed.instructions]
        values = {"obligation": obligation_id(owed).hex()}
        connection.execute(update(payments).where(payments.c.uetr.in_(uetrs)).values(values))


def explain(waiting: Waiting, balances: Available) -> dict[str, str]:
    """Return for each waiting obligation one sentence: what is missing, its place in the queue, what would cure it."""
    queue = waiting.queue()
    resolution = liquidity.resolve(queue, balances, order="priority")
    explained = liquidity.explain_all(queue, balances, resolution)
    return {identifier: _sentence(one) for identifier, one in explained.items()}


def _sentence(explanation: liquidity.Explanation) -> str:
    if explanation.standing is liquidity.Standing.HELD:
        return "held by its bank; release it to let it settle"
    sentences = []
    for reason in explanation.reasons:
        place = f"place {reason.ahead + 1} in the {reason.currency} queue of {reason.bank}"
        if reason.cause is liquidity.Cause.BEHIND:
            sentences.append(f"{place}, behind others that wait")
        else:
            short = Money(reason.currency, reason.short_by)
            sentences.append(f"{reason.bank} is short of {short} ({place}); funds or incoming payments would cure it")
    return "; ".join(sentences)
