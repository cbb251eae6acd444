"""A bank's agent: it holds the bank's key, keeps the bank's own books, and signs only what it has checked.

The operator is not trusted with money. The agent records what its bank instructs before anything leaves, checks every
proposal against these books and its own view of the ledger, stores list and proofs before its signature leaves, and
hands its bank a forwarded payment only when it hashes to an obligation that is discharged and final on the ledger.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from eth_hash.auto import keccak
from sqlalchemy import Engine, select

from corridor import consent_rules, credit_rules, typed_data, wire
from corridor.agent_books import Consent, SqlBooks
from corridor.consent_rules import Books, Instructed, Place
from corridor.credit_rules import DeliveryRefused, ForwardRefused
from corridor.iso20022 import ANSWERS, CreditTransfer, UnreadableMessage, definition_of_message, read_message
from corridor.ledger import contracts
from corridor.ledger.contracts import Call
from corridor.model import MAX_CONSENT_S, LockTerms, Obligation, ObligationRecord, Signature
from corridor.ports import (
    Amendment,
    Answer,
    ConsentRefused,
    Delivery,
    GrossProposal,
    NetProposal,
    OperatorPort,
    Submission,
)
from corridor.store.tables import mailbox

# A plain file name, as wide as the store's column: the operator must not choose where a file lands.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


class LedgerView(Protocol):
    """What an agent reads on its bank's own node; all of it at a final block, time and epoch apart."""

    chain_id: int
    settlement: str

    def time_s(self) -> int:
        """The ledger's time now."""

    def final_time_s(self) -> int:
        """Time of the newest final block."""

    def epoch(self, participant: str) -> int:
        """The participant's consent epoch."""

    def batch_of(self, proposer: str, round_: int) -> bytes | None:
        """The batch that took the round, if one did."""

    def record(self, obligation_id: bytes) -> ObligationRecord:
        """What the ledger knows of the obligation."""

    def is_discharged(self, obligation_id: bytes) -> bool:
        """Whether the obligation was settled gross or claimed."""


@dataclass(frozen=True, slots=True)
class Bank:
    """Who the agent works for: BIC, key, and the operator's BIC (which is never a payee)."""

    bic: str
    key: Callable[[], bytes]
    operator_bic: str


