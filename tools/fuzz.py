"""Let thieves, issuers and sleepers try to break the invariants: ``python -m tools.fuzz --calls 1000000 --seed 1``.

Foundry gives every invariant test of one run the same sequences. Here each invariant gets a process and a seed of its
own, so that no call is counted twice; at the end of every sequence all invariants are checked, whichever it watches.
The exit code is 1 if any of them was broken; then the sequence of calls that did it is printed with its seed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.foundry import ROOT, required

SOURCE = ROOT / "tests" / "contracts" / "invariants" / "Invariants.t.sol"
# Long enough for locks of seven days to run out several times, short enough for a hundred fresh starts per invariant.
DEPTH = 500
# A hundred thousand calls take two to three minutes on one core; a run that takes this long hangs.
CAMPAIGN_LIMIT_S = 7_200


@dataclass(frozen=True, slots=True)
class Campaign:
    """What one invariant was tried with: calls and refused calls by action; ``broken`` says how, empty if it held."""

    invariant: str
    seed: int
    calls: Counter[str]
    refused: Counter[str]
    broken: str


def invariants(source: str) -> list[str]:
    """Return the names of the invariant tests in a source file's text, in its order."""
    return re.findall(r"function (invariant_\w+)\(", source)


def run_campaign(forge: Path, invariant: str, *, calls: int, depth: int, seed: int) -> Campaign:
    """Try one invariant with at least ``calls`` calls, in sequences of ``depth``."""
    budget = {
        "FOUNDRY_INVARIANT_RUNS": str(-(-calls // depth)),
        "FOUNDRY_INVARIANT_DEPTH": str(depth),
        "FOUNDRY_FUZZ_SEED": hex(seed),
    }
    answer = subprocess.run(  # noqa: S603  the binary that npm installed
        [str(forge), "test", "--json", "--threads", "1", "--match-test", rf"^{invariant}\("],
        cwd=ROOT, env=os.environ | budget, capture_output=True, text=True, timeout=CAMPAIGN_LIMIT_S, check=False,
    )  # fmt: skip
    try:
        return read_result(answer.stdout, invariant, seed)
    except (ValueError, KeyError):
        return Campaign(invariant, seed, Counter(), Counter(), f"forge: {(answer.stderr or answer.stdout)[-500:]}")


def read_result(text: str, invariant: str, seed: int) -> Campaign:
    """Return what forge's JSON says of one invariant.

    Raises
    ------
    ValueError, KeyError
        If the text is no result of that invariant.
    """
    results = {name: one for suite in json.loads(text).values() for name, one in suite["test_results"].items()}
    result = results[f"{invariant}()"]
    metrics = {name.rpartition(".")[2]: one for name, one in result["kind"]["Invariant"]["metrics"].items()}
    broken = ""
    if result["status"] != "Success":
        broken = f"{result['reason']}\n{json.dumps(result['counterexample'], indent=1)}"
    calls = Counter({action: int(one["calls"]) for action, one in metrics.items()})
    return Campaign(invariant, seed, calls, Counter({a: int(one["reverts"]) for a, one in metrics.items()}), broken)


def table(campaigns: Iterable[Campaign]) -> str:
    """Return calls and refused calls by action, over all campaigns."""
    calls: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for one in campaigns:
        calls += one.calls
        refused += one.refused
    rows = [f"{action:22} {calls[action]:>10,} {refused[action]:>10,}" for action in sorted(calls)]
    total = f"{'all actions':22} {calls.total():>10,} {refused.total():>10,}"
    return "\n".join([f"{'action':22} {'calls':>10} {'refused':>10}", *rows, total])


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; the exit code is 1 if an invariant was broken."""
    parser = argparse.ArgumentParser(description="Try to break the contracts' invariants.")
    parser.add_argument("--calls", type=int, default=1_000_000, help="over all invariants together")
    parser.add_argument("--depth", type=int, default=DEPTH, help="calls in one sequence")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="invariants at a time")
    options = parser.parse_args(arguments)
    forge = required("forge")
    # Once, before several processes would compile the same at the same time.
    if subprocess.run([str(forge), "build", "--quiet"], cwd=ROOT, check=False).returncode:  # noqa: S603
        return 1
    names = invariants(SOURCE.read_text(encoding="utf-8"))
    share = -(-options.calls // len(names))
    started_s = time.monotonic()

    def run(number: int) -> Campaign:
        seed = options.seed * 1_000 + number
        one = run_campaign(forge, names[number], calls=share, depth=options.depth, seed=seed)
        print(f"{'BROKEN' if one.broken else 'held'} {one.calls.total():>9,} calls, seed {seed}: {names[number]}")
        if one.broken:
            print(one.broken)
        sys.stdout.flush()
        return one

    with ThreadPoolExecutor(options.jobs) as pool:
        campaigns = list(pool.map(run, range(len(names))))
    print(table(campaigns))
    total, elapsed_s = sum(one.calls.total() for one in campaigns), time.monotonic() - started_s
    print(f"Seed {options.seed}: {total:,} calls in {elapsed_s:,.0f} s ({total / elapsed_s:,.0f} a second).")
    broken = [one.invariant for one in campaigns if one.broken]
    print(f"Broken: {', '.join(broken)}" if broken else f"All {len(names)} invariants held.")
    return 1 if broken or total < options.calls else 0


if __name__ == "__main__":
    sys.exit(main())
