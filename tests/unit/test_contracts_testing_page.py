"""The page on testing names tests that exist, every invariant and every mutant."""

import re

import pytest

from tools.foundry import ROOT
from tools.fuzz import SOURCE, invariants
from tools.mutants import named_mutants

PAGE = (ROOT / "docs" / "contracts-testing.md").read_text(encoding="utf-8")
TESTS = ROOT / "tests"


@pytest.fixture(scope="module")
def known():
    sources = [*TESTS.rglob("*.sol"), *TESTS.rglob("*.py")]
    defined = re.compile(r"(?:function|def) ((?:test|invariant|check|witness)_\w+)\(")
    return {name for path in sources for name in defined.findall(path.read_text(encoding="utf-8"))}


def test_every_test_that_the_page_names_exists(known):
    named = set(re.findall(r"`((?:test|invariant|check)_\w+)`", PAGE))
    assert len(named) > 50
    assert named <= known, sorted(named - known)


def test_the_page_names_every_invariant_and_every_proof():
    assert [one for one in invariants(SOURCE.read_text(encoding="utf-8")) if one not in PAGE] == []
    for path in (TESTS / "contracts" / "proofs").glob("*.proof.sol"):
        proofs = re.findall(r"function (check_\w+)\(", path.read_text(encoding="utf-8"))
        assert path.name in PAGE or [one for one in proofs if one not in PAGE] == []


def test_every_invariant_has_a_mutant_that_it_catches():
    caught_by = {one.caught_by for one in named_mutants()}
    names = invariants(SOURCE.read_text(encoding="utf-8"))
    assert [name for name in names if not any(name.startswith(prefix) for prefix in caught_by)] == []
