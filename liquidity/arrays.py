"""A queue as flat numpy arrays, one entry per leg: what the compiled elimination reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from liquidity.errors import InvalidField, shown
from liquidity.model import MAX_LEGS, NO_PRIORITY, Leg, Obligation, name

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]
Records = NDArray[np.void]


@dataclass(frozen=True, slots=True, eq=False)
class QueueArrays:
    """``m`` legs of ``n`` obligations in arrival order; the legs of an obligation lie side by side.

    ``leg_start`` (n + 1) bounds each obligation's legs; ``leg_obligation`` (m) says whose leg it is. ``payer`` and
    ``payee`` (m) index ``banks``, ``currency`` (m) indexes ``currencies``, ``amount`` (m) counts minor units.
    ``priority`` (n) and ``leg_priority`` (m) are as given, ``None`` where nobody has one.
    """

    banks: tuple[str, ...]
    currencies: tuple[str, ...]
    leg_start: Int32s
    leg_obligation: Int32s
    payer: Int32s
    payee: Int32s
    currency: Int32s
    amount: Int64s
    priority: Int64s | None
    leg_priority: Int64s | None
    held: Bools


def _integers(values: ArrayLike, field: str, count: int | None) -> Int64s:
    array = np.asarray(values)
    if array.ndim != 1:
        raise InvalidField(field, "must be an array of one dimension", f"{array.ndim} dimensions")
    if count is not None and len(array) != count:
        raise InvalidField(field, f"must have {count} entries", str(len(array)))
    if len(array) and array.dtype.kind not in "iu":
        raise InvalidField(field, "must be an array of integers", str(array.dtype))
    if array.dtype == np.uint64 and len(array) and array.max() > np.uint64(NO_PRIORITY):
        raise InvalidField(field, "must fit signed 64 bits", str(array.max()))
    return array.astype(np.int64, copy=False)


def _indices(values: ArrayLike, field: str, count: int | None, size: int) -> Int32s:
    array = _integers(values, field, count)
    if len(array):
        for extreme in (int(array.min()), int(array.max())):
            if not 0 <= extreme < size:
                raise InvalidField(field, f"must be at least 0 and less than {size}", str(extreme))
    return array.astype(np.int32)


def _names(values: Sequence[str], field: str) -> tuple[str, ...]:
    names = tuple(values)
    if not (set(map(type, names)) <= {str} and all(names)):
        for number, value in enumerate(names):
            name(value, f"{field}[{number}]")
    if len(set(names)) != len(names):
        raise InvalidField(field, "must be unique")
    return names


def _first(mask: NDArray[np.bool_]) -> int:
    return int(np.argmax(mask))


def _leg_start(obligation: ArrayLike | None, leg_count: int) -> tuple[Int32s, Int32s]:
    """Where each obligation's legs start, and whose leg each is."""
    if obligation is None:
        start = np.arange(leg_count + 1, dtype=np.int32)
        return start, start[:-1]
    whose = _indices(obligation, "obligation", leg_count, max(leg_count, 1))
    if not leg_count:
        return np.zeros(1, dtype=np.int32), whose
    step = np.diff(whose, prepend=np.int32(-1))
    wrong = (step < 0) | (step > 1)
    wrong[0] = whose[0] != 0
    if wrong.any():
        at = _first(wrong)
        problem = "must count 0, 1, 2 … without gaps and never fall"
        raise InvalidField(f"obligation[{at}]", problem, str(whose[at]))
    start = np.append(np.flatnonzero(step), leg_count).astype(np.int32)
    return start, whose


