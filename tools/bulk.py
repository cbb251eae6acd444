"""Makes message files in bulk: one pacs.008 with N transactions, pairs of pacs.009 for PvP trades, and a
configuration with the balances to pay them. The same seed makes the same bytes.

    python -m tools.bulk --count 10000 --seed 1 --out bulk.xml --config-out bulk.toml

Tests, measurements and whoever wants to try a corridor with many payments use it; nothing of it is in the product.
"""

from __future__ import annotations

import argparse
import random
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from corridor.config import default_text
from corridor.iso20022.reading import MAX_TRANSACTIONS
from corridor.money import format_minor

HONG_KONG_BANKS = ("HKBAHKHHXXX", "HKBBHKHHXXX")
THAI_BANKS = ("THBATHBKXXX", "THBBTHBKXXX")
_SPACE = "urn:iso:std:iso:20022:tech:xsd:"


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """What a bulk message holds.

    Attributes:
        count: transactions, 1 to the reader's :data:`~corridor.iso20022.reading.MAX_TRANSACTIONS`.
        seed: of amounts, payees and UETRs.
        payer, payees: BIC11; each transaction has one of the payees, all of them in turn.
        currency: of every transaction.
        value_date: of every transaction.
        largest_minor: amounts are 1 to this many minor units.
    """

    count: int
    seed: int
    payer: str = HONG_KONG_BANKS[0]
    payees: tuple[str, ...] = (*THAI_BANKS, HONG_KONG_BANKS[1])
    currency: str = "HKD"
    value_date: date = date(2026, 11, 23)
    largest_minor: int = 1_000_000


@dataclass(frozen=True, slots=True)
class BulkPayment:
    """One transaction of a bulk message, as its writer knows it."""

    uetr: str
    payee: str
    amount_minor: int


def bulk_payments(plan: BulkPlan) -> tuple[BulkPayment, ...]:
    """Return the transactions of ``plan``, in the order of the message."""
    if not 1 <= plan.count <= MAX_TRANSACTIONS:
        raise ValueError(f"a message holds 1 to {MAX_TRANSACTIONS} transactions, not {plan.count}")
    source = random.Random(plan.seed)  # noqa: S311 - repeatable test data, nothing secret
    return tuple(
        BulkPayment(_uetr(source), plan.payees[at % len(plan.payees)], source.randint(1, plan.largest_minor))
        for at in range(plan.count)
    )


def bulk_message(plan: BulkPlan) -> bytes:
    """Return the pacs.008.001.08 of ``plan``, as its payer's bank sends it."""
    payments = bulk_payments(plan)
    total = format_minor(plan.currency, sum(one.amount_minor for one in payments), grouped=False)
    transactions = "".join(_customer_transfer(plan, at, one) for at, one in enumerate(payments, 1))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{_SPACE}pacs.008.001.08"><FIToFICstmrCdtTrf>'
        f"<GrpHdr><MsgId>{plan.payer[:4]}-BULK-{plan.count}-{plan.seed}</MsgId>"
        f"<CreDtTm>{plan.value_date}T09:00:00Z</CreDtTm><NbOfTxs>{plan.count}</NbOfTxs><CtrlSum>{total}</CtrlSum>"
        f"<SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf>{_agent('InstgAgt', plan.payer)}</GrpHdr>\n"
        f"{transactions}</FIToFICstmrCdtTrf></Document>\n"
    ).encode()


def trade_messages(
    seed: int, *, banks: tuple[str, str], sold_minor: int, bought_minor: int, value_date: date = date(2026, 11, 23)
) -> tuple[bytes, bytes]:
    """Return the two pacs.009 of a PvP trade: ``banks[0]`` sells HKD to ``banks[1]`` for THB."""
    source = random.Random(seed)  # noqa: S311 - repeatable test data, nothing secret
    amounts = (("HKD", sold_minor), ("THB", bought_minor))
    sides = (
        (banks[0], banks[1], amounts[0], amounts[1]),
        (banks[1], banks[0], amounts[1], amounts[0]),
    )
    hong_kong, thailand = (
        _bank_transfer(_uetr(source), f"TRADE-{seed}", payer, payee, sold, bought, value_date)
        for payer, payee, sold, bought in sides
    )
    return hong_kong, thailand


