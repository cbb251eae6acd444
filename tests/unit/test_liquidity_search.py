"""The parts of the search in free order, each by itself: what it finds, what it proves, when it stops."""

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from liquidity import Queue, check_settlement, compiling, resolve
from liquidity.bypass import branching, rounding
from liquidity.bypass.annealing import Melting, annealed
from liquidity.bypass.budget import make_budget
from liquidity.bypass.mixed import make_mixed, solve_mixed
from liquidity.bypass.neighbourhoods import applied, deal, improved_part
from liquidity.bypass.state import made_valid, make_mender, make_state
from liquidity.bypass.tree import make_tree
from liquidity.cutting import tightened
from liquidity.program import make_program
from liquidity.relaxation import solve_relaxation
from liquidity.terms import make_rates, make_terms
from tests.waiting import random_queue

REPOSITORY = Path(__file__).resolve().parents[2]
FEW = 12


def program_of(queue, balances):
    return make_program(queue, make_terms(balances, None, None), make_rates(None))


def scarce_queue(seed, **sizes):
    """Most of what is tried can't be paid."""
    queue, balances = random_queue(seed, **sizes)
    return queue, {bank: {code: amount // 20 for code, amount in row.items()} for bank, row in balances.items()}


def test_what_is_found_in_all_hands_holds_together():
    program = program_of(*random_queue(5, count=400))
    state = made_valid(make_mender(program, np.zeros(len(program.worth))), np.zeros(len(program.worth), dtype=bool))
    hands = deal(len(program.worth), 3, np.random.default_rng(1))
    assert sorted(np.concatenate(hands).tolist()) == list(range(len(program.worth)))
    parts = [improved_part(make_mixed(program), program, state, 3, None, hand) for hand in hands]
    assert all(part is not None for part in parts)
    for part in parts:
        better = applied(program, state, part)
        assert better.worth > state.worth
        assert better.slack.min() >= 0
        state = better


@pytest.mark.parametrize("seed", range(1, 6))
def test_to_fix_a_column_never_raises_the_bound(seed):
    program = program_of(*scarce_queue(seed, banks=20, count=150))
    cut = tightened(program, solve_relaxation(program), lambda: None).program
    tree = make_tree(cut, len(program.room), 0)
    deepest = 0
    for _ in range(500):
        if branching.branch(tree, 1):
            break
        deepest = max(deepest, int(tree.at["level"][0]))
        assert (np.diff(tree.levels["bound"][: tree.at["level"][0]]) <= 0).all()
    assert deepest > 5


def test_a_set_that_overdraws_a_little_is_annealed_to_a_valid_one_worth_nearly_as_much():
    program = program_of(*random_queue(6, count=400))
    relaxed = solve_relaxation(program)
    rounded = relaxed.x > 0.5
    assert make_state(program, rounded) is None
    mender = make_mender(program, relaxed.margin)
    state = annealed(mender, rounded, relaxed.prices, make_budget(None, FEW), seed=1)
    assert state.slack.min() >= 0
    assert state.worth >= made_valid(mender, rounded).worth
    assert Fraction(9, 10) * relaxed.most < state.worth <= relaxed.most


def test_melting_finds_much_more_than_repair_and_the_same_for_a_seed():
    program = program_of(*scarce_queue(7, banks=30, count=600))
    relaxed = solve_relaxation(program)
    mender = make_mender(program, relaxed.margin)
    repaired = made_valid(mender, relaxed.x > 0.5)

    def melted(turns, budget):
        return Melting(mender, relaxed.x > 0.5, relaxed.prices, relaxed.most, 5).go_on(repaired, budget, turns)

    first, second = (melted(2, make_budget(None, 8)) for _ in range(2))
    assert first.worth == second.worth == make_state(program, first.chosen).worth
    assert np.array_equal(first.chosen, second.chosen)
    assert repaired.worth * 5 // 4 < first.worth <= relaxed.most
    assert melted(0, make_budget(None, 8)) is melted(2, make_budget(None, 8).part(0)) is repaired


def test_where_accounts_have_less_than_a_payment_what_may_not_overdraw_from_the_first_finds_most():
    program = program_of(*scarce_queue(6, count=250, pvp=0.3))
    relaxed = solve_relaxation(program)
    mender = make_mender(program, relaxed.margin)
    begin = relaxed.x > 0.5
    repaired = made_valid(mender, begin)
    found = Melting(mender, begin, relaxed.prices, relaxed.most, 1).go_on(repaired, make_budget(None, 60), 30)
    assert found.worth == make_state(program, found.chosen).worth
    assert repaired.worth * 10 < relaxed.most < found.worth * 2


def test_a_window_is_decided_by_a_program_only_where_time_is_left_for_one(monkeypatch):
    program = program_of(*random_queue(6, count=400))
    relaxed = solve_relaxation(program)
    solved, asked = rounding.solve_part, []

    def solve_part(part, binary, **options):
        asked.append(len(binary))
        return solved(part, binary, **options)

    monkeypatch.setattr(rounding, "solve_part", solve_part)
    for least, begun in ((0.0, True), (1.0, False)):
        asked.clear()
        monkeypatch.setattr(rounding, "LEAST_SECONDS", least)
        chosen = rounding.relax_and_fix(program, relaxed, make_budget(60, None), gap=3e-4)
        assert any(asked) == begun
        assert chosen.sum() > len(chosen) // 10


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_hundred_obligations_end_with_proof_at_the_optimum_of_highs(seed):
    queue, balances = random_queue(seed, banks=8, count=110, pvp=0.3)
    answer = resolve(queue, balances, order="bypass", seed=seed)
    assert answer.proof == "optimal"
    assert answer.objective == answer.upper_bound
    program = program_of(queue, balances)
    everything = np.ones(len(program.worth), dtype=bool)
    mixed = make_mixed(program)
    found = solve_mixed(mixed, np.flatnonzero(everything), everything, mixed.room, nodes=10**6, gap=0.0, seconds=None)
    assert answer.objective == int(program.worth[found > 0.5].sum()) * program.worth_scale


@pytest.mark.parametrize("objective", ["value", "priority"])
def test_currencies_without_pvp_are_searched_apart_and_proven_together(objective):
    drawn, balances = random_queue(4, banks=8, count=220, pvp=0)
    queue = Queue([replace(one, priority=int(one.legs[0].currency == "THB")) for one in drawn])
    answer = resolve(queue, balances, order="bypass", objective=objective, work_limit=60)
    assert answer.proof == "optimal"
    assert "2 components" in answer.method
    check_settlement(queue, balances, answer.settled)
    for code in ("HKD", "THB"):
        own = Queue([one for one in queue if one.legs[0].currency == code])
        alone = resolve(own, balances, order="bypass", work_limit=60)
        assert answer.settled_value[code] == alone.settled_value[code]


@pytest.mark.parametrize("scale", [2**bits for bits in range(30, 46)])
def test_a_proof_holds_whatever_digits_prices_are_cut_into(scale):
    answers = [resolve(*random_queue(1, banks=8, count=110, scale=one), order="bypass") for one in (1, scale)]
    assert [answer.proof for answer in answers] == ["optimal", "optimal"]
    assert answers[1].objective == answers[0].objective * scale


def test_by_the_clock_a_search_goes_without_branch_and_bound_until_that_is_compiled(monkeypatch):
    queue, balances = random_queue(1, banks=8, count=110, pvp=0.3)
    monkeypatch.setattr(branching, "is_ready", lambda *_: False)
    without = resolve(queue, balances, order="bypass", time_limit_s=0.5)
    assert "branch and bound" not in without.method
    assert without.objective <= without.upper_bound
    assert "branch and bound" in resolve(queue, balances, order="bypass", work_limit=20).method
    monkeypatch.setattr(branching, "is_ready", lambda *_: True)
    answer = resolve(queue, balances, order="bypass", time_limit_s=60)
    assert answer.proof == "optimal"
    assert "branch and bound" in answer.method


def test_what_is_not_compiled_yet_another_process_compiles_once(monkeypatch, tmp_path):
    source, begun = tmp_path / "kernels.py", []
    source.touch()
    kernel = SimpleNamespace(
        __name__="kernel",
        signatures=[],
        stats=SimpleNamespace(cache_path=str(tmp_path)),
        py_func=SimpleNamespace(__code__=SimpleNamespace(co_filename=str(source))),
    )
    monkeypatch.setattr(compiling, "begin", begun.append)
    assert not compiling.is_ready(kernel, branching.compile_ahead)
    assert not compiling.is_ready(kernel, branching.compile_ahead)
    assert begun == [branching.compile_ahead]
    monkeypatch.setattr(compiling, "AGAIN_S", -1.0)
    assert not compiling.is_ready(kernel, branching.compile_ahead)
    assert len(begun) == 2
    on_disk = tmp_path / "kernels.kernel-7.py311.nbi"
    on_disk.touch()
    os.utime(on_disk, (source.stat().st_mtime + 1,) * 2)
    assert compiling.is_ready(kernel, branching.compile_ahead)
    os.utime(on_disk, (source.stat().st_mtime - 1,) * 2)
    assert not compiling.is_ready(kernel, branching.compile_ahead)
    kernel.signatures.append("loaded")
    assert compiling.is_ready(kernel, branching.compile_ahead)


def test_another_process_keeps_on_disk_what_it_compiles():
    assert compiling.begin(branching.compile_ahead).wait(timeout=300) == 0
    fresh = (
        "from liquidity.bypass.branching import compile_ahead, start_again\n"
        "from liquidity.compiling import is_ready\n"
        "raise SystemExit(not is_ready(start_again, compile_ahead))"
    )
    assert subprocess.run([sys.executable, "-c", fresh], cwd=REPOSITORY, check=False).returncode == 0


def test_a_budget_that_is_ended_is_late():
    budget = make_budget(60, None)
    assert not budget.is_late()
    budget.end()
    assert budget.is_late()
