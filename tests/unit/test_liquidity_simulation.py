"""A settlement day that can be followed by hand: who enters when, what settles when, what waits and what leaves."""

import doctest
from dataclasses import replace

import numpy as np
import pytest

from liquidity import (
    Day,
    Delay,
    Hours,
    InvalidField,
    InvalidSettlement,
    Limits,
    Outage,
    Policy,
    Queue,
    resolve,
    simulate,
)
from liquidity.day import MAX_DAY_S, NO_CUT_OFF
from liquidity.simulation import NoSuchPolicy, simulating
from tests.waiting import day_of, pvp, transfer

NEVER = -1


@pytest.fixture(params=["exact", "compiled"])
def settle(request, monkeypatch):
    """Run a day through either engine; when each obligation settled."""
    monkeypatch.setattr(simulating, "COMPILED_FROM_LEGS", 0 if request.param == "compiled" else 2**62)

    def run(day, policy, seed=0):
        result = simulate(day, policy, seed=seed)
        assert request.param in result.method
        return result.settled_at_s.tolist()

    return run


def test_the_examples_in_the_documentation_hold():
    assert doctest.testmod(simulating).failed == 0


class TestGross:
    def test_an_obligation_settles_on_entry_if_its_payer_can_pay(self, settle):
        day = day_of((100, transfer("T1", "HK1", "TH1", 60)), balances={"HK1": {"HKD": 60}})
        assert settle(day, Policy.queue()) == [100]

    def test_a_queue_is_released_from_its_head_when_money_comes_in(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 60)),
            (110, transfer("T2", "HK1", "TH1", 10)),
            (120, transfer("T3", "TH1", "HK1", 65)),
            (130, transfer("T4", "TH1", "HK1", 5)),
            balances={"TH1": {"HKD": 65}},
        )
        # at 120 HK1 holds 65: T1 goes, 5 are left, T2 waits for T4, which TH1 pays from T1
        assert settle(day, Policy.queue()) == [120, 130, 120, 130]

    def test_nothing_settles_past_a_waiting_obligation_of_the_same_account(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 60)),
            (110, transfer("T2", "HK1", "TH1", 10)),
            (110, transfer("T3", "HK1", "TH1", 10, "THB")),
            balances={"HK1": {"HKD": 50, "THB": 10}},
        )
        assert settle(day, Policy.queue()) == [NEVER, NEVER, 110]

    def test_an_urgent_obligation_stands_before_those_that_wait(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 60)),
            (110, transfer("T2", "HK1", "TH1", 50, priority=1)),
            (120, transfer("T3", "HK1", "TH1", 5, priority=2)),
            (130, transfer("T4", "TH1", "HK1", 10)),
            balances={"HK1": {"HKD": 51}},
        )
        assert settle(day, Policy.queue("priority")) == [NEVER, 110, 130, 130]
        assert settle(day, Policy.queue()) == [NEVER, NEVER, NEVER, NEVER]

    def test_without_a_queue_what_cannot_be_paid_is_returned(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 60)),
            (110, transfer("T2", "HK1", "TH1", 10)),
            (120, transfer("T3", "TH1", "HK1", 60)),
            balances={"HK1": {"HKD": 10}, "TH1": {"HKD": 60}},
        )
        assert settle(day, Policy.rtgs()) == [NEVER, 110, 120]

    def test_a_pvp_settles_both_legs_or_none(self, settle):
        day = day_of(
            (100, pvp("X1", "HK1", "TH1", 10, 46)),
            (110, transfer("T1", "HK2", "TH1", 46, "THB")),
            balances={"HK1": {"HKD": 10}, "HK2": {"THB": 46}},
        )
        assert settle(day, Policy.queue()) == [110, 110]
        assert settle(replace(day, balances={"HK1": {"HKD": 10}}), Policy.queue()) == [NEVER, NEVER]

    def test_credit_lines_count_and_accounts_below_their_floor_only_rise(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 30)),
            (110, transfer("T2", "HK2", "TH1", 1)),
            (120, transfer("T3", "TH1", "HK2", 1)),
            balances={"HK2": {"HKD": -5}},
            floors={"HK1": {"HKD": -30}},
        )
        assert settle(day, Policy.queue()) == [100, 120, 120]

    def test_a_multilateral_limit_holds_over_the_day(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 30)),
            (110, transfer("T2", "HK1", "TH1", 30)),
            (120, transfer("T3", "TH1", "HK1", 10)),
            balances={"HK1": {"HKD": 100}},
            limits=Limits(multilateral={"HK1": {"HKD": 50}}),
        )
        assert settle(day, Policy.queue()) == [100, 120, 120]

    def test_a_held_obligation_never_enters_and_blocks_nobody(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 60, held=True)),
            (110, transfer("T2", "HK1", "TH1", 10)),
            balances={"HK1": {"HKD": 100}},
        )
        assert settle(day, Policy.queue()) == [NEVER, 110]


