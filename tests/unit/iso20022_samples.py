"""Messages for tests, written as a bank's engineer would write them from the usage guideline alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

SHARED_XSD = Path(__file__).resolve().parents[3] / "shared" / "xsd"
OPERATOR = "CORRHKHHXXX"
PAYING_BANK, PAID_BANK = "HKBAHKHHXXX", "THBATHBKXXX"
UETR = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
NOW = "2026-11-23T09:00:00+08:00"


def agent(name: str, bic: str) -> str:
    return f"<{name}><FinInstnId><BICFI>{bic}</BICFI></FinInstnId></{name}>"


def customer_transfer(
    *,
    uetr: str | None = UETR,
    amount: str = "100.00",
    currency: str = "HKD",
    value_date: str | None = "2026-11-23",
    agents: str = agent("InstgAgt", PAYING_BANK) + agent("InstdAgt", PAID_BANK),
    debtor_agent: str = PAYING_BANK,
    creditor_agent: str = PAID_BANK,
    payment_type: str = "",
    after_creditor: str = "",
) -> str:
    return (
        "<CdtTrfTxInf>"
        f"<PmtId><InstrId>I-1</InstrId><EndToEndId>E-1</EndToEndId>{f'<UETR>{uetr}</UETR>' if uetr else ''}</PmtId>"
        f'{payment_type}<IntrBkSttlmAmt Ccy="{currency}">{amount}</IntrBkSttlmAmt>'
        f"{f'<IntrBkSttlmDt>{value_date}</IntrBkSttlmDt>' if value_date else ''}<ChrgBr>SHAR</ChrgBr>{agents}"
        f"<Dbtr><Nm>Importer</Nm></Dbtr>{agent('DbtrAgt', debtor_agent)}{agent('CdtrAgt', creditor_agent)}"
        f"<Cdtr><Nm>Exporter</Nm></Cdtr>{after_creditor}</CdtTrfTxInf>"
    )


def bank_transfer(
    *,
    uetr: str | None = UETR,
    amount: str = "100.00",
    currency: str = "HKD",
    payment_type: str = "<PmtTpInf><LclInstrm><Prtry>PVP</Prtry></LclInstrm></PmtTpInf>",
    terms: str = "<InstrForNxtAgt><InstrInf>/PVP/THB450.00</InstrInf></InstrForNxtAgt>",
    agents: str = "",
    reference: str = "TRADE-1",
) -> str:
    return (
        f"<CdtTrfTxInf><PmtId><EndToEndId>{reference}</EndToEndId>{f'<UETR>{uetr}</UETR>' if uetr else ''}</PmtId>"
        f'{payment_type}<IntrBkSttlmAmt Ccy="{currency}">{amount}</IntrBkSttlmAmt>{agents}'
        f"{agent('Dbtr', PAYING_BANK)}{agent('Cdtr', PAID_BANK)}{terms}</CdtTrfTxInf>"
    )


def message(
    *transactions: str,
    kind: str = "pacs.008",
    count: str | None = None,
    group_header: str = "",
    group_tail: str = "",
    message_id: str = "M-1",
) -> bytes:
    body = {"pacs.008": "FIToFICstmrCdtTrf", "pacs.009": "FICdtTrf"}[kind]
    return (
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{kind}.001.08"><{body}><GrpHdr><MsgId>{message_id}</MsgId>'
        f"<CreDtTm>{NOW}</CreDtTm><NbOfTxs>{count or len(transactions)}</NbOfTxs>{group_header}"
        f"<SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf>{group_tail}</GrpHdr>{''.join(transactions)}</{body}></Document>"
    ).encode()


def business_header(definition: str = "pacs.008.001.08", sender: str = PAYING_BANK, receiver: str = OPERATOR) -> str:
    return (
        '<AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02">'
        f"<Fr><FIId><FinInstnId><BICFI>{sender}</BICFI></FinInstnId></FIId></Fr>"
        f"<To><FIId><FinInstnId><BICFI>{receiver}</BICFI></FinInstnId></FIId></To>"
        f"<BizMsgIdr>B-1</BizMsgIdr><MsgDefIdr>{definition}</MsgDefIdr><CreDt>{NOW}</CreDt></AppHdr>"
    )


def enveloped(document: bytes, header: str | None = None, root: str = "Envelope") -> bytes:
    return f"<{root}>{header or business_header()}{document.decode()}</{root}>".encode()


def official_schema(definition: str) -> etree.XMLSchema:
    path = SHARED_XSD / f"{definition}.xsd"
    if not path.is_file():
        pytest.skip(f"the official schema of {definition} is not at hand (../shared/xsd)")
    return etree.XMLSchema(file=str(path))


def assert_valid(written: bytes) -> None:
    """Every part of a written message validates against its official schema."""
    root = etree.fromstring(written)
    parts = [root] if etree.QName(root).localname == "Document" else list(root)
    for part in parts:
        definition = etree.QName(part).namespace.rsplit(":", 1)[1]
        official_schema(definition).assertValid(etree.fromstring(etree.tostring(part)))
