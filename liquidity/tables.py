"""Days as tables: CSV and Parquet files, pandas frames, case files.

A day is one table of legs, and if wanted one of balances. Rows with the same ``id`` are the legs of one obligation::

    id,time,payer,payee,currency,amount
    T1,09:00,HK1,TH1,HKD,10000
    T2,09:05:30,TH1,HK1,HKD,2500
    T2,09:05:30,HK1,TH1,THB,11500

    bank,currency,balance,floor
    HK1,HKD,5000,-10000

Amounts and balances are integers, in minor units. ``docs/liquidity.md`` describes all columns. A malformed file is
refused with one :class:`liquidity.InvalidField` that names the first wrong row and its column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from liquidity.arrays import Int64s
from liquidity.cells import Table, flags, integers, make_table, numbered, runs, seconds, texts
from liquidity.day import NO_CUT_OFF, Day, Hours, Outage
from liquidity.errors import InvalidField, shown
from liquidity.io import Case, ratio_text
from liquidity.model import NO_PRIORITY, Amounts, Limits, Queue, amounts_table

if TYPE_CHECKING:
    from pandas import DataFrame

    from liquidity.simulation import SimulationResult

LEG_COLUMNS = ("id", "time", "payer", "payee", "currency", "amount")
LEG_OPTIONS = ("priority", "leg_priority", "held", "latest")
BALANCE_COLUMNS = ("bank", "currency", "balance")
BALANCE_OPTIONS = ("floor",)

NAMES = ("payer", "payee", "currency", "bank")
"""Columns with few distinct values, which Parquet keeps once each."""

PARQUET_SUFFIXES = (".parquet", ".pq")
"""Files that end so are Parquet, all others CSV."""

_CSV = "a CSV file in UTF-8 with commas between its columns"

_AMOUNT = "must be an integer > 0 (minor units)"
_INTEGER = "must be an integer"


def read_day(
    path: str | Path,
    balances: str | Path | None = None,
    *,
    hours: Mapping[str, Hours] | None = None,
    rates: Mapping[str, Fraction | int] | None = None,
    limits: Limits | None = None,
    outages: Sequence[Outage] = (),
) -> Day:
    """A day from a CSV or Parquet file of legs, and one of balances; the rest is as for :class:`Day`.

    Obligations are sorted by time; those of the same second keep the order of the file.

    Raises
    ------
    InvalidField
        For a file that cannot be read, a column that is missing, a cell that isn't what it should be.
    """
    legs = _read(path, "day", (*LEG_COLUMNS, *LEG_OPTIONS))
    money = None if balances is None else _read(balances, "balances", (*BALANCE_COLUMNS, *BALANCE_OPTIONS))
    return _day(legs, money, hours, rates, limits, outages)


def day_of_frames(
    legs: DataFrame,
    balances: DataFrame | None = None,
    *,
    hours: Mapping[str, Hours] | None = None,
    rates: Mapping[str, Fraction | int] | None = None,
    limits: Limits | None = None,
    outages: Sequence[Outage] = (),
) -> Day:
    """The same from pandas frames with the same columns."""
    money = None if balances is None else arrow_of_frame(balances, "balances")
    return _day(arrow_of_frame(legs, "day"), money, hours, rates, limits, outages)


def write_day(day: Day, path: str | Path, balances: str | Path | None = None) -> None:
    """Write a day's legs, and its balances and floors, as CSV or Parquet; hours, rates, limits and outages are not.

    Raises
    ------
    InvalidField
        For a number that doesn't fit 64 bits, or a file that cannot be written.
    """
    _write(legs_table(day, clock=not _is_parquet(path)), path, "day")
    if balances is not None:
        _write(balances_table(day.balances, day.floors), balances, "balances")


def frames_of_day(day: Day) -> tuple[DataFrame, DataFrame]:
    """A day's legs and balances as pandas frames, with the columns that files have."""
    return frame_of_arrow(legs_table(day)), frame_of_arrow(balances_table(day.balances, day.floors))


def day_of_case(case: Case, *, arrival_s: int = 0) -> Day:
    """A case file's queue as a day on which everything arrives at once, in the order of the list."""
    return Day(
        queue=case.queue,
        arrival_s=np.full(len(case.queue), arrival_s, dtype=np.int64),
        balances=case.balances,
        floors=case.floors,
        limits=case.limits,
        rates=dict(case.rates),
    )


