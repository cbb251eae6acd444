"""Ten thousand payments in one file: taken in, settled in one batch, confirmed and forwarded, each of them once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from corridor.app import open_corridor
from corridor.engine import views
from corridor.iso20022.reading import MAX_TRANSACTIONS
from tests.reconciling import assert_all_settled_once, expected_in
from tools import bench
from tools.bulk import HONG_KONG_BANKS, BulkPlan, bulk_message, bulk_payments

SEED = 20_261_123
PLAN = BulkPlan(10_000, SEED)
ROOT = Path(__file__).resolve().parents[2]
# What a bank's small server has to spare beside everything else; a third of it was measured.
MEMORY_BOUND_MIB = 1_024


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    """The corridor after ten thousand payments, and what was measured in a process of its own."""
    root = tmp_path_factory.mktemp("bulk") / "corridor"
    bench.new_corridor(root, SEED)
    command = [sys.executable, "-m", "tools.bench", "payments", "--json", "--data-dir", str(root)]
    command += ["--count", str(PLAN.count), "--seed", str(PLAN.seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    return root, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.xdist_group("bulk")
def test_ten_thousand_payments_in_one_file_are_all_final_told_and_forwarded_once(settled):
    root, measured = settled
    print(f"seed {SEED}: {measured}")
    assert measured["settled"] == PLAN.count
    expected = expected_in([bulk_message(PLAN)])
    assert set(expected) == {one.uetr for one in bulk_payments(PLAN)}
    assert len({one.payee for one in expected.values()}) >= 2
    # Final states, answers, entries that add up to the token movement, forwarded UETRs, books of both sides.
    assert_all_settled_once(root, expected)


@pytest.mark.slow
@pytest.mark.xdist_group("bulk")
def test_ten_thousand_payments_need_less_memory_than_a_small_server_has(settled):
    _, measured = settled
    assert measured["peak_mib"] < MEMORY_BOUND_MIB


@pytest.mark.slow
@pytest.mark.xdist_group("bulk")
def test_a_bulk_of_ten_thousand_settles_in_one_batch_that_moves_only_net_positions(settled):
    root, _ = settled
    with open_corridor(root) as corridor:
        entries = views.statement(corridor.desk, HONG_KONG_BANKS[0])["entries"]
    assert len({one["settlement"] for one in entries}) == 1
    assert len(entries) == PLAN.count


def test_a_generated_bulk_is_the_same_for_the_same_seed_and_another_for_another():
    plan = BulkPlan(20, 1)
    assert bulk_message(plan) == bulk_message(BulkPlan(20, 1))
    first, other = bulk_payments(plan), bulk_payments(BulkPlan(20, 2))
    assert not {one.uetr for one in first} & {one.uetr for one in other}
    assert {one.payee for one in first} == set(plan.payees)
    for count in (0, MAX_TRANSACTIONS + 1):
        with pytest.raises(ValueError, match="a message holds"):
            bulk_payments(BulkPlan(count, 1))