def config_with_balances(opening: str, *, gross_limit: int = 8) -> str:
    """Return the default configuration with ``opening`` (a decimal) for every bank in its own currency."""
    text, changed = re.subn(r'(opening_balance = \{ [A-Z]{3} = )"[0-9.]+"', rf'\g<1>"{opening}"', default_text())
    if not changed:
        raise ValueError("the default configuration has no opening balances")
    return re.sub(r"(?m)^gross_limit = \d+$", f"gross_limit = {gross_limit}", text)


def _uetr(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))


def _agent(name: str, bic: str) -> str:
    return f"<{name}><FinInstnId><BICFI>{bic}</BICFI></FinInstnId></{name}>"


def _customer_transfer(plan: BulkPlan, number: int, payment: BulkPayment) -> str:
    amount = format_minor(plan.currency, payment.amount_minor, grouped=False)
    return (
        f"<CdtTrfTxInf><PmtId><InstrId>I-{number}</InstrId><EndToEndId>E-{number}</EndToEndId>"
        f'<UETR>{payment.uetr}</UETR></PmtId><IntrBkSttlmAmt Ccy="{plan.currency}">{amount}</IntrBkSttlmAmt>'
        f"<IntrBkSttlmDt>{plan.value_date}</IntrBkSttlmDt><ChrgBr>SHAR</ChrgBr>"
        f"{_agent('InstgAgt', plan.payer)}{_agent('InstdAgt', payment.payee)}"
        f"<Dbtr><Nm>Importer {number}</Nm></Dbtr><DbtrAcct><Id><Othr><Id>D{number:010d}</Id></Othr></Id></DbtrAcct>"
        f"{_agent('DbtrAgt', plan.payer)}{_agent('CdtrAgt', payment.payee)}"
        f"<Cdtr><Nm>Exporter {number}</Nm></Cdtr><CdtrAcct><Id><Othr><Id>C{number:010d}</Id></Othr></Id></CdtrAcct>"
        "</CdtTrfTxInf>\n"
    )


def _bank_transfer(
    uetr: str,
    reference: str,
    payer: str,
    payee: str,
    sold: tuple[str, int],
    bought: tuple[str, int],
    value_date: date,
) -> bytes:
    paid, wanted = (format_minor(currency, minor, grouped=False) for currency, minor in (sold, bought))
    return (
        f'<Document xmlns="{_SPACE}pacs.009.001.08"><FICdtTrf><GrpHdr><MsgId>{payer[:4]}-{reference}</MsgId>'
        f"<CreDtTm>{value_date}T09:00:00Z</CreDtTm><NbOfTxs>1</NbOfTxs>"
        "<SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr>"
        f"<CdtTrfTxInf><PmtId><EndToEndId>{reference}</EndToEndId><UETR>{uetr}</UETR></PmtId>"
        "<PmtTpInf><LclInstrm><Prtry>PVP</Prtry></LclInstrm></PmtTpInf>"
        f'<IntrBkSttlmAmt Ccy="{sold[0]}">{paid}</IntrBkSttlmAmt><IntrBkSttlmDt>{value_date}</IntrBkSttlmDt>'
        f"{_agent('InstgAgt', payer)}{_agent('InstdAgt', payee)}{_agent('Dbtr', payer)}{_agent('Cdtr', payee)}"
        f"<InstrForNxtAgt><InstrInf>/PVP/{bought[0]}{wanted}</InstrInf></InstrForNxtAgt>"
        "</CdtTrfTxInf></FICdtTrf></Document>\n"
    ).encode()


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tools.bulk", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--value-date", type=date.fromisoformat, default=date(2026, 11, 23))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config-out", type=Path, help="a configuration with balances that suffice")
    named = parser.parse_args(arguments)
    named.out.write_bytes(bulk_message(BulkPlan(named.count, named.seed, value_date=named.value_date)))
    if named.config_out:
        named.config_out.write_text(config_with_balances("1000000000.00"))


if __name__ == "__main__":
    main()
