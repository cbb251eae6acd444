"""kill -9 and start again: nothing is lost, nothing happens twice, and every book tells the same story.

Two ways of killing. The real ``corridor`` command, by time, in the middle of a thousand payments. And a small
corridor before each thing that lasts, one after the other: what time would hardly ever hit.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from corridor.app import World
from corridor.config import default_text
from corridor.engine import days, life, settle
from corridor.ports import Amendment
from corridor.setup import set_up
from tests.crash_points import run
from tests.reconciling import assert_all_settled_once, expected_in
from tests.samples import customer
from tools.bulk import HONG_KONG_BANKS, THAI_BANKS, BulkPlan, bulk_message, config_with_balances, trade_messages

SEED = 20_261_123
MOMENTS = 20
PAYMENTS = 1_000
ROOT = Path(__file__).resolve().parents[2]
CORRIDOR = Path(sys.executable).with_name("corridor")
# Finer than what the system counts processor time in.
LOOK_PAUSE_S = 0.005
# A command that was done before its moment is tried again, by what it took now.
ATTEMPTS = 5
# Crash points are shared out between the workers that run the tests.
PARTS = 2


def _write(folder: Path, messages: dict[str, bytes]) -> list[str]:
    for name, body in messages.items():
        (folder / name).write_bytes(body)
    return [str(folder / name) for name in messages]


def _trades() -> dict[str, bytes]:
    one = trade_messages(1, banks=(HONG_KONG_BANKS[0], THAI_BANKS[0]), sold_minor=1_000_00, bought_minor=4_500_00)
    other = trade_messages(2, banks=(HONG_KONG_BANKS[1], THAI_BANKS[1]), sold_minor=2_000_00, bought_minor=9_000_00)
    names = ("trade-1-hkd.xml", "trade-1-thb.xml", "trade-2-hkd.xml", "trade-2-thb.xml")
    return dict(zip(names, (*one, *other), strict=True))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A corridor that is set up and has its first day open; tests work on copies."""
    root = tmp_path_factory.mktemp("prepared") / "corridor"
    set_up(
        root, config_with_balances("100000000.00"), url=None, day=date(2026, 11, 23), seed="crash tests", world=World()
    )
    return root


# -- the real command, killed by time --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bulk_commands(tmp_path_factory):
    """Submit a thousand payments in one file, with a few small files around it, then settle."""
    folder = tmp_path_factory.mktemp("messages")
    trades = _trades()
    small = BulkPlan(3, SEED + 1, payer=THAI_BANKS[0], payees=(HONG_KONG_BANKS[1],), currency="THB")
    bulk = {"small.xml": bulk_message(small), "bulk.xml": bulk_message(BulkPlan(PAYMENTS, SEED))}
    first, *rest = trades
    files = _write(folder, {first: trades[first], **bulk, **{name: trades[name] for name in rest}})
    return [["submit", *files], ["cycle"]]