def case_of_day(day: Day) -> str:
    """A day's queue and terms as the JSON of a case file; arrival times, hours, cut-offs and outages have no place."""
    obligations: list[dict[str, object]] = []
    for obligation in day.queue:
        legs: list[dict[str, object]] = []
        for leg in obligation.legs:
            said: dict[str, object] = {"payer": leg.payer, "payee": leg.payee, "currency": leg.currency}
            said["amount"] = leg.amount
            if leg.priority is not None:
                said["priority"] = leg.priority
            legs.append(said)
        entry: dict[str, object] = {"id": obligation.id, "legs": legs}
        if obligation.priority is not None:
            entry["priority"] = obligation.priority
        if obligation.held:
            entry["held"] = True
        obligations.append(entry)
    case = {
        "balances": day.balances,
        "floors": day.floors,
        "rates": {currency: ratio_text(Fraction(rate)) for currency, rate in day.rates.items()},
        "limits": {"bilateral": day.limits.bilateral, "multilateral": day.limits.multilateral},
        "obligations": obligations,
    }
    return json.dumps(case)


def arrow_of_frame(frame: Any, label: str) -> Any:
    """A pandas frame, or a mapping of lists, as an arrow table; raises :class:`InvalidField`."""
    try:
        if isinstance(frame, Mapping):
            return pa.table({str(name): pa.array(list(column)) for name, column in frame.items()})
        return pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise InvalidField(label, "must be a table whose columns have one type each", shown(str(error))) from None


def frame_of_arrow(table: Any) -> DataFrame:
    """An arrow table as a pandas frame; integers with gaps stay integers (pandas alone would make them floats)."""
    import pandas as pd

    gaps = {pa.int64()} if any(column.null_count for column in table.columns) else set()
    frame: DataFrame = table.to_pandas(types_mapper=lambda kind: pd.Int64Dtype() if kind in gaps else None)
    return frame


def _is_parquet(path: str | Path) -> bool:
    return Path(path).suffix.lower() in PARQUET_SUFFIXES


def _read(path: str | Path, label: str, columns: Sequence[str]) -> Any:
    try:
        if _is_parquet(path):
            kinds = [(field.name, pa.types.is_string(field.type)) for field in pyarrow.parquet.read_schema(path)]
            names = [name for name, is_text in kinds if is_text and name in NAMES]
            file = pyarrow.parquet.ParquetFile(path, read_dictionary=names, memory_map=True)
            return file.read([name for name in columns if name in dict(kinds)])
        as_text = pyarrow.csv.ConvertOptions(column_types={name: pa.string() for name in columns})
        table = pyarrow.csv.read_csv(str(path), convert_options=as_text)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        kind = "" if isinstance(error, OSError) else f" as {'Parquet' if _is_parquet(path) else _CSV}"
        raise InvalidField(label, f"cannot read {shown(str(path))}{kind}: {shown(reason)}") from None
    if table.num_columns == 1:
        raise InvalidField(label, f"must be {_CSV}", f"one column {shown(table.column_names[0])}")
    trimmed = [
        pc.utf8_trim_whitespace(column) if pa.types.is_string(column.type) else column for column in table.columns
    ]
    return pa.table(trimmed, names=table.column_names)


