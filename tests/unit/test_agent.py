"""A bank's agent signs what its bank instructed, and no lie that an operator could tell of it."""

import hashlib
import json
from dataclasses import replace

import pytest
from sqlalchemy import select

from corridor import typed_data
from corridor.agent import amendment_digest
from corridor.agent_books import UnknownPayment
from corridor.merkle import BoundLeg, LegForest
from corridor.model import Leg, Obligation, obligation
from corridor.ports import Amendment
from corridor.store.tables import consents, submitted
from tests.actors import (
    CHAIN_ID,
    DEADLINE_S,
    DOMAIN,
    HK_BANK_A,
    HK_BANK_B,
    HKD,
    TH_BANK_A,
    TH_BANK_B,
    THB,
    address_of,
    assert_refused,
    gross,
    net,
    obligation_of,
    payment,
    signed_gross,
    signed_net,
    trade,
    trade_side,
    with_batch,
)

# -- honest proposals -------------------------------------------------------------------------------------------------


def test_a_payment_that_the_bank_instructed_is_signed_gross(hk_bank_a, paid):
    assert signed_gross(hk_bank_a, gross(obligation_of(paid)))


def test_both_banks_of_a_trade_sign_it_gross(hk_bank_a, th_bank_a, sides):
    th_bank_a.instructs(sides[1])
    assert signed_gross(hk_bank_a, gross(obligation_of(*sides)))
    assert signed_gross(th_bank_a, gross(obligation_of(*sides)))


def test_both_banks_of_a_trade_sign_it_net(hk_bank_a, th_bank_a, sides):
    th_bank_a.instructs(sides[1])
    assert signed_net(hk_bank_a, net(HK_BANK_A, obligation_of(*sides)))
    assert signed_net(th_bank_a, net(TH_BANK_A, obligation_of(*sides)))


def test_all_three_banks_of_a_three_leg_obligation_sign_it(hk_bank_a, th_bank_a, th_bank_b):
    to_provider = payment(HK_BANK_A, TH_BANK_A, 100_00)
    from_provider = payment(TH_BANK_A, TH_BANK_B, 450_00, "THB")
    to_payer = payment(TH_BANK_B, HK_BANK_A, 3_00, "THB")
    hk_bank_a.instructs(to_provider)
    th_bank_a.instructs(from_provider)
    th_bank_b.instructs(to_payer)
    owed = obligation_of(to_provider, from_provider, to_payer)
    plain = payment(HK_BANK_B, TH_BANK_B, 7_00)
    for bank in (hk_bank_a, th_bank_a, th_bank_b):
        proposal = net(bank.bic, owed, obligation_of(plain))
        assert len(proposal.other_legs) == 1
        assert signed_net(bank, proposal)


def test_a_bank_that_is_only_paid_signs_its_entry(th_bank_a):
    assert signed_net(th_bank_a, net(TH_BANK_A, obligation_of(payment(HK_BANK_A, TH_BANK_A))))


def test_the_same_proposal_is_signed_again_and_recorded_once(hk_bank_a, paid):
    first = hk_bank_a.agent.gross_consent(gross(obligation_of(paid)))
    assert hk_bank_a.agent.gross_consent(gross(obligation_of(paid))) == first
    assert hk_bank_a.consents() == [("gross", "live")]


@pytest.mark.parametrize("kind", ["gross", "net"])
def test_a_consent_is_in_the_books_before_the_signature_leaves(hk_bank_a, paid, monkeypatch, kind):
    def out_of_reach(*_):
        assert hk_bank_a.consents() == [(kind, "live")]
        raise OSError("the key is out of reach")

    monkeypatch.setattr("corridor.typed_data.sign_digest", out_of_reach)
    agent, owed = hk_bank_a.agent, obligation_of(paid)
    with pytest.raises(OSError, match="out of reach"):
        agent.gross_consent(gross(owed)) if kind == "gross" else agent.net_consent(net(HK_BANK_A, owed))
    assert hk_bank_a.consents() == [(kind, "live")]


def test_list_and_proofs_of_a_net_consent_are_kept(hk_bank_a, paid):
    hk_bank_a.agent.net_consent(net(HK_BANK_A, obligation_of(paid)))
    with hk_bank_a.database.begin() as connection:
        evidence = json.loads(connection.execute(select(consents.c.evidence)).scalar_one())
    assert evidence["obligations"][0]["instructions"][0]["uetr"] == paid.uetr
    assert TH_BANK_A in evidence["pair_proofs"]


def test_the_banks_epoch_stands_in_its_consent(hk_bank_a, paid):
    hk_bank_a.ledger.epochs[HK_BANK_A] = 7
    proposal = gross(obligation_of(paid))
    signature = hk_bank_a.agent.gross_consent(proposal)
    digest = typed_data.gross_consent_digest(DOMAIN, HK_BANK_A, 7, DEADLINE_S, proposal.obligation)
    assert typed_data.signer_of(digest, signature) == address_of(HK_BANK_A)


