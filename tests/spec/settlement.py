"""The settlement contract's rules, to be read aloud. Errors in the contract's order.

A leg is a tuple (payer, payee, chain id, token symbol, amount), legs in canonical order; terms are (attempt, hashlock,
timelock, other chain id, other settlement, other timelock); a batch is a :class:`Batch`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.spec.authorities import move, spend
from tests.spec.state import DAY_S, Record, Refused, Signed, State, require

MAX_CONSENT_S, MAX_LEGS, MAX_ENTRIES, MAX_TOKENS = 900, 16, 2048, 16
MIN_WINDOW_S, MAX_WINDOW_S, MARGIN_S = 600, 7 * DAY_S, 1800

Leg = tuple[str, str, int, str, int]


class Batch(NamedTuple):
    proposer: str
    round: int
    deadline_s: int
    tokens: tuple[str, ...]
    participants: tuple[str, ...]
    roots: tuple[bytes, ...]
    positions: tuple[int, ...]


# What is signed. Everything that is not in the tuple is not consented to.


def gross(state: State, bic: str, epoch: int, deadline_s: int, obligation: tuple) -> tuple:
    return ("gross", state.chain_id, state.settlement, bic, epoch, deadline_s, obligation)


def to_lock(state: State, bic: str, epoch: int, deadline_s: int, obligation: tuple, terms: tuple) -> tuple:
    return ("lock", state.chain_id, state.settlement, bic, epoch, deadline_s, obligation, terms)


def net(state: State, bic: str, epoch: int, batch: Batch) -> tuple:
    return ("net", state.chain_id, state.settlement, bic, epoch, batch)


def proposal(state: State, batch: Batch) -> tuple:
    return ("proposal", state.chain_id, state.settlement, batch)


def consents(state: State, caller: str, key: str, content: tuple, signature: Signed | None) -> bool:
    """Whether the key's holder agrees to exactly this: by signature, by calling, or by approval beforehand."""
    if signature is None:
        return caller == key or Signed(key, content) in state.approved
    return signature == Signed(key, content)


def _require_deadline(state: State, deadline_s: int) -> None:
    require(state.now_s < deadline_s <= state.now_s + MAX_CONSENT_S, "SettlementDeadlineRefused")


def _require_canonical(state: State, legs: Sequence[Leg], address: Callable[[str], int]) -> None:
    require(1 <= len(legs) <= MAX_LEGS, "SettlementLegCountRefused")
    places = [(payer, payee, chain, address(token)) for payer, payee, chain, token, _ in legs]
    for number, (payer, payee, _, _, amount) in enumerate(legs):
        require(payer != payee and amount, "SettlementLegRefused")
        require(number == 0 or places[number - 1] < places[number], "SettlementLegOrderRefused")


def settle(
    state: State,
    caller: str,
    legs: tuple[Leg, ...],
    deadline_s: int,
    signatures: Sequence[Signed | None],
    address: Callable[[str], int],
) -> None:
    _require_deadline(state, deadline_s)
    _require_canonical(state, legs, address)
    require(all(chain == state.chain_id for _, _, chain, _, _ in legs), "SettlementLegElsewhere")
    record = state.records.setdefault(legs, Record())
    require(record.state in ("None", "Refunded"), "SettlementObligationNotOpen")
    given, previous = list(signatures), ""
    for payer, payee, *_ in legs:
        require(state.active(payer) and state.active(payee), "ParticipantNotActive")
        if payer == previous:
            continue
        previous = payer
        require(given, "SettlementSignatureCountRefused")
        one = state.participants[payer]
        content = gross(state, payer, one.epoch, deadline_s, legs)
        require(consents(state, caller, one.key, content, given.pop(0)), "SettlementConsentMissing")
    require(not given, "SettlementSignatureCountRefused")
    record.state = "Settled"
    for payer, payee, _, token, amount in legs:
        require(not state.tokens[token].paused, "DepositTokenPaused")
        move(state.tokens[token], payer, payee, amount)


def settle_batch(
    state: State,
    caller: str,
    batch: Batch,
    proposer_signature: Signed | None,
    signatures: Sequence[Signed | None],
    address: Callable[[str], int],
) -> None:
    _require_deadline(state, batch.deadline_s)
    entries, width = len(batch.participants), len(batch.tokens)
    in_bounds = 1 <= entries <= MAX_ENTRIES and 1 <= width <= MAX_TOKENS
    fits = len(batch.roots) == entries and len(batch.positions) == entries * width
    require(in_bounds and fits, "SettlementBatchShapeRefused")
    places = [address(token) for token in batch.tokens]
    require(places == sorted(set(places)), "SettlementTokenOrderRefused")
    require((batch.proposer, batch.round) not in state.rounds, "SettlementRoundTaken")
    require(all(state.active(bic) for bic in batch.participants), "ParticipantNotActive")
    require(len(signatures) == entries, "SettlementSignatureCountRefused")
    agreed = consents(state, caller, batch.proposer, proposal(state, batch), proposer_signature)
    require(agreed, "SettlementProposalMissing")
    previous = ""
    for bic, signature in zip(batch.participants, signatures, strict=True):
        require(previous < bic, "SettlementParticipantOrderRefused")
        previous, one = bic, state.participants[bic]
        agreed = consents(state, caller, one.key, net(state, bic, one.epoch, batch), signature)
        require(agreed, "SettlementConsentMissing")
    keys = [state.participants[bic].key for bic in batch.participants]
    require(caller == batch.proposer or caller in keys, "SettlementSubmitterRefused")
    state.rounds[batch.proposer, batch.round] = batch
    for column, symbol in enumerate(batch.tokens):
        token, positions = state.tokens[symbol], batch.positions[column::width]
        require(sum(positions) == 0, "SettlementUnbalanced")
        require(not token.paused, "DepositTokenPaused")
        for bic, position in zip(batch.participants, positions, strict=True):
            account = spend(token, bic, max(-position, 0)) if position < 0 else token.account(bic)
            require(not account.frozen, "DepositTokenFrozen")
            account.balance += position


