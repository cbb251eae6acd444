"""The rows of the liquidity benchmark that search or simulate: free order against what is known, days per second."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquidity import Resolution, resolve, upper_bound
from liquidity.bypass.branching import compile_ahead
from liquidity.day import Day
from liquidity.program import Program, make_program
from liquidity.simulation import Policy, simulate
from liquidity.terms import make_rates, make_terms
from tools.bench_liquidity_rows import LARGE, REPEATS, Setting, peak_mib, say, timed
from tools.liquidity_cases import ALL_SETTLE, ALPHAS, RATES, SHOWN, Instance

RECORD = Path(__file__).with_name("liquidity_record.json")

SMALL = (100, 10_000)
SMALLEST = (20, 300)
CORRIDOR_DAY = (200, 40_000)
COMPARED_DAY = (50, 2_000)
"""PSSimPy looks through all transactions in every window, so larger days only make it slower per payment."""

SEARCH_S = 10.0
PROOF_S = 20.0
MIXED_S = 40.0
BOUND_S = 20.0
EVERY_S = 15 * 60

Records = dict[str, dict[str, Any]]


def free_order(drawn: Instance, alpha: str, seconds: float, seed: int) -> tuple[float, Resolution]:
    """What a search of some seconds finds, and how long it took with the bound."""
    return timed(
        partial(
            resolve,
            drawn.queue(),
            drawn.balances[alpha],
            order="bypass",
            rates=RATES,
            time_limit_s=seconds,
            seed=seed,
        )
    )


def queued_value(drawn: Instance) -> Fraction:
    """Worth of all legs."""
    sums = [
        sum(drawn.columns["amount"][drawn.columns["currency"] == at].tolist()) for at in range(len(drawn.currencies))
    ]
    return sum(
        (amount * Fraction(RATES[code]) for code, amount in zip(drawn.currencies, sums, strict=True)), Fraction()
    )


def bypass(setting: Setting) -> None:
    """Free order on a medium queue, against the best value known for it and against HiGHS alone."""
    drawn = setting.drawn(SMALL)
    queued = queued_value(drawn)
    records: Records = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    seconds = setting.long_s or SEARCH_S
    say("bypass", f"{SMALL[0]:,} banks, {SMALL[1]:,} obligations, {seconds:.0f} s with the bound; {SHOWN}")
    for alpha in ALPHAS:
        with _silence():
            taken_s, answer = free_order(drawn, alpha, seconds, setting.seed)
        plain = resolve(drawn.queue(), drawn.balances[alpha], rates=RATES)
        key = drawn.digest(alpha)
        known = max(Fraction(records[key]["value"]) if key in records else Fraction(0), answer.objective)
        if setting.long_s:
            mixed = _mixed(drawn, alpha, seconds)
            _keep(records, key, setting, alpha, max(answer.objective, mixed or answer.objective), answer.upper_bound)
        say(
            "",
            f"α = {alpha:4} {_percent(answer.objective, known)} of the best known (goal 99 %), "
            f"{_percent(answer.objective, queued)} of what is queued, gap {float(answer.gap):.2%} ({answer.proof}), "
            f"{taken_s:.1f} s; fifo {_percent(plain.objective, queued)}"
            + ("" if key in records else "; nothing on record"),
        )
    if not setting.long_s:
        alpha = ALPHAS[1]
        mixed_s, found = timed(partial(_mixed, drawn, alpha, MIXED_S))
        say("", f"α = {alpha:4} scipy's HiGHS alone, {mixed_s:.0f} s: {_percent(found, queued)} of what is queued")
    say("", f"peak {peak_mib()} MiB; binds: the mixed-integer programs that decide windows")


def proof(setting: Setting) -> None:
    """Free order on a small queue, until nothing better is left, beside HiGHS alone."""
    drawn = setting.drawn(SMALLEST)
    say("proof", f"bypass, {SMALLEST[0]:,} banks, {SMALLEST[1]:,} obligations, at most {PROOF_S:.0f} s; {SHOWN}")
    compile_ahead()
    for alpha in ALPHAS:
        with _silence():
            taken_s, answer = free_order(drawn, alpha, PROOF_S, setting.seed)
        mixed_s, found = timed(partial(_mixed, drawn, alpha, PROOF_S, gap=0.0))
        say(
            "",
            f"α = {alpha:4} {answer.proof} after {taken_s:.1f} s, gap {float(answer.gap):.2%}; scipy's HiGHS alone "
            f"ends after {mixed_s:.1f} s with {_percent(found, answer.objective)} of that value",
        )
    say("", "binds: nodes of branch and bound")


def _percent(found: Fraction | None, whole: Fraction) -> str:
    return "nothing" if found is None else f"{float(found / whole):.2%}"


def _keep(records: Records, key: str, setting: Setting, alpha: str, found: Fraction, above: Fraction) -> None:
    """Put on record what is found if it is the best so far, and the bound if it is the least."""
    old = records.get(key, {})
    records[key] = {
        "banks": SMALL[0],
        "obligations": SMALL[1],
        "seed": setting.seed,
        "alpha": alpha,
        "value": str(max(found, Fraction(old.get("value", found)))),
        "upper_bound": str(min(above, Fraction(old.get("upper_bound", above)))),
    }
    RECORD.write_text(json.dumps(records, indent=1) + "\n")


def _mixed(drawn: Instance, alpha: str, seconds: float, gap: float = 1e-4) -> Fraction | None:
    """What HiGHS finds for the whole program, checked in integers; it ends within the relative ``gap``."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csc_array

    program = make_program(drawn.queue(), make_terms(drawn.balances[alpha], None, None), make_rates(RATES))
    if program is None:
        raise SystemExit("the sums don't fit 64 bits")
    shape = (len(program.room), len(program.worth))
    matrix = csc_array((program.change.astype(float), program.row, program.start), shape=shape)
    with _silence():
        solved = milp(
            -program.worth.astype(float),
            constraints=LinearConstraint(matrix, ub=program.room.astype(float)),
            bounds=Bounds(0, 1),
            integrality=np.ones(shape[1]),
            options={"time_limit": seconds, "mip_rel_gap": gap},
        )
    return None if solved.x is None else _exact_value(program, np.rint(solved.x).astype(np.int64))


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """HiGHS leaves lines on standard output from below Python, whatever it is told."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _exact_value(program: Program, chosen: NDArray[np.int64]) -> Fraction | None:
    """Worth of a choice, ``None`` if it breaks a row."""
    used = np.zeros(len(program.room), dtype=np.int64)
    np.add.at(used, program.row, program.change * np.repeat(chosen, np.diff(program.start)))
    if (used > program.room).any():
        return None
    worth: int = sum(program.worth[chosen > 0].tolist())
    return program.worth_scale * worth


def wide(setting: Setting) -> None:
    """Free order on a large queue, against the bound."""
    drawn = setting.drawn(LARGE)
    say("wide", f"bypass, {LARGE[0]:,} banks, {LARGE[1]:,} obligations; {SHOWN}")
    for alpha in ALPHAS:
        terms = drawn.balances[alpha]
        bound_s, bound = timed(partial(upper_bound, drawn.queue(), terms, rates=RATES, time_limit_s=BOUND_S))
        taken_s, answer = free_order(drawn, alpha, SEARCH_S + bound_s, setting.seed)
        plain = resolve(drawn.queue(), terms, rates=RATES)
        least = min(bound.value, answer.upper_bound)
        say(
            "",
            f"α = {alpha:4} {_percent(answer.objective, least)} of the bound (goal 95 %), {taken_s:.1f} s "
            f"(goal 10 and the bound's own {bound_s:.1f}); fifo {_percent(plain.objective, least)}",
        )
    say("", f"peak {peak_mib()} MiB; binds: passes over the legs, for the bound's prices and for each greedy")


def simulation(setting: Setting) -> None:
    """A settlement day, event by event."""
    theirs = _pssimpy_rate(setting)
    for size in (CORRIDOR_DAY, LARGE):
        drawn = setting.drawn(size)
        say("simulate", f"{size[0]:,} banks, {size[1]:,} obligations, FIFO queue, resolution every 15 min; {SHOWN}")
        for alpha in (*ALPHAS, ALL_SETTLE):
            day = Day(queue=drawn.queue(), arrival_s=drawn.arrival_s, balances=drawn.balances[alpha], rates=RATES)
            policy = Policy.gridlock(every_s=EVERY_S)
            simulate(day, policy, seed=setting.seed)
            repeats = REPEATS * LARGE[1] // size[1]  # each size for as long
            seconds, result = timed(partial(simulate, day, policy, seed=setting.seed), repeats)
            rate = size[1] / seconds
            say(
                "",
                f"α = {alpha:4} {rate / 1e6:.2f} million payments/s (goal 3), {seconds * 1000:.1f} ms; PSSimPy "
                f"x{rate / theirs:,.0f}; {np.mean(result.settled_at_s >= 0):.1%} settle",
            )
    say("", f"PSSimPy 0.1.5: {theirs:,.0f} payments/s, {COMPARED_DAY[0]} banks, {COMPARED_DAY[1]:,} payments,")
    say("", "one currency, no PvP, FIFO queue, credit without limit, windows of 15 min: less than what ours does")
    say("", f"peak {peak_mib()} MiB; binds: random access to accounts, and the runs over what is queued")


def _pssimpy_rate(setting: Setting) -> float:
    """Payments per second of PSSimPy on a small day of transfers in one currency."""
    try:
        from PSSimPy.queues import FIFOQueue
        from PSSimPy.simulator.basic_sim import BasicSim
    except ImportError:
        return float("nan")
    drawn = setting.drawn(COMPARED_DAY)
    banks = list(drawn.banks)
    single = np.flatnonzero(np.diff(drawn.columns["obligation"], prepend=-1))
    clock = [f"{second // 3600:02d}:{second // 60 % 60:02d}" for second in drawn.arrival_s.tolist()]
    transactions = {
        "sender_account": [banks[at] for at in drawn.columns["payer"][single].tolist()],
        "recipient_account": [banks[at] for at in drawn.columns["payee"][single].tolist()],
        "amount": [amount / 100 for amount in drawn.columns["amount"][single].tolist()],
        "time": clock,
    }
    balances = [drawn.balances[ALPHAS[1]].get(bank, {}).get("HKD", 0) / 100 for bank in banks]
    accounts = {"id": banks, "owner": banks, "balance": balances}
    here = Path.cwd()
    with TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.chdir(folder)  # it writes its logs where it stands
        try:
            run = BasicSim("reference", {"name": banks}, accounts, transactions, queue=FIFOQueue())
            started_s = time.perf_counter()
            run.run()
            return COMPARED_DAY[1] / (time.perf_counter() - started_s)
        finally:
            os.chdir(here)
