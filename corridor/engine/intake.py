"""Takes in what banks send: the message as a whole or not at all, each transaction accepted or refused by itself.

The client makes the UETR and may send as often as it likes: the same content is answered the same way, other content
under the same UETR is refused. A message that was taken in before, byte for byte, is not even read again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from corridor import typed_data, wire
from corridor.calendars import cutoff_at_s
from corridor.engine import confirm, life
from corridor.engine.desk import Desk, setting
from corridor.engine.life import State
from corridor.errors import CorridorError
from corridor.iso20022 import (
    CreditTransfer,
    Message,
    Refusal,
    TransactionStatus,
    UnreadableMessage,
    message_reject,
    read_message,
)
from corridor.ledger import contracts
from corridor.model import Instruction, Leg, obligation
from corridor.money import AmountError, parse_amount
from corridor.ports import Answer, Submission
from corridor.screening import screen
from corridor.store.database import select_in
from corridor.store.tables import messages, outbox, payments
from corridor.validation import ParticipantStatus, Rules, refusal, settlement_date

_PRIORITY = {"HIGH": 1, "NORM": 2}


class SubmissionRefused(CorridorError):
    """A message that its bank did not sign, or of nobody that is admitted."""

    code = "SUBMISSION_REFUSED"
    exit_code = 3


@dataclass(slots=True)
class _Intake:
    """What one message comes to: rows for the store, events for the journal, and the answer."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[TransactionStatus] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


def submit(desk: Desk, submission: Submission) -> Answer:
    """Take in a message and answer it; see the module. The answer is in the outbox when this returns."""
    _check_signature(desk, submission, hashlib.sha256(submission.raw).digest())
    # What a bank sent is its own: the same bytes from another bank, say by mistake, are another message.
    message_hash = hashlib.sha256(submission.bank.encode() + submission.raw).digest()
    statuses = participant_statuses(desk)
    with desk.database.begin() as connection:
        known = select(messages.c.seq).where(messages.c.content_hash == message_hash.hex())
        seq = connection.execute(known).scalar()
        if seq is None:
            seq = _take_in(connection, desk, submission, message_hash, statuses)
            answer = _answer(connection, seq, seen_before=False)
        else:
            answer = _answer(connection, seq, seen_before=True)
    confirm.deliver(desk)
    return answer


def participant_statuses(desk: Desk) -> dict[str, ParticipantStatus]:
    """Who is admitted on the ledger, and whether suspended."""
    records = contracts.participants(desk.ledger, desk.deployment.registry)
    active = contracts.ParticipantStatus.ACTIVE
    return {
        record.bic: ParticipantStatus.ACTIVE if record.status is active else ParticipantStatus.SUSPENDED
        for record in records
    }


def _check_signature(desk: Desk, submission: Submission, message_hash: bytes) -> None:
    domain = typed_data.domain_separator(desk.deployment.chain_id, desk.deployment.settlement)
    digest = typed_data.submission_digest(domain, submission.bank, message_hash)
    record = contracts.participant(desk.ledger, desk.deployment.registry, submission.bank)
    if typed_data.signer_of(digest, submission.signature) != record.key.lower():
        raise SubmissionRefused(
            f"the message is not signed by {submission.bank}",
            next_step="Send it through the bank's own agent, with the key the bank was admitted with",
        )


def _answer(connection: Connection, seq: int, *, seen_before: bool) -> Answer:
    names = connection.execute(select(outbox.c.name).where(outbox.c.answers == seq).order_by(outbox.c.seq))
    message = connection.execute(select(messages).where(messages.c.seq == seq)).mappings().one()
    return Answer(
        tuple(names.scalars()), message["accepted"], message["refused"], message["refused_whole"], seen_before
    )


