"""Plots: what is drawn is what was given, every axis has its unit, and nothing depends on colour."""

from __future__ import annotations

import colorsys
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("pandas")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.colors import to_rgb

from liquidity import InvalidField, Leg, Obligation, Policy, Queue, simulate
from liquidity.day import Day
from liquidity.plotting import (
    MAX_BANKS,
    MAX_SERIES,
    plot_comparison,
    plot_liquidity_delay,
    plot_network,
    plot_queue,
    plot_throughput,
)

RING = Queue(
    [
        Obligation("T1", [Leg("HK1", "TH1", "HKD", 100), Leg("TH1", "HK1", "THB", 460)]),
        Obligation("T2", [Leg("TH1", "HK1", "HKD", 100)]),
        Obligation("T3", [Leg("HK1", "TH1", "HKD", 7)], held=True),
    ]
)
DAY = Day(RING, np.array([36_000, 39_600, 39_600]), balances={"TH1": {"THB": 460}}, rates={"THB": Fraction(1, 4)})
RUNS = [simulate(DAY, policy) for policy in (Policy.queue(), Policy.gridlock(every_s=1800))]


@pytest.fixture(autouse=True)
def _closes_its_figures():
    plt.switch_backend("Agg")
    yield
    plt.close("all")


def _is_grey(color: object) -> bool:
    return colorsys.rgb_to_hsv(*to_rgb(color))[1] == 0


def _at(line, second: int) -> float:
    return dict(zip(*map(list, line.get_data()), strict=True))[second]


def test_the_queue_rises_when_obligations_enter_and_falls_when_they_settle() -> None:
    axes = plot_queue(RUNS, every_s=1)
    waits, offset = axes.get_lines()
    assert [_at(waits, second) for second in (36_000, 39_599, 39_600)] == [215, 215, 315]
    assert [_at(offset, second) for second in (36_000, 39_599, 39_600)] == [215, 215, 0]
    assert "HH:MM" in axes.get_xlabel()
    assert "minor" in axes.get_ylabel()


def test_throughput_is_the_share_of_value_settled_and_held_obligations_are_no_part_of_it() -> None:
    waits, offset, arrived = plot_throughput(RUNS, every_s=1).get_lines()
    assert [_at(line, 39_600) for line in (waits, offset, arrived)] == [0, 100, 100]
    assert _at(arrived, 39_599) == pytest.approx(100 * 215 / 315)


def test_amounts_beyond_64_bits_are_drawn_too() -> None:
    huge = Day(Queue([Obligation("T1", [Leg("HK1", "TH1", "HKD", 10**20)])]), np.array([5]))
    line = plot_queue(simulate(huge, Policy.queue()), minor_per_unit=100).get_lines()[0]
    assert max(line.get_ydata()) == 1e18


def test_a_day_without_obligations_is_an_empty_picture() -> None:
    empty = simulate(Day(Queue([]), np.zeros(0, dtype=np.int64)), Policy.queue())
    assert plot_queue(empty).get_lines()
    assert plot_throughput(empty).get_lines()


def test_every_line_differs_in_style_and_is_grey() -> None:
    lines = plot_queue(RUNS).get_lines()
    assert len({line.get_linestyle() for line in lines}) == len(lines)
    assert all(_is_grey(line.get_color()) for line in lines)


def test_a_network_shows_banks_amounts_and_what_has_settled() -> None:
    axes = plot_network(RING, balances={"TH1": {"THB": 460}}, settled=["T2"])
    said = [text.get_text() for text in axes.texts]
    assert {"HK1", "TH1\n460 THB", "100 HKD", "460 THB"} <= set(said)
    assert not any("7 HKD" in text for text in said)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["HKD", "THB", "settled", "waiting"]


def test_a_large_network_is_cut_to_its_largest_relations_and_says_so() -> None:
    banks = [f"B{number:02d}" for number in range(60)]
    queue = Queue(
        [
            Obligation(str(number), [Leg(bank, banks[number - 1], "HKD", 100 + number)])
            for number, bank in enumerate(banks)
        ]
    )
    axes = plot_network(queue, most=20)
    assert "20 largest of 60" in axes.get_title()
    assert "width" in axes.get_title()
    with pytest.raises(InvalidField, match=str(MAX_BANKS)):
        plot_network(queue, most=60)


def test_liquidity_against_delay_is_one_line_per_policy_over_the_means_of_the_seeds() -> None:
    frame = pd.DataFrame(
        [
            {"policy": policy, "alpha": alpha, "seed": seed, "used": 10 + alpha, "delay": factor * (1 - alpha) + seed}
            for policy, factor in (("wait", 4), ("offset", 2))
            for alpha in (1.0, 0.0)
            for seed in (0, 1)
        ]
    )
    axes = plot_liquidity_delay(frame, liquidity="used", delay="delay")
    wait, offset = axes.get_lines()
    assert list(wait.get_xdata()) == [10, 11]
    assert list(wait.get_ydata()) == [4.5, 0.5]
    assert list(offset.get_ydata()) == [2.5, 0.5]
    assert wait.get_marker() != offset.get_marker()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["wait", "offset"]


def test_without_alpha_the_points_are_drawn_as_they_are() -> None:
    frame = pd.DataFrame({"policy": ["wait"] * 3, "used": [3, 1, 2], "delay": [0, 2, 1]})
    line = plot_liquidity_delay(frame, liquidity="used", delay="delay").get_lines()[0]
    assert list(line.get_xdata()) == [1, 2, 3]
    assert list(line.get_ydata()) == [2, 1, 0]


def test_liquidity_may_be_said_as_alpha_and_endings_of_names_become_units() -> None:
    frame = pd.DataFrame({"policy": ["wait"] * 2, "alpha": [1.0, 0.0], "delay_indicator": [0.0, 0.5]})
    axes = plot_liquidity_delay(frame, liquidity="alpha", delay="delay_indicator")
    assert list(axes.get_lines()[0].get_xdata()) == [0, 1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "alpha (level of liquidity, a pure number)",
        "delay indicator (0 to 1)",
    )


def test_bars_are_as_long_as_their_values_and_told_apart_by_hatches() -> None:
    frame = pd.DataFrame({"order": ["fifo", "bypass"], "settled_percent": [18, 90.5], "bound": [92, 92]})
    axes = plot_comparison(frame, "settled_percent", by="order", bound="bound")
    assert [bar.get_width() for bar in axes.patches] == [18, 90.5]
    assert len({bar.get_hatch() for bar in axes.patches}) == 2
    assert [text.get_text() for text in axes.texts] == ["18", "90.5"]
    assert axes.get_xlabel() == "settled (%)   (tick: bound)"


def test_a_picture_goes_where_it_is_told() -> None:
    _, axes = plt.subplots()
    assert plot_throughput(RUNS, ax=axes) is axes


def test_a_column_that_isnt_there_and_too_many_series_are_refused() -> None:
    frame = pd.DataFrame({"policy": ["wait"], "delay": [0]})
    with pytest.raises(InvalidField, match="used"):
        plot_liquidity_delay(frame, liquidity="used", delay="delay")
    many = pd.DataFrame({"order": range(MAX_SERIES + 1), "value": 1})
    with pytest.raises(InvalidField, match="rows"):
        plot_comparison(many, "value", by="order")
    with pytest.raises(InvalidField, match="at most"):
        plot_queue([RUNS[0]] * (MAX_SERIES + 1))
    with pytest.raises(InvalidField, match="at least one"):
        plot_queue([])
