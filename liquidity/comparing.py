"""Several algorithms on one queue, side by side: one row each, on the same terms and against the same bound."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from liquidity.bypass.answering import worth_kept
from liquidity.model import Amounts, Limits, Queue
from liquidity.resolution import ORDERS, Resolver, resolve
from liquidity.terms import make_rates

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("order", "settled_count", "settled_share", "objective", "share_of_bound", "proof", "method", "elapsed_s")
"""Of the table, in this order."""


def compare(
    queue: Queue,
    balances: Amounts,
    *,
    orders: Iterable[str | Resolver] = ORDERS,
    floors: Amounts | None = None,
    limits: Limits | None = None,
    rates: Mapping[str, Fraction | int] | None = None,
    time_limit_s: float | None = None,
    work_limit: int | None = None,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> pd.DataFrame:
    """What each order, or resolver of one's own, settles of the same queue.

    Parameters
    ----------
    queue, balances, floors, limits, rates, time_limit_s, work_limit, seed
        As for :func:`liquidity.resolve`.
    orders
        Names of orders, and functions as ``resolve`` takes them.
    clock
        What ``elapsed_s`` is measured with.

    Returns
    -------
    pandas.DataFrame
        One row per order: ``settled_count``; ``settled_share``, of the value that waits; ``objective`` (value in the
        reporting currency, as a float: the exact value is in the resolution); ``share_of_bound``, of the least upper
        bound that any of those in free order proves; ``proof``, ``method``, ``elapsed_s``.

    Raises
    ------
    UnknownOrder, InvalidField, InvalidSettlement
        As ``resolve`` does.
    """
    import pandas as pd

    rows = []
    bounds = []
    for order in orders:
        started = clock()
        answer = resolve(
            queue,
            balances,
            order=order,
            floors=floors,
            limits=limits,
            rates=rates,
            time_limit_s=time_limit_s,
            work_limit=work_limit,
            seed=seed,
        )
        rows.append((answer, clock() - started))
        if answer.proof != "unique-maximum":  # that bounds what keeps the order, not what is free
            bounds.append(answer.upper_bound)
    waiting = worth_kept(queue, make_rates(rates), "value", [not one.held for one in queue])
    bound = min(bounds, default=waiting)
    return pd.DataFrame(
        [
            (
                answer.order,
                answer.settled_count,
                _share(answer.objective, waiting),
                float(answer.objective),
                _share(answer.objective, bound),
                answer.proof,
                answer.method,
                elapsed_s,
            )
            for answer, elapsed_s in rows
        ],
        columns=list(COLUMNS),
    )


def _share(part: Fraction, whole: Fraction) -> float:
    return float(part / whole) if whole else 1.0
