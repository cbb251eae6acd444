"""What is called affordable can be paid in that order by anyone who replays it, and nothing more could be."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from corridor.planning import affordable, plan
from liquidity import Leg, Obligation, Queue, check_settlement, resolve

BANKS = ["HK1", "HK2", "TH1", "TH2"]
CURRENCIES = ["HKD", "THB"]


@st.composite
def legs(draw):
    payer, payee = draw(st.permutations(BANKS))[:2]
    priority = draw(st.sampled_from([None, None, 1, 2]))
    return Leg(payer, payee, draw(st.sampled_from(CURRENCIES)), draw(st.integers(1, 30)), priority=priority)


@st.composite
def queues(draw):
    size = draw(st.integers(0, 9))
    return [
        Obligation(
            f"T{number}",
            draw(st.lists(legs(), min_size=1, max_size=3)),
            priority=draw(st.sampled_from([None, 1, 2])),
            held=draw(st.integers(0, 9)) == 0,
        )
        for number in range(size)
    ]


balances = st.fixed_dictionaries(
    {bank: st.fixed_dictionaries({currency: st.integers(0, 40) for currency in CURRENCIES}) for bank in BANKS}
)


def account_queues(obligations):
    """Each account's obligations in the order it must pay them, written the plain way."""
    order = {}
    for arrival, one in enumerate(obligations):
        for leg in one.legs if not one.held else ():
            own = leg.priority if leg.priority is not None else one.priority
            rank = (99 if own is None else own, arrival, one.id)
            places = order.setdefault((leg.payer, leg.currency), {})
            places[one.id] = min(rank, places.get(one.id, rank))
    return {account: [rank[2] for rank in sorted(places.values())] for account, places in order.items()}


def needs(one):
    needed = {}
    for leg in one.legs:
        needed[leg.payer, leg.currency] = needed.get((leg.payer, leg.currency), 0) + leg.amount
    return needed


def pay(one, left, queue):
    """Pay an obligation that stands first everywhere and is covered; say whether it was."""
    needed = needs(one)
    covered = all(left.get(account, 0) >= amount for account, amount in needed.items())
    if not covered or not all(queue[account] and queue[account][0] == one.id for account in needed):
        return False
    for account, amount in needed.items():
        left[account] -= amount
        queue[account].pop(0)
    for leg in one.legs:
        left[leg.payee, leg.currency] = left.get((leg.payee, leg.currency), 0) + leg.amount
    return True


def flat(table):
    return {(bank, currency): amount for bank, own in table.items() for currency, amount in own.items()}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(queues(), balances)
def test_the_affordable_ones_settle_one_after_the_other_with_nobody_below_zero_or_overtaken(obligations, table):
    by_id = {one.id: one for one in obligations}
    left, queue = flat(table), account_queues(obligations)
    settled = affordable(obligations, table)
    assert len(set(settled)) == len(settled)
    for identifier in settled:
        assert not by_id[identifier].held
        assert pay(by_id[identifier], left, queue)
    assert min(left.values()) >= 0
    assert sum(left.values()) == sum(flat(table).values())


@settings(max_examples=300, deadline=None, derandomize=True)
@given(queues(), balances)
def test_nothing_more_was_affordable(obligations, table):
    """The plainest search there is ends with the same set: the order in which one looks does not matter."""
    left, queue = flat(table), account_queues(obligations)
    waiting = [one for one in reversed(obligations) if not one.held]
    while paid := next((one for one in waiting if pay(one, left, queue)), None):
        waiting.remove(paid)
    settled = {one.id for one in obligations if not one.held} - {one.id for one in waiting}
    assert set(affordable(obligations, table)) == settled


@settings(max_examples=200, deadline=None, derandomize=True)
@given(queues(), balances)
def test_what_is_affordable_one_by_one_is_in_the_largest_set_that_settles_together(obligations, table):
    together = resolve(Queue(obligations), table, order="priority").settled
    assert set(affordable(obligations, table)) <= set(together)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(queues(), balances, st.integers(0, 6))
@example([], {bank: {} for bank in BANKS}, 0)
def test_a_plan_settles_without_overdraft_and_gross_only_up_to_the_limit(obligations, table, limit):
    queue = Queue(obligations)
    decided = plan(queue, table, gross_limit=limit)
    check_settlement(queue, table, sorted(decided.obligation_ids, key=list(queue.ids).index), order="priority")
    at_once = affordable(obligations, table)
    assert (decided.kind == "gross") == (0 < len(at_once) <= limit)
    if decided.kind == "gross":
        assert decided.obligation_ids == at_once
