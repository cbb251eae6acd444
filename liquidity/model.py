"""What waits to be settled: legs, obligations, and the queue they stand in.

An *obligation* is a set of *legs* that discharge together or not at all: one leg is a plain transfer, two make a
PvP, a cross-border payment has two or three. A *queue* is obligations in arrival order. Amounts are integer counts
of minor units; a bank and a currency together are an *account*.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, SupportsIndex, cast

from liquidity.errors import InvalidField, child, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from liquidity.arrays import QueueArrays

Account = tuple[str, str]
"""(bank, currency)."""

Amounts = Mapping[str, Mapping[str, int]]
"""bank → currency → minor units."""

MAX_LEGS = 2**31 - 2
"""Legs in one queue. Leg numbers are 32-bit in the array form: half the memory traffic, which is what binds there."""

NO_PRIORITY = 2**63 - 1
"""In an array of priorities: this one has none, so it stands last."""


def exact_integer(value: object, field_name: str, problem: str, *, minimum: int | None = None) -> int:
    """``value`` as a Python int; numpy integers pass, bool, float and text never.

    Raises
    ------
    InvalidField
        With ``problem`` when it is no integer or less than ``minimum``.
    """
    if type(value) is int:
        number = value
    elif isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InvalidField(field_name, problem, shown(value))
    else:
        try:
            number = operator.index(cast(SupportsIndex, value))
        except TypeError:
            raise InvalidField(field_name, problem, shown(value)) from None
    if minimum is not None and number < minimum:
        raise InvalidField(field_name, problem, shown(value))
    return number


def name(value: object, field_name: str) -> str:
    """``value`` if it can name a bank, a currency or an obligation; else :class:`InvalidField`."""
    if not isinstance(value, str) or not value:
        raise InvalidField(field_name, "must be a non-empty string", shown(value))
    return value


def amounts_table(
    value: object, field_name: str, problem: str = "must be an integer", *, minimum: int | None = None
) -> dict[str, dict[str, int]]:
    """A checked copy of bank → currency → integer; raises :class:`InvalidField` naming the entry."""
    table: dict[str, dict[str, int]] = {}
    for bank, row in entries(value, field_name):
        where = child(field_name, bank)
        table[bank] = {
            currency: exact_integer(amount, child(where, currency), problem, minimum=minimum)
            for currency, amount in entries(row, where)
        }
    return table


def exact_seed(value: object, field_name: str = "seed") -> int:
    """A seed as a Python int; raises :class:`InvalidField` for what is no integer >= 0."""
    return exact_integer(value, field_name, "must be an integer >= 0", minimum=0)


def entries(value: object, field_name: str) -> Iterable[tuple[str, object]]:
    """The items of a mapping with names as keys; raises :class:`InvalidField` for anything else."""
    if not isinstance(value, Mapping):
        raise InvalidField(field_name, "must be an object", shown(value))
    for key in value:
        if not isinstance(key, str) or not key:
            raise InvalidField(field_name, "must have non-empty strings as keys", shown(key))
    return cast(Iterable[tuple[str, object]], value.items())


@dataclass(frozen=True, slots=True)
class Leg:
    """One payment from one account to another bank in the same currency.

    ``amount`` counts minor units, > 0. ``priority`` (lower first), if there is one, stands for the obligation's own
    in this payer's queue. Raises :class:`InvalidField`.
    """

    payer: str
    payee: str
    currency: str
    amount: int
    priority: int | None = None

    def __post_init__(self) -> None:
        name(self.payer, "payer")
        name(self.payee, "payee")
        name(self.currency, "currency")
        if self.payer == self.payee:
            raise InvalidField("payee", "must differ from the payer", shown(self.payee))
        amount = exact_integer(self.amount, "amount", "must be an integer > 0", minimum=1)
        if amount is not self.amount:
            object.__setattr__(self, "amount", amount)
        if self.priority is not None:
            object.__setattr__(self, "priority", exact_integer(self.priority, "priority", "must be an integer"))


@dataclass(frozen=True, slots=True)
class Obligation:
    """Legs that discharge together or not at all.

    ``priority``: lower first, ``None`` last. ``held``: out of every queue, blocking nobody, until released.
    Raises :class:`InvalidField`.
    """

    id: str
    legs: Sequence[Leg]
    priority: int | None = None
    held: bool = False

    def __post_init__(self) -> None:
        name(self.id, "id")
        if not isinstance(self.legs, list | tuple) or not self.legs:
            raise InvalidField("legs", "must be a list of at least one leg", shown(self.legs))
        for number, leg in enumerate(self.legs):
            if not isinstance(leg, Leg):
                raise InvalidField(f"legs[{number}]", "must be a Leg", shown(leg))
        object.__setattr__(self, "legs", tuple(self.legs))
        if self.priority is not None:
            object.__setattr__(self, "priority", exact_integer(self.priority, "priority", "must be an integer"))
        if not isinstance(self.held, bool):
            raise InvalidField("held", "must be true or false", shown(self.held))


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a bank lets flow out, net, over a settled set; minor units ≥ 0, none where nothing is said.

    ``bilateral``: payer → payee → currency → limit. ``multilateral``: payer → currency → limit, to all payees
    together. Raises :class:`InvalidField`.
    """

    bilateral: Mapping[str, Amounts] = field(default_factory=dict)
    multilateral: Amounts = field(default_factory=dict)

    def __post_init__(self) -> None:
        problem = "must be an integer >= 0"
        bilateral = {
            payer: amounts_table(row, child("limits.bilateral", payer), problem, minimum=0)
            for payer, row in entries(self.bilateral, "limits.bilateral")
        }
        multilateral = amounts_table(self.multilateral, "limits.multilateral", problem, minimum=0)
        object.__setattr__(self, "bilateral", bilateral)
        object.__setattr__(self, "multilateral", multilateral)


