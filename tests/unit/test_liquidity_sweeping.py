"""Sweeps: every combination once, the same on any executor, and going on where they were interrupted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pandas")
pytest.importorskip("tqdm")

import numpy as np
import pandas as pd

from liquidity import InvalidField, Policy, Queue, Traffic, generate_day, resolve
from liquidity.day import Day
from liquidity.generating import bank_names
from liquidity.sweeping import liquidity_curve, sweep

SMALL = Traffic(communities=(bank_names("HK", 4), bank_names("TH", 3)), obligations=60, pvp_share=0.3)
POLICIES = {"wait": Policy.queue(), "offset": Policy.gridlock(every_s=1800)}
GRID = {"alpha": [0, Fraction(1, 2), 1.0]}
SEEDS = (1, 2)

make_day = partial(generate_day, SMALL)


class CountingExecutor(Executor):
    """Runs at once, and remembers how often it was asked."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        future.set_result(work(*given, **named))
        return future


def _sweep(**named: Any) -> pd.DataFrame:
    return sweep(make_day, POLICIES, **{"grid": GRID, "seeds": SEEDS, "progress": False, **named})


def test_a_sweep_has_one_row_for_every_combination_in_the_order_asked_for() -> None:
    frame = _sweep()
    asked = [(float(alpha), seed, name) for alpha in GRID["alpha"] for seed in SEEDS for name in POLICIES]
    assert list(zip(frame["alpha"], frame["seed"], frame["policy"], strict=True)) == asked
    assert len(frame.columns) > 5


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_gives_the_same_frame(executor: type[Executor]) -> None:
    with executor(max_workers=2) as workers:  # type: ignore[call-arg]
        pd.testing.assert_frame_equal(_sweep(executor=workers), _sweep())


def test_a_dask_cluster_gives_the_same_frame() -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, protocol="inproc://"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        frame = _sweep(executor=client.get_executor())
    pd.testing.assert_frame_equal(frame, _sweep())


