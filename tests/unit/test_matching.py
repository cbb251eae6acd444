"""Two instructions are a trade when each says of the other what the other says itself."""

from dataclasses import replace

import pytest

from corridor.matching import TradeSide, match
from corridor.money import Money

HK_BANK, TH_BANK, OTHER_BANK = "HKBAHKHHXXX", "THBATHBKXXX", "THBBTHBKXXX"
SELLER = TradeSide("uetr-1", "TRADE-1", HK_BANK, TH_BANK, Money("HKD", 100_00), Money("THB", 450_00))


def mirror(side, uetr):
    """The other bank's instruction of the same trade."""
    return TradeSide(uetr, side.reference, side.payee, side.payer, side.bought, side.sold)


BUYER = mirror(SELLER, "uetr-2")


def test_two_sides_that_agree_are_paired_in_the_order_of_arrival():
    assert match([SELLER, BUYER]).pairs == (("uetr-1", "uetr-2"),)
    assert match([BUYER, SELLER]).pairs == (("uetr-2", "uetr-1"),)
    assert match([SELLER, BUYER]).unmatched == {}


@pytest.mark.parametrize(
    "change",
    [
        {"reference": "TRADE-2"},
        {"reference": "trade-1"},
        {"payee": OTHER_BANK},
        {"payer": OTHER_BANK},
        {"sold": Money("THB", 450_01)},
        {"bought": Money("HKD", 99_99)},
        {"sold": Money("CNY", 450_00)},
    ],
)
def test_sides_that_differ_in_anything_wait(change):
    matching = match([SELLER, replace(BUYER, **change)])
    assert matching.pairs == ()
    assert set(matching.unmatched) == {"uetr-1", "uetr-2"}


def test_two_instructions_of_one_bank_are_no_trade():
    assert match([SELLER, replace(SELLER, uetr="uetr-3")]).pairs == ()


def test_the_earliest_that_fits_wins_and_each_side_is_used_once():
    again = replace(SELLER, uetr="uetr-3")
    matching = match([SELLER, again, BUYER, mirror(SELLER, "uetr-4"), mirror(SELLER, "uetr-5")])
    assert matching.pairs == (("uetr-1", "uetr-2"), ("uetr-3", "uetr-4"))
    assert set(matching.unmatched) == {"uetr-5"}


def test_a_side_alone_is_told_whom_it_waits_for():
    assert match([SELLER]).unmatched["uetr-1"] == f"unmatched: no instruction of {TH_BANK} for trade TRADE-1 yet"


def test_sides_with_other_terms_are_told_what_the_other_says():
    reason = match([SELLER, replace(BUYER, sold=Money("THB", 460_00))]).unmatched["uetr-1"]
    assert f"{TH_BANK} sells THB 460.00 for HKD 100.00" in reason
    assert "this instruction says THB 450.00 for HKD 100.00" in reason


def test_nothing_to_match_is_no_match():
    assert match([]).pairs == ()
