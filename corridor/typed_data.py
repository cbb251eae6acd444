"""What is signed, and how it hashes: EIP-712 typed data of the settlement contract.

The obligation id *is* the EIP-712 struct hash of the obligation and the batch id that of the batch, so a wallet
shows a signer the very fields that the contract checks. The encoding is written out here because a bank signs
thousands of these; tests compare every hash with an independent EIP-712 implementation and with the contracts.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

from corridor.model import Batch, Instruction, Leg, LockTerms, Obligation, Signature

NAME = "Corridor PvPSettlement"
VERSION = "1"

_INSTRUCTION = "Instruction(bytes11 payer,bytes16 uetr,bytes32 contentHash)"
_LEG = "Leg(bytes11 payer,bytes11 payee,uint256 chainId,address token,uint256 amount)"
_OBLIGATION = "Obligation(Instruction[] instructions,Leg[] legs)"
_TERMS = (
    "LockTerms(uint32 attempt,bytes32 hashlock,uint64 timelock,"
    "uint256 otherChainId,address otherSettlement,uint64 otherTimelock)"
)
_BATCH = (
    "Batch(address proposer,uint64 round,uint64 deadline,"
    "address[] tokens,bytes11[] participants,bytes32[] entryRoots,int256[] positions)"
)
_GROSS = "GrossConsent(bytes11 participant,uint32 epoch,uint64 deadline,Obligation obligation)"
_LOCK = "LockConsent(bytes11 participant,uint32 epoch,uint64 deadline,Obligation obligation,LockTerms terms)"
_NET = "NetConsent(bytes11 participant,uint32 epoch,Batch batch)"
_PROPOSAL = "BatchProposal(Batch batch)"
_SUBMISSION = "Submission(bytes11 participant,bytes32 messageHash)"
_DOMAIN = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


def _type_hash(*parts: str) -> bytes:
    return keccak("".join(parts).encode())


_INSTRUCTION_TYPE = _type_hash(_INSTRUCTION)
_LEG_TYPE = _type_hash(_LEG)
_OBLIGATION_TYPE = _type_hash(_OBLIGATION, _INSTRUCTION, _LEG)
_TERMS_TYPE = _type_hash(_TERMS)
_BATCH_TYPE = _type_hash(_BATCH)
_GROSS_TYPE = _type_hash(_GROSS, _INSTRUCTION, _LEG, _OBLIGATION)
_LOCK_TYPE = _type_hash(_LOCK, _INSTRUCTION, _LEG, _TERMS, _OBLIGATION)
_NET_TYPE = _type_hash(_NET, _BATCH)
_PROPOSAL_TYPE = _type_hash(_PROPOSAL, _BATCH)
_SUBMISSION_TYPE = _type_hash(_SUBMISSION)
_DOMAIN_TYPE = _type_hash(_DOMAIN)

# Every obligation of a full queue (20,000): each id is asked for a dozen times on the way to settlement.
_MAX_REMEMBERED_IDS = 20_000
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def word(value: int) -> bytes:
    """A 32-byte word, two's complement."""
    return value.to_bytes(32, "big", signed=value < 0)


def bic_word(bic: str) -> bytes:
    """A BIC11 as ``bytes11`` in a word. ValueError for one that another BIC would be the same word as."""
    if len(bic) > 11 or "\0" in bic:
        raise ValueError(f"{bic!r} is no BIC of eleven characters")
    return bic.encode("ascii").ljust(32, b"\0")


def address_word(address: str) -> bytes:
    """An address in a word. ValueError for more than twenty bytes."""
    if len(address) > 42:
        raise ValueError(f"{address!r} is no address")
    return bytes.fromhex(address[2:]).rjust(32, b"\0")


def uetr_bytes(uetr: str) -> bytes:
    """The 16 bytes of a UETR."""
    return bytes.fromhex(uetr.replace("-", ""))


def _hash(*words: bytes) -> bytes:
    return keccak(b"".join(words))


def instruction_hash(instruction: Instruction) -> bytes:
    """Struct hash of one instruction."""
    uetr = uetr_bytes(instruction.uetr).ljust(32, b"\0")
    return _hash(_INSTRUCTION_TYPE, bic_word(instruction.payer), uetr, instruction.content_hash)


def instructions_hash(instructions: Iterable[Instruction]) -> bytes:
    """What the contract is told of the instructions: their hash, so that no UETR goes on the chain."""
    return _hash(*(instruction_hash(instruction) for instruction in instructions))


