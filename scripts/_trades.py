"""What a bank's scripts do with its agent, its proposals and its trades."""

from __future__ import annotations

import functools
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from corridor import bilateral, wire
from corridor.bilateral import LedgerNow, Trade
from corridor.ledger import contracts
from corridor.ledger.adapter import Ledger, connect
from corridor.ledger.deployment import Deployment, load_deployment
from corridor.ledger.sender import write_durably
from corridor.ledger.view import FinalView
from corridor.model import LockTerms, Obligation, ObligationRecord
from corridor.money import format_minor
from corridor.ports import GrossProposal, NetProposal
from corridor.typed_data import obligation_id
from scripts import _common
from scripts._common import KeyOptions, Place, Signer, Unusable

if TYPE_CHECKING:
    from corridor.agent import BankAgent

# A consent or a lock by transaction is signed to be used at once; the contract's own bound is 900 s.
CONSENT_S = 300


# -- the bank's agent ------------------------------------------------------------------------------------------------


def home_of(where: Place, bank: str) -> Path:
    """The bank's own folder: its key, its agent's books, its outbox."""
    return where.data_dir / "banks" / bank


@contextmanager
def open_agent(where: Place, bank: str, by: Signer, second: Second | None = None) -> Iterator[BankAgent]:
    """The bank's agent with the bank's own books, which are made where there are none."""
    from corridor.agent import Bank, BankAgent
    from corridor.consent_rules import Place as LedgerPlace
    from corridor.store.database import open_database, sqlite_url

    placed, participant = where.deployment, where.config.participants.get(bank)
    limits = participant.debit_limits_minor if participant else {}
    home = home_of(where, bank)
    agent = BankAgent(
        Bank(bank, lambda: by.key, where.config.operator_bic),
        open_database(sqlite_url(home / "agent.db"), "agent"),
        FinalView(where.ledger, placed, _common.now_s),
        LedgerPlace(
            placed.chain_id,
            placed.tokens,
            {placed.tokens[code].lower(): limit for code, limit in limits.items()},
            second.tokens if second else {},
        ),
        functools.partial(_write_out, home / "outbox"),
    )
    try:
        yield agent
    finally:
        agent.close()


def _write_out(outbox: Path, name: str, body: bytes) -> None:
    # Imported here: it brings the whole engine, and neither a consent nor a lock gets a message.
    from corridor.app import write_out

    write_out(outbox, name, body)


def record_own(where: Place, agent: BankAgent, raws: Sequence[bytes]) -> None:
    """Record the bank's own messages in its books; the other bank's are no instructions of its."""
    for raw in raws:
        if bilateral.pays_in(raw, agent.bic, where.config.operator_bic):
            agent.record(raw)


def read_proposal(path: Path) -> GrossProposal | NetProposal:
    """Read a proposal file; a net one has a batch."""
    text = path.read_text()
    try:
        return wire.load(NetProposal, text) if "batch" in json.loads(text) else wire.load(GrossProposal, text)
    except (ValueError, TypeError) as error:
        raise Unusable(f"{path} is no proposal: {error}", next_step="Ask the operator for it again") from error


def example_proposal(where: Place, raws: Sequence[bytes]) -> GrossProposal:
    """A proposal to settle what the messages ask for; only on ape's test provider, where no operator sent one."""
    if where.throwaway is None:
        raise Unusable("no PROPOSAL file is named", next_step="Name the one that the operator sent")
    return GrossProposal(agreed_obligation(where, None, "", raws), where.time_s() + CONSENT_S)


# -- trades ----------------------------------------------------------------------------------------------------------


def read_files(messages: Sequence[Path]) -> list[bytes]:
    """The files' contents."""
    return [path.read_bytes() for path in messages]


@dataclass(frozen=True)
class Second:
    """The second ledger of a trade, as the bank's own node there shows it."""

    ledger: Ledger
    deployment: Deployment

    @property
    def tokens(self) -> dict[str, tuple[int, str]]:
        """Chain id and token address by currency."""
        return {code: (self.deployment.chain_id, token) for code, token in self.deployment.tokens.items()}

    def now(self, owed: Obligation) -> LedgerNow:
        """What final blocks there say of the obligation, and the time there."""
        view = FinalView(self.ledger, self.deployment, _common.now_s)
        record = view.record(obligation_id(owed))
        return LedgerNow(self.deployment.chain_id, self.deployment.settlement, record, view.time_s())


