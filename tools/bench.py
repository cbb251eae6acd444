"""Measures what matters and prints it with the seed, the size and the machine it was measured on.

    python -m tools.bench                      everything (``make bench``)
    python -m tools.bench payments --json      only payments, for machines; also --count, --seed and --data-dir

* payments: one bulk pacs.008 taken in, settled net and confirmed, on the embedded ledger, in a process of its own
* liquidity: the compiled elimination against the same in plain Python, as a ratio
* gas: a two-leg PvP settled gross, and a batch of two banks
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path

from corridor import logs
from corridor.app import Corridor, World, open_corridor
from corridor.engine.cycle import run_cycle
from corridor.ledger.adapter import Receipt
from corridor.model import Signature
from corridor.ports import AgentPort, Delivery, GrossProposal, NetProposal
from corridor.setup import set_up
from corridor.store.tables import settlements
from liquidity import Leg, Obligation, Queue
from liquidity.elimination import eliminate
from liquidity.elimination_compiled import eliminate_arrays
from liquidity.terms import make_terms
from tools.bulk import HONG_KONG_BANKS, THAI_BANKS, BulkPlan, bulk_message, config_with_balances, trade_messages

DAY = date(2026, 11, 23)
# Enough for 20,000 payments of the largest amount that a bulk message has.
OPENING = "1000000000.00"
# A thousand banks' queues for some minutes; plain Python takes seconds for it.
LIQUIDITY_LEGS = 200_000
# The fastest of so many runs: the others were disturbed.
REPEATS = 3


@dataclass(frozen=True, slots=True)
class Payments:
    """Seconds each stage took, and the most memory that the process had (MiB).

    ``intake_s``: the bank's agent records, signs and sends on; the operator reads, judges, queues and answers.
    ``settle_s``: planning, consents of all banks, one transaction, finality. ``consents_s`` is the banks' part of it.
    ``confirm_s``: statuses, notifications and forwarded payments are written, checked by the banks, and delivered.
    """

    count: int
    seed: int
    settled: int
    intake_s: float
    settle_s: float
    consents_s: float
    confirm_s: float
    peak_mib: int


@dataclass(slots=True)
class _Timed:
    """An agent with a stop watch."""

    agent: AgentPort
    consents_s: list[float] = field(default_factory=list)

    def gross_consent(self, proposal: GrossProposal) -> Signature:
        started = time.perf_counter()
        signature = self.agent.gross_consent(proposal)
        self.consents_s.append(time.perf_counter() - started)
        return signature

    def net_consent(self, proposal: NetProposal) -> Signature:
        started = time.perf_counter()
        signature = self.agent.net_consent(proposal)
        self.consents_s.append(time.perf_counter() - started)
        return signature

    def deliver(self, delivery: Delivery) -> None:
        self.agent.deliver(delivery)


def new_corridor(root: Path, seed: int) -> None:
    """Set a corridor up in ``root``, with balances for any bulk message."""
    set_up(root, config_with_balances(OPENING), url=None, day=DAY, seed=f"bench {seed}", world=World())


def measure_payments(root: Path, plan: BulkPlan) -> Payments:
    """Take in, settle and confirm the payments of ``plan`` in the fresh corridor in ``root``."""
    raw = bulk_message(plan)
    final_at_s: list[float] = []
    with open_corridor(root) as corridor:
        started_s = time.perf_counter()
        answer = corridor.agents[plan.payer].submit(raw, corridor.operator)
        taken_in_s = time.perf_counter()
        if answer.accepted != plan.count:
            raise SystemExit(f"only {answer.accepted} of {plan.count} payments were taken in")
        agents = {bic: _Timed(agent) for bic, agent in corridor.agents.items()}
        is_final = corridor.ledger.is_final

        def asked(receipt: Receipt) -> bool:
            final_at_s.append(time.perf_counter())
            return is_final(receipt)

        # The engine asks this once the receipt is there: where settling ends and confirming begins.
        corridor.ledger.is_final = asked  # type: ignore[method-assign]
        report = run_cycle(replace(corridor.desk, agents=dict(agents)))
        ended_s = time.perf_counter()
    return Payments(
        plan.count,
        plan.seed,
        len(report.gross) + len(report.net),
        round(taken_in_s - started_s, 2),
        round(final_at_s[-1] - taken_in_s, 2),
        round(sum(sum(agent.consents_s) for agent in agents.values()), 2),
        round(ended_s - final_at_s[-1], 2),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )


@dataclass(frozen=True, slots=True)
class Liquidity:
    """Fastest run of each, in milliseconds, and how many times faster the compiled one is."""

    legs: int
    seed: int
    settled: int
    compiled_ms: float
    python_ms: float

    @property
    def ratio(self) -> float:
        return self.python_ms / self.compiled_ms


def measure_liquidity(legs: int, seed: int) -> Liquidity:
    """Resolve a queue of PvPs and transfers among fifty banks in two currencies, most of which can't all settle."""
    source = random.Random(seed)  # noqa: S311 - repeatable test data, nothing secret
    banks = [f"BANK{number:02d}" for number in range(50)]
    obligations: list[Obligation] = []
    made = 0
    while made < legs:
        payer, payee = source.sample(banks, 2)
        listed = [Leg(payer, payee, "HKD", source.randint(1, 1_000))]
        if len(obligations) % 2:
            listed.append(Leg(payee, payer, "THB", source.randint(1, 4_600)))
        obligations.append(Obligation(f"T{made}", listed))
        made += len(listed)
    queue = Queue(obligations)
    terms = make_terms({bank: {"HKD": 20_000, "THB": 90_000} for bank in banks}, None, None)
    arrays = queue.arrays()
    outcome = eliminate_arrays(arrays, terms, "fifo") if arrays is not None else None
    if arrays is None or outcome is None:
        raise SystemExit("the compiled elimination does not take this queue")
    compiled, plain = [], []
    for _ in range(REPEATS):
        started_s = time.perf_counter()
        eliminate_arrays(arrays, terms, "fifo")
        compiled.append(time.perf_counter() - started_s)
        started_s = time.perf_counter()
        kept = eliminate(obligations, terms, "fifo")
        plain.append(time.perf_counter() - started_s)
        if kept != outcome.kept.tolist():
            raise SystemExit(f"the two eliminations differ, seed {seed}")
    return Liquidity(made, seed, sum(kept), min(compiled) * 1_000, min(plain) * 1_000)


