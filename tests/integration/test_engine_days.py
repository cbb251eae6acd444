"""The business day: what waits for its day, what ends with the day, and what comes too late."""

from __future__ import annotations

from datetime import date

import pytest

from corridor.calendars import cutoff_at_s
from corridor.engine import days
from corridor.engine.days import DayError
from corridor.ports import ConsentRefused, GrossProposal
from corridor.store.tables import payments
from tests.samples import HK_A, HK_B, TH_A, TH_B, bank_payment, customer, trade_side


def test_a_later_value_date_waits_for_its_day_and_settles_then(bench, opening):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr, value_date="2026-11-25"))
    assert bench.statuses(HK_A, uetr) == ["ACTC"]
    for expected in (date(2026, 11, 23), date(2026, 11, 24)):
        bench.cycle()
        assert bench.state(uetr) == "warehoused"
        assert bench.balances() == opening
        days.close_day(bench.desk)
        assert bench.corridor.open_day(None) > expected
    bench.cycle()
    assert bench.state(uetr) == "final"
    assert bench.statuses(HK_A, uetr) == ["ACTC", "ACSP", "ACSC"]


def test_a_trade_waits_for_its_value_date_too(bench):
    one, other = bench.pen.uetr(), bench.pen.uetr()
    hkd, thb = ("HKD", "1.00"), ("THB", "4.50")
    bench.pay(HK_A, "pacs.009", trade_side(HK_A, TH_A, hkd, thb, one, value_date="2026-11-24"))
    bench.pay(TH_A, "pacs.009", trade_side(TH_A, HK_A, thb, hkd, other, value_date="2026-11-24"))
    bench.cycle()
    assert bench.state(one) == bench.state(other) == "warehoused"
    assert days.close_day(bench.desk) == 0
    bench.corridor.open_day(None)
    bench.cycle()
    assert bench.state(one) == bench.state(other) == "final"


@pytest.mark.parametrize("value_date", ["2026-11-20", "2026-12-04", "2026-11-28"], ids=["past", "far", "Saturday"])
def test_a_value_date_out_of_bounds_is_refused(bench, value_date):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr, value_date=value_date))
    assert [(one.status, one.code) for one in bench.told(HK_A, uetr)] == [("RJCT", "DT01")]


def test_a_holiday_of_the_currency_bought_is_refused_too(configured, open_bench):
    configured('holidays = ["2026-12-07"', 'holidays = ["2026-11-25", "2026-12-07"')
    bench = open_bench()
    plain, trade = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", plain, value_date="2026-11-25"))
    hkd, thb = ("HKD", "1.00"), ("THB", "4.50")
    bench.pay(HK_A, "pacs.009", trade_side(HK_A, TH_A, hkd, thb, trade, value_date="2026-11-25"))
    assert bench.statuses(HK_A, plain) == ["ACTC"]
    assert [one.code for one in bench.told(HK_A, trade)] == ["DT01"]


def test_what_is_unmatched_or_queued_when_the_day_closes_ends_with_tm01(bench, opening):
    unmatched, queued, held, waiting = (bench.pen.uetr() for _ in range(4))
    bench.pay(HK_A, "pacs.009", trade_side(HK_A, TH_A, ("HKD", "1.00"), ("THB", "4.50"), unmatched))
    bench.pay(HK_B, "pacs.008", customer(HK_B, TH_A, "HKD", "12000001.00", queued))
    bench.pay(TH_A, "pacs.008", customer(TH_A, TH_B, "THB", "1.00", held))
    bench.amend(TH_A, held, "hold")
    bench.pay(TH_B, "pacs.008", customer(TH_B, TH_A, "THB", "1.00", waiting, value_date="2026-11-24"))
    bench.cycle()
    assert days.close_day(bench.desk) == 3
    for bank, uetr in ((HK_A, unmatched), (HK_B, queued), (TH_A, held)):
        assert bench.told(bank, uetr)[-1].status == "RJCT"
        assert bench.told(bank, uetr)[-1].code == "TM01"
        assert bench.state(uetr) == "expired"
    assert "held" in bench.told(TH_A, held)[-1].text
    assert "short of HKD 1.00" in bench.told(HK_B, queued)[-1].text
    assert bench.state(waiting) == "warehoused"
    assert bench.balances() == opening


