"""Who acts in the tests of the core: banks by role, their agents with books of their own, and a stand-in ledger."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import pytest
from coincurve import PrivateKey
from eth_hash.auto import keccak
from sqlalchemy import select

from corridor import typed_data
from corridor.agent import Bank, BankAgent
from corridor.consent_rules import Place
from corridor.iso20022 import CreditTransfer, forward, read_message
from corridor.model import Instruction, Leg, Obligation, ObligationRecord, ObligationState, obligation
from corridor.money import format_minor, parse_amount
from corridor.ports import Amendment, Answer, ConsentRefused, Delivery, GrossProposal, NetProposal, Submission
from corridor.proposals import plan_batch
from corridor.store.database import open_database, sqlite_url
from corridor.store.tables import consents, instructed
from tests.unit.iso20022_samples import OPERATOR, agent, bank_transfer, customer_transfer, message

HK_BANK_A, HK_BANK_B = "HKBAHKHHXXX", "HKBBHKHHXXX"
TH_BANK_A, TH_BANK_B = "THBATHBKXXX", "THBBTHBKXXX"

CHAIN_ID = 31337
SETTLEMENT = "0x" + "5e" * 20
PROPOSER = "0x" + "99" * 20
# Letters in the addresses, so that capitals make a difference.
HKD, THB = "0x" + "ab" * 20, "0x" + "cd" * 20
TOKENS = {"HKD": HKD, "THB": THB}
DOMAIN = typed_data.domain_separator(CHAIN_ID, SETTLEMENT)
NOW_S = 1_795_000_000
DEADLINE_S = NOW_S + 300


def key_of(bic: str) -> bytes:
    """The bank's key in tests, from a stated seed."""
    return keccak(f"tests:{bic}".encode())


def address_of(bic: str) -> str:
    """The bank's address."""
    return typed_data.address_of(PrivateKey(key_of(bic)).public_key)


def uetr_of(number: int) -> str:
    """A lower-case UUIDv4 that says its number."""
    return f"{number:08x}-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Payment:
    """A payment as its bank instructs it: the message, what it reads as, and the leg it asks for."""

    raw: bytes
    transfer: CreditTransfer

    @property
    def uetr(self) -> str:
        return self.transfer.uetr or ""

    @property
    def instruction(self) -> Instruction:
        return Instruction(self.transfer.payer_bic, self.uetr, self.transfer.content_hash)

    @property
    def leg(self) -> Leg:
        amount_minor = parse_amount(self.transfer.currency, self.transfer.amount_text)
        token = TOKENS[self.transfer.currency]
        return Leg(self.transfer.payer_bic, self.transfer.payee_bic, CHAIN_ID, token, amount_minor)


_uetrs = itertools.count(1)


def _payment(raw: bytes) -> Payment:
    (transfer,) = read_message(raw, operator_bic=OPERATOR).transactions
    return Payment(raw, transfer)


def _amount(currency: str, amount_minor: int) -> str:
    return format_minor(currency, amount_minor, grouped=False)


def payment(
    payer: str, payee: str, amount_minor: int = 100_00, currency: str = "HKD", uetr: str | None = None
) -> Payment:
    """A customer's payment (pacs.008)."""
    transaction = customer_transfer(
        uetr=uetr or uetr_of(next(_uetrs)),
        amount=_amount(currency, amount_minor),
        currency=currency,
        agents=agent("InstgAgt", payer) + agent("InstdAgt", payee),
        debtor_agent=payer,
        creditor_agent=payee,
    )
    return _payment(message(transaction))


def trade_side(payer: str, payee: str, sold: tuple[str, int], bought: tuple[str, int]) -> Payment:
    """One side of a PvP trade (pacs.009)."""
    transaction = bank_transfer(
        uetr=uetr_of(next(_uetrs)),
        amount=_amount(*sold),
        currency=sold[0],
        agents=agent("InstgAgt", payer) + agent("InstdAgt", payee),
        terms=f"<InstrForNxtAgt><InstrInf>/PVP/{bought[0]}{_amount(*bought)}</InstrInf></InstrForNxtAgt>",
    )
    return _payment(message(transaction, kind="pacs.009"))


