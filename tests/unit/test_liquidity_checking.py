"""The independent check refuses each way in which a set must not settle, and says with which facts."""

import pytest

from liquidity import InvalidSettlement, Leg, Limits, Obligation, OrderNotCheckable, Queue, Rule, check_settlement


@pytest.fixture
def queue():
    return Queue(
        [
            Obligation("T1", [Leg("HK1", "TH1", "HKD", 100), Leg("TH1", "HK1", "THB", 460)], priority=2),
            Obligation("T2", [Leg("HK1", "HK2", "HKD", 30)], priority=1),
            Obligation("T3", [Leg("HK1", "HK2", "HKD", 1)], held=True),
        ]
    )


BALANCES = {"HK1": {"HKD": 130}, "TH1": {"THB": 460}}


def refusal(*arguments, **terms):
    with pytest.raises(InvalidSettlement) as refused:
        check_settlement(*arguments, **terms)
    return refused.value


def test_a_valid_set_yields_the_closing_balances_of_all_accounts(queue):
    closing = check_settlement(queue, BALANCES, ["T2", "T1"], order="fifo")
    assert closing == {"HK1": {"HKD": 0, "THB": 460}, "TH1": {"THB": 0, "HKD": 100}, "HK2": {"HKD": 30}}
    assert check_settlement(queue, BALANCES, [], order="priority")["HK1"] == {"HKD": 130, "THB": 0}


def test_an_unknown_a_repeated_and_a_held_obligation_are_refused(queue):
    assert refusal(queue, BALANCES, ["T9"]).rule is Rule.KNOWN
    assert refusal(queue, BALANCES, ["T2", "T2"]).rule is Rule.ONCE
    assert refusal(queue, BALANCES, ["T3"]).rule is Rule.NOT_HELD


def test_settling_past_a_waiting_obligation_is_refused_under_an_order_only(queue):
    refused = refusal(queue, BALANCES, ["T2"], order="fifo")
    assert refused.rule is Rule.IN_ORDER
    assert refused.facts == {"obligation": "T2", "passed": "T1", "bank": "HK1", "currency": "HKD"}
    assert refusal(queue, BALANCES, ["T1"], order="priority").facts["passed"] == "T2"
    assert check_settlement(queue, BALANCES, ["T2"])["HK2"] == {"HKD": 30}
    assert check_settlement(queue, BALANCES, ["T2"], order="priority")["HK2"] == {"HKD": 30}


def test_an_overdrawn_account_is_named_with_its_amounts(queue):
    refused = refusal(queue, {"HK1": {"HKD": 99}, "TH1": {"THB": 460}}, ["T1"])
    assert refused.rule is Rule.FLOOR
    assert refused.facts == {"bank": "HK1", "currency": "HKD", "closing": -1, "floor": 0, "opening": 99}
    assert "HK1" in str(refused)


def test_an_account_below_its_floor_may_rise_but_not_fall(queue):
    below = {"HK1": {"HKD": 130}, "TH1": {"THB": 460, "HKD": -500}}
    assert check_settlement(queue, below, ["T1"])["TH1"]["HKD"] == -400
    assert refusal(queue, BALANCES, ["T1"], floors={"HK1": {"HKD": 31}}).rule is Rule.FLOOR


def test_limits_are_exact_to_the_unit(queue):
    for most, valid in [(129, False), (130, True)]:
        limits = Limits(multilateral={"HK1": {"HKD": most}})
        if valid:
            assert check_settlement(queue, BALANCES, ["T1", "T2"], limits=limits)
        else:
            refused = refusal(queue, BALANCES, ["T1", "T2"], limits=limits)
            assert (refused.rule, refused.facts["outflow"]) == (Rule.MULTILATERAL_LIMIT, 130)
    refused = refusal(queue, BALANCES, ["T1"], limits=Limits(bilateral={"HK1": {"TH1": {"HKD": 99}}}))
    assert (refused.rule, refused.facts["payee"]) == (Rule.BILATERAL_LIMIT, "TH1")
    assert check_settlement(queue, BALANCES, ["T1"], limits=Limits(bilateral={"HK1": {"TH1": {"HKD": 100}}}))


def test_wrong_closing_balances_are_refused(queue):
    refused = refusal(queue, BALANCES, ["T2"], closing_balances={"HK1": {"HKD": 101}, "TH1": {"THB": 460}})
    assert refused.rule is Rule.CLOSING
    assert refused.facts == {"bank": "HK1", "currency": "HKD", "closing": 100, "claimed": 101}
    assert refusal(queue, BALANCES, [], closing_balances={**BALANCES, "HK9": {"HKD": 1}}).rule is Rule.CLOSING


def test_an_order_without_meaning_is_refused(queue):
    with pytest.raises(OrderNotCheckable, match="fifo"):
        check_settlement(queue, BALANCES, [], order="bypass")
