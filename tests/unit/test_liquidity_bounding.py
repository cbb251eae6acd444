"""What could settle at best, and what one more unit of liquidity is worth where."""

import itertools
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from liquidity import (
    InvalidField,
    Leg,
    Lever,
    Limits,
    Obligation,
    Price,
    Queue,
    cutting,
    relaxation,
    resolve,
    upper_bound,
)
from liquidity.io import read_case
from liquidity.program import make_program
from liquidity.relaxation import solve_relaxation
from liquidity.terms import make_rates, make_terms
from tests.waiting import transfer

CASES = Path(__file__).resolve().parents[2] / ".." / "shared" / "cases"
SEED = 20_260


def market(banks, count, *, pvp=0.2, liquidity=0.3, seed=SEED):
    """A queue between banks of uneven size, and balances that cover part of what they owe net."""
    chooser = np.random.default_rng(seed)
    size = 1 / (1 + np.arange(banks))
    payer = chooser.choice(banks, count, p=size / size.sum())
    payee = (payer + 1 + chooser.integers(0, banks - 1, count)) % banks
    currency = chooser.integers(0, 2, count)
    amount = np.maximum(1, chooser.lognormal(9, 1.8, count)).astype(np.int64)
    whose = np.repeat(np.arange(count), np.where(chooser.random(count) < pvp, 2, 1))
    second = np.concatenate(([False], whose[1:] == whose[:-1]))
    payer, payee = np.where(second, payee[whose], payer[whose]), np.where(second, payer[whose], payee[whose])
    currency, amount = np.where(second, 1 - currency[whose], currency[whose]), amount[whose]
    net = np.zeros((banks, 2), dtype=np.int64)
    np.add.at(net, (payer, currency), amount)
    np.add.at(net, (payee, currency), -amount)
    names = [f"BANK{number}" for number in range(banks)]
    queue = Queue.from_arrays(
        banks=names,
        currencies=["HKD", "THB"],
        payer=payer,
        payee=payee,
        currency=currency,
        amount=amount,
        obligation=whose,
    )
    balances = {
        name: {code: int(liquidity * max(net[at, number], 0)) for number, code in enumerate(["HKD", "THB"])}
        for at, name in enumerate(names)
    }
    return queue, balances


def program_of(queue, balances):
    return make_program(queue, make_terms(balances, None, None), make_rates(None))


@pytest.mark.parametrize("path", sorted(CASES.glob("*.json")) or [None], ids=lambda path: path.stem if path else "none")
def test_the_known_optimum_is_within_every_bound_and_is_the_bound_once_all_obligations_are_whole(path):
    if path is None:
        pytest.skip("no shared cases beside this checkout")
    case = read_case(path)
    expected = json.loads(path.read_text())["expected"].get("bypass")
    if expected is None:
        pytest.skip("no optimum is published for this case")
    known = {"value": expected.get("max_value", expected.get("max_value_hkd")), "count": expected.get("max_count")}
    terms = {"floors": case.floors, "limits": case.limits, "rates": case.rates}
    for objective, optimum in known.items():
        if optimum is None:
            continue
        bounds = [
            upper_bound(case.queue, case.balances, tightness=tightness, objective=objective, **terms).value
            for tightness in ("aggregated", "pvp", "integer")
        ]
        assert bounds[0] >= bounds[1] >= bounds[2] == optimum


