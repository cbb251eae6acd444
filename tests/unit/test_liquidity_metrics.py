"""Each metric on a day that fits a ledger page; every figure can be checked by hand."""

from fractions import Fraction

import numpy as np
import pytest

from liquidity import Day, Hours, InvalidField, Leg, Obligation, Outage, Policy, Queue, metrics, simulate
from liquidity.day import NO_CUT_OFF
from tests.waiting import day_of, transfer

NEVER = -1
CLOSES_AT_2000 = {"HKD": Hours(0, 2000)}


#                              HK1   HK2   HK3
#                opens at       60     0     0
PASSED_ON = day_of(
    (100, transfer("T1", "HK1", "HK2", 60)),  # 0    60     0
    (200, transfer("T2", "HK2", "HK3", 40)),  # 0    20    40
    (300, transfer("T3", "HK3", "HK1", 30)),  # 30   20    10
    balances={"HK1": {"HKD": 60}},
    floors={"HK1": {"HKD": -5}},
    hours=CLOSES_AT_2000,
)

RING = day_of(
    (100, transfer("T1", "HK1", "HK2", 60)),
    (110, transfer("T2", "HK2", "HK3", 60)),
    (1000, transfer("T3", "HK3", "HK1", 60)),
    hours=CLOSES_AT_2000,
)
"""Nobody has money; a run at 1800 settles all three."""


def one_row(frame, **where):
    for column, value in where.items():
        frame = frame[frame[column] == value]
    assert len(frame) == 1
    return frame.iloc[0]


@pytest.fixture
def passed_on():
    return simulate(PASSED_ON, Policy.queue())


@pytest.fixture
def resolved_ring():
    return simulate(RING, Policy.gridlock(every_s=900))


def test_settled_value_and_volume_are_counted_by_currency(passed_on):
    row = one_row(metrics.settled(passed_on))
    assert (row.submitted_legs, row.settled_legs, row.submitted_minor, row.settled_minor) == (3, 3, 130, 130)
    unsettled = one_row(metrics.settled(simulate(RING, Policy.queue())))
    assert (unsettled.settled_legs, unsettled.settled_minor, unsettled.settled_share) == (0, 0, 0.0)


def test_liquidity_used_is_the_peak_net_debit_and_not_the_opening_balance(passed_on):
    frame = metrics.liquidity_used(passed_on)
    assert frame.set_index("bank").used_minor.to_dict() == {"HK1": 60, "HK2": 0, "HK3": 0}
    hk1 = one_row(frame, bank="HK1")
    assert (hk1.sent_minor, hk1.received_minor) == (60, 30)
    rich = simulate(
        Day(PASSED_ON.queue, PASSED_ON.arrival_s, {"HK1": {"HKD": 999}}, hours=CLOSES_AT_2000), Policy.queue()
    )
    assert one_row(metrics.liquidity_used(rich), bank="HK1").used_minor == 60


def test_what_a_batch_nets_within_itself_uses_no_liquidity(resolved_ring):
    assert metrics.liquidity_used(resolved_ring).used_minor.tolist() == [0, 0, 0]


def test_turnover_is_value_settled_over_liquidity_used(passed_on):
    row = one_row(metrics.turnover(passed_on))
    assert row.turnover_ratio == 130 / 60


def test_the_delay_indicator_is_queued_value_and_time_over_the_most_there_could_be(passed_on, resolved_ring):
    assert one_row(metrics.delays(passed_on)).delay_indicator == 0
    row = one_row(metrics.delays(resolved_ring))
    assert row.waited_minor_s == 60 * ((1800 - 100) + (1800 - 110) + (1800 - 1000))
    assert row.could_wait_minor_s == 60 * ((2000 - 100) + (2000 - 110) + (2000 - 1000))
    assert row.delay_indicator == pytest.approx(4190 / 4790)
    assert row.value_weighted_delay_s == pytest.approx(4190 / 3)
    nothing = one_row(metrics.delays(simulate(RING, Policy.queue())))
    assert nothing.delay_indicator == 1
    assert np.isnan(nothing.value_weighted_delay_s)


def test_delay_counts_from_the_opening_and_not_from_an_arrival_before_it():
    day = day_of(
        (100, transfer("T1", "HK1", "HK2", 10)),
        balances={"HK1": {"HKD": 10}},
        hours={"HKD": Hours(500, 1500)},
        outages=[Outage("HK1", 0, 600)],
    )
    row = one_row(metrics.delays(simulate(day, Policy.queue())))
    assert (row.waited_minor_s, row.could_wait_minor_s) == (10 * 100, 10 * 1000)


def test_the_queue_is_counted_over_time(resolved_ring):
    frame = metrics.queue_over_time(resolved_ring, every_s=300).set_index("time_s")
    assert frame.queued_count.to_dict() == {0: 0, 300: 2, 600: 2, 900: 2, 1200: 3, 1500: 3, 1800: 0, 2100: 0}
    assert frame.queued_HKD_minor.loc[1200] == 180


