"""PSSimPy's three tables: their users switch in one line, and no amount changes on the way."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("pyarrow", exc_type=ImportError)

import pandas as pd

from liquidity import InvalidField, Leg, Obligation, Queue
from liquidity.day import Day, Hours
from liquidity.generating import Traffic, bank_names, generate_day
from liquidity.pssimpy import pssimpy_tables, read_pssimpy

BANKS = {"name": ["bank one", "bank two"], "strategy_type": ["Normal", "Normal"]}
ACCOUNTS = {
    "id": ["acc1", "acc2"],
    "owner": ["bank one", "bank two"],
    "balance": [100.1, 50],
    "posted_collateral": [0, 7.25],
}
TRANSACTIONS = {
    "sender_account": ["acc2", "acc1", "acc2"],
    "recipient_account": ["acc1", "acc2", "acc1"],
    "amount": [70.0, 0.29, 1234567890.12],
    "priority": [1, 2, 1],
    "time": ["09:15", "08:45", "8:45"],
    "day": [1, 1, 1],
}


@pytest.mark.parametrize("table", [dict, pd.DataFrame], ids=["mappings", "frames"])
def test_the_three_tables_become_a_day_of_exact_amounts(table: type) -> None:
    day = read_pssimpy(table(BANKS), table(ACCOUNTS), table(TRANSACTIONS))
    assert day.queue.obligations == (
        Obligation("1", [Leg("bank one", "bank two", "XXX", 29)], priority=2),
        Obligation("2", [Leg("bank two", "bank one", "XXX", 123_456_789_012)], priority=1),
        Obligation("0", [Leg("bank two", "bank one", "XXX", 7000)], priority=1),
    )
    assert day.arrival_s.tolist() == [31_500, 31_500, 33_300]
    assert day.balances == {"bank one": {"XXX": 10_010}, "bank two": {"XXX": 5000}}
    assert day.floors == {"bank two": {"XXX": -725}}
    assert day.hours == {"XXX": Hours(8 * 3600, 17 * 3600)}


def test_a_bank_with_several_accounts_takes_part_by_its_accounts() -> None:
    accounts = {"id": ["acc1", "acc2"], "owner": ["bank one", "bank one"], "balance": [1, 2]}
    day = read_pssimpy(BANKS, accounts, TRANSACTIONS, currency="HKD", minor_per_unit=100)
    assert day.balances == {"acc1": {"HKD": 100}, "acc2": {"HKD": 200}}


def test_one_of_several_days_is_read_when_it_is_said() -> None:
    several = {**TRANSACTIONS, "day": [1, 2, 2]}
    assert read_pssimpy(BANKS, ACCOUNTS, several, day=2).queue.ids == ("1", "2")
    with pytest.raises(InvalidField, match="several days"):
        read_pssimpy(BANKS, ACCOUNTS, several)


@pytest.mark.parametrize("amount", [0.001, 0.1 + 0.2, float("nan"), float("inf"), 0.0, -5.0, 2.0**60])
def test_an_amount_that_is_no_whole_number_of_minor_units_is_refused(amount: float) -> None:
    with pytest.raises(InvalidField) as refused:
        read_pssimpy(BANKS, ACCOUNTS, {**TRANSACTIONS, "amount": [70.0, 1.0, amount]})
    assert refused.value.field == "transactions row 3, column amount"


def test_every_float_of_two_decimals_is_taken_as_its_decimals() -> None:
    minor = np.random.default_rng(5).integers(1, 2**50, 2000)
    transactions = {
        "sender_account": ["acc1"] * 2000,
        "recipient_account": ["acc2"] * 2000,
        "amount": [float(f"{value // 100}.{value % 100:02d}") for value in minor.tolist()],
        "time": ["09:00"] * 2000,
    }
    arrays = read_pssimpy(BANKS, ACCOUNTS, transactions).queue.arrays()
    assert arrays is not None
    assert arrays.amount.tolist() == minor.tolist()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sender_account": ["acc2", "acc9", "acc2"]}, "transactions row 2, column sender_account"),
        ({"recipient_account": ["acc1", "acc1", "acc1"]}, "transactions row 2, column recipient_account"),
        ({"time": ["09:15", "noon", "08:45"]}, "transactions row 2, column time"),
        ({"amount": ["1", "2", "3"]}, "transactions column amount"),
        ({"amount": [1, 2**62, 3]}, "transactions row 2, column amount"),
        ({"amount": [1, 2]}, "transactions"),
    ],
)
def test_a_wrong_transaction_is_refused_by_its_row_and_column(change: dict[str, list[object]], field: str) -> None:
    with pytest.raises(InvalidField) as refused:
        read_pssimpy(BANKS, ACCOUNTS, {**TRANSACTIONS, **change})
    assert refused.value.field == field


def test_an_account_of_an_unknown_bank_is_refused() -> None:
    with pytest.raises(InvalidField, match="accounts row 2, column owner"):
        read_pssimpy({"name": ["bank one"]}, ACCOUNTS, TRANSACTIONS)


def test_a_day_comes_back_from_the_three_tables() -> None:
    traffic = Traffic(communities=(bank_names("HK", 6),), obligations=300, currencies={"XXX": 1}, pvp_share=0)
    day = generate_day(traffic, seed=3)
    back = read_pssimpy(*pssimpy_tables(day))
    there, here = back.queue.arrays(), day.queue.arrays()
    assert there is not None
    assert here is not None
    assert there.amount.tolist() == here.amount.tolist()
    assert back.arrival_s.tolist() == (day.arrival_s // 60 * 60).tolist()
    assert {bank: row for bank, row in back.balances.items() if row["XXX"]} == {
        bank: row for bank, row in day.balances.items() if row["XXX"]
    }


def test_a_day_that_pssimpy_cannot_hold_is_refused() -> None:
    both = Obligation("T1", [Leg("HK1", "TH1", "HKD", 1), Leg("TH1", "HK1", "THB", 1)])
    with pytest.raises(InvalidField, match="one leg"):
        pssimpy_tables(Day(Queue([both]), np.array([0])))
    with pytest.raises(InvalidField, match="must be one"):
        pssimpy_tables(Day(Queue([Obligation(leg.currency, [leg]) for leg in both.legs]), np.array([0, 0])))


def test_pssimpy_itself_runs_what_was_written_for_it(tmp_path, monkeypatch) -> None:
    basic = pytest.importorskip("PSSimPy.simulator.basic_sim")
    monkeypatch.chdir(tmp_path)  # it writes its logs where it stands
    queue = Queue([Obligation("T1", [Leg("HK1", "TH1", "HKD", 100)]), Obligation("T2", [Leg("TH1", "HK1", "HKD", 40)])])
    day = Day(queue, np.array([9 * 3600, 10 * 3600]), balances={"HK1": {"HKD": 100}})
    simulation = basic.BasicSim("written", *pssimpy_tables(day))
    simulation.run()
    assert {name: account.balance for name, account in simulation.accounts.items()} == {"HK1": 0.4, "TH1": 0.6}
