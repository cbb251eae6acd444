"""Sets a corridor up in a data directory; does nothing twice, and goes on where an interrupted set-up stopped."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

from eth_hash.auto import keccak

from corridor import app, keys
from corridor.app import SETUP_S, World
from corridor.calendars import opening_at_s
from corridor.config import Config, default_text, parse_config
from corridor.errors import CorridorError
from corridor.ledger import contracts, deployment
from corridor.ledger.adapter import Ledger, connect
from corridor.ledger.contracts import Call
from corridor.ledger.deployment import Currency, Deployment, Jurisdiction, Plan
from corridor.ledger.embedded import open_embedded
from corridor.ledger.errors import LedgerError
from corridor.ledger.sender import FileStore, send_all, why_reverted, write_durably
from corridor.money import MINOR_UNIT_DIGITS
from corridor.store.database import open_database, sqlite_url
from corridor.store.transactions import SqlTransactionStore

Progress = Callable[[str], None]


class SetUpDiffers(CorridorError):
    """A set-up is repeated with other settings than it began with."""

    code = "SET_UP_DIFFERS"
    exit_code = 3


def set_up(
    root: Path,
    config_text: str,
    *,
    url: str | None,
    day: date | None,
    seed: str | None,
    world: World,
    progress: Progress = lambda _: None,
) -> date:
    """Set a corridor up and open its first business day, which is returned.

    Args:
        root: the data directory.
        config_text: the configuration, TOML.
        url: of a node; None for the embedded ledger.
        day: the first business day; by default the first one of all currencies from today on.
        seed: derives every key from this text, for tests and demonstrations only; None makes random keys.
        world: clock and sleep.
        progress: told what is being done.

    Raises:
        SetUpDiffers: it was begun with other settings.
        ConfigError, LedgerError: as they say; call again when the cause is gone.
    """
    given = parse_config(config_text)
    root.mkdir(parents=True, exist_ok=True)
    lock = app.lock_directory(root)
    try:
        about = _about(root, given, config_text, url, day, world)
        config = app.read_config(root)
        if not about["ready"]:
            _make_keys(root, config, seed)
            progress("keys are made")
            _set_up_ledger(root, config, about, world, progress)
            write_durably(root / "ledger.json", json.dumps(about | {"ready": True}))
    finally:
        os.close(lock)
    first = date.fromisoformat(str(about["day"]))
    with app.open_corridor(root, world) as corridor:
        corridor.open_first_day(first)
    return first


def _about(
    root: Path, config: Config, config_text: str, url: str | None, day: date | None, world: World
) -> dict[str, object]:
    """What the set-up decided when it was first called; an interrupted one keeps to it, and to its configuration."""
    path = root / "ledger.json"
    if path.exists():
        found = app.read_about(root)
        _check_same(root, found, config_text, url, day)
        return found
    if url is not None:
        # A wrong address is told before anything remembers it.
        connect(url).close()
    first = day or app.first_day(config, date.fromtimestamp(world.system_now_s()))
    opening_s = opening_at_s(first, *(one.calendar for one in config.currencies.values()))
    genesis_at_s = opening_s - SETUP_S if config.clock == "business" else world.system_now_s()
    about: dict[str, object] = {"url": url, "genesis_at_s": genesis_at_s, "day": first.isoformat(), "ready": False}
    write_durably(root / "corridor.toml", config_text)
    write_durably(path, json.dumps(about))
    return about


def _check_same(root: Path, found: dict[str, object], config_text: str, url: str | None, day: date | None) -> None:
    """Refuse another ledger, day or configuration than the set-up began with; what isn't said is as it was."""
    stored = (root / "corridor.toml").read_bytes()
    differing = [
        what
        for what, differs in (
            ("ledger", url not in (None, found["url"])),
            ("business date", day is not None and day.isoformat() != found["day"] and not found["ready"]),
            ("configuration", config_text not in (default_text(), stored.decode("utf-8", "replace"))),
        )
        if differs
    ]
    if differing:
        raise SetUpDiffers(
            f"the set-up in {root} began with another {' and '.join(differing)}",
            next_step="Leave these options out to go on with it, or set up in another data directory",
        )


