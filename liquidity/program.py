"""The free-order question as an integer program: most worth, so that no account and no limit is overdrawn.

One column per obligation that isn't held (settle it or not), one row per account and per bilateral limit (don't use
more room than there is). Resolvers search it, :func:`liquidity.upper_bound` bounds it; everything is exact.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from liquidity.arrays import Int32s, Int64s, QueueArrays
from liquidity.terms import Pair, Terms, lowest_closing

if TYPE_CHECKING:
    from liquidity.model import Account, Queue

SAFE_BITS = 62
"""Sums of absolute values, per row and of all worths, stay below 2**62. Those of rows are estimated in floating
point, whose error over 2**32 additions is far less than the other half of what 64 bits hold."""

DENSE_KEYS = 1_000_000
"""Up to here row numbers are looked up in a table of all bank × currency keys; beyond, the keys are sorted."""

NO_PAYEE = -1
"""In ``Program.payee``: this row is an account, not a bilateral limit."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Maximise ``worth · x`` subject to ``A x <= room``, each ``x`` 0 or 1; ``x = 0`` is always feasible.

    Column ``j`` owns the entries ``start[j] : start[j + 1]`` of ``row`` and ``change``, rows ascending: the net
    outflow of its obligation from that account, or between that limited pair (> 0 uses room, < 0 gives room; zeros
    are left out; each row at most once).

    ``outflow`` (rows): what its columns could use together. ``room`` (rows, >= 0): opening balance − lowest closing
    balance, or the limit; cut at ``outflow``, which changes nothing (such a row never binds).
    ``worth`` (columns, > 0), times ``worth_scale``, is exact in the reporting currency if ``worth_is_exact``; else it
    is rounded up by less than one ``worth_scale``, so that a bound stays one. ``number`` (columns, never falling):
    arrival number of the obligation in the queue.
    ``bank``, ``payee``, ``currency`` (rows) index ``banks`` and ``currencies`` and say what the row is; ``payee`` is
    :data:`NO_PAYEE` for an account.
    """

    start: Int64s
    row: Int32s
    change: Int64s
    room: Int64s
    outflow: Int64s
    worth: Int64s
    worth_scale: Fraction
    worth_is_exact: bool
    number: Int64s
    bank: Int32s
    payee: Int32s
    currency: Int32s
    banks: tuple[str, ...]
    currencies: tuple[str, ...]


def row_name(program: Program, row: int) -> Account | Pair:
    """``(bank, currency)`` of an account, ``(payer, payee, currency)`` of a bilateral limit."""
    bank, currency = program.banks[program.bank[row]], program.currencies[program.currency[row]]
    payee = program.payee[row]
    return (bank, currency) if payee == NO_PAYEE else (bank, program.banks[payee], currency)


def make_program(
    queue: Queue, terms: Terms, rates: Mapping[str, Fraction], objective: str = "value", *, by_leg: bool = False
) -> Program | None:
    """The program of a queue; ``None`` when a sum over a row might reach 2**62 and so leave 64 bits.

    ``rates`` as from :func:`liquidity.terms.make_rates`. ``objective``: ``"value"`` counts all legs of an obligation
    in the reporting currency, ``"count"`` counts each obligation as 1. ``by_leg`` gives each leg a column of its own,
    with its share of the worth, as if it could settle alone: more can settle, so a bound on it is a bound on all.
    """
    arrays = queue.arrays()
    if arrays is None:
        return None
    leg_kept = ~arrays.held[arrays.leg_obligation]
    number = np.flatnonzero(~arrays.held)
    column = (np.cumsum(~arrays.held) - 1)[arrays.leg_obligation[leg_kept]]
    share = np.bincount(column, minlength=len(number))
    if by_leg:
        number, share = number[column], share[column]
        column = np.arange(len(column))
    legs = _Legs(
        column=column,
        payer=arrays.payer[leg_kept],
        payee=arrays.payee[leg_kept],
        currency=arrays.currency[leg_kept],
        amount=arrays.amount[leg_kept],
    )
    rows, column, row, change = _entries(arrays, legs, terms)
    count = len(rows.bank)
    used = np.bincount(row, np.abs(change).astype(np.float64), count)
    if used.max(initial=0.0) >= 2.0**SAFE_BITS:
        return None
    column, row, change = _merged(column, row, change, count)
    outflow = np.zeros(count, dtype=np.int64)
    np.add.at(outflow, row, np.maximum(change, 0))
    if objective == "count":
        worth, scale, is_exact = _counts(share if by_leg else np.ones_like(share))
    else:
        worth, scale, is_exact = _values(arrays.currencies, legs, len(number), rates)
    return Program(
        start=np.searchsorted(column, np.arange(len(number) + 1)).astype(np.int64),
        row=row.astype(np.int32),
        change=change,
        room=_rooms(arrays, rows, terms, outflow),
        outflow=outflow,
        worth=worth,
        worth_scale=scale,
        worth_is_exact=is_exact,
        number=number.astype(np.int64),
        bank=rows.bank,
        payee=rows.payee,
        currency=rows.currency,
        banks=arrays.banks,
        currencies=arrays.currencies,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Legs:
    """The legs that may settle, one entry each; ``column`` never falls."""

    column: Int64s
    payer: Int32s
    payee: Int32s
    currency: Int32s
    amount: Int64s


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    bank: Int32s
    payee: Int32s
    currency: Int32s


def _entries(arrays: QueueArrays, legs: _Legs, terms: Terms) -> tuple[_Rows, Int64s, Int64s, Int64s]:
    """What the rows are, and (column, row, change) of each leg's effects, columns never falling but for limits."""
    width = len(arrays.currencies)
    key = np.empty(2 * len(legs.amount), dtype=np.int64)
    key[0::2] = legs.payer.astype(np.int64) * width + legs.currency
    key[1::2] = legs.payee.astype(np.int64) * width + legs.currency
    size = len(arrays.banks) * width
    if size <= DENSE_KEYS:
        used = np.zeros(size, dtype=np.bool_)
        used[key] = True
        keys = np.flatnonzero(used)
        row = (np.cumsum(used) - 1)[key]
    else:
        keys, row = np.unique(key, return_inverse=True)
    column = np.repeat(legs.column, 2)
    change = np.empty_like(key)
    change[0::2], change[1::2] = legs.amount, -legs.amount

    limited, pairs = _limited_pairs(arrays, terms)
    no_payee = np.full(len(keys), NO_PAYEE, dtype=np.int32)
    rows = _Rows((keys // max(width, 1)).astype(np.int32), no_payee, (keys % max(width, 1)).astype(np.int32))
    if not len(limited):
        return rows, column, row, change
    forth = _pair_key(arrays, legs.payer, legs.payee, legs.currency)
    back = _pair_key(arrays, legs.payee, legs.payer, legs.currency)
    for wanted, moved in ((forth, legs.amount), (back, -legs.amount)):
        at = np.minimum(np.searchsorted(limited, wanted), len(limited) - 1)
        hit = limited[at] == wanted
        column = np.concatenate((column, legs.column[hit]))
        row = np.concatenate((row, len(keys) + at[hit]))
        change = np.concatenate((change, moved[hit]))
    rows = _Rows(
        np.concatenate((rows.bank, pairs[:, 0])),
        np.concatenate((rows.payee, pairs[:, 1])),
        np.concatenate((rows.currency, pairs[:, 2])),
    )
    return rows, column, row, change


def _pair_key(arrays: QueueArrays, payer: Int32s, payee: Int32s, currency: Int32s) -> Int64s:
    banks, width = len(arrays.banks), len(arrays.currencies)
    return (payer.astype(np.int64) * banks + payee) * width + currency


def _limited_pairs(arrays: QueueArrays, terms: Terms) -> tuple[Int64s, Int32s]:
    """Keys of the limited pairs whose banks are in the queue, ascending, and (payer, payee, currency) of each."""
    bank = {name: at for at, name in enumerate(arrays.banks)}
    currency = {code: at for at, code in enumerate(arrays.currencies)}
    found = [
        (bank[payer], bank[payee], currency[code])
        for payer, payee, code in terms.bilateral
        if payer in bank and payee in bank and code in currency
    ]
    pairs = np.array(sorted(found), dtype=np.int32).reshape(len(found), 3)
    return _pair_key(arrays, pairs[:, 0], pairs[:, 1], pairs[:, 2]), pairs


def _merged(column: Int64s, row: Int64s, change: Int64s, rows: int) -> tuple[Int64s, Int64s, Int64s]:
    """Entries sorted by column and row, those of one place added up, zeros left out."""
    if not len(column):
        return column, row, change
    place = column * max(rows, 1) + row
    order = np.argsort(place, kind="stable")
    place = place[order]
    first = np.flatnonzero(np.concatenate(([True], place[1:] != place[:-1])))
    total = np.add.reduceat(change[order], first)
    kept = total != 0
    chosen = order[first[kept]]
    return column[chosen], row[chosen], total[kept]


def _rooms(arrays: QueueArrays, rows: _Rows, terms: Terms, outflow: Int64s) -> Int64s:
    """Per row what may flow out, net, cut at the sum of all that can."""
    rooms = []
    for most, bank, payee, currency in zip(
        outflow.tolist(), rows.bank.tolist(), rows.payee.tolist(), rows.currency.tolist(), strict=True
    ):
        account = (arrays.banks[bank], arrays.currencies[currency])
        if payee == NO_PAYEE:
            room = terms.opening.get(account, 0) - lowest_closing(terms, account)
        else:
            room = terms.bilateral[account[0], arrays.banks[payee], account[1]]
        rooms.append(min(room, most))
    return np.array(rooms, dtype=np.int64)


def _values(
    currencies: Sequence[str], legs: _Legs, columns: int, rates: Mapping[str, Fraction]
) -> tuple[Int64s, Fraction, bool]:
    """Value of each column in the reporting currency: integers, their scale, and whether they are exact."""
    if not columns:
        return np.empty(0, dtype=np.int64), Fraction(1), True
    rate = [rates.get(code, Fraction(1)) for code in currencies]
    denominator = math.lcm(*(ratio.denominator for ratio in rate))
    multiples = [int(ratio * denominator) for ratio in rate]
    common = math.gcd(*multiples)
    multiples = [multiple // common for multiple in multiples]
    first = np.searchsorted(legs.column, np.arange(columns))
    scale = Fraction(common, denominator)
    total = sum(multiple * exact_sum(legs.amount[legs.currency == at]) for at, multiple in enumerate(multiples))
    shift = _excess_bits(total)
    if not shift:
        used = [multiple if multiple <= total else 0 for multiple in multiples]  # one that nobody uses may be any size
        per_leg = legs.amount * np.array(used, dtype=np.int64)[legs.currency]
        return np.add.reduceat(per_leg, first), scale, True
    wide = legs.amount.astype(object) * np.array(multiples, dtype=object)[legs.currency]
    return _rounded_up(np.add.reduceat(wide, first).tolist(), shift), scale * 2**shift, False


def _counts(share: Int64s) -> tuple[Int64s, Fraction, bool]:
    """1 / ``share`` per column: integers, their scale, and whether they are exact."""
    shares, which = np.unique(share, return_inverse=True)
    whole = math.lcm(*shares.tolist())
    worths = [whole // part for part in shares.tolist()]
    shift = _excess_bits(whole * len(share))
    worth = _rounded_up(worths, shift)[which] if shift else np.array(worths, dtype=np.int64)[which]
    return worth, Fraction(2**shift, whole), not shift


def _excess_bits(total: int) -> int:
    """How far to shift so that the sum, each part rounded up, stays below 2**SAFE_BITS; 0 if it does as it is."""
    return 0 if total < 2**SAFE_BITS else total.bit_length() - SAFE_BITS + 1


def _rounded_up(worths: list[int], shift: int) -> Int64s:
    return np.array([-(-worth >> shift) for worth in worths], dtype=np.int64)


def exact_sum(amounts: Int64s) -> int:
    """Sum in exact integers: halves of 32 bits can't overflow over 2**31 entries."""
    return (int((amounts >> 32).sum()) << 32) + int((amounts & 0xFFFFFFFF).sum())
