"""The one module that talks to a ledger: blocks, calls, transactions, receipts.

Only what every node has is used: explicit block parameters, legacy transactions without value, receipts by hash. The
tags ``safe`` and ``finalized`` are not; finality is a setting, a number of blocks. Amounts are integers, hashes and
addresses lower-case hex text, times seconds of the ledger's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eth_abi.exceptions import DecodingError
from eth_account import Account

from corridor.ledger.abi import Function, decode_error
from corridor.ledger.errors import (
    ContractReverted,
    LedgerBehind,
    LedgerError,
    LedgerRefused,
    NonceTaken,
    TransactionTooLarge,
)
from corridor.ledger.rpc import Answer, Node, Question, RpcError, http_node

# Besu answers at most 5,000 blocks of logs at a time.
MAX_LOG_BLOCKS = 2_000
# Legacy transactions pay the whole gas price; twice the base fee lasts for at least five full blocks of rising fees.
BASE_FEE_MULTIPLE = 2
# geth and its kin take no larger transaction. Besu takes more: there the setting may be raised.
MAX_TRANSACTION_BYTES = 128 * 1024

Standing = Literal["accepted", "pooled", "mined"]


@dataclass(frozen=True, slots=True)
class Block:
    """A block's place, identity and time; its base fee in wei (0 where the ledger has none) and room in gas."""

    number: int
    hash: str
    timestamp_s: int
    base_fee: int = 0
    gas_limit: int = 0


