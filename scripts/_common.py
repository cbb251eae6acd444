"""What the scripts share: the connection, the corridor's place, keys without a prompt, sending once."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import string
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click
from ape.cli import ConnectedProviderCommand
from eth_account import Account

from corridor import keys
from corridor.config import Config, default_text, parse_config
from corridor.errors import CorridorError
from corridor.iso20022 import bic11
from corridor.ledger import contracts
from corridor.ledger.adapter import Ledger, Receipt, connect
from corridor.ledger.contracts import Call
from corridor.ledger.deployment import Deployment, fund_if_needed, load_deployment
from corridor.ledger.sender import FileStore, TransactionStore, send_once, why_reverted

if TYPE_CHECKING:
    from corridor.app import Corridor

DEFAULT_DATA_DIR = "corridor-data"
# A transaction that took no effect may be tried again this often under the same purpose; more is no accident.
MAX_TRIES = 100

F = TypeVar("F", bound=Callable[..., Any])


class Unusable(CorridorError):
    """A connection, a data directory or a name that a script can't work with."""

    code = "UNUSABLE"
    exit_code = 3


class Command(ConnectedProviderCommand):
    """A command on ape's connection that tells an expected error in one line, with the error's exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except CorridorError as error:
            click.echo(f"ERROR: {error}", err=True)
            ctx.exit(error.exit_code)


@dataclass(frozen=True)
class Place:
    """Where a command works.

    Attributes:
        ledger: our adapter over the node that ape is connected to.
        data_dir: where the party's files are: keys, books, stored transactions.
        addresses: the address file.
        config: of the data directory, or the default one.
        throwaway: ape's test provider where the corridor lives on its chain and ends with the command, else None.
    """

    ledger: Ledger
    data_dir: Path
    addresses: Path
    config: Config
    throwaway: Any | None

    @functools.cached_property
    def deployment(self) -> Deployment:
        """The contracts of the address file, checked against the ledger."""
        return load_deployment(self.addresses, self.ledger)

    def time_s(self) -> int:
        """The ledger's time: the newest block's, or the clock's where no block was made for a while."""
        return max(self.ledger.head().timestamp_s, now_s())


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """Which key signs: a keystore file, an ape account, or the one in the party's folder."""

    account: str | None
    keystore: Path | None
    passphrase_file: Path | None


@dataclass(frozen=True, slots=True)
class Signer:
    """A key and the store of what it has signed."""

    key: bytes
    store: TransactionStore

    @property
    def address(self) -> str:
        """The key's address, lower-case."""
        return keys.address_of_secret(self.key)


def now_s() -> int:
    """The computer's clock."""
    return int(time.time())


# -- options -------------------------------------------------------------------------------------------------------


def place_options(command: F) -> F:
    """Options of every command: where the party's files and the address file are."""
    file = click.Path(path_type=Path, dir_okay=False)
    options = (
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path, file_okay=False),
            default=lambda: os.environ.get("CORRIDOR_DATA_DIR", DEFAULT_DATA_DIR),
            show_default=f"{DEFAULT_DATA_DIR}, or CORRIDOR_DATA_DIR",
            help="Where the party's files are: address file, keys, books, transactions.",
        ),
        click.option("--addresses", type=file, help="The address file.  [default: DATA-DIR/deployment.json]"),
    )
    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), command)


def key_options(command: F) -> F:
    """Options of every command that signs; they arrive as one :class:`KeyOptions` named ``key``."""

    @functools.wraps(command)
    def gathered(
        *args: Any, account: str | None, keystore: Path | None, passphrase_file: Path | None, **kwargs: Any
    ) -> Any:
        return command(*args, key=KeyOptions(account, keystore, passphrase_file), **kwargs)

    file = click.Path(path_type=Path, exists=True, dir_okay=False)
    options = (
        click.option("--account", metavar="ALIAS", help="Sign with this ape account (its keystore file)."),
        click.option("--keystore", type=file, help="Sign with this keystore file."),
        click.option(
            "--passphrase-file", type=file, help="Opens the keystore; else CORRIDOR_PASSPHRASE does. Never asked for."
        ),
    )
    wrapped: F = functools.reduce(lambda made, option: option(made), reversed(options), gathered)  # type: ignore[assignment]
    return wrapped