# -- lies about what the bank instructed ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gross", "net"])
def test_a_payment_that_only_the_operator_has_is_refused(hk_bank_a, kind):
    owed = obligation_of(payment(HK_BANK_A, TH_BANK_A))
    proposal = gross(owed) if kind == "gross" else net(HK_BANK_A, owed)
    assert_refused(hk_bank_a, proposal, "instructed", owed, why="is not what this bank instructed")


def test_a_leg_without_any_instruction_is_refused(hk_bank_a):
    owed = obligation([], [Leg(HK_BANK_A, TH_BANK_A, CHAIN_ID, HKD, 1)])
    assert_refused(hk_bank_a, gross(owed), "instructed", owed)


@pytest.mark.parametrize(
    "change",
    [
        {"payee": TH_BANK_B},
        {"amount_minor": 100_01},
        {"amount_minor": 99_99},
        {"token": THB},
        {"token": "0x" + "ee" * 20},
        {"chain_id": CHAIN_ID + 1},
    ],
    ids=["another payee", "a larger amount", "a smaller amount", "another currency", "a false token", "another ledger"],
)
def test_a_leg_that_differs_from_the_instruction_is_refused(hk_bank_a, paid, change):
    owed = obligation([paid.instruction], [replace(paid.leg, **change)])
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="not those this bank instructed")
    assert_refused(hk_bank_a, net(HK_BANK_A, owed), "instructed", owed, why="not those this bank instructed")


def test_other_content_under_the_uetr_is_refused(hk_bank_a, paid):
    steered = payment(HK_BANK_A, TH_BANK_A, 100_00, uetr=paid.uetr)
    steered = replace(paid.instruction, content_hash=bytes(32)), steered.leg
    owed = obligation([steered[0]], [steered[1]])
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="is not what this bank instructed")


def test_an_additional_leg_to_pay_is_refused(hk_bank_a, paid):
    owed = obligation([paid.instruction], [paid.leg, Leg(HK_BANK_A, TH_BANK_B, CHAIN_ID, HKD, 1)])
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="not those this bank instructed")


def test_half_of_a_trade_is_refused(hk_bank_a, sides):
    own, other = sides
    for owed in (obligation_of(own), obligation([own.instruction, other.instruction], [own.leg])):
        assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="does not bring in full")
        assert_refused(hk_bank_a, net(HK_BANK_A, owed), "instructed", owed, why="does not bring in full")


@pytest.mark.parametrize("change", [{"amount_minor": 449_99}, {"token": HKD}, {"payer": TH_BANK_B}])
def test_a_trade_that_brings_something_else_is_refused(hk_bank_a, sides, change):
    own, other = sides
    owed = obligation([own.instruction, other.instruction], [own.leg, replace(other.leg, **change)])
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="does not bring in full")


def test_two_halves_in_two_obligations_of_one_batch_are_refused(hk_bank_a, sides):
    own, other = sides
    proposal = net(HK_BANK_A, obligation_of(own), obligation_of(other))
    assert_refused(hk_bank_a, proposal, "instructed", obligation_of(own), why="does not bring in full")


def test_one_receipt_does_not_pay_for_two_trades(hk_bank_a):
    first, receipt = trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    second, _ = trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    hk_bank_a.instructs(first, second)
    together = replace(first.leg, amount_minor=200_00)
    owed = obligation([first.instruction, second.instruction, receipt.instruction], [together, receipt.leg])
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="two instructions in one obligation")
    assert_refused(hk_bank_a, net(HK_BANK_A, owed), "instructed", owed, why="two instructions in one obligation")


def test_a_plain_payment_does_not_pose_as_the_side_of_a_trade(hk_bank_a, th_bank_a, sides):
    own, _ = sides
    customers = payment(TH_BANK_A, HK_BANK_A, 450_00, "THB")
    th_bank_a.instructs(customers)
    owed = obligation_of(own, customers)
    assert_refused(th_bank_a, gross(owed), "instructed", owed, why="no side of a trade")


def test_one_instruction_twice_in_an_obligation_with_double_amount_is_refused(hk_bank_a, paid):
    owed = obligation([paid.instruction, paid.instruction], [replace(paid.leg, amount_minor=200_00)])
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="stands twice")


def test_one_instruction_in_two_obligations_of_a_batch_is_refused(hk_bank_a, paid):
    elsewhere = payment(TH_BANK_B, HK_BANK_B, 5_00, "THB")
    first, second = obligation_of(paid), obligation_of(paid, elsewhere)
    assert_refused(hk_bank_a, net(HK_BANK_A, first, second), "instructed", second, why="stands in two obligations")


