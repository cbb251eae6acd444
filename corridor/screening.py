"""Screening: does a payment name a party or an account that this corridor does not serve?

Names are compared as people read them: without regard to case, to how spaces and characters are written in the XML,
or to whether a BIC has eight characters or eleven. A listed text is found wherever it stands within a field.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from lxml import etree

from corridor.iso20022.codes import Refusal
from corridor.iso20022.reading import CreditTransfer


def screen(transfer: CreditTransfer, blocked: Iterable[str]) -> Refusal | None:
    """Refuse what names somebody on the list ``blocked``. The answer doesn't say which: it may be read."""
    listed = [_read(item) for item in blocked]
    if not listed:
        return None
    fields = [*map(_read, _fields(transfer)), transfer.payer_bic, transfer.payee_bic, *transfer.agent_bics]
    if any(item in field.casefold() for field in fields for item in listed):
        return Refusal("RR04", "The payment names a party or an account that this corridor does not serve")
    return None


def _fields(transfer: CreditTransfer) -> list[str]:
    """The texts between the tags. The message was parsed and judged before; this is its canonical form."""
    element = etree.fromstring(transfer.element_c14n, etree.XMLParser(resolve_entities=False, no_network=True))
    return [str(text) for text in element.itertext()]


def _read(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
