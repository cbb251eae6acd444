"""The rows of the liquidity benchmark: what is measured, against what, and what binds it."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np

from liquidity import Queue, Resolution, elimination_compiled, resolve
from liquidity.elimination import eliminate
from liquidity.elimination_compiled import eliminate_arrays
from liquidity.terms import make_terms
from tools.liquidity_cases import ALPHAS, RATES, SHOWN, Balances, Instance, instance, parquet_files, write_case

REPOSITORY = Path(__file__).resolve().parents[1]
PLOT = REPOSITORY / "docs" / "liquidity-growth.png"

LARGE = (1_000, 1_000_000)
REFERENCE = (1_000, 20_000)
"""Banks and obligations; the reference is what plain Python does in about a second, scaled up by legs."""

REPEATS = 15
"""The fastest of so many runs counts: the others were disturbed."""

STARTS = 7
GROWTH_BANKS = 100
GROWTH_PLAIN = 31_623
"""Plain Python is drawn up to here: a second or so."""

GROWTH = (1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000)


KERNEL_BYTES = 120
"""What the kernel reads and writes per leg, each array counted as often as it passes through."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """Where instances are kept, what they are drawn from, and for how long to search for a record."""

    folder: Path
    seed: int
    long_s: float | None = None

    def drawn(self, size: tuple[int, int]) -> Instance:
        return instance(self.folder, *size, self.seed)


def timed(action: Callable[[], T], repeats: int = 1, clock: Callable[[], float] = time.perf_counter) -> tuple[float, T]:
    """Seconds of the fastest of some runs, and what the last one gave."""
    best_s = float("inf")
    for _ in range(repeats):
        started_s = clock()
        result = action()
        best_s = min(best_s, clock() - started_s)
    return best_s, result


def peak_mib(who: int = resource.RUSAGE_SELF) -> int:
    """The most memory this process (or any child) has had."""
    return resource.getrusage(who).ru_maxrss // 1024


def say(row: str, text: str) -> None:
    """One line of the report."""
    print(f"{row:9} {text}", flush=True)


def from_arrays(drawn: Instance, balances: Balances) -> Resolution:
    """``fifo``, from numpy arrays to the result."""
    return resolve(drawn.queue(), balances, rates=RATES)


def plain_python_s(setting: Setting, alpha: str) -> tuple[float, int]:
    """Seconds that the readable elimination takes for the reference instance, and its legs; the answers compared."""
    drawn = setting.drawn(REFERENCE)
    queue = drawn.queue()
    obligations, terms, arrays = queue.obligations, make_terms(drawn.balances[alpha], None, None), queue.arrays()
    seconds, kept = timed(lambda: eliminate(obligations, terms, "fifo"))
    outcome = None if arrays is None else eliminate_arrays(arrays, terms, "fifo")
    if outcome is None or outcome.kept.tolist() != kept:
        raise SystemExit(f"the two eliminations differ, seed {setting.seed}, α = {alpha}")
    return seconds, queue.leg_count


def kernel_s(queue: Queue, balances: Balances, clock: Callable[[], float]) -> tuple[float, float]:
    """Seconds in the compiled kernel, and in the elimination with all that is around it; the fastest runs."""
    arrays, terms = queue.arrays(), make_terms(balances, None, None)
    if arrays is None:
        raise SystemExit("the amounts don't fit 64 bits")
    spent: list[float] = []

    def watched(function: Callable[..., T]) -> Callable[..., T]:
        def call(*arguments: object) -> T:
            seconds, result = timed(lambda: function(*arguments), clock=clock)
            spent[-1] += seconds
            return result

        return call

    eliminate_arrays(arrays, terms, "fifo")
    whole: list[float] = []
    compiled: Any = elimination_compiled
    with (
        patch.object(compiled, "add_up", watched(compiled.add_up)),
        patch.object(compiled, "eliminate", watched(compiled.eliminate)),
    ):
        for _ in range(REPEATS):
            spent.append(0.0)
            whole.append(timed(lambda: eliminate_arrays(arrays, terms, "fifo"), clock=clock)[0])
    return min(spent), min(whole)


def bandwidth() -> float:
    """Bytes per second that copying a large array reads and writes."""
    origin = np.ones(2**23)
    target = np.zeros_like(origin)
    seconds, _ = timed(lambda: np.copyto(target, origin), REPEATS)
    return 2 * origin.nbytes / seconds


def fifo(setting: Setting) -> None:
    """The unique maximum of a large queue: the kernel alone, and from numpy arrays to the result."""
    drawn = setting.drawn(LARGE)
    queue = drawn.queue()
    legs = queue.leg_count
    copied = bandwidth()
    say("fifo", f"{LARGE[0]:,} banks, {LARGE[1]:,} obligations, {legs:,} legs; {SHOWN}")
    for alpha in ALPHAS:
        balances = drawn.balances[alpha]
        inner_s, whole_s = kernel_s(queue, balances, time.perf_counter)
        busy_s, _ = kernel_s(queue, balances, time.thread_time)
        result_s, answer = timed(partial(from_arrays, drawn, balances), 3)
        plain_s, plain_legs = plain_python_s(setting, alpha)
        plain_s *= legs / plain_legs
        say(
            "",
            f"α = {alpha:4} kernel {inner_s * 1000:.1f} ms (goal 50; plain Python x{plain_s / inner_s:,.0f}), of it "
            f"{busy_s * 1000:.1f} on the processor, "
            f"with tables around it {whole_s * 1000:.1f} ms, "
            f"arrays to result {result_s:.2f} s (goal 1; plain Python x{plain_s / result_s:,.0f}); "
            f"{answer.settled_count:,} settle",
        )
    say("", f"peak {peak_mib()} MiB (goal 1,024) with the arrays; plain Python: {REFERENCE[1]:,} obligations, by legs")
    floor_ms = legs * KERNEL_BYTES / copied * 1000
    say(
        "",
        f"binds: memory; {KERNEL_BYTES} bytes a leg at {copied / 1e9:.0f} GB/s, as a copy does here: {floor_ms:.0f} ms",
    )


def parquet(setting: Setting) -> None:
    """The same from a Parquet file of legs and one of balances."""
    alpha = "1/2"
    try:
        from pyarrow.parquet import read_table

        from liquidity.tables import read_day
    except ImportError as error:
        say("parquet", f"not measured, pyarrow doesn't load: {error}")
        return
    legs, money = parquet_files(setting.folder, *LARGE, setting.seed, alpha)

    def from_file() -> Resolution:
        day = read_day(legs, money)
        return resolve(day.queue, day.balances, rates=RATES)

    result_s, answer = timed(from_file, REPEATS)
    read_s, _ = timed(lambda: read_table(legs), REPEATS)
    peak = peak_mib()
    drawn = setting.drawn(LARGE)
    if answer.settled_count != from_arrays(drawn, drawn.balances[alpha]).settled_count:
        raise SystemExit("the Parquet file settles something else")
    say("parquet", f"{legs.stat().st_size / 2**20:.0f} MiB, α = {alpha}: {result_s:.2f} s to the result (goal 1)")
    say("", f"pyarrow alone reads the file in {read_s:.2f} s: x{result_s / read_s:.1f} of that; peak {peak} MiB")
    say("", "binds: a million ids as Python strings, made once and proven unique")


def case_file(setting: Setting) -> None:
    """The same from a case file through the command line."""
    alpha = "1/2"
    drawn = setting.drawn(LARGE)
    path = setting.folder / f"case-{setting.seed}.json"
    write_case(path, drawn, alpha)
    expected = from_arrays(drawn, drawn.balances[alpha]).settled_count
    wall_s, answer = timed(lambda: command_line(path), 2)
    if answer["settled_count"] != expected:
        raise SystemExit("the command line settles something else")
    parsed_s, _ = timed(lambda: json.loads(path.read_bytes()))
    say("json", f"{path.stat().st_size / 2**20:.0f} MiB, α = {alpha}, python -m liquidity resolve")
    say(
        "",
        f"{wall_s:.1f} s (goal 20), peak {peak_mib(resource.RUSAGE_CHILDREN)} MiB; json.loads of the file alone "
        f"{parsed_s:.1f} s: x{wall_s / parsed_s:.1f} of that",
    )
    say("", "binds: making Python objects of the text, and a dozen passes over them, column by column")


def command_line(path: Path) -> dict[str, object]:
    """The answer of ``python -m liquidity resolve``."""
    command = [sys.executable, "-m", "liquidity", "resolve", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY)  # noqa: S603 - our own module
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def start(setting: Setting) -> None:
    """A small case through the command line, when it isn't the first time."""
    path = REPOSITORY / "examples" / "cases" / "gridlock-hkd-thb.json"
    command_line(path)
    answer_s, _ = timed(lambda: command_line(path), STARTS)
    bare_s, _ = timed(lambda: subprocess.run([sys.executable, "-c", ""], check=True), STARTS)
    numpy_s, _ = timed(
        lambda: subprocess.run([sys.executable, "-c", "import numpy, numba"], check=True),
        STARTS,
    )
    say(
        "start",
        f"{path.name}: {answer_s:.2f} s (goal 1); Python alone {bare_s:.2f} s, with numpy and numba {numpy_s:.2f} s",
    )
    say("", "binds: starting Python; a small case takes a path without numpy")


