"""What may go wrong between the corridor and a ledger.

Three questions matter to a caller, and each has its own class: did the node answer at all
(:class:`LedgerUnreachable`), did it refuse (:class:`LedgerRefused`), did a contract refuse
(:class:`ContractReverted`). None of them is decided by an error's text where anything better exists.
"""

from __future__ import annotations

from collections.abc import Mapping

from corridor.errors import CorridorError

# Some nodes answer with a stack trace of several kilobytes; a log line and a screen want the start of it.
MAX_MESSAGE_CHARACTERS = 300


def shortened(text: str) -> str:
    """Return the first line of ``text``, at most :data:`MAX_MESSAGE_CHARACTERS` long."""
    line = text.strip().splitlines()[0] if text.strip() else "no message"
    return line if len(line) <= MAX_MESSAGE_CHARACTERS else line[:MAX_MESSAGE_CHARACTERS] + " ..."


class LedgerError(CorridorError):
    """Root of all errors that a ledger or the way to it may cause."""

    code = "LEDGER"
    exit_code = 4


class LedgerUnreachable(LedgerError):
    """No usable answer. What was asked may or may not have happened; asking the same again is safe."""

    code = "LEDGER_UNREACHABLE"


class LedgerBehind(LedgerUnreachable):
    """The node does not know a block that another answer has already named; it lags, and will catch up."""

    code = "LEDGER_BEHIND"


class ReceiptTimeout(LedgerUnreachable):
    """A transaction was not mined in time. It may still be: look it up by its hash, never build it anew."""

    code = "RECEIPT_TIMEOUT"


class LedgerRefused(LedgerError):
    """The node answered with an error.

    Attributes:
        rpc_code: the JSON-RPC error code, or the HTTP status where there was no JSON-RPC answer.
        rpc_message: the node's own words, shortened.
    """

    code = "LEDGER_REFUSED"

    def __init__(self, message: str, *, rpc_code: int, rpc_message: str, next_step: str = "", **facts: object) -> None:
        super().__init__(message, next_step=next_step, rpc_code=rpc_code, rpc_message=rpc_message, **facts)
        self.rpc_code = rpc_code
        self.rpc_message = rpc_message


class NonceTaken(LedgerRefused):
    """Refused for good: the sender's nonce was used by another transaction that is on the ledger."""

    code = "NONCE_TAKEN"


class TransactionTooLarge(LedgerError):
    """The ledger could never mine it. Found out before signing: once stored, it would keep all later ones waiting."""

    code = "TRANSACTION_TOO_LARGE"


class ContractReverted(LedgerError):
    """A contract refused.

    Attributes:
        error: name of the custom error; ``Error`` or ``Panic`` for Solidity's own; empty where the contract gave
            no reason, or one that none of our contracts defines.
        arguments: the error's arguments by name; BICs and other identifiers as text. Every error that is about one
            bank has ``participant``, about one token ``token``: whom to leave out and resolve again without.
        data: the whole revert data.
    """

    code = "CONTRACT_REVERTED"
    exit_code = 5

    def __init__(self, error: str, arguments: Mapping[str, object], data: bytes, *, next_step: str = "") -> None:
        listed = ", ".join(f"{name} {_readable(value)}" for name, value in arguments.items())
        reason = error or (f"an unknown error 0x{data[:4].hex()}" if data else "no reason given")
        message = f"the contract refused: {reason}" + (f" ({listed})" if listed else "")
        super().__init__(message, next_step=next_step, error=error, arguments=dict(arguments), data=data.hex())
        self.error = error
        self.arguments = dict(arguments)
        self.data = data


class LedgerFileInUse(LedgerError):
    """Another process works on the embedded ledger's file."""

    code = "LEDGER_FILE_IN_USE"
    exit_code = 3


class LedgerFileBroken(LedgerError):
    """The file is not an embedded ledger of this version."""

    code = "LEDGER_FILE_BROKEN"


def _readable(value: object) -> str:
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
