"""A trade of two banks: matched, settled both legs or none, confirmed, forwarded."""

from __future__ import annotations

import pytest

from corridor.iso20022 import read_message
from tests.samples import HK_A, HK_B, OPERATOR, TH_A, TH_B, Entry, sums, trade_side

SOLD, BOUGHT = ("HKD", "10000000.00"), ("THB", "45000000.00")


@pytest.fixture
def sides(bench):
    """UETRs of the two sides of a trade, and the messages that bring them."""
    hongkong, thailand = bench.pen.uetr(), bench.pen.uetr()
    return {
        HK_A: (hongkong, bench.pen.message("pacs.009", trade_side(HK_A, TH_A, SOLD, BOUGHT, hongkong))),
        TH_A: (thailand, bench.pen.message("pacs.009", trade_side(TH_A, HK_A, BOUGHT, SOLD, thailand))),
    }


def trade(bench, sides):
    for bank, (_, raw) in sides.items():
        assert bench.send(bank, raw).accepted == 1
    return bench.cycle()


def test_each_sender_is_told_taken_in_then_settling_then_final(bench, sides):
    report = trade(bench, sides)
    assert (len(report.gross), report.net, report.waiting) == (1, [], {})
    for bank, (uetr, _) in sides.items():
        assert bench.statuses(bank, uetr) == ["ACTC", "ACSP", "ACSC"]
        assert bench.state(uetr) == "final"


def test_both_legs_move_and_every_currency_is_conserved(bench, sides, opening):
    trade(bench, sides)
    moved = {account: now - opening[account] for account, now in bench.balances().items() if now != opening[account]}
    assert moved == {
        (HK_A, "HKD"): -1_000_000_000,
        (TH_A, "HKD"): 1_000_000_000,
        (HK_A, "THB"): 4_500_000_000,
        (TH_A, "THB"): -4_500_000_000,
    }
    bench.assert_conserved()


def test_each_bank_gets_one_entry_for_each_leg_at_its_gross_amount(bench, sides):
    trade(bench, sides)
    [reference] = {entry.reference for entry in bench.entries(HK_A)}
    legs = {sides[HK_A][0]: ("HKD", -1_000_000_000), sides[TH_A][0]: ("THB", 4_500_000_000)}
    assert set(bench.entries(HK_A)) == {Entry(uetr, *leg, reference) for uetr, leg in legs.items()}
    assert set(bench.entries(TH_A)) == {Entry(uetr, code, -minor, reference) for uetr, (code, minor) in legs.items()}
    assert len(bench.entries(HK_A)) == len(bench.entries(TH_A)) == 2


def test_the_other_side_is_forwarded_with_the_same_uetr_and_the_same_content(bench, sides):
    trade(bench, sides)
    for sender, receiver in ((HK_A, TH_A), (TH_A, HK_A)):
        [forwarded] = bench.outbox(receiver, "forward")
        [arrived] = read_message(forwarded, operator_bic=OPERATOR).transactions
        [written] = read_message(sides[sender][1], operator_bic=OPERATOR).transactions
        assert arrived.uetr == sides[sender][0]
        assert arrived.content_hash == written.content_hash
        assert (arrived.payer_bic, arrived.payee_bic) == (sender, receiver)


def test_a_trade_with_one_side_waits_and_says_for_whom(bench, sides):
    uetr, raw = sides[HK_A]
    bench.send(HK_A, raw)
    bench.cycle()
    assert bench.statuses(HK_A, uetr) == ["ACTC", "PDNG"]
    assert f"no instruction of {TH_A}" in bench.told(HK_A, uetr)[-1].text
    assert bench.state(uetr) == "unmatched"


def test_sides_that_differ_wait_and_are_told_what_differs(bench, sides):
    uetr, raw = sides[HK_A]
    other = bench.pen.uetr()
    wrong = trade_side(TH_A, HK_A, ("THB", "44999999.99"), SOLD, other)
    bench.send(HK_A, raw)
    bench.pay(TH_A, "pacs.009", wrong)
    bench.cycle()
    for bank, one in ((HK_A, uetr), (TH_A, other)):
        assert bench.statuses(bank, one) == ["ACTC", "PDNG"]
        assert "THB 44,999,999.99" in bench.told(bank, one)[-1].text
        assert "THB 45,000,000.00" in bench.told(bank, one)[-1].text
    bench.send(*(TH_A, sides[TH_A][1]))
    assert len(bench.cycle().gross) == 1
    assert bench.state(uetr) == bench.state(sides[TH_A][0]) == "final"
    assert bench.state(other) == "unmatched"


