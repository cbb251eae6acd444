"""The same walk through the command line on a node by URL: a plain anvil, started without any flag."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from corridor.cli import main
from tests.nodes import anvil
from tests.samples import HK_A, HK_B, TH_A, TH_B, Pen, customer, trade_side


@pytest.fixture(scope="module")
def url():
    """Address of a fresh node. Only the port is chosen, because tests run side by side."""
    with anvil() as started:
        yield started


@pytest.fixture
def run(tmp_path):
    """Run a command on a corridor of the test's own and return its JSON; it must end with the expected code."""

    def runs(command, *arguments, code=0):
        data = ["--data-dir", str(tmp_path / "data"), "--json"]
        result = CliRunner(mix_stderr=False).invoke(main, [command, *map(str, arguments), *data])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.stderr
        return json.loads(result.stdout) if result.stdout else result.stderr

    return runs


@pytest.fixture
def corridor(run, url):
    run("init", "--ledger", url, "--business-date", "2026-11-23")
    return run


def held(run):
    return {(one["participant"], one["currency"]): one["balance_minor"] for one in run("balances")["accounts"]}


def test_the_walk_on_a_node_by_url(corridor, tmp_path, url):
    pen, sent = Pen(11), []

    def submit(kind, *transactions, code=0):
        path = tmp_path / f"{len(sent)}.xml"
        path.write_bytes(pen.message(kind, *transactions))
        sent.append(path)
        return corridor("submit", path, code=code)

    opening = held(corridor)
    one, other, waits, funds, refused = (pen.uetr() for _ in range(5))
    hkd, thb = ("HKD", "10000000.00"), ("THB", "45000000.00")
    submit("pacs.009", trade_side(HK_A, TH_A, hkd, thb, one))
    submit("pacs.009", trade_side(TH_A, HK_A, thb, hkd, other))
    submit("pacs.008", customer(HK_B, TH_B, "HKD", "15000000.00", waits))
    submit("pacs.008", customer(HK_B, "SGBASGSGXXX", "HKD", "1.00", refused), code=6)
    report = corridor("cycle")
    assert (len(report["settled_gross"]), report["settled_net"], len(report["waiting"])) == (1, [], 1)
    submit("pacs.008", customer(TH_A, HK_B, "HKD", "4000000.00", funds))
    assert len(corridor("cycle")["settled_gross"]) == 2
    ring = [(bank, uetr) for bank in (HK_B, TH_B) for uetr in [pen.uetr() for _ in range(5)]]
    for bank, payee in ((HK_B, TH_B), (TH_B, HK_B)):
        mine = [uetr for sender, uetr in ring if sender == bank]
        submit("pacs.008", *[customer(bank, payee, "HKD", "100000.00", uetr) for uetr in mine])
    assert len(corridor("cycle")["settled_net"]) == 10
    states = {view["uetr"]: view["state"] for view in corridor("status")}
    assert states == dict.fromkeys([one, other, waits, funds, *(u for _, u in ring)], "final") | {refused: "rejected"}
    moved = {account: now - opening[account] for account, now in held(corridor).items()}
    assert moved[HK_A, "HKD"] == -1_000_000_000
    assert moved[HK_A, "THB"] == 4_500_000_000
    assert sum(moved[bank, "HKD"] for bank in (HK_A, HK_B, TH_A, TH_B)) == 0
    assert sum(moved[bank, "THB"] for bank in (HK_A, HK_B, TH_A, TH_B)) == 0
    for uetr in (one, ring[0][1]):
        corridor("proof", uetr, "--out", tmp_path / "proof.json")
        assert corridor("proof", "--verify", tmp_path / "proof.json", "--ledger", url)["holds"]
    assert corridor("submit", sent[0])[0]["seen_before"]
    assert corridor("close-day") == {"expired": 0}


def test_set_up_again_on_the_same_node_changes_nothing_and_beside_it_a_second_corridor_works(corridor, url, tmp_path):
    before = held(corridor)
    corridor("init", "--ledger", url)
    assert held(corridor) == before
    result = CliRunner(mix_stderr=False).invoke(main, ["init", "--ledger", url, "--data-dir", str(tmp_path / "second")])
    assert result.exit_code == 0, result.stderr


def test_a_node_that_is_gone_ends_with_exit_code_4_and_its_address(corridor, tmp_path, url):
    about = tmp_path / "data" / "ledger.json"
    about.write_text(about.read_text().replace(url, "http://127.0.0.1:9"))
    assert "127.0.0.1:9 did not answer" in corridor("balances", code=4)
