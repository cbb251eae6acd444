"""The contracts on an embedded ledger and their specification side by side: every call goes to both."""

from __future__ import annotations

import copy
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coincurve import PrivateKey

from corridor import model, typed_data
from corridor.ledger import contracts
from corridor.ledger.abi import contract
from corridor.ledger.deployment import Currency, Jurisdiction, Plan, deploy
from corridor.ledger.embedded import open_embedded
from corridor.ledger.errors import ContractReverted
from corridor.ledger.sender import FileStore, send_once
from tests.spec import settlement as rules
from tests.spec.state import Participant, Refused, Signed, State, Token

START_S = 1_790_000_000
BANKS = ("HKBAHKHHXXX", "HKBBHKHHXXX", "THBATHBKXXX", "THBBTHBKXXX")
LEIS = ("5493000000000000HK01", "5493000000000000HK02", "5493000000000000TH01", "5493000000000000TH02")
SYMBOLS = {"HKD": ("hkd_issuer", "HK"), "THB": ("thb_issuer", "TH")}
# Every bank begins with this much of both currencies.
OPENING = 1_000


def key_of(role: str) -> bytes:
    return hashlib.sha256(role.encode()).digest()


def address_of(role: str) -> str:
    return typed_data.address_of(PrivateKey(key_of(role)).public_key)


def prepare(path: Path) -> tuple[contracts.Any, State]:
    """Deploy and open all accounts, in a new ledger at ``path``; return the deployment and the state to begin with."""
    store, clock = FileStore(None), [START_S]
    plan = Plan(
        operator=address_of("operator"),
        jurisdictions=tuple(Jurisdiction(country, address_of(issuer)) for issuer, country in SYMBOLS.values()),
        currencies=tuple(Currency(code, f"{code} deposit", 2, address_of(one[0])) for code, one in SYMBOLS.items()),
    )
    with open_embedded(path, genesis_at_s=START_S) as ledger:
        deployment = deploy(ledger, key_of("deployer"), plan, store, now_s=lambda: clock[0])
        state = State(
            ledger.chain_id,
            deployment.settlement,
            address_of("operator"),
            {country: address_of(issuer) for issuer, country in SYMBOLS.values()},
        )
        for symbol, (issuer, country) in SYMBOLS.items():
            state.tokens[symbol] = Token(address_of(issuer), country)

        def act(role: str, call: contracts.Call) -> None:
            receipt = send_once(ledger, store, key_of(role), call.intent(str(call)), now_s=lambda: clock[0])
            assert receipt.status == 1

        for bic, lei in zip(BANKS, LEIS, strict=True):
            issuer = "hkd_issuer" if bic[4:6] == "HK" else "thb_issuer"
            act(issuer, contracts.admit(deployment.registry, bic, lei, address_of(bic)))
            state.participants[bic] = Participant(address_of(bic))
        for number, bic in enumerate(BANKS):
            symbol = "HKD" if bic[4:6] == "HK" else "THB"
            token, reference = state.tokens[symbol], bytes([number + 1]) * 32
            act(SYMBOLS[symbol][0], contracts.issue(deployment.tokens[symbol], bic, 2 * OPENING, reference))
            foreign = BANKS[(number + 2) % 4]
            move = contract(contracts.TOKEN).function("transfer").encode(address_of(foreign), OPENING)
            act(bic, contracts.Call(deployment.tokens[symbol], move, contracts.SMALL_CALL_GAS))
            token.issued += 2 * OPENING
            token.account(bic).balance = token.account(foreign).balance = OPENING
            token.references.add(reference)
        act(BANKS[0], contracts.anchor_evidence(deployment.evidence, b"\x01" * 32, "CINV"))
        state.now_s = ledger.head().timestamp_s
    return deployment, state