def test_a_bilateral_limit_holds_over_the_day_and_takes_the_exact_engine(monkeypatch):
    monkeypatch.setattr(simulating, "COMPILED_FROM_LEGS", 0)
    day = day_of(
        (100, transfer("T1", "HK1", "TH1", 30)),
        (110, transfer("T2", "HK1", "TH1", 30)),
        (115, transfer("T3", "HK2", "TH1", 30)),
        (120, transfer("T4", "TH1", "HK1", 10)),
        balances={"HK1": {"HKD": 100}, "HK2": {"HKD": 100}},
        limits=Limits(bilateral={"HK1": {"TH1": {"HKD": 50}}}),
    )
    result = simulate(day, Policy.queue())
    assert result.settled_at_s.tolist() == [100, 120, 115, 120]
    assert "exact" in result.method
    in_runs = simulate(day, Policy.gridlock(every_arrivals=1))
    assert in_runs.settled_at_s.tolist() == [100, 120, 115, 120]


def test_amounts_beyond_64_bits_take_the_exact_engine(monkeypatch):
    monkeypatch.setattr(simulating, "COMPILED_FROM_LEGS", 0)
    for amount in (2**61, 2**70):
        day = day_of((100, transfer("T1", "HK1", "TH1", amount)), balances={"HK1": {"HKD": amount}})
        result = simulate(day, Policy.queue())
        assert result.settled_at_s.tolist() == [100]
        assert "exact" in result.method


RING = [
    (100, transfer("T1", "HK1", "HK2", 60)),
    (110, transfer("T2", "HK2", "HK3", 60)),
    (1000, transfer("T3", "HK3", "HK1", 60)),
]
"""Three banks without money that owe each other in a ring: a gridlock."""


