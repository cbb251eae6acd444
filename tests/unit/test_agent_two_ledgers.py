"""A bank that pays on its own ledger, behind a lead leg that lies on another."""

from dataclasses import replace

import pytest

from corridor import typed_data
from corridor.consent_rules import CLOCK_SKEW_S
from corridor.model import SAFETY_MARGIN_S, LockTerms, ObligationRecord, ObligationState, obligation
from corridor.ports import ConsentRefused
from tests.actors import CHAIN_ID, NOW_S, SETTLEMENT, TOKENS, StandInLedger, obligation_of

LEAD_CHAIN = CHAIN_ID + 1
LEAD_SETTLEMENT = "0x" + "1e" * 20
FOLLOW = LockTerms(1, bytes([0xCC]) * 32, NOW_S + 3_600, LEAD_CHAIN, LEAD_SETTLEMENT, NOW_S + 3_600 + SAFETY_MARGIN_S)
LEAD = FOLLOW.mirrored(CHAIN_ID, SETTLEMENT, 2)


@pytest.fixture
def crossing(hk_bank_a, sides):
    """The trade that the bank instructed, with the currency that it buys on the lead ledger."""
    hk_bank_a.elsewhere = {"THB": (LEAD_CHAIN, TOKENS["THB"])}
    hk_bank_a.restart()
    owed = obligation_of(*sides)
    legs = [leg if leg.payer == hk_bank_a.bic else replace(leg, chain_id=LEAD_CHAIN) for leg in owed.legs]
    return obligation(owed.instructions, legs)


def lead_ledger(owed, *, clock_ahead_s=0, **change):
    mask = sum(1 << place for place, leg in enumerate(owed.legs) if leg.chain_id == LEAD_CHAIN)
    locked = ObligationRecord(ObligationState.LOCKED, LEAD.attempt, mask, typed_data.terms_hash(LEAD)[:25])
    ledger = StandInLedger(LEAD_CHAIN, LEAD_SETTLEMENT, NOW_S + clock_ahead_s)
    ledger.records[typed_data.obligation_id(owed)] = replace(locked, **change)
    return ledger


def test_a_bank_locks_behind_a_lead_leg_that_is_locked_under_the_mirrored_terms(hk_bank_a, crossing):
    assert hk_bank_a.agent.lock(crossing, FOLLOW, lead_ledger(crossing)).to == SETTLEMENT
    assert hk_bank_a.consents() == [("lock", "live")]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": ObligationState.NONE}, "shows the lead leg locked"),
        ({"state": ObligationState.REFUNDED}, "shows the lead leg locked"),
        ({"locked_mask": 0}, "shows the lead leg locked"),
        ({"locked_mask": 0b11}, "shows the lead leg locked"),
        ({"commitment": typed_data.terms_hash(replace(LEAD, timelock_s=LEAD.timelock_s - 1))[:25]}, "other terms"),
        ({"commitment": typed_data.terms_hash(replace(LEAD, hashlock=bytes(32)))[:25]}, "other terms"),
        ({"attempt": 3}, "other terms"),
    ],
)
def test_a_bank_does_not_lock_where_the_lead_ledger_says_anything_else(hk_bank_a, crossing, change, why):
    with pytest.raises(ConsentRefused, match=why) as refusal:
        hk_bank_a.agent.lock(crossing, FOLLOW, lead_ledger(crossing, **change))
    assert refusal.value.rule == "terms"
    assert hk_bank_a.consents() == []


def test_a_bank_believes_nobody_but_its_own_node_of_the_very_ledger_that_the_terms_name(hk_bank_a, crossing):
    other_chain = replace(lead_ledger(crossing), chain_id=LEAD_CHAIN + 1)
    other_contract = replace(lead_ledger(crossing), settlement=SETTLEMENT)
    for view in (None, other_chain, other_contract):
        with pytest.raises(ConsentRefused, match=f"no node of chain {LEAD_CHAIN}"):
            hk_bank_a.agent.lock(crossing, FOLLOW, view)


@pytest.mark.parametrize(
    ("ahead_s", "locks"), [(CLOCK_SKEW_S - 1, True), (CLOCK_SKEW_S, True), (CLOCK_SKEW_S + 1, False)]
)
def test_a_lead_ledger_whose_clock_runs_ahead_eats_into_the_margin(hk_bank_a, crossing, ahead_s, locks):
    ledger = lead_ledger(crossing, clock_ahead_s=ahead_s)
    if locks:
        assert hk_bank_a.agent.lock(crossing, FOLLOW, ledger)
        return
    with pytest.raises(ConsentRefused, match="ledgers' clocks"):
        hk_bank_a.agent.lock(crossing, FOLLOW, ledger)


def test_the_lead_bank_locks_first_with_nothing_on_the_follow_ledger_yet(hk_bank_a, crossing):
    follow = StandInLedger(LEAD_CHAIN, LEAD_SETTLEMENT)
    leads = replace(FOLLOW, timelock_s=FOLLOW.other_timelock_s, other_timelock_s=FOLLOW.timelock_s)
    assert hk_bank_a.agent.lock(crossing, leads, follow).to == SETTLEMENT


def test_what_is_bought_on_another_ledger_must_come_there_and_nowhere_else(hk_bank_a, sides, crossing):
    with pytest.raises(ConsentRefused, match="buys THB, which the obligation does not bring in full"):
        hk_bank_a.agent.lock(obligation_of(*sides), LockTerms(1, bytes(32), NOW_S + 3_600))


def test_a_token_of_the_same_address_on_another_ledger_does_not_count_against_what_is_paid_here(hk_bank_a, sides):
    hk_bank_a.elsewhere = {"THB": (LEAD_CHAIN, TOKENS["HKD"])}
    hk_bank_a.restart()
    owed = obligation_of(*sides)
    same_address = [
        leg if leg.payer == hk_bank_a.bic else replace(leg, chain_id=LEAD_CHAIN, token=TOKENS["HKD"])
        for leg in owed.legs
    ]
    crossing = obligation(owed.instructions, same_address)
    [paid] = [leg.amount_minor for leg in owed.legs if leg.payer == hk_bank_a.bic]
    hk_bank_a.limit(HKD=paid - 1)
    with pytest.raises(ConsentRefused, match="exceed the bank's limit"):
        hk_bank_a.agent.lock(crossing, FOLLOW, lead_ledger(crossing))
