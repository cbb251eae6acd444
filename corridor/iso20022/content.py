"""What of a message belongs to one transaction, in one canonical string of bytes: what banks hash and agree on.

A transaction means the same in the message its payer wrote and in the one its payee gets. So its content is the
canonical ``CdtTrfTxInf`` element itself and, only where it leans on the group header for them, the settlement date and
the payment type (priority, PvP) from there. Message ids, times, counts and totals are not part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from corridor.errors import CorridorError

DOMAIN = b"corridor iso20022 content v1"
# XML can't hold a zero byte, so it separates unambiguously.
_SEPARATOR = b"\0"


class ContentError(CorridorError):
    """Bytes that are not the content of a transaction."""

    code = "CONTENT"


@dataclass(frozen=True, slots=True)
class Content:
    """The parts of a transaction's content.

    Attributes:
        definition: e.g. ``pacs.009.001.08``.
        inherited_date: the group's settlement date, where the transaction gives none itself.
        inherited_payment_type: the group's ``PmtTpInf`` in canonical form, where the transaction has none itself.
        element: the ``CdtTrfTxInf`` element in exclusive canonical form, without white space between elements.
    """

    definition: str
    inherited_date: date | None
    inherited_payment_type: bytes
    element: bytes

    @staticmethod
    def parse(content: bytes) -> Content:
        """The inverse of :func:`content_bytes`.

        Raises:
            ContentError: ``content`` isn't of this form.
        """
        parts = content.split(_SEPARATOR)
        if len(parts) != 5 or parts[0] != DOMAIN:
            raise ContentError("not the content of a transaction", size=len(content))
        try:
            inherited_date = date.fromisoformat(parts[2].decode("ascii")) if parts[2] else None
            return Content(parts[1].decode("ascii"), inherited_date, parts[3], parts[4])
        except ValueError as error:
            raise ContentError("not the content of a transaction", size=len(content)) from error


def content_bytes(content: Content) -> bytes:
    """The content as the bytes that are stored and hashed: five fields, separated by zero bytes."""
    inherited_date = "" if content.inherited_date is None else content.inherited_date.isoformat()
    return _SEPARATOR.join(
        (
            DOMAIN,
            content.definition.encode("ascii"),
            inherited_date.encode("ascii"),
            content.inherited_payment_type,
            content.element,
        )
    )