class TestRuns:
    def test_a_gridlock_is_resolved_by_the_next_run_and_never_without(self, settle):
        assert settle(day_of(*RING), Policy.queue()) == [NEVER] * 3
        assert settle(day_of(*RING), Policy.gridlock(every_s=900)) == [1800] * 3

    def test_a_run_takes_place_after_so_many_arrivals(self, settle):
        assert settle(day_of(*RING), Policy.gridlock(every_arrivals=3)) == [1000] * 3
        late = [*RING, (2000, transfer("T4", "HK1", "HK2", 1))]
        assert settle(day_of(*late), Policy.gridlock(every_arrivals=2)) == [2000, 2000, 2000, NEVER]

    def test_a_run_takes_place_once_enough_value_has_joined_the_queue(self, settle):
        assert settle(day_of(*RING), Policy.gridlock(every_value=180)) == [1000] * 3
        assert settle(day_of(*RING), Policy.gridlock(every_value=181)) == [NEVER] * 3
        in_halves = day_of(*RING, rates={"HKD": 2})
        assert settle(in_halves, Policy.gridlock(every_value=360)) == [1000] * 3

    def test_deferred_net_settlement_moves_nothing_before_its_time(self, settle):
        day = day_of(*RING, balances={"HK1": {"HKD": 1000}})
        assert settle(day, Policy.net(500, 2000)) == [500, 500, 2000]

    def test_what_a_net_settlement_cannot_cover_waits_for_the_next(self, settle):
        day = day_of(*RING)
        assert settle(day, Policy.net(500)) == [NEVER] * 3
        assert settle(day, Policy.net(500, 2000)) == [2000] * 3

    def test_a_run_settles_what_enters_in_its_own_second(self, settle):
        assert settle(day_of(*RING), Policy.net(1000)) == [1000] * 3

    def test_each_batch_has_a_number_in_order_of_settlement(self):
        day = day_of((50, transfer("T0", "HK9", "HK8", 1)), *RING, balances={"HK9": {"HKD": 1}})
        result = simulate(day, Policy.gridlock(every_s=900))
        assert result.batch.tolist() == [0, 1, 1, 1]
        runs = dict(zip(result.run_at_s.tolist(), result.run_batch.tolist(), strict=True))
        assert runs[900] == NEVER
        assert runs[1800] == 1

    def test_a_run_in_free_order_may_settle_past_what_waits(self, settle):
        blocked = [(90, transfer("T0", "HK1", "HK9", 1_000)), *RING]
        assert settle(day_of(*blocked), Policy.gridlock(every_s=900)) == [NEVER] * 4
        assert settle(day_of(*blocked), Policy.gridlock("bypass", every_s=900)) == [NEVER, 1800, 1800, 1800]

    def test_what_a_free_run_removes_from_a_queue_releases_those_behind(self, settle):
        def settles_two(queue, balances, **_):
            return [one for one in queue.ids if one != "T2"]

        day = day_of(
            (100, transfer("T1", "HK1", "HK2", 60)),
            (110, transfer("T2", "HK1", "HK2", 5)),
            (120, transfer("T3", "HK2", "HK1", 55)),
            balances={"HK1": {"HKD": 10}},
        )
        assert settle(day, Policy.gridlock(settles_two, every_s=900)) == [900, 900, 900]
        assert simulate(day, Policy.gridlock(settles_two, every_s=900)).batch.tolist() == [0, 1, 0]

    def test_an_own_resolver_is_handed_the_queue_of_the_moment_and_checked(self, settle):
        seen = []

        def by_the_book(queue, balances, *, floors, limits, rates, time_limit_s, seed):
            seen.append((queue.ids, balances["HK1"]["HKD"], seed))
            return resolve(queue, balances, floors=floors, limits=limits, rates=rates).settled

        day = day_of(*RING, balances={"HK1": {"HKD": 7}})
        assert settle(day, Policy.gridlock(by_the_book, every_s=900), seed=5) == [1800] * 3
        assert seen == [(("T1", "T2"), 7, 5), (("T1", "T2", "T3"), 7, 5)]

        def everything(queue, balances, **_):
            return queue.ids

        with pytest.raises(InvalidSettlement):
            settle(day_of(*RING[:2]), Policy.gridlock(everything, every_s=900))


