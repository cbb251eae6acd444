"""A purpose gets one transaction, whatever is killed, repeated or lost between signing and mining."""

import json

import pytest

from corridor.ledger import sender
from corridor.ledger.chain import EMBEDDED_CHAIN_ID
from corridor.ledger.embedded import open_embedded
from corridor.ledger.errors import LedgerRefused, LedgerUnreachable, NonceTaken, ReceiptTimeout, TransactionTooLarge
from corridor.ledger.sender import FileStore, Intent, send_all, send_once

START_S = 1_790_000_000
KEY = b"\x05" * 32
# Counts its calls in slot 0 and answers the count.
COUNTER = bytes.fromhex("7160005460010180600055600052602060" + "00f3" + "6000526012600ef3")


@pytest.fixture
def ledger():
    with open_embedded(None, genesis_at_s=START_S) as opened:
        yield opened


@pytest.fixture
def counter(ledger):
    """A contract that was there before the store."""
    deployed = ledger.sign(b"\x09" * 32, None, COUNTER, nonce=0, gas=200_000, gas_price=0)
    ledger.broadcast(deployed)
    ledger.advance(START_S + 1)
    return ledger.receipt(deployed.hash).contract_address


def now_s():
    return START_S + 10


def no_sleep(_):
    pass


def count(ledger, counter):
    return int.from_bytes(ledger.try_transaction("0x" + "11" * 20, counter, b"", 100_000), "big") - 1


def intent(counter, purpose):
    return Intent(purpose, counter, b"", 60_000)


def send(ledger, store, *intents):
    return send_all(ledger, store, KEY, intents, now_s=now_s, sleep=no_sleep, timeout_s=5)


def test_a_purpose_gets_one_transaction_however_often_it_is_sent(ledger, counter):
    store = FileStore(None)
    first = send_once(ledger, store, KEY, intent(counter, "settle:1"), now_s=now_s, sleep=no_sleep)
    head = ledger.head()
    again = send_once(ledger, store, KEY, intent(counter, "settle:1"), now_s=now_s, sleep=no_sleep)
    assert (first, ledger.head(), count(ledger, counter)) == (again, head, 1)


def test_a_transaction_is_stored_before_it_is_sent(ledger, counter, monkeypatch):
    store = FileStore(None)

    def nobody_answers(transactions):
        assert store.find("settle:1") == transactions[0]
        raise LedgerUnreachable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "broadcast_all", nobody_answers)
        with pytest.raises(LedgerUnreachable):
            send(ledger, store, intent(counter, "settle:1"))
    signed = store.find("settle:1")
    [receipt] = send(ledger, store, intent(counter, "settle:1"))
    assert (receipt.transaction_hash, count(ledger, counter)) == (signed.hash, 1)


def test_an_answer_that_was_lost_after_sending_does_no_harm(ledger, counter, monkeypatch):
    store, broadcast_all = FileStore(None), ledger.broadcast_all

    def answer_lost(transactions):
        broadcast_all(transactions)
        raise LedgerUnreachable("timeout")

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "broadcast_all", answer_lost)
        with pytest.raises(LedgerUnreachable):
            send(ledger, store, intent(counter, "settle:1"))
    send(ledger, store, intent(counter, "settle:1"))
    assert (count(ledger, counter), ledger.account_nonce(store.find("settle:1").sender)) == (1, 1)


def test_what_was_stored_and_never_sent_does_not_keep_later_ones_waiting(ledger, counter):
    store = FileStore(None)
    address = sender.Account.from_key(KEY).address.lower()
    for purpose in ("settle:1", "settle:2"):
        signer = sender._signer(ledger, KEY, intent(counter, purpose), 0)
        store.add(purpose, address, 0, signer)
    [receipt] = send(ledger, store, intent(counter, "settle:3"))
    assert (receipt.status, count(ledger, counter)) == (1, 3)


def test_hundreds_are_sent_in_windows_that_every_node_takes(ledger, counter):
    store, pooled = FileStore(None), []
    advance = ledger.advance

    def watched(at_s):
        pooled.append(ledger._chain.pooled)
        advance(at_s)

    ledger.advance = watched
    receipts = send(ledger, store, *[intent(counter, f"settle:{number}") for number in range(320)])
    assert [receipt.status for receipt in receipts] == [1] * 320
    assert (max(pooled), count(ledger, counter)) == (sender.MAX_IN_FLIGHT, 320)
    assert ledger.head().timestamp_s <= now_s() + 3, "a block for each window, not for each transaction"


