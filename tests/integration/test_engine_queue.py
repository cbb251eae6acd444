"""What waits: why, for how long, and what its bank can do about it."""

from __future__ import annotations

import pytest

from corridor.agent_books import UnknownPayment
from corridor.engine import views
from corridor.engine.operator import AmendmentRefused
from tests.samples import HK_A, HK_B, TH_A, TH_B, bank_payment, customer, sums


def test_a_payment_short_of_liquidity_is_told_what_is_missing_and_its_place(bench, opening):
    first, second = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "12000001.50", first))
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "5.00", second))
    bench.cycle()
    status = bench.told(HK_A, first)[-1]
    assert status.status == "PDNG"
    assert "short of HKD 1.50" in status.text
    assert "place 1 in the HKD queue" in status.text
    behind = bench.told(HK_A, second)[-1]
    assert behind.status == "PDNG"
    assert "place 2 in the HKD queue" in behind.text
    assert bench.balances() == opening


def test_a_bank_is_told_once_why_it_waits_and_not_in_every_cycle(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "12000001.00", uetr))
    for _ in range(4):
        bench.cycle()
    assert bench.statuses(HK_A, uetr) == ["ACTC", "PDNG"]


def test_what_is_missing_is_told_as_it_stands_now_to_who_asks(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "12000003.00", uetr))
    bench.cycle()
    bench.pay(HK_B, "pacs.008", customer(HK_B, HK_A, "HKD", "2.00", bench.pen.uetr()))
    bench.cycle()
    [waiting] = views.queue(bench.desk)
    assert "short of HKD 1.00" in waiting["reason"]
    assert "short of HKD 1.00" in bench.reason(uetr)


def test_an_incoming_payment_cures_a_shortage(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "12000001.00", uetr))
    bench.cycle()
    bench.pay(HK_B, "pacs.008", customer(HK_B, HK_A, "HKD", "1.00", bench.pen.uetr()))
    bench.cycle()
    assert bench.statuses(HK_A, uetr) == ["ACTC", "PDNG", "ACSP", "ACSC"]
    assert bench.balance(HK_A, "HKD") == 0


def test_two_payments_that_only_settle_together_settle_together(bench):
    one, other = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, HK_B, "HKD", "15000000.00", one))
    assert bench.cycle().net == []
    bench.pay(HK_B, "pacs.008", customer(HK_B, HK_A, "HKD", "14000000.00", other))
    report = bench.cycle()
    assert (len(report.gross), len(report.net)) == (0, 2)
    assert bench.balance(HK_A, "HKD") == 1_100_000_000
    assert sums(bench.entries(HK_A)) == {"HKD": -100_000_000}
    assert sorted(entry.signed_minor for entry in bench.entries(HK_A)) == [-1_500_000_000, 1_400_000_000]


def test_more_affordable_payments_than_the_gross_limit_are_netted(bench):
    uetrs = [bench.pen.uetr() for _ in range(9)]
    bench.pay(HK_A, "pacs.008", *[customer(HK_A, TH_A, "HKD", "1.00", uetr) for uetr in uetrs[:5]])
    bench.pay(TH_B, "pacs.008", *[customer(TH_B, HK_B, "THB", "1.00", uetr) for uetr in uetrs[5:]])
    report = bench.cycle()
    assert (len(report.gross), len(report.net)) == (0, 9)
    [reference] = {entry.reference for entry in bench.entries(HK_A)}
    assert sums(bench.entries(TH_A)) == {"HKD": 500}
    assert {entry.reference for entry in bench.entries(HK_B)} == {reference}


def test_as_many_affordable_payments_as_the_gross_limit_settle_gross(bench):
    bench.pay(HK_A, "pacs.008", *[customer(HK_A, TH_A, "HKD", "1.00", bench.pen.uetr()) for _ in range(8)])
    report = bench.cycle()
    assert (len(report.gross), len(report.net)) == (8, 0)


def test_a_held_payment_is_told_so_blocks_nobody_and_settles_when_released(bench):
    held, later = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "12000000.00", held))
    bench.amend(HK_A, held, "hold")
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", later))
    bench.cycle()
    bench.cycle()
    assert bench.statuses(HK_A, held) == ["ACTC", "PDNG"]
    assert "held" in bench.told(HK_A, held)[-1].text
    assert bench.state(later) == "final"
    bench.amend(HK_A, held, "cancel")
    small = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "20.00", small))
    bench.amend(HK_A, small, "hold")
    bench.cycle()
    bench.amend(HK_A, small, "release")
    bench.cycle()
    assert bench.statuses(HK_A, small) == ["ACTC", "PDNG", "ACSP", "ACSC"]


