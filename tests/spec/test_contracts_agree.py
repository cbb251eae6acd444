"""The contracts and their specification, driven together at random: they agree on every outcome, error and balance.

``CORRIDOR_DIFFERENTIAL_EXAMPLES`` and ``_STEPS`` make it longer.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from corridor.ledger import contracts
from corridor.ledger.abi import contract
from tests.spec.machine import TOTALS, ContractsAgree
from tests.spec.rebuilding import Books, rebuild
from tests.spec.world import BANKS

EXAMPLES = int(os.environ.get("CORRIDOR_DIFFERENTIAL_EXAMPLES", "12"))
STEPS = int(os.environ.get("CORRIDOR_DIFFERENTIAL_STEPS", "60"))


class RebuiltFromEvents(ContractsAgree):
    """The same days; at the end of each, everything is rebuilt from events and compared with the contracts' answers."""

    compared = 0

    def teardown(self) -> None:
        if hasattr(self, "sides"):
            self.compare()
        super().teardown()

    def compare(self) -> None:
        ledger, deployment = self.sides.ledger, self.sides.deployment
        head = ledger.head()
        logs = ledger.logs(deployment.addresses, deployment.block_number, head.number)
        books = rebuild(contracts.occurrences(logs), deployment.settlement)
        for (bic, symbol), account in contracts.accounts(ledger, deployment.tokens, BANKS).items():
            place = (deployment.tokens[symbol], bic)
            assert books.balance[place] == account.balance_minor
            assert books.held[place] == account.held_minor
            assert (place in books.frozen) == account.frozen
        for symbol, supply in contracts.supplies(ledger, deployment.tokens).items():
            token = deployment.tokens[symbol]
            rebuilt = (books.issued[token], books.redeemed[token], token in books.paused)
            assert rebuilt == (supply.issued_minor, supply.redeemed_minor, supply.paused)
        for one in contracts.participants(ledger, deployment.registry):
            bank = books.banks[one.bic]
            stopped = bank.suspended or head.timestamp_s < bank.stopped_until_s
            assert (bank.key, bank.lei, bank.epoch) == (one.key, one.lei, one.epoch)
            assert stopped == (one.status is contracts.ParticipantStatus.SUSPENDED)
            waiting = contracts.key_change(ledger, deployment.registry, one.bic)
            rebuilt = (bank.proposed_key, bank.recovery_key, bank.executable_at_s)
            assert rebuilt == (waiting.proposed_key, waiting.recovery_key, waiting.executable_at_s)
        self.compare_the_rest(books)
        records = contracts.obligation_records(ledger, deployment.settlement, list(books.states))
        for (identity, (state, attempt)), record in zip(books.states.items(), records, strict=True):
            mask = sum(1 << index for index in books.locked[identity])
            assert (state, attempt, mask) == (record.state.name, record.attempt, record.locked_mask)
        for (proposer, number), batch_id in books.rounds.items():
            assert contracts.batch_of(ledger, deployment.settlement, proposer, number) == batch_id
        assert len(books.rounds) == len(self.state.rounds)
        effective = [one for one in self.state.records.values() if one.state != "None"]
        assert len(books.states) == len(effective)
        RebuiltFromEvents.compared += len(books.states) + len(books.rounds)

    def compare_the_rest(self, books: Books) -> None:
        """Issuers, redemption requests, used references, approved consents and documents."""
        ledger, deployment = self.sides.ledger, self.sides.deployment
        function = contract(contracts.REGISTRY).function("issuerOf")
        for country, issuer in books.issuers.items():
            assert ledger.call(deployment.registry, function, country.encode()) == (issuer,)
        for symbol, token in deployment.tokens.items():
            found = contracts.redemption_requests(ledger, token)
            rebuilt = {number: one for (at, number), one in books.requests.items() if at == token}
            assert rebuilt == {one.number: (one.participant, one.amount_minor, one.state.name) for one in found}
            assert {one for at, one in books.references if at == token} == self.state.tokens[symbol].references
        function = contract(contracts.SETTLEMENT).function("approved")
        for key, digest in books.approved:
            assert ledger.call(deployment.settlement, function, key, digest) == (True,)
        assert len(books.approved) == len(self.state.approved)
        for document, (bic, kind) in books.evidence.items():
            evidence = contracts.evidence_of(ledger, deployment.evidence, document)
            assert evidence is not None
            assert (evidence.participant, evidence.document_type) == (bic, kind)
        assert len(books.evidence) == 1


def run(machine: type[ContractsAgree], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            # Fixed by default; the long campaign tries others each time.
            derandomize="CORRIDOR_DIFFERENTIAL_EXAMPLES" not in os.environ,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            database=None,
            print_blob=True,
        ),
    )


@pytest.mark.slow
def test_contracts_and_specification_agree_on_every_outcome_error_and_balance() -> None:
    run(ContractsAgree, EXAMPLES)
    effects = {rule: n for (rule, error), n in TOTALS.items() if not error}
    errors = sorted({error for _, error in TOTALS if error})
    print(f"{sum(TOTALS.values())} calls, {sum(effects.values())} took effect: {effects}")
    print(f"{len(errors)} errors: {', '.join(errors)}")
    assert {"settle", "settle_batch", "lock", "claim", "refund"} <= effects.keys(), "each way to settle took effect"
    assert len(errors) >= 25, "many kinds of refusal were met"


@pytest.mark.slow
def test_every_balance_and_state_is_rebuilt_from_events_alone() -> None:
    run(RebuiltFromEvents, max(5, EXAMPLES // 3))
    assert RebuiltFromEvents.compared > 0, "obligations and rounds were among what was rebuilt"
