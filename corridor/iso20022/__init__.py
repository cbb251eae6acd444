"""ISO 20022: what banks send, read and checked; what they get back, written.

Pure functions over bytes and frozen data: ids and times are passed in, and only :func:`load_schemas` reads files.
"""

from corridor.iso20022.codes import REASON_CODES, STATUS_CODES, UNREADABLE_CODES, Refusal
from corridor.iso20022.content import Content, ContentError
from corridor.iso20022.definitions import (
    ANSWERS,
    BANK_CREDIT_TRANSFER,
    CUSTOMER_CREDIT_TRANSFER,
    INPUT_KINDS,
    bic11,
    short_reference,
)
from corridor.iso20022.forwarding import ForwardingError, ForwardKey, forward, forward_key
from corridor.iso20022.notification import LegEntry, credit_debit_notification
from corridor.iso20022.parsing import UnreadableMessage, definition_of_message
from corridor.iso20022.reading import CreditTransfer, Message, PvpTerms, read_message
from corridor.iso20022.reject import message_reject
from corridor.iso20022.schemas import SchemaDirectoryError, SchemaSet, load_schemas
from corridor.iso20022.status_report import OriginalMessage, TransactionStatus, status_report
from corridor.iso20022.writing import BusinessHeader

__all__ = [
    "ANSWERS",
    "BANK_CREDIT_TRANSFER",
    "CUSTOMER_CREDIT_TRANSFER",
    "INPUT_KINDS",
    "REASON_CODES",
    "STATUS_CODES",
    "UNREADABLE_CODES",
    "BusinessHeader",
    "Content",
    "ContentError",
    "CreditTransfer",
    "ForwardKey",
    "ForwardingError",
    "LegEntry",
    "Message",
    "OriginalMessage",
    "PvpTerms",
    "Refusal",
    "SchemaDirectoryError",
    "SchemaSet",
    "TransactionStatus",
    "UnreadableMessage",
    "bic11",
    "credit_debit_notification",
    "definition_of_message",
    "forward",
    "forward_key",
    "load_schemas",
    "message_reject",
    "read_message",
    "short_reference",
    "status_report",
]
