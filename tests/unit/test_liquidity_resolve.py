"""Which obligations settle: small cases that can be followed by hand, and the published ones."""

import doctest
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from liquidity import (
    InvalidField,
    Leg,
    Limits,
    LiquidityError,
    Obligation,
    Queue,
    UnknownOrder,
    check_settlement,
    model,
    resolution,
    resolve,
)
from liquidity.io import read_case
from tests.waiting import pvp, transfer

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED_CASES = REPOSITORY / ".." / "shared" / "cases"


def settled(obligations, balances, **terms):
    """What settles, after the independent check has agreed."""
    queue = Queue(obligations)
    answer = resolve(queue, balances, **terms)
    terms.pop("rates", None)
    order = terms.pop("order", "fifo")
    closing = check_settlement(
        queue, balances, answer.settled, order=order, closing_balances=answer.closing_balances, **terms
    )
    assert closing == answer.closing_balances
    return list(answer.settled)


def shared_case_files():
    return sorted(SHARED_CASES.glob("*.json")) if SHARED_CASES.is_dir() else []


@pytest.mark.parametrize("path", shared_case_files() or [None], ids=lambda path: path.stem if path else "absent")
def test_published_fifo_answers_are_found(path):
    if path is None:
        pytest.skip("the shared cases are not next to this checkout")
    case = read_case(path)
    answer = resolve(case.queue, case.balances, floors=case.floors, limits=case.limits, rates=case.rates)
    check_settlement(case.queue, case.balances, answer.settled, order="fifo", floors=case.floors, limits=case.limits)
    expected = json.loads(path.read_text())["expected"]
    fifo = expected.get("fifo", {})
    assert fifo or "fifo_share" in expected
    if "settled" in fifo:
        assert list(answer.settled) == fifo["settled"]
    if "count" in fifo:
        assert answer.settled_count == fifo["count"]
    if "value" in fifo:
        assert answer.objective == fifo["value"]
    if "closing" in fifo:
        assert answer.closing_balances == fifo["closing"]
    if "fifo_share" in expected:
        queued = sum(leg.amount for obligation in case.queue for leg in obligation.legs)
        assert round(float(answer.objective / queued), 4) == expected["fifo_share"]


def test_offsetting_pvp_trades_settle_without_any_liquidity():
    obligations = [pvp("buy", "HK1", "TH1", 100, 460), pvp("sell", "TH1", "HK1", 100, 460)]
    assert settled(obligations, {}) == ["buy", "sell"]


def test_a_pvp_with_one_unfunded_leg_moves_nothing():
    obligations = [pvp("buy", "HK1", "TH1", 100, 460)]
    assert settled(obligations, {"HK1": {"HKD": 100}, "TH1": {"THB": 459}}) == []
    assert settled(obligations, {"HK1": {"HKD": 100}, "TH1": {"THB": 460}}) == ["buy"]


def test_a_gridlock_across_two_currencies_settles_together_or_not_at_all():
    case = read_case(REPOSITORY / "examples" / "cases" / "gridlock-hkd-thb.json")
    answer = resolve(case.queue, case.balances, rates=case.rates)
    assert answer.settled == ("PVP-1", "PVP-2", "PVP-3", "PVP-4")
    assert answer.settled_value == {"HKD": 340, "THB": 1564}
    assert answer.objective == answer.upper_bound == 680
    one_short = {**case.balances, "HK2": {"HKD": 0, "THB": 45}}
    assert resolve(case.queue, one_short).settled == ()
    for obligation in case.queue:
        assert resolve(Queue([obligation]), case.balances).settled == ()


def test_fifo_lets_nothing_pass_a_payment_that_is_too_large():
    obligations = [
        transfer("small", "HK1", "HK2", 5),
        transfer("large", "HK1", "HK2", 50),
        transfer("behind", "HK1", "HK2", 1),
    ]
    assert settled(obligations, {"HK1": {"HKD": 20}}) == ["small"]


def test_what_is_queued_behind_a_linked_leg_waits_as_well():
    obligations = [
        pvp("linked", "HK1", "TH1", 100, 460),
        transfer("behind in baht", "TH1", "HK1", 1, "THB"),
        transfer("relies on it", "HK1", "HK2", 1, "THB"),
        transfer("elsewhere", "HK2", "HK1", 7),
    ]
    assert settled(obligations, {"TH1": {"THB": 10_000}, "HK2": {"HKD": 7}}) == ["elsewhere"]


def test_priority_decides_within_an_account_and_fifo_ignores_it():
    obligations = [transfer("routine", "HK1", "HK2", 8), transfer("urgent", "HK1", "HK2", 7, priority=1)]
    assert settled(obligations, {"HK1": {"HKD": 10}}) == ["routine"]
    assert settled(obligations, {"HK1": {"HKD": 10}}, order="priority") == ["urgent"]


