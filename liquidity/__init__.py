"""Which payment obligations can settle now? Exact answers, alone or inside a payment system.

``import liquidity`` pulls in the standard library only; numpy and numba come with the first large queue.
"""

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

__all__ = [
    "NO_PRIORITY",
    "Cause",
    "Explanation",
    "InvalidField",
    "InvalidSettlement",
    "Leg",
    "Limits",
    "LiquidityError",
    "Obligation",
    "OrderNotCheckable",
    "Queue",
    "Reason",
    "Resolution",
    "Rule",
    "Standing",
    "UnknownObligation",
    "UnknownOrder",
    "check_settlement",
    "explain",
    "explain_all",
    "resolve",
]
