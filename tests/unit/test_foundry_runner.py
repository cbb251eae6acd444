"""A failing Foundry test fails the command that ``make test`` runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.compile_contracts import NODE_MODULES, SOLC_VERSION, compiler_present
from tools.foundry import ROOT, binary_of

pytestmark = [
    pytest.mark.skipif(binary_of("forge") is None, reason="forge is not installed (npm ci)"),
    pytest.mark.skipif(not compiler_present(), reason="the Solidity compiler is not installed (npm ci)"),
]


def run_foundry(project: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m tools.foundry test`` over a project that consists of one source file."""
    compiler = NODE_MODULES / ".solcx" / f"solc-v{SOLC_VERSION}"
    (project / "foundry.toml").write_text(
        f'[profile.default]\ntest = "test"\noffline = true\nsolc = {json.dumps(str(compiler))}\n'
    )
    (project / "test").mkdir()
    (project / "test" / "Sum.t.sol").write_text(source)
    return subprocess.run(
        [sys.executable, "-m", "tools.foundry", "test", "--root", str(project)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def one_test(assertion: str) -> str:
    return f"""// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

contract SumTest {{
    function test_one_and_one_are_two() public pure {{
        assert({assertion});
    }}
}}
"""


def test_a_failing_foundry_test_gives_a_failing_exit_code(tmp_path: Path) -> None:
    run = run_foundry(tmp_path, one_test("1 + 1 == 3"))
    assert run.returncode != 0, run.stdout + run.stderr
    assert "Foundry: 1 tests run, 0 passed, 1 failed, 0 skipped." in run.stdout


def test_a_passing_foundry_test_gives_exit_code_zero_and_a_count(tmp_path: Path) -> None:
    run = run_foundry(tmp_path, one_test("1 + 1 == 2"))
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.endswith("Foundry: 1 tests run, 1 passed, 0 failed, 0 skipped.\n")


def test_a_foundry_test_that_does_not_compile_gives_a_failing_exit_code(tmp_path: Path) -> None:
    run = run_foundry(tmp_path, one_test("nonsense"))
    assert run.returncode != 0


def test_a_run_without_any_test_is_a_failure(tmp_path: Path) -> None:
    run = run_foundry(tmp_path, "// SPDX-License-Identifier: Apache-2.0\npragma solidity 0.8.30;\n")
    assert run.returncode != 0, run.stdout + run.stderr


def test_make_test_heeds_the_exit_code() -> None:
    recipe = [line.strip() for line in (ROOT / "Makefile").read_text().splitlines() if "tools.foundry test" in line]
    assert recipe == ["@$(BIN)/python -m tools.foundry test"]