class TestTightness:
    def test_a_pvp_kept_together_is_bounded_lower_than_its_legs_alone(self):
        swap = Obligation("FX", [Leg("HK1", "TH1", "HKD", 100), Leg("TH1", "HK1", "THB", 460)])
        queue, balances = Queue([swap]), {"HK1": {"HKD": 100}, "TH1": {"THB": 230}}
        assert upper_bound(queue, balances, tightness="aggregated").value == 330
        assert float(upper_bound(queue, balances, tightness="pvp").value) == pytest.approx(280, rel=1e-9)
        assert upper_bound(queue, balances, tightness="integer").value == 0

    def test_only_the_largest_are_whole_and_what_the_solver_alone_vouches_for_is_said(self, monkeypatch):
        monkeypatch.setattr(cutting, "MOST_ROUNDS", 0)  # with cuts, the solver has nothing left to vouch for here
        amounts = (50, 34, 53, 51, 55, 91, 95, 52)
        queue = Queue(transfer(f"T{amount}", "HK1", f"TH{amount}", amount) for amount in amounts)
        balances = {"HK1": {"HKD": 216}}
        most = max(
            total
            for size in range(len(amounts) + 1)
            for total in map(sum, itertools.combinations(amounts, size))
            if total <= 216
        )
        bounds = [upper_bound(queue, balances, tightness="integer", largest=count) for count in (0, 4, len(amounts))]
        assert [(bound.value, bound.proof) for bound in bounds] == [(216, "exact"), (216, "exact"), (most, "solver")]
        assert upper_bound(queue, balances, tightness="pvp").proof == "exact"

    def test_a_held_obligation_counts_for_nothing_and_an_empty_queue_is_bounded_by_nothing(self):
        for tightness in ("aggregated", "pvp", "integer"):
            held = upper_bound(
                Queue([transfer("T1", "HK1", "HK2", 5, held=True)]), {"HK1": {"HKD": 9}}, tightness=tightness
            )
            assert (held.value, held.scarce, held.accounts) == (0, (), ())
            assert upper_bound(Queue([]), {}, tightness=tightness).value == 0

    def test_legs_that_cancel_out_need_no_liquidity(self):
        there_and_back = Obligation("T1", [Leg("HK1", "HK2", "HKD", 7), Leg("HK2", "HK1", "HKD", 7)])
        for tightness in ("aggregated", "pvp", "integer"):
            assert upper_bound(Queue([there_and_back]), {}, tightness=tightness).value == 14


class TestPrices:
    def test_one_more_unit_at_the_front_of_a_chain_settles_one_more_unit_at_each_link(self):
        chain = Queue(
            [transfer("T1", "HK1", "HK2", 100), transfer("T2", "HK2", "HK3", 100), transfer("T3", "HK3", "HK4", 100)]
        )
        bound = upper_bound(chain, {"HK1": {"HKD": 40}})
        assert bound.value == 120
        assert bound.prices == {"HK1": {"HKD": 3}, "HK2": {"HKD": 2}, "HK3": {"HKD": 1}, "HK4": {"HKD": 0}}
        assert bound.scarce[0] == Price(Lever.LIQUIDITY, "HK1", "HKD", None, Fraction(3))

    def test_prices_are_in_the_reporting_currency(self):
        queue = Queue([transfer("T1", "TH1", "TH2", 100, "THB")])
        bound = upper_bound(queue, {"TH1": {"THB": 50}}, rates={"THB": Fraction(1, 4)})
        assert bound.value == Fraction(50, 4)
        assert bound.prices["TH1"]["THB"] == Fraction(1, 4)

    def test_the_price_belongs_to_the_limit_where_the_limit_is_what_binds(self):
        queue, balances = Queue([transfer("T1", "HK1", "HK2", 100)]), {"HK1": {"HKD": 100}}
        bilateral = upper_bound(queue, balances, limits=Limits(bilateral={"HK1": {"HK2": {"HKD": 30}}}))
        assert bilateral.scarce == (Price(Lever.BILATERAL_LIMIT, "HK1", "HKD", "HK2", Fraction(1)),)
        multilateral = upper_bound(queue, balances, limits=Limits(multilateral={"HK1": {"HKD": 30}}))
        assert multilateral.scarce == (Price(Lever.MULTILATERAL_LIMIT, "HK1", "HKD", None, Fraction(1)),)
        assert bilateral.prices["HK1"]["HKD"] == multilateral.prices["HK1"]["HKD"] == 0

    def test_where_liquidity_and_limit_bind_alike_neither_alone_has_a_price(self):
        limits = Limits(multilateral={"HK1": {"HKD": 30}})
        assert upper_bound(Queue([transfer("T1", "HK1", "HK2", 100)]), {"HK1": {"HKD": 30}}, limits=limits).scarce == ()

    def test_the_first_unit_into_an_account_below_its_floor_settles_nothing(self):
        queue = Queue([transfer("T1", "HK1", "HK2", 100)])
        assert upper_bound(queue, {"HK1": {"HKD": -1}}).prices["HK1"]["HKD"] == 0
        assert upper_bound(queue, {"HK1": {"HKD": 0}}).prices["HK1"]["HKD"] == 1

    def test_liquidity_that_is_never_short_has_no_price(self):
        bound = upper_bound(Queue([transfer("T1", "HK1", "HK2", 100)]), {"HK1": {"HKD": 100}})
        assert bound.prices == {"HK1": {"HKD": 0}, "HK2": {"HKD": 0}}


