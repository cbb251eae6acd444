"""A corridor of two Hong Kong and two Thai banks, set up once, copied for each test; its clock stands until moved."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
import structlog

from corridor import keys
from corridor.app import Corridor, World, open_corridor
from corridor.config import default_text
from corridor.engine import views
from corridor.engine.cycle import CycleReport, run_cycle
from corridor.errors import CorridorError
from corridor.ledger.sender import FileStore, send_once
from corridor.ports import Amendment, Answer
from corridor.setup import set_up
from tests.samples import BANKS, DAY, START_S, Entry, Pen, Told, entries, told


class Clock:
    """The computer's clock of a test, in seconds."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> int:
        return self.now_s


class Asleep(CorridorError):
    """The agent of a bank does not answer."""


class SleepingAgent:
    """Takes messages, and signs nothing."""

    def __init__(self, awake) -> None:
        self._awake = awake

    def gross_consent(self, proposal):
        raise Asleep("the bank's agent does not answer")

    def net_consent(self, proposal):
        raise Asleep("the bank's agent does not answer")

    def deliver(self, delivery):
        self._awake.deliver(delivery)


class Bench:
    """A corridor to act on, in the words of a test."""

    def __init__(self, root: Path) -> None:
        self.root, self.clock, self.pen = root, Clock(), Pen()
        self.corridor: Corridor = self._open()

    def _open(self) -> Corridor:
        self._is_open = True
        return open_corridor(self.root, World(self.clock, lambda _: None))

    def close(self) -> None:
        """Stop the operator and all agents, if they run."""
        if self._is_open:
            self.corridor.close()
        self._is_open = False

    def reopen(self) -> None:
        """Stop and start the operator and all agents."""
        self.close()
        self.corridor = self._open()

    @property
    def desk(self):
        return self.corridor.desk

    def send(self, bank: str, raw: bytes) -> Answer:
        """A bank hands a message to its agent."""
        return self.corridor.agents[bank].submit(raw, self.corridor.operator)

    def pay(self, bank: str, kind: str, *transactions: str) -> Answer:
        return self.send(bank, self.pen.message(kind, *transactions))

    def cycle(self) -> CycleReport:
        return run_cycle(self.desk)

    def amend(self, bank: str, uetr: str, verb: str, priority: int | None = None) -> None:
        self.corridor.agents[bank].amend(Amendment(bank, uetr, verb, priority), self.corridor.operator)

    def put_to_sleep(self, bank: str) -> None:
        self.desk.agents[bank] = SleepingAgent(self.corridor.agents[bank])

    def wake(self, bank: str) -> None:
        self.desk.agents[bank] = self.corridor.agents[bank]

    def outbox(self, bank: str, containing: str = "") -> list[bytes]:
        """Messages that a bank got, in order."""
        folder = self.root / "banks" / bank / "outbox"
        return [path.read_bytes() for path in sorted(folder.glob("*.xml")) if containing in path.name]

    def outbox_names(self, bank: str) -> list[str]:
        return sorted(path.name for path in (self.root / "banks" / bank / "outbox").glob("*.xml"))

    def told(self, bank: str, uetr: str) -> list[Told]:
        """Every status that a bank was told of a payment, in order."""
        reports = self.outbox(bank, "pacs.002")
        return [one for raw in reports for one in told(raw) if one.uetr == uetr]

    def statuses(self, bank: str, uetr: str) -> list[str]:
        return [one.status for one in self.told(bank, uetr)]

    def entries(self, bank: str) -> list[Entry]:
        """Every entry a bank was notified of."""
        return [entry for raw in self.outbox(bank, "camt.054") for entry in entries(raw)]

    def state(self, uetr: str) -> str:
        return views.status(self.desk, uetr)["state"]

    def reason(self, uetr: str) -> str:
        return views.status(self.desk, uetr)["reason"]

    def balances(self) -> dict[tuple[str, str], int]:
        """Balances in minor units by bank and currency."""
        accounts = views.balances(self.desk)["accounts"]
        return {(one["participant"], one["currency"]): one["balance_minor"] for one in accounts}

    def balance(self, bank: str, currency: str) -> int:
        return self.balances()[bank, currency]

    def assert_conserved(self) -> None:
        """All accounts of a currency together hold what was issued and not redeemed."""
        for one in views.balances(self.desk)["currencies"]:
            assert one["total_minor"] == one["issued_minor"] - one["redeemed_minor"], one

    def by_issuer(self, currency: str, purpose: str, call) -> None:
        """The issuer of a currency sends a transaction of its own."""
        home = self.root / "issuers" / currency
        receipt = send_once(
            self.corridor.ledger,
            FileStore(home / "transactions.json"),
            keys.key_of(home)(),
            call.intent(purpose),
            now_s=self.corridor.now_s,
            sleep=lambda _: None,
        )
        assert receipt.status == 1


@pytest.fixture(scope="session")
def set_up_once(tmp_path_factory):
    """A data directory in which the default corridor is set up; copy it, don't work in it."""
    root = tmp_path_factory.mktemp("corridor") / "data"
    world = World(Clock(), lambda _: None)
    set_up(root, default_text(), url=None, day=date.fromisoformat(DAY), seed="engine tests", world=world)
    return root


@pytest.fixture
def data_dir(set_up_once, tmp_path):
    """A set-up corridor of the test's own that nobody has open."""
    root = tmp_path / "data"
    shutil.copytree(set_up_once, root)
    return root


@pytest.fixture
def configured(data_dir):
    """Change the corridor's configuration before it is opened: ``configured(old, new)``."""

    def change(old: str, new: str) -> None:
        path = data_dir / "corridor.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


@pytest.fixture
def open_bench(data_dir):
    """Open the test's corridor."""
    opened = []

    def opens() -> Bench:
        opened.append(Bench(data_dir))
        return opened[-1]

    yield opens
    for bench in opened:
        bench.close()


@pytest.fixture(scope="session")
def open_on():
    """Open a corridor in a directory of one's own, and close it oneself."""
    return Bench


@pytest.fixture
def bench(open_bench):
    return open_bench()


@pytest.fixture(autouse=True)
def _quiet_logs():
    """Whatever a test did to the log, the next one starts without a closed stream."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    yield
    structlog.reset_defaults()


@pytest.fixture
def opening():
    """What each account holds when the day opens, in minor units."""
    hongkong = {(bank, "HKD"): 1_200_000_000 for bank in BANKS[:2]} | {(bank, "THB"): 0 for bank in BANKS[:2]}
    thailand = {(bank, "THB"): 5_000_000_000 for bank in BANKS[2:]} | {(bank, "HKD"): 0 for bank in BANKS[2:]}
    return hongkong | thailand
