"""The day in exact Python integers: what happens, event by event. The compiled engine does the same, faster.

What settles doesn't depend on the order in which accounts are looked at after money came in: an obligation is
released only from the heads of its payers' queues, and nothing but its own release makes a payer poorer or moves
its head, so what can be released stays releasable. The order is fixed all the same (first come, first looked at),
so that both engines number their batches alike.
"""

from __future__ import annotations

from bisect import insort_right
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from liquidity.accounts import make_accounts
from liquidity.arrays import Int64s
from liquidity.day import Day
from liquidity.elimination import Rank, rank_in
from liquidity.model import Account, Obligation, Queue
from liquidity.simulation.policies import PERCENT, Policy
from liquidity.simulation.runs import chosen
from liquidity.simulation.schedule import PHASES, Event, Phase, Schedule
from liquidity.terms import make_terms

NEVER = -1
"""In an array of seconds or batches: it didn't happen."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """(n) when each obligation entered, when and in which batch it settled; (r) when runs were, and their batches.

    Batches are numbered from 0 in the order in which they settled. ``NEVER`` where nothing happened.
    """

    entered_at_s: Int64s
    settled_at_s: Int64s
    batch: Int64s
    run_at_s: Int64s
    run_batch: Int64s


class _Place(NamedTuple):
    """Where an obligation stands in an account's queue; sorts."""

    rank: Rank
    entered: int
    number: int


FIRST_COME: Rank = (False, 0)
"""Everybody's rank under fifo."""


