"""PSSimPy's three tables (banks, accounts, transactions) as a day, and a day as the three tables.

PSSimPy (0.1.5) keeps amounts as floats of the major unit, knows one currency, and times of whole minutes. Amounts
become integers exactly: a float is taken only if it is the one nearest to a whole number of minor units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from liquidity.arrays import Int64s
from liquidity.cells import MAX_EXACT, Table, integers, make_table, numbered, seconds, texts
from liquidity.day import Day, Hours
from liquidity.errors import InvalidField, shown
from liquidity.model import Queue
from liquidity.tables import arrow_of_frame

if TYPE_CHECKING:
    from pandas import DataFrame

    Tabular = DataFrame | Mapping[str, Sequence[object]]

NO_CURRENCY = "XXX"
"""ISO 4217's code where no currency is involved; PSSimPy names none."""


def read_pssimpy(
    banks: Tabular,
    accounts: Tabular,
    transactions: Tabular,
    *,
    day: int | None = None,
    currency: str = NO_CURRENCY,
    minor_per_unit: int = 100,
    open_time: str = "08:00",
    close_time: str = "17:00",
) -> Day:
    """A day from the tables that PSSimPy's ``BasicSim`` takes; data frames or mappings of lists, as there.

    A participant is a bank, by its name; where a bank owns several accounts, every account is a participant by its
    id. Transactions of one minute stand in the order of the table; their ids are ``0``, ``1``, … by row.

    Parameters
    ----------
    banks
        Column ``name``.
    accounts
        Columns ``id``, ``owner``, and if wanted ``balance`` and ``posted_collateral``, which becomes a credit line of
        that amount.
    transactions
        Columns ``sender_account``, ``recipient_account``, ``amount``, ``time``, and if wanted ``priority`` and
        ``day``.
    day
        Which day to read; needed only if the transactions are of several.
    currency
        What to call the one currency.
    minor_per_unit
        Minor units in 1 (100: cents; 1: amounts are whole).
    open_time, close_time
        As for ``BasicSim``: when the settlement system is open.

    Raises
    ------
    InvalidField
        For a cell that isn't what it should be, by table, row and column; for an amount that is no whole number of
        minor units.
    """
    if type(minor_per_unit) is not int or minor_per_unit < 1:
        raise InvalidField("minor_per_unit", "must be an integer > 0", shown(minor_per_unit))
    hours = _hours(open_time, close_time)
    names, balances, floors = _accounts(banks, accounts, currency, minor_per_unit)
    required = ("sender_account", "recipient_account", "amount", "time")
    table = make_table("transactions", arrow_of_frame(transactions, "transactions"), required, ("priority", "day"))

    kept = np.arange(table.rows)
    if "day" in table:
        days = integers(table, "day", "must be an integer")
        if day is None and len(np.unique(days)) > 1:
            raise InvalidField("day", "must be said, as the transactions are of several days", "none")
        kept = kept if day is None else np.flatnonzero(days == day)
    time = seconds(table, "time")
    rows = kept[np.argsort(time[kept], kind="stable")]
    number = {account: at for at, account in enumerate(names)}
    payer, payee = (_known(table, name, number) for name in required[:2])
    same = np.flatnonzero((payer == payee)[rows])
    if len(same):
        table.refuse("recipient_account", int(rows[same[0]]), "must differ from the sender", "the same account")
    amount = _minor_units(table, "amount", minor_per_unit, minimum=1)
    queue = Queue.from_arrays(
        banks=list(names.values()),
        currencies=[currency],
        payer=payer[rows],
        payee=payee[rows],
        currency=np.zeros(len(rows), dtype=np.int64),
        amount=amount[rows],
        priority=integers(table, "priority", "must be an integer")[rows] if "priority" in table else None,
        ids=[str(row) for row in rows.tolist()],
    )
    return Day(queue=queue, arrival_s=time[rows], balances=balances, floors=floors, hours={currency: hours})