class BankAgent:
    """See the module. ``write_out(name, body)`` puts a file into the bank's outbox, atomically."""

    def __init__(
        self,
        bank: Bank,
        database: Engine,
        ledger: LedgerView,
        place: Place,
        write_out: Callable[[str, bytes], None],
    ) -> None:
        self.bic = bank.bic
        self._bank = bank
        self._database = database
        self._ledger = ledger
        self._place = place
        self._write_out = write_out
        self._domain = typed_data.domain_separator(ledger.chain_id, ledger.settlement)

    def close(self) -> None:
        """Release the agent's store."""
        self._database.dispose()

    # -- what the bank asks ---------------------------------------------------------------------------------------

    def submit(self, raw: bytes, operator: OperatorPort) -> Answer:
        """Record the bank's message in its own books, sign it, and send it on. Doing so again changes nothing."""
        instructions = self._instructions_in(raw)
        message_hash = hashlib.sha256(raw).digest()
        signature = self._sign(typed_data.submission_digest(self._domain, self.bic, message_hash))
        with self._database.begin() as connection:
            SqlBooks(connection).record_message(message_hash, raw, wire.dump(signature), instructions)
        return operator.submit(Submission(self.bic, raw, signature))

    def amend(self, amendment: Amendment, operator: OperatorPort) -> None:
        """Hold, release, cancel or re-prioritise an own payment: first in the bank's books, then at the operator."""
        states = {"hold": "held", "release": "open", "cancel": "cancelled"}
        with self._database.begin() as connection:
            if amendment.verb in states:
                books = SqlBooks(connection)
                self._settle_books(books)
                books.set_state(amendment.uetr, states[amendment.verb])
        signature = self._sign(amendment_digest(self._domain, amendment))
        operator.amend(amendment, signature)

    def _instructions_in(self, raw: bytes) -> list[Instructed]:
        try:
            message = read_message(raw, operator_bic=self._bank.operator_bic)
        except UnreadableMessage:
            return []
        return [one for one in (_instructed(transfer, self.bic) for transfer in message.transactions) if one]

    # -- what two banks do alone, by hashed timelock ------------------------------------------------------------------

    def record(self, raw: bytes) -> None:
        """Record what the bank instructs without the operator: for a trade that two banks settle alone."""
        message_hash = hashlib.sha256(raw).digest()
        signature = self._sign(typed_data.submission_digest(self._domain, self.bic, message_hash))
        with self._database.begin() as connection:
            SqlBooks(connection).record_message(message_hash, raw, wire.dump(signature), self._instructions_in(raw))

    def lock(self, owed: Obligation, terms: LockTerms, other: LedgerView | None = None) -> Call:
        """Check and record that the bank locks its legs, and return the transaction that does; its bank sends it.

        The obligation then is in this lock and in no consent, until a final block shows it claimed or the timelock
        passed. Asked again for the very same lock, say after a crash before it was sent, the answer is the same.
        Where the terms name a second ledger, ``other`` is the bank's own view of it.
        Raises :class:`ConsentRefused`.
        """
        consent_rules.check_canonical(self.bic, owed)
        if terms.other_chain_id:
            self._check_other_ledger(owed, terms, other)
        identifier = typed_data.obligation_id(owed)
        deadline_s = self._ledger.time_s() + MAX_CONSENT_S // 2
        epoch = self._ledger.epoch(self.bic)
        with self._database.begin() as connection:
            books = SqlBooks(connection)
            self._settle_books(books)
            evidence = json.dumps({"obligation": wire.plain(owed), "terms": wire.plain(terms)})
            if books.evidence(identifier, "live") != evidence:
                consent_rules.check_lock(self.bic, self._place, self._known(books, [owed]), owed)
                digest = typed_data.lock_consent_digest(self._domain, self.bic, epoch, deadline_s, owed, terms)
                consent = Consent("lock", digest, identifier, None, None, terms.timelock_s)
                debits = consent_rules.net_debits(self.bic, self._place, (owed,))
                books.record_consent(consent, debits, evidence, self._items([owed]))
        return contracts.lock(self._ledger.settlement, owed, terms, self.bic, deadline_s)

    def _check_other_ledger(self, owed: Obligation, terms: LockTerms, other: LedgerView | None) -> None:
        """The bank sees the other ledger itself; with the earlier timelock, it locks only behind the lead leg."""
        named = (terms.other_chain_id, terms.other_settlement.lower())
        if other is None or (other.chain_id, other.settlement.lower()) != named:
            raise ConsentRefused(self.bic, "terms", f"this bank has no node of chain {named[0]}, contract {named[1]}")
        if terms.timelock_s > terms.other_timelock_s:
            return
        record = other.record(typed_data.obligation_id(owed))
        lead = terms.mirrored(self._ledger.chain_id, self._ledger.settlement, record.attempt)
        later_by_s = (lead.timelock_s - other.time_s()) - (terms.timelock_s - self._ledger.time_s())
        consent_rules.check_follow(self.bic, owed, lead, record, other.chain_id, later_by_s=later_by_s)

    # -- what the operator asks -----------------------------------------------------------------------------------

    def gross_consent(self, proposal: GrossProposal) -> Signature:
        """Consent to settle one obligation; :class:`ConsentRefused` otherwise."""
        epoch = self._check_time(proposal.deadline_s)
        consent_rules.check_canonical(self.bic, proposal.obligation)
        identifier = typed_data.obligation_id(proposal.obligation)
        with self._database.begin() as connection:
            books = SqlBooks(connection)
            self._settle_books(books)
            known = self._known(books, [proposal.obligation])
            consent_rules.check_gross(self.bic, self._place, known, proposal)
            digest = typed_data.gross_consent_digest(
                self._domain, self.bic, epoch, proposal.deadline_s, proposal.obligation
            )
            books.record_consent(
                Consent("gross", digest, identifier, None, None, proposal.deadline_s),
                consent_rules.net_debits(self.bic, self._place, (proposal.obligation,)),
                wire.dump(proposal),
                self._items([proposal.obligation]),
            )
        return self._sign(digest)

    def net_consent(self, proposal: NetProposal) -> Signature:
        """Consent to the bank's entry in a batch; :class:`ConsentRefused` otherwise."""
        batch = proposal.batch
        epoch = self._check_time(batch.deadline_s)
        consent_rules.check_shape(self.bic, batch)
        for owed in proposal.obligations:
            consent_rules.check_canonical(self.bic, owed)
        if self._ledger.batch_of(batch.proposer, batch.round) is not None:
            raise ConsentRefused(self.bic, "deadline", f"round {batch.round} is taken already")
        with self._database.begin() as connection:
            books = SqlBooks(connection)
            self._settle_books(books)
            consent_rules.check_net(self.bic, self._place, self._known(books, proposal.obligations), proposal)
            digest = typed_data.net_consent_digest(self._domain, self.bic, epoch, batch)
            books.record_consent(
                Consent("net", digest, typed_data.batch_id(batch), batch.proposer, batch.round, batch.deadline_s),
                consent_rules.net_debits(self.bic, self._place, proposal.obligations),
                wire.dump(proposal),
                self._items(proposal.obligations),
            )
        return self._sign(digest)

    def deliver(self, delivery: Delivery) -> None:
        """Take a message into the bank's outbox folder, once. A forwarded payment must prove itself first.

        Raises :class:`DeliveryRefused`: whatever instructs a credit is a forward, whether the operator says so or not.
        """
        if not _NAME.fullmatch(delivery.name):
            raise DeliveryRefused(f"{delivery.name!r} is no plain file name")
        with self._database.begin() as connection:
            stored = select(mailbox.c.body).where(mailbox.c.message == delivery.name)
            body = connection.execute(stored).scalar()
            if body is None:
                books = SqlBooks(connection)
                # Also with what tells a payer that it has paid: it may be a while until its next consent.
                self._settle_books(books)
                if delivery.is_forward:
                    self._check_forward(books, delivery)
                elif definition_of_message(delivery.body) not in ANSWERS:
                    raise DeliveryRefused(f"{delivery.name} is no answer: {', '.join(sorted(ANSWERS))}")
                for state, uetrs in delivery.ended.items():
                    books.end(uetrs, state)
                row = {"message": delivery.name, "body": delivery.body}
                connection.execute(mailbox.insert().values(row))
            elif body != delivery.body:
                raise DeliveryRefused(f"{delivery.name} was delivered before with other content")
        self._write_out(delivery.name, delivery.body)

    # -- how it checks --------------------------------------------------------------------------------------------

    def _sign(self, digest: bytes) -> Signature:
        return typed_data.sign_digest(self._bank.key(), digest)

    def _check_time(self, deadline_s: int) -> int:
        """Refuse a deadline that is past or too far off; return the bank's own consent epoch."""
        left_s = deadline_s - self._ledger.time_s()
        if not 0 < left_s <= MAX_CONSENT_S:
            raise ConsentRefused(self.bic, "deadline", f"it ends in {left_s} s, allowed are 1 to {MAX_CONSENT_S} s")
        return self._ledger.epoch(self.bic)

    def _known(self, books: SqlBooks, obligations: Sequence[Obligation]) -> Books:
        uetrs = (uetr for owed in obligations for uetr in consent_rules.own_instructions(self.bic, owed))
        return books.snapshot(map(typed_data.obligation_id, obligations), uetrs)

    def _items(self, obligations: Sequence[Obligation]) -> set[str]:
        """What a consent ties up: the obligations, and this bank's own instructions in them."""
        ids = {typed_data.obligation_id(owed).hex() for owed in obligations}
        return ids.union(*(consent_rules.own_instructions(self.bic, owed) for owed in obligations))

    def _settle_books(self, books: SqlBooks) -> None:
        """Release or discharge what live consents tie up, by what *final* blocks say and by nothing else."""
        final_time_s = self._ledger.final_time_s()
        taken: dict[tuple[str, int], bytes | None] = {}
        for consent in books.live_consents():
            passed = final_time_s >= consent.deadline_s
            if consent.kind != "net":
                if self._ledger.is_discharged(consent.subject):
                    books.close(consent, "discharged")
                elif passed:
                    books.close(consent, "released")
                continue
            slot = (consent.proposer or "", consent.round or 0)
            if slot not in taken:
                taken[slot] = self._ledger.batch_of(*slot)
            if taken[slot] == consent.subject:
                books.close(consent, "discharged")
            elif taken[slot] is not None or passed:
                books.close(consent, "released")

    def _check_forward(self, books: SqlBooks, delivery: Delivery) -> None:
        """Every payment in the message is one that an obligation discharged for good brings, and brought once."""
        for owed in delivery.obligations:
            credit_rules.check_written(delivery.name, owed)
        known = self._known(books, delivery.obligations)
        for identifier in map(typed_data.obligation_id, delivery.obligations):
            if identifier not in known.discharged and not self._ledger.is_discharged(identifier):
                raise ForwardRefused(f"{delivery.name}: obligation {identifier.hex()} is not discharged and final")
        message = read_message(delivery.body, operator_bic=self._bank.operator_bic)
        credit_rules.check_forward(self.bic, self._place, known.instructed, delivery, message)
        brought = [(transfer.payer_bic, transfer.uetr or "") for transfer in message.transactions]
        if (twice := books.record_credits(brought, delivery.name)) is not None:
            raise ForwardRefused(f"{delivery.name}: {twice} was forwarded before")


def amendment_digest(domain: bytes, amendment: Amendment) -> bytes:
    """What a bank signs to change a queued payment. Another hash than a file's: no file is a change in disguise."""
    text = json.dumps([amendment.uetr, amendment.verb, amendment.priority])
    return typed_data.submission_digest(domain, amendment.bank, keccak(text.encode()))


def _instructed(transfer: CreditTransfer, bank: str) -> Instructed | None:
    """Return what the bank instructs by ``transfer``; None where it is not this bank's or can't be paid."""
    amount_minor = credit_rules.minor(transfer.currency, transfer.amount_text)
    bought_minor = (
        credit_rules.minor(transfer.pvp.bought_currency, transfer.pvp.bought_amount_text) if transfer.pvp else None
    )
    unclear = transfer.fault is not None or (transfer.pvp is not None and bought_minor is None)
    if transfer.uetr is None or transfer.payer_bic != bank or amount_minor is None or unclear:
        return None
    return Instructed(
        transfer.uetr,
        transfer.content_hash,
        transfer.payee_bic,
        transfer.currency,
        amount_minor,
        transfer.pvp.bought_currency if transfer.pvp else None,
        bought_minor,
        "open",
    )
