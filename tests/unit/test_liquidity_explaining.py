"""Why an obligation waits: which account, how much short, behind which other."""

import pytest

from liquidity import (
    Cause,
    Leg,
    Limits,
    Obligation,
    Queue,
    Reason,
    Standing,
    UnknownObligation,
    explain,
    explain_all,
    resolve,
)
from tests.waiting import transfer


def reasons(obligations, balances, name, order="fifo", **terms):
    queue = Queue(obligations)
    answer = resolve(queue, balances, order=order, **terms)
    explanation = explain(queue, balances, answer, name, **terms)
    assert explain_all(queue, balances, answer, **terms).get(name, explanation) == explanation
    return explanation.reasons


def test_the_account_and_the_missing_amount_are_named():
    found = reasons([transfer("T1", "HK1", "HK2", 100)], {"HK1": {"HKD": 70}}, "T1")
    assert found == (Reason(Cause.SHORT, "HK1", "HKD", 0, None, 30),)


def test_what_waits_ahead_is_named_and_counted_in_the_shortfall():
    obligations = [transfer(f"T{number}", "HK1", "HK2", 100) for number in (1, 2, 3)]
    found = reasons(obligations, {"HK1": {"HKD": 170}}, "T3")
    assert found == (
        Reason(Cause.BEHIND, "HK1", "HKD", 1, "T2", 0),
        Reason(Cause.SHORT, "HK1", "HKD", 1, "T2", 130),
    )


def test_injecting_the_shortfall_of_the_only_short_account_settles_it():
    obligations = [transfer("T1", "HK1", "HK2", 90), transfer("T2", "HK1", "HK3", 40)]
    short = reasons(obligations, {"HK1": {"HKD": 100}}, "T2")[-1].short_by
    assert short == 30
    assert resolve(Queue(obligations), {"HK1": {"HKD": 100 + short}}).settled == ("T1", "T2")


def test_only_the_short_leg_of_a_pvp_is_blamed():
    swap = Obligation("FX", [Leg("HK1", "TH1", "HKD", 100), Leg("TH1", "HK1", "THB", 460)])
    found = reasons([swap], {"HK1": {"HKD": 100}, "TH1": {"THB": 459}}, "FX")
    assert found == (Reason(Cause.SHORT, "TH1", "THB", 0, None, 1),)


def test_a_credit_line_shortens_the_shortfall_and_an_account_below_its_floor_is_measured_from_its_opening():
    payment = [transfer("T1", "HK1", "HK2", 100)]
    assert reasons(payment, {}, "T1", floors={"HK1": {"HKD": -60}})[0].short_by == 40
    assert reasons(payment, {"HK1": {"HKD": -7}}, "T1")[0].short_by == 100


def test_limits_are_told_from_shortage():
    payment, rich = [transfer("T1", "HK1", "HK2", 100)], {"HK1": {"HKD": 1000}}
    found = reasons(payment, rich, "T1", limits=Limits(bilateral={"HK1": {"HK2": {"HKD": 90}}}))
    assert found == (Reason(Cause.BILATERAL_LIMIT, "HK1", "HKD", 0, None, 10, "HK2"),)
    found = reasons(payment, rich, "T1", limits=Limits(multilateral={"HK1": {"HKD": 80}}))
    assert found == (Reason(Cause.MULTILATERAL_LIMIT, "HK1", "HKD", 0, None, 20),)


def test_priority_says_who_stands_ahead():
    obligations = [transfer("late", "HK1", "HK2", 5), transfer("urgent", "HK1", "HK2", 50, priority=1)]
    found = reasons(obligations, {"HK1": {"HKD": 5}}, "late", order="priority")
    assert found[0] == Reason(Cause.BEHIND, "HK1", "HKD", 1, "urgent", 0)


def test_a_settled_and_a_held_obligation_have_no_reasons_to_wait():
    queue = Queue([transfer("done", "HK1", "HK2", 5), transfer("held", "HK1", "HK2", 5, held=True)])
    balances = {"HK1": {"HKD": 5}}
    answer = resolve(queue, balances)
    assert explain(queue, balances, answer, "done").standing is Standing.SETTLED
    assert explain(queue, balances, answer, "held").standing is Standing.HELD
    assert list(explain_all(queue, balances, answer)) == ["held"]


def test_in_free_order_nothing_waits_before_anything():
    obligations = [transfer(f"T{number}", "HK1", "HK2", amount) for number, amount in ((1, 60), (2, 100), (3, 1))]
    found = reasons(obligations, {"HK1": {"HKD": 100}}, "T3", order="bypass")
    assert found == (Reason(Cause.SHORT, "HK1", "HKD", 0, None, 1),)


def test_an_unknown_obligation_is_refused():
    queue = Queue([])
    with pytest.raises(UnknownObligation, match="'T9'"):
        explain(queue, {}, resolve(queue, {}), "T9")