def second_ledger(where: Place, node: str | None, addresses: Path | None) -> Second | None:
    """The second ledger that the options name; None where they name none."""
    if node is None and addresses is None:
        return None
    if node is None or addresses is None:
        raise Unusable("a second ledger has a node and an address file", next_step="Name both: --node-2, --addresses-2")
    ledger = connect(node, finality_blocks=where.config.finality_blocks)
    placed = load_deployment(addresses, ledger)
    if placed.chain_id == where.deployment.chain_id:
        raise Unusable(f"both nodes are of chain {placed.chain_id}", next_step="Leave --node-2 and --addresses-2 out")
    return Second(ledger, placed)


def agreed_obligation(where: Place, second: Second | None, bank: str, raws: Sequence[bytes]) -> Obligation:
    """What the banks' messages ask for together: the bank pays on this ledger, on a second one it is paid."""
    here = {code: (where.deployment.chain_id, token) for code, token in where.deployment.tokens.items()}
    tokens = here
    if second is not None:
        own = {code for raw in raws for code in bilateral.pays_in(raw, bank, where.config.operator_bic)}
        tokens = here | second.tokens | {code: here[code] for code in own if code in here}
    return bilateral.agreed_obligation(raws, tokens=tokens, operator_bic=where.config.operator_bic)


def read_trade(where: Place, path: Path) -> Trade:
    """Read a trade file of this ledger."""
    return bilateral.load_trade(
        path.read_text(), chain_id=where.deployment.chain_id, settlement=where.deployment.settlement
    )


def ledger_record(where: Place, owed: Obligation) -> ObligationRecord:
    """What the ledger knows of the obligation now."""
    [record] = contracts.obligation_records(where.ledger, where.deployment.settlement, [obligation_id(owed)])
    return record


