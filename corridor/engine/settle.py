"""Settles what was planned: proposes, gathers consents, stores the chain transaction, sends it, waits for finality.

Whatever interrupts it, :func:`recover` finishes or undoes: a settlement without a stored chain transaction never left
the house and is undone; one with a stored transaction is sent again, byte for byte, until the ledger has spoken.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import rlp  # type: ignore[import-untyped]
import structlog
from eth_hash.auto import keccak
from sqlalchemy import Connection, RowMapping, select, update

from corridor import typed_data, wire
from corridor.engine import confirm, life
from corridor.engine.desk import Desk, payments_of, set_setting, setting
from corridor.engine.life import State
from corridor.errors import CorridorError
from corridor.ledger import contracts
from corridor.ledger.adapter import Receipt, SignedTransaction
from corridor.ledger.errors import ContractReverted, LedgerError
from corridor.ledger.sender import Intent, send_all, why_reverted
from corridor.model import MAX_CONSENT_S, Batch, Obligation, Signature
from corridor.ports import ConsentRefused, GrossProposal
from corridor.proposals import BatchPlan, plan_batch
from corridor.store import transactions
from corridor.store.tables import settlement_obligations, settlements
from corridor.store.transactions import SqlTransactionStore

log = structlog.get_logger()

# A finality rule counts blocks; four seconds are a long block, and the sum bounds the wait.
_FINALITY_PAUSE_S = 1.0
_FINALITY_LOOKS = 600
# Settlements of the same obligations within one second; a cycle makes far fewer passes.
_DEADLINE_TRIES = 60
# A transaction without call data.
_EMPTY_GAS = 21_000


class FinalityTimeout(CorridorError):
    """A settlement was mined but did not become final in time."""

    code = "FINALITY_TIMEOUT"
    exit_code = 5


@dataclass(slots=True)
class Outcome:
    """What an attempt came to: obligations settled; obligations and banks to leave out of this cycle, with why.

    ``objections``: banks that objected to single obligations.
    """

    settled: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    banks_out: dict[str, str] = field(default_factory=dict)
    objections: dict[str, str] = field(default_factory=dict)

    def refuse(self, bank: str, reason: CorridorError, objected: Iterable[str]) -> None:
        """Leave out what was objected to, or the bank as a whole."""
        named = list(objected)
        self.left_out.update(dict.fromkeys(named, str(reason)))
        if named:
            self.objections[bank] = str(reason)
        else:
            self.banks_out[bank] = str(reason)


@dataclass(frozen=True, slots=True)
class Settlement:
    """One settlement on its way: what it discharges and how the ledger is asked to."""

    id: str
    kind: str
    deadline_s: int
    obligations: tuple[Obligation, ...]
    batch: Batch | None

    @property
    def purpose(self) -> str:
        """Under which its chain transaction is stored."""
        return f"settle:{self.id}"


# -- gross -----------------------------------------------------------------------------------------------------------


def settle_gross(desk: Desk, obligations: Sequence[Obligation]) -> Outcome:
    """Settle obligations one by one, in order, each with its payers' consents."""
    outcome = Outcome()
    deadline_s = desk.ledger_time_s() + desk.config.consent_lifetime_s
    ready: list[tuple[Settlement, Intent]] = []
    for owed in obligations:
        identifier = typed_data.obligation_id(owed)
        settlement = _unused(desk, functools.partial(_gross, owed, deadline_s))
        _propose(desk, settlement)
        signatures = []
        for payer in owed.payers:
            try:
                signatures.append(desk.agents[payer].gross_consent(GrossProposal(owed, settlement.deadline_s)))
            except CorridorError as refusal:
                _note_refusal(outcome, payer, refusal, [identifier.hex()])
        if len(signatures) < len(owed.payers):
            _undo(desk, settlement, outcome.left_out[identifier.hex()])
            continue
        call = contracts.settle(desk.deployment.settlement, owed, settlement.deadline_s, signatures)
        ready.append((settlement, call.intent(settlement.purpose)))
    _send(desk, ready)
    for settlement, _ in ready:
        _conclude(desk, settlement, outcome)
    return outcome