def test_open_transactions_of_before_count_for_the_window(ledger, counter):
    store = FileStore(None)
    address = sender.Account.from_key(KEY).address.lower()
    for number in range(sender.MAX_IN_FLIGHT):
        purpose = f"before:{number}"
        store.add(purpose, address, 0, sender._signer(ledger, KEY, intent(counter, purpose), 0))
    send(ledger, store, *[intent(counter, f"settle:{number}") for number in range(100)])
    assert count(ledger, counter) == sender.MAX_IN_FLIGHT + 100


def test_a_key_that_somebody_else_uses_is_noticed(ledger, counter):
    store = FileStore(None)
    address = sender.Account.from_key(KEY).address.lower()
    store.add("settle:1", address, 0, sender._signer(ledger, KEY, intent(counter, "settle:1"), 0))
    stranger = ledger.sign(KEY, counter, b"\xff", nonce=0, gas=70_000, gas_price=0)
    ledger.broadcast(stranger)
    ledger.advance(now_s())
    with pytest.raises(NonceTaken, match="nonce 0"):
        send(ledger, store, intent(counter, "settle:1"))


def test_nonces_begin_after_what_the_account_did_before_the_store(ledger, counter):
    earlier = ledger.sign(KEY, counter, b"", nonce=0, gas=70_000, gas_price=0)
    ledger.broadcast(earlier)
    ledger.advance(now_s())
    store = FileStore(None)
    send(ledger, store, intent(counter, "settle:1"))
    assert store.find("settle:1").nonce == 1


def test_a_transaction_that_took_no_effect_uses_up_its_purpose(ledger, counter):
    failing = Intent("settle:1", counter, b"", 21_500)
    store = FileStore(None)
    assert send(ledger, store, failing)[0].status == 0
    assert send(ledger, store, failing)[0].status == 0
    assert ledger.account_nonce(store.find("settle:1").sender) == 1


def test_what_could_never_be_mined_gets_no_nonce(ledger, counter):
    store = FileStore(None)
    with pytest.raises(TransactionTooLarge):
        send(ledger, store, intent(counter, "settle:1"), Intent("settle:2", counter, b"", 10**9))
    assert (store.find("settle:1"), store.find("settle:2")) == (None, None)
    assert send(ledger, store, intent(counter, "settle:1"))[0].status == 1


def test_a_refusal_for_now_is_raised_when_it_stays(ledger, counter, monkeypatch):
    refused = LedgerRefused("the pool is full", rpc_code=-32000, rpc_message="full")
    monkeypatch.setattr(ledger, "broadcast_all", lambda transactions: [refused] * len(transactions))
    with pytest.raises(LedgerRefused, match="pool is full"):
        send(ledger, FileStore(None), intent(counter, "settle:1"))


def test_waiting_is_bounded_also_when_the_clock_stands_still(ledger, counter, monkeypatch):
    monkeypatch.setattr(ledger, "advance", lambda _: None)
    pauses = []
    with pytest.raises(ReceiptTimeout):
        send_all(ledger, FileStore(None), KEY, [intent(counter, "a")], now_s=now_s, sleep=pauses.append, timeout_s=5)
    assert sum(pauses) <= 6


def test_a_file_store_is_the_same_when_opened_again(tmp_path, ledger, counter):
    path = tmp_path / "transactions.json"
    send(ledger, FileStore(path), intent(counter, "settle:1"), intent(counter, "settle:2"))
    again = FileStore(path)
    assert (again.find("settle:1").nonce, again.find("settle:2").nonce) == (0, 1)
    send(ledger, again, intent(counter, "settle:1"), intent(counter, "settle:3"))
    assert (count(ledger, counter), FileStore(path).find("settle:3").nonce) == (3, 2)


def test_a_file_store_that_failed_to_write_has_signed_nothing(tmp_path, ledger, counter, monkeypatch):
    path = tmp_path / "transactions.json"
    store = FileStore(path)

    def disk_full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(sender, "write_durably", disk_full)
        with pytest.raises(OSError, match="no space"):
            send(ledger, store, intent(counter, "settle:1"))
    assert store.find("settle:1") is None
    send(ledger, store, intent(counter, "settle:1"))
    assert FileStore(path).find("settle:1").nonce == 0


@pytest.mark.parametrize("content", ["", "[]", '{"settle:1": {"sender": "0x"}}', '{"settle:1": 5}'])
def test_a_broken_file_store_is_refused_and_not_begun_anew(tmp_path, content):
    path = tmp_path / "transactions.json"
    path.write_text(content)
    with pytest.raises(sender.StoreBroken, match="made twice"):
        FileStore(path)


def test_a_file_store_holds_no_key(tmp_path, ledger, counter):
    path = tmp_path / "transactions.json"
    send(ledger, FileStore(path), intent(counter, "settle:1"))
    assert KEY.hex() not in json.dumps(path.read_text())
    assert ledger.chain_id == EMBEDDED_CHAIN_ID
