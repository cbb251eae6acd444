"""Large case files straight into arrays: the same reading as :mod:`liquidity.io`, where that can be proven cheaply.

The list of obligations is cut into pieces of some megabytes. If ``[A]`` is a list in JSON and ``[B]`` is one, then
``[A,B]`` is the list of both, so whatever pieces parse one by one were cut in the right places. Each piece is parsed by
a quick parser, looked through column by column and forgotten before the next, so memory holds the text and the arrays
but never a million objects. What stands around the list is read with the exact parser.

Quick parsers let pass what a case must not contain. So nothing here refuses anything: where a value isn't plainly
right (or a piece has fewer keys than colons, which is how a repeated key shows) the answer is ``None``, and
the exact reading decides and words the error.
"""

from __future__ import annotations

import gc
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquidity.arrays import Int64s
from liquidity.errors import InvalidField
from liquidity.model import NO_PRIORITY, Queue

PIECE_BYTES = 2**22
"""Parsed at once: some 40,000 obligations, few enough to stay small, enough to make each column's loop quick."""

MAX_CUTS_TRIED = 16
"""Where a piece may end is guessed: at the end of an object. The first guess is wrong if that was a leg, so this is how
many legs an obligation may have where a cut is tried; more only means to parse the rest in one piece."""

STAND_IN = 314159265358979323846264338327950288419716939937510
"""Stands in the place of the list while what surrounds it is read. A number, since a number can be written in one way
only: where these digits occur once, the value with these digits is the one that was put there."""

_LIST = re.compile(rb'"obligations"\s*:\s*\[')
_OBJECT_END = re.compile(rb"\}\s*,")
_NOT_QUOTE_OR_COLON = bytes(set(range(256)) - set(b'":'))
_OBLIGATION_KEYS = (("id", "legs"), ("priority", "held"))
_LEG_KEYS = (("payer", "payee", "currency", "amount"), ("priority",))

Keys = tuple[tuple[str, ...], tuple[str, ...]]
"""Mandatory and optional ones."""

Parser = Callable[[bytes], Any]


class _Unproven(Exception):
    """Something here isn't plainly right; the exact reading must decide."""


def _prove(condition: bool) -> None:
    if not condition:
        raise _Unproven


@dataclass(slots=True)
class _Columns:
    """What has been read so far, one list of arrays per column, one array per piece."""

    ids: list[str] = field(default_factory=list)
    banks: dict[str, int] = field(default_factory=dict)
    currencies: dict[str, int] = field(default_factory=dict)
    pieces: dict[str, list[NDArray[Any]]] = field(default_factory=dict)

    def add(self, column: str, values: NDArray[Any]) -> None:
        self.pieces.setdefault(column, []).append(values)

    def queue(self) -> Queue:
        joined = {column: np.concatenate(pieces) for column, pieces in self.pieces.items()}
        legs_of = joined.pop("legs_of")
        for column in ("priority", "leg_priority"):
            if (joined[column] == NO_PRIORITY).all():
                del joined[column]
        return Queue.from_arrays(
            banks=list(self.banks),
            currencies=list(self.currencies),
            obligation=np.repeat(np.arange(len(legs_of)), legs_of),
            ids=self.ids,
            **joined,
        )


def read_large(content: bytes, nests_too_deep: Callable[[bytes], bool]) -> tuple[bytes, Queue] | None:
    """The queue, and the text of the case with :data:`STAND_IN` where its obligations stood.

    The queue is right if that text is a case whose ``obligations`` is the list of ``STAND_IN`` alone. ``None`` if it
    can't be proven that the exact reading would read the same. ``nests_too_deep`` says of a text whether a parser
    might not stand it.
    """
    found = _LIST.search(content)
    if found is None:
        return None
    columns = _Columns()
    try:
        with _no_garbage():
            rest = _read_pieces(content, found.end(), columns, _quick_parser(nests_too_deep), nests_too_deep)
        digits = str(STAND_IN).encode()
        around = content[: found.end()] + digits + rest
        _prove(around.count(digits) == 1)
        return around, columns.queue()
    except (_Unproven, InvalidField, KeyError, TypeError, ValueError, OverflowError, RecursionError):
        return None