def test_the_agent_of_a_bank_that_held_its_payment_signs_nothing_for_it(bench):
    """Also when the operator forgets the hold."""
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    bench.amend(HK_A, uetr, "hold")
    with bench.desk.database.begin() as connection:
        connection.exec_driver_sql("UPDATE payments SET held = 0, reason_code = NULL, reason = NULL")
    report = bench.cycle()
    assert (report.gross, report.net) == ([], [])
    assert "held" in bench.reason(uetr)


def test_a_cancelled_payment_is_told_so_and_never_settles(bench, opening):
    uetr = bench.pen.uetr()
    raw = bench.pen.message("pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    bench.send(HK_A, raw)
    bench.amend(HK_A, uetr, "cancel")
    bench.cycle()
    assert bench.statuses(HK_A, uetr) == ["ACTC", "CANC"]
    assert bench.balances() == opening
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    assert bench.statuses(HK_A, uetr) == ["ACTC", "CANC", "CANC"]
    with pytest.raises(UnknownPayment):
        bench.amend(HK_A, uetr, "release")
    assert bench.cycle().gross == []


def test_what_has_settled_can_be_changed_no_more(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    bench.cycle()
    for verb in ("hold", "cancel", "release"):
        with pytest.raises(UnknownPayment):
            bench.amend(HK_A, uetr, verb)
    with pytest.raises(AmendmentRefused):
        bench.amend(HK_A, uetr, "priority", 1)
    assert bench.statuses(HK_A, uetr) == ["ACTC", "ACSP", "ACSC"]


def test_a_bank_can_change_only_its_own_payments(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    for verb, error in (("cancel", UnknownPayment), ("priority", AmendmentRefused)):
        with pytest.raises(error):
            bench.amend(TH_A, uetr, verb, 1)
    bench.cycle()
    assert bench.state(uetr) == "final"


def test_a_high_priority_overtakes_in_its_own_banks_queue(bench):
    normal, urgent = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "12000001.00", normal))
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "11000000.00", urgent, priority="HIGH"))
    bench.cycle()
    assert (bench.state(normal), bench.state(urgent)) == ("queued", "final")


def test_a_priority_changed_later_counts_as_well(bench):
    first, second = bench.pen.uetr(), bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "12000001.00", first))
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "11000000.00", second))
    assert bench.cycle().gross == []
    bench.amend(HK_A, second, "priority", 1)
    bench.cycle()
    assert (bench.state(first), bench.state(second)) == ("queued", "final")


def test_a_high_priority_does_not_overtake_in_another_banks_queue(bench):
    """THB 60 million of the other bank stand before its own urgent payment only in its own queue."""
    elsewhere, urgent, behind = (bench.pen.uetr() for _ in range(3))
    bench.pay(TH_A, "pacs.009", bank_payment(TH_A, TH_B, "THB", "50000001.00", elsewhere))
    bench.pay(TH_A, "pacs.009", bank_payment(TH_A, TH_B, "THB", "1.00", behind))
    bench.pay(HK_A, "pacs.009", bank_payment(HK_A, HK_B, "HKD", "1.00", urgent, priority="HIGH"))
    bench.cycle()
    assert [bench.state(uetr) for uetr in (elsewhere, urgent, behind)] == ["queued", "final", "queued"]
    assert "place 1 in the THB queue" in bench.told(TH_A, elsewhere)[-1].text
    assert "place 2 in the THB queue" in bench.told(TH_A, behind)[-1].text


def test_a_trade_that_just_came_in_is_not_said_to_settle_next(bench):
    from tests.samples import trade_side

    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.009", trade_side(HK_A, TH_A, ("HKD", "1.00"), ("THB", "4.50"), uetr))
    [view] = views.queue(bench.desk)
    assert view["state"] == "unmatched"
    assert "settles" not in view["reason"]


def test_a_restart_changes_nothing_of_what_waits(bench):
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "12000001.00", uetr))
    bench.cycle()
    before = bench.outbox_names(HK_A)
    bench.reopen()
    assert bench.cycle().found == []
    assert bench.outbox_names(HK_A) == before
    assert bench.state(uetr) == "queued"
