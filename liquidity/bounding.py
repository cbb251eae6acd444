"""How much could settle at best, in whatever order, and where would more liquidity settle most?

:func:`upper_bound` answers with a number that no settlement exceeds, and with the price of liquidity at each account.
Three tightnesses, each at most the one before: ``aggregated`` (legs settle alone and in fractions: one flow per bank
pair and currency), ``pvp`` (obligations settle whole in fractions: PvP legs stay together), ``integer`` (what can never
settle is out, cuts hold what only whole settlements keep, and the largest obligations settle or don't).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from itertools import compress
from typing import TYPE_CHECKING

from liquidity.bypass.answering import worth_kept
from liquidity.bypass.budget import checked_seconds
from liquidity.errors import InvalidField, shown
from liquidity.model import Account, Amounts, Limits, Queue, exact_integer
from liquidity.terms import Terms, make_rates, make_terms

if TYPE_CHECKING:
    from collections.abc import Callable

    from liquidity.program import Program
    from liquidity.relaxation import Relaxation

TIGHTNESSES = ("aggregated", "pvp", "integer")
OBJECTIVES = ("value", "count")

LARGEST = 50
"""Binary obligations unless told otherwise: 10,000 obligations between 100 banks then take some seconds."""

NODES = 100
"""Nodes of the search over the binary obligations without a time limit, so that the answer is the same every run."""

EXACT_COLUMNS = 1_000
"""Up to here the search over the binary obligations goes on to its optimum; beyond, until within :data:`GAP` of it."""

GAP = 0.001
"""Relative to the bound. HiGHS spends most of its time on the last tenth of a per cent."""

SOLVER_TOLERANCE = Fraction(1, 1_000_000)
"""HiGHS's feasibility and optimality tolerances are 1e-7 and 1e-6: its bound is widened by this share of all worth."""


class Lever(Enum):
    """What could be raised by one minor unit."""

    LIQUIDITY = "liquidity"
    MULTILATERAL_LIMIT = "multilateral-limit"
    BILATERAL_LIMIT = "bilateral-limit"


@dataclass(frozen=True, slots=True)
class Price:
    """Raising this by one minor unit raises the bound by at most ``worth``, exact, in the reporting currency.

    ``LIQUIDITY``: a higher opening balance or a lower floor of (``bank``, ``currency``). A limit: the bank's, for a
    bilateral one towards ``payee``.
    """

    lever: Lever
    bank: str
    currency: str
    payee: str | None
    worth: Fraction


@dataclass(frozen=True, slots=True)
class Bound:
    """No set of obligations that may settle together, in whatever order, is worth more than ``value``.

    ``value``: reporting currency (a number of obligations for ``objective="count"``). ``proof``: ``"exact"`` was
    evaluated in integers from the prices and needs no trust in any solver; ``"solver"`` is HiGHS's own bound in
    floating point, widened by its tolerance. ``method``: what ran. ``scarce``: what has a price > 0, dearest first;
    ``accounts``: every account with a leg that may settle.

    The prices are those of the linear relaxation, also where ``tightness`` is ``integer``.
    """

    value: Fraction
    tightness: str
    objective: str
    proof: str
    method: str
    scarce: tuple[Price, ...]
    accounts: tuple[Account, ...]

    @property
    def prices(self) -> Mapping[str, Mapping[str, Fraction]]:
        """Bank → currency → what one more minor unit there would settle, at most; 0 where liquidity doesn't bind."""
        table: dict[str, dict[str, Fraction]] = {}
        for bank, currency in self.accounts:
            table.setdefault(bank, {})[currency] = Fraction(0)
        for price in self.scarce:
            if price.lever is Lever.LIQUIDITY:
                table[price.bank][price.currency] = price.worth
        return table


