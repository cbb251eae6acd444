"""The operator's store on PostgreSQL, named by CORRIDOR_DATABASE_URL: optional, tried where a server can be started."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
from datetime import date

import pytest

from corridor.app import World
from corridor.config import default_text
from corridor.setup import set_up
from tests.samples import DAY, HK_A, START_S, TH_A, customer

pytestmark = [
    pytest.mark.skipif(shutil.which("postgres") is None, reason="there is no postgres binary on the path"),
    pytest.mark.skipif(importlib.util.find_spec("psycopg") is None, reason="psycopg, the driver, is not installed"),
    pytest.mark.skipif(os.geteuid() == 0, reason="PostgreSQL refuses to run as the superuser"),
]


@pytest.fixture
def database_url(tmp_path, monkeypatch):
    """A server of the test's own, on loopback, named in the environment."""
    home = tmp_path / "postgres"
    tools = os.path.dirname(os.path.realpath(shutil.which("postgres")))
    subprocess.run([f"{tools}/initdb", "-D", home, "-U", "corridor", "-A", "trust"], check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-p {port} -k {tmp_path} -h 127.0.0.1"
    subprocess.run([f"{tools}/pg_ctl", "-D", home, "-o", options, "-w", "start"], check=True, capture_output=True)
    monkeypatch.setenv("CORRIDOR_DATABASE_URL", f"postgresql+psycopg://corridor@127.0.0.1:{port}/postgres")
    yield
    subprocess.run([f"{tools}/pg_ctl", "-D", home, "-m", "fast", "stop"], check=True, capture_output=True)


def test_a_payment_settles_with_the_operators_store_on_postgresql(database_url, open_on, tmp_path):
    root = tmp_path / "data"
    world = World(lambda: START_S, lambda _: None)
    set_up(root, default_text(), url=None, day=date.fromisoformat(DAY), seed="postgres", world=world)
    bench = open_on(root)
    uetr = bench.pen.uetr()
    bench.pay(HK_A, "pacs.008", customer(HK_A, TH_A, "HKD", "10.00", uetr))
    bench.cycle()
    bench.reopen()
    assert bench.statuses(HK_A, uetr) == ["ACTC", "ACSP", "ACSC"]
    assert not (root / "operator" / "operator.db").exists()
    bench.close()
