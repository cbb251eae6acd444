"""Break the contracts on purpose and see which test notices: ``python -m tools.mutants``.

Without arguments it runs the named mutants of ``tests/contracts/mutants.py``, each of which breaks one guarantee.
``--sample N --seed S`` draws N mutants at random from the sources of the settlement contract and its libraries.

A mutant is one replacement in one source file. Only the contract that contains the file is compiled anew, quickly and
without the optimiser; its bytecode replaces the compiled one in a copy of the project, and the tests run against that.
The copy also lets the tests' own libraries stay as they are, so that a mutant cannot deceive the test that checks it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.compile_contracts import ROOT, SETTINGS, SOLC_VERSION, collect_sources, imported
from tools.foundry import required

NAMED = ROOT / "tests" / "contracts" / "mutants.py"
SAMPLED_FILES = ("PvPSettlement", "LegRules", "LegEvidence", "TypedData")
DEPLOYED = ("PvPSettlement", "DepositToken", "ParticipantRegistry")
# Yul without its optimiser: a third of the time, the same meaning.
FAST_OPTIMIZER = {"enabled": True, "runs": 1, "details": {"yul": True, "yulDetails": {"optimizerSteps": "u"}}}
# A mutant that never ends counts as caught: a test that hangs is noticed too.
COMPILE_LIMIT_S = 180
TEST_LIMIT_S = 300
SURVIVORS_SHOWN = 200
# Ten thousand calls against the invariant that must notice: with a quarter of it, some were found only by luck.
NAMED_RUNS, NAMED_DEPTH = "40", "250"
# In the summary, where an invariant's sequence of calls stands between its reason and its name.
_FAILED = re.compile(r"^\[FAIL.*?\b((?:test|invariant)_\w+|setUp)\(\)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mutant:
    """``old`` becomes ``new`` in ``contracts/{file}.sol``; ``at`` is the offset where ``old`` stands (-1: once)."""

    name: str
    file: str
    old: str
    new: str
    caught_by: str = ""
    at: int = -1

    def apply(self, text: str) -> str:
        """Return the mutated source.

        Raises
        ------
        ValueError
            If ``old`` does not stand there, or not exactly once.
        """
        if self.at >= 0:
            if not text.startswith(self.old, self.at):
                raise ValueError(f"{self.name}: the source has changed")
            return text[: self.at] + self.new + text[self.at + len(self.old) :]
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: `{self.old}` stands {text.count(self.old)} times in {self.file}.sol")
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a mutant: caught, survived, same (the same bytecode), invalid (it does not compile)."""

    mutant: Mutant
    outcome: str
    noticed_by: str = ""


def named_mutants() -> list[Mutant]:
    """Return the mutants that are kept with the tests."""
    spec = importlib.util.spec_from_file_location("contract_mutants", NAMED)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [Mutant(*fields) for fields in module.MUTANTS]


# Operators: a pattern, and what to put in its place.
_OPERATORS: Sequence[tuple[str, re.Pattern[str], tuple[str, ...]]] = (
    ("comparison", re.compile(r" (<=|>=|<|>) (?![\"'])"), ("boundary", "reverse")),
    ("equality", re.compile(r" (==|!=) "), ("flip",)),
    ("logic", re.compile(r" (&&|\|\|) "), ("flip",)),
    ("condition", re.compile(r"\bif \((?=[^\n]*\)[^\n]*$)", re.MULTILINE), ("never", "always")),
    ("arithmetic", re.compile(r" (\+|-|\*|\||&|<<|>>) "), ("flip",)),
    ("assignment", re.compile(r" (\+=|-=|\|=|\^=) "), ("flip",)),
    ("number", re.compile(r"(?<![\w.])(\d[\d_]*)(?![\w.])"), ("more",)),
    ("truth", re.compile(r"\b(true|false)\b"), ("flip",)),
    ("delete", re.compile(r"^ +((?:[\w.\[\]]+\(|emit |record\.|_batches|approved)[^;]*;)$", re.MULTILINE), ("delete",)),
    ("swap", re.compile(r"\((\w+), (\w+)\)"), ("swap",)),
)
_OTHER = {
    "==": "!=", "!=": "==", "&&": "||", "||": "&&", "+": "-", "-": "+", "*": "+", "|": "&", "&": "|", "<<": ">>",
    ">>": "<<", "+=": "-=", "-=": "+=", "|=": "&=", "^=": "|=", "true": "false", "false": "true",
}  # fmt: skip
_BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_REVERSE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def generated_mutants(file: str, text: str) -> Iterator[Mutant]:
    """Yield every mutant that the operators make of a source file's code."""
    code = _without_comments(text)
    for operator, pattern, ways in _OPERATORS:
        for match in pattern.finditer(code):
            line = code.count("\n", 0, match.start()) + 1
            if _declares(code, match.start()):
                continue
            for way in ways:
                old, new, at = _replacement(way, match, code)
                if new != old:
                    name = f"{file}:{line} {operator} {way}: {' '.join(old.split())} → {new}"
                    yield Mutant(name, file, text[at : at + len(old)], new, "", at)


