"""Prove the contracts' arithmetic and states: ``.venv-halmos/bin/python -m tools.prove``.

halmos executes the contracts, compiled as they are deployed, for all arguments at once. Functions named ``check_`` must
hold for all of them. Functions named ``witness_`` claim what is false, as in "no PvP ever settles": halmos must refute
each, or the proofs beside it might hold only because nothing happens in them.

halmos has a virtual environment of its own (``requirements/prove.txt``): it wants other versions than eth-ape.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from tools.foundry import ROOT, required

# The compiler settings of foundry.toml for the proofs, and the place of what it compiles.
PROFILE, OUT = "prove", ".build/proofs/out"
# No loop in the proofs runs longer; if one did, its proof would not count.
LOOP_BOUND = 4


def judge(exitcode: int, *, bounded_loops: int | None) -> str:
    """Return "proven", "refuted" (a counterexample exists), or "undecided"."""
    if exitcode == 1:
        return "refuted"
    return "proven" if exitcode == 0 and not bounded_loops else "undecided"


def run_halmos(contract: str) -> dict[str, str]:
    """Execute every proof and witness of the contracts whose names match; return the verdict on each.

    Raises
    ------
    ImportError
        If halmos is not installed in this environment.
    """
    import halmos.sevm  # type: ignore[import-not-found,unused-ignore]
    from halmos.__main__ import _main  # type: ignore[import-not-found,unused-ignore]

    _give_sha256_its_size(halmos.sevm)
    options = ["--root", str(ROOT), "--forge-build-out", OUT, "--loop", str(LOOP_BOUND), "--no-status"]
    result = _main([*options, "--match-contract", contract, "--function", "(check|witness)_"])
    found = [one for suite in (result.test_results or {}).values() for one in suite]
    return {one.name: judge(one.exitcode, bounded_loops=one.num_bounded_loops) for one in found}


def differing() -> list[str]:
    """Return the contracts that the proofs compiled otherwise than they are deployed: nothing is proven of those."""
    found = []
    for deployed in sorted((ROOT / "corridor" / "artifacts").glob("*.json")):
        proven = json.loads((ROOT / OUT / f"{deployed.stem}.sol" / deployed.name).read_text(encoding="utf-8"))
        code = str(json.loads(deployed.read_text(encoding="utf-8"))["bytecode"])
        if code.removeprefix("0x") != str(proven["bytecode"]["object"]).removeprefix("0x"):
            found.append(deployed.stem)
    return found


def _give_sha256_its_size(sevm: Any) -> None:
    """halmos 0.3.0 takes SHA-256 for a function of as many bits as its argument has bytes, and fails at every call."""
    declare = sevm.Function

    def sized(name: str, *sorts: Any) -> Any:
        if name.startswith("f_sha256_"):
            sorts = (sevm.BitVecSorts[8 * int(name.rpartition("_")[2])], sorts[-1])
        return declare(name, *sorts)

    sevm.Function = sized


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; the exit code is 0 if all proofs hold and all witnesses are refuted."""
    parser = argparse.ArgumentParser(description="Prove the contracts' arithmetic and states for all arguments.")
    parser.add_argument("--contract", default="Proof", help="only contracts whose names match this pattern")
    options = parser.parse_args(arguments)
    forge = required("forge")
    # halmos has its sources compiled by the forge that it finds first.
    os.environ["PATH"] = f"{forge.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["FOUNDRY_PROFILE"] = PROFILE
    verdicts = run_halmos(options.contract)
    expected = {name: "refuted" if name.startswith("witness_") else "proven" for name in verdicts}
    wrong = [name for name, verdict in verdicts.items() if verdict != expected[name]]
    for name in wrong:
        print(f"NOT {expected[name]}: {name} ({verdicts[name]})")
    others = differing()
    if others:
        print(f"Compiled otherwise than deployed: {', '.join(others)}; run make contracts.")
    proofs = list(expected.values()).count("proven")
    print(f"halmos: {proofs} proofs and {len(verdicts) - proofs} witnesses, {len(wrong)} not as they must be.")
    return 1 if wrong or others or not proofs else 0


if __name__ == "__main__":
    sys.exit(main())
