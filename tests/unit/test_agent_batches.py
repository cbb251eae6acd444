"""No lie that an operator could tell of a batch gets a bank's signature."""

from dataclasses import replace

import pytest

from corridor import typed_data
from corridor.merkle import BoundLeg, LegForest
from corridor.model import Obligation
from tests.actors import (
    HK_BANK_A,
    HKD,
    TH_BANK_A,
    TH_BANK_B,
    THB,
    assert_refused,
    gross,
    net,
    obligation_of,
    payment,
    signed_net,
    with_batch,
)

# -- lies about the batch ---------------------------------------------------------------------------------------------


def test_a_leg_missing_under_the_entry_root_is_refused(hk_bank_a, sides):
    owed = obligation_of(*sides)
    half = BoundLeg(typed_data.obligation_id(owed), 0, 2, owed.legs[0])
    forest = LegForest([half])
    proposal = with_batch(
        net(HK_BANK_A, owed), entry_roots=(forest.entry_root(HK_BANK_A), forest.entry_root(TH_BANK_A))
    )
    assert_refused(hk_bank_a, proposal, "complete", why="not those under this bank's entry root")


def test_a_leg_that_is_not_shown_but_stands_under_the_entry_root_is_refused(hk_bank_a, paid):
    unseen = obligation_of(payment(TH_BANK_A, HK_BANK_A, 100_00))
    plan = net(HK_BANK_A, obligation_of(paid), unseen)
    assert_refused(hk_bank_a, replace(plan, obligations=plan.obligations[:1]), "complete", why="entry root")


def test_a_batch_that_does_not_hold_what_is_shown_is_refused(hk_bank_a, paid):
    more = payment(HK_BANK_A, TH_BANK_A, 7_00)
    hk_bank_a.instructs(more)
    shown = net(HK_BANK_A, obligation_of(paid), obligation_of(more))
    settled = net(HK_BANK_A, obligation_of(paid))
    assert_refused(hk_bank_a, replace(shown, batch=settled.batch), "complete", why="entry root")


def test_a_pair_root_that_the_counterparty_does_not_have_is_refused(hk_bank_a, paid):
    owed = obligation_of(paid)
    honest = net(HK_BANK_A, owed)
    own_root = honest.batch.entry_root(HK_BANK_A)
    for false_root in (bytes(32), bytes([1]) * 32):
        proposal = with_batch(honest, entry_roots=(own_root, false_root))
        assert_refused(hk_bank_a, proposal, "bound", owed, why="do not stand under its entry root")
    assert_refused(hk_bank_a, replace(honest, pair_proofs={TH_BANK_A: (bytes(32),)}), "bound", owed)


def test_a_counterparty_without_an_entry_is_refused(hk_bank_a, paid):
    owed = obligation_of(paid)
    honest = net(HK_BANK_A, owed)
    root = honest.batch.entry_root(HK_BANK_A)
    proposal = with_batch(honest, participants=(HK_BANK_A, TH_BANK_B), entry_roots=(root, honest.batch.entry_roots[1]))
    assert_refused(hk_bank_a, proposal, "bound", owed)


def test_only_the_obligations_of_a_lying_pair_are_objected_to(hk_bank_a, paid):
    honest_pair = payment(HK_BANK_A, TH_BANK_B, 9_00)
    hk_bank_a.instructs(honest_pair)
    proposal = net(HK_BANK_A, obligation_of(paid), obligation_of(honest_pair))
    proposal = replace(proposal, pair_proofs=proposal.pair_proofs | {TH_BANK_A: (bytes(32),)})
    assert_refused(hk_bank_a, proposal, "bound", obligation_of(paid))


def _three_legs(hk_bank_a):
    own = payment(HK_BANK_A, TH_BANK_A, 100_00)
    hk_bank_a.instructs(own)
    return obligation_of(own, payment(TH_BANK_A, TH_BANK_B, 450_00, "THB"))


def test_a_leg_between_two_others_that_is_left_out_is_refused(hk_bank_a):
    owed = _three_legs(hk_bank_a)
    honest = net(HK_BANK_A, owed)
    assert_refused(hk_bank_a, replace(honest, other_legs=()), "bound", owed, why="is not proven")