def test_an_instruction_discharged_under_one_id_is_refused_under_another(hk_bank_a, paid):
    hk_bank_a.agent.gross_consent(gross(obligation_of(paid)))
    hk_bank_a.ledger.settles(obligation_of(paid))
    again = obligation_of(paid, payment(TH_BANK_B, HK_BANK_B, 5_00, "THB"))
    assert_refused(hk_bank_a, gross(again), "instructed", again, why="is discharged")
    assert hk_bank_a.state_of(paid) == "open", "a refusal leaves no trace in the books"


@pytest.mark.parametrize("kind", ["gross", "net"])
def test_a_discharged_obligation_is_refused(hk_bank_a, paid, kind):
    owed = obligation_of(paid)
    if kind == "gross":
        hk_bank_a.agent.gross_consent(gross(owed))
        hk_bank_a.ledger.settles(owed)
    else:
        hk_bank_a.agent.net_consent(net(HK_BANK_A, owed))
        hk_bank_a.ledger.takes_round(net(HK_BANK_A, owed))
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="discharged already")
    assert_refused(hk_bank_a, net(HK_BANK_A, owed, round_=2), "instructed", owed, why="discharged already")


@pytest.mark.parametrize(("verb", "state"), [("hold", "held"), ("cancel", "cancelled")])
def test_a_held_or_cancelled_payment_is_refused(hk_bank_a, paid, verb, state):
    hk_bank_a.amends(verb, paid)
    owed = obligation_of(paid)
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why=f"is {state}")
    assert_refused(hk_bank_a, net(HK_BANK_A, owed), "instructed", owed, why=f"is {state}")


def test_a_released_payment_is_signed_again(hk_bank_a, paid):
    hk_bank_a.amends("hold", paid)
    hk_bank_a.amends("release", paid)
    assert signed_gross(hk_bank_a, gross(obligation_of(paid)))


def test_an_instruction_in_a_currency_without_a_token_is_refused(hk_bank_a):
    yen = payment(HK_BANK_A, TH_BANK_A, 1_000, "JPY")
    hk_bank_a.instructs(yen)
    owed = obligation([yen.instruction], [Leg(HK_BANK_A, TH_BANK_A, CHAIN_ID, HKD, 1_000)])
    assert_refused(hk_bank_a, gross(owed), "instructed", owed, why="has no token here")


# -- two writings of one thing ----------------------------------------------------------------------------------------


def test_a_bic_with_a_zero_byte_does_not_hide_a_second_debit(hk_bank_a, paid):
    """It hashes like the bank's own: on the ledger, the bank would pay this leg too."""
    hidden = Leg(HK_BANK_A + "\0", TH_BANK_B, CHAIN_ID, HKD, 1_000_000_00)
    assert_refused(hk_bank_a, gross(Obligation((paid.instruction,), (paid.leg, hidden))), "complete")


def test_an_address_in_capitals_does_not_double_a_leg(hk_bank_a, paid):
    """The contract never sees the legs of a batch, only that the bank pays twice as much."""
    capitals = replace(paid.leg, token="0x" + "AB" * 20)
    owed = Obligation((paid.instruction,), (capitals, paid.leg))
    bound = [BoundLeg(typed_data.obligation_id(owed), index, 2, leg) for index, leg in enumerate(owed.legs)]
    forest = LegForest(bound)
    honest = net(HK_BANK_A, obligation_of(paid))
    proposal = replace(
        with_batch(
            honest,
            entry_roots=(forest.entry_root(HK_BANK_A), forest.entry_root(TH_BANK_A)),
            positions=(-200_00, 200_00),
        ),
        obligations=(owed,),
        pair_proofs={TH_BANK_A: forest.pair_proof((HK_BANK_A, TH_BANK_A), TH_BANK_A)},
    )
    assert_refused(hk_bank_a, proposal, "complete", why="add their amounts")


@pytest.mark.parametrize("extra", ["longer", "shorter"])
def test_entry_roots_that_read_otherwise_on_the_ledger_are_refused(hk_bank_a, paid, extra):
    proposal = net(HK_BANK_A, obligation_of(paid))
    own, other = proposal.batch.entry_roots
    roots = (own, other + bytes(32)) if extra == "longer" else (own, other[:-1])
    assert_refused(hk_bank_a, with_batch(proposal, entry_roots=roots), "complete", why="not 32 bytes")


def test_an_amount_that_no_token_can_hold_is_refused_and_no_crash(hk_bank_a, paid):
    absurd = Leg(TH_BANK_A, TH_BANK_B, CHAIN_ID, HKD, 2**300)
    assert_refused(hk_bank_a, gross(Obligation((paid.instruction,), (paid.leg, absurd))), "complete")


