"""Case files in, answers out: the only module here, with the command line, that touches files.

A case is a JSON object; ``docs/liquidity.md`` describes it. Reading is strict: whatever isn't what it should be is
refused by the path of its field, including what JSON parsers usually let pass (a key twice, ``NaN``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from liquidity.errors import InvalidField, child, shown
from liquidity.model import Leg, Limits, Obligation, Queue, amounts_table, entries
from liquidity.resolution import Resolution

MAX_CASE_BYTES = 2**30
"""Some eight million obligations; more is a mistake, and would fill the memory."""

LARGE_CASE_BYTES = 2**22
"""From here reading straight into arrays is quicker, the import of numpy included."""

MAX_INTEGER_DIGITS = 100
"""Far more than money needs, far less than what makes conversion to text slow or refused."""

MAX_DEPTH = 100
"""Objects and lists within each other. A case needs six; the parser takes some 900, or crashes where a host program
has raised Python's recursion limit."""

_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"\\'))
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)

_RATE = re.compile(r"([0-9]{1,30})(?:/([0-9]{1,30}))?", re.ASCII)


class _Unreadable:
    """Stands where a number or an object stood that isn't one, until its field refuses it by name."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class _Parsed:
    """One parse: it remembers what no well-formed case contains, also where nobody looks."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def fault(self, text: str) -> _Unreadable:
        self.faults.append(text)
        return _Unreadable(text)

    def integer(self, text: str) -> int | _Unreadable:
        if len(text) <= MAX_INTEGER_DIGITS:
            return int(text)
        return self.fault(f"an integer of more than {MAX_INTEGER_DIGITS} digits")

    def constant(self, text: str) -> _Unreadable:
        return self.fault(f"{text}, which is not JSON")

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Unreadable:
        parsed = dict(pairs)
        if len(parsed) == len(pairs):
            return parsed
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                return self.fault(f"an object with the key {shown(key)} twice")
            seen.add(key)
        raise AssertionError("a shorter dict has a repeated key")


@dataclass(frozen=True, slots=True)
class Case:
    """A queue with the terms it is to be resolved on, as :func:`liquidity.resolve` takes them."""

    queue: Queue
    balances: dict[str, dict[str, int]]
    floors: dict[str, dict[str, int]]
    rates: dict[str, Fraction]
    limits: Limits


