"""The committed artefacts are what the sources compile to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tools.compile_contracts import ARTIFACTS, CONTRACTS, compile_artifacts, compiler_present, stale_artifacts

# A contract larger than this cannot be deployed on a public EVM (EIP-170).
MAX_DEPLOYED_BYTES = 24_576
# Opcodes that the paris EVM does not know; PUSH0, MCOPY, TLOAD, TSTORE, BLOBHASH, BLOBBASEFEE.
AFTER_PARIS = {0x5F, 0x5E, 0x5C, 0x5D, 0x49, 0x4A}
PUSH1, PUSH32 = 0x60, 0x7F


def artifact(name: str) -> dict[str, Any]:
    return json.loads((ARTIFACTS / f"{name}.json").read_text())


@pytest.mark.skipif(not compiler_present(), reason="the Solidity compiler is not installed (npm ci)")
def test_the_committed_artifacts_are_what_the_sources_compile_to() -> None:
    assert stale_artifacts(compile_artifacts()) == [], "run `make contracts` and commit corridor/artifacts"


def test_there_is_one_artifact_per_deployed_contract_and_no_other() -> None:
    assert sorted(path.stem for path in ARTIFACTS.glob("*.json")) == sorted(CONTRACTS)


@pytest.mark.parametrize("name", CONTRACTS)
def test_an_artifact_says_how_it_was_compiled(name: str) -> None:
    compiler = artifact(name)["compiler"]
    assert compiler["version"] == "0.8.30"
    assert compiler["settings"]["evmVersion"] == "paris"


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_fits_the_size_limit_of_public_chains(name: str) -> None:
    assert 0 < len(bytes.fromhex(artifact(name)["deployedBytecode"][2:])) <= MAX_DEPLOYED_BYTES


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_uses_no_opcode_younger_than_paris(name: str) -> None:
    code = bytes.fromhex(artifact(name)["deployedBytecode"][2:])
    code = code[: -2 - int.from_bytes(code[-2:], "big")]  # without the compiler's version at the end
    position, found = 0, set()
    while position < len(code):
        opcode = code[position]
        if opcode in AFTER_PARIS:
            found.add(opcode)
        position += 1 + (opcode - PUSH1 + 1 if PUSH1 <= opcode <= PUSH32 else 0)
    assert not found


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_error_and_event_of_an_abi_has_its_own_selector(name: str) -> None:
    # Two errors of one name and different arguments would confuse whoever decodes by name.
    for kind in ("error", "event"):
        names = [entry["name"] for entry in artifact(name)["abi"] if entry["type"] == kind]
        assert len(names) == len(set(names))
