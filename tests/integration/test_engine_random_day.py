"""Days of seeded chance: whatever banks send and do, payments end as they may and money is neither made nor lost."""

from __future__ import annotations

import random

import pytest

from corridor.engine import days, views
from corridor.errors import CorridorError
from tests.samples import BANKS, Pen, customer, sums, trade_side

SEEDS = (1, 2)
STEPS = 32
STATES = {"warehoused", "unmatched", "queued", "in batch", "settling", "final", "rejected", "cancelled", "expired"}
ENDED = {"final", "rejected", "cancelled", "expired"}


class Day:
    """A day of chance; everything comes from the seed."""

    def __init__(self, bench, seed: int) -> None:
        self.bench, self.random, self.pen = bench, random.Random(seed), Pen(seed)
        self.sent: list[tuple[str, str]] = []

    def two_banks(self) -> list[str]:
        return self.random.sample(BANKS, 2)

    def currency(self) -> str:
        return self.random.choice(("HKD", "THB"))

    def amount(self) -> str:
        # Large enough for shortages and netting, small enough for settlements.
        return f"{self.random.randint(1, 900_000_000) / 100:.2f}"

    def customers(self) -> None:
        payer = self.random.choice(BANKS)
        others = [bank for bank in BANKS if bank != payer]
        payments = []
        for _ in range(self.random.randint(1, 6)):
            uetr = self.pen.uetr()
            self.sent.append((payer, uetr))
            priority, payee = self.random.choice(("", "HIGH")), self.random.choice([*others, "SGBASGSGXXX"])
            value_date = self.random.choice((None, None, "2026-11-24", "2026-11-20"))
            payments.append(
                customer(payer, payee, self.currency(), self.amount(), uetr, priority=priority, value_date=value_date)
            )
        self.bench.pay(payer, "pacs.008", *payments)

    def trade(self) -> None:
        (one, other), reference = self.two_banks(), f"T-{len(self.sent)}"
        hkd, thb = ("HKD", self.amount()), ("THB", self.amount())
        wrong = self.random.random() < 0.2
        for payer, payee, sold, bought in (
            (one, other, hkd, thb),
            (other, one, thb, ("HKD", "1.00") if wrong else hkd),
        ):
            uetr = self.pen.uetr()
            self.sent.append((payer, uetr))
            self.bench.pay(payer, "pacs.009", trade_side(payer, payee, sold, bought, uetr, reference=reference))
            if self.random.random() < 0.2:
                return

    def amend(self) -> None:
        if self.sent:
            bank, uetr = self.random.choice(self.sent)
            verb = self.random.choice(("hold", "release", "cancel", "priority"))
            try:
                self.bench.amend(bank, uetr, verb, self.random.choice((1, 2)))
            except CorridorError:
                return

    def sleep(self) -> None:
        bank = self.random.choice(BANKS)
        self.bench.put_to_sleep(bank)
        self.bench.cycle()
        self.bench.wake(bank)

    def restart(self) -> None:
        self.bench.reopen()

    def cycle(self) -> None:
        self.bench.cycle()
        self.bench.clock.now_s += self.random.randint(0, 400)

    def step(self) -> None:
        steps = [self.customers, self.trade, self.amend, self.cycle, self.sleep, self.restart]
        self.random.choices(steps, weights=(8, 8, 4, 6, 1, 1))[0]()


def check_books(bench, opening) -> None:
    """Balances are the opening ones plus what each bank was notified of, and nothing is made or lost."""
    bench.assert_conserved()
    balances = bench.balances()
    for bank in BANKS:
        moved = sums(bench.entries(bank))
        for currency in ("HKD", "THB"):
            assert balances[bank, currency] == opening[bank, currency] + moved.get(currency, 0), (bank, currency)
            assert balances[bank, currency] >= 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_of_chance_ends_with_every_payment_in_a_legal_state_and_money_conserved(bench, opening, seed):
    day = Day(bench, seed)
    for _ in range(STEPS):
        day.step()
        check_books(bench, opening)
        assert {one["state"] for one in views.statuses(bench.desk)} <= STATES
    bench.cycle()
    days.close_day(bench.desk)
    left = {one["uetr"]: one for one in views.statuses(bench.desk) if one["state"] not in ENDED}
    assert {one["state"] for one in left.values()} <= {"warehoused"}
    bench.corridor.open_day(None)
    bench.cycle()
    days.close_day(bench.desk)
    check_books(bench, opening)
    listed = views.statuses(bench.desk)
    assert {one["state"] for one in listed} <= ENDED
    assert sum(one["state"] == "final" for one in listed) >= 5, f"seed {seed} settles too little to mean anything"
    check_answers(bench, listed)
    check_trades(bench, listed)


def check_answers(bench, listed) -> None:
    """Each payment is told its end once, and its entries stand on both sides iff it is final."""
    entries = {bank: [entry.uetr for entry in bench.entries(bank)] for bank in BANKS}
    for one in listed:
        ends = [status for status in bench.statuses(one["payer"], one["uetr"]) if status in ("ACSC", "RJCT", "CANC")]
        assert len(ends) == 1, (one, ends)
        for bank in (one["payer"], one["payee"]):
            assert entries.get(bank, []).count(one["uetr"]) == (one["state"] == "final" and bank in BANKS)


def check_trades(bench, listed) -> None:
    """Both sides of a matched trade end final, or neither does."""
    by_obligation: dict[str, set[str]] = {}
    for one in listed:
        if one["trade_reference"] and one["obligation"]:
            by_obligation.setdefault(one["obligation"], set()).add(one["state"])
    assert all(states == {"final"} or "final" not in states for states in by_obligation.values())
