"""What a bank signed ties up obligations, liquidity and limits, until a final block releases them."""

import pytest

from corridor.model import MAX_CONSENT_S, LockTerms
from corridor.ports import ConsentRefused
from tests.actors import (
    DEADLINE_S,
    HK_BANK_A,
    HK_BANK_B,
    NOW_S,
    PROPOSER,
    TH_BANK_A,
    TH_BANK_B,
    assert_refused,
    gross,
    net,
    obligation_of,
    payment,
    signed_gross,
    signed_net,
    trade,
    with_batch,
)

# -- deadlines, rounds, and what is tied up ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left_s", "signs"),
    [(-1, False), (0, False), (1, True), (MAX_CONSENT_S - 1, True), (MAX_CONSENT_S, True), (MAX_CONSENT_S + 1, False)],
)
@pytest.mark.parametrize("kind", ["gross", "net"])
def test_a_consent_ends_within_1_to_900_seconds(hk_bank_a, paid, kind, left_s, signs):
    owed, deadline_s = obligation_of(paid), NOW_S + left_s
    proposal = gross(owed, deadline_s) if kind == "gross" else net(HK_BANK_A, owed, deadline_s=deadline_s)
    if signs:
        assert (signed_gross if kind == "gross" else signed_net)(hk_bank_a, proposal)
    else:
        assert_refused(hk_bank_a, proposal, "deadline", why=f"ends in {left_s} s")


def test_a_round_that_is_taken_is_refused(hk_bank_a, paid):
    hk_bank_a.ledger.rounds[PROPOSER, 1] = bytes(32)
    assert_refused(hk_bank_a, net(HK_BANK_A, obligation_of(paid)), "deadline", why="round 1 is taken")


def test_an_obligation_live_in_another_round_is_refused(hk_bank_a, paid):
    owed = obligation_of(paid)
    hk_bank_a.agent.net_consent(net(HK_BANK_A, owed))
    assert_refused(hk_bank_a, net(HK_BANK_A, owed, round_=2), "instructed", owed, why="live consent of another round")


def test_a_round_of_another_proposer_is_another_round(hk_bank_a, paid):
    owed = obligation_of(paid)
    hk_bank_a.agent.net_consent(net(HK_BANK_A, owed))
    assert_refused(hk_bank_a, with_batch(net(HK_BANK_A, owed), proposer="0x" + "88" * 20), "instructed", owed)


def test_an_obligation_may_stand_in_several_batches_of_one_round(hk_bank_a, paid):
    """At most one of them takes effect."""
    assert signed_net(hk_bank_a, net(HK_BANK_A, obligation_of(paid)))
    assert signed_net(hk_bank_a, net(HK_BANK_A, obligation_of(paid), deadline_s=DEADLINE_S + 1))


def test_gross_after_net_for_one_obligation_is_refused(hk_bank_a, paid):
    owed = obligation_of(paid)
    hk_bank_a.agent.net_consent(net(HK_BANK_A, owed))
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="another live consent")


def test_net_after_gross_for_one_obligation_is_refused(hk_bank_a, paid):
    owed = obligation_of(paid)
    hk_bank_a.agent.gross_consent(gross(owed))
    assert_refused(hk_bank_a, net(HK_BANK_A, owed), "instructed", owed, why="live consent of another round")


def test_an_instruction_live_under_one_id_is_refused_under_another(hk_bank_a, paid):
    hk_bank_a.agent.gross_consent(gross(obligation_of(paid)))
    again = obligation_of(paid, payment(TH_BANK_B, HK_BANK_B, 5_00, "THB"))
    assert_refused(hk_bank_a, gross(again), "instructed", again, why="another live consent")
    assert_refused(hk_bank_a, net(HK_BANK_A, again), "instructed", again, why="live consent of another round")


