"""Bounds, prices and diagnoses against brute force, and against what must hold of any bound."""

import random
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquidity import (
    Jam,
    Leg,
    Lever,
    Limits,
    Obligation,
    Queue,
    best_injection,
    diagnose,
    relaxation,
    resolve,
    set_order_aside,
    upper_bound,
)
from liquidity.program import make_program, row_name
from liquidity.relaxation import prove, solve_relaxation
from liquidity.terms import make_rates, make_terms
from tests.waiting import (
    BANKS,
    CURRENCIES,
    ORDERS,
    PROFILE,
    balance_tables,
    is_valid,
    queues,
    renamed_case,
    scaled_case,
    terms,
    valid_sets,
)

RATES = {"THB": Fraction(10, 46)}
TIGHTNESSES = ("aggregated", "pvp", "integer")

SOME = settings(PROFILE, max_examples=60)
FEWER = settings(PROFILE, max_examples=30)


def value_of(queue, chosen, rates=RATES):
    return sum(
        (leg.amount * rates.get(leg.currency, Fraction(1)) for one in queue if one.id in chosen for leg in one.legs),
        Fraction(0),
    )


def program_of(queue, balances, given_terms, objective="value"):
    return make_program(queue, make_terms(balances, **given_terms), make_rates(RATES), objective)


class TestTheProgram:
    @SOME
    @given(queues(), balance_tables, terms)
    def test_exactly_the_sets_that_may_settle_are_feasible_and_their_worth_is_exact(self, queue, balances, given_terms):
        program = program_of(queue, balances, given_terms)
        names = [queue.ids[number] for number in program.number]
        assert (program.room >= 0).all()
        for size in range(len(names) + 1):
            for columns in combinations(range(len(names)), size):
                used = np.zeros(len(program.room), dtype=np.int64)
                for column in columns:
                    entries = slice(program.start[column], program.start[column + 1])
                    used[program.row[entries]] += program.change[entries]
                chosen = {names[column] for column in columns}
                assert (used <= program.room).all() == is_valid(queue, balances, chosen, given_terms)
                worth = sum(int(program.worth[column]) for column in columns) * program.worth_scale
                assert worth == value_of(queue, chosen)

    @SOME
    @given(queues(), balance_tables, terms, st.integers(10**14, 2**62))
    def test_worth_that_leaves_64_bits_is_rounded_up_by_less_than_its_scale(
        self, queue, balances, given_terms, numerator
    ):
        rates = {"THB": Fraction(numerator, 3), "HKD": Fraction(1, 7)}
        program = make_program(queue, make_terms(balances, **given_terms), rates)
        for number, worth in zip(program.number.tolist(), program.worth.tolist(), strict=True):
            exact = value_of(queue, {queue.ids[number]}, rates)
            rounding = worth * program.worth_scale - exact
            assert 0 <= rounding < program.worth_scale
            assert rounding == 0 or not program.worth_is_exact

    def test_two_rows_never_have_the_same_name(self):
        queue = Queue([Obligation("T1", [Leg("HK1", "TH1", "HKD", 5), Leg("TH1", "HK1", "THB", 7)])])
        limits = Limits(bilateral={"HK1": {"TH1": {"HKD": 3}}, "TH1": {"HK1": {"HKD": 3}}, "XX": {"HK1": {"HKD": 1}}})
        program = program_of(queue, {}, {"floors": None, "limits": limits})
        names = [row_name(program, row) for row in range(len(program.room))]
        assert len(set(names)) == len(names) == 6


