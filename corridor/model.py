"""The one idea: an obligation is a set of legs that are discharged together or not at all.

These are the shapes that banks sign, in the words of the glossary. How each is hashed and signed stands in
:mod:`corridor.typed_data`, how legs are bound under two parties' roots in :mod:`corridor.merkle`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from corridor.errors import CorridorError

# The contract's own bounds. Of an obligation: what fits one transaction and one bit per locked leg.
MAX_LEGS = 16
# How far off a consent's deadline may be.
MAX_CONSENT_S = 900
# Between a lock and its timelock.
MIN_LOCK_WINDOW_S, MAX_LOCK_WINDOW_S = 600, 7 * 24 * 3_600
# Between the timelocks of two ledgers: outage planned for, finality, clock skew.
SAFETY_MARGIN_S = 1_800
# The deposit tokens count balances in 112 bits.
MAX_LEG_AMOUNT_MINOR = 2**112 - 1

# One way to write each: what two texts say the same of could be signed as one thing and read as another.
_BIC = re.compile(r"[A-Z0-9]{11}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_UETR = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ObligationError(CorridorError):
    """Legs that cannot form an obligation."""

    code = "OBLIGATION"


@dataclass(frozen=True, slots=True, order=True)
class Leg:
    """``amount_minor`` of ``token`` on chain ``chain_id``, from ``payer`` to ``payee`` (BIC11 each).

    The field order is the canonical order of legs: payer, payee, chain, token.
    """

    payer: str
    payee: str
    chain_id: int
    token: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """What ties an obligation to a bank's message: whose it is, its UETR, and the hash of its content."""

    payer: str
    uetr: str
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class Obligation:
    """Instructions and the legs they ask for, both in canonical order. Make one with :func:`obligation`."""

    instructions: tuple[Instruction, ...]
    legs: tuple[Leg, ...]

    @property
    def payers(self) -> tuple[str, ...]:
        """The distinct payers in leg order: who signs a gross consent."""
        return tuple(dict.fromkeys(leg.payer for leg in self.legs))

    @property
    def parties(self) -> frozenset[str]:
        """Every bank that pays or is paid."""
        return frozenset(bic for leg in self.legs for bic in (leg.payer, leg.payee))


def obligation(instructions: Iterable[Instruction], legs: Iterable[Leg]) -> Obligation:
    """Return the obligation in canonical order: instructions by (payer, UETR), legs by (payer, payee, chain, token).

    Raises:
        ObligationError: no legs or more than :data:`MAX_LEGS`; a leg that pays its own payer, pays nothing, or
            stands twice (same payer, payee, chain and token: add the amounts instead); a BIC, token address, UETR or
            hash that is not written as such, or a number out of range.
    """
    instructions, legs = tuple(instructions), tuple(legs)
    for instruction in instructions:
        if not is_well_written_instruction(instruction):
            raise ObligationError(f"an instruction is not written as payer, UETR and 32-byte hash: {instruction}")
    for leg in legs:
        if not is_well_written_leg(leg):
            raise ObligationError(f"a leg is not written as BIC, BIC, chain, token address and amount: {leg}")
    ordered = sorted(legs, key=lambda leg: (leg.payer, leg.payee, leg.chain_id, int(leg.token, 16)))
    if not 1 <= len(ordered) <= MAX_LEGS:
        raise ObligationError(f"an obligation has 1 to {MAX_LEGS} legs, not {len(ordered)}")
    for leg in ordered:
        if leg.payer == leg.payee or leg.amount_minor <= 0:
            raise ObligationError(f"a leg moves a positive amount between two banks, not {leg}")
    for one, other in itertools.pairwise(ordered):
        # An address means the same in capitals.
        if (one.payer, one.payee, one.chain_id, one.token.lower()) == (
            other.payer,
            other.payee,
            other.chain_id,
            other.token.lower(),
        ):
            raise ObligationError(f"two legs from {one.payer} to {one.payee} in one token: add their amounts")
    by_payer = sorted(instructions, key=lambda instruction: (instruction.payer, instruction.uetr))
    return Obligation(tuple(by_payer), tuple(ordered))