def test_arrival_decides_among_equal_priorities_and_none_stands_last():
    obligations = [
        transfer("none", "HK1", "HK2", 1),
        transfer("second", "HK1", "HK2", 1, priority=3),
        transfer("third", "HK1", "HK2", 1, priority=3),
        transfer("first", "HK1", "HK2", 1, priority=-(10**30)),
    ]
    for balance, names in enumerate([[], ["first"], ["second", "first"], ["second", "third", "first"]]):
        assert settled(obligations, {"HK1": {"HKD": balance}}, order="priority") == names


def test_a_legs_own_priority_counts_in_its_payers_queue_alone():
    legs = [Leg("HK1", "TH1", "HKD", 6, priority=9), Leg("TH1", "HK1", "THB", 6)]
    obligations = [
        Obligation("swap", legs, priority=1),
        transfer("in hkd", "HK1", "HK2", 5, priority=5),
        transfer("in thb", "TH1", "HK2", 5, "THB", priority=5),
    ]
    balances = {"HK1": {"HKD": 10}, "TH1": {"THB": 10}}
    assert settled(obligations, balances, order="priority") == ["in hkd"]


def test_an_obligation_with_two_legs_from_one_account_stands_at_the_more_urgent():
    legs = [Leg("HK1", "HK2", "HKD", 4, priority=9), Leg("HK1", "HK3", "HKD", 4, priority=1)]
    obligations = [transfer("middle", "HK1", "HK2", 4, priority=5), Obligation("twice", legs)]
    assert settled(obligations, {"HK1": {"HKD": 8}}, order="priority") == ["twice"]


def test_queues_that_contradict_each_other_settle_together_or_wait_together():
    first = Obligation("one", [Leg("HK1", "TH1", "HKD", 5, priority=1), Leg("TH1", "HK1", "THB", 5, priority=2)])
    other = Obligation("two", [Leg("HK1", "TH1", "HKD", 5, priority=2), Leg("TH1", "HK1", "THB", 5, priority=1)])
    balances = {"HK1": {"HKD": 10}, "TH1": {"THB": 10}}
    assert settled([first, other], balances, order="priority") == ["one", "two"]
    balances["TH1"]["THB"] = 9
    assert settled([first, other], balances, order="priority") == []


def test_a_held_obligation_neither_settles_nor_blocks():
    obligations = [transfer("held", "HK1", "HK2", 5, held=True), transfer("free", "HK1", "HK2", 5)]
    assert settled(obligations, {"HK1": {"HKD": 5}}) == ["free"]


def test_a_negative_floor_is_a_credit_line_and_a_positive_one_a_reserve():
    obligations = [transfer("payment", "HK1", "HK2", 10)]
    assert settled(obligations, {}, floors={"HK1": {"HKD": -10}}) == ["payment"]
    assert settled(obligations, {}, floors={"HK1": {"HKD": -9}}) == []
    assert settled(obligations, {"HK1": {"HKD": 15}}, floors={"HK1": {"HKD": 6}}) == []


def test_an_account_that_opens_below_its_floor_may_only_rise():
    balances = {"HK1": {"HKD": -20}, "HK2": {"HKD": 10}}
    pays, receives = transfer("pays", "HK1", "HK2", 5), transfer("receives", "HK2", "HK1", 5)
    assert settled([pays], balances) == []
    assert settled([pays, receives], balances) == ["pays", "receives"]
    assert settled([receives], balances) == ["receives"]


def test_a_bilateral_limit_bounds_the_net_outflow_to_one_payee():
    obligations = [transfer("out", "HK1", "HK2", 10), transfer("back", "HK2", "HK1", 4)]
    balances = {"HK1": {"HKD": 100}}
    for limit, names in [(5, []), (6, ["out", "back"])]:
        limits = Limits(bilateral={"HK1": {"HK2": {"HKD": limit}}})
        assert settled(obligations, balances, limits=limits) == names
    other = Limits(bilateral={"HK1": {"HK3": {"HKD": 0}, "HK2": {"THB": 0}}})
    assert settled(obligations, balances, limits=other) == ["out", "back"]


def test_a_payment_over_a_bilateral_limit_blocks_what_is_behind_it_in_the_same_account():
    obligations = [
        transfer("before", "HK1", "HK3", 1),
        transfer("over", "HK1", "HK2", 10),
        transfer("behind", "HK1", "HK3", 1),
    ]
    limits = Limits(bilateral={"HK1": {"HK2": {"HKD": 9}}})
    assert settled(obligations, {"HK1": {"HKD": 100}}, limits=limits) == ["before"]


