"""One walk through every verb, on the embedded ledger and on a real node: the adapter makes them the same."""

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from eth_account import Account

from corridor import merkle, model, typed_data
from corridor.ledger import contracts
from corridor.ledger.abi import contract
from corridor.ledger.adapter import connect
from corridor.ledger.deployment import (
    Currency,
    DeploymentFailed,
    DeploymentMismatch,
    GasNotFree,
    Jurisdiction,
    Plan,
    contract_address,
    deploy,
    fund_if_needed,
    load_deployment,
    save_deployment,
)
from corridor.ledger.embedded import open_embedded
from corridor.ledger.errors import ContractReverted, LedgerUnreachable
from corridor.ledger.sender import FileStore, Intent, send_once, why_reverted
from tests.nodes import anvil

START_S = 1_790_000_000
HK_BANK, TH_BANK, FX_BANK = "HKBAHKHHXXX", "THBATHBKXXX", "HKFXHKHHXXX"
LEIS = {HK_BANK: "5493000000000000HK01", TH_BANK: "5493000000000000TH01", FX_BANK: "5493000000000000HK02"}


def key_of(role):
    return hashlib.sha256(role.encode()).digest()


def address_of(role):
    return Account.from_key(key_of(role)).address.lower()


@dataclass
class World:
    """A ledger with the corridor on it, and how to act there."""

    ledger: object
    now_s: object
    pass_time: object
    store: FileStore = field(default_factory=lambda: FileStore(None))
    deployment: object = None
    sent: int = 0

    def send(self, role, call):
        self.sent += 1
        intent = call.intent(f"test:{self.sent}")
        receipt = send_once(
            self.ledger, self.store, key_of(role), intent, now_s=self.now_s, sleep=lambda _: time.sleep(0.05)
        )
        return intent, receipt

    def succeed(self, role, call):
        intent, receipt = self.send(role, call)
        assert receipt.status == 1, why_reverted(self.ledger, intent, address_of(role), receipt)
        return receipt

    def refusal(self, role, call):
        with pytest.raises(ContractReverted) as refused:
            self.ledger.try_transaction(address_of(role), call.to, call.data, call.gas)
        return refused.value

    def accounts(self):
        found = contracts.accounts(self.ledger, self.deployment.tokens, [HK_BANK, TH_BANK, FX_BANK])
        return {who: (account.balance_minor, account.held_minor) for who, account in found.items()}

    def token(self, currency):
        return self.deployment.tokens[currency]

    def domain(self):
        return typed_data.domain_separator(self.ledger.chain_id, self.deployment.settlement)


@contextmanager
def embedded_world(directory):
    clock = [START_S]

    def pass_time(seconds):
        clock[0] = max(clock[0], ledger.head().timestamp_s) + seconds
        ledger.advance(clock[0])

    with open_embedded(directory / "ledger.sqlite", genesis_at_s=START_S) as ledger:
        yield World(ledger, lambda: clock[0], pass_time)


@contextmanager
def anvil_world(*flags):
    with anvil(*flags) as url:
        ledger = connect(url)

        def pass_time(seconds):
            ledger.node.ask("evm_increaseTime", hex(seconds))
            ledger.node.ask("evm_mine")

        yield World(ledger, lambda: ledger.head().timestamp_s, pass_time)


PLAN = Plan(
    operator=address_of("operator"),
    jurisdictions=(Jurisdiction("HK", address_of("hkd_issuer")), Jurisdiction("TH", address_of("thb_issuer"))),
    currencies=(
        Currency("HKD", "Hong Kong dollar deposit", 2, address_of("hkd_issuer")),
        Currency("THB", "Thai baht deposit", 2, address_of("thb_issuer")),
    ),
)
ROLES = ["deployer", "operator", "hkd_issuer", "thb_issuer", HK_BANK, TH_BANK, FX_BANK]


