"""A configuration says who takes part; what is wrong with it is named by its entry."""

import pytest

from corridor.config import MAX_CONSENT_LIFETIME_S, ConfigError, default_text, parse_config
from corridor.model import MAX_CONSENT_S, is_bic


def changed(old, new):
    """The default configuration with one line changed."""
    text = default_text()
    assert old in text
    return text.replace(old, new, 1)


def test_the_default_has_two_banks_on_each_side():
    config = parse_config(default_text())
    assert sorted(bic[4:6] for bic in config.participants) == ["HK", "HK", "TH", "TH"]
    assert set(config.currencies) == {"HKD", "THB"}
    assert all(is_bic(bic) for bic in (*config.participants, config.operator_bic))
    assert config.clock == "business"


def test_amounts_are_minor_units():
    assert parse_config(default_text()).participants["HKBAHKHHXXX"].opening_minor == {"HKD": 12_000_000_00}


def test_debit_limits_and_blocked_names_are_read():
    text = (
        changed("blocked = []", 'blocked = ["HKBBHKHHXXX"]') + '\n[participants.THBBTHBKXXX.debit_limit]\nTHB = "1.00"'
    )
    config = parse_config(text)
    assert config.blocked == {"HKBBHKHHXXX"}
    assert config.participants["THBBTHBKXXX"].debit_limits_minor == {"THB": 100}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('clock = "business"', 'clock = "sun"', "clock"),
        ('clock = "business"', "clock = 7", "clock"),
        ("finality_blocks = 0", "finality_blocks = -1", "finality_blocks"),
        ("finality_blocks = 0", "finality_blocks = 1.5", "finality_blocks"),
        ("finality_blocks = 0", "finality_blocks = true", "finality_blocks"),
        ("consent_lifetime_s = 300", "consent_lifetime_s = 29", "consent_lifetime_s"),
        ("consent_lifetime_s = 300", f"consent_lifetime_s = {MAX_CONSENT_LIFETIME_S + 1}", "consent_lifetime_s"),
        ("blocked = []", 'blocked = "HKBBHKHHXXX"', "blocked"),
        ("blocked = []", 'blocked = [""]', "blocked"),
        ('operator_bic = "CORRHKHHXXX"', 'operator_bic = "CORRHKHH"', "operator_bic"),
        ('operator_bic = "CORRHKHHXXX"', 'operator_bic = ""', "operator_bic"),
        ("[participants.HKBAHKHHXXX]", "[participants.HKBAHKHH]", "participants.HKBAHKHH"),
        ("[participants.HKBAHKHHXXX]", "[participants.hkbahkhhxxx]", "participants.hkbahkhhxxx"),
        ("[participants.HKBAHKHHXXX]", '[participants."HKBÄHKHHXXX"]', "participants.HKBÄHKHHXXX"),
        ("[participants.HKBAHKHHXXX]", "[participants.HKBASGSGXXX]", "participants.HKBASGSGXXX"),
        ('name = "Hong Kong bank A"', 'name = ""', "participants.HKBAHKHHXXX.name"),
        ('HKD = "12000000.00"', 'THB = "1.00"', "opening_balance: THB is issued to banks of TH only"),
        ('HKD = "12000000.00"', "HKD = 12000000.0", "opening_balance.HKD"),
        ('HKD = "12000000.00"', 'HKD = "1.005"', "opening_balance.HKD: HKD has 2 decimals"),
        ('HKD = "12000000.00"', 'USD = "1.00"', "opening_balance.USD"),
        ("[currencies.HKD]", "[currencies.XXX]", "currencies.XXX"),
        ('cut_off = "18:30"', 'cut_off = "08:30"', "currencies.HKD"),
        ('zone = "Asia/Hong_Kong"', 'zone = "Asia/Nowhere"', "currencies.HKD"),
        ("operator_bic", "operator_bic = ", "no TOML"),
    ],
)
def test_what_is_wrong_is_named_by_its_entry(old, new, named):
    with pytest.raises(ConfigError, match=named.replace(".", r"\.")) as refusal:
        parse_config(changed(old, new))
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "currencies = 7", "[currencies]", "[currencies]\nHKD = 7"])
def test_a_configuration_without_currencies_is_refused(text):
    with pytest.raises(ConfigError, match="currencies"):
        parse_config(text)


def test_banks_sign_what_lives_as_long_as_can_be_configured():
    assert MAX_CONSENT_LIFETIME_S < MAX_CONSENT_S
    text = changed("consent_lifetime_s = 300", f"consent_lifetime_s = {MAX_CONSENT_LIFETIME_S}")
    assert parse_config(text).consent_lifetime_s == MAX_CONSENT_LIFETIME_S
