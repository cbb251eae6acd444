"""The embedded ledger keeps what it mined, through restarts and kills, and behaves as a node does."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from corridor.ledger.chain import BLOCK_GAS_LIMIT, MAX_NONCES_AHEAD
from corridor.ledger.embedded import open_embedded
from corridor.ledger.errors import LedgerBehind, LedgerFileBroken, LedgerFileInUse, LedgerRefused

CHECKOUT = Path(__file__).resolve().parents[2]
START_S = 1_790_000_000
KEY, OTHER_KEY = b"\x05" * 32, b"\x06" * 32
# Counts its calls in slot 0 and answers the count.
COUNTER = bytes.fromhex("7160005460010180600055600052602060" + "00f3" + "6000526012600ef3")
STRANGER = "0x" + "11" * 20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path):
    with open_embedded(path, genesis_at_s=START_S) as opened:
        yield opened


def create_counter(ledger):
    transaction = ledger.sign(KEY, None, COUNTER, nonce=0, gas=200_000, gas_price=0)
    ledger.broadcast(transaction)
    ledger.advance(START_S + 1)
    return ledger.receipt(transaction.hash).contract_address


def count_up(ledger, counter, nonce, *, key=KEY, gas=60_000):
    transaction = ledger.sign(key, counter, b"", nonce=nonce, gas=gas, gas_price=0)
    ledger.broadcast(transaction)
    return transaction


def count(ledger, counter, block=None):
    return int.from_bytes(ledger.try_transaction(STRANGER, counter, b"", 100_000, block=block), "big") - 1


# Restarts


def test_head_receipts_and_state_are_the_same_after_a_restart_and_it_mines_on(path):
    with open_embedded(path, genesis_at_s=START_S) as ledger:
        counter = create_counter(ledger)
        sent = [count_up(ledger, counter, nonce) for nonce in (1, 2, 3)]
        ledger.advance(START_S + 5)
        before = (
            ledger.head(),
            ledger.receipts([one.hash for one in sent]),
            count(ledger, counter),
            ledger.code(counter),
        )
    with open_embedded(path, genesis_at_s=START_S + 999) as ledger:
        after = ledger.head(), ledger.receipts([one.hash for one in sent]), count(ledger, counter), ledger.code(counter)
        assert after == before
        count_up(ledger, counter, 4)
        ledger.advance(START_S + 6)
        assert (count(ledger, counter), ledger.head().number) == (4, before[0].number + 1)
        assert count(ledger, counter, block=1) == 0, "older states stay"


def test_opening_is_fast_with_a_thousand_blocks(path):
    with open_embedded(path, genesis_at_s=START_S) as ledger:
        create_counter(ledger)
        for at_s in range(START_S + 10, START_S + 1_010):
            ledger.mine(at_s)
        head = ledger.head()
    started = time.perf_counter()
    with open_embedded(path, genesis_at_s=START_S) as ledger:
        assert ledger.head() == head
        assert ledger.block(500).number == 500
        assert time.perf_counter() - started < 0.5


def test_what_was_sent_and_not_mined_is_lost_with_the_process_and_can_be_sent_again(path):
    with open_embedded(path, genesis_at_s=START_S) as ledger:
        counter = create_counter(ledger)
        waiting = count_up(ledger, counter, 1)
    with open_embedded(path, genesis_at_s=START_S) as ledger:
        ledger.advance(START_S + 10)
        assert ledger.receipt(waiting.hash) is None
        assert ledger.broadcast(waiting) == "accepted"
        ledger.advance(START_S + 11)
        assert ledger.receipt(waiting.hash).status == 1


MINER = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
from pathlib import Path
from tests.integration.test_ledger_embedded import START_S, count_up, create_counter, open_embedded
ledger = open_embedded(Path(sys.argv[1]), genesis_at_s=START_S)
counter = create_counter(ledger)
print(counter, flush=True)
for nonce in range(1, 100_000):
    sent = count_up(ledger, counter, nonce)
    head = ledger.mine(START_S + nonce)
    print(head.number, head.hash, sent.hash, flush=True)
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_at_any_moment_leaves_every_block_that_was_reported(path, seed):
    print("seed", seed)
    process = subprocess.Popen([sys.executable, "-c", MINER, str(path)], stdout=subprocess.PIPE, text=True)
    counter = process.stdout.readline().strip()
    for _ in range(20):
        process.stdout.readline()
    time.sleep(random.Random(seed).uniform(0, 0.2))
    process.send_signal(signal.SIGKILL)
    reported = [line.split() for line in process.stdout.read().splitlines() if len(line.split()) == 3]
    process.wait()
    assert reported, "it was killed while it mined"
    with open_embedded(path, genesis_at_s=START_S) as ledger:
        number, block_hash, transaction_hash = reported[-1] if len(reported[-1][2]) == 66 else reported[-2]
        assert ledger.block(int(number)).hash == block_hash
        assert ledger.receipt(transaction_hash).status == 1
        head = ledger.head()
        assert head.number in (int(number), int(number) + 1, int(number) + 2)
        assert count(ledger, counter) == head.number - 1, "state and blocks belong together"
        count_up(ledger, counter, head.number)
        ledger.mine(0)
        assert count(ledger, counter) == head.number


def test_a_kill_in_the_middle_of_a_write_leaves_the_last_complete_block(path):
    script = MINER.replace(
        "for nonce in range(1, 100_000):",
        "import os\n"
        "ledger._chain._file._connection.set_trace_callback(\n"
        "    lambda sql: os.kill(os.getpid(), 9) if sql.startswith('COMMIT') else None)\n"
        "for nonce in range(1, 2):",
    )
    ended = subprocess.run([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    with open_embedded(path, genesis_at_s=START_S) as ledger:
        counter = ended.stdout.split()[0]
        assert (ledger.head().number, count(ledger, counter)) == (1, 0)
        count_up(ledger, counter, 1)
        ledger.advance(START_S + 9)
        assert count(ledger, counter) == 1


def test_a_failed_write_changes_nothing_and_keeps_the_pool(ledger, monkeypatch):
    counter = create_counter(ledger)
    waiting, head = count_up(ledger, counter, 1), ledger.head()

    def disk_full():
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(ledger._chain._file, "commit", disk_full)
        with pytest.raises(OSError, match="no space"):
            ledger.advance(START_S + 5)
    assert (ledger.head(), count(ledger, counter), ledger.receipt(waiting.hash)) == (head, 0, None)
    ledger.advance(START_S + 6)
    assert (ledger.receipt(waiting.hash).status, count(ledger, counter)) == (1, 1)


# Files


def test_two_processes_cannot_have_one_ledger_open(path, ledger):
    script = (
        f"import sys; sys.path.insert(0, {str(CHECKOUT)!r})\n"
        "from pathlib import Path\nfrom corridor.ledger.embedded import open_embedded\n"
        "try:\n    open_embedded(Path(sys.argv[1]), genesis_at_s=1)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    other = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert other.stdout.startswith("LedgerFileInUse")
    assert "Wait until" in other.stdout
    with pytest.raises(LedgerFileInUse):
        open_embedded(path, genesis_at_s=1)


def test_a_file_of_something_else_is_refused_and_left_alone(path):
    path.write_bytes(b"a letter, not a ledger " * 100)
    with pytest.raises(LedgerFileBroken):
        open_embedded(path, genesis_at_s=START_S)
    assert path.read_bytes().startswith(b"a letter")


def test_another_database_is_refused_and_left_alone(path):
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE payment (id)")
    other.close()
    with pytest.raises(LedgerFileBroken, match="version"):
        open_embedded(path, genesis_at_s=START_S)
    assert sqlite3.connect(path).execute("SELECT count(*) FROM payment").fetchone() == (0,)


def test_two_ledgers_have_chain_ids_of_their_own_and_files_are_not_mixed_up(tmp_path):
    with (
        open_embedded(tmp_path / "hk", genesis_at_s=START_S) as hkd_ledger,
        open_embedded(tmp_path / "th", genesis_at_s=START_S, chain_id=852_467) as thb_ledger,
    ):
        assert hkd_ledger.chain_id != thb_ledger.chain_id
        transaction = hkd_ledger.sign(KEY, None, COUNTER, nonce=0, gas=200_000, gas_price=0)
        with pytest.raises(LedgerRefused, match="Wrong chainId"):
            thb_ledger.broadcast(transaction)
    with pytest.raises(LedgerFileBroken, match="chain 852466"):
        open_embedded(tmp_path / "th", genesis_at_s=START_S)
    with open_embedded(tmp_path / "th", genesis_at_s=START_S, chain_id=852_467) as thb_ledger:
        assert thb_ledger.chain_id == 852_467


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(LedgerFileBroken, match="nowhere"):
        open_embedded(tmp_path / "nowhere" / "ledger.sqlite", genesis_at_s=START_S)


# Time


def test_blocks_take_the_time_of_the_clock_and_are_a_second_apart_where_it_stands_still(ledger):
    counter = create_counter(ledger)
    times = []
    for nonce, at_s in enumerate([START_S + 50, START_S + 50, START_S + 50, START_S + 100], start=1):
        count_up(ledger, counter, nonce)
        ledger.advance(at_s)
        times.append(ledger.head().timestamp_s - START_S)
    assert times == [50, 51, 52, 100]


def test_without_transactions_the_ledger_only_follows_the_clock(ledger):
    ledger.advance(START_S + 50)
    number = ledger.head().number
    for _ in range(5):
        ledger.advance(START_S + 50)
    assert ledger.head().number == number


def test_the_same_day_played_twice_gives_the_same_blocks(tmp_path):
    heads = []
    for name in ("one", "other"):
        with open_embedded(tmp_path / name, genesis_at_s=START_S) as ledger:
            counter = create_counter(ledger)
            count_up(ledger, counter, 1)
            ledger.advance(START_S + 30)
            heads.append(ledger.head())
        time.sleep(1.1 if name == "one" else 0)
    assert heads[0] == heads[1]


# As a node


def test_a_block_takes_what_has_room_in_order_and_the_rest_waits(ledger):
    counter = create_counter(ledger)
    half = BLOCK_GAS_LIMIT // 2
    sent = [count_up(ledger, counter, nonce, gas=half) for nonce in (1, 2, 3)]
    ledger.advance(START_S + 10)
    assert [receipt is not None for receipt in ledger.receipts([one.hash for one in sent])] == [True, True, False]
    ledger.advance(START_S + 20)
    assert ledger.receipt(sent[2].hash).status == 1


def test_a_transaction_waits_for_the_one_before_it(ledger):
    counter = create_counter(ledger)
    later = count_up(ledger, counter, 2)
    other = count_up(ledger, counter, 0, key=OTHER_KEY)
    ledger.advance(START_S + 10)
    assert ledger.receipt(later.hash) is None
    assert ledger.receipt(other.hash).status == 1
    count_up(ledger, counter, 1)
    ledger.advance(START_S + 20)
    assert ledger.receipt(later.hash).status == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gas_price": 1}, "Upfront cost"),
        ({"nonce": MAX_NONCES_AHEAD + 2}, "too distant"),
        ({"gas": BLOCK_GAS_LIMIT + 1}, "block gas limit"),
        ({"gas": 21_000 - 1}, "Intrinsic gas"),
    ],
)
def test_what_could_never_be_mined_is_refused(ledger, changes, message):
    fields = {"nonce": 0, "gas": 60_000, "gas_price": 0} | changes
    with pytest.raises(LedgerRefused, match=message):
        ledger.broadcast(ledger.sign(KEY, STRANGER, b"", **fields))


def test_a_transaction_for_another_chain_is_refused(ledger):
    ledger.chain_id += 1
    with pytest.raises(LedgerRefused, match="Wrong chainId"):
        ledger.broadcast(ledger.sign(KEY, STRANGER, b"", nonce=0, gas=60_000, gas_price=0))


def test_bytes_that_are_no_transaction_are_refused(ledger):
    transaction = ledger.sign(KEY, STRANGER, b"", nonce=0, gas=60_000, gas_price=0)
    for raw in (b"", b"\xde\xad\xbe\xef", transaction.raw[:-1], b"\x02" + transaction.raw):
        broken = type(transaction)(transaction.sender, 0, transaction.hash, raw)
        with pytest.raises(LedgerRefused):
            ledger.broadcast(broken)


def test_a_second_transaction_with_a_nonce_never_takes_the_place_of_the_first(ledger):
    counter = create_counter(ledger)
    first = count_up(ledger, counter, 1)
    with pytest.raises(LedgerRefused):
        count_up(ledger, counter, 1, gas=70_000)
    assert ledger.broadcast(first) == "pooled"
    ledger.advance(START_S + 10)
    assert ledger.broadcast(first) == "mined"


def test_questions_about_blocks_to_come_find_a_node_that_lags(ledger):
    with pytest.raises(LedgerBehind):
        ledger.block(5)
    with pytest.raises(LedgerBehind):
        ledger.try_transaction(STRANGER, STRANGER, b"", 100_000, block=5)
    assert list(ledger.logs([STRANGER], 0, 99)) == []


def test_a_call_that_runs_out_of_gas_is_refused(ledger):
    counter = create_counter(ledger)
    with pytest.raises(LedgerRefused):
        ledger.try_transaction(STRANGER, counter, b"", 1_000)


def test_a_call_leaves_no_trace(ledger):
    counter = create_counter(ledger)
    head = ledger.head()
    assert (count(ledger, counter), count(ledger, counter), ledger.head()) == (0, 0, head)


def test_the_file_is_released_by_the_end_of_the_process(path):
    with open_embedded(path, genesis_at_s=START_S):
        pass
    assert not os.path.exists(f"{path}-wal")
    with open_embedded(path, genesis_at_s=START_S) as ledger:
        assert ledger.head().number == 0
