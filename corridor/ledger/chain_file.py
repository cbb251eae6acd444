"""The embedded ledger's memory: a key-value store in one SQLite file, written one block at a time.

What a block wrote is kept in memory until :meth:`ChainFile.commit` puts all of it into the file in one transaction,
synchronised to the disk. A process killed at any moment therefore leaves the last complete block.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from eth.db.backends.base import BaseDB

from corridor.ledger.errors import LedgerFileBroken, LedgerFileInUse

# "CORR" and the version of what the file holds.
_APPLICATION_ID = 0x434F5252
_VERSION = 1
# Entries read or written lately; a million small trie nodes would be some hundred megabytes, a tenth is enough for
# the state of thousands of accounts. What falls out is read again from the file.
MAX_CACHED_ENTRIES = 100_000


class ChainFile(BaseDB):
    """The store behind a py-evm chain.

    Args:
        path: of the file; None keeps everything in memory.

    Raises:
        LedgerFileInUse: another process has the file open.
        LedgerFileBroken: the file is something else.
    """

    def __init__(self, path: Path | None) -> None:
        self._unwritten: dict[bytes, bytes | None] = {}
        self._cache: dict[bytes, bytes] = {}
        try:
            self._connection = sqlite3.connect(
                path or ":memory:", isolation_level=None, check_same_thread=False, timeout=0
            )
        except sqlite3.Error as error:
            raise _broken(path, str(error)) from error
        try:
            self._open()
        except sqlite3.OperationalError as error:
            self._connection.close()
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise LedgerFileInUse(
                    f"the embedded ledger {path} is in use by another process",
                    next_step="Wait until the other corridor command has ended, then try again",
                    path=str(path),
                ) from error
            raise _broken(path, str(error)) from error
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise _broken(path, str(error)) from error
        except LedgerFileBroken:
            self._connection.close()
            raise

    def _open(self) -> None:
        run = self._connection.execute
        # The lock is taken with the first transaction below and held until the file is closed or the process ends.
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("BEGIN IMMEDIATE")
        [application], [version] = run("PRAGMA application_id").fetchone(), run("PRAGMA user_version").fetchone()
        [tables] = run("SELECT count(*) FROM sqlite_master").fetchone()
        if tables == 0:
            run("CREATE TABLE entry (key BLOB PRIMARY KEY, value BLOB NOT NULL)")
            run(f"PRAGMA application_id = {_APPLICATION_ID}")
            run(f"PRAGMA user_version = {_VERSION}")
        elif (application, version) != (_APPLICATION_ID, _VERSION):
            run("ROLLBACK")
            raise LedgerFileBroken(
                f"the file is no embedded ledger of version {_VERSION}",
                next_step="Name another data directory, or restore this one from its backup",
            )
        run("COMMIT")

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever committed."""
        return self._connection.execute("SELECT 1 FROM entry LIMIT 1").fetchone() is None

    def commit(self) -> None:
        """Write everything since the last commit, durably and all at once."""
        written = [(key, value) for key, value in self._unwritten.items() if value is not None]
        deleted = [(key,) for key, value in self._unwritten.items() if value is None]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?)", written)
            self._connection.executemany("DELETE FROM entry WHERE key = ?", deleted)
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        if len(self._cache) + len(written) > MAX_CACHED_ENTRIES:
            self._cache.clear()
        self._cache.update(written)
        self._unwritten.clear()

    def discard(self) -> None:
        """Forget everything since the last commit."""
        self._unwritten.clear()

    def close(self) -> None:
        """Close the file; what was not committed is lost."""
        self._connection.close()

    def __getitem__(self, key: bytes) -> bytes:
        if key in self._unwritten:
            value = self._unwritten[key]
        elif key in self._cache:
            value = self._cache[key]
        else:
            row = self._connection.execute("SELECT value FROM entry WHERE key = ?", (key,)).fetchone()
            value = row[0] if row else None
            if value is not None:
                if len(self._cache) >= MAX_CACHED_ENTRIES:
                    self._cache.clear()
                self._cache[key] = value
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._unwritten[key] = bytes(value)

    def __delitem__(self, key: bytes) -> None:
        self[key]
        self._cache.pop(key, None)
        self._unwritten[key] = None

    def _exists(self, key: bytes) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[bytes]:
        raise NotImplementedError("the store is looked up, never listed")

    def __len__(self) -> int:
        raise NotImplementedError("the store is looked up, never counted")


def _broken(path: Path | None, reason: str) -> LedgerFileBroken:
    return LedgerFileBroken(
        f"the embedded ledger {path} cannot be opened: {reason}",
        next_step="Check the path and its permissions; restore the file from a backup if it is damaged",
        path=str(path),
    )
