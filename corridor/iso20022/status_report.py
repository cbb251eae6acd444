"""pacs.002: what became of the transactions of one message, or why the message was refused as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from corridor.iso20022.codes import STATUS_CODES, Refusal
from corridor.iso20022.definitions import STATUS_REPORT, bic11
from corridor.iso20022.writing import BusinessHeader, agent, document, group, pieces, value

# Max105Text. Four lines hold any sentence of ours; the standard sets no bound.
_LINE_LENGTH = 105
_MAX_LINES = 4


@dataclass(frozen=True, slots=True)
class OriginalMessage:
    """The message that a report answers; ``created_at`` as that message wrote it."""

    message_id: str
    definition: str
    created_at: str | None = None


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """What became of one transaction.

    Attributes:
        status: one of :data:`corridor.iso20022.codes.STATUS_CODES`.
        end_to_end_id, uetr, instruction_id, transaction_id: the transaction's references, as it wrote them.
        code: the reason code; every RJCT has one.
        text: a sentence, e.g. what is missing and the place in the queue.
        settled_on: the date of settlement, with ACSC.
        settlement_reference: the batch or transaction that settled it, at most 35 characters.
    """

    status: str
    end_to_end_id: str
    uetr: str | None = None
    instruction_id: str | None = None
    transaction_id: str | None = None
    code: str | None = None
    text: str = ""
    settled_on: date | None = None
    settlement_reference: str | None = None


def status_report(
    *,
    message_id: str,
    created_at: str,
    operator_bic: str,
    receiver_bic: str,
    original: OriginalMessage,
    statuses: Sequence[TransactionStatus] = (),
    group_refusal: Refusal | None = None,
    header: BusinessHeader | None = None,
) -> bytes:
    """Return a pacs.002.001.10 about one original message.

    With ``group_refusal`` the group status is RJCT and no transaction is listed, as none was taken in.
    """
    if group_refusal is not None and statuses:
        raise ValueError("a message refused as a whole has no transaction statuses")
    return document(
        STATUS_REPORT,
        group(
            "GrpHdr",
            value("MsgId", message_id),
            value("CreDtTm", created_at),
            agent("InstgAgt", bic11(operator_bic)),
            agent("InstdAgt", bic11(receiver_bic)),
        ),
        group(
            "OrgnlGrpInfAndSts",
            value("OrgnlMsgId", original.message_id),
            value("OrgnlMsgNmId", original.definition),
            value("OrgnlCreDtTm", original.created_at),
            "" if group_refusal is None else value("GrpSts", "RJCT"),
            "" if group_refusal is None else _reason(group_refusal.code, group_refusal.text),
        ),
        *(_transaction(status) for status in statuses),
        header=header,
    )


def _transaction(status: TransactionStatus) -> str:
    if status.status not in STATUS_CODES:
        raise ValueError(f"'{status.status}' is not a status of this corridor")
    settled = None if status.settled_on is None else status.settled_on.isoformat()
    return group(
        "TxInfAndSts",
        value("OrgnlInstrId", status.instruction_id),
        value("OrgnlEndToEndId", status.end_to_end_id),
        value("OrgnlTxId", status.transaction_id),
        value("OrgnlUETR", status.uetr),
        value("TxSts", status.status),
        _reason(status.code, status.text),
        group("FctvIntrBkSttlmDt", value("Dt", settled)),
        value("AcctSvcrRef", status.settlement_reference),
    )


def _reason(code: str | None, text: str) -> str:
    return group(
        "StsRsnInf",
        group("Rsn", value("Cd", code)),
        *(value("AddtlInf", line) for line in pieces(text, _LINE_LENGTH, _MAX_LINES)),
    )
