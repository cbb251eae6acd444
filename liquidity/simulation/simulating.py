"""The question: what settles when on this day?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from liquidity.arrays import Int64s
from liquidity.day import Day
from liquidity.errors import InvalidField, shown
from liquidity.model import exact_seed
from liquidity.simulation.engine import Trace, settle_day
from liquidity.simulation.policies import Policy
from liquidity.simulation.schedule import Schedule, make_schedule

if TYPE_CHECKING:
    import pandas as pd

COMPILED_FROM_LEGS = 20_000
"""From here the compiled engine wins, its import (a second) included."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulationResult:
    """What happened on a day. :mod:`liquidity.metrics` reads it.

    ``entered_at_s`` (n): when each obligation entered the system, after hours, outages and delays; ``settled_at_s``
    (n): when it settled; ``batch`` (n): what carries the same number settled together, and the numbers ascend in the
    order of settlement. ``run_at_s`` (r): when there was a run, ``run_batch`` (r): the batch that it settled.
    Everywhere −1 means never, or nothing. ``method`` names the engine.
    """

    day: Day
    policy: Policy
    seed: int
    entered_at_s: Int64s
    settled_at_s: Int64s
    batch: Int64s
    run_at_s: Int64s
    run_batch: Int64s
    method: str

    def metrics(self) -> pd.DataFrame:
        """All of :mod:`liquidity.metrics` that is one number, as one row."""
        from liquidity.metrics import metrics

        return metrics(self)


def simulate(day: Day, policy: Policy, *, seed: int = 0) -> SimulationResult:
    """What settles when on ``day`` under ``policy``.

    Within a second, what comes back or gives up waiting comes first, then obligations enter in order of arrival,
    then runs take place, then what is past its last second leaves.

    Parameters
    ----------
    seed
        Of what is drawn: which payments a waiting bank holds back, and what a searching resolver tries.

    Raises
    ------
    InvalidField
        For something that is no day or no policy.
    InvalidSettlement
        When a resolver of the caller's own returns a set that may not settle.

    Examples
    --------
    >>> import numpy as np
    >>> from liquidity import Leg, Obligation, Queue
    >>> queue = Queue([
    ...     Obligation("T1", [Leg("HK1", "TH1", "HKD", 100)]),
    ...     Obligation("T2", [Leg("TH1", "HK1", "HKD", 100)]),
    ... ])
    >>> day = Day(queue, np.array([36_000, 36_010]))
    >>> simulate(day, Policy.queue()).settled_at_s.tolist()
    [-1, -1]
    >>> simulate(day, Policy.gridlock(every_s=900)).settled_at_s.tolist()
    [36900, 36900]
    """
    if not isinstance(day, Day):
        raise InvalidField("day", "must be a Day", shown(day))
    if not isinstance(policy, Policy):
        raise InvalidField("policy", "must be a Policy", shown(policy))
    seed = exact_seed(seed)
    schedule = make_schedule(day, policy, seed)
    trace = _compiled(day, policy, schedule, seed) if day.queue.leg_count >= COMPILED_FROM_LEGS else None
    compiled = trace is not None
    if trace is None:
        trace = settle_day(day, policy, schedule, seed)
    return SimulationResult(
        day=day,
        policy=policy,
        seed=seed,
        entered_at_s=trace.entered_at_s,
        settled_at_s=trace.settled_at_s,
        batch=trace.batch,
        run_at_s=trace.run_at_s,
        run_batch=trace.run_batch,
        method=f"event by event, {'compiled, 64-bit' if compiled else 'exact'} integers",
    )


def _compiled(day: Day, policy: Policy, schedule: Schedule, seed: int) -> Trace | None:
    from liquidity.simulation.compiled import settle_day as settle_large_day

    return settle_large_day(day, policy, schedule, seed)
