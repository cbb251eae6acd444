"""A batch says each bank's net position, and shows each bank its own obligations and nobody else's."""

from dataclasses import replace

import pytest

from corridor.merkle import ProofError, pair_leaf, proves
from corridor.proposals import bound_legs, plan_batch
from corridor.typed_data import address_word, bic_word, obligation_id
from tests.actors import (
    HK_BANK_A,
    HK_BANK_B,
    HKD,
    PROPOSER,
    TH_BANK_A,
    TH_BANK_B,
    THB,
    obligation_of,
    payment,
    trade,
)

TRADE = obligation_of(*trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00)))
BACK = obligation_of(payment(TH_BANK_A, HK_BANK_A, 30_00))
FOREIGN = obligation_of(payment(HK_BANK_B, TH_BANK_B, 7_00))
CHAIN = obligation_of(payment(HK_BANK_A, TH_BANK_A, 100_00), payment(TH_BANK_A, TH_BANK_B, 450_00, "THB"))


def planned(*obligations):
    return plan_batch(PROPOSER, 3, 1_000, obligations)


def test_positions_are_what_is_received_less_what_is_paid():
    batch = planned(TRADE, BACK).batch
    assert (batch.participants, batch.tokens) == ((HK_BANK_A, TH_BANK_A), (HKD, THB))
    assert batch.positions == (-70_00, 450_00, 70_00, -450_00)
    assert batch.position(HK_BANK_A, HKD) == -70_00
    assert batch.position(TH_BANK_B, HKD) == 0


def test_proposer_round_and_deadline_are_as_given_with_the_address_in_small_letters():
    batch = plan_batch("0x" + "AB" * 20, 3, 1_000, [BACK]).batch
    assert (batch.proposer, batch.round, batch.deadline_s) == ("0x" + "ab" * 20, 3, 1_000)


def test_a_token_in_capitals_has_one_column():
    capitals = replace(FOREIGN, legs=(replace(FOREIGN.legs[0], token="0x" + "AB" * 20),))
    assert planned(BACK, capitals).batch.tokens == (HKD,)


def test_a_bank_is_shown_its_own_obligations_only():
    proposal = planned(TRADE, FOREIGN, BACK).proposal_for(HK_BANK_A)
    assert proposal.obligations == (TRADE, BACK)
    assert proposal.other_legs == ()


def test_a_bank_is_given_one_proof_for_each_counterparty():
    plan = planned(TRADE, BACK, CHAIN, FOREIGN)
    proposal = plan.proposal_for(TH_BANK_A)
    assert set(proposal.pair_proofs) == {HK_BANK_A, TH_BANK_B}
    for other, proof in proposal.pair_proofs.items():
        pair = (min(other, TH_BANK_A), max(other, TH_BANK_A))
        assert proves(pair_leaf(pair, plan.forest.pair_root(pair)), proof, plan.batch.entry_root(other))


def test_a_bank_is_given_proofs_of_the_legs_between_two_others():
    plan = planned(CHAIN, FOREIGN)
    (proof,) = plan.proposal_for(HK_BANK_A).other_legs
    assert (proof.bound.leg, proof.bound.index, proof.bound.count) == (CHAIN.legs[1], 1, 2)
    proof.check(plan.batch)


def test_evidence_holds_for_each_leg_and_for_no_other_batch():
    plan = planned(TRADE, FOREIGN)
    proofs = plan.leg_proofs(obligation_id(TRADE))
    assert [proof.bound.leg for proof in proofs] == list(TRADE.legs)
    for proof in proofs:
        proof.check(plan.batch)
        with pytest.raises(ProofError):
            proof.check(planned(BACK, FOREIGN).batch)


def test_legs_are_bound_with_their_place():
    assert [(one.index, one.count, one.leg) for one in bound_legs(CHAIN)] == [
        (0, 2, CHAIN.legs[0]),
        (1, 2, CHAIN.legs[1]),
    ]


def test_an_obligation_stands_in_a_batch_once():
    with pytest.raises(ProofError, match="stands twice"):
        planned(BACK, BACK)


def test_a_proof_of_other_than_32_byte_words_proves_nothing():
    plan = planned(TRADE, FOREIGN)
    (proof, *_) = plan.leg_proofs(obligation_id(TRADE))
    for sibling in (proof.leg_proof[0] + b"\0", proof.leg_proof[0][:-1], b""):
        with pytest.raises(ProofError, match="not under its pair root"):
            replace(proof, leg_proof=(sibling,)).check(plan.batch)


@pytest.mark.parametrize("alias", [HK_BANK_A + "\0", HK_BANK_A + "X"])
def test_no_other_name_hashes_like_a_bic(alias):
    with pytest.raises(ValueError, match="no BIC"):
        bic_word(alias)


def test_no_longer_text_hashes_like_an_address():
    with pytest.raises(ValueError, match="no address"):
        address_word("0x" + "00" * 12 + HKD[2:])
