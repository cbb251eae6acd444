"""Synthetic traffic: seeded queues and days that look like a large-value payment system's.

Banks are drawn by *static fitness*: the bank of rank ``i`` takes part in a payment with probability proportional to
``i ** -fitness_exponent``, independently for each payment (Goh, Kahng and Kim 2001; every payment is one placement
of a link, repeated links are the link's weight). For exponents below one the degrees then follow a power law with
exponent ``1 + 1 / fitness_exponent``; interbank payment networks are scale-free over a wide range (Soramäki, Bech,
Arnold, Glass and Beyeler 2007). Amounts are log-normal, arrivals follow a profile of the day.

Floats draw the amounts; from the rounding on everything is an integer.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from liquidity.arrays import Floats, Int64s, QueueArrays
from liquidity.day import MAX_DAY_S, Day, Hours
from liquidity.errors import InvalidField, child, shown
from liquidity.model import Account, Queue, exact_integer, exact_seed, name
from liquidity.terms import make_rates

Slot = tuple[int, int, float]
"""(from_s, until_s, weight): within a slot arrivals are uniform, among slots in proportion to the weights."""

MAX_OBLIGATIONS = 50_000_000
"""In one draw: some 4 GB. More is a mistake in a parameter."""

MAX_AMOUNT = 10**15
"""A drawn amount is cut here, in minor units: 10^13 dollars, far out in any tail; sums of a million stay exact."""

_HALF_BITS = 31


def bank_names(prefix: str, count: int) -> tuple[str, ...]:
    """``count`` names of equal length, ``HK001``, ``HK002``, … for the prefix ``HK``."""
    width = max(3, len(str(count)))
    return tuple(f"{prefix}{number:0{width}d}" for number in range(1, count + 1))


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a synthetic day is drawn from.

    Attributes
    ----------
    communities
        Names of the banks, fittest first. In one community every bank pays every other; of several, payer and payee
        are always of different ones (a corridor: those of Hong Kong and those of Thailand), and each carries the
        same share of the traffic.
    obligations
        Obligations in a day.
    currencies
        Currency → its share of the payments (weights, > 0).
    pvp_share
        Share of the obligations that have two legs in two currencies, between the same two banks; 0 to 1.
    fitness_exponent
        0: all banks alike; 1: Zipf; the larger, the more concentrated.
    mean_amount, sigma
        Of the log-normal amounts: mean in minor units of the reporting currency, and the standard deviation of the
        amount's natural logarithm.
    rates
        Worth of one minor unit in the reporting currency, as everywhere; also the rate between a PvP's two legs.
    profile
        When obligations arrive.
    hours
        Opening hours by currency, handed on to the day.

    Raises
    ------
    InvalidField
        Naming the attribute.
    """

    communities: Sequence[Sequence[str]] = (bank_names("BANK", 100),)
    obligations: int = 10_000
    currencies: Mapping[str, float] = field(default_factory=lambda: {"HKD": 1.0, "THB": 1.0})
    pvp_share: float = 0.1
    fitness_exponent: float = 1.0
    mean_amount: int = 100_000_000
    sigma: float = 2.0
    rates: Mapping[str, Fraction | int] = field(default_factory=dict)
    profile: Sequence[Slot] = ((9 * 3600, 17 * 3600, 1.0),)
    hours: Mapping[str, Hours] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.communities or (len(self.communities) == 1 and len(self.communities[0]) < 2):
            raise InvalidField("communities", "must have at least two banks")
        for number, banks in enumerate(self.communities):
            if isinstance(banks, str) or not banks:
                raise InvalidField(f"communities[{number}]", "must be a list of at least one bank", shown(banks))
            for bank in banks:
                name(bank, f"communities[{number}]")
        count = exact_integer(self.obligations, "obligations", "must be an integer > 0", minimum=1)
        if count > MAX_OBLIGATIONS:
            raise InvalidField("obligations", f"must be at most {MAX_OBLIGATIONS}", str(count))
        exact_integer(self.mean_amount, "mean_amount", "must be an integer > 0", minimum=1)
        if not self.currencies:
            raise InvalidField("currencies", "must name at least one")
        for currency, weight in self.currencies.items():
            name(currency, "currencies")
            _real(weight, child("currencies", currency), above=True)
        if _real(self.pvp_share, "pvp_share") > 1 or (self.pvp_share and len(self.currencies) < 2):
            raise InvalidField("pvp_share", "must be 0 to 1, and 0 with one currency", shown(self.pvp_share))
        _real(self.fitness_exponent, "fitness_exponent")
        _real(self.sigma, "sigma")
        make_rates(self.rates)
        if not self.profile:
            raise InvalidField("profile", "must have at least one slot")
        for number, slot in enumerate(self.profile):
            from_s, until_s, weight = slot
            if not 0 <= from_s < until_s <= MAX_DAY_S:
                raise InvalidField(f"profile[{number}]", f"must be within 0 to {MAX_DAY_S}", shown(repr(slot)))
            _real(weight, f"profile[{number}]")
        if not any(weight for _, _, weight in self.profile):
            raise InvalidField("profile", "must have a weight > 0")

    @property
    def banks(self) -> tuple[str, ...]:
        """All banks, community by community."""
        return tuple(bank for banks in self.communities for bank in banks)