class Sides:
    """Both sides of one example, begun from a copy of a prepared ledger."""

    def __init__(self, prepared: tuple[Any, State], source: Path, folder: Path) -> None:
        self.deployment = prepared[0]
        self.state = copy.deepcopy(prepared[1])
        path = folder / "ledger.sqlite"
        shutil.copy(source, path)
        self.ledger = open_embedded(path, genesis_at_s=START_S)
        self.secrets = {address_of(role): key_of(role) for role in (*BANKS, "operator", "hkd_issuer", "thb_issuer")}
        self.secrets[address_of("stranger")] = key_of("stranger")
        self.sent = 0
        self.changed = True
        self.outcomes: dict[tuple[str, str], int] = {}

    def close(self) -> None:
        self.ledger.close()

    def address(self, symbol: str) -> int:
        return int(self.deployment.tokens[symbol], 16)

    def new_key(self) -> str:
        self.sent += 1
        secret = key_of(f"key {self.sent}")
        address = typed_data.address_of(PrivateKey(secret).public_key)
        self.secrets[address] = secret
        return address

    def both(self, caller: str, call: contracts.Call, at_s: int, rule: Callable[..., None], *arguments: Any) -> str:
        """Make the call on the ledger in a block at ``at_s`` and by the specification; they must agree.

        Returns the name of the error, empty where the call took effect.
        """
        expected = self._expected(caller, at_s, rule, *arguments)
        self.sent += 1
        intent = call.intent(f"call {self.sent}")
        receipt = send_once(
            self.ledger, FileStore(None), self.secrets[caller], intent, now_s=lambda: at_s, sleep=lambda _: None
        )
        actual = "" if receipt.status == 1 else self._reason(caller, call)
        assert self.ledger.head().timestamp_s == at_s, "the block is not where the specification was"
        assert actual == expected, f"{rule.__name__}: the contracts say {actual!r}, the specification {expected!r}"
        outcome = (rule.__name__, expected)
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        return expected

    def _expected(self, caller: str, at_s: int, rule: Callable[..., None], *arguments: Any) -> str:
        after = copy.deepcopy(self.state)
        after.now_s = self.state.now_s = at_s
        try:
            rule(after, caller, *arguments)
        except Refused as refused:
            return str(refused)
        self.state = after
        self.changed = True
        return ""

    def _reason(self, caller: str, call: contracts.Call) -> str:
        # A refused transaction has changed nothing and the head has its time: asked again, it says why.
        try:
            self.ledger.try_transaction(caller, call.to, call.data, call.gas)
        except ContractReverted as reverted:
            return reverted.error
        raise AssertionError("refused in its block and not after it")

    def agree(self) -> None:
        """Every account and obligation is the same on both sides. A refused call cannot have changed anything."""
        if not self.changed:
            return
        self.changed = False
        found = contracts.accounts(self.ledger, self.deployment.tokens, BANKS)
        for (bic, symbol), account in found.items():
            expected = self.state.tokens[symbol].account(bic)
            assert (account.balance_minor, account.held_minor) == (expected.balance, expected.held), (bic, symbol)
            assert account.frozen == expected.frozen
        known = list(self.state.records)
        ids = [typed_data.obligation_id(self.obligation(legs)) for legs in known]
        if ids:
            records = contracts.obligation_records(self.ledger, self.deployment.settlement, ids)
            for legs, record in zip(known, records, strict=True):
                one_record = self.state.records[legs]
                mask = sum(1 << index for index in one_record.locked)
                assert record.state.name == one_record.state.upper()
                assert (record.attempt, record.locked_mask) == (one_record.attempt, mask)

    def agree_on_the_rest(self) -> None:
        """Every supply, participant and round is the same, too: at the end of an example."""
        for symbol, supply in contracts.supplies(self.ledger, self.deployment.tokens).items():
            token = self.state.tokens[symbol]
            assert (supply.issued_minor, supply.redeemed_minor) == (token.issued, token.redeemed)
            assert supply.supply_minor == sum(account.balance for account in token.accounts.values())
        for one in contracts.participants(self.ledger, self.deployment.registry):
            expected_one = self.state.participants[one.bic]
            active = one.status is contracts.ParticipantStatus.ACTIVE
            assert (one.key, one.epoch, active) == (expected_one.key, expected_one.epoch, self.state.active(one.bic))
        for (proposer, number), batch in self.state.rounds.items():
            settled = contracts.batch_of(self.ledger, self.deployment.settlement, proposer, number)
            assert settled == typed_data.batch_id(self.batch(batch))

    # From the specification's words to the ledger's

    def obligation(self, legs: tuple[rules.Leg, ...]) -> model.Obligation:
        tokens = self.deployment.tokens
        return model.Obligation((), tuple(model.Leg(a, b, chain, tokens[c], n) for a, b, chain, c, n in legs))

    def terms(self, terms: tuple) -> model.LockTerms:
        attempt, hashlock, timelock_s, chain, settlement, other_s = terms
        return model.LockTerms(attempt, hashlock, timelock_s, chain, settlement or "0x" + "00" * 20, other_s)

    def batch(self, batch: rules.Batch) -> model.Batch:
        tokens = tuple(self.deployment.tokens[symbol] for symbol in batch.tokens)
        head = (batch.proposer, batch.round, batch.deadline_s, tokens)
        return model.Batch(*head, batch.participants, batch.roots, batch.positions)

    def digest(self, content: tuple) -> bytes:
        """The digest of what is signed."""
        kind, chain_id, address, *fields = content
        domain = typed_data.domain_separator(chain_id, address)
        if kind == "gross":
            bic, epoch, deadline_s, legs = fields
            return typed_data.gross_consent_digest(domain, bic, epoch, deadline_s, self.obligation(legs))
        if kind == "lock":
            bic, epoch, deadline_s, legs, terms = fields
            one, shown = self.obligation(legs), self.terms(terms)
            return typed_data.lock_consent_digest(domain, bic, epoch, deadline_s, one, shown)
        if kind == "net":
            bic, epoch, batch = fields
            return typed_data.net_consent_digest(domain, bic, epoch, self.batch(batch))
        return typed_data.batch_proposal_digest(domain, self.batch(fields[0]))

    def signature(self, signed: Signed | None) -> model.Signature:
        if signed is None:
            return contracts.NO_SIGNATURE
        return typed_data.sign_digest(self.secrets[signed.key], self.digest(signed.content))