def is_bic(text: object) -> bool:
    """Whether ``text`` is a BIC of eleven upper-case characters, and nothing beside it (such as a zero byte)."""
    return isinstance(text, str) and _BIC.fullmatch(text) is not None


def is_address(text: object) -> bool:
    """Whether ``text`` is 0x and forty hexadecimal digits."""
    return isinstance(text, str) and _ADDRESS.fullmatch(text) is not None


def is_integer(value: object, least: int, most: int) -> bool:
    """Whether ``value`` is an integer (no bool, no float) from ``least`` to ``most``."""
    return type(value) is int and least <= value <= most


def is_well_written_leg(leg: Leg) -> bool:
    """Whether every field is what it says, so that no two different legs hash to the same."""
    names = is_bic(leg.payer) and is_bic(leg.payee) and is_address(leg.token)
    numbers = is_integer(leg.chain_id, 1, 2**64 - 1) and is_integer(leg.amount_minor, 0, MAX_LEG_AMOUNT_MINOR)
    return names and numbers


def is_well_written_instruction(instruction: Instruction) -> bool:
    """Whether every field is what it says; a UETR is lower-case."""
    hash_ = instruction.content_hash
    is_uetr = isinstance(instruction.uetr, str) and _UETR.fullmatch(instruction.uetr) is not None
    return is_bic(instruction.payer) and is_uetr and isinstance(hash_, bytes) and len(hash_) == 32


@dataclass(frozen=True, slots=True)
class LockTerms:
    """Under what a leg is locked. The ``other_*`` fields are zero when all legs are on this ledger."""

    attempt: int
    hashlock: bytes
    timelock_s: int
    other_chain_id: int = 0
    other_settlement: str = "0x" + "00" * 20
    other_timelock_s: int = 0

    def mirrored(self, chain_id: int, settlement: str, attempt: int) -> LockTerms:
        """The terms as they stand on the other ledger, where it is attempt number ``attempt``.

        Args:
            chain_id, settlement: this ledger's, which is the other one's other ledger.
        """
        return LockTerms(attempt, self.hashlock, self.other_timelock_s, chain_id, settlement, self.timelock_s)


class ObligationState(IntEnum):
    """An obligation's life on the ledger. Claimed and settled are final."""

    NONE = 0
    LOCKED = 1
    CLAIMED = 2
    REFUNDED = 3
    SETTLED = 4


@dataclass(frozen=True, slots=True)
class ObligationRecord:
    """An obligation on the ledger. Bit i of ``locked_mask`` says that leg i is locked there; ``commitment`` is the
    first 25 bytes of the terms' hash."""

    state: ObligationState
    attempt: int
    locked_mask: int
    commitment: bytes = bytes(25)


@dataclass(frozen=True, slots=True)
class Batch:
    """A net settlement: one entry per participant, its net position per token and its entry root.

    ``positions`` is row-major: participant i's position in token j is ``positions[i * len(tokens) + j]``, received
    minus paid. Participants and tokens are strictly ascending; every token's column sums to zero.
    """

    proposer: str
    round: int
    deadline_s: int
    tokens: tuple[str, ...]
    participants: tuple[str, ...]
    entry_roots: tuple[bytes, ...]
    positions: tuple[int, ...]

    def position(self, participant: str, token: str) -> int:
        """Net position of ``participant`` in ``token``; zero where it has none."""
        if participant not in self.participants or token not in self.tokens:
            return 0
        row, column = self.participants.index(participant), self.tokens.index(token)
        return self.positions[row * len(self.tokens) + column]

    def entry_root(self, participant: str) -> bytes:
        """Root over the participant's counterparties, under which all its legs stand."""
        return self.entry_roots[self.participants.index(participant)]


@dataclass(frozen=True, slots=True)
class Signature:
    """A compact signature (ERC-2098). Both words zero: the participant consents by its own transaction."""

    r: bytes
    vs: bytes
