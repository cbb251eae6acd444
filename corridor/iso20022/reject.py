"""admi.002: a message that can't be read, and why. Nothing of it was accepted."""

from __future__ import annotations

from corridor.iso20022.codes import UNREADABLE_CODES
from corridor.iso20022.definitions import MESSAGE_REJECT
from corridor.iso20022.parsing import UnreadableMessage
from corridor.iso20022.writing import BusinessHeader, document, group, value

# Max350Text.
_TEXT_LENGTH = 350


def message_reject(error: UnreadableMessage, *, created_at: str, header: BusinessHeader | None = None) -> bytes:
    """Return the admi.002.001.01 that answers an unreadable message. Its own id, if any, stands in the header."""
    return document(
        MESSAGE_REJECT,
        group("RltdRef", value("Ref", error.related_reference)),
        group(
            "Rsn",
            value("RjctgPtyRsn", error.reason_code),
            value("RjctnDtTm", created_at),
            value("ErrLctn", error.location[-_TEXT_LENGTH:]),
            value("RsnDesc", f"{UNREADABLE_CODES[error.reason_code]}: {error.description}"[:_TEXT_LENGTH]),
        ),
        header=header,
    )
