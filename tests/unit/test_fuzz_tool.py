"""The long campaign against the invariants counts what it did and says when one was broken."""

import json

import pytest

from tools.fuzz import SOURCE, invariants, read_result, table

NAMES = (
    "conservation", "backing", "atomicity", "consent", "disjoint_windows", "timelock_order", "once", "no_overdraft",
    "claimable", "exit",
)  # fmt: skip


def answer(status="Success"):
    metrics = {"tests/Handler.sol:Handler.claim": {"calls": 7, "reverts": 2, "discards": 0}}
    result = {
        "status": status,
        "reason": "balances add up to the supply" if status != "Success" else None,
        "counterexample": None if status == "Success" else {"Sequence": ["claim(5)"]},
        "kind": {"Invariant": {"runs": 1, "calls": 7, "reverts": 2, "metrics": metrics}},
    }
    return json.dumps({"Invariants.t.sol:InvariantsTest": {"test_results": {"invariant_once()": result}}})


def test_every_invariant_has_a_test_that_the_campaign_runs():
    found = invariants(SOURCE.read_text(encoding="utf-8"))
    assert len(found) == len(NAMES)
    assert all(one.startswith(f"invariant_{name}") for one, name in zip(found, NAMES, strict=True))


def test_calls_and_refused_calls_are_counted_by_action():
    one = read_result(answer(), "invariant_once", 5)
    assert (one.calls, one.refused, one.broken, one.seed) == ({"claim": 7}, {"claim": 2}, "", 5)
    lines = table([one, one]).splitlines()
    assert lines[-1].split() == ["all", "actions", "14", "4"]


def test_a_broken_invariant_is_reported_with_the_calls_that_did_it():
    one = read_result(answer("Failure"), "invariant_once", 5)
    assert "balances add up" in one.broken
    assert "claim(5)" in one.broken


@pytest.mark.parametrize("text", ["", "{}", "No tests found"])
def test_an_answer_without_the_invariant_is_no_success(text):
    with pytest.raises((ValueError, KeyError)):
        read_result(text, "invariant_once", 5)