def measure_gas(root: Path, seed: int) -> dict[str, int]:
    """Gas of whole transactions with real signatures, where all balances exist already."""
    with open_corridor(root) as corridor:
        _trade(corridor, seed, gross_limit=8)
        return {
            "two-leg PvP, gross": _trade(corridor, seed + 1, gross_limit=8),
            "batch of 2 banks x 2 currencies": _trade(corridor, seed + 2, gross_limit=0),
        }


def _trade(corridor: Corridor, seed: int, *, gross_limit: int) -> int:
    """Settle a trade; return the gas of its transaction."""
    banks = (HONG_KONG_BANKS[0], THAI_BANKS[0])
    messages = trade_messages(seed, banks=banks, sold_minor=1_000_00, bought_minor=4_500_00)
    for bank, raw in zip(banks, messages, strict=True):
        corridor.agents[bank].submit(raw, corridor.operator)
    run_cycle(replace(corridor.desk, config=replace(corridor.config, gross_limit=gross_limit)))
    newest = settlements.select().order_by(settlements.c.seq.desc()).limit(1)
    with corridor.desk.database.begin() as connection:
        row = connection.execute(newest).mappings().one()
    receipt = corridor.ledger.receipt("0x" + row["transaction_hash"])
    if row["state"] != "final" or receipt is None:
        raise SystemExit(f"the trade did not settle: {row['state']} {row['reason']}")
    return receipt.gas_used


def machine() -> str:
    """What this runs on, in one line, without a name."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores {platform.machine()}, {memory_gib:.0f} GiB, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def _payments_command(named: argparse.Namespace) -> None:
    plan = BulkPlan(named.count, named.seed)
    if named.data_dir is not None:
        measured = measure_payments(named.data_dir, plan)
    else:
        with tempfile.TemporaryDirectory() as folder:
            new_corridor(Path(folder) / "corridor", named.seed)
            measured = measure_payments(Path(folder) / "corridor", plan)
    if named.json:
        print(json.dumps(asdict(measured)))
        return
    total_s = measured.intake_s + measured.settle_s + measured.confirm_s
    print(f"payments   {measured.count:,} in one pacs.008 (seed {measured.seed}), {measured.settled:,} settled")
    print(f"  intake   {measured.intake_s:6.2f} s")
    print(f"  settle   {measured.settle_s:6.2f} s, of it the banks' checks and consents {measured.consents_s:.2f} s")
    print(f"  confirm  {measured.confirm_s:6.2f} s")
    print(f"  total    {total_s:6.2f} s, {measured.count / total_s:,.0f} payments/s, peak {measured.peak_mib} MiB")


def _everything(named: argparse.Namespace) -> None:
    print(f"machine    {machine()}")
    # A process of its own: the peak of its memory is that of the payments alone.
    command = [sys.executable, "-m", "tools.bench", "payments", "--count", str(named.count), "--seed", str(named.seed)]
    subprocess.run(command, check=True)  # noqa: S603 - our own module
    runs = [measure_liquidity(LIQUIDITY_LEGS, named.seed + number) for number in range(REPEATS)]
    print(f"liquidity  fifo, {LIQUIDITY_LEGS:,} legs, 50 banks, 2 currencies (seeds from {named.seed})")
    for one in runs:
        print(
            f"  compiled {one.compiled_ms:6.1f} ms, plain Python {one.python_ms:8.1f} ms, ratio {one.ratio:.0f}"
            f" ({one.settled:,} settled)"
        )
    print(f"  ratio    {statistics.median(one.ratio for one in runs):6.0f}, the median")
    with tempfile.TemporaryDirectory() as folder:
        new_corridor(Path(folder) / "corridor", named.seed)
        print("gas        embedded ledger, whole transactions")
        for label, gas in measure_gas(Path(folder) / "corridor", named.seed).items():
            print(f"  {gas:9,} {label}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("what", nargs="?", choices=["all", "payments"], default="all")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data-dir", type=Path, help="payments: a fresh corridor to use, and to keep")
    parser.add_argument("--json", action="store_true")
    named = parser.parse_args(arguments)
    logs.configure(verbose=False)
    (_payments_command if named.what == "payments" else _everything)(named)


if __name__ == "__main__":
    main()
