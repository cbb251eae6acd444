"""Columns of a table as numpy arrays, every cell checked: what isn't as it should be is refused by row and column.

Rows are counted from 1, the header not counted. A cell of text may stand for an integer, a time or a flag, so that a
CSV file, whose cells are all text, and a typed Parquet file or data frame are read by the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from liquidity.arrays import Bools, Int64s
from liquidity.day import MAX_DAY_S, second_of
from liquidity.errors import InvalidField, shown

MAX_ROWS = 50_000_000
"""In one table: some 4 GB in memory. More is a mistake."""

MAX_EXACT = 2**53
"""Below, a float tells whole numbers apart."""

TIME_PROBLEM = f"must be a time HH:MM or HH:MM:SS, or whole seconds after midnight up to {MAX_DAY_S}"

_INTEGER = "^-?[0-9]{1,19}$"
_SECONDS = re.compile(r"[0-9]{1,6}", re.ASCII)
_FLAGS = {"": 0, "false": 0, "0": 0, "true": 1, "1": 1}


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Named columns of equal length. ``label`` says what the table is, for errors; ``columns`` are arrow arrays."""

    label: str
    columns: Mapping[str, Any]
    rows: int

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def refuse(self, name: str, row: int, problem: str, got: object) -> NoReturn:
        """Raise :class:`InvalidField` for the cell in ``row`` (from 0) of a column."""
        raise InvalidField(f"{self.label} row {row + 1}, column {name}", problem, shown(got))

    def refuse_column(self, name: str, problem: str, got: str) -> NoReturn:
        """Raise :class:`InvalidField` for a column as a whole."""
        raise InvalidField(f"{self.label} column {name}", problem, got)


def make_table(label: str, table: Any, required: Sequence[str], optional: Sequence[str] = ()) -> Table:
    """The columns that are asked for, of an arrow table; others are ignored.

    Raises
    ------
    InvalidField
        For a column that is missing or stands there twice, or too many rows.
    """
    names = list(table.column_names)
    for name in (*required, *optional):
        if names.count(name) > 1:
            raise InvalidField(f"{label} column {name}", "must stand there once", f"{names.count(name)} of that name")
        if name in required and name not in names:
            raise InvalidField(f"{label} column {name}", "is missing", f"the columns {shown(', '.join(names))}")
    if table.num_rows > MAX_ROWS:
        raise InvalidField(label, f"must have at most {MAX_ROWS} rows", str(table.num_rows))
    wanted = [name for name in (*required, *optional) if name in names]
    return Table(label, {name: _plain(table.column(name)) for name in wanted}, table.num_rows)


def texts(table: Table, name: str) -> Any:
    """A column of names, as an arrow array of strings without gaps; integers are taken as their digits.

    A column that comes with a dictionary of strings keeps it.
    """
    array = table.columns[name]
    if pa.types.is_dictionary(array.type) and not array.null_count and pc.index(array.dictionary, "").as_py() < 0:
        return array
    array = _decoded(array)
    if pa.types.is_integer(array.type) or pa.types.is_null(array.type):
        array = array.cast(pa.string())
    if not pa.types.is_string(array.type):
        table.refuse_column(name, "must be text", str(array.type))
    array = pc.fill_null(array, "")
    empty = pc.index(array, "").as_py()
    if empty >= 0:
        table.refuse(name, empty, "must not be empty", "")
    return array


