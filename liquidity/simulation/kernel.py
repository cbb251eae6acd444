"""The day of :mod:`liquidity.simulation.engine`, compiled: the same events in the same order, at memory speed.

Each account's queue is a piece of one array, filled from the front as obligations enter and emptied from the front as
they settle; what leaves from the middle leaves a gap that is stepped over. What is queued is added up per account as
it comes and goes, so a run starts from sums and costs no more than what it drops and what it settles.

All sums must fit 64 bits: the caller makes sure (:mod:`liquidity.simulation.compiled`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from liquidity.arrays import Int64s, Records
from liquidity.compiling import compiled, inner, uncounted
from liquidity.simulation.engine import NEVER
from liquidity.simulation.offsetting import keep_lengths
from liquidity.simulation.records import NOTHING, Plan, State
from liquidity.simulation.schedule import PHASES, Event, Phase

ENTRY, EXPIRY = int(Phase.ENTRY), int(Phase.EXPIRY)
OPERATOR_DOWN, OPERATOR_BACK = int(Event.OPERATOR_DOWN), int(Event.OPERATOR_BACK)
BANK_DOWN, BANK_BACK, GIVES_UP = int(Event.BANK_DOWN), int(Event.BANK_BACK), int(Event.BANK_GIVES_UP_WAITING)

FAR = np.int64(2**62)
"""A moment after every other."""

DONE, RUN_DUE = 0, 1
"""Why :func:`advance` returns: the day is over, or the caller must do a run."""


# --- one obligation, one queue --------------------------------------------------------------------------------------


@inner
def _moved_if_affordable(legs: Records, accounts: Records, first: int, stop: int) -> bool:
    if stop == first + 1:
        leg = legs[first]
        payer = accounts[leg.payer]
        if payer.balance - leg.amount < payer.lowest:
            return False
        payer.balance -= leg.amount
        accounts[leg.payee].balance += leg.amount
        return True
    for at in range(first, stop):
        accounts[legs[at].payer].balance -= legs[at].amount
        accounts[legs[at].payee].balance += legs[at].amount
    affordable = True
    for at in range(first, stop):
        payer = accounts[legs[at].payer]
        affordable = affordable and payer.balance >= payer.lowest
    if not affordable:
        for at in range(first, stop):
            accounts[legs[at].payer].balance += legs[at].amount
            accounts[legs[at].payee].balance -= legs[at].amount
    return affordable


@inner
def _would_be_first(state: State, first: int, stop: int) -> bool:
    """Whether none waits before it in the queues of its payers."""
    for at in range(first, stop):
        payer = state.accounts[state.legs[at].payer]
        if payer.head < payer.tail and (
            state.at[0].ranked == 0 or state.legs[at].rank >= state.legs[state.slots[payer.head].leg].rank
        ):
            return False
    return True


@inner
def _link(state: State, leg: int) -> None:
    """Tell the slot of the leg before ``leg`` in its obligation's circle where ``leg`` is queued."""
    one = state.obligations[state.legs[leg].obligation]
    before = state.legs[leg - 1 if leg > one.first else one.stop - 1].slot
    if before != NOTHING and one.stop > one.first + 1:
        state.slots[before].next_account = state.legs[leg].payer
        state.slots[before].next_slot = state.legs[leg].slot


@inner
def _make_way(state: State, account: int, rank: int) -> int:
    """Move back what stands behind ``rank`` in an account's queue, whose last slot is free; the slot that is then."""
    legs, slots = state.legs, state.slots
    slot = state.accounts[account].tail - 1
    while slot > state.accounts[account].head:
        before = slots[slot - 1].leg
        if before != NOTHING and legs[before].rank <= rank:
            break
        slots[slot] = slots[slot - 1]
        if before != NOTHING:
            legs[before].slot = slot
            _link(state, before)
        slot -= 1
    return int(slot)


@inner
def _join(state: State, first: int, stop: int) -> None:
    """Queue an obligation's legs, each behind those of no higher rank."""
    legs, slots = state.legs, state.slots
    for at in range(first, stop):
        leg = legs[at]
        payer = state.accounts[leg.payer]
        slot = payer.tail
        payer.tail = slot + 1
        payer.queued_out += leg.amount
        state.accounts[leg.payee].queued_in += leg.amount
        if state.at[0].ranked != 0:
            slot = _make_way(state, leg.payer, leg.rank)
        slots[slot].amount = leg.amount
        slots[slot].payee = leg.payee
        slots[slot].leg = at
        slots[slot].next_account = NOTHING
        leg.slot = slot
    if stop > first + 1:
        for at in range(first, stop):
            _link(state, at)
    state.at[0].changed = 1


