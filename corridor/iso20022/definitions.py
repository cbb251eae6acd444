"""Which messages the corridor knows, by their ISO 20022 definition, and how a BIC is written inside it."""

from __future__ import annotations

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"

CUSTOMER_CREDIT_TRANSFER = "pacs.008.001.08"
BANK_CREDIT_TRANSFER = "pacs.009.001.08"
STATUS_REPORT = "pacs.002.001.10"
NOTIFICATION = "camt.054.001.08"
MESSAGE_REJECT = "admi.002.001.01"
BUSINESS_HEADER = "head.001.001.02"

# The definitions a bank may send, and the short name of each.
INPUT_KINDS = {CUSTOMER_CREDIT_TRANSFER: "pacs.008", BANK_CREDIT_TRANSFER: "pacs.009"}

# What a bank gets back, beside the payments that are forwarded to it.
ANSWERS = frozenset({STATUS_REPORT, NOTIFICATION, MESSAGE_REJECT})

# The element under Document of each definition.
BODY_ELEMENTS = {
    CUSTOMER_CREDIT_TRANSFER: "FIToFICstmrCdtTrf",
    BANK_CREDIT_TRANSFER: "FICdtTrf",
    STATUS_REPORT: "FIToFIPmtStsRpt",
    NOTIFICATION: "BkToCstmrDbtCdtNtfctn",
    MESSAGE_REJECT: "admi.002.001.01",
}

# Max35Text, the width of nearly every reference in ISO 20022.
REFERENCE_LENGTH = 35


def namespace(definition: str) -> str:
    """The XML namespace of a message definition."""
    return NAMESPACE + definition


def definition_of(namespace_uri: str | None) -> str | None:
    """The message definition that a namespace names; None where it isn't one of ISO 20022."""
    if namespace_uri is None or not namespace_uri.startswith(NAMESPACE):
        return None
    return namespace_uri[len(NAMESPACE) :]


def bic11(bic: str) -> str:
    """A BIC as the corridor writes it: eleven upper-case characters, ``XXX`` for the head office."""
    upper = bic.strip().upper()
    return upper + "XXX" if len(upper) == 8 else upper


def short_reference(identifier: bytes | str) -> str:
    """A 32-byte id (batch, obligation, chain transaction) as a reference that fits 35 characters.

    The first 16 bytes in lower-case hexadecimal: 32 characters, a prefix of the id as every other tool prints it. Two
    ids share one only by a collision of 128 bits of a hash.
    """
    digits = identifier.hex() if isinstance(identifier, bytes) else identifier.removeprefix("0x").lower()
    return digits[:32]
