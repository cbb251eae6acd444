"""What the corridor says to its contracts and what it reads from them, in the corridor's own words.

Each verb returns a :class:`Call`; nothing here sends. Amounts are minor units of the token's currency, times seconds
of the ledger's clock, identities BICs of eleven characters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from corridor.ledger import records
from corridor.ledger.abi import contract, text
from corridor.ledger.adapter import ContractCall, Ledger, Log
from corridor.ledger.errors import ContractReverted
from corridor.ledger.sender import Intent
from corridor.merkle import LegProof
from corridor.model import Batch, Leg, LockTerms, Obligation, ObligationRecord, ObligationState, Signature
from corridor.typed_data import instructions_hash

REGISTRY, TOKEN, SETTLEMENT, EVIDENCE = "ParticipantRegistry", "DepositToken", "PvPSettlement", "EvidenceRegistry"
# What the views return is part of this module's face.
Account = records.Account
Evidence = records.Evidence
KeyChange = records.KeyChange
Occurrence = records.Occurrence
ParticipantRecord = records.ParticipantRecord
ParticipantStatus = records.ParticipantStatus
RedemptionRequest = records.RedemptionRequest
RedemptionState = records.RedemptionState
Supply = records.Supply

KINDS = (SETTLEMENT, TOKEN, REGISTRY, EVIDENCE)

# Gas limits: about twice what was measured, so that a later compiler doesn't break them. Unused gas costs nothing,
# but a limit far above need would take other transactions' room in a block.
SMALL_CALL_GAS = 300_000
GAS_PER_LEG = 80_000
GAS_PER_ENTRY = 35_000
GAS_PER_POSITION = 45_000

# Most redemption requests read at once: a day's worth of any issuer, and a bounded question to the node.
MAX_REQUESTS = 1_000
# Most participants in one answer; the register allows 500.
PARTICIPANTS_PAGE = 200

# In place of a signature: the participant consents by its own transaction.
NO_SIGNATURE = Signature(bytes(32), bytes(32))


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction's content: to which contract, with which call data and gas limit."""

    to: str
    data: bytes
    gas: int

    def intent(self, purpose: str) -> Intent:
        """Return the call as something to be sent once for ``purpose``."""
        return Intent(purpose, self.to, self.data, self.gas)


# Verbs of issuers


def admit(registry: str, bic: str, lei: str, key: str) -> Call:
    """The issuer of the bank's country admits it, with its first key."""
    return _call(REGISTRY, registry, "admit", bic.encode(), lei.encode(), key)


def suspend(registry: str, bic: str) -> Call:
    """The issuer suspends a bank of its jurisdiction."""
    return _call(REGISTRY, registry, "suspend", bic.encode())


def reinstate(registry: str, bic: str) -> Call:
    """The issuer reinstates a suspended bank."""
    return _call(REGISTRY, registry, "reinstate", bic.encode())


def confirm_key(registry: str, bic: str, new_key: str) -> Call:
    """The issuer confirms the key that a bank of its jurisdiction has proposed; it takes effect at once."""
    return _call(REGISTRY, registry, "confirmKey", bic.encode(), new_key)


def propose_recovery(registry: str, bic: str, new_key: str) -> Call:
    """The issuer names a key for a bank of its jurisdiction that has lost its own."""
    return _call(REGISTRY, registry, "proposeRecovery", bic.encode(), new_key)


def withdraw_recovery(registry: str, bic: str) -> Call:
    """The issuer, or the operator, calls a recovery off."""
    return _call(REGISTRY, registry, "withdrawRecovery", bic.encode())


def issue(token: str, bic: str, amount_minor: int, reserve_reference: bytes) -> Call:
    """The issuer issues against reserves; the 32-byte reference is unique for the token."""
    return _call(TOKEN, token, "issue", bic.encode(), amount_minor, reserve_reference)


def fulfil_redemption(token: str, number: int, reserve_reference: bytes) -> Call:
    """The issuer pays out a redemption request; the 32-byte reference is unique for the token."""
    return _call(TOKEN, token, "fulfilRedemption", number, reserve_reference)


def refuse_redemption(token: str, number: int) -> Call:
    """The issuer refuses a redemption request: the amount is the bank's to use again."""
    return _call(TOKEN, token, "refuseRedemption", number)


def freeze(token: str, bic: str) -> Call:
    """The issuer keeps a participant from starting anything new in its currency."""
    return _call(TOKEN, token, "freeze", bic.encode())


def unfreeze(token: str, bic: str) -> Call:
    """The issuer lifts a freeze."""
    return _call(TOKEN, token, "unfreeze", bic.encode())


