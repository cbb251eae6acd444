"""Once and only once: a transaction is signed for a purpose, stored, and only then sent.

A *purpose* says what a transaction is for in the corridor's own words (``deploy:PvPSettlement``,
``settle:<batch id>``). Whatever happens afterwards, a purpose never gets a second transaction: after a restart the
stored bytes are sent again and the outcome is looked up by hash. Nonces come from the store, never from a node's
pool. That matters most where gas is free: there a second transaction with the same nonce silently takes the place
of the first.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from eth_account import Account

from corridor.ledger.adapter import Ledger, Receipt, SignedTransaction
from corridor.ledger.errors import LedgerError, LedgerRefused, NonceTaken, ReceiptTimeout

# Besu refuses nonces more than 200 ahead of the account and then leaves everything behind the refused one waiting;
# three quarters of it leave room for what was sent before a restart.
MAX_IN_FLIGHT = 150
# How long a transaction may take to be mined. A QBFT network needed 137 s for its first block after a halt of 90 s.
RECEIPT_TIMEOUT_S = 180
# Two looks for receipts are this far apart: four in the shortest usual block period.
POLL_PAUSE_S = 0.25
# What is not mined is sent again this often; a node that lost its pool has taken it back by then.
RESEND_PAUSE_S = 5

Sign = Callable[[int], SignedTransaction]


class StoreBroken(LedgerError):
    """The file with stored transactions cannot be read."""

    code = "TRANSACTION_STORE_BROKEN"


class TransactionStore(Protocol):
    """Where signed transactions live before they are sent. One store per sender's key and ledger, never two."""

    def find(self, purpose: str) -> SignedTransaction | None:
        """Return the transaction signed for ``purpose``, if any."""

    def add(self, purpose: str, sender: str, first_nonce: int, sign: Sign) -> SignedTransaction:
        """Sign for ``purpose`` with the sender's next nonce and store it, in one atomic and durable step.

        The next nonce is one above the highest stored for ``sender``, but not below ``first_nonce`` (what the sender
        used before this store existed). Where the purpose has a transaction already, return that one and sign
        nothing.
        """

    def since(self, sender: str, nonce: int) -> Sequence[SignedTransaction]:
        """Return the sender's stored transactions from ``nonce`` on, in the order of nonces."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A transaction to be made: for what, to whom (None creates a contract), with which call data and gas limit."""

    purpose: str
    to: str | None
    data: bytes
    gas: int


def send_once(
    ledger: Ledger,
    store: TransactionStore,
    key: bytes,
    intent: Intent,
    *,
    now_s: Callable[[], int],
    sleep: Callable[[float], None] = time.sleep,
    timeout_s: int = RECEIPT_TIMEOUT_S,
) -> Receipt:
    """Bring one transaction onto the ledger, exactly once, and return its receipt (see :func:`send_all`)."""
    [receipt] = send_all(ledger, store, key, [intent], now_s=now_s, sleep=sleep, timeout_s=timeout_s)
    return receipt


def send_all(
    ledger: Ledger,
    store: TransactionStore,
    key: bytes,
    intents: Sequence[Intent],
    *,
    now_s: Callable[[], int],
    sleep: Callable[[float], None] = time.sleep,
    timeout_s: int = RECEIPT_TIMEOUT_S,
) -> list[Receipt]:
    """Bring transactions onto the ledger, each exactly once, and return their receipts in the order of ``intents``.

    A receipt with status 0 is returned as well: the purpose has had its transaction, and it took no effect.
    :func:`why_reverted` tells why. To try again is a new purpose.

    Args:
        ledger: where to.
        store: keeps what was signed; must be the only one for this key on this ledger.
        key: 32-byte private key of the sender.
        intents: what to send; a purpose that was sent before is looked up instead.
        now_s: the clock; the embedded ledger mines at its time.
        sleep: called with seconds between two looks.
        timeout_s: how long the ledger may go without mining anything of this.

    Raises:
        ReceiptTimeout, LedgerUnreachable: call again with the same intents; nothing happens twice.
        NonceTaken: somebody else signs with this key.
        TransactionTooLarge: no block has room for one of them; nothing of its window was signed.
        LedgerRefused: the node does not take a transaction.
    """
    receipts: list[Receipt] = []
    for start in range(0, len(intents), MAX_IN_FLIGHT):
        window = intents[start : start + MAX_IN_FLIGHT]
        receipts += _send_window(ledger, store, key, window, now_s, sleep, timeout_s)
    return receipts


