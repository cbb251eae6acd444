"""Which lines and branches of the contracts no test reaches: ``python -m tools.coverage``.

Foundry measures without the optimiser, or nearly (the contracts are too deep for the compiler's older pipeline), and
takes some minutes. The exit code is 1 if there is a hole that :data:`ACCEPTED` doesn't explain, or an explanation
without a hole. The invariant campaigns don't count: what only chance reaches is not covered.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tools.foundry import ROOT, required

# The compiler settings of foundry.toml for coverage.
PROFILE = "coverage"
REPORT = ROOT / ".build" / "coverage" / "lcov.info"
# Five minutes on a loaded machine with two cores; four times as long means that it hangs.
LIMIT_S = 1_200


@dataclass(frozen=True, slots=True)
class Hole:
    """A line (or, with ``branch``, one side of a decision in it) that no test reaches."""

    file: str
    line: int
    text: str
    branch: bool


# A part of the line, and why it is no hole.
ACCEPTED = {
    "if (position < 0) {": "both its branches are counted; the compiler has made the comparison two lines above",
}
# Lines inside `assembly` are not counted by the compiler's newer pipeline. Their results are compared with Python's by
# the tests of the vectors.
ASSEMBLY = "assembly"


def holes(report: str, sources: dict[str, str]) -> Iterator[Hole]:
    """Yield the holes of an lcov report in files of ``sources`` (path → text)."""
    file = ""
    for line in report.splitlines():
        kind, _, rest = line.partition(":")
        if kind == "SF":
            file = rest
        if file not in sources or kind not in ("DA", "BRDA"):
            continue
        number, *_, hits = rest.split(",")
        if hits in ("0", "-"):
            text = sources[file].splitlines()[int(number) - 1].strip()
            yield Hole(file, int(number), text, kind == "BRDA")


def reason(hole: Hole, source: str) -> str:
    """Return why a hole is none, or nothing."""
    before = source.splitlines()[: hole.line - 1]
    opened = [number for number, text in enumerate(before) if text.strip().startswith(ASSEMBLY)]
    if opened and not any(text == "        }" for text in before[opened[-1] :]):
        return ASSEMBLY
    return next((key for key in ACCEPTED if key in hole.text and not hole.branch), "")


def measure() -> str:
    """Run all tests but the campaigns, and return the lcov report.

    Raises
    ------
    RuntimeError
        If a test fails.
    """
    forge = required("forge")
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.unlink(missing_ok=True)
    tests = ["--exclude-tests", "--no-match-path", "tests/contracts/invariants/*"]
    reports = ["--report", "summary", "--report", "lcov", "--report-file", str(REPORT)]
    result = subprocess.run(  # noqa: S603  the binary that npm installed
        [str(forge), "coverage", "--ir-minimum", *tests, *reports],
        cwd=ROOT, env=os.environ | {"FOUNDRY_PROFILE": PROFILE}, capture_output=True, text=True, timeout=LIMIT_S,
        check=False,
    )  # fmt: skip
    if result.returncode or not REPORT.is_file():
        raise RuntimeError(f"forge coverage failed: {(result.stdout + result.stderr)[-2000:]}")
    table = result.stdout.find("| File")
    print(result.stdout[table:] if table >= 0 else "")
    return REPORT.read_text(encoding="utf-8")


def main() -> int:
    """Command line; the exit code is 0 if every hole is explained and every explanation has a hole."""
    sources = {
        f"contracts/{path.name}": path.read_text(encoding="utf-8") for path in (ROOT / "contracts").glob("*.sol")
    }
    try:
        report = measure()
    except RuntimeError as failure:
        print(failure, file=sys.stderr)
        return 1
    found = list(holes(report, sources))
    why = [reason(one, sources[one.file]) for one in found]
    for one, explained in zip(found, why, strict=True):
        kind = "branch" if one.branch else "line"
        print(f"{'explained' if explained else 'HOLE':9} {kind:6} {one.file}:{one.line} {one.text}")
    stale = ACCEPTED.keys() - set(why)
    for text in stale:
        print(f"explained but covered: {text}")
    unmeasured = sorted(path for path in sources if f"SF:{path}" not in report)
    print(f"Not measured (interfaces, types, free functions): {', '.join(unmeasured)}")
    print(f"Coverage: {len(found)} holes, {why.count('')} unexplained.")
    return 1 if "" in why or stale else 0


if __name__ == "__main__":
    sys.exit(main())
