"""The liquidity benchmark measures what it says: the same instance in every form, and a record that can be true."""

import json
from fractions import Fraction

import pytest

from liquidity import resolve
from liquidity.io import read_case
from tools.bench_liquidity import ROWS, main
from tools.bench_liquidity_rows import timed
from tools.bench_liquidity_search import RECORD, free_order, queued_value
from tools.liquidity_cases import ALL_SETTLE, ALPHAS, RATES, instance, write_case


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("instances")


@pytest.fixture(scope="module")
def drawn(folder):
    return instance(folder, 8, 200, 5)


def test_a_seed_draws_one_instance_and_another_seed_another(drawn, folder, tmp_path):
    assert instance(tmp_path, 8, 200, 5).digest("1/2") == drawn.digest("1/2")
    assert instance(folder, 8, 200, 6).digest("1/2") != drawn.digest("1/2")
    assert len({drawn.digest(alpha) for alpha in ALPHAS}) == len(ALPHAS)


def test_a_case_file_holds_the_same_instance(drawn, tmp_path):
    path = tmp_path / "case.json"
    write_case(path, drawn, "9/10")
    case = read_case(path)
    assert [obligation.legs for obligation in case.queue] == [obligation.legs for obligation in drawn.queue()]
    assert case.balances == drawn.balances["9/10"]
    assert case.rates["THB"] == RATES["THB"]


def test_with_the_net_lower_bound_everything_settles_and_is_worth_what_is_queued(drawn):
    answer = resolve(drawn.queue(), drawn.balances[ALL_SETTLE], rates=RATES)
    assert answer.settled_count == 200
    assert answer.objective == queued_value(drawn)


def test_what_is_on_record_is_no_better_than_its_bound():
    records = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    for key, record in records.items():
        assert 0 < Fraction(record["value"]) <= Fraction(record["upper_bound"]), key


def test_the_fastest_run_counts():
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 29.0])
    assert timed(lambda: "done", 3, lambda: next(clock)) == (2.0, "done")


def test_an_unknown_row_is_refused_and_every_row_is_known(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "no such row"])
    refusal = capsys.readouterr().err
    assert all(row in refusal for row in ROWS)


def test_a_search_of_the_benchmark_is_never_worse_than_fifo(drawn):
    _, found = free_order(drawn, "1/2", 0.5, 1)
    assert found.objective >= resolve(drawn.queue(), drawn.balances["1/2"], rates=RATES).objective
