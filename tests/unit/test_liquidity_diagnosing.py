"""Gridlock, deadlock, and the injection that ends them."""

import doctest
import random
from fractions import Fraction

import pytest

from liquidity import (
    InvalidField,
    Jam,
    Leg,
    Lever,
    Limits,
    Obligation,
    Queue,
    Shortfall,
    best_injection,
    bounding,
    diagnose,
    diagnosing,
    injecting,
    set_order_aside,
)
from tests.waiting import transfer

SEED = 20_260


def ring(*amounts):
    """HK1 pays HK2, HK2 pays HK3, … and the last pays HK1."""
    banks = [f"HK{number}" for number in range(1, len(amounts) + 1)]
    return Queue(
        transfer(f"T{at + 1}", banks[at], banks[(at + 1) % len(banks)], amount) for at, amount in enumerate(amounts)
    )


class TestJams:
    def test_a_chain_that_each_link_can_pay_flows(self):
        queue = Queue([transfer("T1", "HK2", "HK3", 5), transfer("T2", "HK1", "HK2", 5)])
        found = diagnose(queue, {"HK1": {"HKD": 5}})
        assert (found.jam, found.one_by_one, found.gridlocked) == (Jam.FLOWING, ("T1", "T2"), ())

    def test_a_ring_without_liquidity_that_nets_is_gridlock(self):
        found = diagnose(ring(10, 10, 10), {})
        assert found.jam is Jam.GRIDLOCK
        assert found.gridlocked == ("T1", "T2", "T3")
        assert found.shortfalls == ()

    def test_a_ring_that_does_not_net_is_deadlock_and_says_what_it_lacks(self):
        found = diagnose(ring(10, 9, 10), {})
        assert found.jam is Jam.DEADLOCK
        assert found.deadlocked == ("T1", "T2", "T3")
        assert found.shortfalls == (Shortfall(Lever.LIQUIDITY, "HK3", "HKD", None, 1),)

    def test_two_offsetting_trades_in_two_currencies_are_gridlock_and_one_short_leg_makes_them_deadlock(self):
        trades = [
            Obligation("FX1", [Leg("HK1", "TH1", "HKD", 100), Leg("TH1", "HK1", "THB", 460)]),
            Obligation("FX2", [Leg("TH1", "HK1", "HKD", 100), Leg("HK1", "TH1", "THB", 455)]),
        ]
        assert diagnose(Queue(trades), {"TH1": {"THB": 5}}).gridlocked == ("FX1", "FX2")
        short = diagnose(Queue(trades), {"TH1": {"THB": 4}})
        assert short.deadlocked == ("FX1", "FX2")
        assert short.shortfalls == (Shortfall(Lever.LIQUIDITY, "TH1", "THB", None, 1),)

    def test_flow_gridlock_and_deadlock_can_stand_side_by_side(self):
        queue = Queue([*ring(10, 10), transfer("T3", "HK3", "HK4", 7), transfer("T4", "HK4", "HK3", 9)])
        found = diagnose(queue, {"HK3": {"HKD": 7}})
        assert (found.one_by_one, found.gridlocked, found.deadlocked) == (("T3",), ("T1", "T2"), ("T4",))
        assert found.jam is Jam.DEADLOCK

    def test_a_held_obligation_is_in_no_jam(self):
        found = diagnose(Queue([transfer("T1", "HK1", "HK2", 5, held=True)]), {})
        assert found.one_by_one == found.gridlocked == found.deadlocked == ()

    def test_limits_are_named_as_what_is_lacking(self):
        queue, balances = Queue([transfer("T1", "HK1", "HK2", 10)]), {"HK1": {"HKD": 10}}
        limits = Limits(bilateral={"HK1": {"HK2": {"HKD": 4}}}, multilateral={"HK1": {"HKD": 3}})
        assert diagnose(queue, balances, limits=limits).shortfalls == (
            Shortfall(Lever.MULTILATERAL_LIMIT, "HK1", "HKD", None, 7),
            Shortfall(Lever.BILATERAL_LIMIT, "HK1", "HKD", "HK2", 6),
        )

    def test_priority_can_free_what_arrival_blocks(self):
        queue = Queue([transfer("T1", "HK1", "HK2", 100), transfer("T2", "HK1", "HK3", 10, priority=1)])
        assert diagnose(queue, {"HK1": {"HKD": 10}}, order="fifo").deadlocked == ("T1", "T2")
        assert diagnose(queue, {"HK1": {"HKD": 10}}, order="priority").deadlocked == ("T1",)