@pytest.fixture(params=["embedded", "anvil"])
def world(request, tmp_path):
    with embedded_world(tmp_path) if request.param == "embedded" else anvil_world() as made:
        fund_if_needed(made.ledger, [address_of(role) for role in ROLES])
        made.deployment = deploy(made.ledger, key_of("deployer"), PLAN, made.store, now_s=made.now_s)
        for bic, lei in LEIS.items():
            issuer = "hkd_issuer" if bic[4:6] == "HK" else "thb_issuer"
            made.succeed(issuer, contracts.admit(made.deployment.registry, bic, lei, address_of(bic)))
        hkd, thb = made.token("HKD"), made.token("THB")
        made.succeed("hkd_issuer", contracts.issue(hkd, HK_BANK, 1_000, b"H1".ljust(32)))
        made.succeed("hkd_issuer", contracts.issue(hkd, FX_BANK, 500, b"H2".ljust(32)))
        made.succeed("thb_issuer", contracts.issue(thb, TH_BANK, 4_000, b"T1".ljust(32)))
        yield made


def pvp(world, number, hkd, thb):
    chain = world.ledger.chain_id
    uetr = f"00000000-0000-4000-8000-{number:012d}"
    instructions = [model.Instruction(bic, uetr, bytes([number]) * 32) for bic in (HK_BANK, TH_BANK)]
    legs = [
        model.Leg(HK_BANK, TH_BANK, chain, world.token("HKD"), hkd),
        model.Leg(TH_BANK, HK_BANK, chain, world.token("THB"), thb),
    ]
    return model.obligation(instructions, legs)


def gross_consents(world, obligation, deadline_s):
    signatures = []
    for bic in obligation.payers:
        digest = typed_data.gross_consent_digest(world.domain(), bic, 0, deadline_s, obligation)
        signatures.append(typed_data.sign_digest(key_of(bic), digest))
    return signatures


def test_the_corridor_bounds_what_the_contract_bounds(world):
    """Written twice, for two machines; neither may be changed alone."""
    names = ["MAX_LEGS", "MAX_CONSENT_S", "MIN_LOCK_WINDOW_S", "MAX_LOCK_WINDOW_S", "SAFETY_MARGIN_S"]
    functions = [contract("PvPSettlement").function(name) for name in names]
    bounds = [world.ledger.call(world.deployment.settlement, function) for function in functions]
    assert bounds == [(getattr(model, name),) for name in names]


def test_a_walk_through_every_verb_ends_with_the_same_books_on_every_ledger(world):
    ledger, deployment, settlement = world.ledger, world.deployment, world.deployment.settlement
    epochs = contracts.active_keys(ledger, deployment.registry, [HK_BANK, TH_BANK])
    assert epochs == [(address_of(HK_BANK), 0), (address_of(TH_BANK), 0)]

    # Gross: both legs at once, once.
    deadline_s = ledger.head().timestamp_s + 600
    first = pvp(world, 1, 100, 460)
    call = contracts.settle(settlement, first, deadline_s, gross_consents(world, first, deadline_s))
    settled = world.succeed("operator", call)
    again = world.refusal("operator", call)
    assert again.error == "SettlementObligationNotOpen"
    [record] = contracts.obligation_records(ledger, settlement, [typed_data.obligation_id(first)])
    assert record.state is contracts.ObligationState.SETTLED
    assert {"ObligationSettled", "Transfer"} == {one.name for one in contracts.occurrences(settled.logs)}

    # Net: three banks, two currencies.
    batch, forest, bound = netted(world, deadline_s)
    signatures = [
        typed_data.sign_digest(key_of(bic), typed_data.net_consent_digest(world.domain(), bic, 0, batch))
        for bic in batch.participants
    ]
    assert contracts.batch_of(ledger, settlement, batch.proposer, batch.round) is None
    world.succeed("operator", contracts.settle_batch(settlement, batch, contracts.NO_SIGNATURE, signatures))
    assert contracts.batch_of(ledger, settlement, batch.proposer, batch.round) == typed_data.batch_id(batch)
    assert contracts.verify_leg(ledger, settlement, batch, forest.leg_proof(bound))

    # Lock and claim; lock and refund.
    preimage = b"\x07" * 32
    claimed, refunded = pvp(world, 3, 50, 230), pvp(world, 4, 60, 276)
    locked = []
    for obligation in (claimed, refunded):
        timelock_s = ledger.head().timestamp_s + 3_600
        terms = model.LockTerms(1, hashlib.sha256(preimage).digest(), timelock_s)
        locked.append(terms)
        for bic in obligation.payers:
            until_s = ledger.head().timestamp_s + 600
            world.succeed(bic, contracts.lock(settlement, obligation, terms, bic, until_s))
    assert world.accounts()[HK_BANK, "HKD"][1] == 50 + 60
    world.succeed("operator", contracts.claim(settlement, claimed, locked[0], preimage))
    early = world.refusal("operator", contracts.refund(settlement, refunded, locked[1], 0))
    assert (early.error, early.arguments["timelock"]) == ("SettlementRefundTooEarly", locked[1].timelock_s)
    world.pass_time(3_601)
    for leg_index in (0, 1):
        world.succeed("operator", contracts.refund(settlement, refunded, locked[1], leg_index))
    late = world.refusal("operator", contracts.claim(settlement, refunded, locked[1], preimage))
    assert late.error == "SettlementNotLocked"

    world.succeed(TH_BANK, contracts.request_redemption(world.token("THB"), 1_000))
    [request] = contracts.redemption_requests(ledger, world.token("THB"))
    assert (request.participant, request.amount_minor) == (TH_BANK, 1_000)
    world.succeed("thb_issuer", contracts.fulfil_redemption(world.token("THB"), request.number, b"R1".ljust(32)))
    assert world.accounts() == {
        (HK_BANK, "HKD"): (1_000 - 100 - 30 - 50, 0),
        (HK_BANK, "THB"): (460 + 230, 0),
        (TH_BANK, "HKD"): (100 + 50 + 30, 0),
        (TH_BANK, "THB"): (4_000 - 460 - 230 - 90 - 1_000, 0),
        (FX_BANK, "HKD"): (500, 0),
        (FX_BANK, "THB"): (90, 0),
    }
    supplies = contracts.supplies(ledger, deployment.tokens)
    assert (supplies["THB"].issued_minor, supplies["THB"].supply_minor) == (4_000, 3_000)
    logs = list(ledger.logs(deployment.addresses, deployment.block_number, 10**9))
    names = [one.name for one in contracts.occurrences(logs)]
    assert (names.count("LegLocked"), names.count("LegRefunded"), names.count("BatchSettled")) == (4, 2, 1)


