"""Compile the contracts and write the artefacts that the corridor ships.

``python -m tools.compile_contracts`` writes ``corridor/artifacts/{Name}.json`` for each deployed contract;
``--check`` writes nothing and fails if a committed artefact differs. The compiler gets the sources themselves
(standard JSON), and the bytecode carries no metadata hash, so the same sources give the same bytes anywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NODE_MODULES = ROOT / "node_modules"
ARTIFACTS = ROOT / "corridor" / "artifacts"
SOLC_VERSION = "0.8.30"
CONTRACTS = ("DepositToken", "EvidenceRegistry", "ParticipantRegistry", "PvPSettlement")
SETTINGS: Mapping[str, Any] = {
    "evmVersion": "paris",
    "metadata": {"bytecodeHash": "none"},
    "optimizer": {"enabled": True, "runs": 1_000_000},
    "viaIR": True,
}
MAX_SOURCES = 200  # our few files and the OpenZeppelin files below them: more would be a mistake
_IMPORT = re.compile(r'^import\s[^;]*?"([^"]+)";', re.MULTILINE)


def collect_sources(root: Path = ROOT) -> dict[str, str]:
    """Return the text of every contract and of all it imports, by the path it is imported under.

    Raises
    ------
    FileNotFoundError
        If an import leads nowhere, as when the Node tools are not installed.
    """
    waiting = [f"contracts/{path.name}" for path in sorted((root / "contracts").glob("*.sol"))]
    sources: dict[str, str] = {}
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        if len(sources) == MAX_SOURCES:
            raise RuntimeError(f"more than {MAX_SOURCES} source files")
        file = root / ("node_modules" if name.startswith("@") else "") / name
        sources[name] = file.read_text(encoding="utf-8")
        waiting += [_resolve(name, target) for target in _IMPORT.findall(sources[name])]
    return dict(sorted(sources.items()))


def _resolve(importer: str, target: str) -> str:
    if not target.startswith("."):
        return target
    return os.path.normpath(os.path.join(os.path.dirname(importer), target)).replace(os.sep, "/")


def imported(name: str, sources: Mapping[str, str]) -> set[str]:
    """Return ``name`` and everything that it imports, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [_resolve(one, target) for target in _IMPORT.findall(sources[one])]
    return found


def compile_artifacts(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """Compile all contracts; return the artefact of each deployed one by its name.

    Raises
    ------
    solcx.exceptions.SolcError
        If the sources do not compile.
    """
    os.environ.setdefault("SOLCX_BINARY_PATH", str(NODE_MODULES / ".solcx"))
    import solcx  # after the line above, which it reads

    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in collect_sources(root).items()},
        "settings": {
            **SETTINGS,
            "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}},
        },
    }
    answer = solcx.compile_standard(request, solc_version=SOLC_VERSION)
    return {name: _artifact(name, answer["contracts"][f"contracts/{name}.sol"][name]) for name in CONTRACTS}


def _artifact(name: str, output: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "contractName": name,
        "abi": output["abi"],
        "bytecode": "0x" + output["evm"]["bytecode"]["object"],
        "deployedBytecode": "0x" + output["evm"]["deployedBytecode"]["object"],
        "compiler": {"language": "Solidity", "version": SOLC_VERSION, "settings": SETTINGS},
    }


def render(artifact: Mapping[str, Any]) -> str:
    """Return the text of an artefact file: sorted keys, one line end at the end."""
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def compiler_present() -> bool:
    """Whether the Node tools that compiling needs are installed."""
    folder = Path(os.environ.get("SOLCX_BINARY_PATH", NODE_MODULES / ".solcx"))
    return (folder / f"solc-v{SOLC_VERSION}").exists() and (NODE_MODULES / "@openzeppelin" / "contracts").is_dir()


def stale_artifacts(artifacts: Mapping[str, Mapping[str, Any]], folder: Path = ARTIFACTS) -> list[str]:
    """Return the names whose committed file is missing or says something else."""
    return [
        name
        for name, artifact in artifacts.items()
        if not (folder / f"{name}.json").is_file()
        or (folder / f"{name}.json").read_text(encoding="utf-8") != render(artifact)
    ]


def main(arguments: list[str] | None = None) -> int:
    """Command line; the exit code is 0, or 1 if ``--check`` finds a difference or the compiler is missing."""
    parser = argparse.ArgumentParser(description="Compile the contracts into corridor/artifacts.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if an artefact differs")
    options = parser.parse_args(arguments)
    if not compiler_present():
        print("The Node tools are missing: run `make contracts`, which installs them.", file=sys.stderr)
        return 1
    artifacts = compile_artifacts()
    stale = stale_artifacts(artifacts)
    if options.check:
        for name in stale:
            print(f"{name}.json is not what the sources compile to: run `make contracts`.", file=sys.stderr)
        return 1 if stale else 0
    ARTIFACTS.mkdir(exist_ok=True)
    for name, artifact in artifacts.items():
        (ARTIFACTS / f"{name}.json").write_text(render(artifact), encoding="utf-8")
        size = len(artifact["deployedBytecode"]) // 2 - 1
        print(f"{name}: {size} bytes{' (changed)' if name in stale else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