def _write(table: Any, path: str | Path, label: str) -> None:
    try:
        if _is_parquet(path):
            pyarrow.parquet.write_table(table, str(path))
        else:
            _check_survives_csv(table, label)
            pyarrow.csv.write_csv(table, str(path), pyarrow.csv.WriteOptions(quoting_style="needed"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidField(label, f"cannot write {shown(str(path))}: {shown(str(error))}") from None


def _check_survives_csv(table: Any, label: str) -> None:
    """Refuse names that would be read back as others."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_string(column.type):
            broken = pc.match_substring_regex(column, "[\r\n]")
            lost = pc.or_(broken, pc.not_equal(pc.utf8_trim_whitespace(column), column))
            row = pc.index(lost, True).as_py()
            if row >= 0:
                problem = "must have no line break, and no blank at either end, to be written as CSV"
                raise InvalidField(f"{label} row {row + 1}, column {name}", problem, shown(column[row].as_py()))


def _day(
    legs: Any,
    balances: Any,
    hours: Mapping[str, Hours] | None,
    rates: Mapping[str, Fraction | int] | None,
    limits: Limits | None,
    outages: Sequence[Outage],
) -> Day:
    table = make_table("day", legs, LEG_COLUMNS, LEG_OPTIONS)
    whose, ids = runs(texts(table, "id"))
    try:
        queue, arrival_s, latest_s = _queue(table, whose, ids)
    except InvalidField as error:
        if error.field != "ids":
            raise
        queue, arrival_s, latest_s = _queue(table, *numbered(texts(table, "id")))  # an obligation's legs lie apart
    money: tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]] = ({}, {})
    if balances is not None:
        money = _balances(make_table("balances", balances, BALANCE_COLUMNS, BALANCE_OPTIONS))
    return Day(
        queue=queue,
        arrival_s=arrival_s,
        balances=money[0],
        floors=money[1],
        hours=dict(hours or {}),
        outages=tuple(outages),
        limits=limits or Limits(),
        rates=dict(rates or {}),
        latest_s=latest_s,
    )


def _queue(table: Table, whose: Int64s, ids: list[str]) -> tuple[Queue, Int64s, Int64s | None]:
    """The obligations sorted by time, their times and cut-offs; ``whose`` is each row, by its place in ``ids``."""
    first = np.empty(len(ids), dtype=np.int64)
    first[whose[::-1]] = np.arange(table.rows)[::-1]  # the last to be written counts: the first row of each

    def per_obligation(name: str, values: Int64s) -> Int64s:
        own: Int64s = values[first]
        differs = values != own[whose]
        if differs.any():
            row = int(differs.argmax())
            problem = f"must be as in row {int(first[whose[row]]) + 1}, of the same obligation {shown(ids[whose[row]])}"
            raise InvalidField(f"{table.label} row {row + 1}, column {name}", problem)
        return own

    arrival_s = per_obligation("time", seconds(table, "time"))
    place: Int64s | slice = slice(None)
    rows: Int64s | slice = slice(None)
    by_time = whose
    if np.any(np.diff(arrival_s) < 0) or np.any(np.diff(whose) < 0):
        place = np.argsort(arrival_s, kind="stable")
        rank = np.empty_like(place)
        rank[place] = np.arange(len(place))
        by_time = rank[whose]
        rows = np.argsort(by_time, kind="stable")
        ids = [ids[number] for number in place.tolist()]
    options: dict[str, Any] = {}
    if "priority" in table:
        own = per_obligation("priority", integers(table, "priority", _INTEGER, gap=NO_PRIORITY))
        options["priority"] = own[place] if (own != NO_PRIORITY).any() else None
    if "leg_priority" in table:
        leg_priority = integers(table, "leg_priority", _INTEGER, gap=NO_PRIORITY)
        options["leg_priority"] = leg_priority[rows] if (leg_priority != NO_PRIORITY).any() else None
    if "held" in table:
        options["held"] = per_obligation("held", flags(table, "held").astype(np.int64)).astype(np.bool_)[place]
    latest_s = None
    if "latest" in table:
        latest = per_obligation("latest", seconds(table, "latest", gap=NO_CUT_OFF))[place]
        latest_s = latest if (latest != NO_CUT_OFF).any() else None

    payer, payee = texts(table, "payer"), texts(table, "payee")
    bank, banks = numbered(payer, payee)
    same = np.flatnonzero(bank[: table.rows] == bank[table.rows :])
    if len(same):
        table.refuse("payee", int(same[0]), "must differ from the payer", banks[int(bank[same[0]])])
    currency, currencies = numbered(texts(table, "currency"))
    queue = Queue.from_arrays(
        banks=banks,
        currencies=currencies,
        payer=bank[: table.rows][rows],
        payee=bank[table.rows :][rows],
        currency=currency[rows],
        amount=integers(table, "amount", _AMOUNT, minimum=1)[rows],
        obligation=by_time[rows],
        ids=ids,
        **options,
    )
    return queue, arrival_s[place], latest_s


def _balances(table: Table) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Balances and floors; an empty floor is none."""
    amounts = integers(table, "balance", "must be an integer (minor units)").tolist()
    given = table.columns["floor"] if "floor" in table else pa.nulls(table.rows)
    lowest = integers(Table(table.label, {"floor": given}, table.rows), "floor", _INTEGER, gap=0).tolist()
    balances: dict[str, dict[str, int]] = {}
    floors: dict[str, dict[str, int]] = {}
    names = zip(texts(table, "bank").to_pylist(), texts(table, "currency").to_pylist(), strict=True)
    for row, (bank, currency) in enumerate(names):
        if currency in balances.setdefault(bank, {}):
            table.refuse("currency", row, f"must stand once for the bank {shown(bank)}", currency)
        balances[bank][currency] = amounts[row]
        if lowest[row]:
            floors.setdefault(bank, {})[currency] = lowest[row]
    return balances, floors


def legs_table(day: Day, *, clock: bool = True) -> Any:
    """A day's legs as an arrow table; optional columns only where somebody has a value in them.

    Times are texts HH:MM:SS, or without ``clock`` seconds after midnight.
    """
    arrays = day.queue.arrays()
    if arrays is None:
        raise InvalidField("amount", "must fit signed 64 bits to be written")
    whose = arrays.leg_obligation

    times = _clock if clock else pa.array

    def named(names: Sequence[str], index: Any) -> Any:
        return pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), pa.array(names, pa.string())).cast(
            pa.string()
        )

    columns: dict[str, Any] = {
        "id": pa.array(day.queue.ids, pa.string()).take(pa.array(whose)),
        "time": times(day.arrival_s[whose]),
        "payer": named(arrays.banks, arrays.payer),
        "payee": named(arrays.banks, arrays.payee),
        "currency": named(arrays.currencies, arrays.currency),
        "amount": pa.array(arrays.amount),
    }
    if arrays.priority is not None or arrays.leg_priority is not None:  # as given; the arrays may hold ranks
        obligations = day.queue.obligations
        columns["priority"] = _counts([one.priority for one in obligations for _ in one.legs], "priority")
        columns["leg_priority"] = _counts([leg.priority for one in obligations for leg in one.legs], "leg_priority")
    if arrays.held.any():
        columns["held"] = pa.array(arrays.held[whose])
    if day.latest_s is not None:
        latest = day.latest_s[whose]
        shown_s = times(np.where(latest == NO_CUT_OFF, 0, latest))
        columns["latest"] = pc.if_else(pa.array(latest == NO_CUT_OFF), pa.scalar(None, shown_s.type), shown_s)
    empty = [name for name, column in columns.items() if len(column) and column.null_count == len(column)]
    return pa.table({name: column for name, column in columns.items() if name not in empty})


