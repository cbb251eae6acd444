"""A bank's message, read: checked at the first level and taken apart into transactions.

First level: what cannot be read as the definition it claims to be is an :class:`UnreadableMessage`. What can be read
but not accepted is *said*, not raised: a fault of the whole message, or a fault of one transaction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal

from eth_hash.auto import keccak
from lxml import etree

from corridor.iso20022.codes import Refusal
from corridor.iso20022.conformance import NotConformant, check_conformance
from corridor.iso20022.content import Content, content_bytes
from corridor.iso20022.definitions import BANK_CREDIT_TRANSFER, BUSINESS_HEADER, INPUT_KINDS, bic11, namespace
from corridor.iso20022.parsing import ParsedMessage, UnreadableMessage, header_party, header_text, parse
from corridor.iso20022.schemas import SchemaSet, check_schema

# One message is answered in one piece and stored in one database transaction: twice the largest bulk file planned for.
MAX_TRANSACTIONS = 20_000

PVP = "PVP"
_PVP_TERMS = re.compile(r"/PVP/([A-Z]{3})([0-9]{1,18}(?:\.[0-9]{1,5})?)")
# Sums of at most 20,000 amounts of 18 digits are exact in 60 digits.
_EXACT = Context(prec=60)

# Every agent that a transaction can name.
_AGENTS = (
    *(f"PrvsInstgAgt{number}" for number in (1, 2, 3)),
    *("InstgAgt", "InstdAgt", "IntrmyAgt1", "IntrmyAgt2", "IntrmyAgt3", "DbtrAgt", "CdtrAgt"),
)


@dataclass(frozen=True, slots=True)
class PvpTerms:
    """What the sender of one leg of a PvP trade gets for it: the other leg, as it expects it."""

    bought_currency: str
    bought_amount_text: str
    trade_reference: str


@dataclass(frozen=True, slots=True)
class CreditTransfer:
    """One transaction of a pacs.008 or pacs.009.

    Attributes:
        position: its place in the message, from 0.
        uetr, end_to_end_id, instruction_id, transaction_id: its references, as written.
        payer_bic, payee_bic: BIC11 of the banks that pay and are paid in the corridor; empty where no BIC names them.
        agent_bics: BIC11 of every other agent named, without repetition.
        currency, amount_text: the interbank settlement amount, a plain decimal without sign or leading zeros.
        value_date: the transaction's settlement date, else the group's; None where neither gives one.
        priority: ``HIGH`` or ``NORM``.
        pvp: the other leg, for a PvP trade.
        fault: what the message itself makes unacceptable in this transaction (its PvP terms), else None.
        content: everything of the message that belongs to this transaction; see :mod:`corridor.iso20022.content`.
        content_hash: keccak256 of ``content``; the payee's bank gets the same from the forwarded message.
    """

    position: int
    uetr: str | None
    end_to_end_id: str
    instruction_id: str | None
    transaction_id: str | None
    payer_bic: str
    payee_bic: str
    agent_bics: tuple[str, ...]
    currency: str
    amount_text: str
    value_date: date | None
    priority: str
    pvp: PvpTerms | None
    fault: Refusal | None
    content: bytes = field(repr=False)
    content_hash: bytes = field(repr=False)

    @property
    def element_c14n(self) -> bytes:
        """The ``CdtTrfTxInf`` element alone, in exclusive canonical form."""
        return Content.parse(self.content).element


@dataclass(frozen=True, slots=True)
class Message:
    """A readable message.

    Attributes:
        kind: ``pacs.008`` or ``pacs.009``.
        definition: its full name, e.g. ``pacs.008.001.08``.
        message_id, business_message_id: ``MsgId``, and the header's ``BizMsgIdr``.
        sender_bic: the header's ``Fr``, else the group's instructing agent, else the first transaction's payer.
        receiver_bic: the header's ``To``.
        created_at: ``CreDtTm`` as written.
        fault: AM18 or AM10 when count or control sum don't add up: the message is refused as a whole.
        transactions: in the order of the message.
    """

    kind: str
    definition: str
    message_id: str
    business_message_id: str | None
    has_header: bool
    sender_bic: str | None
    receiver_bic: str | None
    created_at: str
    fault: Refusal | None
    transactions: tuple[CreditTransfer, ...]


def read_message(data: bytes, *, operator_bic: str, schemas: SchemaSet | None = None) -> Message:
    """Read a bank's message.

    Args:
        data: the file as it came.
        operator_bic: the corridor operator's BIC: an instructed agent with it is the corridor, not the payee.
        schemas: the official schemas, if they shall decide as well as the definitions compiled in.

    Raises:
        UnreadableMessage: the first level of refusal; answer with admi.002, nothing is accepted.
    """
    parsed = parse(data)
    _check(parsed, schemas)
    sender, receiver = _header_parties(parsed)
    body = parsed.document[0]
    group = body[0]
    elements = list(body.iterchildren(f"{{{namespace(parsed.definition)}}}CdtTrfTxInf"))
    if len(elements) > MAX_TRANSACTIONS:
        raise UnreadableMessage(
            parsed.related_reference,
            "TOOLARGE",
            f"{len(elements)} transactions, at most {MAX_TRANSACTIONS} are taken in one message",
        )
    header = _GroupHeader.read(group, parsed.definition)
    operator = bic11(operator_bic)
    transactions = tuple(_transaction(at, element, header, operator) for at, element in enumerate(elements))
    return Message(
        kind=INPUT_KINDS[parsed.definition],
        definition=parsed.definition,
        message_id=header.text("MsgId"),
        business_message_id=None if parsed.header is None else header_text(parsed.header, "BizMsgIdr"),
        has_header=parsed.header is not None,
        sender_bic=sender or header.instructing or transactions[0].payer_bic or None,
        receiver_bic=receiver,
        created_at=header.text("CreDtTm").strip(),
        fault=_totals_fault(header, transactions),
        transactions=transactions,
    )


def _check(parsed: ParsedMessage, schemas: SchemaSet | None) -> None:
    parts = [(parsed.document, parsed.definition)]
    if parsed.header is not None:
        parts.insert(0, (parsed.header, BUSINESS_HEADER))
    for element, definition in parts:
        try:
            check_conformance(element, definition)
            if schemas is not None:
                check_schema(element, definition, schemas)
        except NotConformant as fault:
            raise UnreadableMessage(parsed.related_reference, "SCHEMA", fault.problem, fault.path) from fault


def _header_parties(parsed: ParsedMessage) -> tuple[str | None, str | None]:
    """From and To of the header, which names the document's definition and two BICs."""
    if parsed.header is None:
        return None, None
    named = header_text(parsed.header, "MsgDefIdr")
    if named != parsed.definition:
        raise UnreadableMessage(
            parsed.related_reference,
            "HEADER",
            f"MsgDefIdr is not {parsed.definition}, the definition of the document",
            "AppHdr/MsgDefIdr",
        )
    sender, receiver = header_party(parsed.header, "Fr"), header_party(parsed.header, "To")
    for name, bic in (("Fr", sender), ("To", receiver)):
        if bic is None:
            raise UnreadableMessage(parsed.related_reference, "HEADER", f"{name} holds no BIC", f"AppHdr/{name}")
    return sender, receiver