def queue_arrays(
    banks: Sequence[str],
    currencies: Sequence[str],
    payer: ArrayLike,
    payee: ArrayLike,
    currency: ArrayLike,
    amount: ArrayLike,
    obligation: ArrayLike | None,
    priority: ArrayLike | None,
    leg_priority: ArrayLike | None,
    held: ArrayLike | None,
    ids: Sequence[str] | None,
) -> tuple[QueueArrays, Sequence[str]]:
    """Checked arrays and ids, as :meth:`liquidity.Queue.from_arrays` describes them."""
    amounts = np.array(_integers(amount, "amount", None))
    leg_count = len(amounts)
    if leg_count > MAX_LEGS:
        raise InvalidField("amount", f"must have at most {MAX_LEGS} legs", str(leg_count))
    bank_names, currency_names = _names(banks, "banks"), _names(currencies, "currencies")
    payers = _indices(payer, "payer", leg_count, len(bank_names))
    payees = _indices(payee, "payee", leg_count, len(bank_names))
    if leg_count and amounts.min() <= 0:
        at = _first(amounts <= 0)
        raise InvalidField(f"amount[{at}]", "must be an integer > 0", str(amounts[at]))
    if (payers == payees).any():
        at = _first(payers == payees)
        raise InvalidField(f"payee[{at}]", "must differ from the payer", shown(bank_names[payees[at]]))

    leg_start, leg_obligation = _leg_start(obligation, leg_count)
    count = len(leg_start) - 1
    held_mask = np.zeros(count, dtype=np.bool_) if held is None else np.array(held)
    if held_mask.shape != (count,) or (count and held_mask.dtype != np.bool_):
        raise InvalidField("held", f"must be {count} booleans", f"{held_mask.dtype} of shape {held_mask.shape}")
    named = tuple(map(str, range(count))) if ids is None else _names(ids, "ids")
    if len(named) != count:
        raise InvalidField("ids", f"must have {count} entries", str(len(named)))
    arrays = QueueArrays(
        banks=bank_names,
        currencies=currency_names,
        leg_start=leg_start,
        leg_obligation=leg_obligation,
        payer=payers,
        payee=payees,
        currency=_indices(currency, "currency", leg_count, len(currency_names)),
        amount=amounts,
        priority=None if priority is None else np.array(_integers(priority, "priority", count)),
        leg_priority=None if leg_priority is None else np.array(_integers(leg_priority, "leg_priority", leg_count)),
        held=held_mask.astype(np.bool_),
    )
    return arrays, named


def arrays_of(obligations: Sequence[Obligation]) -> QueueArrays | None:
    """Obligations as arrays; ``None`` when an amount doesn't fit 64 bits.

    Priorities are replaced by their rank, so they may be integers of any size.
    """
    legs = [leg for obligation in obligations for leg in obligation.legs]
    try:
        amount = np.array([leg.amount for leg in legs], dtype=np.int64)
    except OverflowError:
        return None
    banks = {
        bank: number for number, bank in enumerate(dict.fromkeys(b for leg in legs for b in (leg.payer, leg.payee)))
    }
    currencies = {code: number for number, code in enumerate(dict.fromkeys(leg.currency for leg in legs))}
    counts = np.array([len(obligation.legs) for obligation in obligations], dtype=np.int64)
    owned = [obligation.priority for obligation in obligations]
    own_to_leg = [leg.priority for leg in legs]
    distinct = sorted({value for value in (*owned, *own_to_leg) if value is not None})
    rank: dict[int | None, int] = {value: number for number, value in enumerate(distinct)}
    rank[None] = NO_PRIORITY
    return QueueArrays(
        banks=tuple(banks),
        currencies=tuple(currencies),
        leg_start=np.concatenate(([0], np.cumsum(counts))).astype(np.int32),
        leg_obligation=np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        payer=np.array([banks[leg.payer] for leg in legs], dtype=np.int32),
        payee=np.array([banks[leg.payee] for leg in legs], dtype=np.int32),
        currency=np.array([currencies[leg.currency] for leg in legs], dtype=np.int32),
        amount=amount,
        priority=np.array([rank[value] for value in owned], dtype=np.int64) if distinct else None,
        leg_priority=np.array([rank[value] for value in own_to_leg], dtype=np.int64) if distinct else None,
        held=np.array([obligation.held for obligation in obligations], dtype=np.bool_),
    )


def obligations_of(arrays: QueueArrays, ids: Sequence[str]) -> tuple[Obligation, ...]:
    """Arrays as obligations: readable, and slow (microseconds each)."""

    def priorities(values: Int64s | None, count: int) -> list[int | None]:
        if values is None:
            return [None] * count
        return [None if value == NO_PRIORITY else value for value in values.tolist()]

    legs = [
        Leg(arrays.banks[payer], arrays.banks[payee], arrays.currencies[currency], amount, priority)
        for payer, payee, currency, amount, priority in zip(
            arrays.payer.tolist(),
            arrays.payee.tolist(),
            arrays.currency.tolist(),
            arrays.amount.tolist(),
            priorities(arrays.leg_priority, len(arrays.amount)),
            strict=True,
        )
    ]
    start = arrays.leg_start.tolist()
    own = priorities(arrays.priority, len(ids))
    held = arrays.held.tolist()
    return tuple(
        Obligation(ids[number], legs[start[number] : start[number + 1]], own[number], held[number])
        for number in range(len(ids))
    )