def trade(one: str, other: str, sold: tuple[str, int], bought: tuple[str, int]) -> tuple[Payment, Payment]:
    """Both sides of a PvP trade in which ``one`` pays ``sold`` for ``bought``."""
    return trade_side(one, other, sold, bought), trade_side(other, one, bought, sold)


def obligation_of(*payments: Payment) -> Obligation:
    """What the payments form together, honestly."""
    return obligation([one.instruction for one in payments], [one.leg for one in payments])


def gross(owed: Obligation, deadline_s: int = DEADLINE_S) -> GrossProposal:
    """A proposal to settle one obligation by itself."""
    return GrossProposal(owed, deadline_s)


def net(bank: str, *obligations: Obligation, round_: int = 1, deadline_s: int = DEADLINE_S) -> NetProposal:
    """What an honest operator shows ``bank`` of a batch of ``obligations``."""
    return plan_batch(PROPOSER, round_, deadline_s, obligations).proposal_for(bank)


def forwarded(*payments: Payment, name: str = "00000001.pacs.forward.xml", obligations=None) -> Delivery:
    """What an honest operator delivers to the payee's bank for payments of one payer and message kind."""
    first = payments[0].transfer
    body = forward(
        [one.transfer.content for one in payments],
        payer_bic=first.payer_bic,
        payee_bic=first.payee_bic,
        message_id="F-1",
        created_at="2026-11-23T01:00:00Z",
    )
    owed = tuple(obligation_of(one) for one in payments) if obligations is None else tuple(obligations)
    return Delivery(name, True, body, owed, {})


@dataclass
class StandInLedger:
    """A stand-in for :class:`corridor.agent.LedgerView`: tests say what is final on it."""

    chain_id: int = CHAIN_ID
    settlement: str = SETTLEMENT
    now_s: int = NOW_S
    final_s: int = NOW_S
    epochs: dict[str, int] = field(default_factory=dict)
    rounds: dict[tuple[str, int], bytes] = field(default_factory=dict)
    discharged: set[bytes] = field(default_factory=set)
    records: dict[bytes, ObligationRecord] = field(default_factory=dict)

    def time_s(self) -> int:
        return self.now_s

    def final_time_s(self) -> int:
        return self.final_s

    def epoch(self, participant: str) -> int:
        return self.epochs.get(participant, 0)

    def batch_of(self, proposer: str, round_: int) -> bytes | None:
        return self.rounds.get((proposer, round_))

    def record(self, obligation_id: bytes) -> ObligationRecord:
        return self.records.get(obligation_id, ObligationRecord(ObligationState.NONE, 0, 0))

    def is_discharged(self, obligation_id: bytes) -> bool:
        return obligation_id in self.discharged

    def settles(self, owed: Obligation) -> None:
        """A final block shows the obligation discharged."""
        self.discharged.add(typed_data.obligation_id(owed))

    def takes_round(self, proposal: NetProposal) -> None:
        """A final block shows the round taken by this batch."""
        batch = proposal.batch
        self.rounds[batch.proposer, batch.round] = typed_data.batch_id(batch)

    def reaches(self, final_s: int) -> None:
        """A block of that time is final."""
        self.now_s, self.final_s = max(self.now_s, final_s), final_s


@dataclass
class StandInOperator:
    """A stand-in for :class:`corridor.ports.OperatorPort`: it remembers what it was told."""

    submissions: list[Submission] = field(default_factory=list)
    amendments: list[Amendment] = field(default_factory=list)

    def submit(self, submission: Submission) -> Answer:
        self.submissions.append(submission)
        given = {"files": (), "accepted": 1, "refused": 0, "seen_before": False}
        others = {one.name: None for one in fields(Answer) if one.name not in given}
        return Answer(**given, **others)

    def amend(self, amendment: Amendment, signature: object) -> None:
        self.amendments.append(amendment)


