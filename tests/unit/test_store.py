"""A store is brought to the tables that the code knows, and a commit is on disk."""

import sqlite3
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from corridor.store import database, tables
from corridor.store.database import chunks, insert_new, open_database, select_in, sqlite_url

METADATA = {"operator": tables.operator, "agent": tables.agent}
KINDS = sorted(METADATA)


@pytest.fixture
def store(tmp_path):
    """Opens a store of a kind; all are closed at the end."""
    opened = []

    def make(kind, name=None):
        opened.append(open_database(sqlite_url(tmp_path / "deep" / f"{name or kind}.db"), kind))
        return opened[-1]

    yield make
    for engine in opened:
        engine.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_migrations_make_just_the_tables_that_the_code_knows(store, kind):
    with store(kind).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA[kind]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_version_is_the_newest_migration(kind):
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS / kind))
    assert ScriptDirectory.from_config(config).get_heads() == [tables.SCHEMA_VERSION[kind]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_store_is_opened_again_with_what_it_held(store, kind):
    kept = {"operator": tables.settings, "agent": tables.mailbox}[kind]
    row = {"operator": {"name": "round", "value": "7"}, "agent": {"message": "a.xml", "body": b"\x00\xff"}}[kind]
    with store(kind).begin() as connection:
        connection.execute(kept.insert().values(row))
    with store(kind).begin() as connection:
        assert connection.execute(select(kept)).mappings().one() == row
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [
            tables.SCHEMA_VERSION[kind]
        ]


def test_a_store_of_an_older_version_is_brought_up_to_date_and_keeps_its_rows(store, tmp_path):
    engine = store("agent")
    with engine.begin() as connection:
        connection.execute(tables.mailbox.insert().values(message="a.xml", body=b"kept"))
        connection.execute(text("DROP TABLE credited"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    with store("agent").begin() as connection:
        assert connection.execute(select(tables.mailbox.c.body)).scalar() == b"kept"
        assert connection.execute(select(func.count()).select_from(tables.credited)).scalar() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_connection_writes_ahead_and_waits_for_the_disk(store, kind):
    engine = store(kind)
    for _ in range(2):
        with engine.connect() as connection:
            raw = connection.connection.driver_connection
            pragmas = {
                name: raw.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("journal_mode", "synchronous", "foreign_keys")
            }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        engine.dispose()


def test_a_commit_is_seen_by_another_process_and_a_rollback_is_not(store, tmp_path):
    engine = store("operator")
    with engine.begin() as connection:
        connection.execute(tables.settings.insert().values(name="kept", value="1"))
    with engine.connect() as connection:
        connection.execute(tables.settings.insert().values(name="lost", value="1"))
        connection.rollback()
    other = sqlite3.connect(tmp_path / "deep" / "operator.db")
    assert other.execute("SELECT name FROM settings").fetchall() == [("kept",)]
    other.close()


def test_two_writers_wait_for_each_other_and_neither_loses(store):
    """What is read and then changed in one transaction is not changed by another in between."""
    engine = store("operator")
    with engine.begin() as connection:
        connection.execute(tables.settings.insert().values(name="round", value="0"))

    def count():
        for _ in range(20):
            with engine.begin() as connection:
                value = connection.execute(select(tables.settings.c.value)).scalar_one()
                connection.execute(tables.settings.update().values(value=str(int(value) + 1)))

    writers = [threading.Thread(target=count) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=30)
    with engine.begin() as connection:
        assert connection.execute(select(tables.settings.c.value)).scalar_one() == "40"


def test_a_row_that_belongs_to_nothing_is_refused(store):
    orphan = tables.consent_obligations.insert().values(digest="00", obligation="11")
    with pytest.raises(IntegrityError), store("agent").begin() as connection:
        connection.execute(orphan)


def test_insert_new_leaves_a_row_that_stands_there_as_it_is(store):
    with store("agent").begin() as connection:
        insert_new(connection, tables.mailbox, [{"message": "a", "body": b"first"}])
        insert_new(connection, tables.mailbox, [{"message": "a", "body": b"second"}, {"message": "b", "body": b"new"}])
        insert_new(connection, tables.mailbox, [])
        rows = connection.execute(select(tables.mailbox).order_by(tables.mailbox.c.message)).all()
    assert rows == [("a", b"first"), ("b", b"new")]


@pytest.mark.parametrize("count", [0, 1, 4_999, 5_000, 5_001, 12_000])
def test_select_in_finds_each_of_many_once(store, count):
    names = [f"{number:06d}" for number in range(count)]
    with store("agent").begin() as connection:
        insert_new(connection, tables.mailbox, [{"message": name, "body": b""} for name in names])
        found = select_in(connection, select(tables.mailbox), tables.mailbox.c.message, iter([*names, "missing"]))
        assert [row["message"] for row in found] == names


def test_chunks_are_bounded_and_complete():
    sizes = [len(chunk) for chunk in chunks(range(12_000))]
    assert sizes == [5_000, 5_000, 2_000]
    assert list(chunks([])) == []


def test_the_two_kinds_of_store_share_no_table(store):
    assert not set(tables.operator.tables) & set(tables.agent.tables)