@pytest.mark.parametrize("after_s", [-1, 0, 1])
@pytest.mark.parametrize("kind", ["gross", "net"])
def test_what_a_consent_ties_up_is_released_once_a_final_block_has_its_deadline(hk_bank_a, paid, kind, after_s):
    owed, later_s = obligation_of(paid), DEADLINE_S + 300
    if kind == "gross":
        hk_bank_a.agent.gross_consent(gross(owed))
        other = net(HK_BANK_A, owed, deadline_s=later_s)
    else:
        hk_bank_a.agent.net_consent(net(HK_BANK_A, owed))
        other = gross(owed, later_s)
    hk_bank_a.ledger.reaches(DEADLINE_S + after_s)
    if after_s < 0:
        assert_refused(hk_bank_a, other, "instructed", owed, why="live consent")
    else:
        assert (signed_net if kind == "gross" else signed_gross)(hk_bank_a, other)
        assert sorted(state for _, state in hk_bank_a.consents()) == ["live", "released"]


def test_a_block_that_is_not_final_releases_nothing(hk_bank_a, paid):
    owed = obligation_of(paid)
    hk_bank_a.agent.gross_consent(gross(owed))
    hk_bank_a.ledger.now_s = DEADLINE_S + 10
    assert_refused(hk_bank_a, net(HK_BANK_A, owed, deadline_s=DEADLINE_S + 300), "instructed", owed, why="live consent")


def test_a_round_taken_by_another_batch_releases_what_was_signed_for_it(hk_bank_a, paid):
    owed = obligation_of(paid)
    hk_bank_a.agent.net_consent(net(HK_BANK_A, owed))
    hk_bank_a.ledger.rounds[PROPOSER, 1] = bytes([7]) * 32
    assert signed_gross(hk_bank_a, gross(owed))


def test_of_two_batches_signed_for_a_round_only_the_settled_one_is_discharged(hk_bank_a, paid):
    other = payment(HK_BANK_A, TH_BANK_B, 9_00)
    hk_bank_a.instructs(other)
    first, second = net(HK_BANK_A, obligation_of(paid)), net(HK_BANK_A, obligation_of(other))
    hk_bank_a.agent.net_consent(first)
    hk_bank_a.agent.net_consent(second)
    hk_bank_a.ledger.takes_round(second)
    assert signed_gross(hk_bank_a, gross(obligation_of(paid)))
    assert (hk_bank_a.state_of(paid), hk_bank_a.state_of(other)) == ("open", "discharged")


def test_books_outlive_a_restart_of_the_agent(hk_bank_a, paid):
    owed = obligation_of(paid)
    hk_bank_a.agent.gross_consent(gross(owed))
    hk_bank_a.restart()
    assert_refused(hk_bank_a, net(HK_BANK_A, owed), "instructed", owed, why="live consent")
    assert signed_gross(hk_bank_a, gross(owed))


# -- limits -----------------------------------------------------------------------------------------------------------


def _several(hk_bank_a, *amounts_minor):
    made = [payment(HK_BANK_A, TH_BANK_A, amount_minor) for amount_minor in amounts_minor]
    hk_bank_a.instructs(*made)
    return [obligation_of(one) for one in made]


@pytest.mark.parametrize(("limit", "signs"), [(99_99, False), (100_00, True), (100_01, True)])
def test_a_single_debit_stays_within_the_limit(hk_bank_a, paid, limit, signs):
    hk_bank_a.limit(HKD=limit)
    if signs:
        assert signed_gross(hk_bank_a, gross(obligation_of(paid)))
    else:
        assert_refused(hk_bank_a, gross(obligation_of(paid)), "limits", why="exceed the bank's limit")


def test_gross_consents_that_are_live_add_up_against_the_limit(hk_bank_a):
    hk_bank_a.limit(HKD=100_00)
    first, second, third = _several(hk_bank_a, 60_00, 40_00, 1)
    assert signed_gross(hk_bank_a, gross(first))
    assert signed_gross(hk_bank_a, gross(second))
    assert_refused(hk_bank_a, gross(third), "limits")
    assert_refused(hk_bank_a, net(HK_BANK_A, third), "limits")