def _homes(root: Path, config: Config) -> dict[str, Path]:
    """Where each party's key lives, by its role."""
    issuers = {f"issuer {code}": root / "issuers" / code for code in config.currencies}
    banks = {bic: root / "banks" / bic for bic in config.participants}
    return {"operator": root / "operator"} | issuers | banks


def _make_keys(root: Path, config: Config, seed: str | None) -> None:
    for role, home in _homes(root, config).items():
        keys.make_key(home, keccak(f"corridor:{seed}:{role}".encode()) if seed is not None else None)


def _set_up_ledger(root: Path, config: Config, about: dict[str, object], world: World, progress: Progress) -> None:
    genesis_at_s = int(str(about["genesis_at_s"]))
    if about["url"] is None:
        ledger: Ledger = open_embedded(root / "ledger.sqlite", genesis_at_s=genesis_at_s)
    else:
        ledger = connect(str(about["url"]))
    started_s = world.system_now_s()

    def now_s() -> int:
        offset_s = genesis_at_s - started_s if about["url"] is None else 0
        return world.system_now_s() + offset_s

    try:
        homes = _homes(root, config)
        deployment.fund_if_needed(ledger, [keys.address(home) for home in homes.values()])
        placed = _deploy(root, config, ledger, now_s, world)
        progress("contracts are deployed")
        _admit_and_issue(root, config, ledger, placed, now_s, world)
        progress("banks are admitted and their opening balances issued")
    finally:
        ledger.close()


def _deploy(root: Path, config: Config, ledger: Ledger, now_s: Callable[[], int], world: World) -> Deployment:
    issuer = {code: keys.address(root / "issuers" / code) for code in config.currencies}
    plan = Plan(
        keys.address(root / "operator"),
        tuple(Jurisdiction(one.country, issuer[code]) for code, one in config.currencies.items()),
        tuple(
            Currency(code, one.name, MINOR_UNIT_DIGITS[code], issuer[code]) for code, one in config.currencies.items()
        ),
    )
    database = open_database(
        os.environ.get("CORRIDOR_DATABASE_URL") or sqlite_url(root / "operator" / "operator.db"), "operator"
    )
    key = keys.key_of(root / "operator")()
    store = SqlTransactionStore(database)
    placed = deployment.deploy(ledger, key, plan, store, now_s=now_s, sleep=world.sleep)
    deployment.save_deployment(placed, root / "deployment.json")
    database.dispose()
    return placed


def _admit_and_issue(
    root: Path, config: Config, ledger: Ledger, placed: Deployment, now_s: Callable[[], int], world: World
) -> None:
    for code, currency in config.currencies.items():
        calls: dict[str, Call] = {}
        for bic, bank in config.participants.items():
            if bic[4:6] != currency.country:
                continue
            address = keys.address(root / "banks" / bic)
            calls[f"admit:{bic}"] = contracts.admit(placed.registry, bic, bank.lei, address)
            if code in bank.opening_minor:
                reference = hashlib.sha256(f"opening balance {code} {bic}".encode()).digest()
                call = contracts.issue(placed.tokens[code], bic, bank.opening_minor[code], reference)
                calls[f"issue:{code}:opening:{bic}"] = call
        home = root / "issuers" / code
        store, key = FileStore(home / "transactions.json"), keys.key_of(home)()
        intents = [call.intent(purpose) for purpose, call in calls.items()]
        receipts = send_all(ledger, store, key, intents, now_s=now_s, sleep=world.sleep)
        for intent, receipt in zip(intents, receipts, strict=True):
            if receipt.status != 1:
                raise LedgerError(
                    f"{intent.purpose} took no effect: {why_reverted(ledger, intent, keys.address(home), receipt)}",
                    next_step="Correct the configuration and set up in a new data directory",
                )