class TestHoursAndCutOffs:
    def test_what_arrives_before_the_opening_enters_at_the_opening(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 60)),
            balances={"HK1": {"HKD": 60}},
            hours={"HKD": Hours(500, 900)},
        )
        assert settle(day, Policy.queue()) == [500]

    @pytest.mark.parametrize(("arrival", "settled"), [(899, 899), (900, 900), (901, NEVER)])
    def test_the_closing_second_is_the_last(self, settle, arrival, settled):
        day = day_of(
            (arrival, transfer("T1", "HK1", "TH1", 60)),
            balances={"HK1": {"HKD": 60}},
            hours={"HKD": Hours(500, 900)},
        )
        assert settle(day, Policy.queue()) == [settled]

    def test_a_pvp_settles_only_while_both_currencies_are_open(self, settle):
        rich = {"HK1": {"HKD": 100}, "TH1": {"THB": 1000}}
        hours = {"HKD": Hours(500, 900), "THB": Hours(700, 1200)}
        day = day_of(
            (100, pvp("X1", "HK1", "TH1", 10, 46)),
            (100, transfer("T1", "HK1", "TH1", 10)),
            (800, pvp("X2", "HK1", "TH1", 10, 46)),
            (901, pvp("X3", "HK1", "TH1", 10, 46)),
            (901, transfer("T2", "TH1", "HK1", 10, "THB")),
            balances=rich,
            hours=hours,
        )
        assert settle(day, Policy.queue()) == [700, 500, 800, NEVER, 901]

    def test_what_a_closing_leaves_over_frees_those_behind_it(self, settle):
        day = day_of(
            (600, pvp("X1", "HK1", "TH1", 10, 46)),
            (610, transfer("T1", "TH1", "HK1", 5, "THB")),
            balances={"TH1": {"THB": 5}},
            hours={"HKD": Hours(0, 900)},
        )
        assert settle(day, Policy.queue()) == [NEVER, 900]

    def test_an_obligation_may_settle_in_the_second_of_its_cut_off_and_then_leaves(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 60)),
            (110, transfer("T2", "HK1", "TH1", 10)),
            (200, transfer("T3", "HK2", "HK1", 50)),
            balances={"HK1": {"HKD": 10}, "HK2": {"HKD": 50}},
        )
        at_the_last = replace(day, latest_s=np.array([200, NO_CUT_OFF, NO_CUT_OFF]))
        assert settle(at_the_last, Policy.queue()) == [200, NEVER, 200]
        too_late = replace(day, latest_s=np.array([199, NO_CUT_OFF, NO_CUT_OFF]))
        assert settle(too_late, Policy.queue()) == [NEVER, 199, 200]

    def test_a_day_may_run_past_midnight(self, settle):
        day = day_of(
            (90_000, transfer("T1", "HK1", "US1", 1, "USD")),
            balances={"HK1": {"USD": 1}},
            hours={"USD": Hours(75_600, 108_000)},
        )
        assert settle(day, Policy.queue()) == [90_000]


class TestOutages:
    def test_a_bank_that_is_down_submits_nothing_and_is_still_paid(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 10)),
            (110, transfer("T2", "TH1", "HK1", 10)),
            (120, pvp("X1", "TH1", "HK1", 1, 1)),
            balances={"HK1": {"HKD": 10, "THB": 1}, "TH1": {"HKD": 11}},
            outages=[Outage("HK1", 50, 500), Outage("HK1", 400, 600)],
        )
        assert settle(day, Policy.queue()) == [600, 110, 600]

    def test_what_a_bank_submitted_before_its_outage_may_settle(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 10)),
            (200, transfer("T2", "TH1", "HK1", 10)),
            balances={"TH1": {"HKD": 10}},
            outages=[Outage("HK1", 150, 500)],
        )
        assert settle(day, Policy.queue()) == [200, 200]

    def test_without_the_operator_nothing_is_resolved_until_one_run_makes_up_for_it(self, settle):
        day = day_of(*RING, outages=[Outage(None, 1500, 4000)])
        assert settle(day, Policy.gridlock(every_s=900)) == [4000] * 3
        assert settle(day, Policy.gridlock(every_arrivals=3)) == [1000] * 3
        result = simulate(day, Policy.gridlock(every_s=900))
        assert result.run_at_s.tolist()[:3] == [900, 4000, 4500]

    def test_without_the_operator_obligations_still_settle_one_by_one(self, settle):
        day = day_of(
            (100, transfer("T1", "HK1", "TH1", 10)),
            (110, transfer("T2", "TH1", "HK1", 10)),
            balances={"TH1": {"HKD": 10}},
            outages=[Outage(None, 0, 4000)],
        )
        assert settle(day, Policy.gridlock(every_s=900)) == [110, 110]
        assert settle(day, Policy.net(900)) == [4000, 4000]

    def test_an_outage_of_a_bank_that_has_no_part_in_the_day_changes_nothing(self, settle):
        day = day_of(*RING, outages=[Outage("HK7", 0, 4000)])
        assert settle(day, Policy.gridlock(every_s=900)) == [1800] * 3


