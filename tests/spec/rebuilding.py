"""Everything the contracts know, rebuilt from their events alone: what a watcher with an empty database can do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from corridor.ledger.contracts import Occurrence

NOBODY = "0x" + "00" * 20


@dataclass
class Bank:
    key: str
    lei: str
    epoch: int = 0
    suspended: bool = False
    stopped_until_s: int = 0
    proposed_key: str = ""
    recovery_key: str = ""
    executable_at_s: int = 0


@dataclass
class Books:
    """Rebuilt state. Accounts are by (token address, BIC); locked legs by obligation, with payer, token and amount;
    redemption requests by (token address, number), with BIC, amount and state; approved consents by (key, digest).

    Left out are an ERC-20's allowances and permit nonces, which by its standard no event carries in full, and the
    time of a request or a document, which is its block's.
    """

    settlement: str
    banks: dict[str, Bank] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    balance: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    held: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    frozen: set[tuple[str, str]] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    issued: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    redeemed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    states: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    locked: dict[bytes, dict[int, tuple[str, str, int]]] = field(default_factory=lambda: defaultdict(dict))
    rounds: dict[tuple[str, int], bytes] = field(default_factory=dict)
    issuers: dict[str, str] = field(default_factory=dict)
    requests: dict[tuple[str, int], tuple[str, int, str]] = field(default_factory=dict)
    references: set[tuple[str, bytes]] = field(default_factory=set)
    approved: set[tuple[str, bytes]] = field(default_factory=set)
    evidence: dict[bytes, tuple[str, str]] = field(default_factory=dict)


def rebuild(events: Iterable[Occurrence], settlement: str) -> Books:
    """Fold events, oldest first. An event of a name that is not understood is an error: nothing is left out."""
    books = Books(settlement)
    for event in events:
        _FOLDS[event.name](books, event.values, event.log.address)
    return books


def _jurisdiction(books: Books, v: dict, _: str) -> None:
    books.issuers[v["country"]] = v["issuer"]


def _admitted(books: Books, v: dict, _: str) -> None:
    books.banks[v["participant"]] = Bank(v["key"], v["lei"])
    books.owners[v["key"]] = v["participant"]


def _rotated(books: Books, v: dict, _: str) -> None:
    one = books.banks[v["participant"]]
    one.key, one.epoch = v["newKey"], v["epoch"]
    one.proposed_key = one.recovery_key = ""
    one.executable_at_s = 0
    del books.owners[v["oldKey"]]
    books.owners[v["newKey"]] = v["participant"]


def _standing(suspended: bool):
    def fold(books: Books, v: dict, _: str) -> None:
        one = books.banks[v["participant"]]
        one.suspended, one.stopped_until_s = suspended, 0

    return fold


def _stopped(books: Books, v: dict, _: str) -> None:
    books.banks[v["participant"]].stopped_until_s = v["suspendedUntil"]


def _key_proposed(books: Books, v: dict, _: str) -> None:
    books.banks[v["participant"]].proposed_key = "" if v["newKey"] == NOBODY else v["newKey"]


def _recovery(books: Books, v: dict, _: str) -> None:
    one = books.banks[v["participant"]]
    one.recovery_key, one.executable_at_s = v["newKey"], v.get("executableAt", 0)


def _recovery_ended(books: Books, v: dict, _: str) -> None:
    one = books.banks[v["participant"]]
    one.recovery_key, one.executable_at_s = "", 0


def _revoked(books: Books, v: dict, _: str) -> None:
    books.banks[v["participant"]].epoch = v["epoch"]


def _transferred(books: Books, v: dict, token: str) -> None:
    # The settlement contract stands between the parties of a netting; it never holds a balance.
    for key, sign in ((v["from"], -1), (v["to"], 1)):
        if key not in (NOBODY, books.settlement):
            books.balance[token, books.owners[key]] += sign * v["value" if "value" in v else "amount"]


def _issued(books: Books, v: dict, token: str) -> None:
    books.issued[token] += v["amount"]
    books.references.add((token, v["reserveReference"]))


def _requested(books: Books, v: dict, token: str) -> None:
    books.held[token, v["participant"]] += v["amount"]
    books.requests[token, v["number"]] = (v["participant"], v["amount"], "REQUESTED")


def _request_ended(state: str):
    def fold(books: Books, v: dict, token: str) -> None:
        books.held[token, v["participant"]] -= v["amount"]
        books.requests[token, v["number"]] = (v["participant"], v["amount"], state)

    return fold


def _redeemed(books: Books, v: dict, token: str) -> None:
    _request_ended("FULFILLED")(books, v, token)
    books.redeemed[token] += v["amount"]
    books.references.add((token, v["reserveReference"]))


def _frozen(books: Books, v: dict, token: str) -> None:
    books.frozen.add((token, v["participant"]))


def _unfrozen(books: Books, v: dict, token: str) -> None:
    books.frozen.remove((token, v["participant"]))


def _settled(books: Books, v: dict, _: str) -> None:
    attempt = books.states.get(v["obligationId"], ("", 0))[1]
    books.states[v["obligationId"]] = ("SETTLED", attempt)


def _batch(books: Books, v: dict, _: str) -> None:
    books.rounds[v["proposer"], v["round"]] = v["batchId"]


def _locked(books: Books, v: dict, _: str) -> None:
    books.states[v["obligationId"]] = ("LOCKED", v["attempt"])
    books.locked[v["obligationId"]][v["legIndex"]] = (v["payer"], v["token"], v["amount"])
    books.held[v["token"], v["payer"]] += v["amount"]


def _freed(books: Books, obligation: bytes, index: int) -> None:
    payer, token, amount = books.locked[obligation].pop(index)
    books.held[token, payer] -= amount


def _claimed(books: Books, v: dict, _: str) -> None:
    for index in list(books.locked[v["obligationId"]]):
        _freed(books, v["obligationId"], index)
    books.states[v["obligationId"]] = ("CLAIMED", v["attempt"])


def _refunded(books: Books, v: dict, _: str) -> None:
    _freed(books, v["obligationId"], v["legIndex"])
    if not books.locked[v["obligationId"]]:
        books.states[v["obligationId"]] = ("REFUNDED", v["attempt"])


def _approved(books: Books, v: dict, _: str) -> None:
    books.approved.add((v["key"], v["digest"]))


def _unapproved(books: Books, v: dict, _: str) -> None:
    books.approved.remove((v["key"], v["digest"]))


def _anchored(books: Books, v: dict, _: str) -> None:
    books.evidence[v["documentHash"]] = (v["participant"], v["documentType"])


_FOLDS = {
    "JurisdictionRegistered": _jurisdiction,
    "ParticipantAdmitted": _admitted,
    "ParticipantSuspended": _standing(True),
    "ParticipantReinstated": _standing(False),
    "ParticipantSuspendedForADay": _stopped,
    "KeyProposed": _key_proposed,
    "RecoveryProposed": _recovery,
    "RecoveryConfirmed": _recovery,
    "RecoveryObjected": _recovery_ended,
    "RecoveryWithdrawn": _recovery_ended,
    "KeyRotated": _rotated,
    "ConsentsRevoked": _revoked,
    "Transfer": _transferred,
    "Issued": _issued,
    "RedemptionRequested": _requested,
    "RedemptionRefused": _request_ended("REFUSED"),
    "RedemptionWithdrawn": _request_ended("WITHDRAWN"),
    "Redeemed": _redeemed,
    "ParticipantFrozen": _frozen,
    "ParticipantUnfrozen": _unfrozen,
    "Paused": lambda books, _, token: books.paused.add(token),
    "Unpaused": lambda books, _, token: books.paused.remove(token),
    "ObligationSettled": _settled,
    "BatchSettled": _batch,
    "LegLocked": _locked,
    "ObligationClaimed": _claimed,
    "LegRefunded": _refunded,
    "ConsentApproved": _approved,
    "ConsentUnapproved": _unapproved,
    "EvidenceAnchored": _anchored,
}