@pytest.mark.parametrize("part", ["pair_root", "leg_proof", "payer_proof", "payee_proof"])
def test_a_leg_between_two_others_that_is_bound_under_one_of_them_only_is_refused(hk_bank_a, part):
    owed = _three_legs(hk_bank_a)
    honest = net(HK_BANK_A, owed)
    false = replace(honest.other_legs[0], **{part: bytes(32) if part == "pair_root" else (bytes(32),)})
    assert_refused(hk_bank_a, replace(honest, other_legs=(false,)), "bound", owed)


def test_a_proof_of_a_smaller_leg_does_not_prove_the_leg(hk_bank_a):
    owed = _three_legs(hk_bank_a)
    honest = net(HK_BANK_A, owed)
    smaller = replace(owed, legs=(owed.legs[0], replace(owed.legs[1], amount_minor=1)))
    proofs = net(HK_BANK_A, smaller).other_legs
    assert_refused(hk_bank_a, replace(honest, other_legs=proofs), "bound", owed, why="is not proven")


def test_an_entry_listed_twice_is_refused(hk_bank_a, paid):
    honest = net(HK_BANK_A, obligation_of(paid))
    batch = honest.batch
    proposal = with_batch(
        honest,
        participants=(HK_BANK_A, HK_BANK_A, TH_BANK_A),
        entry_roots=(batch.entry_roots[0], *batch.entry_roots),
        positions=(batch.positions[0], *batch.positions),
    )
    assert_refused(hk_bank_a, proposal, "complete", why="ascending")


def test_a_batch_without_the_banks_entry_is_refused(hk_bank_a, paid):
    other = net(TH_BANK_A, obligation_of(payment(TH_BANK_B, TH_BANK_A)))
    assert_refused(hk_bank_a, other, "complete", why="no entry for this bank")


def test_columns_of_other_lengths_are_refused(hk_bank_a, paid):
    honest = net(HK_BANK_A, obligation_of(paid))
    assert_refused(
        hk_bank_a, with_batch(honest, positions=(*honest.batch.positions, 0)), "complete", why="differ in length"
    )
    assert_refused(
        hk_bank_a, with_batch(honest, entry_roots=honest.batch.entry_roots[:1]), "complete", why="differ in length"
    )


def test_an_obligation_listed_twice_is_refused(hk_bank_a, paid):
    honest = net(HK_BANK_A, obligation_of(paid))
    assert_refused(hk_bank_a, replace(honest, obligations=honest.obligations * 2), "complete", why="stands twice")


def test_an_empty_list_is_refused(hk_bank_a, paid):
    assert_refused(hk_bank_a, replace(net(HK_BANK_A, obligation_of(paid)), obligations=()), "complete")


def test_an_obligation_of_others_in_the_list_is_refused(hk_bank_a, paid):
    honest = net(HK_BANK_A, obligation_of(paid))
    foreign = obligation_of(payment(TH_BANK_A, TH_BANK_B))
    assert_refused(
        hk_bank_a, replace(honest, obligations=(*honest.obligations, foreign)), "complete", why="none of this bank"
    )


def test_an_obligation_out_of_canonical_order_is_refused(hk_bank_a, sides):
    owed = obligation_of(*sides)
    backwards = Obligation(owed.instructions, owed.legs[::-1])
    assert_refused(hk_bank_a, gross(backwards), "complete", why="canonical order")


@pytest.mark.parametrize("position", [-100_01, -99_99, 0, 100_00])
def test_a_position_that_the_legs_do_not_add_up_to_is_refused(hk_bank_a, paid, position):
    honest = net(HK_BANK_A, obligation_of(paid))
    assert_refused(hk_bank_a, with_batch(honest, positions=(position, -position)), "position", why="the entry says")


@pytest.mark.parametrize("position", [-1, 1])
def test_a_column_for_a_token_without_a_leg_must_be_zero(hk_bank_a, paid, position):
    honest = net(HK_BANK_A, obligation_of(paid))
    debit, credit = honest.batch.positions
    two_columns = {"tokens": (HKD, THB)}
    zero = with_batch(honest, **two_columns, positions=(debit, 0, credit, 0))
    assert_refused(
        hk_bank_a,
        with_batch(honest, **two_columns, positions=(debit, position, credit, -position)),
        "position",
        why="net to 0",
    )
    assert signed_net(hk_bank_a, zero)


def test_positions_at_another_token_address_are_refused(hk_bank_a, paid):
    honest = net(HK_BANK_A, obligation_of(paid))
    assert_refused(hk_bank_a, with_batch(honest, tokens=("0x" + "ee" * 20,)), "position", why="no column for token")
