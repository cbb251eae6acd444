"""The rules alone: which of them speaks first, and what counts as the bank's own business."""

from dataclasses import replace

import pytest

from corridor.consent_rules import (
    Books,
    Instructed,
    LiveConsent,
    Place,
    check_gross,
    check_lock,
    check_net,
    net_debits,
    own_instructions,
)
from corridor.model import Leg, Obligation, obligation
from corridor.ports import ConsentRefused
from corridor.typed_data import obligation_id
from tests.actors import (
    CHAIN_ID,
    HK_BANK_A,
    HKD,
    TH_BANK_A,
    TH_BANK_B,
    THB,
    TOKENS,
    gross,
    net,
    obligation_of,
    payment,
    trade,
    with_batch,
)

PLACE = Place(CHAIN_ID, TOKENS, {HKD: 100_00})


def books(*payments, live=(), discharged=(), state="open"):
    """The books of a bank that instructed these payments."""
    instructed = {
        one.uetr: Instructed(
            one.uetr,
            one.transfer.content_hash,
            one.transfer.payee_bic,
            one.transfer.currency,
            one.leg.amount_minor,
            one.transfer.pvp.bought_currency if one.transfer.pvp else None,
            450_00 if one.transfer.pvp else None,
            state,
        )
        for one in payments
    }
    tied = {one.uetr: tuple(live) for one in payments}
    return Books(instructed, tied, tuple(live), frozenset(discharged))


def rule_of(check, *arguments):
    """The rule by which a check refuses."""
    with pytest.raises(ConsentRefused) as refusal:
        check(HK_BANK_A, PLACE, *arguments)
    return refusal.value.rule


def test_rules_speak_in_their_order():
    """A proposal with every fault at once is refused by the first rule; each cure lets the next one speak."""
    own = payment(HK_BANK_A, TH_BANK_A, 100_01)
    owed = obligation_of(own, payment(TH_BANK_A, TH_BANK_B, 1, "THB"))
    honest = net(HK_BANK_A, owed)
    no_position = with_batch(honest, positions=(0,) * len(honest.batch.positions))
    unbound = replace(no_position, other_legs=())
    incomplete = with_batch(unbound, entry_roots=(bytes(32),) * 3)
    assert rule_of(check_net, books(), incomplete) == "complete"
    assert rule_of(check_net, books(), unbound) == "bound"
    assert rule_of(check_net, books(), no_position) == "instructed"
    assert rule_of(check_net, books(own), no_position) == "position"
    assert rule_of(check_net, books(own), honest) == "limits"


def test_an_error_says_who_refuses_by_which_rule_and_why():
    owed = obligation_of(payment(HK_BANK_A, TH_BANK_A))
    with pytest.raises(ConsentRefused) as refusal:
        check_gross(HK_BANK_A, PLACE, books(), gross(owed))
    assert str(refusal.value).startswith(f"{HK_BANK_A} refuses (instructed): ")
    assert refusal.value.code == "CONSENT_REFUSED"
    assert refusal.value.facts == {"bank": HK_BANK_A, "rule": "instructed"}


def test_capitals_in_an_address_are_the_same_token():
    own = payment(HK_BANK_A, TH_BANK_A, 100_00)
    owed = obligation([own.instruction], [replace(own.leg, token="0x" + "AB" * 20)])
    check_gross(HK_BANK_A, PLACE, books(own), gross(owed))
    assert net_debits(HK_BANK_A, PLACE, (owed,)) == {HKD: 100_00}


@pytest.mark.parametrize("kind", ["gross", "net", "lock"])
def test_nothing_is_signed_twice_in_two_ways(kind):
    own = payment(HK_BANK_A, TH_BANK_A, 1_00)
    owed = obligation_of(own)
    slot = {"proposer": "0x" + "99" * 20, "round": 1} if kind == "net" else {"proposer": None, "round": None}
    known = books(own, live=[LiveConsent(kind, obligation_id(owed), debits={HKD: 1_00}, **slot)])
    if kind == "gross":
        check_gross(HK_BANK_A, PLACE, known, gross(owed))
    else:
        assert rule_of(check_gross, known, gross(owed)) == "instructed"
    if kind == "net":
        check_net(HK_BANK_A, PLACE, known, net(HK_BANK_A, owed))
    else:
        assert rule_of(check_net, known, net(HK_BANK_A, owed)) == "instructed"
    assert rule_of(check_lock, known, owed) == "instructed"


