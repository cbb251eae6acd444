"""What waits in the tests of liquidity: obligations to write down, queues and their terms to draw at random."""

from dataclasses import replace
from itertools import combinations

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from liquidity import Day, InvalidSettlement, Leg, Limits, Obligation, Queue, check_settlement

BANKS = ("HK1", "HK2", "TH1", "TH2")
CURRENCIES = ("HKD", "THB")
ORDERS = st.sampled_from(["fifo", "priority"])

PROFILE = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


def transfer(name, payer, payee, amount, currency="HKD", **extra):
    return Obligation(name, [Leg(payer, payee, currency, amount)], **extra)


def pvp(name, hkd_bank, thb_bank, hkd, thb, **extra):
    """``hkd_bank`` pays HKD, ``thb_bank`` pays THB."""
    legs = [Leg(hkd_bank, thb_bank, "HKD", hkd), Leg(thb_bank, hkd_bank, "THB", thb)]
    return Obligation(name, legs, **extra)


def day_of(*timed, **extra):
    """A day from (second, obligation) pairs."""
    return Day(Queue([one for _, one in timed]), np.array([second for second, _ in timed], dtype=np.int64), **extra)


# -- drawn at random --------------------------------------------------------------------------------------------------


def random_queue(seed, banks=12, count=400, scale=1, pvp=0.1):
    """Single transfers and PvPs between banks of unlike size, with a little liquidity each."""
    draw = np.random.default_rng(seed)
    weight = 1 / np.arange(1, banks + 1)
    obligations = []
    for number in range(count):
        payer, payee = (f"B{at}" for at in draw.choice(banks, 2, replace=False, p=weight / weight.sum()))
        code = ("HKD", "THB")[int(draw.integers(2))]
        amount = int(np.exp(draw.normal(6, 1.2))) * scale + scale
        legs = [Leg(payer, payee, code, amount)]
        if draw.random() < pvp:
            legs.append(Leg(payee, payer, "THB" if code == "HKD" else "HKD", amount + scale))
        obligations.append(Obligation(f"T{number}", legs, int(draw.integers(3))))
    balances = {f"B{at}": dict.fromkeys(("HKD", "THB"), int(draw.integers(2000)) * scale) for at in range(banks)}
    return Queue(obligations), balances


priorities = st.none() | st.integers(-1, 2)


@st.composite
def legs(draw, banks=BANKS):
    payer = draw(st.sampled_from(banks))
    payee = draw(st.sampled_from([bank for bank in banks if bank != payer]))
    own = draw(st.none() | priorities)
    return Leg(payer, payee, draw(st.sampled_from(CURRENCIES)), draw(st.integers(1, 9)), own)


@st.composite
def queues(draw, most=7):
    """Transfers, PvPs, two legs from one account, two that cancel out, any three; some urgent, some held."""
    banks = BANKS[: draw(st.integers(2, 4))]
    obligations = []
    for number in range(draw(st.integers(0, most))):
        kind = draw(st.sampled_from(["transfer", "transfer", "transfer", "pvp", "pvp", "twice", "any", "cancels"]))
        first = draw(legs(banks))
        group = [first]
        if kind == "pvp":
            other = CURRENCIES[1 - CURRENCIES.index(first.currency)]
            group.append(Leg(first.payee, first.payer, other, draw(st.integers(1, 9))))
        elif kind == "twice":
            payee = draw(st.sampled_from([bank for bank in banks if bank != first.payer]))
            group.append(Leg(first.payer, payee, first.currency, draw(st.integers(1, 4)), draw(priorities)))
        elif kind == "cancels":
            group.append(Leg(first.payee, first.payer, first.currency, first.amount))
        elif kind == "any":
            group.extend(draw(st.lists(legs(banks), min_size=1, max_size=2)))
        held = draw(st.integers(0, 7)) == 0
        obligations.append(Obligation(f"T{number}", group, draw(priorities), held))
    return Queue(obligations)


def tables(amounts):
    """Some accounts or, more often, all of them."""
    row = st.fixed_dictionaries(dict.fromkeys(CURRENCIES, amounts))
    every = st.fixed_dictionaries(dict.fromkeys(BANKS, row))
    return (
        every | every | st.dictionaries(st.sampled_from(BANKS), st.dictionaries(st.sampled_from(CURRENCIES), amounts))
    )


def sparse_tables(amounts):
    return st.dictionaries(st.sampled_from(BANKS), st.dictionaries(st.sampled_from(CURRENCIES), amounts), max_size=2)


balance_tables = tables(st.integers(-3, 12))
terms = st.fixed_dictionaries(
    {
        "floors": st.just({}) | tables(st.integers(-9, 0)) | sparse_tables(st.integers(0, 15)),
        "limits": st.builds(Limits)
        | st.builds(
            Limits,
            bilateral=st.dictionaries(st.sampled_from(BANKS), sparse_tables(st.integers(0, 6)), max_size=2),
            multilateral=sparse_tables(st.integers(0, 9)),
        ),
    }
)


# -- by brute force ---------------------------------------------------------------------------------------------------


def is_valid(queue, balances, chosen, given_terms, order=None):
    try:
        check_settlement(queue, balances, chosen, order=order, **given_terms)
    except InvalidSettlement:
        return False
    return True


def valid_sets(queue, balances, given_terms, order=None):
    """Every set that may settle, smallest first; with an order, each is a prefix of every account's queue."""
    names = [one.id for one in queue if not one.held]
    for size in range(len(names) + 1):
        for chosen in combinations(names, size):
            if is_valid(queue, balances, chosen, given_terms, order):
                yield set(chosen)


# -- the same in other words ------------------------------------------------------------------------------------------


def scaled(table, factor):
    return {key: scaled(value, factor) if isinstance(value, dict) else value * factor for key, value in table.items()}


def scaled_case(queue, balances, given_terms, factor):
    """Queue, balances and terms with every amount times ``factor``."""
    larger = Queue(replace(one, legs=[replace(leg, amount=leg.amount * factor) for leg in one.legs]) for one in queue)
    limits = given_terms["limits"]
    larger_limits = Limits(scaled(limits.bilateral, factor), scaled(limits.multilateral, factor))
    return larger, scaled(balances, factor), {"floors": scaled(given_terms["floors"], factor), "limits": larger_limits}


def renamed(table, names):
    """A table by bank; ``names`` are what :data:`BANKS` are called instead, in their order."""
    new = dict(zip(BANKS, names, strict=True))
    return {new[bank]: row for bank, row in table.items()}


def renamed_case(queue, balances, given_terms, names):
    """Queue, balances and terms with other names of banks."""
    new = dict(zip(BANKS, names, strict=True))
    other = Queue(
        replace(one, legs=[replace(leg, payer=new[leg.payer], payee=new[leg.payee]) for leg in one.legs])
        for one in queue
    )
    bilateral = {new[bank]: renamed(rows, names) for bank, rows in given_terms["limits"].bilateral.items()}
    limits = Limits(bilateral, renamed(given_terms["limits"].multilateral, names))
    return other, renamed(balances, names), {"floors": renamed(given_terms["floors"], names), "limits": limits}