def _replacement(way: str, match: re.Match[str], code: str) -> tuple[str, str, int]:
    old = match[1] if match.lastindex else match[0]
    at = match.start(1) if match.lastindex else match.start()
    if way in ("never", "always"):
        end = _closing(code, match.end() - 1)
        old = code[match.start() : end]
        condition = old[len("if (") : -1]
        return old, f"if (({condition}) {'&& false' if way == 'never' else '|| true'})", match.start()
    if way == "swap":
        return match[0], f"({match[2]}, {match[1]})", match.start()
    choices = {"boundary": _BOUNDARY, "reverse": _REVERSE, "flip": _OTHER}
    if way in choices:
        return old, choices[way][old], at
    return old, f"({old} + 1)" if way == "more" else "{}", at


def _closing(code: str, opening: int) -> int:
    depth = 0
    for at in range(opening, len(code)):
        depth += (code[at] == "(") - (code[at] == ")")
        if depth == 0:
            return at + 1
    return len(code)


def _declares(code: str, at: int) -> bool:
    """Whether the line only declares: no behaviour stands there."""
    start = code.rfind("\n", 0, at) + 1
    line = code[start : code.find("\n", at)]
    words = (
        "pragma",
        "import",
        "error ",
        "event ",
        "struct ",
        "function ",
        "contract ",
        "library ",
        'keccak256("',
        "using ",
    )
    return line.strip().startswith(words) or ("view" in line and line.rstrip().endswith("{"))


def _without_comments(text: str) -> str:
    """The same text with comments and strings blanked, every offset kept."""
    pattern = re.compile(r"//[^\n]*|/\*.*?\*/|\"[^\"\n]*\"", re.DOTALL)
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def sample(count: int, seed: int) -> list[Mutant]:
    """Return ``count`` mutants of the settlement contract and its libraries, drawn without repetition."""
    every: list[Mutant] = []
    for file in SAMPLED_FILES:
        every += generated_mutants(file, (ROOT / "contracts" / f"{file}.sol").read_text(encoding="utf-8"))
    random.Random(seed).shuffle(every)  # noqa: S311  a sample, not a secret
    return every[:count]


