"""Ape's ``test`` provider: a chain that is empty when a command starts and gone when it ends.

It is no node, so :func:`served` answers for it: JSON-RPC over loopback, which every part of the corridor can talk to as
it does to any node. :func:`throwaway_corridor` sets a whole corridor up there, with ape's test accounts as everybody's
keys, so that each command can be tried at once.
"""

from __future__ import annotations

import ast
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from eth_tester.exceptions import (  # type: ignore[import-untyped]
    BlockNotFound,
    TransactionFailed,
    TransactionNotFound,
    ValidationError,
)
from eth_utils.exceptions import ValidationError as ChainValidationError

from corridor.errors import CorridorError

# The value date of the messages in examples/messages.
EXAMPLE_DAY = date(2026, 11, 23)
# Reads without a gas limit: more than any of ours takes, less than a block.
_CALL_GAS = 10_000_000


class TooFewTestAccounts(CorridorError):
    """Ape is configured with fewer test accounts than the corridor has parties."""

    code = "TOO_FEW_TEST_ACCOUNTS"
    exit_code = 2


@contextmanager
def throwaway_corridor(provider: Any) -> Iterator[tuple[str, Path]]:
    """Set a corridor up on ape's test chain; yield the URL that answers for the chain, and the data directory."""
    from corridor import keys, logs
    from corridor.app import World
    from corridor.config import default_text, parse_config
    from corridor.setup import set_up

    logs.configure(verbose=False)
    config = parse_config(default_text())
    homes = ["operator", *(f"issuers/{code}" for code in config.currencies)]
    homes += [f"banks/{bic}" for bic in config.participants]
    accounts = list(provider.tester.backend.account_keys)
    if len(accounts) < len(homes):
        raise TooFewTestAccounts(
            f"the corridor has {len(homes)} parties, ape has {len(accounts)} test accounts",
            next_step="Raise test.number_of_accounts in ape-config.yaml",
        )
    with tempfile.TemporaryDirectory(prefix="corridor-") as folder, served(provider) as url:
        root = Path(folder)
        for home, account in zip(homes, accounts, strict=False):
            keys.make_key(root / home, bytes(account.to_bytes()))
        set_up(root, default_text(), url=url, day=EXAMPLE_DAY, seed=None, world=World(sleep=lambda _: None))
        yield url, root


@contextmanager
def served(provider: Any) -> Iterator[str]:
    """Answer JSON-RPC for ape's test chain on loopback; yield the URL."""
    with answering(TesterAnswers(provider.tester.ethereum_tester, provider.chain_id).answer) as url:
        yield url


@contextmanager
def answering(answer: Callable[[Any], Mapping[str, Any]]) -> Iterator[str]:
    """Answer each JSON-RPC request that is posted to loopback, from a thread of its own; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answered = [answer(one) for one in asked] if isinstance(asked, list) else answer(asked)
            body = json.dumps(answered).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class TesterAnswers:
    """The questions of the ledger adapter, answered from an ``EthereumTester`` in the words of JSON-RPC."""

    def __init__(self, tester: Any, chain_id: int) -> None:
        self._tester = tester
        self._methods: Mapping[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: "ape-test/1",
            "eth_chainId": lambda: chain_id,
            "eth_getBalance": lambda address, tag: tester.get_balance(address, _block(tag)),
            "eth_getBlockByNumber": lambda tag, _full: tester.get_block_by_number(_block(tag)),
            "eth_getTransactionCount": lambda address, tag: tester.get_nonce(address, _block(tag)),
            "eth_getCode": lambda address, tag: tester.get_code(address, _block(tag)),
            "eth_call": self._call,
            "eth_getLogs": lambda wanted: tester.get_logs(
                from_block=int(wanted["fromBlock"], 16), to_block=int(wanted["toBlock"], 16), address=wanted["address"]
            ),
            "eth_sendRawTransaction": tester.send_raw_transaction,
            "eth_getTransactionByHash": tester.get_transaction_by_hash,
            "eth_getTransactionReceipt": tester.get_transaction_receipt,
        }

    def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one JSON-RPC request."""
        head = {"jsonrpc": "2.0", "id": question.get("id")}
        method = str(question.get("method"))
        if method not in self._methods:
            return head | {"error": {"code": -32601, "message": f"{method} is not answered for ape's test provider"}}
        try:
            return head | {"result": _json(self._methods[method](*question.get("params", [])))}
        except (BlockNotFound, TransactionNotFound):
            return head | {"result": None}
        except TransactionFailed as failed:
            return head | {"error": _refusal(failed)}
        except (ValidationError, ChainValidationError) as refused:
            return head | {"error": {"code": -32000, "message": str(refused)}}

    def _call(self, fields: Mapping[str, str], tag: str) -> Any:
        block = self._tester.get_block_by_number(_block(tag))
        # This chain wants even a call's sender to afford its gas at the block's fee.
        call = {
            "from": fields.get("from") or self._tester.get_accounts()[0],
            "to": fields["to"],
            "data": fields.get("data", "0x"),
            "gas": int(fields.get("gas", hex(_CALL_GAS)), 16),
            "gas_price": block["base_fee_per_gas"],
        }
        return self._tester.call(call, block["number"])


def _block(tag: str) -> str | int:
    return tag if tag in ("latest", "earliest", "pending") else int(tag, 16)


def _json(value: Any) -> Any:
    """An answer of the tester as JSON-RPC writes it: names in camel case, numbers and bytes in hex."""
    if isinstance(value, Mapping):
        return {_camel(str(name)): _json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return hex(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _refusal(failed: Exception) -> dict[str, Any]:
    """What a node answers for a call that failed. The tester gives revert data as the text of a bytes literal."""
    text = str(failed)
    try:
        data = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return {"code": -32000, "message": text}
    if not isinstance(data, bytes):
        return {"code": -32000, "message": text}
    return {"code": 3, "message": "execution reverted", "data": "0x" + data.hex()}
