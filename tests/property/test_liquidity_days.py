"""What must hold of every settlement day: both engines agree, and an independent replay finds nothing wrong."""

from collections import defaultdict, deque
from dataclasses import replace
from functools import partial
from itertools import groupby
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from liquidity import Day, Delay, Hours, Leg, Limits, Obligation, Outage, Policy, Queue, metrics, resolve, simulate
from liquidity.simulation import compiled, engine
from liquidity.simulation.schedule import make_schedule
from tests.waiting import BANKS, CURRENCIES

NEVER = -1
END_S = 500

DAYS = settings(deadline=None, max_examples=150)


def everything_by_priority(queue, balances, *, floors, limits, rates, time_limit_s, seed):
    """A resolver of an analyst's own; it settles past what waits in order of entry."""
    return resolve(queue, balances, order="priority", floors=floors, limits=limits, rates=rates).settled


POLICIES = (
    Policy.rtgs(),
    Policy.queue(),
    Policy.queue("priority"),
    Policy.gridlock(every_s=20),
    Policy.gridlock("priority", every_s=20),
    Policy.gridlock(every_arrivals=3),
    Policy.gridlock("priority", every_value=15),
    Policy.gridlock(everything_by_priority, every_s=25),
    Policy.net(120, 300),
    Policy.net(150, 200, order="priority"),
    Policy.net(150, 200, order=everything_by_priority),
    replace(Policy.gridlock(every_s=50, every_arrivals=4), at_s=(300,)),
)
policies = st.sampled_from(POLICIES)


def an_obligation(random, number):
    payer, payee, third = random.sample(BANKS, 3)
    currency, other = random.sample(CURRENCIES, 2)

    def amount():
        return random.randint(1, 9)

    def urgency():
        return random.choice([None, None, 0, 1, 2])

    legs = [Leg(payer, payee, currency, amount(), urgency())]
    kind = random.choice(["transfer", "transfer", "transfer", "pvp", "pvp", "twice", "chain"])
    if kind == "pvp":
        legs.append(Leg(payee, payer, other, amount()))
    elif kind == "twice":
        legs.append(Leg(payer, third, currency, amount(), urgency()))
    elif kind == "chain":
        legs.append(Leg(payee, third, other, amount()))
    return Obligation(f"T{number}", legs, urgency(), held=random.random() < 0.05)


def a_day(seed, *, calm=False):
    """Up to forty obligations in five minutes; unless ``calm`` with hours, cut-offs and outages."""
    random = Random(seed)
    count = random.choice([0, 1, 3, 10, 40])
    arrival_s = sorted(random.randint(0, 300) for _ in range(count))
    rich = random.choice([0, 3, 12, 40])
    day = Day(
        Queue([an_obligation(random, number) for number in range(count)]),
        np.array(arrival_s, dtype=np.int64),
        {bank: {currency: random.randint(-3, rich) for currency in CURRENCIES} for bank in BANKS},
        {"HK1": {"HKD": -4}, "TH1": {"THB": 2}},
        hours=dict.fromkeys(CURRENCIES, Hours(0, END_S)),
    )
    if calm:
        return day
    starts = [random.randint(0, 250) for _ in range(random.randint(0, 3))]
    hours = {currency: Hours(random.randint(0, 120), random.randint(180, 400)) for currency in CURRENCIES}
    latest_s = np.array([random.randint(50, 600) for _ in range(count)], dtype=np.int64)
    return replace(
        day,
        outages=[Outage(random.choice([None, *BANKS]), start, start + random.randint(1, 120)) for start in starts],
        hours=random.choice([day.hours, hours, {"HKD": hours["HKD"], "THB": Hours(0, END_S)}]),
        latest_s=random.choice([None, latest_s]),
        limits=random.choice([Limits(), Limits(multilateral={"HK2": {"HKD": 6}})]),
    )


seeds = st.integers(0, 2**32)
days = seeds.map(a_day)
calm_days = seeds.map(partial(a_day, calm=True))