class BankActor:
    """A bank with its agent, the agent's own store, the bank's view of the ledger, and the bank's outbox."""

    def __init__(self, bic: str, store: Path, template: Path, ledger: StandInLedger) -> None:
        self.bic = bic
        self.ledger = ledger
        self.operator = StandInOperator()
        self.files: list[tuple[str, bytes]] = []
        self.signatures = 0
        self._path = store / f"{bic}.db"
        shutil.copyfile(template, self._path)
        self.limits: dict[str, int] = {}
        self.elsewhere: dict[str, tuple[int, str]] = {}
        self.restart()

    def restart(self) -> None:
        """Stop the agent, and start it again on its store."""
        if hasattr(self, "agent"):
            self.agent.close()
        self.database = open_database(sqlite_url(self._path), "agent")
        place = Place(CHAIN_ID, TOKENS, dict(self.limits), self.elsewhere)
        self.agent = BankAgent(Bank(self.bic, self._key, OPERATOR), self.database, self.ledger, place, self._write_out)

    def limit(self, **limits_minor: int) -> None:
        """Set the bank's own net debit limits, by currency."""
        self.limits = {TOKENS[currency]: limit for currency, limit in limits_minor.items()}
        self.restart()

    def instructs(self, *payments: Payment) -> None:
        """The bank hands its payments to its agent, which sends them to the operator."""
        for one in payments:
            self.agent.submit(one.raw, self.operator)

    def amends(self, verb: str, one: Payment) -> None:
        """Hold, release or cancel an own payment."""
        self.agent.amend(Amendment(self.bic, one.uetr, verb), self.operator)

    def state_of(self, one: Payment) -> str | None:
        """What the bank's own books say of its payment."""
        with self.database.begin() as connection:
            return connection.execute(select(instructed.c.state).where(instructed.c.uetr == one.uetr)).scalar()

    def consents(self) -> list[tuple[str, str]]:
        """Kind and state of every consent in the books."""
        with self.database.begin() as connection:
            return [tuple(row) for row in connection.execute(select(consents.c.kind, consents.c.state))]

    def _key(self) -> bytes:
        self.signatures += 1
        return key_of(self.bic)

    def _write_out(self, name: str, body: bytes) -> None:
        if name not in dict(self.files):
            self.files.append((name, body))


def with_batch(proposal: NetProposal, **changes: object) -> NetProposal:
    """The proposal with another batch."""
    return replace(proposal, batch=replace(proposal.batch, **changes))


def assert_refused(bank, proposal, rule, *obligations, why=""):
    """The bank refuses by ``rule``, names just these obligations, and neither signs nor records a consent."""
    before, signatures = bank.consents(), bank.signatures
    ask = bank.agent.gross_consent if hasattr(proposal, "obligation") else bank.agent.net_consent
    with pytest.raises(ConsentRefused, match=why or None) as refusal:
        ask(proposal)
    assert (refusal.value.bank, refusal.value.rule) == (bank.bic, rule)
    assert refusal.value.obligation_ids == {typed_data.obligation_id(one) for one in obligations}
    assert (bank.consents(), bank.signatures) == (before, signatures)


def signed_gross(bank, proposal):
    """Whether the bank's signature on this gross consent is its key's."""
    signature = bank.agent.gross_consent(proposal)
    digest = typed_data.gross_consent_digest(DOMAIN, bank.bic, 0, proposal.deadline_s, proposal.obligation)
    return typed_data.signer_of(digest, signature) == address_of(bank.bic)


def signed_net(bank, proposal):
    """Whether the bank's signature on this net consent is its key's."""
    signature = bank.agent.net_consent(proposal)
    digest = typed_data.net_consent_digest(DOMAIN, bank.bic, 0, proposal.batch)
    return typed_data.signer_of(digest, signature) == address_of(bank.bic)
