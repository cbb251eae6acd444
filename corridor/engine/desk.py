"""What every part of the engine works with: the operator's store, its key, the ledger, the clock and the agents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, RowMapping, select

from corridor.config import Config
from corridor.iso20022 import SchemaSet
from corridor.ledger.adapter import Ledger
from corridor.ledger.deployment import Deployment
from corridor.model import Instruction, Leg, Obligation, obligation
from corridor.ports import AgentPort
from corridor.store.database import select_in
from corridor.store.tables import payments, settings


@dataclass(frozen=True, slots=True)
class Desk:
    """The operator's desk.

    Attributes:
        database: the operator's store.
        ledger, deployment: the operator's node and what stands on it.
        key: returns the operator's private key when a signature is due.
        proposer: the operator's address, lower-case.
        now_s: the corridor's clock; ledger_now_s: the clock that the ledger's blocks follow.
        schemas: the official XSDs, where the configuration or the command names them.
        agents: the banks' agents by BIC.
    """

    database: Engine
    ledger: Ledger
    deployment: Deployment
    config: Config
    key: Callable[[], bytes]
    proposer: str
    now_s: Callable[[], int]
    ledger_now_s: Callable[[], int]
    sleep: Callable[[float], None]
    schemas: SchemaSet | None = None
    agents: Mapping[str, AgentPort] = field(default_factory=dict)

    def ledger_time_s(self) -> int:
        """The ledger's time: the newest block's, or the clock's where no block was made for a while."""
        return max(self.ledger.head().timestamp_s, self.ledger_now_s())

    def leg(self, payment: RowMapping) -> Leg:
        """The leg that a payment asks for."""
        token = self.deployment.tokens[payment["currency"]].lower()
        return Leg(payment["payer"], payment["payee"], self.deployment.chain_id, token, payment["amount_minor"])

    def obligation(self, members: Iterable[RowMapping]) -> Obligation:
        """The obligation that payments form together: one, or the two sides of a trade."""
        rows = list(members)
        instructions = [Instruction(row["payer"], row["uetr"], bytes.fromhex(row["content_hash"])) for row in rows]
        return obligation(instructions, [self.leg(row) for row in rows])


def setting(connection: Connection, name: str, default: str) -> str:
    """Return a setting of the operator's store."""
    value = connection.execute(select(settings.c.value).where(settings.c.name == name)).scalar()
    return default if value is None else str(value)


def set_setting(connection: Connection, name: str, value: str) -> None:
    """Change a setting of the operator's store."""
    changed = connection.execute(settings.update().where(settings.c.name == name).values(value=value))
    if changed.rowcount == 0:
        connection.execute(settings.insert().values(name=name, value=value))


def payments_of(connection: Connection, obligation_ids: Iterable[str]) -> dict[str, list[RowMapping]]:
    """Return the payments of each obligation, in arrival order."""
    members: dict[str, list[RowMapping]] = {}
    found = select_in(connection, select(payments), payments.c.obligation, obligation_ids)
    for row in sorted(found, key=lambda one: one["seq"]):
        members.setdefault(row["obligation"], []).append(row)
    return members
