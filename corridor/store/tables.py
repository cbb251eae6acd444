"""The tables of the two kinds of store. Amounts are minor units; ids are lower-case hex; times are seconds.

The operator's store and a bank agent's store never meet: each is a database of its own, with its own migrations.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

# The newest migration of each store; a test compares them with the migration scripts.
SCHEMA_VERSION = {"operator": "0001", "agent": "0002"}

operator = MetaData()
agent = MetaData()


def _serial() -> Column[int]:
    """Arrival order: never reused, also after a row is gone."""
    return Column("seq", Integer, primary_key=True, autoincrement=True)


settings = Table("settings", operator, Column("name", String, primary_key=True), Column("value", Text, nullable=False))

messages = Table(
    "messages",
    operator,
    _serial(),
    Column("sender", String(11), nullable=False),
    Column("content_hash", String(64), nullable=False, unique=True),
    Column("message_id", String(35), nullable=False),
    Column("definition", String(20), nullable=False),
    Column("has_header", Boolean, nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("signature", String(130), nullable=False),
    Column("received_at_s", BigInteger, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("refused_whole", Boolean, nullable=False),
)

payments = Table(
    "payments",
    operator,
    _serial(),
    Column("uetr", String(36), nullable=False, unique=True),
    Column("message", ForeignKey("messages.seq"), nullable=False),
    Column("payer", String(11), nullable=False),
    Column("payee", String(11), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger),
    Column("value_date", String(10)),
    Column("priority", Integer, nullable=False),
    Column("end_to_end_id", String(35), nullable=False),
    Column("instruction_id", String(35)),
    Column("transaction_id", String(35)),
    Column("trade_reference", String(35)),
    Column("bought_currency", String(3)),
    Column("bought_minor", BigInteger),
    Column("content_hash", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("state", String(10), nullable=False),
    Column("held", Boolean, nullable=False),
    Column("reason_code", String(10)),
    Column("reason", Text),
    Column("obligation", String(64)),
    Index("payments_by_state", "state"),
    Index("payments_by_obligation", "obligation"),
    Index("payments_by_trade", "trade_reference"),
)

settlements = Table(
    "settlements",
    operator,
    _serial(),
    Column("id", String(64), nullable=False, unique=True),
    Column("kind", String(5), nullable=False),
    Column("round", BigInteger),
    Column("deadline_s", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(8), nullable=False),
    Column("transaction_hash", String(64)),
    Column("reason", Text),
)

settlement_obligations = Table(
    "settlement_obligations",
    operator,
    Column("settlement", ForeignKey("settlements.id"), primary_key=True),
    Column("obligation", String(64), primary_key=True),
)

transactions = Table(
    "ledger_transactions",
    operator,
    Column("purpose", String(120), primary_key=True),
    Column("sender", String(42), nullable=False),
    Column("nonce", BigInteger, nullable=False),
    Column("hash", String(66), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    UniqueConstraint("sender", "nonce"),
)

outbox = Table(
    "outbox",
    operator,
    _serial(),
    Column("recipient", String(11), nullable=False),
    Column("name", String(60), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("obligations", Text),
    Column("ended", Text, nullable=False),
    Column("answers", ForeignKey("messages.seq")),
    Column("delivered", Boolean, nullable=False),
    Index("outbox_undelivered", "delivered"),
)

journal = Table(
    "journal",
    operator,
    _serial(),
    Column("at_s", BigInteger, nullable=False),
    Column("event", String(20), nullable=False),
    Column("uetr", String(36)),
    Column("settlement", String(64)),
    Column("detail", Text, nullable=False),
    Index("journal_by_uetr", "uetr"),
)

instructed = Table(
    "instructed",
    agent,
    Column("uetr", String(36), primary_key=True),
    Column("content_hash", String(64), nullable=False),
    Column("payee", String(11), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("bought_currency", String(3)),
    Column("bought_minor", BigInteger),
    Column("state", String(10), nullable=False),
)

submitted = Table(
    "submitted",
    agent,
    Column("content_hash", String(64), primary_key=True),
    Column("raw", LargeBinary, nullable=False),
    Column("signature", String(130), nullable=False),
)

consents = Table(
    "consents",
    agent,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(5), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("proposer", String(42)),
    Column("round", BigInteger),
    Column("deadline_s", BigInteger, nullable=False),
    Column("debits", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("state", String(10), nullable=False),
    Index("consents_by_state", "state"),
)

consent_obligations = Table(
    "consent_obligations",
    agent,
    Column("digest", ForeignKey("consents.digest"), primary_key=True),
    Column("obligation", String(64), primary_key=True),
    Index("consents_by_obligation", "obligation"),
)

credited = Table(
    "credited",
    agent,
    Column("payer", String(11), primary_key=True),
    Column("uetr", String(36), primary_key=True),
    Column("message", String(60), nullable=False),
)

mailbox = Table(
    "mailbox",
    agent,
    Column("message", String(60), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