def test_what_ended_with_the_day_never_settles_although_the_operator_tries(bench, opening):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "12000001.00", uetr))
    bench.cycle()
    days.close_day(bench.desk)
    bench.corridor.open_day(None)
    bench.pay(HK_B, "pacs.008", customer(HK_B, HK_A, "HKD", "100.00", bench.pen.uetr()))
    bench.cycle()
    assert bench.state(uetr) == "expired"
    with bench.desk.database.begin() as connection:
        [row] = connection.execute(payments.select().where(payments.c.uetr == uetr)).mappings()
        connection.exec_driver_sql("UPDATE payments SET state = 'queued' WHERE uetr = ?", (uetr,))
    proposal = GrossProposal(bench.desk.obligation([row]), bench.desk.ledger_time_s() + 60)
    with pytest.raises(ConsentRefused, match="cancelled"):
        bench.corridor.agents[HK_A].gross_consent(proposal)
    report = bench.cycle()
    assert (report.gross, report.net) == ([], [])
    assert bench.balance(TH_A, "HKD") == 0


def test_what_ended_with_the_day_is_answered_the_same_way_when_sent_again(bench):
    uetr = bench.pen.uetr()
    payment = customer(HK_A, TH_A, "HKD", "12000001.00", uetr)
    bench.pay(HK_A, "pacs.008", payment)
    days.close_day(bench.desk)
    bench.corridor.open_day(None)
    bench.pay(HK_A, "pacs.008", payment)
    assert [(one.status, one.code) for one in bench.told(HK_A, uetr)] == [
        ("ACTC", ""),
        ("RJCT", "TM01"),
        ("RJCT", "TM01"),
    ]


def test_after_the_day_was_closed_a_payment_for_it_comes_too_late_and_one_for_tomorrow_does_not(bench):
    days.close_day(bench.desk)
    today, tomorrow = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", today))
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", tomorrow, value_date="2026-11-24"))
    assert [one.code for one in bench.told(HK_A, today)] == ["TM01"]
    assert bench.statuses(HK_A, tomorrow) == ["ACTC"]
    bench.corridor.open_day(None)
    bench.cycle()
    assert bench.state(tomorrow) == "final"


@pytest.mark.parametrize(("seconds", "expected"), [(-1, "ACTC"), (0, "RJCT"), (1, "RJCT")])
def test_the_cut_off_counts_to_the_second(configured, open_bench, seconds, expected):
    configured('cut_off = "18:30"', 'cut_off = "19:30"')
    bench = open_bench()
    thb = bench.corridor.config.currencies["THB"].calendar
    bench.clock.now_s += cutoff_at_s(date(2026, 11, 23), thb) - bench.corridor.now_s() + seconds
    baht, dollar = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(TH_A, "pacs.009", bank_payment(TH_A, TH_B, "THB", "1.00", baht))
    bench.pay(HK_A, "pacs.009", bank_payment(HK_A, HK_B, "HKD", "1.00", dollar))
    assert bench.statuses(TH_A, baht) == [expected]
    bench.cycle()
    assert bench.state(dollar) == "final"
    if expected == "ACTC":
        assert bench.state(baht) == "final"


def test_a_payment_queued_before_its_cut_off_does_not_settle_after_it(bench):
    uetr = bench.pen.uetr()
    bench.pay(TH_A, "pacs.009", bank_payment(TH_A, TH_B, "THB", "1.00", uetr))
    bench.clock.now_s += 10 * 3600
    bench.cycle()
    assert bench.state(uetr) == "queued"
    assert "closed" in bench.told(TH_A, uetr)[-1].text
    days.close_day(bench.desk)
    assert bench.told(TH_A, uetr)[-1].code == "TM01"


def test_days_open_and_close_in_turn(bench):
    with pytest.raises(DayError):
        bench.corridor.open_day(None)
    days.close_day(bench.desk)
    with pytest.raises(DayError):
        days.close_day(bench.desk)
    for wrong in (date(2026, 11, 23), date(2026, 11, 20), date(2026, 11, 28)):
        with pytest.raises(DayError):
            bench.corridor.open_day(wrong)
    assert bench.corridor.open_day(None) == date(2026, 11, 24)


def test_the_next_day_after_friday_is_monday(bench):
    days.close_day(bench.desk)
    assert bench.corridor.open_day(date(2026, 11, 27)) == date(2026, 11, 27)
    days.close_day(bench.desk)
    assert bench.corridor.open_day(None) == date(2026, 11, 30)


def test_two_days_of_payments_end_with_conserved_balances(bench, opening):
    first, second = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", first))
    bench.cycle()
    days.close_day(bench.desk)
    bench.reopen()
    bench.corridor.open_day(None)
    bench.pay(TH_A, "pacs.008", customer(TH_A, HK_A, "HKD", "4.00", second))
    bench.cycle()
    days.close_day(bench.desk)
    assert bench.balance(TH_A, "HKD") - opening[TH_A, "HKD"] == 600
    assert bench.entries(HK_A)[0].reference != bench.entries(HK_A)[1].reference
    bench.assert_conserved()
