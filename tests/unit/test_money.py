"""Money is an exact count of minor units, whatever the decimals of its currency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corridor.money import MINOR_UNIT_DIGITS, AmountError, Money, format_minor, parse_amount


@pytest.mark.parametrize(
    ("currency", "text", "amount_minor"),
    [
        ("HKD", "1", 100),
        ("HKD", "1.", 100),
        ("HKD", "1.5", 150),
        ("HKD", ".05", 5),
        ("HKD", "0.01", 1),
        ("HKD", "0001.10", 110),
        ("HKD", "1.10000", 110),
        ("JPY", "1", 1),
        ("JPY", "1.000", 1),
        ("THB", "999999999999999999.99", 99999999999999999999),
        ("HKD", "90071992547409.93", 9007199254740993),
    ],
)
def test_a_decimal_is_read_exactly(currency, text, amount_minor):
    assert parse_amount(currency, text) == amount_minor


@pytest.mark.parametrize(
    ("currency", "text", "reason"),
    [
        ("HKD", "0", "zero"),
        ("HKD", "0.00", "zero"),
        ("HKD", "0.001", "decimals"),
        ("HKD", "1.005", "decimals"),
        ("JPY", "1.5", "decimals"),
        ("HKD", "", "syntax"),
        ("HKD", ".", "syntax"),
        ("HKD", "-1", "syntax"),
        ("HKD", "+1", "syntax"),
        ("HKD", "1e3", "syntax"),
        ("HKD", "1,000.00", "syntax"),
        ("HKD", " 1", "syntax"),
        ("HKD", "1\n", "syntax"),
        ("HKD", "1.5\n", "syntax"),
        ("HKD", "١", "syntax"),
        ("HKD", "NaN", "syntax"),
        ("HKD", "1" * 19, "syntax"),
    ],
)
def test_what_is_no_positive_amount_of_the_currency_is_refused_with_the_reason(currency, text, reason):
    with pytest.raises(AmountError) as refusal:
        parse_amount(currency, text)
    assert refusal.value.facts["reason"] == reason


def test_an_unknown_currency_is_the_callers_mistake():
    with pytest.raises(KeyError):
        parse_amount("XXX", "1")


@given(st.sampled_from(sorted(MINOR_UNIT_DIGITS)), st.integers(1, 10**18 - 1))
def test_writing_and_reading_is_the_same_amount(currency, amount_minor):
    assert parse_amount(currency, format_minor(currency, amount_minor, grouped=False)) == amount_minor


@pytest.mark.parametrize(
    ("currency", "amount_minor", "text"),
    [
        ("HKD", 123456789, "1,234,567.89"),
        ("HKD", 5, "0.05"),
        ("HKD", 0, "0.00"),
        ("HKD", -5, "-0.05"),
        ("HKD", -123456, "-1,234.56"),
        ("JPY", 1234, "1,234"),
        ("JPY", -1, "-1"),
    ],
)
def test_an_amount_is_written_for_people(currency, amount_minor, text):
    assert format_minor(currency, amount_minor) == text
    assert str(Money(currency, amount_minor)) == f"{currency} {text}"
