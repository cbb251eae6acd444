"""Plots in one line each: they take results or frames and return the axes.

All can be read in black and white: series differ by line style, marker and hatch, in greys. Every axis names its
unit. Amounts are drawn in major units of the reporting currency (``minor_per_unit`` minor ones each); floats are good
enough for a picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

from liquidity.errors import InvalidField, shown
from liquidity.metrics import queue_over_time, throughput
from liquidity.model import Amounts, Queue

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

    from liquidity.simulation import SimulationResult

LINES: Sequence[Any] = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "x")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++")
GREYS = ("0.0", "0.35", "0.55", "0.15", "0.45")

MAX_SERIES = 12
"""More lines in one picture can't be told apart."""

MAX_BANKS = 40
"""More names around a circle can't be read."""

MAX_LABELS = 12
"""More amounts in one network hide one another."""

HOUR_S = 3600

SAMPLE_S = 60
"""Seconds between the points of a curve over the day."""

UNITS = {
    "_reporting": "minor units of the reporting currency",
    "_minor": "minor units",
    "_s": "s",
    "_count": "number",
    "_share": "0 to 1",
    "_percent": "%",
    "_indicator": "0 to 1",
    "_ratio": "ratio",
    "alpha": "level of liquidity, a pure number",
}
"""What the ending of a column's name says of its unit."""

SILENT = frozenset({"_reporting", "_minor", "_s", "_percent"})
"""Endings that say nothing beside their unit."""

SCALES = ((1e12, " tn"), (1e9, " bn"), (1e6, " m"), (1e3, " k"))


def plot_queue(
    results: SimulationResult | Sequence[SimulationResult],
    *,
    every_s: int = SAMPLE_S,
    minor_per_unit: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Value queued over the day, sampled ``every_s`` seconds; one line per result, named by its policy.

    All legs count, in the reporting currency: :func:`liquidity.metrics.queue_over_time`, its currencies added up.
    """
    given = _several(results)
    axes = _axes(ax, (8, 4))
    for (line, _, grey), result in zip(_styles(len(given)), given, strict=False):
        frame = queue_over_time(result, every_s)
        value = sum(
            (
                frame[f"queued_{currency}_minor"].astype(float) * float(result.day.rates.get(currency, 1))
                for currency in _currencies(result.day.queue)
            ),
            start=0.0 * frame["time_s"],
        )
        axes.plot(frame["time_s"], value / minor_per_unit, linestyle=line, color=grey, label=result.policy.name)
    axes.set_ylabel("value queued (reporting currency,\n" + ("minor" if minor_per_unit == 1 else "major") + " units)")
    axes.set_ylim(bottom=0)
    return _finished(_over_the_day(axes, given, every_s), legend=True)


def plot_throughput(
    results: SimulationResult | Sequence[SimulationResult], *, every_s: int = SAMPLE_S, ax: Axes | None = None
) -> Axes:
    """Share of the day's value settled by when; one line per result, and what had arrived by then as a thin line.

    :func:`liquidity.metrics.throughput`, sampled ``every_s`` seconds.
    """
    given = _several(results)
    axes = _axes(ax, (8, 4))
    frames = [throughput(result, every_s) for result in given]
    for (line, _, grey), result, frame in zip(_styles(len(given)), given, frames, strict=False):
        settled = 100 * frame["settled_share"].astype(float)
        axes.plot(frame["time_s"], settled, linestyle=line, color=grey, label=result.policy.name)
    arrived = 100 * frames[0]["arrived_share"].astype(float)
    axes.plot(frames[0]["time_s"], arrived, color="0.7", linewidth=0.8, label="arrived")
    axes.set(ylabel="settled (% of the day's value)", ylim=(0, 103))
    return _finished(_over_the_day(axes, given, every_s), legend=True)


def plot_network(
    queue: Queue,
    *,
    balances: Amounts | None = None,
    settled: Iterable[str] = (),
    most: int = 30,
    minor_per_unit: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Who owes whom: banks on a circle, an arrow for what one is to pay another in one currency.

    The line's style tells the currency; what is in ``settled`` (ids) is black, what waits is grey; held obligations
    are left out. Legs between the same two banks in the same currency are one arrow; the ``most`` largest are drawn.
    Up to :data:`MAX_LABELS` arrows carry their amounts; of more, the width tells the amount within its currency.

    Raises
    ------
    InvalidField
        With more than :data:`MAX_BANKS` banks in what is drawn.
    """
    arrows = _arrows(queue, set(settled))
    drawn = sorted(arrows.items(), key=lambda item: (-item[1], item[0]))[:most]
    banks = sorted({bank for (payer, payee, _, _), _ in drawn for bank in (payer, payee)})
    if len(banks) > MAX_BANKS:
        raise InvalidField("most", f"must leave at most {MAX_BANKS} banks, say fewer arrows", str(len(banks)))
    axes = _axes(ax, (6.5, 6.5))
    turn = 2 * math.pi / max(len(banks), 1)
    at = {bank: (math.sin(turn * number), math.cos(turn * number)) for number, bank in enumerate(banks)}
    currencies = sorted({currency for (_, _, currency, _), _ in drawn})
    largest = {code: max(amount for (_, _, c, _), amount in drawn if c == code) for code in currencies}
    for (payer, payee, currency, done), amount in drawn:
        labelled = len(drawn) <= MAX_LABELS
        number = currencies.index(currency)
        _arrow(
            axes,
            (at[payer], at[payee]),
            bend=0.12 + 0.14 * number,
            line=LINES[number % len(LINES)],
            color="black" if done else "0.6",
            width=1.4 if labelled else 0.5 + 3 * amount / largest[currency],
            text=f"{_amount(amount, minor_per_unit)} {currency}" if labelled else "",
        )
    for bank, (x, y) in at.items():
        own = (balances or {}).get(bank, {})
        money = "".join(f"\n{_amount(amount, minor_per_unit)} {code}" for code, amount in sorted(own.items()))
        box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": "black"}
        axes.text(x, y, bank + money, ha="center", va="center", fontsize=9, zorder=3, bbox=box)
    title = f"Payment obligations, {'minor' if minor_per_unit == 1 else 'major'} units"
    if len(drawn) < len(arrows):
        title += f": the {len(drawn)} largest of {len(arrows)} relations"
    if len(drawn) > MAX_LABELS:
        widest = (f"{_amount(amount, minor_per_unit)} {code}" for code, amount in largest.items())
        title += f"\nwidth: amount, up to {', '.join(widest)}"
    axes.set_title(title, fontsize=10)
    _network_legend(axes, currencies, sorted({done for (_, _, _, done), _ in drawn}, reverse=True))
    axes.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), aspect="equal")
    axes.axis("off")
    return axes


