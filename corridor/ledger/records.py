"""What the ledger's contracts know, in the corridor's own words: frozen records that the views return.

Amounts are minor units of the token's currency, times seconds of the ledger's clock, identities BICs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from corridor.ledger.adapter import Log


class ParticipantStatus(IntEnum):
    """A participant's standing in the register."""

    NONE = 0
    ACTIVE = 1
    SUSPENDED = 2


@dataclass(frozen=True, slots=True)
class ParticipantRecord:
    """A participant as the register has it; status NONE and empty fields where it was never admitted."""

    bic: str
    lei: str
    country: str
    key: str
    epoch: int
    status: ParticipantStatus
    suspended_until_s: int = 0
    emergency_used: bool = False


@dataclass(frozen=True, slots=True)
class KeyChange:
    """The changes of a participant's key that wait: for the issuer, the operator, or the end of the public delay.

    Attributes:
        proposed_key: by the participant itself; empty where there is none.
        recovery_key: by its issuer; empty where there is none.
        executable_at_s: when the recovery can be executed; 0 while the operator has not confirmed it.
    """

    proposed_key: str
    recovery_key: str
    executable_at_s: int


class RedemptionState(IntEnum):
    """A redemption request's life. Only a requested one still holds its amount."""

    NONE = 0
    REQUESTED = 1
    FULFILLED = 2
    REFUSED = 3
    WITHDRAWN = 4


@dataclass(frozen=True, slots=True)
class RedemptionRequest:
    """A bank's request to redeem, in minor units; ``requested_at_s`` on the ledger's clock."""

    number: int
    participant: str
    amount_minor: int
    requested_at_s: int
    state: RedemptionState


@dataclass(frozen=True, slots=True)
class Evidence:
    """A document's hash on the ledger: who anchored it, as what (four characters), and when."""

    participant: str
    document_type: str
    anchored_at_s: int


@dataclass(frozen=True, slots=True)
class Account:
    """What a participant has of one currency, in minor units. It can pay with what is not held."""

    balance_minor: int
    held_minor: int
    frozen: bool

    @property
    def available_minor(self) -> int:
        """Balance less held."""
        return self.balance_minor - self.held_minor


@dataclass(frozen=True, slots=True)
class Supply:
    """What an issuer has issued and redeemed of its token, in minor units, and whether it is paused."""

    issued_minor: int
    redeemed_minor: int
    supply_minor: int
    paused: bool


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event of one of our contracts: its name and values, and the log that holds it."""

    name: str
    values: Mapping[str, Any]
    log: Log