def upper_bound(
    queue: Queue,
    balances: Amounts,
    *,
    floors: Amounts | None = None,
    limits: Limits | None = None,
    rates: Mapping[str, Fraction | int] | None = None,
    tightness: str = "pvp",
    largest: int = LARGEST,
    objective: str = "value",
    time_limit_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Bound:
    """The most that can settle in free order, and the price of liquidity.

    Parameters
    ----------
    queue, balances, floors, limits, rates
        As for :func:`liquidity.resolve`.
    tightness
        ``"aggregated"``, ``"pvp"`` or ``"integer"``; later ones take longer and are never weaker.
    largest
        With ``"integer"``: this many obligations, by worth, settle whole or not at all.
    objective
        ``"value"`` of all legs in the reporting currency, or ``"count"`` of obligations.
    time_limit_s
        Stop about then by ``clock``. Without it, work is limited by counts and the answer is the same every run.

    Raises
    ------
    InvalidField
        For a bad balance, floor, rate, tightness, objective or number.

    Notes
    -----
    The bound of ``aggregated`` and ``pvp`` is exact whatever solved the relaxation, see :mod:`liquidity.relaxation`.
    Prices: a price of 0.9 at (HK1, HKD) says that one more minor unit there raises the bound by at most 0.9. It holds
    at the margin and for the bound; whole obligations may need more before any of them settles. Where a multilateral
    limit is the tighter bound the price belongs to the limit. An account that opens below its floor has price 0: the
    first unit only closes that hole. Where sums might leave 64 bits the bound is all that waits.

    Examples
    --------
    >>> from liquidity import Leg, Obligation
    >>> queue = Queue([Obligation(id, [Leg("HK1", "HK2", "HKD", amount)]) for id, amount in [("T1", 100), ("T2", 50)]])
    >>> bound = upper_bound(queue, {"HK1": {"HKD": 120}})
    >>> bound.value, bound.prices["HK1"]["HKD"]
    (Fraction(120, 1), Fraction(1, 1))
    >>> upper_bound(queue, {"HK1": {"HKD": 120}}, tightness="integer").value
    Fraction(100, 1)
    """
    _check_choice("tightness", tightness, TIGHTNESSES)
    _check_choice("objective", objective, OBJECTIVES)
    largest = exact_integer(largest, "largest", "must be an integer >= 0", minimum=0)
    limit = checked_seconds(time_limit_s)
    terms, worth = make_terms(balances, floors, limits), make_rates(rates)

    from liquidity.cutting import tightened
    from liquidity.program import make_program
    from liquidity.reducing import reduced
    from liquidity.relaxation import solve_relaxation

    program = make_program(queue, terms, worth, objective, by_leg=True)
    if program is None:
        return _everything(queue, worth, objective, tightness)
    together = tightness != "aggregated" and queue.leg_count > len(queue)
    stages = 1 + together + 2 * (tightness == "integer")  # that are still to come
    until = None if limit is None else clock() + limit

    def seconds() -> float | None:
        return None if until is None else max(until - clock(), 0.0) / stages

    relaxed = solve_relaxation(program, seconds=seconds(), clock=clock)
    accounts, scarce = _priced(program, relaxed, terms)
    if together:
        stages -= 1
        coarse, program = program, make_program(queue, terms, worth, objective) or program
        prices = relaxed.prices * float(coarse.worth_scale / program.worth_scale)
        tighter = solve_relaxation(program, prices=prices, seconds=seconds(), clock=clock)
        if tighter.bound < relaxed.bound:  # a solver's rounding, or its time limit, may spoil that
            relaxed = tighter
            accounts, scarce = _priced(program, relaxed, terms)
    value, proof, method = relaxed.bound, "exact", relaxed.method
    if tightness == "integer":
        stages = 2
        less = reduced(program)
        whole = solve_relaxation(less.program, seconds=seconds(), clock=clock)
        cut = tightened(less.program, whole, seconds)
        most = min(math.floor(relaxed.bound / program.worth_scale), less.settled_worth + cut.most)
        value = program.worth_scale * most
        method = f"{method}; again without what can never settle, and with {cut.rounds} rounds of cuts"
        stages = 1
        found = _with_binaries(less.program, largest, seconds())
        if found is not None and less.settled_worth + found < most:
            value, proof = program.worth_scale * (less.settled_worth + found), "solver"
            method = f"{method}; then the {largest} largest binary, branch and cut (HiGHS)"
    return Bound(value, tightness, objective, proof, method, scarce, accounts)


def _check_choice(field: str, value: object, offered: tuple[str, ...]) -> None:
    if value not in offered:
        raise InvalidField(field, f"must be one of {', '.join(offered)}", shown(value))


def _everything(queue: Queue, rates: Mapping[str, Fraction], objective: str, tightness: str) -> Bound:
    """All that waits, in Python's integers: a bound when sums might leave 64 bits."""
    waits = [not one.held for one in queue]
    value = worth_kept(queue, rates, objective, waits)
    legs = (leg for one in compress(queue, waits) for leg in one.legs)
    accounts = dict.fromkeys((bank, leg.currency) for leg in legs for bank in (leg.payer, leg.payee))
    return Bound(value, tightness, objective, "exact", "all that waits: sums leave 64 bits", (), tuple(accounts))


def _priced(program: Program, relaxed: Relaxation, terms: Terms) -> tuple[tuple[Account, ...], tuple[Price, ...]]:
    """The program's accounts, and what has a price, dearest first."""
    from liquidity.program import NO_PAYEE, row_name

    accounts: list[Account] = []
    scarce: list[Price] = []
    unit = program.worth_scale / 2**relaxed.price_bits
    for row, numerator in enumerate(relaxed.price_numerators.tolist()):
        bank, currency = account = row_name(program, row)[0], row_name(program, row)[-1]
        payee = int(program.payee[row])
        lever: Lever | None = Lever.BILATERAL_LIMIT
        if payee == NO_PAYEE:
            accounts.append(account)
            lever = _lever(terms, account)
        if numerator and lever is not None:
            towards = None if payee == NO_PAYEE else program.banks[payee]
            scarce.append(Price(lever, bank, currency, towards, unit * numerator))
    scarce.sort(key=lambda price: -price.worth)  # stable: equal prices in the order of the rows
    return tuple(accounts), tuple(scarce)


def _lever(terms: Terms, account: Account) -> Lever | None:
    """What gives an account one unit of room more: liquidity or its limit; ``None`` if neither does alone."""
    liquidity = terms.opening.get(account, 0) - terms.floors.get(account, 0)
    limit = terms.multilateral.get(account)
    if liquidity >= 0 and (limit is None or liquidity < limit):
        return Lever.LIQUIDITY
    return Lever.MULTILATERAL_LIMIT if limit is not None and limit < max(liquidity, 0) else None


def _with_binaries(program: Program, largest: int, seconds: float | None) -> int | None:
    """HiGHS's bound with the largest columns binary, in units of worth, widened, rounded down; ``None`` if it has none.

    A program whose columns the simplex method is not asked to solve gets none: the root alone would take minutes.
    """
    import numpy as np
    from scipy.sparse import csc_matrix

    from liquidity.relaxation import SIMPLEX_COLUMNS, condense
    from liquidity.solver import branch_and_cut

    filled = np.flatnonzero(np.diff(program.start))
    by_worth = filled[np.argsort(-program.worth[filled], kind="stable")]
    chosen = np.sort(by_worth[:largest])
    condensed = condense(program, apart=chosen)
    columns, rows = len(condensed.worth), len(condensed.room)
    if not columns or not len(chosen) or columns > SIMPLEX_COLUMNS:
        return None
    binary = np.zeros(columns, dtype=np.bool_)
    binary[condensed.member[np.searchsorted(condensed.columns, chosen)]] = True
    unit = float(condensed.worth.mean())
    upper = np.where(binary, 1.0, condensed.worth / unit)
    change = condensed.change / unit / np.repeat(upper, np.diff(condensed.start))
    answer = branch_and_cut(
        condensed.worth / unit / upper,
        csc_matrix((change, condensed.row, condensed.start), shape=(rows, columns)),
        condensed.room / unit,
        binary,
        upper,
        gap=0.0 if columns <= EXACT_COLUMNS else GAP,
        nodes=NODES if seconds is None else None,
        seconds=seconds,
    )
    bound = getattr(answer, "mip_dual_bound", None)
    if bound is None or not np.isfinite(bound):
        return None
    whole: int = sum(program.worth.tolist())
    always: int = whole - sum(program.worth[filled].tolist())
    widened: Fraction = Fraction(-float(bound) * unit) + whole * SOLVER_TOLERANCE + always
    return math.floor(widened)
