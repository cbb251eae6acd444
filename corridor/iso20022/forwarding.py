"""The message to the payee's bank: the original transactions, untouched, under a group header of our own.

The elements go out as the very canonical bytes that were hashed, so the payee's bank reads the same content, the same
payer and payee, and computes the same content hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal

from lxml import etree

from corridor.errors import CorridorError
from corridor.iso20022.content import Content
from corridor.iso20022.definitions import bic11, namespace
from corridor.iso20022.writing import BusinessHeader, agent, document, group, value

_EXACT = Context(prec=60)
# CtrlSum is optional and has at most 18 digits; a sum with more goes without it.
_CONTROL_SUM_DIGITS = 18


class ForwardingError(CorridorError):
    """Transactions that can't stand in one message."""

    code = "FORWARDING"


@dataclass(frozen=True, slots=True)
class ForwardKey:
    """What transactions must share to stand under one group header; see :func:`forward_key`."""

    definition: str
    payer_bic: str
    payee_bic: str
    inherited_date: date | None
    inherited_payment_type: bytes
    names_payer: bool
    names_payee: bool


def forward_key(content: bytes, *, payer_bic: str, payee_bic: str) -> ForwardKey:
    """What a transaction needs of the group header. Transactions with equal keys can be forwarded in one message."""
    parts = Content.parse(content)
    element = etree.fromstring(parts.element)
    return _key(parts, element, bic11(payer_bic), bic11(payee_bic))


def _key(parts: Content, element: etree._Element, payer_bic: str, payee_bic: str) -> ForwardKey:
    space = f"{{{namespace(parts.definition)}}}"
    bic_path = f"{space}FinInstnId/{space}BICFI"
    return ForwardKey(
        parts.definition,
        payer_bic,
        payee_bic,
        parts.inherited_date,
        parts.inherited_payment_type,
        element.find(f"{space}InstgAgt/{bic_path}") is not None,
        element.find(f"{space}InstdAgt/{bic_path}") is not None,
    )


def forward(
    contents: Sequence[bytes],
    *,
    payer_bic: str,
    payee_bic: str,
    message_id: str,
    created_at: str,
    header: BusinessHeader | None = None,
) -> bytes:
    """Return a pacs.008 or pacs.009 that brings transactions of one payer to their payee's bank.

    Args:
        contents: the ``content`` of each transaction; all with the same :func:`forward_key`.

    Raises:
        ForwardingError: none given, or transactions that need different group headers.
        ContentError: bytes that aren't a transaction's content.
    """
    payer, payee = bic11(payer_bic), bic11(payee_bic)
    keys, elements, total = set(), [], Decimal(0)
    for content in contents:
        parts = Content.parse(content)
        element = etree.fromstring(parts.element)
        settled = element.find(f"{{{namespace(parts.definition)}}}IntrBkSttlmAmt")
        if settled is None:
            raise ForwardingError("a transaction without an amount can't be forwarded")
        total = _EXACT.add(total, Decimal((settled.text or "").strip()))
        keys.add(_key(parts, element, payer, payee))
        elements.append(parts.element.decode())
    if len(keys) != 1:
        raise ForwardingError(
            f"these {len(elements)} transactions need {len(keys)} different group headers",
            next_step="Forward those with the same forward_key together",
        )
    key = keys.pop()
    inherited_date = None if key.inherited_date is None else key.inherited_date.isoformat()
    return document(
        key.definition,
        group(
            "GrpHdr",
            value("MsgId", message_id),
            value("CreDtTm", created_at),
            value("NbOfTxs", str(len(elements))),
            value("CtrlSum", _control_sum(total)),
            value("IntrBkSttlmDt", inherited_date),
            group("SttlmInf", value("SttlmMtd", "CLRG")),
            key.inherited_payment_type.decode(),
            "" if key.names_payer else agent("InstgAgt", payer),
            "" if key.names_payee else agent("InstdAgt", payee),
        ),
        *elements,
        header=header,
    )


def _control_sum(total: Decimal) -> str | None:
    written = f"{total:f}"
    return written if len(written.replace(".", "")) <= _CONTROL_SUM_DIGITS else None