@contextmanager
def _no_garbage() -> Iterator[None]:
    """No search for reference cycles meanwhile: parsing makes none, and looking for them takes most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _quick_parser(nests_too_deep: Callable[[bytes], bool]) -> Parser:
    """orjson if it is there; else the standard library, which takes about twice as long."""
    try:
        import orjson
    except ImportError:

        def parse(text: bytes) -> Any:
            _prove(not nests_too_deep(text))
            return json.loads(text)

        return parse
    return orjson.loads


def _read_pieces(
    content: bytes, at: int, columns: _Columns, parse: Parser, nests_too_deep: Callable[[bytes], bool]
) -> bytes:
    """Read the list whose first element starts at ``at``; what follows its elements, from the bracket on."""
    while (cut := _piece(content, at, parse)) is not None:  # each turn reads at least PIECE_BYTES
        obligations, end = cut
        _add_piece(columns, obligations, content[at:end])
        at = end + 1
    last = b"[" + content[at:]
    _prove(not nests_too_deep(b"{" + last))  # with the brace that is closed behind the list, as the text has it
    text = last.decode()
    obligations, length = json.JSONDecoder().raw_decode(text)
    _add_piece(columns, obligations, text[1 : length - 1].encode())
    return b"]" + text[length:].encode()


def _piece(content: bytes, at: int, parse: Parser) -> tuple[list[Any], int] | None:
    """The elements from ``at`` up to a comma about :data:`PIECE_BYTES` further on, and where that stands."""
    for tried, ending in enumerate(_OBJECT_END.finditer(content, at + PIECE_BYTES)):
        if tried == MAX_CUTS_TRIED:
            break
        comma = ending.end() - 1
        try:
            return parse(b"[" + content[at:comma] + b"]"), comma
        except ValueError:  # cut within an obligation, or behind the list, or it isn't JSON
            continue
    return None


def _add_piece(columns: _Columns, obligations: list[Any], text: bytes) -> None:
    """Look through some obligations, at least one, column by column, and keep their columns."""
    _prove(bool(obligations) and set(map(type, obligations)) == {dict})
    ids = [obligation["id"] for obligation in obligations]
    _prove(set(map(type, ids)) == {str} and all(ids))
    groups = [obligation["legs"] for obligation in obligations]
    _prove(set(map(type, groups)) == {list} and all(groups))
    legs = list(chain.from_iterable(groups))
    _prove(set(map(type, legs)) == {dict})
    amounts = [leg["amount"] for leg in legs]
    _prove(set(map(type, amounts)) == {int})
    held = [obligation.get("held", False) for obligation in obligations]
    _prove(set(map(type, held)) == {bool})
    _prove_unknown(obligations, _OBLIGATION_KEYS)
    _prove_unknown(legs, _LEG_KEYS)
    _prove(_colons(text) == sum(map(len, obligations)) + sum(map(len, legs)))

    columns.ids += ids
    columns.add("legs_of", np.fromiter(map(len, groups), np.int32, len(groups)))
    columns.add("payer", _numbered([leg["payer"] for leg in legs], columns.banks))
    columns.add("payee", _numbered([leg["payee"] for leg in legs], columns.banks))
    columns.add("currency", _numbered([leg["currency"] for leg in legs], columns.currencies))
    columns.add("amount", np.array(amounts, dtype=np.int64))
    columns.add("held", np.array(held, dtype=np.bool_))
    columns.add("priority", _priorities([obligation.get("priority") for obligation in obligations]))
    columns.add("leg_priority", _priorities([leg.get("priority") for leg in legs]))


def _numbered(names: list[Any], numbers: dict[str, int]) -> NDArray[np.int32]:
    """Names as numbers, new ones counted on."""
    for name in dict.fromkeys(names):
        _prove(type(name) is str and bool(name))
        numbers.setdefault(name, len(numbers))
    return np.fromiter(map(numbers.__getitem__, names), np.int32, len(names))


def _priorities(values: list[Any]) -> Int64s:
    missing = values.count(None)
    if missing == len(values):
        return np.full(missing, NO_PRIORITY, dtype=np.int64)
    _prove(set(map(type, values)) <= {int, type(None)})
    numbers = np.array([NO_PRIORITY if value is None else value for value in values], dtype=np.int64)
    _prove(int((numbers == NO_PRIORITY).sum()) == missing)
    return numbers


def _prove_unknown(objects: list[dict[str, Any]], keys: Keys) -> None:
    """Keys that nobody looks at may hold text, truth, null or a number that every parser reads the same."""
    mandatory, optional = keys
    known = {*mandatory, *optional}
    for item in objects:
        if len(item) > len(mandatory) and not item.keys() <= known:
            for value in (value for key, value in item.items() if key not in known):
                if type(value) is int:
                    _prove(abs(value) <= NO_PRIORITY)
                elif type(value) is float:
                    _prove(math.isfinite(value) and abs(value) <= NO_PRIORITY)
                else:
                    _prove(value is None or type(value) in (str, bool))


def _colons(text: bytes) -> int:
    """Colons outside strings, in a text that is JSON: one for each key written, also for a key written twice."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = np.frombuffer(text.translate(None, _NOT_QUOTE_OR_COLON), dtype=np.uint8)
    quotes = (marks == ord('"')).view(np.uint8)
    within = np.bitwise_xor.accumulate(quotes) if len(quotes) else quotes
    return int(np.count_nonzero((quotes | within) == 0))
