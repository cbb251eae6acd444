"""The statuses and reason codes that banks get back, with what each means here.

Status codes are ISO 20022's ExternalPaymentTransactionStatus1Code, reasons its ExternalStatusReason1Code. The reasons
for which a whole message is unreadable (admi.002) have no external list; they are this corridor's own words.
"""

from __future__ import annotations

from dataclasses import dataclass

STATUS_CODES = {
    "ACTC": "taken in",
    "PDNG": "waiting: unmatched, held or short of liquidity",
    "ACSP": "in a batch, locked, settling",
    "ACSC": "settled and final",
    "RJCT": "refused",
    "CANC": "cancelled before it was in a batch",
}

REASON_CODES = {
    "AM01": "the amount is zero",
    "AM03": "the currency is not in the corridor",
    "AM05": "the UETR was used with other content",
    "AM10": "the control sum does not add up",
    "AM12": "the amount has more decimals than the currency has",
    "AM18": "the number of transactions is not what the message says",
    "RC01": "a BIC is not a participant",
    "AG01": "a participant is suspended, or payer and payee are the same bank",
    "AG10": "an agent in the payment is suspended",
    "DT01": "the value date is past, too far ahead, or not a business day",
    "TM01": "after cut-off, or unmatched at cut-off",
    "AB03": "the timelock ran out and the payment was refunded",
    "RR04": "a party or an account that this corridor does not serve",
    "NARR": "see the sentence that comes with it",
}

# Why a message as a whole cannot be read (admi.002, RjctgPtyRsn).
UNREADABLE_CODES = {
    "TOOLARGE": "larger than what is taken in at once",
    "ENCODING": "not UTF-8",
    "DOCTYPE": "it carries a document type declaration",
    "NOTWELLFORMED": "not well-formed XML",
    "ENVELOPE": "the root is neither Document nor an envelope of exactly AppHdr and Document",
    "UNKNOWNVERSION": "a message or version that is not taken in here",
    "HEADER": "the business application header does not fit the message",
    "SCHEMA": "not valid against the schema of its definition",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is refused: a ``code`` of :data:`REASON_CODES` and one sentence for the bank's engineer."""

    code: str
    text: str