def growth(setting: Setting) -> None:
    """Time against size, and a picture of it."""
    compiled: list[float] = []
    plain: list[float] = []
    for obligations in GROWTH:
        drawn = setting.drawn((GROWTH_BANKS, obligations))
        queue, balances = drawn.queue(), drawn.balances["1/2"]
        compiled.append(kernel_s(queue, balances, time.thread_time)[1])
        if obligations <= GROWTH_PLAIN:
            readable = partial(eliminate, queue.obligations, make_terms(balances, None, None), "fifo")
            plain.append(timed(readable, 2, time.thread_time)[0])
    upper = np.array(GROWTH[-4:], dtype=float)
    exponent = float(np.polyfit(np.log(upper), np.log(compiled[-4:]), 1)[0])
    steps = upper * np.log(upper)
    say("growth", f"fifo, {GROWTH_BANKS} banks, α = 1/2, seconds of one processor; {SHOWN}")
    for obligations, taken in zip(GROWTH, compiled, strict=True):
        say("", f"{obligations:9,} {taken * 1000:8.2f} ms, {taken / obligations * 1e9:7.0f} ns each")
    say(
        "",
        f"fitted exponent {exponent:.2f} over the upper half (goal: no worse than n log n): "
        f"x{compiled[-1] / compiled[-4]:.1f} where n log n is x{steps[-1] / steps[-4]:.1f}",
    )
    _draw_growth(compiled, plain, exponent)


def _draw_growth(compiled: list[float], plain: list[float], exponent: float) -> None:
    """Both eliminations and n log n on logarithmic axes, told apart without colour."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        say("", "no picture: matplotlib isn't there")
        return
    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    sizes = np.array(GROWTH, dtype=float)
    axes.loglog(sizes[: len(plain)], plain, "s--", color="0.35", label="plain Python, exact integers")
    axes.loglog(sizes, compiled, "o-", color="black", label=f"compiled, grows as n^{exponent:.2f} at the end")
    reference = sizes * np.log(sizes)
    axes.loglog(sizes, reference * compiled[-1] / reference[-1], ":", color="0.35", label="n log n, through the last")
    axes.set_xlabel("obligations n")
    axes.set_ylabel("seconds of one processor")
    axes.set_title(f"fifo: time to the unique maximum ({GROWTH_BANKS} banks, 10 % PvP, α = 1/2)")
    axes.grid(visible=True, which="major", color="0.85")
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(PLOT, dpi=110)
    say("", f"picture in {PLOT.relative_to(REPOSITORY)}")