class TestLargeQueues:
    def test_a_few_passes_come_close_and_more_come_closer(self, monkeypatch):
        queue, balances = market(80, 6_000)
        program = program_of(queue, balances)
        optimum = solve_relaxation(program).bound
        monkeypatch.setattr(relaxation, "SIMPLEX_COLUMNS", 0)
        few, some, many = (solve_relaxation(program, passes=passes).bound for passes in (20, 200, 1_000))
        error = {name: float(found / optimum) - 1 for name, found in {"few": few, "some": some, "many": many}.items()}
        assert -1e-12 < error["many"] < 1e-5
        assert error["many"] <= error["some"] < 1e-3
        assert error["some"] < error["few"] < 0.05

    def test_fractions_nearly_keep_all_bounds_and_nearly_reach_the_bound(self):
        queue, balances = market(40, 3_000)
        program = program_of(queue, balances)
        answer = solve_relaxation(program)
        used = np.zeros(len(program.room))
        np.add.at(used, program.row, program.change * np.repeat(answer.x, np.diff(program.start)))
        assert (used <= program.room + 1e-6 * program.outflow + 1e-6).all()
        assert answer.x.min() >= 0.0
        assert answer.x.max() <= 1.0
        assert float(answer.x @ program.worth) == pytest.approx(float(answer.bound / program.worth_scale), rel=1e-6)

    def test_the_margin_says_who_wants_to_settle(self):
        queue, balances = market(40, 3_000)
        program = program_of(queue, balances)
        answer = solve_relaxation(program)
        clear = np.abs(answer.margin) > 1e-6 * program.worth
        assert ((answer.margin > 0) == (answer.x > 0.5))[clear].all()

    def test_the_same_arguments_give_the_same_bound(self, monkeypatch):
        queue, balances = market(40, 3_000)
        monkeypatch.setattr(relaxation, "SIMPLEX_COLUMNS", 0)
        assert upper_bound(queue, balances) == upper_bound(queue, balances)

    def test_a_time_limit_that_is_over_still_gives_a_bound(self, monkeypatch):
        queue, balances = market(40, 3_000)
        settled = resolve(queue, balances, order="fifo").objective
        monkeypatch.setattr(relaxation, "SIMPLEX_COLUMNS", 0)
        hours = itertools.count(0, 3_600)
        bound = upper_bound(queue, balances, time_limit_s=1, clock=lambda: float(next(hours)))
        assert bound.method == "linear relaxation, 20 first-order passes"
        assert bound.value >= max(settled, upper_bound(queue, balances).value)

    def test_the_search_over_whole_obligations_is_left_out_where_its_root_alone_would_take_minutes(self, monkeypatch):
        queue, balances = market(40, 3_000)
        monkeypatch.setattr(relaxation, "SIMPLEX_COLUMNS", 0)
        bound = upper_bound(queue, balances, tightness="integer")
        assert bound.proof == "exact"
        assert "branch and cut" not in bound.method


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tightness", "loose"),
        ("objective", "priority"),
        ("largest", -1),
        ("largest", True),
        ("largest", 1.5),
        ("time_limit_s", -1),
        ("time_limit_s", float("nan")),
        ("time_limit_s", "x"),
    ],
)
def test_an_argument_that_is_none_is_refused_by_name(field, value):
    with pytest.raises(InvalidField) as refused:
        upper_bound(Queue([]), {}, **{field: value})
    assert refused.value.field == field
