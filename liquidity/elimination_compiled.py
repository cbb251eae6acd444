"""Large queues: account numbers, the guard against overflow, and the compiled elimination around them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from liquidity.arrays import Bools, Floats, Int32s, Int64s, QueueArrays
from liquidity.elimination_kernel import NOTHING, add_up, eliminate
from liquidity.model import NO_PRIORITY, Account
from liquidity.terms import Terms, lowest_closing

SAFE_SUM = 2**62
"""Gross sums per account stay below this, half of what 64 bits hold: they are estimated in floating point, whose
error over 2**31 additions is far less than the other half."""

DENSE_ACCOUNTS = 100_000
"""Up to here every bank × currency gets a number, which is quick; beyond, only accounts with a leg, which is small."""

RADIX_RANKS = 2**16
"""numpy sorts 16-bit keys in linear time."""


@dataclass(frozen=True, slots=True, eq=False)
class _Accounts:
    """Accounts numbered for the kernel: ``keys`` (bank × currencies + currency, ascending), and each leg's two."""

    keys: Int64s
    payer: Int32s
    payee: Int32s


def _number_accounts(arrays: QueueArrays) -> _Accounts:
    width = len(arrays.currencies)
    size = len(arrays.banks) * width
    if size <= DENSE_ACCOUNTS:
        payer = arrays.payer * np.int32(width) + arrays.currency
        payee = arrays.payee * np.int32(width) + arrays.currency
        return _Accounts(np.arange(size, dtype=np.int64), payer, payee)
    payer_key = arrays.payer.astype(np.int64) * width + arrays.currency
    payee_key = arrays.payee.astype(np.int64) * width + arrays.currency
    keys, numbers = np.unique(np.concatenate((payer_key, payee_key)), return_inverse=True)
    numbers = numbers.astype(np.int32)
    return _Accounts(keys, numbers[: len(payer_key)], numbers[len(payer_key) :])


def _order(arrays: QueueArrays, accounts: _Accounts, order: str) -> Int32s:
    """Legs by (priority, arrival); empty when that is arrival. See :func:`liquidity.elimination.rank_in`."""
    if order == "fifo" or (arrays.priority is None and arrays.leg_priority is None):
        return np.empty(0, dtype=np.int32)
    legs = len(arrays.amount)
    own = np.full(legs, NO_PRIORITY) if arrays.priority is None else arrays.priority[arrays.leg_obligation]
    if arrays.leg_priority is None:
        effective = own
    else:
        effective = np.where(arrays.leg_priority == NO_PRIORITY, own, arrays.leg_priority)
        # an obligation with several legs from one account stands there once, at its most urgent
        by_entry = np.lexsort((accounts.payer, arrays.leg_obligation))
        whose, account = arrays.leg_obligation[by_entry], accounts.payer[by_entry]
        first = np.ones(legs, dtype=np.bool_)
        first[1:] = (np.diff(whose) != 0) | (np.diff(account) != 0)
        starts = np.flatnonzero(first)
        urgent = np.minimum.reduceat(effective[by_entry], starts) if legs else effective
        effective = np.empty_like(effective)
        effective[by_entry] = np.repeat(urgent, np.diff(np.append(starts, legs)))
    distinct, ranks = np.unique(effective, return_inverse=True)
    key = ranks.astype(np.uint16) if len(distinct) <= RADIX_RANKS else ranks
    return np.argsort(key, kind="stable").astype(np.int32)


def _sums_are_safe(gross: Floats, *tables: list[int]) -> bool:
    """Whether no sum the kernel can form, whatever it drops in whatever order, leaves 64 bits."""
    most = float(gross.max(initial=0.0))
    return most < SAFE_SUM and all(abs(value) + int(most) < SAFE_SUM for table in tables for value in table)


@dataclass(frozen=True, slots=True, eq=False)
class _LimitTable:
    forth: Int32s
    back: Int32s
    limit: list[int]
    payer: list[int]


def _limits(arrays: QueueArrays, accounts: _Accounts, terms: Terms, number: dict[Account, int]) -> _LimitTable:
    """Which limited pair, if any, each leg adds to (forth) and takes from (back)."""
    size = len(accounts.keys)
    pairs: dict[int, tuple[int, int]] = {}
    for (payer, payee, currency), limit in terms.bilateral.items():
        paying, paid = number.get((payer, currency)), number.get((payee, currency))
        if paying is not None and paid is not None:
            pairs[paying * size + paid] = (limit, paying)
    if not pairs:
        empty = np.empty(0, dtype=np.int32)
        return _LimitTable(empty, empty, [], [])
    keys = np.array(sorted(pairs), dtype=np.int64)

    def matched(one: Int32s, other: Int32s) -> Int32s:
        wanted = one.astype(np.int64) * size + other
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, at, NOTHING).astype(np.int32)

    forth = matched(accounts.payer, accounts.payee)
    back = matched(accounts.payee, accounts.payer)
    ordered = [pairs[key] for key in sorted(pairs)]
    return _LimitTable(forth, back, [limit for limit, _ in ordered], [payer for _, payer in ordered])


@dataclass(frozen=True, slots=True, eq=False)
class CompiledOutcome:
    """``kept`` (n booleans), closing balances of accounts with a leg, and settled value per currency."""

    kept: Bools
    closing: dict[Account, int]
    value: dict[str, int]


def eliminate_arrays(arrays: QueueArrays, terms: Terms, order: str) -> CompiledOutcome | None:
    """The unique maximum; ``None`` when sums might not fit 64 bits (then take the exact integers)."""
    accounts = _number_accounts(arrays)
    width = max(len(arrays.currencies), 1)
    names = [(arrays.banks[key // width], arrays.currencies[key % width]) for key in accounts.keys.tolist()]
    number = {account: at for at, account in enumerate(names)}
    opening = [terms.opening.get(account, 0) for account in names]
    lowest = [lowest_closing(terms, account) for account in names]
    limits = _limits(arrays, accounts, terms, number)
    place, length, paid, received, gross = add_up(
        _order(arrays, accounts, order),
        arrays.leg_obligation,
        accounts.payer,
        accounts.payee,
        arrays.amount,
        arrays.held,
        len(names),
    )
    if not _sums_are_safe(gross, opening, lowest, limits.limit):
        return None
    least = np.array(lowest, dtype=np.int64)
    slack = np.array(opening, dtype=np.int64) - least - paid + received
    kept = eliminate(
        place,
        length,
        arrays.leg_start,
        accounts.payer,
        accounts.payee,
        arrays.amount,
        slack,
        paid,
        limits.forth,
        limits.back,
        np.array(limits.limit, dtype=np.int64),
        np.array(limits.payer, dtype=np.int32),
    )
    closing = (slack + least).tolist()
    value = dict.fromkeys(arrays.currencies, 0)
    for (_, currency), amount in zip(names, paid.tolist(), strict=True):
        value[currency] += amount
    used = np.flatnonzero(gross).tolist()
    return CompiledOutcome(kept=kept, closing={names[at]: closing[at] for at in used}, value=value)
