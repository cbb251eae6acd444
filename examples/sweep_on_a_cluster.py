"""How much liquidity does a corridor need? Days, levels of liquidity and policies swept over on a Dask cluster.

``python examples/sweep_on_a_cluster.py`` starts two workers on this machine; with the address of your scheduler as
its argument it uses that cluster. Interrupt it and start it again: what is in ``sweep.jsonl`` isn't run again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
from distributed import Client, LocalCluster

from liquidity import CORRIDOR, Policy, generate_day
from liquidity.plotting import plot_liquidity_delay
from liquidity.sweeping import sweep

SMALL_CORRIDOR = replace(CORRIDOR, obligations=2_000)

POLICIES = {
    "queue": Policy.queue(),
    "offset every 15 minutes": Policy.gridlock(every_s=900),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep, print its means, draw its curve."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    with _client(given) as client:
        frame = sweep(
            partial(generate_day, SMALL_CORRIDOR, beta=0.01),
            POLICIES,
            grid={"alpha": [0.5, 0.75, 1, 1.5, 2]},
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
