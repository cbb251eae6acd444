"""Pairs the two instructions of a PvP trade: same reference, same banks, same currencies, same amounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from corridor.money import Money


@dataclass(frozen=True, slots=True)
class TradeSide:
    """One bank's instruction of a trade: it pays ``sold`` and is paid ``bought`` by ``payee``."""

    uetr: str
    reference: str
    payer: str
    payee: str
    sold: Money
    bought: Money


@dataclass(frozen=True, slots=True)
class Matching:
    """``pairs`` of UETRs, earlier first; ``unmatched``: for each other UETR, what it waits for."""

    pairs: tuple[tuple[str, str], ...]
    unmatched: Mapping[str, str]


def match(sides: Iterable[TradeSide]) -> Matching:
    """Pair ``sides`` (in arrival order); the earliest that fits wins."""
    waiting: dict[tuple[str, frozenset[str]], list[TradeSide]] = {}
    pairs = []
    for side in sides:
        candidates = waiting.setdefault((side.reference, frozenset((side.payer, side.payee))), [])
        partner = next((other for other in candidates if _mirrored(side, other)), None)
        if partner is None:
            candidates.append(side)
        else:
            candidates.remove(partner)
            pairs.append((partner.uetr, side.uetr))
    unmatched = {side.uetr: _why(side, others) for others in waiting.values() for side in others}
    return Matching(tuple(pairs), unmatched)


def _mirrored(one: TradeSide, other: TradeSide) -> bool:
    banks = (one.payer, one.payee) == (other.payee, other.payer)
    return banks and (one.sold, one.bought) == (other.bought, other.sold)


def _why(side: TradeSide, others: Iterable[TradeSide]) -> str:
    for other in others:
        if other.payer == side.payee:
            return (
                f"unmatched: trade {side.reference}, {other.payer} sells {other.sold} for {other.bought}, "
                f"this instruction says {side.bought} for {side.sold}"
            )
    return f"unmatched: no instruction of {side.payee} for trade {side.reference} yet"
