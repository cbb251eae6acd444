"""A payment's life, and the only function that moves a payment through it.

    received → validated → screened → queued → in batch → settling → final
                  ↘ rejected      warehoused, unmatched ↗   ↘ (back to queued when a settlement fails)
                                   queued … → cancelled | expired

Each step stands in the journal in the same database transaction as the state it changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import structlog
from sqlalchemy import Connection, update

from corridor.store.database import chunks, select_in
from corridor.store.tables import journal, payments

log = structlog.get_logger()


class State(StrEnum):
    """Where a payment stands."""

    WAREHOUSED = "warehoused"
    UNMATCHED = "unmatched"
    QUEUED = "queued"
    IN_BATCH = "in batch"
    SETTLING = "settling"
    FINAL = "final"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


WAITING = frozenset({State.WAREHOUSED, State.UNMATCHED, State.QUEUED})

_FROM: dict[State, frozenset[State]] = {
    State.UNMATCHED: frozenset({State.WAREHOUSED, State.QUEUED}),
    State.QUEUED: frozenset({State.WAREHOUSED, State.UNMATCHED, State.IN_BATCH, State.SETTLING}),
    State.IN_BATCH: frozenset({State.QUEUED}),
    State.SETTLING: frozenset({State.IN_BATCH}),
    State.FINAL: frozenset({State.SETTLING}),
    State.CANCELLED: WAITING,
    State.EXPIRED: WAITING,
}


def record(
    connection: Connection,
    now_s: int,
    event: str,
    *,
    uetrs: Iterable[str] = (),
    settlement: str | None = None,
    detail: str = "",
) -> None:
    """Write an event into the journal: one row per payment, or one for the settlement where none is named."""
    row = {"at_s": now_s, "event": event, "settlement": settlement, "detail": detail}
    rows = [row | {"uetr": uetr} for uetr in uetrs] or [row | {"uetr": None}]
    connection.execute(journal.insert(), rows)
    for one in rows:
        log.debug(event, uetr=one["uetr"], settlement=settlement)


def move(
    connection: Connection,
    now_s: int,
    uetrs: Iterable[str],
    state: State,
    *,
    settlement: str | None = None,
    reason_code: str | None = None,
    reason: str | None = None,
) -> None:
    """Move payments to ``state`` and journal it. A move that life does not allow is a bug, and crashes.

    The reason for which a payment waits was told to its bank. It stands while a batch is tried that may come to
    nothing, so that it isn't told again.
    """
    listed = list(uetrs)
    before = set()
    for row in select_in(connection, payments.select(), payments.c.uetr, listed):
        if State(row["state"]) not in _FROM[state]:
            raise AssertionError(f"payment {row['uetr']} is {row['state']} and can't become {state}")
        before.add(State(row["state"]))
    record(connection, now_s, state, uetrs=listed, settlement=settlement, detail=reason or "")
    values: dict[str, object] = {"state": state}
    if state is not State.IN_BATCH and (state, before) != (State.QUEUED, {State.IN_BATCH}):
        values |= {"reason_code": reason_code, "reason": reason}
    for chunk in chunks(listed):
        connection.execute(update(payments).where(payments.c.uetr.in_(chunk)).values(values))