def waiting(policy, seed):
    """The policy among banks that wait, some of them for others' money."""
    random = Random(seed)
    banks = random.sample([None, *BANKS], random.randint(0, 3))
    shares = (100, 100, 50)
    return policy.waiting(
        *(
            Delay(bank, random.randint(0, 400), random.choice([None, 0, 20, 60, 120]), random.choice(shares))
            for bank in banks
        )
    )


delayed = st.builds(waiting, policies, seeds)


def replay(result):
    """Settle the batches again, one after the other, in plain integers; what every account closes at."""
    day = result.day
    balance = defaultdict(int)
    for bank, row in day.balances.items():
        for currency, amount in row.items():
            balance[bank, currency] = amount
    opening = dict(balance)
    sent = defaultdict(int)
    order = sorted(np.flatnonzero(result.batch != NEVER).tolist(), key=lambda number: result.batch[number])
    for _, numbers in groupby(order, key=lambda number: result.batch[number]):
        touched = set()
        for number in numbers:
            for leg in day.queue.obligations[number].legs:
                balance[leg.payer, leg.currency] -= leg.amount
                balance[leg.payee, leg.currency] += leg.amount
                sent[leg.payer, leg.payee, leg.currency] += leg.amount
                touched |= {(leg.payer, leg.currency), (leg.payee, leg.currency)}
        for account in touched:
            bank, currency = account
            start = opening.get(account, 0)
            assert balance[account] >= min(start, day.floors.get(bank, {}).get(currency, 0)), account
            most = day.limits.multilateral.get(bank, {}).get(currency)
            assert most is None or start - balance[account] <= most, account
        for payer, row in day.limits.bilateral.items():
            for payee, limits in row.items():
                for currency, most in limits.items():
                    assert sent[payer, payee, currency] - sent[payee, payer, currency] <= most
    return balance, opening


@DAYS
@given(days, delayed, st.integers(0, 3))
def test_the_compiled_engine_does_what_the_exact_one_does(day, policy, seed):
    schedule = make_schedule(day, policy, seed)
    exact = engine.settle_day(day, policy, schedule, seed)
    fast = compiled.settle_day(day, policy, schedule, seed)
    for field in ("entered_at_s", "settled_at_s", "batch", "run_at_s", "run_batch"):
        assert getattr(exact, field).tolist() == getattr(fast, field).tolist(), field


@DAYS
@given(days, delayed, st.integers(0, 3))
def test_no_account_ever_breaks_a_bound_and_money_is_conserved(day, policy, seed):
    balance, opening = replay(simulate(day, policy, seed=seed))
    for currency in CURRENCIES:
        assert sum(amount for (_, one), amount in balance.items() if one == currency) == sum(
            amount for (_, one), amount in opening.items() if one == currency
        )


@DAYS
@given(calm_days, policies)
def test_bilateral_limits_hold_at_every_moment(day, policy):
    limits = Limits(bilateral={"HK1": {"TH1": {"HKD": 3}, "HK2": {"THB": 0}}, "TH2": {"HK2": {"HKD": 5}}})
    limited = replace(day, limits=limits)
    assert replay(simulate(limited, policy)) is not None


@DAYS
@given(days, delayed, st.integers(0, 3))
def test_nothing_settles_outside_hours_cut_offs_and_outages(day, policy, seed):
    result = simulate(day, policy, seed=seed)
    for number, obligation in enumerate(day.queue):
        t, entered = int(result.settled_at_s[number]), int(result.entered_at_s[number])
        assert (t == NEVER) == (result.batch[number] == NEVER)
        if entered == NEVER:
            assert t == NEVER
            continue
        assert not obligation.held
        assert entered >= day.arrival_s[number]
        payers = {leg.payer for leg in obligation.legs}
        for outage in day.outages:
            # one of several payers may be down when it has submitted before and another still held back
            if outage.bank in payers and (len(payers) == 1 or not policy.delays):
                assert not outage.from_s <= entered < outage.until_s
        if t == NEVER:
            continue
        assert t >= entered
        for leg in obligation.legs:
            assert day.hours_of(leg.currency).open_s <= t <= day.hours_of(leg.currency).close_s
        assert day.latest_s is None or t <= day.latest_s[number]
    down = [outage for outage in day.outages if outage.bank is None]
    for t in result.run_at_s.tolist():
        assert not any(outage.from_s <= t < outage.until_s for outage in down)
    in_order = result.settled_at_s[np.argsort(result.batch, kind="stable")]
    assert np.all(np.diff(in_order[in_order != NEVER]) >= 0)


