"""Opening a store: SQLite in WAL mode with full synchronisation by default, any other database by URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Column, Connection, Engine, RowMapping, Select, Table, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite

from corridor.store.tables import SCHEMA_VERSION

Kind = Literal["operator", "agent"]

_MIGRATIONS = Path(__file__).resolve().parent / "migrations"
# Another process of the same data directory writes for at most one intake of a full bulk message.
_BUSY_TIMEOUT_S = 60
# Well below the number of parameters that any database takes in one statement.
_IN_CHUNK = 5_000


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def open_database(url: str, kind: Kind) -> Engine:
    """Open the store at ``url``, bringing its tables up to date first."""
    engine = create_engine(url, connect_args={"timeout": _BUSY_TIMEOUT_S} if url.startswith("sqlite") else {})
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _durable)
        event.listen(engine, "begin", _begin_immediate)
    if _version(engine) != SCHEMA_VERSION[kind]:
        _migrate(engine, kind)
    return engine


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``; one whose key stands there already is left as it is."""
    if rows:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(table).on_conflict_do_nothing(), list(rows))


def select_in(
    connection: Connection, statement: Select[Any], column: Column[Any], values: Iterable[Any]
) -> Iterator[RowMapping]:
    """Yield the rows of ``statement`` whose ``column`` is among ``values``, asking for a bounded number at a time."""
    for chunk in chunks(values):
        yield from connection.execute(statement.where(column.in_(chunk))).mappings().all()


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield ``values`` in lists that one statement takes."""
    listed = list(values)
    for start in range(0, len(listed), _IN_CHUNK):
        yield listed[start : start + _IN_CHUNK]


def _durable(connection: Any, _record: Any) -> None:
    """Commit means on disk; SQLAlchemy begins transactions, not the driver."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _version(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.begin() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(engine: Engine, kind: Kind) -> None:
    # Imported here: starting Alembic takes longer than most commands.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS / kind))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