def generate_queue(traffic: Traffic, *, seed: int) -> Queue:
    """A day's obligations as one queue, in arrival order; the same seed draws the same queue.

    Raises
    ------
    InvalidField
        For a bank that stands in two communities, or a seed that is no integer >= 0.

    Examples
    --------
    >>> queue = generate_queue(Traffic(obligations=1000, pvp_share=0.5), seed=7)
    >>> len(queue), 1400 < queue.leg_count < 1600
    (1000, True)
    """
    return _draw(traffic, np.random.default_rng(exact_seed(seed)))[0]


def generate_day(
    traffic: Traffic,
    *,
    seed: int,
    alpha: Fraction | float = 1,
    beta: Fraction | float = Fraction(1, 10),
) -> Day:
    """A synthetic settlement day, its balances from :func:`opening_balances`; the same seed draws the same day.

    With the default ``alpha`` all of it can settle if netted at the day's end; the default ``beta`` adds a tenth of
    each account's outflow, for the day itself.
    """
    queue, arrival_s = _draw(traffic, np.random.default_rng(exact_seed(seed)))
    return Day(
        queue=queue,
        arrival_s=arrival_s,
        balances=opening_balances(queue, alpha, beta),
        hours=dict(traffic.hours),
        rates=dict(traffic.rates),
    )


def opening_balances(queue: Queue, alpha: Fraction | float, beta: Fraction | float = 0) -> dict[str, dict[str, int]]:
    """Balances per account: ``alpha`` × its net lower bound + ``beta`` × its gross outflow, rounded down.

    The net lower bound max(0, outflow − inflow) over the whole queue is the least with which all of it can settle at
    once; held obligations don't count. ``alpha`` and ``beta`` ≥ 0; a float is taken as the decimal it is written as.

    Returns
    -------
    dict
        bank → currency → minor units, for every account with a leg.

    Raises
    ------
    InvalidField
        For an ``alpha`` or ``beta`` below 0 or that is no number.
    """
    net_share, gross_share = _exact_share(alpha, "alpha"), _exact_share(beta, "beta")
    balances: dict[str, dict[str, int]] = {}
    for (bank, currency), (outflow, inflow) in gross_flows(queue).items():
        opening = math.floor(net_share * max(0, outflow - inflow) + gross_share * outflow)
        balances.setdefault(bank, {})[currency] = opening
    return balances


def gross_flows(queue: Queue) -> dict[Account, tuple[int, int]]:
    """Outflow and inflow (minor units, exact) of every account with a leg, over all that isn't held."""
    arrays = queue.arrays()
    if arrays is not None:
        return _flows_of_arrays(arrays)
    flows: dict[Account, list[int]] = {}
    for obligation in queue:
        for leg in obligation.legs:
            amount = 0 if obligation.held else leg.amount
            flows.setdefault((leg.payer, leg.currency), [0, 0])[0] += amount
            flows.setdefault((leg.payee, leg.currency), [0, 0])[1] += amount
    return {account: (outflow, inflow) for account, (outflow, inflow) in flows.items()}