@inner
def _leave(state: State, first: int, stop: int) -> None:
    """Take an obligation's legs out of the queues, from the head or from the middle."""
    for at in range(first, stop):
        leg = state.legs[at]
        payer = state.accounts[leg.payer]
        payer.queued_out -= leg.amount
        state.accounts[leg.payee].queued_in -= leg.amount
        gap = state.slots[leg.slot]
        gap.leg = gap.next_account = NOTHING
        gap.amount = 0
        leg.slot = NOTHING
        head, tail = payer.head, payer.tail
        while head < tail and state.slots[head].leg == NOTHING:
            head += 1
        payer.head = head
    state.at[0].changed = 1


@inner
def _look_again(state: State, account: int) -> None:
    """Remember an account whose queue's head may be released; each stands in line at most once."""
    one = state.accounts[account]
    if one.head < one.tail and not one.to_look_at:
        one.to_look_at = True
        one.next_to_look_at = NOTHING
        if state.at[0].first_to_look_at == NOTHING:
            state.at[0].first_to_look_at = account
        else:
            state.accounts[state.at[0].last_to_look_at].next_to_look_at = account
        state.at[0].last_to_look_at = account


# --- who waits for what ---------------------------------------------------------------------------------------------


@inner
def _pay_out(state: State, account: int) -> None:
    """The account holds nothing back any more: what waited for it alone is entering."""
    one, cursor = state.accounts[account], state.at[0]
    one.pays_out = True
    at = one.first_waiting
    while at != NOTHING:
        number = state.legs[at].obligation
        state.obligations[number].held_back_by -= 1
        if state.obligations[number].held_back_by == 0:
            if cursor.first_entering == NOTHING:
                cursor.first_entering = number
            else:
                state.obligations[cursor.last_entering].next_entering = number
            cursor.last_entering = number
        at = state.legs[at].next_waiting
    one.first_waiting = NOTHING


@inner
def _has_enough(account: Any) -> bool:
    return bool(account.enough >= 0 and account.received >= account.enough)


@inner
def _receive(state: State, first: int, stop: int) -> None:
    """What was paid to banks that wait for it."""
    for at in range(first, stop):
        payee = state.legs[at].payee
        account = state.accounts[payee]
        account.received += state.legs[at].amount
        if not account.pays_out and not account.down and _has_enough(account):
            _pay_out(state, payee)


@inner
def _is_held_back(state: State, number: int) -> bool:
    """Whether a payer holds it back; then it stands in the list of each that does."""
    legs, one = state.legs, state.obligations[number]
    for at in range(one.first, one.stop):
        leg = legs[at]
        account = state.accounts[leg.payer]
        if not leg.waits or account.pays_out or _has_enough(account):
            continue
        listed = False
        for earlier in range(one.first, at):
            listed = listed or (legs[earlier].waits and legs[earlier].payer == leg.payer)
        if listed:
            continue
        one.held_back_by += 1
        if account.first_waiting == NOTHING:
            account.first_waiting = at
        else:
            legs[account.last_waiting].next_waiting = at
        account.last_waiting = at
    return bool(one.held_back_by > 0)


# --- one by one -----------------------------------------------------------------------------------------------------


@inner
def _settled(state: State, number: int, t: int) -> None:
    """Its money has moved: write it down, and look again at whoever received."""
    one = state.obligations[number]
    one.settled_at = t
    one.batch = state.at[0].batches
    state.at[0].changed = 1
    if state.at[0].gross != 0:
        for at in range(one.first, one.stop):
            _look_again(state, state.legs[at].payee)
            _look_again(state, state.legs[at].payer)
    if state.at[0].waits != 0:
        _receive(state, one.first, one.stop)


@inner
def _enter(state: State, number: int, t: int) -> bool:
    """It settles at once, or joins the queues, or is rejected; whether it joined."""
    one, cursor = state.obligations[number], state.at[0]
    if one.last_s < t:
        return False
    one.entered_at = t
    one.entered = cursor.entered
    cursor.since_run += 1
    cursor.entered += 1
    if (
        cursor.gross != 0
        and _would_be_first(state, one.first, one.stop)
        and _moved_if_affordable(state.legs, state.accounts, one.first, one.stop)
    ):
        _settled(state, number, t)
        cursor.batches += 1
        return False
    if cursor.queued == 0:
        return False
    _join(state, one.first, one.stop)
    return True