def test_what_is_rejected_or_expired_is_not_in_the_queue():
    rejected = metrics.queue_over_time(simulate(RING, Policy.rtgs()), every_s=300)
    assert rejected.queued_count.max() == 0
    expiring = Day(RING.queue, RING.arrival_s, hours=CLOSES_AT_2000, latest_s=np.array([500, NO_CUT_OFF, NO_CUT_OFF]))
    frame = metrics.queue_over_time(simulate(expiring, Policy.queue()), every_s=300).set_index("time_s")
    assert frame.queued_count.loc[[300, 600, 1200]].tolist() == [2, 1, 2]


def test_throughput_is_the_share_of_value_that_arrived_and_settled(resolved_ring):
    frame = metrics.throughput(resolved_ring, every_s=300).set_index("time_s")
    assert frame.arrived_share.loc[[0, 300, 1200]].tolist() == pytest.approx([0, 2 / 3, 1])
    assert frame.settled_share.loc[[1500, 1800]].tolist() == [0, 1]


def test_netting_compares_what_runs_settled_with_what_they_moved(resolved_ring, passed_on):
    row = one_row(metrics.netting(resolved_ring))
    assert (row.gross_in_runs_minor, row.net_in_runs_minor, row.netting_ratio) == (180, 0, 1)
    net = one_row(metrics.netting(simulate(PASSED_ON, Policy.net(1500))))
    assert (net.gross_in_runs_minor, net.net_in_runs_minor) == (130, 30)
    gross = one_row(metrics.netting(passed_on))
    assert gross.gross_in_runs_minor == 0
    assert np.isnan(gross.netting_ratio)
    assert gross.day_netting_ratio == pytest.approx(1 - 30 / 130)


def test_the_bounds_of_liquidity_are_net_debits_and_peaks_of_immediate_settlement():
    frame = metrics.liquidity_bounds(PASSED_ON).set_index("bank")
    assert frame.lower_minor.to_dict() == {"HK1": 30, "HK2": 0, "HK3": 0}
    assert frame.upper_minor.to_dict() == {"HK1": 60, "HK2": 0, "HK3": 0}
    ring = metrics.liquidity_bounds(RING).set_index("bank")
    assert ring.lower_minor.sum() == 0
    assert ring.upper_minor.to_dict() == {"HK1": 60, "HK2": 0, "HK3": 0}


def test_the_alpha_sweep_opens_between_the_bounds_rounded_up():
    for alpha, opening in ((0, 30), (Fraction(1, 7), 35), (Fraction(1, 2), 45), (1, 60)):
        day = metrics.with_liquidity(PASSED_ON, alpha)
        assert day.balances == {"HK1": {"HKD": opening}, "HK2": {"HKD": 0}, "HK3": {"HKD": 0}}
        assert day.floors == {}
    for wrong in (0.5, -1, Fraction(3, 2), True):
        with pytest.raises(InvalidField, match="alpha"):
            metrics.with_liquidity(PASSED_ON, wrong)


def test_fairness_is_the_share_of_liquidity_over_the_share_of_payments(passed_on):
    frame = metrics.fairness(passed_on).set_index("bank")
    assert frame.liquidity_share.to_dict() == {"HK1": 1, "HK2": 0, "HK3": 0}
    assert frame.payments_share.loc["HK2"] == pytest.approx(40 / 130)
    assert frame.ratio.loc["HK1"] == pytest.approx(130 / 60)


class TestPrincipalAtRisk:
    DAY = day_of(
        (100, Obligation("X1", [Leg("HK1", "TH1", "HKD", 10), Leg("TH1", "HK1", "THB", 46)], priority=3)),
        (150, transfer("T1", "HK1", "TH1", 7)),
        balances={"HK1": {"HKD": 17}, "TH1": {"THB": 46}},
        hours={"HKD": Hours(0, 2000), "THB": Hours(700, 1500)},
    )

    def test_with_pvp_nothing_is_at_risk(self):
        frame = metrics.principal_at_risk(simulate(self.DAY, Policy.queue()))
        assert frame.at_risk_minor_s.tolist() == [0, 0]
        assert frame.unreciprocated_minor.tolist() == [0, 0]

    def test_legs_that_settle_apart_put_what_was_paid_first_at_risk(self):
        apart, whole = metrics.split_pvp(self.DAY)
        assert apart.queue.ids == ("X1/0", "X1/1", "T1/0")
        assert whole.tolist() == [0, 0, 1]
        result = simulate(apart, Policy.queue())
        assert result.settled_at_s.tolist() == [100, 700, 150]
        frame = metrics.principal_at_risk(result, whole).set_index("currency")
        assert frame.at_risk_minor_s.to_dict() == {"HKD": 10 * (700 - 100), "THB": 0}
        assert frame.unreciprocated_minor.to_dict() == {"HKD": 0, "THB": 0}

    def test_a_leg_whose_other_leg_never_settles_is_at_risk_to_the_end_and_lost(self):
        apart, whole = metrics.split_pvp(self.DAY)
        poor = Day(apart.queue, apart.arrival_s, {"HK1": {"HKD": 17}}, hours=self.DAY.hours)
        frame = metrics.principal_at_risk(simulate(poor, Policy.queue()), whole).set_index("currency")
        assert frame.at_risk_minor_s.loc["HKD"] == 10 * (2000 - 100)
        assert frame.unreciprocated_minor.to_dict() == {"HKD": 10, "THB": 0}
        with pytest.raises(InvalidField, match="whole"):
            metrics.principal_at_risk(simulate(poor, Policy.queue()), whole[:1])


