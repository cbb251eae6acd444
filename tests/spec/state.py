"""What the contracts remember, as plain Python: the state of the executable specification."""

from __future__ import annotations

from dataclasses import dataclass, field

DAY_S = 86_400


class Refused(Exception):
    """A call that takes no effect; the text is the name of the contract's error."""


def require(condition: object, error: str) -> None:
    if not condition:
        raise Refused(error)


@dataclass(frozen=True)
class Signed:
    """A consent as its meaning: whose key stands under which content. The content is a tuple of plain values."""

    key: str
    content: tuple


@dataclass
class Participant:
    key: str
    epoch: int = 0
    suspended: bool = False
    stopped_until_s: int = 0
    emergency_used: bool = False
    proposed_key: str = ""
    recovery_key: str = ""
    executable_at_s: int = 0


@dataclass
class Account:
    balance: int = 0
    held: int = 0
    frozen: bool = False


@dataclass
class Request:
    participant: str
    amount: int
    requested_at_s: int
    state: str = "Requested"


@dataclass
class Token:
    issuer: str
    country: str
    accounts: dict[str, Account] = field(default_factory=dict)
    issued: int = 0
    redeemed: int = 0
    paused: bool = False
    references: set[bytes] = field(default_factory=set)
    requests: list[Request] = field(default_factory=list)

    def account(self, bic: str) -> Account:
        return self.accounts.setdefault(bic, Account())


@dataclass
class Record:
    """An obligation: its state, its last attempt, its terms while locked, and the indexes of its locked legs."""

    state: str = "None"
    attempt: int = 0
    terms: tuple = ()
    locked: set[int] = field(default_factory=set)


@dataclass
class State:
    """Everything on one ledger. ``now_s`` is the time of the block in which the call is made."""

    chain_id: int
    settlement: str
    operator: str
    issuers: dict[str, str]
    now_s: int = 0
    participants: dict[str, Participant] = field(default_factory=dict)
    retired: set[str] = field(default_factory=set)
    tokens: dict[str, Token] = field(default_factory=dict)
    records: dict[tuple, Record] = field(default_factory=dict)
    rounds: dict[tuple[str, int], tuple] = field(default_factory=dict)
    approved: set[Signed] = field(default_factory=set)

    def active(self, bic: str) -> bool:
        one = self.participants.get(bic)
        return one is not None and not one.suspended and self.now_s >= one.stopped_until_s

    def bic_of(self, key: str) -> str:
        return next((bic for bic, one in self.participants.items() if one.key == key), "")

    def used(self, key: str) -> bool:
        return key in self.retired or bool(self.bic_of(key))
