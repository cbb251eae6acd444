"""The embedded ledger's chain: eth-tester's py-evm chain, mined explicitly at the time of a clock that is passed in.

A Berlin virtual machine, because gas costs nothing there: London's base fee would want paying. Contracts compiled
for paris run on it unchanged, as long as they don't read the base fee.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth.db.atomic import AtomicDB
from eth.exceptions import HeaderNotFound, TransactionNotFound, UnrecognizedTransactionType
from eth.vm.forks.berlin import BerlinVM
from eth_tester import PyEVMBackend  # type: ignore[import-untyped]
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException  # type: ignore[import-untyped]

from corridor.ledger.chain_file import ChainFile
from corridor.ledger.errors import LedgerFileBroken

# No public chain uses it: a consent signed for an embedded ledger is worth nothing anywhere else. The digits are
# the telephone codes of Hong Kong (852) and Thailand (66), with a 4 between for the four kinds of parties.
EMBEDDED_CHAIN_ID = 852_466
# Room for a batch of thousands of positions in one block; public networks have some tens of millions.
BLOCK_GAS_LIMIT = 300_000_000
# As Besu: no sender may run further ahead of its account, so that what works here works there.
MAX_NONCES_AHEAD = 200
# 200 for each of 50 senders; more is a runaway client.
MAX_POOLED = 10_000

_ZERO_ADDRESS = bytes(20)
# Beside the chain's own entries, which have other keys.
_CHAIN_ID_ENTRY = b"corridor:chain-id"
_MALFORMED = (RLPException, ValidationError, UnrecognizedTransactionType, ValueError, TypeError, IndexError)


class Refused(Exception):
    """A transaction that the chain doesn't take; ``code`` as a Besu node would give it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Execution:
    """Outcome of a call: its answer, or its revert data."""

    reverted: bool
    output: bytes
    out_of_gas: bool = False