class Engine:
    """One day, from the first event to the last; :func:`settle_day` drives it."""

    def __init__(self, day: Day, policy: Policy, schedule: Schedule, seed: int) -> None:
        self.day, self.policy, self.schedule, self.seed = day, policy, schedule, seed
        self.obligations: Sequence[Obligation] = day.queue.obligations
        terms = make_terms(day.balances, day.floors, day.limits)
        legs = [leg for obligation in self.obligations for leg in obligation.legs]
        self.accounts = make_accounts(terms, {(bank, leg.currency) for leg in legs for bank in (leg.payer, leg.payee)})
        self.queues: dict[Account, list[_Place]] = defaultdict(list)
        self.place: dict[int, dict[Account, _Place]] = {}  # of what is queued
        self.entered_at, self.settled_at, self.batch = ([NEVER] * len(self.obligations) for _ in range(3))
        self.batches = 0
        self.entered = 0
        self.since_run = 0
        self.joined_since_run = Fraction(0)
        self.runs: list[tuple[int, int]] = []
        self.changed = False  # since the last run: the same queue and money settle nothing more in the same order
        self.operator_down = False
        self.missed_run = False
        self.richer: deque[Account] = deque()  # accounts to look at, each at most once
        self.entering: deque[int] = deque()
        self._prepare_waiting()

    # --- who waits for what -------------------------------------------------------------------------------------

    def _prepare_waiting(self) -> None:
        """Per account that holds payments back: what it must have received, and who waits for that."""
        schedule, banks = self.schedule, self.schedule.legs.banks
        self.waits = schedule.waits.tolist()
        self.down: set[str] = set()
        self.received: dict[Account, int] = defaultdict(int)
        self.enough: dict[Account, int] = {}
        self.waiting: dict[Account, list[int]] = {}  # accounts that still hold back
        self.held_back_by: dict[int, int] = {}
        if not self.waits:
            return
        percent = dict(zip(banks, schedule.enough.tolist(), strict=True))
        to_pay: dict[Account, int] = defaultdict(int)
        for obligation in self.obligations:
            for leg in obligation.legs:
                to_pay[leg.payer, leg.currency] += 0 if obligation.held else leg.amount
        for account, amount in to_pay.items():
            self.waiting[account] = []
            if percent[account[0]] >= 0:
                self.enough[account] = amount * percent[account[0]]

    def _has_enough(self, account: Account) -> bool:
        return account in self.enough and self.received[account] * PERCENT >= self.enough[account]

    def _pay_out(self, account: Account) -> None:
        """The account holds nothing back any more."""
        for number in self.waiting.pop(account, ()):
            self.held_back_by[number] -= 1
            if self.held_back_by[number] == 0:
                self.entering.append(number)

    def _look_at(self, bank: str, gives_up: bool) -> None:
        for currency in self.schedule.legs.currencies:
            account = (bank, currency)
            if account in self.waiting and (gives_up or self._has_enough(account)):
                self._pay_out(account)

    def arrive(self, number: int, t: int) -> None:
        """It enters, or waits for the payers that hold it back."""
        if self.waits:
            first = int(self.schedule.legs.leg_start[number])
            holding = {
                (leg.payer, leg.currency)
                for at, leg in enumerate(self.obligations[number].legs, first)
                if self.waits[at] and (leg.payer, leg.currency) in self.waiting
            }
            still = [account for account in holding if not self._has_enough(account)]
            if still:
                self.held_back_by[number] = len(still)
                for account in still:
                    self.waiting[account].append(number)
                return
        self.entering.append(number)
        self.drain(t)

    # --- one by one ---------------------------------------------------------------------------------------------

    def _settled(self, number: int, t: int) -> None:
        """Its money has moved: write it down, and look again at whoever received."""
        self.settled_at[number], self.batch[number] = t, self.batches
        self.changed = True
        for leg in self.obligations[number].legs:
            for account in ((leg.payee, leg.currency), (leg.payer, leg.currency)):
                self._look_again(account)
            self._receive((leg.payee, leg.currency), leg.amount)

    def _look_again(self, account: Account) -> None:
        if self.policy.gross and self.queues[account] and account not in self.richer:
            self.richer.append(account)

    def _receive(self, account: Account, amount: int) -> None:
        if account in self.enough:
            self.received[account] += amount
            if account in self.waiting and account[0] not in self.down and self._has_enough(account):
                self._pay_out(account)

    def _enter(self, number: int, t: int) -> None:
        if self.schedule.last_s[number] < t:
            return
        obligation = self.obligations[number]
        self.entered_at[number] = t
        self.since_run += 1
        self.entered += 1
        places = {}
        for leg in obligation.legs:
            account = (leg.payer, leg.currency)
            rank = rank_in(obligation, account) if self.policy.order == "priority" else FIRST_COME
            places[account] = _Place(rank, self.entered, number)
        if self.policy.gross:
            first = all(not self.queues[a] or place < self.queues[a][0] for a, place in places.items())
            if first and self.accounts.moved_if_affordable(obligation):
                self._settled(number, t)
                self.batches += 1
                return
        if self.policy.queued:
            self.changed = True
            self.place[number] = places
            for account, place in places.items():
                insort_right(self.queues[account], place)
            for leg in obligation.legs:
                self.joined_since_run += leg.amount * self.day.rates.get(leg.currency, 1)

    def _leave(self, number: int) -> None:
        self.changed = True
        for account, place in self.place.pop(number).items():
            self.queues[account].remove(place)

    def drain(self, t: int) -> None:
        """Until nothing more enters and no head can be released; each turn settles, enters or clears one."""
        while self.richer or self.entering:
            if not self.richer:
                self._enter(self.entering.popleft(), t)
                continue
            account = self.richer.popleft()
            while self.queues[account]:
                number = self.queues[account][0].number
                at_head = all(self.queues[a][0] == place for a, place in self.place[number].items())
                if not (at_head and self.accounts.moved_if_affordable(self.obligations[number])):
                    break
                self._leave(number)
                self._settled(number, t)
                self.batches += 1

    # --- in runs ------------------------------------------------------------------------------------------------

    def run(self, t: int) -> None:
        """Resolve everything queued and settle the answer as one batch; later, if the operator is down."""
        if self.operator_down:
            self.missed_run = True
            return
        self.since_run, self.joined_since_run = 0, Fraction(0)
        numbers = sorted(self.place, key=lambda number: next(iter(self.place[number].values())).entered)
        may_settle = numbers and (self.changed or self.policy.resolver is not None)
        ids = set(self._chosen(numbers)) if may_settle else set()
        settling = [number for number in numbers if self.obligations[number].id in ids]
        for number in settling:
            self.accounts.move(self.obligations[number])
            self._leave(number)
        for number in settling:
            self._settled(number, t)
        self.runs.append((t, self.batches if settling else NEVER))
        self.batches += bool(settling)
        self.changed = False
        self.drain(t)

    def _chosen(self, numbers: Sequence[int]) -> Iterable[str]:
        balances: dict[str, dict[str, int]] = defaultdict(dict)
        floors: dict[str, dict[str, int]] = defaultdict(dict)
        for (bank, currency), lowest in self.accounts.lowest.items():
            balances[bank][currency] = self.accounts.balance[bank, currency]
            floors[bank][currency] = lowest
        queued = Queue([self.obligations[number] for number in numbers])
        return chosen(queued, balances, floors, self.accounts.limits_left(), self.day, self.policy, self.seed)

    def run_while_due(self, t: int) -> None:
        """A run if enough has entered or joined since the last one; what it lets enter may make another one due."""
        policy = self.policy
        while not self.operator_down and (
            (policy.every_arrivals is not None and self.since_run >= policy.every_arrivals)
            or (policy.every_value is not None and self.joined_since_run >= policy.every_value)
        ):
            self.run(t)

    # --- what else happens --------------------------------------------------------------------------------------

    def happen(self, event: Event, bank: str, t: int) -> None:
        """An event that was known before the day began."""
        match event:
            case Event.OPERATOR_DOWN:
                self.operator_down = True
            case Event.OPERATOR_BACK:
                self.operator_down = False
                if self.missed_run:
                    self.missed_run = False
                    self.run(t)
            case Event.BANK_DOWN:
                self.down.add(bank)
            case Event.BANK_BACK | Event.BANK_GIVES_UP_WAITING:
                self.down.discard(bank)
                self._look_at(bank, event is Event.BANK_GIVES_UP_WAITING)
                self.drain(t)
            case Event.RUN:
                self.run(t)

    def expire(self, numbers: Sequence[int], t: int) -> None:
        """What is still queued after its last second leaves; who stood behind it may be released."""
        for number in numbers:
            if number in self.place:
                accounts = list(self.place[number])
                self._leave(number)
                for account in accounts:
                    self._look_again(account)
        self.drain(t)