def read_case(path: Path) -> Case:
    """The case in a file; raises :class:`InvalidField` (field ``case`` for the file as a whole)."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CASE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InvalidField("case", f"cannot read {shown(str(path))}: {reason}") from None
    if len(content) > MAX_CASE_BYTES:
        raise InvalidField("case", f"must have at most {MAX_CASE_BYTES} bytes")
    return parse_case(content)


def parse_case(content: bytes) -> Case:
    """The case in UTF-8 encoded JSON; raises :class:`InvalidField`. Unknown keys are ignored."""
    if len(content) >= LARGE_CASE_BYTES:
        case = _large_case(content)
        if case is not None:
            return case
    return _case(content, None)


def _large_case(content: bytes) -> Case | None:
    """The case read the quick way; ``None`` where only the exact way can tell what is in it."""
    from liquidity.large_cases import STAND_IN, read_large

    read = read_large(content, partial(_nests_deeper, depth=MAX_DEPTH))
    if read is None:
        return None
    around, queue = read
    try:
        return _case(around, (STAND_IN, queue))
    except InvalidField:
        return None


def _case(content: bytes, known: tuple[int, Queue] | None) -> Case:
    """The case in a text; if a queue is ``known``, the text must have that number alone in place of its obligations."""
    parsed = _Parsed()
    case = _json(content, parsed)
    if not isinstance(case, dict):
        raise InvalidField("case", "must be an object", shown(case))
    for key in ("balances", "obligations"):
        if key not in case:
            raise InvalidField(key, "is missing")
    balances = amounts_table(case["balances"], "balances")
    if known is None:
        queue = _queue(case["obligations"])
    else:
        stand_in, queue = known
        if case["obligations"] != [stand_in] or type(case["obligations"][0]) is not int:
            raise InvalidField("obligations", "must be a list", shown(case["obligations"]))
    answer = Case(
        balances=balances,
        queue=queue,
        floors=amounts_table(case.get("floors", {}), "floors"),
        rates={code: _rate(rate, child("rates", code)) for code, rate in entries(case.get("rates", {}), "rates")},
        limits=_limits(case.get("limits", {})),
    )
    if parsed.faults:
        raise InvalidField("case", "must be JSON that reads the same everywhere", parsed.faults[0])
    return answer


def _json(content: bytes, parsed: _Parsed) -> object:
    def refuse(problem: str) -> NoReturn:
        raise InvalidField("case", problem) from None

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(f"must be UTF-8, is not at byte {error.start}")
    if _nests_deeper(content, MAX_DEPTH):
        refuse(f"must be JSON nested at most {MAX_DEPTH} deep")
    try:
        return json.loads(
            text, parse_int=parsed.integer, parse_constant=parsed.constant, object_pairs_hook=parsed.pairs
        )
    except json.JSONDecodeError as error:
        refuse(f"must be JSON: {error.msg} at line {error.lineno}, column {error.colno}")


def _nests_deeper(content: bytes, depth: int) -> bool:
    """Whether objects and lists stand deeper than ``depth`` within each other, at any place before a syntax error."""
    structure = content.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
    if b'"' not in structure and b"\\" not in structure:  # no string holds a bracket, so all can be taken as they are
        for _ in range(depth):
            if not structure:
                return False
            structure = structure.replace(b"[]", b"").replace(b"{}", b"")
    open_now = 0
    for token in _TOKEN.finditer(content):  # slow and exact
        first = token[0][:1]
        if first in b"[{":
            open_now += 1
            if open_now > depth:
                return True
        elif first in b"]}":
            open_now -= 1
    return False


def _queue(value: object) -> Queue:
    if not isinstance(value, list):
        raise InvalidField("obligations", "must be a list", shown(value))
    return Queue([_obligation(item, number) for number, item in enumerate(value)])


def _obligation(value: object, number: int) -> Obligation:
    try:
        fields = _object(value, ("id", "legs"))
        legs = fields["legs"]
        if not isinstance(legs, list) or not legs:
            raise InvalidField("legs", "must be a list of at least one leg", shown(legs))
        return Obligation(
            id=fields["id"],
            legs=[_leg(leg, place) for place, leg in enumerate(legs)],
            priority=fields.get("priority"),
            held=fields.get("held", False),
        )
    except InvalidField as error:
        raise error.within(f"obligations[{number}]") from None


def _leg(value: object, place: int) -> Leg:
    try:
        fields = _object(value, ("payer", "payee", "currency", "amount"))
        return Leg(fields["payer"], fields["payee"], fields["currency"], fields["amount"], fields.get("priority"))
    except InvalidField as error:
        raise error.within(f"legs[{place}]") from None


def _object(value: object, mandatory: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidField("", "must be an object", shown(value))
    for key in mandatory:
        if key not in value:
            raise InvalidField(key, "is missing")
    return value


def _rate(value: object, field: str) -> Fraction:
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if type(value) is int and value > 0:
        return Fraction(value)
    if match and int(match[1]) > 0 and int(match[2] or 1) > 0:
        return Fraction(int(match[1]), int(match[2] or 1))
    raise InvalidField(field, 'must be a ratio of integers > 0, like "10/46"', shown(value))


def _limits(value: object) -> Limits:
    tables = dict(entries(value, "limits"))
    bilateral, multilateral = tables.get("bilateral", {}), tables.get("multilateral", {})
    return Limits(bilateral=bilateral, multilateral=multilateral)  # type: ignore[arg-type]  # Limits checks both


def ratio_text(ratio: Fraction) -> str:
    """``n/d``, an integer without ``/``; exact however long (int refuses to print more than 4,300 digits)."""
    numerator = format(Decimal(ratio.numerator), "f")
    return numerator if ratio.denominator == 1 else f"{numerator}/{format(Decimal(ratio.denominator), 'f')}"


def answer_json(resolution: Resolution, elapsed_s: float) -> str:
    """An answer as one line of JSON, plain ASCII; ``elapsed_s`` is what resolving took."""
    answer = {
        "settled": resolution.settled,
        "closing_balances": resolution.closing_balances,
        "settled_count": resolution.settled_count,
        "settled_value": resolution.settled_value,
        "objective": ratio_text(resolution.objective),
        "upper_bound": ratio_text(resolution.upper_bound),
        "gap": float(resolution.gap),
        "proof": resolution.proof,
        "method": resolution.method,
        "elapsed_s": round(elapsed_s, 6),
    }
    return json.dumps(answer)
