"""A proof counts only if it holds for all arguments, and a witness only if it was refuted."""

import re

import pytest

from tools.foundry import ROOT
from tools.prove import judge

PROOFS = sorted((ROOT / "tests" / "contracts" / "proofs").glob("*.proof.sol"))


@pytest.mark.parametrize(
    ("exitcode", "bounded_loops", "verdict"),
    [
        (0, 0, "proven"),
        (0, None, "proven"),
        (0, 1, "undecided"),  # a loop was cut off
        (1, 0, "refuted"),
        (2, 0, "undecided"),  # no answer in time
        (3, 0, "undecided"),
        (4, 0, "undecided"),  # every path reverts: it says nothing
        (5, 0, "undecided"),
    ],
)
def test_a_verdict_is_for_all_arguments_or_it_is_none(exitcode, bounded_loops, verdict):
    assert judge(exitcode, bounded_loops=bounded_loops) == verdict


@pytest.mark.parametrize("path", PROOFS, ids=lambda path: path.stem)
def test_every_proof_about_the_contracts_has_a_witness_that_something_happens(path):
    names = re.findall(r"function (check|witness)_\w+\(", path.read_text(encoding="utf-8"))
    assert "check" in names
    assert "witness" in names or path.name == "AccountWord.proof.sol", "pure arithmetic needs none"
