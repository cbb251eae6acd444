"""The elimination against brute force, against its compiled twin, and against what must hold of any answer."""

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from liquidity import (
    NO_PRIORITY,
    Cause,
    InvalidField,
    Queue,
    Standing,
    check_settlement,
    explain,
    explain_all,
    resolution,
    resolve,
)
from liquidity.terms import make_terms
from tests.waiting import (
    BANKS,
    CURRENCIES,
    ORDERS,
    PROFILE,
    balance_tables,
    queues,
    renamed,
    renamed_case,
    scaled,
    scaled_case,
    tables,
    terms,
    valid_sets,
)

FEWER = settings(PROFILE, max_examples=70)


def place_of(obligation, arrival, account, order):
    """Where an obligation stands in an account's queue, written without the package's own ordering."""
    if order == "fifo":
        return (arrival,)
    found = [
        obligation.priority if leg.priority is None else leg.priority
        for leg in obligation.legs
        if (leg.payer, leg.currency) == account
    ]
    return min((1, 0) if priority is None else (0, priority) for priority in found), arrival


def random_elimination(queue, balances, order, given_terms, chooser):
    """The elimination word for word, on sets, with the next account to suffer drawn at random."""
    kept = {obligation.id: obligation for obligation in queue if not obligation.held}
    arrival = {obligation.id: number for number, obligation in enumerate(queue)}
    accounts = sorted({(leg.payer, leg.currency) for obligation in queue for leg in obligation.legs})

    def in_queue(account):
        paying = [o for o in kept.values() if any((leg.payer, leg.currency) == account for leg in o.legs)]
        return sorted(paying, key=lambda o: place_of(o, arrival[o.id], account, order))

    def suffers(account):
        bank, currency = account
        net = {}
        for obligation in kept.values():
            for leg in obligation.legs:
                if leg.currency == currency:
                    net[leg.payer, leg.payee] = net.get((leg.payer, leg.payee), 0) + leg.amount
        paid = {other: net.get((bank, other), 0) - net.get((other, bank), 0) for other in BANKS}
        opening = balances.get(bank, {}).get(currency, 0)
        lowest = min(opening, given_terms["floors"].get(bank, {}).get(currency, 0))
        most = given_terms["limits"].multilateral.get(bank, {}).get(currency, 10**9)
        pair = given_terms["limits"].bilateral.get(bank, {})
        return (
            opening - sum(paid.values()) < lowest
            or sum(paid.values()) > most
            or any(paid[other] > pair.get(other, {}).get(currency, 10**9) for other in BANKS)
        )

    while suffering := [account for account in accounts if suffers(account)]:
        dropped = [in_queue(chooser.choice(suffering))[-1]]
        while dropped:
            gone = dropped.pop()
            if gone.id in kept:
                for account in {(leg.payer, leg.currency) for leg in gone.legs}:
                    standing = in_queue(account)
                    dropped.extend(standing[standing.index(gone) + 1 :])
                del kept[gone.id]
    return {obligation.id for obligation in kept.values()}


@PROFILE
@given(queues(), balance_tables, ORDERS, terms)
def test_the_answer_contains_every_valid_set(queue, balances, order, given_terms):
    answer = resolve(queue, balances, order=order, **given_terms)
    valid = list(valid_sets(queue, balances, given_terms, order))
    assert set(answer.settled) == valid[-1]
    assert all(chosen <= valid[-1] for chosen in valid)


@FEWER
@given(queues(most=20), balance_tables, ORDERS, terms)
def test_the_independent_check_accepts_the_answer_and_its_balances(queue, balances, order, given_terms):
    answer = resolve(queue, balances, order=order, **given_terms)
    closing = check_settlement(
        queue, balances, answer.settled, order=order, closing_balances=answer.closing_balances, **given_terms
    )
    assert closing == answer.closing_balances
    for currency in CURRENCIES:
        opened = sum(row.get(currency, 0) for row in balances.values())
        assert sum(row.get(currency, 0) for row in closing.values()) == opened