def pause(token: str) -> Call:
    """The issuer keeps everybody from starting anything new in its currency."""
    return _call(TOKEN, token, "pause")


def unpause(token: str) -> Call:
    """The issuer lifts a pause."""
    return _call(TOKEN, token, "unpause")


# Verbs of the operator


def suspend_for_a_day(registry: str, bic: str) -> Call:
    """The operator stops a bank for a day, once until its issuer has suspended it."""
    return _call(REGISTRY, registry, "suspendForADay", bic.encode())


def confirm_recovery(registry: str, bic: str, new_key: str) -> Call:
    """The operator agrees to the key that the issuer has named for a bank; the public delay begins."""
    return _call(REGISTRY, registry, "confirmRecovery", bic.encode(), new_key)


# Verbs of participants


def propose_key(registry: str, new_key: str) -> Call:
    """A bank names its next key, which its issuer must confirm; the zero address withdraws the proposal."""
    return _call(REGISTRY, registry, "proposeKey", new_key)


def object_to_recovery(registry: str) -> Call:
    """A bank that has its key calls the recovery of it off."""
    return _call(REGISTRY, registry, "objectToRecovery")


def request_redemption(token: str, amount_minor: int) -> Call:
    """A bank asks its issuer to redeem; the amount is held until the issuer answers or the bank withdraws.

    The request's number is in the event ``RedemptionRequested``.
    """
    return _call(TOKEN, token, "requestRedemption", amount_minor)


def withdraw_redemption(token: str, number: int) -> Call:
    """A bank withdraws a request that its issuer has not answered within a day."""
    return _call(TOKEN, token, "withdrawRedemption", number)


def anchor_evidence(evidence: str, document_hash: bytes, document_type: str) -> Call:
    """A bank anchors a document's 32-byte hash, once for all banks; the type is a code of four characters."""
    return _call(EVIDENCE, evidence, "anchor", document_hash, document_type.encode())


def revoke_consents(registry: str) -> Call:
    """A bank ends all consents that it has signed and that have not taken effect."""
    return _call(REGISTRY, registry, "revokeConsents")


def approve_consent(settlement: str, consent_digest: bytes) -> Call:
    """A bank whose key cannot sign typed data consents by its own transaction."""
    return _call(SETTLEMENT, settlement, "approve", consent_digest)


def lock(
    settlement: str,
    obligation: Obligation,
    terms: LockTerms,
    payer: str,
    deadline_s: int,
    signature: Signature = NO_SIGNATURE,
) -> Call:
    """Lock all legs of ``payer`` on this ledger; without a signature the payer sends it itself."""
    content = _legs(obligation)
    arguments = (*content, _terms(terms), payer.encode(), deadline_s, _signature(signature))
    return _call(SETTLEMENT, settlement, "lock", *arguments, gas=_gas(legs=len(obligation.legs)))


def claim(settlement: str, obligation: Obligation, terms: LockTerms, preimage: bytes) -> Call:
    """Pay the payees of all legs on this ledger; anyone who has the preimage may send it."""
    arguments = (*_legs(obligation), _terms(terms), preimage)
    return _call(SETTLEMENT, settlement, "claim", *arguments, gas=_gas(legs=len(obligation.legs)))


def refund(settlement: str, obligation: Obligation, terms: LockTerms, leg_index: int) -> Call:
    """Free one locked leg after the timelock; anyone may send it."""
    arguments = (*_legs(obligation), _terms(terms), leg_index)
    return _call(SETTLEMENT, settlement, "refund", *arguments, gas=_gas(legs=1))


# Verbs of whoever submits


def execute_recovery(registry: str, bic: str) -> Call:
    """Put a confirmed recovery into effect once its delay has passed; anyone may send it."""
    return _call(REGISTRY, registry, "executeRecovery", bic.encode())


def settle(settlement: str, obligation: Obligation, deadline_s: int, signatures: Sequence[Signature]) -> Call:
    """Discharge one obligation at once; one signature per distinct payer, in the order of the legs."""
    arguments = (*_legs(obligation), deadline_s, [_signature(one) for one in signatures])
    return _call(SETTLEMENT, settlement, "settle", *arguments, gas=_gas(legs=len(obligation.legs)))


def settle_batch(settlement: str, batch: Batch, proposal: Signature, signatures: Sequence[Signature]) -> Call:
    """Discharge a batch: the proposer's signature (none where it submits itself), then one per entry, in order."""
    gas = SMALL_CALL_GAS + GAS_PER_ENTRY * len(batch.participants) + GAS_PER_POSITION * len(batch.positions)
    arguments = (_batch(batch), _signature(proposal), [_signature(one) for one in signatures])
    return _call(SETTLEMENT, settlement, "settleBatch", *arguments, gas=gas)