# -- net -------------------------------------------------------------------------------------------------------------


def settle_net(desk: Desk, obligations: Sequence[Obligation]) -> Outcome:
    """Settle obligations together as one batch, with the consent of every bank that has an entry."""
    outcome = Outcome()
    round_ = _next_round(desk)
    plan = plan_batch(desk.proposer, round_, desk.ledger_time_s() + desk.config.consent_lifetime_s, obligations)
    settlement = _unused(desk, functools.partial(_net, plan))
    batch = settlement.batch
    assert batch is not None
    plan = replace(plan, batch=batch)
    _propose(desk, settlement)
    signatures = _net_consents(desk, plan, outcome)
    if outcome.left_out or outcome.banks_out:
        _undo(desk, settlement, next(iter([*outcome.left_out.values(), *outcome.banks_out.values()])))
        return outcome
    domain = typed_data.domain_separator(desk.deployment.chain_id, desk.deployment.settlement)
    proposal = typed_data.sign_digest(desk.key(), typed_data.batch_proposal_digest(domain, batch))
    call = contracts.settle_batch(desk.deployment.settlement, batch, proposal, signatures)
    intent = call.intent(settlement.purpose)
    try:
        _try(desk, settlement, intent)
    except ContractReverted as reverted:
        _blame(desk, settlement, reverted, outcome)
        _undo(desk, settlement, str(reverted))
        return outcome
    _send(desk, [(settlement, intent)])
    _conclude(desk, settlement, outcome)
    return outcome


def _try(desk: Desk, settlement: Settlement, intent: Intent) -> None:
    """Try a batch on the newest state before it is sent; :class:`ContractReverted` says what speaks against it.

    A trial runs at the newest block's time. Where an idle ledger's last block is so old that the contract would find
    the deadline too far off, the trial says nothing, and the ledger decides.
    """
    desk.ledger.advance(desk.ledger_now_s())
    if settlement.deadline_s - desk.ledger.head().timestamp_s <= MAX_CONSENT_S:
        desk.ledger.try_transaction(desk.proposer, intent.to or "", intent.data, intent.gas)


def _net_consents(desk: Desk, plan: BatchPlan, outcome: Outcome) -> list[Signature]:
    signatures = []
    for bank in plan.batch.participants:
        try:
            signatures.append(desk.agents[bank].net_consent(plan.proposal_for(bank)))
        except CorridorError as refusal:
            _note_refusal(outcome, bank, refusal, [])
    return signatures


def _note_refusal(outcome: Outcome, bank: str, refusal: CorridorError, objected: Iterable[str]) -> None:
    log.warning("consent refused", bank=bank, reason=str(refusal))
    named = objected
    if isinstance(refusal, ConsentRefused) and refusal.obligation_ids:
        named = [identifier.hex() for identifier in refusal.obligation_ids]
    outcome.refuse(bank, refusal, named)


def _next_round(desk: Desk) -> int:
    """Return the first round that no batch has taken; a round is used again until one has."""
    with desk.database.begin() as connection:
        round_ = int(setting(connection, "round", "1"))
    while contracts.batch_of(desk.ledger, desk.deployment.settlement, desk.proposer, round_) is not None:
        round_ += 1
    with desk.database.begin() as connection:
        set_setting(connection, "round", str(round_))
    return round_


def _gross(owed: Obligation, earliest_deadline_s: int, later_s: int) -> Settlement:
    deadline_s = earliest_deadline_s + later_s
    identifier = keccak(typed_data.obligation_id(owed) + typed_data.word(deadline_s)).hex()
    return Settlement(identifier, "gross", deadline_s, (owed,), None)


def _net(plan: BatchPlan, later_s: int) -> Settlement:
    batch = replace(plan.batch, deadline_s=plan.batch.deadline_s + later_s)
    return Settlement(typed_data.batch_id(batch).hex(), "net", batch.deadline_s, plan.obligations, batch)


