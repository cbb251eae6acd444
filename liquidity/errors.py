"""What may go wrong in normal operation when obligations are resolved.

A :class:`LiquidityError` is expected: it carries typed facts, a stable code and what the caller can do next.
Anything else that is raised is a bug and may crash. The package stands alone, so this is its own root.
"""

from __future__ import annotations

import re
from enum import Enum

MAX_SHOWN_CHARACTERS = 60
"""A refused value is quoted up to here: enough to find it in a file, short enough for one line of a terminal."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,40}")


def shown(value: object) -> str:
    """``value`` as one line of plain ASCII, cut at :data:`MAX_SHOWN_CHARACTERS`."""
    if isinstance(value, bool) or value is None:
        text = {True: "true", False: "false", None: "null"}[value]
    elif isinstance(value, int) and value.bit_length() > MAX_SHOWN_CHARACTERS * 3:
        text = f"an integer of {value.bit_length()} bits"
    elif isinstance(value, dict):
        text = "an object"
    elif isinstance(value, list | tuple):
        text = "a list" if value else "an empty list"
    else:
        text = ascii(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 3] + "..."


def child(path: str, key: object) -> str:
    """The path of ``key`` below ``path``: ``a.b`` if it is plain, ``a['b c']`` for any other, ``a[3]`` for an index."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if isinstance(key, str) and _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{shown(key)}]"


class LiquidityError(Exception):
    """Root of the errors that are expected in normal operation.

    Subclasses set ``code`` (stable, for machines); ``next_step`` tells the caller what to do.
    """

    code = "LIQUIDITY"
    next_step = ""


class InvalidField(LiquidityError):
    """A value that has no place in a queue, a balance, a floor, a limit or a rate.

    ``field`` is its path (``obligations[3].legs[0].amount``), ``problem`` what must hold, ``got`` the value as text
    (empty when there is none to show).
    """

    code = "INVALID_FIELD"
    next_step = "Correct the field and try again."

    def __init__(self, field: str, problem: str, got: str = "") -> None:
        super().__init__(f"{field}: {problem}, got {got}" if got else f"{field}: {problem}")
        self.field = field
        self.problem = problem
        self.got = got

    def within(self, path: str) -> InvalidField:
        """The same error, its field seen from further up."""
        joiner = "" if not self.field or self.field.startswith("[") else "."
        return InvalidField(f"{path}{joiner}{self.field}", self.problem, self.got)


class UnknownOrder(LiquidityError):
    """An ``order`` that :func:`liquidity.resolve` does not offer."""

    code = "UNKNOWN_ORDER"

    def __init__(self, order: object, offered: tuple[str, ...]) -> None:
        self.order = order
        self.offered = offered
        self.next_step = f"Use one of {', '.join(offered)}."
        super().__init__(f"order: must be one of {', '.join(offered)}, got {shown(order)}")


class UnknownObligation(LiquidityError):
    """An obligation id that is not in the queue."""

    code = "UNKNOWN_OBLIGATION"
    next_step = "Ask for an id that is in the queue."

    def __init__(self, obligation_id: str) -> None:
        super().__init__(f"no obligation in the queue has the id {shown(obligation_id)}")
        self.obligation_id = obligation_id


class Rule(Enum):
    """What a settlement must keep, in the order in which :func:`liquidity.check_settlement` looks."""

    KNOWN = "known"
    ONCE = "once"
    NOT_HELD = "not-held"
    IN_ORDER = "in-order"
    FLOOR = "floor"
    MULTILATERAL_LIMIT = "multilateral-limit"
    BILATERAL_LIMIT = "bilateral-limit"
    CLOSING = "closing"


class InvalidSettlement(LiquidityError):
    """A set of obligations that must not settle together.

    ``rule`` is the first rule broken, ``facts`` the names and amounts (minor units) that show it.
    """

    code = "INVALID_SETTLEMENT"
    next_step = "Don't settle this set; resolve the queue again."

    def __init__(self, rule: Rule, message: str, **facts: str | int) -> None:
        super().__init__(f"{rule.value}: {message}")
        self.rule = rule
        self.facts = facts
