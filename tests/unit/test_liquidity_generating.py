"""Synthetic traffic: the same seed draws the same day, and the day has the shape that was asked for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from liquidity import InvalidField, Leg, Obligation, Queue, resolve
from liquidity.day import Hours
from liquidity.generating import Traffic, bank_names, generate_day, generate_queue, gross_flows, opening_balances
from liquidity.presets import BAHTNET_HOURS, CHATS_HOURS, CORRIDOR, HONG_KONG

SEED = 20_07

TWO_SIDES = Traffic(
    communities=(bank_names("HK", 12), bank_names("TH", 5)),
    obligations=4000,
    pvp_share=0.5,
    rates={"HKD": Fraction(1), "THB": Fraction(10, 46)},
)


def _columns(queue: Queue) -> tuple[list[int], ...]:
    arrays = queue.arrays()
    assert arrays is not None
    return tuple(
        column.tolist() for column in (arrays.leg_start, arrays.payer, arrays.payee, arrays.currency, arrays.amount)
    )


def test_the_same_seed_draws_the_same_day_and_another_seed_another() -> None:
    once, again, other = (generate_day(TWO_SIDES, seed=seed) for seed in (SEED, SEED, SEED + 1))
    assert _columns(once.queue) == _columns(again.queue)
    assert once.arrival_s.tolist() == again.arrival_s.tolist()
    assert once.balances == again.balances
    assert _columns(once.queue) != _columns(other.queue)


def test_a_payment_between_communities_never_stays_within_one() -> None:
    queue = generate_queue(TWO_SIDES, seed=SEED)
    assert all(leg.payer[:2] != leg.payee[:2] for obligation in queue for leg in obligation.legs)


def test_a_pvp_has_two_legs_in_opposite_directions_worth_the_same_but_for_rounding() -> None:
    both = [obligation.legs for obligation in generate_queue(TWO_SIDES, seed=SEED) if len(obligation.legs) == 2]
    assert 1800 < len(both) < 2200
    for first, second in both:
        assert (first.payer, first.payee) == (second.payee, second.payer)
        assert first.currency != second.currency
        worth = [TWO_SIDES.rates[leg.currency] * leg.amount for leg in (first, second)]
        assert second.amount == 1 or abs(worth[0] - worth[1]) <= TWO_SIDES.rates[second.currency] / 2


def test_the_fittest_banks_carry_the_share_that_the_exponent_says() -> None:
    traffic = Traffic(
        communities=(bank_names("BANK", 50),),
        obligations=50_000,
        currencies={"HKD": 1},
        pvp_share=0,
        fitness_exponent=1,
    )
    arrays = generate_queue(traffic, seed=SEED).arrays()
    assert arrays is not None
    counts = np.bincount(arrays.payer, minlength=50)
    share = 1 / sum(1 / rank for rank in range(1, 51))
    assert counts[0] / 50_000 == pytest.approx(share, abs=0.01)
    assert counts[1] / 50_000 == pytest.approx(share / 2, abs=0.01)


def test_without_fitness_differences_all_banks_are_alike() -> None:
    traffic = Traffic(communities=(bank_names("BANK", 10),), obligations=50_000, fitness_exponent=0)
    arrays = generate_queue(traffic, seed=SEED).arrays()
    assert arrays is not None
    for index in (arrays.payer, arrays.payee):
        assert np.bincount(index).min() > 0.9 * len(index) / 10


def test_amounts_have_the_mean_and_the_median_that_were_asked_for() -> None:
    traffic = Traffic(obligations=200_000, currencies={"HKD": 1}, pvp_share=0, mean_amount=10**6, sigma=1.0)
    arrays = generate_queue(traffic, seed=SEED).arrays()
    assert arrays is not None
    assert arrays.amount.mean() == pytest.approx(1e6, rel=0.02)
    assert np.median(arrays.amount) == pytest.approx(1e6 * np.exp(-0.5), rel=0.02)


def test_arrivals_follow_the_profile_and_never_fall() -> None:
    profile = ((100, 200, 1.0), (300, 400, 3.0))
    arrival_s = generate_day(replace(TWO_SIDES, profile=profile), seed=SEED).arrival_s
    assert np.all(np.diff(arrival_s) >= 0)
    early, late = (arrival_s < 200) & (arrival_s >= 100), (arrival_s >= 300) & (arrival_s < 400)
    assert np.all(early | late)
    assert late.mean() == pytest.approx(0.75, abs=0.03)


def test_with_its_net_lower_bound_every_account_settles_everything_at_once_and_with_a_unit_less_not() -> None:
    queue = generate_queue(TWO_SIDES, seed=SEED)
    balances = opening_balances(queue, 1)
    assert resolve(queue, balances).settled_count == len(queue)
    bank, currency = next((bank, code) for bank, row in balances.items() for code, amount in row.items() if amount)
    balances[bank][currency] -= 1
    assert resolve(queue, balances).settled_count < len(queue)


def test_opening_balances_are_exact_and_rounded_down() -> None:
    queue = Queue(
        [
            Obligation("T1", [Leg("HK1", "TH1", "HKD", 1005)]),
            Obligation("T2", [Leg("TH1", "HK1", "HKD", 5)]),
            Obligation("T3", [Leg("HK1", "TH1", "HKD", 10**6)], held=True),
        ]
    )
    assert opening_balances(queue, 0.5, 0.01) == {"HK1": {"HKD": 510}, "TH1": {"HKD": 0}}
    assert opening_balances(queue, Fraction(1, 3)) == {"HK1": {"HKD": 333}, "TH1": {"HKD": 0}}


@pytest.mark.parametrize("amount", [2**62, 10**30])
def test_flows_beyond_64_bits_are_exact(amount: int) -> None:
    queue = Queue([Obligation(f"T{number}", [Leg("HK1", "TH1", "HKD", amount)]) for number in range(5)])
    assert gross_flows(queue) == {("HK1", "HKD"): (5 * amount, 0), ("TH1", "HKD"): (0, 5 * amount)}


def test_the_hong_kong_preset_is_as_concentrated_and_as_large_as_published() -> None:
    arrays = generate_queue(HONG_KONG, seed=SEED).arrays()
    assert arrays is not None
    assert (len(arrays.banks), len(arrays.leg_start) - 1) == (161, 31_000)
    largest = np.sort(np.bincount(arrays.payer))[::-1]
    assert largest[:5].sum() / largest.sum() == pytest.approx(0.55, abs=0.03)
    many = generate_queue(replace(HONG_KONG, obligations=1_000_000), seed=SEED).arrays()
    assert many is not None
    assert many.amount.astype(float).mean() * 31_000 / 100 == pytest.approx(990e9, rel=0.1)


def test_the_corridor_preset_crosses_the_border_within_opening_hours() -> None:
    day = generate_day(CORRIDOR, seed=SEED)
    assert len(day.queue) == 40_000
    assert len(CORRIDOR.banks) == 200
    assert day.arrival_s.min() >= max(CHATS_HOURS.open_s, BAHTNET_HOURS.open_s)
    assert day.arrival_s.max() < min(CHATS_HOURS.close_s, BAHTNET_HOURS.close_s)
    assert day.hours_of("THB") == BAHTNET_HOURS == Hours(34_200, 66_600)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"communities": (("HK1",),)}, "communities"),
        ({"communities": ("HK1", "TH1")}, "communities[0]"),
        ({"obligations": 0}, "obligations"),
        ({"obligations": True}, "obligations"),
        ({"currencies": {"HKD": 0}}, "currencies.HKD"),
        ({"currencies": {"HKD": 1}}, "pvp_share"),
        ({"pvp_share": 1.1}, "pvp_share"),
        ({"fitness_exponent": float("nan")}, "fitness_exponent"),
        ({"sigma": -1}, "sigma"),
        ({"rates": {"HKD": 0.5}}, "rates.HKD"),
        ({"profile": ()}, "profile"),
        ({"profile": ((5, 5, 1.0),)}, "profile[0]"),
        ({"profile": ((5, 6, 0.0),)}, "profile"),
        ({"sigma": 10**400}, "sigma"),
    ],
)
def test_traffic_that_makes_no_sense_is_refused_by_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        replace(TWO_SIDES, **change)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_a_bank_in_two_communities_is_refused() -> None:
    with pytest.raises(InvalidField, match="unique"):
        generate_queue(Traffic(communities=(("HK1", "HK2"), ("HK1",))), seed=SEED)


@pytest.mark.parametrize("seed", [-1, 1.5, "1", None, True])
def test_a_seed_that_is_none_is_refused(seed: Any) -> None:
    with pytest.raises(InvalidField, match="seed"):
        generate_queue(TWO_SIDES, seed=seed)
    with pytest.raises(InvalidField, match="seed"):
        generate_day(TWO_SIDES, seed=seed)


@pytest.mark.parametrize("share", [-1, float("inf"), float("nan"), True, "1"])
def test_a_share_of_liquidity_that_is_none_is_refused(share: object) -> None:
    queue = Queue([Obligation("T1", [Leg("HK1", "TH1", "HKD", 100)])])
    with pytest.raises(InvalidField, match="alpha"):
        opening_balances(queue, share)  # type: ignore[arg-type]