def test_what_a_file_holds_is_not_run_again(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    first = _sweep(seeds=(1,), results=path, executor=(counting := CountingExecutor()))
    assert counting.submitted == 3
    both = _sweep(results=path, executor=(counting := CountingExecutor()))
    assert counting.submitted == 3
    again = _sweep(results=path, executor=(counting := CountingExecutor()))
    assert counting.submitted == 0
    pd.testing.assert_frame_equal(both, again)
    pd.testing.assert_frame_equal(both, _sweep())
    pd.testing.assert_frame_equal(both[both["seed"] == 1].reset_index(drop=True), first)


def test_a_policy_that_is_added_runs_alone(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    _sweep(results=path)
    lines = path.read_text().count("\n")
    frame = sweep(
        make_day, {**POLICIES, "net": Policy.net(64_800)}, grid=GRID, seeds=SEEDS, results=path, progress=False
    )
    assert path.read_text().count("\n") == lines + 6
    assert set(frame["policy"]) == {"wait", "offset", "net"}


def test_rules_that_changed_under_the_same_name_are_run_again(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    _sweep(results=path)
    lines = path.read_text().count("\n")
    changed = {**POLICIES, "offset": Policy.gridlock(every_s=900)}
    sweep(make_day, changed, grid=GRID, seeds=SEEDS, results=path, progress=False)
    assert path.read_text().count("\n") == lines + 6


def _at_most(queue: Queue, balances: Any, *, most: int, **terms: Any) -> Sequence[str]:
    return resolve(queue, balances, floors=terms["floors"], limits=terms["limits"]).settled if most else []


def test_a_resolver_that_is_given_something_else_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    for most in (1, 0):
        own = {"own": Policy.gridlock(partial(_at_most, most=most), every_s=1800)}
        found = sweep(make_day, own, grid=GRID, seeds=SEEDS, results=path, progress=False)
        pd.testing.assert_frame_equal(found, sweep(make_day, own, grid=GRID, seeds=SEEDS, progress=False))


def test_a_file_of_results_takes_no_function_that_it_could_not_know_again(tmp_path: Path) -> None:
    """All lambdas of a module look alike, and all that one function defines."""
    path, nobody = tmp_path / "sweep.jsonl", lambda *_, **__: ()
    own = Policy.gridlock(nobody, every_s=1800)
    assert len(sweep(make_day, {"own": own}, grid=GRID, progress=False)) == len(GRID["alpha"])
    for policy in (own, Policy.gridlock(partial(partial(nobody, 1), 2), every_s=1800)):
        with pytest.raises(InvalidField, match=r"policies.own: .*<lambda>"):
            sweep(make_day, {"own": policy}, grid=GRID, results=path, progress=False)
    with pytest.raises(InvalidField, match="make_day"):
        sweep(lambda seed: make_day(seed=seed), POLICIES, results=path, progress=False)
    assert not path.exists()


class _Days:
    """Days of one size."""

    def __init__(self, obligations: int) -> None:
        self.obligations = obligations

    def __repr__(self) -> str:
        return f"_Days({self.obligations})"

    def make(self, seed: int) -> Day:
        return generate_day(replace(SMALL, obligations=self.obligations), seed=seed)


def test_methods_of_different_objects_are_different_functions(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    sweep(_Days(50).make, POLICIES, results=path, progress=False)
    sweep(_Days(50).make, POLICIES, results=path, progress=False)
    with pytest.raises(InvalidField, match="results"):
        sweep(_Days(60).make, POLICIES, results=path, progress=False)


def test_a_line_that_was_cut_off_is_run_again_and_nothing_else_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    whole = _sweep(results=path)
    os.truncate(path, path.stat().st_size - 20)
    pd.testing.assert_frame_equal(_sweep(results=path), whole)
    assert all(json.loads(line) for line in path.read_text().splitlines())


def _fails_for_seed_two(seed: int, alpha: float) -> Day:
    if seed == 2:
        raise RuntimeError("no such day")
    return make_day(seed=seed, alpha=alpha)


def test_what_finished_before_a_failure_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "sweep.jsonl"
    grid = {"alpha": [0]}
    with pytest.raises(RuntimeError, match="no such day"):
        sweep(_fails_for_seed_two, POLICIES, grid=grid, seeds=SEEDS, results=path, progress=False)
    assert path.read_text().count("\n") == 1 + len(POLICIES)


@pytest.mark.parametrize("other", [partial(generate_day, replace(SMALL, obligations=61)), _fails_for_seed_two])
def test_a_file_of_another_sweep_is_refused(tmp_path: Path, other: Callable[..., Day]) -> None:
    path = tmp_path / "sweep.jsonl"
    _sweep(results=path, seeds=(1,))
    with pytest.raises(InvalidField, match="results"):
        sweep(other, POLICIES, grid=GRID, seeds=(1,), results=path, progress=False)


def test_a_file_whose_first_line_was_cut_off_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    whole = _sweep(results=path)
    path.write_text(path.read_text()[:20])
    pd.testing.assert_frame_equal(_sweep(results=path), whole)


@pytest.mark.parametrize("content", ["id,time\n", "\n", '{"format": "other"}\n', '{"balances": {}}', "id\n1,2"])
def test_a_file_that_holds_no_results_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "day.csv"
    path.write_text(content)
    with pytest.raises(InvalidField, match="results"):
        _sweep(results=path)
    assert path.read_text() == content


@pytest.mark.parametrize(
    "named",
    [
        {"grid": {"alpha": []}},
        {"grid": {"alpha": [1, 1]}},
        {"grid": {"seed": [1]}},
        {"grid": {"alpha": [object()]}},
        {"grid": {"alpha": 0.5}},
        {"grid": {"alpha": "1"}},
        {"grid": [1]},
        {"seeds": ()},
        {"seeds": 1},
        {"seeds": (-1,)},
        {"seeds": (1.5,)},
        {"seeds": ("a",)},
    ],
)
def test_a_grid_that_makes_no_sense_is_refused(named: dict[str, Any]) -> None:
    with pytest.raises(InvalidField):
        _sweep(**named)


def test_arrays_of_parameters_and_seeds_are_lists_of_them() -> None:
    frame = _sweep(grid={"alpha": np.array([0.0, 1.0])}, seeds=np.arange(1, 3))
    pd.testing.assert_frame_equal(frame, _sweep(grid={"alpha": [0.0, 1.0]}, seeds=(1, 2)))


def test_what_is_no_policy_is_refused() -> None:
    with pytest.raises(InvalidField, match="policies"):
        sweep(make_day, [Policy.queue(), "fifo"], progress=False)  # type: ignore[list-item]


def test_policies_of_the_same_name_are_refused() -> None:
    with pytest.raises(InvalidField, match="different names"):
        sweep(make_day, [Policy.queue(), Policy.queue()], progress=False)


def test_the_liquidity_curve_of_a_day_falls_from_the_net_to_the_gross_bound() -> None:
    day = make_day(seed=5)
    frame = liquidity_curve(day, POLICIES, alphas=(0, Fraction(1, 2), 1), progress=False)
    assert len(frame) == 6
    top = frame[frame["alpha"] == 1]
    assert (top["delay_indicator"] == 0).all()