class Chain:
    """A chain in a file, or in memory.

    Args:
        path: of the file; None for a chain that ends with the process.
        genesis_at_s: time of the first block, used where the file is new.
        chain_id: of the chain; each of several ledgers must have its own.

    Raises:
        LedgerFileInUse, LedgerFileBroken: see :class:`ChainFile`; also a file of another chain.
    """

    def __init__(self, path: Path | None, *, genesis_at_s: int, chain_id: int = EMBEDDED_CHAIN_ID) -> None:
        self.chain_id = chain_id
        self._file = ChainFile(path)
        self._pool: dict[bytes, Any] = {}
        self._pooled_places: set[tuple[bytes, int]] = set()
        backend = PyEVMBackend(
            genesis_parameters=_genesis(genesis_at_s), genesis_state={}, vm_configuration=((0, BerlinVM),)
        )
        genesis = backend.chain

        # A class of its own, because a chain's id is an attribute of its class.
        self._chain_class: Any = type("EmbeddedChain", (type(genesis),), {"chain_id": chain_id})
        if self._file.is_new:
            for key, value in genesis.chaindb.db.wrapped_db.kv_store.items():
                self._file[key] = value
            self._file[_CHAIN_ID_ENTRY] = str(chain_id).encode()
            self._file.commit()
        elif self._file.get(_CHAIN_ID_ENTRY) != str(chain_id).encode():
            self._file.close()
            raise LedgerFileBroken(
                f"{path} is not a ledger of chain {chain_id}",
                next_step="Open it with the chain id that it was made with",
                path=str(path),
            )
        self._reopen()

    def _reopen(self) -> None:
        self._chain = self._chain_class(AtomicDB(self._file))

    def close(self) -> None:
        """Close the file. Transactions that were not mined are lost, as with a node's pool."""
        self._file.close()

    # Blocks

    @property
    def head(self) -> Any:
        """Header of the newest block."""
        return self._chain.chaindb.get_canonical_head()

    def header(self, number: int) -> Any | None:
        """Header of block ``number``, or None."""
        try:
            return self._chain.get_canonical_block_header_by_number(number)
        except HeaderNotFound:
            return None

    def mine(self, at_s: int) -> Any:
        """Put the pooled transactions into a block at ``at_s``, write it durably, and return its header.

        Blocks are at least a second apart, so where the head is at ``at_s`` or later the block comes a second after
        it. A transaction that is not next for its sender, or has no room, stays in the pool.
        """
        head = self.head
        chosen = self._choose(head)
        try:
            self._chain.header = self._chain.create_header_from_parent(
                head, timestamp=max(at_s, head.timestamp + 1), coinbase=_ZERO_ADDRESS
            )
            self._chain.mine_all(chosen)
            self._file.commit()
        except BaseException:
            self._file.discard()
            self._reopen()
            raise
        for transaction in chosen:
            del self._pool[transaction.hash]
            self._pooled_places.remove((transaction.sender, transaction.nonce))
        return self.head

    # Transactions

    @property
    def pooled(self) -> int:
        """How many transactions wait for a block."""
        return len(self._pool)

    def in_pool(self, transaction_hash: bytes) -> bool:
        """Whether the transaction waits for a block."""
        return transaction_hash in self._pool

    def send(self, raw: bytes) -> bytes:
        """Take a signed transaction into the pool and return its hash.

        Raises:
            Refused: malformed, for another chain, wanting value or gas price that nobody has here, known, or with
                a nonce that is used or too far ahead.
        """
        transaction = self._decode(raw)
        if transaction.hash in self._pool:
            raise Refused(-32000, "Known transaction")
        ahead = transaction.nonce - self.nonce(transaction.sender, self.head)
        if ahead < 0:
            raise Refused(-32001, "Nonce too low")
        if ahead > MAX_NONCES_AHEAD:
            raise Refused(-32000, "Transaction nonce is too distant from current sender nonce")
        place = (transaction.sender, transaction.nonce)
        if place in self._pooled_places:
            raise Refused(-32000, "Replacement transaction underpriced")
        if len(self._pool) >= MAX_POOLED:
            raise Refused(-32000, "Transaction pool is full")
        self._pool[transaction.hash] = transaction
        self._pooled_places.add(place)
        return bytes(transaction.hash)

    def transaction_place(self, transaction_hash: bytes) -> tuple[int, int] | None:
        """Block number and index of a mined transaction, or None."""
        try:
            number, index = self._chain.chaindb.get_transaction_index(transaction_hash)
        except TransactionNotFound:
            return None
        return int(number), int(index)

    def block_contents(self, header: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Transactions of a block and their receipts."""
        block = self._chain.get_block_by_header(header)
        return tuple(block.transactions), tuple(block.get_receipts(self._chain.chaindb))

    # State

    def nonce(self, address: bytes, header: Any) -> int:
        """Number of transactions of an account at a block."""
        return int(self._chain.get_vm(header).state.get_nonce(address))

    def code(self, address: bytes, header: Any) -> bytes:
        """Contract code at a block."""
        return bytes(self._chain.get_vm(header).state.get_code(address))

    def execute(self, to: bytes, data: bytes, sender: bytes, gas: int | None, header: Any) -> Execution:
        """Execute a call on the state after a block, at that block's time, and keep nothing of it."""
        machine = self._chain.get_vm(header)
        computation = machine.execute_bytecode(
            origin=sender,
            gas_price=0,
            gas=min(gas or BLOCK_GAS_LIMIT, BLOCK_GAS_LIMIT),
            to=to,
            sender=sender,
            value=0,
            data=data,
            code=machine.state.get_code(to),
        )
        if not computation.is_error:
            return Execution(False, bytes(computation.output))
        # Only a revert leaves gas; every other error burns it all and says nothing.
        return Execution(True, bytes(computation.output), out_of_gas=computation.should_burn_gas)

    # Details

    def _decode(self, raw: bytes) -> Any:
        try:
            transaction = self._chain.get_vm().get_transaction_builder().decode(raw)
            if transaction.gas < transaction.intrinsic_gas:
                raise Refused(-32003, "Intrinsic gas exceeds gas limit")
            transaction.validate()
            chain_id = transaction.chain_id
            sender = transaction.sender
        except _MALFORMED as error:
            raise Refused(-32602, "Invalid params") from error
        if chain_id != self.chain_id or not sender:
            raise Refused(-32000, "Wrong chainId")
        if transaction.gas_price or transaction.value:
            raise Refused(-32004, "Upfront cost exceeds account balance")
        if transaction.gas > BLOCK_GAS_LIMIT:
            raise Refused(-32005, "Transaction gas limit exceeds block gas limit")
        return transaction

    def _choose(self, head: Any) -> list[Any]:
        """Transactions for the next block: each sender's in the order of nonces, without gaps, while there is room."""
        by_sender: dict[bytes, list[Any]] = {}
        for transaction in self._pool.values():
            by_sender.setdefault(transaction.sender, []).append(transaction)
        chosen, room = [], BLOCK_GAS_LIMIT
        for sender, transactions in by_sender.items():
            expected = self.nonce(sender, head)
            for transaction in _ascending(transactions):
                if transaction.nonce != expected or transaction.gas > room:
                    break
                chosen.append(transaction)
                expected, room = expected + 1, room - transaction.gas
        return chosen


def _ascending(transactions: Iterable[Any]) -> list[Any]:
    return sorted(transactions, key=lambda transaction: int(transaction.nonce))


def _genesis(at_s: int) -> dict[str, Any]:
    parameters: dict[str, Any] = PyEVMBackend.generate_genesis_params(
        overrides={
            "timestamp": at_s,
            "gas_limit": BLOCK_GAS_LIMIT,
            # Proof-of-work fields with the values of a first block: the virtual machine is older than the merge.
            "difficulty": 1,
            "nonce": bytes(8),
            "mix_hash": bytes(32),
        }
    )
    return parameters
