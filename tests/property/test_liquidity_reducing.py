"""What a program is without the columns that are decided from the start: the same question, smaller."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings

from liquidity import Leg, Obligation, Queue, resolve, upper_bound
from liquidity.bypass import exhaustive
from liquidity.bypass.columns import make_columns
from liquidity.program import make_program
from liquidity.reducing import reduced
from liquidity.terms import make_rates, make_terms
from tests.property.test_liquidity_elimination import PROFILE, balance_tables, queues, terms

SOME = settings(PROFILE, max_examples=150)


def transfer(name, payer, payee, amount):
    return Obligation(name, [Leg(payer, payee, "HKD", amount)])


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
    assert upper_bound(queue, balances, tightness="integer", largest=0).value == 60
    queue = Queue([transfer("T1", "HK1", "HK2", 1_000), transfer("T2", "HK1", "HK2", 40)])
    whole = upper_bound(queue, balances, tightness="integer", largest=0)
    assert (whole.value, whole.proof) == (40, "exact")


@pytest.mark.parametrize("room", [0, 7])
def test_an_obligation_whose_legs_offset_is_certain(room):
    queue = Queue([Obligation("T1", [Leg("HK1", "HK2", "HKD", 5), Leg("HK2", "HK1", "HKD", 5)])])
    less = reduced(program_of(queue, {"HK1": {"HKD": room}}, {"floors": None, "limits": None}))
    assert less.settled.tolist() == [True]
