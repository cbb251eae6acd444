"""Measures the liquidity package and prints each figure with its reference from the same run.

    python -m tools.bench_liquidity                    every row (``make bench-liquidity``), about four minutes
    python -m tools.bench_liquidity --only fifo        one row; also --seed
    python -m tools.bench_liquidity --only bypass --long 120     search so many seconds and keep the best found

Each row runs in a process of its own, so the peak of memory is its own; instances are drawn in yet another. A
reference runs beside what it is compared with, because machines are shared and noisy: trust ratios, not seconds.
The rows: :mod:`tools.bench_liquidity_rows`, :mod:`tools.bench_liquidity_search`.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tools import bench_liquidity_rows as rows
from tools import bench_liquidity_search as search
from tools.bench_liquidity_rows import Setting

DEFAULT_SEED = 1

ROW_LIMIT_S = 180.0
"""A row that takes longer has failed: three searches and a bound for each take two minutes."""

ROWS: dict[str, Callable[[Setting], None]] = {
    "fifo": rows.fifo,
    "parquet": rows.parquet,
    "json": rows.case_file,
    "proof": search.proof,
    "bypass": search.bypass,
    "wide": search.wide,
    "simulate": search.simulation,
    "growth": rows.growth,
    "start": rows.start,
}
"""In the order of the report."""


def machine() -> str:
    """What this runs on, in one line, without a name."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores {platform.machine()}, {memory_gib:.0f} GiB, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line names; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_liquidity", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=sorted(ROWS), help="one row, in this process")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--long", type=float, metavar="S", help="bypass: search so long, and record what is found")
    parser.add_argument("--folder", type=Path, help="keep the instances here instead of drawing them each time")
    named = parser.parse_args(arguments)
    if named.folder is None:
        with tempfile.TemporaryDirectory() as folder:
            return main([*(arguments if arguments is not None else sys.argv[1:]), "--folder", folder])
    named.folder.mkdir(parents=True, exist_ok=True)
    if named.only is not None:
        ROWS[named.only](Setting(named.folder, named.seed, named.long))
        return 0
    print(f"machine   {machine()}, seed {named.seed}", flush=True)
    failed = []
    for row in ROWS:
        command = [sys.executable, "-m", "tools.bench_liquidity", "--only", row, "--seed", str(named.seed)]
        try:
            subprocess.run([*command, "--folder", str(named.folder)], check=True, timeout=ROW_LIMIT_S)  # noqa: S603
        except subprocess.SubprocessError as error:
            print(f"{row:9} {error}".replace(str(named.folder), "FOLDER"), file=sys.stderr)
            failed.append(row)
    if failed:
        print(f"failed    {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