@pytest.mark.parametrize(
    "changed",
    [
        {"reference": "FX-2"},
        {"sold": ("THB", "45000000.01")},
        {"bought": ("HKD", "9999999.99")},
        {"payee": HK_B},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_sides_that_differ_in_anything_do_not_match(bench, sides, changed):
    bench.send(HK_A, sides[HK_A][1])
    terms = {"payer": TH_A, "payee": HK_A, "sold": BOUGHT, "bought": SOLD, "uetr": bench.pen.uetr()} | changed
    bench.pay(TH_A, "pacs.009", trade_side(**terms))
    report = bench.cycle()
    assert (report.gross, report.net) == ([], [])
    assert bench.state(sides[HK_A][0]) == bench.state(terms["uetr"]) == "unmatched"


def test_cancelling_one_side_leaves_the_other_unmatched_and_a_new_instruction_settles_with_it(bench, sides, opening):
    bench.corridor.agents[HK_A].submit(sides[HK_A][1], bench.corridor.operator)
    bench.send(TH_A, sides[TH_A][1])
    bench.amend(HK_A, sides[HK_A][0], "hold")
    bench.cycle()
    assert bench.state(sides[TH_A][0]) == "queued"
    bench.amend(HK_A, sides[HK_A][0], "cancel")
    assert bench.statuses(HK_A, sides[HK_A][0])[-1] == "CANC"
    assert (bench.state(sides[HK_A][0]), bench.state(sides[TH_A][0])) == ("cancelled", "unmatched")
    bench.cycle()
    assert bench.balances() == opening
    assert bench.told(TH_A, sides[TH_A][0])[-1].status == "PDNG"
    again = bench.pen.uetr()
    bench.pay(HK_A, "pacs.009", trade_side(HK_A, TH_A, SOLD, BOUGHT, again))
    bench.cycle()
    assert bench.state(again) == bench.state(sides[TH_A][0]) == "final"
    assert bench.state(sides[HK_A][0]) == "cancelled"


def test_neither_leg_settles_while_one_payer_is_short(bench, opening):
    hongkong, thailand = bench.pen.uetr(), bench.pen.uetr()
    sold, bought = ("HKD", "12000000.01"), ("THB", "100.00")
    bench.pay(HK_A, "pacs.009", trade_side(HK_A, TH_A, sold, bought, hongkong))
    bench.pay(TH_A, "pacs.009", trade_side(TH_A, HK_A, bought, sold, thailand))
    bench.cycle()
    assert bench.balances() == opening
    assert "HKBAHKHHXXX is short of HKD 0.01" in bench.told(TH_A, thailand)[-1].text


def test_a_ring_of_trades_that_none_can_settle_alone_settles_in_one_batch(bench, opening):
    """Each of four trades asks a bank for more than it has; all together ask for little."""
    ring = [
        (HK_A, TH_A, "30000000.00", "135000000.00"),
        (TH_A, HK_B, "29000000.00", "130500000.00"),
        (HK_B, TH_B, "29500000.00", "132750000.00"),
        (TH_B, HK_A, "30000000.00", "135000000.00"),
    ]
    funded = bench.pen.uetr(), bench.pen.uetr()
    # First the banks buy a little of the currency that they have none of.
    for payer, payee, reference, uetr_pair in ((HK_A, TH_A, "F-1", funded), (HK_B, TH_B, "F-2", None)):
        one, other = uetr_pair or (bench.pen.uetr(), bench.pen.uetr())
        hkd, thb = ("HKD", "2000000.00"), ("THB", "9000000.00")
        bench.pay(payer, "pacs.009", trade_side(payer, payee, hkd, thb, one, reference=reference))
        bench.pay(payee, "pacs.009", trade_side(payee, payer, thb, hkd, other, reference=reference))
    assert len(bench.cycle().gross) == 2
    before, uetrs = bench.balances(), []
    for place, (seller, buyer, hkd, thb) in enumerate(ring):
        pair = bench.pen.uetr(), bench.pen.uetr()
        reference = f"RING-{place}"
        sold, bought = ("HKD", hkd), ("THB", thb)
        bench.pay(seller, "pacs.009", trade_side(seller, buyer, sold, bought, pair[0], reference=reference))
        if place < 3:
            assert bench.cycle().gross == []
        bench.pay(buyer, "pacs.009", trade_side(buyer, seller, bought, sold, pair[1], reference=reference))
        if place < 3:
            settled = bench.cycle()
            assert (settled.gross, settled.net) == ([], [])
        uetrs += [(seller, pair[0]), (buyer, pair[1])]
    report = bench.cycle()
    assert (len(report.gross), len(report.net), report.waiting) == (0, 4, {})
    assert {bench.state(uetr) for _, uetr in uetrs} == {"final"}
    references = {entry.reference for bank in (HK_A, HK_B, TH_A, TH_B) for entry in bench.entries(bank)}
    assert len(references) == 3  # two trades gross before, and one batch
    [batch] = (
        references - {e.reference for e in bench.entries(HK_A)[:2]} - {e.reference for e in bench.entries(HK_B)[:2]}
    )
    for bank in (HK_A, HK_B, TH_A, TH_B):
        moved = sums(entry for entry in bench.entries(bank) if entry.reference == batch)
        after = {currency: bench.balance(bank, currency) - before[bank, currency] for currency in ("HKD", "THB")}
        assert moved == after, f"entries of {bank} add up to the token movement"
    bench.assert_conserved()