def _parts(element: etree._Element, prefix: int) -> dict[str, etree._Element]:
    """An element's children by local name; of repeated ones the last. ``prefix`` is the length of ``{namespace}``."""
    return {child.tag[prefix:]: child for child in element}


def _bic(agent: etree._Element | None) -> str | None:
    """The BIC11 of an agent: the first child of its mandatory first child, if it gives one."""
    if agent is None or not len(agent[0]):
        return None
    first = agent[0][0]
    return bic11(first.text or "") if first.tag.endswith("}BICFI") else None


@dataclass(frozen=True, slots=True)
class _GroupHeader:
    """What transactions inherit from the group header."""

    definition: str
    prefix: int
    parts: dict[str, etree._Element]
    instructing: str | None
    instructed: str | None
    settlement_date: date | None
    payment_type: etree._Element | None
    payment_type_c14n: bytes

    @staticmethod
    def read(element: etree._Element, definition: str) -> _GroupHeader:
        prefix = len(namespace(definition)) + 2
        parts = _parts(element, prefix)
        payment_type = parts.get("PmtTpInf")
        return _GroupHeader(
            definition=definition,
            prefix=prefix,
            parts=parts,
            instructing=_bic(parts.get("InstgAgt")),
            instructed=_bic(parts.get("InstdAgt")),
            settlement_date=_date(parts.get("IntrBkSttlmDt")),
            payment_type=payment_type,
            payment_type_c14n=b"" if payment_type is None else canonical(payment_type),
        )

    def text(self, name: str) -> str:
        found = self.parts.get(name)
        return "" if found is None else found.text or ""


def canonical(element: etree._Element) -> bytes:
    """The element in exclusive canonical XML, UTF-8."""
    written: bytes = etree.tostring(element, method="c14n", exclusive=True)
    return written


def _date(element: etree._Element | None) -> date | None:
    """A date without its zone, which says nothing for a settlement date."""
    return None if element is None else date.fromisoformat((element.text or "").strip()[:10])


def _plain(amount: str) -> str:
    """A checked decimal without sign, spaces and leading zeros."""
    whole, dot, decimals = amount.strip().lstrip("+-").partition(".")
    return (whole.lstrip("0") or "0") + (dot + decimals if decimals else "")


