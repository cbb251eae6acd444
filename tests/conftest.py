"""Fixtures shared by all tests: banks by role, each with its agent and its own books, on one stand-in ledger."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from corridor.store.database import open_database, sqlite_url
from tests import actors

# The same examples every time, so that a change is judged by itself; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def empty_agent_store(tmp_path_factory):
    """An agent's store with nothing in it: migrated once, copied for each bank."""
    path = tmp_path_factory.mktemp("stores") / "agent.db"
    engine = open_database(sqlite_url(path), "agent")
    with engine.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture
def ledger():
    """What every bank's own node shows."""
    return actors.StandInLedger()


@pytest.fixture
def open_bank(tmp_path, empty_agent_store, ledger):
    """Makes a bank by its BIC; all are closed at the end."""
    opened = []

    def make(bic):
        bank = actors.BankActor(bic, tmp_path, empty_agent_store, ledger)
        opened.append(bank)
        return bank

    yield make
    for bank in opened:
        bank.agent.close()


@pytest.fixture
def hk_bank_a(open_bank):
    """The bank under test, where there is one."""
    return open_bank(actors.HK_BANK_A)


@pytest.fixture
def hk_bank_b(open_bank):
    """A second Hong Kong bank."""
    return open_bank(actors.HK_BANK_B)


@pytest.fixture
def th_bank_a(open_bank):
    """A Thai bank."""
    return open_bank(actors.TH_BANK_A)


@pytest.fixture
def th_bank_b(open_bank):
    """A second Thai bank."""
    return open_bank(actors.TH_BANK_B)


@pytest.fixture
def paid(hk_bank_a):
    """A payment of HKD 100.00 that Hong Kong bank A instructed to Thai bank A."""
    one = actors.payment(actors.HK_BANK_A, actors.TH_BANK_A, 100_00)
    hk_bank_a.instructs(one)
    return one


@pytest.fixture
def sides(hk_bank_a):
    """A trade of HKD 100.00 for THB 450.00 that Hong Kong bank A instructed with Thai bank A."""
    own, other = actors.trade(actors.HK_BANK_A, actors.TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    hk_bank_a.instructs(own)
    return own, other