def settle_day(day: Day, policy: Policy, schedule: Schedule, seed: int) -> Trace:
    """What happens on ``day`` under ``policy``; ``schedule`` is theirs."""
    engine = Engine(day, policy, schedule, seed)
    entry, entry_s = schedule.entry.tolist(), schedule.entry_s.tolist()
    expiring: dict[int, list[int]] = {}
    for number in schedule.expiries.tolist():
        expiring.setdefault(int(schedule.last_s[number]), []).append(number)
    moments = [(second * PHASES + Phase.ENTRY, 0, at) for at, second in enumerate(entry_s)]
    moments += [(moment, 1, at) for at, moment in enumerate(schedule.event_at.tolist())]
    moments += [(second * PHASES + Phase.EXPIRY, 2, second) for second in expiring]
    for moment, kind, at in sorted(moments):
        t = moment // PHASES
        if kind == 0:
            engine.arrive(entry[at], t)
        elif kind == 1:
            number = int(schedule.event_bank[at])
            engine.happen(Event(int(schedule.event[at])), schedule.legs.banks[number] if number >= 0 else "", t)
        else:
            engine.expire(expiring[at], t)
        engine.run_while_due(t)
    runs = np.array(engine.runs, dtype=np.int64).reshape(-1, 2)
    return Trace(
        entered_at_s=np.array(engine.entered_at, dtype=np.int64),
        settled_at_s=np.array(engine.settled_at, dtype=np.int64),
        batch=np.array(engine.batch, dtype=np.int64),
        run_at_s=runs[:, 0].copy(),
        run_batch=runs[:, 1].copy(),
    )