class TestTheBound:
    @SOME
    @given(queues(), balance_tables, terms)
    def test_no_valid_set_exceeds_a_bound_and_each_tightness_is_at_most_the_one_before(
        self, queue, balances, given_terms
    ):
        sets = list(valid_sets(queue, balances, given_terms))
        for objective, best in (
            ("value", max(value_of(queue, chosen) for chosen in sets)),
            ("count", max(len(chosen) for chosen in sets)),
        ):
            bounds = [
                upper_bound(queue, balances, rates=RATES, tightness=tightness, objective=objective, **given_terms)
                for tightness in TIGHTNESSES
            ]
            assert bounds[0].value >= bounds[1].value >= bounds[2].value >= best
            assert bounds[2].value == best  # every obligation is among the largest, and small enough for the solver
            assert bounds[0].proof == bounds[1].proof == "exact"

    @SOME
    @given(queues(), balance_tables, terms, st.integers(1, 10**14))
    def test_any_prices_prove_a_bound_and_exactly_the_dual_sum_at_their_numerators(
        self, queue, balances, given_terms, factor
    ):
        big, big_balances, big_terms = scaled_case(queue, balances, given_terms, factor)
        program = program_of(big, big_balances, big_terms)
        best = max(value_of(big, chosen) for chosen in valid_sets(queue, balances, given_terms))
        chooser = np.random.default_rng(factor)
        odd = [0.0, -1.0, 1e-9, 0.3, 5.0, 23.0, 1e6, 1e300, np.inf, np.nan]
        for prices in (chooser.choice(odd, len(program.room)), chooser.uniform(0, 30, len(program.room))):
            proof = prove(program, prices)
            assert proof.worth * program.worth_scale >= best
            y = [Fraction(numerator, 2**proof.bits) for numerator in proof.numerators.tolist()]
            expected = sum((price * room for price, room in zip(y, program.room.tolist(), strict=True)), Fraction(0))
            for column, worth in enumerate(program.worth.tolist()):
                entries = range(program.start[column], program.start[column + 1])
                used = sum(y[program.row[entry]] * int(program.change[entry]) for entry in entries)
                expected += max(Fraction(0), worth - used)
                assert proof.margin[column] == pytest.approx(float(worth - used), rel=1e-6, abs=1e-6 * worth)
            assert proof.worth == expected

    @FEWER
    @given(queues(), balance_tables, terms)
    def test_first_order_passes_prove_bounds_too(self, queue, balances, given_terms):
        program = program_of(queue, balances, given_terms)
        best = max(value_of(queue, chosen) for chosen in valid_sets(queue, balances, given_terms))
        exact = solve_relaxation(program)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(relaxation, "SIMPLEX_COLUMNS", 0)
            few, many = solve_relaxation(program, passes=30), solve_relaxation(program, passes=1_000)
        assert min(few.bound, many.bound) >= best
        assert abs(many.bound - exact.bound) <= value_of(queue, queue.ids) * Fraction(1, 10**5)

    @FEWER
    @given(queues(), balance_tables, terms, st.sampled_from([10**6, 10**14 + 7]))
    def test_scaling_all_amounts_scales_the_bound(self, queue, balances, given_terms, factor):
        one = upper_bound(queue, balances, rates=RATES, **given_terms)
        big, big_balances, big_terms = scaled_case(queue, balances, given_terms, factor)
        many = upper_bound(big, big_balances, rates=RATES, **big_terms)
        all_worth = value_of(queue, queue.ids)  # what the digits of a price are counted in
        assert abs(many.value / factor - one.value) <= all_worth * Fraction(1, 10**6)

    @FEWER
    @given(queues(), balance_tables, terms, st.sampled_from([2**57, 2**58, 2**59, 2**60, 2**63, 10**25]))
    def test_sums_near_64_bits_and_beyond_never_give_a_number_that_is_no_bound(
        self, queue, balances, given_terms, factor
    ):
        best = max(value_of(queue, chosen) for chosen in valid_sets(queue, balances, given_terms)) * factor
        count = max(len(chosen) for chosen in valid_sets(queue, balances, given_terms))
        big, big_balances, big_terms = scaled_case(queue, balances, given_terms, factor)
        for tightness in TIGHTNESSES:
            arguments = {"rates": RATES, "tightness": tightness, **big_terms}
            assert upper_bound(big, big_balances, **arguments).value >= best
            assert upper_bound(big, big_balances, objective="count", **arguments).value >= count

    @FEWER
    @given(queues(), balance_tables, terms, st.permutations(BANKS))
    def test_other_names_of_banks_change_nothing(self, queue, balances, given_terms, names):
        there, moved, other_terms = renamed_case(queue, balances, given_terms, names)
        for tightness, tolerance in (("aggregated", 1e-9), ("pvp", 1e-9), ("integer", 0)):
            here = upper_bound(queue, balances, rates=RATES, tightness=tightness, **given_terms).value
            same = upper_bound(there, moved, rates=RATES, tightness=tightness, **other_terms).value
            assert abs(here - same) <= tolerance * here


class TestThePrices:
    @FEWER
    @given(queues(), balance_tables, terms, st.sampled_from(["aggregated", "pvp"]), st.integers(1, 10**6))
    def test_one_more_unit_of_liquidity_raises_the_bound_by_no_more_than_its_price(
        self, queue, balances, given_terms, tightness, factor
    ):
        queue, balances, given_terms = scaled_case(queue, balances, given_terms, factor)
        bound = upper_bound(queue, balances, rates=RATES, tightness=tightness, **given_terms)
        for bank, row in bound.prices.items():
            for currency, price in row.items():
                more = {**balances, bank: {**balances.get(bank, {})}}
                more[bank][currency] = more[bank].get(currency, 0) + 1
                raised = upper_bound(queue, more, rates=RATES, tightness=tightness, **given_terms).value
                assert raised <= bound.value + price + bound.value * Fraction(1, 10**9)

    @FEWER
    @given(queues(), balance_tables, terms)
    def test_a_limit_raised_by_one_unit_raises_the_bound_by_no_more_than_its_price(self, queue, balances, given_terms):
        limits = given_terms["limits"]
        bound = upper_bound(queue, balances, rates=RATES, **given_terms)
        assert list(bound.scarce) == sorted(bound.scarce, key=lambda price: -price.worth)
        for price in bound.scarce:
            assert price.worth > 0
            bilateral = {
                payer: {payee: dict(row) for payee, row in rows.items()} for payer, rows in limits.bilateral.items()
            }
            multilateral = {bank: dict(row) for bank, row in limits.multilateral.items()}
            if price.lever is Lever.BILATERAL_LIMIT:
                bilateral[price.bank][price.payee][price.currency] += 1
            elif price.lever is Lever.MULTILATERAL_LIMIT:
                multilateral[price.bank][price.currency] += 1
            looser = Limits(bilateral=bilateral, multilateral=multilateral)
            raised = upper_bound(queue, balances, rates=RATES, floors=given_terms["floors"], limits=looser)
            assert raised.value <= bound.value + price.worth + Fraction(1, 10**6)


