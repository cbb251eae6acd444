"""What makes a bound tighter loses no whole settlement: columns decided from the start, and cuts."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquidity import Leg, Obligation, Queue, resolve, upper_bound
from liquidity.bypass import exhaustive
from liquidity.bypass.columns import make_columns
from liquidity.cutting import cuts_at, tightened, with_rows
from liquidity.program import make_program
from liquidity.reducing import components, reduced
from liquidity.relaxation import solve_relaxation
from liquidity.terms import make_rates, make_terms
from tests.waiting import PROFILE, balance_tables, queues, terms, transfer

SOME = settings(PROFILE, max_examples=150)


def program_of(queue, balances, given_terms):
    return make_program(queue, make_terms(balances, **given_terms), make_rates({}))


def used_by(program, chosen):
    used = np.zeros(len(program.room), dtype=np.int64)
    np.add.at(used, program.row, program.change * np.repeat(np.asarray(chosen, dtype=np.int64), np.diff(program.start)))
    return used


def valid_sets(program):
    for chosen in product((False, True), repeat=len(program.worth)):
        if (used_by(program, chosen) <= program.room).all():
            yield np.array(chosen, dtype=np.bool_)


@SOME
@given(queues(most=7), balance_tables, terms)
def test_the_best_of_the_rest_and_what_is_certain_are_the_best_there_is(queue, balances, given_terms):
    program = program_of(queue, balances, given_terms)
    less = reduced(program)
    best = max(int(program.worth[chosen].sum()) for chosen in valid_sets(program))
    assert less.settled_worth + max(int(less.program.worth[one].sum()) for one in valid_sets(less.program)) == best


@SOME
@given(queues(most=7), balance_tables, terms)
def test_a_set_of_the_rest_may_settle_with_what_is_certain(queue, balances, given_terms):
    program = program_of(queue, balances, given_terms)
    less = reduced(program)
    for rest in valid_sets(less.program):
        together = less.settled.copy()
        together[less.columns] = rest
        assert (used_by(program, together) <= program.room).all()


@SOME
@given(queues(most=7), balance_tables, terms)
def test_what_is_neither_left_nor_certain_settles_in_no_valid_set(queue, balances, given_terms):
    program = program_of(queue, balances, given_terms)
    less = reduced(program)
    impossible = ~less.settled
    impossible[less.columns] = False
    assert not any((chosen & impossible).any() for chosen in valid_sets(program))


@SOME
@given(queues(most=12), balance_tables, terms)
def test_plain_python_decides_the_same_from_the_start(queue, balances, given_terms):
    program = program_of(queue, balances, given_terms)
    less = reduced(program)
    columns = make_columns(queue.obligations, make_terms(balances, **given_terms), make_rates({}), "value")
    certain, left, _ = exhaustive.reduced(columns)
    assert sorted(one.number for one in certain) == program.number[less.settled].tolist()
    assert [one.number for one in left] == less.program.number.tolist()


def test_one_payment_decided_decides_the_next():
    chain = [transfer("T0", "HK1", "HK2", 50)] + [
        transfer(f"T{n}", f"HK{n + 1}", f"HK{n + 2}", 50) for n in range(1, 9)
    ]
    program = program_of(Queue(chain), {"HK1": {"HKD": 50}}, {"floors": None, "limits": None})
    less = reduced(program)
    assert less.settled.all()
    assert less.settled_worth == 9 * 50
    starved = reduced(program_of(Queue(chain), {"HK1": {"HKD": 49}}, {"floors": None, "limits": None}))
    assert not starved.settled.any()
    assert not len(starved.columns)


def test_what_can_never_settle_does_not_raise_the_bound():
    queue = Queue(
        [transfer("T1", "HK1", "HK2", 1_000), transfer("T2", "HK1", "HK2", 40), transfer("T3", "HK1", "HK2", 40)]
    )
    balances = {"HK1": {"HKD": 60}}
    assert upper_bound(queue, balances).value == 60
    assert resolve(queue, balances, order="bypass").upper_bound == 40
    whole = upper_bound(queue, balances, tightness="integer", largest=0)
    assert (whole.value, whole.proof) == (40, "exact")


@pytest.mark.parametrize("room", [0, 7])
def test_an_obligation_whose_legs_offset_is_certain(room):
    queue = Queue([Obligation("T1", [Leg("HK1", "HK2", "HKD", 5), Leg("HK2", "HK1", "HKD", 5)])])
    less = reduced(program_of(queue, {"HK1": {"HKD": room}}, {"floors": None, "limits": None}))
    assert less.settled.tolist() == [True]


def with_cuts_at(program, x):
    return with_rows(program, np.ones(len(program.room), dtype=np.bool_), cuts_at(program, x))


@SOME
@given(queues(most=7), balance_tables, terms, st.data())
def test_no_cut_at_whatever_fractions_forbids_a_whole_settlement(queue, balances, given_terms, data):
    program = program_of(queue, balances, given_terms)
    fractions = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1))
    tighter = program
    for _ in range(2):  # the second time, cuts are made of cuts
        count = len(program.worth)
        tighter = with_cuts_at(tighter, np.array(data.draw(st.lists(fractions, min_size=count, max_size=count))))
    for chosen in valid_sets(program):
        assert (used_by(tighter, chosen) <= tighter.room).all()


@SOME
@given(queues(most=7), balance_tables, terms)
def test_bounds_with_ever_more_cuts_stay_above_the_best_and_below_the_relaxation(queue, balances, given_terms):
    program = program_of(queue, balances, given_terms)
    relaxed = solve_relaxation(program)
    best = max(int(program.worth[chosen].sum()) for chosen in valid_sets(program))
    before = relaxed.most
    for rounds in range(4):
        left = iter(range(rounds))
        tighter = tightened(program, relaxed, lambda left=left: 0.0 if next(left, None) is None else None)
        assert tighter.rounds <= rounds
        assert best <= tighter.most <= before
        before = tighter.most


def test_a_cut_has_no_larger_coefficient_than_the_row_that_it_comes_from():
    draw = np.random.default_rng(5)
    banks = [f"B{number}" for number in range(6)]
    queue = Queue(
        transfer(f"T{number}", *draw.choice(banks, 2, replace=False), int(draw.lognormal(20, 2)) + 1)
        for number in range(60)
    )
    program = program_of(queue, {bank: {"HKD": 10**8} for bank in banks}, {"floors": None, "limits": None})
    cuts = cuts_at(program, solve_relaxation(program).x)
    assert cuts
    assert max(int(np.abs(cut.change).max()) for cut in cuts) <= int(np.abs(program.change).max())


def test_a_payment_too_large_for_the_balance_waits_for_the_whole_credit_in_the_bound_too():
    queue = Queue(
        [transfer("T1", "HK1", "HK2", 100), transfer("T2", "HK2", "HK3", 110), transfer("T3", "HK1", "HK3", 5)]
    )
    balances = {"HK1": {"HKD": 99}, "HK2": {"HKD": 100}}
    assert upper_bound(queue, balances).value == 99 + 110
    whole = upper_bound(queue, balances, tightness="integer", largest=0)
    assert (whole.value, whole.proof) == (5, "exact")


def test_a_program_too_large_for_linear_programs_keeps_its_relaxation(monkeypatch):
    monkeypatch.setattr("liquidity.cutting.MOST_COLUMNS", 1)
    queue = Queue([transfer("T1", "HK1", "HK2", 80), transfer("T2", "HK1", "HK2", 60)])
    program = program_of(queue, {"HK1": {"HKD": 90}}, {"floors": None, "limits": None})
    relaxed = solve_relaxation(program)
    tighter = tightened(program, relaxed, lambda: None)
    assert (tighter.most, tighter.rounds) == (relaxed.most, 0)


def test_a_round_of_cuts_without_time_for_its_linear_program_leaves_the_bound_as_it_was():
    queue = Queue([transfer("T1", "HK1", "HK2", 80), transfer("T2", "HK1", "HK2", 60)])
    program = program_of(queue, {"HK1": {"HKD": 90}}, {"floors": None, "limits": None})
    relaxed = solve_relaxation(program)
    assert tightened(program, relaxed, lambda: None).most < relaxed.most
    tighter = tightened(program, relaxed, lambda: 1e-9)
    assert (tighter.most, tighter.rounds, tighter.x.tolist()) == (relaxed.most, 0, relaxed.x.tolist())


@SOME
@given(queues(most=7), balance_tables, terms, st.integers(1, 4))
def test_the_best_of_the_components_are_together_the_best_there_is(queue, balances, given_terms, most):
    program = reduced(program_of(queue, balances, given_terms)).program
    apart = components(program, most)
    assert sorted(number for own, _ in apart for number in own.tolist()) == list(range(len(program.worth)))
    assert len(apart) <= most
    together = np.zeros(len(program.worth), dtype=np.bool_)
    for own, component in apart:
        together[own] = max(valid_sets(component), key=lambda chosen: int(component.worth[chosen].sum()))
    assert (used_by(program, together) <= program.room).all()
    best = max(int(program.worth[chosen].sum()) for chosen in valid_sets(program))
    assert int(program.worth[together].sum()) == best


def test_currencies_without_pvp_are_components_and_the_smallest_are_put_together():
    legs = [
        ("A", "B", "HKD", 5),
        ("B", "A", "HKD", 4),
        ("A", "B", "THB", 3),
        ("C", "D", "USD", 2),
        ("C", "B", "USD", 2),
    ]
    queue = Queue([Obligation(f"T{at}", [Leg(*leg)]) for at, leg in enumerate(legs)])
    program = program_of(queue, {"C": {"USD": 3}}, {"floors": None, "limits": None})
    assert [own.tolist() for own, _ in components(program, 8)] == [[2], [0, 1], [3, 4]]
    assert [own.tolist() for own, _ in components(program, 2)] == [[0, 1, 2], [3, 4]]
