"""A trade that two banks settle by themselves, by hashed timelock, when there is no operator to ask.

The banks exchange their two pacs.009 and one *trade file*: the obligation that both messages ask for, and the terms
under which its legs are locked. The lead bank makes the preimage and the file; the other bank rebuilds the obligation
from the messages, compares, and locks under the same terms. Nothing in the file is secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from corridor import wire
from corridor.errors import CorridorError
from corridor.iso20022 import CreditTransfer, read_message
from corridor.matching import TradeSide, match
from corridor.model import (
    Instruction,
    Leg,
    LockTerms,
    Obligation,
    ObligationError,
    ObligationRecord,
    ObligationState,
    obligation,
)
from corridor.money import MINOR_UNIT_DIGITS, Money, parse_amount

VERSION = 1
# One message for a payment, two for the sides of a trade; what two banks settle alone has no third.
MAX_MESSAGES = 2
# An hour: the other bank's people are told, check and lock; then the claim has still half of it.
DEFAULT_WINDOW_S = 3_600
PREIMAGE_BYTES = 32
# What the contract allows between a lock and its timelock.
MIN_WINDOW_S, MAX_WINDOW_S = 600, 7 * 24 * 3_600
# The block that takes the lock comes after the one it was tried on: by a minute where a validator is down and clocks
# differ. A lock that misses the window by that takes no effect, and the bank's books wait for the timelock in vain.
BLOCK_MARGIN_S = 60


class TradeRefused(CorridorError):
    """Messages or a trade file that two banks can't settle alone by."""

    code = "TRADE_REFUSED"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Trade:
    """What both banks need to lock, claim and refund: where, what, and under which terms."""

    version: int
    chain_id: int
    settlement: str
    obligation: Obligation
    terms: LockTerms


def agreed_obligation(
    messages: Sequence[bytes], *, chain_id: int, tokens: Mapping[str, str], operator_bic: str
) -> Obligation:
    """Return the obligation that a payment, or the two sides of a trade, ask for together.

    Args:
        messages: one pacs.008 or pacs.009 with one transaction, or the two pacs.009 of a PvP trade, in any order.
        chain_id: of the ledger that holds all tokens of it.
        tokens: token address by currency.
        operator_bic: see :func:`corridor.iso20022.read_message`.

    Raises:
        UnreadableMessage: a message is none.
        TradeRefused: they don't form one obligation, and why.
        AmountError: an amount that its currency can't express.
    """
    if not 1 <= len(messages) <= MAX_MESSAGES:
        raise TradeRefused(f"{len(messages)} messages are given", next_step="Give one payment, or a trade's two sides")
    transfers = [_only_transfer(raw, tokens, operator_bic) for raw in messages]
    sides = [_side(transfer, tokens) for transfer in transfers]
    if len(sides) == MAX_MESSAGES:
        matching = match(side for side in sides if side is not None)
        if not matching.pairs:
            why = next(iter(matching.unmatched.values()), "they are no two sides of a trade")
            raise TradeRefused(
                f"the two messages do not match: {why}", next_step="Ask the other bank which message it means"
            )
    elif sides[0] is not None:
        raise TradeRefused(
            f"trade {sides[0].reference} has one side only", next_step=f"Give the message of {sides[0].payee} as well"
        )
    instructions = [Instruction(one.payer_bic, one.uetr or "", one.content_hash) for one in transfers]
    legs = [
        Leg(one.payer_bic, one.payee_bic, chain_id, tokens[one.currency].lower(), _minor(one.currency, one.amount_text))
        for one in transfers
    ]
    try:
        return obligation(instructions, legs)
    except ObligationError as error:
        raise TradeRefused(error.message, next_step="Correct the message") from error


def instructs(raw: bytes, bank: str, operator_bic: str) -> bool:
    """Whether a message is the bank's own: what it instructs is paid by ``bank``."""
    transactions = read_message(raw, operator_bic=operator_bic).transactions
    return any(transfer.payer_bic == bank for transfer in transactions)


def hashlock_of(preimage: bytes) -> bytes:
    """The hashlock that ``preimage`` opens.

    Raises:
        TradeRefused: a preimage of another length than 32 bytes.
    """
    if len(preimage) != PREIMAGE_BYTES:
        raise TradeRefused(
            f"a preimage has {PREIMAGE_BYTES} bytes, this one {len(preimage)}",
            next_step="Name the file that the lead bank's lock wrote",
        )
    return hashlib.sha256(preimage).digest()


def lead_terms(preimage: bytes, record: ObligationRecord, *, now_s: int, window_s: int = DEFAULT_WINDOW_S) -> LockTerms:
    """Return the lead bank's terms for the next attempt at an obligation whose legs all lie on one ledger.

    Args:
        preimage: 32 random bytes that only the lead bank knows.
        record: what the ledger knows of the obligation.
        now_s: the ledger's time.
        window_s: how long a claim is possible.

    Raises:
        TradeRefused: the obligation is locked or discharged already, or nobody could lock within this window.
    """
    if record.state not in (ObligationState.NONE, ObligationState.REFUNDED):
        raise TradeRefused(
            f"the obligation is {record.state.name.lower()} already",
            next_step="Claim or refund what is locked; what is discharged needs nothing more",
            state=record.state.name,
        )
    terms = LockTerms(record.attempt + 1, hashlock_of(preimage), now_s + window_s)
    require_window(terms, now_s)
    return terms


