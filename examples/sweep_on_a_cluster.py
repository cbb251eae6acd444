"""How much liquidity does a corridor need? Days, levels of liquidity and policies swept over on a Dask cluster.

``python examples/sweep_on_a_cluster.py`` starts two workers on this machine; with the address of your scheduler as
its argument it uses that cluster. Interrupt it and start it again: what is in ``sweep.jsonl`` isn't run again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import matplotlib.pyplot as plt
from distributed import Client, LocalCluster

from liquidity import CORRIDOR, Day, Policy, generate_day
from liquidity.metrics import with_liquidity
from liquidity.plotting import plot_liquidity_delay
from liquidity.sweeping import sweep

SMALL_CORRIDOR = replace(CORRIDOR, obligations=2_000)

POLICIES = {
    "queue": Policy.queue(),
    "offset every 15 minutes": Policy.gridlock(every_s=900),
}


def make_day(seed: int, alpha: Fraction) -> Day:
    """A drawn day on which every account opens between its net (0) and its gross (1) bound."""
    return with_liquidity(generate_day(SMALL_CORRIDOR, seed=seed), alpha)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep, print its means, draw its curve."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    with _client(given) as client:
        frame = sweep(
            make_day,
            POLICIES,
            grid={"alpha": [Fraction(quarters, 4) for quarters in range(5)]},
            seeds=range(1, 6),
            executor=client.get_executor(),
            results="sweep.jsonl",
        )
    print(frame.groupby(["policy", "alpha"], sort=False)[["delay_indicator"]].mean())
    plot_liquidity_delay(frame)
    plt.savefig("sweep.png")
    return 0


def _client(given: Sequence[str]) -> Client:
    if given:
        return Client(given[0])  # type: ignore[no-untyped-call]
    return Client(LocalCluster(n_workers=2, threads_per_worker=1))  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    sys.exit(main())