def pssimpy_tables(day: Day, *, minor_per_unit: int = 100) -> tuple[DataFrame, DataFrame, DataFrame]:
    """A day of plain transfers in one currency as PSSimPy's banks, accounts and transactions.

    Times lose their seconds; held obligations are left out; a credit line becomes posted collateral.

    Raises
    ------
    InvalidField
        For several currencies or legs, or an amount that a float cannot hold exactly.
    """
    import pandas as pd

    arrays = day.queue.arrays()
    if arrays is None or int(arrays.amount.max(initial=0)) >= MAX_EXACT:
        raise InvalidField("amount", f"must be less than {MAX_EXACT}, as PSSimPy's amounts are floats")
    if len(arrays.amount) != len(day.queue):
        raise InvalidField("queue", "must have one leg per obligation, as PSSimPy knows no others")
    if len(arrays.currencies) > 1:
        raise InvalidField("currency", "must be one, as PSSimPy knows no others", shown(", ".join(arrays.currencies)))
    code = arrays.currencies[0] if arrays.currencies else NO_CURRENCY
    banks = list(dict.fromkeys((*arrays.banks, *day.balances, *day.floors)))
    opening = [day.balances.get(bank, {}).get(code, 0) / minor_per_unit for bank in banks]
    credit = [max(0, -day.floors.get(bank, {}).get(code, 0)) / minor_per_unit for bank in banks]
    live = ~arrays.held
    names = np.array(banks, dtype=object)
    minute = (day.arrival_s[live] // 60).tolist()
    transactions = pd.DataFrame(
        {
            "sender_account": names[arrays.payer[live]],
            "recipient_account": names[arrays.payee[live]],
            "amount": arrays.amount[live] / minor_per_unit,
            "time": [f"{at // 60:02d}:{at % 60:02d}" for at in minute],
            "day": 1,
        }
    )
    if arrays.priority is not None:
        transactions["priority"] = arrays.priority[live]
    return (
        pd.DataFrame({"name": banks}),
        pd.DataFrame({"id": banks, "owner": banks, "balance": opening, "posted_collateral": credit}),
        transactions,
    )


def _accounts(
    banks: Tabular, accounts: Tabular, currency: str, minor_per_unit: int
) -> tuple[dict[str, str], dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """What each account's participant is called, its balance, its floor."""
    known = set(texts(make_table("banks", arrow_of_frame(banks, "banks"), ("name",)), "name").to_pylist())
    required, options = ("id", "owner"), ("balance", "posted_collateral")
    table = make_table("accounts", arrow_of_frame(accounts, "accounts"), required, options)
    ids, owners = texts(table, "id").to_pylist(), texts(table, "owner").to_pylist()
    seen: set[str] = set()
    for row, (account, owner) in enumerate(zip(ids, owners, strict=True)):
        if owner not in known:
            table.refuse("owner", row, "must be the name of a bank", owner)
        if account in seen:
            table.refuse("id", row, "must be unique", account)
        seen.add(account)
    names = dict(zip(ids, owners if len(set(owners)) == len(owners) else ids, strict=True))

    def amounts(column: str) -> list[int]:
        return _minor_units(table, column, minor_per_unit).tolist() if column in table else [0] * table.rows

    balances = {bank: {currency: amount} for bank, amount in zip(names.values(), amounts("balance"), strict=True)}
    credit = zip(names.values(), amounts("posted_collateral"), strict=True)
    return names, balances, {bank: {currency: -amount} for bank, amount in credit if amount}


def _known(table: Table, name: str, number: Mapping[str, int]) -> Int64s:
    """The accounts of a column by their number."""
    index, distinct = numbered(texts(table, name))
    meaning = np.array([number.get(account, -1) for account in distinct], dtype=np.int64)
    accounts: Int64s = meaning[index] if len(distinct) else index
    unknown = np.flatnonzero(accounts < 0)
    if len(unknown):
        row = int(unknown[0])
        table.refuse(name, row, "must be the id of an account", distinct[int(index[row])])
    return accounts


def _minor_units(table: Table, name: str, minor_per_unit: int, *, minimum: int | None = None) -> Int64s:
    """Amounts in major units, integers or floats, as minor units: exact, or refused."""
    array: Any = table.columns[name]
    problem = f"must be a whole number of minor units, {minor_per_unit} to 1"
    if pa.types.is_integer(array.type):
        whole = integers(table, name, problem)
        limit = (2**63 - 1) // minor_per_unit
        wrong = (whole > limit) | (whole < -limit)
        minor = np.where(wrong, 0, whole) * minor_per_unit
    elif pa.types.is_floating(array.type):
        given = pc.fill_null(array.cast(pa.float64()), float("nan")).to_numpy()
        wrong = ~(np.abs(given) * minor_per_unit < MAX_EXACT)  # also what is no number
        nearest = np.rint(np.where(wrong, 0.0, given) * minor_per_unit)
        wrong |= ~wrong & (nearest / minor_per_unit != given)  # division rounds to the nearest float
        minor = nearest.astype(np.int64)
    else:
        table.refuse_column(name, "must be a column of numbers", str(array.type))
    if minimum is not None:
        wrong |= ~wrong & (minor < minimum)
        problem += " and > 0"
    if wrong.any():
        row = int(wrong.argmax())
        table.refuse(name, row, problem, array[row].as_py())
    return cast(Int64s, minor)


def _hours(open_time: str, close_time: str) -> Hours:
    said = pa.table({"open_time": [open_time], "close_time": [close_time]})
    table = make_table("hours", said, said.column_names)
    return Hours(int(seconds(table, "open_time")[0]), int(seconds(table, "close_time")[0]))
