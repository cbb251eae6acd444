"""Writing XML: elements as text, escaped, in the order given. Deterministic: every id and time is passed in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from corridor.iso20022.definitions import BODY_ELEMENTS, BUSINESS_HEADER, namespace

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
# Characters that XML 1.0 cannot hold, whatever the escape.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile("[&<>\r]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


@dataclass(frozen=True, slots=True)
class BusinessHeader:
    """What a business application header (head.001.001.02) says of the message it stands before.

    ``created_at`` is an ISO date and time with its offset.
    """

    from_bic: str
    to_bic: str
    message_id: str
    created_at: str


def escape(text: str) -> str:
    """``text`` as character data; what XML cannot hold becomes a question mark."""
    text = _UNWRITABLE.sub("?", text)
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], text) if _SPECIAL.search(text) else text


def value(name: str, text: str | None) -> str:
    """An element that holds a value; nothing if there is none."""
    return f"<{name}>{escape(text)}</{name}>" if text else ""


def group(name: str, *children: str) -> str:
    """An element that holds the given elements; nothing if there are none."""
    content = "".join(children)
    return f"<{name}>{content}</{name}>" if content else ""


def amount(name: str, currency: str, text: str) -> str:
    """An amount with its currency."""
    return f'<{name} Ccy="{currency}">{text}</{name}>'


def agent(name: str, bic: str | None) -> str:
    """A bank, named by its BIC."""
    return f"<{name}><FinInstnId><BICFI>{bic}</BICFI></FinInstnId></{name}>" if bic else ""


def pieces(text: str, length: int, most: int) -> Sequence[str]:
    """``text`` in at most ``most`` pieces of ``length`` characters, broken between words where possible."""
    found: list[str] = []
    rest = " ".join(text.split())
    while rest and len(found) < most:
        cut = len(rest) if len(rest) <= length else rest.rfind(" ", 1, length + 1)
        cut = length if cut <= 0 else cut
        found.append(rest[:cut])
        rest = rest[cut:].lstrip()
    return found


def document(definition: str, *children: str, header: BusinessHeader | None = None) -> bytes:
    """A whole message: its body's children inside Document, in an envelope with the header if there is one."""
    body = (
        f'<Document xmlns="{namespace(definition)}"><{BODY_ELEMENTS[definition]}>{"".join(children)}'
        f"</{BODY_ELEMENTS[definition]}></Document>"
    )
    if header is None:
        return (_DECLARATION + body + "\n").encode()
    application_header = f'<AppHdr xmlns="{namespace(BUSINESS_HEADER)}">' + "".join(
        (
            group("Fr", agent("FIId", header.from_bic)),
            group("To", agent("FIId", header.to_bic)),
            value("BizMsgIdr", header.message_id),
            value("MsgDefIdr", definition),
            value("CreDt", header.created_at),
            "</AppHdr>",
        )
    )
    return f"{_DECLARATION}<BusinessMessage>{application_header}{body}</BusinessMessage>\n".encode()