def _started(command: list[str], root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [CORRIDOR, *command, "--data-dir", root, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _ended(process: subprocess.Popen[bytes], options: int = 0) -> float | None:
    """Wait for a process (or only look, with ``WNOHANG``); return the seconds of processor time that it took."""
    pid, status, usage = os.wait4(process.pid, options)
    if pid == 0:
        return None
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def _worked_s(command: list[str], root: Path) -> float:
    """Run a command to its end; return the seconds of processor time that it took."""
    process = _started(command, root)
    took_s = _ended(process)
    assert process.returncode == 0
    return took_s


def _kill(command: list[str], root: Path, at_s: float) -> float | None:
    """Start a command and kill it when it has worked for ``at_s``; return how long it took if it ended before.

    Processor time is what counts, so that a busy machine does not move the moment far; the clock, where the system
    doesn't tell.
    """
    process = _started(command, root)
    told, started_s = Path(f"/proc/{process.pid}/stat"), time.monotonic()
    worked_s = 0.0
    while worked_s < at_s:
        time.sleep(LOOK_PAUSE_S)
        if (took_s := _ended(process, os.WNOHANG)) is not None:
            assert process.returncode == 0
            return took_s
        try:
            ticks = sum(map(int, told.read_text().rpartition(")")[2].split()[11:13]))
            worked_s = ticks / os.sysconf("SC_CLK_TCK")
        except OSError:
            worked_s = time.monotonic() - started_s
    process.send_signal(signal.SIGKILL)
    took_s = _ended(process)
    return None if process.returncode == -signal.SIGKILL else took_s


@pytest.fixture(scope="module")
def stages(prepared, bulk_commands, tmp_path_factory):
    """Each command with the corridor as it finds it, and the processor seconds from its start to its end."""
    root = tmp_path_factory.mktemp("undisturbed") / "corridor"
    shutil.copytree(prepared, root)
    idle_s = _worked_s(["queue"], root)
    listed = []
    for command in bulk_commands:
        before = tmp_path_factory.mktemp("before") / "corridor"
        shutil.copytree(root, before)
        listed.append((command, before, idle_s, max(_worked_s(command, root), idle_s + LOOK_PAUSE_S)))
    assert_all_settled_once(root, _expected(bulk_commands))
    return listed


def _expected(commands):
    files = [name for command in commands if command[0] == "submit" for name in command[1:]]
    return expected_in(Path(name).read_bytes() for name in files)


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_each_of_a_thousand_payments_is_final_once_whenever_the_corridor_was_killed(
    moment, bulk_commands, stages, tmp_path
):
    # The start of Python is left out: there is nothing to lose yet.
    working_s = [ends_s - idle_s for *_, idle_s, ends_s in stages]
    left_s = (moment + random.Random(SEED + moment).random()) / MOMENTS * sum(working_s)
    at = 0
    while left_s >= working_s[at]:
        left_s -= working_s[at]
        at += 1
    command, before, idle_s, ends_s = stages[at]
    at_s, took_s = idle_s + left_s, ends_s
    for attempt in range(ATTEMPTS):
        root = tmp_path / f"corridor-{attempt}"
        shutil.copytree(before, root)
        took_s = _kill(command, root, at_s)
        if took_s is None:
            break
        # Done before: the machine is quieter now than when it was measured.
        at_s, ends_s = at_s / ends_s * took_s * 0.98, took_s
    print(f"seed {SEED}, moment {moment}: {command[0]} killed after {at_s:.2f} s of {ends_s:.2f} s")
    assert took_s is None, "it was always done before"

    print("\n".join(run(bulk_commands, root)))
    assert_all_settled_once(root, _expected(bulk_commands))


# -- a small corridor, killed before each thing that lasts -----------------------------------------------------------


def _assert_survived(tmp_path: Path, **specification: object) -> dict:
    """Whatever point the process is killed at, a restart finishes the day; what happened on the way."""
    path = tmp_path / "specification.json"
    path.write_text(json.dumps({"work": str(tmp_path), "parts": PARTS} | specification))
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash_points", path],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    outcome = json.loads(done.stdout)
    print(f"crash points {outcome['tried']} of {len(outcome['events'])}; a restart found:")
    print(*outcome["found"], sep="\n")
    for point, why in outcome["failures"].items():
        print(f"--- killed before {point}\n{why}")
    assert not outcome["failures"]
    assert outcome["tried"]
    return outcome


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", ["gross", "net"])
def test_a_settlement_killed_at_any_point_is_finished_or_undone_and_told_once(kind, part, prepared, tmp_path):
    template = tmp_path / "template"
    shutil.copytree(prepared, template)
    if kind == "net":
        config = template / "corridor.toml"
        config.write_text(re.sub(r"(?m)^gross_limit = \d+$", "gross_limit = 0", config.read_text()))
    trades = _trades()
    messages = {name: trades[name] for name in ("trade-1-hkd.xml", "trade-1-thb.xml")}
    if kind == "net":
        messages["payment.xml"] = bulk_message(BulkPlan(1, SEED, payees=(HONG_KONG_BANKS[1],)))
    files = _write(tmp_path, messages)
    outcome = _assert_survived(
        tmp_path, template=str(template), commands=[["submit", *files], ["cycle"]], files=files, part=part
    )
    assert "send" in outcome["events"]
    assert "block" in outcome["events"]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_set_up_killed_at_any_point_is_finished_by_the_same_command(part, tmp_path):
    one_bank_a_country = re.sub(r"(?ms)^\[participants\.(HKBB|THBB)\w+\].*?(?=^\[|\Z)", "", default_text())
    config = tmp_path / "small.toml"
    config.write_text(one_bank_a_country)
    command = ["init", "--config", str(config), "--business-date", "2026-11-23", "--seed", "crash tests"]
    _assert_survived(tmp_path, template=None, commands=[command], files=[], part=part)


# -- what an interruption leaves between two parties -----------------------------------------------------------------


class _Stopped(BaseException):
    """The process ends here, as far as the store can tell."""


def _stop(*_: object, **__: object) -> None:
    raise _Stopped


@pytest.mark.parametrize(
    ("step", "left", "closed", "told"),
    [("_send", "in batch", "expired", ["ACTC", "RJCT"]), ("_conclude", "settling", "final", ["ACTC", "ACSP", "ACSC"])],
    ids=["nothing sent", "sent, not concluded"],
)
def test_a_day_closes_only_after_what_an_interruption_left_is_undone_or_final(
    step, left, closed, told, bench, monkeypatch
):
    uetr = bench.pen.uetr()
    bench.pay(HONG_KONG_BANKS[0], "pacs.008", customer(HONG_KONG_BANKS[0], THAI_BANKS[0], "HKD", "10.00", uetr))
    monkeypatch.setattr(settle, step, _stop)
    with pytest.raises(_Stopped):
        bench.cycle()
    monkeypatch.undo()
    bench.reopen()
    assert bench.state(uetr) == left
    days.close_day(bench.desk)
    assert bench.state(uetr) == closed
    assert bench.statuses(HONG_KONG_BANKS[0], uetr) == told
    bench.assert_conserved()


def test_a_cancellation_that_the_operator_never_heard_is_told_again(bench):
    uetr = bench.pen.uetr()
    bank = HONG_KONG_BANKS[0]
    bench.pay(bank, "pacs.008", customer(bank, THAI_BANKS[0], "HKD", "10.00", uetr))

    class Unreachable:
        amend = staticmethod(_stop)

    with pytest.raises(_Stopped):
        bench.corridor.agents[bank].amend(Amendment(bank, uetr, "cancel"), Unreachable())
    bench.reopen()
    assert bench.state(uetr) == "queued"
    bench.amend(bank, uetr, "cancel")
    assert bench.state(uetr) == "cancelled"
    assert bench.cycle().waiting == {}
    assert bench.statuses(bank, uetr) == ["ACTC", "CANC"]


def test_a_batch_is_the_first_thing_to_happen_after_an_idle_hour(bench):
    """An idle ledger's last block is old; what is tried on it must not take the clock for wrong."""
    bench.clock.now_s += 3_600
    bank, uetrs = HONG_KONG_BANKS[0], [bench.pen.uetr() for _ in range(9)]
    bench.pay(bank, "pacs.008", *(customer(bank, THAI_BANKS[0], "HKD", "10.00", uetr) for uetr in uetrs))
    assert len(bench.cycle().net) == len(uetrs)


def test_a_restart_leaves_the_clock_where_the_opened_day_put_it(bench, monkeypatch):
    """The day and its clock are one: a day with the clock of another would be past its cut-off."""
    days.close_day(bench.desk)
    monkeypatch.setattr(life, "record", _stop)
    with pytest.raises(_Stopped):
        bench.corridor.open_day(None)
    monkeypatch.undo()
    bench.reopen()
    opened = bench.corridor.open_day(None)
    before_s = bench.corridor.now_s()
    bench.reopen()
    assert bench.corridor.now_s() == before_s
    assert opened == date(2026, 11, 24)