# Views


def accounts(
    ledger: Ledger, tokens: Mapping[str, str], participants: Sequence[str], *, block: int | None = None
) -> dict[tuple[str, str], Account]:
    """Return every participant's account in every currency, by (BIC, currency), in one question.

    Args:
        ledger: where the tokens are.
        tokens: token address by currency.
        participants: BICs.
        block: at which block; the newest by default. Name one to have all accounts at the same moment.
    """
    pairs = [(bic, currency) for bic in participants for currency in tokens]
    function = contract(TOKEN).function("accountOf")
    calls = [ContractCall(tokens[currency], function, (bic.encode(),)) for bic, currency in pairs]
    return {pair: Account(*values) for pair, values in zip(pairs, _answered(ledger, calls, block), strict=True)}


def supplies(ledger: Ledger, tokens: Mapping[str, str], *, block: int | None = None) -> dict[str, Supply]:
    """Return what was issued and redeemed in each currency."""
    names = ("issuedTotal", "redeemedTotal", "totalSupply", "paused")
    functions = [contract(TOKEN).function(name) for name in names]
    calls = [ContractCall(token, function) for token in tokens.values() for function in functions]
    values = [answer[0] for answer in _answered(ledger, calls, block)]
    rows = [values[start : start + len(names)] for start in range(0, len(values), len(names))]
    return {currency: Supply(*row) for currency, row in zip(tokens, rows, strict=True)}


def participants(ledger: Ledger, registry: str, *, block: int | None = None) -> list[ParticipantRecord]:
    """Return everyone who was ever admitted, in the order of admission."""
    function = contract(REGISTRY).function
    [count] = ledger.call(registry, function("participantCount"), block=block)
    firsts = range(0, count, PARTICIPANTS_PAGE)
    calls = [ContractCall(registry, function("participants"), (first, PARTICIPANTS_PAGE)) for first in firsts]
    return [_participant(record) for (page,) in _answered(ledger, calls, block) for record in page]


def participant(ledger: Ledger, registry: str, bic: str, *, block: int | None = None) -> ParticipantRecord:
    """Return what the register knows of one bank."""
    [record] = ledger.call(registry, contract(REGISTRY).function("participant"), bic.encode(), block=block)
    return _participant(record)


def active_keys(
    ledger: Ledger, registry: str, bics: Sequence[str], *, block: int | None = None
) -> list[tuple[str, int]]:
    """Return key and epoch of each participant, as consents need them.

    Raises:
        ContractReverted: ``ParticipantNotActive``, naming the first that is not.
    """
    function = contract(REGISTRY).function("activeKeys")
    [packed] = ledger.call(registry, function, [bic.encode() for bic in bics], block=block)
    # The key is the lowest 160 bits, the epoch the 32 above.
    return [(f"0x{word & (1 << 160) - 1:040x}", word >> 160) for word in packed]


def key_change(ledger: Ledger, registry: str, bic: str, *, block: int | None = None) -> KeyChange:
    """Return the changes of a bank's key that wait for somebody."""
    function = contract(REGISTRY).function("keyChangeOf")
    [(proposed, recovery, executable_at_s)] = ledger.call(registry, function, bic.encode(), block=block)
    return KeyChange(_key(proposed), _key(recovery), executable_at_s)


def redemption_requests(
    ledger: Ledger, token: str, *, first: int = 1, count: int = MAX_REQUESTS, block: int | None = None
) -> list[RedemptionRequest]:
    """Return a token's redemption requests from number ``first``, in their order; at most ``count``."""
    function = contract(TOKEN).function
    [last] = ledger.call(token, function("redemptionCount"), block=block)
    numbers = range(first, min(last, first + min(count, MAX_REQUESTS) - 1) + 1)
    calls = [ContractCall(token, function("redemption"), (number,)) for number in numbers]
    return [
        RedemptionRequest(number, text(bic), amount_minor, requested_at_s, RedemptionState(state))
        for number, ((bic, amount_minor, requested_at_s, state),) in zip(
            numbers, _answered(ledger, calls, block), strict=True
        )
    ]


def evidence_of(ledger: Ledger, evidence: str, document_hash: bytes, *, block: int | None = None) -> Evidence | None:
    """Return who anchored a document's hash, as what and when; None where nobody did."""
    function = contract(EVIDENCE).function("evidenceOf")
    [(bic, document_type, anchored_at_s)] = ledger.call(evidence, function, document_hash, block=block)
    return Evidence(text(bic), text(document_type), anchored_at_s) if any(bic) else None