def test_limits_are_the_banks_own_for_each_token():
    own = payment(TH_BANK_A, HK_BANK_A, 10**10, "THB")
    check_gross(TH_BANK_A, PLACE, books(own), gross(obligation_of(own)))
    assert net_debits(TH_BANK_A, PLACE, (obligation_of(own),)) == {THB: 10**10}


def test_a_lock_counts_against_the_limit():
    first, second = payment(HK_BANK_A, TH_BANK_A, 60_00), payment(HK_BANK_A, TH_BANK_A, 40_01)
    locked = LiveConsent("lock", obligation_id(obligation_of(first)), None, None, {HKD: 60_00})
    known = replace(books(second), all_live=(locked,))
    assert rule_of(check_gross, known, gross(obligation_of(second))) == "limits"


def test_own_instructions_are_those_the_bank_gave():
    own, other = trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    assert own_instructions(HK_BANK_A, obligation_of(own, other)) == (own.uetr,)
    assert own_instructions(TH_BANK_B, obligation_of(own, other)) == ()


def test_net_debits_leave_out_what_is_received_on_balance():
    own, other = trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00))
    back = payment(TH_BANK_A, HK_BANK_A, 30_00)
    assert net_debits(HK_BANK_A, PLACE, (obligation_of(own, other), obligation_of(back))) == {HKD: 70_00}
    assert net_debits(TH_BANK_B, PLACE, (obligation_of(own, other),)) == {}


@pytest.mark.parametrize(
    "leg",
    [
        Leg("HKBAHKHH", TH_BANK_A, CHAIN_ID, HKD, 1),
        Leg(HK_BANK_A.lower(), TH_BANK_A, CHAIN_ID, HKD, 1),
        Leg(HK_BANK_A, TH_BANK_A + "\0", CHAIN_ID, HKD, 1),
        Leg(HK_BANK_A, TH_BANK_A + "\n", CHAIN_ID, HKD, 1),
        Leg(HK_BANK_A, TH_BANK_A, 0, HKD, 1),
        Leg(HK_BANK_A, TH_BANK_A, CHAIN_ID, "0x" + "00" * 12 + HKD[2:], 1),
        Leg(HK_BANK_A, TH_BANK_A, CHAIN_ID, HKD[2:], 1),
        Leg(HK_BANK_A, TH_BANK_A, CHAIN_ID, HKD, 0),
        Leg(HK_BANK_A, TH_BANK_A, CHAIN_ID, HKD, -1),
        Leg(HK_BANK_A, TH_BANK_A, CHAIN_ID, HKD, 2**112),
        Leg(HK_BANK_A, TH_BANK_A, CHAIN_ID, HKD, 1.0),
        Leg(HK_BANK_A, TH_BANK_A, CHAIN_ID, HKD, True),
        Leg(HK_BANK_A, HK_BANK_A, CHAIN_ID, HKD, 1),
    ],
)
def test_a_leg_that_is_not_written_as_such_is_refused(leg):
    assert rule_of(check_gross, books(), gross(Obligation((), (leg,)))) == "complete"


@pytest.mark.parametrize(
    "change",
    [{"uetr": "3F2504E0-4F89-41D3-9A0C-0305E82C3301"}, {"content_hash": bytes(31)}, {"payer": HK_BANK_A + " "}],
)
def test_an_instruction_that_is_not_written_as_such_is_refused(change):
    own = payment(HK_BANK_A, TH_BANK_A)
    owed = Obligation((replace(own.instruction, **change),), (own.leg,))
    assert rule_of(check_gross, books(own), gross(owed)) == "complete"


def test_an_obligation_has_between_1_and_16_legs():
    legs = [Leg(HK_BANK_A, f"THB{letter}THBKXXX", CHAIN_ID, HKD, 1) for letter in "ABCDEFGHIJKLMNOPQ"]
    assert rule_of(check_gross, books(), gross(Obligation((), ()))) == "complete"
    assert rule_of(check_gross, books(), gross(Obligation((), tuple(legs)))) == "complete"
    assert rule_of(check_gross, books(), gross(Obligation((), tuple(legs[:16])))) == "instructed"
