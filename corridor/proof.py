"""The evidence that a payment was made: nobody's word, only fields, hashes and what the ledger says.

A proof file holds the obligation (instructions and legs) and, for a net settlement, the batch with each leg's way to
both its parties' entries. Whoever has the file and a node can check it without anybody's database.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from corridor import wire
from corridor.errors import CorridorError
from corridor.ledger import contracts
from corridor.ledger.adapter import Ledger
from corridor.merkle import LegProof, ProofError
from corridor.model import Batch, Obligation, ObligationError, ObligationState, is_address, is_integer, obligation
from corridor.typed_data import batch_id, obligation_id

VERSION = 1


class ProofInvalid(CorridorError):
    """A proof file that does not prove what it says."""

    code = "PROOF_INVALID"
    exit_code = 5


@dataclass(frozen=True, slots=True)
class PaymentProof:
    """An obligation with the evidence that it was discharged by ``settlement`` on chain ``chain_id``.

    ``batch`` and ``leg_proofs`` (one per leg, in order) are those of a net settlement; a gross one has none: there the
    ledger itself keeps the obligation's id as settled.
    """

    version: int
    chain_id: int
    settlement: str
    obligation: Obligation
    batch: Batch | None
    leg_proofs: tuple[LegProof, ...]


def dump_proof(proof: PaymentProof) -> str:
    """Return the proof as a file's text."""
    return wire.dump(proof)


def load_proof(text: str) -> PaymentProof:
    """Read a proof file; :class:`ProofInvalid` where it is none.

    There is one way to write each proof, but for the layout: what nobody checks can't be added to it.
    """
    try:
        proof = wire.load(PaymentProof, text)
        exact = wire.plain(proof) == json.loads(text, object_pairs_hook=_no_key_twice)
    except (ValueError, RecursionError) as error:
        raise ProofInvalid(f"this is no proof file: {error}", next_step="Ask for the file again") from error
    if not exact or not all(is_address(address) and address.islower() for address in _addresses(proof)):
        raise _invalid("it is not written as a proof is: a field is too many, or spelled otherwise")
    if proof.version != VERSION:
        raise ProofInvalid(f"this proof has version {proof.version}, known is {VERSION}", next_step="Ask for it again")
    return proof


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _addresses(proof: PaymentProof) -> list[str]:
    """Every address of a proof: these alone mean the same in either case."""
    tokens = [leg.token for leg in proof.obligation.legs]
    batch = [proof.batch.proposer, *proof.batch.tokens] if proof.batch else []
    return [proof.settlement, *tokens, *batch]


def verify(proof: PaymentProof, ledger: Ledger, *, settlement: str) -> None:
    """Check a proof against the ledger, at a final block; return when it holds.

    Args:
        proof: as loaded.
        ledger: the verifier's own node.
        settlement: address of the settlement contract, as the verifier knows it from somebody it trusts.

    Raises:
        ProofInvalid: it does not hold; the message says which step fails.
    """
    if proof.chain_id != ledger.chain_id or proof.settlement.lower() != settlement.lower():
        where = f"chain {proof.chain_id}, contract {proof.settlement}"
        raise _invalid(f"it is about {where}, not about chain {ledger.chain_id}, contract {settlement}")
    try:
        canonical = obligation(proof.obligation.instructions, proof.obligation.legs) == proof.obligation
    except ObligationError as error:
        raise _invalid(error.message) from error
    if not canonical:
        raise _invalid("its obligation is not in canonical order")
    identifier = obligation_id(proof.obligation)
    if proof.batch is None:
        if proof.leg_proofs:
            raise _invalid("it proves legs under a batch, and names none")
        _verify_gross(identifier, ledger, settlement)
    else:
        _verify_net(proof, proof.batch, identifier, ledger, settlement)


def _verify_gross(identifier: bytes, ledger: Ledger, settlement: str) -> None:
    block = ledger.final_head().number
    [record] = contracts.obligation_records(ledger, settlement, [identifier], block=block)
    if record.state not in (ObligationState.SETTLED, ObligationState.CLAIMED):
        raise _invalid(f"the ledger has no obligation {identifier.hex()} that is discharged and final")


def _verify_net(proof: PaymentProof, batch: Batch, identifier: bytes, ledger: Ledger, settlement: str) -> None:
    try:
        named = batch_id(batch)
    except (ValueError, OverflowError) as error:
        raise _invalid("a field of the batch is out of its range") from error
    if not is_integer(batch.round, 0, 2**64 - 1):
        raise _invalid("the batch's round is out of its range")
    block = ledger.final_head().number
    taken = contracts.batch_of(ledger, settlement, batch.proposer, batch.round, block=block)
    if taken != named:
        raise _invalid(f"round {batch.round} of {batch.proposer} was not settled by this batch")
    if len(proof.leg_proofs) != len(proof.obligation.legs):
        raise _invalid("it does not prove every leg of the obligation")
    for index, (leg, leg_proof) in enumerate(zip(proof.obligation.legs, proof.leg_proofs, strict=True)):
        bound = leg_proof.bound
        expected = (identifier, index, len(proof.obligation.legs), leg)
        if (bound.obligation_id, bound.index, bound.count, bound.leg) != expected:
            raise _invalid(f"its evidence for leg {index} is about another leg")
        try:
            leg_proof.check(batch)
        except ProofError as error:
            raise _invalid(error.message) from error


def _invalid(why: str) -> ProofInvalid:
    return ProofInvalid(f"the proof does not hold: {why}", next_step="Do not rely on it")
