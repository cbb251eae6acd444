"""Draws the picture of ``docs/liquidity.md`` and the README: ``python -m tools.pictures [FOLDER]``.

The day is the example's, so the picture is the same whenever it is drawn; grey and small on purpose.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from liquidity import Policy, liquidity_curve, plot_liquidity_delay, read_day

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[1]
DOTS_PER_INCH = 90
RUN_EVERY_S = 900
SEED = 0

RULES = {
    "queue": Policy.queue(),
    "netted every 15 min": Policy.gridlock(every_s=RUN_EVERY_S),
    "free order every 15 min": Policy.gridlock("bypass", every_s=RUN_EVERY_S),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw it; the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    folder = Path(given[0]) if given else ROOT / "docs"
    day = read_day(ROOT / "examples" / "days" / "corridor.csv", rates={"THB": Fraction(10, 46)})
    _keep(plot_liquidity_delay(liquidity_curve(day, RULES, seed=SEED, progress=False)), folder / "liquidity-delay.png")
    return 0


def _keep(axes: Axes, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
    print(path.name, path.stat().st_size // 1000, "kB")


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("agg")
    sys.exit(main())
