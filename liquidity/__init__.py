"""Which payment obligations can settle now? Exact answers, alone or inside a payment system.

``import liquidity`` pulls in the standard library only; numpy and numba come with the first large queue.
"""

from typing import TYPE_CHECKING, Any

from liquidity.bounding import Bound, Lever, Price, upper_bound
from liquidity.checking import OrderNotCheckable, check_settlement
from liquidity.errors import (
    InvalidField,
    InvalidSettlement,
    LiquidityError,
    Rule,
    UnknownObligation,
    UnknownOrder,
)
from liquidity.explaining import Cause, Explanation, Reason, Standing, explain, explain_all
from liquidity.model import NO_PRIORITY, Leg, Limits, Obligation, Queue
from liquidity.resolution import Resolution, resolve

if TYPE_CHECKING:
    from liquidity.generating import Traffic, generate_day, generate_queue, opening_balances
    from liquidity.presets import CORRIDOR, HONG_KONG

_LATER = {
    "CORRIDOR": "presets",
    "HONG_KONG": "presets",
    "Traffic": "generating",
    "generate_day": "generating",
    "generate_queue": "generating",
    "opening_balances": "generating",
}
"""Public names that need numpy or more, and the module that loads when one of them is first asked for."""

__all__ = [
    "CORRIDOR",
    "HONG_KONG",
    "NO_PRIORITY",
    "Bound",
    "Cause",
    "Explanation",
    "InvalidField",
    "InvalidSettlement",
    "Leg",
    "Lever",
    "Limits",
    "LiquidityError",
    "Obligation",
    "OrderNotCheckable",
    "Price",
    "Queue",
    "Reason",
    "Resolution",
    "Rule",
    "Standing",
    "Traffic",
    "UnknownObligation",
    "UnknownOrder",
    "check_settlement",
    "explain",
    "explain_all",
    "generate_day",
    "generate_queue",
    "opening_balances",
    "resolve",
    "upper_bound",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