@DAYS
@given(days, delayed, st.integers(0, 3))
def test_the_same_seed_gives_the_same_day(day, policy, seed):
    one, other = (simulate(day, policy, seed=seed) for _ in range(2))
    assert one.settled_at_s.tolist() == other.settled_at_s.tolist()
    assert one.batch.tolist() == other.batch.tolist()


@DAYS
@given(days, policies, st.permutations(BANKS))
def test_permuting_the_banks_names_changes_nothing(day, policy, names):
    renamed = dict(zip(BANKS, names, strict=True))
    queue = Queue(
        [
            replace(one, legs=[replace(leg, payer=renamed[leg.payer], payee=renamed[leg.payee]) for leg in one.legs])
            for one in day.queue
        ]
    )
    other = replace(
        day,
        queue=queue,
        balances={renamed[bank]: row for bank, row in day.balances.items()},
        floors={renamed[bank]: row for bank, row in day.floors.items()},
        limits=Limits(multilateral={renamed[bank]: row for bank, row in day.limits.multilateral.items()}),
        outages=[replace(one, bank=renamed.get(one.bank)) for one in day.outages],
    )
    assert simulate(day, policy).settled_at_s.tolist() == simulate(other, policy).settled_at_s.tolist()


class LastFirst(deque):
    """A line in which the last to come is the first to be looked at."""

    popleft = deque.pop


@DAYS
@given(days, policies)
def test_the_order_in_which_accounts_are_looked_at_doesnt_matter(day, policy):
    schedule = make_schedule(day, policy, 0)
    as_it_is = engine.settle_day(day, policy, schedule, 0).settled_at_s

    class Reversed(engine.Engine):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.richer = LastFirst()

    original, engine.Engine = engine.Engine, Reversed
    try:
        assert engine.settle_day(day, policy, schedule, 0).settled_at_s.tolist() == as_it_is.tolist()
    finally:
        engine.Engine = original


@DAYS
@given(calm_days, st.sampled_from([{"every_s": 20}, {"every_arrivals": 2}, {"every_value": 10}]))
def test_with_gridlock_resolution_everything_settles_no_later_than_with_queues_alone(day, when):
    alone = simulate(day, Policy.queue()).settled_at_s
    helped = simulate(day, Policy.gridlock(**when)).settled_at_s
    settled = alone != NEVER
    assert np.all(helped[settled] != NEVER)
    assert np.all(helped[settled] <= alone[settled])


@DAYS
@given(calm_days)
def test_with_the_lower_bound_of_liquidity_a_net_settlement_settles_everything(day):
    funded = metrics.with_liquidity(day, 0)
    held = np.array([one.held for one in day.queue], dtype=bool)
    assert np.all((simulate(funded, Policy.net(END_S)).settled_at_s == END_S) == ~held)


@DAYS
@given(calm_days)
def test_with_the_upper_bound_of_liquidity_nothing_waits(day):
    funded = metrics.with_liquidity(day, 1)
    result = simulate(funded, Policy.rtgs())
    held = np.array([one.held for one in day.queue], dtype=bool)
    assert np.all(np.where(held, NEVER, day.arrival_s) == result.settled_at_s)
    assert metrics.delays(result)["delay_indicator"].tolist() == [0.0] * len(metrics.delays(result))


@DAYS
@given(days, delayed)
def test_no_pvp_leaves_principal_at_risk(day, policy):
    at_risk = metrics.principal_at_risk(simulate(day, policy))
    assert at_risk[["at_risk_minor_s", "unreciprocated_minor"]].to_numpy().sum() == 0