def bank_code(_ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    """Read a BIC, or several, of 8 or 11 characters."""
    if value is None:
        return None
    if isinstance(value, tuple):
        return tuple(bank_code(_ctx, _param, one) for one in value)
    bic = bic11(value)
    if len(bic) != 11 or not bic.isalnum() or not bic.isascii():
        raise click.BadParameter(f"{value} is no BIC of 8 or 11 characters")
    return bic


def is_address(text: str) -> bool:
    """Whether a text is an address: 0x and 40 hexadecimal digits."""
    return len(text) == 42 and text.startswith("0x") and all(digit in string.hexdigits for digit in text[2:])


# -- the connection --------------------------------------------------------------------------------------------------


@contextmanager
def place(provider: Any, data_dir: Path, addresses: Path | None) -> Iterator[Place]:
    """Yield where to work: on the node that ape is connected to, or in a throwaway corridor on its test chain."""
    if hasattr(provider, "tester"):
        from scripts._tester import throwaway_corridor

        click.echo("Ape's test chain is empty: setting a throwaway corridor up, gone when this command ends.", err=True)
        with throwaway_corridor(provider) as (url, root):
            yield Place(connect(url), root, root / "deployment.json", parse_config(default_text()), provider)
        return
    url = node_url(provider)
    toml = data_dir / "corridor.toml"
    config = parse_config(toml.read_text() if toml.exists() else default_text())
    ledger = connect(url, finality_blocks=config.finality_blocks)
    yield Place(ledger, data_dir, addresses or data_dir / "deployment.json", config, None)


@contextmanager
def corridor(where: Place) -> Iterator[Corridor]:
    """Open the corridor of the data directory, which has to be on the ledger that ape is connected to."""
    from corridor import logs
    from corridor.app import open_corridor

    logs.configure(verbose=False)
    with open_corridor(where.data_dir) as opened:
        if opened.url is None:
            raise Unusable(
                f"the corridor in {where.data_dir} keeps its own embedded ledger",
                next_step="Use the corridor command for it, or set one up on this node: ape run operator deploy",
            )
        if opened.deployment != where.deployment:
            raise Unusable(
                f"the corridor in {where.data_dir} is not on the ledger of this connection",
                next_step=f"Connect to its node: --network {node_name(opened.url)}",
            )
        yield opened


def node_name(url: str) -> str:
    """A node's address without user name, password and path: what may be printed."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def node_url(provider: Any) -> str:
    """Return the address of ape's node. Ape connects; every question goes through our own adapter, which reads no
    proof-of-authority header as a mainnet one and takes the chain's id from the chain, not from a network's name."""
    url = provider.http_uri
    if not isinstance(url, str):
        raise Unusable(
            f"the connection {provider.name} has no http address", next_step="Name one: --network http://HOST:PORT"
        )
    return url


# -- keys ------------------------------------------------------------------------------------------------------------


def signer(where: Place, options: KeyOptions, home: Path) -> Signer:
    """Return the key that ``options`` name, or the one in the party's folder ``home``, with its transactions."""
    if options.account is None and options.keystore is None:
        _hold(home)
        key = _decrypt(home / keys.KEYSTORE, options.passphrase_file, beside=home / keys.PASSPHRASE)
        return Signer(key, FileStore(home / "transactions.json"))
    path = options.keystore or _ape_keystore(options.account or "")
    key = _decrypt(path, options.passphrase_file)
    folder = where.data_dir / "transactions"
    _hold(folder)
    name = f"{where.ledger.chain_id}-{keys.address_of_secret(key)}.json"
    return Signer(key, FileStore(folder / name))


def require_key_of(where: Place, bic: str, by: Signer) -> None:
    """Raise :class:`Unusable` unless the register has this key for the bank: with another nothing it signs is worth
    anything, or it speaks for another bank."""
    record = contracts.participant(where.ledger, where.deployment.registry, bic)
    if record.key.lower() != by.address:
        known = f"its key in the register is {record.key.lower()}" if record.lei else "it was never admitted"
        raise Unusable(
            f"{by.address} is not the key of {bic}: {known}", next_step="Name that key: --account or --keystore"
        )


@functools.cache
def _hold(folder: Path) -> int:
    """Take a folder with stored transactions until the process ends: two commands would sign with one nonce."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise Unusable(
            f"another command signs with the keys of {folder}", next_step="Wait until it has ended, then try again"
        ) from error
    return descriptor


def _ape_keystore(alias: str) -> Path:
    from ape.utils.basemodel import ManagerAccessMixin

    folder = ManagerAccessMixin.config_manager.DATA_FOLDER / "accounts"
    path = Path(folder) / f"{alias}.json"
    if Path(alias).name != alias or not path.exists():
        raise keys.KeyUnusable(
            f"ape has no account {alias!r}", next_step="See ape accounts list, or make one: ape accounts generate ALIAS"
        )
    return path


def _decrypt(path: Path, passphrase_file: Path | None, *, beside: Path | None = None) -> bytes:
    try:
        stored = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise keys.KeyUnusable(
            f"there is no readable keystore at {path}", next_step="Name a key: --account ALIAS or --keystore FILE"
        ) from error
    try:
        return bytes(Account.decrypt(stored, _passphrase(passphrase_file, beside)))
    except (ValueError, KeyError, TypeError) as error:
        raise keys.KeyUnusable(
            f"the passphrase does not open {path}", next_step="Correct --passphrase-file or CORRIDOR_PASSPHRASE"
        ) from error


def _passphrase(named: Path | None, beside: Path | None) -> str:
    if named is not None:
        return named.read_text().rstrip("\r\n")
    if "CORRIDOR_PASSPHRASE" in os.environ:
        return os.environ["CORRIDOR_PASSPHRASE"]
    if beside is not None and beside.exists():
        return beside.read_text().strip()
    raise keys.KeyUnusable(
        "no passphrase is given, and none is asked for", next_step="Set CORRIDOR_PASSPHRASE or name --passphrase-file"
    )


# -- sending ---------------------------------------------------------------------------------------------------------


def send(where: Place, by: Signer, call: Call, purpose: str) -> Receipt:
    """Try a transaction, then sign, store and send it, once for its purpose; the same command again looks it up."""
    fund_if_needed(where.ledger, [by.address])
    fresh = _open_purpose(where.ledger, by.store, purpose)
    if by.store.find(fresh) is None:
        where.ledger.try_transaction(by.address, call.to, call.data, call.gas)
    intent = call.intent(fresh)
    receipt = send_once(where.ledger, by.store, by.key, intent, now_s=now_s)
    if receipt.status != 1:
        raise why_reverted(where.ledger, intent, by.address, receipt)
    return receipt


def was_sent(by: Signer, ledger: Ledger, purpose: str) -> bool:
    """Whether a transaction is stored for the purpose that took effect or still may."""
    return by.store.find(_open_purpose(ledger, by.store, purpose)) is not None


def _open_purpose(ledger: Ledger, store: TransactionStore, purpose: str) -> str:
    """The purpose's first try that was not mined without effect: only after such a one is another right."""
    for number in range(1, MAX_TRIES + 1):
        fresh = f"{purpose}:{number}"
        stored = store.find(fresh)
        receipt = ledger.receipt(stored.hash) if stored else None
        if receipt is None or receipt.status == 1:
            return fresh
    raise Unusable(f"{purpose} was tried {MAX_TRIES} times", next_step="Find out why its transactions take no effect")


def reference_hash(text: str) -> bytes:
    """The 32 bytes under which a booking reference stands on the ledger."""
    return hashlib.sha256(text.encode()).digest()


def told(receipt: Receipt, what: str) -> None:
    """Print what happened, and in which transaction."""
    click.echo(f"{what}\n  transaction {receipt.transaction_hash} in block {receipt.block_number}")
