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
from corridor.setup import set_up
from tests.crash_points import run
from tests.reconciling import assert_all_settled_once, expected_in
from tools.bulk import HONG_KONG_BANKS, THAI_BANKS, BulkPlan, bulk_message, config_with_balances, trade_messages

SEED = 20_261_123
MOMENTS = 20
PAYMENTS = 1_000
ROOT = Path(__file__).resolve().parents[2]
CORRIDOR = Path(sys.executable).with_name("corridor")
# A loaded machine may take many times what a quiet one does; beyond this something hangs.
COMMAND_TIMEOUT_S = 120
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
    small = BulkPlan(3, SEED, payer=THAI_BANKS[0], payees=(HONG_KONG_BANKS[1],), currency="THB")
    bulk = {"small.xml": bulk_message(small), "bulk.xml": bulk_message(BulkPlan(PAYMENTS, SEED))}
    first, *rest = trades
    files = _write(folder, {first: trades[first], **bulk, **{name: trades[name] for name in rest}})
    return [["submit", *files], ["cycle"]]


def _started(command: list[str], root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [CORRIDOR, *command, "--data-dir", root, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _timed(command: list[str], root: Path) -> float:
    started = time.monotonic()
    assert _started(command, root).wait(COMMAND_TIMEOUT_S) == 0
    return time.monotonic() - started


@pytest.fixture(scope="module")
def undisturbed_s(prepared, bulk_commands, tmp_path_factory):
    """How long each command takes in all, and how long a command takes that has nothing to do."""
    root = tmp_path_factory.mktemp("undisturbed") / "corridor"
    shutil.copytree(prepared, root)
    idle_s = _timed(["queue"], root)
    times = [_timed(command, root) for command in bulk_commands]
    assert_all_settled_once(root, _expected(bulk_commands))
    return idle_s, times


def _expected(commands):
    files = [name for command in commands if command[0] == "submit" for name in command[1:]]
    return expected_in(Path(name).read_bytes() for name in files)


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(MOMENTS))
def test_each_of_a_thousand_payments_is_final_once_whenever_the_corridor_was_killed(
    moment, prepared, bulk_commands, undisturbed_s, tmp_path
):
    idle_s, times = undisturbed_s
    source = random.Random(SEED + moment)
    # The start of Python is left out: there is nothing to lose yet.
    working_s = [max(0.1, took - idle_s) for took in times]
    left_s = (moment + source.random()) / MOMENTS * sum(working_s)
    root = tmp_path / "corridor"
    shutil.copytree(prepared, root)
    killed = "nothing: all was done before"
    for command, work_s in zip(bulk_commands, working_s, strict=True):
        if left_s >= work_s:
            left_s -= work_s
            assert _started(command, root).wait(COMMAND_TIMEOUT_S) == 0
            continue
        process = _started(command, root)
        time.sleep(idle_s + left_s)
        process.send_signal(signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            killed = f"{command[0]} after {idle_s + left_s:.2f} s"
        break
    print(f"seed {SEED}, moment {moment}: killed {killed}")

    print("\n".join(run(bulk_commands, root)))
    assert_all_settled_once(root, _expected(bulk_commands))


# -- a small corridor, killed before each thing that lasts -----------------------------------------------------------


def _crash(tmp_path: Path, **specification: object) -> dict:
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
    print(
        f"{outcome['tried']} of {len(outcome['events'])} crash points; a restart found:", *outcome["found"], sep="\n  "
    )
    assert outcome["tried"] == len(outcome["events"][specification["part"] :: PARTS])
    for point, why in outcome["failures"].items():
        print(f"--- killed before {point}\n{why}")
    assert not outcome["failures"]
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
    outcome = _crash(tmp_path, template=str(template), commands=[["submit", *files], ["cycle"]], files=files, part=part)
    assert "send" in outcome["events"]
    assert "block" in outcome["events"]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_a_set_up_killed_at_any_point_is_finished_by_the_same_command(part, tmp_path):
    one_bank_a_country = re.sub(r"(?ms)^\[participants\.(HKBB|THBB)\w+\].*?(?=^\[|\Z)", "", default_text())
    config = tmp_path / "small.toml"
    config.write_text(one_bank_a_country)
    command = ["init", "--config", str(config), "--business-date", "2026-11-23", "--seed", "crash tests"]
    _crash(tmp_path, template=None, commands=[command], files=[], part=part)
