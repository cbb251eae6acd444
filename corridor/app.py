"""A corridor in a data directory: configuration, keys, ledger, the operator's store, and one store for each bank.

    corridor.toml      the configuration
    ledger.json        which ledger, and how far the set-up came
    deployment.json    where the contracts are
    ledger.sqlite      the embedded ledger, unless a node is named
    operator/          the operator's store and key
    issuers/<CURRENCY> each central bank's key and transactions
    banks/<BIC>/       each bank's key, its agent's store, and outbox/, the messages it gets

Everything that happens is passed in: the clock, the way to sleep, the source of keys.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from corridor import keys
from corridor.agent import Bank, BankAgent
from corridor.calendars import is_business_day, next_business_day, opening_at_s
from corridor.config import Config, ConfigError, parse_config
from corridor.consent_rules import Place
from corridor.engine import days
from corridor.engine.desk import Desk, setting
from corridor.engine.operator import Operator
from corridor.errors import CorridorError
from corridor.iso20022 import SchemaSet, load_schemas
from corridor.ledger.adapter import Ledger, Receipt, connect
from corridor.ledger.contracts import Call
from corridor.ledger.deployment import Deployment, load_deployment
from corridor.ledger.embedded import open_embedded
from corridor.ledger.sender import FileStore, send_once
from corridor.ledger.view import FinalView
from corridor.ports import AgentPort
from corridor.store.database import open_database, sqlite_url

# The set-up deploys and issues before the first day opens, a second a block; an hour is ample.
SETUP_S = 3_600


class NotSetUp(CorridorError):
    """A data directory without a corridor in it, or with a half-finished one."""

    code = "NOT_SET_UP"
    exit_code = 3


class InUse(CorridorError):
    """Another process works in the data directory."""

    code = "IN_USE"
    exit_code = 3


@dataclass(frozen=True, slots=True)
class World:
    """What is outside: the computer's clock (seconds), sleeping, and the official XSDs, where a directory is named."""

    system_now_s: Callable[[], int] = lambda: int(time.time())
    sleep: Callable[[float], None] = time.sleep
    schemas: Path | None = None


class Corridor:
    """An open corridor. Use it in ``with``; make one with :func:`open_corridor`."""

    def __init__(self, root: Path, world: World, lock: int) -> None:
        self.root = root
        self._world = world
        self._lock = lock
        self.config: Config = read_config(root)
        self._database = open_database(
            os.environ.get("CORRIDOR_DATABASE_URL") or sqlite_url(root / "operator" / "operator.db"), "operator"
        )
        with self._database.begin() as connection:
            self._clock_offset_s = int(setting(connection, "clock_offset_s", "0"))
        about = read_about(root)
        self.url: str | None = about["url"]
        self.ledger = self._open_ledger(about)
        try:
            self.deployment: Deployment = load_deployment(root / "deployment.json", self.ledger)
            self.desk = self._desk()
        except BaseException:
            self.ledger.close()
            raise
        self.operator = Operator(self.desk)

    def __enter__(self) -> Corridor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the ledger, the stores and the data directory."""
        self.ledger.close()
        self._database.dispose()
        for agent in self.agents.values():
            agent.close()
        os.close(self._lock)

    # -- time ---------------------------------------------------------------------------------------------------------

    def now_s(self) -> int:
        """The corridor's clock: the computer's, or the business day's where the configuration says so."""
        return self._world.system_now_s() + self._clock_offset_s

    def _ledger_now_s(self) -> int:
        """The embedded ledger follows the corridor's clock, a real one the world's."""
        return self.now_s() if self.url is None else self._world.system_now_s()

    def open_day(self, day: date | None) -> date:
        """Open a business day; a business clock then starts at the latest opening of that day."""
        opened = days.open_day(self.desk, day, self._clock_offset_on)
        with self._database.begin() as connection:
            self._clock_offset_s = int(setting(connection, "clock_offset_s", "0"))
        return opened

    def open_first_day(self, day: date) -> None:
        """Open the first business day, unless a day was ever opened: what ends a set-up, also an interrupted one."""
        with self._database.begin() as connection:
            was_opened = setting(connection, "business_date", "") != ""
        if not was_opened:
            self.open_day(day)

    def _clock_offset_on(self, day: date) -> int | None:
        """How far the business clock is ahead of the computer's when ``day`` opens now; None for a system clock."""
        if self.config.clock != "business":
            return None
        calendars = [one.calendar for one in self.config.currencies.values()]
        opening = opening_at_s(day, *(one for one in calendars if is_business_day(day, one)))
        return opening - self._world.system_now_s()

    def send_as_bank(self, bic: str, purpose: str, call: Call) -> Receipt:
        """Send a bank's own transaction, under its own key, once for ``purpose``; return its receipt."""
        home = self.root / "banks" / bic
        store = FileStore(home / "transactions.json")
        key = keys.key_of(home)()
        return send_once(
            self.ledger, store, key, call.intent(purpose), now_s=self._ledger_now_s, sleep=self._world.sleep
        )

    # -- parts --------------------------------------------------------------------------------------------------------

    def _open_ledger(self, about: dict[str, int | str | None]) -> Ledger:
        if self.url is None:
            return open_embedded(
                self.root / "ledger.sqlite",
                genesis_at_s=int(about["genesis_at_s"] or 0),
                finality_blocks=self.config.finality_blocks,
            )
        return connect(self.url, finality_blocks=self.config.finality_blocks)

    def _desk(self) -> Desk:
        desk = Desk(
            database=self._database,
            ledger=self.ledger,
            deployment=self.deployment,
            config=self.config,
            key=keys.key_of(self.root / "operator"),
            proposer=keys.address(self.root / "operator"),
            now_s=self.now_s,
            ledger_now_s=self._ledger_now_s,
            sleep=self._world.sleep,
            schemas=self._schemas(),
        )
        ports: dict[str, AgentPort] = dict(self.agents)
        return replace(desk, agents=ports)

    def _schemas(self) -> SchemaSet | None:
        directory = self._world.schemas or (Path(self.config.schemas) if self.config.schemas else None)
        return load_schemas(directory) if directory else None

    @functools.cached_property
    def agents(self) -> dict[str, BankAgent]:
        """Each bank's agent, by BIC."""
        return {bic: self._agent(bic) for bic in self.config.participants}

    def _agent(self, bic: str) -> BankAgent:
        home = self.root / "banks" / bic
        limits = self.config.participants[bic].debit_limits_minor
        place = Place(
            self.deployment.chain_id,
            self.deployment.tokens,
            {self.deployment.tokens[currency].lower(): limit for currency, limit in limits.items()},
        )
        return BankAgent(
            Bank(bic, keys.key_of(home), self.config.operator_bic),
            open_database(sqlite_url(home / "agent.db"), "agent"),
            FinalView(self.ledger, self.deployment, self._ledger_now_s),
            place,
            functools.partial(write_out, home / "outbox"),
        )