def lead(
    where: Place, second: Second | None, path: Path, agreed: Obligation, window_s: int, bank: str, by: Signer
) -> None:
    """Make the preimage and the trade file; neither, where the ledger would refuse to lock under such terms."""
    secret, secret_path = secrets.token_bytes(bilateral.PREIMAGE_BYTES), preimage_path(path)
    if secret_path.exists():
        raise Unusable(f"{secret_path} is of an earlier trade", next_step="Name another TRADE file")
    placed = where.deployment
    here = LedgerNow(placed.chain_id, placed.settlement, ledger_record(where, agreed), where.time_s())
    made = bilateral.lead_trade(secret, agreed, here, second.now(agreed) if second else None, window_s=window_s)
    try_lock(where, made, bank, by)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The preimage first: without it the lead bank could never claim what was locked under the trade file.
    descriptor = os.open(secret_path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    write_durably(path, bilateral.dump_trade(made))
    click.echo(f"trade file {path}: send it to the other bank\npreimage in {secret_path}: keep it, tell nobody")


def try_lock(where: Place, known: Trade, bank: str, by: Signer) -> None:
    """Let the ledger say whether the bank could lock its legs now; raises its refusal."""
    terms = terms_here(where, known)
    bilateral.require_window(terms, where.time_s())
    until_s = where.time_s() + CONSENT_S
    call = contracts.lock(where.deployment.settlement, known.obligation, terms, bank, until_s)
    where.ledger.try_transaction(by.address, call.to, call.data, call.gas)


def terms_here(where: Place, known: Trade) -> LockTerms:
    """The trade's terms on this ledger."""
    return known.terms_on(where.deployment.chain_id)


def lock_legs(where: Place, second: Second | None, known: Trade, bank: str, by: Signer, raws: Sequence[bytes]) -> None:
    """Lock the bank's legs, once: its agent checks and records, the ledger decides."""
    owed, terms, settlement = known.obligation, terms_here(where, known), where.deployment.settlement
    purpose = f"{purpose_of('lock', known)}:{bank}"
    if _common.was_sent(by, where.ledger, purpose):
        call = contracts.lock(settlement, owed, terms, bank, where.time_s() + CONSENT_S)
    else:
        # Tried before the books tie the obligation up: a ledger that refuses leaves them as they were.
        try_lock(where, known, bank, by)
        with open_agent(where, bank, by, second) as agent:
            record_own(where, agent, raws)
            other = FinalView(second.ledger, second.deployment, _common.now_s) if second else None
            call = agent.lock(owed, terms, other)
    receipt = _common.send(where, by, call, purpose)
    own = [place for place, leg in enumerate(owed.legs) if leg.payer == bank]
    _common.told(receipt, f"locked: {legs_in_words(where, second, owed, *own)}")
    click.echo(f"hashlock {terms.hashlock.hex()}\ntimelock {terms.timelock_s}: claim before, refund from then on")
    chain_id = where.deployment.chain_id
    missing = [owed.legs[place].payer for place in bilateral.legs_to_lock(owed, chain_id, ledger_record(where, owed))]
    if known.crosses and chain_id == known.chain_id:
        missing += [leg.payer for leg in owed.legs if leg.chain_id != chain_id]
    click.echo(f"still to lock: {', '.join(dict.fromkeys(missing))}" if missing else "all legs are locked")


def preimage_path(trade: Path) -> Path:
    """Where the lead bank keeps the preimage of a trade."""
    return trade.with_name(trade.name + ".preimage")


def read_preimage(path: Path) -> bytes:
    """Read a preimage file: 64 hexadecimal digits."""
    try:
        return bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise Unusable(
            f"there is no readable preimage at {path}", next_step="Name the lead bank's --preimage-file"
        ) from error


def preimage_to_claim(where: Place, second: Second | None, known: Trade, named: Path | None, beside: Path) -> bytes:
    """The preimage with which the trade may be claimed here and now.

    Across two ledgers the lead bank shows it by claiming the follow leg; with it the other bank claims the lead leg.
    """
    if where.deployment.chain_id != known.chain_id:
        bilateral.require_claimable(known, Second(where.ledger, where.deployment).now(known.obligation))
    elif known.crosses and named is None:
        return _preimage_shown(second, known)
    return read_preimage(named or beside)


def _preimage_shown(second: Second | None, known: Trade) -> bytes:
    if second is None:
        raise Unusable("the trade crosses two ledgers", next_step="Name the other one: --node-2 and --addresses-2")
    placed, identifier = second.deployment, obligation_id(known.obligation)
    shown = contracts.revealed_preimage(
        second.ledger, placed.settlement, identifier, known.follow_attempt, since=placed.block_number
    )
    if shown is None:
        raise Unusable(
            f"nobody claimed on chain {placed.chain_id} yet, so the preimage is not known",
            next_step="The lead bank claims there first; if it never does, refund when the timelock has passed",
        )
    return shown


def purpose_of(verb: str, known: Trade) -> str:
    """For what a transaction of this trade is: verb, obligation, attempt."""
    return f"{verb}:{obligation_id(known.obligation).hex()}:{known.terms.attempt}"


def legs_in_words(where: Place, second: Second | None, owed: Obligation, *places: int) -> str:
    """The legs at ``places``, or all, as a sentence; on a ledger that isn't looked at, a leg has no currency's name."""
    names = {(where.deployment.chain_id, token): code for code, token in where.deployment.tokens.items()}
    if second is not None:
        names |= {place: code for code, place in second.tokens.items()}
    words = []
    for leg in [owed.legs[place] for place in places] if places else owed.legs:
        currency = names.get((leg.chain_id, leg.token.lower()))
        if currency is None:
            words.append(f"{leg.payer} pays {leg.payee} on chain {leg.chain_id}")
            continue
        words.append(f"{leg.payer} pays {leg.payee} {currency} {format_minor(currency, leg.amount_minor)}")
    return "; ".join(words)


# -- a throwaway corridor forgets what was locked in the command before ------------------------------------------------


def lock_for_show(where: Place, known: Trade) -> None:
    """In a throwaway corridor, let every payer lock the trade; nothing anywhere else."""
    if where.throwaway is None:
        return
    click.echo("This chain is new: both banks lock the trade on it first.", err=True)
    for bank in known.obligation.payers:
        by = _common.signer(where, KeyOptions(None, None, None), home_of(where, bank))
        until_s = where.time_s() + CONSENT_S
        call = contracts.lock(where.deployment.settlement, known.obligation, known.terms, bank, until_s)
        _common.send(where, by, call, f"{purpose_of('lock', known)}:{bank}")


def pass_timelock_for_show(where: Place, known: Trade) -> None:
    """In a throwaway corridor, move the chain's clock past the timelock; nothing anywhere else."""
    if where.throwaway is None:
        return
    click.echo("This chain's clock is moved past the timelock.", err=True)
    where.throwaway.tester.ethereum_tester.time_travel(known.terms.timelock_s + 1)
