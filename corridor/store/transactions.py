"""Signed chain transactions in the operator's store: each stored before it is sent, one for each purpose."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, RowMapping, func, select

from corridor.ledger.adapter import SignedTransaction
from corridor.ledger.sender import Sign
from corridor.store.tables import transactions


class SqlTransactionStore:
    """A :class:`corridor.ledger.sender.TransactionStore` in a database; each call is one database transaction."""

    def __init__(self, database: Engine) -> None:
        self._database = database

    def find(self, purpose: str) -> SignedTransaction | None:
        """Return the transaction signed for ``purpose``, if any."""
        with self._database.begin() as connection:
            return find(connection, purpose)

    def add(self, purpose: str, sender: str, first_nonce: int, sign: Sign) -> SignedTransaction:
        """Sign with the sender's next nonce and store it; see :func:`add`."""
        with self._database.begin() as connection:
            return add(connection, purpose, sender, first_nonce, sign)

    def since(self, sender: str, nonce: int) -> Sequence[SignedTransaction]:
        """Return the sender's stored transactions from ``nonce`` on, in the order of nonces."""
        mine = select(transactions).where(transactions.c.sender == sender, transactions.c.nonce >= nonce)
        with self._database.begin() as connection:
            return [_signed(row) for row in connection.execute(mine.order_by(transactions.c.nonce)).mappings()]


def find(connection: Connection, purpose: str) -> SignedTransaction | None:
    """Return the transaction signed for ``purpose``, if any."""
    row = connection.execute(select(transactions).where(transactions.c.purpose == purpose)).mappings().first()
    return _signed(row) if row else None


def add(connection: Connection, purpose: str, sender: str, first_nonce: int, sign: Sign) -> SignedTransaction:
    """Sign for ``purpose`` with the next nonce and store it, in the caller's database transaction.

    So the state of what is being settled and the transaction that settles it are stored together or not at all.
    """
    if stored := find(connection, purpose):
        return stored
    highest = select(func.max(transactions.c.nonce)).where(transactions.c.sender == sender)
    last = connection.execute(highest).scalar()
    signed = sign(first_nonce if last is None else max(first_nonce, last + 1))
    row = {
        "purpose": purpose,
        "sender": signed.sender,
        "nonce": signed.nonce,
        "hash": signed.hash,
        "raw": signed.raw,
    }
    connection.execute(transactions.insert().values(row))
    return signed


def _signed(row: RowMapping) -> SignedTransaction:
    return SignedTransaction(row["sender"], row["nonce"], row["hash"], row["raw"])
