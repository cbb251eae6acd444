"""The adapter before nodes that answer as Besu, geth and anvil were recorded to, and before broken ones."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from eth_account import Account

from corridor.ledger import adapter, rpc
from corridor.ledger.abi import Function, Signature
from corridor.ledger.errors import (
    ContractReverted,
    LedgerBehind,
    LedgerRefused,
    LedgerUnreachable,
    NonceTaken,
    TransactionTooLarge,
)

RECORDED = Path(__file__).resolve().parents[2] / ".." / "shared" / "rpc-answers"
NODES = ["besu", "geth", "anvil"]
SUPPLY = Function(Signature("totalSupply", (), ()), Signature("", ("",), ("uint256",)))
TOKEN = "0x" + "22" * 20
PAYING_BANK = b"\x01" * 32
RECEIPT = {
    "transactionHash": "0x" + "aa" * 32,
    "status": "0x1",
    "blockNumber": "0x5",
    "blockHash": "0x" + "bb" * 32,
    "gasUsed": "0x5208",
    "logs": [],
    "contractAddress": None,
}


def block(number, **changes):
    head = {"number": hex(number), "hash": "0x" + f"{number:064x}", "timestamp": hex(1_790_000_000 + number)}
    return head | {"extraData": "0x" + "f8" * 327, "gasLimit": hex(30_000_000)} | changes


def recorded(node, name):
    if not RECORDED.exists():
        pytest.skip("../shared/rpc-answers is not here")
    entry = json.loads((RECORDED / f"{node}.json").read_text())[name]
    answer = entry["answer"]
    if isinstance(answer, str):
        pytest.skip(f"{name} of {node} was cut when it was recorded")
    return answer


class StandIn:
    """A node whose answers are set by method; unset ones are refused. Remembers what it was asked."""

    def __init__(self):
        self.answers = {"eth_chainId": {"result": "0x4f24"}, "eth_getBlockByNumber": {"result": block(7)}}
        self.asked = []
        self.batches = []
        self.http = []

    def reply(self, request):
        if isinstance(request, list):
            self.batches.append(len(request))
            if len(request) > 1024:
                error = {"code": -32005, "message": "Number of requests exceeds max batch size"}
                return {"jsonrpc": "2.0", "id": None, "error": error}
            return [self.one(one) for one in reversed(request)]
        return self.one(request)

    def one(self, request):
        self.asked.append((request["method"], request["params"]))
        answer = self.answers.get(request["method"], {"error": {"code": -32601, "message": "Method not found"}})
        answer = answer(*request["params"]) if callable(answer) else answer
        return {"jsonrpc": "2.0", "id": request["id"]} | answer

    def methods(self):
        return [method for method, _ in self.asked]


@contextmanager
def serving(stand_in):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = stand_in.http.pop(0) if stand_in.http else (200, json.dumps(stand_in.reply(request)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def node():
    stand_in = StandIn()
    stand_in.pauses = []
    with serving(stand_in) as url:
        stand_in.url = url
        stand_in.ledger = adapter.Ledger(rpc.http_node(url, sleep=stand_in.pauses.append))
        stand_in.asked.clear()
        yield stand_in


def signed(node, nonce=3):
    return node.ledger.sign(PAYING_BANK, TOKEN, b"\x01", nonce=nonce, gas=60_000, gas_price=0)


# Blocks


def test_a_header_with_signatures_of_validators_is_read(node):
    assert node.ledger.head() == adapter.Block(7, "0x" + f"{7:064x}", 1_790_000_007, 0, 30_000_000)


def test_the_final_block_is_as_many_behind_as_the_setting_says(node):
    node.ledger.finality_blocks = 3
    node.answers["eth_getBlockByNumber"] = lambda tag, _: {"result": block(7 if tag == "latest" else int(tag, 16))}
    assert node.ledger.final_head().number == 4
    assert "safe" not in str(node.asked)
    assert "finalized" not in str(node.asked)


def test_a_receipt_is_final_only_while_its_block_is_the_one_at_its_height(node):
    node.answers["eth_getBlockByNumber"] = lambda tag, _: {"result": block(7 if tag == "latest" else int(tag, 16))}
    receipt = adapter.Receipt("0xaa", 1, 5, "0x" + f"{5:064x}", 21_000, ())
    assert node.ledger.is_final(receipt)
    assert not node.ledger.is_final(adapter.Receipt("0xaa", 1, 5, "0x" + "cc" * 32, 21_000, ()))
    node.ledger.finality_blocks = 3
    assert not node.ledger.is_final(receipt)


@pytest.mark.parametrize("name", NODES)
def test_a_block_that_the_node_does_not_have_yet_is_a_node_that_lags(node, name):
    node.answers["eth_getBlockByNumber"] = recorded(name, "block_future")
    with pytest.raises(LedgerBehind):
        node.ledger.block(0xFFFFFF)


@pytest.mark.parametrize("name", NODES)
def test_a_call_at_a_block_to_come_is_a_node_that_lags_however_it_says_so(node, name):
    node.answers["eth_call"] = recorded(name, "eth_call_future")
    with pytest.raises(LedgerBehind):
        node.ledger.call(TOKEN, SUPPLY, block=0xFFFFFF)


@pytest.mark.parametrize(
    ("base_fee", "price"), [({}, 0), ({"baseFeePerGas": "0x0"}, 0), ({"baseFeePerGas": "0x7"}, 14)]
)
def test_the_gas_price_is_nothing_where_gas_is_free_and_twice_the_base_fee_elsewhere(node, base_fee, price):
    node.answers["eth_getBlockByNumber"] = {"result": block(7, **base_fee)}
    assert node.ledger.gas_price() == price


# Calls


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize(
    ("case", "error", "size"),
    [("boomStr", "Error", None), ("boomPanic", "Panic", 36), ("boomCustom", "", 68), ("boomEmpty", "", 0)],
)
def test_a_revert_is_known_by_its_data_whatever_the_node_writes(node, name, case, error, size):
    node.answers["eth_call"] = recorded(name, f"eth_call_{case}")
    with pytest.raises(ContractReverted) as refused:
        node.ledger.call(TOKEN, SUPPLY)
    assert refused.value.error == error
    assert size is None or len(refused.value.data) == size


@pytest.mark.parametrize("name", NODES)
def test_a_call_without_enough_gas_is_refused_and_not_taken_for_an_answer(node, name):
    node.answers["eth_call"] = recorded(name, "eth_call_gas_too_low")
    with pytest.raises(LedgerRefused):
        node.ledger.call(TOKEN, SUPPLY)


@pytest.mark.parametrize(("answer", "message"), [("0x", "no contract at"), ("0x07", "another contract at")])
def test_a_call_to_an_address_without_our_contract_says_so(node, answer, message):
    node.answers["eth_call"] = {"result": answer}
    with pytest.raises(LedgerRefused, match=message):
        node.ledger.call(TOKEN, SUPPLY)


def test_every_question_names_its_block(node):
    node.answers |= {"eth_getTransactionCount": {"result": "0x9"}, "eth_getCode": {"result": "0x60"}}
    node.answers["eth_call"] = {"result": "0x" + f"{5:064x}"}
    assert (node.ledger.account_nonce(TOKEN), node.ledger.code(TOKEN), node.ledger.call(TOKEN, SUPPLY)) == (
        9,
        b"\x60",
        (5,),
    )
    assert [params[1] for _, params in node.asked] == ["latest"] * 3
    node.ledger.call(TOKEN, SUPPLY, block=5)
    assert node.asked[-1][1][1] == "0x5"


def test_a_stack_trace_in_an_error_is_cut_short(node):
    node.answers["eth_call"] = {"error": {"code": -32603, "message": "Internal error\n" + "at org.besu.X\n" * 300}}
    with pytest.raises(LedgerRefused) as refused:
        node.ledger.call(TOKEN, SUPPLY)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize(("size", "gas"), [(100, 30_000_001), (128 * 1024, 100_000)])
def test_what_no_block_has_room_for_is_refused_before_it_is_signed(node, size, gas):
    with pytest.raises(TransactionTooLarge, match="Settle fewer"):
        node.ledger.require_room(bytes(size), gas)
    node.ledger.require_room(bytes(100_000), 30_000_000)


# Logs


def test_logs_are_never_asked_for_beyond_the_head_nor_in_too_wide_a_range(node):
    node.answers |= {"eth_getBlockByNumber": {"result": block(4_500)}, "eth_getLogs": {"result": []}}
    assert list(node.ledger.logs([TOKEN], 1, 10**9)) == []
    ranges = [(p[0]["fromBlock"], p[0]["toBlock"]) for m, p in node.asked if m == "eth_getLogs"]
    assert ranges == [(hex(1), hex(2_000)), (hex(2_001), hex(4_000)), (hex(4_001), hex(4_500))]
    node.asked.clear()
    assert list(node.ledger.logs([TOKEN], 4_501, 5_000)) == []
    assert "eth_getLogs" not in node.methods()


@pytest.mark.parametrize("name", NODES)
def test_a_recorded_log_is_read(node, name):
    node.answers |= {"eth_getBlockByNumber": {"result": block(0x107)}, "eth_getLogs": recorded(name, "logs_blockhash")}
    [log] = list(node.ledger.logs([TOKEN], 1, 0x107))
    assert (len(log.topics), len(log.data), log.log_index) == (3, 32, 0)


# Transactions


def test_a_transaction_is_legacy_without_value_and_bound_to_its_chain(node):
    transaction = signed(node)
    assert Account.recover_transaction(transaction.raw).lower() == transaction.sender
    assert transaction.raw[0] >= 0xC0, "a list, so no typed envelope"
    other = adapter.Ledger(node.ledger.node)
    other.chain_id = 1
    assert other.sign(PAYING_BANK, TOKEN, b"\x01", nonce=3, gas=60_000, gas_price=0).hash != transaction.hash


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("case", ["send_known_pending", "send_known_mined", "send_nonce_too_low"])
def test_whether_a_refused_transaction_is_on_the_ledger_is_asked_and_not_read_from_the_text(node, name, case):
    node.answers["eth_sendRawTransaction"] = recorded(name, case)
    node.answers["eth_getTransactionReceipt"] = {"result": RECEIPT}
    assert node.ledger.broadcast(signed(node)) == "mined"
    node.answers["eth_getTransactionReceipt"] = {"result": None}
    node.answers["eth_getTransactionByHash"] = {"result": {"hash": "0x", "blockNumber": None}}
    assert node.ledger.broadcast(signed(node)) == "pooled"
    node.answers["eth_getTransactionByHash"] = {"result": None}
    node.answers["eth_getTransactionCount"] = {"result": "0x4"}
    with pytest.raises(NonceTaken):
        node.ledger.broadcast(signed(node, nonce=3))
    with pytest.raises(LedgerRefused) as refused:
        node.ledger.broadcast(signed(node, nonce=4))
    assert not isinstance(refused.value, NonceTaken)


def test_one_mined_between_two_questions_is_mined_and_not_lost(node):
    receipts = [{"result": None}, {"result": RECEIPT}]
    node.answers |= {
        "eth_sendRawTransaction": {"error": {"code": -32001, "message": "Nonce too low"}},
        "eth_getTransactionReceipt": lambda _: receipts.pop(0),
        "eth_getTransactionByHash": {"result": None},
        "eth_getTransactionCount": {"result": "0x4"},
    }
    assert node.ledger.broadcast(signed(node, nonce=3)) == "mined"


def test_too_many_in_flight_is_a_refusal_for_now(node):
    node.answers |= {
        "eth_sendRawTransaction": recorded("besu", "send_far_future_nonce_plus10000"),
        "eth_getTransactionReceipt": {"result": None},
        "eth_getTransactionByHash": {"result": None},
        "eth_getTransactionCount": {"result": "0x0"},
    }
    with pytest.raises(LedgerRefused, match="same bytes will be sent again") as refused:
        node.ledger.broadcast(signed(node, nonce=10_000))
    assert not isinstance(refused.value, NonceTaken)


def test_a_receipt_of_a_pending_transaction_is_no_receipt(node):
    node.answers["eth_getTransactionReceipt"] = {"result": RECEIPT | {"blockNumber": None}}
    assert node.ledger.receipt("0x" + "aa" * 32) is None


# The wire


def test_many_questions_go_in_batches_that_every_node_takes_and_come_back_in_order(node):
    node.answers["eth_getTransactionReceipt"] = lambda one: {"result": RECEIPT | {"transactionHash": one}}
    hashes = [f"0x{number:064x}" for number in range(1_200)]
    assert [one.transaction_hash for one in node.ledger.receipts(hashes)] == hashes
    assert node.batches == [500, 500, 200]


def test_a_batch_that_is_answered_with_one_object_is_a_refusal(node, monkeypatch):
    monkeypatch.setattr(rpc, "MAX_BATCH", 2_000)
    with pytest.raises(LedgerRefused, match="exceeds max batch size"):
        node.ledger.receipts([f"0x{number:064x}" for number in range(1_025)])


def test_one_refused_call_does_not_spoil_its_batch(node):
    good, bad = {"result": "0x" + f"{5:064x}"}, {"error": {"code": 3, "message": "reverted", "data": "0x"}}
    node.answers["eth_call"] = lambda fields, _: bad if fields["to"].startswith("0x33") else good
    calls = [adapter.ContractCall(to, SUPPLY) for to in (TOKEN, "0x" + "33" * 20, TOKEN)]
    first, second, third = node.ledger.calls(calls)
    assert (first, third) == ((5,), (5,))
    assert isinstance(second, ContractReverted)


def test_a_read_is_repeated_when_a_node_is_away_for_a_moment(node):
    node.http = [(503, "busy"), (200, "<html>proxy</html>")]
    assert node.ledger.head().number == 7
    assert node.pauses == [0.2, 0.5]


def test_a_node_that_stays_away_is_named_without_its_credentials(node):
    with pytest.raises(LedgerUnreachable) as unreachable:
        adapter.Ledger(rpc.http_node("http://bank:hunter2@127.0.0.1:9/key-123", sleep=node.pauses.append))
    assert "127.0.0.1:9" in str(unreachable.value)
    assert "hunter2" not in str(unreachable.value)
    assert "key-123" not in str(unreachable.value)
    assert node.pauses == list(rpc.RETRY_PAUSES_S)


def test_a_host_name_that_the_node_does_not_allow_is_not_asked_again(node):
    node.http = [(403, '{"message":"Host not authorized."}')]
    with pytest.raises(LedgerRefused, match="host-allowlist"):
        node.ledger.head()
    assert node.pauses == []


def test_a_node_on_another_chain_is_refused(node):
    with pytest.raises(LedgerRefused, match="on chain 20260, not on 1"):
        adapter.connect(node.url, chain_id=1)
