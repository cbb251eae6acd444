"""Messages as a bank's engineer writes them from the usage guideline, and what stands in the answers."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

from tests.unit.iso20022_samples import agent

HK_A, HK_B, TH_A, TH_B = "HKBAHKHHXXX", "HKBBHKHHXXX", "THBATHBKXXX", "THBBTHBKXXX"
BANKS = (HK_A, HK_B, TH_A, TH_B)
OPERATOR = "CORRHKHHXXX"
DAY = "2026-11-23"
# What the computer's clock says in tests, in seconds: some days before.
START_S = 1_795_000_000


class Pen:
    """Writes messages with references of its own; the same seed writes the same."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._messages = 0

    def uetr(self) -> str:
        """A new lower-case UUID version 4."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def message(self, kind: str, *transactions: str, count: int | None = None, group: str = "") -> bytes:
        """A document without header; ``group`` is put behind NbOfTxs."""
        self._messages += 1
        body = {"pacs.008": "FIToFICstmrCdtTrf", "pacs.009": "FICdtTrf"}[kind]
        return (
            f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{kind}.001.08"><{body}><GrpHdr>'
            f"<MsgId>MSG-{self._messages:05d}-{self._random.getrandbits(40):010x}</MsgId>"
            f"<CreDtTm>{DAY}T09:00:00+08:00</CreDtTm><NbOfTxs>{len(transactions) if count is None else count}</NbOfTxs>"
            f"{group}<SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr>{''.join(transactions)}</{body}></Document>"
        ).encode()


def customer(
    payer: str,
    payee: str,
    currency: str,
    amount: str,
    uetr: str,
    *,
    reference: str = "INVOICE-7",
    priority: str = "",
    value_date: str | None = None,
    creditor: str = "Exporter Limited",
    creditor_account: str = "020-998877-1",
    intermediary: str = "",
) -> str:
    """One customer credit transfer of a pacs.008."""
    urgency = f"<PmtTpInf><InstrPrty>{priority}</InstrPrty></PmtTpInf>" if priority else ""
    on = f"<IntrBkSttlmDt>{value_date}</IntrBkSttlmDt>" if value_date else ""
    between = agent("IntrmyAgt1", intermediary) if intermediary else ""
    return (
        f"<CdtTrfTxInf><PmtId><EndToEndId>{reference}</EndToEndId><UETR>{uetr}</UETR></PmtId>{urgency}"
        f'<IntrBkSttlmAmt Ccy="{currency}">{amount}</IntrBkSttlmAmt>{on}<ChrgBr>SHAR</ChrgBr>'
        f"{agent('InstgAgt', payer)}{agent('InstdAgt', payee)}{between}<Dbtr><Nm>Importer Company</Nm></Dbtr>"
        f"<DbtrAcct><Id><Othr><Id>010-445566-9</Id></Othr></Id></DbtrAcct>"
        f"{agent('DbtrAgt', payer)}{agent('CdtrAgt', payee)}<Cdtr><Nm>{creditor}</Nm></Cdtr>"
        f"<CdtrAcct><Id><Othr><Id>{creditor_account}</Id></Othr></Id></CdtrAcct></CdtTrfTxInf>"
    )


def bank_payment(
    payer: str, payee: str, currency: str, amount: str, uetr: str, *, priority: str = "", value_date: str = ""
) -> str:
    """One payment of a bank's own, in a pacs.009."""
    urgency = f"<PmtTpInf><InstrPrty>{priority}</InstrPrty></PmtTpInf>" if priority else ""
    on = f"<IntrBkSttlmDt>{value_date}</IntrBkSttlmDt>" if value_date else ""
    return (
        f"<CdtTrfTxInf><PmtId><EndToEndId>OWN</EndToEndId><UETR>{uetr}</UETR></PmtId>{urgency}"
        f'<IntrBkSttlmAmt Ccy="{currency}">{amount}</IntrBkSttlmAmt>{on}'
        f"{agent('Dbtr', payer)}{agent('Cdtr', payee)}</CdtTrfTxInf>"
    )


