"""A trade that two banks settle by themselves, by hashed timelock, when there is no operator to ask.

The banks exchange their two pacs.009 and one *trade file*: the obligation that both messages ask for, and the terms
under which its legs are locked. The lead bank makes the preimage and the file; the other bank rebuilds the obligation
from the messages, compares, and locks under the same terms. Nothing in the file is secret.

Where the currencies lie on two ledgers, each bank pays on its own: the lead bank's leg is locked first and longest, the
other's behind it. The lead bank claims the follow leg, which shows the preimage; with it the other claims the lead leg.
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
    MAX_LOCK_WINDOW_S,
    MIN_LOCK_WINDOW_S,
    SAFETY_MARGIN_S,
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
from corridor.typed_data import terms_hash

VERSION = 2
# One message for a payment, two for the sides of a trade; what two banks settle alone has no third.
MAX_MESSAGES = 2
# An hour: the other bank's people are told, check and lock; then the claim has still half of it.
DEFAULT_WINDOW_S = 3_600
PREIMAGE_BYTES = 32
# The block that takes the lock comes after the one it was tried on: by a minute where a validator is down and clocks
# differ. A lock that misses the window by that takes no effect, and the bank's books wait for the timelock in vain.
BLOCK_MARGIN_S = 60


class TradeRefused(CorridorError):
    """Messages or a trade file that two banks can't settle alone by."""

    code = "TRADE_REFUSED"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Trade:
    """What both banks need to lock, claim and refund: where, what, and under which terms.

    ``chain_id``, ``settlement``, ``terms``: of the only ledger, or of the lead ledger; then ``terms`` name the follow
    ledger, where it is attempt number ``follow_attempt`` (0 where there is none).
    """

    version: int
    chain_id: int
    settlement: str
    obligation: Obligation
    terms: LockTerms
    follow_attempt: int

    @property
    def crosses(self) -> bool:
        """Whether the legs lie on two ledgers."""
        return bool(self.terms.other_chain_id)

    @property
    def follow_terms(self) -> LockTerms:
        """The terms on the follow ledger."""
        return self.terms.mirrored(self.chain_id, self.settlement, self.follow_attempt)

    def terms_on(self, chain_id: int) -> LockTerms:
        """The terms on one of the trade's ledgers."""
        return self.terms if chain_id == self.chain_id else self.follow_terms


@dataclass(frozen=True, slots=True)
class LedgerNow:
    """What a bank sees of an obligation on one ledger: where, what is known of it there, and the ledger's time."""

    chain_id: int
    settlement: str
    record: ObligationRecord
    now_s: int


def agreed_obligation(
    messages: Sequence[bytes], *, tokens: Mapping[str, tuple[int, str]], operator_bic: str
) -> Obligation:
    """Return the obligation that a payment, or the two sides of a trade, ask for together.

    Args:
        messages: one pacs.008 or pacs.009 with one transaction, or the two pacs.009 of a PvP trade, in any order.
        tokens: chain id and token address by currency.
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
        Leg(
            one.payer_bic,
            one.payee_bic,
            tokens[one.currency][0],
            tokens[one.currency][1].lower(),
            _minor(one.currency, one.amount_text),
        )
        for one in transfers
    ]
    try:
        return obligation(instructions, legs)
    except ObligationError as error:
        raise TradeRefused(error.message, next_step="Correct the message") from error


def pays_in(raw: bytes, bank: str, operator_bic: str) -> frozenset[str]:
    """The currencies in which ``bank`` itself pays by a message; none where the message is another bank's."""
    transactions = read_message(raw, operator_bic=operator_bic).transactions
    return frozenset(transfer.currency for transfer in transactions if transfer.payer_bic == bank)


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


def lead_trade(
    preimage: bytes,
    owed: Obligation,
    lead: LedgerNow,
    follow: LedgerNow | None = None,
    *,
    window_s: int = DEFAULT_WINDOW_S,
) -> Trade:
    """Return the lead bank's trade for the next attempt at an obligation.

    Args:
        preimage: 32 random bytes that only the lead bank knows.
        lead: the ledger of all legs, or the one on which the lead bank pays.
        follow: the other ledger, where there is one. Its timelock is as late as the later of the two clocks asks for.
        window_s: how long a claim is possible; on two ledgers, how long the preimage may be shown.

    Raises:
        TradeRefused: the obligation is locked or discharged already, or nobody could lock within this window.
    """
    hashlock = hashlock_of(preimage)
    for ledger in filter(None, (lead, follow)):
        if ledger.record.state not in (ObligationState.NONE, ObligationState.REFUNDED):
            raise TradeRefused(
                f"the obligation is {ledger.record.state.name.lower()} already on chain {ledger.chain_id}",
                next_step="Claim or refund what is locked; what is discharged needs nothing more",
                state=ledger.record.state.name,
            )
    attempt = lead.record.attempt + 1
    if follow is None:
        terms, follow_attempt = LockTerms(attempt, hashlock, lead.now_s + window_s), 0
    else:
        follow_timelock_s = max(lead.now_s, follow.now_s) + window_s + SAFETY_MARGIN_S
        lead_timelock_s = follow_timelock_s + SAFETY_MARGIN_S
        terms = LockTerms(
            attempt, hashlock, lead_timelock_s, follow.chain_id, follow.settlement.lower(), follow_timelock_s
        )
        follow_attempt = follow.record.attempt + 1
    made = Trade(VERSION, lead.chain_id, lead.settlement.lower(), owed, terms, follow_attempt)
    _require_two_ledgers_well_formed(made)
    for ledger in filter(None, (lead, follow)):
        require_window(made.terms_on(ledger.chain_id), ledger.now_s)
    return made