@PROFILE
@given(queues(most=15), balance_tables, ORDERS, terms, st.integers(0, 2**32))
def test_the_order_of_elimination_does_not_matter(queue, balances, order, given_terms, chance):
    answer = resolve(queue, balances, order=order, **given_terms)
    assert random_elimination(queue, balances, order, given_terms, random.Random(chance)) == set(answer.settled)


@PROFILE
@given(queues(most=20), balance_tables, ORDERS, terms, st.booleans())
def test_the_compiled_elimination_agrees_with_the_exact_one(queue, balances, order, given_terms, sparse):
    import liquidity.elimination_compiled as compiled

    checked = make_terms(balances, given_terms["floors"], given_terms["limits"])
    exact = resolution._in_python(queue, checked, order)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compiled, "DENSE_ACCOUNTS", 0 if sparse else compiled.DENSE_ACCOUNTS)
        fast = resolution._compiled(queue, checked, order)
    assert fast.settled == exact.settled
    assert fast.closing == exact.closing
    assert fast.value == exact.value


@FEWER
@given(queues(most=20), balance_tables, ORDERS, terms)
def test_a_queue_from_arrays_is_the_same_queue(queue, balances, order, given_terms):
    flat = [leg for obligation in queue for leg in obligation.legs]

    def priorities_of(items):
        return np.array([NO_PRIORITY if item.priority is None else item.priority for item in items], dtype=np.int64)

    rebuilt = Queue.from_arrays(
        banks=BANKS,
        currencies=CURRENCIES,
        payer=[BANKS.index(leg.payer) for leg in flat],
        payee=[BANKS.index(leg.payee) for leg in flat],
        currency=[CURRENCIES.index(leg.currency) for leg in flat],
        amount=[leg.amount for leg in flat],
        obligation=[number for number, obligation in enumerate(queue) for _ in obligation.legs],
        priority=priorities_of(queue),
        leg_priority=priorities_of(flat),
        held=np.array([obligation.held for obligation in queue], dtype=bool),
        ids=queue.ids,
    )
    checked = make_terms(balances, given_terms["floors"], given_terms["limits"])
    fast = resolution._compiled(rebuilt, checked, order)
    assert rebuilt.obligations == queue.obligations
    assert fast.settled == resolve(queue, balances, order=order, **given_terms).settled


@FEWER
@given(queues(most=15), balance_tables, ORDERS, terms, tables(st.integers(0, 20)))
def test_more_liquidity_never_settles_less(queue, balances, order, given_terms, extra):
    """More balance, or where balances are below the floor a deeper floor: a balance then raises what must be kept."""
    before = resolve(queue, balances, order=order, **given_terms)
    floors = {
        bank: {
            code: given_terms["floors"].get(bank, {}).get(code, 0) - extra.get(bank, {}).get(code, 0)
            for code in CURRENCIES
        }
        for bank in BANKS
    }
    deeper = resolve(queue, balances, order=order, floors=floors, limits=given_terms["limits"])
    assert set(before.settled) <= set(deeper.settled)
    sound = {
        bank: {code: max(row.get(code, 0), given_terms["floors"].get(bank, {}).get(code, 0), 0) for code in CURRENCIES}
        for bank, row in ((b, balances.get(b, {})) for b in BANKS)
    }
    richer = {
        bank: {code: sound[bank][code] + extra.get(bank, {}).get(code, 0) for code in CURRENCIES} for bank in BANKS
    }
    few = resolve(queue, sound, order=order, **given_terms)
    many = resolve(queue, richer, order=order, **given_terms)
    assert set(few.settled) <= set(many.settled)


@FEWER
@given(queues(most=15), balance_tables, ORDERS, terms, st.sampled_from([3, 10**15, 2**62, 2**63, 10**40]))
def test_scaling_every_amount_scales_the_answer(queue, balances, order, given_terms, factor):
    answer = resolve(queue, balances, order=order, **given_terms)
    larger, larger_balances, larger_terms = scaled_case(queue, balances, given_terms, factor)
    scaled_answer = resolve(larger, larger_balances, order=order, **larger_terms)
    assert scaled_answer.settled == answer.settled
    assert scaled_answer.objective == answer.objective * factor
    assert scaled_answer.closing_balances == scaled(answer.closing_balances, factor)
    fast = resolution._compiled(larger, make_terms(larger_balances, **larger_terms), order)
    assert fast is None or (fast.settled, fast.value) == (answer.settled, scaled_answer.settled_value)


