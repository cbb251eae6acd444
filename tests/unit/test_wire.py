"""Whatever crosses between operator and agent, or is kept as evidence, comes back as it was or is refused."""

import json

import pytest

from corridor import wire
from corridor.merkle import LegProof
from corridor.model import Batch, Leg, LockTerms, Obligation, Signature
from corridor.ports import Amendment, Delivery, GrossProposal, NetProposal, Submission
from tests.actors import (
    HK_BANK_A,
    TH_BANK_A,
    TH_BANK_B,
    forwarded,
    gross,
    net,
    obligation_of,
    payment,
    trade,
    uetr_of,
)

OWED = obligation_of(*trade(HK_BANK_A, TH_BANK_A, ("HKD", 100_00), ("THB", 450_00)))
CHAIN = obligation_of(payment(HK_BANK_A, TH_BANK_A, 100_00), payment(TH_BANK_A, TH_BANK_B, 450_00, "THB"))
NET = net(HK_BANK_A, OWED, CHAIN)
SIGNATURE = Signature(bytes([1]) * 32, bytes([2]) * 32)
LEG = OWED.legs[0]

EVERYTHING = [
    (Leg, LEG),
    (Obligation, OWED),
    (Batch, NET.batch),
    (LegProof, NET.other_legs[0]),
    (LockTerms, LockTerms(1, bytes(32), 1_000)),
    (Signature, SIGNATURE),
    (Submission, Submission(HK_BANK_A, b"<Document/>\xff", SIGNATURE)),
    (Amendment, Amendment(HK_BANK_A, uetr_of(1), "priority", 1)),
    (Amendment, Amendment(HK_BANK_A, uetr_of(1), "hold", None)),
    (GrossProposal, gross(OWED)),
    (NetProposal, NET),
    (Delivery, forwarded(payment(HK_BANK_A, TH_BANK_A))),
    (Delivery, Delivery("a.xml", False, b"", (), {"cancelled": (uetr_of(1), uetr_of(2)), "refused": ()})),
]


@pytest.mark.parametrize(("kind", "value"), EVERYTHING, ids=lambda value: getattr(value, "__name__", ""))
def test_everything_comes_back_as_it_was(kind, value):
    text = wire.dump(value)
    assert wire.load(kind, text) == value
    assert wire.dump(wire.load(kind, text)) == text


def test_amounts_beyond_a_float_stay_exact():
    leg = Leg(HK_BANK_A, TH_BANK_A, 1, LEG.token, 2**112 - 1)
    assert wire.load(Leg, wire.dump(leg)).amount_minor == 2**112 - 1


def test_a_list_comes_back_in_order():
    assert wire.load_list(Obligation, wire.dump([OWED, CHAIN])) == (OWED, CHAIN)


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 1.0},
        {"amount_minor": True},
        {"amount_minor": "1"},
        {"amount_minor": None},
        {"payer": 7},
        {"payer": None},
    ],
)
def test_a_field_of_another_type_is_refused(change):
    with pytest.raises(ValueError, match="this is no Leg"):
        wire.load(Leg, json.dumps(wire.plain(LEG) | change))


@pytest.mark.parametrize("missing", ["payer", "payee", "chain_id", "token", "amount_minor"])
def test_a_missing_field_is_refused(missing):
    plain = wire.plain(LEG)
    del plain[missing]
    with pytest.raises(ValueError, match="this is no Leg"):
        wire.load(Leg, json.dumps(plain))


@pytest.mark.parametrize("text", ["", "{", "7", "[]", "null", '"text"', '{"r": "zz", "vs": ""}', '{"r": 1, "vs": ""}'])
def test_text_that_says_something_else_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever is wrong with it
        wire.load(Signature, text)


def test_a_text_is_no_list_of_its_letters():
    plain = wire.plain(NET.batch) | {"participants": HK_BANK_A}
    with pytest.raises(ValueError, match="this is no Batch"):
        wire.load(Batch, json.dumps(plain))


def test_a_float_never_crosses():
    with pytest.raises(TypeError):
        wire.dump({"amount_minor": 1.0})