def _unused(desk: Desk, make: Callable[[int], Settlement]) -> Settlement:
    """Return a settlement whose id was never used: one that failed within this very second had the same deadline."""
    with desk.database.begin() as connection:
        for later_s in range(_DEADLINE_TRIES):
            settlement = make(later_s)
            if connection.execute(select(settlements.c.seq).where(settlements.c.id == settlement.id)).first() is None:
                return settlement
    raise AssertionError("a settlement failed more often within a second than any cycle tries")


# -- the steps of any settlement -------------------------------------------------------------------------------------


def _uetrs(obligations: Iterable[Obligation]) -> list[str]:
    return [instruction.uetr for owed in obligations for instruction in owed.instructions]


def _propose(desk: Desk, settlement: Settlement) -> None:
    """Record that these obligations are in a batch, before any bank is asked."""
    body = wire.dump(settlement.batch) if settlement.batch else "{}"
    ids = [typed_data.obligation_id(owed).hex() for owed in settlement.obligations]
    with desk.database.begin() as connection:
        row = {
            "id": settlement.id,
            "kind": settlement.kind,
            "round": settlement.batch.round if settlement.batch else None,
            "deadline_s": settlement.deadline_s,
            "body": body,
            "state": "proposed",
        }
        connection.execute(settlements.insert().values(row))
        members = [{"settlement": settlement.id, "obligation": identifier} for identifier in ids]
        connection.execute(settlement_obligations.insert(), members)
        uetrs = _uetrs(settlement.obligations)
        life.move(connection, desk.now_s(), uetrs, State.IN_BATCH, settlement=settlement.id)


def _undo(desk: Desk, settlement: Settlement, reason: str) -> None:
    """Put the obligations of a settlement that will not happen back into the queue."""
    with desk.database.begin() as connection:
        _close(connection, settlement.id, "void", reason)
        uetrs = _uetrs(settlement.obligations)
        life.move(connection, desk.now_s(), uetrs, State.QUEUED, settlement=settlement.id, reason=reason)


def _close(connection: Connection, identifier: str, state: str, reason: str | None = None) -> None:
    values = {"state": state, "reason": reason}
    connection.execute(update(settlements).where(settlements.c.id == identifier).values(values))


def _send(desk: Desk, ready: Sequence[tuple[Settlement, Intent]]) -> None:
    """Store each chain transaction together with the state it brings about, then send them all."""
    if not ready:
        return
    for _, intent in ready:
        desk.ledger.require_room(intent.data, intent.gas)
    gas_price, first_nonce = desk.ledger.gas_price(), desk.ledger.account_nonce(desk.proposer)
    with desk.database.begin() as connection:
        for settlement, intent in ready:

            def sign(nonce: int, intent: Intent = intent) -> SignedTransaction:
                return desk.ledger.sign(
                    desk.key(), intent.to, intent.data, nonce=nonce, gas=intent.gas, gas_price=gas_price
                )

            signed = transactions.add(connection, settlement.purpose, desk.proposer, first_nonce, sign)
            values = {"state": "sending", "transaction_hash": signed.hash.removeprefix("0x")}
            connection.execute(update(settlements).where(settlements.c.id == settlement.id).values(values))
            uetrs = _uetrs(settlement.obligations)
            life.move(connection, desk.now_s(), uetrs, State.SETTLING, settlement=settlement.id)
            confirm.report_status(connection, desk, uetrs, "ACSP", f"settling, reference {settlement.id[:16]}")


def make_block(desk: Desk, purpose: str) -> None:
    """Let an idle ledger make a block, by a transaction of the operator to itself that does nothing."""
    stored = SqlTransactionStore(desk.database)
    intent = Intent(purpose, desk.proposer, b"", _EMPTY_GAS)
    send_all(desk.ledger, stored, desk.key(), [intent], now_s=desk.ledger_now_s, sleep=desk.sleep)


def _receipt(desk: Desk, settlement: Settlement) -> Receipt:
    """Send (again) what is stored for the settlement, and wait until the outcome is final."""
    stored = SqlTransactionStore(desk.database)
    intent = Intent(settlement.purpose, None, b"", 0)
    [receipt] = send_all(desk.ledger, stored, desk.key(), [intent], now_s=desk.ledger_now_s, sleep=desk.sleep)
    for _ in range(_FINALITY_LOOKS):
        if desk.ledger.is_final(receipt):
            return receipt
        desk.sleep(_FINALITY_PAUSE_S)
        desk.ledger.advance(desk.ledger_now_s())
    raise FinalityTimeout(
        f"settlement {settlement.id} is on the ledger but not final yet",
        next_step="Run the cycle again later; nothing is lost and nothing is sent twice",
    )