def plot_liquidity_delay(
    frame: DataFrame,
    *,
    liquidity: str = "alpha",
    delay: str = "delay_indicator",
    by: str = "policy",
    ax: Axes | None = None,
) -> Axes:
    """Delay over liquidity, one line per policy: the curve that an α-sweep gives.

    ``liquidity`` and ``delay`` name columns of ``frame``; rows of the same policy and the same ``alpha`` (if there is
    that column) are averaged, as those of several seeds. Column names are the axes' labels, with their units.

    Raises
    ------
    InvalidField
        For a column that isn't there, or more than :data:`MAX_SERIES` policies.
    """
    _need(frame, liquidity, delay, by)
    axes = _axes(ax, (7, 4.5))
    groups = list(frame[by].drop_duplicates())
    for (line, marker, grey), name in zip(_styles(len(groups)), groups, strict=False):
        points = frame.loc[frame[by] == name]
        if "alpha" in frame.columns:
            points = points.groupby("alpha", as_index=False)[sorted({liquidity, delay} - {"alpha"})].mean()
        points = points.sort_values(liquidity)
        axes.plot(
            points[liquidity], points[delay], linestyle=line, marker=marker, color=grey, label=str(name), markersize=5
        )
    axes.set(xlabel=_label(liquidity), ylabel=_label(delay))
    axes.set_ylim(bottom=0)
    return _finished(axes, legend=True)


def plot_comparison(frame: DataFrame, value: str, *, by: str, bound: str | None = None, ax: Axes | None = None) -> Axes:
    """One bar per row of ``frame`` (an algorithm, a policy), as long as column ``value``; a tick at column ``bound``.

    Raises
    ------
    InvalidField
        For a column that isn't there, or more than :data:`MAX_SERIES` rows.
    """
    _need(frame, value, by, *([] if bound is None else [bound]))
    if len(frame) > MAX_SERIES:
        raise InvalidField("frame", f"must have at most {MAX_SERIES} rows", str(len(frame)))
    axes = _axes(ax, (7, 0.9 + 0.45 * len(frame)))
    lengths = [float(length) for length in frame[value]]
    names = [str(name) for name in frame[by]]
    places = list(range(len(names)))
    bars = axes.barh(places, lengths, color="0.85", edgecolor="black", height=0.62)
    for bar, hatch in zip(bars, cycle(HATCHES), strict=False):
        bar.set_hatch(hatch)
    ends = [*lengths]
    if bound is not None:
        limits = [float(limit) for limit in frame[bound]]
        axes.vlines(limits, [at - 0.38 for at in places], [at + 0.38 for at in places], color="black", linewidth=2.5)
        ends += limits
    right = max(ends, default=1.0) or 1.0
    for at, length in zip(places, lengths, strict=True):
        axes.text(1.03 * right, at, _short(length), va="center", fontsize=9)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlabel(_label(value) + ("" if bound is None else f"   (tick: {_label(bound)})"))
    axes.set_xlim(0, 1.15 * right)
    return _finished(axes, legend=False)