RICH = {"HK1": {"HKD": 100}, "TH1": {"HKD": 100}}


class TestWaiting:
    WAITS = (
        (100, transfer("T1", "HK1", "TH1", 20)),
        (200, transfer("T2", "TH1", "HK1", 5)),
        (300, transfer("T3", "TH1", "HK1", 5)),
    )

    def test_a_bank_waits_until_it_has_received_enough(self, settle):
        day = day_of(*self.WAITS, balances=RICH)
        waiting = Policy.queue().waiting(Delay("HK1", 1000, received_percent=50))
        assert settle(day, waiting) == [300, 200, 300]

    def test_a_bank_gives_up_waiting_at_its_time(self, settle):
        day = day_of(*self.WAITS, balances=RICH)
        waiting = Policy.queue().waiting(Delay("HK1", 250, received_percent=51))
        assert settle(day, waiting) == [250, 200, 300]
        assert settle(day, Policy.queue().waiting(Delay("HK1", 1000))) == [1000, 200, 300]

    def test_a_rule_of_its_own_stands_before_the_rule_for_all(self, settle):
        day = day_of(*self.WAITS, balances=RICH)
        waiting = Policy.queue().waiting(Delay(None, 1000), Delay("HK1", 150))
        assert settle(day, waiting) == [150, 1000, 1000]

    def test_banks_that_wait_for_each_other_wait_until_they_give_up(self, settle):
        day = day_of(*self.WAITS, balances=RICH)
        waiting = Policy.queue().waiting(Delay(None, 5000, received_percent=1))
        assert settle(day, waiting) == [5000, 5000, 5000]

    def test_a_bank_that_is_down_when_it_has_enough_pays_when_it_is_back(self, settle):
        day = day_of(*self.WAITS, balances=RICH, outages=[Outage("HK1", 290, 700)])
        waiting = Policy.queue().waiting(Delay("HK1", 5000, received_percent=50))
        assert settle(day, waiting) == [700, 200, 300]

    def test_the_seed_draws_which_payments_are_held_back(self, settle):
        many = [(100, transfer(f"T{number}", "HK1", "TH1", 1)) for number in range(200)]
        day = day_of(*many, balances=RICH | {"HK1": {"HKD": 200}})
        half = Policy.queue().waiting(Delay("HK1", 1000, share_percent=50))
        first = settle(day, half, seed=1)
        assert set(first) == {100, 1000}
        assert 60 < first.count(100) < 140
        assert first == settle(day, half, seed=1)
        assert first != settle(day, half, seed=2)

    def test_what_waits_beyond_its_cut_off_never_enters(self, settle):
        day = day_of(*self.WAITS, balances=RICH, latest_s=np.array([900, NO_CUT_OFF, NO_CUT_OFF]))
        assert settle(day, Policy.queue().waiting(Delay("HK1", 1000))) == [NEVER, 200, 300]