def require_agreed(trade: Trade, agreed: Obligation) -> None:
    """Raise :class:`TradeRefused` unless the trade file is about what the bank's own copy of the messages asks for."""
    if trade.obligation != agreed:
        raise TradeRefused(
            "the trade file is about another obligation than the messages", next_step="Lock nothing; ask the other bank"
        )


def require_window(terms: LockTerms, now_s: int) -> None:
    """Raise :class:`TradeRefused` unless a lock tried at the ledger's time ``now_s`` is surely in time."""
    left_s = terms.timelock_s - now_s
    if not MIN_WINDOW_S + BLOCK_MARGIN_S <= left_s <= MAX_WINDOW_S:
        raise TradeRefused(
            f"{left_s} s are left to the timelock; to lock there must be "
            f"{MIN_WINDOW_S + BLOCK_MARGIN_S} to {MAX_WINDOW_S} s",
            next_step="Let the lead bank make a trade file with another window",
            left_s=left_s,
        )


def require_preimage(trade: Trade, preimage: bytes) -> None:
    """Raise :class:`TradeRefused` unless ``preimage`` opens the trade's hashlock."""
    if hashlock_of(preimage) != trade.terms.hashlock:
        raise TradeRefused("the preimage is of another trade", next_step="Name the file of this trade's preimage")


def legs_to_lock(owed: Obligation, record: ObligationRecord) -> tuple[int, ...]:
    """Return the places of the legs that are not locked yet."""
    return tuple(place for place in range(len(owed.legs)) if not record.locked_mask & (1 << place))


def legs_to_refund(owed: Obligation, record: ObligationRecord, *, payer: str | None) -> tuple[int, ...]:
    """Return the places of the legs that are still locked: those of ``payer``, or all where it is None."""
    return tuple(
        place for place, leg in enumerate(owed.legs) if record.locked_mask & (1 << place) and payer in (None, leg.payer)
    )


def dump_trade(trade: Trade) -> str:
    """Return the trade as a file's text."""
    return wire.dump(trade) + "\n"


def load_trade(text: str, *, chain_id: int, settlement: str) -> Trade:
    """Read a trade file for this ledger.

    Raises:
        TradeRefused: it is none, of another ledger, contract or version, not canonical, or across two ledgers.
    """
    try:
        trade = wire.load(Trade, text)
        canonical = obligation(trade.obligation.instructions, trade.obligation.legs) == trade.obligation
    except (ValueError, ObligationError) as error:
        raise TradeRefused(f"this is no trade file: {error}", next_step="Ask the lead bank for it again") from error
    if trade.version != VERSION or not canonical:
        raise TradeRefused(
            f"this is no trade file of version {VERSION}", next_step="Ask the lead bank for one that its tool wrote"
        )
    if (trade.chain_id, trade.settlement.lower()) != (chain_id, settlement.lower()):
        raise TradeRefused(
            f"the trade is on chain {trade.chain_id}, contract {trade.settlement}, "
            f"this ledger is chain {chain_id}, contract {settlement}",
            next_step="Name the node and the address file of the trade's ledger",
        )
    if trade.terms.other_chain_id or any(leg.chain_id != chain_id for leg in trade.obligation.legs):
        raise TradeRefused(
            "the trade crosses two ledgers, whose timelocks have to be checked on both",
            next_step="Settle it through the corridor, or bring both legs onto one ledger",
        )
    return trade


def _only_transfer(raw: bytes, tokens: Mapping[str, str], operator_bic: str) -> CreditTransfer:
    message = read_message(raw, operator_bic=operator_bic)
    if message.fault is not None:
        raise TradeRefused(message.fault.text, next_step="Correct the message")
    if len(message.transactions) != 1:
        raise TradeRefused(
            f"message {message.message_id} holds {len(message.transactions)} transactions",
            next_step="Two banks alone settle one transaction of each: give it a message of its own",
        )
    [transfer] = message.transactions
    if transfer.fault is not None:
        raise TradeRefused(transfer.fault.text, next_step="Correct the message")
    if transfer.uetr is None:
        raise TradeRefused("the payment has no UETR", next_step="Give it one: a lower-case UUID of version 4")
    if transfer.currency not in tokens:
        raise TradeRefused(
            f"there is no deposit token for {transfer.currency}", next_step=f"There are: {', '.join(sorted(tokens))}"
        )
    return transfer


def _side(transfer: CreditTransfer, tokens: Mapping[str, str]) -> TradeSide | None:
    pvp = transfer.pvp
    if pvp is None:
        return None
    if pvp.bought_currency not in tokens:
        raise TradeRefused(f"there is no deposit token for {pvp.bought_currency}", next_step="Check the trade's terms")
    sold = Money(transfer.currency, _minor(transfer.currency, transfer.amount_text))
    bought = Money(pvp.bought_currency, _minor(pvp.bought_currency, pvp.bought_amount_text))
    return TradeSide(transfer.uetr or "", pvp.trade_reference, transfer.payer_bic, transfer.payee_bic, sold, bought)


def _minor(currency: str, amount_text: str) -> int:
    if currency not in MINOR_UNIT_DIGITS:
        raise TradeRefused(
            f"the minor unit of {currency} is not known", next_step=f"Known are {', '.join(sorted(MINOR_UNIT_DIGITS))}"
        )
    return parse_amount(currency, amount_text)
