"""What a bank checks before a forwarded payment reaches it: it credits what was discharged to it, and nothing else.

Each transaction must hash to an instruction of a discharged obligation whose leg pays this bank that very amount.
Where the bank paid for that leg itself, in a trade, there is no money in it for a customer: only the other side of the
trade fits. Pure functions over plain data: the agent brings its books and its view of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping

from corridor.consent_rules import Instructed, Place, own_instructions
from corridor.errors import CorridorError
from corridor.iso20022 import CreditTransfer, Message
from corridor.model import Obligation, ObligationError, obligation
from corridor.money import MINOR_UNIT_DIGITS, AmountError, parse_amount
from corridor.ports import Delivery
from corridor.validation import MAX_AMOUNT_MINOR


class DeliveryRefused(CorridorError):
    """A message that is not what it says it is: nothing of it reaches the bank."""

    code = "DELIVERY_REFUSED"


class ForwardRefused(DeliveryRefused):
    """A forwarded payment that hashes to no discharged obligation: nothing is credited."""

    code = "FORWARD_REFUSED"


def check_written(name: str, owed: Obligation) -> None:
    """Raise :class:`ForwardRefused` unless ``owed`` is in canonical form, with one instruction of each payer."""
    try:
        canonical = obligation(owed.instructions, owed.legs) == owed
    except ObligationError as error:
        raise ForwardRefused(f"{name}: {error.message}") from error
    payers = {instruction.payer for instruction in owed.instructions}
    if not canonical or len(payers) != len(owed.instructions):
        # Two payments under one leg: the money for one of them would discharge both.
        raise ForwardRefused(f"{name}: an obligation is not one instruction of each payer, in canonical order")


def check_forward(
    bank: str, place: Place, instructed: Mapping[str, Instructed], delivery: Delivery, message: Message
) -> None:
    """Raise :class:`ForwardRefused` unless every transaction of ``message`` was paid to ``bank``.

    Args:
        instructed: the bank's own instructions in the delivery's obligations, by UETR.
        delivery: its obligations are discharged, as the bank's own node says.
        message: what the delivery's body reads as.
    """
    if message.fault is not None:
        raise ForwardRefused(f"{delivery.name}: {message.fault.text}")
    expected = {}
    for owed in delivery.obligations:
        own = [instructed[uetr] for uetr in own_instructions(bank, owed) if uetr in instructed]
        trade = next((one for one in own if one.bought_currency is not None), None)
        for instruction in owed.instructions:
            expected[instruction.payer, instruction.uetr, instruction.content_hash] = (owed, trade)
    for transfer in message.transactions:
        found = expected.get((transfer.payer_bic, transfer.uetr or "", transfer.content_hash))
        if found is None or not _is_paid(bank, place, found[0], transfer) or not _is_other_side(transfer, found[1]):
            raise ForwardRefused(f"{delivery.name}: {transfer.uetr} is not what was discharged")


def _is_paid(bank: str, place: Place, owed: Obligation, transfer: CreditTransfer) -> bool:
    """Whether a leg on this ledger brings the bank what the transfer says, from whom it says."""
    token = place.tokens.get(transfer.currency, "").lower()
    said = (transfer.payer_bic, transfer.payee_bic, place.chain_id, token)
    paid = {(leg.payer, leg.payee, leg.chain_id, leg.token.lower()): leg.amount_minor for leg in owed.legs}
    return transfer.payee_bic == bank and said in paid and paid[said] == minor(transfer.currency, transfer.amount_text)


def _is_other_side(transfer: CreditTransfer, trade: Instructed | None) -> bool:
    """Whether a payment is the other side of the bank's own trade, or a plain one where it traded nothing."""
    if trade is None or transfer.pvp is None:
        return trade is None and transfer.pvp is None
    pvp = transfer.pvp
    paid = (trade.payee, trade.currency, trade.amount_minor)
    return (transfer.payer_bic, pvp.bought_currency, minor(pvp.bought_currency, pvp.bought_amount_text)) == paid


def minor(currency: str, amount_text: str) -> int | None:
    """The minor units; None for what no payment can say, or more than the corridor takes in one."""
    try:
        amount_minor = parse_amount(currency, amount_text) if currency in MINOR_UNIT_DIGITS else None
    except AmountError:
        return None
    return amount_minor if amount_minor is not None and amount_minor <= MAX_AMOUNT_MINOR else None
