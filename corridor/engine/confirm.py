"""What banks get back: every answer is written with the state it tells of, and delivered until it has arrived."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, RowMapping, func, select, update

from corridor import wire
from corridor.engine.desk import Desk, setting
from corridor.errors import CorridorError
from corridor.iso20022 import (
    BusinessHeader,
    Content,
    LegEntry,
    OriginalMessage,
    Refusal,
    TransactionStatus,
    credit_debit_notification,
    forward,
    forward_key,
    short_reference,
    status_report,
)
from corridor.model import Obligation
from corridor.ports import Delivery
from corridor.store.database import select_in
from corridor.store.tables import messages, outbox, payments

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every outgoing message carries: its id, its time, and a header where the bank uses headers."""

    message_id: str
    created_at: str
    header: BusinessHeader | None


def post(
    connection: Connection,
    desk: Desk,
    recipient: str,
    label: str,
    build: Callable[[Stamp], bytes],
    *,
    with_header: bool,
    answers: int | None = None,
    obligations: Iterable[Obligation] | None = None,
    ended: Mapping[str, Iterable[str]] | None = None,
) -> str:
    """Put a message into the outbox, in the caller's database transaction; return its file name."""
    seq = (connection.execute(select(func.max(outbox.c.seq))).scalar() or 0) + 1
    message_id = f"{desk.config.operator_bic[:8]}{seq:012d}"
    created_at = datetime.fromtimestamp(desk.now_s(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    header = BusinessHeader(desk.config.operator_bic, recipient, message_id, created_at) if with_header else None
    name = f"{seq:08d}.{label}.xml"
    row = {
        "seq": seq,
        "recipient": recipient,
        "name": name,
        "body": build(Stamp(message_id, created_at, header)),
        "obligations": None if obligations is None else wire.dump(list(obligations)),
        "ended": json.dumps({state: list(uetrs) for state, uetrs in (ended or {}).items()}),
        "answers": answers,
        "delivered": False,
    }
    connection.execute(outbox.insert().values(row))
    return name


def original(message: RowMapping) -> OriginalMessage:
    """The message that a report answers."""
    return OriginalMessage(message["message_id"], message["definition"], message["created_at"] or None)


def report(
    connection: Connection,
    desk: Desk,
    message: RowMapping,
    statuses: list[TransactionStatus],
    *,
    answers: bool = False,
    ended: Iterable[str] = (),
) -> str:
    """Post one pacs.002 on transactions of one message to the bank that sent it."""
    kinds = {status.status for status in statuses}
    label = "pacs.002." + (kinds.pop() if len(kinds) == 1 else "MIXED")
    return post(
        connection,
        desk,
        message["sender"],
        label,
        lambda stamp: status_report(
            message_id=stamp.message_id,
            created_at=stamp.created_at,
            operator_bic=desk.config.operator_bic,
            receiver_bic=message["sender"],
            original=original(message),
            statuses=statuses,
            header=stamp.header,
        ),
        with_header=message["has_header"],
        answers=message["seq"] if answers else None,
        ended={"cancelled": ended},
    )


def report_each(
    connection: Connection,
    desk: Desk,
    uetrs: Iterable[str],
    status: Callable[[RowMapping], TransactionStatus],
    *,
    ends: bool = False,
) -> None:
    """Post the status of payments, one pacs.002 for each message that they came in."""
    by_message: dict[int, list[TransactionStatus]] = {}
    rows = sorted(select_in(connection, select(payments), payments.c.uetr, uetrs), key=lambda row: row["seq"])
    for row in rows:
        by_message.setdefault(row["message"], []).append(status(row))
    for message in select_in(connection, select(messages), messages.c.seq, by_message):
        statuses = by_message[message["seq"]]
        report(connection, desk, message, statuses, ended=[one.uetr for one in statuses if ends and one.uetr])


def report_status(
    connection: Connection, desk: Desk, uetrs: Iterable[str], status: str, text: str, code: str | None = None
) -> None:
    """Post the same status for payments; RJCT and CANC end them."""
    report_each(
        connection,
        desk,
        uetrs,
        lambda row: TransactionStatus(status, **required(row), code=code, text=text),
        ends=status in ("RJCT", "CANC"),
    )


def report_waiting(connection: Connection, desk: Desk, reasons: Mapping[str, str]) -> None:
    """Post PDNG for payments that wait, each with its reason."""
    if reasons:
        report_each(
            connection,
            desk,
            reasons,
            lambda row: TransactionStatus("PDNG", **required(row), text=reasons[row["uetr"]]),
        )


def required(row: RowMapping) -> dict[str, Any]:
    """The references of a payment that its instruction gave."""
    names = ("uetr", "end_to_end_id", "instruction_id", "transaction_id")
    return {name: row[name] for name in names if row[name] is not None}


def business_date(connection: Connection) -> date:
    """The corridor's business date."""
    return date.fromisoformat(setting(connection, "business_date", "1970-01-01"))


def confirm(
    connection: Connection, desk: Desk, settlement_id: str, obligations: Iterable[Obligation], transaction_hash: str
) -> None:
    """Post what follows from a final settlement: ACSC to each sender, camt.054 to both banks of each leg, and the
    original transactions to the payees' banks."""
    owed = {instruction.uetr: one for one in obligations for instruction in one.instructions}
    rows = sorted(select_in(connection, select(payments), payments.c.uetr, owed), key=lambda row: row["seq"])
    by_seq = {row["message"] for row in rows}
    sources = {row["seq"]: row for row in select_in(connection, select(messages), messages.c.seq, by_seq)}
    settled_on, reference = business_date(connection), short_reference(settlement_id)
    report_each(
        connection,
        desk,
        owed,
        lambda row: TransactionStatus(
            "ACSC",
            **required(row),
            text=f"final on the ledger in transaction {transaction_hash}",
            settled_on=settled_on,
            settlement_reference=reference,
        ),
    )
    for bank in sorted({bic for row in rows for bic in (row["payer"], row["payee"])}):
        entries = [
            _entry(row, bank, settled_on, reference, sources[row["message"]])
            for row in rows
            if bank in (row["payer"], row["payee"])
        ]
        _notify(connection, desk, bank, entries)
    _forward_all(connection, desk, rows, sources, owed)


def _entry(row: RowMapping, bank: str, booked_on: date, reference: str, message: RowMapping) -> LegEntry:
    return LegEntry(
        account_id=f"{bank}-{row['currency']}",
        currency=row["currency"],
        amount_minor=row["amount_minor"],
        is_credit=bank == row["payee"],
        booked_on=booked_on,
        settlement_reference=reference,
        definition=message["definition"],
        counterparty_bic=row["payer"] if bank == row["payee"] else row["payee"],
        end_to_end_id=row["end_to_end_id"],
        uetr=row["uetr"],
        instruction_id=row["instruction_id"],
        transaction_id=row["transaction_id"],
        message_id=message["message_id"],
    )


def _notify(connection: Connection, desk: Desk, bank: str, entries: list[LegEntry]) -> None:
    post(
        connection,
        desk,
        bank,
        "camt.054",
        lambda stamp: credit_debit_notification(
            message_id=stamp.message_id,
            created_at=stamp.created_at,
            operator_bic=desk.config.operator_bic,
            owner_bic=bank,
            entries=entries,
            header=stamp.header,
        ),
        with_header=False,
    )


def _forward_all(
    connection: Connection,
    desk: Desk,
    rows: Iterable[RowMapping],
    sources: Mapping[int, RowMapping],
    owed: Mapping[str, Obligation],
) -> None:
    """Forward transactions to the payees' banks; those that came together and share a group header go together."""
    together: dict[object, list[RowMapping]] = {}
    for row in rows:
        key = forward_key(row["content"], payer_bic=row["payer"], payee_bic=row["payee"])
        together.setdefault((row["message"], key), []).append(row)
    for members in together.values():
        first = members[0]

        def build(stamp: Stamp, members: list[RowMapping] = members) -> bytes:
            return forward(
                [row["content"] for row in members],
                payer_bic=members[0]["payer"],
                payee_bic=members[0]["payee"],
                message_id=stamp.message_id,
                created_at=stamp.created_at,
                header=stamp.header,
            )

        label = Content.parse(first["content"]).definition[:8] + ".forward"
        post(
            connection,
            desk,
            first["payee"],
            label,
            build,
            with_header=sources[first["message"]]["has_header"],
            obligations=dict.fromkeys(owed[row["uetr"]] for row in members),
        )


def deliver(desk: Desk) -> int:
    """Deliver what the outbox holds; return how many messages were delivered now.

    A bank that can't be reached, or refuses a message, gets it again the next time; the others aren't kept waiting.
    """
    # Numbers first: what waits for a bank that was away for days need not be in memory all at once.
    waiting = select(outbox.c.seq).where(outbox.c.delivered.is_(False)).order_by(outbox.c.seq)
    with desk.database.begin() as connection:
        numbers = connection.execute(waiting).scalars().all()
    delivered = 0
    for number in numbers:
        with desk.database.begin() as connection:
            row = connection.execute(select(outbox).where(outbox.c.seq == number)).mappings().one()
        obligations = wire.load_list(Obligation, row["obligations"]) if row["obligations"] else ()
        delivery = Delivery(
            row["name"], row["obligations"] is not None, row["body"], obligations, json.loads(row["ended"])
        )
        try:
            desk.agents[row["recipient"]].deliver(delivery)
        except CorridorError as error:
            log.error("not delivered", message=row["name"], bank=row["recipient"], reason=str(error))
            continue
        with desk.database.begin() as connection:
            connection.execute(update(outbox).where(outbox.c.seq == row["seq"]).values(delivered=True))
        delivered += 1
    return delivered


def refuse_message(
    connection: Connection, desk: Desk, message: RowMapping, fault: Refusal, uetrs: Iterable[str]
) -> None:
    """Post the pacs.002 that refuses a message as a whole; none of its ``uetrs`` was taken in."""
    post(
        connection,
        desk,
        message["sender"],
        "pacs.002.RJCT",
        lambda stamp: status_report(
            message_id=stamp.message_id,
            created_at=stamp.created_at,
            operator_bic=desk.config.operator_bic,
            receiver_bic=message["sender"],
            original=original(message),
            group_refusal=fault,
            header=stamp.header,
        ),
        with_header=message["has_header"],
        answers=message["seq"],
        ended={"refused": uetrs},
    )
