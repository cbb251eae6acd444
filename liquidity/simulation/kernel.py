"""The day of :mod:`liquidity.simulation.engine`, compiled: the same events in the same order, at memory speed.

Each account's queue is a piece of one array, filled from the front as obligations enter and emptied from the front as
they settle; what leaves from the middle leaves a gap that is stepped over. Everything about an account fits one cache
line. What is queued is added up per account as it comes and goes, so a run starts from sums and costs no more than
what it drops and what it settles: it never reads the queues whole.

All sums must fit 64 bits: the caller makes sure (:mod:`liquidity.simulation.compiled`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from liquidity.simulation.engine import NEVER
from liquidity.simulation.schedule import PHASES, Event, Phase

if TYPE_CHECKING:
    from collections.abc import Callable

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Bools = NDArray[np.bool_]
Records = NDArray[np.void]
_F = TypeVar("_F", bound="Callable[..., Any]")

NOTHING = np.int32(-1)
"""No slot, no leg."""

LEG = np.dtype(
    [("amount", np.int64), ("payer", np.int32), ("payee", np.int32), ("obligation", np.int32), ("slot", np.int32)],
    align=True,
)
"""A leg, with the accounts it moves money between and the slot in which it is queued."""

ACCOUNT = np.dtype(
    [
        ("balance", np.int64),
        ("lowest", np.int64),
        ("queued_out", np.int64),
        ("queued_in", np.int64),
        ("received", np.int64),
        ("enough", np.int64),
        ("head", np.int32),
        ("tail", np.int32),
        ("first_waiting", np.int32),
        ("last_waiting", np.int32),
        ("to_look_at", np.bool_),
        ("pays_out", np.bool_),
    ],
    align=True,
)
"""An account: money, what is queued to leave and to come, its queue's slots from ``head`` to before ``tail``, and the
legs that it holds back until it has received ``enough`` (negative: never enough) or ``pays_out``."""

SLOT = np.dtype([("amount", np.int64), ("payee", np.int32), ("leg", np.int32), ("next_leg", np.int32)], align=True)
"""A place in an account's queue: what dropping its leg needs, side by side. ``next_leg`` is the obligation's next,
after the last the first again; ``NOTHING`` if it is the only one. A gap has no leg."""

OUTCOME = np.dtype(
    [("entered", np.int64), ("entered_at", np.int64), ("settled_at", np.int64), ("batch", np.int64)], align=True
)
"""What becomes of an obligation; ``entered`` numbers them in order of entry."""

ENTRY, RUN, EXPIRY = int(Phase.ENTRY), int(Phase.RUN), int(Phase.EXPIRY)
OPERATOR_DOWN, OPERATOR_BACK = int(Event.OPERATOR_DOWN), int(Event.OPERATOR_BACK)
BANK_DOWN, BANK_BACK, GIVES_UP = int(Event.BANK_DOWN), int(Event.BANK_BACK), int(Event.BANK_GIVES_UP_WAITING)

FAR = np.int64(2**62)
"""A moment after every other."""

DONE, ASK = 0, 1
"""Why :func:`advance` returns: the day is over, or a run is due whose resolver lives outside."""


class Rules(NamedTuple):
    """The policy, for the kernel; 0 where there is no such rule."""

    gross: bool
    queued: bool
    asks: bool
    every_arrivals: int
    every_value: int
    waits: bool
    currencies: int


class Plan(NamedTuple):
    """What is known before the day: see :class:`liquidity.simulation.schedule.Schedule`."""

    leg_start: Int32s
    rank: Int64s
    worth: Int64s
    entry: Int64s
    entry_s: Int64s
    last_s: Int64s
    expiries: Int64s
    event_at: Int64s
    event: Int64s
    event_bank: Int64s
    waits: Bools


class State(NamedTuple):
    """What changes during the day; all arrays, changed in place."""

    legs: Records
    accounts: Records
    slots: Records
    outcome: Records
    ring: Int32s
    at: Records
    entering: Int64s
    scratch: Int64s
    held_back_by: Int32s
    next_waiting: Int32s
    down: Bools
    run_at: Int64s
    run_batch: Int64s


CURSOR = np.dtype(
    [
        (name, np.int64)
        for name in (
            "entry",
            "event",
            "expiry",
            "batches",
            "entered",
            "since_run",
            "joined",
            "runs",
            "ring_head",
            "ring_tail",
            "entering_head",
            "entering_tail",
            "operator_down",
            "missed_run",
            "now_s",
        )
    ]
)
"""How far the day has come."""


def _compiled(function: _F) -> _F:
    """``function`` as machine code; kept on disk where that is possible, so that a second start is quick."""
    try:
        return cast(_F, njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba finds no folder that it may write to
        return cast(_F, njit(nogil=True)(function))


@_compiled
def lay_out(
    leg_start: Int32s, payer: Int32s, payee: Int32s, currency: Int32s, amount: Int64s, width: int, accounts: Records
) -> Records:
    """The legs as records; each account's ``head`` and ``tail`` at the start of its piece of the slots."""
    legs = np.empty(len(amount), dtype=LEG)
    count = np.zeros(len(accounts) + 1, dtype=np.int32)
    for obligation in range(len(leg_start) - 1):
        for leg in range(leg_start[obligation], leg_start[obligation + 1]):
            legs[leg].amount = amount[leg]
            legs[leg].payer = payer[leg] * width + currency[leg]
            legs[leg].payee = payee[leg] * width + currency[leg]
            legs[leg].obligation = obligation
            legs[leg].slot = NOTHING
            count[legs[leg].payer + 1] += 1
    start = np.cumsum(count)
    for account in range(len(accounts)):
        accounts[account].head = accounts[account].tail = start[account]
    return legs