class Queue:
    """Obligations in arrival order, immutable; ids are unique.

    Built from :class:`Obligation` objects, or with :meth:`from_arrays` from flat numpy arrays when there are many.
    Iterating gives obligations either way. Raises :class:`InvalidField`.

    >>> queue = Queue([Obligation("T1", [Leg("HK1", "TH1", "HKD", 100)])])
    >>> len(queue), queue.leg_count, queue.ids
    (1, 1, ('T1',))
    """

    __slots__ = ("_arrays", "_obligations", "ids", "leg_count")

    ids: Sequence[str]
    leg_count: int

    def __init__(self, obligations: Iterable[Obligation]) -> None:
        listed = tuple(obligations)
        first_at: dict[str, int] = {}
        for number, obligation in enumerate(listed):
            if not isinstance(obligation, Obligation):
                raise InvalidField(f"obligations[{number}]", "must be an Obligation", shown(obligation))
            if first_at.setdefault(obligation.id, number) != number:
                problem = f"must be unique, is also the id of obligations[{first_at[obligation.id]}]"
                raise InvalidField(f"obligations[{number}].id", problem, shown(obligation.id))
        self.ids = tuple(first_at)
        self.leg_count = sum(len(obligation.legs) for obligation in listed)
        if self.leg_count > MAX_LEGS:
            raise InvalidField("obligations", f"must have at most {MAX_LEGS} legs", str(self.leg_count))
        self._obligations: tuple[Obligation, ...] | None = listed
        self._arrays: QueueArrays | None = None

    @classmethod
    def from_arrays(
        cls,
        *,
        banks: Sequence[str],
        currencies: Sequence[str],
        payer: ArrayLike,
        payee: ArrayLike,
        currency: ArrayLike,
        amount: ArrayLike,
        obligation: ArrayLike | None = None,
        priority: ArrayLike | None = None,
        leg_priority: ArrayLike | None = None,
        held: ArrayLike | None = None,
        ids: Sequence[str] | None = None,
    ) -> Queue:
        """A queue from flat integer arrays, one entry per leg; what it is given is copied or only read.

        Parameters
        ----------
        banks, currencies
            Unique names; ``payer``, ``payee`` index ``banks``, ``currency`` indexes ``currencies``.
        amount
            Minor units, > 0, 64-bit.
        obligation
            Which obligation a leg belongs to: 0, 1, 2 … without gaps, never falling. Default: each leg is one.
        priority, held
            Per obligation; :data:`NO_PRIORITY` where there is none.
        leg_priority
            Per leg; :data:`NO_PRIORITY` where the obligation's own holds.
        ids
            Unique names of the obligations; default ``"0"``, ``"1"``, …

        Raises
        ------
        InvalidField
            Naming the argument.
        """
        from liquidity.arrays import queue_arrays

        arrays, named = queue_arrays(
            banks, currencies, payer, payee, currency, amount, obligation, priority, leg_priority, held, ids
        )
        queue = cls.__new__(cls)
        queue.ids = named
        queue.leg_count = len(arrays.amount)
        queue._obligations = None
        queue._arrays = arrays
        return queue

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Obligation]:
        return iter(self.obligations)

    @property
    def obligations(self) -> tuple[Obligation, ...]:
        """The obligations in arrival order."""
        if self._obligations is None:
            from liquidity.arrays import obligations_of

            assert self._arrays is not None
            self._obligations = obligations_of(self._arrays, self.ids)
        return self._obligations

    def arrays(self) -> QueueArrays | None:
        """The queue as flat arrays; ``None`` when an amount doesn't fit 64 bits."""
        if self._arrays is None:
            from liquidity.arrays import arrays_of

            self._arrays = arrays_of(self.obligations)
        return self._arrays