def why_reverted(ledger: Ledger, transaction: Intent, sender: str, receipt: Receipt) -> LedgerError:
    """Return the reason for which a mined transaction took no effect, by trying it on the state before its block.

    Where the trial succeeds (another transaction in the block came before it), that is said instead.
    """
    if transaction.to is not None:
        try:
            before = max(0, receipt.block_number - 1)
            ledger.try_transaction(sender, transaction.to, transaction.data, transaction.gas, block=before)
        except LedgerError as reason:
            return reason
    return LedgerError(
        f"transaction {receipt.transaction_hash} ({transaction.purpose}) took no effect",
        next_step="Another transaction in the same block came first: look at the state and decide anew",
        transaction_hash=receipt.transaction_hash,
    )


def _send_window(
    ledger: Ledger,
    store: TransactionStore,
    key: bytes,
    intents: Sequence[Intent],
    now_s: Callable[[], int],
    sleep: Callable[[float], None],
    timeout_s: int,
) -> list[Receipt]:
    signed = [store.find(intent.purpose) for intent in intents]
    if None in signed:
        for intent, stored in zip(intents, signed, strict=True):
            if stored is None:
                ledger.require_room(intent.data, intent.gas)
        sender, gas_price = Account.from_key(key).address.lower(), ledger.gas_price()
        _make_room(ledger, store, sender, len(intents), now_s, sleep, timeout_s)
        first_nonce = ledger.account_nonce(sender)
        signed = [
            store.add(intent.purpose, sender, first_nonce, _signer(ledger, key, intent, gas_price))
            for intent in intents
        ]
    transactions = [one for one in signed if one]
    receipts = ledger.receipts([one.hash for one in transactions])
    if all(receipts):
        return [receipt for receipt in receipts if receipt]
    return _until_mined(ledger, store, transactions, now_s, sleep, timeout_s)


def _signer(ledger: Ledger, key: bytes, intent: Intent, gas_price: int) -> Sign:
    return lambda nonce: ledger.sign(key, intent.to, intent.data, nonce=nonce, gas=intent.gas, gas_price=gas_price)


def _make_room(
    ledger: Ledger,
    store: TransactionStore,
    sender: str,
    wanted: int,
    now_s: Callable[[], int],
    sleep: Callable[[float], None],
    timeout_s: int,
) -> None:
    """Bring what is stored and open onto the ledger first, until ``wanted`` more fit the window."""
    open_ones = store.since(sender, ledger.account_nonce(sender))
    surplus = len(open_ones) + wanted - MAX_IN_FLIGHT
    if surplus > 0:
        _until_mined(ledger, store, open_ones[:surplus], now_s, sleep, timeout_s)


def _until_mined(
    ledger: Ledger,
    store: TransactionStore,
    transactions: Sequence[SignedTransaction],
    now_s: Callable[[], int],
    sleep: Callable[[float], None],
    timeout_s: int,
) -> list[Receipt]:
    """Send and wait until all are mined. Gives up after ``timeout_s`` in which nothing more was mined."""
    found: dict[str, Receipt] = {}
    refusal: LedgerRefused | None = None
    send_at_s = last_progress_s = now_s()
    looks = 0
    while True:
        missing = [one for one in transactions if one.hash not in found]
        if missing and now_s() >= send_at_s:
            # Also what is pooled already: a node drops transactions, say in a restart, without a word.
            refusal = _send_open(ledger, store, missing)
            send_at_s = now_s() + RESEND_PAUSE_S
        ledger.advance(now_s())
        fresh = [receipt for receipt in ledger.receipts([one.hash for one in missing]) if receipt]
        if len(fresh) == len(missing):
            found |= {receipt.transaction_hash: receipt for receipt in fresh}
            return [found[one.hash] for one in transactions]
        if fresh:
            found |= {receipt.transaction_hash: receipt for receipt in fresh}
            last_progress_s, looks = now_s(), 0
        looks += 1
        # Counting looks bounds the loop also where the clock stands still.
        if now_s() - last_progress_s > timeout_s or looks * POLL_PAUSE_S > timeout_s:
            raise refusal or ReceiptTimeout(
                f"{len(missing) - len(fresh)} transactions were not mined within {timeout_s} s",
                next_step="Call again: they are stored, will be looked up, and sent again if they got lost",
                transaction_hashes=[one.hash for one in missing if one.hash not in found],
            )
        sleep(POLL_PAUSE_S)


