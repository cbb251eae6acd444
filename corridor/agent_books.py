"""A bank's own books, in its agent's store: what it instructed, and what it consented to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, delete, select, update

from corridor.consent_rules import Books, Instructed, LiveConsent
from corridor.errors import CorridorError
from corridor.store.database import chunks, insert_new, select_in
from corridor.store.tables import consent_obligations, consents, credited, instructed, submitted

# A consent but for its evidence, which may be megabytes.
_LIVE_COLUMNS = (
    consents.c.digest,
    consents.c.kind,
    consents.c.subject,
    consents.c.proposer,
    consents.c.round,
    consents.c.debits,
)


class UnknownPayment(CorridorError):
    """A UETR that this bank never instructed, or whose state does not allow what is asked."""

    code = "UNKNOWN_PAYMENT"
    exit_code = 3


@dataclass(frozen=True, slots=True)
class Consent:
    """A consent as recorded: of ``kind`` gross or net, to ``subject`` (obligation id or batch id)."""

    kind: str
    digest: bytes
    subject: bytes
    proposer: str | None
    round: int | None
    deadline_s: int


class SqlBooks:
    """The books, within one database transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- instructions ---------------------------------------------------------------------------------------------

    def record_message(
        self, message_hash: bytes, raw: bytes, signature: str, instructions: Iterable[Instructed]
    ) -> None:
        """Record a message and what it instructs. What stands in the books stays, unless it was refused before."""
        row = {"content_hash": message_hash.hex(), "raw": raw, "signature": signature}
        insert_new(self._connection, submitted, [row])
        rows = [
            {
                "uetr": one.uetr,
                "content_hash": one.content_hash.hex(),
                "payee": one.payee,
                "currency": one.currency,
                "amount_minor": one.amount_minor,
                "bought_currency": one.bought_currency,
                "bought_minor": one.bought_minor,
                "state": one.state,
            }
            for one in instructions
        ]
        for chunk in chunks([row["uetr"] for row in rows]):
            refused = delete(instructed).where(instructed.c.uetr.in_(chunk), instructed.c.state == "refused")
            self._connection.execute(refused)
        insert_new(self._connection, instructed, rows)

    def snapshot(self, obligation_ids: Iterable[bytes], uetrs: Iterable[str]) -> Books:
        """Return what the books say of these obligations and instructions."""
        identifiers, listed = [identifier.hex() for identifier in obligation_ids], list(uetrs)
        own = select_in(self._connection, select(instructed), instructed.c.uetr, listed)
        # Without the evidence, which holds the whole list: thousands of obligations are tied to one consent.
        everything = self._connection.execute(select(*_LIVE_COLUMNS).where(consents.c.state == "live")).mappings()
        all_live = {row["digest"]: _live(row) for row in everything}
        ties = select(consent_obligations.c.obligation, consents.c.digest, consents.c.state).join(consents)
        live: dict[str, tuple[LiveConsent, ...]] = {}
        discharged = set()
        for row in select_in(self._connection, ties, consent_obligations.c.obligation, [*identifiers, *listed]):
            if row["state"] == "live":
                live[row["obligation"]] = (*live.get(row["obligation"], ()), all_live[row["digest"]])
            elif row["state"] == "discharged":
                discharged.add(row["obligation"])
        return Books(
            {row["uetr"]: Instructed(**{**row, "content_hash": bytes.fromhex(row["content_hash"])}) for row in own},
            live,
            tuple(all_live.values()),
            frozenset(bytes.fromhex(one) for one in discharged.intersection(identifiers)),
        )

    def set_state(self, uetr: str, state: str) -> None:
        """Hold, release or cancel; refused for what is unknown, cancelled, discharged or in a live consent.

        What is in that state already stays: the bank asks again when it does not know whether the operator heard.
        """
        books = self.snapshot([], [uetr])
        own = books.instructed.get(uetr)
        if own is None:
            raise UnknownPayment(f"this bank instructed no payment {uetr}", next_step="Check the UETR and the bank")
        if own.state == state:
            return
        if own.state in ("cancelled", "discharged", "refused"):
            raise UnknownPayment(f"payment {uetr} is {own.state}", next_step="Nothing more can be changed")
        if uetr in books.live:
            why = f"payment {uetr} is in a consent that may still take effect"
            raise UnknownPayment(why, next_step="Try again when the settlement is final or its deadline has passed")
        self._connection.execute(update(instructed).where(instructed.c.uetr == uetr).values(state=state))

    def end(self, uetrs: Iterable[str], state: str) -> None:
        """End own open or held instructions as ``cancelled`` or ``refused``; what has ended stays as it ended.

        Nothing that the operator says may reopen a payment: :class:`UnknownPayment` for any other state.
        """
        if state not in ("cancelled", "refused"):
            raise UnknownPayment(f"no payment ends as {state}", next_step="Ask the operator what it means")
        for chunk in chunks(uetrs):
            ended = update(instructed).where(instructed.c.uetr.in_(chunk), instructed.c.state.in_(("open", "held")))
            self._connection.execute(ended.values(state=state))

    # -- payments received ----------------------------------------------------------------------------------------

    def record_credits(self, payments: Sequence[tuple[str, str]], message: str) -> str | None:
        """Record that ``message`` brings these payments (payer, UETR); return the UETR of one brought before."""
        listed = [uetr for _, uetr in payments]
        found = select_in(self._connection, select(credited), credited.c.uetr, listed)
        brought = {(row["payer"], row["uetr"]) for row in found}
        for payment in payments:
            if payment in brought:
                return payment[1]
            brought.add(payment)
        rows = [{"payer": payer, "uetr": uetr, "message": message} for payer, uetr in payments]
        self._connection.execute(credited.insert(), rows)
        return None

    # -- consents -------------------------------------------------------------------------------------------------

    def record_consent(self, consent: Consent, debits: Mapping[str, int], evidence: str, items: Iterable[str]) -> None:
        """Record a consent before its signature leaves; recording the same again changes nothing."""
        row = {
            "digest": consent.digest.hex(),
            "kind": consent.kind,
            "subject": consent.subject.hex(),
            "proposer": consent.proposer,
            "round": consent.round,
            "deadline_s": consent.deadline_s,
            "debits": json.dumps(debits),
            "evidence": evidence,
            "state": "live",
        }
        insert_new(self._connection, consents, [row])
        tied = [{"digest": consent.digest.hex(), "obligation": item} for item in sorted(items)]
        insert_new(self._connection, consent_obligations, tied)

    def live_consents(self) -> list[Consent]:
        """Every consent that could still take effect, as recorded."""
        rows = self._connection.execute(
            select(*_LIVE_COLUMNS, consents.c.deadline_s).where(consents.c.state == "live")
        ).mappings()
        return [
            Consent(
                row["kind"],
                bytes.fromhex(row["digest"]),
                bytes.fromhex(row["subject"]),
                row["proposer"],
                row["round"],
                row["deadline_s"],
            )
            for row in rows
        ]

    def close(self, consent: Consent, state: str) -> None:
        """End a live consent as ``discharged`` or ``released``; own instructions in it are discharged with it."""
        digest = consent.digest.hex()
        self._connection.execute(update(consents).where(consents.c.digest == digest).values(state=state))
        if state == "discharged":
            items = select(consent_obligations.c.obligation).where(consent_obligations.c.digest == digest)
            self._connection.execute(update(instructed).where(instructed.c.uetr.in_(items)).values(state="discharged"))

    def evidence(self, obligation_id: bytes, state: str = "discharged") -> str | None:
        """What was stored with the consent that discharged the obligation, or is live for it."""
        tied = select(consent_obligations.c.digest).where(consent_obligations.c.obligation == obligation_id.hex())
        found = select(consents.c.evidence).where(consents.c.digest.in_(tied), consents.c.state == state)
        return self._connection.execute(found).scalar()


def _live(row: RowMapping) -> LiveConsent:
    subject, debits = bytes.fromhex(row["subject"]), json.loads(row["debits"])
    return LiveConsent(row["kind"], subject, row["proposer"], row["round"], debits)
