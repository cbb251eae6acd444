"""What the corridor doesn't take, why, and which reason wins."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

import pytest

from corridor.calendars import calendar_from, cutoff_at_s
from corridor.iso20022 import CreditTransfer, PvpTerms, read_message
from corridor.validation import (
    MAX_AMOUNT_MINOR,
    PRECEDENCE,
    REASON_CODES,
    ParticipantStatus,
    Rules,
    refusal,
    settlement_date,
)
from tests.unit.iso20022_samples import OPERATOR, PAID_BANK, PAYING_BANK, customer_transfer, message

BUSINESS_DATE = date(2026, 11, 23)
CALENDARS = {
    currency: calendar_from(currency, table)
    for currency, table in {
        "HKD": {"zone": "Asia/Hong_Kong", "opening": "08:30", "cut_off": "18:30"},
        "THB": {"zone": "Asia/Bangkok", "opening": "08:30", "cut_off": "16:00", "holidays": ["2026-11-25"]},
        "JPY": {"zone": "Asia/Tokyo", "opening": "08:30", "cut_off": "18:00"},
    }.items()
}
RULES = Rules(
    participants={
        PAYING_BANK: ParticipantStatus.ACTIVE,
        PAID_BANK: ParticipantStatus.ACTIVE,
        "HKBBHKHHXXX": ParticipantStatus.SUSPENDED,
    },
    calendars=CALENDARS,
    business_date=BUSINESS_DATE,
    horizon_days=10,
    now_s=cutoff_at_s(BUSINESS_DATE, CALENDARS["THB"]) - 3_600,
)
PLAIN = read_message(message(customer_transfer()), operator_bic=OPERATOR).transactions[0]
PVP = dataclasses.replace(PLAIN, pvp=PvpTerms("THB", "450.00", "TRADE-1"))


def code(transaction: CreditTransfer, rules: Rules = RULES, sender_bic: str = PAYING_BANK) -> str | None:
    found = refusal(transaction, rules, sender_bic=sender_bic)
    assert found is None or found.code in REASON_CODES
    return found.code if found else None


def changed(transaction: CreditTransfer = PLAIN, **changes: object) -> CreditTransfer:
    return dataclasses.replace(transaction, **changes)


def test_a_good_payment_and_a_good_pvp_leg_are_taken() -> None:
    assert code(PLAIN) is None
    assert code(PVP) is None


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"uetr": None}, "NARR"),
        ({"amount_text": "0.00"}, "AM01"),
        ({"currency": "USD"}, "AM03"),
        ({"currency": "XXX"}, "AM03"),
        ({"amount_text": "1.005"}, "AM12"),
        ({"amount_text": "1.00500"}, "AM12"),
        ({"currency": "JPY", "amount_text": "1.5"}, "AM12"),
        ({"payer_bic": ""}, "RC01"),
        ({"payee_bic": "XXBKSGSGXXX"}, "RC01"),
        ({"payee_bic": PAYING_BANK}, "AG01"),
        ({"payee_bic": "HKBBHKHHXXX"}, "AG01"),
        ({"agent_bics": ("HKBBHKHHXXX",)}, "AG10"),
        ({"value_date": BUSINESS_DATE - timedelta(days=1)}, "DT01"),
        ({"value_date": BUSINESS_DATE + timedelta(days=11)}, "DT01"),
        ({"value_date": BUSINESS_DATE + timedelta(days=5)}, "DT01"),
    ],
)
def test_a_transaction_is_refused_with_its_code(changes: dict[str, object], expected: str) -> None:
    assert code(changed(**changes)) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_text": "1.00000"},
        {"currency": "JPY", "amount_text": "15"},
        {"agent_bics": ("XXBKSGSGXXX",)},
        {"value_date": None},
        {"value_date": BUSINESS_DATE + timedelta(days=10)},
        {"value_date": BUSINESS_DATE + timedelta(days=2)},
    ],
)
def test_a_transaction_is_taken_although_it_looks_odd(changes: dict[str, object]) -> None:
    assert code(changed(**changes)) is None


def test_a_bank_instructs_only_what_it_pays_itself() -> None:
    found = refusal(PLAIN, RULES, sender_bic=PAID_BANK)
    assert found is not None
    assert found.code == "NARR"
    assert PAID_BANK in found.text


def test_an_amount_is_bounded_so_that_a_full_message_of_them_still_adds_up_in_64_bits() -> None:
    assert code(changed(amount_text="1000000000000.00")) is None
    assert code(changed(amount_text="1000000000000.01")) == "NARR"
    assert 20_000 * MAX_AMOUNT_MINOR < 2**63


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (PvpTerms("USD", "450.00", "TRADE-1"), "AM03"),
        (PvpTerms("THB", "450.001", "TRADE-1"), "AM12"),
        (PvpTerms("THB", "9999999999999.00", "TRADE-1"), "NARR"),
    ],
)
def test_what_a_pvp_leg_buys_is_judged_too(terms: PvpTerms, expected: str) -> None:
    assert code(changed(PVP, pvp=terms)) == expected


def test_a_pvp_leg_needs_both_currencies_open() -> None:
    closed_in_thailand = date(2026, 11, 25)
    assert code(changed(value_date=closed_in_thailand)) is None
    assert code(changed(PVP, value_date=closed_in_thailand)) == "DT01"


@pytest.mark.parametrize(("offset_s", "expected"), [(-1, None), (0, "TM01"), (1, "TM01")])
def test_a_payment_is_in_time_until_the_second_of_the_cut_off(offset_s: int, expected: str | None) -> None:
    at_cut_off = dataclasses.replace(RULES, now_s=cutoff_at_s(BUSINESS_DATE, CALENDARS["HKD"]) + offset_s)
    assert code(PLAIN, at_cut_off) == expected


def test_a_pvp_leg_is_late_at_the_first_of_both_cut_offs() -> None:
    at_thai_cut_off = dataclasses.replace(RULES, now_s=cutoff_at_s(BUSINESS_DATE, CALENDARS["THB"]))
    assert code(PLAIN, at_thai_cut_off) is None
    assert code(PVP, at_thai_cut_off) == "TM01"


def test_a_payment_for_a_later_day_is_taken_after_todays_cut_off() -> None:
    evening = dataclasses.replace(RULES, now_s=cutoff_at_s(BUSINESS_DATE, CALENDARS["HKD"]) + 3_600)
    assert code(changed(value_date=BUSINESS_DATE + timedelta(days=1)), evening) is None


def test_the_settlement_date_is_the_value_date_or_the_business_date() -> None:
    assert settlement_date(changed(value_date=None), RULES) == BUSINESS_DATE
    assert settlement_date(changed(value_date=date(2026, 11, 24)), RULES) == date(2026, 11, 24)


def test_of_several_faults_the_first_in_the_order_of_precedence_is_said() -> None:
    """Starting with every fault, curing one after the other: each cure uncovers the next reason."""
    late = dataclasses.replace(RULES, now_s=cutoff_at_s(BUSINESS_DATE, CALENDARS["HKD"]))
    worst = changed(
        uetr=None,
        fault=refusal(changed(uetr=None), RULES, sender_bic=PAYING_BANK),
        amount_text="0.00",
        currency="USD",
        payee_bic="XXBKSGSGXXX",
        agent_bics=("HKBBHKHHXXX",),
        value_date=BUSINESS_DATE - timedelta(days=1),
    )
    cures = [
        {"uetr": PLAIN.uetr},
        {"fault": None},
        {"amount_text": "1.005"},
        {"currency": "HKD"},
        {"amount_text": "1.00"},
        {"payee_bic": PAYING_BANK},
    ]
    codes, now = [code(worst, late, PAID_BANK)], worst
    for cure in cures:
        now = changed(now, **cure)
        codes.append(code(now, late, PAID_BANK))
    codes.append(code(now, late, PAYING_BANK))
    for cure in ({"payee_bic": PAID_BANK}, {"agent_bics": ()}, {"value_date": None}):
        now = changed(now, **cure)
        codes.append(code(now, late, PAYING_BANK))
    assert codes == ["NARR", "NARR", "AM01", "AM03", "AM12", "RC01", "NARR", "AG01", "AG10", "DT01", "TM01"]
    assert len(PRECEDENCE) == len(codes)
