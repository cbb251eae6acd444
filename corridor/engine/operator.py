"""The operator, as a bank's agent knows it: takes messages in, and changes queued payments at their payer's wish."""

from __future__ import annotations

from sqlalchemy import Connection, RowMapping, select, update

from corridor import typed_data
from corridor.agent import amendment_digest
from corridor.engine import confirm, intake, life
from corridor.engine.desk import Desk
from corridor.engine.life import WAITING, State
from corridor.errors import CorridorError
from corridor.ledger import contracts
from corridor.model import Signature
from corridor.ports import Amendment, Answer, Submission
from corridor.store.tables import payments


class AmendmentRefused(CorridorError):
    """A change that the payment's state, or who asks for it, does not allow."""

    code = "AMENDMENT_REFUSED"
    exit_code = 3


class Operator:
    """See :class:`corridor.ports.OperatorPort`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def submit(self, submission: Submission) -> Answer:
        """Take in a message; the same message is answered the same way."""
        return intake.submit(self._desk, submission)

    def amend(self, amendment: Amendment, signature: Signature) -> None:
        """Hold, release, cancel or re-prioritise a payment that waits; :class:`AmendmentRefused` otherwise."""
        desk = self._desk
        self._check_signature(amendment, signature)
        with desk.database.begin() as connection:
            chosen = select(payments).where(payments.c.uetr == amendment.uetr, payments.c.payer == amendment.bank)
            row = connection.execute(chosen).mappings().first()
            if row is None:
                raise AmendmentRefused(f"{amendment.bank} has no payment {amendment.uetr}", next_step="Check the UETR")
            if State(row["state"]) not in WAITING:
                why = f"payment {amendment.uetr} is {row['state']}"
                raise AmendmentRefused(why, next_step="Only a payment that still waits can be changed")
            _CHANGES[amendment.verb](connection, desk, row, amendment)
        confirm.deliver(desk)

    def _check_signature(self, amendment: Amendment, signature: Signature) -> None:
        desk = self._desk
        domain = typed_data.domain_separator(desk.deployment.chain_id, desk.deployment.settlement)
        record = contracts.participant(desk.ledger, desk.deployment.registry, amendment.bank)
        if typed_data.signer_of(amendment_digest(domain, amendment), signature) != record.key.lower():
            raise AmendmentRefused(
                f"the change is not signed by {amendment.bank}", next_step="Ask the bank's own agent"
            )


def _hold(connection: Connection, desk: Desk, row: RowMapping, _: Amendment) -> None:
    _set(connection, desk, row, "held", {"held": True, "reason": "held by its bank", "reason_code": "HELD"})
    why = "held by its bank; release it to let it settle"
    confirm.report_status(connection, desk, [row["uetr"]], "PDNG", why)


def _release(connection: Connection, desk: Desk, row: RowMapping, _: Amendment) -> None:
    _set(connection, desk, row, "released", {"held": False, "reason": None, "reason_code": None})


def _prioritise(connection: Connection, desk: Desk, row: RowMapping, amendment: Amendment) -> None:
    if amendment.priority not in (1, 2):
        raise AmendmentRefused("a priority is 1 (HIGH) or 2 (NORM)", next_step="Name one of them")
    _set(connection, desk, row, "priority", {"priority": amendment.priority})


def _cancel(connection: Connection, desk: Desk, row: RowMapping, _: Amendment) -> None:
    """End the payment; the other side of a matched trade waits for a counterparty again."""
    life.move(connection, desk.now_s(), [row["uetr"]], State.CANCELLED, reason="cancelled by its bank")
    confirm.report_status(connection, desk, [row["uetr"]], "CANC", "cancelled by its bank")
    if row["trade_reference"] is None or row["obligation"] is None:
        return
    partners = select(payments.c.uetr).where(payments.c.obligation == row["obligation"], payments.c.uetr != row["uetr"])
    for uetr in connection.execute(partners).scalars().all():
        life.move(connection, desk.now_s(), [uetr], State.UNMATCHED, reason="the counterparty cancelled")
        connection.execute(update(payments).where(payments.c.uetr == uetr).values(obligation=None))


def _set(connection: Connection, desk: Desk, row: RowMapping, event: str, values: dict[str, object]) -> None:
    life.record(connection, desk.now_s(), event, uetrs=[row["uetr"]])
    connection.execute(update(payments).where(payments.c.uetr == row["uetr"]).values(values))


_CHANGES = {"hold": _hold, "release": _release, "priority": _prioritise, "cancel": _cancel}