class Workshop:
    """A copy of the compiled project, in which contracts are replaced by broken ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources = collect_sources()
        self.forge = required("forge")
        for name in ("contracts", "tests/contracts", "tests/vectors", "out", "cache"):
            shutil.copytree(ROOT / name, folder / name)
        shutil.copy(ROOT / "foundry.toml", folder)
        (folder / "node_modules").symlink_to((ROOT / "node_modules").resolve())
        self._baseline: dict[str, str] = {}

    def baseline(self) -> None:
        """Compile what is deployed in the fast way and prove that every test passes with it.

        Raises
        ------
        RuntimeError
            If a test fails although nothing is broken.
        """
        for name in DEPLOYED:
            self._baseline[name] = self._compile(name, self.sources) or ""
            self._install(name, self._baseline[name])
        if failing := self._failing_tests():
            raise RuntimeError(f"the tests fail without a mutant: {failing}")

    def judge(self, mutant: Mutant) -> Verdict:
        """Install one mutant, run the tests, and take it out again."""
        path = f"contracts/{mutant.file}.sol"
        broken = dict(self.sources)
        broken[path] = mutant.apply(broken[path])
        users = [name for name in DEPLOYED if path in imported(f"contracts/{name}.sol", self.sources)]
        changed = False
        try:
            for name in users:
                code = self._compile(name, broken)
                if code is None:
                    return Verdict(mutant, "invalid")
                changed |= code != self._baseline[name]
                self._install(name, code)
            if not changed:
                return Verdict(mutant, "same")
            failing = self._failing_tests(mutant.caught_by)
        except subprocess.TimeoutExpired:
            return Verdict(mutant, "caught", "a time limit")
        finally:
            for name in users:
                self._install(name, self._baseline[name])
        return Verdict(mutant, "caught" if failing else "survived", failing)

    def _compile(self, name: str, sources: dict[str, str]) -> str | None:
        path = f"contracts/{name}.sol"
        request = {
            "language": "Solidity",
            "sources": {one: {"content": sources[one]} for one in sorted(imported(path, sources))},
            "settings": {
                **SETTINGS,
                "optimizer": FAST_OPTIMIZER,
                "outputSelection": {path: {name: ["evm.bytecode.object"]}},
            },
        }
        compiler = ROOT / "node_modules" / ".solcx" / f"solc-v{SOLC_VERSION}"
        answer = subprocess.run(  # noqa: S603  our own compiler wrapper
            [str(compiler), "--standard-json"],
            input=json.dumps(request), capture_output=True, text=True, timeout=COMPILE_LIMIT_S, check=False,
        )  # fmt: skip
        output: dict[str, Any] = json.loads(answer.stdout or "{}")
        try:
            return str(output["contracts"][path][name]["evm"]["bytecode"]["object"]) or None
        except KeyError:
            return None

    def _install(self, name: str, code: str) -> None:
        path = self.folder / "out" / f"{name}.sol" / f"{name}.json"
        artifact = json.loads(path.read_text(encoding="utf-8"))
        artifact["bytecode"]["object"] = "0x" + code
        path.write_text(json.dumps(artifact), encoding="utf-8")

    def _failing_tests(self, test: str = "") -> str:
        """Names of failing tests: of the one asked for, or of all that take no chances and then of the invariants."""
        if test:
            return self._run("--match-test", test, runs=NAMED_RUNS, depth=NAMED_DEPTH)
        invariants = "tests/contracts/invariants/*"
        return self._run("--no-match-path", invariants) or self._run("--match-path", invariants)

    def _run(self, *arguments: str, runs: str = "4", depth: str = "60") -> str:
        budget = {"FOUNDRY_INVARIANT_RUNS": runs, "FOUNDRY_INVARIANT_DEPTH": depth}
        unshrunk = {"FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0", "NO_COLOR": "1"}
        result = subprocess.run(  # noqa: S603  the binary that npm installed
            [str(self.forge), "test", "--fail-fast", *arguments],
            cwd=self.folder, env=os.environ | budget | unshrunk, capture_output=True, text=True, timeout=TEST_LIMIT_S,
            check=False,
        )  # fmt: skip
        if result.returncode == 0:
            return ""
        failed = _FAILED.findall(result.stdout)
        return ", ".join(dict.fromkeys(failed)) or f"forge: {result.stderr[-200:]}"


def judge_all(mutants: Iterable[Mutant], *, jobs: int) -> Iterator[Verdict]:
    """Judge mutants in ``jobs`` workshops at a time; yield each verdict as it comes."""
    waiting = list(mutants)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(jobs) as pool:
        workshops = [Workshop(Path(folder) / str(number)) for number in range(jobs)]
        list(pool.map(Workshop.baseline, workshops))
        shares = [waiting[number::jobs] for number in range(jobs)]
        running = [pool.submit(_share, workshop, share) for workshop, share in zip(workshops, shares, strict=True)]
        for future in running:
            yield from future.result()


def _share(workshop: Workshop, mutants: Sequence[Mutant]) -> list[Verdict]:
    verdicts = []
    for mutant in mutants:
        verdicts.append(workshop.judge(mutant))
        print(f"{verdicts[-1].outcome:9} {mutant.name}  [{verdicts[-1].noticed_by[:120]}]", flush=True)
    return verdicts


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; the exit code is 1 if a named mutant survived or a sample's score is below the goal."""
    parser = argparse.ArgumentParser(description="Break the contracts on purpose and see which test notices.")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="draw N random mutants instead of the named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0, metavar="N", help="go on behind a sample's first N mutants")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="named mutants whose name contains this")
    parser.add_argument("--goal", type=float, default=0.9, help="least share of a sample that must be caught")
    options = parser.parse_args(arguments)
    mutants = sample(options.sample, options.seed)[options.skip :] if options.sample else named_mutants()
    verdicts = list(judge_all([one for one in mutants if options.only in one.name], jobs=options.jobs))
    count = {kind: sum(one.outcome == kind for one in verdicts) for kind in ("caught", "survived", "same", "invalid")}
    judged = count["caught"] + count["survived"]
    print(f"Seed {options.seed}: {len(verdicts)} mutants, " + ", ".join(f"{n} {kind}" for kind, n in count.items()))
    print(f"Score: {count['caught']} of {judged} ({count['caught'] / max(judged, 1):.1%}).")
    for one in [one for one in verdicts if one.outcome == "survived"][:SURVIVORS_SHOWN]:
        print(f"survivor: {one.mutant.name}")
    if options.sample:
        return 0 if judged and count["caught"] / judged >= options.goal else 1
    unexpected = [one for one in verdicts if one.outcome != "caught" or one.mutant.caught_by not in one.noticed_by]
    for one in unexpected:
        print(f"NOT CAUGHT by {one.mutant.caught_by}: {one.mutant.name} ({one.outcome} {one.noticed_by})")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