def leg_hash(leg: Leg) -> bytes:
    """Struct hash of one leg."""
    return _hash(
        _LEG_TYPE,
        bic_word(leg.payer),
        bic_word(leg.payee),
        word(leg.chain_id),
        address_word(leg.token),
        word(leg.amount_minor),
    )


@functools.lru_cache(_MAX_REMEMBERED_IDS)
def obligation_id(obligation: Obligation) -> bytes:
    """What is paid, to whom, on whose behalf, in 32 bytes."""
    legs_hash = _hash(*(leg_hash(leg) for leg in obligation.legs))
    return _hash(_OBLIGATION_TYPE, instructions_hash(obligation.instructions), legs_hash)


def terms_hash(terms: LockTerms) -> bytes:
    """Struct hash of the terms of a lock."""
    return _hash(
        _TERMS_TYPE,
        word(terms.attempt),
        terms.hashlock,
        word(terms.timelock_s),
        word(terms.other_chain_id),
        address_word(terms.other_settlement),
        word(terms.other_timelock_s),
    )


def batch_id(batch: Batch) -> bytes:
    """Covers proposer, round, deadline and every entry."""
    return _hash(
        _BATCH_TYPE,
        address_word(batch.proposer),
        word(batch.round),
        word(batch.deadline_s),
        _hash(*map(address_word, batch.tokens)),
        _hash(*map(bic_word, batch.participants)),
        _hash(*batch.entry_roots),
        _hash(*map(word, batch.positions)),
    )


def domain_separator(chain_id: int, settlement: str) -> bytes:
    """Separates this chain, this contract and this version from every other."""
    name, version = keccak(NAME.encode()), keccak(VERSION.encode())
    return _hash(_DOMAIN_TYPE, name, version, word(chain_id), address_word(settlement))


def digest(domain: bytes, struct_hash: bytes) -> bytes:
    """The 32 bytes that a key signs."""
    return keccak(b"\x19\x01" + domain + struct_hash)


def gross_consent_digest(domain: bytes, participant: str, epoch: int, deadline_s: int, obligation: Obligation) -> bytes:
    """A payer's consent to one obligation, settled at once."""
    consent = (bic_word(participant), word(epoch), word(deadline_s), obligation_id(obligation))
    return digest(domain, _hash(_GROSS_TYPE, *consent))


def lock_consent_digest(
    domain: bytes, participant: str, epoch: int, deadline_s: int, obligation: Obligation, terms: LockTerms
) -> bytes:
    """A payer's consent to lock its legs of one obligation under ``terms``."""
    consent = (
        bic_word(participant),
        word(epoch),
        word(deadline_s),
        obligation_id(obligation),
        terms_hash(terms),
    )
    return digest(domain, _hash(_LOCK_TYPE, *consent))


def net_consent_digest(domain: bytes, participant: str, epoch: int, batch: Batch) -> bytes:
    """A participant's consent to its entry in a batch, and to nothing else in that round."""
    return digest(domain, _hash(_NET_TYPE, bic_word(participant), word(epoch), batch_id(batch)))


def batch_proposal_digest(domain: bytes, batch: Batch) -> bytes:
    """The proposer's word that this batch is for this round."""
    return digest(domain, _hash(_PROPOSAL_TYPE, batch_id(batch)))


def submission_digest(domain: bytes, participant: str, message_hash: bytes) -> bytes:
    """A bank's word that a message, by the hash of its bytes, is its own."""
    return digest(domain, _hash(_SUBMISSION_TYPE, bic_word(participant), message_hash))


def sign_digest(key: bytes, message_digest: bytes) -> Signature:
    """Sign with a 32-byte private key (RFC 6979, low s)."""
    signature = PrivateKey(key).sign_recoverable(message_digest, hasher=None)
    s = int.from_bytes(signature[32:64], "big")
    return Signature(signature[:32], word(s | signature[64] << 255))


def signer_of(message_digest: bytes, signature: Signature) -> str | None:
    """Return the address that signed, lower-case, or None where the signature is none at all."""
    vs = int.from_bytes(signature.vs, "big")
    s = vs & ((1 << 255) - 1)
    if s > _HALF_ORDER:
        return None
    try:
        compact = signature.r + word(s) + bytes([vs >> 255])
        public_key = PublicKey.from_signature_and_message(compact, message_digest, hasher=None)
    except ValueError:
        return None
    return address_of(public_key)


def address_of(public_key: PublicKey) -> str:
    """The address of a public key, lower-case."""
    return "0x" + keccak(public_key.format(compressed=False)[1:])[-20:].hex()
