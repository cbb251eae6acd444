"""One run of a resolver over what is queued: the question that both engines ask in the same way."""

from __future__ import annotations

from collections.abc import Iterable

from liquidity.day import Day
from liquidity.model import Amounts, Limits, Queue
from liquidity.resolution import ids_of, resolve
from liquidity.simulation.policies import Policy


def chosen(
    queued: Queue, balances: Amounts, floors: Amounts, limits: Limits, day: Day, policy: Policy, seed: int
) -> Iterable[str]:
    """The ids that a run settles.

    ``queued`` stands in order of entry; ``balances`` are those of the moment, ``floors`` the least of the day and
    ``limits`` what is left of the bilateral ones. Raises as :func:`liquidity.resolution.ids_of` does.
    """
    if callable(policy.resolver):
        return ids_of(
            policy.resolver,
            queued,
            balances,
            floors=floors,
            limits=limits,
            rates=day.rates,
            time_limit_s=policy.time_limit_s,
            seed=seed,
        )
    return resolve(
        queued,
        balances,
        order=policy.resolver or policy.order,
        floors=floors,
        limits=limits,
        rates=day.rates,
        time_limit_s=policy.time_limit_s,
        work_limit=None if policy.resolver is None else policy.work_limit,
        seed=seed,
    ).settled