@FEWER
@given(queues(most=15), balance_tables, ORDERS, terms, st.permutations(BANKS))
def test_renaming_banks_changes_nothing(queue, balances, order, given_terms, names):
    answer = resolve(queue, balances, order=order, **given_terms)
    other, other_balances, other_terms = renamed_case(queue, balances, given_terms, names)
    other_answer = resolve(other, other_balances, order=order, **other_terms)
    assert other_answer.settled == answer.settled
    assert other_answer.closing_balances == renamed(answer.closing_balances, names)


@FEWER
@given(queues(most=15), balance_tables, ORDERS, terms)
def test_whatever_waits_has_a_reason_and_no_reason_is_made_up(queue, balances, order, given_terms):
    answer = resolve(queue, balances, order=order, **given_terms)
    explanations = explain_all(queue, balances, answer, **given_terms)
    assert set(explanations) == set(queue.ids) - set(answer.settled)
    for obligation in queue:
        explanation = explain(queue, balances, answer, obligation.id, **given_terms)
        assert explanation == explanations.get(obligation.id, explanation)
        assert bool(explanation.reasons) == (explanation.standing is Standing.WAITING)
        for reason in explanation.reasons:
            assert (reason.behind is None) == (reason.ahead == 0)
            assert reason.behind not in answer.settled
            assert (reason.short_by > 0) == (reason.cause is not Cause.BEHIND)


@FEWER
@given(queues(), balance_tables, ORDERS)
def test_paying_in_every_shortfall_named_settles_an_obligation_with_all_it_waits_behind(queue, balances, order):
    """Cure by cure: pay in what the first waiting obligations lack, and at least one more settles each time."""
    balances = {bank: {code: balances.get(bank, {}).get(code, 0) for code in CURRENCIES} for bank in BANKS}
    balances = {bank: {code: max(amount, 0) for code, amount in row.items()} for bank, row in balances.items()}
    answer = resolve(queue, balances, order=order)
    for _ in range(len(queue)):
        short = {}
        for explanation in explain_all(queue, balances, answer).values():
            for reason in explanation.reasons:
                account = (reason.bank, reason.currency)
                short[account] = max(short.get(account, 0), reason.short_by)
        if not short:
            break
        for (bank, currency), amount in short.items():
            balances[bank][currency] += amount
        more = resolve(queue, balances, order=order)
        assert set(more.settled) > set(answer.settled)
        answer = more
    assert set(answer.settled) == {obligation.id for obligation in queue if not obligation.held}


@FEWER
@given(st.integers(2**61, 2**63 - 1), st.integers(1, 5), st.integers(-2, 2))
@example(2**63 - 1, 2, -1)
def test_sums_near_64_bits_are_never_wrong(amount, count, change):
    queue = Queue.from_arrays(
        banks=BANKS,
        currencies=["HKD"],
        payer=[0] * count,
        payee=[1] * count,
        currency=[0] * count,
        amount=[amount] * count,
    )
    balances = {BANKS[0]: {"HKD": amount * count + change}}
    fast = resolution._compiled(queue, make_terms(balances, None, None), "fifo")
    exact = resolve(queue, balances)
    assert exact.settled_count == (count if change >= 0 else count - 1)
    assert fast is None or (fast.settled, fast.value) == (exact.settled, exact.settled_value)


def large_queue(random_seed, banks=60, count=60_000, scale=1):
    """Two currencies, a tenth of it PvP, and balances that settle a good part of it."""
    draw = np.random.default_rng(random_seed)
    swaps = draw.random(count) < 0.1
    whose = np.repeat(np.arange(count), 1 + swaps)
    payer, payee = draw.integers(0, banks, count), draw.integers(1, banks, count)
    payee = (payer + payee) % banks
    currency, second = draw.integers(0, 2, count), np.diff(whose, prepend=-1) == 0
    arrays = {
        "banks": [f"B{number}" for number in range(banks)],
        "currencies": list(CURRENCIES),
        "payer": np.where(second, payee[whose], payer[whose]),
        "payee": np.where(second, payer[whose], payee[whose]),
        "currency": np.where(second, 1 - currency[whose], currency[whose]),
        "amount": draw.integers(1, 1000, len(whose)) * scale,
        "obligation": whose,
        "priority": np.where(draw.random(count) < 0.3, draw.integers(0, 5, count), NO_PRIORITY),
    }
    balances = {bank: dict.fromkeys(CURRENCIES, int(draw.integers(0, 60_000)) * scale) for bank in arrays["banks"]}
    return Queue.from_arrays(**arrays), balances