def trade_side(
    payer: str,
    payee: str,
    sold: tuple[str, str],
    bought: tuple[str, str],
    uetr: str,
    *,
    reference: str = "FX-1",
    priority: str = "",
    value_date: str = "",
) -> str:
    """One bank's leg of a PvP trade, in a pacs.009: it pays ``sold`` and is paid ``bought``."""
    urgency = f"<InstrPrty>{priority}</InstrPrty>" if priority else ""
    on = f"<IntrBkSttlmDt>{value_date}</IntrBkSttlmDt>" if value_date else ""
    return (
        f"<CdtTrfTxInf><PmtId><EndToEndId>{reference}</EndToEndId><UETR>{uetr}</UETR></PmtId>"
        f"<PmtTpInf>{urgency}<LclInstrm><Prtry>PVP</Prtry></LclInstrm></PmtTpInf>"
        f'<IntrBkSttlmAmt Ccy="{sold[0]}">{sold[1]}</IntrBkSttlmAmt>{on}'
        f"{agent('Dbtr', payer)}{agent('Cdtr', payee)}"
        f"<InstrForNxtAgt><InstrInf>/PVP/{bought[0]}{bought[1]}</InstrInf></InstrForNxtAgt></CdtTrfTxInf>"
    )


@dataclass(frozen=True)
class Told:
    """A transaction's status in a pacs.002."""

    uetr: str
    status: str
    code: str
    text: str


@dataclass(frozen=True)
class Entry:
    """An entry of a camt.054, in minor units; negative when it is a debit."""

    uetr: str
    currency: str
    signed_minor: int
    reference: str


def document(raw: bytes) -> etree._Element:
    """The document of a message, with or without header."""
    root = etree.fromstring(raw)
    return root if etree.QName(root).localname == "Document" else root[1]


def texts(node: etree._Element, path: str) -> list[str]:
    """Texts of the elements at ``path``, given by local names."""
    steps = "/".join(f"*[local-name()='{name}']" for name in path.split("/"))
    return [str(found) for found in node.xpath(f".//{steps}/text()")]


def _first(node: etree._Element, path: str) -> str:
    return next(iter(texts(node, path)), "")


def told(raw: bytes) -> list[Told]:
    """The transaction statuses of a pacs.002."""
    found = document(raw).xpath(".//*[local-name()='TxInfAndSts']")
    return [
        Told(
            _first(node, "OrgnlUETR"),
            _first(node, "TxSts"),
            _first(node, "StsRsnInf/Rsn/Cd"),
            "".join(texts(node, "StsRsnInf/AddtlInf")),
        )
        for node in found
    ]


def group_status(raw: bytes) -> tuple[str, str]:
    """Group status and code of a pacs.002 that refuses a message as a whole."""
    group = document(raw).xpath(".//*[local-name()='OrgnlGrpInfAndSts']")[0]
    return _first(group, "GrpSts"), _first(group, "StsRsnInf/Rsn/Cd")


def entries(raw: bytes) -> list[Entry]:
    """The entries of a camt.054."""
    listed = []
    for node in document(raw).xpath(".//*[local-name()='Ntry']"):
        amount = node.xpath("./*[local-name()='Amt']")[0]
        minor = int(Decimal(amount.text) * 100)
        sign = 1 if node.xpath("./*[local-name()='CdtDbtInd']")[0].text == "CRDT" else -1
        reference = node.xpath("./*[local-name()='AcctSvcrRef']")[0].text
        listed.append(Entry(_first(node, "Refs/UETR"), amount.get("Ccy"), sign * minor, reference))
    return listed


def sums(listed: Iterable[Entry]) -> dict[str, int]:
    """What entries add up to, by currency."""
    total: dict[str, int] = {}
    for entry in listed:
        total[entry.currency] = total.get(entry.currency, 0) + entry.signed_minor
    return total