def test_a_round_counts_once_with_its_largest_debit(hk_bank_a):
    hk_bank_a.limit(HKD=100_00)
    large, small, more, rest = _several(hk_bank_a, 60_00, 50_00, 40_01, 40_00)
    assert signed_net(hk_bank_a, net(HK_BANK_A, large))
    assert signed_net(hk_bank_a, net(HK_BANK_A, small))
    assert_refused(hk_bank_a, gross(more), "limits")
    assert_refused(hk_bank_a, net(HK_BANK_A, more, round_=2), "limits")
    assert signed_net(hk_bank_a, net(HK_BANK_A, rest, round_=2))


def test_a_limit_is_on_the_net_debit_of_a_batch(hk_bank_a):
    hk_bank_a.limit(HKD=10_00)
    (debit,) = _several(hk_bank_a, 100_00)
    credit = obligation_of(payment(TH_BANK_B, HK_BANK_A, 90_00))
    assert_refused(hk_bank_a, gross(debit), "limits")
    assert signed_net(hk_bank_a, net(HK_BANK_A, debit, credit))


def test_released_consents_do_not_count_against_the_limit(hk_bank_a):
    hk_bank_a.limit(HKD=100_00)
    first, second = _several(hk_bank_a, 60_00, 60_00)
    hk_bank_a.agent.gross_consent(gross(first))
    hk_bank_a.ledger.reaches(DEADLINE_S)
    assert signed_gross(hk_bank_a, gross(second, DEADLINE_S + 1))


# -- locks ------------------------------------------------------------------------------------------------------------

TERMS = LockTerms(1, bytes([0xCC]) * 32, NOW_S + 3_600)


def test_what_is_locked_is_in_no_consent_until_the_timelock(hk_bank_a, sides):
    owed = obligation_of(*sides)
    hk_bank_a.agent.lock(owed, TERMS)
    assert hk_bank_a.consents() == [("lock", "live")]
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="live consent")
    hk_bank_a.ledger.reaches(TERMS.timelock_s - 1)
    assert_refused(
        hk_bank_a, net(HK_BANK_A, owed, deadline_s=TERMS.timelock_s + 9), "instructed", owed, why="live consent"
    )
    hk_bank_a.ledger.reaches(TERMS.timelock_s)
    assert signed_gross(hk_bank_a, gross(owed, TERMS.timelock_s + 9))


def test_what_was_claimed_is_discharged(hk_bank_a, sides):
    owed = obligation_of(*sides)
    hk_bank_a.agent.lock(owed, TERMS)
    hk_bank_a.ledger.settles(owed)
    hk_bank_a.ledger.reaches(TERMS.timelock_s + 1)
    assert_refused(hk_bank_a, gross(owed, TERMS.timelock_s + 9), "instructed", owed, why="discharged already")


def test_what_is_in_a_live_consent_or_not_instructed_is_not_locked(hk_bank_a, sides):
    owed = obligation_of(*sides)
    hk_bank_a.agent.gross_consent(gross(owed))
    with pytest.raises(ConsentRefused, match="live consent or lock") as refusal:
        hk_bank_a.agent.lock(owed, TERMS)
    assert refusal.value.rule == "instructed"
    foreign = obligation_of(*trade(HK_BANK_A, TH_BANK_B, ("HKD", 1_00), ("THB", 4_50)))
    with pytest.raises(ConsentRefused, match="is not what this bank instructed"):
        hk_bank_a.agent.lock(foreign, TERMS)


def test_the_very_same_lock_is_answered_again_and_another_one_refused(hk_bank_a, sides):
    owed = obligation_of(*sides)
    assert hk_bank_a.agent.lock(owed, TERMS) == hk_bank_a.agent.lock(owed, TERMS)
    with pytest.raises(ConsentRefused, match="live consent or lock"):
        hk_bank_a.agent.lock(owed, LockTerms(1, b"\x22" * 32, NOW_S + 3_600))
