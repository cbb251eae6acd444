"""Ask slither about the contracts: ``python -m tools.slither``. Fails on any finding of high or medium impact.

Findings that were judged and accepted stand in :data:`ACCEPTED`, each with its reason; one that no longer occurs is
reported, so that the list cannot outlive what it excuses.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.compile_contracts import ROOT, SETTINGS, SOLC_VERSION, collect_sources


@dataclass(frozen=True, slots=True)
class Accepted:
    """A finding of a detector about a function or variable, and why it is none."""

    detector: str
    where: str
    reason: str


_UNSET = "a mapping answers zero for what it does not know, and nobody can make the value zero or not by sending funds"
ACCEPTED = (
    Accepted("incorrect-equality", "ParticipantRegistry._requireParticipant", _UNSET),
    Accepted(
        "incorrect-equality", "ParticipantRegistry.participant", "it compares an enum; time only decides with < or ≥"
    ),
    Accepted("incorrect-equality", "ParticipantRegistry.executeRecovery", _UNSET),
    Accepted(
        "incorrect-equality",
        "EvidenceRegistry.verify",
        "identities and codes are equal or not; there is no amount in it",
    ),
    Accepted("uninitialized-local", "LegRules.leadPayer", "zero means: no lead leg met yet"),
    Accepted(
        "uninitialized-local", "PvPSettlement.key", "set in the loop: the caller has made sure that the mask has a bit"
    ),
    Accepted("unused-return", "PvPSettlement._requireLockConsent", "the payee must be active; its key is not needed"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector says, of which impact, about which function or variable."""

    detector: str
    impact: str
    where: str
    description: str


def findings() -> list[Finding]:
    """Return slither's findings of high and medium impact in our own contracts.

    Raises
    ------
    ImportError
        If slither is not installed.
    """
    from crytic_compile import CryticCompile
    from slither import Slither  # type: ignore[import-untyped]
    from slither.detectors import all_detectors  # type: ignore[import-untyped]
    from slither.detectors.abstract_detector import (  # type: ignore[import-untyped]
        AbstractDetector,
        DetectorClassification,
    )

    os.chdir(ROOT)
    analysis: Any = Slither(CryticCompile(_sources_as_a_platform()))
    wanted = (DetectorClassification.HIGH, DetectorClassification.MEDIUM)
    named: list[Any] = [getattr(all_detectors, name) for name in dir(all_detectors)]
    for detector in named:
        if isinstance(detector, type) and issubclass(detector, AbstractDetector) and _impact(detector) in wanted:
            analysis.register_detector(detector)
    results = [result for results in analysis.run_detectors() for result in results]
    return [_finding(result) for result in results if "contracts/" in _places(result) and _is_ours(result)]


def _sources_as_a_platform() -> Any:
    """Our sources as slither takes them. It reads the syntax alone: no bytecode is made, which would take a minute."""
    from crytic_compile.compilation_unit import CompilationUnit
    from crytic_compile.compiler.compiler import CompilerVersion
    from crytic_compile.platform.solc_standard_json import SolcStandardJson, parse_standard_json_output

    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in collect_sources().items()},
        "settings": {
            "evmVersion": SETTINGS["evmVersion"],
            "outputSelection": {"*": {"*": ["abi", "evm.methodIdentifiers"], "": ["ast"]}},
        },
    }

    class Sources(SolcStandardJson):  # type: ignore[misc,unused-ignore]
        def compile(self, crytic_compile: Any, **_: Any) -> None:
            unit = CompilationUnit(crytic_compile, "standard_json")
            unit.compiler_version = CompilerVersion("solc", SOLC_VERSION, optimized=True)
            compiler = ROOT / "node_modules" / ".solcx" / f"solc-v{SOLC_VERSION}"
            answer = subprocess.run(  # noqa: S603  our own compiler wrapper
                [str(compiler), "--standard-json"],
                input=json.dumps(request),
                capture_output=True,
                text=True,
                check=True,
            )
            output = json.loads(answer.stdout)
            nothing = {"object": "", "sourceMap": ""}
            for contracts in output["contracts"].values():
                for contract in contracts.values():
                    contract["evm"] |= {"bytecode": nothing, "deployedBytecode": nothing}
            parse_standard_json_output(output, unit)

    return Sources(request)


def _impact(detector: Any) -> Any:
    return detector.IMPACT


def _places(result: dict[str, Any]) -> str:
    return str(result["elements"][0]["source_mapping"]["filename_relative"]) if result["elements"] else ""


def _is_ours(result: dict[str, Any]) -> bool:
    return "openzeppelin" not in _places(result)


def _where(result: dict[str, Any]) -> str:
    """The file and the function or variable that a finding is about."""
    return f"{Path(_places(result)).stem}.{result['elements'][0]['name']}"


def _finding(result: dict[str, Any]) -> Finding:
    return Finding(result["check"], result["impact"], _where(result), result["description"].strip())


def main() -> int:
    """Command line; the exit code is 0 if nothing is found but what was accepted, and all of that."""
    found = {(one.detector, one.where): one for one in findings()}
    excused = {(one.detector, one.where) for one in ACCEPTED}
    for key in sorted(found.keys() - excused):
        print(f"{found[key].impact} {found[key].detector}: {found[key].description}")
    for detector, where in sorted(excused - found.keys()):
        print(f"accepted but not found any more: {detector} in {where}")
    print(
        f"slither: {len(found)} findings of high and medium impact, {len(found.keys() & excused)} accepted with reason."
    )
    return 0 if found.keys() == excused else 1


if __name__ == "__main__":
    sys.exit(main())
