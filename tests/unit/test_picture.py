"""The picture of a netting says the same with and without colour."""

from xml.etree import ElementTree

import pytest

from corridor.picture import Owed, millions, netting_svg

HK_A, TH_A, TH_B = "HKBAHKHHXXX", "THBATHBKXXX", "THBBTHBKXXX"
NAMES = {HK_A: "Hong Kong bank A", TH_A: "Thai bank A", TH_B: "Thai <bank> B"}


def _labels(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def test_each_debt_has_its_amount_and_each_bank_its_net_position():
    owed = [
        Owed(HK_A, TH_A, "HKD", 250_000_000),
        Owed(HK_A, TH_A, "HKD", 50_000_000),
        Owed(TH_A, HK_A, "THB", 100_000_000),
    ]
    labels = _labels(netting_svg("A netting", NAMES, owed))
    assert "HKD 3" in labels
    assert "THB 1" in labels
    assert "HKD -3" in labels
    assert "HKD +3" in labels
    assert "HKD 0" in labels


def test_currencies_differ_by_line_style_and_not_only_by_colour():
    owed = [Owed(HK_A, TH_A, "HKD", 1), Owed(TH_A, HK_A, "THB", 1)]
    root = ElementTree.fromstring(netting_svg("A netting", NAMES, owed))
    styles = {element.get("stroke-dasharray") for element in root.iter() if element.get("marker-end")}
    assert len(styles) == 2


def test_names_are_escaped():
    svg = netting_svg("A & B", NAMES, [Owed(HK_A, TH_B, "HKD", 1)])
    assert "<bank>" not in svg
    assert "Thai <bank> B" in _labels(svg)


@pytest.mark.parametrize(
    ("currency", "amount_minor", "text"), [("HKD", 450_000_000, "4.5"), ("JPY", 2_000_000, "2"), ("HKD", 0, "0")]
)
def test_amounts_are_shown_in_millions_of_the_currency(currency, amount_minor, text):
    assert millions(currency, amount_minor) == text