def test_a_round_that_no_ledger_counts_to_is_refused_and_no_crash(hk_bank_a, paid):
    proposal = net(HK_BANK_A, obligation_of(paid))
    assert_refused(hk_bank_a, with_batch(proposal, round=2**70), "complete")
    assert_refused(hk_bank_a, with_batch(proposal, positions=(-(2**300), 2**300)), "complete")


# -- what the bank asks -----------------------------------------------------------------------------------------------


def test_a_message_is_in_the_banks_books_and_signed_before_it_is_sent(hk_bank_a):
    one = payment(HK_BANK_A, TH_BANK_A)

    class Broken:
        def submit(self, submission):
            raise OSError("the line is down")

    with pytest.raises(OSError, match="line is down"):
        hk_bank_a.agent.submit(one.raw, Broken())
    assert hk_bank_a.state_of(one) == "open"
    hk_bank_a.instructs(one)
    with hk_bank_a.database.begin() as connection:
        assert connection.execute(select(submitted.c.raw)).scalars().all() == [one.raw]


def test_the_submission_is_signed_over_the_very_bytes(hk_bank_a, paid):
    (submission,) = hk_bank_a.operator.submissions
    digest = typed_data.submission_digest(DOMAIN, HK_BANK_A, hashlib.sha256(paid.raw).digest())
    assert typed_data.signer_of(digest, submission.signature) == address_of(HK_BANK_A)


def test_what_another_bank_would_pay_is_not_in_the_books(hk_bank_a):
    foreign = payment(HK_BANK_B, TH_BANK_A)
    hk_bank_a.instructs(foreign)
    assert hk_bank_a.state_of(foreign) is None


def test_an_unreadable_message_is_sent_on_and_instructs_nothing(hk_bank_a):
    assert hk_bank_a.agent.submit(b"<Document", hk_bank_a.operator).accepted == 1
    assert hk_bank_a.operator.submissions[0].raw == b"<Document"


def test_an_amount_beyond_what_the_corridor_takes_is_sent_on_and_instructs_nothing(hk_bank_a):
    """The operator answers it; the agent must not fail on it."""
    huge = payment(HK_BANK_A, TH_BANK_A, 10**18 - 1)
    hk_bank_a.instructs(huge)
    assert hk_bank_a.state_of(huge) is None
    assert len(hk_bank_a.operator.submissions) == 1


def test_other_content_under_a_uetr_does_not_replace_what_the_bank_instructed(hk_bank_a, paid):
    other = payment(HK_BANK_A, TH_BANK_B, 999_00, uetr=paid.uetr)
    hk_bank_a.instructs(other)
    owed = obligation_of(other)
    assert_refused(hk_bank_a, gross(owed), "instructed", owed)
    assert signed_gross(hk_bank_a, gross(obligation_of(paid)))


def test_a_payment_in_a_live_consent_cannot_be_cancelled_until_that_has_lapsed(hk_bank_a, paid):
    hk_bank_a.agent.gross_consent(gross(obligation_of(paid)))
    hk_bank_a.ledger.reaches(DEADLINE_S - 1)
    with pytest.raises(UnknownPayment, match="may still take effect"):
        hk_bank_a.amends("cancel", paid)
    assert hk_bank_a.operator.amendments == []
    hk_bank_a.ledger.reaches(DEADLINE_S)
    hk_bank_a.amends("cancel", paid)
    assert hk_bank_a.state_of(paid) == "cancelled"


def test_a_discharged_payment_cannot_be_cancelled(hk_bank_a, paid):
    hk_bank_a.agent.gross_consent(gross(obligation_of(paid)))
    hk_bank_a.ledger.settles(obligation_of(paid))
    with pytest.raises(UnknownPayment, match="is discharged"):
        hk_bank_a.amends("cancel", paid)


def test_a_trade_cannot_be_half_signed_by_instructing_it_as_a_plain_payment(hk_bank_a):
    """A pacs.009 with incomplete terms is refused by the operator; the bank's own books don't take it either."""
    own = trade_side(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    raw = own.raw.replace(b"/PVP/THB450.00", b"/PVP/HKD450.00")
    hk_bank_a.agent.submit(raw, hk_bank_a.operator)
    assert hk_bank_a.state_of(own) is None


def test_no_file_that_a_bank_sends_reads_as_a_change_it_never_asked_for(hk_bank_a, paid):
    """The operator keeps the signature over a file; it must not be one over a cancellation."""
    wish = Amendment(HK_BANK_A, paid.uetr, "cancel")
    text = json.dumps([wish.uetr, wish.verb, wish.priority]).encode()
    hk_bank_a.agent.submit(text, hk_bank_a.operator)
    signature = hk_bank_a.operator.submissions[-1].signature
    assert typed_data.signer_of(amendment_digest(DOMAIN, wish), signature) != address_of(HK_BANK_A)