@pytest.mark.parametrize("order", ["fifo", "priority"])
@pytest.mark.parametrize("random_seed", [1, 2])
def test_a_large_queue_takes_the_compiled_way_to_the_same_answer(order, random_seed):
    queue, balances = large_queue(random_seed)
    fast = resolve(queue, balances, order=order)
    exact = resolution._in_python(queue, make_terms(balances, None, None), order)
    assert fast.method == "elimination, compiled, 64-bit integers"
    assert 0 < fast.settled_count < len(queue)
    assert fast.settled == exact.settled
    assert fast.settled_value == exact.value
    assert check_settlement(queue, balances, fast.settled, order=order) == fast.closing_balances


def test_a_large_queue_whose_sums_leave_64_bits_takes_the_exact_way():
    small, balances = large_queue(3)
    factor = 10**15
    large, rich = large_queue(3, scale=factor)
    answer = resolve(large, rich)
    assert answer.method == "elimination, exact integers"
    assert answer.settled == resolve(small, balances).settled
    assert answer.objective == resolve(small, balances).objective * factor


ARRAYS = {"banks": ["HK1", "TH1"], "currencies": ["HKD"], "payer": [0, 1], "payee": [1, 0], "currency": [0, 0]}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": [1, 0]}, "amount[1]"),
        ({"amount": [1.0, 2.0]}, "amount"),
        ({"amount": [[1, 2]]}, "amount"),
        ({"amount": np.array([1, 2**63], dtype=np.uint64)}, "amount"),
        ({"amount": [True, True]}, "amount"),
        ({"payer": [0]}, "payer"),
        ({"payer": [0, 2]}, "payer"),
        ({"payee": [1, -1]}, "payee"),
        ({"payee": [1, 1]}, "payee[1]"),
        ({"currency": [0, 1]}, "currency"),
        ({"banks": ["HK1", "HK1"]}, "banks"),
        ({"banks": ["HK1", ""]}, "banks[1]"),
        ({"obligation": [0, 2]}, "obligation"),
        ({"obligation": [1, 1]}, "obligation[0]"),
        ({"obligation": [1, 0]}, "obligation[0]"),
        ({"ids": ["T1"]}, "ids"),
        ({"ids": ["T1", "T1"]}, "ids"),
        ({"held": [0, 1]}, "held"),
        ({"held": [True]}, "held"),
        ({"priority": [1]}, "priority"),
        ({"leg_priority": [1.5, 2.5]}, "leg_priority"),
    ],
)
def test_arrays_that_make_no_queue_are_refused_by_their_name(changes, field):
    with pytest.raises(InvalidField) as refused:
        Queue.from_arrays(**{**ARRAYS, "amount": [1, 2], **changes})
    assert refused.value.field == field


def test_a_queue_does_not_change_with_the_arrays_it_came_from():
    amount, held = np.array([5, 5]), np.array([False, False])
    queue = Queue.from_arrays(**ARRAYS, amount=amount, held=held)
    amount[0], held[1] = 99, True
    assert [obligation.legs[0].amount for obligation in queue] == [5, 5]
    assert [obligation.held for obligation in queue] == [False, False]
    assert resolve(queue, {}).objective == Fraction(10)


def test_an_empty_queue_from_arrays_resolves_to_nothing():
    queue = Queue.from_arrays(banks=[], currencies=[], payer=[], payee=[], currency=[], amount=[])
    assert resolve(queue, {}).settled == ()
    assert resolution._compiled(queue, make_terms({}, None, None), "priority").settled == ()
