"""``python -m liquidity``: a case file or a day in, an answer as JSON out.

Exit code 0 with the answer on standard output, or 2 with one line on standard error that names the field, and
nothing on standard output.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from liquidity.bypass.answering import OBJECTIVES
from liquidity.errors import LiquidityError
from liquidity.io import answer_json, read_case
from liquidity.resolution import ORDERS, resolve
from liquidity.simulate_command import add_simulate, at_least, run_simulate

EXIT_REFUSED = 2


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_REFUSED, f"{message}; try: {self.prog} --help\n".replace("\n", " ").rstrip() + "\n")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise argparse.ArgumentTypeError(f"must be a number of seconds > 0, got {text!a}")
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m liquidity", description="Which payment obligations can settle together?")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    command = commands.add_parser(
        "resolve",
        help="resolve the queue in a case file",
        description="Resolve the queue in a case file (JSON) and print the answer as JSON.",
    )
    command.add_argument("case", type=Path, metavar="CASE.json", help="queue, balances and terms")
    command.add_argument(
        "--order",
        choices=ORDERS,
        default=ORDERS[0],
        help="how each account's queue is sorted, by arrival or by priority and then arrival, or bypass for the set "
        "that is worth most whoever came first (default: fifo)",
    )
    command.add_argument(
        "--time-limit",
        type=_seconds,
        metavar="S",
        help="most seconds to search; fifo and priority don't search, they end by themselves in linear time",
    )
    command.add_argument(
        "--work-limit",
        type=at_least(1),
        metavar="N",
        help="most solver calls of the search; without a time limit the same case gives the same answer",
    )
    command.add_argument(
        "--objective",
        choices=OBJECTIVES,
        default=OBJECTIVES[0],
        help="what bypass settles most of: value, obligations, or value of the most urgent first (default: value)",
    )
    command.add_argument("--seed", type=at_least(0), default=0, metavar="N", help="of the search (default: 0)")
    add_simulate(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "simulate":
            return _answered(run_simulate(options))
        case = read_case(options.case)
        started = time.perf_counter()
        resolution = resolve(
            case.queue,
            case.balances,
            order=options.order,
            floors=case.floors,
            limits=case.limits,
            rates=case.rates,
            time_limit_s=options.time_limit,
            work_limit=options.work_limit,
            objective=options.objective,
            seed=options.seed,
        )
        elapsed_s = time.perf_counter() - started
    except LiquidityError as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED
    return _answered(answer_json(resolution, elapsed_s))


def _answered(answer: str) -> int:
    """Print the answer; the exit code."""
    try:
        print(answer, flush=True)
    except OSError as error:  # a full disk, or a pipe's reader that has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the flush at the end fails once more
        print(f"cannot write the answer: {error.strerror}", file=sys.stderr)
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