def test_delay_and_liquidity_have_their_costs(passed_on, resolved_ring):
    rates = {"liquidity_rate": Fraction(1, 1000), "delay_rate": Fraction(1, 10)}
    assert metrics.costs(passed_on, **rates) == (Fraction(60, 1000), 0)
    assert metrics.costs(resolved_ring, **rates) == (0, Fraction(60 * 4190, 86_400 * 10))


def test_the_supervisors_tools_are_read_off_the_day():
    timed = Day(
        PASSED_ON.queue,
        PASSED_ON.arrival_s,
        PASSED_ON.balances,
        PASSED_ON.floors,
        CLOSES_AT_2000,
        latest_s=np.array([500, NO_CUT_OFF, 299]),
    )
    frame = metrics.monitoring(simulate(timed, Policy.queue())).set_index("bank")
    hk1, hk2, hk3 = (frame.loc[bank] for bank in ("HK1", "HK2", "HK3"))
    assert (hk1.largest_negative_position_minor, hk1.largest_positive_position_minor) == (60, 0)
    assert (hk2.largest_negative_position_minor, hk2.largest_positive_position_minor) == (0, 60)
    assert hk1.available_at_start_minor == 65
    assert (hk2.sent_minor, hk2.received_minor) == (40, 60)
    assert (hk1.time_specific_legs, hk1.time_specific_minor, hk1.time_specific_settled_minor) == (1, 60, 60)
    assert (hk3.time_specific_minor, hk3.time_specific_settled_minor) == (30, 0)
    assert all("isn't part" in why or "names" in why or "aren't part" in why for why in metrics.NOT_COMPUTABLE.values())


def test_intraday_throughput_of_an_empty_day_has_no_rows():
    empty = simulate(Day(Queue([]), np.array([], dtype=np.int64)), Policy.queue())
    assert metrics.intraday_throughput(empty).empty


def test_intraday_throughput_is_each_banks_own_share_by_the_hour(passed_on):
    frame = metrics.intraday_throughput(passed_on, every_s=150)
    hk2 = frame[frame.bank == "HK2"].set_index("time_s").sent_share
    assert hk2.loc[[0, 150, 300]].tolist() == [0, 0, 1]


def test_all_single_figures_stand_in_one_row(resolved_ring):
    frame = resolved_ring.metrics()
    row = one_row(frame)
    assert row.policy == "gross, fifo queue, every 900 s"
    assert (row.submitted_count, row.settled_count, row.settled_value_share) == (3, 3, 1)
    assert (row.liquidity_lower_bound_reporting, row.liquidity_upper_bound_reporting) == (0, 60)
    assert row.delay_indicator == pytest.approx(4190 / 4790)
    assert (row.most_queued_count, row.runs_count, row.netting_ratio) == (3, 2, 1)


def test_values_in_different_currencies_are_added_at_their_rates():
    day = day_of(
        (100, transfer("T1", "HK1", "TH1", 10)),
        (100, transfer("T2", "TH1", "HK1", 46, "THB")),
        balances={"HK1": {"HKD": 10}},
        rates={"THB": Fraction(10, 46)},
    )
    row = one_row(simulate(day, Policy.queue()).metrics())
    assert (row.submitted_value_reporting, row.settled_value_reporting) == (20, 10)


def test_sums_beyond_64_bits_are_exact():
    for amount in (2**61, 2**70 + 1):
        day = day_of(
            *((100 + number, transfer(f"T{number}", "HK1", "HK2", amount)) for number in range(5)),
            balances={"HK1": {"HKD": 4 * amount}},
        )
        result = simulate(day, Policy.queue())
        assert one_row(metrics.liquidity_used(result), bank="HK1").used_minor == 4 * amount
        waited = one_row(metrics.delays(result)).waited_minor_s
        assert waited == amount * (86_400 - 104)
        assert one_row(metrics.netting(result)).day_net_minor == 5 * amount
        assert metrics.with_liquidity(day, 1).balances["HK1"]["HKD"] == 5 * amount
        assert one_row(result.metrics()).settled_count == 4


def test_an_empty_day_has_empty_tables():
    result = simulate(Day(Queue([]), np.array([], dtype=np.int64)), Policy.gridlock(every_s=900))
    assert len(metrics.settled(result)) == 0
    assert one_row(result.metrics()).settled_count == 0