def _several(results: SimulationResult | Sequence[SimulationResult]) -> list[SimulationResult]:
    given = list(results) if isinstance(results, Sequence) else [results]
    if not given:
        raise InvalidField("results", "must be at least one")
    return given


def _over_the_day(axes: Axes, results: Sequence[SimulationResult], every_s: int) -> Axes:
    """The axis of time, from the first arrival to the last arrival or settlement of all results."""
    from matplotlib.ticker import MaxNLocator

    first = min((int(one.day.arrival_s[0]) for one in results if len(one.day.arrival_s)), default=0)
    last = max(int(max(one.day.arrival_s.max(initial=0), one.settled_at_s.max(initial=0))) for one in results)
    axes.set_xlim(first - every_s, last + every_s)
    axes.set_xlabel("time of day (HH:MM)")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 1.2, 1.8, 2.4, 3.6, 7.2, 10]))
    axes.xaxis.set_major_formatter(lambda second, _: f"{int(second) // HOUR_S:02d}:{int(second) // 60 % 60:02d}")
    return axes


def _currencies(queue: Queue) -> Sequence[str]:
    """The currencies in which a queue's legs are."""
    arrays = queue.arrays()
    if arrays is not None:
        return arrays.currencies
    return sorted({leg.currency for obligation in queue for leg in obligation.legs})


def _arrows(queue: Queue, settled: set[str]) -> dict[tuple[str, str, str, bool], int]:
    """(payer, payee, currency, settled) → amount, all legs together."""
    arrows: dict[tuple[str, str, str, bool], int] = {}
    for obligation in queue:
        for leg in () if obligation.held else obligation.legs:
            key = (leg.payer, leg.payee, leg.currency, obligation.id in settled)
            arrows[key] = arrows.get(key, 0) + leg.amount
    return arrows


def _arrow(
    axes: Axes,
    ends: tuple[tuple[float, float], tuple[float, float]],
    *,
    bend: float,
    line: Any,
    color: str,
    width: float,
    text: str,
) -> None:
    (x0, y0), (x1, y1) = ends
    axes.annotate(
        "",
        xy=ends[1],
        xytext=ends[0],
        arrowprops={
            "arrowstyle": "-|>",
            "connectionstyle": f"arc3,rad={bend}",
            "color": color,
            "linestyle": line,
            "linewidth": width,
            "shrinkA": 24,
            "shrinkB": 24,
        },
    )
    if text:  # in the middle of arc3's curve: half of its control point's distance from the chord
        x, y = (x0 + x1) / 2 + bend * (y1 - y0) / 2, (y0 + y1) / 2 - bend * (x1 - x0) / 2
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(x, y, text, fontsize=8, ha="center", va="center", bbox=box)


def _network_legend(axes: Axes, currencies: Sequence[str], states: Sequence[bool]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color="black", linestyle=LINES[number % len(LINES)], label=code)
        for number, code in enumerate(currencies)
    ]
    for done in states:
        handles.append(
            Line2D([], [], color="black" if done else "0.6", linewidth=4, label="settled" if done else "waiting")
        )
    axes.legend(handles=handles, loc="lower right", fontsize=9, frameon=False, handlelength=3)


def _axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def _styles(count: int) -> Iterable[tuple[Any, str, str]]:
    if count > MAX_SERIES:
        raise InvalidField("series", f"must be at most {MAX_SERIES}", str(count))
    return zip(cycle(LINES), cycle(MARKERS), cycle(GREYS), strict=False)


def _finished(axes: Axes, *, legend: bool) -> Axes:
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        low, high = axis.get_view_interval()
        if max(abs(low), abs(high)) >= 10_000 and not axis.get_label_text().startswith("time"):
            axis.set_major_formatter(lambda value, _: _short(value))
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(frameon=False, fontsize=9)
    return axes


def _need(frame: DataFrame, *columns: str) -> None:
    for column in columns:
        if column not in frame.columns:
            raise InvalidField(
                f"column {shown(column)}", "must be in the frame", shown(", ".join(map(str, frame.columns)))
            )


def _label(column: str) -> str:
    """A column's name with its unit, which its ending tells."""
    for ending, unit in UNITS.items():
        if column.endswith(ending):
            return f"{column.removesuffix(ending) if ending in SILENT else column} ({unit})".replace("_", " ")
    return column.replace("_", " ")


def _short(value: float) -> str:
    """1 200 000 as ``1.2 m``."""
    for scale, unit in SCALES:
        if abs(value) >= max(scale, 10_000):
            return f"{value / scale:,.4g}{unit}"
    return f"{value:,.4g}"


def _amount(minor: int, minor_per_unit: int) -> str:
    return f"{minor:,}" if minor_per_unit == 1 else f"{minor / minor_per_unit:,.2f}"