@inner
def _release(state: State, account: int, t: int) -> None:
    """Settle from the head of an account's queue while that can be."""
    legs, accounts, slots = state.legs, state.accounts, state.slots
    while accounts[account].head < accounts[account].tail:
        number = legs[slots[accounts[account].head].leg].obligation
        first, stop = state.obligations[number].first, state.obligations[number].stop
        for at in range(first, stop):
            if legs[slots[accounts[legs[at].payer].head].leg].obligation != number:
                return
        if not _moved_if_affordable(legs, accounts, first, stop):
            return
        _leave(state, first, stop)
        _settled(state, number, t)
        state.at[0].batches += 1


@inner
def _count_joined(plan: Plan, state: State, number: int) -> None:
    """Add what joined the queue to the value that makes a run due."""
    cursor = state.at[0]
    for at in range(state.obligations[number].first, state.obligations[number].stop):
        leg = state.legs[at]
        cursor.joined += leg.amount * plan.worth[leg.payer % cursor.currencies]


@inner
def _drain(plan: Plan, state: State, t: int) -> None:
    """Until nothing more enters and no head can be released; each turn settles, enters or clears one."""
    cursor = state.at[0]
    while cursor.first_to_look_at != NOTHING or cursor.first_entering != NOTHING:
        if cursor.first_to_look_at == NOTHING:
            number = cursor.first_entering
            cursor.first_entering = state.obligations[number].next_entering
            if _enter(state, number, t) and cursor.every_value > 0:
                _count_joined(plan, state, number)
        else:
            account = cursor.first_to_look_at
            cursor.first_to_look_at = state.accounts[account].next_to_look_at
            state.accounts[account].to_look_at = False
            _release(state, account, t)


# --- in runs --------------------------------------------------------------------------------------------------------


@compiled
def _in_order_of_entry(state: State, numbers: Int64s) -> Int64s:
    """The same obligations, sorted."""
    entered = np.empty(len(numbers), dtype=np.int64)
    for place, number in enumerate(numbers):
        entered[place] = state.obligations[number].entered
    return numbers[np.argsort(entered)]


@compiled
def queued(plan: Plan, state: State) -> Int64s:
    """What is queued, in order of entry: the resolver outside wants to know."""
    count = 0
    for number in plan.entry[: state.at[0].entry]:
        if state.legs[state.obligations[number].first].slot != NOTHING:
            plan.scratch[count] = number
            count += 1
    return _in_order_of_entry(state, plan.scratch[:count])


@uncounted
def settle_together(plan: Plan, state: State, numbers: Int64s, t: int) -> None:
    """Settle queued obligations as one batch, and whatever that releases."""
    legs, accounts = state.legs, state.accounts
    for number in numbers:
        first, stop = state.obligations[number].first, state.obligations[number].stop
        _leave(state, first, stop)
        for at in range(first, stop):
            accounts[legs[at].payer].balance -= legs[at].amount
            accounts[legs[at].payee].balance += legs[at].amount
    for number in numbers:
        _settled(state, number, t)
    _end_run(plan, state, len(numbers), t)


@compiled
def settle_greatest(plan: Plan, state: State, t: int) -> None:
    """Settle the unique maximum of what is queued as one batch; nothing, if nothing has changed since the last run.

    It releases nothing: with what could follow one by one it would be greater. Only banks that waited for money pay.
    """
    cursor, legs, accounts, slots = state.at[0], state.legs, state.accounts, state.slots
    count = 0
    if cursor.changed != 0:
        end = keep_lengths(state)
        for account in range(len(end)):
            payer = accounts[account]
            for slot in range(payer.head, end[account]):
                at = slots[slot].leg
                if at == NOTHING:
                    continue
                leg = legs[at]
                leg.slot = NOTHING
                payer.balance -= leg.amount
                payer.queued_out -= leg.amount
                accounts[leg.payee].balance += leg.amount
                accounts[leg.payee].queued_in -= leg.amount
                one = state.obligations[leg.obligation]
                if one.settled_at == NOTHING:
                    one.settled_at = t
                    one.batch = cursor.batches
                    plan.scratch[count] = leg.obligation
                    count += 1
            payer.head = end[account]
    if cursor.waits != 0:  # whoever is paid first pays out first
        for number in _in_order_of_entry(state, plan.scratch[:count]):
            _receive(state, state.obligations[number].first, state.obligations[number].stop)
    _end_run(plan, state, count, t)