def netted(world, deadline_s):
    """HK bank pays TH bank 30 HKD, TH bank pays the FX bank 90 THB, in one batch."""
    chain, hkd, thb = world.ledger.chain_id, world.token("HKD"), world.token("THB")
    obligations = [
        model.obligation([], [model.Leg(HK_BANK, TH_BANK, chain, hkd, 30)]),
        model.obligation([], [model.Leg(TH_BANK, FX_BANK, chain, thb, 90)]),
    ]
    bound = [merkle.BoundLeg(typed_data.obligation_id(one), 0, 1, one.legs[0]) for one in obligations]
    forest = merkle.LegForest(bound)
    parties = tuple(sorted([HK_BANK, TH_BANK, FX_BANK]))
    tokens = tuple(sorted([hkd, thb], key=lambda token: int(token, 16)))
    moves = {(HK_BANK, hkd): -30, (TH_BANK, hkd): 30, (TH_BANK, thb): -90, (FX_BANK, thb): 90}
    positions = tuple(moves.get((bic, token), 0) for bic in parties for token in tokens)
    roots = tuple(forest.entry_root(bic) for bic in parties)
    batch = model.Batch(address_of("operator"), 1, deadline_s, tokens, parties, roots, positions)
    return batch, forest, bound[0]


def test_a_refusal_names_the_bank_the_token_and_what_is_missing(world):
    deadline_s = world.ledger.head().timestamp_s + 600
    too_much = pvp(world, 9, 1_001, 1)
    signatures = gross_consents(world, too_much, deadline_s)
    refused = world.refusal("operator", contracts.settle(world.deployment.settlement, too_much, deadline_s, signatures))
    assert refused.error == "DepositTokenInsufficientAvailable"
    assert refused.arguments["participant"] == HK_BANK
    assert refused.arguments["token"] == world.token("HKD")
    assert (refused.arguments["available"], refused.arguments["required"]) == (1_000, 1_001)


def test_a_mined_transaction_that_took_no_effect_says_why(world):
    call = contracts.issue(world.token("THB"), TH_BANK, 5, b"T1".ljust(32))
    intent, receipt = world.send("thb_issuer", call)
    assert receipt.status == 0
    reason = why_reverted(world.ledger, intent, address_of("thb_issuer"), receipt)
    assert reason.error == "DepositTokenReferenceRefused"