# --- one obligation, one queue --------------------------------------------------------------------------------------


@_compiled
def _moved_if_affordable(legs: Records, accounts: Records, first: int, stop: int) -> bool:
    for leg in range(first, stop):
        accounts[legs[leg].payer].balance -= legs[leg].amount
        accounts[legs[leg].payee].balance += legs[leg].amount
    affordable = True
    for leg in range(first, stop):
        payer = legs[leg].payer
        if accounts[payer].balance < accounts[payer].lowest:
            affordable = False
    if not affordable:
        for leg in range(first, stop):
            accounts[legs[leg].payer].balance += legs[leg].amount
            accounts[legs[leg].payee].balance -= legs[leg].amount
    return affordable


@_compiled
def _would_be_first(legs: Records, accounts: Records, slots: Records, rank: Int64s, first: int, stop: int) -> bool:
    """Whether none waits before it in the queues of its payers."""
    for leg in range(first, stop):
        payer = legs[leg].payer
        head = accounts[payer].head
        if head < accounts[payer].tail and (len(rank) == 0 or rank[leg] >= rank[slots[head].leg]):
            return False
    return True


@_compiled
def _join(legs: Records, accounts: Records, slots: Records, rank: Int64s, first: int, stop: int) -> None:
    """Queue an obligation's legs, each behind those of no higher rank."""
    for leg in range(first, stop):
        payer, payee, amount = legs[leg].payer, legs[leg].payee, legs[leg].amount
        slot = accounts[payer].tail
        accounts[payer].tail = slot + 1
        accounts[payer].queued_out += amount
        accounts[payee].queued_in += amount
        if len(rank) > 0:
            while slot > accounts[payer].head:
                before = slots[slot - 1].leg
                if before != NOTHING and rank[before] <= rank[leg]:
                    break
                slots[slot] = slots[slot - 1]
                if before != NOTHING:
                    legs[before].slot = slot
                slot -= 1
        slots[slot].amount = amount
        slots[slot].payee = payee
        slots[slot].leg = leg
        slots[slot].next_leg = NOTHING
        if stop > first + 1:
            slots[slot].next_leg = leg + 1 if leg + 1 < stop else first
        legs[leg].slot = slot


@_compiled
def _leave(legs: Records, accounts: Records, slots: Records, first: int, stop: int) -> None:
    """Take an obligation's legs out of the queues, from the head or from the middle."""
    for leg in range(first, stop):
        payer, payee, amount, slot = legs[leg].payer, legs[leg].payee, legs[leg].amount, legs[leg].slot
        accounts[payer].queued_out -= amount
        accounts[payee].queued_in -= amount
        legs[leg].slot = NOTHING
        slots[slot].leg = NOTHING
        head, tail = accounts[payer].head, accounts[payer].tail
        while head < tail and slots[head].leg == NOTHING:
            head += 1
        accounts[payer].head = head


@_compiled
def _look_again(accounts: Records, ring: Int32s, at: Records, account: int) -> None:
    """Remember an account whose queue's head may be released; each stands in the ring at most once."""
    if accounts[account].head < accounts[account].tail and not accounts[account].to_look_at:
        accounts[account].to_look_at = True
        tail = at[0].ring_tail
        ring[tail] = account
        at[0].ring_tail = tail + 1 if tail + 1 < len(ring) else 0