def obligation_records(
    ledger: Ledger, settlement: str, obligation_ids: Sequence[bytes], *, block: int | None = None
) -> list[ObligationRecord]:
    """Return what the ledger knows of obligations, in the order of their ids."""
    function = contract(SETTLEMENT).function("obligation")
    calls = [ContractCall(settlement, function, (one,)) for one in obligation_ids]
    records = [answer[0] for answer in _answered(ledger, calls, block)]
    return [ObligationRecord(ObligationState(state), *details) for state, *details in records]


def batch_of(
    ledger: Ledger, settlement: str, proposer: str, round_number: int, *, block: int | None = None
) -> bytes | None:
    """Return the id of the batch that settled in a proposer's round; None where none did."""
    function = contract(SETTLEMENT).function("batchOf")
    [batch_id] = ledger.call(settlement, function, proposer, round_number, block=block)
    return batch_id if any(batch_id) else None


def revealed_preimage(
    ledger: Ledger, settlement: str, obligation_id: bytes, attempt: int, *, since: int
) -> bytes | None:
    """Return the preimage with which an attempt at an obligation was claimed from block ``since`` on, or None."""
    logs = ledger.logs([settlement], since, ledger.head().number)
    shown = (one.values for one in occurrences(logs) if one.name == "ObligationClaimed")
    claims = (one for one in shown if (one["obligationId"], one["attempt"]) == (obligation_id, attempt))
    return next((bytes(one["preimage"]) for one in claims), None)


def verify_leg(ledger: Ledger, settlement: str, batch: Batch, proof: LegProof, *, block: int | None = None) -> bool:
    """Whether the contract finds the leg under both its parties' entries of a settled batch."""
    bound, leg = proof.bound, proof.bound.leg
    fields = (bound.obligation_id, bound.index, bound.count, leg.payer.encode(), leg.payee.encode(), leg.token)
    shown = (*fields, leg.amount_minor, proof.leg_proof, proof.payer_proof, proof.payee_proof)
    [holds] = ledger.call(settlement, contract(SETTLEMENT).function("verifyLeg"), _batch(batch), shown, block=block)
    return bool(holds)


def occurrences(logs: Iterable[Log]) -> list[Occurrence]:
    """Return the events of our contracts in ``logs``, in their order; others are left out.

    The caller asks only for logs of its own contracts' addresses: anybody can emit an event of the same shape.
    """
    found = []
    for log in logs:
        events = (contract(name).events.get(log.topics[0]) for name in KINDS if log.topics)
        if event := next((event for event in events if event), None):
            found.append(Occurrence(event.signature.name, event.decode(log.topics, log.data), log))
    return found


# Details


def _call(contract_name: str, to: str, function: str, *arguments: Any, gas: int = SMALL_CALL_GAS) -> Call:
    return Call(to, contract(contract_name).function(function).encode(*arguments), gas)


def _gas(*, legs: int) -> int:
    return SMALL_CALL_GAS + GAS_PER_LEG * legs


def _answered(ledger: Ledger, calls: Sequence[ContractCall], block: int | None) -> list[tuple[Any, ...]]:
    values = ledger.calls(calls, block=block)
    for value in values:
        if isinstance(value, ContractReverted):
            raise value
    return cast(list[tuple[Any, ...]], values)


def _key(address: str) -> str:
    return "" if int(address, 16) == 0 else address


def _participant(record: tuple[Any, ...]) -> ParticipantRecord:
    bic, lei, country, key, epoch, status, suspended_until_s, emergency_used = record
    names = (text(bic), text(lei), text(country), key)
    return ParticipantRecord(*names, epoch, ParticipantStatus(status), suspended_until_s, emergency_used)


def _legs(obligation: Obligation) -> tuple[bytes, list[tuple[Any, ...]]]:
    return instructions_hash(obligation.instructions), [_leg(leg) for leg in obligation.legs]


def _leg(leg: Leg) -> tuple[Any, ...]:
    return leg.payer.encode(), leg.payee.encode(), leg.chain_id, leg.token, leg.amount_minor


def _terms(terms: LockTerms) -> tuple[Any, ...]:
    other = (terms.other_chain_id, terms.other_settlement, terms.other_timelock_s)
    return (terms.attempt, terms.hashlock, terms.timelock_s, *other)


def _batch(batch: Batch) -> tuple[Any, ...]:
    head = (batch.proposer, batch.round, batch.deadline_s, batch.tokens)
    return (*head, [bic.encode() for bic in batch.participants], batch.entry_roots, batch.positions)


def _signature(signature: Signature) -> tuple[bytes, bytes]:
    return signature.r, signature.vs
