"""Which payment obligations can settle now? Exact answers, alone or inside a payment system.

``import liquidity`` pulls in the standard library only; numpy and numba come with the first large queue.
"""

from typing import TYPE_CHECKING, Any

from liquidity.bounding import Bound, Lever, Price, upper_bound
from liquidity.checking import OrderNotCheckable, check_settlement
from liquidity.diagnosing import Diagnosis, Jam, Shortfall, diagnose, set_order_aside
from liquidity.errors import (
    InvalidField,
    InvalidSettlement,
    LiquidityError,
    Rule,
    UnknownObligation,
    UnknownOrder,
)
from liquidity.explaining import Cause, Explanation, Reason, Standing, explain, explain_all
from liquidity.injecting import Injection, Injections, best_injection
from liquidity.model import NO_PRIORITY, Leg, Limits, Obligation, Queue
from liquidity.resolution import Resolution, resolve

if TYPE_CHECKING:
    from liquidity.comparing import compare
    from liquidity.day import Day, Hours, Outage
    from liquidity.generating import Traffic, generate_day, generate_queue, opening_balances
    from liquidity.plotting import plot_comparison, plot_liquidity_delay, plot_network, plot_queue, plot_throughput
    from liquidity.presets import CORRIDOR, HONG_KONG
    from liquidity.pssimpy import pssimpy_tables, read_pssimpy
    from liquidity.simulation import Delay, Policy, SimulationResult, simulate
    from liquidity.sweeping import liquidity_curve, sweep
    from liquidity.tables import case_of_day, day_of_case, day_of_frames, frames_of_day, read_day, write_day

_LATER = {
    "CORRIDOR": "presets",
    "Day": "day",
    "Delay": "simulation",
    "HONG_KONG": "presets",
    "compare": "comparing",
    "Hours": "day",
    "Outage": "day",
    "Policy": "simulation",
    "SimulationResult": "simulation",
    "Traffic": "generating",
    "case_of_day": "tables",
    "day_of_case": "tables",
    "day_of_frames": "tables",
    "frames_of_day": "tables",
    "generate_day": "generating",
    "generate_queue": "generating",
    "liquidity_curve": "sweeping",
    "opening_balances": "generating",
    "plot_comparison": "plotting",
    "plot_liquidity_delay": "plotting",
    "plot_network": "plotting",
    "plot_queue": "plotting",
    "plot_throughput": "plotting",
    "pssimpy_tables": "pssimpy",
    "read_day": "tables",
    "read_pssimpy": "pssimpy",
    "simulate": "simulation",
    "sweep": "sweeping",
    "write_day": "tables",
}
"""Public names that need numpy or more, and the module that loads when one of them is first asked for."""

__all__ = [
    "CORRIDOR",
    "HONG_KONG",
    "NO_PRIORITY",
    "Bound",
    "Cause",
    "Day",
    "Delay",
    "Diagnosis",
    "Explanation",
    "Hours",
    "Injection",
    "Injections",
    "InvalidField",
    "InvalidSettlement",
    "Jam",
    "Leg",
    "Lever",
    "Limits",
    "LiquidityError",
    "Obligation",
    "OrderNotCheckable",
    "Outage",
    "Policy",
    "Price",
    "Queue",
    "Reason",
    "Resolution",
    "Rule",
    "Shortfall",
    "SimulationResult",
    "Standing",
    "Traffic",
    "UnknownObligation",
    "UnknownOrder",
    "best_injection",
    "case_of_day",
    "check_settlement",
    "compare",
    "day_of_case",
    "day_of_frames",
    "diagnose",
    "explain",
    "explain_all",
    "frames_of_day",
    "generate_day",
    "generate_queue",
    "liquidity_curve",
    "opening_balances",
    "plot_comparison",
    "plot_liquidity_delay",
    "plot_network",
    "plot_queue",
    "plot_throughput",
    "pssimpy_tables",
    "read_day",
    "read_pssimpy",
    "resolve",
    "set_order_aside",
    "simulate",
    "sweep",
    "upper_bound",
    "write_day",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
