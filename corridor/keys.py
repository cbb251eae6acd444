"""Private keys at rest: each in a keystore file of its own (Web3 Secret Storage), encrypted with a passphrase.

The passphrase stands in a file beside it that only its owner can read, or in the environment variable
``CORRIDOR_PASSPHRASE``, which then is for all.
"""

from __future__ import annotations

import functools
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from coincurve import PrivateKey
from eth_account import Account

from corridor.errors import CorridorError
from corridor.ledger.sender import write_durably
from corridor.model import is_address
from corridor.typed_data import address_of

KEYSTORE = "keystore.json"
PASSPHRASE = "passphrase"  # noqa: S105 - a file name
# The "light" cost of Web3 Secret Storage: a tenth of a second, for a passphrase of 32 random bytes.
_SCRYPT_N = 4096
_OWNER_ONLY = 0o600


class KeyUnusable(CorridorError):
    """A keystore that is missing, unreadable or has another passphrase."""

    code = "KEY_UNUSABLE"
    exit_code = 3


def make_key(directory: Path, secret: bytes | None = None) -> str:
    """Make a keystore in ``directory`` unless there is one; return its address.

    Args:
        directory: is made where it is missing.
        secret: the private key, 32 bytes; a random one by default.
    """
    path = directory / KEYSTORE
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        passphrase = directory / PASSPHRASE
        if "CORRIDOR_PASSPHRASE" not in os.environ and not passphrase.exists():
            write_durably(passphrase, secrets.token_urlsafe(32), mode=_OWNER_ONLY)
        key = secret or secrets.token_bytes(32)
        stored = Account.encrypt(key, _passphrase(directory), kdf="scrypt", iterations=_SCRYPT_N)
        write_durably(path, json.dumps(stored), mode=_OWNER_ONLY)
    return address(directory)


def address(directory: Path) -> str:
    """Return the address of the key in ``directory``, lower-case, without decrypting it."""
    return "0x" + str(_read(directory)["address"]).removeprefix("0x").lower()


def key_of(directory: Path) -> Callable[[], bytes]:
    """Return a function that decrypts the key when it is first called, and keeps it."""
    return functools.cache(lambda: _decrypt(directory))


def address_of_secret(secret: bytes) -> str:
    """The address of a 32-byte private key, lower-case."""
    return address_of(PrivateKey(secret).public_key)


def _decrypt(directory: Path) -> bytes:
    try:
        return bytes(Account.decrypt(_read(directory), _passphrase(directory)))
    except (ValueError, KeyError, TypeError) as error:
        raise KeyUnusable(
            f"the passphrase does not open {directory / KEYSTORE}",
            next_step=f"Put the right one into {directory / PASSPHRASE} or CORRIDOR_PASSPHRASE",
        ) from error


def _read(directory: Path) -> dict[str, object]:
    try:
        stored: dict[str, object] = json.loads((directory / KEYSTORE).read_text())
        if not is_address("0x" + str(stored["address"]).removeprefix("0x")):
            raise ValueError("the address is none")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeyUnusable(
            f"there is no readable keystore at {directory / KEYSTORE}", next_step="Restore it from a backup"
        ) from error
    return stored


def _passphrase(directory: Path) -> str:
    if given := os.environ.get("CORRIDOR_PASSPHRASE"):
        return given
    try:
        return (directory / PASSPHRASE).read_text().strip()
    except OSError as error:
        raise KeyUnusable(
            f"there is no passphrase at {directory / PASSPHRASE}",
            next_step="Restore the file, or set CORRIDOR_PASSPHRASE",
        ) from error