def settles_singly(queue, balances, given_terms, order, chooser):
    """Settle single obligations while one keeps the order and the bounds, the next one drawn at random."""
    settled = set()
    while True:
        ready = [
            one.id
            for one in queue
            if one.id not in settled and is_valid(queue, balances, settled | {one.id}, given_terms, order)
        ]
        if not ready:
            return settled
        settled.add(chooser.choice(ready))


class TestTheDiagnosis:
    @SOME
    @given(queues(), balance_tables, terms, ORDERS, st.integers(0, 99))
    def test_what_flows_is_gridlocked_or_deadlocked_is_what_brute_force_says(
        self, queue, balances, given_terms, order, seed
    ):
        diagnosis = diagnose(queue, balances, order=order, **given_terms)
        waiting = {one.id for one in queue if not one.held}
        most = max(valid_sets(queue, balances, given_terms, order), key=len)
        singly = settles_singly(queue, balances, given_terms, order, random.Random(seed))
        assert set(diagnosis.one_by_one) == singly
        assert set(diagnosis.gridlocked) == most - singly
        assert set(diagnosis.deadlocked) == waiting - most
        assert bool(diagnosis.shortfalls) == (most != waiting) == (diagnosis.jam is Jam.DEADLOCK)

    @SOME
    @given(queues(), balance_tables, terms)
    def test_everything_settles_once_each_shortfall_is_made_good_and_nothing_less_will_do(
        self, queue, balances, given_terms
    ):
        waiting = {one.id for one in queue if not one.held}
        shortfalls = diagnose(queue, balances, **given_terms).shortfalls
        limits = given_terms["limits"]

        def made_good(but=None):
            more = {bank: dict(row) for bank, row in balances.items()}
            bilateral = {
                payer: {payee: dict(row) for payee, row in rows.items()} for payer, rows in limits.bilateral.items()
            }
            multilateral = {bank: dict(row) for bank, row in limits.multilateral.items()}
            for one in shortfalls:
                if one.lever is Lever.LIQUIDITY:
                    table = more.setdefault(one.bank, {})
                elif one.lever is Lever.MULTILATERAL_LIMIT:
                    table = multilateral[one.bank]
                else:
                    table = bilateral[one.bank][one.payee]
                table[one.currency] = table.get(one.currency, 0) + one.short_by - (one is but)
            cured = {"floors": given_terms["floors"], "limits": Limits(bilateral=bilateral, multilateral=multilateral)}
            return is_valid(queue, more, waiting, cured)

        assert made_good()
        for one in shortfalls:
            assert not made_good(but=one)

    @FEWER
    @given(queues(), balance_tables, terms, ORDERS)
    def test_what_settles_out_of_order_may_settle_with_all_that_settles_in_order(
        self, queue, balances, given_terms, order
    ):
        first = set(resolve(queue, balances, order=order, **given_terms).settled)
        rest = set_order_aside(queue, balances, order=order, rates=RATES, **given_terms)
        assert is_valid(queue, balances, first | set(rest.settled), given_terms)
        deadlocked = set(diagnose(queue, balances, order=order, **given_terms).deadlocked)
        assert set(rest.settled) <= deadlocked
        if rest.proof == "optimal":
            best = max(
                value_of(queue, chosen - first)
                for chosen in valid_sets(queue, balances, given_terms)
                if first <= chosen
            )
            assert rest.objective == best


class TestTheInjection:
    @FEWER
    @given(queues(), balance_tables, terms, ORDERS, st.none() | st.integers(0, 12))
    def test_no_account_and_no_amount_frees_more_and_one_unit_less_frees_less(
        self, queue, balances, given_terms, order, budget
    ):
        def value_with(bank, currency, amount):
            more = {**balances, bank: {**balances.get(bank, {})}}
            more[bank][currency] = more[bank].get(currency, 0) + amount
            return resolve(queue, more, order=order, rates=RATES, **given_terms)

        before = resolve(queue, balances, order=order, rates=RATES, **given_terms)
        found = best_injection(queue, balances, order=order, rates=RATES, budget=budget, **given_terms)
        assert found.is_proven
        most = Fraction(0)
        for bank in BANKS:
            for currency in CURRENCIES:
                enough = 200 if budget is None else budget // RATES.get(currency, Fraction(1))
                most = max(most, value_with(bank, currency, enough).objective - before.objective)
        assert (found.best.freed if found.best else 0) == most
        for one in found.ranked:
            after = value_with(one.bank, one.currency, one.amount)
            assert set(after.settled) == set(before.settled) | set(one.frees)
            assert after.objective - before.objective == one.freed
            assert value_with(one.bank, one.currency, one.amount - 1).objective < after.objective
            assert budget is None or one.cost <= budget