def _require_lockable(state: State, legs: Sequence[Leg], terms: tuple) -> None:
    _, _, timelock_s, other_chain, other_settlement, other_timelock_s = terms
    window = timelock_s - state.now_s
    require(MIN_WINDOW_S <= window <= MAX_WINDOW_S, "SettlementTimelockRefused")
    chains = [chain for _, _, chain, _, _ in legs]
    if not other_chain:
        require(not other_settlement and not other_timelock_s, "SettlementOtherLedgerRefused")
        require(set(chains) == {state.chain_id}, "SettlementLegElsewhere")
        return
    require(other_chain != state.chain_id and other_settlement, "SettlementOtherLedgerRefused")
    require(abs(timelock_s - other_timelock_s) >= MARGIN_S, "SettlementMarginRefused")
    lead = state.chain_id if timelock_s > other_timelock_s else other_chain
    lead_payer = ""
    for payer, _, chain, _, _ in legs:
        require(chain in (state.chain_id, other_chain), "SettlementLegElsewhere")
        if chain == lead:
            require(lead_payer in ("", payer), "SettlementLeadPayerRefused")
            lead_payer = payer
    require(other_chain in chains, "SettlementOtherLedgerRefused")


def lock(
    state: State,
    caller: str,
    legs: tuple[Leg, ...],
    terms: tuple,
    payer: str,
    deadline_s: int,
    signature: Signed | None,
    address: Callable[[str], int],
) -> None:
    _require_deadline(state, deadline_s)
    _require_canonical(state, legs, address)
    _require_lockable(state, legs, terms)
    mine = {i for i, leg in enumerate(legs) if leg[0] == payer and leg[2] == state.chain_id}
    require(mine, "SettlementNoLegToLock")
    record = state.records.setdefault(legs, Record())
    if record.state == "Locked":
        require(record.terms == terms, "SettlementTermsDiffer")
        require(not record.locked & mine, "SettlementAlreadyLocked")
    elif record.state in ("None", "Refunded"):
        require(terms[0] == record.attempt + 1, "SettlementAttemptRefused")
    else:
        raise Refused("SettlementObligationNotOpen")
    parties = [payer, *(legs[i][1] for i in sorted(mine))]
    require(all(state.active(bic) for bic in parties), "ParticipantNotActive")
    one = state.participants[payer]
    content = to_lock(state, payer, one.epoch, deadline_s, legs, terms)
    require(consents(state, caller, one.key, content, signature), "SettlementConsentMissing")
    record.state, record.attempt, record.terms = "Locked", terms[0], terms
    record.locked |= mine
    for i in sorted(mine):
        token = state.tokens[legs[i][3]]
        require(not token.paused, "DepositTokenPaused")
        require(not token.account(legs[i][1]).frozen, "DepositTokenFrozen")
        spend(token, payer, legs[i][4]).held += legs[i][4]


def _locked_under(state: State, legs: tuple[Leg, ...], terms: tuple) -> Record:
    record = state.records.get(legs, Record())
    require(record.state == "Locked", "SettlementNotLocked")
    require(record.terms == terms, "SettlementTermsDiffer")
    return record


def claim(state: State, caller: str, legs: tuple[Leg, ...], terms: tuple, preimage: bytes) -> None:
    record = _locked_under(state, legs, terms)
    require(state.now_s < terms[2], "SettlementClaimTooLate")
    require(hashlib.sha256(preimage).digest() == terms[1], "SettlementPreimageWrong")
    here = {i for i, leg in enumerate(legs) if leg[2] == state.chain_id}
    require(record.locked == here, "SettlementLegsMissing")
    record.state, record.locked = "Claimed", set()
    for i in sorted(here):
        payer, payee, _, token, amount = legs[i]
        account = state.tokens[token].account(payer)
        account.balance, account.held = account.balance - amount, account.held - amount
        state.tokens[token].account(payee).balance += amount


def refund(state: State, caller: str, legs: tuple[Leg, ...], terms: tuple, index: int) -> None:
    record = _locked_under(state, legs, terms)
    require(state.now_s >= terms[2], "SettlementRefundTooEarly")
    require(index in record.locked, "SettlementLegNotLocked")
    record.locked.remove(index)
    if not record.locked:
        record.state = "Refunded"
    state.tokens[legs[index][3]].account(legs[index][0]).held -= legs[index][4]