def _flows_of_arrays(arrays: QueueArrays) -> dict[Account, tuple[int, int]]:
    width = max(len(arrays.currencies), 1)
    size = len(arrays.banks) * width
    amount = np.where(arrays.held[arrays.leg_obligation], 0, arrays.amount)
    high, low = amount >> _HALF_BITS, amount & ((1 << _HALF_BITS) - 1)  # sums of either half fit 64 bits

    def total(account: Int64s) -> list[int]:
        halves = np.zeros((2, size), dtype=np.int64)
        np.add.at(halves[0], account, high)
        np.add.at(halves[1], account, low)
        return [(up << _HALF_BITS) + down for up, down in halves.T.tolist()]

    payer = arrays.payer.astype(np.int64) * width + arrays.currency
    payee = arrays.payee.astype(np.int64) * width + arrays.currency
    touched = np.union1d(payer, payee).tolist()
    outflow, inflow = total(payer), total(payee)
    return {
        (arrays.banks[number // width], arrays.currencies[number % width]): (outflow[number], inflow[number])
        for number in touched
    }


def _draw(traffic: Traffic, random: np.random.Generator) -> tuple[Queue, Int64s]:
    """Obligations and their arrival; the order of the draws is part of what a seed means."""
    count = traffic.obligations
    arrival_s = _arrivals(traffic.profile, count, random)
    payer, payee = _pairs(traffic, count, random)
    currencies = tuple(traffic.currencies)
    bounds = _bounds(list(traffic.currencies.values()))
    currency = _draw_index(bounds, random.random(count))
    worth = np.exp(random.normal(math.log(traffic.mean_amount) - traffic.sigma**2 / 2, traffic.sigma, count))
    rates = make_rates(traffic.rates)
    exact = [rates.get(code, Fraction(1)) for code in currencies]
    amount = np.clip(np.rint(worth / np.array([float(rate) for rate in exact])[currency]), 1, MAX_AMOUNT)
    first_amount = amount.astype(np.int64)

    both = np.flatnonzero(random.random(count) < traffic.pvp_share)
    other = _draw_outside(bounds, random.random(len(both)), currency[both], currency[both] + 1)
    other_amount = _converted_half_up(first_amount[both], currency[both], other, exact)

    obligation = np.concatenate((np.arange(count), both))
    order = np.argsort(obligation, kind="stable")
    queue = Queue.from_arrays(
        banks=traffic.banks,
        currencies=currencies,
        payer=np.concatenate((payer, payee[both]))[order],
        payee=np.concatenate((payee, payer[both]))[order],
        currency=np.concatenate((currency, other))[order],
        amount=np.concatenate((first_amount, other_amount))[order],
        obligation=obligation[order],
    )
    return queue, arrival_s


def _arrivals(profile: Sequence[Slot], count: int, random: np.random.Generator) -> Int64s:
    slot = _draw_index(_bounds([weight for _, _, weight in profile]), random.random(count))
    start = np.array([from_s for from_s, _, _ in profile])
    length = np.array([until_s - from_s for from_s, until_s, _ in profile])
    drawn: Int64s = start[slot] + (random.random(count) * length[slot]).astype(np.int64)
    return np.sort(drawn)


def _pairs(traffic: Traffic, count: int, random: np.random.Generator) -> tuple[Int64s, Int64s]:
    """Payer by fitness; payee by fitness among all other banks, or among those of other communities."""
    fitness: list[float] = []
    start: list[int] = []
    end: list[int] = []
    for banks in traffic.communities:
        weight = np.arange(1, len(banks) + 1, dtype=np.float64) ** -traffic.fitness_exponent
        start += [len(fitness)] * len(banks)
        fitness += (weight / weight.sum()).tolist()
        end += [len(fitness)] * len(banks)
    bounds = _bounds(fitness)
    payer = _draw_index(bounds, random.random(count))
    if len(traffic.communities) == 1:
        return payer, _draw_outside(bounds, random.random(count), payer, payer + 1)
    return payer, _draw_outside(bounds, random.random(count), np.array(start)[payer], np.array(end)[payer])


def _bounds(weights: Sequence[float]) -> Floats:
    """Cumulated shares, from 0 to 1: index ``i`` owns the interval from ``bounds[i]`` to ``bounds[i + 1]``."""
    bounds = np.concatenate(([0.0], np.cumsum(np.asarray(weights, dtype=np.float64))))
    shares: Floats = bounds / bounds[-1]
    return shares


def _draw_index(bounds: Floats, uniform: Floats) -> Int64s:
    index: Int64s = np.searchsorted(bounds, uniform, side="right").astype(np.int64) - 1
    return np.minimum(index, len(bounds) - 2)


def _draw_outside(bounds: Floats, uniform: Floats, start: Int64s, end: Int64s) -> Int64s:
    """An index outside ``start`` to ``end`` (excluded), each with its share of what is outside."""
    skipped = bounds[end] - bounds[start]
    position = uniform * (1.0 - skipped)
    position += np.where(position >= bounds[start], skipped, 0.0)
    index = _draw_index(bounds, position)
    inside = (index >= start) & (index < end)  # by rounding at an edge of the interval
    return np.where(inside, np.where(end < len(bounds) - 1, end, 0), index)


def _converted_half_up(amount: Int64s, origin: Int64s, target: Int64s, rates: Sequence[Fraction]) -> Int64s:
    """Amounts from one currency's minor units to another's, exactly, halves up, at least one."""
    ratio = [[rate / other for other in rates] for rate in rates]
    converted = [
        max(1, (2 * value * ratio[a][b].numerator + ratio[a][b].denominator) // (2 * ratio[a][b].denominator))
        for value, a, b in zip(amount.tolist(), origin.tolist(), target.tolist(), strict=True)
    ]
    return np.array([min(value, 2**62) for value in converted], dtype=np.int64)


def _exact_share(value: Fraction | float, field_name: str) -> Fraction:
    problem = "must be a number >= 0"
    if isinstance(value, bool) or not isinstance(value, int | float | Fraction) or not 0 <= value < math.inf:
        raise InvalidField(field_name, problem, shown(value))
    return Fraction(str(value)) if isinstance(value, float) else Fraction(value)


def _real(value: float, field_name: str, *, above: bool = False) -> float:
    """``value`` if it is a finite number ≥ 0 (> 0 with ``above``); raises :class:`InvalidField`."""
    problem = "must be a number > 0" if above else "must be a number >= 0"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= sys.float_info.max or (above and value == 0):
        raise InvalidField(field_name, problem, shown(value))
    return value