class TestOrderSetAside:
    def test_what_waits_for_its_turn_alone_would_settle_out_of_order(self):
        queue = Queue([transfer("T1", "HK1", "HK2", 100), transfer("T2", "HK1", "HK3", 10)])
        balances = {"HK1": {"HKD": 10}}
        assert diagnose(queue, balances).deadlocked == ("T1", "T2")
        assert set_order_aside(queue, balances).settled == ("T2",)

    def test_a_deadlock_that_only_liquidity_ends_is_proven_to_be_one(self):
        answer = set_order_aside(ring(10, 9, 10), {})
        assert (answer.settled, answer.proof) == ((), "optimal")

    def test_limits_that_what_settles_in_order_uses_up_are_used_up(self):
        queue = Queue(
            [transfer("T1", "HK1", "HK2", 4), transfer("T2", "HK1", "HK3", 100), transfer("T3", "HK1", "HK2", 3)]
        )
        limits = Limits(bilateral={"HK1": {"HK2": {"HKD": 6}}})
        assert set_order_aside(queue, {"HK1": {"HKD": 10}}, limits=limits).settled == ()
        looser = Limits(bilateral={"HK1": {"HK2": {"HKD": 7}}})
        assert set_order_aside(queue, {"HK1": {"HKD": 10}}, limits=looser).settled == ("T3",)


class TestInjections:
    def test_liquidity_goes_where_it_frees_most_and_no_more_of_it_than_needed(self):
        queue = Queue([*ring(10, 9, 10), transfer("T4", "HK4", "HK5", 6)])
        found = best_injection(queue, {})
        assert found.is_proven
        assert (found.best.bank, found.best.currency, found.best.amount) == ("HK3", "HKD", 1)
        assert (found.best.frees, found.best.freed) == (("T1", "T2", "T3"), 29)
        amounts = [(one.bank, one.amount, one.freed) for one in found.ranked]
        assert amounts == [("HK3", 1, 29), ("HK1", 10, 19), ("HK2", 9, 9), ("HK4", 6, 6)]

    def test_within_a_budget_a_smaller_injection_may_be_the_best(self):
        queue = Queue(
            [transfer("T1", "HK1", "HK2", 100), transfer("T2", "HK3", "HK2", 10), transfer("T3", "HK3", "HK2", 9)]
        )
        assert best_injection(queue, {}).best.bank == "HK1"
        within = best_injection(queue, {}, budget=12)
        assert [(one.bank, one.amount, one.frees) for one in within.ranked] == [("HK3", 10, ("T2",))]

    def test_the_budget_is_in_the_reporting_currency(self):
        queue, rates = Queue([transfer("T1", "TH1", "TH2", 46, "THB")]), {"THB": Fraction(10, 46)}
        assert best_injection(queue, {}, rates=rates, budget=10).best.cost == 10
        assert best_injection(queue, {}, rates=rates, budget=Fraction(99, 10)).best is None

    def test_an_account_below_its_floor_is_lifted_to_it_first(self):
        queue = Queue([transfer("T1", "HK1", "HK2", 10)])
        assert best_injection(queue, {"HK1": {"HKD": -5}}).best.amount == 15
        assert best_injection(queue, {"HK1": {"HKD": -5}}, floors={"HK1": {"HKD": -3}}).best.amount == 12

    def test_no_injection_helps_against_a_limit(self):
        limits = Limits(multilateral={"HK1": {"HKD": 3}})
        assert best_injection(Queue([transfer("T1", "HK1", "HK2", 10)]), {}, limits=limits).ranked == ()

    def test_the_compiled_elimination_finds_the_same(self, monkeypatch):
        chooser = random.Random(SEED)
        banks = [f"HK{number}" for number in range(8)]
        queue = Queue(
            Obligation(
                f"T{number}", [Leg(*chooser.sample(banks, 2), chooser.choice(["HKD", "CNY"]), chooser.randint(1, 99))]
            )
            for number in range(200)
        )
        balances = {bank: {"HKD": chooser.randint(0, 150), "CNY": chooser.randint(-20, 150)} for bank in banks}
        limits = Limits(bilateral={"HK0": {"HK1": {"HKD": 20}}}, multilateral={"HK2": {"CNY": 50}})
        plain = best_injection(queue, balances, limits=limits)
        assert plain.ranked
        monkeypatch.setattr(injecting, "COMPILED_FROM_LEGS", 0)
        assert best_injection(queue, balances, limits=limits) == plain, f"seed {SEED}"

    def test_where_accounts_are_many_those_with_the_highest_price_are_tried_and_that_is_said(self):
        queue = Queue(
            [transfer("T1", "HK1", "HK2", 100), transfer("T2", "HK2", "HK3", 100), transfer("T3", "HK4", "HK3", 99)]
        )
        found = best_injection(queue, {}, most_accounts=1)
        assert (found.tried, found.accounts, found.is_proven) == (1, 3, False)
        assert found.best.bank == "HK1"


@pytest.mark.parametrize("ask", [diagnose, set_order_aside, best_injection])
def test_an_order_without_a_unique_maximum_is_refused(ask):
    with pytest.raises(InvalidField) as refused:
        ask(Queue([]), {}, order="bypass")
    assert refused.value.field == "order"


@pytest.mark.parametrize(("field", "value"), [("budget", -1), ("budget", 0.5), ("most_accounts", 0)])
def test_an_injection_out_of_range_is_refused_by_name(field, value):
    with pytest.raises(InvalidField) as refused:
        best_injection(Queue([]), {}, **{field: value})
    assert refused.value.field == field


@pytest.mark.parametrize("module", [bounding, diagnosing], ids=lambda module: module.__name__)
def test_examples_in_the_documentation_of_modules_are_true(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