@inner
def _end_run(plan: Plan, state: State, settled: int, t: int) -> None:
    """Write a run down, and settle one by one what it released."""
    cursor = state.at[0]
    plan.run_at[cursor.runs] = t
    plan.run_batch[cursor.runs] = cursor.batches if settled > 0 else NEVER
    cursor.runs += 1
    cursor.since_run = cursor.joined = cursor.changed = 0
    if settled > 0:
        cursor.batches += 1
        _drain(plan, state, t)


# --- the day --------------------------------------------------------------------------------------------------------


@inner
def _expire(plan: Plan, state: State, t: int) -> None:
    """What is still queued after its last second leaves; who stood behind it may be released."""
    cursor = state.at[0]
    while cursor.expiry < len(plan.expiries) and state.obligations[plan.expiries[cursor.expiry]].last_s == t:
        one = state.obligations[plan.expiries[cursor.expiry]]
        cursor.expiry += 1
        if state.legs[one.first].slot == NOTHING:
            continue
        _leave(state, one.first, one.stop)
        if cursor.gross != 0:
            for at in range(one.first, one.stop):
                _look_again(state, state.legs[at].payer)
    _drain(plan, state, t)


@inner
def _happens(plan: Plan, state: State, t: int) -> bool:
    """The next event known before the day; whether a run is due now."""
    cursor = state.at[0]
    event, bank = plan.event[cursor.event], plan.event_bank[cursor.event]
    cursor.event += 1
    due = False
    if event == OPERATOR_DOWN:
        cursor.operator_down = 1
    elif event == OPERATOR_BACK:
        due = bool(cursor.missed_run == 1)
        cursor.operator_down = cursor.missed_run = 0
    elif event in (BANK_DOWN, BANK_BACK, GIVES_UP):
        for account in range(bank * cursor.currencies, (bank + 1) * cursor.currencies):
            one = state.accounts[account]
            one.down = event == BANK_DOWN
            if not (one.down or one.pays_out) and (event == GIVES_UP or _has_enough(one)):
                _pay_out(state, account)
        _drain(plan, state, t)
    elif cursor.operator_down == 1:
        cursor.missed_run = 1
    else:
        due = True
    return due


@inner
def _enough_for_a_run(now: Any) -> bool:
    """Whether so much has entered or joined since the last run that another is due."""
    due = now.every_arrivals > 0 and now.since_run >= now.every_arrivals
    due = due or (now.every_value > 0 and now.joined >= now.every_value)
    return bool(due and now.operator_down == 0)


@uncounted
def advance(plan: Plan, state: State) -> int:
    """Play the day on, until it is over (``DONE``) or a run is due (``RUN_DUE``) at ``now_s``."""
    cursor = state.at[0]
    while not _enough_for_a_run(cursor):  # each turn takes an entry, an event or a second's expiries from the plan
        entry = event = expiry = FAR
        if cursor.entry < len(plan.entry):
            entry = plan.entry_s[cursor.entry] * PHASES + ENTRY
        if cursor.event < len(plan.event_at):
            event = plan.event_at[cursor.event]
        if cursor.expiry < len(plan.expiries):
            expiry = np.int64(state.obligations[plan.expiries[cursor.expiry]].last_s) * PHASES + EXPIRY
        moment = min(entry, event, expiry)
        if moment == FAR:
            return DONE
        t = int(moment // PHASES)
        cursor.now_s = t
        if moment == entry:
            number = plan.entry[cursor.entry]
            cursor.entry += 1
            if cursor.waits == 0 or not _is_held_back(state, number):
                if _enter(state, number, t) and cursor.every_value > 0:
                    _count_joined(plan, state, number)
                if cursor.first_to_look_at != NOTHING or cursor.first_entering != NOTHING:
                    _drain(plan, state, t)
        elif moment == event:
            if _happens(plan, state, t):
                return RUN_DUE
        else:
            _expire(plan, state, t)
    return RUN_DUE