def _send_open(ledger: Ledger, store: TransactionStore, missing: Sequence[SignedTransaction]) -> LedgerRefused | None:
    """Send what is missing and everything stored before it, in the order of nonces; return a refusal for now."""
    sender, last_nonce = missing[0].sender, max(one.nonce for one in missing)
    next_nonce = ledger.account_nonce(sender)
    # Missing, though its nonce is used: mined this moment, or the place was taken. Sending it finds out which.
    overtaken = [one for one in missing if one.nonce < next_nonce]
    earlier = overtaken + [one for one in store.since(sender, next_nonce) if one.nonce <= last_nonce]
    refusal: LedgerRefused | None = None
    for standing in ledger.broadcast_all(earlier[:MAX_IN_FLIGHT]):
        if isinstance(standing, NonceTaken):
            raise standing
        if isinstance(standing, LedgerRefused):
            refusal = standing
    return refusal


class FileStore:
    """A :class:`TransactionStore` in a small JSON file, for what comes before there is a database: deployment.

    Args:
        path: of the file, written anew as a whole with each transaction; None keeps it in memory.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stored: dict[str, SignedTransaction] = _read(path) if path and path.exists() else {}

    def find(self, purpose: str) -> SignedTransaction | None:
        """See :class:`TransactionStore`."""
        return self._stored.get(purpose)

    def add(self, purpose: str, sender: str, first_nonce: int, sign: Sign) -> SignedTransaction:
        """See :class:`TransactionStore`."""
        if stored := self._stored.get(purpose):
            return stored
        used = [one.nonce for one in self._stored.values() if one.sender == sender]
        signed = sign(max([first_nonce, *(nonce + 1 for nonce in used)]))
        stored_now = self._stored | {purpose: signed}
        if self._path:
            write_durably(self._path, json.dumps(_as_json(stored_now), indent=1))
        self._stored = stored_now
        return signed

    def since(self, sender: str, nonce: int) -> Sequence[SignedTransaction]:
        """See :class:`TransactionStore`."""
        later = [one for one in self._stored.values() if one.sender == sender and one.nonce >= nonce]
        return sorted(later, key=lambda one: one.nonce)


def write_durably(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a file so that after a crash it has either its old content or all of the new one.

    ``mode`` (less the process's mask) holds from the first byte on: a secret is at no moment anybody else's to read.
    """
    beside = path.with_name(path.name + ".new")
    with open(beside, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, mode)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _as_json(stored: Mapping[str, SignedTransaction]) -> dict[str, dict[str, object]]:
    return {
        purpose: {"sender": one.sender, "nonce": one.nonce, "hash": one.hash, "raw": one.raw.hex()}
        for purpose, one in stored.items()
    }


def _read(path: Path) -> dict[str, SignedTransaction]:
    try:
        return {
            purpose: SignedTransaction(one["sender"], one["nonce"], one["hash"], bytes.fromhex(one["raw"]))
            for purpose, one in json.loads(path.read_text(encoding="utf-8")).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreBroken(
            f"{path} holds no stored transactions",
            next_step="Restore it from a backup: without it a transaction could be made twice",
            path=str(path),
        ) from error