def open_corridor(root: Path, world: World | None = None) -> Corridor:
    """Open the corridor in ``root``.

    Raises:
        NotSetUp: there is none, or its set-up was interrupted.
        InUse: another process has it open.
        ConfigError, LedgerError: as they say.
    """
    if not (root / "ledger.json").exists() or not read_about(root)["ready"]:
        raise NotSetUp(f"there is no corridor in {root}", next_step=f"Set one up: corridor init --data-dir {root}")
    lock = lock_directory(root)
    try:
        return Corridor(root, world or World(), lock)
    except BaseException:
        os.close(lock)
        raise


def read_about(root: Path) -> dict[str, Any]:
    """What ``ledger.json`` says: ``url``, ``genesis_at_s``, ``day``, and whether the set-up is ``ready``."""
    path = root / "ledger.json"
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        return {name: about[name] for name in ("url", "genesis_at_s", "day", "ready")}
    except (ValueError, KeyError, TypeError) as error:
        raise NotSetUp(
            f"{path} is damaged ({error!r})", next_step="Restore it from a backup: it names the ledger, no secrets"
        ) from error


def read_config(root: Path) -> Config:
    """The configuration in ``root``; :class:`ConfigError` names what is wrong with it."""
    path = root / "corridor.toml"
    try:
        return parse_config(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error}", next_step="Save it as UTF-8") from error


def lock_directory(root: Path) -> int:
    """Take the data directory for this process until the returned file descriptor is closed."""
    descriptor = os.open(root / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise InUse(f"another command works in {root}", next_step="Wait until it has ended, then try again") from error
    return descriptor


def first_day(config: Config, today: date) -> date:
    """The first business day of all currencies, today or later."""
    return next_business_day(today - timedelta(days=1), *(one.calendar for one in config.currencies.values()))


def write_out(outbox: Path, name: str, body: bytes) -> None:
    """Put a file into a bank's outbox, whole or not at all; the same again changes nothing."""
    target = outbox / name
    if target.exists():
        return
    outbox.mkdir(parents=True, exist_ok=True)
    beside = outbox / f".{name}.new"
    with beside.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(target)
    # The name as well: the operator is told next that the message arrived, and never sends it again.
    directory = os.open(outbox, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