def balances_table(balances: Amounts, floors: Amounts) -> Any:
    """Balances and floors as an arrow table, one row per account that has either."""
    opening, lowest = amounts_table(balances, "balances"), amounts_table(floors, "floors")
    accounts = dict.fromkeys((bank, code) for table in (opening, lowest) for bank, row in table.items() for code in row)
    columns: dict[str, Any] = {
        "bank": pa.array([bank for bank, _ in accounts], pa.string()),
        "currency": pa.array([code for _, code in accounts], pa.string()),
        "balance": _counts([opening.get(bank, {}).get(code, 0) for bank, code in accounts], "balance"),
    }
    if lowest:
        columns["floor"] = _counts([lowest.get(bank, {}).get(code, 0) for bank, code in accounts], "floor")
    return pa.table(columns)


def write_result(result: SimulationResult, path: str | Path) -> None:
    """Write when each obligation arrived, entered and settled, and in which batch, as CSV or Parquet.

    Columns ``id, time, entered, settled, batch``; empty where nothing happened. Raises :class:`InvalidField` for a
    file that cannot be written.
    """

    def happened(second: Int64s) -> Any:
        return pc.if_else(pa.array(second < 0), pa.scalar(None, pa.string()), _clock(np.maximum(second, 0)))

    columns = {
        "id": pa.array(result.day.queue.ids, pa.string()),
        "time": _clock(result.day.arrival_s),
        "entered": happened(result.entered_at_s),
        "settled": happened(result.settled_at_s),
        "batch": pa.array(result.batch, mask=result.batch < 0),
    }
    _write(pa.table(columns), path, "result")


def _counts(values: Sequence[int | None], name: str) -> Any:
    try:
        return pa.array(values, pa.int64())
    except (OverflowError, pa.ArrowInvalid):
        raise InvalidField(name, "must fit signed 64 bits to be written") from None


def _clock(values: Int64s) -> Any:
    """Seconds after midnight as texts HH:MM:SS."""
    distinct, index = np.unique(values, return_inverse=True)
    names = [f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}" for second in distinct.tolist()]
    return pa.array(names, pa.string()).take(pa.array(index))
