"""The narrow interface between the operator and a bank's agent.

Everything that crosses it is plain data, so that it can become a network call. The operator asks and delivers; the
agent submits, consents or refuses. Neither sees the other's store, and no key crosses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from corridor.errors import CorridorError
from corridor.merkle import LegProof
from corridor.model import Batch, Obligation, Signature


class ConsentRefused(CorridorError):
    """A bank does not sign. ``obligation_ids`` are those it objects to; none means it signs nothing now."""

    code = "CONSENT_REFUSED"

    def __init__(self, bank: str, rule: str, message: str, obligation_ids: frozenset[bytes] = frozenset()) -> None:
        super().__init__(f"{bank} refuses ({rule}): {message}", bank=bank, rule=rule)
        self.bank = bank
        self.rule = rule
        self.obligation_ids = obligation_ids


@dataclass(frozen=True, slots=True)
class Submission:
    """A bank's message as it wrote it, and its signature over the hash of these bytes."""

    bank: str
    raw: bytes
    signature: Signature


@dataclass(frozen=True, slots=True)
class Amendment:
    """A bank's wish for its own queued payment: ``hold``, ``release``, ``cancel`` or ``priority`` (with 1 or 2)."""

    bank: str
    uetr: str
    verb: str
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the operator answered: the file names of the messages now in the bank's outbox.

    ``refused_whole``: the message as such was not taken in, so no transaction of it was judged.
    """

    files: tuple[str, ...]
    accepted: int
    refused: int
    refused_whole: bool
    seen_before: bool


@dataclass(frozen=True, slots=True)
class GrossProposal:
    """One obligation to settle by itself until ``deadline_s``."""

    obligation: Obligation
    deadline_s: int


@dataclass(frozen=True, slots=True)
class NetProposal:
    """A batch, as one bank needs to see it.

    Attributes:
        batch: everybody's net positions and entry roots.
        obligations: every obligation that the bank has part in, whole.
        pair_proofs: per counterparty, the proof that the pair root stands under the *counterparty's* entry root.
        other_legs: proofs of the legs between two other banks in these obligations.
    """

    batch: Batch
    obligations: tuple[Obligation, ...]
    pair_proofs: dict[str, tuple[bytes, ...]]
    other_legs: tuple[LegProof, ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message for the bank. ``name`` is unique and says what it is; the same name is always the same message.

    With a forwarded payment come the ``obligations`` that its transactions are part of, whole: the bank credits what
    hashes to one that is discharged and final on its own node, and nothing else. ``ended`` are the bank's own payments
    (UETRs) that this message ends unsettled, so that no consent may be given for them any more: ``cancelled`` for good,
    or ``refused`` with a whole message that was not taken in, after which they may be sent anew.
    """

    name: str
    is_forward: bool
    body: bytes
    obligations: tuple[Obligation, ...]
    ended: Mapping[str, tuple[str, ...]]


class AgentPort(Protocol):
    """What the operator may ask of a bank's agent."""

    def gross_consent(self, proposal: GrossProposal) -> Signature:
        """Consent to settle one obligation; :class:`ConsentRefused` otherwise."""

    def net_consent(self, proposal: NetProposal) -> Signature:
        """Consent to the bank's entry in a batch; :class:`ConsentRefused` otherwise."""

    def deliver(self, delivery: Delivery) -> None:
        """Take a message, once: delivering it again changes nothing."""


class OperatorPort(Protocol):
    """What a bank's agent may ask of the operator."""

    def submit(self, submission: Submission) -> Answer:
        """Take in a message; the same message is answered the same way."""

    def amend(self, amendment: Amendment, signature: Signature) -> None:
        """Change a queued payment at its payer's wish."""