class TestRefusals:
    @pytest.mark.parametrize(
        ("field", "build"),
        [
            ("queue", lambda: Day([], np.array([]))),
            ("arrival_s", lambda: Day(Queue([]), np.array([1]))),
            ("arrival_s", lambda: Day(Queue([RING[0][1]]), np.array([0.5]))),
            ("arrival_s[1]", lambda: day_of((5, RING[0][1]), (4, RING[1][1]))),
            ("arrival_s[0]", lambda: day_of((MAX_DAY_S + 1, RING[0][1]))),
            ("arrival_s[0]", lambda: day_of((-1, RING[0][1]))),
            ("balances.HK1.HKD", lambda: day_of(*RING, balances={"HK1": {"HKD": 1.5}})),
            ("floors.HK1.HKD", lambda: day_of(*RING, floors={"HK1": {"HKD": "1"}})),
            ("hours.HKD", lambda: day_of(*RING, hours={"HKD": (1, 2)})),
            ("close_s", lambda: Hours(10, 10)),
            ("open_s", lambda: Hours(-1, 10)),
            ("until_s", lambda: Outage("HK1", 10, 10)),
            ("bank", lambda: Outage("", 10, 20)),
            ("outages[0]", lambda: day_of(*RING, outages=[("HK1", 1, 2)])),
            ("limits", lambda: day_of(*RING, limits={})),
            ("rates.HKD", lambda: day_of(*RING, rates={"HKD": 0.5})),
            ("latest_s", lambda: day_of(*RING, latest_s=np.array([1]))),
            ("latest_s[2]", lambda: day_of(*RING, latest_s=np.array([1, 2, -3]))),
            ("order", lambda: Policy(order="random")),
            ("resolver", lambda: Policy(resolver="best")),
            ("every_s", lambda: Policy.gridlock(every_s=0)),
            ("every_value", lambda: Policy.gridlock(every_value=0.5)),
            ("at_s[1]", lambda: Policy.net(5, -1)),
            ("delays", lambda: Policy.queue().waiting(Delay(None, 5), Delay(None, 6))),
            ("share_percent", lambda: Delay(None, 5, share_percent=101)),
            ("day", lambda: simulate(None, Policy.queue())),
            ("policy", lambda: simulate(day_of(*RING), "fifo")),
            ("seed", lambda: simulate(day_of(*RING), Policy.queue(), seed=-1)),
        ],
    )
    def test_what_has_no_place_in_a_day_is_refused_by_name(self, field, build):
        with pytest.raises(InvalidField) as refused:
            build()
        assert refused.value.field == field

    def test_rules_that_contradict_one_another_are_refused(self):
        with pytest.raises(NoSuchPolicy, match="nothing that a run could settle"):
            Policy(queued=False, every_s=900)
        with pytest.raises(NoSuchPolicy, match="runs must be scheduled"):
            Policy(gross=False)

    def test_a_day_keeps_what_it_was_given_even_if_the_caller_changes_it(self):
        arrival_s = np.array([100])
        day = Day(Queue([RING[0][1]]), arrival_s)
        arrival_s[0] = 5
        assert day.arrival_s.tolist() == [100]
        with pytest.raises(ValueError, match="read-only"):
            day.arrival_s[0] = 5


def test_an_empty_day_ends_with_nothing_settled(settle):
    assert settle(Day(Queue([]), np.array([], dtype=np.int64)), Policy.gridlock(every_s=900)) == []


@pytest.mark.parametrize(
    ("policy", "outages"),
    [(Policy.net(1100), ()), (Policy.gridlock(every_s=100), (Outage(None, 150, 1100),))],
    ids=["a run after hours", "the run that an outage delays"],
)
def test_nothing_settles_after_its_currency_has_closed(settle, policy, outages):
    ring = [(150, transfer("T1", "HK1", "TH1", 60)), (150, transfer("T2", "TH1", "HK1", 60))]
    for close_s, settles_at in ((1000, NEVER), (1100, 1100)):
        assert settle(day_of(*ring, hours={"HKD": Hours(100, close_s)}, outages=outages), policy) == [settles_at] * 2


def test_policies_are_named_by_what_they_do():
    assert Policy.rtgs().name == "rtgs"
    assert Policy.queue("priority").name == "priority queue"
    assert Policy.gridlock("bypass", every_s=900).name == "gross, fifo queue, bypass, every 900 s"
    assert Policy.net(36_000).name == "net, at 36000 s"