def _take_in(
    connection: Connection,
    desk: Desk,
    submission: Submission,
    message_hash: bytes,
    statuses: dict[str, ParticipantStatus],
) -> int:
    now_s = desk.now_s()
    row = {
        "sender": submission.bank,
        "content_hash": message_hash.hex(),
        "message_id": "",
        "definition": "",
        "has_header": False,
        "created_at": "",
        "raw": submission.raw,
        "signature": wire.dump(submission.signature),
        "received_at_s": now_s,
        "accepted": 0,
        "refused": 0,
        "refused_whole": True,
    }
    try:
        message = read_message(submission.raw, operator_bic=desk.config.operator_bic, schemas=desk.schemas)
    except UnreadableMessage as error:
        return _reject(connection, desk, row, error)
    read = {
        "message_id": message.message_id,
        "definition": message.definition,
        "has_header": message.has_header,
        "created_at": message.created_at,
    }
    seq = _store_message(connection, row | read)
    source = connection.execute(select(messages).where(messages.c.seq == seq)).mappings().one()
    fault = message.fault or _wrong_sender(message, submission.bank)
    if fault is not None:
        life.record(connection, now_s, "refused", detail=f"{fault.code} {fault.text}")
        uetrs = [transfer.uetr for transfer in message.transactions if transfer.uetr]
        taken = {row["uetr"] for row in select_in(connection, select(payments.c.uetr), payments.c.uetr, uetrs)}
        confirm.refuse_message(connection, desk, source, fault, [uetr for uetr in uetrs if uetr not in taken])
        return seq
    intake = _judge_all(connection, desk, message, source, statuses)
    if intake.rows:
        connection.execute(payments.insert(), intake.rows)
    refused = sum(status.status == "RJCT" for status in intake.statuses)
    counted = {"accepted": len(intake.statuses) - refused, "refused": refused, "refused_whole": False}
    connection.execute(messages.update().where(messages.c.seq == seq).values(counted))
    _journal(connection, now_s, intake.rows)
    confirm.report(connection, desk, source, intake.statuses, answers=True, ended=intake.ended)
    return seq


def _reject(connection: Connection, desk: Desk, row: dict[str, Any], error: UnreadableMessage) -> int:
    """Answer a message that can't be read; nothing of it is accepted."""
    seq = _store_message(connection, row | {"message_id": error.related_reference})
    life.record(connection, desk.now_s(), "unreadable", detail=str(error))

    def build(stamp: confirm.Stamp) -> bytes:
        return message_reject(error, created_at=stamp.created_at, header=stamp.header)

    confirm.post(connection, desk, row["sender"], "admi.002", build, with_header=False, answers=seq)
    return seq


def _store_message(connection: Connection, row: dict[str, Any]) -> int:
    key = connection.execute(messages.insert().values(row)).inserted_primary_key
    assert key is not None
    return int(key[0])


def _wrong_sender(message: Message, bank: str) -> Refusal | None:
    if message.has_header and message.sender_bic != bank:
        return Refusal("NARR", f"The header says it is from {message.sender_bic}, the signature is of {bank}")
    return None


def _rules(connection: Connection, desk: Desk, statuses: dict[str, ParticipantStatus]) -> Rules:
    """The rules as of now; a day that was closed early is past its cut-off."""
    calendars = {code: currency.calendar for code, currency in desk.config.currencies.items()}
    day, now_s = confirm.business_date(connection), desk.now_s()
    if setting(connection, "day", "closed") == "closed":
        now_s = max([now_s, *(cutoff_at_s(day, calendar) for calendar in calendars.values())])
    return Rules(statuses, calendars, day, desk.config.horizon_days, now_s)


def _judge_all(
    connection: Connection,
    desk: Desk,
    message: Message,
    source: RowMapping,
    statuses: dict[str, ParticipantStatus],
) -> _Intake:
    """Judge each transaction by itself; those that come again are answered as before."""
    rules = _rules(connection, desk, statuses)
    uetrs = [transfer.uetr for transfer in message.transactions if transfer.uetr]
    earlier: dict[str, Any] = {
        row["uetr"]: row for row in select_in(connection, select(payments), payments.c.uetr, uetrs)
    }
    intake = _Intake()
    for transfer in message.transactions:
        is_own = transfer.payer_bic == source["sender"]
        known = earlier.get(transfer.uetr or "")
        if known is not None and is_own:
            intake.statuses.append(_answer_again(transfer, known))
            continue
        found = refusal(transfer, rules, sender_bic=source["sender"]) or screen(transfer, desk.config.blocked)
        intake.statuses.append(_status(transfer, found))
        if transfer.uetr is None or not is_own:
            # Another bank's payment is refused and stands nowhere: its UETR is its payer's to use.
            continue
        row = _row(desk, transfer, source["seq"], rules, found)
        intake.rows.append(row)
        earlier[transfer.uetr] = row
        if found is not None:
            intake.ended.append(transfer.uetr)
    return intake