@dataclass(frozen=True, slots=True)
class Log:
    """An event as the ledger keeps it."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: str
    transaction_hash: str
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction. ``status`` is 1 where it took effect, 0 where it reverted."""

    transaction_hash: str
    status: int
    block_number: int
    block_hash: str
    gas_used: int
    logs: tuple[Log, ...]
    contract_address: str | None = None


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction in the only form in which it is ever sent. ``raw`` is what is stored, before it is sent."""

    sender: str
    nonce: int
    hash: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class ContractCall:
    """A read of a contract, or a trial of a transaction where ``sender`` matters."""

    to: str
    function: Function
    arguments: tuple[Any, ...] = ()
    sender: str | None = None


class Ledger:
    """A ledger behind a node.

    Args:
        node: where questions go.
        finality_blocks: how many blocks must stand on a block before it is final; 0 where blocks are final at once.
        max_transaction_bytes: what the ledger's nodes take.
    """

    def __init__(
        self, node: Node, *, finality_blocks: int = 0, max_transaction_bytes: int = MAX_TRANSACTION_BYTES
    ) -> None:
        self.node = node
        self.max_transaction_bytes = max_transaction_bytes
        self.finality_blocks = finality_blocks
        self.chain_id = int(node.ask("eth_chainId"), 16)

    # Time

    def head(self) -> Block:
        """Return the newest block."""
        return self._block("latest")

    def block(self, number: int) -> Block:
        """Return block ``number``; :class:`LedgerBehind` where the node doesn't know it yet."""
        return self._block(hex(number))

    def final_head(self) -> Block:
        """Return the newest block that is final by this ledger's rule."""
        head = self.head()
        return head if not self.finality_blocks else self.block(max(0, head.number - self.finality_blocks))

    def is_final(self, receipt: Receipt) -> bool:
        """Whether the transaction's block is final and still the one at its height."""
        if receipt.block_number > self.final_head().number:
            return False
        return self.block(receipt.block_number).hash == receipt.block_hash

    def advance(self, at_s: int) -> None:
        """Let the ledger go on. A node makes blocks by itself; the embedded ledger makes one now, at ``at_s``."""

    def close(self) -> None:
        """Release what the ledger holds."""

    # Reads

    def call(
        self, to: str, function: Function, *arguments: Any, block: int | None = None, sender: str | None = None
    ) -> tuple[Any, ...]:
        """Return what a contract answers, at ``block`` (the newest by default).

        Raises:
            ContractReverted: the contract refused, with its reason.
            LedgerBehind: the node doesn't know the block.
        """
        [value] = self.calls([ContractCall(to, function, arguments, sender)], block=block)
        if isinstance(value, LedgerError):
            raise value
        return value

    def calls(
        self, calls: Sequence[ContractCall], *, block: int | None = None
    ) -> list[tuple[Any, ...] | ContractReverted]:
        """Return the answers of many calls in one question; a refused one as the error it would have raised."""
        data = [(call.to, call.function.encode(*call.arguments), call.sender) for call in calls]
        values: list[tuple[Any, ...] | ContractReverted] = []
        answers = self.node.answers([_call_question(*one, None, block) for one in data])
        for call, answer in zip(calls, answers, strict=True):
            outcome = self._call_outcome(answer, block)
            values.append(outcome if isinstance(outcome, ContractReverted) else _decoded(call, outcome))
        return values

    def try_transaction(self, sender: str, to: str, data: bytes, gas: int, *, block: int | None = None) -> bytes:
        """Execute a transaction without sending it, and return its answer.

        Raises:
            ContractReverted: it would revert, and why.
            TransactionTooLarge: the ledger has no room for it, ever.
        """
        self.require_room(data, gas)
        [answer] = self.node.answers([_call_question(to, data, sender, gas, block)])
        outcome = self._call_outcome(answer, block)
        if isinstance(outcome, ContractReverted):
            raise outcome
        return outcome

    def require_room(self, data: bytes, gas: int) -> None:
        """Raise :class:`TransactionTooLarge` where no block could take a transaction with this data and gas limit.

        To be called before signing: a stored transaction that is never mined blocks its sender's nonce.
        """
        block_gas = self.head().gas_limit
        if block_gas and gas > block_gas:
            raise TransactionTooLarge(
                f"the transaction may use {gas} gas, a block of {self.node.name} has {block_gas}",
                next_step="Settle fewer participants or currencies at a time, or raise the network's block gas limit",
                gas=gas,
                block_gas=block_gas,
            )
        # A signature and the other fields take less than 200 bytes.
        if len(data) + 200 > self.max_transaction_bytes:
            raise TransactionTooLarge(
                f"the transaction has {len(data)} bytes, nodes take {self.max_transaction_bytes} at most",
                next_step="Settle fewer participants or currencies at a time",
                size=len(data),
            )

    def account_nonce(self, address: str) -> int:
        """Return the number of the sender's transactions on the ledger (not in any pool)."""
        return int(self._known(self.node.ask("eth_getTransactionCount", address, "latest"), "latest"), 16)

    def code(self, address: str) -> bytes:
        """Return the contract code at ``address``; empty where there is none."""
        return _bytes(self._known(self.node.ask("eth_getCode", address, "latest"), "latest"))

    def receipt(self, transaction_hash: str) -> Receipt | None:
        """Return the receipt, or None where the transaction is not on the ledger (yet)."""
        return _receipt(self.node.ask("eth_getTransactionReceipt", transaction_hash))

    def receipts(self, transaction_hashes: Sequence[str]) -> list[Receipt | None]:
        """Return many receipts in one question, in the order of the hashes."""
        questions = [Question("eth_getTransactionReceipt", (one,)) for one in transaction_hashes]
        found = []
        for answer in self.node.answers(questions):
            if answer.error:
                raise answer.error.as_exception("eth_getTransactionReceipt")
            found.append(_receipt(answer.result))
        return found

    def logs(self, addresses: Sequence[str], from_block: int, to_block: int) -> Iterator[Log]:
        """Yield the events of the contracts at ``addresses`` from block to block (both included).

        Never asks beyond the newest block, which some nodes refuse; asks in ranges of :data:`MAX_LOG_BLOCKS`.
        """
        last = min(to_block, self.head().number)
        for start in range(from_block, last + 1, MAX_LOG_BLOCKS):
            end = min(start + MAX_LOG_BLOCKS - 1, last)
            wanted = {"address": list(addresses), "fromBlock": hex(start), "toBlock": hex(end)}
            yield from map(_log, self._known(self.node.ask("eth_getLogs", wanted), end))

    # Transactions

    def gas_price(self) -> int:
        """Return the gas price to sign with, in wei: 0 where gas is free, else twice the base fee."""
        return BASE_FEE_MULTIPLE * self.head().base_fee

    def sign(
        self, key: bytes, to: str | None, data: bytes, *, nonce: int, gas: int, gas_price: int
    ) -> SignedTransaction:
        """Sign a legacy transaction without value (EIP-155); ``to`` None creates a contract."""
        fields: dict[str, Any] = {
            "nonce": nonce,
            "gas": gas,
            "gasPrice": gas_price,
            "value": 0,
            "data": data,
            "chainId": self.chain_id,
            "to": b"" if to is None else bytes.fromhex(to[2:]),
        }
        account = Account.from_key(key)
        signed = account.sign_transaction(fields)
        return SignedTransaction(
            account.address.lower(), nonce, "0x" + signed.hash.hex().removeprefix("0x"), bytes(signed.raw_transaction)
        )

    def broadcast(self, transaction: SignedTransaction) -> Standing:
        """Send a signed transaction; sending it again changes nothing.

        Returns:
            ``accepted`` now, ``pooled`` (the node had it), or ``mined``.

        Raises:
            LedgerUnreachable: it may have arrived or not; send the same bytes again.
            NonceTaken: refused for good, another transaction with its nonce is on the ledger.
            LedgerRefused: refused now (say, too many in flight); the same bytes may be taken later.
        """
        [standing] = self.broadcast_all([transaction])
        if isinstance(standing, LedgerRefused):
            raise standing
        return standing

    def broadcast_all(self, transactions: Sequence[SignedTransaction]) -> list[Standing | LedgerRefused]:
        """Send many signed transactions in their order; return for each its standing or its refusal."""
        questions = [Question("eth_sendRawTransaction", ("0x" + one.raw.hex(),)) for one in transactions]
        standings: list[Standing | LedgerRefused] = []
        for transaction, answer in zip(transactions, self.node.answers(questions), strict=True):
            if answer.error is None and str(answer.result).lower() == transaction.hash:
                standings.append("accepted")
            else:
                error = answer.error or RpcError(0, f"it answers another hash, {answer.result}")
                standings.append(self._standing(transaction, error))
        return standings

    # Details

    def _block(self, tag: str) -> Block:
        raw = self._known(self.node.ask("eth_getBlockByNumber", tag, False), tag)
        base_fee = raw.get("baseFeePerGas")
        return Block(
            int(raw["number"], 16),
            raw["hash"].lower(),
            int(raw["timestamp"], 16),
            int(base_fee, 16) if base_fee else 0,
            int(raw.get("gasLimit", "0x0"), 16),
        )

    def _known(self, result: Any, block: object) -> Any:
        """Some nodes answer null, not an error, for a block that they don't have yet."""
        if result is None:
            raise LedgerBehind(
                f"{self.node.name} does not know block {block}",
                next_step="Try again in a moment: the node lags behind",
                block=str(block),
            )
        return result

    def _call_outcome(self, answer: Answer, block: int | None) -> bytes | ContractReverted:
        error = answer.error
        if error is None:
            return _bytes(self._known(answer.result, "latest" if block is None else block))
        # A revert is told by its code or its data. geth answers an empty revert with neither: only there the
        # text must do, and taking a revert for a refusal of the node would do no harm but a poorer message.
        if error.data is not None or error.code == 3 or "revert" in error.message.lower():
            data = error.data or b""
            return ContractReverted(*decode_error(data), data)
        if block is not None and self.head().number < block:
            self._known(None, block)
        raise error.as_exception("eth_call")

    def _standing(self, transaction: SignedTransaction, error: RpcError) -> Standing | LedgerRefused:
        """Decide what a refusal to take a transaction means, by receipt, pool and nonce, never by its text."""
        if self.receipt(transaction.hash):
            return "mined"
        if self.node.ask("eth_getTransactionByHash", transaction.hash):
            return "pooled"
        facts = {"transaction_hash": transaction.hash, "sender": transaction.sender, "nonce": transaction.nonce}
        if self.account_nonce(transaction.sender) > transaction.nonce:
            # It may have been mined between the two questions.
            if self.receipt(transaction.hash):
                return "mined"
            return NonceTaken(
                f"nonce {transaction.nonce} of {transaction.sender} was used by another transaction",
                rpc_code=error.code,
                rpc_message=error.message,
                next_step="Find out who else signs with this key: only this corridor may, with its own store",
                **facts,
            )
        return LedgerRefused(
            f"the node did not take transaction {transaction.hash}: {error.message} ({error.code})",
            rpc_code=error.code,
            rpc_message=error.message,
            next_step="It is stored: the same bytes will be sent again; check the node if it stays so",
            **facts,
        )


