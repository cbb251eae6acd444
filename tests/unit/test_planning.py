"""What is affordable settles at once and gross, what is not is netted, and nobody overtakes."""

import pytest

from corridor.planning import Plan, affordable, plan
from liquidity import Leg, Obligation, Queue


def owes(identifier, payer, payee, amount, currency="HKD", **fields):
    return Obligation(identifier, [Leg(payer, payee, currency, amount)], **fields)


def trades(identifier, one, other, hkd, thb):
    return Obligation(identifier, [Leg(one, other, "HKD", hkd), Leg(other, one, "THB", thb)])


def has(**amounts):
    """Balances in HKD."""
    return {bank: {"HKD": amount} for bank, amount in amounts.items()}


@pytest.mark.parametrize(("balance", "settled"), [(99, ()), (100, ("T1",)), (101, ("T1",))])
def test_a_payment_is_affordable_to_the_last_unit(balance, settled):
    assert affordable([owes("T1", "HK1", "TH1", 100)], has(HK1=balance)) == settled


def test_what_was_received_pays_for_what_follows():
    queue = [owes("T1", "TH1", "HK2", 100), owes("T2", "HK1", "TH1", 100)]
    assert affordable(queue, has(HK1=100)) == ("T2", "T1")


def test_a_smaller_payment_does_not_overtake_the_first_of_its_queue():
    assert affordable([owes("T1", "HK1", "TH1", 200), owes("T2", "HK1", "TH1", 1)], has(HK1=100)) == ()


def test_priority_goes_first_and_none_goes_last():
    queue = [owes("T1", "HK1", "TH1", 60), owes("T2", "HK1", "TH1", 60, priority=2)]
    queue.append(owes("T3", "HK1", "TH1", 60, priority=1))
    assert affordable(queue, has(HK1=120)) == ("T3", "T2")


def test_a_legs_own_priority_counts_in_its_payers_queue():
    urgent = Obligation("T2", [Leg("HK1", "TH1", "HKD", 60, priority=1)])
    assert affordable([owes("T1", "HK1", "TH1", 60), urgent], has(HK1=60)) == ("T2",)


def test_a_held_payment_blocks_nobody():
    queue = [owes("T1", "HK1", "TH1", 200, held=True), owes("T2", "HK1", "TH1", 1)]
    assert affordable(queue, has(HK1=100)) == ("T2",)


def test_a_trade_needs_both_banks_to_pay():
    balances = {"HK1": {"HKD": 100}, "TH1": {"THB": 449}}
    assert affordable([trades("T1", "HK1", "TH1", 100, 450)], balances) == ()
    balances["TH1"]["THB"] = 450
    assert affordable([trades("T1", "HK1", "TH1", 100, 450)], balances) == ("T1",)


def test_a_trade_waits_until_it_stands_first_in_both_queues():
    balances = {"HK1": {"HKD": 100}, "TH1": {"THB": 450}}
    queue = [owes("T1", "TH1", "HK2", 451, "THB"), trades("T2", "HK1", "TH1", 100, 450)]
    assert affordable(queue, balances) == ()


def test_two_legs_of_one_payer_are_needed_together():
    both = Obligation("T1", [Leg("HK1", "TH1", "HKD", 60), Leg("HK1", "TH2", "HKD", 60)])
    assert affordable([both], has(HK1=119)) == ()
    assert affordable([both], has(HK1=120)) == ("T1",)


def test_a_ring_is_not_affordable_and_is_netted():
    ring = Queue([owes("T1", "HK1", "TH1", 100), owes("T2", "TH1", "HK2", 100), owes("T3", "HK2", "HK1", 100)])
    assert affordable(ring.obligations, has()) == ()
    assert plan(ring, has(), gross_limit=8) == Plan("net", ("T1", "T2", "T3"))


@pytest.mark.parametrize(("limit", "kind"), [(0, "net"), (1, "net"), (2, "gross"), (3, "gross")])
def test_more_than_the_limit_are_netted(limit, kind):
    queue = Queue([owes("T1", "HK1", "TH1", 1), owes("T2", "HK1", "TH1", 1)])
    assert plan(queue, has(HK1=100), gross_limit=limit) == Plan(kind, ("T1", "T2"))


def test_nothing_that_can_settle_is_an_empty_plan():
    assert plan(Queue([owes("T1", "HK1", "TH1", 1)]), has(), gross_limit=8) == Plan("net", ())
    assert plan(Queue([]), has(HK1=5), gross_limit=8) == Plan("net", ())