# --- who waits for what ---------------------------------------------------------------------------------------------


@_compiled
def _pay_out(state: State, account: int) -> None:
    """The account holds nothing back any more: what waited for it alone is entering."""
    at = state.at
    state.accounts[account].pays_out = True
    leg = state.accounts[account].first_waiting
    while leg != NOTHING:
        obligation = state.legs[leg].obligation
        state.held_back_by[obligation] -= 1
        if state.held_back_by[obligation] == 0:
            state.entering[at[0].entering_tail] = obligation
            at[0].entering_tail += 1
        leg = state.next_waiting[leg]
    state.accounts[account].first_waiting = NOTHING


@_compiled
def _has_enough(account: Any) -> bool:
    return bool(account.enough >= 0 and account.received >= account.enough)


@_compiled
def _receive(rules: Rules, state: State, first: int, stop: int) -> None:
    """What was paid to banks that wait for it."""
    for leg in range(first, stop):
        payee = state.legs[leg].payee
        account = state.accounts[payee]
        account.received += state.legs[leg].amount
        if not account.pays_out and not state.down[payee // rules.currencies] and _has_enough(account):
            _pay_out(state, payee)


@_compiled
def _is_held_back(plan: Plan, state: State, obligation: int) -> bool:
    """Whether a payer holds it back; then it stands in the list of each that does."""
    legs, accounts = state.legs, state.accounts
    first, stop = plan.leg_start[obligation], plan.leg_start[obligation + 1]
    for leg in range(first, stop):
        payer = legs[leg].payer
        account = accounts[payer]
        if not plan.waits[leg] or account.pays_out or _has_enough(account):
            continue
        listed = False
        for earlier in range(first, leg):
            listed = listed or (plan.waits[earlier] and legs[earlier].payer == payer)
        if listed:
            continue
        state.held_back_by[obligation] += 1
        state.next_waiting[leg] = NOTHING
        if account.first_waiting == NOTHING:
            account.first_waiting = leg
        else:
            state.next_waiting[account.last_waiting] = leg
        account.last_waiting = leg
    return bool(state.held_back_by[obligation] > 0)


# --- one by one -----------------------------------------------------------------------------------------------------


@_compiled
def _settled(rules: Rules, plan: Plan, state: State, obligation: int, t: int) -> None:
    """Its money has moved: write it down, and look again at whoever received."""
    first, stop = plan.leg_start[obligation], plan.leg_start[obligation + 1]
    state.outcome[obligation].settled_at = t
    state.outcome[obligation].batch = state.at[0].batches
    if rules.gross:
        for leg in range(first, stop):
            _look_again(state.accounts, state.ring, state.at, state.legs[leg].payee)
            _look_again(state.accounts, state.ring, state.at, state.legs[leg].payer)
    if rules.waits:
        _receive(rules, state, first, stop)


@_compiled
def _enter(rules: Rules, plan: Plan, state: State, obligation: int, t: int) -> None:
    """It settles at once, or joins the queues, or is rejected."""
    at, legs, accounts = state.at, state.legs, state.accounts
    if plan.last_s[obligation] < t:
        return
    first, stop = plan.leg_start[obligation], plan.leg_start[obligation + 1]
    state.outcome[obligation].entered_at = t
    state.outcome[obligation].entered = at[0].entered
    at[0].since_run += 1
    at[0].entered += 1
    if (
        rules.gross
        and _would_be_first(legs, accounts, state.slots, plan.rank, first, stop)
        and _moved_if_affordable(legs, accounts, first, stop)
    ):
        _settled(rules, plan, state, obligation, t)
        at[0].batches += 1
    elif rules.queued:
        _join(legs, accounts, state.slots, plan.rank, first, stop)
        if rules.every_value > 0:
            for leg in range(first, stop):
                at[0].joined += legs[leg].amount * plan.worth[legs[leg].payer % rules.currencies]


@_compiled
def _release(rules: Rules, plan: Plan, state: State, account: int, t: int) -> None:
    """Settle from the head of an account's queue while that can be."""
    at, legs, accounts, slots = state.at, state.legs, state.accounts, state.slots
    while accounts[account].head < accounts[account].tail:
        obligation = legs[slots[accounts[account].head].leg].obligation
        first, stop = plan.leg_start[obligation], plan.leg_start[obligation + 1]
        for leg in range(first, stop):
            payer = legs[leg].payer
            if legs[slots[accounts[payer].head].leg].obligation != obligation:
                return
        if not _moved_if_affordable(legs, accounts, first, stop):
            return
        _leave(legs, accounts, slots, first, stop)
        _settled(rules, plan, state, obligation, t)
        at[0].batches += 1


@_compiled
def drain(rules: Rules, plan: Plan, state: State, t: int) -> None:
    """Until nothing more enters and no head can be released; each turn settles, enters or clears one."""
    at = state.at
    while at[0].ring_head != at[0].ring_tail or at[0].entering_head != at[0].entering_tail:
        if at[0].ring_head == at[0].ring_tail:
            obligation = state.entering[at[0].entering_head]
            at[0].entering_head += 1
            _enter(rules, plan, state, obligation, t)
            continue
        account = state.ring[at[0].ring_head]
        at[0].ring_head = at[0].ring_head + 1 if at[0].ring_head + 1 < len(state.ring) else 0
        state.accounts[account].to_look_at = False
        _release(rules, plan, state, account, t)


# --- in runs --------------------------------------------------------------------------------------------------------


@_compiled
def _keep_lengths(state: State) -> Int32s:
    """The unique maximum of what is queued: per account, the slot before which everything settles.

    The elimination of :mod:`liquidity.elimination_kernel`, on queues that stand already.
    """
    accounts, slots, legs = state.accounts, state.slots, state.legs
    count = len(accounts)
    room = np.empty(count, dtype=np.int64)
    end = np.empty(count, dtype=np.int32)
    ring = np.empty(count + 1, dtype=np.int32)
    listed = np.zeros(count, dtype=np.bool_)
    head, tail = 0, 0
    for account in range(count):
        one = accounts[account]
        end[account] = one.tail
        room[account] = one.balance - one.lowest - one.queued_out + one.queued_in
        if room[account] < 0:
            listed[account] = True
            ring[tail] = account
            tail += 1
    cut = end.copy()
    while head != tail:  # every turn takes an account off; one comes back only when a leg was undone
        account = ring[head]
        head = head + 1 if head < count else 0
        listed[account] = False
        first, left, mine = accounts[account].head, end[account], room[account]
        while left > first and (mine < 0 or left > cut[account]):
            left -= 1
            last = slots[left]
            if last.leg == NOTHING:
                continue
            mine += last.amount
            payee = last.payee
            room[payee] -= last.amount
            if room[payee] < 0 and not listed[payee]:
                listed[payee] = True
                ring[tail] = payee
                tail = tail + 1 if tail < count else 0
            if last.next_leg != NOTHING:
                other, place = legs[last.next_leg].payer, legs[last.next_leg].slot
                if place < cut[other]:
                    cut[other] = place
                    if not listed[other] and other != account:
                        listed[other] = True
                        ring[tail] = other
                        tail = tail + 1 if tail < count else 0
        end[account], room[account] = left, mine
    return end


@_compiled
def settle_together(rules: Rules, plan: Plan, state: State, obligations: Int64s, t: int) -> None:
    """Settle queued obligations, in order of entry, as one batch."""
    at, legs, accounts = state.at, state.legs, state.accounts
    for obligation in obligations:
        first, stop = plan.leg_start[obligation], plan.leg_start[obligation + 1]
        _leave(legs, accounts, state.slots, first, stop)
        for leg in range(first, stop):
            accounts[legs[leg].payer].balance -= legs[leg].amount
            accounts[legs[leg].payee].balance += legs[leg].amount
    for obligation in obligations:
        _settled(rules, plan, state, obligation, t)
    state.run_at[at[0].runs] = t
    state.run_batch[at[0].runs] = at[0].batches if len(obligations) > 0 else NEVER
    at[0].runs += 1
    at[0].since_run = at[0].joined = 0
    if len(obligations) > 0:
        at[0].batches += 1
    drain(rules, plan, state, t)


@_compiled
def in_order_of_entry(state: State, obligations: Int64s) -> Int64s:
    """The same, sorted."""
    entered = np.empty(len(obligations), dtype=np.int64)
    for number, obligation in enumerate(obligations):
        entered[number] = state.outcome[obligation].entered
    return obligations[np.argsort(entered)]


@_compiled
def queued(plan: Plan, state: State) -> Int64s:
    """What is queued, in order of entry: the resolver outside wants to know."""
    count = 0
    for obligation in plan.entry[: state.at[0].entry]:
        if state.legs[plan.leg_start[obligation]].slot != NOTHING:
            state.scratch[count] = obligation
            count += 1
    return in_order_of_entry(state, state.scratch[:count])


@_compiled
def _run_in_order(rules: Rules, plan: Plan, state: State, t: int) -> None:
    """Settle the unique maximum of what is queued."""
    end = _keep_lengths(state)
    count = 0
    batch = state.at[0].batches
    for account in range(len(end)):
        for slot in range(state.accounts[account].head, end[account]):
            leg = state.slots[slot].leg
            if leg != NOTHING:
                obligation = state.legs[leg].obligation
                if state.outcome[obligation].batch != batch:
                    state.outcome[obligation].batch = batch
                    state.scratch[count] = obligation
                    count += 1
    settling = state.scratch[:count].copy()
    if rules.waits:  # whoever is paid first pays out first
        settling = in_order_of_entry(state, settling)
    settle_together(rules, plan, state, settling, t)


# --- the day --------------------------------------------------------------------------------------------------------


@_compiled
def _expire(rules: Rules, plan: Plan, state: State, t: int) -> None:
    """What is still queued after its last second leaves; who stood behind it may be released."""
    at = state.at
    while at[0].expiry < len(plan.expiries) and plan.last_s[plan.expiries[at[0].expiry]] == t:
        obligation = plan.expiries[at[0].expiry]
        at[0].expiry += 1
        first, stop = plan.leg_start[obligation], plan.leg_start[obligation + 1]
        if state.legs[first].slot == NOTHING:
            continue
        _leave(state.legs, state.accounts, state.slots, first, stop)
        if rules.gross:
            for leg in range(first, stop):
                _look_again(state.accounts, state.ring, at, state.legs[leg].payer)
    drain(rules, plan, state, t)


@_compiled
def _happens(rules: Rules, plan: Plan, state: State, t: int) -> bool:
    """The next event known before the day; whether a run is due now."""
    at = state.at
    event, bank = plan.event[at[0].event], plan.event_bank[at[0].event]
    at[0].event += 1
    if event == OPERATOR_DOWN:
        at[0].operator_down = 1
        return False
    if event == OPERATOR_BACK:
        at[0].operator_down = 0
        due = bool(at[0].missed_run == 1)
        at[0].missed_run = 0
        return due
    if event == BANK_DOWN:
        state.down[bank] = True
        return False
    if event in (BANK_BACK, GIVES_UP):
        state.down[bank] = False
        if rules.waits:
            for account in range(bank * rules.currencies, (bank + 1) * rules.currencies):
                one = state.accounts[account]
                if not one.pays_out and (event == GIVES_UP or _has_enough(one)):
                    _pay_out(state, account)
            drain(rules, plan, state, t)
        return False
    if at[0].operator_down == 1:
        at[0].missed_run = 1
        return False
    return True


@_compiled
def _enters(rules: Rules, plan: Plan, state: State, t: int) -> bool:
    """The next obligation, and all that follows from it; whether a run is due now."""
    at = state.at
    obligation = plan.entry[at[0].entry]
    at[0].entry += 1
    if rules.waits and _is_held_back(plan, state, obligation):
        return False
    _enter(rules, plan, state, obligation, t)
    drain(rules, plan, state, t)
    due = rules.every_arrivals > 0 and at[0].since_run >= rules.every_arrivals
    due = due or (rules.every_value > 0 and at[0].joined >= rules.every_value)
    return due and at[0].operator_down == 0


@_compiled
def advance(rules: Rules, plan: Plan, state: State) -> int:
    """Play the day on, until it is over (``DONE``) or a run is due that the caller must resolve (``ASK``)."""
    at = state.at
    while True:  # each turn takes an entry, an event or a second's expiries, all of them listed in the plan
        entry = event = expiry = FAR
        if at[0].entry < len(plan.entry):
            entry = plan.entry_s[at[0].entry] * PHASES + ENTRY
        if at[0].event < len(plan.event_at):
            event = plan.event_at[at[0].event]
        if at[0].expiry < len(plan.expiries):
            expiry = plan.last_s[plan.expiries[at[0].expiry]] * PHASES + EXPIRY
        moment = min(entry, event, expiry)
        if moment == FAR:
            return DONE
        t = int(moment // PHASES)
        due = False
        if moment == entry:
            due = _enters(rules, plan, state, t)
        elif moment == event:
            due = _happens(rules, plan, state, t)
        else:
            _expire(rules, plan, state, t)
        if due:
            if rules.asks:
                at[0].now_s = t
                return ASK
            _run_in_order(rules, plan, state, t)