def test_the_register_is_read_in_words(world):
    registry = world.deployment.registry
    world.succeed("hkd_issuer", contracts.suspend(registry, FX_BANK))
    found = {record.bic: record for record in contracts.participants(world.ledger, registry)}
    assert found[TH_BANK] == contracts.ParticipantRecord(
        TH_BANK, LEIS[TH_BANK], "TH", address_of(TH_BANK), 0, contracts.ParticipantStatus.ACTIVE
    )
    assert found[FX_BANK].status is contracts.ParticipantStatus.SUSPENDED
    with pytest.raises(ContractReverted) as refused:
        contracts.active_keys(world.ledger, registry, [TH_BANK, FX_BANK])
    assert (refused.value.error, refused.value.arguments["participant"]) == ("ParticipantNotActive", FX_BANK)
    unknown = contracts.participant(world.ledger, registry, "NOBANKHHXXX")
    assert unknown.status is contracts.ParticipantStatus.NONE


def test_keys_rotate_a_bank_is_stopped_for_a_day_and_a_document_is_anchored_once(world):
    ledger, registry = world.ledger, world.deployment.registry
    new_key = address_of("the bank's next key")
    world.succeed(TH_BANK, contracts.propose_key(registry, new_key))
    assert contracts.key_change(ledger, registry, TH_BANK) == contracts.KeyChange(new_key, "", 0)
    world.succeed("thb_issuer", contracts.confirm_key(registry, TH_BANK, new_key))
    assert contracts.active_keys(ledger, registry, [TH_BANK]) == [(new_key, 1)]

    lost, named = HK_BANK, address_of("a key for a bank that lost its own")
    world.succeed("hkd_issuer", contracts.propose_recovery(registry, lost, named))
    receipt = world.succeed("operator", contracts.confirm_recovery(registry, lost, named))
    [confirmed] = contracts.occurrences(receipt.logs)
    change = contracts.key_change(ledger, registry, lost)
    assert change == contracts.KeyChange("", named, confirmed.values["executableAt"])
    early = world.refusal("operator", contracts.execute_recovery(registry, lost))
    assert early.error == "ParticipantRecoveryTooEarly"
    world.succeed(lost, contracts.object_to_recovery(registry))
    world.succeed("hkd_issuer", contracts.propose_recovery(registry, lost, named))
    world.succeed("operator", contracts.withdraw_recovery(registry, lost))

    world.succeed("operator", contracts.suspend_for_a_day(registry, FX_BANK))
    record = contracts.participant(ledger, registry, FX_BANK)
    assert (record.status, record.emergency_used) == (contracts.ParticipantStatus.SUSPENDED, True)

    data = contract(contracts.EVIDENCE).creation_code(registry)
    intent = Intent("test:evidence", None, data, 2_000_000)
    send_once(ledger, world.store, key_of("deployer"), intent, now_s=world.now_s, sleep=lambda _: time.sleep(0.05))
    signed = world.store.find(intent.purpose)
    evidence, document = contract_address(signed.sender, signed.nonce), b"\x05" * 32
    assert contracts.evidence_of(ledger, evidence, document) is None
    world.succeed(HK_BANK, contracts.anchor_evidence(evidence, document, "CINV"))
    found = contracts.evidence_of(ledger, evidence, document)
    assert (found.participant, found.document_type) == (HK_BANK, "CINV")
    again = world.refusal(HK_BANK, contracts.anchor_evidence(evidence, document, "CINV"))
    assert (again.error, again.arguments["participant"]) == ("EvidenceDuplicate", HK_BANK)


def test_a_redemption_request_is_refused_or_withdrawn(world):
    token = world.token("THB")
    for amount in (100, 200):
        world.succeed(TH_BANK, contracts.request_redemption(token, amount))
    world.succeed("thb_issuer", contracts.refuse_redemption(token, 1))
    early = world.refusal(TH_BANK, contracts.withdraw_redemption(token, 2))
    assert early.error == "DepositTokenRedemptionTooEarly"
    world.pass_time(86_400)
    world.succeed(TH_BANK, contracts.withdraw_redemption(token, 2))
    states = [request.state for request in contracts.redemption_requests(world.ledger, token)]
    assert states == [contracts.RedemptionState.REFUSED, contracts.RedemptionState.WITHDRAWN]
    assert world.accounts()[TH_BANK, "THB"][1] == 0