def connect(url: str, *, finality_blocks: int = 0, chain_id: int | None = None) -> Ledger:
    """Return the ledger behind the node at ``url``.

    Args:
        url: http or https address of a JSON-RPC API.
        finality_blocks: see :class:`Ledger`.
        chain_id: where given, the node must be on this chain.

    Raises:
        LedgerUnreachable: nobody answers there.
        LedgerRefused: the node is on another chain.
    """
    ledger = Ledger(http_node(url), finality_blocks=finality_blocks)
    if chain_id is not None and ledger.chain_id != chain_id:
        raise LedgerRefused(
            f"{ledger.node.name} is on chain {ledger.chain_id}, not on {chain_id}",
            rpc_code=0,
            rpc_message="other chain",
            next_step="Name the node of the ledger that this corridor was set up on, or set up a new one",
        )
    return ledger


def _call_question(to: str, data: bytes, sender: str | None, gas: int | None, block: int | None) -> Question:
    # Without a gas price, which would have to be covered; without gas for a read, nodes give their own maximum.
    fields = {"to": to, "data": "0x" + data.hex()}
    if gas is not None:
        fields["gas"] = hex(gas)
    if sender is not None:
        fields["from"] = sender
    return Question("eth_call", (fields, "latest" if block is None else hex(block)))


def _decoded(call: ContractCall, output: bytes) -> tuple[Any, ...]:
    try:
        return call.function.decode(output)
    except DecodingError:
        what = "another contract" if output else "no contract"
        raise LedgerRefused(
            f"there is {what} at {call.to}: {call.function.name} was answered with {len(output)} bytes",
            rpc_code=0,
            rpc_message="unusable answer",
            next_step="Check that the addresses belong to this ledger; deploy if it is a new one",
        ) from None


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _log(raw: Any) -> Log:
    return Log(
        raw["address"].lower(),
        tuple(_bytes(topic) for topic in raw["topics"]),
        _bytes(raw["data"]),
        int(raw["blockNumber"], 16),
        raw["blockHash"].lower(),
        raw["transactionHash"].lower(),
        int(raw["logIndex"], 16),
    )


def _receipt(raw: Any) -> Receipt | None:
    if raw is None or raw.get("blockNumber") is None:
        return None
    created = raw.get("contractAddress")
    return Receipt(
        raw["transactionHash"].lower(),
        int(raw["status"], 16),
        int(raw["blockNumber"], 16),
        raw["blockHash"].lower(),
        int(raw["gasUsed"], 16),
        tuple(_log(one) for one in raw["logs"]),
        created.lower() if created else None,
    )
