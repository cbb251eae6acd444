"""Instances that the liquidity benchmark measures on, drawn from a seed and kept as files while it runs.

    python -m tools.liquidity_cases FOLDER BANKS OBLIGATIONS SEED           an instance
    python -m tools.liquidity_cases FOLDER BANKS OBLIGATIONS SEED ALPHA     the same as Parquet files

is a process of its own, so that what drawing and writing take is not in the peak memory of what is measured.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquidity import Queue, Traffic, generate_day, opening_balances
from liquidity.day import Day
from liquidity.generating import bank_names

ALPHAS = ("0", "1/2", "9/10")
"""Opening balance of an account = α × max(0, outflow − inflow) + β × outflow: β alone, half, nearly enough."""

ALL_SETTLE = "1"
"""With this α everything can settle at once at the day's end."""

BETA = Fraction(1, 100)

RATES: dict[str, Fraction | int] = {"HKD": Fraction(1), "THB": Fraction(10, 46)}
PVP_SHARE = 0.1
SHOWN = "2 currencies, 10 % PvP, scale-free banks, log-normal amounts, β = 0.01"

Balances = dict[str, dict[str, int]]


def traffic(banks: int, obligations: int) -> Traffic:
    """What a benchmark's day is drawn from."""
    return Traffic(
        communities=(bank_names("BANK", banks),),
        obligations=obligations,
        currencies={"HKD": 1.0, "THB": 1.0},
        pvp_share=PVP_SHARE,
        fitness_exponent=0.7,
        rates=RATES,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """A queue as flat arrays, when its obligations arrive, and opening balances for each α."""

    banks: tuple[str, ...]
    currencies: tuple[str, ...]
    columns: dict[str, NDArray[Any]]
    arrival_s: NDArray[np.int64]
    balances: dict[str, Balances]

    def queue(self) -> Queue:
        """The queue, from its arrays."""
        columns: dict[str, Any] = self.columns
        return Queue.from_arrays(banks=self.banks, currencies=self.currencies, **columns)

    def digest(self, alpha: str) -> str:
        """Names this queue with these balances, whatever drew them."""
        summary = hashlib.sha256(json.dumps([self.banks, self.currencies, self.balances[alpha]]).encode())
        for column in sorted(self.columns):
            summary.update(np.ascontiguousarray(self.columns[column], dtype=np.int64).tobytes())
        return summary.hexdigest()[:16]


def instance(folder: Path, banks: int, obligations: int, seed: int) -> Instance:
    """The instance from ``folder``, drawn in another process if it isn't there yet."""
    path = _path(folder, banks, obligations, seed)
    if not path.exists():
        _in_a_process(folder, banks, obligations, seed)
    with np.load(path) as stored:
        columns = {column: stored[column] for column in stored.files}
    described = json.loads(path.with_suffix(".json").read_text())
    return Instance(
        banks=tuple(described["banks"]),
        currencies=tuple(described["currencies"]),
        arrival_s=columns.pop("arrival_s"),
        columns=columns,
        balances=described["balances"],
    )


def parquet_files(folder: Path, banks: int, obligations: int, seed: int, alpha: str) -> tuple[Path, Path]:
    """The instance's legs and balances as Parquet files."""
    stem = _path(folder, banks, obligations, seed).with_suffix("")
    paths = stem.with_suffix(".legs.parquet"), stem.with_suffix(".balances.parquet")
    if not all(path.exists() for path in paths):
        _in_a_process(folder, banks, obligations, seed, alpha)
    return paths


def _in_a_process(*arguments: object) -> None:
    command = [sys.executable, "-m", "tools.liquidity_cases", *map(str, arguments)]
    subprocess.run(command, check=True)  # noqa: S603 - our own module


def _path(folder: Path, banks: int, obligations: int, seed: int) -> Path:
    return folder / f"{banks}-{obligations}-{seed}.npz"


def _draw(folder: Path, banks: int, obligations: int, seed: int) -> None:
    day = generate_day(traffic(banks, obligations), seed=seed)
    arrays = day.queue.arrays()
    if arrays is None:
        raise SystemExit("the amounts drawn don't fit 64 bits")
    path = _path(folder, banks, obligations, seed)
    balances = {alpha: opening_balances(day.queue, Fraction(alpha), BETA) for alpha in (*ALPHAS, ALL_SETTLE)}
    described = {"banks": arrays.banks, "currencies": arrays.currencies, "balances": balances}
    path.with_suffix(".json").write_text(json.dumps(described))
    np.savez(
        path,
        payer=arrays.payer,
        payee=arrays.payee,
        currency=arrays.currency,
        amount=arrays.amount,
        obligation=arrays.leg_obligation,
        arrival_s=np.asarray(day.arrival_s),
    )


def write_case(path: Path, drawn: Instance, alpha: str) -> None:
    """The instance as a case file (JSON), obligation by obligation."""
    legs: list[list[dict[str, object]]] = []
    columns = [drawn.columns[name].tolist() for name in ("obligation", "payer", "payee", "currency", "amount")]
    for obligation, payer, payee, currency, amount in zip(*columns, strict=True):
        leg = {
            "payer": drawn.banks[payer],
            "payee": drawn.banks[payee],
            "currency": drawn.currencies[currency],
            "amount": amount,
        }
        if obligation == len(legs):
            legs.append([])
        legs[obligation].append(leg)
    with path.open("w") as file:
        file.write(f'{{"balances": {json.dumps(drawn.balances[alpha])},\n "rates": {{"THB": "10/46"}},\n')
        file.write(' "obligations": [\n')
        for number, listed in enumerate(legs):
            file.write(json.dumps({"id": f"T{number}", "legs": listed}) + (",\n" if number + 1 < len(legs) else "\n"))
        file.write("]}\n")


def main(arguments: Sequence[str]) -> None:
    """Draw one instance into a folder, or write it as tables."""
    folder, banks, obligations, seed, *alpha = arguments
    size = int(banks), int(obligations), int(seed)
    if not alpha:
        _draw(Path(folder), *size)
        return
    from liquidity.tables import write_day

    drawn = instance(Path(folder), *size)
    stem = _path(Path(folder), *size).with_suffix("")
    day = Day(drawn.queue(), drawn.arrival_s, balances=drawn.balances[alpha[0]])
    write_day(day, stem.with_suffix(".legs.parquet"), stem.with_suffix(".balances.parquet"))


if __name__ == "__main__":
    main(sys.argv[1:])