def test_deploying_again_from_the_same_store_deploys_nothing(world, tmp_path):
    sent = world.ledger.account_nonce(address_of("deployer"))
    assert deploy(world.ledger, key_of("deployer"), PLAN, world.store, now_s=world.now_s) == world.deployment
    assert world.ledger.account_nonce(address_of("deployer")) == sent
    save_deployment(world.deployment, tmp_path / "addresses.json")
    assert load_deployment(tmp_path / "addresses.json", world.ledger) == world.deployment


@pytest.mark.parametrize("mined_before", [0, 1, 2, 3, 4])
def test_a_deployment_that_failed_in_the_middle_goes_on_where_it_stopped(tmp_path, monkeypatch, mined_before):
    with embedded_world(tmp_path) as world:
        store, broadcast_all, sent = tmp_path / "transactions.json", world.ledger.broadcast_all, []

        def node_dies(transactions):
            if len(sent) == mined_before:
                raise LedgerUnreachable("the node is gone")
            sent.append(transactions)
            return broadcast_all(transactions)

        with monkeypatch.context() as patched:
            patched.setattr(world.ledger, "broadcast_all", node_dies)
            with pytest.raises(LedgerUnreachable):
                deploy(world.ledger, key_of("deployer"), PLAN, FileStore(store), now_s=world.now_s)
        deployment = deploy(world.ledger, key_of("deployer"), PLAN, FileStore(store), now_s=world.now_s)
        assert world.ledger.account_nonce(address_of("deployer")) == 5, "each contract once"
        assert len(set(deployment.addresses)) == 5
        [registry] = world.ledger.call(deployment.settlement, contract("PvPSettlement").function("registry"))
        assert registry == deployment.registry


def test_a_plan_that_a_constructor_refuses_is_named(tmp_path):
    twice = replace(PLAN, jurisdictions=PLAN.jurisdictions + PLAN.jurisdictions[:1])
    with embedded_world(tmp_path) as world, pytest.raises(DeploymentFailed, match="each must be there once"):
        deploy(world.ledger, key_of("deployer"), twice, world.store, now_s=world.now_s)


def test_where_gas_is_free_nobody_needs_funds():
    with anvil_world("--gas-price", "0", "--base-fee", "0") as world:
        fund_if_needed(world.ledger, [address_of("deployer")])
        assert int(world.ledger.node.ask("eth_getBalance", address_of("deployer"), "latest"), 16) == 0
        deployment = deploy(world.ledger, key_of("deployer"), PLAN, world.store, now_s=world.now_s)
        assert world.ledger.code(deployment.settlement)


def test_an_address_file_of_a_ledger_that_was_reset_is_refused(world, tmp_path):
    save_deployment(world.deployment, tmp_path / "addresses.json")
    chain_id = world.ledger.chain_id
    with open_embedded(None, genesis_at_s=START_S) as other:
        other.chain_id = chain_id
        with pytest.raises(DeploymentMismatch, match="no contract"):
            load_deployment(tmp_path / "addresses.json", other)


def test_a_ledger_that_wants_paying_and_is_no_test_node_is_refused_with_the_addresses(monkeypatch):
    with anvil_world() as world:
        ask = world.ledger.node.ask
        monkeypatch.setattr(
            world.ledger.node,
            "ask",
            lambda method, *p: "geth/v1.13" if method == "web3_clientVersion" else ask(method, *p),
        )
        with pytest.raises(GasNotFree, match=address_of("operator")):
            fund_if_needed(world.ledger, [address_of("operator")])


def test_blocks_that_come_by_themselves_are_waited_for_and_final_after_their_number():
    with anvil_world("--block-time", "1", "--slots-in-an-epoch", "1") as world:
        fund_if_needed(world.ledger, [address_of("deployer")])
        world.ledger.finality_blocks = 2
        deployment = deploy(world.ledger, key_of("deployer"), PLAN, world.store, now_s=lambda: int(time.time()))
        stored = world.store.since(address_of("deployer"), 0)
        receipt = world.ledger.receipt(stored[-1].hash)
        assert not world.ledger.is_final(receipt)
        for _ in range(40):
            if world.ledger.is_final(receipt):
                break
            time.sleep(0.2)
        assert world.ledger.is_final(receipt)
        assert world.ledger.broadcast_all(stored) == ["mined"] * len(stored)
        assert deployment.block_number < receipt.block_number
