"""Most value in free order against brute force, and what must hold of any answer."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquidity import Cause, InvalidSettlement, Limits, check_settlement, explain_all, resolve
from liquidity.bypass import answering
from liquidity.bypass.branching import Branching
from liquidity.bypass.budget import Budget
from liquidity.bypass.columns import make_columns
from liquidity.bypass.exhaustive import exhaust
from liquidity.bypass.state import make_state
from liquidity.cutting import tightened
from liquidity.program import make_program
from liquidity.relaxation import solve_relaxation
from liquidity.terms import make_rates, make_terms
from tests.waiting import (
    BANKS,
    CURRENCIES,
    PROFILE,
    balance_tables,
    is_valid,
    queues,
    renamed_case,
    scaled_case,
    terms,
)

SOME = settings(PROFILE, max_examples=100)
FEW = settings(PROFILE, max_examples=25)
OBJECTIVES = st.sampled_from(["value", "count", "priority"])
rates = st.fixed_dictionaries({"THB": st.sampled_from([Fraction(1), Fraction(10, 46), 3])})


def urgency(obligation):
    ranks = [obligation.priority if leg.priority is None else leg.priority for leg in obligation.legs]
    return min((rank is None, rank or 0) for rank in ranks)


def measured(queue, chosen, objective, given_rates):
    """What a set is worth: a number, or for ``priority`` one per class, most urgent first."""
    picked = [one for one in queue if one.id in chosen]
    if objective == "count":
        return len(picked)
    values = {
        one.id: sum((given_rates.get(leg.currency, 1) * leg.amount for leg in one.legs), Fraction(0)) for one in picked
    }
    if objective == "value":
        return sum(values.values(), Fraction(0))
    classes = sorted({urgency(one) for one in queue if not one.held})
    return [sum((values[one.id] for one in picked if urgency(one) == rank), Fraction(0)) for rank in classes]


def brute_force(queue, balances, objective, given_rates, given_terms):
    free = [one.id for one in queue if not one.held]
    best = measured(queue, (), objective, given_rates)
    for size in range(1, len(free) + 1):
        for chosen in combinations(free, size):
            try:
                check_settlement(queue, balances, chosen, **given_terms)
            except InvalidSettlement:
                continue
            best = max(best, measured(queue, set(chosen), objective, given_rates))
    return best


def answer_of(queue, balances, objective, given_rates, given_terms, **options):
    answer = resolve(queue, balances, order="bypass", objective=objective, rates=given_rates, **given_terms, **options)
    closing = check_settlement(queue, balances, answer.settled, closing_balances=answer.closing_balances, **given_terms)
    assert closing == answer.closing_balances
    assert answer.objective <= answer.upper_bound
    return answer


@SOME
@given(queues(most=8), balance_tables, OBJECTIVES, rates, terms)
def test_a_small_queue_settles_the_most_there_is_with_proof(queue, balances, objective, given_rates, given_terms):
    answer = answer_of(queue, balances, objective, given_rates, given_terms)
    assert answer.proof == "optimal"
    assert measured(queue, set(answer.settled), objective, given_rates) == brute_force(
        queue, balances, objective, given_rates, given_terms
    )


@FEW
@given(queues(most=7), balance_tables, OBJECTIVES, rates, terms)
def test_the_search_for_larger_queues_is_bounded_and_right_when_it_says_so(
    queue, balances, objective, given_rates, given_terms
):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answering, "PLAIN_LEGS", -1)
        answer = answer_of(queue, balances, objective, given_rates, given_terms, work_limit=6)
    best = brute_force(queue, balances, objective, given_rates, given_terms)
    found = measured(queue, set(answer.settled), objective, given_rates)
    fifo = measured(queue, set(resolve(queue, balances, **given_terms).settled), objective, given_rates)
    assert fifo <= found <= best
    assert answer.upper_bound >= (
        sum(best, Fraction(0)) if objective == "priority" and answer.proof == "optimal" else 0
    )
    if objective != "priority":
        assert best <= answer.upper_bound
    if answer.proof == "optimal":
        assert found == best


@FEW
@given(queues(most=12), balance_tables, rates, terms, st.sampled_from([3, 10**15, 2**62, 10**40]))
def test_scaling_every_amount_scales_the_most_there_is(queue, balances, given_rates, given_terms, factor):
    answer = answer_of(queue, balances, "value", given_rates, given_terms)
    larger, large_balances, large_terms = scaled_case(queue, balances, given_terms, factor)
    large = answer_of(larger, large_balances, "value", given_rates, large_terms)
    assert large.objective == answer.objective * factor
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answering, "PLAIN_LEGS", -1)
        searched = answer_of(larger, large_balances, "value", given_rates, large_terms, work_limit=4)
    assert searched.objective <= large.objective <= searched.upper_bound


@FEW
@given(queues(most=12), balance_tables, rates, terms, st.permutations(BANKS))
def test_renaming_banks_leaves_the_most_there_is(queue, balances, given_rates, given_terms, names):
    other, other_balances, other_terms = renamed_case(queue, balances, given_terms, names)
    answer = answer_of(queue, balances, "value", given_rates, given_terms)
    assert answer_of(other, other_balances, "value", given_rates, other_terms).objective == answer.objective


@FEW
@given(queues(most=20), balance_tables, terms, st.integers(0, 3))
def test_a_seed_and_a_work_limit_give_one_answer(queue, balances, given_terms, seed):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(answering, "PLAIN_LEGS", -1)
        first, second = (
            answer_of(queue, balances, "value", {}, given_terms, seed=seed, work_limit=5, jobs=jobs) for jobs in (1, 2)
        )
    assert first == second


@FEW
@given(queues(most=10), balance_tables, terms)
def test_every_currency_sums_to_what_it_was(queue, balances, given_terms):
    answer = answer_of(queue, balances, "value", {}, given_terms)
    for code in CURRENCIES:
        opened = sum(row.get(code, 0) for row in balances.values())
        assert sum(row.get(code, 0) for row in answer.closing_balances.values()) == opened


def branched(queue, balances, given_rates, given_terms, budget):
    """The program, and what branch and bound alone makes of it from nothing settled."""
    program = make_program(queue, make_terms(balances, **given_terms), make_rates(given_rates))
    nothing = make_state(program, np.zeros(len(program.worth), dtype=bool))
    branching = Branching(program, tightened(program, solve_relaxation(program), lambda: None))
    return program, branching, branching.go_on(nothing, budget)


@SOME
@given(queues(most=8), balance_tables, rates, terms, st.sampled_from([1, 7 * 10**11, 10**15 + 37]))
def test_branch_and_bound_ends_at_the_most_there_is(queue, balances, given_rates, given_terms, factor):
    queue, balances, given_terms = scaled_case(queue, balances, given_terms, factor)
    if not any(not one.held for one in queue):
        return
    program, branching, best = branched(queue, balances, given_rates, given_terms, Budget(None, 100))
    assert branching.is_ended
    assert branching.bound == best.worth
    assert best.worth * program.worth_scale == brute_force(queue, balances, "value", given_rates, given_terms)


@FEW
@given(queues(most=30), balance_tables, terms)
def test_branch_and_bound_agrees_with_the_exhaustive_search(queue, balances, given_terms):
    if not any(not one.held for one in queue):
        return
    _, branching, best = branched(queue, balances, None, given_terms, Budget(None, 100))
    assert branching.is_ended
    exhausted = exhaust(make_columns(queue.obligations, make_terms(balances, **given_terms), make_rates(None), "value"))
    if exhausted is not None:
        assert best.worth == exhausted.worth


def eased(balances, given_terms, reasons, less=None):
    """Floors lowered and limits raised by what each reason names, ``less`` by one minor unit less."""
    every = ((bank, code) for bank in BANKS for code in CURRENCIES)
    floors = {bank: {} for bank in BANKS}
    for bank, code in every:
        floor, opening = given_terms["floors"].get(bank, {}).get(code, 0), balances.get(bank, {}).get(code, 0)
        floors[bank][code] = min(floor, opening)
    limits = given_terms["limits"]
    bilateral = {bank: {payee: dict(row) for payee, row in rows.items()} for bank, rows in limits.bilateral.items()}
    multilateral = {bank: dict(row) for bank, row in limits.multilateral.items()}
    for reason in reasons:
        by = reason.short_by - (reason is less)
        if reason.cause is Cause.SHORT:
            floors[reason.bank][reason.currency] -= by
        elif reason.cause is Cause.MULTILATERAL_LIMIT:
            multilateral[reason.bank][reason.currency] += by
        else:
            bilateral[reason.bank][reason.payee][reason.currency] += by
    return {"floors": floors, "limits": Limits(bilateral, multilateral)}


@SOME
@given(queues(), balance_tables, terms, st.data())
def test_in_free_order_the_reasons_are_what_the_obligation_alone_lacks(queue, balances, given_terms, data):
    """Cured to the last minor unit it settles with what settled; one unit less anywhere, and it doesn't."""

    def any_of_them(queue, balances, **options):
        names = [one.id for one in queue if not one.held]
        chosen = set(data.draw(st.lists(st.sampled_from(names), unique=True))) if names else ()
        return chosen if is_valid(queue, balances, chosen, given_terms) else ()

    for order in ("bypass", any_of_them):
        answer = resolve(queue, balances, order=order, **given_terms)
        for name, explanation in explain_all(queue, balances, answer, **given_terms).items():
            one = next(one for one in queue if one.id == name)
            with_it = (*answer.settled, name)
            assert all(not (reason.ahead or reason.behind) for reason in explanation.reasons)
            if one.held:
                assert not explanation.reasons
                continue
            assert bool(explanation.reasons) >= (order == "bypass")
            assert is_valid(queue, balances, with_it, eased(balances, given_terms, explanation.reasons))
            for reason in explanation.reasons:
                assert not is_valid(queue, balances, with_it, eased(balances, given_terms, explanation.reasons, reason))