def integers(table: Table, name: str, problem: str, *, minimum: int | None = None, gap: int | None = None) -> Int64s:
    """A column of 64-bit integers. An empty cell counts as ``gap``, or is refused if there is none.

    A column of floats is refused, unless cells may be empty and all others are whole numbers: that is how pandas
    keeps integers with gaps.
    """
    array = _decoded(table.columns[name])
    if pa.types.is_null(array.type):
        array = array.cast(pa.string())
    if pa.types.is_string(array.type):
        array = _integers_of_text(table, name, array, problem, gap)
    elif not (pa.types.is_integer(array.type) or (gap is not None and pa.types.is_floating(array.type))):
        table.refuse_column(name, f"{problem}, in a column of integers", str(array.type))
    if array.null_count and gap is None:
        table.refuse(name, pc.index(pc.is_null(array), True).as_py(), problem, None)
    try:
        values: Int64s = pc.fill_null(array.cast(pa.int64()), gap or 0).to_numpy()
    except pa.ArrowInvalid:
        for row, value in enumerate(array.to_pylist()):
            if value is not None and not (value == value // 1 and -(2**63) <= value < 2**63):
                table.refuse(name, row, f"{problem} that fits signed 64 bits", value)
        raise
    if pa.types.is_floating(array.type) and (np.abs(values[values != gap]) >= MAX_EXACT).any():
        table.refuse_column(name, f"{problem}, in a column of integers: floats don't tell large ones apart", "floats")
    if minimum is not None:
        small = values < minimum
        if small.any():
            row = int(small.argmax())
            table.refuse(name, row, problem, int(values[row]))
    return values


def seconds(table: Table, name: str, *, gap: int | None = None) -> Int64s:
    """A column of times as seconds after midnight; an empty cell counts as ``gap``, or is refused."""
    array = _decoded(table.columns[name])
    if pa.types.is_string(array.type):
        return _translated(table, name, lambda text: _second_of(text, gap), TIME_PROBLEM)
    values = integers(table, name, TIME_PROBLEM, minimum=0, gap=gap)
    late = (values > MAX_DAY_S) & (values != (MAX_DAY_S if gap is None else gap))
    if late.any():
        row = int(late.argmax())
        table.refuse(name, row, TIME_PROBLEM, int(values[row]))
    return values


def flags(table: Table, name: str) -> Bools:
    """A column of true and false (also 1 and 0); an empty cell is false."""
    array = _decoded(table.columns[name])
    if pa.types.is_boolean(array.type):
        values: Bools = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
        return values
    if not pa.types.is_string(array.type):
        table = Table(table.label, {name: array.cast(pa.string())}, table.rows)
    return _translated(table, name, lambda text: _FLAGS.get(text.lower()), "must be true or false").astype(np.bool_)


def numbered(*arrays: Any) -> tuple[Int64s, list[str]]:
    """Names as numbers, and the names: of several arrays of names one after the other."""
    encoded = pa.chunked_array([_encoded(array) for array in arrays]).unify_dictionaries()
    number = np.concatenate([chunk.indices.to_numpy().astype(np.int64) for chunk in encoded.chunks])
    return number, encoded.chunk(0).dictionary.to_numpy(zero_copy_only=False).tolist()


def runs(array: Any) -> tuple[Int64s, list[str]]:
    """As :func:`numbered`, and much faster, where equal names lie side by side; elsewhere a name comes back twice."""
    array = _decoded(array)
    starts = np.ones(len(array), dtype=np.bool_)
    if len(array):
        starts[1:] = pc.not_equal(array[1:], array[:-1]).to_numpy(zero_copy_only=False)
    return np.cumsum(starts) - 1, array.filter(pa.array(starts)).to_numpy(zero_copy_only=False).tolist()


def _plain(column: Any) -> Any:
    """One array, its strings of one type."""
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks == 1 else pa.concat_arrays(array.chunks)
    if pa.types.is_dictionary(array.type) and not pa.types.is_string(array.type.value_type):
        array = array.dictionary_decode()
    return array.cast(pa.string()) if pa.types.is_large_string(array.type) else array


def _decoded(array: Any) -> Any:
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _encoded(array: Any) -> Any:
    """With a dictionary whose numbers are 32-bit."""
    if not pa.types.is_dictionary(array.type):
        return array.dictionary_encode()
    return pa.DictionaryArray.from_arrays(array.indices.cast(pa.int32()), array.dictionary)


def _integers_of_text(table: Table, name: str, array: Any, problem: str, gap: int | None) -> Any:
    filled = pc.fill_null(array, "")
    empty = pc.equal(filled, "")
    good = pc.match_substring_regex(filled, _INTEGER)
    if gap is not None:
        good = pc.or_(good, empty)
    bad = pc.index(good, False).as_py()
    if bad >= 0:
        table.refuse(name, bad, problem, filled[bad].as_py())
    with_gaps = pc.if_else(empty, pa.scalar(None, pa.string()), filled)
    try:
        return with_gaps.cast(pa.int64())
    except pa.ArrowInvalid:
        for row, text in enumerate(filled.to_pylist()):
            if text and not -(2**63) <= int(text) < 2**63:
                table.refuse(name, row, f"{problem} that fits signed 64 bits", text)
        raise


def _translated(table: Table, name: str, translate: Callable[[str], int | None], problem: str) -> Int64s:
    """Each text translated; there are few distinct ones, so each is translated once."""
    number, distinct = numbered(pc.fill_null(_decoded(table.columns[name]), ""))
    meaning = [translate(text) for text in distinct]
    if None in meaning:
        row = int(np.isin(number, [at for at, value in enumerate(meaning) if value is None]).argmax())
        table.refuse(name, row, problem, distinct[int(number[row])])
    return np.array(meaning, dtype=np.int64)[number] if meaning else np.zeros(0, dtype=np.int64)


def _second_of(text: str, gap: int | None) -> int | None:
    """Seconds after midnight of one cell, ``None`` for what is no time."""
    if not text:
        return gap
    if _SECONDS.fullmatch(text):
        return int(text) if int(text) <= MAX_DAY_S else None
    return second_of(text)