def _transaction(position: int, element: etree._Element, group: _GroupHeader, operator: str) -> CreditTransfer:
    parts = _parts(element, group.prefix)
    references = _parts(parts["PmtId"], group.prefix)
    agents = {name: bic for name in _AGENTS if (bic := _bic(parts.get(name)))}
    if group.definition == BANK_CREDIT_TRANSFER:
        debtor, creditor = _bic(parts["Dbtr"]), _bic(parts["Cdtr"])
    else:
        debtor = creditor = None
    payer = agents.get("InstgAgt") or group.instructing or agents.get("DbtrAgt") or debtor or ""
    instructed = agents.get("InstdAgt") or group.instructed
    payee = (instructed if instructed != operator else None) or agents.get("CdtrAgt") or creditor or ""
    own_date = _date(parts.get("IntrBkSttlmDt"))
    own_type = parts.get("PmtTpInf")
    payment_type = own_type if own_type is not None else group.payment_type
    priority, is_pvp = _payment_type(payment_type, group.prefix)
    amount = parts["IntrBkSttlmAmt"]
    currency, amount_text = str(amount.get("Ccy")), _plain(amount.text or "")
    end_to_end_id = references["EndToEndId"].text or ""
    pvp, fault = _pvp_terms(element, group, is_pvp, currency, end_to_end_id)
    content = content_bytes(
        Content(
            definition=group.definition,
            inherited_date=None if own_date is not None else group.settlement_date,
            inherited_payment_type=b"" if own_type is not None else group.payment_type_c14n,
            element=canonical(element),
        )
    )
    return CreditTransfer(
        position=position,
        uetr=_text(references.get("UETR")),
        end_to_end_id=end_to_end_id,
        instruction_id=_text(references.get("InstrId")),
        transaction_id=_text(references.get("TxId")),
        payer_bic=payer,
        payee_bic=payee,
        agent_bics=tuple(dict.fromkeys(bic for bic in agents.values() if bic not in {payer, payee, operator})),
        currency=currency,
        amount_text=amount_text,
        value_date=own_date or group.settlement_date,
        priority=priority,
        pvp=pvp,
        fault=fault,
        content=content,
        content_hash=keccak(content),
    )


def _text(element: etree._Element | None) -> str | None:
    return None if element is None else element.text


def _payment_type(element: etree._Element | None, prefix: int) -> tuple[str, bool]:
    """Priority, and whether the local instrument says PvP."""
    if element is None:
        return "NORM", False
    parts = _parts(element, prefix)
    instrument = parts.get("LclInstrm")
    return _text(parts.get("InstrPrty")) or "NORM", instrument is not None and (instrument[0].text or "").strip() == PVP


def _pvp_terms(
    element: etree._Element, group: _GroupHeader, is_pvp: bool, currency: str, reference: str
) -> tuple[PvpTerms | None, Refusal | None]:
    """The PvP terms of a transaction, or why they can't be read.

    Half of the marks (the local instrument without the terms, or the terms without it) is refused: to settle such a
    payment by itself would be just the risk that its sender wanted to avoid.
    """
    texts = [
        (part.text or "").strip()
        for instruction in element.iterchildren(f"{{{namespace(group.definition)}}}InstrForNxtAgt")
        for part in instruction
        if part.tag[group.prefix :] == "InstrInf"
    ]
    terms = [text for text in texts if text.startswith("/PVP/")]
    if not is_pvp and not terms:
        return None, None
    problem, match = None, _PVP_TERMS.fullmatch(terms[0]) if terms else None
    if group.definition != BANK_CREDIT_TRANSFER:
        problem = "a PvP trade is two pacs.009, one from each bank"
    elif not is_pvp:
        problem = "it has /PVP/ terms, but PmtTpInf/LclInstrm/Prtry is not PVP"
    elif len(terms) != 1:
        problem = "InstrForNxtAgt/InstrInf must say once what is bought, e.g. /PVP/THB45000000.00"
    elif match is None:
        problem = "the PvP terms are not /PVP/ + currency + amount, e.g. /PVP/THB45000000.00"
    elif match[1] == currency:
        problem = f"a PvP trade has two currencies, both legs are in {currency}"
    elif not match[2].strip("0."):
        problem = "the amount bought is zero"
    elif reference.strip() in {"", "NOTPROVIDED"}:
        problem = "EndToEndId must be the trade reference that both banks use"
    if problem is not None or match is None:
        return None, Refusal("NARR", f"Incomplete PvP terms: {problem}")
    return PvpTerms(match[1], _plain(match[2]), reference), None


def _totals_fault(group: _GroupHeader, transactions: tuple[CreditTransfer, ...]) -> Refusal | None:
    """AM18 when the count, AM10 when the control sum or the total is not what the transactions add up to."""
    said = int(group.text("NbOfTxs"))
    if said != len(transactions):
        return Refusal("AM18", f"NbOfTxs says {said}, the message has {len(transactions)} transactions")
    total = Decimal(0)
    for transaction in transactions:
        total = _EXACT.add(total, Decimal(transaction.amount_text))
    if "CtrlSum" in group.parts and Decimal(group.text("CtrlSum").strip()) != total:
        return Refusal("AM10", f"CtrlSum says {group.text('CtrlSum').strip()}, the amounts add up to {total}")
    if "TtlIntrBkSttlmAmt" in group.parts:
        currency = group.parts["TtlIntrBkSttlmAmt"].get("Ccy")
        if Decimal(group.text("TtlIntrBkSttlmAmt").strip()) != total:
            return Refusal(
                "AM10",
                f"TtlIntrBkSttlmAmt says {group.text('TtlIntrBkSttlmAmt').strip()}, the amounts add up to {total}",
            )
        if any(transaction.currency != currency for transaction in transactions):
            return Refusal("AM10", f"TtlIntrBkSttlmAmt is in {currency}, not every transaction is")
    return None
