"""Under what rules a day settles: one by one, in runs, or both; and which banks hold their payments back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from liquidity.day import MAX_DAY_S
from liquidity.errors import InvalidField, LiquidityError, child, shown
from liquidity.model import exact_integer, name

QUEUE_ORDERS = ("fifo", "priority")
"""How an account's queue may stand."""

Resolver = Callable[..., Any]
"""What :func:`liquidity.resolve` takes as ``order`` besides a name: an algorithm of the analyst's own."""

PERCENT = 100

WORK_LIMIT = 4
"""Solver calls that a searching run takes unless told otherwise: a day has dozens of runs, and the next one can mend
what this one missed."""


class NoSuchPolicy(LiquidityError):
    """Rules that contradict one another; ``problem`` says which."""

    code = "NO_SUCH_POLICY"
    next_step = "Use a named constructor: Policy.rtgs, Policy.queue, Policy.gridlock or Policy.net."

    def __init__(self, problem: str) -> None:
        super().__init__(f"policy: {problem}")
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Delay:
    """A bank that waits for others' money before it pays: a strategy, not a rule of the system.

    It holds back its payments, in each currency by itself, until it has received ``received_percent`` of what it has
    to pay in that currency on the whole day, or until ``until_s``, whichever comes first (with
    ``received_percent=None`` only the clock counts). ``share_percent`` of its payments take part, drawn with the
    simulation's seed; the rest it submits when they arrive. ``bank=None`` stands for every bank that has no rule of
    its own. An obligation with several payers enters when the last of them submits it. Raises
    :class:`InvalidField`.

    References
    ----------
    M. L. Bech, R. Garratt, "The intraday liquidity management game", Journal of Economic Theory 109 (2003).
    """

    bank: str | None
    until_s: int
    received_percent: int | None = None
    share_percent: int = PERCENT

    def __post_init__(self) -> None:
        if self.bank is not None:
            name(self.bank, "bank")
        _positive(self.until_s, "until_s", MAX_DAY_S, minimum=0)
        if self.received_percent is not None:
            _positive(self.received_percent, "received_percent", 100 * PERCENT, minimum=0)
        _positive(self.share_percent, "share_percent", PERCENT, minimum=0)


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a day. Frozen: combine them with :func:`dataclasses.replace`.

    Attributes
    ----------
    gross
        Obligations settle one by one: on entry if no other waits before it at any of its payers and each can pay,
        and later from the heads of the queues whenever money comes in.
    queued
        What can't settle at once waits; else it is rejected and returned.
    order
        How each account's queue stands: ``"fifo"``, by entry, or ``"priority"``, by priority and then entry.
    resolver
        How a run chooses what settles: ``None`` takes the unique maximum in the queues' own order (exact);
        ``"bypass"`` or a callable search in free order, see :func:`liquidity.resolve`. Each run resolves everything
        that is queued and settles it as one batch.
    every_s
        A run at every full interval from the first opening to the last closing.
    every_arrivals
        A run as soon as so many obligations have entered since the last one.
    every_value
        A run as soon as the obligations that joined the queue since the last one are worth so much (all legs, minor
        units of the reporting currency).
    at_s
        Runs at these seconds, after whatever enters then.
    delays
        Banks that hold back.
    work_limit, time_limit_s
        For each run of a searching resolver, as in :func:`liquidity.resolve`. With a limit in seconds the same seed
        no longer means the same answer.

    Raises
    ------
    InvalidField, NoSuchPolicy
    """

    gross: bool = True
    queued: bool = True
    order: str = "fifo"
    resolver: str | Resolver | None = None
    every_s: int | None = None
    every_arrivals: int | None = None
    every_value: int | None = None
    at_s: tuple[int, ...] = ()
    delays: tuple[Delay, ...] = ()
    work_limit: int | None = WORK_LIMIT
    time_limit_s: float | None = None

    def __post_init__(self) -> None:
        if self.order not in QUEUE_ORDERS:
            raise InvalidField("order", f"must be one of {', '.join(QUEUE_ORDERS)}", shown(self.order))
        if not (self.resolver is None or self.resolver == "bypass" or callable(self.resolver)):
            raise InvalidField("resolver", "must be None, 'bypass' or a function", shown(self.resolver))
        for field_name in ("every_s", "every_arrivals", "every_value"):
            value = getattr(self, field_name)
            if value is not None:
                _positive(value, field_name, MAX_DAY_S if field_name == "every_s" else None)
        seconds = sorted({_positive(t, child("at_s", at), MAX_DAY_S, minimum=0) for at, t in enumerate(self.at_s)})
        object.__setattr__(self, "at_s", tuple(seconds))
        object.__setattr__(self, "delays", tuple(self.delays))
        who = [delay.bank for delay in self.delays if isinstance(delay, Delay)]
        if len(who) != len(self.delays) or len(set(who)) != len(who):
            raise InvalidField("delays", "must be Delay objects, at most one for each bank")
        if not self.queued and (self.runs or not self.gross):
            raise NoSuchPolicy("without a queue there is nothing that a run could settle")
        if not self.gross and not self.runs:
            raise NoSuchPolicy("if obligations don't settle one by one, runs must be scheduled")

    @property
    def runs(self) -> bool:
        """Whether there are runs at all."""
        return bool(self.at_s) or any((self.every_s, self.every_arrivals, self.every_value))

    @property
    def name(self) -> str:
        """What tables and plots call it."""
        if not self.queued:
            words = ["rtgs"]
        else:
            words = [("gross, " if self.runs else "") + f"{self.order} queue"] if self.gross else ["net"]
        if self.resolver is not None:
            words.append(self.resolver if isinstance(self.resolver, str) else _called(self.resolver))
        words += [f"every {self.every_s} s"] if self.every_s else []
        words += [f"every {self.every_arrivals} arrivals"] if self.every_arrivals else []
        words += [f"every {self.every_value} queued"] if self.every_value else []
        words += [f"at {' '.join(map(str, self.at_s))} s"] if len(self.at_s) in (1, 2, 3) else []
        words += [f"at {len(self.at_s)} times"] if len(self.at_s) > 3 else []
        words += ["some wait"] if self.delays else []
        return ", ".join(words)

    @classmethod
    def rtgs(cls) -> Policy:
        """Plain real-time gross settlement: what can't be paid on entry is returned; nothing waits."""
        return cls(queued=False)

    @classmethod
    def queue(cls, order: str = "fifo") -> Policy:
        """Gross settlement with a queue at each account, released from its head as money comes in."""
        return cls(order=order)

    @classmethod
    def gridlock(
        cls,
        order: str | Resolver = "fifo",
        *,
        every_s: int | None = None,
        every_arrivals: int | None = None,
        every_value: int | None = None,
    ) -> Policy:
        """Gross settlement with queues, and gridlock resolution when due; ``order`` as in :func:`resolve`.

        With ``"bypass"`` or a function the queues stand by entry and the runs may settle past what waits.
        """
        stands, resolver = _split(order)
        return cls(
            order=stands,
            resolver=resolver,
            every_s=every_s,
            every_arrivals=every_arrivals,
            every_value=every_value,
        )

    @classmethod
    def net(cls, *at_s: int, order: str | Resolver = "fifo") -> Policy:
        """Deferred net settlement: everything waits for the runs at ``at_s``; what isn't covered waits on."""
        stands, resolver = _split(order)
        return cls(gross=False, order=stands, resolver=resolver, at_s=at_s)

    def waiting(self, *delays: Delay) -> Policy:
        """The same rules among banks that hold back."""
        return replace(self, delays=(*self.delays, *delays))


def _split(order: str | Resolver) -> tuple[str, str | Resolver | None]:
    if isinstance(order, str) and order != "bypass":
        return order, None
    return "fifo", order


def _called(resolver: Resolver) -> str:
    return str(getattr(resolver, "__name__", type(resolver).__name__))


def _positive(value: object, field_name: str, maximum: int | None, *, minimum: int = 1) -> int:
    problem = f"must be an integer >= {minimum}" + ("" if maximum is None else f" and <= {maximum}")
    number = exact_integer(value, field_name, problem, minimum=minimum)
    if maximum is not None and number > maximum:
        raise InvalidField(field_name, problem, shown(value))
    return number
