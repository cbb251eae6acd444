"""Stops a corridor before each thing that lasts, one after the other, starts it again, and compares all books.

    python -m tests.crash_points SPEC.json

What lasts is a commit that changed a database, a file that gets its name, a block of the embedded ledger, and a
transaction handed to the ledger; between two of them a kill finds the same state. What a kill would leave is taken
by copying the data directory at that moment, open transactions and all: the system keeps what was written, and what
was only in memory is not in the copy. So one run serves for all its crash points. Commands run as the command line
runs them, each start in a forked process.

The specification: ``template`` (a data directory to start from, or null for an empty one), ``commands`` (lists of
arguments without --data-dir), ``files`` (messages whose payments must all be final in the end), ``work`` (a folder),
``part`` and ``parts`` (which of the crash points to try here). Prints what happened, which points were tried, what a
restart found, and what was wrong afterwards.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from sqlalchemy.engine.default import DefaultDialect

from corridor import app, cli, setup  # noqa: F401 - loaded once, before the forks
from corridor.engine import cycle, views
from corridor.ledger.chain import Chain
from corridor.ledger.chain_file import ChainFile
from tests.reconciling import assert_all_settled_once, assert_tokens_conserved, expected_in

# After the ledger's last block: what is written down of the settlement, and the first delivery, step by step.
THEN_ALL = 5
# One in so many of the rest; no divisor of the three steps of a delivery, so that all three are met.
THEN_EVERY = 4


def watch(happens: Callable[[str], None]) -> None:
    """Call ``happens`` right before each thing that lasts."""
    changes: dict[int, int] = {}

    commit, rename, block, send = DefaultDialect.do_commit, Path.replace, ChainFile.commit, Chain.send

    def do_commit(self, connection):
        driver = getattr(connection, "driver_connection", connection)
        # Only what changed something: most transactions only read.
        if driver.total_changes != changes.get(id(driver), 0):
            happens("commit")
        changes[id(driver)] = driver.total_changes
        commit(self, connection)

    def replace(self, target):
        happens(f"file {Path(target).name}")
        return rename(self, target)

    def commit_block(self):
        happens("block")
        block(self)

    def send_transaction(self, raw):
        happens("send")
        return send(self, raw)

    DefaultDialect.do_commit, Path.replace = do_commit, replace
    ChainFile.commit, Chain.send = commit_block, send_transaction


def run(commands: list[list[str]], root: Path) -> list[str]:
    """Run the commands as the command line does; return what a cycle said it found."""
    found = []
    for command in commands:
        written = io.StringIO()
        with contextlib.redirect_stdout(written), contextlib.redirect_stderr(io.StringIO()):
            code = cli.main([*command, "--data-dir", str(root), "--json"], standalone_mode=False)
        assert not code, f"{command[0]} ended with {code}: {written.getvalue()}"
        if command[0] == "cycle":
            found += json.loads(written.getvalue())["found"]
    return found


def in_fork(work: Callable[[], object]) -> tuple[int, object]:
    """Do ``work`` in a process of its own; return its wait status and result (or what went wrong, as text)."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        code = 1
        try:
            result: object = work()
            code = 0
        except BaseException:
            result = traceback.format_exc()
        with os.fdopen(writing, "w") as file:
            json.dump(result, file)
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    _, status = os.waitpid(process, 0)
    return status, json.loads(text) if text else None


def main(spec: dict) -> dict:
    """Do what the specification says; see the module."""
    work, commands = Path(spec["work"]), spec["commands"]
    expected = expected_in(Path(name).read_bytes() for name in spec["files"])
    root = work / "corridor"
    if spec["template"]:
        shutil.copytree(spec["template"], root)

    def copies() -> list[str]:
        events: list[str] = []

        def happens(what: str) -> None:
            shutil.copytree(root, work / f"killed-{len(events)}")
            events.append(what)

        watch(happens)
        run(commands, root)
        return events

    def start_again(killed: Path) -> list[str]:
        found = run(commands, killed)
        if expected:
            assert_all_settled_once(killed, expected)
        else:
            assert_set_up(killed)
        return found

    status, events = in_fork(copies)
    if status:
        return {"events": [], "tried": [], "found": [], "failures": {"undisturbed": events}}
    points = chosen(events)[spec["part"] :: spec["parts"]]
    sentences, failures = set(), {}
    for point in points:
        killed = work / f"killed-{point}"
        status, result = in_fork(lambda killed=killed: start_again(killed))
        shutil.rmtree(killed)
        if status:
            failures[f"{point}, {events[point]}"] = result
        else:
            sentences.update(result)
    return {"events": events, "tried": points, "found": sorted(sentences), "failures": failures}


def chosen(events: list[str]) -> list[int]:
    """Which crash points are tried: all until the ledger has settled, then a part of the deliveries.

    Each delivery is the same three steps: the bank's books, its outbox, the operator's store. A quarter of what
    follows on the settlement meets each step with several kinds of messages.
    """
    last_block = max((at for at, what in enumerate(events) if what == "block"), default=0)
    return [at for at in range(len(events)) if at <= last_block + THEN_ALL or at % THEN_EVERY == 0]


def assert_set_up(root: Path) -> None:
    """After an interrupted set-up: the day and its clock are as planned, all banks are there with their balances."""
    with app.open_corridor(root) as corridor:
        assert_tokens_conserved(corridor)
        with corridor.desk.database.begin() as connection:
            assert app.setting(connection, "day", "") == "open"
            assert app.setting(connection, "business_date", "") == "2026-11-23"
            open_ones = cycle.days.open_currencies(connection, corridor.desk)
        assert open_ones == set(corridor.config.currencies), "the clock stands at the opening of the day"
        accounts = {
            (one["participant"], one["currency"]): one["balance_minor"]
            for one in views.balances(corridor.desk)["accounts"]
        }
        for bic, bank in corridor.config.participants.items():
            for currency in corridor.config.currencies:
                assert accounts[bic, currency] == bank.opening_minor.get(currency, 0)


if __name__ == "__main__":
    print(json.dumps(main(json.loads(Path(sys.argv[1]).read_text()))))