def _answer_again(transfer: CreditTransfer, known: Any) -> TransactionStatus:
    if known["content_hash"] != transfer.content_hash.hex() or known["payer"] != transfer.payer_bic:
        return _status(transfer, Refusal("AM05", "This UETR was used with other content; make a new one"))
    state = State(known["state"])
    if state in (State.REJECTED, State.EXPIRED):
        return _status(transfer, Refusal(known["reason_code"], known["reason"]))
    answered = {
        State.FINAL: "ACSC",
        State.CANCELLED: "CANC",
        State.SETTLING: "ACSP",
        State.IN_BATCH: "ACSP",
    }.get(state, "ACTC")
    return TransactionStatus(answered, **_references(transfer), text="sent before with the same content")


def _status(transfer: CreditTransfer, found: Refusal | None) -> TransactionStatus:
    if found is not None:
        return TransactionStatus("RJCT", **_references(transfer), code=found.code, text=found.text)
    return TransactionStatus("ACTC", **_references(transfer))


def _references(transfer: CreditTransfer) -> dict[str, Any]:
    return {
        "uetr": transfer.uetr,
        "end_to_end_id": transfer.end_to_end_id,
        "instruction_id": transfer.instruction_id,
        "transaction_id": transfer.transaction_id,
    }


def _row(desk: Desk, transfer: CreditTransfer, message: int, rules: Rules, found: Refusal | None) -> dict[str, Any]:
    day, pvp = settlement_date(transfer, rules), transfer.pvp
    amount_minor = _minor(transfer.currency, transfer.amount_text)
    row: dict[str, Any] = _references(transfer) | {
        "message": message,
        "payer": transfer.payer_bic,
        "payee": transfer.payee_bic,
        "currency": transfer.currency,
        "amount_minor": amount_minor,
        "value_date": day.isoformat(),
        "priority": _PRIORITY[transfer.priority],
        "trade_reference": pvp.trade_reference if pvp else None,
        "bought_currency": pvp.bought_currency if pvp else None,
        "bought_minor": _minor(pvp.bought_currency, pvp.bought_amount_text) if pvp else None,
        "content_hash": transfer.content_hash.hex(),
        "content": transfer.content,
        "state": _state(day, rules.business_date, pvp is not None, found),
        "held": False,
        "reason_code": found.code if found else None,
        "reason": found.text if found else None,
        "obligation": None,
    }
    if found is None and pvp is None:
        # A plain payment is an obligation by itself; a trade becomes one when its second side has come.
        token = desk.deployment.tokens[transfer.currency].lower()
        leg = Leg(transfer.payer_bic, transfer.payee_bic, desk.deployment.chain_id, token, amount_minor or 0)
        instruction = Instruction(transfer.payer_bic, transfer.uetr or "", transfer.content_hash)
        row["obligation"] = typed_data.obligation_id(obligation([instruction], [leg])).hex()
    return row


def _state(day: date, business_date: date, is_trade: bool, found: Refusal | None) -> State:
    if found is not None:
        return State.REJECTED
    if day > business_date:
        return State.WAREHOUSED
    return State.UNMATCHED if is_trade else State.QUEUED


def _minor(currency: str, amount_text: str) -> int | None:
    try:
        return parse_amount(currency, amount_text)
    except (AmountError, KeyError):
        return None


def _journal(connection: Connection, now_s: int, rows: list[dict[str, Any]]) -> None:
    """Journal the first steps of each payment: received, then refused, or validated, screened and waiting."""
    uetrs = [row["uetr"] for row in rows]
    accepted = [row["uetr"] for row in rows if row["state"] != State.REJECTED]
    for event, of in (("received", uetrs), ("validated", accepted), ("screened", accepted)):
        if of:
            life.record(connection, now_s, event, uetrs=of)
    by_state: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        by_state.setdefault((row["state"], row["reason"] or ""), []).append(row["uetr"])
    for (state, reason), of in by_state.items():
        life.record(connection, now_s, state, uetrs=of, detail=reason)