def require_agreed(trade: Trade, agreed: Obligation) -> None:
    """Raise :class:`TradeRefused` unless the trade file is about what the bank's own copy of the messages asks for."""
    if trade.obligation != agreed:
        raise TradeRefused(
            "the trade file is about another obligation than the messages", next_step="Lock nothing; ask the other bank"
        )


def require_window(terms: LockTerms, now_s: int) -> None:
    """Raise :class:`TradeRefused` unless a lock tried at the ledger's time ``now_s`` is surely in time."""
    left_s = terms.timelock_s - now_s
    if not MIN_LOCK_WINDOW_S + BLOCK_MARGIN_S <= left_s <= MAX_LOCK_WINDOW_S:
        raise TradeRefused(
            f"{left_s} s are left to the timelock; to lock there must be "
            f"{MIN_LOCK_WINDOW_S + BLOCK_MARGIN_S} to {MAX_LOCK_WINDOW_S} s",
            next_step="Let the lead bank make a trade file with another window",
            left_s=left_s,
        )


def require_claimable(trade: Trade, follow: LedgerNow) -> None:
    """Raise :class:`TradeRefused` unless the lead bank may show the preimage now, by claiming on the follow ledger.

    Shown too late, the other bank might claim too late. Shown before the follow leg is locked for good, it is shown for
    nothing.
    """
    record, terms = follow.record, trade.follow_terms
    legs = sum(1 << place for place, leg in enumerate(trade.obligation.legs) if leg.chain_id == follow.chain_id)
    expected = (ObligationState.LOCKED, legs, terms_hash(terms)[: len(record.commitment)])
    if (record.state, record.locked_mask, record.commitment) != expected:
        raise TradeRefused(
            f"no final block of chain {follow.chain_id} shows the follow leg locked under this trade's terms",
            next_step="Wait for the other bank's lock, and keep the preimage secret until then",
        )
    if follow.now_s >= terms.timelock_s - SAFETY_MARGIN_S:
        raise TradeRefused(
            f"less than {SAFETY_MARGIN_S} s are left to the follow leg's timelock",
            next_step="Keep the preimage secret, and refund when the timelock has passed",
        )


def require_preimage(trade: Trade, preimage: bytes) -> None:
    """Raise :class:`TradeRefused` unless ``preimage`` opens the trade's hashlock."""
    if hashlock_of(preimage) != trade.terms.hashlock:
        raise TradeRefused("the preimage is of another trade", next_step="Name the file of this trade's preimage")


def legs_to_lock(owed: Obligation, chain_id: int, record: ObligationRecord) -> tuple[int, ...]:
    """Return the places of the legs on a ledger that are not locked yet."""
    return tuple(
        place
        for place, leg in enumerate(owed.legs)
        if leg.chain_id == chain_id and not record.locked_mask & (1 << place)
    )


def legs_to_refund(owed: Obligation, record: ObligationRecord, *, payer: str | None) -> tuple[int, ...]:
    """Return the places of the legs that are still locked: those of ``payer``, or all where it is None."""
    return tuple(
        place for place, leg in enumerate(owed.legs) if record.locked_mask & (1 << place) and payer in (None, leg.payer)
    )


def dump_trade(trade: Trade) -> str:
    """Return the trade as a file's text."""
    return wire.dump(trade) + "\n"


def load_trade(text: str, *, chain_id: int, settlement: str) -> Trade:
    """Read a trade file; this ledger must be its only one, its lead or its follow ledger.

    Raises:
        TradeRefused: it is none, of other ledgers, another contract or version, or not well-formed.
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
    known = {(trade.chain_id, trade.settlement.lower())}
    if trade.crosses:
        known.add((trade.terms.other_chain_id, trade.terms.other_settlement.lower()))
    if (chain_id, settlement.lower()) not in known:
        places = " and ".join(f"chain {one}, contract {contract}" for one, contract in sorted(known))
        raise TradeRefused(
            f"the trade is on {places}, this ledger is chain {chain_id}, contract {settlement}",
            next_step="Name the node and the address file of the trade's ledger",
        )
    _require_two_ledgers_well_formed(trade)
    return trade


def _require_two_ledgers_well_formed(trade: Trade) -> None:
    """The legs lie on the trade's ledgers; across two, one payer leads, later by the margin than the other."""
    terms = trade.terms
    chains = {leg.chain_id for leg in trade.obligation.legs}
    expected = {trade.chain_id, terms.other_chain_id} if trade.crosses else {trade.chain_id}
    lead_payers = {leg.payer for leg in trade.obligation.legs if leg.chain_id == trade.chain_id}
    fits = chains == expected and (not trade.crosses or len(lead_payers) == 1)
    if trade.crosses:
        fits = fits and terms.timelock_s >= terms.other_timelock_s + SAFETY_MARGIN_S and trade.follow_attempt > 0
    else:
        fits = fits and (terms, trade.follow_attempt) == (
            LockTerms(terms.attempt, terms.hashlock, terms.timelock_s),
            0,
        )
    if not fits:
        raise TradeRefused(
            "the trade's terms don't fit its legs: one ledger, or two of which one payer's leads by "
            f"{SAFETY_MARGIN_S} s",
            next_step="Lock nothing; ask the lead bank for a trade file that its tool wrote",
        )


def _only_transfer(raw: bytes, tokens: Mapping[str, tuple[int, str]], operator_bic: str) -> CreditTransfer:
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


def _side(transfer: CreditTransfer, tokens: Mapping[str, tuple[int, str]]) -> TradeSide | None:
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