def _conclude(desk: Desk, settlement: Settlement, outcome: Outcome) -> None:
    """Wait for the ledger's word and write it down: final with its confirmations, or undone with the reason."""
    receipt = _receipt(desk, settlement)
    ids = [typed_data.obligation_id(owed).hex() for owed in settlement.obligations]
    if receipt.status == 1:
        with desk.database.begin() as connection:
            _close(connection, settlement.id, "final")
            uetrs = _uetrs(settlement.obligations)
            life.move(connection, desk.now_s(), uetrs, State.FINAL, settlement=settlement.id)
            confirm.confirm(connection, desk, settlement.id, settlement.obligations, receipt.transaction_hash)
        outcome.settled.extend(ids)
        log.info("settled", settlement=settlement.id, kind=settlement.kind, obligations=len(ids), gas=receipt.gas_used)
        return
    reason = _why(desk, settlement, receipt)
    _blame(desk, settlement, reason, outcome)
    _undo(desk, settlement, str(reason))


def _why(desk: Desk, settlement: Settlement, receipt: Receipt) -> LedgerError:
    with desk.database.begin() as connection:
        signed = transactions.find(connection, settlement.purpose)
    assert signed is not None
    _, _, gas, to, _, data, *_ = rlp.decode(signed.raw)
    intent = Intent(settlement.purpose, "0x" + to.hex(), data, int.from_bytes(gas, "big"))
    return why_reverted(desk.ledger, intent, desk.proposer, receipt)


def _blame(desk: Desk, settlement: Settlement, reason: CorridorError, outcome: Outcome) -> None:
    """Leave out the bank that the ledger names; where it names none, everything in this settlement."""
    named = reason.arguments.get("participant") if isinstance(reason, ContractReverted) else None
    if named is not None:
        outcome.banks_out[str(named)] = str(reason)
    else:
        ids = [typed_data.obligation_id(owed).hex() for owed in settlement.obligations]
        outcome.left_out.update(dict.fromkeys(ids, str(reason)))
    log.warning("settlement refused by the ledger", settlement=settlement.id, reason=str(reason))


# -- after a restart -------------------------------------------------------------------------------------------------


def recover(desk: Desk) -> list[str]:
    """Finish or undo what a stop interrupted; return sentences that say what was found."""
    with desk.database.begin() as connection:
        open_ones = list(
            connection.execute(
                select(settlements).where(settlements.c.state.in_(("proposed", "sending"))).order_by(settlements.c.seq)
            ).mappings()
        )
    found = []
    for row in open_ones:
        settlement = load_settlement(desk, row)
        if row["state"] == "proposed":
            _undo(desk, settlement, "interrupted before it was sent")
            found.append(f"settlement {row['id'][:16]} was not sent: its payments are queued again")
            continue
        outcome = Outcome()
        _conclude(desk, settlement, outcome)
        what = "is final" if outcome.settled else "took no effect: its payments are queued again"
        found.append(f"settlement {row['id'][:16]} had been stored: it {what}")
    return found


def load_settlement(desk: Desk, row: RowMapping) -> Settlement:
    """Return a stored settlement with its obligations, as they were signed."""
    of_settlement = select(settlement_obligations.c.obligation).where(settlement_obligations.c.settlement == row["id"])
    with desk.database.begin() as connection:
        ids = connection.execute(of_settlement).scalars().all()
        members = payments_of(connection, ids)
    obligations = tuple(
        desk.obligation(members[identifier]) for identifier in sorted(members, key=lambda one: members[one][0]["seq"])
    )
    batch = wire.load(Batch, row["body"]) if row["kind"] == "net" else None
    return Settlement(row["id"], row["kind"], row["deadline_s"], obligations, batch)
