"""The embedded ledger: a chain inside this process, behind the same adapter as any node.

It answers JSON-RPC as a Besu node would, also where nodes are awkward: null for blocks to come, no logs beyond the
head, nonces not too far ahead. What works here has met those already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any, cast

from eth_bloom.bloom import BloomFilter
from eth_utils.address import to_canonical_address
from eth_utils.crypto import keccak
from rlp import encode as rlp_encode  # type: ignore[import-untyped]
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from corridor.ledger.adapter import Block, Ledger
from corridor.ledger.chain import BLOCK_GAS_LIMIT, EMBEDDED_CHAIN_ID, Chain, Refused
from corridor.ledger.rpc import Node

__all__ = ["EMBEDDED_CHAIN_ID", "EmbeddedLedger", "open_embedded"]

_MAX_LOG_BLOCKS = 5_000
# Receipts of a block are asked for one by one, right after it was mined.
_MAX_CACHED_BLOCKS = 8


class EmbeddedLedger(Ledger):
    """The adapter over an embedded chain. Make one with :func:`open_embedded`; close it, or use it in ``with``."""

    def __init__(self, chain: Chain, *, finality_blocks: int = 0) -> None:
        self._chain = chain
        self._provider = EmbeddedProvider(chain)
        super().__init__(Node(self._provider, "the embedded ledger"), finality_blocks=finality_blocks)

    def advance(self, at_s: int) -> None:
        """Make a block at ``at_s``, unless there is nothing to put into it and the ledger is at ``at_s`` already."""
        with self._provider.lock:
            if self._chain.pooled or at_s > self._chain.head.timestamp:
                self._chain.mine(at_s)

    def mine(self, at_s: int) -> Block:
        """Make a block at ``at_s`` (at least a second after the last one), with or without transactions."""
        with self._provider.lock:
            self._chain.mine(at_s)
        return self.head()

    def close(self) -> None:
        """Close the file."""
        with self._provider.lock:
            self._chain.close()

    def __enter__(self) -> EmbeddedLedger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_embedded(
    path: Path | None, *, genesis_at_s: int, finality_blocks: int = 0, chain_id: int = EMBEDDED_CHAIN_ID
) -> EmbeddedLedger:
    """Open the embedded ledger in the file ``path``, or make it; None keeps it in memory.

    Args:
        path: of the file; its directory must exist.
        genesis_at_s: time of the first block of a new ledger, before anything that will happen on it.
        finality_blocks: see :class:`Ledger`; blocks here are final at once.
        chain_id: of a new ledger; an old one must have this. Each of several ledgers needs its own.

    Raises:
        LedgerFileInUse: another process has it open.
        LedgerFileBroken: the file is no embedded ledger.
    """
    chain = Chain(path, genesis_at_s=genesis_at_s, chain_id=chain_id)
    return EmbeddedLedger(chain, finality_blocks=finality_blocks)


class EmbeddedProvider(JSONBaseProvider):
    """Answers the questions of the adapter from a chain, in the words of JSON-RPC."""

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self.lock = RLock()
        self._chain = chain
        self._receipts: dict[int, list[dict[str, Any]]] = {}
        self._methods: Mapping[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: "corridor-embedded/1",
            "eth_chainId": lambda: hex(chain.chain_id),
            "eth_gasPrice": lambda: "0x0",
            "eth_blockNumber": lambda: hex(chain.head.block_number),
            "eth_getBlockByNumber": self._block,
            "eth_getTransactionCount": self._transaction_count,
            "eth_getCode": self._code,
            "eth_call": self._call,
            "eth_getLogs": self._logs,
            "eth_sendRawTransaction": lambda raw: _hex(chain.send(_unhex(raw))),
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
        }

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """Answer one question."""
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": 0}
        with self.lock:
            try:
                if method not in self._methods:
                    raise Refused(-32601, "Method not found")
                answer["result"] = self._methods[method](*params)
            except Refused as refused:
                answer["error"] = {"code": refused.code, "message": refused.message}
            except _Reverted as reverted:
                answer["error"] = {"code": 3, "message": "Execution reverted", "data": _hex(reverted.data)}
        return cast(RPCResponse, answer)

    def make_batch_request(self, batch_requests: list[tuple[RPCEndpoint, Any]]) -> list[RPCResponse]:
        """Answer many questions, in their order."""
        return [self.make_request(method, params) for method, params in batch_requests]

    def is_connected(self, show_traceback: bool = False) -> bool:
        """It is part of this process."""
        return True

    def _header(self, tag: str) -> Any | None:
        if tag in ("latest", "pending"):
            return self._chain.head
        return self._chain.header(0 if tag == "earliest" else int(tag, 16))

    def _block(self, tag: str, _full: bool) -> dict[str, Any] | None:
        header = self._header(tag)
        if header is None:
            return None
        return {
            "number": hex(header.block_number),
            "hash": _hex(header.hash),
            "parentHash": _hex(header.parent_hash),
            "timestamp": hex(header.timestamp),
            "gasLimit": hex(header.gas_limit),
            "gasUsed": hex(header.gas_used),
            "extraData": _hex(header.extra_data),
        }

    def _transaction_count(self, address: str, tag: str) -> str | None:
        header = self._header(tag)
        return None if header is None else hex(self._chain.nonce(to_canonical_address(address), header))

    def _code(self, address: str, tag: str) -> str | None:
        header = self._header(tag)
        return None if header is None else _hex(self._chain.code(to_canonical_address(address), header))

    def _call(self, fields: Mapping[str, str], tag: str) -> str | None:
        header = self._header(tag)
        if header is None:
            return None
        gas = int(fields["gas"], 16) if "gas" in fields else BLOCK_GAS_LIMIT
        sender = to_canonical_address(fields["from"]) if "from" in fields else bytes(20)
        data = _unhex(fields.get("data", "0x"))
        outcome = self._chain.execute(to_canonical_address(fields["to"]), data, sender, gas, header)
        if outcome.out_of_gas:
            raise Refused(-32000, "Transaction processing could not be completed due to an exception")
        if outcome.reverted:
            raise _Reverted(outcome.output)
        return _hex(outcome.output)

    def _transaction(self, transaction_hash: str) -> dict[str, Any] | None:
        place = self._chain.transaction_place(_unhex(transaction_hash))
        if place is not None:
            return {"hash": transaction_hash, "blockNumber": hex(place[0]), "transactionIndex": hex(place[1])}
        if self._chain.in_pool(_unhex(transaction_hash)):
            return {"hash": transaction_hash, "blockNumber": None, "transactionIndex": None}
        return None

    def _receipt(self, transaction_hash: str) -> dict[str, Any] | None:
        place = self._chain.transaction_place(_unhex(transaction_hash))
        return None if place is None else self._block_receipts(place[0])[place[1]]

    def _logs(self, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        first, last = int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)
        if first > last or last > self._chain.head.block_number:
            raise Refused(-32602, "Invalid params")
        if last - first >= _MAX_LOG_BLOCKS:
            raise Refused(-32005, "Requested range exceeds maximum range limit")
        addresses = {address.lower() for address in wanted["address"]}
        found = []
        for number in range(first, last + 1):
            bloom = BloomFilter(cast(Any, self._header(hex(number))).bloom)
            if any(to_canonical_address(address) in bloom for address in addresses):
                logs = [log for receipt in self._block_receipts(number) for log in receipt["logs"]]
                found += [log for log in logs if log["address"] in addresses]
        return found

    def _block_receipts(self, number: int) -> list[dict[str, Any]]:
        if number not in self._receipts:
            if len(self._receipts) >= _MAX_CACHED_BLOCKS:
                del self._receipts[next(iter(self._receipts))]
            header = self._chain.header(number)
            self._receipts[number] = _receipts(header, *self._chain.block_contents(header))
        return self._receipts[number]


class _Reverted(Exception):
    def __init__(self, data: bytes) -> None:
        super().__init__("reverted")
        self.data = data


def _receipts(header: Any, transactions: tuple[Any, ...], receipts: tuple[Any, ...]) -> list[dict[str, Any]]:
    """A block's receipts as JSON-RPC shows them."""
    shown: list[dict[str, Any]] = []
    gas_before, log_index = 0, 0
    for place, (transaction, receipt) in enumerate(zip(transactions, receipts, strict=True)):
        where = {
            "blockNumber": hex(header.block_number),
            "blockHash": _hex(header.hash),
            "transactionHash": _hex(transaction.hash),
            "transactionIndex": hex(place),
        }
        logs = []
        for log in receipt.logs:
            topics = [_hex(topic.to_bytes(32, "big")) for topic in log.topics]
            logs.append(where | {"address": _hex(log.address), "topics": topics, "data": _hex(log.data)})
            logs[-1]["logIndex"] = hex(log_index)
            log_index += 1
        created = None if transaction.to else keccak(rlp_encode([transaction.sender, transaction.nonce]))[-20:]
        shown.append(
            where
            | {
                "status": hex(int.from_bytes(receipt.state_root, "big")),
                "from": _hex(transaction.sender),
                "to": _hex(transaction.to) if transaction.to else None,
                "gasUsed": hex(receipt.gas_used - gas_before),
                "cumulativeGasUsed": hex(receipt.gas_used),
                "contractAddress": _hex(created) if created else None,
                "logs": logs,
            }
        )
        gas_before = receipt.gas_used
    return shown


def _hex(data: bytes) -> str:
    return "0x" + bytes(data).hex()


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text[2:])
