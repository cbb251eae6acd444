"""``python -m liquidity simulate``: a day's tables in, its metrics as one line of JSON out."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liquidity.errors import InvalidField, LiquidityError

if TYPE_CHECKING:
    from liquidity.day import Hours
    from liquidity.simulation import Policy, SimulationResult

POLICIES = ("gridlock", "bypass", "queue", "rtgs", "net")
"""The first is the default."""

RUN_EVERY_S = 900
"""A quarter of an hour: how often gridlock resolution runs unless told otherwise."""

MAX_DIGITS = 18
"""Of a number among the arguments: it fits 64 bits."""

_RATE = re.compile(r"([^=]+)=([0-9]{1,18})(?:/([0-9]{1,18}))?", re.ASCII)


class MissingPackage(LiquidityError):
    """Something that the tables and plots need isn't installed; ``package`` names it."""

    code = "MISSING_PACKAGE"
    next_step = "Install the extra: pip install 'corridor[liquidity]'."

    def __init__(self, package: str) -> None:
        super().__init__(f"{package} is missing or of the wrong version; {self.next_step}")
        self.package = package


def add_simulate(commands: Any) -> None:
    """Add the subcommand to the command line's parser."""
    command = commands.add_parser(
        "simulate",
        help="simulate the settlement day in a table",
        description="Simulate the settlement day in a CSV or Parquet file and print its metrics as JSON.",
    )
    command.add_argument(
        "day", type=Path, metavar="DAY.csv", help="columns id, time, payer, payee, currency, amount (minor units)"
    )
    command.add_argument("--balances", type=Path, metavar="B.csv", help="columns bank, currency, balance, floor")
    command.add_argument(
        "--policy",
        choices=POLICIES,
        default=POLICIES[0],
        help="rtgs: pay or return; queue: wait for cover; gridlock: queue, and offset what waits at intervals; bypass: "
        "the same in free order; net: settle only at the times given (default: gridlock)",
    )
    command.add_argument("--order", choices=("fifo", "priority"), default="fifo", help="of the queues (default: fifo)")
    command.add_argument(
        "--every",
        type=_count,
        metavar="S",
        help=f"seconds between runs of gridlock and bypass (default: {RUN_EVERY_S})",
    )
    command.add_argument(
        "--at", type=_clock, action="append", metavar="HH:MM", help="when net settles; may be repeated"
    )
    command.add_argument(
        "--hours", type=_hours, action="append", metavar="HKD=08:30-18:30", help="opening hours; may be repeated"
    )
    command.add_argument(
        "--rate",
        type=_rate,
        action="append",
        metavar="THB=10/46",
        help="worth of one minor unit in the reporting currency (default: 1); may be repeated",
    )
    command.add_argument(
        "--seed", type=at_least(0), default=0, metavar="N", help="of what the policy draws (default: 0)"
    )
    command.add_argument("--out", type=Path, metavar="RESULT.csv", help="write when each obligation settled")
    command.add_argument("--plot", type=Path, metavar="X.png", help="draw the day: what is queued, what has settled")


def run_simulate(options: argparse.Namespace) -> str:
    """The answer to the command as JSON; raises :class:`LiquidityError`."""
    try:
        return _simulated(options)
    except ImportError as error:
        raise MissingPackage(error.name or str(error).splitlines()[0]) from None


def _simulated(options: argparse.Namespace) -> str:
    from liquidity.simulation import simulate
    from liquidity.tables import read_day, write_result

    policy = _policy(options)
    day = read_day(options.day, options.balances, hours=dict(options.hours or ()), rates=dict(options.rate or ()))
    result = simulate(day, policy, seed=options.seed)
    if options.out is not None:
        write_result(result, options.out)
    if options.plot is not None:
        _plot(result, options.plot)
    return answer_json(result)


def answer_json(result: SimulationResult) -> str:
    """Policy, seed, method and all metrics of a result as one line of JSON; what has no value is null."""
    from liquidity.sweeping import plain_value

    row = result.metrics().to_dict("records")[0]
    metrics = {str(name): plain_value(value) for name, value in row.items()}
    return json.dumps({"policy": result.policy.name, "seed": result.seed, "method": result.method, "metrics": metrics})


def _policy(options: argparse.Namespace) -> Policy:
    from liquidity.simulation import NoSuchPolicy, Policy

    if options.at and options.policy != "net":
        raise NoSuchPolicy("--at goes with --policy net")
    if options.every and options.policy not in ("gridlock", "bypass"):
        raise NoSuchPolicy("--every goes with --policy gridlock or bypass")
    if options.policy == "rtgs":
        return Policy.rtgs()
    if options.policy == "queue":
        return Policy.queue(options.order)
    if options.policy == "net":
        if not options.at:
            raise NoSuchPolicy("--policy net needs --at")
        return Policy.net(*options.at, order=options.order)
    order = "bypass" if options.policy == "bypass" else options.order
    return Policy.gridlock(order, every_s=options.every or RUN_EVERY_S)


def _plot(result: SimulationResult, path: Path) -> None:
    from matplotlib.figure import Figure

    from liquidity.errors import InvalidField, shown
    from liquidity.plotting import plot_queue, plot_throughput

    figure = Figure(figsize=(9, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    plot_throughput([result], ax=above)
    plot_queue([result], ax=below)
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:  # ValueError: a format that there isn't
        raise InvalidField("plot", f"cannot write {shown(str(path))}: {shown(str(error))}") from None


def _refuse(problem: str, text: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"must be {problem}, got {text!a}")


def at_least(minimum: int) -> Callable[[str], int]:
    """The type of an argument that is an integer."""

    def integer(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and int(text) >= minimum):
            raise _refuse(f"an integer >= {minimum}", text)
        return int(text)

    return integer


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 86_400):
        raise _refuse("whole seconds from 1 to 86400", text)
    return int(text)


def _clock(text: str) -> int:
    from liquidity.day import second_of

    second = second_of(text)
    if second is None:
        raise _refuse("a time HH:MM or HH:MM:SS", text)
    return second


def _hours(text: str) -> tuple[str, Hours]:
    from liquidity.day import Hours

    currency, found, span = text.partition("=")
    parts = span.split("-")
    if not (currency and found and len(parts) == 2):
        raise _refuse("CURRENCY=HH:MM-HH:MM", text)
    try:
        return currency, Hours(_clock(parts[0]), _clock(parts[1]))
    except InvalidField:
        raise _refuse("CURRENCY=HH:MM-HH:MM with the closing after the opening", text) from None


def _rate(text: str) -> tuple[str, Fraction]:
    said = _RATE.fullmatch(text)
    if not said or int(said[2]) == 0 or (said[3] is not None and int(said[3]) == 0):
        raise _refuse("CURRENCY=N/D, a ratio of integers > 0", text)
    return said[1], Fraction(int(said[2]), int(said[3] or 1))