def test_a_multilateral_limit_bounds_the_net_outflow_to_all_payees():
    obligations = [transfer("one", "HK1", "HK2", 6), transfer("two", "HK1", "HK3", 6), transfer("in", "HK3", "HK1", 2)]
    balances = {"HK1": {"HKD": 100}, "HK3": {"HKD": 2}}
    for limit, names in [(3, ["in"]), (4, ["one", "in"]), (9, ["one", "in"]), (10, ["one", "two", "in"])]:
        limits = Limits(multilateral={"HK1": {"HKD": limit}})
        assert settled(obligations, balances, limits=limits) == names


def test_value_counts_every_leg_and_rates_are_exact_ratios():
    queue = Queue([pvp("swap", "HK1", "TH1", 100, 461)])
    answer = resolve(queue, {"HK1": {"HKD": 100}, "TH1": {"THB": 461}}, rates={"THB": Fraction(10, 46)})
    assert answer.settled_value == {"HKD": 100, "THB": 461}
    assert answer.objective == Fraction(100) + Fraction(4610, 46)
    assert (answer.upper_bound, answer.gap, answer.proof) == (answer.objective, 0, "unique-maximum")


def test_an_empty_queue_settles_nothing_and_changes_no_balance():
    answer = resolve(Queue([]), {"HK1": {"HKD": 3}, "HK2": {}})
    assert answer.settled == ()
    assert answer.closing_balances == {"HK1": {"HKD": 3}, "HK2": {}}
    assert answer.gap == 0


def test_sums_beyond_64_bits_are_exact():
    huge = 2**63 - 1
    obligations = [transfer(f"T{number}", "HK1", "HK2", huge) for number in range(4)]
    assert settled(obligations, {"HK1": {"HKD": 4 * huge}}) == ["T0", "T1", "T2", "T3"]
    assert settled(obligations, {"HK1": {"HKD": 4 * huge - 1}}) == ["T0", "T1", "T2"]
    assert settled([transfer("T", "HK1", "HK2", 10**50)], {"HK1": {"HKD": 10**50 - 1}}) == []


def test_an_order_that_is_not_offered_is_refused_with_those_that_are():
    with pytest.raises(UnknownOrder, match="must be one of fifo, priority, bypass, got 'lifo'"):
        resolve(Queue([]), {}, order="lifo")


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (lambda: Leg("HK1", "HK1", "HKD", 1), "payee"),
        (lambda: Leg("HK1", "HK2", "HKD", 0), "amount"),
        (lambda: Leg("HK1", "HK2", "HKD", True), "amount"),
        (lambda: Leg("HK1", "HK2", "HKD", 1.0), "amount"),
        (lambda: Leg("HK1", "HK2", "", 1), "currency"),
        (lambda: Leg(1, "HK2", "HKD", 1), "payer"),
        (lambda: Leg("HK1", "HK2", "HKD", 1, priority=1.5), "priority"),
        (lambda: Obligation("T", []), "legs"),
        (lambda: Obligation("T", ["leg"]), "legs[0]"),
        (lambda: Obligation("", [Leg("HK1", "HK2", "HKD", 1)]), "id"),
        (lambda: transfer("T", "HK1", "HK2", 1, held=1), "held"),
        (lambda: Queue([transfer("T", "HK1", "HK2", 1)] * 2), "obligations[1].id"),
        (lambda: Queue(["T"]), "obligations[0]"),
        (lambda: Limits(bilateral={"HK1": {"HK2": {"HKD": -1}}}), "limits.bilateral.HK1.HK2.HKD"),
        (lambda: Limits(multilateral={"HK1": {"HKD": 1.0}}), "limits.multilateral.HK1.HKD"),
        (lambda: resolve(Queue([]), {"HK1": {"HKD": 1.0}}), "balances.HK1.HKD"),
        (lambda: resolve(Queue([]), {"HK1": 5}), "balances.HK1"),
        (lambda: resolve(Queue([]), {}, floors={"HK1": {"HKD": None}}), "floors.HK1.HKD"),
        (lambda: resolve(Queue([]), {}, limits={"bilateral": {}}), "limits"),
        (lambda: resolve(Queue([]), {}, rates={"THB": 0.2}), "rates.THB"),
        (lambda: resolve(Queue([]), {}, rates={"THB": 0}), "rates.THB"),
    ],
)
def test_what_is_no_obligation_balance_limit_or_rate_is_refused_by_its_field(build, field):
    with pytest.raises(InvalidField) as refused:
        build()
    assert refused.value.field == field
    assert isinstance(refused.value, LiquidityError)


def test_importing_and_resolving_a_small_queue_loads_neither_numpy_nor_anything_of_the_corridor():
    program = (
        "import sys; from liquidity import Leg, Obligation, Queue, resolve; "
        "resolve(Queue([Obligation('T', [Leg('A', 'B', 'HKD', 1)])]), {}); "
        "print([m for m in ('numpy', 'numba', 'scipy', 'corridor', 'web3') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", [model, resolution], ids=lambda module: module.__name__)
def test_examples_in_the_documentation_of_modules_are_true(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
